package duckdb

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

func TestValues(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	for _, c := range []struct {
		sql  string
		want any
		typ  string
	}{
		{"NULL", nil, "int4"},
		{"true", true, "bool"},
		{"7::TINYINT", int64(7), "int2"},
		{"-7::SMALLINT", int64(-7), "int2"},
		{"7::INTEGER", int64(7), "int4"},
		{"(-9223372036854775808)::BIGINT", int64(-9223372036854775808), "int8"},
		{"18446744073709551615::UBIGINT", "18446744073709551615", "int8"},
		{"sum(5::BIGINT)", int64(5), "int8"},
		{"170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727", "int8"},
		{"-5::HUGEINT", int64(-5), "int8"},
		{"1.5::REAL", 1.5, "float4"},
		{"1e300::DOUBLE", 1e300, "float8"},
		{"1.50::DECIMAL(4,2)", "1.50", "numeric"},
		{"-0.05::DECIMAL(18,2)", "-0.05", "numeric"},
		{"12::DECIMAL(9,0)", "12", "numeric"},
		{"'-12345678901234567890123456789012345.678'::DECIMAL(38,3)", "-12345678901234567890123456789012345.678", "numeric"},
		{"'tëxt longer than twelve bytes'", "tëxt longer than twelve bytes", "varchar"},
		{"''", "", "varchar"},
		{"'\\x00FFab'::BLOB", []byte("\x00FFab"), "varbyte"},
		{`'{"a":1.50}'::JSON`, `{"a":1.50}`, "super"},
		{"DATE '2026-02-28'", "2026-02-28", "date"},
		{"DATE '0001-01-01'", "0001-01-01", "date"},
		{"DATE '0044-03-15 (BC)'", "0044-03-15 BC", "date"},
		{"DATE 'infinity'", "infinity", "date"},
		{"TIMESTAMP '2026-02-28 01:02:03'", "2026-02-28 01:02:03", "timestamp"},
		{"TIMESTAMP '2026-02-28 01:02:03.000450'", "2026-02-28 01:02:03.00045", "timestamp"},
		{"TIMESTAMP '1969-12-31 23:59:59.999999'", "1969-12-31 23:59:59.999999", "timestamp"},
		{"TIMESTAMP '-infinity'", "-infinity", "timestamp"},
		{"TIMESTAMP_S '2026-02-28 01:02:03'", "2026-02-28 01:02:03", "timestamp"},
		{"TIMESTAMP_MS '2026-02-28 01:02:03.5'", "2026-02-28 01:02:03.5", "timestamp"},
		{"TIMESTAMP_NS '2026-02-28 01:02:03.123456789'", "2026-02-28 01:02:03.123456789", "timestamp"},
		{"TIMESTAMPTZ '2026-02-28 01:02:03+02'", "2026-02-27 23:02:03+00", "timestamptz"},
		{"TIME '01:02:03.5'", "01:02:03.5", "time"},
		{"'01:02:03+05:30'::TIMETZ", "01:02:03+05:30", "timetz"},
		{"'01:02:03-08'::TIMETZ", "01:02:03-08", "timetz"},
		{"INTERVAL '1 year 2 months 3 days 04:05:06.7'", "1 year 2 mons 3 days 04:05:06.7", "intervald2s"},
		{"INTERVAL '-1 second'", "-00:00:01", "intervald2s"},
		{"'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::UUID", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "varchar"},
		{"'10101'::BIT", "10101", "varchar"},
		{"'b'::ENUM('a', 'b')", "b", "varchar"},
		{"[1, NULL, 3]", "[1,null,3]", "super"},
		{"[[1.50::DECIMAL(3,2)], []]", "[[1.50],[]]", "super"},
		{"{'a': 'x\"y', 'b': [DATE '2026-01-01'], 'c': '{\"k\":1}'::JSON}", `{"a":"x\"y","b":["2026-01-01"],"c":{"k":1}}`, "super"},
		{"MAP {'k': 1, 'l': NULL}", `{"k":1,"l":null}`, "super"},
		{"[1, 2]::INTEGER[2]", "[1,2]", "super"},
	} {
		r, err := s.Query(t.Context(), "SELECT "+c.sql+" AS v")
		if err != nil {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		if typ := r.Columns()[0].TypeName; typ != c.typ {
			t.Errorf("%s: type %s, want %s", c.sql, typ, c.typ)
		}
		if !r.Next() {
			t.Errorf("%s: no row: %v", c.sql, r.Err())
		} else if got := r.Values()[0]; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s = %#v, want %#v", c.sql, got, c.want)
		}
		_ = r.Close()
	}
}

