package dialect

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/fault"
)

// seed adds the inputs of the golden cases to a fuzz target.
func seed(f *testing.F, files ...string) {
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		for _, c := range strings.Split("\n"+string(text), "\n=== ")[1:] {
			_, rest, _ := strings.Cut(c, "\n")
			input, _, _ := strings.Cut(rest, "\n---\n")
			f.Add(input)
		}
	}
}

// FuzzScan checks that the tokens of any text, joined, are the text.
func FuzzScan(f *testing.F) {
	seed(f, "functions.golden", "errors.golden")
	for _, s := range []string{"", "'", `"`, "$$", "$a$ $b$", "/*/* */", "--", "E'\\", ":a::b:=", "1e+", "#", "\xff\x00", "sys:", "'\\'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var b strings.Builder
		for pos := 0; ; {
			tok := scan(text, pos)
			if tok.kind == tEOF {
				break
			}
			if int(tok.pos) != pos || tok.end <= tok.pos {
				t.Fatalf("token %+v at %d of %q", tok, pos, text)
			}
			b.WriteString(text[tok.pos:tok.end])
			pos = int(tok.end)
		}
		if b.String() != text {
			t.Fatalf("tokens of %q are %q", text, b.String())
		}
	})
}

// FuzzParse checks that no statement makes the parser or the renderer panic, that errors are faults with a
// place in the statement, and that what is rendered once is rendered again to the same.
func FuzzParse(f *testing.F) {
	seed(f, "super.golden", "functions.golden", "table.golden", "statements.golden", "errors.golden")
	cat := schema(f)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Split(text)
		if err != nil {
			checkFault(t, text, err)
			return
		}
		for _, s := range list {
			if strings.TrimSpace(s) == "" {
				t.Fatalf("Split returned an empty statement of %q", text)
			}
		}
		s, err := Parse(text)
		if err != nil {
			checkFault(t, text, err)
			return
		}
		q, ok := s.(*Query)
		if !ok {
			return
		}
		q.Reads()
		if _, err := q.Render(cat); err != nil {
			checkFault(t, text, err)
		}
		if _, err := q.Render(nil); err != nil {
			checkFault(t, text, err)
		}
	})
}

// FuzzCopy is FuzzParse for COPY, whose secrets must not get out.
func FuzzCopy(f *testing.F) {
	seed(f, "copy.golden")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("COPY " + text)
		if err != nil {
			checkFault(t, "COPY "+text, err)
			return
		}
		if c, ok := s.(*Copy); ok {
			if c.Bucket == "" || c.Table.Table == "" {
				t.Fatalf("COPY %s: no bucket or table in %+v", text, c)
			}
			for _, secret := range []Secret{c.SecretAccessKey, c.SessionToken} {
				if v := secret.Reveal(); len(v) > 8 && !strings.Contains(c.Source, v) && strings.Contains(c.Text, v) {
					t.Fatalf("COPY %s: its text %q has the secret %q", text, c.Text, v)
				}
			}
		}
	})
}

// FuzzBind checks that a bound value is one literal that means the value, whatever it is.
func FuzzBind(f *testing.F) {
	for _, v := range []string{"", "x", "it's", `back\slash`, `\'`, "a\x00b", "';DROP TABLE t;--", "$$", ":p"} {
		f.Add("SELECT :p, ':p', a::int -- :p", v)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		out, err := Bind(text, map[string]string{"p": value})
		if err != nil {
			checkFault(t, text, err)
			return
		}
		// Token by token, the bound text is the text with literals of the value.
		next := func(s string, pos int) token {
			tok := scan(s, pos)
			for tok.kind == tSpace {
				tok = scan(s, int(tok.end))
			}
			return tok
		}
		i, j := 0, 0
		for {
			a, b := next(text, i), next(out, j)
			if a.kind == tParam {
				if b.kind != tString || stringValue(tString, out[b.pos:b.end]) != value {
					t.Fatalf("%q with %q became %q", text, value, out)
				}
			} else if text[a.pos:a.end] != out[b.pos:b.end] {
				t.Fatalf("%q with %q became %q", text, value, out)
			}
			if a.kind == tEOF {
				return
			}
			i, j = int(a.end), int(b.end)
		}
	})
}

// FuzzRedact checks that redacting is total and stable.
func FuzzRedact(f *testing.F) {
	seed(f, "copy.golden")
	f.Fuzz(func(t *testing.T, text string) {
		once := Redact(text)
		if twice := Redact(once); twice != once {
			t.Fatalf("%q became %q, then %q", text, once, twice)
		}
	})
}

func checkFault(t *testing.T, text string, err error) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Message == "" || e.Kind == fault.Internal {
		t.Fatalf("%q: %v is no fault of the caller", text, err)
	}
	if p := Position(err); p < 0 || p > utf8.RuneCountInString(text)+1 {
		t.Fatalf("%q: position %d is outside", text, p)
	}
}
