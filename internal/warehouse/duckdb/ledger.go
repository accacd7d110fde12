package duckdb

import (
	"context"
	"encoding/json"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// markRetention is how long the marks of committed statements are kept: twice as long as a statement is.
const markRetention = 48 * time.Hour

// MarkStatement makes the open transaction, which there must be, say that it carried out the statement of
// this id. The mark commits with what the statement did (invariants 1 and 9).
func (s *Session) MarkStatement(ctx context.Context, id string) error {
	return s.do(ctx, func() error {
		if !s.open {
			return fault.New(fault.State, SubjectTransaction, "there is no transaction to mark")
		}
		s.fresh, s.marked = false, true
		now := s.e.w.o.Now().UTC()
		_, err := s.conn.exec(ctx, "INSERT OR REPLACE INTO "+s.internal("statements")+" VALUES (?, ?)", id, now)
		return err
	})
}

// internal is the full name of an internal table of the session's database.
func (s *Session) internal(table string) string { return ident(s.db.name) + ".penstock." + table }

// StatementCommitted reports whether a transaction with the mark of this statement has committed. A database
// that does not exist has no marks.
func (w *Warehouse) StatementCommitted(ctx context.Context, database, id string) (committed bool, err error) {
	err = w.with(ctx, database, func(s *Session) error {
		return s.do(ctx, func() error {
			return s.conn.read(ctx, "SELECT 1 FROM "+s.internal("statements")+" WHERE id = ?", []any{id}, func([]any) error {
				committed = true
				return nil
			})
		})
	})
	if fault.Is(err, fault.NotFound, SubjectDatabase) {
		return false, nil
	}
	return committed, err
}

// Unloaded returns those of keys, in their order, that the job's ledger does not have; with failed also those
// it has as failed.
func (w *Warehouse) Unloaded(ctx context.Context, database string, jobID int64, keys []string, failed bool) ([]string, error) {
	var left []string
	err := w.with(ctx, database, func(s *Session) error {
		return s.do(ctx, func() error {
			settled, err := s.settled(ctx, jobID, keys, !failed)
			for _, k := range keys {
				if _, ok := settled[k]; !ok {
					left = append(left, k)
				}
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return left, nil
}

// settled returns the ledger's status of those of keys that are in it, without the failed ones unless asked
// for.
func (s *Session) settled(ctx context.Context, jobID int64, keys []string, failed bool) (map[string]load.Status, error) {
	list, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	out := map[string]load.Status{}
	err = s.conn.read(ctx, "SELECT key, status FROM "+s.internal("files")+" WHERE job_id = $1 AND key IN (SELECT unnest(from_json($2, '[\"VARCHAR\"]')))",
		[]any{jobID, string(list)}, func(v []any) error {
			if status := load.Status(v[1].(string)[0]); failed || status != load.Failed {
				out[v[0].(string)] = status
			}
			return nil
		})
	return out, err
}

// JobsInLedger returns the ids of the jobs the database's ledger has entries of, in order.
func (w *Warehouse) JobsInLedger(ctx context.Context, database string) (ids []int64, err error) {
	err = w.with(ctx, database, func(s *Session) error {
		return s.do(ctx, func() error {
			return s.conn.read(ctx, "SELECT DISTINCT job_id FROM "+s.internal("files")+" UNION SELECT job_id FROM "+s.internal("jobs")+" ORDER BY 1", nil,
				func(v []any) error {
					ids = append(ids, v[0].(int64))
					return nil
				})
		})
	})
	return ids, err
}

// ForgetJob removes the job's ledger. The rows it loaded stay.
func (w *Warehouse) ForgetJob(ctx context.Context, database string, jobID int64) error {
	return w.with(ctx, database, func(s *Session) error {
		return s.do(ctx, func() error {
			return s.conn.transact(ctx, func() error {
				for _, table := range []string{"files", "jobs"} {
					if _, err := s.conn.exec(ctx, "DELETE FROM "+s.internal(table)+" WHERE job_id = ?", jobID); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

// JobCounts is what the ledger says of a job.
type JobCounts struct {
	Loaded, Failed int64 // files
	Rows, Bytes    int64 // of the loaded ones, as stored
	Last           time.Time
}

// JobCounts sums up the ledger of every job in a database, by job id.
func (w *Warehouse) JobCounts(ctx context.Context, database string) (map[int64]JobCounts, error) {
	counts := map[int64]JobCounts{}
	err := w.with(ctx, database, func(s *Session) error {
		return s.do(ctx, func() error {
			return s.conn.read(ctx, `SELECT job_id, count(*) FILTER (status = 'I'), count(*) FILTER (status = 'E'),
				CAST(coalesce(sum(rows) FILTER (status = 'I'), 0) AS BIGINT), CAST(coalesce(sum(size) FILTER (status = 'I'), 0) AS BIGINT),
				epoch_us(max(settled)) FROM `+s.internal("files")+` GROUP BY job_id`, nil, func(v []any) error {
				c := JobCounts{Loaded: v[1].(int64), Failed: v[2].(int64), Rows: v[3].(int64), Bytes: v[4].(int64)}
				if us, ok := v[5].(int64); ok {
					c.Last = time.UnixMicro(us).UTC()
				}
				counts[v[0].(int64)] = c
				return nil
			})
		})
	})
	return counts, err
}
