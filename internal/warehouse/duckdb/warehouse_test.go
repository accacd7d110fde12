package duckdb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/load"
)

// fixture is a warehouse with a database "dev" and a directory for files.
type fixture struct {
	testing.TB
	w     *Warehouse
	dir   string
	files string
}

func newFixture(t testing.TB, change ...func(*Options)) *fixture {
	t.Helper()
	f := &fixture{TB: t, dir: t.TempDir(), files: t.TempDir()}
	o := Options{Dir: f.dir, ReadDirs: []string{f.files}}
	for _, c := range change {
		c(&o)
	}
	f.w = New(o)
	t.Cleanup(func() {
		if err := f.w.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	f.must(f.w.CreateDatabase(t.Context(), "dev", "admin", ""))
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) connect() *Session {
	f.Helper()
	s, err := f.w.Connect(f.Context(), "dev", "admin")
	f.must(err)
	f.Cleanup(func() { _ = s.Close() })
	return s
}

// rows runs a statement and returns its rows, each printed.
func rows(ctx context.Context, s *Session, sql string) ([]string, error) {
	r, err := s.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // never fails
	var out []string
	for r.Next() {
		out = append(out, fmt.Sprint(r.Values()))
	}
	return out, r.Err()
}

func (f *fixture) query(s *Session, sql string) []string {
	f.Helper()
	out, err := rows(f.Context(), s, sql)
	if err != nil {
		f.Fatalf("%s: %v", sql, err)
	}
	return out
}

// file writes a load file under a key.
func (f *fixture) file(key, content string) load.File {
	f.Helper()
	path := filepath.Join(f.files, key)
	f.must(os.MkdirAll(filepath.Dir(path), 0o700))
	f.must(os.WriteFile(path, []byte(content), 0o600))
	return load.File{Bucket: "b", Key: key, ETag: "e", Size: int64(len(content)), Modified: time.Now(), Path: path}
}

func csvSpec() load.Spec {
	return load.Spec{Format: load.CSV, Delimiter: ",", Quote: `"`, NullAs: `\N`}
}
