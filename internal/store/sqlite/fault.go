package sqlite

import (
	"context"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/penstock-io/penstock/internal/fault"
)

// fault classifies an error of the driver. Faults, cancelled contexts and the errors of a caller's change pass as
// they are.
func (db *DB) fault(ctx context.Context, err error) error {
	var f *fault.Error
	var e *sqlite.Error
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case ctx.Err() != nil:
		return ctx.Err() // whatever the interrupted driver says
	case !errors.As(err, &e):
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fault.Wrap(err, fault.Unavailable, SubjectStore, "the metadata store %s cannot grow: the disk is full; free space on it and try again, nothing that was acknowledged is lost", db.path)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return fault.Wrap(err, fault.Unavailable, SubjectStore, "the metadata store %s cannot be read or written; see that its disk works, has space left and lets the server write, and try again", db.path)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.Wrap(err, fault.Unavailable, SubjectStore, "the metadata store %s is locked by another program, such as a database shell; close that and try again", db.path)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damaged(err, db.path)
	default:
		return err
	}
}

func damaged(err error, path string) error {
	return fault.Wrap(err, fault.Internal, SubjectStore,
		"the metadata database %s is damaged; stop the server and put a backup in its place, or move it away with its -wal and -shm files to start without it", path)
}
