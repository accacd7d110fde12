package duckdb

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
)

// TestHostIsOutOfReach sends what an attacker would, straight to a session: no dialect has looked at it.
func TestHostIsOutOfReach(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.query(s, "CREATE TABLE t (a INTEGER)")
	object := f.file("secret.csv", "1,2\n").Path
	out := filepath.Join(t.TempDir(), "out")
	inside := filepath.Join(f.dir, "out")
	for _, sql := range []string{
		// files of the host
		"SELECT * FROM read_text('/etc/passwd')",
		"SELECT * FROM read_csv('/etc/passwd')",
		"SELECT * FROM '/etc/passwd'",
		`SELECT * FROM "/etc/passwd"`,
		"SELECT * FROM glob('/etc/*')",
		// objects of a bucket, which the engine itself can read
		"SELECT * FROM read_csv('" + object + "')",
		"SELECT * FROM READ_TEXT /* hidden */ ('" + object + "')",
		`SELECT * FROM "read_text"('` + object + "')",
		`SELECT * FROM main.read_blob('` + object + "')",
		"SELECT * FROM '" + object + "'",
		`SELECT * FROM "` + object + `"`,
		`SELECT * FROM t, '` + object + "'",
		`SELECT * FROM t JOIN '` + object + "' ON true",
		`SELECT (SELECT max(column0) FROM '` + object + "')",
		"CREATE VIEW v AS SELECT * FROM t, '" + object + "'",
		"CREATE MACRO m() AS TABLE SELECT * FROM '" + object + "'",
		"CREATE TABLE u AS FROM '" + object + "'",
		"UPDATE t SET a = 1 FROM '" + object + "'",
		"DELETE FROM t USING t AS x, '" + object + "'",
		"DESCRIBE '" + object + "'",
		"SUMMARIZE '" + object + "'",
		"PIVOT '" + object + "' ON a",
		"SELECT * FROM query('SELECT * FROM read_text(''" + object + "'')')",
		"SELECT * FROM query_table(['" + object + "'])",
		"SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
		`SELECT * FROM U&"r\0065ad_text"('` + object + "')",
		"SELECT * FROM $$" + object + "$$",
		"SELECT * FROM (('" + object + "'))",
		// writing
		"COPY t TO '" + out + "'",
		"COPY t TO '" + inside + "'",
		"COPY (SELECT 1) TO '" + inside + "'",
		"EXPLAIN ANALYZE COPY t TO '" + inside + "'",
		"EXPLAIN (ANALYZE) COPY t TO '" + inside + "'",
		"EXPORT DATABASE '" + out + "'",
		"EXPORT DATABASE '" + inside + "'",
		"COPY t FROM '" + object + "'",
		// other databases and the instance
		"ATTACH '" + out + "' AS x",
		"ATTACH '" + inside + "' AS x",
		"ATTACH ':memory:' AS x",
		"DETACH dev",
		"DROP DATABASE dev",
		"DROP DATABASE IF EXISTS penstock_system",
		"CREATE DATABASE x",
		"USE system",
		"COPY FROM DATABASE dev TO temp",
		"INSTALL httpfs",
		"LOAD httpfs",
		"LOAD '" + object + "'",
		"UPDATE EXTENSIONS",
		"FORCE INSTALL httpfs",
		// settings
		"SET memory_limit = '100GB'",
		"SET GLOBAL threads = 64",
		"SET search_path = 'main'",
		"SET VARIABLE x = 1",
		"RESET memory_limit",
		"RESET ALL",
		"PRAGMA enable_profiling",
		"PRAGMA threads = 3",
		"PRAGMA database_list",
		"CALL pragma_version()",
		"SELECT * FROM enable_logging()",
		"SELECT * FROM duckdb_settings()",
		"SELECT * FROM duckdb_databases()",
		"SELECT * FROM duckdb_secrets()",
		"CREATE SECRET x (TYPE s3)",
		"CREATE PERSISTENT SECRET x (TYPE s3)",
		"CHECKPOINT",
		"FORCE CHECKPOINT dev",
		"PREPARE p AS SELECT 1",
		"EXECUTE p",
		"BEGIN",
		"COMMIT",
		"ROLLBACK",
		// the warehouse's own tables
		"SELECT * FROM penstock.files",
		"DELETE FROM penstock.files",
		"DELETE FROM dev.penstock.files",
		`DELETE FROM dev."penstock"."files"`,
		`INSERT INTO "PENSTOCK".statements VALUES ('x', now())`,
		"DROP SCHEMA penstock CASCADE",
		"DROP SCHEMA IF EXISTS dev.penstock CASCADE",
		"/* x */ DROP SCHEMA IF EXISTS\"dev\".\"penstock\"",
		"COMMENT ON SCHEMA penstock IS 'x'",
		"CREATE SCHEMA penstock",
		"CREATE OR REPLACE VIEW penstock_system.main.sys_load_history AS SELECT 1",
		"DROP VIEW sys_load_history",
		"DROP VIEW IF EXISTS sys_load_history",
		"DROP MACRO getdate",
		"ALTER VIEW sys_load_history RENAME TO x",
		"SELECT 1; SELECT 2",
		"SELECT 1\x00",
	} {
		got, err := rows(t.Context(), s, sql)
		if err == nil {
			t.Errorf("%s: no error; rows %v", sql, got)
			continue
		}
		if k := fault.KindOf(err); k == fault.Internal {
			t.Errorf("%s: unclassified: %v", sql, err)
		}
		for _, path := range []string{out, inside} {
			if _, err := os.Stat(path); err == nil {
				t.Fatalf("%s: %s was written", sql, path)
			}
		}
		if strings.Contains(fmt.Sprint(err), "root:") {
			t.Errorf("%s: the error shows the file: %v", sql, err)
		}
	}
	// A session on another database cannot drop it either.
	f.must(f.w.CreateDatabase(t.Context(), "other", "admin", ""))
	o, err := f.w.Connect(t.Context(), "other", "admin")
	f.must(err)
	defer o.Close() //nolint:errcheck // never fails
	if _, err := rows(t.Context(), o, "DROP DATABASE dev"); !fault.Is(err, fault.Denied, "") {
		t.Errorf("DROP DATABASE: %v", err)
	}
	// Everything still works, and the ledger is whole.
	f.query(s, "INSERT INTO t VALUES (1)")
	if got := f.query(s, "SELECT a FROM t"); !slices.Equal(got, []string{"[1]"}) {
		t.Errorf("t = %v", got)
	}
	if ids, err := f.w.JobsInLedger(t.Context(), "dev"); err != nil || len(ids) != 0 {
		t.Errorf("ledger: %v, %v", ids, err)
	}
}

