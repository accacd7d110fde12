// Package mcp offers actions of connectors to clients of the Model Context Protocol, and uses remote servers of
// that protocol as connectors.
//
// A Handler is the server, over streamable HTTP. It knows no connectors: a Toolbox says which tools a caller
// has and runs them. Who the caller is comes with the request's context, put there by what authenticates
// (WithCaller); requests without a caller are answered with 401. A session belongs to the caller who began it,
// and every caller sees only their own tools.
//
// What a tool cannot do, also for wrong arguments, is a result with isError, so that a model can read it and
// do better. Only what is not about the tool is a protocol error.
//
// A Client is the other side: it lists and calls the tools of remote servers for package invoke, which gives it
// an HTTP client that has the connector's credentials and egress.
package mcp
