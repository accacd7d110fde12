package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Actions returns what counts calls of connectors' actions: by type and by how they went, SUCCESS or the code of the
// error.
func (m *Metrics) Actions() func(connectorType, outcome string, took time.Duration) {
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "penstock_action_calls_total", Help: "Calls of connectors' actions."}, []string{"type", "outcome"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "penstock_action_call_seconds", Help: "Time that calls of connectors' actions took, with the vendor's.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"type"})
	m.registry.MustRegister(calls, seconds)
	return func(connectorType, outcome string, took time.Duration) {
		calls.WithLabelValues(connectorType, outcome).Inc()
		if outcome == "SUCCESS" {
			seconds.WithLabelValues(connectorType).Observe(took.Seconds())
		}
	}
}
