package quicksight_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/front/quicksight"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/store/sqlite"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// object is an input or an output as JSON has it.
type object = map[string]any

// env is a server with this front alone, over a real store.
type env struct {
	t       testing.TB
	dir     string
	db      *sqlite.DB
	actions *action.Service
	service *wire.Service
	clock   *atomic.Int64 // milliseconds past the start
}

func (e env) now() time.Time {
	return fronttest.Start.Add(time.Duration(e.clock.Add(1)) * time.Millisecond)
}

// refuser is a Checker that refuses what has the user name "refused".
type refuser struct{}

func (refuser) Checks(_ action.Type, a action.AuthType) bool { return a == action.Basic }

func (refuser) Check(_ context.Context, c *action.Connector, _ *action.Credentials) error {
	if c.Auth.Username == "refused" {
		return fault.New(fault.Denied, action.SubjectAuth, "the vendor says 401 Unauthorized")
	}
	return nil
}

func newEnv(t *testing.T) env { return open(t) }

func open(t testing.TB) env {
	t.Helper()
	e := env{t: t, dir: t.TempDir(), clock: new(atomic.Int64)}
	var err error
	if e.db, err = sqlite.Open(t.Context(), e.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.db.Close() })
	box, err := secret.NewBox(make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	connectors, calls := e.db.Connectors(), e.db.Calls()
	e.actions = action.NewService(action.Config{
		Stores: action.Stores{
			Connectors: connectors, VPCs: connectors, Grants: connectors, SignIns: connectors, Documents: connectors, Calls: calls, Records: calls, Approvals: calls,
		},
		Partition: "aws", Region: wiretest.Region, Account: wiretest.Account, Box: box, Checker: refuser{}, Checks: action.CheckLenient,
		Now: e.now, NewID: func() string { return "id" }, Log: slog.New(slog.DiscardHandler),
	})
	e.service = quicksight.New(e.actions).Service()
	return e
}

// run lets connectors be checked until the test ends.
func (e env) run() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(e.t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.actions.Run(ctx)
	}()
	e.t.Cleanup(func() {
		cancel()
		<-done
	})
}

