package storage

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/penstock-io/penstock/internal/fault"
)

// room refuses writes while the file system is nearly full, so that the log, the flushes and the
// compactions, none of which can be undone halfway, never meet the end of it.
type room struct {
	fs    vfs.FS
	dir   string
	least uint64

	mu      sync.Mutex
	checked time.Time
	written uint64 // since then
	spare   uint64 // free bytes beyond the least, as of then
}

const (
	roomEvery = 200 * time.Millisecond
	// A byte written is in the log, in a table file, and in compactions of that file.
	amplification = 4
)

func (r *room) check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// How old the figure is counts, not what time it is.
	if time.Since(r.checked) > roomEvery || r.written*amplification >= r.spare {
		usage, err := r.fs.GetDiskUsage(r.dir)
		if err != nil {
			return nil //nolint:nilerr // a system that cannot tell has to be tried
		}
		least := min(r.least, usage.TotalBytes/10) // small file systems are for tests
		r.checked, r.written, r.spare = time.Now(), 0, usage.AvailBytes-min(usage.AvailBytes, least)
	}
	if r.spare == 0 {
		return fault.New(fault.Unavailable, SubjectDisk, "the file system of %s is full, so tables cannot be written; free some space and try again", r.dir)
	}
	return nil
}

func (r *room) used(n int) {
	r.mu.Lock()
	r.written += uint64(n)
	r.mu.Unlock()
}
