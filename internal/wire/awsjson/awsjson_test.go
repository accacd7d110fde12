package awsjson_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/wire/awsjson"
	"github.com/penstock-io/penstock/internal/wire/input"
)

// thing is decoded the way generated shapes are.
type thing struct {
	Name  *string
	Count *int32
	Big   *int64
	Part  *float64
	On    *bool
	When  *time.Time
	Day   *time.Time
	Bytes []byte
	Tags  []string
	Pairs map[string]string
	Inner *thing
	List  []thing
	Rows  [][]thing
}

func decodeThing(d *awsjson.Decoder) thing {
	var v thing
	if !d.Object() {
		return v
	}
	for name := d.Member(); name != nil; name = d.Member() {
		switch string(name) {
		case "Name":
			v.Name = awsjson.Ptr(d, (*awsjson.Decoder).String)
		case "Count":
			v.Count = awsjson.Ptr(d, (*awsjson.Decoder).Int32)
		case "Big":
			v.Big = awsjson.Ptr(d, (*awsjson.Decoder).Int64)
		case "Part":
			v.Part = awsjson.Ptr(d, (*awsjson.Decoder).Float64)
		case "On":
			v.On = awsjson.Ptr(d, (*awsjson.Decoder).Bool)
		case "When":
			v.When = awsjson.Ptr(d, (*awsjson.Decoder).Time)
		case "Day":
			v.Day = awsjson.Ptr(d, (*awsjson.Decoder).TimeISO)
		case "Bytes":
			if !d.Null() {
				v.Bytes = d.Blob()
			}
		case "Tags":
			v.Tags = awsjson.List(d, (*awsjson.Decoder).String)
		case "Pairs":
			v.Pairs = awsjson.Map(d, (*awsjson.Decoder).String)
		case "Inner":
			v.Inner = awsjson.Ptr(d, decodeThing)
		case "List":
			v.List = awsjson.List(d, decodeThing)
		case "Rows":
			v.Rows = awsjson.List(d, func(d *awsjson.Decoder) []thing { return awsjson.List(d, decodeThing) })
		default:
			d.Unknown()
		}
	}
	return v
}

// appendThing encodes as generated shapes are.
func appendThing(b []byte, v *thing) []byte {
	start := len(b)
	if v.Name != nil {
		b = append(b, `,"Name":`...)
		b = awsjson.AppendString(b, *v.Name)
	}
	if v.Part != nil {
		b = append(b, `,"Part":`...)
		b = awsjson.AppendFloat(b, *v.Part)
	}
	if v.When != nil {
		b = append(b, `,"When":`...)
		b = awsjson.AppendTime(b, *v.When)
	}
	if v.Day != nil {
		b = append(b, `,"Day":`...)
		b = awsjson.AppendTimeISO(b, *v.Day)
	}
	if v.Bytes != nil {
		b = append(b, `,"Bytes":`...)
		b = awsjson.AppendBlob(b, v.Bytes)
	}
	if v.Inner != nil {
		b = append(b, `,"Inner":`...)
		b = appendThing(b, v.Inner)
	}
	return awsjson.Close(b, start)
}

func ptr[T any](v T) *T { return &v }

