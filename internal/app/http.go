package app

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"

	"github.com/penstock-io/penstock/internal/front/redshift"
	"github.com/penstock-io/penstock/internal/front/redshiftdata"
	"github.com/penstock-io/penstock/internal/front/redshiftserverless"
	"github.com/penstock-io/penstock/internal/front/sts"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/source/s3"
	"github.com/penstock-io/penstock/internal/sql/dialect"
	"github.com/penstock-io/penstock/internal/wire"
)

// newHandler puts the fronts behind one port.
func (s *server) newHandler() (*wire.Handler, error) {
	address, _, err := net.SplitHostPort(s.config.Listen)
	if err != nil {
		return nil, err
	}
	return wire.New(wire.Config{
		Services: []*wire.Service{
			redshift.New(redshift.Config{Integrations: s.integrations, Warehouses: s.warehouses, Address: address}).Service(),
			redshiftserverless.New(redshiftserverless.Config{Warehouses: s.warehouses, Address: address}).Service(),
			redshiftdata.New(redshiftdata.Config{Statements: s.statements, Warehouses: s.warehouses, Catalog: catalog{s.engines}, Redact: dialect.Redact}).Service(),
			sts.New().Service(),
		},
		S3:       s.s3Handler(),
		Health:   http.HandlerFunc(s.health),
		Metrics:  s.metrics.Handler(),
		Internal: s.internal,
		Keys:     keys{s}, Region: s.config.Region, Limits: wire.Limits{Grace: s.config.DrainTimeout}, Now: s.now, Log: s.log,
		Observe: func(r wire.Record) { s.metrics.Request(r.Service, r.Operation, r.Status, r.Duration) },
	})
}

// s3Handler serves the bucket API.
func (s *server) s3Handler() http.Handler {
	if s.buckets != nil {
		return s.buckets.Handler()
	}
	return s.relay("s3", s.config.S3Endpoint)
}

// health is GET /_penstock/health: it answers once requests are answered.
func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"status": "ready", "version": s.build.Version, "region": s.config.Region, "account": s.config.AccountID})
}

// maxEvents is how large a notification of S3 events may be.
const maxEvents = 1 << 20

// internal serves the rest of /_penstock/, authenticated. POST /_penstock/s3-events takes S3 event
// notification JSON from stores that are not embedded.
func (s *server) internal(w http.ResponseWriter, r *http.Request, _ identity.Caller) {
	if r.URL.Path != "/_penstock/s3-events" {
		http.Error(w, `{"message":"there is nothing at this path"}`, http.StatusNotFound)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, `{"message":"send S3 event notifications with POST"}`, http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEvents))
	if err != nil {
		http.Error(w, `{"message":"the notification is larger than 1 MiB"}`, http.StatusRequestEntityTooLarge)
		return
	}
	files, err := s3.ParseNotification(body)
	if err != nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": err.Error()})
		return
	}
	for _, f := range files {
		if f.Modified.IsZero() {
			f.Modified = s.now()
		}
		s.supervisor.Arrived(f)
	}
	w.WriteHeader(http.StatusNoContent)
}

// keys is account.Service as the wire wants it.
type keys struct{ *server }

// Key is wire.Keys.
func (k keys) Key(ctx context.Context, accessKeyID string) (wire.Key, error) {
	secret, caller, err := k.accounts.Lookup(ctx, accessKeyID)
	return wire.Key{Secret: secret, Caller: caller}, err
}
