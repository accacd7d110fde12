package action

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
)

const (
	maxArguments = 1 << 20 // bytes
	maxKey       = 255     // characters of an idempotency key
	claimTime    = 24 * time.Hour
	approvalTime = 24 * time.Hour
)

// Call is one call of an action.
type Call struct {
	ConnectorID    string
	ActionID       string
	User           string // end user's ARN; empty for the caller
	Arguments      json.RawMessage
	IdempotencyKey string
	DryRun         bool
	RequestID      string
}

// Result is what came of a call.
type Result struct {
	CallID     string
	Outcome    Outcome
	Identity   Identity
	User       string
	Answer     Answer
	Request    *Request // of a dry run and of a call that waits for an approval
	ApprovalID string
	Replayed   bool // the result is that of an earlier call with the same key
}

// call is a Call on its way.
type call struct {
	*Service
	connector Connector
	target    Target
	prepared  Prepared
	raw       json.RawMessage // the arguments in their canonical form
	record    Record
	claim     *Claim
	began     time.Time
}

// Call makes a call, unless it is a dry run or has to be approved first. With an error the Result holds what the
// vendor has said, if anything.
func (s *Service) Call(ctx context.Context, caller identity.Caller, account string, in Call) (Result, error) {
	c, err := s.prepare(ctx, caller, account, in)
	if err != nil {
		return s.refuse(c, err)
	}
	if in.DryRun {
		request, err := c.prepared.Request(ctx)
		if err != nil {
			return s.refuse(c, err)
		}
		c.record.Outcome = OutcomeDryRun
		c.note()
		return c.result(func(r *Result) { r.Request = &request }), nil
	}
	wait := c.prepared.Action.Write && s.approves(&c.connector)
	credentials := c.target.Credentials
	if !wait {
		// Whoever must sign in first has not used up the key.
		if _, err := credentials.Authorization(ctx); err != nil {
			return s.refuse(c, err)
		}
	}
	if in.IdempotencyKey != "" || c.prepared.Action.Write {
		earlier, begun, err := s.Calls.CallBegin(ctx, c.claim, c.record)
		if err != nil {
			return s.refuse(c, err)
		}
		if !begun {
			return c.replay(ctx, earlier)
		}
	}
	if wait {
		return c.hold(ctx)
	}
	return c.send(ctx, credentials)
}

// prepare does everything that has no effect. The call is returned with an error too, for its record; it is nil when
// not even the connector is known.
func (s *Service) prepare(ctx context.Context, caller identity.Caller, account string, in Call) (*call, error) {
	c := &call{Service: s, began: s.Now()}
	c.record = Record{
		ID: s.NewID(), Time: c.began, RequestID: in.RequestID, Caller: caller.ARN, User: in.User, ConnectorID: in.ConnectorID, ActionID: in.ActionID,
		Outcome: OutcomeStarted,
	}
	if c.record.User == "" {
		c.record.User = caller.ARN
	}
	known, err := s.callee(ctx, caller, account, in.ConnectorID)
	if err != nil {
		return c, err
	}
	c.connector = known.connector
	c.record.Type, c.record.Identity = c.connector.Type, c.connector.Identity()
	if _, err = s.mayUse(caller, &c.connector, in.User); err != nil {
		return c, err
	}
	arguments, err := canonical(in.Arguments)
	if err != nil {
		return c, err
	}
	c.raw = arguments.text
	c.record.Arguments, c.record.Digest = arguments.names, digest(string(arguments.text))
	c.target = s.target(&c.connector, known.document, c.record.User)
	if err := c.allowed(ctx, in.ActionID); err != nil {
		return c, err
	}
	if c.prepared, err = s.Invoker.Prepare(ctx, c.target, in.ActionID, arguments.text); err != nil {
		return c, err
	}
	c.record.Write, c.prepared.Key = c.prepared.Action.Write, c.record.ID
	if in.IdempotencyKey != "" {
		c.prepared.Key = in.IdempotencyKey
	}
	if c.record.Write && c.connector.ReadOnly() {
		return c, fault.New(fault.Denied, SubjectAction, "the action %q writes, and the tag %s makes the action connector %q read-only", in.ActionID, TagReadOnly, c.connector.ID)
	}
	if in.IdempotencyKey == "" {
		return c, nil
	}
	if len(in.IdempotencyKey) > maxKey {
		return c, fault.New(fault.Invalid, SubjectClaim, "the idempotency key is longer than %d bytes", maxKey)
	}
	if strings.ContainsFunc(in.IdempotencyKey, unicode.IsControl) { // vendors get it in a header
		return c, fault.New(fault.Invalid, SubjectClaim, "the idempotency key has control characters, such as the end of a line; use letters, digits and -")
	}
	c.claim = &Claim{
		Scope: c.connector.ID + " " + c.record.User, Key: in.IdempotencyKey, Digest: digest(in.ActionID, string(arguments.text)),
		State: ClaimRunning, CallID: c.record.ID, Created: c.began, Expires: c.began.Add(claimTime),
	}
	return c, nil
}

