package appint_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/appint"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/store/storetest"
)

var epoch = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is a service over a store in memory, with a clock that stands still.
type world struct {
	*appint.Service
	t        *testing.T
	now      time.Time
	ids      int
	notified atomic.Int64
	invalid  error // what Validate returns
	planned  appint.Plan
}

func newWorld(t *testing.T, change ...func(*appint.Config)) *world {
	w := &world{t: t, now: epoch}
	c := appint.Config{
		Partition: "aws", Region: "us-east-1", Account: "123456789012", Stores: storetest.NewMemory().AppIntegrations(), Profiles: profiles{},
		Now:    func() time.Time { return w.now },
		NewID:  func() string { w.ids++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", w.ids) },
		Notify: func() { w.notified.Add(1) }, Quotas: appint.DefaultQuotas(), Reassociate: true,
		Validate: func(p appint.Plan) error { w.planned = p; return w.invalid },
	}
	for _, f := range change {
		f(&c)
	}
	w.Service = appint.NewService(c)
	return w
}

type profiles struct{}

func (profiles) Profiles(vendor string) []string {
	if vendor == appint.Zendesk {
		return nil
	}
	return []string{"prod", "test"}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) integration(p appint.DataIntegrationParams) appint.DataIntegration {
	w.t.Helper()
	p.Name, p.KMSKey = fmt.Sprint("d", w.ids), "alias/key"
	if p.SourceURI == "" {
		p.SourceURI = "s3://source/in"
	}
	d, err := w.CreateDataIntegration(w.t.Context(), p)
	w.must(err)
	return d
}

func (w *world) associate(d appint.DataIntegration, p appint.AssociationParams) (appint.Association, error) {
	w.t.Helper()
	p.Integration = d.ID
	if p.DestinationURI == "" {
		p.DestinationURI = "s3://destination/out"
	}
	a, _, err := w.CreateAssociation(w.t.Context(), p)
	return a, err
}

func scheduled(expression, from string) appint.Run {
	return appint.Run{Mode: appint.Scheduled, Schedule: appint.Schedule{Expression: expression, FirstExecutionFrom: from}}
}

// When a new schedule is first due, and where its first window begins.
func TestFirstExecution(t *testing.T) {
	for _, tc := range []struct{ expression, from, due, since string }{
		{"rate(1 hour)", "", "2026-11-21T13:00:00Z", ""},
		{"rate(1 hour)", "1439788442681", "2026-11-21T13:00:00Z", "2015-08-17T05:14:02.681Z"},
		{"rate(1 hour)", "2024-01-01T00:00:00Z", "2026-11-21T13:00:00Z", "2024-01-01T00:00:00Z"},
		{"rate(1 hour)", "2024-01-01T01:00:00+01:00", "2026-11-21T13:00:00Z", "2024-01-01T00:00:00Z"},
		{"rate(1 hour)", "2024-01-01", "2026-11-21T13:00:00Z", "2024-01-01T00:00:00Z"},
		{"rate(1 hour)", "2026-12-01T00:30:00Z", "2026-12-01T01:30:00Z", "2026-12-01T00:30:00Z"}, // nothing to read before that
		{"cron(0 12 * * ? *)", "", "2026-11-22T12:00:00Z", ""},
		{"cron(0 12 * * ? *)", "2026-12-01T12:00:00Z", "2026-12-02T12:00:00Z", "2026-12-01T12:00:00Z"},
		{"at(2026-11-21T12:00:01)", "", "2026-11-21T12:00:01Z", ""},
	} {
		w := newWorld(t)
		a, err := w.associate(w.integration(appint.DataIntegrationParams{}), appint.AssociationParams{Run: scheduled(tc.expression, tc.from)})
		w.must(err)
		since := ""
		if !a.Since.IsZero() {
			since = a.Since.Format(time.RFC3339Nano)
		}
		if got := a.NextDue.Format(time.RFC3339); got != tc.due || since != tc.since {
			t.Errorf("%s from %q is due at %s and reads from %s, want %s and %s", tc.expression, tc.from, got, since, tc.due, tc.since)
		}
	}
	for _, tc := range [][2]string{{"at(2026-11-21T12:00:00)", ""}, {"cron(0 0 1 1 ? 2026)", ""}, {"at(2026-12-01T00:00:00)", "2026-12-02T00:00:00Z"}, {"cron(0 0 1 1 ? 2027)", "2028-01-01"}, {"rate(1 hour)", "2200-01-01"}} {
		w := newWorld(t)
		if _, err := w.associate(w.integration(appint.DataIntegrationParams{}), appint.AssociationParams{Run: scheduled(tc[0], tc[1])}); !fault.Is(err, fault.Invalid, appint.SubjectSchedule) {
			t.Errorf("%s from %q: %v, want Invalid", tc[0], tc[1], err)
		}
	}
}

// Without a configuration of its own an association follows its data integration, if it has somewhere to write to.
func TestInheritedSchedule(t *testing.T) {
	w := newWorld(t)
	d := w.integration(appint.DataIntegrationParams{Schedule: appint.Schedule{Expression: "rate(1 hour)", FirstExecutionFrom: "2026-01-01"}})
	a, err := w.associate(d, appint.AssociationParams{})
	w.must(err)
	if !a.NextDue.Equal(epoch.Add(time.Hour)) || a.Expression != "rate(1 hour)" || a.Run.Mode != "" || !a.Since.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the association is %+v", a)
	}
	client, _, err := w.CreateAssociation(t.Context(), appint.AssociationParams{Integration: d.ID, ClientID: "knowledge-base"})
	w.must(err)
	if !client.NextDue.IsZero() || client.Last.ExecutionID != "" {
		t.Errorf("an association without a destination runs: %+v", client)
	}
	if _, err := w.RunNow(t.Context(), d.ID, client.ID, "", ""); !fault.Is(err, fault.Invalid, appint.SubjectDestination) {
		t.Errorf("running it: %v", err)
	}
	quiet, err := w.associate(w.integration(appint.DataIntegrationParams{}), appint.AssociationParams{})
	w.must(err)
	if !quiet.NextDue.IsZero() {
		t.Errorf("due at %s without a schedule", quiet.NextDue)
	}
	if e, err := w.RunNow(t.Context(), quiet.IntegrationID, quiet.ID, "", ""); err != nil || !e.Incremental {
		t.Errorf("running it: %+v, %v", e, err)
	}
}

