package sqlite_test

import (
	"testing"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/store/sqlite"
	"github.com/penstock-io/penstock/internal/store/storetest"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

var (
	_ zeroetl.Store             = (*sqlite.Integrations)(nil)
	_ zeroetl.PolicyStore       = (*sqlite.Policies)(nil)
	_ warehouses.Store          = (*sqlite.Warehouses)(nil)
	_ warehouses.ClusterStore   = (*sqlite.Warehouses)(nil)
	_ warehouses.NamespaceStore = (*sqlite.Warehouses)(nil)
	_ warehouses.WorkgroupStore = (*sqlite.Warehouses)(nil)
	_ warehouses.PartnerStore   = (*sqlite.Warehouses)(nil)
	_ copyjob.Store             = (*sqlite.Jobs)(nil)
	_ copyjob.MessageStore      = (*sqlite.Jobs)(nil)
	_ statements.Store          = (*sqlite.Statements)(nil)
	_ statements.ResultStore    = (*sqlite.Statements)(nil)
	_ appint.AssociationStore   = (*sqlite.Associations)(nil)
	_ appint.ExecutionQueue     = (*sqlite.Executions)(nil)
	_ appint.ExecutionHistory   = (*sqlite.Executions)(nil)
)

// kind stands for buckets.Kind.
type kind string

// stores opens databases for a suite, each name in a directory of its own.
func stores[S any](of func(*sqlite.DB) S) storetest.Open[S] {
	dirs := map[string]string{}
	return func(t *testing.T, name string) (S, func() error) {
		t.Helper()
		key := t.Name() + "/" + name
		if dirs[key] == "" {
			dirs[key] = t.TempDir()
		}
		db, err := sqlite.Open(t.Context(), dirs[key])
		if err != nil {
			t.Fatal(err)
		}
		return of(db), db.Close
	}
}

func TestIntegrations(t *testing.T) {
	storetest.Integrations(t, stores(func(db *sqlite.DB) zeroetl.Store { return db.Integrations() }))
}

func TestPolicies(t *testing.T) {
	storetest.Policies(t, stores(func(db *sqlite.DB) zeroetl.PolicyStore { return db.Policies() }))
}

func TestWarehouses(t *testing.T) {
	storetest.Warehouses(t, stores(func(db *sqlite.DB) storetest.WarehouseStore { return db.Warehouses() }))
}

func TestJobs(t *testing.T) {
	storetest.Jobs(t, stores(func(db *sqlite.DB) storetest.JobStore { return db.Jobs() }))
}

func TestStatements(t *testing.T) {
	storetest.Statements(t, stores(func(db *sqlite.DB) storetest.StatementStore { return db.Statements() }))
}

func TestDocuments(t *testing.T) {
	storetest.Documents(t, stores(func(db *sqlite.DB) storetest.DocumentStore[kind] { return sqlite.NewDocuments[kind](db, "document") }), "document")
}

func TestAppIntegrations(t *testing.T) {
	storetest.AppIntegrations(t, stores((*sqlite.DB).AppIntegrations))
}

func TestEvents(t *testing.T) {
	storetest.Events(t, stores(func(db *sqlite.DB) storetest.EventStore { return sqlite.NewOutbox(db) }))
}
