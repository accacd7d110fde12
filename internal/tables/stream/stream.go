// Package stream holds what a table's change stream is made of: shards that cover the hashes of
// partition keys between them, their family tree, records, sequence numbers and iterators.
//
// A shard is open until it is rolled (one child takes over its hashes), split (two children take half
// each) or its stream is disabled. A partition key's records are in one open shard at a time, and the
// sequence numbers of a child are all greater than its parent's, so reading parents before their
// children gives every key's records in order.
//
// The package holds no state and reads no clock; times are milliseconds since 1970.
package stream

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/item"
)

// Subjects of the faults of this package.
const (
	SubjectIterator = "iterator"        // Invalid: no iterator at all
	SubjectSequence = "sequence number" // Invalid
)

// View says which images records have.
type View string

// The four views.
const (
	KeysOnly  View = "KEYS_ONLY"
	NewImage  View = "NEW_IMAGE"
	OldImage  View = "OLD_IMAGE"
	BothSides View = "NEW_AND_OLD_IMAGES"
)

// Stream is a stream as it is stored.
type Stream struct {
	ID       uint32      `json:"id"`
	Label    string      `json:"label"`
	Table    string      `json:"table"`
	TableID  uint32      `json:"tableId"`
	View     View        `json:"view"`
	Key      item.Schema `json:"key"`
	Created  int64       `json:"created"`
	Disabled int64       `json:"disabled,omitempty"` // when; 0 while it is enabled
	Shards   uint32      `json:"shards"`             // how many there have ever been
	Policy   string      `json:"policy,omitempty"`
	Revision string      `json:"revision,omitempty"` // of the policy
}

// Shard is a shard as it is stored.
type Shard struct {
	No      uint32 `json:"no"` // within its stream
	ID      string `json:"id"`
	Parent  string `json:"parent,omitempty"`
	Low     uint64 `json:"low"`  // the first hash
	High    uint64 `json:"high"` // the last hash
	First   uint64 `json:"first"`
	Last    uint64 `json:"last,omitempty"`    // the number that ends it; 0 while it is open
	Trimmed uint64 `json:"trimmed,omitempty"` // records up to here are gone
	Created int64  `json:"created"`
	Closed  int64  `json:"closed,omitempty"`
	Bytes   int64  `json:"-"` // written to it since the process began
}

// Open reports whether the shard takes records.
func (s *Shard) Open() bool { return s.Last == 0 }

// Covers reports whether records of the hash belong to the shard.
func (s *Shard) Covers(hash uint64) bool { return s.Low <= hash && hash <= s.High }

// JSON is the stored form. Neither a stream nor a shard can fail to have one.
func (s *Shard) JSON() []byte {
	b, _ := json.Marshal(s)
	return b
}

// JSON is the stored form.
func (s *Stream) JSON() []byte {
	b, _ := json.Marshal(s)
	return b
}

// newShard makes the stream's next shard.
func (s *Stream) newShard(parent string, low, high, first uint64, now int64) *Shard {
	no := s.Shards
	s.Shards++
	// The digits in front make names grow as numbers do, which is what paging goes by.
	sum := xxhash.Sum64String(s.Label + "/" + strconv.FormatUint(uint64(no), 10))
	id := fmt.Sprintf("shardId-%08d%012d-%08x", no, now/1000%1_000_000_000_000, uint32(sum))
	return &Shard{No: no, ID: id, Parent: parent, Low: low, High: high, First: first, Created: now}
}

// Begin makes n first shards that share the hashes evenly. next gives sequence numbers.
func (s *Stream) Begin(n int, next func() uint64, now int64) []*Shard {
	shards := make([]*Shard, n)
	width := ^uint64(0)/uint64(n) + 1 // 0 when n is 1, and then not used
	for i := range shards {
		low, high := uint64(i)*width, uint64(i+1)*width-1
		if i == n-1 {
			high = ^uint64(0)
		}
		shards[i] = s.newShard("", low, high, next(), now)
	}
	return shards
}