// An update of the schedule keeps where the next window begins, unless it names a new start.
func TestScheduleUpdate(t *testing.T) {
	w := newWorld(t)
	d := w.integration(appint.DataIntegrationParams{})
	a, err := w.associate(d, appint.AssociationParams{Run: scheduled("rate(1 minute)", "2026-01-01")})
	w.must(err)
	w.now = epoch.Add(time.Minute)
	list, err := w.Claim(t.Context(), 9)
	w.must(err)
	if len(list) != 1 {
		t.Fatalf("%d were due", len(list))
	}
	_, err = w.Finish(t.Context(), list[0].ID, appint.Outcome{Status: appint.Completed})
	w.must(err)
	for _, tc := range []struct {
		run  appint.Run
		want time.Time
	}{
		{scheduled("rate(5 minutes)", "2026-01-01"), list[0].To},
		{scheduled("rate(5 minutes)", "2025-01-01"), time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)},
		{scheduled("rate(5 minutes)", ""), time.Time{}},
	} {
		w.must(w.UpdateAssociation(t.Context(), d.ID, a.ID, tc.run))
		got, err := w.Association(t.Context(), d.ID, a.ID)
		w.must(err)
		if !got.Since.Equal(tc.want) || !got.NextDue.Equal(w.now.Add(5*time.Minute)) {
			t.Errorf("after %+v the next window begins at %s and is due at %s", tc.run.Schedule, got.Since, got.NextDue)
		}
	}
	w.must(w.UpdateAssociation(t.Context(), d.ID, a.ID, appint.Run{Mode: appint.OnDemand, StartTime: "0"}))
	if got, err := w.Association(t.Context(), d.ID, a.ID); err != nil || !got.NextDue.IsZero() || got.Last.Status != appint.Waiting {
		t.Errorf("on demand it is %+v, %v", got, err)
	}
}

