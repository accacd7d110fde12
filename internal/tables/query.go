package tables

import (
	"bytes"
	"context"
	"slices"

	"github.com/penstock-io/penstock/internal/tables/expression"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/storage"
)

// Values of Select.
const (
	SelectAll       = "ALL_ATTRIBUTES"
	SelectProjected = "ALL_PROJECTED_ATTRIBUTES"
	SelectSpecific  = "SPECIFIC_ATTRIBUTES"
	SelectCount     = "COUNT"
)

// Query is a Query or, without KeyCondition, a Scan.
type Query struct {
	Table        string
	Index        string // empty: the table itself
	KeyCondition *string
	Filter       *string
	Projection   *string
	Names        map[string]string
	Values       map[string]item.Value
	Start        item.Item // ExclusiveStartKey; nil for none
	Limit        int       // 0 for none
	Backward     bool
	Consistent   bool
	Select       string
	Segment      int // of a Scan
	Segments     int // 0 or 1: all of it
}

// Page is a page of results.
type Page struct {
	Items   []byte // a JSON array of the items; nil with SelectCount
	Count   int
	Scanned int
	Last    item.Item // LastEvaluatedKey; nil at the end
	Usage   Usage
}

// maxPage is where a page ends, in bytes as DynamoDB counts items.
const maxPage = 1 << 20

// A walk is a Query that is ready to run.
type walk struct {
	*Query
	t          *table
	d          *Description
	x          *Index // nil: the table itself
	global     bool
	filter     *expression.Condition
	projection *expression.Projection
	fetchAll   bool // take whole items from the table, not what the index has
	lower      []byte
	upper      []byte
}

// Query returns a page of the items of one partition that satisfy the key condition and the filter.
func (db *DB) Query(_ context.Context, q *Query) (*Page, error) { return db.page(q, false) }

// Scan returns a page of all items, or those of one segment, that satisfy the filter.
func (db *DB) Scan(_ context.Context, q *Query) (*Page, error) { return db.page(q, true) }

func (db *DB) page(q *Query, scan bool) (*Page, error) {
	w := &walk{Query: q}
	if scan {
		if err := q.checkSegments(); err != nil {
			return nil, err
		}
	} else if q.KeyCondition == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	params := []parameter{{expression.FilterExpression, q.Filter}, {expression.ProjectionExpression, q.Projection}}
	if !scan {
		params = append(params, parameter{expression.KeyConditionExpression, q.KeyCondition})
	}
	if err := expressionsPresent(q.Names, q.Values, params); err != nil {
		return nil, err
	}
	terms, err := expression.NewTerms(q.Names, q.Values)
	if err != nil {
		return nil, err
	}
	if q.Projection != nil {
		if w.projection, err = expression.ParseProjection(*q.Projection, terms); err != nil {
			return nil, err
		}
	}
	if q.Filter != nil {
		if w.filter, err = expression.ParseCondition(expression.FilterExpression, *q.Filter, terms); err != nil {
			return nil, err
		}
	}
	t, d, release, err := db.use(q.Table)
	if err != nil {
		return nil, dataError(err)
	}
	release()
	w.t, w.d = t, d
	if err := w.chooseIndex(); err != nil {
		return nil, err
	}
	if err := w.checkSelect(); err != nil {
		return nil, err
	}
	if scan {
		w.bounds()
	} else if err := w.partition(terms); err != nil {
		return nil, err
	}
	if err := terms.Unused(); err != nil {
		return nil, err
	}
	if err := w.start(); err != nil {
		return nil, err
	}
	page, err := w.run(db.store)
	if err != nil {
		return nil, err
	}
	return page, db.store.Barrier()
}

func (q *Query) checkSegments() error {
	if q.Segments > 0 && q.Segment >= q.Segments {
		return invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", q.Segment, q.Segments)
	}
	return nil
}

func (w *walk) chooseIndex() error {
	if w.Index == "" {
		return nil
	}
	w.x, w.global = w.d.index(w.Index)
	switch {
	case w.x == nil:
		return invalid("The table does not have the specified index: %s", w.Index)
	case w.global && w.Consistent:
		return invalid("Consistent reads are not supported on global secondary indexes")
	case w.x.Filling:
		return invalid("Cannot read from backfilling global secondary index: %s", w.Index)
	}
	return nil
}

// key is the key that the walk goes along.
func (w *walk) key() item.Schema {
	if w.x != nil {
		return w.x.Key
	}
	return w.d.Key
}

