package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/pipeline"
)

// testGaps has changes go missing in every way there is. Each must be noticed.
func testGaps(e *env) {
	e.lose([]gap{
		{name: "trimmed before the first read", do: func(e *env) { e.trim(false) }},
		{name: "trimmed behind the mark", read: true, do: func(e *env) { e.put(); e.trim(false) }},
		{name: "a shard is gone before it was read to its end", read: true, do: func(e *env) { e.put(); e.roll(); e.trim(true) }},
		{name: "a child was trimmed before it was read", before: (*env).roll, read: true, do: func(e *env) { e.put(); e.trim(false) }},
		{name: "a child came and went", before: (*env).roll, read: true, do: func(e *env) { e.put(); e.roll(); e.trim(true) }},
		{name: "generations came and went", before: (*env).roll, read: true, do: func(e *env) {
			e.put()
			e.roll()
			e.roll()
			e.trim(true)
			e.roll()
			e.trim(true)
		}},
	})
}

// lose has changes go missing, before a stream is read on and meanwhile.
func (e *env) lose(ways []gap) {
	for i, way := range ways {
		if way.subject == "" {
			way.kind, way.subject = fault.Expired, pipeline.SubjectGap
		}
		for _, running := range []bool{false, true} {
			e.Run(fmt.Sprintf("%s, running %v", way.name, running), func(t *testing.T) {
				if running && e.Control == nil {
					t.Skip("some endpoints give out the old stream for as long as it is not looked for among the table's")
				}
				one := &env{T: t, Suite: e.Suite, table: fmt.Sprintf("%s-%d-%v", e.table, i, running), transport: e.transport}
				one.create(false, bothImages)
				way.run(one, running)
			})
		}
	}
}

// gap is a way for changes to go missing.
type gap struct {
	name    string
	before  func(*env)
	read    bool // up to the end, before it happens
	do      func(*env)
	kind    fault.Kind
	subject string
}

// run wants a fault of a stream to which it happens, before it runs or meanwhile.
func (g gap) run(e *env, running bool) {
	src := e.open()
	l := NewLedger(e.Endpoint, e.table)
	f := NewFollower(e.T, l, e.start(src, l))
	e.write(l, rand.New(rand.NewPCG(7, 7)), 5, 5, "key")
	if g.before != nil {
		g.before(e)
	}
	if g.read {
		now := time.Now()
		f.Follow(src, func() bool { return f.Complete() && f.idle.After(now) })
	}
	ctx, cancel := context.WithTimeout(e.Context(), patience)
	defer cancel()
	var once sync.Once
	now := func() { once.Do(func() { g.do(e) }) }
	if !running {
		now()
	}
	// While running, it happens within deliver or idle, when the source cannot go on. Rows are not looked at: some
	// are of writes that are in no ledger.
	err := src.Stream(ctx, f.Now().Marks,
		func(context.Context, change.Page) error { now(); return nil },
		func(context.Context, time.Time) error { now(); return nil })
	e.wants("the stream", err, g.kind, g.subject, e.table)
}

// put writes an item that is in no ledger.
func (e *env) put() {
	e.Helper()
	e.must(e.Endpoint.Put(e.Context(), e.table, `{"pk":{"S":"unseen"}}`))
}

func (e *env) roll() {
	e.Helper()
	_, err := e.Control.Roll(e.Context(), e.table, "")
	e.must(err)
}

func (e *env) trim(shards bool) {
	e.Helper()
	e.must(e.Control.Trim(e.Context(), e.table, shards))
}

// testFaults has a request of every operation fail, in every way that may pass.
func testFaults(e *env) {
	e.create(false, bothImages)
	l := e.ledger(12, 20_000)
	for _, fault := range []struct {
		name string
		when When
		Fault
	}{
		{"no connection", Before, Fault{}},
		{"lost answer", After, Fault{}},
		{"half an answer", After, Fault{Cut: true}},
		{"internal error", Before, Refuse(http.StatusInternalServerError, "InternalServerError")},
		{"unavailable", After, Fault{Answer: &http.Response{StatusCode: http.StatusServiceUnavailable}, Body: "<html>later</html>"}},
		{"throughput exceeded", Before, Refuse(http.StatusBadRequest, "ProvisionedThroughputExceededException")},
		{"throttled", Before, Refuse(http.StatusBadRequest, "ThrottlingException")},
		{"limit exceeded", Before, Refuse(http.StatusBadRequest, "LimitExceededException")},
		{"too many requests", Before, Fault{Answer: &http.Response{StatusCode: http.StatusTooManyRequests}, Body: "slow down"}},
		{"not JSON", Before, Fault{Answer: &http.Response{StatusCode: http.StatusOK}, Body: "<html>hello</html>"}},
		{"empty", Before, Fault{Answer: &http.Response{StatusCode: http.StatusOK}}},
		{"another checksum", Before, Fault{Answer: &http.Response{StatusCode: http.StatusOK, Header: http.Header{"X-Amz-Crc32": {"1"}}}, Body: `{"Items":[],"Records":[]}`}},
	} {
		faults := NewFaults(e.transport)
		for _, op := range []string{"DescribeTable", "Scan", "DescribeStream", "GetShardIterator", "GetRecords"} {
			faults.Fail(op, 0, 1, fault.when, fault.Fault)
		}
		src := e.open(func(o *Options) { o.Transport = faults })
		f := NewFollower(e.T, l, e.start(src, l))
		e.crowd(l, 1, 5, 5)()
		c := newCollected()
		e.must(src.Snapshot(e.Context(), nil, c.deliver(e, 0)))
		c.wants(e, l)
		f.Follow(src, f.Complete)
		if e.Failed() {
			e.Fatalf("with the fault %s", fault.name)
		}
	}
	e.lasting(l)
}

