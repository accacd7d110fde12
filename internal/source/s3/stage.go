package s3

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// Staging puts the content of objects into a store and shows them later, all of them within moments: an object is
// a multipart upload with all its parts, which completing it makes visible. What it takes to do so is a token, text
// that outlives the process.

// Sizes of parts in bytes. The store copies a part by itself; one that is sent is read again if the sending has to
// be repeated.
const (
	copiedPart = 64 << 20
	sentPart   = 16 << 20
	maxParts   = 10_000
	partsAside = 4 // of one object, copied or sent at a time
)

// token is what a token says.
type token struct {
	Bucket string   `json:"b"`
	Key    string   `json:"k"`
	Upload string   `json:"u"`
	Size   int64    `json:"n"`
	Parts  []string `json:"p"` // entity tags
}

func (t token) file() load.File { return load.File{Bucket: t.Bucket, Key: t.Key, Size: t.Size} }

func parseToken(text string) (t token, err error) {
	if err = json.Unmarshal([]byte(text), &t); err != nil || t.Upload == "" {
		return t, fault.Wrap(err, fault.Invalid, SubjectObject, "%.60q is not the token of a staged object", text)
	}
	return t, nil
}

// StageCopy readies a copy of an object, made by the store itself, with its metadata and tags. An object that is
// replaced meanwhile is copied as it is then, never a part of each. Size is the copy's.
func (r *Remote) StageCopy(ctx context.Context, from load.File, bucket, key string) (text string, size int64, err error) {
	for attempt := 1; ; attempt++ {
		text, size, err = r.stageCopy(ctx, from, bucket, key)
		var api smithy.APIError
		if attempt < 3 && errors.As(err, &api) && api.ErrorCode() == "PreconditionFailed" {
			continue // it was replaced since its metadata was read
		}
		return text, size, err
	}
}

func (r *Remote) stageCopy(ctx context.Context, from load.File, bucket, key string) (string, int64, error) {
	head, err := r.client.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: &from.Bucket, Key: &from.Key})
	if err != nil {
		return "", 0, r.classify(ctx, err, from)
	}
	create := &awss3.CreateMultipartUploadInput{
		Bucket: &bucket, Key: &key, ContentType: head.ContentType, ContentEncoding: head.ContentEncoding, ContentLanguage: head.ContentLanguage,
		ContentDisposition: head.ContentDisposition, CacheControl: head.CacheControl, Metadata: head.Metadata,
	}
	if aws.ToInt32(head.TagCount) > 0 {
		tags, err := r.client.GetObjectTagging(ctx, &awss3.GetObjectTaggingInput{Bucket: &from.Bucket, Key: &from.Key})
		if err != nil {
			return "", 0, r.classify(ctx, err, from)
		}
		encoded := url.Values{}
		for _, t := range tags.TagSet {
			encoded.Set(aws.ToString(t.Key), aws.ToString(t.Value))
		}
		create.Tagging = aws.String(encoded.Encode())
	}
	// A plus sign would be a space to some stores.
	source := strings.ReplaceAll((&url.URL{Path: from.Bucket + "/" + from.Key}).EscapedPath(), "+", "%2B")
	size := aws.ToInt64(head.ContentLength)
	t, err := r.stage(ctx, create, size, cmp.Or(r.part, copiedPart), func(ctx context.Context, upload string, number int32, start, length int64) (*string, error) {
		in := &awss3.UploadPartCopyInput{Bucket: &bucket, Key: &key, UploadId: &upload, PartNumber: &number, CopySource: &source, CopySourceIfMatch: head.ETag}
		if length < size {
			in.CopySourceRange = aws.String(fmt.Sprintf("bytes=%d-%d", start, start+length-1))
		}
		out, err := r.client.UploadPartCopy(ctx, in)
		if err != nil {
			return nil, r.classify(ctx, err, from)
		}
		return out.CopyPartResult.ETag, nil
	})
	return t, size, err
}

// StageFile readies an object with the content of a local file.
func (r *Remote) StageFile(ctx context.Context, path, contentType, bucket, key string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, SubjectObject, "The content of s3://%s/%s cannot be read in the data directory.", bucket, key)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, SubjectObject, "The content of s3://%s/%s cannot be read in the data directory.", bucket, key)
	}
	create := &awss3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key, ContentType: &contentType}
	return r.stage(ctx, create, info.Size(), cmp.Or(r.part, sentPart), func(ctx context.Context, upload string, number int32, start, length int64) (*string, error) {
		out, err := r.client.UploadPart(ctx, &awss3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: &upload, PartNumber: &number,
			Body: io.NewSectionReader(file, start, length), ContentLength: &length})
		if err != nil {
			return nil, r.classify(ctx, err, load.File{Bucket: bucket, Key: key})
		}
		return out.ETag, nil
	})
}

