package invoke_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/action/invoke"
)

// expectation is a call and the request that the vendor's own documentation asks for, written by hand.
type expectation struct {
	action, arguments string
	want              string // method, path and query
	body              string // JSON; empty for none
}

type vendorCase struct {
	typ    string
	auth   invoke.Auth
	header map[string]string // of every request
	calls  []expectation
}

func table(typ string, auth invoke.Auth, header map[string]string, calls ...expectation) vendorCase {
	return vendorCase{typ, auth, header, calls}
}

const (
	graphMeeting = `{"subject":"Stand-up","start":{"dateTime":"2026-03-01T09:00:00","timeZone":"Europe/Berlin"},"end":"2026-03-01T09:15:00Z","attendees":["a@example.com"],"location":"Room 1"}`
	graphWants   = `{"subject":"Stand-up","start":{"dateTime":"2026-03-01T09:00:00","timeZone":"Europe/Berlin"},"end":{"dateTime":"2026-03-01T09:15:00","timeZone":"UTC"},
		"attendees":[{"type":"required","emailAddress":{"address":"a@example.com"}}],"location":{"displayName":"Room 1"}}`
	target = "X-Amz-Target"
)

func vendorCases() []vendorCase {
	bearer := map[string]string{"Authorization": "Bearer tok", "Accept": "application/json"}
	return []vendorCase{
		table("SERVICENOW_NOW_PLATFORM", signIn("tok"), bearer,
			expectation{"ListIncidents", `{"sysparm_query":"active=true","sysparm_limit":5,"sysparm_offset":10}`, "GET /api/now/table/incident?sysparm_query=active%3Dtrue&sysparm_limit=5&sysparm_offset=10", ""},
			expectation{"ListIncidents", `{"sysparm_query":"active=true","filters":[{"field":"short_description","operator":"LIKE","value":"a^b^ORc=d"},{"field":"priority","value":1},{"field":"state","operator":"IN","value":[1,2]},{"field":"closed_at","operator":"ISEMPTY"}]}`,
				"GET /api/now/table/incident?sysparm_query=active%3Dtrue%5Eshort_descriptionLIKEa%5E%5Eb%5E%5EORc%3Dd%5Epriority%3D1%5EstateIN1%2C2%5Eclosed_atISEMPTY", ""},
			expectation{"CreateIncident", `{"short_description":"Printer on fire","urgency":"1","u_floor":3,"sysparm_input_display_value":true}`, "POST /api/now/table/incident?sysparm_input_display_value=true", `{"short_description":"Printer on fire","urgency":"1","u_floor":3}`},
			expectation{"UpdateIncident", `{"sys_id":"9c5","state":"6"}`, "PATCH /api/now/table/incident/9c5", `{"state":"6"}`},
			expectation{"DeleteProblem", `{"sys_id":"9c5"}`, "DELETE /api/now/table/problem/9c5", ""},
			expectation{"RetrieveAttachmentsMetadata", `{}`, "GET /api/now/attachment", ""},
			expectation{"CreateKnowledgeBaseArticle", `{"short_description":"How to","kb_knowledge_base":"kb1","text":"<p>x</p>"}`, "POST /api/now/table/kb_knowledge", `{"short_description":"How to","kb_knowledge_base":"kb1","text":"<p>x</p>"}`},
			expectation{"ListChoices", `{"sysparm_query":"name=incident^element=state"}`, "GET /api/now/table/sys_choice?sysparm_query=name%3Dincident%5Eelement%3Dstate", ""},
		),
		table("SALESFORCE_CRM", signIn("tok"), bearer,
			expectation{"GetListOfCases", `{"fields":["Id","Owner.Name"],"filters":[{"field":"Subject","value":"it's \\ 50%"},{"field":"CreatedDate","operator":">=","value":"2026-03-01T08:00:00Z"},{"field":"Status","operator":"IN","value":["New","On Hold"]},{"field":"ParentId","value":null}],"orderBy":"CreatedDate","descending":true,"limit":10,"offset":20}`,
				"GET /services/data/v60.0/query?q=SELECT%20Id%2C%20Owner.Name%20FROM%20Case%20WHERE%20Subject%20%3D%20%27it%5C%27s%20%5C%5C%2050%25%27%20AND%20CreatedDate%20%3E%3D%202026-03-01T08%3A00%3A00Z%20AND%20Status%20IN%20%28%27New%27%2C%20%27On%20Hold%27%29%20AND%20ParentId%20%3D%20null%20ORDER%20BY%20CreatedDate%20DESC%20LIMIT%2010%20OFFSET%2020", ""},
			expectation{"GetUserList", `{}`, "GET /services/data/v60.0/query?q=SELECT%20Id%2C%20Name%2C%20Email%2C%20IsActive%20FROM%20User", ""},
			expectation{"GetListOfContacts", `{"q":"SELECT Id FROM Contact WHERE Name = 'FROM Account'"}`, "GET /services/data/v60.0/query?q=SELECT%20Id%20FROM%20Contact%20WHERE%20Name%20%3D%20%27FROM%20Account%27", ""},
			expectation{"GetListOfCases", `{"nextPage":"/services/data/v60.0/query/01gD0000002HU6KIAW-2000"}`, "GET /services/data/v60.0/query/01gD0000002HU6KIAW-2000", ""},
			expectation{"GetCase", `{"id":"500D","fields":["Id","Subject"]}`, "GET /services/data/v60.0/sobjects/Case/500D?fields=Id%2CSubject", ""},
			expectation{"CreateCase", `{"Subject":"x","Custom__c":1}`, "POST /services/data/v60.0/sobjects/Case", `{"Subject":"x","Custom__c":1}`},
			expectation{"UpdateOpportunity", `{"id":"006D","StageName":"Closed Won"}`, "PATCH /services/data/v60.0/sobjects/Opportunity/006D", `{"StageName":"Closed Won"}`},
			expectation{"CreateOpportunity", `{"Name":"Deal","StageName":"Prospecting","CloseDate":"2026-12-31"}`, "POST /services/data/v60.0/sobjects/Opportunity", `{"Name":"Deal","StageName":"Prospecting","CloseDate":"2026-12-31"}`},
			expectation{"DeleteCase", `{"id":"500D"}`, "DELETE /services/data/v60.0/sobjects/Case/500D", ""},
			expectation{"DescribeSObject", `{"name":"Invoice__c"}`, "GET /services/data/v60.0/sobjects/Invoice__c/describe", ""},
		),
		table("MICROSOFT_OUTLOOK", signIn("tok"), bearer,
			expectation{"ListUserMails", `{"top":5,"select":["id","subject"],"filter":"isRead eq false"}`, "GET /v1.0/me/messages?$select=id%2Csubject&$top=5&$filter=isRead%20eq%20false", ""},
			expectation{"SendUserEmail", `{"message":{"subject":"Hi","body":"Hello","toRecipients":["a@example.com",{"emailAddress":{"address":"b@example.com","name":"B"}}]}}`, "POST /v1.0/me/sendMail",
				`{"message":{"subject":"Hi","body":{"contentType":"text","content":"Hello"},"toRecipients":[{"emailAddress":{"address":"a@example.com"}},{"emailAddress":{"address":"b@example.com","name":"B"}}]}}`},
			expectation{"ReplyToEmail", `{"id":"AAMk=","comment":"Thanks"}`, "POST /v1.0/me/messages/AAMk=/reply", `{"comment":"Thanks"}`},
			expectation{"ForwardUserEmail", `{"id":"AAMk=","toRecipients":["c@example.com"],"comment":"fyi"}`, "POST /v1.0/me/messages/AAMk=/forward", `{"toRecipients":[{"emailAddress":{"address":"c@example.com"}}],"comment":"fyi"}`},
			expectation{"MoveEmailToFolder", `{"id":"1","destinationId":"archive"}`, "POST /v1.0/me/messages/1/move", `{"destinationId":"archive"}`},
			expectation{"ListCalendarView", `{"startDateTime":"2026-03-01T00:00:00Z","endDateTime":"2026-03-02T00:00:00Z"}`, "GET /v1.0/me/calendarView?startDateTime=2026-03-01T00%3A00%3A00Z&endDateTime=2026-03-02T00%3A00%3A00Z", ""},
			expectation{"CreateCalendarEvent", graphMeeting, "POST /v1.0/me/events", graphWants},
			expectation{"ListUserMails", `{"userId":"u@example.com"}`, "GET /v1.0/users/u@example.com/messages", ""},
			expectation{"ListPlaces", `{}`, "GET /v1.0/places/microsoft.graph.room", ""},
		),
		table("MICROSOFT_OUTLOOK", application("tok"), bearer,
			expectation{"SendUserEmail", `{"userId":"u@example.com","message":{"subject":"Hi","body":"x","toRecipients":["a@example.com"]},"saveToSentItems":false}`, "POST /v1.0/users/u@example.com/sendMail",
				`{"message":{"subject":"Hi","body":{"contentType":"text","content":"x"},"toRecipients":[{"emailAddress":{"address":"a@example.com"}}]},"saveToSentItems":false}`},
			expectation{"ListUsers", `{}`, "GET /v1.0/users", ""},
		),
		table("PAGERDUTY_ADVANCE", key("pdkey", "me@example.com"), map[string]string{"Authorization": "Token token=pdkey", "Accept": "application/vnd.pagerduty+json;version=2"},
			expectation{"CreateIncident", `{"incident":{"title":"Down","service":{"id":"PS1"},"urgency":"high"}}`, "POST /incidents", `{"incident":{"type":"incident","title":"Down","service":{"id":"PS1","type":"service_reference"},"urgency":"high"}}`},
			expectation{"ListIncidents", `{"statuses":["triggered","acknowledged"],"limit":10,"offset":20}`, "GET /incidents?limit=10&offset=20&statuses%5B%5D=triggered&statuses%5B%5D=acknowledged", ""},
			expectation{"UpdateIncident", `{"id":"PI1","incident":{"status":"resolved"}}`, "PUT /incidents/PI1", `{"incident":{"type":"incident","status":"resolved"}}`},
			expectation{"AddNote", `{"id":"PI1","note":{"content":"looking"}}`, "POST /incidents/PI1/notes", `{"note":{"content":"looking"}}`},
			expectation{"Snooze", `{"id":"PI1","duration":3600}`, "POST /incidents/PI1/snooze", `{"duration":3600}`},
			expectation{"MergeIncidents", `{"id":"PI1","source_incidents":[{"id":"PI2"}]}`, "PUT /incidents/PI1/merge", `{"source_incidents":[{"id":"PI2","type":"incident_reference"}]}`},
			expectation{"ListOnCalls", `{"schedule_ids":["PSCH"]}`, "GET /oncalls?schedule_ids%5B%5D=PSCH", ""},
		),
		table("JIRA_CLOUD", key("jkey", "me@example.com"), map[string]string{"Authorization": "Basic bWVAZXhhbXBsZS5jb206amtleQ==", "Accept": "application/json"},
			expectation{"CreateIssue", `{"fields":{"project":{"key":"OPS"},"issuetype":{"name":"Task"},"summary":"Fix","description":"One\ntwo\n\nThree"}}`, "POST /rest/api/3/issue",
				`{"fields":{"project":{"key":"OPS"},"issuetype":{"name":"Task"},"summary":"Fix","description":{"type":"doc","version":1,"content":[
					{"type":"paragraph","content":[{"type":"text","text":"One"},{"type":"hardBreak"},{"type":"text","text":"two"}]},{"type":"paragraph","content":[{"type":"text","text":"Three"}]}]}}}`},
			expectation{"GetIssue", `{"key":"OPS-7","fields":["summary","status"]}`, "GET /rest/api/3/issue/OPS-7?fields=summary%2Cstatus", ""},
			expectation{"EditIssue", `{"key":"OPS-7","fields":{"summary":"New"},"update":{"labels":[{"add":"x"}]}}`, "PUT /rest/api/3/issue/OPS-7", `{"fields":{"summary":"New"},"update":{"labels":[{"add":"x"}]}}`},
			expectation{"SearchIssues", `{"jql":"project = OPS","fields":["summary"],"maxResults":2}`, "POST /rest/api/3/search/jql", `{"jql":"project = OPS","fields":["summary"],"maxResults":2}`},
			expectation{"AddComment", `{"key":"OPS-7","body":"Done"}`, "POST /rest/api/3/issue/OPS-7/comment", `{"body":{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":"Done"}]}]}}`},
			expectation{"ChangeIssueStatus", `{"key":"OPS-7","transition":{"id":"31"}}`, "POST /rest/api/3/issue/OPS-7/transitions", `{"transition":{"id":"31"}}`},
			expectation{"GetIssueTypesForProject", `{"projectId":10001}`, "GET /rest/api/3/issuetype/project?projectId=10001", ""},
			expectation{"MoveIssuesToSprintAndRank", `{"id":5,"issues":["OPS-1"],"rankBeforeIssue":"OPS-2"}`, "POST /rest/agile/1.0/sprint/5/issue", `{"issues":["OPS-1"],"rankBeforeIssue":"OPS-2"}`},
			expectation{"UpdateProject", `{"key":"OPS","body_key":"OPX","name":"Ops"}`, "PUT /rest/api/3/project/OPS", `{"key":"OPX","name":"Ops"}`},
		),
		table("ATLASSIAN_CONFLUENCE", signIn("tok"), bearer,
			expectation{"CreatePage", `{"spaceId":"42","title":"T","body":"a < b\nc\n\nd"}`, "POST /wiki/api/v2/pages", `{"spaceId":"42","title":"T","status":"current","body":{"representation":"storage","value":"<p>a &lt; b<br/>c</p><p>d</p>"}}`},
			expectation{"CreatePage", `{"spaceId":"42","title":"T","status":"draft","body":{"representation":"wiki","value":"h1. x"}}`, "POST /wiki/api/v2/pages", `{"spaceId":"42","title":"T","status":"draft","body":{"representation":"wiki","value":"h1. x"}}`},
			expectation{"GetPages", `{"space-id":["1","2"],"limit":5,"cursor":"abc"}`, "GET /wiki/api/v2/pages?space-id=1%2C2&limit=5&cursor=abc", ""},
			expectation{"Search", `{"cql":"type = page"}`, "GET /wiki/rest/api/search?cql=type%20%3D%20page", ""},
			expectation{"UpdatePage", `{"id":"7","title":"T","status":"current","body":"x","version":{"number":3,"message":"why"}}`, "PUT /wiki/api/v2/pages/7", `{"id":"7","title":"T","status":"current","body":{"representation":"storage","value":"<p>x</p>"},"version":{"number":3,"message":"why"}}`},
		),
		table("AMAZON_S3", authOf("AMAZON_S3"), map[string]string{"X-Amz-Content-Sha256": "*"},
			expectation{"DownloadFile", `{"Bucket":"b","Key":"dir/a b+c.txt","Range":"bytes=0-9"}`, "GET /b/dir/a%20b%2Bc.txt", ""},
			expectation{"CopyObject", `{"Bucket":"b","Key":"k","CopySource":"other/dir/a b"}`, "PUT /b/k", ""},
			expectation{"DeleteObject", `{"Bucket":"b","Key":"k","versionId":"v1"}`, "DELETE /b/k?versionId=v1", ""},
			expectation{"ListObjects", `{"Bucket":"b","prefix":"dir/","max-keys":10}`, "GET /b?list-type=2&max-keys=10&prefix=dir%2F", ""},
			expectation{"CreateBucket", `{"Bucket":"new"}`, "PUT /new", ""},
			expectation{"ListBuckets", `{}`, "GET /", ""},
			expectation{"DeleteBucket", `{"Bucket":"new"}`, "DELETE /new", ""},
		),
		table("AMAZON_BEDROCK_AGENT_RUNTIME", authOf("AMAZON_S3"), map[string]string{"Content-Type": "application/json"},
			expectation{"BasicAgentInvoke", `{"agentId":"A1","agentAliasId":"L1","sessionId":"s1","inputText":"hello"}`, "POST /agents/A1/agentAliases/L1/sessions/s1/text", `{"inputText":"hello"}`},
			expectation{"AdvancedAgentInvoke", `{"agentId":"A1","agentAliasId":"L1","sessionId":"s1","inputText":"hello","enableTrace":true,"sessionState":{"sessionAttributes":{"a":"b"}}}`, "POST /agents/A1/agentAliases/L1/sessions/s1/text", `{"inputText":"hello","enableTrace":true,"sessionState":{"sessionAttributes":{"a":"b"}}}`},
			expectation{"Retrieve", `{"knowledgeBaseId":"KB1","retrievalQuery":{"text":"why"}}`, "POST /knowledgebases/KB1/retrieve", `{"retrievalQuery":{"text":"why"}}`},
			expectation{"RetrieveAndGenerate", `{"input":{"text":"why"},"retrieveAndGenerateConfiguration":{"type":"KNOWLEDGE_BASE"}}`, "POST /retrieveAndGenerate", `{"input":{"text":"why"},"retrieveAndGenerateConfiguration":{"type":"KNOWLEDGE_BASE"}}`},
		),
		table("AMAZON_BEDROCK_RUNTIME", authOf("AMAZON_S3"), map[string]string{"Content-Type": "application/json"},
			expectation{"BasicModelConverse", `{"modelId":"anthropic.claude:0","messages":[{"role":"user","content":[{"text":"hi"}]}]}`, "POST /model/anthropic.claude%3A0/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`},
			expectation{"AdvancedModelConverse", `{"modelId":"m","messages":[{"role":"user","content":[{"text":"hi"}]}],"system":[{"text":"be brief"}],"inferenceConfig":{"maxTokens":5}}`, "POST /model/m/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}],"system":[{"text":"be brief"}],"inferenceConfig":{"maxTokens":5}}`},
		),
		table("AMAZON_BEDROCK_DATA_AUTOMATION_RUNTIME", authOf("AMAZON_S3"), map[string]string{"Content-Type": "application/x-amz-json-1.1"},
			expectation{"InvokeDataAutomationAsync", `{"inputConfiguration":{"s3Uri":"s3://a/b"},"outputConfiguration":{"s3Uri":"s3://a/c"},"dataAutomationProfileArn":"arn:x"}`, "POST /", `{"inputConfiguration":{"s3Uri":"s3://a/b"},"outputConfiguration":{"s3Uri":"s3://a/c"},"dataAutomationProfileArn":"arn:x"}`},
			expectation{"GetDataAutomationStatus", `{"invocationArn":"arn:y"}`, "POST /", `{"invocationArn":"arn:y"}`},
		),
		table("AMAZON_TEXTRACT", authOf("AMAZON_S3"), map[string]string{"Content-Type": "application/x-amz-json-1.1", target: "Textract.AnalyzeDocument"},
			expectation{"BasicDocumentQuery", `{"Document":{"S3Object":{"Bucket":"b","Name":"k"}},"QueriesConfig":{"Queries":[{"Text":"total?"}]}}`, "POST /", `{"Document":{"S3Object":{"Bucket":"b","Name":"k"}},"FeatureTypes":["QUERIES"],"QueriesConfig":{"Queries":[{"Text":"total?"}]}}`},
			expectation{"BasicDocumentAnalysis", `{"Document":{"Bytes":"aGk="},"FeatureTypes":["FORMS","TABLES"]}`, "POST /", `{"Document":{"Bytes":"aGk="},"FeatureTypes":["FORMS","TABLES"]}`},
		),
		table("AMAZON_COMPREHEND", authOf("AMAZON_S3"), map[string]string{"Content-Type": "application/x-amz-json-1.1"},
			expectation{"ClassifyDocument", `{"EndpointArn":"arn:e","Text":"x"}`, "POST /", `{"EndpointArn":"arn:e","Text":"x"}`},
			expectation{"DetectKeyPhrases", `{"Text":"x","LanguageCode":"en"}`, "POST /", `{"Text":"x","LanguageCode":"en"}`},
			expectation{"DetectSentiment", `{"Text":"x","LanguageCode":"de"}`, "POST /", `{"Text":"x","LanguageCode":"de"}`},
			expectation{"DetectEntities", `{"Text":"x","LanguageCode":"en"}`, "POST /", `{"Text":"x","LanguageCode":"en"}`},
		),
		table("AMAZON_COMPREHEND_MEDICAL", authOf("AMAZON_S3"), map[string]string{"Content-Type": "application/x-amz-json-1.1"},
			expectation{"DetectEntities", `{"Text":"x"}`, "POST /", `{"Text":"x"}`},
			expectation{"DetectPHI", `{"Text":"x"}`, "POST /", `{"Text":"x"}`},
			expectation{"InferICD10CM", `{"Text":"x"}`, "POST /", `{"Text":"x"}`},
			expectation{"InferRxNorm", `{"Text":"x"}`, "POST /", `{"Text":"x"}`},
			expectation{"InferSNOMEDCT", `{"Text":"x"}`, "POST /", `{"Text":"x"}`},
		),
	}
}

func TestVendorRequests(t *testing.T) {
	t.Parallel()
	for _, c := range append(vendorCases(), moreVendorCases()...) {
		t.Run(c.typ+" "+string(c.auth.Kind), func(t *testing.T) {
			t.Parallel()
			server := vendor(t, c.typ)
			prefix := basePath(c.typ)
			// The server knows paths below the base; what is before is checked here.
			inner := server.Config.Handler
			var path string
			server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				path = r.URL.EscapedPath()
				r.URL.RawPath = strings.TrimPrefix(path, prefix)
				r.URL.Path = strings.TrimPrefix(r.URL.Path, prefix)
				inner.ServeHTTP(w, r)
			})
			e := engine(t, invoke.Config{Burst: 100}, server.Server)
			for _, x := range c.calls {
				server.Reset()
				_, err := e.Invoke(t.Context(), call(c.typ, server.URL+prefix, c.auth, x.action, x.arguments))
				got := server.Requests()
				if len(got) != 1 {
					t.Errorf("%s: %d requests (%v)", x.action, len(got), err)
					continue
				}
				if err != nil && !strings.Contains(x.arguments, "nextPage") && !strings.Contains(x.arguments, "userId") { // whose paths are not in the catalogue
					t.Errorf("%s: %v", x.action, err)
				}
				r := got[0]
				if sent := r.Method + " " + path + query(r); sent != x.want {
					t.Errorf("%s sent\n%s, want\n%s", x.action, sent, x.want)
				}
				for name, want := range c.header {
					if have := r.Header.Get(name); have != want && !(want == "*" && have != "") {
						t.Errorf("%s: header %s is %q, want %q", x.action, name, have, want)
					}
				}
				if !sameJSON(t, r.Body, x.body) {
					t.Errorf("%s sent\n%s, want\n%s", x.action, r.Body, x.body)
				}
			}
		})
	}
}

func sameJSON(t *testing.T, got []byte, want string) bool {
	t.Helper()
	if len(got) == 0 || want == "" {
		return len(got) == 0 && want == ""
	}
	var g, w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	return json.Unmarshal(got, &g) == nil && reflect.DeepEqual(g, w)
}
