package redshiftdata

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	api "github.com/penstock-io/penstock/internal/awsapi/redshiftdata"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/statements"
)

// maxResults is how many entries a page of these lists has at most, and by default.
const maxResults = 1000

// pageSize is the number of entries asked for; 0 asks for the default, as on AWS.
func pageSize(wish *int32) (int, error) {
	size, err := page.Size(member.Number(wish), 0, maxResults)
	if size == 0 {
		size = maxResults
	}
	return size, err
}

// open finds the data warehouse and makes sure that the databases are there: the one looked into, and the one to
// connect to where it is another.
func (f *Front) open(ctx context.Context, cluster, workgroup, database, connected *string) (warehouseID string, databases []string, err error) {
	w, err := f.find(ctx, cluster, workgroup)
	if err != nil {
		return "", nil, unreadable(err, member.Text(database))
	}
	all, err := f.catalog.Databases(ctx, w.ID)
	if err != nil {
		return "", nil, unreadable(err, member.Text(database))
	}
	for _, name := range []*string{connected, database} {
		if name != nil && !slices.Contains(all, *name) {
			return "", nil, missing(fault.New(fault.NotFound, subjectDatabase, "FATAL: database %q does not exist", *name), *name)
		}
	}
	return w.ID, all, nil
}

func (f *Front) listDatabases(ctx context.Context, _ identity.Caller, in *api.ListDatabasesRequest) (*api.ListDatabasesResponse, error) {
	size, err := pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	_, all, err := f.open(ctx, in.ClusterIdentifier, in.WorkgroupName, in.Database, nil)
	if err != nil {
		return nil, err
	}
	part, token, err := cut(all, "databases", member.Text(in.NextToken), size)
	return &api.ListDatabasesResponse{Databases: part, NextToken: token}, err
}

func (f *Front) listSchemas(ctx context.Context, _ identity.Caller, in *api.ListSchemasRequest) (*api.ListSchemasResponse, error) {
	size, err := pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	warehouseID, _, err := f.open(ctx, in.ClusterIdentifier, in.WorkgroupName, in.Database, in.ConnectedDatabase)
	if err != nil {
		return nil, err
	}
	all, err := f.catalog.Schemas(ctx, warehouseID, member.Text(in.Database), member.Text(in.SchemaPattern))
	if err != nil {
		return nil, unreadable(err, member.Text(in.Database))
	}
	part, token, err := cut(all, "schemas", member.Text(in.NextToken), size)
	return &api.ListSchemasResponse{Schemas: part, NextToken: token}, err
}

// cut returns the page of names after token, in order, and the next token, nil on the last page.
func cut(all []string, list, token string, size int) ([]string, *string, error) {
	all = slices.Sorted(slices.Values(all))
	if token != "" {
		last, err := page.Parse(list, token, 1)
		if err != nil {
			return nil, nil, err
		}
		n, found := slices.BinarySearch(all, last[0])
		if found {
			n++
		}
		all = all[n:]
	}
	switch {
	case len(all) == 0:
		return []string{}, nil, nil
	case len(all) <= size:
		return all, nil, nil
	default:
		return all[:size], new(page.Marker(list, all[size-1])), nil
	}
}

func (t Table) compare(o Table) int {
	return cmp.Or(strings.Compare(t.Schema, o.Schema), strings.Compare(t.Name, o.Name))
}

func (f *Front) listTables(ctx context.Context, _ identity.Caller, in *api.ListTablesRequest) (*api.ListTablesResponse, error) {
	size, err := pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	var after Table
	if token := member.Text(in.NextToken); token != "" {
		last, err := page.Parse("tables", token, 2)
		if err != nil {
			return nil, err
		}
		after = Table{Schema: last[0], Name: last[1]}
	}
	warehouseID, _, err := f.open(ctx, in.ClusterIdentifier, in.WorkgroupName, in.Database, in.ConnectedDatabase)
	if err != nil {
		return nil, err
	}
	all, err := f.catalog.Tables(ctx, warehouseID, member.Text(in.Database), member.Text(in.SchemaPattern), member.Text(in.TablePattern))
	if err != nil {
		return nil, unreadable(err, member.Text(in.Database))
	}
	all = slices.SortedFunc(slices.Values(all), Table.compare)
	all = all[sortedAfter(all, after):]
	out := &api.ListTablesResponse{Tables: []api.TableMember{}}
	for n := range all {
		if n == size {
			out.NextToken = new(page.Marker("tables", all[n-1].Schema, all[n-1].Name))
			break
		}
		out.Tables = append(out.Tables, api.TableMember{Name: &all[n].Name, Type: &all[n].Type, Schema: &all[n].Schema})
	}
	return out, nil
}

