package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

// follow runs a stream within a bubble until stop is called, which returns its error.
func follow(t *testing.T, s *Source, from change.Marks) (r *received, stop func() error) {
	t.Helper()
	r = &received{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Stream(ctx, from, r.deliver, r.idle) }()
	synctest.Wait()
	return r, func() error {
		cancel()
		return <-ended
	}
}

func start(t *testing.T, s *Source) change.Marks {
	t.Helper()
	marks, err := s.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return marks
}

func gaps(times []time.Time) []time.Duration {
	var out []time.Duration
	for i := 1; i < len(times); i++ {
		out = append(out, times[i].Sub(times[i-1]))
	}
	return out
}

// TestPolling looks at how often a quiet shard is looked at.
func TestPolling(t *testing.T) {
	for _, tc := range []struct {
		name   string
		config func(*Config)
		want   []time.Duration // after something came
	}{
		{"remote", nil, []time.Duration{0, 25 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 200 * time.Millisecond}},
		{"local", func(c *Config) { c.Local = true }, []time.Duration{0, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 20 * time.Millisecond}},
		{"local and woken", func(c *Config) { c.Local, c.Quiet = true, 50*time.Millisecond }, []time.Duration{0, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond}},
		{"aws", func(c *Config) { c.Endpoint, c.Poll = "", 20*time.Millisecond }, []time.Duration{200 * time.Millisecond, 200 * time.Millisecond, 200 * time.Millisecond, 200 * time.Millisecond}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{shards: []fakeShard{{id: "a"}}}
				s := f.source(t, tc.config)
				_, stop := follow(t, s, start(t, s))
				time.Sleep(2 * time.Second)
				f.put(0, "k", 0)
				f.forget()
				s.Wake()
				time.Sleep(2 * time.Second)
				if got := gaps(f.times("GetRecords")); len(got) < len(tc.want) || !slices.Equal(got[:len(tc.want)], tc.want) {
					t.Errorf("polled after %v, want %v", got, tc.want)
				}
				if tc.name == "aws" && (!f.hosts["dynamodb.us-east-1.amazonaws.com"] || !f.hosts["streams.dynamodb.us-east-1.amazonaws.com"]) {
					t.Errorf("called %v", f.hosts)
				}
				if err := stop(); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		})
	}
}

// TestWake: what is there when Wake is called comes without any time passing.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{shards: []fakeShard{{id: "a"}, {id: "b"}}}
		s := f.source(t, func(c *Config) { c.Poll = time.Hour * 8 })
		r, stop := follow(t, s, start(t, s))
		time.Sleep(time.Minute)
		before := time.Now()
		for i := range 20 {
			f.put(i%2, fmt.Sprint(i), 0)
			s.Wake()
			synctest.Wait()
			if got := r.got(); len(got) != i+1 {
				t.Fatalf("after %d writes, %v came", i+1, got)
			}
		}
		if d := time.Since(before); d != 0 {
			t.Errorf("it took %v", d)
		}
		s.Wake()
		s.Wake()
		stop()
	})
}

// TestOldRecords: what the snapshot has is left out, and nothing else is, whatever the endpoint's clock says.
func TestOldRecords(t *testing.T) {
	for _, ahead := range []time.Duration{0, -2 * time.Hour, 2 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{shards: []fakeShard{{id: "closed", closed: true}, {id: "a", parent: "closed"}, {id: "b"}}}
			s := f.source(t, nil)
			f.put(0, "in a closed shard", time.Hour)
			for i := range 2*recordsLimit + 10 {
				f.put(1, fmt.Sprint("old ", i), time.Hour)
			}
			from := start(t, s)
			if from["shard/closed"] != doneMark || from["shard/a"] != "2109" || from["shard/b"] != "at 100" {
				t.Errorf("the marks are %v", from)
			}
			f.edit(func() { f.ahead = ahead }) // the endpoint's clock is put right or wrong
			f.put(1, "new", 0)
			f.put(2, "other", 0)
			time.Sleep(3 * time.Hour)
			f.edit(func() { f.ahead = 0 })
			f.put(1, "newer", 0)
			r, stop := follow(t, s, from)
			time.Sleep(time.Second)
			if got := r.got(); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"new", "newer", "other"}) {
				t.Errorf("%v came", got)
			}
			if r.mark("shard/a") != "2111" || r.mark("shard/b") != "100" {
				t.Errorf("the marks are %v", r.marks)
			}
			stop()
		})
	}
}

