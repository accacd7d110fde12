package appintegrations_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/appint"
	front "github.com/penstock-io/penstock/internal/front/appintegrations"
	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

const (
	account = "123456789012"
	prefix  = "arn:aws:app-integrations:us-east-1:" + account + ":"
	key     = "arn:aws:kms:us-east-1:" + account + ":key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// object is an input or an output as JSON has it.
type object = map[string]any

// env is a server with this front alone.
type env struct {
	*fronttest.World
	t       testing.TB
	service *wire.Service
}

func newEnv(t *testing.T) env {
	t.Helper()
	w := fronttest.New(t)
	return env{w, t, front.New(w.AppIntegrations).Service()}
}

// relaxed is a server where data integrations may be associated more than once.
func relaxed(t *testing.T) env {
	t.Helper()
	w := fronttest.New(t)
	w.Relax(true, appint.DefaultQuotas())
	return env{w, t, front.New(w.AppIntegrations).Service()}
}

func (e env) Client() wiretest.Client { return e.World.Client(e.service) }

func request(method, path string, in any) *http.Request {
	body := ""
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			panic(err) // the tests' own inputs
		}
		body = string(text)
	}
	return wiretest.Raw(method, path, "application/json", body)
}

func (e env) call(method, path string, in any) *httptest.ResponseRecorder {
	e.t.Helper()
	return e.Client().Do(e.t, "app-integrations", request(method, path, in))
}

// must is call for what has to succeed; it returns the answer.
func (e env) must(method, path string, in any) object {
	e.t.Helper()
	w := e.call(method, path, in)
	var out object
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		e.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return out
}

// refused is call for what has to fail with a code; it returns the message.
func (e env) refused(code, method, path string, in any) string {
	e.t.Helper()
	w := e.call(method, path, in)
	got, message := fronttest.ErrorOf(e.t, w)
	if got != code || message == "" {
		e.t.Errorf("%s %s: %d %s (%s), want %s", method, path, w.Code, got, message, code)
	}
	if header := w.Header().Get("X-Amzn-ErrorType"); header != got {
		e.t.Errorf("%s %s: the header says %q, the body %q", method, path, header, got)
	}
	return message
}

// control makes a call to what AWS has no public call for.
func (e env) control(method, path string, in any) (int, object) {
	e.t.Helper()
	h, err := wire.New(wire.Config{
		Services: []*wire.Service{e.service}, Keys: wiretest.Keys{}, Region: wiretest.Region, Now: e.Now, Log: slog.New(slog.DiscardHandler),
		Internal: func(w http.ResponseWriter, r *http.Request, _ identity.Caller) {
			front.Control(e.AppIntegrations).ServeHTTP(w, r)
		},
	})
	e.Must(err)
	w := wiretest.Client{Handler: h, Now: e.Now}.Do(e.t, "app-integrations", request(method, path, in))
	var out object
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		e.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Code, out
}

// makes returns the identifiers of a new data integration.
func (e env) dataIntegration(name string) (id, arn string) {
	e.t.Helper()
	out := e.must("POST", "/dataIntegrations", object{"Name": name, "KmsKey": key, "SourceURI": "s3://bucket/in"})
	return out["Id"].(string), out["Arn"].(string)
}

func onDemand() object {
	return object{"ExecutionMode": "ON_DEMAND", "OnDemandConfiguration": object{"StartTime": "1715278292014"}}
}

func TestGolden(t *testing.T) {
	for _, file := range []string{"data", "events", "applications", "tags"} {
		t.Run(file, func(t *testing.T) { newEnv(t).Client().Golden(t, filepath.Join("testdata", file+".txtar")) })
	}
}

