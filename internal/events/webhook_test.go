package events_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const key = "a long and random secret"

// routes are the buses by source.
type routes map[string][]string

func (r routes) Buses(_ context.Context, source string) ([]string, error) {
	if source == events.Prefix+"broken" {
		return nil, fault.New(fault.Unavailable, "store", "the store is closed")
	}
	return r[source], nil
}

// hooks are webhooks under test, each scheme at a path of its name.
type hooks struct {
	*events.Webhooks
	outbox *storetest.MemoryEvents
	woken  []string
	log    bytes.Buffer
}

func newHooks(t *testing.T) *hooks {
	t.Helper()
	s := events.Settings{
		Webhooks: map[string]events.Webhook{
			"custom": {Scheme: "custom", Secret: secret.NewText(key), Header: "X-Sig", Encoding: "base64", Signed: "{body}/{id}", IDHeader: "X-Id", DetailType: "Order placed"},
			"nobody": {Secret: secret.NewText(key)}, "broken": {Secret: secret.NewText(key)}, "a/b.c": {Secret: secret.NewText(key)},
		},
		Buses: map[string]events.Bus{"default": {Type: events.ToHTTP, URL: "https://sink.example"}, "second": {Type: events.ToHTTP, URL: "https://sink.example"}},
	}
	for _, scheme := range []string{"hub", "standard", "slack", "stripe", "zendesk"} {
		s.Webhooks[scheme] = events.Webhook{Scheme: scheme, Secret: secret.NewText("the old one"), Secrets: []secret.Text{secret.NewText(key)}}
	}
	s, err := s.Complete()
	if err != nil {
		t.Fatal(err)
	}
	h := &hooks{outbox: storetest.NewMemoryEvents()}
	r := routes{}
	for path := range s.Webhooks {
		if path != "nobody" {
			r[events.Prefix+path] = []string{"default"}
		}
	}
	r[events.Prefix+"hub"] = []string{"default", "second", "unknown"}
	n := 0
	h.Webhooks = events.NewWebhooks(events.WebhookConfig{
		Settings: s, Routes: r, Outbox: h.outbox, Wake: func(bus string) { h.woken = append(h.woken, bus) }, Now: func() time.Time { return now },
		NewID: func() string { n++; return fmt.Sprint("new-", n) }, Log: slog.New(slog.NewTextHandler(&h.log, nil)),
	})
	return h
}

