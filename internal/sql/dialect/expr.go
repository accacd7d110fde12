package dialect

import "github.com/penstock-io/penstock/internal/fault"

// newNode takes a node from the arena.
func (p *parser) newNode(k nodeKind, lo int) *node {
	if len(p.nodes) == cap(p.nodes) {
		p.nodes = make([]node, 0, min(len(p.toks)/3+4, 128))
	}
	p.nodes = append(p.nodes, node{kind: k, lo: int32(lo), id: p.count})
	p.count++
	return &p.nodes[len(p.nodes)-1]
}

// one and two give n its kids without an allocation.
func (n *node) one(k *node) {
	n.pair[0] = k
	n.kids = n.pair[:1]
}

func (n *node) two(a, b *node) {
	n.pair[0], n.pair[1] = a, b
	n.kids = n.pair[:2]
}

// close sets the end of n to where the parser is.
func (p *parser) close(n *node) *node {
	n.hi = int32(p.i)
	return n
}

// enter guards against nesting that would exhaust the stack; leave undoes it.
func (p *parser) enter() bool {
	if p.depth++; p.depth > maxDepth {
		p.fail(at(p.src, int(p.tok().pos), fault.Limit, "The statement is nested more than %d levels deep.", maxDepth))
		return false
	}
	return true
}

func (p *parser) leave() { p.depth-- }

// where says which context a loose expression ends in.
type where uint8

const (
	inClause where = iota // a clause keyword ends it
	inItem                // so does AS, or an alias
	inParens              // only a comma or the closing bracket does
	inOver                // inParens of a window
	inFunc                // inParens of a function whose arguments are separated by FROM, FOR or IN
)

// clauseWords end an expression outside parentheses.
var clauseWords = map[string]bool{
	"from": true, "where": true, "group": true, "having": true, "qualify": true, "window": true, "order": true,
	"limit": true, "offset": true, "fetch": true, "union": true, "intersect": true, "except": true, "minus": true,
	"into": true, "on": true, "using": true, "join": true, "inner": true, "cross": true, "natural": true,
	"left": true, "right": true, "full": true, "asof": true, "positional": true, "semi": true, "anti": true,
	"with": true, "when": true, "then": true, "else": true, "end": true, "returning": true, "set": true, "values": true,
}

// ends reports whether token i ends an expression in context w.
func (p *parser) ends(i int, w where) bool {
	t := p.toks[i]
	switch t.kind {
	case tEOF:
		return true
	case tSymbol:
		switch t.word {
		case ",", ")", "]", "}", ";":
			return true
		}
	case tWord:
		if t.flags == 0 {
			return false
		}
		if w >= inParens {
			return t.word == "when" || t.word == "then" || t.word == "else" || t.word == "end"
		}
		switch t.word {
		case "as":
			return w == inItem
		case "left", "right":
			return !p.toks[i+1].sym("(")
		}
		return clauseWords[t.word]
	}
	return false
}

// loose reads an expression and whatever else follows it up to its end. order is set while in the keys of
// an ORDER BY within parentheses.
func (p *parser) loose(w where, order *bool) *node {
	start := p.i
	var seq *node
	var first *node
	for p.err == nil && !p.ends(p.i, w) {
		if first != nil && w == inItem && p.aliasHere() {
			break
		}
		var n *node
		if (first == nil && seq == nil && w != inOver || !softWords[p.tok().word]) && p.startsExpr() {
			n = p.expr(0)
			if order != nil && *order && n != nil {
				sort := p.newNode(nSort, int(n.lo))
				sort.one(n)
				n = p.close(sort)
			}
		} else {
			p.rawToken(w, order)
		}
		switch {
		case first == nil && seq == nil && n != nil:
			first = n
		case seq == nil:
			seq = p.newNode(nSeq, start)
			if first != nil {
				seq.kids = append(seq.kids, first)
			}
			first = nil
			fallthrough
		default:
			if n != nil {
				seq.kids = append(seq.kids, n)
			}
		}
	}
	if last := p.toks[max(p.i-1, 0)]; seq != nil && p.i > start && dangling(last) && int32(p.i) > seq.lastKid() {
		p.unexpected()
	}
	if seq == nil {
		if first == nil {
			p.unexpected()
			return p.close(p.newNode(nSeq, start))
		}
		return first
	}
	return p.close(seq)
}

// softWords are names, except after an expression and in a window, where they are part of a clause.
var softWords = map[string]bool{
	"partition": true, "within": true, "collate": true, "escape": true, "nulls": true, "rows": true, "range": true,
	"groups": true, "ignore": true, "respect": true, "preceding": true, "following": true, "tablesample": true,
	"order": true, "last": true, "first": true,
}

// dangling reports whether t is an operator that wants something after it.
func dangling(t token) bool {
	switch t.kind {
	case tSymbol:
		return symbolPower[t.word] > 0 || t.word == "::" || t.word == "."
	case tWord:
		switch t.word {
		case "and", "or", "not", "is", "in", "like", "ilike", "between":
			return true
		}
	}
	return false
}

