package tables

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/expression"
)

// useAll returns the tables with their descriptions, in order of the names given, which stay as they are
// until release is called. Tables are taken in the order of their names, so that this cannot deadlock with
// changes of descriptions.
func (db *DB) useAll(names []string) (ts []*table, ds []*Description, release func(), err error) {
	byName := map[string]*table{}
	for _, n := range names {
		t, err := db.lookup(n)
		if err != nil {
			return nil, nil, nil, dataError(err)
		}
		byName[n] = t
		ts = append(ts, t)
	}
	distinct := slices.Clone(ts)
	slices.SortFunc(distinct, func(a, b *table) int { return strings.Compare(a.name(), b.name()) })
	distinct = slices.Compact(distinct)
	held := 0
	release = func() {
		for _, t := range distinct[:held] {
			t.mu.RUnlock()
		}
	}
	for _, t := range distinct {
		t.mu.RLock()
		held++
		if t.gone {
			release()
			return nil, nil, nil, dataError(notFound(""))
		}
	}
	for _, t := range ts {
		ds = append(ds, t.d)
	}
	return ts, ds, release, nil
}

// MaxBatchWrite and MaxBatchGet are how many items a batch may have.
const (
	MaxBatchWrite = 25
	MaxBatchGet   = 100
	maxBatchBytes = 16 << 20
)

// BatchWrite does puts and deletes, all in one commit.
func (db *DB) BatchWrite(_ context.Context, writes []*Write) (Usage, error) {
	var used Usage
	if len(writes) > MaxBatchWrite {
		return used, invalid("Too many items requested for the BatchWriteItem call")
	}
	plans := make([]plan, len(writes))
	names := make([]string, len(writes))
	for i, w := range writes {
		var err error
		if plans[i], err = compile(w); err != nil {
			return used, err
		}
		names[i] = w.Table
	}
	ts, ds, release, err := db.useAll(names)
	if err != nil {
		return used, err
	}
	defer release()
	changes := make([]change, len(writes))
	for i := range plans {
		if changes[i].target, err = plans[i].place(ts[i], ds[i]); err != nil {
			return used, err
		}
	}
	if twice(changes) {
		return used, invalid("Provided list of item keys contains duplicates")
	}
	unlock := db.lockAll(changes)
	defer unlock()
	if err := db.fetchAll(changes); err != nil {
		return used, err
	}
	for i := range changes {
		c := &changes[i]
		if c.new, err = plans[i].evaluate(&c.target, &c.old); err != nil {
			return used, err
		}
	}
	return used, db.commit(changes, &used)
}

// twice reports whether two changes are of the same item.
func twice(changes []change) bool {
	seen := make(map[string]bool, len(changes))
	for i := range changes {
		k := string(changes[i].storeKey())
		if seen[k] {
			return true
		}
		seen[k] = true
	}
	return false
}

func (db *DB) lockAll(changes []change) (unlock func()) {
	ids := make([]uint64, len(changes))
	for i := range changes {
		ids[i] = changes[i].lockID()
	}
	return db.locks.lock(ids)
}

// BatchGetResult is what a batch found: for each Read the JSON of the items, in no particular order, and
// the indexes of the keys that were left out because the answer is full.
type BatchGetResult struct {
	Items [][][]byte
	Left  [][]int
	Usage Usage
}

// BatchGet reads items of several tables. An answer holds at most 16 MiB.
func (db *DB) BatchGet(_ context.Context, reads []*Read) (*BatchGetResult, error) {
	out := &BatchGetResult{Items: make([][][]byte, len(reads)), Left: make([][]int, len(reads))}
	total := 0
	for _, r := range reads {
		total += len(r.Keys)
	}
	if total > MaxBatchGet {
		return nil, invalid("Too many items requested for the BatchGetItem call")
	}
	room := maxBatchBytes
	for i, r := range reads {
		p, err := r.compile()
		if err != nil {
			return nil, err
		}
		t, d, release, err := db.use(r.Table)
		if err != nil {
			return nil, dataError(err)
		}
		release()
		places := make([]change, len(r.Keys))
		for j, key := range r.Keys {
			if err := d.Key.CheckKey(key); err != nil {
				return nil, err
			}
			places[j].target = locate(t, d, key)
		}
		if twice(places) {
			return nil, invalid("Provided list of item keys contains duplicates")
		}
		for j := range places {
			v, err := fetch(db.store, &places[j].target)
			if err != nil {
				return nil, err
			}
			if v.size() > room {
				out.Left[i] = append(out.Left[i], j)
				continue
			}
			room -= v.size()
			out.Usage.read(d, nil, v.size(), r.Consistent)
			if !v.exists() {
				continue
			}
			raw, err := view(&v, p)
			if err != nil {
				return nil, err
			}
			out.Items[i] = append(out.Items[i], raw)
		}
	}
	return out, db.store.Barrier()
}

