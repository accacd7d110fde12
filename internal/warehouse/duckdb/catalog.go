package duckdb

import (
	"context"
	"slices"
	"strings"
)

// TableInfo is a relation. Type is TABLE, VIEW or SYSTEM VIEW.
type TableInfo struct{ Schema, Name, Type string }

// systemSchema is the schema system views appear to be in, as on Redshift. Those of informationSchema have its
// name before theirs in the system catalogue.
const (
	systemSchema      = "pg_catalog"
	informationSchema = "information_schema"
)

// Columns returns the columns of a table or view in order, nil for one that does not exist. An empty
// database is the session's, an empty schema the search path and then the system views.
func (s *Session) Columns(ctx context.Context, database, schema, table string) ([]Column, error) {
	var cols []Column
	err := s.do(ctx, func() error {
		all, err := s.columns(ctx, database, schema, table)
		for _, c := range all {
			cols = append(cols, c.Column)
		}
		return err
	})
	return cols, err
}

// tableColumn is a column of the catalogue with what only loads need.
type tableColumn struct {
	Column
	rs       rsType
	duck     string // the type that holds it
	identity bool
	notNull  bool
}

func (s *Session) columns(ctx context.Context, database, schema, table string) ([]tableColumn, error) {
	if strings.EqualFold(schema, internalSchema) || isHidden(table) {
		return nil, nil
	}
	if database == "" {
		database = s.db.name
	}
	type place struct{ database, schema string }
	var places []place
	switch {
	case schema == "" && strings.EqualFold(database, s.db.name):
		for _, p := range s.path {
			places = append(places, place{database, p})
		}
		places = append(places, place{systemCatalog, "main"})
	case schema == "":
		places = []place{{database, "public"}}
	case strings.EqualFold(schema, informationSchema):
		places = []place{{systemCatalog, "main"}}
		table = informationSchema + "." + table
	case strings.EqualFold(schema, systemSchema):
		places = []place{{systemCatalog, "main"}, {"system", systemSchema}}
	default:
		places = []place{{database, schema}}
	}
	for _, p := range places {
		cols, err := s.columnsIn(ctx, p.database, p.schema, table)
		if err != nil || len(cols) > 0 {
			return cols, err
		}
	}
	return nil, nil
}

func (s *Session) columnsIn(ctx context.Context, database, schema, table string) ([]tableColumn, error) {
	var cols []tableColumn
	err := s.conn.each(ctx, `SELECT column_name, data_type, comment, is_nullable, column_default, schema_name, table_name
		FROM duckdb_columns() WHERE lower(database_name) = lower(?) AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?)
		ORDER BY column_index`, []any{database, schema, table}, func(v []any) error {
		comment, _ := v[2].(string)
		n := parseNote(comment)
		c := tableColumn{duck: v[1].(string), rs: parseType(n.Type), identity: n.Identity != "", notNull: v[3] == false}
		if c.rs.name == "" {
			c.rs = typeOfDuckDB(c.duck)
		}
		c.Column = c.rs.column(v[0].(string))
		if c.notNull {
			c.Nullable = 0
		}
		c.Schema, c.Table = v[5].(string), v[6].(string)
		if database == systemCatalog {
			c.Schema = systemSchema
			if name, ok := strings.CutPrefix(c.Table, informationSchema+"."); ok {
				c.Schema, c.Table = informationSchema, name
			}
		}
		c.Default, _ = v[4].(string)
		if n.Default != "" {
			c.Default = n.Default
		}
		cols = append(cols, c)
		return nil
	})
	return cols, err
}

// Schemas returns the names of a database's schemas that match a LIKE pattern, in order. An empty pattern
// matches all, an empty database is the session's.
func (s *Session) Schemas(ctx context.Context, database, pattern string) ([]string, error) {
	var names []string
	if err := s.known(ctx, database); err != nil {
		return nil, err
	}
	err := s.do(ctx, func() error {
		return s.conn.each(ctx, `SELECT schema_name FROM duckdb_schemas()
			WHERE lower(database_name) = lower(?) AND schema_name NOT IN ('main', 'penstock')
			UNION ALL SELECT unnest(['information_schema', 'pg_catalog']) ORDER BY 1`,
			[]any{s.orOwn(database)}, func(v []any) error {
				if name := v[0].(string); like(name, pattern) && !slices.Contains(names, name) {
					names = append(names, name)
				}
				return nil
			})
	})
	return names, err
}

// Tables returns the relations of a database that match LIKE patterns, by schema and name. Empty patterns
// match all, an empty database is the session's.
func (s *Session) Tables(ctx context.Context, database, schemaPattern, tablePattern string) ([]TableInfo, error) {
	var tables []TableInfo
	if err := s.known(ctx, database); err != nil {
		return nil, err
	}
	err := s.do(ctx, func() error {
		return s.conn.each(ctx, `
			SELECT schema_name, table_name, 'TABLE' FROM duckdb_tables()
				WHERE lower(database_name) = lower($1) AND schema_name NOT IN ('main', 'penstock') AND NOT temporary
			UNION ALL SELECT schema_name, view_name, CASE WHEN comment = '`+splitNote+`' THEN 'TABLE' ELSE 'VIEW' END FROM duckdb_views()
				WHERE lower(database_name) = lower($1) AND schema_name NOT IN ('main', 'penstock') AND NOT internal
			UNION ALL SELECT CASE WHEN contains(view_name, '.') THEN 'information_schema' ELSE 'pg_catalog' END,
					replace(view_name, 'information_schema.', ''), 'SYSTEM VIEW' FROM duckdb_views()
				WHERE database_name = '`+systemCatalog+`' AND NOT internal AND NOT starts_with(view_name, 'penstock_') AND NOT starts_with(view_name, 'pg_catalog.')
			ORDER BY 1, 2`, []any{s.orOwn(database)}, func(v []any) error {
			t := TableInfo{v[0].(string), v[1].(string), v[2].(string)}
			if !isHidden(t.Name) && like(t.Schema, schemaPattern) && like(t.Name, tablePattern) {
				tables = append(tables, t)
			}
			return nil
		})
	})
	return tables, err
}

func (s *Session) orOwn(database string) string {
	if database == "" {
		return s.db.name
	}
	return database
}

// known fails for a database that does not exist. It is called before the session's lock is taken, which comes
// after the warehouse's.
func (s *Session) known(ctx context.Context, database string) error {
	if database == "" || strings.EqualFold(database, s.db.name) {
		return nil
	}
	s.e.w.mu.Lock()
	defer s.e.w.mu.Unlock()
	_, err := s.e.database(ctx, database)
	return err
}

// like matches s against a SQL LIKE pattern with backslash escapes; an empty pattern matches everything.
func like(s, pattern string) bool {
	return pattern == "" || likeRunes([]rune(s), []rune(pattern))
}

func likeRunes(s, p []rune) bool {
	// Only the last % needs to be tried again: whatever an earlier one could still take, it can take too.
	star, from := -1, 0
	i, j := 0, 0
	for i < len(s) {
		switch {
		case j < len(p) && p[j] == '%':
			star, from = j, i
			j++
			continue
		case j+1 < len(p) && p[j] == '\\' && p[j+1] == s[i]:
			i, j = i+1, j+2
			continue
		case j < len(p) && p[j] != '\\' && (p[j] == '_' || p[j] == s[i]):
			i, j = i+1, j+1
			continue
		case star < 0:
			return false
		}
		from++
		i, j = from, star+1
	}
	for j < len(p) && p[j] == '%' {
		j++
	}
	return j == len(p)
}
