package invoke

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/fault"
)

// run is one call that is being made. It is used by one goroutine.
type run struct {
	engine   *Engine
	call     *Call
	plan     *plan
	timeout  time.Duration
	attempts int
	token    Token // of the OAuth kinds, once there is one
	renewed  bool
}

// perform makes the requests of a call, whichever the vendor needs.
func (r *run) perform(ctx context.Context) (*answer, error) {
	p := r.plan
	if _, err := r.secret(ctx); err != nil { // before anything else: who has not signed in learns so
		return nil, r.outOf(ctx, err)
	}
	base := p.base
	if p.vendor.instance && r.token.InstanceURL != "" {
		u, err := url.Parse(strings.TrimRight(r.token.InstanceURL, "/"))
		if err != nil || u.Host == "" {
			return nil, failure(UnexpectedAnswer, err, "%s named %q as the address of its instance, which is no URL.", who(p.connector), r.token.InstanceURL)
		}
		if u.Path == "" {
			u.Path = p.base.Path // the version, if the endpoint names one
		}
		base = u
	}
	if p.vendor.before != nil {
		if err := p.vendor.before(ctx, r, base); err != nil {
			return nil, err
		}
	}
	if p.vendor.perform != nil {
		if a, done, err := p.vendor.perform(ctx, r, base); done || err != nil {
			return a, err
		}
	}
	req, err := p.request(base)
	if err != nil {
		return nil, err
	}
	a, err := r.send(ctx, req)
	if err != nil {
		return nil, err
	}
	return a, r.accept(a)
}

// outOf replaces an error that only says that the context is done.
func (r *run) outOf(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return interrupted(ctx, who(&r.call.Connector), r.timeout)
	}
	return err
}

// send sends a request until there is an answer that repeating it would not better.
func (r *run) send(ctx context.Context, req *request) (*answer, error) {
	e := r.engine
	for retries := 0; ; {
		a, err := r.once(ctx, req)
		if err != nil {
			again := err.Reason == VendorUnreachable && (req.read || !err.Unknown)
			if !again || retries >= e.Retries || ctx.Err() != nil {
				return nil, err
			}
			retries++
			if !r.pause(ctx, r.backoff(retries)) {
				return nil, err
			}
			continue
		}
		if a.followed { // the write was taken; only what it led to can have failed
			return a, nil
		}
		if r.unauthorized(a) && !r.renewed && r.plan.connector.Auth.Tokens != nil && !r.token.Value.Empty() {
			r.renewed = true
			token, err := r.plan.connector.Auth.Tokens.Refresh(ctx, r.token)
			if err != nil {
				return nil, r.outOf(ctx, err)
			}
			r.token = token
			continue
		}
		delay, again := r.worthRepeating(req, a, retries)
		if !again || retries >= e.Retries || delay > e.MaxWait {
			return a, nil
		}
		retries++
		if !r.pause(ctx, delay) {
			return a, nil // its refusal says more than that time is over
		}
	}
}

// worthRepeating says whether a request may be answered better later, and when.
func (r *run) worthRepeating(req *request, a *answer, retries int) (time.Duration, bool) {
	after := retryAfter(a.header, r.engine.Now())
	switch a.status {
	case http.StatusTooManyRequests:
		// The vendor did not act, so writes may be repeated when it says when.
		if after > 0 {
			return after, true
		}
		return r.backoff(retries + 1), req.read
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return max(after, r.backoff(retries+1)), req.read
	}
	return 0, false
}

// backoff is how long to wait before the nth retry, with jitter.
func (r *run) backoff(n int) time.Duration {
	d := min(r.engine.Backoff<<(n-1), r.engine.MaxWait)
	return d/2 + rand.N(d/2+1)
}

// pause waits, unless the call would be over before.
func (r *run) pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	return r.engine.Wait(ctx, d) == nil
}

// retryAfter reads when a vendor asks to be called again, 0 if it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	var longest time.Duration // several limits may apply at once
	if text := h.Get("Retry-After"); text != "" {
		if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 && seconds < 1e6 {
			longest = max(time.Duration(seconds*float64(time.Second)), time.Millisecond)
		} else if at, err := http.ParseTime(text); err == nil {
			longest = max(at.Sub(now), time.Millisecond)
		}
	}
	if seconds, err := strconv.Atoi(h.Get("Ratelimit-Reset")); err == nil && seconds > 0 && seconds < 3600 {
		longest = max(longest, time.Duration(seconds)*time.Second)
	}
	return longest
}

