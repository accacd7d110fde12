package quicksight

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/quicksight/types"

	"github.com/penstock-io/penstock/internal/action/oauth/oauthtest"
)

// TestSeen: what has become of calls, connectors, sign-ins, approvals and vendors that fail is in the metrics and in
// the log as it is in the API, without what was sent or answered.
func TestSeen(t *testing.T) {
	t.Parallel()
	server := oauthtest.New(t)
	site := newVendor(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if strings.HasPrefix(r.URL.Path, "/down") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"answered":"whisper"}`)
	})
	w := start(t)
	w.create("api", types.ActionConnectorTypeGenericHttp, key(site.URL, "hunter2", ""), types.Tag{Key: aws.String("penstock:approval"), Value: aws.String("writes")})
	w.create("chat", types.ActionConnectorTypeGenericHttp, code(server, site.URL))
	w.create("down", types.ActionConnectorTypeGenericHttp, key(site.URL+"/down", "hunter2", ""))
	get := object{"arguments": object{"uri": "/whisper"}}
	w.call("api", "GET", get)
	if status, out := w.signed("POST", "action-connectors/api/actions/POST", object{"arguments": object{"uri": "/whisper", "body": object{}}}); status != http.StatusAccepted {
		t.Fatalf("%d %v", status, out)
	}
	_, out := w.signed("POST", "action-connectors/chat/sign-in", nil)
	if status, page := w.signIn(server, out["signInUrl"].(string)); status != http.StatusOK {
		t.Fatalf("%d %s", status, page)
	}
	for n := 0; out["code"] != "CircuitOpen"; n++ {
		if _, out = w.signed("POST", "action-connectors/down/actions/GET", get); n > 100 {
			t.Fatalf("the vendor is not left alone: %v", out)
		}
	}
	a, err := http.Get(w.Endpoint() + "/_penstock/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	metrics := string(text)
	for _, want := range []string{
		`penstock_action_calls_total{outcome="SUCCESS",type="GENERIC_HTTP"} 1`, `penstock_action_calls_total{outcome="VendorFailed",type="GENERIC_HTTP"}`,
		`penstock_action_calls_total{outcome="CircuitOpen",type="GENERIC_HTTP"}`, `penstock_action_connectors{status="CREATION_SUCCESSFUL",type="GENERIC_HTTP"} 3`,
		`penstock_action_grants{state="active"} 1`, `penstock_action_approvals_waiting 1`, `penstock_action_circuit_open{connector="down"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	log := strings.Join(w.Log(), "\n")
	for _, want := range []string{
		`"msg":"action called"`, `"outcome":"SUCCESS"`, `"outcome":"VendorFailed"`, `"msg":"signed in to an action connector"`, `"msg":"circuit breaker of action connector"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	for _, never := range []string{"hunter2", "whisper", server.ClientSecret, "access-"} {
		if strings.Contains(log, never) || strings.Contains(metrics, never) {
			t.Errorf("the log or the metrics have %q", never)
		}
	}
}
