package dynamodb

import (
	"context"
	"net/http"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/ownapi"
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
		ownapi.Refuse(w, fault.New(fault.NotFound, "path", "%s %s is nothing here; docs/reference/tables-control.md lists what there is", r.Method, r.URL.Path))
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
		if !ownapi.Read(w, r, &in) {
			return
		}
		shards, err := do(r.Context(), r.PathValue("table"), in.Shard)
		ownapi.Answer(w, shardsAnswer{shards}, err)
	}
}

func (c control) trim(w http.ResponseWriter, r *http.Request) {
	var in trimRequest
	if ownapi.Read(w, r, &in) {
		ownapi.Answer(w, struct{}{}, c.Trim(r.Context(), r.PathValue("table"), in.Shards))
	}
}

func (c control) expire(w http.ResponseWriter, _ *http.Request) {
	c.ExpireIterators()
	ownapi.Answer(w, struct{}{}, nil)
}

func (c control) housekeeping(w http.ResponseWriter, r *http.Request) {
	ownapi.Answer(w, struct{}{}, c.Housekeep(r.Context()))
}

func (c control) failures(w http.ResponseWriter, _ *http.Request) {
	list := []failure{}
	for _, g := range c.Gates() {
		list = append(list, failure{g.Operation, g.Table, g.Failure, g.Left})
	}
	ownapi.Answer(w, map[string]any{"failures": list}, nil)
}

func (c control) fail(w http.ResponseWriter, r *http.Request) {
	var in failure
	if ownapi.Read(w, r, &in) {
		ownapi.Answer(w, struct{}{}, c.FailNext(in.Operation, in.Table, in.Failure, in.Calls))
	}
}

func (c control) reset(w http.ResponseWriter, _ *http.Request) {
	c.Reset()
	ownapi.Answer(w, struct{}{}, nil)
}

func (c control) settings(w http.ResponseWriter, _ *http.Request) {
	s := c.Settings()
	ownapi.Answer(w, settingsBody{
		s.ShardRoll.String(), s.ShardSplitBytes, s.FirstShards, s.StreamRetention.String(), s.IteratorLifetime.String(), s.TokenLifetime.String(), s.Housekeeping.String(),
	}, nil)
}

func (c control) setSettings(w http.ResponseWriter, r *http.Request) {
	var in settingsBody
	if !ownapi.Read(w, r, &in) {
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
			ownapi.Refuse(w, fault.New(fault.Invalid, "setting", "%s is %q; give a duration such as 90s or 15m", d.name, d.text))
			return
		}
		*d.into = v
	}
	if in.ShardSplitBytes < 0 || in.FirstShards < 0 || in.FirstShards > 1000 {
		ownapi.Refuse(w, fault.New(fault.Invalid, "setting", "shardSplitBytes must not be below 0, and firstShards must be between 0 and 1000"))
		return
	}
	c.SetSettings(out)
	c.settings(w, r)
}
