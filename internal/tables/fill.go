package tables

import (
	"context"
	"slices"

	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/storage"
)

// fillChunk is how many items are put into an index with one commit.
const fillChunk = 500

// FillIndexes puts existing items into the indexes, and the lists of expiry, that were made after them.
// Writes that happen meanwhile keep both up to date for the items they touch.
func (db *DB) FillIndexes(ctx context.Context) error {
	return db.inChunks(ctx, db.fillSome)
}

// inChunks does something to every table, chunk by chunk, so that it can be stopped in between.
func (db *DB) inChunks(ctx context.Context, some func(table string) (more bool, err error)) error {
	if err := db.ready(); err != nil {
		return err
	}
	for _, name := range db.names() {
		for {
			if err := ctx.Err(); err != nil {
				return err
			}
			more, err := some(name)
			if err != nil {
				return err
			}
			if !more {
				break
			}
		}
	}
	return nil
}

// fillSome does one chunk of one table and reports whether there is more to do.
func (db *DB) fillSome(name string) (more bool, err error) {
	t, err := db.lookup(name)
	if err != nil {
		return false, nil //nolint:nilerr // the table was deleted meanwhile
	}
	t.mu.RLock()
	d := t.d
	t.mu.RUnlock()
	i := slices.IndexFunc(d.Global, func(x *Index) bool { return x.Filling })
	if i < 0 && (d.Expiry == "" || d.ExpiryFilled) {
		return false, nil
	}
	// With the table held nobody writes to it; a chunk is short.
	_, _, err = db.change(name, func(t *table, d *Description) (func(*storage.Batch), error) {
		i := slices.IndexFunc(d.Global, func(x *Index) bool { return x.Filling })
		switch {
		case i >= 0:
			return db.fillIndex(t, d, d.Global[i])
		case d.Expiry != "" && !d.ExpiryFilled:
			return db.fillExpiry(d)
		}
		return nil, nil
	})
	return true, err
}

func (db *DB) fillIndex(t *table, d *Description, x *Index) (func(*storage.Batch), error) {
	var pairs []pair
	size := 0
	last, err := db.items(d, x.Cursor, func(at []byte, m item.Item) error {
		p := entry(d, x, m)
		if p.key == nil {
			return nil
		}
		_, there, err := db.store.Get(p.key) // put there by a write since the index was made
		if err == nil && !there {
			pairs = append(pairs, p)
			size += p.size()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	x.Cursor, x.Filling = last, last != nil
	return func(b *storage.Batch) {
		for _, p := range pairs {
			b.Set(p.key, p.value)
		}
		b.Set(storage.CountKey(d.ID, x.ID), t.counts[x.ID].add(len(pairs), size))
	}, nil
}

func (db *DB) fillExpiry(d *Description) (func(*storage.Batch), error) {
	var keys [][]byte
	last, err := db.items(d, d.ExpiryCursor, func(at []byte, m item.Item) error {
		if second := expiryOf(d, m); second != 0 {
			keys = append(keys, storage.ExpiryKey(d.ID, second, at))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.ExpiryCursor, d.ExpiryFilled = last, last == nil
	return func(b *storage.Batch) {
		for _, k := range keys {
			b.Set(k, []byte{})
		}
	}, nil
}

// items visits a chunk of a table's items from behind the key after, and returns the key of the last one;
// nil if there are no more.
func (db *DB) items(d *Description, after []byte, visit func(at []byte, m item.Item) error) (last []byte, err error) {
	prefix := storage.ItemPrefix(d.ID)
	lower := prefix
	if after != nil {
		lower = append(slices.Concat(prefix, after), 0)
	}
	it, err := db.store.Iterate(lower, storage.End(prefix))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if n == fillChunk {
			return last, nil
		}
		value, err := it.Value()
		if err != nil {
			return nil, err
		}
		_, raw := item.SplitSize(value)
		m, err := item.Parse(string(raw))
		if err != nil {
			return nil, err
		}
		last = slices.Clone(it.Key()[len(prefix):])
		if err := visit(last, m); err != nil {
			return nil, err
		}
		n++
	}
	return nil, it.Err()
}

// expireChunk is how many items one round of expiry removes from a table before it looks at the next one.
const expireChunk = 500

// ExpireItems removes the items whose time is over. Their records in the stream say that it was the service.
func (db *DB) ExpireItems(ctx context.Context) error {
	return db.inChunks(ctx, db.expireSome)
}

func (db *DB) expireSome(name string) (more bool, err error) {
	t, d, release, err := db.use(name)
	if err != nil {
		return false, nil //nolint:nilerr // the table was deleted meanwhile
	}
	defer release()
	if d.Expiry == "" || !d.ExpiryFilled {
		return false, nil
	}
	now := uint64(db.now() / 1000)
	// What expired more than five years ago is taken for a mistake and left alone, as on AWS.
	const fiveYears = 5 * 365 * 24 * 3600
	var due [][]byte
	it, err := db.store.Iterate(storage.ExpiryKey(d.ID, now-min(now, fiveYears), nil), storage.ExpiryKey(d.ID, now, nil))
	if err != nil {
		return false, err
	}
	for ok := it.First(); ok && len(due) < expireChunk; ok = it.Next() {
		due = append(due, slices.Clone(it.Key()))
	}
	if err := it.Err(); err != nil {
		_ = it.Close() // the first error is the one to tell
		return false, err
	}
	if err := it.Close(); err != nil || len(due) == 0 {
		return false, err
	}
	return len(due) == expireChunk, db.expire(t, d, due)
}

// expire removes items if they are still due: an item may have got more time since it was looked at.
func (db *DB) expire(t *table, d *Description, due [][]byte) error {
	changes := make([]change, 0, len(due))
	for _, key := range due {
		_, at := storage.ExpiryParts(key)
		value, found, err := db.store.Get(append(storage.ItemPrefix(d.ID), at...))
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		v := version{raw: value}
		m, err := v.item()
		if err != nil {
			return err
		}
		changes = append(changes, change{target: locate(t, d, m), expired: true})
	}
	defer db.lockAll(changes)()
	now := uint64(db.now() / 1000)
	kept := changes[:0]
	for _, c := range changes {
		var err error
		if c.old, err = fetch(db.store, &c.target); err != nil {
			return err
		}
		m, err := c.old.item()
		if err != nil {
			return err
		}
		if second := expiryOf(d, m); second != 0 && second < now {
			kept = append(kept, c)
		}
	}
	return db.commit(kept, nil)
}
