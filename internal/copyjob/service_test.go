package copyjob_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

type world struct {
	*copyjob.Service
	store    *storetest.Memory
	notified int
	now      time.Time
}

func newWorld() *world {
	w := &world{store: storetest.NewMemory(), now: time.Unix(1_800_000_000, 0).UTC()}
	w.Service = copyjob.NewService(copyjob.Config{
		Store: w.store, Messages: w.store,
		Now:    func() time.Time { w.now = w.now.Add(time.Second); return w.now },
		Notify: func() { w.notified++ },
	})
	return w
}

func someJob(name string) copyjob.Job {
	return copyjob.Job{
		Name: name, WarehouseID: "w", Table: load.Table{Database: "dev", Schema: "public", Name: "orders"}, Bucket: "orders", Prefix: "in/",
		IAMRole: "arn:aws:iam::123456789012:role/r", Statement: "COPY ...", Auto: true, CreatedBy: "statement-1",
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind, copyjob.SubjectJob) {
		t.Errorf("err = %v, want %v", err, kind)
	}
}

func TestNames(t *testing.T) {
	w := newWorld()
	for _, name := range []string{"a", "orders_job", "_x1", "Größe", "a$b", strings.Repeat("a", 128)} {
		if _, err := w.Create(t.Context(), someJob(name)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "orders-job", "1a", "$a", "a b", "a.b", "a\xff", strings.Repeat("a", 129), strings.Repeat("ü", 65)} {
		_, err := w.Create(t.Context(), someJob(name))
		if !fault.Is(err, fault.Invalid, copyjob.SubjectJob) || !strings.Contains(fault.Message(err), "hyphen") {
			t.Errorf("%q: err = %v, want Invalid", name, err)
		}
	}
}

func TestCreate(t *testing.T) {
	w := newWorld()
	j := someJob("a")
	j.ID, j.Runs, j.RunsDone, j.RunError = 99, 9, 9, "x"
	got, err := w.Create(t.Context(), j)
	must(t, err)
	if got.ID == 99 || got.Runs != 0 || got.RunsDone != 0 || got.RunError != "" || got.Created.IsZero() || !got.Auto || w.notified != 1 {
		t.Errorf("got %+v, notified %d times", got, w.notified)
	}
	// The statement that made it runs again after a crash.
	again, err := w.Create(t.Context(), j)
	if err != nil || again.ID != got.ID || again.Created != got.Created {
		t.Errorf("again: %+v, %v, want the job that is there", again, err)
	}
	for _, by := range []string{"statement-2", ""} {
		j.CreatedBy = by
		_, err = w.Create(t.Context(), j)
		wants(t, err, fault.AlreadyExists)
	}
	for name, change := range map[string]func(*copyjob.Job){
		"MAXERROR":         func(j *copyjob.Job) { j.Spec.MaxError = 1 },
		"a default role":   func(j *copyjob.Job) { j.IAMRole = "default" },
		"no role":          func(j *copyjob.Job) { j.IAMRole = "" },
		"one role of two":  func(j *copyjob.Job) { j.IAMRole = "arn:aws:iam::123456789012:role/r,x" },
		"no bucket":        func(j *copyjob.Job) { j.Bucket = "" },
		"no table":         func(j *copyjob.Job) { j.Table.Name = "" },
		"no database":      func(j *copyjob.Job) { j.Table.Database = "" },
		"no warehouse":     func(j *copyjob.Job) { j.WarehouseID = "" },
		"a name like that": func(j *copyjob.Job) { j.Name = "a-b" },
	} {
		j := someJob("b")
		change(&j)
		if _, err := w.Create(t.Context(), j); !fault.Is(err, fault.Invalid, copyjob.SubjectJob) {
			t.Errorf("%s: err = %v, want Invalid", name, err)
		}
	}
	chained := someJob("chained")
	chained.IAMRole = "arn:aws:iam::123456789012:role/a, arn:aws:iam::123456789012:role/b"
	_, err = w.Create(t.Context(), chained)
	must(t, err)
}

func TestQuota(t *testing.T) {
	w := newWorld()
	for n := range copyjob.MaxJobs {
		_, err := w.Create(t.Context(), someJob("j"+strings.Repeat("x", n%100)+string(rune('a'+n/100))))
		must(t, err)
	}
	_, err := w.Create(t.Context(), someJob("more"))
	wants(t, err, fault.Limit)
	other := someJob("more")
	other.WarehouseID = "w2"
	_, err = w.Create(t.Context(), other)
	must(t, err)
}

func TestRun(t *testing.T) {
	w := newWorld()
	j, err := w.Create(t.Context(), someJob("a"))
	must(t, err)
	_, err = w.RequestRun(t.Context(), j.Key())
	wants(t, err, fault.State)
	const text = "Cannot run COPY job a manually while auto copy is enabled.\nDisable auto copy if you need to run this job manually."
	if fault.Message(err) != text {
		t.Errorf("the message is %q, want %q", fault.Message(err), text)
	}
	w.notified = 0
	j, err = w.Alter(t.Context(), j.Key(), false)
	if err != nil || j.Auto || w.notified != 1 {
		t.Errorf("altered: %+v, %v, notified %d times", j, err, w.notified)
	}
	for range 2 {
		j, err = w.RequestRun(t.Context(), j.Key())
		must(t, err)
	}
	if j.Runs != 2 || j.RunsDone != 0 || w.notified != 3 {
		t.Errorf("asked twice: %+v, notified %d times", j, w.notified)
	}
	for _, step := range []struct {
		runs     int64
		failure  string
		wantDone int64
		want     string
	}{
		{1, "no bucket", 1, "no bucket"},
		{1, "told late", 1, "no bucket"}, // a report that comes twice changes nothing
		{2, "", 2, ""},
		{99, "", 2, ""}, // no run that nobody asked for can be done
	} {
		must(t, w.RunFinished(t.Context(), j.Key(), step.runs, step.failure))
		if j, err = w.Get(t.Context(), j.Key()); err != nil || j.RunsDone != step.wantDone || j.RunError != step.want {
			t.Errorf("%+v: %+v, %v", step, j, err)
		}
	}
	must(t, w.RunFinished(t.Context(), copyjob.Key{WarehouseID: "w", Database: "dev", Name: "dropped"}, 1, ""))
}

func TestMissingJobs(t *testing.T) {
	w := newWorld()
	key := copyjob.Key{WarehouseID: "w", Database: "dev", Name: "none"}
	for name, call := range map[string]func() error{
		"alter": func() error { _, err := w.Alter(t.Context(), key, true); return err },
		"run":   func() error { _, err := w.RequestRun(t.Context(), key); return err },
		"drop":  func() error { _, err := w.Drop(t.Context(), key); return err },
		"get":   func() error { _, err := w.Get(t.Context(), key); return err },
	} {
		err := call()
		if !fault.Is(err, fault.NotFound, copyjob.SubjectJob) || !strings.Contains(fault.Message(err), `"none"`) || !strings.Contains(fault.Message(err), `"dev"`) {
			t.Errorf("%s: err = %v, want NotFound that names the job and the database", name, err)
		}
	}
	if w.notified != 0 {
		t.Errorf("notified %d times", w.notified)
	}
}

func TestDrop(t *testing.T) {
	w := newWorld()
	a, err := w.Create(t.Context(), someJob("a"))
	must(t, err)
	_, err = w.Create(t.Context(), someJob("b"))
	must(t, err)
	other := someJob("a")
	other.WarehouseID = "w2"
	_, err = w.Create(t.Context(), other)
	must(t, err)
	w.notified = 0
	got, err := w.Drop(t.Context(), a.Key())
	if err != nil || got.ID != a.ID || w.notified != 1 {
		t.Errorf("dropped %+v, %v, notified %d times", got, err, w.notified)
	}
	again, err := w.Create(t.Context(), someJob("a"))
	if err != nil || again.ID == a.ID {
		t.Errorf("made anew: %+v, %v; its ledger must not be the old one's", again, err)
	}
	must(t, w.DropAll(t.Context(), "w"))
	if list, err := w.List(t.Context(), ""); err != nil || len(list) != 1 || list[0].WarehouseID != "w2" {
		t.Errorf("left %v, %v, want the other warehouse's", list, err)
	}
}

func TestMessages(t *testing.T) {
	w := newWorld()
	j, err := w.Create(t.Context(), someJob("a"))
	must(t, err)
	must(t, w.AddMessage(t.Context(), j, strings.Repeat("ü", 300)))
	must(t, w.AddMessage(t.Context(), j, "short"))
	list, err := w.Messages(t.Context(), "w")
	must(t, err)
	if len(list) != 2 || len(list[0].Text) != 512 || !utf8.ValidString(list[0].Text) || list[1].Text != "short" {
		t.Errorf("messages = %+v", list)
	}
	if m := list[1]; m.JobID != j.ID || m.JobName != "a" || m.Database != "dev" || m.Time.IsZero() {
		t.Errorf("message = %+v", m)
	}
	must(t, w.AddMessage(t.Context(), j, "x"+strings.Repeat("ü", 300)))
	if list, _ = w.Messages(t.Context(), "w"); len(list[2].Text) != 511 {
		t.Errorf("%d bytes, want 511: a character is not cut in two", len(list[2].Text))
	}
	_, err = w.Drop(t.Context(), j.Key())
	must(t, err)
	must(t, w.AddMessage(t.Context(), j, "too late"))
}
