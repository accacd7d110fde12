package duckdb

import (
	"maps"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/penstock-io/penstock/internal/fault"
)

// The guard stands before every statement of a session. The engine itself is confined to the directories it
// needs (see configure), but those hold the database files and the objects of every bucket, which are no
// business of a statement: COPY is how a file gets in. So
//
//   - only kinds of statements that work on tables pass (guardKind, by the engine's own parser),
//   - functions that read files or run SQL of their own, and file names in place of tables, do not
//     (guardText, by the words of the statement),
//   - the internal schema and the system catalogue are out of reach (guardText and guardDrop): what is in
//     the ledger decides what is loaded.

// refusedFunctions are DuckDB's table functions no statement may call. A test holds them against the engine's
// own list, so that a new release cannot add one unseen.
var refusedFunctions = map[string]bool{
	// read files
	"glob": true, "read_blob": true, "read_csv": true, "read_csv_auto": true, "read_duckdb": true, "read_json": true, "read_json_auto": true,
	"read_json_objects": true, "read_json_objects_auto": true, "read_ndjson": true, "read_ndjson_auto": true, "read_ndjson_objects": true,
	"read_parquet": true, "read_text": true, "sniff_csv": true, "parquet_scan": true, "parquet_bloom_probe": true, "parquet_file_metadata": true,
	"parquet_full_metadata": true, "parquet_kv_metadata": true, "parquet_metadata": true, "parquet_schema": true,
	// read memory at an address
	"arrow_scan": true, "arrow_scan_dumb": true, "seq_scan": true,
	// run SQL given as text, which would not be seen here
	"query": true, "query_table": true, "json_execute_serialized_sql": true,
	// show or change how the engine is set up
	"check_peg_parser": true, "checkpoint": true, "force_checkpoint": true, "disable_logging": true, "disable_peg_parser": true,
	"disable_profiling": true, "enable_logging": true, "enable_peg_parser": true, "enable_profiling": true, "truncate_duckdb_logs": true,
	"duckdb_connection_count": true, "duckdb_databases": true, "duckdb_extensions": true, "duckdb_external_file_cache": true,
	"duckdb_log_contexts": true, "duckdb_logs": true, "duckdb_logs_parsed": true, "duckdb_prepared_statements": true, "duckdb_profiling_settings": true,
	"duckdb_secret_types": true, "duckdb_secrets": true, "duckdb_settings": true, "duckdb_temporary_files": true, "which_secret": true,
	"pragma_database_size": true, "pragma_metadata_info": true, "pragma_user_agent": true,
	// for tests of the engine
	"repeat_row": true, "test_all_types": true, "test_vector_types": true,
}

// RefusedFunctions returns the names of DuckDB's functions that reach past the warehouse's tables, sorted and
// in lower case: a session denies statements that call one.
func RefusedFunctions() []string { return slices.Sorted(maps.Keys(refusedFunctions)) }

// tokenKind tells the parts of a statement apart, as far as the guard cares.
type tokenKind uint8

const (
	wordToken   tokenKind = iota // an unquoted name or keyword, in lower case
	quotedToken                  // a quoted name
	stringToken                  // a string literal of any form, its contents
	otherToken                   // a symbol or a number
)

type guardToken struct {
	kind tokenKind
	text string
}

func (t guardToken) name() bool { return t.kind == wordToken || t.kind == quotedToken }

// tokens cuts a statement into the guard's tokens; white space and comments are gone.
func tokens(sql string) []guardToken {
	var out []guardToken
	add := func(k tokenKind, s string) { out = append(out, guardToken{k, s}) }
	for i := 0; i < len(sql); {
		c := sql[i]
		rest := sql[i:]
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			i++
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexAny(rest, "\n\r")
			if n < 0 {
				n = len(rest)
			}
			i += n
		case strings.HasPrefix(rest, "/*"):
			i += commentLength(rest)
		case c == '"':
			text, n := quoted(rest, '"', false)
			add(quotedToken, text)
			i += n
		case c == '\'':
			text, n := quoted(rest, '\'', false)
			add(stringToken, text)
			i += n
		case (c == 'e' || c == 'E') && len(rest) > 1 && rest[1] == '\'':
			text, n := quoted(rest[1:], '\'', true)
			add(stringToken, text)
			i += n + 1
		case c == '$':
			if text, n := dollarQuoted(rest); n > 0 {
				add(stringToken, text)
				i += n
				continue
			}
			add(otherToken, "$")
			i++
		case isWordByte(c) && (c < '0' || c > '9'):
			n := 1
			for n < len(rest) && (isWordByte(rest[n]) || rest[n] == '$') {
				n++
			}
			add(wordToken, strings.ToLower(rest[:n]))
			i += n
		default:
			add(otherToken, string(c))
			i++
		}
	}
	return out
}

func isWordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

// commentLength is the length of a /* comment */, which may hold others.
func commentLength(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(s[i:], "*/"):
			i++
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// quoted reads a quoted text, in which the quote is doubled, or escaped by a backslash if escapes is set.
func quoted(s string, quote byte, escapes bool) (string, int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] != quote:
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == quote:
			i++
			b.WriteByte(quote)
		default:
			return b.String(), i + 1
		}
	}
	return b.String(), len(s)
}

// dollarQuoted reads $tag$text$tag$; the length is 0 where there is none.
func dollarQuoted(s string) (string, int) {
	end := strings.IndexByte(s[1:], '$')
	if end < 0 {
		return "", 0
	}
	tag := s[:end+2]
	for i, c := range []byte(tag[1 : len(tag)-1]) {
		if !isWordByte(c) || i == 0 && c >= '0' && c <= '9' {
			return "", 0
		}
	}
	text, _, found := strings.Cut(s[len(tag):], tag)
	if !found {
		return s[len(tag):], len(s)
	}
	return text, len(text) + 2*len(tag)
}

// relationWords are followed by a relation, or a comma list of them for those that map to true.
var relationWords = map[string]bool{
	"from": true, "join": true, "using": true, "pivot": true, "unpivot": true, "into": false, "update": false, "table": false,
	"describe": false, "desc": false, "summarize": false, "show": false,
}

// clauseWords end a list of relations.
var clauseWords = map[string]bool{
	"where": true, "group": true, "order": true, "having": true, "limit": true, "offset": true, "window": true, "qualify": true, "select": true,
	"on": true, "set": true, "values": true, "returning": true, "union": true, "except": true, "intersect": true, "sample": true, "when": true,
}

// guardText denies what the words of a statement give away.
func guardText(sql string) error {
	all := tokens(sql)
	if actsOnServer(all) {
		return errKind()
	}
	lists := []bool{false} // per depth of parentheses: inside a list of relations
	relation := false      // a relation is next
	for i, t := range all {
		next, prev := guardToken{}, guardToken{}
		if i+1 < len(all) {
			next = all[i+1]
		}
		if i > 0 {
			prev = all[i-1]
		}
		depth := len(lists) - 1
		if t.name() {
			if err := guardName(t, prev, next, i, all); err != nil {
				return err
			}
		}
		switch {
		case relation && (t.kind == stringToken || t.kind == quotedToken) && isPath(t.text):
			return fault.New(fault.Denied, SubjectStatement, "a statement may not read the file %q; load it with COPY", t.text)
		case t.kind == otherToken && t.text == "(":
			lists = append(lists, relation)
			continue
		case t.kind == otherToken && t.text == ")" && depth > 0:
			lists = lists[:depth]
		case t.kind == otherToken && t.text == ",":
			relation = lists[depth]
			continue
		case t.kind == wordToken && (t.text == "only" || t.text == "lateral" || t.text == "if" || t.text == "exists" || t.text == "not"):
			continue
		case t.kind == wordToken && clauseWords[t.text]:
			lists[depth] = false
		case t.kind == wordToken && isDistinctFrom(all, i):
		case t.kind == wordToken:
			if list, ok := relationWords[t.text]; ok {
				relation, lists[depth] = true, lists[depth] || list
				continue
			}
		}
		relation = false
	}
	return nil
}

// isDistinctFrom reports whether token i is the FROM of IS [NOT] DISTINCT FROM, which compares values.
func isDistinctFrom(all []guardToken, i int) bool {
	return all[i].text == "from" && i >= 2 && all[i-1].text == "distinct" && (all[i-2].text == "is" || all[i-2].text == "not")
}

