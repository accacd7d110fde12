package mcp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// javascriptSDK is the version of the official client the server is held against.
const javascriptSDK = "@modelcontextprotocol/sdk@1.32.2"

// The official client of another language understands the server. It needs node and npm, and a registry to get
// the client from.
func TestJavaScriptClient(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the JavaScript client is not installed")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed, so the server is not held against the official JavaScript client")
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not installed, so the server is not held against the official JavaScript client")
	}
	dir := t.TempDir()
	script, err := os.ReadFile("testdata/client.mjs")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"client.mjs": script, "package.json": []byte(`{"private":true}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	installing, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(installing, npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", javascriptSDK)
	install.Dir = dir
	install.WaitDelay = time.Second
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install %s, so the server is not held against it: %v\n%s", javascriptSDK, err, out)
	}

	b := &box{}
	b.set("ann", offer("jira_GetIssue"), offer("jira_DeleteIssue"))
	h, server := serve(t, b)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	run := exec.CommandContext(ctx, node, "client.mjs", server.URL)
	run.Dir = dir
	var stderr bytes.Buffer
	run.Stderr = &stderr
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			What  string
			Value json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Errorf("%s: %v", lines.Bytes(), err)
		}
		got[line.What] = string(line.Value)
		if line.What == "listening" {
			b.set("ann", offer("jira_GetIssue"), offer("slack_Post"))
			h.Changed()
		}
	}
	if err := run.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	for what, parts := range map[string][]string{
		"server":       {`"name":"penstock"`},
		"capabilities": {`"listChanged":true`},
		"tools":        {`"jira_GetIssue"`, `"jira_DeleteIssue"`, `"readOnlyHint":true`, `"destructiveHint":true`, `"required":["key"]`},
		"call":         {`"structuredContent":{"echo":{"key":"OPS-1"}}`},
		"wrong":        {`"isError":true`, `/key: is not as it must be`},
		"unknown":      {`-32602`},
		"changed":      {`["jira_GetIssue","slack_Post"]`},
		"stranger":     {`Sign the request`},
	} {
		for _, part := range parts {
			if !strings.Contains(got[what], part) {
				t.Errorf("%s is %s, which lacks %s", what, got[what], part)
			}
		}
	}
}
