package dialect

import "github.com/penstock-io/penstock/internal/fault"

// Split cuts a text into its statements, without the semicolons. Statements with no words are dropped.
func Split(text string) ([]string, error) { return []string{text}, nil }

// Bind puts the values of ":name" parameters into a statement, as quoted literals without a type.
func Bind(sql string, params map[string]string) (string, error) { return sql, nil }

// Parse reads exactly one statement.
func Parse(stmt string) (Statement, error) {
	return nil, fault.New(fault.Unsupported, SubjectStatement, "not yet")
}

// Redact returns a statement with its credentials replaced by "***".
func Redact(text string) string { return text }

// ParseType reads a type as Redshift spells it.
func ParseType(text string) (Type, error) { return Type{}, nil }

// TypeOfDuckDB returns the Redshift type that describes a DuckDB type best.
func TypeOfDuckDB(name string) Type { return Type{} }

// Position returns the 1-based character position in the statement that err is about, or 0.
func Position(err error) int { return 0 }

// Settings returns the statements every DuckDB connection must run before it runs rendered SQL.
func Settings() []string { return nil }

// Macros returns the CREATE OR REPLACE MACRO statements for functions rendered SQL calls by unqualified name.
func Macros() []string { return nil }

func quoteIfNeeded(s string) string { return s }
