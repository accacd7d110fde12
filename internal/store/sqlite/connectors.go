package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
)

var connectorTable = newEntity("action_connector", 1, []column[action.Connector]{
	{"id", func(v *action.Connector) any { return &v.ID }},
	{"arn", func(v *action.Connector) any { return &v.ARN }},
	{"name", func(v *action.Connector) any { return &v.Name }},
	{"description", func(v *action.Connector) any { return &v.Description }},
	{"type", func(v *action.Connector) any { return &v.Type }},
	{"auth_type", func(v *action.Connector) any { return &v.Auth.Type }},
	{"base_endpoint", func(v *action.Connector) any { return &v.Auth.BaseEndpoint }},
	{"client_id", func(v *action.Connector) any { return &v.Auth.ClientID }},
	{"token_endpoint", func(v *action.Connector) any { return &v.Auth.TokenEndpoint }},
	{"authorization_endpoint", func(v *action.Connector) any { return &v.Auth.AuthorizationEndpoint }},
	{"redirect_url", func(v *action.Connector) any { return &v.Auth.RedirectURL }},
	{"credentials_source", func(v *action.Connector) any { return &v.Auth.CredentialsSource }},
	{"username", func(v *action.Connector) any { return &v.Auth.Username }},
	{"email", func(v *action.Connector) any { return &v.Auth.Email }},
	{"role_arn", func(v *action.Connector) any { return &v.Auth.RoleARN }},
	{"secret", func(v *action.Connector) any { return &v.Secret }},
	{"vpc_connection_arn", func(v *action.Connector) any { return &v.VPCConnectionARN }},
	{"restricted", func(v *action.Connector) any { return &v.Restricted }},
	{"enabled_actions", func(v *action.Connector) any { return &v.EnabledActions }},
	{"status", func(v *action.Connector) any { return &v.Status }},
	{"error", func(v *action.Connector) any { return &v.Error }},
	{"unverified", func(v *action.Connector) any { return &v.Unverified }},
	{"permissions", func(v *action.Connector) any { return &v.Permissions }},
	{"tags", func(v *action.Connector) any { return &v.Tags }},
	{"owner", func(v *action.Connector) any { return &v.Owner }},
	{"created", func(v *action.Connector) any { return &v.Created }},
	{"updated", func(v *action.Connector) any { return &v.Updated }},
	{"revision", func(v *action.Connector) any { return &v.Revision }},
})

// Connectors implements the stores of package action that are about connectors and their grants.
type Connectors struct{ db *DB }

// Connectors returns the stores of package action that are about connectors and their grants.
func (db *DB) Connectors() *Connectors { return &Connectors{db} }

func noConnector(id string) error {
	return fault.New(fault.NotFound, action.SubjectConnector, "there is no action connector %q", id)
}

func (s *Connectors) get(ctx context.Context, t *sql.Tx, id string) (action.Connector, error) {
	return connectorTable.get(ctx, t, noConnector(id), "WHERE id = ?", id)
}

// free is AlreadyExists when another connector has c's name.
func (s *Connectors) free(ctx context.Context, t *sql.Tx, c *action.Connector) error {
	taken, err := has(ctx, t, "SELECT 1 FROM action_connector WHERE name = ? AND id <> ?", c.Name, c.ID)
	if err == nil && taken {
		err = fault.New(fault.AlreadyExists, action.SubjectName, "there is another action connector with this name; choose a name that none has")
	}
	return err
}

// index writes what c's permissions say to action_access.
func (s *Connectors) index(ctx context.Context, t *sql.Tx, c *action.Connector) error {
	if _, err := t.ExecContext(ctx, "DELETE FROM action_access WHERE connector_id = ?", c.ID); err != nil {
		return err
	}
	for _, p := range c.Permissions {
		if _, err := t.ExecContext(ctx, "INSERT INTO action_access (principal, connector_id, owner) VALUES (?, ?, ?)", p.Principal, c.ID, p.Owner()); err != nil {
			return err
		}
	}
	return nil
}

