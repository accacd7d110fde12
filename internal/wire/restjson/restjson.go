// Package restjson reads requests of AWS's REST-JSON protocol: which operation a method and path stand
// for, and the members that travel in the path and the query. Bodies are awsjson's.
package restjson

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/wire/awsjson"
	"github.com/penstock-io/penstock/internal/wire/input"
)

// Router finds the operation of a request. The zero value has no routes.
type Router struct{ routes []route }

type route struct {
	method   string
	segments []segment
	index    int
}

type segment struct {
	text  string // a literal, or the name of a label
	label bool
}

// Add adds a route for a URI of the model, such as /tags/{resourceArn}. index is what Find returns.
func (r *Router) Add(method, uri string, index int) {
	var segments []segment
	for part := range strings.SplitSeq(strings.TrimPrefix(uri, "/"), "/") {
		name, ok := strings.CutPrefix(part, "{")
		segments = append(segments, segment{strings.TrimSuffix(name, "}"), ok})
	}
	r.routes = append(r.routes, route{method, segments, index})
}

// Match is what Find found.
type Match struct {
	Index   int      // of the route's Add; -1 when no route has the path and method
	Labels  []string // names and values in turn
	Allowed []string // when there is no match: methods that routes with this path have
}

// Find looks a request up by its method and its path as sent, still escaped.
func (r *Router) Find(method, escapedPath string) Match {
	parts := strings.Split(strings.TrimPrefix(escapedPath, "/"), "/")
	none := Match{Index: -1}
	for _, rt := range r.routes {
		labels, ok := rt.match(parts)
		if !ok {
			continue
		}
		if rt.method == method {
			return Match{Index: rt.index, Labels: labels}
		}
		if !slices.Contains(none.Allowed, rt.method) {
			none.Allowed = append(none.Allowed, rt.method)
		}
	}
	return none
}

func (rt *route) match(parts []string) ([]string, bool) {
	if len(parts) != len(rt.segments) {
		return nil, false
	}
	var labels []string
	for i, s := range rt.segments {
		if !s.label {
			if parts[i] != s.text {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(parts[i])
		if err != nil || value == "" {
			return nil, false
		}
		labels = append(labels, s.text, value)
	}
	return labels, true
}

// Request gives the generated decoders the parts of a request. It keeps the first error.
type Request struct {
	labels []string
	query  []param
	body   []byte
	err    *input.Error
}

type param struct {
	key, value string
	used       bool
}

// Parse prepares a matched request for decoding. rawQuery is the query as sent; parameters of a
// signature in it are left out.
func Parse(m Match, rawQuery string, body []byte) (*Request, *input.Error) {
	r := &Request{labels: m.Labels, body: body}
	for i := 1; i < len(m.Labels); i += 2 {
		if !utf8.ValidString(m.Labels[i]) {
			return nil, input.Errorf(input.Unreadable, "The path holds text that is not UTF-8.")
		}
	}
	for rawQuery != "" {
		var item string
		item, rawQuery, _ = strings.Cut(rawQuery, "&")
		if item == "" {
			continue
		}
		k, v, _ := strings.Cut(item, "=")
		key, kerr := url.QueryUnescape(k)
		value, verr := url.QueryUnescape(v)
		if kerr != nil || verr != nil || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, input.Errorf(input.Unreadable, "The query parameter %q is not percent-encoded UTF-8.", input.Echo(item))
		}
		if len(key) > 6 && strings.EqualFold(key[:6], "X-Amz-") {
			continue
		}
		r.query = append(r.query, param{key: key, value: value})
	}
	return r, nil
}

// Finish refuses query parameters that no decoder asked for and returns the first error.
func (r *Request) Finish() *input.Error {
	for _, p := range r.query {
		if !p.used {
			r.fail(input.Unknown, "Unknown query parameter: %s is not a parameter of this operation.", input.Echo(p.key))
		}
	}
	return r.err
}

func (r *Request) fail(p input.Problem, format string, args ...any) {
	if r.err == nil {
		r.err = input.Errorf(p, format, args...)
	}
}

// Body decodes the body's members.
func Body[T any](r *Request, decode func(*awsjson.Decoder) T) T {
	v, err := awsjson.Decode(r.body, decode)
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}

// Label returns the value of a label.
func (r *Request) Label(name string) *string {
	for i := 0; i < len(r.labels); i += 2 {
		if r.labels[i] == name {
			return &r.labels[i+1]
		}
	}
	return nil
}

// QueryString returns a query parameter; nil when it is absent.
func (r *Request) QueryString(name string) *string {
	var found *string
	for i := range r.query {
		p := &r.query[i]
		if p.key != name {
			continue
		}
		if found != nil {
			r.fail(input.Mistyped, "The query parameter %s is given more than once.", name)
		}
		p.used, found = true, &p.value
	}
	return found
}

// QueryInt32 returns a query parameter that is a whole number; nil when it is absent.
func (r *Request) QueryInt32(name string) *int32 {
	s := r.QueryString(name)
	if s == nil {
		return nil
	}
	n, err := strconv.ParseInt(*s, 10, 32)
	if err != nil {
		r.fail(input.Mistyped, "The query parameter %s must be a whole number of 32 bits, found %q.", name, input.Echo(*s))
	}
	v := int32(n)
	return &v
}

// QueryStrings returns all values of a query parameter that may be repeated; nil when it is absent.
func (r *Request) QueryStrings(name string) []string {
	var all []string
	for i := range r.query {
		if p := &r.query[i]; p.key == name {
			p.used = true
			all = append(all, p.value)
		}
	}
	return all
}
