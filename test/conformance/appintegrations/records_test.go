package appintegrations

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/appintegrations"
	"github.com/aws/aws-sdk-go-v2/service/appintegrations/types"

	"github.com/penstock-io/penstock/internal/transfer/vendors"
	"github.com/penstock-io/penstock/internal/transfer/vendors/vendortest"
)

// withVendors writes a configuration with a profile "test" for each vendor.
func withVendors(t *testing.T, fakes map[vendors.Vendor]*vendortest.Fake) string {
	t.Helper()
	text := "profiles:\n"
	for v, f := range fakes {
		p := f.Profile()
		text += fmt.Sprintf("  %s:\n    test:\n      base_url: %q\n      ca_file: %q\n      page_size: %d\n      auth: {type: oauth2_client_credentials, client_id: %s, client_secret: \"env:PENSTOCK_TEST_CLIENT_SECRET\"}\n",
			v, p.BaseURL, p.CAFile, p.PageSize, vendortest.ClientID)
	}
	path := filepath.Join(t.TempDir(), "penstock.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// recordsOf makes a data integration of an object's records.
func (w *world) recordsOf(name string, v vendors.Vendor, object string) string {
	w.Helper()
	d, err := w.app.CreateDataIntegration(w.Context(), &sdk.CreateDataIntegrationInput{
		Name: &name, KmsKey: aws.String(key), SourceURI: aws.String(v.Name() + "://AppFlow/test"),
		ObjectConfiguration: map[string]map[string][]string{v.Name(): {object: {"_all"}}},
	})
	w.must(err)
	return aws.ToString(d.Id)
}

// TestEveryVendor takes the records of every vendor into tables, where columns and types are made.
func TestEveryVendor(t *testing.T) {
	t.Setenv("PENSTOCK_TEST_CLIENT_SECRET", vendortest.ClientSecret)
	fakes := map[vendors.Vendor]*vendortest.Fake{}
	for _, v := range vendors.Vendors() {
		fakes[v] = vendortest.New(t, v)
		fakes[v].Add(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 10)
	}
	w := start(t, "--config", withVendors(t, fakes))
	for v, query := range map[vendors.Vendor]string{
		vendors.Salesforce: `SELECT count(*), sum(rank), count(CASE WHEN open THEN 1 END), max(parts.a[0]::int), max(systemmodstamp) = '2026-03-01 12:00:09+00' FROM public.salesforce`,
		vendors.ServiceNow: `SELECT count(*), sum(rank::int), count(CASE WHEN open = 'true' THEN 1 END), 10, max(sys_updated_on) = '2026-03-01 12:00:09' FROM public.servicenow`,
		vendors.Zendesk:    `SELECT count(*), sum(rank), count(CASE WHEN open THEN 1 END), max(parts.a[0]::int), max(updated_at) = '2026-03-01T12:00:09Z' FROM public.zendesk`,
	} {
		d := w.recordsOf(string(v), v, fakes[v].Object)
		w.associate(d, "redshift://default/dev/public/"+string(v), onDemand())
		w.completed(d)
		rows, err := w.SQL(t.Context(), query)
		if err != nil || fmt.Sprint(rows) != "[[10 55 5 10 true]]" {
			t.Errorf("%s: the table has %v, %v", v, rows, err)
		}
	}
	// A vendor that lets nobody in is a failure that says so, without a secret in it.
	fakes[vendors.Zendesk].Refuse()
	d := w.recordsOf("refused", vendors.Zendesk, "tickets")
	w.associate(d, "s3://destination/refused", onDemand())
	if last := w.ended(d); last.ExecutionStatus != types.ExecutionStatusFailed || !strings.Contains(aws.ToString(last.StatusMessage), "credentials") && !strings.Contains(aws.ToString(last.StatusMessage), "token") {
		t.Errorf("refused: %s %s", last.ExecutionStatus, aws.ToString(last.StatusMessage))
	}
	if log := strings.Join(w.Log(), "\n"); strings.Contains(log, vendortest.ClientSecret) {
		t.Error("the client secret is in the log")
	}
	// So is a profile that is not configured, at once.
	_, err := w.app.CreateDataIntegration(t.Context(), &sdk.CreateDataIntegrationInput{Name: aws.String("none"), KmsKey: aws.String(key), SourceURI: aws.String("Zendesk://AppFlow/other")})
	if err == nil || !strings.Contains(err.Error(), "other") {
		t.Errorf("a profile that is not there: %v", err)
	}
}

// TestRecordsAsParquet writes records as Parquet, which COPY reads.
func TestRecordsAsParquet(t *testing.T) {
	t.Setenv("PENSTOCK_TEST_CLIENT_SECRET", vendortest.ClientSecret)
	f := vendortest.New(t, vendors.ServiceNow)
	f.Add(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 10)
	w := start(t, "--transfer-format", "parquet", "--config", withVendors(t, map[vendors.Vendor]*vendortest.Fake{vendors.ServiceNow: f}))
	d, err := w.app.CreateDataIntegration(t.Context(), &sdk.CreateDataIntegrationInput{
		Name: aws.String("incidents"), KmsKey: aws.String(key), SourceURI: aws.String("Servicenow://AppFlow/test"),
		ObjectConfiguration: map[string]map[string][]string{"ServiceNow": {"incident": {"sys_id", "title"}}},
	})
	w.must(err)
	w.associate(aws.ToString(d.Id), "s3://destination/parquet", onDemand())
	w.completed(aws.ToString(d.Id))
	if keys := w.keys("parquet/123456789012/incidents/", 1); len(keys) != 1 || !strings.HasSuffix(keys[0], ".parquet") {
		t.Fatalf("the objects are %v", keys)
	}
	for _, sql := range []string{
		"CREATE TABLE public.incidents (sys_id varchar(32), title varchar(100))",
		"COPY public.incidents FROM 's3://destination/parquet/123456789012/incidents/' IAM_ROLE default FORMAT PARQUET",
	} {
		if _, err := w.SQL(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := w.SQL(t.Context(), "SELECT count(*), count(DISTINCT sys_id), max(title) LIKE 'record 9%' FROM public.incidents")
	if err != nil || fmt.Sprint(rows) != "[[10 10 true]]" {
		t.Errorf("the table has %v, %v", rows, err)
	}
}

// TestKillBetweenPages kills the server while a vendor has it wait, in the midst of the pages. After the restart the
// reading goes on, and every record is there once.
func TestKillBetweenPages(t *testing.T) {
	t.Setenv("PENSTOCK_TEST_CLIENT_SECRET", vendortest.ClientSecret)
	f := vendortest.New(t, vendors.Salesforce)
	f.Add(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 60)
	w := start(t, "--config", withVendors(t, map[vendors.Vendor]*vendortest.Fake{vendors.Salesforce: f}))
	f.Fail(append(make([]vendortest.Failure, 12), vendortest.Failure{Status: 429, RetryAfter: "600"})...)
	waits := w.Watch("a request to a source system is tried again")
	d := w.recordsOf("accounts", vendors.Salesforce, "Account")
	w.associate(d, "redshift://default/dev/public/accounts", onDemand())
	select {
	case <-waits:
	case <-time.After(patience):
		t.Fatal("the reading was not held up")
	}
	before, _ := f.Requests()
	w.must(w.Kill())
	w.boot()
	w.completed(d)
	after, _ := f.Requests()
	if again := len(after) - len(before); again > 14 { // 20 pages, 10 of them before
		t.Errorf("after the restart there were %d requests, after %d before it: the reading began anew", again, len(before))
	}
	rows, err := w.SQL(t.Context(), "SELECT count(*), count(DISTINCT id) FROM public.accounts")
	if err != nil || fmt.Sprint(rows) != "[[60 60]]" {
		t.Errorf("the table has %v, %v", rows, err)
	}
}
