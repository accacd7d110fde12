package item

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/tables/number"
)

// SyntaxError is text that is not the JSON of an item: bad JSON, or a JSON type where another belongs.
// Values that break DynamoDB's rules are faults of kind Invalid instead.
type SyntaxError struct {
	Message string
	Offset  int // bytes into the text
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.Message, e.Offset) }

// Parse reads an item in its wire JSON. The values refer to text and keep it in memory.
func Parse(text string) (Item, error) {
	p := parser{text: text}
	m := p.item(0)
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	return m, nil
}

// ParseValue reads an attribute value in its wire JSON, under the terms of Parse.
func ParseValue(text string) (Value, error) {
	p := parser{text: text}
	v := p.value(0)
	p.end()
	if p.err != nil {
		return Value{}, p.err
	}
	return v, nil
}

// ParseValues reads an object of attribute values whose names are data, such as
// ExpressionAttributeValues. A value that breaks a rule is reported with wrap, which gets its name and
// what is wrong.
func ParseValues(text string, wrap func(name string, err error) error) (map[string]Value, error) {
	p := parser{text: text}
	out := map[string]Value{}
	p.object(func(name string) {
		v := p.value(0)
		var syntax *SyntaxError
		if p.err != nil && !errors.As(p.err, &syntax) {
			p.err = wrap(name, p.err)
		}
		if _, dup := out[name]; dup {
			p.fail("the name %q is given twice", name)
		}
		out[name] = v
	})
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	return out, nil
}

// parser reads JSON. After an error it goes nowhere: every method returns at once.
type parser struct {
	text string
	pos  int
	err  error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = &SyntaxError{fmt.Sprintf(format, args...), p.pos}
	}
}

func (p *parser) reject(format string, args ...any) {
	if p.err == nil {
		p.err = invalid(format, args...)
	}
}

// next skips blanks and returns the byte at hand without taking it; 0 at the end and after an error.
func (p *parser) next() byte {
	if p.err != nil {
		return 0
	}
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; c {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return c
		}
	}
	return 0
}

func (p *parser) take(c byte) bool {
	if p.next() != c || p.err != nil {
		return false
	}
	p.pos++
	return true
}

func (p *parser) expect(c byte, what string) bool {
	if !p.take(c) {
		p.fail("expected %s", what)
		return false
	}
	return true
}

func (p *parser) end() {
	if p.next() != 0 || p.err == nil && p.pos != len(p.text) {
		p.fail("there is more after the end of the value")
	}
}

// object calls member for each member of an object, with the value next to be read.
func (p *parser) object(member func(name string)) {
	if !p.expect('{', "an object") || p.take('}') {
		return
	}
	for p.err == nil {
		if p.next() != '"' {
			p.fail("expected a name")
			return
		}
		name := p.str()
		if !p.expect(':', "a colon") {
			return
		}
		member(name)
		if p.take('}') {
			return
		}
		p.expect(',', "a comma or the end of the object")
	}
}

// array calls element for each element of an array, with it next to be read.
func (p *parser) array(element func()) {
	if !p.expect('[', "a list") || p.take(']') {
		return
	}
	for p.err == nil {
		element()
		if p.take(']') {
			return
		}
		p.expect(',', "a comma or the end of the list")
	}
}

func (p *parser) null() bool {
	if p.next() == 'n' && strings.HasPrefix(p.text[p.pos:], "null") {
		p.pos += 4
		return true
	}
	return false
}

func (p *parser) bool() bool {
	p.next()
	switch rest := p.text[p.pos:]; {
	case strings.HasPrefix(rest, "true"):
		p.pos += 4
		return true
	case strings.HasPrefix(rest, "false"):
		p.pos += 5
	default:
		p.fail("expected true or false")
	}
	return false
}

