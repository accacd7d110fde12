package quicksight

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/action/oauth/oauthtest"
	"github.com/penstock-io/penstock/test/harness"
)

// person is what somebody does who follows the how-to: wait for a connector's check, open the address of a sign-in in
// a browser, and copy the id of an approval.
const person = `
set -eu
aws() {
  command aws "$@"
  case "$2" in create-action-connector)
    while command aws quicksight list-action-connectors --aws-account-id 123456789012 --query 'ActionConnectorSummaries[].Status' --output text | grep -q IN_PROGRESS; do sleep 0.1; done
  esac
}
follow() {
  eval "$(declare -f pen | sed '1s/pen/signed/')"
  pen() {
    local out
    out=$(signed "$@")
    echo "$out"
    case "$*" in */sign-in) curl -sSkL "$(echo "$out" | sed 's/.*"signInUrl":"\([^"]*\)".*/\1/')" ;; esac
    case "$out" in *'"approvalId"'*) APPROVALID=$(echo "$out" | sed 's/.*"approvalId":"\([^"]*\)".*/\1/') ;; esac
  }
}
`

// TestHowTo runs the commands of the how-to as they are printed there; only the hosts and the secrets are others.
func TestHowTo(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"aws", "curl", "bash"} {
		if err := exec.Command(tool, "--version").Run(); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	if out, _ := exec.Command("curl", "--help", "all").Output(); !bytes.Contains(out, []byte("--aws-sigv4")) {
		t.Skip("curl is too old to sign requests")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "how-to", "action-connectors.md"))
	if err != nil {
		t.Fatal(err)
	}
	server := oauthtest.New(t)
	site := newVendor(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		answers := map[string]string{
			"GET /jira/rest/api/3/myself":      `{"accountId":"1"}`,
			"GET /jira/rest/api/3/issue/OPS-7": `{"key":"OPS-7"}`,
			"POST /slack/chat.postMessage":     `{"ok":true,"ts":"1.2"}`,
			"GET /slack/conversations.list":    `{"ok":true,"channels":[]}`,
			"GET /petstore/v1/pets":            `{"pets":[{"id":7}]}`,
			"GET /petstore/v1/pets/7":          `{"id":7,"name":"Rex"}`,
			"POST /petstore/v1/orders":         fmt.Sprintf(`{"ordered":%s}`, body),
		}
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		answer, ok := answers[r.Method+" "+r.URL.Path]
		switch {
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		case strings.HasPrefix(r.URL.Path, "/slack/") && !server.Valid(token), strings.HasPrefix(r.URL.Path, "/jira/") && !strings.HasPrefix(r.Header.Get("Authorization"), "Basic "):
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, answer)
		}
	})
	const secret = "hunter2-of-the-how-to"
	server.ClientSecret = secret
	world := start(t)
	var script strings.Builder
	script.WriteString(person)
	for _, block := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		switch commands := block[2]; {
		case block[1] != "": // no commands
		case strings.Contains(commands, "penstock serve &"): // the test has started it
			script.WriteString(commands[strings.Index(commands, "\n")+1:])
		case strings.Contains(commands, "penstock serve"):
		case strings.HasPrefix(commands, "pen() {"):
			script.WriteString(commands + "follow\n")
		default:
			script.WriteString(commands)
		}
	}
	bin := t.TempDir()
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(bin, "penstock")); err != nil {
		t.Fatal(err)
	}
	commands := strings.NewReplacer(
		"https://SITE.atlassian.net", site.URL+"/jira", "ApiKey=KEY", "ApiKey="+secret, `"ApiKey": "KEY"`, `"ApiKey": "`+secret+`"`, "https://petstore.example.com/v1", site.URL+"/petstore/v1",
		"https://slack.com/oauth/v2/authorize", server.AuthorizationEndpoint(), "https://slack.com/api/oauth.v2.access", server.TokenEndpoint(), "https://slack.com/api", site.URL+"/slack",
		`"ClientId": "ID"`, `"ClientId": "`+server.ClientID+`"`, `"SECRET"`, `"`+secret+`"`, "/APPROVALID", "/$APPROVALID",
	).Replace(script.String())
	cmd := exec.CommandContext(t.Context(), "bash", "-c", commands)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "PENSTOCK_LISTEN="+world.Addr, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\nstdout:\n%s\nstderr:\n%s", err, commands, stdout.String(), stderr.String())
	}
	said := stdout.String()
	for _, want := range []string{
		`"Name":"things"`, `"body":{"key":"OPS-7"}`, `"outcome":"DRY_RUN"`, `Signed in`, `"state":"active"`, `"ts":"1.2"`, `"channels":[]`, `"pets":[{"id":7}]`, `"id":"placeOrder"`, `"name":"Rex"`,
		`{"ordered":{"pet":7}}`, `"outcome":"PENDING"`, `{"ordered":{"pet":8}}`, `"approvalId":"`, `"SearchIssues"`,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the output lacks %s", want)
		}
	}
	for _, never := range []string{secret, `"code":"`, "Not signed in"} {
		if strings.Contains(said, never) {
			t.Errorf("the output has %s", never)
		}
	}
	if t.Failed() {
		t.Logf("%s\nstderr:\n%s", said, stderr.String())
	}
}
