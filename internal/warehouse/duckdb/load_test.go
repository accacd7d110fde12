package duckdb

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

func textSpec() load.Spec { return load.Spec{Format: load.Text, Delimiter: "|", NullAs: `\N`} }
func jsonSpec() load.Spec { return load.Spec{Format: load.JSON, NullAs: `\N`} }

// table makes an empty table. Columns are "name type" with Redshift's types where DuckDB lacks them.
func (f *fixture) table(s *Session, columns ...string) {
	f.Helper()
	var defs, notes []string
	for _, c := range columns {
		name, typ, _ := strings.Cut(c, " ")
		rest := ""
		if t, ok := strings.CutSuffix(typ, " NOT NULL"); ok {
			typ, rest = t, " NOT NULL"
		}
		duck := typ
		switch lower := strings.ToLower(typ); {
		case strings.HasPrefix(lower, "character"):
			duck = "VARCHAR"
		case strings.HasPrefix(lower, "binary"):
			duck = "BLOB"
		case lower == "super":
			duck = "JSON"
		case lower == "identity":
			duck, rest = "BIGINT", " DEFAULT 77"
			typ = "bigint"
			notes = append(notes, fmt.Sprintf(`COMMENT ON COLUMN t.%s IS 'penstock:{"type":"bigint","identity":"1,1"}'`, name))
		}
		defs = append(defs, name+" "+duck+rest)
		if duck != typ && typ != "bigint" {
			notes = append(notes, fmt.Sprintf(`COMMENT ON COLUMN t.%s IS 'penstock:{"type":"%s"}'`, name, strings.ToLower(typ)))
		}
	}
	f.query(s, "CREATE OR REPLACE TABLE t ("+strings.Join(defs, ", ")+")")
	for _, n := range notes {
		f.query(s, n)
	}
}

func request(spec load.Spec, files ...load.File) load.Request {
	return load.Request{Table: load.Table{Schema: "public", Name: "t"}, Spec: spec, Files: files, Source: "s3://b/"}
}

// loadSlow is Load with every file read record by record.
func loadSlow(ctx context.Context, s *Session, req load.Request) (load.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.newLoader(ctx, req)
	if err != nil {
		return load.Result{}, err
	}
	for _, f := range l.files {
		f.slow = true
	}
	err = l.copy(ctx)
	return l.result(), s.settle(ctx, err)
}

