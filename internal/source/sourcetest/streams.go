package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/pipeline"
)

// write makes n random writes of some keys, one after the other.
func (e *env) write(l *Ledger, r *rand.Rand, n, keys int, name string) {
	for range n {
		key := fmt.Sprintf("%s-%03d", name, r.IntN(keys))
		var err error
		if l.There(key) && r.IntN(4) == 0 {
			err = l.Delete(e.Context(), key)
		} else {
			err = l.Put(e.Context(), key, r.IntN(200))
		}
		if err != nil {
			e.Errorf("write %s: %v", key, err)
			return
		}
	}
}

// crowd makes writers run beside each other, and returns what waits for them.
func (e *env) crowd(l *Ledger, writers, writes, keys int) (wait func()) {
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() { e.write(l, rand.New(rand.NewPCG(uint64(w), 1)), writes, keys, fmt.Sprintf("writer%d", w)) })
	}
	return all.Wait
}

func testStream(e *env) {
	e.create(false, bothImages)
	src := e.open()
	l := e.ledger(5, 10)
	f := NewFollower(e.T, l, e.start(src, l))
	before := time.Now()
	wait := e.crowd(l, 4, 50, 10)
	f.Follow(src, func() bool { return f.rows > 20 })
	wait()
	f.Follow(src, f.Complete)
	if f.newest.Before(before.Add(-time.Minute)) || f.newest.After(time.Now().Add(time.Minute)) {
		e.Errorf("the newest change is of %v, and now it is %v", f.newest, time.Now())
	}
	done := time.Now()
	f.Follow(src, func() bool { return f.idle.After(done) })
}

// testStreamResumed reads once and goes on from every page.
func testStreamResumed(e *env) {
	e.create(false, bothImages)
	src := e.open()
	l := NewLedger(e.Endpoint, e.table)
	f := NewFollower(e.T, l, e.start(src, l))
	r := rand.New(rand.NewPCG(3, 3))
	first := f.Now()
	ctx, cancel := context.WithCancel(e.Context())
	ended := make(chan error, 1)
	go func() { ended <- src.Stream(ctx, first.Marks, f.Deliver, f.Idle) }()
	for range 20 { // each write is in a page of its own
		e.write(l, r, 3, 4, "key")
		if err := f.await(ended, f.Complete); err != nil {
			e.Fatal(err)
		}
	}
	cancel()
	e.stopped(ended)
	for i, from := range append([]Checkpoint{first}, f.trail...) {
		again := NewFollower(e.T, l, from)
		now := time.Now()
		again.Follow(src, func() bool { return again.Complete() && again.idle.After(now) })
		if n := len(l.Latest()); i == len(f.trail) && again.rows > n {
			e.Errorf("from the last page on, %d rows came again", again.rows)
		}
	}
	e.refused(l, src, first)
}

// refused has deliver fail at every page: what it refuses comes again.
func (e *env) refused(l *Ledger, src pipeline.Source, from Checkpoint) {
	f := NewFollower(e.T, l, from)
	for page := 1; page < 6; page++ {
		f.OnPage(func(n int) error {
			if n == page {
				return errEnough
			}
			return nil
		})
		at := f.Now()
		f.pages = 0
		if err := src.Stream(e.Context(), at.Marks, f.Deliver, func(ctx context.Context, at time.Time) error {
			if f.Complete() {
				return errEnough
			}
			return f.Idle(ctx, at)
		}); !errors.Is(err, errEnough) {
			e.Fatalf("the error of deliver or idle comes back as %v", err)
		}
		f.Resume(f.Now())
	}
	f.OnPage(nil)
	f.Follow(src, f.Complete)
}

// stopped wants a stream to end because its context did.
func (e *env) stopped(ended <-chan error) {
	e.Helper()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		e.Errorf("the stream ended: %v", err)
	}
}

func testStreamStopped(e *env) {
	e.create(false, bothImages)
	faults := NewFaults(e.transport)
	src := e.open(func(o *Options) { o.Transport = faults })
	l := NewLedger(e.Endpoint, e.table)
	from := e.start(src, l)
	e.must(l.Put(e.Context(), "a", 10))
	ctx, cancel := context.WithCancel(e.Context())
	err := src.Stream(ctx, from.Marks, func(ctx context.Context, _ change.Page) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}, func(context.Context, time.Time) error { return nil })
	if !errors.Is(err, context.Canceled) {
		e.Errorf("stopped in deliver: %v", err)
	}
	for _, op := range []string{"DescribeStream", "GetShardIterator", "GetRecords"} {
		faults.Fail(op, 0, -1, Before, Fault{Hang: true})
		ctx, cancel := context.WithCancel(e.Context())
		go func() {
			<-faults.Hung()
			cancel()
		}()
		err := src.Stream(ctx, from.Marks, func(context.Context, change.Page) error { return nil }, func(context.Context, time.Time) error { return nil })
		if !errors.Is(err, context.Canceled) {
			e.Errorf("stopped in %s: %v", op, err)
		}
		faults.Clear()
	}
}

