package vendors

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sethvargo/go-retry"
	"golang.org/x/oauth2"

	"github.com/penstock-io/penstock/internal/fault"
)

const (
	requestTimeout = 2 * time.Minute  // of one request with its answer
	maxAnswer      = 256 << 20        // bytes of one answer
	attempts       = 8                // for one request, all trouble together
	firstPause     = time.Second      // after the first failure; it doubles
	longestPause   = time.Minute      // of our own choosing
	longestWait    = 15 * time.Minute // that Retry-After may ask for
)

// client talks to one vendor's instance.
type client struct {
	vendor  Vendor
	profile string
	base    *url.URL
	http    *http.Client
	auth    authenticator
	header  http.Header // sent with every request
	o       Options
	// refusal tells what kind of failure an answer with a status of 400 or more is, where the vendor's own codes
	// say more than the status. ok is false when they do not.
	refusal func(status int, body []byte) (kind fault.Kind, ok bool)
}

// answer is a response with its whole body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// get fetches a path with a query from the instance and decodes its JSON. What may pass is tried again.
func (c *client) get(ctx context.Context, path string, query url.Values, into any) (http.Header, error) {
	target := *c.base
	var err error
	if target.RawPath, err = url.JoinPath(c.base.EscapedPath(), path); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, SubjectRecords, "%q cannot be part of a request to %s", path, c.vendor.Name())
	}
	if target.Path, err = url.PathUnescape(target.RawPath); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, SubjectRecords, "%q cannot be part of a request to %s", path, c.vendor.Name())
	}
	target.RawQuery = query.Encode()
	pauses := retry.WithCappedDuration(longestPause, retry.WithJitterPercent(20, retry.NewExponential(firstPause)))
	renewed := false
	for attempt := 1; ; attempt++ {
		a, ticket, err := c.once(ctx, target.String())
		if err == nil && a.status == http.StatusUnauthorized && !renewed {
			renewed = true
			again, e := c.auth.renew(ctx, ticket)
			if e != nil {
				err = c.tokenFault(ctx, e)
			} else if again {
				attempt--
				continue
			}
		}
		if err == nil {
			err = c.check(a)
		}
		if err == nil {
			if e := json.Unmarshal(a.body, into); e != nil {
				err = fault.Wrap(e, fault.Unavailable, SubjectVendor, "%s answered with JSON that is malformed or cut short", c.where())
			}
		}
		if err == nil {
			return a.header, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !fault.Retryable(err) || attempt == attempts {
			return nil, err
		}
		pause, _ := pauses.Next()
		if asked := c.retryAfter(a.header); asked > longestWait {
			return nil, fault.Wrap(err, fault.Throttled, SubjectVendor, "%s asks to wait %s before the next request, longer than a run waits; run it again then, or run it less often", c.where(), asked.Round(time.Second))
		} else if asked > 0 {
			pause = asked
		}
		c.o.Log.Info("a request to a source system is tried again", "vendor", c.vendor, "profile", c.profile, "attempt", attempt, "pause", pause, "err", err)
		if err := c.o.Sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// once makes one request.
func (c *client) once(ctx context.Context, target string) (a answer, ticket string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return a, "", fault.Wrap(err, fault.Invalid, SubjectRecords, "the request to %s cannot be made", c.where())
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "penstock")
	if ticket, err = c.auth.sign(ctx, r); err != nil {
		return a, "", c.tokenFault(ctx, err)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return a, ticket, c.networkFault(ctx, err)
	}
	defer res.Body.Close()
	a.status, a.header = res.StatusCode, res.Header
	if a.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1)); err != nil {
		return a, ticket, c.networkFault(ctx, err)
	}
	if len(a.body) > maxAnswer {
		return a, ticket, fault.New(fault.Limit, SubjectVendor, "%s answered with more than %d MiB; set a smaller page_size", c.where(), maxAnswer>>20)
	}
	return a, ticket, nil
}

// where names the instance in messages.
func (c *client) where() string {
	return fmt.Sprintf("%s (profile %s, %s)", c.vendor.Name(), c.profile, c.base.Host)
}

