package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/warehouses"
)

// WarehouseStore is every store of package warehouses.
type WarehouseStore interface {
	warehouses.Store
	warehouses.ClusterStore
	warehouses.NamespaceStore
	warehouses.WorkgroupStore
	warehouses.PartnerStore
}

func warehouse(id string) warehouses.Warehouse {
	return warehouses.Warehouse{ID: id, Engine: warehouses.DuckDB, Database: "dev", State: warehouses.Available, Created: at(0)}
}

func cluster(warehouseID, identifier string) *warehouses.Cluster {
	return &warehouses.Cluster{Identifier: identifier, WarehouseID: warehouseID, Created: at(0)}
}

func namespace(warehouseID, name string) *warehouses.Namespace {
	return &warehouses.Namespace{Name: name, WarehouseID: warehouseID, Created: at(0)}
}

func workgroup(namespace, name string) *warehouses.Workgroup {
	return &warehouses.Workgroup{Name: name, ID: "id of " + name, Namespace: namespace, Created: at(0)}
}

// Warehouses tests the stores of package warehouses, which share their transactions.
func Warehouses(t *testing.T, open Open[WarehouseStore]) {
	t.Run("warehouse", func(t *testing.T) { warehouseSuite(t, open) })
	t.Run("cluster", func(t *testing.T) { clusterSuite(t, open) })
	t.Run("namespace", func(t *testing.T) { namespaceSuite(t, open) })
	t.Run("workgroup", func(t *testing.T) { workgroupSuite(t, open) })
	t.Run("partner", func(t *testing.T) { partnerSuite(t, open) })
	t.Run("every field survives a restart", func(t *testing.T) {
		w, c, n, g, p := Full[warehouses.Warehouse](0), Full[warehouses.Cluster](100), Full[warehouses.Namespace](200), Full[warehouses.Workgroup](300), Full[warehouses.Partner](400)
		c.WarehouseID, n.WarehouseID, g.Namespace, p.Cluster = w.ID, w.ID, n.Name, c.Identifier
		bare := warehouse("bare")
		s := reopened(t, open, func(s WarehouseStore) {
			must(t, s.WarehouseCreate(t.Context(), w, warehouses.Names{Cluster: &c, Namespace: &n, Workgroup: &g}, 0))
			must(t, s.WarehouseCreate(t.Context(), bare, warehouses.Names{Cluster: cluster("bare", "bare"), Namespace: namespace("bare", "bare"), Workgroup: workgroup("bare", "bare")}, 0))
			_, err := s.PartnerPut(t.Context(), p)
			must(t, err)
		})
		gotW, err := s.WarehouseGet(t.Context(), w.ID)
		must(t, err)
		same(t, gotW, w)
		gotC, err := s.ClusterGet(t.Context(), c.Identifier)
		must(t, err)
		same(t, gotC, c)
		gotN, err := s.NamespaceGet(t.Context(), n.Name)
		must(t, err)
		same(t, gotN, n)
		gotG, err := s.WorkgroupGet(t.Context(), g.Name)
		must(t, err)
		same(t, gotG, g)
		partners, err := s.PartnerList(t.Context(), c.Identifier)
		must(t, err)
		same(t, partners, []warehouses.Partner{p})
		gotC, err = s.ClusterGet(t.Context(), "bare")
		must(t, err)
		same(t, gotC, *cluster("bare", "bare"))
	})
	calls(t, open, map[string]func(context.Context, WarehouseStore) error{
		"warehouse create": func(ctx context.Context, s WarehouseStore) error {
			return s.WarehouseCreate(ctx, warehouse("w"), warehouses.Names{}, 0)
		},
		"warehouse get":  func(ctx context.Context, s WarehouseStore) error { _, err := s.WarehouseGet(ctx, "w"); return err },
		"warehouse list": func(ctx context.Context, s WarehouseStore) error { _, err := s.WarehouseList(ctx); return err },
		"warehouse update": func(ctx context.Context, s WarehouseStore) error {
			_, err := s.WarehouseUpdate(ctx, "w", func(*warehouses.Warehouse) error { return nil })
			return err
		},
		"warehouse delete": func(ctx context.Context, s WarehouseStore) error { return s.WarehouseDelete(ctx, "w") },
		"cluster get":      func(ctx context.Context, s WarehouseStore) error { _, err := s.ClusterGet(ctx, "c"); return err },
		"cluster list":     func(ctx context.Context, s WarehouseStore) error { _, err := s.ClusterList(ctx); return err },
		"cluster update": func(ctx context.Context, s WarehouseStore) error {
			_, err := s.ClusterUpdate(ctx, "c", func(*warehouses.Cluster) error { return nil })
			return err
		},
		"namespace get":  func(ctx context.Context, s WarehouseStore) error { _, err := s.NamespaceGet(ctx, "n"); return err },
		"namespace list": func(ctx context.Context, s WarehouseStore) error { _, err := s.NamespaceList(ctx); return err },
		"namespace update": func(ctx context.Context, s WarehouseStore) error {
			_, err := s.NamespaceUpdate(ctx, "n", func(*warehouses.Namespace) error { return nil })
			return err
		},
		"workgroup create": func(ctx context.Context, s WarehouseStore) error { return s.WorkgroupCreate(ctx, *workgroup("n", "g")) },
		"workgroup get":    func(ctx context.Context, s WarehouseStore) error { _, err := s.WorkgroupGet(ctx, "g"); return err },
		"workgroup list":   func(ctx context.Context, s WarehouseStore) error { _, err := s.WorkgroupList(ctx); return err },
		"workgroup update": func(ctx context.Context, s WarehouseStore) error {
			_, err := s.WorkgroupUpdate(ctx, "g", func(*warehouses.Workgroup) error { return nil })
			return err
		},
		"workgroup delete": func(ctx context.Context, s WarehouseStore) error { _, err := s.WorkgroupDelete(ctx, "g"); return err },
		"partner put": func(ctx context.Context, s WarehouseStore) error {
			_, err := s.PartnerPut(ctx, warehouses.Partner{})
			return err
		},
		"partner list": func(ctx context.Context, s WarehouseStore) error { _, err := s.PartnerList(ctx, "c"); return err },
		"partner update": func(ctx context.Context, s WarehouseStore) error {
			_, err := s.PartnerUpdate(ctx, warehouses.PartnerKey{}, func(*warehouses.Partner) error { return nil })
			return err
		},
		"partner delete": func(ctx context.Context, s WarehouseStore) error {
			return s.PartnerDelete(ctx, warehouses.PartnerKey{})
		},
	}, func(t *testing.T, s WarehouseStore) {
		if list, err := s.WarehouseList(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("the store holds %v, %v", list, err)
		}
	})
}