// sortedAfter returns the index of the first table behind after, in order. The zero Table is before all.
func sortedAfter(all []Table, after Table) int {
	n, found := slices.BinarySearchFunc(all, after, Table.compare)
	if found {
		n++
	}
	return n
}

// describeTable lists the columns of a table; without its name, of all tables of the schema, and without either of
// all tables. A table without a schema is looked for in all of them.
func (f *Front) describeTable(ctx context.Context, _ identity.Caller, in *api.DescribeTableRequest) (*api.DescribeTableResponse, error) {
	size, err := pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	at, err := parseColumn(member.Text(in.NextToken))
	if err != nil {
		return nil, err
	}
	database := member.Text(in.Database)
	warehouseID, _, err := f.open(ctx, in.ClusterIdentifier, in.WorkgroupName, in.Database, in.ConnectedDatabase)
	if err != nil {
		return nil, err
	}
	tables := []Table{{Schema: member.Text(in.Schema), Name: member.Text(in.Table)}}
	if in.Schema == nil || in.Table == nil {
		if tables, err = f.tables(ctx, warehouseID, database, in.Schema, in.Table); err != nil {
			return nil, unreadable(err, database)
		}
	}
	var found []statements.Column
	out := &api.DescribeTableResponse{TableName: in.Table}
	for _, t := range tables {
		if t.compare(at.Table) < 0 {
			continue
		}
		cols, err := f.catalog.Columns(ctx, warehouseID, database, t.Schema, t.Name)
		if err != nil {
			return nil, unreadable(err, database)
		}
		skip := 0
		if t.compare(at.Table) == 0 {
			skip = min(at.column, len(cols))
		}
		room := size - len(found)
		if len(cols)-skip > room {
			found = append(found, cols[skip:skip+room]...)
			out.NextToken = new(column{t, skip + room}.token())
			break
		}
		found = append(found, cols[skip:]...)
	}
	if len(found) == 0 && in.Table != nil && at.column == 0 {
		return nil, missing(fault.New(fault.NotFound, subjectTable, "the table %q does not exist in the database %q", *in.Table, database), *in.Table)
	}
	out.ColumnList = columns(found)
	return out, nil
}

// tables returns the tables of these exact names in order; a nil name is any.
func (f *Front) tables(ctx context.Context, warehouseID, database string, schema, name *string) ([]Table, error) {
	all, err := f.catalog.Tables(ctx, warehouseID, database, "", "")
	if err != nil {
		return nil, err
	}
	all = slices.SortedFunc(slices.Values(all), Table.compare)
	return slices.DeleteFunc(all, func(t Table) bool {
		return schema != nil && t.Schema != *schema || name != nil && t.Name != *name
	}), nil
}

// column is a place in the list of columns: the first one of a page.
type column struct {
	Table
	column int // from 0
}

func (c column) token() string {
	return page.Marker("columns", c.Schema, c.Name, strconv.Itoa(c.column))
}

func parseColumn(token string) (column, error) {
	if token == "" {
		return column{}, nil
	}
	parts, err := page.Parse("columns", token, 3)
	if err != nil {
		return column{}, err
	}
	n, err := strconv.Atoi(parts[2])
	if err != nil || n < 0 {
		return column{}, fault.New(fault.Invalid, page.SubjectMarker, "the token %.60q is not one that this call returned; start again without it", token)
	}
	return column{Table{Schema: parts[0], Name: parts[1]}, n}, nil
}
