package redshiftdata_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/front/redshiftdata"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// A result of many pages is read token by token; its CSV, all records one after the other, is one document.
func TestResultPages(t *testing.T) {
	e := newEnv(t)
	for _, format := range []string{"JSON", "CSV"} {
		id := e.must("ExecuteStatement", sql("select pages", "ResultFormat", format))["Id"]
		operation, in := "GetStatementResult", object{"Id": id}
		if format == "CSV" {
			operation += "V2"
		}
		rows, text, pages := 0, "", 0
		for {
			out := e.must(operation, in)
			pages++
			for _, r := range out["Records"].([]any) {
				if format == "CSV" {
					text += r.(object)["CSVRecords"].(string)
				} else {
					rows++
				}
			}
			if out["TotalNumRows"] != float64(3) || len(out["ColumnMetadata"].([]any)) != len(resultColumns) {
				t.Errorf("%s page %d: %v rows in all, %d columns", format, pages, out["TotalNumRows"], len(out["ColumnMetadata"].([]any)))
			}
			token, more := out["NextToken"]
			if !more {
				break
			}
			in["NextToken"] = token
		}
		if format == "CSV" {
			lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			if err != nil || lines[0][1] != "Name, of all" || lines[1][1] != "say \"hi\", on two\nlines" {
				t.Errorf("the CSV is %q, %v", text, err)
			}
			rows = len(lines) - 1
		}
		if rows != 3 || pages != 2 {
			t.Errorf("%s: %d rows on %d pages, want 3 on 2", format, rows, pages)
		}
	}
	empty := e.must("ExecuteStatement", sql("select nothing", "ResultFormat", "CSV"))["Id"]
	records := e.must("GetStatementResultV2", object{"Id": empty})["Records"].([]any)
	if len(records) != 1 || strings.Count(records[0].(object)["CSVRecords"].(string), "\n") != 1 {
		t.Errorf("a result without rows is %v, want its header", records)
	}
}

// CSV is cut into records of at most a mebibyte between rows, and no value is changed by it.
func TestCSVRecords(t *testing.T) {
	columns := []statements.Column{{Label: "v"}}
	values := []string{"plain", "", "a,b", `"`, "cr\rlf\ncrlf\r\n", " leading", strings.Repeat("x", 700_000), strings.Repeat("y", 700_000), strings.Repeat("z", 2_000_000), `\.`}
	var rows [][]statements.Value
	for _, v := range values {
		rows = append(rows, []statements.Value{v})
	}
	records, err := redshiftdata.CSVRecords(columns, rows)
	if err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	for _, r := range records {
		whole.WriteString(*r.CSVRecords)
		if len(*r.CSVRecords) > 1<<20 && strings.Count(*r.CSVRecords, "\r\n") != 1 {
			t.Errorf("a record of several rows has %d bytes", len(*r.CSVRecords))
		}
		if !strings.HasSuffix(*r.CSVRecords, "\r\n") {
			t.Error("a record ends within a row")
		}
	}
	if len(records) != 4 {
		t.Errorf("there are %d records, want 4", len(records))
	}
	// encoding/csv reads \r\n inside of quotes as \n, so lines are taken apart by hand.
	want := "v\r\nplain\r\n\"\"\r\n\"a,b\"\r\n\"\"\"\"\r\n\"cr\rlf\ncrlf\r\n\"\r\n\" leading\"\r\n" + values[6] + "\r\n" + values[7] + "\r\n" + values[8] + "\r\n\"\\.\"\r\n"
	if whole.String() != want {
		t.Errorf("the CSV begins with %.200q, want %.200q", whole.String(), want)
	}
	if _, err := redshiftdata.CSVRecords(nil, [][]statements.Value{{struct{}{}}}); err == nil {
		t.Error("a value of an unknown type is no error")
	}
	if records, err := redshiftdata.CSVRecords(nil, nil); err != nil || records == nil || len(records) != 0 {
		t.Errorf("no rows give %v, %v; want an empty list", records, err)
	}
}

func TestSessions(t *testing.T) {
	e := newEnv(t)
	opened := e.must("ExecuteStatement", sql("create temp table t (i int)", "SessionKeepAliveSeconds", 60))
	session := opened["SessionId"]
	in := object{"Sql": "select * from t", "SessionId": session}
	if out := e.must("ExecuteStatement", in); out["SessionId"] != session || out["Database"] != "dev" || out["ClusterIdentifier"] != "default" {
		t.Errorf("in the session: %v", out)
	}
	e.must("ExecuteStatement", object{"Sql": "wait", "SessionId": session})
	if code, _ := fronttest.ErrorOf(t, e.call("ExecuteStatement", in)); code != "ValidationException" {
		t.Errorf("in a busy session: %q", code)
	}
	waiting := e.must("ListStatements", object{"Status": "SUBMITTED"})["Statements"].([]any)[0].(object)["Id"]
	e.must("CancelStatement", object{"Id": waiting})
	e.Pass(61e9)
	if code, message := fronttest.ErrorOf(t, e.call("ExecuteStatement", in)); code != "ValidationException" || !strings.Contains(message, "expired") {
		t.Errorf("in an expired session: %q %q", code, message)
	}
}

// Terraform looks for the word.
func TestExpired(t *testing.T) {
	e := newEnv(t)
	id := object{"Id": e.must("ExecuteStatement", sql("select 1"))["Id"]}
	e.must("DescribeStatement", id)
	e.Pass(statements.Retention)
	for _, operation := range []string{"DescribeStatement", "GetStatementResult"} {
		code, message := fronttest.ErrorOf(t, e.call(operation, id))
		if code != "ValidationException" || !strings.HasPrefix(message, "Could not retrieve the query result as it has expired after 17") {
			t.Errorf("%s: %q %q", operation, code, message)
		}
	}
}

