package buckets

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const unsigned = "UNSIGNED-PAYLOAD"

// send makes a request with any body and signs it over hash unless that is empty.
func (f *fixture) send(t testing.TB, method, path string, body io.Reader, hash string, edit ...func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.http.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if hash != "" {
		req.Header.Set("X-Amz-Content-Sha256", hash)
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		cred := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
		if err := signer.SignHTTP(t.Context(), cred, req, hash, "s3", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range edit {
		e(req)
	}
	res, err := f.http.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// code is the error code in an XML answer.
func code(answer string) string {
	var e struct{ Code string }
	_ = xml.Unmarshal([]byte(answer), &e)
	return e.Code
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "signatures")
	f.put(t, bucket, "key", "data")
	// An access control list that lets everybody in must not.
	if _, err := f.s3.PutBucketOwnershipControls(t.Context(), &s3.PutBucketOwnershipControlsInput{Bucket: &bucket,
		OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipObjectWriter}}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.s3.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{Bucket: &bucket, ACL: types.BucketCannedACLPublicReadWrite}); err != nil {
		t.Fatal(err)
	}
	list := func(c *s3.Client) error {
		_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
		return err
	}
	wantCode(t, list(client(f.http.URL, testKey, "wrong", "us-east-1")), "SignatureDoesNotMatch")
	wantCode(t, list(client(f.http.URL, "nobody", testSecret, "us-east-1")), "InvalidAccessKeyId")
	wantCode(t, list(client(f.http.URL, testKey, testSecret, "eu-west-1")), "AuthorizationHeaderMalformed")

	for _, r := range []struct{ method, path string }{
		{"GET", "/"}, {"GET", "/signatures"}, {"GET", "/signatures/key"}, {"PUT", "/signatures/new"}, {"DELETE", "/signatures/key"},
		{"GET", "/signatures?policy"}, {"PUT", "/signatures?policy"}, {"GET", "/signatures?notification"}, {"PUT", "/signatures?notification"},
		{"POST", "/signatures?delete"}, {"POST", "/signatures/key?uploads"}, {"PUT", "/another"}, {"GET", "/signatures?encryption"},
	} {
		status, answer := f.send(t, r.method, r.path, strings.NewReader("x"), "")
		if status != http.StatusForbidden || code(answer) != "AccessDenied" {
			t.Errorf("anonymous %s %s: %d %s", r.method, r.path, status, answer)
		}
	}
	// The documents' routes verify as the gateway's own do.
	for _, query := range []string{"policy", "policyStatus", "notification", "encryption"} {
		status, answer := f.send(t, "GET", "/signatures?"+query, nil, unsigned, func(r *http.Request) {
			r.Header.Set("X-Amz-Date", "20200101T000000Z")
		})
		if status != http.StatusForbidden || code(answer) != "RequestTimeTooSkewed" {
			t.Errorf("%s with an old date: %d %s", query, status, answer)
		}
		status, answer = f.send(t, "GET", "/signatures?"+query, nil, unsigned, func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:len(r.Header.Get("Authorization"))-1]+"x")
		})
		if status != http.StatusForbidden || code(answer) != "SignatureDoesNotMatch" {
			t.Errorf("%s with a wrong signature: %d %s", query, status, answer)
		}
	}
}

// The answer arrives also when the client is in the middle of a long body.
func TestRefusalDuringABody(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "refused")
	c := client(f.http.URL, testKey, "wrong", "us-east-1")
	for range 5 {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("key"), Body: bytes.NewReader(make([]byte, 20<<20))})
		wantCode(t, err, "SignatureDoesNotMatch")
	}
}

func TestBodyIsWhatWasSigned(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "bodies")
	const otherHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	status, answer := f.send(t, "PUT", "/bodies/key", strings.NewReader("not empty"), otherHash)
	if status != http.StatusBadRequest || code(answer) != "XAmzContentSHA256Mismatch" {
		t.Errorf("%d %s", status, answer)
	}
	if _, err := f.Stat(t.Context(), bucket, "key"); err == nil {
		t.Error("an object with another body was stored")
	}
	status, answer = f.send(t, "PUT", "/bodies?notification", strings.NewReader("<NotificationConfiguration/>"), otherHash)
	if status != http.StatusBadRequest || code(answer) != "XAmzContentSHA256Mismatch" {
		t.Errorf("%d %s", status, answer)
	}
	if a, _ := f.take(); len(a) != 0 {
		t.Errorf("arrivals %+v", a)
	}
}

func TestPresigned(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "presigned")
	key := "with space+plus/ünï.csv"
	sign := s3.NewPresignClient(f.s3)
	put, err := sign.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	get, err := sign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	do := func(method, url string, body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		res, err := f.http.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(answer)
	}
	if status, answer := do("PUT", put.URL, "presigned body"); status != 200 {
		t.Fatalf("put: %d %s", status, answer)
	}
	if status, answer := do("GET", get.URL, ""); status != 200 || answer != "presigned body" {
		t.Fatalf("get: %d %s", status, answer)
	}
	if status, answer := do("GET", strings.Replace(get.URL, "presigned/with", "presigned/other", 1), ""); status != 403 || code(answer) != "SignatureDoesNotMatch" {
		t.Errorf("tampered: %d %s", status, answer)
	}
	if status, _ := do("PUT", get.URL, "x"); status != 403 {
		t.Errorf("put with a get's signature: %d", status)
	}
	short, err := sign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key}, func(o *s3.PresignOptions) {
		o.Expires = 60 * time.Second
		o.Presigner = signedAt{time.Now().Add(-61 * time.Second)}
	})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := do("GET", short.URL, ""); status != 403 || code(answer) != "AccessDenied" {
		t.Errorf("expired: %d %s", status, answer)
	}
	if a, _ := f.take(); len(a) != 1 || a[0].Key != key {
		t.Errorf("arrivals %+v", a)
	}
}

