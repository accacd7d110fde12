package dynamodb

import (
	"context"
	"maps"
	"slices"

	api "github.com/penstock-io/penstock/internal/awsapi/dynamodb"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/wire/awsjson"
)

// write is a write as any of the operations has it.
func write(kind tables.Kind, table *string, raw awsjson.Raw, condition, update *string, names map[string]string, values awsjson.Raw, onFailure *string) (*tables.Write, error) {
	name := "Key"
	if kind == tables.Put {
		name = "Item"
	}
	m, err := parseItem(raw, name)
	if err != nil {
		return nil, err
	}
	vs, err := parseValues(values)
	if err != nil {
		return nil, err
	}
	return &tables.Write{
		Kind: kind, Table: *table, Item: m, Condition: condition, Update: update, Names: names, Values: vs,
		ReturnOld: member.Text(onFailure) == api.ReturnValuesOnConditionCheckFailureAllOld,
	}, nil
}

// write does one write and returns the parts of the answer.
func (f *front) write(ctx context.Context, operation string, w *tables.Write, returns, capacity, metrics *string) (attributes awsjson.Raw, used *api.ConsumedCapacity, collection *api.ItemCollectionMetrics, err error) {
	if err := f.db.Admit(operation, tableOf(w.Table)); err != nil {
		return nil, nil, nil, err
	}
	out, err := f.db.Write(ctx, w, member.Text(returns))
	if err != nil {
		return nil, nil, nil, explained(err)
	}
	if member.Text(metrics) == api.ReturnItemCollectionMetricsSize && out.Collection != nil {
		collection = &api.ItemCollectionMetrics{ItemCollectionKey: out.Collection, SizeEstimateRangeGB: []float64{0, 1}}
	}
	return out.Attributes, consumedOne(capacity, out.Usage), collection, nil
}

func (f *front) putItem(ctx context.Context, _ identity.Caller, in *api.PutItemInput) (*api.PutItemOutput, error) {
	if err := refuse(useExpressions, "Expected", in.Expected != nil, "ConditionalOperator", in.ConditionalOperator != nil); err != nil {
		return nil, err
	}
	w, err := write(tables.Put, in.TableName, in.Item, in.ConditionExpression, nil, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.ReturnValuesOnConditionCheckFailure)
	if err != nil {
		return nil, err
	}
	out := &api.PutItemOutput{}
	out.Attributes, out.ConsumedCapacity, out.ItemCollectionMetrics, err = f.write(ctx, "PutItem", w, in.ReturnValues, in.ReturnConsumedCapacity, in.ReturnItemCollectionMetrics)
	return out, err
}

func (f *front) updateItem(ctx context.Context, _ identity.Caller, in *api.UpdateItemInput) (*api.UpdateItemOutput, error) {
	if err := refuse(useExpressions, "AttributeUpdates", in.AttributeUpdates != nil, "Expected", in.Expected != nil, "ConditionalOperator", in.ConditionalOperator != nil); err != nil {
		return nil, err
	}
	w, err := write(tables.Update, in.TableName, in.Key, in.ConditionExpression, in.UpdateExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.ReturnValuesOnConditionCheckFailure)
	if err != nil {
		return nil, err
	}
	out := &api.UpdateItemOutput{}
	out.Attributes, out.ConsumedCapacity, out.ItemCollectionMetrics, err = f.write(ctx, "UpdateItem", w, in.ReturnValues, in.ReturnConsumedCapacity, in.ReturnItemCollectionMetrics)
	return out, err
}

func (f *front) deleteItem(ctx context.Context, _ identity.Caller, in *api.DeleteItemInput) (*api.DeleteItemOutput, error) {
	if err := refuse(useExpressions, "Expected", in.Expected != nil, "ConditionalOperator", in.ConditionalOperator != nil); err != nil {
		return nil, err
	}
	w, err := write(tables.Delete, in.TableName, in.Key, in.ConditionExpression, nil, in.ExpressionAttributeNames, in.ExpressionAttributeValues, in.ReturnValuesOnConditionCheckFailure)
	if err != nil {
		return nil, err
	}
	out := &api.DeleteItemOutput{}
	out.Attributes, out.ConsumedCapacity, out.ItemCollectionMetrics, err = f.write(ctx, "DeleteItem", w, in.ReturnValues, in.ReturnConsumedCapacity, in.ReturnItemCollectionMetrics)
	return out, err
}

