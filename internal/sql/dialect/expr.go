package dialect

import (
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// newNode takes a node from the arena.
func (p *parser) newNode(k nodeKind, lo int) *node {
	if len(p.nodes) == cap(p.nodes) {
		p.nodes = make([]node, 0, 32)
	}
	p.nodes = append(p.nodes, node{kind: k, lo: int32(lo), id: p.count})
	p.count++
	return &p.nodes[len(p.nodes)-1]
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
	inFunc                // inParens of a function whose arguments are separated by FROM, FOR or IN
)

// clauseWords end an expression outside parentheses.
var clauseWords = map[string]bool{
	"from": true, "where": true, "group": true, "having": true, "qualify": true, "window": true, "order": true,
	"limit": true, "offset": true, "fetch": true, "union": true, "intersect": true, "except": true, "minus": true,
	"into": true, "on": true, "using": true, "join": true, "inner": true, "cross": true, "natural": true,
	"left": true, "right": true, "full": true, "asof": true, "positional": true, "semi": true, "anti": true,
	"when": true, "then": true, "else": true, "end": true, "returning": true, "set": true, "values": true,
}

// ends reports whether t ends an expression in context w.
func (p *parser) ends(t token, w where) bool {
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
		if t.word == "as" {
			return w == inItem
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
	for p.err == nil && !p.ends(p.tok(), w) {
		if first != nil && w == inItem && p.aliasHere() {
			break
		}
		var n *node
		if p.startsExpr() {
			n = p.expr(0)
			if order != nil && *order && n != nil {
				sort := p.newNode(nSort, int(n.lo))
				sort.kids = []*node{n}
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
	if seq == nil {
		if first == nil {
			p.unexpected()
			return p.close(p.newNode(nSeq, start))
		}
		return first
	}
	return p.close(seq)
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
			if order != nil {
				*order = false
			}
		}
	case tSymbol:
		switch t.word {
		case "(", "[", "{":
			closing := map[string]string{"(": ")", "[": "]", "{": "}"}[t.word]
			p.i--
			p.i++
			p.rawList(closing)
		case "?", ":=", "=>", ":", "%", "*", ".", "->", "+", "-", "~":
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
		return p.ends(p.peek(1), inItem)
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
			case "within", "filter", "over", "collate", "escape", "nulls", "rows", "range", "groups", "ignore", "respect",
				"preceding", "following", "isnull", "notnull", "lateral", "tablesample", "pivot", "unpivot", "table",
				"show", "describe", "summarize", "insert", "update", "delete", "copy":
				return p.peek(1).sym("(") && t.word != "over" && t.word != "filter" && t.word != "table" && t.word != "lateral"
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
		if k := p.operand(bpNot); k != nil {
			n.kids = []*node{k}
		}
		return p.close(n)
	case t.sym("-"), t.sym("+"), t.sym("~"), t.sym("@"):
		p.next()
		n := p.newNode(nUnary, start)
		n.op = t.word
		if k := p.operand(bpUnary); k != nil {
			n.kids = []*node{k}
		}
		return p.close(n)
	}
	return p.primary()
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
			n.kids, n.mark = []*node{left}, int32(p.i)
			p.castType(n)
			return p.close(n)
		case ".", "[":
			if left.kind == nRef || left.kind == nParen || left.kind == nCall || left.kind == nSub || left.kind == nCast {
				n := p.newNode(nRef, int(left.lo))
				n.kids = []*node{left}
				if p.path(n); len(n.parts) > 0 {
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
		n.kids = []*node{left, right}
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
	n.not, n.op, n.mark, n.kids = not, t.word, int32(start), []*node{left}
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
	if n.typ, n.known = p.tryType(); n.known || p.err != nil {
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
			n.typ, _ = p.tryType()
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
	n.typ = Type{Name: "interval day to second", DuckDB: "INTERVAL"}
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
