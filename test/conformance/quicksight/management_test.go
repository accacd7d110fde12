package quicksight

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/quicksight"
	"github.com/aws/aws-sdk-go-v2/service/quicksight/types"
	"github.com/aws/smithy-go"
)

const (
	alice = "arn:aws:quicksight:us-east-1:123456789012:user/default/alice"
	role  = "arn:aws:iam::123456789012:role/connector"
)

func basic(endpoint, password string) *types.AuthConfig {
	return &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeBasic, AuthenticationMetadata: &types.AuthenticationMetadataMemberBasicAuthConnectionMetadata{
		Value: types.BasicAuthConnectionMetadata{BaseEndpoint: &endpoint, Username: aws.String("user"), Password: &password},
	}}
}

// TestGoSDK does what programs and infrastructure tools do: the connector's whole life.
func TestGoSDK(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	const secret = "Sup3rS3cretPassw0rd"
	created, err := w.qs.CreateActionConnector(ctx, &sdk.CreateActionConnectorInput{
		AwsAccountId: aws.String(account), ActionConnectorId: aws.String("erp"), Name: aws.String("ERP"), Type: types.ActionConnectorTypeSapBusinesspartner,
		AuthenticationConfig: basic("https://127.0.0.1:1/sap", secret), Description: aws.String("Partners."),
		Permissions: []types.ResourcePermission{{Principal: aws.String(alice), Actions: []string{"quicksight:DescribeActionConnector", "quicksight:DeleteActionConnector"}}},
		Tags:        []types.Tag{{Key: aws.String("team"), Value: aws.String("sales")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if created.CreationStatus != types.ResourceStatusCreationInProgress || created.Status != 200 || aws.ToString(created.RequestId) == "" {
		t.Errorf("created %+v", created)
	}
	describe := func() *types.ActionConnector {
		t.Helper()
		out, err := w.qs.DescribeActionConnector(ctx, &sdk.DescribeActionConnectorInput{AwsAccountId: aws.String(account), ActionConnectorId: aws.String("erp")})
		if err != nil {
			t.Fatal(err)
		}
		return out.ActionConnector
	}
	// Nobody listens there: the connector is kept, and not verified.
	eventually(t, "the end of the check", func() bool { return describe().Status == types.ResourceStatusCreationSuccessful })
	got, ok := describe().AuthenticationConfig.AuthenticationMetadata.(*types.ReadAuthenticationMetadataMemberBasicAuthConnectionMetadata)
	if !ok || aws.ToString(got.Value.Username) != "user" {
		t.Errorf("the authentication is %+v", describe().AuthenticationConfig)
	}
	found, err := w.qs.SearchActionConnectors(ctx, &sdk.SearchActionConnectorsInput{AwsAccountId: aws.String(account), Filters: []types.ActionConnectorSearchFilter{
		{Name: types.ActionConnectorSearchFilterNameEnumDirectQuicksightSoleOwner, Operator: types.FilterOperatorStringEquals, Value: aws.String(alice)},
	}})
	if err != nil || len(found.ActionConnectorSummaries) != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
	tags, err := w.qs.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: created.Arn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "sales" {
		t.Errorf("the tags are %+v, %v", tags, err)
	}
	if _, err := w.qs.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: created.Arn, Tags: []types.Tag{{Key: aws.String("more"), Value: aws.String("x")}}}); err != nil {
		t.Error(err)
	}
	if _, err := w.qs.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: created.Arn, TagKeys: []string{"team"}}); err != nil {
		t.Error(err)
	}
	updated, err := w.qs.UpdateActionConnector(ctx, &sdk.UpdateActionConnectorInput{
		AwsAccountId: aws.String(account), ActionConnectorId: aws.String("erp"), Name: aws.String("ERP 2"), AuthenticationConfig: basic("https://127.0.0.1:1/sap", secret),
	})
	if err != nil || updated.UpdateStatus != types.ResourceStatusUpdateInProgress {
		t.Errorf("updated %+v, %v", updated, err)
	}
	permissions, err := w.qs.UpdateActionConnectorPermissions(ctx, &sdk.UpdateActionConnectorPermissionsInput{
		AwsAccountId: aws.String(account), ActionConnectorId: aws.String("erp"),
		RevokePermissions: []types.ResourcePermission{{Principal: aws.String(alice), Actions: []string{"quicksight:DeleteActionConnector"}}},
	})
	if err != nil || len(permissions.Permissions) != 1 || len(permissions.Permissions[0].Actions) != 1 {
		t.Errorf("the permissions are %+v, %v", permissions, err)
	}
	var pages int
	for p := sdk.NewListActionConnectorsPaginator(w.qs, &sdk.ListActionConnectorsInput{AwsAccountId: aws.String(account)}); p.HasMorePages(); pages++ {
		if _, err := p.NextPage(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.qs.DeleteActionConnector(ctx, &sdk.DeleteActionConnectorInput{AwsAccountId: aws.String(account), ActionConnectorId: aws.String("erp")}); err != nil {
		t.Error(err)
	}
	_, err = w.qs.DescribeActionConnector(ctx, &sdk.DescribeActionConnectorInput{AwsAccountId: aws.String(account), ActionConnectorId: aws.String("erp")})
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) || aws.ToString(missing.RequestId) == "" {
		t.Errorf("after the delete: %v", err)
	}
	_, err = w.qs.ListActionConnectors(ctx, &sdk.ListActionConnectorsInput{AwsAccountId: aws.String("999999999999")})
	var denied *types.AccessDeniedException
	var status interface{ HTTPStatusCode() int }
	if !errors.As(err, &denied) || !errors.As(err, &status) || status.HTTPStatusCode() != 401 {
		t.Errorf("another account: %v", err)
	}
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorFault() != smithy.FaultClient {
		t.Errorf("it is the %v's fault", api.ErrorFault())
	}
	absent(t, w, secret)
}

// absent checks that a secret is in no file and no line of the log.
func absent(t *testing.T, w *world, secret string) {
	t.Helper()
	for _, line := range w.Log() {
		if strings.Contains(line, secret) {
			t.Errorf("the log has a secret: %s", line)
		}
	}
	err := filepath.WalkDir(w.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(content), secret) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestVPCConnections: made, used, refused to go while in use, gone.
func TestVPCConnections(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	v, err := w.qs.CreateVPCConnection(ctx, &sdk.CreateVPCConnectionInput{
		AwsAccountId: aws.String(account), VPCConnectionId: aws.String("out"), Name: aws.String("Out"), RoleArn: aws.String(role),
		SubnetIds: []string{"subnet-0a", "subnet-0b"}, SecurityGroupIds: []string{"sg-0a"},
	})
	if err != nil || v.CreationStatus != types.VPCConnectionResourceStatusCreationSuccessful {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := w.qs.CreateActionConnector(ctx, &sdk.CreateActionConnectorInput{
		AwsAccountId: aws.String(account), ActionConnectorId: aws.String("c"), Name: aws.String("C"), Type: types.ActionConnectorTypeGenericHttp, VpcConnectionArn: v.Arn,
		AuthenticationConfig: &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeNone, AuthenticationMetadata: &types.AuthenticationMetadataMemberNoneConnectionMetadata{
			Value: types.NoneConnectionMetadata{BaseEndpoint: aws.String("https://api.example.com")},
		}},
	}); err != nil {
		t.Fatal(err)
	}
	described, err := w.qs.DescribeVPCConnection(ctx, &sdk.DescribeVPCConnectionInput{AwsAccountId: aws.String(account), VPCConnectionId: aws.String("out")})
	if err != nil || len(described.VPCConnection.NetworkInterfaces) != 2 || *described.VPCConnection.NetworkInterfaces[0].SubnetId != "subnet-0a" {
		t.Errorf("described %+v, %v", described, err)
	}
	var conflict *types.ConflictException
	if _, err := w.qs.DeleteVPCConnection(ctx, &sdk.DeleteVPCConnectionInput{AwsAccountId: aws.String(account), VPCConnectionId: aws.String("out")}); !errors.As(err, &conflict) {
		t.Errorf("deleted while in use: %v", err)
	}
	// A way out that the settings do not have is not replaced by another.
	if status, out := w.signed("POST", "action-connectors/c/actions/GET", object{"arguments": object{"uri": "/x"}}); status != 403 || out["code"] != "AddressRefused" {
		t.Errorf("called by a way that is not configured: %d %v", status, out)
	}
	if _, err := w.qs.DeleteActionConnector(ctx, &sdk.DeleteActionConnectorInput{AwsAccountId: aws.String(account), ActionConnectorId: aws.String("c")}); err != nil {
		t.Error(err)
	}
	if _, err := w.qs.DeleteVPCConnection(ctx, &sdk.DeleteVPCConnectionInput{AwsAccountId: aws.String(account), VPCConnectionId: aws.String("out")}); err != nil {
		t.Error(err)
	}
}

// TestCommandLine types the commands of an ordinary session with the AWS CLI.
func TestCommandLine(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the aws command is not installed")
	}
	w := start(t)
	auth := `{"AuthenticationType":"IAM","AuthenticationMetadata":{"IamConnectionMetadata":{"RoleArn":"` + role + `"}}}`
	for _, step := range []struct{ command, want string }{
		{"create-action-connector --action-connector-id files --name Files --type AMAZON_S3 --authentication-config " + auth + " --query Arn", "action-connector/files"},
		{"describe-action-connector --action-connector-id files --query ActionConnector.AuthenticationConfig.AuthenticationMetadata", "SourceArn"},
		{"list-action-connectors --query ActionConnectorSummaries[].Name", "Files"},
		{"search-action-connectors --filters Name=ACTION_CONNECTOR_TYPE,Operator=StringEquals,Value=AMAZON_S3 --query length(ActionConnectorSummaries)", "1"},
		{"update-action-connector --action-connector-id files --name Renamed --authentication-config " + auth + " --query Status", "200"},
		{"update-action-connector-permissions --action-connector-id files --grant-permissions Principal=" + alice + ",Actions=quicksight:DescribeActionConnector", "alice"},
		{"describe-action-connector-permissions --action-connector-id files", "quicksight:DescribeActionConnector"},
		{"delete-action-connector --action-connector-id files --query ActionConnectorId", "files"},
	} {
		verb, rest, _ := strings.Cut(step.command, " ")
		args := append([]string{"quicksight", verb, "--aws-account-id", account}, strings.Fields(rest)...)
		c := exec.CommandContext(t.Context(), "aws", args...)
		c.Env = append(os.Environ(), w.Env()...)
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), step.want) {
			t.Fatalf("aws %s: %v\n%s", step.command, err, out)
		}
	}
}

