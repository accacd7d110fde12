package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

// source is where a run takes things from: a vendor's profile or a bucket.
type source struct {
	vendor  vendors.Vendor
	profile string
	bucket  string
	prefix  string // without slashes at its ends
}

// destination is where a run puts things: a bucket or a table.
type destination struct {
	bucket       string
	prefix       string // without slashes at its ends
	table        Table
	ignoreHeader int // lines to skip at the start of each file
}

// plan is a job that has been understood.
type plan struct {
	job         Job
	source      source
	destination destination
	window      Window
	files       selection
	queries     []vendors.Query
	account     string
	id          string // of what the run makes at the destination, a UUID that follows from the execution id
}

var (
	executionForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	bucketForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	nameForm      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$.-]{0,126}$`)
)

// namespace makes the UUIDs of this package differ from those of others made from the same names.
var namespace = uuid.MustParse("3f0d7a52-8f0e-5f0c-9b55-1c1d9f7f2a10")

// plan understands a job, or says why it cannot be carried out.
func (r *Runner) plan(job Job) (*plan, error) {
	if !executionForm.MatchString(job.ExecutionID) {
		return nil, fault.New(fault.Invalid, SubjectRun, "%q cannot be the id of an execution", job.ExecutionID)
	}
	p := &plan{job: job, account: r.c.Account, window: job.Window.seconds(), id: uuid.NewSHA1(namespace, []byte(job.ExecutionID)).String()}
	if w := p.window; !w.Start.IsZero() && !w.End.IsZero() && !w.Start.Before(w.End) && job.Window.Start.After(job.Window.End) {
		return nil, fault.New(fault.Invalid, SubjectRun, "the window begins at %s, after its end at %s", w.Start.Format(time.RFC3339), w.End.Format(time.RFC3339))
	}
	var err error
	if p.source, err = parseSource(job.Source); err != nil {
		return nil, err
	}
	if p.destination, err = parseDestination(job.Destination); err != nil {
		return nil, err
	}
	if p.source.vendor == "" {
		p.files, err = newSelection(p.source, p.destination, p.account, job.Folders, job.Filters, p.window)
		return p, err
	}
	if len(job.Folders) > 0 || len(job.Filters) > 0 {
		return nil, fault.New(fault.Invalid, SubjectSource, "a FileConfiguration is for files, and %s holds records; name an object instead", job.Source)
	}
	if p.queries, err = queries(job, p.window); err != nil {
		return nil, err
	}
	if p.destination.bucket == "" && len(p.queries) > 1 {
		return nil, fault.New(fault.Invalid, SubjectDestination, "the records of %d objects do not fit into one table; give each object an association and a table of its own", len(p.queries))
	}
	return p, nil
}

// Format is how records are written into a bucket.
type Format string

const (
	JSONLines Format = "jsonl"
	CSV       Format = "csv"
	Parquet   Format = "parquet"
)

// ParseFormat reads a format's name.
func ParseFormat(text string) (Format, error) {
	f := Format(strings.ToLower(text))
	if !slices.Contains([]Format{JSONLines, CSV, Parquet}, f) {
		return "", fault.New(fault.Invalid, SubjectDestination, "%q is none of jsonl, csv, parquet", text)
	}
	return f, nil
}

// parseSource reads a source URI. Schemes are known in any case.
func parseSource(uri string) (source, error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return source{}, fault.New(fault.Invalid, SubjectSource, "the source %q is not a URI; use s3://bucket/prefix, or Salesforce, ServiceNow or Zendesk ://AppFlow/<profile>", uri)
	}
	switch strings.ToLower(scheme) {
	case "s3":
		bucket, prefix, err := parseBucket(rest)
		if err != nil {
			return source{}, fault.New(fault.Invalid, SubjectSource, "the source %q is not of the form s3://bucket/prefix: %v", uri, err)
		}
		return source{bucket: bucket, prefix: prefix}, nil
	case "salesforce", "servicenow", "zendesk":
		v, profile, err := vendors.ParseURI(uri)
		return source{vendor: v, profile: profile}, err
	}
	return source{}, fault.New(fault.Unsupported, SubjectSource, "there is nothing that reads from %q; the sources are s3://bucket/prefix and Salesforce, ServiceNow or Zendesk ://AppFlow/<profile>", scheme+"://")
}

func parseBucket(rest string) (bucket, prefix string, err error) {
	bucket, prefix, _ = strings.Cut(rest, "/")
	prefix = strings.Trim(prefix, "/")
	if !bucketForm.MatchString(bucket) {
		return "", "", fmt.Errorf("%q is not a bucket's name", bucket)
	}
	if prefix != "" && path.Clean("/"+prefix) != "/"+prefix {
		return "", "", fmt.Errorf("the prefix %q has an empty segment, or one of nothing but dots", prefix)
	}
	return bucket, prefix, nil
}

// parseDestination reads a destination URI: s3://bucket/prefix, or redshift://warehouse/database/schema/table, which
// for files may end in #ignoreheader=N.
func parseDestination(uri string) (d destination, err error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return d, fault.New(fault.Invalid, SubjectDestination, "the destination %q is not a URI; use s3://bucket/prefix or redshift://<cluster or workgroup>/<database>/<schema>/<table>", uri)
	}
	switch strings.ToLower(scheme) {
	case "s3":
		if d.bucket, d.prefix, err = parseBucket(rest); err != nil {
			return d, fault.New(fault.Invalid, SubjectDestination, "the destination %q is not of the form s3://bucket/prefix: %v", uri, err)
		}
		return d, nil
	case "redshift":
		rest, options, _ := strings.Cut(rest, "#")
		parts := strings.Split(rest, "/")
		if len(parts) != 4 || slices.ContainsFunc(parts, func(s string) bool { return s == "" }) {
			return d, fault.New(fault.Invalid, SubjectDestination, "the destination %q is not of the form redshift://<cluster or workgroup>/<database>/<schema>/<table>", uri)
		}
		for n, what := range []string{"database", "schema", "table"} {
			if !nameForm.MatchString(parts[n+1]) {
				return d, fault.New(fault.Invalid, SubjectDestination, "%q in the destination cannot be the name of a %s", parts[n+1], what)
			}
		}
		d.table = Table{Warehouse: parts[0], Database: parts[1], Schema: parts[2], Name: parts[3]}
		if options != "" {
			number, ok := strings.CutPrefix(options, "ignoreheader=")
			if d.ignoreHeader, err = strconv.Atoi(number); err != nil || !ok || d.ignoreHeader < 0 || d.ignoreHeader > 1000 {
				return d, fault.New(fault.Invalid, SubjectDestination, "%q after the # of the destination is not ignoreheader=N", options)
			}
		}
		return d, nil
	}
	return d, fault.New(fault.Unsupported, SubjectDestination, "nothing can be written to %q; the destinations are s3://bucket/prefix and redshift://<cluster or workgroup>/<database>/<schema>/<table>", scheme+"://")
}

// allFields stands for every field in an ObjectConfiguration, whose lists cannot be empty.
const allFields = "_all"

// queries are what a job asks a source of records for, by the objects' names. The objects are the one that is named,
// or else all that the ObjectConfiguration names.
func queries(job Job, w Window) ([]vendors.Query, error) {
	fields := map[string][]string{}
	for _, objects := range job.Objects {
		maps.Copy(fields, objects)
	}
	if job.Object != "" {
		chosen := job.Fields
		for name, f := range fields {
			if len(chosen) == 0 && strings.EqualFold(name, job.Object) {
				chosen = f
			}
		}
		fields = map[string][]string{job.Object: chosen}
	}
	if len(fields) == 0 {
		return nil, fault.New(fault.Invalid, SubjectSource, "nothing says which object of %s to read; name it as Object in the schedule, or in the ObjectConfiguration", job.Source)
	}
	var out []vendors.Query
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		q := vendors.Query{Object: name, Start: w.Start, End: w.End}
		for _, f := range fields[name] {
			if f == allFields {
				q.Fields = nil
				break
			}
			if !slices.Contains(q.Fields, f) {
				q.Fields = append(q.Fields, f)
			}
		}
		out = append(out, q)
	}
	return out, nil
}

const stamp = "20060102T150405"

// root is the prefix of all that runs of this data integration put into a bucket.
func (p *plan) root() string {
	return join(p.destination.prefix, p.account, segment(p.job.Name))
}

// runPrefix is that of this run: <prefix>/<account>/<name>/<requested>/<start>-<end>.
func (p *plan) runPrefix() string {
	start, end := p.window.Start, p.window.End
	if start.IsZero() {
		start = time.Unix(0, 0)
	}
	if end.IsZero() {
		end = p.job.Requested
	}
	return join(p.root(), p.job.Requested.UTC().Format(stamp), start.UTC().Format(stamp)+"-"+end.UTC().Format(stamp))
}

// manifestKey is that of the object that says a run is complete.
func (p *plan) manifestKey() string {
	return join(p.destination.prefix, "_manifest", p.job.ExecutionID+".json")
}

// filesPrefix is where copies of files go, under their names relative to the source's prefix.
func (p *plan) filesPrefix() string { return join(p.runPrefix(), "files", p.id) }

// recordsBase is what the keys of an object's records begin with.
func (p *plan) recordsBase(object string) string {
	id := uuid.NewSHA1(namespace, []byte(p.job.ExecutionID+"/"+object)).String()
	return join(p.runPrefix(), segment(object), id)
}

// recordsKey is where a part of an object's records goes. The first part has the documented name and an extension,
// further ones have a number, too.
func (p *plan) recordsKey(object string, part int, f Format) string {
	number := ""
	if part > 0 {
		number = fmt.Sprintf("-%05d", part)
	}
	return p.recordsBase(object) + number + "." + string(f)
}

// stagePrefixes are what the keys of everything the run stages begin with. No other run's do.
func (p *plan) stagePrefixes() (all []string) {
	if p.destination.bucket == "" {
		return nil
	}
	if p.source.vendor == "" {
		return []string{p.filesPrefix() + "/"}
	}
	for _, q := range p.queries {
		all = append(all, p.recordsBase(q.Object))
	}
	return all
}

// join puts the parts of a key together.
func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "/")
}

// segment is a name as one segment of a key.
func segment(name string) string {
	s := strings.ReplaceAll(name, "/", "_")
	if s == "" || s == "." || s == ".." {
		return "_"
	}
	return s
}

// digest tells jobs apart.
func digest(job Job) (string, error) {
	job.Resume = ""
	text, err := json.Marshal(job)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// clip cuts a text at a character's boundary.
func clip(text string, most int) string {
	for most > 0 && most < len(text) && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:min(most, len(text))]
}
