// Package vendortest plays vendors: local TLS servers that know, from the OpenAPI document of a type of
// connector, what requests its API takes, and say what is wrong with those that come. It is for tests.
//
// A Server reads the document for itself, with another library than the one that makes requests, so that a
// mistake is not made twice. What it cannot know, what a vendor says in answer and what code makes of arguments,
// tests write down by hand.
package vendortest

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// Request is a request that came.
type Request struct {
	Actions  []string // ids of the actions it is a right request of; none if it is wrong
	Problems []string // what is wrong with it
	Method   string
	Path     string // escaped
	RawQuery string
	Query    url.Values
	Header   http.Header
	Body     []byte
	Values   map[string]string // parameters of the path and the query, by name
	Host     string
}

// Server plays the vendor of one type.
type Server struct {
	*httptest.Server
	// Answer writes the answer to a request that is right; nil for an answer that fits the action.
	Answer func(w http.ResponseWriter, r Request) bool

	typ        string
	operations []operation
	mu         sync.Mutex
	requests   []Request
}

type operation struct {
	id, method string
	path       *regexp.Regexp
	names      []string
	item       *openapi3.Operation
}

// New starts the server of a type. Close it.
func New(typ string) (*Server, error) {
	text, err := catalog.Document(typ)
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	s := &Server{typ: typ}
	for path, item := range doc.Paths.Map() {
		template, _, _ := strings.Cut(path, "#")
		for method, op := range item.Operations() {
			s.operations = append(s.operations, compile(method, template, op))
		}
	}
	s.Server = httptest.NewTLSServer(s)
	return s, nil
}

// compile makes an expression of a template. A name takes one segment, or several if the document says so.
func compile(method, template string, op *openapi3.Operation) operation {
	out := operation{id: op.OperationID, method: method, item: op}
	many := map[string]bool{}
	for _, p := range op.Parameters {
		many[p.Value.Name] = p.Value.Extensions["x-penstock-multi-segment"] == true
	}
	var pattern strings.Builder
	pattern.WriteByte('^')
	for template != "" {
		before, rest, found := strings.Cut(template, "{")
		pattern.WriteString(regexp.QuoteMeta(before))
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		out.names = append(out.names, name)
		if many[name] {
			pattern.WriteString("(.+)")
		} else {
			pattern.WriteString("([^/]+)")
		}
		template = after
	}
	pattern.WriteByte('$')
	out.path = regexp.MustCompile(pattern.String())
	return out
}

// CertPool trusts the server's certificate.
func (s *Server) CertPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// Requests are those that came so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Reset forgets the requests that came.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r := Request{Method: in.Method, Path: in.URL.EscapedPath(), RawQuery: in.URL.RawQuery, Query: in.URL.Query(), Header: in.Header, Body: body, Host: in.Host}
	s.judge(&r)
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	if s.Answer != nil && s.Answer(w, r) {
		return
	}
	if len(r.Actions) == 0 {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": strings.Join(r.Problems, "; ")})
		return
	}
	s.answer(w, r.Actions[0])
}

// judge finds the actions a request is right for. Problems are those of the operations whose path it has.
func (s *Server) judge(r *Request) {
	r.Values = map[string]string{}
	most := -1
	for _, op := range s.operations {
		match := op.path.FindStringSubmatch(r.Path)
		if op.method != r.Method || match == nil {
			continue
		}
		values := map[string]string{}
		var problems []string
		for i, name := range op.names {
			value, err := url.PathUnescape(match[i+1])
			if err != nil {
				problems = append(problems, err.Error())
			}
			values[name] = value
		}
		problems = append(problems, parameters(op.item, r, values, s.typ == catalog.GenericHTTP)...)
		problems = append(problems, content(op.item, r)...)
		if len(problems) == 0 {
			if len(values) > most { // the one that knows more of the request comes first
				most = len(values)
				r.Actions = append([]string{op.id}, r.Actions...)
			} else {
				r.Actions = append(r.Actions, op.id)
			}
			for name, value := range values {
				r.Values[name] = value
			}
			continue
		}
		for _, p := range problems {
			r.Problems = append(r.Problems, op.id+": "+p)
		}
	}
	if len(r.Actions) == 0 && len(r.Problems) == 0 {
		r.Problems = append(r.Problems, fmt.Sprintf("%s has no %s %s", s.typ, r.Method, r.Path))
	}
	if len(r.Actions) > 0 {
		r.Problems = nil
	}
}

