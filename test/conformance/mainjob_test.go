package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	redshifttypes "github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	datatypes "github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	serverlesstypes "github.com/aws/aws-sdk-go-v2/service/redshiftserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/penstock-io/penstock/test/harness"
)

// restart stops a server cleanly and starts it again over the same directory.
func restart(t *testing.T, ctx context.Context, server *harness.Server, args ...string) *harness.Server {
	t.Helper()
	if err := server.Stop(); err != nil {
		t.Fatalf("the server did not stop cleanly: %v\n%s", err, server.Tail(20))
	}
	again, err := harness.Start(ctx, harness.Options{Dir: server.Dir, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := again.Stop(); err != nil {
			t.Errorf("the server did not stop cleanly: %v\n%s", err, again.Tail(30))
		}
	})
	return again
}

// TestMainJob is what Penstock is for, with restarts where a user would not expect to notice them.
func TestMainJob(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	who, err := c.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil || *who.Account != "123456789012" {
		t.Fatalf("%v, %v", who, err)
	}
	integration, err := c.Join(ctx, "orders")
	if err != nil {
		t.Fatal(err)
	}
	run(t, ctx, c, "CREATE TABLE orders (id INTEGER, customer VARCHAR(40), amount DECIMAL(10,2))")
	run(t, ctx, c, "COPY orders FROM 's3://orders/in/' "+role+" CSV JOB CREATE orders_job AUTO ON")
	for i := range 40 {
		put(t, ctx, c, "orders", fmt.Sprintf("in/%03d.csv", i), fmt.Sprintf("%d,Ada,1.50\n%d,Grace,2.25\n", 2*i, 2*i+1))
	}
	put(t, ctx, c, "orders", "elsewhere/000.csv", "999,Not ours,1\n")
	const count = "SELECT COUNT(*), COUNT(DISTINCT id), SUM(amount) FROM orders"
	eventually(t, ctx, c, count, "80 | 80 | 150.00")

	server = restart(t, ctx, server)
	c = server.Clients()
	if got := run(t, ctx, c, count); got[0] != "80 | 80 | 150.00" {
		t.Errorf("after a restart: %v", got)
	}
	found, err := c.Redshift.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: &integration})
	if err != nil || found.Integrations[0].Status != redshifttypes.ZeroETLIntegrationStatusActive {
		t.Errorf("after a restart: %+v, %v", found, err)
	}
	put(t, ctx, c, "orders", "in/late.csv", "1000,Late,10\n")
	eventually(t, ctx, c, count, "81 | 81 | 160.00")

	// A file that arrives while nobody is there to hear of it is found by listing. Here it is put aside first and
	// its arrival is the last thing the server does.
	put(t, ctx, c, "orders", "in/last.csv", "1001,Last,10\n")
	server = restart(t, ctx, server)
	c = server.Clients()
	eventually(t, ctx, c, count, "82 | 82 | 170.00")
	if got := run(t, ctx, c, "SELECT status, COUNT(*) FROM sys_copy_job_detail WHERE job_name = 'orders_job' GROUP BY 1"); len(got) != 1 || got[0] != "I | 42" {
		t.Errorf("the job's files: %v", got)
	}
	obj, err := c.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("orders"), Key: aws.String("in/late.csv")})
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Body.Close()
	if *obj.ContentLength != 13 {
		t.Errorf("an object is %d bytes after restarts", *obj.ContentLength)
	}
}

