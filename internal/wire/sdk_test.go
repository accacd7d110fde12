package wire_test

import (
	"errors"
	"net/http/httptest"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	rs "github.com/aws/aws-sdk-go-v2/service/redshift"
	rstypes "github.com/aws/aws-sdk-go-v2/service/redshift/types"
	rsdata "github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	rsdatatypes "github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	rsless "github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// The SDK's own clients understand what we say, errors included.
func TestSDKClients(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *wire.Config) { c.Now = time.Now })
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	cfg := aws.Config{
		Region: wiretest.Region, BaseEndpoint: &server.URL, RetryMaxAttempts: 1, HTTPClient: server.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(wiretest.AccessKeyID, wiretest.SecretAccessKey, ""),
	}
	ctx := t.Context()

	id, err := awssts.NewFromConfig(cfg).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if *id.Account != wiretest.Account {
		t.Errorf("account %s", *id.Account)
	}

	redshift := rs.NewFromConfig(cfg)
	made, err := redshift.CreateIntegration(ctx, &rs.CreateIntegrationInput{
		IntegrationName: ptr("orders"), SourceArn: ptr("arn:aws:s3:::orders"), Description: ptr("ü & <b>"),
		TargetArn: ptr("arn:aws:redshift:us-east-1:123456789012:namespace:abc"), KMSKeyId: ptr("k"),
		TagList: []rstypes.Tag{{Key: ptr("a"), Value: ptr("1")}, {Key: ptr("b"), Value: ptr("")}}, AdditionalEncryptionContext: map[string]string{"x": "y"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if *made.IntegrationName != "orders" || *made.Description != "ü & <b>" || made.Status != rstypes.ZeroETLIntegrationStatusCreating ||
		!made.CreateTime.Equal(noon) || len(made.Tags) != 2 || *made.Tags[1].Value != "" || made.AdditionalEncryptionContext["x"] != "y" || made.Errors == nil {
		t.Errorf("got %+v", made)
	}
	_, err = redshift.DescribeIntegrations(ctx, &rs.DescribeIntegrationsInput{
		IntegrationArn: ptr("arn:aws:redshift:us-east-1:123456789012:integration:" + someID)})
	var missing *rstypes.IntegrationNotFoundFault
	if !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	_, err = redshift.CreateIntegration(ctx, &rs.CreateIntegrationInput{IntegrationName: ptr("-"), SourceArn: ptr(""), TargetArn: ptr("")})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "ValidationError" || api.ErrorFault() != smithy.FaultUnknown {
		t.Errorf("got %v", err)
	}
	if _, err = redshift.DeleteTags(ctx, &rs.DeleteTagsInput{ResourceName: ptr("x"), TagKeys: []string{"a"}}); err != nil {
		t.Error(err)
	}

	data := rsdata.NewFromConfig(cfg)
	ran, err := data.ExecuteStatement(ctx, &rsdata.ExecuteStatementInput{Sql: ptr("select 'ü'"), Database: ptr("dev"), WorkgroupName: ptr("default"),
		Parameters: []rsdatatypes.SqlParameter{{Name: ptr("n"), Value: ptr("v")}}})
	if err != nil {
		t.Fatal(err)
	}
	if *ran.Id != someID || !ran.CreatedAt.Equal(noon.Add(123*time.Millisecond)) || *ran.DbUser != "select 'ü'" {
		t.Errorf("got %+v", ran)
	}
	_, err = data.DescribeStatement(ctx, &rsdata.DescribeStatementInput{Id: ptr(someID)})
	var gone *rsdatatypes.ResourceNotFoundException
	if !errors.As(err, &gone) || *gone.ResourceId != someID || *gone.Message != "Query does not exist." {
		t.Errorf("got %v", err)
	}

	namespace, err := rsless.NewFromConfig(cfg).GetNamespace(ctx, &rsless.GetNamespaceInput{NamespaceName: ptr("default")})
	if err != nil {
		t.Fatal(err)
	}
	if *namespace.Namespace.NamespaceName != "default" || !namespace.Namespace.CreationDate.Equal(noon) {
		t.Errorf("got %+v", namespace.Namespace)
	}

	item := map[string]ddbtypes.AttributeValue{
		"s": &ddbtypes.AttributeValueMemberS{Value: "ü"}, "b": &ddbtypes.AttributeValueMemberB{Value: []byte{0, 255}},
		"m": &ddbtypes.AttributeValueMemberM{Value: map[string]ddbtypes.AttributeValue{"l": &ddbtypes.AttributeValueMemberL{}}},
	}
	put, err := ddb.NewFromConfig(cfg).PutItem(ctx, &ddb.PutItemInput{TableName: ptr("orders"), Item: item})
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := put.Attributes["s"].(*ddbtypes.AttributeValueMemberS); !ok || s.Value != "ü" || len(put.Attributes) != 3 {
		t.Errorf("got %+v", put.Attributes)
	}

	cfg.Credentials = credentials.NewStaticCredentialsProvider(wiretest.AccessKeyID, "wrong", "")
	for name, call := range map[string]func() error{
		"SignatureDoesNotMatch": func() error {
			_, err := awssts.NewFromConfig(cfg).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
			return err
		},
		"InvalidSignatureException": func() error {
			_, err := rsdata.NewFromConfig(cfg).DescribeStatement(ctx, &rsdata.DescribeStatementInput{Id: ptr(someID)})
			return err
		},
	} {
		if err := call(); !errors.As(err, &api) || api.ErrorCode() != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

// boto3 is the client behind the aws CLI, and has REST clients this module does not depend on.
func TestBoto3(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import boto3").Run(); err != nil {
		t.Skip("python3 with boto3 is not installed")
	}
	b := newBench(t, func(c *wire.Config) { c.Now = time.Now })
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	if out, err := exec.CommandContext(t.Context(), "python3", "testdata/boto3_check.py", server.URL).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