// TestValuesOfManyRows reads more than one chunk with NULLs and nested values in it.
func TestValuesOfManyRows(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	r, err := s.Query(t.Context(), `SELECT CASE WHEN i % 3 <> 0 THEN i END, repeat('x', (i % 30)::INTEGER), [i, i + 1][1:(i % 3)::INTEGER], CAST(i AS DECIMAL(20,2)) / 1 FROM range(10000) AS r(i)`)
	f.must(err)
	for i := range int64(10000) {
		if !r.Next() {
			t.Fatalf("ends at %d: %v", i, r.Err())
		}
		v := r.Values()
		want := []any{any(i), strings.Repeat("x", int(i%30)), []string{"[]", fmt.Sprintf("[%d]", i), fmt.Sprintf("[%d,%d]", i, i+1)}[i%3]}
		if i%3 == 0 {
			want[0] = nil
		}
		if !reflect.DeepEqual(v[:3], want) {
			t.Fatalf("row %d = %v, want %v", i, v, want)
		}
	}
	if r.Next() || r.Err() != nil {
		t.Errorf("more rows, or %v", r.Err())
	}
}

func TestColumnMetadata(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.query(s, "CREATE TABLE t (id INTEGER NOT NULL, name VARCHAR DEFAULT 'x', amount DECIMAL(12,2), doc JSON, n BIGINT)")
	for col, comment := range map[string]string{
		"name": `penstock:{"type":"character varying(20)","default":"'x'::varchar"}`, "id": `penstock:{"type":"integer","identity":"1,1"}`, "n": "a comment of the user's",
	} {
		f.query(s, "COMMENT ON COLUMN t."+col+" IS "+literal(comment))
	}
	for _, place := range [][3]string{{"", "", "t"}, {"dev", "public", "T"}, {"DEV", "Public", "t"}} {
		cols, err := s.Columns(t.Context(), place[0], place[1], place[2])
		f.must(err)
		want := []Column{
			{Name: "id", Label: "id", TypeName: "int4", Precision: 10, Signed: true, Schema: "public", Table: "t"},
			{Name: "name", Label: "name", TypeName: "varchar", Length: 20, Precision: 20, Nullable: 1, Schema: "public", Table: "t", Default: "'x'::varchar", CaseSensitive: true},
			{Name: "amount", Label: "amount", TypeName: "numeric", Precision: 12, Scale: 2, Nullable: 1, Schema: "public", Table: "t", Signed: true},
			{Name: "doc", Label: "doc", TypeName: "super", Nullable: 1, Schema: "public", Table: "t", CaseSensitive: true},
			{Name: "n", Label: "n", TypeName: "int8", Precision: 19, Nullable: 1, Schema: "public", Table: "t", Signed: true},
		}
		if !reflect.DeepEqual(cols, want) {
			t.Errorf("%v:\n got %+v\nwant %+v", place, cols, want)
		}
	}
	for _, place := range [][3]string{{"", "", "nope"}, {"", "penstock", "files"}, {"nope", "public", "t"}} {
		if cols, err := s.Columns(t.Context(), place[0], place[1], place[2]); cols != nil || err != nil {
			t.Errorf("%v: %v, %v", place, cols, err)
		}
	}
	for _, schema := range []string{"", "pg_catalog"} {
		if cols, err := s.Columns(t.Context(), "", schema, "SYS_LOAD_HISTORY"); err != nil || len(cols) != 20 || cols[0].Schema != "pg_catalog" {
			t.Errorf("sys_load_history in %q: %v, %v", schema, cols, err)
		}
	}
	f.query(s, "CREATE SCHEMA shop")
	f.query(s, "CREATE VIEW shop.v_1 AS SELECT doc FROM t")
	if cols, err := s.Columns(t.Context(), "", "shop", "v_1"); err != nil || len(cols) != 1 || cols[0].TypeName != "super" {
		t.Errorf("view: %v, %v", cols, err)
	}
	schemas, err := s.Schemas(t.Context(), "", "")
	f.must(err)
	if want := []string{"information_schema", "pg_catalog", "public", "shop"}; !slices.Equal(schemas, want) {
		t.Errorf("schemas = %v", schemas)
	}
	if schemas, err = s.Schemas(t.Context(), "dev", "s%"); err != nil || !slices.Equal(schemas, []string{"shop"}) {
		t.Errorf("schemas s%% = %v, %v", schemas, err)
	}
	tables, err := s.Tables(t.Context(), "dev", "%o%", `%\_1`)
	f.must(err)
	if want := []TableInfo{{"shop", "v_1", "VIEW"}}; !slices.Equal(tables, want) {
		t.Errorf("tables = %v", tables)
	}
	tables, err = s.Tables(t.Context(), "", "", "")
	f.must(err)
	for _, want := range []TableInfo{{"public", "t", "TABLE"}, {"pg_catalog", "sys_copy_job_detail", "SYSTEM VIEW"}} {
		if !slices.Contains(tables, want) {
			t.Errorf("%v is not in %v", want, tables)
		}
	}
	for _, table := range tables {
		if strings.HasPrefix(table.Name, "penstock") || table.Schema == "penstock" {
			t.Errorf("%v is listed", table)
		}
	}
	if _, err := s.Tables(t.Context(), "nope", "", ""); !fault.Is(err, fault.NotFound, SubjectDatabase) {
		t.Errorf("tables of no database: %v", err)
	}
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		s, pattern string
		want       bool
	}{
		{"abc", "", true}, {"abc", "abc", true}, {"abc", "a%", true}, {"abc", "%c", true}, {"abc", "a_c", true}, {"abc", "a_", false}, {"abc", "%b%", true},
		{"a_c", `a\_c`, true}, {"abc", `a\_c`, false}, {"", "%", true}, {"", "_", false}, {"aXbXc", "a%X%c", true}, {"a%", `a\%`, true}, {"ab", `a\`, false},
		{strings.Repeat("a", 5000), strings.Repeat("%a", 20) + "b", false},
	} {
		if got := like(c.s, c.pattern); got != c.want {
			t.Errorf("like(%.20q, %q) = %v", c.s, c.pattern, got)
		}
	}
}

func TestTransactions(t *testing.T) {
	f := newFixture(t)
	s, other := f.connect(), f.connect()
	ctx := t.Context()
	f.query(s, "CREATE TABLE t (a INTEGER)")
	f.must(s.Begin(ctx))
	f.query(s, "INSERT INTO t VALUES (1)")
	if got := f.query(other, "SELECT * FROM t"); got != nil {
		t.Errorf("uncommitted rows are visible: %v", got)
	}
	f.must(s.MarkStatement(ctx, "s-1"))
	f.must(s.Rollback())
	if got := f.query(s, "SELECT * FROM t"); got != nil {
		t.Errorf("rolled back rows are there: %v", got)
	}
	if done, err := f.w.StatementCommitted(ctx, "dev", "s-1"); err != nil || done {
		t.Errorf("mark of a rolled back transaction: %v, %v", done, err)
	}
	f.must(s.Begin(ctx))
	if !s.InTransaction() {
		t.Error("not in a transaction after Begin")
	}
	r, err := s.Query(ctx, "INSERT INTO t SELECT * FROM range(5)")
	f.must(err)
	if r.HasResultSet() || r.Columns() != nil || r.Next() || r.Affected() != 5 {
		t.Errorf("insert: columns %v, affected %d", r.Columns(), r.Affected())
	}
	f.must(s.MarkStatement(ctx, "s-2"))
	f.must(s.Commit(ctx))
	if done, err := f.w.StatementCommitted(ctx, "dev", "s-2"); err != nil || !done {
		t.Errorf("mark of a committed transaction: %v, %v", done, err)
	}
	if done, err := f.w.StatementCommitted(ctx, "nope", "s-2"); err != nil || done {
		t.Errorf("mark in no database: %v, %v", done, err)
	}

	// Any error ends the transaction.
	f.must(s.Begin(ctx))
	f.query(s, "INSERT INTO t VALUES (77)")
	if _, err := rows(ctx, s, "SELECT * FROM nope"); !fault.Is(err, fault.NotFound, SubjectRelation) {
		t.Errorf("missing table: %v", err)
	}
	if _, err := rows(ctx, s, "SELECT 1"); !fault.Is(err, fault.State, SubjectTransaction) {
		t.Errorf("statement in a failed transaction: %v", err)
	}
	if err := s.Commit(ctx); !fault.Is(err, fault.State, SubjectTransaction) {
		t.Errorf("commit of a failed transaction: %v", err)
	}
	if got := f.query(s, "SELECT count(*) FROM t WHERE a = 77"); got[0] != "[0]" {
		t.Errorf("a failed transaction left rows: %v", got)
	}

	// Two writers of one row.
	f.must(s.Begin(ctx))
	f.must(other.Begin(ctx))
	f.query(s, "UPDATE t SET a = 10 WHERE a = 1")
	if _, err := rows(ctx, other, "UPDATE t SET a = 11 WHERE a = 1"); !fault.Is(err, fault.Conflict, SubjectTransaction) {
		t.Errorf("conflict: %v", err)
	}
	f.must(s.Commit(ctx))
	f.must(other.Rollback())

	// One transaction, one database.
	f.must(f.w.CreateDatabase(ctx, "second", "admin", ""))
	f.must(s.Begin(ctx))
	f.query(s, "INSERT INTO t VALUES (1)")
	if _, err := rows(ctx, s, "CREATE TABLE second.public.u (a INTEGER)"); !fault.Is(err, fault.Unsupported, SubjectTransaction) {
		t.Errorf("second database: %v", err)
	}
	f.must(s.Rollback())
	for name, err := range map[string]error{"commit": s.Commit(ctx), "mark": s.MarkStatement(ctx, "x")} {
		if !fault.Is(err, fault.State, SubjectTransaction) {
			t.Errorf("%s without a transaction: %v", name, err)
		}
	}
	f.must(s.Rollback())
}

func TestWhoTheSessionIs(t *testing.T) {
	f := newFixture(t)
	a, b := f.connect(), f.connect()
	got := f.query(a, "SELECT current_user_name(), pg_backend_pid(), version() LIKE 'PostgreSQL 8.0.2%Redshift%'")
	if got[0] != fmt.Sprintf("[admin %d true]", a.PID()) {
		t.Errorf("a is %s", got)
	}
	if other := f.query(b, "SELECT pg_backend_pid()"); other[0] != fmt.Sprintf("[%d]", b.PID()) || a.PID() == b.PID() {
		t.Errorf("b is %s, a %s", other, got)
	}
}

// TestCatalogShowsOneDatabase asks the standard views what there is: the session's database and nothing of ours.
func TestCatalogShowsOneDatabase(t *testing.T) {
	f := newFixture(t)
	f.must(f.w.CreateDatabase(t.Context(), "other", "admin", ""))
	other, err := f.w.Connect(t.Context(), "other", "admin")
	f.must(err)
	defer other.Close() //nolint:errcheck // a test's
	f.query(other, "CREATE TABLE theirs (id INTEGER)")
	s := f.connect()
	f.query(s, "CREATE TABLE ours (id INTEGER, name VARCHAR)")
	f.query(s, `COMMENT ON COLUMN ours.name IS 'penstock:{"type":"character varying(20)"}'`)
	f.query(s, "CREATE VIEW seen AS SELECT id FROM ours")
	for sql, want := range map[string]string{
		`SELECT table_catalog, table_schema, table_name, table_type FROM "information_schema.tables" ORDER BY 3`:              "[dev public ours BASE TABLE] [dev public seen VIEW]",
		`SELECT table_name, column_name, data_type, character_maximum_length FROM "information_schema.columns" ORDER BY 1, 2`: "[ours id integer <nil>] [ours name character varying 20] [seen id integer <nil>]",
		`SELECT schema_name, schema_owner FROM "information_schema.schemata"`:                                                 "[public admin]",
		`SELECT table_name FROM "information_schema.views"`:                                                                   "[seen]",
		`SELECT tablename, tableowner FROM pg_tables`:                                                                         "[ours admin]",
		`SELECT viewname FROM "pg_catalog.pg_views"`:                                                                          "[seen]",
		`SELECT nspname, relname, relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 2`:           "[public ours r] [public seen v]",
		`SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid ORDER BY 1, 2`:                    "[ours id] [ours name] [seen id]",
		`SELECT datname FROM pg_database ORDER BY 1`:                                                                          "[dev] [other]",
		`SELECT usename FROM pg_user`:                                                                                         "[admin]",
		`SELECT setting FROM pg_settings WHERE name = 'server_version'`:                                                       "[8.0.2]",
		`SELECT description FROM pg_description WHERE description LIKE 'penstock:%'`:                                          "",
	} {
		if got := strings.Join(f.query(s, sql), " "); got != want {
			t.Errorf("%s = %s, want %s", sql, got, want)
		}
	}
	cols, err := s.Columns(t.Context(), "", "information_schema", "schemata")
	f.must(err)
	if len(cols) == 0 || cols[0].Schema != "information_schema" || cols[0].Table != "schemata" || cols[0].Name != "catalog_name" {
		t.Errorf("columns of information_schema.schemata: %+v", cols)
	}
	tables, err := s.Tables(t.Context(), "", "%", "%")
	f.must(err)
	for _, want := range []TableInfo{{"public", "ours", "TABLE"}, {"information_schema", "tables", "SYSTEM VIEW"}, {"pg_catalog", "pg_class", "SYSTEM VIEW"}, {"pg_catalog", "svv_tables", "SYSTEM VIEW"}} {
		n := 0
		for _, got := range tables {
			if got == want {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%+v is there %d times", want, n)
		}
	}
}

func TestErrorsAreClassified(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.query(s, "CREATE TABLE t (a INTEGER NOT NULL, b DECIMAL(4,2))")
	f.query(s, "CREATE VIEW v AS SELECT * FROM t")
	for _, c := range []struct {
		sql     string
		kind    fault.Kind
		subject string
		message string
	}{
		{"SELECT * FROM nope", fault.NotFound, SubjectRelation, `relation "nope" does not exist`},
		{"SELECT * FROM public.nope", fault.NotFound, SubjectRelation, `relation "nope" does not exist`},
		{"SELECT * FROM nope.t", fault.NotFound, "", "does not exist"},
		{"SELECT * FROM nope.public.t", fault.NotFound, "", "does not exist"},
		{"INSERT INTO nope VALUES (1)", fault.NotFound, SubjectRelation, `relation "nope" does not exist`},
		{"DROP TABLE nope", fault.NotFound, SubjectRelation, `relation "nope" does not exist`},
		{"CREATE TABLE nope.t (a INTEGER)", fault.NotFound, "", "does not exist"},
		{"SELECT nope FROM t", fault.Invalid, SubjectColumn, `column "nope" does not exist`},
		{"SELECT t.nope FROM t", fault.Invalid, SubjectColumn, `column t.nope does not exist`},
		{"INSERT INTO t (nope) VALUES (1)", fault.Invalid, SubjectColumn, `column "nope" of relation "t" does not exist`},
		{"UPDATE t SET nope = 1", fault.Invalid, SubjectColumn, `column "nope" does not exist`},
		{"SELECT a FROM t x JOIN t y ON x.a = y.a", fault.Invalid, SubjectColumn, `column reference "a" is ambiguous`},
		{"SELECT a FROM t WHERE count(*) > 1", fault.Invalid, SubjectStatement, "aggregates not allowed in WHERE clause"},
		{"SELECT a FROM t WHERE row_number() OVER () > 1", fault.Invalid, SubjectStatement, "window functions not allowed in WHERE clause"},
		{"INSERT INTO t (a) VALUES (1, 2)", fault.Invalid, SubjectStatement, "INSERT has more expressions than target columns"},
		{"INSERT INTO t (a) SELECT 1, 2", fault.Invalid, SubjectStatement, "INSERT has more expressions than target columns"},
		{"SELECT x.a FROM t", fault.Invalid, SubjectRelation, `"x"`},
		{"SELECT nope(1)", fault.NotFound, SubjectFunction, "function nope does not exist"},
		{"CREATE TABLE t (a INTEGER)", fault.AlreadyExists, SubjectRelation, `Relation "t" already exists`},
		{"CREATE SCHEMA public", fault.AlreadyExists, SubjectSchema, `Schema "public" already exists`},
		{"SELEC 1", fault.Invalid, SubjectStatement, `syntax error at or near "SELEC"`},
		{"SELECT (1", fault.Invalid, SubjectStatement, "syntax error"},
		{"SELECT CAST('abc' AS INTEGER)", fault.Invalid, SubjectStatement, `invalid input syntax for type integer: "abc"`},
		{"SELECT CAST('1e9' AS DECIMAL(4,2))", fault.Invalid, SubjectStatement, ""},
		{"SELECT 2147483647::INTEGER + 1::INTEGER", fault.Invalid, SubjectStatement, ""},
		{"SELECT CAST(3e9 AS INTEGER)", fault.Invalid, SubjectStatement, ""},
		{"INSERT INTO t VALUES (NULL, 1)", fault.Invalid, SubjectColumn, "Cannot insert a NULL value into column a"},
		{"SELECT a FROM t GROUP BY b", fault.Invalid, SubjectStatement, "GROUP BY"},
		{"SELECT error('boom')", fault.Invalid, SubjectStatement, "boom"},
		{"", fault.Invalid, SubjectStatement, ""},
	} {
		_, err := rows(t.Context(), s, c.sql)
		if !fault.Is(err, c.kind, c.subject) || !strings.Contains(fault.Message(err), c.message) {
			t.Errorf("%s:\n got %v %q\nwant %v %q %q", c.sql, fault.KindOf(err), err, c.kind, c.subject, c.message)
		}
	}
}

func TestLostDatabase(t *testing.T) {
	for text, want := range map[string]string{
		`IO Error: Checkpoint failed for database "a b". The database has been invalidated. Original error: x`:                                                            "a b",
		`IO Error: Database "x" has been invalidated because checkpointing failed. Detach and reattach it before using it again. Original error: No space left on device`: "x",
		`FATAL Error: Failed: database has been invalidated because of a previous fatal error. The database must be restarted prior to being used again.`:                 "",
		`Catalog Error: Table with name x does not exist!`: "",
	} {
		got := ""
		if m := lostDatabase.FindStringSubmatch(text); m != nil {
			got = m[1]
		}
		if got != want || lostInstance(text) != strings.HasPrefix(text, "FATAL") && !strings.Contains(text, "The database has") {
			t.Errorf("%s: database %q, want %q; instance %v", text, got, want, lostInstance(text))
		}
	}
}

func TestOutOfMemory(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.MemoryLimit = 40 << 20 })
	s := f.connect()
	_, err := rows(t.Context(), s, "SELECT length(string_agg(md5(range::VARCHAR), ',')) FROM range(5000000)")
	if !fault.Is(err, fault.Unavailable, SubjectWarehouse) || !strings.Contains(fault.Message(err), "memory") {
		t.Errorf("got %v", err)
	}
	f.query(s, "SELECT 1")
}

func TestSettingsAndMacros(t *testing.T) {
	f := newFixture(t, func(o *Options) {
		o.Settings = []string{"SET integer_division = true", "SET GLOBAL checkpoint_threshold = '1MB'"}
		o.Macros = []string{"CREATE OR REPLACE MACRO twice(a) AS a * 2", "CREATE OR REPLACE MACRO nvl(a, b) AS coalesce(b, a)"}
	})
	for range 2 {
		if got := f.query(f.connect(), "SELECT 7 / 2, twice(4), nvl(1, 2), current_setting('TimeZone')"); got[0] != "[3 8 2 UTC]" {
			t.Errorf("got %v", got)
		}
	}
	o, err := f.w.Connect(t.Context(), "dev", "")
	f.must(err)
	f.must(o.Close())
	if got := f.query(f.connect(), "SELECT a FROM (VALUES (1), (NULL)) AS v(a) ORDER BY a DESC"); !slices.Equal(got, []string{"[<nil>]", "[1]"}) {
		t.Errorf("NULL does not sort as the largest value: %v", got)
	}
}

func TestReturning(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.query(s, "CREATE TABLE t (a INTEGER)")
	r, err := s.Query(t.Context(), "INSERT INTO t SELECT * FROM range(3000) RETURNING a")
	f.must(err)
	// It is durable before its rows are read.
	if got := f.query(f.connect(), "SELECT count(*) FROM t"); got[0] != "[3000]" {
		t.Errorf("rows = %v", got)
	}
	n := 0
	for r.Next() {
		n++
	}
	if !r.HasResultSet() || n != 3000 || r.Err() != nil {
		t.Errorf("%d rows, %v", n, r.Err())
	}
	// A result that is not read to its end lets go of everything with Close.
	r, err = s.Query(t.Context(), "SELECT * FROM t, range(1000)")
	f.must(err)
	r.Next()
	f.must(r.Close())
	f.must(r.Close())
	f.must(s.Begin(t.Context()))
	f.must(s.Rollback())
	f.query(s, "DROP TABLE t")
}

func TestCancel(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.query(s, "CREATE TABLE t (a BIGINT)")
	const long = "SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE a.range % 7 = b.range % 11"
	for _, sql := range []string{long, "INSERT INTO t " + long} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := rows(ctx, s, sql)
			done <- err
		}()
		waitFor(t, func() bool { return busy(s) })
		cancel()
		select {
		case err := <-done:
			if fault.KindOf(err) != fault.Canceled {
				t.Errorf("%.20s: %v", sql, err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the statement goes on after its context is done")
		}
	}
	if got := f.query(s, "SELECT count(*) FROM t"); got[0] != "[0]" {
		t.Errorf("rows after cancellation: %v", got)
	}
	// In the middle of reading a result.
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Query(ctx, "SELECT range FROM range(1000000000000)")
	f.must(err)
	for range 10 {
		r.Next()
	}
	cancel()
	for r.Next() {
	}
	if fault.KindOf(r.Err()) != fault.Canceled {
		t.Errorf("reading: %v", r.Err())
	}
	// A transaction does not survive.
	ctx, cancel = context.WithCancel(t.Context())
	f.must(s.Begin(ctx))
	f.query(s, "INSERT INTO t VALUES (1)")
	cancel()
	if _, err := s.Query(ctx, "SELECT 1"); fault.KindOf(err) != fault.Canceled {
		t.Errorf("cancelled before the start: %v", err)
	}
	if err := s.Commit(t.Context()); !fault.Is(err, fault.State, "") {
		t.Errorf("commit after cancellation: %v", err)
	}
	if got := f.query(s, "SELECT count(*) FROM t"); got[0] != "[0]" {
		t.Errorf("rows after cancellation: %v", got)
	}
}

// busy reports whether the engine works for the session.
func busy(s *Session) bool {
	if s.mu.TryLock() {
		s.mu.Unlock()
		return false
	}
	return true
}

// waitFor polls a condition that is about to come true.
func waitFor(t testing.TB, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
		runtime.Gosched()
	}
}

// TestResultTakesNoMemory reads a result many times larger than the memory limit.
func TestResultTakesNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 1 GB")
	}
	f := newFixture(t, func(o *Options) { o.MemoryLimit = 100 << 20 })
	s := f.connect()
	before := residentMemory(t)
	r, err := s.Query(t.Context(), "SELECT repeat('x', 1000) || range FROM range(1000000)")
	f.must(err)
	n, most := 0, int64(0)
	for r.Next() {
		if n++; n%100000 == 0 {
			most = max(most, residentMemory(t))
		}
	}
	f.must(r.Err())
	if n != 1000000 || most-before > 300<<20 {
		t.Errorf("%d rows, %d MiB more memory", n, (most-before)>>20)
	}
}

func TestResultEndsWithNextStatement(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	r, err := s.Query(t.Context(), "SELECT range FROM range(100000)")
	f.must(err)
	r.Next()
	f.query(s, "SELECT 1")
	if r.Next() || !fault.Is(r.Err(), fault.State, SubjectStatement) {
		t.Errorf("reading on: %v", r.Err())
	}
	f.must(r.Close())
	f.must(s.Close())
	f.must(s.Close())
	if _, err := s.Query(t.Context(), "SELECT 1"); !fault.Is(err, fault.Unavailable, "") {
		t.Errorf("after close: %v", err)
	}
}

func TestSearchPath(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	ctx := t.Context()
	f.query(s, "CREATE SCHEMA shop")
	f.query(s, "CREATE TABLE shop.t AS SELECT 'shop' AS place")
	f.query(s, "CREATE TABLE t AS SELECT 'public' AS place")
	f.must(s.SetSearchPath(ctx, []string{"$user", "nope", `"Shop"`, "public"}))
	if got := f.query(s, "SELECT place FROM t"); got[0] != "[shop]" {
		t.Errorf("t = %v", got)
	}
	if got := f.query(s, "SELECT current_database(), current_schema(), count(*) FROM sys_load_history"); got[0] != "[dev shop 0]" {
		t.Errorf("got %v", got)
	}
	f.must(s.SetSearchPath(ctx, nil))
	if got := f.query(s, "SELECT place FROM t"); got[0] != "[public]" {
		t.Errorf("t = %v", got)
	}
}

func TestFunctions(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	for sql, want := range map[string]string{
		"getdate() <= now()":      "true",
		"nvl(NULL, 2)":            "2",
		"nvl(NULL, NULL, 3)":      "3",
		"nvl2(1, 'a', 'b')":       "a",
		"nvl2(NULL, 'a', 'b')":    "b",
		"len('äb')":               "2",
		"octet_length('äb')":      "3",
		"charindex('b', 'abc')":   "2",
		"charindex('x', 'abc')":   "0",
		"btrim('  a ')":           "a",
		"btrim('xax', 'x')":       "a",
		"strtol('deadbeef', 16)":  "3735928559",
		"strtol('-101', 2)":       "-5",
		"strtol(' 7 ', 10)":       "7",
		"pg_last_copy_id()":       "-1",
		"pg_last_copy_count()":    "0",
		`json_parse('{"a":[1]}')`: `{"a":[1]}`,
	} {
		if got := f.query(s, "SELECT "+sql); len(got) != 1 || got[0] != "["+want+"]" {
			t.Errorf("%s = %v, want %s", sql, got, want)
		}
	}
	for _, fn := range Functions() {
		if fn.Name == "" || !strings.HasPrefix(fn.Signature, fn.Name+"(") || fn.Description == "" {
			t.Errorf("function %+v is not described", fn)
		}
	}
}
