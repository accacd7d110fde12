package appintegrations

import (
	"context"

	"github.com/penstock-io/penstock/internal/appint"
	api "github.com/penstock-io/penstock/internal/awsapi/appintegrations"
	"github.com/penstock-io/penstock/internal/identity"
)

func (f *Front) createDataIntegration(ctx context.Context, _ identity.Caller, in *api.CreateDataIntegrationRequest) (*api.CreateDataIntegrationResponse, error) {
	p := appint.DataIntegrationParams{
		Name: text(in.Name), Description: text(in.Description), KMSKey: text(in.KmsKey), SourceURI: text(in.SourceURI), Schedule: scheduleIn(in.ScheduleConfig),
		Objects: in.ObjectConfiguration, Tags: in.Tags, ClientToken: text(in.ClientToken),
	}
	if in.FileConfiguration != nil {
		p.Files = appint.Files{Folders: in.FileConfiguration.Folders, Filters: in.FileConfiguration.Filters}
	}
	d, err := f.service.CreateDataIntegration(ctx, p)
	if err != nil {
		return nil, err
	}
	return &api.CreateDataIntegrationResponse{
		Arn: &d.ARN, Id: &d.ID, Name: &d.Name, Description: some(d.Description), KmsKey: &d.KMSKey, SourceURI: some(d.SourceURI),
		ScheduleConfiguration: scheduleOut(d.Schedule), Tags: tags(d.Tags), ClientToken: in.ClientToken,
		FileConfiguration: filesOut(d.Files), ObjectConfiguration: d.Objects,
	}, nil
}

func (f *Front) getDataIntegration(ctx context.Context, _ identity.Caller, in *api.GetDataIntegrationRequest) (*api.GetDataIntegrationResponse, error) {
	d, err := f.service.DataIntegration(ctx, text(in.Identifier))
	if err != nil {
		return nil, err
	}
	return &api.GetDataIntegrationResponse{
		Arn: &d.ARN, Id: &d.ID, Name: &d.Name, Description: some(d.Description), KmsKey: &d.KMSKey, SourceURI: some(d.SourceURI),
		ScheduleConfiguration: scheduleOut(d.Schedule), Tags: tags(d.Tags), FileConfiguration: filesOut(d.Files), ObjectConfiguration: d.Objects,
	}, nil
}

func (f *Front) listDataIntegrations(ctx context.Context, _ identity.Caller, in *api.ListDataIntegrationsRequest) (*api.ListDataIntegrationsResponse, error) {
	list, token, err := f.service.DataIntegrations(ctx, page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	return &api.ListDataIntegrationsResponse{NextToken: some(token), DataIntegrations: each(list, func(d *appint.DataIntegration) api.DataIntegrationSummary {
		return api.DataIntegrationSummary{Arn: &d.ARN, Name: &d.Name, SourceURI: some(d.SourceURI)}
	})}, nil
}

func (f *Front) updateDataIntegration(ctx context.Context, _ identity.Caller, in *api.UpdateDataIntegrationRequest) (*api.UpdateDataIntegrationResponse, error) {
	return &api.UpdateDataIntegrationResponse{}, f.service.UpdateDataIntegration(ctx, text(in.Identifier), in.Name, in.Description)
}

func (f *Front) deleteDataIntegration(ctx context.Context, _ identity.Caller, in *api.DeleteDataIntegrationRequest) (*api.DeleteDataIntegrationResponse, error) {
	return &api.DeleteDataIntegrationResponse{}, f.service.DeleteDataIntegration(ctx, text(in.DataIntegrationIdentifier))
}

func (f *Front) createAssociation(ctx context.Context, _ identity.Caller, in *api.CreateDataIntegrationAssociationRequest) (*api.CreateDataIntegrationAssociationResponse, error) {
	a, d, err := f.service.CreateAssociation(ctx, appint.AssociationParams{
		Integration: text(in.DataIntegrationIdentifier), ClientID: text(in.ClientId), Objects: in.ObjectConfiguration, DestinationURI: text(in.DestinationURI),
		Metadata: in.ClientAssociationMetadata, Run: runIn(in.ExecutionConfiguration), ClientToken: text(in.ClientToken),
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateDataIntegrationAssociationResponse{DataIntegrationAssociationId: &a.ID, DataIntegrationArn: &d.ARN}, nil
}

func (f *Front) listAssociations(ctx context.Context, _ identity.Caller, in *api.ListDataIntegrationAssociationsRequest) (*api.ListDataIntegrationAssociationsResponse, error) {
	list, d, token, err := f.service.Associations(ctx, text(in.DataIntegrationIdentifier), page(in.NextToken, in.MaxResults))
	if err != nil {
		return nil, err
	}
	return &api.ListDataIntegrationAssociationsResponse{NextToken: some(token), DataIntegrationAssociations: each(list, func(a *appint.Association) api.DataIntegrationAssociationSummary {
		return api.DataIntegrationAssociationSummary{
			DataIntegrationAssociationArn: &a.ARN, DataIntegrationArn: &d.ARN, ClientId: some(a.ClientID), DestinationURI: some(a.Plan.DestinationURI),
			LastExecutionStatus: lastOut(a.Last), ExecutionConfiguration: runOut(a.Run),
		}
	})}, nil
}

func (f *Front) updateAssociation(ctx context.Context, _ identity.Caller, in *api.UpdateDataIntegrationAssociationRequest) (*api.UpdateDataIntegrationAssociationResponse, error) {
	return &api.UpdateDataIntegrationAssociationResponse{},
		f.service.UpdateAssociation(ctx, text(in.DataIntegrationIdentifier), text(in.DataIntegrationAssociationIdentifier), runIn(in.ExecutionConfiguration))
}

func scheduleIn(c *api.ScheduleConfiguration) appint.Schedule {
	if c == nil {
		return appint.Schedule{}
	}
	return appint.Schedule{Expression: text(c.ScheduleExpression), FirstExecutionFrom: text(c.FirstExecutionFrom), Object: text(c.Object)}
}

func scheduleOut(s appint.Schedule) *api.ScheduleConfiguration {
	if s.Expression == "" {
		return nil
	}
	return &api.ScheduleConfiguration{ScheduleExpression: &s.Expression, FirstExecutionFrom: some(s.FirstExecutionFrom), Object: some(s.Object)}
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
	r := appint.Run{Mode: appint.Mode(text(c.ExecutionMode)), Schedule: scheduleIn(c.ScheduleConfiguration)}
	if c.OnDemandConfiguration != nil {
		r.StartTime, r.EndTime = text(c.OnDemandConfiguration.StartTime), text(c.OnDemandConfiguration.EndTime)
	}
	return r
}

func runOut(r appint.Run) *api.ExecutionConfiguration {
	if r.Mode == "" {
		return nil
	}
	out := &api.ExecutionConfiguration{ExecutionMode: some(string(r.Mode)), ScheduleConfiguration: scheduleOut(r.Schedule)}
	if r.StartTime != "" {
		out.OnDemandConfiguration = &api.OnDemandConfiguration{StartTime: &r.StartTime, EndTime: some(r.EndTime)}
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
	return &api.LastExecutionStatus{ExecutionStatus: &status, StatusMessage: some(last.Message)}
}
