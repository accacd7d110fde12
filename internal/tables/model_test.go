package tables_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/stream"
)

var seed = flag.Uint64("seed", 0, "of the random tests; 0 takes one from the clock and prints it")

func random(t *testing.T) *rand.Rand {
	t.Helper()
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", n)
	return rand.New(rand.NewPCG(n, 1))
}

// model is what a table should hold: the JSON of items by the JSON of their keys.
type model map[string]string

// TestAgainstModel does random operations on a table with indexes and a stream, restarting now and then, and
// compares everything that can be read with a model in memory.
func TestAgainstModel(t *testing.T) {
	r := random(t)
	dir := t.TempDir()
	c := newClock()
	settings := tables.Settings{FirstShards: 2, ShardRoll: time.Hour, ShardSplitBytes: 20_000}
	db := open(t, dir, c.now, settings)
	s := spec("things", stream.BothSides)
	s.Attributes = append(slices.Clone(defs), item.Definition{Name: "g", Type: item.S}, item.Definition{Name: "n", Type: item.N})
	s.Local = []tables.IndexSpec{{Name: "by-n", Keys: []tables.KeyPart{{Name: "pk", Kind: "HASH"}, {Name: "n", Kind: "RANGE"}}, Projection: tables.ProjectKeys}}
	s.Global = []tables.IndexSpec{
		{Name: "by-g", Keys: []tables.KeyPart{{Name: "g", Kind: "HASH"}, {Name: "n", Kind: "RANGE"}}, Projection: tables.ProjectAll},
		{Name: "include", Keys: []tables.KeyPart{{Name: "g", Kind: "HASH"}}, Projection: tables.ProjectInclude, Include: []string{"v"}},
	}
	arn := create(t, db, s).StreamARN
	m := model{}
	for round := range 40 {
		for range 40 {
			step(t, r, db, m)
		}
		if round%8 == 7 {
			closing(t, db)
			db = open(t, dir, c.now, settings)
		}
		c.advance(10 * time.Minute)
		compare(t, r, db, m)
	}
	replay(t, db, arn, m)
	closing(t, db)
}

func randomItem(r *rand.Rand) item.Item {
	m := item.Item{}.With("pk", item.Text(fmt.Sprintf("p%d", r.IntN(4)))).With("sk", number(r.IntN(6)))
	if r.IntN(3) > 0 {
		m = m.With("g", item.Text(fmt.Sprintf("g%d", r.IntN(3))))
	}
	if r.IntN(3) > 0 {
		m = m.With("n", number(r.IntN(20)-10))
	}
	if r.IntN(2) > 0 {
		m = m.With("v", item.Text(strings.Repeat("v", r.IntN(200))))
	}
	return m
}

func number(n int) item.Value { return item.Value{Type: item.N, Text: fmt.Sprint(n)} }

func keyOf(m item.Item) item.Item { return m.Only([]string{"pk", "sk"}) }

