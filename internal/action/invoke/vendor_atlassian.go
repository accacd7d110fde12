package invoke

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// document writes plain text in the Atlassian Document Format: blank lines separate paragraphs, other ends of
// lines are breaks.
func document(text string) map[string]any {
	content := []any{}
	for _, paragraph := range paragraphs(text) {
		var inline []any
		for i, line := range strings.Split(paragraph, "\n") {
			if i > 0 {
				inline = append(inline, map[string]any{"type": "hardBreak"})
			}
			if line != "" {
				inline = append(inline, map[string]any{"type": "text", "text": line})
			}
		}
		content = append(content, map[string]any{"type": "paragraph", "content": inline})
	}
	return map[string]any{"type": "doc", "version": 1, "content": content}
}

func paragraphs(text string) []string {
	var out []string
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if part = strings.Trim(part, "\n"); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// toDocument replaces plain text at a member.
func toDocument(object map[string]any, name string) {
	if text, ok := object[name].(string); ok {
		object[name] = document(text)
	}
}

func jiraPrepare(p *plan) []catalog.Violation {
	body, _ := p.body.(map[string]any)
	switch p.action.ID {
	case "AddComment", "UpdateComment":
		toDocument(body, "body")
	case "CreateIssue", "EditIssue", "ChangeIssueStatus":
		if fields, ok := body["fields"].(map[string]any); ok {
			toDocument(fields, "description")
			toDocument(fields, "environment")
		}
	case "FindAssignableUsers":
		if p.text("project") == "" && p.text("issueKey") == "" {
			return violation("", "give project or issueKey")
		}
	}
	if p.action.ID == "ChangeIssueStatus" {
		_, transition := p.args["transition"]
		if status := p.text("status"); transition == (status != "") {
			return violation("", "give either transition or status")
		} else if status != "" {
			p.object()["transition"] = map[string]any{"id": Mask}
			p.note("The id of the transition that leads to %q is looked up when the call is made.", status)
		}
	}
	return nil
}

// jiraBefore finds the transition to a status that was given by name.
func jiraBefore(ctx context.Context, r *run, base *url.URL) error {
	status := r.plan.text("status")
	if r.plan.action.ID != "ChangeIssueStatus" || status == "" {
		return nil
	}
	a, err := r.read(ctx, base, r.plan.path)
	if err != nil {
		return err
	}
	var answer struct {
		Transitions []struct {
			ID, Name string
			To       struct{ Name string }
		}
	}
	if err := json.Unmarshal(a.body, &answer); err != nil {
		return r.unexpected(a)
	}
	var names []string
	for _, t := range answer.Transitions {
		if strings.EqualFold(t.Name, status) || strings.EqualFold(t.To.Name, status) {
			r.plan.object()["transition"] = map[string]any{"id": t.ID}
			return nil
		}
		names = append(names, fmt.Sprintf("%s (to %s)", t.Name, t.To.Name))
	}
	return invalid(r.plan.action.ID, catalog.Violation{Pointer: "/status",
		Message: "no transition of the issue leads there; it has " + strings.Join(names, ", ")})
}

// jiraUnauthorized recognises that Jira treats the caller as nobody: with a revoked token some calls still
// succeed, and find nothing.
func jiraUnauthorized(a *answer) bool {
	reason := strings.ToUpper(a.header.Get("X-Seraph-Loginreason"))
	return strings.Contains(reason, "FAILED") || strings.Contains(reason, "DENIED")
}

func confluencePrepare(p *plan) []catalog.Violation {
	body, ok := p.body.(map[string]any)
	if !ok {
		return nil
	}
	if text, ok := body["body"].(string); ok {
		var out strings.Builder
		for _, paragraph := range paragraphs(text) {
			out.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(paragraph), "\n", "<br/>") + "</p>")
		}
		body["body"] = map[string]any{"representation": "storage", "value": out.String()}
	}
	switch p.action.ID {
	case "CreatePage":
		if _, given := body["status"]; !given {
			body["status"] = "current"
		}
	case "UpdatePage":
		body["id"] = p.text("id")
		_, version := body["version"]
		_, title := body["title"]
		_, status := body["status"]
		if !version || !title || !status {
			p.note("What is not given of version, title and status is read from the page when the call is made; the version is counted up.")
		}
	}
	return nil
}

// confluenceBefore reads the present page: an update names the version it makes, and replaces title and status.
func confluenceBefore(ctx context.Context, r *run, base *url.URL) error {
	if r.plan.action.ID != "UpdatePage" {
		return nil
	}
	body := r.plan.object()
	_, version := body["version"]
	_, title := body["title"]
	_, status := body["status"]
	if version && title && status {
		return nil
	}
	a, err := r.read(ctx, base, r.plan.path)
	if err != nil {
		return err
	}
	var page struct {
		Title, Status string
		Version       struct{ Number int }
	}
	if err := json.Unmarshal(a.body, &page); err != nil || page.Version.Number == 0 {
		return r.unexpected(a)
	}
	if !version {
		body["version"] = map[string]any{"number": page.Version.Number + 1}
	}
	if !title {
		body["title"] = page.Title
	}
	if !status {
		body["status"] = page.Status
		if page.Status == "" {
			body["status"] = "current"
		}
	}
	return nil
}
