package invoke_test

import (
	"compress/gzip"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/action/invoke"
)

// Answers that pretend: small ones that unpack without end, JSON that is none, and more packed than was said.
func TestAnswersThatPretend(t *testing.T) {
	t.Parallel()
	s := handler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			for chunk := make([]byte, 1<<20); ; {
				if _, err := packed.Write(chunk); err != nil {
					return
				}
			}
		case "/no-gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte(`{"a":1}`))
		case "/trailing":
			_, _ = w.Write([]byte(`{"a":1} {"b":2}`))
		case "/cut":
			_, _ = w.Write([]byte(`{"a":[1,2`))
		case "/deep":
			_, _ = w.Write([]byte(strings.Repeat("[", 100_000)))
		}
	})
	e := engine(t, invoke.Config{MaxRead: 1 << 20, Retries: -1, BreakAfter: -1}, s)
	for path, want := range map[string]invoke.Code{
		"/bomb": invoke.AnswerTooLarge, "/no-gzip": invoke.VendorUnreachable, "/trailing": invoke.UnexpectedAnswer, "/cut": invoke.UnexpectedAnswer, "/deep": invoke.UnexpectedAnswer,
	} {
		c := generic(s.URL, "read", `{}`)
		c.Connector.Document = []byte(strings.ReplaceAll(`{"openapi":"3.0.3","info":{"title":"x","version":"1"},"paths":{"PATH":{"get":{"operationId":"read",
			"responses":{"200":{"description":"ok","content":{"application/json":{}}}}}}}}`, "PATH", path))
		_, err := e.Invoke(t.Context(), c)
		var f *invoke.Error
		if !errors.As(err, &f) || f.Reason != want || f.Unknown {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// Text that is cut stays text: it does not end within a character.
func TestTextIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	s := handler(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bytes" {
			_, _ = w.Write([]byte("\xff\xc3\xc3\xc3\xc3\xc3"))
			return
		}
		_, _ = w.Write([]byte("äää"))
	})
	e := engine(t, invoke.Config{}, s)
	for path, want := range map[string]string{"/text": "ää", "/bytes": "\xff\xc3\xc3\xc3\xc3"} {
		c := generic(s.URL, "GET", `{"uri":"`+path+`"}`)
		c.MaxAnswer = 5
		result, err := e.Invoke(t.Context(), c)
		if err != nil || string(result.Body) != want || result.Truncated == nil || result.Truncated.Bytes != 6 {
			t.Errorf("%s: %q (%v)", path, result.Body, err)
		}
	}
}
