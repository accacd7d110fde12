package redshiftdata_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/front/redshiftdata"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// env is a server with this front alone.
type env struct {
	*fronttest.World
	t       testing.TB
	service *wire.Service
	catalog *catalog
}

func setup(t *testing.T) env { return newEnv(t) }

func newEnv(t testing.TB) env {
	t.Helper()
	w := fronttest.New(t)
	c := &catalog{}
	redact := func(sql string) string { return strings.ReplaceAll(sql, "Secret123", "***") }
	front := redshiftdata.New(redshiftdata.Config{Statements: w.Statements, Warehouses: w.Warehouses, Catalog: c, Redact: redact})
	return env{World: w, t: t, service: front.Service(), catalog: c}
}

// Client returns a client of a server whose executor runs what a request has submitted before the next one.
func (e env) Client() wiretest.Client {
	var limits wire.Limits
	if e.catalog.slow {
		limits.Duration = time.Millisecond
	}
	client := e.ClientWithin(limits, e.service)
	h := client.Handler
	client.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		e.execute()
	})
	return client
}

// object is an input or an output as JSON has it.
type object = map[string]any

func request(operation string, in any) *http.Request {
	body, err := json.Marshal(in)
	if err != nil {
		panic(err) // the tests' own inputs
	}
	return wiretest.JSON("RedshiftData."+operation, string(body))
}

func (e env) call(operation string, in any) *httptest.ResponseRecorder {
	e.t.Helper()
	return e.Client().Do(e.t, "redshift-data", request(operation, in))
}

// must is call for what has to succeed; it returns the answer.
func (e env) must(operation string, in any) object {
	e.t.Helper()
	w := e.call(operation, in)
	var out object
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		e.t.Fatalf("%s: %d %s", operation, w.Code, w.Body)
	}
	return out
}

// sql returns an ExecuteStatement of text on the default cluster, with others laid over its members.
func sql(text string, others ...any) object {
	in := object{"ClusterIdentifier": "default", "Database": "dev", "Sql": text}
	for i := 0; i+1 < len(others); i += 2 {
		in[others[i].(string)] = others[i+1]
		if others[i+1] == nil {
			delete(in, others[i].(string))
		}
	}
	return in
}

var resultColumns = []statements.Column{
	{Name: "id", Label: "id", TypeName: "int4", Precision: 10, Nullable: 0, Schema: "public", Table: "orders", Signed: true},
	{Name: "name", Label: "Name, of all", TypeName: "varchar", Length: 40, Precision: 40, Nullable: 1, Schema: "public", Table: "orders", Default: "'?'", CaseSensitive: true},
	{Name: "price", Label: "price", TypeName: "float8", Precision: 17, Scale: 17, Nullable: 1, Signed: true},
	{Name: "paid", Label: "paid", TypeName: "bool", Nullable: 2},
	{Name: "raw", Label: "raw", TypeName: "varbyte", Length: 4},
}

var resultRows = [][]statements.Value{
	{int64(1), `say "hi", ` + "on two\nlines", 2.5, true, []byte{0xCA, 0xFE}},
	{int64(-9007199254740993), "", 1e300, false, []byte{}},
	{nil, nil, nil, nil, nil},
}

// execute is the executor: it runs everything that is submitted at once.
func (e env) execute() {
	e.t.Helper()
	if e.Broken {
		return
	}
	ctx := context.WithoutCancel(e.t.Context())
	run := func(st statements.Statement) bool { return !strings.HasPrefix(st.Subs[0].SQL, "wait") }
	for {
		st, ok, err := e.Statements.Pick(ctx, run)
		e.Must(err)
		if !ok {
			return
		}
		st, err = e.Statements.Start(ctx, st.ID, 100, 1073741824)
		e.Must(err)
		if strings.HasPrefix(st.Subs[0].SQL, "hang") {
			continue
		}
		e.Must(e.run(ctx, st))
	}
}

func (e env) run(ctx context.Context, st statements.Statement) error {
	for n, sub := range st.Subs {
		result := statements.SubResult{Rows: 3, Size: -1, QueryID: int64(101 + n), Duration: 1500}
		pages := [][][]statements.Value(nil)
		switch {
		case sub.SQL == "fail":
			_, err := e.Statements.Fail(ctx, st.ID, n, `ERROR: relation "fail" does not exist`, 700)
			return err
		case sub.SQL == "select pages":
			pages = [][][]statements.Value{resultRows[:2], resultRows[2:]}
		case sub.SQL == "select nothing":
			pages = [][][]statements.Value{}
		case strings.HasPrefix(sub.SQL, "select"):
			pages = [][][]statements.Value{resultRows}
		}
		if pages != nil {
			result.HasResultSet, result.Columns, result.Size, result.Rows = true, resultColumns, 64, 0
		}
		for i, rows := range pages {
			result.Rows += int64(len(rows))
			if err := e.Statements.PutPage(ctx, st.ID, n, i, statements.Page{Rows: rows}); err != nil {
				return err
			}
		}
		if err := e.Statements.FinishSub(ctx, st.ID, n, result); err != nil {
			return err
		}
	}
	_, err := e.Statements.Finish(ctx, st.ID)
	return err
}

