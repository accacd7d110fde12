package redshiftdata

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/hex"
	"strconv"

	api "github.com/penstock-io/penstock/internal/awsapi/redshiftdata"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/statements"
)

func (f *Front) getStatementResult(ctx context.Context, caller identity.Caller, in *api.GetStatementResultRequest) (*api.GetStatementResultResponse, error) {
	page, err := f.result(ctx, caller, member.Text(in.Id), member.Text(in.NextToken), api.ResultFormatStringJson)
	if err != nil {
		return nil, err
	}
	out := &api.GetStatementResultResponse{
		Records: make([][]api.Field, len(page.Rows)), ColumnMetadata: columns(page.Columns), TotalNumRows: &page.Total, NextToken: member.Some(page.Token),
	}
	for n, row := range page.Rows {
		fields := make([]api.Field, len(row))
		for i, value := range row {
			if fields[i], err = field(value); err != nil {
				return nil, err
			}
		}
		out.Records[n] = fields
	}
	return out, nil
}

func (f *Front) getStatementResultV2(ctx context.Context, caller identity.Caller, in *api.GetStatementResultV2Request) (*api.GetStatementResultV2Response, error) {
	token := member.Text(in.NextToken)
	page, err := f.result(ctx, caller, member.Text(in.Id), token, api.ResultFormatStringCsv)
	if err != nil {
		return nil, err
	}
	var header []statements.Column
	if token == "" {
		header = page.Columns
	}
	records, err := csvRecords(header, page.Rows)
	if err != nil {
		return nil, err
	}
	return &api.GetStatementResultV2Response{
		Records: records, ColumnMetadata: columns(page.Columns), TotalNumRows: &page.Total, ResultFormat: new(api.ResultFormatStringCsv), NextToken: member.Some(page.Token),
	}, nil
}

// result returns a page of a result that was asked for in the given format.
func (f *Front) result(ctx context.Context, caller identity.Caller, id, token, format string) (statements.ResultPage, error) {
	none := statements.ResultPage{}
	st, part, err := f.statement(ctx, caller, id)
	switch {
	case err != nil:
		return none, err
	case st.Batch && part == 0:
		return none, fault.New(fault.Invalid, statements.SubjectResult, "BatchExecuteStatement result can only be retrieved with sub-statement id.")
	case st.Format != format && format == api.ResultFormatStringJson:
		return none, fault.New(fault.Invalid, subjectFormat, "The statement was run with the ResultFormat CSV; fetch its result with GetStatementResultV2.")
	case st.Format != format:
		return none, fault.New(fault.Invalid, subjectFormat, "The statement was run with the ResultFormat JSON; fetch its result with GetStatementResult.")
	}
	page, err := f.statements.Result(ctx, id, token)
	return page, missing(err, id)
}

// field is a value in the union of this API: a NULL, or the member that fits its type.
func field(value statements.Value) (api.Field, error) {
	switch v := value.(type) {
	case nil:
		return api.Field{IsNull: new(true)}, nil
	case bool:
		return api.Field{BooleanValue: &v}, nil
	case int64:
		return api.Field{LongValue: &v}, nil
	case float64:
		return api.Field{DoubleValue: &v}, nil
	case string:
		return api.Field{StringValue: &v}, nil
	case []byte:
		if v == nil {
			v = []byte{} // a member that is there, and empty
		}
		return api.Field{BlobValue: v}, nil
	default:
		return api.Field{}, unknownType(value)
	}
}

func unknownType(value statements.Value) error {
	return fault.New(fault.Internal, statements.SubjectResult, "a stored result has a value of the type %T", value)
}

// chunk is how many bytes of CSV go into one record, at most, unless a single row is longer.
const chunk = 1 << 20

// csvRecords writes rows as CSV, after a line with the names of the columns where a header is asked for. The text is
// cut between rows into records. Rows end with CR LF; line ends inside of values stay as they are. NULL is empty.
func csvRecords(header []statements.Column, rows [][]statements.Value) ([]api.QueryRecords, error) {
	records := []api.QueryRecords{}
	var done, row bytes.Buffer
	w := csv.NewWriter(&row)
	fields := make([]string, 0, len(header))
	flush := func() {
		if done.Len() > 0 {
			records = append(records, api.QueryRecords{CSVRecords: new(done.String())})
			done.Reset()
		}
	}
	write := func() error {
		row.Reset()
		if len(fields) == 1 && fields[0] == "" {
			row.WriteString("\"\"\n") // a line of nothing is skipped by many a reader
		} else if err := w.Write(fields); err != nil {
			return err
		}
		if w.Flush(); w.Error() != nil {
			return w.Error()
		}
		row.Truncate(row.Len() - 1) // not the writer's own CR LF: it would change values, too
		row.WriteString("\r\n")
		if done.Len()+row.Len() > chunk {
			flush()
		}
		_, err := row.WriteTo(&done)
		return err
	}
	if len(header) > 0 {
		for _, c := range header {
			fields = append(fields, c.Label)
		}
		if err := write(); err != nil {
			return nil, err
		}
	}
	for _, values := range rows {
		fields = fields[:0]
		for _, v := range values {
			s, err := csvText(v)
			if err != nil {
				return nil, err
			}
			fields = append(fields, s)
		}
		if err := write(); err != nil {
			return nil, err
		}
	}
	flush()
	return records, nil
}

func csvText(value statements.Value) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case string:
		return v, nil
	case []byte:
		return hex.EncodeToString(v), nil
	default:
		return "", unknownType(value)
	}
}

// columns shows the columns of a result or of a table.
func columns(list []statements.Column) []api.ColumnMetadata {
	out := make([]api.ColumnMetadata, len(list))
	for n := range list {
		c := &list[n]
		out[n] = api.ColumnMetadata{
			Name: &c.Name, Label: &c.Label, TypeName: &c.TypeName, Length: new(int32(c.Length)), Precision: new(int32(c.Precision)), Scale: new(int32(c.Scale)),
			Nullable: new(int32(c.Nullable)), SchemaName: &c.Schema, TableName: &c.Table, ColumnDefault: member.Some(c.Default),
			IsCaseSensitive: &c.CaseSensitive, IsSigned: &c.Signed, IsCurrency: new(false),
		}
	}
	return out
}
