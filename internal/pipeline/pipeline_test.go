package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

// entry is one change in the source's log. Versions grow over the whole table.
type entry struct {
	key     string
	version int // 0: deleted
	at      time.Time
}

// table is a source in memory: items, and a log of every change.
type table struct {
	mu      sync.Mutex
	id      string
	items   map[string]int
	log     []entry
	trimmed int // entries of the log that are gone
	version int
	faults  []error // of the next calls
	wake    chan struct{}
	gone    bool
}

func newTable() *table {
	return &table{id: "t-1", items: map[string]int{}, wake: make(chan struct{}, 1)}
}

func (s *table) put(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.items[key] = s.version
	s.log = append(s.log, entry{key, s.version, time.Now()})
}

func (s *table) del(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.items[key]; ok {
		delete(s.items, key)
		s.log = append(s.log, entry{key, 0, time.Now()})
	}
}

// trim loses the log up to now.
func (s *table) trim() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trimmed = len(s.log)
}

func (s *table) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return fault.New(fault.NotFound, SubjectTable, "no such table")
	}
	if len(s.faults) == 0 {
		return nil
	}
	err := s.faults[0]
	s.faults = s.faults[1:]
	return err
}

func (s *table) Describe(context.Context) (Table, error) {
	if err := s.fault(); err != nil {
		return Table{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return Table{Schema: change.Schema{Table: "t", Keys: []change.KeyColumn{{Name: "k", Type: change.String}}}, ID: s.id, Items: int64(len(s.items))}, nil
}

func (s *table) Start(context.Context) (change.Marks, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return change.Marks{"log": strconv.Itoa(len(s.log))}, nil
}

func row(key string, version int) change.Row {
	r := change.Row{Keys: [2]string{key}}
	if version > 0 {
		r.Doc = []byte(strconv.Itoa(version))
	}
	return r
}

// Snapshot delivers three items a page, in the order of their keys, each as it is when its page is made.
func (s *table) Snapshot(ctx context.Context, from change.Marks, deliver func(context.Context, change.Page) error) error {
	after := from["scan"]
	for {
		time.Sleep(time.Millisecond)
		if err := s.fault(); err != nil {
			return err
		}
		s.mu.Lock()
		keys := slices.Sorted(maps.Keys(s.items))
		var page change.Page
		for _, k := range keys {
			if k > after && len(page.Rows) < 3 {
				page.Rows = append(page.Rows, row(k, s.items[k]))
			}
		}
		s.mu.Unlock()
		if len(page.Rows) == 0 {
			return nil
		}
		after = page.Rows[len(page.Rows)-1].Keys[0]
		page.Mark, page.Bytes = change.Mark{Part: "scan", After: after}, len(page.Rows)
		if err := deliver(ctx, page); err != nil {
			return err
		}
	}
}

func (s *table) Stream(ctx context.Context, from change.Marks, deliver func(context.Context, change.Page) error, idle func(context.Context, time.Time) error) error {
	at, _ := strconv.Atoi(from["log"])
	for {
		began := time.Now()
		if err := s.fault(); err != nil {
			return err
		}
		s.mu.Lock()
		if at < s.trimmed {
			err := fault.New(fault.Expired, SubjectGap, "changes %d to %d were trimmed", at, s.trimmed)
			s.mu.Unlock()
			return err
		}
		var page change.Page
		for at < len(s.log) && len(page.Rows) < 4 {
			e := s.log[at]
			page.Rows = append(page.Rows, row(e.key, e.version))
			page.Newest = e.at
			at++
		}
		s.mu.Unlock()
		if len(page.Rows) > 0 {
			page.Mark, page.Bytes = change.Mark{Part: "log", After: strconv.Itoa(at)}, len(page.Rows)
			if err := deliver(ctx, page); err != nil {
				return err
			}
			continue
		}
		if err := idle(ctx, began); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *table) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// generation is a copy in memory.
type generation struct {
	Generation
	rows  map[string]int
	delta map[string]int // by key; 0 for deleted
}

// replica is a warehouse table in memory. It checks what it is told.
type replica struct {
	t       *testing.T
	mu      sync.Mutex
	fence   int64
	live    *generation
	loading *generation
	numbers int64
	states  []string
	before  []error // of the next calls, before anything happens
	after   []error // of the next calls, after it happened
	swaps   int
}

func next(errs *[]error) error {
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

func copyOf(g *generation) *Generation {
	if g == nil {
		return nil
	}
	c := g.Generation
	c.Marks, c.Snapshot = maps.Clone(c.Marks), maps.Clone(c.Snapshot)
	return &c
}

func (r *replica) Recover(_ context.Context, fence int64) (live, loading *Generation, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if fence < r.fence {
		return nil, nil, fault.New(fault.Conflict, "", "fenced")
	}
	r.fence = fence
	return copyOf(r.live), copyOf(r.loading), nil
}

func (r *replica) Begin(_ context.Context, t Table, start change.Marks) (*Generation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.numbers++
	r.loading = &generation{Generation{Number: r.numbers, SourceID: t.ID, Phase: Loading, Marks: maps.Clone(start), Snapshot: change.Marks{}}, map[string]int{}, map[string]int{}}
	return copyOf(r.loading), nil
}

func (r *replica) Load(_ context.Context, b change.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := next(&r.before); err != nil {
		return err
	}
	for _, row := range b.Rows {
		if _, ok := r.loading.rows[row.Keys[0]]; ok {
			r.t.Errorf("%s was loaded twice", row.Keys[0])
		}
		r.loading.rows[row.Keys[0]], _ = strconv.Atoi(string(row.Doc))
	}
	r.loading.Loaded += int64(len(b.Rows))
	for _, m := range b.Marks {
		r.loading.Snapshot[m.Part] = m.After
	}
	return next(&r.after)
}

func (r *replica) Apply(_ context.Context, g *Generation, b change.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := next(&r.before); err != nil {
		return err
	}
	to := r.loading
	if r.live != nil && r.live.Number == g.Number {
		to = r.live
	}
	if to == nil || to.Number != g.Number {
		r.t.Errorf("changes for generation %d, which is not there", g.Number)
		return errors.New("no generation")
	}
	seen := map[string]bool{}
	for _, row := range b.Rows {
		key := row.Keys[0]
		if seen[key] {
			r.t.Errorf("%s is twice in a batch", key)
		}
		seen[key] = true
		v, _ := strconv.Atoi(string(row.Doc))
		if to == r.loading {
			to.delta[key] = v
			continue
		}
		if v > 0 && v < to.rows[key] {
			r.t.Errorf("%s goes back from version %d to %d in sight of readers", key, to.rows[key], v)
		}
		set(to.rows, key, v)
	}
	for _, m := range b.Marks {
		to.Marks[m.Part] = m.After
	}
	return next(&r.after)
}

func set(rows map[string]int, key string, v int) {
	if v == 0 {
		delete(rows, key)
	} else {
		rows[key] = v
	}
}

func (r *replica) Publish(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := next(&r.before); err != nil {
		return err
	}
	for key, v := range r.loading.delta {
		set(r.loading.rows, key, v)
	}
	r.live, r.loading = r.loading, nil
	r.live.Phase, r.live.delta = Live, nil
	r.swaps++
	return next(&r.after)
}

func (r *replica) State(_ context.Context, s State, reason string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := string(s)
	if reason != "" {
		text += ": " + reason
	}
	if len(r.states) == 0 || r.states[len(r.states)-1] != text {
		r.states = append(r.states, text)
	}
	return nil
}

type harness struct {
	*table
	*replica
	fences int64
}

func newHarness(t *testing.T) *harness {
	return &harness{table: newTable(), replica: &replica{t: t}}
}

func (h *harness) pipeline(change ...func(*Options)) *Pipeline {
	h.fences++
	o := Options{Source: h.table, Replica: h.replica, Journal: h.replica, Fence: h.fences, BatchRows: 5, BatchDelay: 2 * time.Millisecond,
		Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&o)
	}
	return New(o)
}

// run runs a pipeline around body, and again and again when it ends with an error, as its owner would.
func (h *harness) run(t *testing.T, body func(), change ...func(*Options)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = h.pipeline(change...).Run(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	body()
	cancel()
	<-done
}

func (h *harness) same() bool {
	h.table.mu.Lock()
	defer h.table.mu.Unlock()
	h.replica.mu.Lock()
	defer h.replica.mu.Unlock()
	return h.live != nil && maps.Equal(h.live.rows, h.items)
}

// settle waits until the replica is as the table is.
func (h *harness) settle(t *testing.T) {
	t.Helper()
	for range 2000 {
		if h.same() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never the same: table %v, replica %v", h.items, h.live)
}

func TestSnapshotThenChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		for i := range 20 {
			h.put(fmt.Sprintf("k%02d", i))
		}
		h.run(t, func() {
			time.Sleep(3 * time.Millisecond) // in the snapshot
			h.put("k00")                     // scanned already
			h.del("k01")                     // scanned already
			h.del("k18")
			h.put("k19")
			h.put("new")
			h.settle(t)
			h.put("k05")
			h.del("k06")
			h.settle(t)
		})
		want := []string{"ResyncInitiated", "Synced"}
		if !slices.Equal(h.states, want) {
			t.Errorf("states %q, want %q", h.states, want)
		}
	})
}

func TestEmptyTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.run(t, func() {
			h.settle(t)
			h.put("first")
			h.settle(t)
		})
	})
}

