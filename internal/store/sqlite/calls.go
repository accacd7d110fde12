package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
)

var claimTable = newEntity("action_claim", 2, []column[action.Claim]{
	{"scope", func(v *action.Claim) any { return &v.Scope }},
	{"key", func(v *action.Claim) any { return &v.Key }},
	{"digest", func(v *action.Claim) any { return &v.Digest }},
	{"state", func(v *action.Claim) any { return &v.State }},
	{"call_id", func(v *action.Claim) any { return &v.CallID }},
	{"result", func(v *action.Claim) any { return &v.Result }},
	{"created", func(v *action.Claim) any { return &v.Created }},
	{"expires", func(v *action.Claim) any { return &v.Expires }},
})

var approvalTable = newEntity("action_approval", 1, []column[action.Approval]{
	{"id", func(v *action.Approval) any { return &v.ID }},
	{"connector_id", func(v *action.Approval) any { return &v.ConnectorID }},
	{"action_id", func(v *action.Approval) any { return &v.ActionID }},
	{"user", func(v *action.Approval) any { return &v.User }},
	{"requested_by", func(v *action.Approval) any { return &v.RequestedBy }},
	{"content", func(v *action.Approval) any { return &v.Content }},
	{"digest", func(v *action.Approval) any { return &v.Digest }},
	{"state", func(v *action.Approval) any { return &v.State }},
	{"reason", func(v *action.Approval) any { return &v.Reason }},
	{"decided_by", func(v *action.Approval) any { return &v.DecidedBy }},
	{"call_id", func(v *action.Approval) any { return &v.CallID }},
	{"result", func(v *action.Approval) any { return &v.Result }},
	{"created", func(v *action.Approval) any { return &v.Created }},
	{"expires", func(v *action.Approval) any { return &v.Expires }},
	{"decided", func(v *action.Approval) any { return &v.Decided }},
})

var recordTable = newEntity("action_record", 1, []column[action.Record]{
	{"id", func(v *action.Record) any { return &v.ID }},
	{"time", func(v *action.Record) any { return &v.Time }},
	{"request_id", func(v *action.Record) any { return &v.RequestID }},
	{"caller", func(v *action.Record) any { return &v.Caller }},
	{"user", func(v *action.Record) any { return &v.User }},
	{"connector_id", func(v *action.Record) any { return &v.ConnectorID }},
	{"type", func(v *action.Record) any { return &v.Type }},
	{"action_id", func(v *action.Record) any { return &v.ActionID }},
	{"write", func(v *action.Record) any { return &v.Write }},
	{"identity", func(v *action.Record) any { return &v.Identity }},
	{"arguments", func(v *action.Record) any { return &v.Arguments }},
	{"digest", func(v *action.Record) any { return &v.Digest }},
	{"outcome", func(v *action.Record) any { return &v.Outcome }},
	{"code", func(v *action.Record) any { return &v.Code }},
	{"message", func(v *action.Record) any { return &v.Message }},
	{"status", func(v *action.Record) any { return &v.Status }},
	{"attempts", func(v *action.Record) any { return &v.Attempts }},
	{"duration", func(v *action.Record) any { return &v.Duration }},
	{"approval_id", func(v *action.Record) any { return &v.ApprovalID }},
	{"decided_by", func(v *action.Record) any { return &v.DecidedBy }},
})

// upsertRecord stores a record, or what has become of the call if there is one with its id. What names the call does not
// change with its outcome, so the indexes are left alone.
var upsertRecord = recordTable.insertion + ` ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, code = excluded.code, message = excluded.message,
	status = excluded.status, attempts = excluded.attempts, duration = excluded.duration, approval_id = excluded.approval_id, decided_by = excluded.decided_by`

// Calls implements the stores of package action that are about calls. Calls that begin or end while the disk is busy
// with others share the next transaction, and its one sync.
type Calls struct {
	db *DB

	mu      sync.Mutex
	waiting []*write
	leading chan struct{} // holds a token while someone writes for all
}

// write is a piece of a transaction.
type write struct {
	do   work
	done chan struct{}
	err  error
}

