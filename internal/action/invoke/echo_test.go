package invoke_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/action/invoke"
)

// A key that the vendor repeats is in no answer, and the address of the next page works without it.
func TestEchoedKeysAreMasked(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-key-of-some-length"
	var asked []string
	s := handler(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"next":"https://%s/things?page=2&api_key=%s&x=a%%20b","said":"you are %s","words":"key"}`, r.Host, secret, r.URL.Query().Get("api_key"))
	})
	e := engine(t, invoke.Config{}, s)
	c := call("GENERIC_HTTP", s.URL, key(secret, ""), "read", `{}`)
	c.Connector.Document = []byte(`{"openapi":"3.0.3","info":{"title":"x","version":"1"},"components":{"securitySchemes":{"k":{"type":"apiKey","in":"query","name":"api_key"}}},
		"paths":{"/things":{"get":{"operationId":"read","x-penstock-paging":{"style":"url","from":"/next"},"responses":{"200":{"description":"ok","content":{"application/json":{}}}}}}}}`)
	result, err := e.Invoke(t.Context(), c)
	if err != nil || result.Next == nil || strings.Contains(string(result.Body)+fmt.Sprint(result.Next.Value), secret) || !strings.Contains(string(result.Body), "you are "+invoke.Mask) {
		t.Fatalf("%s, next %+v (%v)", result.Body, result.Next, err)
	}
	c.Arguments = fmt.Appendf(nil, `{"nextPage":%q}`, result.Next.Value)
	shown, err := e.Render(t.Context(), c)
	if err != nil || strings.Contains(shown.URL, secret) || strings.Count(shown.URL, "api_key=") != 1 {
		t.Errorf("shown as %s (%v)", shown.URL, err)
	}
	if _, err := e.Invoke(t.Context(), c); err != nil || len(asked) != 2 || asked[1] != "/things?page=2&x=a%20b&api_key="+secret {
		t.Errorf("asked %q (%v)", asked, err)
	}
	// A short secret may be a word: answers are left as they are.
	c = call("GENERIC_HTTP", s.URL, key("words", ""), "GET", `{"uri":"/things"}`)
	if result, err := e.Invoke(t.Context(), c); err != nil || !strings.Contains(string(result.Body), `"words":"key"`) {
		t.Errorf("%s (%v)", result.Body, err)
	}
}
