package duckdb

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// conn is one DuckDB connection, for one goroutine at a time.
//
// It stands on the C API and not on database/sql because the driver there builds a whole result in memory
// before the first row is seen, whatever the memory limit says; a result of any size has to pass through
// here in constant memory.
type conn struct {
	c  mapping.Connection
	mu sync.Mutex // lets interrupt be called from outside while the connection may be closed
}

// close may be called twice.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	mapping.Disconnect(&c.c)
}

// interrupt ends the statement under way, if there is one, with an error.
func (c *conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.c.Ptr != nil {
		mapping.Interrupt(c.c)
	}
}

// interruptEvery is how often a cancelled statement is told again: DuckDB forgets an interrupt that comes
// between two of its phases.
const interruptEvery = 20 * time.Millisecond

// guarded runs do, which is inside the engine, and interrupts the engine for as long as do runs once ctx is
// done.
func (c *conn) guarded(ctx context.Context, do func()) {
	if ctx.Done() == nil {
		do()
		return
	}
	finished, stopped := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		tick := time.NewTicker(interruptEvery)
		defer tick.Stop()
		for {
			c.interrupt()
			select {
			case <-finished:
				return
			case <-tick.C:
			}
		}
	})
	do()
	close(finished)
	if !stop() {
		<-stopped // a late interrupt must not hit the connection's next statement
	}
}

// engineError is what DuckDB says, "Catalog Error: Table with name x does not exist!".
type engineError struct{ text string }

func (e *engineError) Error() string { return e.text }

func failed(ctx context.Context, text string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return &engineError{text}
}

// prepare reads exactly one statement. The caller destroys the result.
func (c *conn) prepare(ctx context.Context, sql string) (_ mapping.PreparedStatement, err error) {
	if strings.IndexByte(sql, 0) >= 0 {
		return mapping.PreparedStatement{}, &engineError{"Parser Error: the statement holds a NUL character"}
	}
	// A statement may be over before word of a context that is done already reaches the engine.
	if err := ctx.Err(); err != nil {
		return mapping.PreparedStatement{}, err
	}
	var st mapping.PreparedStatement
	c.guarded(ctx, func() {
		if mapping.Prepare(c.c, sql, &st) == mapping.StateError {
			err = failed(ctx, mapping.PrepareError(st))
		}
	})
	if err != nil {
		mapping.DestroyPrepare(&st)
	}
	return st, err
}

func bind(st mapping.PreparedStatement, args []any) error {
	if n := int(mapping.NParams(st)); n != len(args) {
		return fmt.Errorf("statement has %d parameters, %d given", n, len(args))
	}
	for i, arg := range args {
		at := mapping.IdxT(i + 1)
		var state mapping.State
		switch v := arg.(type) {
		case nil:
			state = mapping.BindNull(st, at)
		case string:
			state = mapping.BindVarchar(st, at, v)
		case int64:
			state = mapping.BindInt64(st, at, v)
		case int:
			state = mapping.BindInt64(st, at, int64(v))
		case bool:
			state = mapping.BindBoolean(st, at, v)
		case time.Time:
			state = mapping.BindTimestamp(st, at, mapping.NewTimestamp(v.UnixMicro()))
		default:
			return fmt.Errorf("parameter %d has unsupported type %T", i+1, arg)
		}
		if state == mapping.StateError {
			return fmt.Errorf("parameter %d: %s", i+1, mapping.PrepareError(st))
		}
	}
	return nil
}

// query runs one statement. The caller closes the cursor.
func (c *conn) query(ctx context.Context, sql string, args ...any) (*cursor, error) {
	st, err := c.prepare(ctx, sql)
	if err != nil {
		return nil, err
	}
	return c.run(ctx, st, args)
}

// run executes a prepared statement, which it takes over.
func (c *conn) run(ctx context.Context, st mapping.PreparedStatement, args []any) (_ *cursor, err error) {
	cur := &cursor{conn: c, stmt: st}
	if err = ctx.Err(); err == nil {
		err = bind(st, args)
	}
	if err != nil {
		cur.close()
		return nil, err
	}
	c.guarded(ctx, func() {
		//nolint:staticcheck // deprecated upstream, and the only way to a result that is not held in memory
		if bindings.PendingPreparedStreaming(st, &cur.pending) == mapping.StateError {
			err = failed(ctx, mapping.PendingError(cur.pending))
			return
		}
		if mapping.ExecutePending(cur.pending, &cur.result) == mapping.StateError {
			err = failed(ctx, mapping.ResultError(&cur.result))
		}
	})
	if err == nil {
		err = cur.describe(ctx)
	}
	if err != nil {
		cur.close()
		return nil, err
	}
	return cur, nil
}

// exec runs one statement for its effect and returns how many rows it changed.
func (c *conn) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	cur, err := c.query(ctx, sql, args...)
	if err != nil {
		return 0, err
	}
	defer cur.close()
	for cur.next(ctx) { //nolint:revive // a result nobody reads still has to come to its end
	}
	return cur.changed, cur.err
}

