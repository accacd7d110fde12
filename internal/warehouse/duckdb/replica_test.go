package duckdb

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/pipeline"
	"github.com/penstock-io/penstock/internal/warehouse/warehousetest"
)

var (
	_ pipeline.Replica = (*Replica)(nil)
	_ pipeline.Journal = (*Replica)(nil)
)

// replicaTarget is a warehouse for the suite.
type replicaTarget struct {
	testing.TB
	dir string
	mu  sync.RWMutex // the warehouse is being exchanged
	w   *Warehouse

	limits splitLimits
}

// smallLimits split every table and use all ways changes can take.
var smallLimits = splitLimits{rows: -1, direct: 20, recent: 30, age: time.Hour}

func (r *replicaTarget) Replica(ctx context.Context, s change.Schema) (warehousetest.Replica, error) {
	return r.w.Replica(ctx, "dev", ReplicaSpec{IntegrationID: "i", Schema: s})
}

func (r *replicaTarget) Reopen(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.w.Close()
	r.w = New(Options{Dir: r.dir})
	r.w.limits = r.limits
	return err
}

func (r *replicaTarget) Read(ctx context.Context) (out []warehousetest.Row, ok bool, err error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s, err := r.w.Connect(ctx, "dev", "reader")
	if err != nil {
		return nil, false, err
	}
	defer s.Close() //nolint:errcheck // it reads only
	rows, err := s.Query(ctx, `SELECT * FROM "Orders"`)
	if fault.Is(err, fault.NotFound, SubjectRelation) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer rows.Close() //nolint:errcheck // never fails
	for rows.Next() {
		v := rows.Values()
		row := warehousetest.Row{Doc: []byte(fmt.Sprint(v[len(v)-1]))}
		for _, k := range v[:len(v)-1] {
			row.Keys = append(row.Keys, fmt.Sprint(k))
		}
		out = append(out, row)
	}
	return out, true, rows.Err()
}

func TestReplicaSuite(t *testing.T) {
	seeds := 2
	if s := os.Getenv("PENSTOCK_TEST_SEEDS"); s != "" {
		if _, err := fmt.Sscan(s, &seeds); err != nil {
			t.Fatal(err)
		}
	}
	for name, limits := range map[string]splitLimits{"table": defaultSplitLimits, "split": smallLimits} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			warehousetest.Run(t, warehousetest.Suite{Seeds: seeds, Open: func(t testing.TB) warehousetest.Target {
				r := &replicaTarget{TB: t, dir: t.TempDir(), limits: limits}
				r.w = New(Options{Dir: r.dir})
				r.w.limits = limits
				t.Cleanup(func() {
					if err := r.w.Close(); err != nil {
						t.Error(err)
					}
				})
				if err := r.w.CreateDatabase(t.Context(), "dev", "", ""); err != nil {
					t.Fatal(err)
				}
				return r
			}})
		})
	}
}
