package oauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action/oauth"
	"github.com/penstock-io/penstock/internal/action/oauth/oauthtest"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func client(s *oauthtest.Server) oauth.Client {
	return oauth.Client{
		ID: s.ClientID, Secret: secret.NewText(s.ClientSecret), AuthorizationEndpoint: s.AuthorizationEndpoint(), TokenEndpoint: s.TokenEndpoint(),
		Scopes: []string{"read", "write"}, Now: func() time.Time { return noon },
	}
}

const redirect = "https://penstock.test/callback"

// signIn does what a browser does and returns what comes back to the redirect address.
func signIn(t *testing.T, s *oauthtest.Server, address string) url.Values {
	t.Helper()
	c := *s.Client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	back, err := r.Location()
	if err != nil {
		t.Fatalf("status %d: %v", r.StatusCode, err)
	}
	return back.Query()
}

func TestSignInAndRefresh(t *testing.T) {
	t.Parallel()
	s := oauthtest.New(t)
	c := client(s)
	c.AuthParams = map[string]string{"audience": "api.example.com"}
	verifier := oauth.NewVerifier()
	back := signIn(t, s, c.AuthorizationURL("the-state", redirect, verifier))
	if back.Get("state") != "the-state" || s.Seen()[0].Get("audience") != "api.example.com" || s.Seen()[0].Get("scope") != "read write" {
		t.Fatalf("asked %v, got %v", s.Seen(), back)
	}
	if _, err := c.Exchange(t.Context(), s.Client, back.Get("code"), redirect, oauth.NewVerifier()); !fault.Is(err, fault.Denied, oauth.SubjectGrant) {
		t.Fatalf("with another verifier: %v", err)
	}
	back = signIn(t, s, c.AuthorizationURL("the-state", redirect, verifier))
	token, err := c.Exchange(t.Context(), s.Client, back.Get("code"), redirect, verifier)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Valid(token.Access.Reveal()) || !token.Expires.Equal(noon.Add(time.Hour)) || token.Scope != "granted" {
		t.Fatalf("the token is %+v", token)
	}
	next, err := c.Renew(t.Context(), s.Client, token)
	if err != nil || next.Refresh.Reveal() == token.Refresh.Reveal() {
		t.Fatalf("a rotated token: %v, %v", next, err)
	}
	s.Set(func(s *oauthtest.Server) { s.OmitRefresh, s.Rotate = true, false })
	third, err := c.Renew(t.Context(), s.Client, next)
	if err != nil || third.Refresh.Reveal() != next.Refresh.Reveal() || third.Access.Reveal() == next.Access.Reveal() {
		t.Fatalf("an answer without a refresh token must keep the old one: %v, %v", third, err)
	}
}

func TestScopesWithCommas(t *testing.T) {
	t.Parallel()
	c := oauth.Client{ID: "x", AuthorizationEndpoint: "https://v.test/a?request=authorize", Scopes: []string{"a:b", "c"}, Separator: ","}
	u, err := url.Parse(c.AuthorizationURL("s", redirect, oauth.NewVerifier()))
	if err != nil || u.Query().Get("scope") != "a:b,c" || u.Query().Get("request") != "authorize" || u.Query().Get("code_challenge_method") != "S256" {
		t.Fatalf("%v, %v", u, err)
	}
}

