package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/sql"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/transfer"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
	"github.com/penstock-io/penstock/internal/warehouses"
)

// destinations is the tables of the server's warehouses as data integrations write to them: transfer.Tables.
type destinations struct{ *server }

// loaderUser is who writes for data integrations.
const loaderUser = "appintegrations"

// columnTypes are the Redshift types of a new table's columns.
var columnTypes = map[vendors.Type]string{
	vendors.Text: "varchar(65535)", vendors.Boolean: "boolean", vendors.Integer: "bigint", vendors.Number: "double precision",
	vendors.Date: "date", vendors.Time: "timestamptz", vendors.Nested: "super",
}

// engine finds the warehouse that is reached by a cluster or, failing that, a workgroup.
func (d destinations) engine(ctx context.Context, name string) (*engine, string, error) {
	w, err := d.warehouses.ByCluster(ctx, name)
	if fault.KindOf(err) == fault.NotFound {
		w, err = d.warehouses.ByWorkgroup(ctx, name)
	}
	if fault.KindOf(err) == fault.NotFound {
		err = fault.Wrap(err, fault.NotFound, warehouses.SubjectWarehouse, "there is no cluster and no workgroup %q to load into", name)
	}
	if err != nil {
		return nil, "", err
	}
	e, err := d.engines.available(ctx, w.ID)
	return e, w.ID, err
}

// Prepare is transfer.Tables.
func (d destinations) Prepare(ctx context.Context, t transfer.Table, columns []transfer.Column) (names []string, err error) {
	e, id, err := d.engine(ctx, t.Warehouse)
	if err != nil {
		return nil, err
	}
	c, err := e.Connect(ctx, t.Database, loaderUser)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	have, err := c.Columns(ctx, "", t.Schema, t.Name)
	if err != nil {
		return nil, err
	}
	if have == nil && len(columns) == 0 {
		return nil, fault.New(fault.NotFound, transfer.SubjectDestination, "there is no table %s.%s in the database %q; create it with the columns that the files have", t.Schema, t.Name, t.Database)
	}
	table := quoted(t.Schema) + "." + quoted(t.Name)
	var changes []string
	if have == nil {
		list := make([]string, len(columns))
		for n, col := range columns {
			list[n] = quoted(col.Name) + " " + columnTypes[col.Type]
		}
		changes = append(changes, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (%s)", table, strings.Join(list, ", ")))
	} else {
		for _, col := range columns {
			if _, there := spelled(have, col.Name); !there {
				changes = append(changes, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table, quoted(col.Name), columnTypes[col.Type]))
			}
		}
	}
	if len(changes) > 0 {
		if err := d.execute(ctx, e, id, t.Database, changes); err != nil {
			return nil, err
		}
		if have, err = c.Columns(ctx, "", t.Schema, t.Name); err != nil {
			return nil, err
		}
	}
	for _, col := range columns {
		name, there := spelled(have, col.Name)
		if !there {
			return nil, fault.New(fault.Conflict, transfer.SubjectDestination, "the table %s.%s has lost its column %q meanwhile; leave the table alone and run again", t.Schema, t.Name, col.Name)
		}
		names = append(names, name)
	}
	return names, nil
}

// execute runs statements in Redshift's dialect, so that a table made here is like any other.
func (d destinations) execute(ctx context.Context, e *engine, id, database string, texts []string) (err error) {
	session, err := sql.Open(ctx, d.sqlParts(), e, id, database, loaderUser)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	for _, text := range texts {
		if _, err := session.Run(ctx, text, "", nowhere{}); err != nil {
			return err
		}
	}
	return nil
}

// nowhere is a sql.Sink for statements without a result.
type nowhere struct{}

func (nowhere) Columns([]statements.Column) error { return nil }
func (nowhere) Row([]statements.Value) error      { return nil }
func (nowhere) End() error                        { return nil }

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// spelled finds a column without regard to case.
func spelled(columns []statements.Column, name string) (string, bool) {
	for _, c := range columns {
		if strings.EqualFold(c.Name, name) {
			return c.Name, true
		}
	}
	return "", false
}

// Committed is transfer.Tables.
func (d destinations) Committed(ctx context.Context, t transfer.Table, run string) (bool, error) {
	e, _, err := d.engine(ctx, t.Warehouse)
	if err != nil {
		return false, err
	}
	return e.StatementCommitted(ctx, t.Database, run)
}

// Load is transfer.Tables. The mark of the run commits with its rows (invariant 1).
func (d destinations) Load(ctx context.Context, t transfer.Table, run string, batches []transfer.Batch) (rows int64, err error) {
	e, _, err := d.engine(ctx, t.Warehouse)
	if err != nil {
		return 0, err
	}
	c, err := e.Connect(ctx, t.Database, loaderUser)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }() // which rolls back what is open
	if err := c.Begin(ctx); err != nil {
		return 0, err
	}
	if err := c.MarkStatement(ctx, run); err != nil {
		return 0, err
	}
	for _, b := range batches {
		res, err := c.Load(ctx, load.Request{
			QueryID: d.nextID(), UserID: 100, Table: load.Table{Database: t.Database, Schema: t.Schema, Name: t.Name}, Spec: b.Spec, Source: "data integration, execution " + run, Files: b.Files,
		})
		if err != nil {
			return 0, err
		}
		rows += res.Rows
	}
	return rows, c.Commit(ctx)
}
