package tables

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/storage"
	"github.com/penstock-io/penstock/internal/tables/stream"
)

// Control provokes what otherwise takes hours or bad luck, for tests of programs that must cope with it.
type Control struct{ db *DB }

// Control returns the means to provoke things.
func (db *DB) Control() Control { return Control{db} }

// Failures that FailNext can provoke.
const (
	FailThrottle    = "throttle"    // ProvisionedThroughputExceededException
	FailLimit       = "limit"       // RequestLimitExceeded
	FailInternal    = "internal"    // InternalServerError
	FailConflict    = "conflict"    // TransactionConflictException
	FailCollection  = "collection"  // ItemCollectionSizeLimitExceededException
	FailInProgress  = "in-progress" // TransactionInProgressException
	FailReplication = "replication" // ReplicatedWriteConflictException
	FailInUse       = "in-use"      // ResourceInUseException
	FailSlow        = "slow-down"   // ThrottlingException
	FailBackups     = "backups"     // ContinuousBackupsUnavailableException
	FailQuota       = "quota"       // LimitExceededException
)

var failures = []string{FailThrottle, FailLimit, FailInternal, FailConflict, FailCollection, FailInProgress, FailReplication, FailInUse, FailSlow, FailBackups, FailQuota}

// Subjects of provoked faults, beside SubjectThroughput.
const (
	SubjectCollection  = "item collection"
	SubjectTransaction = "transaction"
	SubjectReplica     = "replica"
	SubjectRate        = "request rate"
	SubjectSlow        = "control plane"
	SubjectFailure     = "failure" // Internal: asked for
)

// A gate makes calls fail.
type gate struct {
	Operation string // empty: any
	Table     string // empty: any
	Failure   string
	Left      int // calls; below 0: until it is removed
}

// Gate is a provoked failure as Gates tells it.
type Gate = gate

type gates struct {
	mu   sync.Mutex
	list []gate
}

// FailNext makes the next n calls of an operation on a table fail; an empty operation or table is any, and
// n below 0 is all calls until Reset. Calls are counted when they arrive, before anything is checked.
func (c Control) FailNext(operation, table, failure string, n int) error {
	if !slices.Contains(failures, failure) {
		return invalid("unknown failure %q; there are %s", failure, strings.Join(failures, ", "))
	}
	if n == 0 {
		return invalid("a failure needs a number of calls, or one below 0 for all of them")
	}
	g := &c.db.gates
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(g.list, gate{operation, table, failure, n})
	return nil
}

// Gates returns the failures that are still to come.
func (c Control) Gates() []Gate {
	g := &c.db.gates
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.list)
}

// Reset takes back every failure.
func (c Control) Reset() {
	g := &c.db.gates
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = nil
}

// Admit returns the failure provoked for a call, if there is one. tables are the names the call is about.
func (db *DB) Admit(operation string, tables ...string) error {
	g := &db.gates
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.list {
		f := &g.list[i]
		if f.Operation != "" && f.Operation != operation || f.Table != "" && !slices.Contains(tables, f.Table) {
			continue
		}
		failure := f.Failure
		if f.Left > 0 {
			if f.Left--; f.Left == 0 {
				g.list = slices.Delete(g.list, i, i+1)
			}
		}
		return provoked(failure, operation)
	}
	return nil
}

func provoked(failure, operation string) error {
	const why = "; this was provoked through /_penstock/tables/"
	switch failure {
	case FailThrottle:
		return fault.New(fault.Throttled, SubjectThroughput, "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API%s", why)
	case FailLimit:
		return fault.New(fault.Throttled, SubjectRate, "Throughput exceeds the current throughput limit for your account%s", why)
	case FailConflict:
		return fault.New(fault.Conflict, SubjectTransaction, "Transaction is ongoing for the item%s", why)
	case FailCollection:
		return fault.New(fault.Limit, SubjectCollection, "Item collection size limit of 10 GiB exceeded%s", why)
	case FailInProgress:
		return fault.New(fault.State, SubjectTransaction, "The transaction with the given request token is already in progress%s", why)
	case FailReplication:
		return fault.New(fault.Conflict, SubjectReplica, "The request was rejected because one or more items in the request are being modified by a request in another Region%s", why)
	case FailSlow:
		return fault.New(fault.Throttled, SubjectSlow, "Rate exceeded%s", why)
	case FailBackups:
		return fault.New(fault.State, SubjectBackups, "Backups have not yet been enabled for this table%s", why)
	case FailQuota:
		return fault.New(fault.Limit, SubjectTable, "Subscriber limit exceeded: too many operations at the same time%s", why)
	case FailInUse:
		return fault.New(fault.State, SubjectTable, "Attempt to change a resource which is still in use: %s%s", operation, why)
	}
	return fault.New(fault.Internal, SubjectFailure, "The request processing has failed because of an unknown error%s", why)
}

