package sqlite

import (
	"context"
	"database/sql"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/fault"
)

var jobTable = newEntity("copy_job", 1, []column[copyjob.Job]{
	{"id", func(v *copyjob.Job) any { return &v.ID }},
	{"warehouse_id", func(v *copyjob.Job) any { return &v.WarehouseID }},
	{"database", func(v *copyjob.Job) any { return &v.Table.Database }},
	{"name", func(v *copyjob.Job) any { return &v.Name }},
	{"schema_name", func(v *copyjob.Job) any { return &v.Table.Schema }},
	{"table_name", func(v *copyjob.Job) any { return &v.Table.Name }},
	{"spec", func(v *copyjob.Job) any { return &v.Spec }},
	{"bucket", func(v *copyjob.Job) any { return &v.Bucket }},
	{"prefix", func(v *copyjob.Job) any { return &v.Prefix }},
	{"iam_role", func(v *copyjob.Job) any { return &v.IAMRole }},
	{"statement", func(v *copyjob.Job) any { return &v.Statement }},
	{"auto", func(v *copyjob.Job) any { return &v.Auto }},
	{"owner", func(v *copyjob.Job) any { return &v.Owner }},
	{"created_by", func(v *copyjob.Job) any { return &v.CreatedBy }},
	{"created", func(v *copyjob.Job) any { return &v.Created }},
	{"runs", func(v *copyjob.Job) any { return &v.Runs }},
	{"runs_done", func(v *copyjob.Job) any { return &v.RunsDone }},
	{"run_error", func(v *copyjob.Job) any { return &v.RunError }},
})

var messageTable = newEntity("copy_job_message", 1, []column[copyjob.Message]{
	{"job_id", func(v *copyjob.Message) any { return &v.JobID }},
	{"job_name", func(v *copyjob.Message) any { return &v.JobName }},
	{"database", func(v *copyjob.Message) any { return &v.Database }},
	{"time", func(v *copyjob.Message) any { return &v.Time }},
	{"text", func(v *copyjob.Message) any { return &v.Text }},
})

// Jobs is a copyjob.Store and a copyjob.MessageStore.
type Jobs struct{ db *DB }

func getJob(ctx context.Context, t *sql.Tx, key copyjob.Key) (copyjob.Job, error) {
	return jobTable.get(ctx, t, fault.New(fault.NotFound, copyjob.SubjectJob, "there is no COPY job %q", key.Name),
		"WHERE warehouse_id = ? AND database = ? AND name = ?", key.WarehouseID, key.Database, key.Name)
}

// JobCreate implements copyjob.Store.
func (s *Jobs) JobCreate(ctx context.Context, j copyjob.Job, max int) (copyjob.Job, error) {
	err := s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		_, err := getJob(ctx, t, j.Key())
		if err == nil {
			return fault.New(fault.AlreadyExists, copyjob.SubjectJob, "COPY job %q exists in the database %q already; drop it first, or choose another name", j.Name, j.Table.Database)
		}
		if !fault.Is(err, fault.NotFound, copyjob.SubjectJob) {
			return err
		}
		var count int
		if err := t.QueryRowContext(ctx, "SELECT count(*) FROM copy_job WHERE warehouse_id = ?", j.WarehouseID).Scan(&count); err != nil {
			return err
		}
		if count >= max {
			return fault.New(fault.Limit, copyjob.SubjectJob, "there are %d COPY jobs and at most %d are allowed; drop one", count, max)
		}
		values, err := jobTable.values(&j)
		if err != nil {
			return err
		}
		values[0] = nil // the database numbers them
		result, err := t.ExecContext(ctx, jobTable.insertion, values...)
		if err == nil {
			j.ID, err = result.LastInsertId()
		}
		return err
	}, nil)
	if err != nil {
		return copyjob.Job{}, err
	}
	return j, nil
}

// JobList implements copyjob.Store.
func (s *Jobs) JobList(ctx context.Context, warehouseID string) (list []copyjob.Job, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = jobTable.list(ctx, t, "WHERE ?1 IN ('', warehouse_id) ORDER BY id", warehouseID)
		return err
	})
	return list, err
}

// JobUpdate implements copyjob.Store.
func (s *Jobs) JobUpdate(ctx context.Context, key copyjob.Key, change func(*copyjob.Job) error) (j copyjob.Job, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		old, err := getJob(ctx, t, key)
		if err != nil {
			return err
		}
		j = old
		if err := change(&j); err != nil {
			return err
		}
		j.ID, j.WarehouseID, j.Table.Database, j.Name, j.Created = old.ID, old.WarehouseID, old.Table.Database, old.Name, old.Created
		return jobTable.update(ctx, t, &old, &j)
	}, nil)
	return j, err
}

// JobDelete implements copyjob.Store.
func (s *Jobs) JobDelete(ctx context.Context, key copyjob.Key) (j copyjob.Job, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if j, err = getJob(ctx, t, key); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, "DELETE FROM copy_job WHERE id = ?", j.ID)
		return err
	}, nil)
	return j, err
}

// MessageAdd implements copyjob.MessageStore.
func (s *Jobs) MessageAdd(ctx context.Context, m copyjob.Message) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		found, err := has(ctx, t, "SELECT 1 FROM copy_job WHERE id = ?", m.JobID)
		if err != nil {
			return err
		}
		if !found {
			return fault.New(fault.NotFound, copyjob.SubjectJob, "there is no COPY job %q", m.JobName)
		}
		if _, err := messageTable.insert(ctx, t, &m); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, "DELETE FROM copy_job_message WHERE job_id = ?1 AND number <= "+
			"(SELECT number FROM copy_job_message WHERE job_id = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)", m.JobID, copyjob.MaxMessages)
		return err
	}, nil)
}

// MessageList implements copyjob.MessageStore.
func (s *Jobs) MessageList(ctx context.Context, warehouseID string) (list []copyjob.Message, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = messageTable.list(ctx, t, "WHERE job_id IN (SELECT id FROM copy_job WHERE warehouse_id = ?) ORDER BY number", warehouseID)
		return err
	})
	return list, err
}
