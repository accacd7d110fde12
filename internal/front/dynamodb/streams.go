package dynamodb

import (
	"context"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	api "github.com/penstock-io/penstock/internal/awsapi/dynamodbstreams"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/tables/stream"
)

// maxStreams and maxShards are how much ListStreams and DescribeStream return at most, maxRecords what GetRecords does.
const (
	maxStreams = 100
	maxShards  = 100
	maxRecords = 1000
)

func (f *front) listStreams(ctx context.Context, _ identity.Caller, in *api.ListStreamsInput) (*api.ListStreamsOutput, error) {
	if err := f.db.Admit("ListStreams", tableOf(member.Text(in.TableName))); err != nil {
		return nil, err
	}
	limit, err := limitOf(in.Limit, maxStreams)
	if err != nil {
		return nil, err
	}
	list, more, err := f.db.ListStreams(ctx, member.Text(in.TableName), member.Text(in.ExclusiveStartStreamArn), limit)
	if err != nil {
		return nil, err
	}
	out := &api.ListStreamsOutput{Streams: []api.Stream{}}
	for _, s := range list {
		out.Streams = append(out.Streams, api.Stream{StreamArn: new(s.ARN), TableName: new(s.Table), StreamLabel: new(s.Label)})
	}
	if more {
		out.LastEvaluatedStreamArn = new(list[len(list)-1].ARN)
	}
	return out, nil
}

func (f *front) describeStream(ctx context.Context, _ identity.Caller, in *api.DescribeStreamInput) (*api.DescribeStreamOutput, error) {
	if err := f.db.Admit("DescribeStream", tableOf(*in.StreamArn)); err != nil {
		return nil, err
	}
	limit, err := limitOf(in.Limit, maxShards)
	if err != nil {
		return nil, err
	}
	childrenOf := ""
	if in.ShardFilter != nil {
		childrenOf = member.Text(in.ShardFilter.ShardId)
	}
	s, err := f.db.DescribeStream(ctx, *in.StreamArn, member.Text(in.ExclusiveStartShardId), childrenOf, limit)
	if err != nil {
		return nil, err
	}
	d := &api.StreamDescription{
		StreamArn: new(s.ARN), StreamLabel: new(s.Label), TableName: new(s.Table), StreamViewType: new(string(s.View)), StreamStatus: new(api.StreamStatusEnabled),
		CreationRequestDateTime: timeOf(s.Created), KeySchema: []api.KeySchemaElement{{AttributeName: new(s.Key.Hash.Name), KeyType: new(api.KeyTypeHash)}}, Shards: []api.Shard{},
	}
	if s.Key.HasRange() {
		d.KeySchema = append(d.KeySchema, api.KeySchemaElement{AttributeName: new(s.Key.Range.Name), KeyType: new(api.KeyTypeRange)})
	}
	if !s.Enabled() {
		d.StreamStatus = new(api.StreamStatusDisabled)
	}
	for _, x := range s.Shards {
		shard := api.Shard{ShardId: new(x.ID), SequenceNumberRange: &api.SequenceNumberRange{StartingSequenceNumber: new(stream.FormatSequence(x.First))}}
		if x.Parent != "" {
			shard.ParentShardId = new(x.Parent)
		}
		if !x.Open() {
			shard.SequenceNumberRange.EndingSequenceNumber = new(stream.FormatSequence(x.Last))
		}
		d.Shards = append(d.Shards, shard)
	}
	if s.Last != "" {
		d.LastEvaluatedShardId = new(s.Last)
	}
	return &api.DescribeStreamOutput{StreamDescription: d}, nil
}

func (f *front) getShardIterator(ctx context.Context, _ identity.Caller, in *api.GetShardIteratorInput) (*api.GetShardIteratorOutput, error) {
	if err := f.db.Admit("GetShardIterator", tableOf(*in.StreamArn)); err != nil {
		return nil, err
	}
	token, err := f.db.ShardIterator(ctx, *in.StreamArn, *in.ShardId, *in.ShardIteratorType, member.Text(in.SequenceNumber))
	if err != nil {
		return nil, err
	}
	return &api.GetShardIteratorOutput{ShardIterator: &token}, nil
}

// The parts of records that never vary.
var (
	eventVersion = "1.1"
	eventSource  = "aws:dynamodb"
	theService   = api.Identity{PrincipalId: new("dynamodb.amazonaws.com"), Type: new("Service")}
	eventNames   = map[stream.Event]*string{stream.Insert: new("INSERT"), stream.Modify: new("MODIFY"), stream.Remove: new("REMOVE")}
)

func (f *front) getRecords(ctx context.Context, _ identity.Caller, in *api.GetRecordsInput) (*api.GetRecordsOutput, error) {
	if err := f.db.Admit("GetRecords", tableOf(*in.ShardIterator)); err != nil {
		return nil, err
	}
	limit, err := limitOf(in.Limit, maxRecords)
	if err != nil {
		return nil, err
	}
	found, err := f.db.GetRecords(ctx, *in.ShardIterator, limit)
	if err != nil {
		return nil, err
	}
	out := &api.GetRecordsOutput{Records: make([]api.Record, len(found.Records))}
	details := make([]detail, len(found.Records))
	view := string(found.Stream.View)
	seed := xxhash.Sum64String(f.db.StreamARN(&found.Stream))
	for i := range found.Records {
		details[i].fill(&found.Records[i], &view, seed)
		out.Records[i] = api.Record{
			EventID: &details[i].id, EventName: eventNames[found.Records[i].Event], EventVersion: &eventVersion, EventSource: &eventSource,
			AwsRegion: &f.region, Dynamodb: &details[i].record,
		}
		if found.Records[i].Expired {
			out.Records[i].UserIdentity = &theService
		}
	}
	if found.Next != "" {
		out.NextShardIterator = &found.Next
	}
	return out, nil
}

// detail holds what the pointers of a record point to, so that a thousand records are few allocations.
type detail struct {
	id, sequence string
	time         time.Time
	size         int64
	record       api.StreamRecord
}

func (d *detail) fill(r *tables.SequencedRecord, view *string, seed uint64) {
	d.id = fmt.Sprintf("%016x%016x", seed, r.Sequence)
	d.sequence = stream.FormatSequence(r.Sequence)
	d.time = time.Unix(r.Time/1000, 0).UTC() // whole seconds, as on AWS
	d.size = int64(r.Size)
	d.record = api.StreamRecord{
		ApproximateCreationDateTime: &d.time, Keys: r.Keys, NewImage: r.New, OldImage: r.Old, SequenceNumber: &d.sequence, SizeBytes: &d.size, StreamViewType: view,
	}
}
