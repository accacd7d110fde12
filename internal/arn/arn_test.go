package arn

import "testing"

func TestParse(t *testing.T) {
	for _, tc := range []struct{ in, kind, id string }{
		{"arn:aws:s3:::bucket", "", "bucket"},
		{"arn:aws:redshift:us-east-1:123456789012:namespace:4f-1", "namespace", "4f-1"},
		{"arn:aws:redshift-serverless:us-east-1:123456789012:namespace/4f-1", "namespace", "4f-1"},
		{"arn:aws:dynamodb:us-east-1:123456789012:table/a:b", "table", "a:b"},
	} {
		a, err := Parse(tc.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", tc.in, err)
			continue
		}
		if a.String() != tc.in {
			t.Errorf("%q came back as %q", tc.in, a)
		}
		if kind, id := a.Split(); kind != tc.kind || id != tc.id {
			t.Errorf("Split(%q) = %q, %q", tc.in, kind, id)
		}
	}
	for _, bad := range []string{"", "arn", "arn:aws:s3:::", "arn::s3:::b", "urn:aws:s3:::b", "arn:aws:s3:b"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) accepted", bad)
		}
	}
}
