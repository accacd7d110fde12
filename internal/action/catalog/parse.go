package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/penstock-io/penstock/internal/fault"
)

// origin says whose document it is: ours may use all extensions.
type origin uint8

const (
	ours origin = iota
	users
)

// Limits of a user's document. AWS's are 1 MB and 100 operations.
const (
	MaxDocument   = 4 << 20 // bytes
	MaxOperations = 500
)

var (
	pathPattern = regexp.MustCompile(`^/[^/]*(/[^/]*)*$`)
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9_ .-]{1,256}$`)
)

// Parse reads a user's document. What is wrong with it is a fault of kind Invalid that lists all of it.
//
// AWS's rules hold where they protect: OpenAPI 3 in JSON, operations with ids that can be named, no parameters
// that would carry credentials, no references outside the document. They are relaxed where that only helps:
// lists, allOf and its like and schemas that contain themselves are taken; a missing id or description is made
// from the rest; documents may be larger; bodies may be forms, text and bytes.
func Parse(text []byte) (*Catalogue, error) {
	if len(text) > MaxDocument {
		return nil, fault.New(fault.Limit, SubjectDocument, "The OpenAPI document has %d bytes; %d are the most.", len(text), MaxDocument)
	}
	return parse(text, users)
}

func parse(text []byte, from origin) (*Catalogue, error) {
	var head struct {
		OpenAPI any `json:"openapi"`
		Swagger any `json:"swagger"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, SubjectDocument, "The OpenAPI document is not JSON: %v.", err)
	}
	if version, _ := head.OpenAPI.(string); !strings.HasPrefix(version, "3.0") && !strings.HasPrefix(version, "3.1") {
		if head.Swagger != nil {
			return nil, fault.New(fault.Invalid, SubjectDocument, "The document is Swagger %v; convert it to OpenAPI 3.0 or 3.1.", head.Swagger)
		}
		return nil, fault.New(fault.Invalid, SubjectDocument, "The document has no member openapi of 3.0 or 3.1, which are the versions that are read.")
	}
	loader := openapi3.NewLoader() // references outside the document are errors
	doc, err := loader.LoadFromData(text)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, SubjectDocument, "The OpenAPI document cannot be read: %s.", brief(err))
	}
	if err := doc.Validate(loader.Context, openapi3.DisableExamplesValidation(), openapi3.DisableSchemaDefaultsValidation(), openapi3.DisableSchemaPatternValidation()); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, SubjectDocument, "The OpenAPI document is not valid: %s.", brief(err))
	}
	p := &parser{doc: doc, from: from, out: &Catalogue{byID: map[string]*Action{}}, components: map[string]any{}}
	p.document()
	if len(p.wrong) > 0 {
		return nil, fault.New(fault.Invalid, SubjectDocument, "The OpenAPI document cannot be used: %s.", strings.Join(p.wrong, "; "))
	}
	return p.out, nil
}

// brief is the first line of an error of a library, cut to a readable length.
func brief(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	if len(s) > 600 {
		s = strings.ToValidUTF8(s[:600], "") + "…"
	}
	return strings.TrimRight(s, ". ")
}

type parser struct {
	doc        *openapi3.T
	from       origin
	out        *Catalogue
	wrong      []string
	components map[string]any // schemas as they are read
}

func (p *parser) fail(where, format string, args ...any) {
	const most = 20 // of a hopeless document, these are enough
	if len(p.wrong) < most {
		p.wrong = append(p.wrong, where+": "+fmt.Sprintf(format, args...))
	}
}

func (p *parser) note(format string, args ...any) {
	p.out.Notes = append(p.out.Notes, fmt.Sprintf(format, args...))
}

func (p *parser) document() {
	if p.doc.Info != nil {
		p.out.Title, p.out.Description = p.doc.Info.Title, p.doc.Info.Description
	}
	p.server()
	if p.from == ours {
		p.extension(p.doc.Extensions, "x-penstock-type", &p.out.Type)
		p.extension(p.doc.Extensions, "x-penstock-check", &p.out.Check)
		p.extension(p.doc.Extensions, "x-penstock-aws", &p.out.AWS)
		var rate struct {
			PerMinute int `json:"perMinute"`
		}
		p.extension(p.doc.Extensions, "x-penstock-rate", &rate)
		p.out.PerMinute = rate.PerMinute
	} else {
		p.security()
	}
	for _, path := range slices.Sorted(maps.Keys(p.doc.Paths.Map())) {
		item := p.doc.Paths.Value(path)
		operations := item.Operations()
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			p.operation(path, method, item, operations[method])
		}
	}
	switch n := len(p.out.Actions); {
	case n == 0 && len(p.wrong) == 0:
		p.fail("paths", "there is no operation in it")
	case n > MaxOperations:
		p.fail("paths", "there are %d operations; %d are the most", n, MaxOperations)
	}
	if p.from == ours {
		return
	}
	slices.SortStableFunc(p.out.Actions, func(a, b *Action) int { return strings.Compare(a.ID, b.ID) })
}

