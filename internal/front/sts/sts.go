// Package sts serves the part of the STS API that tells callers who they are.
//
// AssumeRole is not served: there are no roles, and the root credential may do everything already. No fault
// can come of GetCallerIdentity, which declares no error either, so the table of errors is empty.
package sts

import (
	"context"

	api "github.com/penstock-io/penstock/internal/awsapi/sts"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/wire"
)

// Front serves the STS API. It needs nothing: the wire handler has found out who calls.
type Front struct{}

// New returns a Front.
func New() *Front { return &Front{} }

// Service is the API as the wire handler wants it.
func (f *Front) Service() *wire.Service {
	return api.Operations{GetCallerIdentity: f.getCallerIdentity}.Service(nil)
}

func (*Front) getCallerIdentity(_ context.Context, caller identity.Caller, _ *api.GetCallerIdentityRequest) (*api.GetCallerIdentityResponse, error) {
	return &api.GetCallerIdentityResponse{UserId: &caller.UserID, Account: &caller.Account, Arn: &caller.ARN}, nil
}
