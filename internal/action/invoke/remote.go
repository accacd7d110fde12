package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// toolCache keeps the tools of remote servers for a short while: a list of actions and a call that follows it
// should not ask twice.
type toolCache struct {
	mu   sync.Mutex
	seen map[toolKey]cachedTools
}

// toolKey tells lists of tools apart: a server may offer each user others.
type toolKey struct{ id, base, user string }

type cachedTools struct {
	catalogue *catalog.Catalogue // as it was last known; nil if it never was
	until     time.Time
	asked     time.Time
	failed    error // of the last attempt
}

const (
	toolsFor    = time.Minute      // that a list of tools is good for
	toolsAgain  = 5 * time.Second  // after which an unknown tool is looked for anew
	toolsRest   = 10 * time.Second // that a server which failed is not asked for a list
	toolsTime   = 10 * time.Second // that a server has to list its tools
	maxToolSets = 4096
	maxTools    = 1000
)

func keyOfTools(c *Connector) toolKey { return toolKey{c.ID, c.BaseURL, c.User} }

// listTools is the catalogue of a remote MCP server for a list. One that does not work is not asked for a while: what
// was known of it stays in lists, so that whoever calls it learns what is wrong.
func (e *Engine) listTools(ctx context.Context, c Connector) (*catalog.Catalogue, error) {
	known, ok := e.tools.get(keyOfTools(&c))
	if ok && e.Now().Before(known.until) {
		if known.catalogue == nil {
			return nil, known.failed
		}
		return known.catalogue, nil
	}
	fresh, err := e.freshTools(ctx, c)
	if err != nil && known.catalogue != nil && isOutage(err) {
		return known.catalogue, nil
	}
	return fresh, err
}

// remoteTool finds a tool for a call. A server that is not known to have it is asked again: it may have learnt it.
func (e *Engine) remoteTool(ctx context.Context, c *Connector, id string) (*catalog.Catalogue, *catalog.Action, error) {
	known, ok := e.tools.get(keyOfTools(c))
	now := e.Now()
	if ok && known.catalogue != nil {
		a, err := find(known.catalogue, c, id)
		if err == nil && now.Before(known.until) || err != nil && now.Sub(known.asked) < toolsAgain {
			return known.catalogue, a, err
		}
	}
	fresh, err := e.freshTools(ctx, *c)
	if err != nil {
		return nil, nil, err
	}
	a, err := find(fresh, c, id)
	return fresh, a, err
}

func (t *toolCache) get(key toolKey) (cachedTools, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.seen[key]
	return c, ok
}

func (t *toolCache) put(key toolKey, c cachedTools) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, has := t.seen[key]; t.seen == nil || !has && len(t.seen) >= maxToolSets {
		t.seen = map[toolKey]cachedTools{}
	}
	t.seen[key] = c
}

// freshTools asks a remote server for its tools.
func (e *Engine) freshTools(ctx context.Context, c Connector) (*catalog.Catalogue, error) {
	r, err := e.remoteRun(ctx, &Call{Connector: c})
	if err != nil {
		return nil, err
	}
	r.timeout = min(toolsTime, e.Timeout)
	asking, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	client := r.client()
	tools, err := e.Remote.Tools(asking, c.BaseURL, client)
	now := e.Now()
	if err != nil {
		err = r.remoteError(asking, client, err, false)
		var failed *Error // and none of Tokens
		if errors.As(err, &failed) && !errors.Is(ctx.Err(), context.Canceled) {
			before, _ := e.tools.get(keyOfTools(&c))
			e.tools.put(keyOfTools(&c), cachedTools{before.catalogue, now.Add(toolsRest), now, err})
		}
		return nil, err
	}
	known := &catalog.Catalogue{Type: TypeMCP, Title: c.BaseURL}
	for _, t := range tools[:min(len(tools), maxTools)] {
		a, err := catalog.Compile(t.Name, t.Schema)
		if err != nil {
			known.Notes = append(known.Notes, "The tool "+t.Name+" cannot be used: the schema of its arguments is not valid.")
			continue
		}
		a.Name, a.Description, a.Method, a.Path = t.Title, t.Description, http.MethodPost, "/"
		if a.Name == "" {
			a.Name = t.Name
		}
		a.Write, a.Destructive, a.Answer = !t.ReadOnly, t.Destructive, catalog.AnswerAny
		known.Actions = append(known.Actions, a)
	}
	known.Index()
	e.tools.put(keyOfTools(&c), cachedTools{catalogue: known, until: now.Add(toolsFor), asked: now})
	return known, nil
}

