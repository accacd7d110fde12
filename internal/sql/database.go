package sql

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/sql/dialect"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// MaxDatabases is Redshift's quota of user databases per cluster.
const MaxDatabases = 60

func (s *Session) createDatabase(ctx context.Context, c *dialect.CreateDatabase, id string) error {
	all, err := s.warehouse.Databases(ctx)
	if err != nil {
		return err
	}
	if len(all) >= MaxDatabases && !slices.Contains(all, c.Name) {
		return fault.New(fault.Limit, SubjectDatabase, "the warehouse has %d databases, as many as it may have; drop one first", len(all))
	}
	if c.IntegrationID == "" {
		return s.warehouse.CreateDatabase(ctx, c.Name, s.user, id)
	}
	return s.createDestination(ctx, c, id)
}

// createDestination is CREATE DATABASE ... FROM INTEGRATION. The database is made first and connected then, so
// that a crash in between leaves an ordinary database, which the statement finds made by itself when it runs again.
func (s *Session) createDestination(ctx context.Context, c *dialect.CreateDatabase, id string) error {
	if c.SourceDatabase != "" {
		return fault.New(fault.Invalid, SubjectDatabase, "DATABASE %q: a DynamoDB integration has no source database; leave the clause out", c.SourceDatabase)
	}
	options, err := destinationOptions(c.Options)
	if err != nil {
		return err
	}
	if err := s.parts.Destinations.CheckDestination(ctx, c.IntegrationID, s.warehouseID, c.Name, id, options); err != nil {
		return err
	}
	if err := s.warehouse.CreateDatabase(ctx, c.Name, s.user, id); err != nil {
		return err
	}
	if err := s.parts.Destinations.Connect(ctx, c.IntegrationID, s.warehouseID, c.Name, id, options); err != nil {
		return errors.Join(err, s.warehouse.DropDatabase(ctx, c.Name))
	}
	return nil
}

func destinationOptions(o dialect.IntegrationOptions) (zeroetl.DestinationOptions, error) {
	if o.HistoryMode != nil && *o.HistoryMode {
		return zeroetl.DestinationOptions{}, fault.New(fault.Unsupported, SubjectDatabase, "HISTORY_MODE is not supported yet; leave it out or set it to FALSE")
	}
	// AUTO_REMEDIATION has nothing to do: it repairs duplicates, and there are none.
	return zeroetl.DestinationOptions{
		QueryAllStates: o.QueryAllStates, AcceptInvChars: o.AcceptInvChars, TruncateColumns: o.TruncateColumns, RefreshInterval: o.RefreshInterval,
	}, nil
}

func (s *Session) alterDatabase(ctx context.Context, a *dialect.AlterDatabase) error {
	switch {
	case a.Refresh != nil:
		return s.refresh(ctx, a.Name, a.Refresh)
	case a.Set != nil:
		options, err := destinationOptions(a.Set.Options)
		if err != nil {
			return err
		}
		return s.parts.Destinations.Configure(ctx, s.warehouseID, a.Name, options)
	case a.RenameTo != "" && a.Name == s.database:
		return fault.New(fault.Invalid, SubjectDatabase, "current database may not be renamed")
	case a.RenameTo != "":
		return s.renameDatabase(ctx, a.Name, a.RenameTo)
	}
	// Owner, connection limit, collation and isolation have nothing to act on here; the database must exist.
	all, err := s.warehouse.Databases(ctx)
	if err == nil && !slices.Contains(all, a.Name) {
		err = noDatabase(a.Name)
	}
	return err
}

func (s *Session) renameDatabase(ctx context.Context, from, to string) error {
	if i, ok, err := s.parts.Destinations.ByDatabase(ctx, s.warehouseID, from); err != nil {
		return err
	} else if ok {
		return fault.New(fault.Unsupported, SubjectDatabase, "database %q is replicated into by the integration %q and cannot be renamed; drop it and make it again under the other name", from, i.Name)
	}
	err := s.warehouse.RenameDatabase(ctx, from, to)
	if s.Again && fault.Is(err, fault.NotFound, "") {
		if all, listErr := s.warehouse.Databases(ctx); listErr == nil && slices.Contains(all, to) {
			return nil
		}
	}
	return err
}

