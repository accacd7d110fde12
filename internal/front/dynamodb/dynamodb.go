// Package dynamodb serves the DynamoDB and DynamoDB Streams APIs over package tables: it turns shapes
// into the calls of a tables.DB and back, and faults into declared errors. Items pass through as the JSON
// they are.
//
// Parameters from before there were expressions (Expected, AttributeUpdates, KeyConditions and their like) and
// features of global tables are refused by name. Control serves /_penstock/tables/, which provokes what
// tests wait for in vain.
package dynamodb

import (
	"errors"
	"strings"
	"time"

	api "github.com/penstock-io/penstock/internal/awsapi/dynamodb"
	streams "github.com/penstock-io/penstock/internal/awsapi/dynamodbstreams"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/awsjson"
	"github.com/penstock-io/penstock/internal/wire/input"
)

// front holds what the handlers need.
type front struct {
	db       *tables.DB
	region   string
	endpoint string
	now      func() time.Time
}

// Config is what the services are made of. All of it is required.
type Config struct {
	DB       *tables.DB
	Region   string
	Endpoint string // host and port, for DescribeEndpoints
	Now      func() time.Time
}

// Services returns the DynamoDB service and the DynamoDB Streams service.
func Services(c Config) []*wire.Service {
	f := &front{c.DB, c.Region, c.Endpoint, c.Now}
	ops := api.Operations{
		BatchGetItem: f.batchGetItem, BatchWriteItem: f.batchWriteItem, CreateTable: f.createTable, DeleteItem: f.deleteItem,
		DeleteResourcePolicy: f.deleteResourcePolicy, DeleteTable: f.deleteTable, DescribeContinuousBackups: f.describeContinuousBackups,
		DescribeEndpoints: f.describeEndpoints, DescribeExport: f.describeExport, DescribeLimits: f.describeLimits, DescribeTable: f.describeTable,
		DescribeTimeToLive: f.describeTimeToLive, ExportTableToPointInTime: f.exportTable, ListExports: f.listExports, GetItem: f.getItem, GetResourcePolicy: f.getResourcePolicy, ListTables: f.listTables,
		ListTagsOfResource: f.listTagsOfResource, PutItem: f.putItem, PutResourcePolicy: f.putResourcePolicy, Query: f.query, Scan: f.scan,
		TagResource: f.tagResource, TransactGetItems: f.transactGetItems, TransactWriteItems: f.transactWriteItems,
		UntagResource: f.untagResource, UpdateContinuousBackups: f.updateContinuousBackups, UpdateItem: f.updateItem,
		UpdateTable: f.updateTable, UpdateTimeToLive: f.updateTimeToLive,
	}
	change := streams.Operations{
		DescribeStream: f.describeStream, GetRecords: f.getRecords, GetShardIterator: f.getShardIterator, ListStreams: f.listStreams,
	}
	return []*wire.Service{ops.Service(faults()), change.Service(streamFaults())}
}

// parsed turns the error of a parser into one of the wire's if the text was no item at all.
func parsed[T any](v T, err error, member string) (T, error) {
	var syntax *item.SyntaxError
	if errors.As(err, &syntax) {
		return v, input.Errorf(input.Mistyped, "%s of %s.", strings.TrimSuffix(syntax.Error(), "."), member)
	}
	return v, err
}

func parseItem(raw awsjson.Raw, member string) (item.Item, error) {
	m, err := item.Parse(string(raw))
	return parsed(m, err, member)
}

// optionalItem is parseItem for a member that may be absent.
func optionalItem(raw awsjson.Raw, member string) (item.Item, error) {
	if raw == nil {
		return nil, nil
	}
	return parseItem(raw, member)
}

func parseValues(raw awsjson.Raw) (map[string]item.Value, error) {
	if raw == nil {
		return nil, nil
	}
	values, err := item.ParseValues(string(raw), func(name string, err error) error {
		return fault.New(fault.Invalid, item.Subject, "ExpressionAttributeValues contains invalid value: %s for key %s", err, name)
	})
	return parsed(values, err, "ExpressionAttributeValues")
}

// refuse returns the error for parameters that are not offered: pairs of a name and whether it is there.
func refuse(instead string, pairs ...any) error {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1].(bool) {
			return fault.New(fault.Invalid, tables.SubjectRequest, "The parameter %s is not supported by this server; %s", pairs[i], instead)
		}
	}
	return nil
}

const useExpressions = "it is one of the legacy parameters, use the expression parameters instead"

const noReplicas = "tables here are not replicated"

// timeOf is a time in milliseconds, nil for 0.
func timeOf(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	return new(time.UnixMilli(ms).UTC())
}

// tableOf is the name of the table in an ARN, or what is no ARN as it is.
func tableOf(nameOrARN string) string {
	_, name, ok := strings.Cut(nameOrARN, ":table/")
	if !ok {
		return nameOrARN
	}
	name, _, _ = strings.Cut(name, "/")
	return name
}

// limitOf is a limit between 1 and most, most if it is absent.
func limitOf(v *int32, most int) (int, error) {
	switch {
	case v == nil:
		return most, nil
	case *v < 1 || int(*v) > most:
		return 0, fault.New(fault.Invalid, tables.SubjectRequest, "1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and %d", *v, most)
	}
	return int(*v), nil
}

// consumed are the capacities as the mode, TOTAL or INDEXES, wants them; nil for none.
func consumed(mode *string, used tables.Usage, transaction bool) []api.ConsumedCapacity {
	if member.Text(mode) != api.ReturnConsumedCapacityTotal && member.Text(mode) != api.ReturnConsumedCapacityIndexes {
		return nil
	}
	out := []api.ConsumedCapacity{}
	for _, u := range used.Tables {
		c := api.ConsumedCapacity{TableName: new(u.Table), CapacityUnits: new(u.Total())}
		if transaction {
			if u.Read > 0 {
				c.ReadCapacityUnits = new(u.Read)
			}
			if u.Write > 0 {
				c.WriteCapacityUnits = new(u.Write)
			}
		}
		if member.Text(mode) == api.ReturnConsumedCapacityIndexes {
			c.Table = &api.Capacity{CapacityUnits: new(u.Own)}
			c.LocalSecondaryIndexes, c.GlobalSecondaryIndexes = capacities(u.Local), capacities(u.Global)
		}
		out = append(out, c)
	}
	return out
}

// consumedOne is consumed for a request about one table.
func consumedOne(mode *string, used tables.Usage) *api.ConsumedCapacity {
	if list := consumed(mode, used, false); len(list) > 0 {
		return &list[0]
	}
	return nil
}

func capacities(m map[string]float64) map[string]api.Capacity {
	if len(m) == 0 {
		return nil
	}
	out := map[string]api.Capacity{}
	for name, n := range m {
		out[name] = api.Capacity{CapacityUnits: new(n)}
	}
	return out
}

// rawList joins the JSON of items to that of a list.
func rawList(items [][]byte) awsjson.Raw {
	out := awsjson.Raw{'['}
	for i, raw := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, raw...)
	}
	return append(out, ']')
}

// keyJSON is the JSON of a key, nil for none.
func keyJSON(key item.Item) awsjson.Raw {
	if key == nil {
		return nil
	}
	return key.JSON()
}
