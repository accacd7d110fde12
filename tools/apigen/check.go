package main

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/internal/wire/input"
)

// A patternForm is how a pattern of the models that is not RE2 is checked.
type patternForm struct{ expr, noPrefix string }

// rewritten lists the patterns that need a form of their own: RE2 has no look-ahead.
var rewritten = map[string]patternForm{
	`^(?!aws:)[a-zA-Z+-=._:/]+$`: {expr: `^[a-zA-Z+-=._:/]+$`, noPrefix: "aws:"},
	`^(((?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9])\.)+((?!-)[A-Za-z0-9-]{1,62}[A-Za-z0-9])$`: {
		expr: `^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]$`},
}

var (
	javaEscape = regexp.MustCompile(`\\u(10?[0-9A-F]{4}|[0-9A-F]{4})`)
	longRepeat = regexp.MustCompile(`(\[[^\]]*\])\{0,(\d{4,})\}`)
)

// re2 is the pattern in RE2 syntax. Characters written as \u and their number become \x{...};
// a count past RE2's limit of 1000 is split in two.
func re2(pattern string) patternForm {
	if form, ok := rewritten[pattern]; ok {
		return form
	}
	expr := javaEscape.ReplaceAllString(pattern, `\x{$1}`)
	expr = longRepeat.ReplaceAllStringFunc(expr, func(s string) string {
		part := longRepeat.FindStringSubmatch(s)
		n, _ := strconv.Atoi(part[2])
		return fmt.Sprintf("%s{0,1000}%s{0,%d}", part[1], part[1], n-1000)
	})
	if expr == pattern {
		return patternForm{}
	}
	return patternForm{expr: expr}
}

// hasRule tells whether a string shape has constraints of its own.
func hasRule(s *shape) bool {
	return s.kind == "enum" || s.kind == "string" && (s.length != nil || s.pattern != "")
}

// needsCheck finds the shapes with a constraint on themselves or anything below them.
func needsCheck(m *model) map[*shape]bool {
	need := map[*shape]bool{}
	for changed := true; changed; {
		changed = false
		for _, s := range m.shapes {
			if need[s] {
				continue
			}
			yes := hasRule(s) || s.length != nil || s.rng != nil || s.oneOf
			for _, mb := range s.members {
				yes = yes || mb.required || need[mb.shape]
			}
			for _, mb := range []*member{s.elem, s.key, s.val} {
				yes = yes || mb != nil && need[mb.shape]
			}
			if yes {
				need[s], changed = true, true
			}
		}
	}
	return need
}

// checksBelow tells whether a list or map has anything to check in its elements.
func checksBelow(need map[*shape]bool, s *shape) bool {
	return s.kind == "list" && need[s.elem.shape] || s.kind == "map" && (need[s.key.shape] || need[s.val.shape])
}

// writeChecks writes the rules of strings, and a function for each shape whose members or elements
// have constraints.
func writeChecks(p *printer, m *model) {
	need := needsCheck(m)
	for _, s := range m.shapes {
		if s.in && hasRule(s) {
			writeRule(p, s)
		}
	}
	for _, s := range m.shapes {
		if !s.in || !need[s] {
			continue
		}
		switch s.kind {
		case "structure", "union":
			p.f("func check%s(c *input.Checker, v *%s) {", s.goName, s.goName)
			if s.oneOf {
				p.f("n := 0")
			}
			for _, mb := range s.members {
				checkMember(p, need, s, mb)
			}
			if s.oneOf {
				p.f("c.OneOf(n)")
			}
			p.f("}\n")
		case "list":
			if !checksBelow(need, s) {
				continue
			}
			p.f("func check%s(c *input.Checker, v %s) {", exported(s.name), elemType(s))
			p.f("for i := range v {\nc.EnterItem(i)")
			checkValue(p, need, s.elem.shape, "", "v[i]")
			p.f("c.Leave()\n}\n}\n")
		case "map":
			if !checksBelow(need, s) {
				continue
			}
			p.f("func check%s(c *input.Checker, v %s) {", exported(s.name), elemType(s))
			p.f("from := c.Found()\nfor k := range v {\nc.EnterKey(k)")
			checkValue(p, need, s.key.shape, "", "k")
			if need[s.val.shape] {
				p.f("e := v[k]")
				checkValue(p, need, s.val.shape, "", "e")
			}
			p.f("c.Leave()\n}\nc.Sort(from)\n}\n")
		}
	}
	if p.body.Len() > 0 {
		p.use(module + "internal/wire/input")
	}
}

