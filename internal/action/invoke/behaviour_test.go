package invoke_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action/egress"
	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

// generic calls a test's own server.
func generic(url, action, arguments string) invoke.Call {
	return call("GENERIC_HTTP", url, key("s3cr3t-key", ""), action, arguments)
}

const getX, postX = `{"uri":"/x"}`, `{"uri":"/x","body":{}}`

// scripted answers the nth request with the nth handler, and the last one from then on.
func scripted(t *testing.T, answers ...http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var n atomic.Int32
	s := handler(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answers[min(int(n.Add(1)), len(answers))-1](w, r)
	})
	return s, &n
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(`{"message":"from the vendor"}`))
	}
}

func drop(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	ok := status(200, "Content-Type", "application/json")
	for _, c := range []struct {
		name         string
		action, args string
		answers      []http.HandlerFunc
		want         invoke.Code
		requests     int32
	}{
		{"read after 503", "GET", getX, []http.HandlerFunc{status(503), status(502), ok}, "", 3},
		{"read, for ever 500", "GET", getX, []http.HandlerFunc{status(500)}, invoke.VendorFailed, 3},
		{"write after 503", "POST", postX, []http.HandlerFunc{status(503), ok}, invoke.VendorFailed, 1},
		{"write after 500", "POST", postX, []http.HandlerFunc{status(500), ok}, invoke.VendorFailed, 1},
		{"read after 429", "GET", getX, []http.HandlerFunc{status(429), ok}, "", 2},
		{"write after 429 with Retry-After", "POST", postX, []http.HandlerFunc{status(429, "Retry-After", "1"), ok}, "", 2},
		{"write after 429 without", "POST", postX, []http.HandlerFunc{status(429), ok}, invoke.VendorThrottled, 1},
		{"429 with a long wait", "GET", getX, []http.HandlerFunc{status(429, "Retry-After", "3600"), ok}, invoke.VendorThrottled, 1},
		{"read, connection lost", "GET", getX, []http.HandlerFunc{drop, ok}, "", 2},
		{"write, connection lost", "POST", postX, []http.HandlerFunc{drop, ok}, invoke.VendorUnreachable, 1},
		{"400 is final", "GET", getX, []http.HandlerFunc{status(400), ok}, invoke.VendorInvalid, 1},
		{"401 without tokens", "GET", getX, []http.HandlerFunc{status(401), ok}, invoke.CredentialsRefused, 1},
		{"403", "GET", getX, []http.HandlerFunc{status(403)}, invoke.VendorDenied, 1},
		{"404", "GET", getX, []http.HandlerFunc{status(404)}, invoke.VendorNotFound, 1},
		{"409", "POST", postX, []http.HandlerFunc{status(409)}, invoke.VendorConflict, 1},
		{"422", "POST", postX, []http.HandlerFunc{status(422)}, invoke.VendorInvalid, 1},
		{"304 without a location", "GET", getX, []http.HandlerFunc{status(304)}, "", 1},
		{"300", "GET", getX, []http.HandlerFunc{status(300)}, invoke.UnexpectedRedirect, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, n := scripted(t, c.answers...)
			e := engine(t, invoke.Config{}, s)
			result, err := e.Invoke(t.Context(), generic(s.URL, c.action, c.args))
			if code(err) != c.want || (c.want == "") != (err == nil) {
				t.Fatalf("got %v (%s), want %q", err, code(err), c.want)
			}
			// net/http itself repeats reads whose connection was lost before it was used.
			if got := n.Load(); got < c.requests || got > c.requests+1 || got != c.requests && !strings.Contains(c.name, "lost") {
				t.Errorf("%d requests, want %d", got, c.requests)
			}
			if err == nil && int32(result.Attempts) > n.Load() {
				t.Errorf("%d attempts told of %d requests", result.Attempts, n.Load())
			}
			var f *invoke.Error
			if errors.As(err, &f) {
				if write := c.action == "POST"; f.Unknown != (write && (strings.Contains(c.name, "lost") || strings.Contains(c.name, "50"))) {
					t.Errorf("whether the vendor acted is told as unknown: %v", f.Unknown)
				}
				if says := "Whether it acted is not known."; f.Unknown != strings.HasSuffix(fault.Message(f), says) || f.Unknown != strings.HasSuffix(f.Recorded(), says) {
					t.Errorf("unknown %v, but it says %v", f.Unknown, f)
				}
				if f.Status >= 400 && f.Vendor != "from the vendor" {
					t.Errorf("the vendor's words are %q", f.Vendor)
				}
			}
		})
	}
}

