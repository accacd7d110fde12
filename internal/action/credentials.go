package action

import (
	"context"
	"fmt"
	"time"

	"github.com/penstock-io/penstock/internal/action/oauth"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

// Authorization is what proves to a vendor who is calling. It lives in memory only.
type Authorization struct {
	Type        AuthType
	Identity    Identity
	User        string      // whose sign-in it is; empty for the shared one and for the connector's own
	Username    string      // Basic
	Email       string      // APIKey, where the vendor wants one
	Secret      secret.Text // Basic: the password. APIKey: the key
	Token       secret.Text // the OAuth types: the access token
	TokenType   string      // mostly Bearer
	InstanceURL string      // where the vendor says the API is; mostly empty
	RoleARN     string      // IAM
	SourceARN   string      // IAM: the connector's ARN
}

// Credentials give the Authorization of one connector's calls for one user. They are safe for concurrent use.
type Credentials struct {
	service   *Service
	connector Connector
	user      string // ARN; ignored where the identity is not per user
}

// Authorization returns what calls prove themselves with, with a token that is good for a while. Where a sign-in is
// needed the fault's cause is a *SignInError; a token endpoint that refuses the connector is Denied about SubjectToken,
// one that cannot be reached Unavailable.
func (cr *Credentials) Authorization(ctx context.Context) (Authorization, error) {
	return cr.get(ctx, secret.Text{})
}

// Refresh returns another Authorization after the vendor has refused one with a status of 401. Where there is no
// other it is Denied about SubjectAuth.
func (cr *Credentials) Refresh(ctx context.Context, refused Authorization) (Authorization, error) {
	switch cr.connector.Auth.Type {
	case ClientCredentials, AuthorizationCode:
		return cr.get(ctx, refused.Token)
	default:
		return Authorization{}, fault.New(fault.Denied, SubjectAuth, "the vendor refuses the credentials of the action connector %q; correct them with UpdateActionConnector", cr.connector.ID)
	}
}

func (cr *Credentials) get(ctx context.Context, refused secret.Text) (Authorization, error) {
	c := &cr.connector
	out := Authorization{Type: c.Auth.Type, Identity: c.Identity(), Username: c.Auth.Username, Email: c.Auth.Email, RoleARN: c.Auth.RoleARN}
	switch c.Auth.Type {
	case IAM:
		out.SourceARN = c.ARN
		return out, nil
	case None:
		return out, nil
	case Basic, APIKey:
		var err error
		out.Secret, err = cr.service.secret(c)
		return out, err
	}
	var key string
	var grant oauth.Grant
	if c.Auth.Type == ClientCredentials {
		key, grant = fmt.Sprintf("%s\x00%d\x00%s", c.ID, c.Revision, c.Created), cr.ownGrant()
	} else {
		out.User = grantUser(c, cr.user)
		key, grant = grantKey(c, out.User), cr.userGrant(out.User)
	}
	t, err := cr.service.keeper.Token(ctx, key, refused, grant)
	out.Token, out.TokenType, out.InstanceURL = t.Access, t.Type, t.InstanceURL
	return out, err
}

// ask returns what requests to the token endpoint are made with.
func (cr *Credentials) ask(ctx context.Context, request func(context.Context, oauth.Client) (oauth.Token, error)) (oauth.Token, error) {
	password, err := cr.service.secret(&cr.connector)
	if err != nil {
		return oauth.Token{}, err
	}
	return request(ctx, cr.service.client(&cr.connector, password))
}

// ownGrant is how a connector gets tokens of its own.
func (cr *Credentials) ownGrant() oauth.Grant {
	return oauth.Grant{Renew: func(ctx context.Context, _ oauth.Token) (oauth.Token, error) {
		via, err := cr.service.Egress.Client(cr.connector.VPCConnectionARN)
		if err != nil {
			return oauth.Token{}, err
		}
		return cr.ask(ctx, func(ctx context.Context, client oauth.Client) (oauth.Token, error) {
			return client.ClientCredentials(ctx, via)
		})
	}}
}

// userGrant is how a user's tokens are kept fresh.
func (cr *Credentials) userGrant(user string) oauth.Grant {
	s, c := cr.service, &cr.connector
	return oauth.Grant{
		Renew: func(ctx context.Context, t oauth.Token) (oauth.Token, error) {
			via, err := s.Egress.Client(c.VPCConnectionARN)
			if err != nil {
				return oauth.Token{}, err
			}
			return cr.ask(ctx, func(ctx context.Context, client oauth.Client) (oauth.Token, error) { return client.Renew(ctx, via, t) })
		},
		Load: func(ctx context.Context) (oauth.Token, error) {
			g, err := s.Grants.GrantGet(ctx, c.ID, user)
			if fault.KindOf(err) == fault.NotFound {
				return oauth.Token{}, cr.needsSignIn(ctx, user, "nobody has signed in yet")
			}
			if err != nil {
				return oauth.Token{}, err
			}
			if g = current(c, g); g.State != GrantActive {
				why := g.Reason
				if why == "" {
					why = "the sign-in has not been finished"
				}
				return oauth.Token{}, cr.needsSignIn(ctx, user, why)
			}
			text, err := s.Box.Open(grantPurpose(c.ID, user), g.Tokens)
			if err != nil {
				return oauth.Token{}, fault.Wrap(err, fault.Internal, SubjectGrant, "the tokens of a grant cannot be opened")
			}
			return oauth.Decode(text)
		},
		Save: func(ctx context.Context, old secret.Text, t oauth.Token) error {
			now := s.Now()
			_, err := s.Grants.GrantUpdate(ctx, c.ID, user, func(g *Grant) error {
				if g.State != GrantActive || g.Access != digest(old.Reveal()) {
					return fault.New(fault.Conflict, SubjectGrant, "the user has signed in or out meanwhile; try again")
				}
				s.hold(g, t, now)
				g.Refreshed = now
				return nil
			})
			return err
		},
		End: func(ctx context.Context, old secret.Text, cause error) error {
			now, why := s.Now(), fault.Message(cause)
			_, err := s.Grants.GrantUpdate(ctx, c.ID, user, func(g *Grant) error {
				if g.State != GrantActive || g.Access != digest(old.Reveal()) {
					return fault.New(fault.Conflict, SubjectGrant, "the user has signed in or out meanwhile; try again")
				}
				g.State, g.Reason, g.Tokens, g.Access, g.Expires, g.Updated = GrantNeedsSignIn, why, nil, "", time.Time{}, now
				return nil
			})
			if err != nil {
				return err
			}
			s.Log.Warn("a sign-in to an action connector has ended", "connector", c.ID, "user", user, "reason", why)
			return cr.needsSignIn(ctx, user, why)
		},
	}
}

const (
	// idleTime is how long a grant may be without use before it is renewed for the sake of its refresh token.
	idleTime = 24 * time.Hour
	// idleLook is how often such grants are looked for, and idleMany how many are renewed at a time.
	idleLook = time.Hour
	idleMany = 1000
)

// keepGrants renews grants that nobody uses until ctx is done.
func (s *Service) keepGrants(ctx context.Context) {
	look := time.NewTicker(idleLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if err := s.RenewIdle(ctx); err != nil && ctx.Err() == nil {
				s.Log.Error("cannot renew sign-ins to action connectors that nobody uses", "error", err)
			}
		}
	}
}

