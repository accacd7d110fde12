package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/penstock-io/penstock/test/harness"
)

// role is a role in a COPY. Which one makes no difference here.
const role = "IAM_ROLE 'arn:aws:iam::123456789012:role/any'"

// patienceLimit is how long anything may take to come true. It is long because the machine may be busy.
const patienceLimit = 60 * time.Second

// put writes an object.
func put(t *testing.T, ctx context.Context, c harness.Clients, bucket, key, content string) {
	t.Helper()
	if _, err := c.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(content)}); err != nil {
		t.Fatalf("put s3://%s/%s: %v", bucket, key, err)
	}
}

// fetchAll returns a finished statement's columns as "name type" and its rows as "a | b", NULL as "null".
func fetchAll(t *testing.T, ctx context.Context, c harness.Clients, id string) (columns, rows []string) {
	t.Helper()
	pages := redshiftdata.NewGetStatementResultPaginator(c.Data, &redshiftdata.GetStatementResultInput{Id: &id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		columns = nil
		for _, m := range page.ColumnMetadata {
			columns = append(columns, *m.Name+" "+*m.TypeName)
		}
		for _, record := range page.Records {
			row := make([]string, len(record))
			for i, f := range record {
				row[i] = strings.ReplaceAll(harness.Text(f), "<null>", "null")
			}
			rows = append(rows, strings.Join(row, " | "))
		}
	}
	return columns, rows
}

// run runs a statement that must work and returns its rows as "a | b".
func run(t *testing.T, ctx context.Context, c harness.Clients, sql string) []string {
	t.Helper()
	rows, err := c.SQL(ctx, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = strings.ReplaceAll(strings.Join(row, " | "), "<null>", "null")
	}
	return out
}

// refused runs a statement that must fail with the words.
func refused(t *testing.T, ctx context.Context, c harness.Clients, sql, words string) {
	t.Helper()
	if _, err := c.SQL(ctx, sql); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: %v, want an error with %q", sql, err, words)
	}
}

// eventually waits until the statement gives the rows.
func eventually(t *testing.T, ctx context.Context, c harness.Clients, sql string, want ...string) {
	t.Helper()
	var got []string
	until(t, ctx, func() (bool, string) {
		got = run(t, ctx, c, sql)
		return slices.Equal(got, want), fmt.Sprintf("%s\ngot\n%s\nwant\n%s", sql, strings.Join(got, "\n"), strings.Join(want, "\n"))
	})
}

// until asks again and again until the answer is yes. The text says what is the matter while it is no.
func until(t *testing.T, ctx context.Context, ask func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(patienceLimit)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		ok, trouble := ask()
		if ok {
			return
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			t.Fatalf("still: %s", trouble)
		}
		time.Sleep(pause)
	}
}

func bucketInput(name string) *s3.CreateBucketInput { return &s3.CreateBucketInput{Bucket: &name} }
