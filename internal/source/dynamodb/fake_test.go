package dynamodb

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/source/access"
)

// fake is an endpoint in memory, for what is about time. It is an http.RoundTripper and starts nothing, so it
// works by the clock of a synctest bubble.
type fake struct {
	mu     sync.Mutex
	shards []fakeShard
	items  int // of the table; a page of Scan has a hundred, or the limit
	calls  []fakeCall
	ahead  time.Duration                             // of its clock before ours
	took   time.Duration                             // between a request and its answer
	answer func(op string) (status int, body string) // in place of its own; a status of 0 is none
	hosts  map[string]bool
	down   bool      // nobody listens
	view   string    // of the stream; empty is NEW_IMAGE, and "none" no stream
	arn    string    // of the stream; empty is fakeARN. It is given out and not looked at
	status string    // of the table; empty is ACTIVE
	ready  time.Time // when the stream is enabled
}

type fakeShard struct {
	id, parent string
	closed     bool
	records    []fakeRecord
	trimmed    int // records
}

type fakeRecord struct {
	key  string
	made time.Time
}

type fakeCall struct {
	op string
	at time.Time
	in map[string]any
}

const (
	fakeARN          = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1"
	iteratorLifetime = 15 * time.Minute
)

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	in := map[string]any{}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	f.mu.Lock()
	took := f.took
	f.mu.Unlock()
	if err := sleep(r.Context(), took); err != nil { // not within the lock: a bubble's time stands still for who waits for one
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fakeCall{op, time.Now(), in})
	if f.hosts == nil {
		f.hosts = map[string]bool{}
	}
	f.hosts[r.URL.Host] = true
	if f.down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	status, text := 0, ""
	if f.answer != nil {
		status, text = f.answer(op)
	}
	if status == 0 {
		signed, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if off := signed.Sub(f.now()); off.Abs() > 15*time.Minute {
			status, text = http.StatusBadRequest, `{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired"}`
		} else {
			status, text = f.own(op, in)
		}
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Date": {f.now().UTC().Format(http.TimeFormat)}}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r,
	}, nil
}

func (f *fake) now() time.Time { return time.Now().Add(f.ahead) }

