// Package app puts the parts together: it builds every store, domain, front and worker from a configuration,
// connects them, and runs them. It is the only package that imports all others, and it holds no rules of its
// own: what stands here is who talks to whom.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/account"
	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/action/mcp"
	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/buckets"
	"github.com/penstock-io/penstock/internal/config"
	"github.com/penstock-io/penstock/internal/copyjob"
	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/fileload"
	"github.com/penstock-io/penstock/internal/front/mcpauth"
	"github.com/penstock-io/penstock/internal/metrics"
	"github.com/penstock-io/penstock/internal/runs"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/source/s3"
	"github.com/penstock-io/penstock/internal/sql"
	"github.com/penstock-io/penstock/internal/statements"
	"github.com/penstock-io/penstock/internal/store/sqlite"
	"github.com/penstock-io/penstock/internal/supervise"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/warehouse/duckdb"
	"github.com/penstock-io/penstock/internal/warehouses"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/zeroetl"
)

// Build says what was built.
type Build struct{ Version, Commit string }

// partition is the only one a server is in.
const partition = "aws"

// server is everything that runs.
type server struct {
	config  config.Config
	build   Build
	log     *slog.Logger
	now     func() time.Time
	nextID  func() int64
	metrics *metrics.Metrics

	store   *sqlite.DB
	buckets *buckets.Server // nil when the buckets are elsewhere
	objects s3.Objects
	tables  *tables.DB // nil when the tables are elsewhere
	sources tableSources
	engines *engines

	accounts     *account.Service
	integrations *zeroetl.Service
	warehouses   *warehouses.Service
	jobs         *copyjob.Service
	statements   *statements.Service
	appint       *appint.Service
	webhooks     http.Handler
	eventControl http.Handler
	actions      *action.Service
	mcp          *mcp.Handler
	tokens       *mcpauth.Front

	supervisor *supervise.Supervisor
	runner     *sql.Runner
	executor   *runs.Executor
	dispatcher *events.Dispatcher
	http       *wire.Handler

	closers []func() error // in the order things were opened
}

// Serve runs a server until ctx is done, drains it, and returns nil after a clean stop.
func Serve(ctx context.Context, c config.Config, log *slog.Logger, b Build) error {
	return serve(ctx, c, log, b, func(string) {})
}

// serve is Serve with word of the address once requests will be answered.
func serve(ctx context.Context, c config.Config, log *slog.Logger, b Build, ready func(addr string)) (err error) {
	duckdb.LimitFragmentation()
	keepHeapFloor()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; is another penstock running, or choose another --listen", c.Listen, err)
	}
	defer listener.Close() // the HTTP server has closed it already, unless we never got there
	s, err := open(ctx, c, log, b, listener.Addr().String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return stopped(s.supervisor.Run(ctx)) })
	group.Go(func() error { return stopped(s.runner.Run(ctx)) })
	group.Go(func() error { return stopped(s.actions.Run(ctx)) })
	group.Go(func() error { return stopped(s.mcp.Run(ctx)) })
	if s.tables != nil {
		group.Go(func() error { return stopped(s.tables.Run(ctx)) })
	}
	select {
	case <-s.supervisor.Ready():
	case <-ctx.Done():
	}
	group.Go(func() error { return s.http.Serve(ctx, listener) })
	group.Go(func() error { return stopped(s.executor.Run(ctx)) })
	group.Go(func() error { return stopped(s.dispatcher.Run(ctx)) })
	addr := listener.Addr().String()
	log.Info("penstock is ready", "addr", addr, "region", c.Region, "account", c.AccountID, "data", c.DataDir, "version", b.Version)
	ready(addr)
	err = group.Wait()
	log.Info("penstock has stopped")
	return err
}