// TestConversions loads one field into one column, the fast way and the slow.
func TestConversions(t *testing.T) {
	type field struct {
		text string
		want string // printed; "ERR code reason" for a bad field
	}
	withFormat := func(date, time string) func(*load.Spec) {
		return func(s *load.Spec) { s.DateFormat, s.TimeFormat = date, time }
	}
	for _, c := range []struct {
		typ    string
		change func(*load.Spec)
		fields []field
	}{
		{"SMALLINT", nil, []field{
			{"1", "1"}, {"-32768", "-32768"}, {"+7", "7"}, {"007", "7"}, {" 8 ", "8"}, {"", "<nil>"}, {"  ", "<nil>"}, {`\N`, "<nil>"},
			{"32768", "ERR 1222 Overflow, Type: Short"}, {"a", "ERR 1207 Invalid digit, Value 'a', Pos 0, Type: Short"},
		}},
		{"INTEGER", nil, []field{
			{"2147483647", "2147483647"}, {"2147483648", "ERR 1222 Overflow, Type: Integer"}, {"1.5", "ERR 1207 Invalid digit, Value '.', Pos 1, Type: Integer"},
			{"1e3", "ERR 1207 Invalid digit, Value 'e', Pos 1, Type: Integer"}, {"0x1F", "ERR 1207 Invalid digit, Value 'x', Pos 1, Type: Integer"},
			{"1_000", "ERR 1207 Invalid digit, Value '_', Pos 1, Type: Integer"}, {"1,000", "ERR 1207 Invalid digit, Value ',', Pos 1, Type: Integer"},
			{"-", "ERR 1207 Invalid digit, Value '-', Pos 0, Type: Integer"}, {"12a", "ERR 1207 Invalid digit, Value 'a', Pos 2, Type: Integer"},
			{"é", "ERR 1207 Invalid digit, Value 'é', Pos 0, Type: Integer"}, {"1 2", "ERR 1207 Invalid digit, Value ' ', Pos 1, Type: Integer"},
			{"--1", "ERR 1207 Invalid digit, Value '-', Pos 1, Type: Integer"}, {"NaN", "ERR 1207 Invalid digit, Value 'N', Pos 0, Type: Integer"},
		}},
		{"BIGINT", nil, []field{
			{"9223372036854775807", "9223372036854775807"}, {"-9223372036854775808", "-9223372036854775808"}, {"9223372036854775808", "ERR 1222 Overflow, Type: Long"},
		}},
		{"DECIMAL(5,2)", nil, []field{
			{"1.25", "1.25"}, {"1.5", "1.50"}, {"3", "3.00"}, {"20.259", "20.25"}, {"-20.259", "-20.25"}, {".5", "0.50"}, {"5.", "5.00"}, {" 1.5 ", "1.50"}, {"+1.999", "1.99"},
			{"999.999", "999.99"}, {"1000", "ERR 1204 Overflow, the value does not fit the column's precision"}, {"", "<nil>"},
			{"1e2", "ERR 1207 Invalid digit, Value 'e', Pos 1, Type: Decimal"}, {"1.2.3", "ERR 1207 Invalid digit, Value '.', Pos 3, Type: Decimal"},
			{".", "ERR 1207 Invalid digit, Value '.', Pos 0, Type: Decimal"}, {"1_0", "ERR 1207 Invalid digit, Value '_', Pos 1, Type: Decimal"},
		}},
		{"DECIMAL(18,0)", nil, []field{{"12345678901234567.99", "12345678901234567"}, {"-.9", "0"}}},
		{"DECIMAL(38,10)", nil, []field{
			{"1.5", "1.5000000000"}, {"1234567890123456789012345678.1234567890123", "1234567890123456789012345678.1234567890"}, {"-0.00000000019", "-0.0000000001"},
			{"12345678901234567890123456789", "ERR 1204 Overflow, the value does not fit the column's precision"},
			{"123456.7", "123456.7000000000"}, {"1234567.1234567891", "1234567.1234567891"}, {"99999999999.9999999999", "99999999999.9999999999"},
		}},
		{"DECIMAL(38,37)", nil, []field{{"1.2345678901234567890123456789012345678", "1.2345678901234567890123456789012345678"}, {"0.5", "0.5" + strings.Repeat("0", 36)}}},
		{"REAL", nil, []field{{"1.5", "1.5"}, {"1e39", "ERR 1208 Invalid FLOAT4 format or value"}}},
		{"DOUBLE", nil, []field{
			{"1.5", "1.5"}, {"-1e300", "-1e+300"}, {" 2 ", "2"}, {"NaN", "NaN"}, {"inf", "+Inf"}, {"", "<nil>"}, {"1e400", "ERR 1208 Invalid FLOAT8 format or value"},
			{"abc", "ERR 1208 Invalid FLOAT8 format or value"}, {"1_0", "ERR 1208 Invalid FLOAT8 format or value"},
		}},
		{"BOOLEAN", nil, []field{
			{"t", "true"}, {"TRUE", "true"}, {"y", "true"}, {"Yes", "true"}, {"1", "true"}, {"f", "false"}, {"False", "false"}, {"N", "false"}, {"no", "false"}, {"0", "false"},
			{" true ", "true"}, {"", "<nil>"}, {"2", "ERR 1210 Unknown boolean format"}, {"on", "ERR 1210 Unknown boolean format"},
		}},
		{"character varying(5)", nil, []field{
			{"abcde", "abcde"}, {"", ""}, {"  ", "  "}, {`\N`, "<nil>"}, {"äöx", "äöx"}, {"abcdef", "ERR 1204 String length exceeds DDL length"},
			{"äöü", "ERR 1204 String length exceeds DDL length"}, {"a\x00b", "ERR 1216 "}, {"a\xffb", "ERR 1220 String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: ff62"},
		}},
		{"VARCHAR", nil, []field{{strings.Repeat("x", 65535), strings.Repeat("x", 65535)}, {strings.Repeat("x", 65536), "ERR 1204 String length exceeds DDL length"}}},
		{"character(3)", nil, []field{
			{"abc", "abc"}, {"a", "a"}, {"a    ", "a"}, {"", ""}, {"abcd", "ERR 1204 String length exceeds DDL length"},
			{"ä", "ERR 1215 Invalid CHAR value: a CHAR column holds single-byte characters only"},
		}},
		{"DATE", nil, []field{
			{"2026-02-28", "2026-02-28"}, {"2026-2-8", "2026-02-08"}, {" 2026-02-28 ", "2026-02-28"}, {"", "<nil>"},
			{"2026-02-30", "ERR 1205 Invalid Date Format or Value [YYYY-MM-DD]"}, {"02/28/2026", "ERR 1205 "}, {"infinity", "ERR 1205 "}, {"2026/02/28", "ERR 1205 "},
			{"20260228", "ERR 1205 "}, {"2026-02-28 10:00:00", "ERR 1205 "},
		}},
		{"DATE", withFormat("MM/DD/YYYY", ""), []field{{"02/28/2026", "2026-02-28"}, {"2/8/2026", "2026-02-08"}, {"2026-02-28", "ERR 1205 Invalid Date Format or Value [MM/DD/YYYY]"}}},
		{"DATE", withFormat("dd-mon-yy", ""), []field{{"28-FEB-26", "2026-02-28"}, {"8-jul-99", "1999-07-08"}}},
		{"DATE", withFormat("auto", ""), []field{
			{"2026-02-28", "2026-02-28"}, {"02/28/2026", "2026-02-28"}, {"20260228", "2026-02-28"}, {"28-Feb-2026", "2026-02-28"}, {"February 28, 2026", "2026-02-28"},
			{"2026-02-28 10:11:12", "2026-02-28"}, {"nonsense", "ERR 1205 "}, {"", "<nil>"},
		}},
		{"TIMESTAMP", nil, []field{
			{"2026-02-28 01:02:03", "2026-02-28 01:02:03"}, {"2026-02-28 01:02:03.123456", "2026-02-28 01:02:03.123456"}, {"2026-02-28 01:02:03.5", "2026-02-28 01:02:03.5"},
			{"2026-02-28 01:02", "2026-02-28 01:02:00"}, {"2026-02-28", "2026-02-28 00:00:00"}, {"", "<nil>"},
			{"2026-02-28T01:02:03Z", "ERR 1206 Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"}, {"infinity", "ERR 1206 "}, {"2026-02-28 25:00:00", "ERR 1206 "},
			{"-infinity and some more", "ERR 1206 "},
		}},
		{"TIMESTAMP", withFormat("", "auto"), []field{
			{"2026-02-28T01:02:03Z", "2026-02-28 01:02:03"}, {"2026-02-28T01:02:03.25", "2026-02-28 01:02:03.25"}, {"02/28/2026 01:02:03 PM", "2026-02-28 13:02:03"},
			{"28 Feb 2026 01:02", "2026-02-28 01:02:00"}, {"20260228 010203", "2026-02-28 01:02:03"}, {"x", "ERR 1206 "},
		}},
		{"TIMESTAMP", withFormat("", "epochsecs"), []field{{"1772240523", "2026-02-28 01:02:03"}, {"1772240523.25", "2026-02-28 01:02:03.25"}, {"-1", "1969-12-31 23:59:59"}, {"x", "ERR 1206 "}, {"99999999999999999999", "ERR 1206 "}}},
		{"TIMESTAMP", withFormat("", "epochmillisecs"), []field{{"1772240523250", "2026-02-28 01:02:03.25"}, {"", "<nil>"}}},
		{"TIMESTAMP", withFormat("", "DD.MM.YYYY HH12:MI:SS AM"), []field{{"28.02.2026 01:02:03 pm", "2026-02-28 13:02:03"}, {"28.02.2026", "ERR 1206 "}}},
		{"TIMESTAMP", withFormat("", "YYYY-MM-DDTHH:MI:SS"), []field{{"2026-02-28T01:02:03.5", "2026-02-28 01:02:03.5"}, {"2026-02-28T01:02:03", "2026-02-28 01:02:03"}}},
		{"TIMESTAMPTZ", nil, []field{
			{"2026-02-28 01:02:03+00", "2026-02-28 01:02:03+00"}, {"2026-02-28 01:02:03", "2026-02-28 01:02:03+00"}, {"2026-02-28 01:02:03-05:30", "2026-02-28 06:32:03+00"},
			{"2026-02-28 01:02:03.5+02", "2026-02-27 23:02:03.5+00"}, {"x", "ERR 1206 "},
		}},
		{"TIMESTAMPTZ", withFormat("", "epochsecs"), []field{{"1772240523", "2026-02-28 01:02:03+00"}}},
		{"TIMESTAMPTZ", withFormat("", "auto"), []field{{"2026-02-28T01:02:03Z", "2026-02-28 01:02:03+00"}, {"02/28/2026 01:02:03", "2026-02-28 01:02:03+00"}}},
		{"TIME", nil, []field{{"01:02:03", "01:02:03"}, {"01:02:03.5", "01:02:03.5"}, {"1:02", "01:02:00"}, {"", "<nil>"}, {"x", "ERR 1206 "}, {"25:00:00", "ERR 1206 "}}},
		{"TIMETZ", nil, []field{{"01:02:03+02", "01:02:03+02"}, {"x", "ERR 1206 "}}},
		{"super", nil, []field{
			{`{"a": 1.50}`, `{"a": 1.50}`}, {`"x"`, `"x"`}, {"12345678901234567890.125", "12345678901234567890.125"}, {"null", "<nil>"}, {"", "<nil>"}, {"[1", "ERR 1224 Invalid JSON: the value cannot be parsed as SUPER"},
			{"x", "ERR 1224 "},
		}},
		{"binary varying(3)", nil, []field{{"6162", "[97 98]"}, {"", "<nil>"}, {"61626364", "ERR 1204 Binary value length exceeds DDL length"}, {"6", "ERR 1223 "}, {"zz", "ERR 1223 "}}},
		{"INTEGER NOT NULL", nil, []field{{"1", "1"}, {"", "ERR 1213 Missing data for not-null field"}, {`\N`, "ERR 1213 "}}},
		{"character varying(5) NOT NULL", nil, []field{{"", ""}, {`\N`, "ERR 1213 Missing data for not-null field"}}},
	} {
		t.Run(c.typ, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			s := f.connect()
			f.table(s, "id INTEGER", "v "+c.typ)
			spec := textSpec()
			if c.change != nil {
				c.change(&spec)
			}
			for i, field := range c.fields {
				file := f.file(fmt.Sprintf("%d.txt", i), "1|"+field.text+"\n")
				for name, run := range map[string]func(context.Context, *Session, load.Request) (load.Result, error){
					"fast": func(ctx context.Context, s *Session, r load.Request) (load.Result, error) { return s.Load(ctx, r) }, "slow": loadSlow,
				} {
					f.query(s, "TRUNCATE t")
					res, err := run(t.Context(), s, request(spec, file))
					code, reason, bad := "", "", strings.HasPrefix(field.want, "ERR ")
					if bad {
						code, reason, _ = strings.Cut(field.want[4:], " ")
					}
					switch {
					case bad && err == nil:
						t.Errorf("%s %.40q: loaded %v, want %s", name, field.text, f.query(s, "SELECT v FROM t"), field.want)
					case bad:
						if !fault.Is(err, fault.Invalid, SubjectLoad) || len(res.Files[0].Errors) != 1 {
							t.Errorf("%s %.40q: %v; errors %v", name, field.text, err, res.Files[0].Errors)
							continue
						}
						e := res.Files[0].Errors[0]
						if fmt.Sprint(int(e.Code)) != code || !strings.HasPrefix(e.Reason, reason) || e.Line != 1 || e.Column != "v" || e.Position != 2 {
							t.Errorf("%s %.40q: %+v, want %s", name, field.text, e, field.want)
						}
					case err != nil:
						t.Errorf("%s %.40q: %v; want %s", name, field.text, err, field.want)
					default:
						if got := f.query(s, "SELECT v FROM t"); len(got) != 1 || got[0] != "["+field.want+"]" {
							t.Errorf("%s %.40q: %.60v, want %.60s", name, field.text, got, field.want)
						}
					}
				}
			}
		})
	}
}

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstded(t testing.TB, text string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(z.EncodeAll([]byte(text), nil))
}