// Slack asks for a user's scopes in a parameter of their own and answers with the user's token beside the bot's.
func TestTokenOfTheUser(t *testing.T) {
	t.Parallel()
	server := oauthtest.New(t)
	c := client(server)
	c.Scopes, c.Separator, c.ScopeParam, c.TokenIn = []string{"a:b", "c"}, ",", "user_scope", "authed_user"
	u, err := url.Parse(c.AuthorizationURL("s", redirect, oauth.NewVerifier()))
	if err != nil || u.Query().Get("user_scope") != "a:b,c" || u.Query().Has("scope") {
		t.Fatalf("%v, %v", u, err)
	}
	for name, tc := range map[string]struct {
		answer, access, refresh string
		lasts                   time.Duration
	}{
		"beside the bot's": {`{"ok":true,"access_token":"bot","refresh_token":"bots","token_type":"bot","expires_in":60,"authed_user":{"id":"U1","access_token":"user","refresh_token":"users","expires_in":3600,"token_type":"user"}}`, "user", "users", time.Hour},
		"alone":            {`{"ok":true,"authed_user":{"id":"U1","access_token":"user"}}`, "user", "", 0},
		"at the top":       {`{"ok":true,"access_token":"next","refresh_token":"more","expires_in":3600,"token_type":"user"}`, "next", "more", time.Hour},
	} {
		server.Set(func(s *oauthtest.Server) {
			s.Answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(tc.answer))
			}
		})
		token, err := c.Exchange(t.Context(), server.Client, "code", redirect, "v")
		if err != nil || token.Access.Reveal() != tc.access || token.Refresh.Reveal() != tc.refresh {
			t.Errorf("%s: %q %q (%v)", name, token.Access.Reveal(), token.Refresh.Reveal(), err)
		}
		if lasts := token.Expires.Sub(token.Obtained); (tc.lasts != 0 || !token.Expires.IsZero()) && lasts != tc.lasts {
			t.Errorf("%s: it lasts %s, want %s", name, lasts, tc.lasts)
		}
	}
	for name, answer := range map[string]string{"a refusal": `{"ok":false,"error":"invalid_code"}`, "no JSON": `<html>`, "no token": `{"ok":true,"authed_user":{"id":"U1"}}`, "a list": `[]`} {
		server.Set(func(s *oauthtest.Server) {
			s.Answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(answer))
			}
		})
		if _, err := c.Exchange(t.Context(), server.Client, "code", redirect, "v"); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The client's proof goes where the server takes it, and nothing is repeated that may have had an effect.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name         string
		auth         oauth.ClientAuth
		header, body bool // what the server insists on
		want         string
		fails        bool
	}{
		{"header first", oauth.Probe, false, false, "header", false},
		{"body when the header is refused", oauth.Probe, false, true, "header body", false},
		{"header only", oauth.InHeader, true, false, "header", false},
		{"header only, refused", oauth.InHeader, false, true, "header", true},
		{"body only", oauth.InBody, false, true, "body", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := oauthtest.New(t)
			s.InHeaderOnly, s.InBodyOnly = tc.header, tc.body
			c := client(s)
			c.Auth = tc.auth
			_, err := c.ClientCredentials(t.Context(), s.Client)
			if tc.fails != (err != nil) {
				t.Fatalf("err = %v", err)
			}
			var got []string
			for _, a := range s.Asked() {
				got = append(got, a.Get("client_auth"))
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("proved itself in %v, want %s", got, tc.want)
			}
		})
	}
}

