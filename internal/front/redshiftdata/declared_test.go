package redshiftdata_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	api "github.com/penstock-io/penstock/internal/awsapi/redshiftdata"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/wire"
)

func TestDeclared(t *testing.T) {
	after := func(first func(env), op string, e *wire.ErrorShape, in object) fronttest.Case[env] {
		return fronttest.Case[env]{Operation: op, Error: e, Request: func(_ *testing.T, e env) *http.Request {
			first(e)
			return request(op, in)
		}}
	}
	plain := func(op string, e *wire.ErrorShape, in object) fronttest.Case[env] {
		return after(func(env) {}, op, e, in)
	}
	broken := func(e env) {
		e.must("ExecuteStatement", sql("select 1"))
		e.Break("statement_page", "statement_part", "statement_forgotten", "statement")
	}
	full := func(e env) {
		w, err := e.Warehouses.ByCluster(e.t.Context(), "default")
		e.Must(err)
		for range statements.MaxActive {
			_, err := e.Statements.Submit(e.t.Context(), statements.SubmitParams{WarehouseID: w.ID, Database: "dev", SQLs: []string{"wait"}})
			e.Must(err)
		}
	}
	catalogFails := func(err error) func(env) { return func(e env) { e.catalog.err = err } }
	select1 := func(e env) { e.must("ExecuteStatement", sql("select 1")) }
	first, unknown := object{"Id": fronttest.ID(3)}, object{"Id": fronttest.ID(999)}
	batch := func(others ...any) object {
		return sql("", append([]any{"Sql", nil, "Sqls", []string{"select 1"}}, others...)...)
	}
	target := sql("", "Sql", nil)

	cases := []fronttest.Case[env]{
		plain("ExecuteStatement", api.ErrValidationException, sql("select 1", "WithEvent", true)),
		plain("ExecuteStatement", api.ErrResourceNotFoundException, object{"Sql": "select 1", "SessionId": fronttest.ID(999)}),
		after(full, "ExecuteStatement", api.ErrActiveStatementsExceededException, sql("select 1")),
		after(broken, "ExecuteStatement", api.ErrInternalServerException, sql("select 1")),
		plain("BatchExecuteStatement", api.ErrValidationException, batch("Sqls", []string{"select 1", " "})),
		plain("BatchExecuteStatement", api.ErrResourceNotFoundException, object{"Sqls": []string{"select 1"}, "SessionId": fronttest.ID(999)}),
		after(full, "BatchExecuteStatement", api.ErrActiveStatementsExceededException, batch()),
		after(broken, "BatchExecuteStatement", api.ErrInternalServerException, batch()),
		after(select1, "CancelStatement", api.ErrValidationException, first),
		plain("CancelStatement", api.ErrResourceNotFoundException, unknown),
		after(broken, "CancelStatement", api.ErrInternalServerException, first),
		after(func(e env) {
			select1(e)
			e.Pass(statements.Retention)
			_, err := e.Statements.Expire(e.t.Context())
			e.Must(err)
		}, "DescribeStatement", api.ErrValidationException, first),
		plain("DescribeStatement", api.ErrResourceNotFoundException, unknown),
		after(broken, "DescribeStatement", api.ErrInternalServerException, first),
		after(select1, "GetStatementResultV2", api.ErrValidationException, first),
		plain("GetStatementResultV2", api.ErrResourceNotFoundException, unknown),
		after(broken, "GetStatementResultV2", api.ErrInternalServerException, first),
		after(select1, "GetStatementResult", api.ErrValidationException, object{"Id": fronttest.ID(3), "NextToken": "nonsense"}),
		after(func(e env) { e.must("ExecuteStatement", sql("insert")) }, "GetStatementResult", api.ErrResourceNotFoundException, first),
		after(broken, "GetStatementResult", api.ErrInternalServerException, first),
		plain("ListStatements", api.ErrValidationException, object{"MaxResults": 101}),
		after(broken, "ListStatements", api.ErrInternalServerException, object{}),
		plain("DescribeTable", api.ErrResourceNotFoundException, sql("", "Sql", nil, "Schema", "public", "Table", "nothing")),
	}
	for _, op := range []string{"ListDatabases", "ListSchemas", "ListTables", "DescribeTable"} {
		cases = append(cases,
			plain(op, api.ErrValidationException, sql("", "Sql", nil, "ClusterIdentifier", "nowhere")),
			after(func(e env) { e.catalog.slow = true }, op, api.ErrQueryTimeoutException, target),
			after(catalogFails(errors.New("the engine is on fire")), op, api.ErrInternalServerException, target),
			after(catalogFails(fault.New(fault.Unavailable, "data warehouse", "the engine does not answer")), op, api.ErrDatabaseConnectionException, target),
		)
		if op != "DescribeTable" {
			cases = append(cases, plain(op, api.ErrResourceNotFoundException, sql("", "Sql", nil, "Database", "nothing")))
		}
	}
	never := []fronttest.Never{
		fronttest.Cannot("", api.ErrActiveSessionsExceededException, "the number of sessions is not limited"),
		fronttest.Cannot("ExecuteStatement", api.ErrExecuteStatementException, "the SQL runs after the call is answered; DescribeStatement tells how it failed"),
		fronttest.Cannot("BatchExecuteStatement", api.ErrBatchExecuteStatementException, "the SQL runs after the call is answered; DescribeStatement tells how it failed"),
		fronttest.Cannot("CancelStatement", api.ErrQueryTimeoutException, "nothing is asked of the data warehouse within the call"),
		fronttest.Cannot("CancelStatement", api.ErrDatabaseConnectionException, "nothing is asked of the data warehouse within the call"),
		fronttest.Cannot("ListStatements", api.ErrResourceNotFoundException, "a list of nothing is empty"),
	}
	fronttest.Declared(t, "testdata/errors.txtar", newEnv(t).service, setup, cases, never)
}

