package redshift_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// BenchmarkDescribeIntegrations sends a signed request through the whole handler, without a network: the signature is
// checked, 100 integrations are read from the store and encoded.
func BenchmarkDescribeIntegrations(b *testing.B) {
	e := newEnv(b)
	e.must("CreateCluster", newCluster...)
	e.Supervise()
	targets := []string{namespace, "arn:aws:redshift:us-east-1:123456789012:namespace:00000000-0000-4000-8000-000000000003"}
	for n := range 100 {
		e.must("CreateIntegration", "SourceArn", fmt.Sprintf("arn:aws:s3:::orders-of-%03d", n), "TargetArn", targets[n%2], "IntegrationName", fmt.Sprintf("orders-%03d", n),
			"Description", "Orders of one shop", "TagList.Tag.1.Key", "env", "TagList.Tag.1.Value", "dev")
	}
	e.Supervise()
	client := e.Client()
	if body := e.must("DescribeIntegrations").Body.String(); len(body) < 40_000 {
		b.Fatalf("the answer has %d bytes; are there 100 integrations in it?", len(body))
	}
	template := wiretest.Query("DescribeIntegrations", "Version", "2012-12-01")
	client.Sign(b, "redshift", template)
	body, err := io.ReadAll(template.Body)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		w := &discard{header: http.Header{}}
		for pb.Next() {
			r := template.Clone(template.Context())
			r.Body = io.NopCloser(bytes.NewReader(body))
			clear(w.header)
			client.Handler.ServeHTTP(w, r)
			if w.status != http.StatusOK {
				b.Errorf("status %d", w.status)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
