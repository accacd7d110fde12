package fileload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// Objects is where the files are.
type Objects interface {
	// List calls yield for each object whose key begins with prefix, in key order after startAfter.
	List(ctx context.Context, bucket, prefix, startAfter string, yield func(load.File) error) error
	// Fetch makes an object readable at File.Path until release is called. An object that is not there is
	// NotFound.
	Fetch(ctx context.Context, f load.File) (_ load.File, release func(), _ error)
}

// Warehouse is where the rows go. The ledger is the warehouse's.
type Warehouse interface {
	// Unloaded returns those of keys the job's ledger does not have; with failed also those it has as failed.
	Unloaded(ctx context.Context, database string, jobID int64, keys []string, failed bool) ([]string, error)
	Load(ctx context.Context, req load.Request) (load.Result, error)
}

// Job is what to load.
type Job struct {
	load.Job
	Table  load.Table
	Spec   load.Spec
	Bucket string
	Prefix string
	Since  time.Time // files written before are not the job's
	// Admits says whether the bucket's notification lets a key through to the job; nil admits all.
	Admits func(key string) bool
}

// Source is the job's FROM text.
func (j Job) Source() string { return "s3://" + j.Bucket + "/" + j.Prefix }

// Outcome is what a batch came to.
type Outcome struct {
	Job     load.Job
	Results []load.FileResult // Skipped files left out
	Gone    []load.File       // files that were no longer there
	At      time.Time         // when the batch was durable
	// Err is the trouble that put the batch back, nil after a batch that went through. Retry says when it
	// will be tried again.
	Err   error
	Retry time.Duration
}

// Options are the parts a Loader is made of.
type Options struct {
	Job          Job
	Objects      Objects
	Warehouse    Warehouse
	ListInterval time.Duration
	NextID       func() int64 // query ids
	Now          func() time.Time
	Report       func(Outcome) // called after every batch, from Run's goroutine
	Log          *slog.Logger
	// Pause waits between attempts; nil sleeps. Tests put a fake clock here.
	Pause func(ctx context.Context, d time.Duration) error
}

// Limits of a batch and of the queue. A batch is one warehouse transaction.
const (
	batchFiles  = 1024
	batchBytes  = 256 << 20
	maxPending  = 200_000 // files known but not loaded; past it the listing brings them later
	fetchers    = 8
	firstPause  = 200 * time.Millisecond
	longestWait = 30 * time.Second
	runAttempts = 8 // of RunOnce on the same trouble
)

// Loader loads the files of one job. Arrived, Stats and Pending may be called from any goroutine; Run and
// RunOnce from one at a time.
type Loader struct {
	Options
	wake chan struct{}

	mu       sync.Mutex
	queue    []load.File         // in order of arrival
	known    map[string]struct{} // keys in queue or in the batch under way
	inFlight []load.File
	missed   bool // the queue was full: list again
	stats    Stats
}

// Stats counts since the Loader was made.
type Stats struct {
	Pending, FilesLoaded, FilesFailed, Rows, Bytes, Retries int64
	Trouble                                                 string    // what holds loading up now, or ""
	Oldest                                                  time.Time // when the oldest pending file was written; zero without one
	LastLoad                                                time.Time
}

// New returns a Loader at rest.
func New(o Options) *Loader {
	if o.Pause == nil {
		o.Pause = sleep
	}
	return &Loader{Options: o, wake: make(chan struct{}, 1), known: map[string]struct{}{}}
}

// Arrived tells of a file that may be the job's. It never blocks and may be wrong in every respect.
func (l *Loader) Arrived(f load.File) {
	if f.Bucket == l.Job.Bucket && strings.HasPrefix(f.Key, l.Job.Prefix) && l.eligible(f) {
		l.enqueue(f)
	}
}

