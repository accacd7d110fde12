package transfer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/transfer"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.records(t, vendors.Salesforce, 0)
	for _, c := range []struct {
		name   string
		change func(*transfer.Job)
		kind   fault.Kind // Internal for none
		says   string
	}{
		{"as it is", func(*transfer.Job) {}, 0, ""},
		{"no window", func(j *transfer.Job) { j.Window = transfer.Window{} }, 0, ""},
		{"bucket alone", func(j *transfer.Job) { j.Source, j.Destination = "S3://bucket", "s3://other/" }, 0, ""},
		{"id", func(j *transfer.Job) { j.ExecutionID = "../x" }, fault.Invalid, "execution"},
		{"window turned round", func(j *transfer.Job) { j.Window.Start, j.Window.End = j.Window.End, j.Window.Start }, fault.Invalid, "after its end"},
		{"no scheme", func(j *transfer.Job) { j.Source = "bucket/prefix" }, fault.Invalid, "is not a URI"},
		{"unknown source", func(j *transfer.Job) { j.Source = "SharePoint://AppFlow/x" }, fault.Unsupported, `"SharePoint://"`},
		{"bulk export", func(j *transfer.Job) { j.Source = "AmazonConnect://AppIntegrations" }, fault.Unsupported, "AmazonConnect"},
		{"bad bucket", func(j *transfer.Job) { j.Source = "s3://Bad_Bucket/x" }, fault.Invalid, "Bad_Bucket"},
		{"dots", func(j *transfer.Job) { j.Source = "s3://bucket/../x" }, fault.Invalid, "dots"},
		{"unknown destination", func(j *transfer.Job) { j.Destination = "ftp://x/y" }, fault.Unsupported, "ftp://"},
		{"no destination", func(j *transfer.Job) { j.Destination = "" }, fault.Invalid, "destination"},
		{"half a table", func(j *transfer.Job) { j.Destination = "redshift://default/dev/t" }, fault.Invalid, "redshift://<cluster"},
		{"bad table", func(j *transfer.Job) { j.Destination = "redshift://default/dev/public/t;drop" }, fault.Invalid, "t;drop"},
		{"bad option", func(j *transfer.Job) { j.Destination = "redshift://default/dev/public/t#x=1" }, fault.Invalid, "ignoreheader"},
		{"option", func(j *transfer.Job) { j.Destination = "redshift://default/dev/public/t#ignoreheader=2" }, 0, ""},
		{"folder elsewhere", func(j *transfer.Job) { j.Folders = []string{"s3://other/x"} }, fault.Invalid, "another bucket"},
		{"folder above", func(j *transfer.Job) { j.Folders = []string{"s3://inb/x"} }, fault.Invalid, "not below"},
		{"folder with dots", func(j *transfer.Job) { j.Folders = []string{"../x"} }, fault.Invalid, ".."},
		{"unknown filter", func(j *transfer.Job) { j.Filters = map[string][]string{"colour": {"red"}} }, fault.Invalid, "colour"},
		{"bad pattern", func(j *transfer.Job) { j.Filters = map[string][]string{"name": {"["}} }, fault.Invalid, "pattern"},
		{"profile", func(j *transfer.Job) { j.Source, j.Object = "Salesforce://AppFlow/test", "Account" }, 0, ""},
		{"unknown profile", func(j *transfer.Job) { j.Source, j.Object = "Salesforce://AppFlow/other", "Account" }, fault.NotFound, "profiles.salesforce.other"},
		{"no profile", func(j *transfer.Job) { j.Source, j.Object = "Salesforce://AppFlow", "Account" }, fault.Invalid, "connection profile"},
		{"no object", func(j *transfer.Job) { j.Source = "Salesforce://AppFlow/test" }, fault.Invalid, "which object"},
		{"files of records", func(j *transfer.Job) {
			j.Source, j.Object, j.Folders = "Salesforce://AppFlow/test", "Account", []string{"x"}
		}, fault.Invalid, "FileConfiguration"},
		{"two objects", func(j *transfer.Job) {
			j.Source, j.Objects = "Salesforce://AppFlow/test", map[string]map[string][]string{"Salesforce": {"Account": {"Id"}, "Contact": {"_all"}}}
		}, 0, ""},
		{"two objects, one table", func(j *transfer.Job) {
			j.Source, j.Objects = "Salesforce://AppFlow/test", map[string]map[string][]string{"Salesforce": {"Account": {"Id"}, "Contact": {"_all"}}}
			j.Destination = "redshift://default/dev/public/t"
		}, fault.Invalid, "one table"},
	} {
		j := job()
		c.change(&j)
		err := r.runner().Validate(j)
		if c.kind == 0 && err != nil || c.kind != 0 && (fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: err = %v, want %v that says %q", c.name, err, c.kind, c.says)
		}
		if err != nil && len(fault.Message(err)) > 255 {
			t.Errorf("%s: the message has %d bytes: %v", c.name, len(fault.Message(err)), err)
		}
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.records(t, vendors.Salesforce, 1)
	probe := func(change func(*transfer.Job)) error {
		j := job()
		change(&j)
		return r.runner().Probe(t.Context(), j)
	}
	for name, c := range map[string]struct {
		change func(*transfer.Job)
		kind   fault.Kind
	}{
		"as it is":       {func(*transfer.Job) {}, 0},
		"no source":      {func(j *transfer.Job) { j.Source = "s3://nowhere" }, fault.NotFound},
		"no destination": {func(j *transfer.Job) { j.Destination = "s3://nowhere" }, fault.NotFound},
		"records":        {func(j *transfer.Job) { j.Source, j.Object = "Salesforce://AppFlow/test", "Account" }, 0},
		"no such object": {func(j *transfer.Job) { j.Source, j.Object = "Salesforce://AppFlow/test", "Nothing" }, fault.NotFound},
		"no such table":  {func(j *transfer.Job) { j.Destination = "redshift://default/dev/public/t" }, fault.NotFound},
	} {
		if err := probe(c.change); c.kind == 0 && err != nil || c.kind != 0 && fault.KindOf(err) != c.kind {
			t.Errorf("%s: err = %v, want %v", name, err, c.kind)
		}
	}
	r.fake.Refuse()
	err := probe(func(j *transfer.Job) { j.Source, j.Object = "Salesforce://AppFlow/test", "Account" })
	if fault.KindOf(err) != fault.Denied {
		t.Errorf("wrong credentials: %v", err)
	}
}

