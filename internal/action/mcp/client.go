package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/penstock-io/penstock/internal/action/invoke"
)

// maxRemoteTools is how many tools of a remote server are used.
const maxRemoteTools = 1000

// maxEvent is the largest message of a remote server, in bytes.
const maxEvent = 32 << 20

// Client uses remote MCP servers over streamable HTTP. A session lasts for one use, so that no state is shared
// between the users of a connector.
type Client struct{ Version string }

var _ invoke.Remote = Client{}

// Tools lists the tools of the server at url.
func (c Client) Tools(ctx context.Context, url string, client *http.Client) ([]invoke.Tool, error) {
	var out []invoke.Tool
	err := c.session(ctx, url, client, func(s *sdk.ClientSession) error {
		for t, err := range s.Tools(ctx, nil) {
			if err != nil {
				return err
			}
			schema, err := json.Marshal(t.InputSchema)
			if err != nil || len(schema) == 0 || schema[0] != '{' {
				schema = []byte(`{"type":"object"}`)
			}
			tool := invoke.Tool{Name: t.Name, Title: t.Title, Description: t.Description, Schema: schema, Destructive: true}
			if a := t.Annotations; a != nil {
				tool.ReadOnly = a.ReadOnlyHint
				tool.Destructive = !a.ReadOnlyHint && (a.DestructiveHint == nil || *a.DestructiveHint)
				if tool.Title == "" {
					tool.Title = a.Title
				}
			}
			if out = append(out, tool); len(out) >= maxRemoteTools {
				break
			}
		}
		return nil
	})
	return out, err
}

// Call calls a tool of the server at url.
func (c Client) Call(ctx context.Context, url string, client *http.Client, name string, arguments json.RawMessage) (json.RawMessage, bool, error) {
	var result json.RawMessage
	var failed bool
	err := c.session(ctx, url, client, func(s *sdk.ClientSession) error {
		got, err := s.CallTool(ctx, &sdk.CallToolParams{Name: name, Arguments: arguments})
		if err != nil {
			return err
		}
		failed = got.IsError
		result, err = json.Marshal(got)
		return err
	})
	return result, failed, err
}

// session begins a session, uses it and ends it.
func (c Client) session(ctx context.Context, url string, client *http.Client, use func(*sdk.ClientSession) error) error {
	version := c.Version
	if version == "" {
		version = "dev"
	}
	mc := sdk.NewClient(&sdk.Implementation{Name: "penstock", Version: version}, &sdk.ClientOptions{
		Capabilities: &sdk.ClientCapabilities{}, // it asks nobody anything and has no files to show
	})
	s, err := mc.Connect(ctx, &sdk.StreamableClientTransport{
		Endpoint: url, HTTPClient: client, MaxRetries: -1, DisableStandaloneSSE: true, MaxEventSize: maxEvent,
	}, nil)
	if err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	err = use(s)
	if closing := s.Close(); err == nil && closing != nil && ctx.Err() != nil {
		return closing
	}
	return err
}
