package invoke_test

import (
	"testing"

	"github.com/penstock-io/penstock/internal/action/invoke"
)

// Headers that an action stands or falls with, by the vendors' documentation and by hand: services of AWS tell their
// operations apart by them.
func TestVendorHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ, action, arguments, header, want string
	}{
		{"AMAZON_BEDROCK_DATA_AUTOMATION_RUNTIME", "InvokeDataAutomationAsync", `{"inputConfiguration":{"s3Uri":"s3://a/b"},"outputConfiguration":{"s3Uri":"s3://a/c"},"dataAutomationProfileArn":"arn:x"}`, target, "AmazonBedrockKeystoneRuntimeService.InvokeDataAutomationAsync"},
		{"AMAZON_BEDROCK_DATA_AUTOMATION_RUNTIME", "GetDataAutomationStatus", `{"invocationArn":"arn:y"}`, target, "AmazonBedrockKeystoneRuntimeService.GetDataAutomationStatus"},
		{"AMAZON_COMPREHEND", "ClassifyDocument", `{"EndpointArn":"arn:e","Text":"x"}`, target, "Comprehend_20171127.ClassifyDocument"},
		{"AMAZON_COMPREHEND", "DetectKeyPhrases", `{"Text":"x","LanguageCode":"en"}`, target, "Comprehend_20171127.DetectKeyPhrases"},
		{"AMAZON_COMPREHEND", "DetectSentiment", `{"Text":"x","LanguageCode":"de"}`, target, "Comprehend_20171127.DetectSentiment"},
		{"AMAZON_COMPREHEND", "DetectEntities", `{"Text":"x","LanguageCode":"en"}`, target, "Comprehend_20171127.DetectEntities"},
		{"AMAZON_COMPREHEND_MEDICAL", "DetectEntities", `{"Text":"x"}`, target, "ComprehendMedical_20181030.DetectEntitiesV2"},
		{"AMAZON_COMPREHEND_MEDICAL", "DetectPHI", `{"Text":"x"}`, target, "ComprehendMedical_20181030.DetectPHI"},
		{"AMAZON_COMPREHEND_MEDICAL", "InferICD10CM", `{"Text":"x"}`, target, "ComprehendMedical_20181030.InferICD10CM"},
		{"AMAZON_COMPREHEND_MEDICAL", "InferRxNorm", `{"Text":"x"}`, target, "ComprehendMedical_20181030.InferRxNorm"},
		{"AMAZON_COMPREHEND_MEDICAL", "InferSNOMEDCT", `{"Text":"x"}`, target, "ComprehendMedical_20181030.InferSNOMEDCT"},
		{"AMAZON_S3", "CopyObject", `{"Bucket":"b","Key":"k","CopySource":"other/dir/a b+ü"}`, "X-Amz-Copy-Source", "other/dir/a%20b%2B%C3%BC"},
		{"AMAZON_S3", "DownloadFile", `{"Bucket":"b","Key":"k","Range":"bytes=0-9"}`, "Range", "bytes=0-9"},
		{"JIRA_CLOUD", "AddAttachment", `{"key":"OPS-7","file":"hi","fileName":"a.txt"}`, "X-Atlassian-Token", "no-check"},
		{"SAP_BUSINESSPARTNER", "getBusinessPartner", `{}`, "Accept", "application/json"},
		{"BAMBOO_HR", "ListEmployees", `{}`, "Accept", "application/json"},
		{"PAGERDUTY_ADVANCE", "AddNote", `{"id":"PI1","note":{"content":"looking"}}`, "From", "me@example.com"},
		{"PAGERDUTY_ADVANCE", "CreateIncident", `{"From":"other@example.com","incident":{"title":"Down","service":{"id":"PS1"}}}`, "From", "other@example.com"},
		{"PAGERDUTY_ADVANCE", "ListIncidents", `{}`, "From", ""},
	} {
		server := vendor(t, c.typ)
		auth := authOf(c.typ)
		if c.typ == "PAGERDUTY_ADVANCE" {
			auth = key("pdkey", "me@example.com")
		}
		e := engine(t, invoke.Config{}, server.Server)
		if _, err := e.Invoke(t.Context(), call(c.typ, server.URL, auth, c.action, c.arguments)); err != nil {
			t.Errorf("%s %s: %v", c.typ, c.action, err)
			continue
		}
		requests := server.Requests()
		if got := requests[len(requests)-1].Header.Get(c.header); got != c.want {
			t.Errorf("%s %s: the header %s is %q, want %q", c.typ, c.action, c.header, got, c.want)
		}
	}
}