func (h *hooks) send(method, path, body string, headers map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/"+events.Prefix+path, strings.NewReader(body))
	for name, v := range headers {
		r.Header.Set(name, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func (h *hooks) stored(t *testing.T) []events.Event {
	t.Helper()
	all, _, err := h.outbox.EventList(t.Context(), events.Filter{}, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sum(signed string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(signed))
	return m.Sum(nil)
}

func inHex(signed string) string    { return hex.EncodeToString(sum(signed)) }
func inBase64(signed string) string { return base64.StdEncoding.EncodeToString(sum(signed)) }

const body = `{"order": 17, "total": 12.50}`

// signedAs are the headers a sender of each scheme sends.
func signedAs(scheme, body string, at time.Time) map[string]string {
	ts := strconv.FormatInt(at.Unix(), 10)
	iso := at.UTC().Format(time.RFC3339)
	switch scheme {
	case "standard":
		return map[string]string{"Webhook-Id": "m1", "Webhook-Timestamp": ts, "Webhook-Signature": "v1,AAAA v1," + inBase64("m1."+ts+"."+body)}
	case "slack":
		return map[string]string{"X-Slack-Request-Timestamp": ts, "X-Slack-Signature": "v0=" + inHex("v0:"+ts+":"+body)}
	case "stripe":
		return map[string]string{"Stripe-Signature": "t=" + ts + ",v1=" + strings.Repeat("ab", 32) + ",v1=" + inHex(ts+"."+body) + ",v0=x"}
	case "zendesk":
		return map[string]string{"X-Zendesk-Webhook-Signature-Timestamp": iso, "X-Zendesk-Webhook-Signature": inBase64(iso + body)}
	case "custom":
		return map[string]string{"X-Sig": inBase64(body + "/7"), "X-Id": "7"}
	}
	return map[string]string{"X-Hub-Signature-256": "sha256=" + inHex(body)}
}

var schemes = []string{"hub", "standard", "slack", "stripe", "zendesk", "custom"}

func TestAuthentic(t *testing.T) {
	t.Parallel()
	for _, scheme := range schemes {
		h := newHooks(t)
		w := h.send("POST", scheme, body, signedAs(scheme, body, now.Add(-time.Minute)))
		var receipt struct {
			ID    string
			Buses []string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &receipt); err != nil || w.Code != http.StatusAccepted {
			t.Errorf("%s: %d %s", scheme, w.Code, w.Body)
			continue
		}
		all := h.stored(t)
		e := all[0]
		wantType := "Webhook"
		if scheme == "custom" {
			wantType = "Order placed"
		}
		if e.ID != receipt.ID || e.Bus != "default" || e.Source != events.Prefix+scheme || e.DetailType != wantType || !e.Time.Equal(now) || string(e.Detail) != body || e.State != events.Pending {
			t.Errorf("%s: the event is %+v", scheme, e)
		}
		if scheme != "hub" {
			continue
		}
		if len(all) != 3 || all[2].State != events.Dead || !strings.Contains(all[2].Reason, "event-buses.unknown") {
			t.Errorf("the events are %+v; want one for a bus without a target to be dead", all)
		}
		if !slices.Equal(h.woken, []string{"default", "second", "unknown"}) {
			t.Errorf("woken were %v", h.woken)
		}
	}
}

func TestNotAuthentic(t *testing.T) {
	t.Parallel()
	for _, scheme := range schemes {
		h := newHooks(t)
		good := signedAs(scheme, body, now)
		check := func(what string, w *httptest.ResponseRecorder) {
			t.Helper()
			if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "message") || strings.Contains(w.Body.String(), key) {
				t.Errorf("%s, %s: %d %s", scheme, what, w.Code, w.Body)
			}
		}
		check("another body", h.send("POST", scheme, body+" ", good))
		check("nothing", h.send("POST", scheme, body, nil))
		for name := range good {
			bad := map[string]string{}
			for n, v := range good {
				if n != name {
					bad[n] = v
				}
			}
			check("without "+name, h.send("POST", scheme, body, bad))
			bad[name] = "rubbish"
			check("rubbish in "+name, h.send("POST", scheme, body, bad))
			bad[name] = ""
			check("nothing in "+name, h.send("POST", scheme, body, bad))
		}
		if scheme != "hub" && scheme != "custom" {
			for _, at := range []time.Duration{-6 * time.Minute, 6 * time.Minute} {
				check("at another time", h.send("POST", scheme, body, signedAs(scheme, body, now.Add(at))))
			}
		}
		if n := len(h.stored(t)); n > 0 {
			t.Errorf("%s: %d events were stored", scheme, n)
		}
		if strings.Contains(h.log.String(), key) {
			t.Errorf("%s: the log has the secret", scheme)
		}
	}
}

// A timestamp, a body and an id must not be exchangeable for one another: what is signed has them at fixed places.
func TestSignatureCoversWhatItSays(t *testing.T) {
	t.Parallel()
	h := newHooks(t)
	good := signedAs("standard", body, now)
	good["Webhook-Id"] = "m2"
	if w := h.send("POST", "standard", body, good); w.Code != http.StatusUnauthorized {
		t.Errorf("another id: %d", w.Code)
	}
	good = signedAs("slack", body, now)
	good["X-Slack-Request-Timestamp"] = strconv.FormatInt(now.Unix()+1, 10)
	if w := h.send("POST", "slack", body, good); w.Code != http.StatusUnauthorized {
		t.Errorf("another timestamp: %d", w.Code)
	}
}

func TestRepetitions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scheme string
		want   int
	}{{"standard", 1}, {"slack", 1}, {"stripe", 1}, {"custom", 1}, {"a/b.c", 2}} {
		h := newHooks(t)
		var ids []string
		for range 2 {
			w := h.send("POST", c.scheme, body, signedAs(c.scheme, body, now))
			var receipt struct{ ID string }
			if err := json.Unmarshal(w.Body.Bytes(), &receipt); err != nil || w.Code != http.StatusAccepted {
				t.Fatalf("%s: %d %s", c.scheme, w.Code, w.Body)
			}
			ids = append(ids, receipt.ID)
		}
		if n := len(h.stored(t)); n != c.want || (ids[0] == ids[1]) != (c.want == 1) {
			t.Errorf("%s: the same request twice is %d events, %v", c.scheme, n, ids)
		}
	}
	h := newHooks(t)
	headers := signedAs("hub", body, now)
	headers["X-GitHub-Delivery"], headers["X-GitHub-Event"] = "d1", "push"
	for range 2 {
		h.send("POST", "hub", body, headers)
	}
	if all := h.stored(t); len(all) != 3 || all[0].DetailType != "push" {
		t.Errorf("a delivery sent twice is %d events on three buses, of type %q", len(all), all[0].DetailType)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	h := newHooks(t)
	large := strings.Repeat("x", events.MaxBody+1)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
	}{
		"unknown path":   {"POST", "elsewhere", body, 404},
		"path above":     {"POST", "", body, 404},
		"nobody listens": {"POST", "nobody", body, 404},
		"method":         {"GET", "hub", "", 405},
		"too large":      {"POST", "hub", large, 413},
		"no store":       {"POST", "broken", body, 503},
		"segments":       {"POST", "a/b.c", body, 202},
	} {
		w := h.send(c.method, c.path, c.body, signedAs("hub", c.body, now))
		if w.Code != c.status || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
		}
	}
	if err := h.outbox.Close(); err != nil {
		t.Fatal(err)
	}
	if w := h.send("POST", "hub", body, signedAs("hub", body, now)); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("the outbox is closed: %d %s", w.Code, w.Body)
	}
}

