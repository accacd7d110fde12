package tables

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/storage"
	"github.com/penstock-io/penstock/internal/tables/stream"
)

// A target is the place of an item in a table.
type target struct {
	t    *table
	d    *Description
	key  item.Item // its key attributes
	hash uint64    // of its partition key
	at   []byte    // its key in the store without the prefix: the hash, then the encoded key
}

// locate returns the place of the item with the key, which has passed the schema's checks.
func locate(t *table, d *Description, key item.Item) target {
	tg := target{t: t, d: d, key: d.Key.Of(key)}
	tg.hash = item.HashOf(tg.key.Get(d.Key.Hash.Name))
	tg.at = appendKey(storage.AppendHash(make([]byte, 0, 64), tg.hash), d.Key, key)
	return tg
}

// appendKey appends the encoded attributes of a key.
func appendKey(b []byte, s item.Schema, m item.Item) []byte {
	b = item.AppendSortable(b, m.Get(s.Hash.Name))
	if s.HasRange() {
		b = item.AppendSortable(b, m.Get(s.Range.Name))
	}
	return b
}

func (tg *target) storeKey() []byte { return append(storage.ItemPrefix(tg.d.ID), tg.at...) }

// lockID is what writers of the item lock.
func (tg *target) lockID() uint64 {
	return xxhash.Sum64(tg.at) ^ uint64(tg.d.ID)*0x9E3779B97F4A7C15
}

// A version is an item as it is or will be stored. Without bytes there is no item.
type version struct {
	raw    []byte // size and JSON, as item.AppendStored has it
	parsed item.Item
}

func (v *version) exists() bool { return v.raw != nil }

func (v *version) size() int {
	if !v.exists() {
		return 0
	}
	n, _ := item.SplitSize(v.raw)
	return n
}

func (v *version) json() []byte {
	if !v.exists() {
		return nil
	}
	_, raw := item.SplitSize(v.raw)
	return raw
}

// item parses the version, once. A version that does not exist is the empty item.
func (v *version) item() (item.Item, error) {
	if v.parsed == nil && v.exists() {
		m, err := item.Parse(string(v.json()))
		if err != nil {
			return nil, err
		}
		v.parsed = m
	}
	return v.parsed, nil
}

func newVersion(m item.Item) version {
	return version{raw: m.AppendStored(make([]byte, 0, 64+2*len(m)*16)), parsed: m}
}

// fetch reads the item at the target.
func fetch(r storage.Reader, tg *target) (version, error) {
	raw, _, err := r.Get(tg.storeKey())
	return version{raw: raw}, err
}

// fetchAll reads the items that changes are about, which the caller has locked.
func (db *DB) fetchAll(changes []change) error {
	keys := make([][]byte, len(changes))
	for i := range changes {
		keys[i] = changes[i].storeKey()
	}
	values, err := db.store.GetAll(keys)
	for i, raw := range values {
		changes[i].old = version{raw: raw}
	}
	return err
}

// A change is what a write does to one item.
type change struct {
	target
	old, new version
	expired  bool // by the service, because its time is over
}

// An effect is what a change writes.
type effect struct {
	*table
	sets   []pair
	counts []countChange
	record []byte // of the stream; nil for none
	hash   uint64
}

// A pair is a key and its new value, nil to delete it.
type pair struct{ key, value []byte }

type countChange struct {
	index        uint32
	items, bytes int
}

// commit makes the changes durable, all or none. The caller holds the tables for reading and the locks
// of the items. It notes in used what was written, for the capacity.
func (db *DB) commit(changes []change, used *Usage, extra ...pair) error {
	effects := make([]effect, 0, len(changes))
	for i := range changes {
		e, err := changes[i].effect(db.store, used)
		if err != nil {
			return err
		}
		if e != nil {
			effects = append(effects, *e)
		}
	}
	if len(effects) == 0 && len(extra) == 0 {
		return nil
	}
	err := db.store.Commit(func(b *storage.Batch) {
		for i := range effects {
			db.write(b, &effects[i])
		}
		for _, p := range extra {
			b.Set(p.key, p.value)
		}
	})
	if err != nil {
		return err
	}
	for i := range effects {
		if effects[i].record != nil {
			db.cfg.Notify(effects[i].d.Name)
		}
	}
	return nil
}

// write is the part of commit that runs alone.
func (db *DB) write(b *storage.Batch, e *effect) {
	for _, p := range e.sets {
		if p.value == nil {
			b.Delete(p.key)
		} else {
			b.Set(p.key, p.value)
		}
	}
	for _, c := range e.counts {
		b.Set(storage.CountKey(e.d.ID, c.index), e.table.counts[c.index].add(c.items, c.bytes))
	}
	if e.record != nil {
		db.emit(b, e.stream, e.hash, e.record)
	}
}

