package buckets

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// In process and over HTTP the same keys are listed, in the order of their bytes, from every starting point.
func TestListAgreesWithSortedKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "sorted")
	rng := rand.New(rand.NewPCG(1, 2))
	all := map[string]bool{}
	segments := []string{"a", "b", "a-", "a.", "a0", "A", "é", "~", "a b", "-"}
	for len(all) < 150 {
		key := segments[rng.IntN(len(segments))]
		for range rng.IntN(4) {
			key += "/" + segments[rng.IntN(len(segments))]
		}
		// What is a file cannot be a directory.
		if slices.ContainsFunc(sorted(all), func(k string) bool {
			return strings.HasPrefix(k, key+"/") || strings.HasPrefix(key, k+"/")
		}) {
			continue
		}
		if !all[key] {
			f.put(t, bucket, key, key)
		}
		all[key] = true
	}
	keys := sorted(all)
	starts := append([]string{"", "a", "a/", "a-", "zz", "a/b/", "\xff"}, keys...)
	prefixes := []string{"", "a", "a/", "a-", "a/a", "a/a/", "b/", "no", "é/", "a//", "../"}
	for _, prefix := range prefixes {
		for _, after := range starts {
			var want []string
			for _, k := range keys {
				if strings.HasPrefix(k, prefix) && k > after {
					want = append(want, k)
				}
			}
			if got := f.keys(t, bucket, prefix, after); !slices.Equal(got, want) {
				t.Errorf("prefix %q after %q: %q, want %q", prefix, after, got, want)
			}
		}
		var want, got []string
		for _, k := range keys {
			if strings.HasPrefix(k, prefix) {
				want = append(want, k)
			}
		}
		pages := s3.NewListObjectsV2Paginator(f.s3, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix, MaxKeys: aws.Int32(7)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Contents {
				got = append(got, *o.Key)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("over HTTP, prefix %q: %q, want %q", prefix, got, want)
		}
	}
	out, err := f.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("a"), Delimiter: aws.String("/")})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out.Contents {
		if strings.Contains(*o.Key, "/") {
			t.Errorf("%q listed with delimiter", *o.Key)
		}
	}
	for _, p := range out.CommonPrefixes {
		if strings.Count(*p.Prefix, "/") != 1 {
			t.Errorf("common prefix %q", *p.Prefix)
		}
	}
}

func sorted(set map[string]bool) []string {
	var keys []string
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func TestListReportsWhatStatDoes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "described")
	f.put(t, bucket, "a/b.csv", "1,2,3")
	var listed []load.File
	if err := f.List(t.Context(), bucket, "", "", func(file load.File) error {
		listed = append(listed, file)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	stat, err := f.Stat(t.Context(), bucket, "a/b.csv")
	if err != nil || len(listed) != 1 || listed[0] != stat {
		t.Fatalf("listed %+v, stat %+v, %v", listed, stat, err)
	}
	path, err := f.Path(bucket, "a/b.csv")
	if err != nil || path != stat.Path {
		t.Errorf("path %q, %v", path, err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "1,2,3" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestListStops(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "stopped")
	for i := range 5 {
		f.put(t, bucket, fmt.Sprint(i), "x")
	}
	enough := errors.New("enough")
	n := 0
	err := f.List(t.Context(), bucket, "", "", func(load.File) error {
		if n++; n == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 3 {
		t.Errorf("%v after %d", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.List(ctx, bucket, "", "", func(load.File) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := f.List(t.Context(), "missing", "", "", nil); !fault.Is(err, fault.NotFound, SubjectBucket) {
		t.Errorf("missing bucket: %v", err)
	}
	if ok, err := f.BucketExists(t.Context(), "../"+bucket); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

// Directories larger than a chunk are read in several passes, which must not show.
func TestListInChunks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "chunks")
	set := map[string]bool{}
	for i := range 60 {
		key := fmt.Sprintf("in/%02d", i*7%60)
		if i%10 == 0 {
			key += "/below"
		}
		f.put(t, bucket, key, "x")
		set[key] = true
	}
	want := sorted(set)
	for chunk := 1; chunk <= 61; chunk += 3 {
		var got []string
		w := walk{s: f.Server, bucket: bucket, chunk: chunk, yield: func(file load.File) error {
			got = append(got, file.Key)
			return nil
		}}
		if err := w.dir(t.Context(), ""); err != nil || !slices.Equal(got, want) {
			t.Errorf("chunk of %d: %q, %v", chunk, got, err)
		}
	}
}

func TestLinksAndBookkeepingStayHidden(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "hidden")
	f.put(t, bucket, "dir/object", "x")
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(f.cfg.Dir, bucket)
	for link, target := range map[string]string{"link": outside, "dir/link": outside, "dirlink": filepath.Dir(outside), "alias": filepath.Join(root, "dir/object")} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".object.sgwtmp.1732233600000000000", "dir/.x.sgwtmp.17"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if keys := f.keys(t, bucket, "", ""); !slices.Equal(keys, []string{"dir/object"}) {
		t.Errorf("listed %q", keys)
	}
	for _, key := range []string{"link", "dir/link", "alias", "dirlink/secret"} {
		if p, err := f.Path(bucket, key); !fault.Is(err, fault.Denied, SubjectObject) {
			t.Errorf("path of %q: %q, %v", key, p, err)
		}
	}
	out, err := f.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out.Contents {
		if strings.Contains(*o.Key, "sgwtmp") {
			t.Errorf("%q listed over HTTP", *o.Key)
		}
	}
}

// The time of a write is taken from the configured clock.
func TestModifiedIsTheClocks(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 2, 3, 4, 5, 6, 789012345, time.UTC)
	f := newFixture(t, func(c *Config) { c.Now = func() time.Time { return now } })
	bucket := f.bucket(t, "dated")
	f.put(t, bucket, "key", "x")
	file, err := f.Stat(t.Context(), bucket, "key")
	if err != nil || !file.Modified.Equal(now) {
		t.Errorf("modified %v, %v", file.Modified, err)
	}
}
