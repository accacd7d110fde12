package dynamodb

import (
	"context"

	api "github.com/penstock-io/penstock/internal/awsapi/dynamodb"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/tables"
)

func (f *front) exportTable(ctx context.Context, _ identity.Caller, in *api.ExportTableToPointInTimeInput) (*api.ExportTableToPointInTimeOutput, error) {
	if err := f.db.Admit("ExportTableToPointInTime", tableOf(*in.TableArn)); err != nil {
		return nil, err
	}
	if t := member.Text(in.ExportType); t == api.ExportTypeIncrementalExport || in.IncrementalExportSpecification != nil {
		return nil, fault.New(fault.Invalid, tables.SubjectRequest, "Incremental exports are not supported by this server; ask for a FULL_EXPORT")
	}
	if member.Text(in.ExportFormat) == api.ExportFormatIon {
		return nil, fault.New(fault.Invalid, tables.SubjectRequest, "The export format ION is not supported by this server; ask for DYNAMODB_JSON")
	}
	spec := tables.ExportSpec{
		Table: *in.TableArn, Bucket: *in.S3Bucket, BucketOwner: member.Text(in.S3BucketOwner), Prefix: member.Text(in.S3Prefix), Token: member.Text(in.ClientToken),
		Encryption: member.Text(in.S3SseAlgorithm), Key: member.Text(in.S3SseKmsKeyId),
	}
	if in.ExportTime != nil {
		spec.Time = in.ExportTime.UnixMilli()
	}
	x, err := f.db.StartExport(ctx, spec)
	if err != nil {
		return nil, noTable(err, tableOf(*in.TableArn))
	}
	return &api.ExportTableToPointInTimeOutput{ExportDescription: exportDescription(&x)}, nil
}

func (f *front) describeExport(ctx context.Context, _ identity.Caller, in *api.DescribeExportInput) (*api.DescribeExportOutput, error) {
	if err := f.db.Admit("DescribeExport", tableOf(*in.ExportArn)); err != nil {
		return nil, err
	}
	x, err := f.db.DescribeExport(ctx, *in.ExportArn)
	if err != nil {
		return nil, err
	}
	return &api.DescribeExportOutput{ExportDescription: exportDescription(&x)}, nil
}

// maxExports is how many exports ListExports returns at most.
const maxExports = 25

func (f *front) listExports(ctx context.Context, _ identity.Caller, in *api.ListExportsInput) (*api.ListExportsOutput, error) {
	if err := f.db.Admit("ListExports", tableOf(member.Text(in.TableArn))); err != nil {
		return nil, err
	}
	limit, err := limitOf(in.MaxResults, maxExports)
	if err != nil {
		return nil, err
	}
	list, more, err := f.db.ListExports(ctx, member.Text(in.TableArn), member.Text(in.NextToken), limit)
	if err != nil {
		return nil, err
	}
	out := &api.ListExportsOutput{ExportSummaries: []api.ExportSummary{}}
	for i := range list {
		out.ExportSummaries = append(out.ExportSummaries, api.ExportSummary{ExportArn: &list[i].ARN, ExportStatus: &list[i].Status, ExportType: new(api.ExportTypeFullExport)})
	}
	if more {
		out.NextToken = &list[len(list)-1].ARN
	}
	return out, nil
}

func exportDescription(x *tables.Export) *api.ExportDescription {
	d := &api.ExportDescription{
		ExportArn: &x.ARN, ExportStatus: &x.Status, StartTime: timeOf(x.Started), EndTime: timeOf(x.Ended), TableArn: &x.TableARN, TableId: &x.TableID, ExportTime: timeOf(x.Time),
		ClientToken: &x.Token, S3Bucket: &x.Spec.Bucket, ExportFormat: new(api.ExportFormatDynamodbJson), ExportType: new(api.ExportTypeFullExport),
	}
	for text, into := range map[*string]**string{
		&x.Spec.BucketOwner: &d.S3BucketOwner, &x.Spec.Prefix: &d.S3Prefix, &x.Spec.Encryption: &d.S3SseAlgorithm, &x.Spec.Key: &d.S3SseKmsKeyId, &x.Manifest: &d.ExportManifest,
	} {
		if *text != "" {
			*into = text
		}
	}
	switch x.Status {
	case tables.ExportCompleted:
		d.ItemCount, d.BilledSizeBytes = &x.Items, &x.Bytes
	case tables.ExportFailed:
		d.FailureCode, d.FailureMessage = new("ExportFailed"), &x.Failure
	}
	return d
}
