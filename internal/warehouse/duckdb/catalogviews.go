package duckdb

import (
	"context"
	"regexp"
	"strings"
)

// The engine's own information_schema and pg_catalog show every database, the internal schemas and the engine's
// settings. A session has the same views of its own database in the system catalogue, where its search path finds
// those of pg_catalog by their names. Those of either schema are there by their names with the schema's before
// it, too, for a statement that names it: in the place of a schema the engine would always take its own.

// ownViews are the objects of the session's database, with the columns of the engine's functions after which
// they are named.
var ownViews = []string{
	ownView("tables", "table_name", withoutNotes),
	ownView("views", "view_name", withoutNotes),
	ownView("columns", "table_name", withoutNotes),
	ownView("constraints", "table_name", "*"),
	ownView("indexes", "table_name", "*"),
	ownView("sequences", "sequence_name", "*"),
	`CREATE VIEW penstock_own_schemas AS SELECT * FROM duckdb_schemas() WHERE ` + ownSchemas,
	`CREATE VIEW penstock_own_databases AS SELECT * FROM duckdb_databases() WHERE database_name IN (SELECT database_name FROM penstock_all_properties)`,
}

const ownSchemas = `database_name = current_database() AND schema_name NOT IN ('main', 'penstock')`

// withoutNotes are all columns, but of the comments only those that are users'.
const withoutNotes = `* REPLACE (CASE WHEN NOT starts_with(comment, 'penstock:') THEN comment END AS comment)`

func ownView(what, name, columns string) string {
	return "CREATE VIEW penstock_own_" + what + " AS SELECT " + columns + " FROM duckdb_" + what + "() WHERE " + ownSchemas + " AND NOT starts_with(" + name + ", 'penstock$')"
}

// catalogViews are views of either schema that are not the engine's.
var catalogViews = map[string]string{
	"information_schema.columns": `SELECT table_catalog, table_schema, table_name, column_name, ordinal_position, column_default, is_nullable, data_type,
		character_maximum_length, NULL::INTEGER AS character_octet_length, numeric_precision,
		CASE WHEN numeric_precision IS NOT NULL THEN CASE data_type WHEN 'numeric' THEN 10 ELSE 2 END END AS numeric_precision_radix, numeric_scale,
		CASE WHEN data_type LIKE 'time%' THEN 6 END AS datetime_precision, NULL::VARCHAR AS interval_type, NULL::VARCHAR AS interval_precision,
		NULL::VARCHAR AS character_set_catalog, NULL::VARCHAR AS character_set_schema, NULL::VARCHAR AS character_set_name,
		NULL::VARCHAR AS collation_catalog, NULL::VARCHAR AS collation_schema, NULL::VARCHAR AS collation_name,
		NULL::VARCHAR AS domain_catalog, NULL::VARCHAR AS domain_schema, NULL::VARCHAR AS domain_name,
		table_catalog AS udt_catalog, 'pg_catalog' AS udt_schema, data_type AS udt_name, NULL::VARCHAR AS scope_catalog, NULL::VARCHAR AS scope_schema,
		NULL::VARCHAR AS scope_name, NULL::INTEGER AS maximum_cardinality, CAST(ordinal_position AS VARCHAR) AS dtd_identifier, 'NO' AS is_self_referencing
		FROM svv_columns`,
	"pg_catalog.pg_user": `SELECT current_user_name() AS usename, CAST(100 AS INTEGER) AS usesysid, true AS usecreatedb, true AS usesuper, false AS usecatupd,
		'********' AS passwd, NULL::TIMESTAMP AS valuntil, NULL::VARCHAR AS useconfig`,
	"pg_catalog.pg_settings": `SELECT * FROM (VALUES ('server_version', '8.0.2', 'Shows the server version.', 'string'),
		('server_encoding', 'UTF8', 'Sets the server (database) character set encoding.', 'string'),
		('timezone', 'UTC', 'Sets the time zone for displaying and interpreting time stamps.', 'string')) AS s(name, setting, short_desc, vartype)`,
	"pg_catalog.pg_prepared_statements": `SELECT NULL::VARCHAR AS name, NULL::VARCHAR AS statement, NULL::TIMESTAMP AS prepare_time WHERE false`,
}

// engineSource is where the engine's views take their rows from.
var engineSource = regexp.MustCompile(`\bduckdb_(tables|views|columns|constraints|indexes|sequences|schemas|databases)\b(\(\))?`)

// defineCatalogViews makes the session's views of information_schema and pg_catalog out of the engine's.
func (e *engine) defineCatalogViews(ctx context.Context) error {
	if err := e.admin.script(ctx, ownViews...); err != nil {
		return err
	}
	definitions := map[string]string{}
	err := e.admin.each(ctx, `SELECT schema_name || '.' || view_name, sql FROM duckdb_views()
		WHERE internal AND database_name = 'system' AND schema_name IN ('information_schema', 'pg_catalog')`, nil, func(v []any) error {
		text, _ := v[1].(string)
		_, query, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(text), ";"), " AS ")
		query = engineSource.ReplaceAllString(query, "penstock_own_$1")
		definitions[v[0].(string)] = strings.ReplaceAll(query, "'duckdb'", "current_user_name()")
		return nil
	})
	if err != nil {
		return err
	}
	for name, query := range catalogViews {
		definitions[name] = query
	}
	var views, aliases []string
	for name, query := range definitions {
		if short, ok := strings.CutPrefix(name, systemSchema+"."); ok {
			views = append(views, "CREATE VIEW "+ident(short)+" AS "+query)
			aliases = append(aliases, "CREATE VIEW "+ident(name)+" AS SELECT * FROM "+ident(short))
			continue
		}
		views = append(views, "CREATE VIEW "+ident(name)+" AS "+query)
	}
	return e.admin.script(ctx, append(views, aliases...)...)
}
