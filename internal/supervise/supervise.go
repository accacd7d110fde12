package supervise

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/fileload"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// Integrations is the part of zeroetl.Service that follows real work.
type Integrations interface {
	All(ctx context.Context) ([]zeroetl.Integration, error)
	Activated(ctx context.Context, id string) error
	Faulted(ctx context.Context, id string, status zeroetl.Status, problems []zeroetl.Problem) error
	Repaired(ctx context.Context, id string) error
	Removed(ctx context.Context, id string) error
	TableIntegrations
}

// TableIntegrations is what concerns integrations of tables alone.
type TableIntegrations interface {
	Syncing(ctx context.Context, id string) error
	Refreshed(ctx context.Context, id string, done int64) error
	Connect(ctx context.Context, id, warehouseID, database, createdBy string, o zeroetl.DestinationOptions) error
}

// Warehouses is the part of warehouses.Service that follows real work.
type Warehouses interface {
	All(ctx context.Context) ([]warehouses.Warehouse, error)
	Created(ctx context.Context, id string) error
	CreateFailed(ctx context.Context, id, reason string) error
	Deleted(ctx context.Context, id string) error
}

// Jobs is the part of copyjob.Service that follows real work.
type Jobs interface {
	List(ctx context.Context, warehouseID string) ([]copyjob.Job, error)
	RunFinished(ctx context.Context, key copyjob.Key, runs int64, failure string) error
	AddMessage(ctx context.Context, j copyjob.Job, text string) error
	DropAll(ctx context.Context, warehouseID string) error
}

// Engines makes, finds and removes what holds a warehouse's data.
type Engines interface {
	Create(ctx context.Context, w warehouses.Warehouse) error // idempotent
	Remove(ctx context.Context, warehouseID string) error     // idempotent
	Get(ctx context.Context, warehouseID string) (Engine, error)
}

// Engine is a warehouse as a Loader and the clean-up after a job need it.
type Engine interface {
	fileload.Warehouse
	// JobsInLedger returns the ids of the jobs the database's ledger has entries of.
	JobsInLedger(ctx context.Context, database string) ([]int64, error)
	ForgetJob(ctx context.Context, database string, jobID int64) error
	Databases(ctx context.Context) ([]string, error)
	TableEngine
}

// TableEngine is a warehouse as replication needs it.
type TableEngine interface {
	CreateDatabase(ctx context.Context, name, owner, createdBy string) error // idempotent by createdBy
	// Replica returns the copy of the table of this shape in the integration's destination database.
	Replica(ctx context.Context, i zeroetl.Integration, schema change.Schema) (TableReplica, error)
	// DropReplica makes an ordinary table of the integration's copy.
	DropReplica(ctx context.Context, database, integrationID string) error
}

// Channels is how files of a bucket are learnt of. What the caller has lost, it may lose again: every
// method is idempotent.
type Channels interface {
	// Open joins the bucket to the integration. A bucket that is not there is NotFound.
	Open(ctx context.Context, bucket, integrationID string) error
	// Close undoes Open. A bucket that is not there is no error.
	Close(ctx context.Context, bucket, integrationID string) error
	// Check returns nil while the channel is whole; NotFound with subject "bucket" or "notification" names
	// what is missing.
	Check(ctx context.Context, bucket, integrationID string) error
	// Admits says whether the bucket's owner lets the key through to the integration.
	Admits(bucket, integrationID, key string) bool
}

// Options are the parts of a Supervisor.
type Options struct {
	Integrations Integrations
	Warehouses   Warehouses
	Jobs         Jobs
	Engines      Engines
	Channels     Channels
	Objects      fileload.Objects
	Tables       Tables
	ListInterval time.Duration
	Interval     time.Duration // between passes nobody asked for; 0 is 5 s
	NextID       func() int64
	Now          func() time.Time
	Observe      func(warehouseID string, o fileload.Outcome) // for metrics; may be nil
	Log          *slog.Logger
}

// Supervisor owns the loaders. Notify, Arrived, Pending and JobStats may be called from any goroutine.
type Supervisor struct {
	Options
	wake  chan struct{}
	ready chan struct{}

	// Run's own.
	swept map[string]bool       // warehouses whose ledgers were swept of dropped jobs since the start
	known map[int64]copyjob.Job // the jobs of the last pass
	unfed map[int64]bool        // jobs of which was told that no integration feeds them

	mu          sync.Mutex
	loaders     map[int64]*runner      // by job id
	replicators map[string]*replicator // by integration id
}

// New returns a Supervisor at rest.
func New(o Options) *Supervisor {
	if o.Interval == 0 {
		o.Interval = 5 * time.Second
	}
	if o.Observe == nil {
		o.Observe = func(string, fileload.Outcome) {}
	}
	return &Supervisor{Options: o, wake: make(chan struct{}, 1), ready: make(chan struct{}), loaders: map[int64]*runner{}, replicators: map[string]*replicator{}, swept: map[string]bool{}, unfed: map[int64]bool{}}
}

// Notify asks for a pass soon. It never blocks.
func (s *Supervisor) Notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Arrived passes word of a file to every loader it may concern. It never blocks on a load.
func (s *Supervisor) Arrived(f load.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.loaders {
		r.loader.Arrived(f)
	}
}

// Ready is closed once Run has looked at the warehouses for the first time: from then on those that can be
// used say so.
func (s *Supervisor) Ready() <-chan struct{} { return s.ready }

// Run makes passes until ctx is done, stops every loader, and returns ctx's error.
func (s *Supervisor) Run(ctx context.Context) error {
	defer s.stopAll()
	if err := s.reconcileWarehouses(ctx); err != nil {
		s.Log.Error("the first look at the warehouses left work undone; it will be tried again", "err", err)
	}
	close(s.ready)
	tick := time.NewTicker(s.Interval)
	defer tick.Stop()
	for {
		s.pass(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-tick.C:
		}
	}
}

// pass closes every gap it can. Errors are logged here and tried again in the next pass.
func (s *Supervisor) pass(ctx context.Context) {
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{{"warehouses", s.reconcileWarehouses}, {"integrations", s.reconcileIntegrations}, {"COPY jobs", s.reconcileJobs}} {
		if err := part.do(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
			s.Log.Error("a pass over the "+part.name+" left work undone; it will be tried again", "err", err)
		}
	}
}
