package runs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/runs"
)

func TestOnDemand(t *testing.T) {
	w := newWorld(t)
	w.start()
	d := w.integration()
	w.runner.will(func(_ context.Context, _ runs.Job, report func(appint.Progress) error) error {
		return report(appint.Progress{Files: 3, FilesTotal: 3, Bytes: 2048})
	})
	from, to := epoch.Add(-time.Hour), epoch.Add(-time.Minute)
	a := w.associate(d, onDemand(from, to))
	j := w.runner.wait(t)
	if !j.From.Equal(from) || !j.To.Equal(to) || j.Plan.SourceURI != "s3://source/in" || j.Plan.DestinationURI != "s3://destination/out" || j.AssociationID != a.ID {
		t.Errorf("the job is %+v", j)
	}
	if got := w.last(a, appint.Completed); got.Last.Message != "3 files, 2.0 KiB" {
		t.Errorf("the message is %q", got.Last.Message)
	}
	w.must(w.service.UpdateAssociation(t.Context(), d.ID, a.ID, onDemand(from, to.Add(time.Second))))
	if j := w.runner.wait(t); !j.To.Equal(to.Add(time.Second)) {
		t.Errorf("after the update the window ends at %s", j.To)
	}
	w.last(a, appint.Completed)
	if h := w.history(a); len(h) != 2 || h[0].Trigger != appint.ByUpdate || h[1].Trigger != appint.ByCreation {
		t.Errorf("the history is %+v", h)
	}
}

// Executions of one association come one after the other, in the order they were asked for.
func TestNoOverlap(t *testing.T) {
	w := newWorld(t)
	w.start()
	release := make(chan struct{})
	w.runner.will(func(ctx context.Context, _ runs.Job, _ func(appint.Progress) error) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	d := w.integration()
	a, b := w.associate(d, onDemand(epoch.Add(-time.Hour), epoch)), w.associate(d, onDemand(epoch.Add(-time.Hour), epoch))
	for n := range 5 {
		w.must(w.service.UpdateAssociation(t.Context(), d.ID, a.ID, onDemand(epoch.Add(-time.Hour), epoch.Add(time.Duration(-n)*time.Second))))
	}
	w.runner.wait(t)
	w.runner.wait(t) // b is not held up by a
	close(release)
	for range 5 {
		w.runner.wait(t)
	}
	w.last(a, appint.Completed)
	w.last(b, appint.Completed)
	h := w.history(a)
	for n := 1; n < len(h); n++ {
		if h[n-1].Number < h[n].Number || h[n-1].Started.Before(h[n].Ended) && !h[n].Ended.IsZero() && h[n].Ended.After(h[n-1].Started) {
			t.Errorf("executions %d and %d are out of order", n-1, n)
		}
	}
	if w.runner.overlap || len(h) != 6 {
		t.Errorf("overlap %v, %d executions", w.runner.overlap, len(h))
	}
}

// A thousand schedules come due in the same second, three times, with a stop in the middle of each: all start in that
// second, and none is left out or started twice for the same window.
func TestThousandSchedules(t *testing.T) {
	const count = 1000
	w := newWorld(t)
	d := w.integration()
	all := make([]appint.Association, count)
	for n := range all {
		all[n] = w.associate(d, every("rate(1 minute)"))
	}
	stop := w.start()
	for round := range 3 {
		w.runner.will(blocked)
		w.pass(time.Minute)
		due := w.clock()
		for range count {
			w.runner.wait(t)
		}
		stop() // all are under way
		list, err := w.store.AppIntegrations().Queue.Running(t.Context(), false)
		w.must(err)
		if len(list) != count {
			t.Fatalf("round %d: %d are running", round, len(list))
		}
		for _, e := range list {
			if e.Started.Sub(due) > 2*time.Second {
				t.Errorf("round %d: started %s after it was due", round, e.Started.Sub(due))
			}
		}
		w.runner.will(func(context.Context, runs.Job, func(appint.Progress) error) error { return nil })
		stop = w.start()
		for range count {
			w.runner.wait(t) // they go on
		}
		for _, a := range all {
			w.last(a, appint.Completed)
		}
	}
	for _, a := range all {
		h := w.history(a)
		if len(h) != 3 {
			t.Fatalf("%d executions of an association, want 3", len(h))
		}
		slices.Reverse(h)
		from := time.Time{}
		for n, e := range h {
			if !e.From.Equal(from) || e.Attempts != 2 || !e.To.Equal(epoch.Add(time.Duration(n+1)*time.Minute-appint.DefaultSettle)) {
				t.Fatalf("execution %d has the window %s to %s after %d attempts", n, e.From, e.To, e.Attempts)
			}
			from = e.To
		}
	}
}

// What is missed while nobody runs is made up for by one execution with a window that covers it all.
func TestCatchUp(t *testing.T) {
	w := newWorld(t)
	a := w.associate(w.integration(), every("rate(1 minute)"))
	stop := w.start()
	w.pass(time.Minute)
	first := w.runner.wait(t)
	w.last(a, appint.Completed)
	stop()
	w.pass(time.Hour + 10*time.Second)
	w.start()
	second := w.runner.wait(t)
	if !second.From.Equal(first.To) || !second.To.Equal(w.clock().Add(-appint.DefaultSettle)) {
		t.Errorf("the window is %s to %s", second.From, second.To)
	}
	w.last(a, appint.Completed)
	if h := w.history(a); len(h) != 2 {
		t.Errorf("%d executions, want 2", len(h))
	}
	w.pass(50 * time.Second) // the next full minute since the association was made
	if third := w.runner.wait(t); !third.From.Equal(second.To) {
		t.Errorf("the next window begins at %s", third.From)
	}
}

// After a failure the next execution covers the failed window too.
func TestFailedWindow(t *testing.T) {
	w := newWorld(t)
	w.start()
	run := every("rate(1 minute)")
	run.Schedule.FirstExecutionFrom = "2026-11-01T00:00:00Z"
	a := w.associate(w.integration(), run)
	w.runner.will(func(context.Context, runs.Job, func(appint.Progress) error) error {
		return fault.New(fault.Invalid, "object", "the object \"Acount\" is unknown; did you mean Account?")
	})
	w.pass(time.Minute)
	first := w.runner.wait(t)
	if got := w.last(a, appint.Failed); got.Last.Message != "the object \"Acount\" is unknown; did you mean Account?" {
		t.Errorf("the message is %q", got.Last.Message)
	}
	w.runner.will(func(context.Context, runs.Job, func(appint.Progress) error) error { return nil })
	w.pass(time.Minute)
	second := w.runner.wait(t)
	if !first.From.Equal(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)) || !second.From.Equal(first.From) || !second.To.After(first.To) {
		t.Errorf("windows %s to %s and %s to %s", first.From, first.To, second.From, second.To)
	}
	w.last(a, appint.Completed)
}

