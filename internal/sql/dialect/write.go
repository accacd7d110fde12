package dialect

import (
	"fmt"
	"strings"
)

// expr writes an expression with the type it has.
func (r *renderer) expr(n *node, sc *scope) {
	switch n.kind {
	case nRef:
		r.ref(n, sc)
	case nSub, nExists:
		r.tokens(n.lo, n.query.lo)
		r.subquery(n.query, sc, false)
		r.tokens(n.query.hi, n.hi)
	case nCall:
		r.call(n, sc)
	case nCast:
		r.cast(n, sc)
	case nTyped, nString, nNumber, nNull, nBool, nStar:
		r.tokens(n.lo, n.hi)
	case nBinary:
		r.binary(n, sc)
	case nUnary:
		if len(n.kids) == 1 && n.op != "@" {
			r.tokens(n.lo, n.kids[0].lo)
			r.as(n.kids[0], sc, asType, "DOUBLE")
			return
		}
		r.kids(n.lo, n.hi, sc, n.kids...)
	case nNot:
		r.tokens(n.lo, n.lo+1)
		for _, k := range n.kids {
			r.cond(k, sc)
		}
	case nIs:
		r.is(n, sc)
	case nIn:
		if !r.in(n, sc) {
			r.kids(n.lo, n.hi, sc, n.kids...)
		}
	case nBetween:
		if r.anySuper(n.kids, sc) {
			r.between(n, sc)
			return
		}
		r.kids(n.lo, n.hi, sc, n.kids...)
	case nLike:
		r.like(n, sc)
	case nCase:
		r.caseExpr(n, sc)
	case nSort:
		r.sortKey(n, sc, false)
	case nAtZone:
		r.as(n.kids[0], sc, asType, "TIMESTAMP")
		r.kids(n.kids[0].hi, n.hi, sc, n.kids[1])
	default:
		r.kids(n.lo, n.hi, sc, n.kids...)
	}
}

func (r *renderer) anySuper(kids []*node, sc *scope) bool {
	for _, k := range kids {
		if r.class(k, sc) == cSuper {
			return true
		}
	}
	return false
}

// ref writes a name: a column, a path into a SUPER one, or one of Redshift's functions without parentheses.
func (r *renderer) ref(n *node, sc *scope) {
	res := r.resolve(n, sc)
	if res.known && res.class == cSuper {
		base, path := r.ungroupedPath(n, sc)
		if path != "'$'" {
			r.gap(n.lo)
			r.write("json_extract(", base, ", ", path, ")")
			return
		}
		if len(n.kids) == 0 {
			r.base(n, res)
			return
		}
	}
	if res.known && res.text != "" {
		r.base(n, res)
		return
	}
	if len(n.kids) > 0 {
		r.kids(n.lo, n.hi, sc, n.kids[0])
		return
	}
	if len(n.parts) == 1 && !n.parts[0].quoted {
		switch name := n.parts[0].name; {
		case name == "sysdate" && !res.known:
			r.gap(n.lo)
			r.write("(now() AT TIME ZONE 'UTC')")
			return
		case userWords[name] && !res.known:
			r.gap(n.lo)
			r.write("current_user_name()")
			return
		case name == "default", !res.known && !plainName(name) && name[0] != '#' && r.keywordBefore(n.hi):
			r.tokens(n.lo, n.hi)
			return
		}
	}
	lo := n.lo
	for _, p := range n.parts {
		if p.index != nil {
			r.tokens(lo, p.index.lo)
			r.expr(p.index, sc)
			lo = p.index.hi
			continue
		}
		r.tokens(lo, p.tok)
		r.name(p.tok)
		lo = p.tok + 1
	}
	r.tokens(lo, n.hi)
}

// userWords are the ways to ask for the session's user.
var userWords = map[string]bool{"current_user": true, "session_user": true, "user": true}

// keywordBefore reports whether what comes before token i must be a keyword of DuckDB, not a name: ARRAY[1].
func (r *renderer) keywordBefore(i int32) bool {
	t := r.toks[i]
	return t.sym("[") || t.sym("{") || t.kind == tWord && t.flags == 0 || t.isString()
}

