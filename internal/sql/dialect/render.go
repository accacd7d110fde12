package dialect

import (
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// renderer writes one statement in DuckDB's dialect. Text it has no rule for is copied with its white space.
// Comments are not: what one reader takes for a comment another might take for SQL.
type renderer struct {
	src       string
	toks      []token
	cat       Catalog
	superCase bool

	out     []byte
	finding int  // CTEs whose columns are being found
	skip    bool // the white space before the next token is not written
	flat    bool // grouping does not matter: in WHERE and ON
	named   bool // the items of the SELECT being written get the names Redshift gives them
	err     error
	scopes  []*scope // by id of the selectCore
	busy    []*item  // whose class is being found
	tables  map[Name]catalogEntry
	classes []class // by node id, plus one; 0 is not known yet
	unique  int64
	whole   *node // the call that is being cast to BIGINT
	// assigned are the expressions that become the value of a column, with its type.
	assigned map[*node]Type
}

func (r *renderer) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func relationMissing(name string) error {
	return fault.New(fault.NotFound, SubjectRelation, "relation %q does not exist", name)
}

// take returns what was written so far and starts afresh.
func (r *renderer) take() string {
	s := strings.TrimSpace(string(r.out))
	r.out = r.out[:0]
	return s
}

func (r *renderer) write(parts ...string) {
	for _, s := range parts {
		r.out = append(r.out, s...)
	}
}

// text is token i as it was read.
func (r *renderer) text(i int32) string { return r.src[r.toks[i].pos:r.toks[i].end] }

// gap writes the white space before token i, or a space in place of comments.
func (r *renderer) gap(i int32) {
	if r.skip {
		r.skip = false
		return
	}
	var from int32
	if i > 0 {
		from = r.toks[i-1].end
	}
	for k := from; k < r.toks[i].pos; k++ {
		if !isSpace(r.src[k]) {
			r.out = append(r.out, ' ')
			return
		}
	}
	r.out = append(r.out, r.src[from:r.toks[i].pos]...)
}

// open starts something written in place of the tokens from lo on.
func (r *renderer) open(lo int32, parts ...string) {
	r.gap(lo)
	r.write(parts...)
	r.skip = true
}

// token writes token i: names folded, literals in a form DuckDB reads alike.
func (r *renderer) token(i int32) {
	r.gap(i)
	r.bare(i)
}

func (r *renderer) bare(i int32) {
	t := r.toks[i]
	switch t.kind {
	case tString, tEscape, tDollar:
		if text := r.text(i); t.kind != tString || strings.IndexByte(text, '\\') >= 0 {
			v := stringValue(t.kind, text)
			if strings.IndexByte(v, 0) >= 0 {
				r.fail(at(r.src, int(t.pos), fault.Invalid, "A text may not contain the character with code 0."))
			}
			r.write(quoteString(v))
			return
		}
	case tWord:
		if _, keyword := words[t.word]; !keyword {
			if t.word[0] == '#' {
				r.write(quoteAlways(t.word))
			} else {
				r.write(t.word)
			}
			return
		}
	}
	r.write(r.text(i))
}

// tokens writes the tokens from lo up to hi.
func (r *renderer) tokens(lo, hi int32) {
	for i := lo; i < hi; i++ {
		r.token(i)
	}
}

// kids writes the tokens from lo up to hi, with the expressions among them in place.
func (r *renderer) kids(lo, hi int32, sc *scope, kids ...*node) {
	for _, k := range kids {
		r.tokens(lo, k.lo)
		r.expr(k, sc)
		lo = k.hi
	}
	r.tokens(lo, hi)
}

// name writes an identifier at token i, quoted as it was or where it must be.
func (r *renderer) name(i int32) {
	r.gap(i)
	if t := r.toks[i]; t.kind == tQuoted {
		r.write(r.text(i))
	} else {
		r.write(quoteName(t.word))
	}
}

// pieces writes the tokens from lo up to hi with the pieces among them in place.
func (r *renderer) pieces(lo, hi int32, pieces []piece, sc *scope, rels func(f *fromItem) *relation) {
	for i := range pieces {
		p := &pieces[i]
		r.tokens(lo, p.lo)
		lo = p.hi
		switch {
		case p.item != nil:
			r.item(p.item, sc)
		case p.from != nil:
			r.from(p.from, rels(p.from), sc)
		case p.cond != nil:
			was := r.flat
			r.flat = p.early
			r.cond(p.cond, sc)
			r.flat = was
		case p.expr != nil:
			r.operand(p.expr, sc)
		case p.name:
			r.names(p.lo, p.hi)
		case p.text != "":
			r.gap(p.lo)
			r.write(p.text)
		}
	}
	r.tokens(lo, hi)
}

// subquery writes a query in the scope sc, its items with or without names.
func (r *renderer) subquery(q *query, sc *scope, named bool) {
	was := r.named
	r.named = named
	r.query(q, &scope{outer: sc, ctes: sc.ctes})
	r.named = was
}

// query writes q, which stands in sc.
func (r *renderer) query(q *query, sc *scope) {
	sc = cteScope(q, sc)
	inner := sc
	if len(q.terms) == 1 && q.terms[0].sel != nil {
		inner = r.selectScope(q.terms[0].sel, sc)
	}
	flat := r.flat
	r.flat = false
	defer func() { r.flat = flat }()
	cte, term, lo := 0, 0, q.lo
	for i := range q.pieces {
		p := &q.pieces[i]
		r.tokens(lo, p.lo)
		lo = p.hi
		switch {
		case p.query != nil:
			was := r.named
			r.named = true
			r.query(p.query, r.cteScopeAt(sc, len(q.ctes)-1-cte))
			r.named = was
			cte++
		case p.expr != nil && p.expr.kind == nSort:
			r.sortKey(p.expr, inner, len(q.terms) > 1 || q.terms[0].sel == nil || q.terms[0].sel.distinct)
		case p.expr != nil:
			r.expr(p.expr, inner)
		case p.text != "":
			r.gap(p.lo)
			r.write(p.text)
		default:
			r.term(q.terms[term], sc, len(q.terms) > 1)
			term++
		}
	}
	r.tokens(lo, q.hi)
	if len(q.terms) == 1 {
		if s := q.terms[0].sel; s != nil && s.top != nil {
			r.limit(s, inner)
		}
	}
}

// cteScopeAt returns the scope of the CTE that has n more after it.
func (r *renderer) cteScopeAt(sc *scope, n int) *scope {
	env := sc.ctes
	for ; n > 0; n-- {
		env = env.outer
	}
	return env.scope
}

// limit writes TOP n as LIMIT n.
func (r *renderer) limit(s *selectCore, sc *scope) {
	r.write(" LIMIT ")
	r.skip = true
	r.expr(s.top, sc)
}

func (r *renderer) term(t *term, sc *scope, several bool) {
	switch {
	case t.sub != nil:
		r.token(t.lo)
		r.query(t.sub, sc)
		r.token(t.hi - 1)
	case t.sel != nil:
		top := several && t.sel.top != nil
		if top {
			r.open(t.lo, "(")
		}
		inner := r.selectScope(t.sel, sc)
		k := 0
		r.pieces(t.sel.lo, t.sel.hi, t.sel.pieces, inner, func(*fromItem) *relation {
			k++
			return inner.rels[k-1]
		})
		if top {
			r.limit(t.sel, inner)
			r.write(")")
		}
	default:
		lo := t.lo
		for _, row := range t.values {
			for _, n := range row {
				r.tokens(lo, n.lo)
				r.operand(n, sc)
				lo = n.hi
			}
		}
		r.tokens(lo, t.hi)
	}
}

// item writes an entry of a SELECT list. DuckDB would name an expression by its text; Redshift has names a
// client can count on.
func (r *renderer) item(it *item, sc *scope) {
	r.operand(it.expr, sc)
	if it.alias != "" {
		r.alias(it.exprEnd, it.hi)
		return
	}
	if name := outputName(it.expr); r.named && name != "" && !r.keepsName(it.expr, sc) {
		r.write(" AS ", quoteName(name))
	}
}

// operand writes an expression, converted where it is assigned to a column.
func (r *renderer) operand(n *node, sc *scope) {
	if t, ok := r.assigned[n]; ok {
		r.assign(n, t, sc)
		return
	}
	r.expr(n, sc)
}

// alias writes [AS] alias.
func (r *renderer) alias(lo, hi int32) {
	r.tokens(lo, hi-1)
	if t := r.toks[hi-1]; t.isString() {
		r.gap(hi - 1)
		r.write(quoteAlways(stringValue(t.kind, r.text(hi-1))))
		return
	}
	r.name(hi - 1)
}

// keepsName reports whether DuckDB gives the expression the same name by itself.
func (r *renderer) keepsName(n *node, sc *scope) bool {
	if n.kind != nRef || len(n.kids) > 0 {
		return n.kind == nStar
	}
	res := r.resolve(n, sc)
	if res.known {
		return res.class != cSuper || len(n.parts) == res.base
	}
	return len(n.parts) > 1 || n.parts[0].quoted || n.parts[0].name != "sysdate" && !userWords[n.parts[0].name]
}

// outputName is the name Redshift gives an unnamed expression, "" for a star.
func outputName(n *node) string {
	switch n.kind {
	case nRef:
		if name := lastName(n.parts); name != "" || len(n.kids) == 0 {
			return name
		}
		return outputName(n.kids[0])
	case nCall:
		if n.op == "extract" {
			return "date_part"
		}
		return n.op
	case nCast:
		switch k := n.kids[0]; {
		case k.kind != nString && k.kind != nNumber && k.kind != nNull && k.kind != nBool:
			if name := outputName(k); name != "?column?" {
				return name
			}
		}
		if n.known {
			return shortName(*n.typ)
		}
	case nTyped:
		return shortName(*n.typ)
	case nBool:
		return "bool"
	case nCase:
		return "case"
	case nParen:
		if len(n.kids) == 1 {
			return outputName(n.kids[0])
		}
	case nSub:
		if t := n.query.terms; len(t) > 0 && t[0].sel != nil && len(t[0].sel.items) == 1 {
			if it := t[0].sel.items[0]; it.alias != "" {
				return it.alias
			} else if it.expr.kind != nStar {
				return outputName(it.expr)
			}
		}
	case nStar:
		return ""
	case nSeq:
		if len(n.kids) > 0 && n.kids[0].kind == nStar {
			return ""
		}
	}
	return "?column?"
}

// shortName is the name PostgreSQL and Redshift have for a type inside.
func shortName(t Type) string {
	switch t.Name {
	case "smallint":
		return "int2"
	case "integer":
		return "int4"
	case "bigint":
		return "int8"
	case "real":
		return "float4"
	case "double precision":
		return "float8"
	case "boolean":
		return "bool"
	case "character":
		return "bpchar"
	case "character varying":
		return "varchar"
	case "binary varying":
		return "varbyte"
	case "timestamp without time zone":
		return "timestamp"
	case "timestamp with time zone":
		return "timestamptz"
	case "time without time zone":
		return "time"
	case "time with time zone":
		return "timetz"
	}
	name, _, _ := strings.Cut(t.Name, " ")
	return name
}

// from writes a relation of a FROM clause.
func (r *renderer) from(f *fromItem, rel *relation, sc *scope) {
	switch {
	case f.sub != nil:
		r.tokens(f.lo, f.body+1)
		r.subquery(f.sub, sc, true)
		r.tokens(f.sub.hi, f.bodyEnd)
	case f.call != nil:
		r.kids(f.lo, f.bodyEnd, sc, f.call)
	case rel.path != nil:
		r.unnest(f, rel, sc)
		return
	case f.ref != nil && r.systemView(f.ref.parts) != "":
		r.tokens(f.lo, f.body)
		r.gap(f.ref.lo)
		r.write(quoteAlways(r.systemView(f.ref.parts)))
		if f.alias == "" {
			r.write(" AS ", quoteName(lastName(f.ref.parts)))
		}
	default:
		r.tokens(f.lo, f.body)
		for i := f.ref.lo; i < f.ref.hi; i++ {
			if t := r.toks[i]; t.kind == tWord || t.kind == tQuoted {
				r.name(i)
			} else {
				r.token(i)
			}
		}
	}
	if f.alias == "" {
		return
	}
	i := f.bodyEnd
	if t := r.toks[i]; t.kind == tWord && t.word == "as" {
		r.token(i)
		i++
	}
	r.name(i)
	r.tokens(i+1, f.hi)
}

// unnest writes an array in FROM as a lateral subquery whose only column has the alias's name, so that the
// alias stands for the element.
func (r *renderer) unnest(f *fromItem, rel *relation, sc *scope) {
	outer := &scope{outer: sc.outer, ctes: sc.ctes, rels: sc.rels[:relIndex(sc.rels, rel)]}
	if len(outer.rels) == 0 {
		// Unnesting an array of the query around: no LATERAL is needed, or allowed first.
		r.open(f.lo, "(SELECT ")
	} else {
		r.open(f.lo, "LATERAL (SELECT ")
	}
	list := func(fn, step string) {
		base, path := r.superPath(rel.path, outer)
		r.write("unnest(", fn, "(", base, ", ", joinPath(path, step), "))")
	}
	if f.unpivot != nil {
		if rel.at != "" {
			list("json_keys", "")
			r.write(" AS ", quoteAlways(rel.at), ", ")
		}
		list("json_extract", ".*")
	} else {
		if rel.at != "" {
			base, path := r.superPath(rel.path, outer)
			r.write("unnest(range(CAST(json_array_length(", base, ", ", path, ") AS BIGINT))) AS ", quoteAlways(rel.at), ", ")
		}
		list("json_extract", "[*]")
	}
	r.write(" AS ", quoteAlways(rel.alias), ") AS ", quoteAlways(rel.alias))
	r.skip = false
}

func relIndex(rels []*relation, rel *relation) int {
	for i, x := range rels {
		if x == rel {
			return i
		}
	}
	return len(rels)
}

// joinPath adds a step to a path that is a SQL literal or expression.
func joinPath(path, step string) string {
	if step == "" {
		return path
	}
	if path[len(path)-1] == '\'' {
		return path[:len(path)-1] + step + "'"
	}
	return path + " || '" + step + "'"
}
