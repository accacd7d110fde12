package vendortest

import (
	"crypto/rand"
	"net/http"
	"regexp"
	"strings"
	"time"
)

const salesforceTime = "2006-01-02T15:04:05.000-0700"

var (
	soql     = regexp.MustCompile(`^SELECT (\S+) FROM (\w+)(?: WHERE (.*))? ORDER BY SystemModstamp, Id$`)
	soqlFrom = regexp.MustCompile(`SystemModstamp >= (\S+)`)
	soqlTo   = regexp.MustCompile(`SystemModstamp < (\S+)`)
	soqlKey  = regexp.MustCompile(`\(SystemModstamp > (\S+) OR \(SystemModstamp = (\S+) AND Id > '(\w+)'\)\)`)
)

// salesforce answers describe, query and queryAll.
func (f *Fake) salesforce(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code, message string) {
		answer(w, status, []map[string]string{{"message": message, "errorCode": code}})
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/services/data/v62.0/")
	if !ok {
		refuse(404, "NOT_FOUND", "The requested resource does not exist")
		return
	}
	switch {
	case path == "sobjects/"+f.Object+"/describe":
		fields := []map[string]string{}
		for name, typ := range map[string]string{"Id": "id", "Title": "string", "Open": "boolean", "Rank": "int", "Note": "textarea", "Parts": "address", "Body": "base64", "SystemModstamp": "datetime", "IsDeleted": "boolean"} {
			fields = append(fields, map[string]string{"name": name, "type": typ})
		}
		answer(w, 200, map[string]any{"name": f.Object, "fields": fields})
	case path == "query" || path == "queryAll":
		m := soql.FindStringSubmatch(r.FormValue("q"))
		if m == nil {
			refuse(400, "MALFORMED_QUERY", "unexpected token: "+r.FormValue("q"))
			return
		}
		if m[2] != f.Object {
			refuse(400, "INVALID_TYPE", "sObject type '"+m[2]+"' is not supported.")
			return
		}
		records := f.between(soqlBound(soqlFrom, m[3]), soqlBound(soqlTo, m[3]))
		if key := soqlKey.FindStringSubmatch(m[3]); key != nil {
			at, _ := time.Parse(time.RFC3339, key[1])
			kept := records[:0]
			for _, r := range records {
				if r.Modified.After(at) || r.Modified.Equal(at) && r.ID > key[3] {
					kept = append(kept, r)
				}
			}
			records = kept
		}
		f.salesforcePage(w, cursor{records, strings.Split(m[1], ","), len(records)})
	case strings.HasPrefix(path, "query/"):
		c, ok := f.cursors[path]
		if !ok {
			refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
			return
		}
		f.salesforcePage(w, c)
	default:
		refuse(404, "NOT_FOUND", "The requested resource does not exist")
	}
}

func soqlBound(in *regexp.Regexp, where string) time.Time {
	m := in.FindStringSubmatch(where)
	if m == nil {
		return time.Time{}
	}
	t, _ := time.Parse(time.RFC3339, m[1])
	return t
}

func (f *Fake) salesforcePage(w http.ResponseWriter, c cursor) {
	n := min(len(c.records), f.PageSize)
	page := []map[string]any{}
	for _, r := range c.records[:n] {
		record := map[string]any{"attributes": map[string]string{"type": f.Object, "url": "/services/data/v62.0/sobjects/" + f.Object + "/" + r.ID}}
		for _, name := range c.fields {
			switch name {
			case "Id":
				record[name] = r.ID
			case "SystemModstamp":
				record[name] = r.Modified.Format(salesforceTime)
			default:
				record[name] = r.Values[name]
			}
		}
		page = append(page, record)
	}
	out := map[string]any{"totalSize": c.total, "done": n == len(c.records), "records": page}
	if n < len(c.records) {
		next := "query/" + rand.Text()
		f.cursors[next] = cursor{c.records[n:], c.fields, c.total}
		out["nextRecordsUrl"] = "/services/data/v62.0/" + next
	}
	answer(w, 200, out)
}
