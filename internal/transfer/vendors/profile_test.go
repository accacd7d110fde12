package vendors

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/penstock-io/penstock/internal/fault"
)

func TestProfiles(t *testing.T) {
	t.Parallel()
	const oauth = "auth: {type: oauth2_client_credentials, client_id: a, client_secret: b}"
	for _, c := range []struct{ in, err string }{
		{in: "salesforce: {sales: {base_url: 'https://x.my.salesforce.com', " + oauth + "}}"},
		{in: "salesforce: {sales: {base_url: 'https://x.my.salesforce.com', api_version: v60.0, page_size: 500, " + oauth + "}}"},
		{in: "servicenow: {it: {base_url: 'https://x.service-now.com', auth: {type: basic, username: u, password: p}}}"},
		{in: "servicenow: {it: {base_url: 'https://x.service-now.com', auth: {type: api_key, api_key: k}}}"},
		{in: "zendesk: {help: {base_url: 'https://x.zendesk.com', auth: {type: api_key, username: me@example.com, api_key: k}}}"},
		{in: "zendesk: {help: {base_url: 'http://127.0.0.1:8080', auth: {type: bearer, token: k}}}"},
		{in: "zendesk: {help: {base_url: 'http://example.com', allow_http: true, auth: {type: bearer, token: k}}}"},
		{in: "zendesk: {help: {base_url: 'https://x.zendesk.com', auth: {type: oauth2_refresh_token, client_id: a, client_secret: b, refresh_token: c, token_url: 'https://y.example/t', scopes: [read]}}}"},
		{in: "sap: {x: {base_url: 'https://x', " + oauth + "}}", err: "sap: unknown vendor"},
		{in: "zendesk: {a/b: {base_url: 'https://x', " + oauth + "}}", err: "zendesk.a/b: a profile's name"},
		{in: "zendesk: {help: {base_url: 'http://example.com', " + oauth + "}}", err: "zendesk.help.base_url: \"http://example.com\" would send credentials unencrypted"},
		{in: "zendesk: {help: {base_url: 'ftp://example.com', " + oauth + "}}", err: "base_url: \"ftp://example.com\" has the scheme"},
		{in: "zendesk: {help: {base_url: 'https://u:p@example.com', " + oauth + "}}", err: "base_url"},
		{in: "zendesk: {help: {base_url: 'https://example.com?x=y', " + oauth + "}}", err: "base_url"},
		{in: "zendesk: {help: {" + oauth + "}}", err: "base_url"},
		{in: "zendesk: {help: {base_url: 'https://example.com'}}", err: "auth.type: \"\" is none of api_key, basic, bearer,"},
		{in: "zendesk: {help: {base_url: 'https://example.com', auth: {type: magic}}}", err: "auth.type"},
		{in: "zendesk: {help: {base_url: 'https://example.com', auth: {type: api_key, api_key: k}}}", err: "auth.username: is required"},
		{in: "zendesk: {help: {base_url: 'https://example.com', auth: {type: basic, username: u}}}", err: "auth.password: is required"},
		{in: "zendesk: {help: {base_url: 'https://example.com', auth: {type: bearer, token: t, password: p}}}", err: "auth.password: means nothing"},
		{in: "zendesk: {help: {base_url: 'https://example.com', auth: {type: bearer, token: t, token_url: 'https://t'}}}", err: "token_url and scopes mean nothing"},
		{in: "zendesk: {help: {base_url: 'https://example.com', auth: {type: oauth2_client_credentials, client_id: a, client_secret: b, token_url: 'http://t.example'}}}", err: "auth.token_url"},
		{in: "zendesk: {help: {base_url: 'https://example.com', api_version: v60.0, " + oauth + "}}", err: "api_version"},
		{in: "salesforce: {sales: {base_url: 'https://example.com', api_version: latest, " + oauth + "}}", err: "api_version"},
		{in: "salesforce: {sales: {base_url: 'https://example.com', page_size: -1, " + oauth + "}}", err: "page_size"},
		{in: "salesforce: {sales: {base_url: 'https://example.com', auth: {type: basic, username: u, password: p}}}", err: "Salesforce's REST API takes no basic"},
	} {
		var p Profiles
		if err := yaml.Unmarshal([]byte(c.in), &p); err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		err := p.Validate()
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s\n got %v, want %q", c.in, err, c.err)
		}
	}
}

func TestProfilesHideSecrets(t *testing.T) {
	t.Parallel()
	var p Profiles
	if err := yaml.Unmarshal([]byte("servicenow: {it: {base_url: 'https://x', auth: {type: basic, username: u, password: hunter2hunter2}}}"), &p); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, p); strings.Contains(text, "hunter2") {
			t.Errorf("%s prints the password: %s", format, text)
		}
	}
}

func TestParseURI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in      string
		vendor  Vendor
		profile string
	}{
		{"Salesforce://AppFlow/sales", Salesforce, "sales"},
		{"Servicenow://AppFlow/it-prod", ServiceNow, "it-prod"},
		{"ServiceNow://appflow/it.prod", ServiceNow, "it.prod"},
		{"zendesk://AppFlow/help", Zendesk, "help"},
		{"SharePoint://AppFlow/x", "", ""}, {"Salesforce://AppFlow", "", ""}, {"Salesforce://AppFlow/", "", ""},
		{"Salesforce://Other/x", "", ""}, {"Salesforce://AppFlow/a/b", "", ""}, {"Salesforce", "", ""}, {"", "", ""},
	} {
		v, p, err := ParseURI(c.in)
		if v != c.vendor || p != c.profile || (err == nil) != (c.vendor != "") {
			t.Errorf("ParseURI(%q) = %q, %q, %v", c.in, v, p, err)
		}
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("ParseURI(%q): %v is not Invalid", c.in, err)
		}
	}
	_, err := Profiles{Salesforce: {"b": {}, "a": {}}}.Find(Salesforce, "c")
	if !fault.Is(err, fault.NotFound, SubjectProfile) || !strings.Contains(err.Error(), "there is a, b") {
		t.Errorf("Find: %v", err)
	}
}
