package sql

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/sql/dialect"
	"github.com/penstock-io/penstock/internal/sql/sysview"
	"github.com/penstock-io/penstock/internal/statements"
)

// fetchers is how many objects a COPY makes local at a time.
const fetchers = 8

// copy is a plain COPY: all files under the prefix in one transaction. It neither reads nor writes any
// job's ledger.
func (s *Session) copy(ctx context.Context, c *dialect.Copy, id string) (Outcome, error) {
	if err := s.writable(ctx, "COPY"); err != nil {
		return Outcome{}, err
	}
	table, err := s.target(ctx, c.Table)
	if err != nil {
		return Outcome{}, err
	}
	var files []load.File
	err = s.parts.Objects.List(ctx, c.Bucket, c.Prefix, "", func(f load.File) error {
		files = append(files, f)
		return nil
	})
	if err != nil {
		return Outcome{}, err
	}
	if len(files) == 0 {
		return Outcome{}, fault.New(fault.NotFound, SubjectPrefix, "The specified S3 prefix '%s' does not exist in bucket '%s'", c.Prefix, c.Bucket)
	}
	release, err := s.fetch(ctx, files)
	defer release()
	if err != nil {
		return Outcome{}, err
	}
	var res load.Result
	err = s.atomically(ctx, id, func() error {
		res, err = s.conn.Load(ctx, load.Request{
			QueryID: s.parts.NextID(), UserID: userID, Table: table, Spec: c.Spec, Source: c.Source, Files: files,
		})
		return err
	})
	return Outcome{Rows: res.Rows}, err
}

// userID is the id of every session's user: Redshift numbers users from 100.
const userID = 100

// fetch makes the files local in place. The release function is never nil.
func (s *Session) fetch(ctx context.Context, files []load.File) (release func(), _ error) {
	releases := make([]func(), len(files))
	release = func() {
		for _, r := range releases {
			if r != nil {
				r()
			}
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fetchers)
	for i, f := range files {
		g.Go(func() (err error) {
			files[i], releases[i], err = s.parts.Objects.Fetch(ctx, f)
			return err
		})
	}
	return release, g.Wait()
}

// target resolves the table of a COPY, which must be in the current database.
func (s *Session) target(ctx context.Context, n dialect.Name) (load.Table, error) {
	if n.Database != "" && n.Database != s.database {
		return load.Table{}, fault.New(fault.Unsupported, SubjectDatabase, "COPY loads into the database it is connected to; connect to %q to load into %s", n.Database, n)
	}
	schema := n.Schema
	if schema == "" {
		schema = "public"
		for _, candidate := range s.searchPath() {
			if cols, err := s.conn.Columns(ctx, s.database, candidate, n.Table); err != nil {
				return load.Table{}, err
			} else if cols != nil {
				schema = candidate
				break
			}
		}
	}
	return load.Table{Database: s.database, Schema: schema, Name: n.Table}, nil
}

// jobCreate stores a COPY job. The COPY itself is not checked against the world: on Redshift too a bad
// bucket or role shows at run time.
func (s *Session) jobCreate(ctx context.Context, c *dialect.CopyJobCreate, id string) error {
	if err := s.writable(ctx, "COPY JOB CREATE"); err != nil {
		return err
	}
	table, err := s.target(ctx, c.Copy.Table)
	if err != nil {
		return err
	}
	if cols, err := s.conn.Columns(ctx, table.Database, table.Schema, table.Name); err != nil {
		return err
	} else if cols == nil {
		return fault.New(fault.NotFound, dialect.SubjectRelation, "relation %q does not exist; create the table before its COPY job", c.Copy.Table)
	}
	_, err = s.parts.Jobs.Create(ctx, copyjob.Job{
		Name: c.Name, WarehouseID: s.warehouseID, Table: table, Spec: c.Copy.Spec, Bucket: c.Copy.Bucket, Prefix: c.Copy.Prefix,
		IAMRole: c.Copy.IAMRole, Statement: c.Text, Auto: c.Auto, Owner: s.user, CreatedBy: id,
	})
	return err
}

func (s *Session) jobKey(name string) copyjob.Key {
	return copyjob.Key{WarehouseID: s.warehouseID, Database: s.database, Name: name}
}

func (s *Session) jobAlter(ctx context.Context, c *dialect.CopyJobAlter) error {
	if c.Auto == nil {
		_, err := s.job(ctx, c.Name) // nothing to change, but a job that is not there is still an error
		return err
	}
	_, err := s.parts.Jobs.Alter(ctx, s.jobKey(c.Name), *c.Auto)
	return err
}

func (s *Session) jobDrop(ctx context.Context, c *dialect.CopyJobDrop) error {
	_, err := s.parts.Jobs.Drop(ctx, s.jobKey(c.Name))
	if s.Again && fault.Is(err, fault.NotFound, "") {
		return nil
	}
	return err
}

// jobRun asks for a run and waits for its end, so that the rows are there when the statement has finished.
func (s *Session) jobRun(ctx context.Context, c *dialect.CopyJobRun) error {
	asked, err := s.parts.Jobs.RequestRun(ctx, s.jobKey(c.Name))
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now, err := s.job(ctx, c.Name)
		if err != nil {
			return err
		}
		if now.ID != asked.ID {
			return fault.New(fault.Conflict, copyjob.SubjectJob, "COPY job %s was dropped and made again while it ran", c.Name)
		}
		if now.RunsDone >= asked.Runs {
			if now.RunError != "" {
				return fault.New(fault.State, copyjob.SubjectJob, "%s", now.RunError)
			}
			return nil
		}
	}
}

func (s *Session) job(ctx context.Context, name string) (copyjob.Job, error) {
	jobs, err := s.parts.Jobs.List(ctx, s.warehouseID)
	if err != nil {
		return copyjob.Job{}, err
	}
	for _, j := range jobs {
		if j.Name == name && j.Table.Database == s.database {
			return j, nil
		}
	}
	return copyjob.Job{}, fault.New(fault.NotFound, copyjob.SubjectJob, "COPY job %s does not exist in database %s", name, s.database)
}

// jobList answers COPY JOB LIST, and SHOW of one name, with the columns of SYS_COPY_JOB.
func (s *Session) jobList(ctx context.Context, name string, out Sink) (Outcome, error) {
	jobs, err := s.parts.Jobs.List(ctx, s.warehouseID)
	if err != nil {
		return Outcome{}, err
	}
	var rows [][]statements.Value
	for _, j := range jobs {
		if j.Table.Database == s.database && (name == "" || j.Name == name) {
			row := sysview.JobRow(j)
			row[len(row)-1] = Timestamp(j.Created)
			rows = append(rows, row)
		}
	}
	if name != "" && len(rows) == 0 {
		_, err := s.job(ctx, name)
		return Outcome{}, err
	}
	return rowsOf(out, sysview.JobColumns(), rows)
}
