package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/pipeline"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// TableSource is a source table: what a pipeline reads, and what must hold before it can.
type TableSource interface {
	pipeline.Source
	// EnsureStream makes sure that the table has a stream a pipeline can read, switching one on where that is
	// allowed. Where it is not, and there is none, the fault is one of kind State about pipeline.SubjectStream.
	EnsureStream(ctx context.Context) error
}

// Tables opens source tables.
type Tables interface {
	OpenTable(ctx context.Context, name string) (TableSource, error)
}

// TableReplica is a table's copy in a warehouse, with its journal.
type TableReplica interface {
	pipeline.Replica
	pipeline.Journal
}

// tagDatabase on an integration asks for a destination database as soon as it is active.
const tagDatabase = "penstock:database"

func tableOf(i zeroetl.Integration) string {
	return i.SourceARN[strings.LastIndexByte(i.SourceARN, '/')+1:]
}

// reconcileTable closes the gap between an integration of a table and what runs.
func (s *Supervisor) reconcileTable(ctx context.Context, i zeroetl.Integration, target bool) error {
	switch i.Status {
	case zeroetl.Creating:
		return s.createTableIntegration(ctx, i)
	case zeroetl.Modifying:
		return s.Integrations.Activated(ctx, i.ID)
	case zeroetl.Deleting:
		s.stopReplicator(i.ID)
		if target && i.Destination.Database != "" {
			// The rows stay, as an ordinary table.
			engine, err := s.Engines.Get(ctx, i.WarehouseID)
			if err == nil {
				err = engine.DropReplica(ctx, i.Destination.Database, i.ID)
			}
			if err != nil && fault.KindOf(err) != fault.NotFound {
				return err
			}
		}
		s.Log.Info("integration is gone", "integration", i.Name)
		return s.Integrations.Removed(ctx, i.ID)
	}
	if i.Status == zeroetl.Failed || !target || i.Destination.Database == "" {
		s.stopReplicator(i.ID)
	}
	switch {
	case i.Status == zeroetl.Failed:
		return nil
	case !target:
		return s.fault(ctx, i, zeroetl.Problem{Code: ProblemTargetMissing, Message: fmt.Sprintf("The target warehouse %s is gone or not available. Delete the integration.", i.TargetARN)})
	case i.Destination.Database != "":
		return s.replicate(ctx, i)
	}
	if name := i.Tags[tagDatabase]; name != "" && i.Destination.Created.IsZero() {
		return s.connectTagged(ctx, i, name)
	}
	return nil
}

// createTableIntegration checks a new integration's table. What may pass by itself is tried again.
func (s *Supervisor) createTableIntegration(ctx context.Context, i zeroetl.Integration) error {
	source, err := s.Tables.OpenTable(ctx, tableOf(i))
	if err == nil {
		err = source.EnsureStream(ctx)
	}
	if err == nil {
		_, err = source.Describe(ctx)
	}
	switch {
	case err == nil:
		s.Log.Info("integration is active", "integration", i.Name, "source", i.SourceARN, "warehouse", i.WarehouseID)
		s.Notify() // for what is to be done next
		return s.Integrations.Activated(ctx, i.ID)
	case fault.Retryable(err) || ctx.Err() != nil:
		return err
	}
	p := tableProblem(tableOf(i), err)
	s.Log.Warn("integration failed", "integration", i.Name, "code", p.Code, "reason", p.Message, "err", err)
	return s.Integrations.Faulted(ctx, i.ID, zeroetl.Failed, []zeroetl.Problem{p})
}

// connectTagged makes the database the integration's tag asks for, once.
func (s *Supervisor) connectTagged(ctx context.Context, i zeroetl.Integration, name string) error {
	by := "integration " + i.ID
	engine, err := s.Engines.Get(ctx, i.WarehouseID)
	if err != nil {
		return err
	}
	err = engine.CreateDatabase(ctx, name, "admin", by)
	if err == nil {
		err = s.Integrations.Connect(ctx, i.ID, i.WarehouseID, name, by, zeroetl.DestinationOptions{})
	}
	if err == nil || fault.Retryable(err) || ctx.Err() != nil {
		return err
	}
	return s.fault(ctx, i, zeroetl.Problem{Code: ProblemDatabase, Message: fmt.Sprintf("The database %q that the tag %s asks for cannot be made: %s. Run CREATE DATABASE ... FROM INTEGRATION '%s' with another name.", name, tagDatabase, fault.Message(err), i.ID)})
}

func (s *Supervisor) fault(ctx context.Context, i zeroetl.Integration, p zeroetl.Problem) error {
	if sameProblems(i.Problems, []zeroetl.Problem{p}) {
		return nil
	}
	s.Log.Warn("integration needs attention", "integration", i.Name, "code", p.Code, "reason", p.Message)
	return s.Integrations.Faulted(ctx, i.ID, zeroetl.NeedsAttention, []zeroetl.Problem{p})
}

