package buckets

import (
	"context"
	"errors"
	"io"

	"github.com/versity/versitygw/s3response"

	"github.com/penstock-io/penstock/internal/fault"
)

// Put stores an object of size bytes, as a PutObject request would: it arrives, it is durable when Put returns,
// and it replaces one of the same key. A missing bucket is NotFound, a key that cannot be stored Invalid, a full
// disk Unavailable.
func (s *Server) Put(ctx context.Context, bucket, key string, body io.Reader, size int64) error {
	if err := s.requireBucket(bucket); err != nil {
		return err
	}
	_, _, err := s.objects.put(ctx, s3response.PutObjectInput{Bucket: &bucket, Key: &key, Body: &exact{body, size}, ContentLength: &size}, EventPut)
	var f *fault.Error
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case errors.Is(err, errDiskFull):
		return fault.Wrap(err, fault.Unavailable, SubjectBucket, "There is no room for s3://%s/%s; free some space and try again.", bucket, key)
	}
	return fault.Wrap(err, fault.Invalid, SubjectObject, "s3://%s/%s cannot be stored: %s", bucket, key, describe(err))
}

// exact is a body that must be as long as was announced. One that comes over HTTP is held to that by the server.
type exact struct {
	io.Reader
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if e.left -= int64(n); errors.Is(err, io.EOF) && e.left > 0 {
		err = errIncomplete
	}
	return n, err
}