func TestCancel(t *testing.T) {
	e := newEnv(t)
	hanging := object{"Id": e.must("ExecuteStatement", sql("hang"))["Id"]}
	if out := e.must("CancelStatement", hanging); out["Status"] != true {
		t.Errorf("cancelling a running statement: %v", out)
	}
	if st := e.must("DescribeStatement", hanging); st["Status"] != "STARTED" {
		t.Errorf("before the executor has stopped it, it is %v", st["Status"])
	}
	_, err := e.Statements.Abort(t.Context(), hanging["Id"].(string), "cancelled on user's request")
	e.Must(err)
	if st := e.must("DescribeStatement", hanging); st["Status"] != "ABORTED" || st["Error"] != "cancelled on user's request" {
		t.Errorf("after it, it is %v", st)
	}
	batch := e.must("BatchExecuteStatement", sql("", "Sql", nil, "Sqls", []string{"wait", "select 1"}))["Id"].(string)
	if code, message := fronttest.ErrorOf(t, e.call("CancelStatement", object{"Id": batch + ":1"})); code != "ValidationException" || !strings.Contains(message, batch) {
		t.Errorf("cancelling a part: %q %q", code, message)
	}
	e.must("CancelStatement", object{"Id": batch})
}

// No answer shows credentials, nor a statement of somebody else.
func TestSecrecy(t *testing.T) {
	e := newEnv(t)
	id := e.must("ExecuteStatement", sql("create user u password 'Secret123'"))["Id"]
	e.must("BatchExecuteStatement", sql("", "Sql", nil, "Sqls", []string{"select 1", "create user v password 'Secret123'"}))
	all := fmt.Sprint(e.must("DescribeStatement", object{"Id": id}), e.must("ListStatements", object{"Status": "ALL"}))
	if strings.Contains(all, "Secret123") || strings.Count(all, "***") != 3 {
		t.Errorf("answers show %s", all)
	}
	st, err := e.Statements.Submit(t.Context(), statements.SubmitParams{Owner: "arn:aws:iam::123456789012:user/other", WarehouseID: fronttest.ID(1), Database: "dev", SQLs: []string{"wait"}})
	e.Must(err)
	for _, operation := range []string{"DescribeStatement", "CancelStatement", "GetStatementResult", "GetStatementResultV2"} {
		if code, _ := fronttest.ErrorOf(t, e.call(operation, object{"Id": st.ID})); code != "ResourceNotFoundException" {
			t.Errorf("%s of another's statement: %q", operation, code)
		}
	}
	if list := fmt.Sprint(e.must("ListStatements", object{"Status": "ALL"})); strings.Contains(list, st.ID) {
		t.Error("the list has another's statement")
	}
}

// A data warehouse that is not available can neither be asked nor looked into.
func TestNotAvailable(t *testing.T) {
	e := newEnv(t)
	_, err := e.Warehouses.CreateNamespace(t.Context(), warehouses.CreateNamespaceParams{Name: "sales"})
	e.Must(err)
	_, err = e.Warehouses.CreateWorkgroup(t.Context(), warehouses.CreateWorkgroupParams{Name: "sales", Namespace: "sales"})
	e.Must(err)
	for _, in := range []object{sql("select 1", "ClusterIdentifier", nil, "WorkgroupName", "sales"), sql("", "Sql", nil, "ClusterIdentifier", nil, "WorkgroupName", "sales")} {
		operation := "ExecuteStatement"
		if in["Sql"] == nil {
			operation = "ListTables"
		}
		if code, message := fronttest.ErrorOf(t, e.call(operation, in)); code != "ValidationException" || !strings.Contains(message, "being created") {
			t.Errorf("%s: %q %q", operation, code, message)
		}
	}
	e.Supervise()
	e.must("ExecuteStatement", sql("select 1", "ClusterIdentifier", nil, "WorkgroupName", "sales"))
}

// Statements are found by cluster and by workgroup; what never was has run none.
func TestListByPlace(t *testing.T) {
	e := newEnv(t)
	e.must("ExecuteStatement", sql("select 1"))
	e.must("ExecuteStatement", sql("select 2", "Database", "sales"))
	texts := func(in object) (all []string) {
		for _, s := range e.must("ListStatements", in)["Statements"].([]any) {
			all = append(all, s.(object)["QueryString"].(string))
		}
		return all
	}
	for _, c := range []struct {
		in   object
		want []string
	}{
		{object{"WorkgroupName": "default"}, []string{"select 2", "select 1"}},
		{object{"ClusterIdentifier": "default", "Database": "sales"}, []string{"select 2"}},
		{object{"ClusterIdentifier": "nowhere"}, nil},
		{object{"Status": "STARTED"}, nil},
	} {
		if got := texts(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%v gives %v, want %v", c.in, got, c.want)
		}
	}
}

func TestDatabaseUser(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:iam::123456789012:root":                        "IAM:root",
		"arn:aws:iam::123456789012:user/team/alice":             "IAM:alice",
		"arn:aws:sts::123456789012:assumed-role/loader/session": "IAMR:loader",
	} {
		caller := wiretest.Caller()
		caller.ARN = arn
		if got := redshiftdata.DatabaseUser(caller, ""); got != want {
			t.Errorf("%s is %q, want %q", arn, got, want)
		}
		if got := redshiftdata.DatabaseUser(caller, "bob"); got != "bob" {
			t.Errorf("asked for bob, %s is %q", arn, got)
		}
	}
}