// script runs statements one after the other.
func (c *conn) script(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := c.exec(ctx, s); err != nil {
			return fmt.Errorf("%.80s: %w", s, err)
		}
	}
	return nil
}

// each calls row with the values of every row of a result. The slice is used again for the next row.
func (c *conn) each(ctx context.Context, sql string, args []any, row func(v []any) error) error {
	cur, err := c.query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer cur.close()
	for cur.next(ctx) {
		if err := row(cur.values); err != nil {
			return err
		}
	}
	return cur.err
}

// read is each in a transaction of its own. DuckDB plans a statement by the statistics of its tables and, without
// a transaction around both, runs it on a later snapshot, whose rows need not fit them: under concurrent inserts
// an aggregate then fails.
func (c *conn) read(ctx context.Context, sql string, args []any, row func(v []any) error) error {
	return c.transact(ctx, func() error { return c.each(ctx, sql, args, row) })
}

// one returns the first row of a result, nil if there is none.
func (c *conn) one(ctx context.Context, sql string, args ...any) (first []any, err error) {
	err = c.each(ctx, sql, args, func(v []any) error {
		if first == nil {
			first = append([]any{}, v...)
		}
		return nil
	})
	return first, err
}

// transact runs do in a transaction. Whatever do or the commit returns, no transaction is open afterwards.
func (c *conn) transact(ctx context.Context, do func() error) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	err := do()
	if err == nil {
		err = c.commit(ctx)
	}
	if err != nil {
		c.rollback(ctx)
	}
	return err
}

// begin opens a transaction, unless ctx is done.
func (c *conn) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// It takes no time, and half a BEGIN would leave a transaction nobody knows of.
	_, err := c.exec(context.WithoutCancel(ctx), "BEGIN TRANSACTION")
	return err
}

// commit makes the transaction durable, unless ctx is done. Once under way it takes its course.
func (c *conn) commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := c.exec(context.WithoutCancel(ctx), "COMMIT")
	return err
}

// rollback ends a transaction, also one the engine has given up already.
func (c *conn) rollback(ctx context.Context) {
	_, _ = c.exec(context.WithoutCancel(ctx), "ROLLBACK") // fails only where there is nothing to roll back
}

// cursor is a result being read, chunk by chunk.
type cursor struct {
	conn    *conn
	stmt    mapping.PreparedStatement
	pending mapping.PendingResult
	result  mapping.Result
	fields  []field
	names   []string
	kind    mapping.ResultType
	changed int64

	chunk   mapping.DataChunk
	vectors []vector
	size    int // rows in the chunk
	row     int // next row
	values  []any
	err     error
}

// describe reads the columns of a result, or the count of a change.
func (cur *cursor) describe(ctx context.Context) error {
	cur.kind = mapping.ResultReturnType(cur.result)
	n := int(mapping.ColumnCount(&cur.result))
	cur.fields, cur.names = make([]field, n), make([]string, n)
	for i := range n {
		lt := mapping.ColumnLogicalType(&cur.result, mapping.IdxT(i))
		cur.fields[i] = newField(lt)
		mapping.DestroyLogicalType(&lt)
		cur.names[i] = mapping.ColumnName(&cur.result, mapping.IdxT(i))
	}
	cur.values = make([]any, n)
	if cur.kind != mapping.ResultTypeChangedRows {
		return nil
	}
	for cur.next(ctx) {
		if n, ok := cur.values[0].(int64); ok {
			cur.changed += n
		}
	}
	return cur.err
}

// next moves to the next row and puts it into values. It returns false at the end and after an error.
func (cur *cursor) next(ctx context.Context) bool {
	for cur.row == cur.size {
		if cur.err != nil || !cur.fetch(ctx) {
			return false
		}
	}
	for i := range cur.fields {
		cur.values[i] = cur.fields[i].value(&cur.vectors[i], cur.row)
	}
	cur.row++
	return true
}

func (cur *cursor) fetch(ctx context.Context) bool {
	mapping.DestroyDataChunk(&cur.chunk)
	cur.row, cur.size = 0, 0
	if err := ctx.Err(); err != nil {
		cur.err = err
		return false
	}
	cur.conn.guarded(ctx, func() { cur.chunk = mapping.FetchChunk(cur.result) })
	if cur.chunk.Ptr == nil {
		if text := mapping.ResultError(&cur.result); text != "" {
			cur.err = failed(ctx, text)
		}
		return false
	}
	cur.size = int(mapping.DataChunkGetSize(cur.chunk))
	if cur.vectors == nil {
		cur.vectors = make([]vector, len(cur.fields))
	}
	for i := range cur.fields {
		cur.vectors[i] = cur.fields[i].vector(mapping.DataChunkGetVector(cur.chunk, mapping.IdxT(i)))
	}
	return true
}

// close may be called twice.
func (cur *cursor) close() {
	mapping.DestroyDataChunk(&cur.chunk)
	mapping.DestroyResult(&cur.result)
	mapping.DestroyPending(&cur.pending)
	mapping.DestroyPrepare(&cur.stmt)
}
