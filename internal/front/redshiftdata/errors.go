package redshiftdata

import (
	"context"
	"errors"

	api "github.com/penstock-io/penstock/internal/awsapi/redshiftdata"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/wire"
)

// Subjects of faults raised here.
const (
	subjectTarget   = "data warehouse" // what a request names to run in, or to look into
	subjectDatabase = "database"
	subjectTable    = "table"
	subjectEvent    = "event"
	subjectFormat   = "result format"
)

// faults says which declared error a fault becomes. A NotFound becomes a ResourceNotFoundException with the
// member it must have, see missing.
func faults() wire.FaultTable {
	t := wire.FaultTable{
		{Kind: fault.Invalid}:     api.ErrValidationException,
		{Kind: fault.State}:       api.ErrValidationException,
		{Kind: fault.Expired}:     api.ErrValidationException,
		{Kind: fault.Unsupported}: api.ErrValidationException,
		{Kind: fault.Limit}:       api.ErrActiveStatementsExceededException,
		{Kind: fault.Internal}:    api.ErrInternalServerException,
	}
	for _, op := range []string{"ListDatabases", "ListSchemas", "ListTables", "DescribeTable"} {
		t[wire.FaultKey{Kind: fault.Unavailable, Operation: op}] = api.ErrDatabaseConnectionException
	}
	return t
}

// missing makes a NotFound the error of this API, which must say what was not found.
func missing(err error, id string) error {
	if fault.KindOf(err) != fault.NotFound {
		return err
	}
	return &wire.APIError{
		Shape: api.ErrResourceNotFoundException, Message: fault.Message(err), Members: &api.ResourceNotFoundException{ResourceId: &id}, Err: err,
	}
}

// unreadable is err of a look into a data warehouse. One that took too long has an error of its own.
func unreadable(err error, database string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &wire.APIError{Shape: api.ErrQueryTimeoutException, Message: "The data warehouse did not answer in time. Try again later.", Err: err}
	}
	return missing(err, database)
}

// noStatement is the error of an id that the caller has no statement of.
func noStatement(id string) error {
	return missing(fault.New(fault.NotFound, statements.SubjectStatement, "Query %s does not exist.", id), id)
}
