package dialect

import "strings"

// internalSchema is where Penstock keeps its own tables in each database. No statement may name it.
const internalSchema = "penstock"

func deniedSchema() error {
	return denied("The schema %q belongs to the server and cannot be used in statements.", internalSchema)
}

// hostFunctions are DuckDB functions that read files, run text as SQL, or act on the engine itself. Those
// that begin with one of hostPrefixes count too.
var hostFunctions = map[string]bool{
	"glob": true, "sniff_csv": true, "query": true, "query_table": true, "json_execute_serialized_sql": true,
	"arrow_scan": true, "arrow_scan_dumb": true, "pandas_scan": true, "python_map_function": true, "seq_scan": true,
	"which_secret": true, "checkpoint": true, "force_checkpoint": true, "truncate_duckdb_logs": true, "getenv": true,
	"current_setting": true, "set_config": true, "nextval": true, "currval": true, "add_parquet_key": true,
	"import_database": true, "copy_database": true, "sql_auto_complete": true, "from_substrait": true,
	"from_substrait_json": true, "sqlite_scan": true, "postgres_scan": true, "mysql_scan": true, "iceberg_scan": true,
	"delta_scan": true, "st_read": true, "write_log": true, "test_all_types": true, "test_vector_types": true,
}

var hostPrefixes = []string{"read_", "parquet_", "duckdb_", "pragma_", "enable_", "disable_", "check_peg", "load_"}

func hostFunction(name string) bool {
	name = strings.ToLower(name)
	if hostFunctions[name] {
		return true
	}
	for _, prefix := range hostPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// guard refuses, by token, what no statement may contain wherever it stands: calls of functions that reach
// the host, and names in the internal schema. DuckDB does not tell names apart by case, so neither does it.
func (p *parser) guard() error {
	for i, t := range p.toks {
		if t.kind != tWord && t.kind != tQuoted {
			continue
		}
		next := p.toks[i+1] // the last token is tEOF
		if next.sym("(") && hostFunction(t.word) {
			return denied("The function %s is not allowed: it would act on the server itself, not on the warehouse.", t.word)
		}
		if len(t.word) != len(internalSchema) || !strings.EqualFold(t.word, internalSchema) {
			continue
		}
		if next.sym(".") || i > 0 && (p.toks[i-1].sym(".") || p.toks[i-1].kind == tWord && p.toks[i-1].word == "schema") {
			return deniedSchema()
		}
	}
	return nil
}

// tableFunctions are the functions a FROM clause may call.
var tableFunctions = map[string]bool{"generate_series": true, "range": true, "unnest": true, "json_each": true, "json_tree": true}
