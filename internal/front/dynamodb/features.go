package dynamodb

import (
	"context"
	"time"

	api "github.com/penstock-io/penstock/internal/awsapi/dynamodb"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/tag"
)

func (f *front) updateTimeToLive(ctx context.Context, _ identity.Caller, in *api.UpdateTimeToLiveInput) (*api.UpdateTimeToLiveOutput, error) {
	if err := f.db.Admit("UpdateTimeToLive", tableOf(*in.TableName)); err != nil {
		return nil, err
	}
	s := in.TimeToLiveSpecification
	if err := f.db.SetExpiry(ctx, *in.TableName, *s.AttributeName, *s.Enabled); err != nil {
		return nil, err
	}
	return &api.UpdateTimeToLiveOutput{TimeToLiveSpecification: s}, nil
}

func (f *front) describeTimeToLive(ctx context.Context, _ identity.Caller, in *api.DescribeTimeToLiveInput) (*api.DescribeTimeToLiveOutput, error) {
	if err := f.db.Admit("DescribeTimeToLive", tableOf(*in.TableName)); err != nil {
		return nil, err
	}
	s, err := f.db.DescribeTable(ctx, *in.TableName)
	if err != nil {
		return nil, err
	}
	d := &api.TimeToLiveDescription{TimeToLiveStatus: new(api.TimeToLiveStatusDisabled)}
	if s.Expiry != "" {
		d.TimeToLiveStatus, d.AttributeName = new(api.TimeToLiveStatusEnabled), new(s.Expiry)
	}
	return &api.DescribeTimeToLiveOutput{TimeToLiveDescription: d}, nil
}

func (f *front) tagResource(ctx context.Context, _ identity.Caller, in *api.TagResourceInput) error {
	if err := f.db.Admit("TagResource", tableOf(*in.ResourceArn)); err != nil {
		return err
	}
	var tags []tag.Tag
	for _, t := range in.Tags {
		tags = append(tags, tag.Tag{Key: *t.Key, Value: *t.Value})
	}
	return tagLimit(f.db.Tag(ctx, *in.ResourceArn, tags))
}

func (f *front) untagResource(ctx context.Context, _ identity.Caller, in *api.UntagResourceInput) error {
	if err := f.db.Admit("UntagResource", tableOf(*in.ResourceArn)); err != nil {
		return err
	}
	return f.db.Untag(ctx, *in.ResourceArn, in.TagKeys)
}

