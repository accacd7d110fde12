package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	driver "github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/penstock-io/penstock/internal/fault"
)

const (
	// systemCatalog holds the views and functions every session sees. It is in memory and made anew at start.
	systemCatalog = "penstock_system"
	// internalSchema holds the ledger and the history of loads in each database.
	internalSchema = "penstock"
	// anchorFile is the instance's main database. It stays empty: being a file, it can be opened a second time
	// by path, which is how the driver, needed for functions written in Go, and our own connections come to
	// share one instance; and its lock keeps a second process out of the directory.
	anchorFile = "engine.duckdb"
	dataDir    = "databases"
	tempDir    = "tmp"
)

// engine is a running DuckDB instance with the warehouse's databases attached.
type engine struct {
	w         *Warehouse
	connector *driver.Connector
	functions *sql.DB // closes connector
	instance  mapping.Database
	admin     *conn               // for attaching and views; under Warehouse.mu
	databases map[string]*dbState // by name; under Warehouse.mu
	system    map[string]bool     // names of system views and functions; set at start
	broken    atomic.Bool         // the instance has given itself up

	mu       sync.Mutex
	sessions map[*Session]struct{}
	invalid  map[string]bool // databases the engine refuses until they are attached again
}

// dbState is an attached database, or one that could not be.
type dbState struct {
	name string
	err  error // why it is not attached
}

func open(ctx context.Context, w *Warehouse) (_ *engine, err error) {
	e := &engine{w: w, databases: map[string]*dbState{}, sessions: map[*Session]struct{}{}, invalid: map[string]bool{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close(ctx))
		}
	}()
	if err := os.MkdirAll(e.path(dataDir), 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, SubjectWarehouse, "the warehouse's directory %s cannot be made", w.o.Dir)
	}
	// Left by a process that died: nothing in it outlives a query.
	if err := os.RemoveAll(e.path(tempDir)); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, SubjectWarehouse, "the warehouse's directory %s cannot be cleaned", e.path(tempDir))
	}
	if e.connector, err = driver.NewConnector(e.path(anchorFile), nil); err != nil {
		return nil, openError(w.o.Dir, err.Error())
	}
	e.functions = sql.OpenDB(e.connector)
	if err := e.share(); err != nil {
		return nil, err
	}
	if e.admin, err = e.connection(); err != nil {
		return nil, err
	}
	if err := e.configure(ctx); err != nil {
		return nil, fault.Wrap(err, fault.Internal, SubjectWarehouse, "the engine refused its configuration")
	}
	if err := e.attachAll(ctx); err != nil {
		return nil, err
	}
	if err := e.defineSystem(ctx); err != nil {
		return nil, fault.Wrap(err, fault.Internal, SubjectWarehouse, "the system views could not be made")
	}
	return e, nil
}

func openError(dir, text string) error {
	err := &engineError{text}
	if strings.Contains(text, "Could not set lock") {
		return fault.Wrap(err, fault.Unavailable, SubjectWarehouse, "the warehouse in %s is in use by another process; stop that one first", dir)
	}
	return fault.Wrap(err, fault.Unavailable, SubjectWarehouse, "the warehouse in %s cannot be opened", dir)
}

// share takes a handle of our own on the instance the driver opened.
func (e *engine) share() error {
	var config mapping.Config
	if mapping.CreateConfig(&config) == mapping.StateError {
		return fault.New(fault.Internal, SubjectWarehouse, "the engine has no configuration")
	}
	defer mapping.DestroyConfig(&config)
	mapping.SetConfig(config, "duckdb_api", "go") // must be what the driver says, or it is another instance
	var text string
	if mapping.GetOrCreateFromCache(driver.GetInstanceCache(), e.path(anchorFile), &e.instance, config, &text) == mapping.StateError {
		return openError(e.w.o.Dir, text)
	}
	return nil
}

func (e *engine) path(elem ...string) string {
	return filepath.Join(append([]string{e.w.o.Dir}, elem...)...)
}

func (e *engine) connection() (*conn, error) {
	var c conn
	if mapping.Connect(e.instance, &c.c) == mapping.StateError {
		return nil, fault.New(fault.Unavailable, SubjectWarehouse, "the engine accepts no more connections")
	}
	return &c, nil
}

