package dynamodb

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/source/access"
)

// TestPatience: failures are tried again with growing pauses until patience is over.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		var mu sync.Mutex
		retries := map[fault.Kind]int{}
		s := f.source(t, func(c *Config) {
			c.Observer.Retry = func(op string, kind fault.Kind) {
				mu.Lock()
				defer mu.Unlock()
				retries[kind]++
			}
		})
		f.answer = func(string) (int, string) {
			return http.StatusBadRequest, `{"__type":"x#ProvisionedThroughputExceededException","message":"slow"}`
		}
		began := time.Now()
		_, err := s.Describe(t.Context())
		took := time.Since(began)
		if !fault.Is(err, fault.Throttled, SubjectTable) || !strings.Contains(fault.Message(err), "times in 1m") {
			t.Errorf("in the end: %v", err)
		}
		if took < time.Minute || took > time.Minute+maxDelay {
			t.Errorf("it gave up after %v", took)
		}
		calls := len(f.times("DescribeTable"))
		if calls < 10 || calls > 60 || retries[fault.Throttled] != calls {
			t.Errorf("%d calls, %v retries", calls, retries)
		}
		n := 0
		f.forget()
		f.answer = func(string) (int, string) {
			if n++; n < 5 {
				return http.StatusInternalServerError, `oops`
			}
			return 0, ""
		}
		if _, err := s.Describe(t.Context()); err != nil || len(f.times("DescribeTable")) != 5 {
			t.Errorf("after some failures: %v, %d calls", err, len(f.times("DescribeTable")))
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for try, most := range map[int]time.Duration{0: firstDelay, 3: 8 * firstDelay, 7: 128 * firstDelay, 50: maxDelay, 1 << 40: maxDelay} {
		var low, high time.Duration = time.Hour, 0
		for range 2000 {
			d := backoff(try)
			low, high = min(low, d), max(high, d)
		}
		if low > most/20+time.Millisecond || high > most+time.Millisecond || high < most*9/10 {
			t.Errorf("try %d waits between %v and %v, want anything up to %v", try, low, high, most)
		}
	}
}

// TestClocks: a signature that is refused because the clocks differ is made again by the endpoint's clock.
func TestClocks(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, -24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{ahead: ahead}
			s := f.source(t, nil)
			for range 3 {
				if _, err := s.Describe(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(f.times("DescribeTable")); n != 4 {
				t.Errorf("%d calls, want one more than asked for", n)
			}
			f.edit(func() { f.ahead = 0 })
			if _, err := s.Describe(t.Context()); err != nil {
				t.Error(err)
			}
			f.answer = func(string) (int, string) {
				return http.StatusForbidden, `{"__type":"x#InvalidSignatureException","message":"wrong"}`
			}
			f.forget()
			if _, err := s.Describe(t.Context()); !fault.Is(err, fault.Denied, SubjectAccess) || len(f.times("DescribeTable")) != 1 {
				t.Errorf("a wrong secret: %v, %d calls", err, len(f.times("DescribeTable")))
			}
		})
	}
}

// refusing has no credentials.
type refusing struct{}

func (refusing) Credentials(context.Context) (access.Credentials, error) {
	return access.Credentials{}, errors.New("no IMDS role found")
}

