package zeroetl

import (
	"strings"
	"testing"
	"time"
)

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, value string
		want           bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "anything", true},
		{"a", "a", true},
		{"a", "b", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"?", "ü", true},
		{"a*c", "abbc", true},
		{"a*c", "abbd", false},
		{"*b*", "abc", true},
		{"a*b*c", "a-b-b-c", true},
		{"**a", "ba", true},
		{"a*", "a", true},
		{"*ab", "aab", true},
	} {
		if got := glob(tc.pattern, tc.value); got != tc.want {
			t.Errorf("glob(%q, %q) = %v, want %v", tc.pattern, tc.value, got, tc.want)
		}
	}
	// A pattern that is made to be slow must not be.
	began := time.Now()
	if glob(strings.Repeat("*a", 5000), strings.Repeat("a", 4000)+"b") {
		t.Error("matched")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[1]},"Action":"redshift:*","Condition":{"ArnLike":{"aws:SourceArn":["*"]}}}]}`)
	f.Add(`{"Statement":{"Effect":"Deny","Principal":"*","Action":["redshift:*"],"Resource":"x"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parsePolicy(text)
		if err != nil {
			return
		}
		d.allows(request{action: ActionCreateInbound, principal: "arn:aws:iam::1:root", account: "1", keys: map[string]string{"aws:sourcearn": "arn:aws:s3:::b"}})
	})
}
