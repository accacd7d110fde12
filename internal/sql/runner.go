package sql

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/sql/dialect"
	"github.com/penstock-io/penstock/internal/statements"
)

// Queue is the executor's part of statements.Service.
type Queue interface {
	Lifecycle
	Recover(ctx context.Context) error
	Pick(ctx context.Context, accept func(statements.Statement) bool) (_ statements.Statement, ok bool, _ error)
	Canceling(ctx context.Context) ([]statements.Statement, error)
	List(ctx context.Context, f statements.Filter, token string, limit *int) (statements.ListPage, error)
	Expire(ctx context.Context) (int, error)
}

// Lifecycle is what happens to a picked statement.
type Lifecycle interface {
	Start(ctx context.Context, id string, queryID, pid int64) (statements.Statement, error)
	FinishSub(ctx context.Context, id string, n int, r statements.SubResult) error
	Finish(ctx context.Context, id string, last ...statements.SubResult) (statements.Statement, error)
	Fail(ctx context.Context, id string, n int, message string, ran time.Duration) (statements.Statement, error)
	Abort(ctx context.Context, id, message string) (statements.Statement, error)
	Pages
}

// Pages keeps results.
type Pages interface {
	PutPage(ctx context.Context, id string, n, number int, p statements.Page) error
	ClearPages(ctx context.Context, id string) error
}

// RunnerOptions are the parts of a Runner.
type RunnerOptions struct {
	Queue     Queue
	Warehouse func(ctx context.Context, id string) (Warehouse, error)
	Parts     Parts
	AtOnce    int                            // statements running at a time
	Drain     time.Duration                  // how long a stop waits for statements under way
	Done      func(status statements.Status) // for metrics
	Log       *slog.Logger
}

// Runner takes statements from the queue and runs them. Notify may be called from any goroutine.
type Runner struct {
	RunnerOptions
	wake    chan struct{}
	running sync.WaitGroup

	mu       sync.Mutex
	active   map[string]context.CancelCauseFunc // by statement id
	sessions map[string]*held                   // by session id
}

// held is a session kept between statements.
type held struct {
	session *Session
	busy    bool
	until   time.Time // when it ends if nobody uses it
}

// errCanceled is the cause of a context whose statement the user cancelled.
var errCanceled = errors.New("cancelled by the user")

// NewRunner returns a Runner at rest.
func NewRunner(o RunnerOptions) *Runner {
	return &Runner{RunnerOptions: o, wake: make(chan struct{}, 1), active: map[string]context.CancelCauseFunc{}, sessions: map[string]*held{}}
}

// Notify says that there may be a statement to run or to cancel. It never blocks.
func (r *Runner) Notify() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run runs statements until ctx is done. Then it takes no more, waits up to Drain for those under way, and
// cuts off the rest, which the next start runs again.
func (r *Runner) Run(ctx context.Context) error {
	if err := r.Queue.Recover(ctx); err != nil {
		return err
	}
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ticks := 0; ctx.Err() == nil; {
		r.cancelAsked(ctx)
		r.pick(ctx, work)
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-tick.C:
			if r.closeIdle(); ticks%60 == 0 {
				r.expire(ctx)
			}
			ticks++
		}
	}
	idle := make(chan struct{})
	go func() { r.running.Wait(); close(idle) }()
	select {
	case <-idle:
	case <-time.After(r.Drain):
		r.Log.Warn("statements under way are cut off and will run again at the next start")
		cut()
		<-idle
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, h := range r.sessions {
		_ = h.session.Close() // what it had open was never promised
		delete(r.sessions, id)
	}
	return ctx.Err()
}

// pick starts statements while there is room.
func (r *Runner) pick(ctx, work context.Context) {
	for {
		r.mu.Lock()
		room := len(r.active) < r.AtOnce
		r.mu.Unlock()
		if !room {
			return // the end of one wakes the loop
		}
		st, ok, err := r.Queue.Pick(ctx, r.acceptable)
		if err != nil {
			if ctx.Err() == nil {
				r.Log.Error("no statement could be picked", "err", err)
			}
			return
		}
		if !ok {
			return
		}
		stmtCtx, cancel := context.WithCancelCause(work)
		r.mu.Lock()
		r.active[st.ID] = cancel
		if h := r.sessions[st.SessionID]; h != nil {
			h.busy = true
		}
		r.mu.Unlock()
		r.running.Add(1)
		go func() {
			defer r.running.Done()
			r.execute(work, stmtCtx, st)
			r.mu.Lock()
			delete(r.active, st.ID)
			r.mu.Unlock()
			cancel(nil)
			r.Notify()
		}()
	}
}

