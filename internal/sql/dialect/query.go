package dialect

import "github.com/penstock-io/penstock/internal/fault"

// Query is a statement the warehouse itself runs: it reads or changes data, or defines tables and views.
type Query struct {
	Verb        string // "SELECT", "INSERT", "CREATE TABLE", "DROP VIEW", ...: upper case
	ReadOnly    bool   // changes nothing
	ReturnsRows bool   // has a result set
	// SuperCase is the session's enable_case_sensitive_super_attribute: when set before Render, unquoted
	// attribute names in SUPER paths keep their case.
	SuperCase bool

	text string
}

// Column is a column of a table or view as a Catalog knows it.
type Column struct {
	Name string
	Type Type
}

// Catalog tells the renderer what it cannot see in the text: which columns a relation has.
type Catalog interface {
	// Columns returns the columns of a table or view, in order. database and schema are empty where the
	// query gave none; the session's database and search path then decide. ok is false for a relation that
	// does not exist or is not known.
	Columns(database, schema, table string) (cols []Column, ok bool)
}

// Render returns the statements DuckDB has to run, in order, for q to take effect. More than one belong
// into one transaction; the last but for COMMENT statements is the one that returns rows or counts them.
func (q *Query) Render(cat Catalog) ([]string, error) {
	return nil, fault.New(fault.Unsupported, SubjectStatement, "not yet")
}
