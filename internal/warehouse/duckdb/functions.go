package duckdb

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
	added("json_parse", "json_parse(text)", "the SUPER value a JSON text stands for", `json_parse(a) AS CAST(a AS JSON)`),
	added("json_serialize", "json_serialize(super)", "the JSON text of a SUPER value", `json_serialize(a) AS CAST(CAST(a AS JSON) AS VARCHAR)`),
}