func (e env) Client() wiretest.Client {
	e.t.Helper()
	h, err := wire.New(wire.Config{Services: []*wire.Service{e.service}, Keys: wiretest.Keys{}, Region: wiretest.Region, Now: e.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		e.t.Fatal(err)
	}
	return wiretest.Client{Handler: h, Now: e.now}
}

const base = "/accounts/" + wiretest.Account

func request(method, path string, in any) *http.Request {
	if in == nil {
		return wiretest.REST(method, path, "")
	}
	body, err := json.Marshal(in)
	if err != nil {
		panic(err) // the tests' own inputs
	}
	return wiretest.REST(method, path, string(body))
}

func (e env) call(method, path string, in any) *httptest.ResponseRecorder {
	e.t.Helper()
	return e.Client().Do(e.t, "quicksight", request(method, path, in))
}

// must is call for what has to succeed; it returns the answer.
func (e env) must(method, path string, in any) object {
	e.t.Helper()
	w := e.call(method, path, in)
	var out object
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		e.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if out["Status"] != float64(200) || out["RequestId"] != w.Header().Get("X-Amzn-Requestid") {
		e.t.Errorf("%s %s: Status %v, RequestId %v", method, path, out["Status"], out["RequestId"])
	}
	return out
}

func noneAuth() object {
	return object{"AuthenticationType": "NONE", "AuthenticationMetadata": object{"NoneConnectionMetadata": object{"BaseEndpoint": "https://api.example.com"}}}
}

func basicAuth(user string) object {
	return object{"AuthenticationType": "BASIC", "AuthenticationMetadata": object{"BasicAuthConnectionMetadata": object{
		"BaseEndpoint": "https://api.example.com", "Username": user, "Password": "the-password",
	}}}
}

func connector(id string) object {
	return object{"ActionConnectorId": id, "Name": "Name " + id, "Type": "GENERIC_HTTP", "AuthenticationConfig": noneAuth()}
}

func (e env) create(id string, more object) {
	e.t.Helper()
	in := connector(id)
	for k, v := range more {
		in[k] = v
	}
	e.must("POST", base+"/action-connectors", in)
}

func (e env) describe(id string) object {
	e.t.Helper()
	return e.must("GET", base+"/action-connectors/"+id, nil)["ActionConnector"].(object)
}

const (
	alice = "arn:aws:quicksight:us-east-1:123456789012:user/default/alice"
	role  = "arn:aws:iam::123456789012:role/connector"
)

// Every form of authentication comes back in the members that are for reading, and no secret does.
func TestUnionsBothWays(t *testing.T) {
	t.Parallel()
	e := open(t)
	const b, tok, a = "https://api.example.com/v1", "https://auth.example.com/token", "https://auth.example.com/authorize"
	for n, tc := range []struct {
		kind, connector string
		write, read     object
	}{
		{"BASIC", "SAP_MATERIALSTOCK", object{"BasicAuthConnectionMetadata": object{"BaseEndpoint": b, "Username": "u", "Password": "S3CRET"}},
			object{"BasicAuthConnectionMetadata": object{"BaseEndpoint": b, "Username": "u"}}},
		{"API_KEY", "JIRA_CLOUD", object{"ApiKeyConnectionMetadata": object{"BaseEndpoint": b, "ApiKey": "S3CRET", "Email": "a@example.com"}},
			object{"ApiKeyConnectionMetadata": object{"BaseEndpoint": b, "Email": "a@example.com"}}},
		{"API_KEY", "SLACK", object{"ApiKeyConnectionMetadata": object{"BaseEndpoint": b, "ApiKey": "S3CRET"}},
			object{"ApiKeyConnectionMetadata": object{"BaseEndpoint": b}}},
		{"NONE", "GENERIC_HTTP", object{"NoneConnectionMetadata": object{"BaseEndpoint": b}}, object{"NoneConnectionMetadata": object{"BaseEndpoint": b}}},
		{"IAM", "AMAZON_S3", object{"IamConnectionMetadata": object{"RoleArn": role}},
			object{"IamConnectionMetadata": object{"RoleArn": role, "SourceArn": "arn:aws:quicksight:us-east-1:123456789012:action-connector/c4"}}},
		{"OAUTH2_CLIENT_CREDENTIALS", "SALESFORCE_CRM",
			object{"ClientCredentialsGrantMetadata": object{"BaseEndpoint": b, "ClientCredentialsSource": "PLAIN_CREDENTIALS", "ClientCredentialsDetails": object{
				"ClientCredentialsGrantDetails": object{"ClientId": "id", "ClientSecret": "S3CRET", "TokenEndpoint": tok}}}},
			object{"ClientCredentialsGrantMetadata": object{"BaseEndpoint": b, "ClientCredentialsSource": "PLAIN_CREDENTIALS", "ReadClientCredentialsDetails": object{
				"ReadClientCredentialsGrantDetails": object{"ClientId": "id", "TokenEndpoint": tok}}}}},
		{"OAUTH2_AUTHORIZATION_CODE", "MODEL_CONTEXT_PROTOCOL",
			object{"AuthorizationCodeGrantMetadata": object{"BaseEndpoint": b, "RedirectUrl": "https://r.example.com", "AuthorizationCodeGrantCredentialsSource": "PLAIN_CREDENTIALS",
				"AuthorizationCodeGrantCredentialsDetails": object{"AuthorizationCodeGrantDetails": object{"ClientId": "", "ClientSecret": "S3CRET", "TokenEndpoint": tok, "AuthorizationEndpoint": a}}}},
			object{"AuthorizationCodeGrantMetadata": object{"BaseEndpoint": b, "RedirectUrl": "https://r.example.com", "AuthorizationCodeGrantCredentialsSource": "PLAIN_CREDENTIALS",
				"ReadAuthorizationCodeGrantCredentialsDetails": object{"ReadAuthorizationCodeGrantDetails": object{"ClientId": "", "TokenEndpoint": tok, "AuthorizationEndpoint": a}}}}},
	} {
		id := fmt.Sprint("c", n)
		e.create(id, object{"Type": tc.connector, "AuthenticationConfig": object{"AuthenticationType": tc.kind, "AuthenticationMetadata": tc.write}})
		got := e.describe(id)["AuthenticationConfig"]
		want := object{"AuthenticationType": tc.kind, "AuthenticationMetadata": tc.read}
		if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
			t.Errorf("%s: got  %s\nwant %s", tc.kind, g, w)
		}
	}
	for _, path := range []string{"/action-connectors", "/action-connectors/c0", "/action-connectors/c5", "/action-connectors/c6", "/action-connectors/c0/permissions"} {
		if w := e.call("GET", base+path, nil); strings.Contains(w.Body.String(), "S3CRET") {
			t.Errorf("%s shows a secret: %s", path, w.Body)
		}
	}
	for _, name := range []string{sqlite.FileName, sqlite.FileName + "-wal"} {
		if content, err := readFile(filepath.Join(e.dir, name)); err == nil && strings.Contains(content, "S3CRET") {
			t.Errorf("%s holds a secret", name)
		}
	}
}

