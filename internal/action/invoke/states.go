package invoke

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// states holds the rate and the circuit breaker of every connector that was called lately.
type states struct {
	mu sync.Mutex
	of map[stateKey]*state
}

// stateKey tells connectors apart. A connector whose endpoint is corrected begins anew.
type stateKey struct{ id, base string }

type state struct {
	limiter *rate.Limiter // nil for no limit
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	used    time.Time
}

// Connectors that nobody called for a while are forgotten once there are many.
const (
	manyStates = 4096
	staleState = 10 * time.Minute
)

func (s *states) get(e *Engine, c *Connector, known *catalog.Catalogue) *state {
	key := stateKey{c.ID, c.BaseURL}
	now := e.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.of[key]
	if st == nil {
		if len(s.of) >= manyStates {
			for k, old := range s.of {
				if now.Sub(old.used) > staleState {
					delete(s.of, k)
				}
			}
		}
		if s.of == nil {
			s.of = map[stateKey]*state{}
		}
		st = e.newState(c, known)
		s.of[key] = st
	}
	st.used = now
	return st
}

func (e *Engine) newState(c *Connector, known *catalog.Catalogue) *state {
	st := &state{}
	perSecond, burst := e.PerSecond, max(e.Burst, int(e.PerSecond), 1)
	if known != nil && known.PerMinute > 0 && (perSecond == 0 || float64(known.PerMinute)/60 < perSecond) {
		perSecond, burst = float64(known.PerMinute)/60, max(1, known.PerMinute/6)
	}
	if perSecond > 0 {
		st.limiter = rate.NewLimiter(rate.Limit(perSecond), burst)
	}
	if e.BreakAfter > 0 {
		st.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Name:         c.ID,
			MaxRequests:  1,
			Timeout:      e.BreakFor,
			ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= uint32(e.BreakAfter) },
			IsSuccessful: func(err error) bool { return !isOutage(err) },
			IsExcluded:   saysNothing,
			OnStateChange: func(id string, from, to gobreaker.State) {
				e.Log.Warn("circuit breaker of action connector", "connector", id, "from", from.String(), "to", to.String())
			},
		})
	}
	return st
}

// Resting lists the connectors whose vendors are left alone for a while, since they failed.
func (e *Engine) Resting() []string {
	e.states.mu.Lock()
	defer e.states.mu.Unlock()
	var ids []string
	for key, st := range e.states.of {
		if st.breaker != nil && st.breaker.State() == gobreaker.StateOpen && !slices.Contains(ids, key.id) {
			ids = append(ids, key.id)
		}
	}
	return ids
}

// isOutage reports whether an error means that the vendor does not work, rather than that it declined.
func isOutage(err error) bool {
	var f *Error
	if !errors.As(err, &f) {
		return false
	}
	switch f.Reason {
	case VendorUnreachable, VendorTimeout, VendorFailed:
		return true
	}
	return false
}

// saysNothing reports whether an error tells nothing of the vendor, because it was not, or not fully, asked.
func saysNothing(err error) bool {
	if err == nil {
		return false
	}
	var f *Error
	if !errors.As(err, &f) {
		return true // of Tokens
	}
	switch f.Reason {
	case Canceled, AddressRefused, InvalidArguments:
		return true
	}
	return false
}

// enter waits for the connector's rate and asks its breaker. done must be called with the outcome.
func (s *states) enter(ctx context.Context, e *Engine, c *Connector, known *catalog.Catalogue) (done func(error), err error) {
	st := s.get(e, c, known)
	if st.limiter != nil {
		slot := st.limiter.Reserve()
		if delay := slot.Delay(); delay > e.MaxWait {
			slot.Cancel()
			f := failure(RateLimited, nil, "The connector %q is called more often than its limit of %.3g calls a second allows. Try again in %s.", c.ID, float64(st.limiter.Limit()), delay.Round(time.Millisecond))
			f.RetryAfter = delay
			return nil, f
		} else if delay > 0 {
			if err := e.Wait(ctx, delay); err != nil {
				slot.Cancel()
				if errors.Is(ctx.Err(), context.Canceled) {
					return nil, failure(Canceled, err, "The call was given up while it waited for the rate of connector %q.", c.ID)
				}
				return nil, failure(RateLimited, err, "The rate of connector %q left no turn within the time of the call.", c.ID)
			}
		}
	}
	if st.breaker == nil {
		return func(error) {}, nil
	}
	finish, err := st.breaker.Allow()
	if err != nil {
		f := failure(CircuitOpen, err, "The connector %q rests for up to %s because its vendor failed %d times in a row. Nothing was sent.", c.ID, e.BreakFor, e.BreakAfter)
		f.RetryAfter = e.BreakFor
		return nil, f
	}
	return finish, nil
}
