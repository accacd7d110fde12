package dialect

import "github.com/penstock-io/penstock/internal/fault"

// query reads a query. A FROM clause is the only place where relations are named, so that all of them are
// seen here.
func (p *parser) query() *query {
	q := &query{lo: int32(p.i)}
	if !p.enter() {
		return q
	}
	defer p.leave()
	if p.is("with") {
		p.with(q)
	}
	p.queryRest(q)
	return q
}

// queryRest reads a query after its WITH.
func (p *parser) queryRest(q *query) {
	for p.err == nil {
		t := p.term()
		q.terms = append(q.terms, t)
		q.pieces = append(q.pieces, piece{lo: t.lo, hi: t.hi})
		word := p.oneOf("union", "intersect", "except", "minus")
		if word == "" {
			break
		}
		if word == "minus" {
			q.pieces = append(q.pieces, piece{lo: int32(p.i - 1), hi: int32(p.i), text: "EXCEPT"})
		}
		p.oneOf("all", "distinct")
		if p.is("by") {
			p.unexpected()
		}
	}
	for p.err == nil {
		switch {
		case p.take("order", "by"):
			for p.err == nil {
				key := p.newNode(nSort, p.i)
				key.kids = []*node{p.loose(inClause, nil)}
				p.close(key)
				q.orderBy = append(q.orderBy, key)
				q.pieces = append(q.pieces, piece{lo: key.lo, hi: key.hi, expr: key})
				if !p.takeSym(",") {
					break
				}
			}
		case p.take("fetch"):
			if p.oneOf("first", "next") == "" {
				p.unexpected()
			}
			if t := p.tok(); t.kind == tNumber || t.isString() {
				p.next()
			}
			if p.oneOf("row", "rows") == "" {
				p.unexpected()
			}
			p.want("only")
		case p.take("limit"):
			n := p.loose(inClause, nil)
			q.pieces = append(q.pieces, piece{lo: n.lo, hi: n.hi, expr: n})
		case p.take("offset"):
			if n := p.expr(0); n != nil {
				q.pieces = append(q.pieces, piece{lo: n.lo, hi: n.hi, expr: n})
			}
			p.oneOf("row", "rows")
		case p.take("for", "update"), p.take("for", "share"):
			p.fail(unsupported("FOR UPDATE and FOR SHARE are not supported."))
		default:
			q.hi = int32(p.i)
			return
		}
	}
	q.hi = int32(p.i)
}

func (p *parser) with(q *query) {
	p.want("with")
	q.recurse = p.take("recursive")
	for p.err == nil {
		c := &cte{name: p.name()}
		if p.isSym("(") {
			c.columns = p.names()
		}
		p.want("as")
		p.take("not")
		p.take("materialized")
		p.wantSym("(")
		if !p.startsQuery() {
			p.unexpected()
			return
		}
		c.query = p.query()
		p.wantSym(")")
		q.ctes = append(q.ctes, c)
		q.pieces = append(q.pieces, piece{lo: c.query.lo, hi: c.query.hi, query: c.query})
		if !p.takeSym(",") {
			return
		}
	}
}

func (p *parser) term() *term {
	t := &term{lo: int32(p.i)}
	switch {
	case p.takeSym("("):
		t.sub = p.query()
		p.wantSym(")")
	case p.is("values"):
		p.next()
		for p.err == nil {
			p.wantSym("(")
			t.values = append(t.values, p.looseList(inParens))
			p.wantSym(")")
			if !p.takeSym(",") {
				break
			}
		}
	case p.is("select"):
		t.sel = p.selectCore()
	default:
		p.unexpected()
	}
	t.hi = int32(p.i)
	return t
}

