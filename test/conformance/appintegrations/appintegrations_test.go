// Package appintegrations runs AppIntegrations end to end against the penstock binary with the clients that people use:
// the SDK for Go, the AWS CLI and boto3.
package appintegrations

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/appintegrations"
	"github.com/aws/aws-sdk-go-v2/service/appintegrations/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/penstock-io/penstock/internal/wire/sigv4"
	"github.com/penstock-io/penstock/test/harness"
)

const key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// patience is how long anything may take to come true. It is long because the machine may be busy.
const patience = 90 * time.Second

// world is a running server and its clients.
type world struct {
	*testing.T
	*harness.Server
	harness.Clients
	app  *sdk.Client
	dir  string
	args []string
}

func start(t *testing.T, args ...string) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), args: args}
	w.boot()
	t.Cleanup(func() {
		if err := w.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the log ends\n%s", w.Tail(40))
		}
	})
	for _, bucket := range []string{"source", "destination"} {
		if _, err := w.S3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// boot starts the server over the world's directory.
func (w *world) boot() {
	w.Helper()
	server, err := harness.Start(w.Context(), harness.Options{Dir: w.dir, Args: w.args})
	if err != nil {
		w.Fatal(err)
	}
	w.Server, w.Clients = server, server.Clients()
	w.app = sdk.NewFromConfig(harness.Config(server.Endpoint()))
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) put(key, content string) {
	w.Helper()
	_, err := w.S3.PutObject(w.Context(), &s3.PutObjectInput{Bucket: aws.String("source"), Key: &key, Body: strings.NewReader(content)})
	w.must(err)
}

// keys lists the destination below a prefix, manifests apart, each as its last segments.
func (w *world) keys(prefix string, segments int) []string {
	w.Helper()
	out, err := w.S3.ListObjectsV2(w.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("destination"), Prefix: &prefix})
	w.must(err)
	var keys []string
	for _, o := range out.Contents {
		parts := strings.Split(aws.ToString(o.Key), "/")
		if !slices.Contains(parts, "_manifest") {
			keys = append(keys, strings.Join(parts[max(0, len(parts)-segments):], "/"))
		}
	}
	slices.Sort(keys)
	return keys
}

func (w *world) integration(name, source string) string {
	w.Helper()
	d, err := w.app.CreateDataIntegration(w.Context(), &sdk.CreateDataIntegrationInput{Name: &name, KmsKey: aws.String(key), SourceURI: &source})
	w.must(err)
	return aws.ToString(d.Id)
}

func onDemand() *types.ExecutionConfiguration {
	return &types.ExecutionConfiguration{ExecutionMode: types.ExecutionModeOnDemand, OnDemandConfiguration: &types.OnDemandConfiguration{StartTime: aws.String("0")}}
}

func (w *world) associate(integration, destination string, run *types.ExecutionConfiguration) string {
	w.Helper()
	a, err := w.app.CreateDataIntegrationAssociation(w.Context(), &sdk.CreateDataIntegrationAssociationInput{
		DataIntegrationIdentifier: &integration, DestinationURI: &destination, ExecutionConfiguration: run,
	})
	w.must(err)
	return aws.ToString(a.DataIntegrationAssociationId)
}

// ended waits until the last execution of the only association of a data integration is over.
func (w *world) ended(integration string) types.LastExecutionStatus {
	w.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		list, err := w.app.ListDataIntegrationAssociations(w.Context(), &sdk.ListDataIntegrationAssociationsInput{DataIntegrationIdentifier: &integration})
		w.must(err)
		last := list.DataIntegrationAssociations[0].LastExecutionStatus
		if last != nil && last.ExecutionStatus != types.ExecutionStatusInProgress {
			return *last
		}
		if time.Now().After(deadline) {
			w.Fatalf("the last execution is still %+v", last)
		}
	}
}

func (w *world) completed(integration string) {
	w.Helper()
	if last := w.ended(integration); last.ExecutionStatus != types.ExecutionStatusCompleted {
		w.Fatalf("the last execution is %s: %s", last.ExecutionStatus, aws.ToString(last.StatusMessage))
	}
}

