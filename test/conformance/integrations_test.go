package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/penstock-io/penstock/test/harness"
)

// wantCode checks an error's code as it stood on the wire.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	if len(api.ErrorMessage()) < 15 {
		t.Errorf("%s: the message %q says too little", what, api.ErrorMessage())
	}
}

// TestIntegrations takes integrations through their life, and everything that goes with it.
func TestIntegrations(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t)
	c := server.Clients()
	r := c.Redshift
	clusters, err := r.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("default")})
	if err != nil {
		t.Fatal(err)
	}
	target := *clusters.Clusters[0].ClusterNamespaceArn
	uuid := target[strings.LastIndexByte(target, ':')+1:]
	slashed := strings.Replace(target, "namespace:", "namespace/", 1)
	bucket := func(name string) {
		if _, err := c.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
			t.Fatal(err)
		}
	}
	create := func(name, source, target string, change ...func(*redshift.CreateIntegrationInput)) (*redshift.CreateIntegrationOutput, error) {
		in := &redshift.CreateIntegrationInput{IntegrationName: &name, SourceArn: &source, TargetArn: &target}
		for _, f := range change {
			f(in)
		}
		return r.CreateIntegration(ctx, in)
	}

	// Twenty-five of them, so that there are pages.
	arns := map[string]string{}
	for i := range 25 {
		name := fmt.Sprintf("n%02d", i)
		bucket("b-" + name)
		out, err := create(name, "arn:aws:s3:::b-"+name, target, func(in *redshift.CreateIntegrationInput) {
			in.TagList = []types.Tag{{Key: aws.String("n"), Value: aws.String(fmt.Sprint(i))}}
			if i == 1 {
				in.SourceArn = aws.String("arn:aws:s3:us-east-1::b-n01") // as AWS's sample writes it
				in.TargetArn = &slashed
				in.Description = aws.String("the second")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		arns[name] = *out.IntegrationArn
		if out.Status != types.ZeroETLIntegrationStatusCreating && out.Status != types.ZeroETLIntegrationStatusActive || *out.SourceArn != "arn:aws:s3:::b-"+name || len(out.Tags) != 1 || out.CreateTime == nil {
			t.Errorf("%+v", out)
		}
		if i == 1 && (*out.TargetArn != slashed || *out.Description != "the second") || i == 0 && out.Description != nil {
			t.Errorf("target %s, description %v", *out.TargetArn, out.Description)
		}
	}
	for _, arn := range arns {
		if err := c.Until(ctx, arn, types.ZeroETLIntegrationStatusActive); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("refusals", func(t *testing.T) {
		bucket("spare")
		bucket("has.dot")
		bucket("noisy")
		if _, err := c.S3.PutBucketNotificationConfiguration(ctx, notifies("noisy", "arn:aws:sqs:us-east-1:123456789012:mine", "")); err != nil {
			t.Fatal(err)
		}
		key := func(in *redshift.CreateIntegrationInput) {
			in.KMSKeyId = aws.String("arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555")
		}
		for _, tt := range []struct {
			name, source, target, code string
			change                     func(*redshift.CreateIntegrationInput)
		}{
			{"n00", "arn:aws:s3:::spare", target, "IntegrationAlreadyExistsFault", nil},
			{"other", "arn:aws:s3:::b-n00", slashed, "IntegrationAlreadyExistsFault", nil},
			{"other", "arn:aws:s3:::no-such-bucket", target, "IntegrationSourceNotFoundFault", nil},
			{"other", "arn:aws:s3:::spare", strings.Replace(target, uuid, "11111111-2222-3333-4444-555555555555", 1), "IntegrationTargetNotFoundFault", nil},
			{"other", "arn:aws:s3:::has.dot", target, "UnsupportedOperation", nil},
			{"other", "arn:aws:s3:::noisy", target, "IntegrationConflictOperationFault", nil},
			{"other", "arn:aws:s3:::spare", target, "UnsupportedOperation", key},
			{"other", "arn:aws:s3:::spare", target, "ValidationError", func(in *redshift.CreateIntegrationInput) {
				in.AdditionalEncryptionContext = map[string]string{"a": "b"}
			}},
			{"bad_name", "arn:aws:s3:::spare", target, "ValidationError", nil},
			{"ends-", "arn:aws:s3:::spare", target, "ValidationError", nil},
			{strings.Repeat("n", 64), "arn:aws:s3:::spare", target, "ValidationError", nil},
			{"other", "arn:aws:sqs:us-east-1:123456789012:q", target, "ValidationError", nil},
			{"other", "arn:aws:s3:::spare", "arn:aws:redshift:us-east-1:123456789012:cluster:default", "ValidationError", nil},
			{"other", "arn:aws:s3:::spare", target, "InvalidTagFault", func(in *redshift.CreateIntegrationInput) {
				in.TagList = []types.Tag{{Key: aws.String("aws:reserved"), Value: aws.String("x")}}
			}},
			{"other", "arn:aws:s3:::spare", target, "TagLimitExceededFault", func(in *redshift.CreateIntegrationInput) {
				for i := range 51 {
					in.TagList = append(in.TagList, types.Tag{Key: aws.String(fmt.Sprint(i)), Value: aws.String("x")})
				}
			}},
		} {
			change := tt.change
			if change == nil {
				change = func(*redshift.CreateIntegrationInput) {}
			}
			_, err := create(tt.name, tt.source, tt.target, change)
			wantCode(t, tt.name+" "+tt.source, err, tt.code)
		}
		unknown := "arn:aws:redshift:us-east-1:123456789012:integration:11111111-2222-3333-4444-555555555555"
		_, err := r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: &unknown})
		wantCode(t, "describe", err, "IntegrationNotFoundFault")
		_, err = r.ModifyIntegration(ctx, &redshift.ModifyIntegrationInput{IntegrationArn: &unknown, IntegrationName: aws.String("x")})
		wantCode(t, "modify", err, "IntegrationNotFoundFault")
		_, err = r.DeleteIntegration(ctx, &redshift.DeleteIntegrationInput{IntegrationArn: &unknown})
		wantCode(t, "delete", err, "IntegrationNotFoundFault")
		_, err = r.DescribeInboundIntegrations(ctx, &redshift.DescribeInboundIntegrationsInput{TargetArn: aws.String(strings.Replace(target, uuid, "11111111-2222-3333-4444-555555555555", 1))})
		wantCode(t, "inbound", err, "InvalidNamespaceFault")
		for _, n := range []int32{19, 101} {
			_, err = r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{MaxRecords: &n})
			wantCode(t, fmt.Sprint("MaxRecords ", n), err, "ValidationError")
		}
		_, err = r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{Marker: aws.String("nonsense")})
		wantCode(t, "Marker", err, "ValidationError")
	})

	names := func(list []types.Integration) []string {
		var out []string
		for _, i := range list {
			out = append(out, *i.IntegrationName)
		}
		slices.Sort(out)
		return out
	}
	t.Run("filters and pages", func(t *testing.T) {
		filter := func(pairs ...string) []string {
			in := &redshift.DescribeIntegrationsInput{}
			for _, p := range pairs {
				name, values, _ := strings.Cut(p, "=")
				in.Filters = append(in.Filters, types.DescribeIntegrationsFilter{Name: types.DescribeIntegrationsFilterName(name), Values: strings.Split(values, "|")})
			}
			out, err := r.DescribeIntegrations(ctx, in)
			if err != nil {
				t.Errorf("%v: %v", pairs, err)
				return nil
			}
			return names(out.Integrations)
		}
		for _, tt := range []struct {
			filters []string
			want    []string
		}{
			{[]string{"integration-arn=" + arns["n03"] + "|" + arns["n04"]}, []string{"n03", "n04"}},
			{[]string{"source-arn=arn:aws:s3:::b-n05"}, []string{"n05"}},
			{[]string{"source-arn=arn:aws:s3:::b-n05|arn:aws:s3:::b-n06", "integration-arn=" + arns["n06"]}, []string{"n06"}},
			{[]string{"status=failed"}, nil},
			{[]string{"source-types=dynamodb"}, nil},
			{[]string{"source-types=s3-event-notifications", "source-arn=arn:aws:s3:::b-n07"}, []string{"n07"}},
		} {
			if got := filter(tt.filters...); !slices.Equal(got, tt.want) {
				t.Errorf("%v gives %v, want %v", tt.filters, got, tt.want)
			}
		}
		if got := filter("status=active"); len(got) != 25 {
			t.Errorf("%d are active", len(got))
		}
		pages := redshift.NewDescribeIntegrationsPaginator(r, &redshift.DescribeIntegrationsInput{MaxRecords: aws.Int32(20)})
		var all []types.Integration
		var sizes []int
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all, sizes = append(all, page.Integrations...), append(sizes, len(page.Integrations))
		}
		if got := slices.Compact(names(all)); len(got) != 25 || !slices.Equal(sizes, []int{20, 5}) {
			t.Errorf("pages of %v with %d names", sizes, len(got))
		}
		inbound := redshift.NewDescribeInboundIntegrationsPaginator(r, &redshift.DescribeInboundIntegrationsInput{TargetArn: &target, MaxRecords: aws.Int32(20)})
		n := 0
		for inbound.HasMorePages() {
			page, err := inbound.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			n += len(page.InboundIntegrations)
		}
		if n != 25 {
			t.Errorf("%d inbound integrations", n)
		}
	})

	t.Run("tags", func(t *testing.T) {
		arn := arns["n08"]
		if _, err := r.CreateTags(ctx, &redshift.CreateTagsInput{ResourceName: &arn, Tags: []types.Tag{{Key: aws.String("n"), Value: aws.String("eight")}, {Key: aws.String("team"), Value: aws.String("")}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.DeleteTags(ctx, &redshift.DeleteTagsInput{ResourceName: &arn, TagKeys: []string{"team", "never-there"}}); err != nil {
			t.Fatal(err)
		}
		out, err := r.DescribeTags(ctx, &redshift.DescribeTagsInput{ResourceName: &arn})
		if err != nil || len(out.TaggedResources) != 1 || *out.TaggedResources[0].Tag.Value != "eight" || *out.TaggedResources[0].ResourceName != arn {
			t.Errorf("%+v, %v", out, err)
		}
		_, err = r.CreateTags(ctx, &redshift.CreateTagsInput{ResourceName: aws.String(arn[:len(arn)-1] + "0"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
		if err == nil && !strings.HasSuffix(arn, "0") {
			t.Error("tags on an integration that is not there")
		}
	})

	t.Run("modify", func(t *testing.T) {
		arn := arns["n09"]
		out, err := r.ModifyIntegration(ctx, &redshift.ModifyIntegrationInput{IntegrationArn: &arn, IntegrationName: aws.String("renamed"), Description: aws.String("described")})
		if err != nil || *out.IntegrationName != "renamed" || *out.Description != "described" {
			t.Fatalf("%+v, %v", out, err)
		}
		if err := c.Until(ctx, arn, types.ZeroETLIntegrationStatusActive); err != nil {
			t.Fatal(err)
		}
		out, err = r.ModifyIntegration(ctx, &redshift.ModifyIntegrationInput{IntegrationArn: &arn, Description: aws.String("")})
		if err != nil || out.Description != nil || *out.IntegrationName != "renamed" {
			t.Errorf("an empty description: %+v, %v", out, err)
		}
		if err := c.Until(ctx, arn, types.ZeroETLIntegrationStatusActive); err != nil {
			t.Fatal(err)
		}
		_, err = r.ModifyIntegration(ctx, &redshift.ModifyIntegrationInput{IntegrationArn: &arn, IntegrationName: aws.String("n10")})
		wantCode(t, "a name that is taken", err, "IntegrationAlreadyExistsFault")
	})

	t.Run("policies", func(t *testing.T) {
		policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"redshift.amazonaws.com"},"Action":"redshift:AuthorizeInboundIntegration","Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:s3:::b-n00"}}}]}`
		for _, arn := range []string{target, slashed, strings.Replace(slashed, "arn:aws:redshift:", "arn:aws:redshift-serverless:", 1)} {
			out, err := r.PutResourcePolicy(ctx, &redshift.PutResourcePolicyInput{ResourceArn: &arn, Policy: &policy})
			if err != nil || *out.ResourcePolicy.ResourceArn != arn {
				t.Fatalf("%s: %+v, %v", arn, out, err)
			}
			got, err := r.GetResourcePolicy(ctx, &redshift.GetResourcePolicyInput{ResourceArn: &arn})
			if err != nil || *got.ResourcePolicy.ResourceArn != arn || !strings.Contains(*got.ResourcePolicy.Policy, "AuthorizeInboundIntegration") {
				t.Errorf("%s: %+v, %v", arn, got, err)
			}
		}
		if _, err := r.DeleteResourcePolicy(ctx, &redshift.DeleteResourcePolicyInput{ResourceArn: &target}); err != nil {
			t.Error(err)
		}
		_, err := r.GetResourcePolicy(ctx, &redshift.GetResourcePolicyInput{ResourceArn: &slashed})
		wantCode(t, "a policy that is gone", err, "ResourceNotFoundFault")
		_, err = r.PutResourcePolicy(ctx, &redshift.PutResourcePolicyInput{ResourceArn: &target, Policy: aws.String("{not json")})
		wantCode(t, "a policy that is none", err, "InvalidPolicyFault")
	})

	t.Run("partners", func(t *testing.T) {
		who := func(partner string) (string, string, string, string) {
			return "123456789012", "default", "dev", partner
		}
		account, cluster, database, name := who("Datacoral")
		if _, err := r.AddPartner(ctx, &redshift.AddPartnerInput{AccountId: &account, ClusterIdentifier: &cluster, DatabaseName: &database, PartnerName: &name}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.UpdatePartnerStatus(ctx, &redshift.UpdatePartnerStatusInput{AccountId: &account, ClusterIdentifier: &cluster, DatabaseName: &database, PartnerName: &name,
			Status: types.PartnerIntegrationStatusRuntimeFailure, StatusMessage: aws.String("no route")}); err != nil {
			t.Fatal(err)
		}
		out, err := r.DescribePartners(ctx, &redshift.DescribePartnersInput{AccountId: &account, ClusterIdentifier: &cluster})
		if err != nil || len(out.PartnerIntegrationInfoList) != 1 || out.PartnerIntegrationInfoList[0].Status != types.PartnerIntegrationStatusRuntimeFailure || *out.PartnerIntegrationInfoList[0].StatusMessage != "no route" {
			t.Errorf("%+v, %v", out, err)
		}
		other := "Etleap"
		if out, err := r.DescribePartners(ctx, &redshift.DescribePartnersInput{AccountId: &account, ClusterIdentifier: &cluster, PartnerName: &other}); err != nil || len(out.PartnerIntegrationInfoList) != 0 {
			t.Errorf("a partner that was not added: %+v, %v", out, err)
		}
		_, err = r.DeletePartner(ctx, &redshift.DeletePartnerInput{AccountId: &account, ClusterIdentifier: &cluster, DatabaseName: &database, PartnerName: &other})
		wantCode(t, "delete a partner that was not added", err, "PartnerNotFound")
		_, err = r.AddPartner(ctx, &redshift.AddPartnerInput{AccountId: aws.String("999999999999"), ClusterIdentifier: &cluster, DatabaseName: &database, PartnerName: &name})
		wantCode(t, "another account", err, "UnauthorizedPartnerIntegration")
		_, err = r.AddPartner(ctx, &redshift.AddPartnerInput{AccountId: &account, ClusterIdentifier: aws.String("nowhere"), DatabaseName: &database, PartnerName: &name})
		wantCode(t, "no such cluster", err, "ClusterNotFound")
	})

	t.Run("delete", func(t *testing.T) {
		arn := arns["n11"]
		out, err := r.DeleteIntegration(ctx, &redshift.DeleteIntegrationInput{IntegrationArn: &arn})
		if err != nil || out.Status != types.ZeroETLIntegrationStatusDeleting {
			t.Fatalf("%+v, %v", out, err)
		}
		until(t, ctx, func() (bool, string) {
			_, err := r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: &arn})
			var gone *types.IntegrationNotFoundFault
			return errors.As(err, &gone), fmt.Sprint(err)
		})
		n, err := c.S3.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: aws.String("b-n11")})
		if err != nil || len(n.QueueConfigurations)+len(n.TopicConfigurations)+len(n.LambdaFunctionConfigurations) != 0 {
			t.Errorf("the bucket's notification stayed: %+v, %v", n, err)
		}
		if _, err := create("n11", "arn:aws:s3:::b-n11", target); err != nil {
			t.Errorf("made again: %v", err)
		}
	})

	// A bucket that goes away and comes back.
	t.Run("a source that goes and comes back", func(t *testing.T) {
		arn, name := arns["n12"], "b-n12"
		if _, err := c.S3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name}); err != nil {
			t.Fatal(err)
		}
		status := func(want types.ZeroETLIntegrationStatus, code string) {
			until(t, ctx, func() (bool, string) {
				out, err := r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: &arn})
				if err != nil {
					t.Fatal(err)
				}
				i := out.Integrations[0]
				ok := i.Status == want && (code == "" && len(i.Errors) == 0 || code != "" && len(i.Errors) == 1 && *i.Errors[0].ErrorCode == code)
				return ok, fmt.Sprintf("%s %+v", i.Status, i.Errors)
			})
		}
		status(types.ZeroETLIntegrationStatusNeedsAttention, "SOURCE_NOT_FOUND")
		bucket(name)
		status(types.ZeroETLIntegrationStatusActive, "")
	})

	t.Run("after a restart", func(t *testing.T) {
		before, err := r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: aws.String(arns["n01"])})
		if err != nil {
			t.Fatal(err)
		}
		again := restart(t, ctx, server)
		r := again.Clients().Redshift
		after, err := r.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: aws.String(arns["n01"])})
		if err != nil {
			t.Fatal(err)
		}
		a, b := before.Integrations[0], after.Integrations[0]
		if *a.SourceArn != *b.SourceArn || *a.TargetArn != *b.TargetArn || *a.Description != *b.Description || !a.CreateTime.Equal(*b.CreateTime) || b.Status != types.ZeroETLIntegrationStatusActive || len(b.Tags) != 1 {
			t.Errorf("before %+v\nafter  %+v", a, b)
		}
		partners, err := r.DescribePartners(ctx, &redshift.DescribePartnersInput{AccountId: aws.String("123456789012"), ClusterIdentifier: aws.String("default")})
		if err != nil || len(partners.PartnerIntegrationInfoList) != 1 || *partners.PartnerIntegrationInfoList[0].PartnerName != "Datacoral" {
			t.Errorf("%+v, %v", partners, err)
		}
	})
}

// TestStrictPolicies demands the policies AWS demands.
func TestStrictPolicies(t *testing.T) {
	t.Parallel()
	server, ctx := boot(t, "--strict-policies")
	c := server.Clients()
	if _, err := c.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("guarded")}); err != nil {
		t.Fatal(err)
	}
	clusters, err := c.Redshift.DescribeClusters(ctx, &redshift.DescribeClustersInput{})
	if err != nil {
		t.Fatal(err)
	}
	target := clusters.Clusters[0].ClusterNamespaceArn
	make := func() error {
		_, err := c.Redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{IntegrationName: aws.String("guarded"), SourceArn: aws.String("arn:aws:s3:::guarded"), TargetArn: target})
		return err
	}
	denied := func(what, words string) {
		t.Helper()
		err := make()
		var api smithy.APIError
		if !errors.As(err, &api) || !strings.Contains(api.ErrorMessage(), words) {
			t.Errorf("%s: %v", what, err)
		}
	}
	denied("without a bucket policy", "policy of bucket guarded does not allow")
	if _, err := c.S3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String("guarded"), Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"redshift.amazonaws.com"},
		"Action":["s3:GetBucketNotification","s3:PutBucketNotification","s3:GetBucketLocation"],"Resource":"arn:aws:s3:::guarded"}]}`)}); err != nil {
		t.Fatal(err)
	}
	denied("without a namespace policy", "does not let the source")
	put := func(statements string) {
		t.Helper()
		policy := `{"Version":"2012-10-17","Statement":[` + statements + `]}`
		if _, err := c.Redshift.PutResourcePolicy(ctx, &redshift.PutResourcePolicyInput{ResourceArn: target, Policy: &policy}); err != nil {
			t.Fatal(err)
		}
	}
	source := `{"Effect":"Allow","Principal":{"Service":"redshift.amazonaws.com"},"Action":"redshift:AuthorizeInboundIntegration","Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:s3:::guarded"}}}`
	put(source)
	denied("without the principal", "does not let arn:aws:iam::123456789012:root create integrations")
	put(source + `,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"redshift:CreateInboundIntegration"}`)
	if err := make(); err != nil {
		t.Error(err)
	}
}

// replayWait is how Terraform's provider waits: some states may be passed through, one is waited for, any other
// is an error.
func replayWait(t *testing.T, c harness.Clients, arn string, pending []types.ZeroETLIntegrationStatus, target types.ZeroETLIntegrationStatus) {
	t.Helper()
	until(t, t.Context(), func() (bool, string) {
		out, err := c.Redshift.DescribeIntegrations(t.Context(), &redshift.DescribeIntegrationsInput{IntegrationArn: &arn})
		var gone *types.IntegrationNotFoundFault
		if errors.As(err, &gone) && target == "" {
			return true, ""
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Integrations) != 1 {
			t.Fatalf("%d integrations where one was asked for", len(out.Integrations))
		}
		status := out.Integrations[0].Status
		if status != target && !slices.Contains(pending, status) {
			t.Fatalf("unexpected state %s, %+v", status, out.Integrations[0].Errors)
		}
		return status == target, string(status)
	})
}