func (w *walk) checkSelect() error {
	switch {
	case w.Select == SelectCount && w.projection != nil:
		return invalid("Cannot specify the ProjectionExpression when choosing to get only the Count")
	case w.Select == SelectSpecific && w.projection == nil:
		return invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case w.projection != nil && w.Select != "" && w.Select != SelectSpecific:
		return invalid("Cannot specify the ProjectionExpression when choosing to get %s", w.Select)
	case w.Select == SelectProjected && w.x == nil:
		return paramError("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	}
	if w.x == nil || w.x.Projection == ProjectAll {
		return nil
	}
	missing := w.Select == SelectAll
	if w.projection != nil {
		has := slices.Concat(w.d.Key.Names(), w.x.Key.Names(), w.x.Include)
		for _, p := range w.projection.Paths() {
			if !slices.Contains(has, p[0].Name) {
				missing = true
				if w.global {
					return paramError("Global secondary index %s does not project [%s]", w.x.Name, p[0].Name)
				}
			}
		}
	}
	if missing && w.global {
		return paramError("Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", w.x.Name)
	}
	w.fetchAll = missing
	return nil
}

func (w *walk) prefix() []byte {
	if w.x != nil {
		return storage.IndexPrefix(w.d.ID, w.x.ID)
	}
	return storage.ItemPrefix(w.d.ID)
}

// bounds are those of a segment: segments share the hashes evenly.
func (w *walk) bounds() {
	w.lower, w.upper = w.prefix(), storage.End(w.prefix())
	if w.Segments <= 1 {
		return
	}
	width := ^uint64(0)/uint64(w.Segments) + 1
	if w.Segment > 0 {
		w.lower = storage.AppendHash(w.prefix(), uint64(w.Segment)*width)
	}
	if w.Segment < w.Segments-1 {
		w.upper = storage.AppendHash(w.prefix(), uint64(w.Segment+1)*width)
	}
}

// partition sets the bounds that a key condition gives.
func (w *walk) partition(terms *expression.Terms) error {
	k, err := expression.ParseKeyCondition(*w.KeyCondition, w.key(), terms)
	if err != nil {
		return err
	}
	if w.filter != nil {
		for _, p := range w.filter.Paths() {
			if w.key().Has(p[0].Name) {
				return invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", p[0].Name)
			}
		}
	}
	head := item.AppendSortable(storage.AppendHash(w.prefix(), item.HashOf(k.Hash)), k.Hash)
	at := func(i int) []byte { return item.AppendSortable(slices.Clone(head), k.Range[i]) }
	w.lower, w.upper = head, storage.End(head)
	switch k.Op {
	case "=":
		w.lower, w.upper = at(0), storage.End(at(0))
	case "<":
		w.upper = at(0)
	case "<=":
		w.upper = storage.End(at(0))
	case ">":
		w.lower = storage.End(at(0))
	case ">=":
		w.lower = at(0)
	case "BETWEEN":
		w.lower, w.upper = at(0), storage.End(at(1))
	case "begins_with":
		w.lower = item.AppendSortablePrefix(slices.Clone(head), k.Range[0])
		w.upper = storage.End(w.lower)
	}
	return nil
}

// start moves a bound to behind the exclusive start key.
func (w *walk) start() error {
	if w.Start == nil {
		return nil
	}
	names := w.d.Key.Names()
	definitions := w.d.Key.Definitions()
	if w.x != nil {
		for _, d := range w.x.Key.Definitions() {
			if !slices.Contains(names, d.Name) {
				names = append(names, d.Name)
				definitions = append(definitions, d)
			}
		}
	}
	if len(w.Start) != len(names) {
		return invalid("The provided starting key is invalid")
	}
	for _, d := range definitions {
		if w.Start.Get(d.Name).Type != d.Type {
			return invalid("The provided starting key is invalid: The provided key element does not match the schema")
		}
	}
	at := storage.AppendHash(w.prefix(), item.HashOf(w.Start.Get(w.key().Hash.Name)))
	at = appendKey(at, w.key(), w.Start)
	if w.x != nil {
		at = appendKey(at, w.d.Key, w.Start)
	}
	if bytes.Compare(at, w.lower) < 0 || w.upper != nil && bytes.Compare(at, w.upper) >= 0 {
		if w.KeyCondition == nil {
			return invalid("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d", w.Segments, w.Segment)
		}
		return invalid("The provided starting key is outside query boundaries based on provided conditions")
	}
	if w.Backward {
		w.upper = at
	} else {
		w.lower = append(at, 0) // the least key that is greater
	}
	return nil
}

func (w *walk) run(store *storage.Store) (*Page, error) {
	page := &Page{}
	list := w.Select != SelectCount
	if list {
		page.Items = append(page.Items, '[')
	}
	if w.upper != nil && bytes.Compare(w.lower, w.upper) >= 0 {
		return w.finish(page, list, 0, 0), nil
	}
	it, err := store.Iterate(w.lower, w.upper)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	size, fetched := 0, 0
	first, next := it.First, it.Next
	if w.Backward {
		first, next = it.Last, it.Prev
	}
	for ok := first(); ok; ok = next() {
		value, err := it.Value()
		if err != nil {
			return nil, err
		}
		n, raw := item.SplitSize(value)
		size += n
		page.Scanned++
		full := w.Limit > 0 && page.Scanned >= w.Limit || size >= maxPage
		v := version{raw: value}
		if w.fetchAll {
			if v, err = w.whole(store, raw); err != nil {
				return nil, err
			}
			raw = v.json()
			fetched += v.size()
		}
		if err := w.take(page, &v, raw, list); err != nil {
			return nil, err
		}
		if full {
			return w.more(page, it, list, size, fetched)
		}
		if size > maxPage-item.MaxSize { // the next may be too much
			if done, err := w.peek(page, it, size); err != nil {
				return nil, err
			} else if done {
				return w.finish(page, list, size, fetched), nil
			}
		}
	}
	if err := it.Err(); err != nil {
		return nil, err
	}
	return w.finish(page, list, size, fetched), nil
}

// peek notes the key at hand as the last if the next item does not fit, and stays where it is otherwise.
func (w *walk) peek(page *Page, it *storage.Iterator, size int) (done bool, err error) {
	value, err := it.Value()
	if err != nil {
		return false, err
	}
	last := slices.Clone(value)
	move, back := it.Next, it.Prev
	if w.Backward {
		move, back = it.Prev, it.Next
	}
	if !move() {
		return true, it.Err()
	}
	following, err := it.Value()
	if err != nil {
		return false, err
	}
	if n, _ := item.SplitSize(following); size+n > maxPage {
		_, raw := item.SplitSize(last)
		page.Last, err = w.keyOf(raw)
		return true, err
	}
	back()
	return false, it.Err()
}

// take adds an item to the page if the filter lets it.
func (w *walk) take(page *Page, v *version, raw []byte, list bool) error {
	if w.filter != nil || w.projection != nil {
		m, err := v.item()
		if err != nil {
			return err
		}
		if w.filter != nil && !w.filter.Holds(m) {
			return nil
		}
		if w.projection != nil {
			raw = w.projection.Of(m).JSON()
		}
	}
	page.Count++
	if !list {
		return nil
	}
	if page.Count > 1 {
		page.Items = append(page.Items, ',')
	}
	page.Items = append(page.Items, raw...)
	return nil
}

// more ends a full page, noting where to go on.
func (w *walk) more(page *Page, it *storage.Iterator, list bool, size, fetched int) (*Page, error) {
	value, err := it.Value()
	if err != nil {
		return nil, err
	}
	_, raw := item.SplitSize(value)
	if page.Last, err = w.keyOf(raw); err != nil {
		return nil, err
	}
	return w.finish(page, list, size, fetched), nil
}

// keyOf is the LastEvaluatedKey for an item or an index entry.
func (w *walk) keyOf(raw []byte) (item.Item, error) {
	m, err := item.Parse(string(raw))
	if err != nil {
		return nil, err
	}
	names := w.d.Key.Names()
	if w.x != nil {
		names = append(names, w.x.Key.Names()...)
	}
	return m.Only(names), nil
}

// whole reads the item that an index entry is of.
func (w *walk) whole(store *storage.Store, raw []byte) (version, error) {
	m, err := item.Parse(string(raw))
	if err != nil {
		return version{}, err
	}
	tg := locate(w.t, w.d, m)
	v, err := fetch(store, &tg)
	if err == nil && !v.exists() { // deleted since the entry was read
		v = newVersion(m)
	}
	return v, err
}

func (w *walk) finish(page *Page, list bool, size, fetched int) *Page {
	if list {
		page.Items = append(page.Items, ']')
	}
	page.Usage.read(w.d, w.x, size, w.Consistent)
	if fetched > 0 {
		page.Usage.read(w.d, nil, fetched, w.Consistent)
	}
	return page
}
