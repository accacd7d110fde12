package dynamodb

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/tables/number"
)

var twoKeys = []change.KeyColumn{{Name: "pk", Type: change.String}, {Name: "sk", Type: change.Number}}

// randomText has everything that is awkward in a string.
func randomText(r *rand.Rand) string {
	alphabet := []rune("abc XYZ019\"\\/\b\f\n\r\t\x00\x1f\x7f<>&é€𝄞\u2028\uFFFD")
	n := r.IntN(12)
	if r.IntN(8) == 0 {
		n = r.IntN(300)
	}
	var b strings.Builder
	for range n {
		if r.IntN(3) > 0 {
			b.WriteByte('m')
		} else {
			b.WriteRune(alphabet[r.IntN(len(alphabet))])
		}
	}
	return b.String()
}

func randomNumber(r *rand.Rand) string {
	switch r.IntN(4) {
	case 0:
		return strconv.Itoa(r.IntN(2000) - 1000)
	case 1:
		return strconv.FormatFloat(r.NormFloat64()*1e6, 'g', -1, 64)
	case 2:
		return strings.Repeat("9", 1+r.IntN(38))
	}
	return fmt.Sprintf("%d.%06dE%d", r.IntN(10), r.IntN(1_000_000), r.IntN(200)-100)
}

func randomValue(r *rand.Rand, depth int) any {
	kinds := 8
	if depth < 4 {
		kinds = 10
	}
	list := func(f func() any) []any {
		out := make([]any, r.IntN(4))
		for i := range out {
			out[i] = f()
		}
		return out
	}
	switch r.IntN(kinds) {
	case 0, 1:
		return map[string]any{"S": randomText(r)}
	case 2:
		return map[string]any{"N": randomNumber(r)}
	case 3:
		return map[string]any{"B": []byte(randomText(r))}
	case 4:
		return map[string]any{"BOOL": r.IntN(2) == 0}
	case 5:
		return map[string]any{"NULL": true}
	case 6:
		return map[string]any{"SS": list(func() any { return randomText(r) })}
	case 7:
		return map[string]any{[]string{"NS", "BS"}[r.IntN(2)]: list(func() any { return randomNumber(r) })}
	case 8:
		return map[string]any{"M": randomMembers(r, depth+1)}
	}
	return map[string]any{"L": list(func() any { return randomValue(r, depth+1) })}
}

func randomMembers(r *rand.Rand, depth int) map[string]any {
	m := map[string]any{}
	n := r.IntN(6)
	if r.IntN(40) == 0 {
		n = 150 // more than are compared one by one
	}
	for range n {
		m[randomText(r)] = randomValue(r, depth)
	}
	return m
}

func randomItem(r *rand.Rand) map[string]any {
	m := randomMembers(r, 0)
	m["pk"] = map[string]any{"S": "k" + randomText(r)}
	m["sk"] = map[string]any{"N": randomNumber(r)}
	return m
}

// encode writes JSON as different servers would: with and without needless escapes and white space.
func encode(r *rand.Rand, v any) []byte {
	var b bytes.Buffer
	e := stdjson.NewEncoder(&b)
	e.SetEscapeHTML(r.IntN(2) == 0)
	if r.IntN(3) == 0 {
		e.SetIndent([]string{"", "\t"}[r.IntN(2)], []string{" ", ""}[r.IntN(2)])
	}
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	out := b.Bytes()
	if r.IntN(4) == 0 { // an escape where none is needed, in names too
		out = bytes.ReplaceAll(out, []byte("mm"), []byte(`\u006dm`))
		out = bytes.ReplaceAll(out, []byte(`"pk"`), []byte(`"\u0070k"`))
	}
	return out
}

