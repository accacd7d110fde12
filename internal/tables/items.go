package tables

import (
	"context"
	"slices"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/expression"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/storage"
)

// Kind is what a Write does.
type Kind uint8

// The kinds of writes. Check changes nothing: it is the ConditionCheck of a transaction.
const (
	Put Kind = iota + 1
	Update
	Delete
	Check
)

// Values of ReturnValues.
const (
	ReturnNone       = "NONE"
	ReturnAllOld     = "ALL_OLD"
	ReturnAllNew     = "ALL_NEW"
	ReturnUpdatedOld = "UPDATED_OLD"
	ReturnUpdatedNew = "UPDATED_NEW"
)

// Write is a write of one item. Names and Values are nil where the request has none.
type Write struct {
	Kind      Kind
	Table     string    // name or ARN
	Item      item.Item // of a Put: the item; otherwise its key
	Condition *string
	Update    *string
	Names     map[string]string
	Values    map[string]item.Value
	ReturnOld bool // when the condition fails
}

// ConditionFailedError is the error of a write whose condition does not hold. Item is the item's JSON as it
// is, if that was asked for and there is one.
type ConditionFailedError struct{ Item []byte }

func (e *ConditionFailedError) Error() string { return "The conditional request failed" }

// Result is what a write returns: the JSON of attributes, nil for none.
type Result struct {
	Attributes []byte
	Collection []byte // the JSON of the key of the item's collection; nil if the table has no local indexes
	Usage      Usage
}

// A plan is a write whose expressions are parsed.
type plan struct {
	*Write
	condition *expression.Condition
	update    *expression.Update
}

func compile(w *Write) (plan, error) {
	p := plan{Write: w}
	params := []parameter{{expression.ConditionExpression, w.Condition}}
	if w.Kind == Update {
		params = slices.Insert(params, 0, parameter{expression.UpdateExpression, w.Update})
	}
	if err := expressionsPresent(w.Names, w.Values, params); err != nil {
		return p, err
	}
	terms, err := expression.NewTerms(w.Names, w.Values)
	if err != nil {
		return p, err
	}
	if w.Update != nil {
		if p.update, err = expression.ParseUpdate(*w.Update, terms); err != nil {
			return p, err
		}
	}
	if w.Condition != nil {
		if p.condition, err = expression.ParseCondition(expression.ConditionExpression, *w.Condition, terms); err != nil {
			return p, err
		}
	}
	if err := terms.Unused(); err != nil {
		return p, err
	}
	if w.Kind == Put && w.Item.Size() > item.MaxSize {
		return p, fault.New(fault.Invalid, item.Subject, "Item size has exceeded the maximum allowed size")
	}
	return p, nil
}

// A parameter is an expression of a request, nil if absent.
type parameter struct {
	name string
	text *string
}

