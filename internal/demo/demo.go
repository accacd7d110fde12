// Package demo shows the main jobs on a running server: a table is copied into the warehouse and followed, and
// files dropped into a bucket appear as rows.
//
// It is a program of the kind a user would write. Everything it does goes through the AWS SDK and the
// server's port; it knows nothing of the server's insides.
package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	redshifttypes "github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	datatypes "github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

// Options say where the server is and how much to show.
type Options struct {
	Endpoint        string // http://127.0.0.1:1234
	Region, Account string
	AccessKeyID     string
	SecretAccessKey string
	Items           int // in the table that is followed
	Changes         int // made to it while it is followed
	Files           int // how many to drop; one of them is bad on purpose
	RowsPerFile     int
	Writers         int
	Out             io.Writer
	Redraw          bool   // Out is a terminal: draw in place
	Program         string // how the penstock command was called, for the commands shown at the end
}

const (
	table       = "demo-customers"
	database    = "customers"
	bucket      = "demo-orders"
	prefix      = "incoming/"
	integration = "demo-orders-integration"
	job         = "orders_job"
	role        = "arn:aws:iam::123456789012:role/demo"
)

type demo struct {
	Options
	dynamodb *dynamodb.Client
	s3       *s3.Client
	redshift *redshift.Client
	data     *redshiftdata.Client

	mu    sync.Mutex
	acked map[string]time.Time // when the PUT of each key was acknowledged
}

// Run does the whole demonstration and prints its summary. It returns the first thing that went wrong.
func Run(ctx context.Context, o Options) error {
	cfg := aws.Config{
		Region: o.Region, BaseEndpoint: aws.String(o.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey, ""),
	}
	d := &demo{
		Options: o, acked: map[string]time.Time{},
		dynamodb: dynamodb.NewFromConfig(cfg),
		s3:       s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		redshift: redshift.NewFromConfig(cfg), data: redshiftdata.NewFromConfig(cfg),
	}
	fmt.Fprintf(d.Out, "Penstock at %s, used through the AWS SDK like AWS itself.\n", d.Endpoint)
	if err := d.follow(ctx); err != nil {
		return err
	}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	if err := d.drop(ctx); err != nil {
		return err
	}
	return d.summary(ctx)
}

// step prints what is about to be done and its outcome on one line.
func (d *demo) step(what string, do func() (string, error)) error {
	fmt.Fprintf(d.Out, "  %-58s ", what)
	start := time.Now()
	said, err := do()
	if err != nil {
		fmt.Fprintln(d.Out, "failed")
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Fprintf(d.Out, "%s (%s)\n", said, time.Since(start).Round(time.Millisecond))
	return nil
}

func (d *demo) prepare(ctx context.Context) error {
	fmt.Fprint(d.Out, "\n2. Files: a bucket whose files load themselves.\n\n")
	err := d.step("s3 create-bucket "+bucket, func() (string, error) {
		_, err := d.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
		return "made", err
	})
	if err != nil {
		return err
	}
	err = d.step("redshift create-integration "+integration, func() (string, error) {
		_, err := d.integrate(ctx, integration, "arn:aws:s3:::"+bucket)
		return "active", err
	})
	if err != nil {
		return err
	}
	for _, sql := range []string{
		"CREATE TABLE orders (id INTEGER NOT NULL, customer VARCHAR(40), amount DECIMAL(10,2), placed TIMESTAMP)",
		fmt.Sprintf("COPY orders FROM 's3://%s/%s' IAM_ROLE '%s' CSV JOB CREATE %s AUTO ON", bucket, prefix, role, job),
	} {
		err := d.step("redshift-data execute-statement: "+first(sql, 24), func() (string, error) {
			_, err := d.sql(ctx, sql)
			return "done", err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func first(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "..."
}

// integrate joins a source to the default warehouse, waits until the integration is active, and returns its id.
func (d *demo) integrate(ctx context.Context, name, source string) (string, error) {
	clusters, err := d.redshift.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("default")})
	if err != nil {
		return "", err
	}
	made, err := d.redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{
		IntegrationName: aws.String(name),
		SourceArn:       aws.String(source),
		TargetArn:       clusters.Clusters[0].ClusterNamespaceArn,
	})
	if err != nil {
		return "", err
	}
	for {
		out, err := d.redshift.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: made.IntegrationArn})
		if err != nil {
			return "", err
		}
		switch i := out.Integrations[0]; i.Status {
		case redshifttypes.ZeroETLIntegrationStatusActive:
			return (*made.IntegrationArn)[strings.LastIndexByte(*made.IntegrationArn, ':')+1:], nil
		case redshifttypes.ZeroETLIntegrationStatusCreating:
		default:
			return "", fmt.Errorf("integration is %s: %+v", i.Status, i.Errors)
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return "", err
		}
	}
}

