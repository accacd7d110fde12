package buckets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/uuid"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// commit takes an object over the line between staged and visible. stage is called with the staged file, as
// the last thing before it gets its name; finish after that.
type commit struct {
	o      *objects
	bucket string
	key    string
	staged bool
	size   int64
	when   time.Time
}

// stage dates the file and makes its content durable. Content goes to disk before the name does: a crash must
// not show a name with half the content (invariant 9).
func (c *commit) stage(f *os.File) error {
	c.when = c.o.cfg.Now()
	// The kernel dates files by a clock that lags by up to a tick; an explicit time does not.
	if err := os.Chtimes(f.Name(), c.when, c.when); err != nil {
		return err
	}
	if !c.o.cfg.NoSync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	c.size, c.staged = info.Size(), true
	return nil
}

// finish makes the name durable and reports the arrival. err is how the write ended. A write that succeeds
// without having staged anything is a folder marker, or the completion of an upload that was complete already.
func (c *commit) finish(err error, etag, event string) error {
	if err != nil || !c.staged {
		return c.o.fix(err, c.bucket)
	}
	if err := c.o.syncDir(filepath.Dir(filepath.Join(c.o.dir(c.bucket), c.key))); err != nil {
		return c.o.fix(err, c.bucket)
	}
	if report := c.o.cfg.OnArrival; report != nil {
		report(Arrival{
			Bucket: c.bucket, Key: c.key, ETag: strings.Trim(etag, `"`), Size: c.size,
			Modified: c.when, Time: c.o.cfg.Now(), Event: event,
		})
	}
	return nil
}

func (o *objects) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, _, err := o.put(ctx, in, EventPut)
	return out, err
}

// put stores an object and returns when it was.
func (o *objects) put(ctx context.Context, in s3response.PutObjectInput, event string) (s3response.PutObjectOutput, time.Time, error) {
	bucket, key := strings.Clone(*in.Bucket), strings.Clone(*in.Key)
	var size int64
	if in.ContentLength != nil {
		size = *in.ContentLength
	}
	if err := o.checkWrite(bucket, key, size); err != nil {
		return s3response.PutObjectOutput{}, time.Time{}, err
	}
	if in.ObjectLockMode != "" || in.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn {
		return s3response.PutObjectOutput{}, time.Time{}, s3err.GetAPIError(s3err.ErrNotImplemented)
	}
	defer o.gate.enter(bucket)()
	dir := o.dir(bucket)
	in.Bucket, in.Key = &dir, &key
	in.Body = &bounded{Reader: in.Body, left: size}
	c := commit{o: o, bucket: bucket, key: key, when: o.cfg.Now()}
	out, err := o.files.PutObjectWithPostFunc(ctx, in, c.stage)
	if err = c.finish(err, out.ETag, event); err != nil {
		return s3response.PutObjectOutput{}, time.Time{}, err
	}
	return out, c.when, nil
}

// bounded is a body that must not be longer than was announced. It keeps the trailing checksum of one that has
// any, which the backend asks for.
type bounded struct {
	io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errIncomplete
	}
	return n, err
}

func (b *bounded) Algorithm() string {
	if c, ok := b.Reader.(middlewares.ChecksumReader); ok {
		return c.Algorithm()
	}
	return ""
}

func (b *bounded) Checksum() string {
	if c, ok := b.Reader.(middlewares.ChecksumReader); ok {
		return c.Checksum()
	}
	return ""
}

// Multipart uploads.

// checkUpload refuses upload ids that this store cannot have given out: they become part of a path.
func (o *objects) checkUpload(bucket, key string, id *string) error {
	if err := o.checkRead(bucket, key); err != nil {
		return err
	}
	if id == nil {
		return s3err.GetNoSuchUploadErr("")
	}
	if _, err := uuid.Parse(*id); err != nil || len(*id) != 36 {
		return s3err.GetNoSuchUploadErr(*id)
	}
	return nil
}

func (o *objects) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	bucket := strings.Clone(*in.Bucket)
	if err := o.checkWrite(bucket, *in.Key, 0); err != nil {
		return s3response.InitiateMultipartUploadResult{}, err
	}
	if in.ObjectLockMode != "" || in.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn {
		return s3response.InitiateMultipartUploadResult{}, s3err.GetAPIError(s3err.ErrNotImplemented)
	}
	defer o.gate.enter(bucket)()
	dir := o.dir(bucket)
	in.Bucket = &dir
	out, err := o.files.CreateMultipartUpload(ctx, in)
	out.Bucket = bucket
	return out, o.fix(err, bucket)
}

