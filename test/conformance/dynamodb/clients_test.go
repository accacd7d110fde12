package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

func sdkConfig(e *endpoint) aws.Config {
	return aws.Config{Region: e.region, BaseEndpoint: &e.url, Credentials: credentials.NewStaticCredentialsProvider(e.keys.AccessKeyID, e.keys.SecretAccessKey, "")}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// TestGoSDK does what programs do, with the SDK's own waiters and paginators.
func TestGoSDK(t *testing.T) {
	e := local(t)
	ctx := context.Background()
	db := sdk.NewFromConfig(sdkConfig(e))
	changes := dynamodbstreams.NewFromConfig(sdkConfig(e))
	if _, err := db.CreateTable(ctx, &sdk.CreateTableInput{
		TableName: aws.String("orders"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: "S"}, {AttributeName: aws.String("sk"), AttributeType: "S"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: "HASH"}, {AttributeName: aws.String("sk"), KeyType: "RANGE"}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	}); err != nil {
		t.Fatal(err)
	}
	if err := sdk.NewTableExistsWaiter(db).Wait(ctx, &sdk.DescribeTableInput{TableName: aws.String("orders")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	for batch := range 4 {
		var writes []types.WriteRequest
		for i := range 25 {
			writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: map[string]types.AttributeValue{
				"pk": text(fmt.Sprintf("c%d", i%5)), "sk": text(fmt.Sprintf("%d-%02d", batch, i)), "n": &types.AttributeValueMemberN{Value: fmt.Sprint(batch*25 + i)},
				"tags": &types.AttributeValueMemberSS{Value: []string{"a", "b"}}, "blob": &types.AttributeValueMemberB{Value: []byte{0, 1, 255}},
			}}})
		}
		if _, err := db.BatchWriteItem(ctx, &sdk.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"orders": writes}}); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for p := sdk.NewScanPaginator(db, &sdk.ScanInput{TableName: aws.String("orders"), Limit: aws.Int32(7)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page.Items)
	}
	if seen != 100 {
		t.Errorf("the scan found %d items, want 100", seen)
	}
	page, err := db.Query(ctx, &sdk.QueryInput{
		TableName: aws.String("orders"), KeyConditionExpression: aws.String("pk = :p AND begins_with(sk, :s)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":p": text("c3"), ":s": text("2-")},
	})
	if err != nil || page.Count != 5 {
		t.Errorf("the query found %v, %v", page, err)
	}
	_, err = db.TransactWriteItems(ctx, &sdk.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: aws.String("orders"), Item: map[string]types.AttributeValue{"pk": text("x"), "sk": text("1")}}},
		{ConditionCheck: &types.ConditionCheck{TableName: aws.String("orders"), Key: map[string]types.AttributeValue{"pk": text("nobody"), "sk": text("1")}, ConditionExpression: aws.String("attribute_exists(pk)")}},
	}})
	var canceled *types.TransactionCanceledException
	if !errors.As(err, &canceled) || len(canceled.CancellationReasons) != 2 || *canceled.CancellationReasons[1].Code != "ConditionalCheckFailed" {
		t.Errorf("the transaction ended with %v", err)
	}
	_, err = db.PutItem(ctx, &sdk.PutItemInput{
		TableName: aws.String("orders"), Item: map[string]types.AttributeValue{"pk": text("c0"), "sk": text("0-00")}, ConditionExpression: aws.String("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) || len(failed.Item) != 5 {
		t.Errorf("the condition ended with %v", err)
	}
	if got := readAll(ctx, t, changes); got != 100 {
		t.Errorf("the stream has %d records, want 100", got)
	}
}

func readAll(ctx context.Context, t *testing.T, changes *dynamodbstreams.Client) int {
	t.Helper()
	list, err := changes.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: aws.String("orders")})
	if err != nil || len(list.Streams) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	d, err := changes.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: list.Streams[0].StreamArn})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, shard := range d.StreamDescription.Shards {
		it, err := changes.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{StreamArn: d.StreamDescription.StreamArn, ShardId: shard.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon})
		if err != nil {
			t.Fatal(err)
		}
		out, err := changes.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: it.ShardIterator})
		if err != nil {
			t.Fatal(err)
		}
		n += len(out.Records)
	}
	return n
}

