// Package dialect is Redshift's SQL at our edge. It cuts a text into statements, reads each of them, and
// renders those about rows and tables in DuckDB's dialect; the others (COPY, COPY JOB, databases, settings,
// transactions) it hands over as data. It knows no database and touches nothing: what a statement does is
// decided by its caller, which also tells it what columns there are (Catalog).
//
// # How queries are rendered
//
// A statement is read by recursive descent into a tree of token ranges and written token by token, so that
// everything without a rule here passes through as it was typed, but for comments. SQL that DuckDB
// understands already comes out unchanged; rendering what was rendered changes nothing. The rules:
//
//   - Unquoted names are folded to lower case, quoted ones are kept, names DuckDB reserves are quoted, and
//     #name is a temporary table.
//   - A backslash in a literal escapes, as in Redshift: 'it\'s', '\n', '\\d'. A backslash that remains is
//     written in a literal with the prefix E.
//   - Items of a SELECT list get the names Redshift gives them: count(*) is "count", a cast column keeps its
//     name, the rest is "?column?".
//   - Types are mapped by name, NUMERIC alone is (18,0), and a cast to VARCHAR(n) or CHAR(n) cuts.
//   - TOP, SELECT INTO, MINUS, DELETE without FROM, QUALIFY, LIMIT ALL, WITH NO SCHEMA BINDING.
//   - ~ matches anywhere; LIKE escapes with a backslash; SIMILAR TO has % and _.
//   - DATEADD, DATEDIFF, DATE_PART, EXTRACT and DATE_TRUNC with bare and abbreviated parts, GETDATE, SYSDATE,
//     ADD_MONTHS, CONVERT_TIMEZONE, TRUNC of a timestamp, TO_CHAR, TO_DATE and TO_TIMESTAMP with a literal
//     pattern, CONVERT, NVL, NVL2, DECODE, LISTAGG with WITHIN GROUP, CHARINDEX, LEN, BTRIM, REPLICATE, SHA2,
//     REGEXP_SUBSTR, REGEXP_COUNT and REGEXP_REPLACE, APPROXIMATE COUNT, SUM and AVG of integers and AVG of
//     NUMERIC, RATIO_TO_REPORT, TO_CHAR of numbers, LAST_DAY of texts, MOD, CURRENT_USER and its like, IGNORE NULLS
//     after a window function, and a quoted number beside a number in arithmetic.
//   - What DuckDB would let pass is checked as the statement runs: a text that is assigned to a column it is too
//     long for, and a divisor that is zero.
//   - JSON_PARSE, JSON_SERIALIZE, CAN_JSON_PARSE, JSON_EXTRACT_PATH_TEXT, JSON_EXTRACT_ARRAY_ELEMENT_TEXT,
//     JSON_ARRAY_LENGTH, ARRAY, OBJECT, ARRAY_CONCAT, ARRAY_FLATTEN, SPLIT_TO_ARRAY. Other functions of
//     Redshift's that DuckDB lacks are macros (Macros).
//
// # SUPER
//
// SUPER is stored as JSON. Which names are SUPER columns comes from the Catalog and, for subqueries, CTEs and
// set operations, from the expressions of their SELECT lists; names are resolved scope by scope. A path is
// one json_extract, json_extract_string or json_value call, chosen by what the value is needed as:
//
//   - A path by itself is SUPER, and NULL where it leads nowhere.
//   - A cast is NULL where the value does not fit; an object or array is no text.
//   - = and <> with a string or boolean literal do not mix types. Beside a column the value is compared as
//     text, number, time or boolean, whatever the column is: numbers in strings, as DynamoDB has them, count
//     as numbers. Beside a number it is a DOUBLE, or an exact DECIMAL where the number could be long.
//   - AND, OR, NOT, WHERE and their like take it as boolean, arithmetic and numeric functions as DOUBLE, text
//     operators and functions as text; COALESCE and CASE as what it is mixed with.
//   - IS NULL is true of JSON null. ORDER BY, MIN and MAX follow SUPER's order of types, except in SELECT
//     DISTINCT and after a set operation, where DuckDB allows no key but the selected JSON text.
//   - FROM t, t.path AS e AT i and UNPIVOT t.path AS v AT k are lateral subqueries whose alias is the element.
//     Values that are no array or object give no rows. The order of rows is not that of the array.
//   - Into a SUPER column goes SUPER as it is, a text that is a JSON object or array as such, which is kinder
//     than Redshift, and any other text as a string. SUPER goes into other columns as a cast would have it.
//
// # What is refused
//
// Statements and functions that would act on the server (ATTACH, COPY TO, read_csv, FROM 'file', duckdb_...),
// and the schema "penstock", by token and not by text: Denied. What Redshift has and Penstock has not:
// Unsupported. The rest that is not Redshift's: Invalid, in Redshift's words and with a position. Secrets are
// repeated in no error; Redact takes them out of a text.
package dialect