// ConnectorCreate implements action.Store.
func (s *Connectors) ConnectorCreate(ctx context.Context, c action.Connector) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		taken, err := has(ctx, t, "SELECT 1 FROM action_connector WHERE id = ?", c.ID)
		if err != nil {
			return err
		}
		if taken {
			return fault.New(fault.AlreadyExists, action.SubjectConnector, "there is an action connector %q already; choose another id, or update that one", c.ID)
		}
		if err := s.free(ctx, t, &c); err != nil {
			return err
		}
		if _, err := connectorTable.insert(ctx, t, &c); err != nil {
			return err
		}
		return s.index(ctx, t, &c)
	}, nil)
}

// ConnectorGet implements action.Store.
func (s *Connectors) ConnectorGet(ctx context.Context, id string) (c action.Connector, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		c, err = s.get(ctx, t, id)
		return err
	})
	return c, err
}

// ConnectorUpdate implements action.Store.
func (s *Connectors) ConnectorUpdate(ctx context.Context, id string, change func(*action.Connector) error) (c action.Connector, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		old, err := s.get(ctx, t, id)
		if err != nil {
			return err
		}
		c = old
		if err := change(&c); err != nil {
			return err
		}
		c.ID, c.ARN, c.Type, c.Created = old.ID, old.ARN, old.Type, old.Created
		if err := s.free(ctx, t, &c); err != nil {
			return err
		}
		if err := connectorTable.update(ctx, t, &old, &c); err != nil {
			return err
		}
		return s.index(ctx, t, &c)
	}, nil)
	if err != nil {
		return action.Connector{}, err
	}
	return c, nil
}

// ConnectorDelete implements action.Store. Grants, sign-ins and documents go by their foreign keys.
func (s *Connectors) ConnectorDelete(ctx context.Context, id string) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		return deleteOne(ctx, t, noConnector(id), "DELETE FROM action_connector WHERE id = ?", id)
	}, nil)
}

// pattern is a LIKE pattern for texts that contain s.
func pattern(s string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(s) + "%"
}

// ConnectorPage implements action.Store.
func (s *Connectors) ConnectorPage(ctx context.Context, f action.Filter, after string, limit int) (list []action.Connector, err error) {
	// Each query finds the ids of a page in an index; the rows of those alone are read.
	var ids string
	args := []any{f.Value, after, limit}
	switch {
	case f.By == action.ByName && f.Like:
		ids, args[0] = `SELECT id FROM action_connector INDEXED BY action_connector_words WHERE name LIKE ? ESCAPE '\' AND id > ?`, pattern(f.Value)
	case f.By == action.ByType && f.Like:
		ids, args[0] = `SELECT id FROM action_connector INDEXED BY action_connector_words WHERE type LIKE ? ESCAPE '\' AND id > ?`, pattern(f.Value)
	case f.By == action.ByName:
		ids = "SELECT id FROM action_connector WHERE name = ? AND id > ?"
	case f.By == action.ByType:
		ids = "SELECT id FROM action_connector WHERE type = ? AND id > ?"
	case f.By == action.ByViewer:
		ids = "SELECT connector_id AS id FROM action_access WHERE principal = ? AND connector_id > ?"
	case f.By == action.ByOwner:
		ids = "SELECT connector_id AS id FROM action_access WHERE principal = ? AND owner = 1 AND connector_id > ?"
	case f.By == action.BySoleOwner:
		ids = "SELECT connector_id AS id FROM action_access a WHERE principal = ? AND owner = 1 AND connector_id > ? " +
			"AND NOT EXISTS (SELECT 1 FROM action_access b WHERE b.connector_id = a.connector_id AND b.owner = 1 AND b.principal <> a.principal)"
	case f.By == action.ByProgress:
		ids, args = "SELECT id FROM action_connector WHERE status IN ('CREATION_IN_PROGRESS', 'UPDATE_IN_PROGRESS') AND id > ?", args[1:]
	default:
		ids, args = "SELECT id FROM action_connector WHERE id > ?", args[1:]
	}
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = connectorTable.list(ctx, t, "WHERE id IN ("+ids+" ORDER BY id LIMIT ?) ORDER BY id", args...)
		return err
	})
	return list, err
}

