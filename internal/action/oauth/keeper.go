package oauth

import (
	"context"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

const (
	// margin is how long before its end a token is renewed; never earlier than after half its life.
	margin = 15 * time.Minute
	// exchangeTime is how long one renewal may take, whoever waits for it.
	exchangeTime = 30 * time.Second
	// patience is how long a renewal that has failed is not tried again while the old token lasts.
	patience = 30 * time.Second
	// maxForced is how many tokens that the vendor refuses are replaced within forcedTime: one that refuses what it
	// has just issued is not asked for ever.
	maxForced  = 5
	forcedTime = time.Minute
	// remembered is how long a token is handed out without looking at what is stored.
	remembered = time.Minute
	// maxRemembered bounds how many tokens are kept in memory.
	maxRemembered = 10_000
)

// Grant is where a Keeper gets a token from and puts it. The functions are called by one goroutine at a time for
// each key, with a context that does not end when the caller's does.
type Grant struct {
	// Renew asks the vendor for a token that replaces t.
	Renew func(ctx context.Context, t Token) (Token, error)

	// The rest is nil for tokens that are asked for anew at any time and live in memory: those of client
	// credentials.

	// Load returns what is stored.
	Load func(ctx context.Context) (Token, error)
	// Save makes t durable before it returns. It replaces the token whose access token is old, and is NotFound or
	// Conflict when that is not what is stored any more.
	Save func(ctx context.Context, old secret.Text, t Token) error
	// End is told that the grant whose access token is old is over, and returns the error that callers get.
	End func(ctx context.Context, old secret.Text, cause error) error
}

// Keeper hands out tokens. It is safe for concurrent use.
type Keeper struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
	flights sync.WaitGroup
}

// entry is what is known of a key between calls.
type entry struct {
	token   Token
	loaded  time.Time // when token was stored or read; zero when there is none
	flight  *flight
	unsaved *Token      // a renewed token that could not be made durable yet
	old     secret.Text // what unsaved replaces
	failed  time.Time   // of the last renewal that failed for want of a network
	forced  int         // renewals because the vendor refused a token, since
	since   time.Time
}

// flight is a renewal that callers wait for.
type flight struct {
	done  chan struct{}
	token Token
	err   error
}

// NewKeeper returns a Keeper that has no tokens yet.
func NewKeeper(now func() time.Time) *Keeper {
	return &Keeper{now: now, entries: map[string]*entry{}}
}

// Token returns a token of the grant called key that has not run out, renewing it when it is due. refused is an
// access token that the vendor would not take, empty in the first place: the result is another one. However many
// callers ask at once, the vendor is asked once.
func (k *Keeper) Token(ctx context.Context, key string, refused secret.Text, g Grant) (Token, error) {
	return k.token(ctx, key, refused, g, false)
}

// Renew replaces the token of the grant called key whether it is due or not, so that a vendor which ends refresh tokens
// that nobody uses sees this one used. A grant without a refresh token is left as it is.
func (k *Keeper) Renew(ctx context.Context, key string, g Grant) error {
	_, err := k.token(ctx, key, secret.Text{}, g, true)
	return err
}

func (k *Keeper) token(ctx context.Context, key string, refused secret.Text, g Grant, anyway bool) (Token, error) {
	for range 2 {
		k.mu.Lock()
		e := k.entry(key)
		now := k.now()
		if !anyway && e.flight == nil && e.unsaved == nil && k.usable(e, now) && !same(e.token.Access, refused) {
			t := e.token
			k.mu.Unlock()
			return t, nil
		}
		if e.flight == nil {
			e.flight = k.start(ctx, e, refused, g, anyway)
		}
		f := e.flight
		k.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return Token{}, ctx.Err()
		}
		if f.err != nil {
			return Token{}, f.err
		}
		if !same(f.token.Access, refused) {
			return f.token, nil
		}
		// The flight had begun before anyone knew that the vendor refuses this token.
	}
	return Token{}, fault.New(fault.Denied, SubjectToken, "the vendor refuses the token that it has issued; see that the sign-in has the scopes the action needs")
}

// Forget drops what is remembered of a key whose grant has been replaced or removed.
func (k *Keeper) Forget(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.entries, key) // a renewal under way goes on by itself, and Save refuses what it brings if the grant has changed
}

// Wait returns once no renewal is under way.
func (k *Keeper) Wait() { k.flights.Wait() }

// entry returns the entry of a key, with k.mu held.
func (k *Keeper) entry(key string) *entry {
	e := k.entries[key]
	if e != nil {
		return e
	}
	for other, old := range k.entries {
		if len(k.entries) < maxRemembered {
			break
		}
		if old.flight == nil && old.unsaved == nil {
			delete(k.entries, other)
		}
	}
	e = &entry{}
	k.entries[key] = e
	return e
}

