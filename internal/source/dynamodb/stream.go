package dynamodb

import (
	"context"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

const (
	// recordsLimit is how many records GetRecords may return: as many as it does at all.
	recordsLimit = 1000
	// shortPage is what an answer of an endpoint nearby has less of than would have kept another record out of it,
	// which has two images of 400 KB at most and must share a megabyte.
	shortPage = 128 << 10
	// sureEmpty is how many empty answers in a row mean that a shard has nothing more: an endpoint far away may
	// return nothing from a stretch of a shard, and more from the next. Until then they are asked for soon.
	sureEmpty   = 3
	unsurePause = 25 * time.Millisecond
	// awsInterval is how often a shard may be read: AWS allows five calls per second.
	awsInterval = 200 * time.Millisecond
	// idleInterval is how often idle is called at most while there is always something new: who is called then may
	// want to finish what it has collected.
	idleInterval = 100 * time.Millisecond
	// listInterval is how often the shards are listed without a reason.
	listInterval = 30 * time.Second
	// A closed shard without children is looked for again after a while that grows.
	firstRelist = 50 * time.Millisecond
	lastRelist  = 5 * time.Second
	// orphaned is after what time it is believed to have none; should any come yet, they are read all the same.
	orphaned = 20 * time.Second
)

// Stream delivers changes from where the marks end until ctx is done, and then returns its error. idle is called
// when every shard has been read to its end after the last call, with the time before which every change has
// been delivered. Both functions are called from one goroutine.
func (s *Source) Stream(ctx context.Context, from change.Marks, deliver func(context.Context, change.Page) error, idle func(context.Context, time.Time) error) error {
	marks, err := parseStreamMarks(from)
	if err != nil {
		return err
	}
	t, err := s.describe(ctx)
	if err != nil {
		return err
	}
	if err := s.sameStream(t, marks.ARN); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &streamReader{
		Source: s, keys: t.keys, marks: marks, deliver: deliver, idle: idle, readers: map[string]*shardReader{},
		began: s.Now(), answered: t.answered, ended: s.Now(),
		polls: make(chan poll, s.Shards), lists: make(chan listing, 1),
		cutters: sync.Pool{New: func() any { return &cutter{keys: t.keys} }},
	}
	defer r.work.Wait()
	defer cancel()
	return r.run(ctx)
}

// sameStream returns what speaks against reading a stream of the table.
func (s *Source) sameStream(t *table, arn string) error {
	switch {
	case t.LatestStreamARN != "" && t.LatestStreamARN != arn:
		return fault.New(fault.Expired, SubjectGap, "Table %q has another stream now, %s: it was deleted and made again, or its stream was switched off and on. Changes made in between are not in %s.", s.Table, t.LatestStreamARN, arn)
	case t.TableStatus == "DELETING":
		return s.usable(t)
	}
	return nil
}

// A streamReader reads the shards of a stream. One goroutine, run's, owns it, calls deliver and idle, and starts
// others that make a request each and report back.
type streamReader struct {
	*Source
	keys    []change.KeyColumn
	marks   *streamMarks
	deliver func(context.Context, change.Page) error
	idle    func(context.Context, time.Time) error
	cutters sync.Pool

	began    time.Time
	answered time.Time // what the endpoint's clock said then

	work  sync.WaitGroup
	polls chan poll
	lists chan listing
	busy  int // polls under way

	readers map[string]*shardReader // by shard
	tree    *tree                   // nil before the first list
	settled bool                    // the tree shows all there is behind what has been read
	waiting bool                    // shards wait for their parents
	doubted bool                    // the last tree had a gap
	ending  time.Time               // since when the stream is known to be disabled

	listing bool      // a list is under way
	relist  time.Time // when to list next; zero says that the list under way is too old already
	pause   time.Duration
	ended   time.Time // when the last shard was read to its end

	idled time.Time // when idle was called last
	said  time.Time // and what with
	wakes int
}

// A shardReader is a shard that is being read.
type shardReader struct {
	shard
	from     position
	iterator string
	busy     bool
	called   time.Time // when it was read last
	due      time.Time
	quiet    time.Duration // between looks while nothing comes
	empty    int           // answers without records, in a row
	caughtUp time.Time     // everything made before has been delivered
	reached  time.Time     // the same as far as the times of records are to be believed
	wakes    int           // how often the source had been woken when it was read last
	missing  int           // times it was not found in a row
}

// poll is what came of reading a shard once.
type poll struct {
	reader   *shardReader
	page     recordPage
	iterator string // for the next
	size     int
	sent     time.Time
	date     time.Time
	err      error
}

// listing is what came of listing the shards.
type listing struct {
	tree  *tree
	table *table // nil if it could not be looked at
	err   error
}

func (r *streamReader) run(ctx context.Context) error {
	r.list(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		r.dispatch(ctx)
		if err := r.rest(ctx); err != nil {
			return err
		}
		timer.Reset(r.next())
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			if !r.listing && !r.relist.After(r.Now()) {
				r.list(ctx)
			}
		case <-r.wake:
			r.woken()
		case p := <-r.polls:
			err = r.polled(ctx, p)
		case l := <-r.lists:
			err = r.listed(ctx, l)
		}
		if err != nil {
			return err
		}
	}
}

