package invoke

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// request is what is sent, as often as it takes.
type request struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
	read   bool     // sending it twice does no harm
	origin *url.URL // where credentials may go; nil for nowhere
}

// request makes the request of a plan, below base.
func (p *plan) request(base *url.URL) (*request, error) {
	u := p.page
	if u == nil {
		var err error
		if u, err = url.Parse(p.join(base)); err != nil {
			return nil, failure(InvalidArguments, err, "The arguments of %s make no URL.", p.action.ID)
		}
		if p.catalogue.AWS != nil { // signing sorts it
			slices.SortStableFunc(p.query, func(a, b pair) int { return strings.Compare(a.name, b.name) })
		}
		u.RawQuery = encode(p.query)
	} else if !sameOrigin(u, base) {
		// The vendor has told where the connector's calls go: its pages are there, too.
		u = &url.URL{Scheme: base.Scheme, Host: base.Host, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	}
	body, err := p.payload()
	if err != nil {
		return nil, failure(InvalidArguments, err, "The arguments of %s cannot be written as JSON.", p.action.ID)
	}
	header := p.header.Clone()
	if p.mediaType != "" && (body != nil || p.action.Body.Required) {
		header.Set("Content-Type", p.mediaType)
	}
	return &request{method: p.action.Method, url: u, header: header, body: body, read: !p.action.Write, origin: base}, nil
}

// join puts the path below base. What the end of base and the beginning of the path have in common is taken
// once: people give https://host/wiki as well as https://host.
func (p *plan) join(base *url.URL) string {
	prefix := strings.TrimRight(base.EscapedPath(), "/")
	path := p.path
	if p.connector.Type != catalog.GenericHTTP && len(p.connector.Document) == 0 {
		segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
		for n := len(segments); n > 0; n-- {
			if overlap := "/" + strings.Join(segments[:n], "/"); strings.HasSuffix(prefix, overlap) {
				path = path[len(overlap):]
				break
			}
		}
	}
	origin := url.URL{Scheme: base.Scheme, Host: base.Host}
	return origin.String() + prefix + path
}

// encode writes a query in the order given. Blanks are %20, which everyone reads and signatures want.
func encode(query []pair) string {
	var out strings.Builder
	for i, q := range query {
		if i > 0 {
			out.WriteByte('&')
		}
		out.WriteString(component(q.name))
		out.WriteByte('=')
		out.WriteString(component(q.value))
	}
	return out.String()
}

func component(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), "%24", "$")
}

// payload is the body as bytes, nil for none.
func (p *plan) payload() ([]byte, error) {
	if p.raw != nil || p.body == nil {
		return p.raw, nil
	}
	return marshal(p.body)
}

// marshal writes JSON without turning < and & into escapes, which is harmless and ugly.
func marshal(v any) ([]byte, error) {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(out.String(), "\n")), nil
}

// boundary separates the parts of a form. It is made of the content, so that a dry run and the call agree, and
// cannot be guessed by who writes one part only.
func boundary(args map[string]any) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(args)) {
		fmt.Fprintf(hash, "%q=%q\n", name, fmt.Sprint(args[name]))
	}
	return hex.EncodeToString(hash.Sum(nil)[:20])
}

// rendered shows a request with secrets masked.
func (p *plan) rendered(req *request) Rendered {
	header := req.header.Clone()
	shown := *req.url
	p.maskedCredentials(header, &shown)
	return Rendered{Method: req.method, URL: shown.String(), Header: header, Body: req.body, Write: p.action.Write, Notes: p.notes}
}

func (p *plan) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}