func (l *Loader) eligible(f load.File) bool {
	since := l.Job.Since
	if f.Modified.Nanosecond() == 0 {
		// Told to the second, as S3 lists times. A file of the second in which the job was made may be older than
		// the job; loading it is better than losing one that is not.
		since = since.Truncate(time.Second)
	}
	return !f.Modified.Before(since) &&
		!strings.HasSuffix(f.Key, "/") && // the marker objects consoles make for folders
		(l.Job.Admits == nil || l.Job.Admits(f.Key))
}

// enqueue adds f unless it is there, and reports whether there was room.
func (l *Loader) enqueue(f load.File) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.known[f.Key]; ok {
		return true
	}
	if len(l.known) >= maxPending {
		l.missed = true
		return false
	}
	l.known[f.Key] = struct{}{}
	l.queue = append(l.queue, f)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// Pending returns the files known but not loaded yet, at most limit.
func (l *Loader) Pending(limit int) []load.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := append(append([]load.File{}, l.inFlight...), l.queue...)
	return all[:min(limit, len(all))]
}

// Stats returns a copy of the counters.
func (l *Loader) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Pending = int64(len(l.known))
	for _, files := range [][]load.File{l.inFlight, l.queue} {
		if len(files) > 0 && (s.Oldest.IsZero() || files[0].Modified.Before(s.Oldest)) {
			s.Oldest = files[0].Modified
		}
	}
	return s
}

// Run loads until ctx is done, and returns its error.
func (l *Loader) Run(ctx context.Context) error {
	tick := time.NewTicker(l.ListInterval)
	defer tick.Stop()
	pause, list := firstPause, true
	for {
		err := l.step(ctx, list, false)
		list = false
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			pause = l.trouble(err, pause)
			if err := l.Pause(ctx, jitter(pause)); err != nil {
				return err
			}
			pause, list = min(2*pause, longestWait), true
			continue
		}
		pause = firstPause
		if l.takeMissed() {
			list = true
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.wake:
		case <-tick.C:
			list = true
		}
	}
}

// RunOnce loads what is there now, files that failed before included, and returns. Trouble that stays is
// returned after a few attempts.
func (l *Loader) RunOnce(ctx context.Context) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := l.step(ctx, true, true)
		if err == nil && l.takeMissed() {
			attempt, pause = 0, firstPause
			continue
		}
		if err == nil || ctx.Err() != nil || attempt == runAttempts {
			return err
		}
		pause = l.trouble(err, pause)
		if err := l.Pause(ctx, jitter(pause)); err != nil {
			return err
		}
		pause = min(2*pause, longestWait)
	}
}

func (l *Loader) takeMissed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	missed := l.missed
	l.missed = false
	return missed
}

// trouble records and reports err and returns how long to wait.
func (l *Loader) trouble(err error, pause time.Duration) time.Duration {
	l.mu.Lock()
	l.stats.Retries++
	l.stats.Trouble = fault.Message(err)
	l.mu.Unlock()
	l.Log.Warn("loading is held up", "job", l.Job.Name, "source", l.Job.Source(), "retry", pause, "err", err)
	l.Report(Outcome{Job: l.Job.Job, Err: err, Retry: pause, At: l.Now()})
	return pause
}

// step lists if asked and then loads until the queue is empty.
func (l *Loader) step(ctx context.Context, list, retry bool) error {
	if list {
		if err := l.list(ctx, retry); err != nil {
			return err
		}
	}
	for {
		batch := l.take()
		if len(batch) == 0 {
			l.mu.Lock()
			l.stats.Trouble = ""
			l.mu.Unlock()
			return nil
		}
		if err := l.load(ctx, batch, retry); err != nil {
			l.putBack()
			return err
		}
	}
}

