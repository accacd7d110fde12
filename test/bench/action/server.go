package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/penstock-io/penstock/test/harness"
)

// through is a running server that calls the vendor for us.
type through struct {
	server *harness.Server
	client *http.Client
	signer *v4.Signer
}

// start runs the binary with a connector to the vendor.
func start(ctx context.Context, binary string, vendor *httptest.Server) (*through, error) {
	if err := os.Setenv("PENSTOCK_BINARY", binary); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "penstock-bench-")
	if err != nil {
		return nil, err
	}
	ca := filepath.Join(dir, "vendor.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: vendor.Certificate().Raw}), 0o600); err != nil {
		return nil, err
	}
	server, err := harness.Start(ctx, harness.Options{Dir: filepath.Join(dir, "data"),
		Args: []string{"--log-level", "info", "--action-allowed-networks", "127.0.0.0/8", "--action-ca-file", ca, "--action-checks", "off"}})
	if err != nil {
		return nil, err
	}
	t := &through{server: server, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, signer: v4.NewSigner()}
	connector := fmt.Sprintf(`{"ActionConnectorId":"bench","Name":"bench","Type":"JIRA_CLOUD","AuthenticationConfig":{"AuthenticationType":"API_KEY",
		"AuthenticationMetadata":{"ApiKeyConnectionMetadata":{"BaseEndpoint":%q,"ApiKey":"key","Email":"me@example.com"}}}}`, vendor.URL)
	_, err = t.send(ctx, "quicksight", "/accounts/123456789012/action-connectors", []byte(connector))
	return t, err
}

// send makes a signed POST and returns the answer, which must be one of success.
func (t *through) send(ctx context.Context, service, path string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+t.server.Addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(body)
	if err := t.signer.SignHTTP(ctx, aws.Credentials{AccessKeyID: "penstock", SecretAccessKey: "penstock"}, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	resp, err := t.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: status %d: %s", path, resp.StatusCode, text)
	}
	return text, err
}

// call calls an action of the connector.
func (t *through) call(ctx context.Context, action, arguments string) error {
	body, err := json.Marshal(map[string]any{"arguments": json.RawMessage(arguments)})
	if err != nil {
		return err
	}
	_, err = t.send(ctx, "penstock", "/_penstock/action-connectors/bench/actions/"+action, body)
	return err
}

func (t *through) stop() error {
	t.client.CloseIdleConnections()
	return t.server.Stop()
}
