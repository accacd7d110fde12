package mcpauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
)

const (
	base     = "https://penstock.test"
	back     = "http://127.0.0.1:9/back"
	verifier = "a-verifier-of-the-client-that-is-long-enough-0123456789"
	ann      = "arn:aws:quicksight:us-east-1:123456789012:user/default/ann"
)

var root = identity.Caller{Partition: "aws", Region: "us-east-1", Account: "123456789012", ARN: "arn:aws:iam::123456789012:root", AccessKeyID: "key"}

// world is what a Front needs, and a clock.
type world struct {
	*testing.T
	*Front
	now     time.Time
	revoked map[string]int64
}

func (w *world) Lookup(_ context.Context, id string) (secret.Text, identity.Caller, error) {
	if id != "key" {
		return secret.Text{}, identity.Caller{}, fault.New(fault.NotFound, "access key", "unknown")
	}
	return secret.NewText("hush"), root, nil
}

func (w *world) TokenGenerations(context.Context) (map[string]int64, error) {
	return map[string]int64{}, nil
}

func (w *world) TokensRevoke(_ context.Context, user string) (int64, error) {
	w.revoked[user]++
	return w.revoked[user], nil
}

func newWorld(t *testing.T, public string) *world {
	t.Helper()
	box, err := secret.NewBox(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), revoked: map[string]int64{}}
	serve := func(out http.ResponseWriter, _ *http.Request, caller identity.Caller) {
		_, _ = io.WriteString(out, caller.ARN)
	}
	w.Front, err = New(t.Context(), Config{Serve: serve, Box: box, Keys: w, Generations: w, AccessKeyID: "key", PublicURL: public,
		Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// do sends a request to what is public. A form is sent as one, any other body as JSON.
func (w *world) do(method, target string, body any, headers ...string) *httptest.ResponseRecorder {
	w.Helper()
	var text []byte
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case url.Values:
		text, kind = []byte(b.Encode()), "application/x-www-form-urlencoded"
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			w.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, target, bytes.NewReader(text))
	r.Host = "penstock.test"
	r.Header.Set("Content-Type", kind)
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	out := httptest.NewRecorder()
	h := w.Public()[r.URL.Path]
	if h == nil {
		w.Fatalf("nothing serves %s", r.URL.Path)
	}
	h.ServeHTTP(out, r)
	return out
}

type object = map[string]any

func (w *world) json(out *httptest.ResponseRecorder, status int) object {
	w.Helper()
	var v object
	if err := json.Unmarshal(out.Body.Bytes(), &v); err != nil || out.Code != status || out.Header().Get("Cache-Control") != "no-store" {
		w.Errorf("%d %s, want %d", out.Code, out.Body, status)
	}
	return v
}

func (w *world) client() string {
	w.Helper()
	v := w.json(w.do("POST", registerPath, object{"client_name": "Editor", "redirect_uris": []string{back, "editor://back"}}), 201)
	id, _ := v["client_id"].(string)
	return id
}

func (w *world) asks(change func(url.Values)) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {w.client()}, "redirect_uri": {back}, "state": {"s&t"}, "code_challenge": {encode(sum[:])}, "code_challenge_method": {"S256"},
		"resource": {base + ServerPath}, "access_key_id": {"key"}, "secret_access_key": {"hush"},
	}
	if change != nil {
		change(q)
	}
	return q
}

// sent is the query of the address that a form's sender is sent to.
func (w *world) sent(out *httptest.ResponseRecorder) url.Values {
	w.Helper()
	to, err := url.Parse(out.Header().Get("Location"))
	if err != nil || out.Code != http.StatusSeeOther {
		w.Fatalf("%d %q %s", out.Code, out.Header().Get("Location"), out.Body)
	}
	return to.Query()
}

func (w *world) exchange(q url.Values, change func(url.Values)) *httptest.ResponseRecorder {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {w.sent(w.do("POST", authorizePath, q)).Get("code")}, "client_id": {q.Get("client_id")},
		"redirect_uri": {back}, "code_verifier": {verifier}}
	if change != nil {
		change(form)
	}
	return w.do("POST", tokenPath, form)
}

func (w *world) as(token string) (status int, said, challenge string) {
	var header []string
	if token != "" {
		header = []string{"Authorization", "Bearer " + token}
	}
	out := w.do("POST", ServerPath, nil, header...)
	return out.Code, out.Body.String(), out.Header().Get("WWW-Authenticate")
}

