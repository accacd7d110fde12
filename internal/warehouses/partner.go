package warehouses

import (
	"context"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
)

// Catalogue says which partners may be added.
type Catalogue struct {
	Permissive bool     // any name will do
	Names      []string // compared without regard to case
}

func (c Catalogue) has(name string) bool {
	return c.Permissive || slices.ContainsFunc(c.Names, func(n string) bool { return strings.EqualFold(n, name) })
}

// PartnerRequest names a partner integration as a caller does. In Partners, Database and Name may be empty.
type PartnerRequest struct {
	Account string // must be the caller's
	PartnerKey
}

// AddPartner registers a partner with a cluster's database. Adding it again makes it active again and keeps
// when it was first added. A name that the catalogue lacks is NotFound about SubjectPartner, an account that is
// not the caller's Denied.
func (s *Service) AddPartner(ctx context.Context, caller identity.Caller, r PartnerRequest) (Partner, error) {
	if err := s.checkPartner(ctx, caller, r); err != nil {
		return Partner{}, err
	}
	if !s.c.Catalogue.has(r.Name) {
		return Partner{}, fault.New(fault.NotFound, SubjectPartner, "there is no partner %q in the catalogue; it has %s", r.Name, strings.Join(s.c.Catalogue.Names, ", "))
	}
	w, err := s.ByCluster(ctx, r.Cluster)
	if err != nil {
		return Partner{}, err
	}
	if w.State == Deleting {
		return Partner{}, fault.New(fault.NotFound, SubjectCluster, "the cluster %q is being deleted", r.Cluster)
	}
	now := s.c.Now()
	return s.c.Partners.PartnerPut(ctx, Partner{Cluster: r.Cluster, Database: r.Database, Name: r.Name, Status: PartnerActive, Created: now, Updated: now})
}

// Partners lists the partners of a cluster, of one database and of one name where these are given. None is no
// error.
func (s *Service) Partners(ctx context.Context, caller identity.Caller, r PartnerRequest) ([]Partner, error) {
	if err := s.checkPartner(ctx, caller, r); err != nil {
		return nil, err
	}
	all, err := s.c.Partners.PartnerList(ctx, r.Cluster)
	return slices.DeleteFunc(all, func(p Partner) bool {
		return r.Database != "" && p.Database != r.Database || r.Name != "" && p.Name != r.Name
	}), err
}

// UpdatePartnerStatus is how a partner tells how it is doing. The message replaces the last one.
func (s *Service) UpdatePartnerStatus(ctx context.Context, caller identity.Caller, r PartnerRequest, status PartnerStatus, message string) (Partner, error) {
	if err := s.checkPartner(ctx, caller, r); err != nil {
		return Partner{}, err
	}
	if !slices.Contains([]PartnerStatus{PartnerActive, PartnerInactive, PartnerRuntimeFailure, PartnerConnectionFailure}, status) {
		return Partner{}, fault.New(fault.Invalid, SubjectPartner, "%q is not a status; Active, Inactive, RuntimeFailure and ConnectionFailure are", status)
	}
	return s.c.Partners.PartnerUpdate(ctx, r.PartnerKey, func(p *Partner) error {
		p.Status, p.StatusMessage, p.Updated = status, message, s.c.Now()
		return nil
	})
}

// DeletePartner forgets a partner.
func (s *Service) DeletePartner(ctx context.Context, caller identity.Caller, r PartnerRequest) error {
	if err := s.checkPartner(ctx, caller, r); err != nil {
		return err
	}
	return s.c.Partners.PartnerDelete(ctx, r.PartnerKey)
}

// checkPartner checks who asks and that the cluster exists.
func (s *Service) checkPartner(ctx context.Context, caller identity.Caller, r PartnerRequest) error {
	if r.Account != caller.Account {
		return fault.New(fault.Denied, SubjectPartner, "the account %s does not own the cluster %q; the caller's account is %s", r.Account, r.Cluster, caller.Account)
	}
	_, err := s.c.Clusters.ClusterGet(ctx, r.Cluster)
	return err
}
