package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/store/storetest"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// engine is a warehouse that writes down what it is told. A statement that contains "boom" fails.
type engine struct {
	told      []string
	open      bool
	databases []string
	committed map[string]bool
	marked    string
	tables    map[string][]statements.Column
	loads     []load.Request
	rows      [][]statements.Value
	replicas  map[string]string // database.table to state
	busy      int               // how often dropping a database is refused
}

func newEngine() *engine {
	return &engine{databases: []string{"dev"}, committed: map[string]bool{},
		tables: map[string][]statements.Column{"t": {{Name: "a", TypeName: "int4"}}}}
}

func (e *engine) tell(format string, args ...any) {
	e.told = append(e.told, fmt.Sprintf(format, args...))
}

func (e *engine) Connect(_ context.Context, database, _ string) (Conn, error) {
	if !slices.Contains(e.databases, database) {
		return nil, noDatabase(database)
	}
	e.tell("connect %s", database)
	return e, nil
}
func (e *engine) Databases(context.Context) ([]string, error) { return e.databases, nil }
func (e *engine) CreateDatabase(_ context.Context, name, _, _ string) error {
	if slices.Contains(e.databases, name) {
		return fault.New(fault.AlreadyExists, SubjectDatabase, "database %q already exists", name)
	}
	e.databases = append(e.databases, name)
	return nil
}
func (e *engine) DropDatabase(_ context.Context, name string) error {
	if e.busy > 0 {
		e.busy--
		return fault.New(fault.Conflict, SubjectDatabase, "in use")
	}
	i := slices.Index(e.databases, name)
	if i < 0 {
		return noDatabase(name)
	}
	e.databases = slices.Delete(e.databases, i, i+1)
	return nil
}
func (e *engine) RenameDatabase(_ context.Context, from, to string) error {
	i := slices.Index(e.databases, from)
	if i < 0 {
		return noDatabase(from)
	}
	e.databases[i] = to
	return nil
}
func (e *engine) ReplicaState(_ context.Context, database, _, table string) (state, reason string, ok bool, err error) {
	state, ok = e.replicas[database+"."+table]
	return state, "why", ok, nil
}
func (e *engine) StatementCommitted(_ context.Context, _, id string) (bool, error) {
	return e.committed[id], nil
}
func (e *engine) Begin(context.Context) error {
	if e.open {
		return errors.New("transaction in transaction")
	}
	e.open = true
	e.tell("begin")
	return nil
}
func (e *engine) Commit(context.Context) error {
	e.open = false
	e.tell("commit")
	if e.marked != "" {
		e.committed[e.marked], e.marked = true, ""
	}
	return nil
}
func (e *engine) Rollback() error {
	if e.open {
		e.tell("rollback")
	}
	e.open, e.marked = false, ""
	return nil
}
func (e *engine) InTransaction() bool { return e.open }
func (e *engine) MarkStatement(_ context.Context, id string) error {
	e.tell("mark %s", id)
	e.marked = id
	return nil
}
func (e *engine) Columns(_ context.Context, _, _, table string) ([]statements.Column, error) {
	return e.tables[table], nil
}
func (e *engine) Schemas(context.Context, string, string) ([]string, error) {
	return []string{"public"}, nil
}
func (e *engine) Tables(context.Context, string, string, string) ([]Table, error) {
	return []Table{{"public", "t", "TABLE"}}, nil
}
func (e *engine) SetSearchPath(_ context.Context, schemas []string) error {
	e.tell("search path %s", strings.Join(schemas, ","))
	return nil
}
func (e *engine) Query(_ context.Context, text string) (Rows, error) {
	if strings.Contains(text, "boom") {
		return nil, fault.New(fault.Invalid, SubjectStatement, "boom")
	}
	e.tell("run %s", strings.ToLower(strings.Fields(text)[0]))
	r := &memoryRows{rows: e.rows}
	if strings.HasPrefix(strings.ToUpper(text), "SELECT") {
		r.columns = []statements.Column{{Name: "a", TypeName: "int4"}}
	}
	return r, nil
}
func (e *engine) Load(_ context.Context, req load.Request) (load.Result, error) {
	e.loads = append(e.loads, req)
	e.tell("load %d", len(req.Files))
	return load.Result{Rows: 7}, nil
}
func (e *engine) Close() error { return e.Rollback() }

