package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/events/eventbridge"
	"github.com/penstock-io/penstock/internal/fault"
	eventfront "github.com/penstock-io/penstock/internal/front/events"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/metrics"
	"github.com/penstock-io/penstock/internal/source/access"
	"github.com/penstock-io/penstock/internal/sql"
	"github.com/penstock-io/penstock/internal/store/sqlite"
	"github.com/penstock-io/penstock/internal/transfer"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

// openEvents makes what takes webhooks in and delivers their events.
func (s *server) openEvents(ctx context.Context) error {
	settings, outbox := s.config.Events, sqlite.NewOutbox(s.store)
	targets, ages := map[string]events.Target{}, map[string]time.Duration{}
	for name, bus := range settings.Buses {
		target, err := s.eventTarget(ctx, bus)
		if err != nil {
			return err
		}
		targets[name], ages[name] = target, bus.MaxAge
	}
	s.dispatcher = events.NewDispatcher(events.DispatcherConfig{Outbox: outbox, Targets: targets, MaxAge: ages, Now: s.now, Log: s.log})
	s.eventControl = eventfront.New(outbox, s.dispatcher.Wake, s.now)
	s.webhooks = events.NewWebhooks(events.WebhookConfig{
		Settings: settings, Routes: eventRoutes{s.appint}, Outbox: outbox, Wake: s.dispatcher.Wake, Now: s.now, NewID: uuid.NewString, Log: s.log,
	})
	s.watchEvents(outbox)
	return nil
}

// eventTarget is where the events of a bus go.
func (s *server) eventTarget(ctx context.Context, bus events.Bus) (events.Target, error) {
	switch bus.Type {
	case events.ToTable:
		return events.NewTable(bus, destinations{s}), nil
	case events.ToHTTP:
		return events.NewSink(bus, nil, s.now), nil
	}
	region := cmp.Or(bus.Region, s.config.Region)
	if bus.AccessKeyID != "" {
		return eventbridge.New(bus, access.Fixed(region, bus.AccessKeyID, bus.SecretAccessKey)), nil
	}
	in, err := access.Load(ctx, region, nil)
	if err != nil {
		return nil, err
	}
	return eventbridge.New(bus, in), nil
}

// eventRoutes tells webhooks which event integrations listen.
type eventRoutes struct{ service *appint.Service }

// Buses is events.Routes.
func (r eventRoutes) Buses(ctx context.Context, source string) ([]string, error) {
	listening, err := r.service.Webhooks(ctx, strings.TrimPrefix(source, appint.WebhookSource))
	var buses []string
	for _, e := range listening {
		if !slices.Contains(buses, e.Bus) {
			buses = append(buses, e.Bus)
		}
	}
	return buses, err
}

// watchEvents adds the gauge of what the outbox holds.
func (s *server) watchEvents(outbox *sqlite.Outbox) {
	ctx := context.Background() //nolint:forbidigo // a scrape has no context
	s.metrics.Watch("penstock_events", "Events of webhooks, by bus and state.", []string{"bus", "state"}, func() []metrics.Gauge {
		counts, err := outbox.EventCounts(ctx)
		if err != nil {
			return nil
		}
		var gauges []metrics.Gauge
		for bus, states := range counts {
			for state, n := range states {
				gauges = append(gauges, metrics.Gauge{Labels: []string{bus, string(state)}, Value: float64(n)})
			}
		}
		return gauges
	})
}

// eventColumns are those of a table of events, as events.Row has them.
func eventColumns() []transfer.Column {
	return []transfer.Column{
		{Name: "id", Type: vendors.Text}, {Name: "source", Type: vendors.Text}, {Name: "detail_type", Type: vendors.Text}, {Name: "bus", Type: vendors.Text},
		{Name: "time", Type: vendors.Time}, {Name: "detail", Type: vendors.Nested},
	}
}

// AppendEvents is events.Tables.
func (d destinations) AppendEvents(ctx context.Context, warehouse, database, schema, table string, rows []events.Row) (err error) {
	t := transfer.Table{Warehouse: warehouse, Database: database, Schema: schema, Name: table}
	names, err := d.Prepare(ctx, t, eventColumns())
	if err != nil {
		return err
	}
	e, _, err := d.engine(ctx, warehouse)
	if err != nil {
		return err
	}
	c, err := e.Connect(ctx, database, loaderUser)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }() // which rolls back what is open
	if err := c.Begin(ctx); err != nil {
		return err
	}
	have, err := knownEvents(ctx, c, t, rows)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(slices.Clone(rows), func(r events.Row) bool { return have[r.ID] })
	if len(rows) == 0 {
		return nil
	}
	file, err := d.writeRows(names, rows)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Path)) }()
	if _, err := c.Load(ctx, load.Request{
		QueryID: d.nextID(), UserID: 100, Table: load.Table{Database: database, Schema: schema, Name: table}, Source: "events of " + rows[0].Source, Files: []load.File{file},
		Spec: load.Spec{Format: load.JSON, Columns: names, NullAs: `\N`, TimeFormat: "auto", DateFormat: "auto"},
	}); err != nil {
		return err
	}
	return c.Commit(ctx)
}

// knownEvents are the ids of rows that the table has.
func knownEvents(ctx context.Context, c sql.Conn, t transfer.Table, rows []events.Row) (_ map[string]bool, err error) {
	list := make([]string, len(rows))
	for n, r := range rows {
		list[n] = "'" + strings.ReplaceAll(r.ID, "'", "''") + "'"
	}
	found, err := c.Query(ctx, "SELECT id FROM "+quoted(t.Schema)+"."+quoted(t.Name)+" WHERE id IN ("+strings.Join(list, ", ")+")")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	have := map[string]bool{}
	for found.Next() {
		if id, ok := found.Values()[0].(string); ok {
			have[id] = true
		}
	}
	return have, found.Err()
}

// writeRows puts rows where warehouses may read them, as JSON lines with the columns' names as the table spells them.
func (d destinations) writeRows(names []string, rows []events.Row) (load.File, error) {
	var text bytes.Buffer
	for _, r := range rows {
		line, err := json.Marshal(map[string]any{
			names[0]: r.ID, names[1]: r.Source, names[2]: r.DetailType, names[3]: r.Bus, names[4]: r.Time, names[5]: r.Detail,
		})
		if err != nil {
			return load.File{}, err
		}
		text.Write(append(line, '\n'))
	}
	path := filepath.Join(d.runsDir(), "events", uuid.NewString()+".jsonl")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, text.Bytes(), 0o600)); err != nil {
		return load.File{}, fault.Wrap(err, fault.Unavailable, events.SubjectBus, "events could not be written to %s, to be loaded from there: see that the disk works and has space left", filepath.Dir(path))
	}
	return load.File{Bucket: "events", Key: filepath.Base(path), Size: int64(text.Len()), Modified: d.now(), Path: path}, nil
}
