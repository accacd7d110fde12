package tables

import (
	"context"
	"slices"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/storage"
)

// IndexChange makes, changes or deletes a global index: exactly one of its members is set.
type IndexChange struct {
	Create *IndexSpec
	Update *IndexSpec // Name with Throughput or Limits
	Delete string
}

// TableChange is what UpdateTable asks for. The zero value of a member asks for nothing.
type TableChange struct {
	Table           string
	Attributes      []item.Definition
	Billing         string
	Throughput      *Throughput
	Limits          *Limits
	Stream          *StreamSpec
	Indexes         []IndexChange
	Class           string
	Encryption      *string
	EncryptionKey   string
	DeleteProtected *bool
}

// UpdateTable changes a table. An index that is made for items that exist is filled by Run.
func (db *DB) UpdateTable(_ context.Context, c *TableChange) (Status, error) {
	if c.empty() {
		return Status{}, invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	}
	if err := checkStreamSpec(c.Stream); err != nil {
		return Status{}, err
	}
	t, d, err := db.change(c.Table, func(t *table, d *Description) (func(*storage.Batch), error) {
		if err := c.billing(d, db.now()); err != nil {
			return nil, err
		}
		if c.DeleteProtected != nil {
			d.DeleteProtected = *c.DeleteProtected
		}
		if c.Class != "" && c.Class != d.Class {
			d.Class, d.ClassSince = c.Class, db.now()
		}
		if c.Encryption != nil {
			d.Encryption, d.EncryptionKey = *c.Encryption, c.EncryptionKey
		}
		steps, err := db.indexChanges(t, d, c)
		if err != nil {
			return nil, err
		}
		if c.Stream != nil {
			step, err := db.streamChange(t, d, c.Stream)
			if err != nil {
				return nil, err
			}
			steps = append(steps, step)
		}
		return func(b *storage.Batch) {
			for _, step := range steps {
				step(b)
			}
		}, nil
	})
	if err != nil {
		return Status{}, err
	}
	db.signal()
	t.mu.RLock()
	defer t.mu.RUnlock()
	return db.status(t, &d), nil
}

func (c *TableChange) empty() bool {
	return c.Billing == "" && c.Throughput == nil && c.Limits == nil && c.Stream == nil && len(c.Indexes) == 0 && c.Class == "" && c.Encryption == nil && c.DeleteProtected == nil
}