// check turns an answer that is no result into a fault.
func (c *client) check(a answer) error {
	page := bytes.HasPrefix(bytes.TrimLeft(a.body, "\ufeff \t\r\n"), []byte("<"))
	if a.status == http.StatusOK {
		if page {
			return fault.New(fault.Unavailable, SubjectVendor, "%s answered with a web page instead of JSON; it may be asleep or under maintenance, or base_url may be wrong", c.where())
		}
		return nil
	}
	said := ""
	if !page {
		said = message(a.body)
	}
	kind, ok := fault.Internal, false
	if c.refusal != nil && a.status >= 400 {
		kind, ok = c.refusal(a.status, a.body)
	}
	if !ok {
		kind = kindOf(a.status)
	}
	switch {
	case a.status >= 300 && a.status < 400:
		host := "another place"
		if u, err := url.Parse(a.header.Get("Location")); err == nil && u.Host != "" {
			host = u.Host
		}
		return fault.New(fault.Invalid, SubjectVendor, "%s redirects to %s, where credentials are not sent; set base_url to the instance's own address", c.where(), host)
	case kind == fault.Denied:
		return fault.New(kind, SubjectVendor, "%s does not accept the credentials, or does not let them do this (status %d)%s; check the profile's auth and the user's rights", c.where(), a.status, said)
	case kind == fault.NotFound:
		return fault.New(kind, SubjectRecords, "%s does not know what was asked for (status %d)%s; check the object's name", c.where(), a.status, said)
	case kind == fault.Throttled:
		return fault.New(kind, SubjectVendor, "%s asks for fewer requests (status %d)%s", c.where(), a.status, said)
	case kind == fault.Unavailable:
		return fault.New(kind, SubjectVendor, "%s failed (status %d)%s", c.where(), a.status, said)
	}
	return fault.New(kind, SubjectRecords, "%s refused the request (status %d)%s", c.where(), a.status, said)
}

func kindOf(status int) fault.Kind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fault.Denied
	case status == http.StatusNotFound, status == http.StatusGone:
		return fault.NotFound
	case status == http.StatusTooManyRequests:
		return fault.Throttled
	case status == http.StatusRequestTimeout, status >= 500:
		return fault.Unavailable
	}
	return fault.Invalid
}

// message is what an error answer says, as ": text", at most 200 bytes of it. The vendors have several forms.
func message(body []byte) string {
	var text string
	var list []struct{ Message, ErrorCode string }
	var object struct {
		Error       json.RawMessage
		Description string
		Message     string
	}
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		text = list[0].Message
	} else if json.Unmarshal(body, &object) == nil {
		var nested struct{ Message, Detail, Title string }
		var plain string
		switch {
		case json.Unmarshal(object.Error, &nested) == nil && nested.Message+nested.Title != "":
			text = strings.TrimSpace(nested.Title + " " + nested.Message + " " + nested.Detail)
		case object.Description != "":
			text = object.Description
		case json.Unmarshal(object.Error, &plain) == nil && plain != "":
			text = plain
		default:
			text = object.Message
		}
	}
	if text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "); text == "" {
		return ""
	}
	return ": " + clip(text, 200)
}

// clip cuts a text at a character's boundary.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// retryAfter is how long an answer asks to wait: seconds or a date, 0 when it does not say.
func (c *client) retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if n, err := strconv.ParseFloat(v, 64); err == nil && n > 0 {
		return time.Duration(min(n, 1e6) * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(c.o.Now()), 0)
	}
	return 0
}

// networkFault is an answer that did not come, or did not come whole.
func (c *client) networkFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var certificate *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &certificate) || errors.As(err, &unknown) {
		return fault.Wrap(plain(err), fault.Invalid, SubjectVendor, "the certificate of %s is not trusted; set ca_file in the profile if its authority is your own", c.where())
	}
	return fault.Wrap(plain(err), fault.Unavailable, SubjectVendor, "%s cannot be reached%s", c.where(), reason(err))
}

// reason is what the network said, for a message that should name it.
func reason(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return ": no such host"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return ": the connection broke off"
	case errors.As(err, &timeout) && timeout.Timeout():
		return ": it does not answer in time"
	case errors.As(err, &op):
		return ": " + op.Err.Error()
	}
	return ""
}

// plain takes the URL out of an error of net/http: the query is long, and was never meant for a log.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// tokenFault is a token that could not be had. The error of package oauth2 holds the whole answer and is not
// passed on: some servers repeat in it what was sent.
func (c *client) tokenFault(ctx context.Context, err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return c.networkFault(ctx, err)
	}
	status := refused.Response.StatusCode
	switch kind := kindOf(status); {
	case kind == fault.Throttled || kind == fault.Unavailable:
		return fault.New(kind, SubjectVendor, "%s gives no access token at the moment (status %d)", c.where(), status)
	case status < 300:
		return fault.New(fault.Unavailable, SubjectVendor, "%s answered the request for an access token with something else; check token_url", c.where())
	}
	code := ""
	if refused.ErrorCode != "" {
		code = " " + clip(refused.ErrorCode, 60)
	}
	return fault.New(fault.Denied, SubjectVendor, "%s gives no access token (status %d%s); check client_id, client_secret and the grant the application allows", c.where(), status, code)
}
