package duckdb

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/warehouse/duckdb/records"
)

// Lengths of the texts of a row error, in bytes.
const (
	maxReason = 100
	maxRaw    = 1024
)

// clip cuts a text to n bytes of whole characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, ".")
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.ToValidUTF8(s[:n], ".")
}

// columnError is an error about a column, without a row.
func (l *loader) columnError(f load.File, i int) load.RowError {
	c := l.plan.columns[i]
	e := load.RowError{File: f.URL(), Column: c.Name, ColumnType: c.rs.loadTypeName()}
	switch {
	case c.rs.length > 0:
		e.ColumnLength = fmt.Sprint(c.rs.length)
	case c.rs.name == "numeric":
		e.ColumnLength = fmt.Sprintf("%d, %d", c.rs.precision, c.rs.scale)
	}
	return e
}

// problemError is the error of a record that could not be split.
func (l *loader) problemError(f load.File, r records.Record) load.RowError {
	p := r.Problem
	e := load.RowError{File: f.URL()}
	if p.Column >= 0 && p.Column < len(l.plan.columns) {
		e = l.columnError(f, p.Column)
	}
	e.Line, e.RawLine, e.Position, e.RawField = r.Line, clip(r.Raw, maxRaw), p.Pos, clip(p.Field, maxRaw)
	e.Code, e.Reason = p.Code, clip(p.Reason, maxReason)
	return e
}

// fieldError is the error of a field that its column does not take.
func (l *loader) fieldError(f load.File, r batchRecord, i int) load.RowError {
	field := r.fields[i]
	e := l.columnError(f, i)
	e.Line, e.RawLine, e.Position, e.RawField = r.line, clip(r.raw, maxRaw), field.Pos, clip(field.Text, maxRaw)
	code, reason := fieldReason(l.plan.columns[i], field, l.plan.spec)
	e.Code, e.Reason = code, clip(reason, maxReason)
	return e
}

