package tables

import (
	"slices"
	"sync"
)

// locks makes writes to the same item take turns. What is locked is a 64-bit hash of the item's key: two
// items that share one wait for each other, which is harmless. It costs memory only for items being written.
type locks struct{ parts [64]lockPart }

type lockPart struct {
	mu   sync.Mutex
	held map[uint64]chan struct{} // closed when the lock is let go
}

// lock takes all the locks, in an order that cannot deadlock, and returns what lets them go. It sorts ids.
func (l *locks) lock(ids []uint64) (unlock func()) {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, id := range ids {
		l.parts[id%64].lock(id)
	}
	return func() {
		for _, id := range ids {
			l.parts[id%64].unlock(id)
		}
	}
}

func (p *lockPart) lock(id uint64) {
	for {
		p.mu.Lock()
		other, busy := p.held[id]
		if !busy {
			if p.held == nil {
				p.held = map[uint64]chan struct{}{}
			}
			p.held[id] = make(chan struct{})
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		<-other
	}
}

func (p *lockPart) unlock(id uint64) {
	p.mu.Lock()
	done := p.held[id]
	delete(p.held, id)
	p.mu.Unlock()
	close(done)
}
