package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"golang.org/x/sync/semaphore"

	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/source/access"
)

// downloads is how many objects are downloaded at a time when the configuration does not say.
const downloads = 8

// RemoteConfig says where a store is and how to get in.
type RemoteConfig struct {
	Endpoint string // URL; empty for AWS itself
	Region   string // PENSTOCK_SOURCE_AWS_REGION overrides it
	Scratch  string // directory for downloads, emptied at the start
	Parallel int    // downloads at a time; 0 means 8
	Log      *slog.Logger
	Getenv   func(string) string // see access.Load
}

// Remote is the objects of a store that is reached over HTTP.
type Remote struct {
	client  *awss3.Client
	access  *access.Access
	where   string // for messages
	scratch *scratch
	slots   *semaphore.Weighted
	part    int64 // bytes of a part of a staged object; 0 is the usual
}

// NewRemote returns the objects of a store. It does not contact the store.
func NewRemote(ctx context.Context, c RemoteConfig) (*Remote, error) {
	if c.Endpoint != "" {
		if u, err := url.Parse(c.Endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("S3 endpoint %q is not a URL like https://host:port", c.Endpoint)
		}
	}
	s, err := openScratch(c.Scratch)
	if err != nil {
		return nil, err
	}
	in, err := access.Load(ctx, c.Region, c.Getenv)
	if err != nil {
		return nil, err
	}
	client := newClient(in, c.Log, func(o *awss3.Options) {
		// Set in any case: AWS_ENDPOINT_URL in our environment is likely to be our own address.
		o.BaseEndpoint = nil
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
			o.UsePathStyle = true // bucket.host resolves for few of these stores
		}
	})
	return &Remote{
		client: client, access: in, where: cmp.Or(c.Endpoint, "AWS"), scratch: s,
		slots: semaphore.NewWeighted(int64(cmp.Or(c.Parallel, downloads))),
	}, nil
}

func newClient(in *access.Access, log *slog.Logger, where func(*awss3.Options)) *awss3.Client {
	return awss3.NewFromConfig(in.SDK(), where, func(o *awss3.Options) {
		// Not every store knows the checksums that the SDK would add by itself.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
		o.ClientLogMode = aws.LogRetries
		endpoint := cmp.Or(aws.ToString(o.BaseEndpoint), "AWS")
		o.Logger = logging.LoggerFunc(func(_ logging.Classification, format string, args ...any) {
			log.Debug("object store client", "endpoint", endpoint, "message", fmt.Sprintf(format, args...))
		})
	})
}

// List implements Objects.
func (r *Remote) List(ctx context.Context, bucket, prefix, startAfter string, yield func(load.File) error) error {
	in := &awss3.ListObjectsV2Input{Bucket: &bucket}
	if prefix != "" {
		in.Prefix = &prefix
	}
	if startAfter != "" {
		in.StartAfter = &startAfter
	}
	pages := awss3.NewListObjectsV2Paginator(r.client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return r.classify(ctx, err, load.File{Bucket: bucket})
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			if folderMarker(key) || key <= startAfter { // some stores do not know start-after
				continue
			}
			if err := yield(load.File{
				Bucket: bucket, Key: key, ETag: strings.Trim(aws.ToString(o.ETag), `"`),
				Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified),
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckBucket implements Objects.
func (r *Remote) CheckBucket(ctx context.Context, bucket string) error {
	_, err := r.client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &bucket})
	return r.classify(ctx, err, load.File{Bucket: bucket})
}

// Fetch implements Objects. It downloads the object, a bounded number at a time, in constant memory.
func (r *Remote) Fetch(ctx context.Context, f load.File) (load.File, func(), error) {
	if folderMarker(f.Key) || f.Key == "" {
		return load.File{}, nil, missing(f)
	}
	if err := r.slots.Acquire(ctx, 1); err != nil {
		return load.File{}, nil, err
	}
	defer r.slots.Release(1)
	out, err := r.client.GetObject(ctx, &awss3.GetObjectInput{Bucket: &f.Bucket, Key: &f.Key})
	if err != nil {
		return load.File{}, nil, r.classify(ctx, err, f)
	}
	defer out.Body.Close()
	path := r.scratch.path()
	n, err := download(path, out.Body)
	if err == nil && out.ContentLength != nil && n != *out.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		remove(path)()
		var local *localError
		if errors.As(err, &local) {
			return load.File{}, nil, scratchFault(local.error, f)
		}
		return load.File{}, nil, r.classify(ctx, err, f)
	}
	f.ETag, f.Size, f.Modified, f.Path = strings.Trim(aws.ToString(out.ETag), `"`), n, aws.ToTime(out.LastModified), path
	return f, remove(path), nil
}

// localError is a failure of our own disk, as opposed to the store's.
type localError struct{ error }

func (e *localError) Unwrap() error { return e.error }

// download writes a body to a new file.
func download(path string, body io.Reader) (int64, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, &localError{err}
	}
	n, err := io.Copy(diskWriter{file}, body)
	if closeErr := file.Close(); err == nil && closeErr != nil {
		err = &localError{closeErr}
	}
	return n, err
}

// diskWriter marks its errors as localError.
type diskWriter struct{ io.Writer }

func (w diskWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		err = &localError{err}
	}
	return n, err
}
