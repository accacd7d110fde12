package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests move. Who waits on it is told when a moment has come.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	waiting map[chan time.Time]time.Time
	asked   chan struct{} // one for every wait
}

func newClock() *clock {
	return &clock{now: now, waiting: map[chan time.Time]time.Time{}, asked: make(chan struct{}, 1000)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	c.waiting[ch] = c.now.Add(d)
	c.asked <- struct{}{}
	return ch
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for ch, at := range c.waiting {
		if !at.After(c.now) {
			ch <- c.now
			delete(c.waiting, ch)
		}
	}
}

// target is a Target that does what it is told, and reports every event it is given.
type target struct {
	given chan events.Event
	mu    sync.Mutex
	fail  func(e events.Event) events.Outcome
}

func newTarget() *target { return &target{given: make(chan events.Event, 1000)} }

func (t *target) Batch() int { return 3 }

func (t *target) Deliver(ctx context.Context, all []events.Event) []events.Outcome {
	t.mu.Lock()
	fail := t.fail
	t.mu.Unlock()
	out := make([]events.Outcome, len(all))
	for i, e := range all {
		if fail != nil {
			out[i] = fail(e)
		}
		t.given <- e
	}
	return out
}

func (t *target) answer(f func(e events.Event) events.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fail = f
}

func sample(bus string, n int) events.Event {
	return events.Event{Bus: bus, ID: fmt.Sprint("id", n), Source: events.Prefix + "orders", DetailType: "Order", Time: now, Due: now, State: events.Pending,
		Detail: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}
}

func add(t *testing.T, o events.Outbox, all ...events.Event) {
	t.Helper()
	if _, err := o.EventAdd(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

// start runs a dispatcher until the test's end.
func start(t *testing.T, o events.Outbox, c *clock, targets map[string]events.Target) *events.Dispatcher {
	t.Helper()
	d := events.NewDispatcher(events.DispatcherConfig{Outbox: o, Targets: targets, Now: c.Now, After: c.After, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Errorf("the dispatcher stopped with %v", err)
		}
	})
	return d
}

func next(t *testing.T, from chan events.Event) events.Event {
	t.Helper()
	select {
	case e := <-from:
		return e
	case <-time.After(30 * time.Second):
		t.Fatal("no event was delivered")
	}
	return events.Event{}
}

// settled waits until the events that f chooses are as wanted.
func settled(t *testing.T, a events.Archive, f events.Filter, want int) []events.Event {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		found, _, err := a.EventList(t.Context(), f, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == want {
			return found
		}
		if time.Now().After(end) {
			t.Fatalf("%+v chooses %d events, want %d", f, len(found), want)
		}
		time.Sleep(time.Millisecond) // the outbox tells nobody of its changes
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	o, c, target := storetest.NewMemoryEvents(), newClock(), newTarget()
	var before []events.Event
	for n := range 7 {
		before = append(before, sample("default", n))
	}
	add(t, o, before...) // of an earlier process
	d := start(t, o, c, map[string]events.Target{"default": target})
	for n := range 7 {
		if e := next(t, target.given); e.ID != fmt.Sprint("id", n) || string(e.Detail) != fmt.Sprintf(`{"n":%d}`, n) {
			t.Errorf("event %d is %+v", n, e)
		}
	}
	settled(t, o, events.Filter{State: events.Delivered}, 7)
	add(t, o, sample("default", 8))
	d.Wake("default")
	d.Wake("no such bus")
	if e := next(t, target.given); e.ID != "id8" {
		t.Errorf("got %+v", e)
	}
	settled(t, o, events.Filter{State: events.Delivered}, 8)
}

func TestRetries(t *testing.T) {
	t.Parallel()
	o, c, target := storetest.NewMemoryEvents(), newClock(), newTarget()
	target.answer(func(events.Event) events.Outcome {
		return events.Outcome{Err: fault.New(fault.Unavailable, "bus", "it is down")}
	})
	start(t, o, c, map[string]events.Target{"default": target})
	<-c.asked // the pruner and
	<-c.asked // the worker wait
	add(t, o, sample("default", 1))
	c.advance(time.Minute) // nobody has woken the worker: it looks by itself
	next(t, target.given)
	pause := time.Second
	for n := 1; n < 8; n++ {
		<-c.asked // the worker waits again
		got := settled(t, o, events.Filter{State: events.Pending}, 1)[0]
		if wait := got.Due.Sub(c.Now()); got.Attempts != n || got.Reason != "it is down" || wait < pause*8/10 || wait > pause*12/10 {
			t.Fatalf("after %d attempts the event is %+v, due in %s, want about %s", n, got, wait, pause)
		}
		pause *= 2
		c.advance(got.Due.Sub(c.Now()))
		for len(c.asked) == 0 && len(target.given) == 0 { // the worker may wait in steps of a minute
			time.Sleep(time.Millisecond)
		}
		for len(target.given) == 0 {
			<-c.asked
			c.advance(time.Minute)
		}
		next(t, target.given)
	}
	target.answer(func(events.Event) events.Outcome { return events.Outcome{} })
	for len(settled(t, o, events.Filter{}, 1)) == 1 {
		if got, _, _ := o.EventList(t.Context(), events.Filter{State: events.Delivered}, "", 1); len(got) == 1 {
			break
		}
		c.advance(time.Minute)
		time.Sleep(time.Millisecond)
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		age  time.Duration // of the event
		dead bool
	}{
		"refused":         {fault.New(fault.Invalid, "bus", "malformed"), 0, true},
		"gone":            {fault.New(fault.NotFound, "bus", "gone"), 0, true},
		"unknown error":   {errors.New("what is this"), 0, true},
		"down":            {fault.New(fault.Unavailable, "bus", "down"), 0, false},
		"throttled":       {fault.New(fault.Throttled, "bus", "slow down"), 0, false},
		"not let in":      {fault.New(fault.Denied, "bus", "wrong key"), 0, false},
		"out of time":     {context.DeadlineExceeded, 0, false},
		"down for a day":  {fault.New(fault.Unavailable, "bus", "down"), 24 * time.Hour, true},
		"down for a week": {fault.New(fault.Unavailable, "bus", "down"), 7 * 24 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, clk, target := storetest.NewMemoryEvents(), newClock(), newTarget()
			target.answer(func(e events.Event) events.Outcome {
				if e.ID == "id1" {
					return events.Outcome{Err: c.err}
				}
				return events.Outcome{}
			})
			bad := sample("default", 1)
			bad.Time = now.Add(-c.age)
			add(t, o, bad, sample("default", 2))
			d := start(t, o, clk, map[string]events.Target{"default": target})
			settled(t, o, events.Filter{State: events.Delivered}, 1) // the other one is not held up
			want := events.Pending
			if c.dead {
				want = events.Dead
			}
			got := settled(t, o, events.Filter{State: want, ID: "id1"}, 1)[0]
			if got.Attempts != 1 || got.Reason == "" {
				t.Errorf("the event is %+v", got)
			}
			if !c.dead {
				return
			}
			target.answer(nil)
			if n, err := o.EventReplay(t.Context(), events.Filter{State: events.Dead}, clk.Now()); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			d.Wake("")
			settled(t, o, events.Filter{State: events.Delivered}, 2)
		})
	}
}

// A bus whose target hangs holds up no other, and a stop does not wait for it.
func TestIsolation(t *testing.T) {
	t.Parallel()
	o, c, good := storetest.NewMemoryEvents(), newClock(), newTarget()
	add(t, o, sample("bad", 1), sample("good", 1))
	start(t, o, c, map[string]events.Target{"bad": hanging{}, "good": good})
	next(t, good.given)
}

type hanging struct{}

func (hanging) Batch() int { return 1 }
func (hanging) Deliver(ctx context.Context, all []events.Event) []events.Outcome {
	<-ctx.Done()
	return []events.Outcome{{Err: ctx.Err()}}
}

func TestSink(t *testing.T) {
	t.Parallel()
	e := sample("default", 1)
	e.DetailType = `Order "ü"`
	for _, mode := range []string{"structured", "binary"} {
		var got *http.Request
		var body []byte
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r
			body, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusNoContent)
		}))
		s := events.NewSink(events.Bus{Type: "http", URL: server.URL + "/in", Mode: mode, Token: secret.NewText("t"), Headers: map[string]secret.Text{"X-Env": secret.NewText("dev")}}, server.Client().Transport, time.Now)
		if out := s.Deliver(t.Context(), []events.Event{e}); out[0].Err != nil {
			t.Error(out[0].Err)
		}
		server.Close()
		if got.Method != http.MethodPost || got.URL.Path != "/in" || got.Header.Get("Authorization") != "Bearer t" || got.Header.Get("X-Env") != "dev" {
			t.Errorf("%s: the request was %s %s %v", mode, got.Method, got.URL, got.Header)
		}
		if mode == "structured" {
			var v map[string]any
			if err := json.Unmarshal(body, &v); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{"specversion": "1.0", "id": "id1", "source": events.Prefix + "orders", "type": `Order "ü"`, "time": "2026-03-01T12:00:00Z", "datacontenttype": "application/json", "data": map[string]any{"n": 1.0}}
			if fmt.Sprint(v) != fmt.Sprint(want) || !strings.HasPrefix(got.Header.Get("Content-Type"), "application/cloudevents+json") {
				t.Errorf("the event is %v, want %v", v, want)
			}
			continue
		}
		for name, want := range map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "id1", "Ce-Source": events.Prefix + "orders", "Ce-Type": "Order%20%22%C3%BC%22", "Ce-Time": "2026-03-01T12:00:00Z", "Content-Type": "application/json"} {
			if v := got.Header.Get(name); v != want {
				t.Errorf("%s is %q, want %q", name, v, want)
			}
		}
		if string(body) != `{"n":1}` {
			t.Errorf("the body is %s", body)
		}
	}
}

