// Package appintegrations serves the Amazon AppIntegrations API: data integrations and their associations, event
// integrations, applications, and tags. Control serves what AWS has no public call for.
//
// Handlers turn shapes into the calls of the domain appint and its answers back into shapes, and decide nothing else;
// what a fault becomes on the wire is the table in errors.go.
package appintegrations

import (
	"github.com/penstock-io/penstock/internal/appint"
	api "github.com/penstock-io/penstock/internal/awsapi/appintegrations"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/wire"
)

// Front serves the AppIntegrations API. It is safe for concurrent use.
type Front struct{ service *appint.Service }

// New returns a Front over s.
func New(s *appint.Service) *Front { return &Front{s} }

// Service is the API as the wire handler wants it.
func (f *Front) Service() *wire.Service {
	return api.Operations{
		CreateDataIntegration: f.createDataIntegration,
		GetDataIntegration:    f.getDataIntegration,
		ListDataIntegrations:  f.listDataIntegrations,
		UpdateDataIntegration: f.updateDataIntegration,
		DeleteDataIntegration: f.deleteDataIntegration,

		CreateDataIntegrationAssociation: f.createAssociation,
		ListDataIntegrationAssociations:  f.listAssociations,
		UpdateDataIntegrationAssociation: f.updateAssociation,

		CreateEventIntegration:           f.createEventIntegration,
		GetEventIntegration:              f.getEventIntegration,
		ListEventIntegrations:            f.listEventIntegrations,
		UpdateEventIntegration:           f.updateEventIntegration,
		DeleteEventIntegration:           f.deleteEventIntegration,
		ListEventIntegrationAssociations: f.listEventAssociations,

		CreateApplication:           f.createApplication,
		GetApplication:              f.getApplication,
		ListApplications:            f.listApplications,
		UpdateApplication:           f.updateApplication,
		DeleteApplication:           f.deleteApplication,
		ListApplicationAssociations: f.listApplicationAssociations,

		TagResource:         f.tagResource,
		UntagResource:       f.untagResource,
		ListTagsForResource: f.listTagsForResource,
	}.Service(faults())
}

// tags is the way out of tags, which are there even when there are none.
func tags(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func page(token *string, max *int32) appint.Page {
	return appint.Page{Token: member.Text(token), Max: member.Number(max)}
}

// each converts a list.
func each[A, B any](list []A, convert func(*A) B) []B {
	out := make([]B, len(list))
	for n := range list {
		out[n] = convert(&list[n])
	}
	return out
}
