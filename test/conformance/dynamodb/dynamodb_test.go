// Package dynamodb holds the conformance suite of the embedded tables: cases in testdata/*.txt, run against any
// endpoint that speaks DynamoDB.
//
// They run against Penstock's own server in this process; against moto's server where it is installed, whose
// differences are listed in testdata/moto.differences with who is right; and against the endpoint in
// PENSTOCK_TEST_DYNAMODB_ENDPOINT, with the credentials of the environment, where that is set.
//
// A file has cases, and a case has calls:
//
//	-- name of the case
//	PutItem {"TableName":"$hash","Item":{"pk":{"S":"$k"}}}
//	GetItem {"TableName":"$hash","Key":{"pk":{"S":"$k"}}}
//	= {"Item":{"pk":{"S":"$k"}}}
//	PutItem {"TableName":"$hash","Item":{}}
//	! ValidationException Missing the key pk in the item
//
// A call succeeds unless a line with ! follows, which has the error's type and a part of its message. A line
// with = has what the answer must contain: objects may have more members, null is an absent member, "*" any
// value, a member in "$any" lists is found in any order. $hash, $range and $index are tables that all cases
// share; $k is a key of the case's own, $new a table name of its own.
package dynamodb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/uuid"

	front "github.com/penstock-io/penstock/internal/front/dynamodb"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// endpoint is a server under test.
type endpoint struct {
	url    string
	region string
	keys   aws.Credentials
	run    string // in the names of tables, so that runs do not meet
}

type call struct {
	line    int
	op      string
	in      string
	want    string // JSON, empty for none
	failure string // type and part of the message, empty for success
}

type testCase struct {
	name  string
	calls []call
}

func readCases(t *testing.T) []testCase {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var cases []testCase
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			kind, rest, _ := strings.Cut(line, " ")
			switch {
			case line == "" || strings.HasPrefix(line, "#"):
			case kind == "--":
				if seen[rest] {
					t.Fatalf("%s:%d: there are two cases %q", file, i+1, rest)
				}
				seen[rest] = true
				cases = append(cases, testCase{name: rest})
			case len(cases) == 0:
				t.Fatalf("%s:%d: a call before the first case", file, i+1)
			case kind == "=" || kind == "!":
				c := &cases[len(cases)-1]
				last := &c.calls[len(c.calls)-1]
				if kind == "=" {
					last.want = rest
				} else {
					last.failure = rest
				}
			default:
				c := &cases[len(cases)-1]
				c.calls = append(c.calls, call{line: i + 1, op: kind, in: rest})
			}
		}
	}
	return cases
}

// do makes a signed call.
func (e *endpoint) do(op, in string) (status int, out map[string]any, err error) {
	target := "DynamoDB_20120810."
	if slices.Contains([]string{"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"}, op) {
		target = "DynamoDBStreams_20120810."
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, e.url+"/", strings.NewReader(in))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", target+op)
	sum := sha256.Sum256([]byte(in))
	if err := v4.NewSigner().SignHTTP(context.Background(), e.keys, r, hex.EncodeToString(sum[:]), "dynamodb", e.region, time.Now()); err != nil {
		return 0, nil, err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, err
	}
	out = map[string]any{}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &out); err != nil {
			return res.StatusCode, nil, fmt.Errorf("%d: the answer is not JSON: %.200s", res.StatusCode, body)
		}
	}
	return res.StatusCode, out, nil
}

// runCase returns what is wrong; empty if nothing.
func (e *endpoint) runCase(c testCase, number int) string {
	replace := strings.NewReplacer(
		"$hash", "conf-hash-"+e.run, "$range", "conf-range-"+e.run, "$index", "conf-index-"+e.run,
		"$new", fmt.Sprintf("conf-%s-%d", e.run, number), "$k", fmt.Sprintf("k%d", number), "$token", fmt.Sprintf("%s-%d", e.run, number),
		"$account", "123456789012", "$region", e.region,
	)
	saved := map[string]string{}
	for _, call := range c.calls {
		in := replace.Replace(call.in)
		for name, value := range saved {
			in = strings.ReplaceAll(in, "<"+name+">", value)
		}
		in = long(in)
		status, out, err := e.do(call.op, in)
		if err != nil {
			return fmt.Sprintf("line %d: %s: %v", call.line, call.op, err)
		}
		save(out, saved)
		if call.failure != "" {
			if why := matchFailure(status, out, replace.Replace(call.failure)); why != "" {
				return fmt.Sprintf("line %d: %s: %s", call.line, call.op, why)
			}
			continue
		}
		if status != http.StatusOK {
			return fmt.Sprintf("line %d: %s: %d %v", call.line, call.op, status, out)
		}
		if call.want == "" {
			continue
		}
		var want any
		if err := json.Unmarshal([]byte(replace.Replace(call.want)), &want); err != nil {
			return fmt.Sprintf("line %d: what is wanted is not JSON: %v", call.line, err)
		}
		if why := match(want, out, ""); why != "" {
			shown, _ := json.Marshal(out)
			return fmt.Sprintf("line %d: %s: %s\nin %.2000s", call.line, call.op, why, shown)
		}
	}
	return ""
}

