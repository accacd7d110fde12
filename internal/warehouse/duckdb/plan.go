package duckdb

import (
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/warehouse/duckdb/records"
)

// plan is how the files of one request become rows of its table.
type plan struct {
	spec    load.Spec
	table   load.Table
	target  string        // the table's full name
	columns []tableColumn // in field order
	fields  []converter   // of text formats; Parquet's depend on each file's schema
}

// fileColumn is the name the reader gives the column with the file's path.
const fileColumn = "penstock_file"

// newPlan resolves the columns of a request. all are the table's.
func newPlan(req load.Request, all []tableColumn) (*plan, error) {
	p := &plan{spec: req.Spec, table: req.Table, target: ident(req.Table.Database) + "." + ident(req.Table.Schema) + "." + ident(req.Table.Name)}
	if len(req.Spec.Columns) == 0 {
		for _, c := range all {
			if !c.identity {
				p.columns = append(p.columns, c)
			}
		}
	}
	seen := map[string]bool{}
	for _, name := range req.Spec.Columns {
		found := false
		for _, c := range all {
			if strings.EqualFold(c.Name, name) {
				p.columns, found = append(p.columns, c), true
			}
		}
		if !found {
			return nil, fault.New(fault.NotFound, SubjectColumn, "column %q of relation %q does not exist", name, req.Table.Name)
		}
		if seen[strings.ToLower(name)] {
			return nil, fault.New(fault.Invalid, SubjectColumn, "column %q specified more than once", name)
		}
		seen[strings.ToLower(name)] = true
	}
	if len(p.columns) == 0 {
		return nil, fault.New(fault.Invalid, SubjectRelation, "relation %q has no columns to load into", req.Table.Name)
	}
	if p.spec.Format == load.Parquet {
		return p, nil
	}
	if err := checkSpec(p.spec); err != nil {
		return nil, err
	}
	for i, c := range p.columns {
		conv, err := newConverter(c, p.field(i), p.spec)
		if err != nil {
			return nil, err
		}
		if p.spec.Format == load.CSV && (c.duck == "VARCHAR" || c.duck == "JSON") {
			// Spaces before a quote mean nothing to COPY. The engine sees to that sometimes.
			conv.doubt = fmt.Sprintf("starts_with(%s, ' ') AND contains(%[1]s, %s)", p.readName(i), literal(p.spec.Quote))
		}
		p.fields = append(p.fields, conv)
	}
	return p, nil
}

func checkSpec(spec load.Spec) error {
	if spec.Format == load.JSON {
		return nil
	}
	for _, o := range []struct{ name, value string }{{"DELIMITER", spec.Delimiter}, {"QUOTE", spec.Quote}} {
		used := o.name == "DELIMITER" || spec.Format == load.CSV
		if used && (len(o.value) != 1 || o.value[0] >= 0x80 || o.value == "\n" || o.value == "\r" || o.value == "\x00") {
			return fault.New(fault.Invalid, SubjectLoad, "COPY %s must be a single ASCII character, not a line end", o.name)
		}
	}
	if spec.Format == load.CSV && spec.Delimiter == spec.Quote {
		return fault.New(fault.Invalid, SubjectLoad, "COPY DELIMITER and QUOTE must differ")
	}
	return nil
}

// readName is what the reader calls field i.
func (p *plan) readName(i int) string {
	if p.spec.Format == load.JSON {
		return ident(p.columns[i].Name)
	}
	return fmt.Sprintf("c%d", i)
}

// field is the SQL expression of field i in a reader's rows.
func (p *plan) field(i int) string {
	if p.nulIsNull() {
		return "nullif(" + p.readName(i) + ", chr(0))"
	}
	return p.readName(i)
}

// nulIsNull is NULL AS '\0', which no SQL text can hold.
func (p *plan) nulIsNull() bool { return p.spec.NullAs == "\x00" }

// names are the target's columns.
func (p *plan) names() []string {
	names := make([]string, len(p.columns))
	for i, c := range p.columns {
		names[i] = c.Name
	}
	return names
}

// isSuper tells which columns are SUPER.
func (p *plan) isSuper() []bool {
	super := make([]bool, len(p.columns))
	for i, c := range p.columns {
		super[i] = c.duck == "JSON"
	}
	return super
}

