package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	redshifttypes "github.com/aws/aws-sdk-go-v2/service/redshift/types"

	"github.com/penstock-io/penstock/internal/source/sourcetest"
	"github.com/penstock-io/penstock/test/harness"
)

// TestReplicatedTablesAreTheirSources replicates a table while everything goes wrong that can: writers that never
// rest, SIGKILL at observed points, requests that fail before or after their effect, shards that roll and split,
// records that are trimmed unread, streams switched off and on, a target that stands still. In the end the copy is
// the source, key by key, and on the way no reader has seen an item go back in time or the table empty.
//
// PENSTOCK_CHAOS_TABLES is how many runs; a run's seed is PENSTOCK_CHAOS_SEED plus its number.
func TestReplicatedTablesAreTheirSources(t *testing.T) {
	runs := envInt("PENSTOCK_CHAOS_TABLES", 25)
	first := envInt("PENSTOCK_CHAOS_SEED", int(time.Now().UnixNano()&0xffffff))
	if testing.Short() {
		runs = 3
	}
	t.Logf("PENSTOCK_CHAOS_SEED=%d PENSTOCK_CHAOS_TABLES=%d", first, runs)
	if _, err := harness.Binary(); err != nil {
		t.Fatal(err)
	}
	total := &tally{}
	t.Run("runs", func(t *testing.T) {
		for i := range runs {
			t.Run(strconv.Itoa(first+i), func(t *testing.T) {
				t.Parallel()
				newTableRun(t, uint64(first+i), total).run()
			})
		}
	})
	t.Logf("%d runs: %s", runs, total)
}

// tally counts what happened in all runs, to show that something did.
type tally struct{ runs, writes, kills, faults, shards, gaps, resyncs, reads, stops atomic.Int64 }

func (n *tally) String() string {
	return fmt.Sprintf("%d ended right; %d writes, %d kills, %d failed requests, %d rolls and splits, %d gaps made, %d re-loads, %d stand-stills, %d looks by readers",
		n.runs.Load(), n.writes.Load(), n.kills.Load(), n.faults.Load(), n.shards.Load(), n.gaps.Load(), n.resyncs.Load(), n.stops.Load(), n.reads.Load())
}

// tablePoints are where the child is killed.
var tablePoints = []struct {
	after string
	delay time.Duration // at most
}{
	{"snapshot batch starting", 0},
	{"snapshot batch starting", 10 * time.Millisecond},
	{"snapshot batch committed", 0},
	{"publishing", 0},
	{"publishing", 10 * time.Millisecond},
	{"table is synced", 0},
	{"change batch starting", 0},
	{"change batch starting", 10 * time.Millisecond},
	{"change batch committed", 0},
	{"changes are missing; the table is loaded again", 5 * time.Millisecond},
	{"", 100 * time.Millisecond},
	{"", 500 * time.Millisecond},
}

type tableRun struct {
	*testing.T
	seed   uint64
	random *rand.Rand // of the run's own goroutine
	total  *tally

	source *sourcetest.Server
	faults *sourcetest.Faults
	url    string // of the source, by way of the faults
	dir    string
	table  string
	sorted bool

	server atomic.Pointer[harness.Server]

	mu    sync.Mutex
	items map[[2]string]string // what the source holds, by key
	next  int                  // version of the next write
	wrong []string             // what readers have seen that may not be
	looks atomic.Int64         // by the reader
}

func newTableRun(t *testing.T, seed uint64, total *tally) *tableRun {
	r := &tableRun{T: t, seed: seed, random: rand.New(rand.NewPCG(seed, 77)), total: total, items: map[[2]string]string{}, dir: t.TempDir(), table: "orders"}
	r.sorted = r.random.IntN(2) == 0
	r.source = sourcetest.NewServer(t)
	target, err := url.Parse(r.source.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.faults = sourcetest.NewFaults(r.source.Client.Transport)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport: counted{r.faults, &total.faults},
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = target.Scheme, target.Host, p.In.Host
		},
		ErrorLog: log.New(io.Discard, "", 0),
	})
	t.Cleanup(proxy.Close)
	r.url = proxy.URL
	return r
}

