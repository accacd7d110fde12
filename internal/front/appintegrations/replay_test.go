package appintegrations_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/appintegrations"
	"github.com/aws/aws-sdk-go-v2/service/appintegrations/types"

	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// cloud is a server with this front, and the SDK's client.
type cloud struct {
	env
	*sdk.Client
}

func newCloud(t *testing.T) cloud {
	t.Helper()
	e := newEnv(t)
	e.Pass(time.Since(e.Now())) // the SDK signs by the real clock
	server := httptest.NewServer(e.World.Client(e.service).Handler)
	t.Cleanup(server.Close)
	return cloud{e, sdk.NewFromConfig(aws.Config{
		Region: wiretest.Region, BaseEndpoint: &server.URL, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider(wiretest.AccessKeyID, wiretest.SecretAccessKey, ""),
	})}
}

func (c cloud) ok(what string, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// Terraform's aws_appintegrations_data_integration: created, read after every write, tagged, renamed, imported by its
// id, and read once more after it is destroyed.
func TestTerraformDataIntegration(t *testing.T) {
	c := newCloud(t)
	ctx := t.Context()
	made, err := c.CreateDataIntegration(ctx, &sdk.CreateDataIntegrationInput{
		Name: aws.String("tf"), Description: aws.String("example"), KmsKey: aws.String(key), SourceURI: aws.String("Salesforce://AppFlow/test"), Tags: map[string]string{"Key1": "Value1"},
		ClientToken:    aws.String("terraform-20261121120000000000000001"),
		ScheduleConfig: &types.ScheduleConfiguration{FirstExecutionFrom: aws.String("1439788442681"), Object: aws.String("Account"), ScheduleExpression: aws.String("rate(1 hour)")},
	})
	c.ok("create", err)
	id := aws.ToString(made.Id)
	read := func(want func(*sdk.GetDataIntegrationOutput) bool) {
		t.Helper()
		got, err := c.GetDataIntegration(ctx, &sdk.GetDataIntegrationInput{Identifier: &id})
		c.ok("read", err)
		s := got.ScheduleConfiguration
		if aws.ToString(got.Arn) != aws.ToString(made.Arn) || aws.ToString(got.KmsKey) != key || aws.ToString(got.SourceURI) != "Salesforce://AppFlow/test" || s == nil ||
			aws.ToString(s.FirstExecutionFrom) != "1439788442681" || aws.ToString(s.Object) != "Account" || aws.ToString(s.ScheduleExpression) != "rate(1 hour)" || !want(got) {
			t.Errorf("read %+v", got)
		}
	}
	read(func(d *sdk.GetDataIntegrationOutput) bool {
		return aws.ToString(d.Description) == "example" && fmt.Sprint(d.Tags) == "map[Key1:Value1]"
	})
	_, err = c.UpdateDataIntegration(ctx, &sdk.UpdateDataIntegrationInput{Identifier: &id, Name: aws.String("tf"), Description: aws.String("changed")})
	c.ok("update the description", err)
	read(func(d *sdk.GetDataIntegrationOutput) bool { return aws.ToString(d.Description) == "changed" })
	_, err = c.UpdateDataIntegration(ctx, &sdk.UpdateDataIntegrationInput{Identifier: &id, Name: aws.String("tf-2"), Description: aws.String("changed")})
	c.ok("update the name", err)
	read(func(d *sdk.GetDataIntegrationOutput) bool { return aws.ToString(d.Name) == "tf-2" })
	_, err = c.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: made.Arn, TagKeys: []string{"Key1"}})
	c.ok("untag", err)
	_, err = c.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: made.Arn, Tags: map[string]string{"Key1": "Value1b", "Key2": "Value2"}})
	c.ok("tag", err)
	read(func(d *sdk.GetDataIntegrationOutput) bool {
		return fmt.Sprint(d.Tags) == "map[Key1:Value1b Key2:Value2]"
	})
	listed, err := c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: made.Arn})
	c.ok("list tags", err)
	if len(listed.Tags) != 2 {
		t.Errorf("the tags are %v", listed.Tags)
	}
	_, err = c.DeleteDataIntegration(ctx, &sdk.DeleteDataIntegrationInput{DataIntegrationIdentifier: &id})
	c.ok("destroy", err)
	if _, err = c.GetDataIntegration(ctx, &sdk.GetDataIntegrationInput{Identifier: &id}); !is[*types.ResourceNotFoundException](err) {
		t.Errorf("reading what was destroyed: %v", err)
	}
	if _, err = c.DeleteDataIntegration(ctx, &sdk.DeleteDataIntegrationInput{DataIntegrationIdentifier: &id}); !is[*types.ResourceNotFoundException](err) {
		t.Errorf("destroying it again: %v", err)
	}
}

