package wire_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/sigv4"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// errorOf reads the code and message of an error answer in whichever protocol it is.
func errorOf(t *testing.T, w *httptest.ResponseRecorder) (code, message string) {
	t.Helper()
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/xml") {
		var e struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Error   struct{ Type, Code, Message string }
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return e.Error.Code, e.Error.Message
	}
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // matches Message too
	}
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return e.Type, e.Message
}

func expect(t *testing.T, w *httptest.ResponseRecorder, status int, code, text string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d: %s", w.Code, status, w.Body)
		return
	}
	id := w.Header().Get("X-Amzn-Requestid")
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("request id %q is not a UUID", id)
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/xml") && !strings.Contains(w.Body.String(), "<RequestId>"+id+"</RequestId>") {
		t.Errorf("the body does not repeat the request id %s: %s", id, w.Body)
	}
	if code == "" {
		return
	}
	gotCode, message := errorOf(t, w)
	if gotCode != code || !strings.Contains(message, text) {
		t.Errorf("got %s %q, want %s %q", gotCode, message, code, text)
	}
}

// What authenticates and what does not, in each protocol's own words.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	requests := map[string]func() *http.Request{
		"redshift":         func() *http.Request { return wiretest.Query("DescribeIntegrations") },
		"redshift-data":    func() *http.Request { return wiretest.JSON("RedshiftData.ExecuteStatement", `{"Sql":"x"}`) },
		"app-integrations": func() *http.Request { return wiretest.REST("GET", "/applications", "") },
	}
	type answer struct {
		status int
		code   string
	}
	queryJSON := func(status int, query, json string) map[string]answer {
		return map[string]answer{"redshift": {status, query}, "redshift-data": {status, json}, "app-integrations": {status, json}}
	}
	cases := []struct {
		name string
		sign func(wiretest.Client, testing.TB, string, *http.Request)
		text string
		want map[string]answer
	}{
		{"good", func(c wiretest.Client, t testing.TB, service string, r *http.Request) { c.Sign(t, service, r) }, "", queryJSON(200, "", "")},
		{"another key", func(c wiretest.Client, t testing.TB, service string, r *http.Request) {
			c.Credentials = sigv4.Credentials{AccessKeyID: "nobody", SecretAccessKey: "x"}
			c.Sign(t, service, r)
		}, "security token included in the request is invalid", queryJSON(403, "InvalidClientTokenId", "UnrecognizedClientException")},
		{"another secret", func(c wiretest.Client, t testing.TB, service string, r *http.Request) {
			c.Credentials = sigv4.Credentials{AccessKeyID: wiretest.AccessKeyID, SecretAccessKey: "x"}
			c.Sign(t, service, r)
		}, "signature we calculated does not match", queryJSON(403, "SignatureDoesNotMatch", "InvalidSignatureException")},
		{"a token the key does not have", func(c wiretest.Client, t testing.TB, service string, r *http.Request) {
			c.Credentials = sigv4.Credentials{AccessKeyID: wiretest.AccessKeyID, SecretAccessKey: wiretest.SecretAccessKey, SessionToken: "t"}
			c.Sign(t, service, r)
		}, "security token included in the request is invalid", queryJSON(403, "InvalidClientTokenId", "UnrecognizedClientException")},
		{"too old", func(c wiretest.Client, t testing.TB, service string, r *http.Request) {
			c.Now = func() time.Time { return noon.Add(-time.Hour) }
			c.Sign(t, service, r)
		}, "Signature expired", queryJSON(400, "RequestExpired", "RequestExpired")},
		{"another region", func(c wiretest.Client, t testing.TB, service string, r *http.Request) {
			c.Region = "mars-1"
			c.Sign(t, service, r)
		}, "scoped to a valid region, not 'mars-1'", queryJSON(403, "SignatureDoesNotMatch", "InvalidSignatureException")},
		{"body changed", func(c wiretest.Client, t testing.TB, service string, r *http.Request) {
			c.Sign(t, service, r)
			r.Body = io.NopCloser(strings.NewReader("x"))
		}, "does not match", queryJSON(403, "SignatureDoesNotMatch", "InvalidSignatureException")},
		{"two scopes", func(c wiretest.Client, t testing.TB, service string, r *http.Request) {
			c.Sign(t, "kms", r)
			scope := "Signature=Credential=" + wiretest.AccessKeyID + "/20260304/us-east-1/" + service + "/aws4_request"
			rest, _ := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
			rest, _, _ = strings.Cut(rest, ", Signature=")
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 "+scope+", "+rest)
		}, "more than one credential scope", queryJSON(400, "IncompleteSignature", "IncompleteSignatureException")},
		{"unreadable signature", func(c wiretest.Client, t testing.TB, service string, r *http.Request) {
			c.Sign(t, service, r)
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "Signature=", "Sig=", 1))
		}, "not a valid key=value pair", queryJSON(400, "IncompleteSignature", "IncompleteSignatureException")},
	}
	b := newBench(t, nil)
	for _, c := range cases {
		for service, request := range requests {
			t.Run(c.name+"/"+service, func(t *testing.T) {
				t.Parallel()
				r := request()
				c.sign(b.client, t, service, r)
				w := b.client.Do(t, "", r)
				expect(t, w, c.want[service].status, c.want[service].code, c.text)
			})
		}
	}
}

