// Package expression parses and evaluates DynamoDB's expressions: conditions, filters, key conditions,
// projections and updates.
//
// An expression is parsed once per request, with the names and values that it refers to, into a form
// that is checked as far as is possible without an item, and is then evaluated over any number of items.
// What is wrong with an expression is said in the service's words, because programs look at them: faults
// of kind Invalid whose message begins with "Invalid" and the parameter's name where it is the
// expression that is wrong, and has no such beginning where it is the item that does not suit it.
package expression

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/item"
)

// Subject of the faults of this package.
const Subject = "expression"

// Limits of the service.
const (
	maxLength    = 4096 // bytes of an expression
	maxOperators = 300  // comparisons, functions and connectives in an expression
	maxPath      = 32   // steps of a path
	maxIn        = 100  // operands of IN
)

// Names of the parameters that hold expressions, for messages.
const (
	ConditionExpression    = "ConditionExpression"
	FilterExpression       = "FilterExpression"
	KeyConditionExpression = "KeyConditionExpression"
	ProjectionExpression   = "ProjectionExpression"
	UpdateExpression       = "UpdateExpression"
)

// Terms are what the expressions of one request may refer to: #names and :values. It notes what was
// referred to. Make it with NewTerms.
type Terms struct {
	names  map[string]string
	values map[string]item.Value
	used   map[string]bool
}

// NewTerms checks the names; both maps may be nil.
func NewTerms(names map[string]string, values map[string]item.Value) (*Terms, error) {
	if names != nil && len(names) == 0 {
		return nil, invalid("ExpressionAttributeNames must not be empty")
	}
	if values != nil && len(values) == 0 {
		return nil, invalid("ExpressionAttributeValues must not be empty")
	}
	for _, k := range slices.Sorted(maps.Keys(names)) {
		if !placeholder(k, '#') {
			return nil, invalid("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", cut(k))
		}
		if names[k] == "" {
			return nil, invalid("ExpressionAttributeNames contains invalid value: Empty attribute name for key %s", k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if !placeholder(k, ':') {
			return nil, invalid("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", cut(k))
		}
	}
	return &Terms{names, values, map[string]bool{}}, nil
}

// Unused returns the error for names and values that no expression referred to, or nil.
func (t *Terms) Unused() error {
	for _, group := range []struct {
		what string
		keys []string
	}{
		{"ExpressionAttributeNames", slices.Sorted(maps.Keys(t.names))},
		{"ExpressionAttributeValues", slices.Sorted(maps.Keys(t.values))},
	} {
		unused := slices.DeleteFunc(group.keys, func(k string) bool { return t.used[k] })
		if len(unused) > 0 {
			return invalid("Value provided in %s unused in expressions: keys: {%s}", group.what, strings.Join(unused, ", "))
		}
	}
	return nil
}

func (t *Terms) name(k string) (string, error) {
	n, ok := t.names[k]
	if !ok {
		return "", fmt.Errorf("An expression attribute name used in the document path is not defined; attribute name: %s", k) //nolint:staticcheck // the service's words
	}
	t.used[k] = true
	return n, nil
}

func (t *Terms) value(k string) (item.Value, error) {
	v, ok := t.values[k]
	if !ok {
		return item.Value{}, fmt.Errorf("An expression attribute value used in expression is not defined; attribute value: %s", k) //nolint:staticcheck // the service's words
	}
	t.used[k] = true
	return v, nil
}

func placeholder(s string, first byte) bool {
	if len(s) < 2 || len(s) > 255 || s[0] != first {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !wordByte(s[i]) {
			return false
		}
	}
	return true
}

// Path leads to an attribute or into one.
type Path []Step

// Step is one step of a path: the name of an attribute, or the index of a list's element, from 0.
type Step struct {
	Name  string
	Index int // -1: a name
}

// String shows the path as the service does in messages: [a, b, [1]].
func (p Path) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, s := range p {
		if i > 0 {
			b.WriteString(", ")
		}
		if s.Index >= 0 {
			b.WriteString("[" + strconv.Itoa(s.Index) + "]")
		} else {
			b.WriteString(s.Name)
		}
	}
	return b.String() + "]"
}

// In returns what the path leads to in the item; the absent value if it leads nowhere.
func (p Path) In(m item.Item) item.Value {
	v := m.Get(p[0].Name)
	for _, s := range p[1:] {
		switch {
		case s.Index < 0 && v.Type == item.M:
			v = v.Map.Get(s.Name)
		case s.Index >= 0 && v.Type == item.L && s.Index < len(v.List):
			v = v.List[s.Index]
		default:
			return item.Value{}
		}
	}
	return v
}

// clash says whether two paths cannot be used together, and why.
func clash(p, q Path) string {
	for i := range min(len(p), len(q)) {
		if p[i].Index < 0 != (q[i].Index < 0) {
			return "conflict"
		}
		if p[i] != q[i] {
			return ""
		}
	}
	return "overlap"
}

// checkPaths judges that no two of the paths overlap or conflict.
func checkPaths(paths []Path) error {
	conflict := error(nil)
	for i, q := range paths {
		for _, p := range paths[:i] {
			why := clash(p, q)
			if why == "" {
				continue
			}
			err := fmt.Errorf("Two document paths %s with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", why, p, q) //nolint:staticcheck // the service's words
			if why == "overlap" {
				return err
			}
			if conflict == nil {
				conflict = err
			}
		}
	}
	return conflict
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, Subject, format, args...)
}

// bad is an error in the text of the parameter.
func bad(parameter string, err error) error {
	return fault.New(fault.Invalid, Subject, "Invalid %s: %s", parameter, err)
}

func cut(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
