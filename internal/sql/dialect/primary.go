package dialect

import "strings"

// primary reads an expression without operators.
func (p *parser) primary() *node {
	t, start := p.tok(), p.i
	leaf := func(k nodeKind) *node {
		p.next()
		return p.close(p.newNode(k, start))
	}
	switch t.kind {
	case tString, tEscape, tDollar:
		return leaf(nString)
	case tNumber:
		return leaf(nNumber)
	case tSymbol:
		switch t.word {
		case "*":
			return leaf(nStar)
		case "(":
			return p.paren()
		}
		p.unexpected()
		return nil
	case tWord:
		switch t.word {
		case "null":
			return leaf(nNull)
		case "true", "false":
			return leaf(nBool)
		case "case":
			return p.caseExpr()
		case "interval":
			if n := p.interval(); n != nil {
				return n
			}
		}
		if p.peek(1).isString() && (simpleTypes[t.word].Name != "" || t.word == "timestamp" || t.word == "time") {
			n := p.newNode(nTyped, start)
			typ, _ := p.tryType()
			n.typ = &typ
			p.next()
			return p.close(n)
		}
	}
	return p.refOrCall()
}

// paren reads a parenthesised query or list.
func (p *parser) paren() *node {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	n := p.newNode(nParen, p.i)
	p.wantSym("(")
	if p.startsQuery() {
		n.kind, n.query = nSub, p.query()
		p.wantSym(")")
		return p.close(n)
	}
	for p.err == nil && !p.isSym(")") {
		n.kids = append(n.kids, p.loose(inParens, nil))
		if !p.takeSym(",") {
			break
		}
	}
	p.wantSym(")")
	return p.close(n)
}

// startsQuery reports whether the next parenthesis content is a query: it starts like one, or with a
// parenthesised query that a set operation or a clause of the whole follows.
func (p *parser) startsQuery() bool {
	i := p.i
	for p.toks[i].sym("(") {
		after := p.toks[p.closing(i)]
		if after.kind != tWord {
			return false
		}
		switch after.word {
		case "union", "intersect", "except", "minus", "order", "limit", "offset", "fetch":
		default:
			return false
		}
		i++
	}
	t := p.toks[i]
	return t.kind == tWord && (t.word == "select" || t.word == "with" || t.word == "values" && p.toks[i+1].sym("("))
}

// closing returns the token after the one that closes the parenthesis at i.
func (p *parser) closing(i int) int {
	if p.match == nil {
		p.match = make([]int32, len(p.toks))
		var open []int
		for k, t := range p.toks {
			p.match[k] = int32(len(p.toks) - 1)
			if t.sym("(") {
				open = append(open, k)
			} else if t.sym(")") && len(open) > 0 {
				p.match[open[len(open)-1]] = int32(k + 1)
				open = open[:len(open)-1]
			}
		}
	}
	return int(p.match[i])
}

func (p *parser) caseExpr() *node {
	n := p.newNode(nCase, p.i)
	p.want("case")
	if !p.is("when") {
		n.operand = true
		n.kids = append(n.kids, p.loose(inParens, nil))
	}
	for p.err == nil && p.take("when") {
		n.kids = append(n.kids, p.loose(inParens, nil))
		p.want("then")
		n.kids = append(n.kids, p.loose(inParens, nil))
	}
	if p.take("else") {
		n.kids = append(n.kids, p.loose(inParens, nil))
	}
	p.want("end")
	return p.close(n)
}

var intervalUnits = strings.Fields(`year years month months week weeks day days hour hours minute minutes second
	seconds millisecond milliseconds microsecond microseconds quarter quarters decade decades century centuries`)

// interval reads INTERVAL 'text' [unit [TO unit]] or INTERVAL n unit.
func (p *parser) interval() *node {
	start := p.i
	if t := p.peek(1); !t.isString() && t.kind != tNumber {
		return nil
	}
	n := p.newNode(nTyped, start)
	n.typ = &Type{Name: "interval day to second", DuckDB: "INTERVAL"}
	p.i += 2
	if p.oneOf(intervalUnits...) != "" {
		if p.isSym("(") {
			p.argument(6)
		}
		if p.take("to") {
			if p.oneOf(intervalUnits...) == "" {
				p.unexpected()
			}
			p.argument(6)
		}
	}
	return p.close(n)
}
