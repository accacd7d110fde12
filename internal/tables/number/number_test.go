package number

import (
	"bytes"
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestNormalForm(t *testing.T) {
	nines := strings.Repeat("9", 38)
	for _, tc := range []struct{ in, want string }{
		{"0", "0"}, {"-0", "0"}, {"0.000", "0"}, {"0e500", "0"}, {"00", "0"},
		{"1", "1"}, {"+1", "1"}, {"-1", "-1"}, {"007", "7"}, {"1.50", "1.5"}, {".5", "0.5"}, {"5.", "5"},
		{"1e3", "1000"}, {"1E+3", "1000"}, {"1e-3", "0.001"}, {"123.456e2", "12345.6"}, {"100", "100"}, {"1.0", "1"},
		{"-0.00123", "-0.00123"}, {nines, nines}, {"0." + nines, "0." + nines}, {nines + "00", nines + "00"},
		{"9.9999999999999999999999999999999999999E+125", nines + strings.Repeat("0", 88)},
		{"1E-130", "0." + strings.Repeat("0", 129) + "1"},
		{"10e124", "1" + strings.Repeat("0", 125)},
		{"0." + strings.Repeat("0", 200) + "1e100", "0." + strings.Repeat("0", 100) + "1"},
		{strings.Repeat("0", 500) + "1", "1"},
	} {
		x, err := Parse(tc.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", tc.in, err)
			continue
		}
		if got := x.String(); got != tc.want {
			t.Errorf("Parse(%q) = %s, want %s", tc.in, got, tc.want)
		}
		if again, err := Parse(x.String()); err != nil || again != x {
			t.Errorf("%q does not survive its own normal form", tc.in)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want error
	}{
		{"", ErrSyntax}, {"a", ErrSyntax}, {"1a", ErrSyntax}, {"-", ErrSyntax}, {".", ErrSyntax}, {"1e", ErrSyntax}, {"e5", ErrSyntax},
		{"1e5.5", ErrSyntax}, {"1.2.3", ErrSyntax}, {" 1", ErrSyntax}, {"1 ", ErrSyntax}, {"0x10", ErrSyntax}, {"NaN", ErrSyntax},
		{"Infinity", ErrSyntax}, {"--1", ErrSyntax}, {"1_000", ErrSyntax}, {"1,5", ErrSyntax},
		{"1e126", ErrOverflow}, {"-1e126", ErrOverflow}, {"1e99999999999999999999", ErrOverflow},
		{"1e-131", ErrUnderflow}, {"0.1e-130", ErrUnderflow}, {"1e-99999999999999999999", ErrUnderflow},
		{strings.Repeat("1", 39), ErrPrecision}, {"1" + strings.Repeat("0", 37) + "1", ErrPrecision}, {"0." + strings.Repeat("1", 39), ErrPrecision},
	} {
		if x, err := Parse(tc.in); !errors.Is(err, tc.want) {
			t.Errorf("Parse(%q) = %v, %v; want %v", tc.in, x, err, tc.want)
		}
	}
}

// random gives numbers that are close to each other often enough for the order to be tested.
func random(r *rand.Rand) Number {
	var b strings.Builder
	if r.IntN(2) == 0 {
		b.WriteByte('-')
	}
	for range 1 + r.IntN(3) {
		b.WriteByte(byte('0' + r.IntN(10)))
	}
	if r.IntN(4) == 0 {
		b.WriteString(strings.Repeat("0", r.IntN(20)) + "5")
	}
	b.WriteString([]string{"", ".1", ".10", ".99", "e5", "e-5", "e120", "e-125"}[r.IntN(8)])
	x, err := Parse(b.String())
	if err != nil {
		return Number{}
	}
	return x
}

func rat(x Number) *big.Rat {
	v, _ := new(big.Rat).SetString(x.String())
	return v
}

func TestOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		x, y := random(r), random(r)
		want := rat(x).Cmp(rat(y))
		if got := x.Compare(y); got != want {
			t.Fatalf("Compare(%v, %v) = %d, want %d", x, y, got, want)
		}
		if got := bytes.Compare(x.AppendSortable(nil), y.AppendSortable(nil)); got != want {
			t.Fatalf("the encodings of %v and %v compare as %d, want %d", x, y, got, want)
		}
		// What follows in a key must not disturb the order.
		if got := bytes.Compare(append(x.AppendSortable(nil), 0xFF), append(y.AppendSortable(nil), 0x00)); want != 0 && got != want {
			t.Fatalf("the encodings of %v and %v with a suffix compare as %d, want %d", x, y, got, want)
		}
	}
}

func TestArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	exact := 0
	for range 50_000 {
		x, y := random(r), random(r)
		sum, err := x.Add(y)
		want := new(big.Rat).Add(rat(x), rat(y))
		if err == nil {
			exact++
			if rat(sum).Cmp(want) != 0 {
				t.Fatalf("%v + %v = %v", x, y, sum)
			}
			if back, err := Parse(sum.String()); err != nil || back != sum {
				t.Fatalf("%v + %v = %v is not in normal form", x, y, sum)
			}
		}
		if diff, err := x.Sub(y); err == nil && rat(diff).Cmp(new(big.Rat).Sub(rat(x), rat(y))) != 0 {
			t.Fatalf("%v - %v = %v", x, y, diff)
		}
	}
	if exact < 10_000 {
		t.Errorf("only %d sums were exact; the test proves little", exact)
	}
	for _, tc := range []struct {
		x, y string
		want error
	}{
		{"9e125", "9e125", ErrOverflow}, {"1e40", "1", ErrPrecision}, {"1e-130", "1e100", ErrPrecision},
	} {
		x, _ := Parse(tc.x)
		y, _ := Parse(tc.y)
		if _, err := x.Add(y); !errors.Is(err, tc.want) {
			t.Errorf("%s + %s: %v, want %v", tc.x, tc.y, err, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "-1.5e10", "1e-130", "99999999999999999999999999999999999999", "1e99999", ".", "0.0e-5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(x.String())
		if err != nil || again != x {
			t.Fatalf("Parse(%q) = %v, which parses as %v, %v", s, x, again, err)
		}
		if want, ok := new(big.Rat).SetString(s); ok && len(s) < 300 && rat(x).Cmp(want) != 0 {
			t.Fatalf("Parse(%q) = %v", s, x)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("12345.678901"); err != nil {
			b.Fatal(err)
		}
	}
}
