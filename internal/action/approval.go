package action

import (
	"context"
	"encoding/json"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/secret"
)

// content is what an approval is about, in the form in which it is sealed.
type content struct {
	Arguments json.RawMessage `json:"arguments"`
	Request   Request         `json:"request"`
}

// Shown is an approval as somebody sees it who decides.
type Shown struct {
	Approval
	Arguments json.RawMessage
	Request   Request
	Answer    *Answer // of a call that has run
}

func approvalPurpose(id string) string { return "action-approval/" + id }

// shown is the digest of a request as it was shown.
func shown(r Request) (string, error) {
	text, err := json.Marshal(r)
	return digest(string(text)), err
}

// hold keeps a call until somebody has decided.
func (c *call) hold(ctx context.Context) (Result, error) {
	fail := func(err error) (Result, error) {
		c.ended(Answer{}, err)
		if stored := c.Calls.CallCancel(context.WithoutCancel(ctx), c.claim, c.record); stored != nil {
			c.Log.Error("cannot store that a call was not made", "call", c.record.ID, "error", stored)
		}
		return c.result(nil), err
	}
	request, err := c.prepared.Request(ctx)
	if err != nil {
		return fail(err)
	}
	sum, err := shown(request)
	if err != nil {
		return fail(err)
	}
	text, err := json.Marshal(content{c.raw, request})
	if err != nil {
		return fail(err)
	}
	a := Approval{
		ID: c.NewID(), ConnectorID: c.connector.ID, ActionID: c.prepared.Action.ID, User: c.record.User, RequestedBy: c.record.Caller,
		Digest: sum, State: ApprovalPending, CallID: c.record.ID, Created: c.began, Expires: c.began.Add(approvalTime),
	}
	a.Content = c.Box.Seal(approvalPurpose(a.ID), secret.NewText(string(text)))
	if err := c.Approvals.ApprovalCreate(ctx, a); err != nil {
		return fail(err)
	}
	c.record.Outcome, c.record.ApprovalID = OutcomePending, a.ID
	result := c.result(func(r *Result) { r.Request = &request })
	if c.claim != nil {
		c.claim.State, c.claim.Result = ClaimDone, c.seal(result, nil)
	}
	if err := c.Calls.CallEnd(context.WithoutCancel(ctx), c.claim, c.record); err != nil {
		c.Log.Error("cannot store that a call waits for an approval; its idempotency key stays in use", "call", c.record.ID, "error", err)
	}
	return result, nil
}

// Approval returns an approval with what it is about.
func (s *Service) Approval(ctx context.Context, caller identity.Caller, account, id string) (Shown, error) {
	if err := s.home(caller, account); err != nil {
		return Shown{}, err
	}
	a, err := s.Approvals.ApprovalGet(ctx, id)
	if err != nil {
		return Shown{}, err
	}
	return s.show(a)
}

func (s *Service) show(a Approval) (Shown, error) {
	text, err := s.Box.Open(approvalPurpose(a.ID), a.Content)
	if err != nil {
		return Shown{}, fault.Wrap(err, fault.Internal, SubjectApproval, "the approval %q cannot be opened", a.ID)
	}
	var c content
	if err := json.Unmarshal([]byte(text.Reveal()), &c); err != nil {
		return Shown{}, fault.New(fault.Internal, SubjectApproval, "the approval %q cannot be read", a.ID)
	}
	if a.State == ApprovalPending && !s.Now().Before(a.Expires) {
		a.State = ApprovalExpired
	}
	out := Shown{Approval: a, Arguments: c.Arguments, Request: c.Request}
	if len(a.Result) == 0 {
		return out, nil
	}
	text, err = s.Box.Open(approvalPurpose(a.ID)+"/result", a.Result)
	if err != nil {
		return Shown{}, fault.Wrap(err, fault.Internal, SubjectApproval, "the result of the approval %q cannot be opened", a.ID)
	}
	result, _, err := decodeResult(text)
	out.Answer = &result.Answer
	return out, err
}

// decided is what has become of a call that was waiting for an approval when its key was used first: the result once
// it has run. err says that it will not run any more.
func (c *call) decided(ctx context.Context, waiting Result) (result Result, failure, err error) {
	a, err := c.Approvals.ApprovalGet(ctx, waiting.ApprovalID)
	if err != nil {
		return Result{}, nil, err
	}
	if len(a.Result) > 0 {
		text, err := c.Box.Open(approvalPurpose(a.ID)+"/result", a.Result)
		if err != nil {
			return Result{}, nil, fault.Wrap(err, fault.Internal, SubjectApproval, "the result of the approval %q cannot be opened", a.ID)
		}
		return decodeResult(text)
	}
	state, why, then := a.State, a.Reason, "use a new key to ask again"
	switch {
	case state == ApprovalInterrupted:
		then = "look at the vendor whether it had its effect, and " + then
	case state == ApprovalApproved, state == ApprovalPending && c.Now().Before(a.Expires):
		return waiting, nil, nil
	case state == ApprovalPending:
		state = ApprovalExpired
	}
	if why != "" {
		why = ": " + why
	}
	return Result{}, nil, fault.New(fault.Conflict, SubjectClaim, "the call with the idempotency key %q waited for the approval %s, which is %s%s; %s", c.claim.Key, a.ID, state, why, then)
}

const listApprovals = "approvals"

