package warehousetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

// testOddItems has items at the edges of what DynamoDB takes.
func testOddItems(e *env) {
	var items []change.Row
	add := func(pk, sk, rest string) {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(pk)
		items = append(items, change.Row{Keys: [2]string{pk, sk}, Doc: []byte(`{"pk":{"S":"` + quoted + `"},"sk":{"N":"` + sk + `"}` + rest + `}`)})
	}
	add("large", "1", `,"text":{"S":"`+strings.Repeat("0123456789", 39_000)+`"}`)
	for _, sk := range []string{"0", "-1", "12345678901234567", "1234567890123456789012345678", "-9999999999999999999999999999.9999999999", "0.0000000001", "123.45"} {
		add("number", sk, `,"exact":{"N":"`+sk+`"}`)
	}
	for _, pk := range []string{"ü", "日本語", "🙂", `quote " and \ back`, "it's", "a\nb\tc", " blanks ", "NULL", "a,b", strings.Repeat("k", 2048)} {
		add(pk, "1", `,"copy":{"S":"x"}`)
	}
	add("Case", "1", "")
	add("case", "1", "")
	add("attributes", "1", `,"N":{"N":"123456789012345678901234567890.12345678"},"tiny":{"N":"1E-130"},"B":{"B":"AAECAw=="},"BOOL":{"BOOL":true},"nil":{"NULL":true},"":{"S":""},"a b\"c":{"L":[{"M":{"x":{"SS":["p","q"]}}},{"NS":["1","2"]}]}`)
	e.own()
	g := e.begin("id", change.Marks{})
	e.load(batch("part", "1", items...))
	e.publish()
	e.sees(modelOf(items...))
	for i := range items {
		items[i].Doc = []byte(strings.TrimSuffix(string(items[i].Doc), "}") + `,"again":{"BOOL":false}}`)
	}
	e.apply(g, batch("shard", "1", items...))
	e.sees(modelOf(items...))
	for i := range items {
		items[i].Doc = nil
	}
	e.apply(g, batch("shard", "2", items...))
	e.sees(model{})
}

// testMisfits has items no warehouse can keep as they are: an error says which and why, and nothing changes.
func testMisfits(e *env) {
	g := e.live(put("a", 1, 1))
	for what, row := range map[string]change.Row{
		"a number that is none": {Keys: [2]string{"x", "many"}, Doc: []byte(`{"pk":{"S":"x"},"sk":{"N":"many"}}`)},
		"a key that is no text": {Keys: [2]string{"\xff", "1"}, Doc: []byte(`{"pk":{"S":"?"},"sk":{"N":"1"}}`)},
		"text that is none":     {Keys: [2]string{"x", "1"}, Doc: []byte(`{"pk":{"S":"x"},"sk":{"N":"1"},"t":{"S":"` + "\xff" + `"}}`)},
	} {
		err := e.r.Apply(e.ctx, g, batch("shard", "9", put("b", 1, 1), row, put("a", 1, 2)))
		if !fault.Is(err, fault.Invalid, "item") || !strings.Contains(fault.Message(err), schema.Table) {
			e.Errorf("%s: %v", what, err)
		}
	}
	e.sees(modelOf(put("a", 1, 1)))
	live, _ := e.own()
	if live.Marks["shard"] != "0" {
		e.Errorf("marks = %v after batches that failed", live.Marks)
	}
	e.begin("id 2", change.Marks{})
	if err := e.r.Load(e.ctx, batch("part", "1", put("b", 1, 1), change.Row{Keys: [2]string{"x", "1E+126"}, Doc: []byte(`{"pk":{"S":"x"},"sk":{"N":"1E+126"}}`)})); err != nil && !fault.Is(err, fault.Invalid, "item") {
		e.Errorf("Load: %v", err)
	}
}

// testRandom does what a pipeline does in an order of chance, with restarts and stale owners in between, and
// compares everything with a model.
func testRandom(e *env, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // repeatable on purpose
	const keys = 60
	var (
		published model // nil: nothing is
		loading   *change.Generation
		live      *change.Generation
		rows      model                      // of the snapshot being loaded
		aside     []change.Row               // for it
		position  = map[int64]change.Marks{} // of the stream, by generation
		snapshot  change.Marks
		version   int
	)
	some := func() (rows []change.Row) {
		for range r.IntN(30) {
			version++
			k := r.IntN(keys)
			if row := put(fmt.Sprintf("k%d", k%7), k, version); r.IntN(4) == 0 {
				rows = append(rows, change.Row{Keys: row.Keys})
			} else {
				rows = append(rows, row)
			}
		}
		return rows
	}
	check := func(step int) {
		if published == nil {
			e.seesNothing()
		} else {
			e.sees(published)
		}
		_ = step
	}
	recovered := func(l, n *change.Generation) {
		e.Helper()
		for _, p := range []struct{ got, want *change.Generation }{{l, live}, {n, loading}} {
			switch {
			case (p.got == nil) != (p.want == nil):
				e.Fatalf("recovered %+v, want %+v", p.got, p.want)
			case p.got != nil && (p.got.Number != p.want.Number || !maps.Equal(p.got.Marks, position[p.got.Number]) || p.want == loading && (!maps.Equal(p.got.Snapshot, snapshot) || p.got.Loaded != int64(len(rows)))):
				e.Fatalf("recovered %+v; marks should be %v and %v, loaded %d", p.got, position[p.got.Number], snapshot, len(rows))
			}
		}
		live, loading = l, n
	}
	recovered(e.own())
	for step := range 80 {
		switch n := r.IntN(20); {
		case n == 0:
			recovered(e.restart())
		case n == 1:
			stale := e.r
			recovered(e.own())
			if live != nil {
				if err := stale.Apply(e.ctx, live, batch("s0", "stale", some()...)); !conflict(err) {
					e.Fatalf("stale Apply: %v", err)
				}
			}
			if err := stale.Publish(e.ctx); !conflict(err) {
				e.Fatalf("stale Publish: %v", err)
			}
		case n <= 3 || live == nil && loading == nil:
			loading = e.begin(fmt.Sprint(step), change.Marks{"s0": "0", "s1": "0"})
			position[loading.Number] = change.Marks{"s0": "0", "s1": "0"}
			rows, aside, snapshot = model{}, nil, change.Marks{}
		case n <= 8 && loading != nil:
			var fresh []change.Row
			for range r.IntN(10) {
				k := r.IntN(keys)
				row := put(fmt.Sprintf("k%d", k%7), k, -step)
				if _, known := rows[row.Keys]; !known {
					fresh = append(fresh, row)
					rows.apply(row)
				}
			}
			part := fmt.Sprintf("p%d", r.IntN(3))
			e.load(batch(part, fmt.Sprint(step), fresh...))
			snapshot[part] = fmt.Sprint(step)
		case n <= 12 && loading != nil:
			changes, part := some(), fmt.Sprintf("s%d", r.IntN(2))
			e.apply(loading, batch(part, fmt.Sprint(step), changes...))
			aside = append(aside, changes...)
			position[loading.Number][part] = fmt.Sprint(step)
		case n <= 14 && loading != nil:
			e.publish()
			rows.apply(aside...)
			published, live, loading = rows, loading, nil
			rows, aside, snapshot = nil, nil, nil
		case live != nil:
			changes, part := some(), fmt.Sprintf("s%d", r.IntN(2))
			e.apply(live, batch(part, fmt.Sprint(step), changes...))
			published.apply(changes...)
			position[live.Number][part] = fmt.Sprint(step)
		}
		check(step)
	}
	recovered(e.restart())
	check(-1)
}
