// Package copyjob is the domain of COPY jobs: statements that go on loading every new file under a
// prefix into a table.
//
// A job is desired state. Which of its files are loaded is not kept here: that is the ledger, which lives
// in the warehouse beside the rows because the two must commit together (invariant 1).
package copyjob

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/internal/load"
)

// SubjectJob is the subject of this package's faults.
const SubjectJob = "copy job"

// MaxJobs is Redshift's quota of COPY jobs per cluster or workgroup.
const MaxJobs = 200

// Job is one COPY job of a warehouse. Its name is unique in its database.
type Job struct {
	ID          int64 // unique, never used again
	Name        string
	WarehouseID string
	Table       load.Table
	Spec        load.Spec
	Bucket      string
	Prefix      string // key prefix, may be empty
	IAMRole     string
	Statement   string // the COPY ... JOB CREATE text as the user wrote it
	Auto        bool
	Owner       string // user name in the warehouse
	CreatedBy   string // id of the Data API statement that made it, so that running it again after a crash is no error
	Created     time.Time
	// Runs counts COPY JOB RUN requests; RunsDone those carried out. A difference is work to do. RunError is
	// why the last run failed, for its caller; empty when it did not.
	Runs, RunsDone int64
	RunError       string
}

// Message is one line of SYS_COPY_JOB_INFO.
type Message struct {
	JobID    int64
	JobName  string
	Database string
	Time     time.Time
	Text     string // at most 512 bytes
}

// Key names a job the way SQL does.
type Key struct{ WarehouseID, Database, Name string }

// Store keeps jobs. Every method is one durable transaction.
type Store interface {
	// JobCreate assigns Job.ID and returns the stored job. A job of the same key is AlreadyExists; max jobs in
	// the warehouse is Limit.
	JobCreate(ctx context.Context, j Job, max int) (Job, error)
	// JobList returns the jobs of a warehouse, or of all when warehouseID is empty, by ID.
	JobList(ctx context.Context, warehouseID string) ([]Job, error)
	// JobUpdate runs change on the stored job and saves what it leaves, unless it returns an error. ID, key and
	// Created stay. A missing job is NotFound. change may be run more than once and must not change what slices
	// hold.
	JobUpdate(ctx context.Context, key Key, change func(*Job) error) (Job, error)
	// JobDelete forgets the job and its messages and returns it. A missing job is NotFound.
	JobDelete(ctx context.Context, key Key) (Job, error)
}

// MessageStore keeps what jobs have to say. It holds at least the newest MaxMessages of each job, and not many
// more.
type MessageStore interface {
	// MessageAdd is NotFound about SubjectJob when there is no job m.JobID.
	MessageAdd(ctx context.Context, m Message) error
	// MessageList returns the messages of the jobs of a warehouse in the order they were added.
	MessageList(ctx context.Context, warehouseID string) ([]Message, error)
}

// MaxMessages is how many messages of a job are kept.
const MaxMessages = 1000
