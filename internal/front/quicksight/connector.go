package quicksight

import (
	"context"

	"github.com/penstock-io/penstock/internal/action"
	api "github.com/penstock-io/penstock/internal/awsapi/quicksight"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
)

func (f *Front) createConnector(ctx context.Context, caller identity.Caller, in *api.CreateActionConnectorRequest) (*api.CreateActionConnectorResponse, error) {
	settings, err := settingsIn(in.Name, in.Description, in.AuthenticationConfig, in.VpcConnectionArn, in.EnabledActions)
	if err != nil {
		return nil, err
	}
	c, err := f.actions.Create(ctx, caller, member.Text(in.AwsAccountId), action.CreateParams{
		Settings: settings, ID: member.Text(in.ActionConnectorId), Type: action.Type(member.Text(in.Type)), Permissions: permissionsIn(in.Permissions), Tags: tagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateActionConnectorResponse{Arn: &c.ARN, ActionConnectorId: &c.ID, CreationStatus: status(&c), RequestId: requestID(ctx), Status: ok()}, nil
}

func (f *Front) updateConnector(ctx context.Context, caller identity.Caller, in *api.UpdateActionConnectorRequest) (*api.UpdateActionConnectorResponse, error) {
	settings, err := settingsIn(in.Name, in.Description, in.AuthenticationConfig, in.VpcConnectionArn, in.EnabledActions)
	if err != nil {
		return nil, err
	}
	c, err := f.actions.Update(ctx, caller, member.Text(in.AwsAccountId), member.Text(in.ActionConnectorId), settings)
	if err != nil {
		return nil, err
	}
	return &api.UpdateActionConnectorResponse{Arn: &c.ARN, ActionConnectorId: &c.ID, UpdateStatus: status(&c), RequestId: requestID(ctx), Status: ok()}, nil
}

func (f *Front) describeConnector(ctx context.Context, caller identity.Caller, in *api.DescribeActionConnectorRequest) (*api.DescribeActionConnectorResponse, error) {
	c, err := f.actions.Get(ctx, caller, member.Text(in.AwsAccountId), member.Text(in.ActionConnectorId))
	if err != nil {
		return nil, err
	}
	out := &api.ActionConnector{
		Arn: &c.ARN, ActionConnectorId: &c.ID, Type: (*string)(&c.Type), Name: &c.Name, Description: member.Some(c.Description), CreatedTime: &c.Created, LastUpdatedTime: &c.Updated,
		Status: status(&c), Error: problem(&c), AuthenticationConfig: authOut(&c), VpcConnectionArn: member.Some(c.VPCConnectionARN),
	}
	if c.Restricted {
		out.EnabledActions = c.EnabledActions
		if out.EnabledActions == nil {
			out.EnabledActions = []string{}
		}
	}
	return &api.DescribeActionConnectorResponse{ActionConnector: out, RequestId: requestID(ctx), Status: ok()}, nil
}

func (f *Front) deleteConnector(ctx context.Context, caller identity.Caller, in *api.DeleteActionConnectorRequest) (*api.DeleteActionConnectorResponse, error) {
	c, err := f.actions.Delete(ctx, caller, member.Text(in.AwsAccountId), member.Text(in.ActionConnectorId))
	if err != nil {
		return nil, err
	}
	return &api.DeleteActionConnectorResponse{Arn: &c.ARN, ActionConnectorId: &c.ID, RequestId: requestID(ctx), Status: ok()}, nil
}

func (f *Front) listConnectors(ctx context.Context, caller identity.Caller, in *api.ListActionConnectorsRequest) (*api.ListActionConnectorsResponse, error) {
	list, next, err := f.actions.List(ctx, caller, member.Text(in.AwsAccountId), member.Text(in.NextToken), member.Number(in.MaxResults))
	if err != nil {
		return nil, err
	}
	return &api.ListActionConnectorsResponse{ActionConnectorSummaries: summaries(list), NextToken: member.Some(next), RequestId: requestID(ctx), Status: ok()}, nil
}

// filters says what the names of search filters stand for. There are no groups to look into, so that a direct owner
// and an owner by way of a group are the same.
var filters = map[string]action.Field{
	api.ActionConnectorSearchFilterNameEnumActionConnectorName:           action.ByName,
	api.ActionConnectorSearchFilterNameEnumActionConnectorType:           action.ByType,
	api.ActionConnectorSearchFilterNameEnumQuicksightOwner:               action.ByOwner,
	api.ActionConnectorSearchFilterNameEnumDirectQuicksightOwner:         action.ByOwner,
	api.ActionConnectorSearchFilterNameEnumDirectQuicksightSoleOwner:     action.BySoleOwner,
	api.ActionConnectorSearchFilterNameEnumQuicksightViewerOrOwner:       action.ByViewer,
	api.ActionConnectorSearchFilterNameEnumDirectQuicksightViewerOrOwner: action.ByViewer,
}

func (f *Front) searchConnectors(ctx context.Context, caller identity.Caller, in *api.SearchActionConnectorsRequest) (*api.SearchActionConnectorsResponse, error) {
	var filter action.Filter
	for _, x := range in.Filters { // at most one
		filter = action.Filter{By: filters[member.Text(x.Name)], Like: member.Text(x.Operator) == api.FilterOperatorStringLike, Value: member.Text(x.Value)}
	}
	list, next, err := f.actions.Search(ctx, caller, member.Text(in.AwsAccountId), filter, member.Text(in.NextToken), member.Number(in.MaxResults))
	if err != nil {
		return nil, err
	}
	return &api.SearchActionConnectorsResponse{ActionConnectorSummaries: summaries(list), NextToken: member.Some(next), RequestId: requestID(ctx), Status: ok()}, nil
}

func (f *Front) describePermissions(ctx context.Context, caller identity.Caller, in *api.DescribeActionConnectorPermissionsRequest) (*api.DescribeActionConnectorPermissionsResponse, error) {
	c, err := f.actions.Permissions(ctx, caller, member.Text(in.AwsAccountId), member.Text(in.ActionConnectorId))
	if err != nil {
		return nil, err
	}
	return &api.DescribeActionConnectorPermissionsResponse{Arn: &c.ARN, ActionConnectorId: &c.ID, Permissions: permissionsOut(c.Permissions), RequestId: requestID(ctx), Status: ok()}, nil
}

func (f *Front) updatePermissions(ctx context.Context, caller identity.Caller, in *api.UpdateActionConnectorPermissionsRequest) (*api.UpdateActionConnectorPermissionsResponse, error) {
	c, err := f.actions.UpdatePermissions(ctx, caller, member.Text(in.AwsAccountId), member.Text(in.ActionConnectorId), permissionsIn(in.GrantPermissions), permissionsIn(in.RevokePermissions))
	if err != nil {
		return nil, err
	}
	return &api.UpdateActionConnectorPermissionsResponse{Arn: &c.ARN, ActionConnectorId: &c.ID, Permissions: permissionsOut(c.Permissions), RequestId: requestID(ctx), Status: ok()}, nil
}

func settingsIn(name, description *string, auth *api.AuthConfig, vpc *string, enabled []string) (action.Settings, error) {
	a, password, err := authIn(auth)
	s := action.Settings{Name: member.Text(name), Description: member.Text(description), Auth: a, Secret: password, VPCConnectionARN: member.Text(vpc)}
	if enabled != nil {
		s.EnabledActions = &enabled
	}
	if vpc != nil && *vpc == "" {
		err = fault.New(fault.Invalid, action.SubjectVPC, "VpcConnectionArn is empty; leave it out, or give the ARN of a VPC connection")
	}
	return s, err
}

func status(c *action.Connector) *string { return (*string)(&c.Status) }

// problem is why the check has refused c. QuickSight has one type of error for it.
func problem(c *action.Connector) *api.ActionConnectorError {
	if !c.Status.Failed() {
		return nil
	}
	return &api.ActionConnectorError{Message: &c.Error, Type: new(api.ActionConnectorErrorTypeInternalFailure)}
}

func summaries(list []action.Connector) []api.ActionConnectorSummary {
	out := make([]api.ActionConnectorSummary, len(list))
	for n := range list {
		c := &list[n]
		out[n] = api.ActionConnectorSummary{
			Arn: &c.ARN, ActionConnectorId: &c.ID, Type: (*string)(&c.Type), Name: &c.Name, CreatedTime: &c.Created, LastUpdatedTime: &c.Updated, Status: status(c), Error: problem(c),
		}
	}
	return out
}

func permissionsIn(list []api.ResourcePermission) []action.Permission {
	out := make([]action.Permission, len(list))
	for n, p := range list {
		out[n] = action.Permission{Principal: member.Text(p.Principal), Actions: p.Actions}
	}
	return out
}

func permissionsOut(list []action.Permission) []api.ResourcePermission {
	out := make([]api.ResourcePermission, len(list))
	for n := range list {
		out[n] = api.ResourcePermission{Principal: &list[n].Principal, Actions: list[n].Actions}
	}
	return out
}
