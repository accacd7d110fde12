package appintegrations

import (
	"context"

	"github.com/penstock-io/penstock/internal/appint"
	api "github.com/penstock-io/penstock/internal/awsapi/appintegrations"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
)

func (f *Front) createDataIntegration(ctx context.Context, _ identity.Caller, in *api.CreateDataIntegrationRequest) (*api.CreateDataIntegrationResponse, error) {
	p := appint.DataIntegrationParams{
		Name: member.Text(in.Name), Description: member.Text(in.Description), KMSKey: member.Text(in.KmsKey), SourceURI: member.Text(in.SourceURI), Schedule: scheduleIn(in.ScheduleConfig),
		Objects: in.ObjectConfiguration, Tags: in.Tags, ClientToken: member.Text(in.ClientToken),
	}
	if in.FileConfiguration != nil {
		p.Files = appint.Files{Folders: in.FileConfiguration.Folders, Filters: in.FileConfiguration.Filters}
	}
	d, err := f.service.CreateDataIntegration(ctx, p)
	if err != nil {
		return nil, err
	}
	return &api.CreateDataIntegrationResponse{
		Arn: &d.ARN, Id: &d.ID, Name: &d.Name, Description: member.Some(d.Description), KmsKey: &d.KMSKey, SourceURI: member.Some(d.SourceURI),
		ScheduleConfiguration: scheduleOut(d.Schedule), Tags: tags(d.Tags), ClientToken: in.ClientToken,
		FileConfiguration: filesOut(d.Files), ObjectConfiguration: d.Objects,
	}, nil
}

func (f *Front) getDataIntegration(ctx context.Context, _ identity.Caller, in *api.GetDataIntegrationRequest) (*api.GetDataIntegrationResponse, error) {
	d, err := f.service.DataIntegration(ctx, member.Text(in.Identifier))
	if err != nil {
		return nil, err
	}
	return &api.GetDataIntegrationResponse{
		Arn: &d.ARN, Id: &d.ID, Name: &d.Name, Description: member.Some(d.Description), KmsKey: &d.KMSKey, SourceURI: member.Some(d.SourceURI),
		ScheduleConfiguration: scheduleOut(d.Schedule), Tags: tags(d.Tags), FileConfiguration: filesOut(d.Files), ObjectConfiguration: d.Objects,
	}, nil
}