// What Terraform and CloudFormation do: create, wait, read, tag, update in place, read, delete, see it gone.
func TestLifeOfAConnector(t *testing.T) {
	t.Parallel()
	e := open(t)
	in := connector("sales")
	in["AuthenticationConfig"], in["Description"] = basicAuth("u"), "For sales, mostly."
	in["Permissions"] = []object{{"Principal": alice, "Actions": []string{"quicksight:DescribeActionConnector"}}}
	in["Tags"], in["EnabledActions"] = []object{{"Key": "team", "Value": "sales"}}, []string{"GetThing", "PutThing"}
	created := e.must("POST", base+"/action-connectors", in)
	arn := "arn:aws:quicksight:us-east-1:123456789012:action-connector/sales"
	if created["CreationStatus"] != "CREATION_IN_PROGRESS" || created["Arn"] != arn || created["ActionConnectorId"] != "sales" {
		t.Errorf("created %v", created)
	}
	if c := e.describe("sales"); c["Status"] != "CREATION_IN_PROGRESS" || c["Error"] != nil {
		t.Errorf("before the check: %v", c)
	}
	e.run()
	c := e.wait("sales")
	if c["Status"] != "CREATION_SUCCESSFUL" || c["Description"] != "For sales, mostly." || fmt.Sprint(c["EnabledActions"]) != "[GetThing PutThing]" || c["Type"] != "GENERIC_HTTP" {
		t.Errorf("described %v", c)
	}
	tags := e.must("GET", "/resources/"+escape(arn)+"/tags", nil)
	if fmt.Sprint(tags["Tags"]) != "[map[Key:team Value:sales]]" {
		t.Errorf("the tags are %v", tags)
	}
	updated := e.must("PUT", base+"/action-connectors/sales", object{"Name": "New name", "AuthenticationConfig": basicAuth("refused")})
	if updated["UpdateStatus"] != "UPDATE_IN_PROGRESS" {
		t.Errorf("updated %v", updated)
	}
	c = e.wait("sales")
	if c["Status"] != "UPDATE_FAILED" || !strings.Contains(fmt.Sprint(c["Error"]), "401") || c["Error"].(object)["Type"] != "INTERNAL_FAILURE" {
		t.Errorf("after a refused update: %v", c)
	}
	if _, there := c["Description"]; there || c["Name"] != "New name" {
		t.Errorf("an update replaces everything: %v", c)
	}
	list := e.must("GET", base+"/action-connectors", nil)["ActionConnectorSummaries"].([]any)
	if len(list) != 1 || list[0].(object)["Status"] != "UPDATE_FAILED" || list[0].(object)["Error"] == nil {
		t.Errorf("listed %v", list)
	}
	if p := e.must("GET", base+"/action-connectors/sales/permissions", nil); fmt.Sprint(p["Permissions"]) != "[map[Actions:[quicksight:DescribeActionConnector] Principal:"+alice+"]]" {
		t.Errorf("the permissions are %v", p)
	}
	e.must("PUT", base+"/action-connectors/sales", object{"Name": "New name", "AuthenticationConfig": basicAuth("u")})
	if c = e.wait("sales"); c["Status"] != "UPDATE_SUCCESSFUL" || c["Error"] != nil {
		t.Errorf("after a good update: %v", c)
	}
	deleted := e.must("DELETE", base+"/action-connectors/sales", nil)
	if deleted["Arn"] != arn {
		t.Errorf("deleted %v", deleted)
	}
	if w := e.call("GET", base+"/action-connectors/sales", nil); w.Code != 404 {
		t.Errorf("after the delete: %d %s", w.Code, w.Body)
	}
	e.create("sales", nil)
}