// TestFiles loads whole files into (a INTEGER, b VARCHAR(10), c SUPER).
func TestFiles(t *testing.T) {
	with := func(s load.Spec, change func(*load.Spec)) load.Spec {
		change(&s)
		return s
	}
	csv, text, js := csvSpec(), textSpec(), jsonSpec()
	gz := with(csv, func(s *load.Spec) { s.Compression = load.GZIP })
	zst := with(csv, func(s *load.Spec) { s.Compression = load.ZSTD })
	jsgz := with(js, func(s *load.Spec) { s.Compression = load.GZIP })
	two := []string{"a", "b"}
	cols := func(s load.Spec, names ...string) load.Spec { s.Columns = names; return s }
	long := strings.Repeat("x", 5<<20)
	huge := strings.Repeat("x", 12<<20) // the engine passes over it, if it gets it
	many := strings.Repeat("1,text,{}\n", 30000)
	for _, c := range []struct {
		name    string
		spec    load.Spec
		content string
		want    string // rows joined by spaces, or "ERR line column code"
	}{
		{"csv", csv, "1,a,\"{\"\"k\"\":[1]}\"\n2,b,\n", `[1 a {"k":[1]}] [2 b <nil>]`},
		{"csv crlf", csv, "1,a,1\r\n2,b,2\r\n", "[1 a 1] [2 b 2]"},
		{"csv no last newline", csv, "1,a,1\n2,b,2", "[1 a 1] [2 b 2]"},
		{"csv byte order mark", csv, "\xef\xbb\xbf1,a,1\n", "[1 a 1]"},
		{"csv blank lines", csv, "\n1,a,1\n\n\n2,b,2\n\n", "[1 a 1] [2 b 2]"},
		{"csv quoted newline", csv, "1,\"a\nb\",1\n2,b,2\n", "[1 a\nb 1] [2 b 2]"},
		{"csv quoted newline, mixed ends", csv, "1,\"a\nb\",1\r\n2,b,2\n3,\"\r\",3\r\n", "[1 a\nb 1] [2 b 2] [3 \r 3]"},
		{"csv quotes", csv, "1,\"a\"\"b\",1\n2,\"\",2\n3, \"q\" ,3\n4,x\"y,4\n", `[1 a"b 1] [2  2] [3 q 3] [4 x"y 4]`},
		{"csv other quote", with(csv, func(s *load.Spec) { s.Quote, s.Delimiter = "'", ";" }), "1;'a;''b''';'{\"k\":\"v\"}'\n", `[1 a;'b' {"k":"v"}]`},
		{"csv header", with(csv, func(s *load.Spec) { s.IgnoreHeader = 2 }), "h\nx,y\n1,a,1\n", "[1 a 1]"},
		{"csv header with an open quote", with(csv, func(s *load.Spec) { s.IgnoreHeader = 1 }), "# the \"name of\n1,a,1\n2,b,\"2\"\n", "[1 a 1] [2 b 2]"},
		{"csv quoted header", with(csv, func(s *load.Spec) { s.IgnoreHeader = 1 }), "\"a\",\"b\",\"c\"\n1,a,1\n", "[1 a 1]"},
		{"csv header with other line ends", with(csv, func(s *load.Spec) { s.IgnoreHeader = 1 }), "a,b,c\r\n1,a,1\n2,b,2\n", "[1 a 1] [2 b 2]"},
		{"csv header, crlf", with(csv, func(s *load.Spec) { s.IgnoreHeader = 2 }), "a,b,c\r\n\r\n1,a,1\r\n2,b,2\r\n", "[1 a 1] [2 b 2]"},
		{"csv spaces before quotes", csv, "1,  \"a,b\",1\n2, \"\",2\n", "[1 a,b 1] [2  2]"},
		{"csv surplus empty fields", csv, "1,a,1,\n2,b,2,,\n", "[1 a 1] [2 b 2]"},
		{"csv header only", with(csv, func(s *load.Spec) { s.IgnoreHeader = 5 }), "h\n1,a,1\n", ""},
		{"csv null as", with(csv, func(s *load.Spec) { s.NullAs = "NULL" }), "NULL,NULL,NULL\n1,\\N,1\n", `[<nil> <nil> <nil>] [1 \N 1]`},
		{"csv null as empty", with(csv, func(s *load.Spec) { s.NullAs = "" }), "1,,\n", "[1 <nil> <nil>]"},
		{"text null as NUL", with(text, func(s *load.Spec) { s.NullAs = "\x00" }), "1|\x00|\x00\n2|\\N|1\n", `[1 <nil> <nil>] [2 \N 1]`},
		{"csv columns", cols(csv, "b", "a"), "x,1\n", "[1 x <nil>]"},
		{"csv empty", csv, "", ""},
		{"csv many", csv, many, strings.TrimSpace(strings.Repeat("[1 text {}] ", 30000))},
		{"csv few fields", csv, "1,a,1\n2,b\n", "ERR 2 b 1214"},
		{"csv many fields", csv, "1,a,1\n2,b,2,x\n", "ERR 2  1202"},
		{"csv open quote", csv, "1,a,1\n2,\"b,2\n3,c,3\n", "ERR 2  1200"},
		{"csv text after quote", csv, "1,\"a\"b,1\n", "ERR 1 b 1200"},
		{"csv bad number", csv, "1,a,1\n\n2,\"b\nc\",2\nx,d,4\n", "ERR 5 a 1207"},
		{"csv bad text", csv, "1,a\xff,1\n", "ERR 1 b 1220"},
		{"csv NUL", csv, "1,a\x00,1\n", "ERR 1 b 1216"},
		{"csv long line", csv, "1," + long + ",1\n2,b,2\n", "ERR 1  1216"},
		{"csv huge line", csv, "1,a,1\n2," + huge + ",2\n3,c,3\n", "ERR 2  1216"},
		{"csv huge line at the end", csv, "1,a,1\n2," + huge, "ERR 2  1216"},
		{"csv huge line alone", csv, huge + huge + "\n", "ERR 1  1216"},
		{"csv huge line after carriage returns", csv, "1,a,1\r2," + huge + "\r", "ERR 1  1216"},
		{"csv huge line with carriage returns", csv, "1,a,1\n2," + strings.Repeat(long+"\r", 4), "ERR 2  1216"},
		{"csv huge quoted text", csv, "1,a,1\n2,\"" + strings.Repeat("line\n", 4<<20) + "\",2", "ERR 2  1216"},
		{"csv huge header", with(csv, func(s *load.Spec) { s.IgnoreHeader = 1 }), huge + "\n1,a,1\n", "[1 a 1]"},
		{"text huge line at the end", text, "1|a|1\n2|" + huge, "ERR 2  1216"},
		{"gzip huge line at the end", gz, gzipped(t, "1,a,1\n2,"+huge), "ERR 2  1216"},
		{"gzip line longer than the buffer", gz, gzipped(t, "1,a,1\n2,"+strings.Repeat(" ", 3<<20)), "ERR 2 b 1214"},
		{"gzip line longer than the buffer and good", gz, gzipped(t, "1,a,1\n"+strings.Repeat(" ", 1<<20)+"2,b,2"), "[1 a 1] [2 b 2]"},
		{"csv carriage return in between", csv, "1,a,1\n2,b,2\r3,c,3\n", "ERR 2  1202"},
		{"csv binary", csv, "\x00\x01\x02\x03PAR1", "ERR 1 a 1214"},
		{"text", text, "1|a|1\n2|\"b\"|\n", `[1 a 1] [2 "b" <nil>]`},
		{"text backslash", text, "1|a\\|1\n", `[1 a\ 1]`},
		{"text tab", with(text, func(s *load.Spec) { s.Delimiter = "\t" }), "1\ta b\t{}\n", "[1 a b {}]"},
		{"text control delimiter", with(text, func(s *load.Spec) { s.Delimiter = "\x01" }), "1\x01a\x01{}\n", "[1 a {}]"},
		{"text spaces", cols(with(text, func(s *load.Spec) { s.Delimiter = " " }), two...), "1 a\n", "[1 a <nil>]"},
		{"one column, blank line", cols(csv, "b"), "x\n\ny\n", "[<nil> x <nil>] [<nil> y <nil>]"},
		{"gzip", gz, gzipped(t, "1,a,1\n2,b,2\n"), "[1 a 1] [2 b 2]"},
		{"gzip members", gz, gzipped(t, "1,a,1\n") + gzipped(t, "2,b,2\n"), "[1 a 1] [2 b 2]"},
		{"gzip large", gz, gzipped(t, many), strings.TrimSpace(strings.Repeat("[1 text {}] ", 30000))},
		{"gzip truncated", gz, gzipped(t, many)[:200], "ERR 0  1200"},
		{"gzip without its end", gz, gzipped(t, "1,a,1\n")[:25], "ERR 0  1200"},
		{"gzip corrupt", gz, strings.Replace(gzipped(t, "1,a,1\n"), gzipped(t, "1,a,1\n")[12:14], "zz", 1), "ERR 0  1200"},
		{"gzip of nothing", gz, gzipped(t, ""), ""},
		{"gzip empty file", gz, "", "ERR 0  1200"},
		{"gzip that is plain", gz, "1,a,1\n", "ERR 0  1200"},
		{"plain that is gzip", csv, gzipped(t, "1,a,1\n"), "ERR 1 a 1214"},
		{"zstd", zst, zstded(t, "1,a,1\n2,b,2\n"), "[1 a 1] [2 b 2]"},
		{"zstd truncated", zst, zstded(t, many)[:40], "ERR 0  1200"},
		{"zstd that is gzip", zst, gzipped(t, "1,a,1\n"), "ERR 0  1200"},
		{"json lines", js, `{"a":1,"b":"x","c":{"k":[1,null]}}` + "\n" + `{"b":"y"}` + "\n", `[1 x {"k":[1,null]}] [<nil> y <nil>]`},
		{"json stream", js, `{"a":1,` + "\n" + ` "b":"x"} {"a":2}{"a":3}` + "\n\n" + `{"a":4}`, "[1 x <nil>] [2 <nil> <nil>] [3 <nil> <nil>] [4 <nil> <nil>]"},
		{"json keys", js, `{"A":1,"B":"x","d":5,"b":null,"c":null}`, "[<nil> <nil> <nil>]"},
		{"json nested into text", js, `{"b":{"k":1}} {"b":[1,2]} {"b":true} {"b":12}`, `[<nil> {"k":1} <nil>] [<nil> [1,2] <nil>] [<nil> true <nil>] [<nil> 12 <nil>]`},
		{"json text into numbers", js, `{"a":"7","c":"s"} {"a":""}`, `[7 <nil> "s"] [<nil> <nil> <nil>]`},
		{"json escapes", js, `{"b":"\u00e4\ud83d\ude00\"\n"}`, "[<nil> ä😀\"\n <nil>]"},
		{"json exact numbers", js, `{"c":12345678901234567890.125} {"c":{"n":0.1234567890123456789}}`, `[<nil> <nil> 12345678901234567890.125] [<nil> <nil> {"n":0.1234567890123456789}]`},
		{"json empty", js, "", ""},
		{"json blank", js, " \n\t\r\n ", ""},
		{"json gzip", jsgz, gzipped(t, `{"a":1}`+"\n"), "[1 <nil> <nil>]"},
		{"json header", with(js, func(s *load.Spec) { s.IgnoreHeader = 1 }), "header {\n" + `{"a":1}`, "[1 <nil> <nil>]"},
		{"json bad value", js, `{"a":1}` + "\n\n{\n" + `"a":"x"` + "\n}\n", "ERR 5 a 1207"},
		{"json bad text", js, `{"a":1}` + "\n" + `{"b":"` + "\xff" + `"}`, "ERR 2  1220"},
		{"json array", js, `[{"a":1},{"a":2}]`, "ERR 1  1200"},
		{"json commas", js, `{"a":1},{"a":2}`, "ERR 1  1200"},
		{"json scalar", js, "1\n", "ERR 1  1200"},
		{"json broken", js, `{"a":1}` + "\n" + `{"a":}` + "\n" + `{"a":3}`, "ERR 2  1200"},
		{"json cut off", js, `{"a":1}` + "\n" + `{"a":`, "ERR 2  1200"},
		{"json key twice", js, `{"a":1,"a":2}`, "ERR 1  1200"},
		{"json NUL", js, `{"b":"x\u0000"}`, "ERR 1 b 1216"},
		{"json too long a text", js, `{"b":"` + long + `"}`, "ERR 1 b 1204"},
		{"json long object", js, `{"c":"` + strings.Repeat("y", 21<<20) + `"}` + "\n" + `{"a":1}`, "ERR 1  1216"},
		{"json float into integer", js, `{"a":1.0}`, "ERR 1 a 1207"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			f := newFixture(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			s := f.connect()
			f.table(s, "a INTEGER", "b character varying(10)", "c super")
			file := f.file("dir=1/x [1]*?.dat", c.content)
			for name, run := range map[string]func(context.Context, *Session, load.Request) (load.Result, error){
				"fast": func(ctx context.Context, s *Session, r load.Request) (load.Result, error) { return s.Load(ctx, r) }, "slow": loadSlow,
			} {
				f.query(s, "TRUNCATE t")
				log.Reset()
				res, err := run(t.Context(), s, request(c.spec, file))
				if refused := strings.Contains(log.String(), "record by record"); err == nil && refused != (name == "fast" && slices.Contains([]string{"csv quoted newline, mixed ends", "csv spaces before quotes"}, c.name)) {
					t.Errorf("%s: the engine refused the file: %v: %s", name, refused, log.String())
				}
				got := strings.Join(f.query(s, "SELECT * FROM t"), " ")
				if err != nil {
					e := res.Files[0].Errors
					if len(e) != 1 || !fault.Is(err, fault.Invalid, SubjectLoad) || got != "" {
						t.Fatalf("%s: %v; errors %v; rows %s", name, err, e, got)
					}
					got = fmt.Sprintf("ERR %d %s %d", e[0].Line, e[0].Column, int(e[0].Code))
					if len(e[0].Reason) > maxReason || len(e[0].RawLine) > maxRaw || len(e[0].RawField) > maxRaw || e[0].File != file.URL() {
						t.Errorf("%s: %+v", name, e[0])
					}
				}
				if got != c.want {
					t.Errorf("%s:\n got %.300s\nwant %.300s\n(%v)", name, got, c.want, res.Files[0].Errors)
				}
			}
		})
	}
}

