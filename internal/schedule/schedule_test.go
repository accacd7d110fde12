package schedule_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/schedule"
)

// base is a Saturday.
var base = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// crons have the next three times after base, worked out by a program that walks the calendar day by day and shares
// nothing with this package. An empty text is never.
var crons = []struct{ fields, next string }{
	{"0 12 * * ? *", "2026-11-22T12:00 2026-11-23T12:00 2026-11-24T12:00"},
	{"0 0 * * ? *", "2026-11-22T00:00 2026-11-23T00:00 2026-11-24T00:00"},
	{"15 10 ? * * *", "2026-11-22T10:15 2026-11-23T10:15 2026-11-24T10:15"},
	{"15 10 * * ? 2027", "2027-01-01T10:15 2027-01-02T10:15 2027-01-03T10:15"},
	{"0/15 * * * ? *", "2026-11-21T12:15 2026-11-21T12:30 2026-11-21T12:45"},
	{"*/20 8-10 * * ? *", "2026-11-22T08:00 2026-11-22T08:20 2026-11-22T08:40"},
	{"5/25 3 * * ? *", "2026-11-22T03:05 2026-11-22T03:30 2026-11-22T03:55"},
	{"0-10/5 0 * * ? *", "2026-11-22T00:00 2026-11-22T00:05 2026-11-22T00:10"},
	{"0,30 6,18 * * ? *", "2026-11-21T18:00 2026-11-21T18:30 2026-11-22T06:00"},
	{"59 23 31 12 ? *", "2026-12-31T23:59 2027-12-31T23:59 2028-12-31T23:59"},
	{"0 0 1 1 ? *", "2027-01-01T00:00 2028-01-01T00:00 2029-01-01T00:00"},
	{"0 18 ? * MON-FRI *", "2026-11-23T18:00 2026-11-24T18:00 2026-11-25T18:00"},
	{"0 8 1 * ? *", "2026-12-01T08:00 2027-01-01T08:00 2027-02-01T08:00"},
	{"0/10 * ? * MON-FRI *", "2026-11-23T00:00 2026-11-23T00:10 2026-11-23T00:20"},
	{"0/5 8-17 ? * MON-FRI *", "2026-11-23T08:00 2026-11-23T08:05 2026-11-23T08:10"},
	{"0 10 ? * SUN *", "2026-11-22T10:00 2026-11-29T10:00 2026-12-06T10:00"},
	{"0 10 ? * 1 *", "2026-11-22T10:00 2026-11-29T10:00 2026-12-06T10:00"},
	{"0 10 ? * 7 *", "2026-11-28T10:00 2026-12-05T10:00 2026-12-12T10:00"},
	{"0 10 ? * 2-6 *", "2026-11-23T10:00 2026-11-24T10:00 2026-11-25T10:00"},
	{"0 10 ? * mon,wed,Fri *", "2026-11-23T10:00 2026-11-25T10:00 2026-11-27T10:00"},
	{"0 10 ? * */2 *", "2026-11-22T10:00 2026-11-24T10:00 2026-11-26T10:00"},
	{"0 10 ? * 2/2 *", "2026-11-23T10:00 2026-11-25T10:00 2026-11-27T10:00"},
	{"0 0 L * ? *", "2026-11-30T00:00 2026-12-31T00:00 2027-01-31T00:00"},
	{"0 0 L 2 ? *", "2027-02-28T00:00 2028-02-29T00:00 2029-02-28T00:00"},
	{"0 0 L 2 ? 2028", "2028-02-29T00:00"},
	{"0 0 LW * ? *", "2026-11-30T00:00 2026-12-31T00:00 2027-01-29T00:00"},
	{"0 0 LW 1 ? 2027", "2027-01-29T00:00"},
	{"0 0 1W * ? *", "2026-12-01T00:00 2027-01-01T00:00 2027-02-01T00:00"},
	{"0 0 1W 8 ? 2027", "2027-08-02T00:00"},
	{"0 0 15W * ? *", "2026-12-15T00:00 2027-01-15T00:00 2027-02-15T00:00"},
	{"0 0 15W 8 ? 2027", "2027-08-16T00:00"},
	{"0 0 31W * ? *", "2026-12-31T00:00 2027-01-29T00:00 2027-03-31T00:00"},
	{"0 0 30W 5 ? 2027", "2027-05-31T00:00"},
	{"0 0 28W 2 ? 2027", "2027-02-26T00:00"},
	{"0 0 1,15,L * ? *", "2026-11-30T00:00 2026-12-01T00:00 2026-12-15T00:00"},
	{"0 0 29 2 ? *", "2028-02-29T00:00 2032-02-29T00:00 2036-02-29T00:00"},
	{"0 0 29 2 ? 2028,2032", "2028-02-29T00:00 2032-02-29T00:00"},
	{"0 0 31 * ? *", "2026-12-31T00:00 2027-01-31T00:00 2027-03-31T00:00"},
	{"0 0 30 1-3 ? *", "2027-01-30T00:00 2027-03-30T00:00 2028-01-30T00:00"},
	{"0 0 31 */2 ? *", "2027-01-31T00:00 2027-03-31T00:00 2027-05-31T00:00"},
	{"0 9 ? * 2#1 *", "2026-12-07T09:00 2027-01-04T09:00 2027-02-01T09:00"},
	{"0 9 ? * 3#2 *", "2026-12-08T09:00 2027-01-12T09:00 2027-02-09T09:00"},
	{"0 9 ? * FRI#5 *", "2027-01-29T09:00 2027-04-30T09:00 2027-07-30T09:00"},
	{"0 9 ? * 1#5 *", "2026-11-29T09:00 2027-01-31T09:00 2027-05-30T09:00"},
	{"0 9 ? 2 7#5 *", "2048-02-29T09:00 2076-02-29T09:00"},
	{"0 9 ? * 2#1,2#3 *", "2026-12-07T09:00 2026-12-21T09:00 2027-01-04T09:00"},
	{"0 9 ? * L *", "2026-11-28T09:00 2026-12-05T09:00 2026-12-12T09:00"},
	{"0 9 ? * 6L *", "2026-11-27T09:00 2026-12-25T09:00 2027-01-29T09:00"},
	{"0 9 ? * 2L *", "2026-11-30T09:00 2026-12-28T09:00 2027-01-25T09:00"},
	{"0 9 ? 2 SUNL *", "2027-02-28T09:00 2028-02-27T09:00 2029-02-25T09:00"},
	{"0 9 ? * 2,6L *", "2026-11-23T09:00 2026-11-27T09:00 2026-11-30T09:00"},
	{"0 0 1 JAN ? *", "2027-01-01T00:00 2028-01-01T00:00 2029-01-01T00:00"},
	{"0 0 1 jan-mar ? *", "2027-01-01T00:00 2027-02-01T00:00 2027-03-01T00:00"},
	{"0 0 1 1/3 ? *", "2027-01-01T00:00 2027-04-01T00:00 2027-07-01T00:00"},
	{"0 0 1 10/3 ? *", "2027-10-01T00:00 2028-10-01T00:00 2029-10-01T00:00"},
	{"0 0 * * ? 2027-2030", "2027-01-01T00:00 2027-01-02T00:00 2027-01-03T00:00"},
	{"0 0 1 1 ? 2027/2", "2027-01-01T00:00 2029-01-01T00:00 2031-01-01T00:00"},
	{"0 0 1 1 ? 2030-2040/5", "2030-01-01T00:00 2035-01-01T00:00 2040-01-01T00:00"},
	{"0 0 1 1 ? 2099", "2099-01-01T00:00"},
	{"0 0 1 1 ? 2050,2150", "2050-01-01T00:00"},
	{"30 2 29 3 ? 2026-2027", "2027-03-29T02:30"},
	{"30 1 31 10 ? *", "2027-10-31T01:30 2028-10-31T01:30 2029-10-31T01:30"},
	{"30 2 ? 3 1#2 *", "2027-03-14T02:30 2028-03-12T02:30 2029-03-11T02:30"},
	{"30 1 ? 11 1#1 *", "2027-11-07T01:30 2028-11-05T01:30 2029-11-04T01:30"},
	{"30 2 ? 3 1L *", "2027-03-28T02:30 2028-03-26T02:30 2029-03-25T02:30"},
	{"0 0/6 * * ? *", "2026-11-21T18:00 2026-11-22T00:00 2026-11-22T06:00"},
	{"0 */5 * * ? *", "2026-11-21T15:00 2026-11-21T20:00 2026-11-22T00:00"},
	{"0 0 */10 * ? *", "2026-12-01T00:00 2026-12-11T00:00 2026-12-21T00:00"},
	{"00 05 05 05 ? *", "2027-05-05T05:00 2028-05-05T05:00 2029-05-05T05:00"},
	{"0 12 21 11 ? *", "2027-11-21T12:00 2028-11-21T12:00 2029-11-21T12:00"},
	{"0 0 1 1 ? 2026", ""},
}