func TestDetail(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" {\"a\":12345678901234567890}\n": `{"a":12345678901234567890}`,
		`[1,2]`:                           `{"body":[1,2]}`,
		`"x"`:                             `{"body":"x"}`,
		`a=1&b=2`:                         `{"body":"a=1\u0026b=2","contentType":"text/x-test"}`,
		``:                                `{"body":"","contentType":"text/x-test"}`,
		"\xff\x00":                        `{"bodyBase64":"/wA=","contentType":"text/x-test"}`,
	} {
		h := newHooks(t)
		headers := signedAs("hub", in, now)
		headers["Content-Type"] = "text/x-test"
		if w := h.send("POST", "a/b.c", in, headers); w.Code != 202 {
			t.Errorf("%q: %d", in, w.Code)
			continue
		}
		if got := string(h.stored(t)[0].Detail); got != want {
			t.Errorf("%q is the detail %s, want %s", in, got, want)
		}
	}
}

func FuzzWebhook(f *testing.F) {
	f.Add("slack", "v0=ab", "1772366400", "{}")
	f.Add("stripe", "t=1772366400,v1=ab", "", "x")
	f.Add("standard", "v1,AAAA", "x", "")
	f.Fuzz(func(t *testing.T, scheme, signature, timestamp, body string) {
		h := newHooks(t)
		r := httptest.NewRequest(http.MethodPost, "/"+events.Prefix+"x", strings.NewReader(body))
		r.URL.Path = "/" + events.Prefix + scheme
		for _, name := range []string{"X-Hub-Signature-256", "Webhook-Signature", "X-Slack-Signature", "Stripe-Signature", "X-Zendesk-Webhook-Signature", "X-Sig", "Webhook-Id", "X-Id"} {
			r.Header[name] = []string{signature}
		}
		for _, name := range []string{"Webhook-Timestamp", "X-Slack-Request-Timestamp", "X-Zendesk-Webhook-Signature-Timestamp"} {
			r.Header[name] = []string{timestamp}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusAccepted || w.Code >= 500 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s, err := events.Settings{Webhooks: map[string]events.Webhook{"hub": {Secret: secret.NewText(key)}}}.Complete()
	if err != nil {
		b.Fatal(err)
	}
	h := events.NewWebhooks(events.WebhookConfig{
		Settings: s, Routes: routes{}, Outbox: storetest.NewMemoryEvents(), Wake: func(string) {}, Now: func() time.Time { return now },
		NewID: func() string { return "id" }, Log: slog.New(slog.DiscardHandler),
	})
	large := `{"x":"` + strings.Repeat("x", 4<<10) + `"}`
	headers := signedAs("hub", large, now)
	b.SetBytes(int64(len(large)))
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/"+events.Prefix+"hub", strings.NewReader(large))
		for name, v := range headers {
			r.Header.Set(name, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound { // authentic, and nobody listens
			b.Fatal(w.Code)
		}
	}
}
