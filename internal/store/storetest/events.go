package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/fault"
)

// EventStore is a store of package events.
type EventStore interface {
	events.Outbox
	events.Archive
}

func event(bus string, n int) events.Event {
	return events.Event{
		Bus: bus, ID: fmt.Sprintf("id %d", n), Source: "app-integrations.webhooks/orders", DetailType: "Order", Time: at(n), Due: at(n),
		Detail: json.RawMessage(fmt.Sprintf(`{"n":%d,"text":"ü"}`, n)), State: events.Pending,
	}
}

func eventIDs(all []events.Event) (ids []string) {
	for _, e := range all {
		ids = append(ids, e.Bus+"/"+e.ID)
	}
	return ids
}

// Events tests a store of events.
func Events(t *testing.T, open Open[EventStore]) {
	list := func(t *testing.T, s EventStore, f events.Filter) []events.Event {
		t.Helper()
		found, _, err := s.EventList(t.Context(), f, "", 1000)
		must(t, err)
		return found
	}
	add := func(t *testing.T, s EventStore, want int, all ...events.Event) {
		t.Helper()
		n, err := s.EventAdd(t.Context(), all)
		must(t, err)
		if n != want {
			t.Errorf("%d of the events were new, want %d", n, want)
		}
	}
	t.Run("events survive a restart", func(t *testing.T) {
		full := events.Event{
			Bus: "a", ID: "i", Source: "s", DetailType: "d", Time: at(1), Detail: json.RawMessage(`{"x":[1,2.50,"ü"]}`),
			State: events.Dead, Attempts: 3, Due: at(2), Reason: "why", Settled: at(3),
		}
		s := reopened(t, open, func(s EventStore) {
			add(t, s, 2, full, event("b", 1))
		})
		found := list(t, s, events.Filter{})
		if len(found) != 2 {
			t.Fatalf("%d events are there", len(found))
		}
		same(t, found[0], full)
		same(t, found[1], event("b", 1))
	})
	t.Run("once per bus and id", func(t *testing.T) {
		s := fresh(t, open)
		add(t, s, 2, event("a", 1), event("b", 1))
		changed := event("a", 1)
		changed.DetailType = "another"
		add(t, s, 1, changed, event("a", 2))
		if got := list(t, s, events.Filter{Bus: "a", ID: "id 1"}); len(got) != 1 || got[0].DetailType != "Order" {
			t.Errorf("the event is %+v", got)
		}
	})
	t.Run("claim", func(t *testing.T) {
		s := fresh(t, open)
		claim := func(now, until int, most int, want ...string) []events.Event {
			t.Helper()
			got, err := s.EventClaim(t.Context(), "a", at(now), at(until), most)
			must(t, err)
			if ids := eventIDs(got); !slices.Equal(ids, want) {
				t.Errorf("at %d: claimed %v, want %v", now, ids, want)
			}
			return got
		}
		claim(9, 99, 5)
		add(t, s, 4, event("a", 3), event("a", 1), event("b", 1), event("a", 2))
		got := claim(2, 20, 5, "a/id 1", "a/id 2") // oldest first, of this bus, and due
		if len(got) == 2 {
			want := event("a", 1)
			want.Due = at(20)
			same(t, got[0], want)
		}
		claim(2, 20, 5) // they are claimed
		claim(9, 30, 5, "a/id 3")
		if next, err := s.EventNext(t.Context(), "a"); err != nil || !next.Equal(at(20)) {
			t.Errorf("the next is due at %v, %v", next, err)
		}
		claim(20, 40, 1, "a/id 1") // the claim has expired
		if next, err := s.EventNext(t.Context(), "none"); err != nil || !next.IsZero() {
			t.Errorf("a bus without events has one due at %v, %v", next, err)
		}
	})
	t.Run("settle", func(t *testing.T) {
		s := fresh(t, open)
		add(t, s, 3, event("a", 1), event("a", 2), event("a", 3))
		batch, err := s.EventClaim(t.Context(), "a", at(9), at(20), 9)
		must(t, err)
		batch[0].State, batch[0].Attempts, batch[0].Settled = events.Delivered, 1, at(10)
		batch[1].State, batch[1].Attempts, batch[1].Settled, batch[1].Reason = events.Dead, 2, at(11), "refused"
		batch[2].Attempts, batch[2].Due, batch[2].Reason = 1, at(15), "later"
		must(t, s.EventSettle(t.Context(), batch))
		for i, got := range list(t, s, events.Filter{}) {
			same(t, got, batch[i])
		}
		late := slices.Clone(batch)
		late[0].State, late[0].Reason = events.Dead, "too late"
		must(t, s.EventSettle(t.Context(), append(late, event("a", 99))))
		if got := list(t, s, events.Filter{}); len(got) != 3 || got[0].State != events.Delivered {
			t.Errorf("an event that was settled is now %+v", got)
		}
		got, err := s.EventClaim(t.Context(), "a", at(16), at(20), 9)
		must(t, err)
		if !slices.Equal(eventIDs(got), []string{"a/id 3"}) {
			t.Errorf("claimed %v", eventIDs(got))
		}
	})
	t.Run("list", func(t *testing.T) {
		s := fresh(t, open)
		var want []string
		for n := range 10 {
			e := event([]string{"a", "b"}[n%2], 10-n) // places, not times, are the order
			if n%5 == 0 {
				e.State = events.Dead
			}
			if n == 7 {
				e.Source = "app-integrations.webhooks/other"
			}
			add(t, s, 1, e)
			want = append(want, e.Bus+"/"+e.ID)
		}
		var got []string
		pages, after := 0, ""
		for {
			page, next, err := s.EventList(t.Context(), events.Filter{}, after, 4)
			must(t, err)
			got = append(got, eventIDs(page)...)
			pages++
			if next == "" {
				break
			}
			after = next
		}
		if !slices.Equal(got, want) || pages != 3 {
			t.Errorf("got %v in %d pages, want %v", got, pages, want)
		}
		for _, c := range []struct {
			f    events.Filter
			want int
		}{
			{events.Filter{Bus: "a"}, 5}, {events.Filter{State: events.Dead}, 2}, {events.Filter{Bus: "b", State: events.Dead}, 1},
			{events.Filter{Source: "app-integrations.webhooks/other"}, 1}, {events.Filter{ID: "id 4"}, 1}, {events.Filter{Bus: "nowhere"}, 0},
		} {
			if n := len(list(t, s, c.f)); n != c.want {
				t.Errorf("%+v chooses %d events, want %d", c.f, n, c.want)
			}
		}
		_, _, err := s.EventList(t.Context(), events.Filter{}, "rubbish", 4)
		wants(t, err, fault.Invalid, "after")
		counts, err := s.EventCounts(t.Context())
		must(t, err)
		if want := map[string]map[events.State]int{"a": {events.Pending: 4, events.Dead: 1}, "b": {events.Pending: 4, events.Dead: 1}}; !reflect.DeepEqual(counts, want) {
			t.Errorf("the counts are %v, want %v", counts, want)
		}
	})
	t.Run("replay and delete", func(t *testing.T) {
		s := fresh(t, open)
		for n := range 6 {
			e := event("a", n)
			e.State = []events.State{events.Dead, events.Pending, events.Delivered}[n%3]
			e.Attempts, e.Reason, e.Settled = 7, "why", at(50)
			add(t, s, 1, e)
		}
		n, err := s.EventReplay(t.Context(), events.Filter{State: events.Dead, Bus: "a"}, at(60))
		must(t, err)
		if n != 2 {
			t.Errorf("%d events were replayed, want 2", n)
		}
		want := event("a", 0)
		want.Due = at(60)
		same(t, list(t, s, events.Filter{})[0], want)
		if got := list(t, s, events.Filter{})[1]; got.Attempts != 7 {
			t.Error("an event that was pending was replayed")
		}
		if n, err := s.EventReplay(t.Context(), events.Filter{ID: "id 2"}, at(60)); err != nil || n != 1 {
			t.Errorf("%d delivered events were replayed, %v", n, err)
		}
		n, err = s.EventDelete(t.Context(), events.Filter{Bus: "a", State: events.Pending})
		must(t, err)
		if left := list(t, s, events.Filter{}); n != 5 || len(left) != 1 || left[0].ID != "id 5" {
			t.Errorf("%d events were deleted, and %v are left", n, eventIDs(left))
		}
	})
	t.Run("prune", func(t *testing.T) {
		s := fresh(t, open)
		for n, state := range []events.State{events.Delivered, events.Delivered, events.Dead, events.Pending} {
			e := event("a", n)
			e.State, e.Settled = state, at(n*10)
			add(t, s, 1, e)
		}
		must(t, s.EventPrune(t.Context(), at(10)))
		if left := eventIDs(list(t, s, events.Filter{})); !slices.Equal(left, []string{"a/id 1", "a/id 2", "a/id 3"}) {
			t.Errorf("%v are left", left)
		}
	})
	t.Run("no event is claimed twice", func(t *testing.T) {
		s := fresh(t, open)
		for n := range 40 {
			add(t, s, 1, event("a", n))
		}
		claims := make([][]events.Event, 8)
		for _, err := range together(8, func(n int) error {
			for range 3 {
				got, err := s.EventClaim(t.Context(), "a", at(100), at(200), 3)
				if err != nil {
					return err
				}
				claims[n] = append(claims[n], got...)
			}
			return nil
		}) {
			must(t, err)
		}
		seen := map[string]bool{}
		for _, c := range claims {
			for _, e := range c {
				if seen[e.ID] {
					t.Errorf("%s was claimed twice", e.ID)
				}
				seen[e.ID] = true
			}
		}
		if len(seen) != 40 {
			t.Errorf("%d of 40 events were claimed", len(seen))
		}
	})
	calls(t, open, map[string]func(context.Context, EventStore) error{
		"add": func(ctx context.Context, s EventStore) error {
			_, err := s.EventAdd(ctx, []events.Event{event("a", 1)})
			return err
		},
		"claim": func(ctx context.Context, s EventStore) error {
			_, err := s.EventClaim(ctx, "a", at(1), at(2), 1)
			return err
		},
		"settle": func(ctx context.Context, s EventStore) error {
			return s.EventSettle(ctx, []events.Event{event("a", 1)})
		},
		"next":  func(ctx context.Context, s EventStore) error { _, err := s.EventNext(ctx, "a"); return err },
		"prune": func(ctx context.Context, s EventStore) error { return s.EventPrune(ctx, time.Now()) },
		"list": func(ctx context.Context, s EventStore) error {
			_, _, err := s.EventList(ctx, events.Filter{}, "", 1)
			return err
		},
		"replay": func(ctx context.Context, s EventStore) error {
			_, err := s.EventReplay(ctx, events.Filter{}, at(1))
			return err
		},
		"delete": func(ctx context.Context, s EventStore) error {
			_, err := s.EventDelete(ctx, events.Filter{})
			return err
		},
		"counts": func(ctx context.Context, s EventStore) error { _, err := s.EventCounts(ctx); return err },
	}, func(t *testing.T, s EventStore) {
		if left := list(t, s, events.Filter{}); len(left) > 0 {
			t.Errorf("%v are there", eventIDs(left))
		}
	})
}
