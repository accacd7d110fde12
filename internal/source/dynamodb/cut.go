package dynamodb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/tables/number"
)

// maxDepth is how deep lists and maps may lie within each other. DynamoDB allows 32; what holds twice as many
// is no item, and must not take the stack with it.
const maxDepth = 64

// cutter takes answers apart without decoding them. It walks over the body once, checks that it is JSON in
// UTF-8 and that items are made of attribute values, and notes where things are. Everything it returns refers
// to the body or to one string with the keys of the whole page.
//
// A method that takes an index returns the index behind what it read, or -1 after noting an error. A cutter
// may be used again, by one goroutine at a time; what it keeps is scratch memory.
type cutter struct {
	keys []change.KeyColumn

	b       []byte
	err     *bodyError
	within  string   // what is being read, for errors: an item, a record or, if empty, neither
	ordinal int      // which one
	blanks  bool     // there was white space since this was reset
	escaped bool     // the string read last has escapes
	kind    byte     // of the value read last, if it is a text: S, N or B
	at      span     // where that text is
	row     keySpans // the keys of the item read last

	names [][]byte // of the objects being read, the innermost's last; they refer to b
	arena []byte   // the keys of the page
	spans []keySpans
}

// bodyError is an answer that cannot be used.
type bodyError struct {
	what   string
	where  int
	within string // the item or record it is in; empty if it is in none
	short  bool   // the body ends too early, as one does that was cut off on the way
}

func (e *bodyError) Error() string {
	if e.within != "" {
		return fmt.Sprintf("%s, in %s, at byte %d", e.what, e.within, e.where)
	}
	return fmt.Sprintf("%s, at byte %d", e.what, e.where)
}

func (c *cutter) reset(body []byte) {
	c.b, c.err, c.within, c.blanks, c.row = body, nil, "", false, keySpans{}
	c.names, c.arena, c.spans = c.names[:0], c.arena[:0], c.spans[:0]
}

// fail notes the first error and returns -1.
func (c *cutter) fail(i int, format string, args ...any) int {
	if c.err != nil {
		return -1
	}
	c.err = &bodyError{what: fmt.Sprintf(format, args...), where: i, short: i >= len(c.b)}
	if c.within != "" {
		c.err.within = fmt.Sprintf("%s %d", c.within, c.ordinal)
		if key := c.row[0]; key != (span{}) {
			c.err.within += fmt.Sprintf(" (%s %q)", c.keys[0].Name, c.arena[key.from:key.to])
		}
	}
	return -1
}

// expected notes that something else than what is at i was expected.
func (c *cutter) expected(what string, i int) int {
	if i >= len(c.b) {
		return c.fail(len(c.b), "the answer ends where %s was expected", what)
	}
	return c.fail(i, "found %q where %s was expected", c.b[i:min(i+8, len(c.b))], what)
}

// blank skips white space.
func (c *cutter) blank(i int) int {
	if i < len(c.b) && c.b[i] > ' ' {
		return i
	}
	return c.skipBlank(i)
}

func (c *cutter) skipBlank(i int) int {
	for i < len(c.b) {
		switch c.b[i] {
		case ' ', '\t', '\n', '\r':
			c.blanks = true
			i++
		default:
			return i
		}
	}
	return i
}

// take expects a byte, after white space.
func (c *cutter) take(i int, want byte) int {
	i = c.blank(i)
	if i >= len(c.b) || c.b[i] != want {
		return c.expected(string(want), i)
	}
	return i + 1
}

// enter reads the start of an object or array; more is false if it is empty, and then its end is read too.
func (c *cutter) enter(i int, open, end byte) (next int, more bool) {
	if i = c.take(i, open); i < 0 {
		return -1, false
	}
	if i = c.blank(i); i < len(c.b) && c.b[i] == end {
		return i + 1, false
	}
	return i, true
}

