package vendors

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// salesforceVersion is the version of the REST API that is asked for when the profile names none.
const salesforceVersion = "v62.0"

// maxSOQL is the longest query sent. It travels in the URL, which Salesforce takes up to 16 KiB of.
const maxSOQL = 14_000 // bytes, encoded

// salesforce reads with SOQL. Records come in the order of their modification and then of their ids, so that a
// reading whose cursor Salesforce has forgotten can go on from the last record.
type salesforce struct {
	*client
	version string
}

func newSalesforce(c *client, p Profile) *salesforce {
	s := &salesforce{client: c, version: cmp.Or(p.APIVersion, salesforceVersion)}
	if p.PageSize > 0 { // Salesforce takes 200 to 2000, and treats it as a wish
		c.header = http.Header{"Sforce-Query-Options": {fmt.Sprintf("batchSize=%d", min(max(p.PageSize, 200), 2000))}}
	}
	c.refusal = salesforceRefusal
	return s
}

// salesforceRefusal knows Salesforce's error codes, which say more than its statuses.
func salesforceRefusal(_ int, body []byte) (fault.Kind, bool) {
	var errs []struct{ ErrorCode string }
	if json.Unmarshal(body, &errs) != nil || len(errs) == 0 {
		return 0, false
	}
	switch errs[0].ErrorCode {
	case "REQUEST_LIMIT_EXCEEDED":
		return fault.Throttled, true
	case "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT":
		return fault.Unavailable, true
	case "INVALID_TYPE", "NOT_FOUND":
		return fault.NotFound, true
	case "INVALID_QUERY_LOCATOR":
		return fault.Expired, true
	}
	return 0, false
}

// salesforceField is a field in the answer of describe.
type salesforceField struct {
	Name string
	Type string
}

// salesforceMark is where a reading stands: the query's next page, and the last record for when that is gone.
type salesforceMark struct {
	Next  string `json:"next,omitempty"`
	Stamp string `json:"stamp"`
	ID    string `json:"id"`
	Done  bool   `json:"done,omitempty"`
}

