package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// impatient makes a Remote give up at once.
func impatient(r *Remote) *Remote {
	o := r.client.Options()
	o.Retryer = aws.NopRetryer{}
	r.client = awss3.New(o)
	return r
}

func TestFaultsOfTheStore(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status  int
		code    string
		object  fault.Kind // of Fetch
		bucket  fault.Kind // of List
		subject string     // of Fetch
	}{
		{404, "NoSuchKey", fault.NotFound, fault.NotFound, SubjectObject},
		{404, "NoSuchBucket", fault.NotFound, fault.NotFound, SubjectBucket},
		{404, "", fault.NotFound, fault.NotFound, SubjectObject},
		{403, "AccessDenied", fault.Denied, fault.Denied, SubjectObject},
		{403, "InvalidAccessKeyId", fault.Denied, fault.Denied, SubjectObject},
		{403, "SignatureDoesNotMatch", fault.Denied, fault.Denied, SubjectObject},
		{400, "ExpiredToken", fault.Denied, fault.Denied, SubjectObject},
		{403, "", fault.Denied, fault.Denied, SubjectObject},
		{401, "Whatever", fault.Denied, fault.Denied, SubjectObject},
		{301, "PermanentRedirect", fault.Invalid, fault.Invalid, SubjectObject},
		{503, "SlowDown", fault.Throttled, fault.Throttled, SubjectObject},
		{429, "", fault.Throttled, fault.Throttled, SubjectObject},
		{500, "InternalError", fault.Unavailable, fault.Unavailable, SubjectObject},
		{502, "", fault.Unavailable, fault.Unavailable, SubjectObject},
		{503, "ServiceUnavailable", fault.Unavailable, fault.Unavailable, SubjectObject},
		{400, "InvalidArgument", fault.Invalid, fault.Invalid, SubjectObject},
		{418, "", fault.Invalid, fault.Invalid, SubjectObject},
	} {
		t.Run(fmt.Sprint(test.status, test.code), func(t *testing.T) {
			t.Parallel()
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				if test.code != "" {
					fmt.Fprintf(w, "<Error><Code>%s</Code><Message>secret detail</Message></Error>", test.code)
				}
			}))
			defer web.Close()
			r, scratch := remote(t, web.URL, nil)
			impatient(r)
			_, _, err := r.Fetch(t.Context(), load.File{Bucket: "bucket", Key: "dir/key"})
			if !fault.Is(err, test.object, test.subject) {
				t.Errorf("fetch: %v (%v)", err, fault.KindOf(err))
			}
			if message := fault.Message(err); !strings.Contains(message, "bucket") && test.object != fault.Throttled {
				t.Errorf("message does not name the object: %s", message)
			}
			err = r.List(t.Context(), "bucket", "", "", func(load.File) error { return nil })
			if fault.KindOf(err) != test.bucket {
				t.Errorf("list: %v (%v)", err, fault.KindOf(err))
			}
			if entries, _ := os.ReadDir(scratch); len(entries) != 0 {
				t.Errorf("left in scratch: %v", entries)
			}
		})
	}
}

// A download that breaks off is no file.
func TestBrokenDownload(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		_, _ = w.Write(make([]byte, 5000))
		panic(http.ErrAbortHandler)
	}))
	defer web.Close()
	r, scratch := remote(t, web.URL, nil)
	_, _, err := impatient(r).Fetch(t.Context(), load.File{Bucket: "bucket", Key: "key"})
	if !fault.Is(err, fault.Unavailable, SubjectObject) || !fault.Retryable(err) {
		t.Errorf("%v", err)
	}
	if entries, _ := os.ReadDir(scratch); len(entries) != 0 {
		t.Errorf("left in scratch: %v", entries)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	web.Close()
	r, _ := remote(t, web.URL, nil)
	err := impatient(r).CheckBucket(t.Context(), "bucket")
	if !fault.Is(err, fault.Unavailable, SubjectBucket) || !strings.Contains(fault.Message(err), web.URL) || !strings.Contains(fault.Message(err), "refused") {
		t.Errorf("%v: %s", err, fault.Message(err))
	}
}

