package duckdb

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

func jobRequest(id int64, files ...load.File) load.Request {
	r := request(csvSpec(), files...)
	r.Table.Database = "dev"
	r.Job = &load.Job{ID: id, Name: fmt.Sprintf("job%d", id), Text: "COPY t FROM 's3://b/' ... JOB CREATE"}
	return r
}

func statuses(res load.Result) string {
	var b strings.Builder
	for _, f := range res.Files {
		b.WriteByte(byte(f.Status))
	}
	return b.String()
}

func TestJob(t *testing.T) {
	f := newFixture(t)
	s, ctx := f.connect(), t.Context()
	f.table(s, "a INTEGER")
	one, two := f.file("one", "1\n"), f.file("two", "2\n22\n")
	res, err := f.w.Load(ctx, jobRequest(1, one, two, one))
	f.must(err)
	if statuses(res) != "IIS" || res.Rows != 3 || res.Bytes != one.Size+two.Size {
		t.Errorf("first load: %s, %d rows, %d bytes", statuses(res), res.Rows, res.Bytes)
	}
	// The same again, overwritten, and with something new: what is in the ledger stays as it is.
	one = f.file("one", "100\n200\n")
	three := f.file("three", "3\n")
	res, err = f.w.Load(ctx, jobRequest(1, one, two, three))
	f.must(err)
	if statuses(res) != "SSI" || res.Rows != 1 {
		t.Errorf("second load: %s, %d rows", statuses(res), res.Rows)
	}
	if res, err = f.w.Load(ctx, jobRequest(1, one, two, three)); err != nil || statuses(res) != "SSS" {
		t.Errorf("third load: %s, %v", statuses(res), err)
	}
	// Another job knows nothing of the first one's files; a plain COPY neither.
	if res, err = f.w.Load(ctx, jobRequest(2, two)); err != nil || statuses(res) != "I" {
		t.Errorf("other job: %s, %v", statuses(res), err)
	}
	if res, err = s.Load(ctx, request(csvSpec(), two)); err != nil || statuses(res) != "I" {
		t.Errorf("copy: %s, %v", statuses(res), err)
	}
	if got := f.query(s, "SELECT a, count(*) FROM t GROUP BY 1 ORDER BY 1"); !slices.Equal(got, []string{"[1 1]", "[2 3]", "[3 1]", "[22 3]"}) {
		t.Errorf("rows = %v", got)
	}
	left, err := f.w.Unloaded(ctx, "dev", 1, []string{"new", "two", "b", "one"}, false)
	if f.must(err); !slices.Equal(left, []string{"new", "b"}) {
		t.Errorf("unloaded = %v", left)
	}
	if got := f.query(s, "SELECT job_id, job_name, database_name, file_location, file_name, file_size, file_etag, status FROM sys_copy_job_detail ORDER BY 1, 5"); !slices.Equal(got, []string{
		"[1 job1 dev b one 2 e I]", "[1 job1 dev b three 2 e I]", "[1 job1 dev b two 5 e I]", "[2 job2 dev b two 5 e I]"}) {
		t.Errorf("detail = %v", got)
	}
	if got := f.query(s, "SELECT copy_job_id, loaded_rows, source_file_count, status FROM sys_load_history ORDER BY query_id"); !slices.Equal(got, []string{
		"[1 3 2 completed]", "[1 1 1 completed]", "[2 2 1 completed]", "[0 2 1 completed]"}) {
		t.Errorf("history = %v", got)
	}
	counts, err := f.w.JobCounts(ctx, "dev")
	f.must(err)
	if c := counts[1]; c.Loaded != 3 || c.Failed != 0 || c.Rows != 4 || c.Bytes != 9 || time.Since(c.Last) > time.Minute {
		t.Errorf("counts = %+v", c)
	}
	ids, err := f.w.JobsInLedger(ctx, "dev")
	if f.must(err); !slices.Equal(ids, []int64{1, 2}) {
		t.Errorf("jobs = %v", ids)
	}
	f.must(f.w.ForgetJob(ctx, "dev", 1))
	f.must(f.w.ForgetJob(ctx, "dev", 1))
	if left, err = f.w.Unloaded(ctx, "dev", 1, []string{"two"}, false); err != nil || len(left) != 1 {
		t.Errorf("unloaded after forgetting = %v, %v", left, err)
	}
	f.must(s.Begin(ctx))
	if _, err := s.Load(ctx, jobRequest(1, one)); !fault.Is(err, fault.State, SubjectTransaction) {
		t.Errorf("job in a transaction: %v", err)
	}
}

