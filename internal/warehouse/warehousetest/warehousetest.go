// Package warehousetest is the suite every warehouse a table can be replicated into has to pass: what
// pipeline.Replica and pipeline.Journal promise, tried from outside. A test of the warehouse calls Run.
package warehousetest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"testing"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/pipeline"
)

// Replica is the copy of a table with its journal.
type Replica interface {
	pipeline.Replica
	pipeline.Journal
}

// Row is what a reader sees of an item: its key columns, printed, and the item.
type Row struct {
	Keys []string
	Doc  []byte
}

// Target is a warehouse with a place for the copy of one table.
type Target interface {
	// Replica returns a new handle on the copy, as another owner would have.
	Replica(ctx context.Context, s change.Schema) (Replica, error)
	// Reopen ends the warehouse and starts it again, as a process that is restarted. Handles from before are dead.
	Reopen(ctx context.Context) error
	// Read returns the rows a user sees, in any order; ok is false while there is no table to be seen. It may be
	// called from any goroutine.
	Read(ctx context.Context) (rows []Row, ok bool, err error)
}

// Suite says what is tested.
type Suite struct {
	Open  func(t testing.TB) Target // empty, and of this test alone
	Seeds int                       // of random runs; 0 is 10
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	for _, tc := range []struct {
		name string
		run  func(*env)
	}{
		{"life of a table", testLife},
		{"restarts in every phase", testRestarts},
		{"fence", testFence},
		{"last image", testLastImage},
		{"set aside", testSetAside},
		{"again", testAgain},
		{"marks", testMarks},
		{"begin again", testBeginAgain},
		{"resync", testResync},
		{"other keys", testOtherKeys},
		{"readers", testReaders},
		{"load beside apply", testSideBySide},
		{"odd items", testOddItems},
		{"items that do not fit", testMisfits},
		{"states", testStates},
		{"cancelled", testCancelled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.run(newEnv(t, s))
		})
	}
	t.Run("random", func(t *testing.T) {
		t.Parallel()
		for seed := range cmpOr(s.Seeds, 10) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) { testRandom(newEnv(t, s), uint64(seed)) }) //nolint:gosec // small
		}
	})
}

func cmpOr(n, instead int) int {
	if n == 0 {
		return instead
	}
	return n
}

// Schema is what most tests replicate: a text and a number for keys.
var schema = change.Schema{Table: "Orders", Keys: []change.KeyColumn{{Name: "pk", Type: change.String}, {Name: "sk", Type: change.Number}}}

// env is a warehouse under test, with a handle on the copy.
type env struct {
	*testing.T
	ctx    context.Context //nolint:containedctx // of the test
	target Target
	r      Replica
	fence  int64
}