// TestLongStart has a stream with more than Start reads past in its time: the rest comes.
func TestLongStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{shards: []fakeShard{{id: "a"}}, took: skipTime / 3}
		for i := range 20 * recordsLimit {
			f.put(0, fmt.Sprint(i), time.Hour)
		}
		s := f.source(t, nil)
		began := time.Now()
		from := start(t, s)
		if took := time.Since(began); took > 3*skipTime {
			t.Errorf("it took %v", took)
		}
		r, stop := follow(t, s, from)
		time.Sleep(10 * time.Minute)
		if got := r.got(); len(got) < 10*recordsLimit || len(got) > 18*recordsLimit || got[len(got)-1] != fmt.Sprint(20*recordsLimit-1) {
			t.Errorf("%d records came, from the mark %s on", len(got), from["shard/a"])
		}
		stop()
	})
}

// TestTrimmedStart begins in a shard whose records are gone.
func TestTrimmedStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{shards: []fakeShard{{id: "a"}}}
		s := f.source(t, nil)
		f.put(0, "gone", 0)
		f.edit(func() { f.shards[0].trimmed = 1 })
		from := start(t, s)
		if from["shard/a"] != "horizon" {
			t.Fatalf("the marks are %v", from)
		}
		f.put(0, "new", 0)
		r, stop := follow(t, s, from)
		if got := r.got(); !slices.Equal(got, []string{"new"}) {
			t.Errorf("%v came", got)
		}
		stop()
		f.put(0, "newer", 0)
		f.edit(func() { f.shards[0].trimmed = 2 })
		if again := start(t, s); again["shard/a"] != "102" {
			t.Errorf("the marks are %v", again)
		}
		time.Sleep(24 * time.Hour) // what was made since may be gone too
		if err := s.Stream(t.Context(), from, r.deliver, r.idle); !fault.Is(err, fault.Expired, SubjectGap) {
			t.Errorf("a day later: %v", err)
		}
	})
}

// TestLongIdle has somebody stay in idle until iterators have expired.
func TestLongIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{shards: []fakeShard{{id: "a"}, {id: "b"}}}
		s := f.source(t, nil)
		r := &received{onIdle: func(ctx context.Context) {
			select {
			case <-ctx.Done():
			case <-time.After(time.Hour):
			}
		}}
		from := start(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Stream(ctx, from, r.deliver, r.idle) }()
		for i := range 5 {
			time.Sleep(time.Hour)
			f.put(i%2, fmt.Sprint(i), 0)
		}
		time.Sleep(2 * time.Hour)
		if got := r.got(); len(got) != 5 {
			t.Errorf("%v came", got)
		}
		cancel()
		<-ended
	})
}

// TestIdle: idle tells the time of the round that found nothing, by our clock, whatever the endpoint's says.
func TestIdle(t *testing.T) {
	for _, ahead := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		t.Run(fmt.Sprint(ahead), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{shards: []fakeShard{{id: "a"}, {id: "b"}}, ahead: ahead}
				var lag atomic.Int64
				s := f.source(t, func(c *Config) { c.Observer.Lag = func(d time.Duration) { lag.Store(int64(d)) } })
				began := time.Now()
				r, stop := follow(t, s, start(t, s))
				if n := len(r.rests()); n > 0 {
					t.Fatalf("after one look, idle was called %d times", n)
				}
				time.Sleep(time.Second / 10) // empty answers are believed when there are some
				if got := r.rests(); len(got) == 0 || got[0].Before(began) || got[0].After(time.Now()) {
					t.Fatalf("idle was called with %v", got)
				}
				// A shard that has something now and then is as far as the record delivered last. The clock's second
				// counts against it.
				busy := make(chan struct{})
				go func() {
					defer close(busy)
					for range 100 {
						f.put(0, "k", 0)
						f.put(1, "k", 0)
						s.Wake()
						time.Sleep(100 * time.Millisecond)
					}
				}()
				<-busy
				rests := r.rests()
				if behind := time.Since(rests[len(rests)-1]); behind < 0 || behind > 3*time.Second || lag.Load() > int64(3*time.Second) {
					t.Errorf("idle is %v behind, the lag is %v", behind, time.Duration(lag.Load()))
				}
				for i, at := range rests {
					if i > 0 && !at.After(rests[i-1]) {
						t.Fatalf("idle goes from %v to %v", rests[i-1], at)
					}
				}
				stop()
			})
		})
	}
}