// lastKid is where the last expression in n ends.
func (n *node) lastKid() int32 {
	if len(n.kids) == 0 {
		return n.lo
	}
	return n.kids[len(n.kids)-1].hi
}

// rawToken passes over one token no rule is for. Words that could bring in a relation are refused: only a
// FROM clause may name one.
func (p *parser) rawToken(w where, order *bool) {
	t := p.next()
	switch t.kind {
	case tWord:
		switch t.word {
		case "from":
			if w != inFunc {
				p.i--
				p.unexpected()
			}
		case "select", "with", "pivot", "summarize", "describe", "show", "table", "into", "join", "insert", "update", "delete", "create", "copy":
			p.i--
			p.unexpected()
		case "by":
			if order != nil && p.toks[p.i-2].word == "order" {
				*order = true
			}
		case "rows", "range", "groups":
			for w == inOver && !p.isSym(")") && !p.eof() {
				if p.next().sym("(") {
					p.rawList(")")
				}
			}
		}
	case tSymbol:
		switch t.word {
		case "(", "[", "{":
			p.rawList(map[string]string{"(": ")", "[": "]", "{": "}"}[t.word])
		}
	}
}

// rawList passes over a bracketed list, reading what it can.
func (p *parser) rawList(closing string) {
	if !p.enter() {
		return
	}
	defer p.leave()
	for p.err == nil && !p.isSym(closing) {
		if p.eof() {
			p.unexpected()
			return
		}
		if !p.takeSym(",") {
			p.loose(inParens, nil)
		}
	}
	p.wantSym(closing)
}

// aliasHere reports whether the next token is an alias without AS: a name after which the item ends.
func (p *parser) aliasHere() bool {
	t := p.tok()
	if t.kind == tQuoted || t.kind == tWord && t.flags&(fReserved|fNoAlias) == 0 {
		return p.ends(p.i+1, inItem)
	}
	return false
}

// startsExpr reports whether the next token can start an expression.
func (p *parser) startsExpr() bool {
	t := p.tok()
	switch t.kind {
	case tString, tEscape, tDollar, tNumber, tQuoted:
		return true
	case tWord:
		if t.flags&fReserved == 0 {
			switch t.word {
			case "over", "filter", "lateral", "table":
				return false
			case "isnull", "notnull":
				return p.peek(1).sym("(")
			case "show", "describe", "summarize", "pivot", "unpivot", "insert", "update", "delete", "copy":
				// Names, unless what follows makes them DuckDB's statements.
				next := p.peek(1)
				return next.kind == tEOF || next.kind == tSymbol || next.kind == tWord && next.flags != 0
			}
			return true
		}
		switch t.word {
		case "case", "not":
			return true
		case "any", "all", "some", "like", "ilike":
			return p.peek(1).sym("(")
		}
	case tSymbol:
		switch t.word {
		case "(", "-", "+", "*", "~", "@":
			return true
		}
	}
	return false
}

// Binding powers of operators, loosest first.
const (
	bpOr = iota + 1
	bpAnd
	bpNot
	bpIs
	bpCompare
	bpLike
	bpOther
	bpAdd
	bpMul
	bpPow
	bpZone
	bpUnary
	bpPostfix
)

var symbolPower = map[string]int{
	"=": bpCompare, "==": bpCompare, "<>": bpCompare, "!=": bpCompare, "<": bpCompare, ">": bpCompare,
	"<=": bpCompare, ">=": bpCompare,
	"||": bpOther, "~": bpOther, "!~": bpOther, "~*": bpOther, "!~*": bpOther, "~~": bpOther, "!~~": bpOther,
	"~~*": bpOther, "!~~*": bpOther, "->": bpOther, "->>": bpOther, "<<": bpOther, ">>": bpOther, "&": bpOther,
	"|": bpOther, "#": bpOther, "^@": bpOther, "@>": bpOther, "<@": bpOther, "&&": bpOther,
	"+": bpAdd, "-": bpAdd, "*": bpMul, "/": bpMul, "%": bpMul, "//": bpMul, "^": bpPow, "**": bpPow,
}

// expr reads an expression whose operators bind tighter than power.
func (p *parser) expr(power int) *node {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	left := p.prefix()
	for p.err == nil && left != nil {
		next := p.infix(left, power)
		if next == left {
			break
		}
		left = next
	}
	return left
}

func (p *parser) prefix() *node {
	t, start := p.tok(), p.i
	switch {
	case t.kind == tWord && t.word == "not":
		p.next()
		n := p.newNode(nNot, start)
		return p.operator(n, bpNot)
	case t.sym("-"), t.sym("+"), t.sym("~"), t.sym("@"):
		p.next()
		n := p.newNode(nUnary, start)
		n.op = t.word
		return p.operator(n, bpUnary)
	}
	return p.primary()
}

// operator reads the operand of a prefix operator.
func (p *parser) operator(n *node, power int) *node {
	k := p.operand(power)
	if k == nil {
		p.unexpected()
		return nil
	}
	n.one(k)
	return p.close(n)
}

