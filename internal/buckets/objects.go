package buckets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// objects is the backend the gateway works on: the POSIX backend with absolute paths, refused keys, durable
// writes and arrivals. The strings it is given are views of request buffers that are used again; what outlives
// a call must be cloned. What it does not forward stays unsupported: versioning, object lock, object access
// control lists, SELECT.
type objects struct {
	backend.BackendUnsupported
	cfg      Config
	files    *posix.Posix
	docs     *documents
	gate     *gate
	creating sync.Mutex
}

func newObjects(cfg Config, files *posix.Posix, docs *documents) *objects {
	return &objects{cfg: cfg, files: files, docs: docs, gate: newGate()}
}

func (o *objects) String() string { return "Penstock buckets" }
func (o *objects) Shutdown()      { o.files.Shutdown() }

// dir is the directory of a bucket. The name has been validated, here or by the gateway.
func (o *objects) dir(bucket string) string { return filepath.Join(o.cfg.Dir, bucket) }

// check returns an error when the bucket's name could not be one, which keeps names like ".." out of paths
// whatever the way they came in.
func (o *objects) check(bucket string) error {
	if !utils.IsValidBucketName(bucket) {
		return s3err.GetBucketErr(s3err.ErrInvalidBucketName, bucket)
	}
	return nil
}

// checkWrite is check plus whether the key can be stored and the disk has room for it.
func (o *objects) checkWrite(bucket, key string, size int64) error {
	if err := o.check(bucket); err != nil {
		return err
	}
	if err := checkKey(key); err != nil {
		return err
	}
	return o.room(size)
}

