// Package oauth gets tokens from authorization servers and keeps them fresh: the authorization code grant with
// state and PKCE, client credentials, and refresh.
//
// A Client asks; a Keeper hands out tokens and has them renewed, one renewal at a time for each grant. Rules: what
// the server says of a grant and what the network says are told apart, and only the first ever ends a grant; a
// token that replaces another is saved before it is used; no message and no error here holds a secret.
package oauth

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

// Subjects of this package's faults.
const (
	// SubjectGrant is what the server has ended: the user must sign in again. Kind Denied.
	SubjectGrant = "grant"
	// SubjectToken is a token endpoint that refused the client or answered with what is no token. Kind Denied
	// when the server has refused, Unavailable when it cannot be reached or fails, Throttled when it asks for less.
	SubjectToken = "token response"
)

// ClientAuth says how a client proves itself to the token endpoint.
type ClientAuth uint8

const (
	Probe    ClientAuth = iota // in the header, and in the body if the server knows no such client
	InHeader                   // HTTP Basic
	InBody                     // client_id and client_secret
)

// Client is a registration with an authorization server. It is a value; its methods are safe for concurrent use.
type Client struct {
	ID                    string
	Secret                secret.Text // empty for a public client
	AuthorizationEndpoint string
	TokenEndpoint         string
	Scopes                []string
	Separator             string // between scopes; empty for a space
	ScopeParam            string // the scopes' parameter of the authorization endpoint; empty for "scope"
	TokenIn               string // the member of the token endpoint's answer that holds the user's token, if it is not the answer itself
	AuthParams            map[string]string
	Auth                  ClientAuth
	NoPKCE                bool // for servers that refuse it beside a secret
	Now                   func() time.Time
}

// Token is what a token endpoint has answered.
type Token struct {
	Access      secret.Text
	Refresh     secret.Text // empty when there is none
	Type        string      // Bearer, mostly
	Scope       string      // as the server said it
	InstanceURL string      // Salesforce: where the API is
	Obtained    time.Time
	Expires     time.Time // zero when the server did not say
}

// NewVerifier returns a fresh PKCE verifier, which is also random enough for a state.
func NewVerifier() string { return oauth2.GenerateVerifier() }

// AuthorizationURL is where the user's browser goes to sign in. The challenge is S256.
func (c Client) AuthorizationURL(state, redirect, verifier string) string {
	conf := c.config(redirect, oauth2.AuthStyleInParams)
	var options []oauth2.AuthCodeOption
	if !c.NoPKCE {
		options = append(options, oauth2.S256ChallengeOption(verifier))
	}
	for k, v := range c.AuthParams {
		options = append(options, oauth2.SetAuthURLParam(k, v))
	}
	if c.ScopeParam != "" {
		options = append(options, oauth2.SetAuthURLParam(c.ScopeParam, strings.Join(conf.Scopes, " ")))
		conf.Scopes = nil
	}
	return conf.AuthCodeURL(state, options...)
}

// Exchange trades an authorization code for tokens.
func (c Client) Exchange(ctx context.Context, via *http.Client, code, redirect, verifier string) (Token, error) {
	return c.ask(ctx, via, func(ctx context.Context, style oauth2.AuthStyle) (*oauth2.Token, error) {
		if c.NoPKCE {
			return c.config(redirect, style).Exchange(ctx, code)
		}
		return c.config(redirect, style).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	})
}

// Renew trades the refresh token of t for a new token. The result keeps the refresh token, the scope and the
// instance of t where the answer has none.
func (c Client) Renew(ctx context.Context, via *http.Client, t Token) (Token, error) {
	next, err := c.ask(ctx, via, func(ctx context.Context, style oauth2.AuthStyle) (*oauth2.Token, error) {
		return c.config("", style).TokenSource(ctx, &oauth2.Token{RefreshToken: t.Refresh.Reveal()}).Token()
	})
	if err != nil {
		return Token{}, err
	}
	if next.Refresh.Empty() {
		next.Refresh = t.Refresh
	}
	if next.Scope == "" {
		next.Scope = t.Scope
	}
	if next.InstanceURL == "" {
		next.InstanceURL = t.InstanceURL
	}
	return next, nil
}

