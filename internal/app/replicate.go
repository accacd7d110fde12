package app

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	front "github.com/penstock-io/penstock/internal/front/dynamodb"
	"github.com/penstock-io/penstock/internal/metrics"
	"github.com/penstock-io/penstock/internal/pipeline"
	"github.com/penstock-io/penstock/internal/source/access"
	"github.com/penstock-io/penstock/internal/source/dynamodb"
	"github.com/penstock-io/penstock/internal/supervise"
	"github.com/penstock-io/penstock/internal/wire"
)

// tableSources opens source tables, embedded ones or those of the configured endpoint.
type tableSources struct {
	config dynamodb.Config // without the table
}

// openTableSources finds the way to the tables. The embedded ones are read through their front like any others,
// so that there is one way to read a table, but without a network in between.
func (s *server) openTableSources(ctx context.Context) error {
	c := dynamodb.Config{Region: s.config.Region, ManageStreams: s.config.ManageStreams, Budget: float64(s.config.SnapshotReadUnits), Now: s.now, Log: s.log, Observer: s.metrics.Source()}
	if s.tables == nil {
		from, err := access.Load(ctx, s.config.Region, nil)
		if err != nil {
			return err
		}
		transport := dynamodb.NewTransport()
		s.closers = append(s.closers, func() error { transport.CloseIdleConnections(); return nil })
		c.Endpoint, c.Region, c.Credentials, c.Transport = endpointURL(s.config.DynamoDBEndpoint), from.Region, from, transport
		s.sources = tableSources{c}
		return nil
	}
	handler, err := wire.New(wire.Config{
		Services: front.Services(front.Config{DB: s.tables, Region: s.config.Region, Endpoint: s.config.Listen, Now: s.now}),
		Keys:     keys{s}, Region: s.config.Region, Now: s.now, Log: s.log,
	})
	if err != nil {
		return err
	}
	c.Endpoint, c.Where, c.Local, c.Transport = "http://embedded.penstock", "this server", true, inProcess{handler}
	c.Credentials = access.Fixed(s.config.Region, s.config.AccessKeyID, s.config.SecretAccessKey)
	c.Quiet = quietPoll
	s.sources = tableSources{c}
	return nil
}

// quietPoll is how often an embedded stream is looked at while nothing happens. Every change wakes its reader, so
// this only bounds the time until a word that was lost is made good.
const quietPoll = time.Second

// OpenTable is supervise.Tables.
func (t tableSources) OpenTable(_ context.Context, name string) (supervise.TableSource, error) {
	c := t.config
	c.Table = name
	return dynamodb.New(c)
}

// checkPatience is how long the check of a new integration's table waits for an endpoint that does not answer.
const checkPatience = 3 * time.Second

// check says whether there is such a table. Its stream is looked at later, when one may be switched on.
func (t tableSources) check(ctx context.Context, name string) error {
	c := t.config
	c.Table, c.Patience = name, checkPatience
	source, err := dynamodb.New(c)
	if err != nil {
		return err
	}
	_, err = source.Describe(ctx)
	if fault.Is(err, fault.State, pipeline.SubjectStream) || c.Local && fault.KindOf(err) == fault.Unavailable { // it is being created
		return nil
	}
	return err
}

// inProcess is a transport to a handler of this process.
type inProcess struct{ handler http.Handler }

// RoundTrip is http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "in process"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := answer{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(&w, in)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// answer is a http.ResponseWriter that keeps what is written.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// watchTables adds what is to be seen of replicated tables.
func (s *server) watchTables() {
	labels := []string{"integration", "table"}
	per := func(value func(supervise.Replication) float64) func() []metrics.Gauge {
		return func() []metrics.Gauge {
			var all []metrics.Gauge
			for _, r := range s.supervisor.Replications() {
				all = append(all, metrics.Gauge{Labels: []string{r.Integration.Name, r.SourceTable()}, Value: value(r)})
			}
			return all
		}
	}
	truth := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	s.metrics.Watch("penstock_table_lag_seconds", "How long ago the copy of a table was last known to be complete.", labels,
		per(func(r supervise.Replication) float64 { return r.Lag(s.now()).Seconds() }))
	s.metrics.Watch("penstock_table_loading", "1 while a snapshot of a table is being loaded.", labels,
		per(func(r supervise.Replication) float64 { return truth(r.Phase == pipeline.Loading) }))
	s.metrics.Watch("penstock_table_held_up", "1 while something keeps a table from being replicated.", labels,
		per(func(r supervise.Replication) float64 { return truth(r.Trouble != "") }))
	s.metrics.Watch("penstock_table_snapshot_items", "Items of the snapshot under way that are loaded.", labels,
		per(func(r supervise.Replication) float64 { return float64(r.SnapshotItems) }))
	s.metrics.Watch("penstock_table_source_items", "Items in the source table, as the source last counted.", labels,
		per(func(r supervise.Replication) float64 { return float64(r.Table.Items) }))
	s.metrics.WatchCount("penstock_table_changes_total", "Changes applied to the copy of a table.", labels,
		per(func(r supervise.Replication) float64 { return float64(r.Changes) }))
	s.metrics.WatchCount("penstock_table_bytes_total", "Bytes read from a source table.", labels,
		per(func(r supervise.Replication) float64 { return float64(r.Bytes) }))
	s.metrics.WatchCount("penstock_table_batches_total", "Batches committed to the copy of a table.", labels,
		per(func(r supervise.Replication) float64 { return float64(r.Batches) }))
	s.metrics.WatchCount("penstock_table_failures_total", "Times the replication of a table had to stop and try again.", labels,
		per(func(r supervise.Replication) float64 { return float64(r.Failures) }))
}
