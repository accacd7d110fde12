package dialect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{" ; ;\n-- nothing\n;/* ; */", nil},
		{"select 1", []string{"select 1"}},
		{"select 1; select 2;", []string{"select 1", "select 2"}},
		{"select ';', \";\" -- ;\n/* ; /* ; */ */; b", []string{"select ';', \";\" -- ;\n/* ; /* ; */ */", "b"}},
		{"select 'it\\'s;'; b", []string{"select 'it\\'s;'", "b"}},
		{"select 'it''s;'; b", []string{"select 'it''s;'", "b"}},
		{"create procedure p as $$ begin; end; $$; $x$ ; $$ ; $x$", []string{"create procedure p as $$ begin; end; $$", "$x$ ; $$ ; $x$"}},
		{"-- first\nselect 1;", []string{"-- first\nselect 1"}},
	} {
		got, err := Split(tc.text)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("Split(%q) = %q, %v, want %q", tc.text, got, err, tc.want)
		}
	}
	for _, text := range []string{"select 'a", `select "a`, "/* a", "$$ a", "$x$ a $y$", "E'a\\'"} {
		if got, err := Split(text); err == nil || fault.KindOf(err) != fault.Invalid || Position(err) == 0 {
			t.Errorf("Split(%q) = %q, %v, want an error with a position", text, got, err)
		}
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	params := map[string]string{"id": "5", "name": `it's a \ "name"`}
	got, err := Bind("select :id, ':id', x::int, \":id\" /* :id */ from t where name = :name and id=:id -- :id", params)
	want := `select '5', ':id', x::int, ":id" /* :id */ from t where name = 'it''s a \\ "name"' and id='5' -- :id`
	if err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	for _, tc := range []struct{ sql, value, want string }{
		{"select 'a':id", "b", "select 'a' 'b'"},
		{"select e:id", "b", "select e 'b'"},
		{"select :id'a'", "b", "select 'b' 'a'"},
	} {
		if got, err := Bind(tc.sql, map[string]string{"id": tc.value}); err != nil || got != tc.want {
			t.Errorf("Bind(%q) = %q, %v, want %q", tc.sql, got, err, tc.want)
		}
	}
	for _, tc := range []struct {
		sql    string
		params map[string]string
		want   string
	}{
		{"select :a, :b, :a, :c", map[string]string{"b": "1"}, "a, c"},
		{"select 1", map[string]string{"z": "1", "y": "2"}, "y, z"},
		{"select :Id", map[string]string{"id": "1"}, "Id"},
	} {
		_, err := Bind(tc.sql, tc.params)
		if !fault.Is(err, fault.Invalid, SubjectParameter) || !strings.HasSuffix(err.Error(), ": "+tc.want) {
			t.Errorf("Bind(%q) failed with %v, want it to name %s", tc.sql, err, tc.want)
		}
	}
}

