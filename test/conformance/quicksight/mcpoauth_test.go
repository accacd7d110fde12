package quicksight

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/quicksight"
	"github.com/aws/aws-sdk-go-v2/service/quicksight/types"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// browse does what a user does on the authorization page: it fills the form in and sends it. It returns the query of the
// address that the browser is sent back to, or what the page says otherwise.
func browse(ctx context.Context, address string, fields map[string]string) (back url.Values, said string, err error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	do := func(method, address string, form url.Values) (*http.Response, string, error) {
		r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
		if err != nil {
			return nil, "", err
		}
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		a, err := client.Do(r)
		if err != nil {
			return nil, "", err
		}
		defer a.Body.Close()
		text, err := io.ReadAll(a.Body)
		return a, string(text), err
	}
	a, text, err := do(http.MethodGet, address, nil)
	if err != nil || a.StatusCode != http.StatusOK {
		return nil, text, err
	}
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(text, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for k, v := range fields {
		form.Set(k, v)
	}
	page, _, _ := strings.Cut(address, "?")
	a, text, err = do(http.MethodPost, page, form)
	if err != nil || a.StatusCode != http.StatusSeeOther {
		return nil, text, err
	}
	to, err := a.Location()
	if err != nil {
		return nil, text, err
	}
	return to.Query(), text, nil
}

// TestMCPOAuth: a client that knows the address alone gets in by OAuth, as the user that the form names.
func TestMCPOAuth(t *testing.T) {
	api := newVendor(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"ok":true}`)
	})
	w := start(t)
	for _, id := range []string{"mine", "hers"} {
		w.create(id, types.ActionConnectorTypeGenericHttp, &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeNone,
			AuthenticationMetadata: &types.AuthenticationMetadataMemberNoneConnectionMetadata{Value: types.NoneConnectionMetadata{BaseEndpoint: &api.URL}}})
	}
	w.grant("hers", alice)
	for name, tc := range map[string]struct {
		fields map[string]string
		tools  int // of the connectors that the user may use; 0 for a refusal
	}{
		"the root user":  {map[string]string{"access_key_id": "penstock", "secret_access_key": "penstock"}, 10},
		"alice":          {map[string]string{"access_key_id": "penstock", "secret_access_key": "penstock", "user": alice}, 5},
		"a wrong secret": {map[string]string{"access_key_id": "penstock", "secret_access_key": "guess"}, 0},
		"a denial":       {map[string]string{"answer": "deny"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			fetch := func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
				back, said, err := browse(ctx, args.URL, tc.fields)
				if err == nil && back.Get("code") == "" {
					err = fmt.Errorf("%s %s", back, said)
				}
				return &auth.AuthorizationResult{Code: back.Get("code"), State: back.Get("state"), Iss: back.Get("iss")}, err
			}
			handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
				DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
					ClientName: "A <test>", RedirectURIs: []string{"http://127.0.0.1:8976/back"}, TokenEndpointAuthMethod: "none",
				}},
				AuthorizationCodeFetcher: fetch,
			})
			if err != nil {
				t.Fatal(err)
			}
			session, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(t.Context(), &mcp.StreamableClientTransport{
				Endpoint: w.Endpoint() + "/_penstock/mcp", OAuthHandler: handler,
			}, nil)
			if tc.tools == 0 {
				if err == nil {
					session.Close()
					t.Error("let in")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			list, err := session.ListTools(t.Context(), nil)
			if err != nil || len(list.Tools) != tc.tools {
				t.Fatalf("%v: %d tools", err, len(list.Tools))
			}
			got, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "hers_GET", Arguments: object{"uri": "/things"}})
			if err != nil || got.IsError {
				t.Errorf("%v %+v", err, got)
			}
		})
	}
}

// grant lets a user of QuickSight use a connector.
func (w *world) grant(id, user string) {
	w.t.Helper()
	if _, err := w.qs.UpdateActionConnectorPermissions(w.t.Context(), &sdk.UpdateActionConnectorPermissionsInput{
		AwsAccountId: aws.String(account), ActionConnectorId: &id,
		GrantPermissions: []types.ResourcePermission{{Principal: &user, Actions: []string{"quicksight:DescribeActionConnector"}}},
	}); err != nil {
		w.t.Fatal(err)
	}
}