// operand reads the right side of an operator. Where there is none the operator was something else, and
// nil says so.
func (p *parser) operand(power int) *node {
	if p.err != nil || !p.startsExpr() || p.isSym("*") {
		return nil
	}
	return p.expr(power)
}

// infix reads an operator after left, if one that binds tighter than power follows, and returns the whole.
func (p *parser) infix(left *node, power int) *node {
	t, start := p.tok(), p.i
	switch t.kind {
	case tSymbol:
		switch t.word {
		case "::":
			p.next()
			n := p.newNode(nCast, int(left.lo))
			n.mark = int32(p.i)
			n.one(left)
			p.castType(n)
			return p.close(n)
		case ".", "[":
			if left.kind == nRef || left.kind == nParen || left.kind == nCall || left.kind == nSub || left.kind == nCast {
				n := p.newNode(nRef, int(left.lo))
				n.one(left)
				if p.path(n, len(p.stack)); len(n.parts) > 0 {
					return p.close(n)
				}
			}
			return left
		}
		bp, ok := symbolPower[t.word]
		if !ok || bp <= power {
			return left
		}
		p.next()
		n := p.newNode(nBinary, int(left.lo))
		n.op, n.mark = t.word, int32(start)
		right := p.operand(bp)
		if right == nil {
			p.i = start
			return left
		}
		n.two(left, right)
		return p.close(n)
	case tWord:
		return p.wordOperator(left, power)
	}
	return left
}

func (p *parser) wordOperator(left *node, power int) *node {
	start := p.i
	not := p.is("not")
	if not {
		switch w := p.peek(1).word; w {
		case "in", "like", "ilike", "similar", "between":
			p.next()
		default:
			return left
		}
	}
	t := p.tok()
	n := p.newNode(nSeq, int(left.lo))
	n.not, n.op, n.mark = not, t.word, int32(start)
	n.one(left)
	fit := func(k nodeKind, bp int) bool {
		n.kind = k
		if bp <= power {
			p.i = start
			return false
		}
		p.next()
		return true
	}
	add := func(k *node) bool {
		if k == nil {
			p.i = start
			return false
		}
		n.kids = append(n.kids, k)
		return true
	}
	switch t.word {
	case "or":
		if fit(nBinary, bpOr) && add(p.operand(bpOr)) {
			return p.close(n)
		}
	case "and":
		if fit(nBinary, bpAnd) && add(p.operand(bpAnd)) {
			return p.close(n)
		}
	case "is":
		if fit(nIs, bpIs) && p.isTest(n) {
			return p.close(n)
		}
		if p.err == nil {
			p.i = start
		}
	case "isnull", "notnull":
		if fit(nIs, bpIs) {
			n.op, n.not = "null", t.word == "notnull"
			return p.close(n)
		}
	case "in":
		if p.peek(1).sym("(") && fit(nIn, bpLike) && add(p.paren()) {
			return p.close(n)
		}
	case "like", "ilike", "similar":
		if fit(nLike, bpLike) {
			if t.word == "similar" {
				p.want("to")
			}
			if add(p.operand(bpLike)) {
				if p.take("escape") && !add(p.operand(bpLike)) {
					return left
				}
				return p.close(n)
			}
		}
	case "between":
		if fit(nBetween, bpLike) {
			p.oneOf("symmetric", "asymmetric")
			if add(p.operand(bpLike)) && p.take("and") && add(p.operand(bpLike)) {
				return p.close(n)
			}
			if p.err == nil {
				p.unexpected()
			}
		}
	case "at":
		if p.is("at", "time", "zone") && bpZone > power {
			p.i += 3
			n.kind = nAtZone
			if add(p.operand(bpZone)) {
				return p.close(n)
			}
		}
	}
	if not && p.err == nil {
		p.i = start
	}
	return left
}

// isTest reads what follows IS.
func (p *parser) isTest(n *node) bool {
	n.not = p.take("not")
	if p.take("distinct", "from") {
		n.op = "distinct"
		k := p.operand(bpIs)
		if k != nil {
			n.kids = append(n.kids, k)
		}
		return k != nil
	}
	n.op = p.oneOf("null", "true", "false", "unknown")
	return n.op != ""
}

// castType reads the type of a cast. One that is not Redshift's is left to DuckDB: its tokens pass.
func (p *parser) castType(n *node) {
	start := p.i
	var typ Type
	typ, n.known = p.tryType()
	n.typ = &typ
	if n.known = n.known && !p.isSym("["); n.known || p.err != nil {
		n.sized = p.toks[p.i-1].sym(")")
		return
	}
	p.i = start
	if t := p.tok(); t.kind == tWord && absentTypes[t.word] {
		p.dataType()
		return
	}
	p.anyName()
	for p.takeSym(".") {
		p.anyName()
	}
	for p.isSym("(") || p.isSym("[") {
		if p.takeSym("(") {
			p.rawList(")")
		} else {
			p.next()
			p.rawList("]")
		}
	}
}
