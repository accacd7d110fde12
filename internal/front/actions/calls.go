package actions

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/wire"
)

// shownAction is an action in a list.
type shownAction struct {
	ID          string          `json:"id"`
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	Operation   string          `json:"operationType"` // read or write
	Destructive bool            `json:"destructive,omitempty"`
	Enabled     bool            `json:"enabled"`
	Origin      string          `json:"origin,omitempty"`
	InputSchema json.RawMessage `json:"inputSchema,omitempty"`
}

func showAction(a *action.Action, schema bool) shownAction {
	out := shownAction{ID: a.ID, Name: a.Name, Description: a.Description, Operation: "read", Destructive: a.Destructive, Enabled: a.Enabled, Origin: a.Origin}
	if a.Write {
		out.Operation = "write"
	}
	if schema {
		out.InputSchema = a.Input
	}
	return out
}

func (f *Front) list(r *request, id string) (any, error) {
	c, list, err := f.actions.Actions(r.Context(), r.caller, r.caller.Account, id, r.URL.Query().Get("user"))
	if err != nil {
		return nil, err
	}
	out := make([]shownAction, len(list))
	for n := range list {
		out[n] = showAction(&list[n], false)
	}
	shown := map[string]any{"actionConnectorId": c.ID, "type": c.Type, "identity": c.Identity(), "status": c.Status, "actions": out}
	if unknown := unknown(c.EnabledActions, list); len(unknown) > 0 {
		shown["unknownEnabledActions"] = unknown
	}
	if why := c.Error + c.Unverified; why != "" { // at most one of them is there
		shown["statusReason"] = why
	}
	return shown, nil
}

