package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// expected are the actions of every type, written out so that none is lost or renamed unnoticed: scripts and
// agents name them.
func expected() map[string]string {
	return map[string]string{
		"GENERIC_HTTP": "GET POST PUT PATCH DELETE",
		"SERVICENOW_NOW_PLATFORM": `ListIncidents CreateIncident ViewIncident UpdateIncident DeleteIncident ListProblems CreateProblem ViewProblem
			UpdateProblem DeleteProblem ListChangeRequests CreateChangeRequest ViewChangeRequest UpdateChangeRequest DeleteChangeRequest
			CreateKnowledgeBaseArticle UpdateKnowledgeBaseArticle DeleteKnowledgeBaseArticle RetrieveAttachmentsMetadata RetrieveAttachmentMetadata
			RetrieveAttachmentContent UploadBinaryAttachment UploadMultipartFormAttachment DeleteAttachment ListUsers ListChoices`,
		"SALESFORCE_CRM": `GetListOfCases GetCase CreateCase UpdateCase DeleteCase GetListOfOpportunities GetOpportunity CreateOpportunity
			UpdateOpportunity DeleteOpportunity GetListOfContacts GetContact UpdateContact UpdateLead UpdateCampaign UpdateFeedItem GetUserList DescribeSObject`,
		"MICROSOFT_OUTLOOK": `ListUserMails ListFolderMessages ViewEmail SendUserEmail ReplyToEmail ForwardUserEmail UpdateEmail DeleteEmail
			MoveEmailToFolder ListEmailAttachments GetAttachment ListMailFolders ListCalendarEvents ListCalendarView CreateCalendarEvent
			UpdateCalendarEvent DeleteCalendarEvent FindMeetingTimes ListContacts ListUsers GetMailboxSettings ListPlaces`,
		"PAGERDUTY_ADVANCE": `CreateIncident ListIncidents GetIncident UpdateIncident ManageIncidents MergeIncidents Snooze AddNote ListNotes StatusUpdate
			ListAlerts UpdateAlert ListSchedules GetSchedule CreateSchedule UpdateSchedule CreateScheduleOverride ListEscalationPolicies
			GetEscalationPolicy CreateEscalationPolicy UpdateEscalationPolicy ListOnCalls ListServices ListUsers`,
		"JIRA_CLOUD": `CreateIssue GetIssue EditIssue DeleteIssue ChangeIssueStatus SearchIssues AddComment GetComments UpdateComment DeleteComment
			AddAttachment GetAttachmentContent CreateProject GetProject UpdateProject DeleteProject SearchProjects GetIssueTypesForProject GetPriorities
			SearchStatuses GetAllLabels GetAllUsers FindUsers FindAssignableUsers CreateSprint GetSprint UpdateSprint DeleteSprint
			MoveIssuesToSprintAndRank MoveIssuesToBacklog`,
		"ATLASSIAN_CONFLUENCE":                   "CreatePage GetPages Search UpdatePage",
		"AMAZON_S3":                              "DownloadFile UploadFile CopyObject DeleteObject ListObjects CreateBucket ListBuckets DeleteBucket",
		"AMAZON_BEDROCK_AGENT_RUNTIME":           "BasicAgentInvoke AdvancedAgentInvoke Retrieve RetrieveAndGenerate",
		"AMAZON_BEDROCK_RUNTIME":                 "BasicModelConverse AdvancedModelConverse",
		"AMAZON_BEDROCK_DATA_AUTOMATION_RUNTIME": "InvokeDataAutomationAsync GetDataAutomationStatus",
		"AMAZON_TEXTRACT":                        "BasicDocumentQuery BasicDocumentAnalysis",
		"AMAZON_COMPREHEND":                      "ClassifyDocument DetectKeyPhrases DetectSentiment DetectEntities",
		"AMAZON_COMPREHEND_MEDICAL":              "DetectEntities DetectPHI InferICD10CM InferRxNorm InferSNOMEDCT",
		"MICROSOFT_ONEDRIVE": `GetDrive ListItem GetItem CreateFolder UpdateItem DeleteItem ListChildFolders CopyItem AddPermissions UploadFile ListSheets
			AddSheet ReadSheet UpdateSheet DeleteSheet ReadCell WriteCell ReadRange WriteRange ClearRange DeleteRange GetUsedRange`,
		"MICROSOFT_SHAREPOINT": `ViewItems GetItem GetList CreateItem UpdateItem DeleteItem UploadFile SearchSiteDriveItems ListSheets AddSheet ReadSheet
			UpdateSheet DeleteSheet ReadCell WriteCell ReadRange WriteRange ClearRange DeleteRange GetUsedRange`,
		"MICROSOFT_TEAMS": `ListChats CreateChat GetIndividualChat ListAllChatMessages SendChatMessage ListTeams GetTeam ListTeamMembers AddTeamMember
			InviteUserToTeam ListChannels CreateChannel GetChannel ListChannelMessages SendChannelMessage ReplyToChannelMessage ListChannelMembers
			AddChannelMember InviteChannelMember ListUsers ListOnlineMeetings CreateOnlineMeeting GetOnlineMeeting ListRecordings ListTranscripts
			ListCalendarEvent CreateCalendarEvent`,
		"SAP_BUSINESSPARTNER":   "getBusinessPartner getBusinessPartnerAddress getBusinessPartnerRole getBusinessPartnerByID getBusinessPartnerRoleByID",
		"SAP_PRODUCTMASTERDATA": "getProductMaster getPlantDataByMaterial getSupplyPlanningDataByMaterial",
		"SAP_PHYSICALINVENTORY": "getPhysInventoryDocItem",
		"SAP_BILLOFMATERIALS":   "getMaterialBOMItem",
		"SAP_MATERIALSTOCK":     "getMaterialStockInAccount",
		"ZENDESK_SUITE":         "CreateTicket UpdateTicket ShowTicket ListTickets ListSearchResults",
		"SMARTSHEET":            "SearchSheets ListSheets ReadSheet AddRows UpdateRows ListReports GetReport",
		"SLACK": `ChatPostMessage SendMeMessage GetMessagePermalink ConversationsCreate ConversationsHistory ConversationsReplies ConversationsInvite
			ConversationsJoin ConversationsKick ConversationsLeave ConversationsMembers ConversationsOpen ConversationsSetTopic GetConversation ListChannels
			ListConversationsForUser CreateReaction DeleteReaction ListReactions UploadOrCreateFile UploadToURLExternal DownloadFile FilesInfo FilesList
			SearchAll SearchMessages SearchChannels SearchUsers SearchContext GetSearchConfiguration GetUserDetails GetUserProfile UsersProfileSet
			UsersList UserGroupsCreate UserGroupsList UserGroupsUsersUpdate RemindersAdd GetTeam`,
		"ASANA": "CreateTask UpdateTask GetTask SearchTasks Typeahead GetStories ListWorkspaces ListProjects ListUsers",
		"BAMBOO_HR": `ListEmployees GetEmployee AddEmployee UpdateEmployee AddTimeOffRequest ListTimeOffRequests ChangeRequestStatus ListTimeOffTypes
			EstimateBalances`,
	}
}