// str reads a string. Without escapes it is a part of the text, not a copy.
func (p *parser) str() string {
	if !p.expect('"', "a string") {
		return ""
	}
	start := p.pos
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == '"':
			s := p.text[start:p.pos]
			p.pos++
			return s
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			p.fail("a control character in a string")
			return ""
		case c < utf8.RuneSelf:
			p.pos++
		default:
			r, n := utf8.DecodeRuneInString(p.text[p.pos:])
			if r == utf8.RuneError && n == 1 {
				p.fail("a string is not UTF-8")
				return ""
			}
			p.pos += n
		}
	}
	p.fail("a string does not end")
	return ""
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escaped reads the rest of a string that began at start and has an escape at hand.
func (p *parser) escaped(start int) string {
	b := []byte(p.text[start:p.pos])
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		p.pos++
		switch {
		case c == '"':
			if !utf8.Valid(b) {
				p.fail("a string is not UTF-8")
			}
			return string(b)
		case c < ' ':
			p.fail("a control character in a string")
			return ""
		case c != '\\':
			b = append(b, c)
			continue
		}
		if p.pos >= len(p.text) {
			break
		}
		c = p.text[p.pos]
		p.pos++
		if plain, ok := escapes[c]; ok {
			b = append(b, plain)
			continue
		}
		r := rune(-1)
		if c == 'u' {
			r = p.hex()
		}
		if utf16.IsSurrogate(r) {
			low := rune(-1)
			if strings.HasPrefix(p.text[p.pos:], `\u`) {
				p.pos += 2
				low = p.hex()
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				r = -1
			}
		}
		if r < 0 {
			p.fail("a bad escape in a string")
			return ""
		}
		b = utf8.AppendRune(b, r)
	}
	p.fail("a string does not end")
	return ""
}