func warehouseSuite(t *testing.T, open Open[WarehouseStore]) {
	t.Run("create stores all or nothing", func(t *testing.T) {
		s := fresh(t, open)
		must(t, s.WarehouseCreate(t.Context(), warehouse("w"), warehouses.Names{Cluster: cluster("w", "c"), Namespace: namespace("w", "n"), Workgroup: workgroup("n", "g")}, 2))
		for _, tc := range []struct {
			subject string
			names   warehouses.Names
		}{
			{warehouses.SubjectCluster, warehouses.Names{Namespace: namespace("x", "n2"), Cluster: cluster("x", "c")}},
			{warehouses.SubjectNamespace, warehouses.Names{Cluster: cluster("x", "c2"), Namespace: namespace("x", "n")}},
			{warehouses.SubjectWorkgroup, warehouses.Names{Cluster: cluster("x", "c2"), Namespace: namespace("x", "n2"), Workgroup: workgroup("n2", "g")}},
		} {
			wants(t, s.WarehouseCreate(t.Context(), warehouse("x"), tc.names, 0), fault.AlreadyExists, tc.subject)
		}
		wants(t, s.WarehouseCreate(t.Context(), warehouse("w"), warehouses.Names{}, 0), fault.AlreadyExists, warehouses.SubjectWarehouse)
		clusters, err := s.ClusterList(t.Context())
		must(t, err)
		namespaces, err := s.NamespaceList(t.Context())
		must(t, err)
		if len(clusters) != 1 || len(namespaces) != 1 {
			t.Errorf("a refused creation left %v, %v", clusters, namespaces)
		}
		must(t, s.WarehouseCreate(t.Context(), warehouse("w2"), warehouses.Names{}, 2))
		wants(t, s.WarehouseCreate(t.Context(), warehouse("w3"), warehouses.Names{}, 2), fault.Limit, warehouses.SubjectWarehouse)
	})
	t.Run("list is oldest first, then by ID", func(t *testing.T) {
		s := fresh(t, open)
		for _, w := range []struct {
			id      string
			created int
		}{{"c", 1}, {"b", 2}, {"a", 2}, {"d", 0}} {
			v := warehouse(w.id)
			v.Created = at(w.created)
			must(t, s.WarehouseCreate(t.Context(), v, warehouses.Names{}, 0))
		}
		list, err := s.WarehouseList(t.Context())
		must(t, err)
		var ids []string
		for _, w := range list {
			ids = append(ids, w.ID)
		}
		same(t, ids, []string{"d", "c", "a", "b"})
	})
	t.Run("update", func(t *testing.T) {
		s := fresh(t, open)
		must(t, s.WarehouseCreate(t.Context(), warehouse("w"), warehouses.Names{}, 0))
		got, err := s.WarehouseUpdate(t.Context(), "w", func(w *warehouses.Warehouse) error {
			w.State, w.Error, w.ID, w.Created = warehouses.Failed, "why", "x", at(9)
			return nil
		})
		must(t, err)
		want := warehouse("w")
		want.State, want.Error = warehouses.Failed, "why"
		same(t, got, want)
		_, err = s.WarehouseUpdate(t.Context(), "w", func(w *warehouses.Warehouse) error { w.Error = "lost"; return errRefused })
		if err != errRefused { //nolint:errorlint // it must come back as it is
			t.Errorf("err = %v, want that of the change", err)
		}
		got, err = s.WarehouseGet(t.Context(), "w")
		must(t, err)
		same(t, got, want)
		_, err = s.WarehouseUpdate(t.Context(), "x", func(*warehouses.Warehouse) error { return nil })
		wants(t, err, fault.NotFound, warehouses.SubjectWarehouse)
		_, err = s.WarehouseGet(t.Context(), "x")
		wants(t, err, fault.NotFound, warehouses.SubjectWarehouse)
	})
	t.Run("a workgroup keeps its warehouse", func(t *testing.T) {
		s := fresh(t, open)
		must(t, s.WarehouseCreate(t.Context(), warehouse("w"), warehouses.Names{Namespace: namespace("w", "n"), Workgroup: workgroup("n", "g")}, 0))
		deleting := func(w *warehouses.Warehouse) error { w.State = warehouses.Deleting; return nil }
		_, err := s.WarehouseUpdate(t.Context(), "w", deleting)
		wants(t, err, fault.Conflict, warehouses.SubjectNamespace)
		_, err = s.WorkgroupDelete(t.Context(), "g")
		must(t, err)
		_, err = s.WarehouseUpdate(t.Context(), "w", deleting)
		must(t, err)
		wants(t, s.WorkgroupCreate(t.Context(), *workgroup("n", "g")), fault.Conflict, warehouses.SubjectNamespace)
	})
	t.Run("a workgroup or the deletion comes first, never both", func(t *testing.T) {
		s := fresh(t, open)
		for n := range 10 {
			w, ns := fmt.Sprint("w", n), fmt.Sprint("n", n)
			must(t, s.WarehouseCreate(t.Context(), warehouse(w), warehouses.Names{Namespace: namespace(w, ns)}, 0))
			oneWins(t, together(2, func(k int) error {
				if k == 0 {
					return s.WorkgroupCreate(t.Context(), *workgroup(ns, fmt.Sprint("g", n)))
				}
				_, err := s.WarehouseUpdate(t.Context(), w, func(w *warehouses.Warehouse) error { w.State = warehouses.Deleting; return nil })
				return err
			}), fault.Conflict)
		}
	})
	t.Run("delete takes everything along", func(t *testing.T) {
		s := fresh(t, open)
		for _, n := range []string{"1", "2"} {
			must(t, s.WarehouseCreate(t.Context(), warehouse("w"+n), warehouses.Names{Cluster: cluster("w"+n, "c"+n), Namespace: namespace("w"+n, "n"+n), Workgroup: workgroup("n"+n, "g"+n)}, 0))
			_, err := s.PartnerPut(t.Context(), warehouses.Partner{Cluster: "c" + n, Database: "dev", Name: "p"})
			must(t, err)
		}
		must(t, s.WarehouseDelete(t.Context(), "w1"))
		wants(t, s.WarehouseDelete(t.Context(), "w1"), fault.NotFound, warehouses.SubjectWarehouse)
		_, err := s.ClusterGet(t.Context(), "c1")
		wants(t, err, fault.NotFound, warehouses.SubjectCluster)
		_, err = s.NamespaceGet(t.Context(), "n1")
		wants(t, err, fault.NotFound, warehouses.SubjectNamespace)
		_, err = s.WorkgroupGet(t.Context(), "g1")
		wants(t, err, fault.NotFound, warehouses.SubjectWorkgroup)
		// A new cluster of the name has no partners of the old one.
		must(t, s.WarehouseCreate(t.Context(), warehouse("w3"), warehouses.Names{Cluster: cluster("w3", "c1")}, 0))
		for c, want := range map[string]int{"c1": 0, "c2": 1} {
			if list, err := s.PartnerList(t.Context(), c); err != nil || len(list) != want {
				t.Errorf("partners of %s = %v, %v, want %d", c, list, err, want)
			}
		}
	})
	t.Run("one of many creations wins", func(t *testing.T) {
		s := fresh(t, open)
		oneWins(t, together(8, func(n int) error {
			id := fmt.Sprint("w", n)
			return s.WarehouseCreate(t.Context(), warehouse(id), warehouses.Names{Cluster: cluster(id, "same")}, 0)
		}), fault.AlreadyExists)
		if list, err := s.WarehouseList(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("warehouses = %v, %v, want one", list, err)
		}
	})
}

