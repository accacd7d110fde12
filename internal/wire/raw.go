package wire

import (
	"context"
	"io"
	"log/slog"
	"net/http"
)

// raw passes a request on as it came and accounts for the answer: a service that streams bodies and
// verifies signatures itself is still in the access log and the metrics.
func (h *Handler) raw(service string, next http.Handler, w http.ResponseWriter, r *http.Request) {
	began := h.Now()
	rec := &recorder{ResponseWriter: w}
	next.ServeHTTP(rec, r)
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	record := Record{Service: service, Operation: r.Method, Status: rec.status, Duration: h.Now().Sub(began), Received: int(max(0, r.ContentLength)), Sent: int(rec.sent)}
	h.Observe(record)
	// A load is thousands of objects, so what went well is for those who look closely.
	level := slog.LevelDebug
	if rec.status >= 400 {
		level = slog.LevelInfo
	}
	if !h.Log.Enabled(r.Context(), level) {
		return
	}
	h.Log.LogAttrs(context.WithoutCancel(r.Context()), level, "request", slog.String("request", w.Header().Get("X-Amz-Request-Id")), slog.String("service", service),
		slog.String("operation", r.Method), slog.String("path", shorten(r.URL.Path)), slog.Int("status", rec.status), slog.Duration("duration", record.Duration),
		slog.Int("received", record.Received), slog.Int("sent", record.Sent), slog.String("remote", r.RemoteAddr))
}

// recorder remembers what was answered. Unwrap lets http.ResponseController reach the real writer.
type recorder struct {
	http.ResponseWriter
	status int
	sent   int64
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.sent += int64(n)
	return n, err
}

// ReadFrom lets the real writer copy a file without taking it through our memory.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	n, err := io.Copy(r.ResponseWriter, src)
	r.sent += n
	return n, err
}