// acceptable passes over statements whose session is busy: a session runs one at a time, in order.
func (r *Runner) acceptable(st statements.Statement) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.sessions[st.SessionID]
	return h == nil || !h.busy
}

func (r *Runner) cancelAsked(ctx context.Context) {
	r.mu.Lock()
	n := len(r.active)
	r.mu.Unlock()
	if n == 0 {
		return
	}
	asked, err := r.Queue.Canceling(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Error("cancelled statements could not be read", "err", err)
		}
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, st := range asked {
		if cancel := r.active[st.ID]; cancel != nil {
			cancel(errCanceled)
		}
	}
}

func (r *Runner) expire(ctx context.Context) {
	if n, err := r.Queue.Expire(ctx); err != nil && ctx.Err() == nil {
		r.Log.Error("old statements could not be deleted", "err", err)
	} else if n > 0 {
		r.Log.Debug("old statements deleted", "statements", n)
	}
}

// closeIdle ends sessions that were idle for as long as they were to be kept.
func (r *Runner) closeIdle() {
	now := r.Parts.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, h := range r.sessions {
		if !h.busy && now.After(h.until) {
			if err := h.session.Close(); err != nil {
				r.Log.Warn("a session did not close cleanly", "session", id, "err", err)
			}
			delete(r.sessions, id)
		}
	}
}

// execute runs a picked statement to its end and records it. Cut off by a shutdown it records nothing: the
// statement stays STARTED, and the next start puts it back in the queue. work is done when the shutdown cuts.
func (r *Runner) execute(work, ctx context.Context, st statements.Statement) {
	log := r.Log.With("statement", st.ID, "database", st.Database)
	record := context.WithoutCancel(ctx) // an outcome is written down even when the statement was cancelled
	began := r.Parts.Now()
	n, results, err := r.attempt(ctx, st)
	ran := r.Parts.Now().Sub(began)
	var outcome func() (statements.Statement, error)
	switch {
	case err == nil:
		outcome = func() (statements.Statement, error) { return r.Queue.Finish(record, st.ID, results...) }
	case errors.Is(context.Cause(ctx), errCanceled) || fault.KindOf(err) == fault.Canceled && ctx.Err() == nil:
		outcome = func() (statements.Statement, error) {
			return r.Queue.Abort(record, st.ID, "Query was cancelled by the user")
		}
	case ctx.Err() != nil:
		log.Info("statement cut off; it will run again")
		return
	default:
		if fault.KindOf(err) == fault.Internal {
			log.Error("statement failed for a reason of ours", "err", err)
		}
		outcome = func() (statements.Statement, error) {
			return r.Queue.Fail(record, st.ID, n, "ERROR: "+fault.Message(err), ran)
		}
	}
	// A store that takes nothing for now, on a full disk, must not leave the statement running for ever.
	end, recordErr := outcome()
	for pause := 100 * time.Millisecond; fault.Retryable(recordErr) && work.Err() == nil; pause = min(2*pause, 5*time.Second) {
		log.Warn("the end of a statement cannot be recorded for now", "retry", pause, "err", recordErr)
		select {
		case <-work.Done():
		case <-time.After(pause):
			end, recordErr = outcome()
		}
	}
	if recordErr != nil {
		log.Error("the end of a statement could not be recorded; it will run again at the next start", "err", recordErr)
		return
	}
	r.Done(end.Status)
	log.Debug("statement done", "status", end.Status, "took", ran, "error", end.Error)
}

