package invoke

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// credential is what goes into a request: a header, or a member of the query.
type credential struct {
	header, query string // the name of one of them; neither for no credentials
	value         string
	hidden        []string // texts to keep out of messages
}

// defaultKey is where an API key goes when nothing says otherwise.
const defaultKey = "X-API-Key"

func basic(user, password string) credential {
	encoded := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return credential{header: "Authorization", value: "Basic " + encoded, hidden: []string{encoded, password}}
}

func bearer(token string) credential {
	return credential{header: "Authorization", value: "Bearer " + token, hidden: []string{token}}
}

// credentialOf is the form a vendor wants credentials in. secret is the password, the key or the token.
func credentialOf(c *Connector, known *catalog.Catalogue, secret string) credential {
	switch c.Auth.Kind {
	case AuthBasic:
		return basic(c.Auth.Username, secret)
	case AuthClientCredentials, AuthAuthorizationCode:
		return bearer(secret)
	case AuthAPIKey:
		return keyOf(c, known, secret)
	}
	return credential{}
}

func keyOf(c *Connector, known *catalog.Catalogue, key string) credential {
	switch c.Type {
	case "JIRA_CLOUD", "ATLASSIAN_CONFLUENCE":
		if c.Auth.Email != "" {
			return basic(c.Auth.Email, key)
		}
		return bearer(key)
	case "ZENDESK_SUITE":
		if c.Auth.Email != "" {
			return basic(c.Auth.Email+"/token", key)
		}
		return bearer(key)
	case "BAMBOO_HR":
		return basic(key, "x")
	case "PAGERDUTY_ADVANCE":
		return credential{header: "Authorization", value: "Token token=" + key, hidden: []string{key}}
	case catalog.GenericHTTP:
		where := &catalog.APIKey{In: "header", Name: defaultKey}
		if known != nil && known.Key != nil {
			where = known.Key
		}
		if where.In == "query" {
			return credential{query: where.Name, value: key, hidden: []string{key, url.QueryEscape(key)}}
		}
		return credential{header: where.Name, value: where.Prefix + key, hidden: []string{key}}
	}
	return bearer(key)
}

// apply adds the credential to a request.
func (c credential) apply(r *http.Request) {
	switch {
	case c.header != "":
		r.Header.Set(c.header, c.value)
	case c.query != "":
		// A next page may carry the key already.
		query := r.URL.Query()
		if query.Get(c.query) == c.value {
			return
		}
		more := component(c.query) + "=" + component(c.value)
		if r.URL.RawQuery != "" {
			more = r.URL.RawQuery + "&" + more
		}
		r.URL.RawQuery = more
	}
}

// maskedCredentials adds to a dry run what credentials would be sent, masked.
func (p *plan) maskedCredentials(header http.Header, u *url.URL) {
	if p.catalogue.AWS != nil {
		header.Set("Authorization", "AWS4-HMAC-SHA256 "+Mask)
		return
	}
	c := credentialOf(p.connector, p.catalogue, Mask)
	switch {
	case c.query != "":
		r := &http.Request{URL: u}
		c.apply(r)
	case c.header == "":
	case p.connector.Auth.Kind == AuthBasic, c.value[:min(6, len(c.value))] == "Basic ":
		header.Set(c.header, "Basic "+Mask)
	default:
		header.Set(c.header, c.value)
	}
}

// secret is the connector's own secret, or a token.
func (r *run) secret(ctx context.Context) (string, error) {
	auth := &r.plan.connector.Auth
	switch auth.Kind {
	case AuthBasic:
		return auth.Password.Reveal(), nil
	case AuthAPIKey:
		return auth.Key.Reveal(), nil
	case AuthClientCredentials, AuthAuthorizationCode:
		if r.token.Value.Empty() {
			if auth.Tokens == nil {
				return "", failure(CredentialsRefused, nil, "The connector %q has no token to call with.", r.plan.connector.ID)
			}
			token, err := auth.Tokens.Token(ctx)
			if err != nil {
				return "", err
			}
			r.token = token
		}
		return r.token.Value.Reveal(), nil
	}
	return "", nil
}
