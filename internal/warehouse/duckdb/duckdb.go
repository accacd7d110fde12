package duckdb

import (
	"context"
	"io"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// Subjects of this package's faults.
const (
	SubjectWarehouse   = "warehouse"
	SubjectDatabase    = "database"
	SubjectSchema      = "schema"
	SubjectRelation    = "relation"
	SubjectColumn      = "column"
	SubjectFunction    = "function"
	SubjectStatement   = "statement"
	SubjectTransaction = "transaction"
	SubjectLoad        = "load"
)

// Options are the parts and settings of a Warehouse. Only Dir is required.
type Options struct {
	Dir      string   // of this warehouse alone; made at first use
	ReadDirs []string // what load files may be read from
	// MemoryLimit bounds the engine's buffers in bytes; what does not fit spills into Dir. The process takes
	// about 100 MiB more at its peak. 0 is 160 MiB.
	MemoryLimit int64
	Threads     int // 0 is one per CPU
	// Settings are SET statements for the engine, run once before its configuration is locked.
	Settings []string
	// Macros are CREATE OR REPLACE MACRO statements for functions that every session finds by their bare name.
	Macros []string
	System []SystemTable
	Log    *slog.Logger
	Now    func() time.Time
	NextID func() int64 // growing ids for queries and transactions
}

const defaultMemory = 160 << 20

// Warehouse is one embedded warehouse: the databases in one directory. Its methods may be called from any
// goroutine.
type Warehouse struct {
	o     Options
	ids   atomic.Int64
	loads running

	replicas replicas
	limits   splitLimits

	mu     sync.Mutex // guards what follows, and keeps databases from being made or removed meanwhile
	eng    *engine
	closed bool
}

// New returns a Warehouse at rest: the engine starts at first use.
func New(o Options) *Warehouse {
	if o.MemoryLimit <= 0 {
		o.MemoryLimit = defaultMemory
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Warehouse{o: o, limits: defaultSplitLimits}
	w.loads.loads, w.loads.pruned = map[*loader]struct{}{}, map[string]time.Time{}
	if o.NextID == nil {
		w.o.NextID = func() int64 { return w.ids.Add(1) }
	}
	return w
}

// Close writes everything into the database files and lets go of them. Sessions still open are cut off.
func (w *Warehouse) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.eng == nil {
		return nil
	}
	err := w.eng.close(context.Background()) //nolint:forbidigo // the last step of a stop
	w.eng = nil
	return err
}

// Remove closes the warehouse and deletes its directory with all data in it.
func (w *Warehouse) Remove() error {
	if err := w.Close(); err != nil {
		w.o.Log.Warn("closing a warehouse that is being removed", "dir", w.o.Dir, "err", err)
	}
	if err := os.RemoveAll(w.o.Dir); err != nil {
		return fault.Wrap(err, fault.Unavailable, SubjectWarehouse, "the data of the warehouse could not be deleted from %s", w.o.Dir)
	}
	return nil
}

// engine returns the running engine, and starts it if need be. The caller holds mu.
func (w *Warehouse) engine(ctx context.Context) (*engine, error) {
	if w.closed {
		return nil, fault.New(fault.Unavailable, SubjectWarehouse, "the warehouse is shutting down")
	}
	if w.eng != nil && w.eng.broken.Load() {
		if err := w.eng.abandon(); err != nil {
			return nil, err
		}
		w.eng = nil
	}
	if w.eng == nil {
		eng, err := open(ctx, w)
		if err != nil {
			return nil, err
		}
		w.eng = eng
	}
	return w.eng, nil
}

// Connect opens a session on a database.
func (w *Warehouse) Connect(ctx context.Context, database, user string) (*Session, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	eng, err := w.engine(ctx)
	if err != nil {
		return nil, err
	}
	return eng.connect(ctx, database, user)
}

// with runs do on a connection of its own to a database.
func (w *Warehouse) with(ctx context.Context, database string, do func(s *Session) error) error {
	s, err := w.Connect(ctx, database, "")
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // nothing is open in it
	return do(s)
}
