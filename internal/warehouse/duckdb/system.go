package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"
)

// SystemTable is a system view whose rows the server has, not the warehouse: its jobs, integrations, and
// what waits to be loaded. Rows is called anew by every statement that reads the view, from any goroutine.
//
// PendingFiles and CopyJobs name those the warehouse reads itself, for SYS_COPY_JOB_DETAIL and SYS_COPY_JOB.
type SystemTable struct {
	Name    string   // in lower case: "svv_integration"
	Columns []Column // Name, TypeName, and Precision and Scale of a numeric; the rest is not looked at
	Rows    func(ctx context.Context) ([][]any, error)
}

// PendingFiles is the name of the system table with the files jobs know of and have not loaded.
const PendingFiles = "penstock_pending_files"

// CopyJobs is the name of the system table with the jobs. SYS_COPY_JOB has its columns and the id of the table,
// which is found by database_name, schema_name and table_name.
const CopyJobs = "penstock_copy_jobs"

// PendingColumns are the columns a system table PendingFiles must have.
func PendingColumns() []Column {
	return []Column{
		{Name: "database_name", TypeName: "varchar"}, {Name: "job_id", TypeName: "int8"}, {Name: "job_name", TypeName: "varchar"},
		{Name: "job_text", TypeName: "varchar"}, {Name: "bucket", TypeName: "varchar"}, {Name: "key", TypeName: "varchar"},
		{Name: "etag", TypeName: "varchar"}, {Name: "size", TypeName: "int8"}, {Name: "modification_time", TypeName: "timestamp"},
		{Name: "enqueue_time", TypeName: "timestamp"},
	}
}

// rowsTimeout bounds SystemTable.Rows: the driver knows the contexts of its own connections only, not of ours.
const rowsTimeout = 30 * time.Second

// duckTypes are the types that hold columns by their internal names.
var duckTypes = map[string]string{
	"int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT", "bool": "BOOLEAN", "float4": "REAL", "float8": "DOUBLE", "date": "DATE",
	"timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ", "oid": "BIGINT", "super": "JSON",
}

func duckTypeOf(c Column) string {
	if c.TypeName == "numeric" {
		return fmt.Sprintf("DECIMAL(%d,%d)", c.Precision, c.Scale)
	}
	if t, ok := duckTypes[c.TypeName]; ok {
		return t
	}
	return "VARCHAR"
}

// defineSystem makes the system catalogue: functions, views over what the server knows, and views over what
// the databases know.
func (e *engine) defineSystem(ctx context.Context) error {
	if err := e.admin.script(ctx, "ATTACH ':memory:' AS "+systemCatalog, "USE "+systemCatalog+".main"); err != nil {
		return err
	}
	tables := append([]SystemTable{e.w.runningTable()}, e.w.o.System...)
	none := func(context.Context) ([][]any, error) { return nil, nil }
	for _, needed := range []SystemTable{
		{PendingFiles, PendingColumns(), none},
		{CopyJobs, []Column{{Name: "database_name", TypeName: "varchar"}, {Name: "schema_name", TypeName: "varchar"}, {Name: "table_name", TypeName: "varchar"}}, none},
	} {
		if !slices.ContainsFunc(tables, func(t SystemTable) bool { return t.Name == needed.Name }) {
			tables = append(tables, needed)
		}
	}
	c, err := e.functions.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // read-only use
	if err := defineScalars(c); err != nil {
		return err
	}
	for _, t := range tables {
		f := driver.ChunkTableFunction{BindArgumentsContext: func(ctx context.Context, _ map[string]any, _ ...any) (driver.ChunkTableSource, error) {
			return t.source(ctx)
		}}
		if err := driver.RegisterTableUDF(c, "penstock_rows_"+t.Name, f); err != nil {
			return fmt.Errorf("system table %s: %w", t.Name, err)
		}
		cols := make([]string, len(t.Columns))
		for i, col := range t.Columns {
			cols[i] = fmt.Sprintf("CAST(%s AS %s) AS %[1]s", ident(col.Name), duckTypeOf(col))
		}
		view := fmt.Sprintf("CREATE VIEW %s AS SELECT %s FROM %s()", ident(t.Name), strings.Join(cols, ", "), ident("penstock_rows_"+t.Name))
		if err := e.admin.script(ctx, view); err != nil {
			return err
		}
	}
	for _, f := range functions {
		if err := e.admin.script(ctx, "CREATE OR REPLACE MACRO "+f.definition); err != nil {
			return err
		}
	}
	if err := e.admin.script(ctx, e.w.o.Macros...); err != nil {
		return err
	}
	if err := e.defineViews(ctx); err != nil {
		return err
	}
	if err := e.admin.script(ctx, systemViews...); err != nil {
		return err
	}
	if err := e.defineCatalogViews(ctx); err != nil {
		return err
	}
	// The names sessions may not drop.
	e.system = map[string]bool{}
	return e.admin.each(ctx, `SELECT lower(view_name) FROM duckdb_views() WHERE database_name = '`+systemCatalog+`' AND NOT internal
		UNION SELECT lower(function_name) FROM duckdb_functions() WHERE database_name = '`+systemCatalog+`' AND NOT internal`, nil, func(v []any) error {
		e.system[v[0].(string)] = true
		return nil
	})
}

