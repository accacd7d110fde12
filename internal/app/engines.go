package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/redshiftdata"
	"github.com/penstock-io/penstock/internal/pipeline"
	"github.com/penstock-io/penstock/internal/sql"
	"github.com/penstock-io/penstock/internal/sql/dialect"
	"github.com/penstock-io/penstock/internal/sql/sysview"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/supervise"
	"github.com/penstock-io/penstock/internal/warehouse/duckdb"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// engines keeps one engine per warehouse in use.
type engines struct {
	server *server
	dir    string
	mu     sync.Mutex
	open   map[string]*engine
}

// engine is a DuckDB warehouse in the shapes its users want it in.
type engine struct{ *duckdb.Warehouse }

// Create makes the warehouse's directory.
func (e *engines) Create(_ context.Context, w warehouses.Warehouse) error {
	if err := os.MkdirAll(filepath.Join(e.dir, w.ID), 0o700); err != nil {
		return fault.Wrap(err, fault.Unavailable, warehouses.SubjectWarehouse, "the warehouse's directory cannot be made: %v", err)
	}
	return nil // the first database is made at first use, so that a server nobody asks for SQL starts no engine
}

// Remove closes the engine and deletes its files.
func (e *engines) Remove(_ context.Context, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if open := e.open[id]; open != nil {
		delete(e.open, id)
		return open.Warehouse.Remove()
	}
	return os.RemoveAll(filepath.Join(e.dir, id))
}

// Get returns the engine of a warehouse for the loaders.
func (e *engines) Get(ctx context.Context, id string) (supervise.Engine, error) {
	return e.available(ctx, id)
}

// available returns the engine of a warehouse that is available.
func (e *engines) available(ctx context.Context, id string) (*engine, error) {
	w, err := e.server.warehouses.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := w.Ready(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if open := e.open[id]; open != nil {
		return open, nil
	}
	s := e.server
	var system []duckdb.SystemTable
	for _, v := range sysview.Views(sysview.Sources{WarehouseID: id, Jobs: s.jobs, Integrations: s.integrations,
		Pending: func() []sysview.Pending { return s.pending(id) }, Replications: func() []sysview.Replication { return s.replications(id) }}) {
		table := duckdb.SystemTable{Name: v.Name, Rows: v.Rows}
		for _, c := range v.Columns {
			table.Columns = append(table.Columns, duckdb.Column(c))
		}
		system = append(system, table)
	}
	open := &engine{duckdb.New(duckdb.Options{
		Dir: filepath.Join(e.dir, id), ReadDirs: s.readDirs(), MemoryLimit: s.config.MemoryLimit, Threads: s.config.Threads,
		Settings: dialect.Settings(), Macros: dialect.Macros(), System: system, Log: s.log.With("warehouse", id), Now: s.now, NextID: s.nextID,
	})}
	// A warehouse without databases has never been used: one database is always there, because the last one
	// cannot be dropped by a session that is on it.
	databases, err := open.Databases(ctx)
	if err == nil && len(databases) == 0 {
		err = open.CreateDatabase(ctx, w.Database, "admin", id)
	}
	if err != nil {
		return nil, errors.Join(err, open.Close())
	}
	e.open[id] = open
	return open, nil
}

func (e *engines) closeAll() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for id, open := range e.open {
		if err := open.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close warehouse %s: %w", id, err))
		}
		delete(e.open, id)
	}
	return errors.Join(errs...)
}

// pending is at most this many files of each job in SYS_COPY_JOB_DETAIL.
const maxPendingShown = 10_000

func (s *server) pending(warehouseID string) []sysview.Pending {
	var all []sysview.Pending
	for _, p := range s.supervisor.Pending(warehouseID, maxPendingShown) {
		all = append(all, sysview.Pending{Job: p.Job, File: p.File})
	}
	return all
}

