// Package actions serves what AWS has no API for: calling the actions of connectors, signing in to them, approving
// calls and looking at what was called. It is JSON over HTTP below /_penstock/action-connectors and
// /_penstock/action-approvals, for requests that are authenticated already, and the page that browsers come back to
// from a sign-in, which is not.
//
// Handlers turn requests into the calls of the domain action and decide nothing else. Errors are JSON with a code, of
// which docs/reference/actions-api.md has the list; none has a status of 500 or above, but for our own defects.
package actions

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/wire"
)

// Paths that Handle serves begin with one of these.
const (
	ConnectorsPath = "/_penstock/action-connectors/"
	ApprovalsPath  = "/_penstock/action-approvals"
	CallsPath      = "/_penstock/action-calls"
)

// Front serves the paths. It is safe for concurrent use.
type Front struct{ actions *action.Service }

// New returns a Front over actions.
func New(actions *action.Service) *Front { return &Front{actions} }

// Serves reports whether a path is this front's.
func Serves(path string) bool {
	return strings.HasPrefix(path, ConnectorsPath) || path == ApprovalsPath || strings.HasPrefix(path, ApprovalsPath+"/") || path == CallsPath
}

// request is one request on its way.
type request struct {
	*http.Request
	caller identity.Caller
	body   []byte
}

// Handle answers a request that is authenticated.
func (f *Front) Handle(w http.ResponseWriter, r *http.Request, caller identity.Caller) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, r, action.Result{}, fault.New(fault.Invalid, subjectRequest, "the body cannot be read"))
		return
	}
	req := &request{r, caller, body}
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/_penstock/"), "/")
	for n := range parts { // an action's id may have a slash
		if parts[n], err = url.PathUnescape(parts[n]); err != nil {
			fail(w, r, action.Result{}, fault.New(fault.Invalid, subjectRequest, "the path cannot be read"))
			return
		}
	}
	answer, status, result, err := f.route(req, parts)
	switch {
	case err != nil:
		fail(w, r, result, err)
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		write(w, status, answer)
	}
}

// subjectRequest is the subject of faults about the request as such.
const subjectRequest = "request"

// route finds what a request asks for. The result says what is known of a call that failed.
func (f *Front) route(r *request, parts []string) (answer any, status int, result action.Result, err error) {
	status = http.StatusOK
	if parts[0] == "action-calls" {
		answer, err = f.records(r, "")
		return answer, status, result, err
	}
	if parts[0] == "action-approvals" {
		return f.approvals(r, parts[1:])
	}
	id, what := parts[1], ""
	if len(parts) > 2 {
		what = parts[2]
	}
	switch {
	case what == "actions" && len(parts) == 4 && r.Method == http.MethodPost:
		return f.call(r, id, parts[3])
	case what == "actions" && len(parts) == 4 && r.Method == http.MethodGet:
		answer, err = f.describe(r, id, parts[3])
	case what == "actions" && len(parts) == 3 && r.Method == http.MethodGet:
		answer, err = f.list(r, id)
	case what == "sign-in" && len(parts) == 3 && r.Method == http.MethodPost:
		answer, err = f.signIn(r, id)
	case what == "sign-in" && len(parts) == 3 && r.Method == http.MethodDelete:
		err = f.actions.SignOut(r.Context(), r.caller, r.caller.Account, id, r.URL.Query().Get("user"))
	case what == "grants" && len(parts) == 3 && r.Method == http.MethodGet:
		answer, err = f.grants(r, id)
	case what == "test" && len(parts) == 3 && r.Method == http.MethodPost:
		answer, err = f.test(r, id)
	case what == "calls" && len(parts) == 3 && r.Method == http.MethodGet:
		answer, err = f.records(r, id)
	case what == "document" && len(parts) == 3:
		return f.document(r, id)
	default:
		err = f.nothing(r, parts)
	}
	return answer, status, result, err
}

