package sourcetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/pipeline"
	"github.com/penstock-io/penstock/internal/tables"
)

// Options are how a test wants its source.
type Options struct {
	Table     string
	Transport http.RoundTripper // for all its requests
	Segments  int               // of a snapshot; 0: any number
	Poll      time.Duration     // 0: often
	Patience  time.Duration     // 0: a minute
}

// Suite says what is tested.
type Suite struct {
	Endpoint Endpoint
	// Open returns a source for a table of the endpoint.
	Open func(t testing.TB, o Options) pipeline.Source
	// Package is what the names of the source's functions begin with. None may run after its methods returned. So
	// the suite must not run beside other tests that use sources of this package.
	Package string
	// Control provokes things at the endpoint. Tests that need it are left out where it is nil.
	Control *tables.Control
	// MaxItem is how many bytes the names and values of an item may have; 0 means 400 KB.
	MaxItem int
	// Leave are tests to be left out, with the reason.
	Leave map[string]string
	// Chaos is how many random runs there are.
	Chaos int
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	type test struct {
		name    string
		control bool
		run     func(*env)
	}
	for _, tc := range []test{
		{"describe", false, testDescribe},
		{"table made again", false, testMadeAgain},
		{"stream switched off and on", false, testSwitched},
		{"unusable streams", false, testUnusable},
		{"snapshot", false, testSnapshot},
		{"snapshot of nothing", false, testEmptySnapshot},
		{"snapshot resumed at every page", false, testSnapshotResumed},
		{"snapshot stopped", false, testSnapshotStopped},
		{"snapshot of a table made again", false, testSnapshotAnew},
		{"sorted table", false, testSorted},
		{"large and odd items", false, testOdd},
		{"stream", false, testStream},
		{"stream resumed at every page", false, testStreamResumed},
		{"stream stopped", false, testStreamStopped},
		{"start of a full stream", false, testLateStart},
		{"handoff", false, testHandoff},
		{"wake", false, testWake},
		{"shards", true, testShards},
		{"many shards", true, testManyShards},
		{"resumed across shards", true, testResumedAcrossShards},
		{"marks do not pile up", true, testForget},
		{"iterators expire", true, testExpire},
		{"gaps", true, testGaps},
		{"faults", false, testFaults},
		{"chaos", false, testChaos},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if why := s.Leave[tc.name]; why != "" {
				t.Skip(why)
			}
			if tc.control && s.Control == nil {
				t.Skip("the endpoint's shards are not ours to change")
			}
			e := &env{T: t, Suite: s, table: "sourcetest-" + uuid.NewString()[:8], transport: &http.Transport{MaxIdleConnsPerHost: 16}}
			defer e.transport.CloseIdleConnections()
			defer e.leaks(e.running())
			if e.Control != nil {
				defer e.Control.Reset()
			}
			tc.run(e)
		})
	}
}

// env is a test with a table of its own.
type env struct {
	*testing.T
	Suite
	table     string
	transport *http.Transport
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// create makes the test's table, with a stream of a view.
func (e *env) create(sorted bool, view string) {
	e.Helper()
	e.must(e.Endpoint.CreateTable(e.Context(), e.table, sorted, view))
	e.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(e.Context()), patience)
		defer cancel()
		_ = e.Endpoint.DeleteTable(ctx, e.table) // some tests have deleted it
	})
}

const bothImages = "NEW_AND_OLD_IMAGES"

// open returns a source of the test's table.
func (e *env) open(change ...func(*Options)) pipeline.Source {
	o := Options{Table: e.table, Transport: e.transport}
	for _, c := range change {
		c(&o)
	}
	return e.Open(e.T, o)
}

// running returns the stacks of the goroutines that are in the source, by their first words, which are the same
// for as long as one lives. Tests are none of the source's, whatever package they are in: they are run by
// tRunner, and may wait for their turn.
func (e *env) running() map[string]string {
	stacks := make([]byte, 1<<20)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) {
		stacks = make([]byte, 2*len(stacks))
		n = runtime.Stack(stacks, true)
	}
	out := map[string]string{}
	for one := range strings.SplitSeq(string(stacks[:n]), "\n\n") {
		if strings.Contains(one, "\n"+e.Package) && !strings.Contains(one, "\ntesting.tRunner(") {
			name, _, _ := strings.Cut(one, " [")
			out[name] = one
		}
	}
	return out
}

// leaks wants nothing of the source to be left running but what ran before. On a busy machine a goroutine that
// has done its work may take a while to be gone.
func (e *env) leaks(before map[string]string) {
	for wait, waited := time.Millisecond, time.Duration(0); ; wait *= 2 {
		left := e.running()
		maps.DeleteFunc(left, func(name, _ string) bool { return before[name] != "" })
		if len(left) == 0 {
			return
		}
		if waited >= patience/2 {
			for _, one := range left {
				e.Errorf("left running:\n%s", one)
			}
			return
		}
		time.Sleep(wait) // there is no signal for the end of a goroutine
		waited += wait
	}
}

