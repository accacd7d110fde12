package duckdb

import (
	"context"
	"errors"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/penstock-io/penstock/internal/fault"
)

// classify turns what the engine says into a fault in Redshift's words. Errors that are faults already, and
// those of a context, pass.
func (e *engine) classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	if cause := ctx.Err(); cause != nil {
		if errors.Is(cause, context.DeadlineExceeded) {
			return fault.Wrap(err, fault.Canceled, SubjectStatement, "Query cancelled: it ran past its time limit")
		}
		return fault.Wrap(err, fault.Canceled, SubjectStatement, "Query cancelled on user's request")
	}
	if errors.Is(err, syscall.ENOSPC) {
		return diskFull(err, e.w.o.Dir)
	}
	var engine *engineError
	if !errors.As(err, &engine) {
		var path *fs.PathError
		if errors.As(err, &path) {
			return fault.Wrap(err, fault.Unavailable, SubjectWarehouse, "the warehouse's files cannot be used: %s %s failed", path.Op, path.Path)
		}
		return err
	}
	if m := lostDatabase.FindStringSubmatch(engine.text); m != nil {
		e.invalidate(m[1])
	} else if lostInstance(engine.text) {
		e.broken.Store(true)
	} else {
		return explain(engine, e.w.o.Dir)
	}
	if isDiskFull(engine.text) {
		return fault.Wrap(err, fault.Unavailable, SubjectWarehouse,
			"the disk that holds the warehouse is full. Free space under %s and try again; what was committed is safe", e.w.o.Dir)
	}
	return fault.Wrap(err, fault.Unavailable, SubjectWarehouse, "the warehouse recovers from a failure of its engine; try again in a moment")
}

// lostInstance reports whether the engine refuses all further work until it is opened again.
func lostInstance(text string) bool {
	return strings.HasPrefix(text, "FATAL Error") || strings.Contains(text, "database has been invalidated")
}

// lostDatabase is what the engine says when it refuses one database until that is attached again.
var lostDatabase = regexp.MustCompile(`(?i)database "(.+?)"(?:\. The database)? has been invalidated`)

func isDiskFull(text string) bool {
	return strings.Contains(text, "No space left on device") || strings.Contains(text, "Disk quota exceeded") ||
		strings.Contains(text, "File too large") || strings.Contains(text, "max_temp_directory_size")
}

// outOfMemory is what the engine says when it had too little memory, which it does not always name as the kind of an error.
var outOfMemory = regexp.MustCompile(`(?:^Out of Memory Error|failed to pin block|failed to allocate|could not allocate block).*\([\d.]+ \w+/([\d.]+ \w+) used\)|^Out of Memory Error`)

func diskFull(err error, dir string) error {
	return fault.Wrap(err, fault.Unavailable, SubjectWarehouse,
		"the disk that holds the warehouse is full; nothing was changed. Free space under %s and try again", dir)
}

var (
	noSchema  = regexp.MustCompile(`^Catalog Error: .*does not exist because schema "(.+?)" does not exist`)
	notThere  = regexp.MustCompile(`^Catalog Error: (\w+(?: \w+)?) with name "?(.+?)"? does not exist!`)
	there     = regexp.MustCompile(`^Catalog Error: (\w+) with name "(.+?)" already exists!`)
	noCatalog = regexp.MustCompile(`^Binder Error: Catalog "(.+?)" does not exist!`)
	noColumn  = regexp.MustCompile(`^Binder Error: Referenced column "(.+?)" not found in FROM clause`)
	noColumn2 = regexp.MustCompile(`^Binder Error: Table "(.+?)" does not have a column named "(.+?)"`)
	noColumn3 = regexp.MustCompile(`^Binder Error: Table "(.+?)" does not have a column with name "(.+?)"`)
	noColumn4 = regexp.MustCompile(`^Binder Error: Referenced update column (.+) not found in table!`)
	ambiguous = regexp.MustCompile(`^Binder Error: Ambiguous reference to column name "(.+?)" \(use:`)
	aggregate = regexp.MustCompile(`^Binder Error: (WHERE|GROUP BY|HAVING|JOIN|ON|LIMIT|VALUES) clause cannot contain (aggregates|window functions)!`)
	tooMany   = regexp.MustCompile(`^Binder Error: (?:table .+ has (\d+) columns|Column name/value mismatch for insert on .+: expected (\d+) columns) but (\d+) values were supplied`)
	noTable   = regexp.MustCompile(`^Binder Error: Referenced table "(.+?)" not found`)
	notNull   = regexp.MustCompile(`^Constraint Error: NOT NULL constraint failed: (?:.+\.)?(.+)`)
	badInput  = regexp.MustCompile(`^Conversion Error: Could not convert string '((?s:.*?))' to (\w+)`)
	badSyntax = regexp.MustCompile(`^Parser Error: syntax error at (or near ".*?"|end of input)`)
)