func clusterSuite(t *testing.T, open Open[WarehouseStore]) {
	three := func(t *testing.T) WarehouseStore {
		s := fresh(t, open)
		for _, c := range []string{"b", "c", "a"} {
			must(t, s.WarehouseCreate(t.Context(), warehouse("w-"+c), warehouses.Names{Cluster: cluster("w-"+c, c)}, 0))
		}
		return s
	}
	t.Run("list is by identifier", func(t *testing.T) {
		list, err := three(t).ClusterList(t.Context())
		must(t, err)
		same(t, list, []warehouses.Cluster{*cluster("w-a", "a"), *cluster("w-b", "b"), *cluster("w-c", "c")})
	})
	t.Run("update", func(t *testing.T) {
		s := three(t)
		got, err := s.ClusterUpdate(t.Context(), "a", func(c *warehouses.Cluster) error {
			c.Port, c.Tags, c.WarehouseID, c.Created = 5440, map[string]string{"k": "v"}, "x", at(9)
			return nil
		})
		must(t, err)
		want := *cluster("w-a", "a")
		want.Port, want.Tags = 5440, map[string]string{"k": "v"}
		same(t, got, want)
		got, err = s.ClusterGet(t.Context(), "a")
		must(t, err)
		same(t, got, want)
		_, err = s.ClusterUpdate(t.Context(), "zz", func(*warehouses.Cluster) error { return nil })
		wants(t, err, fault.NotFound, warehouses.SubjectCluster)
		_, err = s.ClusterUpdate(t.Context(), "a", func(*warehouses.Cluster) error { return errRefused })
		if err != errRefused { //nolint:errorlint // it must come back as it is
			t.Errorf("err = %v, want that of the change", err)
		}
	})
	t.Run("rename takes the partners along", func(t *testing.T) {
		s := three(t)
		for _, c := range []string{"a", "b"} {
			_, err := s.PartnerPut(t.Context(), warehouses.Partner{Cluster: c, Database: "dev", Name: "p", StatusMessage: "of " + c})
			must(t, err)
		}
		rename := func(to string) func(*warehouses.Cluster) error {
			return func(c *warehouses.Cluster) error { c.Identifier = to; return nil }
		}
		_, err := s.ClusterUpdate(t.Context(), "a", rename("b"))
		wants(t, err, fault.AlreadyExists, warehouses.SubjectCluster)
		_, err = s.ClusterUpdate(t.Context(), "a", rename("z"))
		must(t, err)
		_, err = s.ClusterGet(t.Context(), "a")
		wants(t, err, fault.NotFound, warehouses.SubjectCluster)
		list, err := s.PartnerList(t.Context(), "z")
		must(t, err)
		if len(list) != 1 || list[0].Cluster != "z" || list[0].StatusMessage != "of a" {
			t.Errorf("partners = %+v", list)
		}
		if list, err := s.PartnerList(t.Context(), "b"); err != nil || len(list) != 1 {
			t.Errorf("partners of b = %v, %v", list, err)
		}
	})
	t.Run("no update is lost", func(t *testing.T) {
		s := three(t)
		for _, err := range together(8, func(int) error {
			for range 20 {
				if _, err := s.ClusterUpdate(t.Context(), "a", func(c *warehouses.Cluster) error { c.Port++; return nil }); err != nil {
					return err
				}
			}
			return nil
		}) {
			must(t, err)
		}
		c, err := s.ClusterGet(t.Context(), "a")
		must(t, err)
		if c.Port != 160 {
			t.Errorf("%d of 160 updates are there", c.Port)
		}
	})
}