// list queues the eligible files under the prefix that the ledger does not have.
func (l *Loader) list(ctx context.Context, failed bool) error {
	var page []load.File
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		keys := make([]string, len(page))
		byKey := make(map[string]load.File, len(page))
		for i, f := range page {
			keys[i], byKey[f.Key] = f.Key, f
		}
		keys, err := l.Warehouse.Unloaded(ctx, l.Job.Table.Database, l.Job.ID, keys, failed)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if !l.enqueue(byKey[key]) {
				return errQueueFull
			}
		}
		page = page[:0]
		return nil
	}
	err := l.Objects.List(ctx, l.Job.Bucket, l.Job.Prefix, "", func(f load.File) error {
		if !l.eligible(f) {
			return nil
		}
		if page = append(page, f); len(page) < 1000 {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if errors.Is(err, errQueueFull) {
		return nil // what is queued is loaded first; missed is set, so the rest is listed again
	}
	return err
}

var errQueueFull = errors.New("queue full")

// take moves the next batch from the queue to inFlight.
func (l *Loader) take() []load.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int
	var size int64
	for n < len(l.queue) && n < batchFiles && (n == 0 || size+l.queue[n].Size <= batchBytes) {
		size += l.queue[n].Size
		n++
	}
	l.inFlight = l.queue[:n:n]
	l.queue = l.queue[n:]
	if len(l.queue) == 0 {
		l.queue = nil // lets go of what the batches have used up
	}
	return l.inFlight
}

func (l *Loader) putBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(append([]load.File{}, l.inFlight...), l.queue...)
	l.inFlight = nil
}

// load loads one batch. An error means nothing of it is settled but what the ledger has.
func (l *Loader) load(ctx context.Context, batch []load.File, retry bool) error {
	local, gone, release, err := l.fetch(ctx, batch)
	defer release()
	if err != nil {
		return err
	}
	var res load.Result
	if len(local) > 0 {
		job := l.Job.Job
		id := l.NextID()
		l.Log.Debug("load starting", "job", job.Name, "query", id, "files", len(local))
		res, err = l.Warehouse.Load(ctx, load.Request{
			QueryID: id, Table: l.Job.Table, Spec: l.Job.Spec, Source: l.Job.Source(), Files: local, Job: &job, Retry: retry,
		})
		if err != nil {
			return fmt.Errorf("load %d files into %s.%s: %w", len(local), l.Job.Table.Schema, l.Job.Table.Name, err)
		}
		l.Log.Debug("load committed", "job", job.Name, "query", id, "files", len(local), "rows", res.Rows)
	}
	l.settle(res, gone)
	return nil
}

// settle accounts for a batch that is durable, and reports it.
func (l *Loader) settle(res load.Result, gone []load.File) {
	now := l.Now()
	out := Outcome{Job: l.Job.Job, Gone: gone, At: now}
	l.mu.Lock()
	for _, f := range res.Files {
		switch f.Status {
		case load.Loaded:
			l.stats.FilesLoaded++
			l.stats.Rows += f.Rows
			l.stats.Bytes += f.Bytes
		case load.Failed:
			l.stats.FilesFailed++
		default:
			continue
		}
		out.Results = append(out.Results, f)
	}
	for _, f := range l.inFlight {
		delete(l.known, f.Key)
	}
	l.inFlight = nil
	l.stats.Trouble, l.stats.LastLoad = "", now
	l.mu.Unlock()
	l.Report(out)
}

// fetch makes the batch's files local. Files that are not there any more are left out and returned as gone.
// The release function is never nil.
func (l *Loader) fetch(ctx context.Context, batch []load.File) (local, gone []load.File, release func(), _ error) {
	fetched := make([]load.File, len(batch))
	releases := make([]func(), len(batch))
	release = func() {
		for _, r := range releases {
			if r != nil {
				r()
			}
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fetchers)
	for i, f := range batch {
		g.Go(func() error {
			var err error
			fetched[i], releases[i], err = l.Objects.Fetch(gctx, f)
			if fault.Is(err, fault.NotFound, "object") {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, release, err
	}
	for i, f := range fetched {
		if releases[i] == nil {
			gone = append(gone, batch[i])
		} else {
			local = append(local, f)
		}
	}
	return local, gone, release, nil
}

// jitter spreads d over half to all of itself, so that jobs stopped by one fault do not return as one.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
