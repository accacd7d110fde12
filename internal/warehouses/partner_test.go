package warehouses_test

import (
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/warehouses"
)

func request(cluster, database, name string) warehouses.PartnerRequest {
	return warehouses.PartnerRequest{Account: caller.Account, PartnerKey: warehouses.PartnerKey{Cluster: cluster, Database: database, Name: name}}
}

func TestPartnerLife(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{Permissive: true})
	w.cluster(t, clusterParams("c"))
	first, err := w.AddPartner(t.Context(), caller, request("c", "dev", "Datacoral"))
	must(t, err)
	if first.Status != warehouses.PartnerActive || first.StatusMessage != "" || first.Created.IsZero() || first.Created != first.Updated {
		t.Errorf("added: %+v", first)
	}
	told, err := w.UpdatePartnerStatus(t.Context(), caller, request("c", "dev", "Datacoral"), warehouses.PartnerRuntimeFailure, "cannot finish")
	must(t, err)
	if told.Status != warehouses.PartnerRuntimeFailure || told.StatusMessage != "cannot finish" || told.Created != first.Created || !told.Updated.After(first.Updated) {
		t.Errorf("updated: %+v", told)
	}
	told, err = w.UpdatePartnerStatus(t.Context(), caller, request("c", "dev", "Datacoral"), warehouses.PartnerInactive, "")
	if err != nil || told.StatusMessage != "" {
		t.Errorf("without a message: %+v, %v; the last one must not stay", told, err)
	}
	again, err := w.AddPartner(t.Context(), caller, request("c", "dev", "Datacoral"))
	if err != nil || again.Status != warehouses.PartnerActive || again.Created != first.Created || !again.Updated.After(told.Updated) {
		t.Errorf("added again: %+v, %v", again, err)
	}
	must(t, w.DeletePartner(t.Context(), caller, request("c", "dev", "Datacoral")))
	wants(t, w.DeletePartner(t.Context(), caller, request("c", "dev", "Datacoral")), fault.NotFound, warehouses.SubjectPartner)
	_, err = w.UpdatePartnerStatus(t.Context(), caller, request("c", "dev", "Datacoral"), warehouses.PartnerActive, "")
	wants(t, err, fault.NotFound, warehouses.SubjectPartner)
}

func TestPartnerList(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{Permissive: true})
	w.cluster(t, clusterParams("c"))
	for _, p := range [][2]string{{"dev", "Stitch"}, {"dev", "Etleap"}, {"prod", "Stitch"}} {
		_, err := w.AddPartner(t.Context(), caller, request("c", p[0], p[1]))
		must(t, err)
	}
	for _, tc := range []struct{ database, name, want string }{
		{"", "", "[dev/Etleap dev/Stitch prod/Stitch]"},
		{"dev", "", "[dev/Etleap dev/Stitch]"},
		{"", "Stitch", "[dev/Stitch prod/Stitch]"},
		{"prod", "Stitch", "[prod/Stitch]"},
		{"prod", "Etleap", "[]"},
		{"", "Nobody", "[]"}, // Terraform relies on no fault here
	} {
		list, err := w.Partners(t.Context(), caller, request("c", tc.database, tc.name))
		must(t, err)
		got := []string{}
		for _, p := range list {
			got = append(got, p.Database+"/"+p.Name)
		}
		if fmt.Sprint(got) != tc.want {
			t.Errorf("%q, %q: %v, want %s", tc.database, tc.name, got, tc.want)
		}
	}
}

func TestPartnerRefusals(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{Names: []string{"Datacoral", "Stitch"}})
	c := w.cluster(t, clusterParams("c"))
	other := request("c", "dev", "Stitch")
	other.Account = "999999999999"
	calls := map[string]func(r warehouses.PartnerRequest) error{
		"add":    func(r warehouses.PartnerRequest) error { _, err := w.AddPartner(t.Context(), caller, r); return err },
		"list":   func(r warehouses.PartnerRequest) error { _, err := w.Partners(t.Context(), caller, r); return err },
		"delete": func(r warehouses.PartnerRequest) error { return w.DeletePartner(t.Context(), caller, r) },
		"update": func(r warehouses.PartnerRequest) error {
			_, err := w.UpdatePartnerStatus(t.Context(), caller, r, warehouses.PartnerActive, "")
			return err
		},
	}
	for _, call := range calls {
		wants(t, call(other), fault.Denied, warehouses.SubjectPartner)
		wants(t, call(request("zz", "dev", "Stitch")), fault.NotFound, warehouses.SubjectCluster)
	}
	wants(t, calls["add"](request("c", "dev", "Nobody")), fault.NotFound, warehouses.SubjectPartner)
	must(t, calls["add"](request("c", "dev", "datacoral"))) // the catalogue does not mind the case
	_, err := w.UpdatePartnerStatus(t.Context(), caller, request("c", "dev", "datacoral"), "Happy", "")
	wants(t, err, fault.Invalid, warehouses.SubjectPartner)

	_, err = w.DeleteCluster(t.Context(), warehouses.DeleteClusterParams{Identifier: "c", SkipFinalSnapshot: true})
	must(t, err)
	wants(t, calls["add"](request("c", "dev", "Stitch")), fault.NotFound, warehouses.SubjectCluster)
	must(t, calls["list"](request("c", "", "")))
	must(t, w.Deleted(t.Context(), c.WarehouseID))
	wants(t, calls["list"](request("c", "", "")), fault.NotFound, warehouses.SubjectCluster)
	// A cluster of the same name starts without the old one's partners.
	w.cluster(t, clusterParams("c"))
	if list, err := w.Partners(t.Context(), caller, request("c", "", "")); err != nil || len(list) != 0 {
		t.Errorf("partners = %v, %v, want none", list, err)
	}
}
