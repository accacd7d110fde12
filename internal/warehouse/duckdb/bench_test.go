package duckdb

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"

	"github.com/penstock-io/penstock/internal/load"
)

const benchTable = "id BIGINT, ts TIMESTAMP, name VARCHAR, amount DECIMAL(12,2), qty INTEGER, flag BOOLEAN, note VARCHAR"

const benchRows = `SELECT range AS id, (TIMESTAMP '2024-01-01' + to_seconds(range * 7)) AS ts, 'customer name ' || (range % 100000) || ' x' AS name,
	((range * 37) % 1000000 / 100)::DECIMAL(12,2) AS amount, ((range * 13) % 5000)::INTEGER AS qty, range % 3 = 0 AS flag, md5(range::VARCHAR) AS note`

// rawDuckDB is DuckDB with its own defaults, the baseline.
func rawDuckDB(b *testing.B, dir string) *sql.DB {
	b.Helper()
	c, err := driver.NewConnector(filepath.Join(dir, "raw.duckdb"), nil)
	if err != nil {
		b.Fatal(err)
	}
	db := sql.OpenDB(c)
	b.Cleanup(func() { _ = db.Close() })
	return db
}

func rawExec(b *testing.B, db *sql.DB, statement string) {
	b.Helper()
	if _, err := db.ExecContext(b.Context(), statement); err != nil {
		b.Fatal(err)
	}
}

// bulk loads one file again and again, each time after DuckDB's own COPY has.
func bulk(b *testing.B, spec load.Spec, rows int, options string) {
	f := newFixture(b)
	db := rawDuckDB(b, b.TempDir())
	path := filepath.Join(f.files, "bulk")
	rawExec(b, db, fmt.Sprintf("COPY (%s FROM range(%d)) TO '%s' (%s)", benchRows, rows, path, options))
	info, err := os.Stat(path)
	f.must(err)
	file := load.File{Bucket: "b", Key: "bulk", Size: info.Size(), Path: path}
	s := f.connect()
	var raw, ours time.Duration
	for b.Loop() {
		rawExec(b, db, "CREATE OR REPLACE TABLE t ("+benchTable+")")
		start := time.Now()
		rawExec(b, db, fmt.Sprintf("COPY t FROM '%s' (%s)", path, options))
		raw += time.Since(start)
		f.query(s, "CREATE OR REPLACE TABLE t ("+benchTable+")")
		start = time.Now()
		res, err := s.Load(b.Context(), request(spec, file))
		ours += time.Since(start)
		f.must(err)
		if res.Rows != int64(rows) {
			b.Fatalf("%d rows", res.Rows)
		}
	}
	b.ReportMetric(raw.Seconds()/ours.Seconds(), "of-raw-speed")
	b.ReportMetric(float64(info.Size())*float64(b.N)/1e6/ours.Seconds(), "MB/s")
	b.ReportMetric(float64(rows*b.N)/ours.Seconds(), "rows/s")
	b.ReportMetric(0, "ns/op")
}

const csvOptions = "FORMAT csv, HEADER false, DELIMITER ',', QUOTE '\"', ESCAPE '\"'"

func BenchmarkBulkCSV(b *testing.B) {
	b.Run("100MB", func(b *testing.B) { bulk(b, csvSpec(), 1_000_000, csvOptions) })
	b.Run("1GB", func(b *testing.B) { bulk(b, csvSpec(), 10_000_000, csvOptions) })
}

func BenchmarkBulkParquet(b *testing.B) {
	b.Run("1M", func(b *testing.B) { bulk(b, parquetSpec(), 1_000_000, "FORMAT parquet") })
	b.Run("10M", func(b *testing.B) { bulk(b, parquetSpec(), 10_000_000, "FORMAT parquet") })
}

func BenchmarkBulkJSON(b *testing.B) { bulk(b, jsonSpec(), 1_000_000, "FORMAT json") }