// next is how long there is nothing to do.
func (r *streamReader) next() time.Duration {
	now := r.Now()
	wait := listInterval
	if !r.listing {
		wait = min(wait, r.relist.Sub(now))
	}
	if r.busy < r.Shards {
		for _, one := range r.readers {
			if !one.busy {
				wait = min(wait, one.due.Sub(now))
			}
		}
	}
	return max(wait, 0)
}

// dispatch reads the shards that are due, those that have waited longest first.
func (r *streamReader) dispatch(ctx context.Context) {
	now := r.Now()
	for r.busy < r.Shards {
		var first *shardReader
		for _, one := range r.readers {
			if !one.busy && !one.due.After(now) && (first == nil || one.due.Before(first.due)) {
				first = one
			}
		}
		if first == nil {
			return
		}
		r.busy++
		first.busy, first.called, first.wakes = true, now, r.wakes
		from, iterator := first.from, first.iterator
		r.work.Go(func() {
			p := r.poll(ctx, first.shard, from, iterator)
			p.reader = first
			r.polls <- p
		})
	}
}

func (r *streamReader) woken() {
	r.wakes++
	now := r.Now()
	for _, one := range r.readers {
		one.quiet = 0
		if !one.busy {
			one.due = r.soonest(one, now)
		}
	}
}

// soonest is when a shard may be read, at a time or later.
func (r *streamReader) soonest(one *shardReader, at time.Time) time.Time {
	if r.Endpoint == "" && at.Before(one.called.Add(awsInterval)) {
		return one.called.Add(awsInterval)
	}
	return at
}

// poll reads a shard once. It runs beside run and touches nothing of it.
func (r *streamReader) poll(ctx context.Context, one shard, from position, iterator string) (p poll) {
	for try := 0; ; try++ {
		if iterator == "" {
			if iterator, p.err = r.open(ctx, one, from); p.err != nil {
				return p
			}
		}
		p.err = r.client.call(ctx, opGetRecords, recordsInput{iterator, recordsLimit}, func(a answer) (err error) {
			c := r.cutters.Get().(*cutter)
			defer r.cutters.Put(c)
			p.size, p.sent, p.date = len(a.body), a.sent, a.date
			if p.date.IsZero() {
				p.date = a.sent
			}
			p.page, err = c.stream(a.body)
			return err
		})
		if code := codeOf(p.err); code == codeExpired && try < 3 || code == codeTrimmed && from.kind == horizon && try < 3 && r.recent() {
			iterator = "" // from the last record again
			continue
		}
		p.iterator = p.page.next
		return p
	}
}

// recent reports whether nothing made after the start can have been trimmed yet, by the endpoint's clock and by
// ours.
func (r *streamReader) recent() bool {
	now := r.Now()
	theirs := r.answered.Add(now.Sub(r.began))
	return max(now.Sub(r.marks.Start).Abs(), theirs.Sub(r.marks.Start).Abs()) < retained
}

// open returns an iterator for a shard.
func (r *streamReader) open(ctx context.Context, one shard, from position) (string, error) {
	switch {
	case from.kind == unread && one.first != "":
		from = position{at, one.first}
	case from.kind == unread:
		from = position{kind: horizon}
	case from.kind == horizon && !r.recent():
		return "", fault.New(fault.Expired, SubjectGap, "Shard %s of the stream of table %q had no records left when the table began to be replicated at %s; those made since may have been trimmed.", one.id, r.Table, r.marks.Start.Format(time.RFC3339))
	}
	iterator, err := r.iterator(ctx, r.marks.ARN, one.id, from)
	if codeOf(err) == codeValidation && from.kind == at && from.sequence == one.first {
		iterator, err = r.iterator(ctx, r.marks.ARN, one.id, position{kind: horizon}) // an endpoint that wants the number of a record
	}
	return iterator, err
}