// What is read of a source of records, from all the places that may say so.
func TestObjects(t *testing.T) {
	fields := func(family, object string, names ...string) appint.Objects {
		return appint.Objects{family: {object: names}}
	}
	for _, tc := range []struct {
		name       string
		d          appint.DataIntegrationParams
		own        appint.Objects
		run        appint.Run
		object     string
		objects    string
		mustRefuse bool
	}{
		{name: "schedule", d: appint.DataIntegrationParams{Schedule: appint.Schedule{Expression: "rate(1 hour)", Object: "Account"}}, object: "Account", objects: "map[]"},
		{name: "own schedule wins", d: appint.DataIntegrationParams{Schedule: appint.Schedule{Expression: "rate(1 hour)", Object: "Account"}},
			run: appint.Run{Mode: appint.Scheduled, Schedule: appint.Schedule{Expression: "rate(1 hour)", Object: "Contact"}}, object: "Contact", objects: "map[]"},
		{name: "configuration", d: appint.DataIntegrationParams{Objects: fields("Salesforce", "Account", "Id", "Name")}, objects: "map[salesforce:map[Account:[Id Name]]]"},
		{name: "the other form", d: appint.DataIntegrationParams{Objects: fields("Account", "fields", "Id")}, objects: "map[salesforce:map[Account:[Id]]]"},
		{name: "narrowed", d: appint.DataIntegrationParams{Objects: fields("Salesforce", "Account", "Id", "Name")}, own: fields("x", "Account", "Name"), objects: "map[salesforce:map[Account:[Name]]]"},
		{name: "own alone", own: fields("x", "Account", "Name"), objects: "map[salesforce:map[Account:[Name]]]"},
		{name: "a field too many", d: appint.DataIntegrationParams{Objects: fields("Salesforce", "Account", "Id")}, own: fields("x", "Account", "Secret"), mustRefuse: true},
		{name: "another object", d: appint.DataIntegrationParams{Objects: fields("Salesforce", "Account", "Id")}, own: fields("x", "Contact", "Id"), mustRefuse: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			tc.d.SourceURI = "sAlEsForce://appflow/prod"
			if tc.run.Mode == "" && tc.d.Schedule.Expression == "" {
				tc.run = appint.Run{Mode: appint.OnDemand, StartTime: "0"}
			}
			a, err := w.associate(w.integration(tc.d), appint.AssociationParams{Objects: tc.own, Run: tc.run})
			if tc.mustRefuse {
				if !fault.Is(err, fault.Invalid, appint.SubjectObject) {
					t.Errorf("err = %v, want Invalid", err)
				}
				return
			}
			w.must(err)
			if a.Plan.Object != tc.object || fmt.Sprint(a.Plan.Objects) != tc.objects || fmt.Sprint(w.planned) != fmt.Sprint(a.Plan) {
				t.Errorf("the plan is %+v, validated was %+v", a.Plan, w.planned)
			}
		})
	}
}

// What the data plane says of a plan is the caller's mistake, whatever kind of fault it is, unless it is ours.
func TestValidate(t *testing.T) {
	w := newWorld(t)
	d := w.integration(appint.DataIntegrationParams{})
	run := appint.Run{Mode: appint.OnDemand, StartTime: "0"}
	for _, kind := range []fault.Kind{fault.Invalid, fault.Unsupported, fault.NotFound} {
		w.invalid = fault.New(kind, "filter", "there is no filter \"colour\"")
		if _, err := w.associate(d, appint.AssociationParams{Run: run}); !fault.Is(err, fault.Invalid, appint.SubjectPlan) || fault.Message(err) != "there is no filter \"colour\"" {
			t.Errorf("%v became %v", kind, err)
		}
	}
	w.invalid = errors.New("a defect")
	if _, err := w.associate(d, appint.AssociationParams{Run: run}); fault.KindOf(err) != fault.Internal {
		t.Errorf("a defect became %v", err)
	}
	w.invalid = nil
	before := w.notified.Load()
	a, err := w.associate(d, appint.AssociationParams{Run: run})
	w.must(err)
	if w.notified.Load() == before {
		t.Error("nobody was told of the execution")
	}
	w.invalid = fault.New(fault.Invalid, "filter", "no longer")
	if err := w.UpdateAssociation(t.Context(), d.ID, a.ID, run); !fault.Is(err, fault.Invalid, appint.SubjectPlan) {
		t.Errorf("an update: %v", err)
	}
}

