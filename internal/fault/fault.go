// Package fault is the closed list of ways a request or a piece of work can go wrong.
//
// Domain and data-plane code returns *Error with a Kind and the Subject it is about; it knows neither
// HTTP nor AWS. Each front owns one table from (Kind, Subject) to the error code of its service. The
// message of an *Error is written for the person who made the request: it names the thing, says why,
// and says what to do. The cause in Err is for the log only and is never shown.
package fault

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what sort of failure it is. The zero value is Internal, so an error nobody classified is
// never mistaken for the caller's fault.
type Kind uint8

const (
	Internal      Kind = iota // a defect or an unexpected condition on our side
	Invalid                   // the input cannot be accepted as it stands
	NotFound                  // the subject does not exist
	AlreadyExists             // the subject, or one that excludes it, exists
	Conflict                  // another operation on the same subject is in flight
	State                     // the subject is in a state that does not allow this
	Limit                     // a quota or a size limit is reached
	Denied                    // the caller may not do this
	Unsupported               // a valid request for something that is not offered
	Unavailable               // a dependency is unreachable or failing; trying again may help
	Throttled                 // a dependency asks for less; trying again later will help
	Expired                   // the subject existed and has been forgotten
	Canceled                  // the caller or an operator stopped it
	numKinds
)

var kindNames = [numKinds]string{
	"internal", "invalid", "not found", "already exists", "conflict", "state", "limit",
	"denied", "unsupported", "unavailable", "throttled", "expired", "canceled",
}

func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Kinds lists every kind, for tests that prove a table covers them.
func Kinds() []Kind {
	all := make([]Kind, numKinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// Error is a classified failure. Subject is the noun it is about, one of the constants of the package
// that raises it ("integration", "cluster", "tag"); fronts tell, say, a missing source from a missing
// target by it. Empty means the request as a whole.
type Error struct {
	Kind    Kind
	Subject string
	Message string // for the caller
	Err     error  // for the log; may be nil
}

// New returns an *Error with a formatted message and no cause.
func New(kind Kind, subject, format string, args ...any) *Error {
	return &Error{Kind: kind, Subject: subject, Message: fmt.Sprintf(format, args...)}
}

// Wrap is New with a cause. The cause is reachable with errors.Is and errors.As but not shown.
func Wrap(err error, kind Kind, subject, format string, args ...any) *Error {
	return &Error{Kind: kind, Subject: subject, Message: fmt.Sprintf(format, args...), Err: err}
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain. A cancelled context is Canceled and an
// expired one Unavailable; any other error, and nil, is Internal.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	}
	return Internal
}

// Is reports whether err is of the given kind and about the given subject; an empty subject matches any.
func Is(err error, kind Kind, subject string) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind && (subject == "" || e.Subject == subject)
}

// Message returns what the caller may see of err: the message of the first *Error in its chain, or a
// sentence that gives nothing away.
func Message(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Kind != Internal {
		return e.Message
	}
	return "An internal error occurred; the server's log has the details under this request id."
}

// Retryable reports whether the same work may succeed if tried again later without anyone changing it.
func Retryable(err error) bool {
	switch KindOf(err) {
	case Unavailable, Throttled:
		return true
	default:
		return false
	}
}
