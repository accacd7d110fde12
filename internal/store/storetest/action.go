package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
)

// ConnectorStore is the stores of package action that are about connectors and their grants.
type ConnectorStore interface {
	action.Store
	action.VPCStore
	action.GrantStore
	action.SignInStore
	action.DocumentStore
}

func connector(n int) action.Connector {
	return action.Connector{
		ID: fmt.Sprintf("c-%03d", n), ARN: fmt.Sprintf("arn:c-%03d", n), Name: fmt.Sprintf("Name %d", n), Type: "SLACK", Status: action.CreationSuccessful,
		Created: at(n), Updated: at(n),
	}
}

func connectorIDs(list []action.Connector) []string {
	var ids []string
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return ids
}

// Connectors tests the stores of connectors, VPC connections, grants, sign-ins and documents.
func Connectors(t *testing.T, open Open[ConnectorStore]) {
	const subject = action.SubjectConnector
	t.Run("every field survives a restart", func(t *testing.T) {
		a, b := Full[action.Connector](0), Full[action.Connector](1000)
		b.Permissions, b.Tags, b.EnabledActions, b.Secret = nil, nil, nil, nil
		v, g, in, d := Full[action.VPCConnection](2000), Full[action.Grant](3000), Full[action.SignIn](4000), Full[action.Document](5000)
		g.ConnectorID, in.ConnectorID, d.ConnectorID = a.ID, a.ID, a.ID
		s := reopened(t, open, func(s ConnectorStore) {
			must(t, s.ConnectorCreate(t.Context(), a))
			must(t, s.ConnectorCreate(t.Context(), b))
			must(t, s.VPCCreate(t.Context(), v, 9))
			_, err := s.GrantUpdate(t.Context(), g.ConnectorID, g.User, func(stored *action.Grant) error { *stored = g; return nil })
			must(t, err)
			must(t, s.SignInPut(t.Context(), in))
			must(t, s.DocumentPut(t.Context(), d))
		})
		for _, want := range []action.Connector{a, b} {
			got, err := s.ConnectorGet(t.Context(), want.ID)
			must(t, err)
			same(t, got, want)
		}
		gotV, err := s.VPCGet(t.Context(), v.ID)
		must(t, err)
		same(t, gotV, v)
		gotG, err := s.GrantGet(t.Context(), g.ConnectorID, g.User)
		must(t, err)
		same(t, gotG, g)
		gotIn, err := s.SignInGet(t.Context(), in.ConnectorID, in.User)
		must(t, err)
		same(t, gotIn, in)
		gotD, err := s.DocumentGet(t.Context(), d.ConnectorID)
		must(t, err)
		same(t, gotD, d)
	})
	t.Run("ids and names are taken once", func(t *testing.T) {
		s := fresh(t, open)
		must(t, s.ConnectorCreate(t.Context(), connector(1)))
		wants(t, s.ConnectorCreate(t.Context(), connector(1)), fault.AlreadyExists, subject)
		twin := connector(2)
		twin.Name = connector(1).Name
		wants(t, s.ConnectorCreate(t.Context(), twin), fault.AlreadyExists, action.SubjectName)
		must(t, s.ConnectorCreate(t.Context(), connector(2)))
		_, err := s.ConnectorUpdate(t.Context(), "c-002", func(c *action.Connector) error { c.Name = connector(1).Name; return nil })
		wants(t, err, fault.AlreadyExists, action.SubjectName)
		oneWins(t, together(8, func(n int) error {
			c := connector(10 + n)
			c.Name = "one name"
			return s.ConnectorCreate(t.Context(), c)
		}), fault.AlreadyExists)
	})
	t.Run("update", func(t *testing.T) {
		s := fresh(t, open)
		must(t, s.ConnectorCreate(t.Context(), connector(1)))
		got, err := s.ConnectorUpdate(t.Context(), "c-001", func(c *action.Connector) error {
			c.Name, c.Description, c.Permissions = "New", "d", []action.Permission{{Principal: "p", Actions: []string{"a"}}}
			c.ID, c.ARN, c.Type, c.Created = "x", "x", "x", at(99)
			return nil
		})
		must(t, err)
		want := connector(1)
		want.Name, want.Description, want.Permissions = "New", "d", []action.Permission{{Principal: "p", Actions: []string{"a"}}}
		same(t, got, want)
		got, err = s.ConnectorGet(t.Context(), "c-001")
		must(t, err)
		same(t, got, want)
		_, err = s.ConnectorUpdate(t.Context(), "c-001", func(c *action.Connector) error { c.Name = "lost"; return errRefused })
		if !errors.Is(err, errRefused) {
			t.Errorf("err = %v", err)
		}
		got, err = s.ConnectorGet(t.Context(), "c-001")
		must(t, err)
		same(t, got, want)
		_, err = s.ConnectorUpdate(t.Context(), "c-009", func(*action.Connector) error { return nil })
		wants(t, err, fault.NotFound, subject)
		for _, err := range together(8, func(int) error {
			for range 20 {
				if _, err := s.ConnectorUpdate(t.Context(), "c-001", func(c *action.Connector) error { c.Revision++; return nil }); err != nil {
					return err
				}
			}
			return nil
		}) {
			must(t, err)
		}
		if got, _ = s.ConnectorGet(t.Context(), "c-001"); got.Revision != 160 {
			t.Errorf("%d of 160 updates are there", got.Revision)
		}
	})
	t.Run("delete takes everything along", func(t *testing.T) {
		s := fresh(t, open)
		wants(t, s.ConnectorDelete(t.Context(), "c-001"), fault.NotFound, subject)
		must(t, s.ConnectorCreate(t.Context(), connector(1)))
		put := func() {
			_, err := s.GrantUpdate(t.Context(), "c-001", "u", func(g *action.Grant) error { g.ID = "g"; return nil })
			must(t, err)
			must(t, s.SignInPut(t.Context(), action.SignIn{ConnectorID: "c-001", User: "u", Digest: "d", Expires: at(100)}))
			must(t, s.DocumentPut(t.Context(), action.Document{ConnectorID: "c-001", Content: []byte("{}")}))
		}
		put()
		must(t, s.ConnectorDelete(t.Context(), "c-001"))
		_, err := s.ConnectorGet(t.Context(), "c-001")
		wants(t, err, fault.NotFound, subject)
		must(t, s.ConnectorCreate(t.Context(), connector(1))) // the id and the name are free
		_, err = s.GrantGet(t.Context(), "c-001", "u")
		wants(t, err, fault.NotFound, action.SubjectGrant)
		_, err = s.SignInTake(t.Context(), "d")
		wants(t, err, fault.NotFound, action.SubjectSignIn)
		_, err = s.DocumentGet(t.Context(), "c-001")
		wants(t, err, fault.NotFound, action.SubjectDocument)
		put()
	})
	t.Run("pages and filters", func(t *testing.T) { connectorPages(t, fresh(t, open)) })
	t.Run("VPC connections", func(t *testing.T) { vpcConnections(t, fresh(t, open)) })
	t.Run("grants", func(t *testing.T) { grants(t, fresh(t, open)) })
	t.Run("sign-ins", func(t *testing.T) { signIns(t, fresh(t, open)) })
	t.Run("documents", func(t *testing.T) {
		s := fresh(t, open)
		d := action.Document{ConnectorID: "c-001", Content: []byte("{}"), Updated: at(1)}
		wants(t, s.DocumentPut(t.Context(), d), fault.NotFound, subject)
		must(t, s.ConnectorCreate(t.Context(), connector(1)))
		must(t, s.DocumentPut(t.Context(), d))
		d.Content = []byte("[]")
		must(t, s.DocumentPut(t.Context(), d))
		got, err := s.DocumentGet(t.Context(), "c-001")
		must(t, err)
		same(t, got, d)
		must(t, s.DocumentDelete(t.Context(), "c-001"))
		wants(t, s.DocumentDelete(t.Context(), "c-001"), fault.NotFound, action.SubjectDocument)
	})
	calls(t, open, map[string]func(context.Context, ConnectorStore) error{
		"create": func(ctx context.Context, s ConnectorStore) error { return s.ConnectorCreate(ctx, connector(1)) },
		"get":    func(ctx context.Context, s ConnectorStore) error { _, err := s.ConnectorGet(ctx, "c-001"); return err },
		"page": func(ctx context.Context, s ConnectorStore) error {
			_, err := s.ConnectorPage(ctx, action.Filter{}, "", 9)
			return err
		},
		"vpc": func(ctx context.Context, s ConnectorStore) error {
			return s.VPCCreate(ctx, action.VPCConnection{ID: "v"}, 9)
		},
		"grant": func(ctx context.Context, s ConnectorStore) error {
			_, err := s.GrantUpdate(ctx, "c-001", "", func(*action.Grant) error { return nil })
			return err
		},
		"sign-in": func(ctx context.Context, s ConnectorStore) error { _, err := s.SignInTake(ctx, "d"); return err },
	}, func(t *testing.T, s ConnectorStore) {
		if list, err := s.ConnectorPage(t.Context(), action.Filter{}, "", 9); err != nil || len(list) != 0 {
			t.Errorf("the store holds %v, %v", list, err)
		}
	})
}

