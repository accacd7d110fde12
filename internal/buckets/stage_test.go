package buckets

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

func TestStaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := newFixture(t, func(c *Config) { c.Dir = dir })
	f.bucket(t, "inner")
	ctx := t.Context()
	if err := f.Write(ctx, "inner", "a/b.txt", "text/x-test", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	f.take()
	token, size, err := f.StageCopy(ctx, load.File{Bucket: "inner", Key: "a/b.txt"}, "inner", "new/dir/c.txt")
	if err != nil || size != 5 {
		t.Fatal(size, err)
	}
	if arrivals, _ := f.take(); len(arrivals) > 0 {
		t.Errorf("a staged object has arrived: %+v", arrivals)
	}
	// Another process, which finds it and publishes it; once more changes nothing.
	again := newFixture(t, func(c *Config) { c.Dir = dir })
	for range 2 {
		if err := again.Publish(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	arrivals, _ := again.take()
	if len(arrivals) != 1 || arrivals[0].Key != "new/dir/c.txt" || arrivals[0].Event != EventCopy || arrivals[0].Size != 5 || arrivals[0].ETag != "5d41402abc4b2a76b9719d911017c592" {
		t.Errorf("the arrivals are %+v", arrivals)
	}
	got, err := again.Stat(ctx, "inner", "new/dir/c.txt")
	if err != nil || !got.Modified.Equal(arrivals[0].Modified) || got.ETag != arrivals[0].ETag {
		t.Errorf("%+v, %v", got, err)
	}
	head, err := again.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("inner"), Key: aws.String("new/dir/c.txt")})
	if err != nil || aws.ToString(head.ContentType) != "text/x-test" {
		t.Errorf("%+v, %v", head, err)
	}
	// What changes one of the two must not change the other.
	if err := again.Write(ctx, "inner", "a/b.txt", "text/plain", []byte("changed")); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(got.Path); err != nil || string(content) != "hello" {
		t.Errorf("the copy is %q, %v", content, err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "inner", stagedDir)); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func TestStagedFaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.bucket(t, "inner")
	f.bucket(t, "gone")
	ctx := t.Context()
	if err := f.Write(ctx, "inner", "a/b", "", nil); err != nil {
		t.Fatal(err)
	}
	stage := func(bucket, key string) string {
		t.Helper()
		token, _, err := f.StageCopy(ctx, load.File{Bucket: "inner", Key: "a/b"}, bucket, key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	outside := stage("inner", "x")
	outside = strings.Replace(outside, `"k":"x"`, `"k":"../x"`, 1)
	lost := stage("gone", "x")
	if _, err := f.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("gone")}); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	copied := func(from, bucket, key string) error {
		_, _, err := f.StageCopy(ctx, load.File{Bucket: "inner", Key: from}, bucket, key)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"no source":        {copied("nothing", "inner", "x"), fault.NotFound},
		"no bucket":        {copied("a/b", "nowhere", "x"), fault.NotFound},
		"bad key":          {copied("a/b", "inner", "../x"), fault.Invalid},
		"no file":          {func() error { _, err := f.StageFile(ctx, "/nowhere", "", "inner", "x"); return err }(), fault.Unavailable},
		"below an object":  {f.Publish(ctx, stage("inner", "a/b/c")), fault.Invalid},
		"above objects":    {f.Publish(ctx, stage("inner", "a")), fault.Invalid},
		"rubbish":          {f.Publish(ctx, "rubbish"), fault.Invalid},
		"path in a token":  {f.Publish(ctx, strings.Replace(stage("inner", "x"), `"f":"`, `"f":"../`, 1)), fault.Invalid},
		"key in a token":   {f.Publish(ctx, outside), fault.Invalid},
		"bucket deleted":   {f.Publish(ctx, lost), fault.NotFound},
		"cancelled":        {f.Publish(cancelled, stage("inner", "x")), fault.Canceled},
		"abandon nowhere":  {f.Abandon(ctx, "nowhere", "", nil), fault.NotFound},
		"abandon rubbish":  {f.Abandon(ctx, "inner", "", []string{"rubbish"}), fault.Invalid},
		"write to nowhere": {f.Write(ctx, "nowhere", "x", "", nil), fault.NotFound},
	} {
		if fault.KindOf(c.err) != c.kind {
			t.Errorf("%s: err = %v, want %v", name, c.err, c.kind)
		}
	}
	if _, err := f.Stat(ctx, "inner", "a/b"); err != nil {
		t.Error(err)
	}
}
