package appintegrations

import (
	"context"

	"github.com/penstock-io/penstock/internal/appint"
	api "github.com/penstock-io/penstock/internal/awsapi/appintegrations"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
)

func (f *Front) createApplication(ctx context.Context, _ identity.Caller, in *api.CreateApplicationRequest) (*api.CreateApplicationResponse, error) {
	p := appint.ApplicationParams{
		Name: member.Text(in.Name), Namespace: member.Text(in.Namespace), Description: member.Text(in.Description), Subscriptions: subscriptionsIn(in.Subscriptions),
		Publications: publicationsIn(in.Publications), Permissions: in.Permissions, IsService: in.IsService, ContactHandling: contactIn(in.ApplicationConfig),
		Type: appint.ApplicationType(member.Text(in.ApplicationType)), Tags: in.Tags, ClientToken: member.Text(in.ClientToken),
	}
	if source := sourceIn(in.ApplicationSourceConfig); source != nil {
		p.AccessURL, p.Origins = source.AccessURL, source.Origins
	}
	if in.InitializationTimeout != nil {
		p.Timeout = int(*in.InitializationTimeout)
	}
	if in.IframeConfig != nil {
		p.IframeAllow, p.IframeSandbox = in.IframeConfig.Allow, in.IframeConfig.Sandbox
	}
	a, err := f.service.CreateApplication(ctx, p)
	if err != nil {
		return nil, err
	}
	return &api.CreateApplicationResponse{Arn: &a.ARN, Id: &a.ID}, nil
}

func (f *Front) getApplication(ctx context.Context, _ identity.Caller, in *api.GetApplicationRequest) (*api.GetApplicationResponse, error) {
	a, err := f.service.Application(ctx, member.Text(in.Arn))
	if err != nil {
		return nil, err
	}
	out := &api.GetApplicationResponse{
		Arn: &a.ARN, Id: &a.ID, Name: &a.Name, Namespace: &a.Namespace, Description: member.Some(a.Description),
		ApplicationSourceConfig: &api.ApplicationSourceConfig{ExternalUrlConfig: &api.ExternalUrlConfig{AccessUrl: &a.AccessURL, ApprovedOrigins: a.Origins}},
		CreatedTime:             &a.Created, LastModifiedTime: &a.Modified, Tags: tags(a.Tags), Permissions: a.Permissions, IsService: &a.IsService,
		ApplicationType: member.Some(string(a.Type)),
	}
	if a.Subscriptions != nil {
		out.Subscriptions = each(a.Subscriptions, func(s *appint.Subscription) api.Subscription {
			return api.Subscription{Event: &s.Event, Description: member.Some(s.Description)}
		})
	}
	if a.Publications != nil {
		out.Publications = each(a.Publications, func(p *appint.Publication) api.Publication {
			return api.Publication{Event: &p.Event, Schema: &p.Schema, Description: member.Some(p.Description)}
		})
	}
	if a.Timeout != 0 {
		out.InitializationTimeout = new(int32(a.Timeout))
	}
	if a.ContactHandling != "" {
		out.ApplicationConfig = &api.ApplicationConfig{ContactHandling: &api.ContactHandling{Scope: &a.ContactHandling}}
	}
	if a.IframeAllow != nil || a.IframeSandbox != nil {
		out.IframeConfig = &api.IframeConfig{Allow: a.IframeAllow, Sandbox: a.IframeSandbox}
	}
	return out, nil
}

func (f *Front) listApplications(ctx context.Context, _ identity.Caller, in *api.ListApplicationsRequest) (*api.ListApplicationsResponse, error) {
	list, token, err := f.service.Applications(ctx, appint.ApplicationType(member.Text(in.ApplicationType)), page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	return &api.ListApplicationsResponse{NextToken: member.Some(token), Applications: each(list, func(a *appint.Application) api.ApplicationSummary {
		return api.ApplicationSummary{
			Arn: &a.ARN, Id: &a.ID, Name: &a.Name, Namespace: &a.Namespace, CreatedTime: &a.Created, LastModifiedTime: &a.Modified,
			IsService: &a.IsService, ApplicationType: member.Some(string(a.Type)),
		}
	})}, nil
}

func (f *Front) updateApplication(ctx context.Context, _ identity.Caller, in *api.UpdateApplicationRequest) (*api.UpdateApplicationResponse, error) {
	c := appint.ApplicationChange{
		Name: in.Name, Description: in.Description, Source: sourceIn(in.ApplicationSourceConfig), IsService: in.IsService, Timeout: member.Number(in.InitializationTimeout),
	}
	if in.Subscriptions != nil {
		c.Subscriptions = new(subscriptionsIn(in.Subscriptions))
	}
	if in.Publications != nil {
		c.Publications = new(publicationsIn(in.Publications))
	}
	if in.Permissions != nil {
		c.Permissions = &in.Permissions
	}
	if in.ApplicationConfig != nil {
		c.ContactHandling = new(contactIn(in.ApplicationConfig))
	}
	if in.IframeConfig != nil {
		c.Iframe = &appint.Iframe{Allow: in.IframeConfig.Allow, Sandbox: in.IframeConfig.Sandbox}
	}
	if in.ApplicationType != nil {
		c.Type = new(appint.ApplicationType(*in.ApplicationType))
	}
	return &api.UpdateApplicationResponse{}, f.service.UpdateApplication(ctx, member.Text(in.Arn), c)
}

func (f *Front) deleteApplication(ctx context.Context, _ identity.Caller, in *api.DeleteApplicationRequest) (*api.DeleteApplicationResponse, error) {
	return &api.DeleteApplicationResponse{}, f.service.DeleteApplication(ctx, member.Text(in.Arn))
}

func (f *Front) listApplicationAssociations(ctx context.Context, _ identity.Caller, in *api.ListApplicationAssociationsRequest) (*api.ListApplicationAssociationsResponse, error) {
	list, of, token, err := f.service.ApplicationAssociations(ctx, member.Text(in.ApplicationId), page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	return &api.ListApplicationAssociationsResponse{NextToken: member.Some(token), ApplicationAssociations: each(list, func(a *appint.ApplicationAssociation) api.ApplicationAssociationSummary {
		return api.ApplicationAssociationSummary{ApplicationAssociationArn: &a.ARN, ApplicationArn: &of.ARN, ClientId: &a.ClientID}
	})}, nil
}

func sourceIn(c *api.ApplicationSourceConfig) *appint.ApplicationSource {
	switch {
	case c == nil:
		return nil
	case c.ExternalUrlConfig == nil:
		return &appint.ApplicationSource{}
	}
	return &appint.ApplicationSource{AccessURL: member.Text(c.ExternalUrlConfig.AccessUrl), Origins: c.ExternalUrlConfig.ApprovedOrigins}
}

func contactIn(c *api.ApplicationConfig) string {
	if c == nil || c.ContactHandling == nil {
		return ""
	}
	return member.Text(c.ContactHandling.Scope)
}

func subscriptionsIn(list []api.Subscription) []appint.Subscription {
	return each(list, func(s *api.Subscription) appint.Subscription {
		return appint.Subscription{Event: member.Text(s.Event), Description: member.Text(s.Description)}
	})
}

func publicationsIn(list []api.Publication) []appint.Publication {
	return each(list, func(p *api.Publication) appint.Publication {
		return appint.Publication{Event: member.Text(p.Event), Schema: member.Text(p.Schema), Description: member.Text(p.Description)}
	})
}
