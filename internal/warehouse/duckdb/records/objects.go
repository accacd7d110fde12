package records

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/penstock-io/penstock/internal/load"
)

// objects cuts a file into JSON objects and takes the wanted members out of each.
type objects struct {
	lines  *lineReader
	index  map[string]int // of the wanted keys
	super  []bool
	line   []byte // what is left of the current line
	buf    []byte // the object so far
	fields []Field
}

func newObjects(lines *lineReader, columns []string, super []bool) *objects {
	o := &objects{lines: lines, index: make(map[string]int, len(columns)), super: super, fields: make([]Field, len(columns))}
	for i, c := range columns {
		o.index[c] = i
	}
	return o
}

// maxObject bounds an object in memory: a SUPER value of the largest size with something around it.
const maxObject = MaxSuper + MaxRecord

func (o *objects) next() (Record, error) {
	for {
		o.line = bytes.TrimLeft(o.line, " \t\r\n")
		if len(o.line) > 0 {
			break
		}
		if err := o.more(); err != nil {
			return Record{}, err
		}
	}
	if rest, ok := bytes.CutPrefix(o.line, []byte("null")); ok && (len(rest) == 0 || strings.IndexByte(" \t\r\n{", rest[0]) >= 0) {
		// Not an object, but to the engine as good as an empty one.
		o.buf, o.line = append(o.buf[:0], "{}"...), rest
		return o.parse(), nil
	}
	if o.line[0] != '{' {
		return o.stray(), nil
	}
	o.buf = o.buf[:0]
	depth, inString, escaped := 0, false, false
	for {
		for i, c := range o.line {
			switch {
			case escaped:
				escaped = false
			case inString:
				escaped, inString = c == '\\', c != '"'
			case c == '"':
				inString = true
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				depth--
			}
			if depth == 0 {
				o.buf = append(o.buf, o.line[:i+1]...)
				o.line = o.line[i+1:]
				return o.parse(), nil
			}
		}
		o.buf = append(o.buf, o.line...)
		o.line = o.line[:0]
		if len(o.buf) > maxObject {
			return o.tooLong()
		}
		err := o.more()
		if errors.Is(err, io.EOF) {
			return problem(o.lines.line, o.buf, load.CodeParse, "Invalid JSON: the file ends inside an object"), nil
		}
		if err != nil {
			return Record{}, err
		}
	}
}

// more reads the next line. A line too long for any object is cut, which makes its object too long, too.
func (o *objects) more() error {
	line, _, err := o.lines.read(nil, maxObject+1)
	o.line = line
	return err
}

func (o *objects) tooLong() (Record, error) {
	r := problem(o.lines.line, o.buf, load.CodeInvalidLine, fmt.Sprintf("The JSON object is longer than %d bytes", maxObject))
	o.buf = nil
	return r, o.resume()
}

// resume skips to the next line that begins an object.
func (o *objects) resume() error {
	for {
		err := o.more()
		if errors.Is(err, io.EOF) {
			o.line = nil
			return nil
		}
		if err != nil || bytes.HasPrefix(o.line, []byte("{")) {
			return err
		}
	}
}

// stray is a record for what is no object, up to the end of its line.
func (o *objects) stray() Record {
	reason := "Invalid JSON: expected an object"
	switch o.line[0] {
	case '[':
		reason = "Invalid JSON: expected an object, found an array; the objects must follow each other without brackets"
	case ',':
		reason = "Invalid JSON: objects must be separated by white space, not by commas"
	}
	r := problem(o.lines.line, o.line, load.CodeParse, reason)
	o.line = o.line[:0]
	return r
}

// parse takes the wanted members out of the object in buf.
func (o *objects) parse() Record {
	for i := range o.fields {
		o.fields[i] = Field{Null: true}
	}
	r := Record{Line: o.lines.line, Raw: shown(o.buf), Fields: o.fields}
	d := jsontext.NewDecoder(bytes.NewReader(o.buf))
	if err := o.members(d, &r); err != nil {
		r.Problem = &Problem{Code: load.CodeParse, Reason: "Invalid JSON: " + jsonReason(err), Column: -1}
		if invalidUTF8(string(o.buf)) >= 0 {
			r.Problem.Code, r.Problem.Reason = load.CodeUTF8, "String contains invalid or unsupported UTF8 codepoints"
		}
	}
	return r
}

func (o *objects) members(d *jsontext.Decoder, r *Record) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		at, wanted := o.index[name.String()]
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		if !wanted || value.Kind() == 'n' {
			continue
		}
		f := Field{Pos: int(d.InputOffset()) - len(value)}
		switch {
		case value.Kind() == '"' && !o.super[at]:
			text, err := jsontext.AppendUnquote(nil, value)
			if err != nil {
				return err
			}
			f.Text = string(text)
			if strings.IndexByte(f.Text, 0) >= 0 && r.Problem == nil {
				r.Problem = &Problem{Code: load.CodeInvalidLine, Reason: "A text may not hold a NUL character", Column: at, Pos: f.Pos, Field: shown(value)}
			}
		case value.Kind() == '{' || value.Kind() == '[':
			value = value.Clone()
			if err := value.Compact(); err != nil {
				return err
			}
			f.Text = string(value)
		default:
			f.Text = string(value)
		}
		o.fields[at] = f
	}
	_, err := d.ReadToken()
	return err
}

// jsonReason is a syntax error without the package's name and offsets.
func jsonReason(err error) string {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) && syntactic.Err != nil {
		return syntactic.Err.Error()
	}
	return err.Error()
}
