package transfer

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

// kinds is a set of what the values of a field are.
type kinds uint8

const (
	isBoolean kinds = 1 << iota
	isInteger       // of 64 bits
	isNumber        // that a double holds exactly enough: at most 15 digits
	isText
	isNested
)

// columns are the fields of an object's records in the order they were first seen, and what their values are.
type columns struct {
	Names    []string                `json:"names"`
	Kinds    map[string]kinds        `json:"kinds"`
	Declared map[string]vendors.Type `json:"declared"` // by the vendor
}

func newColumns(declared []vendors.Field, fields []string) *columns {
	c := &columns{Kinds: map[string]kinds{}, Declared: map[string]vendors.Type{}}
	for _, f := range declared {
		c.Declared[f.Name] = f.Type
	}
	for _, f := range fields { // those asked for are there even if they are always null
		c.see(f, 0)
	}
	return c
}

func (c *columns) see(name string, k kinds) {
	before, ok := c.Kinds[name]
	if !ok {
		c.Names = append(c.Names, name)
	}
	c.Kinds[name] = before | k
}

// observe takes a record into account.
func (c *columns) observe(record []byte) error {
	return vendors.Members(record, func(name string, value []byte) error {
		c.see(name, kindOf(value))
		return nil
	})
}

func kindOf(value []byte) kinds {
	switch value[0] {
	case 'n':
		return 0
	case 't', 'f':
		return isBoolean
	case '{', '[':
		return isNested
	case '"':
		return isText
	}
	if _, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		return isInteger
	}
	mantissa, _, _ := bytes.Cut(bytes.ToLower(value), []byte("e"))
	digits := strings.TrimLeft(strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, string(mantissa)), "0")
	if len(digits) <= 15 {
		return isNumber
	}
	return isText
}

// typeOf is what a column holds: what the vendor declares, or else what all values fit into.
func (c *columns) typeOf(name string) vendors.Type {
	if t, ok := c.Declared[name]; ok {
		return t
	}
	switch k := c.Kinds[name]; {
	case k&isNested != 0:
		return vendors.Nested
	case k == isBoolean:
		return vendors.Boolean
	case k == isInteger:
		return vendors.Integer
	case k == isNumber, k == isNumber|isInteger:
		return vendors.Number
	}
	return vendors.Text
}

// list is the columns with their types.
func (c *columns) list() []Column {
	out := make([]Column, len(c.Names))
	for i, name := range c.Names {
		out[i] = Column{name, c.typeOf(name)}
	}
	return out
}
