package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/warehouse/duckdb/records"
)

// Load runs a load on a connection of its own.
func (w *Warehouse) Load(ctx context.Context, req load.Request) (res load.Result, err error) {
	err = w.with(ctx, req.Table.Database, func(s *Session) error {
		res, err = s.Load(ctx, req)
		return err
	})
	return res, err
}

// Load loads files into a table; doc.go has the protocol. Without a job it joins the open transaction or is
// one by itself, and is all or nothing: an error means no row of it is there. With a job it is one transaction
// of its own, and an error means that nothing was settled; files that are bad by themselves are no error but
// have their say in the result.
//
// After a load that failed because of the data, the error is Invalid with subject SubjectLoad and the result
// has the rows at fault, which are in the system views, too.
func (s *Session) Load(ctx context.Context, req load.Request) (load.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return load.Result{}, err
	}
	if req.Job != nil && s.open {
		return load.Result{}, fault.New(fault.State, SubjectTransaction, "a job's load is a transaction of its own")
	}
	if req.Table.Database == "" {
		req.Table.Database = s.db.name
	}
	if !strings.EqualFold(req.Table.Database, s.db.name) {
		return load.Result{}, fault.New(fault.Unsupported, SubjectDatabase, "a load goes into the database of its session, %q", s.db.name)
	}
	l, err := s.newLoader(ctx, req)
	if err != nil {
		return load.Result{}, s.settle(ctx, err)
	}
	defer s.e.w.loads.add(l)()
	if req.Job != nil {
		err = l.job(ctx)
	} else {
		err = l.copy(ctx)
	}
	if err == nil {
		s.e.w.prune(ctx, s)
	}
	return l.result(), s.settle(ctx, err)
}

// loader is one load under way.
type loader struct {
	s           *Session
	req         load.Request
	plan        *plan
	tableID     int64
	transaction int64
	start       time.Time
	files       []*file
	limit       int // the load fails when this many rows are bad
	status      string
}

// file is a file of a load and what is known of it.
type file struct {
	load.File
	status    load.Status
	inspected bool
	checked   bool   // the engine's reader and every conversion accept it
	slow      bool   // read record by record
	schema    string // of a Parquet file
	retry     bool   // in the ledger as failed
	rows      int64
	lines     int64
	errors    []load.RowError
	message   string
	start     time.Time
	end       time.Time
}

func (f *file) fail(errs ...load.RowError) {
	f.status, f.errors = load.Failed, errs
	if len(errs) > 0 {
		f.message = errs[0].Reason
		if errs[0].Line > 0 {
			f.message = fmt.Sprintf("line %d: %s", errs[0].Line, errs[0].Reason)
		}
	}
}

// rowsError is data that cannot be loaded.
type rowsError struct{ load.RowError }

func (e *rowsError) Error() string { return e.File + ": " + e.Reason }

func (s *Session) newLoader(ctx context.Context, req load.Request) (*loader, error) {
	l := &loader{
		s: s, req: req, limit: max(req.Spec.MaxError, 1), start: s.e.w.o.Now().UTC(), transaction: s.e.w.o.NextID(), status: "completed",
	}
	if l.req.QueryID == 0 {
		l.req.QueryID = s.e.w.o.NextID()
	}
	cols, err := s.columns(ctx, req.Table.Database, req.Table.Schema, req.Table.Name)
	if err != nil {
		return nil, err
	}
	if cols == nil {
		return nil, fault.New(fault.NotFound, SubjectRelation, "relation %q does not exist", req.Table.Name)
	}
	// As the catalogue spells them.
	l.req.Table = load.Table{Database: s.db.name, Schema: cols[0].Schema, Name: cols[0].Table}
	id, err := s.conn.one(ctx, "SELECT table_oid FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?",
		l.req.Table.Database, l.req.Table.Schema, l.req.Table.Name)
	if err != nil {
		return nil, err
	}
	if id == nil {
		return nil, fault.New(fault.Invalid, SubjectRelation, "%q is a view; COPY loads into tables", req.Table.Name)
	}
	l.tableID, _ = id[0].(int64)
	if l.plan, err = newPlan(l.req, cols); err != nil {
		return nil, err
	}
	for _, f := range req.Files {
		l.files = append(l.files, &file{File: f, status: load.Pending})
	}
	return l, nil
}

