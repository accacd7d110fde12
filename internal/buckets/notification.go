package buckets

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/uuid"
	"github.com/versity/versitygw/s3err"
)

// Destination is the kind of thing a notification goes to.
type Destination string

const (
	Topic    Destination = "topic"
	Queue    Destination = "queue"
	Function Destination = "function"
)

// Notification is the notification configuration of a bucket.
type Notification struct {
	Targets     []Target
	EventBridge bool
}

// Target is one destination and what is sent to it.
type Target struct {
	Destination Destination
	ID          string // unique in the bucket, at most 255 bytes
	ARN         string
	Events      []string // with "s3:", such as "s3:ObjectCreated:*"
	Rules       []Rule   // at most one prefix and one suffix
}

// Rule narrows a target to some keys. Name is "prefix" or "suffix" in any case.
type Rule struct{ Name, Value string }

// EventCreated stands for every way an object can arrive.
const EventCreated = "s3:ObjectCreated:*"

// Find returns the target with the given id.
func (n Notification) Find(id string) (Target, bool) {
	i := slices.IndexFunc(n.Targets, func(t Target) bool { return t.ID == id })
	if i < 0 {
		return Target{}, false
	}
	return n.Targets[i], true
}

// Covers reports whether the target's filter lets key through.
func (t Target) Covers(key string) bool {
	return strings.HasPrefix(key, t.rule("prefix")) && strings.HasSuffix(key, t.rule("suffix"))
}

// Created reports whether the target is told of any kind of arrival.
func (t Target) Created() bool {
	return slices.ContainsFunc(t.Events, func(e string) bool { return strings.HasPrefix(e, "s3:ObjectCreated:") })
}

func (t Target) rule(name string) string {
	for _, r := range t.Rules {
		if strings.EqualFold(r.Name, name) {
			return r.Value
		}
	}
	return ""
}

// maxTargets is S3's limit on configurations in a bucket.
const maxTargets = 100

// validate checks n by S3's rules and fills in missing ids. The error is an S3 error.
func (n *Notification) validate() error {
	if len(n.Targets) > maxTargets {
		return badNotification("A bucket can have at most %d notification configurations", maxTargets)
	}
	seen := make(map[string]bool, len(n.Targets))
	for i := range n.Targets {
		t := &n.Targets[i]
		if err := t.validate(); err != nil {
			return err
		}
		if t.ID == "" {
			t.ID = uuid.NewString()
		}
		if seen[t.ID] {
			return badNotification("Same ID used for multiple configurations. IDs must be unique")
		}
		seen[t.ID] = true
		for _, other := range n.Targets[:i] {
			if err := overlap(other, *t); err != nil {
				return err
			}
		}
	}
	return nil
}

var destinationServices = map[Destination]string{Topic: "sns", Queue: "sqs", Function: "lambda"}

