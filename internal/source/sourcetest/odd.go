package sourcetest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/tables/number"
)

// oddItems are items at the limits of what a table takes, as JSON by key. largest is how many bytes names and
// values may have.
func oddItems(largest int) map[string]string {
	deep := `{"S":"at the bottom"}`
	for range 15 { // two levels at a time
		deep = `{"L":[{"M":{"deeper":` + deep + `}}]}`
	}
	numbers := []string{
		strings.Repeat("9", 38), "-" + strings.Repeat("8", 38), "0." + strings.Repeat("1", 38), "9.9999999999999999999999999999999999999E+125", "-1E-130", "1E125", "0", "-1",
		"12345678901234567890.123456789012345678",
	}
	var list []string
	for _, n := range numbers {
		list = append(list, `{"N":"`+n+`"}`)
	}
	items := map[string]string{
		"numbers": `"list":{"L":[` + strings.Join(list, ",") + `]},"set":{"NS":["3","-2.5","` + numbers[0] + `"]}`,
		"texts": `"empty":{"S":""},"text":{"S":"\u0000\u001f\"\\/<>&\u2028 \u00e9 \ud834\udd1e \ufffd"},"set":{"SS":["a","é"]},` +
			`"a \"name\" \\ \u00e9":{"S":"x"},"Items":{"S":"Count"},"LastEvaluatedKey":{"M":{}}`,
		"binary":  `"bytes":{"B":"AAECA/z9/v8="},"none":{"B":""},"set":{"BS":["AA==","/w=="]}`,
		"nested":  `"deep":` + deep + `,"empty":{"M":{}},"none":{"L":[]},"null":{"NULL":true},"yes":{"BOOL":true},"no":{"BOOL":false}`,
		"escapes": `"pad":{"S":"` + strings.Repeat(`\u0001`, 100_000) + `"}`,
		"wide":    `"w0":{"N":"0"}`,
		"large":   `"pad":{"S":"` + strings.Repeat("x", largest-len("pk")-len("large")-len("pad")) + `"}`,
		"larger":  `"pad":{"S":"` + strings.Repeat("é", (largest-len("pk")-len("larger")-len("pad"))/2) + `"}`,
	}
	for i := range 2000 {
		items["wide"] += fmt.Sprintf(`,"attribute%04d":{"N":"%d"}`, i, i)
	}
	for key, attributes := range items {
		items[key] = fmt.Sprintf(`{"pk":{"S":%q},%s}`, key, attributes)
	}
	return items
}

// testOdd has each such item come as it was written, from the snapshot and from the stream, with an older image of
// the same size beside it.
func testOdd(e *env) {
	e.create(false, bothImages)
	src := e.open()
	from, err := src.Start(e.Context())
	e.must(err)
	want := oddItems(cmp.Or(e.MaxItem, 400<<10))
	for range 2 {
		for key, item := range want {
			if err := e.Endpoint.Put(e.Context(), e.table, item); err != nil {
				e.Fatalf("put %s: %v", key, err)
			}
		}
	}
	got := map[string]int{}
	take := func(page change.Page) {
		for _, row := range page.Rows {
			key := row.Keys[0]
			got[key]++
			if !same([]byte(want[key]), row.Doc) {
				e.Errorf("%s is %.300s, want %.300s", key, row.Doc, want[key])
			}
		}
	}
	e.must(src.Snapshot(e.Context(), nil, func(_ context.Context, page change.Page) error {
		take(page)
		return nil
	}))
	if len(got) != len(want) {
		e.Errorf("the snapshot has %v", got)
	}
	clear(got)
	ctx, cancel := context.WithTimeout(e.Context(), patience)
	defer cancel()
	records := 0
	err = src.Stream(ctx, from, func(_ context.Context, page change.Page) error {
		take(page)
		if records += len(page.Rows); records >= len(want) && len(got) == len(want) { // a change that changes nothing may have no record
			return errEnough
		}
		return nil
	}, func(context.Context, time.Time) error { return nil })
	if !errors.Is(err, errEnough) {
		e.Errorf("the stream has %v, %v", got, err)
	}
}

// same reports whether a document is compact and says what another does. Numbers may be written in other ways.
func same(want, doc []byte) bool {
	var a, b any
	var compact bytes.Buffer
	if json.Unmarshal(want, &a) != nil || json.Unmarshal(doc, &b) != nil || json.Compact(&compact, doc) != nil || !bytes.Equal(compact.Bytes(), doc) {
		return false
	}
	return alike(a, b)
}

func alike(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		if n, ok := a["N"].(string); ok && len(a) == 1 {
			m, ok := b["N"].(string)
			return ok && alikeNumbers(n, m)
		}
		for _, kind := range []string{"SS", "NS", "BS"} {
			if _, ok := a[kind].([]any); ok && len(a) == 1 {
				return alikeSets(kind, a[kind], b[kind])
			}
		}
		for name, value := range a {
			other, ok := b[name]
			if !ok || !alike(value, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !alike(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	return a == b
}

func alikeNumbers(a, b string) bool {
	x, err1 := number.Parse(a)
	y, err2 := number.Parse(b)
	return err1 == nil && err2 == nil && x.String() == y.String()
}

// alikeSets compares sets, which have no order.
func alikeSets(kind string, a, b any) bool {
	elements := func(set any) map[string]bool {
		out := map[string]bool{}
		list, _ := set.([]any)
		for _, one := range list {
			text, _ := one.(string)
			if n, err := number.Parse(text); kind == "NS" && err == nil {
				text = n.String()
			}
			out[text] = true
		}
		return out
	}
	return fmt.Sprint(elements(a)) == fmt.Sprint(elements(b))
}