type temporaryKeys struct{ err error }

func (k temporaryKeys) Key(context.Context, string) (wire.Key, error) {
	return wire.Key{Secret: secret.NewText("s"), SessionToken: secret.NewText("token"), Caller: wiretest.Caller()}, k.err
}

func TestSessionToken(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *wire.Config) { c.Keys = temporaryKeys{} })
	for token, status := range map[string]int{"token": 200, "other": 403, "": 403} {
		c := b.client
		c.Credentials = sigv4.Credentials{AccessKeyID: "k", SecretAccessKey: "s", SessionToken: token}
		expect(t, c.Do(t, "sts", wiretest.Query("GetCallerIdentity")), status, "", "")
	}
}

func TestKeysFail(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *wire.Config) { c.Keys = temporaryKeys{errors.New("disk gone")} })
	w := b.client.Do(t, "sts", wiretest.Query("GetCallerIdentity"))
	expect(t, w, 500, "InternalFailure", "An internal error occurred")
	if strings.Contains(w.Body.String(), "disk") || !strings.Contains(b.logged(), "disk gone") {
		t.Errorf("the cause belongs in the log and not in the answer: %s, %s", w.Body, b.logged())
	}
}

// Requests that mean harm, or come from broken clients. None may be answered with 500 or above.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	form := func(body string) *http.Request {
		return wiretest.Raw("POST", "/", "application/x-www-form-urlencoded", body)
	}
	execute := func(body string) *http.Request { return wiretest.JSON("RedshiftData.ExecuteStatement", body) }
	put := func(body string) *http.Request { return wiretest.JSON("DynamoDB_20120810.PutItem", body) }
	connector := func(body string) *http.Request {
		return wiretest.REST("POST", "/accounts/123456789012/action-connectors", body)
	}
	nested := func(n int) string { // an item of n maps in each other
		return `{"TableName":"orders","Item":{"a":` + strings.Repeat(`{"M":{"a":`, n) + `{"S":"x"}` + strings.Repeat("}}", n) + "}}"
	}
	header := func(r *http.Request, name, value string) *http.Request {
		r.Header.Set(name, value)
		return r
	}
	cases := []struct {
		name    string
		service string
		request *http.Request
		status  int
		code    string
		text    string
	}{
		// The query protocol.
		{"no action", "redshift", form("Version=2012-12-01"), 400, "MissingAction", "Action"},
		{"empty body", "redshift", form(""), 400, "MissingAction", "Action"},
		{"two actions", "redshift", form("Action=A&Action=B"), 400, "MalformedQueryString", "two actions"},
		{"another version", "redshift", form("Action=DescribeTags&Version=1999-01-01"), 400, "InvalidAction", "for version 1999-01-01"},
		{"broken escape", "redshift", form("Action=DescribeTags&ResourceName=%zz"), 400, "MalformedQueryString", "percent-encoded"},
		{"cut escape", "redshift", form("Action=DescribeTags&ResourceName=%4"), 400, "MalformedQueryString", "percent-encoded"},
		{"not UTF-8", "redshift", form("Action=DescribeTags&ResourceName=%ff%fe"), 400, "MalformedQueryString", "not UTF-8"},
		{"NUL", "redshift", form("Action=DescribeTags&ResourceName=a%00b"), 400, "MalformedQueryString", "control character 0x00"},
		{"raw NUL in a name", "redshift", form("Action=DescribeTags&a\x00b=c"), 400, "MalformedQueryString", "control character"},
		{"parameter twice", "redshift", form("Action=DescribeTags&Marker=a&Marker=b"), 400, "MalformedQueryString", "more than once"},
		{"unknown parameter", "redshift", form("Action=DescribeTags&Colour=red"), 400, "ValidationError", "Colour is not a parameter"},
		{"unknown nested parameter", "redshift", form("Action=DeleteTags&ResourceName=a&TagKeys.Key.1=a"), 400, "ValidationError", "TagKeys.Key is not"},
		{"empty name", "redshift", form("Action=DescribeTags&=x"), 400, "ValidationError", "is not a parameter"},
		{"dots", "redshift", form("Action=DescribeTags&TagKeys...=x"), 400, "ValidationError", "is not a parameter"},
		{"value and members", "redshift", form("Action=DeleteTags&ResourceName=a&TagKeys=x&TagKeys.TagKey.1=a"), 400, "MalformedInput", "value of its own"},
		{"members of a scalar", "redshift", form("Action=DescribeTags&Marker.a.b.c=x"), 400, "MalformedInput", "single value"},
		{"list as a scalar", "redshift", form("Action=DeleteTags&ResourceName=a&TagKeys=x"), 400, "MalformedInput", "structure"},
		{"huge index", "redshift", form("Action=DeleteTags&ResourceName=a&TagKeys.TagKey.2147483647=a"), 400, "MalformedInput", "1 is missing"},
		{"index past 64 bits", "redshift", form("Action=DeleteTags&ResourceName=a&TagKeys.TagKey.99999999999999999999=a"), 400, "MalformedInput", "numbered from 1"},
		{"index zero", "redshift", form("Action=DeleteTags&ResourceName=a&TagKeys.TagKey.0=a"), 400, "MalformedInput", "numbered from 1"},
		{"negative index", "redshift", form("Action=DeleteTags&ResourceName=a&TagKeys.TagKey.-1=a"), 400, "MalformedInput", "numbered from 1"},
		{"index with zeros", "redshift", form("Action=DeleteTags&ResourceName=a&TagKeys.TagKey.01=a"), 400, "MalformedInput", "numbered from 1"},
		{"gap in a list", "redshift", form("Action=DeleteTags&ResourceName=a&TagKeys.TagKey.1=a&TagKeys.TagKey.3=b"), 400, "MalformedInput", "2 is missing"},
		{"map without a value", "redshift", form("Action=CreateIntegration&AdditionalEncryptionContext.entry.1.key=a"), 400, "MalformedInput", "both a key and a value"},
		{"map key twice", "redshift", form("Action=CreateIntegration&AdditionalEncryptionContext.entry.1.key=a&AdditionalEncryptionContext.entry.1.value=" +
			"&AdditionalEncryptionContext.entry.2.key=a&AdditionalEncryptionContext.entry.2.value="), 400, "MalformedInput", "more than once"},
		{"number in words", "redshift", form("Action=DescribeTags&MaxRecords=ten"), 400, "MalformedInput", "whole number of 32 bits"},
		{"number too large", "redshift", form("Action=DescribeTags&MaxRecords=2147483648"), 400, "MalformedInput", "whole number of 32 bits"},
		{"too many parameters", "redshift", form("Action=DescribeTags" + strings.Repeat("&a=b", 30_000)), 400, "MalformedQueryString", "more than 20000"},
		{"wrong content type", "redshift", wiretest.Raw("POST", "/", "application/json", `{}`), 400, "MalformedInput", "Content-Type must be"},
		{"wrong method", "redshift", wiretest.Raw("DELETE", "/", "", ""), 405, "InvalidAction", "DELETE is not allowed"},
		{"JSON at a query service", "redshift", wiretest.JSON("Redshift.DescribeTags", "{}"), 400, "MalformedInput", "Content-Type must be"},
		{"value echoed short", "redshift", form("Action=CreateIntegration&IntegrationName=" + strings.Repeat("%C3%BC", 5000)), 400, "ValidationError", "üüü...'"},

		// The JSON protocol.
		{"no target", "redshift-data", wiretest.Raw("POST", "/", "application/x-amz-json-1.1", "{}"), 400, "UnknownOperationException", "X-Amz-Target"},
		{"target of another service", "redshift-data", wiretest.JSON("TrentService.Encrypt", "{}"), 400, "UnknownOperationException", "TrentService.Encrypt"},
		{"no dot in target", "redshift-data", wiretest.JSON("RedshiftData", "{}"), 400, "UnknownOperationException", "RedshiftData"},
		{"long target", "redshift-data", wiretest.JSON(strings.Repeat("a", 5000), "{}"), 400, "UnknownOperationException", "aaa..."},
		{"not JSON", "redshift-data", execute("Sql=x"), 400, "SerializationException", "not valid JSON"},
		{"cut JSON", "redshift-data", execute(`{"Sql": "sel`), 400, "SerializationException", "not valid JSON"},
		{"two values", "redshift-data", execute(`{"Sql": "x"} {}`), 400, "SerializationException", "after the end"},
		{"array", "redshift-data", execute(`[]`), 400, "SerializationException", "Expected an object but found an array"},
		{"null", "redshift-data", execute(`null`), 400, "SerializationException", "Expected an object but found null"},
		{"member twice", "redshift-data", execute(`{"Sql": "x", "Sql": "y"}`), 400, "SerializationException", "/Sql more than once"},
		{"member twice, escaped", "redshift-data", execute(`{"Sql": "x", "\u0053ql": "y"}`), 400, "SerializationException", "more than once"},
		{"JSON that is not UTF-8", "redshift-data", execute("{\"Sql\": \"\xff\"}"), 400, "SerializationException", "UTF-8"},
		{"half a surrogate pair", "redshift-data", execute(`{"Sql": "\ud800"}`), 400, "SerializationException", "not valid JSON"},
		{"raw control character", "redshift-data", execute("{\"Sql\": \"a\x00b\"}"), 400, "SerializationException", "not valid JSON"},
		{"null in a list", "redshift-data", execute(`{"Sql": "x", "Parameters": [null]}`), 400, "SerializationException", "found null"},
		{"fraction for a whole number", "redshift-data", execute(`{"Sql": "x", "SessionKeepAliveSeconds": 1.5}`), 400, "SerializationException", "whole number"},
		{"huge number", "redshift-data", execute(`{"Sql": "x", "SessionKeepAliveSeconds": 1e400}`), 400, "SerializationException", "whole number"},
		{"member of another case", "redshift-data", execute(`{"sql": "x"}`), 400, "ValidationException", "/sql is not a member"},
		{"form at a JSON service", "redshift-data", header(form("Action=ExecuteStatement"), "X-Amz-Target", "RedshiftData.ExecuteStatement"), 400, "SerializationException", "Content-Type must be"},
		{"GET at a JSON service", "redshift-data", wiretest.Raw("GET", "/", "", ""), 405, "UnknownOperationException", "use POST"},
		{"nested past the limit", "dynamodb", put(nested(70)), 400, "SerializationException", "nested more than 128"},
		{"nested very deeply", "dynamodb", put(`{"Item":` + strings.Repeat(`{"L":[`, 100_000)), 400, "SerializationException", ""},
		{"deeply nested junk", "redshift-data", execute(`{"Sql":` + strings.Repeat(`[`, 1_000_000)), 400, "SerializationException", "Expected a string"},
		{"not base64", "kms", wiretest.JSON("TrentService.Encrypt", `{"KeyId":"k","Plaintext":"*"}`), 400, "SerializationException", "base64"},

		// The REST protocol.
		{"not JSON at a REST service", "quicksight", connector(`{"Name":`), 400, "SerializationException", "not valid JSON"},
		{"wrong content type at a REST service", "quicksight", wiretest.Raw("POST", "/accounts/123456789012/action-connectors", "text/plain", "{}"), 400, "SerializationException", "application/json"},
		{"label against its pattern", "quicksight", wiretest.REST("POST", "/accounts/1/action-connectors", "{}"), 400, "InvalidParameterValueException", "awsAccountId"},
		{"label that is not UTF-8", "app-integrations", wiretest.REST("POST", "/dataIntegrations/%ff/associations", "{}"), 400, "SerializationException", "UTF-8"},
		{"empty label", "app-integrations", wiretest.REST("POST", "/dataIntegrations//associations", "{}"), 404, "UnknownOperationException", ""},
		{"slash at the end", "app-integrations", wiretest.REST("GET", "/applications/", ""), 404, "UnknownOperationException", ""},
		{"query twice", "app-integrations", wiretest.REST("GET", "/applications?nextToken=a&nextToken=b", ""), 400, "SerializationException", "more than once"},
		{"query that is not UTF-8", "app-integrations", wiretest.REST("GET", "/applications?nextToken=%ff", ""), 400, "SerializationException", "UTF-8"},
		{"body where none belongs", "app-integrations", wiretest.REST("GET", "/applications", `{"a":1}`), 400, "InvalidRequestException", "/a is not a member"},
		{"two members of a union", "quicksight", connector(`{"ActionConnectorId":"c","Name":"n","Type":"SLACK","AuthenticationConfig":{"AuthenticationType":"NONE","AuthenticationMetadata":{` +
			`"NoneConnectionMetadata":{"BaseEndpoint":"https://e"},"IamConnectionMetadata":{"RoleArn":"arn:aws:iam::123456789012:role/x"}}}}`), 400, "InvalidParameterValueException", "exactly one"},

		// Services there are not.
		{"a service we do not have", "ec2", wiretest.Query("DescribeInstances"), 400, "InvalidAction", `does not serve "ec2"`},
		{"a JSON service we do not have", "logs", wiretest.JSON("Logs_20140328.DescribeLogGroups", "{}"), 400, "UnknownOperationException", `does not serve "logs"`},
		{"a REST service we do not have", "lambda", wiretest.REST("GET", "/2015-03-31/functions", ""), 400, "UnknownOperationException", `does not serve "lambda"`},
	}
	b := newBench(t, nil)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := b.client.Do(t, c.service, c.request)
			expect(t, w, c.status, c.code, c.text)
			if w.Body.Len() > 8<<10 {
				t.Errorf("the answer has %d bytes", w.Body.Len())
			}
		})
	}
}

