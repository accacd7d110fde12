package actions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/action/oauth/oauthtest"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/actions"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/store/storetest"
	"github.com/penstock-io/penstock/internal/tag"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// object is an input or an output as JSON has it.
type object = map[string]any

const alice = "arn:aws:quicksight:us-east-1:123456789012:user/default/alice"

// env is a server with this front, over memory, and a vendor with the actions Read and tools/Write.
type env struct {
	t       testing.TB
	actions *action.Service
	client  wiretest.Client
	oauth   *oauthtest.Server
	fails   atomic.Pointer[failing]
	slow    atomic.Pointer[func()] // what the vendor does before it answers
	ids     atomic.Int64
}

// failing is what the vendor answers in place of a success.
type failing struct {
	answer action.Answer
	err    error
}

func newEnv(t testing.TB) *env {
	t.Helper()
	return newEnvOver(t, storetest.NewActionMemory().Stores())
}

func newEnvOver(t testing.TB, stores action.Stores) *env {
	t.Helper()
	box, err := secret.NewBox(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	e := &env{t: t, oauth: oauthtest.New(t)}
	e.actions = action.NewService(action.Config{
		Stores: stores, Partition: "aws", Region: wiretest.Region, Account: wiretest.Account, Box: box, Egress: e, Invoker: e, Checker: e,
		Checks: action.CheckOff, PublicURL: "https://penstock.test", Now: time.Now, NewID: func() string { return fmt.Sprintf("id-%d", e.ids.Add(1)) }, Log: slog.New(slog.DiscardHandler),
	})
	front := actions.New(e.actions)
	h, err := wire.New(wire.Config{
		Keys: wiretest.Keys{}, Region: wiretest.Region, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Public: map[string]http.Handler{action.CallbackPath: http.HandlerFunc(front.Callback)},
		Internal: func(w http.ResponseWriter, r *http.Request, caller identity.Caller) {
			if !actions.Serves(r.URL.Path) {
				http.NotFound(w, r)
				return
			}
			front.Handle(w, r, caller)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	e.client = wiretest.Client{Handler: h, Now: time.Now}
	t.Cleanup(e.oauth.Client.CloseIdleConnections)
	return e
}

func (e *env) Client(string) (*http.Client, error) { return e.oauth.Client, nil }

func (e *env) Actions(context.Context, action.Target) ([]action.Action, error) {
	return []action.Action{
		{ID: "Read", Name: "Read things", Origin: "aws", Input: json.RawMessage(`{"type":"object"}`)},
		{ID: "tools/Write", Name: "Write things", Write: true, Origin: "vendor", Input: json.RawMessage(`{"type":"object"}`)},
	}, nil
}

func (e *env) Prepare(_ context.Context, t action.Target, id string, arguments json.RawMessage) (action.Prepared, error) {
	if id != "Read" && id != "tools/Write" {
		return action.Prepared{}, fault.New(fault.NotFound, action.SubjectAction, "there is no action %q", id)
	}
	return action.Prepared{
		Action: action.Action{ID: id, Write: id != "Read"},
		Request: func(context.Context) (action.Request, error) {
			return action.Request{Method: "POST", URL: t.Connector.Auth.BaseEndpoint + "/" + id, Body: arguments}, nil
		},
		Opaque: arguments,
	}, nil
}

func (e *env) Send(ctx context.Context, _ action.Target, p action.Prepared, credentials *action.Credentials) (action.Answer, error) {
	if _, err := credentials.Authorization(ctx); err != nil {
		return action.Answer{}, err
	}
	if wait := e.slow.Load(); wait != nil {
		(*wait)()
	}
	if f := e.fails.Load(); f != nil {
		return f.answer, f.err
	}
	return action.Answer{Status: 200, ContentType: "application/json", Body: p.Opaque.(json.RawMessage), Attempts: 1}, nil
}

func (e *env) CheckDocument(_ context.Context, content []byte) error {
	if !json.Valid(content) {
		return fault.New(fault.Invalid, action.SubjectDocument, "the document is no JSON")
	}
	return nil
}

func (e *env) Checks(action.Type, action.AuthType) bool { return true }

func (e *env) Check(_ context.Context, c *action.Connector, _ *action.Credentials) error {
	if strings.Contains(c.ID, "bad") {
		return fault.New(fault.Denied, "vendor", "the vendor says no")
	}
	return nil
}

func (e *env) create(id string, change func(*action.CreateParams)) {
	e.t.Helper()
	p := action.CreateParams{ID: id, Type: action.GenericHTTP, Settings: action.Settings{Name: "The " + id, Auth: action.Auth{Type: action.None, BaseEndpoint: "https://api.example.com"}}}
	if change != nil {
		change(&p)
	}
	if _, err := e.actions.Create(e.t.Context(), wiretest.Caller(), wiretest.Account, p); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) withOAuth(id string) {
	e.create(id, func(p *action.CreateParams) {
		p.Auth = action.Auth{
			Type: action.AuthorizationCode, BaseEndpoint: e.oauth.URL, ClientID: e.oauth.ClientID, TokenEndpoint: e.oauth.TokenEndpoint(),
			AuthorizationEndpoint: e.oauth.AuthorizationEndpoint(), RedirectURL: "https://r.example.com",
		}
		p.Secret = secret.NewText(e.oauth.ClientSecret)
		p.Permissions = []action.Permission{{Principal: alice, Actions: []string{action.MayDescribe}}}
	})
}

func (e *env) raw(method, path string, in any) *httptest.ResponseRecorder {
	e.t.Helper()
	body := ""
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			e.t.Fatal(err)
		}
		body = string(text)
	}
	return e.client.Do(e.t, "penstock", wiretest.Raw(method, "/_penstock/"+path, "application/json", body))
}

func (e *env) call(method, path string, in any, status int) object {
	e.t.Helper()
	w := e.raw(method, path, in)
	var out object
	if w.Code != http.StatusNoContent {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			e.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	if w.Code != status {
		e.t.Errorf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, status)
	}
	return out
}

// browser follows a sign-in to the vendor and back to the callback page.
func (e *env) browser(address string) *httptest.ResponseRecorder {
	e.t.Helper()
	c := *e.oauth.Client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := c.Get(address)
	if err != nil {
		e.t.Fatal(err)
	}
	r.Body.Close()
	back, err := r.Location()
	if err != nil {
		e.t.Fatal(err)
	}
	return e.client.Do(e.t, "", httptest.NewRequest(http.MethodGet, back.RequestURI(), nil))
}

func TestCalls(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.create("c", func(p *action.CreateParams) { p.EnabledActions = &[]string{"Read"} })
	e.create("slip", func(p *action.CreateParams) { p.EnabledActions = &[]string{"Read", "Raed"} })
	if list := e.call("GET", "action-connectors/slip/actions", nil, 200); fmt.Sprint(list["unknownEnabledActions"]) != "[Raed]" {
		t.Errorf("an enabled action that there is not: %v", list)
	}
	list := e.call("GET", "action-connectors/c/actions", nil, 200)
	if all := list["actions"].([]any); len(all) != 2 || all[0].(object)["enabled"] != true || all[1].(object)["enabled"] != false || all[1].(object)["operationType"] != "write" {
		t.Errorf("the actions are %v", list)
	}
	if a := e.call("GET", "action-connectors/c/actions/tools%2FWrite", nil, 200); a["inputSchema"] == nil || a["id"] != "tools/Write" {
		t.Errorf("the action is %v", a)
	}
	out := e.call("POST", "action-connectors/c/actions/Read", object{"arguments": object{"a": 1}}, 200)
	if out["outcome"] != "SUCCESS" || out["identity"] != "service" || fmt.Sprint(out["answer"].(object)["body"]) != "map[a:1]" {
		t.Errorf("the call answered %v", out)
	}
	out = e.call("POST", "action-connectors/c/actions/Read", object{"dryRun": true}, 200)
	if out["outcome"] != "DRY_RUN" || out["request"].(object)["url"] != "https://api.example.com/Read" || out["answer"] != nil {
		t.Errorf("the dry run answered %v", out)
	}
	records := e.call("GET", "action-connectors/c/calls?maxResults=1", nil, 200)
	if calls := records["calls"].([]any); len(calls) != 1 || records["nextToken"] == nil {
		t.Errorf("the records are %v", records)
	}
	if all := e.call("GET", "action-calls", nil, 200)["calls"].([]any); len(all) != 2 {
		t.Errorf("all records are %v", all)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.create("c", func(p *action.CreateParams) { p.EnabledActions = &[]string{"Read"} })
	e.create("bad", nil)
	e.withOAuth("o")
	const read = "action-connectors/c/actions/Read"
	for name, tc := range map[string]struct {
		method, path string
		in           any
		status       int
		code         string
	}{
		"no connector":          {"POST", "action-connectors/x/actions/Read", nil, 404, "ResourceNotFoundException"},
		"no action":             {"POST", "action-connectors/c/actions/Dance", nil, 404, "UnknownAction"},
		"no action to describe": {"GET", "action-connectors/c/actions/Dance", nil, 404, "UnknownAction"},
		"disabled":              {"POST", "action-connectors/c/actions/tools%2FWrite", nil, 403, "ActionDisabled"},
		"not granted":           {"POST", read, object{"user": alice}, 403, "AccessDeniedException"},
		"no user":               {"POST", read, object{"user": "alice"}, 400, "InvalidParameterValueException"},
		"arguments of a kind":   {"POST", read, object{"arguments": []int{1}}, 400, "InvalidArguments"},
		"unknown member":        {"POST", read, object{"argumnets": object{}}, 400, "InvalidParameterValueException"},
		"a list":                {"POST", read, []int{1}, 400, "InvalidParameterValueException"},
		"sign-in needed":        {"POST", "action-connectors/o/actions/Read", nil, 403, "AccessTokenNotFoundException"},
		"no sign-in possible":   {"POST", "action-connectors/c/sign-in", nil, 409, "ConnectorNotReadyException"},
		"nothing to sign out":   {"DELETE", "action-connectors/o/sign-in?user=" + url.QueryEscape(alice), nil, 404, "ResourceNotFoundException"},
		"refused credentials":   {"POST", "action-connectors/bad/test", nil, 424, "AccessDeniedException"},
		"no document":           {"GET", "action-connectors/c/document", nil, 404, "ResourceNotFoundException"},
		"no approval":           {"POST", "action-approvals/x/approve", nil, 404, "ResourceNotFoundException"},
		"a wrong method":        {"PATCH", read, nil, 405, "UnknownOperationException"},
		"nothing there":         {"GET", "action-connectors/c", nil, 404, "UnknownOperationException"},
		"nothing there either":  {"GET", "action-approvals/x/y/z", nil, 404, "UnknownOperationException"},
		"nothing at all":        {"GET", "action-connectors", nil, 404, "UnknownOperationException"},
		"a decision too many":   {"DELETE", "action-approvals/x", nil, 405, "UnknownOperationException"},
		"calls of nobody":       {"GET", "action-connectors/y/calls", nil, 404, "ResourceNotFoundException"},
		"approvals of nobody":   {"GET", "action-approvals?connector=x", nil, 404, "ResourceNotFoundException"},
		"a state there is not":  {"GET", "action-approvals?state=waiting", nil, 400, "InvalidParameterValueException"},
		"a page of many":        {"GET", "action-calls?maxResults=1000", nil, 400, "InvalidParameterValueException"},
		"a page of words":       {"GET", "action-calls?maxResults=many", nil, 400, "InvalidParameterValueException"},
		"a token of none":       {"GET", "action-calls?nextToken=x", nil, 400, "InvalidParameterValueException"},
	} {
		out := e.call(tc.method, tc.path, tc.in, tc.status)
		if out["code"] != tc.code || out["message"] == "" || out["requestId"] == "" {
			t.Errorf("%s: %v, want %s", name, out, tc.code)
		}
		if sign := out["signInUrl"]; (sign != nil) != (name == "sign-in needed") {
			t.Errorf("%s: the address of the sign-in is %v", name, sign)
		}
	}
}

// What is wrong with a body is said in the words of JSON, and of what the call takes.
func TestBodies(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.create("c", nil)
	for body, says := range map[string]string{
		`{"key":"OPS-7"}`:   `there is no member "key"; it takes arguments, user, dryRun and idempotencyKey, and what goes to the vendor goes into arguments`,
		`[1]`:               `it is of the JSON type array, and has to be an object`,
		`{"dryRun":"yes"}`:  `dryRun is of the JSON type string, and has to be a boolean`,
		`{"user":1}`:        `user is of the JSON type number, and has to be a string`,
		`{"arguments":{}`:   `its JSON is not complete`,
		`{arguments:{}}`:    `it is no JSON: invalid character 'a'`,
		`{"arguments":{}}x`: `something follows the JSON object of the body`,
	} {
		w := e.client.Do(t, "penstock", wiretest.Raw("POST", "/_penstock/action-connectors/c/actions/Read", "application/json", body))
		var out object
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 400 || !strings.Contains(fmt.Sprint(out["message"]), says) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for path, want := range map[string]string{
		"action-connectors/c/actions": "GET", "action-connectors/c/actions/Read": "GET, POST", "action-connectors/c/sign-in": "POST, DELETE",
		"action-connectors/c/document": "GET, PUT, DELETE", "action-approvals/a/approve": "POST", "action-approvals": "GET", "action-calls": "GET",
		"action-connectors/c/decide%20approve": "", "action-calls/x": "", "action-connectors/": "",
	} {
		if w := e.raw("PATCH", path, nil); w.Header().Get("Allow") != want || (w.Code == 405) != (want != "") {
			t.Errorf("%s: %d, Allow %q, want %q", path, w.Code, w.Header().Get("Allow"), want)
		}
	}
}

func TestVendorsErrors(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.create("c", nil)
	for name, tc := range map[string]struct {
		kind      fault.Kind
		answer    action.Answer
		status    int
		retryable bool
	}{
		"refused":   {fault.Invalid, action.Answer{Status: 422, Body: json.RawMessage(`{"why":"x"}`), Attempts: 1}, 424, false},
		"not found": {fault.NotFound, action.Answer{Status: 404, Attempts: 1}, 424, false},
		"throttled": {fault.Throttled, action.Answer{Status: 429, Attempts: 1}, 429, true},
		"down":      {fault.Unavailable, action.Answer{Attempts: 3}, 424, true},
		"broke off": {fault.Unavailable, action.Answer{Attempts: 1, Unknown: true}, 424, false},
	} {
		e.fails.Store(&failing{tc.answer, fault.New(tc.kind, "vendor", "the vendor says: %s", name)})
		out := e.call("POST", "action-connectors/c/actions/Read", nil, tc.status)
		if out["retryable"] != tc.retryable || out["callId"] == "" || out["message"] != "the vendor says: "+name || (out["effectUnknown"] == true) != tc.answer.Unknown {
			t.Errorf("%s: %v", name, out)
		}
		if tc.answer.Status != 0 && out["vendorStatus"] != float64(tc.answer.Status) || tc.answer.Body != nil && out["vendorBody"] == nil {
			t.Errorf("%s: %v", name, out)
		}
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.create("c", nil)
	send := func(header, body string) (*httptest.ResponseRecorder, object) {
		r := wiretest.Raw("POST", "/_penstock/action-connectors/c/actions/tools%2FWrite", "application/json", body)
		r.Header.Set("Idempotency-Key", header)
		w := e.client.Do(t, "penstock", r)
		var out object
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return w, out
	}
	if out := e.call("GET", "action-connectors/c/actions/tools/Write", nil, 200); out["id"] != "tools/Write" {
		t.Errorf("with a slash that is not encoded: %v", out)
	}
	_, first := send("k", `{"arguments":{"a":1}}`)
	if _, again := send("k", `{"arguments":{"a":1}}`); again["replayed"] != true || again["callId"] != first["callId"] {
		t.Errorf("again: %v", again)
	}
	if w, out := send("k", `{"arguments":{"a":2}}`); w.Code != 409 || out["code"] != "ConflictException" {
		t.Errorf("another call: %d %v", w.Code, out)
	}
	again := func() {
		if w, out := send("slow", `{}`); w.Code != 409 || out["retryable"] != true || w.Header().Get("Retry-After") != "1" {
			t.Errorf("while the first is under way: %d %v", w.Code, out)
		}
	}
	e.slow.Store(&again)
	if w, out := send("slow", `{}`); w.Code != 200 {
		t.Errorf("a slow one: %d %v", w.Code, out)
	}
	e.slow.Store(nil)
	if w, out := send("k", `{"idempotencyKey":"l"}`); w.Code != 400 {
		t.Errorf("two keys: %d %v", w.Code, out)
	}
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.create("c", func(p *action.CreateParams) { p.Tags = []tag.Tag{{Key: action.TagApproval, Value: "writes"}} })
	ask := func() string {
		out := e.call("POST", "action-connectors/c/actions/tools%2FWrite", object{"arguments": object{"a": 1}}, 202)
		if out["outcome"] != "PENDING" || out["request"] == nil {
			t.Errorf("asked: %v", out)
		}
		return out["approvalId"].(string)
	}
	first, second := ask(), ask()
	a := e.call("GET", "action-approvals/"+first, nil, 200)
	if a["state"] != "pending" || fmt.Sprint(a["arguments"]) != "map[a:1]" || a["request"].(object)["method"] != "POST" {
		t.Errorf("the approval is %v", a)
	}
	if out := e.call("POST", "action-approvals/"+first+"/approve", nil, 200); out["outcome"] != "SUCCESS" || out["approvalId"] != first {
		t.Errorf("approved: %v", out)
	}
	if out := e.call("POST", "action-approvals/"+first+"/approve", nil, 409); out["code"] != "ConflictException" {
		t.Errorf("twice: %v", out)
	}
	if out := e.call("POST", "action-approvals/"+second+"/reject", object{"reason": "no"}, 200); out["state"] != "rejected" || out["reason"] != "no" {
		t.Errorf("rejected: %v", out)
	}
	if list := e.call("GET", "action-approvals?state=done&connector=c", nil, 200)["approvals"].([]any); len(list) != 1 {
		t.Errorf("listed: %v", list)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.withOAuth("o")
	start := e.call("POST", "action-connectors/o/sign-in", object{"user": alice}, 200)
	if start["redirectUrl"] != "https://penstock.test/_penstock/oauth/callback" || start["note"] == nil || start["user"] != alice {
		t.Errorf("started %v", start)
	}
	if w := e.raw("POST", "action-connectors/o/sign-in", object{"user": alice}); !strings.Contains(w.Body.String(), "&state=") {
		t.Errorf("an address that cannot be copied: %s", w.Body)
	}
	w := e.browser(start["signInUrl"].(string))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "Signed in") || !strings.Contains(w.Body.String(), alice) {
		t.Errorf("the page is %d %s", w.Code, w.Body)
	}
	for _, header := range []string{"Content-Security-Policy", "Referrer-Policy", "Cache-Control"} {
		if w.Header().Get(header) == "" {
			t.Errorf("the page has no %s", header)
		}
	}
	grants := e.call("GET", "action-connectors/o/grants", nil, 200)["grants"].([]any)
	if len(grants) != 1 || grants[0].(object)["state"] != "active" || strings.Contains(fmt.Sprint(grants), "access-") {
		t.Errorf("the grants are %v", grants)
	}
	if out := e.call("POST", "action-connectors/o/actions/Read", object{"user": alice}, 200); out["identity"] != "user" || out["user"] != alice {
		t.Errorf("called %v", out)
	}
	if out := e.call("POST", "action-connectors/o/test", object{"user": alice}, 200); out["ok"] != true {
		t.Errorf("tested %v", out)
	}
	e.call("DELETE", "action-connectors/o/sign-in?user="+url.QueryEscape(alice), nil, 204)
	e.call("POST", "action-connectors/o/test", object{"user": alice}, 403)
	e.browser(e.call("POST", "action-connectors/o/sign-in", object{"user": alice}, 200)["signInUrl"].(string))
	e.call("DELETE", "action-connectors/o/sign-in", nil, 404) // that is the caller's own, who has none
	e.call("DELETE", "action-connectors/o/sign-in", object{"user": alice}, 204)
	e.call("POST", "action-connectors/o/test", object{"user": alice}, 403)
}

// What a vendor says is shown, and is text whatever it is.
func TestSignInRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.withOAuth("o")
	e.oauth.Set(func(s *oauthtest.Server) { s.Deny = `<script>alert("x")</script>` })
	start := e.call("POST", "action-connectors/o/sign-in", nil, 200)
	w := e.browser(start["signInUrl"].(string))
	if !strings.Contains(w.Body.String(), "works once") {
		t.Errorf("the page does not say how to go on: %s", w.Body)
	}
	if w.Code != 403 || strings.Contains(w.Body.String(), "<script>") || !strings.Contains(w.Body.String(), "&lt;script&gt;") {
		t.Errorf("the page is %d %s", w.Code, w.Body)
	}
	for _, query := range []string{"", "?state=x&code=y", "?state=%00&error=x"} {
		w := e.client.Do(t, "", httptest.NewRequest(http.MethodGet, action.CallbackPath+query, nil))
		if w.Code < 400 || w.Code >= 500 || !strings.Contains(w.Body.String(), "Not signed in") {
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
	}
	if w := e.client.Do(t, "", httptest.NewRequest(http.MethodPost, action.CallbackPath, nil)); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.create("c", nil)
	e.call("PUT", "action-connectors/c/document", object{"openapi": "3.1.0"}, 204)
	if w := e.raw("GET", "action-connectors/c/document", nil); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"openapi":"3.1.0"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := e.client.Do(t, "penstock", wiretest.Raw("PUT", "/_penstock/action-connectors/c/document", "application/json", "{"))
	if body, _ := io.ReadAll(w.Body); w.Code != 400 || !strings.Contains(string(body), "no JSON") {
		t.Errorf("%d %s", w.Code, body)
	}
	for body, want := range map[string]string{
		"openapi: 3.0.3\ninfo: {version: 2024-05-01}\nx: {200: [1, {true: a}], 1.5: 2024-05-01T10:00:00Z}\n": `{"info":{"version":"2024-05-01"},"openapi":"3.0.3","x":{"1.5":"2024-05-01T10:00:00Z","200":[1,{"true":"a"}]}}`,
		"":               "the body is empty",
		"petstore.json":  "--data-binary @openapi.yaml",
		"a: [":           "neither JSON nor YAML",
		"a: .nan":        "cannot be put into JSON",
		"- a\n- b":       "neither a JSON object nor a mapping",
		"a: &a [*a, *a]": "neither JSON nor YAML",
	} {
		w := e.client.Do(t, "penstock", wiretest.Raw("PUT", "/_penstock/action-connectors/c/document", "application/yaml", body))
		if w.Code == 204 {
			w = e.raw("GET", "action-connectors/c/document", nil)
			if got := strings.TrimSpace(w.Body.String()); got != want {
				t.Errorf("%s became %s, want %s", body, got, want)
			}
		} else if w.Code != 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q: %d %s, want %s", body, w.Code, w.Body, want)
		}
	}
	e.call("DELETE", "action-connectors/c/document", nil, 204)
	e.call("POST", "action-connectors/c/document", nil, 405)
}

func FuzzCallback(f *testing.F) {
	f.Add("state=a&code=b")
	f.Add("error=%3Cb%3E&state=%ff&error_description=%00")
	f.Fuzz(func(t *testing.T, query string) {
		e := newEnv(t)
		r := httptest.NewRequest(http.MethodGet, action.CallbackPath, nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		e.client.Handler.ServeHTTP(w, r)
		if w.Code < 400 || w.Code >= 500 {
			t.Fatalf("%q: %d %s", query, w.Code, w.Body)
		}
	})
}

func FuzzDocument(f *testing.F) {
	f.Add("openapi: 3.1.0\npaths: {}\n")
	f.Add("a: &b {1: .inf, ? [x] : y}\nc: *b\n<<: *b\n")
	f.Add("{")
	f.Fuzz(func(t *testing.T, body string) {
		e := newEnv(t)
		e.create("c", nil)
		w := e.client.Do(t, "penstock", wiretest.Raw("PUT", "/_penstock/action-connectors/c/document", "application/yaml", body))
		if w.Code != 204 && w.Code != 400 {
			t.Fatalf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}
