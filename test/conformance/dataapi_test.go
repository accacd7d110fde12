package conformance

import (
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	_ "modernc.org/sqlite" // the expiry test sets back the clock of what is stored

	"github.com/penstock-io/penstock/test/harness"
)

// statement is an input for the default warehouse.
func statement(sql string) *redshiftdata.ExecuteStatementInput {
	return &redshiftdata.ExecuteStatementInput{ClusterIdentifier: aws.String("default"), Database: aws.String("dev"), Sql: &sql}
}

func batch(sqls ...string) *redshiftdata.BatchExecuteStatementInput {
	return &redshiftdata.BatchExecuteStatementInput{ClusterIdentifier: aws.String("default"), Database: aws.String("dev"), Sqls: sqls}
}

// TestDataAPI uses the eleven operations of the Redshift Data API.
func TestDataAPI(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()

	t.Run("a statement and its description", func(t *testing.T) {
		t.Parallel()
		in := statement("SELECT 1::INTEGER AS n, 'x'::VARCHAR(5) AS s, 1.5::DECIMAL(4,2) AS d, NULL::DATE AS nothing, TRUE AS b, 2.5::FLOAT AS f, 'zz'::VARBYTE AS bytes")
		in.StatementName = aws.String("every-kind")
		out, err := c.Data.ExecuteStatement(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(*out.Id) || *out.Database != "dev" || *out.ClusterIdentifier != "default" || out.CreatedAt == nil {
			t.Errorf("%+v", out)
		}
		st, err := c.Wait(ctx, *out.Id)
		if err != nil {
			t.Fatal(err)
		}
		if st.Status != types.StatusStringFinished || !*st.HasResultSet || st.ResultRows != 1 || st.Duration <= 0 || st.RedshiftQueryId <= 0 || st.RedshiftPid <= 0 ||
			*st.QueryString != *in.Sql || st.UpdatedAt.Before(*st.CreatedAt) || st.ResultSize <= 0 {
			t.Errorf("%+v", st)
		}
		res, err := c.Data.GetStatementResult(ctx, &redshiftdata.GetStatementResultInput{Id: out.Id})
		if err != nil {
			t.Fatal(err)
		}
		var types_ []string
		for _, m := range res.ColumnMetadata {
			types_ = append(types_, fmt.Sprintf("%s %s %d %d %d %d", *m.Name, *m.TypeName, m.Length, m.Precision, m.Scale, m.Nullable))
		}
		want := []string{"n int4 0 10 0 1", "s varchar 0 5 0 1", "d numeric 0 4 2 1", "nothing date 0 13 0 1", "b bool 0 1 0 1", "f float8 0 17 17 1", "bytes varbyte 0 16777216 0 1"}
		for i, w := range want {
			// Names and types are looked at; lengths and precisions of what has none are AWS's affair.
			if f := strings.Fields(w); !strings.HasPrefix(types_[i], f[0]+" "+f[1]+" ") {
				t.Errorf("column %d is %q, want %q", i, types_[i], w)
			}
		}
		if m := res.ColumnMetadata[2]; m.Precision != 4 || m.Scale != 2 {
			t.Errorf("a DECIMAL(4,2) is shown as %+v", m)
		}
		row := res.Records[0]
		if v, ok := row[0].(*types.FieldMemberLongValue); !ok || v.Value != 1 {
			t.Errorf("an integer is %#v", row[0])
		}
		if v, ok := row[2].(*types.FieldMemberStringValue); !ok || v.Value != "1.50" {
			t.Errorf("a decimal is %#v", row[2])
		}
		if v, ok := row[3].(*types.FieldMemberIsNull); !ok || !v.Value {
			t.Errorf("a NULL is %#v", row[3])
		}
		if v, ok := row[4].(*types.FieldMemberBooleanValue); !ok || !v.Value {
			t.Errorf("a boolean is %#v", row[4])
		}
		if v, ok := row[5].(*types.FieldMemberDoubleValue); !ok || v.Value != 2.5 {
			t.Errorf("a float is %#v", row[5])
		}
		listed, err := c.Data.ListStatements(ctx, &redshiftdata.ListStatementsInput{StatementName: aws.String("every")})
		if err != nil || len(listed.Statements) != 1 || *listed.Statements[0].Id != *out.Id {
			t.Errorf("by the beginning of its name: %+v, %v", listed, err)
		}
	})

	t.Run("statements without a result", func(t *testing.T) {
		t.Parallel()
		id, err := c.Exec(ctx, "CREATE TABLE no_result (id INTEGER)")
		if err != nil {
			t.Fatal(err)
		}
		if st, err := c.Wait(ctx, id); err != nil || *st.HasResultSet {
			t.Errorf("%+v, %v", st, err)
		}
		_, err = c.Data.GetStatementResult(ctx, &redshiftdata.GetStatementResultInput{Id: &id})
		var missing *types.ResourceNotFoundException
		if !errors.As(err, &missing) || !strings.Contains(err.Error(), "Query does not have result") {
			t.Errorf("the result of a CREATE TABLE: %v", err)
		}
		for _, unknown := range []string{"11111111-2222-3333-4444-555555555555", id + ":2"} {
			if _, err := c.Data.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: &unknown}); !errors.As(err, &missing) {
				t.Errorf("describe %s: %v", unknown, err)
			}
		}
	})

	t.Run("a batch is one transaction", func(t *testing.T) {
		t.Parallel()
		out, err := c.Data.BatchExecuteStatement(ctx, batch("CREATE TABLE batched (n INTEGER)", "INSERT INTO batched VALUES (1), (2)", "SELECT COUNT(*) FROM batched"))
		if err != nil {
			t.Fatal(err)
		}
		st, err := c.Wait(ctx, *out.Id)
		if err != nil || len(st.SubStatements) != 3 || *st.SubStatements[2].Id != *out.Id+":3" || *st.SubStatements[0].HasResultSet || !*st.SubStatements[2].HasResultSet || st.SubStatements[1].ResultRows != 2 {
			t.Fatalf("%+v, %v", st, err)
		}
		if _, err := c.Data.GetStatementResult(ctx, &redshiftdata.GetStatementResultInput{Id: out.Id}); err == nil {
			t.Error("a batch as a whole has a result")
		}
		if _, rows := fetchAll(t, ctx, c, *out.Id+":3"); !slices.Equal(rows, []string{"2"}) {
			t.Errorf("%v", rows)
		}
		bad, err := c.Data.BatchExecuteStatement(ctx, batch("INSERT INTO batched VALUES (3)", "INSERT INTO batched VALUES ('no')", "INSERT INTO batched VALUES (4)"))
		if err != nil {
			t.Fatal(err)
		}
		st, err = c.Wait(ctx, *bad.Id)
		if err == nil || st.Status != types.StatusStringFailed {
			t.Fatalf("%+v, %v", st, err)
		}
		var states []types.StatementStatusString
		for _, s := range st.SubStatements {
			states = append(states, s.Status)
		}
		if states[1] != types.StatementStatusStringFailed || aws.ToString(st.SubStatements[1].Error) == "" || states[2] == types.StatementStatusStringFinished {
			t.Errorf("the parts are %v", states)
		}
		if got := run(t, ctx, c, "SELECT COUNT(*) FROM batched"); got[0] != "2" {
			t.Errorf("a failed batch left rows: %v", got)
		}
		listed, err := c.Data.ListStatements(ctx, &redshiftdata.ListStatementsInput{Status: types.StatusStringAll, MaxResults: 100})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(listed.Statements, func(s types.StatementData) bool { return *s.Id == *bad.Id })
		if i < 0 || !*listed.Statements[i].IsBatchStatement || len(listed.Statements[i].QueryStrings) != 3 {
			t.Errorf("the batch in the list: %d", i)
		}
		over := make([]string, 41)
		for i := range over {
			over[i] = "SELECT 1"
		}
		var invalid *types.ValidationException
		if _, err := c.Data.BatchExecuteStatement(ctx, batch(over...)); !errors.As(err, &invalid) {
			t.Errorf("41 statements: %v", err)
		}
	})

	t.Run("named parameters", func(t *testing.T) {
		t.Parallel()
		in := statement("SELECT :n::INTEGER + 1, :text, ':text', :n::VARCHAR || :empty -- :text")
		for name, value := range map[string]string{"n": "41", "text": "it's :n; DROP TABLE x --", "empty": "!"} {
			in.Parameters = append(in.Parameters, types.SqlParameter{Name: &name, Value: &value})
		}
		out, err := c.Data.ExecuteStatement(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		st, err := c.Wait(ctx, *out.Id)
		if err != nil || len(st.QueryParameters) != 3 {
			t.Fatalf("%+v, %v", st, err)
		}
		if _, rows := fetchAll(t, ctx, c, *out.Id); !slices.Equal(rows, []string{"42 | it's :n; DROP TABLE x -- | :text | 41!"}) {
			t.Errorf("%v", rows)
		}
		in = statement("SELECT :missing")
		in.Parameters = []types.SqlParameter{{Name: aws.String("other"), Value: aws.String("1")}}
		out, err = c.Data.ExecuteStatement(ctx, in)
		if err == nil {
			_, err = c.Wait(ctx, *out.Id)
		}
		if err == nil || !strings.Contains(err.Error(), "missing") && !strings.Contains(err.Error(), "other") {
			t.Errorf("a parameter nobody gave: %v", err)
		}
	})

	t.Run("a large result in pages", func(t *testing.T) {
		t.Parallel()
		const n = 12_345
		id, err := c.Exec(ctx, fmt.Sprintf("WITH RECURSIVE d (x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM d WHERE x < 9) SELECT 10000 * a.x + 1000 * b.x + 100 * c.x + 10 * d.x + e.x AS n FROM d a, d b, d c, d, d e WHERE 10000 * a.x + 1000 * b.x + 100 * c.x + 10 * d.x + e.x < %d ORDER BY 1", n))
		if err != nil {
			t.Fatal(err)
		}
		st, err := c.Wait(ctx, id)
		if err != nil || st.ResultRows != n {
			t.Fatalf("%+v, %v", st, err)
		}
		pages := redshiftdata.NewGetStatementResultPaginator(c.Data, &redshiftdata.GetStatementResultInput{Id: &id})
		seen, count := int64(0), 0
		var token *string
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if page.TotalNumRows != n || len(page.ColumnMetadata) != 1 {
				t.Errorf("page %d: %d rows in all, %d columns", count, page.TotalNumRows, len(page.ColumnMetadata))
			}
			for _, r := range page.Records {
				if v := r[0].(*types.FieldMemberLongValue).Value; v != seen {
					t.Fatalf("row %d is %d", seen, v)
				}
				seen++
			}
			if count++; page.NextToken != nil {
				token = page.NextToken
			}
		}
		if seen != n || count < 2 {
			t.Errorf("%d rows in %d pages", seen, count)
		}
		var invalid *types.ValidationException
		for _, bad := range []string{"nonsense", *token + "x", ""} {
			in := &redshiftdata.GetStatementResultInput{Id: &id, NextToken: &bad}
			if _, err := c.Data.GetStatementResult(ctx, in); bad != "" && !errors.As(err, &invalid) {
				t.Errorf("with the token %.20q: %v", bad, err)
			}
		}
		other, err := c.Exec(ctx, "SELECT 1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Wait(ctx, other); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Data.GetStatementResult(ctx, &redshiftdata.GetStatementResultInput{Id: &other, NextToken: token}); !errors.As(err, &invalid) {
			t.Errorf("another statement's token: %v", err)
		}
	})

	t.Run("results as CSV", func(t *testing.T) {
		t.Parallel()
		in := statement("SELECT 1 AS a, 'x,\"y\"\nz' AS \"B c\", NULL AS n UNION ALL SELECT 2, 'é', 3 ORDER BY 1")
		in.ResultFormat = types.ResultFormatStringCsv
		out, err := c.Data.ExecuteStatement(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Wait(ctx, *out.Id); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		pages := redshiftdata.NewGetStatementResultV2Paginator(c.Data, &redshiftdata.GetStatementResultV2Input{Id: out.Id})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if page.ResultFormat != types.ResultFormatStringCsv || page.TotalNumRows != 2 {
				t.Errorf("%+v", page)
			}
			for _, r := range page.Records {
				text.WriteString(r.(*types.QueryRecordsMemberCSVRecords).Value)
			}
		}
		rows, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
		want := [][]string{{"a", "B c", "n"}, {"1", "x,\"y\"\nz", ""}, {"2", "é", "3"}}
		if err != nil || !slices.EqualFunc(rows, want, slices.Equal) {
			t.Errorf("%q, %v", text.String(), err)
		}
		var invalid *types.ValidationException
		if _, err := c.Data.GetStatementResult(ctx, &redshiftdata.GetStatementResultInput{Id: out.Id}); !errors.As(err, &invalid) {
			t.Errorf("as JSON after all: %v", err)
		}
	})

	t.Run("ClientToken", func(t *testing.T) {
		t.Parallel()
		run(t, ctx, c, "CREATE TABLE once (n INTEGER)")
		var ids []string
		for range 3 {
			in := statement("INSERT INTO once VALUES (1)")
			in.ClientToken = aws.String("the-same-token")
			out, err := c.Data.ExecuteStatement(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, *out.Id)
			if _, err := c.Wait(ctx, *out.Id); err != nil {
				t.Fatal(err)
			}
		}
		if ids[0] != ids[1] || ids[1] != ids[2] {
			t.Errorf("one token, statements %v", ids)
		}
		if got := run(t, ctx, c, "SELECT COUNT(*) FROM once"); got[0] != "1" {
			t.Errorf("ran %v times", got)
		}
	})

	t.Run("cancelling", func(t *testing.T) {
		t.Parallel()
		run(t, ctx, c, "CREATE TABLE cancelled (n BIGINT)")
		run(t, ctx, c, "CREATE TABLE thousand AS WITH RECURSIVE d (x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM d WHERE x < 999) SELECT x FROM d")
		// Ten to the twelfth rows: it never ends by itself within a test.
		id, err := c.Exec(ctx, "INSERT INTO cancelled SELECT a.x * b.x + c.x - d.x FROM thousand a, thousand b, thousand c, thousand d")
		if err != nil {
			t.Fatal(err)
		}
		until(t, ctx, func() (bool, string) {
			st, err := c.Data.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: &id})
			if err != nil {
				t.Fatal(err)
			}
			return st.Status == types.StatusStringStarted, string(st.Status)
		})
		out, err := c.Data.CancelStatement(ctx, &redshiftdata.CancelStatementInput{Id: &id})
		if err != nil || !*out.Status {
			t.Fatalf("%+v, %v", out, err)
		}
		began := time.Now()
		st, err := c.Wait(ctx, id)
		if err == nil || st.Status != types.StatusStringAborted {
			t.Fatalf("%+v, %v", st, err)
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("it took %v to stop", took)
		}
		if got := run(t, ctx, c, "SELECT COUNT(*) FROM cancelled"); got[0] != "0" {
			t.Errorf("a cancelled INSERT left %v rows", got)
		}
		if _, err := c.Data.CancelStatement(ctx, &redshiftdata.CancelStatementInput{Id: &id}); err == nil {
			t.Error("cancelled twice")
		}
	})

	t.Run("sessions", func(t *testing.T) {
		t.Parallel()
		in := statement("CREATE TEMP TABLE mine (n INTEGER)")
		in.SessionKeepAliveSeconds = aws.Int32(300)
		out, err := c.Data.ExecuteStatement(ctx, in)
		if err != nil || out.SessionId == nil {
			t.Fatalf("%+v, %v", out, err)
		}
		if _, err := c.Wait(ctx, *out.Id); err != nil {
			t.Fatal(err)
		}
		inSession := func(sql string) (string, error) {
			out, err := c.Data.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{SessionId: out.SessionId, Sql: &sql})
			if err != nil {
				return "", err
			}
			_, err = c.Wait(ctx, *out.Id)
			return *out.Id, err
		}
		for _, sql := range []string{"INSERT INTO mine VALUES (1), (2)", "BEGIN", "DELETE FROM mine", "ROLLBACK", "SET search_path TO public"} {
			if _, err := inSession(sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		id, err := inSession("SELECT SUM(n) FROM mine")
		if err != nil {
			t.Fatal(err)
		}
		if _, rows := fetchAll(t, ctx, c, id); !slices.Equal(rows, []string{"3"}) {
			t.Errorf("%v", rows)
		}
		refused(t, ctx, c, "SELECT * FROM mine", `relation "mine" does not exist`)
		var invalid *types.ValidationException
		both := statement("SELECT 1")
		both.SessionId = out.SessionId
		if _, err := c.Data.ExecuteStatement(ctx, both); !errors.As(err, &invalid) {
			t.Errorf("a session and a cluster: %v", err)
		}
		short := statement("SELECT 1")
		short.SessionKeepAliveSeconds = aws.Int32(1)
		out, err = c.Data.ExecuteStatement(ctx, short)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Wait(ctx, *out.Id); err != nil {
			t.Fatal(err)
		}
		until(t, ctx, func() (bool, string) {
			in := &redshiftdata.ExecuteStatementInput{SessionId: out.SessionId, Sql: aws.String("SELECT 1")}
			again, err := c.Data.ExecuteStatement(ctx, in)
			if err == nil { // used in time, so it lives for another second: let that pass
				if _, err := c.Wait(ctx, *again.Id); err != nil {
					t.Fatal(err)
				}
				time.Sleep(1100 * time.Millisecond)
				return false, "the session lives on"
			}
			return strings.Contains(err.Error(), "expired"), err.Error()
		})
	})

	t.Run("the catalogue", func(t *testing.T) {
		t.Parallel()
		run(t, ctx, c, "CREATE DATABASE shop")
		shop := c.On(harness.At{Database: "shop"})
		run(t, ctx, shop, "CREATE SCHEMA crm")
		for _, sql := range []string{"CREATE TABLE crm.people (id INTEGER NOT NULL, name VARCHAR(30) DEFAULT 'x', info SUPER)", "CREATE TABLE crm.places (id INTEGER)", "CREATE VIEW crm.names AS SELECT name FROM crm.people"} {
			run(t, ctx, shop, sql)
		}
		dbs, err := c.Data.ListDatabases(ctx, &redshiftdata.ListDatabasesInput{ClusterIdentifier: aws.String("default"), Database: aws.String("dev")})
		if err != nil || !slices.Contains(dbs.Databases, "dev") || !slices.Contains(dbs.Databases, "shop") {
			t.Errorf("%+v, %v", dbs, err)
		}
		schemas, err := c.Data.ListSchemas(ctx, &redshiftdata.ListSchemasInput{WorkgroupName: aws.String("default"), Database: aws.String("shop"), SchemaPattern: aws.String("c%")})
		if err != nil || !slices.Equal(schemas.Schemas, []string{"crm"}) {
			t.Errorf("%+v, %v", schemas, err)
		}
		var names []string
		pages := redshiftdata.NewListTablesPaginator(c.Data, &redshiftdata.ListTablesInput{ClusterIdentifier: aws.String("default"), Database: aws.String("shop"), SchemaPattern: aws.String("crm"), MaxResults: 1})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, tab := range page.Tables {
				names = append(names, *tab.Schema+"."+*tab.Name+" "+*tab.Type)
			}
		}
		if !slices.Equal(names, []string{"crm.names VIEW", "crm.people TABLE", "crm.places TABLE"}) {
			t.Errorf("%v", names)
		}
		table, err := c.Data.DescribeTable(ctx, &redshiftdata.DescribeTableInput{ClusterIdentifier: aws.String("default"), Database: aws.String("shop"), Schema: aws.String("crm"), Table: aws.String("people")})
		if err != nil || len(table.ColumnList) != 3 || *table.TableName != "people" {
			t.Fatalf("%+v, %v", table, err)
		}
		var cols []string
		for _, col := range table.ColumnList {
			cols = append(cols, fmt.Sprintf("%s %s %d", *col.Name, *col.TypeName, col.Nullable))
		}
		if !slices.Equal(cols, []string{"id int4 0", "name varchar 1", "info super 1"}) {
			t.Errorf("%v", cols)
		}
		if d := aws.ToString(table.ColumnList[1].ColumnDefault); !strings.Contains(d, "x") {
			t.Errorf("the default is %q", d)
		}
		for _, name := range []string{"missing"} {
			if _, err := c.Data.ListTables(ctx, &redshiftdata.ListTablesInput{ClusterIdentifier: aws.String("default"), Database: &name}); err == nil {
				t.Error("tables of a database that is not there")
			}
		}
	})

	t.Run("listing in pages", func(t *testing.T) {
		t.Parallel()
		for i := range 7 {
			in := statement("SELECT 1")
			in.StatementName = aws.String(fmt.Sprintf("paged-%d", i))
			out, err := c.Data.ExecuteStatement(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Wait(ctx, *out.Id); err != nil {
				t.Fatal(err)
			}
		}
		var names []string
		pages := redshiftdata.NewListStatementsPaginator(c.Data, &redshiftdata.ListStatementsInput{StatementName: aws.String("paged-"), MaxResults: 3, Status: types.StatusStringFinished})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Statements) > 3 {
				t.Errorf("a page of %d", len(page.Statements))
			}
			for _, s := range page.Statements {
				names = append(names, *s.StatementName)
			}
		}
		if !slices.Equal(names, []string{"paged-6", "paged-5", "paged-4", "paged-3", "paged-2", "paged-1", "paged-0"}) {
			t.Errorf("%v", names)
		}
	})
}

