package buckets

import (
	"errors"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
)

func TestPutInProcess(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.bucket(t, "inner")
	ctx := t.Context()
	if err := f.Put(ctx, "inner", "a/b.json", strings.NewReader("hello"), 5); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Stat(ctx, "inner", "a/b.json"); err != nil || got.Size != 5 {
		t.Errorf("%+v, %v", got, err)
	}
	if arrivals, _ := f.take(); len(arrivals) != 1 || arrivals[0].Key != "a/b.json" || arrivals[0].Event != EventPut {
		t.Errorf("arrivals: %+v", arrivals)
	}
	for name, tc := range map[string]struct {
		bucket, key, body string
		size              int64
		want              fault.Kind
	}{
		"no bucket":    {"nowhere", "k", "x", 1, fault.NotFound},
		"bad key":      {"inner", "../k", "x", 1, fault.Invalid},
		"short body":   {"inner", "k", "x", 2, fault.Invalid},
		"long body":    {"inner", "k", "xyz", 2, fault.Invalid},
		"broken body":  {"inner", "k", "", 5, fault.Invalid},
		"under a file": {"inner", "a/b.json/c", "x", 1, fault.Invalid},
	} {
		if err := f.Put(ctx, tc.bucket, tc.key, strings.NewReader(tc.body), tc.size); fault.KindOf(err) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Stat(ctx, "inner", "k"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a failed put left something: %v", err)
	}
	var f2 *fault.Error
	if err := f.Put(ctx, "nowhere", "k", strings.NewReader(""), 0); !errors.As(err, &f2) {
		t.Errorf("not a fault: %v", err)
	}
}
