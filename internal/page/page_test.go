package page_test

import (
	"slices"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
)

func TestMarker(t *testing.T) {
	m := page.Marker("clusters", "a\"b", "ü\n")
	got, err := page.Parse("clusters", m, 2)
	if err != nil || !slices.Equal(got, []string{"a\"b", "ü\n"}) {
		t.Errorf("got %q, %v", got, err)
	}
	for name, call := range map[string]func() ([]string, error){
		"another list":    func() ([]string, error) { return page.Parse("tags", m, 2) },
		"another length":  func() ([]string, error) { return page.Parse("clusters", m, 1) },
		"cut":             func() ([]string, error) { return page.Parse("clusters", m[:len(m)-3], 2) },
		"not base64":      func() ([]string, error) { return page.Parse("clusters", "***", 2) },
		"not our JSON":    func() ([]string, error) { return page.Parse("clusters", "e30", 2) },
		"empty":           func() ([]string, error) { return page.Parse("clusters", "", 2) },
		"null":            func() ([]string, error) { return page.Parse("clusters", "bnVsbA", 2) },
		"not even a list": func() ([]string, error) { return page.Parse("clusters", "MQ", 2) },
	} {
		if got, err := call(); !fault.Is(err, fault.Invalid, page.SubjectMarker) {
			t.Errorf("%s: got %q, %v, want Invalid", name, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("clusters", page.Marker("clusters", "x"))
	f.Add("", "W10")
	f.Fuzz(func(t *testing.T, list, marker string) {
		if parts, err := page.Parse(list, marker, 1); err == nil && len(parts) != 1 {
			t.Errorf("%d parts without an error", len(parts))
		}
	})
}

func TestSize(t *testing.T) {
	for _, tc := range []struct {
		wish *int
		want int // 0 for Invalid
	}{{nil, 100}, {new(20), 20}, {new(100), 100}, {new(19), 0}, {new(101), 0}, {new(0), 0}, {new(-1), 0}} {
		got, err := page.Size(tc.wish, 20, 100)
		if got != tc.want || (err != nil) != (tc.want == 0) || err != nil && !fault.Is(err, fault.Invalid, page.SubjectSize) {
			t.Errorf("got %d, %v, want %d", got, err, tc.want)
		}
	}
}
