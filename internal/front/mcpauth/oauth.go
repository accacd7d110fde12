package mcpauth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"html/template"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
)

// OAuth 2.1 as MCP asks for it: the resource's metadata (RFC 9728) lead to the issuer's (RFC 8414), a client registers
// itself (RFC 7591), sends its user's browser to the authorization page with a PKCE challenge (RFC 7636), and exchanges
// the code it gets for a bearer token, once. Users show who they are with the server's access key.
const (
	resourcePath  = "/.well-known/oauth-protected-resource"
	issuerPath    = "/.well-known/oauth-authorization-server"
	registerPath  = "/_penstock/oauth/register"
	authorizePath = "/_penstock/oauth/authorize"
	tokenPath     = "/_penstock/oauth/token"

	clientPurpose = "mcp-client"
	codeTime      = time.Minute
	maxBody       = 64 << 10 // bytes of a request
	maxRedirects  = 10       // of a client
	maxText       = 2048     // bytes of each thing a client says
)

// client is a registered client. Its id is its content.
type client struct {
	Name      string   `json:"n,omitempty"`
	Redirects []string `json:"r"`
}

// code is what an authorization code says.
type code struct {
	ID        string    `json:"i"` // tells codes apart, however their text is written
	Client    string    `json:"c"` // id
	Redirect  string    `json:"r"`
	Challenge string    `json:"p"`
	User      string    `json:"u,omitempty"`
	Expires   time.Time `json:"e"`
}

// base is where a client has reached this server. On loopback it has several names, and clients compare.
func (f *Front) base(r *http.Request) string {
	u, err := url.Parse(f.PublicURL)
	if at := (&url.URL{Host: r.Host}); err == nil && isLoopback(u) && isLoopback(at) {
		u.Host = at.Host
		return u.String()
	}
	return f.PublicURL
}

func (f *Front) resource(w http.ResponseWriter, r *http.Request) {
	base := f.base(r)
	answer(w, http.StatusOK, map[string]any{
		"resource": base + ServerPath, "resource_name": "Penstock action connectors", "authorization_servers": []string{base}, "bearer_methods_supported": []string{"header"},
	})
}

func (f *Front) issuer(w http.ResponseWriter, r *http.Request) {
	base := f.base(r)
	answer(w, http.StatusOK, map[string]any{
		"issuer": base, "registration_endpoint": base + registerPath, "authorization_endpoint": base + authorizePath, "token_endpoint": base + tokenPath,
		"response_types_supported": []string{"code"}, "grant_types_supported": []string{"authorization_code"}, "code_challenge_methods_supported": []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"none"}, "authorization_response_iss_parameter_supported": true,
	})
}

// refuse answers a client, not its user.
func refuse(w http.ResponseWriter, status int, kind, text string) {
	answer(w, status, map[string]string{"error": kind, "error_description": text})
}

// isPost refuses other methods.
func isPost(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodPost {
		return true
	}
	w.Header().Set("Allow", http.MethodPost)
	refuse(w, http.StatusMethodNotAllowed, "invalid_request", "use POST")
	return false
}

func (f *Front) register(w http.ResponseWriter, r *http.Request) {
	if !isPost(w, r) {
		return
	}
	var in struct {
		Redirects []string `json:"redirect_uris"`
		Name      string   `json:"client_name"`
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil || json.Unmarshal(text, &in) != nil || len(in.Name) > maxText {
		refuse(w, http.StatusBadRequest, "invalid_client_metadata", "the body is not the JSON of a client's metadata, or too large")
		return
	}
	if len(in.Redirects) == 0 || len(in.Redirects) > maxRedirects || slices.ContainsFunc(in.Redirects, func(u string) bool { return !mayRedirect(u) }) {
		refuse(w, http.StatusBadRequest, "invalid_redirect_uri", "redirect_uris has to name 1 to 10 addresses without fragments: https, http on loopback, or a scheme of the application's own")
		return
	}
	id, err := f.seal(clientPurpose, client{in.Name, in.Redirects})
	if err != nil {
		refuse(w, http.StatusInternalServerError, "server_error", "the client could not be registered")
		return
	}
	answer(w, http.StatusCreated, map[string]any{
		"client_id": id, "client_id_issued_at": f.Now().Unix(), "client_name": in.Name, "redirect_uris": in.Redirects,
		"grant_types": []string{"authorization_code"}, "response_types": []string{"code"}, "token_endpoint_auth_method": "none",
	})
}

// ownScheme is a scheme that an application may have registered for itself. Those of browsers are not among them.
var ownScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

func mayRedirect(text string) bool {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxText || u.Fragment != "" || strings.Contains(text, "#") || u.User != nil {
		return false
	}
	switch u.Scheme {
	case "https":
		return u.Host != ""
	case "http":
		return isLoopback(u)
	case "javascript", "data", "vbscript", "file", "blob", "about", "ftp", "ws", "wss", "view-source", "filesystem":
		return false
	default:
		return ownScheme.MatchString(u.Scheme) && (u.Host != "" || u.Path != "" || u.Opaque != "")
	}
}

func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// has reports whether a client has registered an address. On loopback the port does not count (RFC 8252): programs take
// the one that is free.
func (c *client) has(redirect string) bool {
	plain := func(text string) string {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" || !isLoopback(u) {
			return text
		}
		u.Host = u.Hostname()
		return u.String()
	}
	return mayRedirect(redirect) && slices.ContainsFunc(c.Redirects, func(known string) bool { return plain(known) == plain(redirect) })
}