type memoryRows struct {
	columns []statements.Column
	rows    [][]statements.Value
	at      int
}

func (r *memoryRows) Columns() []statements.Column { return r.columns }
func (r *memoryRows) Next() bool                   { r.at++; return r.columns != nil && r.at <= len(r.rows) }
func (r *memoryRows) Values() []statements.Value   { return r.rows[r.at-1] }
func (r *memoryRows) Affected() int64              { return 3 }
func (r *memoryRows) Err() error                   { return nil }
func (r *memoryRows) Close() error                 { return nil }

// store is a bucket in memory.
type store struct {
	files []load.File
	held  atomic.Int32
}

func (s *store) List(_ context.Context, bucket, prefix, _ string, yield func(load.File) error) error {
	for _, f := range s.files {
		if f.Bucket == bucket && strings.HasPrefix(f.Key, prefix) {
			if err := yield(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *store) Fetch(_ context.Context, f load.File) (load.File, func(), error) {
	s.held.Add(1)
	f.Path = "/local/" + f.Key
	return f, func() { s.held.Add(-1) }, nil
}

// jobs keeps COPY jobs in memory. A run is done as soon as it is asked for.
type jobs struct{ all []copyjob.Job }

func (j *jobs) Create(_ context.Context, job copyjob.Job) (copyjob.Job, error) {
	job.ID = int64(len(j.all) + 1)
	j.all = append(j.all, job)
	return job, nil
}
func (j *jobs) find(key copyjob.Key) (*copyjob.Job, error) {
	for i := range j.all {
		if j.all[i].Name == key.Name && j.all[i].Table.Database == key.Database && j.all[i].WarehouseID == key.WarehouseID {
			return &j.all[i], nil
		}
	}
	return nil, fault.New(fault.NotFound, copyjob.SubjectJob, "no job %s", key.Name)
}
func (j *jobs) Alter(_ context.Context, key copyjob.Key, auto bool) (copyjob.Job, error) {
	job, err := j.find(key)
	if err != nil {
		return copyjob.Job{}, err
	}
	job.Auto = auto
	return *job, nil
}
func (j *jobs) RequestRun(_ context.Context, key copyjob.Key) (copyjob.Job, error) {
	job, err := j.find(key)
	if err != nil {
		return copyjob.Job{}, err
	}
	job.Runs++
	asked := *job
	job.RunsDone = job.Runs
	return asked, nil
}
func (j *jobs) Drop(_ context.Context, key copyjob.Key) (copyjob.Job, error) {
	job, err := j.find(key)
	if err != nil {
		return copyjob.Job{}, err
	}
	gone := *job
	j.all = slices.DeleteFunc(j.all, func(x copyjob.Job) bool { return x.ID == gone.ID })
	return gone, nil
}
func (j *jobs) List(context.Context, string) ([]copyjob.Job, error) { return j.all, nil }

// collect is a Sink that keeps everything.
type collect struct {
	columns []statements.Column
	rows    [][]statements.Value
	ended   bool
}

func (c *collect) Columns(cols []statements.Column) error { c.columns = cols; return nil }
func (c *collect) Row(v []statements.Value) error {
	c.rows = append(c.rows, slices.Clone(v))
	return nil
}
func (c *collect) End() error { c.ended = true; return nil }

type fixture struct {
	*engine
	store *store
	jobs  *jobs
	parts Parts
	*Session
	integrations *zeroetl.Service
}

func open(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{engine: newEngine(), store: &store{}, jobs: &jobs{}, integrations: newIntegrations(t)}
	id := int64(0)
	f.parts = Parts{Objects: f.store, Jobs: f.jobs, Destinations: f.integrations, NextID: func() int64 { id++; return id }, Now: time.Now}
	s, err := Open(t.Context(), f.parts, f.engine, "w", "dev", "admin")
	if err != nil {
		t.Fatal(err)
	}
	f.Session = s
	f.told = nil
	return f
}

// newIntegrations is a service with an integration of the table "Orders", whose id is "table".
func newIntegrations(t *testing.T) *zeroetl.Service {
	t.Helper()
	memory := storetest.NewMemory()
	if err := memory.IntegrationCreate(t.Context(), zeroetl.Integration{ID: "table", ARN: "arn:table", Name: "orders", WarehouseID: "w",
		SourceARN: "arn:aws:dynamodb:us-east-1:123456789012:table/Orders", Kind: zeroetl.SourceDynamoDB, Status: zeroetl.Active}, 0); err != nil {
		t.Fatal(err)
	}
	return zeroetl.NewService(zeroetl.Config{Store: memory, Policies: memory, Now: time.Now, Notify: func() {}})
}

func (f *fixture) heard(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(f.told, want) {
		t.Errorf("the engine heard %q, want %q", f.told, want)
	}
	f.told = nil
}

func TestAStatementIsATransactionWithItsMark(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	if o, err := f.Run(ctx, "INSERT INTO t VALUES (1)", "id-1", &collect{}); err != nil || o.Rows != 3 || o.HasResultSet {
		t.Errorf("%+v, %v", o, err)
	}
	f.heard(t, "begin", "run insert", "mark id-1", "commit")

	if _, err := f.Run(ctx, "INSERT INTO t SELECT boom FROM t", "id-2", &collect{}); err == nil {
		t.Error("no error")
	}
	f.heard(t, "begin", "rollback")
	if f.committed["id-2"] {
		t.Error("a failed statement is marked")
	}
}

func TestASelectNeedsNoTransaction(t *testing.T) {
	f := open(t)
	f.rows = [][]statements.Value{{int64(1)}, {int64(2)}}
	out := &collect{}
	o, err := f.Run(t.Context(), "SELECT a FROM t", "id", out)
	if err != nil || !o.HasResultSet || o.Rows != 2 || len(out.rows) != 2 || !out.ended {
		t.Errorf("%+v %+v %v", o, out, err)
	}
	f.heard(t, "run select")
}

func TestAnOpenTransactionIsJoined(t *testing.T) {
	f := open(t)
	for _, text := range []string{"BEGIN", "BEGIN", "INSERT INTO t VALUES (1)", "COMMIT", "COMMIT"} {
		if _, err := f.Run(t.Context(), text, "id", &collect{}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	f.heard(t, "begin", "run insert", "commit")
}

func TestAFailureBeforeTheEngineSpoilsTheTransaction(t *testing.T) {
	for _, bad := range []string{"CREATE DATABASE x", "SELEC 1"} {
		f := open(t)
		for _, text := range []string{"BEGIN", "INSERT INTO t VALUES (1)"} {
			if _, err := f.Run(t.Context(), text, "id", &collect{}); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if _, err := f.Run(t.Context(), bad, "id", &collect{}); !fault.Is(err, fault.Invalid, "") {
			t.Errorf("%s: %v", bad, err)
		}
		for _, text := range []string{"INSERT INTO t VALUES (2)", "COMMIT"} {
			if _, err := f.Run(t.Context(), text, "id", &collect{}); !fault.Is(err, fault.State, SubjectTransaction) {
				t.Errorf("%s after %s: %v", text, bad, err)
			}
		}
		if _, err := f.Run(t.Context(), "SELECT a FROM t", "id", &collect{}); err != nil {
			t.Errorf("after the end: %v", err)
		}
		f.heard(t, "begin", "run insert", "rollback", "run select")
	}
}

func TestBatch(t *testing.T) {
	f := open(t)
	next := func(int, *Outcome) (Sink, error) { return &collect{}, nil }
	done, err := f.RunBatch(t.Context(), []string{"INSERT INTO t VALUES (1)", "SELECT a FROM t"}, "b", next)
	if err != nil || len(done) != 2 {
		t.Fatalf("%v, %v", done, err)
	}
	f.heard(t, "begin", "run insert", "run select", "mark b", "commit")

	done, err = f.RunBatch(t.Context(), []string{"INSERT INTO t VALUES (1)", "SELECT boom"}, "c", next)
	if err == nil || len(done) != 1 {
		t.Fatalf("%v, %v", done, err)
	}
	f.heard(t, "begin", "run insert", "rollback")

	for _, text := range []string{"COMMIT", "CREATE DATABASE x", "COPY JOB DROP j",
		"COPY t FROM 's3://b/p' IAM_ROLE 'arn:aws:iam::123456789012:role/r' CSV JOB CREATE j"} {
		if _, err := f.RunBatch(t.Context(), []string{text}, "d", next); !fault.Is(err, fault.Invalid, SubjectTransaction) {
			t.Errorf("%s in a batch: %v", text, err)
		}
		f.heard(t, "begin", "rollback")
	}
}

func TestCopy(t *testing.T) {
	f := open(t)
	copy := "COPY t FROM 's3://b/in/' IAM_ROLE 'arn:aws:iam::123456789012:role/r' CSV"
	if _, err := f.Run(t.Context(), copy, "id", &collect{}); !fault.Is(err, fault.NotFound, SubjectPrefix) {
		t.Errorf("an empty prefix: %v", err)
	}
	f.store.files = []load.File{{Bucket: "b", Key: "in/1"}, {Bucket: "b", Key: "in/2"}, {Bucket: "b", Key: "out/3"}}
	o, err := f.Run(t.Context(), copy, "id", &collect{})
	if err != nil || o.Rows != 7 {
		t.Fatalf("%+v %v", o, err)
	}
	f.heard(t, "begin", "load 2", "mark id", "commit")
	req := f.loads[0]
	if req.Job != nil || req.Table != (load.Table{Database: "dev", Schema: "public", Name: "t"}) || req.Files[0].Path != "/local/in/1" || req.Spec.Format != load.CSV {
		t.Errorf("%+v", req)
	}
	if f.store.held.Load() != 0 {
		t.Errorf("%d files not released", f.store.held.Load())
	}
}

func TestCopyJobStatements(t *testing.T) {
	f := open(t)
	run := func(text string) ([][]statements.Value, error) {
		out := &collect{}
		_, err := f.Run(t.Context(), text, "id", out)
		return out.rows, err
	}
	create := "COPY t FROM 's3://b/in/' IAM_ROLE 'arn:aws:iam::123456789012:role/r' CSV IGNOREHEADER 1 JOB CREATE j AUTO OFF"
	if _, err := run(strings.Replace(create, "COPY t", "COPY nowhere", 1)); fault.KindOf(err) != fault.NotFound {
		t.Errorf("job into a table that does not exist: %v", err)
	}
	if _, err := run(create); err != nil {
		t.Fatal(err)
	}
	j := f.jobs.all[0]
	if j.Name != "j" || j.Auto || j.Bucket != "b" || j.Prefix != "in/" || j.Spec.IgnoreHeader != 1 || j.CreatedBy != "id" || j.WarehouseID != "w" {
		t.Errorf("%+v", j)
	}
	if _, err := run("COPY JOB ALTER j AUTO ON"); err != nil || !f.jobs.all[0].Auto {
		t.Errorf("ALTER: %v", err)
	}
	if _, err := run("COPY JOB RUN j"); err != nil {
		t.Errorf("RUN: %v", err)
	}
	if rows, err := run("COPY JOB LIST"); err != nil || len(rows) != 1 || rows[0][1] != "j" {
		t.Errorf("LIST: %v, %v", rows, err)
	}
	if rows, err := run("COPY JOB SHOW j"); err != nil || len(rows) != 1 {
		t.Errorf("SHOW: %v, %v", rows, err)
	}
	for _, text := range []string{"COPY JOB SHOW k", "COPY JOB DROP k", "COPY JOB RUN k", "COPY JOB ALTER k AUTO ON"} {
		if _, err := run(text); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := run("COPY JOB DROP j"); err != nil || len(f.jobs.all) != 0 {
		t.Errorf("DROP: %v", err)
	}
	f.Again = true
	if _, err := run("COPY JOB DROP j"); err != nil {
		t.Errorf("DROP run again after a crash: %v", err)
	}
}

func TestDatabases(t *testing.T) {
	f := open(t)
	run := func(text string) error {
		_, err := f.Run(t.Context(), text, "id", &collect{})
		return err
	}
	for _, tc := range []struct {
		text string
		want fault.Kind
		ok   bool
	}{
		{"CREATE DATABASE a", 0, true},
		{"CREATE DATABASE a", fault.AlreadyExists, false},
		{"CREATE DATABASE z FROM INTEGRATION '1d5e2b6e-7a1c-4c0b-9f3e-0a1b2c3d4e5f'", fault.NotFound, false},
		{"ALTER DATABASE a RENAME TO b", 0, true},
		{"ALTER DATABASE dev RENAME TO x", fault.Invalid, false},
		{"ALTER DATABASE nowhere OWNER TO me", fault.NotFound, false},
		{"ALTER DATABASE b INTEGRATION REFRESH ALL TABLES", fault.NotFound, false},
		{"ALTER DATABASE b INTEGRATION SET QUERY_ALL_STATES TRUE", fault.NotFound, false},
		{"DROP DATABASE dev", fault.Invalid, false},
		{"DROP DATABASE b", 0, true},
		{"DROP DATABASE b", fault.NotFound, false},
		{"DROP DATABASE IF EXISTS b", 0, true},
		{"USE nowhere", fault.NotFound, false},
		{"VACUUM t", 0, true},
		{"ANALYZE", 0, true},
		{"GRANT SELECT ON t TO PUBLIC", 0, true},
		{"SET query_group TO 'x'", 0, true},
	} {
		err := run(tc.text)
		if tc.ok != (err == nil) || err != nil && fault.KindOf(err) != tc.want {
			t.Errorf("%s: %v", tc.text, err)
		}
	}
	for len(f.databases) < MaxDatabases {
		f.databases = append(f.databases, fmt.Sprint("d", len(f.databases)))
	}
	if err := run("CREATE DATABASE one_too_many"); fault.KindOf(err) != fault.Limit {
		t.Errorf("quota: %v", err)
	}
}

func TestDestinationDatabases(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	run := func(text, id string) error {
		_, err := f.Run(ctx, text, id, &collect{})
		return err
	}
	for text, want := range map[string]fault.Kind{
		"CREATE DATABASE d FROM INTEGRATION 'none'":                         fault.NotFound,
		"CREATE DATABASE d FROM INTEGRATION 'table' DATABASE 'x'":           fault.Invalid,
		"CREATE DATABASE d FROM INTEGRATION 'table' SET HISTORY_MODE TRUE":  fault.Unsupported,
		"CREATE DATABASE d FROM INTEGRATION 'table' SET REFRESH_INTERVAL 5": fault.Invalid,
		"CREATE DATABASE dev FROM INTEGRATION 'table'":                      fault.AlreadyExists,
	} {
		if err := run(text, "s0"); fault.KindOf(err) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	if len(f.databases) != 1 {
		t.Errorf("refused statements left %v", f.databases)
	}
	create := "CREATE DATABASE d FROM INTEGRATION 'table' SET REFRESH_INTERVAL 900"
	if err := run(create, "s1"); err != nil {
		t.Fatal(err)
	}
	i, ok, err := f.integrations.ByDatabase(ctx, "w", "d")
	if err != nil || !ok || i.Destination.RefreshInterval != 900 {
		t.Fatalf("%+v %t %v", i, ok, err)
	}
	if err := run("CREATE DATABASE e FROM INTEGRATION 'table'", "s2"); fault.KindOf(err) != fault.AlreadyExists {
		t.Errorf("a second database: %v", err)
	}

	// Refreshes.
	refreshes := func() int64 { i, _, _ := f.integrations.ByDatabase(ctx, "w", "d"); return i.Destination.Refreshes }
	f.replicas = map[string]string{"d.Orders": "Synced"}
	for _, tc := range []struct {
		text string
		more int64
		want fault.Kind
	}{
		{"ALTER DATABASE d INTEGRATION REFRESH ALL TABLES", 1, 0},
		{`ALTER DATABASE d INTEGRATION REFRESH TABLE public."Orders"`, 1, 0},
		{"ALTER DATABASE d INTEGRATION REFRESH ALL TABLES IN SCHEMA public", 1, 0},
		{"ALTER DATABASE d INTEGRATION REFRESH INERROR TABLES", 0, 0},
		{"ALTER DATABASE d INTEGRATION REFRESH TABLE public.other", 0, fault.NotFound},
		{"ALTER DATABASE d INTEGRATION REFRESH ALL TABLES IN SCHEMA s", 0, fault.NotFound},
		{"ALTER DATABASE d INTEGRATION SET TRUNCATECOLUMNS TRUE", 0, 0},
		{"ALTER DATABASE d INTEGRATION SET HISTORY_MODE TRUE", 0, fault.Unsupported},
		{"ALTER DATABASE d RENAME TO e", 0, fault.Unsupported},
	} {
		before := refreshes()
		err := run(tc.text, "")
		if (err == nil) != (tc.want == 0) || err != nil && fault.KindOf(err) != tc.want || refreshes()-before != tc.more {
			t.Errorf("%s: %v, %d more refreshes", tc.text, err, refreshes()-before)
		}
	}
	f.replicas["d.Orders"] = "Failed"
	if err := run("ALTER DATABASE d INTEGRATION REFRESH INERROR TABLES", ""); err != nil || refreshes() != 4 {
		t.Errorf("REFRESH INERROR of a failed table: %v, %d", err, refreshes())
	}

	// What may be read depends on the table's state; nothing may be written.
	for state, want := range map[string]bool{"Synced": true, "DroppedSource": true, "Failed": false, "ResyncRequired": false, "ResyncInitiated": false} {
		f.replicas["d.Orders"] = state
		if err := run(`SELECT 1 FROM d.public."Orders"`, ""); (err == nil) != want || err != nil && fault.KindOf(err) != fault.State {
			t.Errorf("SELECT of a table that is %s: %v", state, err)
		}
	}
	if err := run("ALTER DATABASE d INTEGRATION SET QUERY_ALL_STATES TRUE", ""); err != nil {
		t.Fatal(err)
	}
	f.replicas["d.Orders"] = "Failed"
	if err := run(`SELECT 1 FROM d.public."Orders"`, ""); err != nil {
		t.Errorf("with QUERY_ALL_STATES: %v", err)
	}
	if err := run("USE d", ""); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"CREATE TABLE x (a INTEGER)", `DELETE FROM "Orders"`, "INSERT INTO t VALUES (1)",
		"COPY t FROM 's3://b/' IAM_ROLE 'arn:aws:iam::123456789012:role/r' CSV", "COPY t FROM 's3://b/' IAM_ROLE 'arn:aws:iam::123456789012:role/r' CSV JOB CREATE j"} {
		if err := run(text, ""); !fault.Is(err, fault.Denied, SubjectDatabase) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := run(`SELECT 1 FROM "Orders"`, ""); err != nil {
		t.Error(err)
	}
	if err := run("USE dev", ""); err != nil {
		t.Fatal(err)
	}

	// Dropping waits for replication to stop.
	f.busy = 2
	if err := run("DROP DATABASE d", ""); err != nil {
		t.Errorf("DROP: %v", err)
	}
	if _, ok, _ := f.integrations.ByDatabase(ctx, "w", "d"); ok || len(f.databases) != 1 {
		t.Errorf("after DROP: connected %t, databases %v", ok, f.databases)
	}
	if err := run(create, "s1"); err != nil {
		t.Errorf("made again: %v", err)
	}
}

func TestSettings(t *testing.T) {
	f := open(t)
	show := func(text string) string {
		out := &collect{}
		if _, err := f.Run(t.Context(), text, "", out); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return fmt.Sprint(out.rows[0][0])
	}
	if _, err := f.Run(t.Context(), "SET search_path TO a, public", "", &collect{}); err != nil {
		t.Fatal(err)
	}
	f.heard(t, "search path a,public")
	if got := show("SHOW search_path"); got != "a, public" {
		t.Errorf("search_path is %q", got)
	}
	// The engine is told again when there are other schemas, or there are after all not.
	for text, want := range map[string][]string{
		"CREATE SCHEMA a": {"begin", "run create", "commit", "search path a,public"},
		"DROP SCHEMA a":   {"begin", "run drop", "commit", "search path a,public"},
		"BEGIN":           {"begin"},
	} {
		if _, err := f.Run(t.Context(), text, "", &collect{}); err != nil {
			t.Fatal(err)
		}
		f.heard(t, want...)
		if text == "BEGIN" {
			if _, err := f.Run(t.Context(), "ROLLBACK", "", &collect{}); err != nil {
				t.Fatal(err)
			}
			f.heard(t, "rollback", "search path a,public")
		}
	}
	if _, err := f.Run(t.Context(), "RESET search_path", "", &collect{}); err != nil {
		t.Fatal(err)
	}
	f.heard(t, "search path ")
	if got := show("SHOW timezone"); got != "UTC" {
		t.Errorf("timezone is %q", got)
	}
}

func TestLike(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		s, pattern string
		want       bool
	}{
		{"abc", "", true}, {"abc", "abc", true}, {"abc", "a%", true}, {"abc", "%c", true}, {"abc", "a_c", true},
		{"abc", "ab", false}, {"abc", "_", false}, {"a%c", `a\%c`, true}, {"abc", `a\%c`, false}, {"", "%", true}, {"aXbXc", "a%b%c", true},
	} {
		if got := like(tc.s, tc.pattern); got != tc.want {
			t.Errorf("like(%q, %q) = %v", tc.s, tc.pattern, got)
		}
	}
}
