package dialect

import "encoding/json"

// target is the table a statement changes, and the names in its text.
type target struct {
	name         Name
	nameLo, last int32 // tokens of the name, and of what follows it up to the next clause
	alias        string
	aliasTok     int32
}

// targetTable reads a table's name and, if it may have one, its alias.
func (p *parser) targetTable(alias bool) target {
	t := target{nameLo: int32(p.i)}
	t.name = p.qualified()
	t.last = int32(p.i)
	if !alias {
		return t
	}
	as := p.take("as")
	if u := p.tok(); as || u.kind == tQuoted || u.kind == tWord && u.flags&(fReserved|fNoAlias) == 0 {
		t.aliasTok = int32(p.i)
		t.alias = p.name()
		t.last = int32(p.i)
	}
	return t
}

// writeTarget writes the name and alias of a target.
func (r *renderer) writeTarget(t target) {
	r.names(t.nameLo, t.last)
}

// names writes tokens all of whose words are names, except AS.
func (r *renderer) names(lo, hi int32) {
	for i := lo; i < hi; i++ {
		if t := r.toks[i]; t.kind == tQuoted || t.kind == tWord && t.word != "as" {
			r.name(i)
		} else {
			r.token(i)
		}
	}
}

// relationOf is the scope's view of a target.
func (r *renderer) relationOf(t target) *relation {
	cols, ok := r.columns(t.name)
	rel := &relation{schema: t.name.Schema, alias: t.name.Table, table: true, cols: cols, open: !ok}
	if t.alias != "" {
		rel.alias, rel.schema, rel.table = t.alias, "", false
	}
	return rel
}

// insertBody is INSERT INTO target [(columns)] query.
type insertBody struct {
	target  target
	columns []string
	listLo  int32
	query   *query // nil for DEFAULT VALUES
	hi      int32
}

func (p *parser) insert(q *Query) {
	p.want("insert", "into")
	b := &insertBody{target: p.targetTable(false)}
	q.Target, q.body = b.target.name, b
	b.listLo = int32(p.i)
	if p.isSym("(") && !p.startsQueryAt(1) {
		b.columns = p.names()
	}
	b.hi = int32(p.i)
	if p.take("default", "values") {
		b.hi = int32(p.i)
		return
	}
	if !p.is("select") && !p.is("with") && !p.is("values") && !p.isSym("(") {
		p.unexpected()
		return
	}
	b.query = p.query()
}

// startsQueryAt is startsQuery n tokens ahead.
func (p *parser) startsQueryAt(n int) bool {
	p.i += n
	ok := p.startsQuery()
	p.i -= n
	return ok
}

func (b *insertBody) render(r *renderer) []string {
	r.tokens(0, b.target.nameLo)
	r.names(b.target.nameLo, b.listLo)
	if len(b.columns) > 0 {
		r.names(b.listLo, b.hi)
	} else {
		r.tokens(b.listLo, b.hi)
	}
	if b.query == nil {
		return []string{r.take()}
	}
	if cols, ok := r.columns(b.target.name); ok {
		types := b.types(cols)
		checks, columns := r.fittedRows(b.query, types)
		for i := range checks {
			types[i].Length = 0 // checked around the query
		}
		r.assignQuery(b.query, types)
		if checks != nil {
			r.checkedRows(b.query, checks, columns)
			return []string{r.take()}
		}
	}
	r.query(b.query, &scope{})
	return []string{r.take()}
}

// types are the types the columns of the query are assigned to.
func (b *insertBody) types(cols []Column) []Type {
	var list []Type
	if len(b.columns) == 0 {
		for _, c := range cols {
			list = append(list, c.Type)
		}
		return list
	}
	rel := relation{cols: cols}
	for _, name := range b.columns {
		var t Type
		if c := rel.column(name); c != nil {
			t = c.Type
		}
		list = append(list, t)
	}
	return list
}

