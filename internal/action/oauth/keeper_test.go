package oauth_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/internal/action/oauth"
	"github.com/penstock-io/penstock/internal/action/oauth/oauthtest"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vault is a stored grant, with a clock.
type vault struct {
	t      *testing.T
	server *oauthtest.Server
	keeper *oauth.Keeper

	mu       sync.Mutex
	now      time.Time
	stored   oauth.Token
	saves    int
	loads    int
	ended    int
	saveFail error
}

var errEnded = fault.New(fault.State, "grant", "sign in again")

func newVault(t *testing.T) *vault {
	v := &vault{t: t, server: oauthtest.New(t), now: noon}
	v.keeper = oauth.NewKeeper(v.clock)
	t.Cleanup(v.keeper.Wait)
	t.Cleanup(v.server.Client.CloseIdleConnections)
	c := v.client()
	verifier := oauth.NewVerifier()
	back := signIn(t, v.server, c.AuthorizationURL("s", redirect, verifier))
	var err error
	if v.stored, err = c.Exchange(t.Context(), v.server.Client, back.Get("code"), redirect, verifier); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *vault) clock() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

func (v *vault) pass(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = v.now.Add(d)
}

func (v *vault) client() oauth.Client {
	c := client(v.server)
	c.Now = v.clock
	return c
}

func (v *vault) grant() oauth.Grant {
	return oauth.Grant{
		Renew: func(ctx context.Context, t oauth.Token) (oauth.Token, error) {
			return v.client().Renew(ctx, v.server.Client, t)
		},
		Load: func(context.Context) (oauth.Token, error) {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.loads++
			return v.stored, nil
		},
		Save: func(_ context.Context, old secret.Text, t oauth.Token) error {
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.saveFail != nil {
				return v.saveFail
			}
			if old.Reveal() != v.stored.Access.Reveal() {
				return fault.New(fault.Conflict, "grant", "another token is stored")
			}
			v.stored = t
			v.saves++
			return nil
		},
		End: func(context.Context, secret.Text, error) error {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.ended++
			v.stored = oauth.Token{}
			return errEnded
		},
	}
}

func (v *vault) token(refused secret.Text) (oauth.Token, error) {
	return v.keeper.Token(v.t.Context(), "k", refused, v.grant())
}

func (v *vault) want(refused secret.Text) oauth.Token {
	v.t.Helper()
	t, err := v.token(refused)
	if err != nil {
		v.t.Fatal(err)
	}
	if !v.server.Valid(t.Access.Reveal()) {
		v.t.Fatalf("the API does not take the token")
	}
	return t
}

var nothing secret.Text

func (v *vault) exchanges(want int) {
	v.t.Helper()
	if got := v.server.Exchanges("refresh_token"); got != want {
		v.t.Errorf("%d exchanges, want %d", got, want)
	}
}

func TestRenewedBeforeItsEnd(t *testing.T) {
	v := newVault(t)
	first := v.want(nothing)
	v.pass(44 * time.Minute)
	if v.want(nothing).Access != first.Access {
		t.Error("renewed with 16 minutes to go")
	}
	v.pass(time.Minute)
	second := v.want(nothing)
	if second.Access == first.Access || second.Refresh == first.Refresh || v.saves != 1 {
		t.Errorf("not renewed, or not saved: %d saves", v.saves)
	}
	v.exchanges(1)
	// A short life is renewed at its half.
	v.server.Set(func(s *oauthtest.Server) { s.Lifetime = 60 })
	v.pass(50 * time.Minute)
	short := v.want(nothing)
	v.pass(29 * time.Second)
	if v.want(nothing).Access != short.Access {
		t.Error("renewed before half its life")
	}
	v.pass(time.Second)
	if v.want(nothing).Access == short.Access {
		t.Error("not renewed after half its life")
	}
}

