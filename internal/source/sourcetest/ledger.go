package sourcetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/pipeline"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// A state is what a write made of an item.
type state struct {
	version int       // 0: deleted
	acked   time.Time // zero until the endpoint has said yes
}

// Ledger writes items of one table and remembers what it wrote. Writes of one key must not overlap.
type Ledger struct {
	e     Endpoint
	table string

	mu      sync.Mutex
	states  map[string][]state
	version int
}

// NewLedger returns the ledger of an empty table that has a partition key only.
func NewLedger(e Endpoint, table string) *Ledger {
	return &Ledger{e: e, table: table, states: map[string][]state{}}
}

func (l *Ledger) begin(key string, deleted bool) (version, at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !deleted {
		l.version++
		version = l.version
	}
	l.states[key] = append(l.states[key], state{version: version})
	return version, len(l.states[key]) - 1
}

func (l *Ledger) acked(key string, at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states[key][at].acked = time.Now()
}

// Put writes a new version of an item, with so many bytes of padding.
func (l *Ledger) Put(ctx context.Context, key string, padding int) error {
	version, at := l.begin(key, false)
	err := l.e.Put(ctx, l.table, fmt.Sprintf(`{"pk":{"S":%q},"v":{"N":"%d"},"pad":{"S":"%s"}}`, key, version, strings.Repeat("x", padding)))
	if err == nil {
		l.acked(key, at)
	}
	return err
}

// Delete deletes an item that is there.
func (l *Ledger) Delete(ctx context.Context, key string) error {
	_, at := l.begin(key, true)
	err := l.e.Delete(ctx, l.table, fmt.Sprintf(`{"pk":{"S":%q}}`, key))
	if err == nil {
		l.acked(key, at)
	}
	return err
}

// There reports whether the item of a key should be there.
func (l *Ledger) There(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	states := l.states[key]
	return len(states) > 0 && states[len(states)-1].version > 0
}

// Items returns the versions of the items that should be there.
func (l *Ledger) Items() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]int{}
	for key, states := range l.states {
		if v := states[len(states)-1].version; v > 0 {
			out[key] = v
		}
	}
	return out
}

// Latest returns how many states each key has had.
func (l *Ledger) Latest() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]int{}
	for key, states := range l.states {
		out[key] = len(states)
	}
	return out
}

// versionOf reads the version of a row, 0 if it says that the item is deleted.
func versionOf(row change.Row) (int, error) {
	if row.Doc == nil {
		return 0, nil
	}
	var doc struct {
		PK struct{ S string } `json:"pk"`
		V  struct{ N string } `json:"v"`
	}
	if err := json.Unmarshal(row.Doc, &doc); err != nil {
		return 0, err
	}
	if doc.PK.S != row.Keys[0] || row.Keys[1] != "" {
		return 0, fmt.Errorf("the keys are %q and the item is %s", row.Keys, row.Doc)
	}
	return strconv.Atoi(doc.V.N)
}

// A Checkpoint is what a pipeline would know after a page.
type Checkpoint struct {
	Marks change.Marks
	Seen  map[string]int // by key, how many states have been seen
}

// Follower takes what a source's Stream delivers and compares it with the ledger: every key's states one after
// the other, none left out, marks that go forward, one call at a time, and idle no earlier than it may be.
type Follower struct {
	t      testing.TB
	ledger *Ledger
	inside atomic.Bool

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced with every change
	now      Checkpoint
	possible map[string][]int    // by key, which of its states the last row can have been, within this run
	past     map[string][]string // marks by part, within this run
	trail    []Checkpoint        // after every page
	pages    int
	rows     int
	idle     time.Time // as it was said last
	idles    int
	onPage   func(page int) error
	newest   time.Time
}

// NewFollower begins with the marks of Start, called when the keys had the given numbers of states.
func NewFollower(t testing.TB, l *Ledger, from Checkpoint) *Follower {
	f := &Follower{t: t, ledger: l, changed: make(chan struct{})}
	f.Resume(from)
	return f
}

// Resume goes back to a checkpoint.
func (f *Follower) Resume(from Checkpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = Checkpoint{maps.Clone(from.Marks), maps.Clone(from.Seen)}
	f.possible, f.past, f.idle = map[string][]int{}, map[string][]string{}, time.Time{}
}

// Now is the checkpoint of the last page.
func (f *Follower) Now() Checkpoint {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Checkpoint{maps.Clone(f.now.Marks), maps.Clone(f.now.Seen)}
}

// OnPage makes deliver call a function first, with the number of the page from 1, and fail if that does.
func (f *Follower) OnPage(do func(page int) error) { f.onPage = do }