// Terraform's aws_appintegrations_event_integration.
func TestTerraformEventIntegration(t *testing.T) {
	c := newCloud(t)
	ctx := t.Context()
	name := aws.String("tf-event")
	made, err := c.CreateEventIntegration(ctx, &sdk.CreateEventIntegrationInput{
		Name: name, Description: aws.String("example"), EventBridgeBus: aws.String("default"), EventFilter: &types.EventFilter{Source: aws.String("aws.partner/examplepartner.com")},
		Tags: map[string]string{"Name": "Test"}, ClientToken: aws.String("terraform-20261121120000000000000002"),
	})
	c.ok("create", err)
	read := func(description, tags string) {
		t.Helper()
		got, err := c.GetEventIntegration(ctx, &sdk.GetEventIntegrationInput{Name: name})
		c.ok("read", err)
		if aws.ToString(got.EventIntegrationArn) != aws.ToString(made.EventIntegrationArn) || aws.ToString(got.Description) != description || fmt.Sprint(got.Tags) != tags ||
			aws.ToString(got.EventBridgeBus) != "default" || got.EventFilter == nil || aws.ToString(got.EventFilter.Source) != "aws.partner/examplepartner.com" {
			t.Errorf("read %+v", got)
		}
	}
	read("example", "map[Name:Test]")
	_, err = c.UpdateEventIntegration(ctx, &sdk.UpdateEventIntegrationInput{Name: name, Description: aws.String("changed")})
	c.ok("update", err)
	_, err = c.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: made.EventIntegrationArn, Tags: map[string]string{"Key2": "Value2"}})
	c.ok("tag", err)
	read("changed", "map[Key2:Value2 Name:Test]")
	_, err = c.DeleteEventIntegration(ctx, &sdk.DeleteEventIntegrationInput{Name: name})
	c.ok("destroy", err)
	if _, err = c.GetEventIntegration(ctx, &sdk.GetEventIntegrationInput{Name: name}); !is[*types.ResourceNotFoundException](err) {
		t.Errorf("reading what was destroyed: %v", err)
	}
	if _, err = c.DeleteEventIntegration(ctx, &sdk.DeleteEventIntegrationInput{Name: name}); !is[*types.ResourceNotFoundException](err) {
		t.Errorf("destroying it again: %v", err)
	}
}

