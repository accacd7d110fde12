package warehouses_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/store/storetest"
	"github.com/penstock-io/penstock/internal/tag"
	"github.com/penstock-io/penstock/internal/warehouses"
)

var caller = identity.Caller{Partition: "aws", Account: "123456789012", Region: "us-east-1"}

// world is a Service with everything around it in the hands of the test.
type world struct {
	*warehouses.Service
	store    *storetest.Memory
	box      *secret.Box
	notified int
	ids      int
	now      time.Time
}

func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func newWorld(t *testing.T, c warehouses.Catalogue) *world {
	t.Helper()
	box, err := secret.NewBox(bytes.Repeat([]byte{7}, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{store: storetest.NewMemory(), box: box, now: time.Unix(1_800_000_000, 0).UTC()}
	w.Service = warehouses.NewService(warehouses.Config{
		Partition: "aws", Region: "us-east-1", Account: "123456789012",
		Warehouses: w.store, Clusters: w.store, Namespaces: w.store, Workgroups: w.store, Partners: w.store, Box: box, Catalogue: c,
		Now:    func() time.Time { w.now = w.now.Add(time.Second); return w.now },
		NewID:  func() string { w.ids++; return id(w.ids) },
		Notify: func() { w.notified++ },
	})
	return w
}

func clusterParams(identifier string) warehouses.CreateClusterParams {
	return warehouses.CreateClusterParams{Identifier: identifier, NodeType: "ra3.large", MasterUsername: "admin", MasterPassword: secret.NewText("Abcdefg1")}
}

// cluster makes a cluster that is available.
func (w *world) cluster(t *testing.T, p warehouses.CreateClusterParams) warehouses.ClusterInfo {
	t.Helper()
	c, err := w.CreateCluster(t.Context(), p)
	must(t, err)
	must(t, w.Created(t.Context(), c.WarehouseID))
	return c
}

func (w *world) namespace(t *testing.T, name string) warehouses.NamespaceInfo {
	t.Helper()
	n, err := w.CreateNamespace(t.Context(), warehouses.CreateNamespaceParams{Name: name})
	must(t, err)
	must(t, w.Created(t.Context(), n.WarehouseID))
	return n
}

func (w *world) one(t *testing.T, identifier string) warehouses.ClusterInfo {
	t.Helper()
	p, err := w.Clusters(t.Context(), warehouses.ListClustersParams{Identifier: identifier})
	must(t, err)
	return p.Clusters[0]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, err error, kind fault.Kind, subject string) {
	t.Helper()
	if !fault.Is(err, kind, subject) {
		t.Errorf("err = %v, want %v about %q", err, kind, subject)
	}
}

func TestDefault(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	for range 2 {
		must(t, w.EnsureDefault(t.Context()))
	}
	all, err := w.All(t.Context())
	must(t, err)
	if len(all) != 1 || all[0].State != warehouses.Creating || all[0].Database != "dev" || w.notified != 1 {
		t.Fatalf("warehouses = %+v, notified %d times; want one, made once", all, w.notified)
	}
	want := all[0].ID
	must(t, w.Created(t.Context(), want))
	for name, find := range map[string]func() (warehouses.Warehouse, error){
		"cluster":   func() (warehouses.Warehouse, error) { return w.ByCluster(t.Context(), "default") },
		"workgroup": func() (warehouses.Warehouse, error) { return w.ByWorkgroup(t.Context(), "default") },
		"namespace": func() (warehouses.Warehouse, error) {
			n, err := w.Namespace(t.Context(), "default")
			return n.Warehouse, err
		},
		"its own id": func() (warehouses.Warehouse, error) { return w.Get(t.Context(), want) },
	} {
		if got, err := find(); err != nil || got.ID != want || got.State != warehouses.Available {
			t.Errorf("by %s: %+v, %v", name, got, err)
		}
	}
	_, err = w.DeleteCluster(t.Context(), warehouses.DeleteClusterParams{Identifier: "default", SkipFinalSnapshot: true})
	wants(t, err, fault.State, warehouses.SubjectCluster)
	_, err = w.ModifyCluster(t.Context(), warehouses.ModifyClusterParams{Identifier: "default", NewIdentifier: new("other")})
	wants(t, err, fault.State, warehouses.SubjectCluster)
	_, err = w.DeleteNamespace(t.Context(), "default", "")
	wants(t, err, fault.State, warehouses.SubjectNamespace)
	_, err = w.DeleteWorkgroup(t.Context(), "default")
	wants(t, err, fault.State, warehouses.SubjectWorkgroup)
}

func TestResolve(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	c := w.cluster(t, clusterParams("both")).WarehouseID
	n := w.namespace(t, "both").WarehouseID
	serverless := w.namespace(t, "serverless").WarehouseID
	for form, want := range map[string]string{
		"arn:aws:redshift:us-east-1:123456789012:namespace:" + c:                     c,
		"arn:aws:redshift:us-east-1:123456789012:namespace/" + c:                     c,
		"arn:aws:redshift-serverless:us-east-1:123456789012:namespace/" + c:          c,
		"arn:aws:redshift-serverless:us-east-1:123456789012:namespace:" + n:          n,
		"arn:aws:redshift:us-east-1:123456789012:namespace:" + n:                     n,
		"arn:aws:redshift:us-east-1:123456789012:namespace:" + strings.ToUpper(c):    c,
		"arn:aws:redshift:us-east-1:123456789012:namespace:both":                     c,
		"arn:aws:redshift-serverless:us-east-1:123456789012:namespace/both":          n,
		"arn:aws:redshift:us-east-1:123456789012:namespace/serverless":               serverless,
		"arn:aws:redshift-serverless:us-east-1:123456789012:namespace/" + id(9999):   "",
		"arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/" + serverless: "",
		"arn:aws:redshift:eu-west-1:123456789012:namespace:" + c:                     "",
		"arn:aws:redshift:us-east-1:999999999999:namespace:" + c:                     "",
		"arn:aws-cn:redshift:us-east-1:123456789012:namespace:" + c:                  "",
		"arn:aws:s3:us-east-1:123456789012:namespace:" + c:                           "",
		c: "",
	} {
		got, err := w.Resolve(t.Context(), form)
		if want == "" {
			wants(t, err, fault.NotFound, warehouses.SubjectNamespace)
		} else if err != nil || got.ID != want {
			t.Errorf("%s: %s, %v, want %s", form, got.ID, err, want)
		}
	}
	got, available, err := w.Target(t.Context(), "arn:aws:redshift:us-east-1:123456789012:namespace:"+c)
	if got != c || !available || err != nil {
		t.Errorf("target = %s, %v, %v", got, available, err)
	}
	_, err = w.DeleteCluster(t.Context(), warehouses.DeleteClusterParams{Identifier: "both", SkipFinalSnapshot: true})
	must(t, err)
	got, available, err = w.Target(t.Context(), "arn:aws:redshift:us-east-1:123456789012:namespace:"+c)
	if got != c || available || err != nil {
		t.Errorf("target being deleted = %s, %v, %v", got, available, err)
	}
}

func TestReady(t *testing.T) {
	for state, says := range map[warehouses.State]string{
		warehouses.Available: "", warehouses.Creating: "being created", warehouses.Failed: "no room", warehouses.Deleting: "being deleted",
	} {
		err := warehouses.Warehouse{State: state, Error: "no room"}.Ready()
		if (err == nil) != (says == "") || err != nil && (!fault.Is(err, fault.State, warehouses.SubjectWarehouse) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want it to say %q", state, err, says)
		}
	}
}

func TestClusterLife(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	p := clusterParams("c")
	p.Database, p.Tags = "sales", []tag.Tag{{Key: "env", Value: "dev"}}
	c, err := w.CreateCluster(t.Context(), p)
	must(t, err)
	if c.Status() != "creating" || c.Availability() != "Modifying" || w.notified != 1 || c.Warehouse.Database != "sales" {
		t.Errorf("created: %+v, notified %d times", c, w.notified)
	}
	if c.NamespaceARN != "arn:aws:redshift:us-east-1:123456789012:namespace:"+c.WarehouseID || c.ARN != "arn:aws:redshift:us-east-1:123456789012:cluster:c" {
		t.Errorf("ARNs %s, %s", c.NamespaceARN, c.ARN)
	}
	_, err = w.DeleteCluster(t.Context(), warehouses.DeleteClusterParams{Identifier: "c", SkipFinalSnapshot: true})
	wants(t, err, fault.State, warehouses.SubjectCluster)
	_, err = w.ModifyCluster(t.Context(), warehouses.ModifyClusterParams{Identifier: "c", Port: new(5440)})
	wants(t, err, fault.State, warehouses.SubjectCluster)
	_, err = w.CreateCluster(t.Context(), p)
	wants(t, err, fault.AlreadyExists, warehouses.SubjectCluster)

	must(t, w.Created(t.Context(), c.WarehouseID))
	if c = w.one(t, "c"); c.Status() != "available" || c.Availability() != "Available" {
		t.Errorf("available: %s, %s", c.Status(), c.Availability())
	}
	w.notified = 0
	c, err = w.DeleteCluster(t.Context(), warehouses.DeleteClusterParams{Identifier: "c", SkipFinalSnapshot: true})
	if err != nil || c.Status() != "deleting" || w.notified != 1 {
		t.Errorf("deleting: %s, %v, notified %d times", c.Status(), err, w.notified)
	}
	if c = w.one(t, "c"); c.Status() != "deleting" {
		t.Errorf("deleting: %s", c.Status())
	}
	_, err = w.DeleteCluster(t.Context(), warehouses.DeleteClusterParams{Identifier: "c", SkipFinalSnapshot: true})
	wants(t, err, fault.State, warehouses.SubjectCluster)
	for range 2 { // the second time it is gone already
		must(t, w.Deleted(t.Context(), c.WarehouseID))
	}
	_, err = w.Clusters(t.Context(), warehouses.ListClustersParams{Identifier: "c"})
	wants(t, err, fault.NotFound, warehouses.SubjectCluster)

	c, err = w.CreateCluster(t.Context(), p)
	must(t, err)
	must(t, w.CreateFailed(t.Context(), c.WarehouseID, "the disk is full"))
	if c = w.one(t, "c"); c.Status() != "hardware-failure" || c.Availability() != "Failed" || c.Warehouse.Error != "the disk is full" {
		t.Errorf("failed: %+v", c)
	}
	_, err = w.DeleteCluster(t.Context(), warehouses.DeleteClusterParams{Identifier: "c", SkipFinalSnapshot: true})
	must(t, err)
}

func TestCreateClusterRefuses(t *testing.T) {
	for _, tc := range []struct {
		name    string
		change  func(*warehouses.CreateClusterParams)
		kind    fault.Kind
		subject string
	}{
		{"identifier", func(p *warehouses.CreateClusterParams) { p.Identifier = "A" }, fault.Invalid, warehouses.SubjectCluster},
		{"node type", func(p *warehouses.CreateClusterParams) { p.NodeType = "large" }, fault.Invalid, warehouses.SubjectCluster},
		{"cluster type", func(p *warehouses.CreateClusterParams) { p.ClusterType = "multi-node" }, fault.Invalid, warehouses.SubjectNodes},
		{"too many nodes", func(p *warehouses.CreateClusterParams) { p.NumberOfNodes = new(101) }, fault.Limit, warehouses.SubjectNodes},
		{"user", func(p *warehouses.CreateClusterParams) { p.MasterUsername = "select" }, fault.Invalid, warehouses.SubjectCluster},
		{"no password", func(p *warehouses.CreateClusterParams) { p.MasterPassword = secret.Text{} }, fault.Invalid, warehouses.SubjectCluster},
		{"weak password", func(p *warehouses.CreateClusterParams) { p.MasterPassword = secret.NewText("weak") }, fault.Invalid, warehouses.SubjectCluster},
		{"two passwords", func(p *warehouses.CreateClusterParams) { p.ManagePassword = true }, fault.Invalid, warehouses.SubjectCluster},
		{"database", func(p *warehouses.CreateClusterParams) { p.Database = "No" }, fault.Invalid, warehouses.SubjectCluster},
		{"port", func(p *warehouses.CreateClusterParams) { p.Port = new(80) }, fault.Invalid, warehouses.SubjectCluster},
		{"retention", func(p *warehouses.CreateClusterParams) { p.SnapshotRetention = new(36) }, fault.Invalid, warehouses.SubjectRetention},
		{"manual retention", func(p *warehouses.CreateClusterParams) { p.ManualSnapshotRetention = new(0) }, fault.Invalid, warehouses.SubjectRetention},
		{"window", func(p *warehouses.CreateClusterParams) { p.MaintenanceWindow = "night" }, fault.Invalid, warehouses.SubjectCluster},
		{"address type", func(p *warehouses.CreateClusterParams) { p.IPAddressType = "ipv6" }, fault.Invalid, warehouses.SubjectCluster},
		{"role", func(p *warehouses.CreateClusterParams) { p.IAMRoles = []string{"r"} }, fault.Invalid, warehouses.SubjectCluster},
		{"version", func(p *warehouses.CreateClusterParams) { p.Version = "2.0" }, fault.Invalid, warehouses.SubjectCluster},
		{"a key that is not used", func(p *warehouses.CreateClusterParams) { p.KMSKeyID, p.Encrypted = "k", new(false) }, fault.Invalid, warehouses.SubjectCluster},
		{"tag", func(p *warehouses.CreateClusterParams) { p.Tags = []tag.Tag{{Key: "aws:x"}} }, fault.Invalid, warehouses.SubjectTag},
		{"tags", func(p *warehouses.CreateClusterParams) {
			for n := range tag.Max + 1 {
				p.Tags = append(p.Tags, tag.Tag{Key: fmt.Sprint(n)})
			}
		}, fault.Limit, warehouses.SubjectTagCount},
	} {
		w := newWorld(t, warehouses.Catalogue{})
		p := clusterParams("c")
		tc.change(&p)
		_, err := w.CreateCluster(t.Context(), p)
		if !fault.Is(err, tc.kind, tc.subject) {
			t.Errorf("%s: err = %v, want %v about %q", tc.name, err, tc.kind, tc.subject)
		}
		if all, err := w.All(t.Context()); err != nil || len(all) != 0 || w.notified != 0 {
			t.Errorf("%s: a refused creation left %v, %v", tc.name, all, err)
		}
	}
}

func TestClusterQuota(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	for n := range warehouses.MaxWarehouses {
		_, err := w.CreateCluster(t.Context(), clusterParams(fmt.Sprint("c", n)))
		must(t, err)
	}
	_, err := w.CreateCluster(t.Context(), clusterParams("more"))
	wants(t, err, fault.Limit, warehouses.SubjectWarehouse)
}

func TestClusterDefaults(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	c := w.cluster(t, clusterParams("c"))
	if c.Database != "dev" || c.Port != 5439 || !c.Encrypted || !c.AllowVersionUpgrade || c.PubliclyAccessible || c.NumberOfNodes != 1 ||
		c.Version != "1.0" || c.AvailabilityZone != "us-east-1a" || c.SnapshotRetention != 1 || c.ManualSnapshotRetention != -1 || c.IPAddressType != "ipv4" {
		t.Errorf("got %+v", c.Cluster)
	}
	p := clusterParams("d")
	p.Port, p.Encrypted, p.AllowVersionUpgrade, p.PubliclyAccessible, p.MultiAZ, p.EnhancedVPCRouting = new(5432), new(false), new(false), new(true), new(true), new(true)
	p.NumberOfNodes, p.SnapshotRetention, p.ManualSnapshotRetention, p.SubnetGroup, p.AquaStatus, p.MaintenanceTrack = new(4), new(0), new(10), "subnets", "disabled", "trailing"
	p.SecurityGroups, p.VPCSecurityGroups, p.IAMRoles = []string{"a"}, []string{"b"}, []string{"arn:aws:iam::123456789012:role/r"}
	c = w.cluster(t, p)
	if c.Port != 5432 || c.Encrypted || c.AllowVersionUpgrade || !c.PubliclyAccessible || !c.MultiAZ || !c.EnhancedVPCRouting || c.NumberOfNodes != 4 || c.SnapshotRetention != 0 ||
		c.ManualSnapshotRetention != 10 || c.SubnetGroup != "subnets" || c.AquaStatus != "disabled" || c.MaintenanceTrack != "trailing" ||
		c.SecurityGroups[0] != "a" || c.VPCSecurityGroups[0] != "b" || len(c.IAMRoles) != 1 {
		t.Errorf("got %+v", c.Cluster)
	}
}

func TestModifyCluster(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{Permissive: true})
	before := w.cluster(t, clusterParams("old"))
	w.cluster(t, clusterParams("taken"))
	_, err := w.AddPartner(t.Context(), caller, request("old", "dev", "Datacoral"))
	must(t, err)
	w.notified = 0
	roles := []string{"arn:aws:iam::123456789012:role/r"}
	got, err := w.ModifyCluster(t.Context(), warehouses.ModifyClusterParams{
		Identifier: "old", NewIdentifier: new("new"), NodeType: new("ra3.4xlarge"), ClusterType: new("multi-node"), NumberOfNodes: new(3), IAMRoles: &roles,
		Port: new(5440), SnapshotRetention: new(7), PubliclyAccessible: new(true),
	})
	must(t, err)
	if got.Identifier != "new" || got.NodeType != "ra3.4xlarge" || got.NumberOfNodes != 3 || len(got.IAMRoles) != 1 || got.Port != 5440 || got.SnapshotRetention != 7 || !got.PubliclyAccessible {
		t.Errorf("got %+v", got.Cluster)
	}
	if got.NamespaceARN != before.NamespaceARN || got.MasterUsername != "admin" || w.notified != 1 {
		t.Errorf("namespace %s, user %s, notified %d times", got.NamespaceARN, got.MasterUsername, w.notified)
	}
	if now := w.one(t, "new"); now.NumberOfNodes != 3 {
		t.Errorf("stored %+v", now)
	}
	partners, err := w.Partners(t.Context(), caller, request("new", "", ""))
	if err != nil || len(partners) != 1 || partners[0].Cluster != "new" {
		t.Errorf("partners = %+v, %v", partners, err)
	}
	for _, tc := range []struct {
		name    string
		p       warehouses.ModifyClusterParams
		kind    fault.Kind
		subject string
	}{
		{"unknown", warehouses.ModifyClusterParams{Identifier: "old"}, fault.NotFound, warehouses.SubjectCluster},
		{"taken", warehouses.ModifyClusterParams{Identifier: "new", NewIdentifier: new("taken")}, fault.AlreadyExists, warehouses.SubjectCluster},
		{"bad name", warehouses.ModifyClusterParams{Identifier: "new", NewIdentifier: new("No")}, fault.Invalid, warehouses.SubjectCluster},
		{"bad type", warehouses.ModifyClusterParams{Identifier: "new", NodeType: new("x")}, fault.Invalid, warehouses.SubjectCluster},
		{"one node of many", warehouses.ModifyClusterParams{Identifier: "new", ClusterType: new("multi-node"), NumberOfNodes: new(1)}, fault.Invalid, warehouses.SubjectNodes},
		{"bad port", warehouses.ModifyClusterParams{Identifier: "new", Port: new(1)}, fault.Invalid, warehouses.SubjectCluster},
		{"bad password", warehouses.ModifyClusterParams{Identifier: "new", MasterPassword: secret.NewText("weak")}, fault.Invalid, warehouses.SubjectCluster},
	} {
		if _, err := w.ModifyCluster(t.Context(), tc.p); !fault.Is(err, tc.kind, tc.subject) {
			t.Errorf("%s: err = %v, want %v about %q", tc.name, err, tc.kind, tc.subject)
		}
	}
	got, err = w.ModifyCluster(t.Context(), warehouses.ModifyClusterParams{Identifier: "new", ClusterType: new("single-node")})
	if err != nil || got.NumberOfNodes != 1 {
		t.Errorf("%d nodes, %v, want 1", got.NumberOfNodes, err)
	}
}

// A password is sealed, follows its cluster through a new name, and goes when it is to be managed.
func TestPasswords(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	c := w.cluster(t, clusterParams("c"))
	opens := func(c warehouses.ClusterInfo, want string) {
		t.Helper()
		if bytes.Contains(c.MasterPassword, []byte(want)) {
			t.Error("the password is stored in the clear")
		}
		got, err := w.box.Open("cluster/password/"+c.WarehouseID, c.MasterPassword)
		if err != nil || got.Reveal() != want {
			t.Errorf("the sealed password does not open to what was given: %v", err)
		}
	}
	opens(c, "Abcdefg1")
	c, err := w.ModifyCluster(t.Context(), warehouses.ModifyClusterParams{Identifier: "c", NewIdentifier: new("d")})
	must(t, err)
	opens(c, "Abcdefg1")
	c, err = w.ModifyCluster(t.Context(), warehouses.ModifyClusterParams{Identifier: "d", MasterPassword: secret.NewText("Hijklmn2")})
	must(t, err)
	opens(c, "Hijklmn2")
	c, err = w.ModifyCluster(t.Context(), warehouses.ModifyClusterParams{Identifier: "d", ManagePassword: new(true)})
	if err != nil || !c.ManagePassword || c.MasterPassword != nil {
		t.Errorf("managed: %+v, %v", c.Cluster, err)
	}
	_, err = w.ModifyCluster(t.Context(), warehouses.ModifyClusterParams{Identifier: "d", ManagePassword: new(false)})
	wants(t, err, fault.Invalid, warehouses.SubjectCluster)
	_, err = w.ModifyCluster(t.Context(), warehouses.ModifyClusterParams{Identifier: "d", MasterPassword: secret.NewText("Hijklmn2")})
	wants(t, err, fault.Invalid, warehouses.SubjectCluster) // while it is managed
	c, err = w.ModifyCluster(t.Context(), warehouses.ModifyClusterParams{Identifier: "d", ManagePassword: new(false), MasterPassword: secret.NewText("Hijklmn2")})
	must(t, err)
	opens(c, "Hijklmn2")
}

func TestDeleteClusterSnapshots(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	w.cluster(t, clusterParams("c"))
	for _, tc := range []struct {
		p       warehouses.DeleteClusterParams
		kind    fault.Kind
		subject string
	}{
		{warehouses.DeleteClusterParams{Identifier: "c"}, fault.Invalid, warehouses.SubjectSnapshot},
		{warehouses.DeleteClusterParams{Identifier: "c", SkipFinalSnapshot: true, FinalSnapshot: "s"}, fault.Invalid, warehouses.SubjectSnapshot},
		{warehouses.DeleteClusterParams{Identifier: "c", FinalSnapshot: "s"}, fault.Unsupported, warehouses.SubjectSnapshot},
		{warehouses.DeleteClusterParams{Identifier: "zz", SkipFinalSnapshot: true}, fault.NotFound, warehouses.SubjectCluster},
	} {
		_, err := w.DeleteCluster(t.Context(), tc.p)
		wants(t, err, tc.kind, tc.subject)
	}
	if c := w.one(t, "c"); c.Status() != "available" {
		t.Errorf("a refused deletion left it %s", c.Status())
	}
}

func TestListClusters(t *testing.T) {
	w := newWorld(t, warehouses.Catalogue{})
	for n := range 45 {
		p := clusterParams(fmt.Sprintf("c%02d", n))
		p.Tags = []tag.Tag{{Key: "parity", Value: fmt.Sprint(n % 2)}}
		w.cluster(t, p)
	}
	var got []string
	p := warehouses.ListClustersParams{MaxRecords: new(20)}
	for range 3 {
		part, err := w.Clusters(t.Context(), p)
		must(t, err)
		for _, c := range part.Clusters {
			got = append(got, c.Identifier)
		}
		if p.Marker = part.Marker; len(got) == 20 { // the one the marker names goes
			must(t, w.store.WarehouseDelete(t.Context(), part.Clusters[19].WarehouseID))
		}
	}
	if len(got) != 45 || got[0] != "c00" || got[20] != "c20" || got[44] != "c44" || p.Marker != "" {
		t.Errorf("%d clusters, the last marker is %q: %v", len(got), p.Marker, got)
	}
	for _, tc := range []struct {
		keys, values []string
		want         int
	}{ // 44 are left; c19, which is gone, was odd
		{[]string{"parity"}, nil, 44},
		{nil, []string{"1"}, 21},
		{[]string{"parity"}, []string{"0"}, 23},
		{[]string{"parity"}, []string{"0", "1"}, 44},
		{[]string{"zz"}, nil, 0},
	} {
		part, err := w.Clusters(t.Context(), warehouses.ListClustersParams{TagKeys: tc.keys, TagValues: tc.values})
		if err != nil || len(part.Clusters) != tc.want {
			t.Errorf("keys %v, values %v: %d clusters, %v, want %d", tc.keys, tc.values, len(part.Clusters), err, tc.want)
		}
	}
	_, err := w.Clusters(t.Context(), warehouses.ListClustersParams{MaxRecords: new(101)})
	wants(t, err, fault.Invalid, page.SubjectSize)
	_, err = w.Clusters(t.Context(), warehouses.ListClustersParams{Marker: "zz"})
	wants(t, err, fault.Invalid, page.SubjectMarker)
}
