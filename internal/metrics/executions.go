package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-io/penstock/internal/appint"
)

// Executions counts the executions of data integrations. It is a runs.Observer.
type Executions struct {
	started  prometheus.Counter
	ended    *prometheus.CounterVec
	moved    *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// Executions adds the counters of executions, at zero. It is called once.
func (m *Metrics) Executions() *Executions {
	e := &Executions{
		started: prometheus.NewCounter(prometheus.CounterOpts{Name: "penstock_data_integration_executions_started_total", Help: "Executions of data integrations that were started, again after a restart too."}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "penstock_data_integration_executions_total", Help: "Executions of data integrations that are done."},
			[]string{"status", "trigger"}),
		moved: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "penstock_data_integration_moved_total", Help: "What completed executions of data integrations have moved."},
			[]string{"unit"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "penstock_data_integration_execution_seconds", Help: "Time from an execution's start to its end.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600}}, []string{"status"}),
	}
	m.registry.MustRegister(e.started, e.ended, e.moved, e.duration)
	return e
}

// Started is runs.Observer.
func (e *Executions) Started(appint.Execution) { e.started.Inc() }

// Ended is runs.Observer.
func (e *Executions) Ended(x appint.Execution) {
	e.ended.WithLabelValues(string(x.Status), string(x.Trigger)).Inc()
	e.duration.WithLabelValues(string(x.Status)).Observe(x.Ended.Sub(x.Started).Seconds())
	if x.Status == appint.Completed {
		e.moved.WithLabelValues("files").Add(float64(x.Progress.Files))
		e.moved.WithLabelValues("rows").Add(float64(x.Progress.Rows))
		e.moved.WithLabelValues("bytes").Add(float64(x.Progress.Bytes))
	}
}
