package appint

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/schedule"
)

// request completes an execution of a that is asked for at now.
func (s *Service) request(a *Association, e Execution, now time.Time) *Execution {
	e.ID, e.AssociationID, e.IntegrationID, e.Plan = s.c.NewID(), a.ID, a.IntegrationID, a.Plan
	e.Status, e.Requested = Waiting, now
	if e.NotBefore.IsZero() {
		e.NotBefore = now
	}
	return &e
}

// RunNow asks for an execution of an association, whatever its schedule. With a startTime its window is that one, as
// of an execution on demand. Without, an association on demand runs for its own window again, and any other one
// goes on where the last successful execution ended.
func (s *Service) RunNow(ctx context.Context, integration, association, startTime, endTime string) (Execution, error) {
	d, a, err := s.find(ctx, integration, association)
	if err != nil {
		return Execution{}, err
	}
	now := s.c.Now()
	var out Execution
	_, err = s.c.Stores.Associations.Update(ctx, a.ID, func(a *Association) (*Execution, error) {
		c := a.Run.Schedule
		if a.Run.Mode == "" {
			c = d.Schedule
		}
		p, err := s.plan(d, a.Plan.DestinationURI, a.Objects, c, true)
		if err != nil {
			return nil, err
		}
		a.Plan = p
		e := Execution{Trigger: ByRequest}
		switch {
		case startTime != "":
			e.From, e.To, err = windowOf(startTime, endTime, now)
		case endTime == "" && a.Run.Mode == OnDemand:
			e.From, e.To, err = windowOf(a.Run.StartTime, a.Run.EndTime, now)
		case endTime != "":
			err = fault.New(fault.Invalid, SubjectWindow, "an end was given without a start; give both, or neither to go on where the last execution ended")
		default:
			e.Incremental, e.To = true, ceil(now)
			e.NotBefore = e.To.Add(s.c.Settle)
		}
		if err != nil {
			return nil, err
		}
		out = *s.request(a, e, now)
		return &out, nil
	})
	if err != nil {
		return Execution{}, named(err, SubjectAssociation, association)
	}
	s.c.Notify()
	return out, nil
}

// Executions returns a page of what an association did and does, newest first.
func (s *Service) Executions(ctx context.Context, integration, association string, p Page) ([]Execution, string, error) {
	_, a, err := s.find(ctx, integration, association)
	if err != nil {
		return nil, "", err
	}
	return paged("executions", p, Query{Parent: a.ID}, in(ctx, s.c.Stores.History.List), func(e Execution) int64 { return e.Number })
}

// Execution returns an execution of an association.
func (s *Service) Execution(ctx context.Context, integration, association, id string) (Execution, error) {
	_, a, err := s.find(ctx, integration, association)
	if err != nil {
		return Execution{}, err
	}
	e, err := s.c.Stores.History.Get(ctx, id)
	if err == nil && e.AssociationID != a.ID {
		err = elsewhere(SubjectExecution, id)
	}
	return e, named(err, SubjectExecution, id)
}

// Cancel stops an execution: a waiting one at once, a running one soon. One that is done is State.
func (s *Service) Cancel(ctx context.Context, integration, association, id string) (Execution, error) {
	e, err := s.Execution(ctx, integration, association, id)
	if err != nil {
		return e, err
	}
	now := s.c.Now()
	e, err = s.c.Stores.Queue.Change(ctx, id, func(e *Execution, a *Association) error {
		switch {
		case e.Status.Done():
			return fault.New(fault.State, SubjectExecution, "the execution %s is %s already", id, e.Status)
		case e.Status == Running:
			e.Cancel = true
		default:
			e.end(a, Canceled, canceledMessage, now)
		}
		return nil
	})
	if err != nil {
		return e, named(err, SubjectExecution, id)
	}
	s.c.Notify()
	return e, nil
}

const canceledMessage = "Canceled by request before it was done."

// batch is how many due associations are looked at in one transaction.
const batch = 500

// Claim asks for an execution of every association that is due, and then takes at most limit executions that can
// start now: they are RUNNING when it returns.
func (s *Service) Claim(ctx context.Context, limit int) ([]Execution, error) {
	now := s.c.Now()
	for {
		n, err := s.c.Stores.Queue.Schedule(ctx, now, batch, func(a Association) (time.Time, Execution) { return s.due(a, now) })
		if err != nil {
			return nil, err
		}
		if n < batch {
			break
		}
	}
	return s.c.Stores.Queue.Claim(ctx, now, limit)
}