// maxHops bounds redirects.
const maxHops = 5

// once sends a request, following redirects of reads, and from a write to what it made.
func (r *run) once(ctx context.Context, req *request) (*answer, *Error) {
	r.attempts++
	a, err := r.hop(ctx, req, req.method, req.url, req.body)
	if err != nil || req.read || a.status != http.StatusSeeOther || a.header.Get("Location") == "" {
		return a, err
	}
	// The write has been taken. Whatever happens on the way to its result, it must not be sent again.
	target, perr := req.url.Parse(a.header.Get("Location"))
	if perr != nil {
		err = failure(UnexpectedRedirect, perr, "%s redirects to an address that is no URL.", who(r.plan.connector))
	} else if a, err = r.hop(ctx, req, http.MethodGet, target, nil); err == nil {
		a.followed = true
		return a, nil
	}
	err.Unknown = true
	return nil, err
}

// hop sends a request and follows redirects, unless it is a write.
func (r *run) hop(ctx context.Context, req *request, method string, target *url.URL, body []byte) (*answer, *Error) {
	follow := req.read || method == http.MethodGet
	for hop := 0; ; hop++ {
		a, err := r.roundTrip(ctx, req, method, target, body)
		if err != nil {
			return nil, err
		}
		location := a.header.Get("Location")
		if a.status < 300 || a.status >= 400 || a.status == http.StatusNotModified || location == "" || !follow && a.status == http.StatusSeeOther {
			return a, nil
		}
		next, perr := target.Parse(location)
		if perr != nil {
			return nil, failure(UnexpectedRedirect, perr, "%s redirects to an address that is no URL.", who(r.plan.connector))
		}
		if !follow {
			e := failure(UnexpectedRedirect, nil, "%s redirects writes to %s. Nothing was sent there; correct the connector's base endpoint if that is where it is.", who(r.plan.connector), next.Host)
			if a.status != http.StatusTemporaryRedirect && a.status != http.StatusPermanentRedirect {
				e.Unknown = true // pages that take forms redirect so when they have acted
			}
			return nil, e
		}
		if hop >= maxHops {
			return nil, failure(UnexpectedRedirect, nil, "%s redirects more than %d times.", who(r.plan.connector), maxHops)
		}
		if a.status == http.StatusSeeOther {
			method, body = http.MethodGet, nil
		}
		next.Fragment = ""
		target = next
	}
}

// roundTrip sends one HTTP request and reads its answer.
func (r *run) roundTrip(ctx context.Context, req *request, method string, target *url.URL, body []byte) (*answer, *Error) {
	p := r.plan
	reached := false
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { reached = true }})
	out, err := http.NewRequestWithContext(traced, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, failure(InvalidArguments, err, "The arguments of %s make no request.", p.action.ID)
	}
	if body == nil {
		out.Body, out.GetBody, out.ContentLength = nil, nil, 0
		if method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
			out.Body = http.NoBody
		}
	}
	out.Header = req.header.Clone()
	if req.origin != nil && sameOrigin(target, req.origin) {
		if err := r.authorize(out, body); err != nil {
			var failed *Error
			if errors.As(err, &failed) {
				return nil, failed
			}
			return nil, failure(CredentialsRefused, err, "The request to %s could not be signed: %s", p.connector.ID, fault.Message(err))
		}
	} else {
		withoutCredentials(out.Header)
	}
	resp, err := r.engine.transport(p).RoundTrip(out)
	if err != nil {
		return nil, r.unreachable(ctx, req, err, reached)
	}
	defer resp.Body.Close()
	limit := r.engine.MaxRead
	text, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil && len(text) <= limit {
		e := r.unreachable(ctx, req, err, true)
		return nil, e
	}
	if len(text) > limit {
		e := failure(AnswerTooLarge, nil, "%s answered with more than %d bytes. Ask for fewer items or fields.", who(p.connector), limit)
		e.Status, e.Unknown = resp.StatusCode, !req.read
		return nil, e
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: text, write: !req.read}, nil
}