// smallFiles writes n files of 10 KB.
func smallFiles(f *fixture, n int) []load.File {
	f.Helper()
	files := make([]load.File, n)
	for i := range files {
		path := filepath.Join(f.files, fmt.Sprint(i))
		out, err := os.Create(path)
		f.must(err)
		w := bufio.NewWriter(out)
		for row := range 100 {
			fmt.Fprintf(w, "%d,2024-01-01 00:00:00,customer name %d x,%d.%02d,%d,true,cfcd208495d565ef66e7dff9f98764da\n", i*100+row, row, row, row, row*13)
		}
		f.must(w.Flush())
		info, err := out.Stat()
		f.must(err)
		f.must(out.Close())
		files[i] = load.File{Bucket: "b", Key: fmt.Sprint(i), Size: info.Size(), Modified: time.Now(), Path: path}
	}
	return files
}

// BenchmarkSmallFiles loads files of 10 KB by a job, a thousand at a time.
func BenchmarkSmallFiles(b *testing.B) {
	f := newFixture(b)
	f.query(f.connect(), "CREATE TABLE t ("+benchTable+")")
	files := smallFiles(f, 1000)
	var spent time.Duration
	for n := 0; b.Loop(); n++ {
		req := jobRequest(int64(n+1), files...)
		start := time.Now()
		res, err := f.w.Load(b.Context(), req)
		spent += time.Since(start)
		f.must(err)
		if res.Rows != 100_000 {
			b.Fatalf("%d rows", res.Rows)
		}
	}
	b.ReportMetric(float64(1000*b.N)/spent.Seconds(), "files/s")
	b.ReportMetric(float64(peakMemory(b)>>20), "MiB-peak")
}

// BenchmarkSingleFileLatency loads one file of 10 KB at a time.
func BenchmarkSingleFileLatency(b *testing.B) {
	f := newFixture(b)
	f.query(f.connect(), "CREATE TABLE t ("+benchTable+")")
	files := smallFiles(f, 1)
	for b.Loop() {
		files[0].Key = fmt.Sprint(time.Now().UnixNano())
		if _, err := f.w.Load(b.Context(), jobRequest(1, files...)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemory loads 2 GB of CSV and reports the most memory the process had meanwhile.
func BenchmarkMemory(b *testing.B) {
	f := newFixture(b)
	path := filepath.Join(f.files, "two")
	const rows = 20_000_000
	dir := b.TempDir()
	func() {
		c, err := driver.NewConnector(filepath.Join(dir, "raw.duckdb"), nil)
		f.must(err)
		db := sql.OpenDB(c)
		defer db.Close() //nolint:errcheck // a benchmark's
		rawExec(b, db, "SET memory_limit = '100MB'")
		rawExec(b, db, fmt.Sprintf("COPY (%s FROM range(%d)) TO '%s' (%s)", benchRows, rows, path, csvOptions))
	}()
	info, err := os.Stat(path)
	f.must(err)
	s := f.connect()
	for b.Loop() {
		f.query(s, "CREATE OR REPLACE TABLE t ("+benchTable+")")
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
			b.Skip(err)
		}
		_, err := s.Load(b.Context(), request(csvSpec(), load.File{Bucket: "b", Key: "two", Size: info.Size(), Path: path}))
		f.must(err)
	}
	b.ReportMetric(float64(info.Size()>>20), "MiB-file")
	b.ReportMetric(float64(peakMemory(b)>>20), "MiB-peak")
}

// BenchmarkOpen starts the engine on a warehouse with ten databases and answers one query.
func BenchmarkOpen(b *testing.B) {
	f := newFixture(b)
	for i := range 9 {
		f.must(f.w.CreateDatabase(b.Context(), fmt.Sprintf("db%d", i), "", ""))
	}
	f.must(f.w.Close())
	for b.Loop() {
		w := New(Options{Dir: f.dir})
		s, err := w.Connect(b.Context(), "dev", "")
		f.must(err)
		if _, err := rows(b.Context(), s, "SELECT 1"); err != nil {
			b.Fatal(err)
		}
		f.must(w.Close())
	}
}

// BenchmarkQuery is a statement that returns one row.
func BenchmarkQuery(b *testing.B) {
	f := newFixture(b)
	s := f.connect()
	for b.Loop() {
		f.query(s, "SELECT 1")
	}
}