// fieldReason says in Redshift's words why a field is bad, given that it is.
func fieldReason(c tableColumn, f records.Field, spec load.Spec) (load.ErrorCode, string) {
	isText := c.duck == "VARCHAR"
	if f.Null || !isText && strings.Trim(f.Text, " ") == "" {
		return load.CodeNotNull, "Missing data for not-null field"
	}
	switch {
	case c.duck == "SMALLINT" || c.duck == "TINYINT":
		return digits(f.Text, "Short", "")
	case c.duck == "INTEGER":
		return digits(f.Text, "Integer", "")
	case c.duck == "BIGINT" || c.duck == "HUGEINT":
		return digits(f.Text, "Long", "")
	case strings.HasPrefix(c.duck, "DECIMAL("):
		return digits(f.Text, "Decimal", ".")
	case c.duck == "FLOAT" || c.duck == "DOUBLE":
		return load.CodeFloat, fmt.Sprintf("Invalid %s format or value", strings.ToUpper(c.rs.loadTypeName()))
	case c.duck == "BOOLEAN":
		return load.CodeBoolean, "Unknown boolean format"
	case c.duck == "DATE":
		return load.CodeDate, fmt.Sprintf("Invalid Date Format or Value [%s]", orDefault(spec.DateFormat, "YYYY-MM-DD"))
	case strings.HasPrefix(c.duck, "TIMESTAMP"):
		return load.CodeTimestamp, fmt.Sprintf("Invalid timestamp format or value [%s]", orDefault(spec.TimeFormat, "YYYY-MM-DD HH24:MI:SS"))
	case strings.HasPrefix(c.duck, "TIME"):
		return load.CodeTimestamp, "Invalid time format or value [HH24:MI:SS]"
	case c.duck == "JSON":
		if len(f.Text) > maxSuper {
			return load.CodeOutOfRange, "The value is longer than a SUPER value may be, 16777216 bytes"
		}
		return load.CodeSuperJSON, "Invalid JSON: the value cannot be parsed as SUPER"
	case c.duck == "BLOB":
		if c.rs.length > 0 && len(strings.TrimSpace(f.Text)) > 2*c.rs.length {
			return load.CodeOutOfRange, "Binary value length exceeds DDL length"
		}
		return load.CodeInvalidType, "Invalid hexadecimal digits for VARBYTE"
	}
	if c.rs.name == "character" {
		for i := range len(f.Text) {
			if f.Text[i] >= utf8.RuneSelf {
				return load.CodeChar, "Invalid CHAR value: a CHAR column holds single-byte characters only"
			}
		}
	}
	return load.CodeOutOfRange, "String length exceeds DDL length"
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// digits finds the first character that does not belong into a number, or else says that it is too large.
func digits(text, typ, also string) (load.ErrorCode, string) {
	begin := len(text) - len(strings.TrimLeft(text, " "))
	end := len(strings.TrimRight(text, " "))
	seen, points := 0, 0
	for i := begin; i < end; {
		r, size := utf8.DecodeRuneInString(text[i:])
		ok := r >= '0' && r <= '9' || i == begin && (r == '+' || r == '-') || also != "" && string(r) == also && points == 0
		if !ok {
			return load.CodeDigit, fmt.Sprintf("Invalid digit, Value '%c', Pos %d, Type: %s", r, i, typ)
		}
		if r >= '0' && r <= '9' {
			seen++
		} else if string(r) == also {
			points++
		}
		i += size
	}
	if seen == 0 {
		return load.CodeDigit, fmt.Sprintf("Invalid digit, Value '%s', Pos %d, Type: %s", clip(text[begin:end], 20), begin, typ)
	}
	if also != "" {
		return load.CodeOutOfRange, "Overflow, the value does not fit the column's precision"
	}
	return load.CodeOverflow, fmt.Sprintf("Overflow, Type: %s", typ)
}

// notReadable tells an error of the server's disk from one of a file's contents.
func notReadable(text string) bool {
	return strings.Contains(text, "Permission denied") || strings.Contains(text, "Input/output error") || strings.Contains(text, "Too many open files")
}

// tooMuch is what the engine says about an allocation that would take it over its limit.
var tooMuch = regexp.MustCompile(`failed to allocate data of size ([0-9.]+) (\w+) \([^/]*/([0-9.]+) (\w+) used\)`)

// neverFits reports whether an error is about more memory than the engine may ever have. Another time it will
// be no better, and what asks for so much is a size in a damaged file.
func neverFits(err error) bool {
	var engine *engineError
	if !errors.As(err, &engine) {
		return false
	}
	m := tooMuch.FindStringSubmatch(engine.text)
	return m != nil && bytesOf(m[1], m[2]) > bytesOf(m[3], m[4])
}

// bytesOf is a size as the engine prints it.
func bytesOf(number, unit string) float64 {
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0
	}
	factor, ok := map[string]float64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50, "EiB": 1 << 60}[unit]
	if !ok {
		factor = 1
	}
	return n * factor
}

// engineReason is what the engine says about a file, cut to its first sentence and with the file's own name for
// the path.
func engineReason(text string, format load.Format, file load.File) (load.ErrorCode, string) {
	_, reason, _ := strings.Cut(text, "Error: ")
	reason, _, _ = strings.Cut(reason, "\n")
	if strings.Contains(text, "No files found") {
		return load.CodeFileNotFound, "The file was not found when it was to be read"
	}
	reason = strings.TrimRight(strings.NewReplacer(file.Path, file.URL(), escapeGlob(file.Path), file.URL()).Replace(reason), ": ")
	if format != load.Parquet {
		return load.CodeParse, clip(reason, maxReason)
	}
	if strings.Contains(reason, "magic bytes") || strings.Contains(reason, "too small") {
		return load.CodeScan, "The file is not a Parquet file"
	}
	return load.CodeScan, clip("The Parquet file is damaged: "+reason, maxReason)
}
