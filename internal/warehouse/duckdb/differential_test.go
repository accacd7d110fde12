package duckdb

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/warehouse/duckdb/records"
)

// TestBothReadersAgree makes random files and holds what the engine reads from them, where it reads them at
// all, against what package records does. (A backslash by itself is left out: the engine overlooks a surplus
// field that is the beginning of the NULL text.) PENSTOCK_TEST_SEED makes
// other files.
func TestBothReadersAgree(t *testing.T) {
	seed := uint64(1)
	if s := os.Getenv("PENSTOCK_TEST_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // repeatable on purpose
	f := newFixture(t)
	s := f.connect()
	text := []string{"a", "b", "1", " ", "  ", ",", ",", ",", "|", "|", `"`, `"`, `""`, `","`, "\n", "\n", "\n", "\r\n", `\N`, "ä", "'", "\t", "x,y\n", "x|y\n"}
	json := []string{"{", "}", `{"a":`, `"b":`, ",", ":", "1", "2.5", `"x"`, "null", "true", "[", "]", " ", "\n", `{"a":1,"b":"x"}`, "{\"a\":\"y\"}\n", `"\u00e4\n"`, `{"a":{"a":[1]}}`, "{}", `"c":`}
	accepted := map[load.Format]int{}
	for n := range 1500 {
		spec, words := csvSpec(), text
		switch n % 3 {
		case 1:
			spec = textSpec()
		case 2:
			spec, words = jsonSpec(), json
		}
		if n%7 == 0 && spec.Format != load.JSON {
			spec.IgnoreHeader = random.IntN(3)
		}
		columns := []string{"a VARCHAR", "b VARCHAR", "c VARCHAR"}[:1+random.IntN(3)]
		if n < 3 || random.IntN(200) == 0 {
			f.table(s, "a VARCHAR", "b VARCHAR", "c VARCHAR")
		}
		for _, c := range columns {
			spec.Columns = append(spec.Columns, c[:1])
		}
		var b strings.Builder
		for range random.IntN(25) {
			b.WriteString(words[random.IntN(len(words))])
		}
		file := f.file("x", b.String())
		if spec.IgnoreHeader > 0 && !records.PlainHeader(file.Path, spec) {
			continue // not left to the engine
		}
		if spec.Format == load.JSON && surplusComma.MatchString(b.String()) {
			continue // the engine takes a comma too many, and loses nothing by it
		}
		fast, err := readFast(t, s, spec, file)
		if err != nil {
			continue
		}
		accepted[spec.Format]++
		slow := readSlow(t, spec, file)
		if slices.ContainsFunc(slow, func(r string) bool { return strings.Contains(r, "Invalid quote formatting") }) {
			continue // of text that is no CSV the engine sometimes makes something
		}
		if !slices.Equal(fast, slow) {
			t.Fatalf("%s %v, header %d: %q\nengine  %q\nrecords %q", spec.Format, spec.Columns, spec.IgnoreHeader, b.String(), fast, slow)
		}
	}
	for format, n := range accepted {
		if n < 10 {
			t.Errorf("only %d files of format %s were good", n, format)
		}
	}
}

// surplusComma is a comma behind the last member.
var surplusComma = regexp.MustCompile(`,\s*[}\]]`)

func readFast(t *testing.T, s *Session, spec load.Spec, file load.File) (out []string, err error) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.newLoader(t.Context(), request(spec, file))
	if err != nil {
		t.Fatal(err)
	}
	fields, source, err := l.converters(t.Context(), s.conn, unit{l.files[0]}.files())
	if err != nil {
		t.Fatal(err)
	}
	err = s.conn.each(t.Context(), "SELECT "+values(fields, converter.strict)+" FROM "+source, nil, func(v []any) error {
		out = append(out, fmt.Sprintf("%q", v))
		return nil
	})
	return out, err
}

func readSlow(t *testing.T, spec load.Spec, file load.File) (out []string) {
	t.Helper()
	r, err := records.Open(file.Path, spec, spec.Columns, make([]bool, len(spec.Columns)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec.Problem != nil {
			out = append(out, rec.Problem.Reason)
			continue
		}
		v := make([]any, len(rec.Fields))
		for i, f := range rec.Fields {
			if !f.Null {
				v[i] = f.Text
			}
		}
		out = append(out, fmt.Sprintf("%q", v))
	}
}