// MaxTransaction is how many items a transaction may have.
const (
	MaxTransaction      = 100
	maxTransactionBytes = 4 << 20
)

// Codes of cancellation reasons.
const (
	ReasonNone      = "None"
	ReasonCondition = "ConditionalCheckFailed"
	ReasonInvalid   = "ValidationError"
	ReasonConflict  = "TransactionConflict"
)

// TransactionCanceledError is the error of a transaction of which at least one write was refused. There is a
// reason for each.
type TransactionCanceledError struct{ Reasons []Reason }

// Reason is why a write of a cancelled transaction was refused; its code is ReasonNone if it was not.
type Reason struct {
	Code    string
	Message string
	Item    []byte // as ConditionFailedError has it
}

func (e *TransactionCanceledError) Error() string {
	codes := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		codes[i] = r.Code
	}
	return "Transaction cancelled, please refer cancellation reasons for specific reasons [" + strings.Join(codes, ", ") + "]"
}

// Transact does all writes or none. With a token that was used within the token lifetime for the same
// request, it does nothing and reports what was done then; fingerprint tells requests apart.
func (db *DB) Transact(_ context.Context, writes []*Write, token, fingerprint string) (Usage, error) {
	used := Usage{factor: 2}
	plans := make([]plan, len(writes))
	names := make([]string, len(writes))
	size := 0
	for i, w := range writes {
		var err error
		if plans[i], err = compile(w); err != nil {
			return used, err
		}
		names[i] = w.Table
		size += w.Item.Size()
	}
	if size > maxTransactionBytes {
		return used, invalid("Collective size of all items in the transaction exceeds 4 MB limit")
	}
	ts, ds, release, err := db.useAll(names)
	if err != nil {
		return used, err
	}
	defer release()
	changes := make([]change, len(writes))
	reasons := make([]Reason, len(writes))
	refused := false
	refuse := func(i int, err error) error {
		var failed *ConditionFailedError
		switch {
		case errors.As(err, &failed):
			reasons[i] = Reason{ReasonCondition, failed.Error(), failed.Item}
		case fault.KindOf(err) == fault.Invalid:
			reasons[i] = Reason{Code: ReasonInvalid, Message: fault.Message(err)}
		default:
			return err
		}
		refused = true
		return nil
	}
	for i := range plans {
		if changes[i].target, err = plans[i].place(ts[i], ds[i]); err != nil {
			return used, err
		}
	}
	if twice(changes) {
		return used, invalid("Transaction request cannot include multiple operations on one item")
	}
	defer db.lockAll(changes)()
	var extra []pair
	if token != "" {
		unlockToken := db.locks.lock([]uint64{tokenLock(token)})
		defer unlockToken()
		done, mark, err := db.remembered(token, fingerprint)
		if err != nil {
			return used, err
		}
		if done {
			for i := range changes { // a repeat is paid as reads
				used.read(ds[i], nil, writes[i].Item.Size(), true)
			}
			return used, nil
		}
		extra = append(extra, mark)
	}
	if err := db.fetchAll(changes); err != nil {
		return used, err
	}
	for i := range changes {
		reasons[i].Code = ReasonNone
		c := &changes[i]
		if c.new, err = plans[i].evaluate(&c.target, &c.old); err != nil {
			if err := refuse(i, err); err != nil {
				return used, err
			}
		}
	}
	if refused {
		return used, &TransactionCanceledError{reasons}
	}
	return used, db.commit(changes, &used, extra...)
}

// TransactGet reads items as they are at one moment. The result has the JSON of each, nil where there is none.
func (db *DB) TransactGet(_ context.Context, reads []*Read) ([][]byte, Usage, error) {
	used := Usage{factor: 2}
	projections := make([]*expression.Projection, len(reads))
	targets := make([]target, len(reads))
	for i, r := range reads {
		var err error
		if projections[i], err = r.compile(); err != nil {
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
		targets[i] = locate(t, d, r.Keys[0])
		if slices.ContainsFunc(targets[:i], func(o target) bool { return string(o.storeKey()) == string(targets[i].storeKey()) }) {
			return nil, used, invalid("Transaction request cannot include multiple operations on one item")
		}
	}
	snapshot := db.store.Snapshot()
	defer snapshot.Close()
	out := make([][]byte, len(reads))
	size := 0
	for i := range targets {
		v, err := fetch(snapshot, &targets[i])
		if err != nil {
			return nil, used, err
		}
		size += v.size()
		used.read(targets[i].d, nil, v.size(), true)
		if v.exists() {
			if out[i], err = view(&v, projections[i]); err != nil {
				return nil, used, err
			}
		}
	}
	if size > maxTransactionBytes {
		return nil, used, invalid("Collective size of all items in the transaction exceeds 4 MB limit")
	}
	return out, used, db.store.Barrier()
}
