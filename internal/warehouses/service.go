package warehouses

import (
	"context"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

// Config is what a Service needs. Every field but Catalogue is required.
type Config struct {
	Partition, Region, Account string // where the warehouses are

	Warehouses Store
	Clusters   ClusterStore
	Namespaces NamespaceStore
	Workgroups WorkgroupStore
	Partners   PartnerStore

	Box       *secret.Box // seals passwords
	Now       func() time.Time
	NewID     func() string // a random UUID in lower case
	Notify    func()        // called after each change of desired state; must not block
	Catalogue Catalogue
}

// Service is the API of this domain. It is safe for concurrent use.
type Service struct {
	c Config
}

// NewService returns a Service over c.
func NewService(c Config) *Service { return &Service{c} }

// MaxWarehouses is how many embedded warehouses one server has at most, the default among them.
const MaxWarehouses = 200

// EnsureDefault makes the default warehouse with its cluster, namespace and workgroup if they are not there
// yet. Its ID is made once and kept for ever.
func (s *Service) EnsureDefault(ctx context.Context) error {
	_, err := s.c.Clusters.ClusterGet(ctx, DefaultName)
	if !fault.Is(err, fault.NotFound, SubjectCluster) {
		return err
	}
	w := s.newWarehouse(DefaultDatabase)
	c := s.clusterDefaults(w)
	c.Identifier, c.NodeType, c.NumberOfNodes, c.MasterUsername = DefaultName, "ra3.large", 1, defaultAdmin
	n := Namespace{Name: DefaultName, WarehouseID: w.ID, AdminUsername: defaultAdmin, Database: w.Database, KMSKeyID: ownedKey, Created: w.Created}
	g := s.workgroupDefaults(DefaultName, DefaultName)
	err = s.c.Warehouses.WarehouseCreate(ctx, w, Names{&c, &n, &g}, 0)
	switch {
	case err == nil:
		s.c.Notify()
	case fault.KindOf(err) == fault.AlreadyExists: // someone was faster
		return nil
	}
	return err
}

const (
	defaultAdmin = "admin"
	defaultPort  = 5439
	ownedKey     = "AWS_OWNED_KMS_KEY" // what AWS calls a key that is not the customer's
)

func (s *Service) newWarehouse(database string) Warehouse {
	if database == "" {
		database = DefaultDatabase
	}
	return Warehouse{ID: s.c.NewID(), Engine: DuckDB, Database: database, State: Creating, Created: s.c.Now()}
}

// Get returns a warehouse by ID.
func (s *Service) Get(ctx context.Context, id string) (Warehouse, error) {
	return s.c.Warehouses.WarehouseGet(ctx, id)
}

// All returns all warehouses, oldest first.
func (s *Service) All(ctx context.Context) ([]Warehouse, error) {
	return s.c.Warehouses.WarehouseList(ctx)
}

// Resolve returns the warehouse that a namespace ARN points at. Both separators and both services are
// accepted, with the namespace's id or its name; for the service redshift a cluster's identifier will do,
// too. Anything else is NotFound about SubjectNamespace. The warehouse may be in any state.
func (s *Service) Resolve(ctx context.Context, namespaceARN string) (Warehouse, error) {
	unknown := func(why string) (Warehouse, error) {
		return Warehouse{}, fault.New(fault.NotFound, SubjectNamespace, "there is no namespace %s%s", namespaceARN, why)
	}
	a, err := arn.Parse(namespaceARN)
	if err != nil {
		return unknown("; it is not an ARN")
	}
	kind, id := a.Split()
	switch {
	case a.Service != "redshift" && a.Service != "redshift-serverless" || kind != "namespace":
		return unknown("; a namespace ARN looks like " + s.namespaceARN("ID"))
	case a.Partition != s.c.Partition || a.Region != s.c.Region || a.Account != s.c.Account:
		return unknown("; this server is the account " + s.c.Account + " in " + s.c.Region + ", partition " + s.c.Partition)
	}
	id = strings.ToLower(id)
	w, err := s.c.Warehouses.WarehouseGet(ctx, id)
	if !fault.Is(err, fault.NotFound, SubjectWarehouse) {
		return w, err
	}
	if a.Service == "redshift" {
		w, err = s.ByCluster(ctx, id)
		if !fault.Is(err, fault.NotFound, SubjectCluster) {
			return w, err
		}
	}
	n, err := s.c.Namespaces.NamespaceGet(ctx, id)
	if fault.Is(err, fault.NotFound, SubjectNamespace) {
		return unknown("")
	}
	if err != nil {
		return Warehouse{}, err
	}
	return s.Get(ctx, n.WarehouseID)
}

// Target is Resolve for who wants to know only whether the warehouse can be used.
func (s *Service) Target(ctx context.Context, namespaceARN string) (warehouseID string, available bool, err error) {
	w, err := s.Resolve(ctx, namespaceARN)
	return w.ID, w.State == Available, err
}

// ByCluster returns the warehouse of a cluster. It may be in any state.
func (s *Service) ByCluster(ctx context.Context, identifier string) (Warehouse, error) {
	c, err := s.c.Clusters.ClusterGet(ctx, identifier)
	if err != nil {
		return Warehouse{}, err
	}
	return s.Get(ctx, c.WarehouseID)
}

// ByWorkgroup returns the warehouse that a workgroup, given by name or ARN, leads to. It may be in any state.
func (s *Service) ByWorkgroup(ctx context.Context, nameOrARN string) (Warehouse, error) {
	g, err := s.workgroup(ctx, nameOrARN)
	if err != nil {
		return Warehouse{}, err
	}
	return s.warehouseOfNamespace(ctx, g.Namespace)
}

func (s *Service) warehouseOfNamespace(ctx context.Context, name string) (Warehouse, error) {
	n, err := s.c.Namespaces.NamespaceGet(ctx, name)
	if err != nil {
		return Warehouse{}, err
	}
	return s.Get(ctx, n.WarehouseID)
}

// Ready returns nil when w can be used, and otherwise a fault of kind State that says why not.
func (w Warehouse) Ready() error {
	switch w.State {
	case Available:
		return nil
	case Creating:
		return fault.New(fault.State, SubjectWarehouse, "the data warehouse %s is being created; try again when it is available", w.ID)
	case Failed:
		return fault.New(fault.State, SubjectWarehouse, "the data warehouse %s could not be created: %s; delete it and create another", w.ID, w.Error)
	default:
		return fault.New(fault.State, SubjectWarehouse, "the data warehouse %s is being deleted", w.ID)
	}
}

func (s *Service) arn(service, resource string) string {
	return arn.ARN{Partition: s.c.Partition, Service: service, Region: s.c.Region, Account: s.c.Account, Resource: resource}.String()
}

func (s *Service) namespaceARN(id string) string { return s.arn("redshift", "namespace:"+id) }
