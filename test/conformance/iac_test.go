package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	datatypes "github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	serverlesstypes "github.com/aws/aws-sdk-go-v2/service/redshiftserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// notifies is a notification of created objects to a queue, for keys with the prefix.
func notifies(bucket, queue, prefix string) *s3.PutBucketNotificationConfigurationInput {
	q := s3types.QueueConfiguration{QueueArn: &queue, Events: []s3types.Event{"s3:ObjectCreated:*"}}
	if prefix != "" {
		q.Filter = &s3types.NotificationConfigurationFilter{Key: &s3types.S3KeyFilter{FilterRules: []s3types.FilterRule{{Name: s3types.FilterRuleNamePrefix, Value: &prefix}}}}
	}
	return &s3.PutBucketNotificationConfigurationInput{
		Bucket: &bucket, SkipDestinationValidation: aws.Bool(true),
		NotificationConfiguration: &s3types.NotificationConfiguration{QueueConfigurations: []s3types.QueueConfiguration{q}},
	}
}

// sameJSON compares policies the way Terraform does: by what they say.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// TestTerraform makes the calls of Terraform's provider for a whole stack, in its order, waits for what it waits
// for and fails on what it fails on: create, read, plan again, update, destroy.
func TestTerraform(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	r := c.Redshift
	if _, err := c.STS.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err != nil {
		t.Fatal(err) // skip_requesting_account_id = false
	}
	if _, err := r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{}); err != nil {
		t.Fatal(err) // the acceptance tests' check
	}

	// aws_s3_bucket reads all of this after it creates one.
	bucket := aws.String("tf-source")
	if _, err := c.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.S3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	missing := func(what string, err error) {
		t.Helper()
		// The provider takes an error for absence only if its code says so; a 5xx or an unknown one ends the apply.
		for _, code := range []string{"NoSuchBucketPolicy", "NoSuchCORSConfiguration", "NoSuchWebsiteConfiguration", "NoSuchLifecycleConfiguration", "ReplicationConfigurationNotFoundError",
			"ServerSideEncryptionConfigurationNotFoundError", "ObjectLockConfigurationNotFoundError", "NoSuchTagSet", "NoSuchPublicAccessBlockConfiguration", "OwnershipControlsNotFoundError",
			"NotImplemented", "MethodNotAllowed", "UnsupportedOperation", "NoSuchConfiguration"} {
			if err != nil && strings.Contains(err.Error(), code) {
				return
			}
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := c.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bucket})
	missing("policy", err)
	_, err = c.S3.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: bucket})
	missing("acl", err)
	_, err = c.S3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: bucket})
	missing("cors", err)
	_, err = c.S3.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: bucket})
	missing("website", err)
	_, err = c.S3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bucket})
	missing("versioning", err)
	_, err = c.S3.GetBucketAccelerateConfiguration(ctx, &s3.GetBucketAccelerateConfigurationInput{Bucket: bucket})
	missing("accelerate", err)
	_, err = c.S3.GetBucketRequestPayment(ctx, &s3.GetBucketRequestPaymentInput{Bucket: bucket})
	missing("request payment", err)
	_, err = c.S3.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: bucket})
	missing("logging", err)
	_, err = c.S3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
	missing("lifecycle", err)
	_, err = c.S3.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: bucket})
	missing("replication", err)
	_, err = c.S3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: bucket})
	missing("encryption", err)
	_, err = c.S3.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: bucket})
	missing("object lock", err)
	_, err = c.S3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: bucket})
	missing("tagging", err)
	if _, err = c.S3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: bucket}); err != nil {
		t.Error(err)
	}

	// aws_s3_bucket_policy
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"redshift.amazonaws.com"},"Action":["s3:GetBucketNotification","s3:PutBucketNotification","s3:GetBucketLocation"],"Resource":"arn:aws:s3:::tf-source","Condition":{"StringLike":{"aws:SourceArn":"arn:aws:redshift:us-east-1:123456789012:integration:*"}}}]}`
	if _, err := c.S3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: &policy}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bucket}); err != nil || !sameJSON(*got.Policy, policy) {
		t.Fatalf("%+v, %v", got, err)
	}

	// aws_redshiftserverless_namespace and _workgroup
	space, err := c.Serverless.CreateNamespace(ctx, &redshiftserverless.CreateNamespaceInput{NamespaceName: aws.String("tf-space"), DbName: aws.String("tfdb")})
	if err != nil {
		t.Fatal(err)
	}
	until(t, ctx, func() (bool, string) {
		got, err := c.Serverless.GetNamespace(ctx, &redshiftserverless.GetNamespaceInput{NamespaceName: aws.String("tf-space")})
		if err != nil || *got.Namespace.NamespaceArn != *space.Namespace.NamespaceArn {
			t.Fatalf("%+v, %v", got, err)
		}
		if s := got.Namespace.Status; s != serverlesstypes.NamespaceStatusAvailable && s != serverlesstypes.NamespaceStatusModifying {
			t.Fatalf("unexpected state %s", s)
		}
		return got.Namespace.Status == serverlesstypes.NamespaceStatusAvailable, string(got.Namespace.Status)
	})
	if tags, err := c.Serverless.ListTagsForResource(ctx, &redshiftserverless.ListTagsForResourceInput{ResourceArn: space.Namespace.NamespaceArn}); err != nil || len(tags.Tags) != 0 {
		t.Fatalf("%+v, %v", tags, err)
	}
	params := map[string]string{"datestyle": "ISO, MDY", "enable_user_activity_logging": "true", "query_group": "default", "search_path": "$user, public", "max_query_execution_time": "14400",
		"auto_mv": "true", "enable_case_sensitive_identifier": "true", "require_ssl": "false", "use_fips_ssl": "false"}
	group := &redshiftserverless.CreateWorkgroupInput{WorkgroupName: aws.String("tf-space"), NamespaceName: aws.String("tf-space"), BaseCapacity: aws.Int32(8), PubliclyAccessible: aws.Bool(false)}
	for k, v := range params {
		group.ConfigParameters = append(group.ConfigParameters, serverlesstypes.ConfigParameter{ParameterKey: &k, ParameterValue: &v})
	}
	if _, err := c.Serverless.CreateWorkgroup(ctx, group); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, func() (bool, string) {
		out, err := c.Serverless.GetWorkgroup(ctx, &redshiftserverless.GetWorkgroupInput{WorkgroupName: aws.String("tf-space")})
		if err != nil {
			t.Fatal(err)
		}
		if s := out.Workgroup.Status; s != serverlesstypes.WorkgroupStatusAvailable && s != serverlesstypes.WorkgroupStatusCreating {
			t.Fatalf("unexpected state %s", s)
		}
		for _, p := range out.Workgroup.ConfigParameters {
			if want, ok := params[*p.ParameterKey]; ok && want != *p.ParameterValue {
				t.Errorf("%s = %s drifts from %s", *p.ParameterKey, *p.ParameterValue, want)
			}
		}
		return out.Workgroup.Status == serverlesstypes.WorkgroupStatusAvailable, string(out.Workgroup.Status)
	})

	// aws_redshift_resource_policy, on the serverless namespace
	namespace := *space.Namespace.NamespaceArn
	resourcePolicy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"redshift:CreateInboundIntegration","Resource":%q,"Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:s3:::tf-source"}}},{"Effect":"Allow","Principal":{"Service":"redshift.amazonaws.com"},"Action":"redshift:AuthorizeInboundIntegration","Resource":%q,"Condition":{"StringEquals":{"aws:SourceArn":["arn:aws:s3:::tf-source"]}}}]}`, namespace, namespace)
	putPolicy, err := r.PutResourcePolicy(ctx, &redshift.PutResourcePolicyInput{ResourceArn: &namespace, Policy: &resourcePolicy})
	if err != nil || *putPolicy.ResourcePolicy.ResourceArn != namespace {
		t.Fatalf("%+v, %v", putPolicy, err)
	}
	if got, err := r.GetResourcePolicy(ctx, &redshift.GetResourcePolicyInput{ResourceArn: &namespace}); err != nil || !sameJSON(*got.ResourcePolicy.Policy, resourcePolicy) {
		t.Fatalf("%+v, %v", got, err)
	}

	// aws_redshift_integration
	made, err := r.CreateIntegration(ctx, &redshift.CreateIntegrationInput{
		IntegrationName: aws.String("tf-integration"), SourceArn: aws.String("arn:aws:s3:::tf-source"), TargetArn: &namespace,
		TagList: []types.Tag{{Key: aws.String("Name"), Value: aws.String("tf")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := *made.IntegrationArn
	replayWait(t, c, arn, []types.ZeroETLIntegrationStatus{"creating", "modifying"}, "active")
	read := func(name, description string) {
		t.Helper()
		out, err := r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: &arn})
		if err != nil || len(out.Integrations) != 1 {
			t.Fatalf("%+v, %v", out, err)
		}
		i := out.Integrations[0]
		// What differs here would be a plan that never comes to rest.
		if *i.IntegrationName != name || aws.ToString(i.Description) != description || *i.SourceArn != "arn:aws:s3:::tf-source" || *i.TargetArn != namespace ||
			len(i.AdditionalEncryptionContext) != 0 || len(i.Tags) != 1 || *i.Tags[0].Key != "Name" {
			t.Errorf("the state drifts: %+v", i)
		}
	}
	read("tf-integration", "")
	read("tf-integration", "")

	// aws_redshiftdata_statement
	st, err := c.Data.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{WorkgroupName: aws.String("tf-space"), Database: aws.String("tfdb"), Sql: aws.String("CREATE TABLE t (id INTEGER)")})
	if err != nil {
		t.Fatal(err)
	}
	until(t, ctx, func() (bool, string) {
		out, err := c.Data.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: st.Id})
		if err != nil {
			t.Fatal(err)
		}
		switch out.Status {
		case datatypes.StatusStringFinished, datatypes.StatusStringPicked, datatypes.StatusStringStarted, datatypes.StatusStringSubmitted:
		default:
			t.Fatalf("unexpected state %s: %s", out.Status, aws.ToString(out.Error))
		}
		return out.Status == datatypes.StatusStringFinished, string(out.Status)
	})

	// Update: name and description together, then tags.
	if _, err := r.ModifyIntegration(ctx, &redshift.ModifyIntegrationInput{IntegrationArn: &arn, IntegrationName: aws.String("tf-renamed"), Description: aws.String("now described")}); err != nil {
		t.Fatal(err)
	}
	replayWait(t, c, arn, []types.ZeroETLIntegrationStatus{"modifying"}, "active")
	if _, err := r.DeleteTags(ctx, &redshift.DeleteTagsInput{ResourceName: &arn, TagKeys: []string{"Name"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateTags(ctx, &redshift.CreateTagsInput{ResourceName: &arn, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("tf2")}}}); err != nil {
		t.Fatal(err)
	}
	read("tf-renamed", "now described")

	// aws_redshift_partner on the cluster that is always there
	partner := &redshift.AddPartnerInput{AccountId: aws.String("123456789012"), ClusterIdentifier: aws.String("default"), DatabaseName: aws.String("dev"), PartnerName: aws.String("Datacoral")}
	added, err := r.AddPartner(ctx, partner)
	if err != nil || *added.DatabaseName != "dev" || *added.PartnerName != "Datacoral" {
		t.Fatalf("%+v, %v", added, err)
	}
	find := &redshift.DescribePartnersInput{AccountId: partner.AccountId, ClusterIdentifier: partner.ClusterIdentifier, DatabaseName: partner.DatabaseName, PartnerName: partner.PartnerName}
	if out, err := r.DescribePartners(ctx, find); err != nil || len(out.PartnerIntegrationInfoList) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	if _, err := r.DeletePartner(ctx, &redshift.DeletePartnerInput{AccountId: partner.AccountId, ClusterIdentifier: partner.ClusterIdentifier, DatabaseName: partner.DatabaseName, PartnerName: partner.PartnerName}); err != nil {
		t.Fatal(err)
	}
	if out, err := r.DescribePartners(ctx, find); err != nil || len(out.PartnerIntegrationInfoList) != 0 {
		t.Fatalf("%+v, %v", out, err)
	}

	// Destroy, in reverse. A second destroy finds nothing and is content.
	for range 2 {
		_, err := r.DeleteIntegration(ctx, &redshift.DeleteIntegrationInput{IntegrationArn: &arn})
		var gone *types.IntegrationNotFoundFault
		if err != nil && !errors.As(err, &gone) {
			t.Fatal(err)
		}
		replayWait(t, c, arn, []types.ZeroETLIntegrationStatus{"deleting", "active"}, "")
	}
	for range 2 {
		_, err := r.DeleteResourcePolicy(ctx, &redshift.DeleteResourcePolicyInput{ResourceArn: &namespace})
		var gone *types.ResourceNotFoundFault
		if err != nil && !errors.As(err, &gone) {
			t.Fatal(err)
		}
	}
	if _, err := c.Serverless.DeleteWorkgroup(ctx, &redshiftserverless.DeleteWorkgroupInput{WorkgroupName: aws.String("tf-space")}); err != nil {
		t.Fatal(err)
	}
	var absent *serverlesstypes.ResourceNotFoundException
	until(t, ctx, func() (bool, string) {
		_, err := c.Serverless.GetWorkgroup(ctx, &redshiftserverless.GetWorkgroupInput{WorkgroupName: aws.String("tf-space")})
		return errors.As(err, &absent), fmt.Sprint(err)
	})
	if _, err := c.Serverless.DeleteNamespace(ctx, &redshiftserverless.DeleteNamespaceInput{NamespaceName: aws.String("tf-space")}); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, func() (bool, string) {
		out, err := c.Serverless.GetNamespace(ctx, &redshiftserverless.GetNamespaceInput{NamespaceName: aws.String("tf-space")})
		return errors.As(err, &absent), fmt.Sprintf("%+v, %v", out, err)
	})
	if _, err := c.S3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.S3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
}

