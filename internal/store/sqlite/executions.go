package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/fault"
)

// Associations is an appint.AssociationStore.
type Associations struct{ Resources[appint.Association] }

// Create implements appint.AssociationStore.
func (s *Associations) Create(ctx context.Context, a appint.Association, first *appint.Execution, token appint.Token, r appint.Rules) (stored appint.Association, created bool, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		a := a
		if first != nil {
			a.Last = appint.Last{ExecutionID: first.ID, Status: first.Status}
		}
		once := func(ctx context.Context, t *sql.Tx) error {
			associated, err := has(ctx, t, "SELECT 1 FROM data_integration WHERE id = ? AND associated", a.IntegrationID)
			if err == nil && associated && r.Once {
				err = fault.New(fault.State, appint.SubjectDataIntegration, "the data integration %q was associated before", a.IntegrationID)
			}
			return err
		}
		if stored, created, err = s.kind.create(ctx, t, a, token, r.Max, once); err != nil || !created {
			return err
		}
		if _, err := t.ExecContext(ctx, "UPDATE data_integration SET associated = 1 WHERE id = ?", a.IntegrationID); err != nil {
			return err
		}
		return addExecution(ctx, t, first)
	}, nil)
	return stored, created, err
}

func addExecution(ctx context.Context, t *sql.Tx, e *appint.Execution) error {
	if e == nil {
		return nil
	}
	v := *e // a transaction may be run more than once
	return executions.insert(ctx, t, &v)
}

// Update implements appint.AssociationStore.
func (s *Associations) Update(ctx context.Context, id string, change func(*appint.Association) (*appint.Execution, error)) (a appint.Association, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		var e *appint.Execution
		a, err = s.kind.update(ctx, t, id, func(a *appint.Association) (err error) {
			if e, err = change(a); err == nil && e != nil {
				a.Last = appint.Last{ExecutionID: e.ID, Status: e.Status}
			}
			return err
		})
		if err != nil || e == nil {
			return err
		}
		var waiting int
		if err := t.QueryRowContext(ctx, "SELECT count(*) FROM execution WHERE association_id = ? AND status = 'WAITING'", id).Scan(&waiting); err != nil {
			return err
		}
		if waiting >= appint.MaxWaiting {
			return fault.New(fault.Limit, appint.SubjectExecution, "%d executions of the association %q are waiting", waiting, id)
		}
		return addExecution(ctx, t, e)
	}, nil)
	return a, err
}

// Delete implements appint.AssociationStore.
func (s *Associations) Delete(ctx context.Context, id string) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if err := s.kind.delete(ctx, t, id); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, "DELETE FROM execution WHERE association_id = ? AND status <> 'RUNNING'", id); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, "UPDATE execution SET cancel = 1 WHERE association_id = ?", id)
		return err
	}, nil)
}

// Executions is an appint.ExecutionQueue and an appint.ExecutionHistory.
type Executions struct{ db *DB }

// Schedule implements appint.ExecutionQueue.
func (s *Executions) Schedule(ctx context.Context, now time.Time, limit int, plan func(appint.Association) (time.Time, appint.Execution)) (n int, err error) {
	due, err := s.anyDue(ctx, now)
	if err != nil || !due {
		return 0, err
	}
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err := associations.entity.list(ctx, t, "WHERE next_due > 0 AND next_due <= ? ORDER BY next_due, number LIMIT ?", now.UnixNano(), limit)
		if err != nil {
			return err
		}
		for _, old := range list {
			a := old
			next, e := plan(a)
			a.NextDue = next
			if err := s.enqueue(ctx, t, &a, e); err != nil {
				return err
			}
			if err := associations.entity.update(ctx, t, &old, &a); err != nil {
				return err
			}
		}
		n = len(list)
		return nil
	}, nil)
	return n, err
}

// anyDue spares the writer a transaction when nothing is.
func (s *Executions) anyDue(ctx context.Context, now time.Time) (due bool, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		due, err = has(ctx, t, "SELECT 1 FROM data_association WHERE next_due > 0 AND next_due <= ?", now.UnixNano())
		return err
	})
	return due, err
}

// enqueue stores e, or widens the scheduled execution that is waiting already.
func (s *Executions) enqueue(ctx context.Context, t *sql.Tx, a *appint.Association, e appint.Execution) error {
	newest, err := executions.entity.list(ctx, t, "WHERE association_id = ? ORDER BY number DESC LIMIT 1", a.ID)
	if err != nil {
		return err
	}
	if len(newest) == 1 && newest[0].Status == appint.Waiting && newest[0].Trigger == appint.BySchedule {
		wider := newest[0]
		wider.To, wider.NotBefore = e.To, e.NotBefore
		return executions.entity.update(ctx, t, &newest[0], &wider)
	}
	a.Last = appint.Last{ExecutionID: e.ID, Status: e.Status}
	return addExecution(ctx, t, &e)
}

