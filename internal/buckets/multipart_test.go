package buckets

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend/posix"
)

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
