package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	redshifttypes "github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/penstock-io/penstock/test/harness"
)

// event is one record of an S3 event notification.
func event(bucket, key string, at time.Time) map[string]any {
	return map[string]any{
		"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": at.UTC().Format("2006-01-02T15:04:05.000Z"), "eventName": "ObjectCreated:Put",
		"s3": map[string]any{"bucket": map[string]any{"name": bucket, "arn": "arn:aws:s3:::" + bucket}, "object": map[string]any{"key": url.QueryEscape(key), "size": 4, "eTag": "x", "sequencer": "0"}},
	}
}

// tell posts a document to the events endpoint, signed as the documentation says, and returns the status.
func tell(t *testing.T, ctx context.Context, server *harness.Server, document any, secret string) (int, string) {
	t.Helper()
	body, ok := document.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(document); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.Endpoint()+"/_penstock/s3-events", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if secret != "" {
		sum := sha256.Sum256(body)
		if err := v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: "penstock", SecretAccessKey: secret}, req, hex.EncodeToString(sum[:]), "penstock", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

func records(list ...map[string]any) map[string]any { return map[string]any{"Records": list} }

// pair is a server whose buckets are another server's.
func pair(t *testing.T, args ...string) (elsewhere, server *harness.Server, ctx context.Context) {
	t.Helper()
	elsewhere, ctx = boot(t)
	server, err := harness.Start(ctx, harness.Options{
		Dir: t.TempDir(), Args: append([]string{"--s3-endpoint", elsewhere.Endpoint()}, args...),
		Env: []string{"PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID=penstock", "PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY=penstock"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("the server did not stop cleanly: %v\n%s", err, server.Tail(30))
		}
	})
	return elsewhere, server, ctx
}

// TestEvents loads from buckets elsewhere that are told of by events alone: late, twice, out of order, for keys
// that are not there, and made of anything.
func TestEvents(t *testing.T) {
	t.Parallel()
	elsewhere, server, ctx := pair(t, "--list-interval", "1h")
	c := server.Clients()
	far := elsewhere.Clients()
	if _, err := c.Join(ctx, "remote"); err != nil { // makes the bucket through this server
		t.Fatal(err)
	}
	if _, err := far.S3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("remote")}); err != nil {
		t.Fatalf("the bucket is not where buckets are: %v", err)
	}
	run(t, ctx, c, "CREATE TABLE r (id INTEGER)")
	run(t, ctx, c, "COPY r FROM 's3://remote/in/' "+role+" CSV JOB CREATE r")
	ids := func(want string) {
		t.Helper()
		eventually(t, ctx, c, "SELECT LISTAGG(id, ' ') WITHIN GROUP (ORDER BY id) FROM r", want)
	}
	must := func(document any) {
		t.Helper()
		if status, text := tell(t, ctx, server, document, "penstock"); status != http.StatusNoContent {
			t.Fatalf("%d %s", status, text)
		}
	}
	nextSecond(t, ctx)
	now := time.Now()
	put(t, ctx, far, "remote", "in/1 ü+.csv", "1\n")
	put(t, ctx, far, "remote", "in/2.csv", "2\n")
	put(t, ctx, far, "remote", "in/3.csv", "3\n")
	put(t, ctx, far, "remote", "out/9.csv", "9\n")
	must(records(event("remote", "in/2.csv", now), event("remote", "in/2.csv", now)))
	ids("2")
	must(records(event("remote", "in/2.csv", now.Add(time.Hour))))                                                                   // again, later
	must(records(event("remote", "in/missing.csv", now), event("remote", "in/1 ü+.csv", now.Add(-time.Millisecond))))                // a key that is not there, an older event
	must(records(event("other-bucket", "in/3.csv", now), event("remote", "out/9.csv", now), event("remote", "in/folder/", now)))     // nobody's
	must(map[string]any{"Event": "s3:TestEvent", "Bucket": "remote"})                                                                // what AWS sends first
	must(records(map[string]any{"eventName": "ObjectRemoved:Delete", "s3": event("remote", "in/3.csv", now)["s3"]}))                 // not an arrival
	must(map[string]any{"Message": `{"Records":[` + string(mustJSON(t, event("remote", "in/3.csv", now.AddDate(80, 0, 0)))) + `]}`}) // by way of SNS, from a clock that is wrong
	ids("1 2 3")
	must(records(event("remote", "in/1 ü+.csv", now), event("remote", "in/2.csv", now), event("remote", "in/3.csv", now)))
	put(t, ctx, far, "remote", "in/4.csv", "4\n")
	must(records(event("remote", "in/4.csv", time.Now())))
	ids("1 2 3 4")
	eventually(t, ctx, c, "SELECT COUNT(*) FROM sys_copy_job_info WHERE message LIKE 'File s3://remote/in/missing.csv was gone%'", "1")

	// Something that is no notification is refused and changes nothing.
	for _, body := range []string{"", "null", "[]", "{", "{}", `"x"`, `{"Records": 5}`, `{"Records":[{"eventName":"ObjectCreated:Put"}]}`, `{"Records":[{"eventName":"ObjectCreated:Put","eventTime":"soon","s3":{"bucket":{"name":"remote"},"object":{"key":"in/x"}}}]}`,
		`{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"remote"},"object":{"key":"%zz"}}}]}`, strings.Repeat("[", 100_000)} {
		if status, text := tell(t, ctx, server, []byte(body), "penstock"); status != http.StatusBadRequest || !strings.Contains(text, "message") {
			t.Errorf("%.60q: %d %s", body, status, text)
		}
	}
	if status, _ := tell(t, ctx, server, bytes.Repeat([]byte(" "), 2<<20), "penstock"); status != http.StatusRequestEntityTooLarge && status != http.StatusBadRequest {
		t.Errorf("two megabytes: %d", status)
	}
	for _, secret := range []string{"", "wrong"} {
		if status, _ := tell(t, ctx, server, records(event("remote", "in/1.csv", now)), secret); status != http.StatusForbidden {
			t.Errorf("with the secret %q: %d", secret, status)
		}
	}
	ids("1 2 3 4")
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRemoteListing finds files elsewhere by listing, though their clock is ahead or there are many.
func TestRemoteListing(t *testing.T) {
	t.Parallel()
	elsewhere, server, ctx := pair(t, "--list-interval", "200ms")
	c, far := server.Clients(), elsewhere.Clients()
	if _, err := c.Join(ctx, "listed"); err != nil {
		t.Fatal(err)
	}
	run(t, ctx, c, "CREATE TABLE l (id INTEGER)")
	put(t, ctx, far, "listed", "in/before", "0\n")
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(elsewhere.Dir, "s3", "listed", "in", "before"), past, past); err != nil {
		t.Fatal(err)
	}
	run(t, ctx, c, "COPY l FROM 's3://listed/in/' "+role+" CSV JOB CREATE l")
	nextSecond(t, ctx)
	put(t, ctx, far, "listed", "in/future", "1\n")
	future := time.Now().AddDate(50, 0, 0)
	if err := os.Chtimes(filepath.Join(elsewhere.Dir, "s3", "listed", "in", "future"), future, future); err != nil {
		t.Fatal(err)
	}
	put(t, ctx, c, "listed", "in/through", "2\n") // through this server, to the other
	eventually(t, ctx, c, "SELECT LISTAGG(id, ' ') WITHIN GROUP (ORDER BY id) FROM l", "1 2")
	run(t, ctx, c, "COPY l FROM 's3://listed/in/before' "+role+" CSV")
	eventually(t, ctx, c, "SELECT LISTAGG(id, ' ') WITHIN GROUP (ORDER BY id) FROM l", "0 1 2")
	eventually(t, ctx, c, "SELECT COUNT(*) FROM sys_copy_job_detail WHERE status = 'I'", "2")
}