// asked is a request for authorization.
type asked struct {
	client             client
	base               string
	ClientID, Redirect string
	State, Challenge   string
}

var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// ask reads the parameters of a request for authorization. Without a redirect address that is the client's, a problem is
// for the user's eyes; with one the client is told, with an error of OAuth's.
func (f *Front) ask(r *http.Request, q url.Values) (a asked, problem, oauthError string) {
	a = asked{base: f.base(r), ClientID: q.Get("client_id"), Redirect: q.Get("redirect_uri"), State: q.Get("state"), Challenge: q.Get("code_challenge")}
	if f.open(clientPurpose, a.ClientID, &a.client) != nil {
		return a, "The application is not registered with this server. Remove the server from the application and add it again.", ""
	}
	if a.Redirect == "" && len(a.client.Redirects) == 1 {
		a.Redirect = a.client.Redirects[0]
	}
	if !a.client.has(a.Redirect) {
		return a, "The application has not registered the address that it wants you to be sent back to.", ""
	}
	switch {
	case q.Get("response_type") != "code":
		return a, "response_type has to be code", "unsupported_response_type"
	case q.Get("code_challenge_method") != "S256" || !challengeForm.MatchString(a.Challenge):
		return a, "a code_challenge with the method S256 is needed", "invalid_request"
	case q.Has("resource") && !slices.Contains([]string{a.base, a.base + ServerPath}, strings.TrimSuffix(q.Get("resource"), "/")):
		return a, "the resource is " + a.base + ServerPath, "invalid_target"
	}
	return a, "", ""
}

// to is the address that the browser is sent back to.
func (a *asked) to(more url.Values) string {
	u, _ := url.Parse(a.Redirect) // it was looked at before
	q := u.Query()
	for k, v := range more {
		q[k] = v
	}
	if a.State != "" {
		q.Set("state", a.State)
	}
	q.Set("iss", a.base)
	u.RawQuery = q.Encode()
	return u.String()
}

// authorize shows the page on which a user lets a client in (GET), and does that (POST).
func (f *Front) authorize(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	q := r.URL.Query()
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		if f.foreign.Check(r) != nil {
			show(w, http.StatusForbidden, shownPage{Problem: "The form is not this server's. Begin again in the application."})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if r.ParseForm() != nil {
			show(w, http.StatusBadRequest, shownPage{Problem: "The form could not be read."})
			return
		}
		q = r.PostForm
	default:
		h.Set("Allow", http.MethodGet+", "+http.MethodPost)
		show(w, http.StatusMethodNotAllowed, shownPage{Problem: "This page is for GET and POST."})
		return
	}
	a, problem, oauthError := f.ask(r, q)
	switch {
	case oauthError != "":
		http.Redirect(w, r, a.to(url.Values{"error": {oauthError}, "error_description": {problem}}), http.StatusSeeOther)
		return
	case problem != "":
		show(w, http.StatusBadRequest, shownPage{Problem: problem})
		return
	}
	page := shownPage{asked: a, Form: true, Name: a.client.Name, Params: q, User: q.Get("user"), Days: defaultDays, To: a.Redirect}
	if r.Method == http.MethodGet {
		show(w, http.StatusOK, page)
		return
	}
	if q.Get("answer") == "deny" {
		http.Redirect(w, r, a.to(url.Values{"error": {"access_denied"}}), http.StatusSeeOther)
		return
	}
	if page.Problem = f.admit(r, q); page.Problem != "" {
		f.Log.Info("an MCP client was not let in", "client", page.Name, "user", page.User, "remote", r.RemoteAddr, "reason", page.Problem)
		show(w, http.StatusForbidden, page)
		return
	}
	sealed, err := f.seal(f.process, code{rand.Text(), a.ClientID, a.Redirect, a.Challenge, page.User, f.Now().Add(codeTime)})
	if err != nil {
		http.Redirect(w, r, a.to(url.Values{"error": {"server_error"}}), http.StatusSeeOther)
		return
	}
	f.Log.Info("an MCP client was let in", "client", page.Name, "user", page.User, "remote", r.RemoteAddr, "redirect", a.Redirect)
	http.Redirect(w, r, a.to(url.Values{"code": {sealed}}), http.StatusSeeOther)
}

