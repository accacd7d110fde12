package sourcetest

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
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-io/penstock/internal/front/dynamodb"
	"github.com/penstock-io/penstock/internal/tables"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/sigv4"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// Endpoint is something that speaks DynamoDB, and how to get in.
type Endpoint struct {
	URL             string
	Region          string
	AccessKeyID     string
	SecretAccessKey string
	Client          *http.Client // nil means http.DefaultClient
}

// Error is an error the endpoint answered with.
type Error struct {
	Status        int
	Code, Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// Call makes a request and decodes its answer into out, which may be nil. The error is an *Error if it is the
// endpoint's.
func (e Endpoint) Call(ctx context.Context, op string, in, out any) error {
	prefix := "DynamoDB_20120810."
	switch op {
	case "ListStreams", "DescribeStream", "GetShardIterator", "GetRecords":
		prefix = "DynamoDBStreams_20120810."
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", prefix+op)
	err = sigv4.Sign(r, sigv4.Credentials{AccessKeyID: e.AccessKeyID, SecretAccessKey: e.SecretAccessKey},
		sigv4.Scope{Region: e.Region, Service: "dynamodb"}, sigv4.HashPayload(body), sigv4.Rules{}, time.Now())
	if err != nil {
		return err
	}
	client := e.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		var no struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		_ = json.Unmarshal(answer, &no) // without a code if it is not JSON
		return &Error{res.StatusCode, no.Type[strings.LastIndexByte(no.Type, '#')+1:], no.Message}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

type object = map[string]any

// CreateTable makes a table with a partition key pk, and with a sort key sk, a number, if sorted is set. view is
// that of its stream, empty for none. It waits until the table can be used.
func (e Endpoint) CreateTable(ctx context.Context, name string, sorted bool, view string) error {
	in := object{
		"TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": []object{{"AttributeName": "pk", "KeyType": "HASH"}},
		"AttributeDefinitions": []object{{"AttributeName": "pk", "AttributeType": "S"}},
	}
	if sorted {
		in["KeySchema"] = []object{{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}}
		in["AttributeDefinitions"] = []object{{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}}
	}
	if view != "" {
		in["StreamSpecification"] = object{"StreamEnabled": true, "StreamViewType": view}
	}
	if err := e.Call(ctx, "CreateTable", in, nil); err != nil {
		return err
	}
	return e.settled(ctx, name)
}

// settled waits until a table is active.
func (e Endpoint) settled(ctx context.Context, name string) error {
	for {
		var out struct{ Table struct{ TableStatus string } }
		if err := e.Call(ctx, "DescribeTable", object{"TableName": name}, &out); err != nil {
			return err
		}
		if out.Table.TableStatus == "ACTIVE" {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond): // another program's doing is not to be had otherwise
		}
	}
}

// SetStream switches a table's stream on, with a view, or off, without one.
func (e Endpoint) SetStream(ctx context.Context, name, view string) error {
	in := object{"StreamEnabled": view != ""}
	if view != "" {
		in["StreamViewType"] = view
	}
	if err := e.Call(ctx, "UpdateTable", object{"TableName": name, "StreamSpecification": in}, nil); err != nil {
		return err
	}
	return e.settled(ctx, name)
}

// DeleteTable deletes a table and waits until it is gone.
func (e Endpoint) DeleteTable(ctx context.Context, name string) error {
	err := e.Call(ctx, "DeleteTable", object{"TableName": name}, nil)
	for err == nil {
		if err = e.settled(ctx, name); err == nil {
			continue
		}
		var no *Error
		if errors.As(err, &no) && no.Code == "ResourceNotFoundException" {
			return nil
		}
	}
	return err
}

// Put writes an item, given as JSON.
func (e Endpoint) Put(ctx context.Context, table, item string) error {
	return e.Call(ctx, "PutItem", object{"TableName": table, "Item": json.RawMessage(item)}, nil)
}

// Delete deletes the item of a key, given as JSON.
func (e Endpoint) Delete(ctx context.Context, table, key string) error {
	return e.Call(ctx, "DeleteItem", object{"TableName": table, "Key": json.RawMessage(key)}, nil)
}

// Server is the embedded tables on a port of their own.
type Server struct {
	Endpoint
	DB      *tables.DB
	Control tables.Control
}

// NewServer starts a server with tables in a directory of the test's. New streams have one shard.
func NewServer(t testing.TB) *Server {
	t.Helper()
	db, err := tables.Open(tables.Config{
		Dir: t.TempDir(), Region: wiretest.Region, Account: wiretest.Account, Now: time.Now, NewID: uuid.NewString, Log: slog.New(slog.DiscardHandler),
		Settings: tables.Settings{FirstShards: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	h, err := wire.New(wire.Config{
		Services: dynamodb.Services(dynamodb.Config{DB: db, Region: wiretest.Region, Endpoint: "localhost", Now: time.Now}),
		Keys:     wiretest.Keys{}, Region: wiretest.Region, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		if err := db.Close(); err != nil {
			t.Errorf("close the tables: %v", err)
		}
	})
	return &Server{
		Endpoint: Endpoint{URL: server.URL, Region: wiretest.Region, AccessKeyID: wiretest.AccessKeyID, SecretAccessKey: wiretest.SecretAccessKey, Client: server.Client()},
		DB:       db, Control: db.Control(),
	}
}

// oneByOne makes one request at a time. Of two writes at the same time, moto may give both records in the stream
// the same number, and then it returns one of them again and again.
type oneByOne struct {
	turn sync.Mutex
	next *http.Transport
}

func (o *oneByOne) RoundTrip(r *http.Request) (*http.Response, error) {
	o.turn.Lock()
	defer o.turn.Unlock()
	return o.next.RoundTrip(r)
}

// CloseIdleConnections is what http.Client looks for.
func (o *oneByOne) CloseIdleConnections() { o.next.CloseIdleConnections() }

// StartMoto starts moto's server and skips the test where it is not installed.
func StartMoto(t testing.TB) Endpoint {
	t.Helper()
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not installed")
	}
	port := freePort(t)
	cmd := exec.Command(path, "-H", "127.0.0.1", "-p", strconv.Itoa(port)) //nolint:noctx // killed in the end
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=penstock", "AWS_SECRET_ACCESS_KEY=penstock")
	if err := cmd.Start(); err != nil {
		t.Skipf("moto_server does not start: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	e := Endpoint{URL: fmt.Sprintf("http://127.0.0.1:%d", port), Region: wiretest.Region, AccessKeyID: "penstock", SecretAccessKey: "penstock", Client: &http.Client{Transport: &oneByOne{next: &http.Transport{}}}}
	t.Cleanup(e.Client.CloseIdleConnections)
	for range 300 {
		if e.Call(t.Context(), "ListTables", object{}, nil) == nil {
			return e
		}
		time.Sleep(100 * time.Millisecond) // another program's start is not to be had otherwise
	}
	t.Skip("moto_server does not answer")
	return e
}

func freePort(t testing.TB) int {
	t.Helper()
	s := httptest.NewUnstartedServer(nil) // listens, and has not been told to serve
	defer s.Listener.Close()
	_, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatalf("port of %s: %v", s.Listener.Addr(), err)
	}
	return n
}
