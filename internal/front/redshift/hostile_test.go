package redshift_test

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/front/fronttest"
	"github.com/penstock-io/penstock/internal/wire/wiretest"
)

// Bad input gets the error that fits and changes nothing.
func TestHostile(t *testing.T) {
	long := strings.Repeat("x", 4096)
	integration := func(params ...string) []string { return with(newIntegration, params...) }
	cluster := func(params ...string) []string { return with(newCluster, params...) }
	partner := func(params ...string) []string { return with(aPartner, params...) }
	policy := func(text string) []string { return []string{"ResourceArn", namespace, "Policy", text} }
	table := []struct {
		action string
		params []string
		code   string
	}{
		{"CreateIntegration", nil, "ValidationError"},
		{"CreateIntegration", integration("IntegrationName", "1st"), "ValidationError"},
		{"CreateIntegration", integration("IntegrationName", "a_b"), "ValidationError"},
		{"CreateIntegration", integration("IntegrationName", "a--b"), "ValidationError"},
		{"CreateIntegration", integration("IntegrationName", "a-"), "ValidationError"},
		{"CreateIntegration", integration("IntegrationName", strings.Repeat("a", 64)), "ValidationError"},
		{"CreateIntegration", integration("IntegrationName", "orders\n"), "ValidationError"},
		{"CreateIntegration", integration("IntegrationName", "o\x00rders"), "MalformedQueryString"},
		{"CreateIntegration", integration("IntegrationName", "o\xffrders"), "MalformedQueryString"},
		{"CreateIntegration", integration("Description", strings.Repeat("d", 1001)), "ValidationError"},
		{"CreateIntegration", integration("SourceArn", "orders"), "ValidationError"},
		{"CreateIntegration", integration("SourceArn", "arn:aws:sqs:us-east-1:123456789012:queue"), "ValidationError"},
		{"CreateIntegration", integration("SourceArn", "arn:aws:s3:::bucket/key"), "ValidationError"},
		{"CreateIntegration", integration("SourceArn", "arn:aws:s3:::"+strings.Repeat("b", 250)), "ValidationError"},
		{"CreateIntegration", integration("SourceArn", "arn:aws:s3:eu-west-1::orders"), "UnsupportedOperation"},
		{"CreateIntegration", integration("SourceArn", "arn:aws:dynamodb:us-east-1:210987654321:table/t"), "UnsupportedOperation"},
		{"CreateIntegration", integration("SourceArn", "arn:aws:dynamodb:us-east-1:123456789012:table/t/index/i"), "ValidationError"},
		{"CreateIntegration", integration("TargetArn", "arn:aws:redshift:us-east-1:123456789012:cluster:default"), "ValidationError"},
		{"CreateIntegration", integration("TargetArn", "arn:aws:redshift:us-east-1:12345:namespace:x"), "ValidationError"},
		{"CreateIntegration", integration("TargetArn", "arn:aws:redshift:eu-west-1:123456789012:namespace:x"), "UnsupportedOperation"},
		{"CreateIntegration", integration("Nonsense", "1"), "ValidationError"},
		{"CreateIntegration", integration("SourceArn.1", "x"), "MalformedInput"},
		{"CreateIntegration", integration("TagList.Tag.2.Key", "a"), "MalformedInput"},
		{"CreateIntegration", integration("TagList.Tag.1.Key", "a", "TagList.Tag.2.Key", "a"), "InvalidTagFault"},
		{"CreateIntegration", integration("TagList.Tag.1.Key", strings.Repeat("k", 129)), "InvalidTagFault"},
		{"CreateIntegration", integration("TagList.Tag.1.Key", "k", "TagList.Tag.1.Value", strings.Repeat("v", 257)), "InvalidTagFault"},
		{"CreateIntegration", integration("TagList.Tag.1.Key", "<k>"), "InvalidTagFault"},
		{"CreateIntegration", integration("AdditionalEncryptionContext.entry.1.key", "k"), "MalformedInput"},

		{"DescribeIntegrations", []string{"MaxRecords", "19"}, "ValidationError"},
		{"DescribeIntegrations", []string{"MaxRecords", "101"}, "ValidationError"},
		{"DescribeIntegrations", []string{"MaxRecords", "99999999999"}, "MalformedInput"},
		{"DescribeIntegrations", []string{"MaxRecords", "twenty"}, "MalformedInput"},
		{"DescribeIntegrations", []string{"Marker", "nonsense"}, "ValidationError"},
		{"DescribeIntegrations", []string{"Marker", long}, "ValidationError"},
		{"DescribeIntegrations", []string{"IntegrationArn", integrationARN(3) + " "}, "ValidationError"},
		{"DescribeIntegrations", []string{"IntegrationArn", "arn:aws:redshift:us-east-1:123456789012:integration:*"}, "ValidationError"},
		{"DescribeIntegrations", []string{"Filters.DescribeIntegrationsFilter.1.Name", "color", "Filters.DescribeIntegrationsFilter.1.Values.Value.1", "red"}, "ValidationError"},
		{"DescribeIntegrations", []string{"Filters.DescribeIntegrationsFilter.1.Name", "status"}, "ValidationError"},
		{"DescribeIntegrations", []string{"Filters.DescribeIntegrationsFilter.1.Name", "status", "Filters.DescribeIntegrationsFilter.1.Values", ""}, "ValidationError"},
		{"DescribeIntegrations", []string{"Filters.DescribeIntegrationsFilter.1.Name", "status", "Filters.DescribeIntegrationsFilter.1.Values.Value.1", "happy"}, "ValidationError"},
		{"DescribeIntegrations", []string{"Filters.DescribeIntegrationsFilter.1.Name", "source-arn", "Filters.DescribeIntegrationsFilter.1.Values.Value.1", "orders"}, "ValidationError"},
		{"DescribeInboundIntegrations", []string{"TargetArn", "default"}, "ValidationError"},
		{"DescribeInboundIntegrations", []string{"MaxRecords", "0"}, "ValidationError"},
		{"ModifyIntegration", []string{"IntegrationArn", integrationARN(3)}, "ValidationError"},
		{"ModifyIntegration", []string{"Description", "x"}, "ValidationError"},
		{"DeleteIntegration", nil, "ValidationError"},

		{"AddPartner", nil, "ValidationError"},
		{"AddPartner", partner("AccountId", "12345"), "ValidationError"},
		{"AddPartner", partner("AccountId", "12345678901x"), "ValidationError"},
		{"AddPartner", partner("DatabaseName", "d"), "ValidationError"},
		{"AddPartner", partner("DatabaseName", "1dev"), "ValidationError"},
		{"AddPartner", partner("DatabaseName", strings.Repeat("d", 128)), "ValidationError"},
		{"AddPartner", partner("PartnerName", "Data Coral"), "ValidationError"},
		{"AddPartner", partner("PartnerName", strings.Repeat("p", 256)), "ValidationError"},
		{"AddPartner", partner("ClusterIdentifier", strings.Repeat("c", 64)), "ValidationError"},
		{"UpdatePartnerStatus", partner("Status", "Sleepy"), "ValidationError"},
		{"UpdatePartnerStatus", partner("Status", "Active", "StatusMessage", "línea"), "ValidationError"},
		{"DescribePartners", []string{"ClusterIdentifier", "default"}, "ValidationError"},

		{"PutResourcePolicy", policy(""), "InvalidPolicyFault"},
		{"PutResourcePolicy", policy("null"), "InvalidPolicyFault"},
		{"PutResourcePolicy", policy("[]"), "InvalidPolicyFault"},
		{"PutResourcePolicy", policy(strings.Repeat("[", 10000)), "InvalidPolicyFault"},
		{"PutResourcePolicy", policy(`{"Statement":` + strings.Repeat("[", 5000)), "InvalidPolicyFault"},
		{"PutResourcePolicy", policy(strings.Repeat(" ", 30000) + aPolicy), "InvalidPolicyFault"},
		{"PutResourcePolicy", policy(aPolicy + "x"), "InvalidPolicyFault"},
		{"PutResourcePolicy", []string{"ResourceArn", "default", "Policy", aPolicy}, "ResourceNotFoundFault"},
		{"PutResourcePolicy", []string{"ResourceArn", long, "Policy", aPolicy}, "ResourceNotFoundFault"},
		{"GetResourcePolicy", nil, "ValidationError"},
		{"DeleteResourcePolicy", []string{"ResourceArn", ""}, "ResourceNotFoundFault"},

		{"CreateTags", []string{"ResourceName", integrationARN(3)}, "ValidationError"},
		{"CreateTags", []string{"ResourceName", "arn:aws:redshift:us-east-1:123456789012:cluster:default", "Tags", ""}, "InvalidTagFault"},
		{"CreateTags", []string{"ResourceName", "arn:aws:s3:::bucket", "Tags.Tag.1.Key", "k"}, "ResourceNotFoundFault"},
		{"CreateTags", []string{"ResourceName", "arn:aws:redshift:us-east-1:210987654321:cluster:default", "Tags.Tag.1.Key", "k"}, "ResourceNotFoundFault"},
		{"DeleteTags", []string{"ResourceName", "arn:aws:redshift:us-east-1:123456789012:cluster:default", "TagKeys", ""}, "InvalidTagFault"},
		{"DescribeTags", []string{"ResourceName", integrationARN(3), "ResourceType", "integration"}, "ValidationError"},
		{"DescribeTags", []string{"ResourceName", integrationARN(3), "MaxRecords", "20"}, "ValidationError"},
		{"DescribeTags", []string{"ResourceType", "spaceship"}, "ValidationError"},
		{"DescribeTags", []string{"MaxRecords", "9"}, "ValidationError"},
		{"DescribeTags", []string{"MaxRecords", "51"}, "ValidationError"},
		{"DescribeTags", []string{"Marker", "W10"}, "ValidationError"},

		{"CreateCluster", nil, "ValidationError"},
		{"CreateCluster", cluster("ClusterIdentifier", "Sales"), "ValidationError"},
		{"CreateCluster", cluster("ClusterIdentifier", "../etc"), "ValidationError"},
		{"CreateCluster", cluster("NodeType", "big"), "ValidationError"},
		{"CreateCluster", cluster("MasterUsername", "Robert'); DROP TABLE--"), "ValidationError"},
		{"CreateCluster", cluster("MasterUserPassword", "short"), "ValidationError"},
		{"CreateCluster", cluster("MasterUserPassword", "nouppercase1"), "ValidationError"},
		{"CreateCluster", cluster("MasterUserPassword", ""), "ValidationError"},
		{"CreateCluster", cluster("ManageMasterPassword", "true"), "ValidationError"},
		{"CreateCluster", cluster("DBName", "select"), "ValidationError"},
		{"CreateCluster", cluster("DBName", `a"b`), "ValidationError"},
		{"CreateCluster", cluster("Port", "80"), "ValidationError"},
		{"CreateCluster", cluster("Port", "65536"), "ValidationError"},
		{"CreateCluster", cluster("Encrypted", "yes"), "MalformedInput"},
		{"CreateCluster", cluster("Encrypted", "false", "KmsKeyId", "alias/mine"), "ValidationError"},
		{"CreateCluster", cluster("ClusterType", "triple-node"), "ValidationError"},
		{"CreateCluster", cluster("ClusterType", "single-node", "NumberOfNodes", "3"), "ValidationError"},
		{"CreateCluster", cluster("NumberOfNodes", "-1"), "ValidationError"},
		{"CreateCluster", cluster("ClusterVersion", "9.9"), "ValidationError"},
		{"CreateCluster", cluster("IpAddressType", "ipv9"), "ValidationError"},
		{"CreateCluster", cluster("AquaConfigurationStatus", "wet"), "ValidationError"},
		{"CreateCluster", cluster("IamRoles.IamRoleArn.1", "root"), "ValidationError"},
		{"CreateCluster", cluster("CatalogName", "UPPER"), "ValidationError"},
		{"CreateCluster", cluster("CatalogName", "mine"), "UnsupportedOperation"},
		{"CreateCluster", cluster("LoadSampleData", "tickit"), "UnsupportedOperation"},
		{"CreateCluster", cluster("MasterPasswordSecretKmsKeyId", "alias/mine"), "UnsupportedOperation"},
		{"ModifyCluster", []string{"ClusterIdentifier", "default", "NewClusterIdentifier", "other"}, "InvalidClusterState"},
		{"ModifyCluster", []string{"ClusterIdentifier", "default", "MasterPasswordSecretKmsKeyId", "alias/mine"}, "UnsupportedOptionFault"},
		{"DescribeClusters", []string{"MaxRecords", "101"}, "ValidationError"},
		{"DescribeClusters", []string{"Marker", "nonsense"}, "ValidationError"},
		{"DeleteCluster", []string{"ClusterIdentifier", "default"}, "ValidationError"},
		{"DeleteCluster", []string{"ClusterIdentifier", "default", "SkipFinalClusterSnapshot", "true", "FinalClusterSnapshotIdentifier", "x"}, "ValidationError"},
		{"DeleteCluster", []string{"ClusterIdentifier", "default", "SkipFinalClusterSnapshot", "true"}, "InvalidClusterState"},
		{"DescribeLoggingStatus", nil, "ValidationError"},

		{"GetClusterCredentials", []string{"DbUser", "boss"}, "UnsupportedOperation"},
		{"GetClusterCredentialsWithIAM", nil, "UnsupportedOperation"},
		{"RebootCluster", []string{"ClusterIdentifier", "default"}, "InvalidAction"},
	}
	e := newEnv(t)
	before := state(e)
	for _, bad := range table {
		name := bad.action + " " + strings.Join(bad.params, " ")
		t.Run(name[:min(len(name), 100)], func(t *testing.T) {
			w := e.Client().Do(t, "redshift", wiretest.Query(bad.action, bad.params...))
			code, message := fronttest.ErrorOf(t, w)
			if code != bad.code || w.Code >= 500 || message == "" {
				t.Errorf("got %d %s %q, want %s", w.Code, code, message, bad.code)
			}
			if strings.Contains(w.Body.String(), "Secret123") {
				t.Error("the answer shows the password")
			}
		})
	}
	if after := state(e); after != before {
		t.Errorf("refused requests changed something:\n%s\nbefore:\n%s", after, before)
	}
}

