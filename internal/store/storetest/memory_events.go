package storetest

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/fault"
)

// MemoryEvents implements the interfaces of package events as Memory does those of the domains.
type MemoryEvents struct {
	Memory
	events []memoryEvent // in the order of their places
	last   int64
}

type memoryEvent struct {
	place int64
	events.Event
}

// NewMemoryEvents returns an empty MemoryEvents.
func NewMemoryEvents() *MemoryEvents { return &MemoryEvents{} }

func (m *MemoryEvents) find(bus, id string) *memoryEvent {
	for i := range m.events {
		if m.events[i].Bus == bus && m.events[i].ID == id {
			return &m.events[i]
		}
	}
	return nil
}

// EventAdd implements events.Outbox.
func (m *MemoryEvents) EventAdd(ctx context.Context, all []events.Event) (added int, err error) {
	err = m.do(ctx, func() error {
		for _, e := range all {
			if m.find(e.Bus, e.ID) == nil {
				m.last++
				m.events = append(m.events, memoryEvent{m.last, e})
				added++
			}
		}
		return nil
	})
	return added, err
}

// EventClaim implements events.Outbox.
func (m *MemoryEvents) EventClaim(ctx context.Context, bus string, now, until time.Time, max int) (claimed []events.Event, err error) {
	err = m.do(ctx, func() error {
		var due []*memoryEvent
		for i := range m.events {
			if e := &m.events[i]; e.Bus == bus && e.State == events.Pending && !e.Due.After(now) {
				due = append(due, e)
			}
		}
		slices.SortStableFunc(due, func(a, b *memoryEvent) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.place, b.place)) })
		for _, e := range due[:min(max, len(due))] {
			e.Due = until.UTC()
			claimed = append(claimed, e.Event)
		}
		return nil
	})
	return claimed, err
}

// EventSettle implements events.Outbox.
func (m *MemoryEvents) EventSettle(ctx context.Context, all []events.Event) error {
	return m.do(ctx, func() error {
		for _, e := range all {
			if have := m.find(e.Bus, e.ID); have != nil && have.State == events.Pending {
				have.State, have.Attempts, have.Due, have.Reason, have.Settled = e.State, e.Attempts, e.Due, e.Reason, e.Settled
			}
		}
		return nil
	})
}

// EventNext implements events.Outbox.
func (m *MemoryEvents) EventNext(ctx context.Context, bus string) (next time.Time, err error) {
	err = m.do(ctx, func() error {
		for _, e := range m.events {
			if e.Bus == bus && e.State == events.Pending && (next.IsZero() || e.Due.Before(next)) {
				next = e.Due
			}
		}
		return nil
	})
	return next, err
}

// EventPrune implements events.Outbox.
func (m *MemoryEvents) EventPrune(ctx context.Context, before time.Time) error {
	return m.do(ctx, func() error {
		m.events = slices.DeleteFunc(m.events, func(e memoryEvent) bool { return e.State == events.Delivered && e.Settled.Before(before) })
		return nil
	})
}

func matches(f events.Filter, e events.Event) bool {
	return (f.Bus == "" || f.Bus == e.Bus) && (f.ID == "" || f.ID == e.ID) && (f.Source == "" || f.Source == e.Source) && (f.State == "" || f.State == e.State)
}

// EventList implements events.Archive.
func (m *MemoryEvents) EventList(ctx context.Context, f events.Filter, after string, max int) (found []events.Event, next string, err error) {
	err = m.do(ctx, func() error {
		place := int64(0)
		if after != "" {
			var err error
			if place, err = strconv.ParseInt(after, 10, 64); err != nil {
				return fault.New(fault.Invalid, "after", "%q is not where a page of events ended", after)
			}
		}
		last := int64(0)
		for _, e := range m.events {
			if e.place <= place || !matches(f, e.Event) {
				continue
			}
			if len(found) == max {
				next = strconv.FormatInt(last, 10)
				break
			}
			found, last = append(found, e.Event), e.place
		}
		return nil
	})
	return found, next, err
}

// EventReplay implements events.Archive.
func (m *MemoryEvents) EventReplay(ctx context.Context, f events.Filter, now time.Time) (n int, err error) {
	err = m.do(ctx, func() error {
		for i := range m.events {
			if e := &m.events[i].Event; e.State != events.Pending && matches(f, *e) {
				e.State, e.Attempts, e.Reason, e.Settled, e.Due = events.Pending, 0, "", time.Time{}, now
				n++
			}
		}
		return nil
	})
	return n, err
}

// EventDelete implements events.Archive.
func (m *MemoryEvents) EventDelete(ctx context.Context, f events.Filter) (n int, err error) {
	err = m.do(ctx, func() error {
		before := len(m.events)
		m.events = slices.DeleteFunc(m.events, func(e memoryEvent) bool { return matches(f, e.Event) })
		n = before - len(m.events)
		return nil
	})
	return n, err
}

// EventCounts implements events.Archive.
func (m *MemoryEvents) EventCounts(ctx context.Context) (counts map[string]map[events.State]int, err error) {
	counts = map[string]map[events.State]int{}
	err = m.do(ctx, func() error {
		for _, e := range m.events {
			if counts[e.Bus] == nil {
				counts[e.Bus] = map[events.State]int{}
			}
			counts[e.Bus][e.State]++
		}
		return nil
	})
	return counts, err
}
