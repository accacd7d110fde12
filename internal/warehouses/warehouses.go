// Package warehouses is the domain of what a namespace ARN points at: the warehouse itself, the names it
// is reached by (a provisioned cluster, or a serverless namespace with a workgroup), and the partners
// registered with a cluster.
//
// There is always one warehouse, Default, reachable as cluster "default" and as namespace "default" with
// workgroup "default". It cannot be deleted.
//
// A warehouse is created and deleted in two steps: the front writes what should be true, supervise makes
// it true and reports back with Created, CreateFailed or Deleted.
package warehouses

import (
	"time"

	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/tag"
)

// Subjects of this package's faults.
const (
	SubjectWarehouse = "warehouse"
	SubjectCluster   = "cluster"
	SubjectNamespace = "namespace"
	SubjectWorkgroup = "workgroup"
	SubjectPartner   = "partner"
	SubjectResource  = "resource" // what a tag is attached to
	SubjectRetention = "retention period"
	SubjectNodes     = "number of nodes"
	SubjectSnapshot  = "snapshot"
	SubjectTag       = tag.Subject
	SubjectTagCount  = tag.SubjectCount
)

// DefaultName is the cluster identifier, namespace name and workgroup name of the built-in warehouse.
const DefaultName = "default"

// DefaultDatabase is the first database where none is asked for.
const DefaultDatabase = "dev"

// State is where a warehouse is in its life.
//
//	Creating -> Available -> Deleting -> gone
//	        \-> Failed    -/
type State string

const (
	Creating  State = "creating"
	Available State = "available"
	Failed    State = "failed"
	Deleting  State = "deleting"
)

// Engine is what holds the data.
type Engine string

// DuckDB is the embedded engine.
const DuckDB Engine = "duckdb"

// Warehouse is a place with databases. Its ID is the UUID in both forms of namespace ARN.
type Warehouse struct {
	ID       string
	Engine   Engine
	Database string // first database
	State    State
	Error    string // why it is Failed
	Created  time.Time
}

// Cluster is a provisioned cluster: a name and the settings AWS keeps for it. The settings are kept and
// returned; the embedded engine has no nodes to apply them to.
type Cluster struct {
	Identifier                                                                                  string
	WarehouseID                                                                                 string
	NodeType                                                                                    string
	NumberOfNodes                                                                               int
	MasterUsername                                                                              string
	MasterPassword                                                                              secret.Sealed
	ManagePassword                                                                              bool
	Database                                                                                    string
	Port                                                                                        int
	Encrypted                                                                                   bool
	KMSKeyID                                                                                    string
	PubliclyAccessible, AllowVersionUpgrade, EnhancedVPCRouting, MultiAZ                        bool
	Version, AvailabilityZone, MaintenanceWindow, MaintenanceTrack, SubnetGroup, ParameterGroup string
	IPAddressType, DefaultIAMRole, AquaStatus                                                   string
	SnapshotRetention, ManualSnapshotRetention                                                  int
	SecurityGroups, VPCSecurityGroups, IAMRoles                                                 []string
	Tags                                                                                        map[string]string
	Created                                                                                     time.Time
}

// Namespace is a serverless namespace.
type Namespace struct {
	Name           string
	WarehouseID    string // also the namespace id
	AdminUsername  string
	AdminPassword  secret.Sealed
	ManagePassword bool
	Database       string
	KMSKeyID       string
	DefaultIAMRole string
	IAMRoles       []string
	LogExports     []string
	Tags           map[string]string
	Created        time.Time
}

// Workgroup is a serverless workgroup: the compute a namespace is reached through.
type Workgroup struct {
	Name                                   string
	ID                                     string // UUID of its ARN
	Namespace                              string
	Parameters                             map[string]string // configParameters
	BaseCapacity, MaxCapacity, Port        int
	PubliclyAccessible, EnhancedVPCRouting bool
	SubnetIDs, SecurityGroupIDs            []string
	IPAddressType, TrackName               string
	Tags                                   map[string]string
	Created                                time.Time
}

// Partner is a partner integration registered with a cluster's database.
type Partner struct {
	Cluster, Database, Name string
	Status                  PartnerStatus
	StatusMessage           string
	Created, Updated        time.Time
}

// PartnerStatus is AWS's PartnerIntegrationStatus.
type PartnerStatus string

const (
	PartnerActive            PartnerStatus = "Active"
	PartnerInactive          PartnerStatus = "Inactive"
	PartnerRuntimeFailure    PartnerStatus = "RuntimeFailure"
	PartnerConnectionFailure PartnerStatus = "ConnectionFailure"
)
