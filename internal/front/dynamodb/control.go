package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables"
)

// Control serves /_penstock/tables/, JSON in and out: what tests provoke on a running server. The requests have
// been authenticated. docs/reference/tables-control.md describes it.
func Control(db *tables.DB) http.Handler {
	c := control{db.Control()}
	mux := http.NewServeMux()
	const root = "/_penstock/tables/"
	mux.HandleFunc("POST "+root+"streams/{table}/roll", c.replace(c.Roll))
	mux.HandleFunc("POST "+root+"streams/{table}/split", c.replace(c.Split))
	mux.HandleFunc("POST "+root+"streams/{table}/trim", c.trim)
	mux.HandleFunc("POST "+root+"iterators/expire", c.expire)
	mux.HandleFunc("POST "+root+"housekeeping", c.housekeeping)
	mux.HandleFunc("GET "+root+"failures", c.failures)
	mux.HandleFunc("POST "+root+"failures", c.fail)
	mux.HandleFunc("DELETE "+root+"failures", c.reset)
	mux.HandleFunc("GET "+root+"settings", c.settings)
	mux.HandleFunc("PUT "+root+"settings", c.setSettings)
	mux.HandleFunc(root, func(w http.ResponseWriter, r *http.Request) {
		answerError(w, fault.New(fault.NotFound, "path", "%s %s is nothing here; docs/reference/tables-control.md lists what there is", r.Method, r.URL.Path))
	})
	return mux
}

type control struct{ tables.Control }

type shardRequest struct {
	Shard string `json:"shard"`
}

type shardsAnswer struct {
	Shards []string `json:"shards"`
}

type trimRequest struct {
	Shards bool `json:"shards"`
}

type failure struct {
	Operation string `json:"operation,omitempty"`
	Table     string `json:"table,omitempty"`
	Failure   string `json:"failure"`
	Calls     int    `json:"calls"`
}

// settingsBody has durations as Go writes them: 15m, 1h30m.
type settingsBody struct {
	ShardRoll        string `json:"shardRoll,omitempty"`
	ShardSplitBytes  int64  `json:"shardSplitBytes,omitempty"`
	FirstShards      int    `json:"firstShards,omitempty"`
	StreamRetention  string `json:"streamRetention,omitempty"`
	IteratorLifetime string `json:"iteratorLifetime,omitempty"`
	TokenLifetime    string `json:"tokenLifetime,omitempty"`
	Housekeeping     string `json:"housekeeping,omitempty"`
}

func (c control) replace(do func(ctx context.Context, table, shard string) ([]string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in shardRequest
		if !read(w, r, &in) {
			return
		}
		shards, err := do(r.Context(), r.PathValue("table"), in.Shard)
		answer(w, shardsAnswer{shards}, err)
	}
}

func (c control) trim(w http.ResponseWriter, r *http.Request) {
	var in trimRequest
	if read(w, r, &in) {
		answer(w, struct{}{}, c.Trim(r.Context(), r.PathValue("table"), in.Shards))
	}
}

func (c control) expire(w http.ResponseWriter, _ *http.Request) {
	c.ExpireIterators()
	answer(w, struct{}{}, nil)
}

func (c control) housekeeping(w http.ResponseWriter, r *http.Request) {
	answer(w, struct{}{}, c.Housekeep(r.Context()))
}

func (c control) failures(w http.ResponseWriter, _ *http.Request) {
	list := []failure{}
	for _, g := range c.Gates() {
		list = append(list, failure{g.Operation, g.Table, g.Failure, g.Left})
	}
	answer(w, map[string]any{"failures": list}, nil)
}

func (c control) fail(w http.ResponseWriter, r *http.Request) {
	var in failure
	if read(w, r, &in) {
		answer(w, struct{}{}, c.FailNext(in.Operation, in.Table, in.Failure, in.Calls))
	}
}

func (c control) reset(w http.ResponseWriter, _ *http.Request) {
	c.Reset()
	answer(w, struct{}{}, nil)
}

func (c control) settings(w http.ResponseWriter, _ *http.Request) {
	s := c.Settings()
	answer(w, settingsBody{
		s.ShardRoll.String(), s.ShardSplitBytes, s.FirstShards, s.StreamRetention.String(), s.IteratorLifetime.String(), s.TokenLifetime.String(), s.Housekeeping.String(),
	}, nil)
}

func (c control) setSettings(w http.ResponseWriter, r *http.Request) {
	var in settingsBody
	if !read(w, r, &in) {
		return
	}
	out := tables.Settings{ShardSplitBytes: in.ShardSplitBytes, FirstShards: in.FirstShards}
	for _, d := range []struct {
		name, text string
		into       *time.Duration
	}{
		{"shardRoll", in.ShardRoll, &out.ShardRoll}, {"streamRetention", in.StreamRetention, &out.StreamRetention}, {"iteratorLifetime", in.IteratorLifetime, &out.IteratorLifetime},
		{"tokenLifetime", in.TokenLifetime, &out.TokenLifetime}, {"housekeeping", in.Housekeeping, &out.Housekeeping},
	} {
		if d.text == "" {
			continue
		}
		v, err := time.ParseDuration(d.text)
		if err != nil || v <= 0 {
			answerError(w, fault.New(fault.Invalid, "setting", "%s is %q; give a duration such as 90s or 15m", d.name, d.text))
			return
		}
		*d.into = v
	}
	if in.ShardSplitBytes < 0 || in.FirstShards < 0 || in.FirstShards > 1000 {
		answerError(w, fault.New(fault.Invalid, "setting", "shardSplitBytes must not be below 0, and firstShards must be between 0 and 1000"))
		return
	}
	c.SetSettings(out)
	c.settings(w, r)
}

// read decodes a body, which may be empty, and answers the request itself if it cannot.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		answerError(w, fault.New(fault.Invalid, "body", "the body is not what is expected here: %v", err))
		return false
	}
	return true
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		answerError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that went away
}

func answerError(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	switch fault.KindOf(err) {
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.State:
		status = http.StatusConflict
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": fault.KindOf(err).String(), "message": fault.Message(err)}) // as above
}
