package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is a toolbox of two callers.
type box struct {
	mu    sync.Mutex
	tools map[string][]Offer // by user id
	calls []string
	err   error
}

func (b *box) Tools(_ context.Context, caller identity.Caller) ([]Offer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.tools[caller.UserID]), b.err
}

func (b *box) Call(_ context.Context, caller identity.Caller, tool Ref, arguments json.RawMessage) (Outcome, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := tool.Connector + "_" + tool.Action
	b.calls = append(b.calls, caller.UserID+" "+name+" "+string(arguments))
	switch {
	case !strings.Contains(string(arguments), `"key":"`):
		return Outcome{}, fault.New(fault.Invalid, "arguments", "The arguments are not right: /key: is not as it must be, in %s", arguments)
	case strings.HasSuffix(name, "_missing"):
		return Outcome{}, fault.New(fault.NotFound, "vendor", "There is no such thing.")
	case strings.HasSuffix(name, "_broken"):
		return Outcome{}, errors.New("secret detail")
	case strings.HasSuffix(name, "_large"):
		return Outcome{JSON: json.RawMessage(`{"items":["` + strings.Repeat(`0123456789","`, 30000) + `"],"ok":true}`), Note: "There are more pages."}, nil
	case strings.HasSuffix(name, "_long"):
		return Outcome{Text: strings.Repeat("ä", 200000)}, nil
	case strings.HasSuffix(name, "_remote"):
		return Outcome{JSON: json.RawMessage(`{"content":[{"type":"text","text":"from afar"},{"type":"image","data":"aGk=","mimeType":"image/png"}],"structuredContent":{"n":1}}`), Note: "It was cut."}, nil
	case strings.HasSuffix(name, "_text"):
		return Outcome{Text: "plain", Note: "It was cut."}, nil
	}
	return Outcome{JSON: json.RawMessage(`{"echo":` + string(arguments) + `}`)}, nil
}

func (b *box) set(user string, offers ...Offer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tools == nil {
		b.tools = map[string][]Offer{}
	}
	b.tools[user] = offers
}

func offer(name string) Offer {
	connector, action, _ := strings.Cut(name, "_")
	return Offer{Ref: Ref{connector, action}, Title: "Title of " + name, Description: "It does " + name + ".", ReadOnly: strings.HasPrefix(name, "jira_Get"),
		Destructive: strings.Contains(name, "Delete"), Schema: json.RawMessage(`{"type":"object","properties":{"key":{"type":"string"},"n":{"type":"integer"}},"required":["key"],"additionalProperties":false}`)}
}

// serve runs a handler; who the caller is stands in a header, for the tests only.
func serve(t *testing.T, b *box) (*Handler, *httptest.Server) {
	t.Helper()
	h := New(Config{Toolbox: b, Fresh: time.Nanosecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user := r.Header.Get("X-User"); user != "" {
			r = r.WithContext(WithCaller(r.Context(), identity.Caller{UserID: user, ARN: "arn:aws:iam::123456789012:user/" + user}))
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
		s.CloseClientConnections()
		s.Close()
	})
	return h, s
}

type as struct {
	user string
	next http.RoundTripper
}

func (a as) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-User", a.user)
	return a.next.RoundTrip(r)
}

func connect(t *testing.T, url, user string, o *sdk.ClientOptions) *sdk.ClientSession {
	t.Helper()
	transport := &http.Transport{}
	s, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, o).Connect(t.Context(), &sdk.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: as{user, transport}}, MaxRetries: -1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		transport.CloseIdleConnections()
	})
	return s
}

func names(t *testing.T, s *sdk.ClientSession) []string {
	t.Helper()
	var out []string
	for tool, err := range s.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, tool.Name)
	}
	slices.Sort(out)
	return out
}

func TestToolsOfCallers(t *testing.T) {
	t.Parallel()
	b := &box{}
	b.set("ann", offer("jira_GetIssue"), offer("jira_DeleteIssue"))
	b.set("bob", offer("slack_Post"))
	_, server := serve(t, b)
	ann, bob := connect(t, server.URL, "ann", nil), connect(t, server.URL, "bob", nil)
	if got := names(t, ann); !slices.Equal(got, []string{"jira_DeleteIssue", "jira_GetIssue"}) {
		t.Errorf("ann has %v", got)
	}
	if got := names(t, bob); !slices.Equal(got, []string{"slack_Post"}) {
		t.Errorf("bob has %v", got)
	}
	for tool, err := range ann.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		read := tool.Name == "jira_GetIssue"
		if a := tool.Annotations; a.ReadOnlyHint != read || *a.DestructiveHint == read || a.Title == "" || tool.Description == "" {
			t.Errorf("%s: %+v", tool.Name, a)
		}
		if schema, _ := tool.InputSchema.(map[string]any); schema["type"] != "object" || schema["required"] == nil {
			t.Errorf("%s: %v", tool.Name, tool.InputSchema)
		}
	}
	got, err := ann.CallTool(t.Context(), &sdk.CallToolParams{Name: "jira_GetIssue", Arguments: map[string]any{"key": "OPS-1"}})
	if err != nil || got.IsError {
		t.Fatalf("%+v %v", got, err)
	}
	if s, _ := got.StructuredContent.(map[string]any); fmt.Sprint(s["echo"]) != "map[key:OPS-1]" {
		t.Errorf("structured content %v", got.StructuredContent)
	}
	// Another caller's tool is none of bob's, whatever he sends.
	if got, err := bob.CallTool(t.Context(), &sdk.CallToolParams{Name: "jira_GetIssue", Arguments: map[string]any{"key": "OPS-1"}}); err == nil {
		t.Errorf("bob called ann's tool: %+v", got)
	}
	if want := []string{`ann jira_GetIssue {"key":"OPS-1"}`}; !slices.Equal(b.calls, want) {
		t.Errorf("calls %v", b.calls)
	}
}

