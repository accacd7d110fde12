package quicksight

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/quicksight"
	"github.com/aws/aws-sdk-go-v2/service/quicksight/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/penstock-io/penstock/internal/action/oauth/oauthtest"
)

func (w *world) create(id string, kind types.ActionConnectorType, auth *types.AuthConfig, tags ...types.Tag) {
	w.t.Helper()
	in := &sdk.CreateActionConnectorInput{AwsAccountId: aws.String(account), ActionConnectorId: &id, Name: aws.String("The " + id), Type: kind, AuthenticationConfig: auth}
	if len(tags) > 0 {
		in.Tags = tags
	}
	if _, err := w.qs.CreateActionConnector(w.t.Context(), in); err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, "the check of "+id, func() bool {
		out, err := w.qs.DescribeActionConnector(w.t.Context(), &sdk.DescribeActionConnectorInput{AwsAccountId: aws.String(account), ActionConnectorId: &id})
		if err != nil {
			w.t.Fatal(err)
		}
		if out.ActionConnector.Status == types.ResourceStatusCreationFailed {
			w.t.Fatalf("%s: %s", id, aws.ToString(out.ActionConnector.Error.Message))
		}
		return out.ActionConnector.Status == types.ResourceStatusCreationSuccessful
	})
}

func key(endpoint, key, email string) *types.AuthConfig {
	m := types.APIKeyConnectionMetadata{BaseEndpoint: &endpoint, ApiKey: &key}
	if email != "" {
		m.Email = &email
	}
	return &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeApiKey, AuthenticationMetadata: &types.AuthenticationMetadataMemberApiKeyConnectionMetadata{Value: m}}
}

func code(server *oauthtest.Server, base string) *types.AuthConfig {
	return &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeOauth2AuthorizationCode, AuthenticationMetadata: &types.AuthenticationMetadataMemberAuthorizationCodeGrantMetadata{
		Value: types.AuthorizationCodeGrantMetadata{
			BaseEndpoint: &base, RedirectUrl: aws.String("https://us-east-1.quicksight.aws.amazon.com/sn/oauthcallback"),
			AuthorizationCodeGrantCredentialsSource: types.AuthorizationCodeGrantCredentialsSourcePlainCredentials,
			AuthorizationCodeGrantCredentialsDetails: &types.AuthorizationCodeGrantCredentialsDetailsMemberAuthorizationCodeGrantDetails{Value: types.AuthorizationCodeGrantDetails{
				ClientId: &server.ClientID, ClientSecret: &server.ClientSecret, TokenEndpoint: aws.String(server.TokenEndpoint()), AuthorizationEndpoint: aws.String(server.AuthorizationEndpoint()),
			}},
		},
	}}
}

