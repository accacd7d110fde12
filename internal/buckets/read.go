package buckets

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3response"
)

// Reading objects and listings through the API: the backend's answers with bucket names put back.

func (o *objects) NormalizeObjectKey(_, key string) string { return key }

func (o *objects) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	if err := o.checkRead(*in.Bucket, *in.Key); err != nil {
		return nil, err
	}
	dir, get := o.dir(*in.Bucket), *in
	get.Bucket = &dir
	out, err := o.files.GetObject(ctx, &get)
	return out, o.fix(err, *in.Bucket)
}

func (o *objects) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	if err := o.checkRead(*in.Bucket, *in.Key); err != nil {
		return nil, err
	}
	dir, head := o.dir(*in.Bucket), *in
	head.Bucket = &dir
	out, err := o.files.HeadObject(ctx, &head)
	return out, o.fix(err, *in.Bucket)
}

func (o *objects) GetObjectAttributes(ctx context.Context, in *s3.GetObjectAttributesInput) (s3response.GetObjectAttributesResponse, error) {
	if err := o.checkRead(*in.Bucket, *in.Key); err != nil {
		return s3response.GetObjectAttributesResponse{}, err
	}
	dir, get := o.dir(*in.Bucket), *in
	get.Bucket = &dir
	out, err := o.files.GetObjectAttributes(ctx, &get)
	return out, o.fix(err, *in.Bucket)
}

func (o *objects) GetObjectTagging(ctx context.Context, bucket, key, version string) (map[string]string, error) {
	if err := o.checkRead(bucket, key); err != nil {
		return nil, err
	}
	out, err := o.files.GetObjectTagging(ctx, o.dir(bucket), key, version)
	return out, o.fix(err, bucket)
}

func (o *objects) PutObjectTagging(ctx context.Context, bucket, key, version string, tags map[string]string) error {
	if err := o.checkRead(bucket, key); err != nil {
		return err
	}
	return o.fix(o.files.PutObjectTagging(ctx, o.dir(bucket), key, version, tags), bucket)
}

func (o *objects) DeleteObjectTagging(ctx context.Context, bucket, key, version string) error {
	if err := o.checkRead(bucket, key); err != nil {
		return err
	}
	return o.fix(o.files.DeleteObjectTagging(ctx, o.dir(bucket), key, version), bucket)
}

// ours reports whether a listed object is bookkeeping that a killed process left behind.
func ours(obj s3response.Object) bool { return obj.Key != nil && !storable(*obj.Key) }

func (o *objects) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	if err := o.check(*in.Bucket); err != nil {
		return s3response.ListObjectsResult{}, err
	}
	dir, list := o.dir(*in.Bucket), *in
	list.Bucket = &dir
	out, err := o.files.ListObjects(ctx, &list)
	out.Name = in.Bucket
	out.Contents = slices.DeleteFunc(out.Contents, ours)
	return out, o.fix(err, *in.Bucket)
}

func (o *objects) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	if err := o.check(*in.Bucket); err != nil {
		return s3response.ListObjectsV2Result{}, err
	}
	dir, list := o.dir(*in.Bucket), *in
	list.Bucket = &dir
	out, err := o.files.ListObjectsV2(ctx, &list)
	out.Name = in.Bucket
	out.Contents = slices.DeleteFunc(out.Contents, ours)
	return out, o.fix(err, *in.Bucket)
}

func (o *objects) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (s3response.ListVersionsResult, error) {
	if err := o.check(*in.Bucket); err != nil {
		return s3response.ListVersionsResult{}, err
	}
	dir, list := o.dir(*in.Bucket), *in
	list.Bucket = &dir
	out, err := o.files.ListObjectVersions(ctx, &list)
	out.Name = in.Bucket
	return out, o.fix(err, *in.Bucket)
}

func (o *objects) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (s3response.ListMultipartUploadsResult, error) {
	if err := o.check(*in.Bucket); err != nil {
		return s3response.ListMultipartUploadsResult{}, err
	}
	dir, list := o.dir(*in.Bucket), *in
	list.Bucket = &dir
	out, err := o.files.ListMultipartUploads(ctx, &list)
	out.Bucket = *in.Bucket
	return out, o.fix(err, *in.Bucket)
}

func (o *objects) ListParts(ctx context.Context, in *s3.ListPartsInput) (s3response.ListPartsResult, error) {
	if err := o.checkRead(*in.Bucket, *in.Key); err != nil {
		return s3response.ListPartsResult{}, err
	}
	dir, list := o.dir(*in.Bucket), *in
	list.Bucket = &dir
	out, err := o.files.ListParts(ctx, &list)
	out.Bucket = *in.Bucket
	return out, o.fix(err, *in.Bucket)
}