// Bad input gets the error that fits and changes nothing.
func TestHostile(t *testing.T) {
	const id = "00000000-0000-4000-8000-000000000003"
	exec := func(others ...any) object { return sql("select 1", others...) }
	look := func(others ...any) object { return sql("", append([]any{"Sql", nil}, others...)...) }
	table := []struct {
		operation string
		in        any
		code      string
	}{
		{"ExecuteStatement", object{}, "ValidationException"},
		{"ExecuteStatement", []int{}, "SerializationException"},
		{"ExecuteStatement", exec("Sql", nil), "ValidationException"},
		{"ExecuteStatement", exec("Sql", ""), "ValidationException"},
		{"ExecuteStatement", exec("Sql", " \n\t"), "ValidationException"},
		{"ExecuteStatement", exec("Sql", 7), "SerializationException"},
		{"ExecuteStatement", exec("Sql", "select '"+strings.Repeat("x", statements.MaxSQL)+"'"), "ValidationException"},
		{"ExecuteStatement", exec("ClusterIdentifier", nil), "ValidationException"},
		{"ExecuteStatement", exec("ClusterIdentifier", "nowhere"), "ValidationException"},
		{"ExecuteStatement", exec("ClusterIdentifier", "UPPER"), "ValidationException"},
		{"ExecuteStatement", exec("ClusterIdentifier", ""), "ValidationException"},
		{"ExecuteStatement", exec("WorkgroupName", "default"), "ValidationException"},
		{"ExecuteStatement", exec("ClusterIdentifier", nil, "WorkgroupName", "nowhere"), "ValidationException"},
		{"ExecuteStatement", exec("ClusterIdentifier", nil, "WorkgroupName", "a"), "ValidationException"},
		{"ExecuteStatement", exec("Database", nil), "ValidationException"},
		{"ExecuteStatement", exec("Database", ""), "ValidationException"},
		{"ExecuteStatement", exec("Parameters", []object{}), "ValidationException"},
		{"ExecuteStatement", exec("Parameters", []object{{"name": "a b", "value": "1"}}), "ValidationException"},
		{"ExecuteStatement", exec("Parameters", []object{{"name": "a", "value": ""}}), "ValidationException"},
		{"ExecuteStatement", exec("Parameters", []object{{"name": "a"}}), "ValidationException"},
		{"ExecuteStatement", exec("Parameters", []object{{"name": "a", "value": "1"}, {"name": "a", "value": "2"}}), "ValidationException"},
		{"ExecuteStatement", exec("ResultFormat", "XML"), "ValidationException"},
		{"ExecuteStatement", exec("ClientToken", ""), "ValidationException"},
		{"ExecuteStatement", exec("ClientToken", strings.Repeat("t", 65)), "ValidationException"},
		{"ExecuteStatement", exec("StatementName", strings.Repeat("n", 2049)), "ValidationException"},
		{"ExecuteStatement", exec("SessionKeepAliveSeconds", 86401), "ValidationException"},
		{"ExecuteStatement", exec("SessionKeepAliveSeconds", -1), "ValidationException"},
		{"ExecuteStatement", exec("SessionId", id), "ValidationException"},
		{"ExecuteStatement", exec("ClusterIdentifier", nil, "SessionId", id), "ValidationException"},
		{"ExecuteStatement", object{"Sql": "select 1", "SessionId": "mine"}, "ValidationException"},
		{"ExecuteStatement", exec("WithEvent", true), "ValidationException"},
		{"ExecuteStatement", exec("Sqls", []string{"select 1"}), "ValidationException"},
		{"BatchExecuteStatement", look("Sqls", []string{}), "ValidationException"},
		{"BatchExecuteStatement", look("Sqls", make([]string, 41)), "ValidationException"},
		{"BatchExecuteStatement", look("Sqls", []string{"select 1", ""}), "ValidationException"},
		{"DescribeStatement", object{}, "ValidationException"},
		{"DescribeStatement", object{"Id": "' or 1=1"}, "ValidationException"},
		{"DescribeStatement", object{"Id": id + ":0"}, "ResourceNotFoundException"},
		{"DescribeStatement", object{"Id": id + ":41"}, "ResourceNotFoundException"},
		{"DescribeStatement", object{"Id": id + ":"}, "ResourceNotFoundException"},
		{"CancelStatement", object{"Id": id + ":1"}, "ResourceNotFoundException"},
		{"GetStatementResult", object{"Id": id, "NextToken": strings.Repeat("A", 5000)}, "ResourceNotFoundException"},
		{"ListStatements", object{"Status": "HAPPY"}, "ValidationException"},
		{"ListStatements", object{"MaxResults": -1}, "ValidationException"},
		{"ListStatements", object{"NextToken": "nonsense"}, "ValidationException"},
		{"ListStatements", object{"ClusterIdentifier": "default", "WorkgroupName": "default"}, "ValidationException"},
		{"ListDatabases", object{"Database": "dev"}, "ValidationException"},
		{"ListDatabases", look("MaxResults", 1001), "ValidationException"},
		{"ListDatabases", look("NextToken", "WyJ0YWJsZXMiLCJhIiwiYiJd"), "ValidationException"}, // of ListTables
		{"ListSchemas", look("Database", nil), "ValidationException"},
		{"ListSchemas", look("ConnectedDatabase", "nothing"), "ResourceNotFoundException"},
		{"ListTables", look("NextToken", "nonsense"), "ValidationException"},
		{"ListTables", look("WorkgroupName", "default"), "ValidationException"},
		{"DescribeTable", look("NextToken", "WyJjb2x1bW5zIiwiYSIsImIiLCItMSJd"), "ValidationException"}, // column -1
		{"DescribeTable", look("Table", ""), "ResourceNotFoundException"},
		{"DropEverything", object{}, "UnknownOperationException"},
	}
	e := newEnv(t)
	for _, bad := range table {
		t.Run(bad.operation, func(t *testing.T) {
			w := e.call(bad.operation, bad.in)
			if code, message := fronttest.ErrorOf(t, w); code != bad.code || w.Code >= 500 || message == "" {
				t.Errorf("%.80v: got %d %s %q, want %s", bad.in, w.Code, code, message, bad.code)
			}
		})
	}
	if all := e.must("ListStatements", object{"Status": "ALL"})["Statements"].([]any); len(all) != 0 {
		t.Errorf("refused requests left statements behind: %v", all)
	}
}
