package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

// Options are the parts and settings of a Pipeline.
type Options struct {
	Source  Source
	Replica Replica
	Journal Journal
	Fence   int64 // newer than that of any pipeline before for this table
	// Resync asks for a new snapshot although the live generation is whole.
	Resync bool
	// RefreshInterval is how long to wait after all there was has been applied before looking again; 0 is not at all.
	RefreshInterval time.Duration
	BatchRows       int           // of a batch, at most; 0 is 20,000
	BatchBytes      int           // 0 is 16 MiB
	BatchDelay      time.Duration // how long a change waits for company; 0 is 20 ms
	Now             func() time.Time
	Report          func(Progress) // called after each batch and change of phase, from any goroutine
	Log             *slog.Logger
}

// Progress is what a pipeline has done so far and where it is.
type Progress struct {
	Phase         Phase
	Table         Table
	SnapshotItems int64 // of the generation being loaded
	Changes       int64 // rows applied since the pipeline started
	Bytes         int64 // read since the pipeline started
	Batches       int64
	Newest        time.Time // when the newest applied change was made
	CaughtUp      time.Time // everything made before has been applied
}

// Pipeline replicates one table. Run may be called once.
type Pipeline struct {
	Options

	mu       sync.Mutex
	progress Progress
}

// New returns a Pipeline at rest.
func New(o Options) *Pipeline {
	if o.BatchRows == 0 {
		o.BatchRows = 20_000
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 16 << 20
	}
	if o.BatchDelay == 0 {
		o.BatchDelay = 20 * time.Millisecond
	}
	if o.Report == nil {
		o.Report = func(Progress) {}
	}
	return &Pipeline{Options: o}
}

// Run replicates until ctx is done or something stands in the way that trying again at once will not remove.
// The error says what; a gap is no such thing, it is repaired here.
func (p *Pipeline) Run(ctx context.Context) error {
	live, loading, err := p.Replica.Recover(ctx, p.Fence)
	if err != nil {
		return err
	}
	resync, reason := p.Resync, "a refresh was asked for"
	for {
		table, err := p.Source.Describe(ctx)
		if err != nil {
			return err
		}
		p.report(func(g *Progress) { g.Table = table })
		switch {
		case live != nil && live.SourceID != table.ID && !resync:
			resync, reason = true, "the source table or its stream was made anew, so changes may be missing"
			if err := p.Journal.State(ctx, ResyncRequired, reason); err != nil {
				return err
			}
		case live == nil:
			resync, reason = true, ""
		}
		if !resync {
			err = p.run(ctx, live, live.Marks)
		} else {
			if loading == nil || loading.SourceID != table.ID {
				if loading, err = p.begin(ctx, table); err != nil {
					return err
				}
			}
			if err := p.Journal.State(ctx, ResyncInitiated, reason); err != nil {
				return err
			}
			err = p.run(ctx, loading, loading.Marks)
		}
		if !fault.Is(err, fault.Expired, SubjectGap) {
			return err
		}
		// Whatever was being read cannot be read on from where it was. Start over, beside what is there.
		p.Log.Warn("changes are missing; the table is loaded again", "table", table.Schema.Table, "err", err)
		if err := p.Journal.State(ctx, ResyncRequired, fault.Message(err)); err != nil {
			return err
		}
		if live, _, err = p.Replica.Recover(ctx, p.Fence); err != nil {
			return err
		}
		loading, resync, reason = nil, true, fault.Message(err)
	}
}

// begin makes a new generation. The stream's start is durable before anything is read (invariant 3).
func (p *Pipeline) begin(ctx context.Context, t Table) (*Generation, error) {
	start, err := p.Source.Start(ctx)
	if err != nil {
		return nil, err
	}
	return p.Replica.Begin(ctx, t, start)
}

// run works on a generation: its snapshot if it is not live yet, and its stream.
func (p *Pipeline) run(ctx context.Context, g *Generation, from change.Marks) error {
	group, ctx := errgroup.WithContext(ctx)
	w := &worker{Pipeline: p, generation: g, pages: make(chan item, 8)}
	p.report(func(r *Progress) { r.Phase, r.SnapshotItems = g.Phase, g.Loaded })
	if g.Phase == Loading {
		group.Go(func() error { return w.snapshot(ctx) })
	} else if err := p.Journal.State(ctx, Synced, ""); err != nil {
		return err
	}
	group.Go(func() error { return p.Source.Stream(ctx, from, w.deliver, w.idle) })
	group.Go(func() error { return w.apply(ctx) })
	err := group.Wait()
	if err == nil {
		err = errors.New("the stream ended by itself")
	}
	return err
}

func (p *Pipeline) report(change func(*Progress)) {
	p.mu.Lock()
	change(&p.progress)
	now := p.progress
	p.mu.Unlock()
	p.Report(now)
}

