package awsquery_test

import (
	"encoding/xml"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/wire/awsquery"
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
	Tags  []string
	Pairs map[string]string
	Inner *thing
	List  []thing
	Table [][]string
}

func decodeThing(d *awsquery.Decoder, in awsquery.Value) thing {
	var v thing
	for name, f := range d.Members(in) {
		switch name {
		case "Name":
			v.Name = awsquery.Ptr(d, f, (*awsquery.Decoder).String)
		case "Count":
			v.Count = awsquery.Ptr(d, f, (*awsquery.Decoder).Int32)
		case "Big":
			v.Big = awsquery.Ptr(d, f, (*awsquery.Decoder).Int64)
		case "Part":
			v.Part = awsquery.Ptr(d, f, (*awsquery.Decoder).Float64)
		case "On":
			v.On = awsquery.Ptr(d, f, (*awsquery.Decoder).Bool)
		case "When":
			v.When = awsquery.Ptr(d, f, (*awsquery.Decoder).Time)
		case "Tags":
			v.Tags = awsquery.List(d, f, "Tag", (*awsquery.Decoder).String)
		case "Pairs":
			v.Pairs = awsquery.Map(d, f, "key", "value", (*awsquery.Decoder).String)
		case "Inner":
			v.Inner = awsquery.Ptr(d, f, decodeThing)
		case "List":
			v.List = awsquery.List(d, f, "member", decodeThing)
		case "Table":
			v.Table = awsquery.List(d, f, "member", func(d *awsquery.Decoder, in awsquery.Value) []string {
				return awsquery.List(d, in, "member", (*awsquery.Decoder).String)
			})
		default:
			d.Unknown(f)
		}
	}
	return v
}

func decode(query, form string) (awsquery.Request, thing, *input.Error) {
	r, err := awsquery.Parse(query, form)
	if err != nil {
		return r, thing{}, err
	}
	var d awsquery.Decoder
	v := decodeThing(&d, r.Input)
	return r, v, d.Err()
}

func ptr[T any](v T) *T { return &v }

