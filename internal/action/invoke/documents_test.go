package invoke

import (
	"fmt"
	"strings"
	"testing"
)

// Documents are read once as long as there is room for what was read, and what is kept is bounded.
func TestDocumentCache(t *testing.T) {
	t.Parallel()
	document := func(n, size int) []byte {
		return fmt.Appendf(nil, `{"openapi":"3.0.3","info":{"title":"%d","version":"1","description":%q},"paths":{"/x":{"get":{"operationId":"read","responses":{"200":{"description":"ok"}}}}}}`, n, strings.Repeat("x", size))
	}
	var d documentCache
	first, err := d.parse(document(1, 1000))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 1000 {
		if _, err := d.parse(document(n, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := d.parse(document(1, 1000)); err != nil || again != first {
		t.Errorf("read again: %v", err)
	}
	for n := range 10 {
		if _, err := d.parse(document(n, 3<<20)); err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, known := range d.seen {
			sum += known.bytes
		}
		if d.bytes > maxDocuments || d.bytes != sum || len(d.seen) == 0 {
			t.Fatalf("%d documents of %d bytes, counted as %d", len(d.seen), sum, d.bytes)
		}
	}
	if _, err := d.parse([]byte("{")); err == nil || d.seen == nil {
		t.Error("a document that is none was taken")
	}
}
