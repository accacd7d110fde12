package conformance

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"

	"github.com/penstock-io/penstock/internal/wire/wiretest"
	"github.com/penstock-io/penstock/test/harness"
)

const (
	sqlCases = "testdata/sql.txt"
	sqlDoc   = "../../docs/reference/sql.md"
)

// sqlSection is a part of the table of SQL that works.
type sqlSection struct {
	title string
	steps []sqlStep
}

// sqlStep is a statement with what it gives, prose, or an object to put.
type sqlStep struct {
	line    int
	prose   string
	object  string // s3://bucket/key
	text    string // the statement, or the object's content
	want    string // done, nothing, any, rows or error
	columns string // "name type, ...", empty for not looked at
	rows    []string
	failure string
	known   string // a defect that keeps it from working
}

// readSQL reads the table.
func readSQL(t *testing.T) []sqlSection {
	t.Helper()
	file, err := os.ReadFile(sqlCases)
	if err != nil {
		t.Fatal(err)
	}
	var sections []sqlSection
	number := 0
	for paragraph := range strings.SplitSeq(string(file), "\n\n") {
		line := number + 1
		number += strings.Count(paragraph, "\n") + 2
		paragraph = strings.Trim(paragraph, "\n")
		if strings.HasPrefix(paragraph, "#") {
			if title, ok := strings.CutPrefix(paragraph, "## "); ok {
				sections = append(sections, sqlSection{title: title})
			}
			continue
		}
		if len(sections) == 0 || paragraph == "" {
			t.Fatalf("%s:%d: a paragraph outside a section, or an empty one", sqlCases, line)
		}
		s := &sections[len(sections)-1]
		s.steps = append(s.steps, readSQLStep(t, line, paragraph))
	}
	return sections
}

func readSQLStep(t *testing.T, line int, paragraph string) sqlStep {
	t.Helper()
	step := sqlStep{line: line}
	if prose, ok := strings.CutPrefix(paragraph, "| "); ok {
		step.prose = prose
		return step
	}
	if object, ok := strings.CutPrefix(paragraph, "@ "); ok {
		name, content, _ := strings.Cut(object, "\n")
		step.object, step.text = name, content+"\n"
		return step
	}
	var text []string
	for l := range strings.SplitSeq(paragraph, "\n") {
		kind, rest, _ := strings.Cut(l, " ")
		switch kind {
		case "=":
			step.want = rest
		case ":":
			step.columns = rest
		case ">":
			step.want, step.rows = "rows", append(step.rows, rest)
		case "!":
			step.want, step.failure = "error", rest
		case "%":
			step.known = rest
		default:
			if step.want != "" || step.known != "" {
				t.Fatalf("%s:%d: a statement goes on after its result", sqlCases, line)
			}
			text = append(text, l)
		}
	}
	step.text = strings.Join(text, "\n")
	if !slices.Contains([]string{"done", "nothing", "any", "rows", "error"}, step.want) || !strings.HasSuffix(step.text, ";") {
		t.Fatalf("%s:%d: a statement without an end or a result: %s", sqlCases, line, paragraph)
	}
	return step
}

// TestSQL runs the statements users type and compares what comes back.
func TestSQL(t *testing.T) {
	t.Parallel()
	sections := readSQL(t)
	server, ctx := boot(t)
	c := server.Clients()
	if _, err := c.Join(ctx, "lake"); err != nil {
		t.Fatal(err)
	}
	for i := range sections {
		run(t, ctx, c, fmt.Sprintf("CREATE DATABASE section_%d", i+1))
	}
	statements := 0
	for i, section := range sections {
		for _, step := range section.steps {
			if step.want != "" && step.known == "" {
				statements++
			}
		}
		t.Run(strings.ReplaceAll(section.title, " ", "_"), func(t *testing.T) {
			t.Parallel()
			session := openSession(t, ctx, c, fmt.Sprintf("section_%d", i+1))
			for _, step := range section.steps {
				trouble := runSQLStep(t, ctx, c, session, step)
				switch {
				case trouble != "" && step.known != "":
					t.Run(fmt.Sprintf("line %d", step.line), func(t *testing.T) { t.Skipf("known: %s\n%s", step.known, trouble) })
				case trouble != "":
					t.Errorf("%s:%d: %s\n%s", sqlCases, step.line, step.text, trouble)
				case step.known != "":
					t.Logf("%s:%d works now: take the mark off", sqlCases, step.line)
				}
			}
		})
	}
	if statements < 120 {
		t.Errorf("the table has %d statements", statements)
	}
}