// Windows that meet take every file once, wherever in a second they meet.
func TestWindowsThatMeet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for n := range 20 {
		r.store.put("inb", "src/"+strings.Repeat("x", n+1), "x", epoch.Add(time.Duration(n)*317*time.Millisecond))
	}
	var took int64
	bounds := []time.Duration{0, 1500 * time.Millisecond, 2 * time.Second, 3999 * time.Millisecond, 9 * time.Second}
	for n := range len(bounds) - 1 {
		j := job()
		j.ExecutionID = "w" + string(rune('0'+n))
		j.Window = transfer.Window{Start: epoch.Add(bounds[n]), End: epoch.Add(bounds[n+1])}
		took += mustRun(t, r.runner(), j).Items
	}
	if took != 20 {
		t.Errorf("the windows took %d files, want each of 20 once", took)
	}
}

func FuzzValidate(f *testing.F) {
	f.Add("s3://bucket/prefix", "redshift://default/dev/public/t#ignoreheader=1", "folder", "Account")
	f.Add("Salesforce://AppFlow/test", "s3://bucket", "s3://bucket/x", "Knowledge__kav")
	f.Add("://", "s3://", "..", "")
	f.Fuzz(func(t *testing.T, source, destination, folder, object string) {
		r := transfer.New(transfer.Config{Account: "123456789012", Records: func(vendors.Vendor, string) (transfer.Records, error) { return nil, nil }})
		j := job()
		j.Source, j.Destination, j.Object = source, destination, object
		if folder != "" {
			j.Folders = []string{folder}
		}
		if err := r.Validate(j); err != nil && fault.KindOf(err) == fault.Internal {
			t.Errorf("%+v: %v", j, err)
		}
	})
}
