package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/statements"
)

var statementTable = newEntity("statement", 1, []column[statements.Statement]{
	{"id", func(v *statements.Statement) any { return &v.ID }},
	{"warehouse_id", func(v *statements.Statement) any { return &v.WarehouseID }},
	{"cluster", func(v *statements.Statement) any { return &v.Cluster }},
	{"workgroup", func(v *statements.Statement) any { return &v.Workgroup }},
	{"database", func(v *statements.Statement) any { return &v.Database }},
	{"user", func(v *statements.Statement) any { return &v.User }},
	{"db_user", func(v *statements.Statement) any { return &v.DbUser }},
	{"secret_arn", func(v *statements.Statement) any { return &v.SecretARN }},
	{"name", func(v *statements.Statement) any { return &v.Name }},
	{"owner", func(v *statements.Statement) any { return &v.Owner }},
	{"client_token", func(v *statements.Statement) any { return &v.ClientToken }},
	{"session_id", func(v *statements.Statement) any { return &v.SessionID }},
	{"session_keep_alive", func(v *statements.Statement) any { return &v.SessionKeepAlive }},
	{"batch", func(v *statements.Statement) any { return &v.Batch }},
	{"format", func(v *statements.Statement) any { return &v.Format }},
	{"parameters", func(v *statements.Statement) any { return &v.Parameters }},
	{"status", func(v *statements.Statement) any { return &v.Status }},
	{"error", func(v *statements.Statement) any { return &v.Error }},
	{"created", func(v *statements.Statement) any { return &v.Created }},
	{"updated", func(v *statements.Statement) any { return &v.Updated }},
	{"duration", func(v *statements.Statement) any { return &v.Duration }},
	{"query_id", func(v *statements.Statement) any { return &v.QueryID }},
	{"pid", func(v *statements.Statement) any { return &v.PID }},
	{"cancel_requested", func(v *statements.Statement) any { return &v.CancelRequested }},
})

// part is a statements.Sub with its place.
type part struct {
	statement string
	number    int
	statements.Sub
}

var partTable = newEntity("statement_part", 2, []column[part]{
	{"statement_id", func(v *part) any { return &v.statement }},
	{"number", func(v *part) any { return &v.number }},
	{"sql", func(v *part) any { return &v.SQL }},
	{"status", func(v *part) any { return &v.Status }},
	{"error", func(v *part) any { return &v.Error }},
	{"created", func(v *part) any { return &v.Created }},
	{"updated", func(v *part) any { return &v.Updated }},
	{"duration", func(v *part) any { return &v.Duration }},
	{"has_result_set", func(v *part) any { return &v.HasResultSet }},
	{"rows", func(v *part) any { return &v.Rows }},
	{"size", func(v *part) any { return &v.Size }},
	{"query_id", func(v *part) any { return &v.QueryID }},
	{"columns", func(v *part) any { return &v.Columns }},
})

// active are the statuses that are not done.
const active = "status IN ('SUBMITTED', 'PICKED', 'STARTED')"

// Statements is a statements.Store and a statements.ResultStore.
type Statements struct{ db *DB }

// list returns the statements that the rest of the query asks for, with their parts.
func (s *Statements) list(ctx context.Context, t *sql.Tx, rest string, args ...any) ([]statements.Statement, error) {
	list, err := statementTable.list(ctx, t, rest, args...)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	place := make(map[string]int, len(list))
	ids := make([]any, len(list))
	for n := range list {
		ids[n], place[list[n].ID] = list[n].ID, n
	}
	parts, err := partTable.list(ctx, t, "WHERE statement_id IN (?"+strings.Repeat(", ?", len(ids)-1)+") ORDER BY statement_id, number", ids...)
	for _, p := range parts {
		st := &list[place[p.statement]]
		st.Subs = append(st.Subs, p.Sub)
	}
	return list, err
}

func (s *Statements) get(ctx context.Context, t *sql.Tx, id string) (statements.Statement, error) {
	list, err := s.list(ctx, t, "WHERE id = ?", id)
	if err == nil && len(list) == 0 {
		err = fault.New(fault.NotFound, statements.SubjectStatement, "there is no statement %q", id)
	}
	if err != nil {
		return statements.Statement{}, err
	}
	return list[0], nil
}

// StatementCreate implements statements.Store.
func (s *Statements) StatementCreate(ctx context.Context, st statements.Statement, max int) (_ statements.Statement, created bool, _ error) {
	err := s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if st.ClientToken != "" {
			before, err := s.list(ctx, t, "WHERE owner = ? AND client_token = ? AND client_token <> ''", st.Owner, st.ClientToken)
			if err != nil {
				return err
			}
			if len(before) > 0 {
				st = before[0]
				return nil
			}
		}
		if err := free(ctx, t, statements.SubjectStatement, st.ID, "SELECT 1 FROM statement WHERE id = ?"); err != nil {
			return err
		}
		var count int
		if err := t.QueryRowContext(ctx, "SELECT count(*) FROM statement WHERE "+active+" AND warehouse_id = ?", st.WarehouseID).Scan(&count); err != nil {
			return err
		}
		if count >= max {
			return fault.New(fault.Limit, statements.SubjectStatement, "%d statements are waiting or running and at most %d may; wait until some are done", count, max)
		}
		if _, err := statementTable.insert(ctx, t, &st); err != nil {
			return err
		}
		for n, sub := range st.Subs {
			if _, err := partTable.insert(ctx, t, &part{st.ID, n, sub}); err != nil {
				return err
			}
		}
		created = true
		return nil
	}, nil)
	if err != nil {
		return statements.Statement{}, false, err
	}
	return st, created, nil
}