// guarded is an API that takes the tokens of an authorization server.
func guarded(t *testing.T, server *oauthtest.Server) *vendor {
	return newVendor(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !server.Valid(token) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"ok":true}`)
	})
}

// TestSignIn: a call says where to sign in, a browser does, the call works, for that user alone; the token is renewed
// once however many calls meet its end; a revoked sign-in asks for another; nothing of it is legible on the disk.
func TestSignIn(t *testing.T) {
	server := oauthtest.New(t)
	api := guarded(t, server)
	w := start(t)
	w.create("api", types.ActionConnectorTypeGenericHttp, code(server, api.URL))
	if _, err := w.qs.UpdateActionConnectorPermissions(t.Context(), &sdk.UpdateActionConnectorPermissionsInput{
		AwsAccountId: aws.String(account), ActionConnectorId: aws.String("api"),
		GrantPermissions: []types.ResourcePermission{{Principal: aws.String(alice), Actions: []string{"quicksight:DescribeActionConnector"}}},
	}); err != nil {
		t.Fatal(err)
	}
	get := object{"user": alice, "arguments": object{"uri": "/things"}}
	const path = "action-connectors/api/actions/GET"
	status, out := w.signed("POST", path, get)
	if status != http.StatusForbidden || out["code"] != "AccessTokenNotFoundException" {
		t.Fatalf("without a sign-in: %d %v", status, out)
	}
	if status, page := w.signIn(server, out["signInUrl"].(string)); status != http.StatusOK || !strings.Contains(page, alice) {
		t.Fatalf("the page says %d %s", status, page)
	}
	if status, out = w.signed("POST", path, get); status != http.StatusOK || out["identity"] != "user" || out["user"] != alice {
		t.Fatalf("after the sign-in: %d %v", status, out)
	}
	if status, out = w.signed("POST", path, object{"arguments": object{"uri": "/things"}}); out["code"] != "AccessTokenNotFoundException" {
		t.Errorf("another user: %d %v", status, out)
	}

	server.Expire()
	var calls sync.WaitGroup
	failures := make(chan string, 100)
	for range 100 {
		calls.Go(func() {
			if status, out, err := w.try("POST", path, get); err != nil || status != http.StatusOK {
				failures <- fmt.Sprint(status, out, err)
			}
		})
	}
	calls.Wait()
	close(failures)
	for f := range failures {
		t.Errorf("a call failed: %s", f)
	}
	if n := server.Exchanges("refresh_token"); n != 1 {
		t.Errorf("%d exchanges, want 1", n)
	}

	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	w.boot() // the renewed token was durable
	server.Expire()
	if status, out = w.signed("POST", path, get); status != http.StatusOK {
		t.Fatalf("after a kill: %d %v", status, out)
	}
	for _, s := range api.seen() {
		absent(t, w, strings.TrimPrefix(s.authorization, "Bearer "))
	}
	absent(t, w, server.ClientSecret)

	server.Revoke()
	server.Expire()
	if status, out = w.signed("POST", path, get); out["code"] != "AccessTokenNotFoundException" || out["signInUrl"] == nil {
		t.Errorf("after a revocation: %d %v", status, out)
	}
	_, grants := w.signed("GET", "action-connectors/api/grants", nil)
	states := fmt.Sprint(grants["grants"])
	if !strings.Contains(states, "needs-sign-in") || !strings.Contains(states, "invalid_grant") {
		t.Errorf("the grants are %s", states)
	}
}

// TestClientCredentials: wrong ones are refused with the server's reason, right ones work and are asked for once.
func TestClientCredentials(t *testing.T) {
	server := oauthtest.New(t)
	api := guarded(t, server)
	w := start(t)
	auth := func(secret string) *types.AuthConfig {
		return &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeOauth2ClientCredentials, AuthenticationMetadata: &types.AuthenticationMetadataMemberClientCredentialsGrantMetadata{
			Value: types.ClientCredentialsGrantMetadata{BaseEndpoint: &api.URL, ClientCredentialsDetails: &types.ClientCredentialsDetailsMemberClientCredentialsGrantDetails{
				Value: types.ClientCredentialsGrantDetails{ClientId: &server.ClientID, ClientSecret: &secret, TokenEndpoint: aws.String(server.TokenEndpoint())},
			}},
		}}
	}
	w.create("good", types.ActionConnectorTypeGenericHttp, auth(server.ClientSecret))
	for range 3 {
		w.call("good", "GET", object{"arguments": object{"uri": "/x"}})
	}
	if n := server.Exchanges("client_credentials"); n != 1 {
		t.Errorf("%d exchanges, want 1", n)
	}
	if _, err := w.qs.CreateActionConnector(t.Context(), &sdk.CreateActionConnectorInput{
		AwsAccountId: aws.String(account), ActionConnectorId: aws.String("bad"), Name: aws.String("Bad"), Type: types.ActionConnectorTypeGenericHttp, AuthenticationConfig: auth("wrong"),
	}); err != nil {
		t.Fatal(err)
	}
	var failed *types.ActionConnector
	eventually(t, "the refusal", func() bool {
		out, err := w.qs.DescribeActionConnector(t.Context(), &sdk.DescribeActionConnectorInput{AwsAccountId: aws.String(account), ActionConnectorId: aws.String("bad")})
		if err != nil {
			t.Fatal(err)
		}
		failed = out.ActionConnector
		return failed.Status == types.ResourceStatusCreationFailed
	})
	if failed.Error == nil || !strings.Contains(*failed.Error.Message, "invalid_client") {
		t.Errorf("the error is %+v", failed.Error)
	}
}

// TestVendors calls connectors of several types that are made with the stock client, one on the embedded buckets.
func TestVendors(t *testing.T) {
	jira := newVendor(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"key":"OPS-7","fields":{"summary":"x"}}`)
	})
	slack := newVendor(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/auth.test") {
			_, _ = fmt.Fprint(w, `{"ok":true}`)
			return
		}
		_, _ = fmt.Fprint(w, `{"ok":false,"error":"channel_not_found"}`)
	})
	w := start(t)
	w.create("jira", types.ActionConnectorTypeJiraCloud, key(jira.URL, "jira-key", "a@example.com"))
	w.create("slack", types.ActionConnectorTypeSlack, key(slack.URL, "xoxb-token", ""))
	w.create("files", types.ActionConnectorTypeAmazonS3, &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeIam,
		AuthenticationMetadata: &types.AuthenticationMetadataMemberIamConnectionMetadata{Value: types.IAMConnectionMetadata{RoleArn: aws.String(role)}}})

	if answer := w.call("jira", "GetIssue", object{"arguments": object{"key": "OPS-7"}}); answer["body"].(object)["key"] != "OPS-7" {
		t.Errorf("Jira: %v", answer)
	}
	last := jira.seen()[len(jira.seen())-1]
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("a@example.com:jira-key")); last.authorization != want || !strings.Contains(last.path, "/issue/OPS-7") {
		t.Errorf("Jira was asked %+v", last)
	}
	_, list := w.signed("GET", "action-connectors/slack/actions", nil)
	if len(list["actions"].([]any)) < 10 {
		t.Errorf("Slack has the actions %v", list)
	}
	if _, err := w.Clients().S3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("things")}); err != nil {
		t.Fatal(err)
	}
	if answer := w.call("files", "ListBuckets", nil); !strings.Contains(fmt.Sprint(answer["body"]), "things") {
		t.Errorf("S3: %v", answer)
	}
	for _, s := range slack.seen() {
		if s.authorization != "Bearer xoxb-token" {
			t.Errorf("Slack was asked %+v", s)
		}
	}
	_, records := w.signed("GET", "action-calls", nil)
	if text := fmt.Sprint(records); strings.Contains(text, "xoxb") || !strings.Contains(text, "GetIssue") {
		t.Errorf("the records are %s", text)
	}
	absent(t, w, "jira-key")
	absent(t, w, "xoxb-token")
}