// counted counts the requests that fail.
type counted struct {
	next  http.RoundTripper
	count *atomic.Int64
}

func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil || res.StatusCode >= 400 {
		c.count.Add(1)
	}
	return res, err
}

func (r *tableRun) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// start starts the child. Its key is for itself, and the other pair for the source.
func (r *tableRun) start(ctx context.Context) {
	r.Helper()
	s, err := harness.Start(ctx, harness.Options{
		Dir: r.dir, Args: []string{"--dynamodb-endpoint", r.url, "--drain-timeout", "1s"},
		Env: []string{"PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID=" + r.source.AccessKeyID, "PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY=" + r.source.SecretAccessKey},
	})
	r.must(err)
	r.server.Store(s)
	r.Cleanup(func() { _ = s.Kill() })
}

func (r *tableRun) run() {
	ctx, cancel := context.WithTimeout(r.Context(), 4*time.Minute)
	defer cancel()
	r.must(r.source.CreateTable(ctx, r.table, r.sorted, "NEW_AND_OLD_IMAGES"))
	before := r.random.IntN(600)
	var filling sync.WaitGroup
	for w := range 8 {
		filling.Go(func() {
			random := rand.New(rand.NewPCG(r.seed, uint64(w)))
			for i := w; i < before; i += 8 {
				r.write(ctx, random, r.key(w, i), false)
			}
		})
	}
	filling.Wait()
	r.faults.Sometimes(0.05, r.seed)
	r.start(ctx)
	r.integrate(ctx)

	stop, halt := context.WithCancel(ctx)
	var busy sync.WaitGroup
	for w := range 3 {
		busy.Go(func() { r.writer(stop, w) })
	}
	busy.Go(func() { r.reader(stop) })
	// In half of the runs things go wrong while the table is first loaded, in the other half when it follows.
	following := r.random.IntN(2) == 0
	for following && r.looks.Load() == 0 && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	for range 5 + r.random.IntN(5) {
		r.mishap(ctx)
	}
	halt()
	busy.Wait()
	r.faults.Clear()
	r.compare(ctx)
	if len(r.wrong) > 0 {
		r.Errorf("readers saw what may not be seen:\n%s", strings.Join(r.wrong, "\n"))
	}
	s := r.server.Load()
	if n := s.Messages()["panic"]; n > 0 {
		r.Errorf("%d panics", n)
	}
	if err := s.Stop(); err != nil {
		r.Errorf("the last server did not stop cleanly: %v\n%s", err, s.Tail(20))
	}
	if r.Failed() {
		r.Logf("PENSTOCK_CHAOS_SEED=%d\n%s", r.seed, s.Tail(60))
		return
	}
	r.total.runs.Add(1)
}