// checkRead is check plus the answer for keys that no object can have.
func (o *objects) checkRead(bucket, key string) error {
	if err := o.check(bucket); err != nil {
		return err
	}
	if len(key) <= maxKey && !storable(key) {
		return s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	return nil
}

// reserve is the space kept free on the disk, in bytes, so that renames, attributes and the other stores in
// the data directory still work when buckets have filled the rest.
const reserve = 32 << 20

var errDiskFull = s3err.APIError{
	Code:           "InsufficientStorage",
	Description:    "The disk that holds the buckets is full. Nothing was stored; free some space and try again.",
	HTTPStatusCode: http.StatusConflict,
}

var errBusy = s3err.APIError{
	Code:           "OperationAborted",
	Description:    "A conflicting conditional operation is currently in progress against this resource. Please try again.",
	HTTPStatusCode: http.StatusConflict,
}

// errGone is for the log: the client that would read it has hung up.
var errGone = s3err.APIError{Code: "RequestTimeout", Description: "The client went away.", HTTPStatusCode: http.StatusBadRequest}

// room refuses a write that the disk has no space for before its body is read.
func (o *objects) room(size int64) error {
	var st syscall.Statfs_t
	// If the file system does not say, the write itself will tell.
	if syscall.Statfs(o.cfg.Dir, &st) == nil && st.Bavail*uint64(st.Bsize) < uint64(max(size, 0))+reserve {
		return errDiskFull
	}
	return nil
}

// fix makes an error of the backend fit for the client: bucket names instead of paths, our own wording where
// the backend's misleads, and nothing internal. Unknown errors are logged.
func (o *objects) fix(err error, bucket string) error {
	if err == nil {
		return nil
	}
	var known s3err.S3Error
	if !errors.As(err, &known) {
		switch {
		case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
			return errDiskFull
		case errors.Is(err, context.Canceled):
			return errGone
		}
		o.cfg.Log.Error("object store", "bucket", bucket, "error", err)
		return s3err.GetAPIError(s3err.ErrInternalError)
	}
	if named, ok := known.(s3err.BucketError); ok {
		named.BucketName = bucket
		return named
	}
	for _, full := range []s3err.ErrorCode{s3err.ErrNoSpaceLeftOnDevice, s3err.ErrQuotaExceeded} {
		if errors.Is(known, s3err.GetAPIError(full)) {
			return errDiskFull
		}
	}
	for code, why := range map[s3err.ErrorCode]string{
		s3err.ErrExistingObjectIsDirectory: "other objects have keys that continue this one after a slash",
		s3err.ErrObjectParentIsFile:        "an object exists whose key is this one cut off at a slash",
	} {
		if base := s3err.GetAPIError(code); errors.Is(known, base) {
			base.Description = "The key cannot be stored, because objects are kept as plain files and " + why + "."
			return base
		}
	}
	return known
}

// syncDir makes the names in a directory durable.
func (o *objects) syncDir(path string) error {
	if o.cfg.NoSync {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Buckets.

func (o *objects) ListBuckets(_ context.Context, in s3response.ListBucketsInput) (s3response.ListAllMyBucketsResult, error) {
	entries, err := os.ReadDir(o.cfg.Dir) // sorted by name
	if err != nil {
		return s3response.ListAllMyBucketsResult{}, o.fix(err, "")
	}
	out := s3response.ListAllMyBucketsResult{Owner: s3response.CanonicalUser{ID: in.Owner}, Prefix: in.Prefix}
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || !utils.IsValidBucketName(name) || !strings.HasPrefix(name, in.Prefix) || name <= in.ContinuationToken {
			continue
		}
		if n := len(out.Buckets.Bucket); n == int(in.MaxBuckets) {
			out.ContinuationToken = out.Buckets.Bucket[n-1].Name
			break
		}
		out.Buckets.Bucket = append(out.Buckets.Bucket, s3response.ListAllMyBucketsEntry{Name: name, CreationDate: o.created(name, e)})
	}
	return out, nil
}

// created is when the bucket was made: the directory's own times change with its content.
func (o *objects) created(bucket string, e fs.DirEntry) time.Time {
	if text, err := (attributes{}).RetrieveAttribute(nil, o.dir(bucket), "", attrCreated); err == nil {
		if t, err := time.Parse(time.RFC3339, string(text)); err == nil {
			return t
		}
	}
	if info, err := e.Info(); err == nil {
		return info.ModTime()
	}
	return time.Time{}
}

// exists reports whether the bucket does. The name is valid.
func (o *objects) exists(bucket string) (bool, error) {
	info, err := os.Lstat(o.dir(bucket))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.IsDir(), err
}

func (o *objects) HeadBucket(_ context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	return &s3.HeadBucketOutput{}, o.present(*in.Bucket)
}

// present returns NoSuchBucket unless the bucket exists.
func (o *objects) present(bucket string) error {
	if err := o.check(bucket); err != nil {
		return err
	}
	ok, err := o.exists(bucket)
	if err != nil {
		return o.fix(err, bucket)
	}
	if !ok {
		return s3err.GetBucketErr(s3err.ErrNoSuchBucket, bucket)
	}
	return nil
}

func (o *objects) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	bucket := strings.Clone(*in.Bucket)
	if in.ObjectLockEnabledForBucket != nil && *in.ObjectLockEnabledForBucket {
		return s3err.GetAPIError(s3err.ErrNotImplemented)
	}
	if err := o.check(bucket); err != nil {
		return err
	}
	if err := o.room(0); err != nil {
		return err
	}
	defer o.gate.enter(bucket)()
	o.creating.Lock()
	defer o.creating.Unlock()
	ok, err := o.exists(bucket)
	switch {
	case err != nil:
		return o.fix(err, bucket)
	case ok && o.cfg.Region == "us-east-1":
		return nil // as S3 does there, and only there
	case ok:
		return s3err.GetBucketErr(s3err.ErrBucketAlreadyOwnedByYou, bucket)
	}
	// Documents of a bucket whose deletion was cut short must not become this one's.
	if err := o.docs.forget(requestContext(ctx), bucket); err != nil {
		return o.fix(err, bucket)
	}
	dir := o.dir(bucket)
	create := *in
	create.Bucket = &dir
	if err := o.files.CreateBucket(ctx, &create, acl); err != nil {
		return o.fix(err, bucket)
	}
	created := []byte(o.cfg.Now().UTC().Format(time.RFC3339))
	err = errors.Join(
		(attributes{}).StoreAttribute(nil, dir, "", attrCreated, created),
		os.Mkdir(filepath.Join(dir, posix.MetaTmpDir), 0o700),
		o.syncDir(dir), o.syncDir(o.cfg.Dir),
	)
	if err != nil {
		return o.fix(errors.Join(err, os.RemoveAll(dir)), bucket)
	}
	return nil
}

func (o *objects) DeleteBucket(ctx context.Context, bucket string) error {
	bucket = strings.Clone(bucket)
	if err := o.present(bucket); err != nil {
		return err
	}
	leave, ok := o.gate.claim(bucket)
	if !ok {
		return errBusy
	}
	defer leave()
	if err := o.files.DeleteBucket(ctx, o.dir(bucket)); err != nil {
		return o.fix(err, bucket)
	}
	if err := o.syncDir(o.cfg.Dir); err != nil {
		return o.fix(err, bucket)
	}
	if err := o.docs.forget(requestContext(ctx), bucket); err != nil {
		// The bucket is gone, and CreateBucket forgets again.
		o.cfg.Log.Warn("documents of a deleted bucket remain", "bucket", bucket, "error", err)
	}
	return nil
}

// Policies are kept by the document handlers and not evaluated: only the account's own keys exist.
func (o *objects) GetBucketPolicy(_ context.Context, bucket string) ([]byte, error) {
	return nil, s3err.GetBucketErr(s3err.ErrNoSuchBucketPolicy, bucket)
}

func (o *objects) GetObjectLockConfiguration(_ context.Context, bucket string) ([]byte, error) {
	return nil, s3err.GetBucketErr(s3err.ErrObjectLockConfigurationNotFound, bucket)
}

func (o *objects) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	if err := o.check(*in.Bucket); err != nil {
		return nil, err
	}
	dir := o.dir(*in.Bucket)
	acl, err := o.files.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: &dir})
	if err == nil && len(acl) == 0 { // a directory somebody made by hand
		acl = fmt.Appendf(nil, `{"Owner":%q}`, o.cfg.Account)
	}
	return acl, o.fix(err, *in.Bucket)
}

