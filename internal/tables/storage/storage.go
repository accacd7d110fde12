// Package storage keeps the tables on disk, in Pebble. It knows keys and values: what they mean is the
// business of package tables.
//
// Everything that belongs together is one Commit: items, their index entries, stream records, counts and
// the catalog change in one atomic, synced batch. Commits of several callers that wait at the same time
// share one sync. A commit's build function runs alone and in the order in which commits take effect, so
// it may assign sequence numbers and keep state of its own beside the store.
//
// Rules: what Commit has acknowledged survives the death of the process and of the machine; what it has
// not is there entirely or not at all. After a failed sync nothing can be known of the state of the log,
// so the store then takes no more writes until it is opened again; reads go on.
package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/penstock-io/penstock/internal/fault"
)

// SubjectDisk is the subject of faults of kind Unavailable: there is no room, or the disk fails.
const SubjectDisk = "disk"

// Config says where a store is and what it may use. Only Dir and Log are required.
type Config struct {
	Dir     string
	Log     *slog.Logger
	Cache   int64  // bytes of blocks kept in memory; 0: 32 MiB
	MinFree int64  // writes are refused when the file system has less room, in bytes; 0: 64 MiB
	FS      vfs.FS // nil: the operating system's
}

// Store is an open store. Its methods may be called at the same time.
type Store struct {
	cfg   Config
	db    *pebble.DB
	cache *pebble.Cache

	mu      sync.Mutex
	queue   []*waiter
	leading bool
	broken  error

	inFlight atomic.Pointer[group]
	durable  atomic.Uint64 // the last sequence number whose commit is durable
	seq      uint64        // the last one assigned; only builds touch it
	room     room
}

// A waiter is a commit that has not returned. Its channel is closed when it is done or is to lead.
type waiter struct {
	build func(*Batch)
	ready chan struct{}
	lead  bool
	err   error
}

// A group is what one sync makes durable.
type group struct {
	done chan struct{}
	err  error
}

// Batch collects what a commit writes. It copies what it is given.
type Batch struct {
	b     *pebble.Batch
	s     *Store
	start uint64
}

const (
	defaultCache   = 32 << 20
	defaultMinFree = 64 << 20
	memTable       = 16 << 20
	maxGroup       = 256 // commits
)

// Open opens the store in cfg.Dir, making it if it is not there.
func Open(cfg Config) (*Store, error) {
	if cfg.Cache == 0 {
		cfg.Cache = defaultCache
	}
	if cfg.MinFree == 0 {
		cfg.MinFree = defaultMinFree
	}
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	if err := cfg.FS.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, SubjectDisk, "the directory of the tables, %s, cannot be made", cfg.Dir)
	}
	s := &Store{cfg: cfg, cache: pebble.NewCache(cfg.Cache)}
	s.room = room{fs: cfg.FS, dir: cfg.Dir, least: uint64(cfg.MinFree)}
	opts := &pebble.Options{
		FS:                          cfg.FS,
		Cache:                       s.cache,
		Logger:                      logger{cfg.Log},
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                memTable,
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                256,
		CompactionConcurrencyRange:  func() (lower, upper int) { return 1, 1 },
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		opts.Levels[i].BlockSize = 16 << 10
	}
	db, err := pebble.Open(cfg.Dir, opts)
	if err != nil {
		s.cache.Unref()
		return nil, fault.Wrap(err, fault.Unavailable, SubjectDisk, "the tables in %s cannot be opened: %v", cfg.Dir, err)
	}
	s.db = db
	if err := s.recover(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Exists reports whether there is a store in dir.
func Exists(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "LOCK" })
}

// recover reads the sequence number and checks that this program understands the store.
func (s *Store) recover() error {
	version, found, err := s.Get(versionKey)
	if err != nil {
		return err
	}
	if !found {
		return s.Commit(func(b *Batch) { b.Set(versionKey, []byte{layoutVersion}) })
	}
	if len(version) != 1 || version[0] != layoutVersion {
		return fault.New(fault.Unavailable, SubjectDisk, "the tables in %s have layout %v, this program understands %d; use the version that wrote them", s.cfg.Dir, version, layoutVersion)
	}
	value, found, err := s.Get(sequenceKey)
	if err != nil || !found {
		return err
	}
	s.seq = decode64(value)
	s.durable.Store(s.seq)
	return nil
}