func TestDecode(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]thing{
		"":                     {},
		" \n ":                 {},
		"{}":                   {},
		`{"Name":"a\u00fc\n"}`: {Name: ptr("aü\n")},
		`{"N\u0061me":"a"}`:    {Name: ptr("a")},
		`{"Name":null,"Tags":null,"Pairs":null,"Inner":null,"Bytes":null}`: {},
		`{"__type":"x#Thing","Name":""}`:                                   {Name: ptr("")},
		`{"Count":-5,"Big":9007199254740993}`:                              {Count: ptr(int32(-5)), Big: ptr(int64(9007199254740993))},
		`{"Count":5.0,"Big":1e3}`:                                          {Count: ptr(int32(5)), Big: ptr(int64(1000))},
		`{"Part":-1.5e-3,"On":false}`:                                      {Part: ptr(-0.0015), On: ptr(false)},
		`{"Part":"-Infinity"}`:                                             {Part: ptr(math.Inf(-1))},
		`{"When":1772625600}`:                                              {When: ptr(noon)},
		`{"When":1.772625600123E9}`:                                        {When: ptr(noon.Add(123 * time.Millisecond))},
		`{"When":-1.5}`:                                                    {When: ptr(time.Unix(-2, 5e8).UTC())},
		`{"Day":"2026-03-04T13:00:00+01:00"}`:                              {Day: ptr(noon)},
		`{"Bytes":"","Tags":[],"Pairs":{}}`:                                {Bytes: []byte{}, Tags: []string{}, Pairs: map[string]string{}},
		`{"Bytes":"AP8="}`:                                                 {Bytes: []byte{0, 255}},
		`{"Tags":["a","b"],"Pairs":{"k":"v","__type":"w"}}`:                {Tags: []string{"a", "b"}, Pairs: map[string]string{"k": "v", "__type": "w"}},
		`{"Inner":{"Inner":{}},"List":[{},{"On":true}],"Rows":[[],[{}]]}`: {
			Inner: &thing{Inner: &thing{}}, List: []thing{{}, {On: ptr(true)}}, Rows: [][]thing{{}, {{}}}},
	} {
		got, err := awsjson.Decode([]byte(in), decodeThing)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", in, got, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in      string
		problem input.Problem
		text    string
	}{
		{`[]`, input.Mistyped, "Expected an object but found an array at the top of the body"},
		{`"x"`, input.Mistyped, "Expected an object but found a string"},
		{`nul`, input.Unreadable, "not valid JSON"},
		{`{`, input.Unreadable, "not valid JSON"},
		{`{"Name"`, input.Unreadable, "not valid JSON"},
		{`{"Name":}`, input.Unreadable, "not valid JSON"},
		{`{"Name":"a",}`, input.Unreadable, "not valid JSON"},
		{`{Name:"a"}`, input.Unreadable, "not valid JSON"},
		{`{"Name":"a"}x`, input.Unreadable, "not valid JSON"},
		{`{"Name":"a"}[]`, input.Unreadable, "after the end"},
		{`{"Name":"a","Name":"b"}`, input.Unreadable, "/Name more than once"},
		{`{"Pairs":{"a":"","a":""}}`, input.Unreadable, "/Pairs/a more than once"},
		{`{"Name":"` + "\xff" + `"}`, input.Unreadable, "UTF-8"},
		{`{"` + "\xff" + `":1}`, input.Unreadable, "UTF-8"},
		{`{"Nam":1}`, input.Unknown, "/Nam is not a member"},
		{`{"List":[{},{"x":{}}]}`, input.Unknown, "/List/1/x is not a member"},
		{`{"Name":1}`, input.Mistyped, "Expected a string but found a number at /Name"},
		{`{"Name":{"a":1}}`, input.Mistyped, "Expected a string but found an object at /Name"},
		{`{"Name":[`, input.Mistyped, "Expected a string but found an array"},
		{`{"Count":"1"}`, input.Mistyped, "Expected a whole number but found a string at /Count"},
		{`{"Count":1.5}`, input.Mistyped, "whole number of 32 bits but found 1.5"},
		{`{"Count":2147483648}`, input.Mistyped, "32 bits"},
		{`{"Count":2147483648.0}`, input.Mistyped, "32 bits"},
		{`{"Big":9223372036854775808}`, input.Mistyped, "64 bits"},
		{`{"Part":"1"}`, input.Mistyped, "Expected a number but found a string at /Part"},
		{`{"Part":1e999}`, input.Mistyped, "number of 64 bits"},
		{`{"On":"true"}`, input.Mistyped, "Expected a boolean but found a string"},
		{`{"On":0}`, input.Mistyped, "Expected a boolean but found a number"},
		{`{"When":"2026-03-04T12:00:00Z"}`, input.Mistyped, "seconds since 1970 but found a string"},
		{`{"When":1e300}`, input.Mistyped, "seconds since 1970"},
		{`{"Day":1772625600}`, input.Mistyped, "Expected a string but found a number"},
		{`{"Day":"today"}`, input.Mistyped, "Expected a time such as"},
		{`{"Bytes":"A"}`, input.Mistyped, "base64"},
		{`{"Tags":"a"}`, input.Mistyped, "Expected an array but found a string"},
		{`{"Tags":["a",null]}`, input.Mistyped, "Expected a string but found null at /Tags/1"},
		{`{"Pairs":{"a":null}}`, input.Mistyped, "Expected a string but found null at /Pairs/a"},
		{`{"Pairs":[]}`, input.Mistyped, "Expected an object but found an array"},
		{`{"List":[null]}`, input.Mistyped, "Expected an object but found null"},
		{strings.Repeat(`{"Inner":`, awsjson.MaxDepth+1), input.Unreadable, "nested more than 128 levels"},
		{`{"Rows":` + strings.Repeat(`[`, 10), input.Mistyped, "Expected an object but found an array"},
	} {
		_, err := awsjson.Decode([]byte(c.in), decodeThing)
		if err == nil || err.Problem != c.problem || !strings.Contains(err.Message, c.text) {
			t.Errorf("%.60s: got %v, want problem %d, %q", c.in, err, c.problem, c.text)
		}
	}
}

