package warehouses

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/tag"
)

// WorkgroupInfo is a workgroup with what is behind it.
type WorkgroupInfo struct {
	Workgroup
	Warehouse Warehouse
	ARN       string
}

// Status is CREATING, AVAILABLE or DELETING.
func (g WorkgroupInfo) Status() string {
	switch g.Warehouse.State {
	case Available:
		return "AVAILABLE"
	case Deleting:
		return "DELETING"
	default:
		return "CREATING"
	}
}

// CreateWorkgroupParams are the members of CreateWorkgroup. Zero values ask for AWS's defaults.
type CreateWorkgroupParams struct {
	Name               string
	Namespace          string
	Parameters         map[string]string // laid over the defaults
	BaseCapacity       *int
	MaxCapacity        *int
	Port               *int
	PubliclyAccessible bool
	EnhancedVPCRouting bool
	SubnetIDs          []string
	SecurityGroupIDs   []string
	IPAddressType      string
	TrackName          string
	Tags               []tag.Tag
}

// CreateWorkgroup adds the workgroup of a namespace. A namespace has one at most.
func (s *Service) CreateWorkgroup(ctx context.Context, p CreateWorkgroupParams) (WorkgroupInfo, error) {
	g := s.workgroupDefaults(p.Name, p.Namespace)
	applyWorkgroup(&g, UpdateWorkgroupParams{
		Parameters: p.Parameters, BaseCapacity: p.BaseCapacity, MaxCapacity: p.MaxCapacity, Port: p.Port, PubliclyAccessible: &p.PubliclyAccessible,
		EnhancedVPCRouting: &p.EnhancedVPCRouting, SubnetIDs: &p.SubnetIDs, SecurityGroupIDs: &p.SecurityGroupIDs,
		IPAddressType: given(p.IPAddressType), TrackName: given(p.TrackName),
	})
	err := checkServerlessName(SubjectWorkgroup, p.Name)
	if err == nil {
		err = checkWorkgroup(g)
	}
	if err == nil {
		g.Tags, err = tag.Set(nil, p.Tags)
	}
	if err != nil {
		return WorkgroupInfo{}, err
	}
	if err := s.c.Workgroups.WorkgroupCreate(ctx, g); err != nil {
		return WorkgroupInfo{}, err
	}
	s.c.Notify()
	return s.workgroupInfo(ctx, g)
}

func (s *Service) workgroupDefaults(name, namespace string) Workgroup {
	return Workgroup{
		Name: name, ID: s.c.NewID(), Namespace: namespace, Parameters: defaultParameters(), BaseCapacity: 128, Port: defaultPort,
		IPAddressType: "ipv4", TrackName: "current", Created: s.c.Now(),
	}
}

// defaultParameters are those that AWS reports for every workgroup; the rest have no default.
func defaultParameters() map[string]string {
	return map[string]string{
		"auto_mv": "true", "datestyle": "ISO, MDY", "enable_case_sensitive_identifier": "false", "enable_user_activity_logging": "true",
		"max_query_execution_time": "14400", "query_group": "default", "require_ssl": "true", "search_path": "$user, public", "use_fips_ssl": "false",
	}
}

func knownParameter(key string) bool {
	_, ok := defaultParameters()[key]
	return ok || slices.Contains([]string{
		"max_query_cpu_time", "max_query_blocks_read", "max_scan_row_count", "max_query_queue_time", "max_query_cpu_usage_percent",
		"max_query_temp_blocks_to_disk", "max_join_row_count", "max_nested_loop_join_row_count", "wlm_json_configuration",
	}, key)
}

// GetWorkgroup returns a workgroup by name.
func (s *Service) GetWorkgroup(ctx context.Context, name string) (WorkgroupInfo, error) {
	g, err := s.c.Workgroups.WorkgroupGet(ctx, name)
	if err != nil {
		return WorkgroupInfo{}, err
	}
	return s.workgroupInfo(ctx, g)
}

// UpdateWorkgroupParams are the members of UpdateWorkgroup. A nil field stays as it is.
type UpdateWorkgroupParams struct {
	Name               string
	Parameters         map[string]string // laid over what is set
	BaseCapacity       *int
	MaxCapacity        *int
	Port               *int
	PubliclyAccessible *bool
	EnhancedVPCRouting *bool
	SubnetIDs          *[]string
	SecurityGroupIDs   *[]string
	IPAddressType      *string
	TrackName          *string
}

// UpdateWorkgroup changes settings at once.
func (s *Service) UpdateWorkgroup(ctx context.Context, p UpdateWorkgroupParams) (WorkgroupInfo, error) {
	g, err := s.c.Workgroups.WorkgroupUpdate(ctx, p.Name, func(g *Workgroup) error {
		applyWorkgroup(g, p)
		return checkWorkgroup(*g)
	})
	if err != nil {
		return WorkgroupInfo{}, err
	}
	s.c.Notify()
	return s.workgroupInfo(ctx, g)
}