// long puts in texts that would be too long for a file: <x*N> is N times x.
func long(in string) string {
	for {
		start := strings.Index(in, "<x*")
		if start < 0 {
			return in
		}
		var n int
		_, _ = fmt.Sscanf(in[start:], "<x*%d>", &n)
		end := start + strings.Index(in[start:], ">") + 1
		in = in[:start] + strings.Repeat("x", n) + in[end:]
	}
}

// save keeps what later calls may refer to as <name>.
func save(out map[string]any, saved map[string]string) {
	text := func(v any, path ...string) string {
		for _, p := range path {
			switch w := v.(type) {
			case map[string]any:
				v = w[p]
			case []any:
				if len(w) == 0 {
					return ""
				}
				v = w[0]
			}
		}
		s, _ := v.(string)
		return s
	}
	for name, path := range map[string][]string{
		"stream": {"TableDescription", "LatestStreamArn"}, "arn": {"TableDescription", "TableArn"}, "shard": {"StreamDescription", "Shards", "0", "ShardId"},
		"iterator": {"ShardIterator"}, "next": {"NextShardIterator"}, "sequence": {"Records", "0", "dynamodb", "SequenceNumber"}, "revision": {"RevisionId"},
	} {
		if v := text(out, path...); v != "" {
			saved[name] = v
		}
	}
	if key, ok := out["LastEvaluatedKey"]; ok {
		b, _ := json.Marshal(key)
		saved["last"] = string(b)
	}
}

func matchFailure(status int, out map[string]any, want string) string {
	kind, part, _ := strings.Cut(want, " ")
	shape, _ := out["__type"].(string)
	if i := strings.LastIndex(shape, "#"); i >= 0 {
		shape = shape[i+1:]
	}
	message, _ := out["message"].(string)
	if message == "" {
		message, _ = out["Message"].(string)
	}
	if status != http.StatusBadRequest || shape != kind || !strings.Contains(message, part) {
		return fmt.Sprintf("%d %s: %q, want %s with %q", status, shape, message, kind, part)
	}
	return ""
}

// match says where got does not have what want asks for.
func match(want, got any, at string) string {
	if want == "*" {
		if got == nil {
			return at + " is absent"
		}
		return ""
	}
	switch w := want.(type) {
	case map[string]any:
		if members, ok := w["$any"]; ok {
			return matchAny(members.([]any), got, at)
		}
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v, want an object", at, got)
		}
		for name, v := range w {
			if name == "SS" || name == "NS" || name == "BS" {
				v = map[string]any{"$any": v}
			}
			if v == nil {
				if g[name] != nil {
					return fmt.Sprintf("%s.%s is there: %v", at, name, g[name])
				}
				continue
			}
			if why := match(v, g[name], at+"."+name); why != "" {
				return why
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s is %v, want %d elements", at, got, len(w))
		}
		for i := range w {
			if why := match(w[i], g[i], fmt.Sprintf("%s[%d]", at, i)); why != "" {
				return why
			}
		}
		return ""
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Sprintf("%s is %v, want %v", at, got, want)
	}
	return ""
}

func matchAny(want []any, got any, at string) string {
	g, ok := got.([]any)
	if !ok || len(g) != len(want) {
		return fmt.Sprintf("%s is %v, want %d elements", at, got, len(want))
	}
	left := slices.Clone(g)
	for _, w := range want {
		i := slices.IndexFunc(left, func(v any) bool { return match(w, v, "") == "" })
		if i < 0 {
			return fmt.Sprintf("%s has no %v: %v", at, w, got)
		}
		left = slices.Delete(left, i, i+1)
	}
	return ""
}

// fixtures are the tables that cases share.
var fixtures = []string{
	`{"TableName":"conf-hash-RUN","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}`,
	`{"TableName":"conf-range-RUN","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"}],
	  "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}]}`,
	`{"TableName":"conf-index-RUN","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"S"},
	  {"AttributeName":"g","AttributeType":"S"},{"AttributeName":"n","AttributeType":"N"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
	  "LocalSecondaryIndexes":[{"IndexName":"by-n","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"n","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}],
	  "GlobalSecondaryIndexes":[{"IndexName":"by-g","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},{"AttributeName":"n","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}},
	  {"IndexName":"some-g","KeySchema":[{"AttributeName":"g","KeyType":"HASH"}],"Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["v"]}}]}`,
}

