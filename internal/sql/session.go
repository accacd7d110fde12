package sql

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/sql/dialect"
	"github.com/penstock-io/penstock/internal/statements"
)

// Session is a user's connection to one database of a warehouse. It is for one goroutine at a time.
type Session struct {
	parts       Parts
	warehouse   Warehouse
	warehouseID string
	conn        Conn
	database    string
	user        string
	settings    map[string]string // what SET said
	aborted     bool              // a statement of the open transaction failed: nothing but its end is taken
	// Again says that the next statement was under way when the process died and may have taken effect: what
	// it makes may be made, what it drops may be gone.
	Again bool
}

// Open connects.
func Open(ctx context.Context, parts Parts, w Warehouse, warehouseID, database, user string) (*Session, error) {
	conn, err := w.Connect(ctx, database, user)
	if err != nil {
		return nil, err
	}
	return &Session{parts: parts, warehouse: w, warehouseID: warehouseID, conn: conn, database: database, user: user, settings: map[string]string{}}, nil
}

// Close rolls back what is open and disconnects.
func (s *Session) Close() error { return s.conn.Close() }

// Database is the current database.
func (s *Session) Database() string { return s.database }

// InTransaction reports whether BEGIN is open.
func (s *Session) InTransaction() bool { return s.conn.InTransaction() }

// Run carries out one statement. Outside a transaction it is one by itself and, if it changes anything,
// marked with the given statement id, so that a restart can tell whether it took effect.
func (s *Session) Run(ctx context.Context, text, id string, out Sink) (Outcome, error) {
	stmt, err := dialect.Parse(text)
	s.aborted = s.aborted && s.conn.InTransaction()
	switch stmt.(type) {
	case *dialect.Commit, *dialect.Rollback:
	default:
		if s.aborted {
			return Outcome{}, fault.New(fault.State, SubjectTransaction, "current transaction is aborted, commands ignored until end of transaction block")
		}
	}
	var o Outcome
	if err == nil {
		o, err = s.run(ctx, stmt, id, out)
	}
	// What fails before it reaches the engine spoils the transaction like what fails in it.
	s.aborted = err != nil && s.conn.InTransaction()
	return o, err
}

// RunBatch carries out statements as one transaction, marked with id. next is called before each of them with
// its index and the outcome of the one before, nil for the first. On an error everything is rolled back, and
// len(done) is the index of the statement at fault, or len(texts) when it was the commit.
func (s *Session) RunBatch(ctx context.Context, texts []string, id string, next func(i int, before *Outcome) (Sink, error)) (done []Outcome, err error) {
	if err := s.conn.Begin(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.conn.Rollback())
		}
	}()
	for i, text := range texts {
		var before *Outcome
		if i > 0 {
			before = &done[i-1]
		}
		out, err := next(i, before)
		if err != nil {
			return done, err
		}
		stmt, err := dialect.Parse(text)
		if err != nil {
			return done, err
		}
		switch stmt.(type) {
		case *dialect.Begin, *dialect.Commit, *dialect.Rollback:
			return done, fault.New(fault.Invalid, SubjectTransaction, "a batch is one transaction; BEGIN, COMMIT and ROLLBACK have no place in it")
		}
		o, err := s.run(ctx, stmt, "", out)
		if err != nil {
			return done, err
		}
		done = append(done, o)
	}
	if err := s.conn.MarkStatement(ctx, id); err != nil {
		return done, err
	}
	return done, s.conn.Commit(ctx)
}