// step does one random operation on the table and on the model.
func step(t *testing.T, r *rand.Rand, db *tables.DB, m model) {
	t.Helper()
	new := randomItem(r)
	key := string(keyOf(new).JSON())
	old, exists := m[key]
	switch r.IntN(6) {
	case 0: // put, if it is not there
		condition := "attribute_not_exists(pk)"
		_, err := db.Write(ctx, &tables.Write{Kind: tables.Put, Table: "things", Item: new, Condition: &condition}, "")
		var failed *tables.ConditionFailedError
		if errors.As(err, &failed) != exists {
			t.Fatalf("putting %s, which is there: %v, failed with %v", key, exists, err)
		}
		if !exists {
			m[key] = string(new.JSON())
		}
	case 1:
		out, err := db.Write(ctx, &tables.Write{Kind: tables.Put, Table: "things", Item: new}, tables.ReturnAllOld)
		if err != nil || string(out.Attributes) != old {
			t.Fatalf("putting %s returned %s, %v; want %s", key, out.Attributes, err, old)
		}
		m[key] = string(new.JSON())
	case 2:
		out, err := db.Write(ctx, &tables.Write{Kind: tables.Delete, Table: "things", Item: keyOf(new)}, tables.ReturnAllOld)
		if err != nil || string(out.Attributes) != old {
			t.Fatalf("deleting %s returned %s, %v; want %s", key, out.Attributes, err, old)
		}
		delete(m, key)
	case 3:
		text := "SET n = if_not_exists(n, :zero) + :one REMOVE v"
		out, err := db.Write(ctx, &tables.Write{Kind: tables.Update, Table: "things", Item: keyOf(new), Update: &text, Values: map[string]item.Value{":zero": number(0), ":one": number(1)}}, tables.ReturnAllNew)
		if err != nil {
			t.Fatal(err)
		}
		want := keyOf(new)
		if exists {
			want = parse(t, old)
		}
		n := 0
		_, _ = fmt.Sscan(want.Get("n").Text, &n)
		want = want.With("n", number(n+1)).With("v", item.Value{})
		if string(out.Attributes) != string(want.JSON()) {
			t.Fatalf("updating %s gave %s, want %s", old, out.Attributes, want.JSON())
		}
		m[key] = string(want.JSON())
	case 4: // a batch
		next := maps.Clone(m)
		var writes []*tables.Write
		for i := range 5 {
			x := randomItem(r)
			k := string(keyOf(x).JSON())
			if slices.ContainsFunc(writes, func(w *tables.Write) bool { return string(keyOf(w.Item).JSON()) == k }) {
				continue
			}
			if i%2 == 0 {
				writes = append(writes, &tables.Write{Kind: tables.Put, Table: "things", Item: x})
				next[k] = string(x.JSON())
			} else {
				writes = append(writes, &tables.Write{Kind: tables.Delete, Table: "things", Item: keyOf(x)})
				delete(next, k)
			}
		}
		if _, err := db.BatchWrite(ctx, writes); err != nil {
			t.Fatal(err)
		}
		clear(m)
		maps.Copy(m, next)
	case 5: // a transaction that holds only if another item exists
		other := randomItem(r)
		otherKey := string(keyOf(other).JSON())
		if otherKey == key {
			return
		}
		condition := "attribute_exists(pk)"
		_, err := db.Transact(ctx, []*tables.Write{
			{Kind: tables.Put, Table: "things", Item: new},
			{Kind: tables.Check, Table: "things", Item: keyOf(other), Condition: &condition},
		}, "", "")
		_, holds := m[otherKey]
		if (err == nil) != holds {
			t.Fatalf("a transaction that asks for %s, which is there: %v, ended with %v", otherKey, holds, err)
		}
		if holds {
			m[key] = string(new.JSON())
		}
	}
}

// pages collects all pages of a query.
func pages(t *testing.T, db *tables.DB, q tables.Query, scan bool) []string {
	t.Helper()
	var out []string
	for {
		do := db.Query
		if scan {
			do = db.Scan
		}
		page, err := do(ctx, &q)
		if err != nil {
			t.Fatal(err)
		}
		list, err := item.ParseList(string(page.Items))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			out = append(out, string(m.JSON()))
		}
		if page.Last == nil {
			return out
		}
		q.Start = page.Last
	}
}

