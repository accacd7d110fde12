// Package wire answers AWS requests over HTTP: one port, many services.
//
// A Handler finds the service a request is for by its signature's credential scope, verifies the
// signature, finds the operation, decodes and checks the input with the generated code of the service,
// calls the operation's handler and encodes what it returns. Handlers are plain functions of
// (context, caller, input) that return (output, error) and never see HTTP. Everything that all requests
// need is here and nowhere else: request ids, limits, error envelopes, the access log, panic
// containment, draining.
//
// Rules: no input of any kind produces a status of 500 or above; a request is never acted upon before
// its signature is verified; secrets and bodies are never logged.
package wire

import (
	"context"

	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/wire/awsjson"
	"github.com/penstock-io/penstock/internal/wire/awsquery"
	"github.com/penstock-io/penstock/internal/wire/input"
	"github.com/penstock-io/penstock/internal/wire/restjson"
)

// Protocol is how a service puts requests, answers and errors into HTTP messages.
type Protocol uint8

const (
	AWSQuery Protocol = iota // a form in, XML out
	AWSJSON                  // JSON, the operation named by X-Amz-Target
	RESTJSON                 // JSON, the operation named by method and path
)

// Service is one API as the handler needs it. The Operations type of each generated package makes them.
type Service struct {
	Name         string // in logs and metrics: the name of the generated package
	SigningName  string // in credential scopes; two services may share one if their TargetPrefix differs
	Version      string
	Protocol     Protocol
	XMLNamespace string // AWSQuery
	TargetPrefix string // AWSJSON: what X-Amz-Target begins with, before the dot
	JSONVersion  string // AWSJSON: 1.0 or 1.1
	Operations   []Operation
	Errors       []*ErrorShape // every error any operation declares
	InvalidInput *ErrorShape   // answers constraint violations; nil for the protocol's usual one
	AuthStatus   int           // status of authentication errors where the service has its own; else 0
	Faults       FaultTable
	// RequestIDInErrors puts the request id into the bodies of errors as RequestId, where the protocol does not
	// anyway: QuickSight's errors have it as a member.
	RequestIDInErrors bool
}

// Operation is one operation of a service. Those made without a handler are known and not served.
type Operation struct {
	Name     string
	ReadOnly bool          // changes nothing; successful calls are logged at Debug
	Errors   []*ErrorShape // declared
	Result   string        // AWSQuery: the element around the output; empty for none
	Method   string        // RESTJSON
	URI      string        // RESTJSON
	Status   int           // RESTJSON: of a success

	invoke func(context.Context, identity.Caller, *message, *reply) error
}

// Served reports whether the operation has a handler.
func (o *Operation) Served() bool { return o.invoke != nil }

// message is a request's content on its way to an operation.
type message struct {
	query    awsquery.Value // AWSQuery
	match    restjson.Match // RESTJSON
	rawQuery string         // RESTJSON
	body     []byte         // AWSJSON, RESTJSON
}

// reply is an operation's encoded output.
type reply struct {
	body   []byte
	status int // RESTJSON: 0 unless the output names one
}

// Func is what serves an operation. The input has passed the model's constraints and is the
// handler's to keep. An error is a *fault.Error, translated by the service's FaultTable, or an
// *APIError.
type Func[I, O any] = func(context.Context, identity.Caller, *I) (*O, error)

// NoOutput adapts the handler of an operation that answers with nothing.
func NoOutput[I any](h func(context.Context, identity.Caller, *I) error) Func[I, struct{}] {
	if h == nil {
		return nil
	}
	return func(ctx context.Context, caller identity.Caller, in *I) (*struct{}, error) {
		return &struct{}{}, h(ctx, caller, in)
	}
}

// QueryCodec is the generated code for one operation of a query service. Check and Encode are nil
// where there is nothing to do.
type QueryCodec[I, O any] struct {
	Decode func(*awsquery.Decoder, awsquery.Value) I
	Check  func(*input.Checker, *I)
	Encode func([]byte, *O) []byte
}

// QueryOperation completes op with its handler, which may be nil.
func QueryOperation[I, O any](op Operation, h Func[I, O], c QueryCodec[I, O]) Operation {
	if h == nil {
		return op
	}
	op.invoke = func(ctx context.Context, caller identity.Caller, m *message, r *reply) error {
		var d awsquery.Decoder
		in := c.Decode(&d, m.query)
		if err := d.Err(); err != nil {
			return err
		}
		return call(ctx, caller, h, &in, c.Check, c.Encode, r)
	}
	return op
}

// JSONCodec is the generated code for one operation of a JSON service.
type JSONCodec[I, O any] struct {
	Decode func(*awsjson.Decoder) I
	Check  func(*input.Checker, *I)
	Encode func([]byte, *O) []byte
}

// JSONOperation completes op with its handler, which may be nil.
func JSONOperation[I, O any](op Operation, h Func[I, O], c JSONCodec[I, O]) Operation {
	if h == nil {
		return op
	}
	op.invoke = func(ctx context.Context, caller identity.Caller, m *message, r *reply) error {
		in, err := awsjson.Decode(m.body, c.Decode)
		if err != nil {
			return err
		}
		return call(ctx, caller, h, &in, c.Check, c.Encode, r)
	}
	return op
}

// RESTCodec is the generated code for one operation of a REST service. Status is nil where the output
// does not name the status of the answer.
type RESTCodec[I, O any] struct {
	Decode func(*restjson.Request) I
	Check  func(*input.Checker, *I)
	Encode func([]byte, *O) []byte
	Status func(*O) *int32
}

// RESTOperation completes op with its handler, which may be nil.
func RESTOperation[I, O any](op Operation, h Func[I, O], c RESTCodec[I, O]) Operation {
	if h == nil {
		return op
	}
	op.invoke = func(ctx context.Context, caller identity.Caller, m *message, r *reply) error {
		req, err := restjson.Parse(m.match, m.rawQuery, m.body)
		if err != nil {
			return err
		}
		in := c.Decode(req)
		if err := req.Finish(); err != nil {
			return err
		}
		encode := c.Encode
		if c.Status != nil {
			encode = func(b []byte, out *O) []byte {
				if status := c.Status(out); status != nil {
					r.status = int(*status)
				}
				return c.Encode(b, out)
			}
		}
		return call(ctx, caller, h, &in, c.Check, encode, r)
	}
	return op
}

// call checks the input, calls the handler and appends its output to r.
func call[I, O any](ctx context.Context, caller identity.Caller, h Func[I, O], in *I,
	check func(*input.Checker, *I), encode func([]byte, *O) []byte, r *reply) error {
	if check != nil {
		var c input.Checker
		check(&c, in)
		if err := c.Err(); err != nil {
			return err
		}
	}
	out, err := h(ctx, caller, in)
	if err != nil {
		return err
	}
	if out == nil {
		return errNoOutput
	}
	if encode != nil {
		r.body = encode(r.body, out)
	}
	return nil
}
