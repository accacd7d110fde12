package wire

import (
	"errors"

	"github.com/penstock-io/penstock/internal/fault"
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
// and operation, then kind and subject, then kind and operation, then kind alone. What no entry covers becomes the
// error the service's protocol has for that kind, which is a client's error for every kind but
// fault.Internal.
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
