package transfer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

// Subjects of this package's faults, beside those of package vendors.
const (
	SubjectRun         = "run"
	SubjectSource      = "source"
	SubjectDestination = "destination"
)

// Window bounds the modification of what a run takes: at Start or later, and before End. Zero is no bound.
type Window struct{ Start, End time.Time }

// seconds is the window in whole seconds, which is how it is applied.
func (w Window) seconds() Window {
	if !w.Start.IsZero() {
		w.Start = w.Start.UTC().Truncate(time.Second)
	}
	if !w.End.IsZero() {
		w.End = w.End.UTC().Truncate(time.Second)
	}
	return w
}

// Job is one run. It must be the same whenever the run is taken up again, but for Resume.
type Job struct {
	ExecutionID   string // unique; made of letters, digits, '-' and '_'
	IntegrationID string
	AssociationID string
	Name          string    // of the data integration, part of the keys at the destination
	Requested     time.Time // when the run was asked for, part of the keys at the destination

	Source  string                         // URI
	Object  string                         // of record sources
	Fields  []string                       // of the object; empty means those of Objects, or all
	Objects map[string]map[string][]string // ObjectConfiguration: source, object, fields; "_all" is all of them
	Folders []string                       // FileConfiguration
	Filters map[string][]string            // FileConfiguration
	Window  Window

	Destination string // URI

	// Resume is the Mark of the last Progress that was reported, empty for a new run. It is for people to look at:
	// what it takes to go on is in the work directory, and a run whose directory was lost begins again.
	Resume string
}

// Progress is how far a run is.
type Progress struct {
	Items int64 // files or records moved into the work directory or to the destination's store
	Bytes int64
	Total int64 // items there are, 0 while unknown
	Mark  string
}

// Objects is where files are found and read, the buckets of the server: source/s3.Objects.
type Objects interface {
	List(ctx context.Context, bucket, prefix, startAfter string, yield func(load.File) error) error
	Fetch(ctx context.Context, f load.File) (_ load.File, release func(), _ error)
	CheckBucket(ctx context.Context, bucket string) error
}

// Buckets is where objects are written to: source/s3.Remote. Staged objects are known by tokens.
type Buckets interface {
	// StageCopy readies a copy of an object, unseen. A source that is not there is NotFound of subject "object".
	StageCopy(ctx context.Context, from load.File, bucket, key string) (token string, size int64, err error)
	// StageFile readies an object with the content of a local file, unseen.
	StageFile(ctx context.Context, path, contentType, bucket, key string) (token string, err error)
	// Publish makes a staged object visible. Doing so again changes nothing.
	Publish(ctx context.Context, token string) error
	// Abandon removes what is staged under keys with a prefix, but for what the tokens say.
	Abandon(ctx context.Context, bucket, prefix string, keep []string) error
	// Write stores a small object at once.
	Write(ctx context.Context, bucket, key, contentType string, content []byte) error
}

// Table is a table of a warehouse, or where one is to be.
type Table struct{ Warehouse, Database, Schema, Name string }

// Column is a column a run needs.
type Column struct {
	Name string
	Type vendors.Type
}

// Batch is files that are loaded alike.
type Batch struct {
	Spec  load.Spec
	Files []load.File
}

// Tables is where rows are written to.
type Tables interface {
	// Prepare makes the table, with the columns, unless it is there, and adds those of the columns it lacks. It
	// returns the columns' names as the table spells them. Without columns it only checks that the table is there;
	// a missing one is NotFound.
	Prepare(ctx context.Context, t Table, columns []Column) (names []string, err error)
	// Committed reports whether Load has committed for this run. No table, no commit.
	Committed(ctx context.Context, t Table, run string) (bool, error)
	// Load loads all batches and marks the run as loaded in one transaction, and returns the number of rows.
	Load(ctx context.Context, t Table, run string, batches []Batch) (rows int64, err error)
}

// Records is a source of records: vendors.Reader.
type Records interface {
	Describe(ctx context.Context, q vendors.Query) ([]vendors.Field, error)
	Read(ctx context.Context, q vendors.Query, mark string, yield func(vendors.Page) error) error
}

// Config is what a Runner is made of. Fields without a stated default are required.
type Config struct {
	Dir     string // for work directories; made if need be
	Account string // twelve digits, part of the keys at the destination
	Format  Format // of records in a bucket; default JSONLines
	Objects Objects
	Buckets Buckets
	Tables  Tables
	// Records opens the source of a connection profile. A profile that is not there is NotFound.
	Records  func(v vendors.Vendor, profile string) (Records, error)
	PartSize int64 // bytes of records in a file at most, roughly; default 128 MiB
	Parallel int   // objects staged at a time; default 8
	Now      func() time.Time
	Log      *slog.Logger
}