// control calls one of the server's own paths.
func (w *world) control(method, path, body string) map[string]any {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.Endpoint()+"/_penstock/"+path, strings.NewReader(body))
	w.must(err)
	signer := v4.NewSigner()
	w.must(signer.SignHTTP(w.Context(), aws.Credentials{AccessKeyID: "penstock", SecretAccessKey: "penstock"}, r, sigv4.HashPayload([]byte(body)), "penstock", "us-east-1", time.Now()))
	answer, err := http.DefaultClient.Do(r)
	w.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	w.must(err)
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil || answer.StatusCode != http.StatusOK {
		w.Fatalf("%s %s: %s %s", method, path, answer.Status, text)
	}
	return out
}

// TestFiles copies files from bucket to bucket: on demand, again after an update, and incrementally.
func TestFiles(t *testing.T) {
	w := start(t)
	w.put("in/a.csv", "1\n")
	w.put("in/deep/b.csv", "2\n")
	w.put("out-of-it/c.csv", "3\n")
	d := w.integration("files", "s3://source/in")
	a := w.associate(d, "s3://destination/copies", onDemand())
	w.completed(d)
	if got := w.keys("copies/", 2); fmt.Sprint(tails(got)) != "[a.csv b.csv]" {
		t.Errorf("the destination has %q", got)
	}
	w.put("in/d.csv", "4\n")
	_, err := w.app.UpdateDataIntegrationAssociation(t.Context(), &sdk.UpdateDataIntegrationAssociationInput{DataIntegrationIdentifier: &d, DataIntegrationAssociationIdentifier: &a, ExecutionConfiguration: onDemand()})
	w.must(err)
	w.completed(d)
	if got := w.keys("copies/", 1); fmt.Sprint(got) != "[a.csv a.csv b.csv b.csv d.csv]" {
		t.Errorf("after the update the destination has %q", got)
	}

	// On a schedule, every file is taken once.
	d = w.integration("incremental", "s3://source/in")
	a = w.associate(d, "s3://destination/incremental", &types.ExecutionConfiguration{
		ExecutionMode: types.ExecutionModeScheduled, ScheduleConfiguration: &types.ScheduleConfiguration{ScheduleExpression: aws.String("rate(1 day)")},
	})
	path := "data-integrations/" + d + "/associations/" + a
	for n, want := range []string{"[a.csv b.csv d.csv]", "[a.csv b.csv d.csv e.csv]", "[a.csv b.csv d.csv e.csv]"} {
		if n == 1 {
			w.put("in/e.csv", "5\n")
		}
		w.control("POST", path+"/executions", "")
		w.completed(d)
		if got := w.keys("incremental/", 1); fmt.Sprint(got) != want {
			t.Errorf("after %d executions the destination has %q, want %s", n+1, got, want)
		}
	}
	list := w.control("GET", path+"/executions", "")["executions"].([]any)
	if len(list) != 3 || list[2].(map[string]any)["progress"].(map[string]any)["files"] != 3.0 || list[0].(map[string]any)["status"] != "COMPLETED" {
		t.Errorf("the history is %v", list)
	}
	if list[1].(map[string]any)["from"] != list[2].(map[string]any)["to"] {
		t.Errorf("the windows do not meet: %v", list)
	}

	// A data integration that is in use cannot be deleted, and one that is not can.
	if _, err := w.app.DeleteDataIntegration(t.Context(), &sdk.DeleteDataIntegrationInput{DataIntegrationIdentifier: &d}); err == nil {
		t.Error("a data integration was deleted under its association")
	}
	w.control("DELETE", path, "")
	_, err = w.app.DeleteDataIntegration(t.Context(), &sdk.DeleteDataIntegrationInput{DataIntegrationIdentifier: &d})
	w.must(err)
}

// tails are the last segments of keys.
func tails(keys []string) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k[strings.LastIndexByte(k, '/')+1:])
	}
	slices.Sort(out)
	return out
}