func namespaceSuite(t *testing.T, open Open[WarehouseStore]) {
	s := fresh(t, open)
	for _, n := range []string{"b", "a"} {
		must(t, s.WarehouseCreate(t.Context(), warehouse("w-"+n), warehouses.Names{Namespace: namespace("w-"+n, n)}, 0))
	}
	list, err := s.NamespaceList(t.Context())
	must(t, err)
	same(t, list, []warehouses.Namespace{*namespace("w-a", "a"), *namespace("w-b", "b")})
	got, err := s.NamespaceUpdate(t.Context(), "a", func(n *warehouses.Namespace) error {
		n.IAMRoles, n.Name, n.WarehouseID, n.Created = []string{"r"}, "x", "x", at(9)
		return nil
	})
	must(t, err)
	want := *namespace("w-a", "a")
	want.IAMRoles = []string{"r"}
	same(t, got, want)
	got, err = s.NamespaceGet(t.Context(), "a")
	must(t, err)
	same(t, got, want)
	_, err = s.NamespaceUpdate(t.Context(), "zz", func(*warehouses.Namespace) error { return nil })
	wants(t, err, fault.NotFound, warehouses.SubjectNamespace)
	_, err = s.NamespaceUpdate(t.Context(), "a", func(*warehouses.Namespace) error { return errRefused })
	if err != errRefused { //nolint:errorlint // it must come back as it is
		t.Errorf("err = %v, want that of the change", err)
	}
}

