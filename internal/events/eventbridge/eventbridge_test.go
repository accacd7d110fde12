package eventbridge_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/events/eventbridge"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/source/access"
)

// entry is an entry of PutEvents on the wire.
type entry struct {
	Source, DetailType, Detail, EventBusName string
	Time                                     float64
}

// server is an endpoint that answers for each entry, and what it was asked.
func server(t *testing.T, answer func(n int, e entry) (code string), status int, body string) (*eventbridge.Target, *[][]entry) {
	t.Helper()
	asked := &[][]entry{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" || !strings.Contains(r.Header.Get("Authorization"), "Credential=id/") || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/events/") {
			t.Errorf("the request has the headers %v", r.Header)
		}
		text, _ := io.ReadAll(r.Body)
		var in struct{ Entries []entry }
		if err := json.Unmarshal(text, &in); err != nil {
			t.Error(err)
		}
		*asked = append(*asked, in.Entries)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if status != 0 {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return
		}
		type result struct{ EventId, ErrorCode, ErrorMessage string } //nolint:staticcheck // as on the wire
		var out struct {
			FailedEntryCount int
			Entries          []result
		}
		for n, e := range in.Entries {
			if code := answer(n, e); code != "" {
				out.FailedEntryCount++
				out.Entries = append(out.Entries, result{ErrorCode: code, ErrorMessage: "so it is"})
			} else {
				out.Entries = append(out.Entries, result{EventId: fmt.Sprint(n)})
			}
		}
		_ = json.NewEncoder(w).Encode(out)
	}))
	t.Cleanup(s.Close)
	return eventbridge.New(events.Bus{Endpoint: s.URL, Name: "orders-bus"}, access.Fixed("eu-west-1", "id", secret.NewText("key"))), asked
}

func batch(n, size int) (all []events.Event) {
	for i := range n {
		all = append(all, events.Event{ID: fmt.Sprint(i), Source: events.Prefix + "orders", DetailType: "Order", Time: time.Unix(1772366400, 0), Detail: json.RawMessage(`{"x":"` + strings.Repeat("x", size) + `"}`)})
	}
	return all
}

func TestPutEvents(t *testing.T) {
	t.Parallel()
	codes := map[int]fault.Kind{1: fault.Throttled, 2: fault.Invalid, 3: fault.Unavailable, 4: fault.Denied}
	target, asked := server(t, func(n int, _ entry) string {
		return map[int]string{1: "ThrottlingException", 2: "MalformedDetail", 3: "InternalFailure", 4: "NotAuthorizedForSourceException"}[n]
	}, 0, "")
	for i, o := range target.Deliver(t.Context(), batch(6, 1)) {
		if kind, failed := codes[i]; failed && fault.KindOf(o.Err) != kind || !failed && o.Err != nil {
			t.Errorf("entry %d: %v, want %v", i, o.Err, kind)
		}
	}
	if got := (*asked)[0][0]; got != (entry{events.Prefix + "orders", "Order", `{"x":"x"}`, "orders-bus", 1772366400}) {
		t.Errorf("an entry is %+v", got)
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	target, asked := server(t, func(int, entry) string { return "" }, 0, "")
	if out := target.Deliver(t.Context(), batch(23, 1)); len(out) != 23 || len(*asked) != 3 {
		t.Errorf("%d outcomes, %d requests", len(out), len(*asked))
	}
	*asked = nil
	if out := target.Deliver(t.Context(), batch(5, 300<<10)); len(out) != 5 || len(*asked) != 2 {
		t.Errorf("large events: %d outcomes, %d requests", len(out), len(*asked))
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for body, c := range map[string]struct {
		status int
		kind   fault.Kind
	}{
		`{"__type":"ThrottlingException","message":"slow"}`:             {400, fault.Throttled},
		`{"__type":"UnrecognizedClientException","message":"who?"}`:     {400, fault.Denied},
		`{"__type":"ValidationException","message":"bad"}`:              {400, fault.Invalid},
		`{"__type":"InternalException","message":"oh"}`:                 {500, fault.Unavailable},
		`<html>no such thing</html>`:                                    {502, fault.Unavailable},
		`{"__type":"ResourceNotFoundException","message":"no bus yet"}`: {400, fault.Unavailable},
	} {
		target, _ := server(t, nil, c.status, body)
		for _, o := range target.Deliver(t.Context(), batch(2, 1)) {
			if fault.KindOf(o.Err) != c.kind {
				t.Errorf("%d %s: %v, want %v", c.status, body, o.Err, c.kind)
			}
		}
	}
	target := eventbridge.New(events.Bus{Endpoint: "http://127.0.0.1:1", Name: "b"}, access.Fixed("eu-west-1", "id", secret.NewText("key")))
	if o := target.Deliver(t.Context(), batch(1, 1)); fault.KindOf(o[0].Err) != fault.Unavailable {
		t.Errorf("nobody listens: %v", o[0].Err)
	}
}