func TestBoundStatementRuns(t *testing.T) {
	t.Parallel()
	sql, err := Bind("SELECT id + :n FROM t WHERE name = :name LIMIT :limit", map[string]string{"n": "5", "name": `a\b's`, "limit": "3"})
	if err != nil {
		t.Fatal(err)
	}
	want := `SELECT id + 5 AS "?column?" FROM t WHERE name = E'a\\b''s' LIMIT '3'`
	if got := outcome(sql, schema(t)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, want string }{
		{"select 'plain'", "select 'plain'"},
		{"copy t from 's3://b' iam_role 'arn:aws:iam::1:role/r'", "copy t from 's3://b' iam_role 'arn:aws:iam::1:role/r'"},
		{"copy t from 's3://b' access_key_id 'A' secret_access_key 'B' session_token 'C' csv",
			"copy t from 's3://b' access_key_id '***' secret_access_key '***' session_token '***' csv"},
		{"copy t from 's3://b' credentials as 'aws_access_key_id=A;aws_secret_access_key=B'", "copy t from 's3://b' credentials as '***'"},
		{"copy t from 's3://b' credentials 'aws_iam_role=arn:aws:iam::1:role/r'", "copy t from 's3://b' credentials 'aws_iam_role=arn:aws:iam::1:role/r'"},
		{"copy t SECRET_ACCESS_KEY wJalr/XUtn+FEMI= csv", "copy t SECRET_ACCESS_KEY *** csv"},
		{"copy t secret_access_key 'unterminated", "copy t secret_access_key '***'"},
		{"create user u password 'p'", "create user u password '***'"},
		{"copy t master_symmetric_key 'k' encrypted", "copy t master_symmetric_key '***' encrypted"},
		{"select 1 -- secret_access_key 'x'", "select 1 /* *** */"},
		{"password $$hush$$'next'", "password '***' 'next'"},
		{"access_key_id $0'", "access_key_id '***' '"},
	} {
		if got := Redact(tc.text); got != tc.want {
			t.Errorf("Redact(%q)\n got  %q\n want %q", tc.text, got, tc.want)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	s, err := Parse("COPY t FROM 's3://b' ACCESS_KEY_ID 'AKIA' SECRET_ACCESS_KEY 'hunter2' SESSION_TOKEN 'hunter3' CSV")
	if err != nil {
		t.Fatal(err)
	}
	c := s.(*Copy)
	if c.SecretAccessKey.Reveal() != "hunter2" || c.SessionToken.Reveal() != "hunter3" {
		t.Errorf("the secrets are lost: %q %q", c.SecretAccessKey.Reveal(), c.SessionToken.Reveal())
	}
	for _, f := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if out := fmt.Sprintf(f, *c); strings.Contains(out, "hunter") || strings.Contains(out, "68756e746572") {
			t.Errorf("%s prints a secret: %s", f, out)
		}
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, name, duck string }{
		{"int4", "integer", "INTEGER"},
		{"VARCHAR(MAX)", "character varying(65535)", "VARCHAR"},
		{"character varying (20)", "character varying(20)", "VARCHAR"},
		{"text", "character varying(256)", "VARCHAR"},
		{"bpchar", "character(256)", "VARCHAR"},
		{"decimal(12, 2)", "numeric(12,2)", "DECIMAL(12,2)"},
		{"numeric", "numeric(18,0)", "DECIMAL(18,0)"},
		{"Timestamp With Time Zone", "timestamp with time zone", "TIMESTAMPTZ"},
		{"float(24)", "real", "REAL"},
		{"varbyte(10)", "binary varying(10)", "BLOB"},
		{"super", "super", "JSON"},
	} {
		got, err := ParseType(tc.text)
		if err != nil || got.String() != tc.name || got.DuckDB != tc.duck {
			t.Errorf("ParseType(%q) = %s as %s, %v, want %s as %s", tc.text, got, got.DuckDB, err, tc.name, tc.duck)
		}
		if again, err := ParseType(got.String()); err != nil || again != got {
			t.Errorf("ParseType(%q) = %+v, %v, want %+v", got.String(), again, err, got)
		}
	}
	for _, text := range []string{"", "varchar(0)", "char(5000)", "numeric(40)", "int foo", "nothing", "varchar(", "geometry"} {
		if got, err := ParseType(text); err == nil {
			t.Errorf("ParseType(%q) = %s, want an error", text, got)
		}
	}
	for duck, want := range map[string]string{
		"BIGINT": "bigint", "HUGEINT": "numeric(38,0)", "DECIMAL(12,2)": "numeric(12,2)", "VARCHAR": "character varying(65535)",
		"JSON": "super", "TIMESTAMP WITH TIME ZONE": "timestamp with time zone", "INTEGER[]": "character varying(65535)", "double": "double precision",
	} {
		if got := TypeOfDuckDB(duck).String(); got != want {
			t.Errorf("TypeOfDuckDB(%s) = %s, want %s", duck, got, want)
		}
	}
	if got := TypeOf("numeric", 0, 12, 2).DuckDB; got != "DECIMAL(12,2)" {
		t.Errorf("TypeOf numeric = %s", got)
	}
	if got := TypeOf("varchar", 20, 0, 0).String(); got != "character varying(20)" {
		t.Errorf("TypeOf varchar = %s", got)
	}
}

// TestRenderingTwice renders what was rendered: DuckDB's dialect is left as it is.
func TestRenderingTwice(t *testing.T) {
	t.Parallel()
	cat := schema(t)
	n := 0
	for _, name := range []string{"super.golden", "functions.golden"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range strings.Split("\n"+string(text), "\n=== ")[1:] {
			_, out, _ := strings.Cut(c, "\n---\n")
			out = strings.TrimSpace(out)
			if strings.HasPrefix(out, "error") || strings.HasPrefix(out, "CREATE TEMP TABLE \"#work2\"") {
				continue
			}
			n++
			if again := outcome(out, cat); again != out {
				t.Errorf("%s became\n%s", out, again)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d statements were rendered twice", n)
	}
}

func TestPlainSQLIsLeftAlone(t *testing.T) {
	t.Parallel()
	cat := schema(t)
	for _, sql := range []string{
		"SELECT id, name AS n FROM t WHERE amount > 1.5 AND name IN ('a', 'b') ORDER BY id DESC LIMIT 10",
		"SELECT a.id FROM t a JOIN orders o ON a.id = o.order_id LEFT JOIN bar b ON true",
		"WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n + 1 AS m FROM c WHERE n < 5) SELECT n FROM c",
		"INSERT INTO orders SELECT * FROM orders WHERE total BETWEEN 1 AND 2",
		"UPDATE t SET amount = amount * 2, flag = NOT flag WHERE id = (SELECT max(order_id) FROM orders)",
		"DELETE FROM t WHERE NOT EXISTS (SELECT 1 FROM orders)",
		"SELECT id FROM t WHERE name LIKE 'a%' GROUP BY id HAVING count(*) > 1",
		"CREATE VIEW v AS SELECT id FROM t",
		"SELECT x FROM unnest([1, 2, 3]) AS u(x)",
		"SELECT value->>'$.a' AS a, value->'$.b' AS b FROM t",
	} {
		if got := outcome(sql, cat); got != sql {
			t.Errorf("%s became\n%s", sql, got)
		}
	}
}

func TestQueryFacts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		sql, verb       string
		readOnly, rows  bool
		target, reading string
	}{
		{"select a from x, y.z join d.e.f on true", "SELECT", true, true, "", "x, y.z, d.e.f"},
		{"(select 1)", "SELECT", true, true, "", ""},
		{"with w as (select * from t) select * from w where a in (select b from u)", "SELECT", true, true, "", "t, w, u"},
		{"values (1)", "VALUES", true, true, "", ""},
		{"explain delete from t", "EXPLAIN", true, true, "", ""},
		{"select 1 into s.t", "SELECT INTO", false, false, "s.t", ""},
		{"insert into a select * from b", "INSERT", false, false, "a", "b"},
		{"update a set b = 1", "UPDATE", false, false, "a", ""},
		{"with w as (select 1) delete a", "DELETE", false, false, "a", ""},
		{"merge into a using b on true when matched then delete", "MERGE", false, false, "a", "b"},
		{"truncate a.b", "TRUNCATE", false, false, "a.b", ""},
		{"create table d.s.t (a int)", "CREATE TABLE", false, false, "d.s.t", ""},
		{"create table t as select * from u", "CREATE TABLE AS", false, false, "t", "u"},
		{"create or replace view v as select * from u", "CREATE VIEW", false, false, "v", "u"},
		{"create schema s", "CREATE SCHEMA", false, false, "s.", ""},
		{"alter table t rename to u", "ALTER TABLE", false, false, "t", ""},
		{"drop table if exists t, u", "DROP TABLE", false, false, "t", ""},
		{"drop view v", "DROP VIEW", false, false, "v", ""},
		{"drop schema s cascade", "DROP SCHEMA", false, false, "s.", ""},
	} {
		s, err := Parse(tc.sql)
		if err != nil {
			t.Errorf("%s: %v", tc.sql, err)
			continue
		}
		q := s.(*Query)
		var reading []string
		for _, n := range q.Reads() {
			reading = append(reading, n.String())
		}
		target := q.Target.String()
		if q.Target == (Name{}) {
			target = ""
		}
		target = strings.TrimSuffix(target, `""`)
		if q.Verb != tc.verb || q.ReadOnly != tc.readOnly || q.ReturnsRows != tc.rows || target != tc.target || strings.Join(reading, ", ") != tc.reading {
			t.Errorf("%s is %s, read only %v, rows %v, of %q reading %q", tc.sql, q.Verb, q.ReadOnly, q.ReturnsRows, target, reading)
		}
	}
}

func TestSuperCase(t *testing.T) {
	t.Parallel()
	s, err := Parse(`SELECT value.Address."Zip".Code FROM t`)
	if err != nil {
		t.Fatal(err)
	}
	q := s.(*Query)
	q.SuperCase = true
	got, err := q.Render(schema(t))
	want := `SELECT json_extract(value, '$."Address"."Zip"."Code"') AS code FROM t`
	if err != nil || got[0] != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

// TestRenderAtOnce renders one query from several goroutines; the race detector watches.
func TestRenderAtOnce(t *testing.T) {
	t.Parallel()
	cat := schema(t)
	s, err := Parse("WITH w AS (SELECT value.a AS x FROM t) SELECT x.b, count(*) FROM w GROUP BY x.b ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	q := s.(*Query)
	want, err := q.Render(cat)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if got, err := q.Render(cat); err != nil || got[0] != want[0] {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
	group.Wait()
}

func TestPositions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		sql  string
		want int
	}{
		{"selec 1", 1}, {"select 'ä' from", 16}, {"  foo", 3}, {"select 1 where", 15}, {"create table t (a int, b foo)", 26},
	} {
		if _, err := Parse(tc.sql); Position(err) != tc.want {
			t.Errorf("%s: position %d, want %d (%v)", tc.sql, Position(err), tc.want, err)
		}
	}
	if got := Position(nil); got != 0 {
		t.Errorf("Position(nil) = %d", got)
	}
}

// TestLargeStatements checks that size costs time in proportion, and depth an error.
func TestLargeStatements(t *testing.T) {
	t.Parallel()
	const n = 20000
	cat := schema(t)
	deep := func(open, middle, end string) string {
		return "SELECT " + strings.Repeat(open, n) + middle + strings.Repeat(end, n)
	}
	for name, tc := range map[string]struct {
		sql  string
		fail bool
	}{
		"additions":    {"SELECT value.a" + strings.Repeat(" + 1", n) + " FROM t", false},
		"conjunctions": {"SELECT 1 FROM t WHERE true" + strings.Repeat(" AND value.a = 'x'", n), false},
		"items":        {"SELECT 1" + strings.Repeat(", value.a", n) + " FROM t", false},
		"values":       {"INSERT INTO sales VALUES (1, 'x')" + strings.Repeat(", (2, '{}')", n), false},
		"unions":       {"SELECT 1" + strings.Repeat(" UNION ALL SELECT 2", n), false},
		"path":         {"SELECT value" + strings.Repeat(".a", n) + " FROM t", false},
		"list":         {"SELECT 1 FROM t WHERE value.a IN ('x'" + strings.Repeat(", 'y'", n) + ")", false},
		"parentheses":  {deep("(", "1", ")"), true},
		"queries":      {deep("(SELECT ", "1", ")"), true},
		"calls":        {deep("f(", "1", ")"), true},
		"cases":        {deep("CASE WHEN ", "1", " THEN 1 END"), true},
		"negations":    {deep("NOT ", "true", ""), true},
		"brackets":     {deep("[", "1", "]"), true},
		"unclosed":     {deep("(", "1", ""), true},
		"joins":        {"SELECT 1 FROM " + strings.Repeat("(", n) + "t", true},
	} {
		start := time.Now()
		got := outcome(tc.sql, cat)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if fail := strings.HasPrefix(got, "error"); fail != tc.fail {
			t.Errorf("%s: failed %v, want %v: %.200s", name, fail, tc.fail, got)
		}
	}
}

// TestMacrosAreKnown checks that the macros the renderer calls exist.
func TestMacrosAreKnown(t *testing.T) {
	t.Parallel()
	all := strings.Join(Macros(), "\n")
	for _, name := range []string{"super_order", "super_compare", "super_text", "super_concat", "super_flatten"} {
		if strings.Count(all, "MACRO "+name+"(") != 1 {
			t.Errorf("there is no macro %s", name)
		}
	}
	if len(Settings()) == 0 {
		t.Error("there are no settings")
	}
}

var benchmarks = map[string]string{
	"typical": `SELECT t."PK", t."value"."address"."M"."zip"."S"::varchar AS zip, t."value"."score"."N"::decimal(38,10) AS score
		FROM mydb.public."AgentTable" t WHERE t."value"."EntityType"."S" = 'Domain' AND t."PK" <> 'x' ORDER BY score DESC LIMIT 100`,
	"plain":  "SELECT o.customer, sum(o.total) FROM orders o JOIN t ON t.id = o.order_id WHERE o.created > '2024-01-01' GROUP BY 1 ORDER BY 2 DESC",
	"unnest": `SELECT t."PK", e."S" FROM "AgentTable" t, t."value"."tags"."L" e WHERE e."S" LIKE 'a%'`,
}

func BenchmarkParseRender(b *testing.B) {
	cat := schema(b)
	for name, sql := range benchmarks {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := Parse(sql)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.(*Query).Render(cat); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseCopy(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("COPY public.target FROM 's3://bucket/in/' IAM_ROLE 'arn:aws:iam::123456789012:role/r' FORMAT CSV IGNOREHEADER 1 GZIP JOB CREATE j AUTO ON"); err != nil {
			b.Fatal(err)
		}
	}
}