// stage makes an upload and all its parts. When that fails, the upload is aborted.
func (r *Remote) stage(ctx context.Context, create *awss3.CreateMultipartUploadInput, size, least int64,
	part func(ctx context.Context, upload string, number int32, start, length int64) (etag *string, err error),
) (text string, err error) {
	object := load.File{Bucket: *create.Bucket, Key: *create.Key}
	upload, err := r.client.CreateMultipartUpload(ctx, create)
	if err != nil {
		return "", r.classify(ctx, err, object)
	}
	t := token{Bucket: object.Bucket, Key: object.Key, Upload: aws.ToString(upload.UploadId), Size: size}
	defer func() {
		if err != nil {
			_ = r.abort(context.WithoutCancel(ctx), t) // what is left is abandoned with the rest of its run
		}
	}()
	length := max(least, (size+maxParts-1)/maxParts)
	t.Parts = make([]string, max((size+length-1)/length, 1))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(partsAside)
	for n := range t.Parts {
		g.Go(func() error {
			start := int64(n) * length
			if size == 0 { // nothing to copy a range of
				out, err := r.client.UploadPart(gctx, &awss3.UploadPartInput{Bucket: create.Bucket, Key: create.Key, UploadId: &t.Upload, PartNumber: aws.Int32(1), Body: bytes.NewReader(nil)})
				if err != nil {
					return r.classify(gctx, err, object)
				}
				t.Parts[n] = aws.ToString(out.ETag)
				return nil
			}
			etag, err := part(gctx, t.Upload, int32(n+1), start, min(length, size-start))
			t.Parts[n] = aws.ToString(etag)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return "", err
	}
	encoded, err := json.Marshal(t)
	return string(encoded), err
}

func (r *Remote) abort(ctx context.Context, t token) error {
	_, err := r.client.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{Bucket: &t.Bucket, Key: &t.Key, UploadId: &t.Upload})
	if err = r.classify(ctx, err, t.file()); fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// Publish makes a staged object visible. Doing it again changes nothing.
func (r *Remote) Publish(ctx context.Context, text string) error {
	t, err := parseToken(text)
	if err != nil {
		return err
	}
	parts := make([]types.CompletedPart, len(t.Parts))
	for n := range t.Parts {
		parts[n] = types.CompletedPart{ETag: &t.Parts[n], PartNumber: aws.Int32(int32(n + 1))}
	}
	_, err = r.client.CompleteMultipartUpload(ctx, &awss3.CompleteMultipartUploadInput{Bucket: &t.Bucket, Key: &t.Key, UploadId: &t.Upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	var api smithy.APIError
	if err == nil || !errors.As(err, &api) || api.ErrorCode() != "NoSuchUpload" {
		return r.classify(ctx, err, t.file())
	}
	// It was completed before, or somebody has aborted it.
	head, err := r.client.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: &t.Bucket, Key: &t.Key})
	if err != nil && fault.KindOf(r.classify(ctx, err, t.file())) != fault.NotFound {
		return r.classify(ctx, err, t.file())
	}
	if err != nil || aws.ToInt64(head.ContentLength) != t.Size {
		return fault.New(fault.Expired, SubjectObject, "What was staged for %s is gone from %s: somebody, or a rule of the bucket, has aborted the upload.", t.file().URL(), r.where)
	}
	return nil
}

// Abandon removes what is staged under keys that begin with prefix, except for what the tokens say.
func (r *Remote) Abandon(ctx context.Context, bucket, prefix string, keep []string) error {
	kept := map[string]bool{}
	for _, text := range keep {
		t, err := parseToken(text)
		if err != nil {
			return err
		}
		kept[t.Upload] = true
	}
	pages := awss3.NewListMultipartUploadsPaginator(r.client, &awss3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return r.classify(ctx, err, load.File{Bucket: bucket})
		}
		for _, u := range page.Uploads {
			t := token{Bucket: bucket, Key: aws.ToString(u.Key), Upload: aws.ToString(u.UploadId)}
			if kept[t.Upload] || !strings.HasPrefix(t.Key, prefix) {
				continue
			}
			if err := r.abort(ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// Write stores a small object at once.
func (r *Remote) Write(ctx context.Context, bucket, key, contentType string, content []byte) error {
	_, err := r.client.PutObject(ctx, &awss3.PutObjectInput{Bucket: &bucket, Key: &key, ContentType: &contentType, Body: bytes.NewReader(content)})
	return r.classify(ctx, err, load.File{Bucket: bucket, Key: key})
}
