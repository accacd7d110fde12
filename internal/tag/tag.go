// Package tag holds AWS's rules for resource tags, the same for every kind of resource.
//
// Tags are kept as a map from key to value. A map that is stored is never changed in place: Set and Unset
// return a new one.
package tag

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/fault"
)

// Subjects of this package's faults.
const (
	Subject      = "tag"       // a key or a value breaks a rule
	SubjectCount = "tag count" // the resource would have too many
)

// Max is how many tags a resource may have.
const Max = 50

const (
	maxKey   = 128 // characters
	maxValue = 256
)

// Tag is a key and a value.
type Tag struct{ Key, Value string }

// Set returns current with add laid over it. A key given twice, a key or a value outside AWS's rules and a
// reserved key are Invalid; more than Max tags in the end is Limit.
func Set(current map[string]string, add []Tag) (map[string]string, error) {
	out := maps.Clone(current)
	if out == nil {
		out = make(map[string]string, len(add))
	}
	given := make(map[string]bool, len(add))
	for _, t := range add {
		if err := check(t); err != nil {
			return nil, err
		}
		if given[t.Key] {
			return nil, fault.New(fault.Invalid, Subject, "the tag key %q is given twice; give each key once", t.Key)
		}
		given[t.Key] = true
		out[t.Key] = t.Value
	}
	if len(out) > Max {
		return nil, fault.New(fault.Limit, SubjectCount, "the resource would have %d tags; at most %d are allowed", len(out), Max)
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// Unset returns current without keys. A key that is not there is no error.
func Unset(current map[string]string, keys []string) map[string]string {
	out := maps.Clone(current)
	for _, k := range keys {
		delete(out, k)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// List returns tags ordered by key.
func List(tags map[string]string) []Tag {
	out := make([]Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, Tag{k, tags[k]})
	}
	return out
}

// Match reports whether tags satisfy the TagKeys and TagValues of a Describe call: at least one of keys is
// there, where keys are given, and at least one tag has one of values, where values are given. With both,
// one tag must satisfy both.
func Match(tags map[string]string, keys, values []string) bool {
	if len(keys) == 0 && len(values) == 0 {
		return true
	}
	for k, v := range tags {
		if (len(keys) == 0 || slices.Contains(keys, k)) && (len(values) == 0 || slices.Contains(values, v)) {
			return true
		}
	}
	return false
}

func check(t Tag) error {
	n := utf8.RuneCountInString(t.Key)
	switch {
	case n == 0:
		return fault.New(fault.Invalid, Subject, "a tag has no key; every tag needs a key of 1 to %d characters", maxKey)
	case n > maxKey:
		return fault.New(fault.Invalid, Subject, "the tag key %.40q... has %d characters; at most %d are allowed", t.Key, n, maxKey)
	case len(t.Key) >= 4 && strings.EqualFold(t.Key[:4], "aws:"):
		return fault.New(fault.Invalid, Subject, "the tag key %q begins with \"aws:\", which is reserved; choose another prefix", t.Key)
	case utf8.RuneCountInString(t.Value) > maxValue:
		return fault.New(fault.Invalid, Subject, "the value of the tag %q has more than %d characters", t.Key, maxValue)
	}
	if r, bad := forbidden(t.Key); bad {
		return fault.New(fault.Invalid, Subject, "the tag key %q has the character %q; %s", t.Key, r, allowed)
	}
	if r, bad := forbidden(t.Value); bad {
		return fault.New(fault.Invalid, Subject, "the value of the tag %q has the character %q; %s", t.Key, r, allowed)
	}
	return nil
}

const allowed = "letters, digits, spaces and _ . : / = + - @ are allowed"

func forbidden(s string) (rune, bool) {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.Z, r) && !strings.ContainsRune("_.:/=+-@", r) {
			return r, true
		}
	}
	return 0, false
}
