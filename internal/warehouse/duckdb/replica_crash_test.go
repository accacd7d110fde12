package duckdb

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/change"
)

const (
	replicaKills = 8
	replicaKeys  = 2000
)

// crashChange is change number n of a source that does the same in every process: its keys and its image, nil for
// a deletion. Some items are large, so that a commit takes a while.
func crashChange(n int) change.Row {
	x := (uint64(n) + 1) * 0x9E3779B97F4A7C15 //nolint:gosec // mixed on purpose
	x ^= x >> 32
	k := x % replicaKeys
	row := order(fmt.Sprintf("item %d", k), strconv.Itoa(int(k%10)), n) //nolint:gosec // small
	switch {
	case x%5 == 0:
		row.Doc = nil
	case x%11 == 0:
		row.Doc = append(row.Doc[:len(row.Doc)-1], fmt.Sprintf(`,"pad":{"S":"%s"}}`, strings.Repeat("x", 5000))...)
	}
	return row
}

// crashTable is the source's table after n changes.
func crashTable(n int) map[[2]string]string {
	m := map[[2]string]string{}
	for i := range n {
		if row := crashChange(i); row.Doc == nil {
			delete(m, row.Keys)
		} else {
			m[row.Keys] = string(row.Doc)
		}
	}
	return m
}

// TestReplicaCrash kills a child with SIGKILL while it loads, applies and publishes, many times on one directory,
// and compares after every kill the rows with the source as of their mark, and the marks with what the child had
// reported as done. PENSTOCK_TEST_SEED repeats a run.
func TestReplicaCrash(t *testing.T) {
	if dir := os.Getenv("PENSTOCK_TEST_CRASH"); dir != "" {
		if err := replicaCrashChild(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		return
	}
	kills := replicaKills
	if testing.Short() {
		kills = 3
	}
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any
	if s := os.Getenv("PENSTOCK_TEST_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // repeatable on purpose
	f := newFixture(t)
	f.must(f.w.Close())
	generations := int64(0)
	for kill := range kills {
		reported := replicaCrashRun(t, f, random)
		generations = replicaCrashCheck(t, f, int64(kill), reported)
		if t.Failed() {
			t.Fatalf("after kill %d of seed %d", kill+1, seed)
		}
		t.Logf("kill %d: generation %d is live", kill+1, generations)
	}
	if generations < 2 {
		t.Error("nothing was ever replaced")
	}
}

// replicaCrashRun runs a child until some report of its and a moment more, and kills it. It returns how far each
// generation was reported to be.
func replicaCrashRun(t *testing.T, f *fixture, random *rand.Rand) map[string]int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReplicaCrash$", "-test.count=1")
	cmd.Env = append(os.Environ(), "PENSTOCK_TEST_CRASH="+f.dir)
	out, err := cmd.StdoutPipe()
	f.must(err)
	cmd.Stderr = os.Stderr
	f.must(cmd.Start())
	until, pause := random.IntN(80), time.Duration(random.IntN(30000))*time.Microsecond
	reported, lines := map[string]int{}, 0
	killed := make(chan struct{})
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		what, at, ok := strings.Cut(scan.Text(), "=")
		n, err := strconv.Atoi(at)
		if !ok || err != nil {
			continue
		}
		reported[what] = n
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
	} else {
		t.Errorf("the child ended by itself after %d reports", lines)
	}
	_ = cmd.Wait() // killed
	return reported
}

func replicaCrashCheck(t *testing.T, f *fixture, fence int64, reported map[string]int) int64 {
	t.Helper()
	ctx := t.Context()
	w := New(Options{Dir: f.dir})
	defer func() { f.must(w.Close()) }()
	r, err := w.Replica(ctx, "dev", ReplicaSpec{IntegrationID: "c", Schema: ordersSchema})
	f.must(err)
	live, loading, err := r.Recover(ctx, time.Now().UnixNano())
	f.must(err)
	for _, g := range []*change.Generation{live, loading} {
		if g == nil {
			continue
		}
		if at, err := strconv.Atoi(g.Marks["s"]); err != nil || at < reported[fmt.Sprint("applied ", g.Number)] {
			t.Errorf("generation %d is at %q, reported %v", g.Number, g.Marks["s"], reported)
		}
		if g == loading && g.Loaded < int64(reported[fmt.Sprint("loaded ", g.Number)]) {
			t.Errorf("generation %d has loaded %d, reported %v", g.Number, g.Loaded, reported)
		}
	}
	if n := int64(reported["published"]); n > 0 && (live == nil || live.Number < n) {
		t.Errorf("generation %d was reported as published, and live is %+v", n, live)
	}
	if live == nil {
		return 0
	}
	at, err := strconv.Atoi(live.Marks["s"])
	f.must(err)
	s, err := w.Connect(ctx, "dev", "")
	f.must(err)
	defer s.Close() //nolint:errcheck // it reads only
	got, err := s.Query(ctx, "SELECT value FROM Orders")
	f.must(err)
	want := crashTable(at)
	for got.Next() {
		doc := got.Values()[0].(string)
		found := false
		for k, d := range want {
			if d == doc {
				delete(want, k)
				found = true
				break
			}
		}
		if !found {
			t.Fatalf("after %d changes there is %.80s", at, doc)
		}
	}
	f.must(got.Err())
	for k := range want {
		t.Fatalf("after %d changes %v is lost", at, k)
	}
	return live.Number
}

