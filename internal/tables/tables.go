// Package tables is the embedded DynamoDB-compatible store: tables with secondary indexes, items,
// expressions, transactions, expiry, and change streams with shards.
//
// A DB is opened cheaply and touches the disk with the first call that needs it. Every write is one
// atomic, durable commit of the item, its index entries, its stream record and the counts of the table.
// Writes to the same item take turns; a read is answered when everything it saw is durable. Items are
// stored and returned as their wire JSON; they are parsed where an expression or a key must look inside.
//
// Sub-packages hold what can be said without a disk: number, item, expression, stream. storage is the
// disk. What a request may not do is a *fault.Error whose message is in the service's words, because
// programs look at them; ConditionFailedError and TransactionCanceledError carry more and have types of their own.
package tables

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/storage"
	"github.com/penstock-io/penstock/internal/tables/stream"
)

// Subjects of this package's faults.
const (
	SubjectTable      = "table"
	SubjectIndex      = "index"
	SubjectStream     = "stream"
	SubjectShard      = "shard"
	SubjectRecord     = "record"     // Expired: trimmed
	SubjectIterator   = "iterator"   // Expired
	SubjectPolicy     = "policy"     // NotFound
	SubjectToken      = "token"      // Conflict: the token stood for another transaction
	SubjectBackups    = "backups"    // State: point-in-time recovery is off
	SubjectThroughput = "throughput" // Throttled: provoked through Control
	SubjectRequest    = "request"    // Invalid: the parameters do not go together
)

// Settings are the times and sizes that tests want otherwise. The zero value of each means AWS's own.
type Settings struct {
	ShardRoll        time.Duration // an open shard is rolled at this age; 4 h
	ShardSplitBytes  int64         // an open shard is split when this much was written to it; 1 GiB
	FirstShards      int           // of a new stream; 0: one per partition as AWS has them, 4 on demand
	StreamRetention  time.Duration // records and closed shards live this long; 24 h
	IteratorLifetime time.Duration // 15 min
	TokenLifetime    time.Duration // a transaction's token is remembered this long; 10 min
	Housekeeping     time.Duration // between looks for what is expired, trimmed or to be rolled; 1 s
	MinFree          int64         // bytes of the disk left free; 64 MiB
}

func (s Settings) withDefaults() Settings {
	s.ShardRoll = cmp.Or(s.ShardRoll, 4*time.Hour)
	s.ShardSplitBytes = cmp.Or(s.ShardSplitBytes, 1<<30)
	s.StreamRetention = cmp.Or(s.StreamRetention, 24*time.Hour)
	s.IteratorLifetime = cmp.Or(s.IteratorLifetime, 15*time.Minute)
	s.TokenLifetime = cmp.Or(s.TokenLifetime, 10*time.Minute)
	s.Housekeeping = cmp.Or(s.Housekeeping, time.Second)
	return s
}

// Config says where a DB is and whose it is. Settings, Notify and Objects may be left out.
type Config struct {
	Dir      string // made when the first table is
	Region   string
	Account  string
	Now      func() time.Time
	NewID    func() string // a UUID
	Log      *slog.Logger
	Settings Settings
	// Notify is told the name of a table whose stream has a new record, after it is durable. It must
	// return at once. It may be nil.
	Notify func(table string)
	// Objects is where exports go. Without it there are none.
	Objects Objects
}

// DB is all tables of an account in a region. Its methods may be called at the same time.
type DB struct {
	cfg   Config
	gates gates
	locks locks

	settings     atomic.Pointer[Settings]
	forgotTokens atomic.Int64  // when old tokens were last looked for; milliseconds
	staleBefore  atomic.Int64  // iterators issued before this are expired, whatever their age; milliseconds
	wake         chan struct{} // tells Run that there is something to do; holds one

	opening sync.Mutex
	mu      sync.RWMutex
	store   *storage.Store // nil until it is needed
	closed  bool
	tables  map[string]*table
	streams map[uint32]*streamState
	nextID  uint32 // of tables and streams

	lastTime int64 // of a record, milliseconds; only builds touch it
}

// Open returns a DB. It starts nothing and does not look at the disk yet.
func Open(cfg Config) (*DB, error) {
	if cfg.Dir == "" || cfg.Region == "" || cfg.Account == "" || cfg.Now == nil || cfg.NewID == nil || cfg.Log == nil {
		return nil, fault.New(fault.Internal, "", "tables: Dir, Region, Account, Now, NewID and Log are required")
	}
	if cfg.Notify == nil {
		cfg.Notify = func(string) {}
	}
	db := &DB{cfg: cfg, wake: make(chan struct{}, 1)}
	db.setTimes(cfg.Settings)
	return db, nil
}

