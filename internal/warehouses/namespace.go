package warehouses

import (
	"context"
	"slices"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/tag"
)

// Bounds of maxResults for namespaces and workgroups. The default is the upper one.
const (
	MinResults = 1
	MaxResults = 100
)

// NamespaceInfo is a namespace with what is behind it.
type NamespaceInfo struct {
	Namespace
	Warehouse Warehouse
	ARN       string
}

// Status is AVAILABLE, MODIFYING or DELETING; AWS has no word for a namespace in creation.
func (n NamespaceInfo) Status() string {
	switch n.Warehouse.State {
	case Available:
		return "AVAILABLE"
	case Deleting:
		return "DELETING"
	default:
		return "MODIFYING"
	}
}

// CreateNamespaceParams are the members of CreateNamespace. Zero values ask for AWS's defaults.
type CreateNamespaceParams struct {
	Name           string
	AdminUsername  string
	AdminPassword  secret.Text
	ManagePassword bool
	Database       string
	KMSKeyID       string
	DefaultIAMRole string
	IAMRoles       []string
	LogExports     []string
	Tags           []tag.Tag
}

// CreateNamespace stores a new namespace with a new warehouse in state Creating.
func (s *Service) CreateNamespace(ctx context.Context, p CreateNamespaceParams) (NamespaceInfo, error) {
	w := s.newWarehouse(p.Database)
	n := Namespace{
		Name: p.Name, WarehouseID: w.ID, Database: w.Database, KMSKeyID: ownedKey, ManagePassword: p.ManagePassword,
		DefaultIAMRole: p.DefaultIAMRole, IAMRoles: p.IAMRoles, LogExports: p.LogExports, Created: w.Created,
	}
	if p.KMSKeyID != "" {
		n.KMSKeyID = p.KMSKeyID
	}
	err := checkServerlessName(SubjectNamespace, p.Name)
	if err == nil {
		err = checkDatabase(SubjectNamespace, n.Database)
	}
	if err == nil {
		err = s.setAdmin(&n, p.AdminUsername, p.AdminPassword)
	}
	if err == nil {
		err = checkNamespace(n)
	}
	if err == nil {
		n.Tags, err = tag.Set(nil, p.Tags)
	}
	if err != nil {
		return NamespaceInfo{}, err
	}
	if err := s.c.Warehouses.WarehouseCreate(ctx, w, Names{Namespace: &n}, MaxWarehouses); err != nil {
		return NamespaceInfo{}, err
	}
	s.c.Notify()
	return s.namespaceInfo(n, w), nil
}

// setAdmin sets the admin's name and password, which come together or not at all; a managed password needs no
// name.
func (s *Service) setAdmin(n *Namespace, user string, password secret.Text) error {
	if !n.ManagePassword && (user == "") != password.Empty() {
		return fault.New(fault.Invalid, SubjectNamespace, "the admin user name and the admin password go together; give both or neither")
	}
	if user != "" {
		if err := checkUser(SubjectNamespace, user); err != nil {
			return err
		}
		n.AdminUsername = user
	}
	if n.AdminUsername == "" {
		n.AdminUsername = defaultAdmin
	}
	return s.seal(&n.AdminPassword, SubjectNamespace, n.WarehouseID, password, n.ManagePassword)
}

func checkNamespace(n Namespace) error {
	for _, l := range n.LogExports {
		if !slices.Contains([]string{"useractivitylog", "userlog", "connectionlog"}, l) {
			return fault.New(fault.Invalid, SubjectNamespace, "the log %q cannot be exported; useractivitylog, userlog and connectionlog can", l)
		}
	}
	return checkRoles(SubjectNamespace, n.IAMRoles, n.DefaultIAMRole)
}

// Namespace returns a namespace by name.
func (s *Service) Namespace(ctx context.Context, name string) (NamespaceInfo, error) {
	n, err := s.c.Namespaces.NamespaceGet(ctx, name)
	if err != nil {
		return NamespaceInfo{}, err
	}
	w, err := s.Get(ctx, n.WarehouseID)
	return s.namespaceInfo(n, w), err
}

// UpdateNamespaceParams are the members of UpdateNamespace. A nil field stays as it is.
type UpdateNamespaceParams struct {
	Name           string
	AdminUsername  string      // with AdminPassword, or neither
	AdminPassword  secret.Text // empty stays as it is
	ManagePassword *bool
	KMSKeyID       *string
	DefaultIAMRole *string
	IAMRoles       *[]string
	LogExports     *[]string
}

