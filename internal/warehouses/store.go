package warehouses

import "context"

// Names are the ways to a new warehouse. Any of them may be nil, but a workgroup needs its namespace.
type Names struct {
	Cluster   *Cluster
	Namespace *Namespace
	Workgroup *Workgroup
}

// Store keeps warehouses. Every method of this and the other stores of this package is one durable
// transaction. Slices and maps in values going in and out are shared and must not be changed; an update sets
// new ones. change may be run more than once.
type Store interface {
	// WarehouseCreate stores w with names, or nothing. A name that is taken is AlreadyExists about
	// SubjectCluster, SubjectNamespace or SubjectWorkgroup; max warehouses, where max is above 0, is Limit
	// about SubjectWarehouse.
	WarehouseCreate(ctx context.Context, w Warehouse, names Names, max int) error
	// WarehouseGet is NotFound about SubjectWarehouse for an unknown id.
	WarehouseGet(ctx context.Context, id string) (Warehouse, error)
	// WarehouseList returns all warehouses, oldest first and then by ID.
	WarehouseList(ctx context.Context) ([]Warehouse, error)
	// WarehouseUpdate runs change on the stored warehouse and saves what it leaves, unless it returns an error.
	// ID and Created stay. State Deleting is Conflict about SubjectNamespace while a workgroup is in the
	// warehouse's namespace.
	WarehouseUpdate(ctx context.Context, id string, change func(*Warehouse) error) (Warehouse, error)
	// WarehouseDelete forgets the warehouse with its cluster, the cluster's partners, and its namespace.
	WarehouseDelete(ctx context.Context, id string) error
}

// ClusterStore keeps clusters. They come and go with their warehouses.
type ClusterStore interface {
	// ClusterGet is NotFound about SubjectCluster for an unknown identifier.
	ClusterGet(ctx context.Context, identifier string) (Cluster, error)
	// ClusterList returns all clusters by identifier.
	ClusterList(ctx context.Context) ([]Cluster, error)
	// ClusterUpdate runs change on the stored cluster and saves what it leaves, unless it returns an error.
	// WarehouseID and Created stay. A new Identifier takes the cluster's partners along; one that is taken
	// is AlreadyExists.
	ClusterUpdate(ctx context.Context, identifier string, change func(*Cluster) error) (Cluster, error)
}

// NamespaceStore keeps namespaces. They come and go with their warehouses.
type NamespaceStore interface {
	// NamespaceGet is NotFound about SubjectNamespace for an unknown name.
	NamespaceGet(ctx context.Context, name string) (Namespace, error)
	// NamespaceList returns all namespaces by name.
	NamespaceList(ctx context.Context) ([]Namespace, error)
	// NamespaceUpdate runs change on the stored namespace and saves what it leaves, unless it returns an
	// error. Name, WarehouseID and Created stay.
	NamespaceUpdate(ctx context.Context, name string, change func(*Namespace) error) (Namespace, error)
}

// WorkgroupStore keeps workgroups.
type WorkgroupStore interface {
	// WorkgroupCreate stores w. A taken name is AlreadyExists about SubjectWorkgroup; an unknown namespace is
	// NotFound about SubjectNamespace; a namespace that has a workgroup or whose warehouse is being deleted
	// is Conflict about SubjectNamespace.
	WorkgroupCreate(ctx context.Context, w Workgroup) error
	// WorkgroupGet is NotFound about SubjectWorkgroup for an unknown name.
	WorkgroupGet(ctx context.Context, name string) (Workgroup, error)
	// WorkgroupList returns all workgroups by name.
	WorkgroupList(ctx context.Context) ([]Workgroup, error)
	// WorkgroupUpdate runs change on the stored workgroup and saves what it leaves, unless it returns an
	// error. Name, ID, Namespace and Created stay.
	WorkgroupUpdate(ctx context.Context, name string, change func(*Workgroup) error) (Workgroup, error)
	// WorkgroupDelete returns what it forgot.
	WorkgroupDelete(ctx context.Context, name string) (Workgroup, error)
}

// PartnerKey names a partner integration.
type PartnerKey struct{ Cluster, Database, Name string }

// Key returns p's key.
func (p Partner) Key() PartnerKey { return PartnerKey{p.Cluster, p.Database, p.Name} }

// PartnerStore keeps partner integrations. They go with their clusters.
type PartnerStore interface {
	// PartnerPut stores p, keeping the Created of one with the same key, and returns what is stored. A
	// cluster that does not exist is NotFound about SubjectCluster.
	PartnerPut(ctx context.Context, p Partner) (Partner, error)
	// PartnerList returns the partners of a cluster by database and name.
	PartnerList(ctx context.Context, cluster string) ([]Partner, error)
	// PartnerUpdate runs change on the stored partner and saves what it leaves, unless it returns an error. Its
	// key and Created stay. A missing one is NotFound about SubjectPartner.
	PartnerUpdate(ctx context.Context, key PartnerKey, change func(*Partner) error) (Partner, error)
	// PartnerDelete is NotFound about SubjectPartner for a missing one.
	PartnerDelete(ctx context.Context, key PartnerKey) error
}
