// Package statements is the domain of the Redshift Data API: SQL handed in, run later, and its outcome
// kept for a day.
//
//	SUBMITTED -> PICKED -> STARTED -> FINISHED
//	    |           |         |-----> FAILED
//	    \-----------\---------\-----> ABORTED
//
// A statement is durable before its id is returned. A statement that was PICKED or STARTED when the
// process died is run again after the restart unless the warehouse has the mark that its transaction
// committed, so its effect happens once.
package statements

import (
	"context"
	"time"
)

// Subjects of this package's faults.
const (
	SubjectStatement = "statement"
	SubjectSession   = "session"
	SubjectResult    = "result"
)

// Status is what DescribeStatement calls Status.
type Status string

const (
	Submitted Status = "SUBMITTED"
	Picked    Status = "PICKED"
	Started   Status = "STARTED"
	Finished  Status = "FINISHED"
	Failed    Status = "FAILED"
	Aborted   Status = "ABORTED"
)

// Done reports whether no further change of status will come.
func (s Status) Done() bool { return s == Finished || s == Failed || s == Aborted }

// Retention is how long a statement and its result are kept after it is done.
const Retention = 24 * time.Hour

// MaxActive is how many statements of one warehouse may be waiting or running.
const MaxActive = 500

// Parameter is a named value for ":name" in the SQL. Values are text; the warehouse gives them a type.
type Parameter struct{ Name, Value string }

// Statement is one ExecuteStatement or BatchExecuteStatement. A batch is one transaction.
type Statement struct {
	ID          string // UUID
	WarehouseID string
	Cluster     string // ClusterIdentifier as given, or empty
	Workgroup   string // WorkgroupName as given, or empty
	Database    string
	User        string // database user it runs as
	DbUser      string // DbUser as given
	SecretARN   string
	Name        string // StatementName
	Owner       string // caller's ARN
	ClientToken string
	SessionID   string
	// SessionKeepAlive in seconds opens a session, or keeps one, when above zero.
	SessionKeepAlive int
	Batch            bool
	Format           string // ResultFormat: JSON or CSV
	Parameters       []Parameter
	Subs             []Sub // one for ExecuteStatement
	Status           Status
	Error            string
	Created, Updated time.Time
	Duration         time.Duration // of running, all parts together
	QueryID          int64         // RedshiftQueryId
	PID              int64         // RedshiftPid
	CancelRequested  bool
}

// Sub is one SQL statement of a Statement. Its id on the wire is "<statement id>:<n>", n from 1.
type Sub struct {
	SQL              string
	Status           Status
	Error            string
	Created, Updated time.Time
	Duration         time.Duration
	HasResultSet     bool
	Rows             int64 // ResultRows; rows changed where there is no result set; -1 while unknown
	Size             int64 // ResultSize in bytes
	QueryID          int64
	Columns          []Column
}

// Column is ColumnMetadata.
type Column struct {
	Name, Label, TypeName    string // TypeName is PostgreSQL's internal name, "int4"
	Length, Precision, Scale int
	Nullable                 int // 0 no, 1 yes, 2 unknown
	Schema, Table, Default   string
	CaseSensitive, Signed    bool
}

// Value is one field of a result: nil, bool, int64, float64, string or []byte.
type Value = any

// Page is a run of rows, stored and served as a unit. Rows of all pages of a part follow each other.
type Page struct {
	Rows [][]Value
}

// Store keeps statements and their results. Every method is one durable transaction.
type Store interface {
	// StatementCreate stores s. If s.ClientToken is set and a statement of the same Owner with that token
	// exists, it returns that one and created=false. More than max statements of the warehouse that are not
	// done is Limit.
	StatementCreate(ctx context.Context, s Statement, max int) (_ Statement, created bool, _ error)
	// StatementGet is NotFound about SubjectStatement for an unknown id, and Expired about it for one that
	// StatementExpire deleted in the last Remembered.
	StatementGet(ctx context.Context, id string) (Statement, error)
	// StatementList returns statements newest first, and by ID among those created at the same moment, or the
	// other way round when the filter says so: at most limit, those behind the cursor when it is not zero.
	StatementList(ctx context.Context, f Filter, after Cursor, limit int) ([]Statement, error)
	// StatementUpdate runs change on the stored statement and saves what it leaves, unless it returns an error.
	// ID, Created, Owner, ClientToken, the number of parts and their SQL stay. change may be run more than once.
	// Slices in the value are shared, but it may change the parts in Subs.
	StatementUpdate(ctx context.Context, id string, change func(*Statement) error) (Statement, error)
	// StatementExpire deletes statements that are done and were updated before the given time, with their
	// pages, and reports how many.
	StatementExpire(ctx context.Context, before time.Time) (int, error)
}

// Remembered is how long the id of an expired statement is known to have been one.
const Remembered = 30 * 24 * time.Hour

// Cursor is a place in the order of StatementList: that of the statement with these fields. The statement need
// not exist any more.
type Cursor struct {
	Created time.Time
	ID      string
}

// ResultStore keeps the pages of results. Parts and pages number from 0.
type ResultStore interface {
	// PagePut stores or replaces a page. An unknown statement is NotFound about SubjectStatement.
	PagePut(ctx context.Context, id string, part, page int, p Page) error
	// PageGet is NotFound about SubjectResult past the last page.
	PageGet(ctx context.Context, id string, part, page int) (Page, error)
	// PageClear drops what an earlier attempt at this statement left.
	PageClear(ctx context.Context, id string) error
}

// Filter narrows a list. Empty fields do not.
type Filter struct {
	Owner       string
	WarehouseID string
	Database    string
	NamePrefix  string
	SessionID   string
	Status      Status
	Active      bool // only those not done
	OldestFirst bool // turns the order round
}
