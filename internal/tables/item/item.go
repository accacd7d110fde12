// Package item is DynamoDB's data model: attribute values of ten types, items made of them, their JSON
// form, their sizes and their rules.
//
// Items are kept and handed on as JSON in one canonical form (see Value.AppendJSON), so that two items
// are equal exactly when their bytes are. Values are trees that refer to the text they were parsed from;
// they are built where an item must be looked into and are never changed in place once built: who
// changes an item makes new nodes along the path.
package item

import (
	"cmp"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/number"
)

// Subject of the faults of this package: a value or an item that breaks a rule.
const Subject = "item"

// Limits of the service.
const (
	MaxSize   = 400 << 10 // bytes an item may have, names included
	MaxDepth  = 32        // lists and maps within each other
	MaxHash   = 2048      // bytes of a partition key value
	MaxRange  = 1024      // bytes of a sort key value
	maxNameIn = 65535     // bytes of an attribute name
)

// Type is the type of an attribute value.
type Type uint8

// The ten types. The zero Type is no value at all.
const (
	S Type = iota + 1
	N
	B
	SS
	NS
	BS
	M
	L
	NULL
	BOOL
)

var typeNames = [...]string{"", "S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"}

// String returns the name the type has on the wire.
func (t Type) String() string { return typeNames[t] }

// TypeOf returns the type of a wire name, 0 if there is none of that name.
func TypeOf(name string) Type {
	for i, n := range typeNames {
		if n == name {
			return Type(i)
		}
	}
	return 0
}

// Set reports whether t is one of the three set types.
func (t Type) Set() bool { return t == SS || t == NS || t == BS }

// element is the type of the elements of a set type.
func (t Type) element() Type { return t - SS + S }

// Value is an attribute value. The zero Value is absent.
type Value struct {
	Type Type
	Bool bool    // BOOL
	Text string  // S: the text; N: the normal form; B: the bytes
	List []Value // L: the elements; sets: the members in order
	Map  Item    // M
}

// Attribute is a name and its value.
type Attribute struct {
	Name  string
	Value Value
}

// Item is a set of attributes, ordered by name.
type Item []Attribute

// Get returns the value of an attribute, the absent one if there is none.
func (m Item) Get(name string) Value {
	if i, ok := m.find(name); ok {
		return m[i].Value
	}
	return Value{}
}

// Has reports whether the item has the attribute.
func (m Item) Has(name string) bool {
	_, ok := m.find(name)
	return ok
}

func (m Item) find(name string) (int, bool) {
	return slices.BinarySearchFunc(m, name, func(a Attribute, name string) int { return strings.Compare(a.Name, name) })
}

// With returns a copy of the item in which the attribute has the value; the absent value removes it.
func (m Item) With(name string, v Value) Item {
	i, found := m.find(name)
	switch {
	case v.Type == 0 && !found:
		return m
	case v.Type == 0:
		return slices.Concat(m[:i:i], m[i+1:])
	case found:
		out := slices.Clone(m)
		out[i].Value = v
		return out
	}
	return slices.Concat(m[:i:i], Item{{name, v}}, m[i:])
}

// Only returns the attributes of the item that are among names.
func (m Item) Only(names []string) Item {
	out := make(Item, 0, min(len(names), len(m)))
	for _, a := range m {
		if slices.Contains(names, a.Name) {
			out = append(out, a)
		}
	}
	return out
}

// Number returns the number of a value of type N.
func (v Value) Number() number.Number {
	x, _ := number.Parse(v.Text) // a normal form, it cannot fail
	return x
}

// Text returns a value of type S.
func Text(s string) Value { return Value{Type: S, Text: s} }

// FromNumber returns a value of type N.
func FromNumber(x number.Number) Value { return Value{Type: N, Text: x.String()} }

// Equal reports whether two values are the same: numbers by value, sets without regard to order.
func (v Value) Equal(w Value) bool {
	if v.Type != w.Type || v.Bool != w.Bool || v.Text != w.Text {
		return false
	}
	return slices.EqualFunc(v.List, w.List, Value.Equal) &&
		slices.EqualFunc(v.Map, w.Map, func(a, b Attribute) bool { return a.Name == b.Name && a.Value.Equal(b.Value) })
}

// Compare orders two values of the same scalar type S, N or B. Anything else is not comparable.
func (v Value) Compare(w Value) (order int, ok bool) {
	if v.Type != w.Type {
		return 0, false
	}
	switch v.Type {
	case S, B:
		return strings.Compare(v.Text, w.Text), true
	case N:
		return v.Number().Compare(w.Number()), true
	}
	return 0, false
}

// Contains reports whether a set has the member, which is of the set's element type.
func (v Value) Contains(member Value) bool {
	_, ok := slices.BinarySearchFunc(v.List, member, compareMembers)
	return ok
}

// NewSet returns a set of the type with the members, each once. Without members it is the absent value.
func NewSet(t Type, members []Value) Value {
	members = slices.Clone(members)
	slices.SortFunc(members, compareMembers)
	members = slices.CompactFunc(members, Value.Equal)
	if len(members) == 0 {
		return Value{}
	}
	return Value{Type: t, List: members}
}

func compareMembers(a, b Value) int {
	order, _ := a.Compare(b)
	return order
}

func sortItem(m Item) {
	slices.SortFunc(m, func(a, b Attribute) int { return cmp.Compare(a.Name, b.Name) })
}

// Size returns how large DynamoDB holds the item to be, in bytes.
func (m Item) Size() int {
	n := 0
	for _, a := range m {
		n += len(a.Name) + a.Value.Size()
	}
	return n
}

// Size returns how large DynamoDB holds the value to be, in bytes.
func (v Value) Size() int {
	n := 0
	switch v.Type {
	case S, B:
		return len(v.Text)
	case N:
		digits := v.Number().Digits()
		n = 1 + (digits+1)/2
		if v.Text[0] == '-' {
			n++
		}
	case NULL, BOOL:
		n = 1
	case SS, NS, BS:
		for _, e := range v.List {
			n += e.Size()
		}
	case L:
		n = 3
		for _, e := range v.List {
			n += 1 + e.Size()
		}
	case M:
		n = 3 + len(v.Map) + v.Map.Size()
	}
	return n
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, Subject, format, args...)
}

// Depth returns how many lists and maps are within each other at the deepest place of the item.
func (m Item) Depth() int {
	deepest := 0
	for _, a := range m {
		deepest = max(deepest, a.Value.depth())
	}
	return deepest
}

func (v Value) depth() int {
	switch v.Type {
	case L:
		deepest := 0
		for _, e := range v.List {
			deepest = max(deepest, e.depth())
		}
		return 1 + deepest
	case M:
		return 1 + v.Map.Depth()
	}
	return 0
}
