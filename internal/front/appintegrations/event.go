package appintegrations

import (
	"context"

	"github.com/penstock-io/penstock/internal/appint"
	api "github.com/penstock-io/penstock/internal/awsapi/appintegrations"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
)

func (f *Front) createEventIntegration(ctx context.Context, _ identity.Caller, in *api.CreateEventIntegrationRequest) (*api.CreateEventIntegrationResponse, error) {
	e, err := f.service.CreateEventIntegration(ctx, appint.EventIntegrationParams{
		Name: member.Text(in.Name), Description: member.Text(in.Description), Source: member.Text(in.EventFilter.Source), Bus: member.Text(in.EventBridgeBus), Tags: in.Tags, ClientToken: member.Text(in.ClientToken),
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateEventIntegrationResponse{EventIntegrationArn: &e.ARN}, nil
}

func (f *Front) getEventIntegration(ctx context.Context, _ identity.Caller, in *api.GetEventIntegrationRequest) (*api.GetEventIntegrationResponse, error) {
	e, err := f.service.EventIntegration(ctx, member.Text(in.Name))
	if err != nil {
		return nil, err
	}
	return &api.GetEventIntegrationResponse{
		Name: &e.Name, Description: member.Some(e.Description), EventIntegrationArn: &e.ARN, EventBridgeBus: &e.Bus, EventFilter: &api.EventFilter{Source: &e.Source}, Tags: tags(e.Tags),
	}, nil
}

func (f *Front) listEventIntegrations(ctx context.Context, _ identity.Caller, in *api.ListEventIntegrationsRequest) (*api.ListEventIntegrationsResponse, error) {
	list, token, err := f.service.EventIntegrations(ctx, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	return &api.ListEventIntegrationsResponse{NextToken: member.Some(token), EventIntegrations: each(list, func(e *appint.EventIntegration) api.EventIntegration {
		return api.EventIntegration{
			EventIntegrationArn: &e.ARN, Name: &e.Name, Description: member.Some(e.Description), EventFilter: &api.EventFilter{Source: &e.Source}, EventBridgeBus: &e.Bus, Tags: tags(e.Tags),
		}
	})}, nil
}

func (f *Front) updateEventIntegration(ctx context.Context, _ identity.Caller, in *api.UpdateEventIntegrationRequest) (*api.UpdateEventIntegrationResponse, error) {
	return &api.UpdateEventIntegrationResponse{}, f.service.UpdateEventIntegration(ctx, member.Text(in.Name), in.Description)
}

func (f *Front) deleteEventIntegration(ctx context.Context, _ identity.Caller, in *api.DeleteEventIntegrationRequest) (*api.DeleteEventIntegrationResponse, error) {
	return &api.DeleteEventIntegrationResponse{}, f.service.DeleteEventIntegration(ctx, member.Text(in.Name))
}

func (f *Front) listEventAssociations(ctx context.Context, _ identity.Caller, in *api.ListEventIntegrationAssociationsRequest) (*api.ListEventIntegrationAssociationsResponse, error) {
	list, token, err := f.service.EventAssociations(ctx, member.Text(in.EventIntegrationName), page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	return &api.ListEventIntegrationAssociationsResponse{NextToken: member.Some(token), EventIntegrationAssociations: each(list, func(a *appint.EventAssociation) api.EventIntegrationAssociation {
		return api.EventIntegrationAssociation{
			EventIntegrationAssociationArn: &a.ARN, EventIntegrationAssociationId: &a.ID, EventIntegrationName: &a.Integration, ClientId: &a.ClientID,
			EventBridgeRuleName: &a.Rule, ClientAssociationMetadata: a.Metadata,
		}
	})}, nil
}