func (c *TableChange) billing(d *Description, now int64) error {
	mode := c.Billing
	if mode == "" {
		mode = d.Billing
	}
	switch {
	case mode == OnDemand && c.Throughput != nil:
		return paramError("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case mode == Provisioned && d.Billing == OnDemand && c.Throughput == nil:
		return paramError("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
	case c.Limits != nil:
		d.Limits = *c.Limits
	}
	if c.Throughput != nil {
		if err := checkUnits(c.Throughput); err != nil {
			return err
		}
		if d.Billing == mode && d.Throughput.same(c.Throughput) {
			return invalid("The provisioned throughput for the table will not change. The requested value equals the current value. "+
				"Current ReadCapacityUnits provisioned for the table: %d. Requested ReadCapacityUnits: %d. "+
				"Current WriteCapacityUnits provisioned for the table: %d. Requested WriteCapacityUnits: %d. "+
				"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
				d.Throughput.Read, c.Throughput.Read, d.Throughput.Write, c.Throughput.Write)
		}
		d.Throughput.set(c.Throughput, now)
	}
	if mode == OnDemand && d.Billing != OnDemand {
		d.OnDemandSince = now
		d.Throughput = Throughput{}
		for _, x := range d.Global {
			x.Throughput = Throughput{}
		}
	}
	d.Billing = mode
	return nil
}

func (t *Throughput) same(o *Throughput) bool { return t.Read == o.Read && t.Write == o.Write }

func (t *Throughput) set(to *Throughput, now int64) {
	if to.Read > t.Read || to.Write > t.Write {
		t.Increased = now
	}
	if to.Read < t.Read || to.Write < t.Write {
		t.Decreased = now
	}
	t.Read, t.Write = to.Read, to.Write
}

func (db *DB) streamChange(t *table, d *Description, s *StreamSpec) (func(*storage.Batch), error) {
	switch {
	case s.Enabled && d.StreamEnabled:
		return nil, invalid("Table already has an enabled stream: TableName: %s", d.Name)
	case !s.Enabled && !d.StreamEnabled:
		return nil, invalid("Table has no stream to disable: TableName: %s", d.Name)
	case s.Enabled:
		return db.newStream(t, d, s.View), nil
	}
	d.StreamEnabled = false
	return db.endStream(t), nil
}

func (db *DB) indexChanges(t *table, d *Description, c *TableChange) ([]func(*storage.Batch), error) {
	var steps []func(*storage.Batch)
	var names []string
	made := 0
	for i := range c.Indexes {
		x := &c.Indexes[i]
		name := x.Delete
		switch {
		case x.Create != nil:
			name = x.Create.Name
		case x.Update != nil:
			name = x.Update.Name
		}
		if slices.Contains(names, name) {
			return nil, paramError("Only one global secondary index update per index is allowed simultaneously. Index: %s", name)
		}
		names = append(names, name)
		if x.Update == nil {
			if made++; made > 1 {
				return nil, fault.New(fault.Limit, SubjectIndex, "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
			}
		}
		step, err := db.indexChange(t, d, c, x)
		if err != nil {
			return nil, err
		}
		if step != nil {
			steps = append(steps, step)
		}
	}
	return steps, d.checkIncluded()
}

func (db *DB) indexChange(t *table, d *Description, c *TableChange, x *IndexChange) (func(*storage.Batch), error) {
	if x.Create != nil {
		return db.createIndex(t, d, c, x.Create)
	}
	name := x.Delete
	if x.Update != nil {
		name = x.Update.Name
	}
	i := slices.IndexFunc(d.Global, func(x *Index) bool { return x.Name == name })
	if i < 0 {
		return nil, fault.New(fault.NotFound, SubjectIndex, "Requested resource not found: Index: %s of table %s not found", name, d.Name)
	}
	old := d.Global[i]
	if x.Update == nil {
		d.Global = slices.Delete(d.Global, i, i+1)
		d.dropUnused()
		return func(b *storage.Batch) {
			prefix := storage.IndexPrefix(d.ID, old.ID)
			b.DeleteRange(prefix, storage.End(prefix))
			b.Delete(storage.CountKey(d.ID, old.ID))
		}, nil
	}
	if th := x.Update.Throughput; th != nil {
		if d.Billing == OnDemand {
			return nil, paramError("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
		}
		if err := checkUnits(th); err != nil {
			return nil, err
		}
		old.Throughput.set(th, db.now())
	}
	if x.Update.Limits != (Limits{}) {
		old.Limits = x.Update.Limits
	}
	return nil, nil
}

func (db *DB) createIndex(t *table, d *Description, c *TableChange, spec *IndexSpec) (func(*storage.Batch), error) {
	if slices.ContainsFunc(d.Global, func(x *Index) bool { return x.Filling }) {
		return nil, fault.New(fault.Limit, SubjectIndex, "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
	}
	for _, a := range c.Attributes {
		i := slices.IndexFunc(d.Attributes, func(b item.Definition) bool { return b.Name == a.Name })
		switch {
		case i < 0:
			d.Attributes = append(d.Attributes, a)
		case d.Attributes[i].Type != a.Type && d.keyAttribute(a.Name):
			return nil, paramError("Attribute %s is defined as %s already and cannot become %s", a.Name, d.Attributes[i].Type, a.Type)
		default:
			d.Attributes[i] = a
		}
	}
	if err := d.addGlobal(spec, map[string]bool{}); err != nil {
		return nil, err
	}
	d.dropUnused()
	x := d.Global[len(d.Global)-1]
	x.Filling = t.counts[0].items.Load() > 0
	size := &count{}
	t.counts[x.ID] = size // of no use to anyone should the change fail
	return func(b *storage.Batch) { b.Set(storage.CountKey(d.ID, x.ID), size.add(0, 0)) }, nil
}

// keyAttribute reports whether an attribute is part of the table's key or an index's.
func (d *Description) keyAttribute(name string) bool {
	return d.Key.Has(name) || slices.ContainsFunc(d.indexes(), func(x *Index) bool { return x.Key.Has(name) })
}

// dropUnused removes definitions of attributes that no key has any more.
func (d *Description) dropUnused() {
	d.Attributes = slices.DeleteFunc(d.Attributes, func(a item.Definition) bool { return !d.keyAttribute(a.Name) })
}