// expressionsPresent refuses names and values without an expression that could use them.
func expressionsPresent(names map[string]string, values map[string]item.Value, params []parameter) error {
	if slices.ContainsFunc(params, func(p parameter) bool { return p.text != nil }) {
		return nil
	}
	if names != nil {
		return invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	if values == nil {
		return nil
	}
	takers := slices.DeleteFunc(slices.Clone(params), func(p parameter) bool { return p.name == expression.ProjectionExpression })
	switch {
	case len(takers) == 1:
		return invalid("ExpressionAttributeValues can only be specified when using expressions: %s is null", takers[0].name)
	case len(takers) > 1:
		return invalid("ExpressionAttributeValues can only be specified when using expressions: %s and %s are null", takers[0].name, takers[1].name)
	}
	return invalid("ExpressionAttributeValues can only be specified when using expressions")
}

// place checks the key of a write and finds where its item is.
func (p *plan) place(t *table, d *Description) (target, error) {
	if p.Kind != Put {
		if err := d.Key.CheckKey(p.Item); err != nil {
			return target{}, err
		}
	} else if err := checkStored(d, p.Item); err != nil {
		return target{}, err
	}
	if p.update != nil {
		for _, path := range p.update.Paths() {
			if d.Key.Has(path[0].Name) {
				return target{}, paramError("Cannot update attribute %s. This attribute is part of the key", path[0].Name)
			}
		}
	}
	return locate(t, d, p.Item), nil
}

// checkStored judges an item that is to be stored in the table.
func checkStored(d *Description, m item.Item) error {
	if err := d.Key.CheckItem(m); err != nil {
		return err
	}
	for _, x := range d.indexes() {
		if err := x.Key.CheckIndexed(m, x.Name); err != nil {
			return err
		}
	}
	return nil
}

// evaluate returns what the write makes of the item. It is a ConditionFailedError if the condition does not hold.
func (p *plan) evaluate(tg *target, old *version) (version, error) {
	if p.condition != nil {
		m, err := old.item()
		if err != nil {
			return version{}, err
		}
		if !p.condition.Holds(m) {
			failed := &ConditionFailedError{}
			if p.ReturnOld {
				failed.Item = old.json()
			}
			return version{}, failed
		}
	}
	switch p.Kind {
	case Put:
		return newVersion(p.Item), nil
	case Delete:
		return version{}, nil
	case Check:
		return *old, nil
	}
	m, err := old.item()
	if err != nil {
		return version{}, err
	}
	if !old.exists() {
		m = tg.key
	}
	if p.update != nil {
		if m, err = p.update.Apply(m); err != nil {
			return version{}, err
		}
	}
	if err := checkStored(tg.d, m); err != nil {
		return version{}, err
	}
	if m.Size() > item.MaxSize {
		return version{}, fault.New(fault.Invalid, item.Subject, "Item size to update has exceeded the maximum allowed size")
	}
	if m.Depth() > item.MaxDepth {
		return version{}, fault.New(fault.Invalid, item.Subject, "Nesting Levels have exceeded supported limits: lists and maps may be nested %d deep", item.MaxDepth)
	}
	return newVersion(m), nil
}

// Write does one write. returns is one of the values of ReturnValues, empty for none.
func (db *DB) Write(_ context.Context, w *Write, returns string) (*Result, error) {
	if err := checkReturns(w.Kind, returns); err != nil {
		return nil, err
	}
	p, err := compile(w)
	if err != nil {
		return nil, err
	}
	t, d, release, err := db.use(w.Table)
	if err != nil {
		return nil, dataError(err)
	}
	defer release()
	tg, err := p.place(t, d)
	if err != nil {
		return nil, err
	}
	unlock := db.locks.lock([]uint64{tg.lockID()})
	defer unlock()
	changes := []change{{target: tg}}
	if err := db.fetchAll(changes); err != nil {
		return nil, err
	}
	c := &changes[0]
	if c.new, err = p.evaluate(&tg, &c.old); err != nil {
		return nil, err
	}
	out := &Result{}
	if err := db.commit(changes, &out.Usage); err != nil {
		return nil, err
	}
	if len(d.Local) > 0 {
		out.Collection = tg.key.Only([]string{d.Key.Hash.Name}).JSON()
	}
	out.Attributes, err = p.returned(returns, c)
	return out, err
}

func checkReturns(kind Kind, returns string) error {
	if kind != Update && returns != "" && returns != ReturnNone && returns != ReturnAllOld {
		return invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	return nil
}

// returned is the JSON of the attributes that a write returns.
func (p *plan) returned(returns string, c *change) ([]byte, error) {
	v := &c.old
	switch returns {
	case ReturnAllOld:
		return c.old.json(), nil
	case ReturnAllNew:
		return c.new.json(), nil
	case ReturnUpdatedNew:
		v = &c.new
	case ReturnUpdatedOld:
	default:
		return nil, nil
	}
	if p.update == nil || !v.exists() {
		return nil, nil
	}
	m, err := v.item()
	if err != nil {
		return nil, err
	}
	part := expression.ProjectionOf(p.update.Paths()).Of(m)
	if len(part) == 0 {
		return nil, nil
	}
	return part.JSON(), nil
}

// dataError puts the error of a missing table as operations on items do, which do not name it.
func dataError(err error) error {
	if fault.Is(err, fault.NotFound, SubjectTable) {
		return fault.New(fault.NotFound, SubjectTable, "Requested resource not found")
	}
	return err
}

// Read is a read of items by their keys.
type Read struct {
	Table      string
	Keys       []item.Item
	Projection *string
	Names      map[string]string
	Consistent bool
}

// A lookup is a Read whose expression is parsed.
func (r *Read) compile() (*expression.Projection, error) {
	if err := expressionsPresent(r.Names, nil, []parameter{{expression.ProjectionExpression, r.Projection}}); err != nil {
		return nil, err
	}
	terms, err := expression.NewTerms(r.Names, nil)
	if err != nil {
		return nil, err
	}
	if r.Projection == nil {
		return nil, nil
	}
	p, err := expression.ParseProjection(*r.Projection, terms)
	if err != nil {
		return nil, err
	}
	return p, terms.Unused()
}

// view is the JSON of what a projection, which may be nil, shows of an item.
func view(v *version, p *expression.Projection) ([]byte, error) {
	if p == nil {
		return v.json(), nil
	}
	m, err := v.item()
	if err != nil {
		return nil, err
	}
	return p.Of(m).JSON(), nil
}

// Get reads one item, the first of the keys. It returns nil if there is none.
func (db *DB) Get(_ context.Context, r *Read) (raw []byte, used Usage, err error) {
	p, err := r.compile()
	if err != nil {
		return nil, used, err
	}
	t, d, release, err := db.use(r.Table)
	if err != nil {
		return nil, used, dataError(err)
	}
	release()
	if err := d.Key.CheckKey(r.Keys[0]); err != nil {
		return nil, used, err
	}
	tg := locate(t, d, r.Keys[0])
	v, err := fetch(db.store, &tg)
	if err != nil {
		return nil, used, err
	}
	used.read(d, nil, v.size(), r.Consistent)
	if err := db.store.Barrier(); err != nil {
		return nil, used, err
	}
	if !v.exists() {
		return nil, used, nil
	}
	raw, err = view(&v, p)
	return raw, used, err
}

// expiryOf is the second at which the item expires; 0 for never.
func expiryOf(d *Description, m item.Item) uint64 {
	v := m.Get(d.Expiry)
	if v.Type != item.N {
		return 0
	}
	return wholeSeconds(v.Text)
}

// wholeSeconds reads the whole part of a number in normal form; 0 unless it is a time past 1970.
func wholeSeconds(text string) uint64 {
	var n uint64
	for i := range len(text) {
		c := text[i]
		if c == '.' {
			break
		}
		if c < '0' || c > '9' || n > 1<<53 {
			return 0
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}

var _ storage.Reader = (*storage.Store)(nil)