// compare reads the table in every way there is and compares with the model.
func compare(t *testing.T, r *rand.Rand, db *tables.DB, m model) {
	t.Helper()
	same := func(what string, got, want []string, ordered bool) {
		t.Helper()
		if !ordered {
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s has\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	var all []string
	var items []item.Item
	size := 0
	for _, text := range m {
		all = append(all, text)
		x := parse(t, text)
		items = append(items, x)
		size += x.Size()
	}
	segments := 1 + r.IntN(5)
	var scanned []string
	for i := range segments {
		scanned = append(scanned, pages(t, db, tables.Query{Table: "things", Segment: i, Segments: segments, Limit: 1 + r.IntN(7)}, true)...)
	}
	same("the table", scanned, slices.Clone(all), false)
	status, err := db.DescribeTable(ctx, "things")
	if err != nil || status.Items != int64(len(all)) || status.Bytes != int64(size) {
		t.Fatalf("the table counts %d items of %d bytes, %v; want %d of %d", status.Items, status.Bytes, err, len(all), size)
	}
	byNumber := func(name string) func(a, b item.Item) int {
		return func(a, b item.Item) int {
			order, _ := a.Get(name).Compare(b.Get(name))
			return order
		}
	}
	backward := r.IntN(2) == 0
	for p := range 4 {
		var want []item.Item
		for _, x := range items {
			if x.Get("pk").Text == fmt.Sprintf("p%d", p) {
				want = append(want, x)
			}
		}
		slices.SortFunc(want, byNumber("sk"))
		if backward {
			slices.Reverse(want)
		}
		condition := "pk = :p"
		got := pages(t, db, tables.Query{Table: "things", KeyCondition: &condition, Values: map[string]item.Value{":p": item.Text(fmt.Sprintf("p%d", p))}, Limit: 1 + r.IntN(3), Backward: backward}, false)
		same("the partition", got, texts(want), true)
		want = slices.DeleteFunc(want, func(x item.Item) bool { return !x.Has("n") })
		whole := pages(t, db, tables.Query{Table: "things", Index: "by-n", KeyCondition: &condition, Values: map[string]item.Value{":p": item.Text(fmt.Sprintf("p%d", p))}, Limit: 1 + r.IntN(3), Backward: backward, Select: tables.SelectAll}, false)
		same("the local index", slices.Clone(whole), texts(want), false)
		checkOrder(t, whole, "n", backward)
	}
	entries := map[string]int64{}
	for g := range 3 {
		var want, included []item.Item
		for _, x := range items {
			if x.Get("g").Text == fmt.Sprintf("g%d", g) {
				included = append(included, x.Only([]string{"pk", "sk", "g", "v"}))
				if x.Has("n") {
					want = append(want, x)
				}
			}
		}
		entries["by-g"] += int64(len(want))
		entries["include"] += int64(len(included))
		condition := "g = :g"
		values := map[string]item.Value{":g": item.Text(fmt.Sprintf("g%d", g))}
		got := pages(t, db, tables.Query{Table: "things", Index: "by-g", KeyCondition: &condition, Values: values, Limit: 1 + r.IntN(3), Backward: backward}, false)
		checkOrder(t, got, "n", backward)
		same("the global index", got, texts(want), false)
		same("the index with some attributes", pages(t, db, tables.Query{Table: "things", Index: "include", KeyCondition: &condition, Values: values}, false), texts(included), false)
	}
	for name, n := range entries {
		if status.Sizes[name].Items != n {
			t.Fatalf("the index %s counts %d entries, want %d", name, status.Sizes[name].Items, n)
		}
	}
}

func texts(items []item.Item) []string {
	var out []string
	for _, x := range items {
		out = append(out, string(x.JSON()))
	}
	return out
}

func checkOrder(t *testing.T, items []string, by string, backward bool) {
	t.Helper()
	for i := 1; i < len(items); i++ {
		order, _ := parse(t, items[i-1]).Get(by).Compare(parse(t, items[i]).Get(by))
		if !backward && order > 0 || backward && order < 0 {
			t.Fatalf("%s comes before %s", items[i-1], items[i])
		}
	}
}

// replay applies a stream to nothing and compares what comes out with the model.
func replay(t *testing.T, db *tables.DB, arn string, m model) {
	t.Helper()
	out := model{}
	for _, r := range drain(t, db, arn) {
		k := string(r.Keys)
		if out[k] != string(r.Old) {
			t.Fatalf("record %d says that %s was %s; it was %s", r.Sequence, k, r.Old, out[k])
		}
		if r.Event == stream.Remove {
			delete(out, k)
		} else {
			out[k] = string(r.New)
		}
	}
	if !maps.Equal(out, m) {
		t.Fatalf("the stream makes %d items, the table has %d", len(out), len(m))
	}
}
