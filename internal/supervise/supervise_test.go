package supervise

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

	"github.com/google/uuid"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/store/storetest"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// world is everything around a supervisor: the real domains over a store in memory, and buckets and engines
// that can be broken.
type world struct {
	integrations *zeroetl.Service
	warehouses   *warehouses.Service
	jobs         *copyjob.Service
	sup          *Supervisor
	store        *storetest.Memory

	mu        sync.Mutex
	table     *fakeTable
	buckets   map[string]bool
	channels  map[string]bool // integration ids with an open channel
	down      error           // what the bucket endpoint answers
	objects   []load.File
	engines   map[string]*fakeEngine
	cannot    error // of making an engine
	rejectKey string
}

type fakeEngine struct {
	mu     sync.Mutex
	loaded map[int64][]string // job id to keys
	failed map[string]bool
	bad    map[string]bool
	err    error

	databases []string
	replica   *fakeReplica
}

var caller = identity.Caller{Partition: "aws", Account: "123456789012", Region: "us-east-1", ARN: "arn:aws:iam::123456789012:root"}

func newWorld(t *testing.T) *world {
	memory := storetest.NewMemory()
	box, err := secret.NewBox(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{buckets: map[string]bool{"b": true}, channels: map[string]bool{}, engines: map[string]*fakeEngine{}, table: &fakeTable{wakes: make(chan struct{}, 100)}, store: memory}
	notify := func() { w.sup.Notify() }
	w.warehouses = warehouses.NewService(warehouses.Config{Partition: "aws", Region: "us-east-1", Account: "123456789012",
		Warehouses: memory, Clusters: memory, Namespaces: memory, Workgroups: memory, Partners: memory, Box: box, Now: time.Now, NewID: uuid.NewString, Notify: notify})
	w.integrations = zeroetl.NewService(zeroetl.Config{Store: memory, Policies: memory, Sources: w, Targets: w.warehouses, Now: time.Now, NewID: uuid.NewString, Notify: notify})
	w.jobs = copyjob.NewService(copyjob.Config{Store: memory, Messages: memory, Now: time.Now, Notify: notify})
	ids := int64(0)
	w.sup = New(Options{Integrations: w.integrations, Warehouses: w.warehouses, Jobs: w.jobs, Engines: w, Channels: (*fakeChannels)(w), Objects: w, Tables: w,
		ListInterval: time.Minute, NextID: func() int64 { ids++; return ids }, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err := w.warehouses.EnsureDefault(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// Check is zeroetl.Sources.
func (w *world) Check(_ context.Context, arn string, _ zeroetl.SourceKind) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bucket(strings.TrimPrefix(arn, "arn:aws:s3:::"))
}

func (w *world) bucket(name string) error {
	if w.down != nil {
		return w.down
	}
	if !w.buckets[name] {
		return fault.New(fault.NotFound, "bucket", "no bucket %s", name)
	}
	return nil
}

type fakeChannels world

func (c *fakeChannels) Open(_ context.Context, bucket, id string) error {
	w := (*world)(c)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.bucket(bucket); err != nil {
		return err
	}
	w.channels[id] = true
	return nil
}

func (c *fakeChannels) Close(_ context.Context, _, id string) error {
	w := (*world)(c)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.channels, id)
	return w.down
}

func (c *fakeChannels) Check(_ context.Context, bucket, id string) error {
	w := (*world)(c)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.bucket(bucket); err != nil {
		return err
	}
	if !w.channels[id] {
		return fault.New(fault.NotFound, "notification", "no notification")
	}
	return nil
}

func (c *fakeChannels) Admits(_, _, key string) bool { return key != (*world)(c).rejectKey }

func (w *world) Create(_ context.Context, wh warehouses.Warehouse) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cannot != nil {
		return w.cannot
	}
	if w.engines[wh.ID] == nil {
		w.engines[wh.ID] = &fakeEngine{loaded: map[int64][]string{}, failed: map[string]bool{}, bad: map[string]bool{}, databases: []string{"dev"}}
	}
	return nil
}

func (w *world) Remove(_ context.Context, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.engines, id)
	return nil
}

func (w *world) Get(_ context.Context, id string) (Engine, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.engines[id]; e != nil {
		return e, nil
	}
	return nil, fault.New(fault.NotFound, "warehouse", "no warehouse %s", id)
}

func (w *world) List(_ context.Context, bucket, prefix, _ string, yield func(load.File) error) error {
	w.mu.Lock()
	files := slices.Clone(w.objects)
	err := w.bucket(bucket)
	w.mu.Unlock()
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Key, prefix) {
			if err := yield(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) Fetch(_ context.Context, f load.File) (load.File, func(), error) {
	return f, func() {}, nil
}

func (w *world) put(key string) load.File {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := load.File{Bucket: "b", Key: key, Modified: time.Now()}
	w.objects = append(w.objects, f)
	return f
}

func (e *fakeEngine) Unloaded(_ context.Context, _ string, job int64, keys []string, failed bool) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool {
		return slices.Contains(e.loaded[job], k) || e.failed[k] && !failed
	}), nil
}

