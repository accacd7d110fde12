package redshift_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/front/redshift"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// ARNs of the default data warehouse.
const (
	namespace  = "arn:aws:redshift:us-east-1:123456789012:namespace:00000000-0000-4000-8000-000000000001"
	serverless = "arn:aws:redshift-serverless:us-east-1:123456789012:namespace/00000000-0000-4000-8000-000000000001"
	cluster    = "arn:aws:redshift:us-east-1:123456789012:cluster:default"
)

// integrationARN is that of the integration with the nth id.
func integrationARN(n int) string {
	return "arn:aws:redshift:us-east-1:123456789012:integration:" + fronttest.ID(n)
}

// env is a server with this front alone.
type env struct {
	*fronttest.World
	t       testing.TB
	service *wire.Service
}

func setup(t *testing.T) env { return newEnv(t) }

func newEnv(t testing.TB) env {
	t.Helper()
	w := fronttest.New(t)
	return env{w, t, redshift.New(redshift.Config{Integrations: w.Integrations, Warehouses: w.Warehouses, Address: "penstock.test"}).Service()}
}

func (e env) Client() wiretest.Client { return e.World.Client(e.service) }

// call sends a request and returns the answer, whatever it is.
func (e env) call(action string, params ...string) *httptest.ResponseRecorder {
	e.t.Helper()
	return e.Client().Do(e.t, "redshift", wiretest.Query(action, params...))
}

// must is call for what has to succeed.
func (e env) must(action string, params ...string) *httptest.ResponseRecorder {
	e.t.Helper()
	w := e.call(action, params...)
	if w.Code != http.StatusOK {
		e.t.Fatalf("%s: %d %s", action, w.Code, w.Body)
	}
	return w
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		if filepath.Base(file) == "errors.txtar" { // TestDeclared's
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			e := newEnv(t)
			e.Supervised = true
			e.Client().Golden(t, file)
		})
	}
}