func TestTypesHaveTheirActions(t *testing.T) {
	t.Parallel()
	want := expected()
	if got := Types(); len(got) != 27 || len(want) != 27 {
		t.Fatalf("%d types, %d expected lists; AWS has 27", len(got), len(want))
	}
	set := NewSet()
	for _, typ := range Types() {
		c, err := set.Catalogue(typ)
		if err != nil {
			t.Error(err)
			continue
		}
		var ids []string
		for _, a := range c.Actions {
			ids = append(ids, a.ID)
		}
		slices.Sort(ids)
		ids2 := strings.Fields(want[typ])
		slices.Sort(ids2)
		if !slices.Equal(ids, ids2) {
			t.Errorf("%s has\n%v, want\n%v", typ, ids, ids2)
		}
	}
	if _, err := set.Catalogue("MODEL_CONTEXT_PROTOCOL"); err == nil {
		t.Error("a type without a catalogue got one")
	}
}

// AWS's rules for documents hold for ours, but for lists and alternatives, which vendors need.
func TestDocumentsFollowTheRules(t *testing.T) {
	t.Parallel()
	argument := regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	id := regexp.MustCompile(`^[a-zA-Z0-9_ ]{1,256}$`)
	set := NewSet()
	for _, typ := range Types() {
		text, err := Document(typ)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 1<<20 {
			t.Errorf("%s has %d bytes, more than 1 MB", typ, len(text))
		}
		var doc struct {
			OpenAPI string
			Info    map[string]any
			Servers []any
			Paths   map[string]map[string]struct {
				OperationID, Summary, Description string
				Type                              string `json:"x-amzn-operation-type"`
				Parameters                        []struct{ Name, In, Description string }
			}
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info == nil || len(doc.Servers) == 0 {
			t.Errorf("%s lacks a version, info or servers", typ)
		}
		n := 0
		for path, methods := range doc.Paths {
			if !pathPattern.MatchString(path) {
				t.Errorf("%s: path %s", typ, path)
			}
			for method, op := range methods {
				n++
				if !id.MatchString(op.OperationID) || op.Summary == "" || op.Description == "" || len(op.Description) > 5000 || op.Type != "read" && op.Type != "write" {
					t.Errorf("%s %s %s: %+v", typ, method, path, op)
				}
				for _, p := range op.Parameters {
					if p.Description == "" || len(p.Description) > 5000 {
						t.Errorf("%s: parameter %s of %s has no description, or too long a one", typ, p.Name, op.OperationID)
					}
				}
			}
		}
		if n < 1 || n > 100 {
			t.Errorf("%s has %d operations", typ, n)
		}
		c, err := set.Catalogue(typ)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(c.Notes) > 0 {
			t.Errorf("%s: %v", typ, c.Notes)
		}
		for _, a := range c.Actions {
			if _, err := a.compiled(); err != nil {
				t.Errorf("%s %s: %v", typ, a.ID, err)
			}
			var schema struct {
				Type       string
				Properties map[string]map[string]any
			}
			if err := json.Unmarshal(a.Arguments, &schema); err != nil || schema.Type != "object" {
				t.Errorf("%s %s: arguments are %s (%v)", typ, a.ID, a.Arguments, err)
			}
			for name, p := range schema.Properties {
				if !argument.MatchString(name) {
					t.Errorf("%s %s: clients refuse an argument called %q", typ, a.ID, name)
				}
				if d, _ := p["description"].(string); d == "" {
					t.Errorf("%s %s: argument %s has no description", typ, a.ID, name)
				}
			}
			for _, word := range []string{"x-penstock", "#/components"} {
				if bytes.Contains(a.Arguments, []byte(word)) {
					t.Errorf("%s %s: %s is in the schema of its arguments", typ, a.ID, word)
				}
			}
			if p := a.Paging; p != nil {
				if p.Style == "url" {
					p = &Paging{Argument: NextPage}
				}
				if _, ok := schema.Properties[p.Argument]; !ok {
					t.Errorf("%s %s: pages by %q, which is no argument", typ, a.ID, p.Argument)
				}
				if _, ok := schema.Properties[p.Limit]; !ok && p.Limit != "" {
					t.Errorf("%s %s: pages are limited by %q, which is no argument", typ, a.ID, p.Limit)
				}
			}
		}
	}
}

func action(t *testing.T, typ, id string) *Action {
	t.Helper()
	c, err := NewSet().Catalogue(typ)
	if err != nil {
		t.Fatal(err)
	}
	a, ok := c.Action(id)
	if !ok {
		t.Fatalf("%s has no %s", typ, id)
	}
	return a
}

func TestReadAndWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ, id            string
		write, destructive bool
		named              bool
	}{
		{"JIRA_CLOUD", "SearchIssues", false, false, true}, // a POST that reads
		{"MICROSOFT_OUTLOOK", "FindMeetingTimes", false, false, true},
		{"JIRA_CLOUD", "CreateIssue", true, false, true},
		{"JIRA_CLOUD", "EditIssue", true, true, true},
		{"JIRA_CLOUD", "DeleteIssue", true, true, true},
		{"SLACK", "UploadOrCreateFile", true, false, true}, // a GET that writes
		{"PAGERDUTY_ADVANCE", "ListIncidents", false, false, false},
		{"AMAZON_COMPREHEND", "DetectKeyPhrases", false, false, true},
		{"AMAZON_COMPREHEND", "DetectSentiment", false, false, false},
		{"BAMBOO_HR", "AddEmployee", true, false, false},
		{"BAMBOO_HR", "UpdateEmployee", true, true, false}, // a POST that changes
		{"AMAZON_S3", "CreateBucket", true, false, true},   // a PUT that only adds
		{"SLACK", "ConversationsKick", true, true, true},
	} {
		a := action(t, c.typ, c.id)
		if a.Write != c.write || a.Destructive != c.destructive || a.Named != c.named {
			t.Errorf("%s %s: write %v destructive %v named %v", c.typ, c.id, a.Write, a.Destructive, a.Named)
		}
	}
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ, id, arguments string
		want               []string // pointers; none means valid
	}{
		{"JIRA_CLOUD", "CreateIssue", `{"fields":{"project":{"key":"OPS"},"issuetype":{"name":"Bug"},"summary":"x","customfield_1":1}}`, nil},
		{"JIRA_CLOUD", "CreateIssue", `{}`, []string{"/fields"}},
		{"JIRA_CLOUD", "CreateIssue", `{"fields":{"project":{"key":7},"issuetype":{}},"colour":"red"}`, []string{"/colour", "/fields/issuetype", "/fields/project/key", "/fields/summary"}},
		{"JIRA_CLOUD", "EditIssue", `{"key":"OPS-1"}`, []string{""}},
		{"JIRA_CLOUD", "GetIssue", `{"Key":"OPS-1"}`, []string{"/Key", "/key"}},
		{"JIRA_CLOUD", "UpdateProject", `{"key":"OPS","body_key":"NEW"}`, nil},
		{"JIRA_CLOUD", "MoveIssuesToBacklog", `{"issues":[]}`, []string{"/issues"}},
		{"SLACK", "ChatPostMessage", `{"channel":"C1","text":"x","blocks":[1]}`, []string{"/blocks/0"}},
		{"SERVICENOW_NOW_PLATFORM", "CreateIncident", `{"u_custom":"x"}`, nil},
		{"SERVICENOW_NOW_PLATFORM", "UpdateIncident", `{"sys_id":"1"}`, []string{""}},
		{"SERVICENOW_NOW_PLATFORM", "UpdateIncident", `{"sys_id":"1","u_custom":"x"}`, nil},
		{"SERVICENOW_NOW_PLATFORM", "UploadMultipartFormAttachment", `{"table_name":"incident","table_sys_id":"1","uploadFile":"x"}`, []string{"/uploadFileName"}},
		{"AMAZON_S3", "ListObjects", `{"Bucket":"b","max-keys":1001}`, []string{"/max-keys"}},
		{"AMAZON_S3", "UploadFile", `{"Bucket":"b","Key":"k","Body":"x","BodyEncoding":"hex"}`, []string{"/BodyEncoding"}},
		{"AMAZON_TEXTRACT", "BasicDocumentQuery", `{"Document":{"Bytes":""},"QueriesConfig":{"Queries":[{"Text":"?"}]}}`, nil},
		{"PAGERDUTY_ADVANCE", "CreateIncident", `{"incident":{"title":"x","service":{"id":"S"}}}`, nil},
		{"PAGERDUTY_ADVANCE", "CreateIncident", `{"incident":{"type":"problem","title":"x","service":{"id":"S"}}}`, []string{"/incident/type"}},
		{"SALESFORCE_CRM", "CreateOpportunity", `{"Name":"x","StageName":"y","CloseDate":"soon"}`, []string{"/CloseDate"}},
		{"SALESFORCE_CRM", "GetListOfCases", `{"fields":["Id; DROP"]}`, []string{"/fields/0"}},
		{"ASANA", "CreateTask", `{"name":"x","workspace":"1"}`, nil},
		{"MICROSOFT_OUTLOOK", "ListUserMails", `{"top":5,"select":["id"]}`, nil},
		{"SMARTSHEET", "AddRows", `{"sheetId":1,"rows":[{"cells":[{"columnId":9007199254740993}]}]}`, nil},
		{"AMAZON_S3", "ListBuckets", `{"a/b~c":1}`, []string{"/a~1b~0c"}},
	} {
		a := action(t, c.typ, c.id)
		got, err := a.Validate(decode(t, c.arguments))
		if err != nil {
			t.Errorf("%s: %v", c.id, err)
		}
		var pointers []string
		for _, v := range got {
			pointers = append(pointers, v.Pointer)
			if v.Message == "" || strings.Contains(v.Message, "schema") {
				t.Errorf("%s %s says %q", c.id, c.arguments, v.Message)
			}
		}
		if !slices.Equal(pointers, c.want) {
			t.Errorf("%s %s: violations %v, want %v", c.id, c.arguments, got, c.want)
		}
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ typ, id, body, want string }{
		{"PAGERDUTY_ADVANCE", "CreateIncident", `{"incident":{"title":"x","service":{"id":"S"}}}`, `{"incident":{"service":{"id":"S","type":"service_reference"},"title":"x","type":"incident"}}`},
		{"PAGERDUTY_ADVANCE", "ManageIncidents", `{"incidents":[{"id":"1"},{"id":"2"}]}`, `{"incidents":[{"id":"1","type":"incident_reference"},{"id":"2","type":"incident_reference"}]}`},
		{"MICROSOFT_ONEDRIVE", "CreateFolder", `{"name":"x"}`, `{"folder":{},"name":"x"}`},
		{"AMAZON_TEXTRACT", "BasicDocumentQuery", `{}`, `{"FeatureTypes":["QUERIES"]}`},
	} {
		got, err := json.Marshal(action(t, c.typ, c.id).Body.Fill(decode(t, c.body)))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.id, got, c.want, err)
		}
	}
}

