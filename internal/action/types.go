package action

import (
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/action/oauth"
)

// TypeInfo is what is fixed for a connector type.
type TypeInfo struct {
	Type Type
	Auth []AuthType // those it accepts
	// Scopes are asked for in sign-ins, ClientScopes with client credentials.
	Scopes       []string
	ClientScopes []string
	Separator    string            // between scopes; empty for a space
	ScopeParam   string            // the scopes' parameter of sign-ins; empty for "scope"
	TokenIn      string            // the member of a token endpoint's answer that holds the user's token; empty for the answer itself
	AuthParams   map[string]string // further parameters of the authorization endpoint
	ClientAuth   oauth.ClientAuth  // how the client proves itself to the token endpoint
}

// ModelContextProtocol is the type of connectors to remote MCP servers, which AWS's API shows and does not make.
const ModelContextProtocol Type = "MODEL_CONTEXT_PROTOCOL"

// GenericHTTP is the type of connectors to whatever a user's OpenAPI document describes.
const GenericHTTP Type = "GENERIC_HTTP"

var (
	atlassian = map[string]string{"audience": "api.atlassian.com", "prompt": "consent"}
	offline   = []string{"offline_access"}
	graph     = []string{"https://graph.microsoft.com/.default"}
)

// types is the table of connector types: the authentication that AWS's set-up guides name for each, and what a
// sign-in asks of the vendor. The scopes are those that a guide has people register, less those that no action here
// needs: whoever has followed it can sign in. Where a guide names none they are those the actions need by the vendor's
// documentation. Users replace scopes with the tag TagScopes.
var types = []TypeInfo{
	{Type: GenericHTTP, Auth: []AuthType{AuthorizationCode, ClientCredentials, APIKey, Basic, None}},
	{Type: "SERVICENOW_NOW_PLATFORM", Auth: []AuthType{AuthorizationCode, ClientCredentials}, ClientAuth: oauth.InBody},
	{Type: "SALESFORCE_CRM", Auth: []AuthType{AuthorizationCode, ClientCredentials}, Scopes: []string{"api", "refresh_token"}, ClientScopes: []string{"api"}, ClientAuth: oauth.InBody},
	microsoft("MICROSOFT_OUTLOOK", "User.Read", "User.Read.All", "Mail.ReadWrite", "Mail.Send", "Calendars.ReadWrite", "Calendars.ReadWrite.Shared", "Contacts.Read", "MailboxSettings.Read", "Place.Read.All"),
	// The guide leaves out ChannelMember.ReadWrite.All, which the actions about members of private channels need.
	microsoft("MICROSOFT_TEAMS", "User.Read", "User.ReadBasic.All", "Team.ReadBasic.All", "TeamMember.ReadWrite.All", "Channel.Create", "Channel.ReadBasic.All", "ChannelMessage.Read.All", "ChannelMessage.Send",
		"Chat.Create", "Chat.ReadWrite", "ChatMessage.Send", "Calendars.ReadWrite", "OnlineMeetings.ReadWrite", "OnlineMeetingRecording.Read.All", "OnlineMeetingTranscript.Read.All"),
	microsoft("MICROSOFT_ONEDRIVE", "User.Read", "Files.ReadWrite.All"),
	microsoft("MICROSOFT_SHAREPOINT", "User.Read", "Sites.ReadWrite.All", "Files.ReadWrite"),
	{Type: "PAGERDUTY_ADVANCE", Auth: []AuthType{AuthorizationCode, APIKey}, Scopes: []string{"read", "write"}, ClientAuth: oauth.InBody},
	{
		Type: "JIRA_CLOUD", Auth: []AuthType{AuthorizationCode, APIKey}, AuthParams: atlassian, ClientAuth: oauth.InBody,
		Scopes: []string{"read:jira-work", "write:jira-work", "read:jira-user", "manage:jira-project", "manage:jira-configuration", "manage:jira-webhook",
			"read:project:jira", "read:board-scope:jira-software", "write:board-scope:jira-software", "read:sprint:jira-software", "write:sprint:jira-software", "delete:sprint:jira-software", "offline_access"},
	},
	{
		Type: "ATLASSIAN_CONFLUENCE", Auth: []AuthType{AuthorizationCode, APIKey}, AuthParams: atlassian, ClientAuth: oauth.InBody,
		Scopes: []string{"search:confluence", "read:page:confluence", "write:page:confluence", "read:space:confluence", "offline_access"},
	},
	{Type: "AMAZON_S3", Auth: []AuthType{IAM}},
	{Type: "AMAZON_BEDROCK_AGENT_RUNTIME", Auth: []AuthType{IAM}},
	{Type: "AMAZON_BEDROCK_RUNTIME", Auth: []AuthType{IAM}},
	{Type: "AMAZON_BEDROCK_DATA_AUTOMATION_RUNTIME", Auth: []AuthType{IAM}},
	{Type: "AMAZON_TEXTRACT", Auth: []AuthType{IAM}},
	{Type: "AMAZON_COMPREHEND", Auth: []AuthType{IAM}},
	{Type: "AMAZON_COMPREHEND_MEDICAL", Auth: []AuthType{IAM}},
	sap("SAP_BUSINESSPARTNER", "ZAPI_BUSINESS_PARTNER_0001"),
	sap("SAP_PRODUCTMASTERDATA", "ZAPI_PRODUCT_SRV_0001"),
	sap("SAP_PHYSICALINVENTORY", "ZAPI_MATERIAL_STOCK_SRV_0001"),
	sap("SAP_BILLOFMATERIALS", "ZAPI_BILL_OF_MATERIAL_SRV_0002"),
	sap("SAP_MATERIALSTOCK", "ZAPI_MATERIAL_STOCK_SRV_0001"),
	{Type: "ZENDESK_SUITE", Auth: []AuthType{AuthorizationCode, APIKey}, Scopes: []string{"read", "write"}, ClientAuth: oauth.InBody},
	{Type: "SMARTSHEET", Auth: []AuthType{AuthorizationCode, APIKey}, Scopes: []string{"READ_SHEETS", "WRITE_SHEETS"}, ClientAuth: oauth.InBody},
	{
		Type: "SLACK", Auth: []AuthType{AuthorizationCode, APIKey}, Separator: ",", ScopeParam: "user_scope", TokenIn: "authed_user", ClientAuth: oauth.InBody,
		Scopes: []string{"channels:history", "channels:read", "channels:write", "chat:write", "files:read", "files:write", "groups:history", "groups:read", "groups:write", "im:history", "im:read", "im:write",
			"mpim:history", "mpim:read", "mpim:write", "reactions:read", "reactions:write", "reminders:write", "search:read", "team:read", "usergroups:read", "usergroups:write", "users:read", "users:read.email",
			"users.profile:read", "users.profile:write"},
	},
	{Type: "ASANA", Auth: []AuthType{AuthorizationCode, APIKey}, Scopes: []string{"tasks:read", "tasks:write", "workspaces:read", "workspaces.typeahead:read", "stories:read", "users:read", "projects:read", "project_templates:read"}, ClientAuth: oauth.InBody},
	{Type: "BAMBOO_HR", Auth: []AuthType{AuthorizationCode, APIKey}, Scopes: []string{"employee", "employee.write", "time_off", "time_off.write", "company:info", "offline_access"}, ClientAuth: oauth.InBody},
	{Type: ModelContextProtocol, Auth: []AuthType{AuthorizationCode, ClientCredentials, APIKey, None}},
}

func microsoft(t Type, scopes ...string) TypeInfo {
	return TypeInfo{Type: t, Auth: []AuthType{AuthorizationCode, ClientCredentials}, Scopes: slices.Concat(offline, scopes), ClientScopes: graph, ClientAuth: oauth.InBody}
}

func sap(t Type, scope string) TypeInfo {
	return TypeInfo{Type: t, Auth: []AuthType{ClientCredentials, Basic}, ClientScopes: []string{scope}, ClientAuth: oauth.InHeader}
}

// Types lists what is known of every connector type. The result must not be changed.
func Types() []TypeInfo { return types }

// Info returns what is known of a type.
func Info(t Type) (TypeInfo, bool) {
	for n := range types {
		if types[n].Type == t {
			return types[n], true
		}
	}
	return TypeInfo{}, false
}

// names lists authentication types for a message.
func names(list []AuthType) string {
	out := make([]string, len(list))
	for n, a := range list {
		out[n] = string(a)
	}
	return strings.Join(out, ", ")
}