// A request waits until the end of its window has settled, and a schedule that is due before it covers nothing twice.
func TestRequest(t *testing.T) {
	w := newWorld(t)
	w.start()
	d := w.integration()
	a := w.associate(d, every("rate(1 hour)"))
	e, err := w.service.RunNow(t.Context(), d.ID, a.ID, "", "")
	w.must(err)
	if e.Status != appint.Waiting || !e.To.Equal(epoch.Add(time.Second)) {
		t.Errorf("asked for %+v", e)
	}
	w.pass(time.Second)
	select {
	case j := <-w.runner.started:
		t.Errorf("started too early: %+v", j)
	default:
	}
	w.pass(2 * time.Second)
	if j := w.runner.wait(t); !j.From.IsZero() || !j.To.Equal(e.To) {
		t.Errorf("the window is %s to %s", j.From, j.To)
	}
	got := w.last(a, appint.Completed)
	if !got.Since.Equal(e.To) {
		t.Errorf("the next window begins at %s, want %s", got.Since, e.To)
	}
	_, err = w.service.RunNow(t.Context(), d.ID, a.ID, fmt.Sprint(epoch.Add(-time.Hour).UnixMilli()), fmt.Sprint(epoch.UnixMilli()))
	w.must(err)
	if j := w.runner.wait(t); !j.From.Equal(epoch.Add(-time.Hour)) || !j.To.Equal(epoch) {
		t.Errorf("the window is %s to %s", j.From, j.To)
	}
	if got = w.last(a, appint.Completed); !got.Since.Equal(e.To) {
		t.Errorf("a window of its own moved the schedule's to %s", got.Since)
	}
}

