package invoke

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/action/catalog"
	"github.com/penstock-io/penstock/internal/fault"
)

// Subjects of the faults in Errors.
const (
	SubjectAction    = "action"
	SubjectArguments = "action arguments"
	SubjectVendor    = "vendor"
	SubjectLimit     = "call limit"
)

// Code says what became of a call, for programs.
type Code string

const (
	UnknownAction      Code = "UnknownAction"      // the connector has no such action
	ActionDisabled     Code = "ActionDisabled"     // it has, but may not call it
	InvalidArguments   Code = "InvalidArguments"   // see Violations; nothing was sent
	AddressRefused     Code = "AddressRefused"     // the egress does not let the request out
	RateLimited        Code = "RateLimited"        // our own limit for the connector; nothing was sent
	CircuitOpen        Code = "CircuitOpen"        // the connector rests after failures; nothing was sent
	CredentialsRefused Code = "CredentialsRefused" // 401, also with a renewed token
	VendorDenied       Code = "VendorDenied"       // 403 and its like
	VendorNotFound     Code = "VendorNotFound"     // 404, 410
	VendorConflict     Code = "VendorConflict"     // 409, 412
	VendorInvalid      Code = "VendorInvalid"      // the other 4xx
	VendorThrottled    Code = "VendorThrottled"    // 429
	VendorFailed       Code = "VendorFailed"       // 5xx
	VendorUnreachable  Code = "VendorUnreachable"  // no connection, or it broke
	VendorTimeout      Code = "VendorTimeout"      // no answer in time
	UnexpectedAnswer   Code = "UnexpectedAnswer"   // HTML, or anything but the JSON that was due
	UnexpectedRedirect Code = "UnexpectedRedirect" // a write was sent elsewhere
	AnswerTooLarge     Code = "AnswerTooLarge"     // beyond what is read at all
	Canceled           Code = "Canceled"           // the caller gave up
)

// Codes lists every code, for documentation and tests.
func Codes() []Code {
	return []Code{UnknownAction, ActionDisabled, InvalidArguments, AddressRefused, RateLimited, CircuitOpen, CredentialsRefused,
		VendorDenied, VendorNotFound, VendorConflict, VendorInvalid, VendorThrottled, VendorFailed, VendorUnreachable, VendorTimeout,
		UnexpectedAnswer, UnexpectedRedirect, AnswerTooLarge, Canceled}
}

// Error is a call that did not succeed. It unwraps to a *fault.Error, which has the message for the caller.
type Error struct {
	Reason     Code
	Status     int                 // of the vendor's answer; 0 without one
	Vendor     string              // what the vendor said, cut and without secrets
	RetryAfter time.Duration       // when the vendor, or our limit, says that trying again may help; 0 if unknown
	Violations []catalog.Violation // of InvalidArguments
	Unknown    bool                // a write was sent and nobody knows whether the vendor acted
	Attempts   int                 // requests sent
	fault      *fault.Error
	plain      string // the message without what may repeat an argument; empty when that is the message
}

func (e *Error) Error() string { return e.fault.Error() }
func (e *Error) Unwrap() error { return e.fault }

// Code is Reason as text, for records.
func (e *Error) Code() string { return string(e.Reason) }

// Recorded is the message as it may stand in a record of the call: what a vendor says, and what a schema says of a
// value, may repeat an argument.
func (e *Error) Recorded() string {
	if e.plain != "" {
		return e.plain
	}
	return e.fault.Message
}

// sayUnknown ends the message of a write of which nothing more is known, so that whoever reads it, a model too, does
// not make it again unseen.
func (e *Error) sayUnknown() {
	const acted = " Whether it acted is not known."
	if !e.Unknown {
		return
	}
	e.fault.Message += acted
	if e.plain != "" {
		e.plain += acted
	}
}

func kindOf(code Code) (fault.Kind, string) {
	switch code {
	case UnknownAction:
		return fault.NotFound, SubjectAction
	case ActionDisabled:
		return fault.Denied, SubjectAction
	case InvalidArguments:
		return fault.Invalid, SubjectArguments
	case AddressRefused:
		return fault.Denied, "address"
	case RateLimited:
		return fault.Throttled, SubjectLimit
	case CredentialsRefused, VendorDenied:
		return fault.Denied, SubjectVendor
	case VendorNotFound:
		return fault.NotFound, SubjectVendor
	case VendorConflict:
		return fault.Conflict, SubjectVendor
	case VendorInvalid, UnexpectedRedirect:
		return fault.Invalid, SubjectVendor
	case VendorThrottled:
		return fault.Throttled, SubjectVendor
	case AnswerTooLarge:
		return fault.Limit, SubjectVendor
	case Canceled:
		return fault.Canceled, SubjectVendor
	case CircuitOpen, VendorFailed, VendorUnreachable, VendorTimeout, UnexpectedAnswer:
	}
	return fault.Unavailable, SubjectVendor
}

func failure(code Code, cause error, format string, args ...any) *Error {
	kind, subject := kindOf(code)
	return &Error{Reason: code, fault: fault.Wrap(cause, kind, subject, format, args...)}
}

// quoting is a failure of which the vendor has said something.
func quoting(code Code, said, format string, args ...any) *Error {
	plain := fmt.Sprintf(format, args...)
	e := failure(code, nil, "%s%s.", plain, colon(said))
	e.Vendor, e.plain = said, plain+"."
	return e
}

// invalid is the error of arguments.
func invalid(action string, violations ...catalog.Violation) *Error {
	var said, at []string
	for _, v := range violations[:min(len(violations), 10)] {
		said, at = append(said, v.String()), append(at, v.Pointer)
	}
	if more := len(violations) - len(said); more > 0 {
		said = append(said, fmt.Sprintf("and %d more", more))
	}
	e := failure(InvalidArguments, nil, "The arguments of %s are not right: %s.", action, strings.Join(said, "; "))
	e.Violations = violations
	e.plain = fmt.Sprintf("The arguments of %s are not right, in %d places: %s.", action, len(violations), strings.Join(at, " "))
	return e
}

// interrupted is the error of a context that is done: the caller's doing, or the time of the call is over.
func interrupted(ctx context.Context, who string, timeout time.Duration) *Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return failure(VendorTimeout, ctx.Err(), "%s did not answer within %s.", who, timeout.Round(time.Millisecond))
	}
	return failure(Canceled, ctx.Err(), "The call was given up before %s answered.", who)
}