// TestTable loads files into a table of the default data warehouse, once for each execution.
func TestTable(t *testing.T) {
	w := start(t)
	if _, err := w.SQL(t.Context(), "CREATE TABLE public.orders (id int, name varchar(20))"); err != nil {
		t.Fatal(err)
	}
	w.put("orders/1.csv", "1,one\n2,two\n")
	w.put("orders/2.csv", "3,three\n")
	d := w.integration("orders", "s3://source/orders")
	w.associate(d, "redshift://default/dev/public/orders", onDemand())
	w.completed(d)
	rows, err := w.SQL(t.Context(), "SELECT count(*), sum(id) FROM public.orders")
	if err != nil || fmt.Sprint(rows) != "[[3 6]]" {
		t.Errorf("the table has %v, %v", rows, err)
	}
	bad := w.integration("nowhere", "s3://source/orders")
	w.associate(bad, "redshift://default/dev/public/missing", onDemand())
	if last := w.ended(bad); last.ExecutionStatus != types.ExecutionStatusFailed || !strings.Contains(aws.ToString(last.StatusMessage), "missing") {
		t.Errorf("without the table: %s %s", last.ExecutionStatus, aws.ToString(last.StatusMessage))
	}
	gone := w.integration("gone", "s3://no-such-bucket/in")
	w.associate(gone, "s3://destination/x", onDemand())
	if last := w.ended(gone); last.ExecutionStatus != types.ExecutionStatusFailed || !strings.Contains(aws.ToString(last.StatusMessage), "no-such-bucket") {
		t.Errorf("without the bucket: %s %s", last.ExecutionStatus, aws.ToString(last.StatusMessage))
	}
}

// TestSchedule waits for a schedule to come due by itself.
func TestSchedule(t *testing.T) {
	w := start(t)
	w.put("in/a.csv", "1\n")
	d := w.integration("scheduled", "s3://source/in")
	w.associate(d, "s3://destination/out", &types.ExecutionConfiguration{ExecutionMode: types.ExecutionModeScheduled, ScheduleConfiguration: &types.ScheduleConfiguration{
		ScheduleExpression: aws.String(time.Now().UTC().Add(5 * time.Second).Format("at(2006-01-02T15:04:05)")),
	}})
	w.completed(d)
	if got := w.keys("out/", 1); fmt.Sprint(got) != "[a.csv]" {
		t.Errorf("the destination has %q", got)
	}
}

// TestKill kills the server while executions are under way: each is finished after the restart, with every file once.
func TestKill(t *testing.T) {
	w := start(t)
	const files = 60
	content := strings.Repeat("x", 64<<10)
	var want []string
	for n := range files {
		name := fmt.Sprintf("f%03d.txt", n)
		w.put("in/"+name, content)
		want = append(want, name)
	}
	for round := range 3 {
		d := w.integration(fmt.Sprint("kill", round), "s3://source/in")
		prefix := fmt.Sprintf("round%d", round)
		w.associate(d, "s3://destination/"+prefix, onDemand())
		time.Sleep(time.Duration(20+60*round) * time.Millisecond) // some moment of the execution, another each time
		w.must(w.Kill())
		w.boot()
		w.completed(d)
		if got := w.keys(prefix+"/", 1); !slices.Equal(got, want) {
			t.Errorf("round %d: %d files at the destination: %q", round, len(got), got)
		}
	}

	if _, err := w.SQL(t.Context(), "CREATE TABLE public.killed (id int)"); err != nil {
		t.Fatal(err)
	}
	for n := range files {
		w.put(fmt.Sprintf("rows/%d.csv", n), fmt.Sprintln(n)+fmt.Sprintln(n+files))
	}
	for round := range 3 {
		d := w.integration(fmt.Sprint("kill-table", round), "s3://source/rows")
		w.associate(d, "redshift://default/dev/public/killed", onDemand())
		time.Sleep(time.Duration(30+90*round) * time.Millisecond)
		w.must(w.Kill())
		w.boot()
		w.completed(d)
		rows, err := w.SQL(t.Context(), "SELECT count(*), count(DISTINCT id) FROM public.killed")
		if err != nil || fmt.Sprint(rows) != fmt.Sprintf("[[%d %d]]", 2*files*(round+1), 2*files) {
			t.Errorf("round %d: the table has %v, %v", round, rows, err)
		}
	}
}