// binary writes an operator.
func (r *renderer) binary(n *node, sc *scope) {
	a, b := n.kids[0], n.kids[1]
	switch power := symbolPower[n.op]; {
	case power == 0: // AND, OR
		r.cond(a, sc)
		r.tokens(a.hi, b.lo)
		r.cond(b, sc)
	case n.op == "~" || n.op == "!~" || n.op == "~*" || n.op == "!~*":
		r.matches(n, sc)
	case n.op == "/" || n.op == "//" || n.op == "%":
		r.division(n, sc)
	case !r.anySuper(n.kids, sc):
		if (power == bpAdd || power == bpMul) && (r.numeral(a, b, sc) || r.numeral(b, a, sc)) {
			r.bareNumber(a, b, sc)
			return
		}
		r.kids(n.lo, n.hi, sc, a, b)
	case power == bpCompare:
		r.compare(n, sc)
	case n.op == "||" || strings.Contains(n.op, "~~"):
		r.both(n, asText, "", sc)
	case power == bpOther:
		r.kids(n.lo, n.hi, sc, a, b)
	case r.class(n, sc) == cTime:
		r.both(n, asType, "TIMESTAMP", sc)
	default:
		r.both(n, asType, "DOUBLE", sc)
	}
}

// numeral reports whether n is a quoted number beside a number, which DuckDB's operators do not take.
func (r *renderer) numeral(n, other *node, sc *scope) bool {
	if n.kind != nString {
		return false
	}
	c, v := r.class(other, sc), r.value(n)
	return (c == cInteger || c == cNumber) && v != "" && isDigit(v[0]) && scanNumber(v, 0) == len(v)
}

// bareNumber writes an operator with quoted numbers as numbers.
func (r *renderer) bareNumber(a, b *node, sc *scope) {
	for i, k := range [...]*node{a, b} {
		if i == 1 {
			r.tokens(a.hi, b.lo)
		}
		if k.kind == nString {
			r.gap(k.lo)
			r.write(r.value(k))
		} else {
			r.expr(k, sc)
		}
	}
}

func (r *renderer) both(n *node, c conv, typ string, sc *scope) {
	r.as(n.kids[0], sc, c, typ)
	r.tokens(n.kids[0].hi, n.kids[1].lo)
	r.as(n.kids[1], sc, c, typ)
}

// matches writes the POSIX operators, which find a match anywhere; DuckDB's own want one of the whole text.
func (r *renderer) matches(n *node, sc *scope) {
	r.gap(n.lo)
	if n.op[0] == '!' {
		r.write("(NOT ")
	}
	r.write("regexp_matches(")
	r.skip = true
	r.as(n.kids[0], sc, asText, "")
	r.write(", ")
	r.skip = true
	r.as(n.kids[1], sc, asText, "")
	if strings.HasSuffix(n.op, "*") {
		r.write(", 'i'")
	}
	r.write(")")
	if n.op[0] == '!' {
		r.write(")")
	}
}

// is writes IS tests. A JSON null is NULL, as is what a path does not find.
func (r *renderer) is(n *node, sc *scope) {
	k := n.kids[0]
	switch {
	case n.op == "distinct" && r.anySuper(n.kids, sc):
		r.side(k, n.kids[1], true, sc)
		r.tokens(k.hi, n.kids[1].lo)
		r.side(n.kids[1], k, true, sc)
		return
	case n.op == "null":
		r.as(k, sc, asText, "")
	case n.op == "distinct":
		r.kids(n.lo, n.hi, sc, n.kids...)
		return
	default:
		r.cond(k, sc)
	}
	r.tokens(k.hi, n.hi)
}

