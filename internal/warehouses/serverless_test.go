package warehouses_test

import (
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/tag"
	"github.com/penstock-io/penstock/internal/warehouses"
)

func TestServerlessLife(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	n, err := w.CreateNamespace(t.Context(), warehouses.CreateNamespaceParams{Name: "ns-1", Tags: []tag.Tag{{Key: "a", Value: "b"}}})
	must(t, err)
	if n.Status() != "MODIFYING" || n.Database != "dev" || n.AdminUsername != "admin" || n.KMSKeyID != "AWS_OWNED_KMS_KEY" || n.Tags["a"] != "b" || w.notified != 1 {
		t.Errorf("created: %+v, notified %d times", n, w.notified)
	}
	if n.ARN != "arn:aws:redshift-serverless:us-east-1:123456789012:namespace/"+n.WarehouseID {
		t.Errorf("ARN %s", n.ARN)
	}
	_, err = w.CreateNamespace(t.Context(), warehouses.CreateNamespaceParams{Name: "ns-1"})
	wants(t, err, fault.AlreadyExists, warehouses.SubjectNamespace)

	// Terraform makes the workgroup at once and waits for that.
	g, err := w.CreateWorkgroup(t.Context(), warehouses.CreateWorkgroupParams{Name: "wg-1", Namespace: "ns-1", Parameters: map[string]string{"enable_case_sensitive_identifier": "true"}})
	must(t, err)
	if g.Status() != "CREATING" || g.BaseCapacity != 128 || g.Port != 5439 || g.TrackName != "current" || g.Parameters["enable_case_sensitive_identifier"] != "true" || g.Parameters["query_group"] != "default" {
		t.Errorf("created: %+v", g)
	}
	must(t, w.Created(t.Context(), n.WarehouseID))
	if g, err = w.GetWorkgroup(t.Context(), "wg-1"); err != nil || g.Status() != "AVAILABLE" {
		t.Errorf("available: %s, %v", g.Status(), err)
	}
	for _, name := range []string{"wg-1", g.ARN} {
		if got, err := w.ByWorkgroup(t.Context(), name); err != nil || got.ID != n.WarehouseID {
			t.Errorf("by %s: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"zz", "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/zz", n.ARN, "arn:aws:redshift-serverless:eu-west-1:123456789012:workgroup/" + g.ID} {
		_, err := w.ByWorkgroup(t.Context(), name)
		wants(t, err, fault.NotFound, warehouses.SubjectWorkgroup)
	}

	_, err = w.DeleteNamespace(t.Context(), "ns-1", "")
	wants(t, err, fault.Conflict, warehouses.SubjectNamespace)
	g, err = w.DeleteWorkgroup(t.Context(), "wg-1")
	if err != nil || g.Status() != "DELETING" || g.Name != "wg-1" {
		t.Errorf("deleted: %+v, %v", g, err)
	}
	_, err = w.DeleteWorkgroup(t.Context(), "wg-1")
	wants(t, err, fault.NotFound, warehouses.SubjectWorkgroup)
	_, err = w.DeleteNamespace(t.Context(), "ns-1", "snapshot")
	wants(t, err, fault.Unsupported, warehouses.SubjectSnapshot)
	n, err = w.DeleteNamespace(t.Context(), "ns-1", "")
	if err != nil || n.Status() != "DELETING" {
		t.Errorf("deleting: %s, %v", n.Status(), err)
	}
	_, err = w.UpdateNamespace(t.Context(), warehouses.UpdateNamespaceParams{Name: "ns-1", KMSKeyID: new("k")})
	wants(t, err, fault.State, warehouses.SubjectNamespace)
	_, err = w.DeleteNamespace(t.Context(), "ns-1", "")
	wants(t, err, fault.State, warehouses.SubjectNamespace)
	_, err = w.CreateWorkgroup(t.Context(), warehouses.CreateWorkgroupParams{Name: "wg-2", Namespace: "ns-1"})
	wants(t, err, fault.Conflict, warehouses.SubjectNamespace)
	must(t, w.Deleted(t.Context(), n.WarehouseID))
	_, err = w.Namespace(t.Context(), "ns-1")
	wants(t, err, fault.NotFound, warehouses.SubjectNamespace)
	_, err = w.DeleteNamespace(t.Context(), "ns-1", "")
	wants(t, err, fault.NotFound, warehouses.SubjectNamespace)
}

func TestCreateNamespaceRefuses(t *testing.T) {
	password := secret.NewText("Abcdefg1")
	for name, p := range map[string]warehouses.CreateNamespaceParams{
		"name":                     {Name: "NS"},
		"database":                 {Name: "ns-1", Database: "select"},
		"user without a password":  {Name: "ns-1", AdminUsername: "me"},
		"password without a user":  {Name: "ns-1", AdminPassword: password},
		"weak password":            {Name: "ns-1", AdminUsername: "me", AdminPassword: secret.NewText("weak")},
		"password, and managed":    {Name: "ns-1", AdminUsername: "me", AdminPassword: password, ManagePassword: true},
		"user":                     {Name: "ns-1", AdminUsername: "Me", AdminPassword: password},
		"role":                     {Name: "ns-1", IAMRoles: []string{"r"}},
		"default role":             {Name: "ns-1", DefaultIAMRole: "r"},
		"log":                      {Name: "ns-1", LogExports: []string{"errorlog"}},
		"user alone, not reserved": {Name: "ns-1", AdminUsername: "user", ManagePassword: true},
	} {
		w := newWorld(t, warehouses.Catalogue{})
		if _, err := w.CreateNamespace(t.Context(), p); !fault.Is(err, fault.Invalid, warehouses.SubjectNamespace) {
			t.Errorf("%s: err = %v, want Invalid", name, err)
		}
	}
}

func TestUpdateNamespace(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	w.namespace(t, "ns-1")
	roles := []string{"arn:aws:iam::123456789012:role/r"}
	logs := []string{"userlog"}
	w.notified = 0
	got, err := w.UpdateNamespace(t.Context(), warehouses.UpdateNamespaceParams{
		Name: "ns-1", AdminUsername: "me", AdminPassword: secret.NewText("Abcdefg1"), KMSKeyID: new("k"), DefaultIAMRole: &roles[0], IAMRoles: &roles, LogExports: &logs,
	})
	must(t, err)
	if got.AdminUsername != "me" || got.KMSKeyID != "k" || got.DefaultIAMRole != roles[0] || got.LogExports[0] != "userlog" || w.notified != 1 {
		t.Errorf("got %+v", got)
	}
	if text, err := w.box.Open("namespace/password/"+got.WarehouseID, got.AdminPassword); err != nil || text.Reveal() != "Abcdefg1" {
		t.Errorf("the sealed password does not open: %v", err)
	}
	got, err = w.UpdateNamespace(t.Context(), warehouses.UpdateNamespaceParams{Name: "ns-1", ManagePassword: new(true)})
	if err != nil || got.AdminPassword != nil || !got.ManagePassword || got.AdminUsername != "me" {
		t.Errorf("managed: %+v, %v", got, err)
	}
	for name, p := range map[string]warehouses.UpdateNamespaceParams{
		"a default role alone":  {Name: "ns-1", DefaultIAMRole: &roles[0]},
		"no password any more":  {Name: "ns-1", ManagePassword: new(false)},
		"a password, managed":   {Name: "ns-1", AdminUsername: "me", AdminPassword: secret.NewText("Abcdefg1")},
		"a log that is not one": {Name: "ns-1", LogExports: &roles},
	} {
		if _, err := w.UpdateNamespace(t.Context(), p); !fault.Is(err, fault.Invalid, warehouses.SubjectNamespace) {
			t.Errorf("%s: err = %v, want Invalid", name, err)
		}
	}
	_, err = w.UpdateNamespace(t.Context(), warehouses.UpdateNamespaceParams{Name: "zz"})
	wants(t, err, fault.NotFound, warehouses.SubjectNamespace)
}

func TestWorkgroupRules(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	w.namespace(t, "ns-1")
	w.namespace(t, "ns-2")
	base := func() warehouses.CreateWorkgroupParams {
		return warehouses.CreateWorkgroupParams{Name: "wg-1", Namespace: "ns-1"}
	}
	for _, tc := range []struct {
		name    string
		change  func(*warehouses.CreateWorkgroupParams)
		kind    fault.Kind
		subject string
	}{
		{"name", func(p *warehouses.CreateWorkgroupParams) { p.Name = "x" }, fault.Invalid, warehouses.SubjectWorkgroup},
		{"namespace", func(p *warehouses.CreateWorkgroupParams) { p.Namespace = "zz" }, fault.NotFound, warehouses.SubjectNamespace},
		{"capacity", func(p *warehouses.CreateWorkgroupParams) { p.BaseCapacity = new(12) }, fault.Invalid, warehouses.SubjectWorkgroup},
		{"capacity too large", func(p *warehouses.CreateWorkgroupParams) { p.BaseCapacity = new(1032) }, fault.Invalid, warehouses.SubjectWorkgroup},
		{"maximum below the base", func(p *warehouses.CreateWorkgroupParams) { p.MaxCapacity = new(64) }, fault.Invalid, warehouses.SubjectWorkgroup},
		{"port", func(p *warehouses.CreateWorkgroupParams) { p.Port = new(1) }, fault.Invalid, warehouses.SubjectWorkgroup},
		{"parameter", func(p *warehouses.CreateWorkgroupParams) { p.Parameters = map[string]string{"zz": "1"} }, fault.Invalid, warehouses.SubjectWorkgroup},
		{"address type", func(p *warehouses.CreateWorkgroupParams) { p.IPAddressType = "x" }, fault.Invalid, warehouses.SubjectWorkgroup},
		{"tag", func(p *warehouses.CreateWorkgroupParams) { p.Tags = []tag.Tag{{Key: ""}} }, fault.Invalid, warehouses.SubjectTag},
	} {
		p := base()
		tc.change(&p)
		if _, err := w.CreateWorkgroup(t.Context(), p); !fault.Is(err, tc.kind, tc.subject) {
			t.Errorf("%s: err = %v, want %v about %q", tc.name, err, tc.kind, tc.subject)
		}
	}
	p := base()
	p.BaseCapacity, p.MaxCapacity, p.Port, p.PubliclyAccessible, p.EnhancedVPCRouting, p.IPAddressType = new(4), new(8), new(8191), true, true, "dualstack"
	p.SubnetIDs, p.SecurityGroupIDs, p.TrackName = []string{"subnet-1"}, []string{"sg-1"}, "trailing"
	g, err := w.CreateWorkgroup(t.Context(), p)
	must(t, err)
	if g.BaseCapacity != 4 || g.MaxCapacity != 8 || g.Port != 8191 || !g.PubliclyAccessible || !g.EnhancedVPCRouting || g.IPAddressType != "dualstack" || g.SubnetIDs[0] != "subnet-1" || g.SecurityGroupIDs[0] != "sg-1" || g.TrackName != "trailing" {
		t.Errorf("got %+v", g)
	}
	_, err = w.CreateWorkgroup(t.Context(), warehouses.CreateWorkgroupParams{Name: "wg-1", Namespace: "ns-2"})
	wants(t, err, fault.AlreadyExists, warehouses.SubjectWorkgroup)
	_, err = w.CreateWorkgroup(t.Context(), warehouses.CreateWorkgroupParams{Name: "wg-2", Namespace: "ns-1"})
	wants(t, err, fault.Conflict, warehouses.SubjectNamespace)

	g, err = w.UpdateWorkgroup(t.Context(), warehouses.UpdateWorkgroupParams{Name: "wg-1", BaseCapacity: new(8), Parameters: map[string]string{"query_group": "mine"}, PubliclyAccessible: new(false)})
	if err != nil || g.BaseCapacity != 8 || g.Parameters["query_group"] != "mine" || g.Parameters["require_ssl"] != "true" || g.PubliclyAccessible {
		t.Errorf("updated: %+v, %v", g, err)
	}
	_, err = w.UpdateWorkgroup(t.Context(), warehouses.UpdateWorkgroupParams{Name: "wg-1", BaseCapacity: new(9)})
	wants(t, err, fault.Invalid, warehouses.SubjectWorkgroup)
	_, err = w.UpdateWorkgroup(t.Context(), warehouses.UpdateWorkgroupParams{Name: "zz"})
	wants(t, err, fault.NotFound, warehouses.SubjectWorkgroup)
}

func TestServerlessLists(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	for n := range 5 {
		w.namespace(t, fmt.Sprint("ns-", n))
		_, err := w.CreateWorkgroup(t.Context(), warehouses.CreateWorkgroupParams{Name: fmt.Sprint("wg-", n), Namespace: fmt.Sprint("ns-", n)})
		must(t, err)
	}
	var namespaces, workgroups []string
	var token string
	for range 3 {
		p, err := w.ListNamespaces(t.Context(), token, new(2))
		must(t, err)
		for _, n := range p.Namespaces {
			namespaces = append(namespaces, n.Name)
		}
		token = p.Token
	}
	if fmt.Sprint(namespaces) != "[ns-0 ns-1 ns-2 ns-3 ns-4]" || token != "" {
		t.Errorf("namespaces = %v, token %q", namespaces, token)
	}
	for range 3 {
		p, err := w.ListWorkgroups(t.Context(), token, new(2))
		must(t, err)
		for _, g := range p.Workgroups {
			workgroups = append(workgroups, g.Name)
		}
		token = p.Token
	}
	if fmt.Sprint(workgroups) != "[wg-0 wg-1 wg-2 wg-3 wg-4]" || token != "" {
		t.Errorf("workgroups = %v, token %q", workgroups, token)
	}
	p, err := w.ListNamespaces(t.Context(), "", new(2))
	must(t, err)
	_, err = w.ListWorkgroups(t.Context(), p.Token, nil)
	wants(t, err, fault.Invalid, page.SubjectMarker)
	_, err = w.ListNamespaces(t.Context(), "", new(0))
	wants(t, err, fault.Invalid, page.SubjectSize)
}

func TestTags(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	p := clusterParams("c")
	p.Tags = []tag.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}
	c := w.cluster(t, p)
	n, err := w.CreateNamespace(t.Context(), warehouses.CreateNamespaceParams{Name: "ns-1", Tags: p.Tags})
	must(t, err)
	g, err := w.CreateWorkgroup(t.Context(), warehouses.CreateWorkgroupParams{Name: "wg-1", Namespace: "ns-1", Tags: p.Tags})
	must(t, err)
	for _, resource := range []string{c.ARN, n.ARN, g.ARN} {
		must(t, w.AddTags(t.Context(), resource, []tag.Tag{{Key: "b", Value: "3"}, {Key: "c", Value: "4"}}))
		must(t, w.RemoveTags(t.Context(), resource, []string{"a", "zz"}))
		tags, err := w.Tags(t.Context(), resource)
		if err != nil || len(tags) != 2 || tags["b"] != "3" || tags["c"] != "4" {
			t.Errorf("%s: %v, %v", resource, tags, err)
		}
		wants(t, w.AddTags(t.Context(), resource, []tag.Tag{{Key: "aws:x"}}), fault.Invalid, warehouses.SubjectTag)
	}
	for _, resource := range []string{
		"c", c.NamespaceARN, "arn:aws:redshift:us-east-1:123456789012:cluster:zz", "arn:aws:redshift:eu-west-1:123456789012:cluster:c",
		"arn:aws:redshift-serverless:us-east-1:123456789012:namespace/zz", "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/zz",
		"arn:aws:redshift-serverless:us-east-1:123456789012:namespace/" + c.WarehouseID, "arn:aws:redshift:us-east-1:123456789012:snapshot:c/s",
	} {
		_, err := w.Tags(t.Context(), resource)
		wants(t, err, fault.NotFound, warehouses.SubjectResource)
		wants(t, w.AddTags(t.Context(), resource, nil), fault.NotFound, warehouses.SubjectResource)
		wants(t, w.RemoveTags(t.Context(), resource, nil), fault.NotFound, warehouses.SubjectResource)
	}
}
