package action_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/action"
)

var update = flag.Bool("update", false, "write docs/reference/action-scopes.md anew")

const scopesPreface = `# Scopes of sign-ins

What a sign-in to a connector asks the vendor for, by its type. An app that is registered with the vendor has to have these scopes, and some of Microsoft's need an
administrator's consent. Ask for others with the tag ` + "`penstock:scopes`" + ` (separated by spaces), for fewer as well; after a change, sign in again. Types that are not here
ask for none of themselves.

Where AWS's set-up guide of a type names scopes these are its, less those that no action here needs; for the others they are what the actions need by the vendor's documentation.

- Slack's are *user token scopes*: messages are the user's own. For a bot's, give its token as an ` + "`API_KEY`" + `.
- AWS's guide for Teams leaves out ` + "`ChannelMember.ReadWrite.All`" + `, which the actions about members of private channels need. Add it with the tag if you use them.
- Client credentials ask for what the last column says.

| type | scopes of sign-ins | of client credentials |
|---|---|---|
`

// The scopes in the documentation are those of the table; this test says when they are not.
func TestScopesAreDocumented(t *testing.T) {
	t.Parallel()
	const path = "../../docs/reference/action-scopes.md"
	var want bytes.Buffer
	want.WriteString(scopesPreface)
	for _, info := range action.Types() {
		if len(info.Scopes)+len(info.ClientScopes) > 0 {
			fmt.Fprintf(&want, "| `%s` | %s | %s |\n", info.Type, quoted(info.Scopes), quoted(info.ClientScopes))
		}
	}
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("docs/reference/action-scopes.md is not what the table of types says; run go test ./internal/action -run Scopes -update")
	}
}

func quoted(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "`" + strings.Join(list, "` `") + "`"
}
