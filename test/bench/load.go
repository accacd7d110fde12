package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	_ "github.com/duckdb/duckdb-go/v2" // the baseline is the engine itself

	"github.com/penstock-io/penstock/test/harness"
)

const role = "IAM_ROLE 'arn:aws:iam::123456789012:role/any'"

// boot starts a server with a bucket joined to its warehouse, and runs the statements.
func boot(ctx context.Context, e *env, bucket string, statements ...string) (*harness.Server, harness.Clients, error) {
	server, err := harness.Start(ctx, harness.Options{Dir: filepath.Join(e.dir, "data"), Args: []string{"--log-level", "info"}})
	if err != nil {
		return nil, harness.Clients{}, err
	}
	c := server.Clients()
	if _, err := c.Join(ctx, bucket); err != nil {
		return nil, c, err
	}
	for _, text := range statements {
		if _, err := c.SQL(ctx, text); err != nil {
			return nil, c, fmt.Errorf("%s: %w", text, err)
		}
	}
	return server, c, nil
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*p/100]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// csv is n bytes, or a little more, of lines of about 100 bytes: id, name, amount, time, text.
func csv(n, firstID int) []byte {
	var b bytes.Buffer
	b.Grow(n + 128)
	for id := firstID; b.Len() < n; id++ {
		fmt.Fprintf(&b, "%d,customer-%08d,%d.%02d,2026-01-%02d 03:04:05,some text that makes the line as long as it ought to be\n", id, id%100000, id%1000, id%100, id%28+1)
	}
	return b.Bytes()
}

const table = "(id BIGINT, name VARCHAR(40), amount DECIMAL(12,2), placed TIMESTAMP, note VARCHAR(100))"

// latency puts one file at a time and waits until its rows are counted.
func latency(ctx context.Context, e *env) ([]figure, error) {
	server, c, err := boot(ctx, e, "latency", "CREATE TABLE t "+table, "COPY t FROM 's3://latency/' "+role+" CSV JOB CREATE j")
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	body := csv(10<<10, 0)
	perFile := bytes.Count(body, []byte("\n"))
	n := max(20, int(200*e.scale))
	var took []time.Duration
	for i := range n {
		if _, err := c.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("latency"), Key: aws.String(fmt.Sprintf("%05d.csv", i)), Body: bytes.NewReader(body)}); err != nil {
			return nil, err
		}
		acked := time.Now()
		for want := strconv.Itoa((i + 1) * perFile); ; {
			rows, err := c.SQL(ctx, "SELECT count(*) FROM t")
			if err != nil {
				return nil, err
			}
			if rows[0][0] == want {
				break
			}
		}
		took = append(took, time.Since(acked))
	}
	base, err := duckLatency(e, body, n)
	if err != nil {
		return nil, err
	}
	p50, p95 := percentile(took, 50), percentile(took, 95)
	return []figure{{"PUT acknowledged to rows counted through the Data API, one 10 KB CSV at a time", fmt.Sprintf("p50 %s, p95 %s", ms(p50), ms(p95)),
		fmt.Sprintf("DuckDB's own COPY of the same file into a file database: p50 %s", ms(base)), fmt.Sprintf("%.1f", float64(p50)/float64(base))}}, nil
}

// duck opens a DuckDB file database with the settings the server uses.
func duck(e *env) (*sql.DB, error) {
	db, err := sql.Open("duckdb", filepath.Join(e.dir, "baseline.duckdb"))
	if err != nil {
		return nil, err
	}
	_, err = db.Exec("SET memory_limit='256MiB'; CREATE TABLE t " + table)
	return db, err
}

func duckLatency(e *env, body []byte, n int) (time.Duration, error) {
	db, err := duck(e)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	path := filepath.Join(e.dir, "one.csv")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		return 0, err
	}
	var took []time.Duration
	for range n {
		began := time.Now()
		if _, err := db.Exec("COPY t FROM '" + path + "' (FORMAT csv, HEADER false)"); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	return percentile(took, 50), nil
}

