package redshiftserverless

import (
	"context"
	"maps"
	"slices"

	api "github.com/penstock-io/penstock/internal/awsapi/redshiftserverless"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/warehouses"
)

func (f *Front) createWorkgroup(ctx context.Context, _ identity.Caller, in *api.CreateWorkgroupRequest) (*api.CreateWorkgroupResponse, error) {
	parameters, err := computeIn(in.ConfigParameters, in.PricePerformanceTarget, in.ExtraComputeForAutomaticOptimization)
	if err != nil {
		return nil, err
	}
	g, err := f.warehouses.CreateWorkgroup(ctx, warehouses.CreateWorkgroupParams{
		Name: member.Text(in.WorkgroupName), Namespace: member.Text(in.NamespaceName), Parameters: parameters, BaseCapacity: member.Number(in.BaseCapacity),
		MaxCapacity: member.Number(in.MaxCapacity), Port: member.Number(in.Port), PubliclyAccessible: member.True(in.PubliclyAccessible),
		EnhancedVPCRouting: member.True(in.EnhancedVpcRouting), SubnetIDs: in.SubnetIds, SecurityGroupIDs: in.SecurityGroupIds,
		IPAddressType: member.Text(in.IpAddressType), TrackName: member.Text(in.TrackName), Tags: tagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateWorkgroupResponse{Workgroup: f.workgroup(&g)}, nil
}

func (f *Front) getWorkgroup(ctx context.Context, _ identity.Caller, in *api.GetWorkgroupRequest) (*api.GetWorkgroupResponse, error) {
	g, err := f.warehouses.GetWorkgroup(ctx, member.Text(in.WorkgroupName))
	if err != nil {
		return nil, err
	}
	return &api.GetWorkgroupResponse{Workgroup: f.workgroup(&g)}, nil
}

func (f *Front) updateWorkgroup(ctx context.Context, _ identity.Caller, in *api.UpdateWorkgroupRequest) (*api.UpdateWorkgroupResponse, error) {
	parameters, err := computeIn(in.ConfigParameters, in.PricePerformanceTarget, in.ExtraComputeForAutomaticOptimization)
	if err != nil {
		return nil, err
	}
	g, err := f.warehouses.UpdateWorkgroup(ctx, warehouses.UpdateWorkgroupParams{
		Name: member.Text(in.WorkgroupName), Parameters: parameters, BaseCapacity: member.Number(in.BaseCapacity), MaxCapacity: member.Number(in.MaxCapacity),
		Port: member.Number(in.Port), PubliclyAccessible: in.PubliclyAccessible, EnhancedVPCRouting: in.EnhancedVpcRouting,
		SubnetIDs: member.List(in.SubnetIds), SecurityGroupIDs: member.List(in.SecurityGroupIds), IPAddressType: in.IpAddressType, TrackName: in.TrackName,
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateWorkgroupResponse{Workgroup: f.workgroup(&g)}, nil
}

func (f *Front) deleteWorkgroup(ctx context.Context, _ identity.Caller, in *api.DeleteWorkgroupRequest) (*api.DeleteWorkgroupResponse, error) {
	g, err := f.warehouses.DeleteWorkgroup(ctx, member.Text(in.WorkgroupName))
	if err != nil {
		return nil, err
	}
	return &api.DeleteWorkgroupResponse{Workgroup: f.workgroup(&g)}, nil
}

func (f *Front) listWorkgroups(ctx context.Context, caller identity.Caller, in *api.ListWorkgroupsRequest) (*api.ListWorkgroupsResponse, error) {
	if owner := member.Text(in.OwnerAccount); owner != "" && owner != caller.Account {
		return &api.ListWorkgroupsResponse{Workgroups: []api.Workgroup{}}, nil // nobody else owns any here
	}
	page, err := f.warehouses.ListWorkgroups(ctx, member.Text(in.NextToken), member.Number(in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &api.ListWorkgroupsResponse{NextToken: member.Some(page.Token), Workgroups: make([]api.Workgroup, len(page.Workgroups))}
	for i := range page.Workgroups {
		out.Workgroups[i] = *f.workgroup(&page.Workgroups[i])
	}
	return out, nil
}

// computeIn returns the configuration parameters and refuses compute that is not to be had. Being switched off is
// what both other settings are already.
func computeIn(list []api.ConfigParameter, target *api.PerformanceTarget, extra *bool) (map[string]string, error) {
	if err := refuse(member.True(extra), "extraComputeForAutomaticOptimization", "an embedded data warehouse has no other compute"); err != nil {
		return nil, err
	}
	if target != nil {
		wished := member.Text(target.Status) == api.PerformanceTargetStatusEnabled || target.Status == nil && target.Level != nil
		if err := refuse(wished, "pricePerformanceTarget", "an embedded data warehouse does not scale"); err != nil {
			return nil, err
		}
	}
	out := make(map[string]string, len(list))
	for _, p := range list {
		key := member.Text(p.ParameterKey)
		if _, twice := out[key]; twice {
			return nil, fault.New(fault.Invalid, warehouses.SubjectWorkgroup, "the configuration parameter %.60q is given twice", key)
		}
		if p.ParameterValue == nil {
			return nil, fault.New(fault.Invalid, warehouses.SubjectWorkgroup, "the configuration parameter %.60q has no value", key)
		}
		out[key] = *p.ParameterValue
	}
	return out, nil
}

// workgroup shows g. Lists are there even when they are empty.
func (f *Front) workgroup(g *warehouses.WorkgroupInfo) *api.Workgroup {
	port := int32(g.Port)
	out := &api.Workgroup{
		WorkgroupName: &g.Name, WorkgroupId: &g.ID, WorkgroupArn: &g.ARN, NamespaceName: &g.Namespace, Status: new(g.Status()),
		CreationDate: &g.Created, BaseCapacity: new(int32(g.BaseCapacity)), Port: &port, TrackName: &g.TrackName, IpAddressType: &g.IPAddressType,
		PubliclyAccessible: &g.PubliclyAccessible, EnhancedVpcRouting: &g.EnhancedVPCRouting,
		SubnetIds: member.Present(g.SubnetIDs), SecurityGroupIds: member.Present(g.SecurityGroupIDs), CrossAccountVpcs: []string{},
		Endpoint:               &api.Endpoint{Address: &f.address, Port: &port, VpcEndpoints: []api.VpcEndpoint{}},
		PricePerformanceTarget: &api.PerformanceTarget{Status: new(api.PerformanceTargetStatusDisabled)}, WorkgroupVersion: new("1.0"),
	}
	if g.MaxCapacity > 0 {
		out.MaxCapacity = new(int32(g.MaxCapacity))
	}
	for _, key := range slices.Sorted(maps.Keys(g.Parameters)) {
		out.ConfigParameters = append(out.ConfigParameters, api.ConfigParameter{ParameterKey: new(key), ParameterValue: new(g.Parameters[key])})
	}
	return out
}