// Close ends an open shard.
func (s *Shard) Close(next func() uint64, now int64) {
	s.Last, s.Closed = next(), now
}

// Roll ends an open shard and returns the child that takes over.
func (s *Stream) Roll(parent *Shard, next func() uint64, now int64) *Shard {
	parent.Close(next, now)
	return s.newShard(parent.ID, parent.Low, parent.High, next(), now)
}

// Split ends an open shard and returns the two children that take half its hashes each; one child, if
// it has a single hash.
func (s *Stream) Split(parent *Shard, next func() uint64, now int64) []*Shard {
	if parent.Low == parent.High {
		return []*Shard{s.Roll(parent, next, now)}
	}
	parent.Close(next, now)
	middle := parent.Low + (parent.High-parent.Low)/2
	return []*Shard{
		s.newShard(parent.ID, parent.Low, middle, next(), now),
		s.newShard(parent.ID, middle+1, parent.High, next(), now),
	}
}

// Find returns the shard of the name.
func Find(shards []*Shard, id string) *Shard {
	i := slices.IndexFunc(shards, func(s *Shard) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	return shards[i]
}

// FormatSequence returns a sequence number as clients see it: 21 digits that sort as numbers and as text.
func FormatSequence(n uint64) string { return fmt.Sprintf("1%020d", n) }

// ParseSequence reads what FormatSequence wrote. Any other number of at most 40 digits is cut to the
// nearest that can exist.
func ParseSequence(s string) (uint64, error) {
	if len(s) > 40 || strings.Trim(s, "0123456789") != "" || s == "" {
		return 0, fault.New(fault.Invalid, SubjectSequence, "Invalid SequenceNumber: %.60q is not a sequence number", s)
	}
	s = strings.TrimLeft(s, "0")
	switch {
	case len(s) < 21:
		return 0, nil
	case len(s) > 21 || s[0] != '1':
		return ^uint64(0), nil
	}
	n, err := strconv.ParseUint(s[1:], 10, 64)
	if err != nil {
		return ^uint64(0), nil //nolint:nilerr // out of range is cut
	}
	return n, nil
}

// Iterator is a place in a shard: behind the record with the number After.
type Iterator struct {
	Stream uint32
	Shard  uint32
	After  uint64
	Issued int64
}

const iteratorLength = 4 + 4 + 8 + 8 + 8

// Token returns the iterator as clients see it. It begins with the stream's ARN, as on AWS, and has a
// checksum so that one that was cut or mistyped is not taken for another place.
func (it Iterator) Token(arn string) string {
	b := make([]byte, 0, iteratorLength)
	b = binary.BigEndian.AppendUint32(b, it.Stream)
	b = binary.BigEndian.AppendUint32(b, it.Shard)
	b = binary.BigEndian.AppendUint64(b, it.After)
	b = binary.BigEndian.AppendUint64(b, uint64(it.Issued))
	b = binary.BigEndian.AppendUint64(b, xxhash.Sum64(b))
	return arn + "|1|" + base64.StdEncoding.EncodeToString(b)
}

// ParseToken reads what Token wrote.
func ParseToken(token string) (Iterator, error) {
	_, text, _ := strings.Cut(token, "|1|")
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != iteratorLength || xxhash.Sum64(b[:24]) != binary.BigEndian.Uint64(b[24:]) {
		return Iterator{}, fault.New(fault.Invalid, SubjectIterator, "Invalid ShardIterator: it is not one that GetShardIterator or GetRecords returned")
	}
	return Iterator{
		Stream: binary.BigEndian.Uint32(b), Shard: binary.BigEndian.Uint32(b[4:]),
		After: binary.BigEndian.Uint64(b[8:]), Issued: int64(binary.BigEndian.Uint64(b[16:])),
	}, nil
}
