package duckdb

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

func TestNewTouchesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	w := New(Options{Dir: dir})
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := w.Connect(t.Context(), "dev", ""); !fault.Is(err, fault.Unavailable, SubjectWarehouse) {
		t.Errorf("connect after close: %v", err)
	}
}

func TestDatabaseLife(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	strange := `Ünï."x y%.é`
	f.must(f.w.CreateDatabase(ctx, strange, "alice", "st-1"))
	f.must(f.w.CreateDatabase(ctx, strange, "alice", "st-1")) // the same statement again
	for _, by := range []string{"", "st-2"} {
		if err := f.w.CreateDatabase(ctx, strange, "alice", by); !fault.Is(err, fault.AlreadyExists, SubjectDatabase) {
			t.Errorf("created by %q again: %v", by, err)
		}
	}
	if err := f.w.CreateDatabase(ctx, "DEV", "", ""); !fault.Is(err, fault.AlreadyExists, SubjectDatabase) {
		t.Errorf("another case: %v", err)
	}
	for _, name := range []string{"", "system", "TEMP", "penstock", "penstock_system", strings.Repeat("x", 128), strings.Repeat("Ü", 50), "a\x00b"} {
		if err := f.w.CreateDatabase(ctx, name, "", ""); !fault.Is(err, fault.Invalid, SubjectDatabase) {
			t.Errorf("name %.20q: %v", name, err)
		}
	}
	names, err := f.w.Databases(ctx)
	f.must(err)
	if want := []string{"dev", strange}; !slices.Equal(names, want) {
		t.Errorf("databases = %q", names)
	}
	s, err := f.w.Connect(ctx, strange, "alice")
	f.must(err)
	f.query(s, "CREATE TABLE t AS SELECT 5 AS a")
	if got := f.query(s, "SELECT current_database(), a, "+ident(strange)+".public.t.a FROM "+ident(strange)+".public.t"); got[0] != "["+strange+" 5 5]" {
		t.Errorf("got %v", got)
	}
	if got := f.query(s, "SELECT database_owner_name FROM svv_redshift_databases WHERE database_name = "+literal(strange)); got[0] != "[alice]" {
		t.Errorf("owner = %v", got)
	}
	for what, err := range map[string]error{"drop": f.w.DropDatabase(ctx, strange), "rename": f.w.RenameDatabase(ctx, strange, "x")} {
		if !fault.Is(err, fault.State, SubjectDatabase) || !strings.Contains(err.Error(), "being accessed") {
			t.Errorf("%s in use: %v", what, err)
		}
	}
	f.must(s.Close())
	if err := f.w.RenameDatabase(ctx, strange, "dev"); !fault.Is(err, fault.AlreadyExists, SubjectDatabase) {
		t.Errorf("rename onto another: %v", err)
	}
	f.must(f.w.RenameDatabase(ctx, strange, "sales"))
	dev := f.connect()
	if got := f.query(dev, "SELECT a FROM sales.public.t"); got[0] != "[5]" {
		t.Errorf("after rename: %v", got)
	}
	f.must(dev.Close())
	if err := f.w.RenameDatabase(ctx, strange, "y"); !fault.Is(err, fault.NotFound, SubjectDatabase) {
		t.Errorf("rename of nothing: %v", err)
	}
	f.must(f.w.DropDatabase(ctx, "sales"))
	if err := f.w.DropDatabase(ctx, "sales"); !fault.Is(err, fault.NotFound, SubjectDatabase) {
		t.Errorf("drop of nothing: %v", err)
	}
	if _, err := f.w.Connect(ctx, "sales", ""); !fault.Is(err, fault.NotFound, SubjectDatabase) {
		t.Errorf("connect to nothing: %v", err)
	}
	// The views go on without it, and the last one can go, too.
	dev = f.connect()
	f.query(dev, "SELECT * FROM sys_load_history")
	f.must(dev.Close())
	f.must(f.w.DropDatabase(ctx, "dev"))
	f.must(f.w.CreateDatabase(ctx, "dev", "", ""))
	f.query(f.connect(), "SELECT * FROM sys_load_history, sys_copy_job_detail, stl_load_errors, sys_load_detail, svv_redshift_databases")
	if left, err := filepath.Glob(filepath.Join(f.dir, dataDir, "*")); err != nil || len(left) > 2 {
		t.Errorf("files left: %v, %v", left, err)
	}
}

