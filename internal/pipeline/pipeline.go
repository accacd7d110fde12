// Package pipeline keeps one replicated table in step with its source: a snapshot, the changes made
// meanwhile, and then every change there is, in micro-batches.
//
// It owns the interfaces of both ends. A Source reads; a Replica is a table's copy in a warehouse and the
// authority on how far it is. The order of things is in protocol.go.
package pipeline

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/internal/change"
)

// Subjects of the faults a Source raises.
const (
	SubjectTable  = "table"         // NotFound: there is no such table
	SubjectStream = "stream"        // State: the table has no stream, or not one with new images
	SubjectGap    = "stream gap"    // Expired: changes after the marks are gone; only a new snapshot helps
	SubjectItem   = "item"          // Invalid: an item that cannot be represented
	SubjectAccess = "source access" // Denied: the credentials do not reach
)

// Source is one table to replicate. Its methods may be called from one goroutine at a time, Snapshot and Stream
// also beside each other. Errors are faults: Unavailable and Throttled ones have been retried for a while and
// may be tried again; the subjects above say what the others are about.
type Source interface {
	// Describe looks at the table as it is now.
	Describe(ctx context.Context) (Table, error)
	// Start returns the marks a stream is to be read from so that it covers every change made after this call.
	Start(ctx context.Context) (change.Marks, error)
	// Snapshot delivers the table's items, each at least once and as of some moment after the call, from where
	// the marks end (none: from the start). It returns nil when all are delivered. deliver may block; it is called
	// from one goroutine at a time. An error of deliver ends it and is returned.
	Snapshot(ctx context.Context, from change.Marks, deliver func(context.Context, change.Page) error) error
	// Stream delivers changes from where the marks end until ctx is done. Changes of one key come in their order;
	// a mark covers its page's rows and all before in its part. After every round over the shards, also an empty
	// one, it calls idle with the time at which the round began if everything made before that time has been
	// delivered.
	Stream(ctx context.Context, from change.Marks, deliver func(context.Context, change.Page) error, idle func(context.Context, time.Time) error) error
	// Wake says that there may be something new in the stream. It never blocks.
	Wake()
}

// Table is a source table as Describe found it.
type Table = change.Table

// State is a table's state as Redshift's views show it.
type State = change.State

const (
	Synced          = change.Synced
	Failed          = change.Failed
	Deleted         = change.Deleted
	ResyncRequired  = change.ResyncRequired
	ResyncInitiated = change.ResyncInitiated
	DroppedSource   = change.DroppedSource
)

// Phase is what a generation of a copy is in the middle of.
type Phase = change.Phase

const (
	Loading = change.Loading
	Live    = change.Live
)

// Generation is one copy of a table, from its first row to its replacement by the next.
type Generation = change.Generation

// Replica is a table's copy in a warehouse. Everything it knows is in the warehouse, beside the rows. A call
// that returns nil is durable; one that returns an error has changed nothing. A call with a fence older than
// the newest one installed is a fault of kind Conflict (invariant 2).
type Replica interface {
	// Recover installs the fence and returns the live generation and the one being loaded, either may be nil.
	Recover(ctx context.Context, fence int64) (live, loading *Generation, err error)
	// Begin drops any generation being loaded and begins another. The stream's marks are durable before the first
	// row of the snapshot is read (invariant 3).
	Begin(ctx context.Context, t Table, start change.Marks) (*Generation, error)
	// Load adds rows of a snapshot to the generation being loaded. Rows are new to it.
	Load(ctx context.Context, b change.Batch) error
	// Apply takes changes in: into the live generation, or set aside for the one being loaded.
	Apply(ctx context.Context, g *Generation, b change.Batch) error
	// Publish makes the loaded generation, with the changes set aside applied, the live one. Readers see the old
	// rows before and the new ones after, and nothing in between.
	Publish(ctx context.Context) error
}

// Journal is where states and progress are shown.
type Journal interface {
	// State records that the table is in a state, and why when it is not a good one.
	State(ctx context.Context, s State, reason string) error
}
