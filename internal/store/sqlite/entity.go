package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// column joins a column to a field.
type column[T any] struct {
	name  string
	field func(*T) any // pointer to the field
}

// entity joins a table to a type: a row is a T. The first columns are the key.
type entity[T any] struct {
	columns                            []column[T]
	keys                               int
	selection, insertion, modification string
}

func newEntity[T any](table string, keys int, columns []column[T]) *entity[T] {
	names := make([]string, len(columns))
	for n, c := range columns {
		names[n] = c.name
	}
	e := &entity[T]{columns: columns, keys: keys}
	list := strings.Join(names, ", ")
	e.selection = "SELECT " + list + " FROM " + table
	e.insertion = "INSERT INTO " + table + " (" + list + ") VALUES (?" + strings.Repeat(", ?", len(names)-1) + ")"
	// A key may change, too: the new one is among the values set, the old one finds the row.
	e.modification = "UPDATE " + table + " SET " + strings.Join(names, " = ?, ") + " = ? WHERE " + strings.Join(names[:keys], " = ? AND ") + " = ?"
	return e
}

// values returns what the columns of v hold.
func (e *entity[T]) values(v *T) ([]any, error) {
	out := make([]any, len(e.columns))
	for n, c := range e.columns {
		var err error
		if out[n], err = encode(c.field(v)); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return out, nil
}

func (e *entity[T]) insert(ctx context.Context, t *sql.Tx, v *T) (sql.Result, error) {
	values, err := e.values(v)
	if err != nil {
		return nil, err
	}
	return t.ExecContext(ctx, e.insertion, values...)
}

// update writes the columns of v to the row with old's key, unless nothing has changed.
func (e *entity[T]) update(ctx context.Context, t *sql.Tx, old, v *T) error {
	before, err := e.values(old)
	if err != nil {
		return err
	}
	after, err := e.values(v)
	if err != nil || reflect.DeepEqual(before, after) {
		return err
	}
	_, err = t.ExecContext(ctx, e.modification, append(slices.Clip(after), before[:e.keys]...)...)
	return err
}

// list returns the rows that the rest of the query (WHERE, ORDER BY, LIMIT) asks for.
func (e *entity[T]) list(ctx context.Context, t *sql.Tx, rest string, args ...any) (_ []T, err error) {
	rows, err := t.QueryContext(ctx, e.selection+" "+rest, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []T
	into := make([]any, len(e.columns))
	for rows.Next() {
		var v T
		for n, c := range e.columns {
			into[n] = decoder{c.field(&v)}
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// get returns the one row that the rest of the query asks for, or missing.
func (e *entity[T]) get(ctx context.Context, t *sql.Tx, missing error, rest string, args ...any) (v T, err error) {
	found, err := e.list(ctx, t, rest, args...)
	if err == nil && len(found) == 0 {
		err = missing
	}
	if err != nil {
		return v, err
	}
	return found[0], nil
}

// encode returns the database's form of the value that field points at.
func encode(field any) (any, error) {
	switch f := field.(type) {
	case *string:
		return *f, nil
	case *int64:
		return *f, nil
	case *time.Time:
		if f.IsZero() {
			return int64(0), nil
		}
		return f.UnixNano(), nil
	}
	v := reflect.ValueOf(field).Elem()
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Bool:
		if v.Bool() {
			return int64(1), nil
		}
		return int64(0), nil
	case reflect.Int, reflect.Int64:
		return v.Int(), nil
	case reflect.Slice, reflect.Map:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if v.Len() == 0 {
				return []byte{}, nil
			}
			return v.Bytes(), nil
		}
		if v.Len() == 0 {
			return "", nil
		}
	}
	text, err := json.Marshal(field)
	return string(text), err
}

// decoder is a sql.Scanner that undoes encode.
type decoder struct{ field any }

func (d decoder) Scan(src any) error {
	v := reflect.ValueOf(d.field).Elem()
	switch s := src.(type) {
	case string:
		switch {
		case v.Kind() == reflect.String:
			v.SetString(s)
			return nil
		case s == "":
			return nil
		default:
			return json.Unmarshal([]byte(s), d.field)
		}
	case int64:
		if t, ok := d.field.(*time.Time); ok {
			if s != 0 {
				*t = time.Unix(0, s).UTC()
			}
			return nil
		}
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(s != 0)
			return nil
		case reflect.Int, reflect.Int64:
			v.SetInt(s)
			return nil
		}
	case []byte:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			if len(s) > 0 {
				v.SetBytes(slices.Clone(s))
			}
			return nil
		}
	}
	return fmt.Errorf("a %T cannot be read into a %s", src, v.Type())
}

// deleteOne runs a statement that deletes a row, and returns missing when there was none.
func deleteOne(ctx context.Context, t *sql.Tx, missing error, query string, args ...any) error {
	result, err := t.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = missing
	}
	return err
}
