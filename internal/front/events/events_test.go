package events_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/events"
	front "github.com/penstock-io/penstock/internal/front/events"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestControl(t *testing.T) {
	t.Parallel()
	o := storetest.NewMemoryEvents()
	var woken []string
	h := front.New(o, func(bus string) { woken = append(woken, bus) }, func() time.Time { return now })
	for n := range 4 {
		e := events.Event{Bus: "default", ID: fmt.Sprint("id", n), Source: events.Prefix + "orders", DetailType: "Order", Time: now, Due: now, State: events.Pending,
			Detail: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}
		if n > 1 {
			e.State, e.Reason, e.Settled, e.Attempts = events.Dead, "refused", now, 3
		}
		if _, err := o.EventAdd(t.Context(), []events.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	call := func(method, target, body string, status int) map[string]any {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
		var v map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != status {
			t.Errorf("%s %s %s: %d %s, want %d", method, target, body, w.Code, w.Body, status)
		}
		return v
	}
	page := call("GET", "/_penstock/events?state=dead&max=1", "", 200)
	first := page["events"].([]any)[0].(map[string]any)
	if first["id"] != "id2" || first["reason"] != "refused" || first["attempts"] != 3.0 || first["detail"].(map[string]any)["n"] != 2.0 || page["next"] == nil {
		t.Errorf("the first page is %v", page)
	}
	page = call("GET", "/_penstock/events?state=dead&max=1&after="+page["next"].(string), "", 200)
	if page["events"].([]any)[0].(map[string]any)["id"] != "id3" || page["next"] != nil {
		t.Errorf("the second page is %v", page)
	}
	if v := call("GET", "/_penstock/events/counts", "", 200); fmt.Sprint(v) != "map[counts:map[default:map[dead:2 pending:2]]]" {
		t.Errorf("the counts are %v", v)
	}
	if v := call("POST", "/_penstock/events/replay", `{"bus":"default","id":"id2"}`, 200); v["replayed"] != 1.0 || !slices.Equal(woken, []string{"default"}) {
		t.Errorf("%v, woken %v", v, woken)
	}
	if v := call("POST", "/_penstock/events/delete", `{"state":"dead"}`, 200); v["deleted"] != 1.0 {
		t.Errorf("%v", v)
	}
	for _, c := range []struct {
		method, target, body string
		status               int
	}{
		{"POST", "/_penstock/events/replay", `{}`, 400}, {"POST", "/_penstock/events/replay", ``, 400}, {"POST", "/_penstock/events/delete", `{"all":true}`, 400},
		{"POST", "/_penstock/events/delete", `[`, 400}, {"POST", "/_penstock/events/replay", `{"state":"lost"}`, 400}, {"GET", "/_penstock/events?max=x", "", 400},
		{"GET", "/_penstock/events?state=lost", "", 400}, {"GET", "/_penstock/events?after=x", "", 400}, {"GET", "/_penstock/events/nothing", "", 404},
	} {
		if v := call(c.method, c.target, c.body, c.status); v["message"] == nil {
			t.Errorf("%s %s: there is no message", c.method, c.target)
		}
	}
}
