package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/wire/input"
)

// What is checked in must be what the models say.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if err := run(filepath.Join("..", "..", "api-models"), out); err != nil {
		t.Fatal(err)
	}
	checkedIn := filepath.Join("..", "..", "internal", "awsapi")
	want, err := filepath.Glob(filepath.Join(out, "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	have, err := filepath.Glob(filepath.Join(checkedIn, "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	if len(want) == 0 || len(want) != len(have) {
		t.Errorf("the models make %d files, %d are checked in", len(want), len(have))
	}
	for _, file := range want {
		name, err := filepath.Rel(out, file)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if old, err := os.ReadFile(filepath.Join(checkedIn, name)); err != nil || string(old) != string(fresh) {
			t.Errorf("%s is not current (%v); run go run ./tools/apigen", name, err)
		}
	}
}

// A second run replaces what the first wrote and removes what the models no longer have.
func TestGenerateReplaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stale := filepath.Join(dir, "sts", "stale_gen.go")
	kept := filepath.Join(dir, "sts", "README.md")
	if err := os.MkdirAll(filepath.Dir(stale), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{stale, kept} {
		if err := os.WriteFile(f, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(filepath.Join("..", "..", "api-models"), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the stale file is still there: %v", err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}

func TestRE2(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{`[a-z]+`, []string{"a"}, []string{"", "a1"}},
		{`[\u0020-\u00FF]*`, []string{"", "ü "}, []string{"\t", "日"}},
		{`[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`,
			[]string{"a\t\n", "日本", "🎉"}, []string{"\x00", "\uFFFE"}},
		{`a[b-c]{0,1023}`, []string{"a", "a" + strings.Repeat("b", 1023)}, []string{"a" + strings.Repeat("b", 1024)}},
		{`^(?!aws:)[a-zA-Z+-=._:/]+$`, []string{"team", "Aws:x", "xaws:"}, []string{"aws:", "aws:x", "a b"}},
		{`^(((?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9])\.)+((?!-)[A-Za-z0-9-]{1,62}[A-Za-z0-9])$`,
			[]string{"a.bc", "a-b.c1.example", strings.Repeat("a", 63) + ".com"},
			[]string{"bc", "a.b", "-a.com", "a-.com", "a..com", ".com", "a.-com", strings.Repeat("a", 64) + ".com"}},
	} {
		form := re2(c.pattern)
		p := &input.Pattern{Source: c.pattern, Expr: form.expr, NoPrefix: form.noPrefix}
		for _, s := range c.yes {
			if !p.Match(s) {
				t.Errorf("%s must match %q", c.pattern, s)
			}
		}
		for _, s := range c.no {
			if p.Match(s) {
				t.Errorf("%s must not match %q", c.pattern, s)
			}
		}
	}
}

func TestEnumName(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"creating": "EnumCreating", "PAY_PER_REQUEST": "EnumPayPerRequest", "integration-arn": "EnumIntegrationArn",
		"RuntimeFailure": "EnumRuntimeFailure", "RSA_2048": "EnumRsa2048", "S": "EnumS",
	} {
		if got := enumName("enum", value); got != want {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
}

// A model with something the generator does not know must stop it.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const service = `"a#S":{"type":"service","version":"1","operations":[{"target":"a#Op"}],
		"traits":{"aws.api#service":{"sdkId":"S"},"aws.auth#sigv4":{"name":"s"},"aws.protocols#awsJson1_1":{},"aws.json#targetPrefix":"S"}}`
	for _, c := range []struct{ name, shapes, want string }{
		{"good", `"a#Op":{"type":"operation","input":{"target":"a#In"}},"a#In":{"type":"structure","members":{"x":{"target":"a#T"}}},"a#T":{"type":"string"}`, ""},
		{"unknown trait", `"a#Op":{"type":"operation","input":{"target":"a#In"},"traits":{"smithy.api#new":{}}},"a#In":{"type":"structure"}`, "unknown trait smithy.api#new"},
		{"constraint on a member", `"a#Op":{"type":"operation","input":{"target":"a#In"}},"a#In":{"type":"structure","members":{"x":{"target":"a#T","traits":{"smithy.api#length":{"min":1}}}}},"a#T":{"type":"string"}`, "not supported on a member"},
		{"unknown type", `"a#Op":{"type":"operation","input":{"target":"a#In"}},"a#In":{"type":"structure","members":{"x":{"target":"a#T"}}},"a#T":{"type":"document"}`, `type "document" is not supported`},
		{"missing shape", `"a#Op":{"type":"operation","input":{"target":"a#In"}},"a#In":{"type":"structure","members":{"x":{"target":"a#T"}}}`, "a#T is referred to and not defined"},
		{"no input", `"a#Op":{"type":"operation"}`, "without input"},
		{"pattern that is not RE2", `"a#Op":{"type":"operation","input":{"target":"a#In"}},"a#In":{"type":"structure","members":{"x":{"target":"a#T"}}},"a#T":{"type":"string","traits":{"smithy.api#pattern":"(?=x)"}}`, "is not RE2"},
		{"names that collide", `"a#Op":{"type":"operation","input":{"target":"a#In"}},"a#In":{"type":"structure","members":{"x":{"target":"a#T"},"X":{"target":"a#T"}}},"a#T":{"type":"string"}`, "two members X"},
	} {
		models := t.TempDir()
		text := `{"smithy":"2.0","shapes":{` + service + "," + c.shapes + "}}"
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s: the case is not JSON", c.name)
		}
		if err := os.WriteFile(filepath.Join(models, "s.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		err := run(models, filepath.Join(models, "out"))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
