package redshiftserverless

import (
	api "github.com/penstock-io/penstock/internal/awsapi/redshiftserverless"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/wire"
)

// subjectOption is the subject of faults about members that ask for what is not offered.
const subjectOption = "option"

// faults says which declared error a fault becomes. The API has no error for what is not offered, and none
// for too many namespaces: the nearest are a ValidationException and a ConflictException.
func faults() wire.FaultTable {
	return wire.FaultTable{
		{Kind: fault.Invalid}:     api.ErrValidationException,
		{Kind: fault.Unsupported}: api.ErrValidationException,
		{Kind: fault.Limit}:       api.ErrValidationException,
		{Kind: fault.Limit, Subject: warehouses.SubjectTagCount}:  api.ErrTooManyTagsException,
		{Kind: fault.Limit, Subject: warehouses.SubjectWarehouse}: api.ErrConflictException,
		{Kind: fault.NotFound}:      api.ErrResourceNotFoundException,
		{Kind: fault.AlreadyExists}: api.ErrConflictException,
		{Kind: fault.Conflict}:      api.ErrConflictException,
		{Kind: fault.State}:         api.ErrConflictException,
		{Kind: fault.Internal}:      api.ErrInternalServerException,
	}
}