// assignQuery notes which expressions of q are assigned to which types.
func (r *renderer) assignQuery(q *query, types []Type) {
	note := func(i int, n *node) {
		if i < len(types) {
			if r.assigned == nil {
				r.assigned = map[*node]Type{}
			}
			r.assigned[n] = types[i]
		}
	}
	for _, t := range q.terms {
		switch {
		case t.sub != nil:
			r.assignQuery(t.sub, types)
		case t.sel != nil:
			for i, it := range t.sel.items {
				if it.expr.star() != nil {
					break
				}
				note(i, it.expr)
			}
		default:
			for _, row := range t.values {
				for i, n := range row {
					note(i, n)
				}
			}
		}
	}
}

// assign writes a value for a column of type t. Text that is a JSON object or array is taken as one by a
// SUPER column; other text is a string. SUPER values go into other columns as a cast would have it, and text
// that is too long for its column into none.
func (r *renderer) assign(n *node, t Type, sc *scope) {
	c := r.class(n, sc)
	switch {
	case t.Super() && n.kind == nString:
		if v := r.value(n); !jsonDocument(v) {
			r.toSuper(n, sc)
			return
		}
	case t.Super() && c == cText:
		r.open(n.lo, "super_text(")
		r.expr(n, sc)
		r.write(")")
		return
	case t.Super() && c == cTime:
		r.toSuper(n, sc)
		return
	case limited(t):
		r.fit(n, t, sc)
		return
	case c == cSuper && t.DuckDB == "VARCHAR":
		r.as(n, sc, asString, "")
		return
	case c == cSuper && t.DuckDB != "" && !t.Super():
		r.as(n, sc, asType, t.DuckDB)
		return
	}
	r.expr(n, sc)
}

// jsonDocument reports whether s is a JSON object or array.
func jsonDocument(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isSpace(c):
		case c == '{' || c == '[':
			return json.Valid([]byte(s))
		default:
			return false
		}
	}
	return false
}

// setClause is one column = value of UPDATE, or a value of MERGE's INSERT. Without a name the column is the
// one at its place.
type setClause struct {
	column string
	place  int
	value  *node
}

// changeBody is UPDATE, DELETE and MERGE: a target, relations beside it, and pieces.
type changeBody struct {
	with   *query
	lo, hi int32
	target target
	from   []*fromItem
	sets   []setClause
	pieces []piece
	noFrom bool // DELETE without FROM
}

func (b *changeBody) relations() relations { return relations{&b.from, &b.pieces} }

func (p *parser) update(q *Query, with *query) {
	b := &changeBody{with: with, lo: int32(p.i)}
	q.body = b
	p.want("update")
	b.target = p.targetTable(true)
	q.Target = b.target.name
	p.want("set")
	p.setList(b)
	if p.take("from") {
		p.fromList(b.relations())
	}
	p.where(b)
}

// setList reads column = value, ...
func (p *parser) setList(b *changeBody) {
	for p.err == nil {
		if p.isSym("(") { // (a, b) = (...)
			p.names()
			p.wantSym("=")
			if n := p.paren(); n != nil {
				b.pieces = append(b.pieces, piece{lo: n.lo, hi: n.hi, expr: n})
			}
		} else {
			lo := p.i
			name := p.qualified()
			b.pieces = append(b.pieces, piece{lo: int32(lo), hi: int32(p.i), name: true})
			p.wantSym("=")
			n := p.loose(inClause, nil)
			b.sets = append(b.sets, setClause{column: name.Table, value: n})
			b.pieces = append(b.pieces, piece{lo: n.lo, hi: n.hi, expr: n})
		}
		if !p.takeSym(",") {
			return
		}
	}
}

func (p *parser) where(b *changeBody) {
	if p.take("where") {
		n := p.loose(inClause, nil)
		b.pieces = append(b.pieces, piece{lo: n.lo, hi: n.hi, cond: n, early: true})
	}
	b.hi = int32(p.i)
}

