package appintegrations_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/penstock-io/penstock/internal/appint"
	api "github.com/penstock-io/penstock/internal/awsapi/appintegrations"
	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/wire"
)

func TestDeclared(t *testing.T) {
	after := func(first func(env), op, method, path string, e *wire.ErrorShape, in any) fronttest.Case[env] {
		return fronttest.Case[env]{Operation: op, Error: e, Request: func(_ *testing.T, e env) *http.Request {
			first(e)
			return request(method, path, in)
		}}
	}
	plain := func(op, method, path string, e *wire.ErrorShape, in any) fronttest.Case[env] {
		return after(func(env) {}, op, method, path, e, in)
	}
	broken := func(e env) {
		e.Break("client_token", "execution", "data_association", "event_association", "application_association", "data_integration", "event_integration", "application")
	}
	var (
		data    = object{"Name": "d", "KmsKey": key, "SourceURI": "s3://bucket/in"}
		nobody  = fronttest.ID(99)
		arn     = prefix + "data-integration/" + nobody
		first   = fronttest.ID(3) // the first id after those of the default data warehouse
		link    = object{"DestinationURI": "s3://other/out", "ExecutionConfiguration": onDemand()}
		makeD   = func(e env) { e.must("POST", "/dataIntegrations", data) }
		makeE   = func(e env) { e.must("POST", "/eventIntegrations", event("e")) }
		makeA   = func(e env) { e.must("POST", "/applications", application("a")) }
		escaped = url.QueryEscape(arn)
		run     = object{"ExecutionConfiguration": onDemand()}
		invalid = api.ErrInvalidRequestException
		missing = api.ErrResourceNotFoundException
	)
	var cases []fronttest.Case[env]
	for _, c := range []struct {
		op, method, path string
		in               any
	}{
		{"CreateDataIntegration", "POST", "/dataIntegrations", data}, {"GetDataIntegration", "GET", "/dataIntegrations/d", nil}, {"ListDataIntegrations", "GET", "/dataIntegrations", nil},
		{"UpdateDataIntegration", "PATCH", "/dataIntegrations/d", object{}}, {"DeleteDataIntegration", "DELETE", "/dataIntegrations/d", nil},
		{"CreateDataIntegrationAssociation", "POST", "/dataIntegrations/d/associations", link}, {"ListDataIntegrationAssociations", "GET", "/dataIntegrations/d/associations", nil},
		{"UpdateDataIntegrationAssociation", "PATCH", "/dataIntegrations/d/associations/a", run},
		{"CreateEventIntegration", "POST", "/eventIntegrations", event("e")}, {"GetEventIntegration", "GET", "/eventIntegrations/e", nil}, {"ListEventIntegrations", "GET", "/eventIntegrations", nil},
		{"UpdateEventIntegration", "PATCH", "/eventIntegrations/e", object{}}, {"DeleteEventIntegration", "DELETE", "/eventIntegrations/e", nil},
		{"ListEventIntegrationAssociations", "GET", "/eventIntegrations/e/associations", nil},
		{"CreateApplication", "POST", "/applications", application("a")}, {"GetApplication", "GET", "/applications/" + nobody, nil}, {"ListApplications", "GET", "/applications", nil},
		{"UpdateApplication", "PATCH", "/applications/" + nobody, object{}}, {"DeleteApplication", "DELETE", "/applications/" + nobody, nil},
		{"ListApplicationAssociations", "GET", "/applications/" + nobody + "/associations", nil},
		{"ListTagsForResource", "GET", "/tags/" + escaped, nil}, {"TagResource", "POST", "/tags/" + escaped, object{"tags": object{"a": "b"}}}, {"UntagResource", "DELETE", "/tags/" + escaped + "?tagKeys=a", nil},
	} {
		cases = append(cases, after(broken, c.op, c.method, c.path, api.ErrInternalServiceError, c.in))
	}
	cases = append(cases,
		plain("CreateDataIntegration", "POST", "/dataIntegrations", invalid, object{"Name": "d", "KmsKey": key, "SourceURI": "ftp://host/in"}),
		after(makeD, "CreateDataIntegration", "POST", "/dataIntegrations", api.ErrDuplicateResourceException, data),
		after(func(e env) {
			for n := range appint.DefaultQuotas().DataIntegrations {
				e.dataIntegration(fmt.Sprint("x", n))
			}
		}, "CreateDataIntegration", "POST", "/dataIntegrations", api.ErrResourceQuotaExceededException, data),
		plain("GetDataIntegration", "GET", "/dataIntegrations/"+escaped, missing, nil),
		plain("GetDataIntegration", "GET", "/dataIntegrations/%20", invalid, nil),
		plain("ListDataIntegrations", "GET", "/dataIntegrations?nextToken=nonsense", invalid, nil),
		plain("UpdateDataIntegration", "PATCH", "/dataIntegrations/d", missing, object{"Description": "x"}),
		after(func(e env) { makeD(e); e.dataIntegration("taken") }, "UpdateDataIntegration", "PATCH", "/dataIntegrations/d", invalid, object{"Name": "taken"}),
		plain("DeleteDataIntegration", "DELETE", "/dataIntegrations/d", missing, nil),
		after(func(e env) { makeD(e); e.must("POST", "/dataIntegrations/d/associations", object{}) }, "DeleteDataIntegration", "DELETE", "/dataIntegrations/d", invalid, nil),

		plain("CreateDataIntegrationAssociation", "POST", "/dataIntegrations/d/associations", missing, link),
		after(func(e env) { makeD(e); e.must("POST", "/dataIntegrations/d/associations", link) }, "CreateDataIntegrationAssociation", "POST", "/dataIntegrations/d/associations", invalid, link),
		plain("ListDataIntegrationAssociations", "GET", "/dataIntegrations/d/associations", missing, nil),
		after(makeD, "ListDataIntegrationAssociations", "GET", "/dataIntegrations/d/associations?maxResults=51", invalid, nil),
		plain("UpdateDataIntegrationAssociation", "PATCH", "/dataIntegrations/d/associations/a", missing, run),
		after(func(e env) { makeD(e); e.must("POST", "/dataIntegrations/d/associations", link) }, "UpdateDataIntegrationAssociation", "PATCH",
			"/dataIntegrations/d/associations/"+fronttest.ID(4), invalid, object{"ExecutionConfiguration": object{"ExecutionMode": "SCHEDULED"}}),
		after(func(e env) {
			makeD(e)
			e.must("POST", "/dataIntegrations/d/associations", link)
			for range appint.MaxWaiting - 1 {
				e.must("PATCH", "/dataIntegrations/d/associations/"+fronttest.ID(4), run)
			}
		}, "UpdateDataIntegrationAssociation", "PATCH", "/dataIntegrations/d/associations/"+fronttest.ID(4), api.ErrThrottlingException, run),

		plain("CreateEventIntegration", "POST", "/eventIntegrations", invalid, object{"Name": "e", "EventFilter": object{"Source": "nobody"}, "EventBridgeBus": "default"}),
		after(makeE, "CreateEventIntegration", "POST", "/eventIntegrations", api.ErrDuplicateResourceException, event("e")),
		after(func(e env) {
			for n := range appint.DefaultQuotas().EventIntegrations {
				e.must("POST", "/eventIntegrations", event(fmt.Sprint("x", n)))
			}
		}, "CreateEventIntegration", "POST", "/eventIntegrations", api.ErrResourceQuotaExceededException, event("e")),
		plain("GetEventIntegration", "GET", "/eventIntegrations/e", missing, nil),
		plain("GetEventIntegration", "GET", "/eventIntegrations/a%20b", invalid, nil),
		plain("ListEventIntegrations", "GET", "/eventIntegrations?maxResults=0", invalid, nil),
		plain("UpdateEventIntegration", "PATCH", "/eventIntegrations/e", missing, object{"Description": "x"}),
		plain("UpdateEventIntegration", "PATCH", "/eventIntegrations/a%20b", invalid, object{}),
		plain("DeleteEventIntegration", "DELETE", "/eventIntegrations/e", missing, nil),
		after(func(e env) {
			makeE(e)
			e.control("POST", "/_penstock/event-integrations/e/associations", object{"clientId": "c"})
		},
			"DeleteEventIntegration", "DELETE", "/eventIntegrations/e", invalid, nil),
		plain("ListEventIntegrationAssociations", "GET", "/eventIntegrations/e/associations", missing, nil),
		after(makeE, "ListEventIntegrationAssociations", "GET", "/eventIntegrations/e/associations?nextToken=nonsense", invalid, nil),

		plain("CreateApplication", "POST", "/applications", invalid, object{"Name": "a", "Namespace": "n", "ApplicationSourceConfig": object{}}),
		after(makeA, "CreateApplication", "POST", "/applications", api.ErrDuplicateResourceException, application("a")),
		after(func(e env) {
			for n := range appint.DefaultQuotas().Applications {
				e.must("POST", "/applications", application(fmt.Sprint("x", n)))
			}
		}, "CreateApplication", "POST", "/applications", api.ErrResourceQuotaExceededException, application("a")),
		plain("CreateApplication", "POST", "/applications", api.ErrUnsupportedOperationException, object{
			"Name": "a", "Namespace": "n", "ApplicationSourceConfig": application("a")["ApplicationSourceConfig"], "IsService": true, "ApplicationType": "MCP_SERVER",
		}),
		plain("GetApplication", "GET", "/applications/"+nobody, missing, nil),
		plain("GetApplication", "GET", "/applications/nothing", invalid, nil),
		plain("ListApplications", "GET", "/applications?applicationType=TOY", invalid, nil),
		plain("UpdateApplication", "PATCH", "/applications/"+nobody, missing, object{"Description": "x"}),
		after(func(e env) { makeA(e); e.must("POST", "/applications", application("taken")) }, "UpdateApplication", "PATCH", "/applications/"+first, invalid, object{"Name": "taken"}),
		after(makeA, "UpdateApplication", "PATCH", "/applications/"+first, api.ErrUnsupportedOperationException, object{"ApplicationType": "MCP_SERVER"}),
		plain("DeleteApplication", "DELETE", "/applications/"+nobody, missing, nil),
		after(func(e env) {
			makeA(e)
			e.control("POST", "/_penstock/applications/"+first+"/associations", object{"clientId": "c"})
		},
			"DeleteApplication", "DELETE", "/applications/"+first, invalid, nil),
		plain("ListApplicationAssociations", "GET", "/applications/"+nobody+"/associations", missing, nil),
		after(makeA, "ListApplicationAssociations", "GET", "/applications/"+first+"/associations?maxResults=99", invalid, nil),

		plain("TagResource", "POST", "/tags/"+escaped, missing, object{"tags": object{"a": "b"}}),
		plain("TagResource", "POST", "/tags/"+escaped, invalid, object{"tags": object{}}),
		plain("UntagResource", "DELETE", "/tags/"+escaped+"?tagKeys=a", missing, nil),
		plain("UntagResource", "DELETE", "/tags/"+escaped, invalid, nil),
		plain("ListTagsForResource", "GET", "/tags/"+escaped, missing, nil),
		plain("ListTagsForResource", "GET", "/tags/nothing", invalid, nil),
	)
	never := []fronttest.Never{
		fronttest.Cannot("", api.ErrAccessDeniedException, "there is one account, and its root credential may do everything; a bad signature has errors of its own"),
		fronttest.Cannot("CreateDataIntegrationAssociation", api.ErrResourceQuotaExceededException, "a data integration is associated once, so there are never ten; TestQuota has the server that allows more"),
	}
	for _, op := range newEnv(t).service.Operations {
		if op.Name != "UpdateDataIntegrationAssociation" {
			never = append(never, fronttest.Cannot(op.Name, api.ErrThrottlingException, "nothing limits the rate of these calls; a full disk is told this way too, and is tested with the store"))
		}
	}
	fronttest.Declared(t, "testdata/errors.txtar", newEnv(t).service, newEnv, cases, never)
}