// allowed refuses calls of connectors that do not work and of actions that are not enabled.
func (c *call) allowed(ctx context.Context, actionID string) error {
	if c.connector.Status.Failed() {
		return fault.New(fault.State, SubjectConnector, "the action connector %q is %s: %s", c.connector.ID, c.connector.Status, c.connector.Error)
	}
	if c.connector.Enabled(actionID) {
		return nil
	}
	all, err := c.Invoker.Actions(ctx, c.target)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(a Action) bool { return a.ID == actionID }) {
		return fault.New(fault.NotFound, SubjectAction, "the action connector %q has no action %q", c.connector.ID, actionID)
	}
	return fault.New(fault.Denied, SubjectAction, "the action %q is not among the EnabledActions of the action connector %q; UpdateActionConnector changes them", actionID, c.connector.ID)
}

// target is c as an Invoker sees it.
func (s *Service) target(c *Connector, d Document, user string) Target {
	return Target{Connector: c, User: user, Credentials: &Credentials{service: s, connector: *c, user: user}, Document: d.Content, Changed: d.Updated}
}

// approves reports whether calls of c that write wait for an approval.
func (s *Service) approves(c *Connector) bool {
	switch c.Tags[TagApproval] {
	case "writes":
		return true
	case "none":
		return false
	default:
		return s.ApproveWrites
	}
}

// arguments are those of a call in one form, however they were written.
type arguments struct {
	text  json.RawMessage
	names []string
}