// TestAWSCredentials: connectors to AWS use the server's credentials of AWS, also while the buckets are embedded, which
// know no credential but the root user's.
func TestAWSCredentials(t *testing.T) {
	t.Setenv("PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID", "AKIDELSEWHERE")
	t.Setenv("PENSTOCK_SOURCE_AWS_SECRET_ACCESS_KEY", "elsewhere")
	t.Setenv("PENSTOCK_SOURCE_AWS_REGION", "eu-west-1")
	signed := make(chan string, 1)
	comprehend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed <- r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = fmt.Fprint(w, `{"Sentiment":"NEUTRAL"}`)
	}))
	defer comprehend.Close()
	w := start(t, "--action-aws-endpoints", "comprehend="+comprehend.URL)
	iam := &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeIam,
		AuthenticationMetadata: &types.AuthenticationMetadataMemberIamConnectionMetadata{Value: types.IAMConnectionMetadata{RoleArn: aws.String(role)}}}
	w.create("languages", types.ActionConnectorTypeAmazonComprehend, iam)
	w.create("files", types.ActionConnectorTypeAmazonS3, iam)
	w.call("languages", "DetectSentiment", object{"arguments": object{"Text": "Guten Tag", "LanguageCode": "de"}})
	if got := <-signed; !strings.Contains(got, "Credential=AKIDELSEWHERE/") || !strings.Contains(got, "/eu-west-1/comprehend/") {
		t.Errorf("signed by %s", got)
	}
	if answer := w.call("files", "CreateBucket", object{"arguments": object{"Bucket": "things"}}); fmt.Sprint(answer["status"]) != "200" {
		t.Errorf("the embedded buckets: %v", answer)
	}
}

