package action_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/tag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	noAuth    = action.Auth{Type: action.None, BaseEndpoint: "https://api.example.com"}
	basicAuth = action.Auth{Type: action.Basic, BaseEndpoint: "https://api.example.com", Username: "u"}
)

const (
	alice = "arn:aws:quicksight:us-east-1:123456789012:user/default/alice"
	bob   = "arn:aws:quicksight:us-east-1:123456789012:user/default/bob"
	team  = "arn:aws:quicksight:us-east-1:123456789012:group/default/team"
)

// Every type takes the authentication of its set-up guide and nothing else.
func TestAuthenticationOfTypes(t *testing.T) {
	t.Parallel()
	if len(action.Types()) != 28 {
		t.Errorf("%d types, want AWS's 27 and MCP", len(action.Types()))
	}
	w := newWorld(t, func(c *action.Config) { c.Checks = action.CheckOff })
	all := []action.AuthType{action.Basic, action.APIKey, action.ClientCredentials, action.AuthorizationCode, action.None, action.IAM}
	n := 0
	for _, info := range action.Types() {
		allowed := fmt.Sprint(info.Auth)
		for _, a := range all {
			n++
			auth := action.Auth{
				Type: a, BaseEndpoint: "https://api.example.com/v1", TokenEndpoint: "https://t.example.com", AuthorizationEndpoint: "https://a.example.com",
				RedirectURL: "https://r.example.com", RoleARN: "arn:aws:iam::123456789012:role/r",
			}
			_, err := w.Create(t.Context(), caller, account, action.CreateParams{ID: fmt.Sprint("c", n), Type: info.Type, Settings: action.Settings{Name: fmt.Sprint("N", n), Auth: auth}})
			if ok := strings.Contains(allowed, string(a)); ok != (err == nil) {
				t.Errorf("%s with %s: %v", info.Type, a, err)
			} else if !ok {
				wants(t, err, fault.Invalid, action.SubjectAuth)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	base := func() action.CreateParams {
		return action.CreateParams{ID: "c", Type: action.GenericHTTP, Settings: action.Settings{Name: "N", Auth: noAuth}}
	}
	for _, tc := range []struct {
		name    string
		change  func(*action.CreateParams)
		kind    fault.Kind
		subject string
	}{
		{"reserved id", func(p *action.CreateParams) { p.ID = "quicksuite-x" }, fault.Invalid, action.SubjectConnector},
		{"unknown type", func(p *action.CreateParams) { p.Type = "FAX" }, fault.Invalid, action.SubjectConnector},
		{"no host", func(p *action.CreateParams) { p.Auth.BaseEndpoint = "https://" }, fault.Invalid, action.SubjectAuth},
		{"a port and no host", func(p *action.CreateParams) { p.Auth.BaseEndpoint = "https://:443" }, fault.Invalid, action.SubjectAuth},
		{"http", func(p *action.CreateParams) { p.Auth.BaseEndpoint = "http://a.example.com" }, fault.Invalid, action.SubjectAuth},
		{"a password in it", func(p *action.CreateParams) { p.Auth.BaseEndpoint = "https://u:p@a.example.com" }, fault.Invalid, action.SubjectAuth},
		{"a fragment", func(p *action.CreateParams) { p.Auth.BaseEndpoint = "https://a.example.com/#x" }, fault.Invalid, action.SubjectAuth},
		{"a port that cannot be", func(p *action.CreateParams) { p.Auth.BaseEndpoint = "https://a.example.com:99999" }, fault.Invalid, action.SubjectAuth},
		{"not a URL", func(p *action.CreateParams) { p.Auth.BaseEndpoint = "https://a b\x7f" }, fault.Invalid, action.SubjectAuth},
		{"no token endpoint", func(p *action.CreateParams) { p.Auth.Type = action.ClientCredentials }, fault.Invalid, action.SubjectAuth},
		{"not a role", func(p *action.CreateParams) {
			p.Type, p.Auth = "AMAZON_S3", action.Auth{Type: action.IAM, RoleARN: "arn:aws:iam::1:user/x-and-more"}
		}, fault.Invalid, action.SubjectAuth},
		{"no such VPC connection", func(p *action.CreateParams) {
			p.VPCConnectionARN = "arn:aws:quicksight:us-east-1:123456789012:vpcConnection/x"
		}, fault.Invalid, action.SubjectVPC},
		{"a principal that is none", func(p *action.CreateParams) { p.Permissions = []action.Permission{{Principal: "alice"}} }, fault.Invalid, action.SubjectPermission},
		{"a namespace", func(p *action.CreateParams) {
			p.Permissions = []action.Permission{{Principal: "arn:aws:quicksight:us-east-1:123456789012:namespace/default"}}
		}, fault.Invalid, action.SubjectPermission},
		{"another account's user", func(p *action.CreateParams) {
			p.Permissions = []action.Permission{{Principal: strings.Replace(alice, account, "999999999999", 1)}}
		}, fault.Invalid, action.SubjectPermission},
		{"an action of something else", func(p *action.CreateParams) {
			p.Permissions = []action.Permission{{Principal: alice, Actions: []string{"s3:GetObject"}}}
		}, fault.Invalid, action.SubjectPermission},
		{"a reserved tag", func(p *action.CreateParams) { p.Tags = []tag.Tag{{Key: "aws:x", Value: "y"}} }, fault.Invalid, action.SubjectTag},
		{"a tag of ours that is misspelt", func(p *action.CreateParams) { p.Tags = []tag.Tag{{Key: "penstock:approve", Value: "writes"}} }, fault.Invalid, action.SubjectTag},
		{"a tag of ours that means nothing", func(p *action.CreateParams) { p.Tags = []tag.Tag{{Key: action.TagIdentity, Value: "all"}} }, fault.Invalid, action.SubjectTag},
		{"an action twice", func(p *action.CreateParams) { p.EnabledActions = &[]string{"a", "a"} }, fault.Invalid, action.SubjectAction},
		{"an action with a blank", func(p *action.CreateParams) { p.EnabledActions = &[]string{"a b"} }, fault.Invalid, action.SubjectAction},
	} {
		p := base()
		tc.change(&p)
		_, err := w.Create(t.Context(), caller, account, p)
		if !fault.Is(err, tc.kind, tc.subject) {
			t.Errorf("%s: err = %v, want %v about %s", tc.name, err, tc.kind, tc.subject)
		}
	}
	_, err := w.Create(t.Context(), caller, "999999999999", base())
	wants(t, err, fault.Denied, action.SubjectAccount)
	_, _, err = w.List(t.Context(), caller, "999999999999", "", nil)
	wants(t, err, fault.Denied, action.SubjectAccount)
}

func TestUpdateReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	before := w.create("c", basicAuth, "first-password", func(p *action.CreateParams) {
		p.Description, p.EnabledActions, p.Tags = "d", &[]string{"Read"}, []tag.Tag{{Key: "k", Value: "v"}}
		p.Permissions = []action.Permission{{Principal: alice, Actions: []string{action.MayDescribe}}}
	})
	w.pass(time.Minute)
	c, err := w.Update(t.Context(), caller, account, "c", action.Settings{Name: "New", Auth: noAuth})
	must(t, err)
	if c.Name != "New" || c.Description != "" || c.Auth != noAuth || len(c.Secret) != 0 || c.Status != action.UpdateSuccessful {
		t.Errorf("after the update: %+v", c)
	}
	if len(c.Permissions) != 1 || c.Tags["k"] != "v" || !c.Created.Equal(before.Created) || !c.Updated.After(before.Updated) || c.Type != before.Type {
		t.Errorf("what an update must leave: %+v", c)
	}
	if !c.Restricted || len(c.EnabledActions) != 1 { // a client that cannot send the list must not widen it
		t.Errorf("the enabled actions are %v", c.EnabledActions)
	}
	c, err = w.Update(t.Context(), caller, account, "c", action.Settings{Name: "New", Auth: noAuth, EnabledActions: &[]string{}})
	must(t, err)
	if !c.Restricted || c.Enabled("Read") {
		t.Errorf("an empty list enables %v", c.EnabledActions)
	}
	_, err = w.Update(t.Context(), caller, account, "x", action.Settings{Name: "New", Auth: noAuth})
	wants(t, err, fault.NotFound, action.SubjectConnector)
	_, err = w.Update(t.Context(), caller, account, "c", action.Settings{Name: "New", Auth: action.Auth{Type: action.IAM, RoleARN: "arn:aws:iam::123456789012:role/r"}})
	wants(t, err, fault.Invalid, action.SubjectAuth)
	w.create("other", noAuth, "", nil)
	_, err = w.Update(t.Context(), caller, account, "other", action.Settings{Name: "New", Auth: noAuth})
	wants(t, err, fault.AlreadyExists, action.SubjectName)
	_, err = w.Delete(t.Context(), caller, account, "c")
	must(t, err)
	_, err = w.Get(t.Context(), caller, account, "c")
	wants(t, err, fault.NotFound, action.SubjectConnector)
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.create("c", noAuth, "", nil)
	update := func(grant, revoke []action.Permission) ([]action.Permission, error) {
		c, err := w.UpdatePermissions(t.Context(), caller, account, "c", grant, revoke)
		return c.Permissions, err
	}
	owner := []string{action.MayUpdate, action.MayDescribe, action.MayDelete}
	got, err := update([]action.Permission{{Principal: team, Actions: owner}, {Principal: alice, Actions: []string{action.MayDescribe}}, {Principal: alice, Actions: []string{action.MayUpdate, action.MayDescribe}}}, nil)
	must(t, err)
	if len(got) != 2 || got[0].Principal != team || fmt.Sprint(got[1]) != fmt.Sprint(action.Permission{Principal: alice, Actions: []string{action.MayDescribe, action.MayUpdate}}) {
		t.Errorf("granted %v", got)
	}
	if !got[0].Owner() || got[1].Owner() || !got[1].MayUse() {
		t.Error("who deletes is an owner, who sees may use")
	}
	got, err = update([]action.Permission{{Principal: bob, Actions: owner}}, []action.Permission{{Principal: alice, Actions: []string{action.MayUpdate}}, {Principal: team, Actions: owner}})
	must(t, err)
	if len(got) != 2 || got[0].Principal != alice || len(got[0].Actions) != 1 || got[1].Principal != bob {
		t.Errorf("after revoking: %v", got)
	}
	_, err = update(nil, nil)
	wants(t, err, fault.Invalid, action.SubjectPermission)
	_, err = update([]action.Permission{{Principal: bob, Actions: owner}}, []action.Permission{{Principal: bob, Actions: owner[:1]}})
	wants(t, err, fault.Conflict, action.SubjectPermission)
	_, err = update([]action.Permission{{Principal: bob, Actions: []string{"quicksight:DescribeConnector"}}}, nil)
	if wants(t, err, fault.Invalid, action.SubjectPermission); !strings.Contains(err.Error(), action.MayDescribe) {
		t.Errorf("a permission that there is not: %v", err)
	}
	var many []action.Permission
	for n := range action.MaxPermissions {
		many = append(many, action.Permission{Principal: fmt.Sprintf("%s%d", alice, n), Actions: owner})
	}
	_, err = update(many, nil)
	wants(t, err, fault.Limit, action.SubjectPermissions)
	_, err = w.UpdatePermissions(t.Context(), caller, account, "x", many[:1], nil)
	wants(t, err, fault.NotFound, action.SubjectConnector)
}

func TestPagesOfConnectors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for n := range 7 {
		w.create(fmt.Sprintf("c%d", n), noAuth, "", nil)
	}
	all := func(next func(token string, size *int) ([]action.Connector, string, error)) (ids []string) {
		for token := ""; ; {
			list, more, err := next(token, new(3))
			must(t, err)
			for _, c := range list {
				ids = append(ids, c.ID)
			}
			if token = more; token == "" {
				return ids
			}
		}
	}
	list := all(func(token string, size *int) ([]action.Connector, string, error) {
		return w.List(t.Context(), caller, account, token, size)
	})
	search := all(func(token string, size *int) ([]action.Connector, string, error) {
		return w.Search(t.Context(), caller, account, action.Filter{By: action.ByName, Like: true, Value: "the C"}, token, size)
	})
	if len(list) != 7 || fmt.Sprint(list) != fmt.Sprint(search) {
		t.Errorf("listed %v, found %v", list, search)
	}
	_, token, err := w.Search(t.Context(), caller, account, action.Filter{By: action.ByName, Like: true, Value: "c"}, "", new(1))
	must(t, err)
	for name, call := range map[string]func() error{
		"another search": func() error {
			_, _, err := w.Search(t.Context(), caller, account, action.Filter{By: action.ByName, Like: true, Value: "C"}, token, nil)
			return err
		},
		"the list":  func() error { _, _, err := w.List(t.Context(), caller, account, token, nil); return err },
		"a garbage": func() error { _, _, err := w.List(t.Context(), caller, account, "garbage", nil); return err },
	} {
		if err := call(); !fault.Is(err, fault.Invalid, page.SubjectMarker) {
			t.Errorf("%s went on: %v", name, err)
		}
	}
	_, _, err = w.Search(t.Context(), caller, account, action.Filter{By: action.ByOwner, Like: true, Value: alice}, "", nil)
	wants(t, err, fault.Invalid, action.SubjectFilter)
}

func TestTagsAndVPCConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.create("c", noAuth, "", nil)
	settings := action.VPCSettings{Name: "v", SubnetIDs: []string{"subnet-1", "subnet-2"}, SecurityGroupIDs: []string{"sg-1"}, RoleARN: "arn:aws:iam::123456789012:role/r"}
	v, err := w.CreateVPC(t.Context(), caller, account, "v", settings, []tag.Tag{{Key: "a", Value: "b"}})
	must(t, err)
	for _, resource := range []string{c.ARN, v.ARN} {
		must(t, w.AddTags(t.Context(), caller, resource, []tag.Tag{{Key: "k", Value: "v"}, {Key: "l", Value: "w"}}))
		must(t, w.RemoveTags(t.Context(), caller, resource, []string{"l", "a", "not there"}))
		if tags, err := w.Tags(t.Context(), caller, resource); err != nil || len(tags) != 1 || tags["k"] != "v" {
			t.Errorf("%s has the tags %v, %v", resource, tags, err)
		}
	}
	for resource, kind := range map[string]fault.Kind{
		c.ARN + "x": fault.NotFound, v.ARN + "x": fault.NotFound, strings.Replace(c.ARN, "action-connector", "dashboard", 1): fault.NotFound,
		strings.Replace(c.ARN, account, "999999999999", 1): fault.Denied, "garbage": fault.Invalid, "arn:aws:s3:::b": fault.Invalid,
	} {
		if _, err := w.Tags(t.Context(), caller, resource); fault.KindOf(err) != kind {
			t.Errorf("%s: err = %v, want %v", resource, err, kind)
		}
	}
	w.create("through", noAuth, "", func(p *action.CreateParams) { p.VPCConnectionARN = v.ARN })
	_, err = w.DeleteVPC(t.Context(), caller, account, "v")
	wants(t, err, fault.State, action.SubjectVPCInUse)
	settings.DNSResolvers = []string{"fe80::1"}
	_, err = w.UpdateVPC(t.Context(), caller, account, "v", settings)
	wants(t, err, fault.Invalid, action.SubjectVPC)
	settings.DNSResolvers, settings.Name = []string{"10.0.0.2"}, "w"
	v, err = w.UpdateVPC(t.Context(), caller, account, "v", settings)
	must(t, err)
	if v.Name != "w" || v.Status != action.UpdateSuccessful {
		t.Errorf("%+v", v)
	}
}

