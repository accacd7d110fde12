package item

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
)

func TestCanonical(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`{}`, `{}`},
		{` { "b" : {"S":"x"} , "a":{"N":"1.0"} } `, `{"a":{"N":"1"},"b":{"S":"x"}}`},
		{`{"a":{"NS":["3","1.0","2"]}}`, `{"a":{"NS":["1","2","3"]}}`},
		{`{"a":{"SS":["b","a"]}}`, `{"a":{"SS":["a","b"]}}`},
		{`{"a":{"BS":["Yg==","YQ=="]}}`, `{"a":{"BS":["YQ==","Yg=="]}}`},
		{`{"a":{"S":"\u0041\n\/\"\\\u0001\ud83d\ude00é"}}`, `{"a":{"S":"A\n/\"\\\u0001😀é"}}`},
		{`{"a":{"M":{"z":{"NULL":true},"y":{"BOOL":false}}}}`, `{"a":{"M":{"y":{"BOOL":false},"z":{"NULL":true}}}}`},
		{`{"a":{"L":[]},"b":{"M":{}},"c":{"S":""},"d":{"B":""}}`, `{"a":{"L":[]},"b":{"M":{}},"c":{"S":""},"d":{"B":""}}`},
		{`{"a":{"L":[{"N":"-0"},{"BOOL":true}]}}`, `{"a":{"L":[{"N":"0"},{"BOOL":true}]}}`},
		{`{"a":{"S":"x","N":null,"Z":{"deep":[1,2.5e3,"x",null,true,{}]}}}`, `{"a":{"S":"x"}}`},
	} {
		m, err := Parse(tc.in)
		if err != nil {
			t.Errorf("Parse(%s): %v", tc.in, err)
			continue
		}
		if got := string(m.JSON()); got != tc.want {
			t.Errorf("Parse(%s) = %s, want %s", tc.in, got, tc.want)
		}
	}
}

func TestRules(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{`{"a":{}}`, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
		{`{"a":{"X":"y"}}`, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
		{`{"a":{"S":"x","N":"1"}}`, "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"},
		{`{"a":{"NULL":false}}`, "One or more parameter values were invalid: Null attribute value types must have the value of true"},
		{`{"a":{"N":""}}`, "The parameter cannot be converted to a numeric value"},
		{`{"a":{"N":"b"}}`, "The parameter cannot be converted to a numeric value: b"},
		{`{"a":{"N":"1e126"}}`, "Number overflow. Attempting to store a number with magnitude larger than supported range"},
		{`{"a":{"N":"1e-131"}}`, "Number underflow. Attempting to store a number with magnitude smaller than supported range"},
		{`{"a":{"N":"123456789012345678901234567890123456789"}}`, "Attempting to store more than 38 significant digits in a Number"},
		{`{"a":{"SS":[]}}`, "One or more parameter values were invalid: An string set  may not be empty"},
		{`{"a":{"NS":[]}}`, "One or more parameter values were invalid: An number set  may not be empty"},
		{`{"a":{"BS":[]}}`, "One or more parameter values were invalid: Binary sets should not be empty"},
		{`{"a":{"SS":["a","a"]}}`, "One or more parameter values were invalid: Input collection [a, a] contains duplicates."},
		{`{"a":{"NS":["1","1.0"]}}`, "Input collection contains duplicates"},
		{`{"a":{"BS":["YQ==","YQ=="]}}`, "One or more parameter values were invalid: Input collection [YQ==, YQ==] of type BS contains duplicates."},
		{`{"a":{"SS":[""]}}`, "One or more parameter values were invalid: An string set may not have a empty string as a member"},
		{`{"a":{"BS":[""]}}`, "One or more parameter values were invalid: Binary sets may not contain null or empty values"},
		{`{"a":` + strings.Repeat(`{"L":[`, 33) + strings.Repeat(`]}`, 33) + `}`, "Nesting Levels have exceeded supported limits: lists and maps may be nested 32 deep"},
	} {
		_, err := Parse(tc.in)
		if !fault.Is(err, fault.Invalid, Subject) || err.Error() != tc.want {
			t.Errorf("Parse(%s): %v\nwant %s", tc.in, err, tc.want)
		}
	}
	if _, err := Parse(`{"a":` + strings.Repeat(`{"L":[`, 32) + strings.Repeat(`]}`, 32) + `}`); err != nil {
		t.Errorf("32 levels: %v", err)
	}
}

func TestSyntax(t *testing.T) {
	for _, in := range []string{
		``, `x`, `[]`, `{`, `{"a"}`, `{"a":}`, `{"a":{"S":5}}`, `{"a":{"N":5}}`, `{"a":{"S":"x"}`, `{"a":{"S":"x"}}}`, `{"a":{"S":"x"},}`,
		`{"a":{"BOOL":"true"}}`, `{"a":{"SS":"x"}}`, `{"a":{"L":{}}}`, `{"a":{"M":[]}}`, `{"a":{"B":"a"}}`, `{"a":{"B":"YQ=\n="}}`, `{"a":{"B":"%%%%"}}`,
		`{"a":{"S":"` + "\x01" + `"}}`, `{"a":{"S":"\ud800"}}`, `{"a":{"S":"\q"}}`, `{"a":{"S":"\u12"}}`, `{"a":{"S":"` + "\xff" + `"}}`,
		`{"a":{"S":"x"},"a":{"S":"y"}}`, `{"a":{"S":"x"},"b":{"S":"x"},"a":{"S":"y"}}`, `{"a":"x"}`, `{"a":null}`, `{a:{"S":"x"}}`,
		`{"a":{"X":` + strings.Repeat("[", 100_000),
	} {
		_, err := Parse(in)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("Parse(%.60s): %v, want a SyntaxError", in, err)
		}
	}
}

