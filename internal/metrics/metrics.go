// Package metrics is what the server counts, under the names the documentation lists. Parts are handed
// plain functions to call; only this package knows Prometheus.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/fileload"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/source/dynamodb"
)

// Metrics is the set of all counters of one server.
type Metrics struct {
	registry *prometheus.Registry

	requests  *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	files     *prometheus.CounterVec
	rows      *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	holdups   *prometheus.CounterVec
	freshness *prometheus.HistogramVec
	finished  *prometheus.CounterVec
	answers   *prometheus.HistogramVec
	retries   *prometheus.CounterVec
}

// New returns counters at zero.
func New() *Metrics {
	r := prometheus.NewRegistry()
	m := &Metrics{
		registry: r,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "penstock_requests_total", Help: "API requests answered."},
			[]string{"service", "operation", "status"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "penstock_request_seconds", Help: "Time to answer an API request.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}}, []string{"service"}),
		files: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "penstock_copy_job_files_total", Help: "Files COPY jobs have settled."},
			[]string{"warehouse", "job", "outcome"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "penstock_copy_job_rows_total", Help: "Rows COPY jobs have loaded."},
			[]string{"warehouse", "job"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "penstock_copy_job_bytes_total", Help: "Bytes COPY jobs have read."},
			[]string{"warehouse", "job"}),
		holdups: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "penstock_copy_job_retries_total", Help: "Times a COPY job had to put a batch back."},
			[]string{"warehouse", "job"}),
		freshness: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "penstock_copy_job_freshness_seconds", Help: "Time from a file's writing to its rows being visible.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900}}, []string{"warehouse", "job"}),
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "penstock_statements_total", Help: "Data API statements that are done."},
			[]string{"status"}),
		answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "penstock_source_answer_seconds", Help: "Time a source of tables took to answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}}, []string{"operation"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "penstock_source_retries_total", Help: "Requests to a source of tables that had to be repeated."},
			[]string{"operation", "reason"}),
	}
	r.MustRegister(m.requests, m.latency, m.files, m.rows, m.bytes, m.holdups, m.freshness, m.finished, m.answers, m.retries,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the counters in Prometheus's text form.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Request counts one answered request.
func (m *Metrics) Request(service, operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(service, operation, strconv.Itoa(status)).Inc()
	m.latency.WithLabelValues(service).Observe(took.Seconds())
}

// Statement counts one statement that is done.
func (m *Metrics) Statement(status string) { m.finished.WithLabelValues(status).Inc() }

// Batch counts what a COPY job's batch came to.
func (m *Metrics) Batch(warehouseID string, o fileload.Outcome) {
	job := o.Job.Name
	if o.Err != nil {
		m.holdups.WithLabelValues(warehouseID, job).Inc()
		return
	}
	for _, f := range o.Results {
		if f.Status == load.Failed {
			m.files.WithLabelValues(warehouseID, job, "failed").Inc()
			continue
		}
		m.files.WithLabelValues(warehouseID, job, "loaded").Inc()
		m.rows.WithLabelValues(warehouseID, job).Add(float64(f.Rows))
		m.bytes.WithLabelValues(warehouseID, job).Add(float64(f.Bytes))
		m.freshness.WithLabelValues(warehouseID, job).Observe(o.At.Sub(f.File.Modified).Seconds())
	}
	m.files.WithLabelValues(warehouseID, job, "gone").Add(float64(len(o.Gone)))
}

// Source observes a source of tables.
func (m *Metrics) Source() dynamodb.Observer {
	return dynamodb.Observer{
		Answer: func(operation string, _ int, took time.Duration) {
			m.answers.WithLabelValues(operation).Observe(took.Seconds())
		},
		Retry: func(operation string, kind fault.Kind) {
			m.retries.WithLabelValues(operation, kind.String()).Inc()
		},
	}
}

// Gauge is one value of a gauge that is read when somebody looks.
type Gauge struct {
	Labels []string // values, in the order of the gauge's label names
	Value  float64
}

// Watch adds a gauge whose values read returns at each look.
func (m *Metrics) Watch(name, help string, labels []string, read func() []Gauge) {
	m.registry.MustRegister(&gauges{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, read})
}

// WatchCount is Watch for values that only grow.
func (m *Metrics) WatchCount(name, help string, labels []string, read func() []Gauge) {
	m.registry.MustRegister(&gauges{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue, read})
}

// gauges is a collector over a function, so that nobody has to push values that change by themselves.
type gauges struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func() []Gauge
}

// Describe is prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) { ch <- g.desc }

// Collect is prometheus.Collector.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	for _, v := range g.read() {
		ch <- prometheus.MustNewConstMetric(g.desc, g.kind, v.Value, v.Labels...)
	}
}