// unknown are the enabled actions that there are not, which are mostly misspelt.
func unknown(enabled []string, list []action.Action) (ids []string) {
	for _, id := range enabled {
		if !slices.ContainsFunc(list, func(a action.Action) bool { return a.ID == id }) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (f *Front) describe(r *request, id, actionID string) (any, error) {
	c, list, err := f.actions.Actions(r.Context(), r.caller, r.caller.Account, id, r.URL.Query().Get("user"))
	if err != nil {
		return nil, err
	}
	for n := range list {
		if list[n].ID == actionID {
			return showAction(&list[n], true), nil
		}
	}
	return nil, fault.New(fault.NotFound, action.SubjectAction, "the action connector %q has no action %q", c.ID, actionID)
}

// callBody is what a call takes.
type callBody struct {
	Arguments      json.RawMessage `json:"arguments"`
	User           string          `json:"user"` // ARN of the end user; empty for the caller
	DryRun         bool            `json:"dryRun"`
	IdempotencyKey string          `json:"idempotencyKey"` // or the header Idempotency-Key
}

// callResult is what a call answers.
type callResult struct {
	CallID     string          `json:"callId"`
	Outcome    action.Outcome  `json:"outcome"`
	Identity   action.Identity `json:"identity"`
	User       string          `json:"user"`
	Answer     *action.Answer  `json:"answer,omitempty"`
	Request    *action.Request `json:"request,omitempty"`
	ApprovalID string          `json:"approvalId,omitempty"`
	Replayed   bool            `json:"replayed,omitempty"`
}

func (f *Front) call(r *request, id, actionID string) (any, int, action.Result, error) {
	var in callBody
	if err := r.read(&in, "it takes arguments, user, dryRun and idempotencyKey, and what goes to the vendor goes into arguments"); err != nil {
		return nil, 0, action.Result{}, err
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		if in.IdempotencyKey != "" && in.IdempotencyKey != key {
			return nil, 0, action.Result{}, fault.New(fault.Invalid, action.SubjectClaim, "the header and the body name two idempotency keys; give one")
		}
		in.IdempotencyKey = key
	}
	result, err := f.actions.Call(r.Context(), r.caller, r.caller.Account, action.Call{
		ConnectorID: id, ActionID: actionID, User: in.User, Arguments: in.Arguments, IdempotencyKey: in.IdempotencyKey, DryRun: in.DryRun, RequestID: wire.RequestID(r.Context()),
	})
	return answer(result), statusOfResult(result), result, err
}

func statusOfResult(r action.Result) int {
	if r.Outcome == action.OutcomePending {
		return http.StatusAccepted
	}
	return http.StatusOK
}

func answer(r action.Result) callResult {
	out := callResult{CallID: r.CallID, Outcome: r.Outcome, Identity: r.Identity, User: r.User, Request: r.Request, ApprovalID: r.ApprovalID, Replayed: r.Replayed}
	if r.Answer.Status != 0 {
		out.Answer = &r.Answer
	}
	return out
}

// shownApproval is an approval as it is shown.
type shownApproval struct {
	ID          string               `json:"approvalId"`
	ConnectorID string               `json:"actionConnectorId"`
	ActionID    string               `json:"actionId"`
	User        string               `json:"user"`
	RequestedBy string               `json:"requestedBy"`
	State       action.ApprovalState `json:"state"`
	Reason      string               `json:"reason,omitempty"`
	DecidedBy   string               `json:"decidedBy,omitempty"`
	CallID      string               `json:"callId,omitempty"`
	Created     time.Time            `json:"created"`
	Expires     time.Time            `json:"expires"`
	Decided     *time.Time           `json:"decided,omitempty"`
	Arguments   json.RawMessage      `json:"arguments,omitempty"`
	Request     *action.Request      `json:"request,omitempty"`
	Answer      *action.Answer       `json:"answer,omitempty"`
}

func showApproval(a *action.Approval) shownApproval {
	return shownApproval{
		ID: a.ID, ConnectorID: a.ConnectorID, ActionID: a.ActionID, User: a.User, RequestedBy: a.RequestedBy, State: a.State, Reason: a.Reason,
		DecidedBy: a.DecidedBy, CallID: a.CallID, Created: a.Created, Expires: a.Expires, Decided: moment(a.Decided),
	}
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (f *Front) approvals(r *request, parts []string) (any, int, action.Result, error) {
	ctx, account := r.Context(), r.caller.Account
	switch {
	case len(parts) == 0:
		q := r.URL.Query()
		state := action.ApprovalState(q.Get("state"))
		if states := action.ApprovalStates(); state != "" && !slices.Contains(states, state) {
			return nil, 0, action.Result{}, fault.New(fault.Invalid, SubjectRequest, "there is no state %.40q of an approval; they are %s", state, words(states))
		}
		list, next, err := f.actions.ListApprovals(ctx, r.caller, account, q.Get("connector"), state, q.Get("nextToken"))
		if err == nil && len(list) == 0 {
			err = f.known(r, q.Get("connector"))
		}
		out := make([]shownApproval, len(list))
		for n := range list {
			out[n] = showApproval(&list[n])
		}
		return page("approvals", out, next), http.StatusOK, action.Result{}, err
	case len(parts) == 1:
		a, err := f.actions.Approval(ctx, r.caller, account, parts[0])
		out := showApproval(&a.Approval)
		out.Arguments, out.Request, out.Answer = a.Arguments, &a.Request, a.Answer
		return out, http.StatusOK, action.Result{}, err
	case parts[1] == "approve":
		result, err := f.actions.Approve(ctx, r.caller, account, parts[0], wire.RequestID(ctx))
		return answer(result), http.StatusOK, result, err
	default: // "reject"
		var in struct {
			Reason string `json:"reason"`
		}
		if err := r.read(&in, "it takes reason"); err != nil {
			return nil, 0, action.Result{}, err
		}
		a, err := f.actions.Reject(ctx, r.caller, account, parts[0], in.Reason)
		return showApproval(&a), http.StatusOK, action.Result{}, err
	}
}

func words(states []action.ApprovalState) string {
	out := make([]string, len(states))
	for n, s := range states {
		out[n] = string(s)
	}
	return strings.Join(out, ", ")
}

// known is the fault of a connector that has nothing, since it is not there.
func (f *Front) known(r *request, connectorID string) error {
	if connectorID == "" {
		return nil
	}
	_, err := f.actions.Get(r.Context(), r.caller, r.caller.Account, connectorID)
	return err
}

// page is a list with the token of the next page.
func page(name string, list any, next string) map[string]any {
	out := map[string]any{name: list}
	if next != "" {
		out["nextToken"] = next
	}
	return out
}

// shownRecord is a record of a call, in the words of CloudTrail's InvokeAction where it has them.
type shownRecord struct {
	CallID      string          `json:"callId"`
	Time        time.Time       `json:"eventTime"`
	RequestID   string          `json:"requestId,omitempty"`
	Caller      string          `json:"caller"`
	User        string          `json:"endUserArn"`
	ConnectorID string          `json:"actionConnectorId"`
	Type        action.Type     `json:"type,omitempty"`
	ActionID    string          `json:"actionId"`
	Write       bool            `json:"write"`
	Identity    action.Identity `json:"identity,omitempty"`
	Arguments   []string        `json:"argumentNames,omitempty"`
	Digest      string          `json:"argumentDigest,omitempty"`
	Outcome     action.Outcome  `json:"invokeActionStatus"`
	Code        string          `json:"errorCode,omitempty"`
	Message     string          `json:"errorMessage,omitempty"`
	Status      int             `json:"httpStatusCode,omitempty"`
	Attempts    int             `json:"attempts,omitempty"`
	Duration    float64         `json:"durationMilliseconds"`
	ApprovalID  string          `json:"approvalId,omitempty"`
	DecidedBy   string          `json:"decidedBy,omitempty"`
}

func (f *Front) records(r *request, connectorID string) (any, error) {
	size, err := r.size()
	if err != nil {
		return nil, err
	}
	list, next, err := f.actions.ListRecords(r.Context(), r.caller, r.caller.Account, connectorID, r.URL.Query().Get("nextToken"), size)
	if err == nil && len(list) == 0 {
		err = f.known(r, connectorID) // records outlive their connectors
	}
	if err != nil {
		return nil, err
	}
	out := make([]shownRecord, len(list))
	for n, c := range list {
		out[n] = shownRecord{
			CallID: c.ID, Time: c.Time, RequestID: c.RequestID, Caller: c.Caller, User: c.User, ConnectorID: c.ConnectorID, Type: c.Type, ActionID: c.ActionID,
			Write: c.Write, Identity: c.Identity, Arguments: c.Arguments, Digest: c.Digest, Outcome: c.Outcome, Code: c.Code, Message: c.Message,
			Status: c.Status, Attempts: c.Attempts, Duration: float64(c.Duration.Microseconds()) / 1000, ApprovalID: c.ApprovalID, DecidedBy: c.DecidedBy,
		}
	}
	return page("calls", out, next), nil
}
