// Package sql runs users' SQL against a warehouse: it speaks Redshift's dialect at the edge, carries out
// the statements the engine knows nothing of (COPY, COPY JOB, CREATE DATABASE ...), and hands the rest to
// the engine in its own dialect.
//
// A Session is one connection with a current database. A Runner takes the Data API's statements from their
// store and runs each in a session. What text means is decided in sql/dialect; this package decides what
// happens.
package sql

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// Subjects of this package's faults.
const (
	SubjectDatabase    = "database"
	SubjectStatement   = "statement"
	SubjectTransaction = "transaction"
	SubjectPrefix      = "prefix" // what COPY reads from
)

// Warehouse is the engine as a session needs it.
type Warehouse interface {
	DatabaseChanges
	Connect(ctx context.Context, database, user string) (Conn, error)
	Databases(ctx context.Context) ([]string, error)
	// ReplicaState returns the state of a replicated table and why it is in it. ok is false for other tables. It knows a
	// table from when its loading begins, before there is anything to select.
	ReplicaState(ctx context.Context, database, schema, table string) (state, reason string, ok bool, err error)
	// StatementCommitted reports whether the transaction that marked the statement has committed.
	StatementCommitted(ctx context.Context, database, id string) (bool, error)
}

// DatabaseChanges make, rename and remove a warehouse's databases.
type DatabaseChanges interface {
	CreateDatabase(ctx context.Context, name, owner, createdBy string) error
	DropDatabase(ctx context.Context, name string) error
	RenameDatabase(ctx context.Context, from, to string) error
}

// Conn is one connection. Its context arguments cancel the statement under way; the transaction it was in
// is then rolled back.
type Conn interface {
	Transaction
	Catalog
	// Query runs one statement in the engine's dialect. The caller closes the rows.
	Query(ctx context.Context, text string) (Rows, error)
	// Load is COPY. It joins the open transaction or makes its own.
	Load(ctx context.Context, req load.Request) (load.Result, error)
	Close() error
}

// Transaction is the transactional part of a Conn. Without Begin every statement is its own transaction.
type Transaction interface {
	Begin(ctx context.Context) error
	Commit(ctx context.Context) error
	Rollback() error
	InTransaction() bool
	// MarkStatement makes the open transaction say that it carried out the statement of this id.
	MarkStatement(ctx context.Context, id string) error
}

// Catalog is what a Conn knows about tables. Empty names mean the current database and the search path;
// patterns are SQL LIKE patterns and empty ones match everything.
type Catalog interface {
	// Columns returns nil for a relation that does not exist.
	Columns(ctx context.Context, database, schema, table string) ([]statements.Column, error)
	Schemas(ctx context.Context, database, pattern string) ([]string, error)
	Tables(ctx context.Context, database, schemaPattern, tablePattern string) ([]Table, error)
	SetSearchPath(ctx context.Context, schemas []string) error
}

// Table is a line of ListTables. Type is TABLE, VIEW or SYSTEM VIEW.
type Table struct{ Schema, Name, Type string }

// Rows is a result being read, or the count of a change.
type Rows interface {
	Columns() []statements.Column // nil for a statement without a result set
	Next() bool
	Values() []statements.Value // of the current row; valid until Next
	Affected() int64            // rows changed, once Next has returned false
	Err() error
	Close() error
}

// Sink receives a result set: Columns once, Row for each row, End once. End comes before the commit, so that
// a result is kept before its statement takes effect.
type Sink interface {
	Columns(cols []statements.Column) error
	Row(values []statements.Value) error // values may be reused after the call
	End() error
}

// Outcome is what a statement came to.
type Outcome struct {
	HasResultSet bool
	Rows         int64 // in the result set, or changed
}

// Objects is where COPY finds its files.
type Objects interface {
	List(ctx context.Context, bucket, prefix, startAfter string, yield func(load.File) error) error
	Fetch(ctx context.Context, f load.File) (_ load.File, release func(), _ error)
}

// Jobs is the part of copyjob.Service the COPY JOB statements need.
type Jobs interface {
	Create(ctx context.Context, j copyjob.Job) (copyjob.Job, error)
	Alter(ctx context.Context, key copyjob.Key, auto bool) (copyjob.Job, error)
	RequestRun(ctx context.Context, key copyjob.Key) (copyjob.Job, error)
	Drop(ctx context.Context, key copyjob.Key) (copyjob.Job, error)
	List(ctx context.Context, warehouseID string) ([]copyjob.Job, error)
}

// Destinations is the part of zeroetl.Service the statements about databases made from integrations need.
type Destinations interface {
	DestinationChanges
	CheckDestination(ctx context.Context, id, warehouseID, database, createdBy string, o zeroetl.DestinationOptions) error
	ByDatabase(ctx context.Context, warehouseID, database string) (_ zeroetl.Integration, ok bool, _ error)
}

// DestinationChanges are what such statements do.
type DestinationChanges interface {
	Connect(ctx context.Context, id, warehouseID, database, createdBy string, o zeroetl.DestinationOptions) error
	Configure(ctx context.Context, warehouseID, database string, o zeroetl.DestinationOptions) error
	RequestRefresh(ctx context.Context, warehouseID, database string) error
	Disconnect(ctx context.Context, warehouseID, database string) error
}

// Parts are what sessions are made with; one value serves the whole process.
type Parts struct {
	Objects Objects
	Jobs    Jobs
	// Destinations knows the databases made from integrations.
	Destinations Destinations
	NextID       func() int64 // growing ids for queries
	Now          func() time.Time
}