// An execution that was under way goes on after a restart with the mark that it saved last.
func TestResume(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	a := w.associate(w.integration(), onDemand(epoch.Add(-time.Hour), epoch))
	saved := make(chan struct{})
	w.runner.will(func(ctx context.Context, _ runs.Job, report func(appint.Progress) error) error {
		if err := report(appint.Progress{Rows: 10, RowsTotal: 20, Mark: []byte("page 2")}); err != nil {
			return err
		}
		close(saved)
		<-ctx.Done()
		return ctx.Err()
	})
	first := w.runner.wait(t)
	<-saved
	if got := w.last(a, appint.Running); got.Last.Message != "10 of 20 rows" {
		t.Errorf("the message is %q", got.Last.Message)
	}
	stop()
	w.runner.will(func(_ context.Context, _ runs.Job, report func(appint.Progress) error) error {
		return report(appint.Progress{Rows: 20, RowsTotal: 20, Mark: []byte("page 3")})
	})
	w.start()
	second := w.runner.wait(t)
	if string(second.Mark) != "page 2" || len(first.Mark) != 0 {
		t.Errorf("the marks are %q and %q", first.Mark, second.Mark)
	}
	second.Mark = nil
	if fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("the job is another:\n%+v\n%+v", first, second)
	}
	w.last(a, appint.Completed)
	if h := w.history(a); len(h) != 1 || h[0].Attempts != 2 || h[0].Progress.Rows != 20 || len(h[0].Progress.Mark) != 0 {
		t.Errorf("the history is %+v", h)
	}
	if got := w.runner.tidied; len(got) != 2 || len(got[0]) != 0 || len(got[1]) != 1 {
		t.Errorf("tidied but for %v", got)
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.runner.will(blocked)
	d := w.integration()
	a := w.associate(d, onDemand(epoch.Add(-time.Hour), epoch))
	j := w.runner.wait(t)
	w.must(w.service.UpdateAssociation(t.Context(), d.ID, a.ID, onDemand(epoch.Add(-time.Hour), epoch)))
	waiting := w.history(a)[0]
	e, err := w.service.Cancel(t.Context(), d.ID, a.ID, waiting.ID)
	if err != nil || e.Status != appint.Canceled {
		t.Errorf("cancelling what waits: %+v, %v", e, err)
	}
	if _, err := w.service.Cancel(t.Context(), d.ID, a.ID, waiting.ID); !fault.Is(err, fault.State, appint.SubjectExecution) {
		t.Errorf("cancelling it again: %v", err)
	}
	if _, err := w.service.Cancel(t.Context(), d.ID, a.ID, j.ExecutionID); err != nil {
		t.Error(err)
	}
	w.until(func() bool { return w.history(a)[1].Status == appint.Canceled })
	if !slices.Equal(w.runner.discarded, []string{j.ExecutionID}) {
		t.Errorf("discarded %q", w.runner.discarded)
	}
}

// Deleting an association stops what it does, even if the process dies in between.
func TestDeletion(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.runner.will(blocked)
	d := w.integration()
	a, b := w.associate(d, onDemand(epoch.Add(-time.Hour), epoch)), w.associate(d, onDemand(epoch.Add(-time.Hour), epoch))
	w.runner.wait(t)
	w.runner.wait(t)
	gone := func() {
		t.Helper()
		w.until(func() bool {
			list, err := w.store.AppIntegrations().Queue.Running(t.Context(), true)
			w.must(err)
			return len(list) == 0
		})
	}
	w.must(w.service.DeleteAssociation(t.Context(), d.ID, a.ID))
	gone()
	stop()
	w.must(w.service.DeleteAssociation(t.Context(), d.ID, b.ID))
	w.must(w.service.DeleteDataIntegration(t.Context(), d.ID))
	w.start()
	gone()
	if len(w.runner.discarded) != 2 || len(w.runner.jobs) != 2 {
		t.Errorf("discarded %q of %d jobs", w.runner.discarded, len(w.runner.jobs))
	}
}

