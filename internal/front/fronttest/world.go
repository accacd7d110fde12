// Package fronttest is what the tests of the fronts share: the domains over a real store, with stand-ins for
// everything else of a server, and the walk over every error that a service declares.
//
// Ids and times are the same in every run, so that a request in a golden file can name what an earlier one has
// made: ids count up from 00000000-0000-4000-8000-000000000001, the default data warehouse.
package fronttest

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/store/sqlite"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// Start is what the clock of a World shows first.
var Start = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// ID returns the nth id that a World gives out.
func ID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// World is the domains of a server with the default data warehouse, available. Partners are those of a short
// catalogue. Sources exist unless their name says otherwise, see Check.
type World struct {
	Integrations *zeroetl.Service
	Warehouses   *warehouses.Service
	Statements   *statements.Service

	// AppIntegrations has the quotas and rules of AWS until Relax. The connector profiles
	// are "test" and the name of the vendor.
	AppIntegrations *appint.Service

	// Supervised makes every request be followed by what supervise does.
	Supervised bool
	// Broken is whether Break was called.
	Broken bool

	t      testing.TB
	db     string
	stores appint.Stores

	mu  sync.Mutex
	now time.Time
	ids int
}

// New makes a World in a directory of the test's.
func New(t testing.TB) *World {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	box, err := secret.NewBox(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	w := &World{t: t, db: filepath.Join(dir, sqlite.FileName), stores: db.AppIntegrations(), now: Start}
	w.Warehouses = warehouses.NewService(warehouses.Config{
		Partition: "aws", Region: wiretest.Region, Account: wiretest.Account,
		Warehouses: db.Warehouses(), Clusters: db.Warehouses(), Namespaces: db.Warehouses(), Workgroups: db.Warehouses(), Partners: db.Warehouses(),
		Box: box, Now: w.Now, NewID: w.newID, Notify: func() {}, Catalogue: warehouses.Catalogue{Names: []string{"Datacoral", "Etleap"}},
	})
	w.Integrations = zeroetl.NewService(zeroetl.Config{
		Store: db.Integrations(), Policies: db.Policies(), Sources: w, Targets: w.Warehouses, Now: w.Now, NewID: w.newID, Notify: func() {},
	})
	w.Statements = statements.NewService(statements.Config{Store: db.Statements(), Results: db.Statements(), Now: w.Now, NewID: w.newID, Notify: func() {}})
	w.Relax(false, appint.DefaultQuotas())
	w.Must(w.Warehouses.EnsureDefault(t.Context()))
	w.Supervise()
	return w
}

// Relax makes AppIntegrations anew with other rules over the same store.
func (w *World) Relax(reassociate bool, q appint.Quotas) {
	w.AppIntegrations = appint.NewService(appint.Config{
		Partition: "aws", Region: wiretest.Region, Account: wiretest.Account, Stores: w.stores, Profiles: w, Now: w.Now, NewID: w.newID, Notify: func() {},
		Quotas: q, Reassociate: reassociate,
	})
}

// Profiles implements appint.Profiles.
func (w *World) Profiles(vendor string) []string { return []string{"test", vendor} }

// Must fails the test on an error.
func (w *World) Must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Now is the time, later with every call.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

// Pass lets time pass.
func (w *World) Pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *World) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return ID(w.ids)
}

// Check implements zeroetl.Sources: a source whose ARN ends in "missing" does not exist, and a bucket whose ARN
// ends in "taken" notifies somebody else.
func (w *World) Check(_ context.Context, sourceARN string, _ zeroetl.SourceKind) error {
	switch {
	case strings.HasSuffix(sourceARN, "missing"):
		return fault.New(fault.NotFound, "bucket", "the source %s does not exist; make it first", sourceARN)
	case strings.HasSuffix(sourceARN, "taken"):
		return fault.New(fault.Conflict, "bucket", "the bucket of %s notifies somebody else of created objects already; remove that notification", sourceARN)
	}
	return nil
}

// Supervise does what is to be done, once: data warehouses are made and removed, integrations activated and
// removed.
func (w *World) Supervise() {
	w.t.Helper()
	w.supervise(context.WithoutCancel(w.t.Context()))
}

func (w *World) supervise(ctx context.Context) {
	w.t.Helper()
	integrations, err := w.Integrations.All(ctx)
	w.Must(err)
	for _, i := range integrations {
		switch i.Status {
		case zeroetl.Creating, zeroetl.Modifying:
			w.Must(w.Integrations.Activated(ctx, i.ID))
		case zeroetl.Deleting:
			w.Must(w.Integrations.Removed(ctx, i.ID))
		}
	}
	all, err := w.Warehouses.All(ctx)
	w.Must(err)
	for _, one := range all {
		switch one.State {
		case warehouses.Creating:
			w.Must(w.Warehouses.Created(ctx, one.ID))
		case warehouses.Deleting:
			w.Must(w.Warehouses.Deleted(ctx, one.ID))
		}
	}
}

// Break takes the tables of these names out of the store, so that calls that need them fail inside.
func (w *World) Break(tables ...string) {
	w.t.Helper()
	w.Broken = true
	db, err := sql.Open("sqlite", w.db)
	w.Must(err)
	defer func() { w.Must(db.Close()) }()
	for _, table := range tables {
		_, err := db.ExecContext(w.t.Context(), "DROP TABLE "+table)
		w.Must(err)
	}
}

// Client returns a client of a server with these services.
func (w *World) Client(services ...*wire.Service) wiretest.Client {
	w.t.Helper()
	return w.ClientWithin(wire.Limits{}, services...)
}

// ClientWithin is Client with limits.
func (w *World) ClientWithin(limits wire.Limits, services ...*wire.Service) wiretest.Client {
	w.t.Helper()
	h, err := wire.New(wire.Config{
		Services: services, Keys: wiretest.Keys{}, Region: wiretest.Region, Now: w.Now, Log: slog.New(slog.DiscardHandler), Limits: limits,
	})
	w.Must(err)
	after := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(rw, r)
		if w.Supervised {
			w.supervise(context.WithoutCancel(r.Context()))
		}
	})
	return wiretest.Client{Handler: after, Now: w.Now}
}
