package duckdb

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

func (v int128) big() *big.Int {
	n := new(big.Int).Lsh(big.NewInt(v.upper), 64)
	return n.Add(n, new(big.Int).SetUint64(v.lower))
}

func TestDecimalKey(t *testing.T) {
	t.Parallel()
	nines := strings.Repeat("9", 28)
	for _, tc := range []struct {
		text, want string // unscaled; "" for none
		cut        bool
	}{
		{"0", "0", false},
		{"1", "10000000000", false},
		{"-1", "-10000000000", false},
		{"+7.5", "75000000000", false},
		{"12345678.9", "123456789000000000", false},
		{"123456789.0123456789", "1234567890123456789", false},
		{"0.0000000001", "1", false},
		{"0.00000000019", "1", true},
		{"-0.00000000001", "0", true},
		{"1E-130", "0", true},
		{"1.50000000000000", "15000000000", false},
		{"1E+3", "10000000000000", false},
		{"1e27", "10000000000000000000000000000000000000", false},
		{"-1E27", "-10000000000000000000000000000000000000", false},
		{"18446744073709551616e-10", "18446744073709551616", false}, // the lower half is zero
		{"-18446744073709551616e-10", "-18446744073709551616", false},
		{nines + ".9999999999", nines + "9999999999", false},
		{"-" + nines + ".99999999999", "-" + nines + "9999999999", true},
		{"000000000000000000000000000000000000000000005", "50000000000", false},
		{nines + "9", "", false},
		{"1E+125", "", false},
		{"1E+28", "", false},
		{"", "", false},
		{".", "", false},
		{"-", "", false},
		{"1e", "", false},
		{"0x1F", "", false},
		{"1_000", "", false},
		{"1e99999999999", "", false},
		{"NaN", "", false},
		{"1 ", "", false},
	} {
		got, whole, err := decimalKey(tc.text)
		if tc.want == "" {
			if err == nil {
				t.Errorf("%q is %v", tc.text, got.big())
			}
			continue
		}
		if err != nil || got.big().String() != tc.want || whole == tc.cut {
			t.Errorf("%q is %v, whole %v, %v; want %s", tc.text, got.big(), whole, err, tc.want)
		}
	}
}

// FuzzDecimalKey holds the conversion against exact arithmetic.
func FuzzDecimalKey(f *testing.F) {
	for _, s := range []string{"1", "-0.5", "1E-130", "9999999999999999999999999999.99999999999", "12e3", "1.e5", ".5E-2", "-00012.3400"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, whole, err := decimalKey(text)
		if err != nil {
			return
		}
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%q is no number", text)
		}
		exact.Mul(exact, new(big.Rat).SetInt64(1e10))
		if want := new(big.Int).Quo(exact.Num(), exact.Denom()); got.big().Cmp(want) != 0 || whole != exact.IsInt() {
			t.Errorf("%q is %v, whole %v; want %v", text, got.big(), whole, want)
		}
	})
}

func testShape(t testing.TB, truncate, accept bool) shape {
	s, err := newShape(change.Schema{Table: "T", Keys: []change.KeyColumn{{Name: "pk", Type: change.String}, {Name: "n", Type: change.Number}}}, truncate, accept)
	if err != nil {
		t.Fatal(err)
	}
	s.maxDoc, s.maxKeyText = 200, 20
	return s
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 300)
	for _, tc := range []struct{ name, doc, strict, accepted string }{ // "" is refused
		{"plain", `{"pk":{"S":"a"}}`, `{"pk":{"S":"a"}}`, `{"pk":{"S":"a"}}`},
		{"escapes", `{"a":{"S":"\\ud800 \u00fc \ud83d\ude42 \u0000"}}`, `{"a":{"S":"\\ud800 \u00fc \ud83d\ude42 \u0000"}}`, `{"a":{"S":"\\ud800 \u00fc \ud83d\ude42 \u0000"}}`},
		{"high half", `{"a":{"S":"x\uD83Dy"}}`, "", `{"a":{"S":"x?y"}}`},
		{"low half", `{"a":{"S":"\ude42"}}`, "", `{"a":{"S":"?"}}`},
		{"two high halves", `{"a":{"S":"\ud83d\ud83d\ude42"}}`, "", `{"a":{"S":"?\ud83d\ude42"}}`},
		{"bytes", "{\"a\":{\"S\":\"x\xff\xfey\"}}", "", `{"a":{"S":"x?y"}}`},
	} {
		for _, accept := range []bool{false, true} {
			want := tc.strict
			if accept {
				want = tc.accepted
			}
			got, err := testShape(t, false, accept).doc([]byte(tc.doc))
			if string(got) != want || (err == nil) != (want != "") {
				t.Errorf("%s, accept %v: %s, %v", tc.name, accept, got, err)
			}
		}
	}
	s := testShape(t, true, false)
	got, err := s.doc([]byte(`{"pk":{"S":"key"},"n":{"N":"1"},"short":{"S":"<&>"},"long":{"S":"` + long + `"}}`))
	var item map[string]map[string]string
	if err != nil || len(got) > 200 || !utf8.Valid(got) || json.Unmarshal(got, &item) != nil || item["pk"]["S"] != "key" || item["n"]["N"] != "1" || item["short"]["S"] != "<&>" || len(item["long"]["S"]) < 50 || !strings.HasPrefix(long, item["long"]["S"]) {
		t.Errorf("cut: %s, %v", got, err)
	}
	for _, doc := range []string{`{"pk":{"S":"` + long + `"}}`, `{"b":{"B":"` + long + `"}}`, `{"l":{"L":[{"S":"` + long + `"}]}}`, `[` + long + `]`} {
		if got, err := s.doc([]byte(doc)); err == nil {
			t.Errorf("cut: %s", got)
		}
	}
	if _, err := testShape(t, false, true).doc([]byte(`{"a":{"S":"` + long + `"}}`)); err == nil || !strings.Contains(err.Error(), "TRUNCATECOLUMNS") {
		t.Errorf("too long: %v", err)
	}
}

