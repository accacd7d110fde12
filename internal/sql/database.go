package sql

import (
	"context"
	"slices"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/sql/dialect"
	"github.com/penstock-io/penstock/internal/statements"
)

// MaxDatabases is Redshift's quota of user databases per cluster.
const MaxDatabases = 60

func (s *Session) createDatabase(ctx context.Context, c *dialect.CreateDatabase, id string) error {
	if c.IntegrationID != "" {
		return fault.New(fault.Unsupported, SubjectDatabase, "CREATE DATABASE ... FROM INTEGRATION is not supported yet: it is for DynamoDB sources. "+
			"Files of an S3 event integration are loaded by a COPY job: COPY table FROM 's3://bucket/prefix' IAM_ROLE 'arn' CSV JOB CREATE name")
	}
	all, err := s.warehouse.Databases(ctx)
	if err != nil {
		return err
	}
	if len(all) >= MaxDatabases && !slices.Contains(all, c.Name) {
		return fault.New(fault.Limit, SubjectDatabase, "the warehouse has %d databases, as many as it may have; drop one first", len(all))
	}
	return s.warehouse.CreateDatabase(ctx, c.Name, s.user, id)
}

func (s *Session) alterDatabase(ctx context.Context, a *dialect.AlterDatabase) error {
	switch {
	case a.Refresh != nil || a.Set != nil:
		return fault.New(fault.Unsupported, SubjectDatabase, "ALTER DATABASE ... INTEGRATION is not supported yet: it is for databases made from a DynamoDB integration")
	case a.RenameTo != "" && a.Name == s.database:
		return fault.New(fault.Invalid, SubjectDatabase, "current database may not be renamed")
	case a.RenameTo != "":
		err := s.warehouse.RenameDatabase(ctx, a.Name, a.RenameTo)
		if s.Again && fault.Is(err, fault.NotFound, "") {
			if all, listErr := s.warehouse.Databases(ctx); listErr == nil && slices.Contains(all, a.RenameTo) {
				return nil
			}
		}
		return err
	}
	// Owner, connection limit, collation and isolation have nothing to act on here; the database must exist.
	all, err := s.warehouse.Databases(ctx)
	if err == nil && !slices.Contains(all, a.Name) {
		err = noDatabase(a.Name)
	}
	return err
}

func (s *Session) dropDatabase(ctx context.Context, d *dialect.DropDatabase) error {
	if d.Name == s.database {
		return fault.New(fault.Invalid, SubjectDatabase, "cannot drop the currently open database")
	}
	err := s.warehouse.DropDatabase(ctx, d.Name)
	if (d.IfExists || s.Again) && fault.Is(err, fault.NotFound, "") {
		return nil
	}
	return err
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