func workgroupSuite(t *testing.T, open Open[WarehouseStore]) {
	s := fresh(t, open)
	for _, n := range []string{"n1", "n2", "n3"} {
		must(t, s.WarehouseCreate(t.Context(), warehouse("w-"+n), warehouses.Names{Namespace: namespace("w-"+n, n)}, 0))
	}
	must(t, s.WorkgroupCreate(t.Context(), *workgroup("n1", "b")))
	must(t, s.WorkgroupCreate(t.Context(), *workgroup("n2", "a")))
	wants(t, s.WorkgroupCreate(t.Context(), *workgroup("n3", "a")), fault.AlreadyExists, warehouses.SubjectWorkgroup)
	wants(t, s.WorkgroupCreate(t.Context(), *workgroup("n1", "c")), fault.Conflict, warehouses.SubjectNamespace)
	wants(t, s.WorkgroupCreate(t.Context(), *workgroup("zz", "c")), fault.NotFound, warehouses.SubjectNamespace)
	list, err := s.WorkgroupList(t.Context())
	must(t, err)
	same(t, list, []warehouses.Workgroup{*workgroup("n2", "a"), *workgroup("n1", "b")})
	got, err := s.WorkgroupUpdate(t.Context(), "a", func(g *warehouses.Workgroup) error {
		g.Parameters, g.Name, g.ID, g.Namespace, g.Created = map[string]string{"k": "v"}, "x", "x", "x", at(9)
		return nil
	})
	must(t, err)
	want := *workgroup("n2", "a")
	want.Parameters = map[string]string{"k": "v"}
	same(t, got, want)
	got, err = s.WorkgroupGet(t.Context(), "a")
	must(t, err)
	same(t, got, want)
	_, err = s.WorkgroupUpdate(t.Context(), "zz", func(*warehouses.Workgroup) error { return nil })
	wants(t, err, fault.NotFound, warehouses.SubjectWorkgroup)
	got, err = s.WorkgroupDelete(t.Context(), "a")
	must(t, err)
	same(t, got, want)
	_, err = s.WorkgroupDelete(t.Context(), "a")
	wants(t, err, fault.NotFound, warehouses.SubjectWorkgroup)
	must(t, s.WorkgroupCreate(t.Context(), *workgroup("n2", "another"))) // the namespace is free again
}