// replicaCrashChild replicates, loading the table again and again.
func replicaCrashChild(ctx context.Context, dir string) error {
	// Checkpoints are where a database file changes most; have many.
	w := New(Options{Dir: dir, Settings: []string{"SET checkpoint_threshold = '200KB'"}})
	if os.Getpid()%2 == 0 {
		w.limits = splitLimits{rows: 1000, direct: 1000, recent: 250, age: time.Hour}
	}
	r, err := w.Replica(ctx, "dev", ReplicaSpec{IntegrationID: "c", Schema: ordersSchema})
	if err != nil {
		return err
	}
	live, loading, err := r.Recover(ctx, time.Now().UnixNano())
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(uint64(os.Getpid()), 4)) //nolint:gosec // any
	for {
		if loading == nil {
			start := 0
			if live != nil {
				if start, err = strconv.Atoi(live.Marks["s"]); err != nil {
					return err
				}
				start += random.IntN(3000) // changes were missed
			}
			if loading, err = r.Begin(ctx, change.Table{Schema: ordersSchema, ID: "t"}, change.Marks{"s": strconv.Itoa(start), "start": strconv.Itoa(start)}); err != nil {
				return err
			}
		}
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return crashLoad(ctx, r, loading) })
		group.Go(func() error { return crashApply(ctx, r, loading, 4+random.IntN(8)) })
		if err := group.Wait(); err != nil {
			return err
		}
		if err := r.Publish(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		fmt.Printf("published=%d\n", loading.Number)
		live, loading = loading, nil
		if err := crashApply(context.WithoutCancel(ctx), r, live, 4+random.IntN(8)); err != nil {
			return err
		}
	}
}

// crashLoad loads the table as of the generation's start, from where its mark is.
func crashLoad(ctx context.Context, r *Replica, g *change.Generation) error {
	start, err := strconv.Atoi(g.Marks["start"])
	if err != nil {
		return err
	}
	table := crashTable(start)
	from := 0
	if s := g.Snapshot["p"]; s != "" {
		if from, err = strconv.Atoi(s); err != nil {
			return err
		}
	}
	loaded := int(g.Loaded)
	for from < replicaKeys {
		var b change.Batch
		for ; from < replicaKeys && len(b.Rows) < 150; from++ {
			keys := [2]string{fmt.Sprintf("item %d", from), strconv.Itoa(from % 10)}
			if doc, ok := table[keys]; ok {
				b.Rows = append(b.Rows, change.Row{Keys: keys, Doc: []byte(doc)})
			}
		}
		b.Marks = []change.Mark{{Part: "p", After: strconv.Itoa(from)}}
		if err := r.Load(ctx, b); err != nil {
			return err
		}
		loaded += len(b.Rows)
		fmt.Printf("loaded %d=%d\n", g.Number, loaded)
	}
	return nil
}

// crashApply applies some batches of the changes that follow the generation's mark.
func crashApply(ctx context.Context, r *Replica, g *change.Generation, batches int) error {
	at, err := strconv.Atoi(g.Marks["s"])
	if err != nil {
		return err
	}
	for range batches {
		var b change.Batch
		for range 100 {
			b.Rows = append(b.Rows, crashChange(at))
			at++
		}
		b.Marks = []change.Mark{{Part: "s", After: strconv.Itoa(at)}}
		if err := r.Apply(ctx, g, b); err != nil {
			return err
		}
		g.Marks["s"] = strconv.Itoa(at)
		fmt.Printf("applied %d=%d\n", g.Number, at)
	}
	return nil
}