// refresh is ALTER DATABASE ... INTEGRATION REFRESH. A DynamoDB integration has one table.
func (s *Session) refresh(ctx context.Context, database string, t *dialect.Tables) error {
	i, ok, err := s.parts.Destinations.ByDatabase(ctx, s.warehouseID, database)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.NotFound, zeroetl.SubjectDestination, "the database %q was not made from an integration", database)
	}
	table := i.SourceARN[strings.LastIndexByte(i.SourceARN, '/')+1:]
	for _, schema := range t.Schemas {
		if schema != "public" {
			return fault.New(fault.NotFound, SubjectDatabase, "database %q has its table in the schema public, and none in %q", database, schema)
		}
	}
	for _, n := range t.Names {
		if n.Table != table || n.Schema != "" && n.Schema != "public" || n.Database != "" && n.Database != database {
			return fault.New(fault.NotFound, dialect.SubjectRelation, "%s is not a table of the integration %q; its table is public.%s", n, i.Name, dialect.Name{Table: table})
		}
	}
	switch t.Which {
	case dialect.RemediableTables:
		return nil // those with duplicate rows, and there are none
	case dialect.InErrorTables:
		if state, _, ok, err := s.warehouse.ReplicaState(ctx, database, "public", table); err != nil || !ok || state != "Failed" {
			return err
		}
	}
	return s.parts.Destinations.RequestRefresh(ctx, s.warehouseID, database)
}

func (s *Session) dropDatabase(ctx context.Context, d *dialect.DropDatabase) error {
	if d.Name == s.database {
		return fault.New(fault.Invalid, SubjectDatabase, "cannot drop the currently open database")
	}
	// What is replicated into the database stops first; that it has stopped shows when nobody is on it any more.
	_, replicated, err := s.parts.Destinations.ByDatabase(ctx, s.warehouseID, d.Name)
	if err == nil && replicated {
		err = s.parts.Destinations.Disconnect(ctx, s.warehouseID, d.Name)
	}
	if err != nil {
		return err
	}
	err = s.warehouse.DropDatabase(ctx, d.Name)
	inUse := func() bool { k := fault.KindOf(err); return k == fault.State || k == fault.Conflict }
	for deadline := s.parts.Now().Add(stopWait); replicated && inUse() && s.parts.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		err = s.warehouse.DropDatabase(ctx, d.Name)
	}
	if (d.IfExists || s.Again) && fault.Is(err, fault.NotFound, "") {
		return nil
	}
	return err
}

// stopWait is how long DROP DATABASE waits for replication to stop.
const stopWait = 20 * time.Second

// writable refuses changes of a database that an integration writes to: only its source can change it.
func (s *Session) writable(ctx context.Context, what string) error {
	i, ok, err := s.parts.Destinations.ByDatabase(ctx, s.warehouseID, s.database)
	if err == nil && ok {
		err = fault.New(fault.Denied, SubjectDatabase, "cannot execute %s in database %q: it is replicated from %s by the integration %q and read-only. Make tables and views in another database; they can read this one by three-part names",
			what, s.database, i.SourceARN, i.Name)
	}
	return err
}

// readable refuses to select from a replicated table that is not in step with its source, unless the database was
// set to QUERY_ALL_STATES.
func (s *Session) readable(ctx context.Context, names []dialect.Name) error {
	for _, n := range names {
		database := n.Database
		if database == "" {
			database = s.database
		}
		i, ok, err := s.parts.Destinations.ByDatabase(ctx, s.warehouseID, database)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		schema := n.Schema
		if schema == "" {
			schema = "public"
		}
		state, reason, ok, err := s.warehouse.ReplicaState(ctx, database, schema, n.Table)
		if err != nil {
			return err
		}
		if !ok || state == "Synced" || state == "DroppedSource" || i.Destination.QueryAllStates {
			continue
		}
		if reason != "" {
			reason = " (" + reason + ")"
		}
		return fault.New(fault.State, dialect.SubjectRelation, "table %s is not available for querying right now: it is %s%s. Try again when it is Synced, or run ALTER DATABASE %s INTEGRATION SET QUERY_ALL_STATES TRUE",
			n, state, reason, dialect.Name{Table: database})
	}
	return nil
}

// use connects to another database of the warehouse, as USE does.
func (s *Session) use(ctx context.Context, database string) error {
	conn, err := s.warehouse.Connect(ctx, database, s.user)
	if err != nil {
		return err
	}
	old := s.conn
	s.conn, s.database = conn, database
	delete(s.settings, "search_path")
	return old.Close()
}

func noDatabase(name string) error {
	return fault.New(fault.NotFound, SubjectDatabase, "database %q does not exist", name)
}