func connectorPages(t *testing.T, s ConnectorStore) {
	owner := []string{action.MayDelete, action.MayDescribe}
	viewer := []string{action.MayDescribe}
	for n := range 5 {
		c := connector(n)
		switch n {
		case 0:
			c.Name, c.Type = "Jira 100%", "JIRA_CLOUD"
			c.Permissions = []action.Permission{{Principal: "alice", Actions: owner}}
		case 1:
			c.Name, c.Status = "jira_dev", action.UpdateInProgress
			c.Permissions = []action.Permission{{Principal: "alice", Actions: owner}, {Principal: "bob", Actions: owner}}
		case 2:
			c.Status = action.CreationInProgress
			c.Permissions = []action.Permission{{Principal: "alice", Actions: viewer}, {Principal: "bob", Actions: owner}}
		}
		must(t, s.ConnectorCreate(t.Context(), c))
	}
	for _, tc := range []struct {
		name string
		f    action.Filter
		want []string
	}{
		{"all", action.Filter{}, []string{"c-000", "c-001", "c-002", "c-003", "c-004"}},
		{"a name", action.Filter{By: action.ByName, Value: "jira_dev"}, []string{"c-001"}},
		{"a name in other letters", action.Filter{By: action.ByName, Value: "JIRA_dev"}, nil},
		{"part of a name", action.Filter{By: action.ByName, Like: true, Value: "JIRA"}, []string{"c-000", "c-001"}},
		{"a percent sign is one", action.Filter{By: action.ByName, Like: true, Value: "%"}, []string{"c-000"}},
		{"an underscore is one", action.Filter{By: action.ByName, Like: true, Value: "_"}, []string{"c-001"}},
		{"a type", action.Filter{By: action.ByType, Value: "JIRA_CLOUD"}, []string{"c-000"}},
		{"part of a type", action.Filter{By: action.ByType, Like: true, Value: "slac"}, []string{"c-001", "c-002", "c-003", "c-004"}},
		{"owned", action.Filter{By: action.ByOwner, Value: "alice"}, []string{"c-000", "c-001"}},
		{"owned alone", action.Filter{By: action.BySoleOwner, Value: "alice"}, []string{"c-000"}},
		{"owned alone, with viewers", action.Filter{By: action.BySoleOwner, Value: "bob"}, []string{"c-002"}},
		{"seen", action.Filter{By: action.ByViewer, Value: "alice"}, []string{"c-000", "c-001", "c-002"}},
		{"by nobody", action.Filter{By: action.ByViewer, Value: "carol"}, nil},
		{"in progress", action.Filter{By: action.ByProgress}, []string{"c-001", "c-002"}},
	} {
		for _, size := range []int{1, 2, 9} {
			var got []string
			for after := ""; ; {
				list, err := s.ConnectorPage(t.Context(), tc.f, after, size)
				must(t, err)
				if len(list) == 0 {
					break
				}
				if len(list) > size {
					t.Fatalf("%s: a page of %d, want at most %d", tc.name, len(list), size)
				}
				got = append(got, connectorIDs(list)...)
				after = got[len(got)-1]
			}
			if fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("%s in pages of %d: %v, want %v", tc.name, size, got, tc.want)
			}
		}
	}
	_, err := s.ConnectorUpdate(t.Context(), "c-000", func(c *action.Connector) error { c.Permissions = nil; return nil })
	must(t, err)
	list, err := s.ConnectorPage(t.Context(), action.Filter{By: action.ByOwner, Value: "alice"}, "", 9)
	must(t, err)
	same(t, connectorIDs(list), []string{"c-001"})
}