// attempt runs the statement. n is the part at fault, -1 for none; results are those of the parts that are
// not recorded yet.
func (r *Runner) attempt(ctx context.Context, st statements.Statement) (n int, results []statements.SubResult, err error) {
	w, err := r.Warehouse(ctx, st.WarehouseID)
	if err != nil {
		return -1, nil, err
	}
	again := st.MayHaveRun()
	if again {
		if done, err := w.StatementCommitted(ctx, st.Database, st.ID); err != nil {
			return -1, nil, err
		} else if done {
			return -1, nil, nil
		}
		if err := r.Queue.ClearPages(ctx, st.ID); err != nil {
			return -1, nil, err
		}
	}
	session, release, err := r.session(ctx, w, st)
	if err != nil {
		return -1, nil, err
	}
	defer release()
	session.Again = again
	queryID := r.Parts.NextID()
	if st, err = r.Queue.Start(ctx, st.ID, queryID, queryID%100_000+1_073_000_000); err != nil {
		return -1, nil, err
	}
	texts, n, err := bind(st)
	if err != nil {
		return n, nil, err
	}
	if !st.Batch {
		began := r.Parts.Now()
		sink := &pager{ctx: ctx, pages: r.Queue, id: st.ID}
		out, err := session.Run(ctx, texts[0], st.ID, sink)
		return 0, []statements.SubResult{sink.result(out, queryID, r.Parts.Now().Sub(began))}, err
	}
	return r.batch(ctx, session, st, texts, queryID)
}

// batch runs the parts as one transaction. Each part's result is recorded as soon as the next begins, the
// last one with the end of the whole.
func (r *Runner) batch(ctx context.Context, session *Session, st statements.Statement, texts []string, queryID int64) (int, []statements.SubResult, error) {
	var sink *pager
	began := r.Parts.Now()
	done, err := session.RunBatch(ctx, texts, st.ID, func(i int, before *Outcome) (Sink, error) {
		now := r.Parts.Now()
		if before != nil {
			if err := r.Queue.FinishSub(ctx, st.ID, i-1, sink.result(*before, queryID+int64(i-1), now.Sub(began))); err != nil {
				return nil, err
			}
		}
		began = now
		sink = &pager{ctx: ctx, pages: r.Queue, id: st.ID, part: i}
		return sink, nil
	})
	if err != nil {
		return min(len(done), len(texts)-1), nil, err
	}
	last := len(texts) - 1
	return -1, []statements.SubResult{sink.result(done[last], queryID+int64(last), r.Parts.Now().Sub(began))}, nil
}

// bind puts the parameters into the texts. A batch's parameters are shared by its parts, each of which may
// use some of them.
func bind(st statements.Statement) (texts []string, n int, err error) {
	params := make(map[string]string, len(st.Parameters))
	for _, p := range st.Parameters {
		params[p.Name] = p.Value
	}
	for i, sub := range st.Subs {
		text, err := dialect.Bind(sub.SQL, params)
		if err != nil {
			return nil, i, err
		}
		texts = append(texts, text)
	}
	return texts, -1, nil
}

// session returns the statement's session, a kept one if it belongs to one, and what to do with it after.
func (r *Runner) session(ctx context.Context, w Warehouse, st statements.Statement) (*Session, func(), error) {
	r.mu.Lock()
	h := r.sessions[st.SessionID]
	r.mu.Unlock()
	if h == nil {
		if st.SessionID != "" {
			if err := r.firstOfSession(ctx, st); err != nil {
				return nil, nil, err
			}
		}
		session, err := Open(ctx, r.Parts, w, st.WarehouseID, st.Database, st.User)
		if err != nil {
			return nil, nil, err
		}
		if st.SessionID == "" {
			return session, func() {
				if err := session.Close(); err != nil {
					r.Log.Warn("a session did not close cleanly", "statement", st.ID, "err", err)
				}
			}, nil
		}
		h = &held{session: session, busy: true}
		r.mu.Lock()
		r.sessions[st.SessionID] = h
		r.mu.Unlock()
	}
	return h.session, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		h.busy, h.until = false, r.Parts.Now().Add(time.Duration(st.SessionKeepAlive)*time.Second)
	}, nil
}

// firstOfSession refuses a statement of a session this process does not have: its temporary tables and its
// open transaction went with the process that had it.
func (r *Runner) firstOfSession(ctx context.Context, st statements.Statement) error {
	two := 2
	page, err := r.Queue.List(ctx, statements.Filter{SessionID: st.SessionID}, "", &two)
	if err != nil {
		return err
	}
	for _, other := range page.Statements {
		if other.ID != st.ID {
			return fault.New(fault.NotFound, statements.SubjectSession, "the session %s was lost when the server stopped; open another", st.SessionID)
		}
	}
	return nil
}