// The SDK's client reads everything it is given, and every error as what it is.
func TestSDK(t *testing.T) {
	c := newCloud(t)
	ctx := t.Context()
	d, err := c.CreateDataIntegration(ctx, &sdk.CreateDataIntegrationInput{
		Name: aws.String("files"), KmsKey: aws.String(key), SourceURI: aws.String("s3://bucket/in"),
		FileConfiguration: &types.FileConfiguration{Folders: []string{"a"}, Filters: map[string][]string{"extension": {"csv"}}},
	})
	c.ok("create", err)
	if _, err := c.CreateDataIntegration(ctx, &sdk.CreateDataIntegrationInput{Name: aws.String("files"), KmsKey: aws.String(key)}); !is[*types.DuplicateResourceException](err) {
		t.Errorf("a second one of the name: %v", err)
	}
	a, err := c.CreateDataIntegrationAssociation(ctx, &sdk.CreateDataIntegrationAssociationInput{
		DataIntegrationIdentifier: d.Arn, ClientId: aws.String("client"), DestinationURI: aws.String("s3://other/out"), ClientAssociationMetadata: map[string]string{"k": "v"},
		ExecutionConfiguration: &types.ExecutionConfiguration{ExecutionMode: types.ExecutionModeOnDemand, OnDemandConfiguration: &types.OnDemandConfiguration{StartTime: aws.String("1715278292014")}},
	})
	c.ok("associate", err)
	var limited *types.InvalidRequestException
	_, err = c.CreateDataIntegrationAssociation(ctx, &sdk.CreateDataIntegrationAssociationInput{DataIntegrationIdentifier: d.Id})
	if !errors.As(err, &limited) || aws.ToString(limited.Message) == "" {
		t.Errorf("a second association: %v", err)
	}
	_, err = c.UpdateDataIntegrationAssociation(ctx, &sdk.UpdateDataIntegrationAssociationInput{
		DataIntegrationIdentifier: d.Name, DataIntegrationAssociationIdentifier: a.DataIntegrationAssociationId,
		ExecutionConfiguration: &types.ExecutionConfiguration{ExecutionMode: types.ExecutionModeScheduled, ScheduleConfiguration: &types.ScheduleConfiguration{ScheduleExpression: aws.String("cron(0 12 ? * MON-FRI *)")}},
	})
	c.ok("update the association", err)
	pages := sdk.NewListDataIntegrationAssociationsPaginator(c.Client, &sdk.ListDataIntegrationAssociationsInput{DataIntegrationIdentifier: d.Id})
	list, err := pages.NextPage(ctx)
	c.ok("list", err)
	if one := list.DataIntegrationAssociations; len(one) != 1 || one[0].LastExecutionStatus == nil || one[0].LastExecutionStatus.ExecutionStatus != types.ExecutionStatusInProgress ||
		one[0].ExecutionConfiguration.ExecutionMode != types.ExecutionModeScheduled || pages.HasMorePages() {
		t.Errorf("the associations are %+v", list)
	}
	app, err := c.CreateApplication(ctx, &sdk.CreateApplicationInput{
		Name: aws.String("tools"), Namespace: aws.String("tools"), ApplicationType: types.ApplicationTypeMcpServer,
		ApplicationSourceConfig: &types.ApplicationSourceConfig{ExternalUrlConfig: &types.ExternalUrlConfig{AccessUrl: aws.String("https://gateway.test/mcp")}},
	})
	c.ok("create application", err)
	got, err := c.GetApplication(ctx, &sdk.GetApplicationInput{Arn: aws.String(aws.ToString(app.Arn) + ":$LATEST")})
	c.ok("get application", err)
	if got.ApplicationType != types.ApplicationTypeMcpServer || got.CreatedTime == nil || time.Since(*got.CreatedTime) > time.Hour {
		t.Errorf("the application is %+v", got)
	}
	if _, err = c.UpdateApplication(ctx, &sdk.UpdateApplicationInput{Arn: app.Arn, ApplicationType: types.ApplicationTypeService}); !is[*types.UnsupportedOperationException](err) {
		t.Errorf("changing the type: %v", err)
	}
	for n := range 10 {
		_, err = c.CreateEventIntegration(ctx, &sdk.CreateEventIntegrationInput{
			Name: aws.String(fmt.Sprint("e", n)), EventBridgeBus: aws.String("default"), EventFilter: &types.EventFilter{Source: aws.String("app-integrations.webhooks/x")},
		})
		c.ok("create event integration", err)
	}
	_, err = c.CreateEventIntegration(ctx, &sdk.CreateEventIntegrationInput{Name: aws.String("e10"), EventBridgeBus: aws.String("default"), EventFilter: &types.EventFilter{Source: aws.String("aws.cases")}})
	if !is[*types.ResourceQuotaExceededException](err) {
		t.Errorf("one too many: %v", err)
	}
	count := 0
	for p := sdk.NewListEventIntegrationsPaginator(c.Client, &sdk.ListEventIntegrationsInput{MaxResults: aws.Int32(3)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		c.ok("list event integrations", err)
		count += len(page.EventIntegrations)
	}
	if count != 10 {
		t.Errorf("%d event integrations were listed", count)
	}
}