func TestProfiles(t *testing.T) {
	w := newWorld(t)
	for uri, words := range map[string]string{
		"Salesforce://AppFlow/prod": "", "ServiceNow://AppFlow/test": "", "Servicenow://AppFlow/test": "", "SERVICENOW://appflow/test": "",
		"Salesforce://AppFlow/other": `those configured for salesforce are ["prod" "test"]`, "Zendesk://AppFlow/prod": "none is configured for zendesk",
		"Salesforce://AppFlow/a/b": "does not name a connector profile", "AmazonConnect://AppIntegrations": "Customer Profiles",
	} {
		_, err := w.CreateDataIntegration(t.Context(), appint.DataIntegrationParams{Name: fmt.Sprint(w.ids), KMSKey: "alias/key", SourceURI: uri})
		if words == "" && err != nil || words != "" && (fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.Message(err), words)) {
			t.Errorf("%s: %v, want %q", uri, err, words)
		}
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	for key, good := range map[string]bool{
		"arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab": true, "arn:aws:kms:eu-west-1:210987654321:alias/mine": true, "alias/mine": true,
		"1234abcd-12ab-34cd-56ef-1234567890ab": true, "mrk-1234abcd12ab34cd56ef1234567890ab": true, "arn:aws:kms:us-east-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab": true,
		"": false, "key": false, "arn:aws:kms:us-east-1:123456789012:grant/1": false, "arn:aws:s3:::bucket": false, "arn:aws:kms:us-east-1:1:key/x": false,
	} {
		_, err := w.CreateDataIntegration(t.Context(), appint.DataIntegrationParams{Name: fmt.Sprint(w.ids), KMSKey: key})
		if (err == nil) != good {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestApplicationTypes(t *testing.T) {
	w := newWorld(t)
	yes, no := new(true), new(false)
	for n, tc := range []struct {
		t       appint.ApplicationType
		service *bool
		want    appint.ApplicationType // empty for Unsupported
	}{
		{"", nil, appint.Standard}, {"", yes, appint.Background}, {"", no, appint.Standard}, {appint.Background, nil, appint.Background}, {appint.Background, yes, appint.Background},
		{appint.Background, no, ""}, {appint.Standard, yes, ""}, {appint.MCPServer, yes, ""}, {appint.MCPServer, no, appint.MCPServer}, {appint.MCPServer, nil, appint.MCPServer},
	} {
		a, err := w.CreateApplication(t.Context(), appint.ApplicationParams{Name: fmt.Sprint(n), Namespace: fmt.Sprint(n), AccessURL: "https://app.test", Type: tc.t, IsService: tc.service})
		if tc.want == "" {
			if !fault.Is(err, fault.Unsupported, appint.SubjectType) {
				t.Errorf("case %d: %v, want Unsupported", n, err)
			}
		} else if err != nil || a.Type != tc.want || a.IsService != (tc.want == appint.Background) {
			t.Errorf("case %d is %s, service %v, %v", n, a.Type, a.IsService, err)
		}
	}
}

// A webhook finds the event integrations of its path.
func TestWebhooks(t *testing.T) {
	w := newWorld(t)
	for n, source := range []string{"app-integrations.webhooks/orders", "app-integrations.webhooks/orders/eu", "aws.partner/orders", "app-integrations.webhooks/orders"} {
		_, err := w.CreateEventIntegration(t.Context(), appint.EventIntegrationParams{Name: fmt.Sprint(n), Source: source, Bus: "default"})
		w.must(err)
	}
	found, err := w.Webhooks(t.Context(), "orders")
	if err != nil || len(found) != 2 || found[0].Name != "0" || found[1].Name != "3" {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestProgressText(t *testing.T) {
	for want, p := range map[string]appint.Progress{
		"":                                  {},
		"1 file, 12 bytes":                  {Files: 1, Bytes: 12},
		"12 of 40 files, 3 rows, 1.5 KiB":   {Files: 12, FilesTotal: 40, Rows: 3, RowsTotal: 3, Bytes: 1536},
		"0 of 1 file":                       {FilesTotal: 1},
		"5 rows, 2.0 GiB":                   {Rows: 5, Bytes: 2 << 30},
		"9223372036854775807 rows, 8.0 EiB": {Rows: 1<<63 - 1, Bytes: 1<<63 - 1},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A message is cut to what the API has room for, by characters.
func TestLongMessage(t *testing.T) {
	w := newWorld(t)
	d := w.integration(appint.DataIntegrationParams{})
	a, err := w.associate(d, appint.AssociationParams{Run: appint.Run{Mode: appint.OnDemand, StartTime: "0"}})
	w.must(err)
	list, err := w.Claim(t.Context(), 1)
	w.must(err)
	_, err = w.Finish(t.Context(), list[0].ID, appint.Outcome{Status: appint.Failed, Message: strings.Repeat("ü", 300)})
	w.must(err)
	got, err := w.Association(context.WithoutCancel(t.Context()), d.ID, a.ID)
	if want := strings.Repeat("ü", 254) + "…"; err != nil || got.Last.Message != want {
		t.Errorf("the message is %q, %v", got.Last.Message, err)
	}
	if _, err := w.Finish(t.Context(), list[0].ID, appint.Outcome{Status: appint.Running}); fault.KindOf(err) != fault.Internal {
		t.Errorf("finishing as running: %v", err)
	}
}