func (o *objects) PutBucketAcl(ctx context.Context, bucket string, data []byte) error {
	return o.fix(o.files.PutBucketAcl(ctx, o.dir(bucket), data), bucket)
}

func (o *objects) GetBucketVersioning(ctx context.Context, bucket string) (s3response.GetBucketVersioningOutput, error) {
	out, err := o.files.GetBucketVersioning(ctx, o.dir(bucket))
	return out, o.fix(err, bucket)
}

func (o *objects) PutBucketOwnershipControls(ctx context.Context, bucket string, ownership types.ObjectOwnership) error {
	return o.fix(o.files.PutBucketOwnershipControls(ctx, o.dir(bucket), ownership), bucket)
}

func (o *objects) GetBucketOwnershipControls(ctx context.Context, bucket string) (types.ObjectOwnership, error) {
	out, err := o.files.GetBucketOwnershipControls(ctx, o.dir(bucket))
	return out, o.fix(err, bucket)
}

func (o *objects) DeleteBucketOwnershipControls(ctx context.Context, bucket string) error {
	return o.fix(o.files.DeleteBucketOwnershipControls(ctx, o.dir(bucket)), bucket)
}

func (o *objects) PutBucketCors(ctx context.Context, bucket string, cors []byte) error {
	return o.fix(o.files.PutBucketCors(ctx, o.dir(bucket), cors), bucket)
}

func (o *objects) GetBucketCors(ctx context.Context, bucket string) ([]byte, error) {
	out, err := o.files.GetBucketCors(ctx, o.dir(bucket))
	return out, o.fix(err, bucket)
}

func (o *objects) DeleteBucketCors(ctx context.Context, bucket string) error {
	return o.fix(o.files.DeleteBucketCors(ctx, o.dir(bucket)), bucket)
}

func (o *objects) PutBucketWebsite(ctx context.Context, bucket string, website []byte) error {
	return o.fix(o.files.PutBucketWebsite(ctx, o.dir(bucket), website), bucket)
}

func (o *objects) GetBucketWebsite(ctx context.Context, bucket string) ([]byte, error) {
	out, err := o.files.GetBucketWebsite(ctx, o.dir(bucket))
	return out, o.fix(err, bucket)
}

func (o *objects) DeleteBucketWebsite(ctx context.Context, bucket string) error {
	return o.fix(o.files.DeleteBucketWebsite(ctx, o.dir(bucket)), bucket)
}

func (o *objects) PutBucketTagging(ctx context.Context, bucket string, tags map[string]string) error {
	return o.fix(o.files.PutBucketTagging(ctx, o.dir(bucket), tags), bucket)
}

func (o *objects) GetBucketTagging(ctx context.Context, bucket string) (map[string]string, error) {
	out, err := o.files.GetBucketTagging(ctx, o.dir(bucket))
	return out, o.fix(err, bucket)
}

func (o *objects) DeleteBucketTagging(ctx context.Context, bucket string) error {
	return o.fix(o.files.DeleteBucketTagging(ctx, o.dir(bucket)), bucket)
}
