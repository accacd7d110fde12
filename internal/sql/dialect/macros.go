package dialect

import "strings"

// Settings returns the statements every DuckDB connection must run before it runs rendered SQL: dividing
// integers gives an integer, NULL sorts as the largest value, and times without a zone are UTC.
func Settings() []string {
	return []string{
		"SET integer_division = true",
		"SET default_null_order = 'nulls_last_on_asc_first_on_desc'",
		"SET TimeZone = 'UTC'",
	}
}

const jsonNumbers = "('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')"

// Macros returns the CREATE OR REPLACE MACRO statements for the functions rendered SQL calls besides
// DuckDB's own. They are called by unqualified name, so they must be in a schema on the search path of every
// session. Those whose names Redshift knows are called by users themselves; the others start with super_ or sql_.
//
//	json_typeof(j)                  'object', 'array', 'string', 'number', 'boolean' or 'null'
//	is_array(j), is_object(j), is_scalar(j), is_varchar(j), is_char(j), is_boolean(j),
//	is_smallint(j), is_integer(j), is_bigint(j), is_decimal(j), is_float(j)
//	                                whether a SUPER value is one; false for NULL
//	decimal_precision(j), decimal_scale(j)
//	                                digits of a SUPER number, all and after the point
//	get_array_length(j)             elements of a SUPER array; NULL for anything else
//	subarray(j, start, size)        a part of a SUPER array, from 0
//	is_valid_json(t), is_valid_json_array(t)
//	                                whether a text is a JSON object or array, or an array
//	initcap(t)                      the first letter of every word in upper case
//	date_part_year(d)               the year of a date
//	super_order(j)                  a value that sorts as SUPER does: booleans, numbers, text, arrays, objects
//	super_compare(a, b)             -1, 0 or 1 for two numbers or two texts, NULL for other pairs
//	super_text(t)                   a text for a SUPER column: JSON objects and arrays as such, others as strings
//	super_concat(a, b), super_flatten(j)
//	                                ARRAY_CONCAT and ARRAY_FLATTEN
//	sql_divisor(d)                  a divisor; ends the statement if it is zero
//	sql_fit(t, n), sql_fit_char(t, n)
//	                                a text for a VARCHAR(n) or CHAR(n); ends the statement if it is too long
//	sql_divisor_once(d), sql_fit_once(t, n), sql_fit_char_once(t, n)
//	                                the same, slower, for what must not be computed twice
func Macros() []string {
	is := func(name, condition string) string {
		return "CREATE OR REPLACE MACRO " + name + "(j) AS coalesce(" + condition + ", false)"
	}
	within := func(typ string) string {
		return "json_type(j) IN ('UBIGINT', 'BIGINT') AND TRY_CAST(json_extract_string(j, '$') AS " + typ + ") IS NOT NULL"
	}
	number := func(j string) string { return "TRY_CAST(json_extract_string(" + j + ", '$') AS DOUBLE)" }
	sign := func(a, b string) string {
		return "CAST(" + a + " > " + b + " AS INTEGER) - CAST(" + a + " < " + b + " AS INTEGER)"
	}
	text := func(j string) string { return "json_extract_string(" + j + ", '$')" }
	tooLong := func(typ string) string { return "error('value too long for type " + typ + "(' || n || ')')" }
	once := func(macro, more string) string {
		return "CREATE OR REPLACE MACRO " + macro + "_once(t" + more + ") AS list_transform([t], lambda x: " + macro + "(x" + more + "))[1]"
	}
	return []string{
		"CREATE OR REPLACE MACRO sql_divisor(d) AS CASE WHEN d = 0 THEN error('division by zero') ELSE d END",
		`CREATE OR REPLACE MACRO sql_fit(t, n) AS CASE WHEN strlen(t) > n THEN
			CASE WHEN strlen(rtrim(t)) > n THEN ` + tooLong("character varying") + ` ELSE left(t, length(t) - CAST(strlen(t) - n AS BIGINT)) END ELSE t END`,
		"CREATE OR REPLACE MACRO sql_fit_char(t, n) AS CASE WHEN strlen(rtrim(t)) > n THEN " + tooLong("character") + " ELSE rtrim(t) END",
		once("sql_divisor", ""),
		once("sql_fit", ", n"),
		once("sql_fit_char", ", n"),
		`CREATE OR REPLACE MACRO json_typeof(j) AS CASE WHEN json_type(j) = 'VARCHAR' THEN 'string'
			WHEN json_type(j) IN ` + jsonNumbers + ` THEN 'number' ELSE lower(json_type(j)) END`,
		is("is_array", "json_type(j) = 'ARRAY'"),
		is("is_object", "json_type(j) = 'OBJECT'"),
		is("is_scalar", "json_type(j) NOT IN ('ARRAY', 'OBJECT', 'NULL')"),
		is("is_varchar", "json_type(j) = 'VARCHAR'"),
		is("is_char", "json_type(j) = 'VARCHAR' AND strlen(json_extract_string(j, '$')) = length(json_extract_string(j, '$'))"),
		is("is_boolean", "json_type(j) = 'BOOLEAN'"),
		is("is_smallint", within("SMALLINT")),
		is("is_integer", within("INTEGER")),
		is("is_bigint", within("BIGINT")),
		is("is_decimal", "json_type(j) IN "+jsonNumbers+" AND NOT regexp_matches(json_extract_string(j, '$'), '[eE]')"),
		is("is_float", "json_type(j) = 'DOUBLE' AND regexp_matches(json_extract_string(j, '$'), '[eE]')"),
		`CREATE OR REPLACE MACRO decimal_precision(j) AS CASE WHEN json_type(j) IN ` + jsonNumbers +
			` THEN length(regexp_replace(json_extract_string(j, '$'), '[^0-9]', '', 'g')) END`,
		`CREATE OR REPLACE MACRO decimal_scale(j) AS CASE WHEN json_type(j) IN ` + jsonNumbers +
			` THEN length(split_part(json_extract_string(j, '$'), '.', 2)) END`,
		`CREATE OR REPLACE MACRO get_array_length(j) AS CASE WHEN json_type(j) = 'ARRAY' THEN CAST(json_array_length(j) AS BIGINT) END`,
		`CREATE OR REPLACE MACRO subarray(j, start, size) AS CASE WHEN json_type(j) = 'ARRAY'
			THEN to_json(json_extract(j, '$[*]')[start + 1:start + size]) END`,
		`CREATE OR REPLACE MACRO is_valid_json(t) AS coalesce(json_valid(t) AND json_type(TRY_CAST(t AS JSON)) IN ('OBJECT', 'ARRAY'), false)`,
		`CREATE OR REPLACE MACRO is_valid_json_array(t) AS coalesce(json_valid(t) AND json_type(TRY_CAST(t AS JSON)) = 'ARRAY', false)`,
		`CREATE OR REPLACE MACRO initcap(t) AS array_to_string(list_transform(regexp_extract_all(lower(t), '[[:alnum:]]+|[^[:alnum:]]+'),
			lambda w: upper(left(w, 1)) || substr(w, 2)), '')`,
		`CREATE OR REPLACE MACRO date_part_year(d) AS date_part('year', d)`,
		strings.Join([]string{
			`CREATE OR REPLACE MACRO super_order(j) AS CASE WHEN json_type(j) <> 'NULL' THEN struct_pack(`,
			`k := CASE json_type(j) WHEN 'BOOLEAN' THEN 0 WHEN 'VARCHAR' THEN 2 WHEN 'ARRAY' THEN 3 WHEN 'OBJECT' THEN 4 ELSE 1 END, `,
			`n := CASE WHEN json_type(j) IN `, jsonNumbers, ` THEN `, number("j"), ` END, `,
			`t := `, text("j"), `) END`}, ""),
		`CREATE OR REPLACE MACRO super_compare(a, b) AS CASE
			WHEN json_type(a) IN ` + jsonNumbers + ` AND json_type(b) IN ` + jsonNumbers + ` THEN ` + sign(number("a"), number("b")) + `
			WHEN json_type(a) = 'VARCHAR' AND json_type(b) = 'VARCHAR' THEN ` + sign(text("a"), text("b")) + ` END`,
		`CREATE OR REPLACE MACRO super_text(t) AS coalesce(CASE WHEN regexp_matches(t, '^\s*[\[{]') THEN TRY_CAST(t AS JSON) END, to_json(t))`,
		`CREATE OR REPLACE MACRO super_concat(a, b) AS to_json(list_concat(json_extract(a, '$[*]'), json_extract(b, '$[*]')))`,
		`CREATE OR REPLACE MACRO super_flatten(j) AS to_json(flatten(list_transform(json_extract(j, '$[*]'),
			lambda x: CASE WHEN json_type(x) = 'ARRAY' THEN json_extract(x, '$[*]') ELSE [x] END)))`,
	}
}
