package duckdb

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

// hiddenPrefix begins the names of tables in "public" that are not there for users: a copy being loaded. They must
// be in that schema because the engine can rename a table, not move it. No statement reaches them (see guard),
// and the catalogue leaves them out.
const hiddenPrefix = "penstock$"

func isHidden(table string) bool {
	return len(table) >= len(hiddenPrefix) && strings.EqualFold(table[:len(hiddenPrefix)], hiddenPrefix)
}

// ReplicaSpec says what is replicated and how.
type ReplicaSpec struct {
	IntegrationID string
	Schema        change.Schema
	// TruncateColumns cuts a text that is too long for its column, which otherwise fails the table.
	TruncateColumns bool
	// AcceptInvChars puts '?' in place of a character a column cannot hold, which otherwise fails the table.
	AcceptInvChars bool
}

// Replica is the copy of one source table in a database, and the authority on how far it is: generations, marks,
// states and the fence are in the same file as the rows and change with them (invariants 1 and 2).
//
// Its methods may be called from any goroutine. They run one at a time per database: the engine would let two
// of them run side by side, only for one to fail.
type Replica struct {
	w        *Warehouse
	database string
	spec     ReplicaSpec
	shape    shape

	mu    sync.Mutex
	fence int64 // of Recover; 0 before
}

// Replica returns the copy of a table. Nothing is read or written before Recover.
func (w *Warehouse) Replica(ctx context.Context, database string, spec ReplicaSpec) (*Replica, error) {
	s, err := newShape(spec.Schema, spec.TruncateColumns, spec.AcceptInvChars)
	if err != nil {
		return nil, err
	}
	if spec.IntegrationID == "" || !utf8.ValidString(spec.IntegrationID) {
		return nil, fault.New(fault.Invalid, SubjectRelation, "the replica of table %q has no integration", spec.Schema.Table)
	}
	if err := w.with(ctx, database, func(*Session) error { return nil }); err != nil {
		return nil, err
	}
	return &Replica{w: w, database: database, spec: spec, shape: s}, nil
}

// replicas is what a Warehouse keeps in memory of the replicas in its databases.
type replicas struct {
	mu     sync.Mutex
	turns  map[string]chan struct{}            // by database, in lower case: held by the call at work
	states map[string]map[string]*replicaState // by database and table, in lower case; nil: not read yet
}

type replicaState struct{ table, state, reason string }

// turn waits until no other call is at work in the database.
func (r *replicas) turn(ctx context.Context, database string) (done func(), _ error) {
	r.mu.Lock()
	if r.turns == nil {
		r.turns = map[string]chan struct{}{}
	}
	c := r.turns[strings.ToLower(database)]
	if c == nil {
		c = make(chan struct{}, 1)
		r.turns[strings.ToLower(database)] = c
	}
	r.mu.Unlock()
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// forget drops what is known of the states of a database's tables.
func (r *replicas) forget(database string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.states, strings.ToLower(database))
}

// replicaTx is one transaction of a Replica.
type replicaTx struct {
	*Replica
	s   *Session
	c   *conn
	now time.Time
}

// in is the full name of an internal table.
func (t *replicaTx) in(table string) string { return t.s.internal(table) }

// public is the full name of a table in the schema public.
func (t *replicaTx) public(table string) string {
	return ident(t.s.db.name) + ".public." + ident(table)
}

// transact runs do in a transaction of its own. install is the fence to install; without it the one installed
// must be this replica's, or do is not run. The row that holds the fence is written either way, so that of two
// transactions that overlap, one fails, whatever the owners know of each other (invariant 2).
func (r *Replica) transact(ctx context.Context, install int64, do func(t *replicaTx) error) error {
	done, err := r.w.replicas.turn(ctx, r.database)
	if err != nil {
		return err
	}
	defer done()
	r.mu.Lock()
	fence := r.fence
	r.mu.Unlock()
	if install != 0 {
		fence = install
	}
	if fence == 0 {
		return fault.New(fault.Conflict, SubjectRelation, "the replica of table %q has no owner yet", r.spec.Schema.Table)
	}
	err = r.w.with(ctx, r.database, func(s *Session) error {
		return s.do(ctx, func() error {
			return s.conn.transact(ctx, func() error {
				t := &replicaTx{Replica: r, s: s, c: s.conn, now: s.e.w.o.Now().UTC()}
				if err := t.hold(ctx, fence, install != 0); err != nil {
					return err
				}
				return do(t)
			})
		})
	})
	if err == nil && install != 0 {
		r.mu.Lock()
		r.fence = install
		r.mu.Unlock()
	}
	return err
}