// nothing is the fault of a path or a method that is not served.
func (f *Front) nothing(r *request, parts []string) error {
	methods := map[string]string{"actions": "GET or POST", "sign-in": "POST or DELETE", "grants": "GET", "test": "POST", "calls": "GET", "document": "GET, PUT or DELETE"}
	if len(parts) > 2 {
		if allowed, ok := methods[parts[2]]; ok && len(parts) <= 4 {
			return fault.New(fault.Unsupported, subjectRequest, "the method %s is not for %s; use %s", r.Method, r.URL.Path, allowed)
		}
	}
	return fault.New(fault.NotFound, subjectRequest, "there is nothing at %s", r.URL.Path)
}

// read decodes the body, which may be empty, into v.
func (r *request) read(v any) error {
	if len(bytes.TrimSpace(r.body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fault.New(fault.Invalid, subjectRequest, "the body is not what this call takes: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, subjectRequest, "something follows the JSON object of the body")
	}
	return nil
}

// size is the query parameter of a page's size.
func (r *request) size() (*int, error) {
	text := r.URL.Query().Get("maxResults")
	if text == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, subjectRequest, "maxResults %.20q is no number", text)
	}
	return &n, nil
}

func write(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // an address is to be copied as it stands
	_ = e.Encode(answer)   // an error means the client is gone
}

// failure is the body of an error.
type failure struct {
	Code         string          `json:"code"`
	Message      string          `json:"message"`
	Retryable    bool            `json:"retryable"`
	RequestID    string          `json:"requestId"`
	CallID       string          `json:"callId,omitempty"`
	SignInURL    string          `json:"signInUrl,omitempty"`
	VendorStatus int             `json:"vendorStatus,omitempty"`
	VendorBody   json.RawMessage `json:"vendorBody,omitempty"`
	Unknown      bool            `json:"effectUnknown,omitempty"`
	Replayed     bool            `json:"replayed,omitempty"`
	RetryAfter   int             `json:"retryAfterSeconds,omitempty"`
	Violations   any             `json:"violations,omitempty"`
}

// detailed are the details an Invoker's errors may have.
type detailed interface {
	Details() (retryAfter time.Duration, violations any)
}

func fail(w http.ResponseWriter, r *http.Request, result action.Result, err error) {
	out := failure{
		Code: action.Code(err), Message: fault.Message(err), Retryable: fault.Retryable(err), RequestID: wire.RequestID(r.Context()), CallID: result.CallID,
		VendorStatus: result.Answer.Status, VendorBody: result.Answer.Body, Unknown: result.Answer.Unknown, Replayed: result.Replayed,
	}
	if fault.Is(err, fault.Unsupported, subjectRequest) || fault.Is(err, fault.NotFound, subjectRequest) {
		out.Code = "UnknownOperationException"
	}
	if out.Unknown {
		out.Retryable = false // by itself it might happen twice
	}
	var need *action.SignInError
	if errors.As(err, &need) {
		out.SignInURL = need.URL
	}
	var more detailed
	if errors.As(err, &more) {
		after, violations := more.Details()
		out.RetryAfter, out.Violations = int((after+time.Second-1)/time.Second), violations
		if out.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(out.RetryAfter))
		}
	}
	write(w, statusOf(err), out)
}

// statusOf is the HTTP status of an error. What the vendor has done, or not, is 424: neither the caller's fault nor
// ours.
func statusOf(err error) int {
	var need *action.SignInError
	if errors.As(err, &need) {
		return http.StatusForbidden
	}
	var f *fault.Error
	subject := ""
	if errors.As(err, &f) {
		subject = f.Subject
	}
	kind := fault.KindOf(err)
	switch {
	case kind == fault.Internal:
		return http.StatusInternalServerError
	case kind == fault.Throttled:
		return http.StatusTooManyRequests
	case subject == "vendor" || subject == action.SubjectToken || subject == action.SubjectAuth || kind == fault.Unavailable || kind == fault.Canceled:
		return http.StatusFailedDependency
	}
	switch kind {
	case fault.NotFound, fault.Expired:
		return http.StatusNotFound
	case fault.Denied:
		return http.StatusForbidden
	case fault.AlreadyExists, fault.Conflict, fault.State:
		return http.StatusConflict
	case fault.Unsupported:
		if subject == subjectRequest {
			return http.StatusMethodNotAllowed
		}
		return http.StatusBadRequest
	default:
		return http.StatusBadRequest
	}
}