// The limit of depth leaves room for the deepest item DynamoDB allows.
func TestDepthOfItems(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	body := `{"TableName":"orders","Item":{"a":` + strings.Repeat(`{"M":{"a":`, 31) + `{"S":"x"}` + strings.Repeat("}}", 31) + "}}"
	expect(t, b.client.Do(t, "dynamodb", wiretest.JSON("DynamoDB_20120810.PutItem", body)), 200, "", "")
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *wire.Config) { c.Limits.Body = 100 })
	for _, known := range []bool{true, false} { // with and without a Content-Length
		for service, code := range map[string]string{"redshift": "RequestEntityTooLarge", "redshift-data": "RequestEntityTooLargeException"} {
			r := wiretest.Raw("POST", "/", "application/x-www-form-urlencoded", strings.Repeat("a", 101))
			b.client.Sign(t, service, r)
			if !known {
				r.ContentLength = -1
			}
			expect(t, b.client.Do(t, "", r), 413, code, "larger than the limit of 100 bytes")
		}
	}
	expect(t, b.client.Do(t, "redshift", wiretest.Query("DescribeIntegrations", "Marker", strings.Repeat("a", 60))), 200, "", "")
}

func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	r := wiretest.Query("DescribeIntegrations")
	b.client.Sign(t, "redshift", r)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("Action"), errReader{io.ErrUnexpectedEOF}))
	expect(t, b.client.Do(t, "", r), 400, "MalformedQueryString", "ended before its Content-Length")
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestPresignedQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	r := httptest.NewRequest(http.MethodGet, "/?Action=GetCallerIdentity&Version=2011-06-15", nil)
	creds := sigv4.Credentials{AccessKeyID: wiretest.AccessKeyID, SecretAccessKey: wiretest.SecretAccessKey}
	scope := sigv4.Scope{Region: wiretest.Region, Service: "sts"}
	if err := sigv4.Presign(r, creds, scope, sigv4.EmptyPayload, sigv4.Rules{}, noon.Add(-time.Minute), 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	expect(t, b.client.Do(t, "", r), 200, "", "")
	r = httptest.NewRequest(http.MethodGet, "/?Action=GetCallerIdentity&Version=2011-06-15", nil)
	if err := sigv4.Presign(r, creds, scope, sigv4.EmptyPayload, sigv4.Rules{}, noon.Add(-3*time.Minute), 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	expect(t, b.client.Do(t, "", r), 400, "RequestExpired", "Signature expired")
}

// What is S3's goes there as it came, whatever it is.
func TestS3GetsItsRequestsUntouched(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *wire.Config) { c.Limits.Body = 10 })
	big := strings.Repeat("x", 1000)
	cases := []struct {
		name string
		s3   bool
		r    func() *http.Request
	}{
		{"signed", true, func() *http.Request {
			r := wiretest.Raw("PUT", "/bucket/key", "application/json", big)
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=anyone/20200101/anywhere/s3/aws4_request, SignedHeaders=host, Signature=0")
			return r
		}},
		{"presigned", true, func() *http.Request {
			return wiretest.Raw("PUT", "/bucket/key?X-Amz-Credential=a%2F20200101%2Fx%2Fs3%2Faws4_request", "", big)
		}},
		{"unsigned", true, func() *http.Request { return wiretest.Raw("GET", "/bucket/key", "", "") }},
		{"posted form", true, func() *http.Request { return wiretest.Raw("POST", "/bucket", "multipart/form-data; boundary=x", big) }},
		{"old signature", true, func() *http.Request {
			r := wiretest.Raw("GET", "/bucket", "", "")
			r.Header.Set("Authorization", "AWS key:signature")
			return r
		}},
		{"unsigned action", false, func() *http.Request { return wiretest.Query("DescribeTags") }},
		{"unsigned action in the URL", false, func() *http.Request { return wiretest.Raw("GET", "/?Version=1&Action=DescribeTags", "", "") }},
		{"unsigned target", false, func() *http.Request { return wiretest.JSON("A.B", "{}") }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := c.r()
			w := b.client.Do(t, "", r)
			if got := w.Header().Get("X-S3") != ""; got != c.s3 {
				t.Errorf("went to S3: %t, want %t", got, c.s3)
			}
			if !c.s3 && w.Code != 403 {
				t.Errorf("status %d, want 403", w.Code)
			}
		})
	}
}