func fixed(p *openapi3.Parameter) (string, bool) {
	if p.Schema == nil || p.Schema.Value == nil || p.Schema.Value.Const == nil {
		return "", false
	}
	return fmt.Sprint(p.Schema.Value.Const), true
}

// parameters checks the query and the headers. anything: the query may have more than the document says.
func parameters(op *openapi3.Operation, r *Request, values map[string]string, anything bool) []string {
	var problems []string
	known := map[string]bool{}
	for _, ref := range op.Parameters {
		p := ref.Value
		if p.Extensions["x-penstock-local"] == true {
			continue
		}
		var have []string
		switch p.In {
		case "query":
			known[p.Name] = true
			have = r.Query[p.Name]
			if len(have) > 0 {
				values[p.Name] = strings.Join(have, ",")
			}
		case "header":
			have = r.Header.Values(p.Name)
			if len(have) > 0 {
				values[p.Name] = have[0]
			}
		default:
			continue
		}
		want, isFixed := fixed(p)
		switch {
		case (p.Required || isFixed) && len(have) == 0:
			problems = append(problems, fmt.Sprintf("%s %s is missing", p.In, p.Name))
		case isFixed && have[0] != want:
			problems = append(problems, fmt.Sprintf("%s %s is %q, not %q", p.In, p.Name, have[0], want))
		}
	}
	for name := range r.Query {
		if !known[name] && !anything {
			problems = append(problems, fmt.Sprintf("query %s is not known", name))
		}
	}
	return problems
}

func content(op *openapi3.Operation, r *Request) []string {
	if op.RequestBody == nil {
		if len(r.Body) > 0 && op.OperationID != "CreateBucket" {
			return []string{"there is a body"}
		}
		return nil
	}
	if len(r.Body) == 0 {
		for mediaType := range op.RequestBody.Value.Content {
			if op.RequestBody.Value.Required && mediaType != "application/octet-stream" {
				return []string{"the body is missing"}
			}
		}
		return nil
	}
	have, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return []string{"Content-Type: " + err.Error()}
	}
	for mediaType, media := range op.RequestBody.Value.Content {
		switch {
		case mediaType == "application/octet-stream":
			return nil
		case have != mediaType:
			return []string{fmt.Sprintf("Content-Type is %s, not %s", have, mediaType)}
		case have == "multipart/form-data":
			return form(media.Schema.Value, r.Body, params["boundary"])
		}
		var v any
		if err := json.Unmarshal(r.Body, &v); err != nil {
			return []string{"the body is not JSON: " + err.Error()}
		}
		if media.Schema == nil {
			return nil
		}
		if err := media.Schema.Value.VisitJSON(v, openapi3.MultiErrors(), openapi3.VisitAsRequest()); err != nil {
			return []string{"the body: " + err.Error()}
		}
	}
	return nil
}

// form checks that the parts of a form are those of the schema.
func form(schema *openapi3.Schema, body []byte, boundary string) []string {
	var problems []string
	seen := map[string]bool{}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return append(problems, "the form: "+err.Error())
		}
		seen[part.FormName()] = true
		property := schema.Properties[part.FormName()]
		switch {
		case property == nil:
			problems = append(problems, "the form has a part "+part.FormName())
		case property.Value.Format == "binary" && part.FileName() == "":
			problems = append(problems, "the part "+part.FormName()+" has no file name")
		}
	}
	for _, name := range schema.Required {
		if !seen[name] {
			problems = append(problems, "the form has no part "+name)
		}
	}
	return problems
}
