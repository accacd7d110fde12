package sqlite

import (
	"context"
	"database/sql"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/warehouses"
)

var warehouseTable = newEntity("warehouse", 1, []column[warehouses.Warehouse]{
	{"id", func(v *warehouses.Warehouse) any { return &v.ID }},
	{"engine", func(v *warehouses.Warehouse) any { return &v.Engine }},
	{"first_database", func(v *warehouses.Warehouse) any { return &v.Database }},
	{"state", func(v *warehouses.Warehouse) any { return &v.State }},
	{"error", func(v *warehouses.Warehouse) any { return &v.Error }},
	{"created", func(v *warehouses.Warehouse) any { return &v.Created }},
})

// Warehouses is every store of package warehouses.
type Warehouses struct{ db *DB }

func missing(subject, name string) error {
	return fault.New(fault.NotFound, subject, "there is no %s %q", subject, name)
}

func noPartner(key warehouses.PartnerKey) error {
	return fault.New(fault.NotFound, warehouses.SubjectPartner, "the partner %q is not registered with the database %q of the cluster %q", key.Name, key.Database, key.Cluster)
}

func isMissing(err error) bool { return fault.KindOf(err) == fault.NotFound }

// free returns AlreadyExists when query finds a row.
func free(ctx context.Context, t *sql.Tx, subject, name, query string) error {
	taken, err := has(ctx, t, query, name)
	if err == nil && taken {
		err = fault.New(fault.AlreadyExists, subject, "the %s %q exists already; choose another name", subject, name)
	}
	return err
}

// WarehouseCreate implements warehouses.Store.
func (s *Warehouses) WarehouseCreate(ctx context.Context, w warehouses.Warehouse, names warehouses.Names, max int) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if err := free(ctx, t, warehouses.SubjectWarehouse, w.ID, "SELECT 1 FROM warehouse WHERE id = ?"); err != nil {
			return err
		}
		var count int
		if err := t.QueryRowContext(ctx, "SELECT count(*) FROM warehouse").Scan(&count); err != nil {
			return err
		}
		if max > 0 && count >= max {
			return fault.New(fault.Limit, warehouses.SubjectWarehouse, "there are %d data warehouses and at most %d are allowed; delete one", count, max)
		}
		if _, err := warehouseTable.insert(ctx, t, &w); err != nil {
			return err
		}
		if c := names.Cluster; c != nil {
			if err := insertCluster(ctx, t, c); err != nil {
				return err
			}
		}
		if n := names.Namespace; n != nil {
			if err := free(ctx, t, warehouses.SubjectNamespace, n.Name, "SELECT 1 FROM namespace WHERE name = ?"); err != nil {
				return err
			}
			if _, err := namespaceTable.insert(ctx, t, n); err != nil {
				return err
			}
		}
		if g := names.Workgroup; g != nil {
			return insertWorkgroup(ctx, t, g)
		}
		return nil
	}, nil)
}

func getWarehouse(ctx context.Context, t *sql.Tx, id string) (warehouses.Warehouse, error) {
	return warehouseTable.get(ctx, t, missing(warehouses.SubjectWarehouse, id), "WHERE id = ?", id)
}

// WarehouseGet implements warehouses.Store.
func (s *Warehouses) WarehouseGet(ctx context.Context, id string) (w warehouses.Warehouse, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		w, err = getWarehouse(ctx, t, id)
		return err
	})
	return w, err
}

// WarehouseList implements warehouses.Store.
func (s *Warehouses) WarehouseList(ctx context.Context) (list []warehouses.Warehouse, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = warehouseTable.list(ctx, t, "ORDER BY created, id")
		return err
	})
	return list, err
}

// WarehouseUpdate implements warehouses.Store.
func (s *Warehouses) WarehouseUpdate(ctx context.Context, id string, change func(*warehouses.Warehouse) error) (w warehouses.Warehouse, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		old, err := getWarehouse(ctx, t, id)
		if err != nil {
			return err
		}
		w = old
		if err := change(&w); err != nil {
			return err
		}
		w.ID, w.Created = old.ID, old.Created
		if w.State == warehouses.Deleting {
			groups, err := workgroupTable.list(ctx, t, "WHERE namespace IN (SELECT name FROM namespace WHERE warehouse_id = ?)", id)
			if err != nil {
				return err
			}
			if len(groups) > 0 {
				return fault.New(fault.Conflict, warehouses.SubjectNamespace, "the namespace %q has the workgroup %q; delete that first", groups[0].Namespace, groups[0].Name)
			}
		}
		return warehouseTable.update(ctx, t, &old, &w)
	}, nil)
	return w, err
}

// WarehouseDelete implements warehouses.Store.
func (s *Warehouses) WarehouseDelete(ctx context.Context, id string) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error { // the rest goes by foreign keys
		return deleteOne(ctx, t, missing(warehouses.SubjectWarehouse, id), "DELETE FROM warehouse WHERE id = ?", id)
	}, nil)
}
