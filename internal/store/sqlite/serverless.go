package sqlite

import (
	"context"
	"database/sql"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/warehouses"
)

var namespaceTable = newEntity("namespace", 1, []column[warehouses.Namespace]{
	{"name", func(v *warehouses.Namespace) any { return &v.Name }},
	{"warehouse_id", func(v *warehouses.Namespace) any { return &v.WarehouseID }},
	{"admin_username", func(v *warehouses.Namespace) any { return &v.AdminUsername }},
	{"admin_password", func(v *warehouses.Namespace) any { return &v.AdminPassword }},
	{"manage_password", func(v *warehouses.Namespace) any { return &v.ManagePassword }},
	{"first_database", func(v *warehouses.Namespace) any { return &v.Database }},
	{"kms_key_id", func(v *warehouses.Namespace) any { return &v.KMSKeyID }},
	{"default_iam_role", func(v *warehouses.Namespace) any { return &v.DefaultIAMRole }},
	{"iam_roles", func(v *warehouses.Namespace) any { return &v.IAMRoles }},
	{"log_exports", func(v *warehouses.Namespace) any { return &v.LogExports }},
	{"tags", func(v *warehouses.Namespace) any { return &v.Tags }},
	{"created", func(v *warehouses.Namespace) any { return &v.Created }},
})

var workgroupTable = newEntity("workgroup", 1, []column[warehouses.Workgroup]{
	{"name", func(v *warehouses.Workgroup) any { return &v.Name }},
	{"id", func(v *warehouses.Workgroup) any { return &v.ID }},
	{"namespace", func(v *warehouses.Workgroup) any { return &v.Namespace }},
	{"parameters", func(v *warehouses.Workgroup) any { return &v.Parameters }},
	{"base_capacity", func(v *warehouses.Workgroup) any { return &v.BaseCapacity }},
	{"max_capacity", func(v *warehouses.Workgroup) any { return &v.MaxCapacity }},
	{"port", func(v *warehouses.Workgroup) any { return &v.Port }},
	{"publicly_accessible", func(v *warehouses.Workgroup) any { return &v.PubliclyAccessible }},
	{"enhanced_vpc_routing", func(v *warehouses.Workgroup) any { return &v.EnhancedVPCRouting }},
	{"subnet_ids", func(v *warehouses.Workgroup) any { return &v.SubnetIDs }},
	{"security_group_ids", func(v *warehouses.Workgroup) any { return &v.SecurityGroupIDs }},
	{"ip_address_type", func(v *warehouses.Workgroup) any { return &v.IPAddressType }},
	{"track_name", func(v *warehouses.Workgroup) any { return &v.TrackName }},
	{"tags", func(v *warehouses.Workgroup) any { return &v.Tags }},
	{"created", func(v *warehouses.Workgroup) any { return &v.Created }},
})

func getNamespace(ctx context.Context, t *sql.Tx, name string) (warehouses.Namespace, error) {
	return namespaceTable.get(ctx, t, missing(warehouses.SubjectNamespace, name), "WHERE name = ?", name)
}

// NamespaceGet implements warehouses.NamespaceStore.
func (s *Warehouses) NamespaceGet(ctx context.Context, name string) (n warehouses.Namespace, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		n, err = getNamespace(ctx, t, name)
		return err
	})
	return n, err
}

// NamespaceList implements warehouses.NamespaceStore.
func (s *Warehouses) NamespaceList(ctx context.Context) (list []warehouses.Namespace, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = namespaceTable.list(ctx, t, "ORDER BY name")
		return err
	})
	return list, err
}

// NamespaceUpdate implements warehouses.NamespaceStore.
func (s *Warehouses) NamespaceUpdate(ctx context.Context, name string, change func(*warehouses.Namespace) error) (n warehouses.Namespace, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		old, err := getNamespace(ctx, t, name)
		if err != nil {
			return err
		}
		n = old
		if err := change(&n); err != nil {
			return err
		}
		n.Name, n.WarehouseID, n.Created = old.Name, old.WarehouseID, old.Created
		return namespaceTable.update(ctx, t, &old, &n)
	}, nil)
	return n, err
}

// WorkgroupCreate implements warehouses.WorkgroupStore.
func (s *Warehouses) WorkgroupCreate(ctx context.Context, g warehouses.Workgroup) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		n, err := getNamespace(ctx, t, g.Namespace)
		if err != nil {
			return err
		}
		w, err := getWarehouse(ctx, t, n.WarehouseID)
		if err != nil {
			return err
		}
		if w.State == warehouses.Deleting {
			return fault.New(fault.Conflict, warehouses.SubjectNamespace, "the namespace %q is being deleted", n.Name)
		}
		return insertWorkgroup(ctx, t, &g)
	}, nil)
}

func insertWorkgroup(ctx context.Context, t *sql.Tx, g *warehouses.Workgroup) error {
	if err := free(ctx, t, warehouses.SubjectWorkgroup, g.Name, "SELECT 1 FROM workgroup WHERE name = ?"); err != nil {
		return err
	}
	others, err := workgroupTable.list(ctx, t, "WHERE namespace = ?", g.Namespace)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return fault.New(fault.Conflict, warehouses.SubjectNamespace, "the namespace %q has the workgroup %q already; a namespace has one at most", g.Namespace, others[0].Name)
	}
	_, err = workgroupTable.insert(ctx, t, g)
	return err
}

func getWorkgroup(ctx context.Context, t *sql.Tx, name string) (warehouses.Workgroup, error) {
	return workgroupTable.get(ctx, t, missing(warehouses.SubjectWorkgroup, name), "WHERE name = ?", name)
}

// WorkgroupGet implements warehouses.WorkgroupStore.
func (s *Warehouses) WorkgroupGet(ctx context.Context, name string) (g warehouses.Workgroup, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		g, err = getWorkgroup(ctx, t, name)
		return err
	})
	return g, err
}

// WorkgroupList implements warehouses.WorkgroupStore.
func (s *Warehouses) WorkgroupList(ctx context.Context) (list []warehouses.Workgroup, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = workgroupTable.list(ctx, t, "ORDER BY name")
		return err
	})
	return list, err
}

// WorkgroupUpdate implements warehouses.WorkgroupStore.
func (s *Warehouses) WorkgroupUpdate(ctx context.Context, name string, change func(*warehouses.Workgroup) error) (g warehouses.Workgroup, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		old, err := getWorkgroup(ctx, t, name)
		if err != nil {
			return err
		}
		g = old
		if err := change(&g); err != nil {
			return err
		}
		g.Name, g.ID, g.Namespace, g.Created = old.Name, old.ID, old.Namespace, old.Created
		return workgroupTable.update(ctx, t, &old, &g)
	}, nil)
	return g, err
}

// WorkgroupDelete implements warehouses.WorkgroupStore.
func (s *Warehouses) WorkgroupDelete(ctx context.Context, name string) (g warehouses.Workgroup, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if g, err = getWorkgroup(ctx, t, name); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, "DELETE FROM workgroup WHERE name = ?", name)
		return err
	}, nil)
	return g, err
}