func (p *parser) selectCore() *selectCore {
	s := &selectCore{lo: int32(p.i), id: p.cores}
	p.cores++
	p.want("select")
	if p.take("distinct") {
		s.distinct = true
		if p.take("on") {
			n := p.paren()
			if n != nil {
				s.pieces = append(s.pieces, piece{lo: n.lo, hi: n.hi, expr: n})
			}
		}
	} else {
		p.take("all")
	}
	if p.is("top") && (p.peek(1).kind == tNumber || p.peek(1).isString() || p.peek(1).sym("(")) {
		lo := p.i
		p.next()
		s.top = p.primary()
		s.pieces = append(s.pieces, piece{lo: int32(lo), hi: int32(p.i)})
	}
	for p.err == nil {
		p.item(s)
		if !p.takeSym(",") {
			break
		}
	}
	if p.is("into") {
		p.into(s)
	}
	if p.take("from") {
		p.from(s)
	}
	p.clauses(s)
	s.hi = int32(p.i)
	return s
}

func (p *parser) item(s *selectCore) {
	it := &item{lo: int32(p.i)}
	it.expr = p.loose(inItem, nil)
	it.exprEnd = int32(p.i)
	if p.take("as") {
		t := p.tok()
		if t.isString() { // a literal as an alias
			p.next()
			it.alias = p.value(t)
		} else {
			it.alias = p.anyName()
		}
	} else if p.aliasHere() {
		it.alias = p.next().word
	}
	it.hi = int32(p.i)
	s.items = append(s.items, it)
	s.pieces = append(s.pieces, piece{lo: it.lo, hi: it.hi, item: it})
}

func (p *parser) into(s *selectCore) {
	lo := p.i
	p.intos = append(p.intos, lo)
	p.want("into")
	s.into = &into{temp: p.oneOf("temp", "temporary") != ""}
	p.take("table")
	s.into.name = p.qualified()
	s.pieces = append(s.pieces, piece{lo: int32(lo), hi: int32(p.i)})
}

// clauses reads what follows FROM: WHERE, GROUP BY, HAVING, QUALIFY and WINDOW.
func (p *parser) clauses(s *selectCore) {
	for p.err == nil {
		switch {
		case p.is("where"), p.is("having"), p.is("qualify"):
			early := p.next().word == "where"
			n := p.loose(inClause, nil)
			s.pieces = append(s.pieces, piece{lo: n.lo, hi: n.hi, cond: n, early: early})
		case p.take("group", "by"):
			for p.err == nil {
				n := p.loose(inClause, nil)
				s.groupBy = append(s.groupBy, n)
				s.pieces = append(s.pieces, piece{lo: n.lo, hi: n.hi, expr: n})
				if !p.takeSym(",") {
					break
				}
			}
		case p.is("window") && p.peek(2).word == "as":
			p.next()
			for p.err == nil {
				p.name()
				p.want("as")
				p.wantSym("(")
				for _, n := range p.looseList(inOver) {
					s.pieces = append(s.pieces, piece{lo: n.lo, hi: n.hi, expr: n})
				}
				p.wantSym(")")
				if !p.takeSym(",") {
					break
				}
			}
		case p.is("start", "with"), p.is("connect", "by"):
			p.fail(unsupported("CONNECT BY is not supported yet; use WITH RECURSIVE."))
		default:
			return
		}
	}
}

// relations is where a FROM clause, or USING of DELETE and MERGE, collects what it reads.
type relations struct {
	items  *[]*fromItem
	pieces *[]piece
}

func (p *parser) from(s *selectCore) { p.fromList(relations{&s.from, &s.pieces}) }

// fromList reads relations separated by commas and joins.
func (p *parser) fromList(r relations) {
	for p.err == nil {
		p.fromItem(r)
		p.joins(r)
		if !p.takeSym(",") {
			return
		}
	}
}

// joins reads the joins after a relation, each with its condition.
func (p *parser) joins(r relations) {
	for p.err == nil {
		start := p.i
		for p.oneOf("natural", "left", "right", "full", "outer", "inner", "cross", "asof", "positional", "semi", "anti") != "" {
		}
		if !p.take("join") {
			if p.i != start {
				p.unexpected()
			}
			if p.is("tablesample") || p.is("pivot") || p.is("unpivot") {
				p.tableTail()
				continue
			}
			return
		}
		p.fromItem(r)
		switch {
		case p.take("on"):
			n := p.loose(inClause, nil)
			*r.pieces = append(*r.pieces, piece{lo: n.lo, hi: n.hi, cond: n, early: true})
		case p.take("using"):
			p.names()
		}
	}
}

