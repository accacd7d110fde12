// Package redshiftdata serves the Redshift Data API: SQL handed in and its results fetched later, and the lists
// of databases, schemas, tables and columns.
//
// Handlers turn shapes into the calls of the domain statements and its answers back into shapes. They check what
// is a rule of this API alone: how a data warehouse is named, which call fetches which format, whose statement it
// is. What a fault becomes on the wire is the table in errors.go.
//
// The text of a statement is stored without the credentials in it, so no answer can give them away.
package redshiftdata

import (
	"context"

	api "github.com/penstock-io/penstock/internal/awsapi/redshiftdata"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/wire"
)

// Warehouses finds data warehouses. A name that nothing has is NotFound.
type Warehouses interface {
	ByCluster(ctx context.Context, identifier string) (warehouses.Warehouse, error)
	ByWorkgroup(ctx context.Context, nameOrARN string) (warehouses.Warehouse, error)
}

// Catalog tells what is in a data warehouse. A database that does not exist is NotFound; an engine that does not
// answer is Unavailable. Patterns are those of SQL's LIKE, and an empty one matches everything.
type Catalog interface {
	Databases(ctx context.Context, warehouseID string) ([]string, error)
	Schemas(ctx context.Context, warehouseID, database, pattern string) ([]string, error)
	Tables(ctx context.Context, warehouseID, database, schemaPattern, tablePattern string) ([]Table, error)
	// Columns returns the columns of a table or view in their order, none when it does not exist.
	Columns(ctx context.Context, warehouseID, database, schema, table string) ([]statements.Column, error)
}

// Table is a table, or what can be selected from like one. Type is AWS's word: TABLE, VIEW, SYSTEM TABLE ...
type Table struct{ Schema, Name, Type string }

// Config is what a Front needs. Every field is required.
type Config struct {
	Statements *statements.Service
	Warehouses Warehouses
	Catalog    Catalog
	Redact     func(sql string) string // takes the credentials out of a statement's text
}

// Front serves the Redshift Data API. It is safe for concurrent use.
type Front struct {
	statements *statements.Service
	warehouses Warehouses
	catalog    Catalog
	redact     func(string) string
}

// New returns a Front over c.
func New(c Config) *Front { return &Front{c.Statements, c.Warehouses, c.Catalog, c.Redact} }

// Service is the API as the wire handler wants it.
func (f *Front) Service() *wire.Service {
	return api.Operations{
		ExecuteStatement:      f.executeStatement,
		BatchExecuteStatement: f.batchExecuteStatement,

		DescribeStatement: f.describeStatement,
		ListStatements:    f.listStatements,
		CancelStatement:   f.cancelStatement,

		GetStatementResult:   f.getStatementResult,
		GetStatementResultV2: f.getStatementResultV2,

		ListDatabases: f.listDatabases,
		ListSchemas:   f.listSchemas,
		ListTables:    f.listTables,
		DescribeTable: f.describeTable,
	}.Service(faults())
}
