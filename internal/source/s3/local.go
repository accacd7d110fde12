package s3

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// Buckets are the embedded buckets: *buckets.Server.
type Buckets interface {
	BucketExists(ctx context.Context, bucket string) (bool, error)
	List(ctx context.Context, bucket, prefix, startAfter string, yield func(load.File) error) error
	// Stat describes an object; its Path is the object's own file.
	Stat(ctx context.Context, bucket, key string) (load.File, error)
}

// Local is the objects of the embedded buckets.
type Local struct {
	buckets Buckets
	scratch *scratch
}

// NewLocal returns the objects of b. The scratch directory is emptied; on the file system that holds the
// buckets, nothing is ever copied to it.
func NewLocal(b Buckets, scratch string) (*Local, error) {
	s, err := openScratch(scratch)
	if err != nil {
		return nil, err
	}
	return &Local{buckets: b, scratch: s}, nil
}

// List implements Objects. File.Path is the object's own file, which a replacement of the object changes.
func (l *Local) List(ctx context.Context, bucket, prefix, startAfter string, yield func(load.File) error) error {
	return l.buckets.List(ctx, bucket, prefix, startAfter, yield)
}

// CheckBucket implements Objects.
func (l *Local) CheckBucket(ctx context.Context, bucket string) error {
	ok, err := l.buckets.BucketExists(ctx, bucket)
	if err == nil && !ok {
		err = fault.New(fault.NotFound, SubjectBucket, "There is no bucket %q.", bucket)
	}
	return err
}

// Fetch implements Objects. It gives the object's file a second name, which keeps the content as it is
// although the object is replaced or deleted.
func (l *Local) Fetch(ctx context.Context, f load.File) (load.File, func(), error) {
	got, err := l.buckets.Stat(ctx, f.Bucket, f.Key)
	if err != nil {
		return load.File{}, nil, err
	}
	path := l.scratch.path()
	if err := os.Link(got.Path, path); err != nil {
		// Another file system, or one without second names, or too many of them.
		err := copyFile(path, got.Path)
		if _, gone := os.Lstat(got.Path); errors.Is(gone, fs.ErrNotExist) {
			return load.File{}, nil, missing(f)
		}
		if err != nil {
			return load.File{}, nil, scratchFault(err, f)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return load.File{}, nil, scratchFault(err, f)
	}
	got.Path, got.Size = path, info.Size()
	return got, remove(path), nil
}

func copyFile(to, from string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Close()); err != nil {
		remove(to)()
	}
	return err
}

// scratchFault classifies a failure to write or read in the scratch directory.
func scratchFault(err error, f load.File) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Wrap(err, fault.Unavailable, SubjectScratch, "The disk is full, so s3://%s/%s cannot be made ready for loading; free some space.", f.Bucket, f.Key)
	}
	return fault.Wrap(err, fault.Unavailable, SubjectScratch, "s3://%s/%s cannot be made ready for loading in the data directory.", f.Bucket, f.Key)
}
