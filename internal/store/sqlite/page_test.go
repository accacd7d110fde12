package sqlite

import (
	"encoding/hex"
	"math"
	"reflect"
	"testing"

	"github.com/penstock-io/penstock/internal/statements"
)

func TestPage(t *testing.T) {
	p := statements.Page{Rows: [][]statements.Value{
		{nil, true, false, int64(-1), int64(math.MaxInt64), math.Pi, "text", []byte{0, 1}},
		{},
		{"", []byte{}},
	}}
	b, err := encodePage(p)
	if err != nil {
		t.Fatal(err)
	}
	// Pages of earlier releases must stay readable: a new form gets a new version byte.
	const want = "0103080002010301" + "03feffffffffffffffff01" + "04182d4454fb210940" + "050474657874" + "06020001" + "00" + "0205000600"
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("encoded as %s, want %s", got, want)
	}
	got, err := decodePage(b)
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("got %v, %v, want %v", got, err, p)
	}
	for n := range b {
		if _, err := decodePage(b[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were decoded", n, len(b))
		}
	}
	if _, err := decodePage(append(b, 0)); err == nil {
		t.Error("a byte too many was ignored")
	}
	if _, err := decodePage([]byte{2, 0}); err == nil {
		t.Error("an unknown version was decoded")
	}
	if _, err := encodePage(statements.Page{Rows: [][]statements.Value{{struct{}{}}}}); err == nil {
		t.Error("a struct was encoded")
	}
}

func FuzzDecodePage(f *testing.F) {
	seed, err := encodePage(statements.Page{Rows: [][]statements.Value{{nil, true, int64(7), 0.5, "x", []byte{1}}, {}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePage(b)
		if err != nil {
			return
		}
		again, err := encodePage(p)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := decodePage(again); err != nil || len(q.Rows) != len(p.Rows) {
			t.Errorf("%v was encoded and decoded to %v, %v", p, q, err)
		}
	})
}

func BenchmarkPage(b *testing.B) {
	p := statements.Page{}
	for n := range 1000 {
		p.Rows = append(p.Rows, []statements.Value{int64(n), "some text of a row", float64(n), nil, true})
	}
	encoded, err := encodePage(p)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(encoded)))
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			_, _ = encodePage(p)
		}
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			_, _ = decodePage(encoded)
		}
	})
}
