package storetest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
)

// ActionMemory implements every Store interface of package action the way Memory does those of the others.
type ActionMemory struct {
	*Memory

	connectors map[string]action.Connector
	vpcs       map[string]action.VPCConnection
	grants     map[grantKey]action.Grant
	signIns    map[grantKey]action.SignIn
	documents  map[string]action.Document
	claims     map[claimKey]action.Claim
	approvals  map[string]action.Approval
	records    map[string]action.Record
}

type grantKey struct{ connector, user string }

type claimKey struct{ scope, key string }

// NewActionMemory returns an empty ActionMemory.
func NewActionMemory() *ActionMemory {
	return &ActionMemory{
		Memory: NewMemory(), connectors: map[string]action.Connector{}, vpcs: map[string]action.VPCConnection{},
		grants: map[grantKey]action.Grant{}, signIns: map[grantKey]action.SignIn{}, documents: map[string]action.Document{},
		claims: map[claimKey]action.Claim{}, approvals: map[string]action.Approval{}, records: map[string]action.Record{},
	}
}

// Stores returns m as the stores of a Service.
func (m *ActionMemory) Stores() action.Stores {
	return action.Stores{Connectors: m, VPCs: m, Grants: m, SignIns: m, Documents: m, Calls: m, Records: m, Approvals: m}
}