// ledger fills the table with n items of a size, in batches, and returns their ledger.
func (e *env) ledger(n, padding int) *Ledger {
	l := NewLedger(e.Endpoint, e.table)
	e.each(n, func(i int) {
		if err := l.Put(e.Context(), fmt.Sprintf("key-%05d", i), padding); err != nil {
			e.Errorf("put: %v", err)
		}
	})
	return l
}

// each calls do n times, several at a time.
func (e *env) each(n int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !e.Failed(); i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	all.Wait()
}

// start is the checkpoint of a stream's start.
func (e *env) start(src pipeline.Source, l *Ledger) Checkpoint {
	e.Helper()
	seen := l.Latest()
	marks, err := src.Start(e.Context())
	e.must(err)
	if len(marks) == 0 {
		e.Fatal("Start returned no marks")
	}
	return Checkpoint{marks, seen}
}

// wants wants a fault.
func (e *env) wants(what string, err error, kind fault.Kind, subject, text string) {
	e.Helper()
	if !fault.Is(err, kind, subject) || !strings.Contains(fault.Message(err), text) {
		e.Errorf("%s: %v (kind %v), want %v about %q with %q", what, err, fault.KindOf(err), kind, subject, text)
	}
}

func testDescribe(e *env) {
	src := e.open()
	_, err := src.Describe(e.Context())
	e.wants("a table that is not there", err, fault.NotFound, pipeline.SubjectTable, e.table)
	for name, call := range map[string]func() error{
		"start":    func() error { _, err := src.Start(e.Context()); return err },
		"snapshot": func() error { return src.Snapshot(e.Context(), nil, nil) },
	} {
		e.wants(name+" of a table that is not there", call(), fault.NotFound, pipeline.SubjectTable, e.table)
	}
	e.create(true, bothImages)
	got, err := src.Describe(e.Context())
	e.must(err)
	want := change.Schema{Table: e.table, Keys: []change.KeyColumn{{Name: "pk", Type: change.String}, {Name: "sk", Type: change.Number}}}
	if got.Schema.Table != want.Table || !slices.Equal(got.Schema.Keys, want.Keys) || got.ID == "" {
		e.Errorf("the table is %+v, want %+v", got, want)
	}
	if again, err := src.Describe(e.Context()); err != nil || again.ID != got.ID {
		e.Errorf("the same table is %q and then %q, %v", got.ID, again.ID, err)
	}
}

// ids are the ids of tables as Describe found them.
type ids map[string]string

// look wants an id that there was not before.
func (seen ids) look(e *env, src pipeline.Source, what string) {
	e.Helper()
	got, err := src.Describe(e.Context())
	e.must(err)
	if was := seen[got.ID]; was != "" {
		e.Errorf("%s, the table's id is as it was when it was %s: %s", what, was, got.ID)
	}
	seen[got.ID] = what
}

// testMadeAgain deletes the table and makes another of its name.
func testMadeAgain(e *env) {
	src, seen := e.open(), ids{}
	e.create(false, bothImages)
	seen.look(e, src, "new")
	e.must(e.Endpoint.DeleteTable(e.Context(), e.table))
	_, err := src.Describe(e.Context())
	e.wants("a deleted table", err, fault.NotFound, pipeline.SubjectTable, e.table)
	e.must(e.Endpoint.CreateTable(e.Context(), e.table, false, bothImages))
	seen.look(e, src, "made again")
	e.lose([]gap{
		{name: "the table was made again", read: true, do: func(e *env) {
			e.must(e.Endpoint.DeleteTable(e.Context(), e.table))
			e.must(e.Endpoint.CreateTable(e.Context(), e.table, false, bothImages))
		}},
		{name: "the table is deleted", read: true, kind: fault.NotFound, subject: pipeline.SubjectTable, do: func(e *env) {
			e.must(e.Endpoint.DeleteTable(e.Context(), e.table))
		}},
	})
}

// testSwitched switches the stream off, and on again.
func testSwitched(e *env) {
	src, seen := e.open(), ids{}
	e.create(false, bothImages)
	seen.look(e, src, "new")
	e.must(e.Endpoint.SetStream(e.Context(), e.table, ""))
	_, err := src.Describe(e.Context())
	e.wants("a disabled stream", err, fault.State, pipeline.SubjectStream, "no stream")
	e.must(e.Endpoint.SetStream(e.Context(), e.table, bothImages))
	seen.look(e, src, "with another stream")
	e.lose([]gap{
		{name: "the stream was switched off and on", read: true, do: func(e *env) {
			e.must(e.Endpoint.SetStream(e.Context(), e.table, ""))
			e.put()
			e.must(e.Endpoint.SetStream(e.Context(), e.table, bothImages))
		}},
		{name: "the stream is switched off", read: true, kind: fault.State, subject: pipeline.SubjectStream, do: func(e *env) {
			e.must(e.Endpoint.SetStream(e.Context(), e.table, ""))
		}},
	})
}

