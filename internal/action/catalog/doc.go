// Package catalog knows what connectors can do: the actions of every type of connector, and those of documents
// that users bring.
//
// One OpenAPI document per type lies in documents/ and is part of the binary. It is the whole truth about a
// type's actions, and docs/reference/actions.md is made from it. This package turns it, or a user's document,
// into a Catalogue of plain Actions: what is called, with which arguments, whether it changes anything, how its
// pages follow each other. It calls nobody; how a request is made of an Action is invoke's business, and what
// OpenAPI cannot say about a vendor is code there.
//
// # Arguments
//
// The arguments of an action are one flat JSON object, described by one JSON Schema:
//
//   - every parameter of the path, the query and the header is a member by its name;
//   - if the body is a JSON object or a form, its members are members; any other body is one member, called
//     body or what x-penstock-argument says;
//   - a name that is taken already, in the order path, query, header, body, gets its place before it:
//     query_id, header_id, body_id;
//   - characters that clients of MCP refuse in names are left out at the front and replaced by _ elsewhere:
//     $top is top;
//   - what has a const in its schema is not asked for but filled in: parameters, and members of bodies that
//     are required;
//   - a binary value X is text, or base64 with XEncoding "base64"; XContentType says what it is, and in a form
//     XName what the file is called;
//   - unknown members are refused, unless the schema of the body says additionalProperties; then they are
//     members of the body.
//
// # Extensions
//
// Two are AWS's: x-amzn-operation-type (read or write; without it GET and HEAD read) and
// x-amzn-form-display-name (the label of a field). The others are ours and have no meaning in documents of
// users, save the first two:
//
//	x-penstock-paging             of an operation: see Paging
//	x-penstock-argument           of a body: the name of its argument
//	x-penstock-source             of an operation: vendor, where AWS publishes no such action
//	x-penstock-destructive        of an operation that writes: whether it replaces, changes or deletes what is
//	                              there, where the method says otherwise (PUT, PATCH and DELETE do)
//	x-penstock-local              of a parameter: read by the code of the vendor, not sent
//	x-penstock-multi-segment      of a path parameter: may contain slashes, which are kept
//	x-penstock-unwrap             of a body: the member whose members are the arguments
//	x-penstock-object             of an operation: the kind of object a query is about
//	x-penstock-idempotency-header of an operation: where the vendor takes a key against repetition
//	x-penstock-check              of a document: the cheap request that tries credentials
//	x-penstock-aws                of a document: the endpoint and the name signatures are made for
//	x-penstock-rate               of a document: the vendor's limit, in calls per minute
//	x-penstock-type               of a document: the type of connector
//
// What follows # in a path is not sent: it tells actions of the same method and path apart.
package catalog