// like writes LIKE, ILIKE and SIMILAR TO. A backslash escapes without being declared, which DuckDB wants, and
// SIMILAR TO has wildcards of its own.
func (r *renderer) like(n *node, sc *scope) {
	pattern := n.kids[1]
	if n.op == "similar" && pattern.kind == nString && len(n.kids) == 2 {
		r.gap(n.lo)
		if n.not {
			r.write("(NOT ")
		}
		r.write("regexp_full_match(")
		r.skip = true
		r.as(n.kids[0], sc, asText, "")
		r.write(", ", quoteString(similarPattern(r.value(pattern))), ")")
		if n.not {
			r.write(")")
		}
		return
	}
	lo := n.lo
	for _, k := range n.kids {
		r.tokens(lo, k.lo)
		r.as(k, sc, asText, "")
		lo = k.hi
	}
	r.tokens(lo, n.hi)
	if n.op != "similar" && len(n.kids) == 2 && pattern.kind == nString && strings.Contains(r.value(pattern), `\`) {
		r.write(` ESCAPE E'\\'`)
	}
}

// similarPattern turns a pattern of SIMILAR TO into a regular expression.
func similarPattern(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '%':
			b.WriteString(".*")
		case '_':
			b.WriteByte('.')
		case '.', '^', '$':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\\':
			b.WriteByte(c)
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// caseExpr writes CASE. Results of different types are brought to the one that is not SUPER.
func (r *renderer) caseExpr(n *node, sc *scope) {
	kids, lo := n.kids, n.lo
	results := r.class(n, sc)
	if n.operand && len(kids) > 0 {
		first := kids[0]
		super := r.class(first, sc) == cSuper
		for i := 1; i < len(kids)-1; i += 2 {
			super = super || r.class(kids[i], sc) == cSuper
		}
		r.tokens(lo, first.lo)
		switch {
		case super && len(kids) > 1:
			r.as(first, sc, asText, "")
		default:
			r.expr(first, sc)
		}
		kids, lo = kids[1:], first.hi
		for i, k := range kids {
			r.tokens(lo, k.lo)
			switch last := i == len(kids)-1 && len(kids)%2 == 1; {
			case last || i%2 == 1:
				r.unified(k, results, sc)
			case super && k.kind == nNumber:
				r.gap(k.lo)
				r.write("'", r.text(k.lo), "'")
			default:
				r.as(k, sc, asText, "")
			}
			lo = k.hi
		}
		r.tokens(lo, n.hi)
		return
	}
	for i, k := range kids {
		r.tokens(lo, k.lo)
		if i%2 == 0 && i+1 < len(kids) {
			r.cond(k, sc)
		} else {
			r.unified(k, results, sc)
		}
		lo = k.hi
	}
	r.tokens(lo, n.hi)
}

// unified writes one of several values whose common type is class c.
func (r *renderer) unified(n *node, c class, sc *scope) {
	switch c {
	case cSuper, cNull:
		r.expr(n, sc)
	case cInteger, cNumber:
		r.as(n, sc, asType, "DOUBLE")
	case cBool:
		r.as(n, sc, asType, "BOOLEAN")
	case cTime:
		r.as(n, sc, asType, "TIMESTAMP")
	default:
		r.as(n, sc, asText, "")
	}
}

// cast writes a cast. SUPER values of another type become NULL, not an error; text is cut to the length of
// the type, as an explicit cast does.
func (r *renderer) cast(n *node, sc *scope) {
	k := n.kids[0]
	if !n.known { // the type is DuckDB's, and stays as it was written
		if n.op == "" {
			r.expr(k, sc)
			r.tokens(k.hi, n.mark)
		} else {
			r.kids(n.lo, n.mark, sc, k)
		}
		r.gap(n.mark)
		end := n.hi - 1
		if n.op == "" {
			end = n.hi
		}
		r.write(r.src[r.toks[n.mark].pos:r.toks[end-1].end])
		r.tokens(end, n.hi)
		return
	}
	if n.typ.DuckDB == "BIGINT" || strings.HasPrefix(n.typ.DuckDB, widest) { // as SUM and AVG are already
		outer := r.whole
		defer func() { r.whole = outer }()
		if r.whole = k; k.kind == nCall && k.op == "trunc" && len(k.kids) == 1 {
			r.whole = k.kids[0]
		}
	}
	super := r.class(k, sc) == cSuper
	text := n.typ.DuckDB == "VARCHAR"
	cut := text && n.typ.Length > 0 && n.typ.Length < maxVarchar && (n.sized || n.typ.Length == 1)
	r.gap(n.lo)
	if cut {
		r.write("left(")
	}
	r.skip = true
	switch {
	case super && n.typ.Super():
		r.expr(k, sc)
	case super && text:
		r.as(k, sc, asString, "")
	case super:
		r.as(k, sc, asType, n.typ.DuckDB)
	case n.typ.Super():
		r.toSuper(k, sc)
	case n.op == "" && !needsParens(k):
		r.expr(k, sc)
		r.write("::", n.typ.DuckDB)
	default:
		op := "CAST("
		if n.op == "try_cast" {
			op = "TRY_CAST("
		}
		r.write(op)
		r.skip = true
		r.expr(k, sc)
		r.write(" AS ", n.typ.DuckDB, ")")
	}
	if cut {
		r.write(fmt.Sprintf(", %d)", n.typ.Length))
	}
}

// needsParens reports whether writing n before :: could bind to a part of what is written.
func needsParens(n *node) bool {
	switch n.kind {
	case nRef, nString, nNumber, nNull, nBool, nParen, nSub, nCast, nCall:
		return false
	}
	return true
}

// toSuper writes a value as SUPER. A text is a string, not JSON to be parsed.
func (r *renderer) toSuper(n *node, sc *scope) {
	switch c := r.class(n, sc); {
	case c == cSuper || c == cNull:
		r.expr(n, sc)
	case n.kind == nString:
		r.gap(n.lo)
		r.write("CAST(", quoteString(jsonString(r.value(n))), " AS JSON)")
	default:
		r.gap(n.lo)
		r.write("to_json(")
		r.skip = true
		r.expr(n, sc)
		r.write(")")
	}
}