func TestCopyViews(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.table(s, "a INTEGER", "b character varying(3)")
	good, bad := f.file("good.csv", "1,x\n2,y\n"), f.file("bad.csv", "3,z\n4,toolong\n")
	req := request(csvSpec(), good)
	req.QueryID, req.UserID = 500, 100
	f.must(s.Begin(t.Context()))
	_, err := s.Load(t.Context(), req)
	f.must(err)
	f.must(s.Commit(t.Context()))
	req.QueryID, req.Files = 501, []load.File{good, bad}
	f.must(s.Begin(t.Context()))
	if _, err := s.Load(t.Context(), req); !fault.Is(err, fault.Invalid, SubjectLoad) || !strings.Contains(err.Error(), "s3://b/bad.csv, line 2") {
		t.Fatalf("bad copy: %v", err)
	}
	if _, err := rows(t.Context(), s, "SELECT 1"); !fault.Is(err, fault.State, SubjectTransaction) {
		t.Errorf("after a failed copy: %v", err)
	}
	f.must(s.Rollback())
	for sql, want := range map[string][]string{
		"SELECT a FROM t ORDER BY 1": {"[1]", "[2]"},
		"SELECT query_id, status, table_name, data_source, file_format, loaded_rows, loaded_bytes, source_file_count, error_count, copy_job_id FROM sys_load_history ORDER BY 1": {
			"[500 completed t s3://b/ csv 2 8 1 0 0]", "[501 aborted t s3://b/ csv 0 0 2 1 0]"},
		"SELECT query_id, file_name, lines_scanned FROM sys_load_detail WHERE query_id = 500": {"[500 s3://b/good.csv 2]"},
		"SELECT query, trim(filename), line_number, colname, type, col_length, position, raw_line, raw_field_value, err_code, err_reason FROM stl_load_errors": {
			"[501 s3://b/bad.csv 2 b varchar 3 2 4,toolong toolong 1204 String length exceeds DDL length]"},
		"SELECT query_id, file_name, line_number, error_code, error_message FROM sys_load_error_detail":       {"[501 s3://b/bad.csv 2 1204 String length exceeds DDL length]"},
		"SELECT query, filename FROM stl_load_commits":                                                        {"[500 s3://b/good.csv]"},
		"SELECT pg_last_copy_id(), pg_last_copy_count()":                                                      {"[500 2]"},
		"SELECT count(*) FROM sys_load_history WHERE start_time > end_time OR duration < 0 OR user_id <> 100": {"[0]"},
	} {
		if got := f.query(s, sql); !slices.Equal(got, want) {
			t.Errorf("%s\n got %v\nwant %v", sql, got, want)
		}
	}
}