// polled takes in what came of reading a shard.
func (r *streamReader) polled(ctx context.Context, p poll) error {
	one := p.reader
	r.busy--
	one.busy = false
	if r.readers[one.id] != one {
		return nil
	}
	if p.err != nil {
		return r.failed(ctx, one, p.err)
	}
	one.missing, one.iterator = 0, p.iterator
	ended := p.page.next == ""
	if len(p.page.rows) > 0 {
		one.from = position{after, p.page.last}
	}
	r.advance(one, &p)
	if ended {
		one.from = position{kind: done}
		delete(r.readers, one.id)
		r.settled, r.ended = false, r.Now()
	}
	r.marks.shards[one.id] = one.from
	if len(p.page.rows) > 0 || ended {
		page := change.Page{Rows: p.page.rows, Mark: change.Mark{Part: shardPart + one.id, After: one.from.String()}, Newest: p.page.newest, Bytes: p.size}
		if err := r.deliver(ctx, page); err != nil {
			return err
		}
	}
	if ended {
		if err := r.replan(ctx); err != nil { // children that are known can be read at once
			return err
		}
		r.list(ctx) // and there may be more
		return nil
	}
	r.schedule(one, len(p.page.rows) > 0)
	return nil
}

// advance notes up to what time everything has been delivered. Nearby, that is told by answers which were not
// full. Elsewhere they may never be anything else while there is much to read, nor be empty, and then the records'
// times must do: one that had a certain age when it was returned, by the endpoint's clock, has it by ours as well.
// The answer's date is cut to seconds.
func (r *streamReader) advance(one *shardReader, p *poll) {
	records := len(p.page.rows) > 0
	reached := p.sent
	if records {
		one.empty = 0
		age := p.date.Add(time.Second).Sub(p.page.newest)
		reached = reached.Add(-max(age, 0)) // a time of our clock, that does not jump if it is put right
	} else {
		one.empty++
	}
	if reached.After(one.reached) {
		one.reached = reached
	}
	switch {
	case !records && one.empty >= r.sureEmpty(), r.Local && len(p.page.rows) < recordsLimit && p.size < shortPage:
		one.caughtUp = p.sent
	case !r.Local && records && reached.After(one.caughtUp):
		one.caughtUp = reached
	}
}

func (r *streamReader) sureEmpty() int {
	if r.Local {
		return 1
	}
	return sureEmpty
}

// schedule says when to read a shard next.
func (r *streamReader) schedule(one *shardReader, more bool) {
	now := r.Now()
	if more || one.wakes != r.wakes { // it was woken for what came since it was read
		one.quiet, one.due = 0, r.soonest(one, now)
		return
	}
	one.quiet = min(max(2*one.quiet, r.Poll/8), r.Quiet)
	if one.empty < r.sureEmpty() {
		one.quiet = min(one.quiet, unsurePause)
	}
	one.due = r.soonest(one, now.Add(one.quiet))
}

// failed deals with a shard that could not be read.
func (r *streamReader) failed(ctx context.Context, one *shardReader, err error) error {
	switch codeOf(err) {
	case codeTrimmed:
		return fault.Wrap(err, fault.Expired, SubjectGap, "Changes of table %q are missing: shard %s of its stream was trimmed behind %s, where reading was to go on. Records are kept for 24 hours.", r.Table, one.id, one.from.describe())
	case codeNotFound:
		if one.missing++; one.missing > 20 {
			return fault.Wrap(err, fault.Unavailable, SubjectStream, "Shard %s of the stream of table %q is listed and cannot be found.", one.id, r.Table)
		}
		one.iterator, one.due = "", r.Now().Add(min(firstRelist<<one.missing, lastRelist))
		r.list(ctx)
		return nil
	case codeExpired:
		one.iterator = ""
		r.schedule(one, false)
		return nil
	}
	return err
}

