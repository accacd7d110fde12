package transfer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/transfer"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
	"github.com/penstock-io/penstock/internal/transfer/vendors/vendortest"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is a Runner and what it works on. Runners made from one rig are processes one after another.
type rig struct {
	store    *store
	tables   *tables
	fake     *vendortest.Fake
	dir      string
	format   transfer.Format
	partSize int64
	now      func() time.Time
}

func newRig(t *testing.T) *rig {
	s := newStore(t)
	return &rig{store: s, tables: newTables(s), dir: filepath.Join(t.TempDir(), "runs"), now: func() time.Time { return epoch.Add(time.Hour) }}
}

func (r *rig) runner() *transfer.Runner {
	return transfer.New(transfer.Config{
		Dir: r.dir, Account: "123456789012", Format: r.format, Objects: r.store, Buckets: r.store, Tables: r.tables, PartSize: r.partSize, Parallel: 3,
		Records: func(v vendors.Vendor, profile string) (transfer.Records, error) {
			if r.fake == nil || profile != "test" {
				_, err := vendors.Profiles{}.Find(v, profile)
				return nil, err
			}
			return vendors.Open(v, profile, r.fake.Profile(), vendors.Options{Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
		},
		Now: r.now, Log: slog.New(slog.DiscardHandler),
	})
}

func job() transfer.Job {
	return transfer.Job{
		ExecutionID: "e1", IntegrationID: "i1", AssociationID: "a1", Name: "my/files", Requested: epoch.Add(time.Hour),
		Source: "s3://inb/src", Destination: "s3://out/dst", Window: transfer.Window{Start: epoch, End: epoch.Add(time.Minute)},
	}
}

// root is where the objects of job's run are.
const root = "dst/123456789012/my_files/20260301T130000/20260301T120000-20260301T120100/"

func run(t *testing.T, r *transfer.Runner, j transfer.Job) (last transfer.Progress, err error) {
	t.Helper()
	err = r.Run(t.Context(), j, func(p transfer.Progress) error { last = p; return nil })
	return last, err
}

func mustRun(t *testing.T, r *transfer.Runner, j transfer.Job) transfer.Progress {
	t.Helper()
	last, err := run(t, r, j)
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// files are the run's objects by what follows the files' directory.
func files(t *testing.T, s *store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for key, content := range s.contents("out", "dst/1") {
		rest, ok := strings.CutPrefix(key, root+"files/")
		_, rel, ok2 := strings.Cut(rest, "/")
		if !ok || !ok2 {
			t.Errorf("the key %s is not where it belongs", key)
		}
		out[rel] = content
	}
	return out
}

func TestFilesToBucket(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := func(key string, at time.Duration) { r.store.put("inb", key, "content of "+key, epoch.Add(at)) }
	in("src/a.csv", 0)
	in("src/b/c.CSV", 10*time.Second)
	in("src/b/d.txt", 59*time.Second)
	in("src/b/e.csv", -time.Second)     // before the window
	in("src/b/f.csv", 60*time.Second)   // after it
	in("srcs/g.csv", 10*time.Second)    // elsewhere
	in("src/b/tmp.csv", 10*time.Second) // excluded
	j := job()
	j.Filters = map[string][]string{"fileExtension": {"csv", ".txt"}, "exclude": {"tmp*"}}
	p := mustRun(t, r.runner(), j)
	want := map[string]string{"a.csv": "content of src/a.csv", "b/c.CSV": "content of src/b/c.CSV", "b/d.txt": "content of src/b/d.txt"}
	if got := files(t, r.store); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if p.Items != 3 || p.Total != 3 || p.Bytes == 0 || p.Mark == "" {
		t.Errorf("the progress was %+v", p)
	}
	var m struct {
		ExecutionID string
		Items       int64
		Files       []struct{ Key, Source string }
	}
	if err := json.Unmarshal([]byte(r.store.contents("out", "")["dst/_manifest/e1.json"]), &m); err != nil || m.ExecutionID != "e1" || m.Items != 3 || len(m.Files) != 3 || m.Files[0].Source == "" {
		t.Errorf("the manifest is %+v, %v", m, err)
	}
	if left, _ := os.ReadDir(r.dir); len(left) > 0 {
		t.Errorf("%v is left in the work directory", left)
	}

	// Once more is nothing new, and so is another process.
	before := r.store.contents("out", "")
	in("src/z.csv", 20*time.Second)
	if p := mustRun(t, r.runner(), j); p.Items != 3 {
		t.Errorf("a run that is over reports %+v", p)
	}
	if after := r.store.contents("out", ""); !maps.Equal(before, after) {
		t.Error("a run that is over has changed the destination")
	}

	// The next window has what came since.
	j.ExecutionID, j.Window = "e2", transfer.Window{Start: epoch.Add(time.Minute), End: epoch.Add(2 * time.Minute)}
	if p := mustRun(t, r.runner(), j); p.Items != 1 {
		t.Errorf("the next run took %d files, want the one", p.Items)
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source  string
		folders []string
		want    []string
	}{
		{"s3://inb", nil, []string{"a", "src/b", "src/c/d", "src/e/f", "srcs/g"}},
		{"s3://inb/", []string{"src/c"}, []string{"src/c/d"}},
		{"s3://inb/src", []string{"c/", "/e/"}, []string{"c/d", "e/f"}},
		{"s3://inb/src", []string{"c", "s3://inb/src/e", "c"}, []string{"c/d", "e/f"}},
		{"s3://inb", []string{"src", "src/c"}, []string{"src/b", "src/c/d", "src/e/f"}},
		{"s3://inb/src/b", nil, []string{"b"}},
	} {
		r := newRig(t)
		for _, key := range []string{"a", "src/b", "src/c/d", "src/e/f", "srcs/g"} {
			r.store.put("inb", key, key, epoch)
		}
		j := job()
		j.Source, j.Folders = c.source, c.folders
		mustRun(t, r.runner(), j)
		if got := slices.Sorted(maps.Keys(files(t, r.store))); !slices.Equal(got, c.want) {
			t.Errorf("%s %v: got %v, want %v", c.source, c.folders, got, c.want)
		}
	}
}

// A destination below the source must not feed itself.
func TestDestinationInSource(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store.put("inb", "a", "a", epoch)
	j := job()
	j.Source, j.Destination, j.Window = "s3://inb", "s3://inb/out", transfer.Window{}
	for n := range 3 {
		j.ExecutionID = fmt.Sprint("e", n)
		j.Requested = j.Requested.Add(time.Minute)
		if p := mustRun(t, r.runner(), j); p.Items != 1 {
			t.Errorf("run %d took %d files", n, p.Items)
		}
	}
}

func TestFileDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store.put("inb", "src/a", "a", epoch)
	r.store.put("inb", "src/b", "b", epoch)
	lists := 0
	r.store.fail = func(_ int, after bool, call string) error {
		if call == "list" && after {
			if lists++; lists == 2 { // the first looks for a manifest
				r.store.delete("inb", "src/b")
			}
		}
		return nil
	}
	mustRun(t, r.runner(), job())
	if got := files(t, r.store); len(got) != 1 || !strings.Contains(r.store.contents("out", "")["dst/_manifest/e1.json"], `"gone"`) {
		t.Errorf("got %v and the manifest %s", got, r.store.contents("out", "")["dst/_manifest/e1.json"])
	}
}

// records fills a fake vendor and returns its records' titles.
func (r *rig) records(t *testing.T, v vendors.Vendor, n int) (titles []string) {
	r.fake = vendortest.New(t, v)
	for _, rec := range r.fake.Add(epoch, n) {
		titles = append(titles, rec.Values["Title"].(string))
	}
	return titles
}

func recordJob() transfer.Job {
	j := job()
	j.Source, j.Object, j.Name = "Salesforce://AppFlow/test", "Account", "accounts"
	return j
}

const recordsRoot = "dst/123456789012/accounts/20260301T130000/20260301T120000-20260301T120100/Account/"

func TestRecordsToBucket(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	titles := r.records(t, vendors.Salesforce, 8)
	r.partSize = 300 // so that there are several
	p := mustRun(t, r.runner(), recordJob())
	if p.Items != 8 || p.Total != 8 {
		t.Errorf("the progress was %+v", p)
	}
	var got []string
	for key, content := range r.store.contents("out", "dst/1") {
		if !strings.HasPrefix(key, recordsRoot) || !strings.HasSuffix(key, ".jsonl") {
			t.Errorf("the key %s is not where it belongs", key)
		}
		for line := range strings.Lines(content) {
			var v struct{ Title string }
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Error(err)
			}
			got = append(got, v.Title)
		}
	}
	slices.Sort(got)
	slices.Sort(titles)
	if !slices.Equal(got, titles) {
		t.Errorf("got %q, want %q", got, titles)
	}
	if n := len(r.store.contents("out", "dst/1")); n < 2 {
		t.Errorf("the records are in %d objects, want several", n)
	}
}

func TestRecordsToTable(t *testing.T) {
	t.Parallel()
	for _, v := range vendors.Vendors() {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fake = vendortest.New(t, v)
			r.fake.Add(epoch, 7)
			j := recordJob()
			j.Source, j.Object, j.Destination = v.Name()+"://AppFlow/test", r.fake.Object, "redshift://default/dev/public/accounts"
			mustRun(t, r.runner(), j)
			table := transfer.Table{Warehouse: "default", Database: "dev", Schema: "public", Name: "accounts"}
			if len(r.tables.rows[table]) != 7 {
				t.Fatalf("the table has %d rows", len(r.tables.rows[table]))
			}
			types := map[string]vendors.Type{}
			for _, c := range r.tables.columns[table] {
				types[c.Name] = c.Type
			}
			want := map[vendors.Vendor]map[string]vendors.Type{
				vendors.Salesforce: {"id": vendors.Text, "open": vendors.Boolean, "rank": vendors.Integer, "parts": vendors.Nested, "systemmodstamp": vendors.Time, "note": vendors.Text},
				vendors.ServiceNow: {"sys_id": vendors.Text, "open": vendors.Text, "rank": vendors.Text, "note": vendors.Text},
				vendors.Zendesk:    {"id": vendors.Integer, "open": vendors.Boolean, "rank": vendors.Integer, "parts": vendors.Nested, "note": vendors.Text},
			}[v]
			for name, typ := range want {
				if types[name] != typ {
					t.Errorf("the column %s is %q, want %q", name, types[name], typ)
				}
			}
			if v == vendors.Salesforce && !strings.Contains(r.tables.rows[table][0], `"systemmodstamp":"2026-03-01 12:00:00+00"`) {
				t.Errorf("a row is %s", r.tables.rows[table][0])
			}
			mustRun(t, r.runner(), j)
			if len(r.tables.rows[table]) != 7 {
				t.Errorf("after another run of the same execution the table has %d rows", len(r.tables.rows[table]))
			}
		})
	}
}