func testUnusable(e *env) {
	src := e.open()
	e.create(false, "")
	for _, view := range []string{"", "KEYS_ONLY", "OLD_IMAGE"} {
		if view != "" {
			e.must(e.Endpoint.SetStream(e.Context(), e.table, view))
		}
		_, err := src.Describe(e.Context())
		e.wants("describe with the view "+view, err, fault.State, pipeline.SubjectStream, bothImages)
		_, err = src.Start(e.Context())
		e.wants("start with the view "+view, err, fault.State, pipeline.SubjectStream, bothImages)
		if view != "" {
			e.must(e.Endpoint.SetStream(e.Context(), e.table, ""))
		}
	}
	e.must(e.Endpoint.SetStream(e.Context(), e.table, "NEW_IMAGE"))
	if _, err := src.Describe(e.Context()); err != nil {
		e.Errorf("a stream of new images: %v", err)
	}
	for _, marks := range []change.Marks{nil, {"stream": "{}"}, {"stream": "x"}, {"stream": `{"arn":"a"}`, "shard/x": "somewhere"}} {
		err := src.Stream(e.Context(), marks, nil, nil)
		e.wants(fmt.Sprint("marks ", marks), err, fault.Invalid, "", "mark")
	}
	for _, marks := range []change.Marks{{"scan/x": "done"}, {"scan/0of2": "done", "scan/0of3": "done"}, {"scan/2of2": "done"}, {"scan/0of1": "{"}, {"scan/1of2": "{"}} {
		err := src.Snapshot(e.Context(), marks, nil)
		e.wants(fmt.Sprint("marks ", marks), err, fault.Invalid, "", "mark")
	}
}

// collected are the rows of snapshots, by key.
type collected struct {
	mu    sync.Mutex
	items map[string]int
	pages []change.Page
	marks change.Marks
	calls atomic.Int32
}

func (c *collected) deliver(e *env, limit int) func(context.Context, change.Page) error {
	delivered := 0
	return func(_ context.Context, page change.Page) error {
		if c.calls.Add(1) > 1 {
			e.Error("deliver is called by two at a time")
		}
		defer c.calls.Add(-1)
		c.mu.Lock()
		defer c.mu.Unlock()
		if delivered++; limit > 0 && delivered > limit {
			return errEnough
		}
		for _, row := range page.Rows {
			version, err := versionOf(row)
			if err != nil || version == 0 {
				e.Errorf("row %q is version %d, %v", row.Keys, version, err)
			}
			c.items[row.Keys[0]] = max(version, c.items[row.Keys[0]])
		}
		if page.Mark.Part == "" || page.Mark.After == "" || !page.Newest.IsZero() || page.Bytes == 0 {
			e.Errorf("the page has the mark %+v, a time of %v and %d bytes", page.Mark, page.Newest, page.Bytes)
		}
		c.marks[page.Mark.Part] = page.Mark.After
		c.pages = append(c.pages, page)
		return nil
	}
}

var errEnough = errors.New("enough pages")

func newCollected() *collected { return &collected{items: map[string]int{}, marks: change.Marks{}} }

// wants wants the items to be those of the ledger.
func (c *collected) wants(e *env, l *Ledger) {
	e.Helper()
	if want := l.Items(); !maps.Equal(c.items, want) {
		e.Errorf("%d items came, want %d", len(c.items), len(want))
		for key, version := range want {
			if c.items[key] != version {
				e.Errorf("%s is at version %d, want %d", key, c.items[key], version)
				return
			}
		}
	}
}

func testSnapshot(e *env) {
	e.create(false, bothImages)
	l := e.ledger(100, 60_000)
	for _, segments := range []int{1, 3, 8} {
		c := newCollected()
		e.must(e.open(func(o *Options) { o.Segments = segments }).Snapshot(e.Context(), nil, c.deliver(e, 0)))
		c.wants(e, l)
		if len(c.pages) < max(6, segments) {
			e.Errorf("%d segments came in %d pages", segments, len(c.pages))
		}
		again := newCollected()
		e.must(e.open().Snapshot(e.Context(), c.marks, again.deliver(e, 0)))
		if len(again.pages) > 0 {
			e.Errorf("a snapshot that is complete delivers %d pages", len(again.pages))
		}
	}
}

func testEmptySnapshot(e *env) {
	e.create(false, bothImages)
	c := newCollected()
	e.must(e.open().Snapshot(e.Context(), nil, c.deliver(e, 0)))
	if len(c.items) > 0 || len(c.marks) == 0 {
		e.Errorf("nothing gives %d items and the marks %v", len(c.items), c.marks)
	}
}

