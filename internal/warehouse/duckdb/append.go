package duckdb

import (
	"context"
	"fmt"
	"unsafe"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// appender puts rows into a table chunk by chunk, past the parser and the planner, in the connection's
// transaction. Values are set column by column and endRow ends the row; every column of it must be set.
type appender struct {
	c       *conn
	a       mapping.Appender
	chunk   mapping.DataChunk
	vectors []mapping.Vector
	n, size int // rows in the chunk, and room
}

// appender opens a table of a catalogue. The caller closes it with finish, or with discard.
func (c *conn) appender(catalog, schema, table string) (*appender, error) {
	a := &appender{c: c, size: int(mapping.VectorSize())}
	if mapping.AppenderCreateExt(c.c, catalog, schema, table, &a.a) == mapping.StateError {
		err := a.failed()
		mapping.AppenderDestroy(&a.a)
		return nil, err
	}
	n := mapping.AppenderColumnCount(a.a)
	types := make([]mapping.LogicalType, n)
	for i := range n {
		types[i] = mapping.AppenderColumnType(a.a, i)
	}
	a.chunk = mapping.CreateDataChunk(types) // of the table's own types, so that the engine casts nothing
	for i := range n {
		a.vectors = append(a.vectors, mapping.DataChunkGetVector(a.chunk, i))
		mapping.DestroyLogicalType(&types[i])
	}
	return a, nil
}

func (a *appender) failed() error { return &engineError{mapping.AppenderError(a.a)} }

// text sets a column to a text, which must be valid UTF-8.
func (a *appender) text(column int, s string) {
	a.bytes(column, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// bytes sets a column to a binary value, or to a text that is valid UTF-8.
func (a *appender) bytes(column int, b []byte) {
	// The engine would look at the text again, and put NULL where it does not like it.
	bindings.UnsafeVectorAssignStringElementLen(a.vectors[column], mapping.IdxT(a.n), b)
}

func (a *appender) int64(column int, v int64) {
	*(*int64)(unsafe.Add(mapping.VectorGetData(a.vectors[column]), a.n*8)) = v
}

// decimal sets a column of more than 18 digits to an unscaled value.
func (a *appender) decimal(column int, v int128) {
	*(*int128)(unsafe.Add(mapping.VectorGetData(a.vectors[column]), a.n*16)) = v
}

func (a *appender) null(column int) {
	mapping.VectorEnsureValidityWritable(a.vectors[column])
	mapping.ValiditySetRowInvalid(mapping.VectorGetValidity(a.vectors[column]), mapping.IdxT(a.n))
}

func (a *appender) endRow(ctx context.Context) error {
	if a.n++; a.n < a.size {
		return nil
	}
	return a.push(ctx)
}

// push hands the chunk over.
func (a *appender) push(ctx context.Context) error {
	if a.n == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	mapping.DataChunkSetSize(a.chunk, mapping.IdxT(a.n))
	if mapping.AppendDataChunk(a.a, a.chunk) == mapping.StateError {
		return a.failed()
	}
	mapping.DataChunkReset(a.chunk)
	a.n = 0
	return nil
}

// finish puts what has been appended into the table. The appender is closed whatever comes of it.
func (a *appender) finish(ctx context.Context) error {
	err := a.push(ctx)
	if err == nil {
		a.c.guarded(ctx, func() {
			if mapping.AppenderFlush(a.a) == mapping.StateError {
				err = a.failed()
			}
		})
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	a.discard()
	return err
}

// discard closes the appender without what has not been put into the table yet.
func (a *appender) discard() {
	mapping.AppenderClear(a.a)
	mapping.AppenderDestroy(&a.a)
	mapping.DestroyDataChunk(&a.chunk)
}

// int128 is a signed integer as the engine lays it out.
type int128 struct {
	lower uint64
	upper int64
}

func (v int128) String() string { return fmt.Sprintf("%d:%d", v.upper, v.lower) }
