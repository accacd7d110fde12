package duckdb

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/load"
)

// parquet writes the result of a query as a Parquet file.
func (f *fixture) parquet(key, query string) load.File {
	f.Helper()
	path := filepath.Join(f.files, key)
	f.must(os.MkdirAll(filepath.Dir(path), 0o700))
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	_, err := f.w.eng.admin.exec(f.Context(), "COPY ("+query+") TO "+literal(path)+" (FORMAT parquet)")
	f.must(err)
	info, err := os.Stat(path)
	f.must(err)
	return load.File{Bucket: "b", Key: key, Size: info.Size(), Modified: time.Now(), Path: path}
}

func parquetSpec() load.Spec { return load.Spec{Format: load.Parquet} }

func TestParquetTypes(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	for _, c := range []struct{ column, value, want string }{
		{"SMALLINT", "7::SMALLINT", "[7]"}, {"INTEGER", "7::INTEGER", "[7]"}, {"BIGINT", "7::INTEGER", "[7]"}, {"INTEGER", "7::BIGINT", "[7]"}, {"SMALLINT", "70000::INTEGER", "ERR 15001"},
		{"DECIMAL(10,2)", "1.25::DECIMAL(10,2)", "[1.25]"}, {"DECIMAL(38,4)", "7::INTEGER", "[7.0000]"}, {"DECIMAL(4,2)", "123456.5::DECIMAL(10,2)", "ERR 15001"},
		{"DOUBLE", "1.5::FLOAT", "[1.5]"}, {"REAL", "1.5::DOUBLE", "[1.5]"}, {"BOOLEAN", "true", "[true]"},
		{"character varying(3)", "'abc'", "[abc]"}, {"character varying(3)", "'äöü'", "ERR 15001"}, {"character varying(3)", "NULL::VARCHAR", "[<nil>]"}, {"character varying(3)", "'abc'::BLOB", "[abc]"},
		{"character(3)", "'a  '", "[a]"}, {"character(3)", "'ä'", "ERR 15001"},
		{"DATE", "DATE '2026-01-02'", "[2026-01-02]"}, {"TIMESTAMP", "TIMESTAMP '2026-01-02 03:04:05.5'", "[2026-01-02 03:04:05.5]"},
		{"TIMESTAMP", "TIMESTAMP_NS '2026-01-02 03:04:05.5'", "[2026-01-02 03:04:05.5]"}, {"TIMESTAMP", "TIMESTAMPTZ '2026-01-02 03:04:05+01'", "[2026-01-02 02:04:05]"},
		{"TIMESTAMPTZ", "TIMESTAMP '2026-01-02 03:04:05'", "[2026-01-02 03:04:05+00]"}, {"TIMESTAMPTZ", "TIMESTAMPTZ '2026-01-02 03:04:05+01'", "[2026-01-02 02:04:05+00]"}, {"TIME", "TIME '03:04:05'", "[03:04:05]"},
		{"super", "{'a': [1, 2]}", `[{"a":[1,2]}]`}, {"super", "'x'", `["x"]`}, {"super", "5", "[5]"}, {"super", "NULL::INTEGER[]", "[<nil>]"},
		{"binary varying(3)", "'abc'::BLOB", "[[97 98 99]]"}, {"binary varying(2)", "'abc'::BLOB", "ERR 15001"}, {"binary varying(3)", "'abc'", "[[97 98 99]]"},
		{"INTEGER", "'7'", "ERR 15011"}, {"INTEGER", "1.5::DOUBLE", "ERR 15011"}, {"VARCHAR", "7", "ERR 15011"}, {"BOOLEAN", "1", "ERR 15011"}, {"DATE", "'2026-01-01'", "ERR 15011"}, {"TIMESTAMP", "DATE '2026-01-01'", "ERR 15011"},
		{"DECIMAL(4,2)", "1.5::DOUBLE", "ERR 15011"}, {"INTEGER NOT NULL", "NULL::INTEGER", "ERR 1213"}, {"INTEGER NOT NULL", "5", "[5]"}, {"VARCHAR NOT NULL", "NULL::VARCHAR", "ERR 1213"},
	} {
		f.table(s, "id INTEGER", "v "+c.column)
		res, err := s.Load(t.Context(), request(parquetSpec(), f.parquet("x.parquet", "SELECT 1::INTEGER AS k, "+c.value+" AS other")))
		got := strings.Join(f.query(s, "SELECT v FROM t"), " ")
		if err != nil {
			e := res.Files[0].Errors
			if len(e) != 1 {
				t.Errorf("%s into %s: %v, %v", c.value, c.column, err, e)
				continue
			}
			got = fmt.Sprintf("ERR %d", e[0].Code)
			if e[0].Column != "v" || (e[0].Line != 1) != (e[0].Code == load.CodeColumnType) {
				t.Errorf("%s into %s: %+v", c.value, c.column, e[0])
			}
		}
		if got != c.want {
			t.Errorf("%s into %s = %s, want %s (%v)", c.value, c.column, got, c.want, err)
		}
	}
}

