package dialect

import (
	"fmt"
	"log/slog"

	"github.com/penstock-io/penstock/internal/load"
)

// Subjects of this package's faults.
const (
	SubjectStatement = "statement" // its text: syntax, or something not offered
	SubjectSetting   = "setting"   // SET, SHOW and RESET of a name that is not one of ours
	SubjectParameter = "parameter" // a ":name" without a value, or a value without its ":name"
	SubjectRelation  = "relation"  // a table that cannot be read or may not be
)

// Statement is one parsed statement: one of the pointer types of this package.
type Statement interface{ statement() }

// Name is a table's name as written. Schema and Database are empty where they were not given.
type Name struct{ Database, Schema, Table string }

// String is the name as a user would write it, quoted where it must be.
func (n Name) String() string {
	s := quoteName(n.Table)
	if n.Schema != "" {
		s = quoteName(n.Schema) + "." + s
	}
	if n.Database != "" {
		s = quoteName(n.Database) + "." + s
	}
	return s
}

// Secret is a credential found in a statement. It prints as "***" everywhere, and as nothing if it is empty.
type Secret string

const redacted = "***"

// Reveal returns the credential itself.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

func (s Secret) LogValue() slog.Value         { return slog.StringValue(s.String()) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Format covers every verb, %x and %#v among them.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// Copy is COPY ... FROM 's3://...'. Exactly one kind of credentials is set: IAMRole, DefaultRole, or the
// keys; none at all is accepted by the parser because the embedded store needs none.
type Copy struct {
	Table           Name
	Spec            load.Spec
	Source          string // the FROM text, 's3://bucket/prefix' without quotes
	Bucket, Prefix  string // of Source; Prefix is the key or key prefix as given, may be empty
	Region          string
	IAMRole         string // one ARN, or several joined by commas
	DefaultRole     bool   // IAM_ROLE default
	AccessKeyID     string
	SecretAccessKey Secret
	SessionToken    Secret
	Text            string // the statement, redacted
}

// CopyJobCreate is COPY ... JOB CREATE name [AUTO ON|OFF].
type CopyJobCreate struct {
	Copy *Copy
	Name string
	Auto bool
	Text string // the statement, redacted
}

// CopyJobAlter is COPY JOB ALTER name [AUTO ON|OFF]. Auto is nil where the clause is missing.
type CopyJobAlter struct {
	Name string
	Auto *bool
}

// CopyJobRun, CopyJobShow and CopyJobDrop are COPY JOB RUN, SHOW and DROP name; CopyJobList is COPY JOB LIST.
type (
	CopyJobRun  struct{ Name string }
	CopyJobShow struct{ Name string }
	CopyJobDrop struct{ Name string }
	CopyJobList struct{}
)

// IntegrationOptions are the SET options of a destination database; nil means not mentioned.
type IntegrationOptions struct {
	AcceptInvChars  *bool
	QueryAllStates  *bool
	RefreshInterval *int // seconds; its range depends on the source and is not checked here
	TruncateColumns *bool
	HistoryMode     *bool
	AutoRemediation *bool
}

// DatabaseOptions are the options CREATE and ALTER DATABASE share; zero values mean not mentioned.
type DatabaseOptions struct {
	ConnectionLimit *int   // Unlimited, or 0 and more
	Collate         string // CASE_SENSITIVE or CASE_INSENSITIVE
	Isolation       string // SNAPSHOT or SERIALIZABLE
}

// Unlimited is the ConnectionLimit of CONNECTION LIMIT UNLIMITED.
const Unlimited = -1

// CreateDatabase is CREATE DATABASE. IntegrationID is empty for a plain database.
type CreateDatabase struct {
	Name           string
	IntegrationID  string
	SourceDatabase string
	Options        IntegrationOptions
	Owner          string
	DatabaseOptions
}

// AlterDatabase is ALTER DATABASE. Any of its parts may be present; Refresh and Set exclude the others.
type AlterDatabase struct {
	Name     string
	RenameTo string
	Owner    string
	DatabaseOptions
	Refresh *Tables              // INTEGRATION REFRESH
	Set     *AlterIntegrationSet // INTEGRATION SET
}

// AlterIntegrationSet is INTEGRATION SET. HistoryFor is the FOR clause of HISTORY_MODE, nil where missing.
type AlterIntegrationSet struct {
	Options    IntegrationOptions
	HistoryFor *Tables
}

// Tables selects replicated tables: those named when Which is NamedTables, otherwise those of the kind, in
// the given schemas if there are any.
type Tables struct {
	Which   Which
	Schemas []string
	Names   []Name
}

// Which is the kind of tables an INTEGRATION REFRESH or a history switch is about.
type Which uint8

const (
	AllTables Which = iota
	InErrorTables
	RemediableTables
	NamedTables
)

// DropDatabase is DROP DATABASE [IF EXISTS] name [FORCE].
type DropDatabase struct {
	Name     string
	IfExists bool
	Force    bool
}

// Begin is BEGIN or START TRANSACTION.
type Begin struct {
	Isolation string // upper case, empty where not given
	ReadOnly  bool
}

// Commit is COMMIT or END; Rollback is ROLLBACK or ABORT.
type (
	Commit   struct{}
	Rollback struct{}
)

// Set is SET name = value of a session setting Penstock knows by name. Name is lower case. Values has one
// entry except for lists such as search_path. Default is SET name TO DEFAULT; Local is SET LOCAL.
type Set struct {
	Name    string
	Values  []string
	Default bool
	Local   bool
}

// Reset is RESET name or RESET ALL (Name empty).
type Reset struct{ Name string }

// Show is SHOW name of a session setting, or SHOW ALL (Name empty).
type Show struct{ Name string }

// ShowObjects is SHOW DATABASES, SCHEMAS, TABLES, COLUMNS, TABLE or VIEW.
type ShowObjects struct {
	What  string // "databases", "schemas", "tables", "columns", "table", "view"
	Name  Name   // what FROM or the statement names; parts that were not given are empty
	Like  string // pattern, empty for none
	Limit int    // 0 for none
}

// Use is USE database.
type Use struct{ Database string }

// Maintenance is VACUUM or ANALYZE: accepted, with nothing for an embedded engine to do.
type Maintenance struct {
	Verb  string // "VACUUM" or "ANALYZE"
	Table Name   // zero where none was given
}

// Grant and Revoke are read far enough to be answered. Every session of a warehouse has the same rights, so
// granting changes nothing: the caller accepts both without doing anything, after checking that a table named
// in Objects exists if it wants to. Statements about roles, scoped permissions and assumed IAM roles parse
// the same way.
type (
	Grant struct {
		Privileges []string // upper case
		On         string   // "TABLE", "SCHEMA", "DATABASE", ..., empty for role membership
		Objects    []Name
		To         []string
	}
	Revoke struct {
		Privileges []string
		On         string
		Objects    []Name
		From       []string
	}
)

func (*Copy) statement()           {}
func (*CopyJobCreate) statement()  {}
func (*CopyJobAlter) statement()   {}
func (*CopyJobRun) statement()     {}
func (*CopyJobShow) statement()    {}
func (*CopyJobDrop) statement()    {}
func (*CopyJobList) statement()    {}
func (*CreateDatabase) statement() {}
func (*AlterDatabase) statement()  {}
func (*DropDatabase) statement()   {}
func (*Begin) statement()          {}
func (*Commit) statement()         {}
func (*Rollback) statement()       {}
func (*Set) statement()            {}
func (*Reset) statement()          {}
func (*Show) statement()           {}
func (*ShowObjects) statement()    {}
func (*Use) statement()            {}
func (*Maintenance) statement()    {}
func (*Grant) statement()          {}
func (*Revoke) statement()         {}
func (*Query) statement()          {}