// catalog is a small data warehouse to look into: databases dev and sales, the tables below in each.
type catalog struct {
	err  error // what every call answers, unless nil
	slow bool  // whether calls wait until their time is over
}

var catalogTables = []redshiftdata.Table{
	{Schema: "public", Name: "orders", Type: "TABLE"}, {Schema: "archive", Name: "orders", Type: "TABLE"},
	{Schema: "public", Name: "open_orders", Type: "VIEW"}, {Schema: "pg_catalog", Name: "pg_class", Type: "SYSTEM TABLE"},
}

func (c *catalog) answer(ctx context.Context) error {
	if c.slow {
		<-ctx.Done()
		return fault.Wrap(ctx.Err(), fault.Unavailable, "data warehouse", "the query was interrupted")
	}
	return c.err
}

func (c *catalog) Databases(ctx context.Context, _ string) ([]string, error) {
	return []string{"sales", "dev"}, c.answer(ctx)
}

func (c *catalog) Schemas(ctx context.Context, _, _, pattern string) ([]string, error) {
	all := []string{"public", "pg_catalog", "archive"}
	return slices.DeleteFunc(all, func(s string) bool { return !like(s, pattern) }), c.answer(ctx)
}

func (c *catalog) Tables(ctx context.Context, _, _, schemaPattern, tablePattern string) ([]redshiftdata.Table, error) {
	all := slices.Clone(catalogTables)
	return slices.DeleteFunc(all, func(t redshiftdata.Table) bool { return !like(t.Schema, schemaPattern) || !like(t.Name, tablePattern) }), c.answer(ctx)
}

func (c *catalog) Columns(ctx context.Context, _, _, schema, table string) ([]statements.Column, error) {
	var out []statements.Column
	if slices.ContainsFunc(catalogTables, func(t redshiftdata.Table) bool { return t.Schema == schema && t.Name == table }) {
		for _, col := range resultColumns[:3] {
			col.Schema, col.Table = schema, table
			out = append(out, col)
		}
	}
	return out, c.answer(ctx)
}

// like knows patterns that end in %.
func like(s, pattern string) bool {
	prefix, open := strings.CutSuffix(pattern, "%")
	return pattern == "" || s == pattern || open && strings.HasPrefix(s, prefix)
}

func TestGolden(t *testing.T) {
	for _, file := range []string{"statements", "catalog"} {
		t.Run(file, func(t *testing.T) {
			newEnv(t).Client().Golden(t, filepath.Join("testdata", file+".txtar"))
		})
	}
}

// Each list read page by page, with every size of page, is the whole list.
func TestPaging(t *testing.T) {
	e := newEnv(t)
	for n := range 5 {
		e.must("ExecuteStatement", sql(fmt.Sprintf("select %d", n)))
	}
	read := func(operation, member string, in object, size int, show func(any) string) (all []string) {
		t.Helper()
		in["MaxResults"] = size
		delete(in, "NextToken")
		for {
			out := e.must(operation, in)
			entries := out[member].([]any)
			if size > 0 && len(entries) > size {
				t.Fatalf("%s gives %d entries, asked for %d", operation, len(entries), size)
			}
			for _, one := range entries {
				all = append(all, show(one))
			}
			token, more := out["NextToken"]
			if !more {
				return all
			}
			in["NextToken"] = token
		}
	}
	field := func(names ...string) func(any) string {
		return func(one any) string {
			var parts []string
			for _, n := range names {
				parts = append(parts, one.(object)[n].(string))
			}
			return strings.Join(parts, ".")
		}
	}
	plain := func(one any) string { return one.(string) }
	lists := []struct {
		operation, member string
		in                object
		show              func(any) string
		want              []string
	}{
		{"ListDatabases", "Databases", sql("", "Sql", nil), plain, []string{"dev", "sales"}},
		{"ListSchemas", "Schemas", sql("", "Sql", nil), plain, []string{"archive", "pg_catalog", "public"}},
		{"ListTables", "Tables", sql("", "Sql", nil), field("schema", "name"), []string{"archive.orders", "pg_catalog.pg_class", "public.open_orders", "public.orders"}},
		{"DescribeTable", "ColumnList", sql("", "Sql", nil, "Table", "orders"), field("schemaName", "tableName", "name"), []string{
			"archive.orders.id", "archive.orders.name", "archive.orders.price", "public.orders.id", "public.orders.name", "public.orders.price"}},
		{"DescribeTable", "ColumnList", sql("", "Sql", nil, "Schema", "public"), field("tableName", "name"), []string{
			"open_orders.id", "open_orders.name", "open_orders.price", "orders.id", "orders.name", "orders.price"}},
		{"DescribeTable", "ColumnList", sql("", "Sql", nil, "Schema", "public", "Table", "orders"), field("name"), []string{"id", "name", "price"}},
		{"ListStatements", "Statements", object{}, field("QueryString"), []string{"select 4", "select 3", "select 2", "select 1", "select 0"}},
	}
	for _, l := range lists {
		for size := range 8 { // 0 is the default
			if got := read(l.operation, l.member, l.in, size, l.show); !slices.Equal(got, l.want) {
				t.Errorf("%s by %d gives %v, want %v", l.operation, size, got, l.want)
			}
		}
	}
}
