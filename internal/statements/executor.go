package statements

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// What follows is for the executor, the one that runs statements. For each of them it calls Pick and Start, then
// FinishSub for each part, commits the transaction, and calls Finish; or else Fail or Abort. A result's pages are
// put before the commit, so that what is shown as finished is all there. A picked statement with MayHaveRun was
// under way when the process died: the executor first asks the warehouse whether its transaction committed, and
// if so calls Finish at once, with what FinishSub recorded then.

// MayHaveRun reports whether s was started before and may have taken effect.
func (s Statement) MayHaveRun() bool { return s.QueryID != 0 }

// Recover puts statements that were under way when the process died back in the queue, and aborts those that
// were to be cancelled and had not started. It is called once, before the first Pick.
func (s *Service) Recover(ctx context.Context) error {
	for _, status := range []Status{Picked, Started} {
		for {
			list, err := s.c.Store.StatementList(ctx, Filter{Status: status}, Cursor{}, MaxActive)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				break
			}
			for _, st := range list {
				_, err := s.c.Store.StatementUpdate(ctx, st.ID, func(st *Statement) error {
					if st.CancelRequested && !st.MayHaveRun() {
						return st.move(abort, s.c.Now())
					}
					return st.move(requeue, s.c.Now())
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pickBatch is how many waiting statements are looked at together.
const pickBatch = 20

// Pick takes the oldest waiting statement that accept agrees to, marks it PICKED and returns it. Without one, ok
// is false. accept may be nil; it is how the executor passes over a warehouse or a session that is busy.
func (s *Service) Pick(ctx context.Context, accept func(Statement) bool) (_ Statement, ok bool, _ error) {
	var after Cursor
	for {
		list, err := s.c.Store.StatementList(ctx, Filter{Status: Submitted, OldestFirst: true}, after, pickBatch)
		if err != nil {
			return Statement{}, false, err
		}
		for _, st := range list {
			after = Cursor{st.Created, st.ID}
			if accept != nil && !accept(st) {
				continue
			}
			st, err := s.c.Store.StatementUpdate(ctx, st.ID, func(st *Statement) error { return st.move(pick, s.c.Now()) })
			if err == nil {
				return st, true, nil
			}
			if k := fault.KindOf(err); k != fault.State && k != fault.NotFound { // cancelled or taken meanwhile
				return Statement{}, false, err
			}
		}
		if len(list) < pickBatch {
			return Statement{}, false, nil
		}
	}
}

// Canceling returns the statements under way that are to be cancelled. The executor stops them and calls Abort.
func (s *Service) Canceling(ctx context.Context) ([]Statement, error) {
	var out []Statement
	for _, status := range []Status{Picked, Started} {
		list, err := s.c.Store.StatementList(ctx, Filter{Status: status}, Cursor{}, MaxActive)
		if err != nil {
			return nil, err
		}
		for _, st := range list {
			if st.CancelRequested {
				out = append(out, st)
			}
		}
	}
	return out, nil
}

// Start marks a picked statement STARTED; queryID and pid are above 0. One that is to be cancelled is a fault of
// kind Canceled, and stays as it is for Abort.
func (s *Service) Start(ctx context.Context, id string, queryID, pid int64) (Statement, error) {
	return s.c.Store.StatementUpdate(ctx, id, func(st *Statement) error {
		if st.CancelRequested {
			return fault.New(fault.Canceled, SubjectStatement, "the statement %s was cancelled", st.ID)
		}
		st.QueryID, st.PID = queryID, pid
		return st.move(start, s.c.Now())
	})
}

// SubResult is what running a part gave.
type SubResult struct {
	HasResultSet bool
	Columns      []Column
	Rows         int64 // of the result, or changed; -1 where nobody knows
	Size         int64 // of the result in bytes; -1 where nobody knows
	QueryID      int64
	Duration     time.Duration
}

// FinishSub records what part n, from 0, of a started statement gave. The part is not FINISHED by that: the parts
// of a statement are one transaction, and nothing is shown as done before it is durable.
func (s *Service) FinishSub(ctx context.Context, id string, n int, r SubResult) error {
	_, err := s.c.Store.StatementUpdate(ctx, id, func(st *Statement) error {
		if st.Status != Started {
			return fault.New(fault.State, SubjectStatement, "the statement %s is %s; its parts cannot have run", st.ID, st.Status)
		}
		sub, err := st.sub(n)
		if err != nil {
			return err
		}
		now := s.c.Now()
		sub.record(r, now)
		if n+1 < len(st.Subs) {
			following := &st.Subs[n+1]
			following.Status, following.Updated = Started, now
		}
		st.Updated = now
		return nil
	})
	return err
}

func (s *Sub) record(r SubResult, now time.Time) {
	s.HasResultSet, s.Columns, s.Rows, s.Size, s.QueryID, s.Duration, s.Updated = r.HasResultSet, r.Columns, r.Rows, r.Size, r.QueryID, r.Duration, now
}

// Finish marks a statement and its parts FINISHED; its transaction is committed. last, where given, are
// the results of the last parts that FinishSub was not called for, which saves a write for a statement of one
// part.
func (s *Service) Finish(ctx context.Context, id string, last ...SubResult) (Statement, error) {
	return s.c.Store.StatementUpdate(ctx, id, func(st *Statement) error {
		if len(last) > len(st.Subs) {
			return fault.New(fault.Internal, SubjectStatement, "the statement %s has %d parts and %d results", st.ID, len(st.Subs), len(last))
		}
		now := s.c.Now()
		for n, r := range last {
			st.Subs[len(st.Subs)-len(last)+n].record(r, now)
		}
		st.Duration = st.total()
		return st.move(finish, now)
	})
}

// Fail marks a statement FAILED. n is the part that failed, from 0, or -1 when none was to blame; the parts after
// it are ABORTED, and so are those before it, whose effect was rolled back with it.
func (s *Service) Fail(ctx context.Context, id string, n int, message string, ran time.Duration) (Statement, error) {
	return s.c.Store.StatementUpdate(ctx, id, func(st *Statement) error {
		now := s.c.Now()
		st.Error = message
		if n >= 0 {
			sub, err := st.sub(n)
			if err != nil {
				return err
			}
			sub.Duration = ran
			if err := st.move(fail, now); err != nil {
				return err
			}
			sub.Status, sub.Error, sub.Updated = Failed, message, now
		} else if err := st.move(fail, now); err != nil {
			return err
		}
		st.Duration = st.total()
		return nil
	})
}

// Abort marks a statement ABORTED; nothing of it is in effect.
func (s *Service) Abort(ctx context.Context, id, message string) (Statement, error) {
	return s.c.Store.StatementUpdate(ctx, id, func(st *Statement) error {
		st.Error, st.Duration = message, st.total()
		return st.move(abort, s.c.Now())
	})
}

func (s *Statement) total() time.Duration {
	var sum time.Duration
	for _, sub := range s.Subs {
		sum += sub.Duration
	}
	return sum
}

// PutPage stores page number, from 0, of the result of part n, from 0.
func (s *Service) PutPage(ctx context.Context, id string, n, number int, p Page) error {
	return s.c.Results.PagePut(ctx, id, n, number, p)
}

// ClearPages drops the pages that an earlier attempt at a statement left. The executor calls it before it runs a
// statement.
func (s *Service) ClearPages(ctx context.Context, id string) error {
	return s.c.Results.PageClear(ctx, id)
}