// replications are the tables that are being replicated into a warehouse.
func (s *server) replications(warehouseID string) []sysview.Replication {
	var all []sysview.Replication
	for _, r := range s.supervisor.Replications() {
		if r.Integration.WarehouseID == warehouseID {
			all = append(all, sysview.Replication{IntegrationID: r.Integration.ID, Loading: r.Phase == pipeline.Loading, Failed: r.Trouble != "",
				Lag: r.Lag(s.now()), Detected: r.Newest, Applied: r.CaughtUp, Checkpoint: r.Checkpoint()})
		}
	}
	return all
}

// Connect opens a session for the SQL edge.
func (e *engine) Connect(ctx context.Context, database, user string) (sql.Conn, error) {
	s, err := e.Warehouse.Connect(ctx, database, user)
	if err != nil {
		return nil, err
	}
	return conn{s}, nil
}

// Replica is supervise.Engine.
func (e *engine) Replica(ctx context.Context, i zeroetl.Integration, schema change.Schema) (supervise.TableReplica, error) {
	return e.Warehouse.Replica(ctx, i.Destination.Database, duckdb.ReplicaSpec{
		IntegrationID: i.ID, Schema: schema, TruncateColumns: i.Destination.TruncateColumns, AcceptInvChars: i.Destination.AcceptInvChars,
	})
}

// conn is a DuckDB session as the SQL edge's Conn.
type conn struct{ *duckdb.Session }

func (c conn) Query(ctx context.Context, text string) (sql.Rows, error) {
	r, err := c.Session.Query(ctx, text)
	if err != nil {
		return nil, err
	}
	return rows{r}, nil
}

func (c conn) Columns(ctx context.Context, database, schema, table string) ([]statements.Column, error) {
	cols, err := c.Session.Columns(ctx, database, schema, table)
	return columns(cols), err
}

func (c conn) Tables(ctx context.Context, database, schemaPattern, tablePattern string) ([]sql.Table, error) {
	all, err := c.Session.Tables(ctx, database, schemaPattern, tablePattern)
	tables := make([]sql.Table, len(all))
	for i, t := range all {
		tables[i] = sql.Table(t)
	}
	return tables, err
}

type rows struct{ *duckdb.Rows }

func (r rows) Columns() []statements.Column { return columns(r.Rows.Columns()) }

// columns keeps nil apart from empty: nil means that there is no result, or no such table.
func columns(cols []duckdb.Column) []statements.Column {
	if cols == nil {
		return nil
	}
	out := make([]statements.Column, len(cols))
	for i, c := range cols {
		out[i] = statements.Column(c)
	}
	return out
}

// catalog answers the Data API's questions about databases, schemas and tables.
type catalog struct{ engines *engines }

var _ redshiftdata.Catalog = catalog{}

func (c catalog) Databases(ctx context.Context, warehouseID string) ([]string, error) {
	e, err := c.engines.available(ctx, warehouseID)
	if err != nil {
		return nil, err
	}
	return e.Databases(ctx)
}

func (c catalog) Schemas(ctx context.Context, warehouseID, database, pattern string) (names []string, err error) {
	err = c.session(ctx, warehouseID, database, func(s *duckdb.Session) error {
		names, err = s.Schemas(ctx, "", pattern)
		return err
	})
	return names, err
}

func (c catalog) Tables(ctx context.Context, warehouseID, database, schemaPattern, tablePattern string) (tables []redshiftdata.Table, err error) {
	err = c.session(ctx, warehouseID, database, func(s *duckdb.Session) error {
		all, err := s.Tables(ctx, "", schemaPattern, tablePattern)
		for _, t := range all {
			tables = append(tables, redshiftdata.Table(t))
		}
		return err
	})
	return tables, err
}

func (c catalog) Columns(ctx context.Context, warehouseID, database, schema, table string) (cols []statements.Column, err error) {
	err = c.session(ctx, warehouseID, database, func(s *duckdb.Session) error {
		found, err := s.Columns(ctx, "", schema, table)
		cols = columns(found)
		return err
	})
	return cols, err
}

func (c catalog) session(ctx context.Context, warehouseID, database string, do func(*duckdb.Session) error) error {
	e, err := c.engines.available(ctx, warehouseID)
	if err != nil {
		return err
	}
	s, err := e.Warehouse.Connect(ctx, database, "catalog")
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}
