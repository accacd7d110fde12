package invoke

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// answer is what a vendor answered.
type answer struct {
	status int
	header http.Header
	body   []byte
	isJSON bool
	write  bool // it answers a request that may have acted
	// followed: it is not the answer to a write but to the read that the write led to.
	followed bool
}

func (a *answer) mediaType() string {
	mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return mediaType
}

func (a *answer) html() bool {
	if mediaType := a.mediaType(); mediaType != "" {
		return mediaType == "text/html" || mediaType == "application/xhtml+xml"
	}
	start := bytes.ToLower(bytes.TrimSpace(a.body[:min(len(a.body), 512)]))
	return bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
}

// setJSON replaces the body by JSON that the code of the vendor has made of it.
func (a *answer) setJSON(v any) error {
	text, err := marshal(v)
	if err != nil {
		return err
	}
	a.body, a.isJSON = text, true
	a.header.Set("Content-Type", "application/json")
	return nil
}

// unauthorized reports whether the vendor refuses the credentials, rather than what they are used for.
func (r *run) unauthorized(a *answer) bool {
	return a.status == http.StatusUnauthorized || r.plan.vendor.unauthorized != nil && r.plan.vendor.unauthorized(a)
}

// accept turns an answer into an error, or leaves it fit for a result.
func (r *run) accept(a *answer) error {
	p := r.plan
	if r.unauthorized(a) || a.status >= 400 || a.status < 200 || a.status >= 300 && a.status != http.StatusNotModified {
		return r.refusal(a)
	}
	if p.vendor.finish != nil {
		if err := p.vendor.finish(r, a); err != nil {
			return err
		}
	}
	if a.isJSON {
		return nil
	}
	trimmed := bytes.TrimSpace(a.body)
	if len(trimmed) == 0 {
		a.body = nil
		return nil
	}
	switch p.action.Answer {
	case catalog.AnswerAny:
		a.isJSON = isJSON(a.mediaType()) && json.Valid(trimmed)
		return nil
	case catalog.AnswerEmpty:
		if a.isJSON = json.Valid(trimmed); a.isJSON || !a.html() {
			return nil
		}
	default:
		if a.isJSON = json.Valid(trimmed); a.isJSON {
			return nil
		}
	}
	return r.unexpected(a)
}

func isJSON(mediaType string) bool {
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json") || strings.HasPrefix(mediaType, "application/x-amz-json")
}

func (r *run) unexpected(a *answer) error {
	what, title := "something that is not JSON", ""
	switch {
	case a.html():
		what, title = "an HTML page", titled(a.body)
	case a.mediaType() != "":
		what = a.mediaType() + " that is not JSON"
	}
	const said = "%s answered with %s%s instead of JSON. Check that the connector's base endpoint is that of the vendor's API, not of its pages."
	e := failure(UnexpectedAnswer, nil, said, who(r.plan.connector), what, title)
	e.plain = fmt.Sprintf(said, who(r.plan.connector), what, "")
	e.Status = a.status
	e.Unknown = a.write
	return e
}

var titlePattern = regexp.MustCompile(`(?is)<title[^>]*>(.{0,200}?)</title>`)

func titled(page []byte) string {
	m := titlePattern.FindSubmatch(page[:min(len(page), 64<<10)])
	if m == nil {
		return ""
	}
	if title := strings.Join(strings.Fields(html.UnescapeString(string(m[1]))), " "); title != "" {
		return " titled " + strconv.Quote(title)
	}
	return ""
}

// refusal is the error of an answer that is none of success.
func (r *run) refusal(a *answer) error {
	said := r.hide(vendorMessage(a))
	name := who(r.plan.connector)
	var e *Error
	switch {
	case r.unauthorized(a):
		e = r.refused(said)
	case a.status == http.StatusForbidden || a.status == http.StatusPaymentRequired || a.status == http.StatusProxyAuthRequired:
		e = quoting(VendorDenied, said, "%s does not allow this", name)
	case a.status == http.StatusNotFound || a.status == http.StatusGone:
		e = quoting(VendorNotFound, said, "%s does not know what was asked for", name)
	case a.status == http.StatusConflict || a.status == http.StatusPreconditionFailed:
		e = quoting(VendorConflict, said, "%s says that this conflicts with what is there", name)
	case a.status == http.StatusTooManyRequests:
		e = quoting(VendorThrottled, said, "%s asks for fewer calls", name)
	case a.status >= 500:
		e = quoting(VendorFailed, said, "%s failed with status %d", name, a.status)
		e.Unknown = a.write
	case a.status >= 300 && a.status < 400:
		e = failure(UnexpectedRedirect, nil, "%s answered with the redirect %d that leads nowhere.", name, a.status)
	default:
		e = quoting(VendorInvalid, said, "%s does not accept this (status %d)", name, a.status)
	}
	e.Status, e.Vendor, e.RetryAfter = a.status, said, retryAfter(a.header, r.engine.Now())
	e.Unknown = e.Unknown || a.followed
	return e
}