// testLateStart begins when the stream has records already, some of which may come.
func testLateStart(e *env) {
	e.create(false, bothImages)
	src := e.open()
	l := NewLedger(e.Endpoint, e.table)
	e.crowd(l, 3, 30, 5)()
	f := NewFollower(e.T, l, e.start(src, l))
	e.crowd(l, 3, 30, 5)()
	f.Follow(src, f.Complete)
	if e.Control == nil {
		return
	}
	// The records from before are gone, and not missed.
	e.trim(false)
	e.must(l.Put(e.Context(), "after the trim", 10))
	f = NewFollower(e.T, l, e.start(src, l))
	e.crowd(l, 3, 30, 5)()
	f.Follow(src, f.Complete)
	e.trim(false)
	f = NewFollower(e.T, l, e.start(src, l)) // of a shard without records
	e.crowd(l, 3, 30, 5)()
	f.Follow(src, f.Complete)
	e.roll()
	f = NewFollower(e.T, l, e.start(src, l)) // of shards of which one is closed
	e.crowd(l, 3, 30, 5)()
	f.Follow(src, f.Complete)
}

// testHandoff has a snapshot and its stream beside writes that go on, and lays one over the other.
func testHandoff(e *env) {
	e.create(false, bothImages)
	src := e.open()
	l := e.ledger(60, 30_000)
	f := NewFollower(e.T, l, e.start(src, l))
	wait := e.crowd(l, 4, 60, 20)
	c := newCollected()
	e.must(e.open(func(o *Options) { o.Segments = 2 }).Snapshot(e.Context(), nil, c.deliver(e, 0)))
	wait()
	changed := map[string]int{}
	deliver := func(ctx context.Context, page change.Page) error {
		for _, row := range page.Rows {
			changed[row.Keys[0]], _ = versionOf(row) // an error is told by Deliver
		}
		return f.Deliver(ctx, page)
	}
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- src.Stream(ctx, f.Now().Marks, deliver, f.Idle) }()
	done := time.Now()
	src.Wake()
	if err := f.await(ended, func() bool { return f.idle.After(done) }); err != nil {
		e.Fatal(err)
	}
	cancel()
	e.stopped(ended)
	for key, version := range changed {
		if c.items[key] = version; version == 0 {
			delete(c.items, key)
		}
	}
	c.wants(e, l)
}

// testWake has a source that would not look again for an hour.
func testWake(e *env) {
	e.create(false, bothImages)
	src := e.open(func(o *Options) { o.Poll = 8 * time.Hour })
	l := NewLedger(e.Endpoint, e.table)
	f := NewFollower(e.T, l, e.start(src, l))
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- src.Stream(ctx, f.Now().Marks, f.Deliver, f.Idle) }()
	if err := f.await(ended, func() bool { return f.idles > 0 }); err != nil {
		e.Fatal(err)
	}
	for i := range 50 {
		e.must(l.Put(e.Context(), fmt.Sprint("key", i%5), 10))
		src.Wake()
		now := time.Now()
		if err := f.await(ended, func() bool { return f.Complete() && (i%2 == 0 || f.idle.After(now)) }); err != nil {
			e.Fatal(err)
		}
		if i%2 == 0 {
			src.Wake() // with nothing new
		}
	}
	cancel()
	e.stopped(ended)
}

// shuffle rolls and splits open shards until the context is done, and sometimes has iterators expire, where that
// can be done.
func (e *env) shuffle(ctx context.Context, r *rand.Rand, every func() bool) {
	for e.Control != nil && ctx.Err() == nil && every() {
		var err error
		switch r.IntN(4) {
		case 0, 1:
			_, err = e.Control.Roll(ctx, e.table, "")
		case 2:
			_, err = e.Control.Split(ctx, e.table, "")
		case 3:
			e.Control.ExpireIterators()
		}
		if err != nil && ctx.Err() == nil {
			e.Errorf("provoke: %v", err)
			return
		}
	}
}

