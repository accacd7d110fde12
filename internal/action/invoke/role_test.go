package invoke_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/penstock-io/penstock/internal/action/invoke"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
)

// Where there is an STS, calls are made with the connector's role, which is assumed once.
func TestRoles(t *testing.T) {
	t.Parallel()
	var assumed atomic.Int32
	sts := handler(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Form.Get("Action") != "AssumeRole" || !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIDEXAMPLE/") {
			http.Error(w, "unexpected", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		if strings.HasSuffix(r.Form.Get("RoleArn"), "/forbidden") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not this role</Message></Error><RequestId>r</RequestId></ErrorResponse>`))
			return
		}
		assumed.Add(1)
		fmt.Fprint(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
			<SessionToken>session</SessionToken><Expiration>2126-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	})
	var seen []string
	service := handler(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, strings.Join(strings.SplitN(r.Header.Get("Authorization"), "/", 5)[:1], "")+" "+r.Header.Get("X-Amz-Security-Token"))
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = w.Write([]byte(`{"Sentiment":"POSITIVE"}`))
	})
	config := invoke.Config{AWS: invoke.AWS{Region: "eu-central-1", STS: sts.URL, Endpoints: map[string]string{"comprehend": service.URL}, Transport: out(t, poolOf(sts, service)),
		Credentials: func(context.Context) (invoke.AWSCredentials, error) {
			return invoke.AWSCredentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret.NewText("x")}, nil
		}}}
	e := engine(t, config)
	c := call("AMAZON_COMPREHEND", "", authOf("AMAZON_S3"), "DetectSentiment", `{"Text":"x","LanguageCode":"en"}`)
	for range 3 {
		if result, err := e.Invoke(t.Context(), c); err != nil || !result.JSON {
			t.Fatalf("%+v %v", result, err)
		}
	}
	if assumed.Load() != 1 || seen[2] != "AWS4-HMAC-SHA256 Credential=ASIAROLE session" {
		t.Errorf("assumed %d times, signed as %q", assumed.Load(), seen)
	}
	if err := e.Check(t.Context(), c.Connector); err != nil {
		t.Errorf("check: %v", err)
	}
	c.Connector.Auth.RoleARN = "arn:aws:iam::123456789012:role/forbidden"
	_, err := e.Invoke(t.Context(), c)
	if code(err) != invoke.CredentialsRefused || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("a role that may not be assumed: %v", err)
	}
	if err := e.Check(t.Context(), c.Connector); fault.KindOf(err) != fault.Denied {
		t.Errorf("check of a role that may not be assumed: %v", err)
	}
	// Without an STS the server's own credentials are used.
	config.AWS.STS = ""
	seen = nil
	c.Connector.Auth.RoleARN = "arn:aws:iam::123456789012:role/connector"
	if _, err := engine(t, config).Invoke(t.Context(), c); err != nil || len(seen) != 1 || seen[0] != "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE " {
		t.Errorf("signed as %q (%v)", seen, err)
	}
}