// stopped makes a stop that was asked for no error.
func stopped(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// open builds a server that will answer at addr. Nothing runs yet.
func open(ctx context.Context, c config.Config, log *slog.Logger, b Build, addr string) (_ *server, err error) {
	s := &server{config: c, build: b, log: log, now: time.Now, nextID: ids(time.Now), metrics: metrics.New()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if s.store, err = sqlite.Open(ctx, c.DataDir); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.store.Close)
	s.accounts = account.NewService(partition, c.Region, c.AccountID, account.Credential{AccessKeyID: c.AccessKeyID, Secret: c.SecretAccessKey})
	if err := s.openObjects(ctx); err != nil {
		return nil, err
	}
	if err := s.openTables(); err != nil {
		return nil, err
	}
	if err := s.openTableSources(ctx); err != nil {
		return nil, err
	}
	box, err := s.openBox()
	if err != nil {
		return nil, err
	}
	s.openDomains(box)
	if err := s.openActions(ctx, box, addr); err != nil {
		return nil, err
	}
	s.openWorkers()
	if err := s.openAppIntegrations(); err != nil {
		return nil, err
	}
	if err := s.openEvents(ctx); err != nil {
		return nil, err
	}
	if err := s.warehouses.EnsureDefault(ctx); err != nil {
		return nil, err
	}
	s.watch()
	s.watchTables()
	s.http, err = s.newHandler(ctx)
	return s, err
}

// close lets go of everything, last opened first.
func (s *server) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// openBox makes what seals the secrets of the domains.
func (s *server) openBox() (*secret.Box, error) {
	key, err := secret.LoadOrCreateKey(filepath.Join(s.config.DataDir, "seal.key"))
	if err != nil {
		return nil, fmt.Errorf("key of sealed values: %w", err)
	}
	return secret.NewBox(key)
}

// openDomains makes the services over the store.
func (s *server) openDomains(box *secret.Box) {
	// The workers are made after the services that wake them.
	wakeSupervisor := func() { s.supervisor.Notify() }
	wakeRunner := func() { s.runner.Notify() }
	stored := s.store.Warehouses()
	s.warehouses = warehouses.NewService(warehouses.Config{
		Partition: partition, Region: s.config.Region, Account: s.config.AccountID,
		Warehouses: stored, Clusters: stored, Namespaces: stored, Workgroups: stored, Partners: stored,
		Box: box, Now: s.now, NewID: uuid.NewString, Notify: wakeSupervisor,
		Catalogue: warehouses.Catalogue{Permissive: s.config.PartnersAny, Names: s.config.PartnerNames},
	})
	s.integrations = zeroetl.NewService(zeroetl.Config{
		Store: s.store.Integrations(), Policies: s.store.Policies(), Sources: sources{s}, Targets: s.warehouses,
		Now: s.now, NewID: uuid.NewString, Notify: wakeSupervisor, Strict: s.config.StrictPolicies,
	})
	s.jobs = copyjob.NewService(copyjob.Config{Store: s.store.Jobs(), Messages: s.store.Jobs(), Now: s.now, Notify: wakeSupervisor})
	s.statements = statements.NewService(statements.Config{Store: s.store.Statements(), Results: s.store.Statements(), Now: s.now, NewID: uuid.NewString, Notify: wakeRunner})
}

// openWorkers makes what runs beside the requests.
func (s *server) openWorkers() {
	s.engines = &engines{server: s, dir: filepath.Join(s.config.DataDir, "warehouses"), open: map[string]*engine{}}
	s.closers = append(s.closers, s.engines.closeAll)
	s.supervisor = supervise.New(supervise.Options{
		Integrations: s.integrations, Warehouses: s.warehouses, Jobs: s.jobs, Engines: s.engines, Channels: channels{s}, Objects: s.objects, Tables: s.sources,
		ListInterval: s.config.ListInterval, NextID: s.nextID, Now: s.now, Observe: s.metrics.Batch, Log: s.log,
	})
	s.runner = sql.NewRunner(sql.RunnerOptions{
		Queue: s.statements, Parts: s.sqlParts(),
		Warehouse: func(ctx context.Context, id string) (sql.Warehouse, error) { return s.engines.available(ctx, id) },
		AtOnce:    16, Drain: s.config.DrainTimeout, Done: func(st statements.Status) { s.metrics.Statement(string(st)) }, Log: s.log,
	})
}

// sqlParts are what sessions of the SQL edge are made with.
func (s *server) sqlParts() sql.Parts {
	return sql.Parts{Objects: s.objects, Jobs: s.jobs, Destinations: s.integrations, NextID: s.nextID, Now: s.now}
}

// watch adds the gauges that are read when somebody looks.
func (s *server) watch() {
	ctx := context.Background() //nolint:forbidigo // a scrape has no context, and what is read is in memory or one query
	jobLabels := []string{"warehouse", "job"}
	perJob := func(value func(supervise.JobStats) float64) func() []metrics.Gauge {
		return func() []metrics.Gauge {
			var all []metrics.Gauge
			for _, j := range s.supervisor.JobStats() {
				all = append(all, metrics.Gauge{Labels: []string{j.Job.WarehouseID, j.Job.Name}, Value: value(j)})
			}
			return all
		}
	}
	s.metrics.Watch("penstock_copy_job_pending_files", "Files a COPY job knows of and has not loaded.", jobLabels,
		perJob(func(j supervise.JobStats) float64 { return float64(j.Pending) }))
	s.metrics.Watch("penstock_copy_job_lag_seconds", "Age of the oldest file waiting for a COPY job.", jobLabels,
		perJob(func(j supervise.JobStats) float64 { return j.Lag(s.now()).Seconds() }))
	s.metrics.Watch("penstock_copy_job_held_up", "1 while something keeps a COPY job from loading.", jobLabels,
		perJob(func(j supervise.JobStats) float64 {
			if j.Trouble != "" {
				return 1
			}
			return 0
		}))
	s.metrics.Watch("penstock_integrations", "Integrations by status.", []string{"status"}, func() []metrics.Gauge {
		all, err := s.integrations.All(ctx)
		if err != nil {
			return nil
		}
		counts := map[zeroetl.Status]float64{}
		for _, i := range all {
			counts[i.Status]++
		}
		var gauges []metrics.Gauge
		for _, status := range zeroetl.Statuses() {
			gauges = append(gauges, metrics.Gauge{Labels: []string{string(status)}, Value: counts[status]})
		}
		return gauges
	})
}

// ids returns a source of growing numbers that also grow across restarts: microseconds, and one more where
// the clock stands still or goes back. They stay below 2^53, so that a client's JSON parser keeps them exact.
func ids(now func() time.Time) func() int64 {
	var last atomic.Int64
	return func() int64 {
		for {
			before := last.Load()
			id := max(now().UnixMicro(), before+1)
			if last.CompareAndSwap(before, id) {
				return id
			}
		}
	}
}

var _ fileload.Objects = s3.Objects(nil)
