package sqlite

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks a SQLite file as ours: "Pens".
const applicationID = 0x50656e73

// migrate brings the schema up to date. It asks for the version first, since that takes a tenth of the time that
// the migration tool needs to find nothing to do.
func (db *DB) migrate(ctx context.Context) error {
	target, err := newest()
	if err != nil {
		return err
	}
	current, err := db.version(ctx)
	switch {
	case err != nil:
		return err
	case current == target:
		return nil
	case current > target:
		return fmt.Errorf("the metadata database %s has version %d of its schema and this penstock knows versions up to %d; run the newer penstock that wrote it, or give this one another directory with --data-dir", db.path, current, target)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.writer, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err := db.writer.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return db.fault(ctx, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("cannot bring the metadata database %s from version %d of its schema to %d: %w", db.path, current, target, db.fault(ctx, err))
	}
	return nil
}

// newest is the version of the last migration.
func newest() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	var last int64
	for _, name := range names {
		n, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		last = max(last, n)
	}
	return last, nil
}

// version is the version of the schema in the file, 0 for an empty one.
func (db *DB) version(ctx context.Context) (int64, error) {
	var id, objects, versions, version int64
	err := db.writer.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema), "+
		"(SELECT count(*) FROM sqlite_schema WHERE name = ?)", goose.DefaultTablename).Scan(&id, &objects, &versions)
	switch {
	case err != nil:
		return 0, db.fault(ctx, err)
	case objects > 0 && id != applicationID:
		return 0, fmt.Errorf("%s is a database of another program; move it away, or give penstock another directory with --data-dir", db.path)
	case versions == 0:
		return 0, nil
	}
	err = db.writer.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+goose.DefaultTablename+" WHERE is_applied").Scan(&version)
	return version, db.fault(ctx, err)
}
