package buckets

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/penstock-io/penstock/internal/fault"
)

// upload puts an object in parts and returns its etag without quotes.

// A process killed while it completes an upload leaves the upload for another try.

func TestCopy(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	from, to := f.bucket(t, "copy-from"), f.bucket(t, "copy-to")
	key := "src/with space+ü.csv"
	if _, err := f.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &from, Key: &key, Body: strings.NewReader("copied"), ContentType: aws.String("text/csv"),
		Metadata: map[string]string{"a": "b"}, Tagging: aws.String("t=v"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256}); err != nil {
		t.Fatal(err)
	}
	f.take()
	header := aws.String(from + "/src/with%20space%2B%C3%BC.csv")
	before := time.Now()
	out, err := f.s3.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &to, Key: aws.String("dst"), CopySource: header})
	if err != nil {
		t.Fatal(err)
	}
	arrivals, _ := f.take()
	if len(arrivals) != 1 || arrivals[0].Key != "dst" || arrivals[0].Bucket != to || arrivals[0].Event != EventCopy || arrivals[0].Size != 6 ||
		`"`+arrivals[0].ETag+`"` != *out.CopyObjectResult.ETag || arrivals[0].Modified.Before(before) {
		t.Errorf("arrivals %+v", arrivals)
	}
	head, err := f.s3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &to, Key: aws.String("dst"), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		t.Fatal(err)
	}
	if *head.ContentType != "text/csv" || head.Metadata["a"] != "b" || head.ChecksumSHA256 == nil {
		t.Errorf("copy has %v %v %v", *head.ContentType, head.Metadata, head.ChecksumSHA256)
	}
	tags, err := f.s3.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &to, Key: aws.String("dst")})
	if err != nil || len(tags.TagSet) != 1 || *tags.TagSet[0].Value != "v" {
		t.Errorf("tags %+v, %v", tags, err)
	}

	// Onto itself: refused without a change, and then a new write.
	_, err = f.s3.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &from, Key: &key, CopySource: header})
	wantCode(t, err, "InvalidRequest")
	before = time.Now()
	if _, err := f.s3.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &from, Key: &key, CopySource: header,
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"c": "d"}}); err != nil {
		t.Fatal(err)
	}
	if got := f.get(t, from, key); got != "copied" {
		t.Errorf("holds %q after a copy onto itself", got)
	}
	if file, err := f.Stat(t.Context(), from, key); err != nil || file.Modified.Before(before) {
		t.Errorf("modified %v, begun %v, %v", file.Modified, before, err)
	}
	if a, _ := f.take(); len(a) != 1 {
		t.Errorf("arrivals %+v", a)
	}

	for code, in := range map[string]*s3.CopyObjectInput{
		"NoSuchKey":          {Bucket: &to, Key: aws.String("x"), CopySource: aws.String(from + "/missing")},
		"NoSuchBucket":       {Bucket: &to, Key: aws.String("x"), CopySource: aws.String("no-such-bucket/key")},
		"PreconditionFailed": {Bucket: &to, Key: aws.String("x"), CopySource: header, CopySourceIfMatch: aws.String(`"other"`)},
		"AccessDenied":       {Bucket: &to, Key: aws.String("x"), CopySource: header, ExpectedSourceBucketOwner: aws.String("999999999999")},
	} {
		_, err := f.s3.CopyObject(t.Context(), in)
		wantCode(t, err, code)
	}
	_, err = f.s3.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String("no-such-bucket"), Key: aws.String("x"), CopySource: header})
	wantCode(t, err, "NoSuchBucket")
	if a, _ := f.take(); len(a) != 0 {
		t.Errorf("arrivals %+v of failed copies", a)
	}
}

func TestConditionalWrites(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket, key := f.bucket(t, "conditional"), "key"
	put := func(body string, match, noneMatch *string) (string, error) {
		out, err := f.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body), IfMatch: match, IfNoneMatch: noneMatch})
		if err != nil {
			return "", err
		}
		return *out.ETag, nil
	}
	first, err := put("1", nil, aws.String("*"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = put("2", nil, aws.String("*"))
	wantCode(t, err, "PreconditionFailed")
	_, err = put("2", aws.String(`"other"`), nil)
	wantCode(t, err, "PreconditionFailed")
	if _, err := put("2", &first, nil); err != nil {
		t.Fatal(err)
	}
	// Of many who create the same key, one does.
	key = "contended"
	won := make(chan bool)
	for i := range 16 {
		go func() {
			_, err := f.s3.PutObject(context.WithoutCancel(t.Context()), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("contended"),
				Body: strings.NewReader(fmt.Sprint(i)), IfNoneMatch: aws.String("*")})
			won <- err == nil
		}()
	}
	winners := 0
	for range 16 {
		if <-won {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d of 16 created the key", winners)
	}
	if a, _ := f.take(); len(a) != 3 {
		t.Errorf("%d arrivals for 3 writes", len(a))
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "delete")
	for _, key := range []string{"a/1", "a/2", "b/c/d", "keep"} {
		f.put(t, bucket, key, "x")
	}
	f.take()
	if _, err := f.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String("a/1")}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"missing", "a", "a/", "b/c/", "keep/below", "x//y", "../keep", strings.Repeat("k", 300)} {
		if _, err := f.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil && key != "../keep" {
			t.Errorf("delete %q: %v", key, err)
		}
	}
	out, err := f.s3.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("a/2")}, {Key: aws.String("b/c/d")}, {Key: aws.String("missing")}, {Key: aws.String("x//y"), VersionId: aws.String("null")}}}})
	if err != nil || len(out.Deleted) != 4 || len(out.Errors) != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	if keys := f.keys(t, bucket, "", ""); !slices.Equal(keys, []string{"keep"}) {
		t.Errorf("left %q", keys)
	}
	arrivals, removals := f.take()
	var gone []string
	for _, r := range removals {
		if r.Bucket != bucket || r.Event != EventDelete {
			t.Errorf("removal %+v", r)
		}
		gone = append(gone, r.Key)
	}
	if !slices.Equal(gone, []string{"a/1", "a/2", "b/c/d"}) || len(arrivals) != 0 {
		t.Errorf("removals %q, arrivals %+v", gone, arrivals)
	}
	// Empty directories do not keep a bucket.
	if _, err := f.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String("keep")}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.s3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
}

