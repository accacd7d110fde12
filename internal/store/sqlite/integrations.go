package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"sync/atomic"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

var integrationTable = newEntity("integration", 1, []column[zeroetl.Integration]{
	{"id", func(v *zeroetl.Integration) any { return &v.ID }},
	{"arn", func(v *zeroetl.Integration) any { return &v.ARN }},
	{"name", func(v *zeroetl.Integration) any { return &v.Name }},
	{"source_arn", func(v *zeroetl.Integration) any { return &v.SourceARN }},
	{"target_arn", func(v *zeroetl.Integration) any { return &v.TargetARN }},
	{"warehouse_id", func(v *zeroetl.Integration) any { return &v.WarehouseID }},
	{"kind", func(v *zeroetl.Integration) any { return &v.Kind }},
	{"status", func(v *zeroetl.Integration) any { return &v.Status }},
	{"problems", func(v *zeroetl.Integration) any { return &v.Problems }},
	{"description", func(v *zeroetl.Integration) any { return &v.Description }},
	{"kms_key_id", func(v *zeroetl.Integration) any { return &v.KMSKeyID }},
	{"encryption_context", func(v *zeroetl.Integration) any { return &v.EncryptionContext }},
	{"tags", func(v *zeroetl.Integration) any { return &v.Tags }},
	{"owner", func(v *zeroetl.Integration) any { return &v.Owner }},
	{"created", func(v *zeroetl.Integration) any { return &v.Created }},
	{"destination_database", func(v *zeroetl.Integration) any { return &v.Destination.Database }},
	{"destination_created_by", func(v *zeroetl.Integration) any { return &v.Destination.CreatedBy }},
	{"destination_created", func(v *zeroetl.Integration) any { return &v.Destination.Created }},
	{"query_all_states", func(v *zeroetl.Integration) any { return &v.Destination.QueryAllStates }},
	{"accept_inv_chars", func(v *zeroetl.Integration) any { return &v.Destination.AcceptInvChars }},
	{"truncate_columns", func(v *zeroetl.Integration) any { return &v.Destination.TruncateColumns }},
	{"refresh_interval", func(v *zeroetl.Integration) any { return &v.Destination.RefreshInterval }},
	{"refreshes", func(v *zeroetl.Integration) any { return &v.Destination.Refreshes }},
	{"refreshes_done", func(v *zeroetl.Integration) any { return &v.Destination.RefreshesDone }},
})

// Integrations is a zeroetl.Store. Reads are answered from a snapshot in memory that is replaced, never changed,
// when an update is durable: DescribeIntegrations is asked far more often than anything changes.
type Integrations struct {
	db    *DB
	state atomic.Pointer[integrations]
}

// integrations is one state of the store, in the order of the list.
type integrations struct {
	list []zeroetl.Integration
	byID map[string]int
}

func newState(list []zeroetl.Integration) *integrations {
	slices.SortFunc(list, zeroetl.Compare)
	byID := make(map[string]int, len(list))
	for n := range list {
		byID[list[n].ID] = n
	}
	return &integrations{list, byID}
}

// get returns where the integration is in the list.
func (s *integrations) get(id string) (int, error) {
	n, ok := s.byID[id]
	if !ok {
		return 0, fault.New(fault.NotFound, zeroetl.SubjectIntegration, "there is no integration %q", id)
	}
	return n, nil
}

func loadIntegrations(ctx context.Context, db *DB) (*Integrations, error) {
	s := &Integrations{db: db}
	return s, db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err := integrationTable.list(ctx, t, "")
		s.state.Store(newState(list))
		return err
	})
}

// change runs f on the current state in a transaction. The list that it returns, which must be its own, becomes
// the state once the transaction is durable.
func (s *Integrations) change(ctx context.Context, f func(ctx context.Context, t *sql.Tx, now *integrations) ([]zeroetl.Integration, error)) error {
	var next *integrations
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		list, err := f(ctx, t, s.state.Load())
		if err == nil {
			next = newState(list)
		}
		return err
	}, func() { s.state.Store(next) })
}

// IntegrationCreate implements zeroetl.Store.
func (s *Integrations) IntegrationCreate(ctx context.Context, i zeroetl.Integration, max int) error {
	return s.change(ctx, func(ctx context.Context, t *sql.Tx, now *integrations) ([]zeroetl.Integration, error) {
		if _, taken := now.byID[i.ID]; taken {
			return nil, fault.New(fault.AlreadyExists, zeroetl.SubjectIntegration, "there is an integration with the id %q already", i.ID)
		}
		if err := zeroetl.Admit(now.list, i, max); err != nil {
			return nil, err
		}
		_, err := integrationTable.insert(ctx, t, &i)
		return append(slices.Clone(now.list), i), err
	})
}

// read returns the current state.
func (s *Integrations) read(ctx context.Context) (*integrations, error) {
	leave, err := s.db.enter()
	if err != nil {
		return nil, err
	}
	leave()
	return s.state.Load(), ctx.Err()
}

// IntegrationGet implements zeroetl.Store.
func (s *Integrations) IntegrationGet(ctx context.Context, id string) (zeroetl.Integration, error) {
	now, err := s.read(ctx)
	if err != nil {
		return zeroetl.Integration{}, err
	}
	n, err := now.get(id)
	if err != nil {
		return zeroetl.Integration{}, err
	}
	return now.list[n], nil
}

// IntegrationList implements zeroetl.Store.
func (s *Integrations) IntegrationList(ctx context.Context) ([]zeroetl.Integration, error) {
	now, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clip(now.list), nil
}

// IntegrationUpdate implements zeroetl.Store.
func (s *Integrations) IntegrationUpdate(ctx context.Context, id string, change func(*zeroetl.Integration) error) (i zeroetl.Integration, err error) {
	err = s.change(ctx, func(ctx context.Context, t *sql.Tx, now *integrations) ([]zeroetl.Integration, error) {
		n, err := now.get(id)
		if err != nil {
			return nil, err
		}
		old := now.list[n]
		next := old
		if err := change(&next); err != nil {
			return nil, err
		}
		next.ID, next.ARN, next.Created = old.ID, old.ARN, old.Created
		if err := zeroetl.Admit(now.list, next, 0); err != nil {
			return nil, err
		}
		list := slices.Clone(now.list)
		list[n], i = next, next
		return list, integrationTable.update(ctx, t, &old, &next)
	})
	return i, err
}

// IntegrationDelete implements zeroetl.Store.
func (s *Integrations) IntegrationDelete(ctx context.Context, id string) error {
	return s.change(ctx, func(ctx context.Context, t *sql.Tx, now *integrations) ([]zeroetl.Integration, error) {
		n, err := now.get(id)
		if err != nil {
			return nil, err
		}
		_, err = t.ExecContext(ctx, "DELETE FROM integration WHERE id = ?", id)
		return slices.Delete(slices.Clone(now.list), n, n+1), err
	})
}
