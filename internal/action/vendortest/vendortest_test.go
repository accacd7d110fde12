package vendortest

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A server that takes anything would prove nothing.
func TestWrongRequestsAreTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ, method, target, contentType, header, body string
		action                                         string // empty: it is wrong
		problem                                        string
	}{
		{"JIRA_CLOUD", "POST", "/rest/api/3/issue", "application/json", "", `{"fields":{"project":{"key":"X"},"issuetype":{"name":"Bug"},"summary":"s"}}`, "CreateIssue", ""},
		{"JIRA_CLOUD", "POST", "/rest/api/3/issue", "application/json", "", `{"fields":{"project":{"key":"X"}}}`, "", "issuetype"},
		{"JIRA_CLOUD", "POST", "/rest/api/3/issue", "text/plain", "", `{}`, "", "Content-Type"},
		{"JIRA_CLOUD", "POST", "/rest/api/3/issue", "application/json", "", ``, "", "body is missing"},
		{"JIRA_CLOUD", "POST", "/rest/api/3/issues", "application/json", "", `{}`, "", "has no POST"},
		{"JIRA_CLOUD", "GET", "/rest/api/3/issue/X-1?field=summary", "", "", "", "", "query field is not known"},
		{"JIRA_CLOUD", "GET", "/rest/api/3/issue/X-1/more", "", "", "", "", "has no GET"},
		{"SLACK", "GET", "/conversations.history", "", "", "", "", "query channel is missing"},
		{"AMAZON_TEXTRACT", "POST", "/", "application/x-amz-json-1.1", "", `{"Document":{"Bytes":"x"},"FeatureTypes":["FORMS"]}`, "", "header X-Amz-Target is missing"},
		{"AMAZON_TEXTRACT", "POST", "/", "application/x-amz-json-1.1", "Textract.AnalyzeDocument", `{"Document":{"Bytes":"x"},"FeatureTypes":["FORMS"]}`, "BasicDocumentAnalysis", ""},
		{"SAP_MATERIALSTOCK", "GET", "/A_MatlStkInAcctMod?$format=xml", "", "", "", "", "not \"json\""},
	} {
		s, err := New(c.typ)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.target, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", c.contentType)
		if c.header != "" {
			r.Header.Set("X-Amz-Target", c.header)
		}
		resp, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		got := s.Requests()[0]
		if right := c.action != ""; right != (resp.StatusCode < 300) || right && !slices.Contains(got.Actions, c.action) || !right && !strings.Contains(strings.Join(got.Problems, "; "), c.problem) {
			t.Errorf("%s %s: %d, %v, %v", c.method, c.target, resp.StatusCode, got.Actions, got.Problems)
		}
		s.Close()
	}
}