// TestKilledBetweenClaimAndResult: a write that was under way when the server died is not made again, whoever asks;
// what was done before is answered from what is stored.
func TestKilledBetweenClaimAndResult(t *testing.T) {
	api, arrived, release := newSlowVendor(t)
	defer release()
	w := start(t)
	w.create("api", types.ActionConnectorTypeGenericHttp, &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeNone,
		AuthenticationMetadata: &types.AuthenticationMetadataMemberNoneConnectionMetadata{Value: types.NoneConnectionMetadata{BaseEndpoint: &api.URL}}})
	const path = "action-connectors/api/actions/POST"
	write := func(what string) object {
		return object{"arguments": object{"uri": "/things", "body": object{"what": what}}, "idempotencyKey": "key-" + what}
	}
	status, first := w.signed("POST", path, write("done"))
	if status != http.StatusOK {
		t.Fatalf("%d %v", status, first)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, _ = w.try("POST", path, write("slow")) // it never hears of it
	}()
	<-arrived
	if status, out := w.signed("POST", path, write("slow")); status != http.StatusConflict {
		t.Errorf("a second time while it is under way: %d %v", status, out)
	}
	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	w.boot()
	if status, out := w.signed("POST", path, write("slow")); status != http.StatusConflict || !strings.Contains(fmt.Sprint(out["message"]), "not known") {
		t.Errorf("after the kill: %d %v", status, out)
	}
	if status, out := w.signed("POST", path, write("done")); status != http.StatusOK || out["replayed"] != true || out["callId"] != first["callId"] {
		t.Errorf("what was done before: %d %v", status, out)
	}
	slow := 0
	for _, s := range api.seen() {
		if strings.Contains(string(s.body), "slow") {
			slow++
		}
	}
	if slow != 1 {
		t.Errorf("the vendor saw the write %d times", slow)
	}
	_, records := w.signed("GET", "action-connectors/api/calls", nil)
	if !strings.Contains(fmt.Sprint(records), "INTERRUPTED") {
		t.Errorf("the records are %v", records)
	}
}

// TestApproval: what runs is what was shown, after somebody has looked at it, once.
func TestApproval(t *testing.T) {
	api := newVendor(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"made":1}`)
	})
	w := start(t)
	w.create("api", types.ActionConnectorTypeGenericHttp, &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeNone,
		AuthenticationMetadata: &types.AuthenticationMetadataMemberNoneConnectionMetadata{Value: types.NoneConnectionMetadata{BaseEndpoint: &api.URL}}},
		types.Tag{Key: aws.String("penstock:approval"), Value: aws.String("writes")})
	in := object{"arguments": object{"uri": "/things", "body": object{"a": 1}}}
	status, out := w.signed("POST", "action-connectors/api/actions/POST", in)
	if status != http.StatusAccepted || len(api.seen()) != 0 {
		t.Fatalf("%d %v", status, out)
	}
	id := url.PathEscape(out["approvalId"].(string))
	_, shown := w.signed("GET", "action-approvals/"+id, nil)
	request := shown["request"].(object)
	if request["method"] != "POST" || request["url"] != api.URL+"/things" || fmt.Sprint(request["body"]) != "map[a:1]" {
		t.Errorf("shown: %v", shown)
	}
	if status, out := w.signed("POST", "action-approvals/"+id+"/approve", nil); status != http.StatusOK || out["outcome"] != "SUCCESS" {
		t.Errorf("approved: %d %v", status, out)
	}
	if status, out := w.signed("POST", "action-approvals/"+id+"/approve", nil); status != http.StatusConflict {
		t.Errorf("approved twice: %d %v", status, out)
	}
	if s := api.seen(); len(s) != 1 || s[0].path != "/things" || string(s[0].body) != `{"a":1}` {
		t.Errorf("the vendor saw %+v", s)
	}
}

// bearer sends a token with every request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// TestMCPCalls: what an MCP client calls is recorded like any other call, also when its arguments are wrong.
func TestMCPCalls(t *testing.T) {
	api := newVendor(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"ok":true}`)
	})
	w := start(t)
	w.create("api", types.ActionConnectorTypeGenericHttp, &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeNone,
		AuthenticationMetadata: &types.AuthenticationMetadataMemberNoneConnectionMetadata{Value: types.NoneConnectionMetadata{BaseEndpoint: &api.URL}}})
	_, out := w.signed("POST", "mcp-tokens", nil)
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: w.Endpoint() + "/_penstock/mcp", HTTPClient: &http.Client{Transport: bearer(out["token"].(string))},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, arguments := range []object{{"uri": "/things"}, {"uri": 7}} {
		_, wrong := arguments["uri"].(int)
		got, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "api_GET", Arguments: arguments})
		if err != nil || got.IsError != wrong || wrong && !strings.Contains(got.Content[0].(*mcp.TextContent).Text, "/uri: is number; it must be string") {
			t.Errorf("%v: %v %+v", arguments, err, got)
		}
	}
	_, records := w.signed("GET", "action-calls", nil)
	var outcomes []string
	for _, r := range records["calls"].([]any) {
		outcomes = append(outcomes, r.(object)["actionId"].(string)+" "+r.(object)["invokeActionStatus"].(string))
	}
	if !slices.Equal(outcomes, []string{"GET FAILED", "GET SUCCESS"}) || len(api.seen()) != 1 {
		t.Errorf("recorded: %q; the vendor saw %+v", outcomes, api.seen())
	}
}

