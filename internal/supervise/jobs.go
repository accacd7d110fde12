package supervise

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/fileload"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// runner is a job's loader at work.
type runner struct {
	job         copyjob.Job
	integration string // id of the channel it loads through
	loader      *fileload.Loader
	auto        bool // runs until stopped; otherwise once
	cancel      context.CancelFunc
	done        chan struct{}

	mu      sync.Mutex
	trouble string // last one told of, so that one long outage is one message
}

func bucketOf(i zeroetl.Integration) string { return strings.TrimPrefix(i.SourceARN, "arn:aws:s3:::") }

// reconcileJobs starts, stops and cleans up after loaders.
func (s *Supervisor) reconcileJobs(ctx context.Context) error {
	jobs, err := s.Jobs.List(ctx, "")
	if err != nil {
		return err
	}
	integrations, err := s.Integrations.All(ctx)
	if err != nil {
		return err
	}
	available, err := s.availableWarehouses(ctx)
	if err != nil {
		return err
	}
	channels := map[[2]string]string{} // warehouse and bucket to integration id
	for _, i := range integrations {
		if i.Kind == zeroetl.SourceS3 && (i.Status == zeroetl.Active || i.Status == zeroetl.Modifying || i.Status == zeroetl.Syncing || i.Status == zeroetl.NeedsAttention) {
			channels[[2]string{i.WarehouseID, bucketOf(i)}] = i.ID
		}
	}

	wanted := map[int64]copyjob.Job{}
	for _, j := range jobs {
		if available[j.WarehouseID] {
			wanted[j.ID] = j
		}
	}
	var errs []error
	errs = append(errs, s.reap(ctx, wanted, jobs))
	for _, j := range jobs {
		channel, open := channels[[2]string{j.WarehouseID, j.Bucket}]
		if _, ok := wanted[j.ID]; !ok {
			continue
		}
		if err := s.reconcileJob(ctx, j, channel, open); err != nil {
			errs = append(errs, fmt.Errorf("COPY job %s: %w", j.Name, err))
		}
	}
	errs = append(errs, s.sweep(ctx, available, jobs))
	return errors.Join(errs...)
}

// reap stops the loaders that have no work and removes the ledgers of jobs that were dropped since the last
// pass. What fails is done in the next.
func (s *Supervisor) reap(ctx context.Context, wanted map[int64]copyjob.Job, jobs []copyjob.Job) error {
	s.stop(func(r *runner) bool { _, ok := wanted[r.job.ID]; return !ok || r.finished() })
	var errs []error
	known := make(map[int64]copyjob.Job, len(jobs))
	for _, j := range jobs {
		known[j.ID] = j
	}
	for id, j := range s.known {
		if _, ok := known[id]; ok {
			continue
		}
		engine, err := s.Engines.Get(ctx, j.WarehouseID)
		if err == nil {
			err = engine.ForgetJob(ctx, j.Table.Database, id)
		}
		if err != nil && fault.KindOf(err) != fault.NotFound { // NotFound: the warehouse or the database went too
			known[id] = j
			errs = append(errs, err)
		}
	}
	s.known = known
	maps.DeleteFunc(s.unfed, func(id int64, _ bool) bool { _, ok := known[id]; return !ok })
	return errors.Join(errs...)
}

// reconcileJob starts or stops the loader of a job that exists in a warehouse that is available.
func (s *Supervisor) reconcileJob(ctx context.Context, j copyjob.Job, channel string, open bool) error {
	s.mu.Lock()
	r := s.loaders[j.ID]
	s.mu.Unlock()
	run := j.Runs > j.RunsDone
	switch {
	case r != nil && (!open || r.auto && !j.Auto || r.integration != channel):
		s.stop(func(x *runner) bool { return x == r })
		r = nil
	case r != nil:
		return nil
	}
	if open {
		delete(s.unfed, j.ID)
	}
	unfed := fmt.Sprintf("no active S3 event integration joins bucket %q to this warehouse; create one with redshift create-integration", j.Bucket)
	switch {
	case run && !open:
		return s.Jobs.RunFinished(ctx, keyOf(j), j.Runs, unfed)
	case j.Auto && !open:
		return s.tellUnfed(ctx, j, unfed)
	case open && (j.Auto || run):
		return s.start(ctx, j, channel)
	}
	return nil
}

