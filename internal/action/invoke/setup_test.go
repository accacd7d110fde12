package invoke_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/internal/action/catalog"
	"github.com/penstock-io/penstock/internal/action/egress"
	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/action/vendortest"
	"github.com/penstock-io/penstock/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// out makes an egress that trusts and reaches the servers of tests.
func out(t testing.TB, pool *x509.CertPool) http.RoundTripper {
	t.Helper()
	e, err := egress.New(egress.Policy{AllowHTTP: true, AllowedNetworks: egress.Everywhere(), RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e.Transport()
}

func poolOf(servers ...*httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, s := range servers {
		if s.Certificate() != nil {
			pool.AddCert(s.Certificate())
		}
	}
	return pool
}

func engine(t testing.TB, c invoke.Config, servers ...*httptest.Server) *invoke.Engine {
	t.Helper()
	transport := out(t, poolOf(servers...))
	if c.Egress == nil {
		c.Egress = map[string]http.RoundTripper{"": transport}
	}
	if c.Wait == nil {
		c.Wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	if c.AWS.Credentials == nil {
		c.AWS.Credentials = func(context.Context) (invoke.AWSCredentials, error) {
			return invoke.AWSCredentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret.NewText("wJalrXUtnFEMI")}, nil
		}
	}
	if c.AWS.Endpoints == nil && len(servers) > 0 {
		c.AWS.Endpoints = map[string]string{}
		for _, service := range []string{"s3", "textract", "comprehend", "comprehendmedical", "bedrock-runtime", "bedrock-agent-runtime", "bedrock-data-automation-runtime"} {
			c.AWS.Endpoints[service] = servers[0].URL
		}
	}
	e, err := invoke.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func vendor(t testing.TB, typ string) *vendortest.Server {
	t.Helper()
	s, err := vendortest.New(typ)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// handler starts a TLS server of a test's own.
func handler(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s
}

// basePath is what vendors have between their host and the paths of their catalogue.
func basePath(typ string) string {
	switch {
	case typ == "SLACK":
		return "/api"
	case strings.HasPrefix(typ, "MICROSOFT_"):
		return "/v1.0"
	case strings.HasPrefix(typ, "SAP_"):
		return "/sap/opu/odata/sap/API_SERVICE"
	case typ == "SMARTSHEET":
		return "/2.0"
	case typ == "ASANA":
		return "/api/1.0"
	case typ == "BAMBOO_HR":
		return "/api/gateway.php/acme/v1"
	}
	return ""
}

// tokens are of one user, and count.
type tokens struct {
	mu        sync.Mutex
	now       string
	next      []string
	instance  string
	err       error
	refreshes int
}

func (k *tokens) Token(context.Context) (invoke.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return invoke.Token{Value: secret.NewText(k.now), InstanceURL: k.instance}, k.err
}

func (k *tokens) Refresh(_ context.Context, refused invoke.Token) (invoke.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refreshes++
	if len(k.next) == 0 {
		return invoke.Token{}, errors.New("there is no other token")
	}
	if refused.Value.Reveal() == k.now {
		k.now, k.next = k.next[0], k.next[1:]
	}
	return invoke.Token{Value: secret.NewText(k.now), InstanceURL: k.instance}, nil
}

func (k *tokens) refreshed() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.refreshes
}

// key, basic and sign-in are the ways to authenticate of most tests.
func key(k, email string) invoke.Auth {
	return invoke.Auth{Kind: invoke.AuthAPIKey, Key: secret.NewText(k), Email: email}
}

func basicAuth(user, password string) invoke.Auth {
	return invoke.Auth{Kind: invoke.AuthBasic, Username: user, Password: secret.NewText(password)}
}

func signIn(token string) invoke.Auth {
	return invoke.Auth{Kind: invoke.AuthAuthorizationCode, Tokens: &tokens{now: token}}
}

func application(token string) invoke.Auth {
	return invoke.Auth{Kind: invoke.AuthClientCredentials, Tokens: &tokens{now: token}}
}

func call(typ, base string, auth invoke.Auth, action, arguments string) invoke.Call {
	return invoke.Call{Connector: invoke.Connector{ID: "test", Type: typ, BaseURL: base, Auth: auth}, Action: action, Arguments: json.RawMessage(arguments)}
}

func authOf(typ string) invoke.Auth {
	switch {
	case strings.HasPrefix(typ, "AMAZON_"):
		return invoke.Auth{Kind: invoke.AuthIAM, RoleARN: "arn:aws:iam::123456789012:role/connector"}
	case strings.HasPrefix(typ, "SAP_"):
		return basicAuth("user", "pass")
	case typ == catalog.GenericHTTP:
		return invoke.Auth{Kind: invoke.AuthNone}
	}
	return signIn("token-1")
}

func code(err error) invoke.Code {
	var e *invoke.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}