// usable reports whether the remembered token may be handed out as it is.
func (k *Keeper) usable(e *entry, now time.Time) bool {
	age := now.Sub(e.loaded)
	if e.loaded.IsZero() || age < 0 || age > remembered {
		return false
	}
	return !Due(e.token, now) || !Expired(e.token, now) && resting(e.failed, now)
}

// start begins a renewal, with k.mu held.
func (k *Keeper) start(ctx context.Context, e *entry, refused secret.Text, g Grant, anyway bool) *flight {
	f := &flight{done: make(chan struct{})}
	k.flights.Add(1)
	// A caller who gives up must not cost the others the token, nor us the answer of the vendor.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTime)
	go func() {
		defer k.flights.Done()
		defer cancel()
		f.token, f.err = k.renew(ctx, e, refused, g, anyway)
		k.mu.Lock()
		if f.err == nil {
			e.token, e.loaded = f.token, k.now()
		} else {
			e.loaded = time.Time{} // a token of client credentials stays: it may last yet
		}
		e.flight = nil
		k.mu.Unlock()
		close(f.done)
	}()
	return f
}

// renew does what is to be done for a key. unsaved, old, forced and since of an entry are its own.
func (k *Keeper) renew(ctx context.Context, e *entry, refused secret.Text, g Grant, anyway bool) (Token, error) {
	if e.unsaved != nil {
		return k.save(ctx, e, e.old, *e.unsaved, g)
	}
	t := e.token
	if g.Load != nil {
		var err error
		if t, err = g.Load(ctx); err != nil {
			return Token{}, err
		}
	}
	now := k.now()
	force := same(t.Access, refused)
	lasts := !t.Access.Empty() && !Expired(t, now) && !force
	switch {
	case lasts && !(anyway && !t.Refresh.Empty()) && (!Due(t, now) || resting(k.failedAt(e), now)):
		return t, nil
	case force && !e.mayForce(now):
		return t, nil // Token sees that it is the refused one
	case g.Load != nil && t.Refresh.Empty():
		if lasts {
			return t, nil
		}
		return Token{}, g.End(ctx, t.Access, fault.New(fault.Denied, SubjectGrant, "the token has ended and the vendor gave no refresh token with it; ask for offline access among the scopes"))
	}
	next, err := g.Renew(ctx, t)
	switch {
	case g.End != nil && fault.Is(err, fault.Denied, SubjectGrant):
		return Token{}, g.End(ctx, t.Access, err)
	case err != nil && lasts:
		k.mu.Lock()
		e.failed = now
		k.mu.Unlock()
		return t, nil // the old one does for a while yet
	case err != nil:
		return Token{}, err
	}
	if force {
		e.forced++
	}
	return k.save(ctx, e, t.Access, next, g)
}

// mayForce reports whether a token that does not look its age may be replaced once more.
func (e *entry) mayForce(now time.Time) bool {
	if age := now.Sub(e.since); age < 0 || age >= forcedTime {
		e.forced, e.since = 0, now
	}
	return e.forced < maxForced
}

// resting reports whether a renewal that has failed is not to be tried again yet. A clock that was set back since then
// does not make that longer.
func resting(failed, now time.Time) bool {
	age := now.Sub(failed)
	return age >= 0 && age < patience
}

func (k *Keeper) failedAt(e *entry) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return e.failed
}

// save makes t durable, or remembers that it is not yet: the token that it replaces is dead already.
func (k *Keeper) save(ctx context.Context, e *entry, old secret.Text, t Token, g Grant) (Token, error) {
	if g.Save == nil {
		return t, nil
	}
	err := g.Save(ctx, old, t)
	gone := fault.KindOf(err) == fault.NotFound || fault.KindOf(err) == fault.Conflict
	k.mu.Lock()
	e.unsaved = nil
	if err != nil && !gone {
		e.unsaved, e.old = &t, old
	}
	k.mu.Unlock()
	if err != nil {
		return Token{}, err
	}
	return t, nil
}

// Due reports whether a token is to be renewed: a quarter of an hour before its end, or after half its life when that
// is later. A token without an end is never due; one that is of the future comes from a clock that has been set back.
func Due(t Token, now time.Time) bool {
	if t.Expires.IsZero() {
		return false
	}
	if now.Before(t.Obtained.Add(-time.Minute)) {
		return true
	}
	return !now.Before(t.Expires.Add(-min(margin, t.Expires.Sub(t.Obtained)/2)))
}

// Expired reports whether a token has ended. One that is of the future, see Due, may well be good: it is used where
// there is no other.
func Expired(t Token, now time.Time) bool {
	return !t.Expires.IsZero() && !now.Before(t.Expires)
}

// same reports whether two access tokens are one; an empty one is like none.
func same(a, b secret.Text) bool { return !a.Empty() && a.Reveal() == b.Reveal() }