// explainOr is explain for what the engine said, and the error itself otherwise.
func explainOr(err error, dir string) error {
	var engine *engineError
	if errors.As(err, &engine) {
		return explain(engine, dir)
	}
	return err
}

// explain classifies one of the engine's messages, which begin with their kind.
func explain(err *engineError, dir string) error {
	text := err.text
	as := func(k fault.Kind, subject, format string, args ...any) error {
		return fault.Wrap(err, k, subject, format, args...)
	}
	kind, rest, _ := strings.Cut(text, "Error: ")
	kind = strings.TrimSpace(kind)
	first, _, _ := strings.Cut(rest, "\n") // without the hint and the extract of the statement below it
	if isDiskFull(text) {
		return diskFull(err, dir)
	}
	if m := outOfMemory.FindStringSubmatch(text); m != nil {
		return as(fault.Unavailable, SubjectWarehouse, "this needs more memory than the warehouse's engine has (%s). "+
			"Try again with fewer statements at once, make it smaller, or start penstock with a larger memory-limit", orDefault(m[1], "see memory-limit"))
	}
	switch kind {
	case "Catalog", "Binder":
		if m := noSchema.FindStringSubmatch(text); m != nil {
			return as(fault.NotFound, SubjectSchema, "schema %q does not exist", m[1])
		}
		if m := notThere.FindStringSubmatch(text); m != nil {
			return missing(err, m[1], m[2])
		}
		if m := there.FindStringSubmatch(text); m != nil {
			if m[1] == "Schema" {
				return as(fault.AlreadyExists, SubjectSchema, "Schema %q already exists", m[2])
			}
			return as(fault.AlreadyExists, SubjectRelation, "Relation %q already exists", m[2])
		}
		if m := noCatalog.FindStringSubmatch(text); m != nil {
			return as(fault.NotFound, SubjectRelation, "relation or database %q does not exist", m[1])
		}
		if m := noColumn.FindStringSubmatch(text); m != nil {
			return as(fault.Invalid, SubjectColumn, "column %q does not exist", m[1])
		}
		if m := noColumn2.FindStringSubmatch(text); m != nil {
			return as(fault.Invalid, SubjectColumn, "column %s.%s does not exist", m[1], m[2])
		}
		if m := noColumn3.FindStringSubmatch(text); m != nil {
			return as(fault.Invalid, SubjectColumn, "column %q of relation %q does not exist", m[2], m[1])
		}
		if m := noColumn4.FindStringSubmatch(text); m != nil {
			return as(fault.Invalid, SubjectColumn, "column %q does not exist", m[1])
		}
		if m := ambiguous.FindStringSubmatch(text); m != nil {
			return as(fault.Invalid, SubjectColumn, "column reference %q is ambiguous", m[1])
		}
		if m := aggregate.FindStringSubmatch(text); m != nil {
			return as(fault.Invalid, SubjectStatement, "%s not allowed in %s clause", m[2], m[1])
		}
		if m := tooMany.FindStringSubmatch(text); m != nil {
			return as(fault.Invalid, SubjectStatement, "%s", mismatch(m[1]+m[2], m[3]))
		}
		if m := noTable.FindStringSubmatch(text); m != nil {
			return as(fault.Invalid, SubjectRelation, "relation %q does not exist in the FROM clause", m[1])
		}
		return as(fault.Invalid, SubjectStatement, "%s", first)
	case "Parser", "Syntax":
		if m := badSyntax.FindStringSubmatch(text); m != nil {
			return as(fault.Invalid, SubjectStatement, "syntax error at %s", m[1])
		}
		return as(fault.Invalid, SubjectStatement, "syntax error: %s", first)
	case "Conversion", "Mismatch Type":
		if m := badInput.FindStringSubmatch(text); m != nil {
			return as(fault.Invalid, SubjectStatement, "invalid input syntax for type %s: \"%.200s\"", typeOfDuckDB(castName(m[2])), m[1])
		}
		return as(fault.Invalid, SubjectStatement, "%s", first)
	case "Constraint":
		if m := notNull.FindStringSubmatch(text); m != nil {
			return as(fault.Invalid, SubjectColumn, "Cannot insert a NULL value into column %s", m[1])
		}
		return as(fault.Invalid, SubjectStatement, "%s", first)
	case "Out of Range", "Invalid Input", "Invalid type", "Decimal", "Divide by Zero", "Parameter Not Resolved", "Parameter Not Allowed", "Sequence", "Expression":
		return as(fault.Invalid, SubjectStatement, "%s", first)
	case "Permission":
		return as(fault.Denied, SubjectStatement, "permission denied: a statement may not use files or settings of the server")
	case "TransactionContext", "Transaction":
		if strings.Contains(text, "onflict") || strings.Contains(text, "constraint violat") {
			return as(fault.Conflict, SubjectTransaction, "could not complete because of conflict with concurrent transaction; run the transaction again")
		}
		if strings.Contains(text, "is aborted") {
			return as(fault.State, SubjectTransaction, "current transaction is aborted, commands ignored until end of transaction block")
		}
		if strings.Contains(text, "single attached database") {
			return as(fault.Unsupported, SubjectTransaction, "a transaction can change tables of one database only; commit before changing another's")
		}
		return as(fault.Invalid, SubjectTransaction, "%s", first)
	case "Dependency":
		return as(fault.State, SubjectRelation, "cannot drop it because other objects depend on it; drop those first or use CASCADE")
	case "Not implemented":
		return as(fault.Unsupported, SubjectStatement, "not supported: %s", first)
	case "IO":
		return as(fault.Unavailable, SubjectWarehouse, "the warehouse's files cannot be read or written; the server's log has the details")
	case "INTERRUPT":
		return as(fault.Canceled, SubjectStatement, "Query cancelled")
	}
	return as(fault.Internal, SubjectStatement, "%s", first)
}