// hex reads the four digits of an escape; -1 if they are not there.
func (p *parser) hex() rune {
	if len(p.text)-p.pos < 4 {
		return -1
	}
	var r rune
	for range 4 {
		c := p.text[p.pos]
		p.pos++
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// skip reads a value of any kind, for members nobody knows.
func (p *parser) skip(depth int) {
	if depth > 2*MaxDepth+4 {
		p.fail("nested too deeply")
		return
	}
	switch c := p.next(); {
	case c == '{':
		p.object(func(string) { p.skip(depth + 1) })
	case c == '[':
		p.array(func() { p.skip(depth + 1) })
	case c == '"':
		p.str()
	case c == 'n' && p.null():
	case c == 't' || c == 'f':
		p.bool()
	case c == '-' || c >= '0' && c <= '9':
		for p.pos < len(p.text) && strings.IndexByte("+-.eE0123456789", p.text[p.pos]) >= 0 {
			p.pos++
		}
	default:
		p.fail("expected a value")
	}
}

// item reads an object of attribute values, depth lists and maps deep.
func (p *parser) item(depth int) Item {
	m := Item{}
	sorted := true
	p.object(func(name string) {
		if m == nil || len(m) == cap(m) {
			m = append(make(Item, 0, max(8, 2*len(m))), m...)
		}
		if len(name) > maxNameIn {
			p.reject("One or more parameter values were invalid: the name of an attribute has %d bytes; at most %d are allowed", len(name), maxNameIn)
		}
		m = append(m, Attribute{Name: name})
		m[len(m)-1].Value = p.value(depth)
		if n := len(m); n > 1 && m[n-2].Name >= name {
			sorted = false
		}
	})
	if !sorted && p.err == nil {
		sortItem(m)
		for i := 1; i < len(m); i++ {
			if m[i].Name == m[i-1].Name {
				p.fail("the name %q is given twice", m[i].Name)
			}
		}
	}
	return m
}

// value reads an attribute value that is depth lists and maps deep.
func (p *parser) value(depth int) Value {
	var v Value
	several := false
	p.object(func(name string) {
		if p.null() {
			return
		}
		t := TypeOf(name)
		if t == 0 {
			p.skip(0)
			return
		}
		if v.Type != 0 {
			several = true
		}
		v = p.typed(t, depth)
	})
	if p.err != nil {
		return Value{}
	}
	if several {
		p.reject("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	} else if v.Type == 0 {
		p.reject("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	}
	return v
}

func (p *parser) typed(t Type, depth int) Value {
	v := Value{Type: t}
	switch t {
	case S:
		v.Text = p.str()
	case N:
		v.Text = p.number()
	case B:
		v.Text = p.bytes()
	case BOOL:
		v.Bool = p.bool()
	case NULL:
		if !p.bool() {
			p.reject("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
	case SS, NS, BS:
		v.List = p.set(t)
	case L:
		if p.deeper(depth) {
			v.List = []Value{}
			p.array(func() { v.List = append(v.List, p.value(depth+1)) })
		}
	case M:
		if p.deeper(depth) {
			v.Map = p.item(depth + 1)
		}
	}
	return v
}

func (p *parser) deeper(depth int) bool {
	if depth >= MaxDepth {
		p.reject("Nesting Levels have exceeded supported limits: lists and maps may be nested %d deep", MaxDepth)
		return false
	}
	return true
}

// number reads a number, given as a string, and returns its normal form.
func (p *parser) number() string {
	if c := p.next(); c == '-' || c >= '0' && c <= '9' {
		p.fail("NUMBER_VALUE cannot be converted to String: numbers are sent as strings, expected a string")
		return ""
	}
	s := p.str()
	if p.err != nil {
		return ""
	}
	x, err := number.Parse(s)
	if err != nil {
		p.err = NumberError(s, err)
		return ""
	}
	if plainNormal(s) {
		return s
	}
	return x.String()
}

// plainNormal reports whether s, which is a number, is obviously in normal form: a whole number.
func plainNormal(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < '0' || c > '9' || c == '0' && i == 0 && len(s) > 1 {
			return false
		}
	}
	return true
}

// NumberError puts an error of package number in the service's words.
func NumberError(s string, err error) error {
	switch {
	case errors.Is(err, number.ErrOverflow):
		return invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case errors.Is(err, number.ErrUnderflow):
		return invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	case errors.Is(err, number.ErrPrecision):
		return invalid("Attempting to store more than 38 significant digits in a Number")
	case s == "":
		return invalid("The parameter cannot be converted to a numeric value")
	}
	return invalid("The parameter cannot be converted to a numeric value: %s", shorten(s))
}

func (p *parser) bytes() string {
	s := p.str()
	if p.err != nil {
		return ""
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") { // the decoder skips line ends
		p.fail("%q can not be converted to a Blob: it is not base64", shorten(s))
	}
	return string(b)
}

// Names of the set types in messages.
var setNames = map[Type]string{SS: "string", NS: "number", BS: "Binary"}

func (p *parser) set(t Type) []Value {
	list := []Value{}
	e := t.element()
	p.array(func() { list = append(list, p.typed(e, 0)) })
	if p.err != nil {
		return nil
	}
	if len(list) == 0 {
		if t == BS {
			p.reject("One or more parameter values were invalid: Binary sets should not be empty")
		} else {
			p.reject("One or more parameter values were invalid: An %s set  may not be empty", setNames[t])
		}
		return nil
	}
	for _, v := range list {
		if v.Text != "" {
			continue
		}
		if t == BS {
			p.reject("One or more parameter values were invalid: Binary sets may not contain null or empty values")
		} else {
			p.reject("One or more parameter values were invalid: An string set may not have a empty string as a member")
		}
		return nil
	}
	set := NewSet(t, list)
	if len(set.List) < len(list) {
		switch t {
		case NS:
			p.reject("Input collection contains duplicates")
		case BS:
			p.reject("One or more parameter values were invalid: Input collection %s of type BS contains duplicates.", Value{Type: t, List: list}.describeMembers())
		default:
			p.reject("One or more parameter values were invalid: Input collection %s contains duplicates.", Value{Type: t, List: list}.describeMembers())
		}
	}
	return set.List
}

// shorten cuts a value of the caller's for use in a message.
func shorten(s string) string {
	const limit = 100
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// ParseList reads a list of items, under the terms of Parse.
func ParseList(text string) ([]Item, error) {
	p := parser{text: text}
	list := []Item{}
	p.array(func() { list = append(list, p.item(0)) })
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	return list, nil
}
