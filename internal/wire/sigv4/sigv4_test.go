package sigv4_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/penstock-io/penstock/internal/wire/sigv4"
)

const (
	keyID  = "AKIDEXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// served turns a request a client made into the one a server gets, through its form on the wire.
func served(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// verify verifies as the handler does.
func verify(r *http.Request, v *sigv4.Verifier) error {
	s, err := sigv4.Parse(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	return v.Verify(r, s, secret, sigv4.HashPayload(body))
}

type shape struct {
	name, method, url, body string
	header                  http.Header
}

var shapes = []shape{
	{name: "query", method: "POST", url: "http://localhost:4566/", body: "Action=DescribeIntegrations&Version=2012-12-01",
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}},
	{name: "json", method: "POST", url: "http://localhost:4566/", body: `{"Sql":"select 1"}`,
		header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"RedshiftData.ExecuteStatement"}}},
	{name: "no path", method: "GET", url: "http://localhost:4566"},
	{name: "encoded slash and colon", method: "GET", url: "http://localhost:4566/tags/arn%3Aaws%3Aapp-integrations%3Aus-east-1%3A123456789012%3Aapplication%2Fa"},
	{name: "unicode and spaces", method: "PUT", url: "http://localhost:4566/a%20b/%C3%BC/%E2%82%AC"},
	{name: "unreserved and reserved", method: "PUT", url: "http://localhost:4566/a-b_c.d~e/(x)!*'$&+,;=:@"},
	{name: "double slash", method: "GET", url: "http://localhost:4566/a//b/"},
	{name: "dot segments", method: "GET", url: "http://localhost:4566/a/./b/../c"},
	{name: "percent sign", method: "GET", url: "http://localhost:4566/100%25"},
	{name: "query out of order", method: "GET", url: "http://localhost:4566/?b=2&a=1&B=3&A=4"},
	{name: "repeated query keys", method: "GET", url: "http://localhost:4566/?k=z&k=a&k=&k=%20&kk=1"},
	{name: "query without values", method: "GET", url: "http://localhost:4566/?acl&x="},
	{name: "query with plus and percent", method: "GET", url: "http://localhost:4566/?a=b%2Bc&d=e+f&g=%25&h=~*%27"},
	{name: "unicode query", method: "GET", url: "http://localhost:4566/?%C3%BC=%E2%82%AC"},
	{name: "folded header", method: "GET", url: "http://localhost:4566/", header: http.Header{"X-Amz-Meta": {"  a   b  c "}, "My-Header": {"1", "2"}}},
	{name: "default port", method: "GET", url: "http://localhost:80/"},
}

func (s shape) request(t testing.TB) *http.Request {
	t.Helper()
	r, err := http.NewRequest(s.method, s.url, strings.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range s.header {
		r.Header[k] = v
	}
	return r
}

// The SDK's signer is the independent judge of ours.
func TestVerifyAcceptsTheSDK(t *testing.T) {
	t.Parallel()
	for _, c := range shapes {
		for _, s3 := range []bool{false, true} {
			name := c.name
			if s3 {
				name += " by S3's rules"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s3 })
				creds := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
				v := sigv4.NewVerifier("us-east-1", sigv4.Rules{S3: s3}, at(noon))

				r := c.request(t)
				hash := sigv4.HashPayload([]byte(c.body))
				if err := signer.SignHTTP(t.Context(), creds, r, hash, "redshift", "us-east-1", noon); err != nil {
					t.Fatal(err)
				}
				if err := verify(served(t, r), v); err != nil {
					t.Errorf("header: %v", err)
				}

				if c.name == "default port" {
					return // presigning drops the port from what is signed and not from what is sent
				}
				r = c.request(t)
				presignHash := hash
				if s3 {
					presignHash = sigv4.UnsignedPayload
				}
				url, signed, err := signer.PresignHTTP(t.Context(), creds, r, presignHash, "redshift", "us-east-1", noon)
				if err != nil {
					t.Fatal(err)
				}
				r, err = http.NewRequest(c.method, url, strings.NewReader(c.body))
				if err != nil {
					t.Fatal(err)
				}
				for k, v := range signed {
					r.Header[k] = v
				}
				if err := verify(served(t, r), v); err != nil {
					t.Errorf("presigned: %v", err)
				}
			})
		}
	}
}