// TestBusyIdle has an endpoint whose every answer has a record: idle goes by the records' times, carefully.
func TestBusyIdle(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Hour / 6, -time.Hour / 6} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{shards: []fakeShard{{id: "a"}}, ahead: ahead}
			s := f.source(t, nil)
			from := start(t, s)
			f.edit(func() {
				f.took = 10 * time.Millisecond
				f.answer = func(op string) (int, string) {
					if op == "GetRecords" { // made half a minute ago, all of them
						f.shards[0].records = append(f.shards[0].records, fakeRecord{"k", f.now().Add(-30 * time.Second)})
					}
					return 0, ""
				}
			})
			r, stop := follow(t, s, from)
			time.Sleep(time.Minute)
			rests := r.rests()
			if len(rests) == 0 {
				t.Fatal("idle was not called")
			}
			if behind := time.Since(rests[len(rests)-1]); behind < 30*time.Second || behind > 35*time.Second {
				t.Errorf("idle is %v behind", behind)
			}
			for i, at := range rests {
				if i > 0 && at.Sub(rests[i-1]) < idleInterval-20*time.Millisecond {
					t.Fatalf("idle is called with %v and %v although there is always something", rests[i-1], at)
				}
			}
			stop()
		})
	}
}

// TestClockPutBack has records of a time that is still to come, more than fit into an answer, with others behind
// them: nothing is said to be complete before they are all there.
func TestClockPutBack(t *testing.T) {
	for _, ahead := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{shards: []fakeShard{{id: "a"}}, took: 10 * time.Millisecond}
			s := f.source(t, func(c *Config) { c.Local = true })
			from := start(t, s)
			const records = 5*recordsLimit + 7
			for i := range records {
				if i == 10 {
					f.edit(func() { f.ahead = ahead })
				}
				if i == records-5 {
					f.edit(func() { f.ahead = 0 })
				}
				f.put(0, fmt.Sprint(i), 0)
			}
			written := time.Now()
			time.Sleep(time.Second)
			r := &received{}
			ctx, cancel := context.WithCancel(t.Context())
			err := s.Stream(ctx, from, r.deliver, func(_ context.Context, at time.Time) error {
				if n := len(r.got()); n != records && at.After(written) {
					t.Errorf("after %d of %d records, idle is called with %v", n, records, at)
				}
				cancel()
				return nil
			})
			if !errors.Is(err, context.Canceled) || len(r.got()) != records {
				t.Errorf("%d records came, %v", len(r.got()), err)
			}
		})
	}
}

// TestOutage has nobody at the endpoint for a while. What takes longer than patience is told, and can be gone on
// from.
func TestOutage(t *testing.T) {
	for _, tc := range []struct {
		name   string
		lasts  time.Duration
		faults bool
	}{
		{"shorter than patience", 50 * time.Second, false},
		{"longer than patience", 3 * time.Minute, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{shards: []fakeShard{{id: "a"}}, items: 1000, took: time.Second / 10}
				s := f.source(t, nil)
				from := start(t, s)
				r := &received{}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				streamed, scanned := make(chan error, 1), make(chan error, 1)
				go func() { streamed <- s.Stream(ctx, from, r.deliver, r.idle) }()
				items, marks := 0, change.Marks{}
				scan := func() {
					scanned <- s.Snapshot(ctx, maps.Clone(marks), func(_ context.Context, page change.Page) error {
						items += len(page.Rows)
						marks[page.Mark.Part] = page.Mark.After
						return nil
					})
				}
				go scan()
				f.put(0, "before", 0)
				time.Sleep(time.Second / 4)
				f.edit(func() { f.down = true })
				f.put(0, "meanwhile", 0)
				time.Sleep(tc.lasts)
				f.edit(func() { f.down = false })
				f.put(0, "after", 0)
				if tc.faults {
					for _, ended := range []chan error{streamed, scanned} {
						err := <-ended
						if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Message(err), "http://fake cannot be reached") || !strings.Contains(fault.Message(err), "connection refused") || !strings.Contains(fault.Message(err), "times in 1m") {
							t.Errorf("after a minute: %v", err)
						}
					}
					again := change.Marks{partStream: from[partStream], "shard/a": r.mark("shard/a")}
					go func() { streamed <- s.Stream(ctx, again, r.deliver, r.idle) }()
					go scan()
				}
				if err := <-scanned; err != nil || items != 4*1000 {
					t.Errorf("%d items came, %v", items, err)
				}
				time.Sleep(time.Minute)
				cancel()
				<-streamed
				if got := r.got(); !slices.Equal(got, []string{"before", "meanwhile", "after"}) {
					t.Errorf("%v came", got)
				}
			})
		})
	}
}

