package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/penstock-io/penstock/internal/buckets"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/wire/sigv4"
)

const (
	nearID, nearSecret = "near", "near-secret" // what clients sign with
	farID, farSecret   = "far", "far-secret"   // what the endpoint knows
	nearRegion         = "us-east-1"
	farRegion          = "eu-west-1"
)

// verify is Config.Verify over package sigv4.
func verify(service Service) func(*http.Request, string) (string, error) {
	v := sigv4.NewVerifier(nearRegion, sigv4.Rules{S3: service == S3}, time.Now)
	return func(r *http.Request, hash string) (string, error) {
		s, err := sigv4.Parse(r)
		if err == nil && s.AccessKeyID != nearID {
			err = errors.New("unknown key")
		}
		if err == nil {
			err = v.Verify(r, s, nearSecret, hash)
		}
		if err != nil {
			return "", &Error{http.StatusForbidden, "AccessDenied", err.Error()}
		}
		return nearSecret, nil
	}
}

// sign is Config.Sign over package sigv4.
func sign(service Service) func(context.Context, *http.Request, string) error {
	return func(_ context.Context, r *http.Request, hash string) error {
		return sigv4.Sign(r, sigv4.Credentials{AccessKeyID: farID, SecretAccessKey: farSecret},
			sigv4.Scope{Region: farRegion, Service: string(service)}, hash, sigv4.Rules{S3: service == S3}, time.Now())
	}
}

func newRelay(t testing.TB, service Service, endpoint string) string {
	t.Helper()
	r, err := New(Config{Service: service, Endpoint: endpoint, Region: farRegion, Verify: verify(service), Sign: sign(service), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(r)
	t.Cleanup(web.Close)
	return web.URL
}

// endpoint is an S3 store that knows the far credentials only.
func endpoint(t testing.TB) (*buckets.Server, string) {
	t.Helper()
	srv, err := buckets.Open(buckets.Config{
		Dir: t.TempDir(), Region: farRegion, Account: "123456789012", Store: noDocuments{}, Now: time.Now, NoSync: true,
		Keys: func(id string) (string, bool) { return farSecret, id == farID }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv.Handler())
	t.Cleanup(func() {
		web.Close()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv, web.URL
}

type noDocuments struct{}

func (noDocuments) DocumentGet(context.Context, string, buckets.Kind) ([]byte, error) {
	return nil, fault.New(fault.NotFound, buckets.SubjectDocument, "none")
}
func (noDocuments) DocumentUpdate(context.Context, string, buckets.Kind, func([]byte) ([]byte, error)) error {
	return errors.ErrUnsupported
}
func (noDocuments) DocumentDeleteAll(context.Context, string) error { return nil }

func s3Client(url, secret string) *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: &url, Region: nearRegion, UsePathStyle: true, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(nearID, secret, "")})
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Fatalf("error %v, want code %s", err, code)
	}
}

func TestS3(t *testing.T) {
	t.Parallel()
	_, far := endpoint(t)
	c := s3Client(newRelay(t, S3, far), nearSecret)
	ctx := t.Context()
	bucket := "relayed"
	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: farRegion}}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"plain", "with space+plus/ünï/日本%41.csv", "~!$&'()*,;=:@"} {
		body := strings.Repeat("body of "+key, 1000)
		if _, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body), Metadata: map[string]string{"a": "b"}}); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		got, err := io.ReadAll(out.Body)
		if err != nil || string(got) != body || out.Metadata["a"] != "b" || *out.ContentLength != int64(len(body)) {
			t.Errorf("%q: %d bytes, %v, %v", key, len(got), out.Metadata, err)
		}
		part, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, Range: aws.String("bytes=2-5")})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(part.Body); string(got) != body[2:6] {
			t.Errorf("%q: range %q", key, got)
		}
	}
	list, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("with space+plus/"), MaxKeys: aws.Int32(1)})
	if err != nil || len(list.Contents) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}); err != nil {
		t.Error(err)
	}
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("missing")})
	wantCode(t, err, "NoSuchKey") // the endpoint's own errors come back as they are
	_, err = c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String("missing")})
	wantCode(t, err, "NotFound")
	if _, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("plain")}}}}); err != nil {
		t.Error(err)
	}

	wrong := s3Client(newRelay(t, S3, far), "wrong")
	for range 3 { // in the middle of a long body, too
		_, err = wrong.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("forged"), Body: bytes.NewReader(make([]byte, 10<<20))})
		wantCode(t, err, "AccessDenied")
	}
	_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("forged")})
	wantCode(t, err, "NoSuchKey")
}