func canonical(raw json.RawMessage) (arguments, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = json.RawMessage("{}")
	}
	if len(raw) > maxArguments {
		return arguments{}, fault.New(fault.Invalid, SubjectArguments, "the arguments are %d bytes; at most %d are allowed", len(raw), maxArguments)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || object == nil {
		return arguments{}, fault.New(fault.Invalid, SubjectArguments, "the arguments are not a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return arguments{}, fault.New(fault.Invalid, SubjectArguments, "something follows the JSON object of the arguments")
	}
	text, err := json.Marshal(object) // members in order
	return arguments{text, slices.Sorted(maps.Keys(object))}, err
}

// send makes the call and stores what came of it before anybody is told.
func (c *call) send(ctx context.Context, credentials *Credentials) (Result, error) {
	answer, err := c.Invoker.Send(ctx, c.target, c.prepared, credentials)
	c.ended(answer, err)
	result := c.result(func(r *Result) { r.Answer = answer })
	if c.claim == nil {
		c.note()
		return result, err
	}
	// What the vendor has done is done, whoever still waits for it.
	ctx = context.WithoutCancel(ctx)
	var stored error
	switch {
	case err != nil && (!c.record.Write || untouched(answer, err)):
		stored = c.Calls.CallCancel(ctx, c.claim, c.record)
	case err != nil && answer.Unknown:
		c.claim.State = ClaimInterrupted
		stored = c.Calls.CallEnd(ctx, c.claim, c.record)
	default:
		c.claim.State, c.claim.Result = ClaimDone, c.seal(result, err)
		stored = c.Calls.CallEnd(ctx, c.claim, c.record)
	}
	if stored != nil {
		c.Log.Error("cannot store the result of a call; its idempotency key stays in use", "connector", c.connector.ID, "call", c.record.ID, "error", stored)
	}
	return result, err
}

// untouched reports whether a call that failed surely had no effect and may fare better when it is made again.
func untouched(answer Answer, err error) bool {
	if answer.Unknown {
		return false
	}
	var need *SignInError
	return errors.As(err, &need) || answer.Status == 0 || answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusUnauthorized
}

// ended writes how a call went to its record.
func (c *call) ended(answer Answer, err error) {
	c.record.Outcome, c.record.Duration = OutcomeSuccess, c.Now().Sub(c.began)
	c.record.Status, c.record.Attempts = answer.Status, answer.Attempts
	if err != nil {
		c.record.Outcome, c.record.Code, c.record.Message = OutcomeFailed, Code(err), recorded(err)
	}
	c.Observe(c.record)
}

// recorded is the message of an error as it may stand in a record: a sign-in's address is a key to it, and what an
// Invoker says of arguments may repeat them, so that its errors have a message for records.
func recorded(err error) string {
	var need *SignInError
	if errors.As(err, &need) {
		return "a sign-in is needed"
	}
	var said interface{ Recorded() string }
	if errors.As(err, &said) {
		return said.Recorded()
	}
	return fault.Message(err)
}

func (c *call) result(more func(*Result)) Result {
	r := Result{CallID: c.record.ID, Outcome: c.record.Outcome, Identity: c.record.Identity, User: c.record.User, ApprovalID: c.record.ApprovalID}
	if more != nil {
		more(&r)
	}
	return r
}

// refuse records a call that was not made.
func (s *Service) refuse(c *call, err error) (Result, error) {
	c.ended(Answer{}, err)
	c.note()
	return c.result(nil), err
}

// stored is the form in which a result is sealed. Its fields are the stored form: they may be added to, not renamed.
type stored struct {
	CallID     string   `json:"call"`
	Outcome    Outcome  `json:"outcome"`
	Identity   Identity `json:"identity"`
	User       string   `json:"user"`
	Answer     Answer   `json:"answer"`
	Request    *Request `json:"request,omitempty"`
	ApprovalID string   `json:"approval,omitempty"`
	Kind       string   `json:"kind,omitempty"` // of an error
	Subject    string   `json:"subject,omitempty"`
	Code       string   `json:"code,omitempty"`
	Message    string   `json:"message,omitempty"`
}

// replayedError is an error of an earlier call, told again.
type replayedError struct{ code string }

func (f *replayedError) Error() string { return "as the first call with this key" }

// Code is what the error was told under.
func (f *replayedError) Code() string { return f.code }

func encodeResult(r Result, err error) secret.Text {
	s := stored{CallID: r.CallID, Outcome: r.Outcome, Identity: r.Identity, User: r.User, Answer: r.Answer, Request: r.Request, ApprovalID: r.ApprovalID}
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			s.Subject = f.Subject
		}
		s.Kind, s.Code, s.Message = fault.KindOf(err).String(), Code(err), fault.Message(err)
	}
	text, bad := json.Marshal(s)
	if bad != nil { // a body that an Invoker called JSON and is none
		s.Answer.Body, s.Answer.Next, s.Answer.Truncated = nil, nil, nil
		text, _ = json.Marshal(s)
	}
	return secret.NewText(string(text))
}

func decodeResult(text secret.Text) (Result, error, error) {
	var s stored
	if err := json.Unmarshal([]byte(text.Reveal()), &s); err != nil {
		return Result{}, nil, fault.Wrap(err, fault.Internal, SubjectClaim, "a stored result cannot be read")
	}
	r := Result{CallID: s.CallID, Outcome: s.Outcome, Identity: s.Identity, User: s.User, Answer: s.Answer, Request: s.Request, ApprovalID: s.ApprovalID}
	if s.Kind == "" {
		return r, nil, nil
	}
	kind := fault.Internal
	for _, k := range fault.Kinds() {
		if k.String() == s.Kind {
			kind = k
		}
	}
	return r, fault.Wrap(&replayedError{s.Code}, kind, s.Subject, "%s", s.Message), nil
}

func (c *call) seal(r Result, err error) secret.Sealed {
	return c.Box.Seal(claimPurpose(c.claim), encodeResult(r, err))
}

func claimPurpose(c *Claim) string { return "action-claim/" + c.Scope + "/" + c.Key }