// claimable are the waiting executions whose turn it is. An association's executions come in the order of their
// numbers.
const claimable = `WHERE status = 'WAITING' AND not_before <= ?
  AND NOT EXISTS (SELECT 1 FROM execution r WHERE r.association_id = execution.association_id AND r.status = 'RUNNING')
  AND NOT EXISTS (SELECT 1 FROM execution w WHERE w.association_id = execution.association_id AND w.number < execution.number AND w.status = 'WAITING')
  ORDER BY number LIMIT ?`

// Claim implements appint.ExecutionQueue.
func (s *Executions) Claim(ctx context.Context, now time.Time, limit int) (list []appint.Execution, err error) {
	var any bool
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		any, err = has(ctx, t, "SELECT 1 FROM execution WHERE status = 'WAITING' AND not_before <= ?", now.UnixNano())
		return err
	})
	if err != nil || !any {
		return nil, err
	}
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if list, err = executions.entity.list(ctx, t, claimable, now.UnixNano(), limit); err != nil {
			return err
		}
		for n := range list {
			old := list[n]
			e := &list[n]
			e.Status, e.Started, e.Attempts = appint.Running, now, e.Attempts+1
			if e.Incremental {
				a, err := associations.get(ctx, t, e.AssociationID)
				if err != nil {
					return err
				}
				if e.From = a.Since; e.From.After(e.To) {
					e.From = e.To
				}
			}
			if err := executions.entity.update(ctx, t, &old, e); err != nil {
				return err
			}
			if _, err := t.ExecContext(ctx, "UPDATE data_association SET last_status = 'RUNNING' WHERE id = ? AND last_execution = ?", e.AssociationID, e.ID); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Running implements appint.ExecutionQueue.
func (s *Executions) Running(ctx context.Context, canceled bool) (list []appint.Execution, err error) {
	rest := "WHERE status = 'RUNNING' ORDER BY number"
	if canceled {
		rest = "WHERE status = 'RUNNING' AND cancel ORDER BY number"
	}
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = executions.entity.list(ctx, t, rest)
		return err
	})
	return list, err
}

// Next implements appint.ExecutionQueue.
func (s *Executions) Next(ctx context.Context, after time.Time) (at time.Time, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		var due, waiting sql.NullInt64
		err := t.QueryRowContext(ctx, "SELECT (SELECT min(next_due) FROM data_association WHERE next_due > 0 AND next_due > ?1), "+
			"(SELECT min(not_before) FROM execution WHERE status = 'WAITING' AND not_before > ?1)", after.UnixNano()).Scan(&due, &waiting)
		switch {
		case err != nil:
			return err
		case due.Valid && (!waiting.Valid || due.Int64 <= waiting.Int64):
			at = time.Unix(0, due.Int64).UTC()
		case waiting.Valid:
			at = time.Unix(0, waiting.Int64).UTC()
		}
		return nil
	})
	return at, err
}

// Change implements appint.ExecutionQueue.
func (s *Executions) Change(ctx context.Context, id string, change func(*appint.Execution, *appint.Association) error) (e appint.Execution, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		old, err := executions.get(ctx, t, id)
		if err != nil {
			return err
		}
		found, err := associations.entity.list(ctx, t, "WHERE id = ?", old.AssociationID)
		if err != nil {
			return err
		}
		e = old
		var next *appint.Association
		if len(found) == 1 {
			a := found[0]
			next = &a
		}
		if err := change(&e, next); err != nil {
			return err
		}
		e.Number, e.ID, e.AssociationID, e.IntegrationID, e.Requested = old.Number, old.ID, old.AssociationID, old.IntegrationID, old.Requested
		if next == nil && e.Status.Done() {
			_, err := t.ExecContext(ctx, "DELETE FROM execution WHERE id = ?", id)
			return err
		}
		if err := executions.entity.update(ctx, t, &old, &e); err != nil {
			return err
		}
		if next == nil {
			return nil
		}
		associations.keep(&found[0], next)
		if err := associations.entity.update(ctx, t, &found[0], next); err != nil || !e.Status.Done() {
			return err
		}
		_, err = t.ExecContext(ctx, "DELETE FROM execution WHERE association_id = ?1 AND status NOT IN ('WAITING', 'RUNNING') AND number <= "+
			"(SELECT number FROM execution WHERE association_id = ?1 AND status NOT IN ('WAITING', 'RUNNING') ORDER BY number DESC LIMIT 1 OFFSET ?2)",
			e.AssociationID, appint.MaxHistory)
		return err
	}, nil)
	return e, err
}

// Get implements appint.ExecutionHistory.
func (s *Executions) Get(ctx context.Context, id string) (e appint.Execution, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		e, err = executions.get(ctx, t, id)
		return err
	})
	return e, err
}

// List implements appint.ExecutionHistory.
func (s *Executions) List(ctx context.Context, q appint.Query) (list []appint.Execution, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = executions.entity.list(ctx, t, "WHERE association_id = ?1 AND (?2 = 0 OR number < ?2) ORDER BY number DESC LIMIT ?3", q.Parent, q.After, q.Limit)
		return err
	})
	return list, err
}