func TestDownloadsAreBounded(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	gate := make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-gate
		now.Add(-1)
		_, _ = w.Write([]byte("x"))
	}))
	defer web.Close()
	r, _ := remote(t, web.URL, nil)
	done := make(chan error)
	for range 3 * downloads {
		go func() {
			_, release, err := r.Fetch(context.WithoutCancel(t.Context()), load.File{Bucket: "bucket", Key: "key"})
			if err == nil {
				release()
			}
			done <- err
		}()
	}
	for range 3 * downloads {
		gate <- struct{}{}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > downloads {
		t.Errorf("%d downloads at a time", most.Load())
	}
	// Waiting for a turn ends with the context.
	ctx, cancel := context.WithCancel(t.Context())
	if err := r.slots.Acquire(ctx, downloads); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, _, err := r.Fetch(ctx, load.File{Bucket: "bucket", Key: "key"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestRemoteCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	var auth string
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { auth = r.Header.Get("Authorization") }))
	defer web.Close()

	r, _ := remote(t, web.URL, map[string]string{})
	if err := r.CheckBucket(t.Context(), "bucket"); !fault.Is(err, fault.Denied, SubjectBucket) || !strings.Contains(fault.Message(err), "no credentials") {
		t.Errorf("without credentials: %v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "from-chain")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1") // ours, perhaps; not to be asked
	r, _ = remote(t, web.URL, map[string]string{})
	if err := r.CheckBucket(t.Context(), "bucket"); err != nil || !strings.Contains(auth, "Credential=from-chain/") || !strings.Contains(auth, "/us-east-1/s3/") {
		t.Errorf("chain: %v, %s", err, auth)
	}
	r, _ = remote(t, web.URL, map[string]string{"PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID": "ours", "PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY": "s", "PENSTOCK_SOURCE_AWS_REGION": "eu-west-1"})
	if err := r.CheckBucket(t.Context(), "bucket"); err != nil || !strings.Contains(auth, "Credential=ours/") || !strings.Contains(auth, "/eu-west-1/s3/") {
		t.Errorf("ours: %v, %s", err, auth)
	}
	c, err := r.access.Credentials(t.Context())
	if err != nil || c.AccessKeyID != "ours" || c.SecretAccessKey.Reveal() != "s" || !c.SessionToken.Empty() || r.access.Region != "eu-west-1" {
		t.Errorf("%+v, %v", c, err)
	}
	r, _ = remote(t, "", map[string]string{})
	if o := r.client.Options(); o.BaseEndpoint != nil || o.UsePathStyle {
		t.Errorf("AWS itself: endpoint %v", *o.BaseEndpoint)
	}
	for _, bad := range []string{"host:9000", "://", "ftp://host", "http://"} {
		if _, err := NewRemote(t.Context(), RemoteConfig{Endpoint: bad, Scratch: t.TempDir(), Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("endpoint %q accepted", bad)
		}
	}
}

func TestScratchIsEmptiedAtTheStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"1", "sub/2"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := NewLocal(nil, dir); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewLocal(nil, file); err == nil {
		t.Error("a file was accepted as scratch directory")
	}
}

// Where a file cannot have a second name it is copied.
func TestLocalOnAnotherFileSystem(t *testing.T) {
	t.Parallel()
	other, err := os.MkdirTemp("/dev/shm", "penstock-test-")
	if err != nil {
		t.Skip("no second file system to test with")
	}
	defer os.RemoveAll(other)
	srv, client, _ := embedded(t)
	bucket, key := "bucket", "key"
	if _, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("body")}); err != nil {
		t.Fatal(err)
	}
	local, err := NewLocal(srv, other)
	if err != nil {
		t.Fatal(err)
	}
	got, release, err := local.Fetch(t.Context(), load.File{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := os.ReadFile(got.Path); err != nil || string(body) != "body" || got.Size != 4 {
		t.Errorf("%q, %v, %+v", body, err, got)
	}
	release()
	if err := os.RemoveAll(other); err != nil {
		t.Fatal(err)
	}
	if _, _, err := local.Fetch(t.Context(), load.File{Bucket: bucket, Key: key}); !fault.Is(err, fault.Unavailable, SubjectScratch) {
		t.Errorf("without the scratch directory: %v", err)
	}
}

func TestParseNotification(t *testing.T) {
	t.Parallel()
	const whole = `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"2026-11-21T12:00:00.123Z",
"eventName":"ObjectCreated:Put","s3":{"s3SchemaVersion":"1.0","configurationId":"c","bucket":{"name":"b","arn":"arn:aws:s3:::b"},
"object":{"key":"in/with+space%2Bplus/%C3%BC.csv","size":42,"eTag":"abc","sequencer":"00"}}}]}`
	at := time.Date(2026, 11, 21, 12, 0, 0, 123e6, time.UTC)
	want := load.File{Bucket: "b", Key: "in/with space+plus/ü.csv", Size: 42, ETag: "abc", Modified: at}
	one := func(event, bucket, key, extra string) string {
		return fmt.Sprintf(`{"Records":[{"eventName":%q,"s3":{"bucket":{"name":%q},"object":{"key":%q%s}}}]}`, event, bucket, key, extra)
	}
	for name, test := range map[string]struct {
		body string
		want []load.File
		ok   bool
	}{
		"put":                 {whole, []load.File{want}, true},
		"in an SNS message":   {fmt.Sprintf(`{"Type":"Notification","MessageId":"1","Message":%q}`, whole), []load.File{want}, true},
		"test event":          {`{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`, nil, true},
		"no records":          {`{"Records":[]}`, nil, true},
		"removed":             {one("ObjectRemoved:Delete", "b", "k", ""), nil, true},
		"old style name":      {one("s3:ObjectCreated:Copy", "b", "k", ""), []load.File{{Bucket: "b", Key: "k"}}, true},
		"multipart":           {one("ObjectCreated:CompleteMultipartUpload", "b", "k", `,"size":5368709121`), []load.File{{Bucket: "b", Key: "k", Size: 5368709121}}, true},
		"folder marker":       {one("ObjectCreated:Put", "b", "folder/", ""), nil, true},
		"empty":               {"", nil, false},
		"not JSON":            {"Records", nil, false},
		"a list":              {"[]", nil, false},
		"something else":      {`{"detail-type":"Object Created"}`, nil, false},
		"no key":              {one("ObjectCreated:Put", "b", "", ""), nil, false},
		"no bucket":           {one("ObjectCreated:Put", "", "k", ""), nil, false},
		"bad encoding":        {one("ObjectCreated:Put", "b", "%zz", ""), nil, false},
		"long key":            {one("ObjectCreated:Put", "b", strings.Repeat("k", 1025), ""), nil, false},
		"negative size":       {one("ObjectCreated:Put", "b", "k", `,"size":-1`), nil, false},
		"size is text":        {one("ObjectCreated:Put", "b", "k", `,"size":"1"`), nil, false},
		"bad time":            {`{"Records":[{"eventName":"ObjectCreated:Put","eventTime":"yesterday","s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`, nil, false},
		"message in message":  {`{"Message":"{\"Message\":\"{}\"}"}`, nil, false},
		"message is not JSON": {`{"Message":"hello"}`, nil, false},
		"too many":            {`{"Records":[` + strings.Repeat("{},", maxRecords) + `{}]}`, nil, false},
		"too long":            {`{"Records":[]}` + strings.Repeat(" ", maxNotification), nil, false},
		"deep":                {strings.Repeat(`{"Records":[`, 50_000), nil, false},
	} {
		got, err := ParseNotification([]byte(test.body))
		if (err == nil) != test.ok || fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err != nil && (!fault.Is(err, fault.Invalid, SubjectNotification) || len(fault.Message(err)) > 300) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseNotification(f *testing.F) {
	f.Add([]byte(`{"Records":[{"eventName":"ObjectCreated:Put","eventTime":"2026-11-21T12:00:00Z","s3":{"bucket":{"name":"b"},"object":{"key":"a+b%20c","size":1,"eTag":"e"}}}]}`))
	f.Add([]byte(`{"Message":"{\"Records\":[]}"}`))
	f.Add([]byte(`{"Event":"s3:TestEvent"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		files, err := ParseNotification(body)
		if err != nil && (files != nil || !fault.Is(err, fault.Invalid, SubjectNotification)) {
			t.Errorf("%v, %v", files, err)
		}
		for _, file := range files {
			if file.Bucket == "" || file.Key == "" || len(file.Key) > maxKey || folderMarker(file.Key) || file.Size < 0 {
				t.Errorf("%+v", file)
			}
		}
	})
}

// BenchmarkLocalFetch is what making an embedded object ready costs.
func BenchmarkLocalFetch(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "object")
	if err := os.WriteFile(path, make([]byte, 10_000), 0o600); err != nil {
		b.Fatal(err)
	}
	local, err := NewLocal(oneObject{path: path}, filepath.Join(dir, "scratch"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_, release, err := local.Fetch(b.Context(), load.File{Bucket: "b", Key: "k"})
		if err != nil {
			b.Fatal(err)
		}
		release()
	}
}

// oneObject is buckets with one object.
type oneObject struct {
	Buckets
	path string
}

func (o oneObject) Stat(context.Context, string, string) (load.File, error) {
	return load.File{Path: o.path}, nil
}