func partnerSuite(t *testing.T, open Open[WarehouseStore]) {
	s := fresh(t, open)
	must(t, s.WarehouseCreate(t.Context(), warehouse("w"), warehouses.Names{Cluster: cluster("w", "c")}, 0))
	partner := func(database, name string, n int) warehouses.Partner {
		return warehouses.Partner{Cluster: "c", Database: database, Name: name, Status: warehouses.PartnerActive, Created: at(n), Updated: at(n)}
	}
	_, err := s.PartnerPut(t.Context(), warehouses.Partner{Cluster: "zz", Database: "dev", Name: "p"})
	wants(t, err, fault.NotFound, warehouses.SubjectCluster)
	for _, p := range []warehouses.Partner{partner("dev", "b", 1), partner("dev", "a", 2), partner("abc", "z", 3)} {
		got, err := s.PartnerPut(t.Context(), p)
		must(t, err)
		same(t, got, p)
	}
	again, err := s.PartnerPut(t.Context(), partner("dev", "a", 9))
	must(t, err)
	want := partner("dev", "a", 9)
	want.Created = at(2)
	same(t, again, want)
	list, err := s.PartnerList(t.Context(), "c")
	must(t, err)
	same(t, list, []warehouses.Partner{partner("abc", "z", 3), want, partner("dev", "b", 1)})

	got, err := s.PartnerUpdate(t.Context(), want.Key(), func(p *warehouses.Partner) error {
		p.Status, p.StatusMessage, p.Cluster, p.Database, p.Name, p.Created = warehouses.PartnerInactive, "gone", "x", "x", "x", at(99)
		return nil
	})
	must(t, err)
	want.Status, want.StatusMessage = warehouses.PartnerInactive, "gone"
	same(t, got, want)
	_, err = s.PartnerUpdate(t.Context(), warehouses.PartnerKey{Cluster: "c", Database: "dev", Name: "zz"}, func(*warehouses.Partner) error { return nil })
	wants(t, err, fault.NotFound, warehouses.SubjectPartner)
	must(t, s.PartnerDelete(t.Context(), want.Key()))
	wants(t, s.PartnerDelete(t.Context(), want.Key()), fault.NotFound, warehouses.SubjectPartner)
	if list, err := s.PartnerList(t.Context(), "zz"); err != nil || len(list) != 0 {
		t.Errorf("partners of an unknown cluster = %v, %v, want none", list, err)
	}
}
