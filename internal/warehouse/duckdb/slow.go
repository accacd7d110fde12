package duckdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/warehouse/duckdb/records"
)

// The slow way: Go cuts a file into records and fields, and the engine converts them in batches with the very
// expressions of the fast way. So both ways agree on what a good row is, and only this one can tell which row
// is not.

// Limits of a batch of records.
const (
	batchRecords = 16384
	batchBytes   = 4 << 20
)

// batch is a run of records as the engine gets it, a JSON array of arrays of text.
type batch struct {
	text    []byte
	records []batchRecord
}

type batchRecord struct {
	line   int64
	raw    string
	fields []records.Field
}

func (b *batch) add(r records.Record) error {
	sep := byte(',')
	if len(b.records) == 0 {
		b.text, sep = b.text[:0], '['
	}
	b.text = append(b.text, sep, '[')
	for i, f := range r.Fields {
		if i > 0 {
			b.text = append(b.text, ',')
		}
		if f.Null {
			b.text = append(b.text, "null"...)
			continue
		}
		var err error
		if b.text, err = jsontext.AppendQuote(b.text, f.Text); err != nil {
			return err
		}
	}
	b.text = append(b.text, ']')
	b.records = append(b.records, batchRecord{r.Line, r.Raw, slices.Clone(r.Fields)})
	return nil
}

func (b *batch) full() bool { return len(b.records) >= batchRecords || len(b.text) >= batchBytes }

// readRecords reads a file. With rows it inserts the good ones and counts them there. It returns the bad rows,
// and stops at the load's limit of them.
func (l *loader) readRecords(ctx context.Context, c *conn, f *file, rows *int64) (errs []load.RowError, lines int64, _ error) {
	r, err := records.Open(f.Path, l.plan.spec, l.plan.names(), l.plan.isSuper())
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	if rows != nil {
		*rows = 0
	}
	var b batch
	flush := func() error {
		if len(b.records) == 0 {
			return nil
		}
		bad, err := l.convertBatch(ctx, c, f, &b, rows)
		errs = append(errs, bad...)
		b.records = b.records[:0]
		return err
	}
	for len(errs) < l.limit {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		lines = rec.Line
		if rec.Problem != nil {
			errs = append(errs, l.problemError(f.File, rec))
			continue
		}
		if err := b.add(rec); err != nil {
			return nil, 0, err
		}
		if b.full() {
			if err := flush(); err != nil {
				return nil, 0, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, 0, err
	}
	if _, err := c.exec(ctx, "DROP TABLE IF EXISTS "+batchTable); err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(errs, func(a, b load.RowError) int { return int(a.Line - b.Line) })
	if len(errs) > l.limit {
		errs = errs[:l.limit]
	}
	return errs, lines, nil
}

// batchTable holds the fields of a batch, under the names the engine's reader gives them.
const batchTable = "temp.main.penstock_batch"

// convertBatch finds the bad rows of a batch, and with rows inserts the others.
func (l *loader) convertBatch(ctx context.Context, c *conn, f *file, b *batch, rows *int64) ([]load.RowError, error) {
	fields := l.plan.fields
	columns, conditions := make([]string, len(fields)), make([]string, len(fields))
	for i, conv := range fields {
		columns[i] = fmt.Sprintf("r[%d] AS %s", i+1, l.plan.readName(i))
		conditions[i] = conv.bad()
	}
	if _, err := c.exec(ctx, fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE penstock_batch AS SELECT penstock_i, %s FROM
		(SELECT unnest(range(%d)) AS penstock_i, unnest(from_json($1, '[["VARCHAR"]]')) AS r)`, strings.Join(columns, ", "), len(b.records)),
		string(append(b.text, ']'))); err != nil {
		return nil, err
	}
	var errs []load.RowError
	var bad []string
	err := c.each(ctx, fmt.Sprintf("SELECT penstock_i, list_position([%s], true) FROM %s WHERE %s ORDER BY 1",
		strings.Join(conditions, ", "), batchTable, strings.Join(conditions, " OR ")), nil, func(v []any) error {
		i, _ := v[0].(int64)
		at, _ := v[1].(int64)
		errs = append(errs, l.fieldError(f.File, b.records[i], int(at)-1))
		bad = append(bad, fmt.Sprint(i))
		return nil
	})
	if err != nil || rows == nil || len(bad) == len(b.records) {
		return errs, err
	}
	query := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", l.plan.target, idents(l.plan.names()), values(fields, converter.certain), batchTable)
	if len(bad) > 0 {
		query += " WHERE penstock_i NOT IN (" + strings.Join(bad, ", ") + ")"
	}
	n, err := c.exec(ctx, query+" ORDER BY penstock_i")
	*rows += n
	return errs, err
}

// decodeJSON reads a nested value as a result shows it.
func decodeJSON(v any, into any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("expected JSON, got %T", v)
	}
	return json.Unmarshal([]byte(text), into)
}
