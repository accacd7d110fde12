package storetest

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/statements"
)

// StatementStore is both stores of package statements.
type StatementStore interface {
	statements.Store
	statements.ResultStore
}

func statement(n int) statements.Statement {
	return statements.Statement{
		ID: fmt.Sprintf("id-%03d", n), WarehouseID: "w", Database: "dev", Owner: "me", Status: statements.Submitted, Created: at(n), Updated: at(n),
		Subs: []statements.Sub{{SQL: "select 1", Status: statements.Submitted, Created: at(n), Updated: at(n), Rows: -1, Size: -1}},
	}
}

// Statements tests a statements.Store together with its statements.ResultStore.
func Statements(t *testing.T, open Open[StatementStore]) {
	const subject = statements.SubjectStatement
	create := func(t *testing.T, s StatementStore, list ...statements.Statement) {
		t.Helper()
		for _, st := range list {
			_, created, err := s.StatementCreate(t.Context(), st, 99)
			must(t, err)
			if !created {
				t.Fatalf("%s was not created", st.ID)
			}
		}
	}
	t.Run("every field survives a restart", func(t *testing.T) {
		a, b := Full[statements.Statement](0), Full[statements.Statement](1000)
		b.Parameters, b.Subs = nil, b.Subs[:1]
		b.Subs[0].Columns = nil
		s := reopened(t, open, func(s StatementStore) { create(t, s, a, b) })
		for _, want := range []statements.Statement{a, b} {
			got, err := s.StatementGet(t.Context(), want.ID)
			must(t, err)
			same(t, got, want)
		}
		list, err := s.StatementList(t.Context(), statements.Filter{}, statements.Cursor{}, 9)
		must(t, err)
		same(t, list, []statements.Statement{b, a})
	})
	t.Run("create", func(t *testing.T) {
		s := fresh(t, open)
		create(t, s, statement(1), statement(2))
		_, _, err := s.StatementCreate(t.Context(), statement(1), 9)
		wants(t, err, fault.AlreadyExists, subject)
		_, _, err = s.StatementCreate(t.Context(), statement(3), 2)
		wants(t, err, fault.Limit, subject)
		_, err = s.StatementUpdate(t.Context(), "id-001", func(st *statements.Statement) error { st.Status = statements.Failed; return nil })
		must(t, err)
		_, _, err = s.StatementCreate(t.Context(), statement(3), 2) // those that are done do not count
		must(t, err)
		other := statement(4)
		other.WarehouseID = "x" // nor do those of another warehouse
		_, _, err = s.StatementCreate(t.Context(), other, 1)
		must(t, err)
		_, err = s.StatementGet(t.Context(), "id-009")
		wants(t, err, fault.NotFound, subject)
	})
	t.Run("a token makes a statement once", func(t *testing.T) {
		s := fresh(t, open)
		with := func(n int, owner, token string) statements.Statement {
			st := statement(n)
			st.Owner, st.ClientToken = owner, token
			return st
		}
		create(t, s, with(1, "me", "token"), with(2, "you", "token"), with(3, "me", ""), with(4, "me", ""))
		got, created, err := s.StatementCreate(t.Context(), with(5, "me", "token"), 1) // found before the limit is
		must(t, err)
		if created {
			t.Error("a second statement was created")
		}
		same(t, got, with(1, "me", "token"))
		ids := make([]string, 8)
		for _, err := range together(8, func(n int) error {
			st, _, err := s.StatementCreate(t.Context(), with(10+n, "me", "race"), 99)
			ids[n] = st.ID
			return err
		}) {
			must(t, err)
		}
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("one token made %v", ids)
				break
			}
		}
	})
	t.Run("update", func(t *testing.T) {
		s := fresh(t, open)
		st := statement(1)
		st.Subs = append(st.Subs, statements.Sub{SQL: "select 2", Rows: -1, Created: at(1), Updated: at(1)})
		st.ClientToken = "token"
		create(t, s, st)
		got, err := s.StatementUpdate(t.Context(), st.ID, func(st *statements.Statement) error {
			st.Status, st.Error, st.Updated = statements.Failed, "why", at(5)
			st.Subs[1].Status, st.Subs[1].Columns, st.Subs[1].SQL = statements.Failed, []statements.Column{{Name: "c"}}, "other"
			st.ID, st.Created, st.Owner, st.ClientToken = "x", at(9), "x", "x"
			return nil
		})
		must(t, err)
		want := st
		want.Status, want.Error, want.Updated = statements.Failed, "why", at(5)
		want.Subs = []statements.Sub{st.Subs[0], st.Subs[1]}
		want.Subs[1].Status, want.Subs[1].Columns = statements.Failed, []statements.Column{{Name: "c"}}
		same(t, got, want)
		_, err = s.StatementUpdate(t.Context(), st.ID, func(st *statements.Statement) error {
			st.Subs[0].Error = "lost"
			return errRefused
		})
		if err != errRefused { //nolint:errorlint // it must come back as it is
			t.Errorf("err = %v, want that of the change", err)
		}
		got, err = s.StatementGet(t.Context(), st.ID)
		must(t, err)
		same(t, got, want)
		_, err = s.StatementUpdate(t.Context(), st.ID, func(st *statements.Statement) error { st.Subs = st.Subs[:1]; return nil })
		wants(t, err, fault.Internal, subject)
		_, err = s.StatementUpdate(t.Context(), "id-009", func(*statements.Statement) error { return nil })
		wants(t, err, fault.NotFound, subject)
	})
	t.Run("no update is lost", func(t *testing.T) {
		s := fresh(t, open)
		create(t, s, statement(1))
		for _, err := range together(8, func(int) error {
			for range 20 {
				if _, err := s.StatementUpdate(t.Context(), "id-001", func(st *statements.Statement) error { st.QueryID++; st.Subs[0].QueryID++; return nil }); err != nil {
					return err
				}
			}
			return nil
		}) {
			must(t, err)
		}
		st, err := s.StatementGet(t.Context(), "id-001")
		must(t, err)
		if st.QueryID != 160 || st.Subs[0].QueryID != 160 {
			t.Errorf("%d and %d of 160 updates are there", st.QueryID, st.Subs[0].QueryID)
		}
	})
	t.Run("list", func(t *testing.T) { listSuite(t, fresh(t, open), create) })
	t.Run("expire", func(t *testing.T) {
		s := fresh(t, open)
		done := func(n int) statements.Statement {
			st := statement(n)
			st.Status = statements.Finished
			return st
		}
		create(t, s, done(1), done(2), done(3), statement(0))
		for _, id := range []string{"id-001", "id-002"} {
			must(t, s.PagePut(t.Context(), id, 0, 0, statements.Page{Rows: [][]statements.Value{{int64(1)}}}))
		}
		n, err := s.StatementExpire(t.Context(), at(2))
		must(t, err)
		if n != 1 {
			t.Errorf("%d statements expired, want 1: done, and updated before", n)
		}
		_, err = s.StatementGet(t.Context(), "id-001")
		wants(t, err, fault.Expired, subject)
		if want := fault.Message(statements.ExpiredAt(at(1).Add(statements.Retention))); fault.Message(err) != want {
			t.Errorf("the message is %q, want %q", fault.Message(err), want)
		}
		_, err = s.PageGet(t.Context(), "id-001", 0, 0)
		wants(t, err, fault.NotFound, statements.SubjectResult)
		for _, id := range []string{"id-000", "id-002", "id-003"} {
			_, err := s.StatementGet(t.Context(), id)
			must(t, err)
		}
		_, err = s.PageGet(t.Context(), "id-002", 0, 0)
		must(t, err)
		_, err = s.StatementExpire(t.Context(), at(1).Add(statements.Remembered)) // not yet
		must(t, err)
		_, err = s.StatementGet(t.Context(), "id-001")
		wants(t, err, fault.Expired, subject)
		_, err = s.StatementExpire(t.Context(), at(2).Add(statements.Remembered))
		must(t, err)
		_, err = s.StatementGet(t.Context(), "id-001")
		wants(t, err, fault.NotFound, subject)
	})
	t.Run("pages", func(t *testing.T) {
		values := []statements.Value{nil, true, false, int64(0), int64(math.MaxInt64), int64(math.MinInt64), 0.5, math.Inf(-1), "", "ü\x00", []byte{}, []byte{0, 255}}
		first := statements.Page{Rows: [][]statements.Value{values, {}, {"x"}}}
		s := reopened(t, open, func(s StatementStore) {
			create(t, s, statement(1), statement(2))
			must(t, s.PagePut(t.Context(), "id-001", 0, 0, statements.Page{Rows: [][]statements.Value{{"replaced"}}}))
			must(t, s.PagePut(t.Context(), "id-001", 0, 0, first))
			must(t, s.PagePut(t.Context(), "id-001", 0, 1, statements.Page{}))
			must(t, s.PagePut(t.Context(), "id-001", 1, 0, statements.Page{Rows: [][]statements.Value{{int64(2)}}}))
			must(t, s.PagePut(t.Context(), "id-002", 0, 0, statements.Page{Rows: [][]statements.Value{{int64(3)}}}))
		})
		got, err := s.PageGet(t.Context(), "id-001", 0, 0)
		must(t, err)
		same(t, got, first)
		got, err = s.PageGet(t.Context(), "id-001", 0, 1)
		must(t, err)
		if len(got.Rows) != 0 {
			t.Errorf("an empty page has %v", got.Rows)
		}
		_, err = s.PageGet(t.Context(), "id-001", 0, 2)
		wants(t, err, fault.NotFound, statements.SubjectResult)
		wants(t, s.PagePut(t.Context(), "id-009", 0, 0, statements.Page{}), fault.NotFound, subject)
		must(t, s.PageClear(t.Context(), "id-001"))
		for part := range 2 {
			_, err = s.PageGet(t.Context(), "id-001", part, 0)
			wants(t, err, fault.NotFound, statements.SubjectResult)
		}
		_, err = s.PageGet(t.Context(), "id-002", 0, 0)
		must(t, err)
		must(t, s.PageClear(t.Context(), "id-009"))
	})
	calls(t, open, map[string]func(context.Context, StatementStore) error{
		"create": func(ctx context.Context, s StatementStore) error {
			_, _, err := s.StatementCreate(ctx, statement(1), 9)
			return err
		},
		"get": func(ctx context.Context, s StatementStore) error { _, err := s.StatementGet(ctx, "id-001"); return err },
		"list": func(ctx context.Context, s StatementStore) error {
			_, err := s.StatementList(ctx, statements.Filter{}, statements.Cursor{}, 9)
			return err
		},
		"update": func(ctx context.Context, s StatementStore) error {
			_, err := s.StatementUpdate(ctx, "id-001", func(*statements.Statement) error { return nil })
			return err
		},
		"expire": func(ctx context.Context, s StatementStore) error { _, err := s.StatementExpire(ctx, at(9)); return err },
		"page put": func(ctx context.Context, s StatementStore) error {
			return s.PagePut(ctx, "id-001", 0, 0, statements.Page{})
		},
		"page get": func(ctx context.Context, s StatementStore) error {
			_, err := s.PageGet(ctx, "id-001", 0, 0)
			return err
		},
		"page clear": func(ctx context.Context, s StatementStore) error { return s.PageClear(ctx, "id-001") },
	}, func(t *testing.T, s StatementStore) {
		if list, err := s.StatementList(t.Context(), statements.Filter{}, statements.Cursor{}, 9); err != nil || len(list) != 0 {
			t.Errorf("the store holds %v, %v", list, err)
		}
	})
}

