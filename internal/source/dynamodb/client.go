package dynamodb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/source/access"
	"github.com/penstock-io/penstock/internal/wire/sigv4"
)

// Credentials gives what requests are signed with. *access.Access does.
type Credentials interface {
	Credentials(ctx context.Context) (access.Credentials, error)
}

const (
	attemptTimeout = 30 * time.Second // for one request and its answer
	firstDelay     = 50 * time.Millisecond
	maxDelay       = 10 * time.Second
	maxBody        = 64 << 20 // of an answer; a megabyte of small numbers is several of JSON
	toleratedSkew  = 4 * time.Minute
)

// operation is what X-Amz-Target says.
type operation string

const (
	opDescribeTable    operation = "DynamoDB_20120810.DescribeTable"
	opUpdateTable      operation = "DynamoDB_20120810.UpdateTable"
	opScan             operation = "DynamoDB_20120810.Scan"
	opDescribeStream   operation = "DynamoDBStreams_20120810.DescribeStream"
	opGetShardIterator operation = "DynamoDBStreams_20120810.GetShardIterator"
	opGetRecords       operation = "DynamoDBStreams_20120810.GetRecords"
)

func (o operation) String() string {
	_, name, _ := strings.Cut(string(o), ".")
	return name
}

func (o operation) streams() bool { return strings.HasPrefix(string(o), "DynamoDBStreams") }

// client makes requests about one table.
type client struct {
	table       string
	tables      *url.URL
	streams     *url.URL // another than tables on AWS
	where       string   // the endpoint as messages name it
	region      string
	credentials Credentials
	transport   http.RoundTripper
	patience    time.Duration
	now         func() time.Time
	log         *slog.Logger
	observer    Observer

	skew atomic.Int64 // of the endpoint's clock before ours, in ns; set when a signature was refused for it
}

// endpoints returns where tables and streams are. An empty endpoint is AWS's own.
func endpoints(endpoint, region string) (tables, streams *url.URL, err error) {
	if endpoint == "" {
		host := "dynamodb." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			host += ".cn"
		}
		return &url.URL{Scheme: "https", Host: host, Path: "/"}, &url.URL{Scheme: "https", Host: "streams." + host, Path: "/"}, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" {
		return nil, nil, fmt.Errorf("DynamoDB endpoint %q is not a URL like https://host:port", endpoint)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, u, nil
}

// answer is a successful one.
type answer struct {
	body []byte
	sent time.Time // when the request went out, by our clock
	date time.Time // when it was answered, by the endpoint's clock in whole seconds; zero if it does not say
}

// call makes a request until it is answered, for as long as patience lasts. read takes the answer apart; what it
// refuses is asked for again, unless asking again is of no use. The error is a fault, or the context's.
func (c *client) call(ctx context.Context, op operation, in any, read func(answer) error) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	var failing time.Time // since
	for try := 0; ; try++ {
		err := c.attempt(ctx, op, body, read)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f := c.classify(op, err)
		if !fault.Retryable(f) {
			return f
		}
		c.observer.retry(op.String(), f.Kind)
		now := c.now()
		if failing.IsZero() {
			failing = now
		}
		if tried := now.Sub(failing); tried >= c.patience {
			f.Message += fmt.Sprintf(" It has been tried %d times in %s.", try+1, tried.Round(time.Second))
			return f
		}
		level := slog.LevelDebug
		if try == 4 {
			level = slog.LevelWarn
		}
		c.log.Log(ctx, level, "a request to the source will be tried again", "operation", op.String(), "table", c.table, "tries", try+1, "err", err)
		if err := sleep(ctx, backoff(try)); err != nil {
			return err
		}
	}
}

// backoff is how long to wait after a number of failures: any time up to a bound that doubles, so that many who
// fail together do not come back together.
func backoff(try int) time.Duration {
	return time.Millisecond + rand.N(min(maxDelay, firstDelay<<min(try, 10)))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// attempt makes a request once.
func (c *client) attempt(ctx context.Context, op operation, body []byte, read func(answer) error) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	a, err := c.exchange(ctx, op, body)
	var no *refusal
	if errors.As(err, &no) && no.clock() && c.adjust(no.date) {
		a, err = c.exchange(ctx, op, body)
	}
	if err != nil {
		return err
	}
	c.observer.answer(op.String(), len(a.body), c.now().Sub(a.sent))
	return read(a)
}

// adjust notes how far the endpoint's clock is off ours, if that may be why a signature was refused.
func (c *client) adjust(date time.Time) bool {
	if date.IsZero() {
		return false
	}
	now := c.now()
	if off := date.Sub(now.Add(time.Duration(c.skew.Load()))); off.Abs() < toleratedSkew {
		return false
	}
	c.skew.Store(int64(date.Sub(now)))
	c.log.Warn("the clock of the source differs from ours; requests are signed by its clock", "source", c.where, "difference", date.Sub(now).Round(time.Second))
	return true
}

func (c *client) exchange(ctx context.Context, op operation, body []byte) (answer, error) {
	req, err := c.request(ctx, op, body)
	if err != nil {
		return answer{}, err
	}
	a := answer{sent: c.now()}
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return answer{}, &refusal{err: err}
	}
	defer res.Body.Close()
	if t, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		a.date = t
	}
	if a.body, err = readBody(res); err != nil {
		return answer{}, &refusal{err: err}
	}
	if res.StatusCode != http.StatusOK {
		return answer{}, refused(res, a)
	}
	if sum := res.Header.Get("X-Amz-Crc32"); sum != "" && sum != strconv.FormatUint(uint64(crc32.ChecksumIEEE(a.body)), 10) {
		return answer{}, &refusal{err: errChecksum}
	}
	return a, nil
}

func (c *client) request(ctx context.Context, op operation, body []byte) (*http.Request, error) {
	u := c.tables
	if op.streams() {
		u = c.streams
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", string(op))
	keys, err := c.credentials.Credentials(ctx)
	if err != nil {
		return nil, &refusal{err: err, credentials: true}
	}
	err = sigv4.Sign(req, sigv4.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey.Reveal(), SessionToken: keys.SessionToken.Reveal()},
		sigv4.Scope{Region: c.region, Service: "dynamodb"}, sigv4.HashPayload(body), sigv4.Rules{}, c.now().Add(time.Duration(c.skew.Load())))
	req.Header.Set("Accept-Encoding", "identity") // a checksum is of what is sent
	return req, err
}

var (
	errChecksum = errors.New("the answer does not have the checksum it came with")
	errTooLong  = errors.New("the answer is too long")
)

// readBody reads an answer whole, into memory of its own: rows keep it.
func readBody(res *http.Response) ([]byte, error) {
	if n := res.ContentLength; n >= 0 {
		if n > maxBody {
			return nil, errTooLong
		}
		body := make([]byte, n)
		_, err := io.ReadFull(res.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errTooLong
	}
	return body, err
}
