package duckdb

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

var ordersSchema = change.Schema{Table: "Orders", Keys: []change.KeyColumn{{Name: "Id", Type: change.String}, {Name: "n", Type: change.Number}}}

// replicated is a fixture with a copy that is being loaded.
type replicated struct {
	*fixture
	r *Replica
	g *change.Generation
}

func (f *fixture) replica(fence int64, spec ReplicaSpec) *Replica {
	f.Helper()
	spec.IntegrationID = "3b1e"
	if spec.Schema.Table == "" {
		spec.Schema = ordersSchema
	}
	r, err := f.w.Replica(f.Context(), "dev", spec)
	f.must(err)
	_, _, err = r.Recover(f.Context(), fence)
	f.must(err)
	return r
}

func (f *fixture) replicated(spec ReplicaSpec) *replicated {
	f.Helper()
	x := &replicated{fixture: f, r: f.replica(1, spec)}
	var err error
	x.g, err = x.r.Begin(f.Context(), change.Table{Schema: x.r.spec.Schema, ID: "a"}, change.Marks{"s": "0"})
	f.must(err)
	return x
}

func order(id, n string, version int) change.Row {
	id2 := strings.ReplaceAll(id, "\x00", `\u0000`)
	return change.Row{Keys: [2]string{id, n}, Doc: fmt.Appendf(nil, `{"Id":{"S":"%s"},"n":{"N":"%s"},"v":{"N":"%d"}}`, id2, n, version)}
}

func noOrder(id, n string) change.Row { return change.Row{Keys: [2]string{id, n}} }

func (x *replicated) load(rows ...change.Row) {
	x.Helper()
	x.must(x.r.Load(x.Context(), change.Batch{Rows: rows, Marks: []change.Mark{{Part: "p", After: "1"}}, Bytes: 100}))
}

func (x *replicated) apply(rows ...change.Row) {
	x.Helper()
	x.must(x.r.Apply(x.Context(), x.g, change.Batch{Rows: rows, Marks: []change.Mark{{Part: "s", After: "1"}}, Bytes: 10}))
}

