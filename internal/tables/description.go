package tables

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/stream"
)

// Billing modes.
const (
	Provisioned = "PROVISIONED"
	OnDemand    = "PAY_PER_REQUEST"
)

// Statuses of tables and indexes.
const (
	StatusActive   = "ACTIVE"
	StatusCreating = "CREATING"
)

// Projection types.
const (
	ProjectAll     = "ALL"
	ProjectKeys    = "KEYS_ONLY"
	ProjectInclude = "INCLUDE"
)

// Throughput is provisioned capacity in units a second; on demand both are 0.
type Throughput struct {
	Read      int64 `json:"read,omitempty"`
	Write     int64 `json:"write,omitempty"`
	Increased int64 `json:"increased,omitempty"` // when last
	Decreased int64 `json:"decreased,omitempty"`
}

// Limits are the most an on-demand table or index may take, in units a second; -1 is no limit, 0 unset.
type Limits struct {
	Read  int64 `json:"read,omitempty"`
	Write int64 `json:"write,omitempty"`
}

// Index is a secondary index.
type Index struct {
	ID         uint32      `json:"id"`
	Name       string      `json:"name"`
	Key        item.Schema `json:"key"`
	Projection string      `json:"projection"`
	Include    []string    `json:"include,omitempty"` // with ProjectInclude
	Throughput Throughput  `json:"throughput,omitzero"`
	Limits     Limits      `json:"limits,omitzero"`
	Filling    bool        `json:"filling,omitempty"` // existing items are still being put in
	Cursor     []byte      `json:"cursor,omitempty"`  // how far that is: the key of the last item
}

// Status is what DescribeTable says of a global index.
func (x *Index) Status() string {
	if x.Filling {
		return StatusCreating
	}
	return StatusActive
}

// Description is a table as it is stored and as DescribeTable tells it. Times are milliseconds since 1970.
type Description struct {
	Format     int               `json:"format"` // of this structure; 1
	ID         uint32            `json:"id"`
	UUID       string            `json:"uuid"`
	Name       string            `json:"name"`
	Created    int64             `json:"created"`
	Attributes []item.Definition `json:"attributes"`
	Key        item.Schema       `json:"key"`
	Global     []*Index          `json:"global,omitempty"`
	Local      []*Index          `json:"local,omitempty"`
	Indexes    uint32            `json:"indexes,omitempty"` // how many there have ever been

	Billing         string     `json:"billing"`
	OnDemandSince   int64      `json:"onDemandSince,omitempty"`
	Throughput      Throughput `json:"throughput,omitzero"`
	Limits          Limits     `json:"limits,omitzero"`
	Class           string     `json:"class,omitempty"`
	ClassSince      int64      `json:"classSince,omitempty"`
	DeleteProtected bool       `json:"deleteProtected,omitempty"`
	Encryption      string     `json:"encryption,omitempty"` // KMS, or empty for the service's own
	EncryptionKey   string     `json:"encryptionKey,omitempty"`

	StreamEnabled bool        `json:"streamEnabled,omitempty"`
	StreamView    stream.View `json:"streamView,omitempty"`
	StreamID      uint32      `json:"streamId,omitempty"` // the latest, enabled or not
	StreamLabel   string      `json:"streamLabel,omitempty"`

	Expiry       string `json:"expiry,omitempty"` // the attribute that says when items expire
	ExpiryFilled bool   `json:"expiryFilled,omitempty"`
	ExpiryCursor []byte `json:"expiryCursor,omitempty"`

	Recovery      bool  `json:"recovery,omitempty"` // point-in-time recovery
	RecoverySince int64 `json:"recoverySince,omitempty"`
	RecoveryDays  int32 `json:"recoveryDays,omitempty"`

	Tags           map[string]string `json:"tags,omitempty"`
	Policy         string            `json:"policy,omitempty"`
	PolicyRevision string            `json:"policyRevision,omitempty"`
}

func (d *Description) clone() *Description {
	c := *d
	c.Tags = maps.Clone(d.Tags)
	c.Global = cloneIndexes(d.Global)
	c.Local = cloneIndexes(d.Local)
	c.Attributes = slices.Clone(d.Attributes)
	return &c
}

func cloneIndexes(list []*Index) []*Index {
	out := make([]*Index, len(list))
	for i, x := range list {
		c := *x
		out[i] = &c
	}
	return out
}

// json is the stored form. A Description cannot fail to have one.
func (d *Description) json() []byte {
	b, _ := json.Marshal(d)
	return b
}

// indexes returns the local and the global indexes.
func (d *Description) indexes() []*Index { return slices.Concat(d.Local, d.Global) }

func indexIDs(d *Description) []uint32 {
	var ids []uint32
	for _, x := range d.indexes() {
		ids = append(ids, x.ID)
	}
	return ids
}

// index returns the index of the name and whether it is a global one.
func (d *Description) index(name string) (x *Index, global bool) {
	for _, x := range d.Global {
		if x.Name == name {
			return x, true
		}
	}
	for _, x := range d.Local {
		if x.Name == name {
			return x, false
		}
	}
	return nil, false
}

// count is how many items a table or an index has, and of how many bytes. Builds write it, anyone reads.
type count struct{ items, bytes atomic.Int64 }

func parseCount(b []byte) *count {
	c := &count{}
	if len(b) == 16 {
		c.items.Store(int64(binary.BigEndian.Uint64(b)))
		c.bytes.Store(int64(binary.BigEndian.Uint64(b[8:])))
	}
	return c
}

// add is called by builds.
func (c *count) add(items, bytes int) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(c.items.Add(int64(items))))
	return binary.BigEndian.AppendUint64(b, uint64(c.bytes.Add(int64(bytes))))
}

// Status is a table with what is not part of its description: sizes, and the ARNs that follow from it.
type Status struct {
	Description
	ARN       string
	Status    string
	Items     int64
	Bytes     int64
	Sizes     map[string]Size // of indexes, by name
	StreamARN string          // of the latest stream; empty if there never was one
}

// Size is how much there is in an index.
type Size struct{ Items, Bytes int64 }

// status describes a table as it is.
func (db *DB) status(t *table, d *Description) Status {
	s := Status{Description: *d, ARN: db.TableARN(d.Name), Status: StatusActive, Sizes: map[string]Size{}}
	if c := t.counts[0]; c != nil {
		s.Items, s.Bytes = c.items.Load(), c.bytes.Load()
	}
	for _, x := range d.indexes() {
		if c := t.counts[x.ID]; c != nil {
			s.Sizes[x.Name] = Size{c.items.Load(), c.bytes.Load()}
		}
	}
	if d.StreamLabel != "" {
		s.StreamARN = s.ARN + "/stream/" + d.StreamLabel
	}
	return s
}
