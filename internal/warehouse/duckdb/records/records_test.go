package records

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/load"
)

func write(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readAll prints a file's records: "line:field|field", with ~ for NULL, or "line!code@column".
func readAll(t testing.TB, content string, spec load.Spec, columns ...string) []string {
	t.Helper()
	r, err := Open(write(t, []byte(content)), spec, columns, make([]bool, len(columns)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []string
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			return append(out, err.Error())
		}
		if p := rec.Problem; p != nil {
			out = append(out, fmt.Sprintf("%d!%d@%d", rec.Line, p.Code, p.Column))
			continue
		}
		var fields []string
		for _, f := range rec.Fields {
			text := f.Text
			if f.Null {
				text = "~"
			}
			fields = append(fields, text)
		}
		out = append(out, fmt.Sprintf("%d:%s", rec.Line, strings.Join(fields, "|")))
	}
}

var (
	csvSpec  = load.Spec{Format: load.CSV, Delimiter: ",", Quote: `"`, NullAs: `\N`}
	textSpec = load.Spec{Format: load.Text, Delimiter: "|", NullAs: `\N`}
	jsonSpec = load.Spec{Format: load.JSON}
)

func TestDelimited(t *testing.T) {
	ab := []string{"a", "b"}
	for _, c := range []struct {
		name, content string
		spec          load.Spec
		want          []string
	}{
		{"text", "1|x\n2|y", textSpec, []string{"1:1|x", "2:2|y"}},
		{"goes on after problems", "1\n2|y\n3|z|q\n4|w\n", textSpec, []string{"1!1214@0", "2:2|y", "3!1202@-1", "4:4|w"}},
		{"null", `\N|\N` + "\n", textSpec, []string{"1:~|~"}},
		{"no quotes in text", "\"a|b\"\n", textSpec, []string{`1:"a|b"`}},
		{"bad text", "a\xc3|b\nc|d\n", textSpec, []string{"1!1220@0", "2:c|d"}},
		{"NUL", "a|b\x00\n", textSpec, []string{"1!1216@1"}},
		{"quotes", "\"a,\"\"b\"\"\",\"\"\n", csvSpec, []string{`1:a,"b"|`}},
		{"newlines in quotes", "\"a\n\nb\",c\nd,e\n", csvSpec, []string{"1:a\n\nb|c", "4:d|e"}},
		{"quote inside", "a\"b,c\"\n", csvSpec, []string{`1:a"b|c"`}},
		{"open quote goes to the end", "a,b\n\"c,d\ne,f\n", csvSpec, []string{"1:a|b", "2!1200@-1"}},
		{"text after quote", "\"a\"b,c\nd,e\n", csvSpec, []string{"1!1200@0", "2:d|e"}},
		{"spaces around quotes", "  \"a\"  , \"b\"\n", csvSpec, []string{"1:a|b"}},
		{"crlf", "a,b\r\n\"c\r\n\",d\r\n", csvSpec, []string{"1:a|b", "2:c\r\n|d"}},
		{"blank lines", "\n\r\na,b\n\n", csvSpec, []string{"3:a|b"}},
		{"byte order mark", "\xef\xbb\xbfa,b\n", csvSpec, []string{"1:a|b"}},
		{"nothing", "", csvSpec, nil},
		{"one newline", "\n", csvSpec, nil},
		{"delimiter is a space", "a b\n", load.Spec{Format: load.Text, Delimiter: " "}, []string{"1:a|b"}},
	} {
		if got := readAll(t, c.content, c.spec, ab...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	spec := csvSpec
	spec.IgnoreHeader = 2
	if got := readAll(t, "h\nh\na,b\n", spec, ab...); !slices.Equal(got, []string{"3:a|b"}) {
		t.Errorf("header: %q", got)
	}
}

// TestLongLines has lines no memory should be spent on.
func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", MaxRecord+1)
	for _, spec := range []load.Spec{textSpec, csvSpec} {
		if got := readAll(t, "a"+spec.Delimiter+"b\n"+long+"\n1"+spec.Delimiter+"2\n"+strings.Repeat(long, 3), spec, "a", "b"); !slices.Equal(got, []string{"1:a|b", "2!1216@-1", "3:1|2", "4!1216@-1"}) {
			t.Errorf("%s: %.200q", spec.Format, got)
		}
	}
	if got := readAll(t, "\"open\n"+strings.Repeat("line\n", MaxRecord/5)+"a,b\n", csvSpec, "a", "b"); len(got) != 2 || !strings.HasPrefix(got[0], "1!1216") && !strings.HasPrefix(got[0], "1!1200") {
		t.Errorf("open quote: %.200q", got)
	}
	object := `{"a":"` + strings.Repeat("y", maxObject) + `"}`
	if got := readAll(t, object+"\n{\"a\":1}\n", jsonSpec, "a"); !slices.Equal(got, []string{"1!1216@-1", "2:1"}) {
		t.Errorf("json: %.200q", got)
	}
	if got := readAll(t, "{\n"+strings.Repeat(" \n", maxObject/2+10)+"}\n{\"a\":2}\n", jsonSpec, "a"); len(got) != 2 || got[1][len(got[1])-2:] != ":2" {
		t.Errorf("json of many lines: %.200q", got)
	}
}

func TestObjects(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          []string
	}{
		{"lines", "{\"a\":1,\"b\":\"x\"}\n{\"b\":null}\n", []string{"1:1|x", "2:~|~"}},
		{"one line", `{"a":1}{"a":2} {"a":3}`, []string{"1:1|~", "1:2|~", "1:3|~"}},
		{"last line counts", "{\n\"a\":1\n}\n", []string{"3:1|~"}},
		{"brackets in strings", `{"a":"}{\"","b":"]"}`, []string{`1:}{"|]`}},
		{"nested", `{"a":{"x":[1, 2.50]},"b":[ ]}`, []string{`1:{"x":[1,2.50]}|[]`}},
		{"numbers stay", `{"a":12345678901234567890.10,"b":1e5}`, []string{"1:12345678901234567890.10|1e5"}},
		{"goes on after problems", "{\"a\":}\n{\"a\":1}\nxyz\n{\"a\":2}", []string{"1!1200@-1", "2:1|~", "3!1200@-1", "4:2|~"}},
		{"duplicate", `{"a":1,"a":2}`, []string{"1!1200@-1"}},
		{"bad text", "{\"a\":\"\xff\"}\n{\"a\":1}", []string{"1!1220@-1", "2:1|~"}},
		{"unfinished", `{"a":1} {"a":`, []string{"1:1|~", "1!1200@-1"}},
		{"nothing", " \n ", nil},
	} {
		if got := readAll(t, c.content, jsonSpec, "a", "b"); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]bool{
		`{"a":123456789012345}`: false, `{"a":123456789012345678}`: false, `{"a":1234567890123456789}`: true, `{"a":-0.123456789012345}`: false,
		`{"a":0.1234567890123456}`: true, `{"a":1234567890123456.5}`: true, `{"a":"1234567890123456789.12345"}`: false, `{"a":"\"1234567890123456789"}`: false,
		`[100000,200000,300000,400000]`: false, `{"a":1.5e300}`: false, `{"a":0.000000000000000000000001}`: false, `12345678901234567890`: true,
	} {
		for _, size := range []int{1, 7, 1 << 20} { // however the reads fall
			s := numberScanner{limit: 15}
			got := false
			for b := []byte(text); len(b) > 0; b = b[min(size, len(b)):] {
				got = got || s.scan(b[:min(size, len(b))])
			}
			if got != want {
				t.Errorf("%s in steps of %d: %v, want %v", text, size, got, want)
			}
		}
	}
}

func TestLineDelimited(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "\n\n": true, "{\"a\":1}": true, "\n {\"a\":1}\n{": true, "{\"a\":1} {\"a\":2}\n": false, "{\n}": false, "[1]\n": false, "{\"a\":\"" + strings.Repeat("x", 70000) + "\"}\n": false,
	} {
		if got := LineDelimited(write(t, []byte(text)), load.Uncompressed); got != want {
			t.Errorf("%.40q: %v, want %v", text, got, want)
		}
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "nope"), csvSpec, []string{"a"}, []bool{false})
	var f *FileError
	if !errors.As(err, &f) || f.Code != load.CodeFileNotFound {
		t.Errorf("got %v", err)
	}
	if err := (Inspection{Spec: load.Spec{Compression: load.GZIP}}).Check(t.Context(), filepath.Join(t.TempDir(), "nope")); !errors.As(err, &f) || f.Code != load.CodeFileNotFound {
		t.Errorf("got %v", err)
	}
}

