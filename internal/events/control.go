package events

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// ControlRoot is what the paths of Control begin with.
const ControlRoot = "/_penstock/events"

const (
	defaultPage = 100
	maxPage     = 1000
)

// Control serves ControlRoot, JSON in and out: looking at events, replaying and deleting them. The requests have
// been authenticated. docs/how-to/webhooks.md describes it. wake is told the bus whenever events become pending,
// empty for all.
func Control(a Archive, wake func(bus string), now func() time.Time) http.Handler {
	c := control{a, wake, now}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ControlRoot, c.list)
	mux.HandleFunc("GET "+ControlRoot+"/counts", c.counts)
	mux.HandleFunc("POST "+ControlRoot+"/replay", c.change(c.replay))
	mux.HandleFunc("POST "+ControlRoot+"/delete", c.change(c.delete))
	mux.HandleFunc(ControlRoot+"/", func(w http.ResponseWriter, r *http.Request) {
		answerError(w, fault.New(fault.NotFound, "path", "%s %s is nothing here; docs/how-to/webhooks.md lists what there is", r.Method, r.URL.Path))
	})
	return mux
}

type control struct {
	archive Archive
	wake    func(string)
	now     func() time.Time
}

// shown is an event as Control shows it.
type shown struct {
	Bus        string          `json:"bus"`
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	DetailType string          `json:"detailType"`
	Time       time.Time       `json:"time"`
	State      State           `json:"state"`
	Attempts   int             `json:"attempts"`
	Due        *time.Time      `json:"due,omitempty"`
	Settled    *time.Time      `json:"settled,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Detail     json.RawMessage `json:"detail"`
}

func (c control) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := Filter{Bus: q.Get("bus"), ID: q.Get("id"), Source: q.Get("source"), State: State(q.Get("state"))}
	most := defaultPage
	if v := q.Get("max"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxPage {
			answerError(w, fault.New(fault.Invalid, "max", "max is %q, not a number from 1 to %d", v, maxPage))
			return
		}
		most = n
	}
	if err := f.check(); err != nil {
		answerError(w, err)
		return
	}
	found, next, err := c.archive.EventList(r.Context(), f, q.Get("after"), most)
	if err != nil {
		answerError(w, err)
		return
	}
	out := struct {
		Events []shown `json:"events"`
		Next   string  `json:"next,omitempty"`
	}{[]shown{}, next}
	for _, e := range found {
		s := shown{Bus: e.Bus, ID: e.ID, Source: e.Source, DetailType: e.DetailType, Time: e.Time, State: e.State, Attempts: e.Attempts, Reason: e.Reason, Detail: e.Detail}
		if e.State == Pending {
			s.Due = &e.Due
		} else {
			s.Settled = &e.Settled
		}
		out.Events = append(out.Events, s)
	}
	answer(w, http.StatusOK, out)
}

func (f Filter) check() error {
	switch f.State {
	case "", Pending, Delivered, Dead:
		return nil
	}
	return fault.New(fault.Invalid, "state", "state is %q, not pending, delivered or dead", f.State)
}

func (c control) counts(w http.ResponseWriter, r *http.Request) {
	counts, err := c.archive.EventCounts(r.Context())
	if err != nil {
		answerError(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"counts": counts})
}

// choice is which events to change. One of its members must say so: there is no changing everything by accident.
type choice struct {
	Bus    string `json:"bus"`
	ID     string `json:"id"`
	Source string `json:"source"`
	State  State  `json:"state"`
}

const maxChoice = 64 << 10 // bytes

func (c control) change(do func(*http.Request, Filter) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in choice
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxChoice))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
			answerError(w, fault.New(fault.Invalid, "body", "the body is not JSON of the form {\"bus\": ..., \"id\": ..., \"source\": ..., \"state\": ...}: %v", err))
			return
		}
		f := Filter(in)
		if err := f.check(); err != nil {
			answerError(w, err)
			return
		}
		if f == (Filter{}) {
			answerError(w, fault.New(fault.Invalid, "body", "say which events: bus, id, source, state, or several of them"))
			return
		}
		out, err := do(r, f)
		if err != nil {
			answerError(w, err)
			return
		}
		answer(w, http.StatusOK, out)
	}
}

// replay takes dead events unless it is told otherwise.
func (c control) replay(r *http.Request, f Filter) (any, error) {
	if f.State == "" {
		f.State = Dead
	}
	n, err := c.archive.EventReplay(r.Context(), f, c.now().UTC())
	if err == nil && n > 0 {
		c.wake(f.Bus)
	}
	return map[string]int{"replayed": n}, err
}

func (c control) delete(r *http.Request, f Filter) (any, error) {
	n, err := c.archive.EventDelete(r.Context(), f)
	return map[string]int{"deleted": n}, err
}

func answerError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch fault.KindOf(err) {
	case fault.Invalid:
		status = http.StatusBadRequest
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.Unavailable:
		status = http.StatusServiceUnavailable
	}
	answer(w, status, problem{fault.Message(err)})
}
