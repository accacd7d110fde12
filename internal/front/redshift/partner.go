package redshift

import (
	"context"

	api "github.com/penstock-io/penstock/internal/awsapi/redshift"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/warehouses"
)

func (f *Front) addPartner(ctx context.Context, caller identity.Caller, in *api.PartnerIntegrationInputMessage) (*api.PartnerIntegrationOutputMessage, error) {
	p, err := f.warehouses.AddPartner(ctx, caller, partner(in.AccountId, in.ClusterIdentifier, in.DatabaseName, in.PartnerName))
	if err != nil {
		return nil, err
	}
	return &api.PartnerIntegrationOutputMessage{DatabaseName: &p.Database, PartnerName: &p.Name}, nil
}

func (f *Front) deletePartner(ctx context.Context, caller identity.Caller, in *api.PartnerIntegrationInputMessage) (*api.PartnerIntegrationOutputMessage, error) {
	if err := f.warehouses.DeletePartner(ctx, caller, partner(in.AccountId, in.ClusterIdentifier, in.DatabaseName, in.PartnerName)); err != nil {
		return nil, err
	}
	return &api.PartnerIntegrationOutputMessage{DatabaseName: in.DatabaseName, PartnerName: in.PartnerName}, nil
}

func (f *Front) updatePartnerStatus(ctx context.Context, caller identity.Caller, in *api.UpdatePartnerStatusInputMessage) (*api.PartnerIntegrationOutputMessage, error) {
	request := partner(in.AccountId, in.ClusterIdentifier, in.DatabaseName, in.PartnerName)
	p, err := f.warehouses.UpdatePartnerStatus(ctx, caller, request, warehouses.PartnerStatus(member.Text(in.Status)), member.Text(in.StatusMessage))
	if err != nil {
		return nil, err
	}
	return &api.PartnerIntegrationOutputMessage{DatabaseName: &p.Database, PartnerName: &p.Name}, nil
}

func (f *Front) describePartners(ctx context.Context, caller identity.Caller, in *api.DescribePartnersInputMessage) (*api.DescribePartnersOutputMessage, error) {
	partners, err := f.warehouses.Partners(ctx, caller, partner(in.AccountId, in.ClusterIdentifier, in.DatabaseName, in.PartnerName))
	if err != nil {
		return nil, err
	}
	out := &api.DescribePartnersOutputMessage{PartnerIntegrationInfoList: make([]api.PartnerIntegrationInfo, len(partners))}
	for n := range partners {
		p := &partners[n]
		out.PartnerIntegrationInfoList[n] = api.PartnerIntegrationInfo{
			DatabaseName: &p.Database, PartnerName: &p.Name, Status: (*string)(&p.Status), StatusMessage: member.Some(p.StatusMessage),
			CreatedAt: &p.Created, UpdatedAt: &p.Updated,
		}
	}
	return out, nil
}

func partner(account, cluster, database, name *string) warehouses.PartnerRequest {
	return warehouses.PartnerRequest{
		Account: member.Text(account), PartnerKey: warehouses.PartnerKey{Cluster: member.Text(cluster), Database: member.Text(database), Name: member.Text(name)},
	}
}