func testShards(e *env) {
	e.create(false, bothImages)
	src := e.open()
	l := NewLedger(e.Endpoint, e.table)
	f := NewFollower(e.T, l, e.start(src, l))
	var changes sync.WaitGroup
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	pages := make(chan struct{}, 1000)
	f.OnPage(func(int) error {
		select {
		case pages <- struct{}{}:
		default:
		}
		return nil
	})
	n := 0
	changes.Go(func() {
		e.shuffle(ctx, rand.New(rand.NewPCG(9, 9)), func() bool {
			for range 10 { // now and then
				select {
				case <-ctx.Done():
					return false
				case <-pages:
				}
			}
			n++
			return n < 12
		})
	})
	wait := e.crowd(l, 4, 200, 15)
	f.Follow(src, func() bool { return f.rows > 300 })
	f.Follow(src, func() bool { return f.rows > 600 }) // from a mark, as after a restart
	wait()
	cancel()
	changes.Wait()
	f.Follow(src, f.Complete)
	now := time.Now()
	f.Follow(src, func() bool { return f.idle.After(now) })
}

// testManyShards has more shards than one DescribeStream lists.
func testManyShards(e *env) {
	e.create(false, bothImages)
	src := e.open()
	l := NewLedger(e.Endpoint, e.table)
	f := NewFollower(e.T, l, e.start(src, l))
	for range 7 {
		e.crowd(l, 2, 20, 30)()
		_, err := e.Control.Split(e.Context(), e.table, "")
		e.must(err)
	}
	e.crowd(l, 4, 100, 50)()
	f.Follow(src, f.Complete)
	now := time.Now()
	f.Follow(src, func() bool { return f.idle.After(now) })
	f = NewFollower(e.T, l, e.start(src, l))
	e.crowd(l, 4, 20, 50)()
	f.Follow(src, f.Complete)
}

// testResumedAcrossShards goes on from every page of a stream with shards that were rolled and split.
func testResumedAcrossShards(e *env) {
	e.create(false, bothImages)
	src := e.open()
	l := NewLedger(e.Endpoint, e.table)
	f := NewFollower(e.T, l, e.start(src, l))
	first := f.Now()
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 6 {
		e.write(l, r, 20, 8, "key")
		var err error
		if i%3 == 1 {
			_, err = e.Control.Split(e.Context(), e.table, "")
		} else {
			_, err = e.Control.Roll(e.Context(), e.table, "")
		}
		e.must(err)
	}
	f.Follow(src, f.Complete)
	now := time.Now()
	f.Follow(src, func() bool { return f.idle.After(now) })
	for _, from := range append([]Checkpoint{first}, f.trail...) {
		again := NewFollower(e.T, l, from)
		again.Follow(src, again.Complete)
	}
	e.refused(l, src, first)
}

// testForget has shards come and go: marks of those that are gone go too.
func testForget(e *env) {
	e.create(false, bothImages)
	src := e.open()
	l := NewLedger(e.Endpoint, e.table)
	f := NewFollower(e.T, l, e.start(src, l))
	r := rand.New(rand.NewPCG(6, 6))
	settings := e.Control.Settings()
	defer e.Control.SetSettings(settings)
	for range 10 {
		e.write(l, r, 5, 5, "key")
		e.roll()
		now := time.Now()
		f.Follow(src, func() bool { return f.Complete() && f.idle.After(now) })
		short := settings
		short.StreamRetention = time.Millisecond
		e.Control.SetSettings(short)
		e.must(e.Control.Housekeep(e.Context()))
		e.Control.SetSettings(settings)
	}
	f.Follow(src, func() bool { return len(f.now.Marks) <= 4 })
}

func testExpire(e *env) {
	e.create(false, bothImages)
	src := e.open()
	l := NewLedger(e.Endpoint, e.table)
	f := NewFollower(e.T, l, e.start(src, l))
	ctx, cancel := context.WithCancel(e.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- src.Stream(ctx, f.Now().Marks, f.Deliver, f.Idle) }()
	r := rand.New(rand.NewPCG(8, 8))
	for range 20 {
		e.write(l, r, 3, 5, "key")
		e.Control.ExpireIterators()
		if err := f.await(ended, f.Complete); err != nil {
			e.Fatal(err)
		}
	}
	cancel()
	e.stopped(ended)
}
