package conformance

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/zstd"
)

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func zstded(text string) string {
	w, _ := zstd.NewWriter(nil)
	return string(w.EncodeAll([]byte(text), nil))
}

// fixture is a file of testdata/parquet. They were written by DuckDB: good.parquet has the columns id INTEGER,
// name VARCHAR, amount DECIMAL(10,2), at TIMESTAMP and ok BOOLEAN, the others differ as their names say.
func fixture(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "parquet", name+".parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const parquetColumns = "id INTEGER, name VARCHAR(20), amount DECIMAL(10,2), at TIMESTAMP, ok BOOLEAN"

// TestLoadFormats loads a file of every format and with every option, by a plain COPY and by a job, and wants
// the same rows of both.
func TestLoadFormats(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	if _, err := c.Join(ctx, "formats"); err != nil {
		t.Fatal(err)
	}
	const two = "id INTEGER, name VARCHAR(20)"
	for i, tt := range []struct {
		name    string
		columns string
		list    string // column list of the COPY
		options string
		file    string
		want    []string
	}{
		{"csv", two, "", "CSV", "1,Ada\n2,\"Grace, H\"\n3,\"say \"\"x\"\"\"\n", []string{"1 | Ada", "2 | Grace, H", "3 | say \"x\""}},
		{"csv with line ends inside", two, "", "FORMAT AS CSV", "1,\"two\nlines\"\r\n2,b\r\n", []string{"1 | two\nlines", "2 | b"}},
		{"csv without a last line end", two, "", "CSV", "1,a\n2,b", []string{"1 | a", "2 | b"}},
		{"csv with another quote", two, "", "CSV QUOTE AS '%'", "1,%a,\"b\"%\n", []string{"1 | a,\"b\""}},
		{"csv with another delimiter", two, "", "CSV DELIMITER ';'", "1;a,b\n", []string{"1 | a,b"}},
		{"csv with a byte order mark", two, "", "CSV", "\ufeff1,a\n", []string{"1 | a"}},
		{"delimited by bars", two, "", "", "1|Ada\n2|\n", []string{"1 | Ada", "2 | "}},
		{"delimited by tabs", two, "", "DELIMITER AS '\\t'", "1\tAda\n", []string{"1 | Ada"}},
		{"delimited by an octal character", two, "", "DELIMITER '\\073'", "1;Ada\n", []string{"1 | Ada"}},
		{"headers", two, "", "CSV IGNOREHEADER AS 2", "id,name\n----\n1,a\n", []string{"1 | a"}},
		{"default null", two, "", "CSV", "1,\\N\n\\N,b\n,c\n", []string{"1 | null", "null | b", "null | c"}},
		{"own null", two, "", "CSV NULL AS 'NIL'", "1,NIL\nNIL,x\n", []string{"1 | null", "null | x"}},
		{"date format", "d DATE", "", "CSV DATEFORMAT AS 'DD.MM.YYYY'", "17.05.2024\n", []string{"2024-05-17"}},
		{"date format auto", "d DATE", "", "CSV DATEFORMAT 'auto'", "2024-05-17\n20240518\n", []string{"2024-05-17", "2024-05-18"}},
		{"time format", "x TIMESTAMP", "", "CSV TIMEFORMAT 'MM/DD/YYYY HH:MI:SS AM'", "05/17/2024 03:04:05 PM\n", []string{"2024-05-17 15:04:05"}},
		{"time format auto", "x TIMESTAMP", "", "CSV TIMEFORMAT 'auto'", "2024-05-17T15:04:05Z\n2024-05-18 01:02:03.25\n", []string{"2024-05-17 15:04:05", "2024-05-18 01:02:03.25"}},
		{"epoch seconds", "x TIMESTAMP", "", "CSV TIMEFORMAT 'epochsecs'", "1700000000\n", []string{"2023-11-14 22:13:20"}},
		{"epoch milliseconds", "x TIMESTAMP", "", "CSV TIMEFORMAT 'epochmillisecs'", "1700000000123\n", []string{"2023-11-14 22:13:20.123"}},
		{"column list", "id INTEGER, a VARCHAR(5), b VARCHAR(5) DEFAULT 'def', n INTEGER IDENTITY(1,1)", "(a, id)", "CSV", "x,1\n", []string{"1 | x | def | 1"}},
		{"gzip", two, "", "CSV GZIP", gzipped("1,a\n2,b\n"), []string{"1 | a", "2 | b"}},
		{"gzip in members", two, "", "CSV GZIP", gzipped("1,a\n") + gzipped("2,b\n"), []string{"1 | a", "2 | b"}},
		{"zstd", two, "", "CSV ZSTD", zstded("1,a\n2,b\n"), []string{"1 | a", "2 | b"}},
		{"json", "id INTEGER, name VARCHAR(20), doc SUPER", "", "JSON 'auto'", "{\"id\": 1, \"name\": \"a\", \"doc\": {\"x\": [1, null]}, \"more\": 1} {\"id\": \"2\",\n \"NAME\": \"b\"}\n", []string{`1 | a | {"x":[1,null]}`, "2 | null | null"}},
		{"json zipped", "id INTEGER, doc SUPER", "", "FORMAT JSON AS 'auto' GZIP", gzipped(`{"id":1,"doc":"s"}`), []string{`1 | "s"`}},
		{"parquet", parquetColumns, "", "FORMAT AS PARQUET", fixture(t, "good"), []string{"1 | Ada | 12.50 | 2024-05-17 10:00:00 | true", "2 | Grace | null | null | false", "3 | naïve | -0.01 | 1999-12-31 23:59:59.5 | null"}},
		{"parquet nested", "id INTEGER, doc SUPER", "", "PARQUET", fixture(t, "nested"), []string{`4 | {"a":[1,2],"b":"x"}`}},
		{"empty file", two, "", "CSV", "", nil},
		{"every type", "a SMALLINT, b BIGINT, c DECIMAL(6,2), d FLOAT, e BOOLEAN, f CHAR(3), g DATE, h TIMESTAMPTZ, i SUPER, j VARBYTE(4)", "", "",
			"-7|9223372036854775807|1.239|1e-3|t|ab|1999-12-31|2024-01-01 10:00:00+02|{\"k\":1}|00ff\n", []string{`-7 | 9223372036854775807 | 1.23 | 0.001 | true | ab | 1999-12-31 | 2024-01-01 08:00:00+00 | {"k":1} | 00ff`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			by := []string{fmt.Sprintf("copied_%d", i), fmt.Sprintf("jobbed_%d", i)}
			for _, table := range by {
				run(t, ctx, c, "CREATE TABLE "+table+" ("+tt.columns+")")
			}
			prefix := fmt.Sprintf("%d/", i)
			from := tt.list + " FROM 's3://formats/" + prefix + "' " + role + " " + tt.options
			run(t, ctx, c, "COPY "+by[1]+" "+from+" JOB CREATE "+by[1])
			put(t, ctx, c, "formats", prefix+"file", tt.file)
			run(t, ctx, c, "COPY "+by[0]+" "+from)
			eventually(t, ctx, c, "SELECT status FROM sys_copy_job_detail WHERE job_name = '"+by[1]+"'", "I")
			for _, table := range by {
				got := run(t, ctx, c, "SELECT * FROM "+table+" ORDER BY 1")
				if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
					t.Errorf("%s\ngot\n%s\nwant\n%s", table, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
				}
			}
		})
	}

	t.Run("what is not there yet says so by name", func(t *testing.T) {
		t.Parallel()
		run(t, ctx, c, "CREATE TABLE later (a INTEGER)")
		for option, word := range map[string]string{
			"FIXEDWIDTH 'a:1'": "FIXEDWIDTH", "AVRO 'auto'": "AVRO", "ORC": "ORC", "SHAPEFILE": "SHAPEFILE", "JSON 's3://formats/paths.json'": "JSON", "JSON 'noshred'": "JSON", "CSV BZIP2": "BZIP2",
			"CSV LZOP": "LZOP", "CSV MANIFEST": "MANIFEST", "CSV ACCEPTANYDATE": "ACCEPTANYDATE", "CSV ACCEPTINVCHARS": "ACCEPTINVCHARS", "CSV BLANKSASNULL": "BLANKSASNULL",
			"CSV EMPTYASNULL": "EMPTYASNULL", "CSV ENCODING UTF16": "ENCODING", "DELIMITER '|' ESCAPE": "ESCAPE", "DELIMITER '|' REMOVEQUOTES": "REMOVEQUOTES", "CSV FILLRECORD": "FILLRECORD",
			"CSV IGNOREBLANKLINES": "IGNOREBLANKLINES", "CSV TRIMBLANKS": "TRIMBLANKS", "CSV TRUNCATECOLUMNS": "TRUNCATECOLUMNS", "CSV ROUNDEC": "ROUNDEC", "CSV EXPLICIT_IDS": "EXPLICIT_IDS",
			"CSV IGNOREALLERRORS": "IGNOREALLERRORS", "CSV NOLOAD": "NOLOAD", "CSV ENCRYPTED": "ENCRYPTED",
		} {
			refused(t, ctx, c, "COPY later FROM 's3://formats/x' "+role+" "+option, word)
			refused(t, ctx, c, "COPY later FROM 's3://formats/x' "+role+" "+option, "not supported yet")
		}
		run(t, ctx, c, "COPY later FROM 's3://formats/0/' "+role+" CSV COMPUPDATE OFF STATUPDATE ON COMPROWS 1000 REGION 'us-east-1' MAXERROR 100")
	})
}

// TestBadFiles puts a bad file of every kind between two good ones. The job loads the good ones once, says where
// and why the bad one is bad, and goes on.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	if _, err := c.Join(ctx, "bad"); err != nil {
		t.Fatal(err)
	}
	const two = "id INTEGER, name VARCHAR(5)"
	csv, json := "1,a\n", "{\"id\": 1}"
	for i, tt := range []struct {
		name    string
		columns string
		options string
		good    string // one row of it
		bad     string
		line    int
		column  string
		code    int
		reason  string
	}{
		{"letters in a number", two, "CSV", csv, "7,x\n8y,z\n", 2, "id", 1207, "Invalid digit, Value 'y', Pos 1, Type: Integer"},
		{"a number too large", two, "CSV", csv, "3000000000,x\n", 1, "id", 1222, "Overflow"},
		{"too long a text", two, "CSV", csv, "7,x\n7,toolong\n", 2, "name", 1204, "String length exceeds DDL length"},
		{"too few columns", two, "CSV", csv, "7\n", 1, "id", 1214, "Delimiter not found"},
		{"too many columns", two, "CSV", csv, "7,x,y\n", 1, "", 1202, "Extra column(s) found"},
		{"an open quote", two, "CSV", csv, "7,\"x\n8,y\n", 1, "", 1200, "quoted field is not closed"},
		{"not UTF-8", two, "CSV", csv, "7,\xff\xfe\n", 1, "name", 1220, "UTF8"},
		{"UTF-16", two, "CSV", csv, "\xff\xfe7\x00,\x00x\x00\n\x00", 1, "id", 1220, "UTF8"},
		{"a NUL", two, "CSV", csv, "7,x\x00y\n", 1, "name", 1216, "0x0"},
		{"a missing value", "id INTEGER NOT NULL, name VARCHAR(5)", "CSV", csv, ",x\n", 1, "id", 1213, "Missing data for not-null field"},
		{"a date that is none", "id INTEGER, d DATE", "CSV", "1,2024-01-01\n", "7,2024-02-30\n", 1, "d", 1205, "Invalid Date Format"},
		{"a date in another form", "id INTEGER, d DATE", "CSV DATEFORMAT 'YYYYMMDD'", "1,20240101\n", "7,2024-01-01\n", 1, "d", 1205, "Invalid Date Format"},
		{"a time that is none", "id INTEGER, x TIMESTAMP", "CSV", "1,2024-01-01 00:00:00\n", "7,soon\n", 1, "x", 1206, "Invalid timestamp"},
		{"a truth that is none", "id INTEGER, x BOOLEAN", "CSV", "1,true\n", "7,maybe\n", 1, "x", 1210, "boolean"},
		{"a decimal too large", "id INTEGER, x DECIMAL(5,2)", "CSV", "1,1.25\n", "7,12345.6\n", 1, "x", 1204, "Overflow"},
		{"a float that is none", "id INTEGER, x FLOAT", "CSV", "1,1.25\n", "7,1.2.3\n", 1, "x", 1208, "Invalid"},
		{"many bytes in a CHAR", "id INTEGER, x CHAR(5)", "CSV", "1,a\n", "7,é\n", 1, "x", 1215, "CHAR"},
		{"broken SUPER", "id INTEGER, x SUPER", "DELIMITER '|'", "1|[1]\n", "7|{\"a\":\n", 1, "x", 1224, "Invalid JSON"},
		{"compressed and not said so", two, "CSV", csv, gzipped("7,x\n"), 1, "id", 1214, "Delimiter not found"},
		{"not compressed and said so", two, "CSV GZIP", gzipped(csv), strings.Repeat("7,x\n", 100), 0, "", 1200, "GZIP"},
		{"truncated gzip", two, "CSV GZIP", gzipped(csv), gzipped(strings.Repeat("7,x\n", 1000))[:40], 0, "", 1200, "truncated"},
		{"damaged gzip", two, "CSV GZIP", gzipped(csv), damage(gzipped(strings.Repeat("7,x\n", 1000))), 0, "", 1200, "GZIP"},
		{"gzip for zstd", two, "CSV ZSTD", zstded(csv), gzipped("7,x\n"), 0, "", 1200, "not ZSTD"},
		{"truncated zstd", two, "CSV ZSTD", zstded(csv), zstded(strings.Repeat("7,x\n", 1000))[:20], 0, "", 1200, "ZSTD"},
		{"half an object", "id INTEGER, doc SUPER", "JSON 'auto'", json, "{\"id\": 7}\n{\"id\": 8, \"doc\": [", 2, "", 1200, "ends inside"},
		{"an array of objects", "id INTEGER, doc SUPER", "JSON 'auto'", json, "[{\"id\": 7}]", 1, "", 1200, "expected an object"},
		{"no JSON at all", "id INTEGER, doc SUPER", "JSON 'auto'", json, "<xml/>", 1, "", 1200, "Invalid JSON"},
		{"JSON of the wrong types", "id INTEGER, doc SUPER", "JSON 'auto'", json, "{\"id\": 7}\n\n{\"id\": \"x\"}", 3, "id", 1207, "Invalid digit"},
		{"text for Parquet", parquetColumns, "PARQUET", fixture(t, "good"), "7,x,1,,\n", 0, "", 15001, "not a Parquet file"},
		{"truncated Parquet", parquetColumns, "PARQUET", fixture(t, "good"), fixture(t, "good")[:400], 0, "", 15001, "not a Parquet file"},
		{"damaged Parquet", parquetColumns, "PARQUET", fixture(t, "good"), damage(fixture(t, "good")), 0, "", 15001, "damaged"},
		{"an empty Parquet file", parquetColumns, "PARQUET", fixture(t, "good"), "", 0, "", 15001, "not a Parquet file"},
		{"Parquet with other columns", parquetColumns, "PARQUET", fixture(t, "good"), fixture(t, "columns"), 0, "", 15007, "Table columns: 5, Data columns: 2"},
		{"Parquet of other types", parquetColumns, "PARQUET", fixture(t, "good"), fixture(t, "types"), 0, "id", 15011, "mismatch"},
		{"Parquet with too long a text", parquetColumns, "PARQUET", fixture(t, "good"), fixture(t, "long"), 1, "name", 15001, "length"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			name, prefix := fmt.Sprintf("bad_%d", i), fmt.Sprintf("%d/", i)
			run(t, ctx, c, "CREATE TABLE "+name+" ("+tt.columns+")")
			run(t, ctx, c, "COPY "+name+" FROM 's3://bad/"+prefix+"' "+role+" "+tt.options+" JOB CREATE "+name)
			put(t, ctx, c, "bad", prefix+"1-good", tt.good)
			put(t, ctx, c, "bad", prefix+"2-bad", tt.bad)
			put(t, ctx, c, "bad", prefix+"3-good", tt.good)
			eventually(t, ctx, c, "SELECT REPLACE(file_name, '"+prefix+"', ''), status FROM sys_copy_job_detail WHERE job_name = '"+name+"' ORDER BY 1", "1-good | I", "2-bad | E", "3-good | I")
			rows := "2"
			if strings.Contains(tt.options, "PARQUET") {
				rows = "6"
			}
			if got := run(t, ctx, c, "SELECT COUNT(*) FROM "+name); got[0] != rows {
				t.Errorf("%v rows are in the table, want %s", got, rows)
			}
			const columns = "line_number, TRIM(column_name), error_code, error_message"
			got := run(t, ctx, c, "SELECT "+columns+" FROM sys_load_error_detail WHERE file_name = 's3://bad/"+prefix+"2-bad'")
			want := fmt.Sprintf("%d | %s | %d | ", tt.line, tt.column, tt.code)
			if len(got) != 1 || !strings.HasPrefix(got[0], want) || !strings.Contains(got[0], tt.reason) || len(got[0]) < len(want)+8 {
				t.Errorf("SYS_LOAD_ERROR_DETAIL has %q, want %s... %s", got, want, tt.reason)
			}
			same := run(t, ctx, c, "SELECT line_number, TRIM(colname), err_code, err_reason FROM stl_load_errors WHERE filename = 's3://bad/"+prefix+"2-bad' AND copy_job_id = (SELECT job_id FROM sys_copy_job WHERE job_name = '"+name+"')")
			if len(same) != 1 || !strings.HasPrefix(got[0], same[0]) { // whose reason is a character(100)
				t.Errorf("STL_LOAD_ERRORS has %q", same)
			}
			// The query ids lead from the error to the load and its job.
			if got := run(t, ctx, c, "SELECT COUNT(*) FROM sys_load_error_detail e JOIN sys_load_history h USING (query_id) JOIN sys_copy_job j ON j.job_id = h.copy_job_id WHERE j.job_name = '"+name+"'"); got[0] != "1" {
				t.Errorf("from the error to the job: %v", got)
			}
			eventually(t, ctx, c, "SELECT COUNT(*) > 0 FROM sys_copy_job_info WHERE job_name = '"+name+"' AND message LIKE 'Job "+name+" failed to ingest 1 files from S3%'", "true")
		})
	}

	t.Run("a single line of 100 MB", func(t *testing.T) {
		t.Parallel()
		run(t, ctx, c, "CREATE TABLE long_line ("+two+")")
		run(t, ctx, c, "COPY long_line FROM 's3://bad/long/' "+role+" CSV JOB CREATE long_line")
		put(t, ctx, c, "bad", "long/1-good", csv)
		if _, err := c.S3.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String("bad"), Key: aws.String("long/2-bad"), Body: bytes.NewReader(bytes.Repeat([]byte("x"), 100<<20)),
		}); err != nil {
			t.Fatal(err)
		}
		put(t, ctx, c, "bad", "long/3-good", csv)
		eventually(t, ctx, c, "SELECT file_name, status FROM sys_copy_job_detail WHERE job_name = 'long_line' ORDER BY 1", "long/1-good | I", "long/2-bad | E", "long/3-good | I")
		got := run(t, ctx, c, "SELECT line_number, error_code, error_message, (SELECT COUNT(*) FROM long_line) FROM sys_load_error_detail WHERE file_name = 's3://bad/long/2-bad'")
		if len(got) != 1 || !strings.HasPrefix(got[0], "1 | ") || !strings.Contains(got[0], "4") || !strings.HasSuffix(got[0], " | 2") {
			t.Errorf("%v", got)
		}
	})
}

// damage changes bytes in the middle.
func damage(file string) string {
	b := []byte(file)
	for i := len(b) / 3; i < len(b)/3+12 && i < len(b); i++ {
		b[i] ^= 0x5a
	}
	return string(b)
}
