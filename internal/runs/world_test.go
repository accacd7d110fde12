package runs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/runs"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// patience is how long anything may take to come true. It is long because the machine may be busy.
const patience = 60 * time.Second

// world is a service over a store in memory, with a clock that stands still.
type world struct {
	t       *testing.T
	store   *storetest.Memory
	service *appint.Service
	runner  *runner

	mu       sync.Mutex
	now      time.Time
	ids      int
	executor *runs.Executor // the one that runs
	changed  chan struct{}  // replaced and closed whenever something has changed
	broken   error          // what Finish returns
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, store: storetest.NewMemory(), now: epoch, runner: newRunner(), changed: make(chan struct{})}
	w.service = appint.NewService(appint.Config{
		Partition: "aws", Region: "us-east-1", Account: "123456789012", Stores: w.store.AppIntegrations(), Profiles: none{},
		Now: w.clock, NewID: w.newID, Notify: w.notify, Quotas: appint.Quotas{DataIntegrations: 2000, AssociationsPerIntegration: 2000}, Reassociate: true,
	})
	return w
}

type none struct{}

func (none) Profiles(string) []string { return nil }

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", w.ids)
}

func (w *world) notify() {
	w.mu.Lock()
	x := w.executor
	close(w.changed)
	w.changed = make(chan struct{})
	w.mu.Unlock()
	if x != nil {
		x.Notify()
	}
}

// pass sets the clock on and has the executor look.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
	w.notify()
}

// start runs an executor and returns what stops it.
func (w *world) start(options ...func(*runs.Options)) (stop func()) {
	w.t.Helper()
	o := runs.Options{
		Queue: w.service, Journal: journal{w}, Runner: w.runner, Now: w.clock, Log: slog.New(slog.DiscardHandler), Interval: time.Hour,
		Wait: func(n int) time.Duration {
			if n > 3 {
				return -1
			}
			return 0
		},
	}
	for _, set := range options {
		set(&o)
	}
	x := runs.New(o)
	w.mu.Lock()
	w.executor = x
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			w.t.Errorf("Run returned %v", err)
		}
	}
	w.t.Cleanup(stop)
	return stop
}

// journal is the service's, and breaks on demand.
type journal struct{ w *world }

func (j journal) Report(ctx context.Context, id string, p appint.Progress, note string) error {
	return j.w.service.Report(ctx, id, p, note)
}

func (j journal) Finish(ctx context.Context, id string, o appint.Outcome) (appint.Execution, error) {
	j.w.mu.Lock()
	err := j.w.broken
	j.w.broken = nil
	j.w.mu.Unlock()
	if err != nil {
		return appint.Execution{}, err
	}
	return j.w.service.Finish(ctx, id, o)
}

func (w *world) integration() appint.DataIntegration {
	w.t.Helper()
	d, err := w.service.CreateDataIntegration(w.t.Context(), appint.DataIntegrationParams{Name: w.newID(), KMSKey: "alias/key", SourceURI: "s3://source/in"})
	w.must(err)
	return d
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func onDemand(from, to time.Time) appint.Run {
	return appint.Run{Mode: appint.OnDemand, StartTime: fmt.Sprint(from.UnixMilli()), EndTime: fmt.Sprint(to.UnixMilli())}
}

func every(expression string) appint.Run {
	return appint.Run{Mode: appint.Scheduled, Schedule: appint.Schedule{Expression: expression}}
}

func (w *world) associate(d appint.DataIntegration, run appint.Run) appint.Association {
	w.t.Helper()
	a, _, err := w.service.CreateAssociation(w.t.Context(), appint.AssociationParams{Integration: d.ID, DestinationURI: "s3://destination/out", Run: run})
	w.must(err)
	return a
}

// last waits until the last execution of an association has a status.
func (w *world) last(a appint.Association, want appint.Status) appint.Association {
	w.t.Helper()
	var got appint.Association
	w.until(func() bool {
		var err error
		got, err = w.service.Association(w.t.Context(), a.IntegrationID, a.ID)
		w.must(err)
		return got.Last.Status == want
	})
	return got
}

// until waits until done is true, asking whenever something has changed.
func (w *world) until(done func() bool) {
	w.t.Helper()
	timeout := time.After(patience)
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		if done() {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			w.t.Fatal("what is waited for does not come")
		}
	}
}

func (w *world) history(a appint.Association) []appint.Execution {
	w.t.Helper()
	list, _, err := w.service.Executions(w.t.Context(), a.IntegrationID, a.ID, appint.Page{})
	w.must(err)
	return list
}

// runner is a Runner whose jobs do what do says.
type runner struct {
	started chan runs.Job

	mu        sync.Mutex
	do        func(ctx context.Context, j runs.Job, report func(appint.Progress) error) error
	jobs      []runs.Job
	at        map[string]int // jobs of an association at this moment
	overlap   bool
	discarded []string
	tidied    [][]string // executions that were wanted, of those there were
}

func newRunner() *runner {
	return &runner{started: make(chan runs.Job, 10_000), at: map[string]int{}, do: func(context.Context, runs.Job, func(appint.Progress) error) error { return nil }}
}

func (r *runner) will(do func(ctx context.Context, j runs.Job, report func(appint.Progress) error) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.do = do
}

func (r *runner) Run(ctx context.Context, j runs.Job, report func(appint.Progress) error) error {
	r.mu.Lock()
	r.jobs = append(r.jobs, j)
	r.at[j.AssociationID]++
	r.overlap = r.overlap || r.at[j.AssociationID] > 1
	do := r.do
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.at[j.AssociationID]--
	}()
	r.started <- j
	return do(ctx, j, report)
}

func (r *runner) Discard(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.discarded = append(r.discarded, id)
	return nil
}

func (r *runner) Tidy(_ context.Context, wanted func(string) bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var left []string
	for _, j := range r.jobs {
		if wanted(j.ExecutionID) {
			left = append(left, j.ExecutionID)
		}
	}
	r.tidied = append(r.tidied, left)
	return nil
}

func (r *runner) wait(t *testing.T) runs.Job {
	t.Helper()
	select {
	case j := <-r.started:
		return j
	case <-time.After(patience):
		t.Fatal("no job was started")
		return runs.Job{}
	}
}

// blocked is a job that runs until it is stopped.
func blocked(ctx context.Context, _ runs.Job, _ func(appint.Progress) error) error {
	<-ctx.Done()
	return ctx.Err()
}