// ErrUnderWay is in the one conflict that passes by itself: the first call with an idempotency key has not ended.
var ErrUnderWay = errors.New("the call is under way")

// replay answers with what is known of the call that has used the key.
func (c *call) replay(ctx context.Context, earlier Claim) (Result, error) {
	conflict := func(format string, args ...any) (Result, error) {
		return c.refuse(c, fault.New(fault.Conflict, SubjectClaim, format, args...))
	}
	switch {
	case earlier.Digest != c.claim.Digest:
		return conflict("the idempotency key %q was used for another call, %s; use a new key for this one", c.claim.Key, earlier.CallID)
	case earlier.State == ClaimRunning:
		return c.refuse(c, fault.Wrap(ErrUnderWay, fault.Conflict, SubjectClaim, "the call %s with the idempotency key %q is under way; try again when it has ended", earlier.CallID, c.claim.Key))
	case earlier.State == ClaimInterrupted:
		return conflict("what became of the call %s with the idempotency key %q is not known: it broke off after the request had left. Look at the vendor whether it had its effect, and use a new key to make it again", earlier.CallID, c.claim.Key)
	}
	text, err := c.Box.Open(claimPurpose(&earlier), earlier.Result)
	if err != nil {
		return c.refuse(c, fault.Wrap(err, fault.Internal, SubjectClaim, "the result of an earlier call cannot be opened"))
	}
	result, failure, err := decodeResult(text)
	if err == nil && result.Outcome == OutcomePending {
		result, failure, err = c.decided(ctx, result)
	}
	if err != nil {
		return c.refuse(c, err)
	}
	result.Replayed = true
	c.record.Outcome, c.record.Status, c.record.Duration = OutcomeReplayed, result.Answer.Status, c.Now().Sub(c.began)
	c.note()
	return result, failure
}

// Actions lists the actions of a connector for a user, "" for the caller.
func (s *Service) Actions(ctx context.Context, caller identity.Caller, account, connectorID, user string) (Connector, []Action, error) {
	known, err := s.callee(ctx, caller, account, connectorID)
	if err != nil {
		return Connector{}, nil, err
	}
	c := known.connector
	if user, err = s.mayUse(caller, &c, user); err != nil {
		return Connector{}, nil, err
	}
	list, err := s.actions(ctx, &c, known.document, user)
	return c, list, err
}

// actions lists the actions of c, and says which are enabled.
func (s *Service) actions(ctx context.Context, c *Connector, d Document, user string) ([]Action, error) {
	all, err := s.Invoker.Actions(ctx, s.target(c, d, user))
	out := make([]Action, len(all))
	for n, a := range all {
		a.Enabled = c.Enabled(a.ID) && !(a.Write && c.ReadOnly())
		out[n] = a
	}
	return out, err
}

// PutDocument replaces the OpenAPI document of a GENERIC_HTTP connector.
func (s *Service) PutDocument(ctx context.Context, caller identity.Caller, account, connectorID string, content []byte) error {
	c, err := s.Get(ctx, caller, account, connectorID)
	if err != nil {
		return err
	}
	if c.Type != GenericHTTP {
		return fault.New(fault.State, SubjectDocument, "the action connector %q is of type %s, whose actions are given; only %s takes a document", connectorID, c.Type, GenericHTTP)
	}
	if err := s.Invoker.CheckDocument(ctx, content); err != nil {
		return err
	}
	defer s.changed(connectorID)
	return s.Documents.DocumentPut(ctx, Document{ConnectorID: connectorID, Content: content, Updated: s.Now()})
}

// Document returns the OpenAPI document of a connector.
func (s *Service) Document(ctx context.Context, caller identity.Caller, account, connectorID string) (Document, error) {
	if _, err := s.Get(ctx, caller, account, connectorID); err != nil {
		return Document{}, err
	}
	return s.Documents.DocumentGet(ctx, connectorID)
}

// DeleteDocument forgets the OpenAPI document of a connector.
func (s *Service) DeleteDocument(ctx context.Context, caller identity.Caller, account, connectorID string) error {
	if _, err := s.Get(ctx, caller, account, connectorID); err != nil {
		return err
	}
	defer s.changed(connectorID)
	return s.Documents.DocumentDelete(ctx, connectorID)
}
