package transfer

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

var encodeRecords = []string{
	`{"Id":"1","Open":true,"Rank":9007199254740993,"Score":1.5,"Born":"2026-03-01","Stamp":"2026-03-01T12:00:00.250+0000","Parts":{"a":[1]},"Mixed":1}`,
	`{"Id":"2,\"x\"\ny","Open":null,"Score":2,"Parts":"text","Mixed":"two"}`,
	`{}`,
}

func encodeColumns(t *testing.T) []Column {
	t.Helper()
	c := newColumns([]vendors.Field{{Name: "Born", Type: vendors.Date}, {Name: "Stamp", Type: vendors.Time}}, nil)
	for _, r := range encodeRecords {
		if err := c.observe([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
	return c.list()
}

func TestColumns(t *testing.T) {
	t.Parallel()
	want := "[{Id text} {Open boolean} {Rank integer} {Score number} {Born date} {Stamp time} {Parts nested} {Mixed text}]"
	if got := fmt.Sprint(encodeColumns(t)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for value, want := range map[string]kinds{
		"null": 0, "true": isBoolean, "12": isInteger, "-9223372036854775808": isInteger, "9223372036854775808": isText, "1.25e3": isNumber,
		"0.000000000000000000001": isNumber, "123456789.123456789": isText, `"x"`: isText, "{}": isNested, "[1]": isNested,
	} {
		if got := kindOf([]byte(value)); got != want {
			t.Errorf("%s is of kind %d, want %d", value, got, want)
		}
	}
}

func encodeAll(t *testing.T, e encoder) {
	t.Helper()
	for _, r := range encodeRecords {
		if err := e.record([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.end(); err != nil {
		t.Fatal(err)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e, err := newEncoder(CSV, &out, encodeColumns(t))
	if err != nil {
		t.Fatal(err)
	}
	encodeAll(t, e)
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"Id", "Open", "Rank", "Score", "Born", "Stamp", "Parts", "Mixed"},
		{"1", "true", "9007199254740993", "1.5", "2026-03-01", "2026-03-01T12:00:00.250+0000", `{"a":[1]}`, "1"},
		{"2,\"x\"\ny", "", "", "2", "", "", "text", "two"},
		{"", "", "", "", "", "", "", ""},
	}
	if fmt.Sprintf("%q", rows) != fmt.Sprintf("%q", want) {
		t.Errorf("got  %q\nwant %q", rows, want)
	}
}

func TestParquet(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e, err := newEncoder(Parquet, &out, encodeColumns(t))
	if err != nil {
		t.Fatal(err)
	}
	encodeAll(t, e)
	file, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range file.Schema().Fields() {
		names = append(names, f.Name()+":"+f.Type().String())
		if !f.Optional() {
			t.Errorf("%s is required", f.Name())
		}
	}
	if got := strings.Join(names, " "); !strings.HasPrefix(got, "Id:STRING Open:BOOLEAN Rank:INT(64,true) Score:DOUBLE Born:DATE Stamp:TIMESTAMP(") || !strings.Contains(got, "Parts:JSON") {
		t.Errorf("the schema is %s", got)
	}
	var rows []string
	reader := parquet.NewReader(file)
	buffer := make([]parquet.Row, 4)
	for {
		n, err := reader.ReadRows(buffer)
		for _, r := range buffer[:n] {
			var values []string
			for _, v := range r {
				values = append(values, v.String())
			}
			rows = append(rows, strings.Join(values, "|"))
		}
		if err == io.EOF { //nolint:errorlint // as documented
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		`1|true|9007199254740993|1.5|20513|1772366400250|{"a":[1]}|1`,
		"2,\"x\"\ny|<null>|<null>|2|<null>|<null>|\"text\"|two",
		"<null>|<null>|<null>|<null>|<null>|<null>|<null>|<null>",
	}
	if fmt.Sprintf("%q", rows) != fmt.Sprintf("%q", want) {
		t.Errorf("got  %q\nwant %q", rows, want)
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	encodeAll(t, newRowEncoder(w, encodeColumns(t), []string{"id", "open", "rank", "score", "born", "stamp", "parts", "mixed"}))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `{"id":"1","open":true,"rank":9007199254740993,"score":1.5,"born":"2026-03-01","stamp":"2026-03-01 12:00:00.25+00","parts":{"a":[1]},"mixed":1}
{"id":"2,\"x\"\ny","score":2,"parts":"text","mixed":"two"}
{}
`
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
}

func TestMisfit(t *testing.T) {
	t.Parallel()
	for typ, value := range map[vendors.Type]string{vendors.Integer: "1.5", vendors.Boolean: `"maybe"`, vendors.Date: `"soon"`, vendors.Time: `"now"`, vendors.Number: `"x"`} {
		e, err := newEncoder(Parquet, io.Discard, []Column{{"F", typ}})
		if err != nil {
			t.Fatal(err)
		}
		err = e.record([]byte(`{"F":` + value + `}`))
		if !fault.Is(err, fault.Invalid, SubjectSource) || !strings.Contains(err.Error(), "field F") {
			t.Errorf("%s in %s: err = %v", value, typ, err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	c := newColumns(nil, nil)
	record := []byte(encodeRecords[0])
	if err := c.observe(record); err != nil {
		b.Fatal(err)
	}
	for _, f := range []Format{CSV, Parquet} {
		b.Run(string(f), func(b *testing.B) {
			e, err := newEncoder(f, io.Discard, c.list())
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(record)))
			for b.Loop() {
				if err := e.record(record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
