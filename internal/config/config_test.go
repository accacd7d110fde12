package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, file string, env map[string]string, args ...string) (Config, error) {
	t.Helper()
	if file != "" {
		path := filepath.Join(t.TempDir(), "p.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	return Load("serve", args, func(k string) (string, bool) { v, ok := env[k]; return v, ok }, io.Discard)
}

func TestDefaults(t *testing.T) {
	c, err := load(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:4566" || c.Region != "us-east-1" || c.AccountID != "123456789012" || !c.ManageStreams || c.MemoryLimit != 128<<20 || c.ListInterval != 30*time.Second || !c.PartnersAny {
		t.Errorf("%+v", c)
	}
}

func TestPrecedence(t *testing.T) {
	file := "region: eu-west-1\ndata-dir: /from/file\nlog-level: debug\npartner-names: [A, B]\n"
	env := map[string]string{"PENSTOCK_DATA_DIR": "/from/env", "PENSTOCK_LOG_LEVEL": "warn"}
	c, err := load(t, file, env, "--log-level", "error")
	if err != nil {
		t.Fatal(err)
	}
	if c.Region != "eu-west-1" || c.DataDir != "/from/env" || c.LogLevel != "error" || strings.Join(c.PartnerNames, "+") != "A+B" {
		t.Errorf("%+v", c)
	}
}

func TestManageStreamsFollowsTheEndpoint(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want bool
	}{
		{nil, true},
		{[]string{"--dynamodb-endpoint=aws"}, false},
		{[]string{"--dynamodb-endpoint=aws", "--manage-streams"}, true},
		{[]string{"--manage-streams=false"}, false},
	} {
		c, err := load(t, "", nil, tc.args...)
		if err != nil || c.ManageStreams != tc.want {
			t.Errorf("%v: %v, %v", tc.args, c.ManageStreams, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		name string
		file string
		env  map[string]string
		args []string
		want []string // parts of the message
	}{
		{"unknown key", "listen: 127.0.0.1:1\nlissen: x\n", nil, nil, []string{":2: lissen", "unknown key"}},
		{"nested value", "listen: {a: b}\n", nil, nil, []string{"listen", "plain value"}},
		{"key twice", "region: eu-west-1\nregion: eu-west-2\n", nil, nil, []string{":2: region", "key given twice"}},
		{"external engine", "warehouses: {a: {engine: postgres}}\n", nil, nil, []string{"warehouses", "not supported yet"}},
		{"not YAML", "a: b: c", nil, nil, []string{"p.yaml"}},
		{"list on top", "- a\n", nil, nil, []string{"line 1"}},
		{"env names itself", "", map[string]string{"PENSTOCK_ACCOUNT_ID": "12"}, nil, []string{"PENSTOCK_ACCOUNT_ID", "12 digits"}},
		{"flag names itself", "", nil, []string{"--listen", "4566"}, []string{"--listen", "host:port"}},
		{"port", "", nil, []string{"--listen", "127.0.0.1:70000"}, []string{"port"}},
		{"unknown flag", "", nil, []string{"--lisen", "x"}, []string{"lisen"}},
		{"argument", "", nil, []string{"now"}, []string{`"now"`}},
		{"public with default key", "", nil, []string{"--listen", "0.0.0.0:4566"}, []string{"--access-key-id"}},
		{"all interfaces with default key", "", nil, []string{"--listen", ":4566"}, []string{"--access-key-id"}},
		{"endpoint", "", nil, []string{"--s3-endpoint", "ftp://x"}, []string{"--s3-endpoint"}},
		{"level", "", nil, []string{"--log-level", "loud"}, []string{"loud"}},
		{"memory", "", nil, []string{"--memory-limit", "1MiB"}, []string{"64MiB"}},
		{"duration", "", nil, []string{"--list-interval", "soon"}, []string{"soon"}},
		{"missing file", "", nil, []string{"--config", "/does/not/exist"}, []string{"--config"}},
		{"two at once", "", nil, []string{"--region", "moon", "--account-id", "x"}, []string{"--region", "--account-id"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := load(t, tc.file, tc.env, tc.args...)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not mention %q", err, part)
				}
			}
		})
	}
}

func TestPublicListenWithOwnKey(t *testing.T) {
	if _, err := load(t, "", nil, "--listen", "0.0.0.0:4566", "--access-key-id", "AKIAMINE", "--secret-access-key", "s"); err != nil {
		t.Fatal(err)
	}
}

func TestHelpListsEverySetting(t *testing.T) {
	var out strings.Builder
	_, err := Load("serve", []string{"--help"}, func(string) (string, bool) { return "", false }, &out)
	if !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	d := defaults()
	for _, s := range d.settings() {
		if !strings.Contains(out.String(), "--"+s.Name) || s.Help == "" {
			t.Errorf("help lacks %s", s.Name)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\n")
	f.Add("partner-names: [a, b]\n")
	f.Add("a: &x [*x]\n")
	f.Add("vpc-connections: {v: {allowed-networks: [10.0.0.0/8], proxy: \"http://p:1\"}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := defaults()
		set := map[string]string{}
		if _, err := parseFile("f", []byte(text), d.settings(), set); err == nil {
			_, _ = d.parse(set)
		}
	})
}

func TestSections(t *testing.T) {
	t.Setenv("PENSTOCK_TEST_TOKEN", "from the environment")
	d := defaults()
	got, err := parseFile("f", []byte(`
region: eu-west-1
profiles:
  zendesk:
    help: {base_url: "https://x.zendesk.com", auth: {type: bearer, token: "env:PENSTOCK_TEST_TOKEN"}}
webhooks:
  orders: {secret: abc, tolerance: 1m}
event-buses:
  default: {type: table, table: "redshift://default/dev/public/events"}
`), d.settings(), map[string]string{})
	if err != nil || d.region != "eu-west-1" {
		t.Fatal(err)
	}
	if got.Profiles["zendesk"]["help"].Auth.Token.Reveal() != "from the environment" || got.Events.Webhooks["orders"].Tolerance != time.Minute || got.Events.Buses["default"].Type != "table" {
		t.Errorf("got %+v", got)
	}
	if text := fmt.Sprintf("%+v %#v", got, got); strings.Contains(text, "from the environment") || strings.Contains(text, "abc") {
		t.Errorf("the sections print secrets: %s", text)
	}
	for text, want := range map[string]string{
		"profiles: {sap: {x: {}}}":                          "profiles.sap: unknown vendor",
		"profiles: {zendesk: {x: {base_url: 'https://x'}}}": "profiles.zendesk.x.auth.type",
		"profiles: {zendesk: {x: {url: 'https://x'}}}":      "line 1: field url is unknown",
		"profiles: [a]": "line 1: cannot unmarshal",
		"webhooks: {a: {secret: env:PENSTOCK_TEST_MISSING}}": "PENSTOCK_TEST_MISSING",
		"webhooks: {a: {secret: s, tolerance: soon}}":        "line 1",
		"webhooks: {a: {}}":                                      "webhooks.a.secret: is required",
		"event-buses: {a: {type: queue}}":                        "event-buses.a.type",
		"event-busses: {a: {type: table}}":                       "unknown key",
		"webhooks: {a: {secret: s}}\nwebhooks: {b: {secret: s}}": "already defined",
	} {
		if _, err := parseFile("f", []byte(text), d.settings(), map[string]string{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v, want %q", text, err, want)
		}
	}
}