func vpcConnections(t *testing.T, s ConnectorStore) {
	vpc := func(n int) action.VPCConnection {
		return action.VPCConnection{ID: fmt.Sprintf("v-%d", n), ARN: fmt.Sprintf("arn:v-%d", n), Name: "same", Created: at(n)}
	}
	for _, n := range []int{2, 0, 1} {
		must(t, s.VPCCreate(t.Context(), vpc(n), 3))
	}
	wants(t, s.VPCCreate(t.Context(), vpc(1), 9), fault.AlreadyExists, action.SubjectVPC)
	wants(t, s.VPCCreate(t.Context(), vpc(3), 3), fault.Limit, action.SubjectVPC)
	list, err := s.VPCPage(t.Context(), "v-0", 9)
	must(t, err)
	same(t, list, []action.VPCConnection{vpc(1), vpc(2)})
	list, err = s.VPCPage(t.Context(), "", 1)
	must(t, err)
	same(t, list, []action.VPCConnection{vpc(0)})
	got, err := s.VPCUpdate(t.Context(), "v-1", func(v *action.VPCConnection) error {
		v.Name, v.ID, v.ARN, v.Created = "new", "x", "x", at(9)
		return nil
	})
	must(t, err)
	want := vpc(1)
	want.Name = "new"
	same(t, got, want)
	_, err = s.VPCUpdate(t.Context(), "v-9", func(*action.VPCConnection) error { return nil })
	wants(t, err, fault.NotFound, action.SubjectVPC)
	c := connector(1)
	c.VPCConnectionARN = "arn:v-1"
	must(t, s.ConnectorCreate(t.Context(), c))
	wants(t, s.VPCDelete(t.Context(), "v-1"), fault.State, action.SubjectVPCInUse)
	must(t, s.ConnectorDelete(t.Context(), c.ID))
	must(t, s.VPCDelete(t.Context(), "v-1"))
	wants(t, s.VPCDelete(t.Context(), "v-1"), fault.NotFound, action.SubjectVPC)
	_, err = s.VPCGet(t.Context(), "v-1")
	wants(t, err, fault.NotFound, action.SubjectVPC)
}

