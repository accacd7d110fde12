package duckdb

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

// Begin drops any generation being loaded and begins another, in hidden tables. The stream's marks are durable
// when it returns (invariant 3).
func (r *Replica) Begin(ctx context.Context, table change.Table, start change.Marks) (*change.Generation, error) {
	s, err := newShape(change.Schema{Table: r.spec.Schema.Table, Keys: table.Schema.Keys}, r.spec.TruncateColumns, r.spec.AcceptInvChars)
	if err != nil {
		return nil, err
	}
	keys, err := json.Marshal(s.Keys)
	if err != nil {
		return nil, err
	}
	g := &generation{keys: s.Keys}
	g.SourceID, g.Phase, g.Marks, g.Snapshot = table.ID, change.Loading, change.Marks{}, change.Marks{}
	err = r.transact(ctx, 0, func(t *replicaTx) error {
		live, loading, err := t.generations(ctx)
		if err != nil {
			return err
		}
		if loading != nil {
			if err := t.dropGeneration(ctx, loading); err != nil {
				return err
			}
		}
		if live == nil {
			if err := t.targetIsFree(ctx); err != nil {
				return err
			}
		}
		if _, err := t.c.exec(ctx, "UPDATE "+t.in("replicas")+" SET generations = generations + 1 WHERE integration_id = ?", t.spec.IntegrationID); err != nil {
			return err
		}
		v, err := t.c.one(ctx, "SELECT generations, state FROM "+t.in("replicas")+" WHERE integration_id = ?", t.spec.IntegrationID)
		if err != nil {
			return err
		}
		g.Number = v[0].(int64)
		// A table of this name may be left of a replica that is no longer known here.
		statements := append([]string{"DROP TABLE IF EXISTS " + t.public(t.rowsTable(g)), "DROP TABLE IF EXISTS " + t.in(changesTable(g))},
			s.create(t.public(t.rowsTable(g)))...)
		if err := t.c.script(ctx, append(statements, s.createChanges(t.in(changesTable(g))))...); err != nil {
			return err
		}
		if _, err := t.c.exec(ctx, "INSERT INTO "+t.in("generations")+" VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, false, ?, false, 0, ?)",
			t.spec.IntegrationID, g.Number, g.SourceID, string(g.Phase), string(keys), t.now, t.now); err != nil {
			return err
		}
		var marks []change.Mark
		for part, after := range start {
			g.Marks[part] = after
			marks = append(marks, change.Mark{Part: part, After: after})
		}
		if err := t.writeStart(ctx, g, marks); err != nil {
			return err
		}
		if v[1] == "" {
			return t.setState(ctx, change.ResyncInitiated, "", g)
		}
		return nil
	})
	r.w.replicas.forget(r.database)
	if err != nil {
		return nil, err
	}
	return &g.Generation, nil
}

// writeStart enters the marks a stream begins at. Unlike later ones, an empty one is a place like any other.
func (t *replicaTx) writeStart(ctx context.Context, g *generation, marks []change.Mark) error {
	for _, m := range marks {
		if _, err := t.c.exec(ctx, "INSERT INTO "+t.in("marks")+" VALUES (?, ?, ?, ?, ?)", t.spec.IntegrationID, g.Number, stageStream, m.Part, m.After); err != nil {
			return err
		}
	}
	return nil
}

// targetIsFree fails when the table's name is taken by something that is no replica.
func (t *replicaTx) targetIsFree(ctx context.Context) error {
	v, err := t.c.one(ctx, `SELECT 1 FROM duckdb_tables() WHERE database_name = $1 AND schema_name = 'public' AND lower(table_name) = lower($2)
		UNION ALL SELECT 1 FROM duckdb_views() WHERE database_name = $1 AND schema_name = 'public' AND lower(view_name) = lower($2)`, t.s.db.name, t.spec.Schema.Table)
	if err == nil && v != nil {
		err = fault.New(fault.AlreadyExists, SubjectRelation, "database %q has a relation public.%s already that is not replicated; drop or rename it", t.database, ident(t.spec.Schema.Table))
	}
	return err
}

// createChanges makes the table changes are set aside in: the key columns, the exact keys, and the item, NULL for
// one that is deleted. Of several rows with the same keys the one with the highest batch counts.
func (s shape) createChanges(table string) string {
	columns := "batch BIGINT"
	for i, k := range s.Keys {
		columns += fmt.Sprintf(", k%d %s, x%d VARCHAR", i, keyDuckType(k.Type), i)
	}
	return fmt.Sprintf("CREATE TABLE %s (%s, %s JSON)", table, columns, valueColumn)
}

