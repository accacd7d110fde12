package vendortest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// zendesk answers the exports and the lists.
func (f *Fake) zendesk(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, title string) {
		answer(w, status, map[string]any{"error": map[string]string{"title": title, "message": "see the documentation"}})
	}
	from := func() (time.Time, bool) {
		n, err := strconv.ParseInt(r.FormValue("start_time"), 10, 64)
		if err != nil || n <= 0 || time.Unix(n, 0).After(time.Now().Add(-time.Minute)) {
			refuse(422, "Invalid start_time")
			return time.Time{}, false
		}
		return time.Unix(n, 0), true
	}
	per := f.PageSize
	switch r.URL.Path {
	case "/api/v2/incremental/" + f.Object + "/cursor.json":
		c, ok := f.cursors[r.FormValue("cursor")]
		if !ok {
			if f.forget && r.FormValue("cursor") != "" {
				refuse(400, "Invalid cursor")
				return
			}
			start, ok := from()
			if !ok {
				return
			}
			c = cursor{records: f.between(start, time.Time{})}
		}
		n := min(per, len(c.records))
		next := rand.Text()
		f.cursors[next] = cursor{records: c.records[n:]}
		answer(w, 200, map[string]any{f.Object: zendeskRecords(c.records[:n]), "after_cursor": next, "after_url": "https://elsewhere.invalid/", "end_of_stream": n == len(c.records)})
	case "/api/v2/incremental/" + f.Object + ".json", "/api/v2/help_center/incremental/" + f.Object + ".json":
		start, ok := from()
		if !ok {
			return
		}
		all := f.between(start, time.Time{})
		n := min(per, len(all))
		for n > 0 && n < len(all) && all[n].Modified.Equal(all[n-1].Modified) {
			n++ // the records of one second are never split
		}
		end := start.Unix()
		if n > 0 {
			end = all[n-1].Modified.Unix()
		}
		answer(w, 200, map[string]any{f.Object: zendeskRecords(all[:n]), "count": n, "end_time": end, "next_page": "https://elsewhere.invalid/"})
	case "/api/v2/" + f.Object + ".json":
		all := slices.Clone(f.records)
		slices.SortFunc(all, func(a, b Record) int { return strings.Compare(a.ID, b.ID) })
		if c, ok := f.cursors[r.FormValue("page[after]")]; ok {
			all = c.records
		}
		n := min(per, len(all))
		next := rand.Text()
		f.cursors[next] = cursor{records: all[n:]}
		answer(w, 200, map[string]any{f.Object: zendeskRecords(all[:n]), "meta": map[string]any{"has_more": n < len(all), "after_cursor": next}})
	default:
		refuse(404, "RecordNotFound")
	}
}

func zendeskRecords(records []Record) []map[string]any {
	out := []map[string]any{}
	for _, r := range records {
		record := map[string]any{"id": json.Number(r.ID), "updated_at": r.Modified.Format(time.RFC3339)}
		for name, v := range r.Values {
			record[name] = v
		}
		out = append(out, record)
	}
	return out
}
