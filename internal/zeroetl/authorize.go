package zeroetl

import (
	"context"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
)

// serviceName is the principal that reads a source on behalf of an integration.
const serviceName = "redshift.amazonaws.com"

// Authorized returns nil when the policy of i's namespace lets i's source and i's owner in, and a fault of
// kind Denied about SubjectPolicy that says which statement is missing when it does not. Outside strict mode
// it is always nil. supervise asks it too, since a policy may change while an integration lives.
func (s *Service) Authorized(ctx context.Context, i Integration) error {
	if !s.strict {
		return nil
	}
	owner, err := arn.Parse(i.Owner)
	if err != nil {
		return fault.Wrap(err, fault.Internal, SubjectIntegration, "the integration %s has the owner %q", i.ARN, i.Owner)
	}
	p, err := s.policies.PolicyGet(ctx, i.WarehouseID)
	if err != nil && !fault.Is(err, fault.NotFound, SubjectPolicy) {
		return err
	}
	var d document // without a policy, one that allows nothing
	if err == nil {
		if d, err = parsePolicy(p.Text); err != nil {
			return err
		}
	}
	resources := []string{i.TargetARN, p.ResourceARN}
	source := request{
		action: ActionAuthorizeInbound, service: serviceName, resources: resources,
		keys: map[string]string{"aws:sourcearn": i.SourceARN, "aws:sourceaccount": owner.Account},
	}
	if !d.allows(source) {
		return fault.New(fault.Denied, SubjectPolicy,
			"the resource policy of %s does not let the source %s in; put a statement that allows the service %s the action %s on the condition StringEquals aws:SourceArn = %s",
			i.TargetARN, i.SourceARN, serviceName, ActionAuthorizeInbound, i.SourceARN)
	}
	caller := request{
		action: ActionCreateInbound, principal: i.Owner, account: owner.Account, resources: resources,
		keys: map[string]string{"aws:principalarn": i.Owner, "aws:principalaccount": owner.Account},
	}
	if !d.allows(caller) {
		return fault.New(fault.Denied, SubjectPolicy,
			"the resource policy of %s does not let %s create integrations; put a statement that allows this principal the action %s",
			i.TargetARN, i.Owner, ActionCreateInbound)
	}
	return nil
}

// request is what a policy is asked about. A principal is either a service or an ARN with its account.
type request struct {
	action             string
	service            string
	principal, account string
	resources          []string          // the namespace, in the forms it goes by
	keys               map[string]string // condition keys in lower case
}

// allows reports whether a statement allows r and none denies it.
func (d *document) allows(r request) bool {
	allowed := false
	for _, st := range d.Statement {
		if !st.applies(r) {
			continue
		}
		if st.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func (st *statement) applies(r request) bool {
	return st.Principal.includes(r) &&
		slices.ContainsFunc(st.Action, func(a string) bool { return strings.EqualFold(a, r.action) || strings.EqualFold(a, ActionAll) }) &&
		(len(st.Resource) == 0 || slices.ContainsFunc(st.Resource, func(pattern string) bool {
			return slices.ContainsFunc(r.resources, func(name string) bool { return glob(pattern, name) })
		})) &&
		st.conditionsHold(r.keys)
}

func (p *principal) includes(r request) bool {
	if p.Anyone {
		return true
	}
	if r.service != "" {
		return slices.ContainsFunc(p.Service, func(s string) bool { return s == r.service || s == "*" })
	}
	return slices.ContainsFunc(p.AWS, func(s scalar) bool {
		if s == "*" || string(s) == r.principal || string(s) == r.account {
			return true
		}
		// The root ARN of an account stands for everyone in it.
		a, err := arn.Parse(string(s))
		return err == nil && a.Service == "iam" && a.Account == r.account && a.Resource == "root"
	})
}

func (st *statement) conditionsHold(keys map[string]string) bool {
	for name, wanted := range st.Condition {
		match, negated, _ := operator(name)
		for key, values := range wanted {
			actual, present := keys[strings.ToLower(key)]
			switch {
			case !present && (negated || strings.HasSuffix(strings.ToLower(name), ifExists)):
			case !present:
				return false
			case slices.ContainsFunc(values, func(v scalar) bool { return match(string(v), actual) }) == negated:
				return false
			}
		}
	}
	return true
}

const ifExists = "ifexists"

// operator returns the comparison of a condition operator, and whether it must not hold.
func operator(name string) (match func(pattern, value string) bool, negated, ok bool) {
	switch strings.TrimSuffix(strings.ToLower(name), ifExists) {
	case "stringequals":
		return equal, false, true
	case "stringnotequals":
		return equal, true, true
	case "stringequalsignorecase":
		return strings.EqualFold, false, true
	case "stringnotequalsignorecase":
		return strings.EqualFold, true, true
	case "stringlike":
		return glob, false, true
	case "stringnotlike":
		return glob, true, true
	case "arnequals", "arnlike":
		return arnLike, false, true
	case "arnnotequals", "arnnotlike":
		return arnLike, true, true
	default:
		return nil, false, false
	}
}

func equal(a, b string) bool { return a == b }

// arnLike compares the six parts of an ARN one by one, so that a * does not reach over a colon of the first five.
func arnLike(pattern, value string) bool {
	p, v := strings.SplitN(pattern, ":", 6), strings.SplitN(value, ":", 6)
	if len(p) != len(v) {
		return false
	}
	for n := range p {
		if !glob(p[n], v[n]) {
			return false
		}
	}
	return true
}

// glob matches * against any text and ? against one character.
func glob(pattern, value string) bool {
	p, v := []rune(pattern), []rune(value)
	star, mark := -1, 0 // the last *, and how far it has reached
	n, m := 0, 0
	for m < len(v) {
		switch {
		case n < len(p) && p[n] == '*':
			star, mark = n, m
			n++
		case n < len(p) && (p[n] == '?' || p[n] == v[m]):
			n, m = n+1, m+1
		case star >= 0:
			mark++
			n, m = star+1, mark
		default:
			return false
		}
	}
	for n < len(p) && p[n] == '*' {
		n++
	}
	return n == len(p)
}