func (o *objects) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if err := o.checkUpload(*in.Bucket, *in.Key, in.UploadId); err != nil {
		return nil, err
	}
	var size int64
	if in.ContentLength != nil {
		size = *in.ContentLength
	}
	if err := o.room(size); err != nil {
		return nil, err
	}
	defer o.gate.enter(strings.Clone(*in.Bucket))()
	dir, part := o.dir(*in.Bucket), *in
	part.Bucket, part.Body = &dir, &bounded{Reader: in.Body, left: size}
	out, err := o.files.UploadPart(ctx, &part)
	return out, o.fix(err, *in.Bucket)
}

func (o *objects) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	if err := o.checkUpload(*in.Bucket, *in.Key, in.UploadId); err != nil {
		return err
	}
	defer o.gate.enter(strings.Clone(*in.Bucket))()
	dir, abort := o.dir(*in.Bucket), *in
	abort.Bucket = &dir
	return o.fix(o.files.AbortMultipartUpload(ctx, &abort), *in.Bucket)
}

func (o *objects) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	bucket, key := strings.Clone(*in.Bucket), strings.Clone(*in.Key)
	if err := o.checkUpload(bucket, key, in.UploadId); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	if err := o.room(0); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	defer o.gate.enter(bucket)()
	dir, complete := o.dir(bucket), *in
	complete.Bucket, complete.Key = &dir, &key
	c := commit{o: o, bucket: bucket, key: key}
	left := len(in.MultipartUpload.Parts)
	out, version, err := o.files.CompleteMultipartUploadWithCopy(ctx, &complete, func(from, to *os.File) (bool, error) {
		if _, err := io.Copy(to, from); err != nil { // in the kernel, where the file system can
			return true, err
		}
		if left--; left > 0 {
			return true, nil
		}
		return true, c.stage(to)
	})
	if err == nil && left < len(in.MultipartUpload.Parts) && !c.staged {
		// The backend made good for a copy that failed here. It is complete but undated.
		err = o.stageNamed(&c, filepath.Join(dir, key))
	}
	var etag string
	if out.ETag != nil {
		etag = *out.ETag
	}
	if err := c.finish(err, etag, EventComplete); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	out.Bucket = &bucket
	return out, version, nil
}

// stageNamed is commit.stage for an object that has its name already.
func (o *objects) stageNamed(c *commit, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(c.stage(f), f.Close())
}

// Deleting.

func (o *objects) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	bucket, key := strings.Clone(*in.Bucket), strings.Clone(*in.Key)
	if err := o.present(bucket); err != nil {
		return nil, err
	}
	if !storable(key) {
		return &s3.DeleteObjectOutput{}, nil // deleting what cannot exist succeeds, as deleting what does not
	}
	if in.VersionId != nil && *in.VersionId != "" && *in.VersionId != "null" {
		return nil, s3err.GetInvalidArgumentErr(s3err.InvalidArgVersionId, *in.VersionId)
	}
	dir, del := o.dir(bucket), *in
	del.Bucket = &dir
	info, statErr := os.Lstat(filepath.Join(dir, key))
	out, err := o.files.DeleteObject(ctx, &del)
	switch {
	case errors.Is(err, s3err.GetAPIError(s3err.ErrDirectoryNotEmpty)):
		return &s3.DeleteObjectOutput{}, nil // a directory, but nobody stored a folder marker there
	case err != nil:
		return out, o.fix(err, bucket)
	}
	if report := o.cfg.OnRemoval; report != nil && statErr == nil && info.Mode().IsRegular() {
		report(Removal{Bucket: bucket, Key: key, Time: o.cfg.Now(), Event: EventDelete})
	}
	return out, nil
}

func (o *objects) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	if err := o.present(*in.Bucket); err != nil {
		return s3response.DeleteResult{}, err
	}
	var out s3response.DeleteResult
	for _, obj := range in.Delete.Objects {
		if obj.Key == nil {
			return out, s3err.GetAPIError(s3err.ErrMalformedXML)
		}
		_, err := o.DeleteObject(ctx, &s3.DeleteObjectInput{
			Bucket: in.Bucket, Key: obj.Key, VersionId: obj.VersionId,
			IfMatch: obj.ETag, IfMatchLastModifiedTime: obj.LastModifiedTime, IfMatchSize: obj.Size,
		})
		if err != nil {
			out.Error = append(out.Error, s3err.ObjectDeleteError(obj.Key, obj.VersionId, err))
			continue
		}
		out.Deleted = append(out.Deleted, types.DeletedObject{Key: obj.Key, VersionId: obj.VersionId})
	}
	return out, nil
}

// errSource is the answer for the source of a copy that is not there.
func (o *objects) errSource(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	return fmt.Errorf("open copy source: %w", err)
}