// inspection is what has to be looked for in a file beside what the engine sees.
func (p *plan) inspection(f load.File) records.Inspection {
	n := records.Inspection{Spec: p.spec}
	if p.spec.Format != load.JSON {
		// Text that fits the buffer as a whole has no line that does not.
		if size := bufferSize([]load.File{f}, p.spec.Compression); p.spec.Compression != load.Uncompressed || f.Size > size {
			n.Block = size / 2
		}
		return n
	}
	for _, c := range p.columns {
		switch {
		case c.duck == "JSON" || strings.HasPrefix(c.duck, "DECIMAL(") && c.rs.precision > 15:
			n.Digits = 15
		case c.duck == "VARCHAR" && n.Digits == 0:
			n.Digits = 17
		}
	}
	return n
}

// Sizes of the engine's read buffers, in bytes. They count against the memory limit, once per file being
// read, so a small file gets a small one.
const (
	largestBuffer  = 2 * records.MaxRecord
	smallestBuffer = 64 << 10
)

func bufferSize(files []load.File, c load.Compression) int64 {
	var largest int64
	for _, f := range files {
		largest = max(largest, f.Size)
	}
	if c != load.Uncompressed {
		largest *= 16 // more than text is usually compressed; a line that does not fit goes the slow way
	}
	return min(max(2*largest, smallestBuffer), largestBuffer)
}

// source is the FROM clause that reads files. Where they are several, every row has the path of its file in
// fileColumn.
func (p *plan) source(files []load.File) string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = literal(escapeGlob(f.Path))
	}
	list := "[" + strings.Join(paths, ", ") + "]"
	// Keys like "dt=2026-01-01/x.csv" are no partitions to COPY.
	common := ", hive_partitioning = false"
	if len(files) > 1 {
		common += ", filename = '" + fileColumn + "'"
	}
	codec := map[load.Compression]string{load.Uncompressed: "uncompressed", load.GZIP: "gzip", load.ZSTD: "zstd"}[p.spec.Compression]
	switch p.spec.Format {
	case load.Parquet:
		return "read_parquet(" + list + common + ")"
	case load.JSON:
		return fmt.Sprintf("read_json(%s, format = '%s', auto_detect = false, records = 'true', maximum_object_size = %d, compression = '%s', columns = %s%s)",
			list, layoutOf(files, p.spec.Compression), bufferSize(files, p.spec.Compression), codec, p.readColumns(), common)
	}
	quote, null := "", p.spec.NullAs
	if p.spec.Format == load.CSV {
		quote = p.spec.Quote
	}
	if p.nulIsNull() {
		null = "\x01penstock" // something no field is
	}
	size := bufferSize(files, p.spec.Compression)
	return fmt.Sprintf("read_csv(%s, auto_detect = false, header = false, skip = %d, delim = %s, quote = %s, escape = %[4]s, nullstr = %[5]s, "+
		"strict_mode = true, buffer_size = %[6]d, max_line_size = %[7]d, compression = '%[8]s', columns = %[9]s%[10]s)",
		list, p.spec.IgnoreHeader, literal(p.spec.Delimiter), literal(quote), literal(null), size, size/2, codec, p.readColumns(), common)
}

// layoutOf is how the engine is to read JSON files: line by line, in parallel, where that is how they begin.
func layoutOf(files []load.File, c load.Compression) string {
	for _, f := range files {
		if !records.LineDelimited(f.Path, c) {
			return "unstructured"
		}
	}
	return "newline_delimited"
}

// readColumns are the columns of the reader: text, and JSON where the target takes JSON out of JSON.
func (p *plan) readColumns() string {
	cols := make([]string, len(p.columns))
	for i, c := range p.columns {
		name, typ := fmt.Sprintf("c%d", i), "VARCHAR"
		if p.spec.Format == load.JSON {
			name = c.Name
			if c.duck == "JSON" {
				typ = "JSON"
			}
		}
		cols[i] = literal(name) + ": '" + typ + "'"
	}
	return "{" + strings.Join(cols, ", ") + "}"
}

// escapeGlob keeps the engine from taking a file name for a pattern: it would read other files instead.
func escapeGlob(path string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(path)
}

// values is the list of a reader's rows converted to the target's columns.
func values(fields []converter, expression func(converter) string) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = expression(f)
	}
	return strings.Join(list, ", ")
}
