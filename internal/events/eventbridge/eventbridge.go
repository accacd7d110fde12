// Package eventbridge delivers events with PutEvents: to Amazon EventBridge, or to anything that speaks as it does.
package eventbridge

import (
	"context"
	"errors"
	"net"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awseb "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"

	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/source/access"
)

// Limits of PutEvents.
const (
	maxEntries = 10
	maxBytes   = 1 << 20 // of all entries of a request
)

// Target is an events.Target.
type Target struct {
	client *awseb.Client
	bus    string
	where  string // for messages
}

// New returns the target of a bus of type eventbridge. It contacts nobody.
func New(b events.Bus, in *access.Access) *Target {
	t := &Target{bus: b.Name, where: "EventBridge"}
	t.client = awseb.NewFromConfig(in.SDK(), func(o *awseb.Options) {
		// Set in any case: AWS_ENDPOINT_URL in our environment is likely to be our own address.
		o.BaseEndpoint = nil
		if b.Endpoint != "" {
			o.BaseEndpoint, t.where = aws.String(b.Endpoint), b.Endpoint
		}
		o.RetryMaxAttempts = 2 // the dispatcher tries again
	})
	return t
}

// Batch implements events.Target.
func (t *Target) Batch() int { return maxEntries }

// Deliver implements events.Target. Requests are cut where their entries would be too large together.
func (t *Target) Deliver(ctx context.Context, batch []events.Event) []events.Outcome {
	out := make([]events.Outcome, 0, len(batch))
	for len(batch) > 0 {
		n, size := 0, 0
		for n < len(batch) && n < maxEntries && (n == 0 || size+entrySize(batch[n]) <= maxBytes) {
			size += entrySize(batch[n])
			n++
		}
		out = append(out, t.put(ctx, batch[:n])...)
		batch = batch[n:]
	}
	return out
}

// entrySize is an entry's size as EventBridge counts it.
func entrySize(e events.Event) int { return 14 + len(e.Source) + len(e.DetailType) + len(e.Detail) }

func (t *Target) put(ctx context.Context, batch []events.Event) []events.Outcome {
	in := &awseb.PutEventsInput{}
	for _, e := range batch {
		in.Entries = append(in.Entries, types.PutEventsRequestEntry{
			EventBusName: &t.bus, Source: aws.String(e.Source), DetailType: aws.String(e.DetailType), Detail: aws.String(string(e.Detail)), Time: aws.Time(e.Time),
		})
	}
	outcomes := make([]events.Outcome, len(batch))
	res, err := t.client.PutEvents(ctx, in)
	if err == nil && len(res.Entries) != len(batch) {
		err = fault.New(fault.Unavailable, events.SubjectBus, "%s answered for %d of %d events", t.where, len(res.Entries), len(batch))
	}
	for i := range outcomes {
		if err != nil {
			outcomes[i].Err = t.classify(err)
		} else if code := aws.ToString(res.Entries[i].ErrorCode); code != "" {
			outcomes[i].Err = fault.New(kindOf(code), events.SubjectBus, "%s does not take the event: %s %s", t.where, code, aws.ToString(res.Entries[i].ErrorMessage))
		}
	}
	return outcomes
}

// kindOf knows EventBridge's codes, of requests and of entries. An unknown one may pass: an event is kept rather
// than given up.
func kindOf(code string) fault.Kind {
	switch code {
	case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded":
		return fault.Throttled
	case "AccessDeniedException", "NotAuthorizedForSourceException", "NotAuthorizedForDetailTypeException", "UnrecognizedClientException", "InvalidSignatureException",
		"ExpiredTokenException", "InvalidClientTokenId", "MissingAuthenticationTokenException", "IncompleteSignatureException", "SignatureDoesNotMatch", "InvalidAccountIdException":
		return fault.Denied
	case "MalformedDetail", "InvalidArgument", "ValidationException", "SerializationException", "RequestEntityTooLarge", "PartnerEventSourceNotFound":
		return fault.Invalid
	}
	return fault.Unavailable
}

func (t *Target) classify(err error) error {
	var known *fault.Error
	var api smithy.APIError
	var res *awshttp.ResponseError
	var op *net.OpError
	switch {
	case errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &api):
		kind := kindOf(api.ErrorCode())
		if errors.As(err, &res) && kind == fault.Unavailable && res.HTTPStatusCode() == 413 {
			kind = fault.Invalid
		}
		return fault.Wrap(err, kind, events.SubjectBus, "%s refuses the events: %s %s", t.where, api.ErrorCode(), api.ErrorMessage())
	case errors.As(err, &op):
		return fault.Wrap(err, fault.Unavailable, events.SubjectBus, "%s cannot be reached: %v", t.where, op.Err)
	}
	return fault.Wrap(err, fault.Unavailable, events.SubjectBus, "%s cannot be reached, or there are no credentials for it", t.where)
}
