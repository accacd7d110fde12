package quicksight

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/quicksight/types"

	"github.com/penstock-io/penstock/internal/action/oauth/oauthtest"
)

// TestKilledBetweenExchangeAndStore: a server that dies after the vendor has replaced the refresh token, and before that
// was stored, asks for a sign-in afterwards. The sign-in repairs the same grant.
func TestKilledBetweenExchangeAndStore(t *testing.T) {
	server := oauthtest.New(t)
	server.Set(func(s *oauthtest.Server) { s.Rotate = true })
	api := guarded(t, server)
	exchanged, release := make(chan struct{}, 1), make(chan struct{})
	between := newVendor(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		out, err := http.NewRequestWithContext(t.Context(), r.Method, server.TokenEndpoint(), bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		out.Header = r.Header.Clone()
		answer, err := server.Client.Do(out)
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		if form, _ := url.ParseQuery(string(body)); form.Get("grant_type") == "refresh_token" && answer.StatusCode == http.StatusOK {
			exchanged <- struct{}{}
			<-release // nobody hears what the vendor has answered
			return
		}
		w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	})
	defer close(release)
	auth := code(server, api.URL)
	grant := auth.AuthenticationMetadata.(*types.AuthenticationMetadataMemberAuthorizationCodeGrantMetadata)
	details := grant.Value.AuthorizationCodeGrantCredentialsDetails.(*types.AuthorizationCodeGrantCredentialsDetailsMemberAuthorizationCodeGrantDetails)
	details.Value.TokenEndpoint = aws.String(between.URL + "/token")
	w := start(t)
	w.create("api", types.ActionConnectorTypeGenericHttp, auth)
	const path = "action-connectors/api/actions/GET"
	get := object{"arguments": object{"uri": "/things"}}
	_, out := w.signed("POST", path, get)
	if status, page := w.signIn(server, out["signInUrl"].(string)); status != http.StatusOK {
		t.Fatalf("the page says %d %s", status, page)
	}
	if status, out := w.signed("POST", path, get); status != http.StatusOK {
		t.Fatalf("after the sign-in: %d %v", status, out)
	}
	grants := func() object {
		_, all := w.signed("GET", "action-connectors/api/grants", nil)
		return all["grants"].([]any)[0].(object)
	}
	before := grants()

	server.Expire()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, _ = w.try("POST", path, get) // it never hears of it
	}()
	<-exchanged
	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	w.boot()
	status, out := w.signed("POST", path, get)
	if status != http.StatusForbidden || out["code"] != "AccessTokenNotFoundException" || out["signInUrl"] == nil {
		t.Fatalf("after the kill: %d %v", status, out)
	}
	if g := grants(); g["state"] != "needs-sign-in" || !strings.Contains(fmt.Sprint(g["reason"]), "invalid_grant") {
		t.Errorf("the grant is %v", g)
	}
	if status, page := w.signIn(server, out["signInUrl"].(string)); status != http.StatusOK {
		t.Fatalf("the page says %d %s", status, page)
	}
	if status, out := w.signed("POST", path, get); status != http.StatusOK {
		t.Errorf("after another sign-in: %d %v", status, out)
	}
	if g := grants(); g["state"] != "active" || g["grantId"] != before["grantId"] {
		t.Errorf("the grant is %v, was %v", g, before)
	}
}

// TestKilledApprovals: an approval that waits outlives the server and can be given once; one whose call was under way is
// not run again, and says that nobody knows.
func TestKilledApprovals(t *testing.T) {
	api, arrived, release := newSlowVendor(t)
	defer release()
	w := start(t)
	w.create("api", types.ActionConnectorTypeGenericHttp, &types.AuthConfig{AuthenticationType: types.ConnectionAuthTypeNone,
		AuthenticationMetadata: &types.AuthenticationMetadataMemberNoneConnectionMetadata{Value: types.NoneConnectionMetadata{BaseEndpoint: &api.URL}}},
		types.Tag{Key: aws.String("penstock:approval"), Value: aws.String("writes")})
	ask := func(what string) string {
		status, out := w.signed("POST", "action-connectors/api/actions/POST", object{"arguments": object{"uri": "/things", "body": object{"what": what}}, "idempotencyKey": what})
		if status != http.StatusAccepted {
			t.Fatalf("%d %v", status, out)
		}
		return "action-approvals/" + url.PathEscape(out["approvalId"].(string))
	}
	slow, waiting := ask("slow"), ask("waiting")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, _ = w.try("POST", slow+"/approve", nil) // it never hears of it
	}()
	<-arrived
	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	w.boot()
	if _, shown := w.signed("GET", slow, nil); shown["state"] != "interrupted" {
		t.Errorf("the one that ran is %v", shown)
	}
	if status, out := w.signed("POST", slow+"/approve", nil); status != http.StatusConflict {
		t.Errorf("the one that ran, again: %d %v", status, out)
	}
	if _, shown := w.signed("GET", waiting, nil); shown["state"] != "pending" {
		t.Errorf("the one that waits is %v", shown)
	}
	if status, out := w.signed("POST", waiting+"/approve", nil); status != http.StatusOK || out["outcome"] != "SUCCESS" {
		t.Errorf("the one that waits: %d %v", status, out)
	}
	seen := map[string]int{}
	for _, s := range api.seen() {
		seen[string(s.body)]++
	}
	if len(seen) != 2 || seen[`{"what":"slow"}`] != 1 || seen[`{"what":"waiting"}`] != 1 {
		t.Errorf("the vendor saw %v", seen)
	}
}