// internalTables are those the system views read over all databases.
var internalTables = []string{"jobs", "files", "history", "detail", "errors", "properties", "replicas", "generations", "states", "activity"}

// defineViews makes the views penstock_all_*, each the union of one internal table over all databases. They
// are made again whenever a database comes or goes.
func (e *engine) defineViews(ctx context.Context) error {
	return e.admin.transact(ctx, func() error {
		for _, table := range internalTables {
			var parts []string
			for _, db := range e.databases {
				if db.err == nil {
					parts = append(parts, fmt.Sprintf("SELECT %s AS database_name, * FROM %s.penstock.%s", literal(db.name), ident(db.name), table))
				}
			}
			if len(parts) == 0 {
				// No database yet: the columns, from the definition itself.
				columns, err := e.emptyColumns(table)
				if err != nil {
					return err
				}
				parts = append(parts, columns)
			}
			view := fmt.Sprintf("CREATE OR REPLACE VIEW %s.main.penstock_all_%s AS %s", systemCatalog, table, strings.Join(parts, " UNION ALL "))
			if _, err := e.admin.exec(ctx, view); err != nil {
				return err
			}
		}
		return nil
	})
}

// emptyColumns returns a query without rows that has the columns of an internal table.
func (e *engine) emptyColumns(table string) (string, error) {
	for _, s := range layout {
		_, columns, ok := strings.Cut(s, "penstock."+table+" (")
		if !ok {
			continue
		}
		out := []string{"NULL::VARCHAR AS database_name"}
		columns, _, _ = strings.Cut(strings.TrimSuffix(columns, ")"), ", PRIMARY KEY (")
		for col := range strings.SplitSeq(columns, ",") {
			name, typ, _ := strings.Cut(strings.TrimSpace(col), " ")
			out = append(out, fmt.Sprintf("NULL::%s AS %s", strings.TrimSuffix(typ, " PRIMARY KEY"), ident(name)))
		}
		return "SELECT " + strings.Join(out, ", ") + " WHERE false", nil
	}
	return "", fmt.Errorf("no definition of the internal table %s", table)
}

// systemSource serves a system table's rows, all as text: the view over it gives them their types.
type systemSource struct {
	columns []driver.ColumnInfo
	rows    [][]any
	next    int
}

func (t SystemTable) source(ctx context.Context) (driver.ChunkTableSource, error) {
	ctx, cancel := context.WithTimeout(ctx, rowsTimeout)
	defer cancel()
	rows, err := t.Rows(ctx)
	if err != nil {
		return nil, fmt.Errorf("system view %s: %w", t.Name, err)
	}
	text, err := driver.NewTypeInfo(driver.TYPE_VARCHAR)
	if err != nil {
		return nil, err
	}
	s := &systemSource{rows: rows}
	for _, c := range t.Columns {
		s.columns = append(s.columns, driver.ColumnInfo{Name: c.Name, T: text})
	}
	return s, nil
}

func (s *systemSource) ColumnInfos() []driver.ColumnInfo { return s.columns }

func (s *systemSource) Cardinality() *driver.CardinalityInfo {
	return &driver.CardinalityInfo{Cardinality: uint(len(s.rows)), Exact: true}
}

func (s *systemSource) Init() { s.next = 0 }

func (s *systemSource) FillChunk(chunk driver.DataChunk) error {
	n := min(driver.GetDataChunkCapacity(), len(s.rows)-s.next)
	for i := range n {
		row := s.rows[s.next+i]
		for c := range s.columns {
			var v any
			if c < len(row) && row[c] != nil {
				v = systemText(row[c])
			}
			if err := chunk.SetValue(c, i, v); err != nil {
				return err
			}
		}
	}
	s.next += n
	return chunk.SetSize(n)
}

func systemText(v any) string {
	switch v := v.(type) {
	case string:
		return strings.ToValidUTF8(v, "?")
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05.999999")
	case []byte:
		return strings.ToValidUTF8(string(v), "?")
	}
	return fmt.Sprint(v)
}