// hold checks the fence, or installs it.
func (t *replicaTx) hold(ctx context.Context, fence int64, install bool) error {
	set, condition := "fence = fence", "fence = ?"
	if install {
		set, condition = fmt.Sprintf("fence = %d", fence), "fence <= ?"
	}
	n, err := t.c.exec(ctx, "UPDATE "+t.in("replicas")+" SET "+set+" WHERE integration_id = ? AND "+condition, t.spec.IntegrationID, fence)
	if err != nil || n > 0 {
		return err
	}
	known, err := t.c.one(ctx, "SELECT 1 FROM "+t.in("replicas")+" WHERE integration_id = ?", t.spec.IntegrationID)
	if err != nil {
		return err
	}
	if known == nil && install {
		_, err := t.c.exec(ctx, "INSERT INTO "+t.in("replicas")+" VALUES (?, ?, ?, 0, '', '', NULL)", t.spec.IntegrationID, t.spec.Schema.Table, fence)
		return err
	}
	return fault.New(fault.Conflict, SubjectRelation, "another owner has taken over the replication of table %q, or it has ended", t.spec.Schema.Table)
}

// generation is a row of the table generations.
type generation struct {
	change.Generation
	keys      []change.KeyColumn
	folded    int64 // batches of set-aside changes up to this one are in the rows
	batches   int64 // applied or set aside
	ambiguous bool  // key columns alone do not tell all its items apart
	rows      int64
	split     bool      // it is live and its latest changes are in a table of their own
	recent    int64     // rows of that table
	tidied    time.Time // when that table was last empty
}

// generations reads the live generation and the one being loaded; either may be nil.
func (t *replicaTx) generations(ctx context.Context) (live, loading *generation, err error) {
	err = t.c.each(ctx, "SELECT number, source_id, phase, keys, loaded, batches, folded, ambiguous, row_count, split, recent, epoch_us(tidied) FROM "+t.in("generations")+" WHERE integration_id = ?",
		[]any{t.spec.IntegrationID}, func(v []any) error {
			g := &generation{batches: v[5].(int64), folded: v[6].(int64), ambiguous: v[7].(bool),
				rows: v[8].(int64), split: v[9].(bool), recent: v[10].(int64), tidied: time.UnixMicro(v[11].(int64)).UTC()}
			g.Number, g.SourceID, g.Phase, g.Loaded = v[0].(int64), v[1].(string), change.Phase(v[2].(string)), v[4].(int64)
			if err := json.Unmarshal([]byte(v[3].(string)), &g.keys); err != nil {
				return err
			}
			if g.Phase == change.Live {
				live = g
			} else {
				loading = g
			}
			return nil
		})
	return live, loading, err
}

// rowsTable is where the rows of a generation are, in the schema public.
func (t *replicaTx) rowsTable(g *generation) string {
	if g.Phase == change.Live && !g.split {
		return t.spec.Schema.Table
	}
	return fmt.Sprintf("%srows_%d", hiddenPrefix, g.Number)
}

// changesTable is the internal table with the changes set aside for a generation.
func changesTable(g *generation) string { return fmt.Sprintf("changes_%d", g.Number) }

// shapeOf is the shape of a generation's rows. That of an older one may differ from what the source has now.
func (t *replicaTx) shapeOf(g *generation) shape {
	s := t.shape
	s.Keys = g.keys
	return s
}