// ListApprovals returns a page of approvals, of one connector and in one state where these are given, and the token
// of the next page.
func (s *Service) ListApprovals(ctx context.Context, caller identity.Caller, account, connectorID string, state ApprovalState, token string) ([]Approval, string, error) {
	if err := s.home(caller, account); err != nil {
		return nil, "", err
	}
	after, err := after(listApprovals, token)
	if err != nil {
		return nil, "", err
	}
	list, err := s.Approvals.ApprovalPage(ctx, connectorID, state, after, maxPage+1)
	for n := range list {
		if list[n].State == ApprovalPending && !s.Now().Before(list[n].Expires) {
			list[n].State = ApprovalExpired
		}
	}
	if err != nil || len(list) <= maxPage {
		return list, "", err
	}
	return list[:maxPage], page.Marker(listApprovals, list[maxPage-1].ID), nil
}

// decide takes an approval out of pending, once.
func (s *Service) decide(ctx context.Context, caller identity.Caller, id string, to ApprovalState, callID, why string) (Approval, error) {
	now := s.Now()
	return s.Approvals.ApprovalUpdate(ctx, id, func(a *Approval) error {
		if a.State != ApprovalPending || !now.Before(a.Expires) {
			return undecidable(a)
		}
		a.State, a.DecidedBy, a.Decided, a.Reason = to, caller.ARN, now, why
		if callID != "" {
			a.CallID = callID
		}
		return nil
	})
}

// undecidable says why nobody can decide a any more. Only of what has surely not run it says to make it again.
func undecidable(a *Approval) error {
	state, then := a.State, "make the call again if it is still wanted"
	switch state {
	case ApprovalPending:
		state = ApprovalExpired
	case ApprovalApproved:
		then = "the call " + a.CallID + " is under way"
	case ApprovalDone:
		then = "it ran as the call " + a.CallID
	case ApprovalFailed, ApprovalInterrupted:
		then = "the approval shows why; see whether the vendor acted before you make the call again"
	case ApprovalRejected, ApprovalExpired:
	}
	return fault.New(fault.State, SubjectApproval, "the approval %q is %s and cannot be decided any more; %s", a.ID, state, then)
}

// Reject refuses a call that waits.
func (s *Service) Reject(ctx context.Context, caller identity.Caller, account, id, why string) (Approval, error) {
	if err := s.home(caller, account); err != nil {
		return Approval{}, err
	}
	a, err := s.decide(ctx, caller, id, ApprovalRejected, "", why)
	if err != nil {
		return Approval{}, err
	}
	s.queue(Record{
		ID: s.NewID(), Time: s.Now(), Caller: caller.ARN, User: a.User, ConnectorID: a.ConnectorID, ActionID: a.ActionID, Write: true,
		Outcome: OutcomeRejected, ApprovalID: id, DecidedBy: caller.ARN,
	})
	return a, nil
}

// Approve makes a call that waits: exactly the one that was shown, once. When the request would be another by now, the
// approval fails and nothing is sent.
func (s *Service) Approve(ctx context.Context, caller identity.Caller, account, id, requestID string) (Result, error) {
	what, err := s.Approval(ctx, caller, account, id)
	if err != nil {
		return Result{}, err
	}
	requester := caller
	requester.ARN = what.RequestedBy
	user := what.User
	if user == requester.ARN {
		user = ""
	}
	c, err := s.prepare(ctx, requester, account, Call{ConnectorID: what.ConnectorID, ActionID: what.ActionID, User: user, Arguments: what.Arguments, RequestID: requestID})
	c.record.ApprovalID, c.record.DecidedBy = id, caller.ARN
	if err != nil {
		return s.refuse(c, err)
	}
	request, err := c.prepared.Request(ctx)
	if err != nil {
		return s.refuse(c, err)
	}
	if sum, err := shown(request); err != nil || sum != what.Digest {
		why := "the request would be another than the one that was shown, since the connector or its actions have changed"
		if _, err := s.decide(ctx, caller, id, ApprovalFailed, "", why); err != nil {
			return s.refuse(c, err)
		}
		return s.refuse(c, fault.New(fault.Conflict, SubjectApproval, "%s; make the call again", why))
	}
	credentials := c.target.Credentials
	if _, err := credentials.Authorization(ctx); err != nil {
		return s.refuse(c, err) // it stays pending, and can be approved after the sign-in
	}
	if _, err := s.decide(ctx, caller, id, ApprovalApproved, c.record.ID, ""); err != nil {
		return s.refuse(c, err)
	}
	ctx = context.WithoutCancel(ctx)
	if _, _, err := s.Calls.CallBegin(ctx, nil, c.record); err != nil {
		s.finish(ctx, id, Result{}, err)
		return s.refuse(c, err)
	}
	result, err := c.send(ctx, credentials)
	s.finish(ctx, id, result, err)
	return result, err
}

// finish stores what came of an approved call.
func (s *Service) finish(ctx context.Context, id string, result Result, failure error) {
	_, err := s.Approvals.ApprovalUpdate(ctx, id, func(a *Approval) error {
		a.State = ApprovalDone
		if failure != nil {
			a.State, a.Reason = ApprovalFailed, recorded(failure)
		}
		a.Result = s.Box.Seal(approvalPurpose(id)+"/result", encodeResult(result, failure))
		return nil
	})
	if err != nil {
		s.Log.Error("cannot store what came of an approved call", "approval", id, "error", err)
	}
}