func (e *endpoint) setup(t *testing.T) {
	t.Helper()
	for _, f := range fixtures {
		status, out, err := e.do("CreateTable", strings.ReplaceAll(f, "RUN", e.run))
		if err != nil || status != http.StatusOK {
			t.Fatalf("CreateTable: %d %v %v", status, out, err)
		}
		name := out["TableDescription"].(map[string]any)["TableName"].(string)
		e.await(t, name)
		t.Cleanup(func() { _, _, _ = e.do("DeleteTable", fmt.Sprintf(`{"TableName":%q}`, name)) })
	}
}

// await returns when a table can be used. A server of this process needs no waiting; AWS takes a while.
func (e *endpoint) await(t *testing.T, name string) {
	t.Helper()
	for range 60 {
		_, out, err := e.do("DescribeTable", fmt.Sprintf(`{"TableName":%q}`, name))
		if err != nil {
			t.Fatal(err)
		}
		if d, _ := out["Table"].(map[string]any); d["TableStatus"] == "ACTIVE" {
			return
		}
		time.Sleep(time.Second) // another server's state is not to be had otherwise
	}
	t.Fatalf("the table %s did not become active", name)
}

func local(t *testing.T) *endpoint {
	t.Helper()
	db, err := tables.Open(tables.Config{
		Dir: t.TempDir(), Region: wiretest.Region, Account: wiretest.Account, Now: time.Now, NewID: uuid.NewString, Log: slog.New(slog.DiscardHandler),
		Settings: tables.Settings{FirstShards: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	h, err := wire.New(wire.Config{
		Services: front.Services(front.Config{DB: db, Region: wiretest.Region, Endpoint: "localhost", Now: time.Now}),
		Keys:     wiretest.Keys{}, Region: wiretest.Region, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &endpoint{s.URL, wiretest.Region, aws.Credentials{AccessKeyID: wiretest.AccessKeyID, SecretAccessKey: wiretest.SecretAccessKey}, "x"}
}

func TestOwnServer(t *testing.T) {
	e := local(t)
	e.setup(t)
	cases := readCases(t)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if why := e.runCase(c, i); why != "" {
				t.Error(why)
			}
		})
	}
	if len(cases) < 300 {
		t.Errorf("there are %d cases, want at least 300", len(cases))
	}
}

func TestGivenEndpoint(t *testing.T) {
	url := os.Getenv("PENSTOCK_TEST_DYNAMODB_ENDPOINT")
	if url == "" {
		t.Skip("PENSTOCK_TEST_DYNAMODB_ENDPOINT names no endpoint")
	}
	or := func(name, other string) string {
		if v := os.Getenv(name); v != "" {
			return v
		}
		return other
	}
	e := &endpoint{
		strings.TrimSuffix(url, "/"), or("AWS_REGION", wiretest.Region),
		aws.Credentials{AccessKeyID: or("AWS_ACCESS_KEY_ID", "penstock"), SecretAccessKey: or("AWS_SECRET_ACCESS_KEY", "penstock"), SessionToken: os.Getenv("AWS_SESSION_TOKEN")},
		uuid.NewString()[:8],
	}
	e.setup(t)
	for i, c := range readCases(t) {
		t.Run(c.name, func(t *testing.T) {
			if why := e.runCase(c, i); why != "" {
				t.Error(why)
			}
		})
	}
}

// differences reads which cases moto is known to fail, and who is right.
func differences(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/moto.differences")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, why, ok := strings.Cut(strings.TrimSpace(line), " :: "); ok && !strings.HasPrefix(line, "#") {
			out[name] = why
		}
	}
	return out
}

func TestMoto(t *testing.T) {
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not installed")
	}
	e := startMoto(t, path)
	e.setup(t)
	known := differences(t)
	agree := 0
	var unknown bytes.Buffer
	for i, c := range readCases(t) {
		why := e.runCase(c, i)
		switch {
		case why == "":
			agree++
			if known[c.name] != "" {
				t.Errorf("moto passes %q now; take it off the list of differences", c.name)
			}
		case known[c.name] == "":
			fmt.Fprintf(&unknown, "%s :: %s\n", c.name, strings.ReplaceAll(why, "\n", " "))
		}
	}
	if unknown.Len() > 0 {
		t.Errorf("moto fails cases that are not on the list of differences:\n%s", unknown.String())
	}
	t.Logf("moto agrees in %d cases and differs in %d", agree, len(known))
}

func startMoto(t *testing.T, path string) *endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	cmd := exec.Command(path, "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=penstock", "AWS_SECRET_ACCESS_KEY=penstock")
	if err := cmd.Start(); err != nil {
		t.Skipf("moto_server does not start: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	e := &endpoint{fmt.Sprintf("http://127.0.0.1:%d", port), wiretest.Region, aws.Credentials{AccessKeyID: "penstock", SecretAccessKey: "penstock"}, "x"}
	for range 300 {
		if _, _, err := e.do("ListTables", `{}`); err == nil {
			return e
		}
		time.Sleep(100 * time.Millisecond) // another program's start is not to be had otherwise
	}
	t.Skip("moto_server does not answer")
	return nil
}
