package wire

import (
	"errors"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/wire/input"
)

// ErrorShape is an error a service declares: what a client sees of it, apart from the message. The
// generated packages have one variable for each.
type ErrorShape struct {
	Name        string // the shape in the model, ClusterNotFoundFault
	Code        string // what goes over the wire, ClusterNotFound
	Status      int    // HTTP status
	Server      bool   // the service's fault; otherwise the client's
	MessageName string // how the service spells its message member in JSON: message or Message
}

// FaultKey names a kind of fault about a subject. An empty Subject stands for any subject, an empty
// Operation for any operation.
type FaultKey struct {
	Kind      fault.Kind
	Subject   string
	Operation string
}

// FaultTable tells which declared error a fault becomes. The most specific entry wins: kind, subject
// and operation, then kind and subject, then kind and operation, then kind alone. What no entry covers
// becomes the error the service's protocol has for that kind, which is a client's error for every kind
// but fault.Internal.
type FaultTable map[FaultKey]*ErrorShape

// APIError is an error a handler returns when it wants a particular declared error, or one with members
// beyond the message.
type APIError struct {
	Shape   *ErrorShape
	Message string
	Members ErrorMembers // nil, or the generated structure of the error
	Err     error        // for the log; may be nil
}

// ErrorMembers are the members of an error besides its message. The generated error structures
// implement it.
type ErrorMembers interface {
	// AppendErrorMembers appends ,"name":value for each member that is set.
	AppendErrorMembers(dst []byte) []byte
}

func (e *APIError) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *APIError) Unwrap() error { return e.Err }

// errNoOutput is a handler's defect: neither an output nor an error.
var errNoOutput = errors.New("the handler returned neither an output nor an error")

// failure turns what a handler or a decoder returned into what the client sees.
func (s *service) failure(err error, operation string) *failure {
	var bad *input.Error
	var api *APIError
	var flt *fault.Error
	switch {
	case errors.As(err, &api):
		f := api.Shape.failed(api.Message)
		f.members, f.cause = api.Members, api.Err
		return f
	case errors.As(err, &bad):
		return s.failed(problemConditions[bad.Problem], bad.Message)
	}
	kind, subject := fault.KindOf(err), ""
	if errors.As(err, &flt) {
		subject = flt.Subject
	}
	var f *failure
	if flt == nil && kind == fault.Unavailable {
		f = s.failed(condTimeout, "The request took longer than this server allows. It may or may not have had its effect.")
	} else if flt == nil && kind == fault.Canceled {
		f = s.failed(condCanceled, "The request was cancelled. It may or may not have had its effect.")
	} else if shape := s.Faults.lookup(kind, subject, operation); shape != nil {
		f = shape.failed(fault.Message(err))
	} else {
		f = s.failed(faultConditions[kind], fault.Message(err))
	}
	f.cause = err
	return f
}