// TestLateChildren has a closed shard whose children are listed only after a while: nothing is said to be
// complete meanwhile.
func TestLateChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{shards: []fakeShard{{id: "a"}}}
		s := f.source(t, nil)
		r, stop := follow(t, s, start(t, s))
		time.Sleep(time.Second)
		f.edit(func() { f.shards[0].closed = true })
		time.Sleep(time.Second)
		n := len(r.rests())
		time.Sleep(5 * time.Second)
		if len(r.rests()) != n {
			t.Error("idle was called while children were missing")
		}
		f.edit(func() { f.shards = append(f.shards, fakeShard{id: "b", parent: "a"}) })
		f.put(1, "k", 0)
		time.Sleep(10 * time.Second)
		if len(r.rests()) == n || !slices.Equal(r.got(), []string{"k"}) {
			t.Errorf("%v came, and idle was called %d times more", r.got(), len(r.rests())-n)
		}
		f.edit(func() { f.shards[1].closed = true })
		time.Sleep(time.Minute) // there are none: that is believed in the end
		if rests := r.rests(); time.Since(rests[len(rests)-1]) > 35*time.Second {
			t.Errorf("idle was last called with %v, now it is %v", rests[len(rests)-1], time.Now())
		}
		f.edit(func() { f.shards = append(f.shards, fakeShard{id: "c", parent: "b"}) })
		f.put(2, "late", 0)
		time.Sleep(time.Minute)
		if got := r.got(); !slices.Equal(got, []string{"k", "late"}) {
			t.Errorf("%v came", got)
		}
		stop()
	})
}

// TestMissingShard has an endpoint that lists a shard and does not find it.
func TestMissingShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{shards: []fakeShard{{id: "a"}}}
		s := f.source(t, nil)
		from := start(t, s)
		missing := true
		f.edit(func() {
			f.answer = func(op string) (int, string) {
				if op == "GetShardIterator" && missing {
					return http.StatusBadRequest, `{"__type":"x#ResourceNotFoundException"}`
				}
				return 0, ""
			}
		})
		f.put(0, "k", 0)
		r, stop := follow(t, s, from)
		time.Sleep(5 * time.Second)
		f.edit(func() { missing = false })
		time.Sleep(10 * time.Second)
		if got := r.got(); !slices.Equal(got, []string{"k"}) {
			t.Errorf("%v came", got)
		}
		stop()
		f.edit(func() { missing = true })
		if err := s.Stream(t.Context(), from, r.deliver, r.idle); !fault.Is(err, fault.Unavailable, SubjectStream) {
			t.Errorf("a shard that is never found: %v", err)
		}
	})
}

// TestAnotherStream has an endpoint that goes by the table's name alone: it returns the records of a new stream
// under the ARN of the old.
func TestAnotherStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{shards: []fakeShard{{id: "a"}}}
		s := f.source(t, nil)
		r := &received{}
		from := start(t, s)
		ended := make(chan error, 1)
		go func() { ended <- s.Stream(t.Context(), from, r.deliver, r.idle) }()
		time.Sleep(10 * time.Second)
		f.edit(func() { f.arn = fakeARN + "2" })
		changed := time.Now()
		if err := <-ended; !fault.Is(err, fault.Expired, SubjectGap) || time.Since(changed) > listInterval {
			t.Errorf("after %v: %v", time.Since(changed), err)
		}
	})
}

// TestKeysOnly has records without images although the stream says otherwise.
func TestKeysOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{shards: []fakeShard{{id: "a"}}}
		s := f.source(t, nil)
		from := start(t, s)
		f.edit(func() {
			f.answer = func(op string) (int, string) {
				if op == "GetRecords" {
					return http.StatusOK, `{"Records":[{"eventName":"MODIFY","dynamodb":{"Keys":{"pk":{"S":"a"}},"SequenceNumber":"1"}}],"NextShardIterator":"x"}`
				}
				return 0, ""
			}
		})
		r := &received{}
		if err := s.Stream(t.Context(), from, r.deliver, r.idle); !fault.Is(err, fault.State, SubjectStream) || !strings.Contains(err.Error(), "NEW_AND_OLD_IMAGES") {
			t.Errorf("the stream: %v", err)
		}
	})
}