// list lists the shards, unless that is under way, and then again.
func (r *streamReader) list(ctx context.Context) {
	if r.listing {
		r.relist = time.Time{}
		return
	}
	r.listing, r.relist = true, r.Now().Add(listInterval)
	r.work.Go(func() {
		var l listing
		if l.tree, l.err = r.shards(ctx, r.marks.ARN); l.err == nil {
			// Some endpoints look at no more of an ARN than the table's name. What else is wrong with the table shows
			// when the stream is over.
			l.table, _ = r.describe(ctx)
		}
		r.lists <- l
	})
}

// listed takes in a list of the shards.
func (r *streamReader) listed(ctx context.Context, l listing) error {
	again := r.relist.IsZero() // something happened since it was asked for
	r.listing, r.relist = false, r.Now().Add(listInterval)
	if again {
		r.list(ctx)
	}
	if fault.Is(l.err, fault.NotFound, SubjectStream) {
		return r.over(ctx)
	}
	if l.err != nil {
		return l.err
	}
	if l.table != nil && l.table.LatestStreamARN != r.marks.ARN && l.table.LatestStreamARN != "" {
		return r.sameStream(l.table, r.marks.ARN)
	}
	r.tree, r.settled = l.tree, !again
	switch {
	case l.tree.enabled():
		r.ending = time.Time{}
	case r.ending.IsZero():
		r.ending = l.tree.listed
	}
	return r.replan(ctx)
}

// replan brings the readers into line with the tree.
func (r *streamReader) replan(ctx context.Context) error {
	if r.tree == nil {
		return nil
	}
	p := r.marks.plan(r.tree)
	if p.gap != "" {
		if r.doubted && r.settled {
			return fault.New(fault.Expired, SubjectGap, "Changes of table %q are missing from its stream: %s. Records are kept for 24 hours.", r.Table, p.gap)
		}
		r.doubted, r.settled = true, false
		r.list(ctx)
		return nil
	}
	r.doubted = false
	r.waiting = len(p.wait) > 0
	now := r.Now()
	for _, s := range p.read {
		if r.readers[s.id] != nil {
			continue
		}
		r.readers[s.id] = &shardReader{shard: s, from: r.marks.shards[s.id], due: now}
	}
	if r.settled && len(p.childless) > 0 && r.tree.enabled() && now.Sub(r.ended) < orphaned {
		r.settled = false // their children are not listed yet
		r.pause = min(max(2*r.pause, firstRelist), lastRelist)
		r.relist = now.Add(r.pause)
	} else if r.settled {
		r.pause = 0
	}
	if !r.settled {
		return nil
	}
	for _, id := range p.forget {
		delete(r.marks.shards, id)
		if err := r.deliver(ctx, change.Page{Mark: change.Mark{Part: shardPart + id}}); err != nil {
			return err
		}
	}
	return nil
}

// rest calls idle if every shard has been read to its end since it was called last, and while there is always
// something new if there is something new to say. When the stream is disabled that is the end.
func (r *streamReader) rest(ctx context.Context) error {
	if r.tree == nil || !r.settled || r.waiting {
		return nil
	}
	if !r.ending.IsZero() && len(r.readers) == 0 {
		return r.over(ctx)
	}
	caughtUp, reached := r.tree.listed, r.tree.listed // if there is nothing to be read
	first, busy := true, false
	for _, one := range r.readers {
		busy = busy || one.empty == 0
		if first || one.caughtUp.Before(caughtUp) {
			caughtUp = one.caughtUp
		}
		if first || one.reached.Before(reached) {
			reached = one.reached
		}
		first = false
	}
	now := r.Now()
	if !reached.IsZero() {
		r.Observer.lag(now.Sub(reached))
	}
	if !caughtUp.After(r.idled) && !(busy && caughtUp.After(r.said)) || busy && now.Sub(r.idled) < idleInterval {
		return nil
	}
	if !r.ending.IsZero() && caughtUp.After(r.ending) {
		return r.over(ctx)
	}
	r.idled, r.said = now, caughtUp
	return r.idle(ctx, caughtUp)
}

// over says why a stream that is disabled or gone is.
func (r *streamReader) over(ctx context.Context) error {
	t, err := r.describe(ctx)
	if err != nil {
		return err
	}
	if err := r.sameStream(t, r.marks.ARN); err != nil {
		return err
	}
	if err := r.usable(t); err != nil {
		return err
	}
	return fault.New(fault.Unavailable, SubjectStream, "The stream %s of table %q cannot be read, although the table says it is enabled.", r.marks.ARN, r.Table)
}
