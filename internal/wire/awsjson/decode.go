// Package awsjson reads and writes the JSON of AWS's JSON and REST protocols. It holds what the
// generated shapes of those services need; which members there are is theirs to say.
//
// Reading is strict: names must not repeat, text must be UTF-8, nesting is limited, a member has the
// type the model gives it, and nothing follows the value. A null member is an absent one; a null
// element of a list or map is refused.
package awsjson

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/penstock-io/penstock/internal/wire/input"
)

// MaxDepth is how deeply objects and arrays may be nested. The deepest that any service allows, a
// DynamoDB item of 32 levels, needs about 70.
const MaxDepth = 128

// Decoder reads one JSON value. It keeps the first error; after one, what it returns has no meaning
// and its loops end.
type Decoder struct {
	dec  *jsontext.Decoder
	buf  bytes.Buffer
	name []byte // of the current member, when it had to be unescaped
	err  *input.Error
}

var decoders = sync.Pool{New: func() any { return &Decoder{dec: jsontext.NewDecoder(new(bytes.Buffer))} }}

// Decode reads body, an object, with decode. An empty body counts as an empty object.
func Decode[T any](body []byte, decode func(*Decoder) T) (T, *input.Error) {
	d := decoders.Get().(*Decoder)
	defer d.release()
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	d.err = nil
	d.buf = *bytes.NewBuffer(body)
	d.dec.Reset(&d.buf)
	v := decode(d)
	if d.err == nil {
		if _, err := d.dec.ReadToken(); err == nil {
			d.fail(input.Unreadable, "The request body has more after the end of its JSON value.")
		} else if !errors.Is(err, io.EOF) {
			d.syntax(err)
		}
	}
	return v, d.err
}

func (d *Decoder) release() {
	d.buf = bytes.Buffer{} // the body is the caller's
	d.dec.Reset(&d.buf)
	decoders.Put(d)
}

func (d *Decoder) fail(p input.Problem, format string, args ...any) {
	if d.err == nil {
		d.err = input.Errorf(p, format, args...)
	}
}

// syntax records an error of the tokenizer.
func (d *Decoder) syntax(err error) {
	if d.err != nil {
		return
	}
	var s *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &s):
		d.fail(input.Unreadable, "The request body names the member %s more than once.", input.Echo(string(s.JSONPointer)))
	case errors.As(err, &s):
		d.fail(input.Unreadable, "The request body is not valid JSON: %v at byte %d.", s.Err, s.ByteOffset)
	default:
		d.fail(input.Unreadable, "The request body is not valid JSON: it ends too early.")
	}
}

func (d *Decoder) where() string {
	if p := d.dec.StackPointer(); p != "" {
		return input.Echo(string(p))
	}
	return "the top of the body"
}

var kindNames = map[jsontext.Kind]string{
	'n': "null", 'f': "a boolean", 't': "a boolean", '"': "a string", '0': "a number", '{': "an object", '[': "an array",
}

// mistyped skips a value of the wrong type and records it.
func (d *Decoder) mistyped(want string) {
	if d.err != nil {
		return
	}
	kind := d.dec.PeekKind()
	name, ok := kindNames[kind]
	if !ok {
		_, err := d.dec.ReadToken() // only to learn what is wrong
		d.syntax(err)
		return
	}
	if kind == '{' || kind == '[' {
		_, _ = d.dec.ReadToken()
	} else if err := d.dec.SkipValue(); err != nil {
		d.syntax(err)
		return
	}
	d.fail(input.Mistyped, "Expected %s but found %s at %s.", want, name, d.where())
}

// open consumes the start of an object or array.
func (d *Decoder) open(kind jsontext.Kind, want string) bool {
	if d.err != nil {
		return false
	}
	if d.dec.PeekKind() != kind {
		d.mistyped(want)
		return false
	}
	if _, err := d.dec.ReadToken(); err != nil {
		d.syntax(err)
		return false
	}
	if d.dec.StackDepth() > MaxDepth {
		d.fail(input.Unreadable, "The request body is nested more than %d levels deep.", MaxDepth)
		return false
	}
	return true
}

// more reports whether the open object or array goes on; otherwise it consumes the end.
func (d *Decoder) more(end jsontext.Kind) bool {
	if d.err != nil {
		return false
	}
	if d.dec.PeekKind() != end {
		return true
	}
	_, err := d.dec.ReadToken()
	if err != nil {
		d.syntax(err)
	}
	return false
}

// Object begins a structure and reports whether there is one.
func (d *Decoder) Object() bool { return d.open('{', "an object") }

// Member moves to the next member of the open structure and returns its name, which is valid until the
// next call of any method; nil at the end of the structure.
func (d *Decoder) Member() []byte {
	for d.more('}') {
		raw, err := d.dec.ReadValue()
		if err != nil {
			d.syntax(err)
			return nil
		}
		name := raw[1 : len(raw)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			d.name, err = jsontext.AppendUnquote(d.name[:0], raw)
			if err != nil {
				d.syntax(err)
				return nil
			}
			name = d.name
		}
		if string(name) == "__type" { // some clients name the shape they send
			if err := d.dec.SkipValue(); err != nil {
				d.syntax(err)
			}
			continue
		}
		return name
	}
	return nil
}

// Unknown records that the structure has no member of the current name.
func (d *Decoder) Unknown() {
	d.fail(input.Unknown, "Unknown member: %s is not a member of this operation's input.", d.where())
}

// Raw is the JSON of a value that the service's own code reads and writes.
type Raw []byte