func applyWorkgroup(g *Workgroup, p UpdateWorkgroupParams) {
	if len(p.Parameters) > 0 {
		g.Parameters = maps.Clone(g.Parameters)
		maps.Copy(g.Parameters, p.Parameters)
	}
	set(&g.BaseCapacity, p.BaseCapacity)
	set(&g.MaxCapacity, p.MaxCapacity)
	set(&g.Port, p.Port)
	set(&g.PubliclyAccessible, p.PubliclyAccessible)
	set(&g.EnhancedVPCRouting, p.EnhancedVPCRouting)
	set(&g.SubnetIDs, p.SubnetIDs)
	set(&g.SecurityGroupIDs, p.SecurityGroupIDs)
	set(&g.IPAddressType, p.IPAddressType)
	set(&g.TrackName, p.TrackName)
}

func checkWorkgroup(g Workgroup) error {
	for key := range g.Parameters {
		if !knownParameter(key) {
			return fault.New(fault.Invalid, SubjectWorkgroup, "there is no configuration parameter %q; enable_case_sensitive_identifier is one", key)
		}
	}
	if c := g.BaseCapacity; c != 4 && (c < 8 || c > 1024 || c%8 != 0) {
		return fault.New(fault.Invalid, SubjectWorkgroup, "the base capacity %d is not allowed; use 4, or 8 to 1024 in steps of 8", c)
	}
	if c := g.MaxCapacity; c != 0 && (c < g.BaseCapacity || c > 5632) {
		return fault.New(fault.Invalid, SubjectWorkgroup, "the maximum capacity %d is not allowed; use the base capacity, %d, to 5632", c, g.BaseCapacity)
	}
	if err := checkPort(SubjectWorkgroup, g.Port); err != nil {
		return err
	}
	return checkAddressType(SubjectWorkgroup, g.IPAddressType)
}

// DeleteWorkgroup removes a workgroup at once and returns what it was. Its namespace and the data stay.
func (s *Service) DeleteWorkgroup(ctx context.Context, name string) (WorkgroupInfo, error) {
	if name == DefaultName {
		return WorkgroupInfo{}, fault.New(fault.State, SubjectWorkgroup, "the workgroup %q is built in and cannot be deleted", DefaultName)
	}
	g, err := s.c.Workgroups.WorkgroupDelete(ctx, name)
	if err != nil {
		return WorkgroupInfo{}, err
	}
	s.c.Notify()
	return WorkgroupInfo{Workgroup: g, Warehouse: Warehouse{State: Deleting}, ARN: s.workgroupARN(g)}, nil
}

// WorkgroupPage is a part of the list of workgroups, by name. Token is empty on the last one.
type WorkgroupPage struct {
	Workgroups []WorkgroupInfo
	Token      string
}

// ListWorkgroups lists workgroups after token, at most limit of them.
func (s *Service) ListWorkgroups(ctx context.Context, token string, limit *int) (WorkgroupPage, error) {
	size, err := page.Size(limit, MinResults, MaxResults)
	if err != nil {
		return WorkgroupPage{}, err
	}
	all, err := s.c.Workgroups.WorkgroupList(ctx)
	if err != nil {
		return WorkgroupPage{}, err
	}
	part, next, err := cut(all, "workgroups", token, size, func(g Workgroup) string { return g.Name })
	if err != nil {
		return WorkgroupPage{}, err
	}
	out := WorkgroupPage{Workgroups: make([]WorkgroupInfo, 0, len(part)), Token: next}
	for _, g := range part {
		info, err := s.workgroupInfo(ctx, g)
		if err != nil {
			return WorkgroupPage{}, err
		}
		out.Workgroups = append(out.Workgroups, info)
	}
	return out, nil
}

// workgroup finds a workgroup by name or ARN.
func (s *Service) workgroup(ctx context.Context, nameOrARN string) (Workgroup, error) {
	a, err := arn.Parse(nameOrARN)
	if err != nil {
		return s.c.Workgroups.WorkgroupGet(ctx, nameOrARN)
	}
	all, err := s.c.Workgroups.WorkgroupList(ctx)
	if err != nil {
		return Workgroup{}, err
	}
	kind, id := a.Split()
	for _, g := range all {
		if kind == "workgroup" && strings.EqualFold(g.ID, id) && strings.EqualFold(s.workgroupARN(g), nameOrARN) {
			return g, nil
		}
	}
	return Workgroup{}, fault.New(fault.NotFound, SubjectWorkgroup, "there is no workgroup %s", nameOrARN)
}

func (s *Service) workgroupARN(g Workgroup) string {
	return s.arn("redshift-serverless", "workgroup/"+g.ID)
}

// workgroupInfo adds the warehouse, which is Deleting when it went in between.
func (s *Service) workgroupInfo(ctx context.Context, g Workgroup) (WorkgroupInfo, error) {
	w, err := s.warehouseOfNamespace(ctx, g.Namespace)
	if fault.KindOf(err) == fault.NotFound {
		w, err = Warehouse{State: Deleting}, nil
	}
	return WorkgroupInfo{g, w, s.workgroupARN(g)}, err
}