// TestCopyIsOneTransaction loads good files and a bad one in several surroundings.
func TestCopyIsOneTransaction(t *testing.T) {
	f := newFixture(t)
	s, ctx := f.connect(), t.Context()
	f.table(s, "a INTEGER")
	var files []load.File
	for i := range 20 {
		files = append(files, f.file(fmt.Sprintf("f%02d", i), fmt.Sprintf("%d\n", i)))
	}
	bad := append(slices.Clone(files), f.file("bad", "1\nx\n"))
	odd := append(slices.Clone(files), f.file("odd", "100\r\n101\n102\r\n")) // good, but not to the engine
	for _, c := range []struct {
		name   string
		before string // a statement in the transaction, "-" without one
		files  []load.File
		want   int64
	}{
		{"alone", "-", files, 20}, {"fresh", "", files, 20}, {"used", "INSERT INTO t VALUES (-1)", files, 21},
		{"alone, bad", "-", bad, 0}, {"fresh, bad", "", bad, 0}, {"used, bad", "INSERT INTO t VALUES (-1)", bad, 0},
		{"alone, odd", "-", odd, 23}, {"fresh, odd", "", odd, 23}, {"used, odd", "INSERT INTO t VALUES (-1)", odd, 24},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.query(s, "TRUNCATE t")
			if c.before != "-" {
				f.must(s.Begin(ctx))
				if c.before != "" {
					f.query(s, c.before)
				}
			}
			res, err := s.Load(ctx, request(csvSpec(), c.files...))
			if (err != nil) != (len(c.files) == len(bad) && c.files[20].Key == "bad") {
				t.Errorf("load: %v", err)
			}
			if c.before != "-" {
				if err == nil {
					f.must(s.Commit(ctx))
				} else {
					f.must(s.Rollback())
				}
			}
			if got := f.query(s, "SELECT count(*) FROM t"); got[0] != fmt.Sprintf("[%d]", c.want) {
				t.Errorf("rows = %v, want %d; %v", got, c.want, res)
			}
			for _, fr := range res.Files {
				if err == nil && (fr.Status != load.Loaded || fr.Rows == 0) || err != nil && fr.Status == load.Loaded {
					t.Errorf("%s: %c, %d rows", fr.File.Key, fr.Status, fr.Rows)
				}
			}
		})
	}
}