func TestTrouble(t *testing.T) {
	down := fault.New(fault.Unavailable, "vendor", "https://vendor.test does not answer")
	for _, tc := range []struct {
		name     string
		errs     []error
		want     appint.Status
		message  string
		attempts int
		discards int
	}{
		{"passes", []error{down, down}, appint.Completed, "Nothing new in the window.", 3, 0},
		{"stays", []error{down, down, down, down, down, down}, appint.Failed, "https://vendor.test does not answer", 4, 1},
		{"final", []error{fault.New(fault.Denied, "vendor", "the token is not accepted; renew it")}, appint.Failed, "the token is not accepted; renew it", 1, 0},
		{"a defect", []error{errors.New("secret detail")}, appint.Failed, "An internal error occurred; the server's log has the details under the execution 00000000-0000-4000-8000-000000000004.", 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			n := 0
			w.runner.will(func(context.Context, runs.Job, func(appint.Progress) error) error {
				if n++; n <= len(tc.errs) {
					return tc.errs[n-1]
				}
				return nil
			})
			a := w.associate(w.integration(), onDemand(epoch.Add(-time.Hour), epoch))
			got := w.last(a, tc.want)
			if got.Last.Message != tc.message || n != tc.attempts || len(w.runner.discarded) != tc.discards {
				t.Errorf("%q after %d attempts, %d discarded", got.Last.Message, n, len(w.runner.discarded))
			}
		})
	}
	t.Run("panic", func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.runner.will(func(_ context.Context, j runs.Job, _ func(appint.Progress) error) error { panic(j.ExecutionID) })
		a := w.associate(w.integration(), onDemand(epoch.Add(-time.Hour), epoch))
		w.last(a, appint.Failed)
		w.runner.will(func(context.Context, runs.Job, func(appint.Progress) error) error { return nil })
		b := w.associate(w.integration(), onDemand(epoch.Add(-time.Hour), epoch))
		w.last(b, appint.Completed)
	})
	t.Run("the end cannot be stored", func(t *testing.T) {
		w := newWorld(t)
		w.broken = fault.New(fault.Unavailable, "metadata store", "the disk is full")
		w.start()
		a := w.associate(w.integration(), onDemand(epoch.Add(-time.Hour), epoch))
		w.last(a, appint.Completed)
		if len(w.runner.jobs) != 1 {
			t.Errorf("it ran %d times", len(w.runner.jobs))
		}
	})
}

// Not more than AtOnce are carried out at a time, and the others follow.
func TestAtOnce(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	w.runner.will(func(ctx context.Context, _ runs.Job, _ func(appint.Progress) error) error {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	w.start(func(o *runs.Options) { o.AtOnce = 3 })
	d := w.integration()
	for range 10 {
		w.associate(d, onDemand(epoch.Add(-time.Hour), epoch))
	}
	for range 3 {
		w.runner.wait(t)
	}
	list, err := w.store.AppIntegrations().Queue.Running(t.Context(), false)
	if err != nil || len(list) != 3 {
		t.Errorf("%d are running, %v", len(list), err)
	}
	close(release)
	for range 7 {
		w.runner.wait(t)
	}
}

// observer writes down what it is told.
type observer struct {
	mu    sync.Mutex
	ended []appint.Execution
	begun int
}

func (o *observer) Started(appint.Execution) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.begun++
}

func (o *observer) Ended(e appint.Execution) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = append(o.ended, e)
}

func TestObserver(t *testing.T) {
	w := newWorld(t)
	o := &observer{}
	w.runner.will(func(_ context.Context, _ runs.Job, report func(appint.Progress) error) error {
		w.mu.Lock()
		w.now = w.now.Add(time.Minute)
		w.mu.Unlock()
		return report(appint.Progress{Rows: 5, Bytes: 100})
	})
	stop := w.start(func(options *runs.Options) { options.Observer = o })
	a := w.associate(w.integration(), onDemand(epoch.Add(-time.Hour), epoch))
	w.last(a, appint.Completed)
	stop()
	if o.begun != 1 || len(o.ended) != 1 || o.ended[0].Status != appint.Completed || o.ended[0].Progress.Rows != 5 || o.ended[0].Ended.Sub(o.ended[0].Started) != time.Minute {
		t.Errorf("told of %d starts and %+v", o.begun, o.ended)
	}
}