// A data integration is found by its id, its ARN with everything in it escaped, and its name, which may have slashes.
func TestIdentifiers(t *testing.T) {
	e := newEnv(t)
	id, arn := e.dataIntegration("sales/eu.north_1-a")
	for _, identifier := range []string{id, arn, "sales/eu.north_1-a"} {
		if got := e.must("GET", "/dataIntegrations/"+url.QueryEscape(identifier), nil); got["Id"] != id {
			t.Errorf("%s gives %v", identifier, got)
		}
	}
	for _, identifier := range []string{id + "0", "sales", prefix + "data-integration/" + fronttest.ID(99), prefix + "event-integration/" + id,
		strings.Replace(arn, "us-east-1", "eu-west-1", 1), strings.Replace(arn, account, "210987654321", 1), strings.Replace(arn, "arn:aws:", "arn:aws-cn:", 1)} {
		e.refused("ResourceNotFoundException", "GET", "/dataIntegrations/"+url.QueryEscape(identifier), nil)
	}
	app := e.must("POST", "/applications", application("a"))
	for _, identifier := range []string{app["Id"].(string), app["Arn"].(string)} {
		for _, version := range []string{"", ":$LATEST"} {
			if got := e.must("GET", "/applications/"+url.QueryEscape(identifier+version), nil); got["Id"] != app["Id"] || got["Arn"] != app["Arn"] {
				t.Errorf("%s gives %v", identifier+version, got)
			}
		}
		e.refused("ResourceNotFoundException", "GET", "/applications/"+url.QueryEscape(identifier+":7"), nil)
	}
	a := e.must("POST", "/dataIntegrations/"+url.QueryEscape(arn)+"/associations", object{"DestinationURI": "s3://other/out", "ExecutionConfiguration": onDemand()})
	if a["DataIntegrationArn"] != arn {
		t.Errorf("the association is of %v", a["DataIntegrationArn"])
	}
	link := a["DataIntegrationAssociationId"].(string)
	for _, identifier := range []string{link, prefix + "data-integration-association/" + id + "/" + link} {
		if out := e.must("PATCH", "/dataIntegrations/"+id+"/associations/"+url.QueryEscape(identifier), object{"ExecutionConfiguration": onDemand()}); len(out) != 0 {
			t.Errorf("the update answers %v", out)
		}
	}
	other, _ := e.dataIntegration("other")
	for _, path := range []string{other + "/associations/" + link, id + "/associations/" + url.QueryEscape(prefix+"data-integration-association/"+other+"/"+link), id + "/associations/" + id} {
		e.refused("ResourceNotFoundException", "PATCH", "/dataIntegrations/"+path, object{"ExecutionConfiguration": onDemand()})
	}
	e.must("POST", "/eventIntegrations", event("crm/events"))
	if got := e.must("GET", "/eventIntegrations/"+url.QueryEscape("crm/events"), nil); got["EventIntegrationArn"] != prefix+"event-integration/crm/events" {
		t.Errorf("the event integration is %v", got)
	}
}

func application(name string) object {
	return object{"Name": name, "Namespace": "ns." + name, "ApplicationSourceConfig": object{"ExternalUrlConfig": object{"AccessUrl": "https://app.test/" + name}}}
}

func event(name string) object {
	return object{"Name": name, "EventFilter": object{"Source": "aws.partner/examplepartner.com"}, "EventBridgeBus": "default"}
}

// The same token makes one thing of the same request, and is refused with another.
func TestTokens(t *testing.T) {
	e := newEnv(t)
	id, _ := e.dataIntegration("associated")
	for path, in := range map[string]object{
		"/dataIntegrations":  {"Name": "d", "KmsKey": key, "SourceURI": "s3://bucket/in", "Tags": object{"a": "1", "b": "2"}},
		"/eventIntegrations": event("e"), "/applications": application("a"),
		"/dataIntegrations/" + id + "/associations": {"DestinationURI": "s3://other/out", "ExecutionConfiguration": onDemand()},
	} {
		in["ClientToken"] = "token"
		first := e.must("POST", path, in)
		if again := e.must("POST", path, in); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("%s: %v and then %v", path, first, again)
		}
		in["Description"], in["ClientId"] = "another", "another"
		if strings.HasSuffix(path, "associations") {
			delete(in, "Description")
		} else {
			delete(in, "ClientId")
		}
		e.refused("InvalidRequestException", "POST", path, in)
	}
	if list := e.must("GET", "/dataIntegrations/"+id+"/associations", nil)["DataIntegrationAssociations"].([]any); len(list) != 1 {
		t.Errorf("%d associations", len(list))
	}
}