// TestCloudFormation makes the calls of AWS::Redshift::Integration's handlers.
func TestCloudFormation(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	r := c.Redshift
	if _, err := c.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("cfn-source")}); err != nil {
		t.Fatal(err)
	}
	list, err := r.DescribeClusters(ctx, &redshift.DescribeClustersInput{})
	if err != nil || len(list.Clusters) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	target := *list.Clusters[0].ClusterNamespaceArn

	// AWS::Redshift::Cluster's NamespaceResourcePolicy
	if _, err := r.PutResourcePolicy(ctx, &redshift.PutResourcePolicyInput{ResourceArn: &target, Policy: aws.String(`{"Version":"2012-10-17","Statement":[]}`)}); err != nil {
		var invalid *types.InvalidPolicyFault
		if !errors.As(err, &invalid) {
			t.Error(err)
		}
	}
	if _, err := r.GetResourcePolicy(ctx, &redshift.GetResourcePolicyInput{ResourceArn: &target}); err != nil {
		wantCode(t, "GetResourcePolicy", err, "ResourceNotFoundFault")
	}

	made, err := r.CreateIntegration(ctx, &redshift.CreateIntegrationInput{
		IntegrationName: aws.String("stack-Integration-1ABCDEFGHIJKL"), SourceArn: aws.String("arn:aws:s3:::cfn-source"), TargetArn: &target,
		TagList: []types.Tag{{Key: aws.String("aws-like"), Value: aws.String("stack")}, {Key: aws.String("own"), Value: aws.String("tag")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := *made.IntegrationArn
	stabilise := func() {
		t.Helper()
		// Done when active and the target, found among all clusters, is available.
		replayWait(t, c, arn, []types.ZeroETLIntegrationStatus{"creating", "syncing", "modifying", "needs_attention"}, "active")
		all, err := r.DescribeClusters(ctx, &redshift.DescribeClustersInput{})
		if err != nil {
			t.Fatal(err)
		}
		for _, cl := range all.Clusters {
			if strings.EqualFold(*cl.ClusterNamespaceArn, target) {
				if !strings.EqualFold(*cl.ClusterStatus, "available") || !strings.EqualFold(*cl.ClusterAvailabilityStatus, "available") {
					t.Fatalf("the target is %s, %s", *cl.ClusterStatus, *cl.ClusterAvailabilityStatus)
				}
				return
			}
		}
		t.Fatal("the target is not among the clusters")
	}
	stabilise()
	read := func(tags int) {
		t.Helper()
		out, err := r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: &arn})
		if err != nil || len(out.Integrations) == 0 || out.Integrations[0].CreateTime == nil {
			t.Fatalf("%+v, %v", out, err)
		}
		tagged, err := r.DescribeTags(ctx, &redshift.DescribeTagsInput{ResourceName: &arn})
		if err != nil || len(tagged.TaggedResources) != tags {
			t.Errorf("%+v, %v", tagged, err)
		}
	}
	read(2)
	if _, err := r.DeleteTags(ctx, &redshift.DeleteTagsInput{ResourceName: &arn, TagKeys: []string{"own"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ModifyIntegration(ctx, &redshift.ModifyIntegrationInput{IntegrationArn: &arn, IntegrationName: aws.String("stack-renamed")}); err != nil {
		t.Fatal(err)
	}
	stabilise()
	read(1)
	// List
	pages := redshift.NewDescribeIntegrationsPaginator(r, &redshift.DescribeIntegrationsInput{})
	page, err := pages.NextPage(ctx)
	if err != nil || len(page.Integrations) != 1 || pages.HasMorePages() {
		t.Errorf("%+v, %v", page, err)
	}
	// Delete: describe, delete, describe until the fault.
	if _, err := r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: &arn}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.DeleteIntegration(ctx, &redshift.DeleteIntegrationInput{IntegrationArn: &arn}); err != nil {
		t.Fatal(err)
	}
	replayWait(t, c, arn, []types.ZeroETLIntegrationStatus{"deleting"}, "")
	// A second create of the same at once
	if _, err := r.CreateIntegration(ctx, &redshift.CreateIntegrationInput{IntegrationName: aws.String("stack-renamed"), SourceArn: aws.String("arn:aws:s3:::cfn-source"), TargetArn: &target}); err != nil {
		t.Error(err)
	}
}