// What checks make of a connector.
func TestChecks(t *testing.T) {
	t.Parallel()
	denied := func(context.Context, *action.Connector) error {
		return fault.New(fault.Denied, "vendor", "the vendor says 401 Unauthorized")
	}
	away := func(context.Context, *action.Connector) error {
		return fault.New(fault.Unavailable, "vendor", "no route to host")
	}
	closed := func(context.Context, *action.Connector) error {
		cause := fault.New(fault.Denied, action.SubjectAddress, "the address is private")
		return fault.Wrap(fmt.Errorf("Get: %w", cause), fault.Denied, "vendor", "the address is private")
	}
	slow := func(ctx context.Context, _ *action.Connector) error { <-ctx.Done(); return ctx.Err() }
	fine := func(context.Context, *action.Connector) error { return nil }
	for _, tc := range []struct {
		name   string
		mode   action.CheckMode
		check  func(context.Context, *action.Connector) error
		status action.Status
		shows  string // in Error or Unverified
	}{
		{"accepted", action.CheckLenient, fine, action.CreationSuccessful, ""},
		{"refused", action.CheckLenient, denied, action.CreationFailed, "401"},
		{"away", action.CheckLenient, away, action.CreationSuccessful, "no route"},
		{"not let out", action.CheckLenient, closed, action.CreationSuccessful, "private"},
		{"slow", action.CheckLenient, slow, action.CreationSuccessful, "did not answer in time"},
		{"away, strict", action.CheckStrict, away, action.CreationFailed, "could not be tried"},
		{"refused, off", action.CheckOff, denied, action.CreationSuccessful, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *action.Config) { c.Checks, c.CheckTime = tc.mode, 50*time.Millisecond })
			w.vendor.tries, w.vendor.check = true, tc.check
			w.config.Checker = w.vendor
			w.Service = action.NewService(w.config)
			c := w.create("c", basicAuth, "p", nil)
			if tc.mode != action.CheckOff && c.Status != action.CreationInProgress {
				t.Errorf("created as %s", c.Status)
			}
			w.run()
			c = w.settled("c")
			if c.Status != tc.status || !strings.Contains(c.Error+c.Unverified, tc.shows) || tc.shows == "" && c.Error+c.Unverified != "" {
				t.Errorf("%s: %q %q", c.Status, c.Error, c.Unverified)
			}
			if c.Status.Failed() {
				_, err := w.Call(t.Context(), caller, account, action.Call{ConnectorID: "c", ActionID: "Read"})
				wants(t, err, fault.State, action.SubjectConnector)
			}
			w.vendor.mu.Lock()
			w.vendor.check = fine
			w.vendor.mu.Unlock()
			if c.Unverified == "" && !c.Status.Failed() {
				return
			}
			asked, err := w.Test(t.Context(), caller, account, "c", "")
			if c = w.get("c"); !asked || err != nil || c.Unverified+c.Error != "" || c.Status != action.CreationSuccessful {
				t.Errorf("tested: %v, %v; it is kept as %s, %q %q", asked, err, c.Status, c.Unverified, c.Error)
			}
		})
	}
}

