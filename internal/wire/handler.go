package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/wire/sigv4"
)

// Keys finds access keys.
type Keys interface {
	// Key returns an access key. An unknown one is a fault.NotFound.
	Key(ctx context.Context, accessKeyID string) (Key, error)
}

// Key is what an access key stands for.
type Key struct {
	Secret       secret.Text
	SessionToken secret.Text // of temporary credentials: the token that must come with the key
	Caller       identity.Caller
}

// InternalFunc serves what lies below /_penstock/ apart from health and metrics. The request's
// signature has been verified and its body read.
type InternalFunc func(w http.ResponseWriter, r *http.Request, caller identity.Caller)

// Config is what a Handler is made of.
type Config struct {
	Services []*Service

	// S3 gets requests signed for s3, and unsigned ones that are no other service's, as they came: it
	// verifies signatures and streams bodies itself, and no limit here applies to it. Nil: refused.
	S3 http.Handler

	// Raw gets, by the service of the credential scope, requests for services that are elsewhere: as they
	// came, like S3's.
	Raw map[string]http.Handler

	Health   http.Handler // GET /_penstock/health, without authentication
	Metrics  http.Handler // GET /_penstock/metrics, without authentication
	Internal InternalFunc // the rest of /_penstock/, authenticated. Nil: refused

	// Public gets requests to these paths, such as /_penstock/oauth/callback, that are not signed, as they came:
	// what else authenticates them is their own business. "/x/" stands for everything below /x.
	Public map[string]http.Handler

	Keys    Keys
	Region  string // credential scopes must name it
	Limits  Limits
	Now     func() time.Time
	NewID   func() string // request ids; nil for random UUIDs
	Log     *slog.Logger
	Observe func(Record) // called once per request; nil for none
}

// Limits bound what one request may take. A zero value stands for the default.
type Limits struct {
	Body     int64         // bytes; default 16 MiB
	Header   int           // bytes; default 64 KiB
	Duration time.Duration // a handler's time; its context ends then. Default 60 s
	Reading  time.Duration // for the headers, and again for the body; default 20 s
	Idle     time.Duration // of a connection between requests; default 2 min
	Grace    time.Duration // for requests in flight when the server stops; default 15 s
}

func (l Limits) withDefaults() Limits {
	orElse := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	if l.Body == 0 {
		l.Body = 16 << 20
	}
	if l.Header == 0 {
		l.Header = 64 << 10
	}
	orElse(&l.Duration, time.Minute)
	orElse(&l.Reading, 20*time.Second)
	orElse(&l.Idle, 2*time.Minute)
	orElse(&l.Grace, 15*time.Second)
	return l
}

// Handler serves all APIs on one port. It is an http.Handler; Serve runs it on a listener.
type Handler struct {
	Config

	services map[string][]*service // by signing name
	unknown  map[Protocol]*service // stand in where a request names no service we have
	names    []string              // signing names, sorted
	verifier *sigv4.Verifier
	asSent   *sigv4.Verifier // of what is signed as it is on the wire
}

// penstockScope is the service that requests to /_penstock/ may be signed for, besides those of the APIs.
const penstockScope = "penstock"

// faultNamespace is the XML namespace of query errors that belong to no service.
const faultNamespace = "http://webservices.amazon.com/AWSFault/2005-15-09"