// TestBoto3 runs testdata/connectors.py.
func TestBoto3(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import boto3; boto3.client('quicksight', region_name='us-east-1').create_action_connector").Run(); err != nil {
		t.Skip("python3 with a boto3 that knows action connectors is not installed")
	}
	w := start(t)
	c := exec.CommandContext(t.Context(), "python3", filepath.Join("testdata", "connectors.py"))
	c.Env = append(os.Environ(), w.Env()...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestEnabledActionsFromARawBody: AWS's guide passes them though no SDK can.
func TestEnabledActionsFromARawBody(t *testing.T) {
	w := start(t)
	auth := object{"AuthenticationType": "IAM", "AuthenticationMetadata": object{"IamConnectionMetadata": object{"RoleArn": role}}}
	if status, out := w.api("POST", "/accounts/"+account+"/action-connectors", object{"ActionConnectorId": "s3", "Name": "S3", "Type": "AMAZON_S3", "AuthenticationConfig": auth, "EnabledActions": []string{"ListBuckets"}}); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	out, err := w.qs.DescribeActionConnector(t.Context(), &sdk.DescribeActionConnectorInput{AwsAccountId: aws.String(account), ActionConnectorId: aws.String("s3")})
	if err != nil || fmt.Sprint(out.ActionConnector.EnabledActions) != "[ListBuckets]" {
		t.Fatalf("%+v, %v", out, err)
	}
	if status, out := w.signed("POST", "action-connectors/s3/actions/CreateBucket", object{"arguments": object{"bucket": "b"}}); status != 403 || out["code"] != "ActionDisabled" {
		t.Errorf("called what is not enabled: %d %v", status, out)
	}
}
