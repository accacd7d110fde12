package appintegrations

import (
	"github.com/penstock-io/penstock/internal/appint"
	api "github.com/penstock-io/penstock/internal/awsapi/appintegrations"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/wire"
)

// faults says which declared error a fault becomes. A name that is taken is a DuplicateResourceException where
// something is made; the calls that rename declare none, and theirs is an InvalidRequestException.
func faults() wire.FaultTable {
	return wire.FaultTable{
		{Kind: fault.Invalid}:       api.ErrInvalidRequestException,
		{Kind: fault.State}:         api.ErrInvalidRequestException,
		{Kind: fault.Conflict}:      api.ErrInvalidRequestException,
		{Kind: fault.Unsupported}:   api.ErrInvalidRequestException,
		{Kind: fault.NotFound}:      api.ErrResourceNotFoundException,
		{Kind: fault.AlreadyExists}: api.ErrDuplicateResourceException,
		{Kind: fault.Limit}:         api.ErrResourceQuotaExceededException,
		{Kind: fault.Throttled}:     api.ErrThrottlingException,
		{Kind: fault.Unavailable}:   api.ErrThrottlingException,
		{Kind: fault.Internal}:      api.ErrInternalServiceError,

		{Kind: fault.AlreadyExists, Operation: "UpdateDataIntegration"}: api.ErrInvalidRequestException,
		{Kind: fault.AlreadyExists, Operation: "UpdateApplication"}:     api.ErrInvalidRequestException,

		{Kind: fault.Unsupported, Subject: appint.SubjectType, Operation: "CreateApplication"}: api.ErrUnsupportedOperationException,
		{Kind: fault.Unsupported, Subject: appint.SubjectType, Operation: "UpdateApplication"}: api.ErrUnsupportedOperationException,
	}
}