func TestCron(t *testing.T) {
	for _, tc := range crons {
		s, err := schedule.Parse("cron(" + tc.fields + ")")
		if err != nil {
			t.Errorf("cron(%s): %v", tc.fields, err)
			continue
		}
		var got []string
		for at := s.Next(base, base); !at.IsZero() && len(got) < 3; at = s.Next(base, at) {
			got = append(got, at.Format("2006-01-02T15:04"))
		}
		if strings.Join(got, " ") != tc.next {
			t.Errorf("cron(%s)\ngot  %s\nwant %s", tc.fields, strings.Join(got, " "), tc.next)
		}
	}
}

// Where the clock of the caller is, and whether it is changed that night, makes no difference.
func TestNoDaylightSaving(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones on this machine")
	}
	for fields, want := range map[string]string{
		"30 2 29 3 ? 2026": "2026-03-29T02:30:00Z", // a time Berlin's clocks jump over
		"30 2 25 10 ? *":   "2026-10-25T02:30:00Z", // one they show twice
	} {
		s, err := schedule.Parse("cron(" + fields + ")")
		if err != nil {
			t.Fatal(err)
		}
		from := time.Date(2026, 3, 1, 0, 0, 0, 0, berlin)
		at := s.Next(from, from)
		if got := at.Format(time.RFC3339); got != want {
			t.Errorf("cron(%s) is due at %s, want %s", fields, got, want)
		}
		if next := s.Next(from, at); !next.IsZero() && next.Sub(at) < 24*time.Hour {
			t.Errorf("cron(%s) is due again at %s", fields, next)
		}
	}
	s, err := schedule.Parse("rate(1 day)")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Next(base, time.Date(2026, 11, 25, 13, 30, 0, 0, berlin)); !got.Equal(base.AddDate(0, 0, 5)) {
		t.Errorf("a day after a day is %s", got)
	}
}

