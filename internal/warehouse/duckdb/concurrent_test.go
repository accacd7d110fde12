package duckdb

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
)

// TestReadersBesideLoaders has two loaders, readers that must see whole loads only, and a session that changes
// other tables.
func TestReadersBesideLoaders(t *testing.T) {
	f := newFixture(t)
	const batches, perBatch, rowsPerFile = 25, 10, 7
	s := f.connect()
	for _, table := range []string{"one", "two"} {
		f.query(s, "CREATE TABLE "+table+" (batch INTEGER, row INTEGER)")
	}
	var done atomic.Int32
	var wg sync.WaitGroup
	for job, table := range []string{"one", "two"} {
		wg.Go(func() {
			defer done.Add(1)
			for b := range batches {
				req := jobRequest(int64(job + 1))
				req.Table.Name = table
				for i := range perBatch {
					text := ""
					for row := range rowsPerFile {
						text += fmt.Sprintf("%d,%d\n", b, row)
					}
					req.Files = append(req.Files, f.file(fmt.Sprintf("%s-%d-%d", table, b, i), text))
				}
				if res, err := f.w.Load(t.Context(), req); err != nil || res.Rows != perBatch*rowsPerFile {
					t.Errorf("%s: %d rows, %v", table, res.Rows, err)
				}
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			s, err := f.w.Connect(t.Context(), "dev", "reader")
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close() //nolint:errcheck // never fails
			for last := int64(0); done.Load() < 2; {
				r, err := s.Query(t.Context(), fmt.Sprintf(`SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM sys_copy_job_detail WHERE job_id = 1 AND status = 'I') * %d,
					(SELECT count(*) FROM (SELECT batch FROM two GROUP BY 1 HAVING count(*) <> %d))`, rowsPerFile, perBatch*rowsPerFile))
				if err != nil {
					t.Error(err)
					return
				}
				if !r.Next() {
					t.Errorf("no row: %v", r.Err())
					return
				}
				v := r.Values()
				if n := v[0].(int64); n != v[1].(int64) || n < last || v[2].(int64) != 0 {
					t.Errorf("rows %v, by the ledger %v, %v batches torn; before %d", v[0], v[1], v[2], last)
					return
				} else {
					last = n
				}
				_ = r.Close()
			}
		})
	}
	wg.Go(func() {
		s, err := f.w.Connect(t.Context(), "dev", "ddl")
		if err != nil {
			t.Error(err)
			return
		}
		defer s.Close() //nolint:errcheck // never fails
		for i := 0; done.Load() < 2; i++ {
			for _, sql := range []string{"CREATE TABLE x (a INTEGER)", "ALTER TABLE x ADD COLUMN b INTEGER", "INSERT INTO x VALUES (1, 2)", "DROP TABLE x"} {
				if _, err := rows(t.Context(), s, sql); err != nil {
					t.Errorf("%s: %v", sql, err)
					return
				}
			}
			if i%5 == 0 {
				if err := f.w.CreateDatabase(t.Context(), fmt.Sprintf("made%d", i%50), "", "same"); err != nil {
					t.Error(err)
				}
			}
		}
	})
	wg.Wait()
	if got := f.query(s, "SELECT count(*) FROM one"); got[0] != fmt.Sprintf("[%d]", batches*perBatch*rowsPerFile) {
		t.Errorf("rows = %v", got)
	}
}

// TestTableChangedUnderLoad alters and drops the target in transactions that overlap with a load's.
func TestTableChangedUnderLoad(t *testing.T) {
	f := newFixture(t)
	s, other := f.connect(), f.connect()
	ctx := t.Context()
	for i, ddl := range []string{"ALTER TABLE t ADD COLUMN z INTEGER", "DROP TABLE t", "TRUNCATE t"} {
		f.query(s, "CREATE OR REPLACE TABLE t (a INTEGER)")
		f.must(other.Begin(ctx))
		f.query(other, ddl)
		_, err := f.w.Load(ctx, jobRequest(int64(i+1), f.file(fmt.Sprint(i), "1\n")))
		if err != nil && !fault.Is(err, fault.Conflict, SubjectTransaction) {
			t.Errorf("%s: %v", ddl, err)
		}
		commit := other.Commit(ctx)
		if commit != nil && !fault.Is(commit, fault.Conflict, SubjectTransaction) {
			t.Errorf("%s: commit: %v", ddl, commit)
		}
		if err != nil && commit != nil {
			t.Errorf("%s: both failed: %v; %v", ddl, err, commit)
		}
		left, lerr := f.w.Unloaded(ctx, "dev", int64(i+1), []string{fmt.Sprint(i)}, true)
		if f.must(lerr); (len(left) == 1) != (err != nil) {
			t.Errorf("%s: load %v, ledger %v", ddl, err, left)
		}
	}
}

// TestTableChangedBeforeInsert changes the target between the look at its columns and the load.
func TestTableChangedBeforeInsert(t *testing.T) {
	f := newFixture(t)
	s, other := f.connect(), f.connect()
	ctx := t.Context()
	for i, ddl := range []string{"ALTER TABLE t DROP COLUMN b", "DROP TABLE t", "ALTER TABLE t RENAME TO u"} {
		f.query(s, "CREATE OR REPLACE TABLE t (a INTEGER, b INTEGER)")
		s.mu.Lock()
		l, err := s.newLoader(ctx, jobRequest(int64(i+1), f.file("x", "1,2\n"), f.file("y", "3,4\n")))
		s.mu.Unlock()
		f.must(err)
		f.query(other, ddl)
		s.mu.Lock()
		err = s.settle(ctx, l.job(ctx))
		s.mu.Unlock()
		if err == nil || fault.KindOf(err) == fault.Internal {
			t.Errorf("%s: %v", ddl, err)
		}
		if left, err := f.w.Unloaded(ctx, "dev", int64(i+1), []string{"x", "y"}, false); err != nil || len(left) != 2 {
			t.Errorf("%s: the files were settled: %v, %v", ddl, left, err)
		}
	}
}

// TestDatabasesComeAndGoBesideOthers makes, renames and drops databases while one is written and all are looked
// through.
func TestDatabasesComeAndGoBesideOthers(t *testing.T) {
	f := newFixture(t)
	f.query(f.connect(), "CREATE TABLE t (a INTEGER)")
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for _, sql := range []string{"INSERT INTO t SELECT * FROM range(1000)", "SELECT count(*) FROM svv_all_columns", "SELECT count(*) FROM sys_load_history"} {
		s := f.connect()
		others.Go(func() {
			for ctx.Err() == nil {
				if _, err := rows(t.Context(), s, sql); err != nil {
					t.Errorf("%s: %v", sql, err)
					return
				}
			}
		})
	}
	for i := range 24 {
		name := fmt.Sprintf("db%d", i)
		if err := f.w.CreateDatabase(t.Context(), name, "admin", ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if i%3 == 0 {
			if err := f.w.RenameDatabase(t.Context(), name, name+"x"); err != nil {
				t.Errorf("rename %s: %v", name, err)
			}
			name += "x"
		}
		if err := f.w.DropDatabase(t.Context(), name); err != nil {
			t.Errorf("drop %s: %v", name, err)
		}
	}
	stop()
	others.Wait()
}
