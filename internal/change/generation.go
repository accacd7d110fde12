package change

// State is a replicated table's state as Redshift's views show it.
type State string

const (
	Synced          State = "Synced"
	Failed          State = "Failed"
	Deleted         State = "Deleted"
	ResyncRequired  State = "ResyncRequired"
	ResyncInitiated State = "ResyncInitiated"
	DroppedSource   State = "DroppedSource" // the source table is gone; its rows stay readable
)

// Phase is what a generation of a copy is in the middle of.
type Phase string

const (
	Loading Phase = "loading" // the snapshot is under way; changes are set aside
	Live    Phase = "live"    // readers see it; changes are applied as they come
)

// Generation is one copy of a table, from its first row to its replacement by the next.
type Generation struct {
	Number   int64
	SourceID string // Table.ID it is made from
	Phase    Phase
	Marks    Marks // of the stream
	Snapshot Marks // of the snapshot, while Loading
	Loaded   int64 // items of the snapshot so far
}