// integrate makes the integration and its database, as often as it takes with a source that fails.
func (r *tableRun) integrate(ctx context.Context) {
	r.Helper()
	for {
		_, err := r.server.Load().Clients().Redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{
			IntegrationName: aws.String("orders"), SourceArn: aws.String("arn:aws:dynamodb:us-east-1:123456789012:table/" + r.table),
			TargetArn: aws.String(r.namespace(ctx)), TagList: []redshifttypes.Tag{{Key: aws.String("penstock:database"), Value: aws.String("copy")}},
		})
		var exists *redshifttypes.IntegrationAlreadyExistsFault
		if err == nil || errors.As(err, &exists) {
			break
		}
		if ctx.Err() != nil {
			r.Fatalf("the integration cannot be made: %v", err)
		}
	}
	// So that readers may look while the table is loaded again.
	for {
		_, err := r.server.Load().Clients().SQL(ctx, "ALTER DATABASE copy INTEGRATION SET QUERY_ALL_STATES TRUE")
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			r.Fatalf("the database is not made: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (r *tableRun) namespace(ctx context.Context) string {
	out, err := r.server.Load().Clients().Redshift.DescribeClusters(ctx, &redshift.DescribeClustersInput{})
	r.must(err)
	return *out.Clusters[0].ClusterNamespaceArn
}

// key is the i-th of the keys that belong to a writer.
func (r *tableRun) key(writer, i int) [2]string {
	k := [2]string{fmt.Sprintf("w%d-%d", writer, i)}
	if r.sorted {
		k = [2]string{fmt.Sprintf("w%d-%d", writer, i/4), strconv.Itoa(i%4 - 1)}
	}
	return k
}

func (r *tableRun) keyJSON(k [2]string) string {
	if r.sorted {
		return fmt.Sprintf(`"pk":{"S":%q},"sk":{"N":%q}`, k[0], k[1])
	}
	return fmt.Sprintf(`"pk":{"S":%q}`, k[0])
}

// write puts a new version of an item, or deletes it.
func (r *tableRun) write(ctx context.Context, random *rand.Rand, k [2]string, remove bool) {
	r.mu.Lock()
	r.next++
	version := r.next
	r.mu.Unlock()
	item := ""
	var err error
	if remove {
		err = r.source.Delete(ctx, r.table, "{"+r.keyJSON(k)+"}")
	} else {
		padding := random.IntN(300)
		if random.IntN(100) == 0 {
			padding = random.IntN(100_000)
		}
		item = fmt.Sprintf(`{%s,"v":{"N":"%d"},"pad":{"S":"%s"},"odd":{"M":{"a \"b\" ü\u0001":{"L":[{"NULL":true},{"BOOL":false},{"N":"12345678901234567890123456789012345678"}]}}}}`,
			r.keyJSON(k), version, strings.Repeat("x", padding))
		err = r.source.Put(ctx, r.table, item)
	}
	if err != nil {
		r.Errorf("write to the source: %v", err)
		return
	}
	r.total.writes.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if remove {
		delete(r.items, k)
	} else {
		r.items[k] = item
	}
}

// writer changes items of its own keys until it is stopped. What it began it ends.
func (r *tableRun) writer(stop context.Context, w int) {
	random := rand.New(rand.NewPCG(r.seed, uint64(100+w)))
	keys := 1 + random.IntN(150)
	for stop.Err() == nil {
		r.write(context.WithoutCancel(stop), random, r.key(w, random.IntN(keys)), random.IntN(5) == 0)
		if random.IntN(20) == 0 {
			time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
		}
	}
}

const versions = `SELECT pk, %s, "value"."v"."N"::BIGINT FROM copy.public.orders`

func (r *tableRun) sortKey() string {
	if r.sorted {
		return `"value"."sk"."N"::VARCHAR`
	}
	return "''"
}

// reader looks at the copy again and again.
func (r *tableRun) reader(stop context.Context) {
	seen := map[[2]string]int{}
	there := false
	for stop.Err() == nil {
		rows, err := r.server.Load().Clients().SQL(stop, fmt.Sprintf(versions, r.sortKey()))
		if err != nil {
			time.Sleep(5 * time.Millisecond) // killed, or not there yet
			continue
		}
		r.total.reads.Add(1)
		r.looks.Add(1)
		r.mu.Lock()
		source := len(r.items)
		r.mu.Unlock()
		if len(rows) > 0 {
			there = true
		} else if there && source > 20 {
			r.saw("the table is empty after it was not")
		}
		now := map[[2]string]bool{}
		for _, row := range rows {
			k := [2]string{row[0], row[1]}
			v, err := strconv.Atoi(row[2])
			if err != nil {
				r.saw("key %q has the version %q", k, row[2])
			}
			if now[k] {
				r.saw("key %q is there twice", k)
			}
			now[k] = true
			if v < seen[k] {
				r.saw("key %q went from version %d back to %d", k, seen[k], v)
			}
			seen[k] = v
		}
	}
}

func (r *tableRun) saw(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wrong) < 20 {
		r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
	}
}

