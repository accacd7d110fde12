package quicksight_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	api "github.com/penstock-io/penstock/internal/awsapi/quicksight"
	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/wire"
)

func escape(arn string) string { return url.PathEscape(arn) }

func readFile(name string) (string, error) {
	b, err := os.ReadFile(name)
	return string(b), err
}

// someTags are n tags.
func someTags(from, n int) []object {
	var out []object
	for i := from; i < from+n; i++ {
		out = append(out, object{"Key": fmt.Sprintf("k%d", i), "Value": "v"})
	}
	return out
}

func vpc(id string) object {
	return object{"VPCConnectionId": id, "Name": "Out", "SubnetIds": []string{"subnet-a", "subnet-b"}, "SecurityGroupIds": []string{"sg-1"}, "RoleArn": role}
}

func with(in object, member string, value any) object {
	out := object{}
	for k, v := range in {
		out[k] = v
	}
	if value == nil {
		delete(out, member)
	} else {
		out[member] = value
	}
	return out
}

const (
	connectorARN = "arn:aws:quicksight:us-east-1:123456789012:action-connector/c"
	elsewhere    = "/accounts/999999999999"
)

// target is where an operation's request goes, below the account.
type target struct {
	method, path string
	in           object
}

func targets() map[string]target {
	update := object{"Name": "N", "AuthenticationConfig": noneAuth()}
	grant := object{"GrantPermissions": []object{{"Principal": alice, "Actions": []string{"quicksight:DescribeActionConnector"}}}}
	return map[string]target{
		"CreateActionConnector":              {"POST", "/action-connectors", connector("c")},
		"UpdateActionConnector":              {"PUT", "/action-connectors/c", update},
		"DescribeActionConnector":            {"GET", "/action-connectors/c", nil},
		"DeleteActionConnector":              {"DELETE", "/action-connectors/c", nil},
		"ListActionConnectors":               {"GET", "/action-connectors", nil},
		"SearchActionConnectors":             {"POST", "/search/action-connectors", object{"Filters": []object{}}},
		"DescribeActionConnectorPermissions": {"GET", "/action-connectors/c/permissions", nil},
		"UpdateActionConnectorPermissions":   {"POST", "/action-connectors/c/permissions", grant},
		"CreateVPCConnection":                {"POST", "/vpc-connections", vpc("v")},
		"UpdateVPCConnection":                {"PUT", "/vpc-connections/v", with(vpc("v"), "VPCConnectionId", nil)},
		"DescribeVPCConnection":              {"GET", "/vpc-connections/v", nil},
		"DeleteVPCConnection":                {"DELETE", "/vpc-connections/v", nil},
		"ListVPCConnections":                 {"GET", "/vpc-connections", nil},
	}
}

// badID is a path with an id that no connector can have.
func badID(path string) string {
	parts := strings.Split(path, "/")
	if parts[2] += ".x"; parts[1] == "vpc-connections" { // where any character will do
		parts[2] += strings.Repeat("x", 1000)
	}
	return strings.Join(parts, "/")
}