// pending returns the files still to be loaded.
func (l *loader) pending() []*file {
	var left []*file
	for _, f := range l.files {
		if f.status == load.Pending {
			left = append(left, f)
		}
	}
	return left
}

// look finds files that are gone, and inspects those that need it.
func (l *loader) look(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range l.pending() {
		if f.inspected {
			continue
		}
		info, err := os.Stat(f.Path)
		if err != nil {
			if !errors.Is(err, os.ErrNotExist) {
				return fault.Wrap(err, fault.Unavailable, SubjectLoad, "the file of %s cannot be read on the server", f.URL())
			}
			f.fail(load.RowError{File: f.URL(), Code: load.CodeFileNotFound, Reason: "The file was not found when it was to be read"})
			continue
		}
		f.inspected = true
		f.Size = info.Size() // it may have been replaced since it arrived, and sizes decide how it is read
		if l.plan.spec.IgnoreHeader > 0 && (l.plan.spec.Format == load.JSON || !records.PlainHeader(f.Path, l.plan.spec)) {
			f.slow = true // the engine would skip other lines, or cannot skip any
		}
		inspection := l.plan.inspection(f.File)
		if !inspection.Needed() || f.slow {
			continue
		}
		g.Go(func() error {
			err := inspection.Check(gctx, f.Path)
			var bad *records.FileError
			switch {
			case errors.Is(err, records.ErrLongNumber), errors.Is(err, records.ErrLongLine):
				f.slow = true
			case errors.As(err, &bad) && bad.Code == load.CodeAccess:
				return fault.Wrap(err, fault.Unavailable, SubjectLoad, "the file of %s cannot be read on the server", f.URL())
			case errors.As(err, &bad):
				f.fail(load.RowError{File: f.URL(), Code: bad.Code, Reason: bad.Reason})
			default:
				return err
			}
			return nil
		})
	}
	return g.Wait()
}

// copy is a load without a job. What it does in the user's transaction cannot be undone without undoing the
// rest of that, so unless the transaction has only just begun, or rows may be bad and left out, every file is
// checked before the first is loaded.
func (l *loader) copy(ctx context.Context) error {
	err := l.tryCopy(ctx)
	var bad *rowsError
	if errors.As(err, &bad) {
		err = fault.Wrap(err, fault.Invalid, SubjectLoad, "Load into table '%s' failed.  Check 'sys_load_error_detail' system view for details. "+
			"The first error is in %s, line %d: %s", l.req.Table.Name, bad.File, bad.Line, bad.Reason)
	}
	if err != nil {
		l.abort(ctx)
		return err
	}
	for name, n := range map[string]int64{"penstock_last_copy_id": l.req.QueryID, "penstock_last_copy_count": l.result().Rows} {
		if _, err := l.s.conn.exec(ctx, fmt.Sprintf("SET VARIABLE %s = %d::BIGINT", name, n)); err != nil {
			return err
		}
	}
	return nil
}

// abort keeps the history of a load that failed, in a transaction of its own: the load's is lost.
func (l *loader) abort(ctx context.Context) {
	l.status = "aborted"
	for _, f := range l.files {
		if f.status == load.Loaded {
			f.status, f.rows = load.Pending, 0
		}
	}
	err := l.s.aside(func(c *conn) error {
		ctx := context.WithoutCancel(ctx)
		return c.transact(ctx, func() error { return l.record(ctx, c) })
	})
	if err != nil {
		l.s.e.w.o.Log.Error("the history of a failed load could not be kept", "query", l.req.QueryID, "table", l.req.Table.Name, "err", err)
	}
}

