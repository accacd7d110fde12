package redshift

import (
	"context"

	api "github.com/penstock-io/penstock/internal/awsapi/redshift"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

func (f *Front) createIntegration(ctx context.Context, caller identity.Caller, in *api.CreateIntegrationMessage) (*api.Integration, error) {
	i, err := f.integrations.Create(ctx, caller, zeroetl.CreateParams{
		Name: text(in.IntegrationName), SourceARN: text(in.SourceArn), TargetARN: text(in.TargetArn), Description: text(in.Description),
		KMSKeyID: text(in.KMSKeyId), EncryptionContext: in.AdditionalEncryptionContext, Tags: tagsIn(in.TagList),
	})
	return integrationOrError(i, err)
}

func (f *Front) modifyIntegration(ctx context.Context, _ identity.Caller, in *api.ModifyIntegrationMessage) (*api.Integration, error) {
	i, err := f.integrations.Modify(ctx, zeroetl.ModifyParams{ARN: text(in.IntegrationArn), Name: in.IntegrationName, Description: in.Description})
	return integrationOrError(i, err)
}

func (f *Front) deleteIntegration(ctx context.Context, _ identity.Caller, in *api.DeleteIntegrationMessage) (*api.Integration, error) {
	i, err := f.integrations.Delete(ctx, text(in.IntegrationArn))
	return integrationOrError(i, err)
}

func (f *Front) describeIntegrations(ctx context.Context, _ identity.Caller, in *api.DescribeIntegrationsMessage) (*api.IntegrationsMessage, error) {
	p := zeroetl.ListParams{ARN: text(in.IntegrationArn), Marker: text(in.Marker), MaxRecords: number(in.MaxRecords)}
	for _, filter := range in.Filters {
		p.Filters = append(p.Filters, zeroetl.Filter{Name: text(filter.Name), Values: filter.Values})
	}
	page, err := f.integrations.List(ctx, p)
	if err != nil {
		return nil, err
	}
	out := &api.IntegrationsMessage{Marker: some(&page.Marker), Integrations: make([]api.Integration, len(page.Integrations))}
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
		ARN: text(in.IntegrationArn), TargetARN: text(in.TargetArn), Marker: text(in.Marker), MaxRecords: number(in.MaxRecords),
	})
	if err != nil {
		return nil, err
	}
	out := &api.InboundIntegrationsMessage{Marker: some(&page.Marker), InboundIntegrations: make([]api.InboundIntegration, len(page.Integrations))}
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
	out.Description, out.KMSKeyId = some(&i.Description), some(&i.KMSKeyID)
	if len(i.EncryptionContext) > 0 {
		out.AdditionalEncryptionContext = i.EncryptionContext
	}
	out.Tags = room.list(i.Tags)
}

// problems is never nil, so that the element is there even when it is empty.
func problems(list []zeroetl.Problem) []api.IntegrationError {
	out := make([]api.IntegrationError, len(list))
	for n := range list {
		out[n] = api.IntegrationError{ErrorCode: &list[n].Code, ErrorMessage: some(&list[n].Message)}
	}
	return out
}
