package action

import (
	"context"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
)

// Names of what a principal may do. AWS documents the first six; the last two are what its samples grant for calls.
const (
	MayDescribe            = "quicksight:DescribeActionConnector"
	MayUpdate              = "quicksight:UpdateActionConnector"
	MayDelete              = "quicksight:DeleteActionConnector"
	MayDescribePermissions = "quicksight:DescribeActionConnectorPermissions"
	MayUpdatePermissions   = "quicksight:UpdateActionConnectorPermissions"
	MayList                = "quicksight:ListActionConnectors"
	MayListActions         = "quicksight:ListActionConnectorActions"
	MayInvoke              = "quicksight:InvokeActionConnector"
)

var permissions = []string{
	MayDescribe, MayUpdate, MayDelete, MayDescribePermissions, MayUpdatePermissions, MayList, MayListActions, MayInvoke,
}

// Owner reports whether p makes its principal an owner: one who may delete the connector.
func (p Permission) Owner() bool { return slices.Contains(p.Actions, MayDelete) }

// MayUse reports whether p lets its principal call actions: whoever may see a connector may use it, as viewers on AWS
// do.
func (p Permission) MayUse() bool {
	return slices.Contains(p.Actions, MayInvoke) || slices.Contains(p.Actions, MayDescribe)
}

// permission returns what a principal may do with c.
func (c *Connector) permission(principal string) Permission {
	for _, p := range c.Permissions {
		if p.Principal == principal {
			return p
		}
	}
	return Permission{Principal: principal}
}

// Permissions returns what principals may do with a connector.
func (s *Service) Permissions(ctx context.Context, caller identity.Caller, account, id string) (Connector, error) {
	return s.Get(ctx, caller, account, id)
}

// UpdatePermissions gives and takes permissions and returns the connector as it is then. A principal whose last
// permission is taken is gone; taking what was not given is no error.
func (s *Service) UpdatePermissions(ctx context.Context, caller identity.Caller, account, id string, grant, revoke []Permission) (Connector, error) {
	if err := s.home(caller, account); err != nil {
		return Connector{}, err
	}
	if len(grant) == 0 && len(revoke) == 0 {
		return Connector{}, fault.New(fault.Invalid, SubjectPermission, "nothing to change; give GrantPermissions, RevokePermissions or both")
	}
	give, err := merge(caller, nil, grant)
	if err != nil {
		return Connector{}, err
	}
	take, err := merge(caller, nil, revoke)
	if err != nil {
		return Connector{}, err
	}
	for _, g := range give {
		for _, t := range take {
			if both := shared(g.Actions, t.Actions); g.Principal == t.Principal && len(both) > 0 {
				return Connector{}, fault.New(fault.Conflict, SubjectPermission, "%s is granted and revoked %s in one call; do one or the other", g.Principal, strings.Join(both, ", "))
			}
		}
	}
	defer s.changed(id)
	return s.store.ConnectorUpdate(ctx, id, func(c *Connector) error {
		next, err := merge(caller, c.Permissions, grant)
		if err != nil {
			return err
		}
		next = without(next, take)
		if len(next) > MaxPermissions {
			return fault.New(fault.Limit, SubjectPermissions, "the connector would have %d principals; at most %d are allowed", len(next), MaxPermissions)
		}
		c.Permissions = next
		return nil
	})
}

// merge returns current with add laid over it, checked and sorted.
func merge(caller identity.Caller, current, add []Permission) ([]Permission, error) {
	out := slices.Clone(current)
	for _, p := range add {
		if err := checkPrincipal(caller, p.Principal); err != nil {
			return nil, err
		}
		for _, a := range p.Actions {
			if !slices.Contains(permissions, a) {
				return nil, fault.New(fault.Invalid, SubjectPermission, "%.80q is nothing that can be permitted for an action connector; what can be: %s", a, strings.Join(permissions, ", "))
			}
		}
		n := slices.IndexFunc(out, func(o Permission) bool { return o.Principal == p.Principal })
		if n < 0 {
			n = len(out)
			out = append(out, Permission{Principal: p.Principal})
		}
		actions := slices.Concat(out[n].Actions, p.Actions)
		slices.Sort(actions)
		out[n].Actions = slices.Compact(actions)
	}
	slices.SortFunc(out, func(a, b Permission) int { return strings.Compare(a.Principal, b.Principal) })
	return out, nil
}

// without returns current less take. Nil when nothing is left.
func without(current, take []Permission) []Permission {
	var out []Permission
	for _, p := range current {
		for _, t := range take {
			if t.Principal == p.Principal {
				p.Actions = slices.DeleteFunc(slices.Clone(p.Actions), func(a string) bool { return slices.Contains(t.Actions, a) })
			}
		}
		if len(p.Actions) > 0 {
			out = append(out, p)
		}
	}
	return out
}

func shared(a, b []string) []string {
	var both []string
	for _, x := range a {
		if slices.Contains(b, x) {
			both = append(both, x)
		}
	}
	return both
}

func checkPrincipal(caller identity.Caller, text string) error {
	a, err := arn.Parse(text)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, SubjectPermission, "the principal %s", fault.Message(err))
	}
	kind, name := a.Split()
	namespace, user, ok := strings.Cut(name, "/")
	if a.Service != "quicksight" || kind != "user" && kind != "group" || !ok || namespace == "" || user == "" {
		return fault.New(fault.Invalid, SubjectPermission, "the principal %s is neither a user nor a group of QuickSight; the form is arn:%s:quicksight:%s:%s:user/default/name", text, caller.Partition, caller.Region, caller.Account)
	}
	if a.Account != caller.Account || a.Partition != caller.Partition {
		return fault.New(fault.Invalid, SubjectPermission, "the principal %s is of another account; permissions are for users and groups of %s", text, caller.Account)
	}
	return nil
}