// An answer that no model reads whole is cut so that it is JSON still.
func TestLargeAnswers(t *testing.T) {
	t.Parallel()
	b := &box{}
	b.set("ann", offer("x_large"), offer("x_long"))
	_, server := serve(t, b)
	s := connect(t, server.URL, "ann", nil)
	got, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "x_large", Arguments: map[string]any{"key": "a"}})
	if err != nil || len(got.Content) != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	note, text := got.Content[0].(*sdk.TextContent).Text, got.Content[1].(*sdk.TextContent).Text
	var answer struct {
		Items []string
		OK    bool
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || !answer.OK || len(text) > 100_000 {
		t.Errorf("%d bytes: %v", len(text), err)
	}
	if !strings.HasPrefix(note, "There are more pages. ") || !strings.Contains(note, fmt.Sprintf("%d of 30001 items", len(answer.Items))) {
		t.Errorf("it says %q", note)
	}
	got, err = s.CallTool(t.Context(), &sdk.CallToolParams{Name: "x_long", Arguments: map[string]any{"key": "a"}})
	if err != nil || len(got.Content[1].(*sdk.TextContent).Text) > 100_000 || !strings.Contains(got.Content[0].(*sdk.TextContent).Text, "cut") {
		t.Errorf("%v", err)
	}
}

// The result of another server's tool is passed on as it is, and is not wrapped into a text.
func TestRemoteResults(t *testing.T) {
	t.Parallel()
	b := &box{}
	far := offer("x_remote")
	far.Remote = true
	b.set("ann", far, offer("y_remote"))
	_, server := serve(t, b)
	s := connect(t, server.URL, "ann", nil)
	got, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "x_remote", Arguments: map[string]any{"key": "a"}})
	if err != nil || len(got.Content) != 3 || got.Content[0].(*sdk.TextContent).Text != "It was cut." || got.Content[1].(*sdk.TextContent).Text != "from afar" ||
		string(got.Content[2].(*sdk.ImageContent).Data) != "hi" || fmt.Sprint(got.StructuredContent) != "map[n:1]" {
		t.Errorf("%v %+v", err, got)
	}
	got, err = s.CallTool(t.Context(), &sdk.CallToolParams{Name: "y_remote", Arguments: map[string]any{"key": "a"}})
	if err != nil || len(got.Content) != 2 || !strings.Contains(got.Content[1].(*sdk.TextContent).Text, `"content"`) {
		t.Errorf("an answer that only looks like a result: %v %+v", err, got)
	}
}