// mismatch is what is wrong with an INSERT of so many expressions into so many columns.
func mismatch(columns, expressions string) string {
	c, _ := strconv.Atoi(columns)
	if e, _ := strconv.Atoi(expressions); e > c {
		return "INSERT has more expressions than target columns"
	}
	return "INSERT has more target columns than expressions"
}

func missing(err error, what, name string) error {
	switch what {
	case "Table", "View", "Index", "Sequence", "Type":
		return fault.Wrap(err, fault.NotFound, SubjectRelation, "relation %q does not exist", name)
	case "Schema":
		return fault.Wrap(err, fault.NotFound, SubjectSchema, "schema %q does not exist", name)
	}
	if strings.Contains(what, "Function") || strings.Contains(what, "Macro") {
		return fault.Wrap(err, fault.NotFound, SubjectFunction, "function %s does not exist", name)
	}
	return fault.Wrap(err, fault.NotFound, SubjectRelation, "%s %q does not exist", strings.ToLower(what), name)
}

// castName is a type as conversion errors name it, as the catalogue does.
func castName(name string) string {
	switch name {
	case "INT16":
		return "SMALLINT"
	case "INT32":
		return "INTEGER"
	case "INT64":
		return "BIGINT"
	case "BOOL":
		return "BOOLEAN"
	}
	return name
}
