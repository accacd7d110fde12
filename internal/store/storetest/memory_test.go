package storetest

import (
	"testing"

	"github.com/penstock-io/penstock/internal/zeroetl"
)

// memories opens Memory as if it were kept somewhere: closing it and opening it again gives what was there.
func memories[S any](as func(*Memory) S) Open[S] {
	kept := map[string]*Memory{}
	return func(t *testing.T, name string) (S, func() error) {
		key := t.Name() + "/" + name
		m := kept[key]
		if m == nil {
			m = NewMemory()
			kept[key] = m
		}
		m.closed = false
		return as(m), m.Close
	}
}

func TestMemory(t *testing.T) {
	t.Run("integrations", func(t *testing.T) { Integrations(t, memories(func(m *Memory) zeroetl.Store { return m })) })
	t.Run("policies", func(t *testing.T) { Policies(t, memories(func(m *Memory) zeroetl.PolicyStore { return m })) })
	t.Run("warehouses", func(t *testing.T) { Warehouses(t, memories(func(m *Memory) WarehouseStore { return m })) })
	t.Run("jobs", func(t *testing.T) { Jobs(t, memories(func(m *Memory) JobStore { return m })) })
	t.Run("statements", func(t *testing.T) { Statements(t, memories(func(m *Memory) StatementStore { return m })) })
	t.Run("app integrations", func(t *testing.T) { AppIntegrations(t, memories((*Memory).AppIntegrations)) })
}

func TestMemoryEvents(t *testing.T) {
	kept := map[string]*MemoryEvents{}
	Events(t, func(t *testing.T, name string) (EventStore, func() error) {
		key := t.Name() + "/" + name
		if kept[key] == nil {
			kept[key] = NewMemoryEvents()
		}
		kept[key].closed = false
		return kept[key], kept[key].Close
	})
}
