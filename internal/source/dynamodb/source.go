package dynamodb

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

// Config says which table to read and how. Table, Region, Credentials, Transport, Now and Log are required.
type Config struct {
	Table       string
	Endpoint    string // URL; empty for AWS's own in Region
	Where       string // what messages call the endpoint; empty for its URL
	Region      string
	Credentials Credentials
	Transport   http.RoundTripper // see NewTransport
	// Local: the endpoint is on this machine. Polling it costs nobody anything, and an answer about a shard that is
	// not full has all there was.
	Local bool

	Segments int     // of a new snapshot, read side by side; 0 means 4
	Budget   float64 // read capacity units a snapshot may consume per second; 0 means any number

	Shards int           // read at a time; 0 means 8
	Poll   time.Duration // between looks at a shard with nothing new; 0 means 200 ms, 20 ms if Local
	// Quiet is how long the time between looks at a shard may grow while nothing comes; 0 means Poll. It is for
	// sources that are woken.
	Quiet time.Duration

	Patience      time.Duration // with an endpoint that fails or throttles, before a fault says so; 0 means 1 min
	ManageStreams bool          // EnsureStream may switch a stream on

	Now      func() time.Time // like time.Now, with a monotonic reading: a clock that is put right must not stop the polling
	Log      *slog.Logger
	Observer Observer
}

// Observer is told what goes on, for metrics. Its functions may be nil, are called from several goroutines and
// must return at once.
type Observer struct {
	// Answer: a request was answered, with so many bytes. A page of a snapshot or of a shard is one answer, to Scan
	// or GetRecords.
	Answer func(operation string, bytes int, took time.Duration)
	// Retry: a request will be tried again, because it was Throttled or the endpoint was Unavailable.
	Retry func(operation string, kind fault.Kind)
	// Lag: changes made before so long ago have been delivered.
	Lag func(time.Duration)
}

func (o Observer) answer(operation string, bytes int, took time.Duration) {
	if o.Answer != nil {
		o.Answer(operation, bytes, took)
	}
}

func (o Observer) retry(operation string, kind fault.Kind) {
	if o.Retry != nil {
		o.Retry(operation, kind)
	}
}

func (o Observer) lag(d time.Duration) {
	if o.Lag != nil {
		o.Lag(d)
	}
}

// Source is one table. It is a pipeline.Source.
type Source struct {
	Config
	client *client
	wake   chan struct{} // holds one
}

// New returns a source. It contacts nobody.
func New(c Config) (*Source, error) {
	if c.Table == "" || c.Region == "" || c.Credentials == nil || c.Transport == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("source: Table, Region, Credentials, Transport, Now and Log are required")
	}
	tables, streams, err := endpoints(c.Endpoint, c.Region)
	if err != nil {
		return nil, err
	}
	poll := 200 * time.Millisecond
	if c.Local {
		poll = 20 * time.Millisecond
	}
	c.Segments, c.Shards = cmp.Or(c.Segments, 4), cmp.Or(c.Shards, 8)
	c.Poll, c.Patience = cmp.Or(c.Poll, poll), cmp.Or(c.Patience, time.Minute)
	c.Quiet = max(c.Quiet, c.Poll)
	return &Source{Config: c, wake: make(chan struct{}, 1), client: &client{
		table: c.Table, tables: tables, streams: streams, where: cmp.Or(c.Where, c.Endpoint, "https://"+tables.Host), region: c.Region,
		credentials: c.Credentials, transport: c.Transport, patience: c.Patience, now: c.Now, log: c.Log, observer: c.Observer,
	}}, nil
}

// NewTransport returns a transport that suits any number of sources with one endpoint. Its owner closes its idle
// connections in the end.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
		ReadBufferSize:      64 << 10,
	}
}

// Wake says that there may be something new in the stream. It never blocks.
func (s *Source) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// table is what DescribeTable says, as far as it matters.
type table struct {
	TableName            string
	TableStatus          string
	TableID              string `json:"TableId"`
	CreationDateTime     json.RawMessage
	ItemCount            int64
	TableSizeBytes       int64
	KeySchema            []struct{ AttributeName, KeyType string }
	AttributeDefinitions []struct{ AttributeName, AttributeType string }
	StreamSpecification  streamSpec
	LatestStreamARN      string `json:"LatestStreamArn"`

	answered time.Time // by the endpoint's clock, if it says
	keys     []change.KeyColumn
}

// streaming reports whether the table has a stream, of whatever view.
func (t *table) streaming() bool {
	return t.StreamSpecification.StreamEnabled && t.LatestStreamARN != ""
}

type streamSpec struct {
	StreamEnabled  bool
	StreamViewType string `json:",omitempty"`
}

// What a stream must be like.
const (
	viewBoth  = "NEW_AND_OLD_IMAGES"
	viewNew   = "NEW_IMAGE"
	rightView = "Use a stream with NEW_AND_OLD_IMAGES or NEW_IMAGE."
)

// decoder reads an answer that is small.
func decoder[T any](out *T) func(answer) error {
	return func(a answer) error {
		*out = *new(T)
		if err := json.Unmarshal(a.body, out); err != nil {
			return &bodyError{what: err.Error()}
		}
		return nil
	}
}