func TestGapsLoadTheTableAgainBesideTheOld(t *testing.T) {
	for name, gap := range map[string]func(*harness){
		"trimmed":   func(h *harness) { h.trim() },
		"made anew": func(h *harness) { h.table.mu.Lock(); h.id = "t-2"; h.table.mu.Unlock() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t)
				for i := range 10 {
					h.put(fmt.Sprint("k", i))
				}
				h.run(t, func() { h.settle(t) })
				h.del("k1") // while nobody looks
				h.put("k2")
				gap(h)
				h.put("k3")
				before := h.swaps
				h.run(t, func() {
					time.Sleep(2 * time.Millisecond)
					h.replica.mu.Lock()
					if len(h.live.rows) != 10 && h.swaps == before {
						t.Errorf("readers see %d rows before the swap", len(h.live.rows))
					}
					h.replica.mu.Unlock()
					h.settle(t)
				})
				if h.swaps != before+1 {
					t.Errorf("%d swaps", h.swaps-before)
				}
				if len(h.states) < 5 || h.states[len(h.states)-1] != "Synced" || h.states[2][:14] != "ResyncRequired" || h.states[3][:15] != "ResyncInitiated" {
					t.Errorf("states: %q", h.states)
				}
			})
		})
	}
}

func TestAGapWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.put("a")
		h.run(t, func() {
			h.settle(t)
			h.table.mu.Lock()
			h.table.version++
			h.items["b"] = h.table.version
			h.log = append(h.log, entry{"b", h.table.version, time.Now()})
			h.trimmed = len(h.log) // made and trimmed before it was read
			h.table.mu.Unlock()
			h.settle(t)
		})
	})
}

func TestResyncOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.put("a")
		h.run(t, func() { h.settle(t) })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.pipeline(func(o *Options) { o.Resync = true }).Run(ctx) }()
		time.Sleep(time.Second)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if h.swaps != 2 {
			t.Errorf("%d swaps", h.swaps)
		}
	})
}

func TestRefreshIntervalWaitsBetweenCycles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.put("a")
		h.run(t, func() {
			h.settle(t)
			time.Sleep(time.Second) // in the wait
			h.put("b")
			time.Sleep(500 * time.Second)
			if h.same() {
				t.Error("a change came through before the interval was over")
			}
			time.Sleep(600 * time.Second)
			if !h.same() {
				t.Error("a change did not come through after the interval")
			}
		}, func(o *Options) { o.RefreshInterval = 900 * time.Second })
	})
}

func TestAnOldFenceCannotWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		old := h.pipeline()
		young := h.pipeline()
		if _, _, err := h.Recover(t.Context(), young.Fence); err != nil {
			t.Fatal(err)
		}
		if err := old.Run(t.Context()); fault.KindOf(err) != fault.Conflict {
			t.Errorf("Run = %v", err)
		}
	})
}

// TestEverythingAtOnce works on a table while the pipeline is stopped, started and disturbed at random, and
// compares in the end. The replica itself checks order and doubles.
func TestEverythingAtOnce(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 2))
				h := newHarness(t)
				for i := range random.IntN(40) {
					h.put(fmt.Sprintf("k%02d", i))
				}
				down := fault.New(fault.Unavailable, "", "no answer")
				for range 3 + random.IntN(6) {
					h.run(t, func() {
						for range random.IntN(60) {
							key := fmt.Sprintf("k%02d", random.IntN(50))
							switch n := random.IntN(100); {
							case n < 60:
								h.put(key)
							case n < 80:
								h.del(key)
							case n < 84:
								h.table.mu.Lock()
								h.table.faults = append(h.table.faults, down)
								h.table.mu.Unlock()
							case n < 88:
								h.replica.mu.Lock()
								h.replica.before = append(h.replica.before, down)
								h.replica.mu.Unlock()
							case n < 92:
								h.replica.mu.Lock()
								h.replica.after = append(h.replica.after, down) // it happened, and nobody heard
								h.replica.mu.Unlock()
							case n < 94:
								h.trim()
							default:
								time.Sleep(time.Duration(random.IntN(8)) * time.Millisecond)
							}
							if random.IntN(5) == 0 {
								time.Sleep(time.Millisecond)
							}
						}
					})
				}
				h.run(t, func() { h.settle(t) })
			})
		})
	}
}
