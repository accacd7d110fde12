package dynamodb_test

import (
	"flag"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/internal/pipeline"
	"github.com/penstock-io/penstock/internal/secret"
	"github.com/penstock-io/penstock/internal/source/access"
	"github.com/penstock-io/penstock/internal/source/dynamodb"
	"github.com/penstock-io/penstock/internal/source/sourcetest"
)

var (
	_ pipeline.Source = (*dynamodb.Source)(nil)

	chaos = flag.Int("chaos", 10, "random runs of the conformance suite")
)

// TestSubjects: the subjects are a contract between packages that do not know each other.
func TestSubjects(t *testing.T) {
	for ours, theirs := range map[string]string{
		dynamodb.SubjectTable: pipeline.SubjectTable, dynamodb.SubjectStream: pipeline.SubjectStream, dynamodb.SubjectGap: pipeline.SubjectGap,
		dynamodb.SubjectItem: pipeline.SubjectItem, dynamodb.SubjectAccess: pipeline.SubjectAccess,
	} {
		if ours != theirs {
			t.Errorf("the subject %q is called %q by the pipeline", ours, theirs)
		}
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// suite is the conformance suite for an endpoint.
func suite(e sourcetest.Endpoint) sourcetest.Suite {
	return sourcetest.Suite{
		Endpoint: e, Package: "github.com/penstock-io/penstock/internal/source/dynamodb.", Chaos: *chaos,
		Open: func(t testing.TB, o sourcetest.Options) pipeline.Source {
			src, err := dynamodb.New(dynamodb.Config{
				Table: o.Table, Endpoint: e.URL, Region: e.Region, Credentials: access.Fixed(e.Region, e.AccessKeyID, secret.NewText(e.SecretAccessKey)),
				Transport: o.Transport, Local: true, Segments: o.Segments, Poll: o.Poll, Patience: o.Patience,
				Now: time.Now, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			return src
		},
	}
}

func TestEmbedded(t *testing.T) {
	server := sourcetest.NewServer(t)
	s := suite(server.Endpoint)
	s.Control = &server.Control
	sourcetest.Run(t, s)
}

func TestMoto(t *testing.T) {
	s := suite(sourcetest.StartMoto(t))
	const off = "moto refuses to switch a stream off (ResourceInUseException: Cannot enable stream)"
	s.Leave = map[string]string{"stream switched off and on": off, "unusable streams": off}
	s.Chaos, s.MaxItem = 1, 400_000 // moto takes no more than 405,000 bytes
	sourcetest.Run(t, s)
}

// TestEndpoint runs against any endpoint a tester names. Credentials are those of the AWS chain.
func TestEndpoint(t *testing.T) {
	url := os.Getenv("PENSTOCK_TEST_DYNAMODB_ENDPOINT")
	if url == "" {
		t.Skip("PENSTOCK_TEST_DYNAMODB_ENDPOINT is not set")
	}
	a, err := access.Load(t.Context(), "us-east-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := a.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sourcetest.Run(t, suite(sourcetest.Endpoint{URL: url, Region: a.Region, AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey.Reveal()}))
}