func listSuite(t *testing.T, s StatementStore, create func(*testing.T, StatementStore, ...statements.Statement)) {
	const count = 12
	for n := range count {
		st := statement(n)
		st.Created = at(n / 3) // three at a time
		st.Name = fmt.Sprintf("name_%d", n%2)
		if n == 0 {
			st.Owner, st.Database, st.WarehouseID, st.SessionID = "you", "other", "x", "session"
		}
		st.Status = []statements.Status{statements.Submitted, statements.Started, statements.Finished}[n%3]
		create(t, s, st)
	}
	all := func(f statements.Filter, size int) (ids []string) {
		var after statements.Cursor
		for {
			list, err := s.StatementList(t.Context(), f, after, size)
			must(t, err)
			if len(list) > size {
				t.Fatalf("%d statements, at most %d were asked for", len(list), size)
			}
			for _, st := range list {
				ids = append(ids, st.ID)
				after = statements.Cursor{Created: st.Created, ID: st.ID}
			}
			if len(list) < size {
				return ids
			}
		}
	}
	newest := []string{"id-009", "id-010", "id-011", "id-006", "id-007", "id-008", "id-003", "id-004", "id-005", "id-000", "id-001", "id-002"}
	oldest := make([]string, count)
	for n, id := range newest {
		oldest[count-1-n] = id
	}
	for size := 1; size <= count+1; size++ {
		same(t, all(statements.Filter{}, size), newest)
		same(t, all(statements.Filter{OldestFirst: true}, size), oldest)
	}
	for _, tc := range []struct {
		f    statements.Filter
		want []string
	}{
		{statements.Filter{Owner: "you"}, []string{"id-000"}},
		{statements.Filter{Database: "other"}, []string{"id-000"}},
		{statements.Filter{WarehouseID: "x"}, []string{"id-000"}},
		{statements.Filter{SessionID: "session"}, []string{"id-000"}},
		{statements.Filter{Status: statements.Finished}, []string{"id-011", "id-008", "id-005", "id-002"}},
		{statements.Filter{Active: true, OldestFirst: true}, []string{"id-001", "id-000", "id-004", "id-003", "id-007", "id-006", "id-010", "id-009"}},
		{statements.Filter{NamePrefix: "name_1"}, []string{"id-009", "id-011", "id-007", "id-003", "id-005", "id-001"}},
		{statements.Filter{NamePrefix: "name"}, newest},
		{statements.Filter{NamePrefix: "NAME"}, nil},
		{statements.Filter{NamePrefix: "name%"}, nil},
		{statements.Filter{Owner: "me", Status: statements.Submitted}, []string{"id-009", "id-006", "id-003"}},
		{statements.Filter{Owner: "nobody"}, nil},
	} {
		if got := all(tc.f, 2); fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%+v: got %v, want %v", tc.f, got, tc.want)
		}
	}
	// A cursor whose statement is gone still marks its place.
	after := statements.Cursor{Created: at(2), ID: "id-006a"}
	list, err := s.StatementList(t.Context(), statements.Filter{}, after, 1)
	must(t, err)
	if len(list) != 1 || list[0].ID != "id-007" {
		t.Errorf("after a cursor between two: %v", list)
	}
}
