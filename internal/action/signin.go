package action

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/action/oauth"
	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
)

// CallbackPath is where vendors send browsers back to, below the public address.
const CallbackPath = "/_penstock/oauth/callback"

// signInTime is how long a user has for a sign-in.
const signInTime = 10 * time.Minute

// SignInError is the cause of a fault that a sign-in repairs: AWS's AccessTokenNotFoundException.
type SignInError struct {
	ConnectorID string
	User        string    // whose grant is missing; empty for the shared one
	URL         string    // where to sign in; empty when this server has no public address
	Expires     time.Time // of URL
}

func (e *SignInError) Error() string { return "a sign-in is needed" }

// SignInStart is what a browser needs for a sign-in.
type SignInStart struct {
	URL      string
	Redirect string // must be registered with the vendor
	Expires  time.Time
	User     string // whose grant it will be; empty for the shared one
	Identity Identity
	Note     string // what the user should know; may be empty
}

// StartSignIn begins a sign-in for a user, "" for the caller, or goes on with one that has begun and lasts a while
// yet. On a connector with a shared identity it is the shared grant that is signed in for.
func (s *Service) StartSignIn(ctx context.Context, caller identity.Caller, account, connectorID, user string) (SignInStart, error) {
	c, user, err := s.admit(ctx, caller, account, connectorID, user)
	if err != nil {
		return SignInStart{}, err
	}
	return s.startSignIn(ctx, &c, user, caller.ARN)
}

// startSignIn begins a sign-in that a user of c has asked for, or needs.
func (s *Service) startSignIn(ctx context.Context, c *Connector, user, by string) (SignInStart, error) {
	if c.Auth.Type != AuthorizationCode {
		return SignInStart{}, fault.New(fault.State, SubjectSignIn, "the action connector %q authenticates with %s, for which nobody signs in", c.ID, c.Auth.Type)
	}
	if s.PublicURL == "" {
		return SignInStart{}, fault.New(fault.State, SubjectSignIn, "this server does not know under which address browsers reach it; start it with --public-url")
	}
	if err := maySign(c, user); err != nil {
		return SignInStart{}, err
	}
	user = grantUser(c, user)
	now, client := s.Now(), fingerprint(c)
	in, err := s.SignIns.SignInGet(ctx, c.ID, user)
	if err == nil && in.Client == client && in.Redirect == s.PublicURL+CallbackPath && in.Expires.Sub(now) > signInTime/2 {
		if start, err := s.signInURL(c, in); err == nil {
			return start, nil
		}
	}
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return SignInStart{}, err
	}
	state, verifier := oauth.NewVerifier(), oauth.NewVerifier()
	in = SignIn{
		Digest: digest(state), ConnectorID: c.ID, User: user, Redirect: s.PublicURL + CallbackPath, Client: client, StartedBy: by,
		Secret: s.Box.Seal(signInPurpose(c.ID, user), secret.NewText(state+" "+verifier)), Created: now, Expires: now.Add(signInTime),
	}
	if err := s.SignIns.SignInPut(ctx, in); err != nil {
		return SignInStart{}, err
	}
	if _, err := s.Grants.GrantUpdate(ctx, c.ID, user, func(g *Grant) error {
		if g.ID == "" {
			g.ID, g.Created = s.NewID(), now
		}
		if g.State == "" || g.State == GrantFailed {
			g.State, g.Reason, g.Updated = GrantPending, "", now
		}
		return nil
	}); err != nil {
		return SignInStart{}, err
	}
	return s.signInURL(c, in)
}

// maySign refuses a user who is about to make or forget a sign-in that others use, too.
func maySign(c *Connector, user string) error {
	if c.Identity() == Shared && isQuickSight(user) && !c.permission(user).Owner() {
		return fault.New(fault.Denied, SubjectPermission, "all users of the action connector %q share one sign-in, which is an owner's to make and to forget; %s is not an owner", c.ID, user)
	}
	return nil
}

