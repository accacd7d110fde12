package vendors

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// serviceNowPage is how many records a request asks for when the profile does not say.
const serviceNowPage = 1000

// serviceNow reads with the Table API, in the order of sys_id, each page beginning after the last id of the one
// before. That order does not change while records are modified, so none is seen twice and none is missed. Values
// come as they are stored, which is text: references are ids, times are UTC.
type serviceNow struct {
	*client
	pageSize int
}

func newServiceNow(c *client, p Profile) *serviceNow {
	return &serviceNow{client: c, pageSize: cmp.Or(p.PageSize, serviceNowPage)}
}

// serviceNowMark is where a reading stands. Skip is not 0 after a page that was empty although there are more:
// rows that the user may not read are taken out of a page after it was cut.
type serviceNowMark struct {
	After string `json:"after"`
	Skip  int    `json:"skip,omitempty"`
	Done  bool   `json:"done,omitempty"`
}

var (
	serviceNowName = regexp.MustCompile(`^[a-z0-9_]+$`)
	serviceNowPath = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)*$`)
	serviceNowID   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

func checkServiceNow(q Query) error {
	if !serviceNowName.MatchString(q.Object) {
		return fault.New(fault.Invalid, SubjectRecords, "%q is not the name of a ServiceNow table, such as incident or kb_knowledge", q.Object)
	}
	for _, f := range q.Fields {
		if !serviceNowPath.MatchString(f) {
			return fault.New(fault.Invalid, SubjectRecords, "%q is not the name of a ServiceNow field", f)
		}
	}
	return nil
}

// Describe implements Reader. The Table API says nothing of types; it does say whether the table is there.
func (s *serviceNow) Describe(ctx context.Context, q Query) ([]Field, error) {
	if err := checkServiceNow(q); err != nil {
		return nil, err
	}
	var a serviceNowAnswer
	if err := s.table(ctx, q.Object, url.Values{"sysparm_limit": {"1"}, "sysparm_fields": {"sys_id"}}, &a); err != nil {
		return nil, err
	}
	var fields []Field
	for _, f := range q.Fields {
		fields = append(fields, Field{f, Text})
	}
	return fields, nil
}

// serviceNowAnswer is a page. A query that takes too long has records and an error.
type serviceNowAnswer struct {
	Result []json.RawMessage
	Error  *struct{ Message, Detail string }

	more bool // by the Link header
	said bool // there was one
}

func (s *serviceNow) table(ctx context.Context, name string, query url.Values, a *serviceNowAnswer) error {
	header, err := s.get(ctx, "/api/now/table/"+name, query, a)
	if kind := fault.KindOf(err); err != nil && (kind == fault.NotFound || kind == fault.Invalid && strings.Contains(fault.Message(err), "Invalid table")) {
		return fault.Wrap(err, fault.NotFound, SubjectRecords, "%s has no table %q that the user may read", s.where(), name)
	} else if err != nil {
		return err
	}
	for _, link := range header.Values("Link") {
		a.said = true
		a.more = a.more || strings.Contains(link, `rel="next"`)
	}
	return nil
}

// Read implements Reader.
func (s *serviceNow) Read(ctx context.Context, q Query, mark string, yield func(Page) error) error {
	if err := checkServiceNow(q); err != nil {
		return err
	}
	var m serviceNowMark
	if err := readMark(mark, &m); err != nil {
		return err
	}
	limit := s.pageSize
	for !m.Done {
		a, err := s.page(ctx, q, m, limit)
		if err == nil && a.Error != nil {
			// What came is cut short at no particular place.
			err = fault.New(fault.Unavailable, SubjectVendor, "%s gave up on a page of %d records: %s; set a smaller page_size", s.where(), limit, clip(a.Error.Message, 120))
			if limit > 10 {
				s.o.Log.Info("ServiceNow gave up on a page; a smaller one is tried", "profile", s.profile, "table", q.Object, "records", limit/4, "err", err)
				limit /= 4
				continue
			}
		}
		if err != nil {
			return err
		}
		page := Page{}
		for _, r := range a.Result {
			var key struct {
				ID string `json:"sys_id"`
			}
			if err := json.Unmarshal(r, &key); err != nil || key.ID == "" {
				return malformed(errors.Join(err, errors.New("it has no sys_id")))
			}
			m.After, m.Skip = key.ID, 0
			record, err := project(r, q.Fields)
			if err != nil {
				return err
			}
			page.Records = append(page.Records, record)
		}
		if len(a.Result) == 0 {
			m.Skip += limit
		}
		m.Done = !a.more && (a.said || len(a.Result) < limit)
		if page.Mark, err = writeMark(m); err != nil {
			return err
		}
		if err := yield(page); err != nil {
			return err
		}
	}
	return nil
}

func (s *serviceNow) page(ctx context.Context, q Query, m serviceNowMark, limit int) (a serviceNowAnswer, err error) {
	if m.After != "" && !serviceNowID.MatchString(m.After) {
		return a, fault.New(fault.Invalid, SubjectRecords, "the place to resume reading at cannot be understood: %.70q", m.After)
	}
	var where []string
	if !q.Start.IsZero() {
		where = append(where, "sys_updated_on>="+serviceNowTime(q.Start))
	}
	if !q.End.IsZero() {
		where = append(where, "sys_updated_on<"+serviceNowTime(q.End))
	}
	if m.After != "" {
		where = append(where, "sys_id>"+m.After)
	}
	where = append(where, "ORDERBYsys_id")
	query := url.Values{
		"sysparm_query": {strings.Join(where, "^")}, "sysparm_limit": {strconv.Itoa(limit)},
		"sysparm_display_value": {"false"}, "sysparm_exclude_reference_link": {"true"},
	}
	if m.Skip > 0 {
		query.Set("sysparm_offset", strconv.Itoa(m.Skip))
	}
	if len(q.Fields) > 0 {
		fields := slices.Clone(q.Fields)
		if !slices.Contains(fields, "sys_id") {
			fields = append(fields, "sys_id")
		}
		query.Set("sysparm_fields", strings.Join(fields, ","))
	}
	return a, s.table(ctx, q.Object, query, &a)
}

// serviceNowTime is a time as the database has it, in whole seconds.
func serviceNowTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
