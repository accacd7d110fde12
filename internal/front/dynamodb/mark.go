package dynamodb

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"

	"github.com/penstock-io/penstock/internal/front/member"
	"github.com/penstock-io/penstock/internal/tables"
)

// transactionMark tells transactions apart: two have the same mark if they ask for the same writes,
// however their JSON was laid out.
func transactionMark(writes []*tables.Write) string {
	h := sha256.New()
	for _, w := range writes {
		fmt.Fprintf(h, "%d %q %v\n", w.Kind, w.Table, w.ReturnOld)
		h.Write(w.Item.JSON())
		for _, text := range []*string{w.Condition, w.Update} {
			fmt.Fprintf(h, "\n%v %q", text != nil, member.Text(text))
		}
		names, _ := json.Marshal(w.Names) // strings; the keys come out sorted
		h.Write(names)
		writeValues(h, w)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func writeValues(h hash.Hash, w *tables.Write) {
	for _, name := range slices.Sorted(maps.Keys(w.Values)) {
		fmt.Fprintf(h, "%q=%s;", name, w.Values[name].AppendJSON(nil))
	}
}