// FuzzSurrogates checks that what is replaced is valid for every reader afterwards.
func FuzzSurrogates(f *testing.F) {
	for _, s := range []string{`"\ud800"`, `"\\ud800"`, `"\ud83d\ude42"`, `"\\\ude42\u"`, `"\ud8`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		fixed, bad := replaceLoneSurrogates(doc)
		if !bad && string(fixed) != string(doc) {
			t.Errorf("%q became %q", doc, fixed)
		}
		if again, bad := replaceLoneSurrogates(fixed); bad || string(again) != string(fixed) {
			t.Errorf("%q became %q and then %q", doc, fixed, again)
		}
		if json.Valid(doc) && !json.Valid(fixed) {
			t.Errorf("%q became %q", doc, fixed)
		}
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 20)
	for _, tc := range []struct {
		name             string
		typ              change.KeyType
		text             string
		truncate, accept bool
		want, message    string
		cut              bool
	}{
		{"text", change.String, "ü", false, false, "ü", "", false},
		{"nul", change.String, "a\x00b", false, false, "", "ACCEPTINVCHARS", false},
		{"nul accepted", change.String, "a\x00b", false, true, "a?b", "", true},
		{"not text", change.String, "\xff", false, true, "", "UTF-8", false},
		{"long", change.String, long, false, false, "", "TRUNCATECOLUMNS", false},
		{"long cut", change.String, "x" + long, true, false, "x" + strings.Repeat("ü", 9), "", true},
		{"binary", change.Binary, "AP8=", false, false, "\x00\xff", "", false},
		{"binary without padding", change.Binary, "AP8", false, false, "", "base64", false},
		{"binary with loose bits", change.Binary, "AP9=", false, false, "", "base64", false},
		{"long binary", change.Binary, strings.Repeat("AAAA", 10), true, false, "", "shorten", false},
	} {
		got, whole, err := testShape(t, tc.truncate, tc.accept).key(change.KeyColumn{Name: "pk", Type: tc.typ}, tc.text)
		if tc.message != "" {
			if err == nil || !strings.Contains(err.Error(), tc.message) {
				t.Errorf("%s: %q, %v", tc.name, got.text, err)
			}
		} else if err != nil || got.text != tc.want || whole == tc.cut {
			t.Errorf("%s: %q, whole %v, %v", tc.name, got.text, whole, err)
		}
	}
	_, _, err := testShape(t, false, false).rows([]change.Row{{Keys: [2]string{"a", "1"}}, {Keys: [2]string{"b", "1E+99"}}})
	if !fault.Is(err, fault.Invalid, SubjectItem) || fault.Message(err) == "" || !strings.Contains(fault.Message(err), `table "T", item pk="b", n="1E+99", attribute "n": the number 1E+99 has more than 28 digits`) {
		t.Errorf("refused: %v", err)
	}
}

func TestShapes(t *testing.T) {
	t.Parallel()
	key := func(name string) change.KeyColumn { return change.KeyColumn{Name: name, Type: change.String} }
	for _, tc := range []struct {
		name string
		s    change.Schema
	}{
		{"no table", change.Schema{Keys: []change.KeyColumn{key("a")}}},
		{"hidden table", change.Schema{Table: "Penstock$rows_1", Keys: []change.KeyColumn{key("a")}}},
		{"long table", change.Schema{Table: strings.Repeat("t", 128), Keys: []change.KeyColumn{key("a")}}},
		{"no key", change.Schema{Table: "t"}},
		{"three keys", change.Schema{Table: "t", Keys: []change.KeyColumn{key("a"), key("b"), key("c")}}},
		{"same keys", change.Schema{Table: "t", Keys: []change.KeyColumn{key("id"), key("ID")}}},
		{"value", change.Schema{Table: "t", Keys: []change.KeyColumn{key("Value")}}},
		{"long key", change.Schema{Table: "t", Keys: []change.KeyColumn{key(strings.Repeat("k", 128))}}},
		{"key that is no text", change.Schema{Table: "t", Keys: []change.KeyColumn{key("\xff")}}},
		{"key of another type", change.Schema{Table: "t", Keys: []change.KeyColumn{{Name: "a", Type: 'M'}}}},
	} {
		if _, err := newShape(tc.s, false, false); !fault.Is(err, fault.Unsupported, SubjectRelation) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