// Calls returns the stores of package action that are about calls.
func (db *DB) Calls() *Calls { return &Calls{db: db, leading: make(chan struct{}, 1)} }

// together runs f in a transaction with what others have to write, and returns once that is durable. f may run more
// than once. It is left out when ctx is done before its turn.
func (s *Calls) together(ctx context.Context, f work) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &write{do: f, done: make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	select {
	case <-w.done:
	case s.leading <- struct{}{}:
		s.lead(context.WithoutCancel(ctx))
		<-s.leading
	case <-ctx.Done():
		s.mu.Lock()
		n := slices.Index(s.waiting, w)
		if n >= 0 {
			s.waiting = slices.Delete(s.waiting, n, n+1)
		}
		s.mu.Unlock()
		if n >= 0 {
			return ctx.Err()
		}
	}
	<-w.done
	return w.err
}

// lead writes everything that waits.
func (s *Calls) lead(ctx context.Context) {
	s.mu.Lock()
	all := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	if len(all) == 0 {
		return // the leader before has written it
	}
	err := s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		for _, w := range all {
			if err := w.do(ctx, t); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	for _, w := range all {
		w.err = err
		if err != nil && len(all) > 1 { // the others are not to suffer for one
			w.err = s.db.update(ctx, w.do, nil)
		}
		close(w.done)
	}
}

func (s *Calls) record(ctx context.Context, t *sql.Tx, records ...action.Record) error {
	put := t.StmtContext(ctx, s.db.putRecord)
	defer put.Close()
	for n := range records {
		values, err := recordTable.values(&records[n])
		if err != nil {
			return err
		}
		if _, err := put.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return nil
}

// CallBegin implements action.CallStore.
func (s *Calls) CallBegin(ctx context.Context, c *action.Claim, r action.Record) (claim action.Claim, begun bool, err error) {
	err = s.together(ctx, func(ctx context.Context, t *sql.Tx) error {
		claim, begun = action.Claim{}, true
		if c != nil {
			found, err := claimTable.list(ctx, t, "WHERE scope = ? AND key = ?", c.Scope, c.Key)
			if err != nil {
				return err
			}
			if len(found) > 0 && found[0].Expires.After(c.Created) {
				claim, begun = found[0], false
				return nil
			}
			if len(found) > 0 {
				if _, err := t.ExecContext(ctx, "DELETE FROM action_claim WHERE scope = ? AND key = ?", c.Scope, c.Key); err != nil {
					return err
				}
			}
			if _, err := claimTable.insert(ctx, t, c); err != nil {
				return err
			}
			claim = *c
		}
		return s.record(ctx, t, r)
	})
	return claim, begun && err == nil, err
}

// CallEnd implements action.CallStore.
func (s *Calls) CallEnd(ctx context.Context, c *action.Claim, r action.Record) error {
	return s.together(ctx, func(ctx context.Context, t *sql.Tx) error {
		if c != nil {
			old, err := claimTable.list(ctx, t, "WHERE scope = ? AND key = ? AND call_id = ?", c.Scope, c.Key, c.CallID)
			if err != nil {
				return err
			}
			if len(old) > 0 {
				if err := claimTable.update(ctx, t, &old[0], c); err != nil {
					return err
				}
			}
		}
		return s.record(ctx, t, r)
	})
}

// CallCancel implements action.CallStore.
func (s *Calls) CallCancel(ctx context.Context, c *action.Claim, r action.Record) error {
	return s.together(ctx, func(ctx context.Context, t *sql.Tx) error {
		if c != nil {
			if _, err := t.ExecContext(ctx, "DELETE FROM action_claim WHERE scope = ? AND key = ? AND call_id = ?", c.Scope, c.Key, c.CallID); err != nil {
				return err
			}
		}
		return s.record(ctx, t, r)
	})
}

// CallsInterrupt implements action.CallStore.
func (s *Calls) CallsInterrupt(ctx context.Context, now time.Time) (count int, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if _, err := t.ExecContext(ctx, "UPDATE action_claim SET state = 'interrupted' WHERE state = 'running'"); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, "UPDATE action_approval SET state = 'interrupted', reason = 'the server stopped while the call was under way' WHERE state = 'approved'"); err != nil {
			return err
		}
		result, err := t.ExecContext(ctx, "UPDATE action_record SET outcome = 'INTERRUPTED' WHERE outcome = 'STARTED' AND time <= ?", now.UnixNano())
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		count = int(n)
		return err
	}, nil)
	return count, err
}