// replicator is an integration's pipeline at work, started again and again as long as it is wanted.
type replicator struct {
	integration zeroetl.Integration // as it was when the replicator was started
	source      TableSource
	cancel      context.CancelFunc
	done        chan struct{}
	poke        chan struct{} // ends a wait before the next attempt

	mu       sync.Mutex
	progress pipeline.Progress
	trouble  string
	failures int64
	status   zeroetl.Status // what was last reported
	shown    time.Time      // when progress was last logged
	began    time.Time      // when the snapshot being loaded was first seen under way
	items    int64          // of it then
	journal  pipeline.Journal
}

// replicate keeps a replicator running for i, and exchanges it when what it does has changed.
func (s *Supervisor) replicate(ctx context.Context, i zeroetl.Integration) error {
	s.mu.Lock()
	r := s.replicators[i.ID]
	s.mu.Unlock()
	if r != nil && !r.finished() && r.integration.Destination == i.Destination {
		return nil
	}
	s.stopReplicator(i.ID)
	source, err := s.Tables.OpenTable(ctx, tableOf(i))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	r = &replicator{integration: i, source: source, cancel: cancel, done: make(chan struct{}), poke: make(chan struct{}, 1)}
	s.mu.Lock()
	s.replicators[i.ID] = r
	s.mu.Unlock()
	go func() {
		defer close(r.done)
		s.runReplicator(ctx, r)
	}()
	return nil
}

// Waits between attempts. A table that failed for what is in it is left alone longer: only a change of the item or
// of an option helps, and an option is noticed at once.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 30 * time.Second
	itemRetry  = time.Minute
)

// runReplicator runs pipelines until it is stopped, reporting what stands in their way.
func (s *Supervisor) runReplicator(ctx context.Context, r *replicator) {
	wait := firstRetry
	for {
		began := s.Now()
		err := s.runPipeline(ctx, r)
		if ctx.Err() != nil {
			return
		}
		if s.Now().Sub(began) > lastRetry {
			wait = firstRetry // it worked for a while
		}
		s.troubled(ctx, r, err)
		pause := wait
		if fault.Is(err, fault.Invalid, pipeline.SubjectItem) {
			pause = itemRetry
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-r.poke:
			t.Stop()
		case <-t.C:
		}
		wait = min(2*wait, lastRetry)
	}
}

// runPipeline runs one pipeline until it ends.
func (s *Supervisor) runPipeline(ctx context.Context, r *replicator) error {
	i := r.integration
	err := r.source.EnsureStream(ctx)
	var table pipeline.Table
	if err == nil {
		table, err = r.source.Describe(ctx)
	}
	if err != nil {
		return errors.Join(err, r.dropped(ctx, err))
	}
	engine, err := s.Engines.Get(ctx, i.WarehouseID)
	if err != nil {
		return err
	}
	replica, err := engine.Replica(ctx, i, table.Schema)
	if err != nil {
		return err
	}
	r.journal = replica
	resync := i.Destination.Refreshes > i.Destination.RefreshesDone
	p := pipeline.New(pipeline.Options{
		Source: r.source, Replica: replica, Journal: replica, Fence: s.NextID(), Resync: resync,
		RefreshInterval: time.Duration(i.Destination.RefreshInterval) * time.Second, Now: s.Now, Log: s.Log.With("integration", i.Name, "table", table.Schema.Table),
		Report: func(g pipeline.Progress) { s.progressed(ctx, r, g, resync) },
	})
	err = p.Run(ctx)
	if ctx.Err() == nil && fault.Is(err, fault.Invalid, pipeline.SubjectItem) {
		err = errors.Join(err, replica.State(ctx, pipeline.Failed, fault.Message(err)))
	}
	return errors.Join(err, r.dropped(ctx, err))
}

// dropped records that the source table is gone, if that is what err says and the copy is known.
func (r *replicator) dropped(ctx context.Context, err error) error {
	if fault.Is(err, fault.NotFound, pipeline.SubjectTable) && r.journal != nil && ctx.Err() == nil {
		return r.journal.State(ctx, pipeline.DroppedSource, fault.Message(err))
	}
	return nil
}

// progressed keeps the integration's status in step with its pipeline: syncing while a table is loaded, active
// when it follows.
func (s *Supervisor) progressed(ctx context.Context, r *replicator, g pipeline.Progress, resync bool) {
	r.mu.Lock()
	before := r.progress.Phase
	r.progress = g
	status := r.status
	switch g.Phase {
	case pipeline.Loading:
		r.status = zeroetl.Syncing
	case pipeline.Live:
		r.status = zeroetl.Active
		if !g.CaughtUp.IsZero() {
			r.trouble = ""
		}
	}
	now := r.status
	r.mu.Unlock()
	s.showProgress(r, g)
	if now == status {
		return
	}
	var err error
	switch now {
	case zeroetl.Syncing:
		err = s.Integrations.Syncing(ctx, r.integration.ID)
	case zeroetl.Active:
		if resync && before == pipeline.Loading {
			err = s.Integrations.Refreshed(ctx, r.integration.ID, r.integration.Destination.Refreshes)
		}
		err = errors.Join(err, s.Integrations.Repaired(ctx, r.integration.ID))
	}
	if err != nil && ctx.Err() == nil && fault.KindOf(err) != fault.State { // State: it is being modified or deleted
		s.Log.Error("an integration's status could not be recorded", "integration", r.integration.Name, "status", now, "err", err)
	}
}