func (l *loader) tryCopy(ctx context.Context) error {
	if err := l.look(ctx); err != nil {
		return err
	}
	if err := l.tooBad(); err != nil {
		return err
	}
	restarts := !l.s.open || l.s.fresh
	if l.limit > 1 || !restarts {
		if err := l.checkAll(ctx); err != nil {
			return err
		}
		if err := l.tooBad(); err != nil {
			return err
		}
	}
	for {
		before := l.progress()
		err := l.inTransaction(ctx, func() error {
			if err := l.insertAll(ctx); err != nil {
				return err
			}
			if err := l.tooBad(); err != nil {
				return err
			}
			return l.record(ctx, l.s.conn)
		})
		if err == nil || !mayBeData(err) || !restarts {
			return err
		}
		if e := l.tooBad(); e != nil {
			return e
		}
		l.reset()
		if e := l.checkAll(ctx); e != nil {
			return e
		}
		if e := l.tooBad(); e != nil {
			return e
		}
		if l.progress() == before && isData(err) {
			return l.unexplained(err)
		} else if l.progress() == before {
			return err
		}
	}
}

// progress changes with every file that is found to be bad, or to need the slow way.
func (l *loader) progress() [2]int {
	var p [2]int
	for _, f := range l.files {
		if f.status == load.Failed {
			p[0]++
		}
		if f.slow {
			p[1]++
		}
	}
	return p
}

// tooBad fails the load once as many rows are bad as it may not have.
func (l *loader) tooBad() error {
	n := 0
	var first *load.RowError
	for _, f := range l.files {
		n += len(f.errors)
		if first == nil && len(f.errors) > 0 {
			first = &f.errors[0]
		}
		if f.status == load.Failed && len(f.errors) > 0 {
			return &rowsError{f.errors[0]} // all or nothing: a file that cannot be read is not a bad row
		}
	}
	if n < l.limit {
		return nil
	}
	return &rowsError{*first}
}

func (l *loader) isTooBad() bool { return l.tooBad() != nil }

// reset forgets what an attempt did whose transaction was rolled back.
func (l *loader) reset() {
	for _, f := range l.files {
		if f.status == load.Loaded {
			f.status = load.Pending
		}
		if f.status == load.Pending {
			f.rows, f.lines, f.errors = 0, 0, nil
		}
	}
}

// unexplained is a failure of the engine that no file could be blamed for.
func (l *loader) unexplained(err error) error {
	var engine *engineError
	reason := err.Error()
	if errors.As(err, &engine) {
		reason = fault.Message(explain(engine, l.s.e.w.o.Dir))
	}
	e := load.RowError{Code: load.CodeParse, Reason: clip(reason, maxReason)}
	if p := l.pending(); len(p) > 0 {
		e.File = p[0].URL()
		p[0].fail(e)
	}
	return &rowsError{e}
}

// inTransaction runs do in the session's transaction, or in one of its own. After an error the caller may try
// again: the session's transaction, if it had only just begun, is new.
func (l *loader) inTransaction(ctx context.Context, do func() error) error {
	s := l.s
	if !s.open {
		return s.conn.transact(ctx, do)
	}
	err := do()
	if err != nil && s.fresh {
		s.conn.rollback(ctx)
		e := s.conn.begin(context.WithoutCancel(ctx))
		s.open = e == nil
		err = errors.Join(err, e)
	}
	if err == nil {
		s.fresh = false
	}
	return err
}

// job is a load with a job: one transaction for all files that are good, with the ledger's entries for those
// that are not (invariants 1, 5, 7 and 9).
func (l *loader) job(ctx context.Context) error {
	keys := make([]string, len(l.files))
	seen := map[string]bool{}
	for i, f := range l.files {
		keys[i] = f.Key
	}
	settled, err := l.s.settled(ctx, l.req.Job.ID, keys, true)
	if err != nil {
		return err
	}
	for _, f := range l.files {
		status, known := settled[f.Key]
		switch {
		case seen[f.Key] || known && (status != load.Failed || !l.req.Retry):
			f.status = load.Skipped
		case known:
			f.retry = true
		}
		seen[f.Key] = true
	}
	if len(l.pending()) == 0 {
		return nil
	}
	for attempt := 0; ; attempt++ {
		if err := l.look(ctx); err != nil {
			return err
		}
		before := l.progress()
		err := l.s.conn.transact(ctx, func() error {
			if err := l.insertAll(ctx); err != nil {
				return err
			}
			return l.record(ctx, l.s.conn)
		})
		if err == nil || !mayBeData(err) {
			return err
		}
		l.reset()
		if e := l.checkAll(ctx); e != nil {
			return e
		}
		if l.progress() == before || attempt == 3 {
			if !isData(err) {
				return err
			}
			return l.oneByOne(ctx)
		}
	}
}

