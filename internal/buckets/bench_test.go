package buckets

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/penstock-io/penstock/internal/load"
)

// hammer runs b.N requests of 10 KB objects over HTTP from 8 clients that sign as the SDK does.
func hammer(b *testing.B, f *fixture, method string, key func(i int64) string, body []byte) {
	b.Helper()
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				req, err := http.NewRequestWithContext(b.Context(), method, f.http.URL+"/bench/"+key(i), bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				req.Header.Set("X-Amz-Content-Sha256", hash)
				if err := signer.SignHTTP(b.Context(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, req, hash, "s3", "us-east-1", time.Now()); err != nil {
					b.Error(err)
					return
				}
				res, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					b.Errorf("status %d", res.StatusCode)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

func BenchmarkPut10KB(b *testing.B) {
	for _, noSync := range []bool{true, false} {
		b.Run(fmt.Sprintf("sync=%v", !noSync), func(b *testing.B) {
			f := newFixture(b, func(c *Config) { c.NoSync, c.OnArrival = noSync, nil })
			f.bucket(b, "bench")
			hammer(b, f, "PUT", func(i int64) string { return fmt.Sprintf("in/%d.csv", i) }, bytes.Repeat([]byte("0123456789"), 1000))
		})
	}
}

func BenchmarkGet10KB(b *testing.B) {
	f := newFixture(b)
	f.bucket(b, "bench")
	f.put(b, "bench", "key", string(bytes.Repeat([]byte("0123456789"), 1000)))
	hammer(b, f, "GET", func(int64) string { return "key" }, nil)
}

func BenchmarkList10k(b *testing.B) {
	f := newFixture(b)
	f.bucket(b, "bench")
	for i := range 10_000 {
		f.put(b, "bench", fmt.Sprintf("in/%d/%d.csv", i%10, i), "x")
	}
	b.ResetTimer()
	for range b.N {
		n := 0
		if err := f.List(b.Context(), "bench", "in/", "", func(load.File) error { n++; return nil }); err != nil || n != 10_000 {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkOpen is what the store adds to the start of a server.
func BenchmarkOpen(b *testing.B) {
	f := newFixture(b)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		s, err := Open(f.cfg)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
