package wire

import (
	"net/http"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/wire/input"
	"github.com/penstock-io/penstock/internal/wire/restjson"
	"github.com/penstock-io/penstock/internal/wire/sigv4"
)

// A condition is a way for a request to fail that no operation declares: it belongs to the protocol.
type condition uint8

const (
	condInternal condition = iota
	condUnsigned
	condIncompleteSignature
	condUnknownKey
	condWrongSignature
	condExpired
	condNoAction
	condUnknownOperation
	condNotServed
	condMethod
	condMediaType
	condUnreadable
	condMistyped
	condInvalid
	condTooLarge
	condTimeout
	condNotFound
	condExists
	condConflict
	condState
	condLimit
	condDenied
	condThrottled
	condForgotten
	condCanceled
	numConditions
)

// condCodes are the codes and statuses of conditions: in the query protocol, and in the JSON ones.
// Whatever goes wrong on the way to another system is told as throttling, which clients retry; only
// our own defects are a status of 500.
var condCodes = [numConditions]struct {
	query, json string
	status      int
}{
	condInternal:            {"InternalFailure", "InternalFailure", http.StatusInternalServerError},
	condUnsigned:            {"MissingAuthenticationToken", "MissingAuthenticationTokenException", http.StatusForbidden},
	condIncompleteSignature: {"IncompleteSignature", "IncompleteSignatureException", http.StatusBadRequest},
	condUnknownKey:          {"InvalidClientTokenId", "UnrecognizedClientException", http.StatusForbidden},
	condWrongSignature:      {"SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden},
	condExpired:             {"RequestExpired", "RequestExpired", http.StatusBadRequest},
	condNoAction:            {"MissingAction", "UnknownOperationException", http.StatusBadRequest},
	condUnknownOperation:    {"InvalidAction", "UnknownOperationException", http.StatusBadRequest},
	condNotServed:           {"UnsupportedOperation", "UnknownOperationException", http.StatusBadRequest},
	condMethod:              {"InvalidAction", "UnknownOperationException", http.StatusMethodNotAllowed},
	condMediaType:           {"MalformedInput", "SerializationException", http.StatusBadRequest},
	condUnreadable:          {"MalformedQueryString", "SerializationException", http.StatusBadRequest},
	condMistyped:            {"MalformedInput", "SerializationException", http.StatusBadRequest},
	condInvalid:             {"ValidationError", "ValidationException", http.StatusBadRequest},
	condTooLarge:            {"RequestEntityTooLarge", "RequestEntityTooLargeException", http.StatusRequestEntityTooLarge},
	condTimeout:             {"RequestTimeout", "RequestTimeoutException", http.StatusRequestTimeout},
	condNotFound:            {"ResourceNotFound", "ResourceNotFoundException", http.StatusNotFound},
	condExists:              {"ResourceAlreadyExists", "ConflictException", http.StatusBadRequest},
	condConflict:            {"OperationConflict", "ConflictException", http.StatusBadRequest},
	condState:               {"InvalidState", "ConflictException", http.StatusBadRequest},
	condLimit:               {"LimitExceeded", "LimitExceededException", http.StatusBadRequest},
	condDenied:              {"AccessDenied", "AccessDeniedException", http.StatusForbidden},
	condThrottled:           {"Throttling", "ThrottlingException", http.StatusBadRequest},
	condForgotten:           {"ResourceNotFound", "ResourceNotFoundException", http.StatusNotFound},
	condCanceled:            {"RequestCanceled", "RequestCanceledException", http.StatusBadRequest},
}

// faultConditions says what a fault is when the service's table has nothing for it.
var faultConditions = map[fault.Kind]condition{
	fault.Internal:      condInternal,
	fault.Invalid:       condInvalid,
	fault.NotFound:      condNotFound,
	fault.AlreadyExists: condExists,
	fault.Conflict:      condConflict,
	fault.State:         condState,
	fault.Limit:         condLimit,
	fault.Denied:        condDenied,
	fault.Unsupported:   condNotServed,
	fault.Unavailable:   condThrottled,
	fault.Throttled:     condThrottled,
	fault.Expired:       condForgotten,
	fault.Canceled:      condCanceled,
}

var problemConditions = [...]condition{
	input.Unreadable: condUnreadable,
	input.Mistyped:   condMistyped,
	input.Unknown:    condInvalid,
	input.Invalid:    condInvalid,
}

var signatureConditions = [...]condition{
	sigv4.Missing:    condUnsigned,
	sigv4.Incomplete: condIncompleteSignature,
	sigv4.Mismatch:   condWrongSignature,
	sigv4.Expired:    condExpired,
}

// failure is an error as it goes to the client.
type failure struct {
	code        string
	status      int
	server      bool
	message     string
	messageName string
	members     ErrorMembers
	allow       []string // methods, for condMethod
	cause       error    // for the log
}

// service is a Service with what finding its operations and errors takes.
type service struct {
	*Service
	operations  map[string]*Operation
	declared    map[string]*ErrorShape // by code
	routes      restjson.Router
	messageName string
}

func newService(s *Service) *service {
	rt := &service{Service: s, operations: map[string]*Operation{}, declared: map[string]*ErrorShape{}, messageName: "message"}
	for i := range s.Operations {
		op := &s.Operations[i]
		rt.operations[op.Name] = op
		if s.Protocol == RESTJSON {
			rt.routes.Add(op.Method, op.URI, i)
		}
	}
	for _, e := range s.Errors {
		rt.declared[e.Code] = e
	}
	if len(s.Errors) > 0 {
		rt.messageName = s.Errors[0].MessageName
	}
	return rt
}

// failed returns a condition in the service's words: a declared error of that code if there is one.
func (s *service) failed(c condition, message string) *failure {
	codes := condCodes[c]
	code := codes.json
	if s.Protocol == AWSQuery {
		code = codes.query
	}
	shape := s.declared[code]
	if c == condInvalid && s.InvalidInput != nil {
		shape = s.InvalidInput
	}
	if shape != nil {
		return shape.failed(message)
	}
	f := &failure{code: code, status: codes.status, server: codes.status >= 500, message: message, messageName: s.messageName}
	if c >= condUnsigned && c <= condExpired && s.AuthStatus != 0 {
		f.status = s.AuthStatus
	}
	return f
}

func (e *ErrorShape) failed(message string) *failure {
	return &failure{code: e.Code, status: e.Status, server: e.Server, message: message, messageName: e.MessageName}
}

// lookup returns the declared error the table has for a fault, or nil.
func (t FaultTable) lookup(kind fault.Kind, subject, operation string) *ErrorShape {
	for _, key := range [...]FaultKey{{kind, subject, operation}, {kind, subject, ""}, {kind, "", operation}, {kind, "", ""}} {
		if e := t[key]; e != nil {
			return e
		}
	}
	return nil
}
