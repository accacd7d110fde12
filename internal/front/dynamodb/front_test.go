package dynamodb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-io/penstock/internal/front/dynamodb"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

type object = map[string]any

// noObjects is a bucket store that exports may go to, and do not: nothing does them here.
type noObjects struct{}

func (noObjects) Put(context.Context, string, string, io.Reader, int64) error { return nil }

// env is a server over tables of its own.
type env struct {
	t       *testing.T
	db      *tables.DB
	handler *wire.Handler
	now     func() time.Time
}

func newEnv(t *testing.T) env {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	db, err := tables.Open(tables.Config{
		Dir: t.TempDir(), Region: wiretest.Region, Account: wiretest.Account, Now: now, NewID: uuid.NewString, Log: slog.New(slog.DiscardHandler), Objects: noObjects{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	control := dynamodb.Control(db)
	h, err := wire.New(wire.Config{
		Services: dynamodb.Services(dynamodb.Config{DB: db, Region: wiretest.Region, Endpoint: "localhost:4566", Now: now}),
		Internal: func(w http.ResponseWriter, r *http.Request, _ identity.Caller) { control.ServeHTTP(w, r) },
		Keys:     wiretest.Keys{}, Region: wiretest.Region, Now: now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return env{t, db, h, now}
}

func (e env) Client() wiretest.Client { return wiretest.Client{Handler: e.handler, Now: e.now} }

func request(target string, in any) *http.Request {
	body, _ := json.Marshal(in)
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	return r
}

func target(op string) string {
	switch op {
	case "ListStreams", "DescribeStream", "GetShardIterator", "GetRecords":
		return "DynamoDBStreams_20120810." + op
	}
	return "DynamoDB_20120810." + op
}

func (e env) call(op string, in any) (int, object) {
	e.t.Helper()
	w := e.Client().Do(e.t, "dynamodb", request(target(op), in))
	out := object{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil && w.Body.Len() > 0 {
		e.t.Fatalf("%s: %d %s", op, w.Code, w.Body)
	}
	return w.Code, out
}

func (e env) must(op string, in any) object {
	e.t.Helper()
	status, out := e.call(op, in)
	if status != http.StatusOK {
		e.t.Fatalf("%s: %d %v", op, status, out)
	}
	return out
}

// refuses wants an error whose type ends so and whose message contains the text.
func (e env) refuses(op string, in any, kind, text string) {
	e.t.Helper()
	status, out := e.call(op, in)
	shape, _ := out["__type"].(string)
	message, _ := out["message"].(string)
	if message == "" {
		message, _ = out["Message"].(string)
	}
	if status != http.StatusBadRequest || !strings.HasSuffix(shape, kind) || !strings.Contains(message, text) {
		e.t.Errorf("%s: %d %v, want %s with %q", op, status, out, kind, text)
	}
}

func (e env) control(method, path string, in any) (int, object) {
	e.t.Helper()
	body, _ := json.Marshal(in)
	w := e.Client().Do(e.t, "penstock", httptest.NewRequest(method, "/_penstock/tables/"+path, bytes.NewReader(body)))
	out := object{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		e.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Code, out
}

func s(text string) object { return object{"S": text} }
func n(text string) object { return object{"N": text} }

// simple is a table with a partition key and, if asked for, a sort key, and a stream.
func simple(name string, sort, stream bool) object {
	in := object{
		"TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": []object{{"AttributeName": "pk", "KeyType": "HASH"}},
		"AttributeDefinitions": []object{{"AttributeName": "pk", "AttributeType": "S"}},
	}
	if sort {
		in["KeySchema"] = []object{{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}}
		in["AttributeDefinitions"] = []object{{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}}
	}
	if stream {
		in["StreamSpecification"] = object{"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"}
	}
	return in
}

func TestItemsEndToEnd(t *testing.T) {
	e := newEnv(t)
	e.must("CreateTable", simple("orders", true, true))
	e.must("PutItem", object{"TableName": "orders", "Item": object{"pk": s("a"), "sk": n("1"), "total": n("10.50")}})
	got := e.must("GetItem", object{"TableName": "orders", "Key": object{"pk": s("a"), "sk": n("1.0")}})
	if text, _ := json.Marshal(got["Item"]); string(text) != `{"pk":{"S":"a"},"sk":{"N":"1"},"total":{"N":"10.5"}}` {
		t.Errorf("the item is %s", text)
	}
	out := e.must("UpdateItem", object{
		"TableName": "orders", "Key": object{"pk": s("a"), "sk": n("1")}, "UpdateExpression": "SET #t = #t + :d ADD visits :d", "ExpressionAttributeNames": object{"#t": "total"}, "ExpressionAttributeValues": object{":d": n("1")},
		"ReturnValues": "UPDATED_NEW", "ReturnConsumedCapacity": "TOTAL",
	})
	if text, _ := json.Marshal(out); string(text) != `{"Attributes":{"total":{"N":"11.5"},"visits":{"N":"1"}},"ConsumedCapacity":{"CapacityUnits":1,"TableName":"orders"}}` {
		t.Errorf("the update returned %s", text)
	}
	e.refuses("PutItem", object{"TableName": "orders", "Item": object{"pk": s("a"), "sk": n("1")}, "ConditionExpression": "attribute_not_exists(pk)"}, "ConditionalCheckFailedException", "The conditional request failed")
	e.refuses("PutItem", object{"TableName": "nowhere", "Item": object{"pk": s("a")}}, "ResourceNotFoundException", "Requested resource not found")
	for i := range 5 {
		e.must("PutItem", object{"TableName": "orders", "Item": object{"pk": s("b"), "sk": n(string(rune('0' + i)))}})
	}
	page := e.must("Query", object{"TableName": "orders", "KeyConditionExpression": "pk = :p AND sk > :s", "ExpressionAttributeValues": object{":p": s("b"), ":s": n("1")}, "ScanIndexForward": false, "Limit": 2})
	if text, _ := json.Marshal(page["Items"]); string(text) != `[{"pk":{"S":"b"},"sk":{"N":"4"}},{"pk":{"S":"b"},"sk":{"N":"3"}}]` || page["LastEvaluatedKey"] == nil {
		t.Errorf("the page is %v", page)
	}
	if d := e.must("DescribeTable", object{"TableName": "orders"})["Table"].(object); d["ItemCount"] != 6.0 || d["TableStatus"] != "ACTIVE" {
		t.Errorf("the table is %v", d)
	}
}