func TestRate(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"rate(1 minute)": time.Minute, "rate(5 minutes)": 5 * time.Minute, "rate(1 hour)": time.Hour, "rate(1 hours)": time.Hour, "rate(12 hours)": 12 * time.Hour,
		"rate(1 day)": 24 * time.Hour, "rate(7 days)": 7 * 24 * time.Hour, "rate(5minutes)": 5 * time.Minute, "rate(1minute)": time.Minute, " rate( 90  minutes ) ": 90 * time.Minute,
		"rate(36500 days)": 36500 * 24 * time.Hour,
	} {
		s, err := schedule.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		anchor := base.Add(300 * time.Millisecond) // counted as base
		for _, tc := range []struct{ after, want time.Time }{
			{anchor, base.Add(want)},
			{base.Add(-time.Hour), base.Add(want)},
			{base.Add(want).Add(-1), base.Add(want)},
			{base.Add(want), base.Add(2 * want)}, // after, not at
			{base.Add(want).Add(1), base.Add(2 * want)},
		} {
			if got := s.Next(anchor, tc.after); !got.Equal(tc.want) {
				t.Errorf("%s after %s is due at %s, want %s", text, tc.after, got, tc.want)
			}
		}
	}
	s, err := schedule.Parse("rate(7 minutes)")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Next(base, base.Add(100*time.Hour)), base.Add(858*7*time.Minute); !got.Equal(want) {
		t.Errorf("after many periods: %s, want %s", got, want)
	}
}

func TestAt(t *testing.T) {
	s, err := schedule.Parse("at(2026-11-21T12:00:01)")
	if err != nil {
		t.Fatal(err)
	}
	want := base.Add(time.Second)
	if got := s.Next(base, base); !got.Equal(want) {
		t.Errorf("due at %s, want %s", got, want)
	}
	if got := s.Next(base, want); !got.IsZero() {
		t.Errorf("due again at %s", got)
	}
}

