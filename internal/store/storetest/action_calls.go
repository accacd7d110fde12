package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
)

// ActionCallStore is the stores of package action that are about calls.
type ActionCallStore interface {
	action.CallStore
	action.RecordStore
	action.ApprovalStore
}

func record(n int) action.Record {
	return action.Record{ID: fmt.Sprintf("r-%03d", n), Time: at(n), ConnectorID: fmt.Sprintf("c-%d", n%2), Outcome: action.OutcomeStarted}
}

func claim(n int) *action.Claim {
	return &action.Claim{Scope: "s", Key: "k", Digest: "d", State: action.ClaimRunning, CallID: fmt.Sprintf("r-%03d", n), Created: at(n), Expires: at(n + 100)}
}

func recordIDs(list []action.Record) []string {
	var ids []string
	for _, r := range list {
		ids = append(ids, r.ID)
	}
	return ids
}

// ActionCalls tests the stores of claims, records and approvals.
func ActionCalls(t *testing.T, open Open[ActionCallStore]) {
	records := func(t *testing.T, s ActionCallStore) []action.Record {
		t.Helper()
		list, err := s.RecordPage(t.Context(), "", action.RecordKey{}, 99)
		must(t, err)
		return list
	}
	t.Run("every field survives a restart", func(t *testing.T) {
		r, c, a := Full[action.Record](0), Full[action.Claim](100), Full[action.Approval](200)
		s := reopened(t, open, func(s ActionCallStore) {
			_, begun, err := s.CallBegin(t.Context(), &c, r)
			must(t, err)
			if !begun {
				t.Error("not begun")
			}
			must(t, s.ApprovalCreate(t.Context(), a))
		})
		same(t, records(t, s), []action.Record{r})
		again := c
		again.Created = c.Expires.Add(-1)
		got, begun, err := s.CallBegin(t.Context(), &again, record(1))
		must(t, err)
		if begun {
			t.Error("a claim was taken twice")
		}
		same(t, got, c)
		gotA, err := s.ApprovalGet(t.Context(), a.ID)
		must(t, err)
		same(t, gotA, a)
	})
	t.Run("a key is claimed once", func(t *testing.T) {
		s := fresh(t, open)
		won := 0
		begun := make([]bool, 8)
		for _, err := range together(8, func(n int) (err error) {
			_, begun[n], err = s.CallBegin(t.Context(), claim(n), record(n))
			return err
		}) {
			must(t, err)
		}
		for _, b := range begun {
			if b {
				won++
			}
		}
		if won != 1 || len(records(t, s)) != 1 {
			t.Errorf("%d calls have begun, and %d records are there, want 1", won, len(records(t, s)))
		}
	})
	t.Run("a claim ends", func(t *testing.T) {
		s := fresh(t, open)
		begin := func(n int) (action.Claim, bool) {
			t.Helper()
			c, begun, err := s.CallBegin(t.Context(), claim(n), record(n))
			must(t, err)
			return c, begun
		}
		begin(1)
		r := record(1)
		r.Outcome = action.OutcomeFailed
		must(t, s.CallCancel(t.Context(), claim(1), r)) // nothing was sent: the key is free
		same(t, records(t, s), []action.Record{r})
		if _, begun := begin(2); !begun {
			t.Error("a cancelled claim is still there")
		}
		must(t, s.CallCancel(t.Context(), claim(1), r)) // of another call: not this one's claim
		done := claim(2)
		done.State, done.Result = action.ClaimDone, []byte("sealed")
		must(t, s.CallEnd(t.Context(), done, record(2)))
		got, begun := begin(3)
		if begun {
			t.Error("a claim that is done was taken")
		}
		same(t, got, *done)
		other := claim(9)
		other.Key = "another"
		_, begun, err := s.CallBegin(t.Context(), other, record(9))
		must(t, err)
		if !begun {
			t.Error("another key is taken, too")
		}
		if _, begun := begin(102); !begun {
			t.Error("a claim that has ended is still there")
		}
		must(t, s.CallEnd(t.Context(), done, record(2))) // comes too late for its claim
		if got, _ := begin(103); got.CallID != "r-102" {
			t.Errorf("the claim is %+v", got)
		}
		if _, begun, err := s.CallBegin(t.Context(), nil, record(200)); err != nil || !begun {
			t.Errorf("without a key: %v, %v", begun, err)
		}
	})
	t.Run("what a crash has left is interrupted", func(t *testing.T) {
		a := action.Approval{ID: "a", State: action.ApprovalApproved}
		s := reopened(t, open, func(s ActionCallStore) {
			_, _, err := s.CallBegin(t.Context(), claim(1), record(1))
			must(t, err)
			ended := record(2)
			ended.Outcome = action.OutcomeSuccess
			must(t, s.RecordsPut(t.Context(), []action.Record{ended}))
			must(t, s.ApprovalCreate(t.Context(), a))
			must(t, s.ApprovalCreate(t.Context(), action.Approval{ID: "b", State: action.ApprovalPending}))
		})
		n, err := s.CallsInterrupt(t.Context(), at(5))
		must(t, err)
		if n != 1 {
			t.Errorf("%d calls were interrupted, want 1", n)
		}
		got, begun, err := s.CallBegin(t.Context(), claim(3), record(3))
		must(t, err)
		if begun || got.State != action.ClaimInterrupted {
			t.Errorf("the claim is %+v", got)
		}
		list := records(t, s)
		if list[0].Outcome != action.OutcomeSuccess || list[1].Outcome != action.OutcomeInterrupted {
			t.Errorf("the records are %+v", list)
		}
		for id, want := range map[string]action.ApprovalState{"a": action.ApprovalInterrupted, "b": action.ApprovalPending} {
			got, err := s.ApprovalGet(t.Context(), id)
			must(t, err)
			if got.State != want || want == action.ApprovalInterrupted && got.Reason == "" {
				t.Errorf("the approval %s is %+v", id, got)
			}
		}
	})
	t.Run("expiry", func(t *testing.T) {
		s := fresh(t, open)
		_, _, err := s.CallBegin(t.Context(), claim(1), record(1))
		must(t, err)
		must(t, s.RecordsPut(t.Context(), []action.Record{record(2), record(3)}))
		must(t, s.ApprovalCreate(t.Context(), action.Approval{ID: "a", State: action.ApprovalPending, Created: at(1), Expires: at(50)}))
		must(t, s.ApprovalCreate(t.Context(), action.Approval{ID: "b", State: action.ApprovalRejected, Created: at(2), Expires: at(50)}))
		must(t, s.ApprovalCreate(t.Context(), action.Approval{ID: "c", State: action.ApprovalApproved, Created: at(1), Expires: at(50)}))
		for _, state := range []action.ApprovalState{action.ApprovalRejected, action.ApprovalExpired, action.ApprovalDone, action.ApprovalFailed, action.ApprovalInterrupted} {
			must(t, s.ApprovalCreate(t.Context(), action.Approval{ID: string(state), State: state, Created: at(1), Expires: at(50)}))
		}
		must(t, s.CallsExpire(t.Context(), at(49), at(2)))
		same(t, recordIDs(records(t, s)), []string{"r-003", "r-002"})
		left, err := s.ApprovalPage(t.Context(), "", "", "", 10)
		must(t, err)
		if len(left) != 3 || left[0].ID != "a" || left[1].ID != "b" || left[2].ID != "c" {
			t.Errorf("the approvals are %+v", left)
		}
		a := left[0]
		if _, begun, err := s.CallBegin(t.Context(), claim(2), record(2)); err != nil || begun || a.State != action.ApprovalPending {
			t.Errorf("expired too early: %v, %v, %s", begun, err, a.State)
		}
		must(t, s.CallsExpire(t.Context(), at(101), at(0)))
		for id, want := range map[string]action.ApprovalState{"a": action.ApprovalExpired, "b": action.ApprovalRejected} {
			if got, err := s.ApprovalGet(t.Context(), id); err != nil || got.State != want {
				t.Errorf("the approval %s is %s, %v", id, got.State, err)
			}
		}
		if _, begun, err := s.CallBegin(t.Context(), claim(2), record(2)); err != nil || !begun {
			t.Errorf("not expired: %v, %v", begun, err)
		}
	})
	t.Run("records are newest first", func(t *testing.T) {
		s := fresh(t, open)
		twin := record(4)
		twin.ID, twin.ConnectorID = "r-zzz", "c-1"
		must(t, s.RecordsPut(t.Context(), []action.Record{record(3), record(1), record(4), twin, record(2)}))
		changed := record(1)
		changed.Outcome = action.OutcomeSuccess
		must(t, s.RecordsPut(t.Context(), []action.Record{changed}))
		for _, tc := range []struct {
			connector string
			want      []string
		}{{"", []string{"r-zzz", "r-004", "r-003", "r-002", "r-001"}}, {"c-1", []string{"r-zzz", "r-003", "r-001"}}, {"c-9", nil}} {
			var got []string
			for after := (action.RecordKey{}); ; {
				list, err := s.RecordPage(t.Context(), tc.connector, after, 2)
				must(t, err)
				if len(list) == 0 {
					break
				}
				got = append(got, recordIDs(list)...)
				last := list[len(list)-1]
				after = action.RecordKey{Time: last.Time, ID: last.ID}
			}
			same(t, got, tc.want)
		}
	})
	t.Run("approvals", func(t *testing.T) { approvals(t, fresh(t, open)) })
	calls(t, open, map[string]func(context.Context, ActionCallStore) error{
		"begin": func(ctx context.Context, s ActionCallStore) error {
			_, _, err := s.CallBegin(ctx, claim(1), record(1))
			return err
		},
		"end": func(ctx context.Context, s ActionCallStore) error { return s.CallEnd(ctx, claim(1), record(1)) },
		"put": func(ctx context.Context, s ActionCallStore) error {
			return s.RecordsPut(ctx, []action.Record{record(1)})
		},
		"page": func(ctx context.Context, s ActionCallStore) error {
			_, err := s.RecordPage(ctx, "", action.RecordKey{}, 9)
			return err
		},
		"approve": func(ctx context.Context, s ActionCallStore) error {
			return s.ApprovalCreate(ctx, action.Approval{ID: "a"})
		},
	}, func(t *testing.T, s ActionCallStore) {
		if list := records(t, s); len(list) != 0 {
			t.Errorf("the store holds %v", list)
		}
	})
}