// Ours signs what the SDK signs, where both sign the same headers.
func TestSignAgreesWithTheSDK(t *testing.T) {
	t.Parallel()
	for _, c := range shapes {
		if c.body != "" || strings.Contains(c.url, "//b") || strings.Contains(c.url, "..") || strings.Contains(c.url, ":80/") {
			continue // the SDK signs the length of a body, normalises no path, and drops a default port
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			theirs, ours := c.request(t), c.request(t)
			creds := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: "token"}
			if err := v4.NewSigner().SignHTTP(t.Context(), creds, theirs, sigv4.EmptyPayload, "kms", "us-east-1", noon); err != nil {
				t.Fatal(err)
			}
			err := sigv4.Sign(ours, sigv4.Credentials{AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: "token"},
				sigv4.Scope{Region: "us-east-1", Service: "kms"}, sigv4.EmptyPayload, sigv4.Rules{}, noon)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := ours.Header.Get("Authorization"), theirs.Header.Get("Authorization"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// AWS publishes this request and its signature.
func TestSignPublishedExample(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = "example.amazonaws.com"
	err := sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, sigv4.Scope{Region: "us-east-1", Service: "service"},
		sigv4.EmptyPayload, sigv4.Rules{}, time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	const want = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+want) {
		t.Errorf("got %s, want signature %s", got, want)
	}
}

func TestPresignRoundTrip(t *testing.T) {
	t.Parallel()
	for _, c := range shapes {
		r := c.request(t)
		hash := sigv4.HashPayload([]byte(c.body))
		err := sigv4.Presign(r, sigv4.Credentials{AccessKeyID: keyID, SecretAccessKey: secret},
			sigv4.Scope{Region: "us-east-1", Service: "sts"}, hash, sigv4.Rules{}, noon, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(served(t, r), sigv4.NewVerifier("us-east-1", sigv4.Rules{}, at(noon.Add(59*time.Minute)))); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Each case changes a good request in one way.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	header := func(name string, change func(string) string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, change(r.Header.Get(name))) }
	}
	replace := func(from, to string) func(*http.Request) {
		return header("Authorization", func(s string) string {
			if !strings.Contains(s, from) {
				panic("nothing to replace")
			}
			return strings.Replace(s, from, to, 1)
		})
	}
	cases := []struct {
		name   string
		change func(*http.Request)
		reason sigv4.Reason
		text   string
	}{
		{"no header", func(r *http.Request) { r.Header.Del("Authorization") }, sigv4.Missing, "missing Authentication Token"},
		{"another scheme", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, sigv4.Missing, "missing Authentication Token"},
		{"two headers", func(r *http.Request) { r.Header.Add("Authorization", "AWS4-HMAC-SHA256 x") }, sigv4.Incomplete, "more than one signature"},
		{"header and query", func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=a" }, sigv4.Incomplete, "more than one signature"},
		{"another algorithm", replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), sigv4.Incomplete, "Unsupported signing algorithm"},
		{"only the algorithm", func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256") }, sigv4.Incomplete,
			"requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."},
		{"unknown field", replace("SignedHeaders=", "Headers="), sigv4.Incomplete, "not a valid key=value pair"},
		{"field twice", replace("SignedHeaders=", "Signature=a, SignedHeaders="), sigv4.Incomplete, "more than one 'Signature'"},
		{"short credential", replace("/aws4_request", ""), sigv4.Incomplete, "exactly 5 slash-delimited elements"},
		{"long credential", replace("/aws4_request", "/a/aws4_request"), sigv4.Incomplete, "exactly 5 slash-delimited elements"},
		{"terminator", replace("/aws4_request", "/aws5_request"), sigv4.Mismatch, "valid terminator: 'aws4_request', not 'aws5_request'"},
		{"region", replace("/us-east-1/", "/eu-west-1/"), sigv4.Mismatch, "scoped to a valid region, not 'eu-west-1'"},
		{"service", replace("/redshift/", "/kms/"), sigv4.Mismatch, "signature we calculated does not match"},
		{"scope's date", replace("/20260304/", "/20260303/"), sigv4.Mismatch, "Date in Credential scope does not match"},
		{"no date", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, sigv4.Incomplete, "either a 'X-Amz-Date' or a 'Date' header"},
		{"date's form", header("X-Amz-Date", func(string) string { return "2026-03-04" }), sigv4.Incomplete, "Date must be in ISO-8601"},
		{"date changed", header("X-Amz-Date", func(string) string { return "20260304T120001Z" }), sigv4.Mismatch, "does not match"},
		{"two dates", func(r *http.Request) { r.Header.Add("X-Amz-Date", "20260304T120000Z") }, sigv4.Incomplete, "may each be given once"},
		{"host not signed", replace("host;", ""), sigv4.Mismatch, "'Host' or ':authority' must be a 'SignedHeader'"},
		{"aws header not signed", func(r *http.Request) { r.Header.Set("X-Amz-Target", "x") }, sigv4.Mismatch, "'X-Amz-Target' must be a 'SignedHeader'"},
		{"headers out of order", replace("host;x-amz-date", "x-amz-date;host"), sigv4.Incomplete, "SignedHeaders must be names"},
		{"header twice in list", replace("host;", "host;host;"), sigv4.Incomplete, "SignedHeaders must be names"},
		{"upper case in list", replace("host;", "Host;"), sigv4.Incomplete, "SignedHeaders must be names"},
		{"signature's last digit", header("Authorization", func(s string) string {
			last := byte('0')
			if s[len(s)-1] == '0' {
				last = '1'
			}
			return s[:len(s)-1] + string(last)
		}), sigv4.Mismatch, "Canonical String for this request should have been"},
		{"signature cut", header("Authorization", func(s string) string { return s[:len(s)-2] }), sigv4.Mismatch, "does not match"},
		{"method", func(r *http.Request) { r.Method = "GET" }, sigv4.Mismatch, "does not match"},
		{"path", func(r *http.Request) { r.URL.Path = "/x" }, sigv4.Mismatch, "does not match"},
		{"query", func(r *http.Request) { r.URL.RawQuery = "a=b" }, sigv4.Mismatch, "does not match"},
		{"query's encoding", func(r *http.Request) { r.URL.RawQuery = "a=%zz" }, sigv4.Mismatch, "not percent-encoded"},
		{"host", func(r *http.Request) { r.Host = "elsewhere" }, sigv4.Mismatch, "does not match"},
		{"body", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("Action=B")) }, sigv4.Mismatch, "does not match"},
		{"token added", func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "t") }, sigv4.Mismatch, "must be a 'SignedHeader'"},
		{"body's hash", func(r *http.Request) {
			sign(t, r, "0000000000000000000000000000000000000000000000000000000000000000")
		}, sigv4.Mismatch, "X-Amz-Content-Sha256 is not"},
		{"unsigned body", func(r *http.Request) { sign(t, r, sigv4.UnsignedPayload) }, sigv4.Mismatch, "X-Amz-Content-Sha256 is not"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequest(http.MethodPost, "http://localhost:4566/", strings.NewReader("Action=A"))
			if err != nil {
				t.Fatal(err)
			}
			sign(t, r, "")
			c.change(r)
			err = verify(r, sigv4.NewVerifier("us-east-1", sigv4.Rules{}, at(noon)))
			check(t, err, c.reason, c.text)
		})
	}
}