// TestWarehouses makes a cluster and a serverless namespace beside the default warehouse: each has databases
// and jobs of its own, one bucket feeds all three, and all of it is there after a restart.
func TestWarehouses(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	cluster, err := c.Redshift.CreateCluster(ctx, &redshift.CreateClusterInput{
		ClusterIdentifier: aws.String("analytics"), NodeType: aws.String("ra3.large"), MasterUsername: aws.String("admin"),
		MasterUserPassword: aws.String("Abcdefg1"), DBName: aws.String("sales"), NumberOfNodes: aws.Int32(2), ClusterType: aws.String("multi-node"),
	})
	if err != nil || *cluster.Cluster.ClusterStatus != "creating" && *cluster.Cluster.ClusterStatus != "available" {
		t.Fatalf("%+v, %v", cluster, err)
	}
	waiter := redshift.NewClusterAvailableWaiter(c.Redshift, func(o *redshift.ClusterAvailableWaiterOptions) { o.MinDelay, o.MaxDelay = 1e7, 1e8 })
	made, err := waiter.WaitForOutput(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("analytics")}, patienceLimit)
	if err != nil {
		t.Fatal(err)
	}
	provisioned := *made.Clusters[0].ClusterNamespaceArn
	space, err := c.Serverless.CreateNamespace(ctx, &redshiftserverless.CreateNamespaceInput{NamespaceName: aws.String("lab"), DbName: aws.String("lab")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Serverless.CreateWorkgroup(ctx, &redshiftserverless.CreateWorkgroupInput{
		WorkgroupName: aws.String("lab-wg"), NamespaceName: aws.String("lab"), BaseCapacity: aws.Int32(8),
		ConfigParameters: []serverlesstypes.ConfigParameter{{ParameterKey: aws.String("enable_case_sensitive_identifier"), ParameterValue: aws.String("true")}},
	}); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, func() (bool, string) {
		out, err := c.Serverless.GetWorkgroup(ctx, &redshiftserverless.GetWorkgroupInput{WorkgroupName: aws.String("lab-wg")})
		if err != nil {
			t.Fatal(err)
		}
		return out.Workgroup.Status == serverlesstypes.WorkgroupStatusAvailable, string(out.Workgroup.Status)
	})

	places := []struct {
		name, target string
		at           harness.At
	}{
		{"default", "", harness.At{Cluster: "default", Database: "dev"}},
		{"cluster", provisioned, harness.At{Cluster: "analytics", Database: "sales"}},
		{"serverless", *space.Namespace.NamespaceArn, harness.At{Workgroup: "lab-wg", Database: "lab"}},
	}
	clusters, err := c.Redshift.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("default")})
	if err != nil {
		t.Fatal(err)
	}
	places[0].target = *clusters.Clusters[0].ClusterNamespaceArn
	for _, p := range places {
		if _, err := c.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("feed-" + p.name)}); err != nil {
			t.Fatal(err)
		}
		out, err := c.Redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{
			IntegrationName: aws.String("feed-" + p.name), SourceArn: aws.String("arn:aws:s3:::feed-" + p.name), TargetArn: aws.String(p.target),
		})
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		if *out.TargetArn != p.target {
			t.Errorf("%s: the target %s came back as %s", p.name, p.target, *out.TargetArn)
		}
		if err := c.Until(ctx, *out.IntegrationArn, redshifttypes.ZeroETLIntegrationStatusActive); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		here := c.On(p.at)
		run(t, ctx, here, "CREATE TABLE t (id INTEGER, src VARCHAR(20) DEFAULT '"+p.name+"')")
		run(t, ctx, here, "COPY t (id) FROM 's3://feed-"+p.name+"/' "+role+" CSV JOB CREATE same_name")
		run(t, ctx, here, "CREATE DATABASE own_"+p.name)
	}
	feed := func(key, content string) {
		for _, p := range places {
			put(t, ctx, c, "feed-"+p.name, key, content)
		}
	}
	feed("1.csv", "1\n2\n3\n")
	check := func(when string) {
		for _, p := range places {
			here := c.On(p.at)
			eventually(t, ctx, here, "SELECT src, COUNT(*) FROM t GROUP BY src", p.name+" | 3")
			if got := run(t, ctx, here, "SELECT database_name FROM svv_redshift_databases WHERE database_name LIKE 'own%'"); len(got) != 1 || got[0] != "own_"+p.name {
				t.Errorf("%s: %s has the databases %v", when, p.name, got)
			}
			if got := run(t, ctx, here, "SELECT job_name, database_name FROM sys_copy_job"); len(got) != 1 || got[0] != "same_name | "+p.at.Database {
				t.Errorf("%s: %s has the jobs %v", when, p.name, got)
			}
		}
	}
	check("at first")
	server = restart(t, ctx, server)
	c = server.Clients()
	check("after a restart")

	// A deleted warehouse takes its jobs along and leaves the others alone.
	if _, err := c.Redshift.DeleteCluster(ctx, &redshift.DeleteClusterInput{ClusterIdentifier: aws.String("analytics"), SkipFinalClusterSnapshot: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	gone := redshift.NewClusterDeletedWaiter(c.Redshift, func(o *redshift.ClusterDeletedWaiterOptions) { o.MinDelay, o.MaxDelay = 1e7, 1e8 })
	if err := gone.Wait(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("analytics")}, patienceLimit); err != nil {
		t.Fatal(err)
	}
	if _, err := c.On(places[1].at).Exec(ctx, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "ValidationException") || !strings.Contains(err.Error(), "Redshift endpoint doesn't exist in this region") {
		t.Errorf("a statement for a cluster that is gone: %v", err)
	}
	feed("2.csv", "4\n")
	for _, p := range []int{0, 2} {
		eventually(t, ctx, c.On(places[p].at), "SELECT COUNT(*) FROM t", "4")
	}
	// Its integration says what is the matter.
	until(t, ctx, func() (bool, string) {
		out, err := c.Redshift.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{
			Filters: []redshifttypes.DescribeIntegrationsFilter{{Name: redshifttypes.DescribeIntegrationsFilterNameStatus, Values: []string{"needs_attention"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ok := len(out.Integrations) == 1 && *out.Integrations[0].IntegrationName == "feed-cluster" &&
			len(out.Integrations[0].Errors) == 1 && *out.Integrations[0].Errors[0].ErrorCode == "TARGET_NOT_FOUND"
		return ok, fmt.Sprintf("%+v", out.Integrations)
	})
	if _, err := c.Serverless.DeleteWorkgroup(ctx, &redshiftserverless.DeleteWorkgroupInput{WorkgroupName: aws.String("lab-wg")}); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, func() (bool, string) {
		_, err := c.Serverless.GetWorkgroup(ctx, &redshiftserverless.GetWorkgroupInput{WorkgroupName: aws.String("lab-wg")})
		var missing *serverlesstypes.ResourceNotFoundException
		return errors.As(err, &missing), fmt.Sprint(err)
	})
	if _, err := c.Data.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{WorkgroupName: aws.String("lab-wg"), Database: aws.String("lab"), Sql: aws.String("SELECT 1")}); err == nil {
		t.Error("a statement ran in a workgroup that is gone")
	} else if v := new(datatypes.ValidationException); !errors.As(err, &v) {
		t.Errorf("a statement for a workgroup that is gone: %v", err)
	}
}

// TestBucketFeedsTwoWarehouses joins one bucket to two warehouses: a bucket has one integration per warehouse.
func TestBucketFeedsTwoWarehouses(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	if _, err := c.Join(ctx, "shared"); err != nil {
		t.Fatal(err)
	}
	space, err := c.Serverless.CreateNamespace(ctx, &redshiftserverless.CreateNamespaceInput{NamespaceName: aws.String("second")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Serverless.CreateWorkgroup(ctx, &redshiftserverless.CreateWorkgroupInput{WorkgroupName: aws.String("second"), NamespaceName: aws.String("second")}); err != nil {
		t.Fatal(err)
	}
	var made *redshift.CreateIntegrationOutput
	until(t, ctx, func() (bool, string) {
		made, err = c.Redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{
			IntegrationName: aws.String("second"), SourceArn: aws.String("arn:aws:s3:::shared"), TargetArn: space.Namespace.NamespaceArn,
		})
		var state *redshifttypes.InvalidClusterStateFault
		return !errors.As(err, &state), fmt.Sprint(err)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Until(ctx, *made.IntegrationArn, redshifttypes.ZeroETLIntegrationStatusActive); err != nil {
		t.Fatal(err)
	}
	for _, at := range []harness.At{{}, {Workgroup: "second"}} {
		run(t, ctx, c.On(at), "CREATE TABLE t (id INTEGER)")
		run(t, ctx, c.On(at), "COPY t FROM 's3://shared/' "+role+" CSV JOB CREATE j")
	}
	put(t, ctx, c, "shared", "1.csv", "1\n")
	for _, at := range []harness.At{{}, {Workgroup: "second"}} {
		eventually(t, ctx, c.On(at), "SELECT COUNT(*) FROM t", "1")
	}
}
