package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
)

// Offer is a tool that a caller has.
type Offer struct {
	Ref         // what it is; its name is made of it, see Names
	Title       string
	Description string
	Schema      json.RawMessage // JSON Schema of the arguments, an object. It may be shared and must not be changed
	ReadOnly    bool
	Destructive bool // it replaces, changes or deletes what is there
	Remote      bool // it is the tool of another MCP server: its answer is a result of a tool, and is passed on as one
}

// Outcome is what a tool says.
type Outcome struct {
	JSON   json.RawMessage // the answer, if it is JSON
	Text   string          // otherwise
	Note   string          // a sentence about the answer: that it was cut, how the next page is asked for, that it waits for approval
	Failed bool            // the tool did not do it
}

// Toolbox has the tools of callers.
type Toolbox interface {
	// Tools lists the tools of a caller.
	Tools(ctx context.Context, caller identity.Caller) ([]Offer, error)
	// Call runs one, which the caller had a while ago, if its arguments are right. What the caller may know of an error is
	// its fault.Message.
	Call(ctx context.Context, caller identity.Caller, tool Ref, arguments json.RawMessage) (Outcome, error)
}

// Config says how tools are offered.
type Config struct {
	Toolbox     Toolbox
	Log         *slog.Logger
	Version     string        // of the server, as clients see it
	IdleSession time.Duration // sessions end when nothing was heard for so long; 0 means 30 minutes
	MaxAnswer   int           // bytes of an answer, which a model has to read; 0 means 100000
	Fresh       time.Duration // how long tools are taken for what they were without a word of a change; 0 means 5 seconds
}

// Handler is the server. It is safe for concurrent use.
type Handler struct {
	Config
	inner   http.Handler
	changed chan struct{}
	epoch   atomic.Int64 // grows with every change
	schemas schemas

	mu      sync.Mutex
	callers map[identity.Caller]*callerServer
}

type callerKey struct{}

// WithCaller puts the authenticated maker of a request into its context.
func WithCaller(ctx context.Context, caller identity.Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// instructions tell models how the tools are to be used.
const instructions = `Each tool is an action of a connector: a vendor's API with the connector's credentials. Tools that only read are marked so. ` +
	`If an answer names an argument for the next page, call the tool again with it added. If a call waits for approval, do not repeat it.`

// New makes a Handler. Run must run while it serves.
func New(c Config) *Handler {
	if c.IdleSession <= 0 {
		c.IdleSession = 30 * time.Minute
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.MaxAnswer <= 0 {
		c.MaxAnswer = 100_000 // some 25000 tokens, beyond which clients in use refuse answers
	}
	if c.Fresh <= 0 {
		c.Fresh = 5 * time.Second
	}
	h := &Handler{Config: c, changed: make(chan struct{}, 1), callers: map[identity.Caller]*callerServer{}, schemas: schemas{seed: maphash.MakeSeed()}}
	stream := sdk.NewStreamableHTTPHandler(h.serverOf, &sdk.StreamableHTTPOptions{
		Logger:         quiet(c.Log),
		SessionTimeout: c.IdleSession,
		// Every request is authenticated, so a page in a browser can do nothing; and the server may stand
		// behind a proxy on this machine.
		DisableLocalhostProtection: true,
	})
	// The library ties sessions to the user of a bearer token. Here the user is whoever was authenticated, by
	// whatever means.
	h.inner = auth.RequireBearerToken(func(ctx context.Context, _ string, _ *http.Request) (*auth.TokenInfo, error) {
		caller, ok := ctx.Value(callerKey{}).(identity.Caller)
		if !ok {
			return nil, auth.ErrInvalidToken
		}
		return &auth.TokenInfo{UserID: fmt.Sprintf("%q", caller), Extra: map[string]any{"caller": caller}}, nil
	}, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})(stream)
	return h
}

// quiet keeps the library's chatter out of the log, but for errors.
func quiet(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(errorsOnly{log.Handler()})
}

type errorsOnly struct{ slog.Handler }

func (e errorsOnly) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && e.Handler.Enabled(ctx, l)
}
func (e errorsOnly) WithAttrs(a []slog.Attr) slog.Handler { return errorsOnly{e.Handler.WithAttrs(a)} }
func (e errorsOnly) WithGroup(name string) slog.Handler   { return errorsOnly{e.Handler.WithGroup(name)} }

// maxRequest is the largest message of a client, in bytes. Arguments may have a quarter of it.
const maxRequest = 4 << 20

// ServeHTTP serves a request of a client.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, ok := r.Context().Value(callerKey{}).(identity.Caller); !ok {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "Sign the request for the service penstock, or send a bearer token.", http.StatusUnauthorized)
		return
	}
	if r.ContentLength > maxRequest {
		http.Error(w, fmt.Sprintf("The request is larger than %d bytes.", maxRequest), http.StatusRequestEntityTooLarge)
		return
	}
	in := r.Clone(r.Context())
	in.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	in.Header.Set("Authorization", "Bearer authenticated") // the real one goes no further
	h.inner.ServeHTTP(w, in)
}

