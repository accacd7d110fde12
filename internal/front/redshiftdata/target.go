package redshiftdata

import (
	"context"
	"strings"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/warehouses"
)

// find returns the data warehouse that a request names, by cluster or by workgroup. It must be available.
func (f *Front) find(ctx context.Context, cluster, workgroup *string) (warehouses.Warehouse, error) {
	w, err := f.lookUp(ctx, cluster, workgroup)
	if fault.KindOf(err) == fault.NotFound {
		// AWS's words, which callers look for, and its error, though there are others for what is missing.
		return w, fault.Wrap(err, fault.Invalid, subjectTarget, "Redshift endpoint doesn't exist in this region. (%s)", fault.Message(err))
	}
	if err != nil {
		return w, err
	}
	return w, w.Ready()
}

// lookUp is find for whoever does not mind in what state the data warehouse is.
func (f *Front) lookUp(ctx context.Context, cluster, workgroup *string) (warehouses.Warehouse, error) {
	switch {
	case cluster != nil && workgroup != nil:
		return warehouses.Warehouse{}, fault.New(fault.Invalid, subjectTarget, "ClusterIdentifier and WorkgroupName cannot be specified together; give the one the data warehouse is reached by")
	case cluster != nil:
		return f.warehouses.ByCluster(ctx, *cluster)
	case workgroup != nil:
		return f.warehouses.ByWorkgroup(ctx, *workgroup)
	default:
		return warehouses.Warehouse{}, fault.New(fault.Invalid, subjectTarget, "Either ClusterIdentifier or WorkgroupName needs to be specified.")
	}
}

// databaseUser is who a statement runs as: the database user asked for, or the one that AWS derives from the
// caller's IAM identity.
func databaseUser(caller identity.Caller, asked string) string {
	if asked != "" {
		return asked
	}
	a, err := arn.Parse(caller.ARN)
	if err != nil {
		return caller.ARN
	}
	switch kind, name := a.Split(); kind {
	case "user":
		return "IAM:" + name[strings.LastIndexByte(name, '/')+1:]
	case "assumed-role":
		role, _, _ := strings.Cut(name, "/")
		return "IAMR:" + role
	default:
		return "IAM:" + a.Resource
	}
}
