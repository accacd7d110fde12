package sqlite

import (
	"context"
	"database/sql"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

var policyTable = newEntity("policy", 1, []column[zeroetl.Policy]{
	{"warehouse_id", func(v *zeroetl.Policy) any { return &v.WarehouseID }},
	{"resource_arn", func(v *zeroetl.Policy) any { return &v.ResourceARN }},
	{"text", func(v *zeroetl.Policy) any { return &v.Text }},
	{"updated", func(v *zeroetl.Policy) any { return &v.Updated }},
})

// Policies is a zeroetl.PolicyStore.
type Policies struct{ db *DB }

func noPolicy(warehouseID string) error {
	return fault.New(fault.NotFound, zeroetl.SubjectPolicy, "the namespace %s has no resource policy", warehouseID)
}

// PolicyPut implements zeroetl.PolicyStore.
func (s *Policies) PolicyPut(ctx context.Context, p zeroetl.Policy) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		if _, err := t.ExecContext(ctx, "DELETE FROM policy WHERE warehouse_id = ?", p.WarehouseID); err != nil {
			return err
		}
		_, err := policyTable.insert(ctx, t, &p)
		return err
	}, nil)
}

// PolicyGet implements zeroetl.PolicyStore.
func (s *Policies) PolicyGet(ctx context.Context, warehouseID string) (p zeroetl.Policy, err error) {
	err = s.db.view(ctx, func(ctx context.Context, t *sql.Tx) error {
		p, err = policyTable.get(ctx, t, noPolicy(warehouseID), "WHERE warehouse_id = ?", warehouseID)
		return err
	})
	return p, err
}

// PolicyDelete implements zeroetl.PolicyStore.
func (s *Policies) PolicyDelete(ctx context.Context, warehouseID string) error {
	return s.db.update(ctx, func(ctx context.Context, t *sql.Tx) error {
		return deleteOne(ctx, t, noPolicy(warehouseID), "DELETE FROM policy WHERE warehouse_id = ?", warehouseID)
	}, nil)
}
