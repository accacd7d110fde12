package statements

import (
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

func TestTransitions(t *testing.T) {
	const refused = Status("refused")
	events := []event{pick, start, finish, fail, abort, requeue}
	for from, want := range map[Status][]Status{
		//         pick     start    finish    fail    abort    requeue
		Submitted: {Picked, refused, refused, Failed, Aborted, Submitted},
		Picked:    {refused, Started, Finished, Failed, Aborted, Submitted},
		Started:   {refused, refused, Finished, Failed, Aborted, Submitted},
		Finished:  {refused, refused, refused, refused, refused, refused},
		Failed:    {refused, refused, refused, refused, refused, refused},
		Aborted:   {refused, refused, refused, refused, refused, refused},
	} {
		for n, e := range events {
			s := Statement{ID: "s", Status: from, Subs: []Sub{{Status: from}, {Status: from}}}
			now := time.Unix(5, 0)
			err := s.move(e, now)
			if want[n] == refused {
				if !fault.Is(err, fault.State, SubjectStatement) || s.Status != from || !s.Updated.IsZero() || s.Subs[0].Status != from {
					t.Errorf("%s, %s: %+v, %v, want it refused and nothing changed", from, e, s, err)
				}
				continue
			}
			if err != nil || s.Status != want[n] || s.Updated != now {
				t.Errorf("%s, %s: %s, %v, want %s", from, e, s.Status, err, want[n])
			}
			first, second := want[n], want[n]
			switch want[n] {
			case Failed:
				first, second = Aborted, Aborted // the one that failed is told by name
			case Started:
				second = Submitted // parts run one after the other
			}
			if s.Subs[0].Status != first || s.Subs[1].Status != second {
				t.Errorf("%s, %s: parts %s and %s, want %s and %s", from, e, s.Subs[0].Status, s.Subs[1].Status, first, second)
			}
		}
	}
}
