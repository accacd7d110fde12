package duckdb

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// To find the rows of a batch's keys the engine reads the key columns of the whole table, which takes longer the
// larger it is, and as long for one change as for thousands. So a large table is split: small batches go into a
// table of recent changes, one row per key, and what users see under the table's name is a view of both. Now and then the
// recent changes go into the table all at once. A small table is a table, as the engine knows it.
//
//	public."T"                  view: the rows that have no recent change, and the recent images
//	public."penstock$rows_N"    the rows
//	penstock.recent_N           the changes: the key columns, the exact keys, the item or NULL for one that is deleted
type splitLimits struct {
	rows           int64         // a table with more is split
	direct, recent int64         // of a table that is just split; see below
	age            time.Duration // the recent changes go into the table at the first change after so long
}

var defaultSplitLimits = splitLimits{rows: 500_000, direct: 4_000, recent: 40_000, age: time.Minute}

// searched is how many rows are searched in the time it takes to put one change into the recent ones first.
const searched = 200

// isDirect reports whether a batch of so many changes is worth the search by itself.
func (l splitLimits) isDirect(changes, rows int64) bool {
	return changes >= max(l.direct, rows/searched)
}

// isMany reports whether so many recent changes go into a table: every reader has to look for them.
func (l splitLimits) isMany(recent, rows int64) bool {
	return recent >= max(l.recent, min(rows/(searched/2), 100_000))
}

// splitNote is the comment on the view that stands for a table.
const splitNote = notePrefix + `{"type":"table"}`

func recentTable(g *generation) string { return fmt.Sprintf("recent_%d", g.Number) }

// split makes a generation a split one. Its rows have their hidden name.
func (t *replicaTx) split(ctx context.Context, g *generation, ambiguous bool) error {
	g.split = true
	s := t.shapeOf(g)
	columns := make([]string, len(s.Keys))
	for i, k := range s.Keys {
		columns[i] = fmt.Sprintf("k%d %s, x%d VARCHAR", i, keyDuckType(k.Type), i)
	}
	if err := t.c.script(ctx, fmt.Sprintf("CREATE TABLE %s (%s, %s JSON)", t.in(recentTable(g)), strings.Join(columns, ", "), valueColumn)); err != nil {
		return err
	}
	if err := t.defineSplit(ctx, g, ambiguous); err != nil {
		return err
	}
	_, err := t.c.exec(ctx, "UPDATE "+t.in("generations")+" SET split = true, recent = 0, tidied = ? WHERE integration_id = ? AND number = ?", t.now, t.spec.IntegrationID, g.Number)
	return err
}

// defineSplit makes the view. Its names are without the database's, which may get another.
func (t *replicaTx) defineSplit(ctx context.Context, g *generation, ambiguous bool) error {
	s := t.shapeOf(g)
	var base, recent []string
	for i, k := range s.Keys {
		base = append(base, "t."+ident(k.Name))
		recent = append(recent, fmt.Sprintf("k%d AS %s", i, ident(k.Name)))
	}
	view := t.public(t.spec.Schema.Table)
	statements := []string{
		fmt.Sprintf("CREATE OR REPLACE VIEW %s AS SELECT %s, t.%s FROM public.%s AS t ANTI JOIN penstock.%s AS k ON %s UNION ALL SELECT %s, %[3]s FROM penstock.%[5]s WHERE %[3]s IS NOT NULL",
			view, strings.Join(base, ", "), valueColumn, ident(t.rowsTable(g)), recentTable(g), s.match(ambiguous), strings.Join(recent, ", ")),
		"COMMENT ON VIEW " + view + " IS " + literal(splitNote),
	}
	return t.c.script(ctx, append(statements, s.comments(view)...)...)
}

