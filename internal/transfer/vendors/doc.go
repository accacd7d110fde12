// Package vendors reads records out of Salesforce, ServiceNow and Zendesk over their REST APIs.
//
// A Reader is made from a Profile, which says where the vendor's instance is and how to sign in, and reads the
// records of one object that were modified in a window, page by page. With every page comes a mark; a reading that
// begins at a mark goes on after that page, also in another process, also when the vendor has forgotten the page
// meanwhile. Within one reading no record comes twice.
//
// What every vendor does is done once, in client: signing in, renewing a token that has expired, waiting as long as
// Retry-After says, trying again after a server error, a connection that breaks off or an answer that is cut short.
// A page is delivered whole or not at all.
//
// Errors are faults: Denied for credentials that are not accepted, NotFound for an object that is not there, Invalid
// for a request the vendor refuses, Throttled and Unavailable for what may pass, once trying again has not helped.
// No message and no log line holds a credential (invariant 8). Whatever URL an answer holds, requests go to the
// profile's host and no other.
package vendors