func TestMaxError(t *testing.T) {
	f := newFixture(t)
	s, ctx := f.connect(), t.Context()
	f.table(s, "a INTEGER", "b character varying(2)")
	files := []load.File{f.file("1", "1,a\nx,b\n3,c\n4,d,e\n"), f.file("2", "5,e\n"), f.file("3", "6,fff\n7,g\n")}
	for _, c := range []struct{ limit, bad, rows int }{{0, 1, 0}, {1, 1, 0}, {3, 3, 0}, {4, 3, 4}, {1000, 3, 4}} {
		for _, inTransaction := range []bool{false, true} {
			f.query(s, "TRUNCATE t")
			if inTransaction {
				f.must(s.Begin(ctx))
			}
			req := request(csvSpec(), files...)
			req.Spec.MaxError = c.limit
			res, err := s.Load(ctx, req)
			if (err != nil) != (c.rows == 0) {
				t.Errorf("limit %d: %v", c.limit, err)
			}
			if inTransaction && err == nil {
				f.must(s.Commit(ctx))
			}
			f.must(s.Rollback())
			n := 0
			for _, fr := range res.Files {
				n += len(fr.Errors)
			}
			if got := f.query(s, "SELECT count(*) FROM t"); got[0] != fmt.Sprintf("[%d]", c.rows) || n != c.bad || res.Rows != int64(c.rows) {
				t.Errorf("limit %d: rows %v (%d), %d errors", c.limit, got, res.Rows, n)
			}
		}
	}
	if got := f.query(s, "SELECT line_number, error_code FROM sys_load_error_detail WHERE query_id = pg_last_copy_id() ORDER BY file_name, 1"); !slices.Equal(got, []string{"[2 1207]", "[4 1202]", "[1 1204]"}) {
		t.Errorf("errors = %v", got)
	}
}

