// Package awsquery reads and writes AWS's query protocol: parameters of an HTML form with dotted names
// going in, XML coming out. It holds what the generated shapes of the query services need; which
// parameters and elements there are is theirs to say.
//
// Nothing is ever allocated by a number the client names: list indexes only order what was sent, and
// must be 1, 2, 3 and so on.
package awsquery

import (
	"cmp"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/wire/input"
)

// MaxParameters is how many parameters one request may have.
const MaxParameters = 20_000

// Request is a parsed request: the action it names and the action's parameters.
type Request struct {
	Action  string
	Version string
	Input   Value
}

// Value is the part of the parameters under one name: a scalar, or members with longer names.
type Value struct {
	pairs []pair // non-empty but at the top; all share the first prefix bytes of their keys
	skip  int    // where the names below this one begin in the keys
}

type pair struct{ key, value string }

// Parse reads the parameters in the query of a URL and in a form. The parameters that control the
// request rather than belong to the action (the version, those of a signature) are left out.
func Parse(query, form string) (Request, *input.Error) {
	var r Request
	n := strings.Count(query, "&") + strings.Count(form, "&") + 2
	if n > MaxParameters {
		return r, input.Errorf(input.Unreadable, "The request has more than %d parameters.", MaxParameters)
	}
	pairs := make([]pair, 0, n)
	for _, text := range [...]string{query, form} {
		for text != "" {
			var item string
			item, text, _ = strings.Cut(text, "&")
			if item == "" {
				continue
			}
			k, v, _ := strings.Cut(item, "=")
			key, err := unescape(k)
			if err != nil {
				return r, err
			}
			value, err := unescape(v)
			if err != nil {
				return r, err
			}
			switch key {
			case "Action":
				if r.Action != "" && r.Action != value {
					return r, input.Errorf(input.Unreadable, "The request names two actions, %q and %q.",
						input.Echo(r.Action), input.Echo(value))
				}
				r.Action = value
			case "Version":
				r.Version = value
			default:
				if !control(key) {
					pairs = append(pairs, pair{key, value})
				}
			}
		}
	}
	if !slices.IsSortedFunc(pairs, comparePairs) {
		slices.SortFunc(pairs, comparePairs)
	}
	for i := 1; i < len(pairs); i++ {
		if pairs[i].key == pairs[i-1].key {
			return r, input.Errorf(input.Unreadable, "The parameter %s is given more than once.", input.Echo(pairs[i].key))
		}
	}
	r.Input.pairs = pairs
	return r, nil
}

// control tells the parameters of the request itself from those of the action.
func control(key string) bool {
	switch key {
	case "AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp", "Expires", "SecurityToken":
		return true
	}
	return len(key) > 6 && strings.EqualFold(key[:6], "X-Amz-")
}

func unescape(s string) (string, *input.Error) {
	if strings.ContainsAny(s, "%+") {
		plain, err := url.QueryUnescape(s)
		if err != nil {
			return "", input.Errorf(input.Unreadable, "The request is not a valid form: %q is not percent-encoded correctly.",
				input.Echo(s))
		}
		s = plain
	}
	if !utf8.ValidString(s) {
		return "", input.Errorf(input.Unreadable, "The request is not a valid form: it holds text that is not UTF-8.")
	}
	for i := 0; i < len(s); i++ {
		// An answer may have to repeat the value, and XML has no way to.
		if c := s[i]; c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return "", input.Errorf(input.Unreadable, "The request is not a valid form: it holds the control character 0x%02x.", c)
		}
	}
	return s, nil
}

// comparePairs orders keys with the dot before all other characters, so that a name is followed
// directly by the names below it.
func comparePairs(a, b pair) int {
	n := min(len(a.key), len(b.key))
	for i := range n {
		if x, y := a.key[i], b.key[i]; x != y {
			if x == '.' {
				return -1
			}
			if y == '.' {
				return 1
			}
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a.key), len(b.key))
}

// name is the name of the value as the client wrote it.
func (v Value) name() string {
	if len(v.pairs) == 0 || v.skip == 0 {
		return "the request"
	}
	return input.Echo(strings.TrimSuffix(v.pairs[0].key[:min(v.skip, len(v.pairs[0].key))], "."))
}

// groups iterates over the names directly below v.
func (v Value) groups() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for i := 0; i < len(v.pairs); {
			key := v.pairs[i].key
			end := len(key)
			if dot := strings.IndexByte(key[v.skip:], '.'); dot >= 0 {
				end = v.skip + dot
			}
			j := i + 1
			for j < len(v.pairs) && below(v.pairs[j].key, key[:end]) {
				j++
			}
			if !yield(key[v.skip:end], Value{v.pairs[i:j], end + 1}) {
				return
			}
			i = j
		}
	}
}

// below reports whether key is name or a name under it.
func below(key, name string) bool {
	return strings.HasPrefix(key, name) && (len(key) == len(name) || key[len(name)] == '.')
}

// isScalar reports whether the value is one parameter with nothing below.
func (v Value) isScalar() bool { return len(v.pairs) == 1 && len(v.pairs[0].key) < v.skip }

// Decoder turns values into members. It keeps the first error; after one, what it returns has no
// meaning.
type Decoder struct{ err *input.Error }

