package records

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/load"
)

// delimited splits lines of text, with quoting where quote is set.
type delimited struct {
	lines     *lineReader
	columns   int
	delimiter byte
	quote     byte // 0 without quoting
	nullAs    string
	buf       []byte
	fields    []Field
}

func (d *delimited) next() (Record, error) {
	for {
		line := d.lines.line + 1
		buf, dropped, err := d.lines.read(d.buf[:0], MaxRecord)
		if err != nil {
			return Record{}, err
		}
		if d.quote != 0 && dropped == 0 {
			// A quote that is still open makes the next line part of this record.
			scanned, open := d.openQuote(buf, 0, false)
			for open && dropped == 0 {
				buf, dropped, err = d.lines.read(buf, MaxRecord)
				if errors.Is(err, io.EOF) {
					d.buf = buf
					return problem(line, buf, load.CodeParse, "Invalid quote formatting for CSV: a quoted field is not closed"), nil
				}
				if err != nil {
					return Record{}, err
				}
				scanned, open = d.openQuote(buf, scanned, open)
			}
		}
		d.buf = buf
		if dropped > 0 {
			return problem(line, buf, load.CodeInvalidLine, fmt.Sprintf("The line is longer than %d bytes", MaxRecord)), nil
		}
		text := trimNewline(buf)
		if len(text) == 0 {
			continue // a blank line: the engine skips them, too
		}
		return d.split(line, text), nil
	}
}

// openQuote reports whether a quoted field is open at the end of buf. Up to from it has been looked at before,
// when open was the answer. A quote opens a field at the field's start only, spaces aside.
func (d *delimited) openQuote(buf []byte, from int, open bool) (int, bool) {
	start := true // of a field
	for i := from; i < len(buf); i++ {
		switch c := buf[i]; {
		case open:
			if c != d.quote {
				continue
			}
			if i+1 < len(buf) && buf[i+1] == d.quote {
				i++
				continue
			}
			open, start = false, false
		case c == d.quote && start:
			open = true
		case c == d.delimiter || c == '\n':
			start = true
		case c != ' ':
			start = false
		}
	}
	return len(buf), open
}

func trimNewline(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte{'\n'})
	return bytes.TrimSuffix(b, []byte{'\r'})
}

func problem(line int64, raw []byte, code load.ErrorCode, reason string) Record {
	return Record{Line: line, Raw: shown(trimNewline(raw)), Problem: &Problem{Code: code, Reason: reason, Column: -1}}
}

func (d *delimited) split(line int64, text []byte) Record {
	d.fields = d.fields[:0]
	rest, pos := text, 0
	for {
		raw, n, bad := d.field(rest)
		if bad != "" {
			r := problem(line, text, load.CodeParse, bad)
			r.Problem.Column, r.Problem.Pos, r.Problem.Field = len(d.fields), pos, shown(rest)
			return r
		}
		d.fields = append(d.fields, Field{Text: string(raw), Null: string(raw) == d.nullAs, Pos: pos})
		pos += n
		if n == len(rest) {
			break
		}
		rest = rest[n+1:]
		pos++
	}
	// Surplus fields with nothing in them are overlooked, as the engine does.
	if n := len(d.fields); n > d.columns && !slices.ContainsFunc(d.fields[d.columns:], func(f Field) bool { return f.Text != "" && !f.Null }) {
		d.fields = d.fields[:d.columns]
	}
	r := Record{Line: line, Raw: shown(text), Fields: d.fields}
	switch {
	case len(d.fields) < d.columns:
		r.Problem = &Problem{Code: load.CodeDelimiterMissing, Reason: "Delimiter not found", Column: len(d.fields) - 1,
			Pos: d.fields[len(d.fields)-1].Pos, Field: shown([]byte(d.fields[len(d.fields)-1].Text))}
	case len(d.fields) > d.columns:
		extra := d.fields[d.columns]
		r.Problem = &Problem{Code: load.CodeExtraColumns, Reason: "Extra column(s) found", Column: -1, Pos: extra.Pos, Field: shown([]byte(extra.Text))}
	default:
		r.Problem = badText(d.fields)
	}
	return r
}

// field returns the first field of rest, without its quotes, and how many bytes of rest it takes.
func (d *delimited) field(rest []byte) (_ []byte, n int, bad string) {
	if d.quote != 0 {
		if at := len(rest) - len(bytes.TrimLeft(rest, " ")); at < len(rest) && rest[at] == d.quote && d.quote != ' ' {
			return d.quoted(rest, at+1)
		}
	}
	n = bytes.IndexByte(rest, d.delimiter)
	if n < 0 {
		n = len(rest)
	}
	return rest[:n], n, ""
}

func (d *delimited) quoted(rest []byte, from int) (_ []byte, n int, bad string) {
	var out []byte
	for i := from; i < len(rest); i++ {
		switch {
		case rest[i] != d.quote:
			out = append(out, rest[i])
		case i+1 < len(rest) && rest[i+1] == d.quote:
			out = append(out, d.quote)
			i++
		default:
			end := i + 1
			for end < len(rest) && rest[end] == ' ' && d.delimiter != ' ' {
				end++
			}
			if end < len(rest) && rest[end] != d.delimiter {
				return nil, 0, "Invalid quote formatting for CSV: text after the closing quote"
			}
			return out, end, ""
		}
	}
	return nil, 0, "Invalid quote formatting for CSV: a quoted field is not closed"
}

// badText finds bytes that are no text.
func badText(fields []Field) *Problem {
	for i, f := range fields {
		if f.Null {
			continue
		}
		p := &Problem{Column: i, Pos: f.Pos, Field: shown([]byte(f.Text))}
		if at := invalidUTF8(f.Text); at >= 0 {
			bad := f.Text[at:min(at+4, len(f.Text))]
			p.Code, p.Reason = load.CodeUTF8, fmt.Sprintf("String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: %s", hex.EncodeToString([]byte(bad)))
			return p
		}
		if at := bytes.IndexByte([]byte(f.Text), 0); at >= 0 {
			p.Code, p.Reason = load.CodeInvalidLine, fmt.Sprintf("Missing newline: Unexpected character 0x0 found at location %d", f.Pos+at)
			return p
		}
	}
	return nil
}

func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}
