package tables

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/storage"
	"github.com/penstock-io/penstock/internal/tables/stream"
	"github.com/penstock-io/penstock/internal/tag"
)

// Limits of the service.
const (
	maxTables  = 2500
	maxGlobal  = 20
	maxLocal   = 5
	maxInclude = 100 // non-key attributes of all indexes together
	maxUnits   = 1_000_000_000_000
)

// KeyPart is an element of a key schema as requests have it.
type KeyPart struct{ Name, Kind string } // Kind is HASH or RANGE

// IndexSpec is a secondary index as requests have it.
type IndexSpec struct {
	Name       string
	Keys       []KeyPart
	Projection string   // empty: not given
	Include    []string // nil: not given
	Throughput *Throughput
	Limits     Limits
}

// StreamSpec turns a stream on, with a view, or off.
type StreamSpec struct {
	Enabled bool
	View    stream.View
}

// TableSpec is what CreateTable asks for. Types of attributes are wire names.
type TableSpec struct {
	Name            string
	Attributes      []item.Definition
	Keys            []KeyPart
	Local           []IndexSpec // nil: not given
	Global          []IndexSpec
	Billing         string // empty: not given
	Throughput      *Throughput
	Limits          Limits
	Stream          *StreamSpec
	Class           string
	Encryption      string
	EncryptionKey   string
	DeleteProtected bool
	Tags            []tag.Tag
	Policy          string
}

