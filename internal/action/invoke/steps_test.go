package invoke_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/penstock-io/penstock/internal/action/catalog"
	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/fault"
)

// exchange plays a vendor whose answers depend on method, path and query, and keeps what it was asked.
type exchange struct {
	answers map[string]string // by "METHOD /path?query"; a number in front is the status: "409 {...}"
	asked   []string
	bodies  map[string]string
	headers map[string]http.Header
}

func (x *exchange) start(t *testing.T) *httptest.Server {
	t.Helper()
	x.bodies, x.headers = map[string]string{}, map[string]http.Header{}
	return handler(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		what := r.Method + " " + r.URL.RequestURI()
		x.asked = append(x.asked, what)
		x.bodies[what], x.headers[what] = string(body), r.Header
		answer, ok := x.answers[what]
		if !ok {
			answer = "404 {}"
		}
		w.Header().Set("Content-Type", "application/json")
		var status int
		if n, err := fmt.Sscanf(answer, "%d ", &status); err == nil && n == 1 {
			w.WriteHeader(status)
			_, answer, _ = strings.Cut(answer, " ")
		}
		_, _ = w.Write([]byte(answer))
	})
}

func TestJiraStatusByName(t *testing.T) {
	t.Parallel()
	x := &exchange{answers: map[string]string{
		"GET /rest/api/3/issue/OPS-7/transitions":  `{"transitions":[{"id":"11","name":"Start","to":{"name":"In Progress"}},{"id":"31","name":"Finish","to":{"name":"Done"}}]}`,
		"POST /rest/api/3/issue/OPS-7/transitions": `204 `,
	}}
	s := x.start(t)
	e := engine(t, invoke.Config{}, s)
	if _, err := e.Invoke(t.Context(), call("JIRA_CLOUD", s.URL, signIn("t"), "ChangeIssueStatus", `{"key":"OPS-7","status":"done"}`)); err != nil {
		t.Fatal(err)
	}
	if got := x.bodies["POST /rest/api/3/issue/OPS-7/transitions"]; got != `{"transition":{"id":"31"}}` {
		t.Errorf("sent %s", got)
	}
	_, err := e.Invoke(t.Context(), call("JIRA_CLOUD", s.URL, signIn("t"), "ChangeIssueStatus", `{"key":"OPS-7","status":"Closed"}`))
	if code(err) != invoke.InvalidArguments || !strings.Contains(err.Error(), "Finish (to Done)") {
		t.Errorf("%v", err)
	}
	shown, err := e.Render(t.Context(), call("JIRA_CLOUD", s.URL, signIn("t"), "ChangeIssueStatus", `{"key":"OPS-7","status":"done"}`))
	if err != nil || len(shown.Notes) != 1 {
		t.Errorf("%+v %v", shown, err)
	}
	// A read that fails before the write leaves no doubt: nothing was written. After the write there is some.
	for what, unknown := range map[string]bool{"GET": false, "POST": true} {
		failing := &exchange{answers: maps.Clone(x.answers)}
		failing.answers[what+" /rest/api/3/issue/OPS-7/transitions"] = `503 {"message":"busy"}`
		s := failing.start(t)
		e := engine(t, invoke.Config{Retries: -1}, s)
		_, err := e.Invoke(t.Context(), call("JIRA_CLOUD", s.URL, signIn("t"), "ChangeIssueStatus", `{"key":"OPS-7","status":"done"}`))
		var failed *invoke.Error
		if !errors.As(err, &failed) || failed.Reason != invoke.VendorFailed || failed.Unknown != unknown {
			t.Errorf("%s fails: %+v", what, failed)
		}
	}
	// Jira may answer an unknown caller with nothing instead of 401.
	nobody := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Seraph-LoginReason", "AUTHENTICATED_FAILED")
		_, _ = w.Write([]byte(`{"values":[]}`))
	})
	e = engine(t, invoke.Config{}, nobody)
	if _, err := e.Invoke(t.Context(), call("JIRA_CLOUD", nobody.URL, key("k", "m@example.com"), "GetAllLabels", `{}`)); code(err) != invoke.CredentialsRefused {
		t.Errorf("%v", err)
	}
}