// putAll puts n files with 8 clients and returns how long it took.
func putAll(ctx context.Context, c harness.Clients, bucket string, n int, body []byte) (time.Duration, error) {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var clients sync.WaitGroup
	began := time.Now()
	for range 8 {
		clients.Go(func() {
			for failed.Load() == nil {
				i := next.Add(1)
				if i > int64(n) {
					return
				}
				_, err := c.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(fmt.Sprintf("%06d.csv", i)), Body: bytes.NewReader(body)})
				if err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	clients.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return time.Since(began), nil
}

// smallFiles puts many files with 8 clients and waits until each is loaded, once.
func smallFiles(ctx context.Context, e *env) ([]figure, error) {
	server, c, err := boot(ctx, e, "small", "CREATE TABLE t "+table, "COPY t FROM 's3://small/' "+role+" CSV JOB CREATE j")
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	body := csv(10<<10, 0)
	perFile := bytes.Count(body, []byte("\n"))
	n := max(200, int(5000*e.scale))
	began := time.Now()
	put, err := putAll(ctx, c, "small", n, body)
	if err != nil {
		return nil, err
	}
	want := []string{strconv.Itoa(n * perFile), strconv.Itoa(n)}
	for {
		rows, err := c.SQL(ctx, "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM sys_copy_job_detail WHERE status = 'I')")
		if err != nil {
			return nil, err
		}
		if slices.Equal(rows[0], want) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	took := time.Since(began)
	// The same puts into a bucket nothing listens to.
	if _, err := c.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("quiet")}); err != nil {
		return nil, err
	}
	quiet, err := putAll(ctx, c, "quiet", n, body)
	if err != nil {
		return nil, err
	}
	rate := func(d time.Duration) float64 { return float64(n) / d.Seconds() }
	return []figure{{fmt.Sprintf("%d files of 10 KB put by 8 clients, from the first put to the last row", n), fmt.Sprintf("%.0f files/s (puts alone took %s)", rate(took), put.Round(time.Millisecond)),
		fmt.Sprintf("the same puts with nothing loading: %.0f files/s", rate(quiet)), fmt.Sprintf("%.2f", rate(took)/rate(quiet))}}, nil
}

// bulk loads one local file with COPY and compares with DuckDB's own COPY of it.
func bulk(ctx context.Context, e *env, format, name string, size int64, path string) ([]figure, error) {
	db, err := duck(e)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	server, c, err := boot(ctx, e, "bulk")
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := c.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bulk"), Key: aws.String(name), Body: f}); err != nil {
		return nil, err
	}
	var ours, theirs []time.Duration
	for i := range 3 { // turn by turn, so that both see the same machine
		if _, err := db.Exec("DROP TABLE IF EXISTS t; CREATE TABLE t " + table); err != nil {
			return nil, err
		}
		began := time.Now()
		option := "FORMAT csv, HEADER false"
		if format == "PARQUET" {
			option = "FORMAT parquet"
		}
		if _, err := db.Exec("COPY t FROM '" + path + "' (" + option + ")"); err != nil {
			return nil, err
		}
		theirs = append(theirs, time.Since(began))
		if _, err := c.SQL(ctx, fmt.Sprintf("CREATE TABLE t%d %s", i, table)); err != nil {
			return nil, err
		}
		id, err := c.Exec(ctx, fmt.Sprintf("COPY t%d FROM 's3://bulk/%s' %s %s", i, name, role, format))
		if err != nil {
			return nil, err
		}
		st, err := c.Wait(ctx, id)
		if err != nil {
			return nil, err
		}
		ours = append(ours, time.Duration(st.Duration))
		if _, err := c.SQL(ctx, fmt.Sprintf("DROP TABLE t%d", i)); err != nil {
			return nil, err
		}
	}
	a, b := percentile(ours, 50), percentile(theirs, 50)
	rate := func(d time.Duration) string { return fmt.Sprintf("%.0f MB/s", float64(size)/1e6/d.Seconds()) }
	return []figure{{fmt.Sprintf("COPY of one %d MB file, median of 3", size>>20), fmt.Sprintf("%s (%s)", rate(a), a.Round(time.Millisecond)),
		fmt.Sprintf("DuckDB's own COPY of the same local file: %s (%s)", rate(b), b.Round(time.Millisecond)), fmt.Sprintf("%.2f", float64(b)/float64(a))}}, nil
}

// writeCSV writes a file of about size bytes.
func writeCSV(path string, size int64) (int64, error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var written int64
	for id := 0; written < size; {
		chunk := csv(8<<20, id)
		id += bytes.Count(chunk, []byte("\n"))
		n, err := f.Write(chunk)
		if err != nil {
			return 0, err
		}
		written += int64(n)
	}
	return written, f.Close()
}

func bulkCSV(ctx context.Context, e *env) ([]figure, error) {
	path := filepath.Join(e.dir, "bulk.csv")
	size, err := writeCSV(path, int64(500e6*e.scale))
	if err != nil {
		return nil, err
	}
	return bulk(ctx, e, "CSV", "bulk.csv", size, path)
}

func bulkParquet(ctx context.Context, e *env) ([]figure, error) {
	source, path := filepath.Join(e.dir, "bulk.csv"), filepath.Join(e.dir, "bulk.parquet")
	if _, err := writeCSV(source, int64(500e6*e.scale)); err != nil {
		return nil, err
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	_, err = db.Exec("COPY (SELECT * FROM read_csv('" + source + "', header=false, columns={id:'BIGINT',name:'VARCHAR',amount:'DECIMAL(12,2)',placed:'TIMESTAMP',note:'VARCHAR'})) TO '" + path + "' (FORMAT parquet)")
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return bulk(ctx, e, "PARQUET", "bulk.parquet", info.Size(), path)
}

// memory loads a 2 GB file through a job and reads the server's peak from the kernel.
func memory(ctx context.Context, e *env) ([]figure, error) {
	server, c, err := boot(ctx, e, "memory", "CREATE TABLE t "+table, "COPY t FROM 's3://memory/' "+role+" CSV JOB CREATE j")
	if err != nil {
		return nil, err
	}
	defer server.Kill()
	path := filepath.Join(e.dir, "large.csv")
	size, err := writeCSV(path, int64(2e9*e.scale))
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := c.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("memory"), Key: aws.String("large.csv"), Body: f}); err != nil {
		return nil, err
	}
	for {
		rows, err := c.SQL(ctx, "SELECT status FROM sys_copy_job_detail")
		if err != nil {
			return nil, err
		}
		if len(rows) == 1 && rows[0][0] == "I" {
			break
		}
		if len(rows) == 1 && rows[0][0] == "E" {
			return nil, fmt.Errorf("the file was refused\n%s", server.Tail(10))
		}
		time.Sleep(100 * time.Millisecond)
	}
	peak, err := statusKB(server.PID(), "VmHWM")
	if err != nil {
		return nil, err
	}
	return []figure{{fmt.Sprintf("peak resident memory while one %.1f GB CSV is put and loaded", float64(size)/1e9), fmt.Sprintf("%d MiB", peak>>10),
		"the file's own size", fmt.Sprintf("%.2f", float64(peak<<10)/float64(size))}}, nil
}