func TestFilesToTable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	table := transfer.Table{Warehouse: "default", Database: "dev", Schema: "public", Name: "t"}
	j := job()
	j.Destination = "redshift://default/dev/public/t#ignoreheader=1"
	r.store.put("inb", "src/a.csv", "1\n2\n", epoch)
	r.store.put("inb", "src/b.json", "3\n", epoch)
	if _, err := run(t, r.runner(), j); !fault.Is(err, fault.NotFound, "relation") {
		t.Errorf("no table: err = %v", err)
	}
	r.tables.columns[table] = []transfer.Column{}
	if p := mustRun(t, r.runner(), j); p.Items != 2 || len(r.tables.rows[table]) != 3 {
		t.Errorf("%d files, %d rows", p.Items, len(r.tables.rows[table]))
	}
	r.store.put("inb", "src/c.pdf", "", epoch)
	j.ExecutionID = "e2"
	if _, err := run(t, r.runner(), j); !fault.Is(err, fault.Invalid, transfer.SubjectSource) || !strings.Contains(err.Error(), "c.pdf") {
		t.Errorf("a file of no known format: err = %v", err)
	}
}

var errKilled = errors.New("killed")

// killer ends the process at a step: from then on every call fails, and the context is done.
func (r *rig) kill(at int, after bool) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	var mu sync.Mutex
	dead := false
	r.store.mu.Lock()
	r.store.step = 0
	r.store.mu.Unlock()
	r.store.fail = func(step int, isAfter bool, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		if step == at && isAfter == after {
			dead = true
			cancel(errKilled)
		}
		if dead {
			return errKilled
		}
		return nil
	}
	return ctx
}

