package supervise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/pipeline"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// fakeTable is a source whose every call can be made to fail.
type fakeTable struct {
	mu      sync.Mutex
	err     error // of every call
	stream  error // of Stream alone
	opened  int
	wakes   chan struct{}
	ensured int
}

func (f *fakeTable) get(err *error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *err
}

func (f *fakeTable) set(err *error, to error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*err = to
}

func (w *world) OpenTable(context.Context, string) (TableSource, error) {
	w.table.mu.Lock()
	defer w.table.mu.Unlock()
	w.table.opened++
	return w.table, nil
}

func (f *fakeTable) EnsureStream(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ensured++
	return f.err
}

func (f *fakeTable) Describe(context.Context) (pipeline.Table, error) {
	return pipeline.Table{Schema: change.Schema{Table: "Orders"}, ID: "1"}, f.get(&f.err)
}

func (f *fakeTable) Start(context.Context) (change.Marks, error) { return change.Marks{}, nil }

func (f *fakeTable) Snapshot(context.Context, change.Marks, func(context.Context, change.Page) error) error {
	return f.get(&f.err)
}

func (f *fakeTable) Stream(ctx context.Context, _ change.Marks, _ func(context.Context, change.Page) error, idle func(context.Context, time.Time) error) error {
	for {
		if err := errors.Join(f.get(&f.err), f.get(&f.stream)); err != nil {
			return err
		}
		if err := idle(ctx, time.Now()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (f *fakeTable) Wake() { f.wakes <- struct{}{} }

// fakeReplica is a copy without rows.
type fakeReplica struct {
	mu        sync.Mutex
	live      *pipeline.Generation
	loading   *pipeline.Generation
	n         int64
	states    []string
	dropped   []string
	publishes int
}

func (r *fakeReplica) Recover(context.Context, int64) (live, loading *pipeline.Generation, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live, r.loading, nil
}

func (r *fakeReplica) Begin(_ context.Context, t pipeline.Table, start change.Marks) (*pipeline.Generation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	r.loading = &pipeline.Generation{Number: r.n, SourceID: t.ID, Phase: pipeline.Loading, Marks: start}
	return r.loading, nil
}

func (r *fakeReplica) Load(context.Context, change.Batch) error { return nil }

func (r *fakeReplica) Apply(context.Context, *pipeline.Generation, change.Batch) error { return nil }

func (r *fakeReplica) Publish(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	live := *r.loading
	live.Phase = pipeline.Live
	r.live, r.loading = &live, nil
	r.publishes++
	return nil
}

func (r *fakeReplica) State(_ context.Context, s pipeline.State, _ string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states = append(r.states, string(s))
	return nil
}

func (e *fakeEngine) CreateDatabase(_ context.Context, name, _, by string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return e.err
	}
	if slices.Contains(e.databases, name+" by "+by) {
		return nil
	}
	if slices.ContainsFunc(e.databases, func(d string) bool { return strings.HasPrefix(d, name+" ") || d == name }) {
		return fault.New(fault.AlreadyExists, "database", "database %q already exists", name)
	}
	e.databases = append(e.databases, name+" by "+by)
	return nil
}

func (e *fakeEngine) Replica(context.Context, zeroetl.Integration, change.Schema) (TableReplica, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.replica == nil {
		e.replica = &fakeReplica{}
	}
	return e.replica, nil
}

func (e *fakeEngine) DropReplica(_ context.Context, database, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.replica == nil {
		e.replica = &fakeReplica{}
	}
	e.replica.dropped = append(e.replica.dropped, database+" "+id)
	return nil
}

// integrateTable stores an integration of a table, as zeroetl would.
func (w *world) integrateTable(t *testing.T, tags map[string]string) zeroetl.Integration {
	t.Helper()
	id, _, _ := w.defaultWarehouse(t)
	i := zeroetl.Integration{ID: "i", ARN: "arn:aws:redshift:us-east-1:123456789012:integration:i", Name: "orders", WarehouseID: id, Tags: tags,
		SourceARN: "arn:aws:dynamodb:us-east-1:123456789012:table/Orders", Kind: zeroetl.SourceDynamoDB, Status: zeroetl.Creating}
	if err := w.store.IntegrationCreate(t.Context(), i, 0); err != nil {
		t.Fatal(err)
	}
	w.sup.Notify()
	synctest.Wait()
	return i
}

func TestTableIntegrationsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(t, func() {
			ctx := t.Context()
			id, _, e := w.defaultWarehouse(t)
			i := w.integrateTable(t, nil)
			expect := func(when, want string) {
				t.Helper()
				time.Sleep(6 * time.Second)
				synctest.Wait()
				if got := w.status(t, i); got != want {
					t.Errorf("%s: %s, want %s", when, got, want)
				}
			}
			expect("after its creation", "active")
			if e.replica != nil {
				t.Error("something is replicated without a database")
			}
			if err := w.integrations.Connect(ctx, "i", id, "orders", "s", zeroetl.DestinationOptions{}); err != nil {
				t.Fatal(err)
			}
			expect("after CREATE DATABASE", "active")
			if got := fmt.Sprint(e.replica.states); got != "[ResyncInitiated Synced]" {
				t.Errorf("states %s", got)
			}
			w.sup.TableChanged("Orders")
			w.sup.TableChanged("Other")
			if len(w.table.wakes) < 1 {
				t.Error("word of a change did not get through")
			}
			all := w.sup.Replications()
			if len(all) != 1 || all[0].Phase != pipeline.Live || all[0].Lag(time.Now()) > time.Second {
				t.Errorf("%+v", all)
			}

			for _, tc := range []struct {
				err  error
				want string
			}{
				{fault.New(fault.NotFound, pipeline.SubjectTable, "no such table"), "needs_attention SOURCE_NOT_FOUND"},
				{fault.New(fault.State, pipeline.SubjectStream, "no stream"), "needs_attention SOURCE_STREAM_UNUSABLE"},
				{fault.New(fault.Denied, pipeline.SubjectAccess, "no"), "needs_attention SOURCE_ACCESS_DENIED"},
				{fault.New(fault.Unavailable, "", "no answer"), "needs_attention SOURCE_UNREACHABLE"},
				{fault.New(fault.Unavailable, warehouses.SubjectWarehouse, "disk full"), "needs_attention TARGET_UNAVAILABLE"},
			} {
				w.table.set(&w.table.err, tc.err)
				expect(tc.err.Error(), tc.want)
				w.table.set(&w.table.err, nil)
				time.Sleep(time.Minute)
				expect("after that", "active")
			}

			w.table.set(&w.table.stream, fault.New(fault.Invalid, pipeline.SubjectItem, "too large"))
			expect("an item that does not fit", "needs_attention TABLE_FAILED")
			if last := e.replica.states[len(e.replica.states)-1]; last != "Failed" {
				t.Errorf("the table is %s", last)
			}
			w.table.set(&w.table.stream, nil)
			yes := true
			if err := w.integrations.Configure(ctx, id, "orders", zeroetl.DestinationOptions{TruncateColumns: &yes}); err != nil {
				t.Fatal(err)
			}
			expect("after a change of options, at once", "active")

			publishes := e.replica.publishes
			if err := w.integrations.RequestRefresh(ctx, id, "orders"); err != nil {
				t.Fatal(err)
			}
			expect("after a refresh", "active")
			now, err := w.integrations.Get(ctx, i.ARN)
			if err != nil || now.Destination.RefreshesDone != 1 || e.replica.publishes != publishes+1 {
				t.Errorf("refresh: %+v, %d publishes, %v", now.Destination, e.replica.publishes-publishes, err)
			}
			expect("and it is not done again", "active")
			if e.replica.publishes != publishes+1 {
				t.Errorf("%d publishes", e.replica.publishes-publishes)
			}

			if _, err := w.integrations.Delete(ctx, i.ARN); err != nil {
				t.Fatal(err)
			}
			expect("after its deletion", "gone")
			if got := fmt.Sprint(e.replica.dropped, len(w.sup.Replications())); got != "[orders i] 0" {
				t.Errorf("after the deletion: %s", got)
			}
		})
	})
}

func TestTableIntegrationThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.table.err = fault.New(fault.Unavailable, "", "no answer")
		w.run(t, func() {
			i := w.integrateTable(t, nil)
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if got := w.status(t, i); got != "creating" {
				t.Errorf("while the endpoint is down: %s", got)
			}
			w.table.set(&w.table.err, fault.New(fault.State, pipeline.SubjectStream, "there is no stream"))
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if got := w.status(t, i); got != "failed SOURCE_STREAM_UNUSABLE" {
				t.Errorf("%s", got)
			}
		})
	})
}

func TestTagMakesTheDatabaseOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(t, func() {
			id, _, e := w.defaultWarehouse(t)
			e.mu.Lock()
			e.err = fault.New(fault.Unavailable, "", "disk full")
			e.mu.Unlock()
			i := w.integrateTable(t, map[string]string{"penstock:database": "copy"})
			time.Sleep(time.Second)
			e.mu.Lock()
			e.err = nil
			e.mu.Unlock()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if got, ok, err := w.integrations.ByDatabase(t.Context(), id, "copy"); err != nil || !ok || got.Status != zeroetl.Active {
				t.Errorf("%+v %t %v", got, ok, err)
			}
			if err := w.integrations.Disconnect(t.Context(), id, "copy"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if _, ok, _ := w.integrations.ByDatabase(t.Context(), id, "copy"); ok || len(w.sup.Replications()) != 0 {
				t.Error("a database that was dropped came back")
			}
			if got := w.status(t, i); got != "active" {
				t.Error(got)
			}
		})
		taken := newWorld(t)
		taken.run(t, func() {
			i := taken.integrateTable(t, map[string]string{"penstock:database": "dev"})
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if got := taken.status(t, i); got != "needs_attention DESTINATION_DATABASE_FAILED" {
				t.Error(got)
			}
		})
	})
}

func TestReplicationGoesOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(t, func() {
			id, _, _ := w.defaultWarehouse(t)
			w.integrateTable(t, nil)
			if err := w.integrations.Connect(t.Context(), "i", id, "orders", "s", zeroetl.DestinationOptions{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		})
		_, _, e := w.defaultWarehouse(t)
		before := e.replica.publishes
		w.sup = New(w.sup.Options)
		w.run(t, func() {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if all := w.sup.Replications(); len(all) != 1 || all[0].Phase != pipeline.Live || e.replica.publishes != before {
				t.Errorf("%+v, %d more publishes", all, e.replica.publishes-before)
			}
		})
	})
}