// due returns the execution of an association whose schedule has come due, and when it will again.
func (s *Service) due(a Association, now time.Time) (time.Time, Execution) {
	next := time.Time{}
	if c, err := schedule.Parse(a.Expression); err == nil { // it was parsed before it was stored
		next = c.Next(a.Anchor, now)
	}
	e := Execution{Trigger: BySchedule, Incremental: true, To: now.UTC().Add(-s.c.Settle).Truncate(time.Second)}
	return next, *s.request(&a, e, now)
}

// Resume counts another start of every execution that is RUNNING, and returns them: what an earlier process began and
// did not end.
func (s *Service) Resume(ctx context.Context) ([]Execution, error) {
	list, err := s.c.Stores.Queue.Running(ctx, false)
	if err != nil {
		return nil, err
	}
	for n := range list {
		if list[n], err = s.c.Stores.Queue.Change(ctx, list[n].ID, func(e *Execution, _ *Association) error {
			e.Attempts++
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Canceled returns the running executions that somebody wants to stop.
func (s *Service) Canceled(ctx context.Context) ([]Execution, error) {
	return s.c.Stores.Queue.Running(ctx, true)
}

// Next is the first moment after after at which Claim will have something to do that it has not now, unless something
// is asked for or ends before. The zero time is never.
func (s *Service) Next(ctx context.Context, after time.Time) (time.Time, error) {
	return s.c.Stores.Queue.Next(ctx, after)
}

// Report stores how far a running execution is, with its mark. note, unless empty, is what the user is told instead of
// the figures. An execution that is not running any more is no error.
func (s *Service) Report(ctx context.Context, id string, p Progress, note string) error {
	_, err := s.c.Stores.Queue.Change(ctx, id, func(e *Execution, a *Association) error {
		if e.Status != Running {
			return nil
		}
		e.Progress = p
		if a != nil && a.Last.ExecutionID == id {
			a.Last = Last{id, Running, cut(cmp.Or(note, p.String()), maxMessage)}
		}
		return nil
	})
	return ignoreMissing(err)
}

// Outcome is how an execution ended. The Mark of Progress is not kept.
type Outcome struct {
	Status   Status // one that is done
	Message  string // empty for a summary
	Progress Progress
}

// Finish ends a running execution. One that is not running any more is no error.
func (s *Service) Finish(ctx context.Context, id string, o Outcome) (Execution, error) {
	if !o.Status.Done() {
		return Execution{}, fault.New(fault.Internal, SubjectExecution, "%q is not the status of an execution that is done", o.Status)
	}
	now := s.c.Now()
	e, err := s.c.Stores.Queue.Change(ctx, id, func(e *Execution, a *Association) error {
		if e.Status != Running {
			return nil
		}
		e.Progress = o.Progress
		message := o.Message
		switch {
		case message != "":
		case o.Status == Completed:
			message = cmp.Or(o.Progress.String(), "Nothing new in the window.")
		case o.Status == Canceled:
			message = canceledMessage
		}
		e.end(a, o.Status, message, now)
		return nil
	})
	if err == nil {
		s.c.Notify() // the association's next one may start
	}
	return e, ignoreMissing(err)
}

// end moves e to a status that is done, and its association, if there is one, with it.
func (e *Execution) end(a *Association, status Status, message string, now time.Time) {
	e.Status, e.Message, e.Ended, e.Progress.Mark = status, cut(message, maxMessage), now, nil
	if a == nil {
		return
	}
	if status == Completed && e.Incremental && e.To.After(a.Since) {
		a.Since = e.To
	}
	if a.Last.ExecutionID == e.ID {
		a.Last = Last{e.ID, status, e.Message}
	}
}

// maxMessage is the length of a StatusMessage in characters.
const maxMessage = 255

// cut shortens text to n characters.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := []rune(text)
	return string(runes[:n-1]) + "…"
}

func ignoreMissing(err error) error {
	if fault.Is(err, fault.NotFound, SubjectExecution) {
		return nil
	}
	return err
}

// String tells p in a few words, "12 of 40 files, 3456 rows, 1.2 MiB", or none while there is nothing to tell.
func (p Progress) String() string {
	out := ""
	add := func(n, total int64, unit string) {
		if n == 0 && total == 0 {
			return
		}
		if out != "" {
			out += ", "
		}
		out += strconv.FormatInt(n, 10)
		if total > n {
			out += " of " + strconv.FormatInt(total, 10)
		}
		out += " " + unit
		if max(n, total) != 1 {
			out += "s"
		}
	}
	add(p.Files, p.FilesTotal, "file")
	add(p.Rows, p.RowsTotal, "row")
	if out != "" && p.Bytes > 0 {
		out += ", " + size(p.Bytes)
	}
	return out
}

func size(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	v, units := float64(n), []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	unit := ""
	for _, unit = range units {
		if v /= 1 << 10; v < 1<<10 {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}
