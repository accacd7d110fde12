package quicksight_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// BenchmarkPages asks for pages of 100 among 10,000 connectors, signed and over the whole front.
func BenchmarkPages(b *testing.B) {
	e := open(b)
	for n := range 10_000 {
		in := connector(fmt.Sprintf("connector-%05d", n))
		in["Name"] = fmt.Sprintf("Connector %d", n)
		if n%10 == 0 {
			in["Type"] = "MODEL_CONTEXT_PROTOCOL"
		}
		if n%100 == 0 {
			in["Permissions"] = []object{{"Principal": alice, "Actions": []string{"quicksight:DeleteActionConnector"}}}
		}
		e.must("POST", base+"/action-connectors", in)
	}
	search := func(name, operator, value string) object {
		return object{"Filters": []object{{"Name": name, "Operator": operator, "Value": value}}}
	}
	first := e.must("GET", base+"/action-connectors", nil)
	second := fmt.Sprint(first["NextToken"])
	for _, q := range []struct {
		name, method, path string
		in                 object
	}{
		{"list", "GET", "/action-connectors?next-token=" + second, nil},
		{"by type", "POST", "/search/action-connectors", search("ACTION_CONNECTOR_TYPE", "StringEquals", "MODEL_CONTEXT_PROTOCOL")},
		{"by owner", "POST", "/search/action-connectors", search("QUICKSIGHT_OWNER", "StringEquals", alice)},
		{"by name", "POST", "/search/action-connectors", search("ACTION_CONNECTOR_NAME", "StringEquals", "Connector 9999")},
		{"by part of a name", "POST", "/search/action-connectors", search("ACTION_CONNECTOR_NAME", "StringLike", "99")},
		{"by part of no name", "POST", "/search/action-connectors", search("ACTION_CONNECTOR_NAME", "StringLike", "nothing")},
	} {
		b.Run(q.name, func(b *testing.B) {
			client := e.Client()
			var took []time.Duration
			for b.Loop() {
				r := request(q.method, base+q.path, nil)
				if q.in != nil {
					r = request(q.method, base+q.path, q.in)
				}
				began := time.Now()
				if w := client.Do(b, "quicksight", r); w.Code != http.StatusOK {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