func TestReplicaTable(t *testing.T) {
	f := newFixture(t)
	x := f.replicated(ReplicaSpec{})
	s := f.connect()
	x.load(order("a", "1.5", 1), order("b", "2", 1), order("c", "3", 1))
	x.apply(order("a", "1.5", 2))

	// What is being loaded is nowhere to be seen.
	if tables, err := s.Tables(t.Context(), "", "", ""); err != nil || slices.ContainsFunc(tables, func(i TableInfo) bool { return i.Schema == "public" }) {
		t.Errorf("tables while loading: %v, %v", tables, err)
	}
	if cols, err := s.Columns(t.Context(), "", "public", "penstock$rows_1"); err != nil || cols != nil {
		t.Errorf("columns of a hidden table: %v, %v", cols, err)
	}
	for _, view := range []string{"svv_all_tables", "svv_tables", "svv_redshift_tables", "svv_all_columns", "svv_columns", "pg_table_def"} {
		if got := f.query(s, "SELECT * FROM "+view+" v WHERE CAST(v AS VARCHAR) LIKE '%rows_%'"); len(got) != 0 {
			t.Errorf("%s shows %v", view, got)
		}
	}
	for _, sql := range []string{
		`SELECT * FROM "penstock$rows_1"`, `SELECT * FROM penstock$rows_1`, `SELECT * FROM dev.public."PENSTOCK$rows_1"`, `DROP TABLE "penstock$rows_1"`,
		`DELETE FROM public."penstock$rows_1"`, `SELECT * FROM penstock.changes_1`, `UPDATE penstock.replicas SET fence = 0`, `WITH x AS (FROM "penstock$rows_1") FROM x`,
		`CREATE TABLE "penstock$rows_2" (a int)`, `DESCRIBE "penstock$rows_1"`,
	} {
		if _, err := rows(t.Context(), s, sql); !fault.Is(err, fault.NotFound, "") && !fault.Is(err, fault.Denied, "") {
			t.Errorf("%s: %v", sql, err)
		}
	}

	f.must(x.r.Publish(t.Context()))
	x.apply(noOrder("b", "2"), order("c", "3", 2), order("d", "-4", 1), order("e", "5", 1))
	if got := f.query(s, `SELECT * FROM orders ORDER BY 1`); fmt.Sprint(got) != `[[a 1.5000000000 {"Id":{"S":"a"},"n":{"N":"1.5"},"v":{"N":"2"}}]`+
		` [c 3.0000000000 {"Id":{"S":"c"},"n":{"N":"3"},"v":{"N":"2"}}] [d -4.0000000000 {"Id":{"S":"d"},"n":{"N":"-4"},"v":{"N":"1"}}] [e 5.0000000000 {"Id":{"S":"e"},"n":{"N":"5"},"v":{"N":"1"}}]]` {
		t.Errorf("rows = %v", got)
	}
	want := `[[public Orders Id character varying(65535) true] [public Orders n numeric(38,10) true] [public Orders value super true]]`
	if got := f.query(s, `SELECT schemaname, tablename, "column", type, "notnull" FROM pg_table_def ORDER BY 3`); fmt.Sprint(got) != want {
		t.Errorf("pg_table_def = %v", got)
	}
	if tables, err := s.Tables(t.Context(), "", "public", ""); err != nil || len(tables) != 1 || tables[0] != (TableInfo{"public", "Orders", "TABLE"}) {
		t.Errorf("tables: %v, %v", tables, err)
	}
	cols, err := s.Columns(t.Context(), "", "", "Orders")
	if err != nil || len(cols) != 3 || cols[2].TypeName != "super" || cols[1].Precision != 38 || cols[1].Scale != 10 {
		t.Errorf("columns: %+v, %v", cols, err)
	}
}