func TestPresigned(t *testing.T) {
	t.Parallel()
	_, far := endpoint(t)
	near := newRelay(t, S3, far)
	c := s3Client(near, nearSecret)
	bucket, key := "presigned", "a b+ü"
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: farRegion}}); err != nil {
		t.Fatal(err)
	}
	p := s3.NewPresignClient(c)
	put, err := p.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	get, err := p.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key, ResponseContentType: aws.String("text/x-test")})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		method, url, body, want string
		status                  int
	}{
		{"PUT", put.URL, "presigned body", "", 200},
		{"GET", get.URL, "", "presigned body", 200},
		{"GET", strings.Replace(get.URL, "/presigned/", "/other/", 1), "", "AccessDenied", 403},
	} {
		req, err := http.NewRequestWithContext(t.Context(), step.method, step.url, strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != step.status || !strings.Contains(string(answer), step.want) {
			t.Errorf("%s %s: %d %s", step.method, step.url, res.StatusCode, answer)
		}
		if step.want == "presigned body" && res.Header.Get("Content-Type") != "text/x-test" {
			t.Errorf("content type %q: a parameter that is no part of the signature was lost", res.Header.Get("Content-Type"))
		}
	}
}

// What goes out is what came in, less what belongs to the connection and the signature.
func TestOutgoingRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(context.Background())
		w.Header().Set("Connection", "X-Private")
		w.Header().Set("X-Private", "1")
		w.Header().Set("X-Amz-Request-Id", "theirs")
		w.WriteHeader(http.StatusNoContent)
	}))
	defer web.Close()
	near := newRelay(t, S3, web.URL+"/base/")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, near+"/bucket/a%2Fb//c%20d?list-type=2&prefix=%2B+x&empty", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Connection": {"X-Hop"}, "X-Hop": {"1"}, "Te": {"trailers"}, "Proxy-Authorization": {"secret"}, "X-Kept": {"1", "2"},
		"Accept-Encoding": {"identity"}, "User-Agent": {"test/1"}, "X-Amz-Security-Token": {}}
	req.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(t.Context(),
		aws.Credentials{AccessKeyID: nearID, SecretAccessKey: nearSecret}, req, unsignedPayload, "s3", nearRegion, time.Now()); err != nil {
		t.Fatal(err)
	}
	req.URL.RawQuery = "list-type=2&prefix=%2B+x&empty" // the signer sorts it
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", res.StatusCode, answer)
	}
	if got.RequestURI != "/base/bucket/a%2Fb//c%20d?list-type=2&prefix=%2B+x&empty" {
		t.Errorf("went to %s", got.RequestURI)
	}
	if got.Host != strings.TrimPrefix(web.URL, "http://") || !strings.Contains(got.Header.Get("Authorization"), "Credential="+farID+"/") ||
		!strings.Contains(got.Header.Get("Authorization"), "/"+farRegion+"/s3/") {
		t.Errorf("host %s, authorization %s", got.Host, got.Header.Get("Authorization"))
	}
	for _, name := range []string{"X-Hop", "Te", "Proxy-Authorization"} {
		if got.Header.Get(name) != "" {
			t.Errorf("%s went out", name)
		}
	}
	if len(got.Header["X-Kept"]) != 2 || got.Header.Get("User-Agent") != "test/1" || got.Header.Get("Accept-Encoding") != "identity" {
		t.Errorf("headers %v", got.Header)
	}
	if res.Header.Get("X-Private") != "" || res.Header.Get("X-Amz-Request-Id") != "theirs" {
		t.Errorf("answer's headers %v", res.Header)
	}
}

