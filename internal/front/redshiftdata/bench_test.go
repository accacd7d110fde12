package redshiftdata_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/penstock-io/penstock/internal/statements"
)

// BenchmarkGetStatementResult fetches a page of 1,000 rows of five columns through the whole handler, without a network.
func BenchmarkGetStatementResult(b *testing.B) {
	for _, format := range []string{"JSON", "CSV"} {
		b.Run(format, func(b *testing.B) {
			e := newEnv(b)
			rows := make([][]statements.Value, 1000)
			for n := range rows {
				rows[n] = []statements.Value{int64(n), fmt.Sprintf("customer-%d", n), float64(n) / 4, n%2 == 0, nil}
			}
			id := e.must("ExecuteStatement", sql("select nothing", "ResultFormat", format))["Id"].(string)
			e.Must(e.Statements.PutPage(b.Context(), id, 0, 0, statements.Page{Rows: rows}))
			operation := "GetStatementResult"
			if format == "CSV" {
				operation += "V2"
			}
			client := e.Client()
			b.ReportAllocs()
			for b.Loop() {
				if w := client.Do(b, "redshift-data", request(operation, object{"Id": id})); w.Code != http.StatusOK || w.Body.Len() < 20_000 {
					b.Fatalf("%d, %d bytes", w.Code, w.Body.Len())
				}
			}
		})
	}
}
