package duckdb

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	duckdriver "github.com/duckdb/duckdb-go/v2"

	"github.com/penstock-io/penstock/internal/change"
)

var benchSchema = change.Schema{Table: "items", Keys: []change.KeyColumn{{Name: "pk", Type: change.String}}}

const benchBatch = 16_000 // as 16 MiB of items of 1 KB are

var benchWords = strings.Fields("the quick brown fox jumps over a lazy dog and runs from there to here while nobody looks at what it does all day long")

// benchKey is the key of item i. Keys come in no order.
func benchKey(i int) string {
	x := uint64(i+1) * 0x9E3779B97F4A7C15 //nolint:gosec // mixed on purpose
	return fmt.Sprintf("user#%016x", (x^x>>29)*0xBF58476D1CE4E5B9)
}

// benchItem is an item of about 1 KB with 12 attributes.
func benchItem(i, version int) change.Row {
	r := rand.New(rand.NewPCG(uint64(i), uint64(version))) //nolint:gosec // repeatable on purpose
	key := benchKey(i)
	doc := make([]byte, 0, 1100)
	doc = fmt.Appendf(doc, `{"pk":{"S":"%s"},"email":{"S":"user%d@example.com"},"age":{"N":"%d"},"balance":{"N":"%d.%02d"},"active":{"BOOL":true},"token":{"S":"%016x%016x"},"since":{"S":"2026-11-%02dT00:00:00Z"},"tags":{"L":[{"S":"a"},{"S":"b"}]},"address":{"M":{"street":{"S":"%s %d"},"zip":{"S":"12345"}}},"version":{"N":"%d"},"gone":{"NULL":true},"note":{"S":"`,
		key, r.IntN(1e9), r.IntN(90), r.IntN(1e6), r.IntN(100), r.Uint64(), r.Uint64(), 10+r.IntN(18), benchWords[r.IntN(len(benchWords))], r.IntN(100), version)
	for len(doc) < 1000 {
		doc = append(append(doc, benchWords[r.IntN(len(benchWords))]...), ' ')
	}
	return change.Row{Keys: [2]string{key}, Doc: append(doc, `"}}`...)}
}

// loadItems loads items 0 to n, and returns how long the replica took.
func loadItems(b *testing.B, r *Replica, n int) (spent time.Duration) {
	b.Helper()
	rows := make([]change.Row, 0, benchBatch)
	for at := 0; at < n; at += len(rows) {
		rows = rows[:0]
		for i := at; i < min(n, at+benchBatch); i++ {
			rows = append(rows, benchItem(i, 0))
		}
		start := time.Now()
		if err := r.Load(b.Context(), change.Batch{Rows: rows, Marks: []change.Mark{{Part: "0", After: strconv.Itoa(at)}}}); err != nil {
			b.Fatal(err)
		}
		spent += time.Since(start)
	}
	return spent
}

func benchReplica(b *testing.B) (*fixture, *Replica, *change.Generation) {
	b.Helper()
	f := newFixture(b)
	r, err := f.w.Replica(b.Context(), "dev", ReplicaSpec{IntegrationID: "i", Schema: benchSchema})
	f.must(err)
	_, _, err = r.Recover(b.Context(), 1)
	f.must(err)
	g, err := r.Begin(b.Context(), change.Table{Schema: benchSchema, ID: "1"}, change.Marks{"s": "0"})
	f.must(err)
	return f, r, g
}

// bareAppender loads the same items with DuckDB's own appender and nothing else.
func bareAppender(b *testing.B, n int) (spent time.Duration) {
	b.Helper()
	db := rawDuckDB(b, b.TempDir())
	rawExec(b, db, "CREATE TABLE t (pk VARCHAR, value VARCHAR)")
	c, err := db.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // a benchmark's
	err = c.Raw(func(raw any) error {
		a, err := duckdriver.NewAppenderFromConn(raw.(driver.Conn), "", "t")
		if err != nil {
			return err
		}
		rows := make([]change.Row, 0, benchBatch)
		for at := 0; at < n; at += len(rows) {
			rows = rows[:0]
			for i := at; i < min(n, at+benchBatch); i++ {
				rows = append(rows, benchItem(i, 0))
			}
			start := time.Now()
			for _, row := range rows {
				if err := a.AppendRow(row.Keys[0], string(row.Doc)); err != nil {
					return err
				}
			}
			spent += time.Since(start)
		}
		start := time.Now()
		err = a.Close()
		spent += time.Since(start)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return spent
}

// benchSizes are the sizes of tables; PENSTOCK_BENCH_LARGE adds ten million.
func benchSizes() []int {
	sizes := []int{10_000, 1_000_000}
	if os.Getenv("PENSTOCK_BENCH_LARGE") != "" {
		sizes = append(sizes, 10_000_000)
	}
	return sizes
}

// BenchmarkReplicaLoad loads a snapshot, and the same items with DuckDB's appender.
func BenchmarkReplicaLoad(b *testing.B) {
	for _, n := range benchSizes() {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var ours, bare, publish time.Duration
			for b.Loop() {
				if n <= 1_000_000 { // the peak of the larger one is to be ours alone
					bare += bareAppender(b, n)
				}
				_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
				_, r, _ := benchReplica(b)
				ours += loadItems(b, r, n)
				start := time.Now()
				if err := r.Publish(b.Context()); err != nil {
					b.Fatal(err)
				}
				publish += time.Since(start)
			}
			b.ReportMetric(float64(n*b.N)/ours.Seconds(), "items/s")
			if bare > 0 {
				b.ReportMetric(bare.Seconds()/ours.Seconds(), "of-bare-appender")
			}
			b.ReportMetric(float64(peakMemory(b)>>20), "MiB-peak")
			b.ReportMetric(publish.Seconds()*1000/float64(b.N), "ms-publish")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkReplicaApply drains changes, a third each inserts, updates and deletes over 300,000 keys, into tables
// of several sizes, in full batches and in those of a stream that is kept up with.
func BenchmarkReplicaApply(b *testing.B) {
	for _, n := range benchSizes() {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			_, r, g := benchReplica(b)
			loadItems(b, r, n)
			if err := r.Publish(b.Context()); err != nil {
				b.Fatal(err)
			}
			for _, size := range []int{40, 400, 20_000} {
				b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) { applyItems(b, r, g, n, size) })
			}
		})
	}
}

func applyItems(b *testing.B, r *Replica, g *change.Generation, table, size int) {
	const keys = 300_000
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable on purpose
	var spent, worst time.Duration
	for n := 0; b.Loop(); n++ {
		rows := make([]change.Row, size)
		for i := range rows {
			k := random.IntN(keys)
			// Those of the 300,000 that a table of a million or more has are spread all over it.
			if table > keys {
				k *= table / keys
			}
			rows[i] = benchItem(k, n+1)
			if random.IntN(3) == 0 {
				rows[i].Doc = nil
			}
		}
		start := time.Now()
		if err := r.Apply(context.Background(), g, change.Batch{Rows: rows, Marks: []change.Mark{{Part: "s", After: strconv.Itoa(n)}}}); err != nil {
			b.Fatal(err)
		}
		took := time.Since(start)
		spent, worst = spent+took, max(worst, took)
	}
	b.ReportMetric(float64(size*b.N)/spent.Seconds(), "changes/s")
	b.ReportMetric(spent.Seconds()*1000/float64(b.N), "ms/batch")
	b.ReportMetric(worst.Seconds()*1000, "ms-worst")
	b.ReportMetric(0, "ns/op")
}
