// Package sysview makes the system views whose rows come from the domains and the running loaders, not from
// tables of the warehouse. The engine serves them beside its own: SYS_COPY_JOB, SYS_COPY_JOB_INFO,
// SVV_COPY_JOB_INTEGRATIONS and SVV_INTEGRATION, and the files waiting to be loaded, which the engine's
// SYS_COPY_JOB_DETAIL shows with those in its ledger.
//
// Where AWS's pages disagree about a view's columns, it has all of them.
package sysview

import (
	"context"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// View is a table served from memory. Values are nil, int64, bool, string or time.Time; Columns say what of.
type View struct {
	Name    string
	Columns []statements.Column
	Rows    func(ctx context.Context) ([][]any, error)
}

// PendingView is the view the engine completes its SYS_COPY_JOB_DETAIL with, and JobsView the one it makes
// SYS_COPY_JOB of, with the tables' ids.
const (
	PendingView = "penstock_pending_files"
	JobsView    = "penstock_copy_jobs"
)

// Jobs is where the views find COPY jobs.
type Jobs interface {
	List(ctx context.Context, warehouseID string) ([]copyjob.Job, error)
	Messages(ctx context.Context, warehouseID string) ([]copyjob.Message, error)
}

// Integrations is where the views find integrations.
type Integrations interface {
	All(ctx context.Context) ([]zeroetl.Integration, error)
}

// Pending is a file a job knows of and has not loaded yet.
type Pending struct {
	Job  copyjob.Job
	File load.File
}

// Replication is how far an integration's table is.
type Replication struct {
	IntegrationID string
	Loading       bool // the table is being copied as a whole
	Failed        bool // something holds it up
	Lag           time.Duration
	Detected      time.Time // when the newest change that was seen was made
	Applied       time.Time // everything made before is applied; zero when that is not known
	Checkpoint    string
}

// Sources are what the views of one warehouse are made from.
type Sources struct {
	WarehouseID  string
	Jobs         Jobs
	Integrations Integrations
	Pending      func() []Pending
	Replications func() []Replication
}

// Views returns the views of a warehouse.
func Views(s Sources) []View {
	return []View{
		{JobsView, JobColumns(), s.jobs},
		{"sys_copy_job_info", columns("job_id int8", "job_name varchar 128", "database_name varchar 128", "record_time timestamp", "message varchar 512"), s.messages},
		{"svv_copy_job_integrations", columns("job_owner int4", "channel_arn varchar 128", "bucket varchar 128", "channel_state varchar 128",
			"db_name varchar 128", "job_name varchar 128", "job_state int4"), s.channels},
		{"svv_integration", columns("integration_id varchar 128", "target_database varchar 128", "source varchar 128", "state varchar 128",
			"current_lag int8", "last_replicated_checkpoint varchar 128", "total_tables_replicated int4", "total_tables_failed int4",
			"creation_time timestamp", "refresh_interval int4", "source_database varchar 128", "is_history_mode bool",
			"latest_detected_change_time timestamp", "latest_applied_change_time timestamp", "auto_remediation bool",
			"latest_shipped_source_commit_time timestamp"), s.integrations},
		{PendingView, columns("database_name varchar 128", "job_id int8", "job_name varchar 128", "job_text varchar 65535", "bucket varchar 1024",
			"key varchar 1024", "etag varchar 128", "size int8", "modification_time timestamp", "enqueue_time timestamp"), s.pending},
	}
}

// columns reads "name type length" descriptions.
func columns(specs ...string) []statements.Column {
	cols := make([]statements.Column, len(specs))
	for i, spec := range specs {
		part := strings.Fields(spec)
		cols[i] = statements.Column{Name: part[0], Label: part[0], TypeName: part[1], Nullable: 1}
		if len(part) > 2 {
			for _, digit := range part[2] {
				cols[i].Length = cols[i].Length*10 + int(digit-'0')
			}
		}
	}
	return cols
}

// JobColumns are the columns of COPY JOB LIST and COPY JOB SHOW, and of SYS_COPY_JOB but for the table's id.
func JobColumns() []statements.Column {
	return columns("job_id int8", "job_name varchar 128", "job_owner varchar 128", "database_name varchar 128", "schema_name varchar 128",
		"table_name varchar 128", "data_source varchar 1024", "iam_role varchar 128", "job_text varchar 65535", "copy_query varchar 65535",
		"is_auto int4", "on_error_suspend int4", "job_status varchar 128", "job_create_time timestamp")
}

// JobRow is one row of SYS_COPY_JOB. AWS documents no values of job_status: here a job is active while it loads
// by itself.
func JobRow(j copyjob.Job) []any {
	auto, status := int64(0), "inactive"
	if j.Auto {
		auto, status = 1, "active"
	}
	return []any{j.ID, j.Name, j.Owner, j.Table.Database, j.Table.Schema, j.Table.Name, "s3://" + j.Bucket + "/" + j.Prefix, j.IAMRole,
		j.Statement, j.Statement, auto, int64(0), status, j.Created}
}

func (s Sources) jobs(ctx context.Context) ([][]any, error) {
	jobs, err := s.Jobs.List(ctx, s.WarehouseID)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, j := range jobs {
		rows = append(rows, JobRow(j))
	}
	return rows, nil
}

func (s Sources) messages(ctx context.Context) ([][]any, error) {
	all, err := s.Jobs.Messages(ctx, s.WarehouseID)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, m := range all {
		rows = append(rows, []any{m.JobID, m.JobName, m.Database, m.Time, m.Text})
	}
	return rows, nil
}

// Values of SVV_COPY_JOB_INTEGRATIONS.
const (
	jobActive   = int64(1) // AWS's pages say 0 and 1 both; we follow the auto-copy page
	jobInactive = int64(0)
	ownerID     = int64(100)
)

// channels joins jobs with the integrations they load through.
func (s Sources) channels(ctx context.Context) ([][]any, error) {
	jobs, err := s.Jobs.List(ctx, s.WarehouseID)
	if err != nil {
		return nil, err
	}
	integrations, err := s.Integrations.All(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, j := range jobs {
		id, state, job := "", "Inactive", jobInactive
		for _, i := range integrations {
			if i.WarehouseID != s.WarehouseID || i.SourceARN != "arn:aws:s3:::"+j.Bucket {
				continue
			}
			id = i.ID
			switch i.Status {
			case zeroetl.Active, zeroetl.Modifying, zeroetl.Syncing:
				state, job = "Established", jobActive
			case zeroetl.Creating:
				state = "Pending"
			}
		}
		rows = append(rows, []any{ownerID, id, j.Bucket, state, j.Table.Database, j.Name, job})
	}
	return rows, nil
}

func (s Sources) integrations(ctx context.Context) ([][]any, error) {
	all, err := s.Integrations.All(ctx)
	if err != nil {
		return nil, err
	}
	running := map[string]Replication{}
	for _, r := range s.Replications() {
		running[r.IntegrationID] = r
	}
	var rows [][]any
	for _, i := range all {
		if i.WarehouseID != s.WarehouseID {
			continue
		}
		if i.Kind == zeroetl.SourceS3 {
			state := "CdcRefreshState"
			if i.Status == zeroetl.Failed || i.Status == zeroetl.NeedsAttention {
				state = "ErrorState"
			}
			rows = append(rows, []any{i.ID, "", "S3_EVENT_NOTIFICATIONS", state, nil, nil, nil, nil, i.Created, nil, "", false, nil, nil, false, nil})
			continue
		}
		rows = append(rows, tableRow(i, running[i.ID]))
	}
	return rows, nil
}

// tableRow is the row of SVV_INTEGRATION of an integration of a table.
func tableRow(i zeroetl.Integration, r Replication) []any {
	state, replicated, failed := "CdcRefreshState", int64(1), int64(0)
	switch {
	case i.Destination.Database == "":
		state, replicated = "PendingDbConnectState", 0
	case r.Failed || i.Status == zeroetl.Failed || i.Status == zeroetl.NeedsAttention:
		state, replicated, failed = "ErrorState", 0, 1
	case r.Loading:
		state, replicated = "SchemaDiscoveryState", 0
	}
	when := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t
	}
	return []any{i.ID, i.Destination.Database, "DynamoDB", state, r.Lag.Milliseconds(), r.Checkpoint, replicated, failed, when(i.Destination.Created),
		int64(i.Destination.RefreshInterval), "", false, when(r.Detected), when(r.Applied), false, when(r.Applied)}
}

func (s Sources) pending(context.Context) ([][]any, error) {
	var rows [][]any
	for _, p := range s.Pending() {
		rows = append(rows, []any{p.Job.Table.Database, p.Job.ID, p.Job.Name, p.Job.Statement, p.File.Bucket, p.File.Key, p.File.ETag, p.File.Size,
			p.File.Modified, p.File.Modified})
	}
	return rows, nil
}