// Raw returns the JSON of a value as it is. It is valid JSON without repeated names; nothing else is checked.
func (d *Decoder) Raw() Raw {
	if d.err != nil {
		return nil
	}
	raw, err := d.dec.ReadValue()
	if err != nil {
		d.syntax(err)
		return nil
	}
	if d.dec.StackDepth()+nesting(raw) > MaxDepth {
		d.fail(input.Unreadable, "The request body is nested more than %d levels deep.", MaxDepth)
		return nil
	}
	return append(make(Raw, 0, len(raw)), raw...)
}

// nesting is how many objects and arrays of valid JSON are within each other at its deepest place.
func nesting(raw []byte) int {
	depth, deepest, inString := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// Null consumes a null and reports whether there was one.
func (d *Decoder) Null() bool {
	if d.err != nil || d.dec.PeekKind() != 'n' {
		return false
	}
	_, err := d.dec.ReadToken()
	if err != nil {
		d.syntax(err)
	}
	return true
}

// String decodes a string.
func (d *Decoder) String() string {
	if d.err != nil {
		return ""
	}
	if d.dec.PeekKind() != '"' {
		d.mistyped("a string")
		return ""
	}
	tok, err := d.dec.ReadToken()
	if err != nil {
		d.syntax(err)
		return ""
	}
	return tok.String()
}

// Bool decodes a boolean.
func (d *Decoder) Bool() bool {
	if d.err != nil {
		return false
	}
	if k := d.dec.PeekKind(); k != 't' && k != 'f' {
		d.mistyped("a boolean")
		return false
	}
	tok, err := d.dec.ReadToken()
	if err != nil {
		d.syntax(err)
		return false
	}
	return tok.Bool()
}

// Int32 decodes a whole number of 32 bits.
func (d *Decoder) Int32() int32 { return int32(d.integer(32)) }

// Int64 decodes a whole number of 64 bits.
func (d *Decoder) Int64() int64 { return d.integer(64) }

func (d *Decoder) integer(bits int) int64 {
	raw := d.number("a whole number")
	if raw == nil {
		return 0
	}
	n, err := strconv.ParseInt(string(raw), 10, bits)
	if err == nil {
		return n
	}
	// Clients in languages with one kind of number write 5 as 5.0 or 5e0.
	f, ferr := strconv.ParseFloat(string(raw), 64)
	if ferr == nil && errors.Is(err, strconv.ErrSyntax) && f == math.Trunc(f) && math.Abs(f) < float64(int64(1)<<min(bits-1, 53)) {
		return int64(f)
	}
	d.fail(input.Mistyped, "Expected a whole number of %d bits but found %s at %s.", bits, input.Echo(string(raw)), d.where())
	return 0
}

// number returns the text of a number, valid until the next call.
func (d *Decoder) number(want string) []byte {
	if d.err != nil {
		return nil
	}
	if d.dec.PeekKind() != '0' {
		d.mistyped(want)
		return nil
	}
	raw, err := d.dec.ReadValue()
	if err != nil {
		d.syntax(err)
		return nil
	}
	return raw
}

// Float64 decodes a number, or one of the names of the values that have no digits.
func (d *Decoder) Float64() float64 {
	if d.err == nil && d.dec.PeekKind() == '"' {
		switch s := d.String(); s {
		case "NaN":
			return math.NaN()
		case "Infinity":
			return math.Inf(1)
		case "-Infinity":
			return math.Inf(-1)
		default:
			d.fail(input.Mistyped, "Expected a number but found a string at %s.", d.where())
			return 0
		}
	}
	raw := d.number("a number")
	if raw == nil {
		return 0
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		d.fail(input.Mistyped, "Expected a number of 64 bits but found %s at %s.", input.Echo(string(raw)), d.where())
	}
	return f
}

// Time decodes a time given as seconds since 1970, to the millisecond.
func (d *Decoder) Time() time.Time {
	raw := d.number("a time in seconds since 1970")
	if raw == nil {
		return time.Time{}
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	const first, last = -62135596800, 253402300799 // years 1 to 9999
	if err != nil || f < first || f > last {
		d.fail(input.Mistyped, "Expected a time in seconds since 1970 but found %s at %s.", input.Echo(string(raw)), d.where())
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(f * 1000))).UTC()
}

// TimeISO decodes a time in ISO 8601 form.
func (d *Decoder) TimeISO() time.Time {
	s := d.String()
	if d.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		d.fail(input.Mistyped, "Expected a time such as 2026-01-31T12:00:00Z but found %q at %s.", input.Echo(s), d.where())
	}
	return t.UTC()
}

// Blob decodes bytes from base64.
func (d *Decoder) Blob() []byte {
	s := d.String()
	if d.err != nil {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		d.fail(input.Mistyped, "Expected base64 but found something else at %s.", d.where())
	}
	return b
}

// Ptr decodes a value and returns where it is; nil for null.
func Ptr[T any](d *Decoder, decode func(*Decoder) T) *T {
	if d.Null() {
		return nil
	}
	v := decode(d)
	return &v
}

// List decodes an array; nil for null.
func List[T any](d *Decoder, decode func(*Decoder) T) []T {
	if d.Null() || !d.open('[', "an array") {
		return nil
	}
	list := []T{}
	for d.more(']') {
		list = append(list, decode(d))
	}
	return list
}

// Map decodes an object whose names are data; nil for null.
func Map[T any](d *Decoder, decode func(*Decoder) T) map[string]T {
	if d.Null() || !d.open('{', "an object") {
		return nil
	}
	m := map[string]T{}
	for d.more('}') {
		key := d.String()
		m[key] = decode(d)
	}
	return m
}