// configure shuts the engine in. Of the host's files it can reach its own directory and those loads read
// from, nothing else, and no statement can change that any more. Sessions are held more tightly still: guard
// keeps their statements from reading or writing files at all.
func (e *engine) configure(ctx context.Context) error {
	dirs := make([]string, 0, len(e.w.o.ReadDirs)+1)
	for _, dir := range append([]string{e.w.o.Dir}, e.w.o.ReadDirs...) {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		dirs = append(dirs, literal(strings.TrimSuffix(abs, "/")+"/"))
	}
	temp, err := filepath.Abs(e.path(tempDir))
	if err != nil {
		return err
	}
	set := []string{
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET allow_community_extensions = false",
		"SET GLOBAL TimeZone = 'UTC'",
		fmt.Sprintf("SET memory_limit = '%d B'", e.w.o.MemoryLimit),
		fmt.Sprintf("SET threads = %d", e.w.o.Threads),
		"SET temp_directory = " + literal(temp),
		// A checkpoint compresses what came since the last. More rarely, it does so with fewer pieces that are not
		// full; making one piece of several with deleted rows, only a little at a time, because commits wait for it.
		"SET checkpoint_threshold = '64MB'",
		"SET max_vacuum_tasks = 2",
		// Redshift sorts NULLs as if they were the largest value.
		"SET GLOBAL default_null_order = 'NULLS_LAST_ON_ASC_FIRST_ON_DESC'",
	}
	for _, s := range e.w.o.Settings {
		if rest, ok := cutWord(s, "SET"); ok {
			if _, scoped := cutWord(rest, "GLOBAL"); !scoped {
				s = "SET GLOBAL " + rest // a setting of one connection would be lost with it
			}
		}
		set = append(set, s)
	}
	set = append(set,
		"SET allowed_directories = ["+strings.Join(dirs, ", ")+"]",
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	)
	return e.admin.script(ctx, set...)
}

// cutWord removes a leading keyword.
func cutWord(s, word string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) > len(word) && strings.EqualFold(s[:len(word)], word) && (s[len(word)] == ' ' || s[len(word)] == '\n') {
		return strings.TrimSpace(s[len(word):]), true
	}
	return s, false
}

// close ends the engine. Every step is taken, whatever becomes of the others.
func (e *engine) close(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	e.mu.Lock()
	sessions := e.sessions
	e.sessions = map[*Session]struct{}{}
	e.mu.Unlock()
	for s := range sessions {
		s.cut()
	}
	var errs []error
	if e.admin != nil {
		for _, db := range e.databases {
			if db.err == nil && !e.broken.Load() {
				if _, err := e.admin.exec(ctx, "CHECKPOINT "+ident(db.name)); err != nil {
					// The write-ahead log has everything and is read at the next start.
					e.w.o.Log.Warn("a database could not be checkpointed at its close", "database", db.name, "err", err)
				}
			}
		}
		e.admin.close()
	}
	mapping.Close(&e.instance)
	if e.functions != nil {
		errs = append(errs, e.functions.Close())
	}
	return errors.Join(errs...)
}

// abandon lets go of an instance that has given itself up, so that a new one can be opened: its files must
// not be open twice.
func (e *engine) abandon() error {
	if err := e.cutIdle(func(*Session) bool { return true }); err != nil {
		return err
	}
	e.w.o.Log.Error("the engine failed and is started again", "dir", e.w.o.Dir)
	e.admin.close()
	mapping.Close(&e.instance)
	return e.functions.Close()
}

// invalidate notes that the engine has given a database up.
func (e *engine) invalidate(database string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.invalid[database] = true
}

// refuses reports whether the engine has given up the database, or itself.
func (e *engine) refuses(database string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.broken.Load() || e.invalid[database]
}

// cutIdle disconnects sessions. It fails while one of them is at work: what it does will fail soon, too.
func (e *engine) cutIdle(which func(*Session) bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for s := range e.sessions {
		if !which(s) {
			continue
		}
		if !s.mu.TryLock() {
			return fault.New(fault.Unavailable, SubjectWarehouse, "the warehouse recovers from a failure of its engine; try again in a moment")
		}
		s.disconnect()
		s.mu.Unlock()
		delete(e.sessions, s)
	}
	return nil
}

// ident quotes a name.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal quotes a text.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// idents quotes names and joins them with commas.
func idents(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = ident(n)
	}
	return strings.Join(quoted, ", ")
}