// sign signs a request whose body is Action=A, with a claim about the body's hash if there is one.
func sign(t *testing.T, r *http.Request, claim string) {
	t.Helper()
	hash := sigv4.HashPayload([]byte("Action=A"))
	if claim != "" {
		r.Header.Set("X-Amz-Content-Sha256", claim)
		hash = claim
	}
	err := sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keyID, SecretAccessKey: secret},
		sigv4.Scope{Region: "us-east-1", Service: "redshift"}, hash, sigv4.Rules{}, noon)
	if err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, err error, reason sigv4.Reason, text string) {
	t.Helper()
	var e *sigv4.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.Reason != reason || !strings.Contains(e.Message, text) {
		t.Errorf("got reason %d, %q; want %d, %q", e.Reason, e.Message, reason, text)
	}
}

func TestVerifyTime(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		now       time.Duration // after signing
		presigned time.Duration // its life; 0 for a signature in the header
		text      string        // empty: accepted
	}{
		{"at once", 0, 0, ""},
		{"14:59 late", 15*time.Minute - time.Second, 0, ""},
		{"15:01 late", 15*time.Minute + time.Second, 0, "Signature expired: 20260304T120000Z is now earlier than 20260304T120001Z (20260304T121501Z - 15 min.)"},
		{"14:59 early", -15*time.Minute + time.Second, 0, ""},
		{"15:01 early", -15*time.Minute - time.Second, 0, "Signature not yet current: 20260304T120000Z is still later than 20260304T115959Z (20260304T114459Z + 15 min.)"},
		{"presigned, alive", time.Hour - time.Second, time.Hour, ""},
		{"presigned, over", time.Hour + time.Second, time.Hour, "Signature expired"},
		{"presigned for a minute", 61 * time.Second, time.Minute, "Signature expired"},
		{"presigned for a week", sigv4.MaxExpires - time.Second, sigv4.MaxExpires, ""},
		{"presigned, early", -16 * time.Minute, time.Hour, "Signature not yet current"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("Action=A"))
			if c.presigned == 0 {
				sign(t, r, "")
			} else {
				err := sigv4.Presign(r, sigv4.Credentials{AccessKeyID: keyID, SecretAccessKey: secret},
					sigv4.Scope{Region: "us-east-1", Service: "redshift"}, sigv4.HashPayload([]byte("Action=A")), sigv4.Rules{}, noon, c.presigned)
				if err != nil {
					t.Fatal(err)
				}
			}
			err := verify(r, sigv4.NewVerifier("us-east-1", sigv4.Rules{}, at(noon.Add(c.now))))
			if c.text != "" {
				check(t, err, sigv4.Expired, c.text)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParsePresignedRefuses(t *testing.T) {
	t.Parallel()
	const good = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260304%2Fus-east-1%2Fsts%2Faws4_request" +
		"&X-Amz-Date=20260304T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
	cases := []struct {
		name, from, to, text string
		reason               sigv4.Reason
	}{
		{"no signature", "&X-Amz-Signature=00", "", "must include 'X-Amz-Signature'", sigv4.Incomplete},
		{"no algorithm", "X-Amz-Algorithm=AWS4-HMAC-SHA256&", "", "must include 'X-Amz-Algorithm'", sigv4.Incomplete},
		{"no credential", "X-Amz-Credential=", "X-Amz-Credentia=", "must include 'X-Amz-Credential'", sigv4.Incomplete},
		{"no headers", "&X-Amz-SignedHeaders=host", "", "must include 'X-Amz-SignedHeaders'", sigv4.Incomplete},
		{"no date", "X-Amz-Date=20260304T120000Z&", "", "must include 'X-Amz-Date'", sigv4.Incomplete},
		{"HTTP date", "20260304T120000Z", "Wed,%2004%20Mar%202026%2012:00:00%20GMT", "Date must be in ISO-8601", sigv4.Incomplete},
		{"algorithm", "HMAC-SHA256", "HMAC-MD5", "Unsupported signing algorithm", sigv4.Incomplete},
		{"twice", "&X-Amz-Expires=60", "&X-Amz-Expires=60&X-Amz-Expires=60", "more than once", sigv4.Incomplete},
		{"bad escape", "X-Amz-Expires=60", "X-Amz-Expires=%6", "more than once or is not percent-encoded", sigv4.Incomplete},
		{"expires 0", "Expires=60", "Expires=0", "from 1 to 604800", sigv4.Incomplete},
		{"expires past a week", "Expires=60", "Expires=604801", "from 1 to 604800", sigv4.Incomplete},
		{"expires in words", "Expires=60", "Expires=an-hour", "from 1 to 604800", sigv4.Incomplete},
		{"terminator", "aws4_request", "aws4", "valid terminator", sigv4.Mismatch},
	}
	if _, err := sigv4.Parse(httptest.NewRequest(http.MethodGet, "/?"+good, nil)); err != nil {
		t.Fatalf("the good query: %v", err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			query := strings.Replace(good, c.from, c.to, 1)
			if query == good {
				t.Fatal("nothing replaced")
			}
			_, err := sigv4.Parse(httptest.NewRequest(http.MethodGet, "/?"+query, nil))
			check(t, err, c.reason, c.text)
		})
	}
}

func TestService(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ header, query, want string }{
		{"AWS4-HMAC-SHA256 Credential=A/20260304/us-east-1/kms/aws4_request, SignedHeaders=host", "", "kms"},
		{"AWS4-HMAC-SHA256 SignedHeaders=host,Credential=A/20260304/us-east-1/s3/aws4_request", "", "s3"},
		{"", "a=b&X-Amz-Credential=A%2F20260304%2Fus-east-1%2Fs3%2Faws4_request", "s3"},
		{"", "X-Amz-Credential=A/B", ""},
		{"AWS4-HMAC-SHA256 Credential=", "", ""},
		{"AWS AKID:sig", "", ""},
		{"", "", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?"+c.query, nil)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		if got := sigv4.Service(r); got != c.want {
			t.Errorf("%q %q: got %q, want %q", c.header, c.query, got, c.want)
		}
	}
}

