package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/test/harness"
)

// The secrets of a hostile server. None may be found in its log or, apart from the sealed ones, in its files.
const (
	hostileKey    = "AKIAHOSTILEHOSTILE00"
	hostileSecret = "zQ7-secret-access-key-of-the-hostile-tests"
)

// target is a server with credentials of its own.
type target struct {
	*harness.Server
	ctx context.Context
}

func bootHostile(t *testing.T) target {
	t.Helper()
	server, ctx := boot(t, "--access-key-id", hostileKey, "--secret-access-key", hostileSecret)
	return target{server, ctx}
}

func (s target) clients() harness.Clients {
	cfg := harness.Config(s.Endpoint())
	cfg.Credentials = credentials.NewStaticCredentialsProvider(hostileKey, hostileSecret, "")
	return harness.ClientsOf(cfg)
}

// signed makes a signed request. Options may change what it is signed with.
type signing struct {
	service, region, key, secret string
	at                           time.Time
}

func (s target) request(method, path, service string, headers map[string]string, body []byte, change ...func(*signing)) (*http.Request, error) {
	how := signing{service, "us-east-1", hostileKey, hostileSecret, time.Now()}
	for _, f := range change {
		f(&how)
	}
	req, err := http.NewRequestWithContext(s.ctx, method, s.Endpoint()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if service == "s3" {
		req.Header.Set("X-Amz-Content-Sha256", hash)
	}
	if how.secret != "" {
		err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }).SignHTTP(s.ctx, aws.Credentials{AccessKeyID: how.key, SecretAccessKey: how.secret}, req, hash, how.service, how.region, how.at)
	}
	return req, err
}

// send returns an answer's status, its error code as a header or the body has it, and the body.
func send(req *http.Request) (int, string, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, string(body), err
}

