package vendortest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const serviceNowTime = "2006-01-02 15:04:05"

// serviceNow answers the Table API for one table.
func (f *Fake) serviceNow(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, message string) {
		answer(w, status, map[string]any{"error": map[string]string{"message": message, "detail": ""}, "status": "failure"})
	}
	if r.URL.Path != "/api/now/table/"+f.Object {
		refuse(400, "Invalid table "+strings.TrimPrefix(r.URL.Path, "/api/now/table/"))
		return
	}
	var start, end time.Time
	after := ""
	for condition := range strings.SplitSeq(r.FormValue("sysparm_query"), "^") {
		var err error
		switch {
		case condition == "" || condition == "ORDERBYsys_id":
		case strings.HasPrefix(condition, "sys_updated_on>="):
			start, err = time.Parse(serviceNowTime, strings.TrimPrefix(condition, "sys_updated_on>="))
		case strings.HasPrefix(condition, "sys_updated_on<"):
			end, err = time.Parse(serviceNowTime, strings.TrimPrefix(condition, "sys_updated_on<"))
		case strings.HasPrefix(condition, "sys_id>"):
			after = strings.TrimPrefix(condition, "sys_id>")
		default:
			err = fmt.Errorf("unknown condition %q", condition)
		}
		if err != nil {
			refuse(400, err.Error())
			return
		}
	}
	records := slices.DeleteFunc(f.between(start, end), func(r Record) bool { return r.ID <= after })
	slices.SortFunc(records, func(a, b Record) int { return strings.Compare(a.ID, b.ID) })
	limit, _ := strconv.Atoi(r.FormValue("sysparm_limit"))
	skip, _ := strconv.Atoi(r.FormValue("sysparm_offset"))
	records = records[min(skip, len(records)):]
	n := min(limit, len(records))
	w.Header().Add("Link", `<`+f.URL+r.URL.RequestURI()+`>;rel="first"`)
	if n < len(records) {
		w.Header().Add("Link", `<https://elsewhere.invalid/>;rel="next"`)
	}
	fields := strings.Split(r.FormValue("sysparm_fields"), ",")
	page := []map[string]any{}
	for _, r := range records[:n] {
		if f.hidden[r.ID] {
			continue
		}
		record := map[string]any{"sys_id": r.ID, "sys_updated_on": r.Modified.Format(serviceNowTime)}
		for name, v := range r.Values {
			record[name] = v
		}
		for name := range record {
			if fields[0] != "" && !slices.Contains(fields, name) {
				delete(record, name)
			}
		}
		page = append(page, record)
	}
	answer(w, 200, map[string]any{"result": page})
}
