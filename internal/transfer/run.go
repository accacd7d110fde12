package transfer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// run is one call of Runner.Run.
type run struct {
	*Runner
	job     Job
	plan    *plan
	work    *work
	report  func(Progress) error
	log     *slog.Logger
	stopped bool // report has returned an error

	mu   sync.Mutex // guards what is reported while objects are staged
	told time.Time
}

// tell reports progress.
func (r *run) tell() error {
	s := &r.work.state
	mark, err := json.Marshal(struct {
		Phase phase `json:"phase"`
		Items int64 `json:"items"`
	}{s.Phase, s.Items})
	if err != nil {
		return err
	}
	r.told = r.c.Now()
	if err := r.report(Progress{Items: s.Items, Bytes: s.Bytes, Total: s.Total, Mark: string(mark)}); err != nil {
		r.stopped = true
		return err
	}
	return nil
}

// reach makes a phase durable.
func (r *run) reach(p phase) error {
	r.work.state.Phase = p
	if err := r.work.save(); err != nil {
		return err
	}
	return r.tell()
}

func (r *run) do(ctx context.Context) error {
	over, err := r.over(ctx)
	if err != nil {
		return err
	}
	if over {
		return r.tell()
	}
	s := &r.work.state
	if s.Phase == gathering {
		gather := r.gatherFiles
		if r.plan.source.vendor != "" {
			gather = r.gatherRecords
		}
		if err := gather(ctx); err != nil {
			return err
		}
		if err := r.reach(staging); err != nil {
			return err
		}
	}
	if r.plan.destination.bucket == "" {
		return r.load(ctx)
	}
	if s.Phase == staging {
		if err := r.stage(ctx); err != nil {
			return err
		}
		if err := r.reach(showing); err != nil {
			return err
		}
	}
	if s.Phase == showing {
		if err := r.publish(ctx); err != nil {
			return err
		}
	}
	return r.reach(done)
}

