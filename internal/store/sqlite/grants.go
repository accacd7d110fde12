package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
)

var grantTable = newEntity("action_grant", 2, []column[action.Grant]{
	{"connector_id", func(v *action.Grant) any { return &v.ConnectorID }},
	{"user", func(v *action.Grant) any { return &v.User }},
	{"id", func(v *action.Grant) any { return &v.ID }},
	{"state", func(v *action.Grant) any { return &v.State }},
	{"reason", func(v *action.Grant) any { return &v.Reason }},
	{"tokens", func(v *action.Grant) any { return &v.Tokens }},
	{"access", func(v *action.Grant) any { return &v.Access }},
	{"client", func(v *action.Grant) any { return &v.Client }},
	{"scope", func(v *action.Grant) any { return &v.Scope }},
	{"expires", func(v *action.Grant) any { return &v.Expires }},
	{"created", func(v *action.Grant) any { return &v.Created }},
	{"updated", func(v *action.Grant) any { return &v.Updated }},
	{"signed_in", func(v *action.Grant) any { return &v.SignedIn }},
	{"refreshed", func(v *action.Grant) any { return &v.Refreshed }},
})

var signInTable = newEntity("action_sign_in", 2, []column[action.SignIn]{
	{"connector_id", func(v *action.SignIn) any { return &v.ConnectorID }},
	{"user", func(v *action.SignIn) any { return &v.User }},
	{"digest", func(v *action.SignIn) any { return &v.Digest }},
	{"secret", func(v *action.SignIn) any { return &v.Secret }},
	{"redirect", func(v *action.SignIn) any { return &v.Redirect }},
	{"client", func(v *action.SignIn) any { return &v.Client }},
	{"started_by", func(v *action.SignIn) any { return &v.StartedBy }},
	{"created", func(v *action.SignIn) any { return &v.Created }},
	{"expires", func(v *action.SignIn) any { return &v.Expires }},
})

var documentTable = newEntity("action_document", 1, []column[action.Document]{
	{"connector_id", func(v *action.Document) any { return &v.ConnectorID }},
	{"content", func(v *action.Document) any { return &v.Content }},
	{"updated", func(v *action.Document) any { return &v.Updated }},
})

const whereUser = "WHERE connector_id = ? AND user = ?"

func noGrant(connectorID string) error {
	return fault.New(fault.NotFound, action.SubjectGrant, "nobody has signed in to the action connector %q for this user", connectorID)
}

func noSignIn() error {
	return fault.New(fault.NotFound, action.SubjectSignIn, "there is no such sign-in under way; it was used, has run out or was never begun")
}

// exists is NotFound without the connector.
func (s *Connectors) exists(ctx context.Context, t *sql.Tx, connectorID string) error {
	found, err := has(ctx, t, "SELECT 1 FROM action_connector WHERE id = ?", connectorID)
	if err == nil && !found {
		err = noConnector(connectorID)
	}
	return err
}

// GrantGet implements action.GrantStore.
func (s *Connectors) GrantGet(ctx context.Context, connectorID, user string) (g action.Grant, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		g, err = grantTable.get(ctx, t, noGrant(connectorID), whereUser, connectorID, user)
		return err
	})
	return g, err
}

// GrantUpdate implements action.GrantStore.
func (s *Connectors) GrantUpdate(ctx context.Context, connectorID, user string, change func(*action.Grant) error) (g action.Grant, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if err := s.exists(ctx, t, connectorID); err != nil {
			return err
		}
		found, err := grantTable.list(ctx, t, whereUser, connectorID, user)
		if err != nil {
			return err
		}
		g = action.Grant{ConnectorID: connectorID, User: user}
		if len(found) > 0 {
			g = found[0]
		}
		if err := change(&g); err != nil {
			return err
		}
		g.ConnectorID, g.User = connectorID, user
		if len(found) > 0 {
			return grantTable.update(ctx, t, &found[0], &g)
		}
		_, err = grantTable.insert(ctx, t, &g)
		return err
	}, nil)
	if err != nil {
		return action.Grant{}, err
	}
	return g, nil
}

// GrantDelete implements action.GrantStore.
func (s *Connectors) GrantDelete(ctx context.Context, connectorID, user string) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if err := deleteOne(ctx, t, noGrant(connectorID), "DELETE FROM action_grant "+whereUser, connectorID, user); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, "DELETE FROM action_sign_in "+whereUser, connectorID, user)
		return err
	}, nil)
}

// GrantPage implements action.GrantStore.
func (s *Connectors) GrantPage(ctx context.Context, connectorID, after string, limit int) (list []action.Grant, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = grantTable.list(ctx, t, "WHERE connector_id = ? AND (user > ? OR ? = '') ORDER BY user LIMIT ?", connectorID, after, after, limit)
		return err
	})
	return list, err
}

// GrantsIdle implements action.GrantStore.
func (s *Connectors) GrantsIdle(ctx context.Context, before time.Time, limit int) (list []action.Grant, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = grantTable.list(ctx, t, "WHERE state = 'active' AND updated < ? ORDER BY updated, id LIMIT ?", before.UnixNano(), limit)
		return err
	})
	return list, err
}

// SignInPut implements action.SignInStore.
func (s *Connectors) SignInPut(ctx context.Context, in action.SignIn) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if err := s.exists(ctx, t, in.ConnectorID); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, "DELETE FROM action_sign_in "+whereUser+" OR expires <= ?", in.ConnectorID, in.User, in.Created.UnixNano())
		if err == nil {
			_, err = signInTable.insert(ctx, t, &in)
		}
		return err
	}, nil)
}

// SignInGet implements action.SignInStore.
func (s *Connectors) SignInGet(ctx context.Context, connectorID, user string) (in action.SignIn, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		in, err = signInTable.get(ctx, t, noSignIn(), whereUser, connectorID, user)
		return err
	})
	return in, err
}

// SignInTake implements action.SignInStore.
func (s *Connectors) SignInTake(ctx context.Context, digest string) (in action.SignIn, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if in, err = signInTable.get(ctx, t, noSignIn(), "WHERE digest = ?", digest); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, "DELETE FROM action_sign_in WHERE digest = ?", digest)
		return err
	}, nil)
	if err != nil {
		return action.SignIn{}, err
	}
	return in, nil
}

// DocumentPut implements action.DocumentStore.
func (s *Connectors) DocumentPut(ctx context.Context, d action.Document) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if err := s.exists(ctx, t, d.ConnectorID); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, "DELETE FROM action_document WHERE connector_id = ?", d.ConnectorID); err != nil {
			return err
		}
		_, err := documentTable.insert(ctx, t, &d)
		return err
	}, nil)
}

func noDocument(connectorID string) error {
	return fault.New(fault.NotFound, action.SubjectDocument, "the action connector %q has no OpenAPI document", connectorID)
}

// DocumentGet implements action.DocumentStore.
func (s *Connectors) DocumentGet(ctx context.Context, connectorID string) (d action.Document, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		d, err = documentTable.get(ctx, t, noDocument(connectorID), "WHERE connector_id = ?", connectorID)
		return err
	})
	return d, err
}

// DocumentDelete implements action.DocumentStore.
func (s *Connectors) DocumentDelete(ctx context.Context, connectorID string) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		return deleteOne(ctx, t, noDocument(connectorID), "DELETE FROM action_document WHERE connector_id = ?", connectorID)
	}, nil)
}
