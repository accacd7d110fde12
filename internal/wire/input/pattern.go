package input

import (
	"regexp"
	"strings"
	"sync"
)

// Pattern is a regular expression of a model, matched against the whole value. It is compiled when it
// is first needed, so that services nobody calls cost nothing. Use it by pointer.
type Pattern struct {
	Source   string // as the model has it; shown to the client
	Expr     string // the same in RE2 syntax; empty where Source is RE2 already
	NoPrefix string // a negative look-ahead at the start of Source: a prefix the value must not have

	once sync.Once
	re   *regexp.Regexp
}

// Match reports whether the whole of s matches. The generator has compiled every pattern once, so
// that it does not fail here.
func (p *Pattern) Match(s string) bool {
	if p.NoPrefix != "" && strings.HasPrefix(s, p.NoPrefix) {
		return false
	}
	p.once.Do(func() {
		expr := p.Expr
		if expr == "" {
			expr = p.Source
		}
		p.re = regexp.MustCompile(WholeValue(expr))
	})
	return p.re.MatchString(s)
}

// WholeValue anchors an expression at both ends, alternatives included.
func WholeValue(expr string) string { return `^(?:` + expr + `)$` }