// StatementGet implements statements.Store.
func (s *Statements) StatementGet(ctx context.Context, id string) (st statements.Statement, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		st, err = s.get(ctx, t, id)
		if !fault.Is(err, fault.NotFound, statements.SubjectStatement) {
			return err
		}
		var done int64
		switch forgotten := t.QueryRowContext(ctx, "SELECT done FROM statement_forgotten WHERE id = ?", id).Scan(&done); {
		case forgotten == nil:
			return statements.ExpiredAt(time.Unix(0, done).Add(statements.Retention))
		case !errors.Is(forgotten, sql.ErrNoRows):
			return forgotten
		}
		return err
	})
	return st, err
}

// StatementList implements statements.Store.
func (s *Statements) StatementList(ctx context.Context, f statements.Filter, after statements.Cursor, limit int) (list []statements.Statement, err error) {
	where := []string{"1"}
	var args []any
	narrow := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	for _, c := range []struct{ column, value string }{
		{"owner", f.Owner}, {"warehouse_id", f.WarehouseID}, {"database", f.Database}, {"status", string(f.Status)},
	} {
		if c.value != "" {
			narrow(c.column+" = ?", c.value)
		}
	}
	if f.SessionID != "" {
		narrow("session_id = ? AND session_id <> ''", f.SessionID) // the second half lets the partial index be used
	}
	if f.NamePrefix != "" {
		narrow("substr(name, 1, ?) = ?", len([]rune(f.NamePrefix)), f.NamePrefix)
	}
	if f.Active {
		narrow(active)
	}
	order, older, behind := "created DESC, id", "<", ">"
	if f.OldestFirst {
		order, older, behind = "created, id DESC", ">", "<"
	}
	if after != (statements.Cursor{}) {
		at := after.Created.UnixNano()
		narrow(fmt.Sprintf("created %s= ? AND (created %s ? OR id %s ?)", older, older, behind), at, at, after.ID)
	}
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = s.list(ctx, t, "WHERE "+strings.Join(where, " AND ")+" ORDER BY "+order+" LIMIT ?", append(args, limit)...)
		return err
	})
	return list, err
}

// StatementUpdate implements statements.Store.
func (s *Statements) StatementUpdate(ctx context.Context, id string, change func(*statements.Statement) error) (st statements.Statement, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		old, err := s.get(ctx, t, id)
		if err != nil {
			return err
		}
		st = old
		st.Subs = slices.Clone(old.Subs)
		if err := change(&st); err != nil {
			return err
		}
		if len(st.Subs) != len(old.Subs) {
			return fault.New(fault.Internal, statements.SubjectStatement, "the statement %s has %d parts, not %d", id, len(old.Subs), len(st.Subs))
		}
		st.ID, st.Created, st.Owner, st.ClientToken = old.ID, old.Created, old.Owner, old.ClientToken
		if err := statementTable.update(ctx, t, &old, &st); err != nil {
			return err
		}
		for n := range st.Subs {
			st.Subs[n].SQL = old.Subs[n].SQL
			if err := partTable.update(ctx, t, &part{id, n, old.Subs[n]}, &part{id, n, st.Subs[n]}); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	return st, err
}

// StatementExpire implements statements.Store.
func (s *Statements) StatementExpire(ctx context.Context, before time.Time) (count int, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		const expired = "FROM statement WHERE NOT " + active + " AND updated < ?"
		if _, err := t.ExecContext(ctx, "INSERT INTO statement_forgotten (id, done) SELECT id, updated "+expired, before.UnixNano()); err != nil {
			return err
		}
		result, err := t.ExecContext(ctx, "DELETE "+expired, before.UnixNano()) // parts and pages go by their foreign keys
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		count = int(n)
		_, err = t.ExecContext(ctx, "DELETE FROM statement_forgotten WHERE done < ?", before.Add(-statements.Remembered).UnixNano())
		return err
	}, nil)
	return count, err
}

// PagePut implements statements.ResultStore.
func (s *Statements) PagePut(ctx context.Context, id string, part, page int, p statements.Page) error {
	content, err := encodePage(p)
	if err != nil {
		return err
	}
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		found, err := has(ctx, t, "SELECT 1 FROM statement WHERE id = ?", id)
		if err != nil {
			return err
		}
		if !found {
			return fault.New(fault.NotFound, statements.SubjectStatement, "there is no statement %q", id)
		}
		_, err = t.ExecContext(ctx, "INSERT OR REPLACE INTO statement_page (statement_id, part, number, content) VALUES (?, ?, ?, ?)", id, part, page, content)
		return err
	}, nil)
}

// PageGet implements statements.ResultStore.
func (s *Statements) PageGet(ctx context.Context, id string, part, page int) (p statements.Page, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		var content []byte
		err := t.QueryRowContext(ctx, "SELECT content FROM statement_page WHERE statement_id = ? AND part = ? AND number = ?", id, part, page).Scan(&content)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, statements.SubjectResult, "the result of part %d of the statement %s has no page %d", part+1, id, page)
		}
		if err == nil {
			p, err = decodePage(content)
		}
		return err
	})
	return p, err
}

// PageClear implements statements.ResultStore.
func (s *Statements) PageClear(ctx context.Context, id string) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		_, err := t.ExecContext(ctx, "DELETE FROM statement_page WHERE statement_id = ?", id)
		return err
	}, nil)
}
