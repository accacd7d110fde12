package sqlite

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/fault"
)

// placed is an event and its place in the outbox.
type placed struct {
	place int64
	events.Event
}

var eventTable = newEntity("event", 2, []column[events.Event]{
	{"bus", func(v *events.Event) any { return &v.Bus }},
	{"id", func(v *events.Event) any { return &v.ID }},
	{"source", func(v *events.Event) any { return &v.Source }},
	{"detail_type", func(v *events.Event) any { return &v.DetailType }},
	{"time", func(v *events.Event) any { return &v.Time }},
	{"detail", func(v *events.Event) any { return &v.Detail }},
	{"state", func(v *events.Event) any { return &v.State }},
	{"attempts", func(v *events.Event) any { return &v.Attempts }},
	{"due", func(v *events.Event) any { return &v.Due }},
	{"reason", func(v *events.Event) any { return &v.Reason }},
	{"settled", func(v *events.Event) any { return &v.Settled }},
})

// placedTable reads what eventTable writes.
var placedTable = newEntity("event", 1, placedColumns())

func placedColumns() []column[placed] {
	columns := []column[placed]{{"place", func(v *placed) any { return &v.place }}}
	for _, c := range eventTable.columns {
		columns = append(columns, column[placed]{c.name, func(v *placed) any { return c.field(&v.Event) }})
	}
	return columns
}

// Outbox is an events.Outbox and an events.Archive.
type Outbox struct{ db *DB }

// NewOutbox returns the store of package events in db.
func NewOutbox(db *DB) *Outbox { return &Outbox{db} }

// EventAdd implements events.Outbox.
func (s *Outbox) EventAdd(ctx context.Context, all []events.Event) (added int, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		added = 0
		for i := range all {
			known, err := has(ctx, t, "SELECT 1 FROM event WHERE bus = ? AND id = ?", all[i].Bus, all[i].ID)
			if err != nil {
				return err
			}
			if known {
				continue
			}
			if _, err := eventTable.insert(ctx, t, &all[i]); err != nil {
				return err
			}
			added++
		}
		return nil
	}, nil)
	return added, err
}

// EventClaim implements events.Outbox.
func (s *Outbox) EventClaim(ctx context.Context, bus string, now, until time.Time, max int) (claimed []events.Event, err error) {
	// A look first: a worker that finds nothing must not wait for the disk.
	found := false
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		found, err = has(ctx, t, "SELECT 1 FROM event WHERE state = 'pending' AND bus = ? AND due <= ?", bus, now.UnixNano())
		return err
	})
	if err != nil || !found {
		return nil, err
	}
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		due, err := placedTable.list(ctx, t, "WHERE state = 'pending' AND bus = ? AND due <= ? ORDER BY due, place LIMIT ?", bus, now.UnixNano(), max)
		if err != nil {
			return err
		}
		claimed = nil
		for _, e := range due {
			if _, err := t.ExecContext(ctx, "UPDATE event SET due = ? WHERE place = ?", until.UnixNano(), e.place); err != nil {
				return err
			}
			e.Due = until.UTC()
			claimed = append(claimed, e.Event)
		}
		return nil
	}, nil)
	return claimed, err
}

// EventSettle implements events.Outbox.
func (s *Outbox) EventSettle(ctx context.Context, all []events.Event) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		for i := range all {
			e := &all[i]
			values := []any{string(e.State), e.Attempts}
			for _, field := range []any{&e.Due, &e.Reason, &e.Settled} {
				v, err := encode(field)
				if err != nil {
					return err
				}
				values = append(values, v)
			}
			if _, err := t.ExecContext(ctx, "UPDATE event SET state = ?, attempts = ?, due = ?, reason = ?, settled = ? WHERE bus = ? AND id = ? AND state = 'pending'",
				append(values, e.Bus, e.ID)...); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

// EventNext implements events.Outbox.
func (s *Outbox) EventNext(ctx context.Context, bus string) (next time.Time, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		var due sql.NullInt64
		err := t.QueryRowContext(ctx, "SELECT min(due) FROM event WHERE state = 'pending' AND bus = ?", bus).Scan(&due)
		if due.Valid {
			next = time.Unix(0, due.Int64).UTC()
		}
		return err
	})
	return next, err
}

// EventPrune implements events.Outbox.
func (s *Outbox) EventPrune(ctx context.Context, before time.Time) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		_, err := t.ExecContext(ctx, "DELETE FROM event WHERE state = 'delivered' AND settled < ?", before.UnixNano())
		return err
	}, nil)
}

// chosen is the WHERE clause of a filter. extra is one more condition.
func chosen(f events.Filter, extra string) (string, []any) {
	conditions, args := []string{extra}, []any{}
	for _, c := range []struct{ column, value string }{{"bus", f.Bus}, {"id", f.ID}, {"source", f.Source}, {"state", string(f.State)}} {
		if c.value != "" {
			conditions, args = append(conditions, c.column+" = ?"), append(args, c.value)
		}
	}
	return "WHERE " + strings.Join(conditions, " AND "), args
}

// EventList implements events.Archive.
func (s *Outbox) EventList(ctx context.Context, f events.Filter, after string, max int) (found []events.Event, next string, err error) {
	place := int64(0)
	if after != "" {
		if place, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, "", fault.New(fault.Invalid, "after", "%.40q is not where a page of events ended", after)
		}
	}
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		where, args := chosen(f, "place > "+strconv.FormatInt(place, 10))
		list, err := placedTable.list(ctx, t, where+" ORDER BY place LIMIT "+strconv.Itoa(max+1), args...)
		if len(list) > max {
			list = list[:max]
			next = strconv.FormatInt(list[max-1].place, 10)
		}
		for _, e := range list {
			found = append(found, e.Event)
		}
		return err
	})
	return found, next, err
}

// EventReplay implements events.Archive.
func (s *Outbox) EventReplay(ctx context.Context, f events.Filter, now time.Time) (int, error) {
	where, args := chosen(f, "state <> 'pending'")
	return s.changed(ctx, "UPDATE event SET state = 'pending', attempts = 0, reason = '', settled = 0, due = "+strconv.FormatInt(now.UnixNano(), 10)+" "+where, args)
}

// EventDelete implements events.Archive.
func (s *Outbox) EventDelete(ctx context.Context, f events.Filter) (int, error) {
	where, args := chosen(f, "true")
	return s.changed(ctx, "DELETE FROM event "+where, args)
}

func (s *Outbox) changed(ctx context.Context, statement string, args []any) (n int, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		result, err := t.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		rows, err := result.RowsAffected()
		n = int(rows)
		return err
	}, nil)
	return n, err
}

// EventCounts implements events.Archive.
func (s *Outbox) EventCounts(ctx context.Context) (counts map[string]map[events.State]int, err error) {
	counts = map[string]map[events.State]int{}
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) (err error) {
		rows, err := t.QueryContext(ctx, "SELECT bus, state, count(*) FROM event GROUP BY bus, state")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var bus, state string
			var n int
			if err := rows.Scan(&bus, &state, &n); err != nil {
				return err
			}
			if counts[bus] == nil {
				counts[bus] = map[events.State]int{}
			}
			counts[bus][events.State(state)] = n
		}
		return rows.Err()
	})
	return counts, err
}