func TestSinkRefuses(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]fault.Kind{400: fault.Invalid, 401: fault.Denied, 403: fault.Denied, 404: fault.NotFound, 409: fault.Unavailable, 422: fault.Invalid, 429: fault.Throttled, 500: fault.Unavailable, 503: fault.Unavailable, 302: fault.Invalid} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "17")
			w.Header().Set("Location", "http://elsewhere.example/")
			w.WriteHeader(status)
		}))
		out := events.NewSink(events.Bus{URL: server.URL}, server.Client().Transport, time.Now).Deliver(t.Context(), []events.Event{sample("b", 1), sample("b", 2)})
		server.Close()
		for _, o := range out {
			if fault.KindOf(o.Err) != kind || o.After != 17*time.Second {
				t.Errorf("status %d: %v after %s, want %v", status, o.Err, o.After, kind)
			}
		}
	}
	out := events.NewSink(events.Bus{URL: "http://127.0.0.1:1"}, nil, time.Now).Deliver(t.Context(), []events.Event{sample("b", 1)})
	if fault.KindOf(out[0].Err) != fault.Unavailable {
		t.Errorf("nobody listens: %v", out[0].Err)
	}
}

// rowsTable is an events.Tables.
type rowsTable struct {
	rows []events.Row
	bad  string // id of a row that is refused
	err  error
}

