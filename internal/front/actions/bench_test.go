package actions_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/store/sqlite"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// BenchmarkCalls is what a call costs around what the vendor's engine does: signature, permissions, claims and records,
// over a real store.
func BenchmarkCalls(b *testing.B) {
	db, err := sqlite.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	connectors, calls := db.Connectors(), db.Calls()
	e := newEnvOver(b, action.Stores{
		Connectors: connectors, VPCs: connectors, Grants: connectors, SignIns: connectors, Documents: connectors, Calls: calls, Records: calls, Approvals: calls,
	})
	e.create("c", nil)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.actions.Run(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()
	for name, id := range map[string]string{"read": "Read", "write": "tools%2FWrite", "write with a key": "tools%2FWrite"} {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					body := `{"arguments":{"a":1}}`
					if name == "write with a key" {
						body = fmt.Sprintf(`{"arguments":{"a":1},"idempotencyKey":"k%d"}`, e.ids.Add(1))
					}
					r := wiretest.Raw("POST", "/_penstock/action-connectors/c/actions/"+id, "application/json", body)
					if w := e.client.Do(b, "penstock", r); w.Code != 200 {
						b.Errorf("%d %s", w.Code, w.Body)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}
