package invoke

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/internal/action/catalog"
	"github.com/penstock-io/penstock/internal/fault"
)

// Config says how calls are made. Zero values mean what the comments say.
type Config struct {
	Catalogues *catalog.Set
	// Egress makes the requests, by name; "" is the default and must be there.
	Egress map[string]http.RoundTripper
	AWS    AWS
	Remote Remote // nil: connectors of type MODEL_CONTEXT_PROTOCOL have no actions
	Log    *slog.Logger
	Now    func() time.Time

	Timeout    time.Duration                                    // of a call with its retries; 30 s
	MaxAnswer  int                                              // bytes of a result's body; 2 MB
	MaxRead    int                                              // bytes read of an answer at all; 32 MB
	Retries    int                                              // after the first request; 2. Negative for none
	Backoff    time.Duration                                    // before the first retry, doubled after each; 200 ms
	MaxWait    time.Duration                                    // longest wait for a vendor's Retry-After or our own rate; 10 s
	PerSecond  float64                                          // calls of a connector; 0 for no limit but the vendor's
	Burst      int                                              // calls of a connector at once before PerSecond tells; PerSecond, at least 1
	BreakAfter int                                              // failures in a row until a connector rests; 5. Negative for never
	BreakFor   time.Duration                                    // how long it rests; 10 s
	UserAgent  string                                           // "penstock"
	Wait       func(ctx context.Context, d time.Duration) error // how retries wait; nil for the clock
}

// Engine makes calls. It is safe for concurrent use.
type Engine struct {
	Config
	states    states
	signer    *signer
	documents documentCache
	tools     toolCache
}

