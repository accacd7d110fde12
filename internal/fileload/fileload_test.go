package fileload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// world is a bucket and a warehouse in memory, with faults that are spent one by one.
type world struct {
	mu          sync.Mutex
	objects     map[string]load.File
	rows        map[string]int  // loads per key that committed
	failed      map[string]bool // ledger entries that say failed
	bad         map[string]bool // files whose content is bad
	faults      []error         // of Load, before anything happens
	lateFaults  []error         // of Load, after it committed
	listFaults  []error
	fetchFaults []error
	loads       int
	held        int // fetched and not released
}

func newWorld() *world {
	return &world{objects: map[string]load.File{}, rows: map[string]int{}, failed: map[string]bool{}, bad: map[string]bool{}}
}

func (w *world) put(key string, at time.Time) load.File {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := load.File{Bucket: "b", Key: key, Size: 10, Modified: at}
	w.objects[key] = f
	return f
}

func next(errs *[]error) error {
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

func (w *world) List(_ context.Context, _, prefix, _ string, yield func(load.File) error) error {
	w.mu.Lock()
	var all []load.File
	for _, f := range w.objects {
		all = append(all, f)
	}
	err := next(&w.listFaults)
	w.mu.Unlock()
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b load.File) int { return strings.Compare(a.Key, b.Key) })
	for _, f := range all {
		if len(f.Key) >= len(prefix) && f.Key[:len(prefix)] == prefix {
			if err := yield(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) Fetch(_ context.Context, f load.File) (load.File, func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := next(&w.fetchFaults); err != nil {
		return f, nil, err
	}
	if _, ok := w.objects[f.Key]; !ok {
		return f, nil, fault.New(fault.NotFound, "object", "no object %q", f.Key)
	}
	f.Path = "/" + f.Key
	w.held++
	return f, func() { w.mu.Lock(); w.held--; w.mu.Unlock() }, nil
}

func (w *world) Unloaded(_ context.Context, _ string, _ int64, keys []string, failed bool) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, k := range keys {
		if w.rows[k] == 0 && (!w.failed[k] || failed) {
			out = append(out, k)
		}
	}
	return out, nil
}

func (w *world) Load(_ context.Context, req load.Request) (load.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loads++
	if err := next(&w.faults); err != nil {
		return load.Result{}, err
	}
	var res load.Result
	for _, f := range req.Files {
		r := load.FileResult{File: f, Status: load.Loaded, Rows: 1}
		switch {
		case w.rows[f.Key] > 0 || (w.failed[f.Key] && !req.Retry):
			r.Status = load.Skipped
		case w.bad[f.Key]:
			r.Status = load.Failed
			w.failed[f.Key] = true
		default:
			w.rows[f.Key]++
			delete(w.failed, f.Key)
		}
		res.Files = append(res.Files, r)
	}
	if err := next(&w.lateFaults); err != nil {
		return load.Result{}, err
	}
	return res, nil
}

type harness struct {
	*world
	*Loader
	start time.Time
	out   []Outcome // appended by Run's goroutine; read after synctest.Wait
}

func newHarness(t *testing.T, interval time.Duration) *harness {
	h := &harness{world: newWorld(), start: time.Now()}
	ids := int64(0)
	h.Loader = New(Options{
		Job: Job{Job: load.Job{ID: 7, Name: "j"}, Bucket: "b", Prefix: "in/", Since: h.start,
			Table: load.Table{Database: "dev", Schema: "public", Name: "t"}},
		Objects: h.world, Warehouse: h.world, ListInterval: interval,
		NextID: func() int64 { ids++; return ids }, Now: time.Now,
		Report: func(o Outcome) { h.out = append(h.out, o) }, Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(func() {
		if h.held != 0 {
			t.Errorf("%d fetched files were not released", h.held)
		}
	})
	return h
}

// run runs the loader for the body and stops it.
func (h *harness) run(t *testing.T, body func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	synctest.Wait()
	body()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

func (h *harness) loadedOnce(t *testing.T, keys ...string) {
	t.Helper()
	synctest.Wait()
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	for _, k := range keys {
		if h.rows[k] != 1 {
			t.Errorf("%s loaded %d times", k, h.rows[k])
		}
	}
	if len(h.rows) != len(keys) {
		t.Errorf("loaded %v, want %v", h.rows, keys)
	}
}

func TestEventsAndListingsLoadEachFileOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, time.Minute)
		h.put("in/before-start", h.start.Add(time.Second))
		h.put("in/too-old", h.start.Add(-time.Nanosecond))
		h.put("in/folder/", h.start.Add(time.Second))
		h.put("elsewhere", h.start.Add(time.Second))
		h.run(t, func() {
			f := h.put("in/by-event", time.Now())
			h.Arrived(f)
			h.Arrived(f) // doubled
			h.Arrived(load.File{Bucket: "b", Key: "in/missing", Modified: time.Now()})
			h.Arrived(load.File{Bucket: "other", Key: "in/x", Modified: time.Now()})
			h.Arrived(load.File{Bucket: "b", Key: "elsewhere", Modified: time.Now()})
			h.loadedOnce(t, "in/before-start", "in/by-event")

			h.put("in/no-event", time.Now())
			time.Sleep(59 * time.Second)
			h.loadedOnce(t, "in/before-start", "in/by-event")
			time.Sleep(2 * time.Second)
			h.loadedOnce(t, "in/before-start", "in/by-event", "in/no-event")

			h.Arrived(f) // late
			h.put("in/missing", time.Now())
			h.Arrived(load.File{Bucket: "b", Key: "in/missing", Modified: time.Now()}) // was gone, is there now
			h.loadedOnce(t, "in/before-start", "in/by-event", "in/no-event", "in/missing")
		})
		if s := h.Stats(); s.Pending != 0 || s.FilesLoaded != 4 {
			t.Errorf("%+v", s)
		}
	})
}

