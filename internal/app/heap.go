package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

const (
	// heapFloor is how large the Go heap may become before there is anything to collect for, in bytes. A server at rest
	// holds less than 10 MiB, and would otherwise collect ten times a second under load, which the slowest requests feel.
	heapFloor = 48 << 20

	defaultPercent, maxPercent = 100, 400
)

// keepHeapFloor has the garbage collector leave a heap below heapFloor alone, and treat a larger one as it always does.
// Whoever has set GOGC has decided otherwise.
var keepHeapFloor = sync.OnceFunc(func() {
	if os.Getenv("GOGC") == "" {
		setPercent(defaultPercent)
	}
})

// cycle is garbage whose finalizer runs at the end of a collection. It is too large to share its place with others, which
// would keep it alive.
type cycle [4]uint64

// setPercent sets the growth that is allowed until the next collection, and has itself called after that.
func setPercent(current int) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	percent := maxPercent
	if size := live[0].Value.Uint64(); size > 0 {
		percent = min(max(int(heapFloor*100/size)-100, defaultPercent), maxPercent)
	}
	if percent != current {
		debug.SetGCPercent(percent)
	}
	runtime.SetFinalizer(new(cycle), func(*cycle) { setPercent(percent) })
}
