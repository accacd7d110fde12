package invoke_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/buckets"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

// documents is a store of buckets' documents in memory.
type documents struct {
	mu   sync.Mutex
	docs map[string][]byte
}

func (d *documents) DocumentGet(_ context.Context, bucket string, kind buckets.Kind) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if doc, ok := d.docs[bucket+"/"+string(kind)]; ok {
		return bytes.Clone(doc), nil
	}
	return nil, fault.New(fault.NotFound, buckets.SubjectDocument, "no %s of %s", kind, bucket)
}

func (d *documents) DocumentUpdate(_ context.Context, bucket string, kind buckets.Kind, change func([]byte) ([]byte, error)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	doc, err := change(bytes.Clone(d.docs[bucket+"/"+string(kind)]))
	if err == nil {
		d.docs[bucket+"/"+string(kind)] = doc
	}
	return err
}

func (d *documents) DocumentDeleteAll(context.Context, string) error { return nil }

// AMAZON_S3 for real: the actions against the embedded buckets, which verify every signature.
func TestEmbeddedBuckets(t *testing.T) {
	t.Parallel()
	store, err := buckets.Open(buckets.Config{
		Dir: t.TempDir(), Region: "eu-central-1", Account: "123456789012", Store: &documents{docs: map[string][]byte{}},
		Keys: func(id string) (string, bool) { return "sekret", id == "AKIDEXAMPLE" },
		Now:  time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(store.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	with := func(password string) *invoke.Engine {
		return engine(t, invoke.Config{AWS: invoke.AWS{Region: "eu-central-1", Endpoints: map[string]string{"s3": server.URL}, Transport: out(t, nil),
			Credentials: func(context.Context) (invoke.AWSCredentials, error) {
				return invoke.AWSCredentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret.NewText(password)}, nil
			}}})
	}
	e := with("sekret")
	do := func(action string, arguments any) (invoke.Result, map[string]any, error) {
		t.Helper()
		text, err := json.Marshal(arguments)
		if err != nil {
			t.Fatal(err)
		}
		result, err := e.Invoke(t.Context(), call("AMAZON_S3", "", authOf("AMAZON_S3"), action, string(text)))
		var body map[string]any
		if result.JSON && json.Unmarshal(result.Body, &body) != nil {
			t.Errorf("%s answered %s", action, result.Body)
		}
		return result, body, err
	}
	must := func(action string, arguments any) map[string]any {
		t.Helper()
		_, body, err := do(action, arguments)
		if err != nil {
			t.Fatalf("%s %v: %v", action, arguments, err)
		}
		return body
	}
	if err := e.Check(t.Context(), invoke.Connector{ID: "s3", Type: "AMAZON_S3", Auth: authOf("AMAZON_S3")}); err != nil {
		t.Errorf("check: %v", err)
	}
	must("CreateBucket", map[string]any{"Bucket": "reports"})
	keys := []string{"plain.txt", "dir/a b+c=ü.txt", "dir/%41.txt", "dir/(1)'!*.txt"}
	for _, key := range keys {
		if body := must("UploadFile", map[string]any{"Bucket": "reports", "Key": key, "Body": "content of " + key}); body["ETag"] == "" {
			t.Errorf("upload of %s answered %v", key, body)
		}
		result, _, err := do("DownloadFile", map[string]any{"Bucket": "reports", "Key": key})
		if err != nil || string(result.Body) != "content of "+key {
			t.Errorf("%s holds %q (%v)", key, result.Body, err)
		}
	}
	must("UploadFile", map[string]any{"Bucket": "reports", "Key": "bytes", "Body": base64.StdEncoding.EncodeToString([]byte{0, 1, 255}), "BodyEncoding": "base64", "BodyContentType": "image/png"})
	if result, _, err := do("DownloadFile", map[string]any{"Bucket": "reports", "Key": "bytes"}); err != nil || !bytes.Equal(result.Body, []byte{0, 1, 255}) || result.ContentType != "image/png" {
		t.Errorf("bytes came back as %v, %s (%v)", result.Body, result.ContentType, err)
	}
	must("UploadFile", map[string]any{"Bucket": "reports", "Key": "empty", "Body": ""})
	must("CopyObject", map[string]any{"Bucket": "reports", "Key": "copy", "CopySource": "reports/dir/a b+c=ü.txt"})
	if result, _, err := do("DownloadFile", map[string]any{"Bucket": "reports", "Key": "copy", "Range": "bytes=0-6"}); err != nil || string(result.Body) != "content" {
		t.Errorf("the copy begins with %q (%v)", result.Body, err)
	}
	result, body, err := do("ListObjects", map[string]any{"Bucket": "reports", "prefix": "dir/", "max-keys": 2})
	if err != nil || len(body["Contents"].([]any)) != 2 || body["IsTruncated"] != true || result.Next == nil {
		t.Fatalf("listing %v, next %+v (%v)", body, result.Next, err)
	}
	rest := must("ListObjects", map[string]any{"Bucket": "reports", "prefix": "dir/", "max-keys": 2, result.Next.Argument: result.Next.Value})
	if contents := rest["Contents"].([]any); len(contents) != 1 || contents[0].(map[string]any)["Size"] == 0.0 {
		t.Errorf("the second page is %v", rest)
	}
	if body := must("ListBuckets", map[string]any{}); !strings.Contains(toText(body), `"Name":"reports"`) {
		t.Errorf("buckets %v", body)
	}
	for _, key := range append(keys, "bytes", "empty", "copy") {
		must("DeleteObject", map[string]any{"Bucket": "reports", "Key": key})
	}
	if _, _, err := do("DownloadFile", map[string]any{"Bucket": "reports", "Key": "plain.txt"}); code(err) != invoke.VendorNotFound || !strings.Contains(err.Error(), "NoSuchKey") {
		t.Errorf("an object that there is not: %v", err)
	}
	must("DeleteBucket", map[string]any{"Bucket": "reports"})
	e = with("wrong")
	if _, _, err := do("ListBuckets", map[string]any{}); code(err) != invoke.VendorDenied && code(err) != invoke.CredentialsRefused {
		t.Errorf("a wrong secret: %v", err)
	}
	if err := e.Check(t.Context(), invoke.Connector{ID: "s3", Type: "AMAZON_S3", Auth: authOf("AMAZON_S3")}); fault.KindOf(err) != fault.Denied {
		t.Errorf("the check of a wrong secret: %v", err)
	}
}

func toText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
