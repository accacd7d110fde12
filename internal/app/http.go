package app

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/config"
	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/actions"
	"github.com/penstock-io/penstock/internal/front/appintegrations"
	"github.com/penstock-io/penstock/internal/front/dynamodb"
	eventfront "github.com/penstock-io/penstock/internal/front/events"
	"github.com/penstock-io/penstock/internal/front/mcpauth"
	"github.com/penstock-io/penstock/internal/front/ownapi"
	"github.com/penstock-io/penstock/internal/front/quicksight"
	"github.com/penstock-io/penstock/internal/front/redshift"
	"github.com/penstock-io/penstock/internal/front/redshiftdata"
	"github.com/penstock-io/penstock/internal/front/redshiftserverless"
	"github.com/penstock-io/penstock/internal/front/sts"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/relay"
	"github.com/penstock-io/penstock/internal/source/s3"
	"github.com/penstock-io/penstock/internal/sql/dialect"
	"github.com/penstock-io/penstock/internal/wire"
)

// newHandler puts the fronts behind one port.
func (s *server) newHandler(ctx context.Context) (*wire.Handler, error) {
	address, _, err := net.SplitHostPort(s.config.Listen)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(address); address == "" || ip != nil && ip.IsUnspecified() {
		address = "localhost" // as good a name as any for every interface
	}
	buckets, raw, err := s.elsewhere(ctx)
	if err != nil {
		return nil, err
	}
	connectors := actions.New(s.actions)
	services := []*wire.Service{
		redshift.New(redshift.Config{Integrations: s.integrations, Warehouses: s.warehouses, Address: address}).Service(),
		redshiftserverless.New(redshiftserverless.Config{Warehouses: s.warehouses, Address: address}).Service(),
		redshiftdata.New(redshiftdata.Config{Statements: s.statements, Warehouses: s.warehouses, Catalog: catalog{s.engines}, Redact: dialect.Redact}).Service(),
		appintegrations.New(s.appint).Service(),
		quicksight.New(s.actions).Service(),
		sts.New().Service(),
	}
	if s.tables != nil {
		services = append(services, dynamodb.Services(dynamodb.Config{DB: s.tables, Region: s.config.Region, Endpoint: s.config.Listen, Now: s.now})...)
	}
	public := map[string]http.Handler{action.CallbackPath: http.HandlerFunc(connectors.Callback), "/" + events.Prefix: s.webhooks}
	maps.Copy(public, s.tokens.Public())
	return wire.New(wire.Config{
		Services: services,
		S3:       buckets,
		Raw:      raw,
		Health:   http.HandlerFunc(s.health),
		Metrics:  s.metrics.Handler(),
		Internal: func(w http.ResponseWriter, r *http.Request, caller identity.Caller) {
			switch path := r.URL.Path; {
			case actions.Serves(path):
				connectors.Handle(w, r, caller)
			case path == mcpauth.ServerPath:
				s.serveMCP(w, r, caller)
			case path == mcpauth.TokensPath:
				s.tokens.Tokens(w, r, caller)
			default:
				s.internal(w, r, caller)
			}
		},
		Public: public,
		Keys:   keys{s}, Region: s.config.Region, Limits: wire.Limits{Grace: s.config.DrainTimeout}, Now: s.now, Log: s.log,
		Observe: func(r wire.Record) { s.metrics.Request(r.Service, r.Operation, r.Status, r.Duration) },
	})
}

// elsewhere are the handlers of buckets and tables: the embedded stores, or the way to the endpoints that
// have them.
func (s *server) elsewhere(ctx context.Context) (buckets http.Handler, raw map[string]http.Handler, err error) {
	if s.buckets != nil {
		buckets = s.buckets.Handler()
	} else if buckets, err = s.newRelay(ctx, relay.S3, s.config.S3Endpoint); err != nil {
		return nil, nil, err
	}
	if s.config.DynamoDBEndpoint == config.Embedded {
		return buckets, nil, nil
	}
	tables, err := s.newRelay(ctx, relay.DynamoDB, s.config.DynamoDBEndpoint)
	return buckets, map[string]http.Handler{"dynamodb": tables}, err
}

// health is GET /_penstock/health: it answers once requests are answered.
func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"status": "ready", "version": s.build.Version, "region": s.config.Region, "account": s.config.AccountID})
}

// maxEvents is how large a notification of S3 events may be.
const maxEvents = 1 << 20

// internal serves the rest of /_penstock/, authenticated: the control of embedded tables, of data integrations and of
// events, and POST /_penstock/s3-events, which takes S3 event notification JSON from stores that are not embedded.
func (s *server) internal(w http.ResponseWriter, r *http.Request, _ identity.Caller) {
	if strings.HasPrefix(r.URL.Path, "/_penstock/tables/") && s.tables != nil {
		dynamodb.Control(s.tables).ServeHTTP(w, r)
		return
	}
	if s.controlAppIntegrations(w, r) {
		return
	}
	if path := r.URL.Path; path == eventfront.Root || strings.HasPrefix(path, eventfront.Root+"/") {
		s.eventControl.ServeHTTP(w, r)
		return
	}
	if r.URL.Path != "/_penstock/s3-events" {
		ownapi.Refuse(w, fault.New(fault.NotFound, "path", "there is nothing at %s", r.URL.Path))
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		ownapi.Refuse(w, fault.New(fault.Unsupported, "method", "send S3 event notifications with POST"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEvents))
	if err != nil {
		ownapi.Refuse(w, fault.Wrap(err, fault.Invalid, "body", "the notification could not be read to its end, or is larger than %d bytes", maxEvents))
		return
	}
	files, err := s3.ParseNotification(body)
	if err != nil {
		ownapi.Refuse(w, fault.Wrap(err, fault.Invalid, "body", "%v", err))
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
