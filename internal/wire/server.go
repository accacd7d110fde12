package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Serve answers requests that arrive on l until ctx is done. Then it stops accepting, lets requests in
// flight finish within the grace period, cuts off those that remain and returns nil once all handlers
// have returned. An error means the listener failed.
//
// Slow clients are held to the limits for reading headers and, outside of S3, bodies.
func (h *Handler) Serve(ctx context.Context, l net.Listener) error {
	// Requests outlive ctx by the grace period.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var gate sync.RWMutex // held for reading by every request, and for writing once there may be no more
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !gate.TryRLock() {
				panic(http.ErrAbortHandler)
			}
			defer gate.RUnlock()
			h.ServeHTTP(w, r)
		}),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: h.Limits.Reading,
		IdleTimeout:       h.Limits.Idle,
		MaxHeaderBytes:    h.Limits.Header,
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		deadline, stop := context.WithTimeout(requests, h.Limits.Grace)
		began := time.Now()
		if serr := srv.Shutdown(deadline); serr != nil {
			h.Log.Warn("requests still in flight after the grace period are cut off", "grace", time.Since(began))
		}
		stop()
		err = <-failed
	}
	cut()
	_ = srv.Close() // what Shutdown left
	gate.Lock()     // and never unlocked
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
