package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestKindOf(t *testing.T) {
	inner := errors.New("disk on fire")
	for _, tc := range []struct {
		err  error
		want Kind
	}{
		{nil, Internal},
		{inner, Internal},
		{New(NotFound, "cluster", "no cluster %q", "c"), NotFound},
		{fmt.Errorf("loading: %w", Wrap(inner, Unavailable, "", "later")), Unavailable},
		{fmt.Errorf("x: %w", context.Canceled), Canceled},
		{context.DeadlineExceeded, Unavailable},
	} {
		if got := KindOf(tc.err); got != tc.want {
			t.Errorf("KindOf(%v) = %v, want %v", tc.err, got, tc.want)
		}
	}
}

func TestMessageHidesCauses(t *testing.T) {
	err := Wrap(errors.New("secret path"), NotFound, "table", "no table %q", "t")
	if got := Message(err); got != `no table "t"` {
		t.Errorf("Message = %q", got)
	}
	if got := Message(errors.New("secret path")); strings.Contains(got, "secret") {
		t.Errorf("unclassified error leaked: %q", got)
	}
	if !strings.Contains(err.Error(), "secret path") {
		t.Errorf("the log form lost its cause: %q", err)
	}
	if !Is(err, NotFound, "table") || Is(err, NotFound, "view") || !Is(err, NotFound, "") {
		t.Error("Is does not tell subjects apart")
	}
}

func TestEveryKindHasAName(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if name := k.String(); name == "" || seen[name] {
			t.Errorf("kind %d has the name %q", k, name)
		} else {
			seen[name] = true
		}
	}
}