// tellUnfed says once of a job why nothing is loaded: that it was taken looks as if all were well.
func (s *Supervisor) tellUnfed(ctx context.Context, j copyjob.Job, why string) error {
	if s.unfed[j.ID] {
		return nil
	}
	if err := s.Jobs.AddMessage(ctx, j, fmt.Sprintf("Job %s loads nothing yet: %s", j.Name, why)); err != nil {
		return err
	}
	s.unfed[j.ID] = true
	s.Log.Warn("a job loads nothing yet", "job", j.Name, "reason", why)
	return nil
}

func keyOf(j copyjob.Job) copyjob.Key {
	return copyjob.Key{WarehouseID: j.WarehouseID, Database: j.Table.Database, Name: j.Name}
}

// start runs a loader for j: until stopped when the job is AUTO ON, otherwise once.
func (s *Supervisor) start(ctx context.Context, j copyjob.Job, channel string) error {
	engine, err := s.Engines.Get(ctx, j.WarehouseID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &runner{job: j, integration: channel, auto: j.Auto, cancel: cancel, done: make(chan struct{})}
	r.loader = fileload.New(fileload.Options{
		Job: fileload.Job{
			Job: load.Job{ID: j.ID, Name: j.Name, Text: j.Statement}, Table: j.Table, Spec: j.Spec, Bucket: j.Bucket, Prefix: j.Prefix, Since: j.Created,
			Admits: func(key string) bool { return s.Channels.Admits(j.Bucket, channel, key) },
		},
		Objects: s.Objects, Warehouse: engine, ListInterval: s.ListInterval, NextID: s.NextID, Now: s.Now, Log: s.Log,
		Report: func(o fileload.Outcome) { s.report(ctx, r, o) },
	})
	s.mu.Lock()
	s.loaders[j.ID] = r
	s.mu.Unlock()
	go func() {
		defer close(r.done)
		if r.auto {
			_ = r.loader.Run(ctx) // returns only when stopped
			return
		}
		s.runOnce(ctx, r)
	}()
	return nil
}

// runOnce carries out COPY JOB RUN. Stopped by a shutdown it stays asked for, and the next start does it.
func (s *Supervisor) runOnce(ctx context.Context, r *runner) {
	err := r.loader.RunOnce(ctx)
	if ctx.Err() != nil {
		return
	}
	failure := ""
	if err != nil {
		failure = fault.Message(err)
	}
	if err := s.Jobs.RunFinished(ctx, keyOf(r.job), r.job.Runs, failure); err != nil && ctx.Err() == nil {
		s.Log.Error("the end of a COPY JOB RUN could not be recorded; it will run again", "job", r.job.Name, "err", err)
	}
	s.Notify()
}

// report writes what a batch came to where users look: SYS_COPY_JOB_INFO, the log and the metrics.
func (s *Supervisor) report(ctx context.Context, r *runner, o fileload.Outcome) {
	s.Observe(r.job.WarehouseID, o)
	var texts []string
	if o.Err != nil {
		text := fmt.Sprintf("Job %s is held up and will try again: %s", r.job.Name, fault.Message(o.Err))
		r.mu.Lock()
		if text != r.trouble {
			texts = append(texts, text)
		}
		r.trouble = text
		r.mu.Unlock()
	} else {
		r.mu.Lock()
		if r.trouble != "" {
			texts = append(texts, fmt.Sprintf("Job %s goes on", r.job.Name))
		}
		r.trouble = ""
		r.mu.Unlock()
	}
	var failed, loaded int
	var rows int64
	for _, f := range o.Results {
		if f.Status == load.Failed {
			failed++
			s.Log.Warn("file refused", "job", r.job.Name, "file", f.File.URL(), "reason", f.Message)
		} else {
			loaded++
			rows += f.Rows
		}
	}
	if loaded > 0 {
		s.Log.Info("files loaded", "job", r.job.Name, "files", loaded, "rows", rows, "table", r.job.Table.Schema+"."+r.job.Table.Name)
	}
	if failed > 0 {
		texts = append(texts, fmt.Sprintf("Job %s failed to ingest %d files from S3", r.job.Name, failed), "Error: Check 'stl_load_errors' system table for details.")
	}
	for _, f := range o.Gone {
		texts = append(texts, fmt.Sprintf("File %s was gone before it could be loaded", f.URL()))
	}
	for _, text := range texts {
		if err := s.Jobs.AddMessage(ctx, r.job, text); err != nil && ctx.Err() == nil {
			s.Log.Error("a message of a COPY job could not be stored", "job", r.job.Name, "message", text, "err", err)
		}
	}
}

// sweep removes, once after a start for each warehouse, the ledgers of jobs that were dropped while nobody
// looked: the process died between the drop and the clean-up.
func (s *Supervisor) sweep(ctx context.Context, available map[string]bool, jobs []copyjob.Job) error {
	var errs []error
	for id := range available {
		if !available[id] || s.swept[id] || !s.anyLoader(id) {
			continue // a warehouse nobody uses stays unopened
		}
		if err := s.sweepOne(ctx, id, jobs); err != nil {
			errs = append(errs, err)
			continue
		}
		s.swept[id] = true
	}
	return errors.Join(errs...)
}

func (s *Supervisor) anyLoader(warehouseID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.loaders {
		if r.job.WarehouseID == warehouseID {
			return true
		}
	}
	return false
}

func (s *Supervisor) sweepOne(ctx context.Context, warehouseID string, jobs []copyjob.Job) error {
	engine, err := s.Engines.Get(ctx, warehouseID)
	if err != nil {
		return err
	}
	databases, err := engine.Databases(ctx)
	if err != nil {
		return err
	}
	for _, db := range databases {
		ids, err := engine.JobsInLedger(ctx, db)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if slices.ContainsFunc(jobs, func(j copyjob.Job) bool { return j.ID == id }) {
				continue
			}
			if err := engine.ForgetJob(ctx, db, id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *runner) finished() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// stop stops the loaders that match and waits for them.
func (s *Supervisor) stop(match func(*runner) bool) {
	var stopping []*runner
	s.mu.Lock()
	for id, r := range s.loaders {
		if match(r) {
			stopping = append(stopping, r)
			delete(s.loaders, id)
		}
	}
	s.mu.Unlock()
	for _, r := range stopping {
		r.cancel()
	}
	for _, r := range stopping {
		<-r.done
	}
}

func (s *Supervisor) stopAll() {
	s.stop(func(*runner) bool { return true })
	for _, r := range s.Replications() {
		s.stopReplicator(r.Integration.ID)
	}
}

// PendingFile is a file a job knows of and has not loaded yet.
type PendingFile struct {
	Job  copyjob.Job
	File load.File
}

// Pending returns the files waiting in a warehouse, at most limit of each job.
func (s *Supervisor) Pending(warehouseID string, limit int) []PendingFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []PendingFile
	for _, r := range s.loaders {
		if r.job.WarehouseID == warehouseID {
			for _, f := range r.loader.Pending(limit) {
				all = append(all, PendingFile{r.job, f})
			}
		}
	}
	return all
}

// JobStats is a running job and its counters.
type JobStats struct {
	Job copyjob.Job
	fileload.Stats
}

// JobStats returns the counters of every running job.
func (s *Supervisor) JobStats() []JobStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]JobStats, 0, len(s.loaders))
	for _, r := range s.loaders {
		all = append(all, JobStats{r.job, r.loader.Stats()})
	}
	return all
}

// Lag is how long the oldest file of a job has been waiting.
func (j JobStats) Lag(now time.Time) time.Duration {
	if j.Oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(j.Oldest))
}