// mishap is one thing that goes wrong, and a while to work on.
func (r *tableRun) mishap(ctx context.Context) {
	r.Helper()
	switch n := r.random.IntN(14); {
	case n < 6:
		r.kill(ctx)
	case n < 8:
		r.total.shards.Add(1)
		_, err := r.source.Control.Roll(ctx, r.table, "")
		r.must(err)
	case n < 9:
		r.total.shards.Add(1)
		_, err := r.source.Control.Split(ctx, r.table, "")
		r.must(err)
	case n < 10:
		r.source.Control.ExpireIterators()
	case n < 11: // what has not been read is gone
		r.total.gaps.Add(1)
		if r.random.IntN(2) == 0 {
			_, err := r.source.Control.Roll(ctx, r.table, "")
			r.must(err)
		}
		r.must(r.source.Control.Trim(ctx, r.table, r.random.IntN(2) == 0))
	case n < 12:
		r.total.gaps.Add(1)
		r.must(r.source.SetStream(ctx, r.table, ""))
		time.Sleep(time.Duration(r.random.IntN(50)) * time.Millisecond)
		if err := r.source.SetStream(ctx, r.table, "NEW_AND_OLD_IMAGES"); err != nil && !strings.Contains(err.Error(), "already") { // the child may have switched it on
			r.Fatal(err)
		}
	case n < 13:
		r.total.stops.Add(1)
		pid := r.server.Load().PID()
		r.must(syscall.Kill(pid, syscall.SIGSTOP))
		time.Sleep(time.Duration(r.random.IntN(300)) * time.Millisecond)
		r.must(syscall.Kill(pid, syscall.SIGCONT))
	default:
		_, _ = r.server.Load().Clients().SQL(ctx, "ALTER DATABASE copy INTEGRATION REFRESH ALL TABLES") // refused before there is one
	}
	time.Sleep(time.Duration(r.random.IntN(300)) * time.Millisecond)
}

// kill kills the child at an observed point, or anywhere if that does not come, and starts it again.
func (r *tableRun) kill(ctx context.Context) {
	r.Helper()
	s := r.server.Load()
	point := tablePoints[r.random.IntN(len(tablePoints))]
	if point.after != "" {
		select {
		case <-s.Watch(point.after):
		case <-time.After(400 * time.Millisecond):
		}
	}
	time.Sleep(time.Duration(r.random.Int64N(int64(point.delay) + 1)))
	r.must(s.Kill())
	r.total.kills.Add(1)
	r.total.resyncs.Add(int64(s.Messages()["changes are missing; the table is loaded again"]))
	r.start(ctx)
}

// compare waits until the copy is the source.
func (r *tableRun) compare(ctx context.Context) {
	r.Helper()
	c := r.server.Load().Clients()
	want := maps.Clone(r.items)
	deadline := time.Now().Add(2 * time.Minute)
	for {
		trouble := r.difference(ctx, c, want)
		if trouble == "" {
			break
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			rows, err := c.SQL(context.WithoutCancel(ctx), "SELECT * FROM svv_integration_table_state")
			r.Fatalf("the copy is not its source: %s\nstates: %v %v", trouble, rows, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.total.resyncs.Add(int64(r.server.Load().Messages()["changes are missing; the table is loaded again"]))
}

func (r *tableRun) difference(ctx context.Context, c harness.Clients, want map[[2]string]string) string {
	rows, err := c.SQL(ctx, fmt.Sprintf(`SELECT pk, %s, JSON_SERIALIZE("value") FROM copy.public.orders`, r.sortKey()))
	if err != nil {
		return err.Error()
	}
	have := map[[2]string]string{}
	for _, row := range rows {
		k := [2]string{row[0], row[1]}
		if _, twice := have[k]; twice {
			return fmt.Sprintf("key %q is there twice", k)
		}
		have[k] = row[2]
	}
	for k, text := range want {
		got, ok := have[k]
		if !ok {
			return fmt.Sprintf("key %q is missing; %d of %d rows", k, len(have), len(want))
		}
		var a, b any
		if err := json.Unmarshal([]byte(got), &a); err != nil {
			return fmt.Sprintf("key %q: %v in %q", k, err, got)
		}
		if err := json.Unmarshal([]byte(text), &b); err != nil {
			return err.Error()
		}
		if !reflect.DeepEqual(a, b) {
			return fmt.Sprintf("key %q is %.200s and should be %.200s", k, got, text)
		}
	}
	for k := range have {
		if _, ok := want[k]; !ok {
			return fmt.Sprintf("key %q is there and should not be", k)
		}
	}
	return ""
}
