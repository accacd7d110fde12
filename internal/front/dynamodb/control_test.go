package dynamodb_test

import (
	"net/http"
	"testing"
)

// TestControl provokes over HTTP what the streams' readers then meet.
func TestControl(t *testing.T) {
	e := newEnv(t)
	if _, got := e.control(http.MethodPut, "settings", object{"firstShards": 1, "shardRoll": "1h"}); got["firstShards"] != 1.0 || got["shardRoll"] != "1h0m0s" || got["iteratorLifetime"] != "15m0s" {
		t.Errorf("the settings are %v", got)
	}
	arn := e.must("CreateTable", simple("orders", false, true))["TableDescription"].(object)["LatestStreamArn"]
	shards := func() []any {
		return e.must("DescribeStream", object{"StreamArn": arn})["StreamDescription"].(object)["Shards"].([]any)
	}
	if _, got := e.control(http.MethodPost, "streams/orders/split", nil); len(got["shards"].([]any)) != 2 {
		t.Errorf("splitting gave %v", got)
	}
	children := shards()
	if len(children) != 3 || children[1].(object)["ParentShardId"] != children[0].(object)["ShardId"] {
		t.Errorf("the shards are %v", children)
	}
	if _, got := e.control(http.MethodPost, "streams/orders/roll", object{"shard": children[1].(object)["ShardId"]}); len(got["shards"].([]any)) != 1 {
		t.Errorf("rolling gave %v", got)
	}
	if status, got := e.control(http.MethodPost, "streams/orders/roll", object{"shard": children[1].(object)["ShardId"]}); status != http.StatusNotFound {
		t.Errorf("rolling a closed shard: %d %v", status, got)
	}
	iterator := e.must("GetShardIterator", object{"StreamArn": arn, "ShardId": children[2].(object)["ShardId"], "ShardIteratorType": "TRIM_HORIZON"})["ShardIterator"]
	e.control(http.MethodPost, "streams/orders/trim", object{"shards": true})
	e.refuses("GetRecords", object{"ShardIterator": iterator}, "TrimmedDataAccessException", "past the oldest stream record")
	if left := shards(); len(left) != 2 {
		t.Errorf("after trimming the shards are %v", left)
	}
	e.control(http.MethodPost, "iterators/expire", nil)
	e.refuses("GetRecords", object{"ShardIterator": iterator}, "ExpiredIteratorException", "Iterator expired.")

	e.control(http.MethodPost, "failures", object{"operation": "PutItem", "table": "orders", "failure": "throttle", "calls": 2})
	put := object{"TableName": "orders", "Item": object{"pk": s("a")}}
	e.must("GetItem", object{"TableName": "orders", "Key": object{"pk": s("a")}})
	for range 2 {
		e.refuses("PutItem", put, "ProvisionedThroughputExceededException", "provisioned throughput")
	}
	e.must("PutItem", put)
	e.control(http.MethodPost, "failures", object{"failure": "limit", "calls": -1})
	e.refuses("ListTables", object{}, "RequestLimitExceeded", "")
	if _, got := e.control(http.MethodGet, "failures", nil); len(got["failures"].([]any)) != 1 {
		t.Errorf("the failures are %v", got)
	}
	e.control(http.MethodDelete, "failures", nil)
	e.must("ListTables", object{})

	for _, tc := range []struct {
		method, path string
		in           any
		status       int
	}{
		{http.MethodPost, "streams/nowhere/roll", nil, http.StatusNotFound},
		{http.MethodPost, "failures", object{"failure": "odd", "calls": 1}, http.StatusBadRequest},
		{http.MethodPost, "failures", object{"failure": "throttle"}, http.StatusBadRequest},
		{http.MethodPost, "failures", object{"fialure": "throttle"}, http.StatusBadRequest},
		{http.MethodPut, "settings", object{"shardRoll": "soon"}, http.StatusBadRequest},
		{http.MethodPut, "settings", object{"firstShards": -1}, http.StatusBadRequest},
		{http.MethodGet, "nothing", nil, http.StatusNotFound},
	} {
		if status, got := e.control(tc.method, tc.path, tc.in); status != tc.status || got["message"] == "" {
			t.Errorf("%s %s %v: %d %v, want %d", tc.method, tc.path, tc.in, status, got, tc.status)
		}
	}
}
