// Package events serves the endpoints below /_penstock/events, by which a person looks at events that came in,
// replays and deletes them. docs/how-to/webhooks.md describes them.
package events

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/ownapi"
)

// Root is what the paths begin with.
const Root = "/_penstock/events"

const (
	defaultPage = 100
	maxPage     = 1000
)

// New serves Root. The requests have been authenticated. wake is told the bus whenever events become pending, empty
// for all.
func New(a events.Archive, wake func(bus string), now func() time.Time) http.Handler {
	c := control{a, wake, now}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Root, c.list)
	mux.HandleFunc("GET "+Root+"/counts", c.counts)
	mux.HandleFunc("POST "+Root+"/replay", c.change(c.replay))
	mux.HandleFunc("POST "+Root+"/delete", c.change(c.delete))
	mux.HandleFunc(Root+"/", func(w http.ResponseWriter, r *http.Request) {
		ownapi.Refuse(w, fault.New(fault.NotFound, "path", "%s %s is nothing here; docs/how-to/webhooks.md lists what there is", r.Method, r.URL.Path))
	})
	return mux
}

type control struct {
	archive events.Archive
	wake    func(string)
	now     func() time.Time
}

// shown is an event as it is shown.
type shown struct {
	Bus        string          `json:"bus"`
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	DetailType string          `json:"detailType"`
	Time       time.Time       `json:"time"`
	State      events.State    `json:"state"`
	Attempts   int             `json:"attempts"`
	Due        *time.Time      `json:"due,omitempty"`
	Settled    *time.Time      `json:"settled,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Detail     json.RawMessage `json:"detail"`
}

func (c control) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := events.Filter{Bus: q.Get("bus"), ID: q.Get("id"), Source: q.Get("source"), State: events.State(q.Get("state"))}
	most := defaultPage
	if v := q.Get("max"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxPage {
			ownapi.Refuse(w, fault.New(fault.Invalid, "max", "max is %q, not a number from 1 to %d", v, maxPage))
			return
		}
		most = n
	}
	if err := check(f); err != nil {
		ownapi.Refuse(w, err)
		return
	}
	found, next, err := c.archive.EventList(r.Context(), f, q.Get("after"), most)
	if err != nil {
		ownapi.Refuse(w, err)
		return
	}
	out := struct {
		Events []shown `json:"events"`
		Next   string  `json:"next,omitempty"`
	}{[]shown{}, next}
	for _, e := range found {
		s := shown{Bus: e.Bus, ID: e.ID, Source: e.Source, DetailType: e.DetailType, Time: e.Time, State: e.State, Attempts: e.Attempts, Reason: e.Reason, Detail: e.Detail}
		if e.State == events.Pending {
			s.Due = &e.Due
		} else {
			s.Settled = &e.Settled
		}
		out.Events = append(out.Events, s)
	}
	ownapi.Answer(w, out, nil)
}

// check refuses a state that there is not.
func check(f events.Filter) error {
	switch f.State {
	case "", events.Pending, events.Delivered, events.Dead:
		return nil
	}
	return fault.New(fault.Invalid, "state", "state is %q, not pending, delivered or dead", f.State)
}

func (c control) counts(w http.ResponseWriter, r *http.Request) {
	counts, err := c.archive.EventCounts(r.Context())
	ownapi.Answer(w, map[string]any{"counts": counts}, err)
}

// choice is which events to change. One of its members must say so: there is no changing everything by accident.
type choice struct {
	Bus    string       `json:"bus"`
	ID     string       `json:"id"`
	Source string       `json:"source"`
	State  events.State `json:"state"`
}

func (c control) change(do func(*http.Request, events.Filter) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in choice
		if !ownapi.Read(w, r, &in) {
			return
		}
		f := events.Filter(in)
		if err := check(f); err != nil {
			ownapi.Refuse(w, err)
			return
		}
		if f == (events.Filter{}) {
			ownapi.Refuse(w, fault.New(fault.Invalid, "body", "say which events: bus, id, source, state, or several of them"))
			return
		}
		out, err := do(r, f)
		ownapi.Answer(w, out, err)
	}
}

// replay takes dead events unless it is told otherwise.
func (c control) replay(r *http.Request, f events.Filter) (any, error) {
	if f.State == "" {
		f.State = events.Dead
	}
	n, err := c.archive.EventReplay(r.Context(), f, c.now().UTC())
	if err == nil && n > 0 {
		c.wake(f.Bus)
	}
	return map[string]int{"replayed": n}, err
}

func (c control) delete(r *http.Request, f events.Filter) (any, error) {
	n, err := c.archive.EventDelete(r.Context(), f)
	return map[string]int{"deleted": n}, err
}
