package events

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/fault"
)

const (
	claimTime   = 45 * time.Second // that a batch has to be settled in
	deliverTime = 30 * time.Second // that a target has for a batch
	firstPause  = time.Second      // after the first failure; it doubles
	maxPause    = 15 * time.Minute
	keepTime    = 24 * time.Hour // for delivered events
	idleTime    = time.Minute    // after which a worker looks by itself
	maxReason   = 500            // bytes
)

// DispatcherConfig is what a Dispatcher is made of. All fields are required.
type DispatcherConfig struct {
	Outbox  Outbox
	Targets map[string]Target        // by bus
	MaxAge  map[string]time.Duration // by bus, after which an event is given up; 0 is 24 hours
	Now     func() time.Time
	Log     *slog.Logger
	// After is time.After for tests that have their own clock; nil is time.After.
	After func(time.Duration) <-chan time.Time
}

// Dispatcher delivers the events of the outbox, one worker for each bus that has a target.
type Dispatcher struct {
	c    DispatcherConfig
	wake map[string]chan struct{}
}

// NewDispatcher returns a Dispatcher at rest.
func NewDispatcher(c DispatcherConfig) *Dispatcher {
	if c.After == nil {
		c.After = time.After
	}
	d := &Dispatcher{c: c, wake: map[string]chan struct{}{}}
	for bus := range c.Targets {
		d.wake[bus] = make(chan struct{}, 1)
	}
	return d
}

// Wake tells a bus's worker that there may be something to deliver, or every worker if bus is empty. It never
// blocks; a bus without a target is no error.
func (d *Dispatcher) Wake(bus string) {
	for name, c := range d.wake {
		if bus != "" && bus != name {
			continue
		}
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Run delivers until ctx is done, and returns when every worker has stopped. A delivery under way is finished or
// will be made again.
func (d *Dispatcher) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for bus := range d.c.Targets {
		g.Go(func() error { return d.work(ctx, bus) })
	}
	g.Go(func() error { return d.prune(ctx) })
	return g.Wait()
}

// prune forgets old events now and then.
func (d *Dispatcher) prune(ctx context.Context) error {
	for {
		if err := d.c.Outbox.EventPrune(ctx, d.c.Now().Add(-keepTime)); err != nil && ctx.Err() == nil {
			d.c.Log.Warn("delivered events could not be forgotten", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.c.After(time.Hour):
		}
	}
}

func (d *Dispatcher) work(ctx context.Context, bus string) error {
	for {
		n, err := d.step(ctx, bus)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause := time.Duration(0)
		if err != nil {
			d.c.Log.Error("the outbox cannot be worked on", "bus", bus, "err", err)
			pause = firstPause
		} else if n == 0 {
			pause = d.untilNext(ctx, bus)
		}
		if pause <= 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.wake[bus]:
		case <-d.c.After(pause):
		}
	}
}

// untilNext is how long there is nothing to do for a bus.
func (d *Dispatcher) untilNext(ctx context.Context, bus string) time.Duration {
	next, err := d.c.Outbox.EventNext(ctx, bus)
	if err != nil || next.IsZero() {
		return idleTime
	}
	return min(max(next.Sub(d.c.Now()), 10*time.Millisecond), idleTime)
}

// step delivers one batch and returns how many events it had.
func (d *Dispatcher) step(ctx context.Context, bus string) (int, error) {
	target := d.c.Targets[bus]
	now := d.c.Now().UTC()
	batch, err := d.c.Outbox.EventClaim(ctx, bus, now, now.Add(claimTime), target.Batch())
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	deliver, cancel := context.WithTimeout(ctx, deliverTime)
	outcomes := target.Deliver(deliver, batch)
	cancel()
	now = d.c.Now().UTC()
	if len(outcomes) != len(batch) {
		outcomes = all(len(batch), Outcome{Err: fault.New(fault.Unavailable, SubjectBus, "the target answered for %d of %d events", len(outcomes), len(batch))})
	}
	for i := range batch {
		if outcomes[i].Err != nil && ctx.Err() != nil {
			batch[i].Due = now // the stop's fault, not the target's: to be tried again at once
			continue
		}
		d.judge(&batch[i], outcomes[i], now)
	}
	// What was delivered must be known to be, even if the process is stopping.
	return len(batch), d.c.Outbox.EventSettle(context.WithoutCancel(ctx), batch)
}

// judge notes down what became of a delivery.
func (d *Dispatcher) judge(e *Event, o Outcome, now time.Time) {
	e.Attempts++
	if o.Err == nil {
		e.State, e.Settled, e.Reason = Delivered, now, ""
		return
	}
	e.Reason = reason(o.Err)
	age := d.c.MaxAge[e.Bus]
	if age == 0 {
		age = defaultMaxAge
	}
	pause := max(backOff(e.Attempts), o.After)
	log := d.c.Log.With("bus", e.Bus, "event", e.ID, "attempts", e.Attempts, "err", o.Err)
	if !mayPass(o.Err) || now.Add(pause).Sub(e.Time) > age {
		e.State, e.Settled = Dead, now
		log.Warn("an event could not be delivered and is kept as a dead letter")
		return
	}
	e.Due = now.Add(pause)
	log.Info("an event could not be delivered and will be tried again", "pause", pause)
}

// mayPass reports whether trying again may help without anyone changing the event. Credentials may be put right.
func mayPass(err error) bool {
	return fault.Retryable(err) || fault.KindOf(err) == fault.Denied || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func reason(err error) string {
	text := fault.Message(err)
	var f *fault.Error
	if !errors.As(err, &f) {
		text = err.Error()
	}
	return text[:min(len(text), maxReason)]
}

// backOff is the pause after so many attempts, give or take a fifth.
func backOff(attempts int) time.Duration {
	pause := maxPause
	if attempts < 20 {
		pause = min(firstPause<<(attempts-1), maxPause)
	}
	return time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64()))
}
