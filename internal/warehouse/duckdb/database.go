package duckdb

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// A database is one file in the data directory, named after it. It appears under that name by a rename when
// everything in it is in place, and disappears by one, so that a process that dies on the way leaves either
// a database or none (invariant 9); what the rename left behind is removed at the next start.
const (
	fileSuffix    = ".duckdb"
	walSuffix     = ".wal"
	newSuffix     = ".new"     // being made
	droppedSuffix = ".dropped" // being removed
	maxName       = 127        // bytes, Redshift's limit
	maxFileName   = 230        // bytes, leaving room for suffixes in the usual 255
)

// rowGroups sets how many rows the engine stores, and compresses, as one piece. A piece of documents of a kilobyte
// is then what two batches of a snapshot bring, and is not written again and again while it grows. And it is just
// what one block of the engine's notes on deleted rows covers, of which there is one per piece: with larger or
// smaller pieces a table of ten million rows whose rows change everywhere does not fit into the memory limit.
const rowGroups = " (ROW_GROUP_SIZE 30720)"

// reservedDatabases are the engine's own catalogues.
var reservedDatabases = []string{"system", "temp", "memory", "main", "engine", systemCatalog, internalSchema}

// fileName returns the database's file: its name, with every byte but lower-case letters, digits, "_" and "-"
// as %XX, so that neither a path nor a file system that ignores case can confuse two names.
func fileName(database string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(database) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String() + fileSuffix
}

// databaseName is the inverse of fileName; ok is false for a file that is not a database's.
func databaseName(file string) (_ string, ok bool) {
	name, ok := strings.CutSuffix(file, fileSuffix)
	if !ok || name == "" {
		return "", false
	}
	var b []byte
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b = append(b, name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", false
		}
		hi, lo := strings.IndexByte("0123456789ABCDEF", name[i+1]), strings.IndexByte("0123456789ABCDEF", name[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		b = append(b, byte(hi<<4|lo))
		i += 2
	}
	return string(b), fileName(string(b)) == file
}

func checkName(database string) error {
	switch {
	case database == "":
		return fault.New(fault.Invalid, SubjectDatabase, "a database needs a name")
	case len(database) > maxName:
		return fault.New(fault.Invalid, SubjectDatabase, "the database name %.40q... is longer than %d bytes", database, maxName)
	case len(fileName(database)) > maxFileName:
		return fault.New(fault.Invalid, SubjectDatabase, "the database name %.40q... has too many special characters; use fewer or a shorter name", database)
	case strings.IndexByte(database, 0) >= 0:
		return fault.New(fault.Invalid, SubjectDatabase, "the database name %q holds a NUL character", database)
	case slices.Contains(reservedDatabases, strings.ToLower(database)) || strings.HasPrefix(strings.ToLower(database), "penstock_"):
		return fault.New(fault.Invalid, SubjectDatabase, "the database name %q is reserved; choose another", database)
	}
	return nil
}

func unknownDatabase(name string) error {
	return fault.New(fault.NotFound, SubjectDatabase, "database %q does not exist", name)
}

// database finds a database. DuckDB's names do not tell upper case from lower, so nothing here does.
func (e *engine) database(ctx context.Context, name string) (*dbState, error) {
	db := e.databases[strings.ToLower(name)]
	if db == nil {
		return nil, unknownDatabase(name)
	}
	if db.err == nil && e.refuses(db.name) {
		if err := e.reattach(ctx, db); err != nil {
			return nil, err
		}
	}
	if db.err != nil {
		return nil, fault.Wrap(db.err, fault.Unavailable, SubjectDatabase,
			"database %q cannot be opened; the server's log says why. Its file is %s", db.name, e.path(dataDir, fileName(db.name)))
	}
	return db, nil
}

// reattach makes a database usable again that the engine has given up because it could not be checkpointed, as
// on a full disk. What was committed is in its file and its log. The caller holds Warehouse.mu.
func (e *engine) reattach(ctx context.Context, db *dbState) error {
	ctx = context.WithoutCancel(ctx)
	if err := e.cutIdle(func(s *Session) bool { return s.db == db }); err != nil {
		return err
	}
	e.w.o.Log.Warn("a database is opened again after a failed checkpoint", "database", db.name)
	if err := e.detach(ctx, db.name); err != nil {
		return e.classify(ctx, err)
	}
	e.mu.Lock()
	delete(e.invalid, db.name)
	e.mu.Unlock()
	db.err = e.attach(ctx, db.name)
	return nil
}

// attachAll finishes what a dead process began and attaches every database. One that cannot be attached does
// not keep the others from working (invariant 7).
func (e *engine) attachAll(ctx context.Context) error {
	entries, err := os.ReadDir(e.path(dataDir))
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, SubjectWarehouse, "the warehouse's directory %s cannot be read", e.path(dataDir))
	}
	present := map[string]bool{}
	for _, entry := range entries {
		present[entry.Name()] = true
	}
	for name := range present {
		base := strings.TrimSuffix(name, walSuffix)
		// A log without its database would be replayed into the next database of that name.
		orphan := base != name && !present[base]
		if strings.HasSuffix(base, newSuffix) || strings.HasSuffix(base, droppedSuffix) || orphan {
			if err := os.Remove(e.path(dataDir, name)); err != nil {
				return fault.Wrap(err, fault.Unavailable, SubjectWarehouse, "the left-over file %s cannot be removed", e.path(dataDir, name))
			}
		}
	}
	for name := range present {
		database, ok := databaseName(name)
		if !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		db := &dbState{name: database}
		if db.err = e.attach(ctx, database); db.err != nil {
			e.w.o.Log.Error("a database cannot be opened", "database", database, "file", e.path(dataDir, name), "err", db.err)
		}
		e.databases[strings.ToLower(database)] = db
	}
	return nil
}