// New checks a configuration and returns its Handler. It starts nothing.
func New(c Config) (*Handler, error) {
	if c.Keys == nil || c.Region == "" || c.Now == nil || c.Log == nil {
		return nil, errors.New("wire: Keys, Region, Now and Log are required")
	}
	if c.NewID == nil {
		c.NewID = newID
	}
	if c.Observe == nil {
		c.Observe = func(Record) {}
	}
	c.Limits = c.Limits.withDefaults()
	h := &Handler{Config: c, services: map[string][]*service{}, unknown: map[Protocol]*service{}}
	for _, p := range []Protocol{AWSQuery, AWSJSON, RESTJSON} {
		h.unknown[p] = newService(&Service{Protocol: p, JSONVersion: "1.1", XMLNamespace: faultNamespace})
	}
	for _, s := range c.Services {
		same := h.services[s.SigningName]
		for _, other := range same {
			if s.Protocol != AWSJSON || other.Protocol != AWSJSON || s.TargetPrefix == other.TargetPrefix {
				return nil, fmt.Errorf("wire: services %s and %s cannot be told apart", s.Name, other.Name)
			}
		}
		if same == nil {
			h.names = append(h.names, s.SigningName)
		}
		h.services[s.SigningName] = append(same, newService(s))
	}
	slices.Sort(h.names)
	h.verifier, h.asSent = sigv4.NewVerifier(c.Region, sigv4.Rules{}, c.Now), sigv4.NewVerifier(c.Region, sigv4.Rules{AsSent: true}, c.Now)
	return h, nil
}

// public is the handler of a path in Public, or nil.
func (h *Handler) public(path string) http.Handler {
	if exact := h.Public[path]; exact != nil {
		return exact
	}
	if first, _, below := strings.Cut(strings.TrimPrefix(path, "/"), "/"); below {
		return h.Public["/"+first+"/"]
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == "/_penstock/health" && h.Health != nil:
		h.Health.ServeHTTP(w, r)
	case path == "/_penstock/metrics" && h.Metrics != nil:
		h.Metrics.ServeHTTP(w, r)
	case h.public(path) != nil && sigv4.Service(r) == "":
		h.raw("penstock", h.public(path), w, r)
	case strings.HasPrefix(path, "/_penstock/"):
		h.serve(w, r, h.internal)
	default:
		scope := sigv4.Service(r)
		if h.S3 != nil && (scope == "s3" || scope == "" && !isAPI(r)) {
			h.raw("s3", h.S3, w, r)
			return
		}
		if next := h.Raw[scope]; next != nil {
			h.raw(scope, next, w, r)
			return
		}
		h.serve(w, r, h.api)
	}
}

// serve answers one request with do, whatever happens in it.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, do func(*exchange)) {
	x := newExchange(h, w, r)
	defer x.release()
	h.contain(x, do)
	x.respond()
	x.finish(r.Context())
}

// contain runs do and turns a panic into an internal error.
func (h *Handler) contain(x *exchange, do func(*exchange)) {
	defer func() {
		p := recover()
		if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares the panic's value too
			panic(p)
		}
		if p != nil {
			x.fail(x.service.failure(fmt.Errorf("panic: %v", p), x.operationName()))
			x.stack = debug.Stack()
		}
	}()
	do(x)
}

// isAPI reports whether an unsigned request looks like one of the APIs' rather than S3's.
func isAPI(r *http.Request) bool {
	if r.Header.Get("X-Amz-Target") != "" {
		return true
	}
	kind := mediaType(r)
	return kind == formType || strings.HasPrefix(kind, "application/x-amz-json-") || hasAction(r.URL.RawQuery)
}

func hasAction(rawQuery string) bool {
	return strings.HasPrefix(rawQuery, "Action=") || strings.Contains(rawQuery, "&Action=")
}

// choose finds the service by the scope of the signature and then by X-Amz-Target. Requests for
// services we do not have get a stand-in that speaks the protocol they seem to be in, and false.
func (h *Handler) choose(r *http.Request, scope string) (*service, bool) {
	prefix, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if candidates := h.services[scope]; candidates != nil {
		for _, s := range candidates {
			if s.Protocol == AWSJSON && s.TargetPrefix == prefix {
				return s, true
			}
		}
		return candidates[0], true
	}
	if scope == "" { // unsigned: whose words to refuse it in
		for _, name := range h.names {
			for _, s := range h.services[name] {
				if prefix != "" && s.TargetPrefix == prefix {
					return s, false
				}
			}
		}
	}
	kind := mediaType(r)
	switch {
	case prefix != "" || strings.HasPrefix(kind, "application/x-amz-json-"):
		return h.unknown[AWSJSON], false
	case kind == formType || hasAction(r.URL.RawQuery):
		return h.unknown[AWSQuery], false
	}
	return h.unknown[RESTJSON], false
}

