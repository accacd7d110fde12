// Package chaos kills the server for real, again and again, and then counts: every file that was
// acknowledged is in the table exactly once, every statement that was accepted took effect exactly once,
// nothing is half there (invariants 1 and 9).
//
// A failure prints its seed. PENSTOCK_CHAOS_SEED repeats the choices made with it; the machine's timing adds
// its own. PENSTOCK_CHAOS_KILLS sets the number of kills.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/penstock-io/penstock/test/harness"
)

const rowsPerFile = 20

func envInt(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

// ledger is what the test knows it was promised.
type ledger struct {
	mu     sync.Mutex
	acked  map[string]bool // keys whose PUT was answered
	tried  map[string]bool // keys whose PUT was sent
	stmts  map[string]int  // accepted INSERT statements, id to number
	issued int
	jobs   map[string]string // accepted COPY JOB CREATE statements, id to job name
}

func (l *ledger) with(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
}

func content(key string) string {
	var b strings.Builder
	for i := range rowsPerFile {
		fmt.Fprintf(&b, "%s,%d\n", key, i)
	}
	return b.String()
}

// points are where the child is killed: the log record waited for and how long after it.
var points = []struct {
	name  string
	after string
	delay time.Duration // at most; the actual one is random
}{
	{"before the load", "load starting", 0},
	{"in the load", "load starting", 12 * time.Millisecond},
	{"after the commit", "load committed", 0},
	{"in a job's creation", "", 15 * time.Millisecond},
	{"anywhere", "", 60 * time.Millisecond},
}

func TestKilledServerLosesAndDoublesNothing(t *testing.T) {
	seed := uint64(envInt("PENSTOCK_CHAOS_SEED", int(time.Now().UnixNano()&0xffffff)))
	kills := envInt("PENSTOCK_CHAOS_KILLS", 30)
	if testing.Short() {
		kills = 5
	}
	t.Logf("PENSTOCK_CHAOS_SEED=%d PENSTOCK_CHAOS_KILLS=%d", seed, kills)
	random := rand.New(rand.NewPCG(seed, 1))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()

	dir := t.TempDir()
	l := &ledger{acked: map[string]bool{}, tried: map[string]bool{}, stmts: map[string]int{}, jobs: map[string]string{}}
	server := start(t, ctx, dir)
	c := server.Clients()
	if _, err := c.Join(ctx, "chaos"); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"CREATE TABLE files (name VARCHAR(100), line INTEGER)",
		"CREATE TABLE numbers (n INTEGER)",
		"COPY files FROM 's3://chaos/in/' IAM_ROLE 'arn:aws:iam::123456789012:role/any' CSV JOB CREATE files_job AUTO ON",
	} {
		if _, err := c.SQL(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for i := range kills {
		point := points[(i+int(seed))%len(points)]
		t.Logf("kill %d: %s", i+1, point.name)
		work(t, ctx, server, l, random, point.after, time.Duration(random.Int64N(int64(point.delay)+1)), i)
		server = start(t, ctx, dir)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Errorf("the last server did not stop cleanly: %v\n%s", err, server.Tail(20))
		}
	}()
	check(t, ctx, server.Clients(), l)
}

// work loads the server until it is killed: writers of files, INSERTs, and a job's creation.
func work(t *testing.T, ctx context.Context, server *harness.Server, l *ledger, random *rand.Rand, after string, delay time.Duration, round int) {
	c := server.Clients()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	trigger := server.Watch(after)
	var busy sync.WaitGroup
	for w := range 3 {
		busy.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				key := fmt.Sprintf("in/r%03d-w%d-%05d.csv", round, w, n)
				l.with(func() { l.tried[key] = true })
				_, err := c.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("chaos"), Key: aws.String(key), Body: strings.NewReader(content(key))})
				if err != nil {
					return
				}
				l.with(func() { l.acked[key] = true })
			}
		})
	}
	busy.Go(func() {
		for ctx.Err() == nil {
			var n int
			l.with(func() { l.issued++; n = l.issued })
			id, err := c.Exec(ctx, fmt.Sprintf("INSERT INTO numbers VALUES (%d)", n))
			if err != nil {
				return
			}
			l.with(func() { l.stmts[id] = n })
			if _, err := c.Wait(ctx, id); err != nil {
				return
			}
		}
	})
	job := fmt.Sprintf("job_%d", round)
	id, err := c.Exec(ctx, "COPY files FROM 's3://chaos/other/"+job+"/' IAM_ROLE 'arn:aws:iam::123456789012:role/any' CSV JOB CREATE "+job)
	if err != nil {
		t.Fatalf("COPY JOB CREATE was not accepted: %v", err)
	}
	l.with(func() { l.jobs[id] = job })

	if after != "" {
		skip := random.IntN(4) // not always the first time
		for range skip + 1 {
			select {
			case <-trigger:
			case <-time.After(10 * time.Second):
				t.Fatalf("the server never logged %q\n%s", after, server.Tail(20))
			}
		}
	}
	time.Sleep(delay)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	stop()
	busy.Wait()
}

