package action_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tag"
)

func withConnector(t *testing.T, change func(*action.CreateParams)) *world {
	w := newWorld(t, nil)
	w.create("c", basicAuth, "p", change)
	return w
}

func (w *world) do(id, arguments, key string) (action.Result, error) {
	return w.Call(w.t.Context(), caller, account, action.Call{ConnectorID: "c", ActionID: id, Arguments: json.RawMessage(arguments), IdempotencyKey: key, RequestID: "r"})
}

func (w *world) recorded() []action.Record {
	w.t.Helper()
	list, _, err := w.ListRecords(w.t.Context(), caller, account, "", "", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func TestCall(t *testing.T) {
	t.Parallel()
	var observed []action.Record
	w := newWorld(t, func(c *action.Config) { c.Observe = func(r action.Record) { observed = append(observed, r) } })
	w.create("c", basicAuth, "p", func(p *action.CreateParams) {
		p.Permissions = []action.Permission{{Principal: alice, Actions: []string{action.MayInvoke}}}
	})
	result, err := w.Call(t.Context(), caller, account, action.Call{ConnectorID: "c", ActionID: "Read", User: alice, Arguments: json.RawMessage(` {"b": 1.50, "a": "secret value"} `)})
	must(t, err)
	if result.Outcome != action.OutcomeSuccess || result.Identity != action.Own || result.User != alice || string(result.Answer.Body) != `{"a":"secret value","b":1.50}` {
		t.Errorf("%+v %s", result, result.Answer.Body)
	}
	r := w.recorded()[0]
	if r.Caller != caller.ARN || r.User != alice || r.ConnectorID != "c" || r.ActionID != "Read" || r.Write || r.Status != 200 || r.Attempts != 1 ||
		r.Outcome != action.OutcomeSuccess || fmt.Sprint(r.Arguments) != "[a b]" || r.Digest == "" {
		t.Errorf("the record is %+v", r)
	}
	if strings.Contains(fmt.Sprintf("%+v", r), "secret value") {
		t.Error("the record has an argument's value")
	}
	if len(observed) != 1 || observed[0].Outcome != action.OutcomeSuccess {
		t.Errorf("observed %+v", observed)
	}
}

// quotingError is an Invoker's error that repeats an argument, and has another message for records.
type quotingError struct{ error }

func (quotingError) Recorded() string { return "the vendor says no" }

func TestRecordsOfFailuresRepeatNoValue(t *testing.T) {
	t.Parallel()
	w := withConnector(t, nil)
	w.vendor.answer = func(int) (action.Answer, error) {
		return action.Answer{Status: 404, Attempts: 1}, fault.Wrap(quotingError{errors.New("x")}, fault.NotFound, "vendor", "nothing is known of secret value")
	}
	_, err := w.do("Write", `{"a":"secret value"}`, "k")
	if !strings.Contains(fault.Message(err), "secret value") {
		t.Errorf("the caller is told %v", err)
	}
	if r := w.recorded()[0]; r.Message != "the vendor says no" {
		t.Errorf("the record says %q", r.Message)
	}
}

func TestCallRefused(t *testing.T) {
	t.Parallel()
	w := withConnector(t, func(p *action.CreateParams) { p.EnabledActions = &[]string{"Read"} })
	w.create("ro", noAuth, "", func(p *action.CreateParams) { p.Tags = []tag.Tag{{Key: action.TagReadOnly, Value: "true"}} })
	for _, tc := range []struct {
		name    string
		call    action.Call
		kind    fault.Kind
		subject string
		code    string
	}{
		{"no such connector", action.Call{ConnectorID: "x", ActionID: "Read"}, fault.NotFound, action.SubjectConnector, action.CodeNoConnector},
		{"a user without a permission", action.Call{ConnectorID: "c", ActionID: "Read", User: bob}, fault.Denied, action.SubjectPermission, action.CodeDenied},
		{"no such action", action.Call{ConnectorID: "c", ActionID: "Dance"}, fault.NotFound, action.SubjectAction, action.CodeNoAction},
		{"not enabled", action.Call{ConnectorID: "c", ActionID: "Write"}, fault.Denied, action.SubjectAction, action.CodeDisabled},
		{"read-only", action.Call{ConnectorID: "ro", ActionID: "Write"}, fault.Denied, action.SubjectAction, action.CodeDisabled},
		{"wrong arguments", action.Call{ConnectorID: "c", ActionID: "Read", Arguments: []byte(`{"x":"wrong"}`)}, fault.Invalid, action.SubjectArguments, action.CodeArguments},
		{"a list", action.Call{ConnectorID: "c", ActionID: "Read", Arguments: []byte(`[]`)}, fault.Invalid, action.SubjectArguments, action.CodeArguments},
		{"null", action.Call{ConnectorID: "c", ActionID: "Read", Arguments: []byte(`null`)}, fault.Invalid, action.SubjectArguments, action.CodeArguments},
		{"two objects", action.Call{ConnectorID: "c", ActionID: "Read", Arguments: []byte(`{}{}`)}, fault.Invalid, action.SubjectArguments, action.CodeArguments},
		{"no JSON", action.Call{ConnectorID: "c", ActionID: "Read", Arguments: []byte(`{`)}, fault.Invalid, action.SubjectArguments, action.CodeArguments},
		{"too much", action.Call{ConnectorID: "c", ActionID: "Read", Arguments: []byte(`{"x":"` + strings.Repeat("x", 1<<20) + `"}`)}, fault.Invalid, action.SubjectArguments, action.CodeArguments},
		{"a long key", action.Call{ConnectorID: "c", ActionID: "Read", IdempotencyKey: strings.Repeat("k", 256)}, fault.Invalid, action.SubjectClaim, action.CodeInvalid},
		{"a key with the end of a line", action.Call{ConnectorID: "c", ActionID: "Read", IdempotencyKey: "k\r\nX: y"}, fault.Invalid, action.SubjectClaim, action.CodeInvalid},
	} {
		_, err := w.Call(t.Context(), caller, account, tc.call)
		if !fault.Is(err, tc.kind, tc.subject) || action.Code(err) != tc.code {
			t.Errorf("%s: err = %v (%s), want %v about %s", tc.name, err, action.Code(err), tc.kind, tc.subject)
		}
		if r := w.recorded()[0]; r.Outcome != action.OutcomeFailed || r.Code != tc.code {
			t.Errorf("%s: the record is %+v", tc.name, r)
		}
		w.pass(time.Millisecond)
	}
	if w.vendor.calls() != 0 {
		t.Error("something was sent")
	}
	_, all, err := w.Actions(t.Context(), caller, account, "ro", "")
	if err != nil || len(all) != 2 || !all[0].Enabled || all[1].Enabled {
		t.Errorf("the actions are %+v, %v", all, err)
	}
}

// A user of QuickSight, which a bearer token stands for, has what was granted and acts for nobody else.
func TestUserAsCaller(t *testing.T) {
	t.Parallel()
	w := withConnector(t, func(p *action.CreateParams) {
		p.Permissions = []action.Permission{{Principal: alice, Actions: []string{action.MayInvoke}}, {Principal: bob, Actions: []string{action.MayInvoke}}}
	})
	w.create("other", noAuth, "", nil)
	as := caller
	as.ARN = alice
	if result, err := w.Call(t.Context(), as, account, action.Call{ConnectorID: "c", ActionID: "Read"}); err != nil || result.User != alice {
		t.Errorf("%+v, %v", result, err)
	}
	for _, call := range []action.Call{{ConnectorID: "other", ActionID: "Read"}, {ConnectorID: "c", ActionID: "Read", User: bob}, {ConnectorID: "c", ActionID: "Read", User: caller.ARN}} {
		_, err := w.Call(t.Context(), as, account, call)
		wants(t, err, fault.Denied, action.SubjectPermission)
	}
}

// What is changed counts for the very next call.
func TestChangesCountAtOnce(t *testing.T) {
	t.Parallel()
	w := withConnector(t, nil)
	if _, err := w.do("Read", "{}", ""); err != nil {
		t.Fatal(err)
	}
	arn := w.get("c").ARN
	must(t, w.AddTags(t.Context(), caller, arn, []tag.Tag{{Key: action.TagReadOnly, Value: "true"}}))
	_, err := w.do("Write", "{}", "")
	wants(t, err, fault.Denied, action.SubjectAction)
	must(t, w.RemoveTags(t.Context(), caller, arn, []string{action.TagReadOnly}))
	_, err = w.Update(t.Context(), caller, account, "c", action.Settings{Name: "C", Auth: noAuth, EnabledActions: &[]string{"Read"}})
	must(t, err)
	_, err = w.do("Write", "{}", "")
	wants(t, err, fault.Denied, action.SubjectAction)
	_, err = w.Delete(t.Context(), caller, account, "c")
	must(t, err)
	_, err = w.do("Read", "{}", "")
	wants(t, err, fault.NotFound, action.SubjectConnector)
	// What another process has changed counts after a second.
	w.create("c", noAuth, "", nil)
	if _, err = w.do("Read", "{}", ""); err != nil {
		t.Fatal(err)
	}
	must(t, w.memory.ConnectorDelete(t.Context(), "c"))
	w.pass(time.Second)
	_, err = w.do("Read", "{}", "")
	wants(t, err, fault.NotFound, action.SubjectConnector)
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	w := withConnector(t, nil)
	result, err := w.Call(t.Context(), caller, account, action.Call{ConnectorID: "c", ActionID: "Write", Arguments: []byte(`{"a":1}`), DryRun: true, IdempotencyKey: "k"})
	must(t, err)
	if result.Outcome != action.OutcomeDryRun || result.Request == nil || result.Request.URL != "https://api.example.com/Write" || w.vendor.calls() != 0 {
		t.Errorf("%+v", result)
	}
	if _, err := w.do("Write", "{}", "k"); err != nil { // a dry run uses up no key
		t.Error(err)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := withConnector(t, nil)
	first, err := w.do("Write", `{"a":1,"b":2}`, "k")
	must(t, err)
	again, err := w.do("Write", `{"b":2, "a":1}`, "k")
	must(t, err)
	if !again.Replayed || again.CallID != first.CallID || string(again.Answer.Body) != string(first.Answer.Body) || w.vendor.calls() != 1 {
		t.Errorf("%+v, sent %d times", again, w.vendor.calls())
	}
	_, err = w.do("Write", `{"a":2}`, "k")
	wants(t, err, fault.Conflict, action.SubjectClaim)
	_, err = w.do("Read", `{"a":1,"b":2}`, "k")
	wants(t, err, fault.Conflict, action.SubjectClaim)
	w.pass(24 * time.Hour)
	if _, err = w.do("Write", `{"a":2}`, "k"); err != nil {
		t.Errorf("after a day: %v", err)
	}
}

// What becomes of a key when the call fails.
func TestIdempotencyOfFailures(t *testing.T) {
	t.Parallel()
	gone := fault.New(fault.Unavailable, "vendor", "it is away")
	for _, tc := range []struct {
		name   string
		action string
		answer action.Answer
		again  fault.Kind // of a repetition
		sent   int        // requests after the repetition
	}{
		{"the vendor refuses", "Write", action.Answer{Status: 422, Body: json.RawMessage(`{"why":"x"}`), Attempts: 1}, fault.Unavailable, 1},
		{"nothing left", "Write", action.Answer{}, fault.Unavailable, 2},
		{"it asks for less", "Write", action.Answer{Status: 429, Attempts: 1}, fault.Unavailable, 2},
		{"it broke off", "Write", action.Answer{Attempts: 1, Unknown: true}, fault.Conflict, 1},
		{"it was taken, and what it led to refused", "Write", action.Answer{Status: 401, Attempts: 1, Unknown: true}, fault.Conflict, 1},
		{"its answer was endless", "Write", action.Answer{Status: 200, Attempts: 1, Unknown: true}, fault.Conflict, 1},
		{"nobody was reached", "Write", action.Answer{Attempts: 1}, fault.Unavailable, 2},
		{"a read failed", "Read", action.Answer{Status: 500, Attempts: 1}, fault.Unavailable, 2},
	} {
		w := withConnector(t, nil)
		w.vendor.answer = func(int) (action.Answer, error) { return tc.answer, gone }
		first, err := w.do(tc.action, "{}", "k")
		wants(t, err, fault.Unavailable, "vendor")
		again, err := w.do(tc.action, "{}", "k")
		if fault.KindOf(err) != tc.again || w.vendor.calls() != tc.sent {
			t.Errorf("%s: err = %v, sent %d times, want %v, %d", tc.name, err, w.vendor.calls(), tc.again, tc.sent)
		}
		if again.Replayed && (again.Answer.Status != first.Answer.Status || string(again.Answer.Body) != string(first.Answer.Body) || fault.Message(err) != "it is away") {
			t.Errorf("%s: replayed %+v, %v", tc.name, again, err)
		}
	}
}

// A key that is used by many at once has its effect once.
func TestIdempotencyAtOnce(t *testing.T) {
	t.Parallel()
	w := withConnector(t, nil)
	var done sync.WaitGroup
	errs := make([]error, 20)
	for n := range errs {
		done.Go(func() { _, errs[n] = w.do("Write", "{}", "k") })
	}
	done.Wait()
	for _, err := range errs {
		if err != nil {
			wants(t, err, fault.Conflict, action.SubjectClaim)
		}
	}
	if w.vendor.calls() != 1 {
		t.Errorf("sent %d times", w.vendor.calls())
	}
}

// A server that dies between the claim and the effect's end never makes the call again by itself.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	w := withConnector(t, nil)
	died := errors.New("the process is gone")
	func() {
		defer func() {
			if recover() != died { //nolint:errorlint // a panic's value
				t.Error("the call has ended")
			}
		}()
		w.vendor.answer = func(int) (action.Answer, error) {
			w.vendor.mu.Unlock()
			defer w.vendor.mu.Lock()
			panic(died)
		}
		_, _ = w.do("Write", "{}", "k")
	}()
	w.vendor.answer = nil
	w.Service = action.NewService(w.config) // the next process, over the same store
	must(t, w.Recover(t.Context()))
	_, err := w.do("Write", "{}", "k")
	wants(t, err, fault.Conflict, action.SubjectClaim)
	if !strings.Contains(fault.Message(err), "not known") || w.vendor.calls() != 1 {
		t.Errorf("err = %v, sent %d times", err, w.vendor.calls())
	}
	interrupted := 0
	for _, r := range w.recorded() {
		if r.Outcome == action.OutcomeInterrupted {
			interrupted++
		}
	}
	if interrupted != 1 {
		t.Errorf("the records are %+v", w.recorded())
	}
}

func TestApproval(t *testing.T) {
	t.Parallel()
	w := withConnector(t, func(p *action.CreateParams) { p.Tags = []tag.Tag{{Key: action.TagApproval, Value: "writes"}} })
	if _, err := w.do("Read", "{}", ""); err != nil {
		t.Fatal(err)
	}
	ask := func(arguments, key string) action.Result {
		t.Helper()
		result, err := w.do("Write", arguments, key)
		must(t, err)
		if result.Outcome != action.OutcomePending || result.ApprovalID == "" || result.Request == nil {
			t.Fatalf("%+v", result)
		}
		return result
	}
	first := ask(`{"a":1}`, "k")
	if again := ask(`{"a":1}`, "k"); again.ApprovalID != first.ApprovalID {
		t.Error("the same key asks for another approval")
	}
	what, err := w.Approval(t.Context(), caller, account, first.ApprovalID)
	must(t, err)
	if what.State != action.ApprovalPending || string(what.Arguments) != `{"a":1}` || what.Request.URL != first.Request.URL {
		t.Errorf("%+v", what)
	}
	if strings.Contains(string(what.Content), `"a":1`) {
		t.Error("the arguments are stored as they are")
	}
	sent := w.vendor.calls()
	var done sync.WaitGroup
	errs := make([]error, 8)
	for n := range errs {
		done.Go(func() { _, errs[n] = w.Approve(t.Context(), caller, account, first.ApprovalID, "") })
	}
	done.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wants(t, err, fault.State, action.SubjectApproval)
		}
	}
	if won != 1 || w.vendor.calls() != sent+1 || w.vendor.sent[sent] != `{"a":1}` {
		t.Errorf("%d approvals, sent %v", won, w.vendor.sent)
	}
	what, err = w.Approval(t.Context(), caller, account, first.ApprovalID)
	must(t, err)
	if what.State != action.ApprovalDone || what.Answer == nil || what.Answer.Status != 200 || what.DecidedBy != caller.ARN {
		t.Errorf("%+v", what)
	}
	_, err = w.Approve(t.Context(), caller, account, first.ApprovalID, "")
	if wants(t, err, fault.State, action.SubjectApproval); strings.Contains(err.Error(), "make the call again") || !strings.Contains(err.Error(), what.CallID) {
		t.Errorf("of a call that has run it is said: %v", err)
	}
	if again, err := w.do("Write", `{"a":1}`, "k"); err != nil || !again.Replayed || again.Outcome != action.OutcomeSuccess || again.CallID != what.CallID || again.Answer.Status != 200 {
		t.Errorf("its key answers %+v, %v", again, err)
	}

	rejected := ask(`{"a":2}`, "no")
	if a, err := w.Reject(t.Context(), caller, account, rejected.ApprovalID, "no"); err != nil || a.State != action.ApprovalRejected || a.Reason != "no" {
		t.Errorf("%+v, %v", a, err)
	}
	_, err = w.Approve(t.Context(), caller, account, rejected.ApprovalID, "")
	wants(t, err, fault.State, action.SubjectApproval)
	_, err = w.do("Write", `{"a":2}`, "no")
	if wants(t, err, fault.Conflict, action.SubjectClaim); !strings.Contains(err.Error(), "rejected: no") {
		t.Errorf("the key of a rejected call answers %v", err)
	}

	changed := ask(`{"a":3}`, "")
	w.vendor.mu.Lock()
	w.vendor.shape = "?evil"
	w.vendor.mu.Unlock()
	_, err = w.Approve(t.Context(), caller, account, changed.ApprovalID, "")
	wants(t, err, fault.Conflict, action.SubjectApproval)

	late := ask(`{"a":4}`, "")
	w.pass(24 * time.Hour)
	_, err = w.Approve(t.Context(), caller, account, late.ApprovalID, "")
	wants(t, err, fault.State, action.SubjectApproval)

	failing := ask(`{"a":5}`, "fails")
	w.vendor.answer = func(int) (action.Answer, error) {
		return action.Answer{Status: 500, Attempts: 1}, fault.New(fault.Unavailable, "vendor", "it fails")
	}
	_, err = w.Approve(t.Context(), caller, account, failing.ApprovalID, "")
	wants(t, err, fault.Unavailable, "vendor")
	if what, err = w.Approval(t.Context(), caller, account, failing.ApprovalID); err != nil || what.State != action.ApprovalFailed || what.Reason != "it fails" {
		t.Errorf("%+v, %v", what, err)
	}
	if again, err := w.do("Write", `{"a":5}`, "fails"); !again.Replayed || again.Answer.Status != 500 || fault.Message(err) != "it fails" {
		t.Errorf("the key of a call that failed answers %+v, %v", again, err)
	}
	if w.vendor.calls() != sent+2 {
		t.Errorf("sent %v", w.vendor.sent)
	}
	list, _, err := w.ListApprovals(t.Context(), caller, account, "c", "", "")
	if err != nil || len(list) != 5 {
		t.Errorf("%d approvals, %v", len(list), err)
	}
	_, err = w.Approve(t.Context(), caller, account, "x", "")
	wants(t, err, fault.NotFound, action.SubjectApproval)
}

