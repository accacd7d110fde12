package invoke

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// genericPrepare makes the request of a connector without a document: a path below the base endpoint, further
// headers and query, a JSON body.
func genericPrepare(p *plan) []catalog.Violation {
	if len(p.connector.Document) > 0 {
		return nil
	}
	path, query, _ := strings.Cut(p.text("uri"), "?")
	if strings.Contains(path, "://") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\#") || strings.ContainsAny(query, "#") {
		return violation("/uri", "must be a path below the connector's base endpoint: /orders/7")
	}
	u, err := url.Parse("/" + strings.TrimLeft(path, "/"))
	if err != nil {
		return violation("/uri", "is not a path that a URL can have")
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		part, _, _ = strings.Cut(part, ";") // which some servers cut off before they look
		if part == "." || part == ".." {
			return violation("/uri", "may not leave the base endpoint")
		}
	}
	p.path = u.EscapedPath()
	if query != "" {
		if _, err := url.ParseQuery(query); err != nil {
			return violation("/uri", "has a query that cannot be read")
		}
		for part := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(part, "=")
			n, errName := url.QueryUnescape(name)
			v, errValue := url.QueryUnescape(value)
			if errName == nil && errValue == nil {
				p.query = append(p.query, pair{n, v})
			}
		}
	}
	more, _ := p.args["query"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(more)) {
		p.query = append(p.query, spread(catalog.Parameter{Name: name, Explode: true, Between: ","}, more[name])...)
	}
	headers, _ := p.args["headers"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		value, _ := headers[name].(string)
		at := "/headers/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if own(name) {
			return violation(at, "is not the caller's to set")
		}
		if !token(name) || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return violation(at, "is not a header that can be sent")
		}
		p.header.Set(name, value)
	}
	return nil
}

// own are headers that belong to the connector and its connection.
func own(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Authorization", "Proxy-Authorization", "Cookie", "Host", "Content-Length", "Transfer-Encoding", "Connection", "Te",
		"Trailer", "Upgrade", "Expect", "Proxy-Connection", "Keep-Alive":
		return true
	}
	return false
}

// token reports whether a name is one that HTTP allows for headers.
func token(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", c))
	})
}

// formToken makes a write that the vendor may want a token against forged forms for, as SAP does: a write
// without one is declined with 403 and "Required"; then a token is fetched, with its cookies, and the write is
// made again. A write that was declined has not taken place.
func formToken(ctx context.Context, r *run, base *url.URL) (*answer, bool, error) {
	if !r.plan.action.Write {
		return nil, false, nil
	}
	req, err := r.plan.request(base)
	if err != nil {
		return nil, true, err
	}
	a, err := r.send(ctx, req)
	if err != nil {
		return nil, true, err
	}
	if a.status == http.StatusForbidden && strings.EqualFold(a.header.Get("X-Csrf-Token"), "Required") {
		fetch := *req
		fetch.method, fetch.body, fetch.read = http.MethodGet, nil, true
		fetch.header = http.Header{"X-Csrf-Token": {"Fetch"}, "Accept": {"application/json"}, "User-Agent": {r.engine.UserAgent}}
		given, err := r.send(ctx, &fetch)
		if err != nil {
			return nil, true, err
		}
		key := given.header.Get("X-Csrf-Token")
		if key == "" || strings.EqualFold(key, "Required") {
			return nil, true, failure(VendorDenied, nil, "%s wants a token against forged requests and does not give one (status %d).", who(r.plan.connector), given.status)
		}
		req.header.Set("X-Csrf-Token", key)
		var cookies []string
		for _, c := range (&http.Response{Header: given.header}).Cookies() {
			cookies = append(cookies, fmt.Sprintf("%s=%s", c.Name, c.Value))
		}
		if len(cookies) > 0 {
			req.header.Set("Cookie", strings.Join(cookies, "; "))
		}
		if a, err = r.send(ctx, req); err != nil {
			return nil, true, err
		}
	}
	return a, true, r.accept(a)
}
