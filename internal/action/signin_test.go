package action_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/action/oauth/oauthtest"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/tag"
)

// withOAuth is a world with a connector "c" that users sign in to, and alice who may use it.
func withOAuth(t *testing.T, change func(*action.CreateParams)) *world {
	w := newWorld(t, nil)
	w.create("c", w.codeAuth(), w.oauth.ClientSecret, func(p *action.CreateParams) {
		p.Permissions = []action.Permission{{Principal: alice, Actions: []string{action.MayDescribe}}}
		if change != nil {
			change(p)
		}
	})
	return w
}

func (w *world) call(user string) (action.Result, error) {
	return w.Call(w.t.Context(), caller, account, action.Call{ConnectorID: "c", ActionID: "Read", User: user})
}

func (w *world) grant(user string) action.Grant {
	w.t.Helper()
	list, _, err := w.ListGrants(w.t.Context(), caller, account, "c", "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range list {
		if g.User == user {
			return g
		}
	}
	return action.Grant{}
}

// signInURL is where a call that failed says to sign in.
func signInURL(t *testing.T, err error) string {
	t.Helper()
	var need *action.SignInError
	if !errors.As(err, &need) || need.URL == "" || !strings.Contains(fault.Message(err), need.URL) || action.Code(err) != action.CodeSignIn {
		t.Fatalf("err = %v (%s), want one that says where to sign in", err, action.Code(err))
	}
	return need.URL
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := withOAuth(t, nil)
	_, err := w.call(alice)
	first := signInURL(t, err)
	if g := w.grant(alice); g.State != action.GrantPending {
		t.Errorf("the grant is %s", g.State)
	}
	_, err = w.call(alice)
	if signInURL(t, err) != first {
		t.Error("every call begins another sign-in")
	}
	if _, err := w.FinishSignIn(t.Context(), w.browse(first)); err != nil {
		t.Fatal(err)
	}
	result, err := w.call(alice)
	must(t, err)
	if result.Identity != action.PerUser || result.User != alice {
		t.Errorf("called as %+v", result)
	}
	g := w.grant(alice)
	if g.State != action.GrantActive || g.Scope != "granted" || g.Expires.IsZero() {
		t.Errorf("the grant is %+v", g)
	}
	_, err = w.call("") // the root user has not signed in, and never borrows alice's
	signInURL(t, err)
	seen := w.oauth.Seen()[0]
	if seen.Get("code_challenge_method") != "S256" || len(seen.Get("code_challenge")) != 43 || len(seen.Get("state")) < 40 {
		t.Errorf("asked %v", seen)
	}
	dump := fmt.Sprintf("%+v", g) + w.log.String()
	for _, token := range w.vendor.tokens {
		if strings.Contains(dump, token) {
			t.Error("a token is stored or logged as it is")
		}
	}
}

// Some vendors refuse PKCE beside a client's secret.
func TestSignInWithoutPKCE(t *testing.T) {
	t.Parallel()
	w := withOAuth(t, func(p *action.CreateParams) { p.Tags = []tag.Tag{{Key: action.TagPKCE, Value: "false"}} })
	w.oauth.RefusePKCE = true
	if w.signIn("c", alice).Grant.State != action.GrantActive {
		t.Error("not signed in")
	}
	w.create("public", w.codeAuth(), "", func(p *action.CreateParams) { p.Tags = []tag.Tag{{Key: action.TagPKCE, Value: "false"}} })
	start, err := w.StartSignIn(t.Context(), caller, account, "public", "")
	if must(t, err); !strings.Contains(start.URL, "code_challenge=") {
		t.Errorf("a client without a secret proves itself with nothing: %s", start.URL)
	}
}

func TestSignInAddress(t *testing.T) {
	t.Parallel()
	w := withOAuth(t, func(p *action.CreateParams) {
		p.Type = "JIRA_CLOUD"
		p.Tags = []tag.Tag{{Key: action.TagScopes, Value: "read:jira-work offline_access"}}
	})
	start, err := w.StartSignIn(t.Context(), caller, account, "c", alice)
	must(t, err)
	if start.Redirect != "https://penstock.test/_penstock/oauth/callback" || !strings.Contains(start.Note, "quicksight.aws.amazon.com") {
		t.Errorf("%+v", start)
	}
	w.browse(start.URL)
	if q := w.oauth.Seen()[0]; q.Get("audience") != "api.atlassian.com" || q.Get("prompt") != "consent" || q.Get("scope") != "read:jira-work offline_access" {
		t.Errorf("asked %v", q)
	}
	w.PublicURL = ""
	_, err = w.StartSignIn(t.Context(), caller, account, "c", alice)
	wants(t, err, fault.State, action.SubjectSignIn)
	_, err = w.call(alice)
	var need *action.SignInError
	if !errors.As(err, &need) || need.URL != "" || !strings.Contains(fault.Message(err), "--public-url") {
		t.Errorf("err = %v", err)
	}
	w.create("basic", basicAuth, "p", nil)
	_, err = w.StartSignIn(t.Context(), caller, account, "basic", "")
	wants(t, err, fault.State, action.SubjectSignIn)
	_, err = w.StartSignIn(t.Context(), caller, account, "c", bob)
	wants(t, err, fault.Denied, action.SubjectPermission)
	_, err = w.StartSignIn(t.Context(), caller, account, "c", "somebody")
	wants(t, err, fault.Invalid, action.SubjectPermission)
}