// TestGuardLetsHonestStatementsThrough has what looks like the above and is not.
func TestGuardLetsHonestStatementsThrough(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	for _, sql := range []string{
		"CREATE TABLE query (query VARCHAR, place VARCHAR, a INTEGER)",
		"INSERT INTO query (query, place, a) VALUES ('/etc/passwd', 's3://b/x.csv', 1), ('x', '/data/x.json', 2)",
		"SELECT query, place FROM query WHERE query = '/etc/passwd' OR place IN ('s3://b/x.csv', '/y.csv')",
		"SELECT a IS DISTINCT FROM 1, place IS NOT DISTINCT FROM '/data/x.csv' FROM query",
		"SELECT extract(year FROM DATE '2026-01-01'), trim(both 'x' FROM 'xax'), substring('abc' FROM 2)",
		"UPDATE query SET place = '/x.csv' WHERE a = 1",
		"DELETE FROM query WHERE place = '/x.csv'",
		"SELECT 'penstock.files' AS penstock",
		"SELECT * FROM (VALUES ('/a.csv', '/b.csv')) AS v(x, y)",
		"SELECT /* FROM '/etc/passwd' */ 1 -- FROM '/etc/passwd'",
		"CREATE SCHEMA other",
		"CREATE VIEW other.v AS SELECT count(*) AS n FROM query",
		"CREATE VIEW public.sys_load_history AS SELECT 1 AS mine",
		"DROP VIEW public.sys_load_history",
		"ALTER TABLE query ADD COLUMN b INTEGER",
		"COMMENT ON COLUMN query.b IS 'x'",
		"MERGE INTO query USING (SELECT 2 AS a) AS s ON query.a = s.a WHEN MATCHED THEN DELETE",
		"EXPLAIN SELECT * FROM query",
		"EXPLAIN ANALYZE SELECT * FROM query",
		"EXPLAIN (FORMAT json) SELECT 1",
		"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
		"SELECT * FROM generate_series(1, 2)",
		"SELECT e FROM (SELECT unnest([1, 2]) AS e)",
		"TRUNCATE query",
		"DROP TABLE query",
		"DROP SCHEMA other CASCADE",
		"SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
	} {
		if _, err := rows(t.Context(), s, sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestEveryTableFunctionIsKnown fails when the engine has a table function nobody has thought about.
func TestEveryTableFunctionIsKnown(t *testing.T) {
	harmless := []string{
		"duckdb_approx_database_count", "duckdb_columns", "duckdb_constraints", "duckdb_coordinate_systems", "duckdb_dependencies", "duckdb_functions",
		"duckdb_indexes", "duckdb_keywords", "duckdb_memory", "duckdb_optimizers", "duckdb_schemas", "duckdb_sequences", "duckdb_table_sample",
		"duckdb_tables", "duckdb_types", "duckdb_variables", "duckdb_views", "generate_series", "histogram", "histogram_values", "icu_calendar_names",
		"json_each", "json_tree", "pg_timezone_names", "pragma_collations", "pragma_platform", "pragma_show", "pragma_storage_info", "pragma_table_info",
		"pragma_version", "range", "repeat", "sql_auto_complete", "summary", "unnest",
	}
	f := newFixture(t)
	s := f.connect()
	seen := map[string]bool{}
	for _, row := range f.query(s, "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro') AND NOT starts_with(function_name, 'penstock_') ORDER BY 1") {
		name := strings.Trim(row, "[]")
		seen[name] = true
		if refused, ok := slices.Contains(RefusedFunctions(), name), slices.Contains(harmless, name); refused == ok {
			t.Errorf("table function %s: refused %v, harmless %v", name, refused, ok)
		}
	}
	for _, name := range RefusedFunctions() {
		if !seen[name] {
			t.Errorf("refused function %s does not exist in this engine", name)
		}
	}
}

func FuzzGuardText(f *testing.F) {
	for _, seed := range []string{"SELECT 1", "/* /* */", `"a""b`, "E'\\'x'", "$a$x$a$", "FROM ('", "U&'\\0041'", "$1", "'", "é'ß"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		_ = guardText(sql)
		n := 0
		for _, tok := range tokens(sql) {
			n += len(tok.text)
		}
		if n > len(sql)*3 { // lower-casing may lengthen, nothing else does
			t.Errorf("tokens are longer than the statement: %d > %d", n, len(sql))
		}
	})
}