func TestDecode(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, form string
		want       thing
	}{
		{"nothing", "", thing{}},
		{"scalars", "Name=a+b%2Bc&Count=-7&Big=9007199254740993&Part=1.5&On=true&When=2026-03-04T12:00:00.5Z",
			thing{Name: ptr("a b+c"), Count: ptr(int32(-7)), Big: ptr(int64(9007199254740993)), Part: ptr(1.5), On: ptr(true),
				When: ptr(time.Date(2026, 3, 4, 12, 0, 0, 5e8, time.UTC))}},
		{"digits stay text", "Name=0123", thing{Name: ptr("0123")}},
		{"empty and absent differ", "Name=&On=false", thing{Name: ptr(""), On: ptr(false)}},
		{"no equals sign", "Name", thing{Name: ptr("")}},
		{"empty items", "&&Name=a&", thing{Name: ptr("a")}},
		{"list in any order", "Tags.Tag.2=b&Tags.Tag.10=j&Tags.Tag.1=a&Tags.Tag.3=c&Tags.Tag.9=i&Tags.Tag.4=d&Tags.Tag.5=e&Tags.Tag.6=f&Tags.Tag.7=g&Tags.Tag.8=h",
			thing{Tags: strings.Split("abcdefghij", "")}},
		{"empty list", "Tags=", thing{Tags: []string{}}},
		{"map", "Pairs.entry.1.value=1&Pairs.entry.2.key=b.c&Pairs.entry.1.key=a&Pairs.entry.2.value=", thing{Pairs: map[string]string{"a": "1", "b.c": ""}}},
		{"nested", "Inner.Inner.Name=x&Inner.Name=y&List.member.1.Tags.Tag.1=z&List.member.2.Name=w",
			thing{Inner: &thing{Name: ptr("y"), Inner: &thing{Name: ptr("x")}}, List: []thing{{Tags: []string{"z"}}, {Name: ptr("w")}}}},
		{"list of lists", "Table.member.1.member.1=a&Table.member.2.member.1=b&Table.member.1.member.2=c", thing{Table: [][]string{{"a", "c"}, {"b"}}}},
		{"signature's parameters", "Name=a&X-Amz-Date=1&x-amz-security-token=2&AWSAccessKeyId=3&SignatureVersion=4", thing{Name: ptr("a")}},
	}
	for _, c := range cases {
		for _, inURL := range []bool{false, true} {
			query, form := "", "Action=A&Version=V&"+c.form
			if inURL {
				query, form = form, ""
			}
			r, got, err := decode(query, form)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			} else if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
			}
			if r.Action != "A" || r.Version != "V" {
				t.Errorf("%s: action %q, version %q", c.name, r.Action, r.Version)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		form    string
		problem input.Problem
		text    string
	}{
		{"Nam=x", input.Unknown, "Nam is not a parameter"},
		{"Inner.Nam=x", input.Unknown, "Inner.Nam is not"},
		{"Name-x=y&Name=a", input.Unknown, "Name-x"},
		{"Inner=x", input.Mistyped, "Inner is a structure"},
		{"Inner=x&Inner.Name=y", input.Mistyped, "Inner is a structure"},
		{"Name=a&Name.b=c", input.Mistyped, "Name takes a single value"},
		{"Tags.Tag=a", input.Mistyped, "Tags.Tag is a structure"},
		{"Tags.Tag.1.2=a", input.Mistyped, "Tags.Tag.1 takes a single value"},
		{"Tags.Tag.=a", input.Mistyped, "numbered from 1"},
		{"Tags.Tag.+1=a", input.Mistyped, "numbered from 1"},
		{"Tags.member.1=a", input.Unknown, "Tags.member"},
		{"Tags.Tag.2=a", input.Mistyped, "1 is missing"},
		{"Tags.Tag.9223372036854775807=a", input.Mistyped, "1 is missing"},
		{"Pairs.entry.1.key=a", input.Mistyped, "both a key and a value"},
		{"Pairs.entry.1.key=a&Pairs.entry.1.value=b&Pairs.entry.1.x=c", input.Unknown, "Pairs.entry.1.x"},
		{"Count=1.5", input.Mistyped, "Count must be a whole number"},
		{"Count=", input.Mistyped, "Count must be a whole number"},
		{"Count=2147483648", input.Mistyped, "32 bits"},
		{"Big=9223372036854775808", input.Mistyped, "64 bits"},
		{"Part=x", input.Mistyped, "must be a number"},
		{"On=True", input.Mistyped, "true or false"},
		{"On=1", input.Mistyped, "true or false"},
		{"When=yesterday", input.Mistyped, "must be a time"},
		{"Name=a&Name=a", input.Unreadable, "more than once"},
		{"Name=%GG", input.Unreadable, "percent-encoded"},
		{"%=a", input.Unreadable, "percent-encoded"},
		{"Name=%00", input.Unreadable, "control character 0x00"},
		{"Name=\xff", input.Unreadable, "UTF-8"},
		{strings.Repeat("&", awsquery.MaxParameters), input.Unreadable, "more than"},
	} {
		_, _, err := decode("", c.form)
		if err == nil || err.Problem != c.problem || !strings.Contains(err.Message, c.text) {
			t.Errorf("%.60q: got %v, want problem %d, %q", c.form, err, c.problem, c.text)
		}
	}
}