func TestFileNames(t *testing.T) {
	for _, name := range []string{"dev", "a-b_c9", "Dev", "%41", "x/y", "..", "é", "a.duckdb", "new.new", strings.Repeat("z", 127)} {
		file := fileName(name)
		if strings.ContainsAny(file, `/\`) || strings.HasPrefix(file, ".") || name == "Dev" && file == fileName("dev") {
			t.Errorf("fileName(%q) = %q", name, file)
		}
		if back, ok := databaseName(file); !ok || back != name {
			t.Errorf("databaseName(%q) = %q, %v; want %q", file, back, ok, name)
		}
	}
	for _, file := range []string{"", ".duckdb", "a", "A.duckdb", "a%4.duckdb", "a%zz.duckdb", "%61.duckdb", "a.duckdb.new", "a.duckdb.wal"} {
		if name, ok := databaseName(file); ok {
			t.Errorf("databaseName(%q) = %q", file, name)
		}
	}
}

func FuzzFileName(f *testing.F) {
	for _, seed := range []string{"dev", "Ä", "a/b", "%", "%61"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if back, ok := databaseName(fileName(name)); name != "" && (!ok || back != name) {
			t.Errorf("%q becomes %q, %v", name, back, ok)
		}
		if back, ok := databaseName(name); ok && fileName(back) != name {
			t.Errorf("file %q is of %q, whose file is %q", name, back, fileName(back))
		}
	})
}

// TestInterruptedCreationAndRemoval starts on what a process leaves that dies at each step.
func TestInterruptedCreationAndRemoval(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	f.must(f.w.CreateDatabase(ctx, "whole", "", ""))
	s, err := f.w.Connect(ctx, "whole", "")
	f.must(err)
	f.query(s, "CREATE TABLE t AS SELECT 1 AS a")
	f.must(f.w.Close())
	data := filepath.Join(f.dir, dataDir)
	whole, err := os.ReadFile(filepath.Join(data, "whole.duckdb"))
	f.must(err)
	for name, content := range map[string][]byte{
		"half.duckdb.new":          whole[:len(whole)/2],  // being made
		"half.duckdb.new.wal":      []byte("torn"),        //
		"gone.duckdb.dropped":      whole,                 // being removed, renamed only
		"gone.duckdb.wal":          []byte("torn"),        // its log, still under the old name
		"orphan.duckdb.wal":        []byte("torn"),        //
		"stranger.txt":             []byte("not ours"),    //
		"whole.duckdb.new":         []byte("interrupted"), // a second creation of the same name
		"damaged.duckdb":           []byte("not a database, whatever it was"),
		"UPPER.duckdb":             whole, // not a name of ours
		"gone.duckdb.dropped.wal":  []byte("x"),
		"never%2ddecoded.duckdb.x": nil,
	} {
		f.must(os.WriteFile(filepath.Join(data, name), content, 0o600))
	}
	f.must(os.MkdirAll(filepath.Join(f.dir, tempDir, "left"), 0o700))
	w := New(Options{Dir: f.dir, ReadDirs: []string{f.files}})
	defer w.Close() //nolint:errcheck // checked elsewhere
	names, err := w.Databases(ctx)
	f.must(err)
	if want := []string{"damaged", "dev", "whole"}; !slices.Equal(names, want) {
		t.Errorf("databases = %v", names)
	}
	if _, err := w.Connect(ctx, "damaged", ""); !fault.Is(err, fault.Unavailable, SubjectDatabase) || !strings.Contains(fault.Message(err), "damaged") {
		t.Errorf("damaged database: %v", err)
	}
	s, err = w.Connect(ctx, "whole", "")
	f.must(err)
	if got := f.query(s, "SELECT a FROM t"); got[0] != "[1]" {
		t.Errorf("t = %v", got)
	}
	f.must(s.Close())
	for _, name := range []string{"half", "gone", "orphan"} {
		if err := w.CreateDatabase(ctx, name, "", ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s, err := w.Connect(ctx, name, "")
		f.must(err)
		if tables, err := s.Tables(ctx, "", "public", ""); err != nil || len(tables) != 0 {
			t.Errorf("%s has %v, %v", name, tables, err)
		}
		f.must(s.Close())
	}
	f.must(w.DropDatabase(ctx, "damaged"))
}

func TestNewerLayoutIsRefused(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	f.must(f.w.with(ctx, "dev", func(s *Session) error {
		_, err := s.conn.exec(ctx, "UPDATE dev.penstock.properties SET value = '999' WHERE name = 'layout'")
		return err
	}))
	f.must(f.w.Close())
	w := New(Options{Dir: f.dir})
	defer w.Close() //nolint:errcheck // checked elsewhere
	if _, err := w.Connect(ctx, "dev", ""); !fault.Is(err, fault.Unavailable, SubjectDatabase) || !strings.Contains(err.Error(), "newer release") {
		t.Errorf("got %v", err)
	}
}

func TestReopen(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.query(s, "CREATE TABLE t (a INTEGER)")
	_, err := s.Load(t.Context(), load.Request{Table: load.Table{Schema: "public", Name: "t"}, Spec: csvSpec(), Files: []load.File{f.file("a.csv", "1\n")}, Job: &load.Job{ID: 9, Name: "j"}})
	f.must(err)
	f.must(f.w.Close())
	if _, err := s.Query(t.Context(), "SELECT 1"); !fault.Is(err, fault.Unavailable, "") {
		t.Errorf("session of a closed warehouse: %v", err)
	}
	if wal, err := os.Stat(filepath.Join(f.dir, dataDir, "dev.duckdb.wal")); err == nil && wal.Size() > 0 {
		t.Errorf("a log of %d bytes is left after close", wal.Size())
	}
	f.w = New(Options{Dir: f.dir, ReadDirs: []string{f.files}})
	if left, err := f.w.Unloaded(t.Context(), "dev", 9, []string{"a.csv", "b.csv"}, false); err != nil || !slices.Equal(left, []string{"b.csv"}) {
		t.Errorf("unloaded = %v, %v", left, err)
	}
	if got := f.query(f.connect(), "SELECT * FROM t"); len(got) != 1 {
		t.Errorf("t = %v", got)
	}
	f.must(f.w.Remove())
	if _, err := os.Stat(f.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is left: %v", err)
	}
}

// TestEngineFailure has the engine give itself up, as it does after an error it calls fatal.
func TestEngineFailure(t *testing.T) {
	f := newFixture(t)
	idle, busy := f.connect(), f.connect()
	f.query(idle, "CREATE TABLE t AS SELECT 1 AS a")
	f.query(idle, "CREATE SCHEMA shop")
	f.must(idle.SetSearchPath(t.Context(), []string{"shop", "public"}))
	f.must(idle.Begin(t.Context()))
	f.query(idle, "INSERT INTO t VALUES (2)")
	err := f.w.eng.classify(t.Context(), &engineError{"FATAL Error: Failed to write a block"})
	if !fault.Is(err, fault.Unavailable, SubjectWarehouse) {
		t.Errorf("fatal: %v", err)
	}
	busy.mu.Lock()
	if _, err := f.w.Connect(t.Context(), "dev", ""); !fault.Is(err, fault.Unavailable, SubjectWarehouse) {
		t.Errorf("connect while a statement runs: %v", err)
	}
	busy.mu.Unlock()
	if got := f.query(f.connect(), "SELECT count(*) FROM t"); got[0] != "[1]" {
		t.Errorf("new session: %v", got)
	}
	if got := f.query(busy, "SELECT count(*) FROM t"); got[0] != "[1]" {
		t.Errorf("session that was idle: %v", got)
	}
	if err := idle.Commit(t.Context()); !fault.Is(err, fault.State, SubjectTransaction) {
		t.Errorf("commit of a transaction that was lost: %v", err)
	}
	if got := f.query(idle, "SELECT count(*), current_schema() FROM t"); got[0] != "[1 shop]" {
		t.Errorf("session that was in a transaction: %v", got)
	}
}

// TestSecondProcess opens a directory another process has open.
func TestSecondProcess(t *testing.T) {
	if dir := os.Getenv("PENSTOCK_TEST_SECOND"); dir != "" {
		w := New(Options{Dir: dir})
		_, err := w.Databases(t.Context())
		if !fault.Is(err, fault.Unavailable, SubjectWarehouse) || !strings.Contains(fault.Message(err), "in use by another process") {
			t.Fatalf("opened twice: %v", err)
		}
		return
	}
	f := newFixture(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSecondProcess$", "-test.count=1")
	cmd.Env = append(os.Environ(), "PENSTOCK_TEST_SECOND="+f.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
