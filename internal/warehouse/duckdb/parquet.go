package duckdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/internal/load"
)

// Parquet columns feed the target's by position. Files of one statement must agree on names and order,
// because the engine matches them by name, so they are grouped by their schemas.

// parquetSchemas returns a text for each file that is the same for files with the same schema.
func (l *loader) parquetSchemas(ctx context.Context, c *conn, files []load.File) (map[string]string, error) {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = literal(escapeGlob(f.Path))
	}
	out := map[string]string{}
	err := c.each(ctx, "SELECT file_name, concat_ws('|', name, type, num_children, converted_type, logical_type, precision, scale) FROM parquet_schema(["+
		strings.Join(paths, ", ")+"])", nil, func(v []any) error {
		out[v[0].(string)] += v[1].(string) + "\n"
		return nil
	})
	return out, err
}

// parquetFields returns the converters for a file's schema and the aliases of its columns.
func (l *loader) parquetFields(ctx context.Context, c *conn, file load.File) ([]converter, error) {
	var types []string
	err := c.each(ctx, "DESCRIBE SELECT * FROM read_parquet("+literal(escapeGlob(file.Path))+", hive_partitioning = false)", nil, func(v []any) error {
		types = append(types, v[1].(string))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(types) != len(l.plan.columns) {
		return nil, &rowsError{load.RowError{
			File: file.URL(), Code: load.CodeColumnCount,
			Reason: fmt.Sprintf("Unmatched number of columns between table and file. Table columns: %d, Data columns: %d", len(l.plan.columns), len(types)),
		}}
	}
	fields := make([]converter, len(types))
	for i, typ := range types {
		field, ok := parquetConverter(l.plan.columns[i], fmt.Sprintf("c%d", i), typ)
		if !ok {
			e := l.columnError(file, i)
			e.Code = load.CodeColumnType
			e.Reason = fmt.Sprintf("Column type mismatch: the file's column %d has type %s, the table's is %s", i+1, typ, l.plan.columns[i].rs)
			return nil, &rowsError{e}
		}
		fields[i] = field
	}
	return fields, nil
}

// parquetSource is plan.source with the columns named c0, c1, ... whatever the file calls them.
func (l *loader) parquetSource(files []load.File) string {
	var names []string
	for i := range l.plan.columns {
		names = append(names, fmt.Sprintf("c%d", i))
	}
	if len(files) > 1 {
		names = append(names, fileColumn)
	}
	return "(SELECT * FROM " + l.plan.source(files) + ") AS t(" + strings.Join(names, ", ") + ")"
}

// kindOf sorts DuckDB's types into those that convert into each other.
func kindOf(duck string) string {
	switch {
	case strings.HasSuffix(duck, "INT") || strings.HasSuffix(duck, "INTEGER"):
		return "integer"
	case strings.HasPrefix(duck, "DECIMAL("):
		return "decimal"
	case duck == "FLOAT" || duck == "DOUBLE":
		return "float"
	case strings.HasSuffix(duck, "]") || strings.HasPrefix(duck, "STRUCT(") || strings.HasPrefix(duck, "MAP("):
		return "nested"
	case duck == "TIMESTAMP_S" || duck == "TIMESTAMP_MS" || duck == "TIMESTAMP_NS":
		return "TIMESTAMP"
	case strings.HasPrefix(duck, "ENUM("):
		return "VARCHAR"
	}
	return duck
}

// parquetConverter converts a column f of type from; ok is false where the types do not go together.
func parquetConverter(col tableColumn, f, from string) (_ converter, ok bool) {
	c := converter{column: col, null: f + " IS NULL"}
	kind := kindOf(from)
	switch to := kindOf(col.duck); to {
	case "integer":
		ok = kind == "integer"
	case "decimal":
		ok = kind == "integer" || kind == "decimal"
	case "float":
		ok = kind == "integer" || kind == "decimal" || kind == "float"
	case "VARCHAR":
		c.maxSize = col.rs.length
		if c.maxSize == 0 {
			c.maxSize = maxVarchar
		}
		text := f
		switch kind {
		case "VARCHAR", "UUID", "JSON":
			if from != "VARCHAR" {
				text = "CAST(" + f + " AS VARCHAR)"
			}
		case "BLOB":
			text = "TRY(decode(" + f + "))"
		default:
			return c, false
		}
		c.value = fmt.Sprintf("CASE WHEN strlen(%s) <= %d THEN %[1]s END", text, c.maxSize)
		if col.rs.name == "character" {
			c.value = fmt.Sprintf("CASE WHEN strlen(rtrim(%s)) <= %d AND strlen(%[1]s) = length(%[1]s) THEN rtrim(%[1]s) END", text, c.maxSize)
		}
		return c, true
	case "JSON":
		if kind != "JSON" {
			f = "to_json(" + f + ")"
		}
		c.value = fmt.Sprintf("CASE WHEN strlen(%s) <= %d THEN %[1]s END", f, maxSuper)
		return c, true
	case "TIMESTAMP":
		if ok = kind == "TIMESTAMP"; kind == "TIMESTAMP WITH TIME ZONE" {
			c.value, ok = "("+f+" AT TIME ZONE 'UTC')", true
			return c, ok
		}
	case "TIMESTAMP WITH TIME ZONE":
		if ok = kind == to; kind == "TIMESTAMP" {
			c.value, ok = "(CAST("+f+" AS TIMESTAMP) AT TIME ZONE 'UTC')", true
			return c, ok
		}
	case "BLOB":
		c.maxSize = col.rs.length
		if kind == "VARCHAR" {
			f, kind = "encode("+f+")", "BLOB"
		}
		if kind == "BLOB" && c.maxSize > 0 {
			c.value = fmt.Sprintf("CASE WHEN octet_length(%s) <= %d THEN %[1]s END", f, c.maxSize)
			return c, true
		}
		ok = kind == "BLOB"
	default:
		ok = kind == to
	}
	if c.value = f; from != col.duck {
		c.value = fmt.Sprintf("TRY_CAST(%s AS %s)", f, col.duck)
	} else {
		c.total = true
	}
	return c, ok
}

// parquetErrors finds the bad rows of a file, at most limit.
func (l *loader) parquetErrors(ctx context.Context, c *conn, file load.File, limit int) ([]load.RowError, error) {
	fields, err := l.parquetFields(ctx, c, file)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(fields)+1)
	var bad, texts []string
	for i, f := range fields {
		names = append(names, fmt.Sprintf("c%d", i))
		bad = append(bad, f.bad())
		texts = append(texts, fmt.Sprintf("left(CAST(c%d AS VARCHAR), 1024)", i))
	}
	query := fmt.Sprintf("SELECT row, list_position([%s], true), [%s] FROM (SELECT * FROM read_parquet(%s, file_row_number = true, hive_partitioning = false)) AS t(%s, row) WHERE %s ORDER BY row LIMIT %d",
		strings.Join(bad, ", "), strings.Join(texts, ", "), literal(escapeGlob(file.Path)), strings.Join(names, ", "), strings.Join(bad, " OR "), limit)
	var errs []load.RowError
	err = c.each(ctx, query, nil, func(v []any) error {
		row, _ := v[0].(int64)
		at, _ := v[1].(int64)
		var list []*string
		if err := decodeJSON(v[2], &list); err != nil {
			return err
		}
		i := int(at) - 1
		e := l.columnError(file, i)
		e.Line = row + 1
		if text := list[i]; text != nil {
			e.RawField = *text
			e.Code, e.Reason = load.CodeScan, "The value does not fit the column's type"
			if kindOf(l.plan.columns[i].duck) == "VARCHAR" {
				e.Reason = fmt.Sprintf("The length of the data column %s is longer than the length defined in the table. Table: %d, Data: %d",
					l.plan.columns[i].Name, fields[i].maxSize, len(*text))
			}
		} else {
			e.Code, e.Reason = load.CodeNotNull, "Missing data for not-null field"
		}
		errs = append(errs, e)
		return nil
	})
	return errs, err
}