// TestInterruptions interrupts runs at every step, before it and after it, takes them up in another process, and
// looks whether everything is at the destination, once.
func TestInterruptions(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		setUp func(t *testing.T, r *rig) transfer.Job
		check func(t *testing.T, r *rig)
	}{
		"files to bucket": {
			func(t *testing.T, r *rig) transfer.Job {
				for n := range 5 {
					r.store.put("inb", fmt.Sprintf("src/%d", n), fmt.Sprint(n), epoch)
				}
				r.store.watch = func(call string) {
					visible, all := 0, len(r.store.uploads)
					for _, o := range r.store.objects {
						if o.bucket == "out" && strings.HasPrefix(o.key, root) {
							visible++
						}
					}
					if visible > 0 && visible+all != 5 {
						r.store.t.Errorf("after %s %d objects can be seen and %d are staged, of 5", call, visible, all)
					}
					if _, ok := r.store.objects["out/dst/_manifest/e1.json"]; ok && visible != 5 {
						r.store.t.Errorf("there is a manifest and %d objects", visible)
					}
				}
				return job()
			},
			func(t *testing.T, r *rig) {
				if got := files(t, r.store); len(got) != 5 || got["3"] != "3" {
					t.Errorf("got %v", got)
				}
			},
		},
		"records to bucket": {
			func(t *testing.T, r *rig) transfer.Job {
				r.records(t, vendors.Salesforce, 8)
				r.partSize, r.format = 300, transfer.CSV
				return recordJob()
			},
			func(t *testing.T, r *rig) {
				lines := 0
				for _, content := range r.store.contents("out", "dst/1") {
					lines += strings.Count(content, `"record `)
				}
				if lines != 8 {
					t.Errorf("there are %d records, want 8", lines)
				}
			},
		},
		"records to table": {
			func(t *testing.T, r *rig) transfer.Job {
				r.records(t, vendors.Zendesk, 8)
				j := recordJob()
				j.Source, j.Object, j.Destination = "Zendesk://AppFlow/test", "tickets", "redshift://default/dev/public/t"
				return j
			},
			func(t *testing.T, r *rig) {
				if n := len(r.tables.rows[transfer.Table{Warehouse: "default", Database: "dev", Schema: "public", Name: "t"}]); n != 8 {
					t.Errorf("there are %d rows, want 8", n)
				}
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			over := false
			for at := 1; !over; at++ {
				for _, after := range []bool{false, true} {
					r := newRig(t)
					j := c.setUp(t, r)
					err := r.runner().Run(r.kill(at, after), j, func(transfer.Progress) error { return nil })
					if err == nil {
						over = true // the run has fewer steps
					} else if !errors.Is(err, errKilled) && !errors.Is(err, context.Canceled) {
						t.Fatalf("step %d: %v", at, err)
					}
					r.store.fail = nil
					mustRun(t, r.runner(), j)
					c.check(t, r)
					if len(r.store.uploads) > 0 {
						t.Errorf("step %d: %d uploads are left", at, len(r.store.uploads))
					}
					mustRun(t, r.runner(), j)
					c.check(t, r)
				}
			}
		})
	}
}

