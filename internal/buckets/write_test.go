package buckets

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/md5"
	"encoding/base64"
	"encoding/binary"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/versity/versitygw/backend/posix"
)

// upload puts an object in parts and returns its etag without quotes.
func (f *fixture) upload(t testing.TB, bucket, key string, sizes []int, algorithm types.ChecksumAlgorithm) string {
	t.Helper()
	start, err := f.s3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key, ChecksumAlgorithm: algorithm})
	if err != nil {
		t.Fatal(err)
	}
	var done types.CompletedMultipartUpload
	for i, size := range sizes {
		number := int32(i + 1)
		part, err := f.s3.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: start.UploadId, PartNumber: &number,
			ChecksumAlgorithm: algorithm, Body: bytes.NewReader(bytes.Repeat([]byte{byte('a' + i)}, size))})
		if err != nil {
			t.Fatal(err)
		}
		done.Parts = append(done.Parts, types.CompletedPart{ETag: part.ETag, PartNumber: &number,
			ChecksumCRC32: part.ChecksumCRC32, ChecksumSHA256: part.ChecksumSHA256, ChecksumCRC32C: part.ChecksumCRC32C})
	}
	in := &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: start.UploadId, MultipartUpload: &done}
	out, err := f.s3.CompleteMultipartUpload(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	// Completing again succeeds and stores nothing.
	if again, err := f.s3.CompleteMultipartUpload(t.Context(), in); err != nil || *again.ETag != *out.ETag {
		t.Errorf("completed again: %v", err)
	}
	return strings.Trim(*out.ETag, `"`)
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "multipart")
	for _, algorithm := range []types.ChecksumAlgorithm{"", types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmSha256} {
		key := "parts/" + string(algorithm) + ".bin"
		before := time.Now()
		etag := f.upload(t, bucket, key, []int{5 << 20, 5 << 20, 17}, algorithm)
		arrivals, _ := f.take()
		if len(arrivals) != 1 {
			t.Fatalf("%q: arrivals %+v", algorithm, arrivals)
		}
		a := arrivals[0]
		if a.Key != key || a.Size != 10<<20+17 || a.ETag != etag || a.Event != EventComplete || !strings.HasSuffix(etag, "-3") {
			t.Errorf("%q: arrival %+v, etag %s", algorithm, a, etag)
		}
		file, err := f.Stat(t.Context(), bucket, key)
		if err != nil {
			t.Fatal(err)
		}
		if !file.Modified.Equal(a.Modified) || file.Modified.Before(before) {
			t.Errorf("%q: modified %v, arrival %v, begun %v", algorithm, file.Modified, a.Modified, before)
		}
		number := int32(2)
		part, err := f.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key, PartNumber: &number})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(part.Body)
		if !bytes.Equal(body, bytes.Repeat([]byte("b"), 5<<20)) || *part.PartsCount != 3 {
			t.Errorf("%q: part 2 has %d bytes of %q..., %d parts", algorithm, len(body), body[:1], *part.PartsCount)
		}
	}
}

func TestMultipartIsInvisibleUntilComplete(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket, key := f.bucket(t, "incomplete"), "big.bin"
	start, err := f.s3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	number := int32(1)
	part, err := f.s3.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: start.UploadId, PartNumber: &number, Body: strings.NewReader("x")})
	if err != nil {
		t.Fatal(err)
	}
	if keys := f.keys(t, bucket, "", ""); len(keys) != 0 {
		t.Errorf("listed %q", keys)
	}
	for _, id := range []string{"../../..", "..", strings.Repeat("a", 36), "", "../" + *start.UploadId} {
		_, err := f.s3.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: &id})
		if err == nil {
			t.Errorf("aborted upload %q", id)
		}
	}
	uploads, err := f.s3.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil || len(uploads.Uploads) != 1 || *uploads.Uploads[0].UploadId != *start.UploadId || *uploads.Bucket != bucket {
		t.Fatalf("uploads %+v, %v", uploads, err)
	}
	wrong := `"00000000000000000000000000000000"`
	_, err = f.s3.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: start.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: &wrong, PartNumber: &number}}}})
	wantCode(t, err, "InvalidPart")
	if _, err := f.s3.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: start.UploadId}); err != nil {
		t.Fatal(err)
	}
	_, err = f.s3.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: start.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: &number}}}})
	wantCode(t, err, "NoSuchUpload")
	if a, _ := f.take(); len(a) != 0 {
		t.Errorf("arrivals %+v", a)
	}
}

// A process killed while it completes an upload leaves the upload for another try.
func TestInterruptedCompletion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket, key := f.bucket(t, "interrupted"), "big.bin"
	start, err := f.s3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	number := int32(1)
	part, err := f.s3.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: start.UploadId, PartNumber: &number, Body: strings.NewReader("part")})
	if err != nil {
		t.Fatal(err)
	}
	// As the backend leaves it when killed between claiming the upload and finishing it, with an unnamed
	// upload beside it.
	dirs, err := filepath.Glob(filepath.Join(f.cfg.Dir, bucket, posix.MetaTmpMultipartDir, "*", *start.UploadId))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("%v, %v", dirs, err)
	}
	if err := os.Rename(dirs[0], dirs[0]+".0123-1.inprogress"); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(f.cfg.Dir, bucket, posix.MetaTmpDir, "abc.123")
	if err := os.WriteFile(stray, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := newFixture(t, func(c *Config) { c.Dir = f.cfg.Dir })
	if _, err := os.Stat(stray); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unnamed upload remains: %v", err)
	}
	if _, err := again.s3.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: start.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: &number}}}}); err != nil {
		t.Fatal(err)
	}
	if got := again.get(t, bucket, key); got != "part" {
		t.Errorf("holds %q", got)
	}
}

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

