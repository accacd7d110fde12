package redshift

import (
	"context"

	api "github.com/penstock-io/penstock/internal/awsapi/redshift"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

func (f *Front) putResourcePolicy(ctx context.Context, _ identity.Caller, in *api.PutResourcePolicyMessage) (*api.PutResourcePolicyResult, error) {
	p, err := f.integrations.PutPolicy(ctx, member.Text(in.ResourceArn), member.Text(in.Policy))
	if err != nil {
		return nil, err
	}
	return &api.PutResourcePolicyResult{ResourcePolicy: policy(&p)}, nil
}

func (f *Front) getResourcePolicy(ctx context.Context, _ identity.Caller, in *api.GetResourcePolicyMessage) (*api.GetResourcePolicyResult, error) {
	p, err := f.integrations.GetPolicy(ctx, member.Text(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	return &api.GetResourcePolicyResult{ResourcePolicy: policy(&p)}, nil
}

func (f *Front) deleteResourcePolicy(ctx context.Context, _ identity.Caller, in *api.DeleteResourcePolicyMessage) error {
	return f.integrations.DeletePolicy(ctx, member.Text(in.ResourceArn))
}

// policy echoes the ARN as the caller spelt it: Terraform uses it as the id.
func policy(p *zeroetl.Policy) *api.ResourcePolicy {
	return &api.ResourcePolicy{ResourceArn: &p.ResourceARN, Policy: &p.Text}
}