var vpcTable = newEntity("action_vpc_connection", 1, []column[action.VPCConnection]{
	{"id", func(v *action.VPCConnection) any { return &v.ID }},
	{"arn", func(v *action.VPCConnection) any { return &v.ARN }},
	{"name", func(v *action.VPCConnection) any { return &v.Name }},
	{"subnet_ids", func(v *action.VPCConnection) any { return &v.SubnetIDs }},
	{"security_group_ids", func(v *action.VPCConnection) any { return &v.SecurityGroupIDs }},
	{"dns_resolvers", func(v *action.VPCConnection) any { return &v.DNSResolvers }},
	{"role_arn", func(v *action.VPCConnection) any { return &v.RoleARN }},
	{"status", func(v *action.VPCConnection) any { return &v.Status }},
	{"tags", func(v *action.VPCConnection) any { return &v.Tags }},
	{"created", func(v *action.VPCConnection) any { return &v.Created }},
	{"updated", func(v *action.VPCConnection) any { return &v.Updated }},
})

func noVPC(id string) error {
	return fault.New(fault.NotFound, action.SubjectVPC, "there is no VPC connection %q", id)
}

// VPCCreate implements action.VPCStore.
func (s *Connectors) VPCCreate(ctx context.Context, v action.VPCConnection, max int) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		taken, err := has(ctx, t, "SELECT 1 FROM action_vpc_connection WHERE id = ?", v.ID)
		if err != nil {
			return err
		}
		if taken {
			return fault.New(fault.AlreadyExists, action.SubjectVPC, "there is a VPC connection %q already; choose another id, or update that one", v.ID)
		}
		var count int
		if err := t.QueryRowContext(ctx, "SELECT count(*) FROM action_vpc_connection").Scan(&count); err != nil {
			return err
		}
		if count >= max {
			return fault.New(fault.Limit, action.SubjectVPC, "there are %d VPC connections, which is the limit; delete one that is not needed", count)
		}
		_, err = vpcTable.insert(ctx, t, &v)
		return err
	}, nil)
}

// VPCGet implements action.VPCStore.
func (s *Connectors) VPCGet(ctx context.Context, id string) (v action.VPCConnection, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		v, err = vpcTable.get(ctx, t, noVPC(id), "WHERE id = ?", id)
		return err
	})
	return v, err
}

// VPCUpdate implements action.VPCStore.
func (s *Connectors) VPCUpdate(ctx context.Context, id string, change func(*action.VPCConnection) error) (v action.VPCConnection, err error) {
	err = s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		old, err := vpcTable.get(ctx, t, noVPC(id), "WHERE id = ?", id)
		if err != nil {
			return err
		}
		v = old
		if err := change(&v); err != nil {
			return err
		}
		v.ID, v.ARN, v.Created = old.ID, old.ARN, old.Created
		return vpcTable.update(ctx, t, &old, &v)
	}, nil)
	if err != nil {
		return action.VPCConnection{}, err
	}
	return v, nil
}

// VPCDelete implements action.VPCStore.
func (s *Connectors) VPCDelete(ctx context.Context, id string) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		v, err := vpcTable.get(ctx, t, noVPC(id), "WHERE id = ?", id)
		if err != nil {
			return err
		}
		used, err := has(ctx, t, "SELECT 1 FROM action_connector WHERE vpc_connection_arn = ? AND vpc_connection_arn <> ''", v.ARN)
		if err != nil {
			return err
		}
		if used {
			return fault.New(fault.State, action.SubjectVPCInUse, "an action connector uses the VPC connection %q; update or delete that connector first", id)
		}
		_, err = t.ExecContext(ctx, "DELETE FROM action_vpc_connection WHERE id = ?", id)
		return err
	}, nil)
}

// VPCPage implements action.VPCStore.
func (s *Connectors) VPCPage(ctx context.Context, after string, limit int) (list []action.VPCConnection, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err = vpcTable.list(ctx, t, "WHERE id > ? ORDER BY id LIMIT ?", after, limit)
		return err
	})
	return list, err
}