// signedAt presigns as if it were another time.
type signedAt struct{ when time.Time }

func (s signedAt) PresignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, _ time.Time, opts ...func(*v4.SignerOptions)) (string, http.Header, error) {
	return v4.NewSigner().PresignHTTP(ctx, c, r, hash, service, region, s.when, opts...)
}

func TestLongDocumentsAreRefusedUnread(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.bucket(t, "long")
	for _, path := range []string{"/long?notification", "/long?policy", "/long/key?tagging", "/long?tagging"} {
		status, answer := f.send(t, "PUT", path, bytes.NewReader(make([]byte, maxDocument+1)), unsigned)
		if status != http.StatusBadRequest || code(answer) != "MaxMessageLengthExceeded" {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	// Without a length it is read up to the limit and then found malformed.
	status, answer := f.send(t, "PUT", "/long?notification", io.MultiReader(bytes.NewReader(make([]byte, maxDocument+1))), unsigned)
	if status != http.StatusBadRequest {
		t.Errorf("chunked: %d %s", status, answer)
	}
}

// Nothing a client sends, signed or not, may end in an internal error.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bucket := f.bucket(t, "malformed")
	f.put(t, bucket, "key", "data")
	paths := []string{
		"/malformed/%00", "/malformed/a%00b", "/malformed/%FF%FE", "/malformed/..%2F..%2Fetc%2Fpasswd", "/malformed/../../etc/passwd",
		"/malformed//", "/malformed//key", "/malformed/key/", "/malformed/key/below", "/malformed/a//b", "/malformed/./key",
		"/malformed/" + strings.Repeat("k", 1025), "/malformed/" + strings.Repeat("k", 300), "/malformed/" + strings.Repeat("k/", 600),
		"/malformed/.sgwtmp/x", "/malformed/.sgwtmp", "/malformed/a/.x.sgwtmp.1", "/malformed/%1F", "/malformed/%0A",
		"/..", "/.", "/%2E%2E/x", "/.sgwtmp", "/.vgwlocks/x", "/BAD_bucket", "/xn--%00", "/nosuchbucket/key", "/nosuchbucket",
		"/malformed?list-type=2&max-keys=-1", "/malformed?list-type=2&max-keys=x", "/malformed?list-type=2&prefix=%00", "/malformed?list-type=2&prefix=../",
		"/malformed?uploads&max-uploads=x", "/malformed/key?uploadId=../../..", "/malformed/key?uploadId=", "/malformed/key?uploadId=../../..&partNumber=1",
		"/malformed/key?uploadId=x&partNumber=99999999999", "/malformed/key?partNumber=0", "/malformed/key?versionId=x", "/malformed/key?tagging",
		"/malformed/key?acl", "/malformed/key?retention", "/malformed/key?legal-hold", "/malformed?versioning", "/malformed?object-lock",
		"/malformed?website", "/malformed?cors", "/malformed?versions", "/malformed/key?attributes", "/malformed/key?select&select-type=2", "/malformed/key?restore",
		"/malformed/key?torrent", "/malformed?policy&notification", "/malformed/?policy", "/malformed/key?%zz", "/malformed?delete",
	}
	headers := []func(*http.Request){
		func(*http.Request) {},
		func(r *http.Request) { r.Header.Set("Range", "bytes=9999999999-") },
		func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "malformed/../../etc/passwd") },
		func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "%zz") },
		func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "malformed/key?versionId=x") },
		func(r *http.Request) { r.Header.Set("Content-Md5", "!") },
		func(r *http.Request) { r.Header.Set("X-Amz-Tagging", "%zz&&=") },
		func(r *http.Request) { r.Header.Set("X-Amz-Object-Lock-Mode", "GOVERNANCE") },
		func(r *http.Request) { r.Header.Set("X-Amz-Decoded-Content-Length", "-1") },
	}
	hashes := []string{unsigned, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "nonsense"}
	for _, path := range paths {
		for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"} {
			for i, edit := range headers {
				for _, hash := range hashes[:1+3*(i&1)] {
					req, err := http.NewRequestWithContext(t.Context(), method, f.http.URL+path, strings.NewReader("<a><b></a>"))
					if err != nil {
						t.Fatal(err)
					}
					edit(req)
					req.Header.Set("X-Amz-Content-Sha256", hash)
					signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
					if err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, req, hash, "s3", "us-east-1", time.Now()); err != nil {
						t.Fatal(err)
					}
					res, err := f.http.Client().Do(req)
					if err != nil {
						t.Fatalf("%s %s: %v", method, path, err)
					}
					answer, _ := io.ReadAll(res.Body)
					res.Body.Close()
					if code(string(answer)) == "SignatureDoesNotMatch" {
						t.Errorf("%s %s (header set %d): the request did not get past the signature", method, path, i)
					}
					if res.StatusCode >= 500 && res.StatusCode != http.StatusNotImplemented {
						t.Errorf("%s %s (header set %d, %s): %d %s", method, path, i, hash, res.StatusCode, answer)
					}
				}
			}
		}
	}
}
