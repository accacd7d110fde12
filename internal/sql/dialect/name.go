package dialect

// path reads the steps of a path, .name, [index] and .*, after those already on the stack from start on, and
// gives all of them to n.
func (p *parser) path(n *node, start int) {
	p.steps(n)
	if got := p.stack[start:]; len(got) > 0 {
		if cap(p.parts)-len(p.parts) < len(got) {
			p.parts = make([]part, 0, max(16, len(got)))
		}
		from := len(p.parts)
		p.parts = append(p.parts, got...)
		n.parts = p.parts[from:len(p.parts):len(p.parts)]
	}
	p.stack = p.stack[:start]
}

func (p *parser) steps(n *node) {
	for p.err == nil {
		switch {
		case p.isSym("."):
			t := p.peek(1)
			if t.sym("*") {
				p.i += 2
				n.kind = nStar
				return
			}
			if t.kind != tWord && t.kind != tQuoted {
				return
			}
			p.stack = append(p.stack, part{name: t.word, quoted: t.kind == tQuoted, tok: int32(p.i + 1)})
			p.i += 2
		case p.isSym("["):
			if p.peek(1).sym("]") {
				return
			}
			start := p.i
			p.next()
			index := p.loose(inParens, nil)
			if !p.isSym("]") || index.kind == nSeq { // a list, or a DuckDB slice
				p.i = start
				return
			}
			p.next()
			p.stack = append(p.stack, part{index: index, tok: int32(start)})
		default:
			return
		}
	}
}

// refOrCall reads a name with its path, or a function call.
func (p *parser) refOrCall() *node {
	t, start := p.tok(), p.i
	if t.kind != tWord && t.kind != tQuoted {
		p.unexpected()
		return nil
	}
	if p.peek(1).sym("(") {
		return p.call()
	}
	if t.kind == tWord && t.flags&fReserved != 0 {
		p.unexpected()
		return nil
	}
	if p.is("approximate", "count") || p.is("approximate", "percentile_disc") {
		p.next()
		n := p.namedCall()
		n.lo = int32(start)
		return n
	}
	n := p.newNode(nRef, start)
	p.next()
	base := len(p.stack)
	p.stack = append(p.stack, part{name: t.word, quoted: t.kind == tQuoted, tok: int32(start)})
	p.path(n, base)
	if p.isSym("(") && n.kind == nRef { // schema.function(...)
		for i := range n.parts {
			if n.parts[i].index != nil {
				return p.close(n)
			}
		}
		n.kind, n.op = nCall, n.parts[len(n.parts)-1].name
		if len(n.parts) == 2 && (n.parts[0].name == "pg_catalog" || n.parts[0].name == "public") {
			n.parts = n.parts[1:]
		}
		return p.arguments(n)
	}
	return p.close(n)
}

// call reads name(...), whose name may be a keyword.
func (p *parser) call() *node {
	start := p.i
	switch p.tok().word {
	case "cast", "try_cast":
		return p.castCall()
	case "convert":
		if n := p.convertCall(); n != nil {
			return n
		}
	case "exists":
		if p.i++; p.startsExists() {
			n := p.newNode(nExists, start)
			p.next()
			n.query = p.query()
			p.wantSym(")")
			return p.close(n)
		}
		p.i--
	case "extract":
		return p.extractCall()
	}
	return p.namedCall()
}

// namedCall reads a call of an ordinary function.
func (p *parser) namedCall() *node {
	t, start := p.tok(), p.i
	n := p.newNode(nCall, start)
	n.op = t.word
	n.parts = []part{{name: t.word, quoted: t.kind == tQuoted, tok: int32(start)}}
	p.next()
	return p.arguments(n)
}

func (p *parser) startsExists() bool {
	p.i++
	ok := p.startsQuery()
	p.i--
	return ok
}

// separated are the functions whose arguments may stand apart by FROM, FOR and IN.
var separated = map[string]bool{"substring": true, "trim": true, "overlay": true, "position": true}

// arguments reads the parenthesised arguments of a call and the clauses that may follow.
func (p *parser) arguments(n *node) *node {
	if !p.enter() {
		return n
	}
	defer p.leave()
	n.mark = int32(p.i)
	p.wantSym("(")
	w := inParens
	if separated[n.op] {
		w = inFunc
	}
	if p.startsQuery() { // ANY (SELECT ...), ARRAY(SELECT ...)
		sub := p.newNode(nSub, p.i)
		sub.query = p.query()
		n.kids = append(n.kids, p.close(sub))
	} else {
		n.kids = p.looseList(w)
	}
	p.wantSym(")")
	for p.err == nil {
		w := inParens
		switch {
		case p.is("within", "group") && p.peek(2).sym("("):
			p.i += 3
			w = inOver
		case p.is("over") && p.peek(1).sym("("):
			p.i += 2
			w = inOver
		case p.is("filter") && p.peek(1).sym("("):
			p.i += 2
		case p.is("over"):
			p.next()
			p.name()
			continue
		case (p.is("ignore", "nulls") || p.is("respect", "nulls")) && p.peek(2).word == "over":
			n.nulls = int32(p.i)
			p.i += 2
			continue
		default:
			return p.close(n)
		}
		if p.take("where") {
			n.rest = append(n.rest, p.loose(inParens, nil))
		} else if !p.isSym(")") {
			n.rest = append(n.rest, p.looseList(w)...)
		}
		p.wantSym(")")
	}
	return p.close(n)
}

// looseList reads expressions separated by commas up to a closing parenthesis.
func (p *parser) looseList(w where) []*node {
	var list []*node
	order := false
	for p.err == nil && !p.isSym(")") {
		list = append(list, p.loose(w, &order))
		if !p.takeSym(",") {
			break
		}
	}
	return list
}

func (p *parser) castCall() *node {
	n := p.newNode(nCast, p.i)
	n.op = p.next().word
	p.wantSym("(")
	k := p.expr(0)
	if k == nil {
		p.unexpected()
		return nil
	}
	n.one(k)
	p.want("as")
	n.mark = int32(p.i)
	p.castType(n)
	p.wantSym(")")
	return p.close(n)
}

// convertCall reads CONVERT(type, expression), or nothing if the first argument is no type.
func (p *parser) convertCall() *node {
	start := p.i
	p.i += 2
	typ, ok := p.tryType()
	sized := ok && p.toks[p.i-1].sym(")")
	if !ok || !p.takeSym(",") {
		if p.err == nil {
			p.i = start
		}
		return nil
	}
	n := p.newNode(nCast, start)
	n.op, n.typ, n.known, n.sized = "convert", &typ, true, sized
	k := p.expr(0)
	if k == nil {
		p.unexpected()
		return nil
	}
	n.one(k)
	p.wantSym(")")
	return p.close(n)
}

// extractCall reads EXTRACT(part FROM expression).
func (p *parser) extractCall() *node {
	n := p.newNode(nCall, p.i)
	n.op = "extract"
	p.i += 2
	n.mark = int32(p.i)
	if t := p.tok(); t.isString() || t.kind == tWord || t.kind == tQuoted {
		p.next()
	} else {
		p.unexpected()
	}
	if !p.take("from") {
		p.wantSym(",")
	}
	n.one(p.loose(inParens, nil))
	p.wantSym(")")
	return p.close(n)
}
