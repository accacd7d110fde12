package vendors

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// zendesk reads in one of three ways, whichever the object has:
//
//   - the incremental export with a cursor (tickets, users),
//   - the incremental export by time (organizations, articles), in which pages overlap,
//   - the plain list with a cursor (everything else), out of which the window is taken here.
type zendesk struct {
	*client
	pageSize int
}

func newZendesk(c *client, p Profile) *zendesk { return &zendesk{client: c, pageSize: p.PageSize} }

// way is how an object is read.
type way uint8

const (
	cursorExport way = iota
	timeExport
	list
)

// zendeskObject is where an object is and what its list is called in an answer.
type zendeskObject struct {
	path, name string
	way        way
	most       int // records per page, at most and by default
}

// zendeskObjects are the objects with an incremental export or outside the ticketing API. Names are plural.
var zendeskObjects = map[string]zendeskObject{
	"tickets":       {"/api/v2/incremental/tickets/cursor.json", "tickets", cursorExport, 1000},
	"users":         {"/api/v2/incremental/users/cursor.json", "users", cursorExport, 1000},
	"organizations": {"/api/v2/incremental/organizations.json", "organizations", timeExport, 1000},
	"articles":      {"/api/v2/help_center/incremental/articles.json", "articles", timeExport, 1000},
	"sections":      {"/api/v2/help_center/sections.json", "sections", list, 100},
	"categories":    {"/api/v2/help_center/categories.json", "categories", list, 100},
}

var zendeskName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func (z *zendesk) object(name string) (zendeskObject, error) {
	plural := strings.ToLower(name)
	if !zendeskName.MatchString(plural) {
		return zendeskObject{}, fault.New(fault.Invalid, SubjectRecords, "%q is not the name of a Zendesk object, such as tickets, users or articles", name)
	}
	if !strings.HasSuffix(plural, "s") {
		plural += "s" // "ticket", "article"
	}
	if plural == "categorys" || plural == "categories" {
		plural = "categories"
	}
	if o, ok := zendeskObjects[plural]; ok {
		return o, nil
	}
	return zendeskObject{"/api/v2/" + plural + ".json", plural, list, 100}, nil
}

// Describe implements Reader. Zendesk says nothing of types, so a field's is what its values are; only those it
// has by convention are told.
func (z *zendesk) Describe(ctx context.Context, q Query) ([]Field, error) {
	o, err := z.object(q.Object)
	if err != nil {
		return nil, err
	}
	if _, err := z.page(ctx, o, q, zendeskMark{}, 1); err != nil {
		return nil, err
	}
	var fields []Field
	for _, f := range q.Fields {
		if strings.HasSuffix(f, "_at") {
			fields = append(fields, Field{f, Time})
		} else if f == "id" || strings.HasSuffix(f, "_id") {
			fields = append(fields, Field{f, Integer})
		}
	}
	return fields, nil
}

// zendeskMark is where a reading stands. Seen are the records that the next page of an export by time has again:
// those modified at the time it begins with.
type zendeskMark struct {
	Cursor string           `json:"cursor,omitempty"`
	From   int64            `json:"from,omitempty"` // Unix seconds
	Seen   map[string]int64 `json:"seen,omitempty"` // id -> modification, Unix seconds
	Done   bool             `json:"done,omitempty"`
}

// zendeskAnswer is a page in any of the three ways.
type zendeskAnswer struct {
	AfterCursor string
	EndOfStream bool
	EndTime     int64
	Meta        struct {
		HasMore     bool   `json:"has_more"`
		AfterCursor string `json:"after_cursor"`
	}

	records []json.RawMessage
}

// Read implements Reader.
func (z *zendesk) Read(ctx context.Context, q Query, mark string, yield func(Page) error) error {
	o, err := z.object(q.Object)
	if err != nil {
		return err
	}
	var m zendeskMark
	if err := readMark(mark, &m); err != nil {
		return err
	}
	size := min(cmp.Or(z.pageSize, o.most), o.most)
	for !m.Done {
		a, err := z.page(ctx, o, q, m, size)
		if err != nil {
			return err
		}
		page, err := z.step(o, q, a, &m, size)
		if err != nil {
			return err
		}
		if page.Mark, err = writeMark(m); err != nil {
			return err
		}
		if err := yield(page); err != nil {
			return err
		}
	}
	return nil
}

