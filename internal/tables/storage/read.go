package storage

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/penstock-io/penstock/internal/fault"
)

// Reader reads what is stored: a Store as it is at the time of each call, a Snapshot as it was when it
// was taken.
type Reader interface {
	// Get returns a copy of a value.
	Get(key []byte) (value []byte, found bool, err error)
	// Iterate returns the keys from lower up to and without upper. The caller closes the iterator.
	Iterate(lower, upper []byte) (*Iterator, error)
}

// Snapshot is the store at one moment. It must be closed.
type Snapshot struct{ s *pebble.Snapshot }

// Iterator walks over keys in order. What Key and Value return is valid until the next move.
type Iterator struct{ it *pebble.Iterator }

// Snapshot returns the store as it is now.
func (s *Store) Snapshot() *Snapshot { return &Snapshot{s.db.NewSnapshot()} }

// Close releases the snapshot.
func (s *Snapshot) Close() error { return s.s.Close() }

// Get returns a copy of a value.
func (s *Store) Get(key []byte) ([]byte, bool, error) { return get(s.db, key) }

// Get returns a copy of a value.
func (s *Snapshot) Get(key []byte) ([]byte, bool, error) { return get(s.s, key) }

// Iterate returns the keys from lower up to and without upper.
func (s *Store) Iterate(lower, upper []byte) (*Iterator, error) { return iterate(s.db, lower, upper) }

// Iterate returns the keys from lower up to and without upper.
func (s *Snapshot) Iterate(lower, upper []byte) (*Iterator, error) {
	return iterate(s.s, lower, upper)
}

func get(r pebble.Reader, key []byte) ([]byte, bool, error) {
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, failed(err)
	}
	out := append(make([]byte, 0, len(value)), value...)
	if err := closer.Close(); err != nil {
		return nil, false, failed(err)
	}
	return out, true, nil
}

// GetAll returns copies of values as they are now, nil where there is none. It is made for keys of which many
// are not there: unlike Get it asks the filters of the lowest level, which Get takes to hold the key.
func (s *Store) GetAll(keys [][]byte) ([][]byte, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, failed(err)
	}
	out := make([][]byte, len(keys))
	for i, key := range keys {
		if !it.SeekPrefixGE(key) {
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			break // Close tells
		}
		out[i] = append(make([]byte, 0, len(value)), value...)
	}
	if err := it.Close(); err != nil {
		return nil, failed(err)
	}
	return out, nil
}

func iterate(r pebble.Reader, lower, upper []byte) (*Iterator, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, failed(err)
	}
	return &Iterator{it}, nil
}

func failed(err error) error {
	return fault.Wrap(err, fault.Unavailable, SubjectDisk, "the tables could not be read; see the server's log for the cause")
}

// First moves to the first key and reports whether there is one.
func (it *Iterator) First() bool { return it.it.First() }

// Last moves to the last key and reports whether there is one.
func (it *Iterator) Last() bool { return it.it.Last() }

// Next moves on and reports whether there is a key.
func (it *Iterator) Next() bool { return it.it.Next() }

// Prev moves back and reports whether there is a key.
func (it *Iterator) Prev() bool { return it.it.Prev() }

// Seek moves to the first key at or after the given one and reports whether there is one.
func (it *Iterator) Seek(key []byte) bool { return it.it.SeekGE(key) }

// Key returns the key at hand.
func (it *Iterator) Key() []byte { return it.it.Key() }

// Value returns the value at hand.
func (it *Iterator) Value() ([]byte, error) {
	v, err := it.it.ValueAndErr()
	if err != nil {
		return nil, failed(err)
	}
	return v, nil
}

// Err returns the error that ended the walk, if one did.
func (it *Iterator) Err() error {
	if err := it.it.Error(); err != nil {
		return failed(err)
	}
	return nil
}

// Close releases the iterator.
func (it *Iterator) Close() error { return it.it.Close() }
