package redshiftdata

import (
	"context"

	api "github.com/penstock-io/penstock/internal/awsapi/redshiftdata"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/statements"
)

func (f *Front) executeStatement(ctx context.Context, caller identity.Caller, in *api.ExecuteStatementInput) (*api.ExecuteStatementOutput, error) {
	st, err := f.submit(ctx, caller, api.BatchExecuteStatementInput{
		Sqls: []string{member.Text(in.Sql)}, ClusterIdentifier: in.ClusterIdentifier, SecretArn: in.SecretArn, DbUser: in.DbUser, Database: in.Database,
		WithEvent: in.WithEvent, StatementName: in.StatementName, Parameters: in.Parameters, WorkgroupName: in.WorkgroupName,
		ClientToken: in.ClientToken, ResultFormat: in.ResultFormat, SessionKeepAliveSeconds: in.SessionKeepAliveSeconds, SessionId: in.SessionId,
	}, false)
	if err != nil {
		return nil, err
	}
	out := api.ExecuteStatementOutput(submitted(&st))
	return &out, nil
}

func (f *Front) batchExecuteStatement(ctx context.Context, caller identity.Caller, in *api.BatchExecuteStatementInput) (*api.BatchExecuteStatementOutput, error) {
	st, err := f.submit(ctx, caller, *in, true)
	if err != nil {
		return nil, err
	}
	out := submitted(&st)
	return &out, nil
}

func (f *Front) submit(ctx context.Context, caller identity.Caller, in api.BatchExecuteStatementInput, batch bool) (statements.Statement, error) {
	none := statements.Statement{}
	if member.True(in.WithEvent) {
		return none, fault.New(fault.Unsupported, subjectEvent, "WithEvent is true, but there is no event bus to send an event to; leave WithEvent out and ask DescribeStatement")
	}
	p := statements.SubmitParams{
		Cluster: member.Text(in.ClusterIdentifier), Workgroup: member.Text(in.WorkgroupName), Database: member.Text(in.Database), DbUser: member.Text(in.DbUser),
		SecretARN: member.Text(in.SecretArn), Name: member.Text(in.StatementName), Owner: caller.Owner(), ClientToken: member.Text(in.ClientToken),
		SessionID: member.Text(in.SessionId), Batch: batch, Format: member.Text(in.ResultFormat),
	}
	if in.SessionKeepAliveSeconds != nil {
		p.SessionKeepAlive = int(*in.SessionKeepAliveSeconds)
	}
	for _, param := range in.Parameters {
		p.Parameters = append(p.Parameters, statements.Parameter{Name: member.Text(param.Name), Value: member.Text(param.Value)})
	}
	for _, sql := range in.Sqls {
		p.SQLs = append(p.SQLs, f.redact(sql))
	}
	if p.SessionID == "" {
		w, err := f.find(ctx, in.ClusterIdentifier, in.WorkgroupName)
		if err != nil {
			return none, err
		}
		if p.Database == "" {
			return none, fault.New(fault.Invalid, subjectDatabase, "Database needs to be specified; %q is the first database of this data warehouse", w.Database)
		}
		p.WarehouseID, p.User = w.ID, databaseUser(caller, p.DbUser)
	} else if p.Cluster != "" || p.Workgroup != "" {
		return none, fault.New(fault.Invalid, subjectTarget, "ClusterIdentifier and WorkgroupName cannot be specified together with SessionId; a session stays where it was opened")
	}
	st, err := f.statements.Submit(ctx, p)
	return st, missing(err, p.SessionID)
}

// submitted answers both calls. The user is left out where a secret would have named it.
func submitted(st *statements.Statement) api.BatchExecuteStatementOutput {
	return api.BatchExecuteStatementOutput{
		Id: &st.ID, CreatedAt: &st.Created, ClusterIdentifier: member.Some(st.Cluster), WorkgroupName: member.Some(st.Workgroup), Database: member.Some(st.Database),
		DbUser: shownUser(st), SecretArn: member.Some(st.SecretARN), SessionId: member.Some(st.SessionID),
	}
}

func shownUser(st *statements.Statement) *string {
	if st.SecretARN != "" {
		return member.Some(st.DbUser)
	}
	return member.Some(st.User)
}