// paged returns up to limit values of m in the order of their keys above after that keep takes.
func paged[V any](m map[string]V, after string, limit int, keep func(*V) bool) []V {
	var keys []string
	for k, v := range m {
		if k > after && keep(&v) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var out []V
	for _, k := range keys[:min(limit, len(keys))] {
		out = append(out, m[k])
	}
	return out
}

func (m *ActionMemory) nameTaken(c *action.Connector) error {
	for _, o := range m.connectors {
		if o.Name == c.Name && o.ID != c.ID {
			return taken(action.SubjectName, c.Name)
		}
	}
	return nil
}

// ConnectorCreate implements action.Store.
func (m *ActionMemory) ConnectorCreate(ctx context.Context, c action.Connector) error {
	return m.do(ctx, func() error {
		if _, ok := m.connectors[c.ID]; ok {
			return taken(action.SubjectConnector, c.ID)
		}
		if err := m.nameTaken(&c); err != nil {
			return err
		}
		m.connectors[c.ID] = c
		return nil
	})
}

// ConnectorGet implements action.Store.
func (m *ActionMemory) ConnectorGet(ctx context.Context, id string) (c action.Connector, err error) {
	err = m.do(ctx, func() error {
		c, err = get(m.connectors, id, action.SubjectConnector, id)
		return err
	})
	return c, err
}

// ConnectorUpdate implements action.Store.
func (m *ActionMemory) ConnectorUpdate(ctx context.Context, id string, change func(*action.Connector) error) (c action.Connector, err error) {
	err = m.do(ctx, func() error {
		old, err := get(m.connectors, id, action.SubjectConnector, id)
		if err != nil {
			return err
		}
		next := old
		if err := change(&next); err != nil {
			return err
		}
		next.ID, next.ARN, next.Type, next.Created = old.ID, old.ARN, old.Type, old.Created
		if err := m.nameTaken(&next); err != nil {
			return err
		}
		m.connectors[id], c = next, next
		return nil
	})
	return c, err
}

// ConnectorDelete implements action.Store.
func (m *ActionMemory) ConnectorDelete(ctx context.Context, id string) error {
	return m.do(ctx, func() error {
		if _, err := get(m.connectors, id, action.SubjectConnector, id); err != nil {
			return err
		}
		delete(m.connectors, id)
		delete(m.documents, id)
		for k := range m.grants {
			if k.connector == id {
				delete(m.grants, k)
			}
		}
		for k := range m.signIns {
			if k.connector == id {
				delete(m.signIns, k)
			}
		}
		return nil
	})
}

// ConnectorPage implements action.Store.
func (m *ActionMemory) ConnectorPage(ctx context.Context, f action.Filter, after string, limit int) (list []action.Connector, err error) {
	matches := func(text string) bool {
		if f.Like {
			return strings.Contains(strings.ToLower(text), strings.ToLower(f.Value))
		}
		return text == f.Value
	}
	err = m.do(ctx, func() error {
		list = paged(m.connectors, after, limit, func(c *action.Connector) bool {
			var owns, others, sees bool
			for _, p := range c.Permissions {
				if p.Principal == f.Value {
					owns, sees = p.Owner(), true
				} else if p.Owner() {
					others = true
				}
			}
			switch f.By {
			case action.ByName:
				return matches(c.Name)
			case action.ByType:
				return matches(string(c.Type))
			case action.ByViewer:
				return sees
			case action.ByOwner:
				return owns
			case action.BySoleOwner:
				return owns && !others
			case action.ByProgress:
				return c.Status.InProgress()
			default:
				return true
			}
		})
		return nil
	})
	return list, err
}

// VPCCreate implements action.VPCStore.
func (m *ActionMemory) VPCCreate(ctx context.Context, v action.VPCConnection, max int) error {
	return m.do(ctx, func() error {
		if _, ok := m.vpcs[v.ID]; ok {
			return taken(action.SubjectVPC, v.ID)
		}
		if len(m.vpcs) >= max {
			return fault.New(fault.Limit, action.SubjectVPC, "there are too many VPC connections")
		}
		m.vpcs[v.ID] = v
		return nil
	})
}

// VPCGet implements action.VPCStore.
func (m *ActionMemory) VPCGet(ctx context.Context, id string) (v action.VPCConnection, err error) {
	err = m.do(ctx, func() error {
		v, err = get(m.vpcs, id, action.SubjectVPC, id)
		return err
	})
	return v, err
}

// VPCUpdate implements action.VPCStore.
func (m *ActionMemory) VPCUpdate(ctx context.Context, id string, change func(*action.VPCConnection) error) (v action.VPCConnection, err error) {
	err = m.do(ctx, func() error {
		v, err = update(m.vpcs, id, action.SubjectVPC, id, change, func(next, old *action.VPCConnection) {
			next.ID, next.ARN, next.Created = old.ID, old.ARN, old.Created
		})
		return err
	})
	return v, err
}

// VPCDelete implements action.VPCStore.
func (m *ActionMemory) VPCDelete(ctx context.Context, id string) error {
	return m.do(ctx, func() error {
		v, err := get(m.vpcs, id, action.SubjectVPC, id)
		if err != nil {
			return err
		}
		for _, c := range m.connectors {
			if c.VPCConnectionARN == v.ARN {
				return fault.New(fault.State, action.SubjectVPCInUse, "a connector uses it")
			}
		}
		delete(m.vpcs, id)
		return nil
	})
}

// VPCPage implements action.VPCStore.
func (m *ActionMemory) VPCPage(ctx context.Context, after string, limit int) (list []action.VPCConnection, err error) {
	err = m.do(ctx, func() error {
		list = paged(m.vpcs, after, limit, func(*action.VPCConnection) bool { return true })
		return nil
	})
	return list, err
}

// GrantGet implements action.GrantStore.
func (m *ActionMemory) GrantGet(ctx context.Context, connectorID, user string) (g action.Grant, err error) {
	err = m.do(ctx, func() error {
		g, err = get(m.grants, grantKey{connectorID, user}, action.SubjectGrant, connectorID)
		return err
	})
	return g, err
}

// GrantUpdate implements action.GrantStore.
func (m *ActionMemory) GrantUpdate(ctx context.Context, connectorID, user string, change func(*action.Grant) error) (g action.Grant, err error) {
	err = m.do(ctx, func() error {
		if _, err := get(m.connectors, connectorID, action.SubjectConnector, connectorID); err != nil {
			return err
		}
		next := m.grants[grantKey{connectorID, user}]
		next.ConnectorID, next.User = connectorID, user
		if err := change(&next); err != nil {
			return err
		}
		next.ConnectorID, next.User = connectorID, user
		m.grants[grantKey{connectorID, user}], g = next, next
		return nil
	})
	return g, err
}

// GrantDelete implements action.GrantStore.
func (m *ActionMemory) GrantDelete(ctx context.Context, connectorID, user string) error {
	return m.do(ctx, func() error {
		key := grantKey{connectorID, user}
		if _, err := get(m.grants, key, action.SubjectGrant, connectorID); err != nil {
			return err
		}
		delete(m.grants, key)
		delete(m.signIns, key)
		return nil
	})
}

// GrantPage implements action.GrantStore.
func (m *ActionMemory) GrantPage(ctx context.Context, connectorID, after string, limit int) (list []action.Grant, err error) {
	err = m.do(ctx, func() error {
		for k, g := range m.grants {
			if k.connector == connectorID && (after == "" || k.user > after) {
				list = append(list, g)
			}
		}
		slices.SortFunc(list, func(a, b action.Grant) int { return cmp.Compare(a.User, b.User) })
		list = list[:min(limit, len(list))]
		return nil
	})
	return list, err
}

// GrantsIdle implements action.GrantStore.
func (m *ActionMemory) GrantsIdle(ctx context.Context, before time.Time, limit int) (list []action.Grant, err error) {
	err = m.do(ctx, func() error {
		for _, g := range m.grants {
			if g.State == action.GrantActive && g.Updated.Before(before) {
				list = append(list, g)
			}
		}
		slices.SortFunc(list, func(a, b action.Grant) int { return cmp.Or(a.Updated.Compare(b.Updated), cmp.Compare(a.ID, b.ID)) })
		list = list[:min(limit, len(list))]
		return nil
	})
	return list, err
}

// SignInPut implements action.SignInStore.
func (m *ActionMemory) SignInPut(ctx context.Context, s action.SignIn) error {
	return m.do(ctx, func() error {
		if _, err := get(m.connectors, s.ConnectorID, action.SubjectConnector, s.ConnectorID); err != nil {
			return err
		}
		for k, o := range m.signIns {
			if !o.Expires.After(s.Created) {
				delete(m.signIns, k)
			}
		}
		m.signIns[grantKey{s.ConnectorID, s.User}] = s
		return nil
	})
}

// SignInGet implements action.SignInStore.
func (m *ActionMemory) SignInGet(ctx context.Context, connectorID, user string) (s action.SignIn, err error) {
	err = m.do(ctx, func() error {
		s, err = get(m.signIns, grantKey{connectorID, user}, action.SubjectSignIn, connectorID)
		return err
	})
	return s, err
}

// SignInTake implements action.SignInStore.
func (m *ActionMemory) SignInTake(ctx context.Context, digest string) (s action.SignIn, err error) {
	err = m.do(ctx, func() error {
		for k, o := range m.signIns {
			if o.Digest == digest {
				s = o
				delete(m.signIns, k)
				return nil
			}
		}
		return missing(action.SubjectSignIn, digest)
	})
	return s, err
}

// DocumentPut implements action.DocumentStore.
func (m *ActionMemory) DocumentPut(ctx context.Context, d action.Document) error {
	return m.do(ctx, func() error {
		if _, err := get(m.connectors, d.ConnectorID, action.SubjectConnector, d.ConnectorID); err != nil {
			return err
		}
		m.documents[d.ConnectorID] = d
		return nil
	})
}

// DocumentGet implements action.DocumentStore.
func (m *ActionMemory) DocumentGet(ctx context.Context, connectorID string) (d action.Document, err error) {
	err = m.do(ctx, func() error {
		d, err = get(m.documents, connectorID, action.SubjectDocument, connectorID)
		return err
	})
	return d, err
}

// DocumentDelete implements action.DocumentStore.
func (m *ActionMemory) DocumentDelete(ctx context.Context, connectorID string) error {
	return m.do(ctx, func() error {
		_, err := remove(m.documents, connectorID, action.SubjectDocument, connectorID)
		return err
	})
}

// CallBegin implements action.CallStore.
func (m *ActionMemory) CallBegin(ctx context.Context, c *action.Claim, r action.Record) (claim action.Claim, begun bool, err error) {
	err = m.do(ctx, func() error {
		begun = true
		if c != nil {
			key := claimKey{c.Scope, c.Key}
			if old, ok := m.claims[key]; ok && old.Expires.After(c.Created) {
				claim, begun = old, false
				return nil
			}
			m.claims[key], claim = *c, *c
		}
		m.records[r.ID] = r
		return nil
	})
	return claim, begun, err
}

// CallEnd implements action.CallStore.
func (m *ActionMemory) CallEnd(ctx context.Context, c *action.Claim, r action.Record) error {
	return m.do(ctx, func() error {
		m.records[r.ID] = r
		if c != nil && m.claims[claimKey{c.Scope, c.Key}].CallID == c.CallID {
			m.claims[claimKey{c.Scope, c.Key}] = *c
		}
		return nil
	})
}

// CallCancel implements action.CallStore.
func (m *ActionMemory) CallCancel(ctx context.Context, c *action.Claim, r action.Record) error {
	return m.do(ctx, func() error {
		m.records[r.ID] = r
		if c != nil && m.claims[claimKey{c.Scope, c.Key}].CallID == c.CallID {
			delete(m.claims, claimKey{c.Scope, c.Key})
		}
		return nil
	})
}

// CallsInterrupt implements action.CallStore.
func (m *ActionMemory) CallsInterrupt(ctx context.Context, now time.Time) (count int, err error) {
	err = m.do(ctx, func() error {
		for k, c := range m.claims {
			if c.State == action.ClaimRunning {
				c.State = action.ClaimInterrupted
				m.claims[k] = c
			}
		}
		for k, a := range m.approvals {
			if a.State == action.ApprovalApproved {
				a.State, a.Reason = action.ApprovalInterrupted, "the server stopped while the call was under way"
				m.approvals[k] = a
			}
		}
		for k, r := range m.records {
			if r.Outcome == action.OutcomeStarted && !r.Time.After(now) {
				r.Outcome = action.OutcomeInterrupted
				m.records[k] = r
				count++
			}
		}
		return nil
	})
	return count, err
}

// CallsExpire implements action.CallStore.
func (m *ActionMemory) CallsExpire(ctx context.Context, now, before time.Time) error {
	return m.do(ctx, func() error {
		for k, c := range m.claims {
			if !c.Expires.After(now) {
				delete(m.claims, k)
			}
		}
		for k, a := range m.approvals {
			if a.State == action.ApprovalPending && !a.Expires.After(now) {
				a.State = action.ApprovalExpired
				m.approvals[k] = a
			}
			if a.State != action.ApprovalPending && a.State != action.ApprovalApproved && a.Created.Before(before) {
				delete(m.approvals, k)
			}
		}
		for k, r := range m.records {
			if r.Time.Before(before) {
				delete(m.records, k)
			}
		}
		return nil
	})
}

// RecordsPut implements action.RecordStore.
func (m *ActionMemory) RecordsPut(ctx context.Context, records []action.Record) error {
	return m.do(ctx, func() error {
		for _, r := range records {
			m.records[r.ID] = r
		}
		return nil
	})
}

// RecordPage implements action.RecordStore.
func (m *ActionMemory) RecordPage(ctx context.Context, connectorID string, after action.RecordKey, limit int) (list []action.Record, err error) {
	order := func(a, b action.RecordKey) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID)) }
	key := func(r *action.Record) action.RecordKey { return action.RecordKey{Time: r.Time, ID: r.ID} }
	err = m.do(ctx, func() error {
		for _, r := range m.records {
			if (connectorID == "" || r.ConnectorID == connectorID) && (after == action.RecordKey{} || order(after, key(&r)) < 0) {
				list = append(list, r)
			}
		}
		slices.SortFunc(list, func(a, b action.Record) int { return order(key(&a), key(&b)) })
		list = list[:min(limit, len(list))]
		return nil
	})
	return list, err
}