// A run whose reports are refused stops as one that is killed does, at any page.
func TestInterruptedReports(t *testing.T) {
	t.Parallel()
	errLost := errors.New("the lease is lost")
	for at := 1; ; at++ {
		r := newRig(t)
		titles := r.records(t, vendors.Salesforce, 11)
		n := 0
		err := r.runner().Run(t.Context(), recordJob(), func(transfer.Progress) error {
			if n++; n == at {
				return errLost
			}
			return nil
		})
		if err == nil {
			if at < 6 {
				t.Errorf("the run made %d reports", at-1)
			}
			return
		}
		if !errors.Is(err, errLost) {
			t.Fatal(err)
		}
		requests, _ := r.fake.Requests()
		mustRun(t, r.runner(), recordJob())
		all, _ := r.fake.Requests()
		if at > 3 && at < 6 && len(all)-len(requests) >= len(requests) {
			t.Errorf("report %d: taken up again the run made %d requests, having made %d before", at, len(all)-len(requests), len(requests))
		}
		lines := 0
		for _, content := range r.store.contents("out", "dst/1") {
			lines += strings.Count(content, "\n")
		}
		if lines != len(titles) {
			t.Errorf("report %d: there are %d records, want %d", at, lines, len(titles))
		}
	}
}

// A failure that is final leaves nothing behind; one that may pass leaves what it takes to go on.
func TestFailures(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.Denied, fault.Unavailable} {
		for _, call := range []string{"stage", "publish", "manifest", "list"} {
			r := newRig(t)
			for n := range 4 {
				r.store.put("inb", fmt.Sprintf("src/%d", n), fmt.Sprint(n), epoch)
			}
			n := 0
			r.store.fail = func(_ int, after bool, c string) error {
				r.store.mu.Lock()
				defer r.store.mu.Unlock()
				if c == call && !after {
					if n++; n > 1 || call == "manifest" {
						return fault.New(kind, "object", "the store says no")
					}
				}
				return nil
			}
			_, err := run(t, r.runner(), job())
			if fault.KindOf(err) != kind {
				t.Errorf("%s: err = %v, want %v", call, err, kind)
			}
			left, _ := os.ReadDir(r.dir)
			if kept := len(left) > 0; kept != (kind == fault.Unavailable) {
				t.Errorf("%s, %v: what is left is %v", call, kind, left)
			}
			if kind == fault.Denied && len(r.store.uploads) > 0 {
				t.Errorf("%s: %d uploads are left", call, len(r.store.uploads))
			}
			r.store.fail = nil
			if kind == fault.Unavailable {
				mustRun(t, r.runner(), job())
				if got := files(t, r.store); len(got) != 4 {
					t.Errorf("%s: got %v", call, got)
				}
			}
		}
	}
}