// tableTail passes over PIVOT (...), UNPIVOT (...) and TABLESAMPLE of a relation, with their alias.
func (p *parser) tableTail() {
	for p.next(); p.err == nil; {
		switch t := p.tok(); {
		case t.sym("("):
			depth := 0
			for p.err == nil {
				u := p.next()
				if u.kind == tEOF || u.kind == tWord && (u.word == "select" || u.word == "from") {
					p.i--
					p.unexpected()
				} else if u.sym("(") {
					depth++
				} else if u.sym(")") {
					if depth--; depth == 0 {
						break
					}
				}
			}
		case t.kind == tWord && !p.ends(p.i, inClause) && t.flags&fReserved == 0, t.kind == tWord && t.word == "as", t.kind == tQuoted:
			p.next()
		default:
			return
		}
	}
}

func (p *parser) fromItem(r relations) {
	f := &fromItem{lo: int32(p.i)}
	p.take("lateral")
	f.body = int32(p.i)
	t := p.tok()
	switch {
	case t.sym("("):
		p.next()
		if !p.startsQuery() {
			p.joined(r)
			return
		}
		f.sub = p.query()
		p.wantSym(")")
	case t.kind == tWord && t.word == "unpivot":
		p.next()
		f.body = int32(p.i)
		f.unpivot = p.expr(bpOther)
		if f.unpivot == nil {
			p.unexpected()
		}
	case t.isName() && p.peek(1).sym("("):
		f.call = p.call()
		if f.call != nil && f.call.kind == nCall && !tableFunctions[f.call.op] {
			p.fail(at(p.src, int(t.pos), fault.NotFound, "function %q does not exist or cannot be used in FROM", t.word))
		}
	case t.isName():
		f.ref = p.refOrCall()
		if f.ref != nil && f.ref.kind == nRef {
			p.refs = append(p.refs, f.ref)
		}
		if f.ref != nil && f.ref.kind != nRef {
			p.fail(syntaxAt(p.src, t))
		}
	case t.isString():
		p.fail(at(p.src, int(t.pos), fault.Denied, "FROM must name a table: reading a file of the server is not allowed. Load it with COPY from S3."))
	default:
		p.unexpected()
		return
	}
	f.bodyEnd = int32(p.i)
	p.fromAlias(f)
	f.hi = int32(p.i)
	*r.items = append(*r.items, f)
	*r.pieces = append(*r.pieces, piece{lo: f.lo, hi: f.hi, from: f})
}

// joined reads a join in parentheses, whose relations count as those around it.
func (p *parser) joined(r relations) {
	if !p.enter() {
		return
	}
	defer p.leave()
	before, nested := len(*r.items), p.isSym("(")
	p.fromItem(r)
	p.joins(r)
	if len(*r.items) == before+1 && !nested {
		p.unexpected() // one relation does not stand in parentheses
	}
	p.wantSym(")")
	if p.take("as") || p.err == nil && p.aliasHere() {
		p.name()
	}
}

// fromAlias reads [AS] alias [(columns)] [AT name].
func (p *parser) fromAlias(f *fromItem) {
	if p.take("as") {
		f.alias = p.anyName()
	} else if t := p.tok(); t.kind == tQuoted || t.kind == tWord && t.flags&(fReserved|fNoAlias) == 0 {
		f.alias = p.next().word
	}
	if f.alias != "" && p.isSym("(") {
		p.next()
		for p.err == nil {
			f.columns = append(f.columns, p.name())
			for t := p.tok(); p.err == nil && !t.sym(",") && !t.sym(")"); t = p.tok() {
				if t.kind == tEOF { // the type of a column of a function
					p.unexpected()
				}
				p.next()
			}
			if !p.takeSym(",") {
				break
			}
		}
		p.wantSym(")")
	}
	if p.is("at") && p.peek(1).isName() {
		p.next()
		f.at = p.name()
	}
}
