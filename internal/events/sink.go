package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// Sink is a Target that takes CloudEvents 1.0 over HTTP, one request for each event.
type Sink struct {
	bus    Bus
	client *http.Client
	now    func() time.Time
}

// NewSink returns the target of a bus of type http. transport nil is the usual.
func NewSink(b Bus, transport http.RoundTripper, now func() time.Time) *Sink {
	return &Sink{bus: b, now: now, client: &http.Client{Transport: transport, Timeout: deliverTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Batch implements Target. It is how many requests are made at a time.
func (s *Sink) Batch() int { return 8 }

// Deliver implements Target.
func (s *Sink) Deliver(ctx context.Context, events []Event) []Outcome {
	out := make([]Outcome, len(events))
	var sent sync.WaitGroup
	for i, e := range events {
		sent.Go(func() { out[i] = s.send(ctx, e) })
	}
	sent.Wait()
	return out
}

// cloudEvent is the JSON form of CloudEvents 1.0.
type cloudEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Time            string          `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
}

func (s *Sink) send(ctx context.Context, e Event) Outcome {
	body, header := []byte(e.Detail), http.Header{}
	at := e.Time.UTC().Format(time.RFC3339Nano)
	if s.bus.Mode == "binary" {
		header.Set("Content-Type", "application/json")
		for name, v := range map[string]string{"specversion": "1.0", "id": e.ID, "source": e.Source, "type": e.DetailType, "time": at} {
			header.Set("Ce-"+name, encodeHeader(v))
		}
	} else {
		var err error
		if body, err = json.Marshal(cloudEvent{"1.0", e.ID, e.Source, e.DetailType, at, "application/json", e.Detail}); err != nil {
			return Outcome{Err: fault.Wrap(err, fault.Invalid, SubjectEvent, "the event cannot be written as a CloudEvent")}
		}
		header.Set("Content-Type", "application/cloudevents+json; charset=UTF-8")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.bus.URL, bytes.NewReader(body))
	if err != nil {
		return Outcome{Err: fault.Wrap(err, fault.Invalid, SubjectBus, "the request cannot be made")}
	}
	for name, v := range s.bus.Headers {
		header.Set(name, v.Reveal())
	}
	if !s.bus.Token.Empty() {
		header.Set("Authorization", "Bearer "+s.bus.Token.Reveal())
	}
	header.Set("User-Agent", "penstock")
	r.Header = header
	where := r.URL.Host
	res, err := s.client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return Outcome{Err: fault.Wrap(err, fault.Unavailable, SubjectBus, "%s cannot be reached: %v", where, err)}
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return Outcome{}
	}
	o := Outcome{Err: fault.New(kindOf(res.StatusCode), SubjectBus, "%s answered with status %d", where, res.StatusCode)}
	if v := res.Header.Get("Retry-After"); v != "" {
		if n, err := strconv.Atoi(v); err == nil && n > 0 {
			o.After = min(time.Duration(n)*time.Second, time.Hour)
		} else if t, err := http.ParseTime(v); err == nil {
			o.After = min(max(t.Sub(s.now()), 0), time.Hour)
		}
	}
	return o
}

func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return fault.Denied
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly:
		return fault.Unavailable
	case http.StatusTooManyRequests:
		return fault.Throttled
	case http.StatusNotFound, http.StatusGone:
		return fault.NotFound
	}
	if status >= 500 {
		return fault.Unavailable
	}
	return fault.Invalid
}

// encodeHeader writes a text as the value of a header, as the HTTP binding of CloudEvents has it.
func encodeHeader(v string) string {
	var b strings.Builder
	for _, c := range []byte(v) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
