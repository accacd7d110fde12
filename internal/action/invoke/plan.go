package invoke

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// plan is a call on its way to becoming a request. The code of the vendor may change any of it before the
// request is made.
type plan struct {
	engine    *Engine
	call      *Call
	connector *Connector
	catalogue *catalog.Catalogue
	action    *catalog.Action
	vendor    vendor
	args      map[string]any // as they were given, valid

	base      *url.URL // the connector's endpoint
	path      string   // escaped, below base
	query     []pair
	header    http.Header
	body      any    // JSON, unless raw is set; nil for none
	raw       []byte // the body as it is sent
	mediaType string
	page      *url.URL // the next page, which stands for path and query
	notes     []string
}

type pair struct{ name, value string }

// plan validates a call and fills a plan. It contacts nobody but a remote MCP server, for its tools.
func (e *Engine) plan(ctx context.Context, call *Call) (*plan, error) {
	known, action, err := e.allowed(ctx, &call.Connector, call.Action)
	if err != nil {
		return nil, err
	}
	args, err := arguments(action.ID, call.Arguments)
	if err != nil {
		return nil, err
	}
	p := &plan{engine: e, call: call, connector: &call.Connector, catalogue: known, action: action, args: args,
		vendor: vendorOf(call.Connector.Type), header: http.Header{}}
	if action.Body != nil && action.Body.Unwrap != "" {
		p.unwrap(action.Body.Unwrap)
	}
	violations, err := action.Validate(p.args)
	if err != nil {
		return nil, err
	}
	if len(violations) > 0 {
		return nil, invalid(action.ID, violations...)
	}
	if p.base, err = e.base(p); err != nil {
		return nil, err
	}
	if wrong := p.bind(); len(wrong) > 0 {
		return nil, invalid(action.ID, wrong...)
	}
	if p.vendor.prepare != nil {
		if wrong := p.vendor.prepare(p); len(wrong) > 0 {
			return nil, invalid(action.ID, wrong...)
		}
	}
	if wrong := p.nextPage(); len(wrong) > 0 {
		return nil, invalid(action.ID, wrong...)
	}
	p.defaults()
	return p, nil
}

// unwrap takes members that are given within what the vendor wraps them in, as its own documentation shows it.
func (p *plan) unwrap(wrapper string) {
	inner, ok := p.args[wrapper].(map[string]any)
	if !ok || slices.ContainsFunc(p.action.Body.Members, func(m catalog.Member) bool { return m.Argument == wrapper }) {
		return
	}
	merged := maps.Clone(p.args)
	delete(merged, wrapper)
	for name, value := range inner {
		if _, taken := merged[name]; taken {
			return // said twice: validation will name the wrapper
		}
		merged[name] = value
	}
	p.args = merged
}

// base is the URL that paths go below.
func (e *Engine) base(p *plan) (*url.URL, error) {
	if p.catalogue.AWS != nil {
		return e.signer.endpoint(p.catalogue.AWS.Endpoint)
	}
	u, err := url.Parse(strings.TrimRight(p.connector.BaseURL, "/"))
	if err != nil || u.Host == "" {
		return nil, failure(AddressRefused, err, "The base endpoint %q of connector %q is not a URL like https://host/path.", p.connector.BaseURL, p.connector.ID)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, failure(AddressRefused, nil, "The base endpoint of connector %q has a query or a fragment; only scheme, host and path are used.", p.connector.ID)
	}
	if u.Path == "" && p.catalogue.ServerPath != "" {
		server, err := url.Parse(p.catalogue.Server)
		if err == nil && (server.Host == "" || strings.EqualFold(server.Host, u.Host)) {
			u.Path = "/" + strings.Trim(p.catalogue.ServerPath, "/")
		}
	}
	return u, nil
}

// bind puts the arguments where the action wants them.
func (p *plan) bind() []catalog.Violation {
	var wrong []catalog.Violation
	path := p.action.Path
	for _, param := range p.action.Parameters {
		value, given := param.Fixed, true
		if param.Argument != "" {
			value, given = p.args[param.Argument]
		}
		if !given || param.In == catalog.InLocal {
			continue
		}
		at := "/" + param.Argument
		switch param.In {
		case catalog.InPath:
			escaped, problem := p.segment(param, plain(value, param))
			if problem != "" {
				wrong = append(wrong, catalog.Violation{Pointer: at, Message: problem})
			}
			path = strings.ReplaceAll(path, "{"+param.Name+"}", escaped)
		case catalog.InQuery:
			p.query = append(p.query, spread(param, value)...)
		case catalog.InHeader:
			text := plain(value, param)
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
				wrong = append(wrong, catalog.Violation{Pointer: at, Message: "has characters that headers cannot carry"})
				continue
			}
			p.header.Set(param.Name, text)
		}
	}
	p.path = path
	return append(wrong, p.bindBody()...)
}

