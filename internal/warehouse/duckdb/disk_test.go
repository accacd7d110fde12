package duckdb

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
)

// TestDiskFull runs a child that may not make a file larger than a limit, which to the engine is a disk that
// is full, and then may.
func TestDiskFull(t *testing.T) {
	if os.Getenv("PENSTOCK_TEST_DISK") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiskFull$", "-test.count=1", "-test.v")
		cmd.Env = append(os.Environ(), "PENSTOCK_TEST_DISK=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	f := newFixture(t)
	s, ctx := f.connect(), t.Context()
	f.table(s, "a INTEGER", "b VARCHAR")
	var text strings.Builder
	for i := range 300000 {
		fmt.Fprintf(&text, "%d,%x\n", i, uint64(i)*0x9E3779B97F4A7C15) // does not compress well
	}
	large := f.file("large", text.String())
	small := f.file("small", "1,x\n")
	if _, err := f.w.Load(ctx, jobRequest(1, small)); err != nil {
		t.Fatal(err)
	}
	f.query(s, "INSERT INTO t VALUES (-1, 'kept')")
	limit := func(n uint64) {
		var r syscall.Rlimit
		f.must(syscall.Getrlimit(syscall.RLIMIT_FSIZE, &r))
		r.Cur = min(n, r.Max)
		f.must(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r))
	}
	full := func(what string, err error) {
		t.Helper()
		if !fault.Is(err, fault.Unavailable, SubjectWarehouse) || !strings.Contains(fault.Message(err), "Free space") {
			t.Errorf("%s: %v", what, err)
		}
	}
	other := f.file("other", "2,y\n")
	limit(3 << 20)
	for range 3 {
		_, err := f.w.Load(ctx, jobRequest(1, large, other))
		full("job", err)
		_, err = s.Load(ctx, request(csvSpec(), large))
		full("copy", err)
		_, err = rows(ctx, s, "INSERT INTO t SELECT range, md5(range::VARCHAR) FROM range(300000)")
		full("insert", err)
	}
	third := f.file("third", "3,z\n")
	limit(0)
	_, err := f.w.Load(ctx, jobRequest(1, third))
	full("small job", err)
	_, err = rows(ctx, s, "INSERT INTO t VALUES (3, 'z')")
	full("small insert", err)
	full("database", f.w.CreateDatabase(ctx, "more", "", ""))

	// Reading goes on, with nothing but what was committed.
	check := func(want string) {
		t.Helper()
		if got := f.query(s, "SELECT count(*), count(*) FILTER (a = -1 OR b = 'x') FROM t"); got[0] != want {
			t.Errorf("rows = %v, want %s", got, want)
		}
	}
	check("[2 2]")

	// A checkpoint that fails makes the engine give the database up. What was committed is in its log.
	f.must(s.Begin(ctx))
	f.query(s, "SELECT 1")
	f.must(f.w.with(ctx, "dev", func(o *Session) error {
		if _, err := o.conn.exec(ctx, "CHECKPOINT dev"); err == nil {
			t.Error("a checkpoint without room")
		}
		return nil
	}))
	if _, err := rows(ctx, s, "SELECT * FROM t"); !fault.Is(err, fault.Unavailable, "") {
		t.Errorf("after a failed checkpoint: %v", err)
	}
	if err := s.Commit(ctx); !fault.Is(err, fault.State, "") {
		t.Errorf("commit after a failed checkpoint: %v", err)
	}
	check("[2 2]")
	limit(1 << 62)
	res, err := f.w.Load(ctx, jobRequest(1, small, large, other))
	if err != nil || statuses(res) != "SII" {
		t.Errorf("with space again: %s, %v", statuses(res), err)
	}
	check("[300003 2]")
	f.must(f.w.CreateDatabase(ctx, "more", "", ""))
	f.must(f.w.Close())
	f.w = New(Options{Dir: f.dir, ReadDirs: []string{f.files}})
	s = f.connect()
	check("[300003 2]")
	if left, err := f.w.Unloaded(ctx, "dev", 1, []string{"small", "large", "other", "third"}, true); err != nil || len(left) != 1 || left[0] != "third" {
		t.Errorf("unloaded = %v, %v", left, err)
	}
}
