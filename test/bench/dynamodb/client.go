package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// client makes requests as an SDK does, signed by the SDK's signer, and does not decode answers.
type client struct {
	url  string
	http *http.Client
	sign *v4.Signer
	pool sync.Pool
}

func newClient(url string) *client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	t.DisableCompression = true
	return &client{url: url, http: &http.Client{Transport: t}, sign: v4.NewSigner(), pool: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
}

// call makes a call and hands the body of the answer to use, which may be nil.
func (c *client) call(op string, in []byte, use func([]byte) error) error {
	prefix := "DynamoDB_20120810."
	if op == "GetRecords" || op == "DescribeStream" || op == "GetShardIterator" {
		prefix = "DynamoDBStreams_20120810."
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.url+"/", bytes.NewReader(in))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", prefix+op)
	sum := sha256.Sum256(in)
	keys := aws.Credentials{AccessKeyID: wiretest.AccessKeyID, SecretAccessKey: wiretest.SecretAccessKey}
	if err := c.sign.SignHTTP(r.Context(), keys, r, hex.EncodeToString(sum[:]), "dynamodb", wiretest.Region, time.Now()); err != nil {
		return err
	}
	res, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	buf := c.pool.Get().(*bytes.Buffer)
	defer c.pool.Put(buf)
	buf.Reset()
	if _, err := io.Copy(buf, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %.300s", op, res.StatusCode, buf.Bytes())
	}
	if use != nil {
		return use(buf.Bytes())
	}
	return nil
}

// load runs work in n goroutines for the time and returns the sum of what it returns, and how long that took.
func load(n int, d time.Duration, work func(worker int) (int, error)) (int, time.Duration, error) {
	var total atomic.Int64
	var first error
	var once sync.Once
	var wg sync.WaitGroup
	began := time.Now()
	for w := range n {
		wg.Go(func() {
			for time.Since(began) < d {
				done, err := work(w)
				if err != nil {
					once.Do(func() { first = err })
					return
				}
				total.Add(int64(done))
			}
		})
	}
	wg.Wait()
	return int(total.Load()), time.Since(began), first
}