// UpdateNamespace changes settings at once. The namespace must be available.
func (s *Service) UpdateNamespace(ctx context.Context, p UpdateNamespaceParams) (NamespaceInfo, error) {
	info, err := s.Namespace(ctx, p.Name)
	if err != nil {
		return NamespaceInfo{}, err
	}
	if info.Warehouse.State != Available {
		return NamespaceInfo{}, fault.New(fault.State, SubjectNamespace, "the namespace %q is %s; it can be updated when it is available", p.Name, info.Warehouse.State)
	}
	if p.DefaultIAMRole != nil && p.IAMRoles == nil {
		return NamespaceInfo{}, fault.New(fault.Invalid, SubjectNamespace, "to change the default IAM role, give the entire list of IAM roles as well")
	}
	n, err := s.c.Namespaces.NamespaceUpdate(ctx, p.Name, func(n *Namespace) error {
		if p.ManagePassword != nil {
			if !*p.ManagePassword && n.ManagePassword && p.AdminPassword.Empty() {
				return fault.New(fault.Invalid, SubjectNamespace, "the admin password of the namespace %q is no longer to be managed; give a password", n.Name)
			}
			n.ManagePassword = *p.ManagePassword
		}
		set(&n.KMSKeyID, p.KMSKeyID)
		set(&n.DefaultIAMRole, p.DefaultIAMRole)
		set(&n.IAMRoles, p.IAMRoles)
		set(&n.LogExports, p.LogExports)
		if err := s.setAdmin(n, p.AdminUsername, p.AdminPassword); err != nil {
			return err
		}
		return checkNamespace(*n)
	})
	if err != nil {
		return NamespaceInfo{}, err
	}
	s.c.Notify()
	return s.namespaceInfo(n, info.Warehouse), nil
}

// DeleteNamespace puts the namespace's warehouse in state Deleting. One with a workgroup is Conflict.
func (s *Service) DeleteNamespace(ctx context.Context, name, finalSnapshot string) (NamespaceInfo, error) {
	n, err := s.c.Namespaces.NamespaceGet(ctx, name)
	if err != nil {
		return NamespaceInfo{}, err
	}
	if n.Name == DefaultName {
		return NamespaceInfo{}, fault.New(fault.State, SubjectNamespace, "the namespace %q is built in and cannot be deleted", DefaultName)
	}
	if finalSnapshot != "" {
		return NamespaceInfo{}, fault.New(fault.Unsupported, SubjectSnapshot, "snapshots are not offered, so the namespace %q was left alone; delete it without a final snapshot if its data may go", name)
	}
	w, err := s.c.Warehouses.WarehouseUpdate(ctx, n.WarehouseID, func(w *Warehouse) error { return w.move(remove, SubjectNamespace, name) })
	if err != nil {
		return NamespaceInfo{}, err
	}
	s.c.Notify()
	return s.namespaceInfo(n, w), nil
}

// NamespacePage is a part of the list of namespaces, by name. Token is empty on the last one.
type NamespacePage struct {
	Namespaces []NamespaceInfo
	Token      string
}

// ListNamespaces lists namespaces after token, at most limit of them.
func (s *Service) ListNamespaces(ctx context.Context, token string, limit *int) (NamespacePage, error) {
	size, err := page.Size(limit, MinResults, MaxResults)
	if err != nil {
		return NamespacePage{}, err
	}
	all, err := s.c.Namespaces.NamespaceList(ctx)
	if err != nil {
		return NamespacePage{}, err
	}
	part, next, err := cut(all, "namespaces", token, size, func(n Namespace) string { return n.Name })
	if err != nil {
		return NamespacePage{}, err
	}
	behind, err := s.byID(ctx)
	if err != nil {
		return NamespacePage{}, err
	}
	out := NamespacePage{Namespaces: make([]NamespaceInfo, 0, len(part)), Token: next}
	for _, n := range part {
		if w, ok := behind[n.WarehouseID]; ok { // not when it went between the two reads
			out.Namespaces = append(out.Namespaces, s.namespaceInfo(n, w))
		}
	}
	return out, nil
}

func (s *Service) namespaceInfo(n Namespace, w Warehouse) NamespaceInfo {
	return NamespaceInfo{n, w, s.arn("redshift-serverless", "namespace/"+w.ID)}
}