// testSnapshotResumed stops after each number of pages, and goes on from there with a source that would like
// another number of segments.
func testSnapshotResumed(e *env) {
	e.create(false, bothImages)
	l := e.ledger(70, 60_000)
	whole := newCollected()
	two := func(o *Options) { o.Segments = 2 }
	e.must(e.open(two).Snapshot(e.Context(), nil, whole.deliver(e, 0)))
	for k := 1; k <= len(whole.pages); k++ {
		c := newCollected()
		err := e.open(two).Snapshot(e.Context(), nil, c.deliver(e, k))
		if k == len(whole.pages) {
			e.must(err)
		} else if !errors.Is(err, errEnough) {
			e.Fatalf("deliver's error comes back as %v", err)
		}
		first := len(c.pages)
		e.must(e.open().Snapshot(e.Context(), maps.Clone(c.marks), c.deliver(e, 0)))
		c.wants(e, l)
		if len(c.pages) > len(whole.pages) {
			e.Errorf("stopped after %d of %d pages, %d more came", first, len(whole.pages), len(c.pages)-first)
		}
		if !maps.Equal(c.marks, whole.marks) {
			e.Errorf("the marks are %v in the end, want %v", c.marks, whole.marks)
		}
	}
}

func testSnapshotStopped(e *env) {
	e.create(false, bothImages)
	e.ledger(40, 60_000)
	ctx, cancel := context.WithCancel(e.Context())
	err := e.open().Snapshot(ctx, nil, func(ctx context.Context, _ change.Page) error {
		cancel()
		<-ctx.Done() // deliver may block
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		e.Errorf("stopped in deliver: %v", err)
	}
	faults := NewFaults(e.transport)
	faults.Fail("Scan", 1, -1, Before, Fault{Hang: true})
	ctx, cancel = context.WithCancel(e.Context())
	go func() {
		<-faults.Hung()
		cancel()
	}()
	err = e.open(func(o *Options) { o.Transport = faults }).Snapshot(ctx, nil, func(context.Context, change.Page) error { return nil })
	if !errors.Is(err, context.Canceled) {
		e.Errorf("stopped in a request: %v", err)
	}
}

// testSnapshotAnew has the table deleted and made again between two pages: what came is of both.
func testSnapshotAnew(e *env) {
	e.create(false, bothImages)
	e.ledger(40, 60_000)
	pages := 0
	err := e.open(func(o *Options) { o.Segments = 1 }).Snapshot(e.Context(), nil, func(ctx context.Context, _ change.Page) error {
		if pages++; pages > 1 {
			return nil
		}
		return errors.Join(e.Endpoint.DeleteTable(ctx, e.table), e.Endpoint.CreateTable(ctx, e.table, false, bothImages))
	})
	e.wants("the snapshot", err, fault.Expired, pipeline.SubjectGap, e.table)
}

// testSorted has keys of two attributes, numbers in odd forms, and text that needs escapes.
func testSorted(e *env) {
	e.create(true, bothImages)
	src := e.open()
	l := NewLedger(e.Endpoint, e.table)
	from := e.start(src, l)
	want := map[[2]string]bool{}
	normal := map[string]string{"1e3": "1000", "7.50": "7.5"}
	for i, sk := range []string{"0", "-1.5", "100", "0.25", "12345678901234567890123456789012345678", "1e3", "7.50"} {
		pk := []string{"a", `q"\/`, "é𝄞\n"}[i%3]
		e.must(e.Endpoint.Call(e.Context(), "PutItem", object{"TableName": e.table, "Item": object{"pk": object{"S": pk}, "sk": object{"N": sk}, "x": object{"L": []object{{"NULL": true}, {"M": object{}}}}}}, nil))
		want[[2]string{pk, cmp.Or(normal[sk], sk)}] = true
	}
	got := map[[2]string]bool{}
	e.must(src.Snapshot(e.Context(), nil, func(_ context.Context, page change.Page) error {
		for _, row := range page.Rows {
			got[row.Keys] = true
		}
		return nil
	}))
	if !maps.Equal(got, want) {
		e.Errorf("the snapshot has %v, want %v", got, want)
	}
	ctx, cancel := context.WithTimeout(e.Context(), patience)
	defer cancel()
	clear(got)
	err := src.Stream(ctx, from.Marks, func(_ context.Context, page change.Page) error {
		for _, row := range page.Rows {
			got[row.Keys] = true
		}
		if len(got) >= len(want) {
			cancel()
		}
		return nil
	}, func(context.Context, time.Time) error { return nil })
	if !errors.Is(err, context.Canceled) || !maps.Equal(got, want) {
		e.Errorf("the stream has %v, %v, want %v", got, err, want)
	}
}