func TestDeclared(t *testing.T) {
	var cases []fronttest.Case[env]
	add := func(op string, e *wire.ErrorShape, method, path string, in object, first func(env)) {
		cases = append(cases, fronttest.Case[env]{Operation: op, Error: e, Request: func(_ *testing.T, e env) *http.Request {
			if first != nil {
				first(e)
			}
			if in == nil {
				return request(method, path, nil)
			}
			return request(method, path, in)
		}})
	}
	broken := func(e env) {
		e.breakStore("action_access", "action_grant", "action_sign_in", "action_document", "action_connector", "action_vpc_connection")
	}
	closed := func(e env) {
		if err := e.db.Close(); err != nil {
			e.t.Fatal(err)
		}
	}
	tags := map[string]target{
		"TagResource":         {"POST", "/resources/" + escape(connectorARN) + "/tags", object{"Tags": someTags(0, 1)}},
		"UntagResource":       {"DELETE", "/resources/" + escape(connectorARN) + "/tags?keys=a", nil},
		"ListTagsForResource": {"GET", "/resources/" + escape(connectorARN) + "/tags", nil},
	}
	all := targets()
	for op, at := range all {
		add(op, api.ErrThrottlingException, at.method, base+at.path, at.in, closed)
		add(op, api.ErrAccessDeniedException, at.method, elsewhere+at.path, at.in, nil)
		if op != "SearchActionConnectors" {
			add(op, api.ErrInternalFailureException, at.method, base+at.path, at.in, broken)
		}
		if strings.HasSuffix(at.path, "/c") || strings.HasSuffix(at.path, "/v") || strings.HasSuffix(at.path, "/permissions") {
			add(op, api.ErrResourceNotFoundException, at.method, base+at.path, at.in, nil)
			add(op, api.ErrInvalidParameterValueException, at.method, base+badID(at.path), at.in, nil)
		}
	}
	for op, at := range tags {
		add(op, api.ErrThrottlingException, at.method, at.path, at.in, closed)
		add(op, api.ErrInternalFailureException, at.method, at.path, at.in, broken)
		add(op, api.ErrResourceNotFoundException, at.method, at.path, at.in, nil)
		add(op, api.ErrAccessDeniedException, at.method, strings.Replace(at.path, "123456789012", "999999999999", 1), at.in, nil)
		add(op, api.ErrInvalidParameterValueException, at.method, strings.Replace(at.path, "quicksight", "s3", 1), at.in, nil)
	}
	one := func(e env) { e.create("c", nil) }
	add("CreateActionConnector", api.ErrInvalidParameterValueException, "POST", base+"/action-connectors", connector("quicksuite-c"), nil)
	add("CreateActionConnector", api.ErrResourceExistsException, "POST", base+"/action-connectors", connector("c"), one)
	add("CreateActionConnector", api.ErrConflictException, "POST", base+"/action-connectors", with(connector("d"), "Name", "Name c"), one)
	add("UpdateActionConnector", api.ErrConflictException, "PUT", base+"/action-connectors/d", object{"Name": "Name c", "AuthenticationConfig": noneAuth()}, func(e env) {
		one(e)
		e.create("d", nil)
	})
	add("ListActionConnectors", api.ErrInvalidParameterValueException, "GET", base+"/action-connectors?max-results=101", nil, nil)
	add("ListActionConnectors", api.ErrInvalidNextTokenException, "GET", base+"/action-connectors?next-token=x", nil, nil)
	add("SearchActionConnectors", api.ErrInvalidParameterValueException, "POST", base+"/search/action-connectors", object{"Filters": []object{{"Name": "COLOR", "Operator": "StringEquals", "Value": "red"}}}, nil)
	add("SearchActionConnectors", api.ErrInvalidNextTokenException, "POST", base+"/search/action-connectors?next-token=x", object{"Filters": []object{}}, nil)
	some := []object{{"Principal": alice, "Actions": []string{"quicksight:DescribeActionConnector"}}}
	add("UpdateActionConnectorPermissions", api.ErrConflictException, "POST", base+"/action-connectors/c/permissions", object{"GrantPermissions": some, "RevokePermissions": some}, one)
	var many []object
	for n := range 64 {
		many = append(many, object{"Principal": fmt.Sprint(alice, n), "Actions": []string{"quicksight:DescribeActionConnector"}})
	}
	add("UpdateActionConnectorPermissions", api.ErrLimitExceededException, "POST", base+"/action-connectors/c/permissions", object{"GrantPermissions": some}, func(e env) {
		e.create("c", object{"Permissions": many})
	})
	add("CreateVPCConnection", api.ErrInvalidParameterValueException, "POST", base+"/vpc-connections", with(vpc("v"), "DnsResolvers", []string{"not.an.ip"}), nil)
	add("CreateVPCConnection", api.ErrResourceExistsException, "POST", base+"/vpc-connections", vpc("v"), func(e env) { e.must("POST", base+"/vpc-connections", vpc("v")) })
	add("CreateVPCConnection", api.ErrLimitExceededException, "POST", base+"/vpc-connections", vpc("v"), func(e env) {
		for n := range 100 {
			e.must("POST", base+"/vpc-connections", vpc(fmt.Sprint("v", n)))
		}
	})
	add("DeleteVPCConnection", api.ErrConflictException, "DELETE", base+"/vpc-connections/v", nil, func(e env) {
		e.must("POST", base+"/vpc-connections", vpc("v"))
		e.create("c", object{"VpcConnectionArn": "arn:aws:quicksight:us-east-1:123456789012:vpcConnection/v"})
	})
	add("ListVPCConnections", api.ErrInvalidParameterValueException, "GET", base+"/vpc-connections?max-results=0", nil, nil)
	add("ListVPCConnections", api.ErrInvalidNextTokenException, "GET", base+"/vpc-connections?next-token=x", nil, nil)
	add("TagResource", api.ErrLimitExceededException, "POST", "/resources/"+escape(connectorARN)+"/tags", object{"Tags": someTags(50, 1)}, func(e env) {
		e.create("c", object{"Tags": someTags(0, 50)})
	})
	never := []fronttest.Never{
		fronttest.Cannot("", api.ErrUnsupportedUserEditionException, "there are no editions: everything is offered"),
		fronttest.Cannot("CreateVPCConnection", api.ErrConflictException, "a VPC connection is made at once and excludes no other"),
		fronttest.Cannot("UpdateVPCConnection", api.ErrConflictException, "a VPC connection can be changed at any time"),
		fronttest.Cannot("UpdateVPCConnection", api.ErrLimitExceededException, "an update adds no VPC connection"),
	}
	fronttest.Declared(t, "testdata/errors.txtar", open(t).service, newEnv, cases, never)
}