// ClientCredentials asks for a token of the client itself.
func (c Client) ClientCredentials(ctx context.Context, via *http.Client) (Token, error) {
	t, err := c.ask(ctx, via, func(ctx context.Context, style oauth2.AuthStyle) (*oauth2.Token, error) {
		conf := clientcredentials.Config{ClientID: c.ID, ClientSecret: c.Secret.Reveal(), TokenURL: c.TokenEndpoint, Scopes: c.scopes(), AuthStyle: style}
		return conf.Token(ctx)
	})
	if fault.Is(err, fault.Denied, SubjectGrant) { // there is no sign-in that could have ended
		err = fault.New(fault.Denied, SubjectToken, "the token endpoint %s gives this client no token; check its client id, client secret and scopes", c.TokenEndpoint)
	}
	return t, err
}

func (c Client) scopes() []string {
	if c.Separator != "" && len(c.Scopes) > 0 {
		return []string{strings.Join(c.Scopes, c.Separator)}
	}
	return c.Scopes
}

func (c Client) config(redirect string, style oauth2.AuthStyle) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.ID, ClientSecret: c.Secret.Reveal(), RedirectURL: redirect, Scopes: c.scopes(),
		Endpoint: oauth2.Endpoint{AuthURL: c.AuthorizationEndpoint, TokenURL: c.TokenEndpoint, AuthStyle: style},
	}
}

// ask makes one request to the token endpoint, or a second one that puts the client's proof elsewhere when the
// server has refused the client. The library's own probing is not used: it repeats after any failure, and a refresh
// token that is shown twice costs the grant.
func (c Client) ask(ctx context.Context, via *http.Client, request func(context.Context, oauth2.AuthStyle) (*oauth2.Token, error)) (Token, error) {
	client := *via
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a client's secret goes where its owner said and nowhere else
	}
	if c.TokenIn != "" {
		client.Transport = lifting{client.Transport, c.TokenIn}
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &client)
	obtained := c.Now()
	first := oauth2.AuthStyleInHeader
	if c.Auth == InBody || c.Secret.Empty() {
		first = oauth2.AuthStyleInParams
	}
	t, err := request(ctx, first)
	if c.Auth == Probe && first == oauth2.AuthStyleInHeader && clientRefused(err) {
		t, err = request(ctx, oauth2.AuthStyleInParams)
	}
	if err != nil {
		return Token{}, c.classify(ctx, err)
	}
	out := Token{Access: secret.NewText(t.AccessToken), Refresh: secret.NewText(t.RefreshToken), Type: t.Type(), Obtained: obtained}
	out.Scope, _ = t.Extra("scope").(string)
	out.InstanceURL, _ = t.Extra("instance_url").(string)
	if seconds := lifetime(t); seconds > 0 {
		out.Expires = obtained.Add(time.Duration(min(seconds, 10*365*24*3600)) * time.Second)
	}
	return out, nil
}

// lifetime is expires_in, in seconds. The library's own reading of it is measured with a clock of its own, and is
// not there after every kind of request.
func lifetime(t *oauth2.Token) int64 {
	switch v := t.Extra("expires_in").(type) {
	case float64:
		return int64(min(v, 1<<40))
	case int64:
		return v
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		if err == nil {
			return n
		}
	}
	return 0
}

func clientRefused(err error) bool {
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) {
		return false
	}
	return r.ErrorCode == "invalid_client" || r.ErrorCode == "" && r.Response.StatusCode == http.StatusUnauthorized
}

// ended are the codes by which servers say that a grant or a code is over: RFC 6749's, and those of some that have
// their own.
var ended = map[string]bool{
	"invalid_grant": true, "invalid_refresh_token": true, "bad_refresh_token": true, "token_revoked": true, "token_expired": true,
	"invalid_code": true, "code_already_used": true, "code_expired": true, "bad_verification_code": true,
}