// api answers a request to one of the services.
func (h *Handler) api(x *exchange) {
	var known bool
	x.service, known = h.choose(x.r, sigv4.Service(x.r))
	caller, ok := h.authenticate(x)
	if !ok {
		return
	}
	if !known {
		x.fail(x.service.failed(condUnknownOperation, fmt.Sprintf("Penstock does not serve %q. It serves %s and s3.",
			shorten(sigv4.Service(x.r)), strings.Join(h.names, ", "))))
		return
	}
	var m message
	op, f := x.service.resolve(x.r, x.body, &m)
	x.operation = op
	if f != nil {
		x.fail(f)
		return
	}
	ctx, cancel := context.WithTimeout(withRequestID(x.r.Context(), x.id), h.Limits.Duration)
	defer cancel()
	x.out = x.service.begin(x.out, op)
	rep := reply{body: x.out}
	if err := op.invoke(ctx, caller, &m, &rep); err != nil {
		x.fail(x.service.failure(err, op.Name))
		return
	}
	x.out = x.service.end(rep.body, op, x.id)
	x.status = http.StatusOK
	if x.service.Protocol == RESTJSON {
		x.status = op.Status
		if rep.status >= 200 && rep.status <= 599 {
			x.status = rep.status
		}
	}
}

// internal answers a request below /_penstock/. Its errors are JSON.
func (h *Handler) internal(x *exchange) {
	caller, ok := h.authenticate(x)
	if !ok {
		return
	}
	scope := sigv4.Service(x.r)
	switch {
	case scope != penstockScope && scope != "s3" && h.services[scope] == nil:
		x.fail(x.service.failed(condWrongSignature, fmt.Sprintf("Credential should be scoped to correct service: '%s'.", penstockScope)))
	case h.Internal == nil:
		x.fail(x.service.failed(condUnknownOperation, "There is nothing at this path."))
	default:
		x.handOver(caller, h.Internal)
	}
}

// authenticate verifies who made the request and reads its body, since the signature covers it.
func (h *Handler) authenticate(x *exchange) (identity.Caller, bool) {
	refuse := func(c condition, message string) (identity.Caller, bool) {
		x.fail(x.service.failed(c, message))
		return identity.Caller{}, false
	}
	signature, err := sigv4.Parse(x.r)
	var bad *sigv4.Error
	if errors.As(err, &bad) {
		return refuse(signatureConditions[bad.Reason], bad.Message)
	}
	if signature.Service != sigv4.Service(x.r) { // what the service was chosen by is not what is signed
		return refuse(condIncompleteSignature, "The Authorization header names more than one credential scope.")
	}
	key, err := h.Keys.Key(x.r.Context(), signature.AccessKeyID)
	if fault.Is(err, fault.NotFound, "") {
		return refuse(condUnknownKey, "The security token included in the request is invalid.")
	}
	if err != nil {
		x.fail(x.service.failure(err, ""))
		return identity.Caller{}, false
	}
	x.keyID = signature.AccessKeyID
	if !sameToken(key.SessionToken, secret.NewText(signature.SessionToken)) {
		return refuse(condUnknownKey, "The security token included in the request is invalid.")
	}
	if f := x.readBody(h.Limits); f != nil {
		x.fail(f)
		return identity.Caller{}, false
	}
	err = h.verifier.Verify(x.r, signature, key.Secret.Reveal(), sigv4.HashPayload(x.body))
	if err != nil && strings.HasPrefix(x.r.URL.Path, "/_penstock/") && !signature.Presigned && h.asSent.Verify(x.r, signature, key.Secret.Reveal(), sigv4.HashPayload(x.body)) == nil {
		err = nil // people call these paths with curl
	}
	if errors.As(err, &bad) {
		return refuse(signatureConditions[bad.Reason], bad.Message)
	}
	return key.Caller, true
}