// lasting has requests fail for good.
func (e *env) lasting(l *Ledger) {
	for _, tc := range []struct {
		name    string
		fault   Fault
		kind    fault.Kind
		subject string
	}{
		{"no connection", Fault{}, fault.Unavailable, ""},
		{"unavailable", Refuse(http.StatusServiceUnavailable, "ServiceUnavailable"), fault.Unavailable, ""},
		{"throttled", Refuse(http.StatusBadRequest, "ThrottlingException"), fault.Throttled, ""},
		{"not JSON", Fault{Answer: &http.Response{StatusCode: http.StatusOK}, Body: "<html>hello</html>"}, fault.Unavailable, ""},
		{"denied", Refuse(http.StatusBadRequest, "AccessDeniedException"), fault.Denied, pipeline.SubjectAccess},
		{"unknown key", Refuse(http.StatusBadRequest, "UnrecognizedClientException"), fault.Denied, pipeline.SubjectAccess},
		{"wrong signature", Refuse(http.StatusForbidden, "InvalidSignatureException"), fault.Denied, pipeline.SubjectAccess},
		{"expired token", Refuse(http.StatusBadRequest, "ExpiredTokenException"), fault.Denied, pipeline.SubjectAccess},
		{"forbidden", Fault{Answer: &http.Response{StatusCode: http.StatusForbidden}, Body: "<html>no</html>"}, fault.Denied, pipeline.SubjectAccess},
		{"refused", Refuse(http.StatusBadRequest, "ValidationException"), fault.Invalid, ""},
		{"no DynamoDB", Fault{Answer: &http.Response{StatusCode: http.StatusNotFound}, Body: "<html>no</html>"}, fault.Invalid, ""},
	} {
		faults := NewFaults(e.transport)
		src := e.open(func(o *Options) { o.Transport, o.Patience = faults, 50*time.Millisecond })
		from := e.start(src, l)
		for _, op := range []string{"DescribeTable", "Scan", "DescribeStream", "GetRecords"} {
			faults.Fail(op, 0, -1, Before, tc.fault)
			nothing := func(context.Context, change.Page) error { return nil }
			var err error
			switch op {
			case "DescribeTable":
				_, err = src.Describe(e.Context())
			case "Scan":
				err = src.Snapshot(e.Context(), nil, nothing)
			default:
				err = src.Stream(e.Context(), from.Marks, nothing, func(context.Context, time.Time) error { return nil })
			}
			e.wants(tc.name+" at "+op, err, tc.kind, tc.subject, e.table)
			if strings.Contains(fault.Message(err), "%!") {
				e.Errorf("the message of %s at %s is %q", tc.name, op, fault.Message(err))
			}
			faults.Clear()
		}
	}
}

// testChaos has everything happen at once, at random, with restarts from any page.
func testChaos(e *env) {
	for seed := range uint64(max(1, e.Chaos)) {
		e.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			c := &env{T: t, Suite: e.Suite, table: fmt.Sprintf("%s-%d", e.table, seed), transport: e.transport}
			c.create(false, bothImages)
			c.chaos(seed)
		})
	}
}

func (e *env) chaos(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 100))
	faults := NewFaults(e.transport)
	src := e.open(func(o *Options) { o.Transport = faults })
	l := e.ledger(r.IntN(20), 1000)
	f := NewFollower(e.T, l, e.start(src, l))
	faults.Sometimes(0.05, seed)
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	var changes sync.WaitGroup
	steps := make(chan struct{}, 1)
	changes.Go(func() {
		e.shuffle(ctx, rand.New(rand.NewPCG(seed, 101)), func() bool {
			select {
			case <-ctx.Done():
				return false
			case <-steps:
				return true
			}
		})
	})
	wait := e.crowd(l, 4, 150, 1+r.IntN(20))
	snapshot := newCollected()
	var whole sync.WaitGroup
	whole.Go(func() {
		for {
			err := src.Snapshot(ctx, maps.Clone(snapshot.marks), snapshot.deliver(e, 1+int(seed%3)))
			if !errors.Is(err, errEnough) {
				if err != nil && ctx.Err() == nil {
					e.Errorf("the snapshot: %v", err)
				}
				return
			}
		}
	})
	for range 12 { // each ends at a random page, with some of what was delivered not kept
		target := f.pages + 1 + r.IntN(8)
		select {
		case steps <- struct{}{}:
		default:
		}
		f.Follow(src, func() bool { return f.pages >= target || f.Complete() })
		f.mu.Lock()
		keep := Checkpoint{maps.Clone(f.now.Marks), maps.Clone(f.now.Seen)}
		if n := len(f.trail); n > 3 && r.IntN(3) == 0 {
			keep = f.trail[n-1-r.IntN(3)]
		}
		f.mu.Unlock()
		f.Resume(keep)
	}
	wait()
	whole.Wait()
	cancel()
	changes.Wait()
	f.Follow(src, f.Complete)
	now := time.Now()
	f.Follow(src, func() bool { return f.idle.After(now) })
}