// TestJobWithBadFiles has every kind of bad file among good ones, all in one request.
func TestJobWithBadFiles(t *testing.T) {
	f := newFixture(t)
	s, ctx := f.connect(), t.Context()
	f.table(s, "a INTEGER", "b character varying(5)")
	var files []load.File
	want := ""
	add := func(file load.File, status byte) {
		files = append(files, file)
		want += string(status)
	}
	for i := range 600 {
		add(f.file(fmt.Sprintf("good%d", i), fmt.Sprintf("%d,x\n", i)), 'I')
		switch i {
		case 10:
			add(f.file("letters", "1,x\nx,y\n"), 'E')
		case 200:
			add(f.file("long", "1,toolong\n"), 'E')
		case 201:
			gone := f.file("gone", "1,x\n")
			f.must(os.Remove(gone.Path))
			add(gone, 'E')
		case 300:
			add(f.file("odd", "-1,\"a\nb\"\r\n-2,b\n"), 'I') // good, but not to the engine
		case 400:
			add(f.file("binary", "\x89PNG\r\n\x1a\n\x00\x00"), 'E')
		case 401:
			add(f.file("fields", "1\n"), 'E')
		case 402:
			add(f.file("empty", ""), 'I')
		case 500:
			add(f.file("large", strings.Repeat("-3,large\n", 700000)+"-3,larger\n"), 'E') // a statement by itself
			add(f.file("large good", strings.Repeat("-4,large\n", 700000)), 'I')
		}
	}
	res, err := f.w.Load(ctx, jobRequest(7, files...))
	f.must(err)
	if statuses(res) != want {
		t.Errorf("statuses:\n got %s\nwant %s", statuses(res), want)
	}
	if got := f.query(s, "SELECT count(*), count(*) FILTER (a = -4), count(*) FILTER (a = -3), count(*) FILTER (a IN (-1, -2)) FROM t"); got[0] != "[700602 700000 0 2]" {
		t.Errorf("rows = %v", got)
	}
	codes := map[string]string{}
	for _, r := range f.query(s, "SELECT replace(file_name, 's3://b/', ''), line_number, trim(column_name), error_code, copy_job_id FROM sys_load_error_detail e JOIN sys_load_history USING (query_id)") {
		name, rest, _ := strings.Cut(strings.Trim(r, "[]"), " ")
		codes[name] = rest
	}
	for name, code := range map[string]string{"letters": "2 a 1207 7", "long": "1 b 1204 7", "gone": "0  1212 7", "binary": "1 a 1214 7", "fields": "1 a 1214 7", "large": "700001 b 1204 7"} {
		if codes[name] != code {
			t.Errorf("%s: %q, want %q", name, codes[name], code)
		}
	}
	if len(codes) != 6 {
		t.Errorf("errors = %v", codes)
	}
	for _, fr := range res.Files {
		if (fr.Status == load.Failed) != (fr.Message != "") {
			t.Errorf("%s: %c %q", fr.File.Key, fr.Status, fr.Message)
		}
	}
	if got := f.query(s, "SELECT status, count(*) FROM sys_copy_job_detail GROUP BY 1 ORDER BY 1"); !slices.Equal(got, []string{"[E 6]", "[I 603]"}) {
		t.Errorf("detail = %v", got)
	}

	// Failed files stay failed, until they are asked for again.
	letters := f.file("letters", "1000,x\n")
	if res, err = f.w.Load(ctx, jobRequest(7, letters)); err != nil || statuses(res) != "S" {
		t.Errorf("failed file again: %s, %v", statuses(res), err)
	}
	if left, err := f.w.Unloaded(ctx, "dev", 7, []string{"letters", "long", "good1"}, true); err != nil || !slices.Equal(left, []string{"letters", "long"}) {
		t.Errorf("unloaded or failed = %v, %v", left, err)
	}
	req := jobRequest(7, letters, files[0], f.file("long", "1,still too long\n"))
	req.Retry = true
	if res, err = f.w.Load(ctx, req); err != nil || statuses(res) != "ISE" {
		t.Errorf("retry: %s, %v", statuses(res), err)
	}
	if got := f.query(s, "SELECT status, count(*) FROM sys_copy_job_detail GROUP BY 1 ORDER BY 1"); !slices.Equal(got, []string{"[E 5]", "[I 604]"}) {
		t.Errorf("detail after retry = %v", got)
	}
}

