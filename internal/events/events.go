package events

import (
	"context"
	"encoding/json"
	"time"
)

// Subjects of this package's faults.
const (
	SubjectEvent   = "event"
	SubjectWebhook = "webhook"
	SubjectBus     = "event bus"
)

// Prefix is what the paths of webhooks begin with, after the slash, and the sources of their events.
const Prefix = "app-integrations.webhooks/"

// State is what has become of an event.
type State string

const (
	Pending   State = "pending"   // to be delivered at Due, or being delivered until then
	Delivered State = "delivered" // kept for a while, against repetitions
	Dead      State = "dead"      // not delivered, and not tried again by itself
)

// Event is one event on one bus, and what has become of it.
type Event struct {
	Bus        string
	ID         string // unique on the bus
	Source     string // "app-integrations.webhooks/orders"
	DetailType string
	Time       time.Time       // when it was received
	Detail     json.RawMessage // an object

	State    State
	Attempts int       // deliveries tried
	Due      time.Time // when it is to be tried next, while it is pending
	Reason   string    // why the last attempt failed
	Settled  time.Time // when it was delivered or given up
}

// Outbox keeps events until they are delivered. Every method is one durable transaction.
type Outbox interface {
	// EventAdd stores events, all or none, but for those whose bus and id are known, which stay as they are. It
	// returns how many were new.
	EventAdd(ctx context.Context, events []Event) (added int, err error)
	// EventClaim returns up to max pending events of a bus that are due, oldest Due first, and makes them due
	// again at until: whoever claimed them has the time until then to settle them.
	EventClaim(ctx context.Context, bus string, now, until time.Time, max int) ([]Event, error)
	// EventSettle stores State, Attempts, Due, Reason and Settled of events that are pending; others stay as
	// they are.
	EventSettle(ctx context.Context, events []Event) error
	// EventNext returns when the first pending event of a bus is due, zero without one.
	EventNext(ctx context.Context, bus string) (time.Time, error)
	// EventPrune forgets delivered events settled before a time.
	EventPrune(ctx context.Context, before time.Time) error
}

// Filter chooses events. Empty fields choose all.
type Filter struct {
	Bus    string
	ID     string
	Source string
	State  State
}

// Archive is where a person looks events up.
type Archive interface {
	// EventList returns up to max events in the order they came in, after the one that next named before.
	EventList(ctx context.Context, f Filter, after string, max int) (events []Event, next string, err error)
	// EventReplay makes events that are not pending pending again, as if they had just come in, and returns
	// how many.
	EventReplay(ctx context.Context, f Filter, now time.Time) (int, error)
	// EventDelete forgets events and returns how many.
	EventDelete(ctx context.Context, f Filter) (int, error)
	// EventCounts returns how many events there are by bus and state.
	EventCounts(ctx context.Context) (map[string]map[State]int, error)
}

// Outcome is what became of the delivery of one event.
type Outcome struct {
	Err   error         // nil when the target has the event
	After time.Duration // what the target asks to wait before the next attempt; 0 when it does not say
}

// Target is where the events of a bus go.
type Target interface {
	// Deliver hands events over and returns an Outcome for each. An error that may pass is of kind Unavailable,
	// Throttled or Denied; after any other the event is dead.
	Deliver(ctx context.Context, events []Event) []Outcome
	// Batch is how many events Deliver takes at a time.
	Batch() int
}

// all is the same outcome for every event.
func all(n int, o Outcome) []Outcome {
	out := make([]Outcome, n)
	for i := range out {
		out[i] = o
	}
	return out
}
