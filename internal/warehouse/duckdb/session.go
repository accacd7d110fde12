package duckdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/penstock-io/penstock/internal/fault"
)

// Session is a connection to one database. It is for one goroutine at a time, and has at most one result
// open; running a statement ends the reading of the one before.
//
// A context that is done interrupts the statement under way. The transaction it was in is rolled back: what
// is left of it is in no state to go on from.
type Session struct {
	e    *engine
	db   *dbState
	user string
	pid  int64

	mu      sync.Mutex // held while the engine works for the session; lets the warehouse cut it off
	conn    *conn
	working atomic.Pointer[conn] // conn, for those without mu
	lost    bool                 // the connection is gone
	closed  bool                 // by Close, for good
	open    bool                 // in a transaction
	fresh   bool                 // nothing has happened in the transaction yet
	aborted bool                 // the transaction has failed and is rolled back; only its end is missing
	marked  bool                 // the transaction carries the mark of a statement
	rows    *Rows
	path    []string // of SetSearchPath
}

func (e *engine) connect(ctx context.Context, database, user string) (*Session, error) {
	db, err := e.database(ctx, database)
	if err != nil {
		return nil, err
	}
	c, err := e.connection()
	if err != nil {
		return nil, err
	}
	s := &Session{e: e, db: db, user: user, conn: c, pid: e.w.ids.Add(1)}
	s.working.Store(c)
	if err := errors.Join(s.usePath(ctx, []string{"public"}), s.identify(ctx)); err != nil {
		c.close()
		return nil, e.classify(ctx, err)
	}
	e.mu.Lock()
	e.sessions[s] = struct{}{}
	e.mu.Unlock()
	return s, nil
}

// identify tells the engine who the session is, for the functions that say so.
func (s *Session) identify(ctx context.Context) error {
	_, err := s.conn.exec(ctx, "SET VARIABLE penstock_user = "+literal(s.user))
	if err == nil {
		_, err = s.conn.exec(ctx, fmt.Sprintf("SET VARIABLE penstock_pid = %d::INTEGER", s.pid))
	}
	return err
}

// revive connects a session again whose engine or database had to be opened again. The transaction it was in
// is lost. The caller holds s.mu, which comes after the warehouse's lock.
func (s *Session) revive(ctx context.Context) error {
	w := s.e.w
	if !w.mu.TryLock() {
		return fault.New(fault.Unavailable, SubjectWarehouse, "the warehouse recovers from a failure of its engine; try again in a moment")
	}
	defer w.mu.Unlock()
	if !s.lost {
		s.disconnect()
		s.e.mu.Lock()
		delete(s.e.sessions, s)
		s.e.mu.Unlock()
	}
	e, err := w.engine(ctx)
	if err != nil {
		return err
	}
	again, err := e.connect(ctx, s.db.name, s.user)
	if err != nil {
		return err
	}
	again.pid = s.pid
	err = errors.Join(again.usePath(ctx, s.path), again.identify(ctx))
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, again)
	if err != nil {
		again.conn.close()
		return explainOr(err, e.w.o.Dir)
	}
	e.sessions[s] = struct{}{}
	s.e, s.db, s.conn, s.lost = e, again.db, again.conn, false
	s.working.Store(s.conn)
	return nil
}

// PID is a number no other session of this process has.
func (s *Session) PID() int64 { return s.pid }

// Database is the name of the database the session is on.
func (s *Session) Database() string { return s.db.name }

// Close rolls back what is open and disconnects. It may be called twice.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disconnect()
	s.closed = true
	s.e.mu.Lock()
	delete(s.e.sessions, s)
	s.e.mu.Unlock()
	return nil
}

// disconnect ends the connection. An open transaction is over, all but in name.
func (s *Session) disconnect() {
	if s.rows != nil {
		s.rows.cur.close()
		s.rows = nil
	}
	s.conn.close()
	s.aborted, s.lost = s.open, true
}

