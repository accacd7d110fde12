package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

// gatherRecords reads the records of every object into the work directory. A page counts once it is on the disk
// and the state says so.
func (r *run) gatherRecords(ctx context.Context) error {
	records, err := r.c.Records(r.plan.source.vendor, r.plan.source.profile)
	if err != nil {
		return err
	}
	s := &r.work.state
	if len(s.Objects) == 0 {
		for _, q := range r.plan.queries {
			s.Objects = append(s.Objects, objectState{Name: q.Object})
		}
	}
	for n := range s.Objects {
		if s.Objects[n].Done {
			continue
		}
		if err := r.gatherObject(ctx, records, n); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) gatherObject(ctx context.Context, records Records, n int) (err error) {
	o, q := &r.work.state.Objects[n], r.plan.queries[n]
	if o.Columns == nil {
		declared, err := records.Describe(ctx, q)
		if err != nil {
			return err
		}
		o.Columns = newColumns(declared, q.Fields)
	}
	spool := &spool{run: r, object: n}
	defer func() { err = errors.Join(err, spool.close()) }()
	if err := records.Read(ctx, q, o.Mark, func(p vendors.Page) error { return spool.page(ctx, p) }); err != nil {
		return err
	}
	o.Done = true
	return r.work.save()
}

// spool writes an object's records into the parts of a work directory.
type spool struct {
	*run
	object int
	file   *os.File // the last part
}

func (s *spool) page(ctx context.Context, p vendors.Page) error {
	st := &s.work.state
	o := &st.Objects[s.object]
	if p.Total > 0 {
		st.Total += p.Total
	}
	if len(p.Records) > 0 {
		if err := s.open(o); err != nil {
			return err
		}
		out := bufio.NewWriterSize(s.file, 256<<10)
		var size int64
		for _, r := range p.Records {
			if err := o.Columns.observe(r); err != nil {
				return fault.Wrap(err, fault.Unavailable, SubjectSource, "a record of %s is malformed: %v", o.Name, err)
			}
			if len(r) >= maxLine {
				return fault.New(fault.Limit, SubjectSource, "a record of %s is longer than %d MiB; leave its largest fields out in the ObjectConfiguration", o.Name, maxLine>>20)
			}
			for _, b := range [][]byte{r, {'\n'}} {
				if _, err := out.Write(b); err != nil {
					return diskFault(err)
				}
			}
			size += int64(len(r)) + 1
		}
		if err := errors.Join(out.Flush(), s.file.Sync()); err != nil {
			return diskFault(err)
		}
		last := &o.Parts[len(o.Parts)-1]
		last.Bytes += size
		last.Records += int64(len(p.Records))
		st.Items += int64(len(p.Records))
		st.Bytes += size
	}
	o.Mark = p.Mark
	if err := s.work.save(); err != nil {
		return err
	}
	if err := s.tell(); err != nil {
		return err
	}
	return ctx.Err()
}

// open makes the last part ready for more, or begins a new one.
func (s *spool) open(o *objectState) error {
	if len(o.Parts) == 0 || o.Parts[len(o.Parts)-1].Bytes >= s.c.PartSize {
		if err := s.close(); err != nil {
			return err
		}
		o.Parts = append(o.Parts, part{File: fmt.Sprintf("part-%d-%05d.jsonl", s.object, len(o.Parts))})
	}
	if s.file != nil {
		return nil
	}
	last := o.Parts[len(o.Parts)-1]
	f, err := os.OpenFile(s.work.path(last.File), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return diskFault(err)
	}
	// What follows was written by a process that died before it counted.
	if err := f.Truncate(last.Bytes); err != nil {
		return diskFault(errors.Join(err, f.Close()))
	}
	if _, err := f.Seek(last.Bytes, 0); err != nil {
		return diskFault(errors.Join(err, f.Close()))
	}
	s.file = f
	return diskFault(syncDir(s.work.dir))
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return diskFault(f.Close())
}

// stageRecords encodes every part that is not staged yet and stages it.
func (r *run) stageRecords(ctx context.Context, j *journal, g *errgroup.Group) error {
	g.SetLimit(min(r.c.Parallel, 2)) // encoding is the processor's work
	for n, o := range r.work.state.Objects {
		for k, p := range o.Parts {
			key := r.plan.recordsKey(o.Name, k, r.c.Format)
			if p.Records == 0 || j.have[key] {
				continue
			}
			g.Go(func() error {
				path, err := r.encoded(ctx, n, k)
				if err != nil {
					return err
				}
				info, err := os.Stat(path)
				if err != nil {
					return diskFault(err)
				}
				token, err := r.c.Buckets.StageFile(ctx, path, contentTypes[r.c.Format], r.plan.destination.bucket, key)
				if err != nil {
					return err
				}
				return j.add(staged{Key: key, Token: token, Bytes: info.Size(), Records: p.Records})
			})
		}
	}
	return nil
}

// encoded is the path of a part in the format that was asked for.
func (r *run) encoded(ctx context.Context, object, number int) (string, error) {
	o := r.work.state.Objects[object]
	p := o.Parts[number]
	if r.c.Format == JSONLines {
		return r.work.path(p.File), nil
	}
	name := fmt.Sprintf("out-%d-%05d.%s", object, number, r.c.Format)
	err := r.work.write(name, func(out *bufio.Writer) error {
		e, err := newEncoder(r.c.Format, out, o.Columns.list())
		if err != nil {
			return err
		}
		return r.encode(ctx, p, e)
	})
	return r.work.path(name), err
}

// encode feeds an encoder with the records of a part.
func (r *run) encode(ctx context.Context, p part, e encoder) error {
	n := int64(0)
	err := r.work.lines(p.File, func(line []byte) error {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return e.record(line)
	})
	if err != nil {
		return err
	}
	if n != p.Records {
		return fault.New(fault.Internal, SubjectRun, "the run's file %s has %d records instead of %d", p.File, n, p.Records)
	}
	return e.end()
}

// recordBatches makes the table ready for the records and writes them as it will have them.
func (r *run) recordBatches(ctx context.Context) ([]Batch, error) {
	o := r.work.state.Objects[0]
	cols := o.Columns.list()
	if len(cols) == 0 { // no records, and no fields known
		return nil, nil
	}
	folded := map[string]string{}
	for _, c := range cols {
		lower := strings.ToLower(c.Name)
		if other, ok := folded[lower]; ok {
			return nil, fault.New(fault.Invalid, SubjectSource, "the fields %q and %q of %s would be one column, since a table does not tell case; name the fields to take in the ObjectConfiguration", other, c.Name, o.Name)
		}
		folded[lower] = c.Name
	}
	names, err := r.c.Tables.Prepare(ctx, r.plan.destination.table, cols)
	if err != nil {
		return nil, err
	}
	if len(names) != len(cols) || !slices.EqualFunc(names, cols, func(n string, c Column) bool { return strings.EqualFold(n, c.Name) }) {
		return nil, fault.New(fault.Internal, SubjectDestination, "the table's columns are %v, for the fields %v", names, cols)
	}
	b := Batch{Spec: load.Spec{Format: load.JSON, Columns: names, NullAs: `\N`, TimeFormat: "auto", DateFormat: "auto"}}
	for k, p := range o.Parts {
		if p.Records == 0 {
			continue
		}
		name := fmt.Sprintf("rows-%05d.jsonl", k)
		if err := r.work.write(name, func(out *bufio.Writer) error {
			return r.encode(ctx, p, newRowEncoder(out, cols, names))
		}); err != nil {
			return nil, err
		}
		info, err := os.Stat(r.work.path(name))
		if err != nil {
			return nil, diskFault(err)
		}
		b.Files = append(b.Files, load.File{
			Bucket: strings.ToLower(string(r.plan.source.vendor)), Key: r.job.ExecutionID + "/" + o.Name + "/" + name,
			Size: info.Size(), Modified: info.ModTime().Truncate(time.Second), Path: r.work.path(name),
		})
	}
	if len(b.Files) == 0 {
		return nil, nil
	}
	return []Batch{b}, nil
}