// openSession opens a Data API session in a database of the default warehouse.
func openSession(t *testing.T, ctx context.Context, c harness.Clients, database string) string {
	t.Helper()
	out, err := c.Data.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{
		ClusterIdentifier: aws.String("default"), Database: aws.String(database), Sql: aws.String("SELECT 1"), SessionKeepAliveSeconds: aws.Int32(600),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Wait(ctx, *out.Id); err != nil {
		t.Fatal(err)
	}
	return *out.SessionId
}

// runSQLStep carries out a step and says what is not as it should be.
func runSQLStep(t *testing.T, ctx context.Context, c harness.Clients, session string, step sqlStep) string {
	t.Helper()
	switch {
	case step.prose != "":
		return ""
	case step.object != "":
		bucket, key, _ := strings.Cut(strings.TrimPrefix(step.object, "s3://"), "/")
		put(t, ctx, c, bucket, key, step.text)
		return ""
	}
	out, err := c.Data.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{SessionId: &session, Sql: &step.text})
	if err != nil {
		return fmt.Sprintf("refused: %v", err)
	}
	result, err := c.Wait(ctx, *out.Id)
	if ctx.Err() != nil {
		t.Fatalf("%s: %v", step.text, err)
	}
	if step.want == "error" {
		if err == nil || !strings.Contains(err.Error(), step.failure) || !strings.HasPrefix(err.Error(), "ERROR: ") {
			return fmt.Sprintf("error %v\nwant  %s", err, step.failure)
		}
		return ""
	}
	if err != nil {
		return err.Error()
	}
	if has := aws.ToBool(result.HasResultSet); has != (step.want != "done") {
		return fmt.Sprintf("has a result: %t", has)
	}
	if step.want == "done" || step.want == "any" {
		return ""
	}
	columns, rows := fetchAll(t, ctx, c, *out.Id)
	if s := strings.Join(columns, ", "); step.columns != "" && s != step.columns {
		return fmt.Sprintf("columns %s\nwant    %s", s, step.columns)
	}
	if !slices.Equal(rows, step.rows) {
		return fmt.Sprintf("got\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(step.rows, "\n"))
	}
	return ""
}

// TestSQLReference fails when docs/reference/sql.md does not say what the table of SQL says.
func TestSQLReference(t *testing.T) {
	want := renderSQL(readSQL(t))
	if *wiretest.Update {
		if err := os.WriteFile(filepath.FromSlash(sqlDoc), want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.FromSlash(sqlDoc))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/reference/sql.md is not what %s says (%v): run go test ./test/conformance -run TestSQLReference -update", sqlCases, err)
	}
}

// renderSQL writes the page.
func renderSQL(sections []sqlSection) []byte {
	var b bytes.Buffer
	b.WriteString(`# SQL that works

Every statement on this page is run by the tests, in the order it stands here, through the Redshift Data API, and gives what stands under it.
The page is made from test/conformance/testdata/sql.txt. What is not here may work too: a statement the SQL edge has no opinion on is DuckDB's.

`)
	for _, s := range sections {
		fmt.Fprintf(&b, "- [%s](#%s)\n", s.title, strings.ToLower(strings.ReplaceAll(strings.NewReplacer(",", "", ":", "").Replace(s.title), " ", "-")))
	}
	var gaps []sqlStep
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n", s.title)
		fenced := false
		fence := func(open bool) {
			switch {
			case fenced && open:
				b.WriteString("\n")
			case fenced:
				b.WriteString("```\n")
			case open:
				b.WriteString("\n```sql\n")
			}
			fenced = open
		}
		for _, step := range s.steps {
			switch {
			case step.known != "":
				gaps = append(gaps, step)
			case step.prose != "":
				fence(false)
				fmt.Fprintf(&b, "\n%s\n", step.prose)
			case step.object != "":
				fence(false)
				fmt.Fprintf(&b, "\nWith `%s`:\n\n```\n%s```\n", step.object, step.text)
			default:
				fence(true)
				b.WriteString(step.text + "\n")
				for _, row := range step.rows {
					b.WriteString("--> " + row + "\n")
				}
				if step.want == "nothing" {
					b.WriteString("--> (no rows)\n")
				}
				if step.want == "error" {
					b.WriteString("--> ERROR: ... " + step.failure + "\n")
				}
			}
		}
		fence(false)
	}
	if len(gaps) > 0 {
		b.WriteString("\n## Not yet\n\nWhat is known to differ from Redshift:\n\n```sql\n")
		for i, step := range gaps {
			if i > 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "%s\n--> %s\n", step.text, step.known)
		}
		b.WriteString("```\n")
	}
	return b.Bytes()
}