// FuzzCSV holds the reader against encoding/csv, which knows the same format where there are no spaces around
// quotes and no carriage returns.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"a,b\n", "\"a\",\"b\"\"c\"\n", "\"a\nb\",c\n\nd,e", "a\"b,c\n", "\"a\"b,c\n", "\"", ",\n,,\n", "\xff,b\n", "a,b\x00\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := readAll(t, text, load.Spec{Format: load.CSV, Delimiter: ",", Quote: `"`, NullAs: "\x01never"}, "a", "b")
		for _, line := range got {
			if strings.Contains(line, "The file") {
				t.Fatalf("%q: %q", text, line)
			}
		}
		if strings.ContainsAny(text, " \r\x00|") || strings.HasPrefix(text, "\xef\xbb\xbf") || !utf8.ValidString(text) {
			return
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		var want []string
		for {
			rec, err := r.Read()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					return // stricter than COPY about quotes inside fields
				}
				break
			}
			line, _ := r.FieldPos(0)
			if len(rec) > 2 && strings.Join(rec[2:], "") == "" {
				rec = rec[:2] // surplus fields with nothing in them
			}
			switch len(rec) {
			case 2:
				want = append(want, fmt.Sprintf("%d:%s|%s", line, rec[0], rec[1]))
			case 1:
				want = append(want, fmt.Sprintf("%d!1214@0", line))
			default:
				want = append(want, fmt.Sprintf("%d!1202@-1", line))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", text, got, want)
		}
	})
}

