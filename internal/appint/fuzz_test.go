package appint

import (
	"strings"
	"testing"
	"time"
)

func FuzzParseSource(f *testing.F) {
	for _, uri := range []string{"s3://bucket/a/b", "s3://bucket", "Salesforce://AppFlow/prod", "amazonconnect://AppIntegrations", "://", "x", "s3://a..b/c"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		s, err := ParseSource(uri)
		if err == nil && (s.Bucket == "") == (s.Vendor == "") {
			t.Errorf("%q is %+v", uri, s)
		}
		if err == nil && s.Vendor != "" && (s.Profile == "" || strings.Contains(s.Profile, "/")) {
			t.Errorf("%q names the profile %q", uri, s.Profile)
		}
	})
}

func FuzzParseMoment(f *testing.F) {
	for _, text := range []string{"0", "1715278292014", "2024-05-09T18:11:32Z", "2024-05-09", "2024-05-09T18:11:32+14:00", "-1", "99999999999999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parseMoment(SubjectWindow, "StartTime", text)
		if err != nil {
			return
		}
		if back := time.Unix(0, at.UnixNano()).UTC(); !back.Equal(at) { // it has to fit what is stored
			t.Errorf("%q is %s, and stored %s", text, at, back)
		}
	})
}