func TestCollisionsAndNames(t *testing.T) {
	t.Parallel()
	c, err := Parse([]byte(`{"openapi":"3.1.0","info":{"title":"x","version":"1"},"servers":[{"url":"https://api.example.com/v1"}],"paths":{"/orders/{id}":{
		"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],
		"put":{"operationId":"put order","description":"d","parameters":[
			{"name":"id","in":"query","schema":{"type":"integer"}},{"name":"$top","in":"query","schema":{"type":"integer"}},{"name":"Authorization","in":"header","schema":{"type":"string"}},
			{"name":"X-Id","in":"header","schema":{"type":"string"}},{"name":"version","in":"query","required":true,"schema":{"const":"2"}}],
		 "requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","required":["id","kind","note"],"properties":{"id":{"type":"string"},"kind":{"const":"order"},
			"note":{"type":"string"},"default":{"type":"string"},"example":{"type":"string"},"seen":{"type":"string","readOnly":true}}}}}},
		 "responses":{"200":{"description":"ok"}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	a, ok := c.Action("put order")
	if !ok || c.ServerPath != "/v1" {
		t.Fatalf("%+v", c)
	}
	var schema struct {
		Properties map[string]any
		Required   []string
	}
	if err := json.Unmarshal(a.Arguments, &schema); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(schema.Properties))
	if want := []string{"X-Id", "body_id", "default", "example", "id", "kind", "note", "query_id", "top"}; !slices.Equal(names, want) {
		t.Errorf("arguments %v, want %v", names, want)
	}
	if want := []string{"body_id", "id", "note"}; !slices.Equal(schema.Required, want) {
		t.Errorf("required %v, want %v", schema.Required, want)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	doc := func(paths string) string {
		return `{"openapi":"3.0.3","info":{"title":"x","version":"1"},"paths":` + paths + `}`
	}
	op := func(inner string) string {
		return doc(`{"/x":{"get":{"responses":{"200":{"description":"ok"}}` + inner + `}}}`)
	}
	for name, text := range map[string]string{
		"not JSON":           `openapi: 3.1.0`,
		"empty":              ``,
		"Swagger":            `{"swagger":"2.0","paths":{}}`,
		"version 4":          `{"openapi":"4.0.0"}`,
		"version of a kind":  `{"openapi":3.1}`,
		"no paths":           `{"openapi":"3.1.0","info":{"title":"x","version":"1"}}`,
		"no operation":       doc(`{}`),
		"path":               doc(`{"x":{}}`),
		"bad id":             op(`,"operationId":"a/b?c"`),
		"long id":            op(`,"operationId":"` + strings.Repeat("a", 257) + `"`),
		"operation type":     op(`,"x-amzn-operation-type":"maybe"`),
		"dangling reference": op(`,"parameters":[{"name":"a","in":"query","schema":{"$ref":"#/components/schemas/None"}}]`),
		"outside file":       op(`,"parameters":[{"name":"a","in":"query","schema":{"$ref":"/etc/passwd"}}]`),
		"outside address":    op(`,"parameters":[{"name":"a","in":"query","schema":{"$ref":"http://169.254.169.254/x"}}]`),
		"matrix":             doc(`{"/x/{a}":{"get":{"parameters":[{"name":"a","in":"path","required":true,"style":"matrix","schema":{"type":"string"}}],"responses":{"200":{"description":"ok"}}}}}`),
		"deep object":        op(`,"parameters":[{"name":"a","in":"query","style":"deepObject","schema":{"type":"object"}}]`),
		"XML body":           doc(`{"/x":{"post":{"requestBody":{"content":{"application/xml":{}}},"responses":{"200":{"description":"ok"}}}}}`),
		"two of a name":      doc(`{"/x":{"get":{"operationId":"a","responses":{"200":{"description":"ok"}}}},"/y":{"get":{"operationId":"a","responses":{"200":{"description":"ok"}}}}}`),
		"missing parameter":  doc(`{"/x/{a}":{"get":{"responses":{"200":{"description":"ok"}}}}}`),
		"growing references": growing(),
		"501 operations":     doc(operations(501)),
	} {
		if c, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: accepted as %+v", name, c.Actions)
		}
	}
	if c, err := Parse([]byte(doc(operations(500)))); err != nil || len(c.Actions) != 500 {
		t.Errorf("500 operations: %v", err)
	}
	if _, err := Parse(make([]byte, MaxDocument+1)); err == nil {
		t.Error("a document that is too large was accepted")
	}
}

// operations are the paths of n operations.
func operations(n int) string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf(`"/x%d":{"get":{"responses":{"200":{"description":"ok"}}}}`, i)
	}
	return "{" + strings.Join(paths, ",") + "}"
}

// growing is a small document whose schemas, written out, have 2^40 parts.
func growing() string {
	var schemas []string
	for i := range 40 {
		next := string(rune('A'+(i+1)/10)) + string(rune('0'+(i+1)%10))
		this := string(rune('A'+i/10)) + string(rune('0'+i%10))
		schemas = append(schemas, `"`+this+`":{"type":"object","properties":{"a":{"$ref":"#/components/schemas/`+next+`"},"b":{"$ref":"#/components/schemas/`+next+`"}}}`)
	}
	schemas = append(schemas, `"E0":{"type":"string"}`)
	return `{"openapi":"3.0.3","info":{"title":"x","version":"1"},"components":{"schemas":{` + strings.Join(schemas, ",") + `}},
		"paths":{"/x":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A0"}}}},"responses":{"200":{"description":"ok"}}}}}}`
}

// What AWS refuses and we take.
func TestParseRelaxed(t *testing.T) {
	t.Parallel()
	c, err := Parse([]byte(`{"openapi":"3.0.3","info":{"title":"x","version":"1"},
		"components":{"schemas":{"Node":{"type":"object","properties":{"name":{"type":"string","nullable":true},"children":{"type":"array","items":{"$ref":"#/components/schemas/Node"}}}}},
			"securitySchemes":{"key":{"type":"apiKey","in":"header","name":"X-Key"},"odd":{"type":"openIdConnect","openIdConnectUrl":"https://x.example.com"}}},
		"paths":{"/nodes/{id}":{"post":{"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"integer","minimum":0,"exclusiveMinimum":true}}],
			"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Node"}}}},"responses":{"200":{"description":"ok"}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	a, ok := c.Action("post_nodes_id")
	if !ok {
		t.Fatalf("actions %+v", c.Actions)
	}
	if c.Key == nil || c.Key.Name != "X-Key" || len(c.Notes) != 1 {
		t.Errorf("key %+v, notes %v", c.Key, c.Notes)
	}
	for arguments, want := range map[string]int{
		`{"id":1,"name":null,"children":[{"name":"a","children":[{"name":"b"}]}]}`: 0,
		`{"id":0}`: 1,
		`{"id":1,"children":[{"children":[{"name":7}]}]}`: 1,
	} {
		got, err := a.Validate(decode(t, arguments))
		if err != nil || len(got) != want {
			t.Errorf("%s: %v (%v), want %d violations", arguments, got, err, want)
		}
	}
}

// How pages follow each other in a document of a user.
func TestParsePaging(t *testing.T) {
	t.Parallel()
	parse := func(paging string) (*Action, error) {
		c, err := Parse([]byte(`{"openapi":"3.0.3","info":{"title":"x","version":"1"},"paths":{"/x":{"get":{"operationId":"a","parameters":[{"name":"$skip","in":"query","schema":{"type":"integer"}}],
			"responses":{"200":{"description":"ok"}},"x-penstock-paging":` + paging + `}}}}`))
		if err != nil {
			return nil, err
		}
		a, _ := c.Action("a")
		return a, nil
	}
	a, err := parse(`{"style":"url","from":"/next"}`)
	if err != nil || a.ArgumentNames()[0] != NextPage {
		t.Fatalf("%+v %v", a, err)
	}
	if wrong, err := a.Validate(decode(t, `{"nextPage":"https://x.example.com/x?p=2"}`)); err != nil || len(wrong) > 0 {
		t.Errorf("%v %v", wrong, err)
	}
	if a, err := parse(`{"style":"offset","argument":"$skip","items":"/items"}`); err != nil || a.Paging.Argument != "skip" {
		t.Errorf("%+v %v", a, err)
	}
	for _, bad := range []string{`{"style":"guess"}`, `{"style":"cursor","argument":"cursor","from":"/next"}`, `{}`, `7`} {
		if a, err := parse(bad); err == nil {
			t.Errorf("%s was taken: %+v", bad, a.Paging)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(growing()))
	f.Add([]byte(`{"openapi":"3.1.0","info":{"title":"x","version":"1"},"paths":{"/x":{"get":{"responses":{"200":{"description":"ok"}}}}}}`))
	if text, err := Document("ASANA"); err == nil {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		for _, a := range c.Actions {
			if _, err := a.Validate(map[string]any{"id": "x"}); err != nil {
				t.Errorf("a document was accepted whose action %s cannot be validated: %v", a.ID, err)
			}
		}
	})
}

// Of a schema from elsewhere the names of the arguments are known, too.
func TestUnknownArgument(t *testing.T) {
	t.Parallel()
	a, err := Compile("tool", []byte(`{"type":"object","properties":{"Bucket":{},"key":{}},"additionalProperties":false}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{"bucket": "did you mean Bucket?", "extra": "it takes Bucket, key"} {
		wrong, err := a.Validate(map[string]any{name: 1})
		if err != nil || len(wrong) != 1 || !strings.HasSuffix(wrong[0].Message, says) {
			t.Errorf("%s: %v, %v", name, wrong, err)
		}
	}
}