// times are the settings in force; Control may change them.
func (db *DB) times() Settings { return *db.settings.Load() }

func (db *DB) setTimes(s Settings) {
	s = s.withDefaults()
	db.settings.Store(&s)
}

// Close closes the files. Calls under way must have returned, and Run as well.
func (db *DB) Close() error {
	db.opening.Lock()
	defer db.opening.Unlock()
	db.mu.Lock()
	defer db.mu.Unlock()
	db.closed = true
	if db.store == nil {
		return nil
	}
	return db.store.Close()
}

// ready opens the files, if that was not done yet.
func (db *DB) ready() error {
	db.mu.RLock()
	open, closed := db.store != nil, db.closed
	db.mu.RUnlock()
	if closed {
		return fault.New(fault.Unavailable, SubjectTable, "the server is stopping")
	}
	if open {
		return nil
	}
	db.opening.Lock()
	defer db.opening.Unlock()
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.store != nil {
		return nil
	}
	store, err := storage.Open(storage.Config{Dir: db.dir(), Log: db.cfg.Log, MinFree: db.times().MinFree})
	if err != nil {
		return err
	}
	if err := db.load(store); err != nil {
		_ = store.Close() // the first error is the one to tell
		return err
	}
	db.store = store
	return nil
}

func (db *DB) dir() string { return filepath.Join(db.cfg.Dir, "store") }

// load reads the catalog: memory holds tables, streams and shards, never items or records.
func (db *DB) load(store *storage.Store) error {
	db.tables, db.streams, db.nextID = map[string]*table{}, map[uint32]*streamState{}, 1
	err := each(store, storage.StreamPrefix(), func(_, value []byte) error {
		st := &streamState{}
		if err := json.Unmarshal(value, &st.Stream); err != nil {
			return err
		}
		db.streams[st.ID] = st
		db.nextID = max(db.nextID, st.ID+1)
		return each(store, storage.ShardPrefix(st.ID), func(_, value []byte) error {
			shard := &stream.Shard{}
			st.shards = append(st.shards, shard)
			return json.Unmarshal(value, shard)
		})
	})
	if err != nil {
		return err
	}
	return each(store, storage.TablePrefix(), func(_, value []byte) error {
		d := &Description{}
		if err := json.Unmarshal(value, d); err != nil {
			return err
		}
		t := &table{d: d, counts: map[uint32]*count{}}
		if d.StreamEnabled {
			t.stream = db.streams[d.StreamID]
		}
		for _, id := range append([]uint32{0}, indexIDs(d)...) {
			value, _, err := store.Get(storage.CountKey(d.ID, id))
			if err != nil {
				return err
			}
			t.counts[id] = parseCount(value)
		}
		db.tables[d.Name] = t
		db.nextID = max(db.nextID, d.ID+1)
		return nil
	})
}

// each calls visit for every key that begins with prefix.
func each(r storage.Reader, prefix []byte, visit func(key, value []byte) error) error {
	it, err := r.Iterate(prefix, storage.End(prefix))
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.Value()
		if err != nil {
			return err
		}
		if err := visit(it.Key(), value); err != nil {
			return err
		}
	}
	return it.Err()
}

// A table is an open table. mu is held for reading by writes of items from before they look at the
// description until they are durable, and for writing by changes of the description, so that every
// write sees one description: no index entry or stream record is missed.
type table struct {
	mu     sync.RWMutex
	d      *Description // replaced, never changed
	gone   bool
	counts map[uint32]*count // of the table, 0, and of its indexes
	stream *streamState      // nil while there is none enabled
}