func (p *parser) delete(q *Query, with *query) {
	b := &changeBody{with: with, lo: int32(p.i)}
	q.body = b
	p.want("delete")
	b.noFrom = !p.take("from")
	b.target = p.targetTable(true)
	q.Target = b.target.name
	if p.take("using") {
		p.fromList(b.relations())
	}
	p.where(b)
}

// merge reads MERGE INTO target USING source ON condition WHEN ... THEN ...
func (p *parser) merge(q *Query) {
	b := &changeBody{with: &query{}, lo: int32(p.i)}
	q.body = b
	p.want("merge", "into")
	b.target = p.targetTable(true)
	q.Target = b.target.name
	p.want("using")
	p.fromItem(b.relations())
	if n := len(p.toks); p.err == nil && n > 3 && p.toks[n-3].word == "remove" && p.toks[n-2].word == "duplicates" {
		p.fail(unsupported("MERGE ... REMOVE DUPLICATES is not supported yet."))
	}
	p.want("on")
	n := p.loose(inClause, nil)
	b.pieces = append(b.pieces, piece{lo: n.lo, hi: n.hi, cond: n, early: true})
	for first := true; p.err == nil && (first || p.is("when")); first = false {
		p.want("when")
		p.take("not")
		p.want("matched")
		if p.take("and") {
			n := p.loose(inParens, nil)
			b.pieces = append(b.pieces, piece{lo: n.lo, hi: n.hi, cond: n, early: true})
		}
		p.want("then")
		switch {
		case p.take("update"):
			p.want("set")
			p.setList(b)
		case p.take("delete"):
		case p.take("insert"):
			var columns []string
			if p.isSym("(") {
				columns = p.names()
			}
			p.want("values")
			p.wantSym("(")
			for i, n := range p.looseList(inParens) {
				set := setClause{place: i, value: n}
				if i < len(columns) {
					set.column = columns[i]
				}
				b.sets = append(b.sets, set)
				b.pieces = append(b.pieces, piece{lo: n.lo, hi: n.hi, expr: n})
			}
			p.wantSym(")")
		default:
			p.unexpected()
		}
	}
	b.hi = int32(p.i)
}

func (b *changeBody) render(r *renderer) []string {
	sc := cteScope(b.with, &scope{})
	if len(b.with.ctes) > 0 {
		r.named = true
		lo := b.with.lo
		for i, c := range b.with.ctes {
			r.tokens(lo, c.query.lo)
			r.query(c.query, r.cteScopeAt(sc, len(b.with.ctes)-1-i))
			lo = c.query.hi
		}
		r.tokens(lo, b.lo)
		r.named = false
	}
	inner := &scope{ctes: sc.ctes}
	inner.rels = append(inner.rels, r.relationOf(b.target))
	first := inner.rels[0]
	r.bring(inner, b.from)
	for _, s := range b.sets {
		c := first.column(s.column)
		if s.column == "" && s.place < len(first.cols) {
			c = &first.cols[s.place]
		}
		if c != nil {
			if r.assigned == nil {
				r.assigned = map[*node]Type{}
			}
			r.assigned[s.value] = c.Type
		}
	}
	r.tokens(b.lo, b.target.nameLo)
	if b.noFrom {
		r.write(" FROM")
	}
	r.writeTarget(b.target)
	k := 0
	r.pieces(b.target.last, b.hi, b.pieces, inner, func(*fromItem) *relation {
		k++
		return inner.rels[k]
	})
	return []string{r.take()}
}

// truncateBody is TRUNCATE [TABLE] name.
type truncateBody struct{ name Name }

func (p *parser) truncate(q *Query) {
	p.want("truncate")
	p.take("table")
	q.Target = p.qualified()
	q.body = &truncateBody{q.Target}
}

func (b *truncateBody) render(*renderer) []string {
	return []string{"TRUNCATE " + duckName(b.name)}
}