// plain is a value as text.
func plain(value any, param catalog.Parameter) string {
	if param.JSON {
		text, err := json.Marshal(value)
		if err == nil {
			return string(text)
		}
	}
	switch v := value.(type) {
	case string:
		return v
	case nil:
		return ""
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i] = plain(v[i], param)
		}
		return strings.Join(words, param.Between)
	case map[string]any:
		text, err := json.Marshal(v)
		if err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(value) // numbers are json.Number, exact
}

func spread(param catalog.Parameter, value any) []pair {
	if list, ok := value.([]any); ok && param.Explode && !param.JSON {
		out := make([]pair, len(list))
		for i := range list {
			out[i] = pair{param.Name, plain(list[i], param)}
		}
		return out
	}
	return []pair{{param.Name, plain(value, param)}}
}

// segment escapes a value for the path. Inside quotes, as OData has them, quotes are doubled.
func (p *plan) segment(param catalog.Parameter, value string) (escaped, problem string) {
	strict := p.catalogue.AWS != nil
	if strings.Contains(p.action.Path, "'{"+param.Name+"}'") {
		value = strings.ReplaceAll(value, "'", "''")
	}
	parts := []string{value}
	if param.Slashes {
		parts = strings.Split(value, "/")
	}
	for i, part := range parts {
		if part == "." || part == ".." {
			if !strict { // keys of S3 may have such parts; other servers would leave the path
				return "", "may not be or contain a path of . or .."
			}
		}
		parts[i] = escape(part, strict)
	}
	if value == "" {
		return "", "may not be empty"
	}
	return strings.Join(parts, "/"), ""
}

// escape is percent-encoding of one segment of a path. Strict leaves only what AWS's signatures leave.
func escape(s string, strict bool) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~',
			!strict && strings.IndexByte(":@,=+$!", c) >= 0:
			out.WriteByte(c)
		default:
			out.WriteByte('%')
			out.WriteByte(hex[c>>4])
			out.WriteByte(hex[c&15])
		}
	}
	return out.String()
}

// bindBody makes the body of the arguments that are not parameters.
func (p *plan) bindBody() []catalog.Violation {
	b := p.action.Body
	if b == nil {
		return nil
	}
	p.mediaType = b.MediaType
	switch b.Kind {
	case catalog.BodyWhole:
		value, given := p.args[b.Argument]
		if given {
			p.body = b.Fill(value)
		}
	case catalog.BodyText:
		if text, ok := p.args[b.Argument].(string); ok {
			p.raw = []byte(text)
		}
	case catalog.BodyBinary:
		if _, given := p.args[b.Argument]; given {
			content, problem := p.bytes(b.Argument)
			if problem != nil {
				return []catalog.Violation{*problem}
			}
			p.raw = content
			if mediaType, ok := p.args[b.Argument+"ContentType"].(string); ok {
				p.mediaType = mediaType
			}
		}
	case catalog.BodyMultipart:
		return p.multipart(b)
	case catalog.BodyForm:
		form := url.Values{}
		for name, value := range p.members(b) {
			for _, v := range spread(catalog.Parameter{Name: name, Explode: true}, value) {
				form.Add(v.name, v.value)
			}
		}
		p.raw = []byte(form.Encode())
	default:
		members := p.members(b)
		if b.Unwrap != "" {
			members = map[string]any{b.Unwrap: members}
		}
		filled, _ := b.Fill(members).(map[string]any)
		if len(filled) > 0 || b.Required {
			p.body = filled
		}
	}
	return nil
}

// members are the arguments that go into an object or a form, by the vendor's names.
func (p *plan) members(b *catalog.Body) map[string]any {
	out := map[string]any{}
	known := map[string]bool{}
	for _, param := range p.action.Parameters {
		known[param.Argument] = true
	}
	for _, m := range b.Members {
		known[m.Argument] = true
		if value, given := p.args[m.Argument]; given {
			out[m.Name] = value
		}
	}
	if b.Open {
		for name, value := range p.args {
			if !known[name] {
				out[name] = value
			}
		}
	}
	return out
}

