package catalog

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/reference/actions.md anew")

// The list of actions in the documentation is made from the documents; this test says when it is stale.
func TestReferenceIsCurrent(t *testing.T) {
	const path = "../../../docs/reference/actions.md"
	want := reference(t)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("docs/reference/actions.md is not what the documents say; run go test ./internal/action/catalog -run Reference -update")
	}
}

const preface = `# Actions of connectors

What connectors of each type can do. This list is made from the OpenAPI documents in ` + "`internal/action/catalog/documents`" + `, where
descriptions and schemas of all arguments are; ` + "`GET /_penstock/action-connectors/{id}/actions/{actionId}`" + ` shows them for a connector.

- **Arguments**: those that are required are **bold**. They are one flat JSON object, whatever part of the request they go to.
- **R/W**: R reads, W changes something at the vendor.
- An action marked ° is one that AWS publishes no list for or does not name; it is the vendor's operation under a name of ours.
- Where an answer has further pages, the result names the argument to repeat the call with.

Rules for arguments, also of documents that users bring:

- Parameters of the path, the query and the header, and the members of a JSON body or a form, are arguments under their own names. Another
  body is the argument ` + "`body`" + `, or what it is called in the list.
- If a name is taken already, in that order, it gets its place before it: ` + "`body_key`" + ` beside a ` + "`key`" + ` in the path.
- Characters that MCP clients refuse are left out at the ends and are ` + "`_`" + ` elsewhere: ` + "`$top`" + ` is ` + "`top`" + `.
- Constants of the schema are filled in: PagerDuty's types of references, Textract's operation.
- Bytes are text, or base64 with ` + "`<name>Encoding`" + `: "base64". ` + "`<name>ContentType`" + ` says what they are; in forms ` + "`<name>Name`" + ` names the file.
- An argument that the action does not have is refused, except where … ends the list: there it becomes a member of the body.
- Short forms: plain text where Jira and Confluence want documents, addresses of mail, text and times where Microsoft Graph wants objects,
  ` + "`filters`" + ` where ServiceNow and Salesforce want queries. Values in filters are escaped.

Connectors of type ` + "`MODEL_CONTEXT_PROTOCOL`" + ` have the tools of the remote server as their actions, and connectors of type
` + "`GENERIC_HTTP`" + ` with an OpenAPI document of their own have its operations.
`

func reference(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	out.WriteString(preface)
	set := NewSet()
	total := 0
	for _, typ := range Types() {
		c, err := set.Catalogue(typ)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "\n## %s\n\n%s %s.\n", typ, c.Description, base(c))
		out.WriteString("\n| Action | Method and path | R/W | Arguments |\n|---|---|---|---|\n")
		actions := slices.Clone(c.Actions)
		slices.SortFunc(actions, func(a, b *Action) int { return strings.Compare(a.ID, b.ID) })
		for _, a := range actions {
			total++
			mark, rw := "", "R"
			if !a.Named {
				mark = " °"
			}
			if a.Write {
				rw = "W"
			}
			fmt.Fprintf(&out, "| `%s`%s | %s `%s` | %s | %s |\n", a.ID, mark, a.Method, strings.ReplaceAll(a.Path, "|", `\|`), rw, arguments(t, a))
		}
	}
	fmt.Fprintf(&out, "\n%d actions of %d types.\n", total, len(Types()))
	return out.Bytes()
}

func base(c *Catalogue) string {
	if c.AWS != nil {
		return "Requests are signed for `" + c.AWS.Signing + "` with the connector's role"
	}
	return "Base endpoint: `" + c.Server + "`"
}

func arguments(t *testing.T, a *Action) string {
	var schema struct {
		Properties map[string]any
		Required   []string
	}
	if err := json.Unmarshal(a.Arguments, &schema); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range schema.Properties {
		if slices.Contains(schema.Required, name) {
			name = "**" + name + "**"
		}
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int {
		if bx, by := strings.HasPrefix(x, "*"), strings.HasPrefix(y, "*"); bx != by {
			if bx {
				return -1
			}
			return 1
		}
		return strings.Compare(x, y)
	})
	if a.Body != nil && a.Body.Open {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}