func checkMember(p *printer, need map[*shape]bool, s *shape, mb *member) {
	if !mb.required && !need[mb.shape] && !s.oneOf {
		return
	}
	value := "v." + mb.goName
	switch {
	case mb.required && !need[mb.shape]:
		p.f("if %s == nil {\nc.Missing(%q)\n}", value, mb.path)
		return
	case mb.required:
		p.f("if %s == nil {\nc.Missing(%q)\n} else {", value, mb.path)
	default:
		p.f("if %s != nil {", value)
	}
	if s.oneOf {
		p.f("n++")
	}
	if pointer(mb.shape) {
		value = "*" + value
	}
	checkValue(p, need, mb.shape, mb.path, value)
	p.f("}")
}

// checkValue writes the statements that check value, an expression of the shape's element type. path
// is its name below the current parent; empty when the parent is the value itself.
func checkValue(p *printer, need map[*shape]bool, s *shape, path, value string) {
	if !need[s] {
		return
	}
	enter := func(call string) {
		if path == "" {
			p.f("%s", call)
		} else {
			p.f("c.Enter(%q)\n%s\nc.Leave()", path, call)
		}
	}
	switch s.kind {
	case "string", "enum":
		p.f("c.String(%q, %s, &rule%s)", path, value, exported(s.name))
	case "integer", "long":
		least, most := "math.MinInt64", "math.MaxInt64"
		if s.rng.Min != nil {
			least = s.rng.Min.String()
		}
		if s.rng.Max != nil {
			most = s.rng.Max.String()
		}
		if s.rng.Min == nil || s.rng.Max == nil {
			p.use("math")
		}
		p.f("c.Int(%q, int64(%s), %s, %s)", path, value, least, most)
	case "structure", "union":
		enter(fmt.Sprintf("check%s(c, %s)", s.goName, addressOf(value)))
	case "list", "map", "blob":
		if s.length != nil {
			least, most := size(s.length)
			p.f("c.Size(%q, len(%s), %d, %d)", path, value, least, most)
		}
		if checksBelow(need, s) {
			enter(fmt.Sprintf("check%s(c, %s)", exported(s.name), value))
		}
	}
}

func writeRule(p *printer, s *shape) {
	var fields []string
	if s.length != nil {
		least, most := size(s.length)
		if least > 0 {
			fields = append(fields, fmt.Sprintf("Min: %d", least))
		}
		if most > 0 {
			fields = append(fields, fmt.Sprintf("Max: %d", most))
		}
	}
	if s.pattern != "" {
		form := re2(s.pattern)
		pattern := fmt.Sprintf("Source: %q", s.pattern)
		if form.expr != "" {
			pattern += fmt.Sprintf(", Expr: %q", form.expr)
		}
		if form.noPrefix != "" {
			pattern += fmt.Sprintf(", NoPrefix: %q", form.noPrefix)
		}
		fields = append(fields, "Pattern: &input.Pattern{"+pattern+"}")
	}
	if s.kind == "enum" {
		var values []string
		for _, v := range s.enum {
			values = append(values, strconv.Quote(v))
		}
		fields = append(fields, "Enum: []string{"+strings.Join(values, ", ")+"}")
	}
	if s.sensitive {
		fields = append(fields, "Hidden: true")
	}
	p.f("var rule%s = input.StringRule{%s}\n", exported(s.name), strings.Join(fields, ", "))
}

// size is the bounds of a length; 0 is no limit.
func size(b *bounds) (least, most int64) {
	if b.Min != nil {
		least, _ = b.Min.Int64()
	}
	if b.Max != nil {
		most, _ = b.Max.Int64()
	}
	return least, most
}

// checkable refuses constraints the generated code could not enforce as they stand.
func checkable(s *shape) error {
	if s.pattern != "" {
		form := re2(s.pattern)
		expr := form.expr
		if expr == "" {
			expr = s.pattern
		}
		if _, err := regexp.Compile(input.WholeValue(expr)); err != nil {
			return fmt.Errorf("shape %s: pattern %s is not RE2, add a form of it to rewritten: %w", s.name, s.pattern, err)
		}
		if s.kind != "string" {
			return fmt.Errorf("shape %s: a pattern on a %s is not supported", s.name, s.kind)
		}
	}
	if s.length != nil {
		if _, most := size(s.length); s.length.Max != nil && (most <= 0 || most > math.MaxInt32) {
			return fmt.Errorf("shape %s: maximum length %s is not supported", s.name, *s.length.Max)
		}
	}
	if s.rng != nil {
		if s.kind != "integer" && s.kind != "long" {
			return fmt.Errorf("shape %s: a range on a %s is not supported", s.name, s.kind)
		}
		for _, n := range []*json.Number{s.rng.Min, s.rng.Max} {
			if n != nil {
				if _, err := n.Int64(); err != nil {
					return fmt.Errorf("shape %s: range bound %s is not a whole number", s.name, *n)
				}
			}
		}
	}
	return nil
}