// oneByOne loads each file in a transaction of its own. It is what is left when the files are good and the
// table will not have their rows.
func (l *loader) oneByOne(ctx context.Context) error {
	all := l.files
	defer func() { l.files = all }()
	for i, f := range all {
		if f.status == load.Skipped {
			continue
		}
		l.files = all[i : i+1]
		l.reset()
		err := l.s.conn.transact(ctx, func() error {
			if err := l.insertAll(ctx); err != nil {
				return err
			}
			return l.record(ctx, l.s.conn)
		})
		if err != nil && isData(err) {
			l.reset()
			if f.status == load.Pending {
				_ = l.unexplained(err) // fails the file
			}
			err = l.s.conn.transact(ctx, func() error { return l.record(ctx, l.s.conn) })
		}
		if err != nil {
			return err
		}
		id := l.s.e.w.o.NextID() // a row of the history each
		l.s.e.w.loads.mu.Lock()
		l.req.QueryID = id
		l.s.e.w.loads.mu.Unlock()
	}
	return nil
}

// isData reports whether an error of a load is the fault of the rows.
func isData(err error) bool {
	var rows *rowsError
	return errors.As(err, &rows) || engineKind(err, "Conversion", "Invalid Input", "Constraint", "Out of Range", "Mismatch Type", "Invalid type", "Decimal")
}

// isReading reports whether an error of reading files, with no table in play, is the fault of the files. Some
// damage the engine's readers do not expect: what their libraries throw is "Invalid", and what breaks an
// assumption of theirs "INTERNAL".
func isReading(err error) bool {
	return isData(err) || engineKind(err, "IO", "Not implemented", "Binder", "Serialization", "Invalid", "INTERNAL") || neverFits(err)
}

// mayBeData reports whether it is worth while to check the files of a load that failed. Not only their contents
// can be at fault: a file may be more than the engine's reader can hold, and still be no trouble record by
// record.
func mayBeData(err error) bool { return isReading(err) || engineSaid(err, outOfMemory.MatchString) }

// engineKind reports whether an error is the engine's and of one of the kinds, and neither a full disk nor a
// database that was given up.
func engineKind(err error, kinds ...string) bool {
	return engineSaid(err, func(text string) bool {
		kind, _, _ := strings.Cut(text, " Error:")
		return slices.Contains(kinds, kind)
	})
}

// engineSaid is engineKind for whatever a text says.
func engineSaid(err error, what func(text string) bool) bool {
	var known *fault.Error
	var engine *engineError
	if errors.As(err, &known) || !errors.As(err, &engine) || isDiskFull(engine.text) || strings.Contains(engine.text, "been invalidated") {
		return false
	}
	return what(engine.text)
}

// aside runs do on another connection, outside the session's transaction.
func (s *Session) aside(do func(c *conn) error) error {
	c, err := s.e.connection()
	if err != nil {
		return err
	}
	defer c.close()
	return do(c)
}

func (l *loader) result() load.Result {
	var r load.Result
	for _, f := range l.files {
		fr := load.FileResult{File: f.File, Status: f.status, Rows: f.rows, Lines: f.lines, Errors: f.errors, Message: f.message}
		if f.status == load.Loaded {
			fr.Bytes = f.Size
			r.Rows += f.rows
			r.Bytes += f.Size
		}
		r.Files = append(r.Files, fr)
	}
	return r
}