func TestConfluenceVersion(t *testing.T) {
	t.Parallel()
	x := &exchange{answers: map[string]string{
		"GET /wiki/api/v2/pages/7": `{"id":"7","title":"Old title","status":"current","version":{"number":4}}`,
		"PUT /wiki/api/v2/pages/7": `{"id":"7"}`,
		"GET /wiki/api/v2/pages/8": `{"id":"8","title":"x","version":{"number":1}}`,
		"PUT /wiki/api/v2/pages/8": `409 {"errors":[{"status":409,"code":"CONFLICT","title":"Version must be incremented"}]}`,
	}}
	s := x.start(t)
	e := engine(t, invoke.Config{}, s)
	if _, err := e.Invoke(t.Context(), call("ATLASSIAN_CONFLUENCE", s.URL, signIn("t"), "UpdatePage", `{"id":"7","body":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, []byte(x.bodies["PUT /wiki/api/v2/pages/7"]), `{"id":"7","title":"Old title","status":"current","version":{"number":5},"body":{"representation":"storage","value":"<p>x</p>"}}`) {
		t.Errorf("sent %s", x.bodies["PUT /wiki/api/v2/pages/7"])
	}
	_, err := e.Invoke(t.Context(), call("ATLASSIAN_CONFLUENCE", s.URL, signIn("t"), "UpdatePage", `{"id":"8","title":"y","body":"x"}`))
	if code(err) != invoke.VendorConflict || !strings.Contains(err.Error(), "Version must be incremented") {
		t.Errorf("%v", err)
	}
}

func TestSlackSaysNo(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]invoke.Code{
		"channel_not_found": invoke.VendorNotFound, "invalid_auth": invoke.CredentialsRefused, "missing_scope": invoke.VendorDenied, "ratelimited": invoke.VendorThrottled,
		"name_taken": invoke.VendorConflict, "internal_error": invoke.VendorFailed, "invalid_blocks": invoke.VendorInvalid,
	} {
		x := &exchange{answers: map[string]string{"POST /chat.postMessage": `{"ok":false,"error":"` + said + `","needed":"chat:write","response_metadata":{"messages":["[ERROR] why"]}}`}}
		s := x.start(t)
		e := engine(t, invoke.Config{}, s)
		_, err := e.Invoke(t.Context(), call("SLACK", s.URL, key("xoxb-1", ""), "ChatPostMessage", `{"channel":"C","text":"x"}`))
		if code(err) != want || !strings.Contains(err.Error(), said) || len(x.asked) != 1 {
			t.Errorf("%s: %v after %v", said, err, x.asked)
		}
	}
	// token_expired comes with status 200, too, and is renewed like a 401.
	n := 0
	s := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 1 {
			_, _ = w.Write([]byte(`{"ok":false,"error":"token_expired"}`))
			return
		}
		_, _ = w.Write([]byte(`{"ok":true}`))
	})
	k := &tokens{now: "a", next: []string{"b"}}
	if _, err := engine(t, invoke.Config{}, s).Invoke(t.Context(), call("SLACK", s.URL, invoke.Auth{Kind: invoke.AuthAuthorizationCode, Tokens: k}, "GetTeam", `{}`)); err != nil || k.refreshed() != 1 {
		t.Errorf("%v, %d refreshes", err, k.refreshed())
	}
}

func TestSlackFiles(t *testing.T) {
	t.Parallel()
	x := &exchange{answers: map[string]string{
		"POST /upload/v1/abc":                "OK",
		"POST /files.completeUploadExternal": `{"ok":true,"files":[{"id":"F1"}]}`,
		"GET /files-pri/T-F1/a.bin":          "content",
	}}
	s := x.start(t)
	x.answers["GET /files.info?file=F1"] = `{"ok":true,"file":{"id":"F1","url_private":"` + s.URL + `/files-pri/T-F1/a.bin"}}`
	x.answers["GET /files.info?file=F2"] = `{"ok":true,"file":{"id":"F2","url_private":"https://evil.example.com/a.bin"}}`
	x.answers["GET /files.info?file=F3"] = `{"ok":false,"error":"file_not_found"}`
	e := engine(t, invoke.Config{}, s)
	args := fmt.Sprintf(`{"upload_url":"%s/upload/v1/abc","content":"%s","contentEncoding":"base64","files":[{"id":"F1","title":"A"}],"channel_id":"C1"}`, s.URL, base64.StdEncoding.EncodeToString([]byte("a\x00b")))
	result, err := e.Invoke(t.Context(), call("SLACK", s.URL, key("xoxb-1", ""), "UploadToURLExternal", args))
	if err != nil || result.Attempts != 2 {
		t.Fatalf("%+v %v", result, err)
	}
	if x.bodies["POST /upload/v1/abc"] != "a\x00b" || x.headers["POST /upload/v1/abc"].Get("Authorization") != "" {
		t.Errorf("uploaded %q with %q", x.bodies["POST /upload/v1/abc"], x.headers["POST /upload/v1/abc"].Get("Authorization"))
	}
	if !sameJSON(t, []byte(x.bodies["POST /files.completeUploadExternal"]), `{"files":[{"id":"F1","title":"A"}],"channel_id":"C1"}`) {
		t.Errorf("finished with %s", x.bodies["POST /files.completeUploadExternal"])
	}
	result, err = e.Invoke(t.Context(), call("SLACK", s.URL, key("xoxb-1", ""), "DownloadFile", `{"file":"F1"}`))
	if err != nil || string(result.Body) != "content" || x.headers["GET /files-pri/T-F1/a.bin"].Get("Authorization") != "Bearer xoxb-1" {
		t.Errorf("%+v %v", result, err)
	}
	for file, want := range map[string]invoke.Code{"F2": invoke.AddressRefused, "F3": invoke.VendorNotFound} {
		if _, err := e.Invoke(t.Context(), call("SLACK", s.URL, key("xoxb-1", ""), "DownloadFile", `{"file":"`+file+`"}`)); code(err) != want {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestSalesforceInstance(t *testing.T) {
	t.Parallel()
	x := &exchange{answers: map[string]string{
		"GET /services/data/v60.0/query?q=SELECT%20Id%20FROM%20Case": `{"totalSize":2001,"done":false,"nextRecordsUrl":"/services/data/v60.0/query/01g-2000","records":[{"Id":"1"}]}`,
		"GET /services/data/v60.0/query/01g-2000":                    `{"done":true,"records":[{"Id":"2"}]}`,
	}}
	instance := x.start(t)
	e := engine(t, invoke.Config{}, instance)
	auth := invoke.Auth{Kind: invoke.AuthAuthorizationCode, Tokens: &tokens{now: "t", instance: instance.URL}}
	result, err := e.Invoke(t.Context(), call("SALESFORCE_CRM", "https://login.example.com", auth, "GetListOfCases", `{"fields":["Id"]}`))
	if err != nil || result.Next == nil || result.Next.Argument != catalog.NextPage {
		t.Fatalf("%+v %v", result, err)
	}
	args, _ := json.Marshal(map[string]any{"fields": []string{"Id"}, result.Next.Argument: result.Next.Value})
	result, err = e.Invoke(t.Context(), call("SALESFORCE_CRM", "https://login.example.com", auth, "GetListOfCases", string(args)))
	if err != nil || result.Next != nil || !strings.Contains(string(result.Body), `"Id":"2"`) {
		t.Errorf("%+v %v", result, err)
	}
}

// A write to a service that wants a token against forged forms, as SAP's do.
func TestFormToken(t *testing.T) {
	t.Parallel()
	var asked []string
	s := handler(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Header.Get("X-Csrf-Token")+" "+r.Header.Get("Cookie"))
		switch r.Header.Get("X-Csrf-Token") {
		case "Fetch":
			http.SetCookie(w, &http.Cookie{Name: "sap-session", Value: "s1", Path: "/", HttpOnly: true})
			w.Header().Set("X-Csrf-Token", "tok")
		case "tok":
			w.WriteHeader(http.StatusCreated)
		default:
			w.Header().Set("X-Csrf-Token", "Required")
			w.WriteHeader(http.StatusForbidden)
		}
	})
	e := engine(t, invoke.Config{}, s)
	result, err := e.Invoke(t.Context(), call("GENERIC_HTTP", s.URL, basicAuth("u", "p"), "POST", `{"uri":"/A_Product","body":{"Product":"x"}}`))
	if err != nil || result.Status != http.StatusCreated {
		t.Fatalf("%+v %v", result, err)
	}
	if want := []string{"POST  ", "GET Fetch ", "POST tok sap-session=s1"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ, action, args, answer string
		argument                  string
		value                     any // nil: there is none
	}{
		{"SLACK", "ConversationsMembers", `{"channel":"C"}`, `{"ok":true,"members":["a"],"response_metadata":{"next_cursor":"dX"}}`, "cursor", "dX"},
		{"SLACK", "ConversationsMembers", `{"channel":"C"}`, `{"ok":true,"members":["a"],"response_metadata":{"next_cursor":""}}`, "", nil},
		{"SLACK", "FilesList", `{"page":2}`, `{"ok":true,"files":[],"paging":{"page":2,"pages":3}}`, "page", 3},
		{"SLACK", "FilesList", `{"page":3}`, `{"ok":true,"files":[],"paging":{"page":3,"pages":3}}`, "", nil},
		{"JIRA_CLOUD", "SearchIssues", `{"jql":"x"}`, `{"issues":[{}],"nextPageToken":"abc"}`, "nextPageToken", "abc"},
		{"JIRA_CLOUD", "SearchProjects", `{"startAt":50}`, `{"values":[{},{}],"isLast":false}`, "startAt", 52},
		{"JIRA_CLOUD", "SearchProjects", `{}`, `{"values":[{},{}],"isLast":true}`, "", nil},
		{"JIRA_CLOUD", "GetComments", `{"key":"X-1"}`, `{"comments":[{}],"total":3}`, "startAt", 1},
		{"JIRA_CLOUD", "GetAllUsers", `{"maxResults":2}`, `[{},{}]`, "startAt", 2},
		{"JIRA_CLOUD", "GetAllUsers", `{"maxResults":3}`, `[{},{}]`, "", nil},
		{"ATLASSIAN_CONFLUENCE", "GetPages", `{}`, `{"results":[{}],"_links":{"next":"/wiki/api/v2/pages?cursor=ab%3D%3D&limit=1"}}`, "cursor", "ab=="},
		{"MICROSOFT_OUTLOOK", "ListUserMails", `{}`, `{"value":[{}],"@odata.nextLink":"https://graph.microsoft.com/v1.0/me/messages?$skip=10"}`, "nextPage", "https://graph.microsoft.com/v1.0/me/messages?$skip=10"},
		{"SERVICENOW_NOW_PLATFORM", "ListIncidents", `{"sysparm_limit":2,"sysparm_offset":4}`, `{"result":[{},{}]}`, "sysparm_offset", 6},
		{"SERVICENOW_NOW_PLATFORM", "ListIncidents", `{"sysparm_limit":3}`, `{"result":[{},{}]}`, "", nil},
		{"PAGERDUTY_ADVANCE", "ListIncidents", `{"offset":25}`, `{"incidents":[{},{}],"more":true}`, "offset", 27},
		{"PAGERDUTY_ADVANCE", "ListIncidents", `{}`, `{"incidents":[{}],"more":false}`, "", nil},
		{"ASANA", "ListProjects", `{}`, `{"data":[{}],"next_page":{"offset":"eyJ0"}}`, "offset", "eyJ0"},
		{"ASANA", "ListProjects", `{}`, `{"data":[{}],"next_page":null}`, "", nil},
		{"SMARTSHEET", "ListSheets", `{}`, `{"pageNumber":1,"totalPages":4,"data":[{}]}`, "page", 2},
		{"ZENDESK_SUITE", "ListTickets", `{}`, `{"tickets":[{}],"next_page":"https://x.zendesk.com/api/v2/tickets.json?page=2"}`, "nextPage", "https://x.zendesk.com/api/v2/tickets.json?page=2"},
		{"SAP_MATERIALSTOCK", "getMaterialStockInAccount", `{"top":2}`, `{"d":{"results":[{},{}]}}`, "skip", 2},
		{"SAP_MATERIALSTOCK", "getMaterialStockInAccount", `{"skip":2}`, `{"d":{"results":[{},{}],"__next":"https://x/?$skiptoken=4"}}`, "skip", 4},
		{"SAP_MATERIALSTOCK", "getMaterialStockInAccount", `{}`, `{"d":{"results":[]}}`, "", nil},
	} {
		s := handler(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(c.answer))
		})
		result, err := engine(t, invoke.Config{}, s).Invoke(t.Context(), call(c.typ, s.URL, authOf(c.typ), c.action, c.args))
		if err != nil {
			t.Errorf("%s %s: %v", c.typ, c.action, err)
			continue
		}
		switch {
		case c.value == nil && result.Next != nil:
			t.Errorf("%s %s: next %+v after the last page", c.typ, c.action, result.Next)
		case c.value != nil && (result.Next == nil || result.Next.Argument != c.argument || !reflect.DeepEqual(result.Next.Value, c.value)):
			t.Errorf("%s %s: next %+v, want %s %v", c.typ, c.action, result.Next, c.argument, c.value)
		}
	}
}

func TestAgentAnswer(t *testing.T) {
	t.Parallel()
	event := func(out *bytes.Buffer, headers map[string]string, payload string) {
		m := eventstream.Message{Payload: []byte(payload)}
		for name, value := range headers {
			m.Headers.Set(name, eventstream.StringValue(value))
		}
		if err := eventstream.NewEncoder().Encode(out, m); err != nil {
			t.Fatal(err)
		}
	}
	var good, bad bytes.Buffer
	for _, part := range []string{"Hello, ", "wörld"} {
		event(&good, map[string]string{":message-type": "event", ":event-type": "chunk"}, `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(part))+`"}`)
	}
	event(&good, map[string]string{":message-type": "event", ":event-type": "trace"}, `{"traceId":"1"}`)
	event(&bad, map[string]string{":message-type": "exception", ":exception-type": "throttlingException"}, `{"message":"too many"}`)
	stream := good.Bytes()
	s := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		w.Header().Set("X-Amz-Bedrock-Agent-Session-Id", "s1")
		_, _ = w.Write(stream)
	})
	e := engine(t, invoke.Config{}, s)
	c := call("AMAZON_BEDROCK_AGENT_RUNTIME", "", authOf("AMAZON_S3"), "BasicAgentInvoke", `{"agentId":"A","agentAliasId":"B","sessionId":"s1","inputText":"hi"}`)
	result, err := e.Invoke(t.Context(), c)
	if err != nil || !sameJSON(t, result.Body, `{"completion":"Hello, wörld","sessionId":"s1","traces":[{"traceId":"1"}]}`) {
		t.Errorf("%s %v", result.Body, err)
	}
	stream = bad.Bytes()
	if _, err := e.Invoke(t.Context(), c); code(err) != invoke.VendorThrottled || !strings.Contains(err.Error(), "too many") {
		t.Errorf("%v", err)
	}
	stream = good.Bytes()[:good.Len()-3]
	if _, err := e.Invoke(t.Context(), c); code(err) != invoke.UnexpectedAnswer {
		t.Errorf("a stream that breaks off: %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	denied := func(err error) bool { return fault.KindOf(err) == fault.Denied }
	unknown := func(err error) bool { return err != nil && fault.KindOf(err) != fault.Denied }
	fine := func(err error) bool { return err == nil }
	for _, c := range []struct {
		name, typ, path string
		auth            invoke.Auth
		answer          http.HandlerFunc
		want            func(error) bool
	}{
		{"Jira", "JIRA_CLOUD", "/rest/api/3/myself", key("k", "m@example.com"), status(200, "Content-Type", "application/json"), fine},
		{"Jira refuses", "JIRA_CLOUD", "/rest/api/3/myself", key("k", "m@example.com"), status(401), denied},
		{"Jira shows a page", "JIRA_CLOUD", "/rest/api/3/myself", key("k", "m@example.com"), func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html></html>")) }, unknown},
		{"Confluence", "ATLASSIAN_CONFLUENCE", "/wiki/api/v2/spaces?limit=1", key("k", "m@example.com"), status(403), denied},
		{"Bamboo", "BAMBOO_HR", "/meta/fields", key("k", ""), status(401), denied},
		{"Slack", "SLACK", "/auth.test", key("k", ""), func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"ok":false,"error":"invalid_auth"}`))
		}, denied},
		{"Slack is fine", "SLACK", "/auth.test", key("k", ""), func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"ok":true}`)) }, fine},
		{"Zendesk", "ZENDESK_SUITE", "/api/v2/users/me.json", key("k", "m@example.com"), status(500), unknown},
		{"PagerDuty key", "PAGERDUTY_ADVANCE", "/abilities", key("k", ""), status(200), fine},
		{"Asana", "ASANA", "/users/me", key("k", ""), status(200), fine},
		{"Smartsheet", "SMARTSHEET", "/users/me", key("k", ""), status(401), denied},
		{"Salesforce", "SALESFORCE_CRM", "/services/oauth2/userinfo", application("t"), status(403), denied},
		{"ServiceNow", "SERVICENOW_NOW_PLATFORM", "/api/now/table/sys_user?sysparm_limit=1&sysparm_fields=sys_id", application("t"), status(403), unknown},
		{"SAP", "SAP_MATERIALSTOCK", "/?$format=json", basicAuth("u", "p"), status(401), denied},
		{"S3", "AMAZON_S3", "/", authOf("AMAZON_S3"), func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`<Error><Code>InvalidAccessKeyId</Code></Error>`))
		}, denied},
		{"Graph for an application", "MICROSOFT_OUTLOOK", "", application("t"), status(401), fine},
		{"Generic", "GENERIC_HTTP", "", key("k", ""), status(401), fine},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			s := handler(t, func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.RequestURI())
				c.answer(w, r)
			})
			e := engine(t, invoke.Config{Retries: -1}, s)
			err := e.Check(t.Context(), invoke.Connector{ID: "c", Type: c.typ, BaseURL: s.URL, Auth: c.auth})
			if !c.want(err) {
				t.Errorf("%v", err)
			}
			if want := []string{c.path}; c.path == "" && len(asked) > 0 || c.path != "" && !slices.Equal(asked, want) {
				t.Errorf("asked %v, want %v", asked, want)
			}
			if e.Checks(c.typ, c.auth.Kind) != (c.path != "") {
				t.Errorf("whether there is a check is told wrongly")
			}
		})
	}
	e := engine(t, invoke.Config{Retries: -1})
	if err := e.Check(t.Context(), invoke.Connector{Type: "JIRA_CLOUD", BaseURL: "https://127.0.0.1:1", Auth: key("k", "")}); !unknown(err) {
		t.Errorf("a vendor that is not there: %v", err)
	}
	if err := e.Check(t.Context(), invoke.Connector{Type: "JIRA_CLOUD", BaseURL: "ftp://example.com", Auth: key("k", "")}); !unknown(err) {
		t.Errorf("an address that may not be called: %v", err)
	}
	// Sign-in problems come through as they are.
	missing := errors.New("no grant")
	if err := e.Check(t.Context(), invoke.Connector{Type: "JIRA_CLOUD", BaseURL: "https://x.example.com", Auth: invoke.Auth{Kind: invoke.AuthAuthorizationCode, Tokens: &tokens{err: missing}}}); !errors.Is(err, missing) {
		t.Errorf("%v", err)
	}
}

// Zendesk takes a key against repetition where it creates tickets.
func TestIdempotencyKeyIsPassedOn(t *testing.T) {
	t.Parallel()
	x := &exchange{answers: map[string]string{"POST /api/v2/tickets.json": `201 {}`, "PUT /api/v2/tickets/1.json": `{}`}}
	s := x.start(t)
	e := engine(t, invoke.Config{}, s)
	for action, args := range map[string]string{"CreateTicket": `{"ticket":{"comment":{"body":"x"}}}`, "UpdateTicket": `{"id":1,"ticket":{"status":"solved"}}`} {
		c := call("ZENDESK_SUITE", s.URL, signIn("t"), action, args)
		c.IdempotencyKey = "key-1"
		if _, err := e.Invoke(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	if got := x.headers["POST /api/v2/tickets.json"].Get("Idempotency-Key"); got != "key-1" {
		t.Errorf("the key was %q", got)
	}
	if got := x.headers["PUT /api/v2/tickets/1.json"].Get("Idempotency-Key"); got != "" {
		t.Errorf("an action that takes no key got %q", got)
	}
}