func (s *Service) signInURL(c *Connector, in SignIn) (SignInStart, error) {
	text, err := s.Box.Open(signInPurpose(c.ID, in.User), in.Secret)
	if err != nil {
		return SignInStart{}, err
	}
	state, verifier, _ := strings.Cut(text.Reveal(), " ")
	out := SignInStart{
		URL:      s.client(c, secret.Text{}).AuthorizationURL(state, in.Redirect, verifier),
		Redirect: in.Redirect, Expires: in.Expires, User: in.User, Identity: c.Identity(),
	}
	if c.Auth.RedirectURL != in.Redirect {
		out.Note = "The connector names the redirect address " + c.Auth.RedirectURL + "; sign-ins come back to " + in.Redirect + ", which must be registered with the vendor."
	}
	return out, nil
}

// Callback is what a vendor has sent a browser back with.
type Callback struct{ State, Code, Error, ErrorDescription string }

// SignedIn is a sign-in that has succeeded.
type SignedIn struct {
	Connector Connector
	Grant     Grant
}

// FinishSignIn takes what a vendor has answered. The state is good once, and for the user it was made for.
func (s *Service) FinishSignIn(ctx context.Context, cb Callback) (SignedIn, error) {
	// The code is used up by the exchange: a browser that goes away must not cost the user the sign-in.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if cb.State == "" {
		return SignedIn{}, fault.New(fault.Invalid, SubjectSignIn, "this address is where sign-ins come back to; it was called without one. Begin the sign-in again")
	}
	in, err := s.SignIns.SignInTake(ctx, digest(cb.State))
	if fault.KindOf(err) == fault.NotFound {
		return SignedIn{}, fault.New(fault.NotFound, SubjectSignIn, "this sign-in is not known: it was used already, has been replaced by a newer one, or was begun elsewhere. Begin it again")
	}
	if err != nil {
		return SignedIn{}, err
	}
	now := s.Now()
	if !now.Before(in.Expires) {
		return SignedIn{}, s.signInFailed(ctx, in, fault.New(fault.Expired, SubjectSignIn, "this sign-in took longer than %d minutes; begin it again", int(signInTime.Minutes())))
	}
	c, err := s.get(ctx, in.ConnectorID)
	switch {
	case err != nil:
		return SignedIn{}, err
	case cb.Error != "":
		said := oauth.Clean(cb.Error)
		if d := oauth.Clean(cb.ErrorDescription); d != "" {
			said += ": " + d
		}
		return SignedIn{}, s.signInFailed(ctx, in, fault.New(fault.Denied, SubjectSignIn, "the vendor refused the sign-in and says %q", said))
	case cb.Code == "":
		return SignedIn{}, s.signInFailed(ctx, in, fault.New(fault.Invalid, SubjectSignIn, "the vendor sent the browser back with neither a code nor an error; begin the sign-in again"))
	case in.Client != fingerprint(&c):
		return SignedIn{}, s.signInFailed(ctx, in, fault.New(fault.State, SubjectSignIn, "the connector was changed during the sign-in; begin it again"))
	}
	token, err := s.exchange(ctx, &c, in, cb.Code)
	if err != nil {
		return SignedIn{}, s.signInFailed(ctx, in, err)
	}
	g, err := s.Grants.GrantUpdate(ctx, c.ID, in.User, func(g *Grant) error {
		if g.ID == "" {
			g.ID, g.Created = s.NewID(), now
		}
		s.hold(g, token, now)
		g.State, g.Reason, g.Client, g.SignedIn, g.Refreshed = GrantActive, "", in.Client, now, time.Time{}
		return nil
	})
	if err != nil {
		return SignedIn{}, err
	}
	s.keeper.Forget(grantKey(&c, in.User))
	s.Log.Info("signed in to an action connector", "connector", c.ID, "user", in.User, "grant", g.ID)
	return SignedIn{c, g}, nil
}

