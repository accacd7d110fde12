package action

import (
	"context"
	"net/netip"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/tag"
)

// VPCSettings are what CreateVPCConnection and UpdateVPCConnection have in common.
type VPCSettings struct {
	Name             string
	SubnetIDs        []string
	SecurityGroupIDs []string
	DNSResolvers     []string
	RoleARN          string
}

func (p VPCSettings) check() error {
	if !roleForm.MatchString(p.RoleARN) {
		return fault.New(fault.Invalid, SubjectVPC, "RoleArn %.120q is not the ARN of a role; the form is arn:aws:iam::123456789012:role/name", p.RoleARN)
	}
	for _, r := range p.DNSResolvers {
		if a, err := netip.ParseAddr(r); err != nil || !a.Is4() {
			return fault.New(fault.Invalid, SubjectVPC, "the DNS resolver %.40q is not an IPv4 address", r)
		}
	}
	return nil
}

func (p VPCSettings) apply(v *VPCConnection) {
	v.Name, v.SubnetIDs, v.SecurityGroupIDs, v.DNSResolvers, v.RoleARN = p.Name, p.SubnetIDs, p.SecurityGroupIDs, p.DNSResolvers, p.RoleARN
}

// CreateVPC stores a VPC connection. There is no network to set up, so it is there at once: what goes through it is
// in the server's configuration, under its ARN.
func (s *Service) CreateVPC(ctx context.Context, caller identity.Caller, account, id string, p VPCSettings, tags []tag.Tag) (VPCConnection, error) {
	if err := s.home(caller, account); err != nil {
		return VPCConnection{}, err
	}
	if err := p.check(); err != nil {
		return VPCConnection{}, err
	}
	set, err := tag.Set(nil, tags)
	if err != nil {
		return VPCConnection{}, err
	}
	now := s.Now()
	v := VPCConnection{ID: id, ARN: s.arn(vpcKind + "/" + id), Status: CreationSuccessful, Tags: set, Created: now, Updated: now}
	p.apply(&v)
	return v, s.VPCs.VPCCreate(ctx, v, MaxVPCConnections)
}

// UpdateVPC replaces the settings of a VPC connection.
func (s *Service) UpdateVPC(ctx context.Context, caller identity.Caller, account, id string, p VPCSettings) (VPCConnection, error) {
	if err := s.home(caller, account); err != nil {
		return VPCConnection{}, err
	}
	if err := p.check(); err != nil {
		return VPCConnection{}, err
	}
	now := s.Now()
	return s.VPCs.VPCUpdate(ctx, id, func(v *VPCConnection) error {
		p.apply(v)
		v.Status, v.Updated = UpdateSuccessful, now
		return nil
	})
}

// VPC returns a VPC connection.
func (s *Service) VPC(ctx context.Context, caller identity.Caller, account, id string) (VPCConnection, error) {
	if err := s.home(caller, account); err != nil {
		return VPCConnection{}, err
	}
	return s.VPCs.VPCGet(ctx, id)
}

// DeleteVPC forgets a VPC connection and returns what it was. One that a connector uses is refused.
func (s *Service) DeleteVPC(ctx context.Context, caller identity.Caller, account, id string) (VPCConnection, error) {
	v, err := s.VPC(ctx, caller, account, id)
	if err != nil {
		return VPCConnection{}, err
	}
	return v, s.VPCs.VPCDelete(ctx, id)
}

const listVPCs = "VPC connections"

// ListVPCs returns a page of VPC connections, in the order of their ids, and the token of the next page.
func (s *Service) ListVPCs(ctx context.Context, caller identity.Caller, account, token string, size *int) ([]VPCConnection, string, error) {
	if err := s.home(caller, account); err != nil {
		return nil, "", err
	}
	after, err := after(listVPCs, token)
	if err != nil {
		return nil, "", err
	}
	n, err := page.Size(size, 1, maxPage)
	if err != nil {
		return nil, "", err
	}
	list, err := s.VPCs.VPCPage(ctx, after, n+1)
	if err != nil || len(list) <= n {
		return list, "", err
	}
	return list[:n], page.Marker(listVPCs, list[n-1].ID), nil
}

// vpcKind is what the resource of a VPC connection's ARN begins with, in AWS's spelling.
const vpcKind = "vpcConnection"

func (s *Service) vpcByARN(ctx context.Context, text string) (VPCConnection, error) {
	id, ok := strings.CutPrefix(text, s.arn(vpcKind+"/"))
	if !ok {
		return VPCConnection{}, fault.New(fault.NotFound, SubjectVPC, "there is no VPC connection %s", text)
	}
	return s.VPCs.VPCGet(ctx, id)
}