// applyLive applies changes to the live generation.
func (t *replicaTx) applyLive(ctx context.Context, g *generation, rows []row, done *counts) error {
	if !g.split && g.rows > t.w.limits.rows {
		plain, hidden := t.rowsTable(g), *g
		hidden.split = true
		if err := t.c.script(ctx, "ALTER TABLE "+t.public(plain)+" RENAME TO "+ident(t.rowsTable(&hidden))); err != nil {
			return err
		}
		if err := t.split(ctx, g, g.ambiguous); err != nil {
			return err
		}
	}
	if g.split && done.ambiguous && !g.ambiguous {
		if err := t.defineSplit(ctx, g, true); err != nil {
			return err
		}
	}
	if !g.split || t.w.limits.isDirect(int64(len(rows)), g.rows) {
		return t.merge(ctx, g, rows, done)
	}
	if err := t.stageKeys(ctx, g, rows, true); err != nil {
		return err
	}
	overtaken := int64(0)
	if g.recent > 0 {
		var err error
		if overtaken, err = t.dropRecent(ctx, g, g.ambiguous || done.ambiguous); err != nil {
			return err
		}
	}
	if err := t.appendChanges(ctx, recentTable(g), g, rows, nil); err != nil {
		return err
	}
	g.recent += int64(len(rows)) - overtaken
	done.recent += int64(len(rows)) - overtaken
	if !t.w.limits.isMany(g.recent, g.rows) && t.now.Sub(g.tidied) < t.w.limits.age {
		done.bytes = 0 // counted with the rows, when it is known which are new
		return nil
	}
	return t.tidy(ctx, g, done)
}

// dropRecent removes the recent changes of the staged keys.
func (t *replicaTx) dropRecent(ctx context.Context, g *generation, ambiguous bool) (int64, error) {
	var same []string
	for i := range g.keys {
		same = append(same, fmt.Sprintf("t.k%d = k.k%[1]d", i))
		if ambiguous {
			same = append(same, fmt.Sprintf("t.x%d = k.x%[1]d", i))
		}
	}
	return t.c.exec(ctx, fmt.Sprintf("DELETE FROM %s AS t USING temp.main.%s AS k WHERE %s", t.in(recentTable(g)), keysTable, strings.Join(same, " AND ")))
}

// tidy puts the recent changes into the table.
func (t *replicaTx) tidy(ctx context.Context, g *generation, done *counts) error {
	rows, recent := t.public(t.rowsTable(g)), t.in(recentTable(g))
	gone, err := t.c.exec(ctx, fmt.Sprintf("DELETE FROM %s AS t USING %s AS k WHERE %s", rows, recent, t.shapeOf(g).match(g.ambiguous || done.ambiguous)))
	if err != nil {
		return err
	}
	columns := make([]string, len(g.keys))
	for i := range g.keys {
		columns[i] = fmt.Sprintf("k%d", i)
	}
	v, err := t.c.one(ctx, fmt.Sprintf("SELECT count(*), CAST(coalesce(sum(strlen(%s)), 0) AS BIGINT) FROM %s", valueColumn, recent))
	if err != nil {
		return err
	}
	images, err := t.c.exec(ctx, fmt.Sprintf("INSERT INTO %s SELECT %s, %s FROM %s WHERE %[3]s IS NOT NULL", rows, strings.Join(columns, ", "), valueColumn, recent))
	if err != nil {
		return err
	}
	if err := t.c.script(ctx, "DELETE FROM "+recent); err != nil {
		return err
	}
	done.changed(images, v[0].(int64)-images, gone)
	done.recent -= g.recent // with what this batch has added
	done.bytes, done.tidied = v[1].(int64), true
	return nil
}

// join makes one table of a split generation again.
func (t *replicaTx) join(ctx context.Context, g *generation) error {
	if err := t.tidy(ctx, g, &counts{}); err != nil {
		return err
	}
	return t.c.script(ctx, "DROP VIEW "+t.public(t.spec.Schema.Table), "DROP TABLE "+t.in(recentTable(g)),
		"ALTER TABLE "+t.public(t.rowsTable(g))+" RENAME TO "+ident(t.spec.Schema.Table))
}
