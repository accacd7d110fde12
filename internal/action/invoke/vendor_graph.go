package invoke

import (
	"strings"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// graphPrepare makes requests of Microsoft Graph: whose data /me is, and objects where people give addresses,
// text and times.
func graphPrepare(p *plan) []catalog.Violation {
	if rest, mine := strings.CutPrefix(p.path, "/me"); mine && (rest == "" || rest[0] == '/') {
		user := p.text("userId")
		switch {
		case user != "":
			p.path = "/users/" + escape(user, false) + rest
		case p.connector.Auth.Kind == AuthClientCredentials:
			return violation("/userId", "is required, because the connector signs in as an application, which has no data of its own")
		}
	}
	body, _ := p.body.(map[string]any)
	switch p.action.ID {
	case "ListOnlineMeetings":
		if join := p.text("JoinWebUrl"); (join == "") == (p.queryValue("$filter") == "") {
			return violation("/JoinWebUrl", "is required: Graph lists no other meetings")
		} else if join == "" {
			break
		}
		p.setQuery("$filter", "JoinWebUrl eq '"+strings.ReplaceAll(p.text("JoinWebUrl"), "'", "''")+"'")
	case "AddTeamMember", "InviteUserToTeam", "AddChannelMember", "InviteChannelMember":
		if wrong := p.graphMember(); wrong != nil {
			return wrong
		}
	case "CreateChat", "CreateChannel":
		p.graphMembers(body)
	case "AddPermissions":
		recipients(body, "recipients", func(address string) map[string]any { return map[string]any{"email": address} })
	}
	if message, ok := body["message"].(map[string]any); ok {
		graphMessage(message)
	}
	graphMessage(body)
	return nil
}

// graphMessage writes what a message, or an event, has in short form.
func graphMessage(body map[string]any) {
	address := func(a string) map[string]any { return map[string]any{"emailAddress": map[string]any{"address": a}} }
	for _, list := range []string{"toRecipients", "ccRecipients", "bccRecipients", "replyTo"} {
		recipients(body, list, address)
	}
	recipients(body, "attendees", func(a string) map[string]any {
		return map[string]any{"type": "required", "emailAddress": map[string]any{"address": a}}
	})
	if text, ok := body["body"].(string); ok {
		body["body"] = map[string]any{"contentType": "text", "content": text}
	}
	for _, name := range []string{"start", "end"} {
		if at, ok := body[name].(string); ok {
			body[name] = map[string]any{"dateTime": strings.TrimSuffix(at, "Z"), "timeZone": "UTC"}
		}
	}
	if place, ok := body["location"].(string); ok {
		body["location"] = map[string]any{"displayName": place}
	}
	if attachments, ok := body["attachments"].([]any); ok {
		for _, a := range attachments {
			if file, ok := a.(map[string]any); ok && file["@odata.type"] == nil {
				file["@odata.type"] = "#microsoft.graph.fileAttachment"
			}
		}
	}
}

// recipients replaces texts in a list by objects.
func recipients(body map[string]any, name string, make func(string) map[string]any) {
	list, _ := body[name].([]any)
	for i, item := range list {
		if text, ok := item.(string); ok {
			list[i] = make(text)
		}
	}
}

func (p *plan) graphUser(user string) string {
	origin := *p.base
	origin.RawPath = ""
	return strings.TrimRight(origin.String(), "/") + "/users('" + strings.ReplaceAll(user, "'", "''") + "')"
}

const conversationMember = "#microsoft.graph.aadUserConversationMember"

func (p *plan) graphMember() []catalog.Violation {
	body := p.object()
	user := p.text("user")
	_, bound := body["user@odata.bind"]
	if bound == (user != "") {
		return violation("", "give either user or user@odata.bind")
	}
	if user != "" {
		body["user@odata.bind"] = p.graphUser(user)
	}
	if body["@odata.type"] == nil {
		body["@odata.type"] = conversationMember
	}
	if body["roles"] == nil {
		body["roles"] = []any{}
	}
	return nil
}

func (p *plan) graphMembers(body map[string]any) {
	recipients(body, "members", func(user string) map[string]any {
		return map[string]any{"@odata.type": conversationMember, "roles": []any{"owner"}, "user@odata.bind": p.graphUser(user)}
	})
	list, _ := body["members"].([]any)
	for _, m := range list {
		if member, ok := m.(map[string]any); ok && member["@odata.type"] == nil {
			member["@odata.type"] = conversationMember
			if member["roles"] == nil {
				member["roles"] = []any{"owner"}
			}
		}
	}
}
