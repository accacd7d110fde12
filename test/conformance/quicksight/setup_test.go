// Package quicksight tests action connectors on a whole server, with the clients people have: the Go SDK, the AWS
// CLI, boto3, signed requests and a browser's part in a sign-in.
package quicksight

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/quicksight"

	"github.com/penstock-io/penstock/internal/action/oauth/oauthtest"
	"github.com/penstock-io/penstock/test/harness"
)

const account = "123456789012"

// patience is how long anything may take to come true. It is long because the machine may be busy.
const patience = 60 * time.Second

// vendor is an API on this machine that remembers what it was asked.
type vendor struct {
	*httptest.Server
	mu       sync.Mutex
	requests []seen
	answer   func(w http.ResponseWriter, r *http.Request, body []byte)
}

type seen struct {
	method, path, authorization string
	body                        []byte
}

func newVendor(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, body []byte)) *vendor {
	t.Helper()
	v := &vendor{answer: answer}
	v.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		v.mu.Lock()
		v.requests = append(v.requests, seen{r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), body})
		v.mu.Unlock()
		v.answer(w, r, body)
	}))
	t.Cleanup(v.Close)
	return v
}

// newSlowVendor is a vendor that answers what is "slow" only once it is released, and says when that has arrived.
func newSlowVendor(t *testing.T) (v *vendor, arrived <-chan struct{}, release func()) {
	came, released := make(chan struct{}, 1), make(chan struct{})
	v = newVendor(t, func(w http.ResponseWriter, _ *http.Request, body []byte) {
		if strings.Contains(string(body), "slow") {
			came <- struct{}{}
			<-released
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"made":1}`)
	})
	return v, came, func() { close(released) }
}

func (v *vendor) seen() []seen {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]seen(nil), v.requests...)
}

// world is a server whose connectors may reach this machine.
type world struct {
	*harness.Server
	t    *testing.T
	args []string
	dir  string
	qs   *sdk.Client
}

// start runs a server that trusts the certificate of local TLS servers.
func start(t *testing.T, args ...string) *world {
	t.Helper()
	dir := t.TempDir()
	probe := httptest.NewTLSServer(http.NotFoundHandler())
	defer probe.Close()
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: probe.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: filepath.Join(dir, "data"), args: append([]string{"--action-allowed-networks", "127.0.0.0/8", "--action-ca-file", file}, args...)}
	w.boot()
	t.Cleanup(func() {
		select {
		case <-w.Done():
		default:
			if err := w.Stop(); err != nil {
				t.Errorf("stop: %v\n%s", err, w.Tail(20))
			}
		}
	})
	return w
}

func (w *world) boot() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*patience)
	defer cancel()
	s, err := harness.Start(ctx, harness.Options{Dir: w.dir, Args: w.args})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Server = s
	w.qs = sdk.NewFromConfig(harness.Config(s.Endpoint()))
}

type object = map[string]any

// signed sends a request below /_penstock/ the way awscurl does.
func (w *world) signed(method, path string, in any, header ...string) (int, object) {
	w.t.Helper()
	status, out, err := w.try(method, path, in, header...)
	if err != nil {
		w.t.Fatal(err)
	}
	return status, out
}

func (w *world) try(method, path string, in any, header ...string) (int, object, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return 0, nil, err
		}
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.Endpoint()+"/_penstock/"+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	for n := 0; n < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{AccessKeyID: "penstock", SecretAccessKey: "penstock"}, r, hex.EncodeToString(sum[:]), "penstock", "us-east-1", time.Now()); err != nil {
		return 0, nil, err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	var out object
	if err := json.NewDecoder(a.Body).Decode(&out); err != nil && a.StatusCode != http.StatusNoContent {
		return a.StatusCode, nil, fmt.Errorf("%s %s: %d: %w", method, path, a.StatusCode, err)
	}
	return a.StatusCode, out, nil
}

// call calls an action that must succeed and returns the vendor's answer.
func (w *world) call(connector, action string, in object) object {
	w.t.Helper()
	status, out := w.signed("POST", "action-connectors/"+connector+"/actions/"+action, in)
	if status != http.StatusOK {
		w.t.Fatalf("%s of %s: %d %v", action, connector, status, out)
	}
	answer, _ := out["answer"].(object)
	return answer
}

// signIn does what a user's browser does.
func (w *world) signIn(server *oauthtest.Server, address string) (int, string) {
	w.t.Helper()
	c := *server.Client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := c.Get(address)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Body.Close()
	page, err := http.Get(r.Header.Get("Location"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer page.Body.Close()
	text, err := io.ReadAll(page.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return page.StatusCode, string(text)
}

// eventually waits until check is content.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !check() {
		if time.Now().After(deadline) {
			t.Fatalf("%s has not come true", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// api sends a signed request to the QuickSight API with a body of any shape.
func (w *world) api(method, path string, in any) (int, object) {
	w.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.Endpoint()+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{AccessKeyID: "penstock", SecretAccessKey: "penstock"}, r, hex.EncodeToString(sum[:]), "quicksight", "us-east-1", time.Now()); err != nil {
		w.t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer a.Body.Close()
	var out object
	if err := json.NewDecoder(a.Body).Decode(&out); err != nil {
		w.t.Fatal(err)
	}
	return a.StatusCode, out
}