func colon(said string) string {
	if said == "" {
		return ""
	}
	return ": " + strings.TrimRight(said, ". ")
}

// refused is the error of credentials that a vendor does not take.
func (r *run) refused(said string) *Error {
	e := quoting(CredentialsRefused, said, "%s refuses the credentials", who(r.plan.connector))
	remedy := " " + r.remedy()
	e.fault.Message, e.plain = e.fault.Message+remedy, e.plain+remedy
	return e
}

// remedy says what to do about refused credentials.
func (r *run) remedy() string {
	switch r.plan.connector.Auth.Kind {
	case AuthAuthorizationCode:
		return "Sign in again."
	case AuthNone:
		return "The connector has none; update it with another AuthenticationType."
	case AuthIAM:
		return "Check the connector's role and the server's own credentials."
	}
	return "Update the connector with credentials that are valid."
}

// maxSaid is how much of a vendor's message is kept.
const maxSaid = 1000

// vendorMessage finds what a vendor says of an error, in the many places they say it.
func vendorMessage(a *answer) string {
	body := bytes.TrimSpace(a.body)
	said := ""
	var v any
	switch {
	case len(body) == 0:
	case json.Unmarshal(body, &v) == nil:
		said = strings.Join(sayings(v, 0), "; ")
	case a.html():
		said = "an HTML page" + titled(body)
	case bytes.HasPrefix(body, []byte("<")):
		said = xmlMessage(body)
	case strings.HasPrefix(a.mediaType(), "text/"), a.mediaType() == "":
		said = string(body[:min(len(body), 4*maxSaid)])
	}
	said = strings.Join(strings.Fields(strings.ToValidUTF8(said, "")), " ")
	if len(said) > maxSaid {
		said = strings.ToValidUTF8(said[:maxSaid], "") + "…"
	}
	return said
}

// sayings collects the messages of a JSON error.
func sayings(v any, depth int) []string {
	if depth > 4 {
		return nil
	}
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, item := range v[:min(len(v), 5)] {
			out = append(out, sayings(item, depth+1)...)
		}
		return out
	case map[string]any:
		var out []string
		for _, name := range []string{"code", "errorCode", "error", "error_description", "title", "message", "Message", "errorMessage", "errorMessages", "value",
			"description", "detail", "details", "needed", "errors", "innererror"} {
			inner, ok := v[name]
			if !ok {
				continue
			}
			if fields, isMap := inner.(map[string]any); isMap && name == "errors" {
				for field, problem := range fields { // {"summary": "is required"}
					for _, s := range sayings(problem, depth+1) {
						out = append(out, field+": "+s)
					}
				}
				continue
			}
			if n, isNumber := inner.(float64); isNumber && depth > 0 {
				out = append(out, strconv.FormatFloat(n, 'g', -1, 64))
				continue
			}
			for _, s := range sayings(inner, depth+1) {
				if s != "" && !containsString(out, s) {
					out = append(out, s)
				}
			}
		}
		return out
	}
	return nil
}

func containsString(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

// result makes a Result of an accepted answer, reading the cursor before the body is cut.
func (r *run) result(a *answer) Result {
	p := r.plan
	a.body = r.hideIn(a.body)
	out := Result{Status: a.status, ContentType: a.header.Get("Content-Type"), JSON: a.isJSON, Body: a.body, Location: r.hide(a.header.Get("Location"))}
	if a.isJSON && p.action.Paging != nil {
		out.Next = p.next(a.body)
	}
	limit := r.engine.MaxAnswer
	if r.call.MaxAnswer > 0 {
		limit = min(limit, r.call.MaxAnswer)
	}
	if len(a.body) > limit {
		out.Truncated = &Truncation{Bytes: len(a.body)}
		if a.isJSON {
			out.Body, out.Truncated.Kept, out.Truncated.Items = shrink(a.body, limit)
		} else {
			out.Body = a.body[:limit]
			if utf8.Valid(a.body) { // text stays text
				out.Body = bytes.ToValidUTF8(out.Body, nil)
			}
		}
	}
	return out
}
