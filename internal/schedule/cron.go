package schedule

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/cronexpr"
)

// field is one of the six fields of a cron expression.
type field struct {
	name     string
	min, max int
	step     int      // the largest step
	names    []string // of min and up; nil for none
}

const (
	dayOfMonth = 2
	dayOfWeek  = 4
	year       = 5
)

// lastYear is where the calendar of the library ends. AWS's ends in maxYear; years past lastYear are accepted and
// never come.
const lastYear = 2099

// fields are the fields in their order. Days of the week count from 1, Sunday.
func fields() [6]field {
	return [6]field{
		{"minutes", 0, 59, 59, nil},
		{"hours", 0, 23, 23, nil},
		{"day-of-month", 1, 31, 31, nil},
		{"month", 1, 12, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
		{"day-of-week", 1, 7, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
		{"year", 1970, maxYear, maxYear - 1970, nil},
	}
}

// parseCron checks the fields by AWS's rules and hands the library a plain form of them, in which ranges, steps and
// names are spelled out and days of the week count from 0: what is left to it is the calendar.
func parseCron(text, inside string) (*cronexpr.Expression, error) {
	parts := strings.Fields(inside)
	if len(parts) != 6 {
		return nil, invalid(text, "cron() takes six fields (minutes, hours, day-of-month, month, day-of-week, year) and this has %d", len(parts))
	}
	if (parts[dayOfMonth] == "?") == (parts[dayOfWeek] == "?") {
		return nil, invalid(text, "exactly one of day-of-month and day-of-week must be ?, since a run on both cannot be told from a run on either")
	}
	out := []string{"0"} // seconds
	for n, f := range fields() {
		plain, err := f.parse(text, n, strings.ToUpper(parts[n]))
		if err != nil {
			return nil, err
		}
		out = append(out, plain)
	}
	if out[len(out)-1] == "" {
		return nil, invalid(text, "all its years are past %d, where the calendar of this server ends", lastYear)
	}
	e, err := cronexpr.Parse(strings.Join(out, " "))
	if err != nil {
		return nil, invalid(text, "%v", err)
	}
	probe := *e
	if probe.Next(time.Unix(-1, 0).UTC()).IsZero() {
		return nil, invalid(text, "no date of the calendar is like that")
	}
	return e, nil
}

// parse returns the library's form of a field, empty for a year that has only years it does not know.
func (f field) parse(text string, n int, value string) (string, error) {
	switch {
	case value == "*", value == "?" && (n == dayOfMonth || n == dayOfWeek):
		return "*", nil
	case strings.Contains(value, "?"):
		return "", invalid(text, "%q in the field %s: ? stands alone, and only in day-of-month or day-of-week", value, f.name)
	}
	var plain []int
	var out []string
	for item := range strings.SplitSeq(value, ",") {
		special, ok, err := f.special(text, n, item)
		if err != nil {
			return "", err
		}
		if ok {
			out = append(out, special)
			continue
		}
		from, to, step, err := f.item(text, item)
		if err != nil {
			return "", err
		}
		for v := from; v <= to; v += step {
			plain = append(plain, v)
		}
	}
	slices.Sort(plain)
	for _, v := range slices.Compact(plain) {
		if n == dayOfWeek {
			v--
		}
		if n != year || v <= lastYear {
			out = append(out, strconv.Itoa(v))
		}
	}
	return strings.Join(out, ","), nil
}

// special reads the items that only days have: L, LW and 15W of a month, L, 6L and 3#2 of a week.
func (f field) special(text string, n int, item string) (string, bool, error) {
	switch n {
	case dayOfMonth:
		day, isWeekday := strings.CutSuffix(item, "W")
		switch {
		case item == "L" || item == "LW":
			return item, true, nil
		case isWeekday:
			d, err := f.value(text, day)
			return strconv.Itoa(d) + "W", true, err
		}
	case dayOfWeek:
		day, week, isNth := strings.Cut(item, "#")
		last, isLast := strings.CutSuffix(item, "L")
		switch {
		case item == "L": // the last day of the week
			return "6", true, nil
		case isNth:
			d, err := f.value(text, day)
			if err == nil && (len(week) != 1 || week < "1" || week > "5") {
				err = invalid(text, "%q in the field %s: # takes a week of 1 to 5, as in 3#2 for the second Tuesday", item, f.name)
			}
			return strconv.Itoa(d-1) + "#" + week, true, err
		case isLast:
			d, err := f.value(text, last)
			return strconv.Itoa(d-1) + "L", true, err
		}
	}
	return "", false, nil
}

// item reads *, 5, 1-5 and each of them with a step, as in 0/15.
func (f field) item(text, item string) (from, to, step int, err error) {
	span, every, stepped := strings.Cut(item, "/")
	first, last, ranged := strings.Cut(span, "-")
	from, to, step = f.min, f.max, 1
	if span != "*" {
		if from, err = f.value(text, first); err != nil {
			return 0, 0, 0, err
		}
		switch {
		case ranged:
			if to, err = f.value(text, last); err != nil {
				return 0, 0, 0, err
			}
		case !stepped:
			to = from
		}
	}
	if from > to {
		return 0, 0, 0, invalid(text, "the range %q in the field %s runs backwards; write it as two, with a comma", span, f.name)
	}
	if stepped {
		if step, err = number(every); err != nil || step < 1 || step > f.step {
			return 0, 0, 0, invalid(text, "the step %q in the field %s is not a number of 1 to %d", every, f.name, f.step)
		}
	} else if span == "*" {
		return 0, 0, 0, invalid(text, "* in the field %s stands alone or with a step, not in a list", f.name)
	}
	return from, to, step, nil
}

// value reads a number or a name.
func (f field) value(text, s string) (int, error) {
	if i := slices.Index(f.names, s); i >= 0 {
		return f.min + i, nil
	}
	v, err := number(s)
	if err != nil || v < f.min || v > f.max {
		what := ""
		if f.names != nil {
			what = " or a name of " + f.names[0] + " to " + f.names[len(f.names)-1]
		}
		return f.min, invalid(text, "%q in the field %s is not a number of %d to %d%s", s, f.name, f.min, f.max, what)
	}
	return v, nil
}

// number reads digits alone; no sign, no space.
func number(s string) (int, error) {
	v, err := strconv.ParseUint(s, 10, 16)
	return int(v), err
}