func (s *Service) exchange(ctx context.Context, c *Connector, in SignIn, code string) (oauth.Token, error) {
	text, err := s.Box.Open(signInPurpose(c.ID, in.User), in.Secret)
	if err != nil {
		return oauth.Token{}, fault.Wrap(err, fault.Internal, SubjectSignIn, "the sign-in cannot be opened")
	}
	password, err := s.secret(c)
	if err != nil {
		return oauth.Token{}, err
	}
	via, err := s.Egress.Client(c.VPCConnectionARN)
	if err != nil {
		return oauth.Token{}, err
	}
	_, verifier, _ := strings.Cut(text.Reveal(), " ")
	t, err := s.client(c, password).Exchange(ctx, via, code, in.Redirect, verifier)
	if fault.Is(err, fault.Denied, oauth.SubjectGrant) {
		err = fault.Wrap(err, fault.Denied, SubjectToken, "the vendor would not take its own code: %s. Begin the sign-in again", fault.Message(err))
	}
	return t, err
}

// signInFailed writes why a sign-in has failed to a grant that has none yet, and returns the reason.
func (s *Service) signInFailed(ctx context.Context, in SignIn, why error) error {
	now := s.Now()
	_, err := s.Grants.GrantUpdate(ctx, in.ConnectorID, in.User, func(g *Grant) error {
		if g.ID == "" {
			g.ID, g.Created = s.NewID(), now
		}
		if g.State == GrantPending || g.State == "" {
			g.State = GrantFailed
		}
		if g.State == GrantFailed {
			g.Reason, g.Updated = fault.Message(why), now
		}
		return nil
	})
	if err != nil && fault.KindOf(err) != fault.NotFound {
		s.Log.Error("cannot store that a sign-in has failed", "connector", in.ConnectorID, "error", err)
	}
	s.Log.Info("a sign-in to an action connector has failed", "connector", in.ConnectorID, "user", in.User, "reason", fault.Message(why))
	return why
}

// ListGrants returns a page of the grants of a connector, in the order of their users, and the user after which the
// next page begins.
func (s *Service) ListGrants(ctx context.Context, caller identity.Caller, account, connectorID, after string) ([]Grant, string, error) {
	c, err := s.Get(ctx, caller, account, connectorID)
	if err != nil {
		return nil, "", err
	}
	list, err := s.Grants.GrantPage(ctx, c.ID, after, maxPage+1)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(list) > maxPage {
		list, next = list[:maxPage], list[maxPage-1].User
	}
	out := make([]Grant, len(list))
	for n, g := range list {
		out[n] = current(&c, g)
	}
	return out, next, nil
}

// SignOut forgets the grant of a user, "" for the caller. The vendor is not told.
func (s *Service) SignOut(ctx context.Context, caller identity.Caller, account, connectorID, user string) error {
	c, user, err := s.admit(ctx, caller, account, connectorID, user)
	if err != nil {
		return err
	}
	if err := maySign(&c, user); err != nil {
		return err
	}
	if err := s.Grants.GrantDelete(ctx, c.ID, grantUser(&c, user)); err != nil {
		return err
	}
	s.keeper.Forget(grantKey(&c, grantUser(&c, user)))
	return nil
}

// current is g as it counts for c now.
func current(c *Connector, g Grant) Grant {
	if g.State == GrantActive && g.Client != fingerprint(c) {
		g.State, g.Reason = GrantNeedsSignIn, "the connector's client or endpoints have changed since the sign-in"
	}
	return g
}

// hold puts a token into g.
func (s *Service) hold(g *Grant, t oauth.Token, now time.Time) {
	g.Tokens = s.Box.Seal(grantPurpose(g.ConnectorID, g.User), oauth.Encode(t))
	g.Access, g.Scope, g.Expires, g.Updated = digest(t.Access.Reveal()), t.Scope, t.Expires, now
}

// admit returns a connector and the user that a request is for, when that user may use the connector.
func (s *Service) admit(ctx context.Context, caller identity.Caller, account, connectorID, user string) (Connector, string, error) {
	c, err := s.Get(ctx, caller, account, connectorID)
	if err != nil {
		return Connector{}, "", err
	}
	user, err = s.mayUse(caller, &c, user)
	return c, user, err
}