// cut disconnects a session from outside.
func (s *Session) cut() {
	if !s.mu.TryLock() {
		s.working.Load().interrupt()
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	s.disconnect()
}

// ready is called with mu held before the engine is used.
func (s *Session) ready(ctx context.Context) error {
	if err := s.alive(ctx); err != nil {
		return err
	}
	if s.aborted {
		return fault.New(fault.State, SubjectTransaction, "current transaction is aborted, commands ignored until end of transaction block")
	}
	return nil
}

// alive ends the reading of a result and sees to it that there is a connection.
func (s *Session) alive(ctx context.Context) error {
	if s.rows != nil {
		s.rows.end(ctx)
	}
	if s.closed {
		return fault.New(fault.Unavailable, SubjectWarehouse, "the connection to the warehouse was closed; connect again")
	}
	if s.lost || s.e.refuses(s.db.name) {
		return s.revive(ctx)
	}
	return nil
}

// do runs f with the connection. An error is classified, and after one that leaves the transaction unusable
// the transaction is rolled back.
func (s *Session) do(ctx context.Context, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.settle(ctx, f())
}

// settle is called with mu held and with the outcome of a use of the engine. As on Redshift, any error ends
// the transaction it happens in, all but in name.
func (s *Session) settle(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if s.open && !s.aborted {
		s.conn.rollback(ctx)
		s.aborted = true
	}
	if text := err.Error(); isDiskFull(text) && !strings.Contains(text, walSuffix) {
		s.reclaim(context.WithoutCancel(ctx))
	}
	return s.e.classify(ctx, err)
}

// reclaim makes the room usable again that a transaction took in the file before the disk was full: only a
// checkpoint frees it.
func (s *Session) reclaim(ctx context.Context) {
	err := s.aside(func(c *conn) error {
		_, err := c.exec(ctx, "CHECKPOINT "+ident(s.db.name))
		return err
	})
	if err != nil {
		_ = s.e.classify(ctx, err) // a failed checkpoint means the database is opened again
		s.e.w.o.Log.Warn("the database could not be checkpointed after the disk was full", "database", s.db.name, "err", err)
	}
}

// InTransaction reports whether Begin is open.
func (s *Session) InTransaction() bool { return s.open }

// Begin opens a transaction.
func (s *Session) Begin(ctx context.Context) error {
	return s.do(ctx, func() error {
		if s.open {
			return fault.New(fault.State, SubjectTransaction, "there is already a transaction in progress")
		}
		err := s.conn.begin(ctx)
		s.open, s.fresh = err == nil, err == nil
		return err
	})
}

// Commit makes the transaction durable. One that has failed is rolled back, which is an error, too.
func (s *Session) Commit(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.alive(ctx); err != nil {
		return err
	}
	open, aborted, marked := s.open, s.aborted, s.marked
	s.open, s.aborted, s.marked = false, false, false
	if !open {
		return fault.New(fault.State, SubjectTransaction, "there is no transaction in progress")
	}
	if aborted {
		return fault.New(fault.State, SubjectTransaction, "current transaction is aborted and was rolled back")
	}
	if err := s.conn.commit(ctx); err != nil {
		s.conn.rollback(ctx)
		return s.e.classify(ctx, err)
	}
	if marked {
		s.e.w.prune(ctx, s)
	}
	return nil
}

// Rollback undoes the transaction; without one it does nothing.
func (s *Session) Rollback() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx := context.Background() //nolint:forbidigo // it undoes, and has to whatever became of the caller
	if err := s.alive(ctx); err != nil {
		return err
	}
	if s.open && !s.aborted {
		s.conn.rollback(ctx)
	}
	s.open, s.aborted, s.marked = false, false, false
	return nil
}

// SetSearchPath sets the schemas unqualified names are looked up in, in the session's database. The system
// views and functions are always found after them. No schemas is the default, "public". Names the engine
// does not have are left out, as Redshift does.
func (s *Session) SetSearchPath(ctx context.Context, schemas []string) error {
	return s.do(ctx, func() error {
		var have []string
		for _, name := range schemas {
			name = strings.Trim(name, `"`)
			if name == "$user" || strings.EqualFold(name, internalSchema) || strings.EqualFold(name, "pg_catalog") {
				continue
			}
			found, err := s.conn.one(ctx, "SELECT schema_name FROM duckdb_schemas() WHERE database_name = ? AND lower(schema_name) = lower(?)", s.db.name, name)
			if err != nil {
				return err
			}
			if found != nil {
				have = append(have, found[0].(string))
			}
		}
		if len(have) == 0 {
			have = []string{"public"}
		}
		return s.usePath(ctx, have)
	})
}

