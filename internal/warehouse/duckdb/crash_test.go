package duckdb

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/load"
)

const (
	crashKills = 25
	crashFiles = 4000
	crashJob   = 77
	// A few files are large: a statement each, whose rows go to disk before the commit.
	crashLarge = 400_000
)

func crashRows(i int) int {
	if i%500 == 7 {
		return crashLarge
	}
	return i%50 + 1
}

// TestCrash kills a child with SIGKILL while it loads, makes databases and runs statements, many times on one
// directory, and compares after every kill what is there with what the ledger says and what the child had
// reported as done. PENSTOCK_TEST_SEED repeats a run.
func TestCrash(t *testing.T) {
	if dir := os.Getenv("PENSTOCK_TEST_CRASH"); dir != "" {
		crashChild(t, dir)
		return
	}
	kills := crashKills
	if testing.Short() {
		kills = 5
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("PENSTOCK_TEST_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable on purpose
	f := newFixture(t)
	f.query(f.connect(), "CREATE TABLE t (file INTEGER, row INTEGER)")
	f.query(f.connect(), "CREATE TABLE s (id VARCHAR)")
	f.must(f.w.Close())
	done := map[string]bool{} // what the child has reported
	total := 0
	for kill := range kills {
		lines := crashRun(t, f, random, done)
		w := New(Options{Dir: f.dir, ReadDirs: []string{f.files}})
		n := crashCheck(t, w, done)
		f.must(w.Close())
		if t.Failed() {
			t.Fatalf("after kill %d of seed %d", kill+1, seed)
		}
		t.Logf("kill %d after %d reports: %d files loaded", kill+1, lines, n)
		total = n
	}
	if total == 0 {
		t.Error("nothing was ever loaded")
	}
}

// crashRun runs a child until some report of its and a moment more, and kills it.
func crashRun(t *testing.T, f *fixture, random *rand.Rand, done map[string]bool) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrash$", "-test.count=1")
	cmd.Env = append(os.Environ(), "PENSTOCK_TEST_CRASH="+f.dir, "PENSTOCK_TEST_CRASH_FILES="+f.files)
	out, err := cmd.StdoutPipe()
	f.must(err)
	cmd.Stderr = os.Stderr
	f.must(cmd.Start())
	until, pause := random.IntN(60), time.Duration(random.IntN(40000))*time.Microsecond
	lines := 0
	scan := bufio.NewScanner(out)
	killed := make(chan struct{})
	for scan.Scan() {
		report, ok := strings.CutPrefix(scan.Text(), "done ")
		if !ok {
			continue
		}
		done[report] = true
		if lines++; lines == until+1 {
			// The only sleep: the point of the kill must fall anywhere in the work that follows.
			time.AfterFunc(pause, func() {
				_ = cmd.Process.Kill()
				close(killed)
			})
		}
	}
	if lines > until {
		<-killed
	}
	_ = cmd.Wait() // killed
	return lines
}

// crashCheck compares the warehouse with its ledger and with the reports, and returns how many files are loaded.
func crashCheck(t *testing.T, w *Warehouse, done map[string]bool) int {
	t.Helper()
	ctx := t.Context()
	s, err := w.Connect(ctx, "dev", "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // never fails
	must := func(sql string) []string {
		out, err := rows(ctx, s, sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return out
	}
	for _, wrong := range must(`SELECT id, file, n, status FROM (SELECT status, CAST(file_name AS INTEGER) AS id FROM sys_copy_job_detail) l
		FULL JOIN (SELECT file, count(*) AS n FROM t GROUP BY 1) r ON l.id = r.file
		WHERE l.id IS NULL OR coalesce(n, 0) <> CASE WHEN id % 10 = 9 THEN 0 WHEN id % 500 = 7 THEN 400000 ELSE id % 50 + 1 END OR status <> CASE WHEN id % 10 = 9 THEN 'E' ELSE 'I' END`) {
		t.Errorf("rows and ledger differ: file in ledger, file in table, rows, status = %s", wrong)
	}
	for _, wrong := range must("SELECT file, row, count(*) FROM t GROUP BY 1, 2 HAVING count(*) > 1") {
		t.Errorf("row twice: %s", wrong)
	}
	for _, wrong := range must("SELECT d.filename FROM stl_load_commits d ANTI JOIN sys_copy_job_detail l ON d.filename = 's3://b/' || l.file_name AND l.status = 'I'") {
		t.Errorf("history of a file that is not in the ledger: %s", wrong)
	}
	inLedger := map[string]bool{}
	for _, name := range must("SELECT file_name FROM sys_copy_job_detail") {
		inLedger["file "+strings.Trim(name, "[]")] = true
	}
	statements := map[string]bool{}
	for _, id := range must("SELECT id FROM s") {
		id = strings.Trim(id, "[]")
		if statements[id] {
			t.Errorf("statement %s took effect twice", id)
		}
		statements[id] = true
		if marked, err := w.StatementCommitted(ctx, "dev", id); err != nil || !marked {
			t.Errorf("statement %s took effect and has no mark: %v", id, err)
		}
	}
	names, err := w.Databases(ctx)
	if err != nil {
		t.Fatal(err)
	}
	databases := map[string]bool{}
	for _, name := range names {
		databases["database "+name] = true
		o, err := w.Connect(ctx, name, "")
		if err != nil {
			t.Errorf("database %s: %v", name, err)
			continue
		}
		if _, err := rows(ctx, o, "CREATE OR REPLACE TABLE probe AS SELECT 1"); err != nil {
			t.Errorf("database %s: %v", name, err)
		}
		_ = o.Close()
	}
	for report := range done {
		kind, id, _ := strings.Cut(report, " ")
		if kind == "statement" && !statements[id] || kind == "file" && !inLedger[report] || kind == "database" && !databases[report] {
			t.Errorf("reported as done and not there: %s", report)
		}
	}
	return len(inLedger)
}

// crashChild loads files that are not in the ledger until it is killed. Every tenth file is bad.
func crashChild(t *testing.T, dir string) {
	ctx := t.Context()
	files := os.Getenv("PENSTOCK_TEST_CRASH_FILES")
	// Checkpoints are where a database file changes most; have many.
	w := New(Options{Dir: dir, ReadDirs: []string{files}, Settings: []string{"SET checkpoint_threshold = '200KB'"}})
	s, err := w.Connect(ctx, "dev", "")
	if err != nil {
		t.Fatal(err)
	}
	report := func(format string, args ...any) { fmt.Printf("done "+format+"\n", args...) }
	random := rand.New(rand.NewPCG(uint64(os.Getpid()), 2)) //nolint:gosec // no secret
	for {
		var keys []string
		for i := range 1 + random.IntN(100) {
			keys = append(keys, fmt.Sprint((random.IntN(crashFiles)+i)%crashFiles))
		}
		left, err := w.Unloaded(ctx, "dev", crashJob, keys, false)
		if err != nil {
			t.Fatal(err)
		}
		req := jobRequest(crashJob)
		for _, key := range left {
			req.Files = append(req.Files, crashFile(t, files, key))
		}
		res, err := w.Load(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range res.Files {
			report("file %s", f.File.Key)
		}
		crashStatement(ctx, t, s, report)
		if random.IntN(5) == 0 {
			name := fmt.Sprintf("db%d", random.IntN(12))
			if err := w.CreateDatabase(ctx, name, "", name); err != nil {
				t.Fatal(err)
			}
			report("database %s", name)
		}
	}
}

func crashStatement(ctx context.Context, t *testing.T, s *Session, report func(string, ...any)) {
	id := fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano())
	if err := s.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := rows(ctx, s, "INSERT INTO s VALUES ("+literal(id)+")"); err != nil {
		t.Fatal(err)
	}
	if err := s.MarkStatement(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	report("statement %s", id)
}

func crashFile(t *testing.T, dir, key string) load.File {
	var i int
	if _, err := fmt.Sscan(key, &i); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for row := range crashRows(i) {
		fmt.Fprintf(&b, "%d,%d\n", i, row)
	}
	if i%10 == 9 {
		b.WriteString("bad,row\n")
	}
	path := filepath.Join(dir, key)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return load.File{Bucket: "b", Key: key, Size: int64(b.Len()), Path: path}
}