func (s *Session) run(ctx context.Context, stmt dialect.Statement, id string, out Sink) (Outcome, error) {
	switch stmt := stmt.(type) {
	case *dialect.Query:
		return s.query(ctx, stmt, id, out)
	case *dialect.Copy:
		return s.copy(ctx, stmt, id)
	case *dialect.CopyJobCreate:
		return Outcome{}, s.alone("COPY JOB CREATE", func() error { return s.jobCreate(ctx, stmt, id) })
	case *dialect.CopyJobAlter:
		return Outcome{}, s.jobAlter(ctx, stmt)
	case *dialect.CopyJobRun:
		return Outcome{}, s.jobRun(ctx, stmt)
	case *dialect.CopyJobDrop:
		return Outcome{}, s.alone("COPY JOB DROP", func() error { return s.jobDrop(ctx, stmt) })
	case *dialect.CopyJobList:
		return s.jobList(ctx, "", out)
	case *dialect.CopyJobShow:
		return s.jobList(ctx, stmt.Name, out)
	case *dialect.CreateDatabase:
		return Outcome{}, s.alone("CREATE DATABASE", func() error { return s.createDatabase(ctx, stmt, id) })
	case *dialect.AlterDatabase:
		return Outcome{}, s.alone("ALTER DATABASE", func() error { return s.alterDatabase(ctx, stmt) })
	case *dialect.DropDatabase:
		return Outcome{}, s.alone("DROP DATABASE", func() error { return s.dropDatabase(ctx, stmt) })
	case *dialect.Begin:
		if s.conn.InTransaction() {
			return Outcome{}, nil // a warning on Redshift
		}
		return Outcome{}, s.conn.Begin(ctx)
	case *dialect.Commit:
		return Outcome{}, s.end(ctx, s.commit)
	case *dialect.Rollback:
		return Outcome{}, s.end(ctx, func(context.Context) error { return errors.Join(s.conn.Rollback(), s.followPath(ctx)) })
	case *dialect.Set:
		return Outcome{}, s.set(ctx, stmt)
	case *dialect.Reset:
		return Outcome{}, s.reset(ctx, stmt)
	case *dialect.Show:
		return s.show(stmt, out)
	case *dialect.ShowObjects:
		return s.showObjects(ctx, stmt, out)
	case *dialect.Use:
		return Outcome{}, s.alone("USE", func() error { return s.use(ctx, stmt.Database) })
	case *dialect.Maintenance, *dialect.Grant, *dialect.Revoke:
		// Nothing to do: the engine keeps itself in order, and every session of a warehouse may do everything.
		return Outcome{}, nil
	}
	return Outcome{}, fault.New(fault.Unsupported, SubjectStatement, "this statement is not supported")
}

// end finishes a transaction; without one it is a no-op, as on Redshift, where it is a warning.
func (s *Session) end(ctx context.Context, finish func(context.Context) error) error {
	if !s.conn.InTransaction() {
		return nil
	}
	return finish(ctx)
}

// commit commits the open transaction, or says that there is nothing left of it.
func (s *Session) commit(ctx context.Context) error {
	if !s.aborted {
		return s.conn.Commit(ctx)
	}
	return errors.Join(fault.New(fault.State, SubjectTransaction, "current transaction is aborted and was rolled back"), s.conn.Rollback())
}

// alone runs what may not run inside a transaction.
func (s *Session) alone(what string, do func() error) error {
	if s.conn.InTransaction() {
		return fault.New(fault.Invalid, SubjectTransaction, "%s cannot run inside a transaction block", what)
	}
	return do()
}

// atomically runs do in the open transaction, or in one of its own that is marked with id.
func (s *Session) atomically(ctx context.Context, id string, do func() error) (err error) {
	if s.conn.InTransaction() {
		return do()
	}
	if err := s.conn.Begin(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.conn.Rollback())
		}
	}()
	if err := do(); err != nil {
		return err
	}
	if id != "" {
		if err := s.conn.MarkStatement(ctx, id); err != nil {
			return err
		}
	}
	return s.conn.Commit(ctx)
}

