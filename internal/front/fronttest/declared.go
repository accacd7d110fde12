package fronttest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// Env is what a Case works on.
type Env interface {
	Client() wiretest.Client
}

// Case makes an operation fail with an error that it declares.
type Case[E Env] struct {
	Operation string
	Error     *wire.ErrorShape
	// Request prepares what is needed and returns the request that is to fail.
	Request func(t *testing.T, e E) *http.Request
}

// Never says why a declared error cannot come, of one operation or, without its name, of any.
type Never struct {
	Operation string
	Error     *wire.ErrorShape
	Why       string
}

// Cannot returns a Never.
func Cannot(operation string, e *wire.ErrorShape, why string) Never { return Never{operation, e, why} }

// Declared walks every error that the served operations of a service declare. Each must have a case, which is then
// run through the wire handler, or a reason why it cannot come; none may have both. The exchanges are compared
// with those in file, a txtar, which -update rewrites.
func Declared[E Env](t *testing.T, file string, service *wire.Service, setup func(t *testing.T) E, cases []Case[E], never []Never) {
	t.Helper()
	type declared struct{ operation, shape string }
	left := map[declared]Case[E]{}
	for _, c := range cases {
		key := declared{c.Operation, c.Error.Name}
		if _, twice := left[key]; twice {
			t.Errorf("%s has two cases for %s", c.Operation, c.Error.Name)
		}
		left[key] = c
	}
	used := make([]bool, len(never))
	excused := func(operation string, e *wire.ErrorShape) bool {
		for n, x := range never {
			if x.Error == e && (x.Operation == "" || x.Operation == operation) {
				used[n] = true
				return true
			}
		}
		return false
	}
	golden := readGolden(t, file)
	for _, op := range service.Operations {
		if !op.Served() {
			continue
		}
		for _, e := range op.Errors {
			key := declared{op.Name, e.Name}
			c, ok := left[key]
			delete(left, key)
			switch no := excused(op.Name, e); {
			case ok && no:
				t.Errorf("%s: %s has a case and a reason why it cannot come", op.Name, e.Name)
			case !ok && !no:
				t.Errorf("%s declares %s: add a case that makes it come, or a reason why it cannot", op.Name, e.Name)
			case ok:
				t.Run(op.Name+"/"+e.Name, func(t *testing.T) { c.run(t, service, setup(t), golden) })
			}
		}
	}
	for key := range left {
		t.Errorf("there is a case for %s of %s, which is not declared, or not served", key.shape, key.operation)
	}
	for n, x := range never {
		if !used[n] {
			t.Errorf("the reason why %q cannot have %s is about nothing", x.Operation, x.Error.Name)
		}
	}
	golden.write(t)
	undeclared(t, service)
}

// undeclared finds errors in a service's table of faults that no served operation, or not the one that the entry is
// for, declares.
func undeclared(t *testing.T, service *wire.Service) {
	t.Helper()
	for key, e := range service.Faults {
		if !slices.ContainsFunc(service.Operations, func(op wire.Operation) bool {
			return op.Served() && (key.Operation == "" || key.Operation == op.Name) && slices.Contains(op.Errors, e)
		}) {
			t.Errorf("the table of faults makes %v a %s, which is not declared", key, e.Name)
		}
	}
}

func (c Case[E]) run(t *testing.T, service *wire.Service, e E, golden *golden) {
	r := c.Request(t, e)
	client := e.Client()
	shown := show(t, r)
	w := client.Do(t, service.SigningName, r)
	code, message := ErrorOf(t, w)
	if code != c.Error.Code || w.Code != c.Error.Status {
		t.Fatalf("got %d %s (%s), want %d %s", w.Code, code, message, c.Error.Status, c.Error.Code)
	}
	if message == "" {
		t.Error("the error has no message")
	}
	golden.check(t, c.Operation+"/"+c.Error.Name, shown, w)
}

// ErrorOf returns the code and the message of an error, "" for an answer that is none.
func ErrorOf(t testing.TB, w *httptest.ResponseRecorder) (code, message string) {
	t.Helper()
	if w.Code < 300 {
		return "", ""
	}
	body := w.Body.Bytes()
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/xml") {
		var e struct {
			Error struct{ Type, Code, Message string }
		}
		if err := xml.Unmarshal(body, &e); err != nil {
			t.Fatalf("the error is no XML: %v\n%s", err, body)
		}
		return e.Error.Code, e.Error.Message
	}
	var e struct {
		Type  string `json:"__type"`
		Lower string `json:"message"`
		Upper string `json:"Message"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("the error is no JSON: %v\n%s", err, body)
	}
	return e.Type, e.Lower + e.Upper
}

// golden is a file of exchanges.
type golden struct {
	file   string
	update bool
	want   map[string]string

	mu  sync.Mutex
	got txtar.Archive
}

func readGolden(t *testing.T, file string) *golden {
	t.Helper()
	g := &golden{file: file, want: map[string]string{}, update: flag.Lookup("update").Value.String() == "true"} // wiretest's flag
	archive, err := txtar.ParseFile(file)
	if err != nil && !g.update {
		t.Fatalf("%v; run with -update to make it", err)
	}
	if archive != nil {
		g.got.Comment = archive.Comment
		for _, f := range archive.Files {
			g.want[f.Name] = string(f.Data)
		}
	}
	return g
}

var ids = regexp.MustCompile(`(<RequestId>|"RequestId":")[^<"]*`)

func (g *golden) check(t *testing.T, name, request string, w *httptest.ResponseRecorder) {
	t.Helper()
	body := ids.ReplaceAllString(w.Body.String(), "${1}[id]")
	response := fmt.Sprintf("%d\nContent-Type: %s\n\n%s\n", w.Code, w.Header().Get("Content-Type"), strings.ReplaceAll(body, "><", ">\n<"))
	g.mu.Lock()
	g.got.Files = append(g.got.Files, txtar.File{Name: name + ".request", Data: []byte(request)}, txtar.File{Name: name + ".response", Data: []byte(response)})
	g.mu.Unlock()
	if g.update {
		return
	}
	if g.want[name+".request"] != request || g.want[name+".response"] != response {
		t.Errorf("the exchange differs from the one in %s; run with -update to accept it\ngot:\n%s\n%s\nwant:\n%s\n%s",
			g.file, request, response, g.want[name+".request"], g.want[name+".response"])
	}
}

func (g *golden) write(t *testing.T) {
	t.Helper()
	if !g.update || t.Failed() {
		return
	}
	if err := os.WriteFile(g.file, txtar.Format(&g.got), 0o644); err != nil {
		t.Fatal(err)
	}
}

// show renders a request without what every request has.
func show(t *testing.T, r *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL.RequestURI())
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		fmt.Fprintf(&b, "X-Amz-Target: %s\n", target)
	}
	text := strings.ReplaceAll(string(body), "&", "\n")
	if len(text) > 2000 {
		text = fmt.Sprintf("%s... (%d bytes)", text[:200], len(body))
	}
	fmt.Fprintf(&b, "\n%s\n", text)
	return b.String()
}
