package redshift_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	serverlesstypes "github.com/aws/aws-sdk-go-v2/service/redshiftserverless/types"

	serverlessfront "github.com/penstock-io/penstock/internal/front/redshiftserverless"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// cloud is a server with the fronts that Terraform needs for an integration, and the SDK clients it uses.
type cloud struct {
	env
	redshift   *sdk.Client
	serverless *redshiftserverless.Client
}

func newCloud(t *testing.T) cloud {
	t.Helper()
	e := newEnv(t)
	e.Pass(time.Since(e.Now())) // the SDK signs by the real clock
	other := serverlessfront.New(serverlessfront.Config{Warehouses: e.Warehouses, Address: "penstock.test"})
	server := httptest.NewServer(e.World.Client(e.service, other.Service()).Handler)
	t.Cleanup(server.Close)
	cfg := aws.Config{
		Region: wiretest.Region, BaseEndpoint: aws.String(server.URL), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider(wiretest.AccessKeyID, wiretest.SecretAccessKey, ""),
	}
	return cloud{e, sdk.NewFromConfig(cfg), redshiftserverless.NewFromConfig(cfg)}
}

// wait polls as Terraform does: any status that is neither pending nor a target is an error, and "", for not found,
// is a target only when there are no others. What supervise does happens between polls.
func (c cloud) wait(what string, pending, target []string, refresh func() (string, error)) {
	c.t.Helper()
	for range 10 {
		status, err := refresh()
		switch {
		case err != nil:
			c.t.Fatalf("%s: %v", what, err)
		case status == "" && len(target) == 0, slices.Contains(target, status):
			return
		case !slices.Contains(pending, status):
			c.t.Fatalf("%s: unexpected status %q, wanted target %q", what, status, target)
		}
		c.Supervise()
	}
	c.t.Fatalf("%s: still pending", what)
}

// integration reads an integration as Terraform and CloudFormation do. One that is gone is nil.
func (c cloud) integration(integrationARN string) *types.Integration {
	c.t.Helper()
	out, err := c.redshift.DescribeIntegrations(c.t.Context(), &sdk.DescribeIntegrationsInput{IntegrationArn: &integrationARN})
	if is[*types.IntegrationNotFoundFault](err) {
		return nil
	}
	if err != nil || len(out.Integrations) != 1 {
		c.t.Fatalf("describe %s: %v, %v; want exactly one", integrationARN, out, err)
	}
	return &out.Integrations[0]
}