// CallsExpire implements action.CallStore.
func (s *Calls) CallsExpire(ctx context.Context, now, before time.Time) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if _, err := t.ExecContext(ctx, "DELETE FROM action_claim WHERE expires <= ?", now.UnixNano()); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, "UPDATE action_approval SET state = 'expired' WHERE state = 'pending' AND expires <= ?", now.UnixNano()); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, "DELETE FROM action_approval WHERE state NOT IN ('pending', 'approved') AND created < ?", before.UnixNano()); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, "DELETE FROM action_record WHERE time < ?", before.UnixNano())
		return err
	}, nil)
}

// RecordsPut implements action.RecordStore.
func (s *Calls) RecordsPut(ctx context.Context, records []action.Record) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		return s.record(ctx, t, records...)
	}, nil)
}

// RecordPage implements action.RecordStore.
func (s *Calls) RecordPage(ctx context.Context, connectorID string, after action.RecordKey, limit int) (list []action.Record, err error) {
	where, args := "WHERE true", []any{}
	if connectorID != "" {
		where, args = where+" AND connector_id = ?", append(args, connectorID)
	}
	if after != (action.RecordKey{}) {
		where, args = where+" AND (time, id) < (?, ?)", append(args, after.Time.UnixNano(), after.ID)
	}
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = recordTable.list(ctx, t, where+" ORDER BY time DESC, id DESC LIMIT ?", append(args, limit)...)
		return err
	})
	return list, err
}

func noApproval(id string) error {
	return fault.New(fault.NotFound, action.SubjectApproval, "there is no approval %q", id)
}

// ApprovalCreate implements action.ApprovalStore.
func (s *Calls) ApprovalCreate(ctx context.Context, a action.Approval) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		taken, err := has(ctx, t, "SELECT 1 FROM action_approval WHERE id = ?", a.ID)
		if err != nil {
			return err
		}
		if taken {
			return fault.New(fault.AlreadyExists, action.SubjectApproval, "there is an approval %q already", a.ID)
		}
		_, err = approvalTable.insert(ctx, t, &a)
		return err
	}, nil)
}

// ApprovalGet implements action.ApprovalStore.
func (s *Calls) ApprovalGet(ctx context.Context, id string) (a action.Approval, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		a, err = approvalTable.get(ctx, t, noApproval(id), "WHERE id = ?", id)
		return err
	})
	return a, err
}

// ApprovalUpdate implements action.ApprovalStore.
func (s *Calls) ApprovalUpdate(ctx context.Context, id string, change func(*action.Approval) error) (a action.Approval, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		old, err := approvalTable.get(ctx, t, noApproval(id), "WHERE id = ?", id)
		if err != nil {
			return err
		}
		a = old
		if err := change(&a); err != nil {
			return err
		}
		a.ID, a.Created = old.ID, old.Created
		return approvalTable.update(ctx, t, &old, &a)
	}, nil)
	if err != nil {
		return action.Approval{}, err
	}
	return a, nil
}

// ApprovalPage implements action.ApprovalStore.
func (s *Calls) ApprovalPage(ctx context.Context, connectorID string, state action.ApprovalState, after string, limit int) (list []action.Approval, err error) {
	where, args := "WHERE id > ?", []any{after}
	if connectorID != "" {
		where, args = where+" AND connector_id = ?", append(args, connectorID)
	}
	if state != "" {
		where, args = where+" AND state = ?", append(args, string(state))
	}
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = approvalTable.list(ctx, t, where+" ORDER BY id LIMIT ?", append(args, limit)...)
		return err
	})
	return list, err
}