// describe looks at the table.
func (s *Source) describe(ctx context.Context) (*table, error) {
	var out struct{ Table *table }
	var date time.Time
	read := decoder(&out)
	err := s.client.call(ctx, opDescribeTable, map[string]string{"TableName": s.Table}, func(a answer) error {
		if date = a.date; date.IsZero() {
			date = a.sent
		}
		if err := read(a); err != nil {
			return err
		}
		if out.Table == nil || out.Table.TableName == "" {
			return &bodyError{what: "there is no Table in it"}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := out.Table
	t.answered = date
	for _, kind := range []string{"HASH", "RANGE"} {
		for _, k := range t.KeySchema {
			if k.KeyType != kind {
				continue
			}
			for _, d := range t.AttributeDefinitions {
				if d.AttributeName == k.AttributeName && len(d.AttributeType) == 1 {
					t.keys = append(t.keys, change.KeyColumn{Name: k.AttributeName, Type: change.KeyType(d.AttributeType[0])})
				}
			}
		}
	}
	if len(t.keys) == 0 || len(t.keys) != len(t.KeySchema) {
		return nil, fault.New(fault.Unavailable, SubjectTable, "%s does not say what the keys of table %q are.", s.client.where, s.Table)
	}
	return t, nil
}

// Describe looks at the table as it is now. A table without a stream that can be read is a fault of kind State
// about SubjectStream.
func (s *Source) Describe(ctx context.Context) (change.Table, error) {
	t, err := s.describe(ctx)
	if err != nil {
		return change.Table{}, err
	}
	if err := s.usable(t); err != nil {
		return change.Table{}, err
	}
	return change.Table{
		Schema: change.Schema{Table: s.Table, Keys: t.keys}, ID: t.id() + " " + t.LatestStreamARN, Items: t.ItemCount, Bytes: t.TableSizeBytes,
	}, nil
}

// id is another for a table that was deleted and made again.
func (t *table) id() string {
	if t.TableID == "" {
		return "created " + string(t.CreationDateTime)
	}
	return t.TableID
}

// usable returns what speaks against replicating the table.
func (s *Source) usable(t *table) error {
	switch t.TableStatus {
	case "CREATING":
		return fault.New(fault.Unavailable, SubjectTable, "Table %q at %s is still being created.", s.Table, s.client.where)
	case "DELETING":
		return fault.New(fault.NotFound, SubjectTable, "Table %q at %s is being deleted.", s.Table, s.client.where)
	}
	if !t.streaming() {
		how := "enable one with NEW_AND_OLD_IMAGES or start penstock with --manage-streams"
		if s.ManageStreams {
			how = "enable one with NEW_AND_OLD_IMAGES"
		}
		return fault.New(fault.State, SubjectStream, "Table %q at %s has no stream; %s.", s.Table, s.client.where, how)
	}
	if view := t.StreamSpecification.StreamViewType; view != viewBoth && view != viewNew {
		return fault.New(fault.State, SubjectStream, "The stream of table %q at %s has the view %s, without new images. %s Penstock does not replace a stream that others may read: disable it first.", s.Table, s.client.where, view, rightView)
	}
	return nil
}

// enableTimeout is how long a stream may take to be enabled.
const enableTimeout = 5 * time.Minute

// EnsureStream sees to it that the table has a stream that can be read, and waits until it is enabled. If there
// is none and Config.ManageStreams allows it, it enables one with NEW_AND_OLD_IMAGES.
func (s *Source) EnsureStream(ctx context.Context) error {
	begun, asked := s.Now(), false
	var refused error // what came of asking
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		t, err := s.describe(ctx)
		if err != nil {
			return err
		}
		switch err = s.usable(t); {
		case err == nil:
			tree, err := s.shards(ctx, t.LatestStreamARN)
			if err == nil && tree.enabled() {
				return nil
			}
			if err != nil && !fault.Is(err, fault.NotFound, SubjectStream) {
				return err
			}
		case fault.Is(err, fault.Unavailable, SubjectTable): // being created
		case !s.ManageStreams, !fault.Is(err, fault.State, SubjectStream), t.streaming():
			return err
		case refused != nil:
			return refused
		case !asked && t.TableStatus == "ACTIVE":
			err := s.enable(ctx)
			if codeOf(err) == codeInUse { // somebody else changes the table
				break
			}
			if err != nil && codeOf(err) != codeValidation { // which may be because somebody else has enabled one
				return err
			}
			asked, refused = true, err
		}
		if waited := s.Now().Sub(begun); waited > enableTimeout {
			return fault.New(fault.Unavailable, SubjectStream, "The stream of table %q at %s is not enabled after %s.", s.Table, s.client.where, waited.Round(time.Second))
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

func (s *Source) enable(ctx context.Context) error {
	s.Log.Info("enabling the stream of a source table", "table", s.Table)
	in := struct {
		TableName           string
		StreamSpecification streamSpec
	}{s.Table, streamSpec{StreamEnabled: true, StreamViewType: viewBoth}}
	return s.client.call(ctx, opUpdateTable, in, func(answer) error { return nil })
}