// Changed says that tools may have changed: clients that listen are told. It does not wait.
func (h *Handler) Changed() {
	h.epoch.Add(1)
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// Run tells clients of changes, until ctx is done; then it ends all sessions.
func (h *Handler) Run(ctx context.Context) error {
	tidy := time.NewTicker(h.IdleSession)
	defer tidy.Stop()
	for {
		select {
		case <-ctx.Done():
			for _, c := range h.all() {
				c.close()
			}
			return ctx.Err()
		case <-tidy.C:
			h.forgetIdle()
		case <-h.changed:
			began := time.Now()
			for _, c := range h.all() {
				if c.live() {
					_, _ = c.list(ctx, false) // it is logged, and made again when the client lists
				}
			}
			rest(ctx, min(10*time.Since(began), maxRest))
		}
	}
}

// maxRest is the longest that clients wait to be told of a change. Where there is much to list, changes that come one
// after the other must not keep the server busy with listing it again.
const maxRest = 5 * time.Second

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (h *Handler) all() []*callerServer {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*callerServer
	for _, c := range h.callers {
		out = append(out, c)
	}
	return out
}

// forgetIdle drops callers who have no session.
func (h *Handler) forgetIdle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, c := range h.callers {
		if !c.live() {
			delete(h.callers, key)
		}
	}
}

func (c *callerServer) live() bool {
	for range c.server.Sessions() {
		return true
	}
	return false
}

func (c *callerServer) close() {
	for session := range c.server.Sessions() {
		_ = session.Close() // it ends either way
	}
}

// serverOf is the server for the caller of a request.
func (h *Handler) serverOf(r *http.Request) *sdk.Server {
	caller, ok := r.Context().Value(callerKey{}).(identity.Caller)
	if !ok {
		return nil
	}
	h.mu.Lock()
	c := h.callers[caller]
	if c != nil {
		h.mu.Unlock()
		return c.server
	}
	defer h.mu.Unlock()
	c = h.newCaller(caller)
	h.callers[caller] = c
	return c.server
}

func (c *callerServer) log(ctx context.Context, message string, err error) {
	if c.handler.Log != nil && ctx.Err() == nil {
		c.handler.Log.Warn(message, "caller", c.caller.ARN, "error", err)
	}
}

// call runs a tool for a client.
func (c *callerServer) call(ctx context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	tool, arguments := ctx.Value(calledKey{}).(*tool), req.Params.Arguments // see current
	if len(arguments) == 0 || string(arguments) == "null" {
		arguments = json.RawMessage(`{}`)
	}
	out, err := c.handler.Toolbox.Call(ctx, c.caller, tool.Ref, arguments)
	if err != nil {
		if fault.KindOf(err) == fault.Internal {
			c.log(ctx, "a tool failed", fmt.Errorf("%s: %w", tool.name, err))
		}
		return failed(fault.Message(err)), nil
	}
	passed := tool.Remote && len(out.JSON) <= c.handler.MaxAnswer
	c.handler.bound(&out)
	result := &sdk.CallToolResult{IsError: out.Failed}
	if out.Note != "" {
		result.Content = append(result.Content, &sdk.TextContent{Text: out.Note})
	}
	var remote sdk.CallToolResult
	switch {
	case passed && json.Unmarshal(out.JSON, &remote) == nil && len(remote.Content) > 0:
		result.Content, result.StructuredContent = append(result.Content, remote.Content...), remote.StructuredContent
	case len(out.JSON) > 0:
		result.Content = append(result.Content, &sdk.TextContent{Text: string(out.JSON)})
		if out.JSON[0] == '{' { // older clients take nothing else
			result.StructuredContent = out.JSON
		}
	case out.Text != "" || len(result.Content) == 0:
		text := out.Text
		if text == "" {
			text = "Done."
		}
		result.Content = append(result.Content, &sdk.TextContent{Text: text})
	}
	return result, nil
}

// bound cuts an answer to what models can read, and says so.
func (h *Handler) bound(out *Outcome) {
	var said string
	switch {
	case len(out.JSON) > h.MaxAnswer:
		all := len(out.JSON)
		cut, kept, items := invoke.Shrink(out.JSON, h.MaxAnswer)
		out.JSON = cut
		said = fmt.Sprintf("The answer of %d bytes was cut.", all)
		if items > 0 {
			said = fmt.Sprintf("The answer of %d bytes was cut: it has %d of %d items. Ask for fewer items or fields at once to see the others.", all, kept, items)
		}
	case len(out.Text) > h.MaxAnswer:
		said = fmt.Sprintf("The answer of %d bytes was cut at its end.", len(out.Text))
		out.Text = strings.ToValidUTF8(out.Text[:h.MaxAnswer], "")
	default:
		return
	}
	out.Note = strings.TrimSpace(out.Note + " " + said)
}

func failed(text string) *sdk.CallToolResult {
	return &sdk.CallToolResult{IsError: true, Content: []sdk.Content{&sdk.TextContent{Text: text}}}
}