func newEnv(t *testing.T, s Suite) *env {
	return &env{T: t, ctx: t.Context(), target: s.Open(t)}
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// own takes the copy over with a newer fence.
func (e *env) own() (live, loading *change.Generation) {
	e.Helper()
	r, err := e.target.Replica(e.ctx, schema)
	e.must(err)
	e.r = r
	e.fence++
	live, loading, err = r.Recover(e.ctx, e.fence)
	e.must(err)
	return live, loading
}

// restart reopens the warehouse and takes the copy over.
func (e *env) restart() (live, loading *change.Generation) {
	e.Helper()
	e.must(e.target.Reopen(e.ctx))
	return e.own()
}

func (e *env) begin(id string, start change.Marks) *change.Generation {
	e.Helper()
	g, err := e.r.Begin(e.ctx, change.Table{Schema: schema, ID: id}, start)
	e.must(err)
	if g.SourceID != id || g.Phase != change.Loading || !maps.Equal(g.Marks, start) || len(g.Snapshot) != 0 || g.Loaded != 0 {
		e.Fatalf("a new generation is %+v", g)
	}
	return g
}

func (e *env) load(b change.Batch) { e.Helper(); e.must(e.r.Load(e.ctx, b)) }

func (e *env) apply(g *change.Generation, b change.Batch) {
	e.Helper()
	e.must(e.r.Apply(e.ctx, g, b))
}

func (e *env) publish() { e.Helper(); e.must(e.r.Publish(e.ctx)) }

// live makes a published copy of rows.
func (e *env) live(rows ...change.Row) *change.Generation {
	e.Helper()
	e.own()
	g := e.begin("first", change.Marks{"shard": "0"})
	e.load(batch("part", "end", rows...))
	e.publish()
	return g
}

func conflict(err error) bool { return fault.KindOf(err) == fault.Conflict }

// put is an item with a version.
func put(pk string, sk, version int) change.Row {
	return change.Row{
		Keys: [2]string{pk, fmt.Sprint(sk)},
		Doc:  fmt.Appendf(nil, `{"pk":{"S":%q},"sk":{"N":"%d"},"v":{"N":"%d"}}`, pk, sk, version),
	}
}

func del(pk string, sk int) change.Row { return change.Row{Keys: [2]string{pk, fmt.Sprint(sk)}} }

// batch is rows with one mark.
func batch(part, after string, rows ...change.Row) change.Batch {
	n := 0
	for _, r := range rows {
		n += len(r.Doc)
	}
	return change.Batch{Rows: rows, Marks: []change.Mark{{Part: part, After: after}}, Bytes: n}
}

// model is what there should be, by keys.
type model map[[2]string]string

func (m model) apply(rows ...change.Row) {
	for _, r := range rows {
		if r.Doc == nil {
			delete(m, r.Keys)
		} else {
			m[r.Keys] = string(r.Doc)
		}
	}
}

func modelOf(rows ...change.Row) model {
	m := model{}
	m.apply(rows...)
	return m
}

// read returns what a reader sees, by keys. A row seen twice, and key columns that do not say what the item says,
// are errors.
func (e *env) read() (model, bool, error) {
	rows, ok, err := e.target.Read(e.ctx)
	if err != nil || !ok {
		return nil, ok, err
	}
	seen := model{}
	for _, r := range rows {
		var item map[string]map[string]any
		if err := json.Unmarshal(r.Doc, &item); err != nil {
			return nil, true, fmt.Errorf("%s: %w", r.Doc, err)
		}
		pk, sk := fmt.Sprint(item["pk"]["S"]), fmt.Sprint(item["sk"]["N"])
		keys := [2]string{pk, sk}
		if _, twice := seen[keys]; twice {
			return nil, true, fmt.Errorf("the item %v is there twice", keys)
		}
		if len(r.Keys) != 2 || r.Keys[0] != pk || !sameNumber(r.Keys[1], sk) {
			return nil, true, fmt.Errorf("the item %s has the key columns %q", r.Doc, r.Keys)
		}
		seen[keys] = string(r.Doc)
	}
	return seen, true, nil
}

func sameNumber(a, b string) bool {
	x, ok := new(big.Rat).SetString(a)
	y, okToo := new(big.Rat).SetString(b)
	return ok && okToo && x.Cmp(y) == 0
}

// sees compares what readers see with what there should be.
func (e *env) sees(want model) {
	e.Helper()
	got, ok, err := e.read()
	e.must(err)
	if !ok {
		e.Fatalf("there is no table, want %d rows", len(want))
	}
	if d := difference(got, want); d != "" {
		e.Fatal(d)
	}
}

// difference says how got is not want, "" if it is.
func difference(got, want model) string {
	for k, doc := range want {
		switch have, ok := got[k]; {
		case !ok:
			return fmt.Sprintf("the item %.60q is lost", k)
		case !sameJSON(have, doc):
			return fmt.Sprintf("the item %.60q is %.200s, want %.200s", k, have, doc)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			return fmt.Sprintf("there is an item %.60q too many", k)
		}
	}
	return ""
}

func sameJSON(a, b string) bool {
	if a == b {
		return true
	}
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

func (e *env) seesNothing() {
	e.Helper()
	if _, ok, err := e.target.Read(e.ctx); err != nil || ok {
		e.Fatalf("a table is to be seen before it is published (%v)", err)
	}
}

func testLife(e *env) {
	e.seesNothing()
	if live, loading := e.own(); live != nil || loading != nil {
		e.Fatalf("a new copy has generations %v and %v", live, loading)
	}
	g := e.begin("id 1", change.Marks{"shard": "10"})
	e.seesNothing()
	e.load(batch("a", "1", put("a", 1, 1), put("b", 1, 1)))
	e.load(batch("b", "1", put("c", 1, 1), put("c", 2, 1)))
	e.apply(g, batch("shard", "11", put("a", 1, 2), del("b", 1), put("d", 1, 1)))
	e.seesNothing()
	e.publish()
	want := modelOf(put("a", 1, 2), put("c", 1, 1), put("c", 2, 1), put("d", 1, 1))
	e.sees(want)
	rows := []change.Row{put("c", 2, 2), del("d", 1), put("e", -5, 1), del("never", 0)}
	e.apply(g, batch("shard", "12", rows...))
	want.apply(rows...)
	e.sees(want)
	live, loading := e.restart()
	if live == nil || loading != nil || live.Number != g.Number || live.SourceID != "id 1" || live.Phase != change.Live || !maps.Equal(live.Marks, change.Marks{"shard": "12"}) {
		e.Fatalf("recovered %+v and %+v", live, loading)
	}
	e.sees(want)
}

func testRestarts(e *env) {
	e.own()
	e.restart()
	e.begin("id", change.Marks{"s1": "1", "s2": "1"})
	_, g := e.restart()
	check := func(when string, loaded int64, marks, snapshot change.Marks) {
		e.Helper()
		if g == nil || g.Phase != change.Loading || g.SourceID != "id" || g.Loaded != loaded || !maps.Equal(g.Marks, marks) || !maps.Equal(g.Snapshot, snapshot) {
			e.Fatalf("%s: recovered %+v", when, g)
		}
	}
	check("after Begin", 0, change.Marks{"s1": "1", "s2": "1"}, change.Marks{})
	e.load(batch("p1", "x", put("a", 1, 1), put("b", 1, 1)))
	_, g = e.restart()
	check("after Load", 2, change.Marks{"s1": "1", "s2": "1"}, change.Marks{"p1": "x"})
	e.apply(g, batch("s2", "2", put("a", 1, 2)))
	_, g = e.restart()
	check("after Apply", 2, change.Marks{"s1": "1", "s2": "2"}, change.Marks{"p1": "x"})
	e.load(batch("p2", "end", put("c", 1, 1)))
	e.apply(g, batch("s2", "3", put("a", 1, 3), del("c", 1)))
	_, g = e.restart()
	check("after more", 3, change.Marks{"s1": "1", "s2": "3"}, change.Marks{"p1": "x", "p2": "end"})
	e.seesNothing()
	e.publish()
	live, loading := e.restart()
	if live == nil || loading != nil || live.Number != g.Number || !maps.Equal(live.Marks, change.Marks{"s1": "1", "s2": "3"}) {
		e.Fatalf("after Publish: recovered %+v and %+v", live, loading)
	}
	e.sees(modelOf(put("a", 1, 3), put("b", 1, 1)))
	e.apply(live, batch("s1", "2", del("a", 1)))
	live, _ = e.restart()
	if !maps.Equal(live.Marks, change.Marks{"s1": "2", "s2": "3"}) {
		e.Fatalf("marks = %v", live.Marks)
	}
	e.sees(modelOf(put("b", 1, 1)))
}

func testFence(e *env) {
	g := e.live(put("a", 1, 1))
	stale, old := e.r, e.fence
	e.own()
	for what, err := range map[string]error{
		"Apply":   stale.Apply(e.ctx, g, batch("shard", "9", put("a", 1, 9))),
		"Load":    stale.Load(e.ctx, batch("part", "9", put("b", 1, 9))),
		"Publish": stale.Publish(e.ctx),
		"State":   stale.State(e.ctx, change.Failed, "stale"),
		"Begin":   second(stale.Begin(e.ctx, change.Table{Schema: schema, ID: "stale"}, change.Marks{})),
		"Recover": third(stale.Recover(e.ctx, old)),
	} {
		if !conflict(err) {
			e.Errorf("%s of a stale owner: %v", what, err)
		}
	}
	e.sees(modelOf(put("a", 1, 1)))
	// The owner itself may recover again.
	live, loading, err := e.r.Recover(e.ctx, e.fence)
	if err != nil || live == nil || loading != nil || live.Marks["shard"] != "0" {
		e.Errorf("recovered again: %+v, %+v, %v", live, loading, err)
	}
	e.apply(g, batch("shard", "1", put("a", 1, 2)))
	// In the middle of a load.
	g = e.begin("id 2", change.Marks{"shard": "5"})
	e.load(batch("part", "1", put("x", 1, 1)))
	stale = e.r
	_, g2 := e.restart()
	if g2 == nil || g2.Number != g.Number {
		e.Fatalf("recovered %+v", g2)
	}
	r, err := e.target.Replica(e.ctx, schema)
	e.must(err)
	if err := r.Load(e.ctx, batch("part", "2", put("y", 1, 1))); !conflict(err) {
		e.Errorf("Load of one who has not recovered: %v", err)
	}
	if _, _, err := r.Recover(e.ctx, e.fence-1); !conflict(err) {
		e.Errorf("Recover with an older fence: %v", err)
	}
	e.load(batch("part", "2", put("z", 1, 1)))
	e.publish()
	e.sees(modelOf(put("x", 1, 1), put("z", 1, 1)))
	_ = stale // its warehouse is closed
}

func second[A any](_ A, err error) error        { return err }
func third[A, B any](_ A, _ B, err error) error { return err }

func testLastImage(e *env) {
	g := e.live(put("a", 1, 1), put("b", 1, 1))
	rows := []change.Row{put("a", 1, 2), put("c", 1, 1), put("a", 1, 3), del("b", 1), put("c", 1, 2), del("c", 1), put("b", 1, 7)}
	e.apply(g, batch("shard", "1", rows...))
	e.sees(modelOf(put("a", 1, 3), put("b", 1, 7)))
	// A deleted item comes back, in batches of its own.
	e.apply(g, batch("shard", "2", del("a", 1)))
	e.apply(g, batch("shard", "3", put("a", 1, 4)))
	e.apply(g, batch("shard", "4", del("b", 1)))
	e.sees(modelOf(put("a", 1, 4)))
}

func testSetAside(e *env) {
	e.own()
	g := e.begin("id", change.Marks{"shard": "0"})
	e.apply(g, batch("shard", "1", put("a", 1, 5), put("new", 1, 1), del("b", 1), put("gone", 1, 1)))
	e.apply(g, batch("shard", "2", put("a", 1, 6), del("gone", 1), put("back", 1, 2), put("back", 1, 3)))
	e.load(batch("part", "1", put("a", 1, 1), put("b", 1, 1), put("c", 1, 1), put("d", 1, 1), put("back", 1, 1)))
	e.apply(g, batch("shard", "3", del("d", 1), put("b", 1, 9)))
	e.apply(g, batch("shard", "4", put("d", 1, 2), del("back", 1)))
	e.publish()
	e.sees(modelOf(put("a", 1, 6), put("b", 1, 9), put("c", 1, 1), put("d", 1, 2), put("new", 1, 1)))
}

// testAgain applies batches once more, as a pipeline does that has not heard that they were.
func testAgain(e *env) {
	g := e.live(put("a", 1, 1), put("b", 1, 1))
	rows := []change.Row{put("a", 1, 2), del("b", 1), put("c", 1, 1)}
	for range 3 {
		e.apply(g, batch("shard", "1", rows...))
		e.sees(modelOf(put("a", 1, 2), put("c", 1, 1)))
	}
	if err := e.r.Publish(e.ctx); err == nil {
		e.Error("Publish of nothing")
	}
	e.sees(modelOf(put("a", 1, 2), put("c", 1, 1)))
}

func testMarks(e *env) {
	e.own()
	start := change.Marks{}
	for i := range 300 {
		start[fmt.Sprintf("shard %d", i)] = fmt.Sprintf(`{"at":"%d","odd":"'%%\"\u00fc"}`, i)
	}
	g := e.begin("id", start)
	b := batch("p", "1")
	b.Marks = append(b.Marks, change.Mark{Part: "p", After: "2"}, change.Mark{Part: "done", After: ""})
	e.load(b)
	b = change.Batch{}
	for i := range 200 {
		b.Marks = append(b.Marks, change.Mark{Part: fmt.Sprintf("shard %d", i+200), After: "later"})
		start[fmt.Sprintf("shard %d", i+200)] = "later"
	}
	e.apply(g, b)
	_, g = e.restart()
	if !maps.Equal(g.Marks, start) {
		e.Errorf("%d marks of the stream, want %d", len(g.Marks), len(start))
	}
	if g.Snapshot["p"] != "2" || g.Loaded != 0 {
		e.Errorf("of the snapshot: %v, %d loaded", g.Snapshot, g.Loaded)
	}
	// A part that is over may be forgotten; nothing else may.
	e.apply(g, batch("shard 7", ""))
	e.publish()
	live, _ := e.restart()
	if live.Marks["shard 7"] != "" || live.Marks["shard 8"] != start["shard 8"] || len(live.Marks) < len(start)-1 {
		e.Errorf("%d marks after the end of a shard", len(live.Marks))
	}
}

func testBeginAgain(e *env) {
	e.own()
	first := e.begin("id 1", change.Marks{"shard": "1"})
	e.load(batch("part", "1", put("a", 1, 1)))
	e.apply(first, batch("shard", "2", put("b", 1, 1)))
	g := e.begin("id 2", change.Marks{"other": "1"})
	if g.Number <= first.Number {
		e.Errorf("generation %d after %d", g.Number, first.Number)
	}
	if err := e.r.Apply(e.ctx, first, batch("shard", "3", put("c", 1, 1))); !conflict(err) {
		e.Errorf("Apply to a generation that was dropped: %v", err)
	}
	_, g = e.restart()
	if g.SourceID != "id 2" || g.Loaded != 0 || len(g.Snapshot) != 0 || !maps.Equal(g.Marks, change.Marks{"other": "1"}) {
		e.Errorf("recovered %+v", g)
	}
	e.load(batch("part", "1", put("d", 1, 1)))
	e.publish()
	e.sees(modelOf(put("d", 1, 1)))
	if err := e.r.Load(e.ctx, batch("part", "2", put("e", 1, 1))); err == nil {
		e.Error("Load without a generation being loaded")
	}
	e.sees(modelOf(put("d", 1, 1)))
}

// testResync loads a table again beside the rows that are there.
func testResync(e *env) {
	old := e.live(put("a", 1, 1), put("b", 1, 1), put("lost", 1, 1))
	before := modelOf(put("a", 1, 1), put("b", 1, 1), put("lost", 1, 1))
	g := e.begin("id 2", change.Marks{"new": "1"})
	e.load(batch("part", "1", put("a", 1, 5), put("c", 1, 1)))
	e.apply(g, batch("new", "2", put("c", 1, 2)))
	e.sees(before)
	live, loading := e.restart()
	if live == nil || loading == nil || live.Number != old.Number || loading.Number != g.Number || live.Marks["shard"] != "0" || loading.Marks["new"] != "2" {
		e.Fatalf("recovered %+v and %+v", live, loading)
	}
	// The old one may still be followed.
	e.apply(live, batch("shard", "1", put("b", 1, 2)))
	before.apply(put("b", 1, 2))
	e.sees(before)
	e.publish()
	after := modelOf(put("a", 1, 5), put("c", 1, 2))
	e.sees(after)
	if err := e.r.Apply(e.ctx, live, batch("shard", "2", put("b", 1, 3))); !conflict(err) {
		e.Errorf("Apply to a generation that was replaced: %v", err)
	}
	e.sees(after)
	if live, loading := e.restart(); live == nil || loading != nil || live.Number != g.Number || !maps.Equal(live.Marks, change.Marks{"new": "2"}) {
		e.Fatalf("recovered %+v and %+v", live, loading)
	}
	e.sees(after)
}

// testOtherKeys replaces a table by one of the same name with other keys.
func testOtherKeys(e *env) {
	e.live(put("a", 1, 1))
	other := change.Schema{Table: schema.Table, Keys: []change.KeyColumn{{Name: "id", Type: change.Binary}}}
	r, err := e.target.Replica(e.ctx, other)
	e.must(err)
	live, _, err := r.Recover(e.ctx, e.fence+1)
	e.must(err)
	e.must(r.Apply(e.ctx, live, batch("shard", "1", put("a", 1, 2))))
	e.sees(modelOf(put("a", 1, 2)))
	g, err := r.Begin(e.ctx, change.Table{Schema: other, ID: "other"}, change.Marks{})
	e.must(err)
	item := func(version int) change.Row {
		return change.Row{Keys: [2]string{"AP8="}, Doc: fmt.Appendf(nil, `{"id":{"B":"AP8="},"v":{"N":"%d"}}`, version)}
	}
	e.must(r.Load(e.ctx, batch("part", "1", item(1))))
	e.must(r.Apply(e.ctx, g, batch("s", "1", item(2))))
	e.must(r.Publish(e.ctx))
	e.must(r.Apply(e.ctx, g, batch("s", "2", item(3))))
	rows, ok, err := e.target.Read(e.ctx)
	if err != nil || !ok || len(rows) != 1 || len(rows[0].Keys) != 1 || !sameJSON(string(rows[0].Doc), string(item(3).Doc)) {
		e.Errorf("rows = %q, %v, %v", rows, ok, err)
	}
}

func testStates(e *env) {
	e.own()
	for _, s := range []change.State{change.ResyncInitiated, change.Synced, change.Synced, change.ResyncRequired, change.Failed, change.DroppedSource, change.Deleted} {
		e.must(e.r.State(e.ctx, s, "because of \"it\" and 'that': ü"))
	}
	e.must(e.r.State(e.ctx, change.Synced, ""))
	e.restart()
	e.must(e.r.State(e.ctx, change.Synced, ""))
}

// testCancelled makes calls whose time is over: they fail and change nothing.
func testCancelled(e *env) {
	g := e.live(put("a", 1, 1))
	over, cancel := context.WithCancel(e.ctx)
	cancel()
	n := e.begin("id 2", change.Marks{})
	e.load(batch("part", "1", put("b", 1, 1)))
	for what, err := range map[string]error{
		"Apply":   e.r.Apply(over, g, batch("shard", "9", put("a", 1, 9))),
		"aside":   e.r.Apply(over, n, batch("shard", "9", put("a", 1, 9))),
		"Load":    e.r.Load(over, batch("part", "9", put("c", 1, 9))),
		"Publish": e.r.Publish(over),
		"Begin":   second(e.r.Begin(over, change.Table{Schema: schema, ID: "3"}, change.Marks{})),
		"Recover": third(e.r.Recover(over, e.fence+1)),
	} {
		if err == nil {
			e.Errorf("%s with a context that is done", what)
		}
	}
	e.sees(modelOf(put("a", 1, 1)))
	e.publish() // still the owner
	e.sees(modelOf(put("b", 1, 1)))
}