func (c cloud) integrationStatus(integrationARN string) func() (string, error) {
	return func() (string, error) {
		i := c.integration(integrationARN)
		if i == nil {
			return "", nil
		}
		return string(i.Status), nil
	}
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

func (c cloud) ok(what string, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

func tagsOf(tags []types.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}

// Terraform makes the namespace, the workgroup, the policy and the integration, refreshes, updates and destroys
// them.
func TestTerraformIntegration(t *testing.T) {
	c := newCloud(t)
	ctx := t.Context()
	_, err := c.redshift.DescribeIntegrations(ctx, &sdk.DescribeIntegrationsInput{})
	c.ok("precheck", err)

	ns, err := c.serverless.CreateNamespace(ctx, &redshiftserverless.CreateNamespaceInput{
		NamespaceName: aws.String("tf-ns"), DbName: aws.String("dev"), LogExports: []serverlesstypes.LogExport{}, ManageAdminPassword: aws.Bool(false),
	})
	c.ok("create namespace", err)
	_, err = c.serverless.CreateWorkgroup(ctx, &redshiftserverless.CreateWorkgroupInput{
		NamespaceName: aws.String("tf-ns"), WorkgroupName: aws.String("tf-wg"), BaseCapacity: aws.Int32(8),
		ConfigParameters: []serverlesstypes.ConfigParameter{{ParameterKey: aws.String("enable_case_sensitive_identifier"), ParameterValue: aws.String("true")}},
	})
	c.ok("create workgroup", err)
	workgroupStatus := func() (string, error) {
		g, err := c.serverless.GetWorkgroup(ctx, &redshiftserverless.GetWorkgroupInput{WorkgroupName: aws.String("tf-wg")})
		if is[*serverlesstypes.ResourceNotFoundException](err) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		return string(g.Workgroup.Status), nil
	}
	c.wait("workgroup", []string{"CREATING", "MODIFYING"}, []string{"AVAILABLE"}, workgroupStatus)

	target := aws.ToString(ns.Namespace.NamespaceArn)
	policy := `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "redshift:CreateInboundIntegration", "Resource": "` + target + `"},
		{"Effect": "Allow", "Principal": {"Service": "redshift.amazonaws.com"}, "Action": "redshift:AuthorizeInboundIntegration", "Resource": "` + target + `",
		 "Condition": {"StringEquals": {"aws:SourceArn": "arn:aws:s3:::tf-bucket"}}}]}`
	put, err := c.redshift.PutResourcePolicy(ctx, &sdk.PutResourcePolicyInput{ResourceArn: &target, Policy: &policy})
	c.ok("put policy", err)
	id := aws.ToString(put.ResourcePolicy.ResourceArn)
	got, err := c.redshift.GetResourcePolicy(ctx, &sdk.GetResourcePolicyInput{ResourceArn: &id})
	c.ok("get policy", err)
	if id != target || aws.ToString(got.ResourcePolicy.ResourceArn) != target || !sameJSON(t, aws.ToString(got.ResourcePolicy.Policy), policy) {
		t.Errorf("the policy came back as %v under %q, want it as put under %q", got.ResourcePolicy, id, target)
	}

	created, err := c.redshift.CreateIntegration(ctx, &sdk.CreateIntegrationInput{
		IntegrationName: aws.String("tf-integration"), SourceArn: aws.String("arn:aws:s3:::tf-bucket"), TargetArn: &target,
		TagList: []types.Tag{{Key: aws.String("key1"), Value: aws.String("value1")}},
	})
	c.ok("create integration", err)
	arn := aws.ToString(created.IntegrationArn)
	c.wait("create", []string{"creating", "modifying"}, []string{"active"}, c.integrationStatus(arn))
	for range 2 { // a second plan must see no difference
		i := c.integration(arn)
		if aws.ToString(i.IntegrationName) != "tf-integration" || aws.ToString(i.SourceArn) != "arn:aws:s3:::tf-bucket" || aws.ToString(i.TargetArn) != target ||
			i.Description != nil || i.KMSKeyId != nil || len(i.AdditionalEncryptionContext) != 0 || tagsOf(i.Tags)["key1"] != "value1" || len(i.Tags) != 1 {
			t.Errorf("the integration drifts: %+v", i)
		}
	}

	_, err = c.redshift.ModifyIntegration(ctx, &sdk.ModifyIntegrationInput{IntegrationArn: &arn, IntegrationName: aws.String("tf-renamed"), Description: aws.String("described")})
	c.ok("modify", err)
	c.wait("modify", []string{"modifying"}, []string{"active"}, c.integrationStatus(arn))
	_, err = c.redshift.DeleteTags(ctx, &sdk.DeleteTagsInput{ResourceName: &arn, TagKeys: []string{"key1"}})
	c.ok("delete tags", err)
	_, err = c.redshift.CreateTags(ctx, &sdk.CreateTagsInput{ResourceName: &arn, Tags: []types.Tag{{Key: aws.String("key2"), Value: aws.String("value2")}}})
	c.ok("create tags", err)
	_, err = c.redshift.ModifyIntegration(ctx, &sdk.ModifyIntegrationInput{IntegrationArn: &arn, IntegrationName: aws.String("tf-renamed"), Description: aws.String("")})
	c.ok("modify again", err)
	c.wait("modify again", []string{"modifying"}, []string{"active"}, c.integrationStatus(arn))
	if i := c.integration(arn); aws.ToString(i.IntegrationName) != "tf-renamed" || i.Description != nil || len(i.Tags) != 1 || tagsOf(i.Tags)["key2"] != "value2" {
		t.Errorf("after the update the integration is %+v", i)
	}

	_, err = c.redshift.DeleteIntegration(ctx, &sdk.DeleteIntegrationInput{IntegrationArn: &arn})
	c.ok("delete", err)
	c.wait("delete", []string{"deleting", "active"}, nil, c.integrationStatus(arn))
	if _, err = c.redshift.DeleteIntegration(ctx, &sdk.DeleteIntegrationInput{IntegrationArn: &arn}); !is[*types.IntegrationNotFoundFault](err) {
		t.Errorf("a second delete: %v", err)
	}
	_, err = c.redshift.DeleteResourcePolicy(ctx, &sdk.DeleteResourcePolicyInput{ResourceArn: &target})
	c.ok("delete policy", err)
	if _, err = c.redshift.GetResourcePolicy(ctx, &sdk.GetResourcePolicyInput{ResourceArn: &target}); !is[*types.ResourceNotFoundFault](err) {
		t.Errorf("the policy after its deletion: %v", err)
	}
	_, err = c.serverless.DeleteWorkgroup(ctx, &redshiftserverless.DeleteWorkgroupInput{WorkgroupName: aws.String("tf-wg")})
	c.ok("delete workgroup", err)
	c.wait("delete workgroup", []string{"DELETING"}, nil, workgroupStatus)
	_, err = c.serverless.DeleteNamespace(ctx, &redshiftserverless.DeleteNamespaceInput{NamespaceName: aws.String("tf-ns")})
	c.ok("delete namespace", err)
	c.wait("delete namespace", []string{"DELETING"}, nil, func() (string, error) {
		n, err := c.serverless.GetNamespace(ctx, &redshiftserverless.GetNamespaceInput{NamespaceName: aws.String("tf-ns")})
		if is[*serverlesstypes.ResourceNotFoundException](err) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		return string(n.Namespace.Status), nil
	})
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}

func TestTerraformPartner(t *testing.T) {
	c := newCloud(t)
	ctx := t.Context()
	account, cluster, database, name := aws.String("123456789012"), aws.String("default"), aws.String("dev"), aws.String("Datacoral")
	added, err := c.redshift.AddPartner(ctx, &sdk.AddPartnerInput{AccountId: account, ClusterIdentifier: cluster, DatabaseName: database, PartnerName: name})
	c.ok("add", err)
	describe := func() []types.PartnerIntegrationInfo {
		t.Helper()
		out, err := c.redshift.DescribePartners(ctx, &sdk.DescribePartnersInput{AccountId: account, ClusterIdentifier: cluster, DatabaseName: added.DatabaseName, PartnerName: added.PartnerName})
		c.ok("describe", err)
		return out.PartnerIntegrationInfoList
	}
	if list := describe(); len(list) != 1 || aws.ToString(list[0].DatabaseName) != "dev" || aws.ToString(list[0].PartnerName) != "Datacoral" {
		t.Errorf("partners are %+v, want the one added", list)
	}
	_, err = c.redshift.DeletePartner(ctx, &sdk.DeletePartnerInput{AccountId: account, ClusterIdentifier: cluster, DatabaseName: database, PartnerName: name})
	c.ok("delete", err)
	if list := describe(); len(list) != 0 {
		t.Errorf("after the deletion partners are %+v", list)
	}
	_, err = c.redshift.DeletePartner(ctx, &sdk.DeletePartnerInput{AccountId: account, ClusterIdentifier: cluster, DatabaseName: database, PartnerName: name})
	if !is[*types.PartnerNotFoundFault](err) {
		t.Errorf("a second delete: %v", err)
	}
}

// Terraform waits for the availability of a cluster, indexes its parameter groups, tells its type from its nodes, and
// refuses unknown words for two of its members.
func TestTerraformCluster(t *testing.T) {
	c := newCloud(t)
	ctx := t.Context()
	id := aws.String("tf-cluster")
	_, err := c.redshift.CreateCluster(ctx, &sdk.CreateClusterInput{
		ClusterIdentifier: id, ClusterVersion: aws.String("1.0"), DBName: aws.String("mydb"), MasterUsername: aws.String("foo_test"),
		MasterUserPassword: aws.String("Mustbe8characters"), NodeType: aws.String("ra3.large"), Port: aws.Int32(5439), PubliclyAccessible: aws.Bool(true),
		AllowVersionUpgrade: aws.Bool(false), AutomatedSnapshotRetentionPeriod: aws.Int32(1), ClusterType: aws.String("multi-node"), NumberOfNodes: aws.Int32(2),
		MaintenanceTrackName: aws.String("current"), ManualSnapshotRetentionPeriod: aws.Int32(-1), Encrypted: aws.Bool(true),
		Tags: []types.Tag{{Key: aws.String("key1"), Value: aws.String("value1")}},
	})
	c.ok("create", err)
	read := func() *types.Cluster {
		t.Helper()
		out, err := c.redshift.DescribeClusters(ctx, &sdk.DescribeClustersInput{ClusterIdentifier: id})
		if is[*types.ClusterNotFoundFault](err) {
			return nil
		}
		if err != nil || len(out.Clusters) != 1 {
			t.Fatalf("describe: %v, %v", out, err)
		}
		return &out.Clusters[0]
	}
	availability := func() (string, error) {
		k := read()
		if k == nil {
			return "", nil
		}
		return aws.ToString(k.ClusterAvailabilityStatus), nil
	}
	c.wait("create", []string{"Modifying", "Unavailable"}, []string{"Available"}, availability)
	c.wait("relocation", []string{"pending_enabling", "pending_disabling"}, []string{"enabled", "disabled"}, func() (string, error) {
		return aws.ToString(read().AvailabilityZoneRelocationStatus), nil
	})
	logging, err := c.redshift.DescribeLoggingStatus(ctx, &sdk.DescribeLoggingStatusInput{ClusterIdentifier: id})
	if err != nil || aws.ToBool(logging.LoggingEnabled) {
		t.Errorf("logging: %+v, %v; want it off", logging, err)
	}
	for range 2 { // a second plan must see no difference
		k := read()
		if k.Endpoint == nil || len(k.ClusterParameterGroups) == 0 {
			t.Fatalf("the cluster lacks what Terraform takes for granted: %+v", k)
		}
		wrong := map[string]bool{
			"port": aws.ToInt32(k.Endpoint.Port) != 5439, "address": aws.ToString(k.Endpoint.Address) != "penstock.test",
			"type": len(k.ClusterNodes) < 2, "nodes": aws.ToInt32(k.NumberOfNodes) != 2, "version": aws.ToString(k.ClusterVersion) != "1.0",
			"database": aws.ToString(k.DBName) != "mydb", "user": aws.ToString(k.MasterUsername) != "foo_test", "public": !aws.ToBool(k.PubliclyAccessible),
			"upgrade": aws.ToBool(k.AllowVersionUpgrade), "automated": aws.ToInt32(k.AutomatedSnapshotRetentionPeriod) != 1,
			"manual": aws.ToInt32(k.ManualSnapshotRetentionPeriod) != -1, "track": aws.ToString(k.MaintenanceTrackName) != "current",
			"encrypted": !aws.ToBool(k.Encrypted), "multi-AZ": !strings.EqualFold(aws.ToString(k.MultiAZ), "disabled"), "namespace": k.ClusterNamespaceArn == nil,
			"status": aws.ToString(k.ClusterStatus) != "available", "tags": tagsOf(k.Tags)["key1"] != "value1", "secret": k.MasterPasswordSecretArn != nil,
		}
		for what, bad := range wrong {
			if bad {
				t.Errorf("%s drifts", what)
			}
		}
	}
	_, err = c.redshift.ModifyCluster(ctx, &sdk.ModifyClusterInput{ClusterIdentifier: id, NodeType: aws.String("ra3.large"), ClusterType: aws.String("single-node")})
	c.ok("modify", err)
	c.wait("modify", []string{"Maintenance", "Modifying", "Unavailable"}, []string{"Available"}, availability)
	if k := read(); aws.ToInt32(k.NumberOfNodes) != 1 || len(k.ClusterNodes) != 1 {
		t.Errorf("after the change to a single node: %d, %v", aws.ToInt32(k.NumberOfNodes), k.ClusterNodes)
	}
	_, err = c.redshift.DeleteCluster(ctx, &sdk.DeleteClusterInput{ClusterIdentifier: id, SkipFinalClusterSnapshot: aws.Bool(true)})
	c.ok("delete", err)
	c.wait("delete", []string{"Maintenance", "Modifying"}, nil, availability)
}

// The SDK's own waiters end.
func TestWaiters(t *testing.T) {
	c := newCloud(t)
	c.Supervised = true
	server := httptest.NewServer(c.World.Client(c.service).Handler)
	defer server.Close()
	client := sdk.New(c.redshift.Options(), func(o *sdk.Options) { o.BaseEndpoint = &server.URL })
	ctx := t.Context()
	_, err := client.CreateCluster(ctx, &sdk.CreateClusterInput{
		ClusterIdentifier: aws.String("sales"), NodeType: aws.String("ra3.large"), MasterUsername: aws.String("boss"), MasterUserPassword: aws.String("Secret123"),
	})
	c.ok("create", err)
	c.Supervise()
	in := &sdk.DescribeClustersInput{ClusterIdentifier: aws.String("sales")}
	c.ok("available", sdk.NewClusterAvailableWaiter(client).Wait(ctx, in, time.Minute))
	_, err = client.DeleteCluster(ctx, &sdk.DeleteClusterInput{ClusterIdentifier: aws.String("sales"), SkipFinalClusterSnapshot: aws.Bool(true)})
	c.ok("delete", err)
	c.Supervise()
	c.ok("deleted", sdk.NewClusterDeletedWaiter(client).Wait(ctx, in, time.Minute))
}

// CloudFormation's resource handler creates, reads, updates, lists and deletes an integration.
func TestCloudFormationIntegration(t *testing.T) {
	c := newCloud(t)
	ctx := t.Context()
	clusters, err := c.redshift.DescribeClusters(ctx, &sdk.DescribeClustersInput{})
	c.ok("clusters", err)
	target := aws.ToString(clusters.Clusters[0].ClusterNamespaceArn)
	policy := aPolicy
	_, err = c.redshift.PutResourcePolicy(ctx, &sdk.PutResourcePolicyInput{ResourceArn: &target, Policy: &policy})
	c.ok("namespace policy", err)

	create := func() string {
		t.Helper()
		out, err := c.redshift.CreateIntegration(ctx, &sdk.CreateIntegrationInput{
			IntegrationName: aws.String("stack-Integration-1A2B3C"), SourceArn: aws.String("arn:aws:s3:::cfn-bucket"), TargetArn: &target,
			TagList: []types.Tag{{Key: aws.String("stack"), Value: aws.String("mine")}, {Key: aws.String("old"), Value: aws.String("x")}},
		})
		c.ok("create", err)
		return aws.ToString(out.IntegrationArn)
	}
	arn := create()
	stable := func() {
		t.Helper()
		c.wait("stabilize", []string{"creating", "syncing", "modifying"}, []string{"active", "needs_attention"}, c.integrationStatus(arn))
		all, err := c.redshift.DescribeClusters(ctx, &sdk.DescribeClustersInput{})
		c.ok("clusters", err)
		n := slices.IndexFunc(all.Clusters, func(k types.Cluster) bool { return strings.EqualFold(aws.ToString(k.ClusterNamespaceArn), target) })
		if n < 0 || !strings.EqualFold(aws.ToString(all.Clusters[n].ClusterStatus), "available") || !strings.EqualFold(aws.ToString(all.Clusters[n].ClusterAvailabilityStatus), "available") {
			t.Fatalf("the target is not ready: %+v", all.Clusters)
		}
	}
	stable()
	read := func() (*types.Integration, map[string]string) {
		t.Helper()
		i := c.integration(arn)
		out, err := c.redshift.DescribeTags(ctx, &sdk.DescribeTagsInput{ResourceName: &arn})
		c.ok("tags", err)
		tags := map[string]string{}
		for _, r := range out.TaggedResources {
			tags[aws.ToString(r.Tag.Key)] = aws.ToString(r.Tag.Value)
		}
		return i, tags
	}
	if i, tags := read(); aws.ToString(i.TargetArn) != target || i.CreateTime == nil || tags["stack"] != "mine" || tags["old"] != "x" {
		t.Errorf("read gives %+v with the tags %v", i, tags)
	}

	_, err = c.redshift.DeleteTags(ctx, &sdk.DeleteTagsInput{ResourceName: &arn, TagKeys: []string{"old"}})
	c.ok("untag", err)
	_, err = c.redshift.CreateTags(ctx, &sdk.CreateTagsInput{ResourceName: &arn, Tags: []types.Tag{{Key: aws.String("new"), Value: aws.String("y")}}})
	c.ok("tag", err)
	_, err = c.redshift.ModifyIntegration(ctx, &sdk.ModifyIntegrationInput{IntegrationArn: &arn, IntegrationName: aws.String("renamed")})
	c.ok("rename", err)
	stable()
	if i, tags := read(); aws.ToString(i.IntegrationName) != "renamed" || len(tags) != 2 || tags["new"] != "y" {
		t.Errorf("after the update, read gives %+v with the tags %v", i, tags)
	}

	pages := sdk.NewDescribeIntegrationsPaginator(c.redshift, &sdk.DescribeIntegrationsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil || len(page.Integrations) != 1 {
			t.Fatalf("list: %v, %v", page, err)
		}
	}

	remove := func() {
		t.Helper()
		if c.integration(arn) == nil {
			t.Fatal("the integration is gone before its deletion")
		}
		_, err := c.redshift.DeleteIntegration(ctx, &sdk.DeleteIntegrationInput{IntegrationArn: &arn})
		c.ok("delete", err)
		c.wait("delete", []string{"deleting"}, nil, c.integrationStatus(arn))
		if c.integration(arn) != nil {
			t.Error("the integration is there after its deletion")
		}
	}
	remove()
	arn = create() // at once, under the same name
	stable()
	remove()
}
