// Package load is the vocabulary of a file load: what COPY asks for, the files it reads, and what became
// of each of them. It is data only. The SQL edge produces a Spec, the sources produce Files, a warehouse
// turns both into Results.
package load

import "time"

// Format is the layout of a file.
type Format uint8

const (
	Text    Format = iota // delimited text, Redshift's default: '|', no quoting
	CSV                   // RFC 4180
	JSON                  // JSON 'auto': root-level objects separated by white space
	Parquet               // columns by position
)

var formatNames = [...]string{"txt", "csv", "json", "parquet"}

// String is the name SYS_LOAD_HISTORY.file_format uses.
func (f Format) String() string { return formatNames[f] }

// Compression is the codec of every file of a load.
type Compression uint8

const (
	Uncompressed Compression = iota
	GZIP
	ZSTD
)

// Spec is how files are read into a table: the format and option clauses of a COPY statement with
// Redshift's defaults already filled in.
type Spec struct {
	Format       Format
	Compression  Compression
	Columns      []string // target columns in field order; empty means every column but identities
	Delimiter    string   // one character; Text and CSV
	Quote        string   // one character; CSV
	IgnoreHeader int      // lines to skip at the start of each file
	NullAs       string   // field text that means NULL; `\N` by default
	DateFormat   string   // Redshift format, "auto", or "" for YYYY-MM-DD
	TimeFormat   string   // Redshift format, "auto", "epochsecs", "epochmillisecs", or "" for the default
	MaxError     int      // a load fails when this many rows are bad; 0 and 1 both mean at the first
}

// File is one object to load, already readable as a local file.
type File struct {
	Bucket   string
	Key      string
	ETag     string
	Size     int64     // bytes as stored, compressed if so
	Modified time.Time // when the object was written
	Path     string    // local file with the object's bytes; valid until the load has returned
}

// URL is the file's name as Redshift's views show it.
func (f File) URL() string { return "s3://" + f.Bucket + "/" + f.Key }

// Table names the target. Database is the one the session is connected to.
type Table struct{ Database, Schema, Name string }

// Job identifies the COPY job a load belongs to.
type Job struct {
	ID   int64
	Name string
	Text string // the statement that made it, shown in SYS_COPY_JOB_DETAIL
}

// Request is one COPY: files into a table.
type Request struct {
	QueryID int64 // unique, growing; the query_id of the load views
	UserID  int   // the user_id of the load views
	Table   Table
	Spec    Spec
	Source  string // the COPY's FROM text, for SYS_LOAD_HISTORY.data_source
	Files   []File
	// Job is nil for a plain COPY. With a job, each file is loaded at most once ever for that job: its rows
	// and its ledger entry commit in one warehouse transaction (invariants 1 and 9), a file already in the
	// ledger as loaded is skipped, and a bad file does not stop the others (invariant 7).
	Job *Job
	// Retry loads files whose ledger entry says they failed before; only for jobs.
	Retry bool
}

// Status of one file after a load.
type Status byte

const (
	Pending Status = 'P'
	Loaded  Status = 'I' // "ingested" in SYS_COPY_JOB_DETAIL
	Failed  Status = 'E'
	Skipped Status = 'S' // was in the ledger already; never stored
)

// FileResult is what became of one file. Rows, Lines and Bytes are of this load.
type FileResult struct {
	File    File
	Status  Status
	Rows    int64
	Lines   int64
	Bytes   int64 // bytes scanned
	Errors  []RowError
	Message string // why it failed, one sentence
}

// Result is the outcome of a Request, files in the request's order.
type Result struct {
	Files []FileResult
	Rows  int64 // rows committed, or to be committed with the surrounding transaction
	Bytes int64
}

// RowError is one rejected row, or one unreadable file when Line is 0, as STL_LOAD_ERRORS shows it.
type RowError struct {
	File         string // s3 URL
	Line         int64  // from 1; for JSON the last line of the object
	Column       string
	ColumnType   string // Redshift's name: "integer", "varchar"
	ColumnLength string // "10" for varchar(10), "" where the type has none
	Position     int    // of the field in the row in bytes, from 0
	RawLine      string // at most 1,024 bytes
	RawField     string // at most 1,024 bytes
	Code         ErrorCode
	Reason       string // at most 100 bytes
}

// ErrorCode is Redshift's load error code.
type ErrorCode int

const (
	CodeParse            ErrorCode = 1200 // unknown parse error
	CodeNoDelimiter      ErrorCode = 1201
	CodeExtraColumns     ErrorCode = 1202
	CodeMissingColumns   ErrorCode = 1203
	CodeOutOfRange       ErrorCode = 1204 // value outside the type's range, over-long strings too
	CodeDate             ErrorCode = 1205
	CodeTimestamp        ErrorCode = 1206
	CodeDigit            ErrorCode = 1207
	CodeFloat            ErrorCode = 1208
	CodeDecimal          ErrorCode = 1209
	CodeBoolean          ErrorCode = 1210
	CodeEmptyLine        ErrorCode = 1211
	CodeFileNotFound     ErrorCode = 1212
	CodeNotNull          ErrorCode = 1213
	CodeDelimiterMissing ErrorCode = 1214
	CodeChar             ErrorCode = 1215
	CodeInvalidLine      ErrorCode = 1216
	CodeUTF8Digit        ErrorCode = 1219
	CodeUTF8             ErrorCode = 1220
	CodeOverflow         ErrorCode = 1222
	CodeInvalidType      ErrorCode = 1223
	CodeSuperJSON        ErrorCode = 1224
	CodeScan             ErrorCode = 15001 // columnar: generic scan error
	CodeAccess           ErrorCode = 15002
	CodeColumnCount      ErrorCode = 15007
	CodeSchema           ErrorCode = 15009
	CodeColumnType       ErrorCode = 15011
)
