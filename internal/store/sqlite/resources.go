package sqlite

import (
	"context"
	"database/sql"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/fault"
)

// Resources is an appint.Store.
type Resources[T any] struct {
	db   *DB
	kind *resourceKind[T]
}

// resourceKind is what one kind of resource of package appint differs in from another. The first column of its entity is
// the number.
type resourceKind[T any] struct {
	table     string
	subject   string
	operation string // of its tokens
	key       string // column of the ID
	other     string // column that Get looks in too; empty for none
	typed     string // column of Query.Type; empty for none
	unique    []uniqueColumn[T]
	parent    parentKind[T]
	children  string // query for the associations of an ID; empty for none
	entity    *entity[T]
	number    func(*T) *int64
	id        func(*T) *string
	keep      func(old, v *T) // puts back what an update must not change
}

// uniqueColumn is a column whose values differ. what is how faults call it.
type uniqueColumn[T any] struct {
	column, what string
	value        func(*T) string
}

// parentKind is what a kind belongs to; the zero value is nothing.
type parentKind[T any] struct {
	column     string
	table, key string
	subject    string
	value      func(*T) string
}

func (k *resourceKind[T]) missing(id string) error {
	return fault.New(fault.NotFound, k.subject, "there is no %s %q", k.subject, id)
}

func (k *resourceKind[T]) get(ctx context.Context, t *sql.Tx, id string) (T, error) {
	return k.entity.get(ctx, t, k.missing(id), "WHERE "+k.key+" = ?", id)
}

// Create implements appint.Store.
func (s *Resources[T]) Create(ctx context.Context, v T, token appint.Token, max int) (stored T, created bool, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		stored, created, err = s.kind.create(ctx, t, v, token, max, nil)
		return err
	}, nil)
	return stored, created, err
}

// create is Create in a transaction. admit, unless nil, has a last word.
func (k *resourceKind[T]) create(ctx context.Context, t *sql.Tx, v T, token appint.Token, max int, admit work) (stored T, created bool, err error) {
	before, found, err := findToken(ctx, t, token)
	if err != nil {
		return stored, false, err
	}
	if found {
		stored, err = k.get(ctx, t, before)
		return stored, false, err
	}
	if p := k.parent; p.table != "" {
		there, err := has(ctx, t, "SELECT 1 FROM "+p.table+" WHERE "+p.key+" = ?", p.value(&v))
		if err == nil && !there {
			err = fault.New(fault.NotFound, p.subject, "there is no %s %q", p.subject, p.value(&v))
		}
		if err != nil {
			return stored, false, err
		}
	}
	if admit != nil {
		if err := admit(ctx, t); err != nil {
			return stored, false, err
		}
	}
	if err := k.distinct(ctx, t, &v, 0); err != nil {
		return stored, false, err
	}
	if err := k.room(ctx, t, &v, max); err != nil {
		return stored, false, err
	}
	if err := k.insert(ctx, t, &v); err != nil {
		return stored, false, err
	}
	if token.Value != "" {
		_, err = t.ExecContext(ctx, "INSERT INTO client_token (operation, value, digest, resource) VALUES (?, ?, ?, ?)", token.Operation, token.Value, token.Digest, *k.id(&v))
	}
	return v, err == nil, err
}

// findToken returns the ID of what was created with a token.
func findToken(ctx context.Context, t *sql.Tx, token appint.Token) (id string, found bool, err error) {
	if token.Value == "" {
		return "", false, nil
	}
	var digest string
	err = t.QueryRowContext(ctx, "SELECT resource, digest FROM client_token WHERE operation = ? AND value = ?", token.Operation, token.Value).Scan(&id, &digest)
	switch {
	case err == sql.ErrNoRows: //nolint:errorlint // database/sql returns it as it is
		return "", false, nil
	case err != nil:
		return "", false, err
	case digest != token.Digest:
		return "", false, fault.New(fault.Invalid, appint.SubjectToken, "the client token was used before, with other parameters; use a new token for a new request")
	}
	return id, true, nil
}

