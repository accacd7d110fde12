// Package schedule reads AWS's schedule expressions and says when they come due: rate(5 minutes),
// cron(0 12 * * ? *) and at(2030-01-31T12:00:00).
//
// All times are UTC: no expression knows a time zone, so nothing is skipped or repeated when clocks change. What
// AWS refuses is refused here: an expression is a promise to do something later, and a wrong one must be told of
// while somebody listens.
package schedule

import (
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/cronexpr"

	"github.com/penstock-io/penstock/internal/fault"
)

// Subject is the subject of this package's faults.
const Subject = "schedule"

// Schedule is a parsed expression. It is immutable and may be used by any number of goroutines.
type Schedule struct {
	text  string
	every time.Duration        // of rate; else 0
	cron  *cronexpr.Expression // of cron; else nil
	at    time.Time            // of at; else zero
}

// maxYear is the last one that an expression may name.
const maxYear = 2199

// maxText is the length of a ScheduleExpression in characters.
const maxText = 255

// Parse reads an expression. One that AWS refuses, and one that never comes true, is Invalid.
func Parse(text string) (Schedule, error) {
	if len(text) > maxText {
		return Schedule{}, fault.New(fault.Invalid, Subject, "the schedule expression %.40q... has %d characters; at most %d are allowed", text, len(text), maxText)
	}
	kind, rest, ok := strings.Cut(strings.TrimSpace(text), "(")
	inside, closed := strings.CutSuffix(rest, ")")
	if !ok || !closed {
		return Schedule{}, invalid(text, "write rate(5 minutes), cron(0 12 * * ? *) or at(2030-01-31T12:00:00)")
	}
	s := Schedule{text: text}
	var err error
	switch kind {
	case "rate":
		s.every, err = parseRate(text, inside)
	case "cron":
		s.cron, err = parseCron(text, inside)
	case "at":
		s.at, err = time.ParseInLocation("2006-01-02T15:04:05", inside, time.UTC)
		if err != nil || s.at.Year() < 1970 || s.at.Year() > maxYear {
			err = invalid(text, "at() takes a moment in UTC as yyyy-mm-ddThh:mm:ss, without a zone, from 1970 to %d", maxYear)
		}
	default:
		err = invalid(text, "it begins with %q; write rate(...), cron(...) or at(...), in lower case", kind)
	}
	return s, err
}

// String returns the expression as it was given.
func (s Schedule) String() string { return s.text }

// Next returns the first time after after at which the schedule is due, or the zero time when it never is again. A
// rate is counted from anchor, and not due before anchor plus one period; the other forms do not look at it. Of
// anchor only whole seconds count.
func (s Schedule) Next(anchor, after time.Time) time.Time {
	switch {
	case s.every > 0:
		anchor = anchor.UTC().Truncate(time.Second)
		periods := int64(1)
		if passed := after.Sub(anchor); passed >= s.every {
			periods = int64(passed/s.every) + 1
		}
		return anchor.Add(time.Duration(periods) * s.every)
	case s.cron != nil:
		own := *s.cron // Next keeps notes in it
		return own.Next(after.UTC())
	case s.at.After(after):
		return s.at
	default:
		return time.Time{}
	}
}

func invalid(text, format string, args ...any) error {
	e := fault.New(fault.Invalid, Subject, format, args...)
	e.Message = "the schedule expression " + strconv.Quote(text) + " cannot be used: " + e.Message
	return e
}

// maxRate bounds a rate, so that no arithmetic on it can overflow.
const maxRate = 100 * 366 * 24 * time.Hour

// parseRate reads what stands in rate(...): a whole number and a unit, with or without a space between them. AWS's
// own examples have "1 hours", so the plural is taken with 1; the singular with any other number is not.
func parseRate(text, inside string) (time.Duration, error) {
	inside = strings.TrimSpace(inside)
	digits := 0
	for digits < len(inside) && inside[digits] >= '0' && inside[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(inside[:digits], 10, 64)
	if err != nil || n <= 0 {
		return 0, invalid(text, "rate() takes a whole number above 0 and a unit, as in rate(5 minutes)")
	}
	unit := strings.TrimLeft(inside[digits:], " ")
	var one time.Duration
	switch strings.TrimSuffix(unit, "s") {
	case "minute":
		one = time.Minute
	case "hour":
		one = time.Hour
	case "day":
		one = 24 * time.Hour
	default:
		return 0, invalid(text, "the unit %q is none of minute, minutes, hour, hours, day and days", unit)
	}
	if n > 1 && !strings.HasSuffix(unit, "s") {
		return 0, invalid(text, "%d needs the plural: rate(%d %ss)", n, n, unit)
	}
	if n > int64(maxRate/one) {
		return 0, invalid(text, "that is more than a hundred years")
	}
	return time.Duration(n) * one, nil
}
