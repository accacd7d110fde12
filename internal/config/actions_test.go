package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestActionDefaults(t *testing.T) {
	c, err := load(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	a := c.Actions
	if a.Checks != "lenient" || a.ApproveWrites || a.PublicURL != "" || a.Egress.AllowHTTP || len(a.Egress.AllowedNetworks) != 0 || a.Egress.RootCAs != nil || len(a.VPCConnections) != 0 {
		t.Errorf("%+v", a)
	}
}

func TestActionSettings(t *testing.T) {
	file := `
public-url: https://penstock.example.com/
action-approval: writes
action-allowed-networks: [10.1.2.3/8, 127.0.0.1]
action-aws-endpoints: [textract=http://127.0.0.1:9000]
vpc-connections:
  inside: {allowed-hosts: ["*.corp.example.com", a.example.com], proxy: "http://proxy:3128", allow-http: true}
  other: {}
`
	c, err := load(t, file, map[string]string{"PENSTOCK_ACTION_CHECKS": "off"}, "--action-allow-http")
	if err != nil {
		t.Fatal(err)
	}
	a := c.Actions
	if a.PublicURL != "https://penstock.example.com" || !a.ApproveWrites || a.Checks != "off" || !a.Egress.AllowHTTP || a.AWSEndpoints["textract"] != "http://127.0.0.1:9000" {
		t.Errorf("%+v", a)
	}
	if n := a.Egress.AllowedNetworks; len(n) != 2 || n[0].String() != "10.0.0.0/8" || n[1].String() != "127.0.0.1/32" {
		t.Errorf("the networks are %v", n)
	}
	inside, ok := a.VPCConnections["inside"]
	if !ok || len(inside.AllowedHosts) != 2 || inside.Proxy.Host != "proxy:3128" || !inside.AllowHTTP {
		t.Errorf("%+v", inside)
	}
	if _, ok := a.VPCConnections["other"]; !ok {
		t.Error("a way out without settings is lost")
	}
}

func TestActionRefusals(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		file string
		args []string
		want []string
	}{
		{"", []string{"--public-url", "penstock.example.com"}, []string{"--public-url", "https://"}},
		{"", []string{"--public-url", "https://p.example.com?x=1"}, []string{"--public-url"}},
		{"", []string{"--action-checks", "some"}, []string{"--action-checks", "lenient"}},
		{"", []string{"--action-approval", "yes"}, []string{"--action-approval", "writes"}},
		{"", []string{"--action-allow-http=maybe"}, []string{"--action-allow-http"}},
		{"", []string{"--action-allowed-networks", "10.0.0.0/99"}, []string{"--action-allowed-networks", "10.0.0.0/99"}},
		{"", []string{"--action-allowed-hosts", "https://a"}, []string{"--action-allowed-hosts"}},
		{"", []string{"--action-proxy", "proxy"}, []string{"--action-proxy"}},
		{"", []string{"--action-ca-file", "/does/not/exist"}, []string{"--action-ca-file"}},
		{"", []string{"--action-ca-file", empty}, []string{"--action-ca-file", "no certificate"}},
		{"", []string{"--action-aws-endpoints", "textract"}, []string{"--action-aws-endpoints", "service=URL"}},
		{"", []string{"--action-sts-endpoint", "there"}, []string{"--action-sts-endpoint"}},
		{"vpc-connections: [a]\n", nil, []string{":1: vpc-connections", "ids"}},
		{"vpc-connections: {a: b}\n", nil, []string{"vpc-connections", "a", "proxy"}},
		{"vpc-connections: {a: {proxi: x}}\n", nil, []string{"a.proxi", "unknown key"}},
		{"vpc-connections: {a: {proxy: x}}\n", nil, []string{"a.proxy", "URL"}},
		{"vpc-connections: {a: {allow-http: maybe}}\n", nil, []string{"a.allow-http"}},
	} {
		_, err := load(t, tc.file, nil, tc.args...)
		if err == nil {
			t.Errorf("%q %v was accepted", tc.file, tc.args)
			continue
		}
		for _, part := range tc.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q %v: %q does not mention %q", tc.file, tc.args, err, part)
			}
		}
	}
}
