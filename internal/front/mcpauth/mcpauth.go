// Package mcpauth tells whose the requests of MCP clients are that are not signed: their bearer token says so. Tokens
// come from a signed request (tokens.go), or from OAuth in a browser, for clients that know nothing but the
// address of the server (oauth.go).
//
// Nothing is stored for a token, a registered client or a code: each is its own content, sealed with the server's key.
package mcpauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
)

// Paths that are served here.
const (
	ServerPath = "/_penstock/mcp"        // the MCP server's
	TokensPath = "/_penstock/mcp-tokens" // for signed requests
)

// Keys knows the access keys of callers.
type Keys interface {
	Lookup(ctx context.Context, accessKeyID string) (secret.Text, identity.Caller, error)
}

// Generations counts how often the tokens of users were revoked; "" is the root user.
type Generations interface {
	TokenGenerations(ctx context.Context) (map[string]int64, error)
	TokensRevoke(ctx context.Context, user string) (generation int64, err error)
}

// Config is what a Front is made of. All fields but PublicURL are required.
type Config struct {
	Serve       func(http.ResponseWriter, *http.Request, identity.Caller) // the MCP server
	Box         *secret.Box
	Keys        Keys
	Generations Generations
	AccessKeyID string // the root user's: tokens end with it and its secret
	PublicURL   string // where browsers reach this server; without it there is no OAuth
	Now         func() time.Time
	Log         *slog.Logger
}

// Front serves what is about tokens. It is safe for concurrent use.
type Front struct {
	Config
	root    identity.Caller
	purpose string // of sealed tokens
	process string // of sealed codes, which end with the process
	foreign *http.CrossOriginProtection

	mu          sync.Mutex
	generations map[string]int64
	used        map[string]time.Time // ids of codes, and when they would have ended
}

// New returns a Front over c.
func New(ctx context.Context, c Config) (*Front, error) {
	key, root, err := c.Keys.Lookup(ctx, c.AccessKeyID)
	if err != nil {
		return nil, err
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	credential := sha256.Sum256([]byte(c.AccessKeyID + "\x00" + key.Reveal()))
	f := &Front{Config: c, root: root, purpose: "mcp-token/" + encode(credential[:]), process: "mcp-code/" + rand.Text(), used: map[string]time.Time{},
		foreign: http.NewCrossOriginProtection()}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		if err := f.foreign.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, err
		}
	}
	f.generations, err = c.Generations.TokenGenerations(ctx)
	return f, err
}

// Public are the handlers of requests that are not signed, by path.
func (f *Front) Public() map[string]http.Handler {
	out := map[string]http.Handler{ServerPath: http.HandlerFunc(f.serveBearer)}
	if f.PublicURL != "" {
		out[resourcePath], out[resourcePath+ServerPath] = http.HandlerFunc(f.resource), http.HandlerFunc(f.resource)
		out[issuerPath] = http.HandlerFunc(f.issuer)
		out[registerPath] = http.HandlerFunc(f.register)
		out[authorizePath] = http.HandlerFunc(f.authorize)
		out[tokenPath] = http.HandlerFunc(f.token)
	}
	return out
}

// serveBearer serves MCP to requests that are not signed.
func (f *Front) serveBearer(w http.ResponseWriter, r *http.Request) {
	caller, problem := f.caller(r)
	challenge := `Bearer error="invalid_token"`
	if problem == "" && caller.ARN == "" {
		problem, challenge = "The request is not signed for the service penstock and has no bearer token.", "Bearer"
	}
	if problem != "" {
		if f.PublicURL != "" {
			challenge = strings.Replace(challenge+", ", "Bearer, ", "Bearer ", 1) + `resource_metadata="` + f.base(r) + resourcePath + ServerPath + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		http.Error(w, problem+" A signed POST to "+TokensPath+" makes one.", http.StatusUnauthorized)
		return
	}
	f.Serve(w, r, caller)
}

// seal makes a text of v that only this server can read, and nobody can change.
func (f *Front) seal(purpose string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return encode(f.Box.Seal(purpose, secret.NewText(string(text)))), nil
}

func (f *Front) open(purpose, text string, v any) error {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	plain, err := f.Box.Open(purpose, sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(plain.Reveal()), v)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
