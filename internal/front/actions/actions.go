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
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
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
	ConnectorsPath = "/_penstock/action-connectors"
	ApprovalsPath  = "/_penstock/action-approvals"
	CallsPath      = "/_penstock/action-calls"
)

// Front serves the paths. It is safe for concurrent use.
type Front struct{ actions *action.Service }

// New returns a Front over actions.
func New(actions *action.Service) *Front { return &Front{actions} }

// Serves reports whether a path is this front's.
func Serves(path string) bool {
	for _, ours := range []string{ConnectorsPath, ApprovalsPath, CallsPath} {
		if path == ours || strings.HasPrefix(path, ours+"/") {
			return true
		}
	}
	return false
}

// request is one request on its way.
type request struct {
	*http.Request
	caller identity.Caller
	body   []byte
	allow  string // the methods of a path that was called with another one
}

// Handle answers a request that is authenticated.
func (f *Front) Handle(w http.ResponseWriter, r *http.Request, caller identity.Caller) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, r, action.Result{}, fault.New(fault.Invalid, SubjectRequest, "the body cannot be read"))
		return
	}
	req := &request{Request: r, caller: caller, body: body}
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/_penstock/"), "/")
	for n := range parts {
		if parts[n], err = url.PathUnescape(parts[n]); err != nil {
			fail(w, r, action.Result{}, fault.New(fault.Invalid, SubjectRequest, "the path cannot be read"))
			return
		}
	}
	answer, status, result, err := f.route(req, parts)
	switch {
	case err != nil:
		if req.allow != "" {
			w.Header().Set("Allow", req.allow)
		}
		fail(w, r, result, err)
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		write(w, status, answer)
	}
}

// SubjectRequest is the subject of faults about the request as such. One of kind Unsupported is a method that its path
// is not for.
const SubjectRequest = "request"

// route finds what a request asks for. The result says what is known of a call that failed.
func (f *Front) route(r *request, parts []string) (answer any, status int, result action.Result, err error) {
	status = http.StatusOK
	if len(parts) > 4 && parts[2] == "actions" { // an action's id may have slashes, which not every signer can encode
		parts = append(parts[:3], strings.Join(parts[3:], "/"))
	}
	if allowed := methods(parts); !slices.Contains(allowed, r.Method) {
		return nil, 0, result, r.nothing(parts, allowed)
	}
	switch parts[0] {
	case "action-calls":
		answer, err = f.records(r, "")
		return answer, status, result, err
	case "action-approvals":
		return f.approvals(r, parts[1:])
	}
	id, what := parts[1], parts[2]
	switch what + " " + r.Method {
	case "actions POST":
		return f.call(r, id, parts[3])
	case "actions GET":
		if len(parts) == 4 {
			answer, err = f.describe(r, id, parts[3])
		} else {
			answer, err = f.list(r, id)
		}
	case "sign-in POST":
		answer, err = f.signIn(r, id)
	case "sign-in DELETE":
		err = f.signOut(r, id)
	case "grants GET":
		answer, err = f.grants(r, id)
	case "test POST":
		answer, err = f.test(r, id)
	case "calls GET":
		answer, err = f.records(r, id)
	default: // "document"
		return f.document(r, id)
	}
	return answer, status, result, err
}

// below are the paths of a connector, and what they are for.
func below(what string) []string {
	switch what {
	case "actions", "grants", "calls":
		return []string{http.MethodGet}
	case "test":
		return []string{http.MethodPost}
	case "sign-in":
		return []string{http.MethodPost, http.MethodDelete}
	case "document":
		return []string{http.MethodGet, http.MethodPut, http.MethodDelete}
	}
	return nil
}

// methods are those a path is for, none if there is nothing.
func methods(parts []string) []string {
	n := len(parts)
	switch {
	case parts[0] == "action-calls" && n == 1, parts[0] == "action-approvals" && n <= 2:
		return []string{http.MethodGet}
	case parts[0] == "action-approvals" && n == 3 && (parts[2] == "approve" || parts[2] == "reject"):
		return []string{http.MethodPost}
	case parts[0] == "action-connectors" && n == 3:
		return below(parts[2])
	case parts[0] == "action-connectors" && n == 4 && parts[2] == "actions":
		return []string{http.MethodGet, http.MethodPost}
	}
	return nil
}

// nothing is the fault of a path or a method that is not served.
func (r *request) nothing(parts, allowed []string) error {
	if len(allowed) > 0 {
		r.allow = strings.Join(allowed, ", ")
		return fault.New(fault.Unsupported, SubjectRequest, "the method %s is not for %s; use %s", r.Method, r.URL.Path, strings.Join(allowed, " or "))
	}
	instead := ""
	if parts[0] == "action-connectors" {
		instead = "; below " + ConnectorsPath + "/{id} there are actions, sign-in, grants, test, calls and document. Connectors themselves are listed and described with the API of QuickSight"
	}
	return fault.New(fault.NotFound, SubjectRequest, "there is nothing at %s%s", r.URL.Path, instead)
}

// read is Read of the body.
func (r *request) read(v any, hint string) error { return Read(r.body, v, hint) }

// Read decodes a body, which may be empty, into v. hint says where what does not belong there may have been meant to
// go.
func Read(body []byte, v any, hint string) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fault.New(fault.Invalid, SubjectRequest, "the body is not what this call takes: %s", problem(err, hint))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, SubjectRequest, "something follows the JSON object of the body")
	}
	return nil
}

// problem is what is wrong with JSON, without the names of our types.
func problem(err error, hint string) string {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &kind) && kind.Field == "":
		return "it is of the JSON type " + kind.Value + ", and has to be an object"
	case errors.As(err, &kind):
		return fmt.Sprintf("%s is of the JSON type %s, and has to be a %s", kind.Field, kind.Value, strings.Replace(kind.Type.Kind().String(), "bool", "boolean", 1))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "its JSON is not complete"
	case errors.As(err, &syntax):
		return "it is no JSON: " + syntax.Error()
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "there is no member " + name + "; " + hint
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// size is the query parameter of a page's size.
func (r *request) size() (*int, error) {
	text := r.URL.Query().Get("maxResults")
	if text == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, SubjectRequest, "maxResults %.20q is no number", text)
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

// Fail answers with an error that is about no call.
func Fail(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, action.Result{}, err) }

func fail(w http.ResponseWriter, r *http.Request, result action.Result, err error) {
	out := failure{
		Code: action.Code(err), Message: fault.Message(err), Retryable: fault.Retryable(err), RequestID: wire.RequestID(r.Context()), CallID: result.CallID,
		VendorStatus: result.Answer.Status, VendorBody: result.Answer.Body, Unknown: result.Answer.Unknown, Replayed: result.Replayed,
	}
	if fault.Is(err, fault.Unsupported, SubjectRequest) || fault.Is(err, fault.NotFound, SubjectRequest) {
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
	}
	if errors.Is(err, action.ErrUnderWay) {
		out.Retryable, out.RetryAfter = true, 1
	}
	if out.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(out.RetryAfter))
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
		if subject == SubjectRequest {
			return http.StatusMethodNotAllowed
		}
		return http.StatusBadRequest
	default:
		return http.StatusBadRequest
	}
}
