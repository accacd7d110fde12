package dynamodb_test

import (
	"fmt"
	"net/http"
	"testing"

	api "github.com/penstock-io/penstock/internal/awsapi/dynamodb"
	streams "github.com/penstock-io/penstock/internal/awsapi/dynamodbstreams"
	"github.com/penstock-io/penstock/internal/front/dynamodb"
	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

const nowhere = "arn:aws:dynamodb:" + wiretest.Region + ":" + wiretest.Account + ":table/nowhere"

// calls are requests that name things that do not exist.
var calls = map[string]object{
	"BatchGetItem": {"RequestItems": object{"nowhere": object{"Keys": []object{{"pk": s("a")}}}}}, "BatchWriteItem": {"RequestItems": object{"nowhere": []object{{"DeleteRequest": object{"Key": object{"pk": s("a")}}}}}},
	"CreateTable": simple("orders", false, false), "DeleteItem": {"TableName": "nowhere", "Key": object{"pk": s("a")}}, "DeleteResourcePolicy": {"ResourceArn": nowhere},
	"DeleteTable": {"TableName": "nowhere"}, "DescribeContinuousBackups": {"TableName": "nowhere"}, "DescribeLimits": {}, "DescribeTable": {"TableName": "nowhere"},
	"ExportTableToPointInTime": {"TableArn": nowhere, "S3Bucket": "backups"}, "DescribeExport": {"ExportArn": nowhere + "/export/00000000000000-00000000"}, "ListExports": {},
	"DescribeTimeToLive": {"TableName": "nowhere"}, "GetItem": {"TableName": "nowhere", "Key": object{"pk": s("a")}}, "GetResourcePolicy": {"ResourceArn": nowhere}, "ListTables": {},
	"ListTagsOfResource": {"ResourceArn": nowhere}, "PutItem": {"TableName": "nowhere", "Item": object{"pk": s("a")}}, "PutResourcePolicy": {"ResourceArn": nowhere, "Policy": "{}"},
	"Query": {"TableName": "nowhere", "KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": object{":p": s("a")}}, "Scan": {"TableName": "nowhere"},
	"TagResource":             {"ResourceArn": nowhere, "Tags": []object{{"Key": "a", "Value": "b"}}},
	"TransactGetItems":        {"TransactItems": []object{{"Get": object{"TableName": "nowhere", "Key": object{"pk": s("a")}}}}},
	"TransactWriteItems":      {"TransactItems": []object{{"Delete": object{"TableName": "nowhere", "Key": object{"pk": s("a")}}}}},
	"UntagResource":           {"ResourceArn": nowhere, "TagKeys": []string{"a"}},
	"UpdateContinuousBackups": {"TableName": "nowhere", "PointInTimeRecoverySpecification": object{"PointInTimeRecoveryEnabled": true}},
	"UpdateItem":              {"TableName": "nowhere", "Key": object{"pk": s("a")}}, "UpdateTable": {"TableName": "nowhere", "BillingMode": "PAY_PER_REQUEST"},
	"UpdateTimeToLive": {"TableName": "nowhere", "TimeToLiveSpecification": object{"Enabled": true, "AttributeName": "a"}},
	"ListStreams":      {}, "DescribeStream": {"StreamArn": nowhere + "/stream/2026-01-01T00:00:00.000"},
	"GetShardIterator": {"StreamArn": nowhere + "/stream/2026-01-01T00:00:00.000", "ShardId": "shardId-00000000000000000000-00000000", "ShardIteratorType": "LATEST"},
	"GetRecords":       {"ShardIterator": nowhere + "/stream/2026-01-01T00:00:00.000|1|AAAA"},
}

// provoked are the errors that Control brings about, and what they are called there.
var provoked = map[string]string{
	"ProvisionedThroughputExceededException": tables.FailThrottle, "RequestLimitExceeded": tables.FailLimit, "InternalServerError": tables.FailInternal,
	"TransactionConflictException": tables.FailConflict, "ItemCollectionSizeLimitExceededException": tables.FailCollection, "TransactionInProgressException": tables.FailInProgress,
	"ReplicatedWriteConflictException": tables.FailReplication, "ThrottlingException": tables.FailSlow, "ContinuousBackupsUnavailableException": tables.FailBackups,
}

// ask is a case: what is done first, and what then fails.
func ask(op string, e *wire.ErrorShape, first func(env), in object) fronttest.Case[env] {
	return fronttest.Case[env]{Operation: op, Error: e, Request: func(t *testing.T, v env) *http.Request {
		v.t = t
		first(v)
		return request(target(op), in)
	}}
}

func nothing(env) {}

func orders(e env) { e.must("CreateTable", simple("orders", false, true)) }

func services(t *testing.T) []*wire.Service {
	e := newEnv(t)
	return dynamodb.Services(dynamodb.Config{DB: e.db, Region: wiretest.Region, Endpoint: "localhost:4566", Now: e.now})
}

// ready are the cases for errors that are provoked and for things that do not exist.
func ready(service *wire.Service, missing *wire.ErrorShape) []fronttest.Case[env] {
	var cases []fronttest.Case[env]
	for _, op := range service.Operations {
		for _, shape := range op.Errors {
			if !op.Served() {
				continue
			}
			failure, ok := provoked[shape.Name]
			if ok {
				cases = append(cases, ask(op.Name, shape, func(e env) {
					if err := e.db.Control().FailNext(op.Name, "", failure, 1); err != nil {
						e.t.Fatal(err)
					}
				}, calls[op.Name]))
			}
			if shape == missing && op.Name != "GetRecords" && op.Name != "ListStreams" {
				cases = append(cases, ask(op.Name, shape, nothing, calls[op.Name]))
			}
		}
	}
	return cases
}

// quota makes the next call meet the limit of operations at the same time.
func quota(op string) func(env) {
	return func(e env) {
		if err := e.db.Control().FailNext(op, "", tables.FailQuota, 1); err != nil {
			e.t.Fatal(err)
		}
	}
}

func inUse(op string) func(env) {
	return func(e env) {
		if err := e.db.Control().FailNext(op, "", tables.FailInUse, 1); err != nil {
			e.t.Fatal(err)
		}
	}
}

func TestDeclared(t *testing.T) {
	service := services(t)[0]
	item := object{"TableName": "orders", "Item": object{"pk": s("a")}, "ConditionExpression": "attribute_exists(pk)"}
	key := object{"TableName": "orders", "Key": object{"pk": s("a")}, "ConditionExpression": "attribute_exists(pk)"}
	arn := "arn:aws:dynamodb:" + wiretest.Region + ":" + wiretest.Account + ":table/orders"
	var tags []object
	for i := range 51 {
		tags = append(tags, object{"Key": fmt.Sprint(i), "Value": "v"})
	}
	transaction := func(v string) object {
		return object{"ClientRequestToken": "t", "TransactItems": []object{{"Put": object{"TableName": "orders", "Item": object{"pk": s("a"), "v": s(v)}}}}}
	}
	export := object{"TableArn": arn, "S3Bucket": "backups", "ClientToken": "t"}
	recoverable := func(e env) {
		orders(e)
		e.must("UpdateContinuousBackups", object{"TableName": "orders", "PointInTimeRecoverySpecification": object{"PointInTimeRecoveryEnabled": true}})
	}
	cases := append(ready(service, api.ErrResourceNotFoundException),
		ask("PutItem", api.ErrConditionalCheckFailedException, orders, item),
		ask("UpdateItem", api.ErrConditionalCheckFailedException, orders, key),
		ask("DeleteItem", api.ErrConditionalCheckFailedException, orders, key),
		ask("CreateTable", api.ErrResourceInUseException, orders, calls["CreateTable"]),
		ask("CreateTable", api.ErrLimitExceededException, quota("CreateTable"), calls["CreateTable"]),
		ask("UpdateTable", api.ErrResourceInUseException, inUse("UpdateTable"), calls["UpdateTable"]),
		ask("UpdateTable", api.ErrLimitExceededException, quota("UpdateTable"), calls["UpdateTable"]),
		ask("DeleteTable", api.ErrResourceInUseException, inUse("DeleteTable"), calls["DeleteTable"]),
		ask("DeleteTable", api.ErrLimitExceededException, quota("DeleteTable"), calls["DeleteTable"]),
		ask("UpdateTimeToLive", api.ErrResourceInUseException, inUse("UpdateTimeToLive"), calls["UpdateTimeToLive"]),
		ask("UpdateTimeToLive", api.ErrLimitExceededException, quota("UpdateTimeToLive"), calls["UpdateTimeToLive"]),
		ask("TagResource", api.ErrLimitExceededException, orders, object{"ResourceArn": arn, "Tags": tags}),
		ask("TagResource", api.ErrResourceInUseException, inUse("TagResource"), calls["TagResource"]),
		ask("UntagResource", api.ErrLimitExceededException, quota("UntagResource"), calls["UntagResource"]),
		ask("UntagResource", api.ErrResourceInUseException, inUse("UntagResource"), calls["UntagResource"]),
		ask("PutResourcePolicy", api.ErrPolicyNotFoundException, orders, object{"ResourceArn": arn, "Policy": "{}", "ExpectedRevisionId": "other"}),
		ask("PutResourcePolicy", api.ErrResourceInUseException, inUse("PutResourcePolicy"), calls["PutResourcePolicy"]),
		ask("PutResourcePolicy", api.ErrLimitExceededException, quota("PutResourcePolicy"), calls["PutResourcePolicy"]),
		ask("GetResourcePolicy", api.ErrPolicyNotFoundException, orders, object{"ResourceArn": arn}),
		ask("DeleteResourcePolicy", api.ErrPolicyNotFoundException, orders, object{"ResourceArn": arn, "ExpectedRevisionId": "other"}),
		ask("DeleteResourcePolicy", api.ErrResourceInUseException, inUse("DeleteResourcePolicy"), calls["DeleteResourcePolicy"]),
		ask("DeleteResourcePolicy", api.ErrLimitExceededException, quota("DeleteResourcePolicy"), calls["DeleteResourcePolicy"]),
		ask("DescribeContinuousBackups", api.ErrTableNotFoundException, nothing, calls["DescribeContinuousBackups"]),
		ask("UpdateContinuousBackups", api.ErrTableNotFoundException, nothing, calls["UpdateContinuousBackups"]),
		ask("ExportTableToPointInTime", api.ErrTableNotFoundException, nothing, calls["ExportTableToPointInTime"]),
		ask("ExportTableToPointInTime", api.ErrPointInTimeRecoveryUnavailableException, orders, export),
		ask("ExportTableToPointInTime", api.ErrInvalidExportTimeException, recoverable, object{"TableArn": arn, "S3Bucket": "backups", "ExportTime": 1}),
		ask("ExportTableToPointInTime", api.ErrExportConflictException, func(e env) {
			recoverable(e)
			e.must("ExportTableToPointInTime", export)
		}, object{"TableArn": arn, "S3Bucket": "others", "ClientToken": "t"}),
		ask("ExportTableToPointInTime", api.ErrLimitExceededException, quota("ExportTableToPointInTime"), calls["ExportTableToPointInTime"]),
		ask("DescribeExport", api.ErrExportNotFoundException, nothing, calls["DescribeExport"]),
		ask("DescribeExport", api.ErrLimitExceededException, quota("DescribeExport"), calls["DescribeExport"]),
		ask("ListExports", api.ErrLimitExceededException, quota("ListExports"), calls["ListExports"]),
		ask("TransactWriteItems", api.ErrTransactionCanceledException, orders, object{"TransactItems": []object{
			{"Put": object{"TableName": "orders", "Item": object{"pk": s("b")}}},
			{"ConditionCheck": object{"TableName": "orders", "Key": object{"pk": s("a")}, "ConditionExpression": "attribute_exists(pk)"}},
		}}),
		ask("TransactWriteItems", api.ErrIdempotentParameterMismatchException, func(e env) {
			orders(e)
			e.must("TransactWriteItems", transaction("one"))
		}, transaction("two")),
	)
	fronttest.Declared(t, "testdata/declared.txtar", service, newEnv, cases, []fronttest.Never{
		fronttest.Cannot("TransactGetItems", api.ErrTransactionCanceledException, "reads see one moment of the store and never meet a transaction under way"),
	})
}

func TestDeclaredByStreams(t *testing.T) {
	service := services(t)[1]
	iterator := func(after func(env)) func(t *testing.T, e env) *http.Request {
		return func(t *testing.T, e env) *http.Request {
			e.t = t
			arn := e.must("CreateTable", simple("orders", false, true))["TableDescription"].(object)["LatestStreamArn"].(string)
			e.must("PutItem", object{"TableName": "orders", "Item": object{"pk": s("a")}})
			shard := e.must("DescribeStream", object{"StreamArn": arn})["StreamDescription"].(object)["Shards"].([]any)[0].(object)["ShardId"]
			token := e.must("GetShardIterator", object{"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"})["ShardIterator"]
			after(e)
			return request(target("GetRecords"), object{"ShardIterator": token})
		}
	}
	must := func(e env, err error) {
		if err != nil {
			e.t.Fatal(err)
		}
	}
	trim := func(e env) { must(e, e.db.Control().Trim(e.t.Context(), "orders", false)) }
	cases := append(ready(service, streams.ErrResourceNotFoundException),
		ask("GetRecords", streams.ErrLimitExceededException, func(e env) { must(e, e.db.Control().FailNext("GetRecords", "", tables.FailThrottle, 1)) }, calls["GetRecords"]),
		fronttest.Case[env]{Operation: "GetRecords", Error: streams.ErrExpiredIteratorException, Request: iterator(func(e env) { e.db.Control().ExpireIterators() })},
		fronttest.Case[env]{Operation: "GetRecords", Error: streams.ErrTrimmedDataAccessException, Request: iterator(trim)},
		fronttest.Case[env]{Operation: "GetRecords", Error: streams.ErrResourceNotFoundException, Request: iterator(func(e env) {
			e.must("DeleteTable", object{"TableName": "orders"})
			must(e, e.db.Control().Trim(e.t.Context(), "orders", true))
		})},
		fronttest.Case[env]{Operation: "GetShardIterator", Error: streams.ErrTrimmedDataAccessException, Request: func(t *testing.T, e env) *http.Request {
			e.t = t
			arn := e.must("CreateTable", simple("orders", false, true))["TableDescription"].(object)["LatestStreamArn"].(string)
			e.must("PutItem", object{"TableName": "orders", "Item": object{"pk": s("a")}})
			first := e.must("DescribeStream", object{"StreamArn": arn})["StreamDescription"].(object)["Shards"].([]any)[0].(object)
			trim(e)
			return request(target("GetShardIterator"), object{
				"StreamArn": arn, "ShardId": first["ShardId"], "ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": first["SequenceNumberRange"].(object)["StartingSequenceNumber"],
			})
		}},
	)
	fronttest.Declared(t, "testdata/declared-streams.txtar", service, newEnv, cases, []fronttest.Never{
		fronttest.Cannot("ListStreams", streams.ErrResourceNotFoundException, "a table that does not exist has an empty list of streams, as one without streams has"),
	})
}
