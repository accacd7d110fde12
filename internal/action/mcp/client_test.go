package mcp

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action/egress"
	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
)

// remote is an MCP server over TLS that takes one token, after some time another.
func remote(t *testing.T, b *box) (server *httptest.Server, good *atomic.Value, requests *atomic.Int32) {
	t.Helper()
	good, requests = &atomic.Value{}, &atomic.Int32{}
	good.Store("token-1")
	h := New(Config{Toolbox: b})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("Authorization") != "Bearer "+good.Load().(string) {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), identity.Caller{UserID: "ann"})))
	}))
	t.Cleanup(func() {
		cancel()
		<-done
		server.CloseClientConnections()
		server.Close()
	})
	return server, good, requests
}

type oneToken struct {
	now, next string
	refreshes atomic.Int32
	err       error
}

func (k *oneToken) Token(context.Context) (invoke.Token, error) {
	return invoke.Token{Value: secret.NewText(k.now)}, k.err
}

func (k *oneToken) Refresh(context.Context, invoke.Token) (invoke.Token, error) {
	k.refreshes.Add(1)
	if k.next == "" {
		return invoke.Token{}, fault.New(fault.Denied, "grant", "Sign in again.")
	}
	k.now = k.next
	return invoke.Token{Value: secret.NewText(k.now)}, nil
}

func remoteEngine(t *testing.T, server *httptest.Server, policy egress.Policy) *invoke.Engine {
	t.Helper()
	policy.RootCAs = x509.NewCertPool()
	policy.RootCAs.AddCert(server.Certificate())
	e, err := egress.New(policy)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	engine, err := invoke.New(invoke.Config{Egress: map[string]http.RoundTripper{"": e.Transport()}, Remote: Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func remoteCall(server *httptest.Server, k invoke.Tokens, action, arguments string) invoke.Call {
	return invoke.Call{Action: action, Arguments: json.RawMessage(arguments), Timeout: 30 * time.Second,
		Connector: invoke.Connector{ID: "remote", Type: invoke.TypeMCP, BaseURL: server.URL, Auth: invoke.Auth{Kind: invoke.AuthAuthorizationCode, Tokens: k}}}
}

func TestRemoteTools(t *testing.T) {
	t.Parallel()
	b := &box{}
	b.set("ann", offer("jira_GetIssue"), offer("jira_DeleteIssue"), offer("x_text"), offer("x_missing"))
	server, good, requests := remote(t, b)
	e := remoteEngine(t, server, egress.Policy{AllowedNetworks: egress.Everywhere()})
	k := &oneToken{now: "token-1"}
	c := remoteCall(server, k, "jira_GetIssue", `{"key":"OPS-1","n":9007199254740993}`)

	if err := e.Check(t.Context(), c.Connector); err != nil || !e.Checks(invoke.TypeMCP, invoke.AuthNone) {
		t.Errorf("check: %v", err)
	}
	known, err := e.Catalogue(t.Context(), c.Connector)
	if err != nil || len(known.Actions) != 4 {
		t.Fatalf("%+v %v", known, err)
	}
	if a, _ := known.Action("jira_GetIssue"); a == nil || a.Write || a.Description == "" {
		t.Errorf("%+v", a)
	}
	if a, _ := known.Action("jira_DeleteIssue"); a == nil || !a.Write || !a.Destructive {
		t.Errorf("%+v", a)
	}
	result, err := e.Invoke(t.Context(), c)
	// The arguments arrive exact; the library reads structured content with floating-point numbers.
	if err != nil || !result.JSON || !strings.Contains(string(result.Body), `\"n\":9007199254740993`) {
		t.Fatalf("%s %v", result.Body, err)
	}
	before := requests.Load()
	c.Arguments = json.RawMessage(`{"n":"x"}`)
	var f *invoke.Error
	if _, err := e.Invoke(t.Context(), c); !errors.As(err, &f) || f.Reason != invoke.InvalidArguments || len(f.Violations) != 2 || requests.Load() != before {
		t.Errorf("wrong arguments: %v", err)
	}
	if _, err := e.Invoke(t.Context(), remoteCall(server, k, "x_missing", `{"key":"a"}`)); !errors.As(err, &f) || f.Reason != invoke.VendorInvalid || f.Vendor != "There is no such thing." {
		t.Errorf("a tool that fails: %v", err)
	}
	if _, err := e.Invoke(t.Context(), remoteCall(server, k, "none", `{}`)); !errors.As(err, &f) || f.Reason != invoke.UnknownAction {
		t.Errorf("a tool that there is not: %v", err)
	}
	shown, err := e.Render(t.Context(), remoteCall(server, k, "x_text", `{"key":"a"}`))
	if err != nil || shown.Header.Get("Authorization") != "Bearer "+invoke.Mask || !strings.Contains(string(shown.Body), `"name":"x_text"`) {
		t.Errorf("%+v %v", shown, err)
	}

	// A token that has ended is renewed once, in the middle of a session if need be.
	good.Store("token-2")
	k.next = "token-2"
	if _, err := e.Invoke(t.Context(), remoteCall(server, k, "x_text", `{"key":"a"}`)); err != nil || k.refreshes.Load() != 1 {
		t.Errorf("%v after %d refreshes", err, k.refreshes.Load())
	}
	good.Store("token-3")
	k.next = ""
	if _, err := e.Invoke(t.Context(), remoteCall(server, k, "x_text", `{"key":"a"}`)); !fault.Is(err, fault.Denied, "grant") {
		t.Errorf("a token that cannot be renewed: %v", err)
	}
	k.next = "still wrong"
	if _, err := e.Invoke(t.Context(), remoteCall(server, k, "x_text", `{"key":"a"}`)); !errors.As(err, &f) || f.Reason != invoke.CredentialsRefused {
		t.Errorf("a renewed token that is refused: %v", err)
	}
	if err := e.Check(t.Context(), c.Connector); fault.KindOf(err) != fault.Denied {
		t.Errorf("check of a token that is refused: %v", err)
	}
	if strings.Contains(err2text(err), "token-") {
		t.Errorf("a token is in %v", err)
	}
}

func err2text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRemoteServersThatAreNone(t *testing.T) {
	t.Parallel()
	page := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><title>Welcome</title></html>"))
	}))
	t.Cleanup(page.Close)
	k := &oneToken{now: "token-1"}
	var f *invoke.Error
	open := remoteEngine(t, page, egress.Policy{AllowedNetworks: egress.Everywhere()})
	if _, err := open.Invoke(t.Context(), remoteCall(page, k, "x", `{}`)); !errors.As(err, &f) || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a page: %v", err)
	}
	closed := remoteEngine(t, page, egress.Policy{})
	if _, err := closed.Invoke(t.Context(), remoteCall(page, k, "x", `{}`)); !errors.As(err, &f) || f.Reason != invoke.AddressRefused {
		t.Errorf("a loopback address: %v", err)
	}
	page.CloseClientConnections()
	page.Close()
	if _, err := open.Invoke(t.Context(), remoteCall(page, k, "x", `{}`)); !errors.As(err, &f) || f.Reason != invoke.VendorUnreachable {
		t.Errorf("a server that is not there: %v", err)
	}
	missing := fault.New(fault.Denied, "grant", "Sign in first.")
	if _, err := open.Invoke(t.Context(), remoteCall(page, &oneToken{err: missing}, "x", `{}`)); !errors.Is(err, missing) {
		t.Errorf("nobody signed in: %v", err)
	}
}