func TestEndpointTrouble(t *testing.T) {
	t.Parallel()
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	hangup := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer hangup.Close()
	for name, url := range map[string]string{"refused": dead.URL, "closed": hangup.URL, "no such host": "http://nowhere.invalid"} {
		c := s3Client(newRelay(t, S3, url), nearSecret)
		_, err := c.ListBuckets(t.Context(), &s3.ListBucketsInput{})
		wantCode(t, err, "ServiceUnavailable")
		if !strings.Contains(err.Error(), url) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		_, err = c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key"), Body: bytes.NewReader(make([]byte, 5<<20))})
		wantCode(t, err, "ServiceUnavailable")
	}
	near := newRelay(t, DynamoDB, dead.URL)
	_, err := dynamoClient(near).ListTables(t.Context(), &dynamodb.ListTablesInput{})
	wantCode(t, err, "ServiceUnavailable")
	if !strings.Contains(err.Error(), dead.URL) {
		t.Errorf("%v", err)
	}
	// Credentials that cannot be had are said to be.
	r, err := New(Config{Service: S3, Endpoint: dead.URL, Region: farRegion, Verify: verify(S3), Log: slog.New(slog.DiscardHandler),
		Sign: func(context.Context, *http.Request, string) error { return errors.New("the secret is hunter2") }})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(r)
	defer web.Close()
	_, err = s3Client(web.URL, nearSecret).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	wantCode(t, err, "ServiceUnavailable")
	if !strings.Contains(err.Error(), "credentials") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	// An internal error of the verifier is not shown.
	r.Verify = func(*http.Request, string) (string, error) { return "", errors.New("hunter2") }
	_, err = s3Client(web.URL, nearSecret).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	wantCode(t, err, "InternalError")
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

// An answer that breaks off breaks off, so that nobody takes it for whole.
func TestBrokenAnswer(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer web.Close()
	out, err := s3Client(newRelay(t, S3, web.URL), nearSecret).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if n, err := io.Copy(io.Discard, out.Body); err == nil {
		t.Errorf("%d bytes and no error", n)
	}
}

func dynamoClient(url string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{BaseEndpoint: &url, Region: nearRegion, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(nearID, nearSecret, "")})
}

func TestDynamoDB(t *testing.T) {
	t.Parallel()
	v := sigv4.NewVerifier(farRegion, sigv4.Rules{}, time.Now)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s, err := sigv4.Parse(r)
		if err == nil {
			err = v.Verify(r, s, farSecret, sigv4.HashPayload(body))
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		if err != nil || s.Service != "dynamodb" || s.AccessKeyID != farID {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"__type":"com.amazon.coral.service#InvalidSignatureException","message":%q}`, fmt.Sprint(err))
			return
		}
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListTables") {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"theirs"}`)
			return
		}
		fmt.Fprint(w, `{"TableNames":["far"]}`)
	}))
	defer web.Close()
	near := newRelay(t, DynamoDB, web.URL)
	out, err := dynamoClient(near).ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil || len(out.TableNames) != 1 || out.TableNames[0] != "far" {
		t.Fatalf("%+v, %v", out, err)
	}
	_, err = dynamoClient(near).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("t")})
	wantCode(t, err, "ResourceNotFoundException")

	for name, body := range map[string]io.Reader{
		"AccessDenied":                   strings.NewReader("{}"),
		"RequestEntityTooLargeException": io.MultiReader(bytes.NewReader(make([]byte, maxBody+1))),
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, near, body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Type string `json:"__type"`
		}
		if err := json.NewDecoder(res.Body).Decode(&e); err != nil || !strings.HasSuffix(e.Type, "#"+name) || res.StatusCode < 400 || res.StatusCode > 499 {
			t.Errorf("%d %+v, %v; want %s", res.StatusCode, e, err, name)
		}
		res.Body.Close()
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		service                 Service
		region, target, wantURL string
	}{
		{S3, "eu-west-1", "", "https://s3.eu-west-1.amazonaws.com/b/k"},
		{DynamoDB, "us-east-1", "DynamoDB_20120810.GetItem", "https://dynamodb.us-east-1.amazonaws.com/b/k"},
		{DynamoDB, "us-east-1", "DynamoDBStreams_20120810.GetRecords", "https://streams.dynamodb.us-east-1.amazonaws.com/b/k"},
		{S3, "cn-north-1", "", "https://s3.cn-north-1.amazonaws.com.cn/b/k"},
	} {
		r, err := New(Config{Service: test.service, Region: test.region})
		if err != nil {
			t.Fatal(err)
		}
		in := httptest.NewRequest(http.MethodGet, "/b/k", nil)
		in.Header.Set("X-Amz-Target", test.target)
		if out := r.copyRequest(in); out.URL.String() != test.wantURL || out.Host != out.URL.Host {
			t.Errorf("%s, host %s, want %s", out.URL, out.Host, test.wantURL)
		}
	}
	for _, bad := range []string{"host:9000", "://", "ftp://host", "http://", "http://host/?query"} {
		if _, err := New(Config{Service: S3, Endpoint: bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("endpoint %q: %v", bad, err)
		}
	}
	if _, err := New(Config{Service: "sqs", Endpoint: "http://host"}); err == nil {
		t.Error("service sqs accepted")
	}
}