func (s *Session) usePath(ctx context.Context, schemas []string) error {
	parts := make([]string, 0, len(schemas)+1)
	for _, name := range schemas {
		parts = append(parts, ident(s.db.name)+"."+ident(name))
	}
	parts = append(parts, systemCatalog+".main")
	if _, err := s.conn.exec(ctx, "SET search_path = "+literal(strings.Join(parts, ","))); err != nil {
		return err
	}
	s.path = schemas
	return nil
}

// Query runs one statement in DuckDB's dialect. The caller closes the rows.
//
// A statement that would touch the host, the engine's configuration or the internal tables is Denied,
// whatever came before it: see guard.
func (s *Session) Query(ctx context.Context, sql string) (*Rows, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	s.fresh = false
	if err := guardText(sql); err != nil {
		return nil, s.settle(ctx, err)
	}
	rows, err := s.start(ctx, sql)
	if err != nil {
		return nil, s.settle(ctx, err)
	}
	s.rows = rows
	return rows, nil
}

// start runs a statement up to its first rows. Without an open transaction it is one by itself, from before it
// is planned to the end of its result (see conn.read).
func (s *Session) start(ctx context.Context, sql string) (_ *Rows, err error) {
	r := &Rows{s: s, ctx: ctx, alone: !s.open}
	if r.alone {
		if err := s.conn.begin(ctx); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				s.conn.rollback(ctx)
			}
		}()
	}
	st, err := s.conn.prepare(ctx, sql)
	if err != nil {
		return nil, err
	}
	kind := mapping.PreparedStatementType(st)
	if err = guardKind(kind); err == nil {
		err = guardDrop(sql, kind, s.e.system)
	}
	if err != nil {
		mapping.DestroyPrepare(&st)
		return nil, err
	}
	if r.cur, err = s.conn.run(ctx, st, nil); err != nil {
		return nil, err
	}
	// The result of a change is complete; what it changed is durable before anyone sees it.
	if r.alone && kind != mapping.StatementTypeSelect && kind != mapping.StatementTypeExplain {
		r.alone = false
		if err := s.conn.commit(ctx); err != nil {
			r.cur.close()
			return nil, err
		}
	}
	return r, nil
}

// Rows is the result of a statement, read from the engine as it is asked for: it takes no more memory than
// one chunk of rows.
type Rows struct {
	s     *Session
	ctx   context.Context //nolint:containedctx // of the statement, which goes on while its rows are read
	cur   *cursor
	alone bool // the statement's transaction ends with the result
	err   error
	done  bool
}

// end lets go of the result. The caller holds the session's lock.
func (r *Rows) end(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	r.cur.close()
	if r.alone {
		r.alone = false
		// It has changed nothing but perhaps a sequence.
		if err := r.s.conn.commit(ctx); err != nil {
			r.s.conn.rollback(ctx)
		}
	}
	r.s.rows = nil
}

// HasResultSet reports whether the statement returns rows.
func (r *Rows) HasResultSet() bool { return r.cur.kind == mapping.ResultTypeQueryResult }

// Columns describes the result; nil for a statement without a result set.
func (r *Rows) Columns() []Column {
	if !r.HasResultSet() {
		return nil
	}
	cols := make([]Column, len(r.cur.fields))
	for i := range cols {
		cols[i] = typeOf(&r.cur.fields[i]).column(r.cur.names[i])
	}
	return cols
}

// Next moves to the next row.
func (r *Rows) Next() bool {
	if r.done || !r.HasResultSet() {
		return false
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.s.rows != r {
		r.done = true
		r.err = fault.New(fault.State, SubjectStatement, "the result was closed before it was read to its end")
		return false
	}
	if r.cur.next(r.ctx) {
		return true
	}
	r.done = true
	r.err = r.s.settle(r.ctx, r.cur.err)
	if r.s.rows == r {
		r.end(r.ctx)
	}
	return false
}

// Values are the current row's: nil, bool, int64, float64, string or []byte. The slice is valid until Next.
func (r *Rows) Values() []any { return r.cur.values }

// Affected is how many rows the statement changed.
func (r *Rows) Affected() int64 { return r.cur.changed }

// Err is what ended Next early, nil at the end of the result.
func (r *Rows) Err() error { return r.err }

// Close ends the reading. It may be called twice.
func (r *Rows) Close() error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.done = true
	if r.s.rows == r {
		r.end(r.ctx)
	}
	return nil
}
