package config

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Actions is what a user can set about action connectors.
type Actions struct {
	PublicURL     string // where browsers reach the server; empty when it was not said
	Checks        string // lenient, strict or off
	ApproveWrites bool   // calls that write wait for an approval
	Egress        Egress // of connectors without a VPC connection
	// VPCConnections are the ways out of connectors that name one, by the connection's id.
	VPCConnections map[string]Egress
	AWSEndpoints   map[string]string // URLs of AWS's services by the first part of their host names
	STS            string            // where roles are assumed: a URL, AWS, or empty for nowhere
}

// Egress is a way out for the calls of connectors.
type Egress struct {
	AllowHTTP       bool
	AllowedNetworks []netip.Prefix
	AllowedHosts    []string
	Proxy           *url.URL       // nil for none
	RootCAs         *x509.CertPool // nil for the system's
}

// actionsDraft holds the settings of Actions as text.
type actionsDraft struct {
	publicURL, checks, approve, sts, endpoints string
	egress                                     egressDraft
	vpc                                        string // YAML: ways out by the ids of VPC connections
}

// egressDraft holds a way out as text.
type egressDraft struct{ allowHTTP, networks, hosts, proxy, ca string }

func (d *actionsDraft) settings() []Setting {
	return []Setting{
		{"public-url", "where browsers reach this server, for sign-ins to come back to (default http://LISTEN on loopback)", &d.publicURL},
		{"action-checks", `try a connector's credentials when it is made: "lenient" keeps what cannot be reached, "strict" does not, "off" tries nothing`, &d.checks},
		{"action-approval", `"writes": calls of actions that write wait for an approval; "none": they do not`, &d.approve},
		{"action-allow-http", "let connectors speak plain http", &d.egress.allowHTTP},
		{"action-allowed-networks", "comma-separated private networks that connectors may reach, such as 127.0.0.0/8", &d.egress.networks},
		{"action-allowed-hosts", "comma-separated host names that connectors may reach, and no others, such as *.example.com", &d.egress.hosts},
		{"action-proxy", "http or https proxy for the calls of connectors", &d.egress.proxy},
		{"action-ca-file", "PEM file of certificate authorities that connectors trust besides the system's", &d.egress.ca},
		{"action-aws-endpoints", "comma-separated service=URL for connectors to AWS's services that are not at AWS", &d.endpoints},
		{vpcConnections, "ways out of connectors that name a VPC connection, by its id; in the file a mapping with allow-http, allowed-hosts, allowed-networks, ca-file and proxy", &d.vpc},
		{"action-sts-endpoint", `where the roles of connectors to AWS's services are assumed: "aws", a URL, or nothing to use the server's own credentials`, &d.sts},
	}
}

// report takes what is wrong with a setting.
type report func(name, format string, args ...any)

