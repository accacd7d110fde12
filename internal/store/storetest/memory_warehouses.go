package storetest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/warehouses"
)

// sorted returns m's values by key.
func sorted[V any](m map[string]V) []V {
	out := make([]V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

// WarehouseCreate implements warehouses.Store.
func (m *Memory) WarehouseCreate(ctx context.Context, w warehouses.Warehouse, names warehouses.Names, max int) error {
	return m.do(ctx, func() error {
		if _, ok := m.warehouses[w.ID]; ok {
			return taken(warehouses.SubjectWarehouse, w.ID)
		}
		if max > 0 && len(m.warehouses) >= max {
			return fault.New(fault.Limit, warehouses.SubjectWarehouse, "there are %d warehouses", max)
		}
		if c := names.Cluster; c != nil {
			if _, ok := m.clusters[c.Identifier]; ok {
				return taken(warehouses.SubjectCluster, c.Identifier)
			}
		}
		if n := names.Namespace; n != nil {
			if _, ok := m.namespaces[n.Name]; ok {
				return taken(warehouses.SubjectNamespace, n.Name)
			}
		}
		if g := names.Workgroup; g != nil {
			if _, ok := m.workgroups[g.Name]; ok {
				return taken(warehouses.SubjectWorkgroup, g.Name)
			}
			m.workgroups[g.Name] = *g
		}
		if names.Cluster != nil {
			m.clusters[names.Cluster.Identifier] = *names.Cluster
		}
		if names.Namespace != nil {
			m.namespaces[names.Namespace.Name] = *names.Namespace
		}
		m.warehouses[w.ID] = w
		return nil
	})
}

// WarehouseGet implements warehouses.Store.
func (m *Memory) WarehouseGet(ctx context.Context, id string) (w warehouses.Warehouse, err error) {
	err = m.do(ctx, func() error {
		w, err = get(m.warehouses, id, warehouses.SubjectWarehouse, id)
		return err
	})
	return w, err
}

// WarehouseList implements warehouses.Store.
func (m *Memory) WarehouseList(ctx context.Context) (list []warehouses.Warehouse, err error) {
	err = m.do(ctx, func() error {
		list = slices.SortedFunc(maps.Values(m.warehouses), func(a, b warehouses.Warehouse) int {
			return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
		})
		return nil
	})
	return list, err
}

// WarehouseUpdate implements warehouses.Store.
func (m *Memory) WarehouseUpdate(ctx context.Context, id string, change func(*warehouses.Warehouse) error) (w warehouses.Warehouse, err error) {
	err = m.do(ctx, func() error {
		old, err := get(m.warehouses, id, warehouses.SubjectWarehouse, id)
		if err != nil {
			return err
		}
		next := old
		if err := change(&next); err != nil {
			return err
		}
		next.ID, next.Created = old.ID, old.Created
		if next.State == warehouses.Deleting {
			for _, g := range m.workgroups {
				if m.namespaces[g.Namespace].WarehouseID == id {
					return fault.New(fault.Conflict, warehouses.SubjectNamespace, "the namespace %q has the workgroup %q", g.Namespace, g.Name)
				}
			}
		}
		m.warehouses[id], w = next, next
		return nil
	})
	return w, err
}

// WarehouseDelete implements warehouses.Store.
func (m *Memory) WarehouseDelete(ctx context.Context, id string) error {
	return m.do(ctx, func() error {
		if _, err := get(m.warehouses, id, warehouses.SubjectWarehouse, id); err != nil {
			return err
		}
		delete(m.warehouses, id)
		maps.DeleteFunc(m.clusters, func(_ string, c warehouses.Cluster) bool { return c.WarehouseID == id })
		maps.DeleteFunc(m.namespaces, func(_ string, n warehouses.Namespace) bool { return n.WarehouseID == id })
		maps.DeleteFunc(m.workgroups, func(_ string, g warehouses.Workgroup) bool { _, ok := m.namespaces[g.Namespace]; return !ok })
		maps.DeleteFunc(m.partners, func(k warehouses.PartnerKey, _ warehouses.Partner) bool { _, ok := m.clusters[k.Cluster]; return !ok })
		return nil
	})
}

// ClusterGet implements warehouses.ClusterStore.
func (m *Memory) ClusterGet(ctx context.Context, identifier string) (c warehouses.Cluster, err error) {
	err = m.do(ctx, func() error {
		c, err = get(m.clusters, identifier, warehouses.SubjectCluster, identifier)
		return err
	})
	return c, err
}

// ClusterList implements warehouses.ClusterStore.
func (m *Memory) ClusterList(ctx context.Context) (list []warehouses.Cluster, err error) {
	err = m.do(ctx, func() error {
		list = sorted(m.clusters)
		return nil
	})
	return list, err
}

// ClusterUpdate implements warehouses.ClusterStore.
func (m *Memory) ClusterUpdate(ctx context.Context, identifier string, change func(*warehouses.Cluster) error) (c warehouses.Cluster, err error) {
	err = m.do(ctx, func() error {
		old, err := get(m.clusters, identifier, warehouses.SubjectCluster, identifier)
		if err != nil {
			return err
		}
		next := old
		if err := change(&next); err != nil {
			return err
		}
		next.WarehouseID, next.Created = old.WarehouseID, old.Created
		if next.Identifier != identifier {
			if _, ok := m.clusters[next.Identifier]; ok {
				return taken(warehouses.SubjectCluster, next.Identifier)
			}
			delete(m.clusters, identifier)
			for _, p := range m.partnerList(identifier) {
				delete(m.partners, p.Key())
				p.Cluster = next.Identifier
				m.partners[p.Key()] = p
			}
		}
		m.clusters[next.Identifier], c = next, next
		return nil
	})
	return c, err
}

// NamespaceGet implements warehouses.NamespaceStore.
func (m *Memory) NamespaceGet(ctx context.Context, name string) (n warehouses.Namespace, err error) {
	err = m.do(ctx, func() error {
		n, err = get(m.namespaces, name, warehouses.SubjectNamespace, name)
		return err
	})
	return n, err
}

// NamespaceList implements warehouses.NamespaceStore.
func (m *Memory) NamespaceList(ctx context.Context) (list []warehouses.Namespace, err error) {
	err = m.do(ctx, func() error {
		list = sorted(m.namespaces)
		return nil
	})
	return list, err
}

// NamespaceUpdate implements warehouses.NamespaceStore.
func (m *Memory) NamespaceUpdate(ctx context.Context, name string, change func(*warehouses.Namespace) error) (n warehouses.Namespace, err error) {
	err = m.do(ctx, func() error {
		n, err = update(m.namespaces, name, warehouses.SubjectNamespace, name, change, func(next, old *warehouses.Namespace) {
			next.Name, next.WarehouseID, next.Created = old.Name, old.WarehouseID, old.Created
		})
		return err
	})
	return n, err
}

// WorkgroupCreate implements warehouses.WorkgroupStore.
func (m *Memory) WorkgroupCreate(ctx context.Context, g warehouses.Workgroup) error {
	return m.do(ctx, func() error {
		if _, ok := m.workgroups[g.Name]; ok {
			return taken(warehouses.SubjectWorkgroup, g.Name)
		}
		n, err := get(m.namespaces, g.Namespace, warehouses.SubjectNamespace, g.Namespace)
		if err != nil {
			return err
		}
		if m.warehouses[n.WarehouseID].State == warehouses.Deleting {
			return fault.New(fault.Conflict, warehouses.SubjectNamespace, "the namespace %q is being deleted", n.Name)
		}
		for _, o := range m.workgroups {
			if o.Namespace == g.Namespace {
				return fault.New(fault.Conflict, warehouses.SubjectNamespace, "the namespace %q has the workgroup %q", n.Name, o.Name)
			}
		}
		m.workgroups[g.Name] = g
		return nil
	})
}

// WorkgroupGet implements warehouses.WorkgroupStore.
func (m *Memory) WorkgroupGet(ctx context.Context, name string) (g warehouses.Workgroup, err error) {
	err = m.do(ctx, func() error {
		g, err = get(m.workgroups, name, warehouses.SubjectWorkgroup, name)
		return err
	})
	return g, err
}

// WorkgroupList implements warehouses.WorkgroupStore.
func (m *Memory) WorkgroupList(ctx context.Context) (list []warehouses.Workgroup, err error) {
	err = m.do(ctx, func() error {
		list = sorted(m.workgroups)
		return nil
	})
	return list, err
}

// WorkgroupUpdate implements warehouses.WorkgroupStore.
func (m *Memory) WorkgroupUpdate(ctx context.Context, name string, change func(*warehouses.Workgroup) error) (g warehouses.Workgroup, err error) {
	err = m.do(ctx, func() error {
		g, err = update(m.workgroups, name, warehouses.SubjectWorkgroup, name, change, func(next, old *warehouses.Workgroup) {
			next.Name, next.ID, next.Namespace, next.Created = old.Name, old.ID, old.Namespace, old.Created
		})
		return err
	})
	return g, err
}

// WorkgroupDelete implements warehouses.WorkgroupStore.
func (m *Memory) WorkgroupDelete(ctx context.Context, name string) (g warehouses.Workgroup, err error) {
	err = m.do(ctx, func() error {
		g, err = remove(m.workgroups, name, warehouses.SubjectWorkgroup, name)
		return err
	})
	return g, err
}

// PartnerPut implements warehouses.PartnerStore.
func (m *Memory) PartnerPut(ctx context.Context, p warehouses.Partner) (warehouses.Partner, error) {
	err := m.do(ctx, func() error {
		if _, err := get(m.clusters, p.Cluster, warehouses.SubjectCluster, p.Cluster); err != nil {
			return err
		}
		if old, ok := m.partners[p.Key()]; ok {
			p.Created = old.Created
		}
		m.partners[p.Key()] = p
		return nil
	})
	if err != nil {
		return warehouses.Partner{}, err
	}
	return p, nil
}

func (m *Memory) partnerList(cluster string) []warehouses.Partner {
	var list []warehouses.Partner
	for _, p := range m.partners {
		if p.Cluster == cluster {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b warehouses.Partner) int {
		return cmp.Or(strings.Compare(a.Database, b.Database), strings.Compare(a.Name, b.Name))
	})
	return list
}

// PartnerList implements warehouses.PartnerStore.
func (m *Memory) PartnerList(ctx context.Context, cluster string) (list []warehouses.Partner, err error) {
	err = m.do(ctx, func() error {
		list = m.partnerList(cluster)
		return nil
	})
	return list, err
}

// PartnerUpdate implements warehouses.PartnerStore.
func (m *Memory) PartnerUpdate(ctx context.Context, key warehouses.PartnerKey, change func(*warehouses.Partner) error) (p warehouses.Partner, err error) {
	err = m.do(ctx, func() error {
		p, err = update(m.partners, key, warehouses.SubjectPartner, key.Name, change, func(next, old *warehouses.Partner) {
			next.Cluster, next.Database, next.Name, next.Created = old.Cluster, old.Database, old.Name, old.Created
		})
		return err
	})
	return p, err
}

// PartnerDelete implements warehouses.PartnerStore.
func (m *Memory) PartnerDelete(ctx context.Context, key warehouses.PartnerKey) error {
	return m.do(ctx, func() error {
		_, err := remove(m.partners, key, warehouses.SubjectPartner, key.Name)
		return err
	})
}