// attach makes an existing file available under its name, with the internal tables of this version.
func (e *engine) attach(ctx context.Context, name string) error {
	file, err := filepath.Abs(e.path(dataDir, fileName(name)))
	if err != nil {
		return err
	}
	if _, err := e.admin.exec(ctx, "ATTACH "+literal(file)+" AS "+ident(name)+rowGroups); err != nil {
		return err
	}
	err = e.prepareLayout(ctx, name)
	if err != nil {
		err = errors.Join(err, e.detach(ctx, name))
	}
	return err
}

// detach is not cancelled: it undoes.
func (e *engine) detach(ctx context.Context, name string) error {
	_, err := e.admin.exec(context.WithoutCancel(ctx), "DETACH "+ident(name))
	return err
}

// Databases returns the names of the databases in order.
func (w *Warehouse) Databases(ctx context.Context) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e, err := w.engine(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(e.databases))
	for _, db := range e.databases {
		names = append(names, db.name)
	}
	slices.Sort(names)
	return names, nil
}

// CreateDatabase makes an empty database with a schema "public". createdBy is the id of the statement that
// asks for it, or empty: where the database exists and the same statement made it, there is no error, so that
// a statement run again after a crash has its effect once.
func (w *Warehouse) CreateDatabase(ctx context.Context, name, owner, createdBy string) error {
	if err := checkName(name); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e, err := w.engine(ctx)
	if err != nil {
		return err
	}
	if db := e.databases[strings.ToLower(name)]; db != nil {
		if createdBy != "" && db.err == nil {
			by, err := e.admin.one(ctx, "SELECT value FROM "+ident(db.name)+".penstock.properties WHERE name = 'created_by'")
			if err != nil {
				return e.classify(ctx, err)
			}
			if by != nil && by[0] == createdBy {
				return nil
			}
		}
		return fault.New(fault.AlreadyExists, SubjectDatabase, "database %q already exists", db.name)
	}
	if err := e.build(ctx, name, owner, createdBy); err != nil {
		return e.classify(ctx, err)
	}
	if err := e.attach(ctx, name); err != nil {
		return e.classify(ctx, err)
	}
	e.databases[strings.ToLower(name)] = &dbState{name: name}
	return e.classify(ctx, e.defineViews(ctx))
}