// A rotated secret must not be accepted through a derived key that is still cached.
func TestVerifyAfterRotation(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("Action=A"))
	sign(t, r, "")
	s, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	v := sigv4.NewVerifier("us-east-1", sigv4.Rules{}, at(noon))
	hash := sigv4.HashPayload([]byte("Action=A"))
	for _, step := range []struct {
		secret string
		ok     bool
	}{{secret, true}, {"another", false}, {secret, true}} {
		if err := v.Verify(r, s, step.secret, hash); (err == nil) != step.ok {
			t.Errorf("secret %q: %v", step.secret, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=A/20260304/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=00", "a=b", "20260304T120000Z")
	f.Add("", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260304%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20260304T120000Z&"+
		"X-Amz-SignedHeaders=host&X-Amz-Signature=00", "")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;;,Signature=", "X-Amz-Date=%", "Wed, 04 Mar 2026 12:00:00 GMT")
	v := sigv4.NewVerifier("us-east-1", sigv4.Rules{}, at(noon))
	f.Fuzz(func(t *testing.T, header, query, date string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.RawQuery = query
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		r.Header.Set("X-Amz-Date", date)
		sigv4.Service(r)
		s, err := sigv4.Parse(r)
		if err == nil {
			err = v.Verify(r, s, secret, sigv4.EmptyPayload)
		}
		var e *sigv4.Error
		if !errors.As(err, &e) {
			t.Fatalf("got %v, want a refusal", err) // nobody guesses a signature
		}
	})
}

// Whatever the path, query and header value, what is signed verifies, and with one bit changed does not.
func FuzzVerify(f *testing.F) {
	f.Add("/a//b/../c%2F", "b=2&a=1&a", "  x   y ")
	f.Add("/%C3%BC+ ", "k=%20+&%3D=~", "")
	f.Fuzz(func(t *testing.T, path, query, value string) {
		raw := "POST /" + path + "?" + query + " HTTP/1.1\r\nHost: h\r\nX-Amz-Meta: " + value + "\r\n\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil || r.Header.Get("Authorization") != "" {
			t.Skip()
		}
		if _, err := sigv4.Parse(r); err == nil || strings.Contains(r.URL.RawQuery, "X-Amz-") || len(r.Header) > 1 {
			t.Skip()
		}
		err = sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keyID, SecretAccessKey: secret},
			sigv4.Scope{Region: "us-east-1", Service: "redshift"}, sigv4.EmptyPayload, sigv4.Rules{}, noon)
		if err != nil {
			return // a query that cannot be decoded
		}
		v := sigv4.NewVerifier("us-east-1", sigv4.Rules{}, at(noon))
		s, err := sigv4.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Verify(r, s, secret, sigv4.EmptyPayload); err != nil {
			t.Fatal(err)
		}
		s.Signature = s.Signature[:63] + string(s.Signature[63]^1)
		if v.Verify(r, s, secret, sigv4.EmptyPayload) == nil {
			t.Fatal("a changed signature verifies")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	body := "Action=DescribeIntegrations&Version=2012-12-01&MaxRecords=100"
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	hash := sigv4.HashPayload([]byte(body))
	if err := sigv4.Sign(r, sigv4.Credentials{AccessKeyID: keyID, SecretAccessKey: secret},
		sigv4.Scope{Region: "us-east-1", Service: "redshift"}, hash, sigv4.Rules{}, noon); err != nil {
		b.Fatal(err)
	}
	v := sigv4.NewVerifier("us-east-1", sigv4.Rules{}, at(noon))
	b.ReportAllocs()
	for b.Loop() {
		s, err := sigv4.Parse(r)
		if err != nil {
			b.Fatal(err)
		}
		if err := v.Verify(r, s, secret, sigv4.HashPayload([]byte(body))); err != nil {
			b.Fatal(err)
		}
	}
}