// What is decoded must not change when the body's buffer is used again.
func TestDecodeKeepsNothingOfTheBody(t *testing.T) {
	t.Parallel()
	body := []byte(`{"Name":"first","Pairs":{"key":"value"},"Bytes":"AAEC"}`)
	v, err := awsjson.Decode(body, decodeThing)
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		body[i] = 'x'
	}
	if *v.Name != "first" || v.Pairs["key"] != "value" || string(v.Bytes) != "\x00\x01\x02" {
		t.Errorf("got %+v", v)
	}
}

func TestAppendScalars(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{string(awsjson.AppendString(nil, `a "b" \c`+"\n\x00ü\xff")), `"a \"b\" \\c\n\u0000ü` + "\uFFFD" + `"`},
		{string(awsjson.AppendString(nil, "")), `""`},
		{string(awsjson.AppendFloat(nil, 1)), "1"},
		{string(awsjson.AppendFloat(nil, -0.25)), "-0.25"},
		{string(awsjson.AppendFloat(nil, 1e300)), "1e+300"},
		{string(awsjson.AppendFloat(nil, math.NaN())), `"NaN"`},
		{string(awsjson.AppendFloat(nil, math.Inf(1))), `"Infinity"`},
		{string(awsjson.AppendFloat(nil, math.Inf(-1))), `"-Infinity"`},
		{string(awsjson.AppendTime(nil, time.Unix(1772625600, 0))), "1772625600"},
		{string(awsjson.AppendTime(nil, time.Unix(1772625600, 7e6))), "1772625600.007"},
		{string(awsjson.AppendTime(nil, time.Unix(-2, 5e8))), "-1.5"},
		{string(awsjson.AppendTimeISO(nil, time.Unix(1772625600, 7e6))), `"2026-03-04T12:00:00.007Z"`},
		{string(awsjson.AppendBlob(nil, []byte{0, 255})), `"AP8="`},
		{string(awsjson.Close([]byte(`x`), 1)), `x{}`},
		{string(awsjson.Close([]byte(`x,"a":1`), 1)), `x{"a":1}`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"Name":"a","Count":1,"Tags":["x"],"Pairs":{"a":"b"}}`, `{"Inner":{"Inner":{"When":1.5}},"Bytes":"AAA="}`, `{"Rows":[[{}],[]]}`,
		`{"Name":"\ud83c\udf89"}`, `[[[[`, `{"Day":"2026-03-04T12:00:00Z","Part":"NaN"}`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := awsjson.Decode(body, decodeThing)
		if err != nil {
			if err.Message == "" || !utf8.ValidString(err.Message) {
				t.Errorf("message %q", err.Message)
			}
			return
		}
		if len(strings.TrimSpace(string(body))) > 0 && !json.Valid(body) {
			t.Errorf("accepted what is not JSON: %q", body)
		}
		encoded := appendThing(nil, &v)
		again, err := awsjson.Decode(encoded, decodeThing)
		if err != nil {
			t.Fatalf("%v: %s", err, encoded)
		}
		if v.Name != nil && *again.Name != *v.Name || v.When != nil && !again.When.Equal(*v.When) || string(again.Bytes) != string(v.Bytes) {
			t.Errorf("%s: %+v came back as %+v", body, v, again)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(`{"Name":"select count(*) from orders","Count":100,"On":true,"Tags":["a","b"],"List":[{"Name":"x"},{"Name":"y"}]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := awsjson.Decode(body, decodeThing); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	v := thing{Name: ptr("arn:aws:redshift:us-east-1:123456789012:integration:4c2f3a1e-7a58-4a0e-9d3c-2f6b8f0a1b2c"), When: ptr(time.Unix(1772625600, 0))}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendThing(buf[:0], &v)
	}
}
