package dynamodb

import (
	"errors"

	api "github.com/penstock-io/penstock/internal/awsapi/dynamodb"
	streams "github.com/penstock-io/penstock/internal/awsapi/dynamodbstreams"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/tables/storage"
	"github.com/penstock-io/penstock/internal/tag"
	"github.com/penstock-io/penstock/internal/wire"
)

// faults says which declared error a fault becomes. What is not in it becomes the protocol's own error of the
// kind: Invalid a ValidationException.
func faults() wire.FaultTable {
	t := wire.FaultTable{
		{Kind: fault.NotFound, Subject: tables.SubjectTable}:       api.ErrResourceNotFoundException,
		{Kind: fault.NotFound, Subject: tables.SubjectIndex}:       api.ErrResourceNotFoundException,
		{Kind: fault.NotFound, Subject: tables.SubjectStream}:      api.ErrResourceNotFoundException,
		{Kind: fault.NotFound, Subject: tables.SubjectPolicy}:      api.ErrPolicyNotFoundException,
		{Kind: fault.AlreadyExists, Subject: tables.SubjectTable}:  api.ErrResourceInUseException,
		{Kind: fault.State, Subject: tables.SubjectTable}:          api.ErrResourceInUseException,
		{Kind: fault.Limit, Subject: tables.SubjectTable}:          api.ErrLimitExceededException,
		{Kind: fault.Limit, Subject: tables.SubjectIndex}:          api.ErrLimitExceededException,
		{Kind: fault.Limit, Subject: tables.SubjectCollection}:     api.ErrItemCollectionSizeLimitExceededException,
		{Kind: fault.Conflict, Subject: tables.SubjectToken}:       api.ErrIdempotentParameterMismatchException,
		{Kind: fault.Conflict, Subject: tables.SubjectTransaction}: api.ErrTransactionConflictException,
		{Kind: fault.State, Subject: tables.SubjectTransaction}:    api.ErrTransactionInProgressException,
		{Kind: fault.Conflict, Subject: tables.SubjectReplica}:     api.ErrReplicatedWriteConflictException,
		{Kind: fault.Throttled, Subject: tables.SubjectThroughput}: api.ErrProvisionedThroughputExceededException,
		{Kind: fault.Throttled, Subject: tables.SubjectRate}:       api.ErrRequestLimitExceeded,
		{Kind: fault.Unavailable, Subject: storage.SubjectDisk}:    api.ErrRequestLimitExceeded,
		{Kind: fault.Throttled, Subject: tables.SubjectSlow}:       api.ErrThrottlingException,
		{Kind: fault.Internal}:                                     api.ErrInternalServerError,
	}
	t[wire.FaultKey{Kind: fault.NotFound, Subject: tables.SubjectExport}] = api.ErrExportNotFoundException
	t[wire.FaultKey{Kind: fault.Conflict, Subject: tables.SubjectExport}] = api.ErrExportConflictException
	t[wire.FaultKey{Kind: fault.Invalid, Subject: tables.SubjectExportTime}] = api.ErrInvalidExportTimeException
	t[wire.FaultKey{Kind: fault.State, Subject: tables.SubjectBackups, Operation: "ExportTableToPointInTime"}] = api.ErrPointInTimeRecoveryUnavailableException
	for _, op := range []string{"DescribeContinuousBackups", "UpdateContinuousBackups", "ExportTableToPointInTime"} {
		t[wire.FaultKey{Kind: fault.NotFound, Subject: tables.SubjectTable, Operation: op}] = api.ErrTableNotFoundException
	}
	t[wire.FaultKey{Kind: fault.State, Subject: tables.SubjectBackups, Operation: "UpdateContinuousBackups"}] = api.ErrContinuousBackupsUnavailableException
	return t
}

func streamFaults() wire.FaultTable {
	return wire.FaultTable{
		{Kind: fault.NotFound, Subject: tables.SubjectStream}:   streams.ErrResourceNotFoundException,
		{Kind: fault.NotFound, Subject: tables.SubjectShard}:    streams.ErrResourceNotFoundException,
		{Kind: fault.NotFound, Subject: tables.SubjectTable}:    streams.ErrResourceNotFoundException,
		{Kind: fault.Expired, Subject: tables.SubjectIterator}:  streams.ErrExpiredIteratorException,
		{Kind: fault.Expired, Subject: tables.SubjectRecord}:    streams.ErrTrimmedDataAccessException,
		{Kind: fault.Throttled}:                                 streams.ErrLimitExceededException,
		{Kind: fault.Unavailable, Subject: storage.SubjectDisk}: streams.ErrLimitExceededException,
		{Kind: fault.Internal}:                                  streams.ErrInternalServerError,
	}
}

// explained gives the errors that carry more than a message their members.
func explained(err error) error {
	var failed *tables.ConditionFailedError
	var canceled *tables.TransactionCanceledError
	switch {
	case errors.As(err, &failed):
		out := &wire.APIError{Shape: api.ErrConditionalCheckFailedException, Message: failed.Error(), Err: err}
		if failed.Item != nil {
			out.Members = &api.ConditionalCheckFailedException{Item: failed.Item}
		}
		return out
	case errors.As(err, &canceled):
		reasons := make([]api.CancellationReason, len(canceled.Reasons))
		for i, r := range canceled.Reasons {
			reasons[i] = api.CancellationReason{Code: new(r.Code), Item: r.Item}
			if r.Message != "" {
				reasons[i].Message = new(r.Message)
			}
		}
		return &wire.APIError{Shape: api.ErrTransactionCanceledException, Message: canceled.Error(), Members: &api.TransactionCanceledException{CancellationReasons: reasons}, Err: err}
	}
	return err
}

// tagLimit tells too many tags as this service does.
func tagLimit(err error) error {
	if fault.Is(err, fault.Limit, tag.SubjectCount) {
		return &wire.APIError{Shape: api.ErrLimitExceededException, Message: fault.Message(err), Err: err}
	}
	return err
}