// build writes a complete database file and puts it in its place.
func (e *engine) build(ctx context.Context, name, owner, createdBy string) (err error) {
	const alias = "penstock_new"
	file, err := filepath.Abs(e.path(dataDir, fileName(name)))
	if err != nil {
		return err
	}
	part := file + newSuffix
	defer func() {
		if err != nil {
			err = errors.Join(err, removeAll(part, part+walSuffix))
		}
	}()
	if err := removeAll(part, part+walSuffix, file+walSuffix); err != nil {
		return err
	}
	if _, err := e.admin.exec(ctx, "ATTACH "+literal(part)+" AS "+alias+rowGroups); err != nil {
		return err
	}
	err = e.prepareLayout(ctx, alias)
	if err == nil {
		_, err = e.admin.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+alias+".public")
	}
	if err == nil {
		_, err = e.admin.exec(ctx, "INSERT OR REPLACE INTO "+alias+".penstock.properties VALUES ('owner', ?), ('created_by', ?), ('created', ?)",
			owner, createdBy, e.w.o.Now().UTC().Format(time.RFC3339Nano))
	}
	if err == nil {
		// Statements that look through all databases have transactions in this one, too: wait for them.
		_, err = e.admin.exec(ctx, "FORCE CHECKPOINT "+alias)
	}
	if err = errors.Join(err, e.detach(ctx, alias)); err != nil {
		return err
	}
	if err := os.Rename(part, file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// DropDatabase removes a database and its file. One with sessions on it is not dropped.
func (w *Warehouse) DropDatabase(ctx context.Context, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	e, err := w.engine(ctx)
	if err != nil {
		return err
	}
	db := e.databases[strings.ToLower(name)]
	if db == nil {
		return unknownDatabase(name)
	}
	if err := e.unused(db, "dropped"); err != nil {
		return err
	}
	delete(e.databases, strings.ToLower(name))
	defer w.replicas.forget(name)
	if err := e.defineViews(ctx); err != nil {
		e.databases[strings.ToLower(name)] = db
		return e.classify(ctx, err)
	}
	if db.err == nil {
		if err := e.detach(ctx, db.name); err != nil {
			return e.classify(ctx, err)
		}
	}
	file := e.path(dataDir, fileName(db.name))
	// The log goes first once the file has its other name: alone it would be read into the next database of
	// this name.
	if err = os.Rename(file, file+droppedSuffix); err == nil {
		err = errors.Join(removeAll(file+walSuffix, file+droppedSuffix), syncDir(filepath.Dir(file)))
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, SubjectDatabase, "the file of database %q could not be removed", db.name)
	}
	return nil
}

// RenameDatabase gives a database another name. One with sessions on it is not renamed.
func (w *Warehouse) RenameDatabase(ctx context.Context, from, to string) error {
	if err := checkName(to); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e, err := w.engine(ctx)
	if err != nil {
		return err
	}
	db, err := e.database(ctx, from)
	if err != nil {
		return err
	}
	if other := e.databases[strings.ToLower(to)]; other != nil && other != db {
		return fault.New(fault.AlreadyExists, SubjectDatabase, "database %q already exists", other.name)
	}
	if err := e.unused(db, "renamed"); err != nil {
		return err
	}
	delete(e.databases, strings.ToLower(from))
	defer w.replicas.forget(from)
	defer w.replicas.forget(to)
	err = e.defineViews(ctx)
	if err == nil {
		err = e.move(ctx, db, to)
	}
	e.databases[strings.ToLower(db.name)] = db // under the new name, or the old one after a failure
	if errors.Join(err, db.err) == nil {
		err = e.defineViews(ctx)
	}
	return e.classify(ctx, err)
}

// move renames the file of a database nobody uses, and db with it. Whatever fails, db says what is attached.
func (e *engine) move(ctx context.Context, db *dbState, to string) error {
	// The log must be empty: it belongs to the file by name.
	if err := e.admin.script(ctx, "FORCE CHECKPOINT "+ident(db.name), "DETACH "+ident(db.name)); err != nil {
		return err
	}
	from, target := e.path(dataDir, fileName(db.name)), e.path(dataDir, fileName(to))
	err := removeAll(target + walSuffix)
	if _, wal := os.Stat(from + walSuffix); err == nil && wal == nil {
		err = fault.New(fault.Conflict, SubjectDatabase, "database %q is still being written; try again", db.name)
	}
	if err == nil {
		err = os.Rename(from, target)
	}
	if err == nil {
		db.name = to
		err = syncDir(filepath.Dir(target))
	}
	db.err = e.attach(ctx, db.name)
	return errors.Join(err, db.err)
}

// unused fails while there are sessions on the database.
func (e *engine) unused(db *dbState, done string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for s := range e.sessions {
		if s.db == db {
			n++
		}
	}
	if n > 0 {
		return fault.New(fault.State, SubjectDatabase, "database %q is being accessed by %d other session(s) and cannot be %s; close them first", db.name, n, done)
	}
	return nil
}

func removeAll(files ...string) error {
	var errs []error
	for _, f := range files {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// syncDir makes renames in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
