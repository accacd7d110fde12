package events

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/penstock-io/penstock/internal/fault"
)

// MaxBody is the largest body of a webhook, in bytes: what an event on EventBridge may have.
const MaxBody = 1 << 20

// Routes tells which event integrations listen.
type Routes interface {
	// Buses returns the names of the buses of the event integrations whose filter has this source.
	Buses(ctx context.Context, source string) ([]string, error)
}

// WebhookConfig is what Webhooks is made of. All fields are required.
type WebhookConfig struct {
	Settings Settings // complete
	Routes   Routes
	Outbox   Outbox
	Wake     func(bus string) // called once there are new events for a bus
	Now      func() time.Time
	NewID    func() string // UUIDs
	Log      *slog.Logger
}

// Webhooks is the http.Handler of POST /app-integrations.webhooks/<path>. Requests are authenticated by it alone.
type Webhooks struct{ c WebhookConfig }

// NewWebhooks returns the handler.
func NewWebhooks(c WebhookConfig) *Webhooks { return &Webhooks{c} }

// namespace makes ids that follow from a sender's differ from other UUIDs.
var namespace = uuid.MustParse("0e5b3c1d-54a5-5f6e-8f5c-7d6f0f1f3b77")

// ServeHTTP implements http.Handler.
func (h *Webhooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/"+Prefix)
	hook, known := h.c.Settings.Webhooks[path]
	switch {
	case !ok || !known:
		h.c.Log.Info("a webhook was refused", "path", path, "remote", r.RemoteAddr, "reason", "the configuration has no webhook of this path")
		answer(w, http.StatusNotFound, problem{"there is no webhook at this path; a path has one when the configuration file names it under webhooks"})
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, problem{"send webhooks with POST"})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		answer(w, http.StatusRequestEntityTooLarge, problem{fmt.Sprintf("the body is larger than %d bytes", MaxBody)})
		return
	}
	if err != nil {
		answer(w, http.StatusBadRequest, problem{"the body could not be read to its end"})
		return
	}
	now := h.c.Now()
	signed, err := hook.verify(r.Header, body, now)
	if err != nil {
		h.c.Log.Info("a webhook was refused", "path", path, "remote", r.RemoteAddr, "reason", err.Error())
		answer(w, http.StatusUnauthorized, problem{err.Error()})
		return
	}
	accepted, err := h.accept(r, path, hook, signed, body, now)
	if err != nil {
		status := http.StatusServiceUnavailable
		if fault.KindOf(err) == fault.NotFound {
			status = http.StatusNotFound
		} else {
			w.Header().Set("Retry-After", "5")
			h.c.Log.Error("a webhook's event could not be stored", "path", path, "err", err)
		}
		answer(w, status, problem{fault.Message(err)})
		return
	}
	answer(w, http.StatusAccepted, accepted)
}

type problem struct {
	Message string `json:"message"`
}

// receipt is what the sender of a webhook gets.
type receipt struct {
	ID    string   `json:"id"`
	Buses []string `json:"buses"`
}

// accept makes a request an event for every bus that listens, and makes the events durable.
func (h *Webhooks) accept(r *http.Request, path string, hook Webhook, signed signature, body []byte, now time.Time) (receipt, error) {
	source := Prefix + path
	buses, err := h.c.Routes.Buses(r.Context(), source)
	if err != nil {
		return receipt{}, err
	}
	if len(buses) == 0 {
		return receipt{}, fault.New(fault.NotFound, SubjectWebhook, "no event integration has the source %s; create one, or its events would go nowhere", source)
	}
	e := Event{ID: h.id(path, signed), Source: source, DetailType: hook.DetailType, Time: now.UTC(), Detail: detail(r.Header.Get("Content-Type"), body), State: Pending, Due: now.UTC()}
	if t := r.Header.Get(hook.TypeHeader); hook.TypeHeader != "" && t != "" {
		e.DetailType = strings.ToValidUTF8(t[:min(len(t), 128)], "?") // EventBridge's limit
	}
	var all []Event
	for _, bus := range buses {
		e.Bus = bus
		one := e
		if _, ok := h.c.Settings.Buses[bus]; !ok {
			one.State, one.Settled = Dead, one.Time
			one.Reason = fmt.Sprintf("the bus %s has no target; add event-buses.%s to the configuration file and replay the event", bus, bus)
			h.c.Log.Warn("an event is for a bus without a target", "bus", bus, "event", e.ID, "source", source)
		}
		all = append(all, one)
	}
	if _, err := h.c.Outbox.EventAdd(r.Context(), all); err != nil {
		return receipt{}, err
	}
	for _, bus := range buses {
		h.c.Wake(bus)
	}
	return receipt{e.ID, buses}, nil
}

// id is the event's: one that follows from what the sender said, so that a repetition has the same, or a new one.
func (h *Webhooks) id(path string, s signature) string {
	switch {
	case s.id != "":
		return uuid.NewSHA1(namespace, []byte(path+"\n"+s.id)).String()
	case s.timestamp != "":
		return uuid.NewSHA1(namespace, []byte(path+"\n"+s.timestamp+"\n"+hex.EncodeToString(s.candidates[0]))).String()
	}
	return h.c.NewID()
}

// detail is a body as the detail of an event, which has to be an object: another JSON value is its member "body",
// and so is text, with the content type beside it; bytes that are no text are in base64 as "bodyBase64".
func detail(contentType string, body []byte) json.RawMessage {
	trimmed := bytes.TrimSpace(body)
	wrapped := map[string]any{}
	switch {
	case json.Valid(trimmed) && trimmed[0] == '{' && utf8.Valid(trimmed):
		return trimmed
	case json.Valid(trimmed) && utf8.Valid(trimmed):
		wrapped["body"] = json.RawMessage(trimmed)
	case utf8.Valid(body):
		wrapped["body"], wrapped["contentType"] = string(body), contentType
	default:
		wrapped["bodyBase64"], wrapped["contentType"] = base64.StdEncoding.EncodeToString(body), contentType
	}
	text, err := json.Marshal(wrapped)
	if err != nil { // of texts and valid JSON it cannot fail
		return json.RawMessage(`{}`)
	}
	return text
}

func answer(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"message":"the answer could not be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that has gone has no use for it
}