func (r *rowsTable) AppendEvents(_ context.Context, warehouse, database, schema, table string, rows []events.Row) error {
	if got := []string{warehouse, database, schema, table}; !slices.Equal(got, []string{"default", "dev", "public", "events"}) {
		return fmt.Errorf("the table is %v", got)
	}
	for _, row := range rows {
		if row.ID == r.bad {
			return fault.New(fault.Invalid, "load", "the row %s is bad", row.ID)
		}
	}
	if r.err == nil {
		r.rows = append(r.rows, rows...)
	}
	return r.err
}

func TestTable(t *testing.T) {
	t.Parallel()
	bus := events.Bus{Type: "table", Table: "redshift://default/dev/public/events"}
	batch := []events.Event{sample("b", 1), sample("b", 2), sample("b", 3)}
	r := &rowsTable{bad: "id2"}
	out := events.NewTable(bus, r).Deliver(t.Context(), batch)
	if out[0].Err != nil || fault.KindOf(out[1].Err) != fault.Invalid || out[2].Err != nil || len(r.rows) != 2 {
		t.Errorf("the outcomes are %v and the rows %v", out, r.rows)
	}
	if want := (events.Row{ID: "id1", Source: events.Prefix + "orders", DetailType: "Order", Bus: "b", Time: "2026-03-01 12:00:00+00", Detail: json.RawMessage(`{"n":1}`)}); fmt.Sprint(r.rows[0]) != fmt.Sprint(want) {
		t.Errorf("a row is %+v", r.rows[0])
	}
	r = &rowsTable{err: fault.New(fault.NotFound, "database", "there is no database dev")}
	for _, o := range events.NewTable(bus, r).Deliver(t.Context(), batch) {
		if fault.KindOf(o.Err) != fault.Unavailable || !strings.Contains(o.Err.Error(), "no database") {
			t.Errorf("a database that is not there yet: %v", o.Err)
		}
	}
}