func TestBadRequests(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.table(s, "a INTEGER", "b INTEGER")
	f.query(s, "CREATE VIEW v AS SELECT * FROM t")
	file := f.file("x", "1,2\n")
	change := func(c func(*load.Request)) load.Request {
		r := request(csvSpec(), file)
		c(&r)
		return r
	}
	for name, c := range map[string]struct {
		req     load.Request
		kind    fault.Kind
		subject string
	}{
		"no table":         {change(func(r *load.Request) { r.Table.Name = "nope" }), fault.NotFound, SubjectRelation},
		"view":             {change(func(r *load.Request) { r.Table.Name = "v" }), fault.Invalid, SubjectRelation},
		"internal table":   {change(func(r *load.Request) { r.Table = load.Table{Schema: "penstock", Name: "files"} }), fault.NotFound, SubjectRelation},
		"system view":      {change(func(r *load.Request) { r.Table = load.Table{Name: "sys_load_history"} }), fault.Invalid, SubjectRelation},
		"another database": {change(func(r *load.Request) { r.Table.Database = "other" }), fault.Unsupported, SubjectDatabase},
		"no column":        {change(func(r *load.Request) { r.Spec.Columns = []string{"z"} }), fault.NotFound, SubjectColumn},
		"column twice":     {change(func(r *load.Request) { r.Spec.Columns = []string{"a", "A"} }), fault.Invalid, SubjectColumn},
		"delimiter":        {change(func(r *load.Request) { r.Spec.Delimiter = "é" }), fault.Invalid, SubjectLoad},
		"no delimiter":     {change(func(r *load.Request) { r.Spec.Delimiter = "" }), fault.Invalid, SubjectLoad},
		"quote":            {change(func(r *load.Request) { r.Spec.Quote = "," }), fault.Invalid, SubjectLoad},
		"date format": {change(func(r *load.Request) {
			f.query(s, "CREATE TABLE d (a DATE)")
			r.Table.Name, r.Spec.DateFormat = "d", "YYYY-QQ"
		}), fault.Invalid, SubjectLoad},
	} {
		if _, err := s.Load(t.Context(), c.req); !fault.Is(err, c.kind, c.subject) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A file that is not where it may be read from.
	outside := file
	outside.Path = t.TempDir() + "/y"
	f.must(os.WriteFile(outside.Path, []byte("1,2\n"), 0o600))
	if _, err := s.Load(t.Context(), request(csvSpec(), outside)); !fault.Is(err, fault.Denied, "") {
		t.Errorf("file outside: %v", err)
	}
	if got := f.query(s, "SELECT count(*) FROM t"); got[0] != "[0]" {
		t.Errorf("rows = %v", got)
	}
}

func TestIdentityAndDefaults(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.table(s, "id IDENTITY", "a INTEGER", "b INTEGER DEFAULT 9")
	_, err := s.Load(t.Context(), request(csvSpec(), f.file("x", "1,2\n")))
	f.must(err)
	req := request(csvSpec(), f.file("y", "5\n"))
	req.Spec.Columns = []string{"a"}
	_, err = s.Load(t.Context(), req)
	f.must(err)
	if got := f.query(s, "SELECT * FROM t"); !slices.Equal(got, []string{"[77 1 2]", "[77 5 9]"}) {
		t.Errorf("rows = %v", got)
	}
}