func approvals(t *testing.T, s ActionCallStore) {
	approval := func(n int, state action.ApprovalState) action.Approval {
		return action.Approval{ID: fmt.Sprintf("a-%d", n), ConnectorID: fmt.Sprintf("c-%d", n%2), State: state, Created: at(n)}
	}
	for n, state := range []action.ApprovalState{action.ApprovalPending, action.ApprovalPending, action.ApprovalDone} {
		must(t, s.ApprovalCreate(t.Context(), approval(n, state)))
	}
	wants(t, s.ApprovalCreate(t.Context(), approval(1, action.ApprovalPending)), fault.AlreadyExists, action.SubjectApproval)
	_, err := s.ApprovalGet(t.Context(), "a-9")
	wants(t, err, fault.NotFound, action.SubjectApproval)
	for _, tc := range []struct {
		connector string
		state     action.ApprovalState
		after     string
		want      string
	}{
		{"", "", "", "a-0 a-1 a-2 "}, {"c-0", "", "", "a-0 a-2 "}, {"", action.ApprovalPending, "", "a-0 a-1 "},
		{"c-0", action.ApprovalDone, "", "a-2 "}, {"", "", "a-1", "a-2 "}, {"c-9", "", "", ""},
	} {
		list, err := s.ApprovalPage(t.Context(), tc.connector, tc.state, tc.after, 9)
		must(t, err)
		got := ""
		for _, a := range list {
			got += a.ID + " "
		}
		if got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
	oneWins(t, together(8, func(int) error {
		_, err := s.ApprovalUpdate(t.Context(), "a-1", func(a *action.Approval) error {
			if a.State != action.ApprovalPending {
				return fault.New(fault.State, action.SubjectApproval, "decided")
			}
			a.State, a.ID, a.Created = action.ApprovalApproved, "x", at(99)
			return nil
		})
		return err
	}), fault.State)
	got, err := s.ApprovalGet(t.Context(), "a-1")
	must(t, err)
	same(t, got, approval(1, action.ApprovalApproved))
	_, err = s.ApprovalUpdate(t.Context(), "a-9", func(*action.Approval) error { return nil })
	wants(t, err, fault.NotFound, action.SubjectApproval)
}