func (d *actionsDraft) parse(bad report, boolean func(name, v string) bool) Actions {
	a := Actions{PublicURL: strings.TrimRight(d.publicURL, "/"), Checks: d.checks, VPCConnections: map[string]Egress{}, STS: d.sts}
	if d.publicURL != "" {
		if u, err := url.Parse(d.publicURL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			bad("public-url", "%q is not an address such as https://penstock.example.com", d.publicURL)
		}
	}
	switch d.checks {
	case "lenient", "strict", "off":
	default:
		bad("action-checks", `%q is none of "lenient", "strict", "off"`, d.checks)
	}
	switch d.approve {
	case "writes", "none":
		a.ApproveWrites = d.approve == "writes"
	default:
		bad("action-approval", `%q is neither "writes" nor "none"`, d.approve)
	}
	if d.sts != "" && d.sts != AWS && !isURL(d.sts) {
		bad("action-sts-endpoint", `%q is neither "aws" nor a URL such as http://127.0.0.1:4566`, d.sts)
	}
	a.AWSEndpoints = map[string]string{}
	for _, pair := range list(d.endpoints) {
		service, endpoint, ok := strings.Cut(pair, "=")
		if !ok || service == "" || !isURL(endpoint) {
			bad("action-aws-endpoints", "%q is not service=URL, such as textract=http://127.0.0.1:9000", pair)
		}
		a.AWSEndpoints[service] = endpoint
	}
	a.Egress = d.egress.parse(func(key, format string, args ...any) { bad("action-"+key, format, args...) }, func(v string) bool { return boolean("action-allow-http", v) })
	ways, err := readVPC(d.vpc)
	if err != nil {
		bad(vpcConnections, "%v", err)
	}
	for id, e := range ways {
		complain := func(key, format string, args ...any) { bad(vpcConnections, id+"."+key+": "+format, args...) }
		a.VPCConnections[id] = e.parse(complain, func(v string) bool {
			if v != "true" && v != "false" {
				complain("allow-http", "%q is neither true nor false", v)
			}
			return v == "true"
		})
	}
	return a
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// list splits a comma-separated value.
func list(s string) []string {
	var out []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

func (d egressDraft) parse(bad report, boolean func(v string) bool) Egress {
	e := Egress{AllowedHosts: list(d.hosts)}
	if d.allowHTTP != "" {
		e.AllowHTTP = boolean(d.allowHTTP)
	}
	for _, text := range list(d.networks) {
		p, err := netip.ParsePrefix(text)
		if a, single := netip.ParseAddr(text); err != nil && single == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			bad("allowed-networks", "%q is not a network such as 10.0.0.0/8", text)
			continue
		}
		e.AllowedNetworks = append(e.AllowedNetworks, p.Masked())
	}
	for _, h := range e.AllowedHosts {
		if name := strings.TrimPrefix(h, "*."); name == "" || strings.ContainsAny(name, "*/: ") {
			bad("allowed-hosts", "%q is neither a name such as api.example.com nor *.example.com", h)
		}
	}
	if d.proxy != "" {
		if !isURL(d.proxy) {
			bad("proxy", "%q is not a URL such as http://proxy.example.com:3128", d.proxy)
		} else {
			e.Proxy, _ = url.Parse(d.proxy)
		}
	}
	if d.ca == "" {
		return e
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pem, err := os.ReadFile(d.ca)
	if err != nil {
		bad("ca-file", "%v", err)
	} else if !pool.AppendCertsFromPEM(pem) {
		bad("ca-file", "%s holds no certificate in PEM form", d.ca)
	}
	e.RootCAs = pool
	return e
}

// vpcConnections is the setting that is a mapping.
const vpcConnections = "vpc-connections"

// whole is a value of any shape as YAML.
func whole(n *yaml.Node) (string, error) {
	text, err := yaml.Marshal(n)
	return string(text), err
}

// readVPC reads the ways out by the id of the VPC connection.
func readVPC(text string) (map[string]egressDraft, error) {
	const keys = "allow-http, allowed-hosts, allowed-networks, ca-file, proxy"
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	n := doc.Content[0]
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("want the ids of VPC connections, each with its settings")
	}
	all := map[string]egressDraft{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		id, value := n.Content[i].Value, n.Content[i+1]
		if _, twice := all[id]; twice {
			return nil, fmt.Errorf("%s is given twice", id)
		}
		if value.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("%s: want keys and values: %s", id, keys)
		}
		var e egressDraft
		fields := map[string]*string{"allow-http": &e.allowHTTP, "allowed-networks": &e.networks, "allowed-hosts": &e.hosts, "proxy": &e.proxy, "ca-file": &e.ca}
		for k := 0; k+1 < len(value.Content); k += 2 {
			key := value.Content[k].Value
			field, ok := fields[key]
			if !ok {
				return nil, fmt.Errorf("%s.%s: unknown key; the keys are %s", id, key, keys)
			}
			text, err := scalar(value.Content[k+1])
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", id, key, err)
			}
			*field = text
		}
		all[id] = e
	}
	return all, nil
}
