package input_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/wire/input"
)

func TestChecker(t *testing.T) {
	t.Parallel()
	name := &input.StringRule{Min: 1, Max: 5, Pattern: &input.Pattern{Source: "^[a-z]+(-[a-z]+)*$"}}
	secret := &input.StringRule{Min: 3, Hidden: true}
	color := &input.StringRule{Enum: []string{"red", "green"}}
	for _, c := range []struct {
		name  string
		check func(*input.Checker)
		want  string // empty: nothing found
	}{
		{"good", func(c *input.Checker) {
			c.String("name", "a-b", name)
			c.String("color", "red", color)
			c.Size("list", 2, 1, 2)
			c.Size("list", 9, 1, 0)
			c.Int("n", 5, 5, 5)
			c.OneOf(1)
		}, ""},
		{"missing", func(c *input.Checker) { c.Missing("name") },
			"1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"},
		{"too short", func(c *input.Checker) { c.String("name", "", name) },
			"2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
				"Value '' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-z]+(-[a-z]+)*$"},
		{"too long", func(c *input.Checker) { c.String("name", "abcdef", name) },
			"1 validation error detected: Value 'abcdef' at 'name' failed to satisfy constraint: Member must have length less than or equal to 5"},
		{"length counts characters", func(c *input.Checker) { c.String("x", "üüüüü", &input.StringRule{Min: 5, Max: 5}) }, ""},
		{"hidden", func(c *input.Checker) { c.String("password", "ab", secret) },
			"1 validation error detected: Value at 'password' failed to satisfy constraint: Member must have length greater than or equal to 3"},
		{"enum", func(c *input.Checker) { c.String("color", "blue", color) },
			"1 validation error detected: Value 'blue' at 'color' failed to satisfy constraint: Member must satisfy enum value set: [red, green]"},
		{"range", func(c *input.Checker) { c.Int("n", 0, 1, 10); c.Int("n", 11, 1, 10) },
			"2 validation errors detected: Value '0' at 'n' failed to satisfy constraint: Member must have value greater than or equal to 1; " +
				"Value '11' at 'n' failed to satisfy constraint: Member must have value less than or equal to 10"},
		{"size", func(c *input.Checker) { c.Size("list", 0, 1, 2); c.Size("list", 3, 1, 2) },
			"2 validation errors detected: Value at 'list' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
				"Value at 'list' failed to satisfy constraint: Member must have length less than or equal to 2"},
		{"paths", func(c *input.Checker) {
			c.Enter("tagList")
			c.EnterItem(1)
			c.Missing("key")
			c.Leave()
			c.Leave()
			c.Enter("items")
			c.EnterKey("k.1")
			c.OneOf(0)
			c.Leave()
			c.Leave()
			c.Missing("last")
		}, "3 validation errors detected: Value null at 'tagList.2.member.key' failed to satisfy constraint: Member must not be null; " +
			"Value at 'items.k.1.member' failed to satisfy constraint: Member must have exactly one of its members set, found 0; " +
			"Value null at 'last' failed to satisfy constraint: Member must not be null"},
		{"order of a map", func(c *input.Checker) {
			c.Missing("z")
			from := c.Found()
			c.Missing("b")
			c.Missing("a")
			c.Sort(from)
		}, "3 validation errors detected: Value null at 'z' failed to satisfy constraint: Member must not be null; " +
			"Value null at 'a' failed to satisfy constraint: Member must not be null; Value null at 'b' failed to satisfy constraint: Member must not be null"},
	} {
		var checker input.Checker
		c.check(&checker)
		got := ""
		if err := checker.Err(); err != nil {
			got = err.Message
			if err.Problem != input.Invalid {
				t.Errorf("%s: problem %d", c.name, err.Problem)
			}
		}
		if got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

// However much is wrong, the message stays short and the count true.
func TestCheckerManyViolations(t *testing.T) {
	t.Parallel()
	var c input.Checker
	rule := &input.StringRule{Max: 1}
	for range 1000 {
		c.String("x", strings.Repeat("ü", 10_000), rule)
	}
	text := c.Err().Message
	if !strings.HasPrefix(text, "1000 validation errors detected: ") || !strings.HasSuffix(text, "; ...") || len(text) > 20_000 {
		t.Errorf("%d bytes: %.200s", len(text), text)
	}
	if !utf8.ValidString(text) {
		t.Error("a value was cut within a character")
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern *input.Pattern
		value   string
		want    bool
	}{
		{&input.Pattern{Source: "[a-z]+"}, "abc", true},
		{&input.Pattern{Source: "[a-z]+"}, "abc1", false}, // the whole value, anchored or not
		{&input.Pattern{Source: "[a-z]+"}, "1abc", false},
		{&input.Pattern{Source: "^a$|^b$"}, "b", true},
		{&input.Pattern{Source: "a|b"}, "ab", false},
		{&input.Pattern{Source: "^.*$"}, "a\nb", false},
		{&input.Pattern{Source: `^(?!aws:)[a-z:]+$`, Expr: `^[a-z:]+$`, NoPrefix: "aws:"}, "team", true},
		{&input.Pattern{Source: `^(?!aws:)[a-z:]+$`, Expr: `^[a-z:]+$`, NoPrefix: "aws:"}, "aws:x", false},
		{&input.Pattern{Source: `^(?!aws:)[a-z:]+$`, Expr: `^[a-z:]+$`, NoPrefix: "aws:"}, "xaws:", true},
	} {
		if got := c.pattern.Match(c.value); got != c.want {
			t.Errorf("%s on %q: got %t", c.pattern.Source, c.value, got)
		}
	}
}

func TestEcho(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 255) + "üü"
	if got := input.Echo(long); got != strings.Repeat("x", 255)+"..." {
		t.Errorf("got %q", got)
	}
	if got := input.Echo("short"); got != "short" {
		t.Errorf("got %q", got)
	}
}