// A state is good once, for ten minutes, and for the connector as it was.
func TestStates(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		spoil  func(w *world, cb *action.Callback)
		kind   fault.Kind
		reason string // in the grant
	}{
		{"used", func(w *world, cb *action.Callback) { _, err := w.FinishSignIn(w.t.Context(), *cb); must(w.t, err) }, fault.NotFound, ""},
		{"made up", func(_ *world, cb *action.Callback) { cb.State = "made-up" }, fault.NotFound, ""},
		{"none", func(_ *world, cb *action.Callback) { cb.State = "" }, fault.Invalid, ""},
		{"too late", func(w *world, _ *action.Callback) { w.pass(10 * time.Minute) }, fault.Expired, "10 minutes"},
		{"no code", func(_ *world, cb *action.Callback) { cb.Code = "" }, fault.Invalid, "neither"},
		{"another code", func(_ *world, cb *action.Callback) { cb.Code = "stolen" }, fault.Denied, "would not take"},
		{"refused", func(_ *world, cb *action.Callback) {
			cb.Code, cb.Error, cb.ErrorDescription = "", "access_denied", "<b>you may not</b>"
		}, fault.Denied, "access_denied: <b>you may not</b>"},
		{"replaced", func(w *world, _ *action.Callback) {
			w.pass(6 * time.Minute)
			_, err := w.StartSignIn(w.t.Context(), caller, account, "c", alice)
			must(w.t, err)
		}, fault.NotFound, ""},
		{"changed", func(w *world, _ *action.Callback) {
			auth := w.codeAuth()
			auth.BaseEndpoint = "https://evil.example.com"
			_, err := w.Update(w.t.Context(), caller, account, "c", action.Settings{Name: "C", Auth: auth})
			must(w.t, err)
		}, fault.State, "changed"},
		{"deleted", func(w *world, _ *action.Callback) {
			_, err := w.Delete(w.t.Context(), caller, account, "c")
			must(w.t, err)
		}, fault.NotFound, ""},
		{"a wrong secret", func(w *world, _ *action.Callback) { w.oauth.Set(func(s *oauthtest.Server) { s.ClientSecret = "new" }) }, fault.Denied, "invalid_client"},
		{"the vendor is down", func(w *world, _ *action.Callback) {
			w.oauth.Set(func(s *oauthtest.Server) { s.TokenDown = true })
		}, fault.Unavailable, "503"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := withOAuth(t, nil)
			start, err := w.StartSignIn(t.Context(), caller, account, "c", alice)
			must(t, err)
			cb := w.browse(start.URL)
			tc.spoil(w, &cb)
			_, err = w.FinishSignIn(t.Context(), cb)
			if fault.KindOf(err) != tc.kind {
				t.Fatalf("err = %v (%v), want %v", err, fault.KindOf(err), tc.kind)
			}
			if tc.reason == "" {
				return
			}
			if g := w.grant(alice); g.State != action.GrantFailed || !strings.Contains(g.Reason, tc.reason) {
				t.Errorf("the grant is %s: %s", g.State, g.Reason)
			}
		})
	}
}

func TestReconnectInPlace(t *testing.T) {
	t.Parallel()
	w := withOAuth(t, nil)
	before := w.signIn("c", alice).Grant
	_, err := w.call(alice)
	must(t, err)
	// A new sign-in that fails leaves what there is.
	w.oauth.Set(func(s *oauthtest.Server) { s.Deny = "no" })
	start, err := w.StartSignIn(t.Context(), caller, account, "c", alice)
	must(t, err)
	if _, err = w.FinishSignIn(t.Context(), w.browse(start.URL)); err == nil {
		t.Fatal("signed in")
	}
	if _, err := w.call(alice); err != nil {
		t.Errorf("after a failed sign-in: %v", err)
	}
	// The vendor ends it; another sign-in repairs the same grant.
	w.oauth.Set(func(s *oauthtest.Server) { s.Deny = "" })
	w.oauth.Revoke()
	w.pass(2 * time.Hour)
	_, err = w.call(alice)
	address := signInURL(t, err)
	if g := w.grant(alice); g.State != action.GrantNeedsSignIn || !strings.Contains(g.Reason, "invalid_grant") || len(g.Tokens) != 0 {
		t.Errorf("the grant is %+v", g)
	}
	_, err = w.FinishSignIn(t.Context(), w.browse(address))
	must(t, err)
	if g := w.grant(alice); g.ID != before.ID || g.State != action.GrantActive || g.Reason != "" {
		t.Errorf("the grant is %+v", g)
	}
	_, err = w.call(alice)
	must(t, err)
	must(t, w.SignOut(t.Context(), caller, account, "c", alice))
	wants(t, w.SignOut(t.Context(), caller, account, "c", alice), fault.NotFound, action.SubjectGrant)
	_, err = w.call(alice)
	signInURL(t, err)
}