func (p *parser) server() {
	if len(p.doc.Servers) == 0 {
		return
	}
	address := p.doc.Servers[0].URL
	for name, v := range p.doc.Servers[0].Variables {
		if v != nil {
			address = strings.ReplaceAll(address, "{"+name+"}", v.Default)
		}
	}
	u, err := url.Parse(address)
	if err != nil {
		p.note("The server %q is no URL and has no effect.", address)
		return
	}
	p.out.ServerPath = strings.TrimRight(u.Path, "/")
	if u.Host != "" {
		p.out.Server = address
	}
}

// security finds where an API key goes. How a connector authenticates is its own setting.
func (p *parser) security() {
	if p.doc.Components == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.doc.Components.SecuritySchemes)) {
		ref := p.doc.Components.SecuritySchemes[name]
		if ref == nil || ref.Value == nil {
			continue
		}
		s := ref.Value
		switch {
		case s.Type == "apiKey" && (s.In == "header" || s.In == "query"):
			if p.out.Key == nil && s.Name != "" {
				p.out.Key = &APIKey{In: s.In, Name: s.Name}
			}
		case s.Type == "http" && strings.EqualFold(s.Scheme, "bearer"):
			if p.out.Key == nil {
				p.out.Key = &APIKey{In: "header", Name: "Authorization", Prefix: "Bearer "}
			}
		case s.Type == "oauth2", s.Type == "http" && strings.EqualFold(s.Scheme, "basic"):
		default:
			p.note("The security scheme %q (%s) is not supported and has no effect; the connector's own authentication is used.", name, s.Type)
		}
	}
}

func (p *parser) extension(from map[string]any, name string, into any) {
	value, ok := from[name]
	if !ok {
		return
	}
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		p.fail(name, "%v", err)
	}
}

func (p *parser) operation(path, method string, item *openapi3.PathItem, op *openapi3.Operation) {
	where := method + " " + path
	sent, _, _ := strings.Cut(path, "#")
	a := &Action{ID: strings.TrimSpace(op.OperationID), Name: strings.TrimSpace(op.Summary), Description: strings.TrimSpace(op.Description), Method: method, Path: sent, Named: true}
	switch {
	case method == http.MethodOptions || method == http.MethodTrace || method == http.MethodConnect:
		p.note("The operation %s has no effect: %s is not a method of actions.", where, method)
		return
	case !pathPattern.MatchString(sent):
		p.fail(where, "the path does not begin with a slash")
	}
	if a.ID == "" {
		a.ID = madeID(method, sent)
	}
	if !idPattern.MatchString(a.ID) {
		p.fail(where, "the operationId %q may have up to 256 letters, digits, blanks and _ . -", a.ID)
	}
	if p.out.byID[a.ID] != nil {
		p.fail(where, "the operationId %q is taken by another operation", a.ID)
	}
	if a.Name == "" {
		a.Name = a.ID
	}
	if a.Description == "" {
		a.Description = a.Name
	}
	a.Write = method != http.MethodGet && method != http.MethodHead
	var kind, source string
	p.extension(op.Extensions, "x-amzn-operation-type", &kind)
	switch kind {
	case "":
	case "read", "write":
		a.Write = kind == "write"
	default:
		p.fail(where, "x-amzn-operation-type is %q; it is read or write", kind)
	}
	a.Destructive = a.Write && (method == http.MethodDelete || method == http.MethodPut || method == http.MethodPatch)
	p.extension(op.Extensions, "x-penstock-paging", &a.Paging)
	if p.from == ours {
		p.extension(op.Extensions, "x-penstock-destructive", &a.Destructive)
		p.extension(op.Extensions, "x-penstock-source", &source)
		a.Named = source != "vendor"
		p.extension(op.Extensions, "x-penstock-object", &a.Object)
		p.extension(op.Extensions, "x-penstock-idempotency-header", &a.IdempotencyHeader)
	} else {
		a.Named = false
	}
	a.Answer = answerOf(op)
	b := &builder{parser: p, where: where, action: a, taken: map[string]bool{}, properties: map[string]any{}, defs: map[string]any{}}
	b.parameters(item, op)
	b.body(op)
	if len(p.wrong) == 0 {
		b.finish()
	}
	if p.out.byID[a.ID] == nil {
		p.out.byID[a.ID] = a
		p.out.Actions = append(p.out.Actions, a)
	}
}

// madeID names an operation without operationId by its method and path: get_orders_id.
func madeID(method, path string) string {
	words := strings.FieldsFunc(path, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	})
	id := strings.Join(append([]string{strings.ToLower(method)}, words...), "_")
	return id[:min(len(id), 256)]
}

// answerOf judges by the first success the operation declares.
func answerOf(op *openapi3.Operation) Answer {
	if op.Responses == nil {
		return AnswerAny
	}
	responses := op.Responses.Map()
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		if !strings.HasPrefix(status, "2") && status != "default" {
			continue
		}
		r := responses[status].Value
		if r == nil || len(r.Content) == 0 {
			return AnswerEmpty
		}
		for mediaType := range r.Content {
			switch base, _, _ := strings.Cut(mediaType, ";"); {
			case base == "application/json", strings.HasSuffix(base, "+json"):
				return AnswerJSON
			case base == "application/xml":
				return AnswerXML
			case base == "application/vnd.amazon.eventstream":
				return AnswerEventStream
			}
		}
		return AnswerAny
	}
	return AnswerAny
}