// withoutCredentials leaves only headers that say what is wanted: anything else may be a secret, also what a
// caller has set.
func withoutCredentials(h http.Header) {
	for name := range h {
		switch name {
		case "Accept", "Accept-Language", "Content-Type", "User-Agent", "Range", "If-None-Match", "If-Modified-Since":
		default:
			h.Del(name)
		}
	}
}

// authorize adds the credentials of the connector to a request for its endpoint.
func (r *run) authorize(out *http.Request, body []byte) error {
	p := r.plan
	if p.catalogue.AWS != nil {
		return r.engine.signer.sign(out.Context(), out, body, p.catalogue.AWS, p.connector.Auth.RoleARN)
	}
	secret, err := r.secret(out.Context())
	if err != nil {
		return err
	}
	credentialOf(p.connector, p.catalogue, secret).apply(out)
	return nil
}

// unreachable classifies an error of the transport. Its text may hold the URL, and with it a key, so it is not
// shown as it is.
func (r *run) unreachable(ctx context.Context, req *request, err error, reached bool) *Error {
	name := who(r.plan.connector)
	var refused *fault.Error
	var out *Error
	switch {
	case errors.As(err, &refused) && refused.Kind == fault.Denied:
		e := failure(AddressRefused, nil, "%s", refused.Message)
		return e
	case ctx.Err() != nil:
		out = interrupted(ctx, name, r.timeout)
	case reached:
		out = failure(VendorUnreachable, errors.New(r.hide(err.Error())), "%s broke the connection before it had answered.", name)
	default:
		out = failure(VendorUnreachable, errors.New(r.hide(err.Error())), "%s cannot be reached at %s: %s.", name, req.url.Host, r.cause(err))
	}
	out.Unknown = reached && !req.read
	return out
}

// cause is the innermost text of a network error: connection refused.
func (r *run) cause(err error) string {
	var name *net.DNSError
	if errors.As(err, &name) { // whose text also has the address of a server of ours
		return "the name cannot be resolved: " + name.Err
	}
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) {
		return "its certificate is of an authority that this server does not know; the setting action-ca-file, or ca-file of the VPC connection, names further ones"
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			break
		}
		err = inner
	}
	text := r.hide(err.Error())
	return strings.TrimRight(text[:min(len(text), 300)], ".")
}

// hide removes the connector's secrets from a text.
func (r *run) hide(text string) string {
	for _, s := range r.hidden() {
		if len(s) >= 4 { // shorter ones would tear words apart, and are no secrets
			text = strings.ReplaceAll(text, s, Mask)
		}
	}
	return text
}

// echoed is how long a secret is that is also removed from answers. A shorter one may be a word, which is none there.
const echoed = 16

// hideIn removes the connector's secrets from an answer: some vendors repeat the key in the address of the next page.
func (r *run) hideIn(answer []byte) []byte {
	for _, s := range r.hidden() {
		if len(s) >= echoed && bytes.Contains(answer, []byte(s)) && utf8.Valid(answer) {
			answer = bytes.ReplaceAll(answer, []byte(s), []byte(Mask))
		}
	}
	return answer
}

// hidden are the connector's secrets, in the forms in which they are sent.
func (r *run) hidden() []string {
	secret := ""
	auth := &r.plan.connector.Auth
	switch auth.Kind {
	case AuthBasic:
		secret = auth.Password.Reveal()
	case AuthAPIKey:
		secret = auth.Key.Reveal()
	case AuthClientCredentials, AuthAuthorizationCode:
		secret = r.token.Value.Reveal()
	}
	return credentialOf(r.plan.connector, r.plan.catalogue, secret).hidden
}

// transport is the way out of a call.
func (e *Engine) transport(p *plan) http.RoundTripper {
	if p.catalogue.AWS != nil && e.AWS.Transport != nil && e.signer.own(p.catalogue.AWS.Endpoint) {
		return e.AWS.Transport
	}
	if t := e.Egress[p.connector.Egress]; t != nil {
		return t
	}
	return missingEgress{p.connector.Egress}
}

// missingEgress refuses what would leave by a way that is not configured, rather than by another.
type missingEgress struct{ name string }

func (m missingEgress) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close() // a RoundTripper closes the body, whatever happens
	}
	return nil, fault.New(fault.Denied, "address", "The way out %q is not in this server's settings, so the call was not made. Add it to vpc-connections there, or take it from the connector.", m.name)
}