func TestOAuth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, base)
	_, _, challenge := w.as("")
	if want := `resource_metadata="` + base + resourcePath + ServerPath + `"`; !strings.Contains(challenge, want) {
		t.Errorf("the challenge is %s", challenge)
	}
	if v := w.json(w.do("GET", resourcePath+ServerPath, nil), 200); v["resource"] != base+ServerPath || v["authorization_servers"].([]any)[0] != base {
		t.Errorf("the resource is %v", v)
	}
	if v := w.json(w.do("GET", issuerPath, nil), 200); v["issuer"] != base || v["token_endpoint"] != base+tokenPath {
		t.Errorf("the issuer is %v", v)
	}
	q := w.asks(func(q url.Values) { q.Set("user", ann) })
	page := w.do("GET", authorizePath+"?"+q.Encode(), nil)
	if body := page.Body.String(); page.Code != 200 || !strings.Contains(body, "<strong>Editor</strong>") || !strings.Contains(body, `name="state" value="s&amp;t"`) || strings.Contains(body, "hush") {
		t.Errorf("the page: %d %s", page.Code, body)
	}
	if h := page.Header(); h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("its headers: %v", h)
	}
	if sent := w.sent(w.do("POST", authorizePath, q)); sent.Get("state") != "s&t" || sent.Get("iss") != base {
		t.Errorf("sent back with %v", sent)
	}
	v := w.json(w.exchange(q, nil), 200)
	if v["token_type"] != "Bearer" || v["expires_in"] != 2592000.0 {
		t.Errorf("the answer is %v", v)
	}
	if status, said, _ := w.as(v["access_token"].(string)); status != 200 || said != ann {
		t.Errorf("the token is for %s: %d", said, status)
	}
	r := httptest.NewRequest(http.MethodDelete, TokensPath, strings.NewReader(`{"user":"`+ann+`"}`))
	out := httptest.NewRecorder()
	if w.Tokens(out, r, root); out.Code != 204 {
		t.Errorf("revoked: %d %s", out.Code, out.Body)
	}
	if status, said, challenge := w.as(v["access_token"].(string)); status != 401 || !strings.Contains(said, "revoked") || !strings.HasPrefix(challenge, `Bearer error="invalid_token", resource_metadata=`) {
		t.Errorf("a revoked token: %d %s %s", status, said, challenge)
	}
	w.now = w.now.Add(31 * 24 * time.Hour)
	if status, said, _ := w.as(w.json(w.exchange(w.asks(nil), nil), 200)["access_token"].(string)); status != 200 || said != root.ARN {
		t.Errorf("the root user's: %d %s", status, said)
	}
}

// On loopback the server has several names, and clients compare what it says with the one they used.
func TestLoopbackNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ public, host, want string }{
		{"http://127.0.0.1:4566", "localhost:4566", "http://localhost:4566"},
		{"http://127.0.0.1:4566", "[::1]:4566", "http://[::1]:4566"},
		{"http://127.0.0.1:4566", "evil.example", "http://127.0.0.1:4566"},
		{"https://penstock.test/", "localhost:4566", "https://penstock.test"},
	} {
		r := httptest.NewRequest(http.MethodGet, issuerPath, nil)
		r.Host = tc.host
		if got := newWorld(t, tc.public).base(r); got != tc.want {
			t.Errorf("%s at %s: %s", tc.public, tc.host, got)
		}
	}
	if w := newWorld(t, ""); len(w.Public()) != 1 {
		t.Errorf("without an address for browsers: %v", w.Public())
	} else if _, _, challenge := w.as(""); challenge != "Bearer" {
		t.Errorf("the challenge is %s", challenge)
	}
}

func TestRegistrationsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, base)
	for _, redirect := range []string{
		"", "http://evil.example/back", "https://", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "https://a.example/#f", "https://u:p@a.example/", "/back", "//a.example/back",
		"http://127.0.0.1.evil.example/", "file:///etc/passwd", "https://a.example/" + strings.Repeat("x", 3000),
	} {
		if v := w.json(w.do("POST", registerPath, object{"redirect_uris": []string{back, redirect}}), 400); v["error"] != "invalid_redirect_uri" {
			t.Errorf("%.50s: %v", redirect, v)
		}
	}
	for _, body := range []any{
		object{}, []int{1}, object{"client_name": strings.Repeat("x", 70000), "redirect_uris": []string{back}}, object{"redirect_uris": strings.Split(strings.Repeat(back+" ", 10)+back, " ")},
	} {
		w.json(w.do("POST", registerPath, body), 400)
	}
	w.json(w.do("GET", registerPath, nil), 405)
}

func TestAuthorizationsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, base)
	for name, tc := range map[string]struct {
		change func(url.Values)
		status int
		says   string // on the page; with a status of 303 the error that the client is told
	}{
		"an unknown client":        {func(q url.Values) { q.Set("client_id", "guess") }, 400, "not registered"},
		"a client of another kind": {func(q url.Values) { q.Set("client_id", q.Get("code_challenge")) }, 400, "not registered"},
		"another address":          {func(q url.Values) { q.Set("redirect_uri", "https://evil.example/") }, 400, "not registered the address"},
		"no address of two":        {func(q url.Values) { q.Del("redirect_uri") }, 400, "not registered the address"},
		"a token at once":          {func(q url.Values) { q.Set("response_type", "token") }, 303, "unsupported_response_type"},
		"no challenge":             {func(q url.Values) { q.Del("code_challenge") }, 303, "invalid_request"},
		"a plain challenge":        {func(q url.Values) { q.Set("code_challenge_method", "plain") }, 303, "invalid_request"},
		"another resource":         {func(q url.Values) { q.Set("resource", "https://other.example/mcp") }, 303, "invalid_target"},
		"a denial":                 {func(q url.Values) { q.Set("answer", "deny"); q.Del("secret_access_key") }, 303, "access_denied"},
		"another secret":           {func(q url.Values) { q.Set("secret_access_key", "guess") }, 403, "penstock env"},
		"no secret":                {func(q url.Values) { q.Del("secret_access_key") }, 403, "penstock env"},
		"an unknown key":           {func(q url.Values) { q.Set("access_key_id", "k"); q.Del("secret_access_key") }, 403, "penstock env"},
		"a user that is none":      {func(q url.Values) { q.Set("user", "ann") }, 403, "ann"},
	} {
		out := w.do("POST", authorizePath, w.asks(tc.change))
		if out.Code != tc.status {
			t.Errorf("%s: %d %s", name, out.Code, out.Body)
			continue
		}
		if tc.status == http.StatusSeeOther {
			if sent := w.sent(out); sent.Get("error") != tc.says || sent.Get("code") != "" || sent.Get("state") != "s&t" {
				t.Errorf("%s: sent back with %v", name, sent)
			}
		} else if !strings.Contains(out.Body.String(), tc.says) || out.Header().Get("Location") != "" || strings.Contains(out.Body.String(), "guess\"") && name == "another secret" {
			t.Errorf("%s: %s", name, out.Body)
		}
	}
	if out := w.do("POST", authorizePath, w.asks(nil), "Sec-Fetch-Site", "cross-site"); out.Code != 403 {
		t.Errorf("a form of another site: %d", out.Code)
	}
	if out := w.do("PUT", authorizePath, nil); out.Code != 405 {
		t.Errorf("PUT: %d", out.Code)
	}
	// A program that listens on loopback takes the port that is free.
	if out := w.do("POST", authorizePath, w.asks(func(q url.Values) { q.Set("redirect_uri", "http://127.0.0.1:40123/back") })); out.Code != 303 || !strings.HasPrefix(out.Header().Get("Location"), "http://127.0.0.1:40123/back?") {
		t.Errorf("another port: %d %v", out.Code, out.Header())
	}
	if out := w.do("POST", authorizePath, w.asks(func(q url.Values) { q.Set("redirect_uri", "editor://back") })); !strings.HasPrefix(out.Header().Get("Location"), "editor://back?") {
		t.Errorf("an application's own scheme: %d %v", out.Code, out.Header())
	}
}

func TestExchangesRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, base)
	for name, change := range map[string]func(url.Values){
		"another kind":     func(f url.Values) { f.Set("grant_type", "password") },
		"no code":          func(f url.Values) { f.Del("code") },
		"another verifier": func(f url.Values) { f.Set("code_verifier", verifier+"x") },
		"no verifier":      func(f url.Values) { f.Del("code_verifier") },
		"another client":   func(f url.Values) { f.Set("client_id", w.client()) },
		"another address":  func(f url.Values) { f.Set("redirect_uri", "editor://back") },
		"a client's id":    func(f url.Values) { f.Set("code", f.Get("client_id")) },
		"late":             func(url.Values) { w.now = w.now.Add(time.Minute) },
	} {
		if v := w.json(w.exchange(w.asks(nil), change), 400); v["access_token"] != nil || v["error"] != "invalid_grant" && name != "another kind" {
			t.Errorf("%s: %v", name, v)
		}
	}
	var form url.Values
	w.json(w.exchange(w.asks(nil), func(f url.Values) { form = f }), 200)
	if v := w.json(w.do("POST", tokenPath, form), 400); v["error"] != "invalid_grant" {
		t.Errorf("twice: %v", v)
	}
	again := url.Values{}
	maps.Copy(again, form)
	again.Set("code", form.Get("code")[:4]+"\n"+form.Get("code")[4:])
	if v := w.json(w.do("POST", tokenPath, again), 400); v["error"] != "invalid_grant" {
		t.Errorf("twice, written in another way: %v", v)
	}
	w.json(w.do("GET", tokenPath, nil), 405)
	// A process does not take the codes of the one before: it does not know which were used.
	code := w.sent(w.do("POST", authorizePath, w.asks(nil))).Get("code")
	form.Set("code", code)
	next := newWorld(t, base)
	if v := next.json(next.do("POST", tokenPath, form), 400); v["error"] != "invalid_grant" {
		t.Errorf("in another process: %v", v)
	}
}