// An update supersedes a check that is under way, and a check that a stop has cut short is made again.
func TestChecksOfChangedConnectors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	began, release := make(chan string, 10), make(chan error)
	w.vendor.tries = true
	w.vendor.check = func(ctx context.Context, c *action.Connector) error {
		began <- c.Auth.Username
		select {
		case err := <-release:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.config.Checker, w.config.CheckTime = w.vendor, time.Minute
	w.Service = action.NewService(w.config)
	w.create("c", basicAuth, "p", nil)
	stop := w.run()
	<-began
	stop()
	if c := w.get("c"); c.Status != action.CreationInProgress {
		t.Fatalf("after a stop: %s", c.Status)
	}
	w.Service = action.NewService(w.config)
	w.run()
	<-began
	next := basicAuth
	next.Username = "other"
	_, err := w.Update(t.Context(), caller, account, "c", action.Settings{Name: "N", Auth: next})
	must(t, err)
	if user := <-began; user != "other" {
		t.Fatalf("checks %s", user)
	}
	release <- fault.New(fault.Denied, "vendor", "no") // one of the two; which, nobody knows
	release <- fault.New(fault.Denied, "vendor", "no")
	if c := w.settled("c"); c.Status != action.UpdateFailed {
		t.Errorf("%+v", c)
	}
}

func TestClientCredentialsAreTried(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	auth := action.Auth{Type: action.ClientCredentials, BaseEndpoint: w.oauth.URL, ClientID: w.oauth.ClientID, TokenEndpoint: w.oauth.TokenEndpoint()}
	w.create("good", auth, w.oauth.ClientSecret, nil)
	w.create("bad", auth, "wrong", nil)
	elsewhere := auth
	elsewhere.TokenEndpoint = "https://127.0.0.1:1/token"
	w.create("away", elsewhere, "any", nil)
	w.run()
	for id, want := range map[string]action.Status{"good": action.CreationSuccessful, "bad": action.CreationFailed, "away": action.CreationSuccessful} {
		c := w.settled(id)
		if c.Status != want {
			t.Errorf("%s: %s %q %q", id, c.Status, c.Error, c.Unverified)
		}
		if id == "bad" && !strings.Contains(c.Error, "invalid_client") || id == "away" && c.Unverified == "" {
			t.Errorf("%s: %q %q", id, c.Error, c.Unverified)
		}
	}
	if strings.Contains(w.log.String(), w.oauth.ClientSecret) {
		t.Error("the log has the client's secret")
	}
}

// No secret is in anything that is stored, but sealed.
func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.create("c", basicAuth, "very-secret-password", nil)
	if strings.Contains(fmt.Sprintf("%+v %s", c, c.Secret), "very-secret") {
		t.Error("the password is stored as it is")
	}
	d := w.create("d", basicAuth, "", nil)
	if len(d.Secret) != 0 {
		t.Error("an empty secret was sealed")
	}
	var e *fault.Error
	_, err := w.Call(t.Context(), caller, account, action.Call{ConnectorID: "c", ActionID: "Read"})
	if errors.As(err, &e) {
		t.Fatal(err)
	}
	_ = secret.Text{}
}
