package wire_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/awsapi/redshift"
	"github.com/penstock-io/penstock/internal/awsapi/redshiftdata"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// sink is a response writer that costs nothing.
type sink struct {
	header http.Header
	status int
	bytes  int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { s.bytes += len(b); return len(b), nil }

// body is a request's body that can be read again.
type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

func integrations(n int) *redshift.IntegrationsMessage {
	out := &redshift.IntegrationsMessage{}
	for i := range n {
		id := fmt.Sprintf("4c2f3a1e-7a58-4a0e-9d3c-%012d", i)
		out.Integrations = append(out.Integrations, redshift.Integration{
			IntegrationArn:  ptr("arn:aws:redshift:us-east-1:123456789012:integration:" + id),
			IntegrationName: ptr(fmt.Sprintf("orders-of-shop-%d", i)),
			SourceArn:       ptr(fmt.Sprintf("arn:aws:s3:::orders-of-shop-%d", i)),
			TargetArn:       ptr("arn:aws:redshift-serverless:us-east-1:123456789012:namespace/4c2f3a1e-7a58-4a0e-9d3c-2f6b8f0a1b2c"),
			Status:          ptr(redshift.ZeroETLIntegrationStatusActive), Errors: []redshift.IntegrationError{}, CreateTime: &noon,
			Description: ptr("Orders of the shop, as they come in, for the monthly report"),
			Tags:        []redshift.Tag{{Key: ptr("team"), Value: ptr("data")}, {Key: ptr("stage"), Value: ptr("production")}},
		})
	}
	return out
}

// exchangeBenchmark measures whole requests: signature, decoding, checks, encoding, everything but the network.
func exchangeBenchmark(b *testing.B, service string, request func() *http.Request) {
	all := integrations(100)
	h, err := wire.New(wire.Config{
		Services: []*wire.Service{
			redshift.Operations{
				DescribeIntegrations: func(context.Context, identity.Caller, *redshift.DescribeIntegrationsMessage) (*redshift.IntegrationsMessage, error) {
					return all, nil
				},
			}.Service(nil),
			redshiftdata.Operations{ExecuteStatement: executeStatement}.Service(nil),
		},
		Keys: wiretest.Keys{}, Region: wiretest.Region, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	first := httptest.NewRecorder()
	r := request()
	wiretest.Client{Handler: h}.Sign(b, service, r)
	h.ServeHTTP(first, r)
	if first.Code != 200 {
		b.Fatal(first.Body)
	}
	b.SetBytes(int64(first.Body.Len()))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		r := request()
		content, err := io.ReadAll(r.Body)
		if err != nil {
			b.Error(err)
			return
		}
		r = request()
		wiretest.Client{Handler: h}.Sign(b, service, r)
		source := body{bytes.NewReader(content)}
		w := &sink{header: http.Header{}}
		for pb.Next() {
			source.Reset(content)
			r.Body = source
			clear(w.header)
			h.ServeHTTP(w, r)
			if w.status != 200 {
				b.Errorf("status %d", w.status)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

// BenchmarkDescribe100 answers with 100 integrations.
func BenchmarkDescribe100(b *testing.B) {
	exchangeBenchmark(b, "redshift", func() *http.Request { return wiretest.Query("DescribeIntegrations", "MaxRecords", "100") })
}

// BenchmarkExecute is a small request and answer in JSON.
func BenchmarkExecute(b *testing.B) {
	exchangeBenchmark(b, "redshift-data", func() *http.Request {
		return wiretest.JSON("RedshiftData.ExecuteStatement", `{"Sql":"select count(*) from orders","Database":"dev","WorkgroupName":"default"}`)
	})
}