func TestApprovalByDefault(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *action.Config) { c.ApproveWrites = true })
	w.create("c", noAuth, "", nil)
	if result, err := w.do("Write", "{}", ""); err != nil || result.Outcome != action.OutcomePending {
		t.Errorf("%+v, %v", result, err)
	}
	must(t, w.AddTags(t.Context(), caller, w.get("c").ARN, []tag.Tag{{Key: action.TagApproval, Value: "none"}}))
	if result, err := w.do("Write", "{}", ""); err != nil || result.Outcome != action.OutcomeSuccess {
		t.Errorf("%+v, %v", result, err)
	}
}

// Records of reads are written by Run, the last ones when it stops.
func TestRecordsAreWritten(t *testing.T) {
	t.Parallel()
	w := withConnector(t, nil)
	stop := w.run()
	for range 1200 {
		if _, err := w.do("Read", "{}", ""); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Millisecond)
	}
	stop()
	total, token := 0, ""
	for {
		w.Service = action.NewService(w.config)
		list, next, err := w.ListRecords(t.Context(), caller, account, "c", token, new(70))
		must(t, err)
		total += len(list)
		if token = next; token == "" {
			break
		}
	}
	if total != 1200 {
		t.Errorf("%d of 1200 records are there", total)
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	w := withConnector(t, nil)
	w.create("slack", action.Auth{Type: action.APIKey, BaseEndpoint: "https://slack.com/api"}, "xoxb", func(p *action.CreateParams) { p.Type = "SLACK" })
	wants(t, w.PutDocument(t.Context(), caller, account, "slack", []byte("{}")), fault.State, action.SubjectDocument)
	wants(t, w.PutDocument(t.Context(), caller, account, "c", []byte("{")), fault.Invalid, action.SubjectDocument)
	wants(t, w.PutDocument(t.Context(), caller, account, "x", []byte("{}")), fault.NotFound, action.SubjectConnector)
	must(t, w.PutDocument(t.Context(), caller, account, "c", []byte("{}")))
	if d, err := w.Document(t.Context(), caller, account, "c"); err != nil || string(d.Content) != "{}" {
		t.Errorf("%+v, %v", d, err)
	}
	must(t, w.DeleteDocument(t.Context(), caller, account, "c"))
	wants(t, w.DeleteDocument(t.Context(), caller, account, "c"), fault.NotFound, action.SubjectDocument)
}

func FuzzCallArguments(f *testing.F) {
	f.Add(`{"a":1}`)
	f.Add(`{"a":{"b":[1e999,"\ud800"]}} x`)
	f.Fuzz(func(t *testing.T, text string) {
		w := withConnector(t, nil)
		first, err := w.do("Read", text, "k")
		if err != nil {
			if fault.KindOf(err) != fault.Invalid && action.Code(err) != action.CodeNoAction {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again, err := w.do("Read", string(first.Answer.Body), "k")
		if err != nil || !again.Replayed {
			t.Fatalf("%q became %s, which is another call: %v", text, first.Answer.Body, err)
		}
	})
}
