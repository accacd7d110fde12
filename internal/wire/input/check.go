package input

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxListed is how many violations a message spells out; the count in it is always the real one.
const maxListed = 20

// Checker collects the constraints an input breaks. The generated check functions call it member by
// member; the zero value is ready. Names are paths as AWS writes them: tagList.1.member.key.
type Checker struct {
	path  []step
	found []string
	count int
}

// A step of a path is a member's name, the key of a map's entry, or the number of a list's element.
// Paths become text only when there is something to complain about.
type step struct {
	name string
	key  bool
	item int
}

// Enter makes name the parent of the members checked until Leave.
func (c *Checker) Enter(name string) { c.path = append(c.path, step{name: name}) }

// EnterItem is Enter for an element of a list, counted from zero.
func (c *Checker) EnterItem(i int) { c.path = append(c.path, step{item: i + 1}) }

// EnterKey is Enter for the entry of a map.
func (c *Checker) EnterKey(key string) { c.path = append(c.path, step{name: key, key: true}) }

// Leave undoes the last Enter.
func (c *Checker) Leave() { c.path = c.path[:len(c.path)-1] }

// Found returns how many violations are listed so far, for Sort.
func (c *Checker) Found() int { return len(c.found) }

// Sort puts the violations listed since Found returned from in order: those of a map come in any.
func (c *Checker) Sort(from int) { slices.Sort(c.found[from:]) }

// Err returns the violations in AWS's form, or nil.
func (c *Checker) Err() *Error {
	if c.count == 0 {
		return nil
	}
	noun := " validation errors detected: "
	if c.count == 1 {
		noun = " validation error detected: "
	}
	text := strconv.Itoa(c.count) + noun + strings.Join(c.found, "; ")
	if c.count > len(c.found) {
		text += "; ..."
	}
	return &Error{Invalid, text}
}

// at is the path of a member of the current parent; an empty name is the parent itself.
func (c *Checker) at(name string) string {
	var parts []string
	for _, s := range c.path {
		switch {
		case s.item > 0:
			parts = append(parts, strconv.Itoa(s.item), "member")
		case s.key:
			parts = append(parts, Echo(s.name), "member")
		default:
			parts = append(parts, s.name)
		}
	}
	if name != "" {
		parts = append(parts, name)
	}
	return strings.Join(parts, ".")
}

// add records a violation. value is as shown to the client, empty to keep it from being repeated.
func (c *Checker) add(name, value, rule string) {
	c.count++
	if len(c.found) >= maxListed {
		return
	}
	if value != "" {
		value = " " + value
	}
	c.found = append(c.found, "Value"+value+" at '"+c.at(name)+"' failed to satisfy constraint: "+rule)
}

// Missing records that a required member is absent.
func (c *Checker) Missing(name string) { c.add(name, "null", "Member must not be null") }

// OneOf records that a union does not hold exactly one member, n being how many it holds.
func (c *Checker) OneOf(n int) {
	if n != 1 {
		c.add("", "", "Member must have exactly one of its members set, found "+strconv.Itoa(n))
	}
}

// StringRule is what a model says of a string. Lengths count characters; a Max of 0 is no limit.
type StringRule struct {
	Min, Max int
	Pattern  *Pattern
	Enum     []string
	Hidden   bool // never repeat the value
}

// String checks a string.
func (c *Checker) String(name, value string, r *StringRule) {
	shown := func() string {
		if r.Hidden {
			return ""
		}
		return "'" + Echo(value) + "'"
	}
	if n := utf8.RuneCountInString(value); n < r.Min {
		c.add(name, shown(), atLeast("length", int64(r.Min)))
	} else if r.Max > 0 && n > r.Max {
		c.add(name, shown(), atMost("length", int64(r.Max)))
	}
	if r.Pattern != nil && !r.Pattern.Match(value) {
		c.add(name, shown(), "Member must satisfy regular expression pattern: "+r.Pattern.Source)
	}
	if r.Enum != nil && !slices.Contains(r.Enum, value) {
		c.add(name, shown(), "Member must satisfy enum value set: ["+strings.Join(r.Enum, ", ")+"]")
	}
}

// Size checks the number of elements of a list or map, or of bytes of a blob; a max of 0 is no limit.
func (c *Checker) Size(name string, n, least, most int) {
	if n < least {
		c.add(name, "", atLeast("length", int64(least)))
	} else if most > 0 && n > most {
		c.add(name, "", atMost("length", int64(most)))
	}
}

// Int checks a whole number; both bounds are inclusive.
func (c *Checker) Int(name string, v, least, most int64) {
	if v < least {
		c.add(name, "'"+strconv.FormatInt(v, 10)+"'", atLeast("value", least))
	} else if v > most {
		c.add(name, "'"+strconv.FormatInt(v, 10)+"'", atMost("value", most))
	}
}

func atLeast(what string, n int64) string {
	return "Member must have " + what + " greater than or equal to " + strconv.FormatInt(n, 10)
}

func atMost(what string, n int64) string {
	return "Member must have " + what + " less than or equal to " + strconv.FormatInt(n, 10)
}