func TestFolderMarkers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "folders")
	f.put(t, bucket, "folder/", "")
	f.put(t, bucket, "folder/file", "x")
	if a, _ := f.take(); len(a) != 1 || a[0].Key != "folder/file" {
		t.Errorf("arrivals %+v", a)
	}
	out, err := f.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil || len(out.Contents) != 2 || *out.Contents[0].Key != "folder/" || *out.Name != bucket {
		t.Errorf("%+v, %v", out, err)
	}
	if keys := f.keys(t, bucket, "", ""); !slices.Equal(keys, []string{"folder/file"}) {
		t.Errorf("listed %q", keys)
	}
	if _, err := f.Path(bucket, "folder/"); !fault.Is(err, fault.NotFound, SubjectObject) {
		t.Errorf("path of a folder marker: %v", err)
	}
	_, err = f.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("data/"), Body: strings.NewReader("data")})
	wantCode(t, err, "DirectoryObjectContainsData")
}

func TestKeysThatCannotBeStored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "hostile")
	f.put(t, bucket, "file", "x")
	f.put(t, bucket, "dir/file", "x")
	f.take()
	for key, want := range map[string]string{
		"a//b": "InvalidArgument", "/abs": "InvalidArgument", "a/../b": "InvalidArgument", "./a": "InvalidArgument", "a/.": "InvalidArgument",
		"nul\x00byte": "InvalidArgument", "new\nline": "InvalidArgument", "invalid\xff": "InvalidArgument",
		strings.Repeat("k", maxSegment+1): "InvalidArgument", strings.Repeat("kk/", 342): "KeyTooLongError",
		".sgwtmp/x": "InvalidArgument", "x/.sgwtmp": "InvalidArgument", "d/.name.sgwtmp.17": "InvalidArgument",
		"file/below": "ObjectParentIsFile", "dir": "ExistingObjectIsDirectory",
	} {
		_, err := f.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")})
		if err == nil {
			t.Errorf("put %q succeeded", key)
			continue
		}
		wantCode(t, err, want)
		if _, err := f.s3.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &bucket, Key: &key, CopySource: aws.String(bucket + "/file")}); err == nil {
			t.Errorf("copy to %q succeeded", key)
		}
		if want != "InvalidArgument" {
			continue
		}
		_, err = f.s3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
		wantCode(t, err, want)
		_, err = f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		wantCode(t, err, "NoSuchKey")
		if _, err := f.Path(bucket, key); !fault.Is(err, fault.NotFound, SubjectObject) {
			t.Errorf("path of %q: %v", key, err)
		}
	}
	for _, key := range []string{strings.Repeat("k", maxSegment), strings.Repeat("k", maxSegment)} { // twice: created, then replaced
		f.put(t, bucket, key, "x")
	}
	if a, _ := f.take(); len(a) != 2 {
		t.Errorf("arrivals %+v", a)
	}
	for _, bad := range []string{"..", "../x", "a/../../x", "/etc/passwd", ""} {
		if p, err := f.Path(bucket, bad); err == nil {
			t.Errorf("path of %q is %s", bad, p)
		}
		if p, err := f.Path(bad, "file"); err == nil {
			t.Errorf("path in bucket %q is %s", bad, p)
		}
	}
}

// A body that ends early leaves nothing behind, whatever vouches for its content.

// trailer encodes a body in aws-chunked form with a CRC-32 behind it.