func grants(t *testing.T, s ConnectorStore) {
	set := func(id string) func(*action.Grant) error {
		return func(g *action.Grant) error { g.ID, g.State = id, action.GrantActive; return nil }
	}
	_, err := s.GrantUpdate(t.Context(), "c-001", "u", set("g"))
	wants(t, err, fault.NotFound, action.SubjectConnector)
	must(t, s.ConnectorCreate(t.Context(), connector(1)))
	must(t, s.ConnectorCreate(t.Context(), connector(2)))
	for n, user := range []string{"b", "", "a"} {
		_, err := s.GrantUpdate(t.Context(), "c-001", user, set(fmt.Sprint("g", n)))
		must(t, err)
	}
	_, err = s.GrantUpdate(t.Context(), "c-002", "a", set("other"))
	must(t, err)
	for n, user := range []string{"b", "", "a"} {
		_, err := s.GrantUpdate(t.Context(), "c-001", user, func(g *action.Grant) error { g.Updated = at(n); return nil })
		must(t, err)
	}
	_, err = s.GrantUpdate(t.Context(), "c-002", "a", func(g *action.Grant) error { g.Updated, g.State = at(0), action.GrantNeedsSignIn; return nil })
	must(t, err)
	for limit, want := range map[int][]string{1: {"g0"}, 9: {"g0", "g1"}} {
		idle, err := s.GrantsIdle(t.Context(), at(2), limit)
		must(t, err)
		var ids []string
		for _, g := range idle {
			ids = append(ids, g.ID)
		}
		same(t, ids, want)
	}
	var users []string
	for _, after := range []string{"", "a", "b"} {
		list, err := s.GrantPage(t.Context(), "c-001", after, 2)
		must(t, err)
		for _, g := range list {
			users = append(users, g.User)
		}
	}
	same(t, users, []string{"", "a", "b"})
	_, err = s.GrantUpdate(t.Context(), "c-001", "a", func(g *action.Grant) error { g.State = action.GrantFailed; return errRefused })
	if !errors.Is(err, errRefused) {
		t.Errorf("err = %v", err)
	}
	got, err := s.GrantUpdate(t.Context(), "c-001", "a", func(g *action.Grant) error {
		g.Reason, g.ConnectorID, g.User = "why", "x", "x"
		return nil
	})
	must(t, err)
	same(t, got, action.Grant{ConnectorID: "c-001", User: "a", ID: "g2", State: action.GrantActive, Reason: "why", Updated: at(2)})
	_, err = s.GrantUpdate(t.Context(), "c-002", "z", func(*action.Grant) error { return errRefused })
	if !errors.Is(err, errRefused) {
		t.Errorf("err = %v", err)
	}
	_, err = s.GrantGet(t.Context(), "c-002", "z")
	wants(t, err, fault.NotFound, action.SubjectGrant)
	must(t, s.SignInPut(t.Context(), action.SignIn{ConnectorID: "c-001", User: "a", Digest: "d", Expires: at(9)}))
	must(t, s.GrantDelete(t.Context(), "c-001", "a"))
	wants(t, s.GrantDelete(t.Context(), "c-001", "a"), fault.NotFound, action.SubjectGrant)
	_, err = s.SignInGet(t.Context(), "c-001", "a")
	wants(t, err, fault.NotFound, action.SubjectSignIn)
	if _, err := s.GrantGet(t.Context(), "c-001", "b"); err != nil {
		t.Errorf("another user's grant: %v", err)
	}
}