func TestSize(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int
	}{
		{`{}`, 0}, {`{"ab":{"S":"é"}}`, 4}, {`{"a":{"N":"0"}}`, 2}, {`{"a":{"N":"12345"}}`, 5}, {`{"a":{"N":"-1"}}`, 4}, {`{"a":{"N":"1000"}}`, 3},
		{`{"a":{"B":"YWJj"}}`, 4}, {`{"a":{"BOOL":true}}`, 2}, {`{"a":{"NULL":true}}`, 2}, {`{"a":{"SS":["ab","c"]}}`, 4},
		{`{"a":{"L":[]}}`, 4}, {`{"a":{"L":[{"S":"ab"}]}}`, 7}, {`{"a":{"M":{}}}`, 4}, {`{"a":{"M":{"k":{"S":"ab"}}}}`, 8},
	} {
		m, err := Parse(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Size(); got != tc.want {
			t.Errorf("Size(%s) = %d, want %d", tc.in, got, tc.want)
		}
	}
}

func TestWith(t *testing.T) {
	m, _ := Parse(`{"b":{"S":"1"},"d":{"S":"2"}}`)
	for _, tc := range []struct {
		name, value, want string
	}{
		{"a", "x", `{"a":{"S":"x"},"b":{"S":"1"},"d":{"S":"2"}}`},
		{"c", "x", `{"b":{"S":"1"},"c":{"S":"x"},"d":{"S":"2"}}`},
		{"d", "x", `{"b":{"S":"1"},"d":{"S":"x"}}`},
		{"b", "", `{"d":{"S":"2"}}`},
		{"z", "", `{"b":{"S":"1"},"d":{"S":"2"}}`},
	} {
		v := Text(tc.value)
		if tc.value == "" {
			v = Value{}
		}
		if got := string(m.With(tc.name, v).JSON()); got != tc.want {
			t.Errorf("With(%s, %s) = %s, want %s", tc.name, tc.value, got, tc.want)
		}
	}
	if got := string(m.JSON()); got != `{"b":{"S":"1"},"d":{"S":"2"}}` {
		t.Errorf("With changed its receiver: %s", got)
	}
}