// TestJobAgainstConstraints loads into a table that will not have all good rows.
func TestJobAgainstConstraints(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.query(s, "CREATE TABLE t (a INTEGER PRIMARY KEY)")
	res, err := f.w.Load(t.Context(), jobRequest(1, f.file("1", "1\n"), f.file("2", "1\n"), f.file("3", "3\n")))
	f.must(err)
	if statuses(res) != "IEI" || !strings.Contains(res.Files[1].Message, "uplicate") {
		t.Errorf("%s: %q", statuses(res), res.Files[1].Message)
	}
	if got := f.query(s, "SELECT a FROM t ORDER BY 1"); !slices.Equal(got, []string{"[1]", "[3]"}) {
		t.Errorf("rows = %v", got)
	}
	if _, err := s.Load(t.Context(), request(csvSpec(), f.file("4", "4\n4\n"))); !fault.Is(err, fault.Invalid, SubjectLoad) {
		t.Errorf("copy: %v", err)
	}
}

// TestTroubleSettlesNothing has failures that are not the files'.
func TestTroubleSettlesNothing(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.table(s, "a INTEGER")
	file := f.file("1", "1\n")
	req := jobRequest(1, file)
	req.Table.Name = "nope"
	if _, err := f.w.Load(t.Context(), req); !fault.Is(err, fault.NotFound, SubjectRelation) {
		t.Errorf("no table: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.w.Load(ctx, jobRequest(1, file)); err == nil {
		t.Error("loaded with a context that is done")
	}
	if left, err := f.w.Unloaded(t.Context(), "dev", 1, []string{"1"}, true); err != nil || len(left) != 1 {
		t.Errorf("unloaded = %v, %v", left, err)
	}
	if os.Getuid() != 0 {
		f.must(os.Chmod(file.Path, 0))
		if _, err := f.w.Load(t.Context(), jobRequest(1, file)); !fault.Is(err, fault.Unavailable, "") {
			t.Errorf("unreadable file: %v", err)
		}
	}
}

func TestCancelledLoad(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.table(s, "a INTEGER", "b VARCHAR")
	file := f.file("big", strings.Repeat("1,some text to make it longer\n", 3000000))
	for _, job := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		req := request(csvSpec(), file)
		if job {
			req.Job = &load.Job{ID: 5}
		}
		go func() {
			_, err := s.Load(ctx, req)
			done <- err
		}()
		o := f.connect()
		waitFor(t, func() bool {
			return len(f.query(o, "SELECT status FROM sys_load_history WHERE status = 'running'")) == 1
		})
		cancel()
		if err := <-done; fault.KindOf(err) != fault.Canceled {
			t.Errorf("job %v: %v", job, err)
		}
		if got := f.query(o, "SELECT count(*) FROM t"); got[0] != "[0]" {
			t.Errorf("job %v: rows = %v", job, got)
		}
	}
	if left, err := f.w.Unloaded(t.Context(), "dev", 5, []string{"big"}, true); err != nil || len(left) != 1 {
		t.Errorf("unloaded = %v, %v", left, err)
	}
}