// A port nobody listens on: nothing was sent, so writes are tried again, too.
func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "https://" + l.Addr().String()
	l.Close()
	var waits atomic.Int32
	e := engine(t, invoke.Config{Wait: func(context.Context, time.Duration) error { waits.Add(1); return nil }})
	_, err = e.Invoke(t.Context(), generic(address, "POST", postX))
	var f *invoke.Error
	if !errors.As(err, &f) || f.Reason != invoke.VendorUnreachable || f.Unknown || waits.Load() != 2 || f.Attempts != 3 {
		t.Errorf("%+v (%v) after %d waits", f, err, waits.Load())
	}
	if !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v does not say why", err)
	}
}

func TestRefreshOnce(t *testing.T) {
	t.Parallel()
	var seen []string
	s := handler(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		if r.Header.Get("Authorization") == "Bearer good" {
			status(200, "Content-Type", "application/json")(w, r)
			return
		}
		status(401)(w, r)
	})
	e := engine(t, invoke.Config{}, s)
	k := &tokens{now: "stale", next: []string{"good"}}
	auth := invoke.Auth{Kind: invoke.AuthAuthorizationCode, Tokens: k}
	if _, err := e.Invoke(t.Context(), call("GENERIC_HTTP", s.URL, auth, "POST", postX)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"Bearer stale", "Bearer good"}; !slices.Equal(seen, want) || k.refreshed() != 1 {
		t.Errorf("tokens %v, %d refreshes", seen, k.refreshed())
	}
	// A renewed token that is refused, too, is not renewed again.
	k = &tokens{now: "a", next: []string{"b", "c"}}
	auth.Tokens = k
	_, err := e.Invoke(t.Context(), call("GENERIC_HTTP", s.URL, auth, "GET", getX))
	if code(err) != invoke.CredentialsRefused || k.refreshed() != 1 {
		t.Errorf("%v after %d refreshes", err, k.refreshed())
	}
	// What Tokens says of a missing grant is the error of the call.
	missing := fault.New(fault.Denied, "grant", "Sign in first.")
	auth.Tokens = &tokens{err: missing}
	if _, err := e.Invoke(t.Context(), call("GENERIC_HTTP", s.URL, auth, "GET", getX)); !errors.Is(err, missing) || code(err) != "" {
		t.Errorf("a missing grant became %v", err)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	echo := handler(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":{"message":"bad header %s, url %s"}}`, strings.Join(r.Header.Values("X-Api-Key"), ""), r.URL)
		fmt.Fprintf(w, ` `)
	})
	var log bytes.Buffer
	e := engine(t, invoke.Config{BreakAfter: 1, Log: slog.New(slog.NewTextHandler(&log, nil))}, echo)
	_, err := e.Invoke(t.Context(), generic(echo.URL, "GET", getX))
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), invoke.Mask) {
		t.Errorf("the error says %v", err)
	}
	document := `{"openapi":"3.0.3","info":{"title":"x","version":"1"},"components":{"securitySchemes":{"k":{"type":"apiKey","in":"query","name":"api key"}}},
		"paths":{"/x":{"get":{"operationId":"read","responses":{"200":{"description":"ok","content":{"application/json":{}}}}}}}}`
	c := generic(echo.URL, "read", `{}`)
	c.Connector.Document = []byte(document)
	_, err = e.Invoke(t.Context(), c)
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "api%20key") {
		t.Errorf("with the key in the query the error says %v", err)
	}
	shown, err := e.Render(t.Context(), c)
	if err != nil || shown.URL != echo.URL+"/x?api%20key=%2A%2A%2A%2A" {
		t.Errorf("shown as %s (%v)", shown.URL, err)
	}
	echo.CloseClientConnections()
	echo.Close()
	_, err = e.Invoke(t.Context(), c)
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || strings.Contains(fmt.Sprintf("%+v", errors.Unwrap(err)), "s3cr3t") || log.Len() == 0 || strings.Contains(log.String(), "s3cr3t") {
		t.Errorf("an unreachable vendor: %v", err)
	}
}

