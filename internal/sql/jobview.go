package sql

import (
	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/statements"
)

// JobColumns are the columns of SYS_COPY_JOB: the union of what AWS's pages and users' queries name.
func JobColumns() []statements.Column {
	return []statements.Column{
		{Name: "job_id", TypeName: "int8"}, {Name: "job_name", TypeName: "varchar", Length: 128},
		{Name: "job_owner", TypeName: "varchar", Length: 128}, {Name: "database_name", TypeName: "varchar", Length: 128},
		{Name: "schema_name", TypeName: "varchar", Length: 128}, {Name: "table_name", TypeName: "varchar", Length: 128},
		{Name: "data_source", TypeName: "varchar", Length: 1024}, {Name: "iam_role", TypeName: "varchar", Length: 128},
		{Name: "job_text", TypeName: "varchar", Length: 65535}, {Name: "copy_query", TypeName: "varchar", Length: 65535},
		{Name: "is_auto", TypeName: "int4"}, {Name: "on_error_suspend", TypeName: "int4"},
		{Name: "job_create_time", TypeName: "timestamp"},
	}
}

// JobRow is one row of SYS_COPY_JOB.
func JobRow(j copyjob.Job) []statements.Value {
	auto := int64(0)
	if j.Auto {
		auto = 1
	}
	return []statements.Value{
		j.ID, j.Name, j.Owner, j.Table.Database, j.Table.Schema, j.Table.Name, "s3://" + j.Bucket + "/" + j.Prefix, j.IAMRole,
		j.Statement, j.Statement, auto, int64(0), Timestamp(j.Created),
	}
}
