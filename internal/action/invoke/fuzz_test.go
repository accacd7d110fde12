package invoke

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Whatever JSON an answer is, what is left of it is JSON, not larger than before, and within the limit unless the
// limit is too small for any JSON of its kind.
func FuzzShrink(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,3],"b":"text","c":{"d":[{},{}]}}`), 20)
	f.Add([]byte(`[[[["x"]]]]`), 3)
	f.Add([]byte(`"\u00e4\ud83d\ude00"`), 4)
	f.Add([]byte(`{"":"","a":{"a":{"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}}`), 30)
	f.Fuzz(func(t *testing.T, text []byte, limit int) {
		if !json.Valid(text) || limit < 0 || limit > 1<<20 {
			return
		}
		cut, kept, items := shrink(text, limit)
		if !json.Valid(cut) {
			t.Fatalf("%s cut to %d is %s", text, limit, cut)
		}
		if kept > items || kept < 0 {
			t.Errorf("%d of %d kept", kept, items)
		}
		if len(cut) > max(limit, 8) {
			t.Errorf("%s cut to %d has %d bytes: %s", text, limit, len(cut), cut)
		}
	})
}

// Whatever a caller gives as uri, the request goes below the base endpoint of the connector.
func FuzzURI(f *testing.F) {
	for _, seed := range []string{"/x?y=z", "//evil.example.com", "/..", "/a/%2e%2e/%2e%2e/b", "/%5c..", "?a=b", "/a;b=c/..;/d", "/@evil.example.com", "\\\\evil", "/\t/x", "http:evil"} {
		f.Add(seed)
	}
	e, err := New(Config{Egress: map[string]http.RoundTripper{"": missingEgress{}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		args, err := json.Marshal(map[string]string{"uri": uri})
		if err != nil {
			return
		}
		shown, err := e.Render(t.Context(), Call{Action: "GET", Arguments: args,
			Connector: Connector{ID: "c", Type: "GENERIC_HTTP", BaseURL: "https://api.example.com/base"}})
		if err != nil {
			return
		}
		u, err := url.Parse(shown.URL)
		if err != nil {
			t.Fatalf("%q makes %q: %v", uri, shown.URL, err)
		}
		if u.Scheme != "https" || u.Host != "api.example.com" || u.User != nil || !strings.HasPrefix(u.JoinPath().Path+"/", "/base/") || u.Fragment != "" {
			t.Errorf("%q goes to %s", uri, shown.URL)
		}
	})
}
