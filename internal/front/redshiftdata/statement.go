package redshiftdata

import (
	"context"
	"strconv"
	"time"

	api "github.com/penstock-io/penstock/internal/awsapi/redshiftdata"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/statements"
)

// statement returns a statement of the caller's and which part of it the id means, from 1, or 0 for the whole.
func (f *Front) statement(ctx context.Context, caller identity.Caller, id string) (statements.Statement, int, error) {
	st, part, err := f.statements.Get(ctx, id)
	if err != nil {
		return statements.Statement{}, 0, missing(err, id)
	}
	if st.Owner != caller.Owner() {
		return statements.Statement{}, 0, noStatement(id)
	}
	return st, part, nil
}

func (f *Front) describeStatement(ctx context.Context, caller identity.Caller, in *api.DescribeStatementRequest) (*api.DescribeStatementResponse, error) {
	st, part, err := f.statement(ctx, caller, member.Text(in.Id))
	if err != nil {
		return nil, err
	}
	out := &api.DescribeStatementResponse{
		Id: &st.ID, ClusterIdentifier: member.Some(st.Cluster), WorkgroupName: member.Some(st.Workgroup), Database: member.Some(st.Database),
		DbUser: shownUser(&st), SecretArn: member.Some(st.SecretARN), SessionId: member.Some(st.SessionID), ResultFormat: &st.Format,
		QueryParameters: parameters(st.Parameters), RedshiftPid: &st.PID, RedshiftQueryId: &st.QueryID, CreatedAt: &st.Created,
	}
	if st.Batch && part == 0 {
		describeBatch(out, &st)
		return out, nil
	}
	one := &st.Subs[max(part, 1)-1]
	out.Status, out.Error, out.Duration, out.UpdatedAt = (*string)(&st.Status), member.Some(st.Error), duration(st.Status, st.Duration), &st.Updated
	if part > 0 {
		out.Id = new(partID(&st, part))
		out.Status, out.Error, out.UpdatedAt = (*string)(&one.Status), member.Some(one.Error), &one.Updated
		out.Duration = duration(one.Status, one.Duration)
		out.RedshiftQueryId = &one.QueryID
	}
	out.QueryString, out.HasResultSet, out.ResultRows, out.ResultSize = &one.SQL, &one.HasResultSet, &one.Rows, &one.Size
	return out, nil
}

// describeBatch shows a batch as a whole: it has a result if a part has, and rows and bytes of none.
func describeBatch(out *api.DescribeStatementResponse, st *statements.Statement) {
	out.Status, out.Error, out.Duration, out.UpdatedAt = (*string)(&st.Status), member.Some(st.Error), duration(st.Status, st.Duration), &st.Updated
	out.HasResultSet, out.ResultRows, out.ResultSize = new(false), new(int64(-1)), new(int64(-1))
	out.SubStatements = make([]api.SubStatementData, len(st.Subs))
	for n := range st.Subs {
		sub := &st.Subs[n]
		*out.HasResultSet = *out.HasResultSet || sub.HasResultSet
		out.SubStatements[n] = api.SubStatementData{
			Id: new(partID(st, n+1)), Status: (*string)(&sub.Status), Error: member.Some(sub.Error), Duration: duration(sub.Status, sub.Duration),
			CreatedAt: &sub.Created, UpdatedAt: &sub.Updated, QueryString: &sub.SQL, ResultRows: &sub.Rows, ResultSize: &sub.Size,
			RedshiftQueryId: &sub.QueryID, HasResultSet: &sub.HasResultSet,
		}
	}
}

func partID(st *statements.Statement, part int) string { return st.ID + ":" + strconv.Itoa(part) }

// duration is in nanoseconds, and -1 until there is one, as AWS shows it.
func duration(status statements.Status, ran time.Duration) *int64 {
	if !status.Done() {
		return new(int64(-1))
	}
	return new(ran.Nanoseconds())
}

func parameters(list []statements.Parameter) []api.SqlParameter {
	if len(list) == 0 {
		return nil
	}
	out := make([]api.SqlParameter, len(list))
	for n := range list {
		out[n] = api.SqlParameter{Name: &list[n].Name, Value: &list[n].Value}
	}
	return out
}

func (f *Front) cancelStatement(ctx context.Context, caller identity.Caller, in *api.CancelStatementRequest) (*api.CancelStatementResponse, error) {
	st, part, err := f.statement(ctx, caller, member.Text(in.Id))
	if err != nil {
		return nil, err
	}
	if part > 0 {
		return nil, fault.New(fault.Invalid, statements.SubjectStatement, "%s is a part of a batch, which is one transaction; cancel the batch, %s", *in.Id, st.ID)
	}
	if _, err := f.statements.Cancel(ctx, st.ID); err != nil {
		return nil, missing(err, st.ID)
	}
	return &api.CancelStatementResponse{Status: new(true)}, nil
}

// listStatements lists finished statements unless another status is asked for, as on AWS. RoleLevel makes no
// difference while there is one credential: what its role ran and what its session ran is the same.
func (f *Front) listStatements(ctx context.Context, caller identity.Caller, in *api.ListStatementsRequest) (*api.ListStatementsResponse, error) {
	filter := statements.Filter{Owner: caller.Owner(), NamePrefix: member.Text(in.StatementName), Database: member.Text(in.Database), Status: statements.Finished}
	switch s := member.Text(in.Status); s {
	case "":
	case api.StatusStringAll:
		filter.Status = ""
	default:
		filter.Status = statements.Status(s)
	}
	out := &api.ListStatementsResponse{Statements: []api.StatementData{}}
	if in.ClusterIdentifier != nil || in.WorkgroupName != nil {
		w, err := f.lookUp(ctx, in.ClusterIdentifier, in.WorkgroupName)
		if fault.KindOf(err) == fault.NotFound {
			return out, nil // nothing ran there
		}
		if err != nil {
			return nil, err
		}
		filter.WarehouseID = w.ID
	}
	page, err := f.statements.List(ctx, filter, member.Text(in.NextToken), member.Number(in.MaxResults))
	if err != nil {
		return nil, err
	}
	out.NextToken = member.Some(page.Token)
	for n := range page.Statements {
		out.Statements = append(out.Statements, listed(&page.Statements[n]))
	}
	return out, nil
}

// listed shows a statement in a list: the text of one statement, or the texts of a batch.
func listed(st *statements.Statement) api.StatementData {
	out := api.StatementData{
		Id: &st.ID, Status: (*string)(&st.Status), StatementName: member.Some(st.Name), SecretArn: member.Some(st.SecretARN), CreatedAt: &st.Created,
		UpdatedAt: &st.Updated, QueryParameters: parameters(st.Parameters), IsBatchStatement: &st.Batch, ResultFormat: &st.Format,
		SessionId: member.Some(st.SessionID),
	}
	if !st.Batch {
		out.QueryString = &st.Subs[0].SQL
		return out
	}
	for _, sub := range st.Subs {
		out.QueryStrings = append(out.QueryStrings, sub.SQL)
	}
	return out
}
