package dynamodb

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

const (
	// retained is how long records are there for sure, with an hour to spare.
	retained = 23 * time.Hour
	// skipTime is how long Start may take to read past what the stream has already. What it does not get past is
	// delivered, and does no harm.
	skipTime = 10 * time.Second
)

// shards lists the shards of a stream.
func (s *Source) shards(ctx context.Context, arn string) (*tree, error) {
	t := &tree{byID: map[string]shard{}, listed: s.Now()}
	in := struct {
		StreamArn             string
		ExclusiveStartShardId string `json:",omitempty"` //nolint:staticcheck // the API's name
	}{StreamArn: arn}
	for {
		var out struct {
			StreamDescription *struct {
				StreamStatus, StreamViewType, LastEvaluatedShardID string
				Shards                                             []struct {
					ShardID             string `json:"ShardId"`
					ParentShardID       string `json:"ParentShardId"`
					SequenceNumberRange struct{ StartingSequenceNumber, EndingSequenceNumber string }
				}
			}
		}
		read := decoder(&out)
		err := s.client.call(ctx, opDescribeStream, in, func(a answer) error {
			if err := read(a); err != nil {
				return err
			}
			if out.StreamDescription == nil {
				return &bodyError{what: "there is no StreamDescription in it"}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		d := out.StreamDescription
		t.status, t.view = d.StreamStatus, d.StreamViewType
		for _, x := range d.Shards {
			one := shard{id: x.ShardID, parent: x.ParentShardID, first: x.SequenceNumberRange.StartingSequenceNumber, last: x.SequenceNumberRange.EndingSequenceNumber}
			if _, twice := t.byID[one.id]; one.id != "" && !twice {
				t.shards = append(t.shards, one)
				t.byID[one.id] = one
			}
		}
		if d.LastEvaluatedShardID == "" {
			return t, nil
		}
		if d.LastEvaluatedShardID == in.ExclusiveStartShardId {
			return nil, fault.New(fault.Unavailable, SubjectStream, "%s lists the shards of the stream of table %q in a circle, at %s.", s.client.where, s.Table, in.ExclusiveStartShardId)
		}
		in.ExclusiveStartShardId = d.LastEvaluatedShardID
	}
}

// Start returns the marks a stream is to be read from so that it covers every change made after this call.
func (s *Source) Start(ctx context.Context) (change.Marks, error) {
	var err error
	for range 3 { // shards may come and go, and records be trimmed, while they are looked at
		var marks change.Marks
		marks, err = s.start(ctx)
		if code := codeOf(err); code != codeTrimmed && code != codeExpired && !fault.Is(err, fault.NotFound, SubjectStream) {
			return marks, err
		}
	}
	return nil, err
}

func (s *Source) start(ctx context.Context) (change.Marks, error) {
	t, err := s.describe(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.usable(t); err != nil {
		return nil, err
	}
	tree, err := s.shards(ctx, t.LatestStreamARN)
	if err != nil {
		return nil, err
	}
	mark := streamMark{ARN: t.LatestStreamARN, Start: t.answered.UTC()}
	until := s.Now().Add(skipTime)
	positions := make([]position, len(tree.shards))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.Shards)
	for i, one := range tree.shards {
		if one.last != "" { // what is made from now on goes into others
			positions[i] = position{kind: done}
			continue
		}
		group.Go(func() (err error) {
			positions[i], err = s.beginning(ctx, t, one, until)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	marks := change.Marks{partStream: mark.String()}
	for i, one := range tree.shards {
		marks[shardPart+one.id] = positions[i].String()
	}
	return marks, nil
}

// beginning is where an open shard is to be read from: behind the records that it has. They are of changes that
// a snapshot that has not begun yet sees, whatever the times in them say.
func (s *Source) beginning(ctx context.Context, t *table, one shard, until time.Time) (position, error) {
	from := position{at, one.first}
	if one.first == "" {
		from = position{kind: horizon}
	}
	iterator, err := s.iterator(ctx, t.LatestStreamARN, one.id, from)
	if code := codeOf(err); from.kind == at && (code == codeTrimmed || code == codeValidation) { // the latter of an endpoint that wants the number of a record
		from = position{kind: horizon}
		iterator, err = s.iterator(ctx, t.LatestStreamARN, one.id, from)
	}
	if err != nil {
		return position{}, err
	}
	c := &cutter{keys: t.keys}
	for {
		var page recordPage
		err := s.client.call(ctx, opGetRecords, recordsInput{iterator, recordsLimit}, func(a answer) (err error) {
			page, err = c.stream(a.body)
			return err
		})
		if err != nil {
			return position{}, err
		}
		if page.last != "" {
			from = position{after, page.last}
		}
		if page.next == "" {
			return position{kind: done}, nil
		}
		if page.last == "" || !s.Now().Before(until) {
			return from, nil
		}
		if iterator = page.next; s.Endpoint == "" {
			if err := sleep(ctx, awsInterval); err != nil {
				return position{}, err
			}
		}
	}
}

// recordsInput is the input of GetRecords.
type recordsInput struct {
	ShardIterator string
	Limit         int
}

// iterator returns an iterator for a position in a shard.
func (s *Source) iterator(ctx context.Context, arn, shardID string, from position) (string, error) {
	in := struct {
		StreamArn         string
		ShardId           string //nolint:staticcheck // the API's name
		ShardIteratorType string
		SequenceNumber    string `json:",omitempty"`
	}{arn, shardID, "TRIM_HORIZON", from.sequence}
	switch from.kind {
	case at:
		in.ShardIteratorType = "AT_SEQUENCE_NUMBER"
	case after:
		in.ShardIteratorType = "AFTER_SEQUENCE_NUMBER"
	}
	var out struct{ ShardIterator string }
	read := decoder(&out)
	err := s.client.call(ctx, opGetShardIterator, in, func(a answer) error {
		if err := read(a); err != nil {
			return err
		}
		if out.ShardIterator == "" {
			return &bodyError{what: "there is no ShardIterator in it"}
		}
		return nil
	})
	return out.ShardIterator, err
}