func signIns(t *testing.T, s ConnectorStore) {
	in := func(user, digest string, created int) action.SignIn {
		return action.SignIn{ConnectorID: "c-001", User: user, Digest: digest, Created: at(created), Expires: at(created + 10)}
	}
	wants(t, s.SignInPut(t.Context(), in("a", "d", 0)), fault.NotFound, action.SubjectConnector)
	must(t, s.ConnectorCreate(t.Context(), connector(1)))
	must(t, s.SignInPut(t.Context(), in("a", "d1", 0)))
	must(t, s.SignInPut(t.Context(), in("a", "d2", 1))) // replaces it
	_, err := s.SignInTake(t.Context(), "d1")
	wants(t, err, fault.NotFound, action.SubjectSignIn)
	got, err := s.SignInGet(t.Context(), "c-001", "a")
	must(t, err)
	same(t, got, in("a", "d2", 1))
	oneWins(t, together(8, func(int) error {
		got, err := s.SignInTake(t.Context(), "d2")
		if err == nil && got.User != "a" {
			return fmt.Errorf("took %+v", got)
		}
		return err
	}), fault.NotFound)
	must(t, s.SignInPut(t.Context(), in("a", "d3", 2)))
	must(t, s.SignInPut(t.Context(), in("b", "d4", 12))) // the other has ended by then
	_, err = s.SignInGet(t.Context(), "c-001", "a")
	wants(t, err, fault.NotFound, action.SubjectSignIn)
	_, err = s.SignInGet(t.Context(), "c-001", "b")
	must(t, err)
}
