package sqlite

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/store/storetest"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

var update = flag.Bool("update", false, "write the golden file; only with a migration that brings older files to the new form")

// What stands in the rows must not change without a migration: a renamed field of a domain's type, for one, would
// change the JSON of its lists. This test notices what a round trip cannot.
func TestStoredForm(t *testing.T) {
	db := open(t, t.TempDir())
	w, c, n, g, p := storetest.Full[warehouses.Warehouse](0), storetest.Full[warehouses.Cluster](100), storetest.Full[warehouses.Namespace](200), storetest.Full[warehouses.Workgroup](300), storetest.Full[warehouses.Partner](400)
	c.WarehouseID, n.WarehouseID, g.Namespace, p.Cluster = w.ID, w.ID, n.Name, c.Identifier
	m := storetest.Full[copyjob.Message](600)
	m.JobID = 1
	st := storetest.Full[statements.Statement](700)
	ctx := t.Context()
	for _, write := range []func() error{
		func() error {
			return db.Integrations().IntegrationCreate(ctx, storetest.Full[zeroetl.Integration](0), 9)
		},
		func() error { return db.Policies().PolicyPut(ctx, storetest.Full[zeroetl.Policy](50)) },
		func() error {
			return db.Warehouses().WarehouseCreate(ctx, w, warehouses.Names{Cluster: &c, Namespace: &n, Workgroup: &g}, 0)
		},
		func() error { _, err := db.Warehouses().PartnerPut(ctx, p); return err },
		func() error { _, err := db.Jobs().JobCreate(ctx, storetest.Full[copyjob.Job](500), 9); return err },
		func() error { return db.Jobs().MessageAdd(ctx, m) },
		func() error { _, _, err := db.Statements().StatementCreate(ctx, st, 9); return err },
		func() error {
			return db.Statements().PagePut(ctx, st.ID, 0, 0, statements.Page{Rows: [][]statements.Value{{int64(1)}}})
		},
		func() error {
			_, err := NewOutbox(db).EventAdd(ctx, []events.Event{storetest.Full[events.Event](2000)})
			return err
		},
		func() error {
			return NewDocuments[string](db, "document").DocumentUpdate(ctx, "bucket", "policy", func([]byte) ([]byte, error) { return []byte("{}"), nil })
		},
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	compareForm(t, dump(t, db), "testdata/form.txt")
}

// compareForm compares what is stored with a golden file, which -update writes.
func compareForm(t *testing.T, got, golden string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Error("the golden file was written; run again without -update")
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for n := range max(len(gotLines), len(wantLines)) {
		var a, b string
		if n < len(gotLines) {
			a = gotLines[n]
		}
		if n < len(wantLines) {
			b = wantLines[n]
		}
		if a != b {
			t.Fatalf("%s:%d: what is stored has another form than before; existing files need a migration.\ngot  %s\nwant %s", golden, n+1, a, b)
		}
	}
}

// dump returns every row of every table of ours, a line for each column.
func dump(t *testing.T, db *DB) string {
	t.Helper()
	var out strings.Builder
	err := db.view(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		tables, err := column1(ctx, tx, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%' ORDER BY name")
		if err != nil {
			return err
		}
		for _, table := range tables {
			columns, err := column1(ctx, tx, "SELECT name FROM pragma_table_info(?)", table)
			if err != nil {
				return err
			}
			for _, c := range columns {
				values, err := column1(ctx, tx, fmt.Sprintf("SELECT CASE typeof(%[1]q) WHEN 'blob' THEN 'x' || hex(%[1]q) ELSE CAST(%[1]q AS TEXT) END FROM %[2]q", c, table))
				if err != nil {
					return err
				}
				for n, v := range values {
					fmt.Fprintf(&out, "%s[%d].%s = %s\n", table, n, c, v)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func column1(ctx context.Context, tx *sql.Tx, query string, args ...any) (out []string, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
