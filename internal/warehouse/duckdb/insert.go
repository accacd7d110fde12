package duckdb

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/warehouse/duckdb/records"
)

// Limits of a group, the files read by one statement. A group is staged in memory to count the rows of each
// file, so it is kept small; a large file is a statement by itself and is not staged.
const (
	groupFiles = 256
	groupBytes = 16 << 20
	largeFile  = 4 << 20
)

// unit is what one statement reads.
type unit []*file

func (u unit) files() []load.File {
	files := make([]load.File, len(u))
	for i, f := range u {
		files[i] = f.File
		if abs, err := filepath.Abs(f.Path); err == nil {
			files[i].Path = abs // as the reader will report it
		}
	}
	return files
}

// units splits files into statements, in their order.
func units(files []*file) []unit {
	var all []unit
	var group unit
	var size int64
	flush := func() {
		if len(group) > 0 {
			all = append(all, group)
			group, size = nil, 0
		}
	}
	for _, f := range files {
		if f.slow || f.Size > largeFile {
			flush()
			all = append(all, unit{f})
			continue
		}
		if len(group) == groupFiles || size+f.Size > groupBytes || len(group) > 0 && group[0].schema != f.schema {
			flush()
		}
		group = append(group, f)
		size += f.Size
	}
	flush()
	return all
}

// insertAll loads every pending file in the open transaction.
func (l *loader) insertAll(ctx context.Context) error {
	pending := l.pending()
	if err := l.readSchemas(ctx, pending); err != nil {
		return err
	}
	for _, u := range units(pending) {
		start := l.s.e.w.o.Now().UTC()
		var err error
		switch {
		case u[0].slow:
			err = l.insertRecords(ctx, u[0])
		case len(u) == 1:
			err = l.insertFile(ctx, u[0])
		default:
			err = l.insertGroup(ctx, u)
		}
		if err != nil {
			return err
		}
		end := l.s.e.w.o.Now().UTC()
		for _, f := range u {
			f.status, f.start, f.end = load.Loaded, start, end
		}
	}
	return nil
}

// readSchemas learns the schemas of Parquet files, by which they are grouped.
func (l *loader) readSchemas(ctx context.Context, files []*file) error {
	if l.plan.spec.Format != load.Parquet {
		return nil
	}
	var unknown unit
	for _, f := range files {
		if f.schema == "" && f.Size <= largeFile {
			unknown = append(unknown, f)
		}
	}
	if len(unknown) < 2 {
		return nil // nothing to group
	}
	list := unknown.files()
	schemas, err := l.parquetSchemas(ctx, l.s.conn, list)
	for i, f := range unknown {
		f.schema = schemas[list[i].Path]
	}
	return err
}

// converters returns the conversions of a unit and the source they apply to.
func (l *loader) converters(ctx context.Context, c *conn, files []load.File) (fields []converter, source string, err error) {
	if l.plan.spec.Format != load.Parquet {
		return l.plan.fields, l.plan.source(files), nil
	}
	fields, err = l.parquetFields(ctx, c, files[0])
	return fields, l.parquetSource(files), err
}