func guardName(t, prev, next guardToken, i int, all []guardToken) error {
	name := strings.ToLower(t.text)
	// A table may have a function's name: INSERT INTO query (a) and CREATE TABLE query (a int) are no calls.
	called := next.kind == otherToken && next.text == "(" && prev.text != "into" && prev.text != "table" && prev.text != "exists"
	switch {
	case called && refusedFunctions[name]:
		return fault.New(fault.Denied, SubjectStatement, "permission denied for function %s: a statement may not reach past the warehouse's tables", name)
	case t.kind == wordToken && name == "u" && next.text == "&":
		// U&"..." hides a name behind escapes.
		return fault.New(fault.Unsupported, SubjectStatement, "names and strings with Unicode escapes (U&) are not supported")
	case name == internalSchema && (next.text == "." || all[0].text != "select" && hasWord(all, "schema")):
		return fault.New(fault.Denied, SubjectSchema, "schema %s is the warehouse's own", internalSchema)
	case isHidden(name):
		return fault.New(fault.NotFound, SubjectRelation, "relation %q does not exist", t.text)
	case name == systemCatalog:
		return fault.New(fault.Denied, SubjectDatabase, "%s is the warehouse's own", systemCatalog)
	case i == 0 && name == "explain":
		return guardExplain(all)
	}
	return nil
}

func hasWord(all []guardToken, word string) bool {
	return slices.Contains(all, guardToken{wordToken, word})
}

// guardExplain checks what is explained: EXPLAIN ANALYZE carries it out.
func guardExplain(all []guardToken) error {
	for i := 1; i < len(all); i++ {
		switch t := all[i]; {
		case t.text == "analyze" || t.text == "verbose":
		case t.text == "(": // options
			for i < len(all) && all[i].text != ")" {
				i++
			}
		case slices.Contains([]string{"select", "with", "insert", "update", "delete", "merge", "create", "values", "from", "table"}, t.text):
			return nil
		default:
			return fault.New(fault.Unsupported, SubjectStatement, "EXPLAIN %s is not supported", strings.ToUpper(t.text))
		}
	}
	return nil
}

// isPath reports whether a relation's name may be taken for a file's.
func isPath(name string) bool {
	if strings.ContainsAny(name, `/\*?[`) {
		return true
	}
	name = strings.ToLower(name)
	for _, ending := range []string{".csv", ".tsv", ".parquet", ".json", ".jsonl", ".ndjson", ".gz", ".zst", ".db", ".duckdb", ".ddb", ".txt", ".arrow"} {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}

func errKind() error {
	return fault.New(fault.Denied, SubjectStatement, "permission denied: this kind of statement acts on the server, not on the warehouse's tables")
}

// serverWords begin statements guardKind would deny, or that the engine turns into a SELECT or acts on before
// it has told what kind they are.
var serverWords = map[string]bool{
	"attach": true, "call": true, "checkpoint": true, "copy": true, "detach": true, "export": true, "force": true, "import": true, "install": true,
	"load": true, "pragma": true, "reset": true, "set": true, "use": true,
}

// actsOnServer recognises such statements, and those that make or remove databases and secrets, which are of
// the same kind as those that make tables.
func actsOnServer(all []guardToken) bool {
	if len(all) == 0 || all[0].kind != wordToken {
		return false
	}
	if serverWords[all[0].text] {
		return true
	}
	if !slices.Contains([]string{"create", "drop", "alter"}, all[0].text) {
		return false
	}
	for _, t := range all[1:] {
		switch t.text {
		case "or", "replace", "temp", "temporary", "persistent":
		default:
			return t.kind == wordToken && (t.text == "database" || t.text == "secret")
		}
	}
	return false
}

// statementTypeMerge is MERGE INTO, which the C API has no name for.
const statementTypeMerge mapping.StatementType = 30

// guardKind denies the kinds of statements that are not about tables.
func guardKind(k mapping.StatementType) error {
	switch k {
	case mapping.StatementTypeSelect, mapping.StatementTypeInsert, mapping.StatementTypeUpdate, mapping.StatementTypeDelete,
		mapping.StatementTypeExplain, mapping.StatementTypeCreate, mapping.StatementTypeCreateFunc, mapping.StatementTypeAlter,
		mapping.StatementTypeDrop, mapping.StatementTypeAnalyze, mapping.StatementTypeVacuum, statementTypeMerge:
		return nil
	}
	return errKind()
}

// guardDrop denies changing the system's views and functions, which every session sees by their bare names.
func guardDrop(sql string, k mapping.StatementType, system map[string]bool) error {
	if k != mapping.StatementTypeDrop && k != mapping.StatementTypeAlter {
		return nil
	}
	all := tokens(sql)
	for i, t := range all {
		if t.name() && system[strings.ToLower(t.text)] && (i == 0 || all[i-1].text != ".") {
			return fault.New(fault.Denied, SubjectRelation, "permission denied: %s is a system object", t.text)
		}
	}
	return nil
}