func TestKeys(t *testing.T) {
	s := Schema{Hash: Definition{"pk", S}, Range: Definition{"sk", N}}
	for _, tc := range []struct{ in, want string }{
		{`{"pk":{"S":"a"},"sk":{"N":"1"}}`, ""},
		{`{"pk":{"S":"a"}}`, "The number of conditions on the keys is invalid"},
		{`{"pk":{"S":"a"},"sk":{"N":"1"},"x":{"S":"a"}}`, "The number of conditions on the keys is invalid"},
		{`{"pk":{"S":"a"},"x":{"N":"1"}}`, "The provided key element does not match the schema"},
		{`{"pk":{"N":"1"},"sk":{"N":"1"}}`, "The provided key element does not match the schema"},
		{`{"pk":{"S":""},"sk":{"N":"1"}}`, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{`{"pk":{"S":"` + strings.Repeat("a", 2049) + `"},"sk":{"N":"1"}}`, "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"},
	} {
		m, err := Parse(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := s.CheckKey(m); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("CheckKey(%.60s): %q\nwant %q", tc.in, got, tc.want)
		}
	}
	m, _ := Parse(`{"pk":{"S":"a"},"sk":{"S":"1"}}`)
	if err := s.CheckItem(m); err == nil || err.Error() != "One or more parameter values were invalid: Type mismatch for key sk expected: N actual: S" {
		t.Errorf("CheckItem: %v", err)
	}
	if err := s.CheckIndexed(m, "ix"); err == nil || err.Error() != "One or more parameter values were invalid: Type mismatch for Index Key sk Expected: N Actual: S IndexName: ix" {
		t.Errorf("CheckIndexed: %v", err)
	}
}

func TestSortableText(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	text := func() string {
		b := make([]byte, r.IntN(5))
		for i := range b {
			b[i] = []byte{0, 1, 2, 'a', 0xFE, 0xFF}[r.IntN(6)]
		}
		return string(b)
	}
	for range 50_000 {
		x, y := text(), text()
		want := strings.Compare(x, y)
		ex := append(AppendSortable(nil, Value{Type: B, Text: x}), 0xFF)
		ey := append(AppendSortable(nil, Value{Type: B, Text: y}), 0x00)
		if got := bytes.Compare(ex, ey); want != 0 && got != want {
			t.Fatalf("%q and %q compare as %d, want %d", x, y, got, want)
		}
		begins := bytes.HasPrefix(ex, AppendSortablePrefix(nil, Value{Type: B, Text: y}))
		if begins != strings.HasPrefix(x, y) {
			t.Fatalf("%q begins with %q: %v", x, y, begins)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"a":{"S":"x"},"b":{"N":"1.5"},"c":{"B":"YQ=="}}`, `{"a":{"M":{"b":{"L":[{"NULL":true},{"BOOL":false}]}}}}`,
		`{"a":{"NS":["1","2"]},"b":{"SS":["a"]},"c":{"BS":["YQ=="]}}`, `{"a":{"S":"\u00e9\ud83d\ude00\n"}}`, `{"a":{"X":[1,{"y":null}]}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := Parse(s)
		if err != nil {
			return
		}
		out := m.JSON()
		if !json.Valid([]byte(s)) {
			t.Fatalf("accepted what is not JSON: %q", s)
		}
		if !json.Valid(out) {
			t.Fatalf("%q became what is not JSON: %q", s, out)
		}
		again, err := Parse(string(out))
		if err != nil {
			t.Fatalf("%q became %q: %v", s, out, err)
		}
		if !bytes.Equal(again.JSON(), out) || again.Size() != m.Size() {
			t.Fatalf("%q became %q, which became %q", s, out, again.JSON())
		}
	})
}

var sample = `{"pk":{"S":"customer#1234567"},"sk":{"S":"order#2026-11-22T10:00:00Z"},"total":{"N":"123.45"},"status":{"S":"shipped"},` +
	`"lines":{"L":[{"M":{"sku":{"S":"A-1"},"n":{"N":"2"}}}]}}`

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(sample); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	m, _ := Parse(sample)
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		m.JSON()
	}
}