// Deliver is for Stream.
func (f *Follower) Deliver(_ context.Context, page change.Page) error {
	if !f.inside.CompareAndSwap(false, true) {
		f.t.Error("deliver or idle is called by two at a time")
	}
	defer f.inside.Store(false)
	f.mu.Lock()
	f.pages++
	n, hook := f.pages, f.onPage
	f.mu.Unlock()
	if hook != nil {
		if err := hook(n); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, row := range page.Rows {
		f.row(row)
	}
	f.mark(page.Mark)
	f.rows += len(page.Rows)
	if page.Newest.After(f.newest) {
		f.newest = page.Newest
	}
	f.trail = append(f.trail, Checkpoint{maps.Clone(f.now.Marks), maps.Clone(f.now.Seen)})
	f.change()
	return nil
}

func (f *Follower) change() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *Follower) row(row change.Row) {
	key := row.Keys[0]
	version, err := versionOf(row)
	if err != nil {
		f.t.Errorf("row %q: %v", row.Keys, err)
		return
	}
	f.ledger.mu.Lock()
	states := slices.Clone(f.ledger.states[key])
	f.ledger.mu.Unlock()
	matches := func(i int) bool { return i < len(states) && states[i].version == version }
	var now []int
	if before, again := f.possible[key]; again {
		for _, i := range before {
			if matches(i + 1) {
				now = append(now, i+1)
			}
		}
	} else {
		for i := range f.now.Seen[key] + 1 {
			if matches(i) {
				now = append(now, i)
			}
		}
	}
	if len(now) == 0 {
		f.t.Errorf("key %q: version %d does not follow: %d states were seen, possibly %v, of %v", key, version, f.now.Seen[key], f.possible[key], states)
		return
	}
	f.possible[key] = now
	f.now.Seen[key] = max(f.now.Seen[key], now[len(now)-1]+1)
}

func (f *Follower) mark(m change.Mark) {
	if m.Part == "" {
		f.t.Error("a page has no mark")
	}
	past := f.past[m.Part]
	if len(past) > 0 && past[len(past)-1] != m.After && slices.Contains(past, m.After) {
		f.t.Errorf("the mark of %s goes back to %q: %q", m.Part, m.After, past)
	}
	f.past[m.Part] = append(past, m.After)
	if f.now.Marks[m.Part] = m.After; m.After == "" {
		delete(f.now.Marks, m.Part)
	}
}

// Idle is for Stream.
func (f *Follower) Idle(_ context.Context, at time.Time) error {
	if !f.inside.CompareAndSwap(false, true) {
		f.t.Error("deliver or idle is called by two at a time")
	}
	defer f.inside.Store(false)
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.After(time.Now()) || at.Before(f.idle) {
		f.t.Errorf("idle says %v after %v, at %v", at, f.idle, time.Now())
	}
	for key, missing := range f.behind(at) {
		f.t.Errorf("idle says that everything before %v was delivered; of key %q %s is missing", at, key, missing)
	}
	f.idle = at
	f.idles++
	f.change()
	return nil
}

// behind returns what was acknowledged before a time and has not been delivered.
func (f *Follower) behind(at time.Time) map[string]string {
	out := map[string]string{}
	f.ledger.mu.Lock()
	defer f.ledger.mu.Unlock()
	for key, states := range f.ledger.states {
		for i := f.now.Seen[key]; i < len(states); i++ {
			if s := states[i]; !s.acked.IsZero() && s.acked.Before(at) {
				out[key] = fmt.Sprintf("state %d, version %d, acknowledged at %v,", i, s.version, s.acked)
				break
			}
		}
	}
	return out
}

// Complete reports whether everything in the ledger has been delivered.
func (f *Follower) Complete() bool {
	f.ledger.mu.Lock()
	defer f.ledger.mu.Unlock()
	for key, states := range f.ledger.states {
		if f.now.Seen[key] < len(states) {
			return false
		}
	}
	return true
}

// Follow runs the source's Stream from the follower's marks until a condition holds, which is asked under the
// follower's lock after everything that happens.
func (f *Follower) Follow(src pipeline.Source, until func() bool) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	ended := make(chan error, 1)
	from := f.Now()
	f.Resume(from)
	go func() { ended <- src.Stream(ctx, from.Marks, f.Deliver, f.Idle) }()
	err := f.await(ended, until)
	cancel()
	if err == nil {
		err = <-ended
	}
	if !errors.Is(err, context.Canceled) {
		f.t.Fatalf("the stream ended: %v", err)
	}
}

// await waits until the condition holds. It returns what comes from ended, if that is first.
func (f *Follower) await(ended <-chan error, until func() bool) error {
	f.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		f.mu.Lock()
		ok, changed := until(), f.changed
		f.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case err := <-ended:
			if err == nil {
				err = errors.New("without an error")
			}
			return err
		case <-changed:
		case <-timeout.C:
			f.mu.Lock()
			behind := f.behind(time.Now())
			f.mu.Unlock()
			for key, what := range behind {
				f.t.Errorf("of key %q %s is missing", key, what)
			}
			f.t.Fatalf("nothing comes any more after %d pages with %d rows and %d calls of idle", f.pages, f.rows, f.idles)
		}
	}
}
