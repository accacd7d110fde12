package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

func open(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func someJob(n int) copyjob.Job {
	return copyjob.Job{Name: fmt.Sprint("job", n), WarehouseID: "w", Table: load.Table{Database: "dev"}, Created: time.Unix(1, 0).UTC()}
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	db := open(t, dir)
	if _, err := db.Jobs().JobCreate(t.Context(), someJob(1), 9); err != nil {
		t.Fatal(err)
	}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
		seen++
		return nil
	})
	if err != nil || seen < 5 { // the directory, the database, its log and the log's index, the lock
		t.Errorf("%d files, %v", seen, err)
	}
}

func TestOpenOddDirectories(t *testing.T) {
	for _, name := range []string{"with space", "per%cent", "ques?tion", "ha#sh", "ünï", "a&b=c"} {
		dir := filepath.Join(t.TempDir(), name)
		open(t, dir)
		if _, err := os.Stat(filepath.Join(dir, FileName)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if all, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(all) != 1 {
			t.Errorf("%s: files beside the directory: %v, %v", name, all, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	write := func(statements ...string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			db, err := sql.Open("sqlite", filepath.Join(dir, FileName))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range statements {
				if _, err := db.ExecContext(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	ours := func(t *testing.T, dir string) {
		db, err := Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, dir string)
		want    []string // parts of the message
	}{
		{"a directory in use", func(t *testing.T, dir string) { open(t, dir) }, []string{"in use by another penstock", fmt.Sprint(os.Getpid()), "--data-dir"}},
		{"another program's database", write("CREATE TABLE t (a)"), []string{"another program", "--data-dir"}},
		{"a newer schema", func(t *testing.T, dir string) {
			ours(t, dir)
			write("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")(t, dir)
		}, []string{"version 99", "newer penstock"}},
		{"a file that is no database", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, FileName), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"damaged", "backup"}},
		{"a damaged database", func(t *testing.T, dir string) {
			ours(t, dir)
			path := filepath.Join(dir, FileName)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for n := 4096; n < len(content); n++ {
				content[n] = 0xa5
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"damaged", "backup"}},
		{"a directory that is a file", func(t *testing.T, dir string) {
			if err := errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}, []string{"cannot make the data directory"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			tc.prepare(t, dir)
			db, err := Open(t.Context(), dir)
			if err == nil {
				_ = db.Close()
				t.Fatal("it was opened")
			}
			for _, part := range append(tc.want, dir) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the message %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestRefusedOpenLeavesTheDirectoryFree(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir); err == nil {
		t.Fatal("it was opened")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestCloseTwice(t *testing.T) {
	db := open(t, t.TempDir())
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Error(err)
	}
}

// A migration that was cut short is finished by the next start.
func TestMigrationIsAtomic(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v, want that of the context", err)
	}
	db := open(t, dir)
	if _, err := db.Jobs().JobCreate(t.Context(), someJob(1), 9); err != nil {
		t.Error(err)
	}
}

// A full disk refuses what does not fit, keeps what was there, and takes writes again when there is room.
func TestDiskFull(t *testing.T) {
	db := open(t, t.TempDir())
	pages := func(limit string) {
		t.Helper()
		if _, err := db.writer.ExecContext(t.Context(), "PRAGMA max_page_count = "+limit); err != nil {
			t.Fatal(err)
		}
	}
	var size string
	if err := db.writer.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&size); err != nil {
		t.Fatal(err)
	}
	pages(size)
	created := 0
	var err error
	for created < 1000 {
		j := someJob(created)
		j.Statement = strings.Repeat("x", 2000)
		if _, err = db.Jobs().JobCreate(t.Context(), j, 10000); err != nil {
			break
		}
		created++
	}
	if !fault.Is(err, fault.Unavailable, SubjectStore) || !fault.Retryable(err) || !strings.Contains(fault.Message(err), "free space") {
		t.Fatalf("err = %v after %d jobs, want Unavailable that says what to do", err, created)
	}
	if list, err := db.Jobs().JobList(t.Context(), ""); err != nil || len(list) != created {
		t.Errorf("%d jobs are there, %v, want the %d that were acknowledged", len(list), err, created)
	}
	pages("1000000")
	if _, err := db.Jobs().JobCreate(t.Context(), someJob(5000), 10000); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// What was read into memory is what the database holds, also after a write that failed.
func TestSnapshotAfterFailure(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	if _, err := db.writer.ExecContext(t.Context(), "PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	i := fullIntegration(1)
	if err := db.Integrations().IntegrationCreate(t.Context(), i, 9); !fault.Is(err, fault.Unavailable, SubjectStore) {
		t.Fatalf("err = %v, want Unavailable", err)
	}
	if list, err := db.Integrations().IntegrationList(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("memory holds %v, %v after a write that failed", list, err)
	}
	if _, err := db.writer.ExecContext(t.Context(), "PRAGMA query_only = 0"); err != nil {
		t.Fatal(err)
	}
	if err := db.Integrations().IntegrationCreate(t.Context(), i, 9); err != nil {
		t.Error(err)
	}
}

// A caller that gives up while another writes gets its error and leaves nothing behind.
func TestWaitingWriterGivesUp(t *testing.T) {
	db := open(t, t.TempDir())
	inside, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- db.update(context.Background(), func(context.Context, *sql.Tx) error {
			close(inside)
			<-release
			return nil
		}, nil)
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error, 1)
	go func() {
		_, err := db.Jobs().JobCreate(ctx, someJob(1), 9)
		waiting <- err
	}()
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want that of the context", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if list, err := db.Jobs().JobList(t.Context(), ""); err != nil || len(list) != 0 {
		t.Errorf("jobs = %v, %v", list, err)
	}
}

// A write that has begun is finished though its caller has gone.
func TestBegunWriteIsFinished(t *testing.T) {
	db := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	j, err := db.Jobs().JobCreate(t.Context(), someJob(1), 9)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Jobs().JobUpdate(ctx, j.Key(), func(j *copyjob.Job) error {
		cancel()
		j.Auto = true
		return nil
	}); err != nil {
		t.Errorf("err = %v, want none", err)
	}
	if list, err := db.Jobs().JobList(t.Context(), ""); err != nil || !list[0].Auto {
		t.Errorf("jobs = %+v, %v", list, err)
	}
}
