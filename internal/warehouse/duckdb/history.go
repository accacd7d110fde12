package duckdb

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// Retention of what loads leave behind, as on Redshift, and how often the old is removed.
const (
	historyRetention = 7 * 24 * time.Hour
	pruneInterval    = time.Hour
)

// Rows of the internal tables as the engine gets them: JSON with these structures.
const (
	filesStructure  = `[{"key":"VARCHAR","bucket":"VARCHAR","etag":"VARCHAR","size":"BIGINT","modified":"BIGINT","status":"VARCHAR","rows":"BIGINT","message":"VARCHAR"}]`
	detailStructure = `[{"file":"VARCHAR","loaded":"BOOLEAN","rows":"BIGINT","lines":"BIGINT","bytes":"BIGINT","start":"BIGINT","end":"BIGINT"}]`
	errorsStructure = `[{"file":"VARCHAR","line":"BIGINT","column":"VARCHAR","type":"VARCHAR","length":"VARCHAR","position":"INTEGER","raw":"VARCHAR","field":"VARCHAR","code":"INTEGER","reason":"VARCHAR"}]`
)

type fileRow struct {
	Key      string `json:"key"`
	Bucket   string `json:"bucket"`
	ETag     string `json:"etag"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // microseconds
	Status   string `json:"status"`
	Rows     int64  `json:"rows"`
	Message  string `json:"message"`
}

type detailRow struct {
	File   string `json:"file"`
	Loaded bool   `json:"loaded"`
	Rows   int64  `json:"rows"`
	Lines  int64  `json:"lines"`
	Bytes  int64  `json:"bytes"`
	Start  int64  `json:"start"` // microseconds
	End    int64  `json:"end"`
}

type errorRow struct {
	File     string `json:"file"`
	Line     int64  `json:"line"`
	Column   string `json:"column"`
	Type     string `json:"type"`
	Length   string `json:"length"`
	Position int    `json:"position"`
	Raw      string `json:"raw"`
	Field    string `json:"field"`
	Code     int    `json:"code"`
	Reason   string `json:"reason"`
}

// record writes what became of the load into the internal tables: the ledger of a job, the history, the
// detail of every file, and the errors. It does so in the open transaction, with the rows (invariant 1).
func (l *loader) record(ctx context.Context, c *conn) error {
	now := l.s.e.w.o.Now().UTC()
	var sum struct{ rows, bytes, loaded, scanned, files, size, errors int64 }
	var details []detailRow
	var failures []errorRow
	for _, f := range l.files {
		if f.status == load.Skipped {
			continue
		}
		sum.files++
		sum.size += f.Size
		if f.start.IsZero() {
			f.start, f.end = l.start, now
		}
		d := detailRow{File: f.URL(), Loaded: f.status == load.Loaded, Lines: f.lines, Start: f.start.UnixMicro(), End: f.end.UnixMicro()}
		if d.Loaded {
			d.Rows, d.Bytes = f.rows, f.Size
			sum.rows += f.rows
			sum.bytes += f.Size
			sum.loaded++
		}
		if d.Loaded || len(f.errors) > 0 {
			sum.scanned++
		}
		details = append(details, d)
		for _, e := range f.errors {
			sum.errors++
			failures = append(failures, errorRow{e.File, e.Line, e.Column, e.ColumnType, e.ColumnLength, e.Position, e.RawLine, e.RawField, int(e.Code), e.Reason})
		}
	}
	if sum.files == 0 {
		return nil
	}
	if l.req.Job != nil {
		if err := l.recordLedger(ctx, c, now); err != nil {
			return err
		}
		if sum.loaded == 0 {
			l.status = "aborted"
		}
	}
	in := func(table string) string { return l.s.internal(table) }
	_, err := c.exec(ctx, "INSERT INTO "+in("history")+" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		l.req.QueryID, l.transaction, l.s.pid, l.req.UserID, l.status, l.tableID, l.req.Table.Name, l.start, now, clip(l.req.Source, maxRaw), l.plan.spec.Format.String(),
		sum.rows, sum.bytes, sum.files, sum.size, sum.scanned, sum.bytes, sum.errors, l.jobID())
	if err != nil {
		return err
	}
	if err := insertJSON(ctx, c, details, "INSERT INTO "+in("detail")+` SELECT $2, $3, $4, r.file, $5, r.loaded, r."rows", r.lines, r.bytes,
		make_timestamp(r.start), make_timestamp(r."end") FROM (SELECT unnest(from_json($1, '`+detailStructure+`')) AS r)`,
		l.req.QueryID, l.req.UserID, l.jobID(), l.plan.spec.Format.String()); err != nil {
		return err
	}
	if len(failures) == 0 {
		return nil
	}
	return insertJSON(ctx, c, failures, "INSERT INTO "+in("errors")+` SELECT $2, $3, $4, $5, $6, $7, $8, r.file, r.line, r."column", r.type, r.length, r.position, r.raw,
		r.field, r.code, r.reason FROM (SELECT unnest(from_json($1, '`+errorsStructure+`')) AS r)`,
		l.req.QueryID, l.transaction, l.s.pid, l.req.UserID, l.jobID(), l.tableID, l.start)
}

func (l *loader) jobID() int64 {
	if l.req.Job == nil {
		return 0
	}
	return l.req.Job.ID
}

// recordLedger enters every file that was settled.
func (l *loader) recordLedger(ctx context.Context, c *conn, now time.Time) error {
	var fresh, again []fileRow
	for _, f := range l.files {
		if f.status != load.Loaded && f.status != load.Failed {
			continue
		}
		row := fileRow{f.Key, f.Bucket, f.ETag, f.Size, f.Modified.UnixMicro(), string(f.status), f.rows, clip(f.message, 512)}
		if f.status == load.Failed {
			row.Rows = 0
		}
		if f.retry {
			again = append(again, row)
		} else {
			fresh = append(fresh, row)
		}
	}
	job := l.req.Job
	known, err := c.one(ctx, "SELECT 1 FROM "+l.s.internal("jobs")+" WHERE job_id = ?", job.ID)
	if err != nil {
		return err
	}
	if known == nil {
		if _, err := c.exec(ctx, "INSERT INTO "+l.s.internal("jobs")+" VALUES (?, ?, ?)", job.ID, job.Name, job.Text); err != nil {
			return raced(err)
		}
	}
	rows := `(SELECT unnest(from_json($1, '` + filesStructure + `')) AS r)`
	if len(fresh) > 0 {
		if err := insertJSON(ctx, c, fresh, "INSERT INTO "+l.s.internal("files")+` SELECT $2, r.key, r.bucket, r.etag, r.size, make_timestamp(r.modified), $3, $4, r.status, r."rows", $5, $6, r.message FROM `+rows,
			job.ID, l.start, now, l.req.QueryID, l.req.UserID); err != nil {
			return raced(err)
		}
	}
	if len(again) == 0 {
		return nil
	}
	return insertJSON(ctx, c, again, "UPDATE "+l.s.internal("files")+` AS f SET etag = r.etag, size = r.size, modified = make_timestamp(r.modified), enqueued = $3,
		settled = $4, status = r.status, "rows" = r."rows", query_id = $5, user_id = $6, message = r.message FROM `+rows+` WHERE f.job_id = $2 AND f.key = r.key`,
		job.ID, l.start, now, l.req.QueryID, l.req.UserID)
}

// raced tells that the ledger's primary key has stopped a load that another one was faster than.
func raced(err error) error {
	if strings.Contains(err.Error(), "Constraint Error") {
		return fault.Wrap(err, fault.Conflict, SubjectLoad, "another load has settled some of these files in the meantime; load the rest again")
	}
	return err
}

// insertJSON runs a statement whose first parameter is rows as JSON.
func insertJSON[T any](ctx context.Context, c *conn, rows []T, sql string, args ...any) error {
	text, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, sql, append([]any{string(text)}, args...)...)
	return err
}

// prune removes history and marks past their time, now and then, on a connection of its own. The caller holds
// the session's lock.
func (w *Warehouse) prune(ctx context.Context, s *Session) {
	ctx = context.WithoutCancel(ctx)
	now := w.o.Now().UTC()
	w.loads.mu.Lock()
	last, ok := w.loads.pruned[s.db.name]
	if ok && now.Sub(last) < pruneInterval {
		w.loads.mu.Unlock()
		return
	}
	w.loads.pruned[s.db.name] = now
	w.loads.mu.Unlock()
	err := s.aside(func(c *conn) error {
		return c.transact(ctx, func() error {
			for table, limit := range map[string]struct {
				column string
				age    time.Duration
			}{
				"history": {"start_time", historyRetention}, "detail": {"start_time", historyRetention}, "errors": {"start_time", historyRetention},
				"statements": {"committed", markRetention},
			} {
				if _, err := c.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s < ?", s.internal(table), limit.column), now.Add(-limit.age)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		w.o.Log.Warn("old history could not be removed", "database", s.db.name, "err", err)
	}
}

// running are the loads under way, for SYS_LOAD_HISTORY, and when the databases were last pruned.
type running struct {
	mu     sync.Mutex
	loads  map[*loader]struct{}
	pruned map[string]time.Time
}

// add lists a load until the returned function is called.
func (r *running) add(l *loader) (remove func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loads[l] = struct{}{}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.loads, l)
	}
}

// runningTable is the system table penstock_running_loads.
func (w *Warehouse) runningTable() SystemTable {
	columns := []Column{
		{Name: "user_id", TypeName: "int4"}, {Name: "query_id", TypeName: "int8"}, {Name: "transaction_id", TypeName: "int8"}, {Name: "session_id", TypeName: "int4"},
		{Name: "database_name", TypeName: "varchar"}, {Name: "table_name", TypeName: "varchar"}, {Name: "start_time", TypeName: "timestamp"},
		{Name: "data_source", TypeName: "varchar"}, {Name: "file_format", TypeName: "varchar"}, {Name: "files", TypeName: "int4"},
		{Name: "file_bytes", TypeName: "int8"}, {Name: "copy_job_id", TypeName: "int8"},
	}
	return SystemTable{Name: "penstock_running_loads", Columns: columns, Rows: func(context.Context) ([][]any, error) {
		w.loads.mu.Lock()
		defer w.loads.mu.Unlock()
		var rows [][]any
		for l := range w.loads.loads {
			var size int64
			for _, f := range l.req.Files { // l.files is the load's own
				size += f.Size
			}
			rows = append(rows, []any{l.req.UserID, l.req.QueryID, l.transaction, l.s.pid, l.req.Table.Database, l.req.Table.Name, l.start,
				clip(l.req.Source, maxRaw), l.plan.spec.Format.String(), len(l.req.Files), size, l.jobID()})
		}
		return rows, nil
	}}
}