func TestInternalPaths(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if w := b.client.Do(t, "", wiretest.Raw("GET", "/_penstock/health", "", "")); w.Code != 200 || w.Body.String() != `{"status":"ok"}` {
		t.Errorf("health: %d %s", w.Code, w.Body)
	}
	// There is no metrics handler on this bench, so the path is like any other.
	expect(t, b.client.Do(t, "", wiretest.Raw("GET", "/_penstock/metrics", "", "")), 403, "MissingAuthenticationTokenException", "")
	expect(t, b.client.Do(t, "ec2", wiretest.Raw("GET", "/_penstock/x", "", "")), 403, "InvalidSignatureException", "scoped to correct service: 'penstock'")
	for _, service := range []string{"penstock", "redshift", "s3"} {
		w := b.client.Do(t, service, wiretest.Raw("POST", "/_penstock/x", "", "hello"))
		if want := "arn:aws:iam::123456789012:root /_penstock/x hello"; w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: got %d %q, want %q", service, w.Code, w.Body, want)
		}
	}
	// curl signs paths and queries as it sends them. That is good for our own paths, which people call with it, alone.
	asSent := func(service, target, change string) *httptest.ResponseRecorder {
		r := wiretest.Raw("GET", target, "", "")
		if err := sigv4.Sign(r, sigv4.Credentials{AccessKeyID: wiretest.AccessKeyID, SecretAccessKey: wiretest.SecretAccessKey}, sigv4.Scope{Region: wiretest.Region, Service: service},
			sigv4.EmptyPayload, sigv4.Rules{AsSent: true}, noon); err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery += change
		return b.client.Do(t, "", r)
	}
	if w := asSent("penstock", "/_penstock/a%20b?z=x:y&a=1", ""); w.Code != 200 {
		t.Errorf("signed as it was sent: %d %s", w.Code, w.Body)
	}
	expect(t, asSent("penstock", "/_penstock/a%20b?z=x:y&a=1", "2"), 403, "InvalidSignatureException", "does not match")
	expect(t, asSent("redshift", "/?Version=2012-12-01&Action=DescribeClusters", ""), 403, "SignatureDoesNotMatch", "does not match")
	b = newBench(t, func(c *wire.Config) { c.Internal = nil })
	expect(t, b.client.Do(t, "penstock", wiretest.Raw("GET", "/_penstock/x", "", "")), 400, "UnknownOperationException", "nothing at this path")

	b = newBench(t, func(c *wire.Config) {
		query := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.RawQuery) })
		c.Public = map[string]http.Handler{"/_penstock/open": query, "/hooks/": query}
	})
	if w := b.client.Do(t, "", wiretest.Raw("GET", "/_penstock/open?code=secret", "", "")); w.Code != 200 || w.Body.String() != "code=secret" {
		t.Errorf("a public path: %d %s", w.Code, w.Body)
	}
	if w := b.client.Do(t, "", wiretest.Raw("GET", "/hooks/a/b?code=below", "", "")); w.Code != 200 || w.Body.String() != "code=below" {
		t.Errorf("below a public path: %d %s", w.Code, w.Body)
	}
	if strings.Contains(b.logged(), "secret") {
		t.Error("the log has a public path's query")
	}
	if w := b.client.Do(t, "penstock", wiretest.Raw("GET", "/_penstock/open", "", "")); !strings.Contains(w.Body.String(), "root /_penstock/open") {
		t.Errorf("a signed request to a public path: %d %s", w.Code, w.Body)
	}
	expect(t, b.client.Do(t, "", wiretest.Raw("GET", "/_penstock/open/x", "", "")), 403, "MissingAuthenticationTokenException", "")
}

