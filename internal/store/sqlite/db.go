package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/penstock-io/penstock/internal/fault"
)

// SubjectStore is the subject of faults of the store itself, whatever it was asked for.
const SubjectStore = "metadata store"

// FileName is the database's name in the data directory.
const FileName = "metadata.db"

const (
	lockName = "metadata.lock"
	readers  = 4 // connections that read beside the writer
)

// DB is an open metadata database. It is safe for concurrent use.
type DB struct {
	path   string
	lock   *os.File
	writer *sql.DB       // one connection
	reader *sql.DB       // up to readers connections, which cannot write
	turn   chan struct{} // holds a token while someone writes

	mu     sync.RWMutex // held for reading while the database is in use
	closed bool

	integrations *Integrations
	putRecord    *sql.Stmt // upsertRecord: the one statement that runs often enough for its preparation to be felt
}

// Open opens the database in dir and brings its schema up to date. Both are made where they are missing, for
// their owner's eyes only. It is an error if another process has the directory open, if the file is damaged or
// not ours, and if a newer penstock has written it.
func Open(ctx context.Context, dir string) (_ *DB, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data directory: %w", err)
	}
	db := &DB{path: filepath.Join(dir, FileName), turn: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if db.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if err := createPrivate(db.path); err != nil {
		return nil, fmt.Errorf("cannot make the metadata database: %w", err)
	}
	// The log is moved into the database every 4,000 pages rather than every 1,000: whoever commits then waits for it, and
	// that is one commit of some hundred, not of some dozen. It is 16 MB, which is also what is left of it between.
	if db.writer, err = sql.Open("sqlite", db.source("_txlock=immediate", "_pragma=journal_mode(wal)", "_pragma=wal_autocheckpoint(4000)")); err != nil {
		return nil, err
	}
	db.writer.SetMaxOpenConns(1)
	db.writer.SetConnMaxIdleTime(0)
	if err := db.migrate(ctx); err != nil {
		return nil, err
	}
	if db.putRecord, err = db.writer.PrepareContext(ctx, upsertRecord); err != nil {
		return nil, db.fault(ctx, err)
	}
	if db.reader, err = sql.Open("sqlite", db.source("_pragma=query_only(1)")); err != nil {
		return nil, err
	}
	db.reader.SetMaxOpenConns(readers)
	db.reader.SetMaxIdleConns(2)
	db.reader.SetConnMaxIdleTime(time.Minute)
	if db.integrations, err = loadIntegrations(ctx, db); err != nil {
		return nil, err
	}
	return db, nil
}

// source is the data source name. Pragmas are applied in the order given, busy_timeout first by the driver.
func (db *DB) source(options ...string) string {
	options = append(options, "_pragma=busy_timeout(5000)", "_pragma=synchronous(full)", "_pragma=foreign_keys(1)", "_pragma=journal_size_limit(16777216)")
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(db.path), RawQuery: strings.Join(options, "&")}
	return u.String()
}

// createPrivate makes an empty file with mode 0600 unless there is one, so that SQLite, which gives its other
// files the same mode, never makes one that others can read.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// Close waits for what is under way, closes the database and gives the directory free. Calls after the first
// do nothing.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	var errs []error
	for _, pool := range []*sql.DB{db.reader, db.writer} { // the last one checkpoints the log
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	return errors.Join(errs...)
}

// Integrations returns the store of package zeroetl's integrations.
func (db *DB) Integrations() *Integrations { return db.integrations }

// Policies returns the store of package zeroetl's policies.
func (db *DB) Policies() *Policies { return &Policies{db} }

// Warehouses returns the store of package warehouses.
func (db *DB) Warehouses() *Warehouses { return &Warehouses{db} }

// Jobs returns the store of package copyjob.
func (db *DB) Jobs() *Jobs { return &Jobs{db} }

// Statements returns the store of package statements.
func (db *DB) Statements() *Statements { return &Statements{db} }

// enter keeps the database open until leave is called.
func (db *DB) enter() (leave func(), err error) {
	db.mu.RLock()
	if db.closed {
		db.mu.RUnlock()
		return nil, fault.New(fault.Unavailable, SubjectStore, "the metadata store is closed; the server is stopping")
	}
	return db.mu.RUnlock, nil
}

// work is what is done in a transaction, with the context to do it in.
type work func(ctx context.Context, t *sql.Tx) error

// update runs f in a transaction of its own, alone, and makes it durable unless f returns an error. done, unless
// nil, is run after that and before anyone else's update.
func (db *DB) update(ctx context.Context, f work, done func()) error {
	leave, err := db.enter()
	if err != nil {
		return err
	}
	defer leave()
	select {
	case db.turn <- struct{}{}:
		defer func() { <-db.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// From here on a cancelled context would only leave the caller not knowing what became of the write.
	ctx = context.WithoutCancel(ctx)
	t, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return db.fault(ctx, err)
	}
	if err := f(ctx, t); err != nil {
		if rollback := t.Rollback(); rollback != nil {
			err = errors.Join(err, rollback)
		}
		return db.fault(ctx, err)
	}
	if err := t.Commit(); err != nil {
		return db.fault(ctx, err)
	}
	if done != nil {
		done()
	}
	return nil
}

// view runs f in a transaction that sees one state of the database and changes nothing.
func (db *DB) view(ctx context.Context, f work) error {
	leave, err := db.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	t, err := db.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return db.fault(ctx, err)
	}
	err = f(ctx, t)
	if rollback := t.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) && err == nil {
		err = rollback
	}
	return db.fault(ctx, err)
}

// has reports whether query finds a row.
func has(ctx context.Context, t *sql.Tx, query string, args ...any) (bool, error) {
	var found bool
	err := t.QueryRowContext(ctx, "SELECT EXISTS ("+query+")", args...).Scan(&found)
	return found, err
}
