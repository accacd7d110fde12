package vendors

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// authenticator signs requests.
type authenticator interface {
	// sign adds what proves who asks. ticket tells renew which credential was used.
	sign(ctx context.Context, r *http.Request) (ticket string, err error)
	// renew gets a new credential in place of the one with the ticket. It returns false when the credential is
	// not of a sort that can be renewed.
	renew(ctx context.Context, ticket string) (bool, error)
}

func newAuthenticator(v Vendor, p Profile, client *http.Client) authenticator {
	a := p.Auth
	tokenURL := a.TokenURL
	if tokenURL == "" {
		tokenURL = strings.TrimSuffix(p.BaseURL, "/") + map[Vendor]string{
			Salesforce: "/services/oauth2/token", ServiceNow: "/oauth_token.do", Zendesk: "/oauth/tokens",
		}[v]
	}
	switch a.Type {
	case ClientCredentials:
		c := clientcredentials.Config{ClientID: a.ClientID, ClientSecret: a.ClientSecret.Reveal(), TokenURL: tokenURL, Scopes: a.Scopes, AuthStyle: oauth2.AuthStyleInParams}
		return &tokens{client: client, fetch: c.Token}
	case RefreshToken:
		return &tokens{client: client, fetch: refresher(a, tokenURL)}
	case Basic:
		return static(func(r *http.Request) { r.SetBasicAuth(a.Username, a.Password.Reveal()) })
	case APIKey:
		if v == Zendesk {
			return static(func(r *http.Request) { r.SetBasicAuth(a.Username+"/token", a.APIKey.Reveal()) })
		}
		return static(func(r *http.Request) { r.Header.Set("X-Sn-Apikey", a.APIKey.Reveal()) })
	}
	return static(func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+a.Token.Reveal()) })
}

// refresher gets tokens with a refresh token, and keeps the newer one that some servers send along.
func refresher(a Auth, tokenURL string) func(context.Context) (*oauth2.Token, error) {
	c := oauth2.Config{ClientID: a.ClientID, ClientSecret: a.ClientSecret.Reveal(), Scopes: a.Scopes, Endpoint: oauth2.Endpoint{TokenURL: tokenURL, AuthStyle: oauth2.AuthStyleInParams}}
	current := a.RefreshToken.Reveal() // guarded by the lock of tokens
	return func(ctx context.Context) (*oauth2.Token, error) {
		t, err := c.TokenSource(ctx, &oauth2.Token{RefreshToken: current}).Token()
		if err == nil && t.RefreshToken != "" {
			current = t.RefreshToken
		}
		return t, err
	}
}

// static is a credential that never changes.
type static func(*http.Request)

func (s static) sign(_ context.Context, r *http.Request) (string, error) { s(r); return "", nil }
func (static) renew(context.Context, string) (bool, error)               { return false, nil }

// tokens are OAuth 2 access tokens, one at a time, shared by all requests of a profile.
type tokens struct {
	client *http.Client
	fetch  func(context.Context) (*oauth2.Token, error)

	mu      sync.Mutex
	current *oauth2.Token
}

func (t *tokens) sign(ctx context.Context, r *http.Request) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.current.Valid() {
		if err := t.get(ctx); err != nil {
			return "", err
		}
	}
	t.current.SetAuthHeader(r)
	return t.current.AccessToken, nil
}

// renew replaces the token the ticket is of. Where another request has replaced it already, that is enough.
func (t *tokens) renew(ctx context.Context, ticket string) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil && t.current.AccessToken != ticket {
		return true, nil
	}
	return true, t.get(ctx)
}

func (t *tokens) get(ctx context.Context) error {
	token, err := t.fetch(context.WithValue(ctx, oauth2.HTTPClient, t.client))
	if err == nil {
		t.current = token
	}
	return err
}