// proceed reads what follows an element: a comma, or the end.
func (c *cutter) proceed(i int, end byte) (next int, more bool) {
	i = c.blank(i)
	switch {
	case i >= len(c.b) || c.b[i] != ',' && c.b[i] != end:
		return c.expected("a comma or "+string(end), i), false
	case c.b[i] == ',':
		return c.blank(i + 1), true
	}
	return i + 1, false
}

// name reads the name of a member and the colon after it. A name without escapes refers to the body.
func (c *cutter) name(i int) (name []byte, next int) {
	i = c.blank(i)
	if i >= len(c.b) || c.b[i] != '"' {
		return nil, c.expected("a name", i)
	}
	end := c.text(i + 1)
	if end < 0 {
		return nil, -1
	}
	name = c.b[i+1 : end]
	if c.escaped {
		name = appendUnescaped(nil, name)
	}
	if end+1 < len(c.b) && c.b[end+1] == ':' {
		return name, end + 2
	}
	return name, c.take(end+1, ':')
}

// Bytes of a word, each the same.
const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// special returns where the first byte at or behind i is that matters within a string: a quote, a backslash, a
// control character or one beyond ASCII. It looks at eight bytes at a time: a byte's top bit comes out set if
// it is below a space, equal to a quote or to a backslash, or set to begin with; a borrow can only spoil bytes
// behind one that is found.
func special(b []byte, i int) int {
	for len(b)-i >= 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		m := (x - ' '*ones) | ((x ^ '"'*ones) - ones) | ((x ^ '\\'*ones) - ones) | x
		if m &= tops; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
		i += 8
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// text reads the rest of a string from behind its opening quote and returns where its closing quote is.
func (c *cutter) text(i int) int {
	c.escaped = false
	for {
		i = special(c.b, i)
		if i >= len(c.b) {
			return c.fail(i, "the answer ends within a string")
		}
		switch ch := c.b[i]; {
		case ch == '"':
			return i
		case ch == '\\':
			c.escaped = true
			if i = c.escape(i + 1); i < 0 {
				return -1
			}
		case ch < ' ':
			return c.fail(i, "a control character, %#02x, is in a string without an escape", ch)
		default:
			for i < len(c.b) && c.b[i] >= utf8.RuneSelf {
				r, n := utf8.DecodeRune(c.b[i:])
				if r == utf8.RuneError && n == 1 {
					return c.fail(i, "a string is not UTF-8 (%#02x)", c.b[i])
				}
				i += n
			}
		}
	}
}

// escape reads an escape from behind its backslash.
func (c *cutter) escape(i int) int {
	if i >= len(c.b) {
		return c.fail(i, "the answer ends within a string")
	}
	if c.b[i] != 'u' {
		if strings.IndexByte(`"\/bfnrt`, c.b[i]) < 0 {
			return c.fail(i, "there is no escape \\%c", c.b[i])
		}
		return i + 1
	}
	r, ok := hex4(c.b, i+1)
	if !ok {
		return c.expected("four hexadecimal digits", i+1)
	}
	if !utf16.IsSurrogate(r) {
		return i + 5
	}
	if i+6 < len(c.b) && c.b[i+5] == '\\' && c.b[i+6] == 'u' {
		if low, ok := hex4(c.b, i+7); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
			return i + 11
		}
	}
	return c.fail(i, "\\%s is half a character: a surrogate without its other half", c.b[i:i+5])
}

