package harness

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	redshifttypes "github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	datatypes "github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Exec hands in a statement and returns its id.
func (c Clients) Exec(ctx context.Context, sql string) (string, error) {
	in := &redshiftdata.ExecuteStatementInput{Database: aws.String("dev"), Sql: aws.String(sql)}
	if c.at.Database != "" {
		in.Database = aws.String(c.at.Database)
	}
	switch {
	case c.at.Workgroup != "":
		in.WorkgroupName = aws.String(c.at.Workgroup)
	case c.at.Cluster != "":
		in.ClusterIdentifier = aws.String(c.at.Cluster)
	default:
		in.ClusterIdentifier = aws.String("default")
	}
	out, err := c.Data.ExecuteStatement(ctx, in)
	if err != nil {
		return "", err
	}
	return *out.Id, nil
}

// Wait waits for a statement's end and returns its description. A failed one is an error.
func (c Clients) Wait(ctx context.Context, id string) (*redshiftdata.DescribeStatementOutput, error) {
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		st, err := c.Data.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: aws.String(id)})
		if err != nil {
			return nil, err
		}
		switch st.Status {
		case datatypes.StatusStringFinished:
			return st, nil
		case datatypes.StatusStringFailed, datatypes.StatusStringAborted:
			return st, errors.New(aws.ToString(st.Error))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// SQL runs a statement to its end and returns all its rows as text, NULL as "<null>".
func (c Clients) SQL(ctx context.Context, sql string) ([][]string, error) {
	id, err := c.Exec(ctx, sql)
	if err != nil {
		return nil, err
	}
	st, err := c.Wait(ctx, id)
	if err != nil || !aws.ToBool(st.HasResultSet) {
		return nil, err
	}
	var rows [][]string
	pages := redshiftdata.NewGetStatementResultPaginator(c.Data, &redshiftdata.GetStatementResultInput{Id: aws.String(id)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, record := range page.Records {
			row := make([]string, len(record))
			for i, f := range record {
				row[i] = Text(f)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// Text is a field as text.
func Text(f datatypes.Field) string {
	switch v := f.(type) {
	case *datatypes.FieldMemberStringValue:
		return v.Value
	case *datatypes.FieldMemberLongValue:
		return strconv.FormatInt(v.Value, 10)
	case *datatypes.FieldMemberDoubleValue:
		return strconv.FormatFloat(v.Value, 'g', -1, 64)
	case *datatypes.FieldMemberBooleanValue:
		return strconv.FormatBool(v.Value)
	case *datatypes.FieldMemberBlobValue:
		return fmt.Sprintf("%x", v.Value)
	}
	return "<null>"
}

// Join makes the bucket, if it is not there, and an integration from it to the default warehouse, and waits
// until that is active. It returns the integration's ARN.
func (c Clients) Join(ctx context.Context, bucket string) (string, error) {
	if _, err := c.S3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(bucket)}); err != nil {
		if _, err := c.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
			return "", err
		}
	}
	clusters, err := c.Redshift.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("default")})
	if err != nil {
		return "", err
	}
	made, err := c.Redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{
		IntegrationName: aws.String(bucket + "-integration"), SourceArn: aws.String("arn:aws:s3:::" + bucket),
		TargetArn: clusters.Clusters[0].ClusterNamespaceArn,
	})
	if err != nil {
		return "", err
	}
	return *made.IntegrationArn, c.Until(ctx, *made.IntegrationArn, redshifttypes.ZeroETLIntegrationStatusActive)
}

// Until waits until an integration has the status.
func (c Clients) Until(ctx context.Context, arn string, want redshifttypes.ZeroETLIntegrationStatus) error {
	for {
		out, err := c.Redshift.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: aws.String(arn)})
		if err != nil {
			return err
		}
		got := out.Integrations[0]
		if got.Status == want {
			return nil
		}
		if got.Status == redshifttypes.ZeroETLIntegrationStatusFailed {
			return fmt.Errorf("integration failed: %+v", got.Errors)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("integration is still %s: %w", got.Status, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