// distinct checks that what is unique is not taken by a row with another number.
func (k *resourceKind[T]) distinct(ctx context.Context, t *sql.Tx, v *T, number int64) error {
	unique := append([]uniqueColumn[T]{{k.key, k.key, func(v *T) string { return *k.id(v) }}}, k.unique...)
	for _, u := range unique {
		taken, err := has(ctx, t, "SELECT 1 FROM "+k.table+" WHERE "+u.column+" = ? AND number <> ?", u.value(v), number)
		if err == nil && taken {
			err = fault.New(fault.AlreadyExists, k.subject, "another %s has the %s %q; choose another", k.subject, u.what, u.value(v))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// room checks that there are fewer than max.
func (k *resourceKind[T]) room(ctx context.Context, t *sql.Tx, v *T, max int) error {
	query, args := "SELECT count(*) FROM "+k.table, []any(nil)
	where := ""
	if p := k.parent; p.table != "" {
		query, args = query+" WHERE "+p.column+" = ?", []any{p.value(v)}
		where = " of the " + p.subject
	}
	var count int
	if err := t.QueryRowContext(ctx, query, args...).Scan(&count); err != nil {
		return err
	}
	if count >= max {
		return fault.New(fault.Limit, k.subject, "there are %d %ss%s and at most %d are allowed; delete one first", count, k.subject, where, max)
	}
	return nil
}

// insert stores v and sets its number.
func (k *resourceKind[T]) insert(ctx context.Context, t *sql.Tx, v *T) error {
	values, err := k.entity.values(v)
	if err != nil {
		return err
	}
	values[0] = nil // the database numbers them
	result, err := t.ExecContext(ctx, k.entity.insertion, values...)
	if err == nil {
		*k.number(v), err = result.LastInsertId()
	}
	return err
}

// Get implements appint.Store.
func (s *Resources[T]) Get(ctx context.Context, key string) (v T, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		v, err = s.kind.get(ctx, t, key)
		if s.kind.other != "" && fault.Is(err, fault.NotFound, s.kind.subject) {
			v, err = s.kind.entity.get(ctx, t, err, "WHERE "+s.kind.other+" = ?", key)
		}
		return err
	})
	return v, err
}

// List implements appint.Store.
func (s *Resources[T]) List(ctx context.Context, q appint.Query) (list []T, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		rest, args := "WHERE number > ?", []any{q.After}
		if s.kind.parent.table != "" {
			rest, args = rest+" AND "+s.kind.parent.column+" = ?", append(args, q.Parent)
		}
		if s.kind.typed != "" && q.Type != "" {
			rest, args = rest+" AND "+s.kind.typed+" = ?", append(args, q.Type)
		}
		list, err = s.kind.entity.list(ctx, t, rest+" ORDER BY number LIMIT ?", append(args, q.Limit)...)
		return err
	})
	return list, err
}

// Update implements appint.Store.
func (s *Resources[T]) Update(ctx context.Context, id string, change func(*T) error) (v T, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		v, err = s.kind.update(ctx, t, id, change)
		return err
	}, nil)
	return v, err
}

func (k *resourceKind[T]) update(ctx context.Context, t *sql.Tx, id string, change func(*T) error) (T, error) {
	old, err := k.get(ctx, t, id)
	if err != nil {
		return old, err
	}
	v := old
	if err := change(&v); err != nil {
		return old, err
	}
	k.keep(&old, &v)
	if len(k.unique) > 0 {
		if err := k.distinct(ctx, t, &v, *k.number(&old)); err != nil {
			return old, err
		}
	}
	return v, k.entity.update(ctx, t, &old, &v)
}

// Delete implements appint.Store.
func (s *Resources[T]) Delete(ctx context.Context, id string) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error { return s.kind.delete(ctx, t, id) }, nil)
}

func (k *resourceKind[T]) delete(ctx context.Context, t *sql.Tx, id string) error {
	if k.children != "" {
		used, err := has(ctx, t, k.children, id)
		if err == nil && used {
			err = fault.New(fault.State, k.subject, "the %s %q has associations; delete them first", k.subject, id)
		}
		if err != nil {
			return err
		}
	}
	if err := deleteOne(ctx, t, k.missing(id), "DELETE FROM "+k.table+" WHERE "+k.key+" = ?", id); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, "DELETE FROM client_token WHERE resource = ? AND operation = ?", id, k.operation)
	return err
}