// TestMCPToken: a bearer token is good for the tools, for whom it was made, and for nothing else.
func TestMCPToken(t *testing.T) {
	w := start(t)
	_, out := w.signed("POST", "mcp-tokens", object{"user": alice, "days": 1})
	token, _ := out["token"].(string)
	var said string // in the answer
	ask := func(path, authorization string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Endpoint()+path, strings.NewReader(
			`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", authorization)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(a.Body)
		a.Body.Close()
		said = string(text)
		return a.StatusCode
	}
	if status := ask("/_penstock/mcp", "Bearer "+token); status != http.StatusOK {
		t.Errorf("with the token: %d", status)
	}
	for _, bad := range []string{"", "Bearer", "Bearer x", "Bearer " + token + "x", "Bearer " + token[:len(token)-2], "Basic " + token} {
		if status := ask("/_penstock/mcp", bad); status != http.StatusUnauthorized {
			t.Errorf("%q: %d", bad, status)
		}
		if !strings.Contains(said, "/_penstock/mcp-tokens") {
			t.Errorf("%q: it is not said how to get a token: %s", bad, said)
		}
	}
	if status := ask("/_penstock/action-connectors/x/actions/y", "Bearer "+token); status < 400 || status >= 500 {
		t.Errorf("elsewhere: %d", status)
	}
	for _, bad := range []object{{"days": 0}, {"days": 1000}, {"user": "alice"}, {"who": alice}} {
		if status, out := w.signed("POST", "mcp-tokens", bad); status != http.StatusBadRequest {
			t.Errorf("%v: %d %v", bad, status, out)
		} else if out["code"] != "InvalidParameterValueException" || out["requestId"] == "" || out["message"] == "" {
			t.Errorf("%v: %v", bad, out)
		}
	}
	if status, out := w.signed("GET", "mcp-tokens", nil); status != http.StatusMethodNotAllowed || out["code"] != "UnknownOperationException" {
		t.Errorf("GET: %d %v", status, out)
	}

	// Those of one user are revoked, others stay, also after a kill; a new one is good.
	_, out = w.signed("POST", "mcp-tokens", nil)
	root := out["token"].(string)
	if status, out := w.signed("DELETE", "mcp-tokens", object{"user": "alice"}); status != http.StatusBadRequest {
		t.Errorf("a user that is none: %d %v", status, out)
	}
	if status, _ := w.signed("DELETE", "mcp-tokens", object{"user": alice}); status != http.StatusNoContent {
		t.Errorf("revoked: %d", status)
	}
	_, out = w.signed("POST", "mcp-tokens", object{"user": alice})
	for range 2 {
		if status := ask("/_penstock/mcp", "Bearer "+token); status != http.StatusUnauthorized || !strings.Contains(said, "revoked") {
			t.Errorf("with a revoked token: %d %s", status, said)
		}
		for _, good := range []string{root, out["token"].(string)} {
			if status := ask("/_penstock/mcp", "Bearer "+good); status != http.StatusOK {
				t.Errorf("with another token: %d %s", status, said)
			}
		}
		if err := w.Kill(); err != nil {
			t.Fatal(err)
		}
		w.boot()
	}
}