// TestPlan looks at what marks and shards together ask for.
func TestPlan(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		marks  string // shard=mark ...
		tree   string // shard or shard<parent, with ! if closed ...
		read   string
		wait   string
		forget string
		gap    string
	}{
		{name: "nothing"},
		{name: "new stream", tree: "a b", read: "a b"},
		{name: "first look", marks: "a=at b=done", tree: "b! a<b", read: "a"},
		{name: "going on", marks: "a=5", tree: "a", read: "a"},
		{name: "child waits", marks: "a=5", tree: "a! b<a", read: "a", wait: "b"},
		{name: "children", marks: "a=done", tree: "a! b<a c<a", read: "b c"},
		{name: "grandchildren wait", marks: "a=5", tree: "a! b<a! c<b", read: "a", wait: "b c"},
		{name: "marked child waits", marks: "a=at b=at", tree: "a! b<a", read: "a", wait: "b"},
		{name: "child before its parent in the list", marks: "a=5", tree: "b<a a!", read: "a", wait: "b"},
		{name: "parent gone, done", marks: "a=done", tree: "b<a", read: "b"},
		{name: "parent gone, done, child begun", marks: "a=done b=7", tree: "b<a", read: "b", forget: "a"},
		{name: "family gone, done", marks: "a=done b=done c=1", tree: "c<b", read: "c", forget: "a b"},
		{name: "another root", marks: "a=5", tree: "a b", read: "a b"},
		{name: "listed late", marks: "b=at", tree: "a! b<a", read: "b"},
		{name: "disabled", marks: "a=done", tree: "a!"},
		{name: "disabled and forgotten", marks: "a=done", tree: "", forget: "a"},
		{name: "parent gone, not done", marks: "a=5 x=1", tree: "x b<a", gap: "came and went before shard b|shard a"},
		{name: "shard gone, not done", marks: "a=5 x=1", tree: "x", gap: "shard a is gone and was read only up to record 5"},
		{name: "shard gone, not begun", marks: "a=at", tree: "", gap: "shard a is gone and was read only up to its beginning"},
		{name: "generation missed", marks: "a=done x=1", tree: "x a! c<b", gap: "shard b came and went before shard c"},
		{name: "all gone", marks: "a=done", tree: "c<b", gap: "shard b came and went"},
		{name: "all gone, roots left", marks: "a=done", tree: "c", gap: "none of the shards"},
		{name: "unknown parent in a new stream", tree: "b<a", gap: "came and went"},
	} {
		m := &streamMarks{shards: map[string]position{}}
		for text := range strings.FieldsSeq(tc.marks) {
			id, mark, _ := strings.Cut(text, "=")
			p, ok := parsePosition(strings.Replace(mark, "at", "at 1", 1))
			if !ok {
				t.Fatalf("mark %q", mark)
			}
			m.shards[id] = p
		}
		tr := &tree{status: statusEnabled, byID: map[string]shard{}}
		for text := range strings.FieldsSeq(tc.tree) {
			name, closed := strings.CutSuffix(text, "!")
			s := shard{first: "1"}
			if s.id, s.parent, _ = strings.Cut(name, "<"); closed {
				s.last = "9"
			}
			tr.shards = append(tr.shards, s)
			tr.byID[s.id] = s
		}
		p := m.plan(tr)
		names := func(list []shard) string {
			var out []string
			for _, s := range list {
				out = append(out, s.id)
			}
			return strings.Join(out, " ")
		}
		if tc.gap != "" {
			if !slices.ContainsFunc(strings.Split(tc.gap, "|"), func(want string) bool { return strings.Contains(p.gap, want) }) {
				t.Errorf("%s: the gap is %q, want %q", tc.name, p.gap, tc.gap)
			}
			continue
		}
		if names(p.read) != tc.read || names(p.wait) != tc.wait || strings.Join(p.forget, " ") != tc.forget || p.gap != "" {
			t.Errorf("%s: read %q, wait %q, forget %v, gap %q", tc.name, names(p.read), names(p.wait), p.forget, p.gap)
		}
	}
}

func TestPositions(t *testing.T) {
	t.Parallel()
	for _, p := range []position{{at, "123"}, {after, "000123"}, {kind: horizon}, {kind: done}, {}} {
		if got, ok := parsePosition(p.String()); !ok || got != p {
			t.Errorf("%+v comes back as %+v, %v", p, got, ok)
		}
	}
	for _, bad := range []string{"at ", "at x", "-1", "12 ", "finished"} {
		if p, ok := parsePosition(bad); ok {
			t.Errorf("%q is %+v", bad, p)
		}
	}
}