// set keeps a setting. Only the search path means something to the engine; the others are known to be
// harmless, or the dialect would have refused them.
func (s *Session) set(ctx context.Context, st *dialect.Set) error {
	if st.Default {
		return s.reset(ctx, &dialect.Reset{Name: st.Name})
	}
	if st.Name == "search_path" {
		if err := s.conn.SetSearchPath(ctx, st.Values); err != nil {
			return err
		}
	}
	s.settings[st.Name] = joinList(st.Values)
	return nil
}

func (s *Session) reset(ctx context.Context, r *dialect.Reset) error {
	if r.Name == "" || r.Name == "search_path" {
		if err := s.conn.SetSearchPath(ctx, nil); err != nil {
			return err
		}
	}
	if r.Name == "" {
		clear(s.settings)
	}
	delete(s.settings, r.Name)
	return nil
}

// settingDefaults are what SHOW answers for settings nobody has set.
var settingDefaults = map[string]string{
	"search_path": `"$user", public`, "datestyle": "ISO, MDY", "timezone": "UTC", "query_group": "default",
	"statement_timeout": "0", "enable_case_sensitive_identifier": "on", "enable_case_sensitive_super_attribute": "off",
	"client_encoding": "UTF8", "server_version": "8.0.2", "extra_float_digits": "0", "autocommit": "on",
}

func (s *Session) show(st *dialect.Show, out Sink) (Outcome, error) {
	if st.Name != "" {
		return rowsOf(out, textColumns(st.Name), [][]statements.Value{{s.setting(st.Name)}})
	}
	var rows [][]statements.Value
	names := make([]string, 0, len(settingDefaults))
	for n := range settingDefaults {
		names = append(names, n)
	}
	for n := range s.settings {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for _, n := range names {
		rows = append(rows, []statements.Value{n, s.setting(n)})
	}
	return rowsOf(out, textColumns("name", "setting"), rows)
}

func (s *Session) setting(name string) string {
	if v, ok := s.settings[name]; ok {
		return v
	}
	return settingDefaults[name]
}

// searchPath is the schemas unqualified names are looked up in.
func (s *Session) searchPath() []string {
	v, ok := s.settings["search_path"]
	if !ok {
		return []string{"public"}
	}
	return splitList(v)
}

// showObjects answers SHOW DATABASES, SCHEMAS, TABLES and COLUMNS with the columns Redshift prints that
// mean something here.
func (s *Session) showObjects(ctx context.Context, st *dialect.ShowObjects, out Sink) (Outcome, error) {
	database := st.Name.Database
	if database == "" {
		database = s.database
	}
	var cols []statements.Column
	var rows [][]statements.Value
	add := func(row ...statements.Value) {
		if st.Limit == 0 || len(rows) < st.Limit {
			rows = append(rows, row)
		}
	}
	switch st.What {
	case "databases":
		cols = textColumns("database_name")
		all, err := s.warehouse.Databases(ctx)
		if err != nil {
			return Outcome{}, err
		}
		for _, d := range all {
			if like(d, st.Like) {
				add(d)
			}
		}
	case "schemas":
		cols = textColumns("database_name", "schema_name")
		all, err := s.conn.Schemas(ctx, database, st.Like)
		if err != nil {
			return Outcome{}, err
		}
		for _, name := range all {
			add(database, name)
		}
	case "tables":
		cols = textColumns("database_name", "schema_name", "table_name", "table_type")
		all, err := s.conn.Tables(ctx, database, st.Name.Schema, st.Like)
		if err != nil {
			return Outcome{}, err
		}
		for _, t := range all {
			add(database, t.Schema, t.Name, t.Type)
		}
	case "columns":
		cols = textColumns("database_name", "schema_name", "table_name", "column_name", "data_type")
		all, err := s.conn.Columns(ctx, database, st.Name.Schema, st.Name.Table)
		if err != nil {
			return Outcome{}, err
		}
		if all == nil {
			return Outcome{}, fault.New(fault.NotFound, dialect.SubjectRelation, "relation %q does not exist", st.Name)
		}
		for _, c := range all {
			if like(c.Name, st.Like) {
				add(database, st.Name.Schema, st.Name.Table, c.Name, c.TypeName)
			}
		}
	default:
		return Outcome{}, fault.New(fault.Unsupported, SubjectStatement, "SHOW %s is not supported yet", st.What)
	}
	return rowsOf(out, cols, rows)
}