// effect works out what a change writes; nil if nothing.
func (c *change) effect(r storage.Reader, used *Usage) (*effect, error) {
	used.write(c.d, max(c.old.size(), c.new.size()))
	if bytes.Equal(c.old.raw, c.new.raw) {
		return nil, nil // stored bytes are canonical: nothing changes, and the stream says nothing
	}
	e := &effect{table: c.t, hash: c.hash}
	e.sets = append(e.sets, pair{c.storeKey(), c.new.raw})
	e.counts = append(e.counts, countChange{0, exist(&c.new) - exist(&c.old), c.new.size() - c.old.size()})
	if len(c.d.Local)+len(c.d.Global) > 0 || c.d.Expiry != "" {
		if err := c.derive(r, e, used); err != nil {
			return nil, err
		}
	}
	if c.t.stream != nil {
		e.record = c.record(c.t.stream.View)
	}
	return e, nil
}

func exist(v *version) int {
	if v.exists() {
		return 1
	}
	return 0
}

// derive adds what follows from the item's attributes: index entries and the time of expiry.
func (c *change) derive(r storage.Reader, e *effect, used *Usage) error {
	before, err := c.old.item()
	if err != nil {
		return err
	}
	after, err := c.new.item()
	if err != nil {
		return err
	}
	for _, x := range c.d.indexes() {
		from, to := entry(c.d, x, before), entry(c.d, x, after)
		if x.Filling && from.key != nil { // it may not have been put in yet
			if _, there, err := r.Get(from.key); err != nil {
				return err
			} else if !there {
				from = pair{}
			}
		}
		moved := !bytes.Equal(from.key, to.key)
		if !moved && bytes.Equal(from.value, to.value) {
			continue
		}
		if from.key != nil && moved {
			e.sets = append(e.sets, pair{from.key, nil})
			used.writeIndex(c.d, x, from.size())
		}
		if to.key != nil {
			e.sets = append(e.sets, to)
			used.writeIndex(c.d, x, max(to.size(), from.size()*boolInt(!moved)))
		}
		e.counts = append(e.counts, countChange{x.ID, boolInt(to.key != nil) - boolInt(from.key != nil), to.size() - from.size()})
	}
	if c.d.Expiry != "" {
		from, to := expiryOf(c.d, before), expiryOf(c.d, after)
		if from != to && from != 0 {
			e.sets = append(e.sets, pair{storage.ExpiryKey(c.d.ID, from, c.at), nil})
		}
		if from != to && to != 0 {
			e.sets = append(e.sets, pair{storage.ExpiryKey(c.d.ID, to, c.at), []byte{}})
		}
	}
	return nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p pair) size() int {
	if p.key == nil {
		return 0
	}
	n, _ := item.SplitSize(p.value)
	return n
}

// entry is what an item has in an index; no key if it is not in it.
func entry(d *Description, x *Index, m item.Item) pair {
	for _, def := range x.Key.Definitions() {
		if m.Get(def.Name).Type != def.Type {
			return pair{}
		}
	}
	key := storage.AppendHash(storage.IndexPrefix(d.ID, x.ID), item.HashOf(m.Get(x.Key.Hash.Name)))
	key = appendKey(appendKey(key, x.Key, m), d.Key, m)
	if x.Projection != ProjectAll {
		m = m.Only(slices.Concat(d.Key.Names(), x.Key.Names(), x.Include))
	}
	return pair{key, m.AppendStored(nil)}
}

// record is the change as the stream tells it, its time still to be filled in.
func (c *change) record(view stream.View) []byte {
	r := stream.Record{Event: stream.Modify, Expired: c.expired, Size: c.key.Size(), Keys: c.key.JSON()}
	switch {
	case !c.old.exists():
		r.Event = stream.Insert
	case !c.new.exists():
		r.Event = stream.Remove
	}
	if view == stream.NewImage || view == stream.BothSides {
		r.New = c.new.json()
		r.Size += c.new.size()
	}
	if view == stream.OldImage || view == stream.BothSides {
		r.Old = c.old.json()
		r.Size += c.old.size()
	}
	return r.Append(make([]byte, 0, 32+len(r.Keys)+len(r.New)+len(r.Old)))
}

// emit puts a record into the stream. It runs within a build.
func (db *DB) emit(b *storage.Batch, st *streamState, hash uint64, record []byte) {
	now := db.recordTime()
	st.mu.Lock()
	defer st.mu.Unlock()
	shard := st.open(hash)
	if why := db.outgrown(shard, now); why != stays {
		st.replace(b, shard, why == splits, now)
		shard = st.open(hash)
	}
	binary.BigEndian.PutUint64(record[stream.TimeOffset:], uint64(now))
	b.Set(storage.RecordKey(st.ID, shard.No, b.Next()), record)
	shard.Bytes += int64(len(record))
}

// recordTime is the time for a record: never before that of an earlier one. It is for builds.
func (db *DB) recordTime() int64 {
	db.lastTime = max(db.lastTime, db.now())
	return db.lastTime
}
