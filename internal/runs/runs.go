// Package runs carries out the executions of data integrations: it takes what is due from the domain appint, hands
// each to a Runner, and reports what becomes of it.
//
// What is to be done and how far it is stands in the domain's store before and while it is done; nothing here has to
// survive. A stop, of any kind, leaves executions RUNNING there, and the next start goes on with them (invariant 9).
// One execution that fails, or panics, stops no other (invariant 7).
package runs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/appint"
)

// Queue is the part of appint.Service that says what is to be done.
type Queue interface {
	// Claim returns executions to start now. They are RUNNING from then on.
	Claim(ctx context.Context, limit int) ([]appint.Execution, error)
	// Resume returns the executions that are RUNNING though nobody carries them out.
	Resume(ctx context.Context) ([]appint.Execution, error)
	// Canceled returns the RUNNING executions that are to be stopped.
	Canceled(ctx context.Context) ([]appint.Execution, error)
	// Next is the first moment after after at which Claim may have something new.
	Next(ctx context.Context, after time.Time) (time.Time, error)
}

// Journal is the part of appint.Service that is told what becomes of it.
type Journal interface {
	Report(ctx context.Context, id string, p appint.Progress, note string) error
	Finish(ctx context.Context, id string, o appint.Outcome) (appint.Execution, error)
}

// Job is an execution as a Runner needs it. It is the same whenever an execution is taken up again, but for Mark.
type Job struct {
	ExecutionID   string
	IntegrationID string
	AssociationID string
	Requested     time.Time
	Plan          appint.Plan
	From, To      time.Time // the window; a zero From is the beginning
	Mark          []byte    // what the Runner reported last, empty at the first start
}

// Runner moves the data.
type Runner interface {
	// Run carries a job out, or goes on with it, and returns nil when everything is at the destination. It calls
	// report now and then; when that returns an error, and when ctx is done, it keeps what it has done for a later
	// Run and returns. The same holds after an error that is fault.Retryable. Any other error is final and leaves
	// nothing behind.
	Run(ctx context.Context, j Job, report func(appint.Progress) error) error
	// Discard removes what an execution that is not taken up again has left behind. Nothing left is no error.
	Discard(ctx context.Context, executionID string) error
	// Tidy discards every execution that is not wanted. It is called once, before any Run.
	Tidy(ctx context.Context, wanted func(executionID string) bool) error
}

// Observer is told of executions, for metrics. Its methods must not block.
type Observer interface {
	Started(e appint.Execution)
	Ended(e appint.Execution) // with its status, figures and times
}

// Options are the parts of an Executor. Fields without a stated default are required.
type Options struct {
	Queue    Queue
	Journal  Journal
	Runner   Runner
	AtOnce   int           // executions carried out at a time; default 1000
	Interval time.Duration // between looks nobody asked for; default 5 s
	// Wait is how long to wait before the nth attempt after the first, when the one before it failed for a reason
	// that may pass; below 0 it is given up. Default: 1, 2, 4, 8, 16 and 30 s.
	Wait     func(n int) time.Duration
	Now      func() time.Time
	Observer Observer // nil for none
	Log      *slog.Logger
}

// reportEvery is how often figures without a new mark are stored.
const reportEvery = time.Second

// Executor carries out executions. Notify may be called from any goroutine.
type Executor struct {
	Options
	wake chan struct{}

	mu     sync.Mutex
	active map[string]context.CancelCauseFunc // by execution id
}

// New returns an Executor at rest.
func New(o Options) *Executor {
	if o.AtOnce == 0 {
		o.AtOnce = 1000
	}
	if o.Interval == 0 {
		o.Interval = 5 * time.Second
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	return &Executor{Options: o, wake: make(chan struct{}, 1), active: map[string]context.CancelCauseFunc{}}
}

type nobody struct{}

func (nobody) Started(appint.Execution) {}
func (nobody) Ended(appint.Execution)   {}

func wait(n int) time.Duration {
	if n > 6 {
		return -1
	}
	return min(time.Second<<(n-1), 30*time.Second)
}

// Notify asks for a look soon. It never blocks.
func (x *Executor) Notify() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// Run carries out executions until ctx is done, and returns its error once all of them have stopped.
func (x *Executor) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		err := x.resume(ctx, &all)
		if err == nil {
			break
		}
		x.trouble(ctx, "executions that were under way could not be taken up again; trying again", err)
		if !pause(ctx, x.Interval) {
			return ctx.Err()
		}
	}
	for {
		sleep := time.NewTimer(x.look(ctx, &all))
		select {
		case <-ctx.Done():
		case <-x.wake:
		case <-sleep.C:
		}
		sleep.Stop()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// resume goes on with what an earlier process left.
func (x *Executor) resume(ctx context.Context, all *sync.WaitGroup) error {
	list, err := x.Queue.Resume(ctx)
	if err != nil {
		return err
	}
	wanted := make(map[string]bool, len(list))
	for _, e := range list {
		wanted[e.ID] = true
	}
	if err := x.Runner.Tidy(ctx, func(id string) bool { return wanted[id] }); err != nil {
		return err
	}
	for _, e := range list {
		x.Log.Info("an execution goes on after a restart", "execution", e.ID, "association", e.AssociationID, "attempt", e.Attempts)
		x.start(ctx, all, e)
	}
	return nil
}

// look starts and stops what is to be, and returns how long there is nothing to do if nobody calls.
func (x *Executor) look(ctx context.Context, all *sync.WaitGroup) time.Duration {
	began := x.Now()
	canceled, err := x.Queue.Canceled(ctx)
	if err != nil {
		x.trouble(ctx, "executions to cancel could not be looked up; trying again", err)
	}
	x.mu.Lock()
	for _, e := range canceled {
		if stop := x.active[e.ID]; stop != nil {
			stop(errCanceled)
		}
	}
	free := x.AtOnce - len(x.active)
	x.mu.Unlock()
	if free > 0 {
		list, err := x.Queue.Claim(ctx, free)
		if err != nil {
			x.trouble(ctx, "executions that are due could not be taken; trying again", err)
		}
		for _, e := range list {
			x.start(ctx, all, e)
		}
	}
	next, err := x.Queue.Next(ctx, began)
	if err != nil {
		x.trouble(ctx, "the next execution could not be looked up; trying again", err)
	}
	if next.IsZero() {
		return x.Interval
	}
	return min(max(next.Sub(x.Now()), 0), x.Interval)
}

func (x *Executor) trouble(ctx context.Context, text string, err error) {
	if ctx.Err() == nil {
		x.Log.Error(text, "err", err)
	}
}

// start carries out an execution in a goroutine of its own.
func (x *Executor) start(process context.Context, all *sync.WaitGroup, e appint.Execution) {
	ctx, stop := context.WithCancelCause(process)
	x.mu.Lock()
	x.active[e.ID] = stop
	x.mu.Unlock()
	all.Go(func() {
		defer stop(nil)
		x.carryOut(process, ctx, e)
		x.mu.Lock()
		delete(x.active, e.ID)
		x.mu.Unlock()
		x.Notify() // there is room for another
	})
}

// pause waits, unless ctx is done before, and reports whether it has.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
