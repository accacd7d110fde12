package app

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/config"
	"github.com/penstock-io/penstock/internal/front/appintegrations"
	"github.com/penstock-io/penstock/internal/metrics"
	"github.com/penstock-io/penstock/internal/runs"
	"github.com/penstock-io/penstock/internal/transfer"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

// openAppIntegrations makes what describes data integrations and what runs them.
func (s *server) openAppIntegrations() error {
	to, err := s.writableBuckets()
	if err != nil {
		return err
	}
	readers, err := s.openProfiles()
	if err != nil {
		return err
	}
	mover := transfer.New(transfer.Config{
		Dir: s.runsDir(), Account: s.config.AccountID, Format: s.config.TransferFormat, Objects: s.objects, Buckets: to,
		Tables: destinations{s}, Records: readers.open, Now: s.now, Log: s.log,
	})
	s.appint = appint.NewService(appint.Config{
		Partition: partition, Region: s.config.Region, Account: s.config.AccountID, Stores: s.store.AppIntegrations(), Profiles: readers,
		Now: s.now, NewID: uuid.NewString, Notify: func() { s.executor.Notify() }, Quotas: appint.DefaultQuotas(), Reassociate: !s.config.AssociateOnce,
		Validate: func(p appint.Plan) error { return mover.Validate(transferOf(p)) },
	})
	s.executor = runs.New(runs.Options{
		Queue: s.appint, Journal: s.appint, Runner: transfers{mover, semaphore.NewWeighted(movers)}, Now: s.now, Observer: s.metrics.Executions(), Log: s.log,
	})
	s.watchExecutions()
	return nil
}

// runsDir is where executions keep what they have gathered. Warehouses read from there.
func (s *server) runsDir() string { return filepath.Join(s.config.DataDir, "runs") }

// writableBuckets is where objects are written to: the embedded store, or the configured endpoint.
func (s *server) writableBuckets() (transfer.Buckets, error) {
	if s.buckets != nil {
		return s.buckets, nil
	}
	if to, ok := s.objects.(transfer.Buckets); ok {
		return to, nil
	}
	return nil, fmt.Errorf("nothing can be written to the buckets at %s", s.config.S3Endpoint)
}

// profiles are the readers of the configured connector profiles.
type profiles struct {
	config  vendors.Profiles
	readers map[vendors.Vendor]map[string]vendors.Reader
}

func (s *server) openProfiles() (profiles, error) {
	p := profiles{s.config.Profiles, map[vendors.Vendor]map[string]vendors.Reader{}}
	for vendor, named := range s.config.Profiles {
		p.readers[vendor] = map[string]vendors.Reader{}
		for name, profile := range named {
			reader, err := vendors.Open(vendor, name, profile, vendors.Options{Log: s.log, Now: s.now})
			if err != nil {
				return p, &config.Error{Where: fmt.Sprintf("profiles.%s.%s", vendor, name), Err: err}
			}
			p.readers[vendor][name] = reader
		}
	}
	return p, nil
}

// Profiles is appint.Profiles.
func (p profiles) Profiles(vendor string) []string { return p.config.Names(vendors.Vendor(vendor)) }

func (p profiles) open(vendor vendors.Vendor, name string) (transfer.Records, error) {
	if r := p.readers[vendor][name]; r != nil {
		return r, nil
	}
	_, err := p.config.Find(vendor, name)
	return nil, err
}

// movers is how many executions move data at a time. The others are under way too, and wait for their turn: together
// they would only be slower, and hold more files open.
const movers = 32

// transfers is a transfer.Runner as executions want it.
type transfers struct {
	*transfer.Runner
	turn *semaphore.Weighted
}

// transferOf is a plan as a job, but for what one execution has of its own.
func transferOf(p appint.Plan) transfer.Job {
	return transfer.Job{
		ExecutionID: "validation", Name: p.Name, Source: p.SourceURI, Object: p.Object, Objects: p.Objects, Folders: p.Folders, Filters: p.Filters, Destination: p.DestinationURI,
	}
}

// Run is runs.Runner.
func (t transfers) Run(ctx context.Context, j runs.Job, report func(appint.Progress) error) error {
	if err := t.turn.Acquire(ctx, 1); err != nil {
		return err
	}
	defer t.turn.Release(1)
	job := transferOf(j.Plan)
	job.ExecutionID, job.IntegrationID, job.AssociationID, job.Requested = j.ExecutionID, j.IntegrationID, j.AssociationID, j.Requested
	job.Window, job.Resume = transfer.Window{Start: j.From, End: j.To}, string(j.Mark)
	files := strings.HasPrefix(strings.ToLower(j.Plan.SourceURI), "s3:")
	return t.Runner.Run(ctx, job, func(p transfer.Progress) error {
		out := appint.Progress{Bytes: p.Bytes, Mark: []byte(p.Mark)}
		if files {
			out.Files, out.FilesTotal = p.Items, p.Total
		} else {
			out.Rows, out.RowsTotal = p.Items, p.Total
		}
		return report(out)
	})
}

// controlAppIntegrations serves what AWS has no public call for, and reports whether the path is one of that.
func (s *server) controlAppIntegrations(w http.ResponseWriter, r *http.Request) bool {
	for _, prefix := range appintegrations.ControlPaths() {
		if strings.HasPrefix(r.URL.Path, prefix) {
			appintegrations.Control(s.appint).ServeHTTP(w, r)
			return true
		}
	}
	return false
}

// watchExecutions adds the gauge of what is under way.
func (s *server) watchExecutions() {
	ctx := context.Background() //nolint:forbidigo // a scrape has no context
	s.metrics.Watch("penstock_data_integration_executions_running", "Executions of data integrations under way.", nil, func() []metrics.Gauge {
		list, err := s.store.AppIntegrations().Queue.Running(ctx, false)
		if err != nil {
			return nil
		}
		return []metrics.Gauge{{Value: float64(len(list))}}
	})
}
