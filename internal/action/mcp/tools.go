package mcp

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
)

// callerServer is the server of one caller's sessions. A caller may have a hundred thousand tools, so they are not
// given to the library's server, which would hold each of them for each caller: requests that are about tools are
// answered from a list here.
type callerServer struct {
	handler *Handler
	caller  identity.Caller
	server  *sdk.Server

	mu   sync.Mutex // held while tools are listed: one lists for all
	have *tools
}

// tools is what a caller had at some time. It does not change.
type tools struct {
	sorted []tool // by name
	sum    uint64 // tells it from other lists
	epoch  int64
	made   time.Time
}

type tool struct {
	Offer
	name   string
	schema uint64 // digest
}

const (
	// inPage is how many tools are listed at once. Many clients ask for the first page only.
	inPage = 1000
	// samePages is how long the pages after the first go on with the list that the first was of, and names in it stay good.
	samePages = time.Minute
	// marker is the one tool that the library knows of, see current and tell.
	marker = "penstock"
)

func (h *Handler) newCaller(caller identity.Caller) *callerServer {
	c := &callerServer{handler: h, caller: caller}
	c.server = sdk.NewServer(&sdk.Implementation{Name: "penstock", Title: "Penstock action connectors", Version: h.Version}, &sdk.ServerOptions{
		Instructions: instructions,
		Logger:       quiet(h.Log),
		Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{ListChanged: true}},
	})
	c.server.AddReceivingMiddleware(c.current)
	c.tell()
	return c
}

// tell lets the clients of the caller know that the tools are others now. The library does that whenever it is given a
// tool.
func (c *callerServer) tell() {
	c.server.AddTool(&sdk.Tool{Name: marker, InputSchema: json.RawMessage(`{"type":"object"}`)}, c.call)
}

type calledKey struct{}

// current answers what is asked about tools: the library has only the marker, which stands for any of them.
func (c *callerServer) current(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, req sdk.Request) (sdk.Result, error) {
		switch r := req.(type) {
		case *sdk.ListToolsRequest:
			after := ""
			if r.Params != nil {
				text, err := base64.RawURLEncoding.DecodeString(r.Params.Cursor)
				if err != nil {
					return nil, invalid("the cursor is not one that this server gave")
				}
				after, r.Params.Cursor = string(text), ""
			}
			page, more, err := c.page(ctx, after)
			if err != nil {
				return nil, err
			}
			result, err := next(ctx, method, req)
			if list, ok := result.(*sdk.ListToolsResult); ok {
				list.Tools, list.NextCursor, list.CacheScope = page, base64.RawURLEncoding.EncodeToString([]byte(more)), "private"
			}
			return result, err
		case *sdk.CallToolRequest:
			t, err := c.find(ctx, r.Params.Name)
			if err != nil {
				return nil, err
			}
			if t == nil {
				return nil, invalid(fmt.Sprintf("unknown tool %q", r.Params.Name))
			}
			r.Params.Name = marker
			return next(context.WithValue(ctx, calledKey{}, t), method, req)
		}
		return next(ctx, method, req)
	}
}

func invalid(message string) error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: message}
}

// page lists the tools whose names come after one, and says after which the next page begins, if there is one.
func (c *callerServer) page(ctx context.Context, after string) (page []*sdk.Tool, more string, err error) {
	have, err := c.list(ctx, after != "")
	if err != nil {
		return nil, "", err
	}
	from, found := have.find(after)
	if found {
		from++
	}
	rest := have.sorted[from:]
	page = make([]*sdk.Tool, min(len(rest), inPage))
	for n := range page {
		o := &rest[n]
		page[n] = &sdk.Tool{
			Name: o.name, Title: o.Title, Description: o.Description, InputSchema: o.Schema,
			Annotations: &sdk.ToolAnnotations{
				Title: o.Title, ReadOnlyHint: o.ReadOnly, DestructiveHint: new(o.Destructive && !o.ReadOnly), IdempotentHint: o.ReadOnly, OpenWorldHint: new(true),
			},
		}
	}
	if len(rest) > inPage {
		more = rest[inPage-1].name
	}
	return page, more, nil
}

// find is a tool by its name, nil if there is none. One that was there lately is found without looking: whether it may
// still be called is judged when it is.
func (c *callerServer) find(ctx context.Context, name string) (*tool, error) {
	for _, old := range []bool{true, false} {
		have, err := c.list(ctx, old)
		if err != nil {
			return nil, err
		}
		if n, found := have.find(name); found {
			return &have.sorted[n], nil
		}
	}
	return nil, nil
}

func (t *tools) find(name string) (int, bool) {
	return slices.BinarySearchFunc(t.sorted, name, func(t tool, name string) int { return cmp.Compare(t.name, name) })
}

// list is what the caller has, or an old list of not so long ago.
func (c *callerServer) list(ctx context.Context, old bool) (*tools, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	epoch := c.handler.epoch.Load()
	if c.have != nil {
		age := time.Since(c.have.made)
		if old && age < samePages || c.have.epoch == epoch && age < c.handler.Fresh {
			return c.have, nil
		}
	}
	offers, err := c.handler.Toolbox.Tools(ctx, c.caller)
	if err != nil {
		c.log(ctx, "the tools of a caller cannot be listed", err)
		return nil, errors.New(fault.Message(err))
	}
	now := &tools{sorted: make([]tool, 0, len(offers)), epoch: epoch, made: time.Now()}
	refs := make([]Ref, len(offers))
	for n := range offers {
		refs[n] = offers[n].Ref
	}
	for n, name := range Names(refs) {
		schema, ok := c.handler.schemas.object(offers[n].Schema)
		if !ok {
			c.log(ctx, "a tool cannot be offered", fmt.Errorf("%s: the schema of its arguments is not that of an object", name))
			continue
		}
		now.sorted = append(now.sorted, tool{offers[n], name, schema})
	}
	slices.SortFunc(now.sorted, func(a, b tool) int { return strings.Compare(a.name, b.name) })
	now.sum = c.handler.sum(now.sorted)
	before := c.have
	c.have = now
	if before != nil && before.sum != now.sum {
		c.tell()
	}
	return now, nil
}

// sum tells lists of tools apart.
func (h *Handler) sum(list []tool) uint64 {
	var sum maphash.Hash
	sum.SetSeed(h.schemas.seed)
	for n := range list {
		t := &list[n]
		maphash.WriteComparable(&sum, struct {
			name, title, description string
			readOnly, destructive    bool
			schema                   uint64
		}{t.name, t.Title, t.Description, t.ReadOnly, t.Destructive, t.schema})
	}
	return sum.Sum64()
}

// schemas remembers what is known of schemas: connectors of one type have the same.
type schemas struct {
	seed    maphash.Seed
	mu      sync.Mutex
	objects map[uint64]bool // by digest: whether it is that of an object
}

// maxObjects is of how many schemas something is remembered. It is forgotten when there are more.
const maxObjects = 1_000_000

// object returns a digest of a schema, and whether it is that of an object: clients take no other.
func (s *schemas) object(text json.RawMessage) (digest uint64, ok bool) {
	digest = maphash.Bytes(s.seed, text)
	s.mu.Lock()
	ok, known := s.objects[digest]
	s.mu.Unlock()
	if known {
		return digest, ok
	}
	var head struct {
		Type any `json:"type"`
	}
	ok = json.Unmarshal(text, &head) == nil && head.Type == "object"
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects == nil || len(s.objects) >= maxObjects {
		s.objects = map[uint64]bool{}
	}
	s.objects[digest] = ok
	return digest, ok
}