// showEvery is how often the progress of a snapshot is logged.
const showEvery = 10 * time.Second

// showProgress logs how far a snapshot is, now and then: share, rate and time left by the source's own count.
func (s *Supervisor) showProgress(r *replicator, g pipeline.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := s.Now()
	if g.Phase != pipeline.Loading {
		r.began = time.Time{}
		return
	}
	if r.began.IsZero() {
		r.began, r.shown, r.items = now, now, g.SnapshotItems
		return
	}
	if now.Sub(r.shown) < showEvery {
		return
	}
	r.shown = now
	rate := float64(g.SnapshotItems-r.items) / now.Sub(r.began).Seconds()
	log := s.Log.With("integration", r.integration.Name, "table", tableOf(r.integration), "items", g.SnapshotItems, "items_per_second", int64(rate))
	if left := g.Table.Items - g.SnapshotItems; left > 0 && rate > 0 {
		log = log.With("percent", 100*g.SnapshotItems/g.Table.Items, "left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	log.Info("loading a table")
}

// troubled reports what ended a pipeline.
func (s *Supervisor) troubled(ctx context.Context, r *replicator, err error) {
	p := tableProblem(tableOf(r.integration), err)
	r.mu.Lock()
	told := r.trouble == p.Message
	r.trouble, r.status = p.Message, zeroetl.NeedsAttention
	r.failures++
	r.mu.Unlock()
	if !told {
		s.Log.Warn("replication is held up and will try again", "integration", r.integration.Name, "code", p.Code, "err", err)
	}
	if err := s.Integrations.Faulted(ctx, r.integration.ID, zeroetl.NeedsAttention, []zeroetl.Problem{p}); err != nil && ctx.Err() == nil && fault.KindOf(err) != fault.State {
		s.Log.Error("a fault of an integration could not be recorded", "integration", r.integration.Name, "err", err)
	}
}

// tableProblem puts an error of a table's replication into words for Errors[].
func tableProblem(table string, err error) zeroetl.Problem {
	p := zeroetl.Problem{Code: ProblemInternal, Message: fault.Message(err)}
	var f *fault.Error
	subject := ""
	if errors.As(err, &f) {
		subject = f.Subject
	}
	switch {
	case fault.KindOf(err) == fault.NotFound && subject == pipeline.SubjectTable:
		p = zeroetl.Problem{Code: ProblemSourceMissing, Message: fmt.Sprintf("The table %q does not exist. Its rows in the warehouse stay as they were. Make the table again, or delete the integration.", table)}
	case subject == pipeline.SubjectStream:
		p.Code = ProblemStream
	case subject == pipeline.SubjectItem:
		p.Code = ProblemTable
	case subject == pipeline.SubjectAccess || fault.KindOf(err) == fault.Denied:
		p.Code = ProblemSourceDenied
	case subject == warehouses.SubjectWarehouse:
		p.Code = ProblemTarget
	case fault.Retryable(err):
		p.Code = ProblemSourceUnreachable
	}
	return p
}

func (r *replicator) finished() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

func (s *Supervisor) stopReplicator(id string) {
	s.mu.Lock()
	r := s.replicators[id]
	delete(s.replicators, id)
	s.mu.Unlock()
	if r != nil {
		r.cancel()
		<-r.done
	}
}

// TableChanged passes word of a change in a source table to whoever follows it. It never blocks on replication.
func (s *Supervisor) TableChanged(table string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.replicators {
		if tableOf(r.integration) == table {
			r.source.Wake()
		}
	}
}

// Replication is an integration's pipeline and how far it is.
type Replication struct {
	Integration zeroetl.Integration
	pipeline.Progress
	Trouble  string // what holds it up now, or ""
	Failures int64  // times it had to stop and try again
}

// SourceTable is the name of the table that is replicated.
func (r Replication) SourceTable() string { return tableOf(r.Integration) }

// Lag is how far the copy is behind its source: 0 when it has just caught up, as far as it is known.
func (r Replication) Lag(now time.Time) time.Duration {
	if r.CaughtUp.IsZero() {
		return 0
	}
	return max(0, now.Sub(r.CaughtUp))
}

// Checkpoint describes how far the copy is, as SVV_INTEGRATION shows it: JSON text.
func (r Replication) Checkpoint() string {
	if r.Phase == "" {
		return ""
	}
	text, err := json.Marshal(map[string]any{"phase": r.Phase, "snapshot_items": r.SnapshotItems, "changes": r.Changes, "batches": r.Batches})
	if err != nil {
		return ""
	}
	return string(text)
}

// Replications returns what is being replicated.
func (s *Supervisor) Replications() []Replication {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Replication, 0, len(s.replicators))
	for _, r := range s.replicators {
		r.mu.Lock()
		all = append(all, Replication{r.integration, r.progress, r.trouble, r.failures})
		r.mu.Unlock()
	}
	return all
}