// enabled returns the stream of a table.
func (c Control) enabled(name string) (*streamState, func(), error) {
	t, d, release, err := c.db.use(name)
	if err != nil {
		return nil, nil, err
	}
	if t.stream == nil {
		release()
		return nil, nil, fault.New(fault.State, SubjectStream, "table %q has no stream; enable one with UpdateTable first", d.Name)
	}
	return t.stream, release, nil
}

// Roll rolls open shards of a table's stream: the one of the name, or all of them if it is empty. It returns the
// names of their children.
func (c Control) Roll(_ context.Context, table, shardID string) ([]string, error) {
	return c.replace(table, shardID, false)
}

// Split splits open shards under the terms of Roll.
func (c Control) Split(_ context.Context, table, shardID string) ([]string, error) {
	return c.replace(table, shardID, true)
}

func (c Control) replace(table, shardID string, split bool) (children []string, err error) {
	st, release, err := c.enabled(table)
	if err != nil {
		return nil, err
	}
	defer release()
	found := false
	err = c.db.store.Commit(func(b *storage.Batch) {
		st.mu.Lock()
		defer st.mu.Unlock()
		before := len(st.shards)
		for _, s := range slices.Clone(st.shards) {
			if s.Open() && (shardID == "" || s.ID == shardID) {
				found = true
				st.replace(b, s, split, c.db.recordTime())
			}
		}
		for _, s := range st.shards[before:] {
			children = append(children, s.ID)
		}
	})
	if err == nil && !found {
		return nil, fault.New(fault.NotFound, SubjectShard, "the stream of table %q has no open shard %q", table, shardID)
	}
	return children, err
}

// Trim removes all records up to now from a table's streams, the disabled ones too, and with shards
// also forgets shards that are closed. Readers then meet TrimmedDataAccessException.
func (c Control) Trim(_ context.Context, table string, shards bool) error {
	if err := c.db.ready(); err != nil {
		return err
	}
	var states []*streamState
	c.db.mu.RLock()
	for _, st := range c.db.streams {
		if st.Table == table {
			states = append(states, st)
		}
	}
	c.db.mu.RUnlock()
	if len(states) == 0 {
		return fault.New(fault.NotFound, SubjectStream, "table %q has no streams", table)
	}
	return c.db.store.Commit(func(b *storage.Batch) {
		for _, st := range states {
			st.trimNow(b, shards)
			c.db.dropIfOver(b, st)
		}
	})
}

func (st *streamState) trimNow(b *storage.Batch, shards bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	now := b.Next()
	st.shards = slices.DeleteFunc(st.shards, func(s *stream.Shard) bool {
		prefix := storage.RecordPrefix(st.ID, s.No)
		b.DeleteRange(prefix, storage.End(prefix))
		if shards && !s.Open() {
			b.Delete(storage.ShardKey(st.ID, s.No))
			return true
		}
		s.Trimmed = now
		if !s.Open() {
			s.Trimmed = s.Last
		}
		b.Set(storage.ShardKey(st.ID, s.No), s.JSON())
		return false
	})
}

// Housekeep does at once what Run does now and then.
func (c Control) Housekeep(ctx context.Context) error {
	for _, step := range []func(context.Context) error{c.db.FillIndexes, c.db.ExpireItems, c.db.TendStreams, c.db.forgetTokens, c.db.DoExports} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ExpireIterators makes every iterator that was handed out until now expired.
func (c Control) ExpireIterators() { c.db.staleBefore.Store(c.db.now() + 1) }

// Settings returns the times and sizes in force.
func (c Control) Settings() Settings { return c.db.times() }

// SetSettings replaces the times and sizes; zero members mean AWS's own. MinFree and FirstShards concern
// what is opened or made from then on.
func (c Control) SetSettings(s Settings) {
	c.db.setTimes(s)
	c.db.signal()
}
