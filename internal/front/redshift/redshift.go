// Package redshift serves the Redshift API: integrations, partners, resource policies, tags, and the
// clusters that embedded warehouses are reached by.
//
// Handlers turn shapes into the calls of the domains zeroetl and warehouses and their answers back into
// shapes, and decide nothing else; what a fault becomes on the wire is the table in errors.go. Shapes that
// go out point into the domain's values, which nobody changes, so that a long list costs no copies.
//
// GetClusterCredentials and GetClusterCredentialsWithIAM answer UnsupportedOperation: their credentials are
// for the PostgreSQL protocol, which is not served yet. The Data API needs none.
package redshift

import (
	api "github.com/penstock-io/penstock/internal/awsapi/redshift"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// Config is what a Front needs. Every field is required.
type Config struct {
	Integrations *zeroetl.Service
	Warehouses   *warehouses.Service
	Address      string // host name or IP address clients reach this server at; the address of every cluster
}

// Front serves the Redshift API. It is safe for concurrent use.
type Front struct {
	integrations *zeroetl.Service
	warehouses   *warehouses.Service
	address      string
}

// New returns a Front over c.
func New(c Config) *Front { return &Front{c.Integrations, c.Warehouses, c.Address} }

// Service is the API as the wire handler wants it.
func (f *Front) Service() *wire.Service {
	return api.Operations{
		CreateIntegration:           f.createIntegration,
		DescribeIntegrations:        f.describeIntegrations,
		DescribeInboundIntegrations: f.describeInboundIntegrations,
		ModifyIntegration:           f.modifyIntegration,
		DeleteIntegration:           f.deleteIntegration,

		AddPartner:          f.addPartner,
		DescribePartners:    f.describePartners,
		UpdatePartnerStatus: f.updatePartnerStatus,
		DeletePartner:       f.deletePartner,

		PutResourcePolicy:    f.putResourcePolicy,
		GetResourcePolicy:    f.getResourcePolicy,
		DeleteResourcePolicy: f.deleteResourcePolicy,

		CreateTags:   f.createTags,
		DeleteTags:   f.deleteTags,
		DescribeTags: f.describeTags,

		CreateCluster:         f.createCluster,
		DescribeClusters:      f.describeClusters,
		ModifyCluster:         f.modifyCluster,
		DeleteCluster:         f.deleteCluster,
		DescribeLoggingStatus: f.describeLoggingStatus,
	}.Service(faults())
}
