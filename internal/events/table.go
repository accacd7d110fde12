package events

import (
	"context"
	"encoding/json"

	"github.com/penstock-io/penstock/internal/fault"
)

// Row is an event as a row of a table: id, source, detail_type and bus are text, time is a time, detail is SUPER.
type Row struct {
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	DetailType string          `json:"detail_type"`
	Bus        string          `json:"bus"`
	Time       string          `json:"time"` // 2006-01-02 15:04:05.999999+00
	Detail     json.RawMessage `json:"detail"`
}

// Tables is where rows of events are written to.
type Tables interface {
	// AppendEvents adds the rows whose id the table does not have, in one transaction. It makes the table unless it
	// is there.
	AppendEvents(ctx context.Context, warehouse, database, schema, table string, rows []Row) error
}

// Table is a Target that is a table of a warehouse. An event that is delivered again is found to be there.
type Table struct {
	tables Tables
	bus    Bus
}

// NewTable returns the target of a bus of type table.
func NewTable(b Bus, t Tables) *Table { return &Table{t, b} }

// Batch implements Target.
func (t *Table) Batch() int { return 500 }

// Deliver implements Target. The events of a batch share their fate, unless it is the fault of one of them: then each
// is tried by itself.
func (t *Table) Deliver(ctx context.Context, events []Event) []Outcome {
	err := t.append(ctx, events)
	if err == nil || mayPass(err) || len(events) == 1 || fault.KindOf(err) == fault.NotFound {
		return all(len(events), Outcome{Err: missing(err)})
	}
	out := make([]Outcome, len(events))
	for i := range events {
		out[i].Err = t.append(ctx, events[i:i+1])
	}
	return out
}

// missing makes a warehouse or a database that is not there a failure that may pass: it can be created.
func missing(err error) error {
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return fault.Wrap(err, fault.Unavailable, SubjectBus, "%s", fault.Message(err))
	}
	return err
}

func (t *Table) append(ctx context.Context, events []Event) error {
	m := tableForm.FindStringSubmatch(t.bus.Table)
	if m == nil {
		return fault.New(fault.Invalid, SubjectBus, "%q is no table", t.bus.Table)
	}
	rows := make([]Row, len(events))
	for i, e := range events {
		rows[i] = Row{e.ID, e.Source, e.DetailType, e.Bus, e.Time.UTC().Format("2006-01-02 15:04:05.999999+00"), e.Detail}
	}
	return t.tables.AppendEvents(ctx, m[1], m[2], m[3], m[4], rows)
}
