package s3

import (
	"context"
	"errors"
	"io"
	"net"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// missing is the fault of an object that is not there.
func missing(f load.File) error {
	return fault.New(fault.NotFound, SubjectObject, "There is no object %s.", f.URL())
}

// classify turns an error of the SDK about f, whose key is empty for a bucket, into a fault. Errors of a
// context pass through.
func (r *Remote) classify(ctx context.Context, err error, f load.File) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	subject, what := SubjectObject, f.URL()
	if f.Key == "" {
		subject, what = SubjectBucket, "bucket "+f.Bucket
	}
	code, status := "", 0
	var api smithy.APIError
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	var res *awshttp.ResponseError
	if errors.As(err, &res) {
		status = res.HTTPStatusCode()
	}
	switch code {
	case "NoSuchKey":
		return fault.Wrap(err, fault.NotFound, SubjectObject, "There is no object %s.", f.URL())
	case "NoSuchBucket":
		return fault.Wrap(err, fault.NotFound, SubjectBucket, "There is no bucket %q at %s.", f.Bucket, r.where)
	case "AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden", "InvalidObjectState":
		return fault.Wrap(err, fault.Denied, subject, "%s does not allow access to %s (%s). Check the permissions of the credentials in PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID or the AWS chain.", r.where, what, code)
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidSecurity", "RequestTimeTooSkewed":
		return fault.Wrap(err, fault.Denied, subject, "%s does not accept the credentials for %s (%s). Check PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID and its siblings, or the AWS chain.", r.where, what, code)
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "MovedPermanently", "IllegalLocationConstraintException":
		return fault.Wrap(err, fault.Invalid, subject, "%s is in another region than the one configured (%s). Set --region or PENSTOCK_SOURCE_AWS_REGION to the bucket's.", what, code)
	case "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "BandwidthLimitExceeded":
		return fault.Wrap(err, fault.Throttled, subject, "%s asks to slow down (%s).", r.where, code)
	}
	switch {
	case status == 404 && f.Key != "":
		return fault.Wrap(err, fault.NotFound, SubjectObject, "There is no object %s.", f.URL())
	case status == 404:
		return fault.Wrap(err, fault.NotFound, SubjectBucket, "There is no bucket %q at %s.", f.Bucket, r.where)
	case status == 401 || status == 403:
		return fault.Wrap(err, fault.Denied, subject, "%s does not allow access to %s.", r.where, what)
	case status == 301 || status == 307:
		return fault.Wrap(err, fault.Invalid, subject, "%s is in another region than the one configured. Set --region or PENSTOCK_SOURCE_AWS_REGION to the bucket's.", what)
	case status == 429:
		return fault.Wrap(err, fault.Throttled, subject, "%s asks to slow down.", r.where)
	case status >= 500:
		return fault.Wrap(err, fault.Unavailable, subject, "%s answered %d for %s.", r.where, status, what)
	case status >= 400:
		return fault.Wrap(err, fault.Invalid, subject, "%s refuses the request for %s (%d %s).", r.where, what, status, code)
	}
	if _, err := r.access.Credentials(ctx); err != nil && ctx.Err() == nil {
		return fault.Wrap(err, fault.Denied, subject, "There are no credentials for %s at %s. Set PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID and PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY, or configure the AWS chain.", what, r.where)
	}
	return fault.Wrap(err, fault.Unavailable, subject, "%s cannot be reached for %s%s.", r.where, what, cause(err))
}

// cause is what the network said, for a message that should name it.
func cause(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return ": no such host"
	case errors.As(err, &op):
		return ": " + op.Err.Error()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ": the connection broke off"
	}
	return ""
}
