package quicksight

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/penstock-io/penstock/internal/action"
	api "github.com/penstock-io/penstock/internal/awsapi/quicksight"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/tag"
)

func (f *Front) createVPC(ctx context.Context, caller identity.Caller, in *api.CreateVPCConnectionRequest) (*api.CreateVPCConnectionResponse, error) {
	v, err := f.actions.CreateVPC(ctx, caller, member.Text(in.AwsAccountId), member.Text(in.VPCConnectionId), action.VPCSettings{
		Name: member.Text(in.Name), SubnetIDs: in.SubnetIds, SecurityGroupIDs: in.SecurityGroupIds, DNSResolvers: in.DnsResolvers, RoleARN: member.Text(in.RoleArn),
	}, tagsIn(in.Tags))
	if err != nil {
		return nil, err
	}
	return &api.CreateVPCConnectionResponse{
		Arn: &v.ARN, VPCConnectionId: &v.ID, CreationStatus: (*string)(&v.Status), AvailabilityStatus: available(), RequestId: requestID(ctx), Status: ok(),
	}, nil
}

func (f *Front) updateVPC(ctx context.Context, caller identity.Caller, in *api.UpdateVPCConnectionRequest) (*api.UpdateVPCConnectionResponse, error) {
	v, err := f.actions.UpdateVPC(ctx, caller, member.Text(in.AwsAccountId), member.Text(in.VPCConnectionId), action.VPCSettings{
		Name: member.Text(in.Name), SubnetIDs: in.SubnetIds, SecurityGroupIDs: in.SecurityGroupIds, DNSResolvers: in.DnsResolvers, RoleARN: member.Text(in.RoleArn),
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateVPCConnectionResponse{
		Arn: &v.ARN, VPCConnectionId: &v.ID, UpdateStatus: (*string)(&v.Status), AvailabilityStatus: available(), RequestId: requestID(ctx), Status: ok(),
	}, nil
}

func (f *Front) describeVPC(ctx context.Context, caller identity.Caller, in *api.DescribeVPCConnectionRequest) (*api.DescribeVPCConnectionResponse, error) {
	v, err := f.actions.VPC(ctx, caller, member.Text(in.AwsAccountId), member.Text(in.VPCConnectionId))
	if err != nil {
		return nil, err
	}
	shown := api.VPCConnection(vpcOut(&v))
	return &api.DescribeVPCConnectionResponse{VPCConnection: &shown, RequestId: requestID(ctx), Status: ok()}, nil
}

func (f *Front) deleteVPC(ctx context.Context, caller identity.Caller, in *api.DeleteVPCConnectionRequest) (*api.DeleteVPCConnectionResponse, error) {
	v, err := f.actions.DeleteVPC(ctx, caller, member.Text(in.AwsAccountId), member.Text(in.VPCConnectionId))
	if err != nil {
		return nil, err
	}
	return &api.DeleteVPCConnectionResponse{
		Arn: &v.ARN, VPCConnectionId: &v.ID, DeletionStatus: new(api.VPCConnectionResourceStatusDeleted),
		AvailabilityStatus: new(api.VPCConnectionAvailabilityStatusUnavailable), RequestId: requestID(ctx), Status: ok(),
	}, nil
}

func (f *Front) listVPCs(ctx context.Context, caller identity.Caller, in *api.ListVPCConnectionsRequest) (*api.ListVPCConnectionsResponse, error) {
	list, next, err := f.actions.ListVPCs(ctx, caller, member.Text(in.AwsAccountId), member.Text(in.NextToken), member.Number(in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &api.ListVPCConnectionsResponse{VPCConnectionSummaries: make([]api.VPCConnectionSummary, len(list)), NextToken: member.Some(next), RequestId: requestID(ctx), Status: ok()}
	for n := range list {
		out.VPCConnectionSummaries[n] = vpcOut(&list[n])
	}
	return out, nil
}

func available() *string { return new(api.VPCConnectionAvailabilityStatusAvailable) }

// vpcOut shows a VPC connection. There is no VPC, and so no id of one. The subnets are told as AWS tells them, by a
// network interface in each: Terraform reads them from there.
func vpcOut(v *action.VPCConnection) api.VPCConnectionSummary {
	out := api.VPCConnectionSummary{
		VPCConnectionId: &v.ID, Arn: &v.ARN, Name: &v.Name, SecurityGroupIds: v.SecurityGroupIDs, DnsResolvers: v.DNSResolvers,
		Status: (*string)(&v.Status), AvailabilityStatus: available(), RoleArn: &v.RoleARN, CreatedTime: &v.Created, LastUpdatedTime: &v.Updated,
	}
	for n := range v.SubnetIDs {
		sum := sha256.Sum256([]byte(v.ARN + " " + v.SubnetIDs[n]))
		out.NetworkInterfaces = append(out.NetworkInterfaces, api.NetworkInterface{
			SubnetId: &v.SubnetIDs[n], NetworkInterfaceId: new("eni-" + hex.EncodeToString(sum[:])[:17]), Status: new(api.NetworkInterfaceStatusAvailable),
		})
	}
	return out
}

func (f *Front) tagResource(ctx context.Context, caller identity.Caller, in *api.TagResourceRequest) (*api.TagResourceResponse, error) {
	if err := f.actions.AddTags(ctx, caller, member.Text(in.ResourceArn), tagsIn(in.Tags)); err != nil {
		return nil, err
	}
	return &api.TagResourceResponse{RequestId: requestID(ctx), Status: ok()}, nil
}

func (f *Front) untagResource(ctx context.Context, caller identity.Caller, in *api.UntagResourceRequest) (*api.UntagResourceResponse, error) {
	if err := f.actions.RemoveTags(ctx, caller, member.Text(in.ResourceArn), in.TagKeys); err != nil {
		return nil, err
	}
	return &api.UntagResourceResponse{RequestId: requestID(ctx), Status: ok()}, nil
}

func (f *Front) listTags(ctx context.Context, caller identity.Caller, in *api.ListTagsForResourceRequest) (*api.ListTagsForResourceResponse, error) {
	tags, err := f.actions.Tags(ctx, caller, member.Text(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	list := tag.List(tags)
	out := &api.ListTagsForResourceResponse{Tags: make([]api.Tag, len(list)), RequestId: requestID(ctx), Status: ok()}
	for n := range list {
		out.Tags[n] = api.Tag{Key: &list[n].Key, Value: &list[n].Value}
	}
	return out, nil
}