// Bad input gets the error that fits and changes nothing.
func TestHostile(t *testing.T) {
	t.Parallel()
	e := open(t)
	e.create("c", nil)
	create := func(member string, value any) target {
		return target{"POST", base + "/action-connectors", with(connector("new"), member, value)}
	}
	auth := func(kind string, metadata object) target {
		return create("AuthenticationConfig", object{"AuthenticationType": kind, "AuthenticationMetadata": metadata})
	}
	none := object{"BaseEndpoint": "https://api.example.com"}
	const bad, form = "InvalidParameterValueException", "SerializationException"
	state := func() string {
		return fmt.Sprint(e.must("GET", base+"/action-connectors", nil)["ActionConnectorSummaries"], e.must("GET", base+"/action-connectors/c", nil)["ActionConnector"])
	}
	before := state()
	for name, tc := range map[string]struct {
		at   target
		code string
	}{
		"no id":                     {create("ActionConnectorId", nil), bad},
		"an id with a dot":          {create("ActionConnectorId", "a.b"), bad},
		"an id with a newline":      {create("ActionConnectorId", "a\n"), bad},
		"a long id":                 {create("ActionConnectorId", strings.Repeat("a", 513)), bad},
		"a reserved id":             {create("ActionConnectorId", "quicksuite-1"), bad},
		"a number for an id":        {create("ActionConnectorId", 7), form},
		"no name":                   {create("Name", nil), bad},
		"a name that ends in blank": {create("Name", "a "), bad},
		"a long name":               {create("Name", strings.Repeat("a", 256)), bad},
		"an apostrophe":             {create("Description", "it's"), bad},
		"an empty description":      {create("Description", ""), bad},
		"no type":                   {create("Type", nil), bad},
		"an unknown type":           {create("Type", "FAX"), bad},
		"a lower-case type":         {create("Type", "slack"), bad},
		"an unknown member":         {create("Color", "red"), bad},
		"no permissions":            {create("Permissions", []object{}), bad},
		"no actions":                {create("Permissions", []object{{"Principal": alice, "Actions": []string{}}}), bad},
		"a principal that is none":  {create("Permissions", []object{{"Principal": "me", "Actions": []string{"quicksight:DescribeActionConnector"}}}), bad},
		"an empty VPC connection":   {create("VpcConnectionArn", ""), bad},
		"no such VPC connection":    {create("VpcConnectionArn", "arn:aws:quicksight:us-east-1:123456789012:vpcConnection/x"), bad},
		"too many tags":             {create("Tags", someTags(0, 51)), bad},
		"an empty tag value":        {create("Tags", []object{{"Key": "a", "Value": ""}}), bad},
		"a tag twice":               {create("Tags", []object{{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}}), bad},
		"a strange action":          {create("EnabledActions", []string{"a b"}), bad},
		"too many actions":          {create("EnabledActions", make([]string, 101)), bad},
		"no authentication":         {create("AuthenticationConfig", object{}), bad},
		"no metadata":               {auth("NONE", object{}), bad},
		"two kinds of metadata":     {auth("NONE", object{"NoneConnectionMetadata": none, "IamConnectionMetadata": object{"RoleArn": role}}), bad},
		"metadata of another kind":  {auth("BASIC", object{"NoneConnectionMetadata": none}), bad},
		"an unknown kind":           {auth("MAGIC", object{"NoneConnectionMetadata": none}), bad},
		"null for metadata":         {auth("NONE", object{"NoneConnectionMetadata": nil}), bad},
		"http":                      {auth("NONE", object{"NoneConnectionMetadata": object{"BaseEndpoint": "http://a.example.com"}}), bad},
		"only a scheme":             {auth("NONE", object{"NoneConnectionMetadata": object{"BaseEndpoint": "https://"}}), bad},
		"a password in the address": {auth("NONE", object{"NoneConnectionMetadata": object{"BaseEndpoint": "https://u:p@a.example.com"}}), bad},
		"no password":               {auth("BASIC", object{"BasicAuthConnectionMetadata": object{"BaseEndpoint": "https://a.example.com", "Username": "u"}}), bad},
		"not this type's kind":      {auth("IAM", object{"IamConnectionMetadata": object{"RoleArn": role}}), bad},
		"not an e-mail":             {auth("API_KEY", object{"ApiKeyConnectionMetadata": object{"BaseEndpoint": "https://a.example.com", "ApiKey": "k", "Email": "me"}}), bad},
		"no client": {auth("OAUTH2_CLIENT_CREDENTIALS", object{"ClientCredentialsGrantMetadata": object{
			"BaseEndpoint": "https://a.example.com", "ClientCredentialsSource": "PLAIN_CREDENTIALS"}}), bad},
		"an empty union of clients": {auth("OAUTH2_CLIENT_CREDENTIALS", object{"ClientCredentialsGrantMetadata": object{
			"BaseEndpoint": "https://a.example.com", "ClientCredentialsDetails": object{}}}), bad},
		"a list for a body":             {target{"POST", base + "/action-connectors", nil}, bad},
		"an update without a name":      {target{"PUT", base + "/action-connectors/c", object{"AuthenticationConfig": noneAuth()}}, bad},
		"an update of the type":         {target{"PUT", base + "/action-connectors/c", object{"Name": "N", "Type": "SLACK", "AuthenticationConfig": noneAuth()}}, bad},
		"an account that is none":       {target{"GET", "/accounts/12/action-connectors", nil}, bad},
		"a size of none":                {target{"GET", base + "/action-connectors?max-results=0", nil}, bad},
		"a size that is no number":      {target{"GET", base + "/action-connectors?max-results=many", nil}, form},
		"a size twice":                  {target{"GET", base + "/action-connectors?max-results=1&max-results=2", nil}, form},
		"an unknown parameter":          {target{"GET", base + "/action-connectors?color=red", nil}, bad},
		"two filters":                   {target{"POST", base + "/search/action-connectors", object{"Filters": []object{{"Name": "ACTION_CONNECTOR_NAME", "Operator": "StringLike", "Value": "a"}, {"Name": "ACTION_CONNECTOR_NAME", "Operator": "StringLike", "Value": "b"}}}}, bad},
		"no filters":                    {target{"POST", base + "/search/action-connectors", object{}}, bad},
		"an owner that is like":         {target{"POST", base + "/search/action-connectors", object{"Filters": []object{{"Name": "QUICKSIGHT_OWNER", "Operator": "StringLike", "Value": alice}}}}, bad},
		"nothing to grant":              {target{"POST", base + "/action-connectors/c/permissions", object{}}, bad},
		"tags of a dashboard":           {target{"GET", "/resources/" + escape("arn:aws:quicksight:us-east-1:123456789012:dashboard/c") + "/tags", nil}, "ResourceNotFoundException"},
		"tags of nothing":               {target{"GET", "/resources/x/tags", nil}, bad},
		"a tag of ours with no sense":   {target{"POST", "/resources/" + escape(connectorARN) + "/tags", object{"Tags": []object{{"Key": "penstock:identity", "Value": "any"}}}}, bad},
		"an operation that is not":      {target{"GET", base + "/dashboards", nil}, "UnknownOperationException"},
		"a method that is not":          {target{"PATCH", base + "/action-connectors/c", object{}}, "UnknownOperationException"},
		"a subnet that is none":         {target{"POST", base + "/vpc-connections", with(vpc("v"), "SubnetIds", []string{"a", "b"})}, bad},
		"one subnet":                    {target{"POST", base + "/vpc-connections", with(vpc("v"), "SubnetIds", []string{"subnet-a"})}, bad},
		"a role that is none":           {target{"POST", base + "/vpc-connections", with(vpc("v"), "RoleArn", strings.Repeat("x", 30))}, bad},
		"a resolver that is no address": {target{"POST", base + "/vpc-connections", with(vpc("v"), "DnsResolvers", []string{"999.0.0.1"})}, bad},
	} {
		w := e.call(tc.at.method, tc.at.path, tc.at.in)
		if tc.at.in == nil {
			w = e.call(tc.at.method, tc.at.path, nil)
		}
		code, message := fronttest.ErrorOf(t, w)
		if code != tc.code || w.Code >= 500 || message == "" {
			t.Errorf("%s: got %d %s %q, want %s", name, w.Code, code, message, tc.code)
		}
		if !strings.Contains(w.Body.String(), `"RequestId"`) {
			t.Errorf("%s: no request id in %s", name, w.Body)
		}
	}
	if after := state(); after != before {
		t.Errorf("refused requests changed something: %s, before: %s", after, before)
	}
}
