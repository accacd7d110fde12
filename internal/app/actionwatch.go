package app

import (
	"context"
	"log/slog"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/metrics"
)

// observeCalls returns what counts and logs the calls of actions as they end. The log has what records have: no
// argument, no answer and no secret.
func (s *server) observeCalls() func(action.Record) {
	count := s.metrics.Actions()
	return func(r action.Record) {
		outcome, level := string(r.Outcome), slog.LevelDebug
		if r.Code != "" {
			outcome, level = r.Code, slog.LevelInfo
		}
		count(string(r.Type), outcome, r.Duration)
		ctx := context.Background() //nolint:forbidigo // a record has no context
		if !s.log.Enabled(ctx, level) {
			return
		}
		s.log.LogAttrs(ctx, level, "action called", slog.String("request", r.RequestID), slog.String("call", r.ID), slog.String("connector", r.ConnectorID), slog.String("type", string(r.Type)),
			slog.String("action", r.ActionID), slog.Bool("write", r.Write), slog.String("caller", r.Caller), slog.String("user", r.User), slog.String("outcome", outcome),
			slog.String("problem", r.Message), slog.Int("status", r.Status), slog.Int("attempts", r.Attempts), slog.Duration("duration", r.Duration))
	}
}

// watchActions adds the gauges of connectors: what is stored of them, and whose vendors are left alone.
func (s *server) watchActions(engine *invoke.Engine) {
	ctx := context.Background() //nolint:forbidigo // a scrape has no context
	connectors := s.store.Connectors()
	s.metrics.Watch("penstock_action_connectors", "Action connectors, by type and status.", []string{"type", "status"}, func() (gauges []metrics.Gauge) {
		counts, err := connectors.ActionCounts(ctx, s.now())
		if err != nil {
			return nil
		}
		for t, statuses := range counts.Connectors {
			for status, n := range statuses {
				gauges = append(gauges, metrics.Gauge{Labels: []string{string(t), string(status)}, Value: float64(n)})
			}
		}
		return gauges
	})
	s.metrics.Watch("penstock_action_grants", "Sign-ins to action connectors, by state.", []string{"state"}, func() (gauges []metrics.Gauge) {
		counts, err := connectors.ActionCounts(ctx, s.now())
		if err != nil {
			return nil
		}
		for state, n := range counts.Grants {
			gauges = append(gauges, metrics.Gauge{Labels: []string{string(state)}, Value: float64(n)})
		}
		return gauges
	})
	s.metrics.Watch("penstock_action_approvals_waiting", "Calls of actions that wait for an approval.", nil, func() []metrics.Gauge {
		counts, err := connectors.ActionCounts(ctx, s.now())
		if err != nil {
			return nil
		}
		return []metrics.Gauge{{Value: float64(counts.Waiting)}}
	})
	s.metrics.Watch("penstock_action_circuit_open", "1 for connectors that rest since their vendors failed.", []string{"connector"}, func() (gauges []metrics.Gauge) {
		for _, id := range engine.Resting() {
			gauges = append(gauges, metrics.Gauge{Labels: []string{id}, Value: 1})
		}
		return gauges
	})
}