// Load adds rows of a snapshot to the generation being loaded, with the marks that cover them (invariant 1).
// Rows are new to it.
func (r *Replica) Load(ctx context.Context, b change.Batch) error {
	rows := r.convert(b.Rows)
	return r.transact(ctx, 0, func(t *replicaTx) error {
		_, g, err := t.generations(ctx)
		if err != nil {
			return err
		}
		if g == nil {
			return t.noLoading()
		}
		rows, ambiguous, err := rows(g.keys)
		if err != nil {
			return err
		}
		images, err := t.appendRows(ctx, g, rows)
		if err != nil {
			return err
		}
		if err := t.writeMarks(ctx, g, stageSnapshot, b.Marks); err != nil {
			return err
		}
		return t.settle(ctx, g, stageSnapshot, counts{loaded: images, inserted: images, rows: images, bytes: size(rows), ambiguous: ambiguous, read: int64(b.Bytes)})
	})
}

// convert makes rows of items before the transaction, which others wait for, and returns them to whoever asks for
// rows with the keys the table has now. For a generation that has others they are made again.
func (r *Replica) convert(items []change.Row) func(keys []change.KeyColumn) (rows []row, ambiguous bool, _ error) {
	rows, ambiguous, err := r.shape.rows(items)
	return func(keys []change.KeyColumn) ([]row, bool, error) {
		if slices.Equal(keys, r.shape.Keys) {
			return rows, ambiguous, err
		}
		s := r.shape
		s.Keys = keys
		return s.rows(items)
	}
}

func (t *replicaTx) noLoading() error {
	return fault.New(fault.Conflict, SubjectRelation, "no copy of table %q is being loaded; another owner may have finished or dropped it", t.spec.Schema.Table)
}

// Apply takes changes in, with the marks that cover them: into the live generation, or set aside for the one
// being loaded. Of several with the same keys the last counts.
func (r *Replica) Apply(ctx context.Context, of *change.Generation, b change.Batch) error {
	rows := r.convert(b.Rows)
	return r.transact(ctx, 0, func(t *replicaTx) error {
		live, loading, err := t.generations(ctx)
		if err != nil {
			return err
		}
		g := live
		if loading != nil && loading.Number == of.Number {
			g = loading
		}
		if g == nil || g.Number != of.Number {
			return fault.New(fault.Conflict, SubjectRelation, "copy %d of table %q is gone; another owner may have replaced it", of.Number, t.spec.Schema.Table)
		}
		rows, ambiguous, err := rows(g.keys)
		if err != nil {
			return err
		}
		done := counts{ambiguous: ambiguous, batches: 1, bytes: size(rows), read: int64(b.Bytes)}
		if g == loading {
			done.bytes = 0
			err = t.appendChanges(ctx, changesTable(g), g, rows, []int64{g.batches + 1})
		} else {
			err = t.applyLive(ctx, g, rows, &done)
		}
		if err != nil {
			return err
		}
		if err := t.writeMarks(ctx, g, stageStream, b.Marks); err != nil {
			return err
		}
		return t.settle(ctx, g, stageStream, done)
	})
}

func size(rows []row) (n int64) {
	for _, r := range rows {
		n += int64(len(r.doc))
	}
	return n
}

