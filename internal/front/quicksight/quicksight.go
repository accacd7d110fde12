// Package quicksight serves the part of the QuickSight API that is about action connectors: the connectors, their
// permissions, the VPC connections they go through, and the tags of both.
//
// Handlers turn shapes into the calls of the domain action and its answers back into shapes, and decide nothing else;
// what a fault becomes on the wire is the table in errors.go. No answer has a secret: the shapes that are read have
// no place for one.
package quicksight

import (
	"context"
	"net/http"

	"github.com/penstock-io/penstock/internal/action"
	api "github.com/penstock-io/penstock/internal/awsapi/quicksight"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/tag"
	"github.com/penstock-io/penstock/internal/wire"
)

// Front serves the QuickSight API. It is safe for concurrent use.
type Front struct{ actions *action.Service }

// New returns a Front over actions.
func New(actions *action.Service) *Front { return &Front{actions} }

// Service is the API as the wire handler wants it.
func (f *Front) Service() *wire.Service {
	s := api.Operations{
		CreateActionConnector:   f.createConnector,
		UpdateActionConnector:   f.updateConnector,
		DescribeActionConnector: f.describeConnector,
		DeleteActionConnector:   f.deleteConnector,
		ListActionConnectors:    f.listConnectors,
		SearchActionConnectors:  f.searchConnectors,

		DescribeActionConnectorPermissions: f.describePermissions,
		UpdateActionConnectorPermissions:   f.updatePermissions,

		CreateVPCConnection:   f.createVPC,
		UpdateVPCConnection:   f.updateVPC,
		DescribeVPCConnection: f.describeVPC,
		DeleteVPCConnection:   f.deleteVPC,
		ListVPCConnections:    f.listVPCs,

		TagResource:         f.tagResource,
		UntagResource:       f.untagResource,
		ListTagsForResource: f.listTags,
	}.Service(faults())
	s.RequestIDInErrors = true
	return s
}

// ok is the Status of every answer: the HTTP status, in the body too, where older clients read it.
func ok() *int32 { return new(int32(http.StatusOK)) }

// requestID is the RequestId of every answer.
func requestID(ctx context.Context) *string { return member.Some(wire.RequestID(ctx)) }

func tagsIn(list []api.Tag) []tag.Tag {
	out := make([]tag.Tag, len(list))
	for n, t := range list {
		out[n] = tag.Tag{Key: member.Text(t.Key), Value: member.Text(t.Value)}
	}
	return out
}
