// Package conformance uses a whole server the way its users do: the README's commands with the AWS CLI,
// boto3, the AWS SDK for Go, and the calls Terraform and CloudFormation make.
package conformance

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/test/harness"
)

// boot starts a server for one test and stops it, cleanly, at its end.
func boot(t *testing.T, args ...string) (*harness.Server, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	server, err := harness.Start(ctx, harness.Options{Dir: t.TempDir(), Args: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("the server did not stop cleanly: %v\n%s", err, server.Tail(30))
		}
		if t.Failed() {
			t.Logf("the server's last words:\n%s", server.Tail(30))
		}
	})
	return server, ctx
}

// needs skips a test whose tool is not installed.
func needs(t *testing.T, tool string, probe ...string) {
	t.Helper()
	if err := exec.Command(probe[0], probe[1:]...).Run(); err != nil {
		t.Skipf("%s is not installed", tool)
	}
}

// patience is what a person brings along by typing slowly: after a statement is handed in, wait for its end.
const patience = `
set -eu
aws() {
  command aws "$@"
  if [ "$1 $2" = "redshift-data execute-statement" ]; then
    while command aws redshift-data list-statements --query 'Statements[].Status' --output text | grep -Eq 'SUBMITTED|PICKED|STARTED'; do sleep 0.1; done
  fi
  if [ "$1 $2" = "redshift create-integration" ]; then
    while command aws redshift describe-integrations --query 'Integrations[].Status' --output text | grep -q creating; do sleep 0.1; done
  fi
  if [ "$1" = "s3" ] && [ "$2" = "cp" ] || [ "$2" = "update-item" ]; then sleep 1; fi
}
`

// TestREADME runs the walk-through of the README as it is printed there.
func TestREADME(t *testing.T) {
	needs(t, "the AWS CLI", "aws", "--version")
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, walk, ok := strings.Cut(string(text), "## Walk-through")
	if !ok {
		t.Fatal("the README has no walk-through")
	}
	walk, _, _ = strings.Cut(walk, "\n## ")
	var script strings.Builder
	script.WriteString(patience)
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(walk, -1) {
		if !strings.Contains(block[1], "penstock serve") { // the test has started it
			script.WriteString(block[1])
		}
	}
	server, ctx := boot(t)
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(dir, "bin", "penstock")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PENSTOCK_LISTEN="+server.Addr, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\nstdout:\n%s\nstderr:\n%s", err, stdout.String(), stderr.String())
	}
	for _, want := range []string{"customers-to-default\tactive", "orders-to-default\tactive", `"stringValue": "99.95"`, `"stringValue": "Grace"`, `"stringValue": "new"`, "FINISHED", `"stringValue": "Ada"`, `"longValue": 2`} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, stdout.String())
		}
	}
	rows, err := server.Clients().SQL(ctx, "SELECT file_name, line_number, column_name, error_code FROM sys_load_error_detail")
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || rows[0][0] != "s3://orders/incoming/bad.csv" || rows[0][1] != "1" || rows[0][2] != "amount" || rows[0][3] != "1207" && rows[0][3] != "1209" {
		t.Errorf("the bad file's error: %v", rows)
	}
}

// TestDemo runs the demonstration to its end.
func TestDemo(t *testing.T) {
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "demo").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"299 files are in the table", "29900 rows", "orders-0150.csv line 51, column id", "p99", "aws redshift describe-integrations"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
}