// A list read page by page is the whole list, in order and without repetition.
func TestPaging(t *testing.T) {
	e := relaxed(t)
	id, _ := e.dataIntegration("d0")
	e.must("POST", "/eventIntegrations", event("e0"))
	app := e.must("POST", "/applications", application("a0"))["Id"].(string)
	for n := range 5 {
		e.dataIntegration(fmt.Sprint("d", n+1))
		e.must("POST", "/eventIntegrations", event(fmt.Sprint("e", n+1)))
		e.must("POST", "/applications", application(fmt.Sprint("a", n+1)))
		e.must("POST", "/dataIntegrations/"+id+"/associations", object{"ClientId": fmt.Sprint("c", n)})
		for _, path := range []string{"/_penstock/event-integrations/e0/associations", "/_penstock/applications/" + app + "/associations"} {
			if code, out := e.control("POST", path, object{"clientId": fmt.Sprint("c", n)}); code != http.StatusOK {
				t.Fatal(code, out)
			}
		}
	}
	tokens := map[string]string{}
	for path, member := range map[string][2]string{
		"/dataIntegrations":                         {"DataIntegrations", "Name"},
		"/dataIntegrations/" + id + "/associations": {"DataIntegrationAssociations", "ClientId"},
		"/eventIntegrations":                        {"EventIntegrations", "Name"},
		"/eventIntegrations/e0/associations":        {"EventIntegrationAssociations", "ClientId"},
		"/applications":                             {"Applications", "Name"},
		"/applications/" + app + "/associations":    {"ApplicationAssociations", "ClientId"},
	} {
		var want []string
		for size := range 8 {
			var got []string
			query := "?"
			if size > 0 {
				query = fmt.Sprintf("?maxResults=%d", size)
			}
			for token := ""; ; {
				out := e.must("GET", path+query+token, nil)
				for _, one := range out[member[0]].([]any) {
					got = append(got, one.(object)[member[1]].(string))
				}
				next, more := out["NextToken"].(string)
				if !more {
					break
				}
				tokens[path] = next
				token = "&nextToken=" + url.QueryEscape(next)
			}
			if want == nil {
				want = got
			}
			if !slices.Equal(got, want) || len(got) < 5 || !slices.IsSorted(got) {
				t.Errorf("%s by %d gives %v, want %v", path, size, got, want)
			}
		}
	}
	for path := range tokens {
		for other, token := range tokens {
			if other != path {
				e.refused("InvalidRequestException", "GET", path+"?nextToken="+url.QueryEscape(token), nil)
			}
		}
		e.refused("InvalidRequestException", "GET", path+"?nextToken=nonsense", nil)
		for _, size := range []string{"0", "51", "-1", "many"} {
			if w := e.call("GET", path+"?maxResults="+size, nil); w.Code != http.StatusBadRequest {
				t.Errorf("%s?maxResults=%s: %d", path, size, w.Code)
			}
		}
	}
}

// What is used is not deleted, and what was used once is not used again.
func TestDeletion(t *testing.T) {
	e := newEnv(t)
	id, _ := e.dataIntegration("d")
	path := "/dataIntegrations/" + id
	link := e.must("POST", path+"/associations", object{})["DataIntegrationAssociationId"].(string)
	e.refused("InvalidRequestException", "DELETE", path, nil)
	e.refused("InvalidRequestException", "POST", path+"/associations", object{})
	if code, out := e.control("DELETE", "/_penstock"+strings.Replace(path, "dataIntegrations", "data-integrations", 1)+"/associations/"+link, nil); code != http.StatusOK {
		t.Fatal(code, out)
	}
	e.refused("InvalidRequestException", "POST", path+"/associations", object{}) // once is once
	e.must("DELETE", path, nil)
	e.refused("ResourceNotFoundException", "DELETE", path, nil)

	e.must("POST", "/eventIntegrations", event("e"))
	_, made := e.control("POST", "/_penstock/event-integrations/e/associations", object{"clientId": "client", "clientAssociationMetadata": object{"k": "v"}})
	got := e.must("GET", "/eventIntegrations/e/associations", nil)["EventIntegrationAssociations"].([]any)[0].(object)
	if got["EventIntegrationAssociationId"] != made["id"] || got["EventIntegrationAssociationArn"] != prefix+"event-integration-association/e/"+made["id"].(string) || got["EventBridgeRuleName"] == "" {
		t.Errorf("the association is %v", got)
	}
	e.refused("InvalidRequestException", "DELETE", "/eventIntegrations/e", nil)
	if code, _ := e.control("DELETE", "/_penstock/event-integrations/other/associations/"+made["id"].(string), nil); code != http.StatusNotFound {
		t.Errorf("it was deleted from another integration: %d", code)
	}
	e.control("DELETE", "/_penstock/event-integrations/e/associations/"+made["id"].(string), nil)
	e.must("DELETE", "/eventIntegrations/e", nil)
	e.refused("ResourceNotFoundException", "DELETE", "/eventIntegrations/e", nil)

	app := e.must("POST", "/applications", application("a"))["Id"].(string)
	_, made = e.control("POST", "/_penstock/applications/"+app+"/associations", object{"clientId": "client"})
	e.refused("InvalidRequestException", "DELETE", "/applications/"+app, nil)
	e.control("DELETE", "/_penstock/applications/"+app+"/associations/"+made["id"].(string), nil)
	e.must("DELETE", "/applications/"+app, nil)
	e.refused("ResourceNotFoundException", "DELETE", "/applications/"+app, nil)
}