// One exchange, however many ask: those that find the token due, and those that the vendor has refused it.
func TestOneExchange(t *testing.T) {
	for name, prepare := range map[string]func(*vault) secret.Text{
		"due":     func(v *vault) secret.Text { v.pass(50 * time.Minute); return nothing },
		"expired": func(v *vault) secret.Text { v.pass(2 * time.Hour); return nothing },
		"refused": func(v *vault) secret.Text { v.server.Expire(); return v.stored.Access },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			v.want(nothing)
			refused := prepare(v)
			hold := make(chan struct{})
			v.server.Set(func(s *oauthtest.Server) { s.Hold = hold })
			const callers = 100
			var done sync.WaitGroup
			tokens := make([]oauth.Token, callers)
			errs := make([]error, callers)
			var begun sync.WaitGroup
			for n := range callers {
				begun.Add(1)
				done.Go(func() {
					begun.Done()
					tokens[n], errs[n] = v.token(refused)
				})
			}
			begun.Wait()
			close(hold)
			done.Wait()
			for n := range callers {
				if errs[n] != nil || !v.server.Valid(tokens[n].Access.Reveal()) || tokens[n].Access != tokens[0].Access {
					t.Fatalf("caller %d: %v", n, errs[n])
				}
			}
			v.exchanges(1)
		})
	}
}

func TestCallerGivesUp(t *testing.T) {
	v := newVault(t)
	v.pass(2 * time.Hour)
	hold := make(chan struct{})
	v.server.Set(func(s *oauthtest.Server) { s.Hold = hold })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.keeper.Token(ctx, "k", nothing, v.grant()); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v", err)
	}
	close(hold)
	v.keeper.Wait()
	v.want(nothing) // what the vendor has answered is not lost
	v.exchanges(1)
}

func TestRevoked(t *testing.T) {
	v := newVault(t)
	v.server.Revoke()
	v.want(nothing) // it is good until its end
	v.pass(2 * time.Hour)
	if _, err := v.token(nothing); !errors.Is(err, errEnded) || v.ended != 1 {
		t.Fatalf("err = %v, ended %d times", err, v.ended)
	}
}

// A network failure is never taken for revocation.
func TestVendorDown(t *testing.T) {
	v := newVault(t)
	first := v.want(nothing)
	v.server.Set(func(s *oauthtest.Server) { s.Answer = answer(503, "text/html", "<html>") })
	v.pass(50 * time.Minute)
	for range 5 {
		if v.want(nothing).Access != first.Access {
			t.Fatal("another token")
		}
	}
	v.exchanges(1) // it is not asked again with every call
	v.pass(20 * time.Minute)
	for range 2 {
		if _, err := v.token(nothing); !fault.Is(err, fault.Unavailable, oauth.SubjectToken) {
			t.Fatalf("err = %v", err)
		}
	}
	if v.ended != 0 || v.stored.Refresh.Empty() {
		t.Fatal("the grant has ended")
	}
	v.server.Set(func(s *oauthtest.Server) { s.Answer = nil })
	v.want(nothing)
}

// The new token is durable before anyone gets it. When it cannot be saved it is kept and saved later, since the old
// refresh token is dead.
func TestSavedBeforeUse(t *testing.T) {
	v := newVault(t)
	v.pass(2 * time.Hour)
	full := fault.New(fault.Unavailable, "metadata store", "the disk is full")
	v.saveFail = full
	for range 3 {
		if _, err := v.token(nothing); !errors.Is(err, full) {
			t.Fatalf("err = %v", err)
		}
	}
	v.saveFail = nil
	v.want(nothing)
	v.exchanges(1)
	if v.saves != 1 {
		t.Errorf("%d saves", v.saves)
	}
}

func TestReplacedMeanwhile(t *testing.T) {
	v := newVault(t)
	v.pass(2 * time.Hour)
	v.saveFail = fault.New(fault.Conflict, "grant", "another token is stored")
	if _, err := v.token(nothing); fault.KindOf(err) != fault.Conflict {
		t.Fatalf("err = %v", err)
	}
	v.saveFail = nil
	other, err := v.client().ClientCredentials(t.Context(), v.server.Client)
	if err != nil {
		t.Fatal(err)
	}
	v.stored = other
	if v.want(nothing).Access != other.Access { // what is stored counts, not what was refused
		t.Error("another token than what is stored")
	}
}

func TestWithoutRefreshToken(t *testing.T) {
	v := newVault(t)
	v.stored.Refresh = nothing
	v.want(nothing)
	v.pass(50 * time.Minute) // due, and good yet
	v.want(nothing)
	v.pass(time.Hour)
	if _, err := v.token(nothing); !errors.Is(err, errEnded) {
		t.Fatalf("err = %v", err)
	}
	v.exchanges(0)
}