// RenewIdle renews the tokens of every grant that was not used for a day: vendors end refresh tokens that are not.
// What cannot be renewed now is tried again the next time; what the vendor has ended needs a sign-in.
func (s *Service) RenewIdle(ctx context.Context) error {
	idle, err := s.Grants.GrantsIdle(ctx, s.Now().Add(-idleTime), idleMany)
	if err != nil {
		return err
	}
	away := map[string]bool{} // connectors whose token endpoint does not answer: one of their grants has waited for all
	for _, g := range idle {
		if err := ctx.Err(); err != nil {
			return err
		}
		if away[g.ConnectorID] {
			continue
		}
		c, err := s.get(ctx, g.ConnectorID)
		if err != nil || current(&c, g).State != GrantActive || grantUser(&c, g.User) != g.User {
			continue // it is gone, or of no use as the connector is now
		}
		credentials := &Credentials{service: s, connector: c, user: g.User}
		if err := s.keeper.Renew(ctx, grantKey(&c, g.User), credentials.userGrant(g.User)); err != nil {
			s.Log.Info("a sign-in that nobody uses could not be renewed", "connector", c.ID, "user", g.User, "error", recorded(err))
			kind := fault.KindOf(err)
			away[c.ID] = kind == fault.Unavailable || kind == fault.Throttled
			continue
		}
		now := s.Now()
		if _, err := s.Grants.GrantUpdate(ctx, c.ID, g.User, func(g *Grant) error { g.Updated = now; return nil }); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return nil
}

// needsSignIn is the fault of a missing grant, with the way to repair it.
func (cr *Credentials) needsSignIn(ctx context.Context, user, why string) error {
	need := &SignInError{ConnectorID: cr.connector.ID, User: user}
	start, err := cr.service.startSignIn(ctx, &cr.connector, cr.user, cr.user)
	if err != nil {
		return fault.Wrap(need, fault.State, SubjectGrant, "a sign-in to the action connector %q is needed: %s. It cannot be begun: %s", cr.connector.ID, why, fault.Message(err))
	}
	need.URL, need.Expires = start.URL, start.Expires
	return fault.Wrap(need, fault.State, SubjectGrant, "a sign-in to the action connector %q is needed: %s. Open %s in a browser", cr.connector.ID, why, start.URL)
}