// classify says what a failed request means. The library's text is not passed on, since it holds the server's
// answer, which may repeat what it was sent.
func (c Client) classify(ctx context.Context, err error) error {
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) {
		var f *fault.Error
		if errors.As(err, &f) { // the way out refuses to go there
			return fault.Wrap(err, f.Kind, SubjectToken, "the token endpoint %s cannot be called: %s", c.TokenEndpoint, f.Message)
		}
		var slow interface{ Timeout() bool } // the client has a time of its own
		if ctx.Err() != nil || errors.As(err, &slow) && slow.Timeout() {
			return fault.Wrap(err, fault.Unavailable, SubjectToken, "the token endpoint %s did not answer in time; try again", c.TokenEndpoint)
		}
		if text := err.Error(); strings.Contains(text, "oauth2: cannot parse") || strings.Contains(text, "missing access_token") {
			return fault.New(fault.Denied, SubjectToken, "the token endpoint %s answered with what is no token; see that the connector's TokenEndpoint is the vendor's", c.TokenEndpoint)
		}
		return fault.Wrap(err, fault.Unavailable, SubjectToken, "the token endpoint %s cannot be reached: %s; see that the address is right and that this server may go there", c.TokenEndpoint, cause(err))
	}
	status := 0
	if r.Response != nil {
		status = r.Response.StatusCode
	}
	said := Clean(r.ErrorCode)
	if d := Clean(r.ErrorDescription); d != "" {
		said += " (" + d + ")"
	}
	switch {
	case status == http.StatusTooManyRequests:
		return fault.New(fault.Throttled, SubjectToken, "the token endpoint %s asks for fewer requests; try again later", c.TokenEndpoint)
	case status >= 500:
		return fault.New(fault.Unavailable, SubjectToken, "the token endpoint %s failed with status %d; try again later", c.TokenEndpoint, status)
	case r.ErrorCode == "temporarily_unavailable" || r.ErrorCode == "server_error":
		return fault.New(fault.Unavailable, SubjectToken, "the token endpoint %s says %s; try again later", c.TokenEndpoint, said)
	case ended[r.ErrorCode]:
		return fault.New(fault.Denied, SubjectGrant, "the vendor has ended the sign-in: %s", said)
	case r.ErrorCode != "":
		return fault.New(fault.Denied, SubjectToken, "the token endpoint %s refused the connector: %s; check its client id, client secret and endpoints", c.TokenEndpoint, said)
	case status >= 300 && status < 400:
		return fault.New(fault.Denied, SubjectToken, "the token endpoint %s redirects elsewhere, which is not followed with a client's secret; give the address that answers", c.TokenEndpoint)
	default:
		return fault.New(fault.Denied, SubjectToken, "the token endpoint %s answered with status %d and no reason; check the connector's client id, client secret and endpoints", c.TokenEndpoint, status)
	}
}

// cause is the innermost text of a network error, which has neither the request nor the address of a resolver in it.
func cause(err error) string {
	var name *net.DNSError
	if errors.As(err, &name) {
		return "the name cannot be resolved: " + name.Err
	}
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) {
		return "its certificate is of an authority that this server does not know (the setting action-ca-file names further ones)"
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return strings.TrimRight(Clean(err.Error()), ".")
}

// Clean makes what a vendor said fit to show: one line of at most 300 characters.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	if cut := []rune(s); len(cut) > 300 {
		s = string(cut[:300]) + "..."
	}
	return s
}

// stored is the form in which a token is sealed. Its fields are the stored form: they may be added to, not renamed.
type stored struct {
	Access      string `json:"access"`
	Refresh     string `json:"refresh,omitempty"`
	Type        string `json:"type,omitempty"`
	Scope       string `json:"scope,omitempty"`
	InstanceURL string `json:"instance,omitempty"`
	Obtained    string `json:"obtained,omitempty"` // Unix nanoseconds
	Expires     string `json:"expires,omitempty"`
}

// Encode returns t as text that is fit to be sealed.
func Encode(t Token) secret.Text {
	s := stored{Access: t.Access.Reveal(), Refresh: t.Refresh.Reveal(), Type: t.Type, Scope: t.Scope, InstanceURL: t.InstanceURL, Obtained: stamp(t.Obtained), Expires: stamp(t.Expires)}
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always marshal
	}
	return secret.NewText(string(text))
}

// Decode undoes Encode.
func Decode(text secret.Text) (Token, error) {
	var s stored
	if err := json.Unmarshal([]byte(text.Reveal()), &s); err != nil {
		return Token{}, errors.New("a stored token cannot be read") // the cause would show what it is
	}
	obtained, err1 := unstamp(s.Obtained)
	expires, err2 := unstamp(s.Expires)
	if err := errors.Join(err1, err2); err != nil {
		return Token{}, fmt.Errorf("a stored token cannot be read: %w", err)
	}
	return Token{Access: secret.NewText(s.Access), Refresh: secret.NewText(s.Refresh), Type: s.Type, Scope: s.Scope, InstanceURL: s.InstanceURL, Obtained: obtained, Expires: expires}, nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixNano(), 10)
}

func unstamp(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(0, n).UTC(), err
}
