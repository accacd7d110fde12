package tables

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/storage"
	"github.com/penstock-io/penstock/internal/tables/stream"
)

// A streamState is a stream with its shards. mu guards everything in it; builds change it, and write
// what they change in the same commit.
type streamState struct {
	mu sync.Mutex
	stream.Stream
	shards  []*stream.Shard
	trimmed int64 // when records were last looked for that are too old; milliseconds
}

// open returns the shard that takes records of the hash. mu is held.
func (st *streamState) open(hash uint64) *stream.Shard {
	for _, s := range st.shards {
		if s.Open() && s.Covers(hash) {
			return s
		}
	}
	return nil // not possible: open shards cover every hash
}

// save writes the stream and the given shards.
func (st *streamState) save(b *storage.Batch, shards ...*stream.Shard) {
	b.Set(storage.StreamKey(st.ID), st.JSON())
	for _, s := range shards {
		b.Set(storage.ShardKey(st.ID, s.No), s.JSON())
	}
}

// replace ends an open shard in favour of one child or two. mu is held, within a build.
func (st *streamState) replace(b *storage.Batch, shard *stream.Shard, split bool, now int64) {
	var children []*stream.Shard
	if split {
		children = st.Split(shard, b.Next, now)
	} else {
		children = []*stream.Shard{st.Roll(shard, b.Next, now)}
	}
	st.shards = append(st.shards, children...)
	st.save(b, append(children, shard)...)
}

type fate uint8

const (
	stays fate = iota
	rolls
	splits
)

// outgrown says whether an open shard must give way.
func (db *DB) outgrown(s *stream.Shard, now int64) fate {
	switch {
	case s.Bytes >= db.times().ShardSplitBytes:
		return splits
	case now-s.Created >= db.times().ShardRoll.Milliseconds():
		return rolls
	}
	return stays
}

// newStream returns a build step that begins a stream for a table. The description gets its names.
func (db *DB) newStream(t *table, d *Description, view stream.View) func(*storage.Batch) {
	now := db.cfg.Now().UTC()
	label := now.Format("2006-01-02T15:04:05.000")
	for d.StreamLabel >= label { // a second stream within the same millisecond
		now = now.Add(time.Millisecond)
		label = now.Format("2006-01-02T15:04:05.000")
	}
	db.mu.Lock()
	st := &streamState{Stream: stream.Stream{ID: db.nextID, Label: label, Table: d.Name, TableID: d.ID, View: view, Key: d.Key, Created: now.UnixMilli()}}
	db.nextID++
	db.mu.Unlock()
	d.StreamEnabled, d.StreamView, d.StreamID, d.StreamLabel = true, view, st.ID, label
	n := db.firstShards(d)
	return func(b *storage.Batch) {
		st.shards = st.Begin(n, b.Next, db.now())
		st.save(b, st.shards...)
		db.mu.Lock()
		db.streams[st.ID] = st
		db.mu.Unlock()
		t.stream = st
	}
}

// firstShards is how many shards a new stream has: one for each partition the table would have.
func (db *DB) firstShards(d *Description) int {
	if n := db.times().FirstShards; n > 0 {
		return n
	}
	if d.Billing == OnDemand {
		return 4
	}
	partitions := (d.Throughput.Read+2999)/3000 + (d.Throughput.Write+999)/1000 - 1
	return int(min(max(1, partitions), 64))
}

// endStream returns a build step that disables a table's stream. What is in it stays until it is trimmed.
func (db *DB) endStream(t *table) func(*storage.Batch) {
	return func(b *storage.Batch) {
		st := t.stream
		st.mu.Lock()
		defer st.mu.Unlock()
		now := db.recordTime()
		st.Disabled = now
		var closed []*stream.Shard
		for _, s := range st.shards {
			if s.Open() {
				s.Close(b.Next, now)
				closed = append(closed, s)
			}
		}
		st.save(b, closed...)
		t.stream = nil
	}
}

// StreamARN is the ARN of a stream.
func (db *DB) StreamARN(s *stream.Stream) string {
	return db.TableARN(s.Table) + "/stream/" + s.Label
}