func TestNoCredentials(t *testing.T) {
	t.Parallel()
	s := (&fake{}).source(t, func(c *Config) { c.Credentials = refusing{} })
	_, err := s.Describe(t.Context())
	if !fault.Is(err, fault.Denied, SubjectAccess) || !strings.Contains(fault.Message(err), "PENSTOCK_SOURCE_AWS_ACCESS_KEY_ID") {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"": "https://dynamodb.eu-west-1.amazonaws.com/ https://streams.dynamodb.eu-west-1.amazonaws.com/", "http://h:1": "http://h:1/ http://h:1/", "https://h/x": "https://h/x https://h/x",
		"h:1": "not a URL", "ftp://h": "not a URL", "http://h?x": "not a URL", "://": "not a URL",
	} {
		var got string
		if a, b, err := endpoints(endpoint, "eu-west-1"); err != nil {
			got = err.Error()
		} else {
			got = a.String() + " " + b.String()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q gives %s, want %s", endpoint, got, want)
		}
	}
	if a, _, _ := endpoints("", "cn-north-1"); a.Host != "dynamodb.cn-north-1.amazonaws.com.cn" {
		t.Error(a)
	}
	if _, err := New(Config{Table: "t"}); err == nil {
		t.Error("a source without anything was made")
	}
	if _, err := New(Config{Table: "t", Region: "r", Endpoint: "?", Credentials: refusing{}, Transport: &fake{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a source of no endpoint was made")
	}
}

// TestAnswers gives answers to the small calls that are none.
func TestAnswers(t *testing.T) {
	for op, bodies := range map[string][]string{
		"DescribeTable":    {`{}`, `{"Table":{}}`, `[]`, `{"Table":{"TableName":"t"}}`, `{"Table":{"TableName":7}}`, `{"Table":{"TableName":"t","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}}`},
		"DescribeStream":   {`{}`, `null`, `{"StreamDescription":{"LastEvaluatedShardId":"a"}}`, `{"StreamDescription":{"Shards":{}}}`},
		"GetShardIterator": {`{}`, `{"ShardIterator":7}`},
		"GetRecords":       {`{}`, `{"Records":7}`},
	} {
		for _, body := range bodies {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{shards: []fakeShard{{id: "a"}}}
				s := f.source(t, nil)
				from := start(t, s)
				f.answer = func(called string) (int, string) {
					if called == op {
						return http.StatusOK, body
					}
					return 0, ""
				}
				r := &received{}
				err := s.Stream(t.Context(), from, r.deliver, r.idle)
				if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Message(err), `"t"`) {
					t.Errorf("%s answered with %s: %v", op, body, err)
				}
			})
		}
	}
}

// endless is a body that does not end, of a length that is or is not told.
type endless struct{ length int64 }

func (e endless) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, ContentLength: e.length, Header: http.Header{}, Body: io.NopCloser(neverEnding{}), Request: r}, nil
}

type neverEnding struct{}

func (neverEnding) Read(b []byte) (int, error) { return len(b), nil }

func TestTooLong(t *testing.T) {
	t.Parallel()
	for _, length := range []int64{-1, 1 << 40} {
		s := (&fake{}).source(t, func(c *Config) { c.Transport = endless{length} })
		if _, err := s.Describe(t.Context()); !fault.Is(err, fault.Limit, SubjectTable) {
			t.Errorf("length %d: %v", length, err)
		}
	}
}

// TestBudget reads no faster than allowed.
func TestBudget(t *testing.T) {
	for _, rate := range []float64{0, 10, 100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{items: 4000} // 1,000 units
			s := f.source(t, func(c *Config) { c.Budget, c.Segments = rate, 1 })
			began, rows := time.Now(), 0
			err := s.Snapshot(t.Context(), nil, func(_ context.Context, page change.Page) error {
				rows += len(page.Rows)
				return nil
			})
			took := time.Since(began).Seconds()
			if err != nil || rows != 4000 {
				t.Fatalf("%d rows, %v", rows, err)
			}
			if rate == 0 && took > 0 || rate > 0 && (took < 1000/rate-1.1 || took > 1000/rate+1.1) {
				t.Errorf("at %v units a second it took %.1f s", rate, took)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, c := range f.calls {
				if limit, _ := c.in["Limit"].(float64); rate > 0 && c.op == "Scan" && (limit < 1 || limit > max(25, rate*4)) {
					t.Errorf("at %v units a second the limit is %v", rate, limit)
				}
			}
		})
	}
}

// TestBadItem names the item that cannot be represented.
func TestBadItem(t *testing.T) {
	f := &fake{answer: func(op string) (int, string) {
		if op == "Scan" {
			return http.StatusOK, "{\"Items\":[{\"pk\":{\"S\":\"a\"}},{\"pk\":{\"S\":\"b\"},\"x\":{\"S\":\"\xff\"}}]}"
		}
		return 0, ""
	}}
	err := f.source(t, nil).Snapshot(t.Context(), nil, func(context.Context, change.Page) error { return nil })
	if !fault.Is(err, fault.Invalid, SubjectItem) || !strings.Contains(fault.Message(err), `item 2 (pk "b")`) || !strings.Contains(fault.Message(err), "UTF-8") {
		t.Error(err)
	}
	if n := len(f.times("Scan")); n > 4 {
		t.Errorf("it was asked for %d times", n)
	}
}