// nextSecond waits for the clock's next second: S3 tells the time of an object to the second.
func nextSecond(t *testing.T, ctx context.Context) {
	t.Helper()
	now := time.Now().Unix()
	until(t, ctx, func() (bool, string) { return time.Now().Unix() > now, "the same second" })
}

// TestRemoteSameSecond puts a file elsewhere in the second in which the job is made, right after it.
func TestRemoteSameSecond(t *testing.T) {
	t.Parallel()
	_, server, ctx := pair(t, "--list-interval", "200ms")
	c := server.Clients()
	if _, err := c.Join(ctx, "same-second"); err != nil {
		t.Fatal(err)
	}
	run(t, ctx, c, "CREATE TABLE s (id INTEGER)")
	nextSecond(t, ctx) // so that what follows fits into one
	run(t, ctx, c, "COPY s FROM 's3://same-second/' "+role+" CSV JOB CREATE s")
	put(t, ctx, c, "same-second", "at-once", "1\n")
	eventually(t, ctx, c, "SELECT COUNT(*) FROM s", "1")
}

// TestRemoteDown takes the buckets away for a while.
func TestRemoteDown(t *testing.T) {
	t.Parallel()
	elsewhere, server, ctx := pair(t, "--list-interval", "200ms")
	c := server.Clients()
	arn, err := c.Join(ctx, "flaky")
	if err != nil {
		t.Fatal(err)
	}
	run(t, ctx, c, "CREATE TABLE f (id INTEGER)")
	run(t, ctx, c, "COPY f FROM 's3://flaky/in/' "+role+" CSV JOB CREATE f")
	nextSecond(t, ctx)
	put(t, ctx, c, "flaky", "in/1", "1\n")
	eventually(t, ctx, c, "SELECT COUNT(*) FROM f", "1")
	put(t, ctx, c, "flaky", "in/2", "2\n")

	if err := elsewhere.Stop(); err != nil {
		t.Fatal(err)
	}
	status := func(want redshifttypes.ZeroETLIntegrationStatus, code string) {
		t.Helper()
		until(t, ctx, func() (bool, string) {
			out, err := c.Redshift.DescribeIntegrations(ctx, &redshift.DescribeIntegrationsInput{IntegrationArn: &arn})
			if err != nil {
				t.Fatal(err)
			}
			i := out.Integrations[0]
			return i.Status == want && (code == "" && len(i.Errors) == 0 || len(i.Errors) == 1 && *i.Errors[0].ErrorCode == code), fmt.Sprintf("%s %+v", i.Status, i.Errors)
		})
	}
	status("needs_attention", "SOURCE_UNREACHABLE")
	eventually(t, ctx, c, "SELECT COUNT(*) > 0 FROM sys_copy_job_info WHERE job_name = 'f' AND message LIKE 'Job f is held up and will try again:%'", "true")
	refused(t, ctx, c, "COPY f FROM 's3://flaky/in/' "+role+" CSV", "")
	// What asks for the buckets themselves hears that they cannot be reached, and everything else works.
	_, err = c.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("flaky"), Key: aws.String("in/1")})
	if err == nil {
		t.Error("an object came from a store that is down")
	}
	run(t, ctx, c, "INSERT INTO f VALUES (100)")
	_, err = c.Redshift.CreateIntegration(ctx, &redshift.CreateIntegrationInput{IntegrationName: aws.String("while-down"), SourceArn: aws.String("arn:aws:s3:::flaky2"), TargetArn: aws.String(targetOf(t, ctx, c))})
	if err == nil {
		t.Error("an integration was made with a source nobody could look at")
	}

	again, err := harness.Start(ctx, harness.Options{Dir: elsewhere.Dir, Args: []string{"--listen", elsewhere.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Kill() })
	put(t, ctx, again.Clients(), "flaky", "in/3", "3\n")
	eventually(t, ctx, c, "SELECT id FROM f ORDER BY 1", "1", "2", "3", "100")
	status("active", "")
	eventually(t, ctx, c, "SELECT COUNT(*) > 0 FROM sys_copy_job_info WHERE job_name = 'f' AND message = 'Job f goes on'", "true")
	if got := run(t, ctx, c, "SELECT file_name, status FROM sys_copy_job_detail ORDER BY 1"); !slices.Equal(got, []string{"in/1 | I", "in/2 | I", "in/3 | I"}) {
		t.Errorf("%v", got)
	}
}

// targetOf is the namespace ARN of the default warehouse.
func targetOf(t *testing.T, ctx context.Context, c harness.Clients) string {
	t.Helper()
	out, err := c.Redshift.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: aws.String("default")})
	if err != nil || len(out.Clusters) != 1 {
		t.Fatal(errors.Join(err, errors.New("no default cluster")))
	}
	return *out.Clusters[0].ClusterNamespaceArn
}