func (f *Front) listDataIntegrations(ctx context.Context, _ identity.Caller, in *api.ListDataIntegrationsRequest) (*api.ListDataIntegrationsResponse, error) {
	list, token, err := f.service.DataIntegrations(ctx, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	return &api.ListDataIntegrationsResponse{NextToken: member.Some(token), DataIntegrations: each(list, func(d *appint.DataIntegration) api.DataIntegrationSummary {
		return api.DataIntegrationSummary{Arn: &d.ARN, Name: &d.Name, SourceURI: member.Some(d.SourceURI)}
	})}, nil
}

func (f *Front) updateDataIntegration(ctx context.Context, _ identity.Caller, in *api.UpdateDataIntegrationRequest) (*api.UpdateDataIntegrationResponse, error) {
	return &api.UpdateDataIntegrationResponse{}, f.service.UpdateDataIntegration(ctx, member.Text(in.Identifier), in.Name, in.Description)
}

func (f *Front) deleteDataIntegration(ctx context.Context, _ identity.Caller, in *api.DeleteDataIntegrationRequest) (*api.DeleteDataIntegrationResponse, error) {
	return &api.DeleteDataIntegrationResponse{}, f.service.DeleteDataIntegration(ctx, member.Text(in.DataIntegrationIdentifier))
}

func (f *Front) createAssociation(ctx context.Context, _ identity.Caller, in *api.CreateDataIntegrationAssociationRequest) (*api.CreateDataIntegrationAssociationResponse, error) {
	a, d, err := f.service.CreateAssociation(ctx, appint.AssociationParams{
		Integration: member.Text(in.DataIntegrationIdentifier), ClientID: member.Text(in.ClientId), Objects: in.ObjectConfiguration, DestinationURI: member.Text(in.DestinationURI),
		Metadata: in.ClientAssociationMetadata, Run: runIn(in.ExecutionConfiguration), ClientToken: member.Text(in.ClientToken),
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateDataIntegrationAssociationResponse{DataIntegrationAssociationId: &a.ID, DataIntegrationArn: &d.ARN}, nil
}

func (f *Front) listAssociations(ctx context.Context, _ identity.Caller, in *api.ListDataIntegrationAssociationsRequest) (*api.ListDataIntegrationAssociationsResponse, error) {
	list, d, token, err := f.service.Associations(ctx, member.Text(in.DataIntegrationIdentifier), page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	return &api.ListDataIntegrationAssociationsResponse{NextToken: member.Some(token), DataIntegrationAssociations: each(list, func(a *appint.Association) api.DataIntegrationAssociationSummary {
		return api.DataIntegrationAssociationSummary{
			DataIntegrationAssociationArn: &a.ARN, DataIntegrationArn: &d.ARN, ClientId: member.Some(a.ClientID), DestinationURI: member.Some(a.Plan.DestinationURI),
			LastExecutionStatus: lastOut(a.Last), ExecutionConfiguration: runOut(a.Run),
		}
	})}, nil
}

func (f *Front) updateAssociation(ctx context.Context, _ identity.Caller, in *api.UpdateDataIntegrationAssociationRequest) (*api.UpdateDataIntegrationAssociationResponse, error) {
	return &api.UpdateDataIntegrationAssociationResponse{},
		f.service.UpdateAssociation(ctx, member.Text(in.DataIntegrationIdentifier), member.Text(in.DataIntegrationAssociationIdentifier), runIn(in.ExecutionConfiguration))
}

func scheduleIn(c *api.ScheduleConfiguration) appint.Schedule {
	if c == nil {
		return appint.Schedule{}
	}
	return appint.Schedule{Expression: member.Text(c.ScheduleExpression), FirstExecutionFrom: member.Text(c.FirstExecutionFrom), Object: member.Text(c.Object)}
}

func scheduleOut(s appint.Schedule) *api.ScheduleConfiguration {
	if s.Expression == "" {
		return nil
	}
	return &api.ScheduleConfiguration{ScheduleExpression: &s.Expression, FirstExecutionFrom: member.Some(s.FirstExecutionFrom), Object: member.Some(s.Object)}
}

func filesOut(files appint.Files) *api.FileConfiguration {
	if files.Folders == nil {
		return nil
	}
	return &api.FileConfiguration{Folders: files.Folders, Filters: files.Filters}
}

func runIn(c *api.ExecutionConfiguration) appint.Run {
	if c == nil {
		return appint.Run{}
	}
	r := appint.Run{Mode: appint.Mode(member.Text(c.ExecutionMode)), Schedule: scheduleIn(c.ScheduleConfiguration)}
	if c.OnDemandConfiguration != nil {
		r.StartTime, r.EndTime = member.Text(c.OnDemandConfiguration.StartTime), member.Text(c.OnDemandConfiguration.EndTime)
	}
	return r
}

func runOut(r appint.Run) *api.ExecutionConfiguration {
	if r.Mode == "" {
		return nil
	}
	out := &api.ExecutionConfiguration{ExecutionMode: member.Some(string(r.Mode)), ScheduleConfiguration: scheduleOut(r.Schedule)}
	if r.StartTime != "" {
		out.OnDemandConfiguration = &api.OnDemandConfiguration{StartTime: &r.StartTime, EndTime: member.Some(r.EndTime)}
	}
	return out
}

// lastOut shows what AWS has three words for. Its FAILED is also that of an execution somebody has cancelled.
func lastOut(last appint.Last) *api.LastExecutionStatus {
	if last.ExecutionID == "" {
		return nil
	}
	status := api.ExecutionStatusInProgress
	switch last.Status {
	case appint.Completed:
		status = api.ExecutionStatusCompleted
	case appint.Failed, appint.Canceled:
		status = api.ExecutionStatusFailed
	}
	return &api.LastExecutionStatus{ExecutionStatus: &status, StatusMessage: member.Some(last.Message)}
}