func clientEnv(e *endpoint) []string {
	return append(os.Environ(), "AWS_ENDPOINT_URL="+e.url, "AWS_ACCESS_KEY_ID="+wiretest.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+wiretest.SecretAccessKey,
		"AWS_REGION="+e.region, "AWS_DEFAULT_REGION="+e.region, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true")
}

// TestCommandLine types the commands of an ordinary session with the AWS CLI.
func TestCommandLine(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the aws command is not installed")
	}
	e := local(t)
	saved := map[string]string{}
	for _, step := range []struct{ command, want, save string }{
		{"dynamodb create-table --table-name music --attribute-definitions AttributeName=artist,AttributeType=S AttributeName=song,AttributeType=S --key-schema AttributeName=artist,KeyType=HASH AttributeName=song,KeyType=RANGE --provisioned-throughput ReadCapacityUnits=1,WriteCapacityUnits=1 --stream-specification StreamEnabled=true,StreamViewType=NEW_IMAGE --query TableDescription.LatestStreamArn --output text", "arn:aws:dynamodb:", "stream"},
		{"dynamodb wait table-exists --table-name music", "", ""},
		{`dynamodb put-item --table-name music --item {"artist":{"S":"No%One"},"song":{"S":"Call"},"year":{"N":"1999"}} --return-consumed-capacity TOTAL`, `"CapacityUnits": 1`, ""},
		{`dynamodb get-item --table-name music --key {"artist":{"S":"No%One"},"song":{"S":"Call"}} --consistent-read`, `"N": "1999"`, ""},
		{`dynamodb update-item --table-name music --key {"artist":{"S":"No%One"},"song":{"S":"Call"}} --update-expression SET%#y%=%:y --expression-attribute-names {"#y":"year"} --expression-attribute-values {":y":{"N":"2000"}} --return-values ALL_NEW`, `"N": "2000"`, ""},
		{`dynamodb query --table-name music --key-condition-expression artist%=%:a --expression-attribute-values {":a":{"S":"No%One"}} --query Count`, "1", ""},
		{"dynamodb scan --table-name music --query Count --page-size 1", "1", ""},
		{"dynamodb describe-table --table-name music --query Table.TableStatus", "ACTIVE", ""},
		{"dynamodb list-tables", "music", ""},
		{"dynamodb update-time-to-live --table-name music --time-to-live-specification Enabled=true,AttributeName=until", "until", ""},
		{"dynamodb describe-continuous-backups --table-name music", "ENABLED", ""},
		{"dynamodbstreams list-streams --table-name music", "StreamLabel", ""},
		{"dynamodbstreams describe-stream --stream-arn <stream> --query StreamDescription.Shards[0].ShardId --output text", "shardId-", "shard"},
		{"dynamodbstreams get-shard-iterator --stream-arn <stream> --shard-id <shard> --shard-iterator-type TRIM_HORIZON --query ShardIterator --output text", "|1|", "iterator"},
		{"dynamodbstreams get-records --shard-iterator <iterator> --query Records[].eventName --output text", "INSERT\tMODIFY", ""},
		{"dynamodb delete-table --table-name music", "DELETING", ""},
		{"dynamodb wait table-not-exists --table-name music", "", ""},
	} {
		command := step.command
		for name, value := range saved {
			command = strings.ReplaceAll(command, "<"+name+">", value)
		}
		args := strings.Split(command, " ")
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "%", " ")
		}
		cmd := exec.Command("aws", args...)
		cmd.Env = clientEnv(e)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), step.want) {
			t.Fatalf("aws %s: %v\n%s\nwant %s", command, err, out, step.want)
		}
		if step.save != "" {
			saved[step.save] = strings.TrimSpace(string(out))
		}
	}
}

const boto = `
import boto3, decimal
from boto3.dynamodb.conditions import Key, Attr
from botocore.exceptions import ClientError
db = boto3.resource("dynamodb")
t = db.create_table(TableName="movies", BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName":"year","AttributeType":"N"},{"AttributeName":"title","AttributeType":"S"},{"AttributeName":"genre","AttributeType":"S"}],
    KeySchema=[{"AttributeName":"year","KeyType":"HASH"},{"AttributeName":"title","KeyType":"RANGE"}],
    GlobalSecondaryIndexes=[{"IndexName":"by-genre","KeySchema":[{"AttributeName":"genre","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}])
t.wait_until_exists()
with t.batch_writer() as w:
    for i in range(60):
        w.put_item(Item={"year": 2000 + i % 3, "title": "t%02d" % i, "genre": "g%d" % (i % 2), "rating": decimal.Decimal("7.5") + i, "info": {"cast": ["a", "b"], "seen": False, "none": None}, "set": {1, 2}})
assert t.scan()["Count"] == 60
r = t.query(KeyConditionExpression=Key("year").eq(2001) & Key("title").between("t10", "t30"), FilterExpression=Attr("rating").gt(20))
assert all(i["rating"] > 20 for i in r["Items"]) and r["Count"] > 0, r
assert t.query(IndexName="by-genre", KeyConditionExpression=Key("genre").eq("g1"), Select="COUNT")["Count"] == 30
r = t.update_item(Key={"year": 2000, "title": "t00"}, UpdateExpression="SET info.seen = :t, rating = rating + :d", ExpressionAttributeValues={":t": True, ":d": decimal.Decimal("0.25")}, ReturnValues="UPDATED_NEW")
assert r["Attributes"] == {"info": {"seen": True}, "rating": decimal.Decimal("7.75")}, r
item = t.get_item(Key={"year": 2000, "title": "t00"})["Item"]
assert item["set"] == {decimal.Decimal(1), decimal.Decimal(2)} and item["info"]["none"] is None, item
try:
    t.put_item(Item={"year": 2000, "title": "t00"}, ConditionExpression=Attr("title").not_exists())
    raise SystemExit("the condition held")
except ClientError as e:
    assert e.response["Error"]["Code"] == "ConditionalCheckFailedException", e.response
try:
    t.meta.client.describe_table(TableName="nowhere")
    raise SystemExit("the table is there")
except t.meta.client.exceptions.ResourceNotFoundException as e:
    assert "Requested resource not found: Table: nowhere not found" in str(e)
pages = list(t.meta.client.get_paginator("scan").paginate(TableName="movies", PaginationConfig={"PageSize": 9}))
assert sum(p["Count"] for p in pages) == 60 and len(pages) >= 7
t.delete()
t.wait_until_not_exists()
print("done")
`

// TestBoto3 runs an ordinary program of the Python SDK.
func TestBoto3(t *testing.T) {
	if exec.Command("python3", "-c", "import boto3").Run() != nil {
		t.Skip("boto3 is not installed")
	}
	e := local(t)
	cmd := exec.Command("python3", "-c", boto)
	cmd.Env = clientEnv(e)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "done") {
		t.Fatalf("%v\n%s", err, out)
	}
}