// TestOneFileByManyLoaders sends the same keys from several goroutines at once.
func TestOneFileByManyLoaders(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.table(s, "a INTEGER")
	var files []load.File
	for i := range 50 {
		files = append(files, f.file(fmt.Sprint(i), fmt.Sprintf("%d\n", i)))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	loaded := map[string]int{}
	for g := range 8 {
		wg.Go(func() {
			for i := range files {
				res, err := f.w.Load(t.Context(), jobRequest(1, files[(i+g*7)%len(files)]))
				if err != nil && !fault.Is(err, fault.Conflict, "") {
					t.Errorf("loader %d: %v", g, err)
				}
				mu.Lock()
				if err == nil && res.Files[0].Status == load.Loaded {
					loaded[res.Files[0].File.Key]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got := f.query(s, "SELECT count(*), count(DISTINCT a) FROM t"); got[0] != "[50 50]" {
		t.Errorf("rows = %v", got)
	}
	for key, n := range loaded {
		if n != 1 {
			t.Errorf("%s: loaded %d times", key, n)
		}
	}
}

func TestCopyJobsHaveTheirTablesIds(t *testing.T) {
	columns := []Column{{Name: "job_id", TypeName: "int8"}, {Name: "database_name", TypeName: "varchar"}, {Name: "schema_name", TypeName: "varchar"}, {Name: "table_name", TypeName: "varchar"}}
	f := newFixture(t, func(o *Options) {
		o.System = []SystemTable{{CopyJobs, columns, func(context.Context) ([][]any, error) {
			return [][]any{{int64(1), "dev", "public", "t"}, {int64(2), "dev", "public", "gone"}}, nil
		}}}
	})
	s := f.connect()
	f.table(s, "a INTEGER")
	if got := f.query(s, "SELECT job_id, table_id = (SELECT table_oid FROM duckdb_tables() WHERE table_name = 't') FROM sys_copy_job ORDER BY 1"); !slices.Equal(got, []string{"[1 true]", "[2 <nil>]"}) {
		t.Errorf("jobs = %v", got)
	}
}

func TestPendingFiles(t *testing.T) {
	modified := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	rows := [][]any{
		{"dev", int64(1), "job1", "COPY", "b", "waiting", "etag", int64(10), modified, "2026-01-02 03:04:06"},
		{"dev", int64(1), "job1", "COPY", "b", "done", "etag", int64(10), modified, nil},
	}
	var failing error
	f := newFixture(t, func(o *Options) {
		o.System = []SystemTable{
			{PendingFiles, PendingColumns(), func(context.Context) ([][]any, error) { return rows, failing }},
			{"sys_other", []Column{{Name: "job_id", TypeName: "int8"}, {Name: "channel state", TypeName: "varchar"}, {Name: "is_auto", TypeName: "int4"}, {Name: "n", TypeName: "numeric", Precision: 5, Scale: 1}},
				func(context.Context) ([][]any, error) {
					var out [][]any
					for i := range 5000 {
						out = append(out, []any{int64(i), "x\xff", nil, "1.5"})
					}
					return out, nil
				}},
		}
	})
	s := f.connect()
	f.table(s, "a INTEGER")
	_, err := f.w.Load(t.Context(), jobRequest(1, f.file("done", "1\n")))
	f.must(err)
	if got := f.query(s, "SELECT file_name, status, modification_time, enqueue_time IS NULL FROM sys_copy_job_detail WHERE file_name = 'waiting' UNION ALL SELECT file_name, status, NULL, NULL FROM sys_copy_job_detail WHERE file_name = 'done'"); !slices.Equal(got, []string{
		"[waiting P 2026-01-02 03:04:05.000006 false]", "[done I <nil> <nil>]"}) {
		t.Errorf("detail = %v", got)
	}
	if got := f.query(s, `SELECT count(*), max(job_id), min("channel state"), count(is_auto), sum(n) FROM sys_other`); got[0] != "[5000 4999 x? 0 7500.0]" {
		t.Errorf("sys_other = %v", got)
	}
	failing = fault.New(fault.Unavailable, "", "the store is away")
	if _, err := s.Query(t.Context(), "SELECT * FROM sys_copy_job_detail"); err == nil || !strings.Contains(err.Error(), "the store is away") {
		t.Errorf("failing table: %v", err)
	}
}

func TestPrune(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f := newFixture(t, func(o *Options) { o.Now = func() time.Time { return now } })
	s, ctx := f.connect(), t.Context()
	f.table(s, "a INTEGER")
	for i := range 3 {
		f.must(s.Begin(ctx))
		_, err := s.Load(ctx, request(csvSpec(), f.file("x", "1\n")))
		f.must(err)
		f.must(s.MarkStatement(ctx, fmt.Sprint(i)))
		f.must(s.Commit(ctx))
		now = now.Add(5 * 24 * time.Hour)
	}
	for sql, want := range map[string]string{"SELECT count(*) FROM sys_load_history": "[2]", "SELECT count(*) FROM sys_load_detail": "[2]", "SELECT count(*) FROM t": "[3]"} {
		if got := f.query(s, sql); got[0] != want {
			t.Errorf("%s = %v, want %s", sql, got, want)
		}
	}
	for id, want := range map[string]bool{"0": false, "1": false, "2": true} {
		if got, err := f.w.StatementCommitted(ctx, "dev", id); err != nil || got != want {
			t.Errorf("mark %s: %v, %v", id, got, err)
		}
	}
}