func start(t *testing.T, ctx context.Context, dir string) *harness.Server {
	t.Helper()
	server, err := harness.Start(ctx, harness.Options{Dir: dir, Args: []string{"--list-interval", "1s"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Kill() })
	return server
}

// check waits until the server has caught up and compares it with the ledger.
func check(t *testing.T, ctx context.Context, c harness.Clients, l *ledger) {
	t.Helper()
	if len(l.acked) == 0 || len(l.stmts) == 0 {
		t.Fatalf("nothing was acknowledged: %d files, %d statements", len(l.acked), len(l.stmts))
	}
	var have map[string]int
	deadline := time.Now().Add(2 * time.Minute)
	for {
		rows, err := c.SQL(ctx, "SELECT name, count(*), count(DISTINCT line) FROM files GROUP BY name")
		if err != nil {
			t.Fatal(err)
		}
		have = map[string]int{}
		for _, r := range rows {
			n, _ := strconv.Atoi(r[1])
			have[r[0]] = n
			if r[1] != strconv.Itoa(rowsPerFile) || r[2] != r[1] {
				t.Fatalf("%s has %s rows, %s different; want %d", r[0], r[1], r[2], rowsPerFile)
			}
		}
		missing := 0
		for key := range l.acked {
			if have[key] == 0 {
				missing++
			}
		}
		if missing == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d acknowledged files are not in the table", missing, len(l.acked))
		}
		time.Sleep(200 * time.Millisecond)
	}
	for key := range have {
		if !l.tried[key] {
			t.Errorf("%s was never put", key)
		}
	}
	detail, err := c.SQL(ctx, "SELECT file_name, count(*) FROM sys_copy_job_detail WHERE status <> 'I' OR file_name IN (SELECT file_name FROM sys_copy_job_detail GROUP BY 1 HAVING count(*) > 1) GROUP BY 1")
	if err != nil {
		t.Fatal(err)
	}
	if len(detail) > 0 {
		t.Errorf("the ledger has files that are not loaded, or twice: %v", detail)
	}

	for id := range l.stmts {
		if _, err := c.Wait(ctx, id); err != nil {
			t.Errorf("accepted statement %s: %v", id, err)
		}
	}
	rows, err := c.SQL(ctx, "SELECT n, count(*) FROM numbers GROUP BY n")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]string{}
	for _, r := range rows {
		counts[r[0]] = r[1]
		if r[1] != "1" {
			t.Errorf("INSERT of %s took effect %s times", r[0], r[1])
		}
	}
	for _, n := range l.stmts {
		if counts[strconv.Itoa(n)] != "1" {
			t.Errorf("accepted INSERT of %d took effect %q times", n, counts[strconv.Itoa(n)])
		}
	}

	jobs, err := c.SQL(ctx, "SELECT job_name FROM sys_copy_job")
	if err != nil {
		t.Fatal(err)
	}
	for id, job := range l.jobs {
		if _, err := c.Wait(ctx, id); err != nil {
			t.Errorf("accepted creation of %s: %v", job, err)
		}
		if n := count(jobs, job); n != 1 {
			t.Errorf("job %s is there %d times", job, n)
		}
	}
	t.Logf("%d files, %d statements and %d jobs acknowledged, each there once", len(l.acked), len(l.stmts), len(l.jobs))
}

func count(rows [][]string, name string) int {
	n := 0
	for _, r := range rows {
		if slices.Contains(r, name) {
			n++
		}
	}
	return n
}

// TestTenThousandFiles loads ten thousand files while the server is killed three times on the way.
func TestTenThousandFiles(t *testing.T) {
	files := envInt("PENSTOCK_CHAOS_FILES", 10_000)
	if testing.Short() {
		files = 1000
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir := t.TempDir()
	server := start(t, ctx, dir)
	c := server.Clients()
	if _, err := c.Join(ctx, "many"); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"CREATE TABLE files (name VARCHAR(100), line INTEGER)",
		"COPY files FROM 's3://many/' IAM_ROLE 'arn:aws:iam::123456789012:role/any' CSV JOB CREATE many_job AUTO ON",
	} {
		if _, err := c.SQL(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.RWMutex // held to write while the server is being exchanged
	var killing sync.WaitGroup
	acked := make(chan struct{}, files)
	put := func(key string) error {
		mu.RLock()
		defer mu.RUnlock()
		_, err := c.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("many"), Key: aws.String(key), Body: strings.NewReader(content(key))})
		return err
	}
	keys := make(chan string)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for key := range keys {
				for put(key) != nil && ctx.Err() == nil { // the same content under the same key until it is acknowledged
					time.Sleep(time.Millisecond)
				}
				acked <- struct{}{}
			}
		})
	}
	killing.Go(func() {
		for kill := range 3 {
			for range files / 4 {
				<-acked
			}
			mu.Lock()
			err := server.Kill()
			server = start(t, ctx, dir)
			c = server.Clients()
			mu.Unlock()
			t.Logf("kill %d: %v", kill+1, err)
		}
	})
	for i := range files {
		keys <- fmt.Sprintf("f-%05d.csv", i)
	}
	close(keys)
	writers.Wait()
	killing.Wait()
	for {
		rows, err := c.SQL(ctx, "SELECT count(*), count(DISTINCT name), count(DISTINCT name || ':' || line) FROM files")
		if err != nil {
			t.Fatal(err)
		}
		total := strconv.Itoa(files * rowsPerFile)
		if slices.Equal(rows[0], []string{total, strconv.Itoa(files), total}) {
			break
		}
		if n, _ := strconv.Atoi(rows[0][0]); n > files*rowsPerFile {
			t.Fatalf("rows, files, distinct rows: %v", rows[0])
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Fatalf("still missing: %v", rows[0])
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := server.Stop(); err != nil {
		t.Errorf("clean stop: %v", err)
	}
}