func (l *loader) insertFile(ctx context.Context, f *file) error {
	fields, source, err := l.converters(ctx, l.s.conn, unit{f}.files())
	if err != nil {
		return err
	}
	f.rows, err = l.s.conn.exec(ctx, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", l.plan.target, idents(l.plan.names()), values(fields, converter.strict), source))
	f.lines = f.rows + int64(l.plan.spec.IgnoreHeader)
	return err
}

// stageTable holds the rows of a group on their way into the target.
const stageTable = "temp.main.penstock_stage"

func (l *loader) insertGroup(ctx context.Context, u unit) error {
	c, list := l.s.conn, u.files()
	fields, source, err := l.converters(ctx, c, list)
	if err != nil {
		return err
	}
	stage := fmt.Sprintf("CREATE OR REPLACE TEMP TABLE penstock_stage AS SELECT %s, %s FROM %s", fileColumn, aliased(fields), source)
	columns := ""
	for i := range fields {
		columns += fmt.Sprintf(", v%d", i)
	}
	if err := c.script(ctx, stage, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", l.plan.target, idents(l.plan.names()), columns[2:], stageTable)); err != nil {
		return err
	}
	byPath := make(map[string]*file, len(u))
	for i, f := range list {
		byPath[f.Path] = u[i]
		u[i].rows, u[i].lines = 0, int64(l.plan.spec.IgnoreHeader)
	}
	err = c.each(ctx, fmt.Sprintf("SELECT %s, count(*) FROM %s GROUP BY 1", fileColumn, stageTable), nil, func(v []any) error {
		f := byPath[v[0].(string)]
		if f == nil {
			return fmt.Errorf("the engine read %s, which is not one of the load's files", v[0])
		}
		f.rows = v[1].(int64)
		f.lines += f.rows
		return nil
	})
	if err != nil {
		return err
	}
	return c.script(ctx, "DROP TABLE "+stageTable)
}

func aliased(fields []converter) string {
	i := -1
	return values(fields, func(c converter) string {
		i++
		return fmt.Sprintf("%s AS v%d", c.strict(), i)
	})
}

// checkAll reads every pending file that has not been checked, on another connection and without loading
// anything, and sorts out those that are bad or need the slow way.
func (l *loader) checkAll(ctx context.Context) error {
	return l.s.aside(func(c *conn) error {
		var unchecked []*file
		for _, f := range l.pending() {
			if !f.checked && !f.slow {
				unchecked = append(unchecked, f)
			}
		}
		if err := l.checkSchemas(ctx, c, unchecked); err != nil {
			return err
		}
		for _, u := range units(l.stillPending(unchecked)) {
			if err := l.check(ctx, c, u); err != nil {
				return err
			}
		}
		for _, f := range l.pending() {
			if f.slow && !f.checked {
				if err := l.examine(ctx, c, f); err != nil {
					return err
				}
			}
			if l.req.Job == nil && l.isTooBad() {
				break // one is enough
			}
		}
		return nil
	})
}

func (l *loader) stillPending(files []*file) []*file {
	var left []*file
	for _, f := range files {
		if f.status == load.Pending {
			left = append(left, f)
		}
	}
	return left
}

// checkSchemas learns each Parquet file's schema by itself, which fails those that are not Parquet.
func (l *loader) checkSchemas(ctx context.Context, c *conn, files []*file) error {
	if l.plan.spec.Format != load.Parquet {
		return nil
	}
	for _, f := range files {
		list := unit{f}.files()
		schemas, err := l.parquetSchemas(ctx, c, list)
		if err == nil {
			f.schema = schemas[list[0].Path]
			_, err = l.parquetFields(ctx, c, list[0])
		}
		if err = l.blame(f, err); err != nil {
			return err
		}
	}
	return nil
}

// check reads a unit and halves it until the files at fault are found.
func (l *loader) check(ctx context.Context, c *conn, u unit) error {
	fields, source, err := l.converters(ctx, c, u.files())
	if err == nil {
		_, err = c.exec(ctx, fmt.Sprintf("SELECT max(hash(%s)) FROM %s", values(fields, converter.strict), source))
	}
	switch {
	case err == nil:
		for _, f := range u {
			f.checked = true
		}
		return nil
	case !mayBeData(err):
		return err
	case len(u) > 1:
		if err := l.check(ctx, c, u[:len(u)/2]); err != nil {
			return err
		}
		return l.check(ctx, c, u[len(u)/2:])
	}
	return l.suspect(ctx, c, u[0], err)
}

// suspect deals with the one file the engine has refused with err.
func (l *loader) suspect(ctx context.Context, c *conn, f *file, err error) error {
	if l.plan.spec.Format != load.Parquet {
		l.s.e.w.o.Log.Info("a file is read record by record because the engine refuses it", "file", f.URL(), "query", l.req.QueryID, "err", err)
		f.slow = true // examine finds what is wrong with it, if anything is
		return nil
	}
	errs, e := l.parquetErrors(ctx, c, unit{f}.files()[0], l.limit)
	switch {
	case e != nil:
		return l.blame(f, e)
	case len(errs) == 0:
		return l.blame(f, err)
	}
	f.fail(errs...)
	return nil
}

// examine reads a file record by record without loading it. A file with too many bad rows fails; one that is
// good after all, or good enough, is loaded this way.
func (l *loader) examine(ctx context.Context, c *conn, f *file) error {
	errs, _, err := l.readRecords(ctx, c, f, nil)
	if err != nil {
		return l.blame(f, err)
	}
	if len(errs) >= l.limit {
		f.fail(errs...)
	}
	f.checked = true
	return nil
}

// insertRecords loads a file record by record, without its bad rows if the load may have some.
func (l *loader) insertRecords(ctx context.Context, f *file) error {
	errs, lines, err := l.readRecords(ctx, l.s.conn, f, &f.rows)
	if err != nil {
		if err := l.blame(f, err); err != nil {
			return err
		}
		return &rowsError{f.errors[0]}
	}
	f.lines, f.errors = lines, errs
	if len(errs) >= l.limit {
		f.fail(errs...)
		return &rowsError{errs[0]}
	}
	return nil
}

// blame fails a file for an error of reading it, and returns the error if it is not of the file's making.
func (l *loader) blame(f *file, err error) error {
	e := load.RowError{File: f.URL()}
	switch bad := err.(type) { //nolint:errorlint // the three are made in this package and records and not wrapped on the way
	case nil:
		return nil
	case *rowsError:
		e = bad.RowError
	case *records.FileError:
		if bad.Code == load.CodeAccess {
			return err
		}
		e.Code, e.Reason = bad.Code, bad.Reason
	case *engineError:
		if !isReading(err) || notReadable(bad.text) {
			return err
		}
		e.Code, e.Reason = engineReason(bad.text, l.plan.spec.Format, unit{f}.files()[0])
	default:
		return err
	}
	f.fail(e)
	return nil
}
