package copyjob

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
)

// Config is what a Service needs. Every field is required.
type Config struct {
	Store    Store
	Messages MessageStore
	Now      func() time.Time
	Notify   func() // called after each change of desired state; must not block
}

// Service is the API of this domain. It is safe for concurrent use.
type Service struct{ c Config }

// NewService returns a Service over c.
func NewService(c Config) *Service { return &Service{c} }

// Key returns j's key.
func (j Job) Key() Key { return Key{j.WarehouseID, j.Table.Database, j.Name} }

// Create stores a new job. ID, Created and what concerns runs are set here. Creating a job that the same statement
// (CreatedBy) created before returns the stored one: a statement may run again after a crash.
func (s *Service) Create(ctx context.Context, j Job) (Job, error) {
	if err := check(j); err != nil {
		return Job{}, err
	}
	j.Created, j.Runs, j.RunsDone, j.RunError = s.c.Now(), 0, 0, ""
	stored, err := s.c.Store.JobCreate(ctx, j, MaxJobs)
	if fault.KindOf(err) == fault.AlreadyExists && j.CreatedBy != "" {
		before, getErr := s.Get(ctx, j.Key())
		if getErr == nil && before.CreatedBy == j.CreatedBy {
			stored, err = before, nil
		}
	}
	if err != nil {
		return Job{}, err
	}
	s.c.Notify()
	return stored, nil
}

// Alter switches automatic loading on or off. What arrives while it is off waits for a run, or for it to be
// switched on again.
func (s *Service) Alter(ctx context.Context, key Key, auto bool) (Job, error) {
	return s.update(ctx, key, func(j *Job) error {
		j.Auto = auto
		return nil
	})
}

// RequestRun asks for one load of the files that are not loaded yet. A job whose automatic loading is on cannot
// be run by hand.
func (s *Service) RequestRun(ctx context.Context, key Key) (Job, error) {
	return s.update(ctx, key, func(j *Job) error {
		if j.Auto {
			return fault.New(fault.State, SubjectJob,
				"Cannot run COPY job %s manually while auto copy is enabled.\nDisable auto copy if you need to run this job manually.", j.Name)
		}
		j.Runs++
		return nil
	})
}

// RunFinished reports that every run up to number runs is carried out; failure, for the user, is why the last of
// them failed, or empty. A job that was dropped meanwhile is no error.
func (s *Service) RunFinished(ctx context.Context, key Key, runs int64, failure string) error {
	_, err := s.c.Store.JobUpdate(ctx, key, func(j *Job) error {
		runs := min(runs, j.Runs) // a new job of the same name counts from 0
		if runs > j.RunsDone {
			j.RunsDone, j.RunError = runs, failure
		}
		return nil
	})
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// Drop forgets a job with its messages. The ledger of its files goes with it.
func (s *Service) Drop(ctx context.Context, key Key) (Job, error) {
	j, err := s.c.Store.JobDelete(ctx, key)
	if err != nil {
		return Job{}, s.named(key, err)
	}
	s.c.Notify()
	return j, nil
}

// DropAll forgets the jobs of a warehouse that is gone.
func (s *Service) DropAll(ctx context.Context, warehouseID string) error {
	jobs, err := s.List(ctx, warehouseID)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if _, err := s.Drop(ctx, j.Key()); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return nil
}

// Get returns a job by key.
func (s *Service) Get(ctx context.Context, key Key) (Job, error) {
	jobs, err := s.c.Store.JobList(ctx, key.WarehouseID)
	if err != nil {
		return Job{}, err
	}
	for _, j := range jobs {
		if j.Key() == key {
			return j, nil
		}
	}
	return Job{}, missing(key)
}

// List returns the jobs of a warehouse, or of all when warehouseID is empty, oldest first.
func (s *Service) List(ctx context.Context, warehouseID string) ([]Job, error) {
	return s.c.Store.JobList(ctx, warehouseID)
}

// maxMessage is the length of SYS_COPY_JOB_INFO.message in bytes.
const maxMessage = 512

// AddMessage records what a job has to say, cut to what the view can show. A job that was dropped meanwhile is
// no error.
func (s *Service) AddMessage(ctx context.Context, j Job, text string) error {
	err := s.c.Messages.MessageAdd(ctx, Message{JobID: j.ID, JobName: j.Name, Database: j.Table.Database, Time: s.c.Now(), Text: cut(text, maxMessage)})
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// Messages returns what the jobs of a warehouse had to say, oldest first.
func (s *Service) Messages(ctx context.Context, warehouseID string) ([]Message, error) {
	return s.c.Messages.MessageList(ctx, warehouseID)
}

func (s *Service) update(ctx context.Context, key Key, change func(*Job) error) (Job, error) {
	j, err := s.c.Store.JobUpdate(ctx, key, change)
	if err != nil {
		return Job{}, s.named(key, err)
	}
	s.c.Notify()
	return j, nil
}

// named says of a missing job what SQL calls it.
func (s *Service) named(key Key, err error) error {
	if fault.Is(err, fault.NotFound, SubjectJob) {
		return missing(key)
	}
	return err
}

func missing(key Key) error {
	return fault.New(fault.NotFound, SubjectJob, "COPY job %q does not exist in the database %q; COPY JOB LIST shows those that do", key.Name, key.Database)
}

// maxName is the width of SYS_COPY_JOB.job_name in bytes.
const maxName = 128

// check refuses what Redshift refuses when a job is created. Whether the role, the bucket and the options work
// shows when files are loaded.
func check(j Job) error {
	if err := checkName(j.Name); err != nil {
		return err
	}
	if j.Bucket == "" || j.WarehouseID == "" || j.Table.Database == "" || j.Table.Name == "" {
		return fault.New(fault.Invalid, SubjectJob, "the COPY job %q needs a bucket to load from and a table to load into", j.Name)
	}
	if j.Spec.MaxError > 0 {
		return fault.New(fault.Invalid, SubjectJob, "MAXERROR is not allowed in a COPY job; leave it out, a file with errors is skipped and reported in STL_LOAD_ERRORS")
	}
	for role := range strings.SplitSeq(j.IAMRole, ",") {
		if _, err := arn.Parse(strings.TrimSpace(role)); err != nil {
			return fault.New(fault.Invalid, SubjectJob, "the COPY job %q needs IAM_ROLE with the ARN of a role; DEFAULT and other credentials are not allowed in a COPY job", j.Name)
		}
	}
	return nil
}

func checkName(name string) error {
	bad := name == "" || len(name) > maxName || !utf8.ValidString(name)
	for n, r := range name {
		letter := r == '_' || unicode.IsLetter(r)
		if !letter && (n == 0 || !unicode.IsDigit(r) && r != '$') {
			bad = true
		}
	}
	if bad {
		return fault.New(fault.Invalid, SubjectJob, "the COPY job name %.140q is not allowed; use 1 to %d bytes of letters, digits, _ and $, a letter or _ first; a hyphen is not allowed", name, maxName)
	}
	return nil
}

// cut shortens text to at most n bytes without splitting a character.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
