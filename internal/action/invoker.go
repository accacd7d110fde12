package action

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// Invoker knows what actions there are and how their requests are made and sent.
type Invoker interface {
	// Actions lists the actions of a connector, enabled or not, in the order of the catalogue.
	Actions(ctx context.Context, t Target) ([]Action, error)
	// Prepare checks arguments, a JSON object. An action that is not there is NotFound about SubjectAction, arguments
	// that it does not take are Invalid about SubjectArguments.
	Prepare(ctx context.Context, t Target, actionID string, arguments json.RawMessage) (Prepared, error)
	// Send makes the call. With an error the Answer says as much as is known. An error with a method Code() string is
	// recorded and told under that code.
	Send(ctx context.Context, t Target, p Prepared, credentials *Credentials) (Answer, error)
	// CheckDocument refuses an OpenAPI document that cannot be used: Invalid about SubjectDocument.
	CheckDocument(ctx context.Context, content []byte) error
}

// Target is a connector as an Invoker sees it.
type Target struct {
	Connector   *Connector   // must not be changed
	User        string       // the end user's ARN
	Credentials *Credentials // for what has to ask the vendor what it offers
	Document    []byte       // of a GENERIC_HTTP connector that has one
	Changed     time.Time    // of Document
}

// Action is something that a connector can do.
type Action struct {
	ID          string
	Name        string
	Description string
	Write       bool
	Destructive bool            // a write that takes something away
	Input       json.RawMessage // JSON Schema of the arguments, an object
	Origin      string          // "aws" when the name is AWS's, "vendor" or "document" otherwise
	Enabled     bool            // set by the Service
}

// Prepared is a call that is ready to be sent.
type Prepared struct {
	Action Action
	// Request renders the request. The same target, action and arguments give the same one.
	Request func(ctx context.Context) (Request, error)
	Opaque  any // the Invoker's own
	// Key is set by the Service: one for each call that is to have its effect once, for vendors that take one.
	Key string
}

// Request is a request as it may be shown: without credentials.
type Request struct {
	Method string              `json:"method"`
	URL    string              `json:"url"`
	Header map[string][]string `json:"header,omitempty"`
	Body   json.RawMessage     `json:"body,omitempty"`
	// Notes says, in sentences, what is known only when it is sent.
	Notes []string `json:"notes,omitempty"`
}

// Answer is what came of a request.
type Answer struct {
	Status      int             `json:"status"` // of the vendor's answer; 0 without one
	ContentType string          `json:"contentType,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`     // JSON; what is none as a string
	Encoding    string          `json:"encoding,omitempty"` // "base64" of a body that is bytes
	Next        json.RawMessage `json:"next,omitempty"`     // the argument that asks for the next page, an object
	Truncated   json.RawMessage `json:"truncated,omitempty"`
	Location    string          `json:"location,omitempty"`
	Attempts    int             `json:"attempts"` // requests that were sent
	// Unknown says that a write was sent and nobody knows whether the vendor acted.
	Unknown bool `json:"unknown,omitempty"`
}

// Codes of failed calls, beside those that an Invoker's errors bring along.
const (
	CodeSignIn       = "AccessTokenNotFoundException" // AWS's name: the user must sign in
	CodeToken        = "TokenResponseException"       // AWS's name: the connector's set-up is wrong
	CodeNoConnector  = "ResourceNotFoundException"
	CodeNoAction     = "UnknownAction"
	CodeDisabled     = "ActionDisabled"
	CodeArguments    = "InvalidArguments"
	CodeInvalid      = "InvalidParameterValueException"
	CodeDenied       = "AccessDeniedException"
	CodeState        = "ConnectorNotReadyException"
	CodeConflict     = "ConflictException"
	CodeUnavailable  = "UnavailableException"
	CodeThrottled    = "ThrottlingException"
	CodeUnauthorized = "CredentialsRefused" // the vendor refuses what the connector has
	CodeUnsupported  = "UnsupportedOperationException"
	CodeInternal     = "InternalFailureException"
)

// Code is the word for an error of a call.
func Code(err error) string {
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	var need *SignInError
	if errors.As(err, &need) {
		return CodeSignIn
	}
	var f *fault.Error
	subject := ""
	if errors.As(err, &f) {
		subject = f.Subject
	}
	switch kind := fault.KindOf(err); kind {
	case fault.NotFound, fault.Expired:
		if subject == SubjectAction {
			return CodeNoAction
		}
		return CodeNoConnector
	case fault.Denied:
		switch subject {
		case SubjectAction:
			return CodeDisabled
		case SubjectToken:
			return CodeToken
		case SubjectAuth:
			return CodeUnauthorized
		}
		return CodeDenied
	case fault.Invalid, fault.Limit:
		if subject == SubjectArguments {
			return CodeArguments
		}
		return CodeInvalid
	case fault.AlreadyExists, fault.Conflict:
		return CodeConflict
	case fault.State:
		if subject == SubjectApproval || subject == SubjectClaim {
			return CodeConflict
		}
		return CodeState
	case fault.Unsupported:
		return CodeUnsupported
	case fault.Unavailable, fault.Canceled:
		return CodeUnavailable
	case fault.Throttled:
		return CodeThrottled
	default:
		return CodeInternal
	}
}

// noActions is the Invoker of a server without one.
type noActions struct{}

func (noActions) Actions(context.Context, Target) ([]Action, error) { return nil, nil }

func (noActions) Prepare(_ context.Context, t Target, actionID string, _ json.RawMessage) (Prepared, error) {
	return Prepared{}, fault.New(fault.NotFound, SubjectAction, "connectors of type %s have no action %q here", t.Connector.Type, actionID)
}

func (noActions) Send(context.Context, Target, Prepared, *Credentials) (Answer, error) {
	return Answer{}, fault.New(fault.Unsupported, SubjectAction, "no actions can be called here")
}

func (noActions) CheckDocument(context.Context, []byte) error {
	return fault.New(fault.Unsupported, SubjectDocument, "no actions can be called here, so a document is of no use")
}