// appendRows puts the images among rows into a generation's table, and counts them.
func (t *replicaTx) appendRows(ctx context.Context, g *generation, rows []row) (n int64, err error) {
	keys := t.shapeOf(g).Keys
	return n, t.append(ctx, t.s.db.name, "public", t.rowsTable(g), func(a *appender) error {
		for i := range rows {
			if rows[i].doc == nil {
				continue
			}
			n++
			for k := range keys {
				a.key(k, keys[k].Type, rows[i].keys[k])
			}
			a.bytes(len(keys), rows[i].doc)
			if err := a.endRow(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *replicaTx) append(ctx context.Context, catalog, schema, table string, rows func(a *appender) error) error {
	a, err := t.c.appender(catalog, schema, table)
	if err != nil {
		return err
	}
	if err := rows(a); err != nil {
		a.discard()
		return err
	}
	return a.finish(ctx)
}

func (a *appender) key(column int, t change.KeyType, k key) {
	if t == change.Number {
		a.decimal(column, k.number)
	} else {
		a.text(column, k.text)
	}
}

// appendChanges puts changes into an internal table with the columns: those of first, then for each key the column
// and the exact key, then the item.
func (t *replicaTx) appendChanges(ctx context.Context, table string, g *generation, rows []row, first []int64) error {
	return t.append(ctx, t.s.db.name, internalSchema, table, func(a *appender) error {
		for i := range rows {
			column := 0
			for _, v := range first {
				a.int64(column, v)
				column++
			}
			for k := range g.keys {
				a.key(column, g.keys[k].Type, rows[i].keys[k])
				a.text(column+1, rows[i].exact[k])
				column += 2
			}
			if rows[i].doc == nil {
				a.null(column)
			} else {
				a.bytes(column, rows[i].doc)
			}
			if err := a.endRow(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// keysTable holds the keys of a batch.
const keysTable = "penstock_keys"

// stageKeys puts the keys of a batch where statements can use them, the exact ones too if asked for.
func (t *replicaTx) stageKeys(ctx context.Context, g *generation, rows []row, exact bool) error {
	columns := make([]string, 0, 2*len(g.keys))
	for i, k := range g.keys {
		columns = append(columns, fmt.Sprintf("k%d %s", i, keyDuckType(k.Type)))
		if exact {
			columns = append(columns, fmt.Sprintf("x%d VARCHAR", i))
		}
	}
	if _, err := t.c.exec(ctx, fmt.Sprintf("CREATE OR REPLACE TEMP TABLE %s (%s)", keysTable, strings.Join(columns, ", "))); err != nil {
		return err
	}
	return t.append(ctx, "temp", "main", keysTable, func(a *appender) error {
		for i := range rows {
			column := 0
			for k := range g.keys {
				a.key(column, g.keys[k].Type, rows[i].keys[k])
				column++
				if exact {
					a.text(column, rows[i].exact[k])
					column++
				}
			}
			if err := a.endRow(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// merge applies changes to a generation's rows. The old rows of all keys are deleted and the new images added,
// because an update in place would make the next checkpoint write every piece of the table anew.
func (t *replicaTx) merge(ctx context.Context, g *generation, rows []row, done *counts) error {
	ambiguous := g.ambiguous || done.ambiguous
	if err := t.stageKeys(ctx, g, rows, ambiguous || g.split); err != nil {
		return err
	}
	gone, err := t.c.exec(ctx, fmt.Sprintf("DELETE FROM %s AS t USING temp.main.%s AS k WHERE %s", t.public(t.rowsTable(g)), keysTable, t.shapeOf(g).match(ambiguous)))
	if err != nil {
		return err
	}
	if g.split && g.recent > 0 {
		overtaken, err := t.dropRecent(ctx, g, ambiguous)
		if err != nil {
			return err
		}
		done.recent -= overtaken
	}
	images, err := t.appendRows(ctx, g, rows)
	if err != nil {
		return err
	}
	done.changed(images, int64(len(rows))-images, gone)
	return nil
}

// counts are what a transaction did to a generation.
type counts struct {
	loaded, batches            int64
	inserted, updated, deleted int64
	rows                       int64 // more than before
	bytes                      int64 // of the images written
	read                       int64 // from the source
	recent                     int64 // more rows than before in the table of recent changes
	tidied                     bool  // that table is empty now
	ambiguous                  bool
}

// changed counts a batch of images and deletions that found gone rows in place. That deletions find their rows is
// taken for granted: only a batch that is applied again deletes what is not there.
func (c *counts) changed(images, deletions, gone int64) {
	deleted := min(deletions, gone)
	updated := min(images, gone-deleted)
	c.rows += images - gone
	c.deleted += deleted
	c.updated += updated
	c.inserted += images - updated
}

// settle notes what was done to a generation.
func (t *replicaTx) settle(ctx context.Context, g *generation, stage string, n counts) error {
	written := n.inserted + n.updated
	_, err := t.c.exec(ctx, "UPDATE "+t.in("generations")+` SET loaded = loaded + $3, row_count = row_count + $4, written_rows = written_rows + $5,
		written_bytes = written_bytes + $6, batches = batches + $7, ambiguous = ambiguous OR $8, updated = $9, recent = recent + $10,
		tidied = CASE WHEN $11 THEN $9 ELSE tidied END WHERE integration_id = $1 AND number = $2`,
		t.spec.IntegrationID, g.Number, n.loaded, n.rows, written, n.bytes, n.batches, n.ambiguous, t.now, n.recent, n.tidied)
	if err != nil {
		return err
	}
	return t.record(ctx, g, stage, n)
}

// foldRows is about how many set-aside changes one transaction applies.
const foldRows = 100_000

// Publish makes the generation being loaded the live one. The changes set aside are applied to it first, in
// several transactions if they are many, which nobody sees: its tables are hidden. Then its rows take the
// name of the old ones. Readers see the old rows before that and the new ones after (the engine keeps versions
// of its catalogue as of its rows), and a process that dies on the way goes on where it was (invariant 9).
func (r *Replica) Publish(ctx context.Context) error {
	for done := false; !done; {
		if err := r.transact(ctx, 0, func(t *replicaTx) (err error) {
			done, err = t.fold(ctx)
			return err
		}); err != nil {
			return err
		}
	}
	return r.transact(ctx, 0, func(t *replicaTx) error {
		live, g, err := t.generations(ctx)
		if err != nil {
			return err
		}
		if g == nil || g.folded != g.batches {
			return t.noLoading()
		}
		if live == nil {
			if err := t.targetIsFree(ctx); err != nil {
				return err
			}
		} else if err := t.dropGeneration(ctx, live); err != nil {
			return err
		}
		if err := t.c.script(ctx, "DROP TABLE "+t.in(changesTable(g))); err != nil {
			return err
		}
		if g.rows > t.w.limits.rows {
			err = t.split(ctx, g, g.ambiguous)
		} else {
			err = t.c.script(ctx, "ALTER TABLE "+t.public(t.rowsTable(g))+" RENAME TO "+ident(t.spec.Schema.Table))
		}
		if err != nil {
			return err
		}
		for _, s := range []string{
			"DELETE FROM " + t.in("marks") + " WHERE integration_id = ? AND generation = ? AND stage = '" + stageSnapshot + "'",
			"UPDATE " + t.in("generations") + " SET phase = '" + string(change.Live) + "' WHERE integration_id = ? AND number = ?",
		} {
			if _, err := t.c.exec(ctx, s, t.spec.IntegrationID, g.Number); err != nil {
				return err
			}
		}
		return nil
	})
}

// fold applies some of the changes set aside to the rows being loaded. done reports that none are left.
func (t *replicaTx) fold(ctx context.Context) (done bool, _ error) {
	_, g, err := t.generations(ctx)
	if err != nil {
		return false, err
	}
	if g == nil {
		return false, t.noLoading()
	}
	upto := g.batches
	v, err := t.c.one(ctx, fmt.Sprintf(`SELECT min(batch) FROM (SELECT batch, sum(count(*)) OVER (ORDER BY batch) AS n FROM %s WHERE batch > ? GROUP BY batch) WHERE n >= %d`,
		t.in(changesTable(g)), foldRows), g.folded)
	if err != nil {
		return false, err
	}
	if n, ok := v[0].(int64); ok {
		upto = n
	}
	s := t.shapeOf(g)
	var keys, exact, same []string
	for i := range s.Keys {
		keys, exact = append(keys, fmt.Sprintf("c.k%d", i)), append(exact, fmt.Sprintf("k%d, x%d", i, i))
		same = append(same, fmt.Sprintf("c.x%d = k.x%d", i, i))
	}
	// The items themselves go from one table to the other and are not held.
	these := fmt.Sprintf("batch > %d AND batch <= %d", g.folded, upto)
	if err := t.c.script(ctx, fmt.Sprintf("CREATE OR REPLACE TEMP TABLE %s AS SELECT %s, max(batch) AS batch FROM %s WHERE %s GROUP BY ALL",
		keysTable, strings.Join(exact, ", "), t.in(changesTable(g)), these)); err != nil {
		return false, err
	}
	gone, err := t.c.exec(ctx, fmt.Sprintf("DELETE FROM %s AS t USING temp.main.%s AS k WHERE %s", t.public(t.rowsTable(g)), keysTable, s.match(g.ambiguous)))
	if err != nil {
		return false, err
	}
	images, err := t.c.exec(ctx, fmt.Sprintf("INSERT INTO %s SELECT %s, c.value FROM %s AS c JOIN temp.main.%s AS k ON c.batch = k.batch AND %s WHERE c.%s AND c.value IS NOT NULL",
		t.public(t.rowsTable(g)), strings.Join(keys, ", "), t.in(changesTable(g)), keysTable, strings.Join(same, " AND "), strings.ReplaceAll(these, "AND batch", "AND c.batch")))
	if err != nil {
		return false, err
	}
	v, err = t.c.one(ctx, fmt.Sprintf("SELECT (SELECT count(*) FROM temp.main.%s), (SELECT CAST(coalesce(avg(strlen(value)), 0) AS BIGINT) FROM %s WHERE %s)", keysTable, t.in(changesTable(g)), these))
	if err != nil {
		return false, err
	}
	n := counts{bytes: v[1].(int64) * images}
	n.changed(images, v[0].(int64)-images, gone)
	if _, err := t.c.exec(ctx, "UPDATE "+t.in("generations")+" SET folded = ? WHERE integration_id = ? AND number = ?", upto, t.spec.IntegrationID, g.Number); err != nil {
		return false, err
	}
	return upto == g.batches, t.settle(ctx, g, stageStream, n)
}
