// Package invoke makes the calls of connectors: it turns the arguments of an action into a request of the vendor,
// sends it with the connector's credentials, and turns the answer into a result or into one of a closed list of
// errors.
//
// An Engine serves any number of connectors, which are passed in with every call; it keeps connections, the rate
// and the circuit breaker of each, and nothing else. What an action looks like is catalog's; what OpenAPI cannot
// say about a vendor is plain code here, one file per vendor, reached from the table in vendor.go.
//
// Rules:
//
//   - Arguments are validated before anything leaves. What is wrong is told all at once, with JSON pointers.
//   - Credentials go to the origin of the connector's endpoint and nowhere else, whatever a redirect or the URL of
//     a next page says. They are in no error, log line or dry run (invariant 8).
//   - Only what cannot happen twice is sent twice: reads, requests that reached nobody, and those the vendor
//     declined with 429 and Retry-After. After one 401 the token is renewed once and the request repeated once.
//   - Answers are bounded. A JSON answer that is too large is cut at the items of its largest list and is still
//     JSON; the cursor is read before that, and the cut is told.
//   - A connector that fails rests for a while and does not touch the others (invariant 7).
package invoke