// query renders a statement for the engine and runs it.
func (s *Session) query(ctx context.Context, q *dialect.Query, id string, out Sink) (Outcome, error) {
	if !q.ReadOnly && q.Target.Database != "" && q.Target.Database != s.database {
		return Outcome{}, fault.New(fault.Unsupported, SubjectDatabase, "%s %s: a session changes the database it is connected to, which is %q; other databases can only be read. Connect to %q instead",
			q.Verb, q.Target, s.database, q.Target.Database)
	}
	if !q.ReadOnly {
		if err := s.writable(ctx, q.Verb); err != nil {
			return Outcome{}, err
		}
	}
	if err := s.readable(ctx, q.Reads()); err != nil {
		return Outcome{}, err
	}
	q.SuperCase, q.Unique = isOn(s.settings["enable_case_sensitive_super_attribute"]), s.parts.NextID()
	cat := &catalog{ctx: ctx, conn: s.conn}
	texts, err := q.Render(cat)
	if err == nil {
		err = cat.err
	}
	if err != nil {
		return Outcome{}, err
	}
	if q.ReadOnly && len(texts) == 1 {
		return s.stream(ctx, texts[0], out)
	}
	var result Outcome
	err = s.atomically(ctx, id, func() error {
		for _, text := range texts {
			o, err := s.stream(ctx, text, out)
			if err != nil {
				return err
			}
			if !strings.HasPrefix(text, "COMMENT ") {
				result = o
			}
		}
		return nil
	})
	if err == nil && (q.Verb == "CREATE SCHEMA" || q.Verb == "DROP SCHEMA") {
		err = s.followPath(ctx)
	}
	return result, err
}

// followPath sets the search path again after schemas came or went: the engine has those that were there when
// it was set, and would make tables in one that is gone.
func (s *Session) followPath(ctx context.Context) error {
	v, ok := s.settings["search_path"]
	if !ok {
		return nil
	}
	return s.conn.SetSearchPath(ctx, splitList(v))
}

// stream runs one engine statement and passes its rows on.
func (s *Session) stream(ctx context.Context, text string, out Sink) (_ Outcome, err error) {
	rows, err := s.conn.Query(ctx, text)
	if err != nil {
		return Outcome{}, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var o Outcome
	if cols := rows.Columns(); cols != nil {
		o.HasResultSet = true
		if err := out.Columns(cols); err != nil {
			return Outcome{}, err
		}
	}
	for rows.Next() {
		o.Rows++
		if err := out.Row(rows.Values()); err != nil {
			return Outcome{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return Outcome{}, err
	}
	if !o.HasResultSet {
		o.Rows = rows.Affected()
		return o, nil
	}
	return o, out.End()
}

func isOn(v string) bool {
	return slices.Contains([]string{"on", "true", "1", "yes"}, strings.ToLower(v))
}

// catalog shows a connection's tables to the renderer. The first error is kept, because the renderer has
// no use for one.
type catalog struct {
	ctx  context.Context //nolint:containedctx // lives for one Render call, which takes no context
	conn Conn
	err  error
}

func (c *catalog) Columns(database, schema, table string) ([]dialect.Column, bool) {
	cols, err := c.conn.Columns(c.ctx, database, schema, table)
	if err != nil {
		c.err = errors.Join(c.err, err)
	}
	if err != nil || cols == nil {
		return nil, false
	}
	out := make([]dialect.Column, len(cols))
	for i, col := range cols {
		out[i] = dialect.Column{
			Name: col.Name, Type: dialect.TypeOf(col.TypeName, col.Length, col.Precision, col.Scale), NotNull: col.Nullable == 0, Default: col.Default,
		}
	}
	return out, true
}

var _ dialect.Catalog = (*catalog)(nil)

// rowsOf sends a result set made here.
func rowsOf(out Sink, cols []statements.Column, rows [][]statements.Value) (Outcome, error) {
	if err := out.Columns(cols); err != nil {
		return Outcome{}, err
	}
	for _, row := range rows {
		if err := out.Row(row); err != nil {
			return Outcome{}, err
		}
	}
	return Outcome{HasResultSet: true, Rows: int64(len(rows))}, out.End()
}

// textColumns are columns of unlimited text.
func textColumns(names ...string) []statements.Column {
	cols := make([]statements.Column, len(names))
	for i, n := range names {
		cols[i] = statements.Column{Name: n, Label: n, TypeName: "varchar", Length: 65535, Nullable: 1}
	}
	return cols
}