// compacted is the reference for documents.
func compacted(t testing.TB, raw []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := stdjson.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// keysOf is the reference for keys.
func keysOf(t testing.TB, raw []byte) [2]string {
	t.Helper()
	var m struct {
		PK struct{ S string } `json:"pk"`
		SK struct{ N string } `json:"sk"`
	}
	if err := stdjson.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	n, err := number.Parse(m.SK.N)
	if err != nil {
		t.Fatal(err)
	}
	return [2]string{m.PK.S, n.String()}
}

// TestScanRandom compares what is cut out with what encoding/json makes of the same answers.
func TestScanRandom(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	c := &cutter{keys: twoKeys}
	for round := range 2000 {
		items := make([]any, r.IntN(6))
		for i := range items {
			items[i] = randomItem(r)
		}
		answer := map[string]any{"Items": items, "Count": len(items), "ScannedCount": 1e3, "New": []any{nil, true, -0.5e-7, map[string]any{"x": "y"}}}
		last := ""
		if r.IntN(2) == 0 {
			key := map[string]any{"pk": map[string]any{"S": randomText(r)}}
			answer["LastEvaluatedKey"], last = key, "?"
		}
		body := encode(r, answer)
		var want struct {
			Items            []stdjson.RawMessage
			LastEvaluatedKey stdjson.RawMessage
		}
		if err := stdjson.Unmarshal(body, &want); err != nil {
			t.Fatal(err)
		}
		page, err := c.scan(slices.Clone(body), 0)
		if err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, body)
		}
		if last != "" {
			last = compacted(t, want.LastEvaluatedKey)
		}
		if len(page.rows) != len(want.Items) || page.last != last {
			t.Fatalf("round %d: %d rows and the key %q, want %d and %q", round, len(page.rows), page.last, len(want.Items), last)
		}
		for i, row := range page.rows {
			if doc := compacted(t, want.Items[i]); string(row.Doc) != doc || row.Keys != keysOf(t, want.Items[i]) {
				t.Fatalf("round %d: row %d is %q %s\nwant %q %s", round, i, row.Keys, row.Doc, keysOf(t, want.Items[i]), doc)
			}
		}
	}
}

func TestStreamRandom(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	c := &cutter{keys: twoKeys}
	for round := range 1000 {
		var records []any
		for range r.IntN(6) {
			m := randomItem(r)
			change := map[string]any{
				"Keys": map[string]any{"pk": m["pk"], "sk": m["sk"]}, "SequenceNumber": strconv.Itoa(1000 + len(records)), "SizeBytes": 3,
				"ApproximateCreationDateTime": 1_700_000_000 + len(records)*2, "StreamViewType": "NEW_AND_OLD_IMAGES",
			}
			event := []string{"INSERT", "MODIFY", "REMOVE"}[r.IntN(3)]
			if event != "REMOVE" {
				change["NewImage"] = m
			}
			if event != "INSERT" {
				change["OldImage"] = randomItem(r)
			}
			records = append(records, map[string]any{"eventName": event, "dynamodb": change, "awsRegion": "us-east-1", "userIdentity": nil})
		}
		answer := map[string]any{"Records": records, "NextShardIterator": []any{nil, "next|" + randomText(r)}[r.IntN(2)]}
		if len(records) == 0 {
			answer["Records"] = []any{}
		}
		body := encode(r, answer)
		var want struct {
			Records []struct {
				EventName string
				Dynamodb  struct {
					Keys, NewImage              stdjson.RawMessage
					ApproximateCreationDateTime int64
					SequenceNumber              string
				}
			}
			NextShardIterator string
		}
		if err := stdjson.Unmarshal(body, &want); err != nil {
			t.Fatal(err)
		}
		page, err := c.stream(slices.Clone(body))
		if err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, body)
		}
		if page.next != want.NextShardIterator || len(page.rows) != len(want.Records) {
			t.Fatalf("round %d: %d records and then %q, want %d and %q", round, len(page.rows), page.next, len(want.Records), want.NextShardIterator)
		}
		for i, w := range want.Records {
			doc := ""
			if w.EventName != "REMOVE" {
				doc = compacted(t, w.Dynamodb.NewImage)
			}
			if row := page.rows[i]; string(row.Doc) != doc || (row.Doc == nil) != (doc == "") || row.Keys != keysOf(t, w.Dynamodb.Keys) {
				t.Fatalf("round %d: row %d is %q %s, want %s", round, i, row.Keys, row.Doc, doc)
			}
		}
		if n := len(want.Records); n > 0 && (page.last != want.Records[n-1].Dynamodb.SequenceNumber || page.newest.Unix() != want.Records[n-1].Dynamodb.ApproximateCreationDateTime) {
			t.Fatalf("round %d: ends with %s at %v", round, page.last, page.newest)
		}
	}
}

func scanBody(item string) string { return `{"Items":[` + item + `]}` }

func recordBody(record string) string { return `{"Records":[` + record + `],"NextShardIterator":"n"}` }