// TestDataAPIRestart looks for statements, results and tokens after a restart, for a statement that was under
// way, and for one that was queued.
func TestDataAPIRestart(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t, "--drain-timeout", "100ms")
	c := server.Clients()
	run(t, ctx, c, "CREATE TABLE kept (n INTEGER)")
	done, err := c.Exec(ctx, "SELECT 'kept' AS word")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Wait(ctx, done); err != nil {
		t.Fatal(err)
	}
	in := statement("INSERT INTO kept VALUES (1)")
	in.ClientToken = aws.String("over-the-restart")
	first, err := c.Data.ExecuteStatement(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	session := statement("CREATE TEMP TABLE gone (n INTEGER)")
	session.SessionKeepAliveSeconds = aws.Int32(600)
	held, err := c.Data.ExecuteStatement(ctx, session)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Wait(ctx, *held.Id); err != nil {
		t.Fatal(err)
	}
	run(t, ctx, c, "CREATE TABLE thousand AS WITH RECURSIVE d (x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM d WHERE x < 999) SELECT x FROM d")
	long, err := c.Exec(ctx, "INSERT INTO kept SELECT a.x FROM thousand a, thousand b, thousand c, thousand d WHERE a.x + b.x + c.x + d.x < 0")
	if err != nil {
		t.Fatal(err)
	}
	until(t, ctx, func() (bool, string) {
		st, err := c.Data.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: &long})
		if err != nil {
			t.Fatal(err)
		}
		return st.Status == types.StatusStringStarted, string(st.Status)
	})

	server = restart(t, ctx, server, "--drain-timeout", "100ms")
	c = server.Clients()
	if _, rows := fetchAll(t, ctx, c, done); !slices.Equal(rows, []string{"kept"}) {
		t.Errorf("an old result: %v", rows)
	}
	again, err := c.Data.ExecuteStatement(ctx, in)
	if err != nil || *again.Id != *first.Id {
		t.Errorf("the token after a restart: %v, %v", again, err)
	}
	until(t, ctx, func() (bool, string) {
		st, err := c.Data.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: &long})
		if err != nil {
			t.Fatal(err)
		}
		return st.Status == types.StatusStringStarted, "the statement that was cut off is " + string(st.Status)
	})
	if _, err := c.Data.CancelStatement(ctx, &redshiftdata.CancelStatementInput{Id: &long}); err != nil {
		t.Error(err)
	}
	if st, err := c.Wait(ctx, long); err == nil || st.Status != types.StatusStringAborted {
		t.Errorf("%+v, %v", st, err)
	}
	eventually(t, ctx, c, "SELECT COUNT(*) FROM kept", "1")
	out, err := c.Data.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{SessionId: held.SessionId, Sql: aws.String("SELECT * FROM gone")})
	if err == nil {
		_, err = c.Wait(ctx, *out.Id)
	}
	if err == nil || !strings.Contains(err.Error(), "session") {
		t.Errorf("a session across a restart: %v", err)
	}
}

// TestDataAPIExpiry lets a day pass, by setting back what a stopped server has written down.
func TestDataAPIExpiry(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	id, err := c.Exec(ctx, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Wait(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(server.Dir, "metadata.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var updated int64
	if err := db.QueryRowContext(ctx, "SELECT updated FROM statement WHERE id = ?", id).Scan(&updated); err != nil {
		t.Fatal(err)
	}
	day := int64(25 * 3600)
	for unit := time.Now().Unix(); updated > 10*unit; unit *= 1000 { // whatever the unit is
		day *= 1000
	}
	if _, err := db.ExecContext(ctx, "UPDATE statement SET created = created - ?, updated = updated - ?", day, day); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := harness.Start(ctx, harness.Options{Dir: server.Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Stop()
	c = again.Clients()
	// Terraform looks for the word expired in a ValidationException.
	var invalid *types.ValidationException
	_, err = c.Data.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: &id})
	if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "Could not retrieve the query result as it has expired after ") {
		t.Errorf("a day later: %v", err)
	}
	if _, err := c.Data.GetStatementResult(ctx, &redshiftdata.GetStatementResultInput{Id: &id}); !errors.As(err, &invalid) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("its result a day later: %v", err)
	}
}