// A vendor that is down ends no grant.
func TestVendorDown(t *testing.T) {
	t.Parallel()
	w := withOAuth(t, nil)
	w.signIn("c", alice)
	w.pass(2 * time.Hour)
	w.oauth.Set(func(s *oauthtest.Server) { s.TokenDown = true })
	_, err := w.call(alice)
	wants(t, err, fault.Unavailable, action.SubjectToken)
	if g := w.grant(alice); g.State != action.GrantActive {
		t.Errorf("the grant is %s", g.State)
	}
	w.oauth.Set(func(s *oauthtest.Server) { s.TokenDown, s.ClientSecret = false, "changed" })
	_, err = w.call(alice) // a wrong set-up is not the user's to repair
	wants(t, err, fault.Denied, action.SubjectToken)
	if action.Code(err) != action.CodeToken {
		t.Errorf("the code is %s", action.Code(err))
	}
	if g := w.grant(alice); g.State != action.GrantActive {
		t.Errorf("the grant is %s", g.State)
	}
	w.oauth.Set(func(s *oauthtest.Server) { s.ClientSecret = "client-secret-value" })
	_, err = w.call(alice)
	must(t, err)
}

func TestSharedIdentity(t *testing.T) {
	t.Parallel()
	w := withOAuth(t, func(p *action.CreateParams) { p.Tags = []tag.Tag{{Key: action.TagIdentity, Value: "shared"}} })
	// Who may only use it must not make it call as themselves.
	_, err := w.StartSignIn(t.Context(), caller, account, "c", alice)
	wants(t, err, fault.Denied, action.SubjectPermission)
	_, err = w.call(alice)
	var need *action.SignInError
	if !errors.As(err, &need) || need.URL != "" || !strings.Contains(fault.Message(err), "owner") {
		t.Errorf("err = %v", err)
	}
	if g := w.signIn("c", "").Grant; g.User != "" {
		t.Errorf("the grant is %q's", g.User)
	}
	for _, user := range []string{"", alice} {
		result, err := w.call(user)
		must(t, err)
		if result.Identity != action.Shared {
			t.Errorf("called as %s", result.Identity)
		}
	}
	wants(t, w.SignOut(t.Context(), caller, account, "c", alice), fault.Denied, action.SubjectPermission)
	if g := w.grant(""); g.State != action.GrantActive {
		t.Errorf("a user has ended the sign-in of all: %s", g.State)
	}
	must(t, w.AddTags(t.Context(), caller, w.get("c").ARN, []tag.Tag{{Key: action.TagIdentity, Value: "user"}}))
	_, err = w.call(alice) // never a silent fall from one to the other
	signInURL(t, err)
}

// Tokens never go to an endpoint that they were not made for.
func TestTokensStayWithTheirEndpoints(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*action.Auth){
		"base":   func(a *action.Auth) { a.BaseEndpoint = "https://evil.example.com" },
		"token":  func(a *action.Auth) { a.TokenEndpoint = "https://evil.example.com/token" },
		"client": func(a *action.Auth) { a.ClientID = "another" },
	} {
		w := withOAuth(t, nil)
		w.signIn("c", alice)
		_, err := w.call(alice)
		must(t, err)
		auth := w.codeAuth()
		change(&auth)
		_, err = w.Update(t.Context(), caller, account, "c", action.Settings{Name: "C", Auth: auth, Secret: secret.NewText(w.oauth.ClientSecret)})
		must(t, err)
		_, err = w.call(alice)
		signInURL(t, err)
		if g := w.grant(alice); g.State != action.GrantNeedsSignIn {
			t.Errorf("%s: the grant is %s", name, g.State)
		}
		_, err = w.Update(t.Context(), caller, account, "c", action.Settings{Name: "C", Auth: w.codeAuth(), Secret: secret.NewText(w.oauth.ClientSecret)})
		must(t, err)
		if _, err = w.call(alice); err != nil {
			t.Errorf("%s: put back, %v", name, err)
		}
	}
}

