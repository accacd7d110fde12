package wire

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
)

// exchange is one request on its way to one answer.
type exchange struct {
	h         *Handler
	w         http.ResponseWriter
	r         *http.Request
	id        string
	start     time.Time
	service   *service
	operation *Operation // nil until known
	keyID     string     // of a caller whose key exists
	body      []byte     // read so far; reused by later requests
	out       []byte     // the answer; likewise
	status    int
	failure   *failure
	stack     []byte // of a panic
	written   bool   // the answer is out already
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// keptBuffer is the largest buffer that is kept for reuse.
const keptBuffer = 256 << 10

func newExchange(h *Handler, w http.ResponseWriter, r *http.Request) *exchange {
	x := exchanges.Get().(*exchange)
	*x = exchange{h: h, w: w, r: r, id: h.NewID(), start: h.Now(), service: h.unknown[RESTJSON], body: x.body[:0], out: x.out[:0]}
	return x
}

func (x *exchange) release() {
	body, out := x.body[:0], x.out[:0]
	if cap(body) > keptBuffer {
		body = nil
	}
	if cap(out) > keptBuffer {
		out = nil
	}
	*x = exchange{body: body, out: out}
	exchanges.Put(x)
}

func (x *exchange) operationName() string {
	if x.operation == nil {
		return ""
	}
	return x.operation.Name
}

// fail makes f the answer.
func (x *exchange) fail(f *failure) { x.failure = f }

// readBody reads the body within the limits of size and time.
func (x *exchange) readBody(l Limits) *failure {
	if x.r.Body == nil || x.r.Body == http.NoBody {
		return nil
	}
	if x.r.ContentLength > l.Body {
		x.w.Header().Set("Connection", "close") // rather than read it all
		return x.tooLarge(l)
	}
	// Real time, not the handler's clock: this is a deadline of the connection. Writers in tests have none.
	conn := http.NewResponseController(x.w)
	_ = conn.SetReadDeadline(time.Now().Add(l.Reading))
	src := http.MaxBytesReader(x.w, x.r.Body, l.Body)
	buf := bytes.NewBuffer(x.body[:0])
	if n := x.r.ContentLength; n > 0 && n <= keptBuffer {
		buf.Grow(int(n) + bytes.MinRead) // ReadFrom wants room to see the end
	}
	_, err := buf.ReadFrom(src)
	x.body = buf.Bytes()
	if err == nil {
		_ = conn.SetReadDeadline(time.Time{})
		return nil
	}
	x.w.Header().Set("Connection", "close") // the rest of the body must not be waited for
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return x.tooLarge(l)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return x.service.failed(condTimeout, "The request's body did not arrive in time.")
	default:
		return x.service.failed(condUnreadable, "The request's body ended before its Content-Length.")
	}
}

func (x *exchange) tooLarge(l Limits) *failure {
	return x.service.failed(condTooLarge, "The request's body is larger than the limit of "+strconv.FormatInt(l.Body, 10)+" bytes.")
}

// respond writes the answer.
func (x *exchange) respond() {
	if x.written {
		return
	}
	header := x.w.Header()
	if f := x.failure; f != nil {
		x.status = f.status
		x.out = x.service.appendFailure(x.out[:0], f, x.id)
		if x.service.Protocol == RESTJSON {
			header["X-Amzn-Errortype"] = []string{f.code}
		}
		if f.allow != nil {
			header["Allow"] = []string{strings.Join(f.allow, ", ")}
		}
	}
	header["X-Amzn-Requestid"] = []string{x.id}
	header["Content-Type"] = []string{x.service.contentType()}
	header["Content-Length"] = []string{strconv.Itoa(len(x.out))}
	x.w.WriteHeader(x.status)
	_, _ = x.w.Write(x.out) // an error means the client is gone: there is nobody to tell
}

// handOver lets an internal handler answer.
func (x *exchange) handOver(caller identity.Caller, to InternalFunc) {
	x.w.Header()["X-Amzn-Requestid"] = []string{x.id}
	r := x.r.WithContext(withRequestID(x.r.Context(), x.id))
	r.Body = io.NopCloser(bytes.NewReader(x.body))
	w := &statusWriter{ResponseWriter: x.w}
	defer func() { x.status, x.written = w.status, w.status != 0 }()
	to(w, r, caller)
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
}

// statusWriter remembers the status an internal handler chose.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Record is what is known of a request once it is answered.
type Record struct {
	Service   string // empty when it is not one of ours
	Operation string // empty when it is not one of the service's
	Status    int
	Code      string // of an error
	Duration  time.Duration
	Received  int // bytes of the body
	Sent      int // bytes of the body
}

// finish logs the request and reports it. Errors and operations that change something are logged at
// Info, our own failures at Error, the rest at Debug. Bodies and signatures never are.
func (x *exchange) finish(ctx context.Context) {
	rec := Record{
		Service: x.service.Name, Operation: x.operationName(), Status: x.status,
		Duration: x.h.Now().Sub(x.start), Received: len(x.body), Sent: len(x.out),
	}
	level := slog.LevelInfo
	if x.operation != nil && x.operation.ReadOnly {
		level = slog.LevelDebug
	}
	var cause error
	if f := x.failure; f != nil {
		rec.Code, cause, level = f.code, f.cause, slog.LevelInfo
	}
	if x.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	x.h.Observe(rec)
	if !x.h.Log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 14)
	attrs = append(attrs,
		slog.String("request", x.id), slog.String("service", rec.Service), slog.String("operation", rec.Operation),
		slog.Int("status", rec.Status), slog.Duration("duration", rec.Duration),
		slog.Int("received", rec.Received), slog.Int("sent", rec.Sent), slog.String("key", x.keyID),
		slog.String("remote", x.r.RemoteAddr))
	if rec.Service == "" {
		attrs = append(attrs, slog.String("method", shorten(x.r.Method)), slog.String("path", shorten(x.r.URL.Path)))
	}
	if rec.Code != "" {
		attrs = append(attrs, slog.String("code", rec.Code))
	}
	if cause != nil {
		attrs = append(attrs, slog.String("error", cause.Error()))
	}
	if x.stack != nil {
		attrs = append(attrs, slog.String("stack", string(x.stack)))
	}
	x.h.Log.LogAttrs(ctx, level, "request", attrs...)
}

type requestIDKey struct{}

func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id of the request a handler's context belongs to, for outputs and logs that
// show it; empty outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// newID returns a random UUID. Request ids must be unique, not secret.
func newID() string {
	var b [16]byte
	hi, lo := rand.Uint64(), rand.Uint64()
	for i := range 8 {
		b[i], b[8+i] = byte(hi>>(8*i)), byte(lo>>(8*i))
	}
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80 // version 4
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// sameToken compares the session token of a key with that of a request.
func sameToken(want, got secret.Text) bool {
	return subtle.ConstantTimeCompare([]byte(want.Reveal()), []byte(got.Reveal())) == 1
}