// Err returns the first error.
func (d *Decoder) Err() *input.Error { return d.err }

func (d *Decoder) fail(p input.Problem, format string, args ...any) {
	if d.err == nil {
		d.err = input.Errorf(p, format, args...)
	}
}

// Members iterates over the members of a structure.
func (d *Decoder) Members(v Value) iter.Seq2[string, Value] {
	if v.skip > 0 && len(v.pairs) > 0 && len(v.pairs[0].key) < v.skip { // v itself has a value
		d.fail(input.Mistyped, "The parameter %s is a structure and cannot have a value of its own.", v.name())
		return func(func(string, Value) bool) {}
	}
	return v.groups()
}

// Unknown records that a structure has no such member.
func (d *Decoder) Unknown(v Value) {
	d.fail(input.Unknown, "Unknown parameter: %s is not a parameter of this operation.", v.name())
}

func (d *Decoder) scalar(v Value) (string, bool) {
	if !v.isScalar() {
		d.fail(input.Mistyped, "The parameter %s takes a single value; names below it are not allowed.", v.name())
		return "", false
	}
	return v.pairs[0].value, true
}

// String decodes a string.
func (d *Decoder) String(v Value) string {
	s, _ := d.scalar(v)
	return s
}

// Bool decodes true or false.
func (d *Decoder) Bool(v Value) bool {
	s, ok := d.scalar(v)
	if ok && s != "true" && s != "false" {
		d.fail(input.Mistyped, "The parameter %s must be true or false, found %q.", v.name(), input.Echo(s))
	}
	return s == "true"
}

// Int32 decodes a whole number of 32 bits.
func (d *Decoder) Int32(v Value) int32 { return int32(d.integer(v, 32)) }

// Int64 decodes a whole number of 64 bits.
func (d *Decoder) Int64(v Value) int64 { return d.integer(v, 64) }

func (d *Decoder) integer(v Value, bits int) int64 {
	s, ok := d.scalar(v)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		d.fail(input.Mistyped, "The parameter %s must be a whole number of %d bits, found %q.", v.name(), bits, input.Echo(s))
	}
	return n
}

// Float64 decodes a number.
func (d *Decoder) Float64(v Value) float64 {
	s, ok := d.scalar(v)
	if !ok {
		return 0
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		d.fail(input.Mistyped, "The parameter %s must be a number, found %q.", v.name(), input.Echo(s))
	}
	return f
}

// Time decodes an ISO 8601 time.
func (d *Decoder) Time(v Value) time.Time {
	s, ok := d.scalar(v)
	if !ok {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		d.fail(input.Mistyped, "The parameter %s must be a time such as 2026-01-31T12:00:00Z, found %q.", v.name(), input.Echo(s))
	}
	return t.UTC()
}

// Ptr decodes a value and returns where it is.
func Ptr[T any](d *Decoder, v Value, decode func(*Decoder, Value) T) *T {
	t := decode(d, v)
	return &t
}

// List decodes the elements of a list, whose names are item.1, item.2 and so on. A list given as an
// empty scalar is an empty list.
func List[T any](d *Decoder, v Value, item string, decode func(*Decoder, Value) T) []T {
	entries := d.numbered(v, item)
	list := make([]T, 0, len(entries))
	for _, e := range entries {
		list = append(list, decode(d, e.Value))
	}
	return list
}

// Map decodes the entries of a map, whose names are entry.1.key, entry.1.value and so on.
func Map[T any](d *Decoder, v Value, key, value string, decode func(*Decoder, Value) T) map[string]T {
	entries := d.numbered(v, "entry")
	m := make(map[string]T, len(entries))
	for _, e := range entries {
		var k string
		var val T
		var haveKey, haveValue bool
		for name, f := range d.Members(e.Value) {
			switch name {
			case key:
				k, haveKey = d.String(f), true
			case value:
				val, haveValue = decode(d, f), true
			default:
				d.Unknown(f)
			}
		}
		if !haveKey || !haveValue {
			d.fail(input.Mistyped, "The map entry %s must have both a %s and a %s.", e.name(), key, value)
		}
		if _, ok := m[k]; ok {
			d.fail(input.Mistyped, "The map %s has the key %q more than once.", v.name(), input.Echo(k))
		}
		m[k] = val
	}
	return m
}

type entry struct {
	index int
	Value
}

// numbered returns what is at item.1, item.2 and so on below v, in order.
func (d *Decoder) numbered(v Value, item string) []entry {
	if v.isScalar() && v.pairs[0].value == "" {
		return nil
	}
	var entries []entry
	for name, group := range d.Members(v) {
		if name != item {
			d.Unknown(group)
			return nil
		}
		for text, one := range d.Members(group) {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || strconv.Itoa(n) != text {
				d.fail(input.Mistyped, "The parameter %s must be numbered from 1, found %q.", group.name(), input.Echo(text))
				return nil
			}
			entries = append(entries, entry{n, one})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.index, b.index) })
	for i, e := range entries {
		if e.index != i+1 {
			d.fail(input.Mistyped, "The elements of %s must be numbered 1, 2, 3 and so on: %d is missing.", v.name(), i+1)
			return nil
		}
	}
	return entries
}
