package wire_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/awsapi/appintegrations"
	"github.com/penstock-io/penstock/internal/awsapi/dynamodb"
	"github.com/penstock-io/penstock/internal/awsapi/dynamodbstreams"
	"github.com/penstock-io/penstock/internal/awsapi/kms"
	"github.com/penstock-io/penstock/internal/awsapi/quicksight"
	"github.com/penstock-io/penstock/internal/awsapi/redshift"
	"github.com/penstock-io/penstock/internal/awsapi/redshiftdata"
	"github.com/penstock-io/penstock/internal/awsapi/redshiftserverless"
	"github.com/penstock-io/penstock/internal/awsapi/sts"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/identity"
	"github.com/penstock-io/penstock/internal/wire"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// bench is a handler over all services, each with operations that answer from their input, and what it
// logged and reported.
type bench struct {
	*wire.Handler
	client wiretest.Client

	mu      sync.Mutex
	log     bytes.Buffer
	records []wire.Record
}

func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func (b *bench) logged() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

func (b *bench) lastRecord(t *testing.T) wire.Record {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.records) == 0 {
		t.Fatal("nothing was recorded")
	}
	return b.records[len(b.records)-1]
}

// newBench returns a bench; change may alter its configuration first.
func newBench(t testing.TB, change func(*wire.Config)) *bench {
	t.Helper()
	b := &bench{}
	c := wire.Config{
		Services: services(),
		S3: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			w.Header().Set("X-S3", r.Method+" "+r.URL.Path)
			w.Header().Set("X-S3-Bytes", time.Duration(n).String())
		}),
		Health: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":"ok"}`) }),
		Internal: func(w http.ResponseWriter, r *http.Request, caller identity.Caller) {
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, caller.ARN+" "+r.URL.Path+" "+string(body))
		},
		Keys: wiretest.Keys{}, Region: wiretest.Region, Now: func() time.Time { return noon },
		Log: slog.New(slog.NewJSONHandler(b, nil)),
		Observe: func(r wire.Record) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.records = append(b.records, r)
		},
	}
	if change != nil {
		change(&c)
	}
	h, err := wire.New(c)
	if err != nil {
		t.Fatal(err)
	}
	b.Handler = h
	b.client = wiretest.Client{Handler: h, Now: func() time.Time { return noon }}
	return b
}

const someID = "4c2f3a1e-7a58-4a0e-9d3c-2f6b8f0a1b2c"

func services() []*wire.Service {
	return []*wire.Service{
		redshiftOperations().Service(wire.FaultTable{
			{Kind: fault.NotFound, Subject: "integration"}:                         redshift.ErrIntegrationNotFoundFault,
			{Kind: fault.NotFound, Subject: "cluster"}:                             redshift.ErrClusterNotFoundFault,
			{Kind: fault.NotFound, Subject: "cluster", Operation: "DescribeTags"}:  redshift.ErrResourceNotFoundFault,
			{Kind: fault.Invalid, Subject: "", Operation: "DescribeTags"}:          redshift.ErrInvalidTagFault,
			{Kind: fault.Unsupported}:                                              redshift.ErrUnsupportedOperationFault,
			{Kind: fault.Unsupported, Subject: "policy", Operation: "DescribeTag"}: redshift.ErrInvalidPolicyFault,
		}),
		redshiftserverless.Operations{ListTagsForResource: serverlessTags, GetNamespace: getNamespace}.Service(nil),
		redshiftdata.Operations{ExecuteStatement: executeStatement, DescribeStatement: describeStatement}.Service(nil),
		sts.Operations{GetCallerIdentity: callerIdentity}.Service(nil),
		kms.Operations{Encrypt: encrypt, EnableKey: enableKey}.Service(nil),
		appintegrations.Operations{
			CreateDataIntegrationAssociation: createAssociation, UntagResource: untag, ListApplications: listApplications,
		}.Service(nil),
		quicksight.Operations{CreateActionConnector: createConnector, UpdateActionConnector: updateConnector}.Service(nil),
		dynamodb.Operations{PutItem: putItem}.Service(nil),
		dynamodbstreams.Operations{DescribeStream: describeStream}.Service(nil),
	}
}