func TestBucketsComeAndGo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "bucket.with-dots")
	f.bucket(t, bucket) // again, as in us-east-1
	for _, bad := range []string{"ab", "UPPER", "under_score", "192.168.0.1", "-x-", strings.Repeat("a", 64)} {
		_, err := f.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bad})
		wantCode(t, err, "InvalidBucketName")
	}
	_, err := f.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("elsewhere"),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
	wantCode(t, err, "InvalidLocationConstraint")
	head, err := f.s3.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &bucket, ExpectedBucketOwner: aws.String(testAccount)})
	if err != nil || *head.BucketRegion != "us-east-1" {
		t.Errorf("%+v, %v", head, err)
	}
	_, err = f.s3.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &bucket, ExpectedBucketOwner: aws.String("999999999999")})
	wantCode(t, err, "Forbidden")
	_, err = f.s3.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("missing")})
	wantCode(t, err, "NotFound")

	f.bucket(t, "another")
	if err := os.Mkdir(filepath.Join(f.cfg.Dir, "by-hand"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.cfg.Dir, "by-hand", "file.csv"), []byte("1,2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := f.get(t, "by-hand", "file.csv"); got != "1,2" {
		t.Errorf("file made by hand holds %q", got)
	}
	var names []string
	pages := s3.NewListBucketsPaginator(f.s3, &s3.ListBucketsInput{MaxBuckets: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page.Buckets {
			names = append(names, *b.Name)
			if time.Since(*b.CreationDate) > time.Hour {
				t.Errorf("%s created %v", *b.Name, b.CreationDate)
			}
		}
	}
	if !slices.Equal(names, []string{"another", "bucket.with-dots", "by-hand"}) {
		t.Errorf("buckets %q", names)
	}
	f.put(t, bucket, "key", "x")
	_, err = f.s3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &bucket})
	wantCode(t, err, "BucketNotEmpty")
	location, err := f.s3.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: &bucket})
	if err != nil || location.LocationConstraint != "" {
		t.Errorf("%+v, %v", location, err)
	}
	if v, err := f.s3.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: &bucket}); err != nil || v.Status != "" {
		t.Errorf("versioning %+v, %v", v, err)
	}
	_, err = f.s3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: "Enabled"}})
	wantCode(t, err, "NotImplemented")

	eu := newFixture(t, func(c *Config) { c.Region = "eu-west-1" })
	in := &s3.CreateBucketInput{Bucket: aws.String("in-europe"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}
	if _, err := eu.s3.CreateBucket(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	_, err = eu.s3.CreateBucket(t.Context(), in)
	wantCode(t, err, "BucketAlreadyOwnedByYou")
	location, err = eu.s3.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: in.Bucket})
	if err != nil || location.LocationConstraint != "eu-west-1" {
		t.Errorf("%+v, %v", location, err)
	}
}

// An acknowledged object is in the bucket: either the deletion of the bucket or the write fails.

func TestWritesRaceBucketDeletion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := "raced"
	for i := range 50 {
		f.bucket(t, bucket)
		key := fmt.Sprintf("dir/%d", i)
		put := make(chan error)
		go func() {
			_, err := f.s3.PutObject(context.WithoutCancel(t.Context()), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")})
			put <- err
		}()
		_, deleteErr := f.s3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &bucket})
		putErr := <-put
		if exists, err := f.BucketExists(t.Context(), bucket); err != nil || exists == (deleteErr == nil) {
			t.Fatalf("bucket exists: %v, %v; deleted: %v", exists, err, deleteErr)
		}
		if putErr == nil {
			if deleteErr == nil {
				t.Fatal("a bucket with an acknowledged object was deleted")
			}
			if got := f.get(t, bucket, key); got != "x" {
				t.Fatalf("holds %q", got)
			}
			if _, err := f.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.s3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &bucket}); err != nil {
			var missing *types.NoSuchBucket
			if !errors.As(err, &missing) && deleteErr != nil {
				t.Fatal(err)
			}
		}
	}
}

// A client that knows nothing but the address needs no setting: the SDK puts the bucket into the path for an
// address without a name.
func TestDefaultAddressing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := s3.New(s3.Options{BaseEndpoint: &f.http.URL, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, "")})
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("addressed")}); err != nil {
		t.Fatal(err)
	}
	if ok, err := f.BucketExists(t.Context(), "addressed"); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestRangesAndEntityTags(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket, key := f.bucket(t, "ranges"), "key"
	out := f.put(t, bucket, key, "0123456789")
	sum := md5.Sum([]byte("0123456789"))
	if *out.ETag != `"`+hex.EncodeToString(sum[:])+`"` {
		t.Errorf("etag %s", *out.ETag)
	}
	for span, want := range map[string]string{"bytes=0-0": "0", "bytes=3-5": "345", "bytes=7-": "789", "bytes=-2": "89", "bytes=5-99": "56789"} {
		got, err := f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key, Range: &span})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(got.Body)
		if string(body) != want || *got.ContentLength != int64(len(want)) {
			t.Errorf("%s: %q, length %d", span, body, *got.ContentLength)
		}
	}
	_, err := f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key, Range: aws.String("bytes=10-")})
	wantCode(t, err, "InvalidRange")
	_, err = f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key, IfNoneMatch: out.ETag})
	wantCode(t, err, "NotModified")
	head, err := f.s3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil || *head.ContentLength != 10 {
		t.Errorf("%+v, %v", head, err)
	}
}
