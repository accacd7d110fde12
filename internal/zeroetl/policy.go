package zeroetl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// MaxPolicy is the longest resource policy in bytes.
const MaxPolicy = 20480

// What a namespace's policy can allow.
const (
	ActionAuthorizeInbound = "redshift:AuthorizeInboundIntegration" // of a source, for the service principal
	ActionCreateInbound    = "redshift:CreateInboundIntegration"    // of a caller
	ActionAll              = "redshift:*"
)

// PutPolicy sets the policy of the namespace that resourceARN points at. A text that is not such a policy is
// Invalid about SubjectPolicy, an ARN that points nowhere NotFound about SubjectResource.
func (s *Service) PutPolicy(ctx context.Context, resourceARN, text string) (Policy, error) {
	id, _, err := s.targets.Target(ctx, resourceARN)
	if err != nil {
		return Policy{}, asResource(err)
	}
	if _, err := parsePolicy(text); err != nil {
		return Policy{}, err
	}
	p := Policy{ResourceARN: resourceARN, WarehouseID: id, Text: text, Updated: s.now()}
	if err := s.policies.PolicyPut(ctx, p); err != nil {
		return Policy{}, err
	}
	s.notify() // in strict mode it may let an integration work again, or stop it
	return p, nil
}

// GetPolicy returns the policy of a namespace with the ARN as asked for. Without a policy it is NotFound about
// SubjectPolicy.
func (s *Service) GetPolicy(ctx context.Context, resourceARN string) (Policy, error) {
	id, _, err := s.targets.Target(ctx, resourceARN)
	if err != nil {
		return Policy{}, asResource(err)
	}
	p, err := s.policies.PolicyGet(ctx, id)
	p.ResourceARN = resourceARN
	return p, err
}

// DeletePolicy removes the policy of a namespace. Without a policy it is NotFound about SubjectPolicy.
func (s *Service) DeletePolicy(ctx context.Context, resourceARN string) error {
	id, _, err := s.targets.Target(ctx, resourceARN)
	if err != nil {
		return asResource(err)
	}
	if err := s.policies.PolicyDelete(ctx, id); err != nil {
		return err
	}
	s.notify()
	return nil
}

// document is a policy as it is evaluated.
type document struct {
	Version   string
	ID        string `json:"Id"`
	Statement oneOrMany[statement]
}

type statement struct {
	Sid       string
	Effect    string
	Principal *principal
	Action    oneOrMany[string]
	Resource  oneOrMany[string]
	Condition map[string]map[string]oneOrMany[scalar]
}

// principal is {"AWS": ..., "Service": ...}, or "*" for anyone.
type principal struct {
	Anyone  bool
	AWS     oneOrMany[scalar] // an account id may be written as a number
	Service oneOrMany[string]
}

func (p *principal) UnmarshalJSON(text []byte) error {
	var anyone string
	if json.Unmarshal(text, &anyone) == nil {
		if anyone != "*" {
			return fmt.Errorf(`the Principal is %q; it must be "*", or an object with AWS or Service`, anyone)
		}
		p.Anyone = true
		return nil
	}
	var fields struct {
		AWS     oneOrMany[scalar]
		Service oneOrMany[string]
	}
	if err := strict(text, &fields); err != nil {
		return fmt.Errorf("in Principal, %w", err)
	}
	*p = principal{AWS: fields.AWS, Service: fields.Service}
	return nil
}

// oneOrMany is a value or a list of them.
type oneOrMany[T any] []T

func (l *oneOrMany[T]) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		var many []json.RawMessage
		if err := json.Unmarshal(text, &many); err != nil {
			return err
		}
		*l = make(oneOrMany[T], len(many))
		for n := range many {
			if err := strict(many[n], &(*l)[n]); err != nil {
				return err
			}
		}
		return nil
	}
	*l = make(oneOrMany[T], 1)
	return strict(text, &(*l)[0])
}

// scalar is a text, a number or a truth value, kept as text.
type scalar string

func (s *scalar) UnmarshalJSON(text []byte) error {
	var value any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return err
	}
	switch value.(type) {
	case string, json.Number, bool:
		*s = scalar(fmt.Sprint(value))
		return nil
	default:
		return fmt.Errorf("%.40s is not a text", text)
	}
}

// strict decodes text into v and refuses unknown members, null and anything after the value.
func strict(text []byte, v any) error {
	if string(text) == "null" {
		return errors.New("null is not allowed")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text after the end")
	}
	return nil
}

func parsePolicy(text string) (document, error) {
	var d document
	if len(text) > MaxPolicy {
		return d, invalidPolicy("it has %d bytes; at most %d are allowed", len(text), MaxPolicy)
	}
	if err := strict([]byte(text), &d); err != nil {
		return d, invalidPolicy("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if d.Version != "" && d.Version != "2012-10-17" && d.Version != "2008-10-17" {
		return d, invalidPolicy("the Version %q is unknown; use 2012-10-17", d.Version)
	}
	if len(d.Statement) == 0 {
		return d, invalidPolicy("it has no Statement; give at least one")
	}
	for n, st := range d.Statement {
		if err := st.check(); err != nil {
			return d, invalidPolicy("in statement %d, %v", n+1, err)
		}
	}
	return d, nil
}

func invalidPolicy(format string, args ...any) error {
	return fault.New(fault.Invalid, SubjectPolicy, "the policy is not valid: "+format, args...)
}

func (st *statement) check() error {
	if st.Effect != "Allow" && st.Effect != "Deny" {
		return fmt.Errorf("the Effect is %q; it must be Allow or Deny", st.Effect)
	}
	if p := st.Principal; p == nil || !p.Anyone && len(p.AWS) == 0 && len(p.Service) == 0 {
		return errors.New("there is no Principal; name an AWS principal, or the Service redshift.amazonaws.com")
	}
	if len(st.Action) == 0 {
		return fmt.Errorf("there is no Action; it must be %s or %s", ActionAuthorizeInbound, ActionCreateInbound)
	}
	for _, a := range st.Action {
		if !slices.ContainsFunc([]string{ActionAuthorizeInbound, ActionCreateInbound, ActionAll}, func(known string) bool { return strings.EqualFold(a, known) }) {
			return fmt.Errorf("the Action %q cannot be allowed on a namespace; use %s, %s or %s", a, ActionAuthorizeInbound, ActionCreateInbound, ActionAll)
		}
	}
	for name, keys := range st.Condition {
		if _, _, ok := operator(name); !ok {
			return fmt.Errorf("the condition operator %q is not supported; use StringEquals, StringLike, ArnEquals, ArnLike or one of their negations", name)
		}
		for key, values := range keys {
			if len(values) == 0 {
				return fmt.Errorf("the condition %s on %s has no values", name, key)
			}
		}
	}
	return nil
}
