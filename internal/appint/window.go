package appint

import (
	"strconv"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/schedule"
)

// maxYear bounds moments, so that they can be kept in nanoseconds.
const maxYear = 2199

// parseMoment reads epoch milliseconds or an ISO-8601 time, which is UTC unless it says otherwise.
func parseMoment(subject, member, text string) (time.Time, error) {
	var at time.Time
	ms, err := strconv.ParseUint(text, 10, 63)
	if err == nil {
		at = time.UnixMilli(int64(ms)).UTC()
	} else {
		for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
			if at, err = time.Parse(form, text); err == nil {
				at = at.UTC()
				break
			}
		}
	}
	if err != nil || at.Year() < 1970 || at.Year() > maxYear {
		return time.Time{}, fault.New(fault.Invalid, subject,
			"%s is %.60q; give milliseconds since 1970, as in 1715278292014, or a time such as 2024-05-09T18:11:32Z, up to the year %d", member, text, maxYear)
	}
	return at, nil
}

// ceil is the end of the second that t is in.
func ceil(t time.Time) time.Time { return t.UTC().Truncate(time.Second).Add(time.Second) }

// windowOf reads the window of an execution on demand that is asked for at now. Without an end it goes up to now.
func windowOf(startTime, endTime string, now time.Time) (from, to time.Time, err error) {
	if from, err = parseMoment(SubjectWindow, "StartTime", startTime); err != nil {
		return from, to, err
	}
	if !from.Before(now) {
		return from, to, fault.New(fault.Invalid, SubjectWindow,
			"StartTime is %s, and now it is %s; give a time that has passed: it bounds when records were modified, not when to run", show(from), show(now))
	}
	if endTime == "" {
		return from, ceil(now), nil
	}
	if to, err = parseMoment(SubjectWindow, "EndTime", endTime); err != nil {
		return from, to, err
	}
	if !from.Before(to) {
		return from, to, fault.New(fault.Invalid, SubjectWindow, "the window ends at %s and begins at %s; nothing can lie in it, so let EndTime be later than StartTime", show(to), show(from))
	}
	return from, to, nil
}

func show(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z") }

// timing is a Schedule, read.
type timing struct {
	schedule schedule.Schedule
	anchor   time.Time // what a rate counts from
	first    time.Time // the first execution must not be due at or before this
	since    time.Time // where the first window begins
}

// parseSchedule reads a schedule that is made at now. One that is never due again is Invalid.
func parseSchedule(c Schedule, now time.Time) (t timing, err error) {
	if t.schedule, err = schedule.Parse(c.Expression); err != nil {
		return t, err
	}
	t.anchor, t.first = now.UTC().Truncate(time.Second), now
	if c.FirstExecutionFrom != "" {
		if t.since, err = parseMoment(SubjectSchedule, "FirstExecutionFrom", c.FirstExecutionFrom); err != nil {
			return t, err
		}
		if t.since.After(now) { // there is nothing to read before that
			t.anchor, t.first = t.since, t.since
		}
	}
	if t.next(t.first).IsZero() {
		return t, fault.New(fault.Invalid, SubjectSchedule, "the schedule expression %q is never due after %s; give one with a time to come", c.Expression, show(t.first))
	}
	return t, nil
}

func (t timing) next(after time.Time) time.Time { return t.schedule.Next(t.anchor, after) }