// New makes an Engine. It contacts nobody.
func New(c Config) (*Engine, error) {
	if c.Egress[""] == nil {
		return nil, errors.New("invoke: there is no default egress")
	}
	if c.Catalogues == nil {
		c.Catalogues = catalog.NewSet()
	}
	orDefault(&c.Timeout, 30*time.Second)
	orDefault(&c.MaxAnswer, 2<<20)
	orDefault(&c.MaxRead, 32<<20)
	orDefault(&c.Retries, 2)
	orDefault(&c.Backoff, 200*time.Millisecond)
	orDefault(&c.MaxWait, 10*time.Second)
	orDefault(&c.BreakAfter, 5)
	orDefault(&c.BreakFor, 10*time.Second)
	orDefault(&c.UserAgent, "penstock")
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	return &Engine{Config: c, signer: newSigner(c.AWS, c.Now)}, nil
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Catalogue is what a connector can do: the actions of its type, of its document, or of the remote MCP server,
// which is asked.
func (e *Engine) Catalogue(ctx context.Context, c Connector) (*catalog.Catalogue, error) {
	switch {
	case c.Type == TypeMCP:
		return e.listTools(ctx, c)
	case len(c.Document) > 0:
		return e.documents.parse(c.Document)
	}
	return e.Catalogues.Catalogue(c.Type)
}

// Action finds an action of a connector by its id, whether it is enabled or not. The error is an *Error or one
// of the catalogue.
func (e *Engine) Action(ctx context.Context, c Connector, id string) (*catalog.Action, error) {
	_, a, err := e.action(ctx, &c, id)
	return a, err
}

func (e *Engine) action(ctx context.Context, c *Connector, id string) (*catalog.Catalogue, *catalog.Action, error) {
	if c.Type == TypeMCP {
		return e.remoteTool(ctx, c, id)
	}
	known, err := e.Catalogue(ctx, *c)
	if err != nil {
		return nil, nil, err
	}
	a, err := find(known, c, id)
	return known, a, err
}

func find(known *catalog.Catalogue, c *Connector, id string) (*catalog.Action, error) {
	a, ok := known.Action(id)
	if !ok {
		instead := "List its actions to see what it has."
		for _, other := range known.Actions {
			if strings.EqualFold(other.ID, id) {
				instead = "Did you mean " + other.ID + "?"
			}
		}
		return nil, failure(UnknownAction, nil, "The connector %q, of type %s, has no action %q. %s", c.ID, c.Type, id, instead)
	}
	return a, nil
}

func (e *Engine) allowed(ctx context.Context, c *Connector, id string) (*catalog.Catalogue, *catalog.Action, error) {
	known, a, err := e.action(ctx, c, id)
	if err != nil {
		return nil, nil, err
	}
	if c.Restricted && !slices.Contains(c.Enabled, id) {
		return nil, nil, failure(ActionDisabled, nil, "The action %s is not enabled for the connector %q. Enable it in the connector's EnabledActions.", id, c.ID)
	}
	return known, a, nil
}

// Validate says whether a call would be made: whether there is the action, it is enabled and the arguments are
// right. It contacts nobody but a remote MCP server, for its tools.
func (e *Engine) Validate(ctx context.Context, call Call) error {
	if call.Connector.Type == TypeMCP {
		_, err := e.remoteArguments(ctx, &call)
		return err
	}
	_, err := e.plan(ctx, &call)
	return err
}

// Render makes the request of a call without sending it or anything else. Secrets are masked.
func (e *Engine) Render(ctx context.Context, call Call) (Rendered, error) {
	if call.Connector.Type == TypeMCP {
		return e.renderRemote(ctx, &call)
	}
	p, err := e.plan(ctx, &call)
	if err != nil {
		return Rendered{}, err
	}
	req, err := p.request(p.base)
	if err != nil {
		return Rendered{}, err
	}
	return p.rendered(req), nil
}

// Invoke makes a call. Its error is an *Error, an error of Tokens as it was, or one of the catalogue.
func (e *Engine) Invoke(ctx context.Context, call Call) (Result, error) {
	began := e.Now()
	timeout := e.Timeout
	if call.Timeout > 0 {
		timeout = min(timeout, call.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r := &run{engine: e, call: &call, timeout: timeout}
	var result Result
	var err error
	if call.Connector.Type == TypeMCP {
		result, err = e.invokeRemote(ctx, r)
	} else {
		result, err = e.invoke(ctx, r)
	}
	result.Attempts, result.Duration = r.attempts, e.Now().Sub(began)
	var failed *Error
	if errors.As(err, &failed) {
		failed.Attempts = r.attempts
		failed.sayUnknown()
	}
	return result, err
}

func (e *Engine) invoke(ctx context.Context, r *run) (Result, error) {
	p, err := e.plan(ctx, r.call)
	if err != nil {
		return Result{}, err
	}
	r.plan = p
	done, err := e.states.enter(ctx, e, p.connector, p.catalogue)
	if err != nil {
		return Result{}, err
	}
	a, err := r.perform(ctx)
	done(err)
	if err != nil {
		return Result{}, err
	}
	return r.result(a), nil
}

// arguments reads the arguments of a call, keeping numbers exact.
func arguments(action string, raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return map[string]any{}, nil
	}
	v, err := decode(raw)
	if err != nil {
		return nil, invalid(action, catalog.Violation{Message: "they are not JSON: " + err.Error()})
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, invalid(action, catalog.Violation{Message: "they must be one JSON object"})
	}
	return object, nil
}

// documentCache keeps the catalogues of users' documents, which are read often and take long to read.
type documentCache struct {
	mu    sync.Mutex
	seen  map[[sha256.Size]byte]readDocument
	bytes int
}

type readDocument struct {
	catalogue *catalog.Catalogue
	bytes     int // of the document
}

// maxDocuments is how many bytes of documents are kept, as what was read of them, which is larger.
const maxDocuments = 8 << 20

func (d *documentCache) parse(text []byte) (*catalog.Catalogue, error) {
	key := sha256.Sum256(text)
	d.mu.Lock()
	known, ok := d.seen[key]
	d.mu.Unlock()
	if ok {
		return known.catalogue, nil
	}
	c, err := catalog.Parse(text)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.seen[key]; ok { // somebody else was as quick
		return c, nil
	}
	if d.seen == nil {
		d.seen = map[[sha256.Size]byte]readDocument{}
	}
	for other, old := range d.seen {
		if d.bytes+len(text) <= maxDocuments {
			break
		}
		delete(d.seen, other)
		d.bytes -= old.bytes
	}
	d.seen[key] = readDocument{c, len(text)}
	d.bytes += len(text)
	return c, nil
}

// noRemote is the error of a connector whose kind is not served.
func noRemote(c *Connector) error {
	return fault.New(fault.Unsupported, catalog.SubjectType, "The connector %q is one of a remote MCP server, which this server is not set up to call.", c.ID)
}

func who(c *Connector) string { return fmt.Sprintf("The vendor of connector %q", c.ID) }