func (f *front) getItem(ctx context.Context, _ identity.Caller, in *api.GetItemInput) (*api.GetItemOutput, error) {
	if err := refuse(useExpressions, "AttributesToGet", in.AttributesToGet != nil); err != nil {
		return nil, err
	}
	key, err := parseItem(in.Key, "Key")
	if err != nil {
		return nil, err
	}
	if err := f.db.Admit("GetItem", tableOf(*in.TableName)); err != nil {
		return nil, err
	}
	raw, used, err := f.db.Get(ctx, &tables.Read{
		Table: *in.TableName, Keys: []item.Item{key}, Projection: in.ProjectionExpression, Names: in.ExpressionAttributeNames, Consistent: member.True(in.ConsistentRead),
	})
	if err != nil {
		return nil, err
	}
	return &api.GetItemOutput{Item: raw, ConsumedCapacity: consumedOne(in.ReturnConsumedCapacity, used)}, nil
}

func (f *front) batchWriteItem(ctx context.Context, _ identity.Caller, in *api.BatchWriteItemInput) (*api.BatchWriteItemOutput, error) {
	var writes []*tables.Write
	var names []string
	for _, table := range slices.Sorted(maps.Keys(in.RequestItems)) {
		names = append(names, tableOf(table))
		for _, r := range in.RequestItems[table] {
			var raw awsjson.Raw
			kind := tables.Put
			switch {
			case r.PutRequest != nil && r.DeleteRequest != nil, r.PutRequest == nil && r.DeleteRequest == nil:
				return nil, fault.New(fault.Invalid, tables.SubjectRequest, "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			case r.PutRequest != nil:
				raw = r.PutRequest.Item
			default:
				kind, raw = tables.Delete, r.DeleteRequest.Key
			}
			w, err := write(kind, &table, raw, nil, nil, nil, nil, nil)
			if err != nil {
				return nil, err
			}
			writes = append(writes, w)
		}
	}
	if err := f.db.Admit("BatchWriteItem", names...); err != nil {
		return nil, err
	}
	used, err := f.db.BatchWrite(ctx, writes)
	if err != nil {
		return nil, explained(err)
	}
	return &api.BatchWriteItemOutput{UnprocessedItems: map[string][]api.WriteRequest{}, ConsumedCapacity: consumed(in.ReturnConsumedCapacity, used, false)}, nil
}

func (f *front) batchGetItem(ctx context.Context, _ identity.Caller, in *api.BatchGetItemInput) (*api.BatchGetItemOutput, error) {
	names := slices.Sorted(maps.Keys(in.RequestItems))
	reads := make([]*tables.Read, len(names))
	admitted := make([]string, len(names))
	for i, table := range names {
		r := in.RequestItems[table]
		admitted[i] = tableOf(table)
		if err := refuse(useExpressions, "AttributesToGet", r.AttributesToGet != nil); err != nil {
			return nil, err
		}
		keys, err := item.ParseList(string(r.Keys))
		if keys, err = parsed(keys, err, "Keys"); err != nil {
			return nil, err
		}
		if len(keys) < 1 || len(keys) > tables.MaxBatchGet {
			return nil, fault.New(fault.Invalid, tables.SubjectRequest, "1 validation error detected: Value at 'requestItems.%s.member.keys' failed to satisfy constraint: Member must have length between 1 and %d", table, tables.MaxBatchGet)
		}
		reads[i] = &tables.Read{Table: table, Keys: keys, Projection: r.ProjectionExpression, Names: r.ExpressionAttributeNames, Consistent: member.True(r.ConsistentRead)}
	}
	if err := f.db.Admit("BatchGetItem", admitted...); err != nil {
		return nil, err
	}
	found, err := f.db.BatchGet(ctx, reads)
	if err != nil {
		return nil, err
	}
	out := &api.BatchGetItemOutput{Responses: awsjson.Raw{'{'}, UnprocessedKeys: map[string]api.KeysAndAttributes{}, ConsumedCapacity: consumed(in.ReturnConsumedCapacity, found.Usage, false)}
	for i, table := range names {
		if i > 0 {
			out.Responses = append(out.Responses, ',')
		}
		out.Responses = awsjson.AppendString(out.Responses, table)
		out.Responses = append(out.Responses, ':')
		out.Responses = append(out.Responses, rawList(found.Items[i])...)
		if left := found.Left[i]; len(left) > 0 {
			again := in.RequestItems[table]
			var keys [][]byte
			for _, j := range left {
				keys = append(keys, reads[i].Keys[j].JSON())
			}
			again.Keys = rawList(keys)
			out.UnprocessedKeys[table] = again
		}
	}
	out.Responses = append(out.Responses, '}')
	return out, nil
}

func (f *front) transactWriteItems(ctx context.Context, _ identity.Caller, in *api.TransactWriteItemsInput) (*api.TransactWriteItemsOutput, error) {
	writes := make([]*tables.Write, len(in.TransactItems))
	names := make([]string, len(in.TransactItems))
	for i, t := range in.TransactItems {
		var err error
		n := 0
		if c := t.ConditionCheck; c != nil {
			n++
			writes[i], err = write(tables.Check, c.TableName, c.Key, c.ConditionExpression, nil, c.ExpressionAttributeNames, c.ExpressionAttributeValues, c.ReturnValuesOnConditionCheckFailure)
		}
		if p := t.Put; p != nil && err == nil {
			n++
			writes[i], err = write(tables.Put, p.TableName, p.Item, p.ConditionExpression, nil, p.ExpressionAttributeNames, p.ExpressionAttributeValues, p.ReturnValuesOnConditionCheckFailure)
		}
		if d := t.Delete; d != nil && err == nil {
			n++
			writes[i], err = write(tables.Delete, d.TableName, d.Key, d.ConditionExpression, nil, d.ExpressionAttributeNames, d.ExpressionAttributeValues, d.ReturnValuesOnConditionCheckFailure)
		}
		if u := t.Update; u != nil && err == nil {
			n++
			writes[i], err = write(tables.Update, u.TableName, u.Key, u.ConditionExpression, u.UpdateExpression, u.ExpressionAttributeNames, u.ExpressionAttributeValues, u.ReturnValuesOnConditionCheckFailure)
		}
		if err != nil {
			return nil, err
		}
		if n != 1 {
			return nil, fault.New(fault.Invalid, tables.SubjectRequest, "TransactItems can only contain one of Check, Put, Update or Delete")
		}
		names[i] = tableOf(writes[i].Table)
	}
	if err := f.db.Admit("TransactWriteItems", names...); err != nil {
		return nil, err
	}
	mark := ""
	if in.ClientRequestToken != nil {
		mark = transactionMark(writes)
	}
	used, err := f.db.Transact(ctx, writes, member.Text(in.ClientRequestToken), mark)
	if err != nil {
		return nil, explained(err)
	}
	return &api.TransactWriteItemsOutput{ConsumedCapacity: consumed(in.ReturnConsumedCapacity, used, true)}, nil
}

func (f *front) transactGetItems(ctx context.Context, _ identity.Caller, in *api.TransactGetItemsInput) (*api.TransactGetItemsOutput, error) {
	reads := make([]*tables.Read, len(in.TransactItems))
	names := make([]string, len(in.TransactItems))
	for i, t := range in.TransactItems {
		key, err := parseItem(t.Get.Key, "Key")
		if err != nil {
			return nil, err
		}
		reads[i] = &tables.Read{Table: *t.Get.TableName, Keys: []item.Item{key}, Projection: t.Get.ProjectionExpression, Names: t.Get.ExpressionAttributeNames, Consistent: true}
		names[i] = tableOf(*t.Get.TableName)
	}
	if err := f.db.Admit("TransactGetItems", names...); err != nil {
		return nil, err
	}
	found, used, err := f.db.TransactGet(ctx, reads)
	if err != nil {
		return nil, explained(err)
	}
	out := &api.TransactGetItemsOutput{Responses: make([]api.ItemResponse, len(found)), ConsumedCapacity: consumed(in.ReturnConsumedCapacity, used, true)}
	for i, raw := range found {
		out.Responses[i].Item = raw
	}
	return out, nil
}

func (f *front) query(ctx context.Context, _ identity.Caller, in *api.QueryInput) (*api.QueryOutput, error) {
	if err := refuse(useExpressions, "KeyConditions", in.KeyConditions != nil, "QueryFilter", in.QueryFilter != nil, "ConditionalOperator", in.ConditionalOperator != nil, "AttributesToGet", in.AttributesToGet != nil); err != nil {
		return nil, err
	}
	q := &tables.Query{
		Table: *in.TableName, Index: member.Text(in.IndexName), KeyCondition: in.KeyConditionExpression, Filter: in.FilterExpression, Projection: in.ProjectionExpression,
		Names: in.ExpressionAttributeNames, Backward: in.ScanIndexForward != nil && !*in.ScanIndexForward, Consistent: member.True(in.ConsistentRead), Select: member.Text(in.Select),
	}
	if err := complete(q, in.ExpressionAttributeValues, in.ExclusiveStartKey, in.Limit); err != nil {
		return nil, err
	}
	if err := f.db.Admit("Query", tableOf(q.Table)); err != nil {
		return nil, err
	}
	page, err := f.db.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	return &api.QueryOutput{
		Items: page.Items, Count: new(int32(page.Count)), ScannedCount: new(int32(page.Scanned)), LastEvaluatedKey: keyJSON(page.Last),
		ConsumedCapacity: consumedOne(in.ReturnConsumedCapacity, page.Usage),
	}, nil
}

// complete adds to a query what both Query and Scan have.
func complete(q *tables.Query, values, start awsjson.Raw, limit *int32) (err error) {
	if q.Values, err = parseValues(values); err != nil {
		return err
	}
	if q.Start, err = optionalItem(start, "ExclusiveStartKey"); err != nil {
		return err
	}
	if limit != nil {
		q.Limit = int(*limit)
	}
	return nil
}

func (f *front) scan(ctx context.Context, _ identity.Caller, in *api.ScanInput) (*api.ScanOutput, error) {
	if err := refuse(useExpressions, "ScanFilter", in.ScanFilter != nil, "ConditionalOperator", in.ConditionalOperator != nil, "AttributesToGet", in.AttributesToGet != nil); err != nil {
		return nil, err
	}
	q := &tables.Query{
		Table: *in.TableName, Index: member.Text(in.IndexName), Filter: in.FilterExpression, Projection: in.ProjectionExpression,
		Names: in.ExpressionAttributeNames, Consistent: member.True(in.ConsistentRead), Select: member.Text(in.Select),
	}
	switch {
	case in.Segment == nil && in.TotalSegments != nil:
		return nil, fault.New(fault.Invalid, tables.SubjectRequest, "The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case in.Segment != nil && in.TotalSegments == nil:
		return nil, fault.New(fault.Invalid, tables.SubjectRequest, "The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case in.Segment != nil:
		q.Segment, q.Segments = int(*in.Segment), int(*in.TotalSegments)
	}
	if err := complete(q, in.ExpressionAttributeValues, in.ExclusiveStartKey, in.Limit); err != nil {
		return nil, err
	}
	if err := f.db.Admit("Scan", tableOf(q.Table)); err != nil {
		return nil, err
	}
	page, err := f.db.Scan(ctx, q)
	if err != nil {
		return nil, err
	}
	return &api.ScanOutput{
		Items: page.Items, Count: new(int32(page.Count)), ScannedCount: new(int32(page.Scanned)), LastEvaluatedKey: keyJSON(page.Last),
		ConsumedCapacity: consumedOne(in.ReturnConsumedCapacity, page.Usage),
	}, nil
}