func (f *fake) own(op string, in map[string]any) (int, string) {
	text := func(name string) string { s, _ := in[name].(string); return s }
	number := func(name string) int { n, _ := in[name].(float64); return int(n) }
	refuse := func(code string) (int, string) {
		return http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#` + code + `","message":"no"}`
	}
	switch op {
	case "UpdateTable":
		f.view, _ = in["StreamSpecification"].(map[string]any)["StreamViewType"].(string)
		f.ready = f.now().Add(3 * time.Second)
		return http.StatusOK, "{}"
	case "DescribeTable":
		stream := `,"LatestStreamArn":"` + cmp.Or(f.arn, fakeARN) + `","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"` + cmp.Or(f.view, viewNew) + `"}`
		if f.view == "none" {
			stream = ""
		}
		return http.StatusOK, `{"Table":{"TableName":"t","TableStatus":"` + cmp.Or(f.status, "ACTIVE") + `","CreationDateTime":1.7E9,"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],` +
			`"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}]` + stream + `}}`
	case "DescribeStream":
		var list []string
		for _, s := range f.shards {
			last := ""
			if s.closed {
				last = fmt.Sprintf(`,"EndingSequenceNumber":"%d"`, 100+len(s.records))
			}
			list = append(list, fmt.Sprintf(`{"ShardId":%q,"ParentShardId":%q,"SequenceNumberRange":{"StartingSequenceNumber":"100"%s}}`, s.id, s.parent, last))
		}
		status := statusEnabled
		if f.now().Before(f.ready) {
			status = "ENABLING"
		}
		return http.StatusOK, `{"StreamDescription":{"StreamStatus":"` + status + `","Shards":[` + strings.Join(list, ",") + `]}}`
	case "GetShardIterator":
		i := slices.IndexFunc(f.shards, func(s fakeShard) bool { return s.id == text("ShardId") })
		if i < 0 {
			return refuse(codeNotFound)
		}
		from := f.shards[i].trimmed
		if number := text("SequenceNumber"); number != "" {
			n, _ := strconv.Atoi(number)
			if text("ShardIteratorType") == "AFTER_SEQUENCE_NUMBER" {
				n++
			}
			if from = n - 100; from < f.shards[i].trimmed {
				return refuse(codeTrimmed)
			}
		}
		return http.StatusOK, fmt.Sprintf(`{"ShardIterator":"%d %d %d"}`, i, from, time.Now().UnixNano())
	case "GetRecords":
		var i, from, issued int
		if _, err := fmt.Sscanf(text("ShardIterator"), "%d %d %d", &i, &from, &issued); err != nil {
			return refuse(codeValidation)
		}
		if time.Since(time.Unix(0, int64(issued))) > iteratorLifetime {
			return refuse(codeExpired)
		}
		s := f.shards[i]
		if from < s.trimmed {
			return refuse(codeTrimmed)
		}
		var list []string
		for ; from < len(s.records) && len(list) < number("Limit"); from++ {
			key := s.records[from].key
			list = append(list, fmt.Sprintf(`{"eventName":"MODIFY","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"pk":{"S":%q}},"NewImage":{"pk":{"S":%q}},"SequenceNumber":"%d"}}`, s.records[from].made.Unix(), key, key, 100+from))
		}
		next := fmt.Sprintf(`,"NextShardIterator":"%d %d %d"`, i, from, time.Now().UnixNano())
		if s.closed && from == len(s.records) {
			next = ""
		}
		return http.StatusOK, `{"Records":[` + strings.Join(list, ",") + `]` + next + `}`
	case "Scan":
		from, limit := 0, 100
		if key, ok := in["ExclusiveStartKey"].(map[string]any); ok {
			from, _ = strconv.Atoi(key["pk"].(map[string]any)["S"].(string))
		}
		if n := number("Limit"); n > 0 {
			limit = n
		}
		var list []string
		for ; len(list) < limit && from < f.items; from++ {
			list = append(list, fmt.Sprintf(`{"pk":{"S":"%d"},"pad":{"S":"%s"}}`, from+1, strings.Repeat("x", 1000)))
		}
		last := ""
		if from < f.items {
			last = fmt.Sprintf(`,"LastEvaluatedKey":{"pk":{"S":"%d"}}`, from)
		}
		return http.StatusOK, fmt.Sprintf(`{"Items":[%s],"ConsumedCapacity":{"TableName":"t","CapacityUnits":%g}%s}`, strings.Join(list, ","), float64(len(list))/4, last)
	}
	return refuse("UnknownOperationException")
}

// put adds a record to a shard that was made by the endpoint's clock so long ago.
func (f *fake) put(shard int, key string, ago time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shards[shard].records = append(f.shards[shard].records, fakeRecord{key, f.now().Add(-ago)})
}

// edit changes the fake.
func (f *fake) edit(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// times are when an operation was called, and forget begins anew.
func (f *fake) times(op string) []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []time.Time
	for _, c := range f.calls {
		if c.op == op {
			out = append(out, c.at)
		}
	}
	return out
}

func (f *fake) forget() { f.edit(func() { f.calls = nil }) }

// source is a source of the fake's table.
func (f *fake) source(t testing.TB, change func(*Config)) *Source {
	c := Config{
		Table: "t", Endpoint: "http://fake", Region: "us-east-1", Credentials: access.Fixed("us-east-1", "k", secret.NewText("s")), Transport: f,
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// received is what a stream has delivered.
type received struct {
	mu     sync.Mutex
	keys   []string
	idles  []time.Time
	marks  change.Marks
	onIdle func(ctx context.Context)
}

func (r *received) deliver(_ context.Context, page change.Page) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range page.Rows {
		r.keys = append(r.keys, row.Keys[0])
	}
	if r.marks == nil {
		r.marks = change.Marks{}
	}
	r.marks[page.Mark.Part] = page.Mark.After
	return nil
}

func (r *received) idle(ctx context.Context, at time.Time) error {
	r.mu.Lock()
	r.idles = append(r.idles, at)
	hook := r.onIdle
	r.mu.Unlock()
	if hook != nil {
		hook(ctx)
	}
	return nil
}

// rests are the times that idle was called with.
func (r *received) rests() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.idles)
}

// mark is the last mark of a part.
func (r *received) mark(part string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.marks[part]
}

func (r *received) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.keys)
}
