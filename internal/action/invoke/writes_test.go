package invoke_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/penstock-io/penstock/internal/action/invoke"
)

// A write that the vendor has taken is not sent again and not told as undone, whatever becomes of its answer.
func TestTakenWritesAreSentOnce(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "https://" + l.Addr().String() + "/result"
	l.Close()
	for _, c := range []struct {
		name    string
		write   http.HandlerFunc // of POST /x
		result  http.HandlerFunc // of GET /result
		want    invoke.Code
		status  int
		unknown bool
	}{
		{"what it made is out of reach", status(303, "Location", nobody), nil, invoke.VendorUnreachable, 0, true},
		{"what it made is no URL", status(303, "Location", "https://a b/"), nil, invoke.UnexpectedRedirect, 0, true},
		{"what it made leads on for ever", status(303, "Location", "/result"), status(302, "Location", "/result"), invoke.UnexpectedRedirect, 0, true},
		{"what it made may not be read", status(303, "Location", "/result"), status(401), invoke.CredentialsRefused, 401, true},
		{"what it made is asked for too often", status(303, "Location", "/result"), status(429, "Retry-After", "1"), invoke.VendorThrottled, 429, true},
		{"what it made fails", status(303, "Location", "/result"), status(503), invoke.VendorFailed, 503, true},
		{"it is sent on as a form is", status(302, "Location", "/result"), status(200), invoke.UnexpectedRedirect, 0, true},
		{"it is to be made elsewhere", status(307, "Location", "/result"), status(200), invoke.UnexpectedRedirect, 0, false},
		{"its answer is endless", func(w http.ResponseWriter, _ *http.Request) {
			for chunk := make([]byte, 64<<10); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, nil, invoke.AnswerTooLarge, 200, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var writes atomic.Int32
			s := handler(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					writes.Add(1)
					c.write(w, r)
					return
				}
				c.result(w, r)
			})
			e := engine(t, invoke.Config{MaxRead: 1 << 20}, s)
			k := &tokens{now: "a", next: []string{"b"}}
			_, err := e.Invoke(t.Context(), call("GENERIC_HTTP", s.URL, invoke.Auth{Kind: invoke.AuthAuthorizationCode, Tokens: k}, "POST", postX))
			var f *invoke.Error
			if !errors.As(err, &f) || f.Reason != c.want || f.Status != c.status || f.Unknown != c.unknown {
				t.Fatalf("%+v (%v)", f, err)
			}
			if n := strings.Count(err.Error(), "not known"); n > 1 || n > 0 && !c.unknown {
				t.Errorf("it is told as %v", err)
			}
			if writes.Load() != 1 || k.refreshed() != 0 {
				t.Errorf("%d writes, %d refreshes", writes.Load(), k.refreshed())
			}
		})
	}
}

// What is recorded of a failure does not repeat what the caller has given, even if the vendor does.
func TestRecordsRepeatNoValue(t *testing.T) {
	t.Parallel()
	s := handler(t, func(w http.ResponseWriter, r *http.Request) {
		value := r.URL.Query().Get("user") + r.URL.Query().Get("n")
		w.Header().Set("Content-Type", "application/json")
		switch code := r.URL.Query().Get("as"); code {
		case "":
			fmt.Fprintf(w, `{"ok":false,"error":"no_%s"}`, value)
		case "html":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<title>%s</title>`, value)
		default:
			var n int
			_, _ = fmt.Sscan(code, &n)
			w.WriteHeader(n)
			fmt.Fprintf(w, `{"message":"nothing known of %s"}`, value)
		}
	})
	e := engine(t, invoke.Config{Retries: -1, BreakAfter: -1}, s)
	document := []byte(`{"openapi":"3.0.3","info":{"title":"x","version":"1"},"paths":{"/x":{"get":{"operationId":"read","parameters":[
		{"name":"as","in":"query","schema":{"type":"string"}},{"name":"n","in":"query","schema":{"type":"integer","maximum":100}}],
		"responses":{"200":{"description":"ok","content":{"application/json":{}}}}}}}}`)
	of := func(arguments string) invoke.Call {
		c := generic(s.URL, "read", arguments)
		c.Connector.Document = document
		return c
	}
	calls := []invoke.Call{of(`{"n":71234}`), of(`{"as":"html","n":42}`), call("SLACK", s.URL, key("xoxb", ""), "GetUserDetails", `{"user":"71234"}`)}
	for _, status := range []int{400, 401, 403, 404, 409, 412, 429, 500, 503} {
		calls = append(calls, of(fmt.Sprintf(`{"as":"%d","n":42}`, status)))
	}
	for _, c := range calls {
		_, err := e.Invoke(t.Context(), c)
		var f *invoke.Error
		if !errors.As(err, &f) {
			t.Errorf("%s: %v", c.Arguments, err)
			continue
		}
		said := f.Recorded()
		if strings.Contains(said, "71234") || strings.Contains(said, "42") || strings.Contains(said, "nothing known") || !strings.HasSuffix(said, ".") || !strings.Contains(said, c.Connector.ID) && !strings.Contains(said, "read") {
			t.Errorf("%s: recorded as %q", c.Arguments, said)
		}
		if c.Connector.Type == "GENERIC_HTTP" && f.Reason != invoke.InvalidArguments && !strings.Contains(err.Error(), "42") {
			t.Errorf("%s: the caller is told %v", c.Arguments, err)
		}
	}
}
