package duckdb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

// State records the table's state, and in the history that it has changed.
func (r *Replica) State(ctx context.Context, s change.State, reason string) error {
	err := r.transact(ctx, 0, func(t *replicaTx) error {
		live, loading, err := t.generations(ctx)
		if err != nil {
			return err
		}
		if live == nil {
			live = loading
		}
		return t.setState(ctx, s, reason, live)
	})
	r.w.replicas.forget(r.database)
	return err
}

func (t *replicaTx) setState(ctx context.Context, s change.State, reason string, g *generation) error {
	reason = strings.ToValidUTF8(strings.ReplaceAll(reason, "\x00", "?"), "?")
	n, err := t.c.exec(ctx, "UPDATE "+t.in("replicas")+" SET state = $2, reason = $3, state_time = $4 WHERE integration_id = $1 AND (state, reason) IS DISTINCT FROM ($2, $3)",
		t.spec.IntegrationID, string(s), reason, t.now)
	if err != nil || n == 0 {
		return err
	}
	checkpoint := any(nil)
	if g != nil {
		checkpoint = fmt.Sprintf(`{"generation":%d,"batches":%d}`, g.Number, g.batches)
	}
	if _, err := t.c.exec(ctx, "INSERT INTO "+t.in("states")+" VALUES (?, ?, ?, ?, ?, ?)", t.spec.IntegrationID, t.spec.Schema.Table, string(s), reason, checkpoint, t.now); err != nil {
		return err
	}
	_, err = t.c.exec(ctx, "DELETE FROM "+t.in("states")+" WHERE recorded < ?", t.now.Add(-historyRetention))
	return err
}

// record adds what a transaction did to the activity of its minute, so that no more is kept than a row per minute
// and stage, for seven days.
func (t *replicaTx) record(ctx context.Context, g *generation, stage string, n counts) error {
	minute := t.now.Truncate(time.Minute)
	transaction := t.w.o.NextID()
	found, err := t.c.exec(ctx, "UPDATE "+t.in("activity")+` SET ended = $5, batches = batches + 1, inserted = inserted + $6, updated = updated + $7,
		deleted = deleted + $8, bytes = bytes + $9, transaction_id = $10 WHERE integration_id = $1 AND generation = $2 AND stage = $3 AND minute = $4`,
		t.spec.IntegrationID, g.Number, stage, minute, t.now, n.inserted, n.updated, n.deleted, n.read, transaction)
	if err != nil || found > 0 {
		return err
	}
	if _, err := t.c.exec(ctx, "INSERT INTO "+t.in("activity")+" VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)",
		t.spec.IntegrationID, t.spec.Schema.Table, g.Number, stage, minute, t.now, t.now, n.inserted, n.updated, n.deleted, n.read, transaction); err != nil {
		return err
	}
	_, err = t.c.exec(ctx, "DELETE FROM "+t.in("activity")+" WHERE ended < ?", t.now.Add(-historyRetention))
	return err
}

// ReplicaState returns the state of a replicated table and the reason for it; ok is false for any other table.
// A table is known from when its loading begins. The answer comes from memory unless the state has changed.
func (w *Warehouse) ReplicaState(ctx context.Context, database, schema, table string) (state, reason string, ok bool, err error) {
	if !strings.EqualFold(schema, "public") {
		return "", "", false, nil
	}
	w.replicas.mu.Lock()
	known := w.replicas.states[strings.ToLower(database)]
	w.replicas.mu.Unlock()
	if known == nil {
		if known, err = w.readStates(ctx, database); err != nil {
			if fault.Is(err, fault.NotFound, SubjectDatabase) {
				return "", "", false, nil
			}
			return "", "", false, err
		}
	}
	s := known[strings.ToLower(table)]
	if s == nil {
		return "", "", false, nil
	}
	return s.state, s.reason, true, nil
}

// readStates reads the states of a database's replicas into memory. It takes the turn, so that no state changes
// between the reading and the keeping.
func (w *Warehouse) readStates(ctx context.Context, database string) (map[string]*replicaState, error) {
	done, err := w.replicas.turn(ctx, database)
	if err != nil {
		return nil, err
	}
	defer done()
	all := map[string]*replicaState{}
	err = w.with(ctx, database, func(s *Session) error {
		return s.do(ctx, func() error {
			return s.conn.read(ctx, "SELECT table_name, state, reason FROM "+s.internal("replicas")+" WHERE state <> ''", nil, func(v []any) error {
				r := &replicaState{v[0].(string), v[1].(string), v[2].(string)}
				all[strings.ToLower(r.table)] = r
				return nil
			})
		})
	})
	if err != nil {
		return nil, err
	}
	w.replicas.mu.Lock()
	defer w.replicas.mu.Unlock()
	if w.replicas.states == nil {
		w.replicas.states = map[string]map[string]*replicaState{}
	}
	w.replicas.states[strings.ToLower(database)] = all
	return all, nil
}

// DropReplica ends the replication of an integration's table: what was published stays, as an ordinary table,
// and all else goes. An integration without a replica is no error. The history of states and activity stays until
// its time is over.
func (w *Warehouse) DropReplica(ctx context.Context, database, integrationID string) error {
	done, err := w.replicas.turn(ctx, database)
	if err != nil {
		return err
	}
	defer done()
	defer w.replicas.forget(database)
	return w.with(ctx, database, func(s *Session) error {
		return s.do(ctx, func() error {
			return s.conn.transact(ctx, func() error {
				t := &replicaTx{Replica: &Replica{w: w, database: database, spec: ReplicaSpec{IntegrationID: integrationID}}, s: s, c: s.conn, now: w.o.Now().UTC()}
				v, err := t.c.one(ctx, "SELECT table_name FROM "+t.in("replicas")+" WHERE integration_id = ?", integrationID)
				if err != nil || v == nil {
					return err
				}
				t.spec.Schema.Table = v[0].(string)
				live, loading, err := t.generations(ctx)
				if err == nil && loading != nil {
					err = t.dropGeneration(ctx, loading)
				}
				if err == nil && live != nil && live.split {
					err = t.join(ctx, live)
				}
				for _, table := range []string{"marks", "generations", "replicas"} {
					if err == nil {
						_, err = s.conn.exec(ctx, "DELETE FROM "+s.internal(table)+" WHERE integration_id = ?", integrationID)
					}
				}
				return err
			})
		})
	})
}
