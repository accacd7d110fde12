package buckets

import (
	"context"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// Copies are put together here from reads and writes: the backend's own take the source from the header, where
// a bucket cannot be an absolute path.

// maxCopySize is the largest source of a copy, in bytes, as on S3.
const maxCopySize = 5 << 30

// source is the object a copy reads.
type source struct {
	bucket, key string
	file        *os.File
	head        *s3.HeadObjectOutput
}

// openSource finds and opens the object a copy-source header names and checks the conditions on it. The
// caller closes source.file.
func (o *objects) openSource(ctx context.Context, header, owner *string, conditions backend.PreConditions) (*source, error) {
	bucket, key, version, err := backend.ParseCopySource(*header)
	if err != nil {
		return nil, err
	}
	if version != "" && version != "null" {
		return nil, s3err.GetInvalidArgumentErr(s3err.InvalidArgVersionId, version)
	}
	if err := o.present(bucket); err != nil {
		return nil, err
	}
	if owner != nil && *owner != "" && *owner != o.cfg.Account {
		return nil, s3err.GetAPIError(s3err.ErrAccessDenied)
	}
	head, err := o.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		return nil, err
	}
	if err := backend.EvaluatePreconditions(*head.ETag, *head.LastModified, conditions); err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(o.dir(bucket), key))
	if err != nil {
		return nil, o.fix(o.errSource(err), bucket)
	}
	return &source{bucket: bucket, key: key, file: file, head: head}, nil
}

func (o *objects) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	var none s3response.CopyObjectOutput
	if err := o.checkWrite(*in.Bucket, *in.Key, 0); err != nil {
		return none, err
	}
	if err := o.present(*in.Bucket); err != nil {
		return none, err
	}
	src, err := o.openSource(ctx, in.CopySource, in.ExpectedSourceBucketOwner, backend.PreConditions{
		IfMatch: in.CopySourceIfMatch, IfNoneMatch: in.CopySourceIfNoneMatch,
		IfModSince: in.CopySourceIfModifiedSince, IfUnmodeSince: in.CopySourceIfUnmodifiedSince,
	})
	if err != nil {
		return none, err
	}
	defer src.file.Close()
	replace := in.MetadataDirective == types.MetadataDirectiveReplace
	if src.bucket == *in.Bucket && src.key == *in.Key && !replace {
		return none, s3err.GetAPIError(s3err.ErrInvalidCopyDest)
	}
	info, err := src.file.Stat()
	if err != nil {
		return none, o.fix(err, src.bucket)
	}
	size := info.Size()
	put := s3response.PutObjectInput{
		Bucket: in.Bucket, Key: in.Key, Body: src.file, ContentLength: &size,
		ContentType: in.ContentType, ContentEncoding: in.ContentEncoding, ContentLanguage: in.ContentLanguage,
		ContentDisposition: in.ContentDisposition, CacheControl: in.CacheControl, Expires: in.Expires,
		Metadata: in.Metadata, WebsiteRedirectLocation: in.WebsiteRedirectLocation,
		ChecksumAlgorithm: in.ChecksumAlgorithm, Tagging: in.Tagging,
		ObjectLockMode: in.ObjectLockMode, ObjectLockLegalHoldStatus: in.ObjectLockLegalHoldStatus,
	}
	if info.IsDir() { // a folder marker
		size, put.Body = 0, strings.NewReader("")
	}
	if size > maxCopySize {
		return none, s3err.GetCopySourceObjectTooLargeErr(maxCopySize)
	}
	if !replace {
		put.ContentType, put.ContentEncoding, put.ContentLanguage = src.head.ContentType, src.head.ContentEncoding, src.head.ContentLanguage
		put.ContentDisposition, put.CacheControl, put.Expires = src.head.ContentDisposition, src.head.CacheControl, src.head.ExpiresString
		put.Metadata = src.head.Metadata
	}
	if put.ChecksumAlgorithm == "" {
		put.ChecksumAlgorithm = checksumAlgorithm(src.head)
	}
	if in.TaggingDirective != types.TaggingDirectiveReplace {
		tags, err := o.GetObjectTagging(ctx, src.bucket, src.key, "")
		if err != nil {
			return none, err
		}
		encoded := make(url.Values, len(tags))
		for k, v := range tags {
			encoded.Set(k, v)
		}
		text := encoded.Encode()
		put.Tagging = &text
	}
	out, when, err := o.put(ctx, put, EventCopy)
	if err != nil {
		return none, err
	}
	version := ""
	return s3response.CopyObjectOutput{
		CopyObjectResult: &s3response.CopyObjectResult{
			ETag: &out.ETag, LastModified: &when, ChecksumType: out.ChecksumType,
			ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
			ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256, ChecksumSHA512: out.ChecksumSHA512,
			ChecksumMD5: out.ChecksumMD5, ChecksumXXHASH64: out.ChecksumXXHASH64, ChecksumXXHASH3: out.ChecksumXXHASH3,
			ChecksumXXHASH128: out.ChecksumXXHASH128,
		},
		VersionId: &version, CopySourceVersionId: &version,
	}, nil
}