// TestWebhook posts webhooks and finds each event in a table once.
func TestWebhook(t *testing.T) {
	file := filepath.Join(t.TempDir(), "penstock.yaml")
	if err := os.WriteFile(file, []byte(`
webhooks:
  orders/eu: {secret: hush}
event-buses:
  default: {type: table, table: "redshift://default/dev/public/events"}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	w := start(t, "--config", file)
	_, err := w.app.CreateEventIntegration(t.Context(), &sdk.CreateEventIntegrationInput{
		Name: aws.String("hook"), EventFilter: &types.EventFilter{Source: aws.String("app-integrations.webhooks/orders/eu")}, EventBridgeBus: aws.String("default"),
	})
	w.must(err)
	post := func(path, delivery, body, secret string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Endpoint()+"/app-integrations.webhooks/"+path, strings.NewReader(body))
		w.must(err)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		r.Header.Set("X-GitHub-Delivery", delivery)
		r.Header.Set("X-GitHub-Event", "push")
		answer, err := http.DefaultClient.Do(r)
		w.must(err)
		w.must(answer.Body.Close())
		return answer.StatusCode
	}
	for n := range 20 {
		for range 2 { // senders repeat themselves
			if code := post("orders/eu", fmt.Sprint("delivery-", n), fmt.Sprintf(`{"order": {"id": %d}}`, n), "hush"); code != http.StatusAccepted {
				t.Fatalf("the answer is %d", code)
			}
		}
	}
	if code := post("orders/us", "unknown", `{}`, "hush"); code != http.StatusNotFound {
		t.Errorf("an unknown path: %d", code)
	}
	if code := post("orders/eu", "forged", `{}`, "guess"); code != http.StatusUnauthorized {
		t.Errorf("a forged webhook was answered with %d", code)
	}
	const query = `SELECT count(*), count(DISTINCT id), min(detail_type), min(source), max(detail."order".id::int) FROM public.events`
	want := "[[20 20 push app-integrations.webhooks/orders/eu 19]]"
	var rows [][]string
	for deadline := time.Now().Add(patience); fmt.Sprint(rows) != want; time.Sleep(50 * time.Millisecond) {
		if rows, err = w.SQL(t.Context(), query); time.Now().After(deadline) {
			t.Fatalf("the table has %v, %v, want %s", rows, err, want)
		}
	}
	counts := fmt.Sprint(w.control("GET", "events/counts", ""))
	if !strings.Contains(counts, "delivered:20") {
		t.Errorf("the counts are %s", counts)
	}
}

// TestCLI walks through the life of a data integration with the AWS CLI.
func TestCLI(t *testing.T) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	w := start(t)
	w.put("in/a.csv", "1\n")
	run := func(args ...string) map[string]any {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c := exec.CommandContext(ctx, cli, append([]string{"appintegrations", "--output", "json"}, args...)...)
		c.Env = append(os.Environ(), w.Env()...)
		text, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("aws appintegrations %s: %v\n%s", strings.Join(args, " "), err, text)
		}
		out := map[string]any{}
		if len(text) > 0 {
			w.must(json.Unmarshal(text, &out))
		}
		return out
	}
	d := run("create-data-integration", "--name", "cli", "--kms-key", key, "--source-uri", "s3://source/in")
	arn := d["Arn"].(string)
	run("create-data-integration-association", "--data-integration-identifier", arn, "--destination-uri", "s3://destination/cli",
		"--execution-configuration", `{"ExecutionMode":"ON_DEMAND","OnDemandConfiguration":{"StartTime":"0"}}`)
	w.completed(d["Id"].(string))
	list := run("list-data-integration-associations", "--data-integration-identifier", "cli")["DataIntegrationAssociations"].([]any)
	if status := list[0].(map[string]any)["LastExecutionStatus"].(map[string]any)["ExecutionStatus"]; status != "COMPLETED" {
		t.Errorf("the status is %v", status)
	}
	run("tag-resource", "--resource-arn", arn, "--tags", "env=dev")
	if tags := run("list-tags-for-resource", "--resource-arn", arn)["tags"]; fmt.Sprint(tags) != "map[env:dev]" {
		t.Errorf("the tags are %v", tags)
	}
	run("create-event-integration", "--name", "crm", "--event-filter", "Source=aws.partner/example.com", "--event-bridge-bus", "default")
	app := run("create-application", "--name", "mcp", "--namespace", "mcp", "--application-type", "MCP_SERVER", "--application-source-config", `{"ExternalUrlConfig":{"AccessUrl":"https://gateway.test/mcp"}}`)
	if got := run("get-application", "--arn", app["Arn"].(string)+":$LATEST"); got["ApplicationType"] != "MCP_SERVER" {
		t.Errorf("the application is %v", got)
	}
}

// TestBoto3 makes all 23 calls with boto3.
func TestBoto3(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import boto3").Run() != nil {
		t.Skip("boto3 is not installed")
	}
	w := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, python, filepath.Join("testdata", "calls.py"))
	c.Env = append(os.Environ(), w.Env()...)
	if text, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}
