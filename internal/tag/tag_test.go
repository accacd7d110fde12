package tag_test

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tag"
)

func TestSet(t *testing.T) {
	full := map[string]string{}
	for i := range tag.Max {
		full[fmt.Sprint("k", i)] = "v"
	}
	for _, tc := range []struct {
		name    string
		current map[string]string
		add     []tag.Tag
		want    map[string]string
		kind    fault.Kind // checked when want is nil and subject is set
		subject string
	}{
		{name: "nothing", want: nil},
		{name: "first", add: []tag.Tag{{"env", "dev"}}, want: map[string]string{"env": "dev"}},
		{name: "replaces and keeps", current: map[string]string{"a": "1", "b": "2"}, add: []tag.Tag{{"b", "3"}}, want: map[string]string{"a": "1", "b": "3"}},
		{name: "empty value", add: []tag.Tag{{"a", ""}}, want: map[string]string{"a": ""}},
		{name: "every allowed character", add: []tag.Tag{{"Käse 1_.:/=+-@", "ü ²"}}, want: map[string]string{"Käse 1_.:/=+-@": "ü ²"}},
		{name: "our own prefix", add: []tag.Tag{{"penstock:database", "d"}}, want: map[string]string{"penstock:database": "d"}},
		{name: "longest", add: []tag.Tag{{strings.Repeat("é", 128), strings.Repeat("é", 256)}}, want: map[string]string{strings.Repeat("é", 128): strings.Repeat("é", 256)}},
		{name: "full, replaced", current: full, add: []tag.Tag{{"k0", "new"}}, want: func() map[string]string { m := maps.Clone(full); m["k0"] = "new"; return m }()},
		{name: "no key", add: []tag.Tag{{"", "v"}}, kind: fault.Invalid, subject: tag.Subject},
		{name: "key too long", add: []tag.Tag{{strings.Repeat("k", 129), ""}}, kind: fault.Invalid, subject: tag.Subject},
		{name: "value too long", add: []tag.Tag{{"k", strings.Repeat("v", 257)}}, kind: fault.Invalid, subject: tag.Subject},
		{name: "reserved", add: []tag.Tag{{"aws:x", ""}}, kind: fault.Invalid, subject: tag.Subject},
		{name: "reserved in capitals", add: []tag.Tag{{"AWS:x", ""}}, kind: fault.Invalid, subject: tag.Subject},
		{name: "twice", add: []tag.Tag{{"k", "1"}, {"k", "1"}}, kind: fault.Invalid, subject: tag.Subject},
		{name: "bad character in key", add: []tag.Tag{{"a(b)", ""}}, kind: fault.Invalid, subject: tag.Subject},
		{name: "bad character in value", add: []tag.Tag{{"a", "x\x00"}}, kind: fault.Invalid, subject: tag.Subject},
		{name: "not UTF-8", add: []tag.Tag{{"a\xff", ""}}, kind: fault.Invalid, subject: tag.Subject},
		{name: "one too many", current: full, add: []tag.Tag{{"more", ""}}, kind: fault.Limit, subject: tag.SubjectCount},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := maps.Clone(tc.current)
			got, err := tag.Set(tc.current, tc.add)
			if tc.subject != "" {
				if !fault.Is(err, tc.kind, tc.subject) {
					t.Fatalf("err = %v, want %v about %q", err, tc.kind, tc.subject)
				}
			} else if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Fatalf("got %v, %v, want %v", got, err, tc.want)
			}
			if !maps.Equal(before, tc.current) {
				t.Error("the map given was changed")
			}
		})
	}
}

func TestUnset(t *testing.T) {
	current := map[string]string{"a": "1", "b": "2"}
	if got := tag.Unset(current, []string{"a", "zz"}); !maps.Equal(got, map[string]string{"b": "2"}) {
		t.Errorf("got %v", got)
	}
	if got := tag.Unset(current, []string{"a", "b"}); got != nil {
		t.Errorf("got %v, want nil once none is left", got)
	}
	if len(current) != 2 {
		t.Error("the map given was changed")
	}
}

func TestList(t *testing.T) {
	got := tag.List(map[string]string{"b": "2", "a": "1", "c": "3"})
	if want := []tag.Tag{{"a", "1"}, {"b", "2"}, {"c", "3"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMatch(t *testing.T) {
	tags := map[string]string{"owner": "admin", "env": "test"}
	for _, tc := range []struct {
		keys, values []string
		want         bool
	}{
		{nil, nil, true},
		{[]string{"owner"}, nil, true},
		{[]string{"zz", "env"}, nil, true},
		{[]string{"zz"}, nil, false},
		{nil, []string{"test"}, true},
		{nil, []string{"prod"}, false},
		{[]string{"owner"}, []string{"admin", "x"}, true},
		{[]string{"owner"}, []string{"test"}, false},
	} {
		if got := tag.Match(tags, tc.keys, tc.values); got != tc.want {
			t.Errorf("Match(%v, %v) = %v, want %v", tc.keys, tc.values, got, tc.want)
		}
	}
	if tag.Match(nil, []string{"a"}, nil) {
		t.Error("an untagged resource matched a key")
	}
}
