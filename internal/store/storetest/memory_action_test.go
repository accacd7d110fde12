package storetest

import "testing"

// actionMemories opens ActionMemory as if it were kept somewhere.
func actionMemories[S any](as func(*ActionMemory) S) Open[S] {
	kept := map[string]*ActionMemory{}
	return func(t *testing.T, name string) (S, func() error) {
		key := t.Name() + "/" + name
		m := kept[key]
		if m == nil {
			m = NewActionMemory()
			kept[key] = m
		}
		m.closed = false
		return as(m), m.Close
	}
}

func TestActionMemory(t *testing.T) {
	t.Run("connectors", func(t *testing.T) { Connectors(t, actionMemories(func(m *ActionMemory) ConnectorStore { return m })) })
	t.Run("calls", func(t *testing.T) { ActionCalls(t, actionMemories(func(m *ActionMemory) ActionCallStore { return m })) })
}