func (e *fakeEngine) Load(_ context.Context, req load.Request) (load.Result, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return load.Result{}, e.err
	}
	var res load.Result
	for _, f := range req.Files {
		r := load.FileResult{File: f, Status: load.Loaded, Rows: 1}
		if e.bad[f.Key] {
			r.Status, r.Message = load.Failed, "bad"
			e.failed[f.Key] = true
		} else {
			e.loaded[req.Job.ID] = append(e.loaded[req.Job.ID], f.Key)
			delete(e.failed, f.Key)
		}
		res.Files = append(res.Files, r)
	}
	return res, nil
}

func (e *fakeEngine) JobsInLedger(context.Context, string) ([]int64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ids []int64
	for id := range e.loaded {
		ids = append(ids, id)
	}
	return ids, nil
}

func (e *fakeEngine) ForgetJob(_ context.Context, _ string, id int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.loaded, id)
	return nil
}

func (e *fakeEngine) Databases(context.Context) ([]string, error) { return e.databases, nil }

func (e *fakeEngine) keys(job int64) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.loaded[job], " ")
}

// run runs the supervisor around body.
func (w *world) run(t *testing.T, body func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.sup.Run(ctx) }()
	<-w.sup.Ready()
	synctest.Wait()
	body()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

func (w *world) defaultWarehouse(t *testing.T) (id, arn string, e *fakeEngine) {
	t.Helper()
	wh, err := w.warehouses.ByCluster(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return wh.ID, "arn:aws:redshift:us-east-1:123456789012:namespace:" + wh.ID, w.engines[wh.ID]
}

func (w *world) integrate(t *testing.T) zeroetl.Integration {
	t.Helper()
	_, arn, _ := w.defaultWarehouse(t)
	i, err := w.integrations.Create(t.Context(), caller, zeroetl.CreateParams{Name: "i", SourceARN: "arn:aws:s3:::b", TargetARN: arn})
	if err != nil {
		t.Fatal(err)
	}
	if i.Status != zeroetl.Creating {
		t.Errorf("a new integration is %s", i.Status)
	}
	synctest.Wait()
	return i
}

func (w *world) status(t *testing.T, i zeroetl.Integration) string {
	t.Helper()
	got, err := w.integrations.Get(t.Context(), i.ARN)
	if fault.KindOf(err) == fault.NotFound {
		return "gone"
	}
	if err != nil {
		t.Fatal(err)
	}
	s := string(got.Status)
	for _, p := range got.Problems {
		s += " " + p.Code
	}
	return s
}

func (w *world) job(t *testing.T, name string, auto bool) copyjob.Job {
	t.Helper()
	id, _, _ := w.defaultWarehouse(t)
	j, err := w.jobs.Create(t.Context(), copyjob.Job{Name: name, WarehouseID: id, Table: load.Table{Database: "dev", Schema: "public", Name: "t"},
		Bucket: "b", Prefix: "in/", Auto: auto, IAMRole: "arn:aws:iam::123456789012:role/r", Statement: "COPY ...", Owner: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return j
}

func TestIntegrationFollowsItsSurroundings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(t, func() {
			i := w.integrate(t)
			expect := func(when, want string) {
				t.Helper()
				time.Sleep(6 * time.Second) // a pass nobody asked for
				synctest.Wait()
				if got := w.status(t, i); got != want {
					t.Errorf("%s: %s, want %s", when, got, want)
				}
			}
			if got := w.status(t, i); got != "active" {
				t.Errorf("after creation: %s", got)
			}
			set := func(do func()) { w.mu.Lock(); do(); w.mu.Unlock() }
			set(func() { w.down = fault.New(fault.Unavailable, "", "no answer") })
			expect("endpoint down", "needs_attention SOURCE_UNREACHABLE")
			set(func() { w.down = nil })
			expect("endpoint up", "active")
			set(func() { w.buckets["b"] = false; clear(w.channels) })
			expect("bucket deleted", "needs_attention SOURCE_NOT_FOUND")
			set(func() { w.buckets["b"] = true })
			expect("bucket made anew", "active")
			set(func() { clear(w.channels) })
			expect("notification removed by the owner", "needs_attention SOURCE_NOTIFICATION_REMOVED")
			expect("and left so", "needs_attention SOURCE_NOTIFICATION_REMOVED")
			set(func() { w.channels[i.ID] = true })
			expect("put back", "active")

			name := "renamed"
			got, err := w.integrations.Modify(t.Context(), zeroetl.ModifyParams{ARN: i.ARN, Name: &name})
			if err != nil || got.Status != zeroetl.Modifying {
				t.Errorf("Modify: %v %v", got.Status, err)
			}
			expect("after a change of name", "active")
			set(func() { w.down = errors.New("broken") })
			if got, err := w.integrations.Delete(t.Context(), i.ARN); err != nil || got.Status != zeroetl.Deleting {
				t.Errorf("Delete: %v %v", got.Status, err)
			}
			expect("after its deletion, the endpoint being down", "gone")
		})
	})
}

func TestCreationThatCannotSucceedFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, _, _ = w.defaultWarehouse(t)
		w.run(t, func() {
			_, arn, _ := w.defaultWarehouse(t)
			i, err := w.integrations.Create(t.Context(), caller, zeroetl.CreateParams{Name: "i", SourceARN: "arn:aws:s3:::b", TargetARN: arn})
			if err != nil {
				t.Fatal(err)
			}
			w.mu.Lock()
			w.down = fault.New(fault.Denied, "", "not yours")
			w.mu.Unlock()
			synctest.Wait()
			time.Sleep(6 * time.Second)
			synctest.Wait()
			// Whether the pass came before or after the refusal, the problem shows.
			if got := w.status(t, i); got != "failed SOURCE_ACCESS_DENIED" && got != "needs_attention SOURCE_ACCESS_DENIED" {
				t.Errorf("%s", got)
			}
		})
	})
}

func TestJobsLoadWhileTheirChannelIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(t, func() {
			_, _, e := w.defaultWarehouse(t)
			w.put("in/before")
			time.Sleep(time.Second)
			j := w.job(t, "j", true)
			w.put("in/no-channel")
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := e.keys(j.ID); got != "" {
				t.Errorf("loaded without an integration: %s", got)
			}
			if msgs, err := w.jobs.Messages(t.Context(), j.WarehouseID); err != nil || len(msgs) != 1 || !strings.Contains(msgs[0].Text, "Job j loads nothing yet") || !strings.Contains(msgs[0].Text, "create-integration") {
				t.Errorf("messages without an integration: %+v, %v", msgs, err)
			}
			i := w.integrate(t)
			if got := e.keys(j.ID); got != "in/no-channel" {
				t.Errorf("after the integration: %q", got)
			}
			w.sup.Arrived(w.put("in/event"))
			synctest.Wait()
			if got := e.keys(j.ID); got != "in/no-channel in/event" {
				t.Errorf("after an event: %q", got)
			}

			if _, err := w.jobs.Alter(t.Context(), j.Key(), false); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.sup.Arrived(w.put("in/paused"))
			e.mu.Lock()
			e.bad["in/bad"] = true
			e.mu.Unlock()
			w.put("in/bad")
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if got := e.keys(j.ID); got != "in/no-channel in/event" {
				t.Errorf("while AUTO is OFF: %q", got)
			}
			asked, err := w.jobs.RequestRun(t.Context(), j.Key())
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := e.keys(j.ID); got != "in/no-channel in/event in/paused" {
				t.Errorf("after RUN: %q", got)
			}
			if now, err := w.jobs.Get(t.Context(), j.Key()); err != nil || now.RunsDone != asked.Runs || now.RunError != "" {
				t.Errorf("%+v, %v", now, err)
			}
			msgs, err := w.jobs.Messages(t.Context(), j.WarehouseID)
			if err != nil || len(msgs) != 3 || msgs[1].Text != "Job j failed to ingest 1 files from S3" {
				t.Errorf("messages: %+v, %v", msgs, err)
			}

			if _, err := w.jobs.Drop(t.Context(), j.Key()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			again := w.job(t, "j", true)
			if ids, _ := e.JobsInLedger(t.Context(), "dev"); slices.Contains(ids, j.ID) {
				t.Error("a dropped job's ledger is still there")
			}
			w.sup.Arrived(w.put("in/fresh"))
			synctest.Wait()
			if got := e.keys(again.ID); got != "in/fresh" {
				t.Errorf("a job of the same name: %q", got)
			}

			if _, err := w.integrations.Delete(t.Context(), i.ARN); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			w.sup.Arrived(w.put("in/orphan"))
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if got := e.keys(again.ID); got != "in/fresh" {
				t.Errorf("after the integration's deletion: %q", got)
			}
			if msgs, err = w.jobs.Messages(t.Context(), j.WarehouseID); err != nil || !strings.Contains(msgs[len(msgs)-1].Text, "loads nothing yet") {
				t.Errorf("messages after the integration's deletion: %+v, %v", msgs, err)
			}
		})
	})
}

func TestRunWithoutAnIntegrationSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(t, func() {
			j := w.job(t, "j", false)
			if _, err := w.jobs.RequestRun(t.Context(), j.Key()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if now, err := w.jobs.Get(t.Context(), j.Key()); err != nil || now.RunsDone != 1 || !strings.Contains(now.RunError, "create-integration") {
				t.Errorf("%+v, %v", now, err)
			}
		})
	})
}

func TestOneHeldUpJobStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(t, func() {
			_, _, e := w.defaultWarehouse(t)
			w.integrate(t)
			j := w.job(t, "j", true)
			e.mu.Lock()
			e.err = fault.New(fault.Unavailable, "", "disk full")
			e.mu.Unlock()
			w.sup.Arrived(w.put("in/1"))
			time.Sleep(20 * time.Second)
			synctest.Wait()
			stats := w.sup.JobStats()
			if len(stats) != 1 || stats[0].Trouble != "disk full" || stats[0].Pending != 1 || stats[0].Lag(time.Now()) != 20*time.Second {
				t.Errorf("%+v", stats)
			}
			if p := w.sup.Pending(j.WarehouseID, 10); len(p) != 1 || p[0].File.Key != "in/1" {
				t.Errorf("%+v", p)
			}
			e.mu.Lock()
			e.err = nil
			e.mu.Unlock()
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := e.keys(j.ID); got != "in/1" {
				t.Errorf("after the trouble: %q", got)
			}
			msgs, err := w.jobs.Messages(t.Context(), j.WarehouseID)
			if err != nil || len(msgs) != 2 {
				t.Errorf("one outage, two messages: %+v, %v", msgs, err)
			}
		})
	})
}

func TestARestartGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var j copyjob.Job
		w.run(t, func() {
			w.integrate(t)
			j = w.job(t, "j", true)
			w.sup.Arrived(w.put("in/1"))
			synctest.Wait()
		})
		w.put("in/while-down")
		_, _, e := w.defaultWarehouse(t)
		e.loaded[999] = []string{"in/of-a-job-dropped-while-down"}
		w.sup = New(w.sup.Options)
		w.run(t, func() {
			if got := e.keys(j.ID); got != "in/1 in/while-down" {
				t.Errorf("after a restart: %q", got)
			}
			if got := e.keys(999); got != "" {
				t.Errorf("the ledger of a job that is gone: %q", got)
			}
		})
	})
}

func TestWarehousesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(t, func() {
			create := func(name string) warehouses.Warehouse {
				t.Helper()
				if _, err := w.warehouses.CreateNamespace(t.Context(), warehouses.CreateNamespaceParams{Name: name}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				n, err := w.warehouses.Namespace(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				return n.Warehouse
			}
			a := create("first")
			if a.State != warehouses.Available {
				t.Errorf("%+v", a)
			}
			w.mu.Lock()
			w.cannot = fault.New(fault.Denied, "warehouse", "no permission")
			w.mu.Unlock()
			if b := create("second"); b.State != warehouses.Failed || b.Error != "no permission" {
				t.Errorf("%+v", b)
			}
			w.mu.Lock()
			w.cannot = fault.New(fault.Unavailable, "warehouse", "disk full")
			w.mu.Unlock()
			if c := create("third"); c.State != warehouses.Creating {
				t.Errorf("%+v", c)
			}
			w.mu.Lock()
			w.cannot = nil
			w.mu.Unlock()
			time.Sleep(6 * time.Second)
			synctest.Wait()
			if n, err := w.warehouses.Namespace(t.Context(), "third"); err != nil || n.Warehouse.State != warehouses.Available {
				t.Errorf("%+v %v", n, err)
			}
			if _, err := w.warehouses.DeleteNamespace(t.Context(), "first", ""); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if _, err := w.warehouses.Namespace(t.Context(), "first"); fault.KindOf(err) != fault.NotFound {
				t.Errorf("a deleted namespace: %v", err)
			}
			w.mu.Lock()
			if w.engines[a.ID] != nil {
				t.Error("its engine is still there")
			}
			w.mu.Unlock()
		})
	})
}

func TestNotifyNeverBlocks(t *testing.T) {
	s := New(Options{})
	for range 10 {
		s.Notify()
	}
	if got := fmt.Sprint(len(s.wake)); got != "1" {
		t.Error(got)
	}
}