// sql runs one statement to its end and returns its first page of rows.
func (d *demo) sql(ctx context.Context, text string) ([][]datatypes.Field, error) {
	sent, err := d.data.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{
		ClusterIdentifier: aws.String("default"), Database: aws.String("dev"), Sql: aws.String(text),
	})
	if err != nil {
		return nil, err
	}
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		st, err := d.data.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: sent.Id})
		if err != nil {
			return nil, err
		}
		switch st.Status {
		case datatypes.StatusStringFinished:
			if !aws.ToBool(st.HasResultSet) {
				return nil, nil
			}
			res, err := d.data.GetStatementResult(ctx, &redshiftdata.GetStatementResultInput{Id: sent.Id})
			if err != nil {
				return nil, err
			}
			return res.Records, nil
		case datatypes.StatusStringFailed, datatypes.StatusStringAborted:
			return nil, errors.New(aws.ToString(st.Error))
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// badFile is the number of the file that cannot be loaded.
func (d *demo) badFile() int { return d.Files / 2 }

func (d *demo) key(n int) string { return fmt.Sprintf("%sorders-%04d.csv", prefix, n) }

// content is file n. In the bad one, a line in the middle has a word where a number belongs.
func (d *demo) content(n int) []byte {
	var b bytes.Buffer
	for i := range d.RowsPerFile {
		id := fmt.Sprint(n*d.RowsPerFile + i)
		if n == d.badFile() && i == d.RowsPerFile/2 {
			id = "twelve"
		}
		fmt.Fprintf(&b, "%s,customer %d,%d.%02d,2026-01-02 03:04:05\n", id, i%97, i, i%100)
	}
	return b.Bytes()
}

// drop puts the files and watches them arrive until every one is loaded or refused.
func (d *demo) drop(ctx context.Context) error {
	fmt.Fprintf(d.Out, "\nDropping %d files of %d rows into s3://%s/%s with %d writers; file %s has a bad line.\n\n",
		d.Files, d.RowsPerFile, bucket, prefix, d.Writers, strings.TrimPrefix(d.key(d.badFile()), prefix))
	g, gctx := errgroup.WithContext(ctx)
	numbers := make(chan int)
	g.Go(func() error {
		defer close(numbers)
		for n := range d.Files {
			select {
			case numbers <- n:
			case <-gctx.Done():
				return gctx.Err()
			}
		}
		return nil
	})
	for range d.Writers {
		g.Go(func() error {
			for n := range numbers {
				_, err := d.s3.PutObject(gctx, &s3.PutObjectInput{
					Bucket: aws.String(bucket), Key: aws.String(d.key(n)), Body: bytes.NewReader(d.content(n)),
					ChecksumAlgorithm: s3types.ChecksumAlgorithmCrc32,
				})
				if err != nil {
					return err
				}
				d.mu.Lock()
				d.acked[d.key(n)] = time.Now()
				d.mu.Unlock()
			}
			return nil
		})
	}
	g.Go(func() error { return d.watch(gctx) })
	return g.Wait()
}

// seen is what one look at the warehouse found.
type seen struct {
	rows, loaded, failed int64
	fresh                []time.Duration // acknowledged to committed, per loaded file
}

// watch draws a line or a picture of progress until nothing is left to load.
func (d *demo) watch(ctx context.Context) error {
	view := screen{demo: d}
	for {
		s, err := d.look(ctx)
		if err != nil {
			return err
		}
		d.mu.Lock()
		put := len(d.acked)
		d.mu.Unlock()
		view.files(put, s)
		if int(s.loaded+s.failed) == d.Files {
			return nil
		}
		if err := wait(ctx, 150*time.Millisecond); err != nil {
			return err
		}
	}
}

func (d *demo) look(ctx context.Context) (seen, error) {
	var s seen
	counts, err := d.sql(ctx, `SELECT (SELECT count(*) FROM orders),
		(SELECT count(*) FROM sys_copy_job_detail WHERE status = 'I'), (SELECT count(*) FROM sys_copy_job_detail WHERE status = 'E')`)
	if err != nil {
		return s, err
	}
	s.rows, s.loaded, s.failed = long(counts[0][0]), long(counts[0][1]), long(counts[0][2])
	times, err := d.sql(ctx, `SELECT file_name, max(end_time)::varchar FROM sys_load_detail GROUP BY 1`)
	if err != nil {
		return s, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, row := range times {
		name := strings.TrimPrefix(text(row[0]), "s3://"+bucket+"/")
		end, err := time.Parse("2006-01-02 15:04:05.999999", text(row[1]))
		if at, ok := d.acked[name]; ok && err == nil {
			s.fresh = append(s.fresh, max(0, end.Sub(at)))
		}
	}
	return s, nil
}

func long(f datatypes.Field) int64 {
	if v, ok := f.(*datatypes.FieldMemberLongValue); ok {
		return v.Value
	}
	return 0
}

func text(f datatypes.Field) string {
	switch v := f.(type) {
	case *datatypes.FieldMemberStringValue:
		return v.Value
	case *datatypes.FieldMemberLongValue:
		return fmt.Sprint(v.Value)
	}
	return ""
}