// step takes what is wanted out of an answer and moves the mark past it.
func (z *zendesk) step(o zendeskObject, q Query, a zendeskAnswer, m *zendeskMark, size int) (Page, error) {
	page := Page{}
	seen := map[string]int64{}
	fresh := 0
	past := len(a.records) > 0 // every record is from after the window
	for _, r := range a.records {
		id, modified, err := zendeskKey(r)
		if err != nil {
			return page, malformed(err)
		}
		past = past && !q.End.IsZero() && !modified.Before(q.End)
		if o.way == timeExport {
			if modified.Unix() >= a.EndTime {
				seen[id] = modified.Unix()
			}
			if at, again := m.Seen[id]; again && at == modified.Unix() {
				continue
			}
		}
		fresh++
		if !q.within(modified) {
			continue
		}
		record, err := project(r, q.Fields)
		if err != nil {
			return page, err
		}
		page.Records = append(page.Records, record)
	}
	switch o.way {
	case cursorExport:
		m.Done = a.EndOfStream || a.AfterCursor == "" || past || a.AfterCursor == m.Cursor
		m.Cursor = a.AfterCursor
	case timeExport:
		m.Done = len(a.records) < size || a.EndTime == 0 || past // a page that is not full is the last one
		if fresh == 0 && a.EndTime == m.From {
			a.EndTime++ // a second full of records: Zendesk never splits one, so all of it has been seen
		}
		m.From, m.Seen = a.EndTime, seen
	default:
		m.Done = !a.Meta.HasMore || a.Meta.AfterCursor == ""
		m.Cursor = a.Meta.AfterCursor
	}
	return page, nil
}

// zendeskKey is a record's id and when it was modified. Tickets say when they were for the export, which is also
// when Zendesk itself modified them.
func zendeskKey(record []byte) (string, time.Time, error) {
	var key struct {
		ID        json.RawMessage `json:"id"`
		Generated int64           `json:"generated_timestamp"`
		Updated   time.Time       `json:"updated_at"`
		Created   time.Time       `json:"created_at"`
	}
	if err := json.Unmarshal(record, &key); err != nil {
		return "", time.Time{}, err
	}
	if len(key.ID) == 0 {
		return "", time.Time{}, errors.New("it has no id")
	}
	switch {
	case key.Generated > 0:
		return string(key.ID), time.Unix(key.Generated, 0).UTC(), nil
	case !key.Updated.IsZero():
		return string(key.ID), key.Updated, nil
	}
	return string(key.ID), key.Created, nil
}

// exportDelay is how far before now an export must begin.
const exportDelay = 61 * time.Second

func (z *zendesk) page(ctx context.Context, o zendeskObject, q Query, m zendeskMark, size int) (zendeskAnswer, error) {
	query := url.Values{}
	start := int64(1) // 0 is refused
	if !q.Start.IsZero() {
		start = max(min(q.Start.Unix(), z.o.Now().Add(-exportDelay).Unix()), 1)
	}
	switch o.way {
	case cursorExport:
		query.Set("per_page", strconv.Itoa(size))
		if m.Cursor != "" {
			query.Set("cursor", m.Cursor)
		} else {
			query.Set("start_time", strconv.FormatInt(start, 10))
		}
	case timeExport:
		query.Set("per_page", strconv.Itoa(size))
		query.Set("start_time", strconv.FormatInt(max(m.From, start), 10))
	default:
		query.Set("page[size]", strconv.Itoa(size))
		if m.Cursor != "" {
			query.Set("page[after]", m.Cursor)
		}
	}
	var members map[string]json.RawMessage
	if _, err := z.get(ctx, o.path, query, &members); err != nil {
		if fault.KindOf(err) == fault.NotFound {
			err = fault.Wrap(err, fault.NotFound, SubjectRecords, "%s has no object %q that the user may read", z.where(), o.name)
		}
		return zendeskAnswer{}, err
	}
	var a zendeskAnswer
	for name, into := range map[string]any{
		o.name: &a.records, "after_cursor": &a.AfterCursor, "end_of_stream": &a.EndOfStream, "end_time": &a.EndTime, "meta": &a.Meta,
	} {
		if text, ok := members[name]; ok {
			if err := json.Unmarshal(text, into); err != nil {
				return a, fault.Wrap(err, fault.Unavailable, SubjectVendor, "%s answered with %s in an unknown form", z.where(), name)
			}
		}
	}
	if _, ok := members[o.name]; !ok {
		return a, fault.New(fault.Unsupported, SubjectRecords, "%s has an object %q, but no list of it", z.where(), o.name)
	}
	return a, nil
}