// findStream returns the stream of an ARN.
func (db *DB) findStream(text string) (*streamState, error) {
	if err := db.ready(); err != nil {
		return nil, err
	}
	a, err := arn.Parse(text)
	if err != nil || a.Service != "dynamodb" {
		return nil, fault.New(fault.Invalid, SubjectStream, "Invalid StreamArn: %s is not the ARN of a stream", text)
	}
	name, label, ok := strings.Cut(strings.TrimPrefix(a.Resource, "table/"), "/stream/")
	if !ok {
		return nil, fault.New(fault.Invalid, SubjectStream, "Invalid StreamArn: %s is not the ARN of a stream", text)
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	for _, st := range db.streams {
		if st.Table == name && st.Label == label && db.StreamARN(&st.Stream) == text {
			return st, nil
		}
	}
	return nil, fault.New(fault.NotFound, SubjectStream, "Requested resource not found: Stream: %s not found", text)
}

// StreamInfo is a stream with some of its shards.
type StreamInfo struct {
	stream.Stream
	ARN    string
	Shards []stream.Shard
	Last   string // the shard to go on behind; empty if these were the last
}

// Enabled reports whether the stream takes records.
func (s *StreamInfo) Enabled() bool { return s.Disabled == 0 }

// ListStreams returns streams in order of their ARNs, those of one table unless table is empty, from
// behind the ARN after, and whether there are more.
func (db *DB) ListStreams(_ context.Context, table, after string, limit int) (list []StreamInfo, more bool, err error) {
	if err := db.ready(); err != nil {
		return nil, false, err
	}
	if table != "" {
		if table, err = db.tableName(table); err != nil {
			return nil, false, err
		}
	}
	db.mu.RLock()
	for _, st := range db.streams {
		if text := db.StreamARN(&st.Stream); (table == "" || st.Table == table) && text > after {
			st.mu.Lock()
			list = append(list, StreamInfo{Stream: st.Stream, ARN: text})
			st.mu.Unlock()
		}
	}
	db.mu.RUnlock()
	slices.SortFunc(list, func(a, b StreamInfo) int { return strings.Compare(a.ARN, b.ARN) })
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}

// DescribeStream returns a stream with at most limit shards from behind the shard after; with childrenOf,
// only the children of that shard.
func (db *DB) DescribeStream(_ context.Context, streamARN, after, childrenOf string, limit int) (*StreamInfo, error) {
	st, err := db.findStream(streamARN)
	if err != nil {
		return nil, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	out := &StreamInfo{Stream: st.Stream, ARN: streamARN}
	for _, s := range st.shards {
		if s.ID <= after || childrenOf != "" && s.Parent != childrenOf {
			continue
		}
		if len(out.Shards) == limit {
			out.Last = out.Shards[limit-1].ID
			break
		}
		out.Shards = append(out.Shards, *s)
	}
	return out, nil
}

// Types of iterators.
const (
	TrimHorizon   = "TRIM_HORIZON"
	Latest        = "LATEST"
	AtSequence    = "AT_SEQUENCE_NUMBER"
	AfterSequence = "AFTER_SEQUENCE_NUMBER"
)

func errTrimmed() error {
	return fault.New(fault.Expired, SubjectRecord, "The operation attempted to read past the oldest stream record in a shard: records are kept for 24 hours; "+
		"begin again at TRIM_HORIZON, and take it that changes were missed")
}

// ShardIterator returns an iterator of the type. sequence is for the types that name one.
func (db *DB) ShardIterator(_ context.Context, streamARN, shardID, kind, sequence string) (string, error) {
	st, err := db.findStream(streamARN)
	if err != nil {
		return "", err
	}
	named := kind == AtSequence || kind == AfterSequence
	if named && sequence == "" {
		return "", fault.New(fault.Invalid, SubjectIterator, "Invalid parameter: SequenceNumber must be specified with the iterator type %s", kind)
	}
	if !named && sequence != "" {
		return "", fault.New(fault.Invalid, SubjectIterator, "Invalid parameter: SequenceNumber must not be specified with the iterator type %s", kind)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	s := stream.Find(st.shards, shardID)
	if s == nil {
		return "", fault.New(fault.NotFound, SubjectShard, "Requested resource not found: Shard: %s in the stream %s does not exist, or was trimmed", shardID, streamARN)
	}
	it := stream.Iterator{Stream: st.ID, Shard: s.No, Issued: db.now()}
	switch kind {
	case TrimHorizon:
		it.After = s.Trimmed
	case Latest:
		it.After = max(s.Trimmed, db.store.Durable())
	default:
		n, err := stream.ParseSequence(sequence)
		if err != nil {
			return "", err
		}
		if n < s.First || s.Last != 0 && n > s.Last {
			return "", fault.New(fault.Invalid, stream.SubjectSequence, "Invalid SequenceNumber: %s is not within the range of the shard %s", sequence, shardID)
		}
		it.After = n
		if kind == AtSequence {
			it.After--
		}
		if it.After < s.Trimmed {
			return "", errTrimmed()
		}
	}
	return it.Token(streamARN), nil
}

// Records is what GetRecords returns. Next is empty when the shard is closed and read to its end.
type Records struct {
	Stream  stream.Stream
	Records []SequencedRecord
	Next    string
}

// SequencedRecord is a record with its number.
type SequencedRecord struct {
	stream.Record
	Sequence uint64
}

// maxRecordBytes is how much GetRecords returns at most.
const maxRecordBytes = 1 << 20

// GetRecords returns at most limit records from where the iterator is.
func (db *DB) GetRecords(_ context.Context, token string, limit int) (*Records, error) {
	it, err := stream.ParseToken(token)
	if err != nil {
		return nil, err
	}
	if err := db.ready(); err != nil {
		return nil, err
	}
	now := db.now()
	if lifetime := db.times().IteratorLifetime; now-it.Issued > lifetime.Milliseconds() || it.Issued < db.staleBefore.Load() {
		return nil, fault.New(fault.Expired, SubjectIterator, "Iterator expired. The iterator was created at time %s while right now it is %s which is further in the future than the tolerated delay of %d milliseconds.",
			millis(it.Issued).Format(time.UnixDate), millis(now).Format(time.UnixDate), lifetime.Milliseconds())
	}
	db.mu.RLock()
	st := db.streams[it.Stream]
	db.mu.RUnlock()
	if st == nil {
		return nil, fault.New(fault.NotFound, SubjectStream, "Requested resource not found: the stream of the iterator does not exist any more")
	}
	// Whatever is durable now is there to be read; what comes later waits for the next call.
	durable := db.store.Durable()
	st.mu.Lock()
	out := &Records{Stream: st.Stream}
	i := slices.IndexFunc(st.shards, func(s *stream.Shard) bool { return s.No == it.Shard })
	var shard stream.Shard
	if i >= 0 {
		shard = *st.shards[i]
	}
	st.mu.Unlock()
	if i < 0 || it.After < shard.Trimmed {
		return nil, errTrimmed()
	}
	end, err := db.readRecords(out, &shard, it.After, durable, limit)
	if err != nil {
		return nil, err
	}
	if end && shard.Last != 0 && shard.Last <= durable {
		return out, nil
	}
	if n := len(out.Records); n > 0 {
		it.After = out.Records[n-1].Sequence
	}
	it.Issued = now
	out.Next = it.Token(db.StreamARN(&out.Stream))
	return out, nil
}

// readRecords reads records behind the number after and reports whether those were the last.
func (db *DB) readRecords(out *Records, shard *stream.Shard, after, durable uint64, limit int) (end bool, err error) {
	if after >= durable {
		return true, nil
	}
	id := out.Stream.ID
	it, err := db.store.Iterate(storage.RecordKey(id, shard.No, after+1), storage.RecordKey(id, shard.No, durable+1))
	if err != nil {
		return false, err
	}
	defer it.Close()
	size := 0
	for ok := it.First(); ok; ok = it.Next() {
		if len(out.Records) == limit {
			return false, nil
		}
		value, err := it.Value()
		if err != nil {
			return false, err
		}
		if size += len(value); size > maxRecordBytes && len(out.Records) > 0 {
			return false, nil
		}
		r, err := stream.ParseRecord(slices.Clone(value))
		if err != nil {
			return false, err
		}
		out.Records = append(out.Records, SequencedRecord{r, storage.RecordSequence(it.Key())})
	}
	return true, it.Err()
}

// TendStreams rolls shards that are old enough, also where nothing is written, and removes records,
// shards and streams whose time is over.
func (db *DB) TendStreams(ctx context.Context) error {
	if err := db.ready(); err != nil {
		return err
	}
	db.mu.RLock()
	states := make([]*streamState, 0, len(db.streams))
	for _, st := range db.streams {
		states = append(states, st)
	}
	db.mu.RUnlock()
	now := db.now()
	for _, st := range states {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := db.rollOld(st, now); err != nil {
			return err
		}
		if err := db.trim(st, now); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) rollOld(st *streamState, now int64) error {
	st.mu.Lock()
	due := slices.ContainsFunc(st.shards, func(s *stream.Shard) bool { return s.Open() && db.outgrown(s, now) != stays })
	st.mu.Unlock()
	if !due {
		return nil
	}
	return db.store.Commit(func(b *storage.Batch) {
		st.mu.Lock()
		defer st.mu.Unlock()
		for _, s := range slices.Clone(st.shards) {
			if why := db.outgrown(s, now); s.Open() && why != stays {
				st.replace(b, s, why == splits, now)
			}
		}
	})
}

// trimEvery is how often records are looked for that are too old.
const trimEvery = time.Minute

// trim removes the records that are too old, the shards that then have nothing and take nothing, and the
// stream if it has no shards left.
func (db *DB) trim(st *streamState, now int64) error {
	retention := db.times().StreamRetention.Milliseconds()
	horizon := now - retention
	st.mu.Lock()
	if now-st.trimmed < min(retention/100, trimEvery.Milliseconds()) {
		st.mu.Unlock()
		return nil
	}
	st.trimmed = now
	shards := make([]stream.Shard, len(st.shards))
	for i, s := range st.shards {
		shards[i] = *s
	}
	st.mu.Unlock()
	trimmed := map[uint32]uint64{}
	for i := range shards {
		s := &shards[i]
		if s.Created >= horizon {
			continue // so are its records
		}
		upTo, err := db.lastBefore(st.ID, s, horizon)
		if err != nil {
			return err
		}
		if upTo > s.Trimmed {
			trimmed[s.No] = upTo
		}
	}
	over := func(s *stream.Shard) bool { return !s.Open() && s.Closed < horizon }
	if len(trimmed) == 0 && !slices.ContainsFunc(shards, func(s stream.Shard) bool { return over(&s) }) {
		return nil
	}
	return db.store.Commit(func(b *storage.Batch) {
		defer db.dropIfOver(b, st) // when mu is free again
		st.mu.Lock()
		defer st.mu.Unlock()
		st.shards = slices.DeleteFunc(st.shards, func(s *stream.Shard) bool {
			if over(s) {
				prefix := storage.RecordPrefix(st.ID, s.No)
				b.DeleteRange(prefix, storage.End(prefix))
				b.Delete(storage.ShardKey(st.ID, s.No))
				return true
			}
			if n, ok := trimmed[s.No]; ok && n > s.Trimmed {
				b.DeleteRange(storage.RecordPrefix(st.ID, s.No), storage.RecordKey(st.ID, s.No, n+1))
				s.Trimmed = n
				b.Set(storage.ShardKey(st.ID, s.No), s.JSON())
			}
			return false
		})
	})
}

// dropIfOver forgets a stream that is disabled and has no shards left. It runs within a build.
func (db *DB) dropIfOver(b *storage.Batch, st *streamState) {
	st.mu.Lock()
	over := len(st.shards) == 0 && st.Disabled != 0
	st.mu.Unlock()
	if !over {
		return
	}
	b.Delete(storage.StreamKey(st.ID))
	db.mu.Lock()
	delete(db.streams, st.ID)
	db.mu.Unlock()
}

// lastBefore is the number of the last record from before the horizon; 0 if there is none. Times grow
// with numbers, so it is found by halving.
func (db *DB) lastBefore(id uint32, s *stream.Shard, horizon int64) (uint64, error) {
	prefix := storage.RecordPrefix(id, s.No)
	it, err := db.store.Iterate(prefix, storage.End(prefix))
	if err != nil {
		return 0, err
	}
	defer it.Close()
	low, high := s.Trimmed, db.store.Durable() // the answer is at least low, if there is one, and at most high
	found := uint64(0)
	for low < high {
		middle := low + (high-low+1)/2
		// The first record at or behind the middle: is it old?
		old := false
		if it.Seek(storage.RecordKey(id, s.No, middle)) {
			value, err := it.Value()
			if err != nil {
				return 0, err
			}
			r, err := stream.ParseRecord(value)
			if err != nil {
				return 0, err
			}
			if old = r.Time < horizon; old {
				found = storage.RecordSequence(it.Key())
			}
		}
		if old {
			low = max(middle, min(found, high))
		} else {
			high = middle - 1
		}
	}
	return found, it.Err()
}