// All six kinds of resources have tags.
func TestTags(t *testing.T) {
	e := newEnv(t)
	id, arn := e.dataIntegration("d")
	link := e.must("POST", "/dataIntegrations/"+id+"/associations", object{})["DataIntegrationAssociationId"].(string)
	app := e.must("POST", "/applications", application("a"))
	_, appLink := e.control("POST", "/_penstock/applications/"+app["Id"].(string)+"/associations", object{"clientId": "client"})
	ev := e.must("POST", "/eventIntegrations", event("crm/events"))
	_, evLink := e.control("POST", "/_penstock/event-integrations/"+url.QueryEscape("crm/events")+"/associations", object{"clientId": "client"})
	for _, resource := range []string{
		arn, prefix + "data-integration-association/" + id + "/" + link, app["Arn"].(string), appLink["arn"].(string), ev["EventIntegrationArn"].(string), evLink["arn"].(string),
	} {
		path := "/tags/" + url.QueryEscape(resource)
		e.must("POST", path, object{"tags": object{"env": "dev", "team": "a"}})
		e.must("POST", path, object{"tags": object{"team": "b", "empty": ""}})
		e.must("DELETE", path+"?tagKeys=env&tagKeys=nothing", nil)
		if got := e.must("GET", path, nil)["tags"]; fmt.Sprint(got) != "map[empty: team:b]" {
			t.Errorf("%s has %v", resource, got)
		}
		if len(resource) > 40 {
			e.refused("ResourceNotFoundException", "GET", "/tags/"+url.QueryEscape(resource[:len(resource)-1]+"x"), nil)
		}
	}
	many := func(from, n int) object {
		out := object{}
		for i := from; i < from+n; i++ {
			out[fmt.Sprint("k", i)] = "v"
		}
		return object{"tags": out}
	}
	path := "/tags/" + url.QueryEscape(arn)
	e.must("POST", path, many(0, 198))
	e.refused("InvalidRequestException", "POST", path, many(198, 1))
	e.refused("InvalidRequestException", "POST", path, object{"tags": object{"aws:x": "v"}})
	for _, wrong := range []string{"arn:aws:s3:::bucket", prefix + "nothing/x", prefix + "data-integration/", strings.Replace(arn, account, "210987654321", 1)} {
		if w := e.call("GET", "/tags/"+url.QueryEscape(wrong), nil); w.Code != http.StatusNotFound && w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", wrong, w.Code, w.Body)
		}
	}
}