// checksumAlgorithm is the algorithm of the object's stored checksum, which its copy keeps.
func checksumAlgorithm(head *s3.HeadObjectOutput) types.ChecksumAlgorithm {
	switch {
	case head.ChecksumCRC32 != nil:
		return types.ChecksumAlgorithmCrc32
	case head.ChecksumCRC32C != nil:
		return types.ChecksumAlgorithmCrc32c
	case head.ChecksumSHA1 != nil:
		return types.ChecksumAlgorithmSha1
	case head.ChecksumSHA256 != nil:
		return types.ChecksumAlgorithmSha256
	}
	return types.ChecksumAlgorithmCrc64nvme
}

func (o *objects) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	var none s3response.CopyPartResult
	bucket := *in.Bucket
	if err := o.checkUpload(bucket, *in.Key, in.UploadId); err != nil {
		return none, err
	}
	if err := o.present(bucket); err != nil {
		return none, err
	}
	src, err := o.openSource(ctx, in.CopySource, in.ExpectedSourceBucketOwner, backend.PreConditions{
		IfMatch: in.CopySourceIfMatch, IfNoneMatch: in.CopySourceIfNoneMatch,
		IfModSince: in.CopySourceIfModifiedSince, IfUnmodeSince: in.CopySourceIfUnmodifiedSince,
	})
	if err != nil {
		return none, err
	}
	defer src.file.Close()
	info, err := src.file.Stat()
	if err != nil {
		return none, o.fix(err, src.bucket)
	}
	span := ""
	if in.CopySourceRange != nil {
		span = *in.CopySourceRange
	}
	start, length, err := backend.ParseCopySourceRange(info.Size(), span)
	if err != nil {
		return none, err
	}
	if length = min(length, info.Size()-start); length > maxCopySize {
		return none, s3err.GetCopySourceObjectTooLargeErr(maxCopySize)
	}
	body, err := o.partBody(ctx, in, io.NewSectionReader(src.file, start, length))
	if err != nil {
		return none, err
	}
	out, err := o.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, PartNumber: in.PartNumber,
		Body: body, ContentLength: &length,
	})
	if err != nil {
		return none, err
	}
	return s3response.CopyPartResult{
		ETag: out.ETag, LastModified: o.cfg.Now(),
		ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
		ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256, ChecksumSHA512: out.ChecksumSHA512,
		ChecksumMD5: out.ChecksumMD5, ChecksumXXHASH64: out.ChecksumXXHASH64, ChecksumXXHASH3: out.ChecksumXXHASH3,
		ChecksumXXHASH128: out.ChecksumXXHASH128,
	}, nil
}

// partBody wraps the copied range so that it brings its own checksum when the upload was begun with one per
// part: the backend refuses a part that has none.
func (o *objects) partBody(ctx context.Context, in *s3.UploadPartCopyInput, r io.Reader) (io.Reader, error) {
	limit := int32(0)
	list, err := o.ListParts(ctx, &s3.ListPartsInput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, MaxParts: &limit})
	if err != nil || list.ChecksumType != types.ChecksumTypeComposite {
		return r, err
	}
	sum, err := utils.NewHashReader(r, "", utils.HashType(strings.ToLower(string(list.ChecksumAlgorithm))))
	if err != nil {
		return nil, o.fix(err, *in.Bucket)
	}
	return summed{sum}, nil
}

// summed is a reader that knows the checksum of what was read, as uploads with a trailing checksum do.
type summed struct{ *utils.HashReader }

func (s summed) Algorithm() string { return string(s.Type()) }
func (s summed) Checksum() string  { return s.Sum() }
