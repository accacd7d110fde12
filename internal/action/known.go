package action

import (
	"context"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
)

const (
	// knownFor is how long a connector is called as it was read. What this process changes counts at once; what
	// another one over the same store changes, after this time.
	knownFor = time.Second
	maxKnown = 10_000
)

// callee is a connector as calls need it.
type callee struct {
	connector Connector
	document  Document
	read      time.Time
}

// callees remembers connectors that are called, so that a call reads nothing from the store.
type callees struct {
	mu    sync.Mutex
	byID  map[string]callee
	epoch int64 // grows with every change
}

// callee returns a connector as calls need it.
func (s *Service) callee(ctx context.Context, caller identity.Caller, account, id string) (callee, error) {
	if err := s.home(caller, account); err != nil {
		return callee{}, err
	}
	k := &s.known
	now := s.Now()
	k.mu.Lock()
	c, ok := k.byID[id]
	epoch := k.epoch
	k.mu.Unlock()
	if age := now.Sub(c.read); ok && age >= 0 && age < knownFor {
		return c, nil
	}
	connector, err := s.get(ctx, id)
	if err != nil {
		return callee{}, err
	}
	c = callee{connector: connector, read: now}
	if connector.Type == GenericHTTP {
		c.document, err = s.Documents.DocumentGet(ctx, id)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return callee{}, err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch != epoch {
		return c, nil // it has changed while it was read: good for this call, which came before
	}
	if k.byID == nil || len(k.byID) >= maxKnown {
		k.byID = map[string]callee{}
	}
	k.byID[id] = c
	return c, nil
}

// changed makes calls look at a connector anew, and tells whoever wants to know.
func (s *Service) changed(id string) {
	s.known.mu.Lock()
	delete(s.known.byID, id)
	s.known.epoch++
	s.known.mu.Unlock()
	s.Changed()
}