// admit says why a form does not let the client in, nothing if it does.
func (f *Front) admit(r *http.Request, form url.Values) string {
	key, caller, err := f.Keys.Lookup(r.Context(), form.Get("access_key_id"))
	given, want := sha256.Sum256([]byte(form.Get("secret_access_key"))), sha256.Sum256([]byte(key.Reveal()))
	if err != nil || subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
		return "That is not the access key of this server. The command penstock env prints it."
	}
	if user := form.Get("user"); user != "" {
		if err := action.CheckUser(caller, user); err != nil {
			return fault.Message(err) + "."
		}
	}
	return ""
}

// token exchanges a code for a bearer token.
func (f *Front) token(w http.ResponseWriter, r *http.Request) {
	if !isPost(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if r.ParseForm() != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "the body is not a form")
		return
	}
	in := r.PostForm
	if in.Get("grant_type") != "authorization_code" {
		refuse(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type has to be authorization_code")
		return
	}
	var c code
	challenge := sha256.Sum256([]byte(in.Get("code_verifier")))
	switch {
	case f.open(f.process, in.Get("code"), &c) != nil || !f.Now().Before(c.Expires) || !f.use(c):
		refuse(w, http.StatusBadRequest, "invalid_grant", "the code has ended, was used before, or is none of this server's")
		return
	case in.Get("client_id") != c.Client || in.Has("redirect_uri") && in.Get("redirect_uri") != c.Redirect:
		refuse(w, http.StatusBadRequest, "invalid_grant", "the code is for another client_id or redirect_uri")
		return
	case encode(challenge[:]) != c.Challenge:
		refuse(w, http.StatusBadRequest, "invalid_grant", "the code_verifier is not that of the code_challenge")
		return
	}
	token, _, err := f.newToken(c.User, defaultDays)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "server_error", "the token could not be made")
		return
	}
	answer(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": defaultDays * 24 * 60 * 60})
}

// use reports whether a code is used for the first time.
func (f *Front) use(c code) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.Now()
	maps.DeleteFunc(f.used, func(_ string, end time.Time) bool { return !now.Before(end) })
	_, again := f.used[c.ID]
	f.used[c.ID] = c.Expires
	return !again
}

// shownPage is what the authorization page says.
type shownPage struct {
	asked
	Problem  string
	Form     bool
	Name, To string
	User     string
	Days     int
	Params   url.Values
}

// Kept are the parameters of the client, for the form to send them again.
func (p shownPage) Kept() map[string]string {
	out := map[string]string{}
	for _, k := range []string{"response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method", "resource"} {
		if v := p.Params.Get(k); v != "" {
			out[k] = v
		}
	}
	return out
}

var authorizePage = template.Must(template.New("authorize").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Let an application use action connectors</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:10vh auto;padding:0 1rem}code{overflow-wrap:anywhere}label{display:block;margin:.8rem 0}input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.3rem}button{font:inherit;padding:.3rem 1rem;margin-right:.5rem}.problem{color:#a00}</style>
<h1>Let an application use action connectors</h1>
{{with .Problem}}<p class="problem" role="alert">{{.}}</p>
{{end}}{{if .Form}}<p>{{with .Name}}An application that calls itself <strong>{{.}}</strong>{{else}}An application{{end}} wants to call the actions of this server's connectors. You will be sent to <code>{{.To}}</code>. Go on only if you have just asked for that.</p>
<form method="post" action="` + authorizePath + `">
{{range $name, $value := .Kept}}<input type="hidden" name="{{$name}}" value="{{$value}}">
{{end}}<label>Access key ID <input name="access_key_id" autocomplete="username" required></label>
<label>Secret access key <input name="secret_access_key" type="password" autocomplete="current-password" required></label>
<label>User <input name="user" value="{{.User}}" autocomplete="off" placeholder="arn:aws:quicksight:...:user/default/ann"></label>
<p>With a user, the application sees the connectors that are shared with that user; without one, all of them. It may call them for {{.Days}} days, or until the tokens of the user are revoked.</p>
<button name="answer" value="allow">Allow</button><button name="answer" value="deny" formnovalidate>Deny</button>
</form>
{{end}}</html>
`))

func show(w http.ResponseWriter, status int, p shownPage) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = authorizePage.Execute(w, p)
}
