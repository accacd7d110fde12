package invoke_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action/invoke"
)

// A connector that rests is tried with one call: others wait for what it brings, and a failure begins the rest anew.
func TestCircuitBreakerTriesOnce(t *testing.T) {
	t.Parallel()
	var requests, failing atomic.Int32
	failing.Store(1)
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	s := handler(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path == "/slow" {
			arrived <- struct{}{}
			<-release
		}
		if failing.Load() == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{}`))
	})
	e := engine(t, invoke.Config{Retries: -1, BreakAfter: 2, BreakFor: time.Millisecond}, s)
	get := func(path string) invoke.Code {
		_, err := e.Invoke(t.Context(), generic(s.URL, "GET", `{"uri":"`+path+`"}`))
		return code(err)
	}
	// The breaker has a clock of its own, so the trial is asked for until it is let through.
	trial := func() {
		go func() {
			for get("/slow") == invoke.CircuitOpen {
			}
		}()
		<-arrived
	}
	for range 2 {
		if got := get("/x"); got != invoke.VendorFailed {
			t.Fatal(got)
		}
	}
	trial()
	before := requests.Load()
	for range 5 {
		if got := get("/x"); got != invoke.CircuitOpen {
			t.Errorf("beside the trial: %s", got)
		}
	}
	if requests.Load() != before {
		t.Errorf("%d requests beside the trial", requests.Load()-before)
	}
	release <- struct{}{} // it fails: the rest begins anew, and another trial follows it
	trial()
	failing.Store(0)
	close(release)
	for deadline := time.Now().Add(30 * time.Second); get("/x") != ""; {
		if time.Now().After(deadline) {
			t.Fatal("the connector rests although the trial has succeeded")
		}
	}
	for range 5 {
		if got := get("/x"); got != "" {
			t.Errorf("after the trial: %s", got)
		}
	}
}
