package sql

import (
	"context"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/statements"
)

// Bounds of a stored result.
const (
	pageRows      = 1000
	pageBytes     = 512 << 10
	maxResultSize = 500 << 20 // the Data API's limit
)

// pager is a Sink that stores a part's rows page by page, so that a result of any size takes little memory.
type pager struct {
	ctx   context.Context //nolint:containedctx // lives for one statement; Sink's methods take none
	pages Pages
	id    string
	part  int

	columns []statements.Column
	rows    [][]statements.Value
	held    int64 // bytes in rows
	size    int64 // bytes of the whole result
	number  int   // of the next page
}

func (p *pager) Columns(cols []statements.Column) error {
	p.columns = cols
	return nil
}

func (p *pager) Row(values []statements.Value) error {
	row := make([]statements.Value, len(values))
	for i, v := range values {
		row[i] = v
		n := int64(8)
		switch v := v.(type) {
		case string:
			n = int64(len(v))
		case []byte:
			n = int64(len(v))
			row[i] = append([]byte(nil), v...)
		}
		p.held += n
		p.size += n
	}
	if p.size > maxResultSize {
		return fault.New(fault.Limit, statements.SubjectResult, "the result is larger than %d MB; select fewer rows or columns", maxResultSize>>20)
	}
	if p.rows = append(p.rows, row); len(p.rows) < pageRows && p.held < pageBytes {
		return nil
	}
	return p.flush()
}

func (p *pager) End() error {
	if len(p.rows) == 0 && p.number > 0 {
		return nil
	}
	return p.flush() // an empty result has one empty page
}

func (p *pager) flush() error {
	err := p.pages.PutPage(p.ctx, p.id, p.part, p.number, statements.Page{Rows: p.rows})
	p.rows, p.held = nil, 0
	p.number++
	return err
}

// result describes what the part gave.
func (p *pager) result(o Outcome, queryID int64, took time.Duration) statements.SubResult {
	return statements.SubResult{HasResultSet: o.HasResultSet, Columns: p.columns, Rows: o.Rows, Size: p.size, QueryID: queryID, Duration: took}
}