func hex4(b []byte, i int) (r rune, ok bool) {
	if len(b)-i < 4 {
		return 0, false
	}
	for _, d := range b[i : i+4] {
		switch {
		case '0' <= d && d <= '9':
			d -= '0'
		case 'a' <= d && d <= 'f':
			d -= 'a' - 10
		case 'A' <= d && d <= 'F':
			d -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// appendUnescaped appends the content of a string that text has checked.
func appendUnescaped(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		switch e := text[i+1]; e {
		case 'b', 'f', 'n', 'r', 't':
			dst = append(dst, "\b\f\n\r\t"[strings.IndexByte("bfnrt", e)])
		case 'u':
			r, _ := hex4(text, i+2)
			if utf16.IsSurrogate(r) {
				low, _ := hex4(text, i+8)
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			i += 4
		default:
			dst = append(dst, e)
		}
		text = text[i+2:]
	}
}

// nameSet are the names of one object, to see that none comes twice. Most objects have few: their names are
// compared, after a look at a filter of one bit per name.
type nameSet struct {
	base   int // in cutter.names
	filter uint64
	many   map[string]struct{} // instead, from manyNames on
}

const manyNames = 64

// add adds a name and reports whether it is new.
func (c *cutter) add(set *nameSet, name []byte, i int) bool {
	if set.many != nil {
		if _, twice := set.many[string(name)]; twice {
			c.fail(i, "the name %q is given twice", name)
			return false
		}
		set.many[string(name)] = struct{}{}
		return true
	}
	bit := uint64(1)
	if n := len(name); n > 0 {
		bit <<= (uint(name[0]) + 5*uint(name[n/2]) + 11*uint(name[n-1]) + 17*uint(n)) % 64
	}
	own := c.names[set.base:]
	if set.filter&bit != 0 {
		for _, other := range own {
			if bytes.Equal(other, name) {
				c.fail(i, "the name %q is given twice", name)
				return false
			}
		}
	}
	set.filter |= bit
	c.names = append(c.names, name)
	if len(own)+1 == manyNames {
		set.many = make(map[string]struct{}, 4*manyNames)
		for _, n := range c.names[set.base:] {
			set.many[string(n)] = struct{}{}
		}
	}
	return true
}

// item reads an item, or a key: an object of attribute values. With wanted it takes the values of the key
// attributes from it into c.row.
func (c *cutter) item(i int, wanted bool) int {
	set := nameSet{base: len(c.names)}
	i, more := c.enter(i, '{', '}')
	for more {
		var name []byte
		if name, i = c.name(i); i < 0 || !c.add(&set, name, i) {
			return -1
		}
		if i = c.value(i, 1); i < 0 {
			return -1
		}
		if wanted {
			for k := range c.keys {
				if string(name) == c.keys[k].Name && !c.key(k, i) {
					return -1
				}
			}
		}
		i, more = c.proceed(i, '}')
	}
	c.names = c.names[:set.base]
	if wanted && i >= 0 {
		for k := range c.keys {
			if c.row[k] == (span{}) {
				return c.fail(i, "the key attribute %q is missing", c.keys[k].Name)
			}
		}
	}
	return i
}

// A span is where something is: [from, to).
type span struct{ from, to int }

// keySpans are where the keys of a row are in the arena.
type keySpans [2]span

// key keeps the value read last as that of a key attribute.
func (c *cutter) key(k, i int) bool {
	column := c.keys[k]
	if c.kind != byte(column.Type) {
		c.fail(i, "the key attribute %q is not of the type %c", column.Name, column.Type)
		return false
	}
	start := len(c.arena)
	text := c.b[c.at.from:c.at.to]
	if c.escaped {
		c.arena = appendUnescaped(c.arena, text)
	} else {
		c.arena = append(c.arena, text...)
	}
	if column.Type == change.Number && !plain(c.arena[start:]) {
		n, err := number.Parse(string(c.arena[start:]))
		if err != nil {
			c.fail(i, "the key attribute %q is no number of DynamoDB's: %v", column.Name, err)
			return false
		}
		c.arena = n.Append(c.arena[:start])
	}
	if len(c.arena) == start {
		c.fail(i, "the key attribute %q is empty", column.Name)
		return false
	}
	c.row[k] = span{start, len(c.arena)}
	return true
}

// plain reports whether a number is in normal form for sure: digits without a zero in front.
func plain(b []byte) bool {
	if len(b) == 0 || len(b) > number.MaxDigits || b[0] == '0' && len(b) > 1 {
		return false
	}
	for _, d := range b {
		if d < '0' || d > '9' {
			return false
		}
	}
	return true
}

// value reads an attribute value: an object with one member, named after the type. For S, N and B it notes the
// type and where the text is.
func (c *cutter) value(i, depth int) int {
	if depth > maxDepth {
		return c.fail(i, "lists and maps lie more than %d deep in each other", maxDepth)
	}
	var kind string
	if b := c.b; len(b)-i > 6 && b[i] == '{' && b[i+1] == '"' && b[i+3] == '"' && b[i+4] == ':' && b[i+5] > ' ' {
		if kind = typeName(b[i+2 : i+3]); kind != "" {
			i += 5 // nearly always
		}
	}
	if kind == "" {
		if i = c.take(i, '{'); i < 0 {
			return -1
		}
		at := c.blank(i)
		name, next := c.name(i)
		if next < 0 {
			return -1
		}
		if kind, i = typeName(name), c.blank(next); kind == "" {
			return c.fail(at, "there is no attribute type %q", name)
		}
	}
	c.kind = 0
	switch kind {
	case "S", "N", "B":
		start := i + 1
		if i = c.str(i); i < 0 {
			return -1
		}
		c.kind, c.at = kind[0], span{start, i - 1}
	case "M":
		if i = c.members(i, depth); i < 0 {
			return -1
		}
		c.kind = 0
	case "L":
		if i = c.elements(i, depth); i < 0 {
			return -1
		}
		c.kind = 0
	case "SS", "NS", "BS":
		i = c.set(i)
	default: // BOOL, NULL
		i = c.truth(i)
	}
	if i < 0 {
		return -1
	}
	if i < len(c.b) && c.b[i] == '}' {
		return i + 1
	}
	return c.take(i, '}')
}

// typeName returns the name as a constant, empty if it is no type's.
func typeName(name []byte) string {
	for _, t := range [...]string{"S", "N", "B", "M", "L", "BOOL", "NULL", "SS", "NS", "BS"} {
		if string(name) == t {
			return t
		}
	}
	return ""
}

func (c *cutter) str(i int) int {
	if i >= len(c.b) || c.b[i] != '"' {
		return c.expected("a string", i)
	}
	if i = c.text(i + 1); i < 0 {
		return -1
	}
	return i + 1
}

func (c *cutter) truth(i int) int {
	for _, word := range [...]string{"true", "false"} {
		if len(c.b)-i >= len(word) && string(c.b[i:i+len(word)]) == word {
			return i + len(word)
		}
	}
	return c.expected("true or false", i)
}

func (c *cutter) members(i, depth int) int {
	set := nameSet{base: len(c.names)}
	i, more := c.enter(i, '{', '}')
	for more {
		var name []byte
		if name, i = c.name(i); i < 0 || !c.add(&set, name, i) {
			return -1
		}
		if i = c.value(i, depth+1); i < 0 {
			return -1
		}
		i, more = c.proceed(i, '}')
	}
	c.names = c.names[:set.base]
	return i
}

func (c *cutter) elements(i, depth int) int {
	i, more := c.enter(i, '[', ']')
	for more {
		if i = c.value(i, depth+1); i < 0 {
			return -1
		}
		i, more = c.proceed(i, ']')
	}
	return i
}

func (c *cutter) set(i int) int {
	i, more := c.enter(i, '[', ']')
	for more {
		if i = c.str(i); i < 0 {
			return -1
		}
		i, more = c.proceed(i, ']')
	}
	return i
}

// compact removes white space from JSON that was read, in place, and returns what is left.
func compact(b []byte) []byte {
	out, within := b[:0], false
	for i := 0; i < len(b); i++ {
		ch := b[i]
		switch {
		case within && ch == '\\':
			out = append(out, ch)
			i++
			ch = b[i]
		case ch == '"':
			within = !within
		case !within && (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r'):
			continue
		}
		out = append(out, ch)
	}
	return out
}
