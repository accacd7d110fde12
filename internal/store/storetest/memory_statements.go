package storetest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/statements"
)

type pageKey struct {
	id         string
	part, page int
}

// forgotten is what is kept of an expired statement.
type forgotten struct{ done time.Time }

// StatementCreate implements statements.Store.
func (m *Memory) StatementCreate(ctx context.Context, s statements.Statement, max int) (_ statements.Statement, created bool, _ error) {
	err := m.do(ctx, func() error {
		active := 0
		for _, o := range m.statements {
			if s.ClientToken != "" && o.Owner == s.Owner && o.ClientToken == s.ClientToken {
				s = clone(o)
				return nil
			}
			if o.WarehouseID == s.WarehouseID && !o.Status.Done() {
				active++
			}
		}
		if _, ok := m.statements[s.ID]; ok {
			return taken(statements.SubjectStatement, s.ID)
		}
		if active >= max {
			return fault.New(fault.Limit, statements.SubjectStatement, "%d statements are waiting or running", active)
		}
		m.statements[s.ID], created = clone(s), true
		return nil
	})
	if err != nil {
		return statements.Statement{}, false, err
	}
	return s, created, nil
}

// clone copies what an update may change in place.
func clone(s statements.Statement) statements.Statement {
	s.Subs = slices.Clone(s.Subs)
	return s
}

// StatementGet implements statements.Store.
func (m *Memory) StatementGet(ctx context.Context, id string) (s statements.Statement, err error) {
	err = m.do(ctx, func() error {
		if f, ok := m.forgotten[id]; ok {
			return statements.ExpiredAt(f.done.Add(statements.Retention))
		}
		s, err = get(m.statements, id, statements.SubjectStatement, id)
		s = clone(s)
		return err
	})
	return s, err
}

// StatementList implements statements.Store.
func (m *Memory) StatementList(ctx context.Context, f statements.Filter, after statements.Cursor, limit int) (list []statements.Statement, err error) {
	order := func(a, b statements.Cursor) int {
		c := cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID))
		if f.OldestFirst {
			return -c
		}
		return c
	}
	cursor := func(s statements.Statement) statements.Cursor { return statements.Cursor{Created: s.Created, ID: s.ID} }
	err = m.do(ctx, func() error {
		for _, s := range m.statements {
			switch {
			case f.Owner != "" && f.Owner != s.Owner, f.WarehouseID != "" && f.WarehouseID != s.WarehouseID,
				f.Database != "" && f.Database != s.Database, !strings.HasPrefix(s.Name, f.NamePrefix),
				f.SessionID != "" && f.SessionID != s.SessionID, f.Status != "" && f.Status != s.Status, f.Active && s.Status.Done(),
				after != statements.Cursor{} && order(cursor(s), after) <= 0:
			default:
				list = append(list, clone(s))
			}
		}
		slices.SortFunc(list, func(a, b statements.Statement) int { return order(cursor(a), cursor(b)) })
		list = list[:min(limit, len(list))]
		return nil
	})
	return list, err
}

// StatementUpdate implements statements.Store.
func (m *Memory) StatementUpdate(ctx context.Context, id string, change func(*statements.Statement) error) (s statements.Statement, err error) {
	err = m.do(ctx, func() error {
		old, err := get(m.statements, id, statements.SubjectStatement, id)
		if err != nil {
			return err
		}
		next := clone(old)
		if err := change(&next); err != nil {
			return err
		}
		if len(next.Subs) != len(old.Subs) {
			return fault.New(fault.Internal, statements.SubjectStatement, "the statement %s has %d parts, not %d", id, len(old.Subs), len(next.Subs))
		}
		next.ID, next.Created, next.Owner, next.ClientToken = old.ID, old.Created, old.Owner, old.ClientToken
		for n := range next.Subs {
			next.Subs[n].SQL = old.Subs[n].SQL
		}
		m.statements[id], s = next, clone(next)
		return nil
	})
	return s, err
}

// StatementExpire implements statements.Store.
func (m *Memory) StatementExpire(ctx context.Context, before time.Time) (count int, err error) {
	err = m.do(ctx, func() error {
		for id, s := range m.statements {
			if s.Status.Done() && s.Updated.Before(before) {
				delete(m.statements, id)
				m.clear(id)
				m.forgotten[id] = forgotten{s.Updated}
				count++
			}
		}
		maps.DeleteFunc(m.forgotten, func(_ string, f forgotten) bool { return f.done.Before(before.Add(-statements.Remembered)) })
		return nil
	})
	return count, err
}

func (m *Memory) clear(id string) {
	maps.DeleteFunc(m.pages, func(k pageKey, _ statements.Page) bool { return k.id == id })
}

// PagePut implements statements.ResultStore.
func (m *Memory) PagePut(ctx context.Context, id string, part, page int, p statements.Page) error {
	return m.do(ctx, func() error {
		_, err := get(m.statements, id, statements.SubjectStatement, id)
		if err == nil {
			m.pages[pageKey{id, part, page}] = p
		}
		return err
	})
}

// PageGet implements statements.ResultStore.
func (m *Memory) PageGet(ctx context.Context, id string, part, page int) (p statements.Page, err error) {
	err = m.do(ctx, func() error {
		p, err = get(m.pages, pageKey{id, part, page}, statements.SubjectResult, id)
		return err
	})
	return p, err
}

// PageClear implements statements.ResultStore.
func (m *Memory) PageClear(ctx context.Context, id string) error {
	return m.do(ctx, func() error {
		m.clear(id)
		return nil
	})
}
