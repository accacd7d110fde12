package buckets

import "sync"

// gate keeps a bucket from being deleted under a write: the backend would make its directory anew. Writes to
// a bucket wait out its deletion, and a deletion does not wait for writes, which can last for hours.
type gate struct {
	mu      sync.Mutex
	changed *sync.Cond
	busy    map[string]int // writes in progress by bucket; deleting while it is being deleted
}

const deleting = -1

func newGate() *gate {
	g := &gate{busy: make(map[string]int)}
	g.changed = sync.NewCond(&g.mu)
	return g
}

// enter begins a write; the function returned ends it.
func (g *gate) enter(bucket string) (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.busy[bucket] == deleting {
		g.changed.Wait()
	}
	g.busy[bucket]++
	return func() { g.leave(bucket) }
}

// claim begins a deletion unless writes are in progress or another deletion is.
func (g *gate) claim(bucket string) (leave func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy[bucket] != 0 {
		return nil, false
	}
	g.busy[bucket] = deleting
	return func() { g.leave(bucket) }, true
}

func (g *gate) leave(bucket string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.busy[bucket]; n > 1 {
		g.busy[bucket] = n - 1
		return
	}
	delete(g.busy, bucket)
	g.changed.Broadcast()
}