// stillWell fails unless the server is alive, does its work and kept its secrets to itself.
func (s target) stillWell(t *testing.T, secrets ...string) {
	t.Helper()
	select {
	case <-s.Done():
		t.Fatalf("the server is gone:\n%s", s.Tail(30))
	default:
	}
	res, err := http.Get(s.Endpoint() + "/_penstock/health")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("health: %v, %v", res, err)
	}
	res.Body.Close()
	c := s.clients()
	if _, err := c.Redshift.DescribeIntegrations(s.ctx, &redshift.DescribeIntegrationsInput{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if got := run(t, s.ctx, c, "SELECT 1"); got[0] != "1" {
		t.Errorf("afterwards: %v", got)
	}
	secrets = append(secrets, hostileSecret)
	for _, line := range s.Log() {
		if strings.Contains(line, "panic") || strings.Contains(line, "goroutine ") || strings.Contains(line, "runtime error") {
			t.Errorf("a panic in the log: %.500s", line)
		}
		for _, secret := range secrets {
			if strings.Contains(line, secret) {
				t.Errorf("a secret in the log: %.500s", line)
			}
		}
	}
	err = filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // a file that was just removed
		}
		if !d.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("the secret %.8s... is in %s", secret, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestHostileParameters walks the models and gives every member of every operation values at, within and past
// its limits, of wrong types, and of the kinds attackers try.
func TestHostileParameters(t *testing.T) {
	t.Parallel()
	s := bootHostile(t)
	c := s.clients()
	integration, err := c.Join(s.ctx, "hostile")
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.Exec(s.ctx, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Wait(s.ctx, id); err != nil {
		t.Fatal(err)
	}
	known := map[string]any{
		"TargetArn": targetOf(t, s.ctx, c), "ResourceArn": targetOf(t, s.ctx, c), "ResourceName": integration, "IntegrationArn": integration, "SourceArn": "arn:aws:s3:::hostile-too", "Id": id,
	}
	if _, err := c.S3.CreateBucket(s.ctx, bucketInput("hostile-too")); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	bad, tried := 0, 0
	taken := map[string]bool{} // operations that did something
	report := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if bad++; bad <= 40 {
			t.Errorf(format, args...)
		}
	}
	for _, m := range loadModels(t) {
		m.known = known
		var group errgroup.Group
		group.SetLimit(4)
		for _, op := range m.service.Operations {
			in := &shape{}
			if o := m.Shapes[op.Target]; o.Input != nil && m.Shapes[o.Input.Target] != nil {
				in = m.Shapes[o.Input.Target]
			}
			for _, tr := range m.trials(op.Target, in) {
				tried++
				group.Go(func() error {
					method, path, headers, body := m.wire(tr.op, in, tr.input)
					req, err := s.request(method, path, m.signing, headers, body)
					if err != nil {
						return nil //nolint:nilerr // not a URL a client could make
					}
					status, text, err := send(req)
					if status < 300 {
						mu.Lock()
						taken[tr.op] = true
						mu.Unlock()
					}
					switch {
					case err != nil:
						report("%s %s: %v", tr.op, tr.what, err)
					case status >= 500:
						report("%s %s %s: %d %.300s", m.signing, tr.op, tr.what, status, text)
					case status == http.StatusForbidden && strings.Contains(text, "ignature"):
						report("%s %s %s: the test's own signature is wrong: %.300s", m.signing, tr.op, tr.what, text)
					case tr.refuse && status < 400:
						report("%s %s %s was taken: %d %.300s", m.signing, tr.op, tr.what, status, text)
					case status >= 400 && len(text) < 20 && method != http.MethodHead:
						report("%s %s %s: %d says nothing: %q", m.signing, tr.op, tr.what, status, text)
					}
					return nil
				})
			}
		}
		_ = group.Wait()
	}
	t.Logf("%d requests, %d wrong answers", tried, bad)
	if tried < 2000 {
		t.Errorf("only %d requests were made of the models", tried)
	}
	// What is refused at the door is not tested further in.
	for _, op := range []string{"ExecuteStatement", "BatchExecuteStatement", "DescribeStatement", "GetStatementResult", "ListTables", "CreateIntegration", "DescribeIntegrations", "DescribeInboundIntegrations", "PutResourcePolicy",
		"CreateTags", "AddPartner", "CreateCluster", "ModifyCluster", "CreateNamespace", "GetCallerIdentity"} {
		if !taken[op] {
			t.Errorf("no input of %s got through", op)
		}
	}
	s.stillWell(t, "Passw0rd-hostile")
}

// TestHostileRequests sends what no operation has to do with: bad signatures, bodies, headers and methods.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	s := bootHostile(t)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
	json11 := map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "RedshiftData.ListStatements"}
	describe := []byte("Action=DescribeIntegrations&Version=2012-12-01")
	with := func(base map[string]string, more ...string) map[string]string {
		out := map[string]string{}
		for k, v := range base {
			out[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	type change = func(*signing)
	unsigned := func(h *signing) { h.secret = "" }
	for _, tt := range []struct {
		what                  string
		service, method, path string
		headers               map[string]string
		body                  []byte
		change                change
		status                int
		code                  string
	}{
		{"query, unsigned", "redshift", "POST", "/", form, describe, unsigned, 403, "MissingAuthenticationToken"},
		{"query, wrong secret", "redshift", "POST", "/", form, describe, func(h *signing) { h.secret = "wrong" }, 403, "SignatureDoesNotMatch"},
		{"query, unknown key", "redshift", "POST", "/", form, describe, func(h *signing) { h.key = "AKIDNOBODY" }, 403, "InvalidClientTokenId"},
		{"query, expired", "redshift", "POST", "/", form, describe, func(h *signing) { h.at = time.Now().Add(-16 * time.Minute) }, 0, ""},
		{"query, from the future", "redshift", "POST", "/", form, describe, func(h *signing) { h.at = time.Now().Add(16 * time.Minute) }, 0, ""},
		{"query, wrong region", "redshift", "POST", "/", form, describe, func(h *signing) { h.region = "mars-north-1" }, 403, "SignatureDoesNotMatch"},
		{"query, unknown service", "redshift", "POST", "/", form, describe, func(h *signing) { h.service = "nonsense" }, 0, ""},
		{"query, wrong content type", "redshift", "POST", "/", map[string]string{"Content-Type": "application/json"}, describe, nil, 0, ""},
		{"query, no action", "redshift", "POST", "/", form, []byte("Version=2012-12-01"), nil, 400, "MissingAction"},
		{"query, unknown action", "redshift", "POST", "/", form, []byte("Action=Explode&Version=2012-12-01"), nil, 400, "InvalidAction"},
		{"query, wrong version", "redshift", "POST", "/", form, []byte("Action=DescribeIntegrations&Version=1999-01-01"), nil, 400, ""},
		{"query, not a form", "redshift", "POST", "/", form, []byte("%%%zz;;;&&&=\xff"), nil, 400, ""},
		{"query, empty", "redshift", "POST", "/", form, nil, nil, 400, ""},
		{"query, a million parameters", "redshift", "POST", "/", form, append(describe, bytes.Repeat([]byte("&a=b"), 1_000_000)...), nil, 0, ""},
		{"query, a huge index", "redshift", "POST", "/", form, []byte("Action=DescribeTags&Version=2012-12-01&TagKeys.TagKey.999999999=a"), nil, 400, ""},
		{"query, another method", "redshift", "DELETE", "/", form, describe, nil, 0, ""},
		{"query, too large", "redshift", "POST", "/", form, append(describe, bytes.Repeat([]byte("x"), 20<<20)...), nil, 413, "RequestEntityTooLarge"},
		{"json, unsigned", "redshift-data", "POST", "/", json11, []byte("{}"), unsigned, 403, "MissingAuthenticationTokenException"},
		{"json, wrong secret", "redshift-data", "POST", "/", json11, []byte("{}"), func(h *signing) { h.secret = "wrong" }, 403, "InvalidSignatureException"},
		{"json, unknown key", "redshift-data", "POST", "/", json11, []byte("{}"), func(h *signing) { h.key = "AKIDNOBODY" }, 403, "UnrecognizedClientException"},
		{"json, expired", "redshift-data", "POST", "/", json11, []byte("{}"), func(h *signing) { h.at = time.Now().Add(-time.Hour) }, 0, ""},
		{"json, unknown operation", "redshift-data", "POST", "/", with(json11, "X-Amz-Target", "RedshiftData.Explode"), []byte("{}"), nil, 400, "UnknownOperationException"},
		{"json, no target", "redshift-data", "POST", "/", map[string]string{"Content-Type": "application/x-amz-json-1.1"}, []byte("{}"), nil, 400, ""},
		{"json, another's target", "redshift-data", "POST", "/", with(json11, "X-Amz-Target", "RedshiftServerless.ListNamespaces"), []byte("{}"), nil, 0, ""},
		{"json, wrong content type", "redshift-data", "POST", "/", with(json11, "Content-Type", "text/html"), []byte("{}"), nil, 400, ""},
		{"json, not JSON", "redshift-data", "POST", "/", json11, []byte("{not json"), nil, 400, "SerializationException"},
		{"json, cut off", "redshift-data", "POST", "/", json11, []byte(`{"MaxResults": 1`), nil, 400, "SerializationException"},
		{"json, more after it", "redshift-data", "POST", "/", json11, []byte(`{} {}`), nil, 400, "SerializationException"},
		{"json, a list", "redshift-data", "POST", "/", json11, []byte(`[]`), nil, 400, "SerializationException"},
		{"json, a thousand deep", "redshift-data", "POST", "/", json11, []byte(`{"StatementName":` + strings.Repeat("[", 100_000)), nil, 400, "SerializationException"},
		{"json, not UTF-8", "redshift-data", "POST", "/", json11, []byte("{\"StatementName\": \"\xff\xfe\"}"), nil, 400, ""},
		{"json, a member twice", "redshift-data", "POST", "/", json11, []byte(`{"MaxResults": 1, "MaxResults": 2}`), nil, 0, ""},
		{"json, too large", "redshift-data", "POST", "/", json11, bytes.Repeat([]byte(" "), 20<<20), nil, 413, ""},
		{"s3, unsigned", "s3", http.MethodGet, "/", nil, nil, unsigned, 403, "AccessDenied"},
		{"s3, wrong secret", "s3", http.MethodGet, "/", nil, nil, func(h *signing) { h.secret = "wrong" }, 403, "SignatureDoesNotMatch"},
		{"s3, unknown key", "s3", http.MethodGet, "/", nil, nil, func(h *signing) { h.key = "AKIDNOBODY" }, 403, "InvalidAccessKeyId"},
		{"s3, expired", "s3", http.MethodGet, "/", nil, nil, func(h *signing) { h.at = time.Now().Add(-time.Hour) }, 403, "RequestTimeTooSkewed"},
		{"s3, wrong region", "s3", http.MethodGet, "/", nil, nil, func(h *signing) { h.region = "mars-north-1" }, 400, "AuthorizationHeaderMalformed"},
		{"s3, no such bucket", "s3", http.MethodGet, "/nowhere-at-all", nil, nil, nil, 404, "NoSuchBucket"},
		{"s3, a bad bucket name", "s3", "PUT", "/No_Bucket", nil, nil, nil, 400, "InvalidBucketName"},
		{"internal, nothing there", "penstock", http.MethodGet, "/_penstock/nothing", nil, nil, nil, 404, ""},
		{"internal, wrong method", "penstock", http.MethodGet, "/_penstock/s3-events", nil, nil, nil, 405, ""},
		{"no service in the request", "", http.MethodGet, "/", nil, nil, unsigned, 0, ""},
	} {
		change := tt.change
		if change == nil {
			change = func(*signing) {}
		}
		req, err := s.request(tt.method, tt.path, tt.service, tt.headers, tt.body, change)
		if err != nil {
			t.Errorf("%s: %v", tt.what, err)
			continue
		}
		status, text, err := send(req)
		switch {
		case err != nil && len(tt.body) > 1<<20:
			// A server may close the connection on a body it will not read.
		case err != nil:
			t.Errorf("%s: %v", tt.what, err)
		case tt.status != 0 && status != tt.status || status < 400 && tt.what != "json, a member twice" || status >= 500:
			t.Errorf("%s: %d %.300s, want %d", tt.what, status, text, tt.status)
		case !strings.Contains(text, tt.code):
			t.Errorf("%s: %.300s, want %s", tt.what, text, tt.code)
		}
	}

	t.Run("authorization headers of every form", func(t *testing.T) {
		good, err := s.request("POST", "/", "redshift", form, describe)
		if err != nil {
			t.Fatal(err)
		}
		auth := good.Header.Get("Authorization")
		for _, header := range []string{"", " ", "AWS4-HMAC-SHA256", "Basic eDp5", "Bearer x", "AWS " + hostileKey + ":sig", auth[:len(auth)-1], auth + "0", strings.Replace(auth, "SignedHeaders=", "SignedHeaders=;;", 1),
			strings.Replace(auth, "Credential=", "Credential=/", 1), strings.Replace(auth, "/aws4_request", "", 1), strings.Replace(auth, "us-east-1", "", 1), strings.Replace(auth, "host;", "", 1),
			strings.ToLower(auth), auth + "," + auth, strings.Repeat("AWS4-HMAC-SHA256 ", 1000), "AWS4-HMAC-SHA256 Credential=\x01"} {
			req, err := s.request("POST", "/", "redshift", form, describe)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", header)
			status, text, err := send(req)
			if err != nil && strings.Contains(err.Error(), "invalid header") {
				continue // the client refuses to send it
			}
			if err != nil || status < 400 || status >= 500 {
				t.Errorf("%.80q: %d %.200s %v", header, status, text, err)
			}
		}
		tampered, err := s.request("POST", "/", "redshift", form, describe)
		if err != nil {
			t.Fatal(err)
		}
		tampered.Body = io.NopCloser(strings.NewReader("Action=DescribeIntegrations&Version=2012-12-02"))
		if status, text, err := send(tampered); err != nil || status != http.StatusForbidden {
			t.Errorf("a body that is not the signed one: %d %.200s %v", status, text, err)
		}
	})

	t.Run("presigned URLs", func(t *testing.T) {
		c := s.clients()
		if _, err := c.S3.CreateBucket(s.ctx, bucketInput("presigned")); err != nil {
			t.Fatal(err)
		}
		put(t, s.ctx, c, "presigned", "k", "content")
		presign := func(at time.Time, expires string) string {
			req, err := http.NewRequest(http.MethodGet, s.Endpoint()+"/presigned/k?X-Amz-Expires="+expires, nil)
			if err != nil {
				t.Fatal(err)
			}
			url, _, err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).PresignHTTP(s.ctx, aws.Credentials{AccessKeyID: hostileKey, SecretAccessKey: hostileSecret}, req, "UNSIGNED-PAYLOAD", "s3", "us-east-1", at)
			if err != nil {
				t.Fatal(err)
			}
			return url
		}
		get := func(url string) (int, string) {
			req, err := http.NewRequest(http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			status, text, err := send(req)
			if err != nil {
				t.Fatal(err)
			}
			return status, text
		}
		if status, text := get(presign(time.Now(), "60")); status != 200 || text != "content" {
			t.Errorf("%d %s", status, text)
		}
		for what, url := range map[string]string{
			"expired": presign(time.Now().Add(-time.Hour), "60"), "too long": presign(time.Now(), "604801"), "negative": presign(time.Now(), "-1"), "letters": presign(time.Now(), "soon"),
			"tampered": presign(time.Now(), "60") + "0", "for another key": strings.Replace(presign(time.Now(), "60"), "/presigned/k", "/presigned/l", 1),
		} {
			if status, text := get(url); status < 400 || status >= 500 {
				t.Errorf("%s: %d %.200s", what, status, text)
			}
		}
	})

	t.Run("connections that go wrong", func(t *testing.T) {
		for _, raw := range []string{"", "\r\n\r\n", "GET\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nshort", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
			"GET / HTTP/9.9\r\nHost: x\r\n\r\n", "GET /" + strings.Repeat("a", 100_000) + " HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("b", 200_000) + "\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET http://other/ HTTP/1.1\r\nHost: x\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"} {
			conn, err := net.Dial("tcp", s.Addr)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = conn.Write([]byte(raw))
			_ = conn.(*net.TCPConn).CloseWrite()
			answer, _ := io.ReadAll(conn)
			conn.Close()
			if first, _, _ := strings.Cut(string(answer), "\r\n"); strings.HasPrefix(first, "HTTP/1.1 5") && !strings.Contains(first, "505") {
				t.Errorf("%.60q: %s", raw, first)
			}
		}
	})
	s.stillWell(t)
}

// TestHostileS3 sends every sub-resource with every method and bodies of nonsense.
func TestHostileS3(t *testing.T) {
	t.Parallel()
	s := bootHostile(t)
	c := s.clients()
	if _, err := c.S3.CreateBucket(s.ctx, bucketInput("hostile")); err != nil {
		t.Fatal(err)
	}
	put(t, s.ctx, c, "hostile", "key", "content")
	subs := []string{"", "acl", "cors", "policy", "policyStatus", "tagging", "lifecycle", "website", "versioning", "versions", "uploads", "notification", "replication", "encryption", "object-lock", "logging", "requestPayment", "accelerate",
		"publicAccessBlock", "ownershipControls", "inventory", "analytics", "metrics", "intelligent-tiering", "delete", "select&select-type=2", "restore", "legal-hold", "retention", "torrent", "attributes", "location", "partNumber=1&uploadId=x",
		"partNumber=0&uploadId=x", "partNumber=10001&uploadId=../../x", "uploadId=x", "versionId=x", "versionId=../../x", "list-type=2&max-keys=-1", "list-type=2&max-keys=99999999999", "list-type=2&continuation-token=zz", "list-type=3",
		"marker=%00", "prefix=../", "delimiter=%ff", "max-keys=x", "encoding-type=x", "response-content-type=a%0d%0ab", "x-id=Nonsense", "X-Amz-Algorithm=x"}
	bodies := [][]byte{nil, []byte("nonsense"), []byte("<?xml version=\"1.0\"?><Delete><Object><Key>../../x</Key></Object></Delete>"), []byte(strings.Repeat("<a>", 5000)), []byte("{\"Version\":"), []byte(`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>`), bytes.Repeat([]byte("x"), 3<<20)}
	paths := []string{"/hostile", "/hostile/key", "/hostile/" + url.PathEscape("../../../etc/passwd"), "/hostile/%00", "/hostile/" + strings.Repeat("k", 2000), "/", "/hostile//", "/hostile/.."}
	var group errgroup.Group
	group.SetLimit(4)
	var mu sync.Mutex
	bad, tried := 0, 0
	for _, path := range paths {
		for _, sub := range subs {
			for _, method := range []string{http.MethodGet, "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"} {
				for i, body := range bodies {
					if (method != "PUT" && method != "POST" && i > 0) || i == len(bodies)-1 && path != "/hostile" {
						continue
					}
					tried++
					group.Go(func() error {
						if method == "DELETE" && path == "/hostile" && sub == "" {
							return nil
						}
						target := path
						if sub != "" {
							target += "?" + sub
						}
						req, err := s.request(method, target, "s3", nil, body)
						if err != nil {
							return nil
						}
						status, text, err := send(req)
						// S3's own answer to what is not offered is a 501 with this code.
						offered := status != http.StatusNotImplemented || method != http.MethodHead && !strings.Contains(text, "<Code>NotImplemented</Code>")
						if err != nil && len(body) < 1<<20 || status >= 500 && offered {
							mu.Lock()
							defer mu.Unlock()
							if bad++; bad <= 40 {
								t.Errorf("%s %.80s with %.30q: %d %.300s %v", method, target, body, status, text, err)
							}
						}
						return nil
					})
				}
			}
		}
	}
	_ = group.Wait()
	t.Logf("%d requests, %d wrong answers", tried, bad)
	for _, path := range []string{"x", "../x", "../../x", "etc/passwd"} {
		if _, err := os.Stat(filepath.Join(s.Dir, path)); err == nil {
			t.Errorf("a request wrote %s", path)
		}
	}
	s.stillWell(t)
}

// TestSecrets uses every way a secret comes in, also wrongly, and looks for it wherever text comes out.
func TestSecrets(t *testing.T) {
	t.Parallel()
	s := bootHostile(t)
	c := s.clients()
	const password, copySecret, userSecret = "Passw0rd-to-be-kept", "copy/secret+access/key", "User-Passw0rd-9"
	for _, id := range []string{"guarded", "guarded", "-bad-"} {
		_, _ = c.Redshift.CreateCluster(s.ctx, &redshift.CreateClusterInput{ClusterIdentifier: aws.String(id), NodeType: aws.String("ra3.large"), MasterUsername: aws.String("admin"), MasterUserPassword: aws.String(password)})
	}
	_, _ = c.Redshift.CreateCluster(s.ctx, &redshift.CreateClusterInput{ClusterIdentifier: aws.String("guarded2"), NodeType: aws.String("ra3.large"), MasterUsername: aws.String("admin"), MasterUserPassword: aws.String(password + " with a space")})
	out, err := c.Redshift.DescribeClusters(s.ctx, &redshift.DescribeClustersInput{})
	if err != nil || strings.Contains(fmt.Sprintf("%+v", out.Clusters), password) {
		t.Errorf("the password comes back: %v", err)
	}
	var ids []string
	for _, sql := range []string{
		"COPY t FROM 's3://b/k' ACCESS_KEY_ID 'AKIDX' SECRET_ACCESS_KEY '" + copySecret + "' CSV",
		"COPY t FROM 's3://b/k' ACCESS_KEY_ID 'AKIDX' SECRET_ACCESS_KEY '" + copySecret + "' NONSENSE",
		"COPY t FROM 's3://b/k' CREDENTIALS 'aws_access_key_id=AKIDX;aws_secret_access_key=" + copySecret + "' CSV",
		"COPY t FROM 's3://b/k' WITH CREDENTIALS AS 'aws_access_key_id=AKIDX;aws_secret_access_key=" + copySecret + ";token=" + copySecret + "' CSV JOB CREATE j",
		"copy t from 's3://b/k' access_key_id 'AKIDX' secret_access_key '" + copySecret, // never closed
		"COPY t FROM 's3://b/k' ACCESS_KEY_ID 'AKIDX' SECRET_ACCESS_KEY AS '" + copySecret + "' SESSION_TOKEN '" + copySecret + "' CSV",
		"UNLOAD ('SELECT 1') TO 's3://b/k' ACCESS_KEY_ID 'AKIDX' SECRET_ACCESS_KEY '" + copySecret + "'",
		"/* " + "comment */ COPY t FROM 's3://b/k' -- note\n CREDENTIALS 'aws_access_key_id=AKIDX;aws_secret_access_key=" + copySecret + "'",
		"CREATE USER joe PASSWORD '" + userSecret + "'", "ALTER USER joe WITH PASSWORD '" + userSecret + "' VALID UNTIL '2030-01-01'", "CREATE USER joe PASSWORD '" + userSecret,
	} {
		id, err := c.Exec(s.ctx, sql)
		if err != nil {
			if strings.Contains(err.Error(), copySecret) || strings.Contains(err.Error(), userSecret) {
				t.Errorf("the refusal of %.60s tells the secret: %v", sql, err)
			}
			continue
		}
		ids = append(ids, id)
		_, _ = c.Wait(s.ctx, id)
		st, err := c.Data.DescribeStatement(s.ctx, &redshiftdata.DescribeStatementInput{Id: &id})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{aws.ToString(st.QueryString), aws.ToString(st.Error)} {
			if strings.Contains(text, copySecret) || strings.Contains(text, userSecret) {
				t.Errorf("a read tells the secret: %s", text)
			}
		}
	}
	if len(ids) < 8 {
		t.Errorf("only %d statements were taken", len(ids))
	}
	list, err := c.Data.ListStatements(s.ctx, &redshiftdata.ListStatementsInput{Status: "ALL"})
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range list.Statements {
		if text := aws.ToString(st.QueryString); strings.Contains(text, copySecret) || strings.Contains(text, userSecret) {
			t.Errorf("the list tells the secret: %s", text)
		}
	}
	s.stillWell(t, password, copySecret, userSecret)
}

// TestDataDirectory wants what the server makes to be its user's alone.
func TestDataDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "by", "penstock")
	server, err := harness.Start(t.Context(), harness.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	if err := os.WriteFile(filepath.Join(dir, "stray"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, t.Context(), server.Clients(), "CREATE TABLE t (id INTEGER)")
	for _, name := range []string{".", "metadata.db", "seal.key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	// A second server over the same directory is refused, and says why.
	if second, err := harness.Start(t.Context(), harness.Options{Dir: dir}); err == nil {
		_ = second.Kill()
		t.Error("two servers over one directory")
	} else if !strings.Contains(err.Error(), dir) && !strings.Contains(err.Error(), "use") {
		t.Errorf("the refusal does not say why: %v", err)
	}
}
