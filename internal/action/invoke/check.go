package invoke

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/action/catalog"
	"github.com/penstock-io/penstock/internal/fault"
)

// checkTime bounds a check whose context does not.
const checkTime = 10 * time.Second

// Checks reports whether a type has a cheap request that tries credentials of this kind. Microsoft Graph has
// none for applications: there the token that was given is the proof.
func (e *Engine) Checks(typ string, kind AuthKind) bool {
	if typ == TypeMCP {
		return e.Remote != nil
	}
	if kind == AuthNone {
		return false
	}
	known, err := e.Catalogues.Catalogue(typ)
	if err != nil || known.Check == nil && known.AWS == nil {
		return false
	}
	return !(kind == AuthClientCredentials && strings.HasPrefix(typ, "MICROSOFT_"))
}

// Check tries the credentials of a connector at its vendor. An error of kind Denied means that the vendor
// refuses them; any other means that nobody knows, also because the address may not be called. Without a cheap
// request there is nothing to try and no error. A remote MCP server is asked for its tools.
func (e *Engine) Check(ctx context.Context, c Connector) error {
	if !e.Checks(c.Type, c.Auth.Kind) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	err := e.check(ctx, c)
	var failed *Error
	if errors.As(err, &failed) && failed.Reason == AddressRefused {
		return fault.New(fault.Unavailable, SubjectVendor, "%s", fault.Message(err))
	}
	return err
}

func (e *Engine) check(ctx context.Context, c Connector) error {
	if c.Type == TypeMCP {
		_, err := e.freshTools(ctx, c)
		return err
	}
	known, err := e.Catalogues.Catalogue(c.Type)
	if err != nil {
		return err
	}
	check := known.Check
	if check == nil { // of AWS: the role is assumed, nothing is called
		provider, err := e.signer.provider(known.AWS.Endpoint, c.Auth.RoleARN)
		if err == nil {
			_, err = provider.Retrieve(ctx)
		}
		if err != nil {
			return unsigned(err, roleKind(err), c.Auth.RoleARN)
		}
		return nil
	}
	path := check.Path
	if check.PathWithKey != "" && c.Auth.Kind == AuthAPIKey {
		path = check.PathWithKey
	}
	action := &catalog.Action{ID: "the check of its credentials", Name: "check", Method: check.Method, Answer: catalog.AnswerAny}
	p := &plan{engine: e, call: &Call{Connector: c}, connector: &c, catalogue: known, action: action, vendor: vendorOf(c.Type), header: http.Header{}}
	if p.base, err = e.base(p); err != nil {
		return err
	}
	p.path = path
	if at := strings.IndexByte(path, '?'); at >= 0 {
		p.path = path[:at]
	}
	if c.Type == "PAGERDUTY_ADVANCE" {
		pagerdutyPrepare(p)
	}
	if c.Type == "SALESFORCE_CRM" {
		// The endpoint may end in the version; the check is beside it.
		p.base.Path = salesforceBase.ReplaceAllString(strings.TrimRight(p.base.Path, "/"), "")
	}
	p.defaults()
	return e.tryCredentials(ctx, p, path)
}

func (e *Engine) tryCredentials(ctx context.Context, p *plan, path string) error {
	r := &run{engine: e, call: p.call, plan: p, timeout: checkTime}
	if _, err := r.secret(ctx); err != nil {
		return err
	}
	base := p.base
	if u, err := url.Parse(r.token.InstanceURL); p.vendor.instance && err == nil && u.Host != "" {
		base = u
	}
	u, err := url.Parse(p.join(base))
	if err != nil {
		return failure(AddressRefused, err, "The base endpoint of connector %q makes no URL.", p.connector.ID)
	}
	if at := strings.IndexByte(path, '?'); at >= 0 {
		u.RawQuery = path[at+1:]
	}
	a, err := r.send(ctx, &request{method: p.action.Method, url: u, header: p.header, read: true, origin: base})
	if err != nil {
		return err
	}
	switch {
	case r.unauthorized(a), p.catalogue.AWS != nil && awsUnauthorized(a):
		return r.refused(r.hide(vendorMessage(a)))
	case a.status == http.StatusForbidden && p.catalogue.Check.Denied == "" && p.catalogue.AWS == nil:
		return r.refused(r.hide(vendorMessage(a)))
	case a.status == http.StatusForbidden: // the credentials are good for something else
		return fault.New(fault.Unavailable, SubjectVendor, "%s knows the credentials but does not let them make the request that tries them%s.", who(p.connector), colon(r.hide(vendorMessage(a))))
	case a.status < 200 || a.status > 299:
		return fault.New(fault.Unavailable, SubjectVendor, "%s answered the request that tries the credentials with status %d%s.", who(p.connector), a.status, colon(r.hide(vendorMessage(a))))
	case a.html():
		return r.unexpected(a)
	}
	if p.vendor.finish != nil && p.catalogue.AWS == nil {
		return p.vendor.finish(r, a)
	}
	return nil
}

// roleKind tells a role that may not be assumed from an STS that does not answer.
func roleKind(err error) fault.Kind {
	if strings.Contains(err.Error(), "AccessDenied") || strings.Contains(err.Error(), "InvalidClientTokenId") {
		return fault.Denied
	}
	return fault.Unavailable
}
