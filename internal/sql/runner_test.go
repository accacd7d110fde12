package sql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

// lockedEngine lets the runner's goroutines use one engine. Each connection has its own transaction. A query
// that contains "sleep" lasts until its context is done.
type lockedEngine struct {
	mu        sync.Mutex
	ran       []string
	committed map[string]bool
	slept     chan struct{}
}

func (e *lockedEngine) note(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ran = append(e.ran, what)
}

type lockedWarehouse struct {
	*engine // what statements here do not use
	shared  *lockedEngine
}

func (w lockedWarehouse) Connect(context.Context, string, string) (Conn, error) {
	return &lockedConn{engine: newEngine(), shared: w.shared}, nil
}

func (w lockedWarehouse) StatementCommitted(_ context.Context, _, id string) (bool, error) {
	w.shared.mu.Lock()
	defer w.shared.mu.Unlock()
	return w.shared.committed[id], nil
}

type lockedConn struct {
	*engine
	shared *lockedEngine
}

func (c *lockedConn) Query(ctx context.Context, text string) (Rows, error) {
	if strings.Contains(text, "sleep") {
		c.shared.slept <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c.shared.note(text)
	c.engine.rows = [][]statements.Value{{int64(42)}}
	return c.engine.Query(ctx, text)
}

func (c *lockedConn) Commit(ctx context.Context) error {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	if c.marked != "" {
		c.shared.committed[c.marked] = true
	}
	return c.engine.Commit(ctx)
}

type runnerFixture struct {
	service *statements.Service
	runner  *Runner
	shared  *lockedEngine
	done    []statements.Status
}

func newRunner(t *testing.T, memory *storetest.Memory) *runnerFixture {
	t.Helper()
	f := &runnerFixture{shared: &lockedEngine{committed: map[string]bool{}, slept: make(chan struct{}, 10)}}
	f.service = statements.NewService(statements.Config{Store: memory, Results: memory, Now: time.Now, NewID: uuid.NewString, Notify: func() { f.runner.Notify() }})
	id := int64(0)
	var mu sync.Mutex
	f.runner = NewRunner(RunnerOptions{
		Queue: f.service, Warehouse: func(context.Context, string) (Warehouse, error) { return lockedWarehouse{newEngine(), f.shared}, nil },
		Parts:  Parts{Objects: &store{}, Jobs: &jobs{}, Destinations: newIntegrations(t), NextID: func() int64 { mu.Lock(); defer mu.Unlock(); id++; return id }, Now: time.Now},
		AtOnce: 4, Drain: time.Second, Done: func(s statements.Status) { mu.Lock(); defer mu.Unlock(); f.done = append(f.done, s) }, Log: slog.New(slog.DiscardHandler),
	})
	return f
}

// run runs the runner around body.
func (f *runnerFixture) run(t *testing.T, body func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.runner.Run(ctx) }()
	body()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

func (f *runnerFixture) submit(t *testing.T, p statements.SubmitParams, sqls ...string) statements.Statement {
	t.Helper()
	if p.SessionID == "" {
		p.WarehouseID, p.Database = "w", "dev"
	}
	p.Owner, p.SQLs, p.Batch = "me", sqls, len(sqls) > 1
	st, err := f.service.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func (f *runnerFixture) get(t *testing.T, id string) statements.Statement {
	t.Helper()
	st, _, err := f.service.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestRunnerRunsStatements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newRunner(t, storetest.NewMemory())
		f.run(t, func() {
			ok := f.submit(t, statements.SubmitParams{Parameters: []statements.Parameter{{Name: "x", Value: "it's"}}}, "SELECT a FROM t WHERE a = :x")
			bad := f.submit(t, statements.SubmitParams{}, "SELECT boom")
			syntax := f.submit(t, statements.SubmitParams{}, "SELEC 1")
			batch := f.submit(t, statements.SubmitParams{}, "INSERT INTO t VALUES (1)", "SELECT a FROM t")
			badBatch := f.submit(t, statements.SubmitParams{}, "INSERT INTO t VALUES (1)", "SELECT boom", "SELECT a FROM t")
			synctest.Wait()

			if st := f.get(t, ok.ID); st.Status != statements.Finished || !st.Subs[0].HasResultSet || st.Subs[0].Rows != 1 {
				t.Errorf("%+v", st)
			}
			if res, err := f.service.Result(t.Context(), ok.ID, ""); err != nil || fmt.Sprint(res.Rows) != "[[42]]" {
				t.Errorf("result %v, %v", res.Rows, err)
			}
			if !strings.Contains(strings.Join(f.shared.ran, "\n"), "'it''s'") {
				t.Errorf("the parameter is not in %q", f.shared.ran)
			}
			if st := f.get(t, bad.ID); st.Status != statements.Failed || st.Error != "ERROR: boom" {
				t.Errorf("%+v", st)
			}
			if st := f.get(t, syntax.ID); st.Status != statements.Failed || !strings.Contains(st.Error, "syntax error") {
				t.Errorf("%+v", st)
			}
			if st := f.get(t, batch.ID); st.Status != statements.Finished || st.Subs[0].Rows != 3 || st.Subs[1].Rows != 1 || !f.shared.committed[batch.ID] {
				t.Errorf("%+v", st)
			}
			st := f.get(t, badBatch.ID)
			if st.Status != statements.Failed || st.Subs[0].Status != statements.Aborted || st.Subs[1].Status != statements.Failed || st.Subs[2].Status != statements.Aborted || f.shared.committed[badBatch.ID] {
				t.Errorf("%+v", st)
			}
		})
		if len(f.done) != 5 {
			t.Errorf("counted %v", f.done)
		}
	})
}

func TestRunnerCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newRunner(t, storetest.NewMemory())
		f.run(t, func() {
			st := f.submit(t, statements.SubmitParams{}, "SELECT sleep")
			<-f.shared.slept
			if _, err := f.service.Cancel(t.Context(), st.ID); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := f.get(t, st.ID); got.Status != statements.Aborted {
				t.Errorf("%+v", got)
			}
		})
	})
}

func TestRunnerStoppedAndStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.NewMemory()
		first := newRunner(t, store)
		var cut, queued statements.Statement
		first.run(t, func() {
			cut = first.submit(t, statements.SubmitParams{}, "SELECT sleep")
			<-first.shared.slept
		})
		if st := first.get(t, cut.ID); st.Status != statements.Started {
			t.Errorf("a statement that was cut off is %s", st.Status)
		}
		queued = first.submit(t, statements.SubmitParams{}, "INSERT INTO t VALUES (1)")

		second := newRunner(t, store)
		// The process died after the commit of this one and before it was recorded.
		committed := second.submit(t, statements.SubmitParams{}, "INSERT INTO t VALUES (2)")
		for range 3 {
			st, _, err := second.service.Pick(t.Context(), func(s statements.Statement) bool { return s.ID == committed.ID })
			if err != nil {
				t.Fatal(err)
			}
			if st.ID == committed.ID {
				if _, err := second.service.Start(t.Context(), st.ID, 5, 5); err != nil {
					t.Fatal(err)
				}
			}
		}
		second.shared.committed[committed.ID] = true
		second.run(t, func() {
			<-second.shared.slept // the first statement runs again
			synctest.Wait()
			if st := second.get(t, queued.ID); st.Status != statements.Finished {
				t.Errorf("%+v", st)
			}
			if st := second.get(t, committed.ID); st.Status != statements.Finished {
				t.Errorf("%+v", st)
			}
			if n := strings.Count(strings.Join(second.shared.ran, "\n"), "(2)"); n != 0 {
				t.Errorf("a committed statement ran %d more times", n)
			}
		})
	})
}

func (f *runnerFixture) sessions() int {
	synctest.Wait()
	f.runner.mu.Lock()
	defer f.runner.mu.Unlock()
	return len(f.runner.sessions)
}

func TestRunnerSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.NewMemory()
		f := newRunner(t, store)
		var first statements.Statement
		f.run(t, func() {
			first = f.submit(t, statements.SubmitParams{SessionKeepAlive: 60}, "SET query_group TO 'x'")
			synctest.Wait()
			second := f.submit(t, statements.SubmitParams{SessionID: first.SessionID}, "SHOW query_group")
			synctest.Wait()
			res, err := f.service.Result(t.Context(), second.ID, "")
			if err != nil || fmt.Sprint(res.Rows) != "[[x]]" {
				t.Errorf("the session did not keep its setting: %v, %v", res.Rows, err)
			}
			time.Sleep(59 * time.Second)
			if f.sessions() != 1 {
				t.Error("the session ended early")
			}
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if f.sessions() != 0 {
				t.Error("the session was kept too long")
			}
			if _, err := f.service.Submit(t.Context(), statements.SubmitParams{SessionID: first.SessionID, Owner: "me", SQLs: []string{"SELECT 1"}}); fault.KindOf(err) != fault.Expired {
				t.Errorf("a statement in an ended session: %v", err)
			}
			first = f.submit(t, statements.SubmitParams{SessionKeepAlive: 60}, "SELECT a FROM t")
			synctest.Wait()
		})
		again := newRunner(t, store)
		again.run(t, func() {
			lost := again.submit(t, statements.SubmitParams{SessionID: first.SessionID}, "SELECT a FROM t")
			synctest.Wait()
			if st := again.get(t, lost.ID); st.Status != statements.Failed || !strings.Contains(st.Error, "was lost") {
				t.Errorf("%+v", st)
			}
		})
	})
}

// fullDisk is a queue that cannot write an end down for a while.
type fullDisk struct {
	Queue
	refusals int
}

func (q *fullDisk) Finish(ctx context.Context, id string, last ...statements.SubResult) (statements.Statement, error) {
	if q.refusals--; q.refusals >= 0 {
		return statements.Statement{}, fault.New(fault.Unavailable, "store", "the disk is full")
	}
	return q.Queue.Finish(ctx, id, last...)
}

func TestRunnerRecordsAnEndWhenItCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newRunner(t, storetest.NewMemory())
		f.runner.Queue = &fullDisk{f.runner.Queue, 3}
		f.run(t, func() {
			st := f.submit(t, statements.SubmitParams{}, "SELECT a FROM t")
			synctest.Wait()
			if got := f.get(t, st.ID); got.Status != statements.Started {
				t.Errorf("with a full disk: %+v", got)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got := f.get(t, st.ID); got.Status != statements.Finished {
				t.Errorf("with room again: %+v", got)
			}
		})
		// A stop does not wait for a disk that stays full.
		f = newRunner(t, storetest.NewMemory())
		f.runner.Queue = &fullDisk{f.runner.Queue, 1 << 30}
		f.run(t, func() { f.submit(t, statements.SubmitParams{}, "SELECT a FROM t"); synctest.Wait() })
	})
}
