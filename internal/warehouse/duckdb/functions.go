package duckdb

import "fmt"

// Function is a Redshift function DuckDB lacks and every session finds by its bare name.
type Function struct{ Name, Signature, Description string }

// Functions returns the functions the warehouse adds to DuckDB's own, for the reference manual.
func Functions() []Function {
	list := make([]Function, len(functions))
	for i, f := range functions {
		list[i] = f.Function
	}
	return list
}

// function is a Function with its definition after CREATE MACRO.
type function struct {
	Function
	definition string
}

func added(name, signature, description, definition string) function {
	return function{Function{name, signature, description}, definition}
}

// functions are macros: they are written out into the statements that use them and cost nothing else.
//
// What the dialect writes out by itself or brings along as Options.Macros is not among them.
var functions = []function{
	added("getdate", "getdate()", "the current time in UTC, without zone", `getdate() AS CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP)`),
	added("sysdate", "sysdate()", "the start of the transaction in UTC, without zone", `sysdate() AS CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP)`),
	added("nvl", "nvl(a, b)", "b where a is NULL", `nvl(a, b) AS coalesce(a, b), (a, b, c) AS coalesce(a, b, c), (a, b, c, d) AS coalesce(a, b, c, d)`),
	added("nvl2", "nvl2(a, b, c)", "b where a is not NULL, c where it is", `nvl2(a, b, c) AS CASE WHEN a IS NOT NULL THEN b ELSE c END`),
	added("len", "len(text)", "the number of characters", `len(a) AS length(a)`),
	added("charindex", "charindex(part, text)", "the position of part in text from 1, 0 without", `charindex(part, txt) AS instr(txt, part)`),
	added("octet_length", "octet_length(text)", "the number of bytes", `octet_length(a) AS strlen(CAST(a AS VARCHAR))`),
	added("btrim", "btrim(text)", "without white space at either end", `btrim(a) AS trim(a), (a, chars) AS trim(a, chars)`),
	added("strtol", "strtol(text, base)", "the number a text of digits stands for in a base from 2 to 36",
		`strtol(txt, base) AS CASE WHEN regexp_full_match(lower(trim(txt)), '[+-]?[0-9a-z]+') THEN
			CASE WHEN starts_with(trim(txt), '-') THEN -1 ELSE 1 END * CAST(list_sum(list_transform(
				range(1, length(ltrim(trim(txt), '+-')) + 1),
				lambda i: (strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(reverse(lower(ltrim(trim(txt), '+-'))), i, 1)) - 1)
					* CAST(pow(base, i - 1) AS HUGEINT))) AS BIGINT) END`),
	added("pg_last_copy_id", "pg_last_copy_id()", "the query id of the session's last COPY, -1 without", `pg_last_copy_id() AS coalesce(getvariable('penstock_last_copy_id'), -1)`),
	added("pg_last_copy_count", "pg_last_copy_count()", "the rows of the session's last COPY", `pg_last_copy_count() AS coalesce(getvariable('penstock_last_copy_count'), 0)`),
	added("current_user_name", "current_user_name()", "the session's user, who is CURRENT_USER, SESSION_USER and USER, too", `current_user_name() AS coalesce(getvariable('penstock_user'), '')`),
	added("pg_backend_pid", "pg_backend_pid()", "a number no other session has", `pg_backend_pid() AS coalesce(getvariable('penstock_pid'), 0)`),
	added("version", "version()", "what Redshift says of itself, with Penstock's name behind it", `version() AS 'PostgreSQL 8.0.2 on x86_64-pc-linux-gnu, compiled by GCC, Redshift 1.0 (Penstock)'`),
	added("quote_ident", "quote_ident(text)", "a name as it is written in a statement, in quotes where it needs them",
		`quote_ident(txt) AS CASE WHEN regexp_full_match(txt, '[a-z_][a-z0-9_]*') THEN txt ELSE '"' || replace(txt, '"', '""') || '"' END`),
	added("quote_literal", "quote_literal(text)", "a text as it is written in a statement, in quotes",
		`quote_literal(txt) AS '''' || replace(replace(txt, '\', '\\'), '''', '''''') || ''''`),
	added("regexp_instr", "regexp_instr(text, pattern, start, n)", "where the pattern's first, or nth, match begins from start on, 0 without",
		`regexp_instr(txt, pattern) AS `+instr("txt", "1", "''")+`,
		(txt, pattern, start) AS `+instr("substr(txt, start)", "start", "''")+`,
		(txt, pattern, start, n) AS CASE WHEN length(regexp_extract_all(substr(txt, start), pattern)) < n THEN 0
			ELSE `+instr("substr(txt, start)", "start", "repeat('(?:' || pattern || ')(?s:.*?)', CAST(n - 1 AS BIGINT))")+` END`),
	added("next_day", "next_day(date, day)", "the first such day of the week after a date, by its name or the first letters of it",
		`next_day(d, weekday) AS CAST(d AS DATE) + CAST((CASE WHEN weekday IS NOT NULL THEN coalesce(
			nullif(list_position(['su', 'mo', 'tu', 'we', 'th', 'fr', 'sa'], left(lower(trim(weekday)), 2)), 0),
			nullif(list_position(['', 'm', '', 'w', '', 'f', ''], nullif(lower(trim(weekday)), '')), 0),
			error('"' || weekday || '" is no day of the week')) END - 1 - dayofweek(CAST(d AS DATE)) + 6) % 7 + 1 AS INTEGER)`),
	added("months_between", "months_between(a, b)", "the months from b to a, of 31 days where they are not whole",
		`months_between(a, b) AS CAST((year(CAST(a AS TIMESTAMP)) - year(CAST(b AS TIMESTAMP))) * 12 + month(CAST(a AS TIMESTAMP)) - month(CAST(b AS TIMESTAMP))
			+ CASE WHEN day(CAST(a AS TIMESTAMP)) = day(CAST(b AS TIMESTAMP))
				OR CAST(a AS DATE) = last_day(CAST(a AS DATE)) AND CAST(b AS DATE) = last_day(CAST(b AS DATE)) THEN 0
			ELSE (epoch(CAST(a AS TIMESTAMP)) - epoch(date_trunc('month', CAST(a AS TIMESTAMP)))
				- epoch(CAST(b AS TIMESTAMP)) + epoch(date_trunc('month', CAST(b AS TIMESTAMP)))) / CAST(2678400 AS DOUBLE) END AS DOUBLE)`),
	added("json_parse", "json_parse(text)", "the SUPER value a JSON text stands for", `json_parse(a) AS CAST(a AS JSON)`),
	added("json_serialize", "json_serialize(super)", "the JSON text of a SUPER value", `json_serialize(a) AS CAST(CAST(a AS JSON) AS VARCHAR)`),
}

// instr is where in txt the first match begins that follows skipped, which is SQL for a part of the pattern.
func instr(txt, start, skipped string) string {
	return fmt.Sprintf(`CAST(CASE WHEN NOT regexp_matches(%[1]s, pattern) THEN 0
		ELSE %[2]s + length(regexp_extract(%[1]s, '^((?s:.*?)' || %[3]s || ')(?:' || pattern || ')', 1)) END AS INTEGER)`, txt, start, skipped)
}