// Whoever has a certificate authority of their own is told which setting names it.
func TestUnknownAuthority(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(status(200))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // that the handshake fails is what is tested
	s.StartTLS()
	t.Cleanup(s.Close)
	_, err := engine(t, invoke.Config{}).Invoke(t.Context(), generic(s.URL, "GET", getX))
	var failed *invoke.Error
	if !errors.As(err, &failed) || failed.Reason != invoke.VendorUnreachable || !strings.Contains(err.Error(), "action-ca-file") {
		t.Errorf("err = %v", err)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	type got struct{ path, key, own string }
	var elsewhere, here []got
	away := handler(t, func(w http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, got{r.URL.String(), r.Header.Get("X-Api-Key"), r.Header.Get("X-Own")})
		status(200, "Content-Type", "application/json")(w, r)
	})
	s := handler(t, func(w http.ResponseWriter, r *http.Request) {
		here = append(here, got{r.URL.String(), r.Header.Get("X-Api-Key"), r.Method})
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, away.URL+"/there", http.StatusFound)
		case "/near":
			http.Redirect(w, r, "/x", http.StatusTemporaryRedirect)
		case "/after":
			http.Redirect(w, r, "/x", http.StatusSeeOther)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		default:
			status(200, "Content-Type", "application/json")(w, r)
		}
	})
	e := engine(t, invoke.Config{}, s, away)
	if _, err := e.Invoke(t.Context(), generic(s.URL, "GET", `{"uri":"/away","headers":{"X-Own":"also secret"}}`)); err != nil {
		t.Fatal(err)
	}
	if len(elsewhere) != 1 || elsewhere[0].key != "" || elsewhere[0].own != "" {
		t.Errorf("to another origin went %+v", elsewhere)
	}
	here = nil
	if _, err := e.Invoke(t.Context(), generic(s.URL, "GET", `{"uri":"/near"}`)); err != nil || len(here) != 2 || here[1].key != "s3cr3t-key" {
		t.Errorf("within the origin: %+v (%v)", here, err)
	}
	here = nil
	if _, err := e.Invoke(t.Context(), generic(s.URL, "POST", `{"uri":"/after","body":1}`)); err != nil || len(here) != 2 || here[1].own != "GET" {
		t.Errorf("see other after a write: %+v (%v)", here, err)
	}
	elsewhere = nil
	for uri, want := range map[string]invoke.Code{"/near": invoke.UnexpectedRedirect, "/away": invoke.UnexpectedRedirect} {
		if _, err := e.Invoke(t.Context(), generic(s.URL, "PUT", `{"uri":"`+uri+`","body":1}`)); code(err) != want || len(elsewhere) > 0 {
			t.Errorf("a write redirected to %s: %v, elsewhere %v", uri, err, elsewhere)
		}
	}
	if _, err := e.Invoke(t.Context(), generic(s.URL, "GET", `{"uri":"/loop"}`)); code(err) != invoke.UnexpectedRedirect {
		t.Errorf("a loop: %v", err)
	}
	strict, err := egress.New(egress.Policy{AllowHTTP: true, AllowedNetworks: egress.Everywhere()[:0], RootCAs: poolOf(s)})
	if err != nil {
		t.Fatal(err)
	}
	defer strict.Close()
	e = engine(t, invoke.Config{Egress: map[string]http.RoundTripper{"": strict.Transport()}})
	if _, err := e.Invoke(t.Context(), generic(s.URL, "GET", getX)); code(err) != invoke.AddressRefused || !fault.Is(err, fault.Denied, "address") {
		t.Errorf("a loopback address: %v", err)
	}
	c := generic("https://example.com", "GET", getX)
	c.Connector.Egress = "office"
	if _, err := e.Invoke(t.Context(), c); code(err) != invoke.AddressRefused || !strings.Contains(err.Error(), "office") {
		t.Errorf("an egress that is not configured: %v", err)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	items := make([]string, 10000)
	for i := range items {
		items[i] = fmt.Sprintf(`{"id":%d,"text":%q}`, i, strings.Repeat("x", 1000))
	}
	large := `{"members":[` + strings.Join(items, ",") + `],"ok":true,"response_metadata":{"next_cursor":"c2"}}` // some 10 MB
	s := handler(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/users.list", "/large":
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(large))
		case "/html":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte("<html><head><title>Please  sign in</title></head></html>"))
		case "/plain":
			_, _ = w.Write([]byte("plain text"))
		case "/empty":
		case "/endless":
			w.Header().Set("Content-Type", "application/octet-stream")
			for chunk := make([]byte, 64<<10); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		case "/short":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"a":`))
		}
	})
	e := engine(t, invoke.Config{MaxRead: 16 << 20, Retries: -1}, s)
	result, err := e.Invoke(t.Context(), call("SLACK", s.URL, key("xoxb", ""), "UsersList", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	var cut struct {
		OK      bool
		Members []struct{ ID int }
	}
	if err := json.Unmarshal(result.Body, &cut); err != nil || !cut.OK || len(result.Body) > 2<<20 || len(result.Body) < 2<<20-10000 {
		t.Errorf("a body of %d bytes: %v", len(result.Body), err)
	}
	if tr := result.Truncated; tr == nil || tr.Bytes != len(large) || tr.Items != 10000 || tr.Kept != len(cut.Members) || cut.Members[0].ID != 0 {
		t.Errorf("truncated %+v, %d members", result.Truncated, len(cut.Members))
	}
	if result.Next == nil || result.Next.Argument != "cursor" || result.Next.Value != "c2" {
		t.Errorf("next %+v", result.Next)
	}
	for path, want := range map[string]invoke.Code{"/html": invoke.UnexpectedAnswer, "/plain": invoke.UnexpectedAnswer, "/short": invoke.VendorUnreachable, "/endless": invoke.AnswerTooLarge} {
		document := strings.ReplaceAll(`{"openapi":"3.0.3","info":{"title":"x","version":"1"},"paths":{"PATH":{"get":{"operationId":"read","responses":{"200":{"description":"ok","content":{"application/json":{}}}}}}}}`, "PATH", path)
		c := generic(s.URL, "read", `{}`)
		c.Connector.Document = []byte(document)
		_, err := e.Invoke(t.Context(), c)
		if code(err) != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
		if path == "/html" && (!strings.Contains(err.Error(), `"Please sign in"`) || !strings.Contains(err.Error(), "base endpoint")) {
			t.Errorf("HTML is told as %v", err)
		}
	}
	result, err = e.Invoke(t.Context(), generic(s.URL, "GET", `{"uri":"/plain"}`))
	if err != nil || result.JSON || string(result.Body) != "plain text" {
		t.Errorf("%+v, %v", result, err)
	}
	c := generic(s.URL, "GET", `{"uri":"/plain"}`)
	c.MaxAnswer = 5
	if result, err = e.Invoke(t.Context(), c); err != nil || string(result.Body) != "plain" || result.Truncated == nil {
		t.Errorf("%+v, %v", result, err)
	}
	if result, err = e.Invoke(t.Context(), generic(s.URL, "GET", `{"uri":"/empty"}`)); err != nil || len(result.Body) != 0 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestSlowVendor(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var arrived atomic.Int32
	s := handler(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	e := engine(t, invoke.Config{BreakAfter: -1}, s)
	c := generic(s.URL, "POST", postX)
	// On a busy machine the time may be over before there is a connection; then it was too short for this test.
	for c.Timeout = 100 * time.Millisecond; ; c.Timeout *= 2 {
		_, err := e.Invoke(t.Context(), c)
		var f *invoke.Error
		if !errors.As(err, &f) || f.Reason != invoke.VendorTimeout || fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("%v", err)
		}
		if arrived.Load() == 0 && c.Timeout < 20*time.Second {
			continue
		}
		if !f.Unknown {
			t.Errorf("%v does not say that the vendor may have acted", err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Invoke(ctx, generic(s.URL, "GET", getX)); code(err) != invoke.Canceled || fault.KindOf(err) != fault.Canceled {
		t.Errorf("a call that was given up: %v", err)
	}
}

func TestCircuitBreaker(t *testing.T) {
	t.Parallel()
	failing, n := scripted(t, status(503))
	healthy, _ := scripted(t, status(200, "Content-Type", "application/json"))
	e := engine(t, invoke.Config{Retries: -1, BreakAfter: 3, BreakFor: time.Hour}, failing, healthy)
	for range 3 {
		if _, err := e.Invoke(t.Context(), generic(failing.URL, "GET", getX)); code(err) != invoke.VendorFailed {
			t.Fatal(err)
		}
	}
	_, err := e.Invoke(t.Context(), generic(failing.URL, "GET", getX))
	var f *invoke.Error
	if !errors.As(err, &f) || f.Reason != invoke.CircuitOpen || f.RetryAfter == 0 || n.Load() != 3 {
		t.Errorf("%v after %d requests", err, n.Load())
	}
	if resting := e.Resting(); len(resting) != 1 || resting[0] != generic(failing.URL, "GET", getX).Connector.ID {
		t.Errorf("resting: %v", resting)
	}
	other := generic(healthy.URL, "GET", getX)
	other.Connector.ID = "other"
	if _, err := e.Invoke(t.Context(), other); err != nil {
		t.Errorf("another connector: %v", err)
	}
	// The breaker has a clock of its own, so this asks until it lets one through.
	s, _ := scripted(t, status(503), status(503), status(503), status(200, "Content-Type", "application/json"))
	e = engine(t, invoke.Config{Retries: -1, BreakAfter: 3, BreakFor: 20 * time.Millisecond}, s)
	for deadline := time.Now().Add(30 * time.Second); ; {
		_, err := e.Invoke(t.Context(), generic(s.URL, "GET", getX))
		if err == nil {
			break
		}
		if code(err) != invoke.CircuitOpen && code(err) != invoke.VendorFailed || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	// Refusals of the vendor, and of ours, are no outage.
	s2, _ := scripted(t, status(404))
	e = engine(t, invoke.Config{Retries: -1, BreakAfter: 2}, s2)
	for range 5 {
		if _, err := e.Invoke(t.Context(), generic(s2.URL, "GET", getX)); code(err) != invoke.VendorNotFound {
			t.Errorf("%v", err)
		}
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	s, n := scripted(t, status(200, "Content-Type", "application/json"))
	var waited []time.Duration
	e := engine(t, invoke.Config{PerSecond: 1, Burst: 2, MaxWait: 3 * time.Second, Wait: func(_ context.Context, d time.Duration) error { waited = append(waited, d); return nil }}, s)
	var limited error
	for range 200 { // on a busy machine some of the rate comes back meanwhile
		if _, err := e.Invoke(t.Context(), generic(s.URL, "GET", getX)); err != nil {
			limited = err
			break
		}
	}
	var f *invoke.Error
	if !errors.As(limited, &f) || f.Reason != invoke.RateLimited || f.RetryAfter < time.Second || fault.KindOf(limited) != fault.Throttled {
		t.Errorf("%v", limited)
	}
	if len(waited) < 2 || n.Load() < 4 {
		t.Errorf("waited %v, %d requests", waited, n.Load())
	}
}

func TestActionsAndArguments(t *testing.T) {
	t.Parallel()
	e := engine(t, invoke.Config{})
	c := call("JIRA_CLOUD", "https://example.atlassian.net", signIn("t"), "CreateIssues", `{}`)
	slip := generic("https://example.com", "get", getX)
	if err := e.Validate(t.Context(), slip); code(err) != invoke.UnknownAction || !strings.HasSuffix(fault.Message(err), "Did you mean GET?") {
		t.Errorf("an action in small letters: %v", err)
	}
	if err := e.Validate(t.Context(), c); code(err) != invoke.UnknownAction || !fault.Is(err, fault.NotFound, invoke.SubjectAction) {
		t.Error(err)
	}
	c.Action, c.Connector.Restricted, c.Connector.Enabled = "CreateIssue", true, []string{"GetIssue"}
	if err := e.Validate(t.Context(), c); code(err) != invoke.ActionDisabled || !fault.Is(err, fault.Denied, invoke.SubjectAction) {
		t.Error(err)
	}
	c.Connector.Restricted = false
	for _, arguments := range []string{`[]`, `{"fields":`, `{} {}`, `7`, `{"fields":{}}`} {
		c.Arguments = json.RawMessage(arguments)
		err := e.Validate(t.Context(), c)
		var f *invoke.Error
		if !errors.As(err, &f) || f.Reason != invoke.InvalidArguments || len(f.Violations) == 0 || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", arguments, err)
		}
	}
	if _, err := e.Invoke(t.Context(), call("NO_SUCH_TYPE", "https://x.example.com", signIn("t"), "X", `{}`)); fault.KindOf(err) != fault.Unsupported {
		t.Error(err)
	}
	if err := e.Validate(t.Context(), call("MODEL_CONTEXT_PROTOCOL", "https://x.example.com", signIn("t"), "X", `{}`)); fault.KindOf(err) != fault.Unsupported {
		t.Error(err)
	}
	for _, base := range []string{"", "example.com", "https://", "https://x.example.com/?a=b", "https://x.example.com/#f", "https://a b/"} {
		c := call("JIRA_CLOUD", base, signIn("t"), "GetAllLabels", `{}`)
		if err := e.Validate(t.Context(), c); code(err) != invoke.AddressRefused {
			t.Errorf("base %q: %v", base, err)
		}
	}
	for typ, cases := range map[string]map[string]string{
		"GENERIC_HTTP": {
			`{"uri":"https://evil.example.com/"}`: "GET", `{"uri":"//evil.example.com/x"}`: "GET", `{"uri":"/../x"}`: "GET", `{"uri":"/a/%2e%2e/x"}`: "GET", `{"uri":"/a/..;b=c/x"}`: "GET", `{"uri":"/a\\b"}`: "GET",
			`{"uri":"/x#y"}`: "GET", `{"uri":"/%zz"}`: "GET", `{"uri":"/x","headers":{"authorization":"mine"}}`: "GET", `{"uri":"/x","headers":{"A B":"x"}}`: "GET",
			`{"uri":"/x","headers":{"A":"x\r\nB: y"}}`: "GET", `{"uri":"/x","headers":{"Host":"y"}}`: "GET", `{"uri":"/x"}`: "POST",
		},
		"JIRA_CLOUD": {`{"key":".."}`: "GetIssue", `{"key":"OPS-1"}`: "ChangeIssueStatus", `{"key":"OPS-1","status":"Done","transition":{"id":"1"}}`: "ChangeIssueStatus", `{}`: "FindAssignableUsers"},
		"MICROSOFT_OUTLOOK": {`{"nextPage":"https://evil.example.com/v1.0/me/messages"}`: "ListUserMails", `{"nextPage":"/v1.0/me/contacts?$skip=10"}`: "ListUserMails",
			`{"nextPage":"http://graph.example.com/v1.0/me/messages"}`: "ListUserMails"},
		"MICROSOFT_TEAMS": {`{"teamId":"t"}`: "AddTeamMember", `{"teamId":"t","user":"u","user_odata.bind":"x"}`: "AddTeamMember", `{}`: "ListOnlineMeetings"},
		"SALESFORCE_CRM": {`{"q":"SELECT Id FROM Account"}`: "GetListOfCases", `{"q":"SELECT Id, (SELECT Id FROM CaseComments) FROM Case"}`: "GetListOfCases", `{"q":"DELETE FROM Case"}`: "GetListOfCases",
			`{"q":"SELECT Id FROM Case","limit":1}`: "GetListOfCases", `{"filters":[{"field":"Id","operator":"IN","value":[]}]}`: "GetListOfCases", `{"filters":[{"field":"Id = 'x' OR Id","value":"y"}]}`: "GetListOfCases",
			`{"nextPage":"/services/data/v60.0/sobjects/Account/1"}`: "GetListOfCases"},
		"SERVICENOW_NOW_PLATFORM": {`{"filters":[{"field":"a^b","value":"x"}]}`: "ListIncidents", `{"filters":[{"field":"a","value":"javascript:gs.getUserID()"}]}`: "ListIncidents",
			`{"filters":[{"field":"a"}]}`: "ListIncidents", `{"filters":[{"field":"a","operator":"IN","value":["x,y"]}]}`: "ListIncidents", `{"filters":[{"field":"a","value":{}}]}`: "ListIncidents"},
		"AMAZON_S3": {`{"Bucket":"b","Key":"k"}`: "CopyObject", `{"Bucket":"b","Key":"k","CopySource":"nokey"}`: "CopyObject", `{"Bucket":"b","Key":"k","Body":"%%","BodyEncoding":"base64"}`: "UploadFile", `{"Bucket":"","Key":"k"}`: "DeleteObject"},
		"SLACK":     {`{"channel":"C"}`: "ChatPostMessage", `{"upload_url":"https://evil.example.com/","content":"x","files":[{"id":"F"}]}`: "UploadToURLExternal"},
	} {
		for arguments, action := range cases {
			c := call(typ, "https://graph.example.com/v1.0", authOf(typ), action, arguments)
			if err := e.Validate(t.Context(), c); code(err) != invoke.InvalidArguments {
				t.Errorf("%s %s %s: %v", typ, action, arguments, err)
			}
		}
	}
	c = call("MICROSOFT_OUTLOOK", "https://graph.example.com/v1.0", application("t"), "ListUserMails", `{}`)
	var f *invoke.Error
	if err := e.Validate(t.Context(), c); !errors.As(err, &f) || f.Violations[0].Pointer != "/userId" {
		t.Errorf("an application without a user: %v", err)
	}
}

func TestEveryCodeHasAKind(t *testing.T) {
	t.Parallel()
	if n := len(invoke.Codes()); n != 19 {
		t.Errorf("%d codes", n)
	}
}

func TestBasePaths(t *testing.T) {
	t.Parallel()
	e := engine(t, invoke.Config{})
	for _, c := range []struct{ typ, base, action, args, want string }{
		{"SLACK", "https://slack.com", "UsersList", `{}`, "https://slack.com/api/users.list"},
		{"SLACK", "https://slack.com/api/", "UsersList", `{}`, "https://slack.com/api/users.list"},
		{"SLACK", "https://127.0.0.1:8443", "UsersList", `{}`, "https://127.0.0.1:8443/users.list"},
		{"MICROSOFT_OUTLOOK", "https://graph.microsoft.com", "ListContacts", `{}`, "https://graph.microsoft.com/v1.0/me/contacts"},
		{"MICROSOFT_OUTLOOK", "https://graph.microsoft.com/beta", "ListContacts", `{}`, "https://graph.microsoft.com/beta/me/contacts"},
		{"ATLASSIAN_CONFLUENCE", "https://x.atlassian.net/wiki", "GetPages", `{}`, "https://x.atlassian.net/wiki/api/v2/pages"},
		{"ATLASSIAN_CONFLUENCE", "https://api.atlassian.com/ex/confluence/c1", "GetPages", `{}`, "https://api.atlassian.com/ex/confluence/c1/wiki/api/v2/pages"},
		{"SALESFORCE_CRM", "https://x.my.salesforce.com/services/data/v59.0", "GetCase", `{"id":"1"}`, "https://x.my.salesforce.com/services/data/v59.0/sobjects/Case/1"},
		{"GENERIC_HTTP", "https://x.example.com/api", "GET", `{"uri":"/api/x"}`, "https://x.example.com/api/api/x"},
	} {
		got, err := e.Render(t.Context(), call(c.typ, c.base, signIn("t"), c.action, c.args))
		if err != nil || got.URL != c.want {
			t.Errorf("%s at %s: %s (%v), want %s", c.typ, c.base, got.URL, err, c.want)
		}
	}
}

func TestRetryAfterForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "7", 7 * time.Second},
		{"Retry-After", "Sun, 01 Mar 2026 12:00:30 GMT", 30 * time.Second},
		{"Retry-After", "0", time.Millisecond},
		{"Retry-After", "soon", 0},
		{"Retry-After", "-5", 0},
		{"ratelimit-reset", "41", 41 * time.Second},
	} {
		s, _ := scripted(t, status(429, c.name, c.value))
		e := engine(t, invoke.Config{Retries: -1, Now: func() time.Time { return now }}, s)
		_, err := e.Invoke(t.Context(), generic(s.URL, "GET", getX))
		var f *invoke.Error
		if !errors.As(err, &f) || f.RetryAfter != c.want {
			t.Errorf("%s: %s is %v, want %v", c.name, c.value, f.RetryAfter, c.want)
		}
	}
}

func TestManyConnectors(t *testing.T) {
	t.Parallel()
	s, _ := scripted(t, status(200, "Content-Type", "application/json"))
	e := engine(t, invoke.Config{}, s)
	done := make(chan error, 8)
	for w := range 8 {
		go func() {
			var first error
			for i := range 50 {
				c := generic(s.URL, "GET", getX)
				c.Connector.ID = strconv.Itoa(w*50 + i)
				c.Connector.Auth.Key = secret.NewText("k")
				if _, err := e.Invoke(context.WithoutCancel(t.Context()), c); err != nil && first == nil {
					first = err
				}
			}
			done <- first
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