func (t Target) validate() error {
	if len(t.ID) > 255 {
		return badNotification("The ID of a configuration is limited to 255 characters")
	}
	parts := strings.SplitN(t.ARN, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[5] == "" || parts[2] != destinationServices[t.Destination] {
		return badNotification("The ARN is not well formed: %q is not that of a %s", t.ARN, t.Destination)
	}
	if len(t.Events) == 0 {
		return s3err.GetAPIError(s3err.ErrMalformedXML)
	}
	known := types.Event("").Values()
	for _, e := range t.Events {
		if !slices.Contains(known, types.Event(e)) {
			return badNotification("The event %q is not supported for notifications", e)
		}
	}
	var prefixes, suffixes int
	for _, r := range t.Rules {
		switch {
		case strings.EqualFold(r.Name, "prefix"):
			prefixes++
		case strings.EqualFold(r.Name, "suffix"):
			suffixes++
		default:
			return badNotification("filter rule name must be either prefix or suffix")
		}
		if len(r.Value) > maxKey {
			return badNotification("Size of filter rule value cannot exceed %d bytes in UTF-8 representation", maxKey)
		}
	}
	if prefixes > 1 {
		return badNotification("Cannot specify more than one prefix rule in a filter.")
	}
	if suffixes > 1 {
		return badNotification("Cannot specify more than one suffix rule in a filter.")
	}
	return nil
}

// overlap returns an error when some event on some key would go to both targets. Those of integrations may, as the
// events do not really leave by them.
func overlap(a, b Target) error {
	if a.OfIntegration() && b.OfIntegration() {
		return nil
	}
	shared := slices.ContainsFunc(a.Events, func(x string) bool {
		return slices.ContainsFunc(b.Events, func(y string) bool { return eventsMeet(x, y) })
	})
	if !shared {
		return nil
	}
	if len(a.Rules) == 0 && len(b.Rules) == 0 {
		return badNotification("Configurations overlap. Configurations on the same bucket cannot share a common event type.")
	}
	ap, bp, as, bs := a.rule("prefix"), b.rule("prefix"), a.rule("suffix"), b.rule("suffix")
	if (strings.HasPrefix(ap, bp) || strings.HasPrefix(bp, ap)) && (strings.HasSuffix(as, bs) || strings.HasSuffix(bs, as)) {
		return badNotification("Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.")
	}
	return nil
}

// eventsMeet reports whether two event names, either of which may end in "*", share an event.
func eventsMeet(a, b string) bool {
	if x, ok := strings.CutSuffix(a, "*"); ok && strings.HasPrefix(b, x) {
		return true
	}
	if x, ok := strings.CutSuffix(b, "*"); ok && strings.HasPrefix(a, x) {
		return true
	}
	return a == b
}

func badNotification(format string, args ...any) error {
	return s3err.APIError{Code: "InvalidArgument", Description: fmt.Sprintf(format, args...), HTTPStatusCode: http.StatusBadRequest}
}

// The XML form. Unknown holds whatever the schema does not have.

type xmlNotification struct {
	XMLName     xml.Name    `xml:"NotificationConfiguration"`
	Xmlns       string      `xml:"xmlns,attr,omitempty"`
	Topics      []xmlTarget `xml:"TopicConfiguration"`
	Queues      []xmlTarget `xml:"QueueConfiguration"`
	Functions   []xmlTarget `xml:"CloudFunctionConfiguration"`
	EventBridge *struct{}   `xml:"EventBridgeConfiguration"`
	Unknown     []xmlAny    `xml:",any"`
}

type xmlTarget struct {
	ID       string     `xml:"Id,omitempty"`
	Topic    string     `xml:"Topic,omitempty"`
	Queue    string     `xml:"Queue,omitempty"`
	Function string     `xml:"CloudFunction,omitempty"`
	Events   []string   `xml:"Event"`
	Filter   *xmlFilter `xml:"Filter"`
	Unknown  []xmlAny   `xml:",any"`
}

type xmlFilter struct {
	Key     *xmlKey  `xml:"S3Key"`
	Unknown []xmlAny `xml:",any"`
}

type xmlKey struct {
	Rules   []xmlRule `xml:"FilterRule"`
	Unknown []xmlAny  `xml:",any"`
}

type xmlRule struct {
	Name  string `xml:"Name"`
	Value string `xml:"Value"`
}

type xmlAny struct{ XMLName xml.Name }

// arn returns the field that holds the destination.
func (t *xmlTarget) arn(d Destination) *string {
	switch d {
	case Topic:
		return &t.Topic
	case Queue:
		return &t.Queue
	default:
		return &t.Function
	}
}

// maxNotification is the longest configuration that is read from a client, in bytes. The largest that S3's
// rules allow has half that.
const maxNotification = 512 << 10

// parseNotification reads and validates the XML form. The error is an S3 error.
func parseNotification(body []byte) (Notification, error) {
	malformed := s3err.GetAPIError(s3err.ErrMalformedXML)
	var x xmlNotification
	if xml.Unmarshal(body, &x) != nil || len(x.Unknown) > 0 {
		return Notification{}, malformed
	}
	n := Notification{EventBridge: x.EventBridge != nil}
	for _, group := range []struct {
		kind    Destination
		targets []xmlTarget
	}{{Topic, x.Topics}, {Queue, x.Queues}, {Function, x.Functions}} {
		for _, t := range group.targets {
			arn := *t.arn(group.kind)
			if len(t.Unknown) > 0 || arn == "" || arn != t.Topic+t.Queue+t.Function {
				return Notification{}, malformed
			}
			target := Target{Destination: group.kind, ID: t.ID, ARN: arn, Events: t.Events}
			if f := t.Filter; f != nil {
				if len(f.Unknown) > 0 || f.Key == nil || len(f.Key.Unknown) > 0 {
					return Notification{}, malformed
				}
				for _, r := range f.Key.Rules {
					target.Rules = append(target.Rules, Rule(r))
				}
			}
			n.Targets = append(n.Targets, target)
		}
	}
	return n, n.validate()
}

// xml returns the form GetBucketNotificationConfiguration answers with.
func (n Notification) xml() xmlNotification {
	x := xmlNotification{Xmlns: "http://s3.amazonaws.com/doc/2006-03-01/"}
	for _, t := range n.Targets {
		out := xmlTarget{ID: t.ID, Events: t.Events}
		*out.arn(t.Destination) = t.ARN
		if len(t.Rules) > 0 {
			out.Filter = &xmlFilter{Key: &xmlKey{}}
			for _, r := range t.Rules {
				out.Filter.Key.Rules = append(out.Filter.Key.Rules, xmlRule(r))
			}
		}
		switch t.Destination {
		case Topic:
			x.Topics = append(x.Topics, out)
		case Queue:
			x.Queues = append(x.Queues, out)
		default:
			x.Functions = append(x.Functions, out)
		}
	}
	if n.EventBridge {
		x.EventBridge = &struct{}{}
	}
	return x
}

// empty reports whether the configuration says nothing.
func (n Notification) empty() bool { return len(n.Targets) == 0 && !n.EventBridge }
