// Package sourcetest tests what claims to be a pipeline.Source over DynamoDB-compatible tables, and has what
// such tests and others around sources need:
//
//   - Run, the conformance suite: what it asks for is the contract.
//   - Server, the embedded tables behind HTTP, whose shards can be rolled, split and trimmed.
//   - Endpoint, which makes and changes tables at any endpoint.
//   - Faults, a transport that makes requests fail before or after they had their effect.
//   - Pages, a server of a large table that costs next to nothing, for benchmarks.
package sourcetest