// worker is one generation at work.
type worker struct {
	*Pipeline
	generation *Generation
	pages      chan item

	mu           sync.Mutex
	snapshotDone time.Time // when the snapshot was complete; zero before
}

// item is what goes from the stream's reader to the applier: a page, or word that the reader has caught up.
type item struct {
	page     change.Page
	caughtUp time.Time
	applied  chan<- struct{} // closed when everything before is applied, if somebody waits for it
}

// deliver hands a stream page to the applier. It blocks while the applier is behind.
func (w *worker) deliver(ctx context.Context, page change.Page) error {
	return w.send(ctx, item{page: page})
}

// idle passes on that everything made before at has been delivered, and waits out the refresh interval.
func (w *worker) idle(ctx context.Context, at time.Time) error {
	if w.RefreshInterval == 0 || w.loading() {
		return w.send(ctx, item{caughtUp: at})
	}
	applied := make(chan struct{})
	if err := w.send(ctx, item{caughtUp: at, applied: applied}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-applied:
	}
	t := time.NewTimer(w.RefreshInterval)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (w *worker) loading() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.generation.Phase == Loading
}

func (w *worker) send(ctx context.Context, i item) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case w.pages <- i:
		return nil
	}
}

// snapshot loads the items.
func (w *worker) snapshot(ctx context.Context) error {
	b := newBatcher(w.BatchRows, w.BatchBytes)
	flush := func(ctx context.Context) error {
		batch, ok := b.take()
		if !ok {
			return nil
		}
		w.Log.Debug("snapshot batch starting", "rows", len(batch.Rows), "bytes", batch.Bytes)
		if err := w.Replica.Load(ctx, batch); err != nil {
			return fmt.Errorf("load a snapshot batch: %w", err)
		}
		w.Log.Debug("snapshot batch committed", "rows", len(batch.Rows))
		w.report(func(r *Progress) {
			r.SnapshotItems += int64(len(batch.Rows))
			r.Bytes += int64(batch.Bytes)
			r.Batches++
		})
		return nil
	}
	err := w.Source.Snapshot(ctx, w.generation.Snapshot, func(ctx context.Context, page change.Page) error {
		if b.add(page); b.full() {
			return flush(ctx)
		}
		return nil
	})
	if err == nil {
		err = flush(ctx)
	}
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.snapshotDone = w.Now()
	w.mu.Unlock()
	w.Source.Wake()
	return nil
}

// apply collects pages into batches and applies them, and publishes the generation once it can be.
func (w *worker) apply(ctx context.Context) error {
	b := newBatcher(w.BatchRows, w.BatchBytes)
	b.unique = true
	flush := func() error {
		batch, ok := b.take()
		if !ok {
			return nil
		}
		w.Log.Debug("change batch starting", "rows", len(batch.Rows), "bytes", batch.Bytes)
		if err := w.Replica.Apply(ctx, w.generation, batch); err != nil {
			return fmt.Errorf("apply a batch of changes: %w", err)
		}
		w.Log.Debug("change batch committed", "rows", len(batch.Rows))
		w.report(func(r *Progress) {
			r.Changes += int64(len(batch.Rows))
			r.Bytes += int64(batch.Bytes)
			r.Batches++
			if batch.Newest.After(r.Newest) {
				r.Newest = batch.Newest
			}
		})
		return nil
	}
	var due <-chan time.Time
	timer := time.NewTimer(0)
	if !timer.Stop() {
		<-timer.C
	}
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due:
			due = nil
			if err := flush(); err != nil {
				return err
			}
		case i := <-w.pages:
			if i.caughtUp.IsZero() {
				b.add(i.page)
				if b.full() {
					due = nil
					if err := flush(); err != nil {
						return err
					}
				} else if due == nil {
					timer.Reset(w.BatchDelay)
					due = timer.C
				}
				continue
			}
			due = nil
			if err := flush(); err != nil {
				return err
			}
			w.report(func(r *Progress) { r.CaughtUp = i.caughtUp })
			if err := w.publishIfDue(ctx, i.caughtUp); err != nil {
				return err
			}
			if i.applied != nil {
				close(i.applied)
			}
		}
	}
}

// publishIfDue makes the loaded generation the live one when the stream has passed the snapshot's end.
func (w *worker) publishIfDue(ctx context.Context, caughtUp time.Time) error {
	w.mu.Lock()
	due := w.generation.Phase == Loading && !w.snapshotDone.IsZero() && caughtUp.After(w.snapshotDone)
	w.mu.Unlock()
	if !due {
		return nil
	}
	w.Log.Debug("publishing", "generation", w.generation.Number)
	if err := w.Replica.Publish(ctx); err != nil {
		return fmt.Errorf("publish the loaded table: %w", err)
	}
	w.mu.Lock()
	w.generation.Phase = Live
	w.mu.Unlock()
	w.report(func(r *Progress) { r.Phase = Live })
	w.Log.Info("table is synced", "generation", w.generation.Number)
	return w.Journal.State(ctx, Synced, "")
}
