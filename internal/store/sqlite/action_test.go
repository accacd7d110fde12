package sqlite_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/store/sqlite"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

func TestConnectors(t *testing.T) {
	storetest.Connectors(t, stores(func(db *sqlite.DB) storetest.ConnectorStore { return db.Connectors() }))
}

func TestActionCalls(t *testing.T) {
	storetest.ActionCalls(t, stores(func(db *sqlite.DB) storetest.ActionCallStore { return db.Calls() }))
}

// BenchmarkConnectorPage reads pages of 100 among 10,000 connectors.
func BenchmarkConnectorPage(b *testing.B) {
	db, err := sqlite.Open(context.Background(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	s := db.Connectors()
	for n := range 10_000 {
		c := storetest.Full[action.Connector](n * 100)
		c.ID, c.Name, c.Type, c.Status = fmt.Sprintf("connector-%05d", n), fmt.Sprintf("Connector %d", n), "SLACK", action.CreationSuccessful
		if n%10 == 0 {
			c.Type = "JIRA_CLOUD"
		}
		if n%1000 == 0 {
			c.Permissions = []action.Permission{{Principal: "alice", Actions: []string{action.MayDelete}}}
		}
		if err := s.ConnectorCreate(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	for name, q := range map[string]struct {
		f     action.Filter
		after string
	}{
		"all":            {action.Filter{}, "connector-07000"},
		"type":           {action.Filter{By: action.ByType, Value: "JIRA_CLOUD"}, "connector-05000"},
		"owner":          {action.Filter{By: action.ByOwner, Value: "alice"}, ""},
		"part of a name": {action.Filter{By: action.ByName, Like: true, Value: "99"}, ""},
		"nothing":        {action.Filter{By: action.ByName, Like: true, Value: "no such name"}, ""},
	} {
		b.Run(name, func(b *testing.B) {
			var worst time.Duration
			for b.Loop() {
				began := time.Now()
				if _, err := s.ConnectorPage(b.Context(), q.f, q.after, 101); err != nil {
					b.Fatal(err)
				}
				worst = max(worst, time.Since(began))
			}
			b.ReportMetric(float64(worst.Microseconds()), "worst-µs")
		})
	}
}

func TestActionCounts(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := db.Connectors()
	for n, status := range []action.Status{action.CreationSuccessful, action.CreationSuccessful, action.UpdateFailed} {
		c := storetest.Full[action.Connector](n * 100)
		c.ID, c.Name, c.Type, c.Status = fmt.Sprintf("c%d", n), fmt.Sprintf("C %d", n), "SLACK", status
		if err := s.ConnectorCreate(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := s.GrantUpdate(t.Context(), c.ID, "u", func(g *action.Grant) error { g.ID, g.State = c.ID, action.GrantActive; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	for n, state := range []action.ApprovalState{action.ApprovalPending, action.ApprovalPending, action.ApprovalDone} {
		if err := db.Calls().ApprovalCreate(t.Context(), action.Approval{ID: fmt.Sprint(n), State: state, Expires: now.Add(time.Duration(n) * time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.ActionCounts(t.Context(), now)
	if err != nil || fmt.Sprint(got) != "{map[SLACK:map[CREATION_SUCCESSFUL:2 UPDATE_FAILED:1]] map[active:3] 1}" {
		t.Errorf("%v, %v", got, err)
	}
}
