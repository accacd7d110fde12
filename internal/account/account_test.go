package account_test

import (
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/account"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
)

func TestLookup(t *testing.T) {
	s := account.NewService("aws", "us-east-1", "123456789012", account.Credential{AccessKeyID: "AKIAROOT", Secret: secret.NewText("hidden")})
	text, caller, err := s.Lookup(t.Context(), "AKIAROOT")
	want := identity.Caller{Partition: "aws", Account: "123456789012", Region: "us-east-1", AccessKeyID: "AKIAROOT", ARN: "arn:aws:iam::123456789012:root", UserID: "123456789012"}
	if err != nil || text.Reveal() != "hidden" || caller != want || s.Root() != want {
		t.Errorf("got %q, %+v, %v", text.Reveal(), caller, err)
	}
	for _, id := range []string{"", "AKIAROO", "AKIAROOTX", "akiaroot", strings.Repeat("x", 10000)} {
		text, caller, err := s.Lookup(t.Context(), id)
		if !fault.Is(err, fault.NotFound, account.SubjectAccessKey) || !text.Empty() || caller != (identity.Caller{}) {
			t.Errorf("%.20q: %+v, %v, want NotFound and nothing else", id, caller, err)
		}
		if strings.Contains(err.Error(), "hidden") || len(err.Error()) > 1000 {
			t.Errorf("%.20q: the message says too much: %.100s", id, err)
		}
	}
}
