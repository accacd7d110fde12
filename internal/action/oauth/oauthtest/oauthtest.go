// Package oauthtest is an authorization server on this machine for tests: TLS, the authorization code grant with
// PKCE, client credentials, refresh with rotation and replay detection, and every way to fail that tests need.
package oauthtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Server is an authorization server with one client. Its fields may be changed with Set.
type Server struct {
	ClientID, ClientSecret string
	Lifetime               int    // expires_in of new tokens in seconds; 0 leaves it out
	Rotate                 bool   // every refresh gives a new refresh token and ends the old one
	OmitRefresh            bool   // answers to refreshes have no refresh token
	NoOffline              bool   // sign-ins give no refresh token
	Deny                   string // what /authorize answers instead of a code
	InHeaderOnly           bool   // client authentication in the body is refused
	InBodyOnly             bool   // client authentication in the header is refused
	TokenDown              bool   // token requests are answered with 503
	Answer                 http.HandlerFunc
	Hold                   chan struct{} // token requests wait for it to be closed
	RefusePKCE             bool          // a challenge or a verifier is an error

	URL    string
	Client *http.Client // trusts the server

	mu      sync.Mutex
	serial  int
	codes   map[string]code
	refresh map[string]bool // usable refresh tokens
	access  map[string]bool // usable access tokens
	asked   []url.Values    // token requests
	seen    []url.Values    // authorization requests
}

type code struct{ challenge, redirect string }

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{ClientID: "client", ClientSecret: "client-secret-value", Lifetime: 3600, Rotate: true,
		codes: map[string]code{}, refresh: map[string]bool{}, access: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/authorize", s.authorize)
	mux.HandleFunc("/token", s.token)
	mux.HandleFunc("/api", s.api)
	srv := httptest.NewTLSServer(mux)
	t.Cleanup(srv.Close)
	s.URL, s.Client = srv.URL, srv.Client()
	return s
}

// Set changes the server's behaviour while it runs.
func (s *Server) Set(change func(*Server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// AuthorizationEndpoint and the others are the server's addresses.
func (s *Server) AuthorizationEndpoint() string { return s.URL + "/authorize" }
func (s *Server) TokenEndpoint() string         { return s.URL + "/token" }
func (s *Server) API() string                   { return s.URL + "/api" }

// Exchanges returns how many token requests of a grant type were answered; all of them without a type.
func (s *Server) Exchanges(grantType string) int {
	n := 0
	for _, v := range s.Asked() {
		if grantType == "" || v.Get("grant_type") == grantType {
			n++
		}
	}
	return n
}

// Asked returns the token requests so far, with how the client proved itself as client_auth.
func (s *Server) Asked() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Seen returns the authorization requests so far.
func (s *Server) Seen() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// Revoke ends every refresh token; the access tokens go on until their end.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh = map[string]bool{}
}

// Expire ends every access token at once, whatever expires_in said.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access = map[string]bool{}
}

// Valid reports whether the API takes an access token.
func (s *Server) Valid(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.access[token]
}

func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	s.seen = append(s.seen, q)
	s.serial++
	value := fmt.Sprintf("code-%d", s.serial)
	deny, method := s.Deny, "S256"
	if s.RefusePKCE {
		method = ""
	}
	if deny == "" {
		s.codes[value] = code{q.Get("code_challenge"), q.Get("redirect_uri")}
	}
	s.mu.Unlock()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != s.ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != method || q.Has("code_challenge") == s.RefusePKCE {
		http.Error(w, "this is no authorization request", http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {q.Get("state")}}
	if deny != "" {
		answer.Set("error", "access_denied")
		answer.Set("error_description", deny)
	} else {
		answer.Set("code", value)
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "no form", http.StatusBadRequest)
		return
	}
	form := r.PostForm
	id, password, header := r.BasicAuth()
	form.Set("client_auth", "body")
	if header {
		form.Set("client_auth", "header")
		id, _ = url.QueryUnescape(id)
		password, _ = url.QueryUnescape(password)
	} else {
		id, password = form.Get("client_id"), form.Get("client_secret")
	}
	s.mu.Lock()
	s.asked = append(s.asked, form)
	answer, hold, down := s.Answer, s.Hold, s.TokenDown
	refused := id != s.ClientID || password != s.ClientSecret || header && s.InBodyOnly || !header && s.InHeaderOnly
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case down:
		http.Error(w, "out of order", http.StatusServiceUnavailable)
	case answer != nil:
		answer(w, r)
	case refused:
		fail(w, http.StatusUnauthorized, "invalid_client", "no such client, or a wrong secret")
	default:
		s.grant(w, form)
	}
}

func (s *Server) grant(w http.ResponseWriter, form url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]any{"token_type": "Bearer", "scope": "granted"}
	s.serial++
	next := fmt.Sprintf("refresh-%d", s.serial)
	switch form.Get("grant_type") {
	case "authorization_code":
		c, ok := s.codes[form.Get("code")]
		delete(s.codes, form.Get("code"))
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		proved := c.challenge == base64.RawURLEncoding.EncodeToString(sum[:])
		if s.RefusePKCE {
			proved = !form.Has("code_verifier")
		}
		if !ok || c.redirect != form.Get("redirect_uri") || !proved {
			fail(w, http.StatusBadRequest, "invalid_grant", "the code is used, or is another's")
			return
		}
		if !s.NoOffline {
			s.refresh[next] = true
			out["refresh_token"] = next
		}
	case "refresh_token":
		old := form.Get("refresh_token")
		if !s.refresh[old] {
			s.refresh = map[string]bool{} // a replay ends the grant, as Salesforce's does
			fail(w, http.StatusBadRequest, "invalid_grant", "the refresh token is over")
			return
		}
		if s.Rotate {
			delete(s.refresh, old)
			s.refresh[next] = true
			out["refresh_token"] = next
		}
		if s.OmitRefresh {
			delete(out, "refresh_token")
		}
	case "client_credentials":
	default:
		fail(w, http.StatusBadRequest, "unsupported_grant_type", "")
		return
	}
	access := fmt.Sprintf("access-%d", s.serial)
	s.access[access] = true
	out["access_token"] = access
	if s.Lifetime > 0 {
		out["expires_in"] = s.Lifetime
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

// api answers who has an access token that is good, and refuses others with 401.
func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || !s.Valid(token) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = fmt.Fprint(w, `{"ok":true}`)
}

func fail(w http.ResponseWriter, status int, code, description string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": description})
}
