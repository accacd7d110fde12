package appint

import (
	"context"
	"time"
)

// Token makes creating something twice by the same call create it once. The zero value is none.
type Token struct {
	Operation string // tokens of different operations are different
	Value     string
	Digest    string // of what was asked for
}

// Query narrows a list.
type Query struct {
	Parent string // of kinds that have one: its ID, or name
	Type   string // of applications; empty for any
	After  int64  // only what has a greater Number
	Limit  int
}

// Store keeps one kind of resource. Every method is one durable transaction. Slices and maps in returned values are
// shared and must not be changed.
type Store[T any] interface {
	// Create stores v under a new Number. If t was used before it returns what was created then and false, or a
	// fault of kind Invalid about SubjectToken when the digest differs. An ID, name or namespace that is taken is
	// AlreadyExists; a parent that does not exist is NotFound about the parent; when there are max already, of the
	// same parent where the kind has one, it is Limit.
	Create(ctx context.Context, v T, t Token, max int) (stored T, created bool, err error)
	// Get finds by ID and, of kinds whose names are identifiers, else by name.
	Get(ctx context.Context, key string) (T, error)
	// List returns resources in the order of their Numbers.
	List(ctx context.Context, q Query) ([]T, error)
	// Update runs change on the stored value and saves what it leaves, unless it returns an error. change may set
	// fields but must not change what slices and maps hold, and may be run more than once. Number, ID, ARN, parent
	// and Created stay. A new name that is taken is AlreadyExists.
	Update(ctx context.Context, id string, change func(*T) error) (T, error)
	// Delete forgets the resource and the tokens it was created with. One that has associations is State.
	Delete(ctx context.Context, id string) error
}

// Rules are what an association is admitted by.
type Rules struct {
	Once bool // a data integration is associated once in its life
	Max  int  // associations of a data integration
}

// AssociationStore keeps associations of data integrations. Every method is one durable transaction.
type AssociationStore interface {
	// Create is Store.Create. It marks the data integration as associated, and stores first too unless it is nil, as
	// the association's Last. With Rules.Once, a data integration that was associated before is State
	// about SubjectDataIntegration.
	Create(ctx context.Context, a Association, first *Execution, t Token, r Rules) (stored Association, created bool, err error)
	Get(ctx context.Context, id string) (Association, error)
	List(ctx context.Context, q Query) ([]Association, error)
	// Update is Store.Update. An execution that change returns is stored too, as the association's Last. More than MaxWaiting
	// waiting executions of one association are Limit about SubjectExecution.
	Update(ctx context.Context, id string, change func(*Association) (*Execution, error)) (Association, error)
	// Delete forgets the association, its tokens and its executions but for a RUNNING one, whose Cancel it sets.
	Delete(ctx context.Context, id string) error
}

// MaxWaiting is how many executions of one association may wait.
const MaxWaiting = 100

// MaxHistory is how many executions of an association are kept, besides those that are not done.
const MaxHistory = 200

// ExecutionQueue is what is to be done. Every method is one durable transaction.
type ExecutionQueue interface {
	// Schedule calls plan for each association with a NextDue at or before now, at most limit of them, longest due
	// first, sets its NextDue to next, and stores the execution, as the association's Last, unless the association's
	// newest execution is waiting and BySchedule: then that one's To and NotBefore become e's. It returns how many
	// there were.
	Schedule(ctx context.Context, now time.Time, limit int, plan func(Association) (next time.Time, e Execution)) (int, error)
	// Claim makes RUNNING, at now, at most limit waiting executions whose NotBefore has come and whose association
	// has none running: of each association the oldest, the oldest of all first. From of an incremental one
	// becomes the association's Since, but not more than To.
	Claim(ctx context.Context, now time.Time, limit int) ([]Execution, error)
	// Running returns the running executions by Number, or those of them that are to be cancelled.
	Running(ctx context.Context, canceled bool) ([]Execution, error)
	// Next is the earliest NextDue, or NotBefore of what waits, that is later than after; the zero time without any.
	Next(ctx context.Context, after time.Time) (time.Time, error)
	// Change runs change on an execution and its association, which is nil when it was deleted, and saves what it
	// leaves, unless it returns an error. Done executions beyond MaxHistory of the association are forgotten, the
	// oldest first; without an association a done one is forgotten at once.
	Change(ctx context.Context, id string, change func(*Execution, *Association) error) (Execution, error)
}

// ExecutionHistory is what was done.
type ExecutionHistory interface {
	Get(ctx context.Context, id string) (Execution, error)
	// List returns executions of the association Query.Parent, newest first, below the Number Query.After unless
	// that is 0.
	List(ctx context.Context, q Query) ([]Execution, error)
}

// Stores is one of each.
type Stores struct {
	DataIntegrations        Store[DataIntegration]
	Associations            AssociationStore
	Queue                   ExecutionQueue
	History                 ExecutionHistory
	EventIntegrations       Store[EventIntegration]
	EventAssociations       Store[EventAssociation]
	Applications            Store[Application]
	ApplicationAssociations Store[ApplicationAssociation]
}