// CreateTable makes a table. It is ready for use when the call returns.
func (db *DB) CreateTable(_ context.Context, spec *TableSpec) (Status, error) {
	d, err := spec.describe()
	if err != nil {
		return Status{}, err
	}
	if d.Tags, err = tag.Set(nil, spec.Tags); err != nil {
		return Status{}, err
	}
	name, err := db.tableName(spec.Name)
	if err != nil {
		return Status{}, err
	}
	if err := db.ready(); err != nil {
		return Status{}, err
	}
	d.Name, d.UUID, d.Created = name, db.cfg.NewID(), db.now()
	if d.Billing == OnDemand {
		d.OnDemandSince = d.Created
	}
	if spec.Policy != "" {
		d.Policy, d.PolicyRevision = spec.Policy, db.cfg.NewID()
	}
	t := &table{counts: map[uint32]*count{0: {}}}
	for _, x := range d.indexes() {
		t.counts[x.ID] = &count{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := db.reserve(name, t, d); err != nil {
		return Status{}, err
	}
	var begin func(*storage.Batch)
	if spec.Stream != nil && spec.Stream.Enabled {
		begin = db.newStream(t, d, spec.Stream.View)
	}
	t.d = d
	err = db.store.Commit(func(b *storage.Batch) {
		if begin != nil {
			begin(b)
		}
		b.Set(storage.TableKey(d.Name), d.json())
	})
	if err != nil {
		t.gone = true
		db.forget(name)
		return Status{}, err
	}
	return db.status(t, d), nil
}

// reserve enters a table, locked by the caller, under its name.
func (db *DB) reserve(name string, t *table, d *Description) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.tables[name] != nil {
		return fault.New(fault.AlreadyExists, SubjectTable, "Table already exists: %s", name)
	}
	if len(db.tables) >= maxTables {
		return fault.New(fault.Limit, SubjectTable, "Subscriber limit exceeded: There is a limit of %d tables per account", maxTables)
	}
	d.ID = db.nextID
	db.nextID++
	t.d = d
	db.tables[name] = t
	return nil
}

func (db *DB) forget(name string) {
	db.mu.Lock()
	delete(db.tables, name)
	db.mu.Unlock()
}

// DeleteTable removes a table with everything in it. Its stream stays readable until it is trimmed.
func (db *DB) DeleteTable(_ context.Context, nameOrARN string) (Status, error) {
	t, err := db.lookup(nameOrARN)
	if err != nil {
		return Status{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.d
	if t.gone {
		return Status{}, notFound(d.Name)
	}
	if d.DeleteProtected {
		return Status{}, invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	status := db.status(t, d)
	var end func(*storage.Batch)
	if t.stream != nil {
		end = db.endStream(t)
	}
	err = db.store.Commit(func(b *storage.Batch) {
		if end != nil {
			end(b)
		}
		for _, prefix := range [][]byte{storage.ItemPrefix(d.ID), storage.IndexesPrefix(d.ID), storage.ExpiryPrefix(d.ID), storage.CountPrefix(d.ID)} {
			b.DeleteRange(prefix, storage.End(prefix))
		}
		b.Delete(storage.TableKey(d.Name))
	})
	if err != nil {
		return Status{}, err
	}
	t.gone = true
	db.forget(d.Name)
	return status, nil
}

// DescribeTable returns a table as it is.
func (db *DB) DescribeTable(_ context.Context, nameOrARN string) (Status, error) {
	t, d, release, err := db.use(nameOrARN)
	if err != nil {
		return Status{}, err
	}
	defer release()
	return db.status(t, d), nil
}

// ListTables returns at most limit names behind after, and whether there are more.
func (db *DB) ListTables(_ context.Context, after string, limit int) (names []string, more bool, err error) {
	if err := db.ready(); err != nil {
		return nil, false, err
	}
	names = db.names()
	i, found := slices.BinarySearch(names, after)
	if found {
		i++
	}
	names = names[i:]
	if len(names) > limit {
		return names[:limit], true, nil
	}
	return names, false, nil
}

// describe judges the spec and turns it into a description.
func (spec *TableSpec) describe() (*Description, error) {
	d := &Description{Format: 1, Billing: cmp.Or(spec.Billing, Provisioned), Limits: spec.Limits, Class: spec.Class, DeleteProtected: spec.DeleteProtected,
		Encryption: spec.Encryption, EncryptionKey: spec.EncryptionKey, Attributes: spec.Attributes}
	if err := checkBilling(d.Billing, spec.Throughput); err != nil {
		return nil, err
	}
	if spec.Throughput != nil {
		d.Throughput = *spec.Throughput
	}
	for i, a := range spec.Attributes {
		if slices.ContainsFunc(spec.Attributes[:i], func(b item.Definition) bool { return b.Name == a.Name }) {
			return nil, paramError("Cannot have two attributes with the same name")
		}
	}
	used := map[string]bool{}
	var err error
	if d.Key, err = keySchema(spec.Keys, spec.Attributes, used); err != nil {
		return nil, err
	}
	if err := spec.locals(d, used); err != nil {
		return nil, err
	}
	if spec.Global != nil && len(spec.Global) == 0 {
		return nil, paramError("List of GlobalSecondaryIndexes is empty")
	}
	for i := range spec.Global {
		if err := d.addGlobal(&spec.Global[i], used); err != nil {
			return nil, err
		}
	}
	if len(used) != len(spec.Attributes) {
		if len(spec.Local)+len(spec.Global) == 0 {
			return nil, paramError("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
		}
		return nil, paramError("Some AttributeDefinitions are not used. AttributeDefinitions: [%s], keys used: [%s]", attributeNames(spec.Attributes), usedNames(used))
	}
	if err := d.checkIncluded(); err != nil {
		return nil, err
	}
	return d, checkStreamSpec(spec.Stream)
}

func (spec *TableSpec) locals(d *Description, used map[string]bool) error {
	switch {
	case spec.Local == nil:
		return nil
	case len(spec.Local) == 0:
		return paramError("List of LocalSecondaryIndexes is empty")
	case len(spec.Keys) != 2:
		return paramError("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
	case len(spec.Local) > maxLocal:
		return paramError("Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocal)
	}
	for i := range spec.Local {
		x, err := d.newIndex(&spec.Local[i], used)
		if err != nil {
			return err
		}
		if !x.Key.HasRange() {
			return paramError("Index KeySchema does not have a range key for index: %s", x.Name)
		}
		if x.Key.Hash.Name != d.Key.Hash.Name {
			return paramError("Index KeySchema does not have the same leading hash key as table KeySchema for index: %s. index hash key: %s, table hash key: %s", x.Name, x.Key.Hash.Name, d.Key.Hash.Name)
		}
		d.Local = append(d.Local, x)
	}
	return nil
}

func (d *Description) addGlobal(spec *IndexSpec, used map[string]bool) error {
	x, err := d.newIndex(spec, used)
	if err != nil {
		return err
	}
	if d.Billing == OnDemand && spec.Throughput != nil {
		return paramError("ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", x.Name)
	}
	if d.Billing == Provisioned && spec.Throughput == nil {
		return paramError("ProvisionedThroughput must be specified for index: %s", x.Name)
	}
	if spec.Throughput != nil {
		if err := checkUnits(spec.Throughput); err != nil {
			return err
		}
		x.Throughput = *spec.Throughput
	}
	x.Limits = spec.Limits
	d.Global = append(d.Global, x)
	if len(d.Global) > maxGlobal {
		return paramError("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobal)
	}
	return nil
}

// newIndex judges an index and gives it its number.
func (d *Description) newIndex(spec *IndexSpec, used map[string]bool) (*Index, error) {
	if !validName(spec.Name) {
		return nil, paramError("Invalid index name: %s. Names have 3 to 255 of the characters a-z, A-Z, 0-9, '_', '-', and '.'", spec.Name)
	}
	if x, _ := d.index(spec.Name); x != nil {
		return nil, paramError("Duplicate index name: %s", spec.Name)
	}
	key, err := keySchema(spec.Keys, d.Attributes, used)
	if err != nil {
		return nil, err
	}
	switch {
	case spec.Projection == "":
		return nil, paramError("Unknown ProjectionType: null")
	case spec.Include != nil && spec.Projection != ProjectInclude:
		return nil, paramError("ProjectionType is %s, but NonKeyAttributes is specified", spec.Projection)
	case spec.Include == nil && spec.Projection == ProjectInclude:
		return nil, paramError("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	}
	d.Indexes++
	return &Index{ID: d.Indexes, Name: spec.Name, Key: key, Projection: spec.Projection, Include: spec.Include}, nil
}

func (d *Description) checkIncluded() error {
	n := 0
	for _, x := range d.indexes() {
		n += len(x.Include)
		sorted := slices.Sorted(slices.Values(x.Include))
		if len(slices.Compact(sorted)) != len(x.Include) {
			return paramError("Duplicate value in NonKeyAttributes of index: %s", x.Name)
		}
	}
	if n > maxInclude {
		return paramError("Number of NonKeyAttributes across all indexes exceeds the limit of %d", maxInclude)
	}
	return nil
}

// keySchema judges a key schema and notes in used which definitions it uses.
func keySchema(parts []KeyPart, definitions []item.Definition, used map[string]bool) (item.Schema, error) {
	var s item.Schema
	var names []string
	for _, p := range parts {
		names = append(names, p.Name)
	}
	if len(parts) == 0 {
		return s, invalid("1 validation error detected: Value at 'keySchema' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	if len(parts) > 2 {
		return s, invalid("1 validation error detected: Value at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2")
	}
	for i, p := range parts {
		j := slices.IndexFunc(definitions, func(d item.Definition) bool { return d.Name == p.Name })
		if j < 0 {
			return s, paramError("Some index key attributes are not defined in AttributeDefinitions. Keys: [%s], AttributeDefinitions: [%s]", strings.Join(names, ", "), attributeNames(definitions))
		}
		used[p.Name] = true
		if i == 0 {
			s.Hash = definitions[j]
		} else {
			s.Range = definitions[j]
		}
	}
	switch {
	case len(parts) == 2 && names[0] == names[1]:
		return s, invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	case parts[0].Kind != "HASH":
		return s, invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	case len(parts) == 2 && parts[1].Kind != "RANGE":
		return s, invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	return s, nil
}

func attributeNames(list []item.Definition) string {
	var names []string
	for _, d := range list {
		names = append(names, d.Name)
	}
	return strings.Join(names, ", ")
}

func usedNames(used map[string]bool) string {
	var names []string
	for n := range used {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func checkBilling(mode string, th *Throughput) error {
	if mode == OnDemand {
		if th != nil {
			return paramError("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
		}
		return nil
	}
	if th == nil {
		return paramError("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return checkUnits(th)
}

func checkUnits(th *Throughput) error {
	if th.Read > maxUnits {
		return invalid("Given value %d for ReadCapacityUnits is out of bounds", th.Read)
	}
	if th.Write > maxUnits {
		return invalid("Given value %d for WriteCapacityUnits is out of bounds", th.Write)
	}
	return nil
}

func checkStreamSpec(s *StreamSpec) error {
	switch {
	case s == nil:
	case s.Enabled && s.View == "":
		return paramError("StreamSpecification.StreamViewType must be specified when StreamEnabled is true")
	case !s.Enabled && s.View != "":
		return paramError("StreamSpecification.StreamViewType must not be specified when StreamEnabled is false")
	}
	return nil
}
