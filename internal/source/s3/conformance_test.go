package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/penstock-io/penstock/internal/buckets"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// subject is a store under test: what is tested, and a client to fill it with.
type subject struct {
	objects Objects
	scratch string
	client  *awss3.Client
}

// TestObjects holds every implementation to the contract of Objects.
func TestObjects(t *testing.T) {
	t.Parallel()
	t.Run("local", func(t *testing.T) {
		t.Parallel()
		srv, client, _ := embedded(t)
		scratch := filepath.Join(t.TempDir(), "scratch")
		local, err := NewLocal(srv, scratch)
		if err != nil {
			t.Fatal(err)
		}
		conform(t, subject{local, scratch, client})
	})
	t.Run("remote", func(t *testing.T) {
		t.Parallel()
		_, client, url := embedded(t)
		remote, scratch := remote(t, url, nil)
		conform(t, subject{remote, scratch, client})
	})
	t.Run("endpoint", func(t *testing.T) {
		t.Parallel()
		url := os.Getenv("PENSTOCK_TEST_S3_ENDPOINT")
		if url == "" {
			t.Skip("PENSTOCK_TEST_S3_ENDPOINT is not set")
		}
		scratch := filepath.Join(t.TempDir(), "scratch")
		remote, err := NewRemote(t.Context(), RemoteConfig{Endpoint: url, Region: "us-east-1", Scratch: scratch, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		conform(t, subject{remote, scratch, remote.client})
	})
}

const (
	testID     = "penstock"
	testSecret = "penstock-secret"
)

// embedded starts buckets, and returns a client for them.
func embedded(t *testing.T) (*buckets.Server, *awss3.Client, string) {
	t.Helper()
	srv, err := buckets.Open(buckets.Config{
		Dir: t.TempDir(), Region: "us-east-1", Account: "123456789012", Store: noDocuments{}, Now: time.Now, NoSync: true,
		Keys: func(id string) (string, bool) { return testSecret, id == testID }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv.Handler())
	t.Cleanup(func() {
		web.Close()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(testID, testSecret, "")))
	if err != nil {
		t.Fatal(err)
	}
	return srv, awss3.NewFromConfig(cfg, func(o *awss3.Options) { o.BaseEndpoint, o.UsePathStyle = &web.URL, true }), web.URL
}

// noDocuments is a store of bucket documents that has none.
type noDocuments struct{}

func (noDocuments) DocumentGet(context.Context, string, buckets.Kind) ([]byte, error) {
	return nil, fault.New(fault.NotFound, buckets.SubjectDocument, "none")
}
func (noDocuments) DocumentUpdate(context.Context, string, buckets.Kind, func([]byte) ([]byte, error)) error {
	return errors.ErrUnsupported
}
func (noDocuments) DocumentDeleteAll(context.Context, string) error { return nil }

// remote opens a Remote with the test credentials, or those of env.
func remote(t *testing.T, url string, env map[string]string) (*Remote, string) {
	t.Helper()
	if env == nil {
		env = map[string]string{"PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID": testID, "PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY": testSecret}
	}
	scratch := filepath.Join(t.TempDir(), "scratch")
	r, err := NewRemote(t.Context(), RemoteConfig{Endpoint: url, Region: "us-east-1", Scratch: scratch,
		Getenv: func(name string) string { return env[name] }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return r, scratch
}

// conform is the suite.
func conform(t *testing.T, s subject) {
	ctx := t.Context()
	bucket := fmt.Sprintf("penstock-test-%d", time.Now().UnixNano())
	if _, err := s.client.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	put := func(key, body string) {
		t.Helper()
		if _, err := s.client.PutObject(ctx, &awss3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		// Leave nothing behind in somebody's store.
		ctx := context.WithoutCancel(ctx)
		pages := awss3.NewListObjectsV2Paginator(s.client, &awss3.ListObjectsV2Input{Bucket: &bucket})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Log(err)
				return
			}
			for _, o := range page.Contents {
				_, _ = s.client.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &bucket, Key: o.Key})
			}
		}
		_, _ = s.client.DeleteBucket(ctx, &awss3.DeleteBucketInput{Bucket: &bucket})
	})
	list := func(prefix, after string) []string {
		t.Helper()
		var keys []string
		if err := s.objects.List(ctx, bucket, prefix, after, func(f load.File) error {
			if f.Bucket != bucket {
				t.Errorf("listed in bucket %q", f.Bucket)
			}
			keys = append(keys, f.Key)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return keys
	}
	inScratch := func() int {
		t.Helper()
		entries, err := os.ReadDir(s.scratch)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}

	if got := list("", ""); len(got) != 0 {
		t.Errorf("a new bucket lists %q", got)
	}
	keys := []string{"a-b.csv", "a.csv", "a/1 with space+plus.csv", "a/2%41.csv", "a/größe/日本.csv", "b/" + strings.Repeat("long", 50) + ".csv", "z"}
	slices.Sort(keys)
	for _, key := range keys {
		put(key, "body of "+key)
	}
	put("a/folder/", "")
	for i := 0; i <= len(keys); i++ { // resumed after every key
		after := ""
		if i > 0 {
			after = keys[i-1]
		}
		if got := list("", after); !slices.Equal(got, keys[i:]) {
			t.Errorf("after %q: %q, want %q", after, got, keys[i:])
		}
	}
	for prefix, want := range map[string][]string{"a/": keys[2:5], "a": keys[:5], "a/1": keys[2:3], "none": nil, "a/folder/": nil} {
		if got := list(prefix, ""); !slices.Equal(got, want) {
			t.Errorf("prefix %q: %q, want %q", prefix, got, want)
		}
	}
	enough := errors.New("enough")
	if err := s.objects.List(ctx, bucket, "", "", func(load.File) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("stopped by %v", err)
	}

	if err := s.objects.List(ctx, bucket, "", "", func(listed load.File) error {
		got, release, err := s.objects.Fetch(ctx, load.File{Bucket: listed.Bucket, Key: listed.Key})
		if err != nil {
			return err
		}
		body, err := os.ReadFile(got.Path)
		if err != nil || string(body) != "body of "+listed.Key || got.Size != int64(len(body)) || got.Size != listed.Size {
			t.Errorf("%q: %q, %v; fetched %+v, listed %+v", listed.Key, body, err, got, listed)
		}
		if got.Key != listed.Key || got.Bucket != bucket || got.ETag == "" || got.ETag != listed.ETag || strings.Contains(got.ETag, `"`) {
			t.Errorf("fetched %+v, listed %+v", got, listed)
		}
		if d := got.Modified.Sub(listed.Modified).Abs(); d > time.Second || time.Since(got.Modified) > time.Hour {
			t.Errorf("fetched is of %v, listed of %v", got.Modified, listed.Modified)
		}
		if filepath.Dir(got.Path) != s.scratch {
			t.Errorf("fetched to %s", got.Path)
		}
		release()
		if _, err := os.Stat(got.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after release: %v", err)
		}
		release() // again is harmless
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	// What was fetched stays, whatever becomes of the object.
	got, release, err := s.objects.Fetch(ctx, load.File{Bucket: bucket, Key: "z"})
	if err != nil {
		t.Fatal(err)
	}
	put("z", "something else, and longer")
	if body, err := os.ReadFile(got.Path); err != nil || string(body) != "body of z" {
		t.Errorf("after a replacement: %q, %v", body, err)
	}
	if _, err := s.client.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &bucket, Key: aws.String("z")}); err != nil {
		t.Fatal(err)
	}
	if body, err := os.ReadFile(got.Path); err != nil || string(body) != "body of z" {
		t.Errorf("after the deletion: %q, %v", body, err)
	}
	release()

	for _, key := range []string{"z", "never", "a/folder/", "a/folder", "", strings.Repeat("k", 1025)} {
		if _, _, err := s.objects.Fetch(ctx, load.File{Bucket: bucket, Key: key}); key != "" && len(key) <= 1024 && !fault.Is(err, fault.NotFound, SubjectObject) || err == nil {
			t.Errorf("fetch %.20q: %v", key, err)
		}
	}
	const none = "penstock-test-no-such-bucket"
	if _, _, err := s.objects.Fetch(ctx, load.File{Bucket: none, Key: "key"}); !fault.Is(err, fault.NotFound, SubjectBucket) {
		t.Errorf("fetch from a missing bucket: %v", err)
	}
	if err := s.objects.List(ctx, none, "", "", func(load.File) error { return nil }); !fault.Is(err, fault.NotFound, SubjectBucket) {
		t.Errorf("list of a missing bucket: %v", err)
	}
	if err := s.objects.CheckBucket(ctx, none); !fault.Is(err, fault.NotFound, SubjectBucket) {
		t.Errorf("check of a missing bucket: %v", err)
	}
	if err := s.objects.CheckBucket(ctx, bucket); err != nil {
		t.Errorf("check: %v", err)
	}

	// Many at once, with an end to each.
	big := strings.Repeat("0123456789abcdef", 1<<16)
	put("big", big)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			got, release, err := s.objects.Fetch(ctx, load.File{Bucket: bucket, Key: "big"})
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			if body, err := os.ReadFile(got.Path); err != nil || string(body) != big {
				t.Errorf("%d bytes, %v", len(body), err)
			}
		})
	}
	wg.Wait()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.objects.List(cancelled, bucket, "", "", func(load.File) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("list with a cancelled context: %v", err)
	}
	if n := inScratch(); n != 0 {
		t.Errorf("%d files left in scratch", n)
	}

	// Thousands of objects come in pages.
	const many = 1100
	for i := range many {
		if i%8 == 0 {
			wg.Wait()
		}
		wg.Go(func() { put(fmt.Sprintf("many/%04d", i), "x") })
	}
	wg.Wait()
	if got := list("many/", ""); len(got) != many || !slices.IsSorted(got) {
		t.Errorf("%d of %d, sorted: %v", len(got), many, slices.IsSorted(got))
	}
}