func TestTroubleIsRetriedAndReported(t *testing.T) {
	down := fault.New(fault.Unavailable, "", "the endpoint does not answer")
	for name, set := range map[string]func(*world){
		"load":            func(w *world) { w.faults = []error{down, down} },
		"load, committed": func(w *world) { w.lateFaults = []error{down} },
		"list":            func(w *world) { w.listFaults = []error{down} },
		"fetch":           func(w *world) { w.fetchFaults = []error{down, nil, down} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarness(t, time.Hour)
				h.put("in/1", h.start)
				h.put("in/2", h.start)
				set(h.world)
				h.run(t, func() {
					if got := h.Stats().Trouble; got != down.Message {
						t.Errorf("trouble not shown: %q", got)
					}
					time.Sleep(time.Minute)
					h.loadedOnce(t, "in/1", "in/2")
					if s := h.Stats(); s.Trouble != "" || s.Retries == 0 {
						t.Errorf("%+v", s)
					}
				})
				if h.out[0].Err == nil || h.out[len(h.out)-1].Err != nil {
					t.Errorf("reports: %+v", h.out)
				}
			})
		})
	}
}

func TestABadFileStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, time.Minute)
		for i := range 10 {
			h.put(fmt.Sprintf("in/%d", i), h.start)
		}
		h.bad["in/3"] = true
		h.run(t, func() {
			time.Sleep(5 * time.Minute) // several listings: a failed file stays failed
			synctest.Wait()
			if s := h.Stats(); s.FilesLoaded != 9 || s.FilesFailed != 1 || s.Pending != 0 {
				t.Errorf("%+v", s)
			}
		})

		delete(h.bad, "in/3") // mended under the same name: only a run by hand takes it
		if err := h.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if h.rows["in/3"] != 1 {
			t.Error("COPY JOB RUN left the failed file out")
		}
	})
}

func TestAFullQueueLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, time.Hour)
		const extra = 10
		for i := range maxPending + extra {
			f := h.put(fmt.Sprintf("in/%07d", i), h.start)
			h.Arrived(f)
		}
		h.run(t, func() {
		})
		if len(h.rows) != maxPending+extra {
			t.Errorf("%d loaded", len(h.rows))
		}
	})
}

func TestRunOnceGivesUpInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, time.Hour)
		h.put("in/1", h.start)
		for range runAttempts {
			h.faults = append(h.faults, fault.New(fault.NotFound, "table", `relation "t" does not exist`))
		}
		if err := h.RunOnce(t.Context()); !fault.Is(err, fault.NotFound, "table") {
			t.Fatalf("RunOnce = %v", err)
		}
		if err := h.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.loadedOnce(t, "in/1")
	})
}

func TestAdmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, time.Hour)
		h.Loader.Job.Admits = func(key string) bool { return key != "in/no" }
		h.put("in/no", h.start)
		h.put("in/yes", h.start)
		h.run(t, func() { h.loadedOnce(t, "in/yes") })
	})
}

func TestBatchesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, time.Hour)
		for i := range 2*batchFiles + 1 {
			h.put(fmt.Sprintf("in/%05d", i), h.start)
		}
		big := h.put("in/big", h.start)
		big.Size = 2 * batchBytes
		h.objects["in/big"] = big
		h.run(t, func() {})
		if len(h.rows) != 2*batchFiles+2 || h.loads != 4 {
			t.Errorf("%d files in %d loads", len(h.rows), h.loads)
		}
	})
}
