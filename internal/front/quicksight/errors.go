package quicksight

import (
	"github.com/penstock-io/penstock/internal/action"
	api "github.com/penstock-io/penstock/internal/awsapi/quicksight"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/wire"
)

// faults says which declared error a fault becomes. What not every operation declares is named with those that do.
func faults() wire.FaultTable {
	return wire.FaultTable{
		{Kind: fault.Invalid}: api.ErrInvalidParameterValueException,
		{Kind: fault.Limit}:   api.ErrInvalidParameterValueException,
		{Kind: fault.Limit, Subject: action.SubjectTagCount, Operation: "TagResource"}:                         api.ErrLimitExceededException,
		{Kind: fault.Limit, Subject: action.SubjectPermissions, Operation: "UpdateActionConnectorPermissions"}: api.ErrLimitExceededException,
		{Kind: fault.Limit, Subject: action.SubjectVPC, Operation: "CreateVPCConnection"}:                      api.ErrLimitExceededException,
		{Kind: fault.NotFound}: api.ErrResourceNotFoundException,
		{Kind: fault.AlreadyExists, Subject: action.SubjectConnector, Operation: "CreateActionConnector"}: api.ErrResourceExistsException,
		{Kind: fault.AlreadyExists, Subject: action.SubjectVPC, Operation: "CreateVPCConnection"}:         api.ErrResourceExistsException,
		{Kind: fault.AlreadyExists, Subject: action.SubjectName}:                                          api.ErrConflictException,
		{Kind: fault.Conflict}: api.ErrConflictException,
		{Kind: fault.State}:    api.ErrConflictException,
		{Kind: fault.Denied}:   api.ErrAccessDeniedException,
		{Kind: fault.Internal}: api.ErrInternalFailureException,
		{Kind: fault.Invalid, Subject: page.SubjectMarker, Operation: "ListActionConnectors"}:   api.ErrInvalidNextTokenException,
		{Kind: fault.Invalid, Subject: page.SubjectMarker, Operation: "SearchActionConnectors"}: api.ErrInvalidNextTokenException,
		{Kind: fault.Invalid, Subject: page.SubjectMarker, Operation: "ListVPCConnections"}:     api.ErrInvalidNextTokenException,
	}
}