// ApprovalCreate implements action.ApprovalStore.
func (m *ActionMemory) ApprovalCreate(ctx context.Context, a action.Approval) error {
	return m.do(ctx, func() error {
		if _, ok := m.approvals[a.ID]; ok {
			return taken(action.SubjectApproval, a.ID)
		}
		m.approvals[a.ID] = a
		return nil
	})
}

// ApprovalGet implements action.ApprovalStore.
func (m *ActionMemory) ApprovalGet(ctx context.Context, id string) (a action.Approval, err error) {
	err = m.do(ctx, func() error {
		a, err = get(m.approvals, id, action.SubjectApproval, id)
		return err
	})
	return a, err
}

// ApprovalUpdate implements action.ApprovalStore.
func (m *ActionMemory) ApprovalUpdate(ctx context.Context, id string, change func(*action.Approval) error) (a action.Approval, err error) {
	err = m.do(ctx, func() error {
		a, err = update(m.approvals, id, action.SubjectApproval, id, change, func(next, old *action.Approval) {
			next.ID, next.Created = old.ID, old.Created
		})
		return err
	})
	return a, err
}

// ApprovalPage implements action.ApprovalStore.
func (m *ActionMemory) ApprovalPage(ctx context.Context, connectorID string, state action.ApprovalState, after string, limit int) (list []action.Approval, err error) {
	err = m.do(ctx, func() error {
		list = paged(m.approvals, after, limit, func(a *action.Approval) bool {
			return (connectorID == "" || a.ConnectorID == connectorID) && (state == "" || a.State == state)
		})
		return nil
	})
	return list, err
}
