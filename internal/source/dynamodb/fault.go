package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// Subjects of this package's faults. Package pipeline goes by them.
const (
	SubjectTable  = "table"         // NotFound, and whatever is not about one of the others
	SubjectStream = "stream"        // State: none, or not one with new images
	SubjectGap    = "stream gap"    // Expired: changes were missed
	SubjectItem   = "item"          // Invalid: cannot be represented
	SubjectAccess = "source access" // Denied
)

// Codes of errors that are more than an entry of a table.
const (
	codeNotFound   = "ResourceNotFoundException"
	codeInUse      = "ResourceInUseException"
	codeTrimmed    = "TrimmedDataAccessException"
	codeExpired    = "ExpiredIteratorException"
	codeValidation = "ValidationException"
)

// refusal is an answer that is an error, or the want of an answer.
type refusal struct {
	status      int // 0 without an answer
	code        string
	message     string
	date        time.Time // of the answer; zero if it does not say
	err         error     // why there is no answer
	credentials bool      // err is about them
}

func (r *refusal) Error() string {
	if r.err != nil {
		return r.err.Error()
	}
	return fmt.Sprintf("status %d, %s: %s", r.status, r.code, r.message)
}

func (r *refusal) Unwrap() error { return r.err }

// clock reports whether it may be because the clocks differ.
func (r *refusal) clock() bool {
	switch r.code {
	case "InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture":
		return true
	}
	return false
}

// refused reads an answer that is an error.
func refused(res *http.Response, a answer) *refusal {
	r := &refusal{status: res.StatusCode, date: a.date}
	var body struct {
		Type    string `json:"__type"`
		Code    string `json:"code"`
		Message string `json:"message"` // Message too: names are compared without regard to case
	}
	if json.Unmarshal(a.body, &body) != nil {
		r.message = fmt.Sprintf("%.200q", a.body)
	}
	r.code = body.Type
	if r.code == "" {
		r.code = body.Code
	}
	if r.code == "" {
		r.code = res.Header.Get("X-Amzn-Errortype")
	}
	if i := strings.LastIndexByte(r.code, '#'); i >= 0 {
		r.code = r.code[i+1:]
	}
	r.code, _, _ = strings.Cut(r.code, ":")
	if body.Message != "" {
		r.message = body.Message
	}
	return r
}

// codeOf is the code of the answer that an error comes from; empty if it comes from none.
func codeOf(err error) string {
	var r *refusal
	if errors.As(err, &r) {
		return r.code
	}
	return ""
}

// kinds of the codes that need no further look.
func kindOfCode(code string, status int) fault.Kind {
	switch code {
	case "ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded", "LimitExceededException",
		"TooManyRequestsException", "SlowDown":
		return fault.Throttled
	case "InternalServerError", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException":
		return fault.Unavailable
	case "AccessDeniedException", "AccessDenied", "NotAuthorized", "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException", "ExpiredToken",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException", "IncompleteSignature", "IncompleteSignatureException",
		"InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture":
		return fault.Denied
	case codeNotFound:
		return fault.NotFound
	case codeInUse:
		return fault.Conflict
	case codeTrimmed, codeExpired:
		return fault.Expired
	}
	switch {
	case status == http.StatusTooManyRequests:
		return fault.Throttled
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fault.Denied
	case status >= 500 || status == http.StatusRequestTimeout:
		return fault.Unavailable
	}
	return fault.Invalid
}

const checkAccess = "Check PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID and its siblings, or the AWS chain."

// classify turns what went wrong with a request into a fault.
func (c *client) classify(op operation, err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	var bad *bodyError
	if errors.As(err, &bad) {
		return c.badBody(op, bad)
	}
	var r *refusal
	if !errors.As(err, &r) {
		return fault.Wrap(err, fault.Internal, SubjectTable, "%s of table %q", op, c.table)
	}
	if r.credentials {
		return fault.Wrap(err, fault.Denied, SubjectAccess, "There are no credentials for table %q at %s. Set PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID and PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY, or configure the AWS chain.", c.table, c.where)
	}
	if r.err != nil {
		if errors.Is(r.err, errTooLong) {
			return fault.Wrap(err, fault.Limit, SubjectTable, "The answer of %s to %s of table %q is longer than %d MiB.", c.where, op, c.table, maxBody>>20)
		}
		return fault.Wrap(err, fault.Unavailable, SubjectTable, "%s cannot be reached for %s of table %q%s.", c.where, op, c.table, cause(r.err))
	}
	switch kind := kindOfCode(r.code, r.status); kind {
	case fault.Throttled:
		return fault.Wrap(err, kind, SubjectTable, "%s asks for fewer requests for %s of table %q (%s).", c.where, op, c.table, r.code)
	case fault.Unavailable:
		return fault.Wrap(err, kind, SubjectTable, "%s answers %s of table %q with %d %s.", c.where, op, c.table, r.status, r.code)
	case fault.Denied:
		if strings.Contains(r.code, "AccessDenied") || r.code == "NotAuthorized" {
			return fault.Wrap(err, kind, SubjectAccess, "%s does not allow %s of table %q to these credentials (%s). Allow dynamodb:%s to them, or use others: %s", c.where, op, c.table, r.message, op, checkAccess)
		}
		return fault.Wrap(err, kind, SubjectAccess, "%s does not accept the credentials for table %q (%s: %s). %s", c.where, c.table, r.code, r.message, checkAccess)
	case fault.NotFound:
		if op.streams() {
			return fault.Wrap(err, kind, SubjectStream, "The stream of table %q at %s, or a shard of it, does not exist: %s", c.table, c.where, r.message)
		}
		return fault.Wrap(err, kind, SubjectTable, "There is no table %q at %s.", c.table, c.where)
	case fault.Expired:
		return fault.Wrap(err, kind, SubjectGap, "Records of the stream of table %q were trimmed before they were read: %s", c.table, r.message)
	case fault.Conflict:
		return fault.Wrap(err, kind, SubjectTable, "Table %q at %s is being changed: %s", c.table, c.where, r.message)
	default:
		return fault.Wrap(err, kind, SubjectTable, "%s refuses %s of table %q (%d %s: %s).", c.where, op, c.table, r.status, r.code, r.message)
	}
}

// badBody is the fault of an answer that cannot be used. One that ends too early, or is broken outside of items,
// was most likely spoilt on the way; what is wrong within an item stays wrong.
func (c *client) badBody(op operation, bad *bodyError) *fault.Error {
	switch {
	case bad.what == noImage:
		return fault.Wrap(bad, fault.State, SubjectStream, "The stream of table %q has records without new images. %s", c.table, rightView)
	case bad.within != "" && !bad.short:
		return fault.Wrap(bad, fault.Invalid, SubjectItem, "The answer of %s to %s of table %q has an item that cannot be represented: %s.", c.where, op, c.table, bad)
	}
	return fault.Wrap(bad, fault.Unavailable, SubjectTable, "The answer of %s to %s of table %q cannot be read: %s.", c.where, op, c.table, bad)
}

// cause is what the network said, for a message that should name it.
func cause(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return ": no such host"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf(": no answer within %s", attemptTimeout)
	case errors.As(err, &op):
		return ": " + op.Err.Error()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return ": the connection broke off"
	case errors.Is(err, errChecksum):
		return ": " + errChecksum.Error()
	}
	return ""
}