// over reports whether everything is at the destination already: a process may have died after that and before
// anybody was told.
func (r *run) over(ctx context.Context) (bool, error) {
	s := &r.work.state
	switch {
	case s.Phase == done:
		return true, nil
	case r.plan.destination.bucket == "" && (!r.work.resumed || !s.Loading.IsZero()):
		return r.c.Tables.Committed(ctx, r.plan.destination.table, r.job.ExecutionID)
	case r.plan.destination.bucket == "" || r.work.resumed:
		return false, nil
	}
	var found *load.File
	key := r.plan.manifestKey()
	err := r.c.Objects.List(ctx, r.plan.destination.bucket, key, "", func(f load.File) error {
		if f.Key == key {
			found = &f
		}
		return nil
	})
	if err != nil || found == nil {
		return false, err
	}
	f, release, err := r.c.Objects.Fetch(ctx, *found)
	if err != nil {
		return false, err
	}
	defer release()
	text, err := os.ReadFile(f.Path)
	if err != nil {
		return false, diskFault(err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil || m.Execution != r.job.ExecutionID {
		return false, fault.Wrap(err, fault.State, SubjectDestination, "the object s3://%s/%s is where this run's manifest belongs, and is something else; remove it", f.Bucket, key)
	}
	s.Items, s.Bytes, s.Total = m.Items, m.Bytes, m.Items
	return true, nil
}

// staged is a line of staged.jsonl: an object that is ready, or one that was gone when its turn came.
type staged struct {
	Key     string `json:"key"` // at the destination
	Token   string `json:"token,omitempty"`
	Bytes   int64  `json:"bytes"`
	Records int64  `json:"records,omitempty"`
	Source  string `json:"source,omitempty"` // key at the source
	Gone    bool   `json:"gone,omitempty"`
}

// journal is staged.jsonl while it grows. What is lost of it in a crash is staged again.
type journal struct {
	file *os.File
	have map[string]bool // keys at the destination
	mu   sync.Mutex
}

// openJournal reads what is staged already and abandons what is staged without being in the journal.
func (r *run) openJournal(ctx context.Context) (*journal, error) {
	j := &journal{have: map[string]bool{}}
	var tokens []string
	whole := int64(0)
	err := r.work.lines(stagedFile, func(line []byte) error {
		var s staged
		if err := json.Unmarshal(line, &s); err != nil {
			return fault.Wrap(err, fault.Internal, SubjectRun, "the run's journal is damaged")
		}
		whole += int64(len(line)) + 1
		j.have[s.Key] = true
		if s.Token != "" {
			tokens = append(tokens, s.Token)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if r.work.resumed {
		for _, prefix := range r.plan.stagePrefixes() {
			if err := r.c.Buckets.Abandon(ctx, r.plan.destination.bucket, prefix, tokens); err != nil {
				return nil, err
			}
		}
	}
	if j.file, err = os.OpenFile(r.work.path(stagedFile), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, diskFault(err)
	}
	if err := j.file.Truncate(whole); err != nil {
		return nil, diskFault(errors.Join(err, j.file.Close()))
	}
	if _, err := j.file.Seek(0, io.SeekEnd); err != nil {
		return nil, diskFault(errors.Join(err, j.file.Close()))
	}
	return j, nil
}

func (j *journal) add(s staged) error {
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err = j.file.Write(append(line, '\n'))
	return diskFault(err)
}

func (j *journal) close() error { return diskFault(errors.Join(j.file.Sync(), j.file.Close())) }

// stage makes everything ready at the destination's store, unseen.
func (r *run) stage(ctx context.Context) (err error) {
	j, err := r.openJournal(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.c.Parallel)
	if r.plan.source.vendor == "" {
		err = r.stageFiles(gctx, j, g)
	} else {
		err = r.stageRecords(gctx, j, g)
	}
	if e := g.Wait(); e != nil {
		return e // the first; err is that the others were called off
	}
	return err
}

// publish shows everything that is staged, and then says that it is complete.
func (r *run) publish(ctx context.Context) error {
	m := manifest{
		Version: 1, Execution: r.job.ExecutionID, Integration: r.job.IntegrationID, Association: r.job.AssociationID, Name: r.job.Name,
		Source: r.job.Source, Destination: r.job.Destination, Requested: r.job.Requested, Start: r.plan.window.Start, End: r.plan.window.End,
		Items: r.work.state.Items, Bytes: r.work.state.Bytes, Files: []manifestFile{},
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.c.Parallel)
	err := r.work.lines(stagedFile, func(line []byte) error {
		var s staged
		if err := json.Unmarshal(line, &s); err != nil {
			return fault.Wrap(err, fault.Internal, SubjectRun, "the run's journal is damaged")
		}
		if s.Gone {
			m.Gone = append(m.Gone, s.Source)
			return nil
		}
		m.Files = append(m.Files, manifestFile{s.Key, s.Bytes, s.Records, s.Source})
		g.Go(func() error { return r.c.Buckets.Publish(gctx, s.Token) })
		return gctx.Err()
	})
	if e := g.Wait(); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return r.c.Buckets.Write(ctx, r.plan.destination.bucket, r.plan.manifestKey(), "application/json", text)
}

// manifest is the object that says a run is complete.
type manifest struct {
	Version     int            `json:"version"`
	Execution   string         `json:"executionId"`
	Integration string         `json:"dataIntegrationId"`
	Association string         `json:"dataIntegrationAssociationId"`
	Name        string         `json:"name"`
	Source      string         `json:"sourceUri"`
	Destination string         `json:"destinationUri"`
	Requested   time.Time      `json:"requested"`
	Start       time.Time      `json:"start,omitzero"`
	End         time.Time      `json:"end,omitzero"`
	Items       int64          `json:"items"`
	Bytes       int64          `json:"bytes"`
	Files       []manifestFile `json:"files"`
	Gone        []string       `json:"gone,omitempty"` // files that were deleted at the source before they were copied
}

type manifestFile struct {
	Key     string `json:"key"`
	Bytes   int64  `json:"bytes"`
	Records int64  `json:"records,omitempty"`
	Source  string `json:"source,omitempty"`
}

// markLife is how long a warehouse keeps the mark of a run, with time to spare.
const markLife = 40 * time.Hour

// load puts everything into the table, once.
func (r *run) load(ctx context.Context) error {
	s := &r.work.state
	if !s.Loading.IsZero() && r.c.Now().Sub(s.Loading) > markLife {
		return fault.New(fault.State, SubjectRun, "the run was interrupted while it loaded the table, too long ago to tell whether its rows are there; look for them, remove them if they are, and run again")
	}
	if s.Loading.IsZero() {
		s.Loading = r.c.Now().UTC()
	}
	if err := r.reach(showing); err != nil {
		return err
	}
	batches, release, err := r.batches(ctx)
	defer release()
	if err != nil {
		return err
	}
	if _, err := r.c.Tables.Load(ctx, r.plan.destination.table, r.job.ExecutionID, batches); err != nil {
		return err
	}
	return r.reach(done)
}

// batches are what is to be loaded, as local files. release lets go of them.
func (r *run) batches(ctx context.Context) (all []Batch, release func(), err error) {
	if r.plan.source.vendor == "" {
		return r.fileBatches(ctx)
	}
	all, err = r.recordBatches(ctx)
	return all, func() {}, err
}

// writeLine appends a value as a line of JSON.
func writeLine(out *bufio.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := out.Write(append(text, '\n')); err != nil {
		return diskFault(err)
	}
	return nil
}