// Where a data integration may be associated more than once, ten times is enough.
func TestQuota(t *testing.T) {
	e := relaxed(t)
	e.dataIntegration("d")
	for range appint.DefaultQuotas().AssociationsPerIntegration {
		e.must("POST", "/dataIntegrations/d/associations", object{})
	}
	if w := e.call("POST", "/dataIntegrations/d/associations", object{}); w.Code != http.StatusTooManyRequests {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	e.refused("ResourceQuotaExceededException", "POST", "/dataIntegrations/d/associations", object{})
}

// Bad input gets the error that fits and changes nothing.
func TestHostile(t *testing.T) {
	data := func(member string, value any) object {
		return object{"Name": "bad", "KmsKey": key, "SourceURI": "s3://bucket/in", member: value}
	}
	schedule := func(expression string) object {
		return data("ScheduleConfig", object{"ScheduleExpression": expression})
	}
	link := func(run object) object {
		return object{"DestinationURI": "s3://other/out", "ExecutionConfiguration": run}
	}
	at := func(start, end string) object {
		window := object{"StartTime": start}
		if end != "" {
			window["EndTime"] = end
		}
		return link(object{"ExecutionMode": "ON_DEMAND", "OnDemandConfiguration": window})
	}
	cron := func(expression string) object {
		return link(object{"ExecutionMode": "SCHEDULED", "ScheduleConfiguration": object{"ScheduleExpression": expression}})
	}
	app := func(member string, value any) object {
		a := application("bad")
		a[member] = value
		return a
	}
	const invalid, mistyped = "InvalidRequestException", "SerializationException"
	table := []struct {
		method, path string
		in           any
		code         string
	}{
		{"POST", "/dataIntegrations", object{}, invalid},
		{"POST", "/dataIntegrations", []int{1}, mistyped},
		{"POST", "/dataIntegrations", data("Name", 7), mistyped},
		{"POST", "/dataIntegrations", data("Name", "a b"), invalid},
		{"POST", "/dataIntegrations", data("nonsense", 1), invalid},
		{"POST", "/dataIntegrations", data("KmsKey", " "), invalid},
		{"POST", "/dataIntegrations", data("KmsKey", "not a key"), invalid},
		{"POST", "/dataIntegrations", data("KmsKey", "arn:aws:s3:::bucket"), invalid},
		{"POST", "/dataIntegrations", data("SourceURI", "bucket/in"), invalid},
		{"POST", "/dataIntegrations", data("SourceURI", "gopher://host/in"), invalid},
		{"POST", "/dataIntegrations", data("SourceURI", "junk, s3://bucket/in,x"), invalid},
		{"POST", "/dataIntegrations", data("SourceURI", "s3://Bucket_/in"), invalid},
		{"POST", "/dataIntegrations", data("SourceURI", "AmazonConnect://AppIntegrations"), invalid},
		{"POST", "/dataIntegrations", data("SourceURI", "SharePoint://AppFlow/test"), invalid},
		{"POST", "/dataIntegrations", data("SourceURI", "Salesforce://AppFlow/missing"), invalid},
		{"POST", "/dataIntegrations", data("SourceURI", "Salesforce://AppFlow"), invalid},
		{"POST", "/dataIntegrations", data("SourceURI", "Salesforce://Elsewhere/test"), invalid},
		{"POST", "/dataIntegrations", schedule("whenever"), invalid},
		{"POST", "/dataIntegrations", schedule("rate(5 minute)"), invalid},
		{"POST", "/dataIntegrations", schedule("cron(0 12 * * * *)"), invalid},
		{"POST", "/dataIntegrations", schedule("cron(0 12 * * ? 2020)"), invalid},
		{"POST", "/dataIntegrations", schedule("at(2020-01-01T00:00:00)"), invalid},
		{"POST", "/dataIntegrations", data("ScheduleConfig", object{"ScheduleExpression": "rate(1 hour)", "FirstExecutionFrom": "soon"}), invalid},
		{"POST", "/dataIntegrations", data("ScheduleConfig", object{"ScheduleExpression": "rate(1 hour)", "FirstExecutionFrom": "99999999999999"}), invalid},
		{"POST", "/dataIntegrations", data("ScheduleConfig", object{"Object": "Account"}), invalid},
		{"POST", "/dataIntegrations", data("FileConfiguration", object{"Folders": []string{}}), invalid},
		{"POST", "/dataIntegrations", data("ObjectConfiguration", object{"a": object{"b": []string{}}}), invalid},
		{"POST", "/dataIntegrations", data("Tags", object{"aws:x": "v"}), invalid},
		{"POST", "/dataIntegrations", data("ClientToken", ""), invalid},
		{"POST", "/dataIntegrations/d/associations", link(object{}), invalid},
		{"POST", "/dataIntegrations/d/associations", link(object{"ExecutionMode": "LATER"}), invalid},
		{"POST", "/dataIntegrations/d/associations", link(object{"ExecutionMode": "ON_DEMAND"}), invalid},
		{"POST", "/dataIntegrations/d/associations", link(object{"ExecutionMode": "SCHEDULED"}), invalid},
		{"POST", "/dataIntegrations/d/associations", link(object{"ExecutionMode": "ON_DEMAND", "ScheduleConfiguration": object{"ScheduleExpression": "rate(1 hour)"}}), invalid},
		{"POST", "/dataIntegrations/d/associations", link(object{"ExecutionMode": "SCHEDULED", "OnDemandConfiguration": object{"StartTime": "1"}, "ScheduleConfiguration": object{"ScheduleExpression": "rate(1 hour)"}}), invalid},
		{"POST", "/dataIntegrations/d/associations", at("yesterday", ""), invalid},
		{"POST", "/dataIntegrations/d/associations", at("-1", ""), invalid},
		{"POST", "/dataIntegrations/d/associations", at("1715278292014", "1715278292014"), invalid},
		{"POST", "/dataIntegrations/d/associations", at("1715278292014", "1715278292013"), invalid},
		{"POST", "/dataIntegrations/d/associations", at("4102444800000", ""), invalid},
		{"POST", "/dataIntegrations/d/associations", at("1715278292014", "99999999999999999999"), invalid},
		{"POST", "/dataIntegrations/d/associations", cron("rate(0 minutes)"), invalid},
		{"POST", "/dataIntegrations/d/associations", cron("cron(0 0 30 2 ? *)"), invalid},
		{"POST", "/dataIntegrations/d/associations", object{"ExecutionConfiguration": onDemand()}, invalid}, // nowhere to write to
		{"POST", "/dataIntegrations/d/associations", object{"DestinationURI": "ftp://host/out"}, invalid},
		{"POST", "/dataIntegrations/d/associations", object{"DestinationURI": "s3://A/out"}, invalid},
		{"POST", "/dataIntegrations/d/associations", object{"DestinationURI": "redshift://default/dev/table"}, invalid},
		{"POST", "/dataIntegrations/nosource/associations", link(onDemand()), invalid},
		{"POST", "/dataIntegrations/records/associations", object{"ObjectConfiguration": object{"Salesforce": object{"Account": []string{"Secret"}}}, "DestinationURI": "s3://other/out"}, invalid},
		{"POST", "/dataIntegrations/records/associations", object{"ObjectConfiguration": object{"Salesforce": object{"Contact": []string{"Id"}}}, "DestinationURI": "s3://other/out"}, invalid},
		{"POST", "/eventIntegrations", object{"Name": "e", "EventBridgeBus": "default"}, invalid},
		{"POST", "/eventIntegrations", object{"Name": "e", "EventFilter": object{"Source": "aws.partner/x"}, "EventBridgeBus": "a b"}, invalid},
		{"POST", "/applications", app("Namespace", "a b"), invalid},
		{"POST", "/applications", app("InitializationTimeout", 0), invalid},
		{"POST", "/applications", app("InitializationTimeout", 600001), invalid},
		{"POST", "/applications", app("ApplicationType", "TOY"), invalid},
		{"POST", "/applications", app("Permissions", []string{"a b"}), invalid},
		{"POST", "/applications", app("Subscriptions", []object{{"Event": "no colons"}}), invalid},
		{"POST", "/applications", app("IframeConfig", object{"Allow": []string{"UPPER"}}), invalid},
		{"POST", "/applications", app("ApplicationConfig", object{"ContactHandling": object{"Scope": "ALL"}}), invalid},
		{"POST", "/applications", app("ApplicationType", "SERVICE"), ""}, // the one that is fine
		{"POST", "/applications", object{"Name": "m", "Namespace": "m", "ApplicationType": "MCP_SERVER", "ApplicationSourceConfig": object{"ExternalUrlConfig": object{"AccessUrl": "stdio://tool"}}}, invalid},
		{"GET", "/dataIntegrations?unknown=1", nil, invalid},
		{"GET", "/dataIntegrations/" + url.QueryEscape("a\x00b"), nil, "ResourceNotFoundException"},
		{"PUT", "/dataIntegrations/d", object{}, "UnknownOperationException"},
		{"GET", "/nothing", nil, "UnknownOperationException"},
	}
	e := newEnv(t)
	e.dataIntegration("d")
	e.must("POST", "/dataIntegrations", object{"Name": "nosource", "KmsKey": key})
	e.must("POST", "/dataIntegrations", object{"Name": "records", "KmsKey": key, "SourceURI": "Salesforce://AppFlow/test", "ObjectConfiguration": object{"Salesforce": object{"Account": []string{"Id", "Name"}}}})
	state := func() string {
		return fmt.Sprint(e.must("GET", "/dataIntegrations", nil), e.must("GET", "/eventIntegrations", nil), e.must("GET", "/dataIntegrations/d/associations", nil), e.must("GET", "/dataIntegrations/records/associations", nil))
	}
	before := state()
	for _, bad := range table {
		t.Run(fmt.Sprintf("%s %s %.80v", bad.method, bad.path, bad.in), func(t *testing.T) {
			w := e.call(bad.method, bad.path, bad.in)
			if code, message := fronttest.ErrorOf(t, w); code != bad.code || w.Code >= 500 || bad.code != "" && message == "" {
				t.Errorf("got %d %s %q, want %s", w.Code, code, message, bad.code)
			}
		})
	}
	if after := state(); after != before {
		t.Errorf("refused requests changed something: %s, before: %s", after, before)
	}
}
