package action_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/action/oauth/oauthtest"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

const account = "123456789012"

var caller = identity.Caller{Partition: "aws", Account: account, Region: "us-east-1", AccessKeyID: "k", ARN: "arn:aws:iam::123456789012:root"}

// world is a Service over memory, with an authorization server and a vendor that does what the test says.
type world struct {
	*action.Service
	t      *testing.T
	config action.Config
	memory *storetest.ActionMemory
	oauth  *oauthtest.Server
	vendor *vendor
	log    *logBuffer

	mu  sync.Mutex
	now time.Time
	ids int
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newWorld(t *testing.T, change func(*action.Config)) *world {
	t.Helper()
	box, err := secret.NewBox(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, memory: storetest.NewActionMemory(), oauth: oauthtest.New(t), log: &logBuffer{}, now: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)}
	w.vendor = &vendor{world: w}
	w.config = action.Config{
		Stores: w.memory.Stores(), Partition: "aws", Region: "us-east-1", Account: account, Box: box, Egress: w, Invoker: w.vendor,
		Checks: action.CheckLenient, PublicURL: "https://penstock.test/", Now: w.Now, NewID: w.newID, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	if change != nil {
		change(&w.config)
	}
	w.Service = action.NewService(w.config)
	return w
}

// run runs the Service until the test ends or stop is called.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	w.t.Cleanup(stop)
	return stop
}

func (w *world) Client(string) (*http.Client, error) { return w.oauth.Client, nil }

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("id-%04d", w.ids)
}

// codeAuth is an authorization code grant at the world's server.
func (w *world) codeAuth() action.Auth {
	return action.Auth{
		Type: action.AuthorizationCode, BaseEndpoint: w.oauth.URL, ClientID: w.oauth.ClientID, TokenEndpoint: w.oauth.TokenEndpoint(),
		AuthorizationEndpoint: w.oauth.AuthorizationEndpoint(), RedirectURL: "https://us-east-1.quicksight.aws.amazon.com/sn/oauthcallback",
		CredentialsSource: action.PlainCredentials,
	}
}

func (w *world) create(id string, auth action.Auth, password string, change func(*action.CreateParams)) action.Connector {
	w.t.Helper()
	p := action.CreateParams{ID: id, Type: action.GenericHTTP, Settings: action.Settings{Name: "The " + id, Auth: auth, Secret: secret.NewText(password)}}
	if change != nil {
		change(&p)
	}
	c, err := w.Create(w.t.Context(), caller, account, p)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) get(id string) action.Connector {
	w.t.Helper()
	c, err := w.Get(w.t.Context(), caller, account, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// settled waits until a connector is checked.
func (w *world) settled(id string) action.Connector {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		c := w.get(id)
		if !c.Status.InProgress() {
			return c
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the connector is still %s", c.Status)
		}
		time.Sleep(time.Millisecond) // polled like any client does
	}
}

// browse goes where a sign-in begins and returns what the vendor sends back.
func (w *world) browse(address string) action.Callback {
	w.t.Helper()
	c := *w.oauth.Client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := c.Get(address)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Body.Close()
	back, err := r.Location()
	if err != nil {
		w.t.Fatalf("status %d: %v", r.StatusCode, err)
	}
	if !strings.HasPrefix(back.String(), "https://penstock.test"+action.CallbackPath+"?") {
		w.t.Fatalf("sent back to %s", back)
	}
	q := back.Query()
	return action.Callback{State: q.Get("state"), Code: q.Get("code"), Error: q.Get("error"), ErrorDescription: q.Get("error_description")}
}

func (w *world) signIn(id, user string) action.SignedIn {
	w.t.Helper()
	start, err := w.StartSignIn(w.t.Context(), caller, account, id, user)
	if err != nil {
		w.t.Fatal(err)
	}
	done, err := w.FinishSignIn(w.t.Context(), w.browse(start.URL))
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

func wants(t *testing.T, err error, kind fault.Kind, subject string) {
	t.Helper()
	if !fault.Is(err, kind, subject) {
		t.Errorf("err = %v (%v), want %v about %q", err, fault.KindOf(err), kind, subject)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// vendor is an Invoker with two actions, Read and Write, and a Checker.
type vendor struct {
	*world
	mu     sync.Mutex
	sent   []string // arguments
	tokens []string
	answer func(n int) (action.Answer, error) // nil: 200 with the arguments
	check  func(ctx context.Context, c *action.Connector) error
	tries  bool
	shape  string // part of every request
}

func (v *vendor) Actions(context.Context, action.Target) ([]action.Action, error) {
	return []action.Action{{ID: "Read"}, {ID: "Write", Write: true}}, nil
}

func (v *vendor) Prepare(_ context.Context, t action.Target, id string, arguments json.RawMessage) (action.Prepared, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if id != "Read" && id != "Write" {
		return action.Prepared{}, fault.New(fault.NotFound, action.SubjectAction, "there is no action %q", id)
	}
	if strings.Contains(string(arguments), "wrong") {
		return action.Prepared{}, fault.New(fault.Invalid, action.SubjectArguments, "that is wrong")
	}
	request := action.Request{Method: "POST", URL: t.Connector.Auth.BaseEndpoint + "/" + id + v.shape, Body: arguments}
	return action.Prepared{
		Action:  action.Action{ID: id, Write: id == "Write"},
		Request: func(context.Context) (action.Request, error) { return request, nil },
		Opaque:  arguments,
	}, nil
}

func (v *vendor) Send(ctx context.Context, _ action.Target, p action.Prepared, credentials *action.Credentials) (action.Answer, error) {
	auth, err := credentials.Authorization(ctx)
	if err != nil {
		return action.Answer{}, err
	}
	if auth.Type == action.AuthorizationCode && !v.oauth.Valid(auth.Token.Reveal()) { // the vendor's 401
		if auth, err = credentials.Refresh(ctx, auth); err != nil {
			return action.Answer{Status: 401, Attempts: 1}, err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sent = append(v.sent, string(p.Opaque.(json.RawMessage)))
	v.tokens = append(v.tokens, auth.Token.Reveal())
	if v.answer != nil {
		return v.answer(len(v.sent))
	}
	return action.Answer{Status: 200, Body: p.Opaque.(json.RawMessage), Attempts: 1}, nil
}

func (v *vendor) CheckDocument(_ context.Context, content []byte) error {
	if !json.Valid(content) {
		return fault.New(fault.Invalid, action.SubjectDocument, "the document is no JSON")
	}
	return nil
}

func (v *vendor) Checks(action.Type, action.AuthType) bool { return v.tries }

func (v *vendor) Check(ctx context.Context, c *action.Connector, _ *action.Credentials) error {
	return v.check(ctx, c)
}

func (v *vendor) calls() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.sent)
}