// remoteRun prepares requests to a remote server: its credentials and its way out are those of any connector.
func (e *Engine) remoteRun(ctx context.Context, call *Call) (*run, error) {
	if e.Remote == nil {
		return nil, noRemote(&call.Connector)
	}
	known := &catalog.Catalogue{Type: TypeMCP}
	p := &plan{engine: e, call: call, connector: &call.Connector, catalogue: known, action: &catalog.Action{ID: call.Action}}
	u, err := url.Parse(call.Connector.BaseURL)
	if err != nil || u.Host == "" {
		return nil, failure(AddressRefused, err, "The base endpoint %q of connector %q is not a URL like https://host/path.", call.Connector.BaseURL, call.Connector.ID)
	}
	p.base = u
	r := &run{engine: e, call: call, plan: p, timeout: e.Timeout}
	if _, err := r.secret(ctx); err != nil {
		return nil, r.outOf(ctx, err)
	}
	return r, nil
}

// client makes the requests of an MCP session with the connector's credentials, which are renewed once if they
// are refused. It follows no redirects.
func (r *run) client() *http.Client {
	return &http.Client{
		Transport:     &remoteTransport{run: r},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// remoteTransport adds credentials to the requests of one call, which a session makes on several goroutines.
type remoteTransport struct {
	mu     sync.Mutex
	run    *run
	status int   // of the last answer that was none of success
	err    error // of Tokens
	large  bool  // an answer was larger than what is read
}

// goodbye is how long a remote server has to take note that a session has ended. Nobody waits longer for that.
const goodbye = time.Second

// bounded is the body of an answer, of which no more than a limit is read: the library reads all there is.
type bounded struct {
	io.ReadCloser
	transport *remoteTransport
	left      int
}

func (b *bounded) Read(into []byte) (int, error) {
	if b.left <= 0 {
		b.transport.mu.Lock()
		defer b.transport.mu.Unlock()
		b.transport.large = true
		return 0, errors.New("the answer is too large")
	}
	n, err := b.ReadCloser.Read(into[:min(len(into), b.left)])
	b.left -= n
	return n, err
}

func (t *remoteTransport) RoundTrip(in *http.Request) (*http.Response, error) {
	if in.Method == http.MethodDelete {
		ctx, cancel := context.WithTimeout(in.Context(), goodbye)
		defer cancel()
		in = in.WithContext(ctx)
	}
	resp, used, err := t.send(in)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && !used.Value.Empty() && (in.Body == nil || in.GetBody != nil) && t.renew(in, used) {
		_ = resp.Body.Close()
		resp, _, err = t.send(in)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil && err == nil {
		_ = resp.Body.Close()
		return nil, t.err
	}
	if err == nil && resp.StatusCode >= 300 && in.Method == http.MethodPost {
		t.status = resp.StatusCode
	}
	return resp, err
}

// send makes one request with the token there is.
func (t *remoteTransport) send(in *http.Request) (*http.Response, Token, error) {
	out := in.Clone(in.Context())
	if in.GetBody != nil {
		body, err := in.GetBody()
		if err != nil {
			return nil, Token{}, err
		}
		out.Body = body
	}
	t.mu.Lock()
	t.run.attempts++
	token := t.run.token
	var err error
	if sameOrigin(out.URL, t.run.plan.base) {
		err = t.run.authorize(out, nil)
	}
	t.mu.Unlock()
	if err != nil {
		return nil, token, err
	}
	resp, err := t.run.engine.transport(t.run.plan).RoundTrip(out)
	if err == nil {
		resp.Body = &bounded{resp.Body, t, t.run.engine.MaxRead + 1}
	}
	return resp, token, err
}

// renew asks for another token, once for the call.
func (t *remoteTransport) renew(in *http.Request, used Token) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.run.renewed {
		return false
	}
	t.run.renewed = true
	token, err := t.run.plan.connector.Auth.Tokens.Refresh(in.Context(), used)
	if err != nil {
		t.err = err
		return false
	}
	t.run.token = token
	return true
}

// remoteArguments validates the arguments of a tool.
func (e *Engine) remoteArguments(ctx context.Context, call *Call) (json.RawMessage, error) {
	_, action, err := e.allowed(ctx, &call.Connector, call.Action)
	if err != nil {
		return nil, err
	}
	args, err := arguments(action.ID, call.Arguments)
	if err != nil {
		return nil, err
	}
	violations, err := action.Validate(args)
	if err != nil {
		return nil, err
	}
	if len(violations) > 0 {
		return nil, invalid(action.ID, violations...)
	}
	text, err := marshal(args)
	return text, err
}

func (e *Engine) renderRemote(ctx context.Context, call *Call) (Rendered, error) {
	args, err := e.remoteArguments(ctx, call)
	if err != nil {
		return Rendered{}, err
	}
	_, action, err := e.allowed(ctx, &call.Connector, call.Action)
	if err != nil {
		return Rendered{}, err
	}
	body, err := marshal(map[string]any{"jsonrpc": "2.0", "method": "tools/call", "params": map[string]any{"name": call.Action, "arguments": args}})
	if err != nil {
		return Rendered{}, err
	}
	u, err := url.Parse(call.Connector.BaseURL)
	if err != nil {
		return Rendered{}, failure(AddressRefused, err, "The base endpoint of connector %q is not a URL.", call.Connector.ID)
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	p := &plan{engine: e, connector: &call.Connector, catalogue: &catalog.Catalogue{}}
	p.maskedCredentials(header, u)
	return Rendered{Method: http.MethodPost, URL: u.String(), Header: header, Body: body, Write: action.Write,
		Notes: []string{"The call is made within a session with the remote MCP server, which begins with requests of its own."}}, nil
}

func (e *Engine) invokeRemote(ctx context.Context, r *run) (Result, error) {
	args, err := e.remoteArguments(ctx, r.call)
	if err != nil {
		return Result{}, err
	}
	known, action, err := e.allowed(ctx, &r.call.Connector, r.call.Action)
	if err != nil {
		return Result{}, err
	}
	ready, err := e.remoteRun(ctx, r.call)
	if err != nil {
		return Result{}, err
	}
	timeout := r.timeout
	*r = *ready
	r.timeout, r.plan.action = timeout, action
	done, err := e.states.enter(ctx, e, &r.call.Connector, known)
	if err != nil {
		return Result{}, err
	}
	client := r.client()
	text, failed, err := e.Remote.Call(ctx, r.call.Connector.BaseURL, client, r.call.Action, args)
	if err != nil {
		err = r.remoteError(ctx, client, err, action.Write)
		done(err)
		return Result{}, err
	}
	done(nil)
	a := &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: text, isJSON: true}
	if failed {
		said := r.hide(strings.Join(toolText(text), "; "))
		said = strings.ToValidUTF8(said[:min(len(said), maxSaid)], "")
		return Result{}, quoting(VendorInvalid, said, "The tool %s says that it failed", r.call.Action)
	}
	return r.result(a), nil
}

// toolText collects the texts of a tool's result.
func toolText(result []byte) []string {
	var r struct {
		Content []struct{ Text string } `json:"content"`
	}
	if json.Unmarshal(result, &r) != nil {
		return nil
	}
	var out []string
	for _, c := range r.Content {
		if c.Text != "" {
			out = append(out, c.Text)
		}
	}
	return out
}

// remoteError classifies an error of an MCP session.
func (r *run) remoteError(ctx context.Context, client *http.Client, err error, write bool) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	status := 0
	if t, ok := client.Transport.(*remoteTransport); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		switch {
		case t.err != nil:
			return r.outOf(ctx, t.err)
		case t.large:
			e := failure(AnswerTooLarge, nil, "The MCP server of connector %q answered with more than %d bytes.", r.plan.connector.ID, r.engine.MaxRead)
			e.Unknown = write
			return e
		}
		status = t.status
	}
	if status >= 300 && ctx.Err() == nil {
		return r.refusal(&answer{status: status, header: http.Header{}, write: write})
	}
	out := r.unreachable(ctx, &request{url: r.plan.base, read: !write}, err, true)
	if out.Reason == VendorUnreachable {
		out = failure(VendorUnreachable, out.fault.Err, "The MCP server of connector %q cannot be used: %s.", r.plan.connector.ID, r.cause(err))
		out.Unknown = write
	}
	return out
}