// wait polls until a connector's status is an end, as every client does.
func (e env) wait(id string) object {
	e.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		c := e.describe(id)
		if !strings.HasSuffix(c["Status"].(string), "_IN_PROGRESS") {
			return c
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("still %v", c)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	e := open(t)
	owner := []string{"quicksight:DescribeActionConnector", "quicksight:UpdateActionConnector", "quicksight:DeleteActionConnector"}
	e.create("a", object{"Name": "Ticket desk", "Permissions": []object{{"Principal": alice, "Actions": owner}}})
	e.create("b", object{"Name": "Helpdesk", "Permissions": []object{{"Principal": alice, "Actions": owner}, {"Principal": alice + "2", "Actions": owner}}})
	e.create("c", object{"Name": "Other", "Type": "MODEL_CONTEXT_PROTOCOL", "Permissions": []object{{"Principal": alice, "Actions": owner[:1]}}})
	for _, tc := range []struct{ name, operator, value, want string }{
		{"ACTION_CONNECTOR_NAME", "StringEquals", "Other", "c"},
		{"ACTION_CONNECTOR_NAME", "StringEquals", "desk", ""},
		{"ACTION_CONNECTOR_NAME", "StringLike", "DESK", "a b"},
		{"ACTION_CONNECTOR_TYPE", "StringEquals", "MODEL_CONTEXT_PROTOCOL", "c"},
		{"QUICKSIGHT_OWNER", "StringEquals", alice, "a b"},
		{"DIRECT_QUICKSIGHT_OWNER", "StringEquals", alice, "a b"},
		{"DIRECT_QUICKSIGHT_SOLE_OWNER", "StringEquals", alice, "a"},
		{"QUICKSIGHT_VIEWER_OR_OWNER", "StringEquals", alice, "a b c"},
		{"DIRECT_QUICKSIGHT_VIEWER_OR_OWNER", "StringEquals", alice, "a b c"},
		{"QUICKSIGHT_OWNER", "StringEquals", alice + "3", ""},
	} {
		var got []string
		token := ""
		for {
			path := base + "/search/action-connectors?max-results=1"
			if token != "" {
				path += "&next-token=" + token
			}
			out := e.must("POST", path, object{"Filters": []object{{"Name": tc.name, "Operator": tc.operator, "Value": tc.value}}})
			for _, s := range out["ActionConnectorSummaries"].([]any) {
				got = append(got, s.(object)["ActionConnectorId"].(string))
			}
			var more bool
			if token, more = out["NextToken"].(string); !more {
				break
			}
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s %s %s found %v, want %s", tc.name, tc.operator, tc.value, got, tc.want)
		}
	}
	for _, in := range []object{{"Filters": []object{}}} {
		if out := e.must("POST", base+"/search/action-connectors?max-results=0", in); len(out["ActionConnectorSummaries"].([]any)) != 3 {
			t.Errorf("without a filter: %v", out)
		}
	}
}

func TestVPCConnections(t *testing.T) {
	t.Parallel()
	e := open(t)
	in := object{"VPCConnectionId": "v", "Name": "Out", "SubnetIds": []string{"subnet-0a", "subnet-0b"}, "SecurityGroupIds": []string{"sg-1"}, "DnsResolvers": []string{"10.0.0.2"}, "RoleArn": role, "Tags": []object{{"Key": "k", "Value": "v"}}}
	out := e.must("POST", base+"/vpc-connections", in)
	arn := "arn:aws:quicksight:us-east-1:123456789012:vpcConnection/v"
	if out["Arn"] != arn || out["CreationStatus"] != "CREATION_SUCCESSFUL" || out["AvailabilityStatus"] != "AVAILABLE" {
		t.Errorf("created %v", out)
	}
	v := e.must("GET", base+"/vpc-connections/v", nil)["VPCConnection"].(object)
	interfaces, _ := v["NetworkInterfaces"].([]any)
	if len(interfaces) != 2 || interfaces[0].(object)["SubnetId"] != "subnet-0a" || v["RoleArn"] != role {
		t.Errorf("described %v", v)
	}
	e.create("c", object{"VpcConnectionArn": arn})
	if e.describe("c")["VpcConnectionArn"] != arn {
		t.Error("the connector has another way out")
	}
	delete(in, "VPCConnectionId")
	delete(in, "Tags")
	in["Name"] = "Other"
	if out := e.must("PUT", base+"/vpc-connections/v", in); out["UpdateStatus"] != "UPDATE_SUCCESSFUL" {
		t.Errorf("updated %v", out)
	}
	list := e.must("GET", base+"/vpc-connections?max-results=1", nil)
	if s := list["VPCConnectionSummaries"].([]any); len(s) != 1 || s[0].(object)["Name"] != "Other" || list["NextToken"] != nil {
		t.Errorf("listed %v", list)
	}
	if w := e.call("DELETE", base+"/vpc-connections/v", nil); w.Code != 409 {
		t.Errorf("deleted while in use: %d %s", w.Code, w.Body)
	}
	e.must("DELETE", base+"/action-connectors/c", nil)
	if out := e.must("DELETE", base+"/vpc-connections/v", nil); out["DeletionStatus"] != "DELETED" {
		t.Errorf("deleted %v", out)
	}
	if w := e.call("GET", base+"/vpc-connections/v", nil); w.Code != 404 {
		t.Errorf("after the delete: %d", w.Code)
	}
}

// breakStore takes tables away, so that calls that need them fail inside.
func (e env) breakStore(tables ...string) {
	e.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(e.dir, sqlite.FileName))
	if err != nil {
		e.t.Fatal(err)
	}
	defer db.Close()
	for _, table := range tables {
		if _, err := db.ExecContext(e.t.Context(), "DROP TABLE "+table); err != nil {
			e.t.Fatal(err)
		}
	}
}