func TestParquetFiles(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.table(s, "a INTEGER", "b character varying(5)")
	good := f.parquet("dt=1/good", "SELECT 1 AS x, 'one' AS y")
	swapped := f.parquet("swapped", "SELECT 2 AS y, 'two' AS x") // other names, in another order: position counts
	wide := f.parquet("wide", "SELECT 3 AS a, 'three' AS b, 1 AS c")
	text := f.parquet("text", "SELECT '4' AS a, 'four' AS b")
	long := f.parquet("long", "SELECT range::INTEGER AS a, CASE WHEN range = 5 THEN 'far too long' ELSE 'x' END AS b FROM range(10)")
	empty := f.parquet("empty", "SELECT 1 AS a, 'x' AS b WHERE false")
	large := f.parquet("large", "SELECT range::INTEGER AS a, substr(md5(range::VARCHAR), 1, 5) AS b FROM range(1000000)")
	junk := f.file("junk", "this is not a Parquet file at all")
	nothing := f.file("nothing", "")
	cut := f.parquet("cut", "SELECT range::INTEGER AS a, 'x' AS b FROM range(1000)")
	f.must(os.Truncate(cut.Path, cut.Size/2))
	if large.Size < largeFile {
		t.Fatalf("the large file has %d bytes only", large.Size)
	}
	for _, c := range []struct {
		file load.File
		want string
	}{
		{wide, "0  15007 Unmatched number of columns between table and file. Table columns: 2, Data columns: 3"},
		{text, "0 a 15011 Column type mismatch: the file's column 1 has type VARCHAR, the table's is integer"},
		{long, "6 b 15001 The length of the data column b is longer than the length defined in the table. Table: 5, Data: "},
		{junk, "0  15001 The file is not a Parquet file"}, {nothing, "0  15001 The file is not a Parquet file"}, {cut, "0  15001 The file is not a Parquet file"},
	} {
		res, err := s.Load(t.Context(), request(parquetSpec(), good, c.file))
		if err == nil || len(res.Files[1].Errors) != 1 {
			t.Errorf("%s: %v", c.file.Key, err)
			continue
		}
		e := res.Files[1].Errors[0]
		if got := fmt.Sprintf("%d %s %d %s", e.Line, e.Column, e.Code, e.Reason); !strings.HasPrefix(got, c.want[:min(len(c.want), len(got))]) || len(got) < 20 {
			t.Errorf("%s:\n got %s\nwant %s", c.file.Key, got, c.want)
		}
	}
	if got := f.query(s, "SELECT count(*) FROM t"); got[0] != "[0]" {
		t.Errorf("rows of failed copies: %v", got)
	}
	req := request(parquetSpec(), good, swapped, wide, text, long, empty, large, junk, nothing, cut)
	req.Job, req.Table.Database = &load.Job{ID: 3}, "dev"
	res, err := f.w.Load(t.Context(), req)
	f.must(err)
	if statuses(res) != "IIEEEIIEEE" {
		t.Errorf("statuses = %s", statuses(res))
	}
	if got := f.query(s, "SELECT count(*) FROM t"); got[0] != "[1000002]" {
		t.Errorf("rows = %v", got)
	}
	if got := f.query(s, "SELECT a, b FROM t WHERE length(b) = 3 ORDER BY 1"); !slices.Equal(got, []string{"[1 one]", "[2 two]"}) {
		t.Errorf("rows = %v", got)
	}
	// Columns of a list are fed by position, too.
	f.query(s, "TRUNCATE t")
	req = request(parquetSpec(), swapped)
	req.Spec.Columns = []string{"a", "b"}
	_, err = s.Load(t.Context(), req)
	f.must(err)
	req.Spec.Columns, req.Files = []string{"b"}, []load.File{f.parquet("one", "SELECT 'x' AS q")}
	_, err = s.Load(t.Context(), req)
	f.must(err)
	if got := f.query(s, "SELECT a, b FROM t"); !slices.Equal(got, []string{"[2 two]", "[<nil> x]"}) {
		t.Errorf("rows = %v", got)
	}
}

// TestDamagedParquet damages a file everywhere. Wherever the engine notices, the file is to blame for it, the
// file beside it is loaded, and nothing is left open.
func TestDamagedParquet(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	f.table(s, "a INTEGER", "b character varying(20)", "c super")
	good := f.parquet("good", "SELECT range::INTEGER AS a, 'name ' || (range % 7) AS b, {'k': [range]} AS c FROM range(50)")
	content, err := os.ReadFile(good.Path)
	f.must(err)
	files := []load.File{good}
	for i := 0; i < len(content); i += 29 {
		bad := slices.Clone(content)
		for at := i; at < min(i+9, len(bad)); at++ {
			bad[at] ^= 0x5a
		}
		files = append(files, f.file(fmt.Sprintf("bad/%04d", i), string(bad)))
	}
	req := request(parquetSpec(), files...)
	req.Job, req.Table.Database = &load.Job{ID: 1}, "dev"
	res, err := f.w.Load(t.Context(), req)
	f.must(err)
	failed := 0
	for i, r := range res.Files {
		switch r.Status {
		case load.Loaded: // nothing tells the damage from data
		case load.Failed:
			failed++
			if len(r.Errors) == 0 || r.Errors[0].Code == 0 || strings.Contains(r.Message, f.files) || len(r.Message) < 20 {
				t.Errorf("%s: %q, %+v", r.File.Key, r.Message, r.Errors)
			}
		default:
			t.Errorf("%s is %c", r.File.Key, r.Status)
		}
		if i == 0 && (r.Status != load.Loaded || r.Rows != 50) {
			t.Errorf("the good file: %c, %d rows", r.Status, r.Rows)
		}
	}
	if failed < len(files)/3 {
		t.Errorf("%d of %d files failed: the test damages nothing", failed, len(files))
	}
}

func TestNeverFits(t *testing.T) {
	for text, want := range map[string]bool{
		"Out of Memory Error: failed to allocate data of size 3.2 GiB (12.1 MiB/512.0 MiB used)":     true,
		"Out of Memory Error: failed to allocate data of size 256.0 KiB (511.9 MiB/512.0 MiB used)":  false,
		"Out of Memory Error: failed to allocate data of size 2000 bytes (0 bytes/1000 bytes used)":  true,
		"Out of Memory Error: could not allocate block of size 256.0 KiB (511.9 MiB/512.0 MiB used)": false,
	} {
		if got := neverFits(&engineError{text}); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
