package wire_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// fuzzed sends a signed request and fails on what no input may cause.
func fuzzed(t *testing.T, b *bench, service string, r *http.Request) {
	t.Helper()
	w := b.client.Do(t, service, r)
	if w.Code >= 500 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if w.Code >= 400 {
		if code, text := errorOf(t, w); code == "" || text == "" {
			t.Errorf("no code or no message: %s", w.Body)
		}
	}
}

func FuzzQueryRequest(f *testing.F) {
	for _, seed := range []string{
		"Action=CreateIntegration&SourceArn=arn:aws:s3:::b&IntegrationName=n&TagList.Tag.1.Key=a",
		"Action=DescribeIntegrations&Filters.DescribeIntegrationsFilter.1.Name=status&Filters.DescribeIntegrationsFilter.1.Values.Value.1=active",
		"Action=DeleteTags&ResourceName=x&TagKeys.TagKey.2=a", "Action=DescribeTags&MaxRecords=-1", "Action=%00", "Version=&Action=&Action=",
	} {
		f.Add(seed)
	}
	b := newBench(f, nil)
	f.Fuzz(func(t *testing.T, body string) {
		fuzzed(t, b, "redshift", wiretest.Raw("POST", "/", "application/x-www-form-urlencoded", body))
	})
}

func FuzzJSONRequest(f *testing.F) {
	f.Add("DynamoDB_20120810.PutItem", `{"TableName":"orders","Item":{"a":{"M":{"b":{"L":[{"N":"1"},{"BS":["AA=="]}]}}}},"Expected":{"a":{"Exists":true}}}`)
	f.Add("DynamoDBStreams_20120810.DescribeStream", `{"StreamArn":"arn","Limit":1e2}`)
	f.Add("DynamoDB_20120810.", `{"Item":{"a":{}}}`)
	b := newBench(f, nil)
	f.Fuzz(func(t *testing.T, target, body string) {
		fuzzed(t, b, "dynamodb", wiretest.JSON(target, body))
	})
}

func FuzzRESTRequest(f *testing.F) {
	f.Add("x", `{"ActionConnectorId":"c","Name":"n","Type":"SLACK","AuthenticationConfig":{"AuthenticationType":"NONE","AuthenticationMetadata":{"NoneConnectionMetadata":{"BaseEndpoint":"https://e"}}}}`)
	f.Add("%2F", `{"Tags":[{"Key":"a","Value":"b"}],"Permissions":[{"Principal":"p","Actions":["a"]}]}`)
	b := newBench(f, nil)
	f.Fuzz(func(t *testing.T, query, body string) {
		if _, err := url.ParseQuery(query); err != nil {
			t.Skip("no client could sign this")
		}
		r := wiretest.REST("POST", "/accounts/123456789012/action-connectors", body)
		r.URL.RawQuery = query
		fuzzed(t, b, "quicksight", r)
	})
}