// TestBadAnswers wants errors that say what is wrong and where.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	const good = `"pk":{"S":"a"},"sk":{"N":"1"}`
	const change = `"Keys":{` + good + `},"SequenceNumber":"1"`
	deep := strings.Repeat(`{"L":[`, 100) + `{"S":"x"}` + strings.Repeat(`]}`, 100)
	for _, tc := range []struct {
		body, want string
		short      bool
	}{
		{``, `ends where { was expected`, true},
		{`<html>`, `found "<html>" where`, false},
		{`{"Items":[`, `ends where { was expected`, true},
		{`{"Items":[{"pk":{"S":"a`, "ends within a string, in item 1", true},
		{`{"Items":[{"pk":{"S":"a\`, "ends within a string", true},
		{`{"Items":[{"pk":{"S":"a\u00`, "hexadecimal", false},
		{`{"Items":[]`, "a comma or }", true},
		{`{"Items":[]}x`, "the end of the answer", false},
		{`{"Items":[],"Items":[]}`, "Items is given twice", false},
		{`{"Items":[],}`, "a name", false},
		{`{"Items":null}`, `was expected`, false},
		{`{"Count":0}`, "Items is missing", false},
		{`{"Count":3,"Items":[]}`, "Count is 3 and there are 0 items", false},
		{`{"Count":"3","Items":[]}`, "a number was expected", false},
		{`{"Count":01,"Items":[]}`, "a comma or }", false},
		{`{"Items":[],"X":{"a":[1,2,}}`, "a value was expected", false},
		{`{"Items":[],"X":nul}`, "a value was expected", false},
		{`{"Items":[],"X":` + strings.Repeat("[", 500), "too deep", false},
		{scanBody(`{"sk":{"N":"1"}}`), `the key attribute "pk" is missing, in item 1`, false},
		{scanBody(`{"pk":{"N":"1"},"sk":{"N":"1"}}`), `"pk" is not of the type S`, false},
		{scanBody(`{"pk":{"M":{"x":{"S":"1"}}},"sk":{"N":"1"}}`), `"pk" is not of the type S`, false},
		{scanBody(`{"pk":{"S":""},"sk":{"N":"1"}}`), `"pk" is empty`, false},
		{scanBody(`{"pk":{"S":"a"},"sk":{"N":"one"}}`), `"sk" is no number of DynamoDB's: not a number, in item 1 (pk "a")`, false},
		{scanBody(`{"pk":{"S":"a"},"sk":{"N":"1E999"}}`), `larger than the supported range`, false},
		{scanBody(`{` + good + `},{` + good + `,"x":{"S":1}}`), `found "1}}]}" where a string was expected, in item 2 (pk "a")`, false},
		{scanBody(`{` + good + `,"x":{"Q":"1"}}`), `no attribute type "Q"`, false},
		{scanBody(`{` + good + `,"x":{}}`), "a name was expected", false},
		{scanBody(`{` + good + `,"x":"text"}`), `{ was expected`, false},
		{scanBody(`{` + good + `,"x":{"S":"a","N":"1"}}`), `} was expected`, false},
		{scanBody(`{` + good + `,"x":{"BOOL":"true"}}`), "true or false", false},
		{scanBody(`{` + good + `,"x":{"SS":["a",1]}}`), "a string was expected", false},
		{scanBody(`{` + good + `,"pk":{"S":"b"}}`), `the name "pk" is given twice, in item 1 (pk "a")`, false},
		{scanBody(`{` + good + `,"x":{"M":{"a":{"S":"1"},"\u0061":{"S":"2"}}}}`), `the name "a" is given twice`, false},
		{scanBody(`{` + good + `,"x":` + deep + `}`), "more than 64 deep", false},
		{scanBody(`{` + good + ",\"x\":{\"S\":\"\xff\"}}"), "not UTF-8 (0xff)", false},
		{scanBody(`{` + good + ",\"x\":{\"S\":\"\xed\xa0\x80\"}}"), "not UTF-8", false},
		{scanBody(`{` + good + ",\"x\":{\"S\":\"a\nb\"}}"), "a control character, 0x0a", false},
		{scanBody(`{` + good + `,"x":{"S":"\ud800"}}`), `\ud800 is half a character`, false},
		{scanBody(`{` + good + `,"x":{"S":"\ud800\u0041"}}`), "half a character", false},
		{scanBody(`{` + good + `,"x":{"S":"\q"}}`), `no escape \q`, false},
		{`{"Records":[{}]}`, "no Keys or no SequenceNumber, in record 1", false},
		{recordBody(`{"eventName":"INSERT","dynamodb":{"Keys":{` + good + `},"NewImage":{` + good + `}}}`), "no SequenceNumber", false},
		{recordBody(`{"eventName":"UPSERT","dynamodb":{` + change + `}}`), `the eventName is "UPSERT", in record 1 (pk "a")`, false},
		{recordBody(`{"eventName":"MODIFY","dynamodb":{` + change + `}}`), noImage, false},
		{recordBody(`{"eventName":"MODIFY","dynamodb":{` + change + `,` + change + `}}`), "Keys is given twice", false},
		{recordBody(`{"eventName":"MODIFY","dynamodb":{` + change + `,"ApproximateCreationDateTime":"soon"}}`), "not a time", false},
		{recordBody(`{"eventName":"MODIFY","dynamodb":{` + change + `,"ApproximateCreationDateTime":1e300}}`), "not a time", false},
		{recordBody(`{"eventName":"MODIFY","dynamodb":{` + change + `,"ApproximateCreationDateTime":1e999}}`), "out of range", false},
		{`{"Records":[],"NextShardIterator":7}`, "a string was expected", false},
		{`{"NextShardIterator":"n"}`, "Records is missing", false},
	} {
		c := &cutter{keys: twoKeys}
		var err error
		if strings.Contains(tc.body, "Items") || strings.Contains(tc.body, "Count") || tc.body == "" || tc.body[0] == '<' {
			_, err = c.scan([]byte(tc.body), 0)
		} else {
			_, err = c.stream([]byte(tc.body))
		}
		var bad *bodyError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), tc.want) || bad.short != tc.short {
			t.Errorf("%.120s\n\tgives %v (short: %v)\n\twant %s", tc.body, err, bad != nil && bad.short, tc.want)
		}
	}
}

// TestCutOff wants an error for every beginning of a good answer.
func TestCutOff(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	c := &cutter{keys: twoKeys}
	body := bytes.TrimSpace(encode(r, map[string]any{"Items": []any{randomItem(r), randomItem(r)}, "Count": 2, "LastEvaluatedKey": map[string]any{"pk": map[string]any{"S": "é"}}}))
	for n := range body {
		if _, err := c.scan(slices.Clone(body[:n]), 0); err == nil {
			t.Fatalf("%d of %d bytes are taken for an answer: %s", n, len(body), body[:n])
		}
	}
}

// reference reads an answer to Scan with a strict library; ok is false if it is not one.
func reference(body []byte) (docs []string, keys [][2]string, ok bool) {
	var answer struct{ Items []jsontext.Value }
	if !strings.Contains(string(body), "Items") || json.Unmarshal(body, &answer) != nil || answer.Items == nil {
		return nil, nil, false
	}
	for _, raw := range answer.Items {
		var m map[string]jsontext.Value
		if json.Unmarshal(raw, &m) != nil || m == nil {
			return nil, nil, false
		}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !validValue(m[name]) {
				return nil, nil, false
			}
		}
		var k struct {
			PK *struct{ S string } `json:"pk"`
			SK *struct{ N string } `json:"sk"`
		}
		if json.Unmarshal(raw, &k) != nil || k.PK == nil || k.SK == nil || k.PK.S == "" {
			return nil, nil, false
		}
		n, err := number.Parse(k.SK.N)
		if err != nil || raw.Compact(jsontext.PreserveRawStrings(true)) != nil {
			return nil, nil, false
		}
		docs, keys = append(docs, string(raw)), append(keys, [2]string{k.PK.S, n.String()})
	}
	return docs, keys, true
}

func validValue(raw jsontext.Value) bool {
	var m map[string]jsontext.Value
	if json.Unmarshal(raw, &m) != nil || len(m) != 1 {
		return false
	}
	for kind, v := range m {
		switch kind {
		case "S", "N", "B":
			return v.Kind() == '"'
		case "BOOL", "NULL":
			return v.Kind() == 't' || v.Kind() == 'f'
		case "SS", "NS", "BS":
			var list []jsontext.Value
			return v.Kind() == '[' && json.Unmarshal(v, &list) == nil && !slices.ContainsFunc(list, func(e jsontext.Value) bool { return e.Kind() != '"' })
		case "L":
			var list []jsontext.Value
			return v.Kind() == '[' && json.Unmarshal(v, &list) == nil && !slices.ContainsFunc(list, func(e jsontext.Value) bool { return !validValue(e) })
		case "M":
			var m map[string]jsontext.Value
			if v.Kind() != '{' || json.Unmarshal(v, &m) != nil {
				return false
			}
			for _, e := range m {
				if !validValue(e) {
					return false
				}
			}
			return true
		}
	}
	return false
}

// FuzzScan: what is accepted is JSON whose items come out unharmed, and what a strict reader accepts is accepted.
func FuzzScan(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		f.Add(encode(r, map[string]any{"Items": []any{randomItem(r), randomItem(r)}}))
	}
	f.Add([]byte(`{"Items":[{"pk":{"S":"\ud83d\ude00"},"sk":{"N":"-0.10e+2"}}],"Count":1,"LastEvaluatedKey":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &cutter{keys: twoKeys}
		page, err := c.scan(slices.Clone(body), 4)
		docs, keys, ok := reference(body)
		if err != nil {
			var members map[string]jsontext.Value // of others, the reference knows nothing
			if ok && json.Unmarshal(body, &members) == nil && len(members) == 1 && !strings.Contains(err.Error(), "deep") {
				t.Fatalf("refused: %v\n%s", err, body)
			}
			return
		}
		if !stdjson.Valid(body) {
			t.Fatalf("accepted: %s", body)
		}
		for i, row := range page.rows {
			if !stdjson.Valid(row.Doc) || ok && (string(row.Doc) != docs[i] || row.Keys != keys[i]) {
				t.Fatalf("row %d is %q %s, want %q %s", i, row.Keys, row.Doc, keys[i], docs[i])
			}
		}
		if ok && len(page.rows) != len(docs) {
			t.Fatalf("%d rows, want %d", len(page.rows), len(docs))
		}
	})
}

// FuzzStream: no answer to GetRecords makes it panic, and what is accepted is JSON.
func FuzzStream(f *testing.F) {
	const good = `"pk":{"S":"a"},"sk":{"N":"1"}`
	f.Add([]byte(recordBody(`{"eventName":"MODIFY","dynamodb":{"Keys":{` + good + `},"NewImage":{` + good + `},"SequenceNumber":"12","ApproximateCreationDateTime":1.7e9}}`)))
	f.Add([]byte(recordBody(`{"eventName":"REMOVE","dynamodb":{"Keys":{` + good + `},"OldImage":{` + good + `},"SequenceNumber":"12","ApproximateCreationDateTime":"2026-01-01T00:00:00Z"}}`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := &cutter{keys: twoKeys}
		page, err := c.stream(slices.Clone(body))
		if err != nil {
			return
		}
		if !stdjson.Valid(body) || (len(page.rows) > 0) != (page.last != "") {
			t.Fatalf("accepted with %d rows: %s", len(page.rows), body)
		}
		for _, row := range page.rows {
			if row.Doc != nil && !stdjson.Valid(row.Doc) || row.Keys[0] == "" || row.Keys[1] == "" {
				t.Fatalf("row %q %s", row.Keys, row.Doc)
			}
		}
	})
}

// onePage is an answer to Scan with items of about 1 KB and 12 attributes.
func onePage(items int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"Count":%d,"Items":[`, items)
	for i := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"pk":{"S":"customer#%010d"},"sk":{"N":"%d"}`, i, i)
		for a := range 10 {
			fmt.Fprintf(&b, `,"attribute%02d":{"S":"%s"}`, a, strings.Repeat("x", 67))
		}
		b.WriteString("}")
	}
	b.WriteString(`],"LastEvaluatedKey":{"pk":{"S":"a"},"sk":{"N":"1"}},"ScannedCount":3}`)
	return b.Bytes()
}

func BenchmarkCutScan(b *testing.B) {
	body := onePage(1000)
	c := &cutter{keys: twoKeys}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.scan(body, 1000); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCutStream(b *testing.B) {
	var body bytes.Buffer
	body.WriteString(`{"Records":[`)
	items := onePage(1)
	item := items[bytes.IndexByte(items, '[')+1 : bytes.LastIndexByte(items, ']')]
	for i := range 500 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"eventID":"%032d","eventName":"MODIFY","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":1790000000,`+
			`"Keys":{"pk":{"S":"%d"},"sk":{"N":"1"}},"NewImage":%s,"OldImage":%s,"SequenceNumber":"%021d","SizeBytes":2000,"StreamViewType":"NEW_AND_OLD_IMAGES"}}`, i, i, item, item, i)
	}
	body.WriteString(`],"NextShardIterator":"next"}`)
	c := &cutter{keys: twoKeys}
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if page, err := c.stream(body.Bytes()); err != nil || len(page.rows) != 500 {
			b.Fatal(err)
		}
	}
}

// BenchmarkValid is the measure for BenchmarkCutScan: encoding/json only checking the same answer.
func BenchmarkValid(b *testing.B) {
	body := onePage(1000)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if !stdjson.Valid(body) {
			b.Fatal("not valid")
		}
	}
}