// state is what there is, apart from request ids.
func state(e env) string {
	var all []string
	for _, action := range []string{"DescribeIntegrations", "DescribeClusters", "DescribeTags"} {
		body := e.must(action).Body.String()
		all = append(all, body[:strings.Index(body, "<ResponseMetadata>")])
	}
	return strings.Join(all, "\n")
}

// A list read page by page, from each marker it gives out, is the whole list, also when entries come and go.
func TestPaging(t *testing.T) {
	e := newEnv(t)
	const n = 45
	for i := range n {
		e.must("CreateIntegration", with(newIntegration, "SourceArn", fmt.Sprintf("arn:aws:s3:::b-%02d", i), "IntegrationName", fmt.Sprintf("i%02d", i),
			"TagList.Tag.1.Key", "n", "TagList.Tag.1.Value", fmt.Sprint(i), "TagList.Tag.2.Key", "all", "TagList.Tag.2.Value", "x")...)
	}
	names := func(action, size string, params ...string) (all []string) {
		t.Helper()
		marker, pages := "", 0
		for {
			p := append([]string{"MaxRecords", size}, params...)
			if marker != "" {
				p = append(p, "Marker", marker)
			}
			var out struct {
				Integration []string `xml:"DescribeIntegrationsResult>Integrations>Integration>IntegrationName"`
				Inbound     []string `xml:"DescribeInboundIntegrationsResult>InboundIntegrations>InboundIntegration>SourceArn"`
				Tag         []string `xml:"DescribeTagsResult>TaggedResources>TaggedResource>ResourceName"`
			}
			body := e.must(action, p...).Body.Bytes()
			if err := xml.Unmarshal(body, &out); err != nil {
				t.Fatal(err)
			}
			page := slices.Concat(out.Integration, out.Inbound, out.Tag)
			all = append(all, page...)
			marker = between(string(body), "<Marker>", "</Marker>")
			if pages++; marker == "" {
				return all
			}
			if fmt.Sprint(len(page)) != size {
				t.Fatalf("%s: page %d has %d entries and a marker, want %s", action, pages, len(page), size)
			}
		}
	}
	if got := names("DescribeIntegrations", "20"); len(got) != n || !slices.IsSorted(got) || len(slices.Compact(got)) != n {
		t.Errorf("DescribeIntegrations gave %d: %v", len(got), got)
	}
	if got := names("DescribeInboundIntegrations", "20", "TargetArn", serverless); len(got) != n || len(slices.Compact(got)) != n {
		t.Errorf("DescribeInboundIntegrations gave %d: %v", len(got), got)
	}
	if got := names("DescribeTags", "10"); len(got) != 2*n || !slices.IsSorted(got) {
		t.Errorf("DescribeTags gave %d: %v", len(got), got)
	}
	if got := names("DescribeTags", "10", "TagKeys.TagKey.1", "all"); len(got) != n || len(slices.Compact(got)) != n {
		t.Errorf("DescribeTags of one key gave %d: %v", len(got), got)
	}

	// The marker of the first page still works when the integration it stands for is gone.
	marker := between(e.must("DescribeIntegrations", "MaxRecords", "20").Body.String(), "<Marker>", "</Marker>")
	e.Supervise()
	e.must("DeleteIntegration", "IntegrationArn", integrationARN(3+19))
	e.Supervise()
	if body := e.must("DescribeIntegrations", "MaxRecords", "20", "Marker", marker).Body.String(); !strings.Contains(body, "<IntegrationName>i20<") {
		t.Errorf("the page after a deleted integration is %s", body)
	}
	if body := e.must("DescribeTags", "ResourceName", integrationARN(3)).Body.String(); strings.Count(body, "<TaggedResource>") != 2 || strings.Contains(body, "<Marker>") {
		t.Errorf("the tags of one integration are %s", body)
	}
}

func between(s, from, to string) string {
	_, s, found := strings.Cut(s, from)
	if !found {
		return ""
	}
	s, _, _ = strings.Cut(s, to)
	return s
}