// bytes reads a binary argument: text, or base64 if its Encoding says so.
func (p *plan) bytes(name string) ([]byte, *catalog.Violation) {
	text, _ := p.args[name].(string)
	if p.args[name+"Encoding"] != "base64" {
		return []byte(text), nil
	}
	content, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, &catalog.Violation{Pointer: "/" + name, Message: "is not base64, which " + name + "Encoding says it is"}
	}
	return content, nil
}

func (p *plan) multipart(b *catalog.Body) []catalog.Violation {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	if err := w.SetBoundary("penstock-" + boundary(p.args)); err != nil {
		return []catalog.Violation{{Message: err.Error()}}
	}
	var files []catalog.Member
	for _, m := range b.Members {
		if m.Binary {
			files = append(files, m) // last: some servers stop reading fields at the file
			continue
		}
		if value, given := p.args[m.Argument]; given {
			if err := w.WriteField(m.Name, plain(value, catalog.Parameter{Between: ","})); err != nil {
				return []catalog.Violation{{Message: err.Error()}}
			}
		}
	}
	for _, m := range files {
		if _, given := p.args[m.Argument]; !given {
			continue
		}
		content, problem := p.bytes(m.Argument)
		if problem != nil {
			return []catalog.Violation{*problem}
		}
		name, _ := p.args[m.Argument+"Name"].(string)
		mediaType, _ := p.args[m.Argument+"ContentType"].(string)
		if mediaType == "" {
			mediaType = "application/octet-stream"
		}
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {multipart.FileContentDisposition(m.Name, name)},
			"Content-Type":        {mediaType},
		})
		if err == nil {
			_, err = part.Write(content)
		}
		if err != nil {
			return []catalog.Violation{{Message: err.Error()}}
		}
	}
	if err := w.Close(); err != nil {
		return []catalog.Violation{{Message: err.Error()}}
	}
	p.raw, p.mediaType = out.Bytes(), w.FormDataContentType()
	return nil
}

// nextPage takes the URL of the next page for the whole request, if one is given. It must be where the
// connector's endpoint is, since it is sent with credentials.
func (p *plan) nextPage() []catalog.Violation {
	text, given := p.args[catalog.NextPage].(string)
	if !given || p.action.Paging == nil || p.action.Paging.Style != "url" {
		return nil
	}
	u, err := p.base.Parse(text)
	if err != nil {
		return []catalog.Violation{{Pointer: "/" + catalog.NextPage, Message: "is not a URL"}}
	}
	if !sameOrigin(u, p.base) || u.User != nil {
		return []catalog.Violation{{Pointer: "/" + catalog.NextPage, Message: "is not at the connector's endpoint; give it as the previous answer named it"}}
	}
	if !p.continues(u) {
		return []catalog.Violation{{Pointer: "/" + catalog.NextPage, Message: "is not a page of this action; give it as the previous answer named it"}}
	}
	u.Fragment = ""
	if key := credentialOf(p.connector, p.catalogue, "").query; key != "" { // masked, or another's: it is added when the request is sent
		kept := slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(part string) bool {
			name, _, _ := strings.Cut(part, "=")
			name, err := url.QueryUnescape(name)
			return err == nil && name == key
		})
		u.RawQuery = strings.Join(kept, "&")
	}
	p.page = u
	return nil
}

// continues reports whether a URL can be a page of the action, so that a page cannot be used to read what other
// actions, which may not be enabled, would. Vendors write the ids before the last part in several ways.
func (p *plan) continues(u *url.URL) bool {
	last := func(path string) string {
		path, _, _ = strings.Cut(path[strings.LastIndex(path, "/")+1:], "(")
		return strings.ToLower(path)
	}
	if p.vendor.pageBelow {
		return strings.Contains(u.Path, p.action.Path[strings.LastIndex(p.action.Path, "/"):]+"/")
	}
	return last(u.Path) == last(p.action.Path)
}

// sameOrigin reports whether two URLs have scheme, host and port in common.
func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		switch {
		case u.Port() != "":
			return u.Port()
		case u.Scheme == "http":
			return "80"
		}
		return "443"
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// defaults sets the headers every request has.
func (p *plan) defaults() {
	if p.header.Get("Accept") == "" && p.catalogue.AWS == nil {
		if p.action.Answer == catalog.AnswerAny {
			p.header.Set("Accept", "application/json, */*;q=0.5")
		} else {
			p.header.Set("Accept", "application/json")
		}
	}
	if p.action.IdempotencyHeader != "" && p.call.IdempotencyKey != "" {
		p.header.Set(p.action.IdempotencyHeader, p.call.IdempotencyKey)
	}
	if p.header.Get("User-Agent") == "" {
		p.header.Set("User-Agent", p.engine.UserAgent)
	}
}
