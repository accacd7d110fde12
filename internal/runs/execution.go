package runs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/fault"
)

// errCanceled is the cause of a context that ends because somebody wants the execution to stop.
var errCanceled = errors.New("the execution is cancelled")

// carryOut runs an execution to its end and has that recorded, unless the process is stopping, when process is done:
// then it stays RUNNING. ctx is the execution's own, which ends with errCanceled as its cause when it is cancelled.
func (x *Executor) carryOut(process, ctx context.Context, e appint.Execution) {
	x.Observer.Started(e)
	w := &watch{executor: x, id: e.ID, progress: e.Progress}
	var o appint.Outcome
	switch {
	case e.Cancel:
		o.Status = appint.Canceled
		x.discard(ctx, e.ID)
	case !e.From.Before(e.To): // an earlier execution has covered it
		o.Status = appint.Completed
	default:
		var done bool
		if o, done = x.attempts(ctx, e, w); !done {
			return
		}
	}
	o.Progress = w.latest()
	x.finish(process, e, o)
}

// attempts runs an execution until it has succeeded, failed for good, or was cancelled. It returns false when the
// process is stopping.
func (x *Executor) attempts(ctx context.Context, e appint.Execution, w *watch) (appint.Outcome, bool) {
	for n := 1; ; n++ {
		err := x.attempt(ctx, e, w)
		switch {
		case err == nil:
			return appint.Outcome{Status: appint.Completed}, true
		case errors.Is(context.Cause(ctx), errCanceled):
			x.discard(ctx, e.ID)
			return appint.Outcome{Status: appint.Canceled}, true
		case ctx.Err() != nil:
			return appint.Outcome{}, false
		}
		log := x.Log.With("execution", e.ID, "association", e.AssociationID, "source", e.Plan.SourceURI, "destination", e.Plan.DestinationURI)
		if fault.Retryable(err) {
			if d := x.Wait(n); d >= 0 {
				log.Warn("an execution is held up and will try again", "in", d, "err", err)
				w.note(ctx, "Trying again: "+fault.Message(err))
				pause(ctx, d)
				continue // a context that is done shows in the next attempt
			}
			x.discard(ctx, e.ID)
		}
		log.Error("an execution has failed", "err", err)
		message := fault.Message(err)
		if fault.KindOf(err) == fault.Internal {
			message = fmt.Sprintf("An internal error occurred; the server's log has the details under the execution %s.", e.ID)
		}
		return appint.Outcome{Status: appint.Failed, Message: message}, true
	}
}

// attempt calls the Runner once. A panic in it is an internal error.
func (x *Executor) attempt(ctx context.Context, e appint.Execution, w *watch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	return x.Runner.Run(ctx, Job{
		ExecutionID: e.ID, IntegrationID: e.IntegrationID, AssociationID: e.AssociationID, Requested: e.Requested,
		Plan: e.Plan, From: e.From, To: e.To, Mark: w.latest().Mark,
	}, func(p appint.Progress) error { return w.report(ctx, p) })
}

// discard has the Runner clean up. What it cannot remove now goes when the server starts next.
func (x *Executor) discard(ctx context.Context, id string) {
	if err := x.Runner.Discard(context.WithoutCancel(ctx), id); err != nil {
		x.Log.Warn("what an execution left behind could not be removed; the next start will try again", "execution", id, "err", err)
	}
}

// finish records the end of an execution. As long as that fails the execution is not over: without the record it
// would begin again.
func (x *Executor) finish(process context.Context, e appint.Execution, o appint.Outcome) {
	for {
		ended, err := x.Journal.Finish(context.WithoutCancel(process), e.ID, o)
		if err == nil {
			if ended.ID == "" { // forgotten with its association
				ended = e
				ended.Status, ended.Progress, ended.Ended = o.Status, o.Progress, x.Now()
			}
			x.Observer.Ended(ended)
			x.Log.Info("an execution has ended", "execution", e.ID, "association", e.AssociationID, "status", string(o.Status),
				"files", o.Progress.Files, "rows", o.Progress.Rows, "bytes", o.Progress.Bytes, "took", ended.Ended.Sub(e.Started))
			return
		}
		x.Log.Error("the end of an execution could not be recorded; trying again", "execution", e.ID, "err", err)
		if !pause(process, time.Second) {
			return
		}
	}
}

// watch keeps the figures of one execution and has them stored now and then.
type watch struct {
	executor *Executor
	id       string

	mu       sync.Mutex
	progress appint.Progress
	stored   time.Time
}

func (w *watch) latest() appint.Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.progress
}

// report takes in new figures. Those with a new mark are durable when it returns nil.
func (w *watch) report(ctx context.Context, p appint.Progress) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	now := w.executor.Now()
	if slices.Equal(p.Mark, w.progress.Mark) && now.Sub(w.stored) < reportEvery {
		w.progress = p
		return nil
	}
	w.progress, w.stored = p, now
	return w.executor.Journal.Report(ctx, w.id, p, "")
}

// note tells the user what an execution is waiting for. Should that fail, nobody is told.
func (w *watch) note(ctx context.Context, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.executor.Journal.Report(ctx, w.id, w.progress, text); err != nil {
		w.executor.trouble(ctx, "the state of an execution could not be stored", err)
	}
}