func redshiftOperations() redshift.Operations {
	return redshift.Operations{
		CreateIntegration: func(_ context.Context, c identity.Caller, in *redshift.CreateIntegrationMessage) (*redshift.Integration, error) {
			return &redshift.Integration{
				IntegrationArn:  ptr("arn:aws:redshift:" + c.Region + ":" + c.Account + ":integration:" + someID),
				IntegrationName: in.IntegrationName, SourceArn: in.SourceArn, TargetArn: in.TargetArn, KMSKeyId: in.KMSKeyId,
				Status: ptr(redshift.ZeroETLIntegrationStatusCreating), Errors: []redshift.IntegrationError{}, CreateTime: ptr(noon),
				AdditionalEncryptionContext: in.AdditionalEncryptionContext, Description: in.Description, Tags: in.TagList,
			}, nil
		},
		DescribeIntegrations: func(_ context.Context, _ identity.Caller, in *redshift.DescribeIntegrationsMessage) (*redshift.IntegrationsMessage, error) {
			if in.IntegrationArn != nil {
				return nil, fault.New(fault.NotFound, "integration", "Integration %s not found.", *in.IntegrationArn)
			}
			out := &redshift.IntegrationsMessage{Marker: in.Marker, Integrations: []redshift.Integration{}}
			for _, f := range in.Filters {
				for _, v := range f.Values {
					out.Integrations = append(out.Integrations, redshift.Integration{
						IntegrationName: f.Name, Description: &v,
						Errors: []redshift.IntegrationError{{ErrorCode: ptr("E"), ErrorMessage: ptr(`<a> & "b"` + "\x01\r\n\uFFFE")}},
					})
				}
			}
			return out, nil
		},
		DescribeTags: func(ctx context.Context, _ identity.Caller, in *redshift.DescribeTagsMessage) (*redshift.TaggedResourceListMessage, error) {
			if in.ResourceName == nil {
				return &redshift.TaggedResourceListMessage{}, nil
			}
			switch *in.ResourceName {
			case "panic":
				panic("a defect")
			case "nothing":
				return nil, nil
			case "slow":
				<-ctx.Done()
				return nil, ctx.Err()
			case "error":
				return nil, io.ErrUnexpectedEOF
			case "id":
				return &redshift.TaggedResourceListMessage{Marker: ptr(wire.RequestID(ctx))}, nil
			}
			for _, k := range fault.Kinds() {
				if *in.ResourceName == k.String() {
					return nil, fault.Wrap(io.ErrNoProgress, k, *in.ResourceType, "what happened")
				}
			}
			return &redshift.TaggedResourceListMessage{}, nil
		},
		DeleteTags: func(context.Context, identity.Caller, *redshift.DeleteTagsMessage) error { return nil },
	}
}

func callerIdentity(_ context.Context, c identity.Caller, _ *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
	return &sts.GetCallerIdentityResponse{Account: &c.Account, Arn: &c.ARN, UserId: &c.UserID}, nil
}

func executeStatement(_ context.Context, _ identity.Caller, in *redshiftdata.ExecuteStatementInput) (*redshiftdata.ExecuteStatementOutput, error) {
	return &redshiftdata.ExecuteStatementOutput{
		Id: ptr(someID), CreatedAt: ptr(noon.Add(123 * time.Millisecond)), Database: in.Database,
		WorkgroupName: in.WorkgroupName, DbGroups: []string{}, DbUser: in.Sql,
	}, nil
}