// Close waits for commits under way and closes the store. No method may be called after it.
func (s *Store) Close() error {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken != nil {
		return nil //nolint:nilerr // its locks may be held for ever; the process is on its way out
	}
	err := s.db.Close()
	s.cache.Unref()
	return err
}

// Commit has build say what to write and returns when that is durable. build runs alone, in the order in
// which commits take effect, and must not block or use the store; on a fault of kind Unavailable it may or may not
// have run, and nothing it wrote is to be relied on.
func (s *Store) Commit(build func(*Batch)) error {
	w := &waiter{build: build, ready: make(chan struct{})}
	s.mu.Lock()
	if s.broken != nil {
		err := s.broken
		s.mu.Unlock()
		return err
	}
	s.queue = append(s.queue, w)
	if s.leading {
		s.mu.Unlock()
		<-w.ready
		if !w.lead {
			return w.err
		}
		s.mu.Lock()
	}
	s.leading = true
	n := min(len(s.queue), maxGroup)
	writers := slices.Clone(s.queue[:n])
	s.queue = slices.Delete(s.queue, 0, n)
	s.mu.Unlock()

	err := s.commit(writers)

	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > 0 {
		s.queue[0].lead = true
		close(s.queue[0].ready)
	} else {
		s.leading = false
	}
	for _, other := range writers {
		if other != w {
			other.lead, other.err = false, err
			close(other.ready)
		}
	}
	return err
}

// commit makes a group durable.
func (s *Store) commit(writers []*waiter) error {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken != nil {
		return broken
	}
	if err := s.room.check(); err != nil {
		return err
	}
	g := &group{done: make(chan struct{})}
	s.inFlight.Store(g)
	defer func() {
		s.inFlight.Store(nil)
		close(g.done)
	}()
	b := &Batch{b: s.db.NewBatch(), s: s, start: s.seq}
	for _, w := range writers {
		w.build(b)
	}
	if s.seq != b.start {
		b.Set(sequenceKey, encode64(s.seq))
	}
	s.room.used(b.b.Len())
	if err := s.apply(b.b); err != nil {
		g.err = fault.Wrap(err, fault.Unavailable, SubjectDisk, "the tables could not be written and take no more writes until the server is restarted; see its log for the cause")
		s.mu.Lock()
		s.broken = g.err
		s.mu.Unlock()
		s.cfg.Log.Error("writing tables failed; they take no more writes", "err", err)
		return g.err
	}
	s.durable.Store(s.seq)
	return nil
}

// apply writes and syncs. Pebble calls the logger's Fatalf where it cannot go on, which becomes the error.
func (s *Store) apply(b *pebble.Batch) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("storage: %v", r)
		}
	}()
	if err := s.db.Apply(b, pebble.Sync); err != nil {
		return err
	}
	return b.Close()
}

// Barrier returns when everything that could be read before the call is durable: a read sees a commit a
// moment before its sync is done, and must not be answered earlier.
func (s *Store) Barrier() error {
	if g := s.inFlight.Load(); g != nil {
		<-g.done
		return g.err
	}
	return nil
}

// Durable returns the last sequence number that is durable.
func (s *Store) Durable() uint64 { return s.durable.Load() }

// Next returns the next sequence number. Numbers grow in the order in which commits take effect.
func (b *Batch) Next() uint64 {
	b.s.seq++
	return b.s.seq
}

// Set writes a value.
func (b *Batch) Set(key, value []byte) { must(b.b.Set(key, value, nil)) }

// Delete removes a key; one that is not there is no error.
func (b *Batch) Delete(key []byte) { must(b.b.Delete(key, nil)) }

// DeleteRange removes the keys from start up to and without end.
func (b *Batch) DeleteRange(start, end []byte) { must(b.b.DeleteRange(start, end, nil)) }

// must: filling a batch in memory has no way to fail but a batch over 4 GiB.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// logger passes Pebble's words on. Its routine messages are of no interest to anyone.
type logger struct{ log *slog.Logger }

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("table storage", "err", fmt.Sprintf(format, args...))
}

// Fatalf must not return.
func (l logger) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
