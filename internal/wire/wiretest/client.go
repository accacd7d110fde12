// Package wiretest calls a wire.Handler, or any handler that expects AWS requests, the way a client
// would: signed, over HTTP semantics, without a network. Golden compares whole exchanges with files.
package wiretest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/sigv4"
)

// What the client and Keys agree on unless a test says otherwise.
const (
	AccessKeyID     = "penstock"
	SecretAccessKey = "penstock"
	Region          = "us-east-1"
	Account         = "123456789012"
)

// Caller is who the client is, to Keys.
func Caller() identity.Caller {
	return identity.Caller{
		Partition: "aws", Account: Account, Region: Region, AccessKeyID: AccessKeyID,
		ARN: "arn:aws:iam::" + Account + ":root", UserID: Account,
	}
}

// Keys knows the client's access key and no other. It implements wire.Keys.
type Keys struct{}

// Key implements wire.Keys.
func (Keys) Key(_ context.Context, id string) (wire.Key, error) {
	if id != AccessKeyID {
		return wire.Key{}, fault.New(fault.NotFound, "access key", "there is no access key %q", id)
	}
	return wire.Key{Secret: secret.NewText(SecretAccessKey), Caller: Caller()}, nil
}

// Client sends requests to a handler. The zero values of its fields but Handler stand for the
// constants above and time.Now.
type Client struct {
	Handler     http.Handler
	Credentials sigv4.Credentials
	Region      string
	Now         func() time.Time
}

// Do signs r for service and returns the answer; an empty service leaves r unsigned.
func (c Client) Do(t testing.TB, service string, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	if service != "" {
		c.Sign(t, service, r)
	}
	w := httptest.NewRecorder()
	c.Handler.ServeHTTP(w, r)
	return w
}

// Sign signs r for service in its headers.
func (c Client) Sign(t testing.TB, service string, r *http.Request) {
	t.Helper()
	body := readAll(t, r)
	if c.Credentials.AccessKeyID == "" {
		c.Credentials = sigv4.Credentials{AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey}
	}
	scope := sigv4.Scope{Region: c.Region, Service: service}
	if scope.Region == "" {
		scope.Region = Region
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	rules := sigv4.Rules{S3: service == "s3"}
	if err := sigv4.Sign(r, c.Credentials, scope, sigv4.HashPayload(body), rules, c.Now()); err != nil {
		t.Fatalf("sign: %v", err)
	}
}

func readAll(t testing.TB, r *http.Request) []byte {
	t.Helper()
	if r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("read the request's body: %v", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// Query returns a request of the query protocol with the given names and values in turn.
func Query(action string, params ...string) *http.Request {
	form := url.Values{"Action": {action}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Add(params[i], params[i+1])
	}
	return Raw("POST", "/", "application/x-www-form-urlencoded; charset=utf-8", form.Encode())
}

// JSON returns a request of the JSON protocols. target is what X-Amz-Target says.
func JSON(target, body string) *http.Request {
	r := Raw("POST", "/", "application/x-amz-json-1.1", body)
	r.Header.Set("X-Amz-Target", target)
	return r
}

// REST returns a request of the REST protocol; path is as sent, with its query.
func REST(method, path, body string) *http.Request {
	kind := ""
	if body != "" {
		kind = "application/json"
	}
	return Raw(method, path, kind, body)
}

// Raw returns a request as a server would receive it.
func Raw(method, path, contentType, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body)) //nolint:noctx // as a server gets it; tests that cancel use WithContext
	r.Host = "localhost:4566"
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}