func describeStatement(_ context.Context, _ identity.Caller, in *redshiftdata.DescribeStatementRequest) (*redshiftdata.DescribeStatementResponse, error) {
	return nil, &wire.APIError{
		Shape: redshiftdata.ErrResourceNotFoundException, Message: "Query does not exist.",
		Members: &redshiftdata.ResourceNotFoundException{ResourceId: in.Id}, Err: io.EOF,
	}
}

func serverlessTags(context.Context, identity.Caller, *redshiftserverless.ListTagsForResourceRequest) (*redshiftserverless.ListTagsForResourceResponse, error) {
	return &redshiftserverless.ListTagsForResourceResponse{}, nil
}

func getNamespace(_ context.Context, _ identity.Caller, in *redshiftserverless.GetNamespaceRequest) (*redshiftserverless.GetNamespaceResponse, error) {
	return &redshiftserverless.GetNamespaceResponse{Namespace: &redshiftserverless.Namespace{NamespaceName: in.NamespaceName, CreationDate: &noon}}, nil
}

func encrypt(_ context.Context, _ identity.Caller, in *kms.EncryptRequest) (*kms.EncryptResponse, error) {
	return &kms.EncryptResponse{CiphertextBlob: in.Plaintext, KeyId: in.KeyId}, nil
}

func enableKey(context.Context, identity.Caller, *kms.EnableKeyRequest) error { return nil }

func createAssociation(_ context.Context, _ identity.Caller, in *appintegrations.CreateDataIntegrationAssociationRequest) (*appintegrations.CreateDataIntegrationAssociationResponse, error) {
	return &appintegrations.CreateDataIntegrationAssociationResponse{
		DataIntegrationAssociationId: ptr(someID), DataIntegrationArn: in.DataIntegrationIdentifier,
	}, nil
}

func untag(_ context.Context, _ identity.Caller, in *appintegrations.UntagResourceRequest) (*appintegrations.UntagResourceResponse, error) {
	if len(in.TagKeys) != 2 || in.TagKeys[0] != "a" || in.TagKeys[1] != "b" || *in.ResourceArn != "arn:aws:app-integrations:us-east-1:123456789012:application/x" {
		return nil, fault.New(fault.Invalid, "", "got %v of %s", in.TagKeys, *in.ResourceArn)
	}
	return &appintegrations.UntagResourceResponse{}, nil
}

func listApplications(_ context.Context, _ identity.Caller, in *appintegrations.ListApplicationsRequest) (*appintegrations.ListApplicationsResponse, error) {
	return &appintegrations.ListApplicationsResponse{NextToken: in.NextToken, Applications: []appintegrations.ApplicationSummary{}}, nil
}

func createConnector(ctx context.Context, _ identity.Caller, in *quicksight.CreateActionConnectorRequest) (*quicksight.CreateActionConnectorResponse, error) {
	return &quicksight.CreateActionConnectorResponse{
		Arn: ptr("arn:aws:quicksight:us-east-1:" + *in.AwsAccountId + ":action-connector/" + *in.ActionConnectorId), RequestId: ptr(wire.RequestID(ctx)),
		CreationStatus: ptr(quicksight.ResourceStatusCreationInProgress), ActionConnectorId: in.ActionConnectorId, Status: ptr[int32](202),
	}, nil
}

func updateConnector(context.Context, identity.Caller, *quicksight.UpdateActionConnectorRequest) (*quicksight.UpdateActionConnectorResponse, error) {
	return nil, fault.New(fault.Denied, "connector", "This is not yours.")
}

func putItem(_ context.Context, _ identity.Caller, in *dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
	return &dynamodb.PutItemOutput{Attributes: in.Item}, nil
}

func describeStream(_ context.Context, _ identity.Caller, in *dynamodbstreams.DescribeStreamInput) (*dynamodbstreams.DescribeStreamOutput, error) {
	return &dynamodbstreams.DescribeStreamOutput{StreamDescription: &dynamodbstreams.StreamDescription{StreamArn: in.StreamArn}}, nil
}