var (
	salesforceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	salesforcePath = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*$`)
)

func (s *salesforce) describe(ctx context.Context, q Query) ([]salesforceField, error) {
	if !salesforceName.MatchString(q.Object) {
		return nil, fault.New(fault.Invalid, SubjectRecords, "%q is not the API name of a Salesforce object, such as Account or Knowledge__kav", q.Object)
	}
	var d struct{ Fields []salesforceField }
	_, err := s.get(ctx, "/services/data/"+s.version+"/sobjects/"+q.Object+"/describe", nil, &d)
	if fault.KindOf(err) == fault.NotFound {
		return nil, fault.Wrap(err, fault.NotFound, SubjectRecords, "%s has no object %q that the user may see", s.where(), q.Object)
	}
	return d.Fields, err
}

// Describe implements Reader.
func (s *salesforce) Describe(ctx context.Context, q Query) ([]Field, error) {
	all, err := s.describe(ctx, q)
	if err != nil {
		return nil, err
	}
	return s.selected(q, all)
}

// selected are the fields a query takes. All means all that hold data: fields of type base64 hold a link only, and
// make Salesforce send one record at a time, so they are taken when named.
func (s *salesforce) selected(q Query, all []salesforceField) ([]Field, error) {
	var out []Field
	if len(q.Fields) == 0 {
		for _, f := range all {
			if f.Type != "base64" {
				out = append(out, Field{f.Name, salesforceType(f.Type)})
			}
		}
		return out, nil
	}
	for _, name := range q.Fields {
		if !salesforcePath.MatchString(name) {
			return nil, fault.New(fault.Invalid, SubjectRecords, "%q is not the API name of a Salesforce field", name)
		}
		at := slices.IndexFunc(all, func(f salesforceField) bool { return strings.EqualFold(f.Name, name) })
		switch {
		case at >= 0:
			out = append(out, Field{name, salesforceType(all[at].Type)})
		case strings.Contains(name, "."):
			out = append(out, Field{name, Text}) // of a related object; the query will tell
		default:
			return nil, fault.New(fault.NotFound, SubjectRecords, "the Salesforce object %s has no field %q that the user may see", q.Object, name)
		}
	}
	return out, nil
}

func salesforceType(name string) Type {
	switch name {
	case "boolean":
		return Boolean
	case "int", "long":
		return Integer
	case "double", "currency", "percent":
		return Number
	case "date":
		return Date
	case "datetime":
		return Time
	case "address", "location", "complexvalue":
		return Nested
	}
	return Text
}

// stampOf is the field that says when a record was modified.
func stampOf(q Query, all []salesforceField) (string, error) {
	for _, name := range []string{"SystemModstamp", "LastModifiedDate", "CreatedDate"} {
		if slices.ContainsFunc(all, func(f salesforceField) bool { return f.Name == name }) {
			return name, nil
		}
	}
	return "", fault.New(fault.Unsupported, SubjectRecords, "the Salesforce object %s has no modification time, so no window of it can be read; choose another object", q.Object)
}

// Read implements Reader.
func (s *salesforce) Read(ctx context.Context, q Query, mark string, yield func(Page) error) error {
	var m salesforceMark
	if err := readMark(mark, &m); err != nil || m.Done {
		return err
	}
	all, err := s.describe(ctx, q)
	if err != nil {
		return err
	}
	fields, err := s.selected(q, all)
	if err != nil {
		return err
	}
	stamp, err := stampOf(q, all)
	if err != nil {
		return err
	}
	for !m.Done {
		page, next, err := s.page(ctx, q, fields, stamp, m)
		if err != nil {
			return err
		}
		m = next
		if page.Mark, err = writeMark(m); err != nil {
			return err
		}
		if err := yield(page); err != nil {
			return err
		}
	}
	return nil
}

// salesforceAnswer is a page of a query's result.
type salesforceAnswer struct {
	TotalSize      int64
	Done           bool
	NextRecordsURL string
	Records        []json.RawMessage
}

// page reads the page at a mark.
func (s *salesforce) page(ctx context.Context, q Query, fields []Field, stamp string, m salesforceMark) (Page, salesforceMark, error) {
	var a salesforceAnswer
	var err error
	if m.Next != "" {
		if err = s.locate(m.Next); err == nil {
			_, err = s.get(ctx, m.Next, nil, &a)
		}
		if kind := fault.KindOf(err); err != nil && (kind == fault.Expired || kind == fault.NotFound) {
			s.o.Log.Info("Salesforce has forgotten a query; it is asked again from the last record on", "profile", s.profile, "object", q.Object)
			m.Next = ""
		} else if err != nil {
			return Page{}, m, err
		}
	}
	if m.Next == "" {
		text, call, err := s.soql(q, fields, stamp, m)
		if err != nil {
			return Page{}, m, err
		}
		a = salesforceAnswer{}
		if _, err := s.get(ctx, "/services/data/"+s.version+"/"+call, url.Values{"q": {text}}, &a); err != nil {
			return Page{}, m, err
		}
	}
	page := Page{}
	if m.ID == "" {
		page.Total = a.TotalSize
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	for _, r := range a.Records {
		var key map[string]json.RawMessage
		if err := json.Unmarshal(r, &key); err != nil {
			return Page{}, m, malformed(err)
		}
		if json.Unmarshal(key[stamp], &m.Stamp) != nil || json.Unmarshal(key["Id"], &m.ID) != nil {
			return Page{}, m, malformed(fmt.Errorf("it has no %s or no Id", stamp))
		}
		record, err := project(r, names)
		if err != nil {
			return Page{}, m, err
		}
		page.Records = append(page.Records, record)
	}
	m.Next, m.Done = a.NextRecordsURL, a.Done || a.NextRecordsURL == ""
	return page, m, nil
}

// locate refuses a next page that is not a path of the query resource.
func (s *salesforce) locate(next string) error {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.RawQuery != "" || !strings.HasPrefix(u.Path, "/services/data/") || strings.Contains(u.Path, "..") {
		return fault.New(fault.Unavailable, SubjectVendor, "%s names a next page that is not one of its own: %.100q", s.where(), next)
	}
	return nil
}

// soql is the query from a mark on, and the call that takes it. Deleted records, which only queryAll returns, are
// wanted when the query asks for the field that tells them.
func (s *salesforce) soql(q Query, fields []Field, stamp string, m salesforceMark) (text, call string, err error) {
	names := []string{}
	for _, f := range fields {
		names = append(names, f.Name)
	}
	for _, needed := range []string{"Id", stamp} {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, needed) }) {
			names = append(names, needed)
		}
	}
	var where []string
	if m.ID != "" {
		at, err := time.Parse("2006-01-02T15:04:05.000-0700", m.Stamp)
		if err != nil || !salesforceName.MatchString("x"+m.ID) {
			return "", "", fault.New(fault.Invalid, SubjectRecords, "the place to resume reading at cannot be understood: %.60q, %.30q", m.Stamp, m.ID)
		}
		where = append(where, fmt.Sprintf("(%[1]s > %[2]s OR (%[1]s = %[2]s AND Id > '%[3]s'))", stamp, soqlTime(at), m.ID))
	} else if !q.Start.IsZero() {
		where = append(where, stamp+" >= "+soqlTime(q.Start))
	}
	if !q.End.IsZero() {
		where = append(where, stamp+" < "+soqlTime(q.End))
	}
	text = "SELECT " + strings.Join(names, ",") + " FROM " + q.Object
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	text += " ORDER BY " + stamp + ", Id"
	if len(url.QueryEscape(text)) > maxSOQL {
		return "", "", fault.New(fault.Limit, SubjectRecords, "the Salesforce object %s has too many fields (%d) for one query; name those you need in the ObjectConfiguration", q.Object, len(fields))
	}
	call = "query"
	if slices.ContainsFunc(q.Fields, func(n string) bool { return strings.EqualFold(n, "IsDeleted") }) {
		call = "queryAll"
	}
	return text, call, nil
}

func soqlTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
