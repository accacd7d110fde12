package warehouses

import (
	"context"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/tag"
)

// Bounds of MaxRecords for clusters. The default is the upper one.
const (
	MinRecords = 20
	MaxRecords = 100
)

// ClusterInfo is a cluster with what is behind it.
type ClusterInfo struct {
	Cluster
	Warehouse    Warehouse
	ARN          string
	NamespaceARN string
}

// Status is what DescribeClusters calls ClusterStatus. Settings of an embedded warehouse change at once, so it
// is never "modifying".
func (c ClusterInfo) Status() string {
	if c.Warehouse.State == Failed {
		return "hardware-failure" // the nearest of AWS's words
	}
	return string(c.Warehouse.State)
}

// Availability is what DescribeClusters calls ClusterAvailabilityStatus.
func (c ClusterInfo) Availability() string {
	switch c.Warehouse.State {
	case Available:
		return "Available"
	case Failed:
		return "Failed"
	default:
		return "Modifying"
	}
}

// CreateClusterParams are the members of CreateCluster. Zero values ask for AWS's defaults.
type CreateClusterParams struct {
	Identifier              string
	NodeType                string
	ClusterType             string // "single-node" or "multi-node"; empty follows from NumberOfNodes
	NumberOfNodes           *int
	MasterUsername          string
	MasterPassword          secret.Text
	ManagePassword          bool
	Database                string
	Port                    *int
	Encrypted               *bool
	KMSKeyID                string
	PubliclyAccessible      *bool
	AllowVersionUpgrade     *bool
	EnhancedVPCRouting      *bool
	MultiAZ                 *bool
	Version                 string
	AvailabilityZone        string
	MaintenanceWindow       string
	MaintenanceTrack        string
	SubnetGroup             string
	ParameterGroup          string
	IPAddressType           string
	DefaultIAMRole          string
	AquaStatus              string
	SnapshotRetention       *int // days
	ManualSnapshotRetention *int // days; -1 for ever
	SecurityGroups          []string
	VPCSecurityGroups       []string
	IAMRoles                []string
	Tags                    []tag.Tag
}

// CreateCluster stores a new cluster with a new warehouse in state Creating.
func (s *Service) CreateCluster(ctx context.Context, p CreateClusterParams) (ClusterInfo, error) {
	w := s.newWarehouse(p.Database)
	c, err := s.newCluster(w, p)
	if err != nil {
		return ClusterInfo{}, err
	}
	if err := s.c.Warehouses.WarehouseCreate(ctx, w, Names{Cluster: &c}, MaxWarehouses); err != nil {
		return ClusterInfo{}, err
	}
	s.c.Notify()
	return s.clusterInfo(c, w), nil
}