// Executions are listed with their windows and figures, newest first, and can be asked for and cancelled.
func TestControl(t *testing.T) {
	e := newEnv(t)
	id, arn := e.dataIntegration("d")
	link := e.must("POST", "/dataIntegrations/"+id+"/associations", object{"DestinationURI": "s3://other/out", "ExecutionConfiguration": onDemand()})["DataIntegrationAssociationId"].(string)
	path := "/_penstock/data-integrations/" + url.QueryEscape(arn) + "/associations/" + link
	code, a := e.control("GET", path, nil)
	if code != http.StatusOK || a["lastStatus"] != "WAITING" || a["executionMode"] != "ON_DEMAND" || a["destinationUri"] != "s3://other/out" {
		t.Errorf("the association is %d %v", code, a)
	}
	code, made := e.control("POST", path+"/executions", object{"startTime": "2024-01-01T00:00:00Z", "endTime": "2025-01-01T00:00:00Z"})
	if code != http.StatusOK || made["from"] != "2024-01-01T00:00:00Z" || made["trigger"] != "REQUEST" || made["status"] != "WAITING" {
		t.Errorf("asked for %d %v", code, made)
	}
	_, list := e.control("GET", path+"/executions?maxResults=1", nil)
	first := list["executions"].([]any)
	if len(first) != 1 || first[0].(object)["id"] != made["id"] || list["nextToken"] == nil {
		t.Errorf("the list is %v", list)
	}
	_, list = e.control("GET", path+"/executions?nextToken="+list["nextToken"].(string), nil)
	if rest := list["executions"].([]any); len(rest) != 1 || rest[0].(object)["trigger"] != "CREATION" || list["nextToken"] != nil {
		t.Errorf("the list goes on with %v", list)
	}
	one := path + "/executions/" + made["id"].(string)
	if code, got := e.control("GET", one, nil); code != http.StatusOK || fmt.Sprint(got) != fmt.Sprint(made) {
		t.Errorf("one is %d %v, want %v", code, got, made)
	}
	if code, got := e.control("POST", one+"/cancel", nil); code != http.StatusOK || got["status"] != "CANCELED" {
		t.Errorf("cancelled %d %v", code, got)
	}
	status := e.must("GET", "/dataIntegrations/"+id+"/associations", nil)["DataIntegrationAssociations"].([]any)[0].(object)["LastExecutionStatus"].(object)
	if status["ExecutionStatus"] != "FAILED" || !strings.Contains(status["StatusMessage"].(string), "Canceled") {
		t.Errorf("the last status is %v", status)
	}
	for _, bad := range []struct {
		method, path string
		in           any
		code         int
	}{
		{"POST", one + "/cancel", nil, http.StatusConflict},
		{"GET", path + "/executions/" + fronttest.ID(99), nil, http.StatusNotFound},
		{"GET", path + "/executions?maxResults=0", nil, http.StatusBadRequest},
		{"GET", path + "/executions?maxResults=x", nil, http.StatusBadRequest},
		{"GET", path + "/executions?nextToken=x", nil, http.StatusBadRequest},
		{"POST", path + "/executions", object{"startTime": "yesterday"}, http.StatusBadRequest},
		{"POST", path + "/executions", object{"endTime": "1715278292014"}, http.StatusBadRequest},
		{"POST", path + "/executions", object{"nonsense": 1}, http.StatusBadRequest},
		{"POST", path + "/executions", []int{1}, http.StatusBadRequest},
		{"PUT", path, nil, http.StatusNotFound},
		{"DELETE", strings.Replace(path, link, fronttest.ID(99), 1), nil, http.StatusNotFound},
		{"GET", "/_penstock/data-integrations/nothing/associations/" + link, nil, http.StatusNotFound},
		{"POST", "/_penstock/event-integrations/nothing/associations", object{"clientId": "c"}, http.StatusNotFound},
		{"POST", "/_penstock/event-integrations/nothing/associations", object{"clientId": ""}, http.StatusBadRequest},
		{"POST", "/_penstock/applications/nothing/associations", object{"clientId": "c"}, http.StatusNotFound},
		{"POST", "/_penstock/applications/nothing/associations", object{"clientId": strings.Repeat("c", 256)}, http.StatusBadRequest},
		{"GET", "/_penstock/applications/", nil, http.StatusNotFound},
	} {
		if code, out := e.control(bad.method, bad.path, bad.in); code != bad.code || out["message"] == "" {
			t.Errorf("%s %s %v: %d %v, want %d", bad.method, bad.path, bad.in, code, out, bad.code)
		}
	}
}
