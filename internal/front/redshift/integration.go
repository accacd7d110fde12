package redshift

import (
	"context"

	api "github.com/penstock-io/penstock/internal/awsapi/redshift"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

func (f *Front) createIntegration(ctx context.Context, caller identity.Caller, in *api.CreateIntegrationMessage) (*api.Integration, error) {
	i, err := f.integrations.Create(ctx, caller, zeroetl.CreateParams{
		Name: member.Text(in.IntegrationName), SourceARN: member.Text(in.SourceArn), TargetARN: member.Text(in.TargetArn), Description: member.Text(in.Description),
		KMSKeyID: member.Text(in.KMSKeyId), EncryptionContext: in.AdditionalEncryptionContext, Tags: tagsIn(in.TagList),
	})
	return integrationOrError(i, err)
}

func (f *Front) modifyIntegration(ctx context.Context, _ identity.Caller, in *api.ModifyIntegrationMessage) (*api.Integration, error) {
	i, err := f.integrations.Modify(ctx, zeroetl.ModifyParams{ARN: member.Text(in.IntegrationArn), Name: in.IntegrationName, Description: in.Description})
	return integrationOrError(i, err)
}

func (f *Front) deleteIntegration(ctx context.Context, _ identity.Caller, in *api.DeleteIntegrationMessage) (*api.Integration, error) {
	i, err := f.integrations.Delete(ctx, member.Text(in.IntegrationArn))
	return integrationOrError(i, err)
}

func (f *Front) describeIntegrations(ctx context.Context, _ identity.Caller, in *api.DescribeIntegrationsMessage) (*api.IntegrationsMessage, error) {
	p := zeroetl.ListParams{ARN: member.Text(in.IntegrationArn), Marker: member.Text(in.Marker), MaxRecords: member.Number(in.MaxRecords)}
	for _, filter := range in.Filters {
		p.Filters = append(p.Filters, zeroetl.Filter{Name: member.Text(filter.Name), Values: filter.Values})
	}
	page, err := f.integrations.List(ctx, p)
	if err != nil {
		return nil, err
	}
	out := &api.IntegrationsMessage{Marker: member.Some(page.Marker), Integrations: make([]api.Integration, len(page.Integrations))}
	tags := 0
	for n := range page.Integrations {
		tags += len(page.Integrations[n].Tags)
	}
	room := newTagRoom(tags)
	for n := range page.Integrations {
		fillIntegration(&out.Integrations[n], &page.Integrations[n], room)
	}
	return out, nil
}

func (f *Front) describeInboundIntegrations(ctx context.Context, _ identity.Caller, in *api.DescribeInboundIntegrationsMessage) (*api.InboundIntegrationsMessage, error) {
	page, err := f.integrations.Inbound(ctx, zeroetl.InboundParams{
		ARN: member.Text(in.IntegrationArn), TargetARN: member.Text(in.TargetArn), Marker: member.Text(in.Marker), MaxRecords: member.Number(in.MaxRecords),
	})
	if err != nil {
		return nil, err
	}
	out := &api.InboundIntegrationsMessage{Marker: member.Some(page.Marker), InboundIntegrations: make([]api.InboundIntegration, len(page.Integrations))}
	for n := range page.Integrations {
		i := &page.Integrations[n]
		out.InboundIntegrations[n] = api.InboundIntegration{
			IntegrationArn: &i.ARN, SourceArn: &i.SourceARN, TargetArn: &i.TargetARN, Status: (*string)(&i.Status),
			Errors: problems(i.Problems), CreateTime: &i.Created,
		}
	}
	return out, nil
}

func integrationOrError(i zeroetl.Integration, err error) (*api.Integration, error) {
	if err != nil {
		return nil, err
	}
	var out api.Integration
	fillIntegration(&out, &i, newTagRoom(len(i.Tags)))
	return &out, nil
}

// fillIntegration sets out, which is zero, to what i is, with room for its tags. An empty description is left out: in an answer AWS
// wants one of at least one character, and Terraform takes an empty one for a change.
func fillIntegration(out *api.Integration, i *zeroetl.Integration, room *tagRoom) {
	out.IntegrationArn, out.IntegrationName = &i.ARN, &i.Name
	out.SourceArn, out.TargetArn = &i.SourceARN, &i.TargetARN
	out.Status, out.Errors, out.CreateTime = (*string)(&i.Status), problems(i.Problems), &i.Created
	out.Description, out.KMSKeyId = member.Some(i.Description), member.Some(i.KMSKeyID)
	if len(i.EncryptionContext) > 0 {
		out.AdditionalEncryptionContext = i.EncryptionContext
	}
	out.Tags = room.list(i.Tags)
}

// problems is never nil, so that the element is there even when it is empty.
func problems(list []zeroetl.Problem) []api.IntegrationError {
	out := make([]api.IntegrationError, len(list))
	for n := range list {
		out[n] = api.IntegrationError{ErrorCode: &list[n].Code, ErrorMessage: member.Some(list[n].Message)}
	}
	return out
}