// mayUse returns the user that a caller acts for: itself, or the one it names. The account's own principals may use
// every connector and act for every user; a user of QuickSight needs a permission and acts for nobody else.
func (s *Service) mayUse(caller identity.Caller, c *Connector, user string) (string, error) {
	if user == "" {
		user = caller.ARN
	}
	isUser := isQuickSight(caller.ARN)
	if user == caller.ARN && !isUser {
		return user, nil
	}
	if user != caller.ARN && isUser {
		return "", fault.New(fault.Denied, SubjectPermission, "%s may not act for %s", caller.ARN, user)
	}
	if err := CheckUser(caller, user); err != nil {
		return "", err
	}
	if !c.permission(user).MayUse() {
		return "", fault.New(fault.Denied, SubjectPermission, "%s may not use the action connector %q; grant %s with UpdateActionConnectorPermissions", user, c.ID, MayInvoke)
	}
	return user, nil
}

// CheckUser refuses what is not the ARN of a user of QuickSight in the caller's account.
func CheckUser(caller identity.Caller, user string) error {
	if err := checkPrincipal(caller, user); err != nil || !strings.Contains(user, ":user/") {
		return fault.New(fault.Invalid, SubjectPermission, "%.200q is not the ARN of a user of QuickSight in this account; the form is arn:%s:quicksight:%s:%s:user/default/name", user, caller.Partition, caller.Region, caller.Account)
	}
	return nil
}

func isQuickSight(principal string) bool {
	a, err := arn.Parse(principal)
	return err == nil && a.Service == "quicksight"
}

// grantUser is whose grant serves a user on c.
func grantUser(c *Connector, user string) string {
	if c.Identity() == Shared {
		return ""
	}
	return user
}

func signInPurpose(connectorID, user string) string {
	return "action-sign-in/" + connectorID + "/" + user
}
func grantPurpose(connectorID, user string) string { return "action-grant/" + connectorID + "/" + user }

// grantKey names a grant to the keeper of tokens. A connector that was deleted and made again, or whose client has
// changed, has other grants.
func grantKey(c *Connector, user string) string {
	return strings.Join([]string{c.ID, user, fingerprint(c), c.Created.String()}, "\x00")
}

// fingerprint tells for which client and which endpoints a grant was made: tokens never go anywhere else.
func fingerprint(c *Connector) string {
	origin := c.Auth.BaseEndpoint
	if u, err := url.Parse(origin); err == nil {
		origin = u.Scheme + "://" + u.Host
	}
	return digest(string(c.Auth.Type), c.Auth.ClientID, c.Auth.TokenEndpoint, c.Auth.AuthorizationEndpoint, origin)
}

// digest is a hash of texts, in hexadecimal.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// client is c's registration with its authorization server.
func (s *Service) client(c *Connector, password secret.Text) oauth.Client {
	info, _ := Info(c.Type)
	out := oauth.Client{
		ID: c.Auth.ClientID, Secret: password, AuthorizationEndpoint: c.Auth.AuthorizationEndpoint, TokenEndpoint: c.Auth.TokenEndpoint,
		Scopes: info.Scopes, Separator: info.Separator, ScopeParam: info.ScopeParam, TokenIn: info.TokenIn, AuthParams: info.AuthParams, Auth: info.ClientAuth, Now: s.Now,
	}
	if c.Auth.Type == ClientCredentials {
		out.Scopes = info.ClientScopes
	}
	if scopes, ok := c.Tags[TagScopes]; ok {
		out.Scopes = strings.Fields(scopes)
	}
	switch c.Tags[TagClientAuth] {
	case "basic":
		out.Auth = oauth.InHeader
	case "body":
		out.Auth = oauth.InBody
	}
	out.NoPKCE = c.Tags[TagPKCE] == "false" && len(c.Secret) > 0 // one of the two has to prove the client
	return out
}