// QuickSight's errors say the request id, also those that come before an operation is known.
func TestRequestIDInErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *wire.Config) {
		for _, s := range c.Services {
			s.RequestIDInErrors = s.Name == "quicksight"
		}
	})
	for _, path := range []string{"/accounts/123456789012/action-connectors/x", "/nothing"} {
		w := b.client.Do(t, "quicksight", wiretest.Raw("GET", path, "", ""))
		if id := w.Header().Get("X-Amzn-Requestid"); w.Code < 400 || !strings.Contains(w.Body.String(), `"RequestId":"`+id+`"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := b.client.Do(t, "app-integrations", wiretest.Raw("GET", "/nothing", "", "")); strings.Contains(w.Body.String(), "RequestId") {
		t.Errorf("another service: %s", w.Body)
	}
}

func describeTags(resource, kind string) *http.Request {
	return wiretest.Query("DescribeTags", "ResourceName", resource, "ResourceType", kind)
}

// The most specific entry of the table wins, and whatever has none is a client's error, but for defects.
func TestFaults(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	cases := []struct {
		kind, subject string
		status        int
		code          string
	}{
		{"not found", "integration", 404, "IntegrationNotFoundFault"},
		{"not found", "cluster", 404, "ResourceNotFoundFault"}, // the entry for this operation
		{"not found", "moon", 404, "ResourceNotFound"},
		{"invalid", "tag", 400, "InvalidTagFault"},
		{"unsupported", "policy", 400, "UnsupportedOperation"},
		{"already exists", "x", 400, "ResourceAlreadyExists"},
		{"conflict", "x", 400, "OperationConflict"},
		{"state", "x", 400, "InvalidState"},
		{"limit", "x", 400, "LimitExceeded"},
		{"denied", "x", 403, "AccessDenied"},
		{"unavailable", "x", 400, "Throttling"},
		{"throttled", "x", 400, "Throttling"},
		{"expired", "x", 404, "ResourceNotFound"},
		{"canceled", "x", 400, "RequestCanceled"},
	}
	for _, c := range cases {
		expect(t, b.client.Do(t, "redshift", describeTags(c.kind, c.subject)), c.status, c.code, "what happened")
	}
	if len(cases)-2 != len(fault.Kinds())-1 { // two extra subjects, and Internal is below
		t.Errorf("%d cases do not cover the %d kinds", len(cases), len(fault.Kinds()))
	}
	expect(t, b.client.Do(t, "redshift", describeTags("internal", "x")), 500, "InternalFailure", "An internal error occurred")
}

// A handler's defect is told as such, and the log says what it was.
func TestDefects(t *testing.T) {
	t.Parallel()
	for resource, cause := range map[string]string{
		"panic": "panic: a defect", "nothing": "neither an output nor an error", "error": "unexpected EOF",
	} {
		b := newBench(t, nil)
		w := b.client.Do(t, "redshift", describeTags(resource, "x"))
		expect(t, w, 500, "InternalFailure", "under this request id")
		if strings.Contains(w.Body.String(), cause) {
			t.Errorf("the cause is in the answer: %s", w.Body)
		}
		for _, want := range []string{cause, w.Header().Get("X-Amzn-Requestid"), `"level":"ERROR"`, `"operation":"DescribeTags"`} {
			if !strings.Contains(b.logged(), want) {
				t.Errorf("%s: the log lacks %q: %s", resource, want, b.logged())
			}
		}
		if resource == "panic" && !strings.Contains(b.logged(), "setup_test.go") {
			t.Errorf("the log lacks the stack: %s", b.logged())
		}
		if r := b.lastRecord(t); r.Status != 500 || r.Code != "InternalFailure" || r.Operation != "DescribeTags" {
			t.Errorf("recorded %+v", r)
		}
	}
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *wire.Config) { c.Limits.Duration = time.Millisecond })
	expect(t, b.client.Do(t, "redshift", describeTags("slow", "x")), 408, "RequestTimeout", "longer than this server allows")

	b = newBench(t, nil)
	r := describeTags("slow", "x")
	b.client.Sign(t, "redshift", r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	expect(t, b.client.Do(t, "", r.WithContext(ctx)), 400, "RequestCanceled", "was cancelled")
}

func TestLogAndRecord(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	body := "Action=DescribeIntegrations&Marker=s3cr3t"
	b.client.Do(t, "redshift", wiretest.Raw("POST", "/", "application/x-www-form-urlencoded", body))
	if b.logged() != "" {
		t.Errorf("a successful read is logged at Info: %s", b.logged())
	}
	rec := b.lastRecord(t)
	rec.Sent = 0
	if want := (wire.Record{Service: "redshift", Operation: "DescribeIntegrations", Status: 200, Received: len(body)}); rec != want {
		t.Errorf("recorded %+v, want %+v", rec, want)
	}
	w := b.client.Do(t, "redshift", wiretest.Query("DeleteTags", "ResourceName", "s3cr3t", "TagKeys.TagKey.1", "s3cr3t"))
	var line map[string]any
	if err := json.Unmarshal([]byte(b.logged()), &line); err != nil {
		t.Fatalf("%v: %s", err, b.logged())
	}
	for key, want := range map[string]any{
		"level": "INFO", "request": w.Header().Get("X-Amzn-Requestid"), "service": "redshift", "operation": "DeleteTags",
		"status": 200.0, "key": "penstock", "sent": float64(w.Body.Len()),
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if strings.Contains(b.logged(), "s3cr3t") || strings.Contains(b.logged(), "Signature") {
		t.Errorf("the log has the body or the signature: %s", b.logged())
	}
}

func TestRequestIDReachesHandlers(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	w := b.client.Do(t, "redshift", describeTags("id", "x"))
	id := w.Header().Get("X-Amzn-Requestid")
	if !strings.Contains(w.Body.String(), "<Marker>"+id+"</Marker>") {
		t.Errorf("the handler did not see %s: %s", id, w.Body)
	}
	if got := wire.RequestID(t.Context()); got != "" {
		t.Errorf("outside of a request: %q", got)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := func() wire.Config {
		return wire.Config{Keys: wiretest.Keys{}, Region: "r", Now: time.Now, Log: newBench(t, nil).Log}
	}
	two := append(services(), services()[0])
	for name, change := range map[string]func(*wire.Config){
		"no keys":          func(c *wire.Config) { c.Keys = nil },
		"no region":        func(c *wire.Config) { c.Region = "" },
		"no clock":         func(c *wire.Config) { c.Now = nil },
		"no log":           func(c *wire.Config) { c.Log = nil },
		"the same service": func(c *wire.Config) { c.Services = two },
	} {
		c := good()
		change(&c)
		if _, err := wire.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := wire.New(good()); err != nil {
		t.Error(err)
	}
}

// Every operation of every service answers, served or not, and none with 500 or above.
func TestEveryOperationAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, s := range services() {
		for _, op := range s.Operations {
			var r *http.Request
			switch s.Protocol {
			case wire.AWSQuery:
				r = wiretest.Query(op.Name)
			case wire.AWSJSON:
				r = wiretest.JSON(s.TargetPrefix+"."+op.Name, "{}")
			default:
				r = wiretest.REST(op.Method, regexp.MustCompile(`\{\w+\}`).ReplaceAllString(op.URI, "x"), "{}")
			}
			w := b.client.Do(t, s.SigningName, r)
			if w.Code >= 500 {
				t.Errorf("%s.%s: status %d", s.Name, op.Name, w.Code)
			}
			if rec := b.lastRecord(t); rec.Operation != op.Name || rec.Service != s.Name {
				t.Errorf("%s.%s was taken for %s.%s", s.Name, op.Name, rec.Service, rec.Operation)
			}
			if !op.Served() {
				if _, text := errorOf(t, w); !strings.Contains(text, fmt.Sprintf("does not serve the operation %s", op.Name)) {
					t.Errorf("%s.%s: %s", s.Name, op.Name, text)
				}
			}
		}
	}
}