func TestAppendText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "plain": "plain", "longer than eight bytes, plain": "longer than eight bytes, plain",
		`<a href="x">&</a>`:            "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;",
		"eight...<":                    "eight...&lt;",
		"a\tb\nc\rd":                   "a\tb\nc&#xD;d",
		"\x00\x01\x1f":                 "\uFFFD\uFFFD\uFFFD",
		"\xff\xc3":                     "\uFFFD\uFFFD",
		"\uFFFE\uFFFF":                 "\uFFFD\uFFFD",
		"grün, 日本, 🎉, and \u0085 rest": "grün, 日本, 🎉, and \u0085 rest",
		"12345678\x7f2345678":          "12345678\x7f2345678",
	} {
		if got := string(awsquery.AppendText(nil, in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// Each special byte at each offset of a word: the fast path must not miss one.
func TestAppendTextAtEveryOffset(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for offset := range 24 {
			plain := strings.Repeat("x", 24)
			in := plain[:offset] + string([]byte{byte(c)}) + plain[offset:]
			got := string(awsquery.AppendText(nil, in))
			want := plain[:offset] + string(awsquery.AppendText(nil, string([]byte{byte(c)}))) + plain[offset:]
			if got != want {
				t.Fatalf("byte %#x at %d: got %q, want %q", c, offset, got, want)
			}
		}
	}
}

func TestAppendTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 13, 0, 0, 7_999_999, time.FixedZone("", 3600))
	if got := string(awsquery.AppendTime(nil, at)); got != "2026-03-04T12:00:00.007Z" {
		t.Error(got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"Action=A&Name=x&Tags.Tag.1=a&Tags.Tag.2=b", "Pairs.entry.1.key=a&Pairs.entry.1.value=b", "Inner.List.member.1.Count=1",
		"Tags.Tag.99999999999=a", "Tags..=&.=&=&%00", "Table.member.1.member.1=a", "Name=%F0%9F%8E%89",
	} {
		f.Add(seed, "")
		f.Add("", seed)
	}
	f.Fuzz(func(t *testing.T, query, form string) {
		_, v, err := decode(query, form)
		if err != nil {
			return
		}
		if n := strings.Count(query+"&"+form, "&") + 1; size(v) > n { // nothing comes from nothing
			t.Errorf("%d parameters became %d values: %+v", n, size(v), v)
		}
		if v.Name != nil && !utf8.ValidString(*v.Name) {
			t.Errorf("decoded %q", *v.Name)
		}
	})
}

func size(v thing) int {
	n := len(v.Tags) + len(v.Pairs)
	for _, e := range v.List {
		n += max(1, size(e))
	}
	for _, row := range v.Table {
		n += max(1, len(row))
	}
	if v.Inner != nil {
		n += size(*v.Inner)
	}
	return n
}

func FuzzAppendText(f *testing.F) {
	f.Add("<&>\"'\r\n\x00\xff", "日本")
	f.Fuzz(func(t *testing.T, a, b string) {
		doc := append([]byte("<x>"), awsquery.AppendText(nil, a+b)...)
		var got struct {
			Text string `xml:",chardata"`
		}
		if err := xml.Unmarshal(append(doc, "</x>"...), &got); err != nil {
			t.Fatalf("%v: %q", err, doc)
		}
		clean := true
		for _, r := range a + b {
			clean = clean && (r >= ' ' || r == '\t' || r == '\n' || r == '\r') && r != 0xFFFE && r != 0xFFFF && r != utf8.RuneError
		}
		if clean && got.Text != a+b {
			t.Errorf("%q came back as %q", a+b, got.Text)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	form := url.Values{"Action": {"A"}, "Version": {"2012-12-01"}, "Name": {"arn:aws:s3:::orders"}, "Count": {"100"},
		"Tags.Tag.1": {"a"}, "Tags.Tag.2": {"b"}, "Pairs.entry.1.key": {"k"}, "Pairs.entry.1.value": {"v"}}.Encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := decode("", form); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendText(b *testing.B) {
	text := "arn:aws:redshift:us-east-1:123456789012:integration:4c2f3a1e-7a58-4a0e-9d3c-2f6b8f0a1b2c"
	buf := make([]byte, 0, 256)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		buf = awsquery.AppendText(buf[:0], text)
	}
}
func TestAppendTimeIsTheLayout(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("x", -5*3600-30*60)
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(-1, 999_999_999), time.Date(1, 2, 3, 4, 5, 6, 7_000_000, time.UTC), time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, zone),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, want := string(awsquery.AppendTime(nil, at)), at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
