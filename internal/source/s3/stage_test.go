package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// TestStaging runs against the embedded store, with a connection and without one.
func TestStaging(t *testing.T) {
	t.Parallel()
	t.Run("connection", func(t *testing.T) {
		t.Parallel()
		_, client, url := embedded(t)
		r, _ := remote(t, url, nil)
		r.part = 5 << 20
		staging(t, r, client)
	})
	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		srv, client, _ := embedded(t)
		staging(t, srv, client)
	})
}

// stager is a store that takes objects in.
type stager interface {
	List(ctx context.Context, bucket, prefix, startAfter string, yield func(load.File) error) error
	StageCopy(ctx context.Context, from load.File, bucket, key string) (token string, size int64, err error)
	StageFile(ctx context.Context, path, contentType, bucket, key string) (token string, err error)
	Publish(ctx context.Context, token string) error
	Abandon(ctx context.Context, bucket, prefix string, keep []string) error
	Write(ctx context.Context, bucket, key, contentType string, content []byte) error
}

func staging(t *testing.T, r stager, client *awss3.Client) {
	ctx := t.Context()
	for _, b := range []string{"from", "dest"} {
		if _, err := client.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &b}); err != nil {
			t.Fatal(err)
		}
	}
	keys := func(bucket string) (out []string) {
		if err := r.List(ctx, bucket, "", "", func(f load.File) error { out = append(out, f.Key); return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	read := func(bucket, key string) ([]byte, *awss3.GetObjectOutput) {
		t.Helper()
		out, err := client.GetObject(ctx, &awss3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Body.Close()
		content, err := io.ReadAll(out.Body)
		if err != nil {
			t.Fatal(err)
		}
		return content, out
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), (12<<20)/16)
	contents := map[string][]byte{"small ü+&.txt": []byte("small"), "empty": {}, "dir/large": large}
	var tokens []string
	for key, content := range contents {
		_, err := client.PutObject(ctx, &awss3.PutObjectInput{Bucket: aws.String("from"), Key: &key, Body: bytes.NewReader(content),
			ContentType: aws.String("text/x-test"), Metadata: map[string]string{"origin": "here"}, Tagging: aws.String("colour=red&shape=round")})
		if err != nil {
			t.Fatal(err)
		}
		token, size, err := r.StageCopy(ctx, load.File{Bucket: "from", Key: key}, "dest", "copies/"+key)
		if err != nil || size != int64(len(content)) {
			t.Fatalf("stage %q: %d bytes, %v", key, size, err)
		}
		tokens = append(tokens, token)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, large[:6<<20+17], 0o600); err != nil {
		t.Fatal(err)
	}
	token, err := r.StageFile(ctx, path, "application/x-test", "dest", "files/one")
	if err != nil {
		t.Fatal(err)
	}
	tokens = append(tokens, token)
	if got := keys("dest"); len(got) > 0 {
		t.Errorf("%v can be seen before it is published", got)
	}
	for range 2 { // again changes nothing
		for _, token := range tokens {
			if err := r.Publish(ctx, token); err != nil {
				t.Errorf("publish: %v", err)
			}
		}
	}
	for key, content := range contents {
		got, out := read("dest", "copies/"+key)
		if !bytes.Equal(got, content) || len(got) > 0 && aws.ToString(out.ContentType) != "text/x-test" || out.Metadata["origin"] != "here" || aws.ToInt32(out.TagCount) != 2 {
			t.Errorf("the copy of %q has %d bytes, type %s, metadata %v, %d tags", key, len(got), aws.ToString(out.ContentType), out.Metadata, aws.ToInt32(out.TagCount))
		}
	}
	if got, out := read("dest", "files/one"); !bytes.Equal(got, large[:6<<20+17]) || aws.ToString(out.ContentType) != "application/x-test" {
		t.Errorf("the file has %d bytes and type %s", len(got), aws.ToString(out.ContentType))
	}

	// What is abandoned cannot be published; what is kept can.
	var more []string
	for _, key := range []string{"run/1", "run/2", "runner/3"} {
		token, _, err := r.StageCopy(ctx, load.File{Bucket: "from", Key: "empty"}, "dest", key)
		if err != nil {
			t.Fatal(err)
		}
		more = append(more, token)
	}
	if err := r.Abandon(ctx, "dest", "run/", more[1:2]); err != nil {
		t.Fatal(err)
	}
	if err := r.Publish(ctx, more[0]); !fault.Is(err, fault.Expired, SubjectObject) {
		t.Errorf("publishing what was abandoned: %v", err)
	}
	for _, token := range more[1:] {
		if err := r.Publish(ctx, token); err != nil {
			t.Error(err)
		}
	}
	if err := r.Write(ctx, "dest", "note", "application/json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if got, _ := read("dest", "note"); string(got) != "{}" {
		t.Errorf("the note is %q", got)
	}

	// What cannot be.
	for name, err := range map[string]error{
		"source": second(r.StageCopy(ctx, load.File{Bucket: "from", Key: "missing"}, "dest", "x")),
		"bucket": second(r.StageCopy(ctx, load.File{Bucket: "nowhere", Key: "x"}, "dest", "x")),
		"target": second(r.StageCopy(ctx, load.File{Bucket: "from", Key: "empty"}, "nowhere", "x")),
	} {
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: err = %v, want NotFound", name, err)
		}
	}
	if err := r.Publish(ctx, "rubbish"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("err = %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := r.StageCopy(cancelled, load.File{Bucket: "from", Key: "empty"}, "dest", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: err = %v", err)
	}
	if err := r.Abandon(ctx, "dest", "", nil); err != nil {
		t.Fatal(err)
	}
	left, err := client.ListMultipartUploads(ctx, &awss3.ListMultipartUploadsInput{Bucket: aws.String("dest")})
	if err != nil || len(left.Uploads) > 0 {
		t.Errorf("%d uploads are left, %v", len(left.Uploads), err)
	}
	if got := keys("dest"); !slices.Contains(got, "runner/3") || slices.Contains(got, "run/1") {
		t.Errorf("the bucket holds %v", got)
	}
}

func second(_ string, _ int64, err error) error { return err }

// A source that is replaced between two parts must not give a copy of both.
func TestStageCopyOfChangingObject(t *testing.T) {
	t.Parallel()
	srv, client, _ := embedded(t)
	ctx := t.Context()
	for _, b := range []string{"from", "dest"} {
		if _, err := client.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &b}); err != nil {
			t.Fatal(err)
		}
	}
	put := func(c string) {
		if _, err := client.PutObject(ctx, &awss3.PutObjectInput{Bucket: aws.String("from"), Key: aws.String("k"), Body: strings.NewReader(strings.Repeat(c, 1000))}); err != nil {
			t.Error(err)
		}
	}
	put("a")
	var replaced atomic.Bool
	changing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Copy-Source") != "" && replaced.CompareAndSwap(false, true) {
			put("b")
		}
		srv.Handler().ServeHTTP(w, r)
	})
	web := httptest.NewServer(changing)
	t.Cleanup(web.Close)
	r, _ := remote(t, web.URL, nil)
	token, _, err := r.StageCopy(ctx, load.File{Bucket: "from", Key: "k"}, "dest", "k")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Publish(ctx, token); err != nil {
		t.Fatal(err)
	}
	got, err := srv.Path("dest", "k")
	if err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(got); string(content) != strings.Repeat("b", 1000) {
		t.Errorf("the copy is %.20q", content)
	}
}