// A vendor that refuses what it has just issued is not asked for ever.
func TestAlwaysRefused(t *testing.T) {
	v := newVault(t)
	token := v.want(nothing)
	for range 10 {
		next, err := v.token(token.Access)
		if err != nil {
			if !fault.Is(err, fault.Denied, oauth.SubjectToken) {
				t.Fatalf("err = %v", err)
			}
			continue
		}
		token = next
	}
	v.exchanges(5)
	v.pass(61 * time.Second)
	v.server.Expire()
	v.want(token.Access)
}

// A token that is not due is renewed all the same when that is asked for, and one that cannot be is left alone.
func TestRenewAnyway(t *testing.T) {
	v := newVault(t)
	first := v.want(nothing)
	if err := v.keeper.Renew(t.Context(), "k", v.grant()); err != nil {
		t.Fatal(err)
	}
	if v.want(nothing).Access == first.Access {
		t.Error("not renewed")
	}
	v.exchanges(1)
	v.server.Set(func(s *oauthtest.Server) { s.TokenDown = true })
	if err := v.keeper.Renew(t.Context(), "k", v.grant()); err != nil {
		t.Errorf("while the vendor is down: %v", err)
	}
	v.server.Set(func(s *oauthtest.Server) { s.TokenDown = false })
	v.stored.Refresh = nothing
	if err := v.keeper.Renew(t.Context(), "k", v.grant()); err != nil || v.ended != 0 {
		t.Errorf("without a refresh token: %v, ended %d times", err, v.ended)
	}
}

// A clock that is set back makes no token last longer.
func TestClockSetBack(t *testing.T) {
	v := newVault(t)
	v.want(nothing)
	v.pass(-2 * time.Hour)
	v.want(nothing)
	v.exchanges(1)
}

// A clock that is set back ends nothing either: a token that nothing can replace now is used as it is.
func TestClockSetBackEndsNothing(t *testing.T) {
	v := newVault(t)
	v.pass(50 * time.Minute)
	v.server.Set(func(s *oauthtest.Server) { s.TokenDown = true })
	v.want(nothing) // due; the renewal fails
	v.pass(-2 * time.Hour)
	v.want(nothing)
	v.server.Set(func(s *oauthtest.Server) { s.TokenDown = false })
	v.pass(31 * time.Second)
	v.want(nothing)
	v.exchanges(3) // one failed before and one after the clock was set back
	v.stored.Refresh = nothing
	v.pass(-2 * time.Hour)
	v.want(nothing)
	if v.ended != 0 {
		t.Error("the grant was ended")
	}
}

// Without an end a token is good until it is refused.
func TestNoEnd(t *testing.T) {
	v := newVault(t)
	v.stored.Expires = time.Time{}
	token := v.want(nothing)
	v.pass(1000 * time.Hour)
	if v.want(nothing).Access != token.Access {
		t.Error("renewed")
	}
	v.server.Expire()
	v.want(token.Access)
	v.exchanges(1)
}

func TestClientCredentialsInMemory(t *testing.T) {
	v := newVault(t)
	g := oauth.Grant{Renew: func(ctx context.Context, _ oauth.Token) (oauth.Token, error) {
		return v.client().ClientCredentials(ctx, v.server.Client)
	}}
	get := func(refused secret.Text) oauth.Token {
		token, err := v.keeper.Token(t.Context(), "cc", refused, g)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := get(nothing)
	v.pass(40 * time.Minute)
	if get(nothing).Access != first.Access {
		t.Error("asked again before its end")
	}
	v.pass(10 * time.Minute)
	second := get(nothing)
	third := get(second.Access)
	if second.Access == first.Access || third.Access == second.Access || v.server.Exchanges("client_credentials") != 3 {
		t.Errorf("%d exchanges, want 3", v.server.Exchanges("client_credentials"))
	}
	v.keeper.Forget("cc")
	if get(nothing).Access == third.Access {
		t.Error("a forgotten token was handed out")
	}
}

func BenchmarkKeeper(b *testing.B) {
	k := oauth.NewKeeper(time.Now)
	g := oauth.Grant{Renew: func(context.Context, oauth.Token) (oauth.Token, error) {
		return oauth.Token{Access: secret.NewText("a")}, nil
	}}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := k.Token(b.Context(), "k", nothing, g); err != nil {
				b.Fatal(err)
			}
		}
	})
}