// Runner carries out runs. It is safe for concurrent use; each run is a call of Run.
type Runner struct {
	c Config

	mu      sync.Mutex
	running map[string]bool // execution ids
}

// New returns a Runner. It starts nothing.
func New(c Config) *Runner {
	if c.Format == "" {
		c.Format = JSONLines
	}
	if c.PartSize == 0 {
		c.PartSize = 128 << 20
	}
	if c.Parallel == 0 {
		c.Parallel = 8
	}
	return &Runner{c: c, running: map[string]bool{}}
}

// Validate returns what can be known to be wrong with a job without asking anybody: schemes, forms, a profile that
// is not there, filters nobody knows, a destination that does not fit the source.
func (r *Runner) Validate(job Job) error {
	p, err := r.plan(job)
	if err == nil && p.source.vendor != "" {
		_, err = r.c.Records(p.source.vendor, p.source.profile)
	}
	return err
}

// Probe is Validate, and asks the source and the destination whether they are there and let us in.
func (r *Runner) Probe(ctx context.Context, job Job) error {
	p, err := r.plan(job)
	if err != nil {
		return err
	}
	if p.source.vendor != "" {
		records, err := r.c.Records(p.source.vendor, p.source.profile)
		if err != nil {
			return err
		}
		for _, q := range p.queries {
			if _, err := records.Describe(ctx, q); err != nil {
				return err
			}
		}
	} else if err := r.c.Objects.CheckBucket(ctx, p.source.bucket); err != nil {
		return err
	}
	switch {
	case p.destination.bucket != "":
		return r.c.Objects.CheckBucket(ctx, p.destination.bucket)
	case p.source.vendor == "":
		_, err = r.c.Tables.Prepare(ctx, p.destination.table, nil)
	default:
		_, err = r.c.Tables.Committed(ctx, p.destination.table, "probe") // needs the database, not the table
	}
	return err
}

// Run carries out a run, or goes on with one, and returns when everything is at the destination. report is told
// how far it is, at least once; an error of report ends the run as a cancelled context does: what was done is kept,
// and a later Run of the same job goes on from there. So it is after an error that may pass (fault.Retryable). Any
// other error is final and leaves nothing behind.
func (r *Runner) Run(ctx context.Context, job Job, report func(Progress) error) error {
	p, err := r.plan(job)
	if err != nil {
		return err
	}
	leave, err := r.enter(job.ExecutionID)
	if err != nil {
		return err
	}
	defer leave()
	w, err := openWork(r.c.Dir, job, p.destination.bucket, p.stagePrefixes())
	if err != nil {
		return err
	}
	run := &run{Runner: r, job: job, plan: p, work: w, report: report, log: r.c.Log.With("execution", job.ExecutionID, "source", job.Source, "destination", job.Destination)}
	began := r.c.Now()
	err = run.do(ctx)
	switch {
	case err == nil:
		run.log.Info("a data integration has run", "items", w.state.Items, "bytes", w.state.Bytes, "took", r.c.Now().Sub(began))
		return w.remove()
	case ctx.Err() != nil || run.stopped || fault.Retryable(err):
		return err
	}
	run.log.Warn("a run of a data integration has failed", "err", err)
	if e := discard(context.WithoutCancel(ctx), r.c.Buckets, w); e != nil {
		run.log.Warn("what a failed run has left behind could not be removed", "err", e)
	}
	return err
}

// enter keeps a run from being carried out twice at a time.
func (r *Runner) enter(id string) (leave func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[id] {
		return nil, fault.New(fault.Conflict, SubjectRun, "the run %s is being carried out already", id)
	}
	r.running[id] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, id)
	}, nil
}

// Discard removes what a run that will not be taken up again has left in its work directory and, unseen, at the
// destination. A run that has left nothing is no error; one that is being carried out is a Conflict.
func (r *Runner) Discard(ctx context.Context, executionID string) error {
	leave, err := r.enter(executionID)
	if err != nil {
		return err
	}
	defer leave()
	w, err := findWork(r.c.Dir, executionID)
	if w == nil || err != nil {
		return err
	}
	return discard(ctx, r.c.Buckets, w)
}

// Tidy discards every run that is not wanted any more. It is for the start of a process.
func (r *Runner) Tidy(ctx context.Context, wanted func(executionID string) bool) error {
	ids, err := workIDs(r.c.Dir)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if wanted(id) {
			continue
		}
		if err := r.Discard(ctx, id); err != nil {
			r.c.Log.Warn("what an earlier run has left behind could not be removed", "execution", id, "err", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Summary is an error as one short sentence or two, at most 255 bytes: what LastExecutionStatus has room for.
func Summary(err error) string {
	const most = 255
	text := fault.Message(err)
	if len(text) <= most {
		return text
	}
	return clip(text, most-3) + "..."
}
