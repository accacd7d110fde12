package dialect

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// tables is a Catalog of the tables in testdata/schema.sql.
type tables map[string][]Column

func (t tables) Columns(database, schema, table string) ([]Column, bool) {
	if database == "" {
		database = "dev"
	}
	if schema == "" {
		schema = "public"
	}
	cols, ok := t[strings.ToLower(database+"."+schema+"."+table)]
	return cols, ok
}

func schema(t testing.TB) tables {
	t.Helper()
	text, err := os.ReadFile("testdata/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	list, err := Split(string(text))
	if err != nil {
		t.Fatal(err)
	}
	m := tables{}
	for _, s := range list {
		// nextval is refused in statements, and is what an identity column's default is.
		s = strings.Replace(s, "nextval(", "nextval_(", 1)
		q, err := Parse(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		d := q.(*Query).body.(*tableDef)
		var cols []Column
		for _, c := range d.columns {
			col := Column{Name: c.name, Type: c.typ, NotNull: c.notNull}
			if c.def != nil {
				p := q.(*Query).p
				col.Default = strings.Replace(p.src[p.toks[c.def.lo].pos:p.toks[c.def.hi-1].end], "nextval_(", "nextval(", 1)
			}
			cols = append(cols, col)
		}
		n := d.name
		if n.Database == "" {
			n.Database = "dev"
		}
		m[strings.ToLower(n.Database+"."+n.Schema+"."+n.Table)] = cols
	}
	return m
}

// outcome is what a case's input becomes: DuckDB statements, the parsed form of what DuckDB does not run, or
// an error.
func outcome(sql string, cat Catalog) string {
	s, err := Parse(sql)
	if err == nil {
		if q, ok := s.(*Query); ok {
			q.Unique = 7
			var list []string
			if list, err = q.Render(cat); err == nil {
				return strings.Join(list, "\n;;\n")
			}
		} else {
			b, err := json.Marshal(s)
			if err != nil {
				return "error " + err.Error()
			}
			return fmt.Sprintf("%s %s", strings.TrimPrefix(fmt.Sprintf("%T", s), "*dialect."), b)
		}
	}
	return fmt.Sprintf("error %s: %s", fault.KindOf(err), fault.Message(err))
}

// TestGolden runs the cases of testdata/*.golden:
//
//	=== title
//	statement
//	---
//	outcome
func TestGolden(t *testing.T) {
	cat := schema(t)
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	total := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, c := range strings.Split("\n"+string(text), "\n=== ")[1:] {
			total++
			title, rest, _ := strings.Cut(c, "\n")
			input, want, _ := strings.Cut(rest, "\n---\n")
			want = strings.TrimSpace(want)
			got := outcome(input, cat)
			fmt.Fprintf(&out, "=== %s\n%s\n---\n%s\n\n", title, input, got)
			if *update {
				continue
			}
			t.Run(filepath.Base(file)+"/"+title, func(t *testing.T) {
				if got != want {
					t.Errorf("%s\n got  %s\n want %s", input, got, want)
				}
			})
		}
		if *update {
			if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if *update {
		t.Fatalf("%d cases rewritten: read the difference, then test without -update", total)
	}
	if total < 120 {
		t.Errorf("only %d golden cases are left", total)
	}
}
