package statements

import (
	"fmt"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// event is what can happen to a statement.
type event string

const (
	pick    event = "picked"
	start   event = "started"
	finish  event = "finished"
	fail    event = "failed"
	abort   event = "aborted"
	requeue event = "queued again"
)

// next is the only way from one status to another.
//
//	           pick    start    finish    fail    abort    requeue
//	SUBMITTED  PICKED  -        -         FAILED  ABORTED  SUBMITTED
//	PICKED     -       STARTED  FINISHED  FAILED  ABORTED  SUBMITTED
//	STARTED    -       -        FINISHED  FAILED  ABORTED  SUBMITTED
//
// Nothing leads out of FINISHED, FAILED and ABORTED. requeue is what a restart does; a
// picked statement is finished when its transaction turns out to have committed before that restart.
func next(from Status, e event) (Status, bool) {
	switch {
	case from.Done():
		return from, false
	case e == fail:
		return Failed, true
	case e == abort:
		return Aborted, true
	case e == requeue:
		return Submitted, true
	case from == Submitted && e == pick:
		return Picked, true
	case from == Picked && e == start:
		return Started, true
	case (from == Picked || from == Started) && e == finish:
		return Finished, true
	}
	return from, false
}

// move applies e to s and to those of its parts that are not done, or returns a fault of kind State.
func (s *Statement) move(e event, now time.Time) error {
	to, ok := next(s.Status, e)
	if !ok {
		return fault.New(fault.State, SubjectStatement, "the statement %s is %s and cannot be %s", s.ID, s.Status, e)
	}
	s.Status, s.Updated = to, now
	for n := range s.Subs {
		sub := &s.Subs[n]
		if sub.Status.Done() {
			continue
		}
		switch {
		case to == Failed: // the part that failed says so itself
			sub.Status = Aborted
		case to == Started && n > 0: // parts run one after the other
			sub.Status = Submitted
		default:
			sub.Status = to
		}
		sub.Updated = now
	}
	return nil
}

// sub returns part n, from 0.
func (s *Statement) sub(n int) (*Sub, error) {
	if n < 0 || n >= len(s.Subs) {
		return nil, fault.New(fault.NotFound, SubjectStatement, "the statement %s has no part %d; it has %d", s.ID, n+1, len(s.Subs))
	}
	return &s.Subs[n], nil
}

// ExpiredAt is the fault of a statement whose result was forgotten at the given time, in AWS's words, which
// clients look for.
func ExpiredAt(t time.Time) error {
	return fault.New(fault.Expired, SubjectStatement, "Could not retrieve the query result as it has expired after %d.", t.Unix())
}

// unknown is the fault of an id that no statement has.
func unknown(id string) error {
	return fault.New(fault.NotFound, SubjectStatement, "Query %s does not exist.", fmt.Sprintf("%.64s", id))
}