func TestUploadPartCopy(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "part-copy")
	f.put(t, bucket, "source", strings.Repeat("0123456789", 1<<20))
	f.take()
	for _, algorithm := range []types.ChecksumAlgorithm{"", types.ChecksumAlgorithmSha256} {
		key := "target" + string(algorithm)
		start, err := f.s3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key, ChecksumAlgorithm: algorithm})
		if err != nil {
			t.Fatal(err)
		}
		var done types.CompletedMultipartUpload
		for i, span := range []string{"bytes=0-5242879", "bytes=5242880-5242889"} {
			number := int32(i + 1)
			part, err := f.s3.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{Bucket: &bucket, Key: &key, UploadId: start.UploadId, PartNumber: &number,
				CopySource: aws.String(bucket + "/source"), CopySourceRange: &span})
			if err != nil {
				t.Fatal(err)
			}
			done.Parts = append(done.Parts, types.CompletedPart{ETag: part.CopyPartResult.ETag, PartNumber: &number, ChecksumSHA256: part.CopyPartResult.ChecksumSHA256})
		}
		if _, err := f.s3.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: start.UploadId, MultipartUpload: &done}); err != nil {
			t.Fatal(err)
		}
		if got := f.get(t, bucket, key); len(got) != 5242890 || got != strings.Repeat("0123456789", 524289) {
			t.Errorf("%q: %d bytes", algorithm, len(got))
		}
		if a, _ := f.take(); len(a) != 1 || a[0].Size != 5242890 {
			t.Errorf("arrivals %+v", a)
		}
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
func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "truncated")
	f.put(t, bucket, "existing", "whole")
	f.take()
	for _, key := range []string{"new", "existing"} {
		for _, hash := range []string{unsigned, strings.Repeat("0", 64)} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, f.http.URL+"/truncated/"+key, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = 1 << 20
			req.Header.Set("X-Amz-Content-Sha256", hash)
			signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
			if err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, req, hash, "s3", "us-east-1", time.Now()); err != nil {
				t.Fatal(err)
			}
			conn, err := net.Dial("tcp", f.http.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "PUT /truncated/%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", key, req.URL.Host, req.ContentLength)
			if err := req.Header.Write(conn); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "\r\n%s", strings.Repeat("half", 1000))
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(conn)
			conn.Close()
			if len(answer) > 0 && !bytes.Contains(answer, []byte("IncompleteBody")) {
				t.Errorf("%s: %s", key, answer)
			}
		}
	}
	if keys := f.keys(t, bucket, "", ""); !slices.Equal(keys, []string{"existing"}) {
		t.Errorf("listed %q", keys)
	}
	if got := f.get(t, bucket, "existing"); got != "whole" {
		t.Errorf("existing holds %q", got)
	}
	if a, _ := f.take(); len(a) != 0 {
		t.Errorf("arrivals %+v", a)
	}
}

// trailer encodes a body in aws-chunked form with a CRC-32 behind it.
func trailer(data string, chunk int, sum uint32) string {
	var b strings.Builder
	for len(data) > 0 {
		n := min(chunk, len(data))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, data[:n])
		data = data[n:]
	}
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], sum)
	fmt.Fprintf(&b, "0\r\nx-amz-checksum-crc32:%s\r\n\r\n", base64.StdEncoding.EncodeToString(raw[:]))
	return b.String()
}

func TestTrailingChecksum(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "trailing")
	data := strings.Repeat("trailing checksum ", 20000)
	sum := crc32.ChecksumIEEE([]byte(data))
	send := func(key, body string, decoded int) (int, string) {
		const hash = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, f.http.URL+"/trailing/"+key, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Content-Sha256", hash)
		req.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
		req.Header.Set("Content-Encoding", "aws-chunked")
		req.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(decoded))
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, req, hash, "s3", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		res, err := f.http.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(answer)
	}
	if status, answer := send("good", trailer(data, 8192, sum), len(data)); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if got := f.get(t, bucket, "good"); got != data {
		t.Errorf("holds %d bytes of %d", len(got), len(data))
	}
	if a, _ := f.take(); len(a) != 1 || a[0].Size != int64(len(data)) {
		t.Errorf("arrivals %+v", a)
	}
	bad := map[string]struct {
		body    string
		decoded int
	}{
		"wrong sum":    {trailer(data, 8192, sum+1), len(data)},
		"too long":     {trailer(data, 8192, sum), len(data) - 1},
		"too short":    {trailer(data, 8192, sum), len(data) + 1},
		"cut":          {trailer(data, 8192, sum)[:len(data)/2], len(data)},
		"no trailer":   {"5\r\nhello\r\n0\r\n\r\n", 5},
		"huge chunk":   {"ffffffffffffffff\r\nhello", 5},
		"not a number": {"zz\r\nhello\r\n", 5},
		"negative":     {"-5\r\nhello\r\n", 5},
		"empty":        {"", 5},
	}
	for name, b := range bad {
		if status, answer := send("bad", b.body, b.decoded); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if keys := f.keys(t, bucket, "", ""); !slices.Equal(keys, []string{"good"}) {
		t.Errorf("listed %q", keys)
	}
	if a, _ := f.take(); len(a) != 0 {
		t.Errorf("arrivals %+v", a)
	}
}

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
