// Package redshiftserverless serves the Redshift Serverless API: namespaces, workgroups and their tags.
//
// Handlers turn shapes into the calls of the domain warehouses and its answers back into shapes, and decide
// nothing else; what a fault becomes on the wire is the table in errors.go.
//
// GetCredentials is not served: its credentials are for the PostgreSQL protocol, which is not served
// yet. The three calls for resource policies are not served either: policies of a namespace, of either
// kind, are those of the Redshift API, as Terraform sets them.
package redshiftserverless

import (
	api "github.com/penstock-io/penstock/internal/awsapi/redshiftserverless"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/wire"
)

// Config is what a Front needs. Every field is required.
type Config struct {
	Warehouses *warehouses.Service
	Address    string // host name or IP address clients reach this server at; the address of every workgroup
}

// Front serves the Redshift Serverless API. It is safe for concurrent use.
type Front struct {
	warehouses *warehouses.Service
	address    string
}

// New returns a Front over c.
func New(c Config) *Front { return &Front{c.Warehouses, c.Address} }

// Service is the API as the wire handler wants it.
func (f *Front) Service() *wire.Service {
	return api.Operations{
		CreateNamespace: f.createNamespace,
		GetNamespace:    f.getNamespace,
		ListNamespaces:  f.listNamespaces,
		UpdateNamespace: f.updateNamespace,
		DeleteNamespace: f.deleteNamespace,

		CreateWorkgroup: f.createWorkgroup,
		GetWorkgroup:    f.getWorkgroup,
		ListWorkgroups:  f.listWorkgroups,
		UpdateWorkgroup: f.updateWorkgroup,
		DeleteWorkgroup: f.deleteWorkgroup,

		TagResource:         f.tagResource,
		UntagResource:       f.untagResource,
		ListTagsForResource: f.listTagsForResource,
	}.Service(faults())
}

// refuse is the fault of a member that asks for what an embedded data warehouse does not offer, or nil when it
// was not given.
func refuse(given bool, member, why string) error {
	if !given {
		return nil
	}
	return fault.New(fault.Unsupported, subjectOption, "%s is not offered: %s; leave it out", member, why)
}
