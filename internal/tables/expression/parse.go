package expression

import (
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/internal/tables/item"
)

// A node is a part of an expression: an operand or a condition.
type node struct {
	op     string // one of the op constants, a comparator, or the name of a function
	args   []*node
	path   Path       // opPath; names still as written until resolve
	value  item.Value // opValue; after resolve
	ref    string     // opValue: the :name
	call   bool       // a function
	parens int        // how many pairs are around it
	at     token      // where it begins
}

const (
	opPath    = "path"
	opValue   = "value"
	opAnd     = "AND"
	opOr      = "OR"
	opNot     = "NOT"
	opBetween = "BETWEEN"
	opIn      = "IN"
	opPlus    = "+"
	opMinus   = "-"
)

func (n *node) operand() bool { return n.op == opPath || n.op == opValue }

// function reports whether the node is a call, by whatever name.
func (n *node) function() bool { return n.call }

// parser builds nodes. The first error ends it: everything then returns nil.
type parser struct {
	*scanner
	parameter string
	terms     *Terms
	operators int
	err       error
}

func newParser(parameter, text string, terms *Terms) (*parser, error) {
	s, err := scan(parameter, text)
	if err != nil {
		return nil, err
	}
	return &parser{scanner: s, parameter: parameter, terms: terms}, nil
}

func (p *parser) unexpectedHere() {
	if p.err == nil {
		p.err = p.unexpected(p.parameter, p.peek())
	}
}

func (p *parser) expect(text string) {
	if p.err == nil && !p.accept(text) {
		p.unexpectedHere()
	}
}

// node counts an operator and makes its node.
func (p *parser) node(op string, at token, args ...*node) *node {
	p.operators++
	if p.operators > maxOperators && p.err == nil {
		p.err = bad(p.parameter, textf("The expression contains too many operators; operator count: %d", p.operators))
	}
	return &node{op: op, args: args, at: at}
}

// condition parses OR, and what binds tighter.
func (p *parser) condition() *node {
	n := p.conjunction()
	for p.err == nil && p.keyword(opOr) {
		at := p.take()
		n = p.node(opOr, at, p.boolean(n), p.boolean(p.conjunction()))
	}
	return n
}

func (p *parser) conjunction() *node {
	n := p.negation()
	for p.err == nil && p.keyword(opAnd) {
		at := p.take()
		n = p.node(opAnd, at, p.boolean(n), p.boolean(p.negation()))
	}
	return n
}

func (p *parser) negation() *node {
	if p.keyword(opNot) && p.err == nil {
		at := p.take()
		return p.node(opNot, at, p.boolean(p.negation()))
	}
	return p.comparison()
}

// boolean refuses an operand where a condition belongs: what is missing is behind it.
func (p *parser) boolean(n *node) *node {
	if p.err == nil && n.operand() {
		p.unexpectedHere()
	}
	return n
}

func (p *parser) comparison() *node {
	left := p.primary()
	if p.err != nil {
		return nil
	}
	at := p.peek()
	switch text := p.str(at); {
	case at.kind == mark && (text == "=" || text == "<" || text == ">" || text == "<=" || text == ">=" || text == "<>"):
		p.take()
		return p.node(text, at, left, p.primary())
	case p.acceptKeyword(opBetween):
		low := p.primary()
		if p.err == nil && !p.acceptKeyword(opAnd) {
			p.unexpectedHere()
		}
		return p.node(opBetween, at, left, low, p.primary())
	case p.acceptKeyword(opIn):
		p.expect("(")
		args := append([]*node{left}, p.operands()...)
		return p.node(opIn, at, args...)
	}
	return left
}

// operands parses operands with commas between them up to the closing parenthesis.
func (p *parser) operands() []*node {
	var list []*node
	for p.err == nil {
		list = append(list, p.primary())
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return list
}

// primary parses a path, a value, a call, or something in parentheses.
func (p *parser) primary() *node {
	t := p.peek()
	switch {
	case p.err != nil:
		return nil
	case p.accept("("):
		n := p.condition()
		p.expect(")")
		if p.err == nil {
			n.parens++
			p.pathTail(n)
		}
		return n
	case t.kind == valueRef:
		p.take()
		return &node{op: opValue, ref: p.str(t), at: t}
	case t.kind == nameRef:
		return p.path()
	case t.kind == word && !isConnective(p.str(t)):
		if next := p.after(); next.kind == mark && p.str(next) == "(" {
			p.take()
			p.take()
			n := p.node(p.str(t), t, p.operands()...)
			n.call = true
			return n
		}
		return p.path()
	}
	p.unexpectedHere()
	return nil
}

// pathTail continues a path whose beginning was in parentheses.
func (p *parser) pathTail(n *node) {
	if n.op == opPath && (p.is(".") || p.is("[")) {
		p.steps(n)
	}
}

func isConnective(s string) bool {
	switch strings.ToUpper(s) {
	case opAnd, opOr, opNot, opBetween, opIn:
		return true
	}
	return false
}

// path parses a document path. Names are resolved later.
func (p *parser) path() *node {
	t := p.peek()
	if t.kind != word && t.kind != nameRef {
		p.unexpectedHere()
		return nil
	}
	p.take()
	n := &node{op: opPath, path: Path{{Name: p.str(t), Index: -1}}, at: t}
	p.steps(n)
	return n
}

func (p *parser) steps(n *node) {
	for p.err == nil {
		switch {
		case p.accept("."):
			t := p.peek()
			if t.kind != word && t.kind != nameRef {
				p.unexpectedHere()
				return
			}
			p.take()
			n.path = append(n.path, Step{Name: p.str(t), Index: -1})
		case p.accept("["):
			t := p.peek()
			if t.kind != digits {
				p.unexpectedHere()
				return
			}
			p.take()
			i, err := strconv.Atoi(p.str(t))
			if err != nil || i > 1<<31-1 {
				p.err = bad(p.parameter, textf("List index is not within the allowable range; index: [%s]", p.str(t)))
				return
			}
			n.path = append(n.path, Step{Index: i})
			p.expect("]")
		default:
			return
		}
		if len(n.path) > maxPath && p.err == nil {
			p.err = bad(p.parameter, textf("The document path has too many nesting elements; nesting level: %d", len(n.path)))
		}
	}
}

// finish refuses anything behind the expression.
func (p *parser) finish() {
	if p.err == nil && p.peek().kind != end {
		p.unexpectedHere()
	}
}

// walk visits a node and what is below it, until visit returns an error.
func (n *node) walk(visit func(*node) error) error {
	for _, a := range n.args {
		if err := a.walk(visit); err != nil {
			return err
		}
	}
	return visit(n)
}

// checkReserved refuses reserved words among the names of a path.
func checkReserved(n *node) error {
	if n.op != opPath {
		return nil
	}
	for _, s := range n.path {
		if s.Index < 0 && s.Name[0] != '#' && isReserved(s.Name) {
			return textf("Attribute name is a reserved keyword; reserved keyword: %s", s.Name)
		}
	}
	return nil
}

// resolve puts the real names and values in.
func (t *Terms) resolve(n *node) (err error) {
	switch n.op {
	case opPath:
		for i, s := range n.path {
			if s.Index < 0 && s.Name[0] == '#' {
				if n.path[i].Name, err = t.name(s.Name); err != nil {
					return err
				}
			}
		}
	case opValue:
		n.value, err = t.value(n.ref)
	}
	return err
}