// lookup returns the table of a name or ARN.
func (db *DB) lookup(nameOrARN string) (*table, error) {
	if err := db.ready(); err != nil {
		return nil, err
	}
	name, err := db.tableName(nameOrARN)
	if err != nil {
		return nil, err
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	t := db.tables[name]
	if t == nil {
		return nil, notFound(name)
	}
	return t, nil
}

// use returns the table with its description, which stays as it is until release is called.
func (db *DB) use(nameOrARN string) (t *table, d *Description, release func(), err error) {
	t, err = db.lookup(nameOrARN)
	if err != nil {
		return nil, nil, nil, err
	}
	t.mu.RLock()
	if t.gone {
		t.mu.RUnlock()
		return nil, nil, nil, notFound(t.d.Name)
	}
	return t, t.d, t.mu.RUnlock, nil
}

func notFound(name string) error {
	return fault.New(fault.NotFound, SubjectTable, "Requested resource not found: Table: %s not found", name)
}

// tableName takes the name out of an ARN, and leaves a name as it is.
func (db *DB) tableName(nameOrARN string) (string, error) {
	if len(nameOrARN) < 4 || nameOrARN[:4] != "arn:" {
		if !validName(nameOrARN) {
			return "", fault.New(fault.Invalid, SubjectTable, "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, "+
				"and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
		}
		return nameOrARN, nil
	}
	a, err := arn.Parse(nameOrARN)
	if err != nil {
		return "", fault.New(fault.Invalid, SubjectTable, "Invalid TableArn: Invalid ResourceArn provided as input %s", nameOrARN)
	}
	kind, name := a.Split()
	switch {
	case a.Service != "dynamodb" || kind != "table" || !validName(name):
		return "", fault.New(fault.Invalid, SubjectTable, "Invalid TableArn: Invalid ResourceArn provided as input %s", nameOrARN)
	case a.Region != db.cfg.Region || a.Account != db.cfg.Account:
		return "", fault.New(fault.NotFound, SubjectTable, "Requested resource not found: Table: %s is not a table of account %s in %s", nameOrARN, db.cfg.Account, db.cfg.Region)
	}
	return name, nil
}

func validName(s string) bool {
	if len(s) < 3 || len(s) > 255 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}

// TableARN is the ARN of a table of the name.
func (db *DB) TableARN(name string) string {
	return arn.ARN{Partition: "aws", Service: "dynamodb", Region: db.cfg.Region, Account: db.cfg.Account, Resource: "table/" + name}.String()
}

func (db *DB) now() int64 { return db.cfg.Now().UnixMilli() }

// names returns the names of all tables in order.
func (db *DB) names() []string {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return slices.Sorted(maps.Keys(db.tables))
}

// change replaces the description of a table with what edit makes of a copy of it, and returns the new
// one. build, which may be nil, adds to the commit.
func (db *DB) change(nameOrARN string, edit func(t *table, d *Description) (build func(*storage.Batch), err error)) (*table, Description, error) {
	t, err := db.lookup(nameOrARN)
	if err != nil {
		return nil, Description{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return nil, Description{}, notFound(t.d.Name)
	}
	d := t.d.clone()
	build, err := edit(t, d)
	if err != nil {
		return nil, Description{}, err
	}
	err = db.store.Commit(func(b *storage.Batch) {
		if build != nil {
			build(b)
		}
		b.Set(storage.TableKey(d.Name), d.json())
	})
	if err != nil {
		return nil, Description{}, err
	}
	t.d = d
	return t, *d, nil
}

// signal wakes Run.
func (db *DB) signal() {
	select {
	case db.wake <- struct{}{}:
	default:
	}
}

// Run does what happens by itself: items expire, records are trimmed, shards are rolled, indexes are
// filled, exports are written. It returns when ctx is done and nothing of it goes on.
func (db *DB) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { db.repeat(ctx, nil, db.DoExports) }) // beside the others, which must not wait for it
	db.repeat(ctx, db.wake, db.FillIndexes, db.ExpireItems, db.TendStreams, db.forgetTokens)
	wg.Wait()
	return nil
}

// repeat does the steps now, now and then, and when woken, until ctx is done.
func (db *DB) repeat(ctx context.Context, wake <-chan struct{}, steps ...func(context.Context) error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
		}
		db.housekeep(ctx, steps)
		timer.Reset(db.times().Housekeeping)
	}
}

func (db *DB) housekeep(ctx context.Context, steps []func(context.Context) error) {
	db.mu.RLock()
	open := db.store != nil
	db.mu.RUnlock()
	if !open && !storage.Exists(db.dir()) {
		return
	}
	for _, step := range steps {
		if err := step(ctx); err != nil && ctx.Err() == nil {
			db.cfg.Log.Error("housekeeping of tables failed; it will be tried again", "err", err)
			return
		}
	}
}

func millis(t int64) time.Time { return time.UnixMilli(t).UTC() }

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, SubjectRequest, format, args...)
}

// paramError is what the service says of parameters that do not go together.
func paramError(format string, args ...any) error {
	return invalid("One or more parameter values were invalid: "+format, args...)
}

// name never changes, whatever the description becomes.
func (t *table) name() string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.d.Name
}