func TestReplicaViews(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 30, 0, time.UTC)
	f := newFixture(t, func(o *Options) { o.Now = func() time.Time { return now } })
	s := f.connect()
	for _, v := range []string{"svv_integration_table_state", "sys_integration_activity", "sys_integration_table_activity", "sys_integration_table_state_change"} {
		if got := f.query(s, "SELECT * FROM "+v); len(got) != 0 {
			t.Errorf("%s of nothing: %v", v, got)
		}
	}
	x := f.replicated(ReplicaSpec{})
	f.must(x.r.State(t.Context(), change.ResyncInitiated, ""))
	x.load(order("a", "1", 1), order("b", "2", 1))
	x.apply(order("a", "1", 2))
	f.must(x.r.Publish(t.Context()))
	f.must(x.r.State(t.Context(), change.Synced, ""))
	now = now.Add(time.Minute)
	x.apply(order("c", "3", 1), noOrder("b", "2"), order("a", "1", 3))
	x.apply(order("d", "4", 1))
	now = now.Add(time.Minute)
	f.must(x.r.State(t.Context(), change.Failed, strings.Repeat("why ", 100)))
	f.must(x.r.State(t.Context(), change.Failed, strings.Repeat("why ", 100)))
	for sql, want := range map[string]string{
		`SELECT integration_id, target_database, schema_name, table_name, table_state, table_last_replicated_checkpoint, length(reason), last_updated_timestamp, table_rows, table_size, is_history_mode FROM svv_integration_table_state`: `[[3b1e dev public Orders Failed {"generation":1,"batches":3} 256 2026-11-22 10:02:30 3 1 false]]`,
		`SELECT integration_id, target_database, source, checkpoint_type, checkpoint_bytes, last_commit_timestamp, modified_tables, integration_start_time, integration_end_time, count(DISTINCT checkpoint_name) OVER () FROM sys_integration_activity ORDER BY 8, 4`: `[[3b1e dev DynamoDB cdc 10 2026-11-22 10:00:30 1 2026-11-22 10:00:30 2026-11-22 10:00:30 2]` +
			` [3b1e dev DynamoDB snapshot 100 2026-11-22 10:00:30 1 2026-11-22 10:00:30 2026-11-22 10:00:30 2]` +
			` [3b1e dev DynamoDB cdc 20 2026-11-22 10:01:30 1 2026-11-22 10:01:30 2026-11-22 10:01:30 2]]`,
		`SELECT checkpoint_name, table_name, table_id, record_time, inserted_rows, deleted_rows, updated_rows, bytes_ingested, transaction_id > 0 FROM sys_integration_table_activity ORDER BY 4, 5`: `[[checkpoints/checkpoint_1_29755320_ Orders 1 2026-11-22 10:00:30 0 0 1 10 true]`,
		`SELECT integration_id, database_name, schema_name, table_name, new_state, substr(state_change_reason, 1, 3), record_time FROM sys_integration_table_state_change ORDER BY record_time, new_state`: `[[3b1e dev public Orders ResyncInitiated  2026-11-22 10:00:30]` +
			` [3b1e dev public Orders Synced  2026-11-22 10:00:30] [3b1e dev public Orders Failed why 2026-11-22 10:02:30]]`,
	} {
		got := fmt.Sprint(f.query(s, sql))
		if strings.Contains(sql, "sys_integration_table_activity") {
			// The minute is in the name.
			if !strings.Contains(got, "_1_") || !strings.Contains(got, " 2 0 0 100 true]") || !strings.Contains(got, " 0 0 1 10 true]") || !strings.Contains(got, " 2 1 1 20 true]") || strings.Count(got, "checkpoints/") != 3 {
				t.Errorf("%s\n%s", sql, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%s\n%s, want\n%s", sql, got, want)
		}
	}
	// After seven days it is forgotten, but for what is so now.
	now = now.Add(8 * 24 * time.Hour)
	x.apply(order("e", "4", 1))
	f.must(x.r.State(t.Context(), change.Synced, ""))
	if got := f.query(s, "SELECT (SELECT count(*) FROM sys_integration_activity), (SELECT count(*) FROM sys_integration_table_state_change), (SELECT table_rows FROM svv_integration_table_state)"); got[0] != "[1 1 4]" {
		t.Errorf("after a week: %v", got)
	}
}

// TestReplicaAmbiguousKeys has items whose key columns are the same, because what did not fit was cut off. They stay
// apart.
func TestReplicaAmbiguousKeys(t *testing.T) {
	t.Run("table", func(t *testing.T) { testAmbiguousKeys(t, defaultSplitLimits) })
	t.Run("split", func(t *testing.T) { testAmbiguousKeys(t, smallLimits) })
}

func testAmbiguousKeys(t *testing.T, limits splitLimits) {
	f := newFixture(t)
	f.w.limits = limits
	x := f.replicated(ReplicaSpec{AcceptInvChars: true})
	x.load(order("a?", "1", 1), order("a\x00", "1", 1), order("n", "0.00000000001", 1), order("n", "0.00000000002", 1))
	x.apply(order("n", "0.00000000003", 1), order("a\x00", "1", 2))
	f.must(x.r.Publish(t.Context()))
	s := f.connect()
	check := func(want string) {
		t.Helper()
		if got := fmt.Sprint(f.query(s, `SELECT value ->> '$.Id.S', value ->> '$.n.N', value ->> '$.v.N' FROM Orders ORDER BY ALL`)); got != want {
			t.Errorf("rows = %q, want %q", got, want)
		}
	}
	check("[[a\x00 1 2] [a? 1 1] [n 0.00000000001 1] [n 0.00000000002 1] [n 0.00000000003 1]]")
	x.apply(order("a?", "1", 3), order("n", "0.00000000002", 2), noOrder("n", "0.00000000001"))
	check("[[a\x00 1 2] [a? 1 3] [n 0.00000000002 2] [n 0.00000000003 1]]")
	// A table that has none learns of the first when it comes.
	y := &replicated{fixture: f, r: f.replica(2, ReplicaSpec{AcceptInvChars: true})}
	var err error
	y.g, err = y.r.Begin(t.Context(), change.Table{Schema: ordersSchema, ID: "b"}, change.Marks{})
	f.must(err)
	y.load(order("a?", "1", 1))
	f.must(y.r.Publish(t.Context()))
	y.apply(order("a\x00", "1", 2))
	y.apply(order("a?", "1", 3))
	check("[[a\x00 1 2] [a? 1 3]]")
	y.apply(noOrder("a\x00", "1"))
	check("[[a? 1 3]]")
	// Without the option the item is refused.
	z := f.replica(3, ReplicaSpec{})
	if err := z.Apply(t.Context(), y.g, change.Batch{Rows: []change.Row{order("b\x00", "1", 1)}}); !fault.Is(err, fault.Invalid, SubjectItem) || !strings.Contains(fault.Message(err), "ACCEPTINVCHARS") {
		t.Errorf("a NUL in a key: %v", err)
	}
}

func TestReplicaState(t *testing.T) {
	f := newFixture(t)
	state := func(table string) string {
		t.Helper()
		state, reason, ok, err := f.w.ReplicaState(t.Context(), "DEV", "public", table)
		f.must(err)
		return fmt.Sprint(state, " ", reason, " ", ok)
	}
	if got := state("Orders"); got != "  false" {
		t.Errorf("of nothing: %s", got)
	}
	r := f.replica(1, ReplicaSpec{})
	if got := state("Orders"); got != "  false" {
		t.Errorf("before it began: %s", got)
	}
	_, err := r.Begin(t.Context(), change.Table{Schema: ordersSchema}, nil)
	f.must(err)
	if got := state("orders"); got != "ResyncInitiated  true" {
		t.Errorf("begun: %s", got)
	}
	f.must(r.State(t.Context(), change.Failed, "an item"))
	if got := state("Orders"); got != "Failed an item true" {
		t.Errorf("failed: %s", got)
	}
	f.must(f.w.Close())
	f.w = New(Options{Dir: f.dir})
	if got := state("Orders"); got != "Failed an item true" {
		t.Errorf("after a restart: %s", got)
	}
	if got := state("other"); got != "  false" {
		t.Errorf("of another: %s", got)
	}
	if _, _, ok, err := f.w.ReplicaState(t.Context(), "nowhere", "public", "Orders"); ok || err != nil {
		t.Errorf("in a database that is not there: %v, %v", ok, err)
	}
	if _, _, ok, err := f.w.ReplicaState(t.Context(), "dev", "other", "Orders"); ok || err != nil {
		t.Errorf("in another schema: %v, %v", ok, err)
	}
	f.must(f.w.RenameDatabase(t.Context(), "dev", "renamed"))
	if got := state("Orders"); got != "  false" {
		t.Errorf("under the old name: %s", got)
	}
	f.must(f.w.RenameDatabase(t.Context(), "renamed", "dev"))
	if got := state("Orders"); got != "Failed an item true" {
		t.Errorf("renamed back: %s", got)
	}
	f.must(f.w.DropDatabase(t.Context(), "dev"))
	f.must(f.w.CreateDatabase(t.Context(), "dev", "", ""))
	if got := state("Orders"); got != "  false" {
		t.Errorf("in a new database: %s", got)
	}
}

func TestDropReplica(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	x := f.replicated(ReplicaSpec{})
	x.load(order("a", "1", 1))
	f.must(x.r.Publish(ctx))
	_, err := x.r.Begin(ctx, change.Table{Schema: ordersSchema, ID: "b"}, change.Marks{"s": "0"})
	f.must(err)
	x.load(order("b", "1", 1))
	f.must(f.w.DropReplica(ctx, "dev", "another"))
	f.must(f.w.DropReplica(ctx, "dev", "3b1e"))
	f.must(f.w.DropReplica(ctx, "dev", "3b1e"))
	if err := f.w.DropReplica(ctx, "nowhere", "3b1e"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("in a database that is not there: %v", err)
	}
	if err := x.r.Apply(ctx, x.g, change.Batch{Rows: []change.Row{order("a", "1", 2)}}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("Apply afterwards: %v", err)
	}
	if _, _, ok, err := f.w.ReplicaState(ctx, "dev", "public", "Orders"); ok || err != nil {
		t.Errorf("state afterwards: %v, %v", ok, err)
	}
	s := f.connect()
	f.query(s, `INSERT INTO orders VALUES ('u', 7, '{}')`)
	if got := f.query(s, "SELECT Id FROM orders ORDER BY 1"); fmt.Sprint(got) != "[[a] [u]]" {
		t.Errorf("rows = %v", got)
	}
	f.must(f.w.with(ctx, "dev", func(s *Session) error {
		return s.conn.each(ctx, "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '%changes%' OR table_name LIKE '%rows%'", nil, func(v []any) error {
			t.Errorf("left behind: %v", v)
			return nil
		})
	}))
	// The name is taken now.
	r := f.replica(5, ReplicaSpec{})
	if _, err := r.Begin(ctx, change.Table{Schema: ordersSchema}, nil); !fault.Is(err, fault.AlreadyExists, SubjectRelation) {
		t.Errorf("Begin over a table of another: %v", err)
	}
	f.query(s, "DROP TABLE orders")
	if _, err := r.Begin(ctx, change.Table{Schema: ordersSchema}, nil); err != nil {
		t.Error(err)
	}
	// Somebody drops the table of a live generation.
	x.r = r
	x.load(order("a", "1", 1))
	f.must(r.Publish(ctx))
	f.query(s, "DROP TABLE orders")
	if live, loading, err := r.Recover(ctx, 6); live != nil || loading != nil || err != nil {
		t.Errorf("recovered %v, %v, %v without the table", live, loading, err)
	}
}

// TestReplicaSplit follows a table from where it is small to where it is large and back to an ordinary one.
func TestReplicaSplit(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	f := newFixture(t, func(o *Options) { o.Now = func() time.Time { return now } })
	limits := splitLimits{rows: 10, direct: 50, recent: 20, age: time.Hour}
	f.w.limits = limits
	x := f.replicated(ReplicaSpec{})
	want := map[string]string{}
	do := func(rows ...change.Row) {
		t.Helper()
		x.apply(rows...)
		for _, r := range rows {
			if r.Doc == nil {
				delete(want, r.Keys[0])
			} else {
				want[r.Keys[0]] = string(r.Doc)
			}
		}
		s := f.connect()
		defer s.Close() //nolint:errcheck // never fails
		got := f.query(s, `SELECT value FROM "Orders"`)
		for _, doc := range want {
			if !slices.Contains(got, "["+doc+"]") {
				t.Fatalf("%s is missing", doc)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d rows, want %d", len(got), len(want))
		}
	}
	state := func(split bool, recent, rows int64) {
		t.Helper()
		f.must(x.r.transact(t.Context(), 0, func(tx *replicaTx) error {
			g, _, err := tx.generations(t.Context())
			if err != nil {
				return err
			}
			v, err := tx.c.one(t.Context(), "SELECT count(*) FROM "+tx.public(tx.rowsTable(g)))
			if err == nil && (g.split != split || g.recent != recent || g.rows != rows || v[0] != rows) {
				t.Errorf("split %v, %d recent changes, %d rows, in truth %d; want %v, %d, %d", g.split, g.recent, g.rows, v[0], split, recent, rows)
			}
			return err
		}))
	}
	several := func(from, to, version int) (rows []change.Row) {
		for i := from; i < to; i++ {
			rows = append(rows, order(fmt.Sprint("k", i), "1", version))
		}
		return rows
	}
	f.must(x.r.Publish(t.Context()))
	do(several(0, 8, 1)...)
	do(several(4, 12, 2)...)
	state(false, 0, 12)
	do(several(11, 14, 3)...) // it is larger than small now
	state(true, 3, 12)
	do(append(several(0, 4, 4), noOrder("k5", "1"), noOrder("k12", "1"), noOrder("none", "1"))...)
	state(true, 9, 12)
	do(several(3, 6, 5)...)
	state(true, 10, 12)
	// What users see is a table.
	s := f.connect()
	if tables, err := s.Tables(t.Context(), "", "public", ""); err != nil || len(tables) != 1 || tables[0] != (TableInfo{"public", "Orders", "TABLE"}) {
		t.Errorf("tables: %v, %v", tables, err)
	}
	for sql, want := range map[string]string{
		`SELECT schema_name, table_name, table_type, remarks FROM svv_all_tables WHERE schema_name = 'public'`:        `[[public Orders TABLE <nil>]]`,
		`SELECT table_name, table_type FROM svv_tables WHERE table_schema = 'public'`:                                 `[[Orders BASE TABLE]]`,
		`SELECT tablename, "column", type FROM pg_table_def WHERE schemaname = 'public' ORDER BY 2`:                   `[[Orders Id character varying(65535)] [Orders n numeric(38,10)] [Orders value super]]`,
		`SELECT column_name, data_type, character_maximum_length, remarks FROM svv_columns ORDER BY ordinal_position`: `[[Id character varying 65535 <nil>] [n numeric <nil> <nil>] [value super <nil> <nil>]]`,
		`SELECT count(*) FROM Orders WHERE Id = 'k5' AND n = 1 AND (value ->> '$.v.N') = '5'`:                         `[[1]]`,
	} {
		if got := fmt.Sprint(f.query(s, sql)); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	if cols, err := s.Columns(t.Context(), "", "", "orders"); err != nil || len(cols) != 3 || cols[0].Length != 65535 || cols[2].TypeName != "super" {
		t.Errorf("columns: %+v, %v", cols, err)
	}
	f.must(s.Close())
	// Another name for the database, another process.
	f.must(f.w.RenameDatabase(t.Context(), "dev", "other"))
	f.must(f.w.RenameDatabase(t.Context(), "other", "dev"))
	f.must(f.w.Close())
	f.w = New(Options{Dir: f.dir, Now: func() time.Time { return now }})
	f.w.limits = limits
	x.r = f.replica(2, ReplicaSpec{})
	do(several(20, 35, 6)...) // enough to tidy up
	state(true, 0, int64(len(want)))
	do(several(30, 40, 7)...)
	do(append(several(0, 60, 8), noOrder("k35", "1"))...) // enough for the table itself
	state(true, 0, int64(len(want)))
	do(several(59, 61, 9)...)
	state(true, 2, 59)
	now = now.Add(2 * time.Hour)
	do(noOrder("k1", "1")) // it is time
	state(true, 0, int64(len(want)))
	if got := f.query(f.connect(), "SELECT table_rows FROM svv_integration_table_state"); got[0] != fmt.Sprintf("[%d]", len(want)) {
		t.Errorf("table_rows = %v, want %d", got, len(want))
	}
	// Loaded again, it is split from the first.
	g, err := x.r.Begin(t.Context(), change.Table{Schema: ordersSchema, ID: "b"}, nil)
	f.must(err)
	x.load(several(0, 30, 10)...)
	f.must(x.r.Publish(t.Context()))
	x.g, want = g, map[string]string{}
	for _, r := range several(0, 30, 10) {
		want[r.Keys[0]] = string(r.Doc)
	}
	state(true, 0, 30)
	do(several(29, 33, 11)...)
	state(true, 4, 30)
	// And in the end an ordinary table with all there is.
	f.must(f.w.DropReplica(t.Context(), "dev", "3b1e"))
	s = f.connect()
	f.query(s, `INSERT INTO "Orders" VALUES ('u', 7, '{}')`)
	if got := f.query(s, `SELECT count(*), count(*) FILTER ((value ->> '$.v.N') = '11') FROM "Orders"`); got[0] != fmt.Sprintf("[%d 4]", len(want)+1) {
		t.Errorf("rows = %v, want %d", got, len(want)+1)
	}
	if got := f.query(s, `SELECT table_name FROM duckdb_tables() WHERE contains(table_name, 'rows_') OR contains(table_name, 'recent_') OR contains(table_name, 'changes_')`); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// TestReplicaOfAnOldFile opens a database from before there were replicas.
func TestReplicaOfAnOldFile(t *testing.T) {
	f := newFixture(t)
	f.must(f.w.with(t.Context(), "dev", func(s *Session) error {
		return s.conn.script(t.Context(), "DROP TABLE penstock.replicas", "DROP TABLE penstock.generations", "DROP TABLE penstock.marks",
			"DROP TABLE penstock.states", "DROP TABLE penstock.activity", "UPDATE penstock.properties SET value = '1' WHERE name = 'layout'")
	}))
	f.must(f.w.Close())
	f.w = New(Options{Dir: f.dir})
	x := f.replicated(ReplicaSpec{})
	x.load(order("a", "1", 1))
	f.must(x.r.Publish(t.Context()))
}

// TestReplicaDiskFull runs a child whose files may not grow for a while.
func TestReplicaDiskFull(t *testing.T) {
	if os.Getenv("PENSTOCK_TEST_DISK") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReplicaDiskFull$", "-test.count=1", "-test.v")
		cmd.Env = append(os.Environ(), "PENSTOCK_TEST_DISK=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	f := newFixture(t)
	x := f.replicated(ReplicaSpec{})
	x.load(order("a", "1", 1))
	f.must(x.r.Publish(t.Context()))
	var many []change.Row
	for i := range 20_000 {
		many = append(many, order(fmt.Sprintf("%x", uint64(i)*0x9E3779B97F4A7C15), "2", i))
	}
	limit := func(n uint64) {
		var r syscall.Rlimit
		f.must(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &r))
		r.Cur = min(n, r.Max)
		f.must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r))
	}
	_, err := x.r.Begin(t.Context(), change.Table{Schema: ordersSchema, ID: "b"}, change.Marks{"s": "0"})
	f.must(err)
	full := func(what string, err error) {
		t.Helper()
		if !fault.Is(err, fault.Unavailable, SubjectWarehouse) || !strings.Contains(fault.Message(err), "Free space") {
			t.Errorf("%s: %v", what, err)
		}
	}
	b := change.Batch{Rows: many, Marks: []change.Mark{{Part: "s", After: "9"}}}
	limit(1 << 20)
	for range 2 {
		full("Load", x.r.Load(t.Context(), b))
		full("Apply", x.r.Apply(t.Context(), x.g, b))
	}
	limit(1 << 62)
	x.r = f.replica(2, ReplicaSpec{})
	live, loading, err := x.r.Recover(t.Context(), 3)
	if err != nil || live.Marks["s"] != "0" || loading.Loaded != 0 || len(loading.Snapshot) != 0 {
		t.Errorf("recovered %+v, %+v, %v", live, loading, err)
	}
	if got := f.query(f.connect(), "SELECT count(*) FROM orders"); got[0] != "[1]" {
		t.Errorf("rows = %v", got)
	}
	f.must(x.r.Apply(t.Context(), x.g, b))
	f.must(x.r.Load(t.Context(), b))
	f.must(x.r.Publish(t.Context()))
	if got := f.query(f.connect(), "SELECT count(*) FROM orders"); got[0] != "[20000]" {
		t.Errorf("rows = %v", got)
	}
}