// What AWS refuses, and what would never come.
func TestRefused(t *testing.T) {
	for _, text := range []string{
		"", "  ", "5 minutes", "rate", "rate(", "rate()", "rate)5 minutes(", "RATE(5 minutes)", "rate (5 minutes)", "rate(5 minutes", "every(5 minutes)", "rate(5 minutes) ?",
		"rate(0 minutes)", "rate(-5 minutes)", "rate(+5 minutes)", "rate(1.5 hours)", "rate(5 minute)", "rate(2 hour)", "rate(3 day)", "rate(5)", "rate(minutes)", "rate(5 Minutes)",
		"rate(5 seconds)", "rate(1 week)", "rate(1 month)", "rate(5 minutes 2 hours)", "rate(99999999999999999999 days)", "rate(36601 days)", "rate(5 minutess)", "rate(1 s)",
		"cron()", "cron(* * * * *)", "cron(0 12 * * ?)", "cron(0 0 12 * * ? *)",
		"cron(0 12 * * * *)", "cron(0 12 ? * ? *)", "cron(0 12 1 * MON *)", "cron(0 12 * * MON *)",
		"cron(60 12 * * ? *)", "cron(-1 12 * * ? *)", "cron(0 24 * * ? *)", "cron(0 12 0 * ? *)", "cron(0 12 32 * ? *)", "cron(0 12 * 0 ? *)", "cron(0 12 * 13 ? *)",
		"cron(0 12 ? * 0 *)", "cron(0 12 ? * 8 *)", "cron(0 12 * * ? 1969)", "cron(0 12 * * ? 2200)", "cron(0 12 * * ? 26)",
		"cron(? 12 * * ? *)", "cron(0 ? * * ? *)", "cron(0 12 * ? ? *)", "cron(0 12 * * ? ?)", "cron(0 12 ?,1 * * *)",
		"cron(0 12 * FOO ? *)", "cron(0 12 ? * MONDAY *)", "cron(0 12 ? * MO *)", "cron(JAN 12 * * ? *)",
		"cron(0/0 * * * ? *)", "cron(*/60 * * * ? *)", "cron(0 */24 * * ? *)", "cron(0/ * * * ? *)", "cron(/5 * * * ? *)", "cron(0/5/5 * * * ? *)",
		"cron(10-5 * * * ? *)", "cron(5- * * * ? *)", "cron(-5 * * * ? *)", "cron(1-2-3 * * * ? *)", "cron(0 22-2 * * ? *)", "cron(0 12 ? * FRI-MON *)",
		"cron(,5 * * * ? *)", "cron(5, * * * ? *)", "cron(5,,6 * * * ? *)", "cron(*,5 * * * ? *)", "cron(** * * * ? *)",
		"cron(0 L * * ? *)", "cron(0 0 W * ? *)", "cron(0 0 32W * ? *)", "cron(0 0 WL * ? *)", "cron(0 0 L-3 * ? *)", "cron(0 0 3#2 * ? *)", "cron(0 0 6L * ? *)",
		"cron(0 0 ? * 3#0 *)", "cron(0 0 ? * 3#6 *)", "cron(0 0 ? * 8#1 *)", "cron(0 0 ? * #1 *)", "cron(0 0 ? * 3# *)", "cron(0 0 ? * 15W *)", "cron(0 0 ? * LW *)", "cron(0 0 ? * 0L *)", "cron(0 0 ? * 8L *)",
		"cron(0 0 30 2 ? *)", "cron(0 0 31 4,6,9,11 ? *)", "cron(0 0 29 2 ? 2027)", "cron(0 0 ? 2 1#5 2027)", "cron(0 0 31W 2 ? *)", "cron(0 0 1 1 ? 2100)", "cron(0 0 1 1 ? 2101-2199)",
		"cron(0 12 * * ? *)x", "cron(0 12 * * ? *))", "cron((0 12 * * ? *)", "cron(@daily)", "cron(0 12 * * ? * )(", "cron(0x10 12 * * ? *)", "cron(1e1 12 * * ? *)", "cron(٣ 12 * * ? *)",
		"at()", "at(now)", "at(2026-11-21)", "at(2026-11-21T12:00)", "at(2026-11-21T12:00:00Z)", "at(2026-11-21 12:00:00)", "at(2026-02-30T12:00:00)", "at(2026-11-21T24:00:00)", "at(1969-12-31T23:59:59)", "at(9999-01-01T00:00:00)",
		"rate(" + strings.Repeat("0", 300) + "5 minutes)",
	} {
		s, err := schedule.Parse(text)
		if !fault.Is(err, fault.Invalid, schedule.Subject) {
			t.Errorf("Parse(%q) = %v, %v; want Invalid", text, s, err)
		} else if len(fault.Message(err)) > 600 {
			t.Errorf("Parse(%.20q...) says too much: %s", text, err)
		}
	}
}

// A Schedule may be asked from everywhere at once.
func TestConcurrent(t *testing.T) {
	s, err := schedule.Parse("cron(0 0 LW * ? *)")
	if err != nil {
		t.Fatal(err)
	}
	year := func() (out []time.Time) {
		for at := base; len(out) < 12; {
			at = s.Next(base, at)
			out = append(out, at)
		}
		return out
	}
	want := year()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got := year(); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	all.Wait()
}

func FuzzParse(f *testing.F) {
	for _, tc := range crons {
		f.Add("cron(" + tc.fields + ")")
	}
	f.Add("rate(5 minutes)")
	f.Add("at(2030-01-31T12:00:00)")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := schedule.Parse(text)
		if err != nil {
			return
		}
		at := base
		for range 3 {
			next := s.Next(base, at)
			if next.IsZero() {
				return
			}
			if !next.After(at) || next.Nanosecond() != 0 {
				t.Fatalf("%q after %s is due at %s", text, at, next)
			}
			at = next
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, text := range []string{"rate(5 minutes)", "cron(0/15 * * * ? *)", "cron(0 0 LW * ? *)", "cron(0 0 29 2 ? *)"} {
		b.Run(text, func(b *testing.B) {
			s, err := schedule.Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				s.Next(base, base.Add(time.Hour))
			}
		})
	}
}