func answer(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

// What the server says of the grant and what the network says are told apart.
func TestFailures(t *testing.T) {
	t.Parallel()
	const js = "application/json"
	for _, tc := range []struct {
		name    string
		answer  http.HandlerFunc
		kind    fault.Kind
		subject string
		says    string
	}{
		{"revoked", answer(400, js, `{"error":"invalid_grant","error_description":"revoked by\u0000 admin"}`), fault.Denied, oauth.SubjectGrant, "invalid_grant (revoked by admin)"},
		{"Slack's revoked, with status 200", answer(200, js, `{"ok":false,"error":"token_revoked"}`), fault.Denied, oauth.SubjectGrant, "token_revoked"},
		{"Slack's used code", answer(200, js, `{"ok":false,"error":"invalid_code"}`), fault.Denied, oauth.SubjectGrant, "invalid_code"},
		{"a wrong client", answer(401, js, `{"error":"invalid_client"}`), fault.Denied, oauth.SubjectToken, "invalid_client"},
		{"a wrong scope", answer(400, js, `{"error":"invalid_scope","error_description":"no such scope"}`), fault.Denied, oauth.SubjectToken, "no such scope"},
		{"no reason", answer(403, "text/html", `<html>`), fault.Denied, oauth.SubjectToken, "status 403"},
		{"down", answer(503, "text/html", `<html>client-secret-value`), fault.Unavailable, oauth.SubjectToken, "status 503"},
		{"down, with a code", answer(500, js, `{"error":"invalid_grant"}`), fault.Unavailable, oauth.SubjectToken, "status 500"},
		{"temporarily unavailable", answer(400, js, `{"error":"temporarily_unavailable"}`), fault.Unavailable, oauth.SubjectToken, ""},
		{"too many", answer(429, js, `{"error":"invalid_grant"}`), fault.Throttled, oauth.SubjectToken, ""},
		{"HTML", answer(200, "text/html", `<html><body>Sign in to the guest network`), fault.Denied, oauth.SubjectToken, "no token"},
		{"no access token", answer(200, js, `{}`), fault.Denied, oauth.SubjectToken, "no token"},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.test/", http.StatusTemporaryRedirect)
		}, fault.Denied, oauth.SubjectToken, "redirects"},
		{"gone", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Unavailable, oauth.SubjectToken, "cannot be reached: EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := oauthtest.New(t)
			s.Answer = tc.answer
			c := client(s)
			c.Auth = oauth.InBody
			_, err := c.Renew(t.Context(), s.Client, oauth.Token{Refresh: secret.NewText("refresh-token-value")})
			if !fault.Is(err, tc.kind, tc.subject) || !strings.Contains(fault.Message(err), tc.says) {
				t.Fatalf("err = %v (%v), want %v about %s saying %q", err, fault.KindOf(err), tc.kind, tc.subject, tc.says)
			}
			if strings.Contains(err.Error(), "client-secret-value") || strings.Contains(err.Error(), "refresh-token-value") {
				t.Errorf("the error shows a secret: %v", err)
			}
			if len(s.Asked()) != 1 {
				t.Errorf("asked %d times, want once", len(s.Asked()))
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	s := oauthtest.New(t)
	s.Hold = make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client(s).ClientCredentials(ctx, s.Client); !fault.Is(err, fault.Unavailable, oauth.SubjectToken) {
		t.Fatalf("err = %v", err)
	}
	impatient := *s.Client
	impatient.Timeout = 50 * time.Millisecond
	if _, err := client(s).ClientCredentials(t.Context(), &impatient); !fault.Is(err, fault.Unavailable, oauth.SubjectToken) || !strings.Contains(fault.Message(err), "did not answer in time") {
		t.Fatalf("a client with a time of its own: %v", err)
	}
	close(s.Hold)
}

func TestStoredForm(t *testing.T) {
	t.Parallel()
	in := oauth.Token{
		Access: secret.NewText("a"), Refresh: secret.NewText("r"), Type: "Bearer", Scope: "s", InstanceURL: "https://i.test",
		Obtained: noon.Add(time.Nanosecond), Expires: noon.Add(time.Hour),
	}
	out, err := oauth.Decode(oauth.Encode(in))
	if err != nil || out != in {
		t.Fatalf("%+v, %v", out, err)
	}
	const form = `{"access":"a","refresh":"r","type":"Bearer","scope":"s","instance":"https://i.test","obtained":"1772625600000000001","expires":"1772629200000000000"}`
	if got := oauth.Encode(in).Reveal(); got != form {
		t.Errorf("the stored form is %s", got)
	}
	if printed := fmt.Sprintf("%v %+v", in, in); strings.Contains(printed, "{a") {
		t.Errorf("a token prints its secrets: %s", printed)
	}
	for _, bad := range []string{"", "{", `{"expires":"x"}`} {
		if _, err := oauth.Decode(secret.NewText(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"access":"a","expires":"1"}`)
	f.Add(`{"obtained":"-9"}`)
	f.Fuzz(func(t *testing.T, text string) {
		token, err := oauth.Decode(secret.NewText(text))
		if err != nil {
			return
		}
		again, err := oauth.Decode(oauth.Encode(token))
		if err != nil || again != token {
			t.Fatalf("%+v became %+v, %v", token, again, err)
		}
	})
}