// A grant that nobody uses is renewed every day, since vendors end refresh tokens that are not used.
func TestIdleGrants(t *testing.T) {
	t.Parallel()
	w := withOAuth(t, nil)
	w.signIn("c", alice)
	renew := func(exchanges int) {
		t.Helper()
		must(t, w.RenewIdle(t.Context()))
		if n := w.oauth.Exchanges("refresh_token"); n != exchanges {
			t.Errorf("%d exchanges, want %d", n, exchanges)
		}
	}
	w.pass(23 * time.Hour)
	renew(0)
	w.pass(2 * time.Hour)
	renew(1)
	renew(1)
	w.pass(25 * time.Hour)
	w.oauth.Set(func(s *oauthtest.Server) { s.TokenDown = true })
	renew(2) // in vain, and no harm done
	if g := w.grant(alice); g.State != action.GrantActive {
		t.Errorf("the grant is %s", g.State)
	}
	w.oauth.Set(func(s *oauthtest.Server) { s.TokenDown = false })
	w.oauth.Revoke()
	renew(3)
	if g := w.grant(alice); g.State != action.GrantNeedsSignIn {
		t.Errorf("the grant is %s", g.State)
	}
	renew(3)
}

// One exchange for a hundred callers whose token the vendor has just refused, and the new refresh token is durable.
func TestOneExchangeForAll(t *testing.T) {
	t.Parallel()
	w := withOAuth(t, nil)
	w.signIn("c", alice)
	_, err := w.call(alice)
	must(t, err)
	old := w.grant(alice)
	w.oauth.Expire()
	var done sync.WaitGroup
	errs := make([]error, 100)
	for n := range errs {
		done.Go(func() { _, errs[n] = w.call(alice) })
	}
	done.Wait()
	must(t, errors.Join(errs...))
	if n := w.oauth.Exchanges("refresh_token"); n != 1 {
		t.Errorf("%d exchanges, want 1", n)
	}
	if g := w.grant(alice); g.Access == old.Access || g.Refreshed.IsZero() {
		t.Error("the new tokens are not stored")
	}
	// Another process goes on with what is stored.
	w.Service = action.NewService(w.config)
	w.pass(2 * time.Hour)
	_, err = w.call(alice)
	must(t, err)
}

// A vendor that is down is asked for one of its grants, so that those of the others have their turn.
func TestIdleGrantsOfAVendorThatIsDown(t *testing.T) {
	t.Parallel()
	w := withOAuth(t, func(p *action.CreateParams) {
		p.Permissions = []action.Permission{{Principal: alice, Actions: []string{action.MayInvoke}}, {Principal: bob, Actions: []string{action.MayInvoke}}}
	})
	w.create("d", w.codeAuth(), w.oauth.ClientSecret, func(p *action.CreateParams) {
		p.Permissions = []action.Permission{{Principal: alice, Actions: []string{action.MayInvoke}}}
	})
	w.signIn("c", alice)
	w.signIn("c", bob)
	w.signIn("d", alice)
	w.pass(25 * time.Hour)
	w.oauth.Set(func(s *oauthtest.Server) { s.TokenDown = true })
	must(t, w.RenewIdle(t.Context()))
	if n := w.oauth.Exchanges("refresh_token"); n != 2 {
		t.Errorf("%d exchanges, want one for each connector", n)
	}
	w.oauth.Set(func(s *oauthtest.Server) { s.TokenDown = false })
	must(t, w.RenewIdle(t.Context()))
	if n := w.oauth.Exchanges("refresh_token"); n != 5 {
		t.Errorf("%d exchanges, want those three and two in vain", n)
	}
}

// Slack's sign-ins are those of users, not of a bot.
func TestSlackSignsUsersIn(t *testing.T) {
	t.Parallel()
	w := withOAuth(t, func(p *action.CreateParams) { p.Type = "SLACK" })
	start, err := w.StartSignIn(t.Context(), caller, account, "c", alice)
	must(t, err)
	cb := w.browse(start.URL)
	if q := w.oauth.Seen()[0]; !strings.Contains(q.Get("user_scope"), "chat:write,") || q.Has("scope") {
		t.Errorf("asked %v", q)
	}
	w.oauth.Set(func(s *oauthtest.Server) {
		s.Answer = func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write([]byte(`{"ok":true,"access_token":"xoxb-bot","authed_user":{"access_token":"xoxp-user","scope":"chat:write"}}`))
		}
	})
	done, err := w.FinishSignIn(t.Context(), cb)
	if must(t, err); done.Grant.Scope != "chat:write" {
		t.Errorf("the grant is %+v", done.Grant)
	}
	text, err := w.config.Box.Open("action-grant/c/"+alice, done.Grant.Tokens)
	if must(t, err); !strings.Contains(text.Reveal(), "xoxp-user") || strings.Contains(text.Reveal(), "xoxb-bot") {
		t.Error("the token is not the user's")
	}
}