// What goes wrong with a tool is a result, for the model to read.
func TestFailuresAreResults(t *testing.T) {
	t.Parallel()
	b := &box{}
	b.set("ann", offer("x_text"), offer("x_missing"), offer("x_broken"))
	_, server := serve(t, b)
	s := connect(t, server.URL, "ann", nil)
	for _, c := range []struct {
		name      string
		arguments any
		failed    bool
		says      []string
	}{
		{"x_text", map[string]any{"key": "a"}, false, []string{"It was cut.", "plain"}},
		{"x_missing", map[string]any{"key": "a"}, true, []string{"There is no such thing."}},
		{"x_broken", map[string]any{"key": "a"}, true, []string{"internal error"}},
		{"x_text", map[string]any{"n": "seven", "colour": 1}, true, []string{"/key: is not as it must be", `"n":"seven"`, `"colour":1`}},
		{"x_text", nil, true, []string{"/key: is not as it must be, in {}"}},
	} {
		got, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: c.name, Arguments: c.arguments})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var said string
		for _, part := range got.Content {
			said += part.(*sdk.TextContent).Text + "\n"
		}
		for _, want := range c.says {
			if !strings.Contains(said, want) {
				t.Errorf("%s says %q, not %q", c.name, said, want)
			}
		}
		if got.IsError != c.failed || strings.Contains(said, "secret detail") {
			t.Errorf("%s: error %v, says %q", c.name, got.IsError, said)
		}
	}
	if _, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "none"}); err == nil {
		t.Error("a tool that there is not was called")
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	b := &box{}
	b.set("ann", offer("a_one"))
	h, server := serve(t, b)
	told := make(chan struct{}, 16)
	s := connect(t, server.URL, "ann", &sdk.ClientOptions{ToolListChangedHandler: func(context.Context, *sdk.ToolListChangedRequest) { told <- struct{}{} }})
	if got := names(t, s); !slices.Equal(got, []string{"a_one"}) {
		t.Fatal(got)
	}
	b.set("ann", offer("a_one"), offer("a_two"))
	h.Changed()
	select {
	case <-told:
	case <-time.After(30 * time.Second):
		t.Fatal("the client was not told")
	}
	if got := names(t, s); !slices.Equal(got, []string{"a_one", "a_two"}) {
		t.Error(got)
	}
	// Without a word, a list and a call are current, too, but for a while.
	b.set("ann", offer("a_three"))
	if got, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "a_three", Arguments: map[string]any{"key": "x"}}); err != nil || got.IsError {
		t.Errorf("%+v %v", got, err)
	}
	if got := names(t, s); !slices.Equal(got, []string{"a_three"}) {
		t.Error(got)
	}
	// A tool that cannot be offered does not stop the others.
	bad := offer("a_bad")
	bad.Schema = json.RawMessage(`{"type":"string"}`)
	odd := offer("a_odd")
	odd.Schema = json.RawMessage(`{"type":"object","properties":{"x":{"type":"array","x-mcp-header":"X"}}}`)
	b.set("ann", bad, odd, offer("a_four"))
	if got := names(t, s); !slices.Equal(got, []string{"a_four"}) {
		t.Error(got)
	}
}

func TestWhoMayCome(t *testing.T) {
	t.Parallel()
	b := &box{}
	b.set("ann", offer("a_one"))
	h, server := serve(t, b)
	post := func(user, session, body string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		if user != "" {
			r.Header.Set("X-User", user)
		}
		if session != "" {
			r.Header.Set("Mcp-Session-Id", session)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp
	}
	const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
	const list = `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`
	if r := post("", "", hello); r.StatusCode != http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("a stranger: %d %s", r.StatusCode, r.Header.Get("WWW-Authenticate"))
	}
	session := post("ann", "", hello).Header.Get("Mcp-Session-Id")
	if session == "" {
		t.Fatal("no session")
	}
	if r := post("ann", session, list); r.StatusCode != http.StatusOK {
		t.Errorf("ann in her session: %d", r.StatusCode)
	}
	if r := post("bob", session, list); r.StatusCode != http.StatusForbidden {
		t.Errorf("bob in ann's session: %d", r.StatusCode)
	}
	if r := post("ann", "no-such-session", list); r.StatusCode != http.StatusNotFound {
		t.Errorf("a session that there is not: %d", r.StatusCode)
	}
	for name, body := range map[string]string{"no JSON": `{`, "empty": ``, "a list": `[]`, "no method": `{"jsonrpc":"2.0","id":1}`, "too much": list[:len(list)-1] + strings.Repeat(" ", 5<<20) + "}"} {
		r := post("ann", session, body)
		if r.StatusCode >= 500 || name == "too much" && r.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	// Without its length said, it is read no further than that either.
	r, err := http.NewRequestWithContext(WithCaller(t.Context(), identity.Caller{UserID: "ann"}), http.MethodPost, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	endless := &counted{}
	r.Body, r.ContentLength = io.NopCloser(endless), -1
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code < 400 || w.Code >= 500 || endless.n > 5<<20 {
		t.Errorf("an endless request: %d after %d bytes", w.Code, endless.n)
	}
	http.DefaultClient.CloseIdleConnections()
}

// counted is a body without end.
type counted struct{ n int }

func (c *counted) Read(into []byte) (int, error) {
	c.n += len(into)
	return copy(into, strings.Repeat(" ", len(into))), nil
}

func TestNames(t *testing.T) {
	t.Parallel()
	legalName := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	refs := []Ref{
		{"jira", "CreateIssue"}, {"a_b", "c"}, {"a", "b_c"}, {"team/1", "put order"}, {"team 1", "put order"}, {"ä", "x.y"},
		{strings.Repeat("c", 512), "CreateIssue"}, {strings.Repeat("c", 511) + "d", "CreateIssue"}, {"c", strings.Repeat("a", 256)}, {strings.Repeat("c", 300), strings.Repeat("a", 256)},
	}
	got := Names(refs)
	seen := map[string]bool{}
	for i, name := range got {
		if !legalName.MatchString(name) || seen[name] {
			t.Errorf("%v is called %q", refs[i], name)
		}
		seen[name] = true
	}
	if got[0] != "jira_CreateIssue" || !strings.Contains(got[6], "CreateIssue") {
		t.Errorf("names %v", got)
	}
	slices.Reverse(refs)
	again := Names(refs)
	slices.Reverse(again)
	if !slices.Equal(got, again) {
		t.Errorf("names depend on the order: %v and %v", got, again)
	}
}