func TestDiscardAndTidy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 4 {
		r.store.put("inb", fmt.Sprintf("src/%d", n), fmt.Sprint(n), epoch)
	}
	r.store.fail = func(_ int, _ bool, call string) error {
		if call == "publish" {
			return fault.New(fault.Unavailable, "object", "not now")
		}
		return nil
	}
	for _, id := range []string{"e1", "e2", "e3"} {
		j := job()
		j.ExecutionID = id
		if _, err := run(t, r.runner(), j); err == nil {
			t.Fatal("the run went through")
		}
	}
	r.store.fail = nil
	if err := r.runner().Discard(t.Context(), "e1"); err != nil {
		t.Error(err)
	}
	if err := r.runner().Discard(t.Context(), "never"); err != nil {
		t.Error(err)
	}
	if n := len(r.store.uploads); n != 8 {
		t.Errorf("%d uploads are left, want those of the other two runs", n)
	}
	if err := r.runner().Tidy(t.Context(), func(id string) bool { return id == "e3" }); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(r.dir); len(left) != 1 || left[0].Name() != "e3" || len(r.store.uploads) != 4 {
		t.Errorf("what is left is %v and %d uploads", left, len(r.store.uploads))
	}
}

func TestSameRunTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store.put("inb", "src/a", "a", epoch)
	runner := r.runner()
	began, finish := make(chan struct{}), make(chan struct{})
	var once sync.Once
	result := make(chan error, 1)
	go func() {
		result <- runner.Run(context.Background(), job(), func(transfer.Progress) error {
			once.Do(func() { close(began); <-finish })
			return nil
		})
	}()
	select {
	case <-began:
	case err := <-result:
		t.Fatal(err)
	}
	if _, err := run(t, runner, job()); fault.KindOf(err) != fault.Conflict {
		t.Errorf("err = %v, want Conflict", err)
	}
	other := job()
	other.Source = "s3://inb/other"
	other2 := r.runner() // another process, which there should not be, with another job of the same id
	if _, err := run(t, other2, other); fault.KindOf(err) != fault.State {
		t.Errorf("err = %v, want State", err)
	}
	close(finish)
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// A run in doubt for longer than the warehouse keeps marks must not load again.
func TestDoubt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.records(t, vendors.Salesforce, 2)
	j := recordJob()
	j.Destination = "redshift://default/dev/public/t"
	r.store.fail = func(_ int, after bool, call string) error {
		if call == "load" && after {
			return fault.New(fault.Unavailable, "load", "the connection broke off")
		}
		return nil
	}
	if _, err := run(t, r.runner(), j); fault.KindOf(err) != fault.Unavailable {
		t.Fatal(err)
	}
	r.store.fail = nil
	r.now = func() time.Time { return epoch.Add(72 * time.Hour) }
	clear(r.tables.marks)
	if _, err := run(t, r.runner(), j); fault.KindOf(err) != fault.State || !strings.Contains(err.Error(), "look for them") {
		t.Errorf("err = %v, want State that says what to do", err)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	long := fault.New(fault.Invalid, "", "%s", strings.Repeat("ü", 300))
	if s := transfer.Summary(long); len(s) > 255 || len(s) < 250 || !strings.HasSuffix(s, "ü...") {
		t.Errorf("%d bytes: %s", len(s), s)
	}
	if s := transfer.Summary(fault.New(fault.Invalid, "", "short")); s != "short" {
		t.Error(s)
	}
}