func (f *front) listTagsOfResource(ctx context.Context, _ identity.Caller, in *api.ListTagsOfResourceInput) (*api.ListTagsOfResourceOutput, error) {
	if err := f.db.Admit("ListTagsOfResource", tableOf(*in.ResourceArn)); err != nil {
		return nil, err
	}
	if in.NextToken != nil {
		return nil, fault.New(fault.Invalid, tables.SubjectRequest, "Invalid NextToken: all tags come in one answer, so there is never one")
	}
	tags, err := f.db.Tags(ctx, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsOfResourceOutput{Tags: []api.Tag{}}
	for _, t := range tag.List(tags) {
		out.Tags = append(out.Tags, api.Tag{Key: new(t.Key), Value: new(t.Value)})
	}
	return out, nil
}

func (f *front) describeContinuousBackups(ctx context.Context, _ identity.Caller, in *api.DescribeContinuousBackupsInput) (*api.DescribeContinuousBackupsOutput, error) {
	if err := f.db.Admit("DescribeContinuousBackups", tableOf(*in.TableName)); err != nil {
		return nil, err
	}
	s, err := f.db.DescribeTable(ctx, *in.TableName)
	if err != nil {
		return nil, noTable(err, *in.TableName)
	}
	return &api.DescribeContinuousBackupsOutput{ContinuousBackupsDescription: f.backups(s)}, nil
}

func (f *front) updateContinuousBackups(ctx context.Context, _ identity.Caller, in *api.UpdateContinuousBackupsInput) (*api.UpdateContinuousBackupsOutput, error) {
	if err := f.db.Admit("UpdateContinuousBackups", tableOf(*in.TableName)); err != nil {
		return nil, err
	}
	spec := in.PointInTimeRecoverySpecification
	days := int32(0)
	if spec.RecoveryPeriodInDays != nil {
		days = *spec.RecoveryPeriodInDays
	}
	s, err := f.db.SetRecovery(ctx, *in.TableName, *spec.PointInTimeRecoveryEnabled, days)
	if err != nil {
		return nil, noTable(err, *in.TableName)
	}
	return &api.UpdateContinuousBackupsOutput{ContinuousBackupsDescription: f.backups(s)}, nil
}

// noTable words a missing table as the operations on backups do.
func noTable(err error, name string) error {
	if fault.Is(err, fault.NotFound, tables.SubjectTable) {
		return fault.New(fault.NotFound, tables.SubjectTable, "Table not found: %s", name)
	}
	return err
}

func (f *front) backups(s tables.Status) *api.ContinuousBackupsDescription {
	p := &api.PointInTimeRecoveryDescription{PointInTimeRecoveryStatus: new(api.PointInTimeRecoveryStatusDisabled)}
	if s.Recovery {
		now := f.now().UTC()
		earliest := time.UnixMilli(s.RecoverySince).UTC()
		if oldest := now.AddDate(0, 0, -int(s.RecoveryDays)); oldest.After(earliest) {
			earliest = oldest
		}
		p = &api.PointInTimeRecoveryDescription{
			PointInTimeRecoveryStatus: new(api.PointInTimeRecoveryStatusEnabled), RecoveryPeriodInDays: new(s.RecoveryDays),
			EarliestRestorableDateTime: &earliest, LatestRestorableDateTime: &now,
		}
	}
	return &api.ContinuousBackupsDescription{ContinuousBackupsStatus: new(api.ContinuousBackupsStatusEnabled), PointInTimeRecoveryDescription: p}
}

func (f *front) putResourcePolicy(ctx context.Context, _ identity.Caller, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	if err := f.db.Admit("PutResourcePolicy", tableOf(*in.ResourceArn)); err != nil {
		return nil, err
	}
	revision, err := f.db.PutPolicy(ctx, *in.ResourceArn, *in.Policy, in.ExpectedRevisionId)
	if err != nil {
		return nil, err
	}
	return &api.PutResourcePolicyOutput{RevisionId: &revision}, nil
}

func (f *front) getResourcePolicy(ctx context.Context, _ identity.Caller, in *api.GetResourcePolicyInput) (*api.GetResourcePolicyOutput, error) {
	if err := f.db.Admit("GetResourcePolicy", tableOf(*in.ResourceArn)); err != nil {
		return nil, err
	}
	policy, revision, err := f.db.Policy(ctx, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &api.GetResourcePolicyOutput{Policy: &policy, RevisionId: &revision}, nil
}

func (f *front) deleteResourcePolicy(ctx context.Context, _ identity.Caller, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	if err := f.db.Admit("DeleteResourcePolicy", tableOf(*in.ResourceArn)); err != nil {
		return nil, err
	}
	revision, err := f.db.DeletePolicy(ctx, *in.ResourceArn, in.ExpectedRevisionId)
	if err != nil {
		return nil, err
	}
	out := &api.DeleteResourcePolicyOutput{}
	if revision != "" {
		out.RevisionId = &revision
	}
	return out, nil
}

// Quotas as a new account has them on AWS. Nothing here is limited by them.
const (
	accountUnits = 80_000
	tableUnits   = 40_000
)

func (f *front) describeLimits(context.Context, identity.Caller, *api.DescribeLimitsInput) (*api.DescribeLimitsOutput, error) {
	if err := f.db.Admit("DescribeLimits"); err != nil {
		return nil, err
	}
	return &api.DescribeLimitsOutput{
		AccountMaxReadCapacityUnits: new(int64(accountUnits)), AccountMaxWriteCapacityUnits: new(int64(accountUnits)),
		TableMaxReadCapacityUnits: new(int64(tableUnits)), TableMaxWriteCapacityUnits: new(int64(tableUnits)),
	}, nil
}

// endpointMinutes is how long clients may keep what DescribeEndpoints says.
const endpointMinutes = 1440

func (f *front) describeEndpoints(context.Context, identity.Caller, *api.DescribeEndpointsRequest) (*api.DescribeEndpointsResponse, error) {
	return &api.DescribeEndpointsResponse{Endpoints: []api.Endpoint{{Address: &f.endpoint, CachePeriodInMinutes: new(int64(endpointMinutes))}}}, nil
}