// FuzzJSON holds the reader against encoding/json.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, "{\"a\":\"x\"}\n{\"b\":[1,{}]}", `{"a":`, `{"a":1}}`, `[{}]`, "{\"a\":\"\xff\"}", `{"a":"\u0000"}`, "{}{}", `{"a":{"a":1},"b":null}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := readAll(t, text, jsonSpec, "a", "b")
		d := json.NewDecoder(strings.NewReader(text))
		var want int
		for {
			var m map[string]json.RawMessage
			if err := d.Decode(&m); err != nil {
				if !errors.Is(err, io.EOF) {
					return // what follows is the reader's own to find
				}
				break
			}
			if m == nil {
				return // null, which is no object
			}
			want++
		}
		if len(got) != want {
			t.Errorf("%q: %q, want %d records", text, got, want)
		}
	})
}

// FuzzInspect feeds damaged compressed files.
func TestLongLineInspection(t *testing.T) {
	t.Parallel()
	const block = 1 << 10
	line := strings.Repeat("x", 100) + "\n"
	for _, tt := range []struct {
		name string
		text string
		want bool
	}{
		{"nothing", "", false},
		{"short lines", strings.Repeat(line, 100), false},
		{"a line of less than a block", strings.Repeat(line, 7) + strings.Repeat("x", block-1) + "\n", false},
		{"a line of two blocks", strings.Repeat(line, 7) + strings.Repeat("x", 2*block) + "\n" + line, true},
		{"at the end", strings.Repeat(line, 70) + strings.Repeat("x", 2*block), true},
		{"far away", strings.Repeat(line, 10000) + strings.Repeat("x", 2*block) + strings.Repeat(line, 10000), true},
		{"carriage returns", strings.Repeat("x\r", 10*block), false},
		{"carriage returns in a line", line + strings.Repeat("x\r", 10*block), true},
		{"both", strings.Repeat("x\r\n", 10*block), false},
	} {
		for _, c := range []load.Compression{load.Uncompressed, load.GZIP} {
			text := tt.text
			if c == load.GZIP {
				var b bytes.Buffer
				z := gzip.NewWriter(&b)
				_, _ = z.Write([]byte(text))
				_ = z.Close()
				text = b.String()
			}
			err := (Inspection{Spec: load.Spec{Format: load.CSV, Compression: c}, Block: block}).Check(t.Context(), write(t, []byte(text)))
			if errors.Is(err, ErrLongLine) != tt.want || err != nil && !tt.want {
				t.Errorf("%s, %v: %v", tt.name, c, err)
			}
		}
	}
}

// FuzzLongLines holds the sampling of plain files against the reading of whole ones, and both against the
// promise: two blocks without a line end are found, less than one is no reason.
func FuzzLongLines(f *testing.F) {
	f.Add("x\n", uint8(3), uint8(2))
	f.Add("xx\rxx\n", uint8(40), uint8(9))
	f.Fuzz(func(t *testing.T, part string, times, block uint8) {
		if block == 0 {
			return
		}
		text := strings.Repeat(part, int(times))
		n := Inspection{Spec: load.Spec{Format: load.CSV}, Block: int64(block)}
		path := write(t, []byte(text))
		sampled := n.Check(t.Context(), path)
		s := lineScanner{block: n.Block}
		if whole := s.scan([]byte(text)); whole != errors.Is(sampled, ErrLongLine) || sampled != nil && !whole {
			t.Fatalf("%q by %d: %v, read as a whole %v", text, block, sampled, whole)
		}
		longest := 0
		for l := range strings.SplitSeq(text, "\n") {
			longest = max(longest, len(l))
		}
		if found := sampled != nil; found && longest < int(block) || !found && longest >= 2*int(block) && !strings.Contains(text, "\r") {
			t.Fatalf("%q by %d: found %v, the longest line has %d bytes", text, block, found, longest)
		}
	})
}

func FuzzInspect(f *testing.F) {
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), true)
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00"), false)
	f.Fuzz(func(t *testing.T, content []byte, gz bool) {
		spec := jsonSpec
		spec.Compression = load.ZSTD
		if gz {
			spec.Compression = load.GZIP
		}
		err := (Inspection{Spec: spec, Digits: 15}).Check(t.Context(), write(t, content))
		var bad *FileError
		if err != nil && !errors.As(err, &bad) && !errors.Is(err, ErrLongNumber) {
			t.Errorf("%x: %v", content, err)
		}
		_ = LineDelimited(write(t, content), spec.Compression)
	})
}

func BenchmarkCSV(b *testing.B) {
	line := []byte("1234567,2024-01-01 00:00:00,customer name 123 x,12.34,5,true,cfcd208495d565ef66e7dff9f98764da\n")
	path := write(b, bytes.Repeat(line, 100000))
	b.SetBytes(int64(len(line) * 100000))
	for b.Loop() {
		r, err := Open(path, csvSpec, make([]string, 7), make([]bool, 7))
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
		r.Close()
	}
}