func (s *Service) newCluster(w Warehouse, p CreateClusterParams) (Cluster, error) {
	none := Cluster{}
	c := s.clusterDefaults(w)
	c.Identifier, c.NodeType, c.MasterUsername, c.ManagePassword = p.Identifier, p.NodeType, p.MasterUsername, p.ManagePassword
	c.SecurityGroups, c.VPCSecurityGroups = p.SecurityGroups, p.VPCSecurityGroups
	var err error
	if c.NumberOfNodes, err = countNodes(p.ClusterType, p.NumberOfNodes); err != nil {
		return none, err
	}
	if p.MasterPassword.Empty() && !p.ManagePassword {
		return none, fault.New(fault.Invalid, SubjectCluster, "the cluster %q has no admin password; give one, or have it managed", p.Identifier)
	}
	if err := checkUser(SubjectCluster, p.MasterUsername); err != nil {
		return none, err
	}
	if c.Tags, err = tag.Set(nil, p.Tags); err != nil {
		return none, err
	}
	s.applyCluster(&c, ModifyClusterParams{
		Port: p.Port, Encrypted: p.Encrypted, PubliclyAccessible: p.PubliclyAccessible, AllowVersionUpgrade: p.AllowVersionUpgrade,
		EnhancedVPCRouting: p.EnhancedVPCRouting, MultiAZ: p.MultiAZ, SnapshotRetention: p.SnapshotRetention,
		ManualSnapshotRetention: p.ManualSnapshotRetention, KMSKeyID: given(p.KMSKeyID), Version: given(p.Version),
		AvailabilityZone: given(p.AvailabilityZone), MaintenanceWindow: given(p.MaintenanceWindow), MaintenanceTrack: given(p.MaintenanceTrack),
		ParameterGroup: given(p.ParameterGroup), IPAddressType: given(p.IPAddressType), IAMRoles: &p.IAMRoles, DefaultIAMRole: given(p.DefaultIAMRole),
	})
	if p.SubnetGroup != "" {
		c.SubnetGroup = p.SubnetGroup
	}
	if p.AquaStatus != "" {
		c.AquaStatus = p.AquaStatus
	}
	if err := checkCluster(c); err != nil {
		return none, err
	}
	return c, s.seal(&c.MasterPassword, SubjectCluster, w.ID, p.MasterPassword, p.ManagePassword)
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// seal checks a password and puts it, sealed, in the field. An empty one leaves the field as it is.
func (s *Service) seal(field *secret.Sealed, subject, warehouseID string, password secret.Text, managed bool) error {
	if err := checkCredentials(subject, password, managed); err != nil {
		return err
	}
	switch {
	case managed:
		*field = nil
	case !password.Empty():
		*field = s.c.Box.Seal(passwordPurpose(subject, warehouseID), password)
	}
	return nil
}

func passwordPurpose(subject, warehouseID string) string { return subject + "/password/" + warehouseID }

// clusterDefaults is a cluster of w as AWS makes it when nothing is asked for.
func (s *Service) clusterDefaults(w Warehouse) Cluster {
	return Cluster{
		WarehouseID: w.ID, Database: w.Database, Created: w.Created, NumberOfNodes: 1, Port: defaultPort, Encrypted: true,
		AllowVersionUpgrade: true, Version: "1.0", AvailabilityZone: s.c.Region + "a", MaintenanceWindow: "sun:03:00-sun:03:30",
		MaintenanceTrack: "current", SubnetGroup: "default", ParameterGroup: "default.redshift-2.0", IPAddressType: "ipv4",
		AquaStatus: "auto", SnapshotRetention: 1, ManualSnapshotRetention: -1,
	}
}

// ModifyClusterParams are the members of ModifyCluster. A nil field stays as it is.
type ModifyClusterParams struct {
	Identifier              string
	NewIdentifier           *string
	NodeType                *string
	ClusterType             *string
	NumberOfNodes           *int
	MasterPassword          secret.Text // empty stays as it is
	ManagePassword          *bool
	Port                    *int
	Encrypted               *bool
	KMSKeyID                *string
	PubliclyAccessible      *bool
	AllowVersionUpgrade     *bool
	EnhancedVPCRouting      *bool
	MultiAZ                 *bool
	Version                 *string
	AvailabilityZone        *string
	MaintenanceWindow       *string
	MaintenanceTrack        *string
	ParameterGroup          *string
	IPAddressType           *string
	DefaultIAMRole          *string
	SnapshotRetention       *int
	ManualSnapshotRetention *int
	SecurityGroups          *[]string
	VPCSecurityGroups       *[]string
	IAMRoles                *[]string
}

// ModifyCluster changes settings at once. The cluster must be available.
func (s *Service) ModifyCluster(ctx context.Context, p ModifyClusterParams) (ClusterInfo, error) {
	w, err := s.ByCluster(ctx, p.Identifier)
	if err != nil {
		return ClusterInfo{}, err
	}
	if w.State != Available {
		return ClusterInfo{}, fault.New(fault.State, SubjectCluster, "the cluster %q is %s; it can be modified when it is available", p.Identifier, w.State)
	}
	c, err := s.c.Clusters.ClusterUpdate(ctx, p.Identifier, func(c *Cluster) error { return s.modifyCluster(c, p) })
	if err != nil {
		return ClusterInfo{}, err
	}
	s.c.Notify()
	return s.clusterInfo(c, w), nil
}

func (s *Service) modifyCluster(c *Cluster, p ModifyClusterParams) error {
	if p.NewIdentifier != nil && *p.NewIdentifier != c.Identifier {
		if c.Identifier == DefaultName {
			return fault.New(fault.State, SubjectCluster, "the cluster %q is built in and keeps its name", DefaultName)
		}
		c.Identifier = *p.NewIdentifier
	}
	if p.NodeType != nil {
		c.NodeType = *p.NodeType
	}
	if p.NumberOfNodes != nil || p.ClusterType != nil {
		kind := ""
		if p.ClusterType != nil {
			kind = *p.ClusterType
		}
		wish := p.NumberOfNodes
		if wish == nil && kind == "multi-node" {
			wish = &c.NumberOfNodes
		}
		n, err := countNodes(kind, wish)
		if err != nil {
			return err
		}
		c.NumberOfNodes = n
	}
	s.applyCluster(c, p)
	if err := checkCluster(*c); err != nil {
		return err
	}
	if p.ManagePassword != nil {
		if !*p.ManagePassword && c.ManagePassword && p.MasterPassword.Empty() {
			return fault.New(fault.Invalid, SubjectCluster, "the admin password of the cluster %q is no longer to be managed; give a password", c.Identifier)
		}
		c.ManagePassword = *p.ManagePassword
	}
	return s.seal(&c.MasterPassword, SubjectCluster, c.WarehouseID, p.MasterPassword, c.ManagePassword)
}

// applyCluster sets the fields that create and modify have in common.
func (s *Service) applyCluster(c *Cluster, p ModifyClusterParams) {
	set(&c.Port, p.Port)
	set(&c.Encrypted, p.Encrypted)
	set(&c.KMSKeyID, p.KMSKeyID)
	set(&c.PubliclyAccessible, p.PubliclyAccessible)
	set(&c.AllowVersionUpgrade, p.AllowVersionUpgrade)
	set(&c.EnhancedVPCRouting, p.EnhancedVPCRouting)
	set(&c.MultiAZ, p.MultiAZ)
	set(&c.Version, p.Version)
	set(&c.AvailabilityZone, p.AvailabilityZone)
	set(&c.MaintenanceWindow, p.MaintenanceWindow)
	set(&c.MaintenanceTrack, p.MaintenanceTrack)
	set(&c.ParameterGroup, p.ParameterGroup)
	set(&c.IPAddressType, p.IPAddressType)
	set(&c.DefaultIAMRole, p.DefaultIAMRole)
	set(&c.SnapshotRetention, p.SnapshotRetention)
	set(&c.ManualSnapshotRetention, p.ManualSnapshotRetention)
	set(&c.SecurityGroups, p.SecurityGroups)
	set(&c.VPCSecurityGroups, p.VPCSecurityGroups)
	set(&c.IAMRoles, p.IAMRoles)
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// checkCluster checks all that depends on nothing but the cluster's own fields.
func checkCluster(c Cluster) error {
	for _, err := range []error{
		checkIdentifier(c.Identifier), checkNodeType(c.NodeType), checkDatabase(SubjectCluster, c.Database), checkPort(SubjectCluster, c.Port),
		checkRetention(c.SnapshotRetention, c.ManualSnapshotRetention), checkWindow(c.MaintenanceWindow), checkAddressType(SubjectCluster, c.IPAddressType),
		checkRoles(SubjectCluster, c.IAMRoles, c.DefaultIAMRole),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case c.Version != "1.0":
		return fault.New(fault.Invalid, SubjectCluster, "the cluster version %q does not exist; 1.0 is the only one", c.Version)
	case c.KMSKeyID != "" && !c.Encrypted:
		return fault.New(fault.Invalid, SubjectCluster, "a KMS key was given for a cluster that is not to be encrypted; give one of the two")
	}
	return nil
}

// DeleteClusterParams are the members of DeleteCluster.
type DeleteClusterParams struct {
	Identifier        string
	SkipFinalSnapshot bool
	FinalSnapshot     string
}

// DeleteCluster puts the cluster's warehouse in state Deleting. Integrations that load into it fail then.
func (s *Service) DeleteCluster(ctx context.Context, p DeleteClusterParams) (ClusterInfo, error) {
	switch {
	case p.SkipFinalSnapshot && p.FinalSnapshot != "":
		return ClusterInfo{}, fault.New(fault.Invalid, SubjectSnapshot, "a final snapshot was named and is to be skipped; give one of the two")
	case !p.SkipFinalSnapshot && p.FinalSnapshot == "":
		return ClusterInfo{}, fault.New(fault.Invalid, SubjectSnapshot, "name the final snapshot, or ask to skip it")
	}
	c, err := s.c.Clusters.ClusterGet(ctx, p.Identifier)
	if err != nil {
		return ClusterInfo{}, err
	}
	if c.Identifier == DefaultName {
		return ClusterInfo{}, fault.New(fault.State, SubjectCluster, "the cluster %q is built in and cannot be deleted", DefaultName)
	}
	if p.FinalSnapshot != "" {
		return ClusterInfo{}, fault.New(fault.Unsupported, SubjectSnapshot, "snapshots are not offered, so the cluster %q was left alone; delete it with SkipFinalClusterSnapshot if its data may go", c.Identifier)
	}
	w, err := s.c.Warehouses.WarehouseUpdate(ctx, c.WarehouseID, func(w *Warehouse) error { return w.move(remove, SubjectCluster, c.Identifier) })
	if err != nil {
		return ClusterInfo{}, err
	}
	s.c.Notify()
	return s.clusterInfo(c, w), nil
}

// ListClustersParams are the members of DescribeClusters. Empty fields do not narrow the list.
type ListClustersParams struct {
	Identifier string
	TagKeys    []string
	TagValues  []string
	Marker     string
	MaxRecords *int
}

// ClusterPage is a part of the list of clusters, by identifier. Marker is empty on the last one.
type ClusterPage struct {
	Clusters []ClusterInfo
	Marker   string
}

// Clusters lists clusters. An unknown identifier is NotFound; tags that match nothing give an empty page.
func (s *Service) Clusters(ctx context.Context, p ListClustersParams) (ClusterPage, error) {
	size, err := page.Size(p.MaxRecords, MinRecords, MaxRecords)
	if err != nil {
		return ClusterPage{}, err
	}
	all, err := s.c.Clusters.ClusterList(ctx)
	if err != nil {
		return ClusterPage{}, err
	}
	if p.Identifier != "" {
		all = slices.DeleteFunc(all, func(c Cluster) bool { return c.Identifier != p.Identifier })
		if len(all) == 0 {
			return ClusterPage{}, fault.New(fault.NotFound, SubjectCluster, "there is no cluster %q", p.Identifier)
		}
	}
	all = slices.DeleteFunc(all, func(c Cluster) bool { return !tag.Match(c.Tags, p.TagKeys, p.TagValues) })
	part, marker, err := cut(all, "clusters", p.Marker, size, func(c Cluster) string { return c.Identifier })
	if err != nil {
		return ClusterPage{}, err
	}
	behind, err := s.byID(ctx)
	if err != nil {
		return ClusterPage{}, err
	}
	out := ClusterPage{Clusters: make([]ClusterInfo, 0, len(part)), Marker: marker}
	for _, c := range part {
		if w, ok := behind[c.WarehouseID]; ok { // not when it went between the two reads
			out.Clusters = append(out.Clusters, s.clusterInfo(c, w))
		}
	}
	return out, nil
}

// cut returns the page of size after marker from all, which is ordered by name, and the next marker.
func cut[T any](all []T, list, marker string, size int, name func(T) string) (part []T, next string, err error) {
	if marker != "" {
		last, err := page.Parse(list, marker, 1)
		if err != nil {
			return nil, "", err
		}
		n, found := slices.BinarySearchFunc(all, last[0], func(t T, last string) int { return strings.Compare(name(t), last) })
		if found {
			n++
		}
		all = all[n:]
	}
	if len(all) <= size {
		return all, "", nil
	}
	return all[:size], page.Marker(list, name(all[size-1])), nil
}

func (s *Service) byID(ctx context.Context) (map[string]Warehouse, error) {
	all, err := s.All(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Warehouse, len(all))
	for _, w := range all {
		out[w.ID] = w
	}
	return out, nil
}

func (s *Service) clusterInfo(c Cluster, w Warehouse) ClusterInfo {
	return ClusterInfo{c, w, s.arn("redshift", "cluster:"+c.Identifier), s.namespaceARN(w.ID)}
}