// Recover installs the fence and returns the live generation and the one being loaded; either may be nil. A
// fence older than the one installed is a Conflict.
func (r *Replica) Recover(ctx context.Context, fence int64) (live, loading *change.Generation, err error) {
	if fence <= 0 {
		return nil, nil, fault.New(fault.Invalid, SubjectRelation, "the fence %d is not a positive number", fence)
	}
	err = r.transact(ctx, fence, func(t *replicaTx) error {
		l, n, err := t.generations(ctx)
		if err != nil {
			return err
		}
		for _, g := range []*generation{l, n} {
			if g == nil {
				continue
			}
			there, err := t.exists(ctx, g)
			if err != nil {
				return err
			}
			if !there { // somebody has dropped it: there is nothing to go on from
				if err := t.dropGeneration(ctx, g); err != nil {
					return err
				}
				continue
			}
			if err := t.readMarks(ctx, g); err != nil {
				return err
			}
			if g == l {
				live = &g.Generation
			} else {
				loading = &g.Generation
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return live, loading, nil
}

// exists reports whether a generation's rows are where they should be.
func (t *replicaTx) exists(ctx context.Context, g *generation) (bool, error) {
	v, err := t.c.one(ctx, `SELECT (SELECT count(*) FROM duckdb_tables() WHERE database_name = $1 AND schema_name = 'public' AND lower(table_name) = lower($2)),
		(SELECT count(*) FROM duckdb_views() WHERE database_name = $1 AND schema_name = 'public' AND lower(view_name) = lower($3))`,
		t.s.db.name, t.rowsTable(g), t.spec.Schema.Table)
	if err != nil {
		return false, err
	}
	return v[0] == int64(1) && (!g.split || v[1] == int64(1)), nil
}

// Stages of marks and of activity.
const (
	stageSnapshot = "snapshot"
	stageStream   = "cdc"
)

func (t *replicaTx) readMarks(ctx context.Context, g *generation) error {
	g.Marks, g.Snapshot = change.Marks{}, change.Marks{}
	return t.c.each(ctx, "SELECT stage, part, after FROM "+t.in("marks")+" WHERE integration_id = ? AND generation = ?",
		[]any{t.spec.IntegrationID, g.Number}, func(v []any) error {
			if v[0] == stageSnapshot {
				g.Snapshot[v[1].(string)] = v[2].(string)
			} else {
				g.Marks[v[1].(string)] = v[2].(string)
			}
			return nil
		})
}

type markRow struct {
	Part  string `json:"part"`
	After string `json:"after"`
}

const marksList = `(SELECT unnest(from_json($1, '[{"part":"VARCHAR","after":"VARCHAR"}]')) AS r)`

// writeMarks enters marks, of which there may be several for a part: the last counts. The marks of parts of a
// stream that are over go; those of a snapshot stay, because they say what is not to be read again.
func (t *replicaTx) writeMarks(ctx context.Context, g *generation, stage string, marks []change.Mark) error {
	last, over := map[string]string{}, map[string]string{}
	for _, m := range marks {
		if !utf8.ValidString(m.Part) || !utf8.ValidString(m.After) {
			return fault.New(fault.Internal, SubjectRelation, "a mark of table %q is not text: %q after %q", t.spec.Schema.Table, m.Part, m.After)
		}
		delete(over, m.Part)
		last[m.Part] = m.After
		if m.After == "" && stage == stageStream {
			delete(last, m.Part)
			over[m.Part] = ""
		}
	}
	list := func(m map[string]string) (rows []markRow) {
		for part, after := range m {
			rows = append(rows, markRow{part, after})
		}
		return rows
	}
	these := " WHERE m.integration_id = $2 AND m.generation = $3 AND m.stage = $4"
	if len(over) > 0 {
		if err := insertJSON(ctx, t.c, list(over), "DELETE FROM "+t.in("marks")+" AS m USING "+marksList+these+" AND m.part = r.part", t.spec.IntegrationID, g.Number, stage); err != nil {
			return err
		}
	}
	if len(last) == 0 {
		return nil
	}
	text, err := json.Marshal(list(last))
	if err != nil {
		return err
	}
	args := []any{string(text), t.spec.IntegrationID, g.Number, stage}
	n, err := t.c.exec(ctx, "UPDATE "+t.in("marks")+" AS m SET after = r.after FROM "+marksList+these+" AND m.part = r.part", args...)
	if err != nil || n == int64(len(last)) {
		return err
	}
	_, err = t.c.exec(ctx, "INSERT INTO "+t.in("marks")+" SELECT $2, $3, $4, r.part, r.after FROM "+marksList+
		" WHERE NOT EXISTS (FROM "+t.in("marks")+" AS m"+these+" AND m.part = r.part)", args...)
	return err
}

// dropGeneration removes all there is of a generation.
func (t *replicaTx) dropGeneration(ctx context.Context, g *generation) error {
	drops := []string{"DROP TABLE IF EXISTS " + t.public(t.rowsTable(g)), "DROP TABLE IF EXISTS " + t.in(changesTable(g))}
	if g.split {
		drops = append(drops, "DROP VIEW IF EXISTS "+t.public(t.spec.Schema.Table), "DROP TABLE IF EXISTS "+t.in(recentTable(g)))
	}
	if err := t.c.script(ctx, drops...); err != nil {
		return err
	}
	for table, column := range map[string]string{"marks": "generation", "generations": "number"} {
		if _, err := t.c.exec(ctx, "DELETE FROM "+t.in(table)+" WHERE integration_id = ? AND "+column+" = ?", t.spec.IntegrationID, g.Number); err != nil {
			return err
		}
	}
	return nil
}
