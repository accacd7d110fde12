package sts_test

import (
	"testing"

	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/front/sts"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

func TestGolden(t *testing.T) {
	w := fronttest.New(t)
	w.Client(sts.New().Service()).Golden(t, "testdata/identity.txtar")
}

// The call declares no error, so there is nothing to reach.
func TestDeclared(t *testing.T) {
	for _, op := range sts.New().Service().Operations {
		if op.Served() && len(op.Errors) > 0 {
			t.Errorf("%s declares errors: walk them with fronttest.Declared", op.Name)
		}
	}
}

func TestHostile(t *testing.T) {
	client := fronttest.New(t).Client(sts.New().Service())
	for _, bad := range []struct {
		action string
		params []string
		code   string
	}{
		{"GetCallerIdentity", []string{"Who", "me"}, "ValidationError"},
		{"GetCallerIdentity", []string{"Version", "1999-01-01"}, "InvalidAction"},
		{"AssumeRole", []string{"RoleArn", "x"}, "UnsupportedOperation"},
		{"", nil, "MissingAction"},
	} {
		w := client.Do(t, "sts", wiretest.Query(bad.action, bad.params...))
		if code, message := fronttest.ErrorOf(t, w); code != bad.code || w.Code >= 500 || message == "" {
			t.Errorf("%s %v: got %d %s %q, want %s", bad.action, bad.params, w.Code, code, message, bad.code)
		}
	}
}
