package wiretest

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// Update is the flag -update of tests: what is expected is written anew.
var Update = flag.Bool("update", false, "write what tests expect anew")

// Golden sends the requests of a txtar file one after the other and compares the answers with those in
// the file; -update writes them instead. Each request is a file NAME.request, its answer NAME.response.
//
// A request begins with the service it is signed for, - for none, the method and the path; then come
// headers, an empty line and the body. The lines of a form's body are joined with &.
//
//	redshift POST /
//	Content-Type: application/x-www-form-urlencoded
//
//	Action=DescribeIntegrations
//	MaxRecords=20
//
// A response has the status, the headers that tell something, and the body. What differs from run to
// run is masked: UUIDs are numbered as they appear in the file, times replaced.
func (c Client) Golden(t *testing.T, file string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range archive.Files {
		want[f.Name] = string(f.Data)
	}
	mask := masker{times: c.Now == nil}
	out := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		name, ok := strings.CutSuffix(f.Name, ".request")
		if !ok {
			continue
		}
		service, r, err := parseRequest(mask.restore(f.Data))
		if err != nil {
			t.Fatalf("%s: %s: %v", file, f.Name, err)
		}
		got := mask.apply(describe(c.Do(t, service, r)))
		out.Files = append(out.Files, f, txtar.File{Name: name + ".response", Data: []byte(got)})
		if !*Update && got != want[name+".response"] {
			t.Errorf("%s: the answer to %s differs; run with -update to accept it\ngot:\n%s\nwant:\n%s", file, name, got, want[name+".response"])
		}
	}
	if *Update {
		if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Golden is Client.Golden with the usual client.
func Golden(t *testing.T, h http.Handler, file string) {
	t.Helper()
	Client{Handler: h}.Golden(t, file)
}

func parseRequest(data []byte) (service string, r *http.Request, err error) {
	in := bufio.NewReader(bytes.NewReader(data))
	first, err := in.ReadString('\n')
	if err != nil {
		return "", nil, err
	}
	var method, path string
	if _, err := fmt.Sscan(first, &service, &method, &path); err != nil {
		return "", nil, fmt.Errorf("the first line must be service, method and path: %w", err)
	}
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil {
		return "", nil, fmt.Errorf("headers: %w", err)
	}
	var body bytes.Buffer
	if _, err := in.WriteTo(&body); err != nil {
		return "", nil, err
	}
	text := strings.TrimSuffix(body.String(), "\n")
	if strings.HasPrefix(header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		text = strings.ReplaceAll(text, "\n", "&")
	}
	r = Raw(method, path, "", text)
	for name, values := range header {
		r.Header[name] = values
	}
	if service == "-" {
		service = ""
	}
	return service, r, nil
}

// describe renders an answer without what every answer has.
func describe(w *httptest.ResponseRecorder) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", w.Code)
	var names []string
	for name := range w.Header() {
		if name != "Date" && name != "Content-Length" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(w.Header()[name], ", "))
	}
	body := w.Body.String()
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/xml") {
		body = strings.ReplaceAll(body, "><", ">\n<") // a line per element makes for readable differences
	}
	fmt.Fprintf(&b, "\n%s\n", body)
	return b.String()
}

var (
	uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|\b\d{8}T\d{6}Z|\b1[5-9]\d{8}(\.\d{1,3})?\b`)
)

// masker replaces what differs from run to run, the same thing always by the same text.
type masker struct {
	seen  []string
	times bool
}

func (m *masker) apply(s string) string {
	s = uuids.ReplaceAllStringFunc(s, func(id string) string {
		i := slices.Index(m.seen, id)
		if i < 0 {
			i = len(m.seen)
			m.seen = append(m.seen, id)
		}
		return fmt.Sprintf("[uuid %d]", i+1)
	})
	if m.times {
		s = times.ReplaceAllString(s, "[time]")
	}
	return s
}

// restore puts UUIDs back where a request names them by their mask.
func (m *masker) restore(data []byte) []byte {
	for i, id := range m.seen {
		data = bytes.ReplaceAll(data, fmt.Appendf(nil, "[uuid %d]", i+1), []byte(id))
	}
	return data
}
