package dialect

import "strings"

// compare writes kids[0] op kids[1] where at least one is SUPER.
//
// Equality does not mix types: a number is never equal to a string. Order compares as what the other side
// is, and a value that is not of its type compares as NULL.
func (r *renderer) compare(n *node, sc *scope) {
	a, b := n.kids[0], n.kids[1]
	ca, cb := r.class(a, sc), r.class(b, sc)
	if ca == cSuper && cb == cSuper && !equality(n.op) {
		r.gap(n.lo)
		r.write("(super_compare(")
		r.skip = true
		r.expr(a, sc)
		r.write(", ")
		r.skip = true
		r.expr(b, sc)
		r.write(") ", n.op, " 0)")
		return
	}
	r.side(a, b, equality(n.op), sc)
	r.tokens(a.hi, b.lo)
	r.side(b, a, equality(n.op), sc)
}

func equality(op string) bool {
	return op == "=" || op == "==" || op == "<>" || op == "!=" || op == "distinct"
}

// side writes n so that it can be compared with other.
func (r *renderer) side(n, other *node, equal bool, sc *scope) {
	c, o := r.class(n, sc), r.class(other, sc)
	if c != cSuper {
		if o == cSuper && equal && n.kind == nString {
			r.gap(n.lo)
			r.write(quoteString(jsonString(r.value(n))))
			return
		}
		if o == cSuper && equal && n.kind == nBool {
			r.gap(n.lo)
			r.write("'", strings.ToLower(r.text(n.lo)), "'")
			return
		}
		r.expr(n, sc)
		return
	}
	switch {
	case o == cSuper:
		r.expr(n, sc)
	case equal && (other.kind == nString || other.kind == nBool):
		r.as(n, sc, asScalar, "")
	default:
		r.comparable(n, o, r.longNumber(other), sc)
	}
}

// comparable writes a SUPER value as the type class c compares with.
func (r *renderer) comparable(n *node, c class, exact bool, sc *scope) {
	switch {
	case (c == cInteger || c == cNumber) && exact:
		r.as(n, sc, asType, "DECIMAL(38,10)")
	case c == cInteger || c == cNumber:
		r.as(n, sc, asType, "DOUBLE")
	case c == cBool:
		r.as(n, sc, asType, "BOOLEAN")
	case c == cTime:
		r.as(n, sc, asType, "TIMESTAMP")
	default:
		r.as(n, sc, asText, "")
	}
}

// longNumber reports whether comparing with n as DOUBLE could lose digits: whole numbers that are not short
// literals.
func (r *renderer) longNumber(n *node) bool {
	switch n.kind {
	case nNumber:
		return n.hi-n.lo == 1 && len(r.text(n.lo)) > 15
	case nUnary:
		return len(n.kids) == 1 && r.longNumber(n.kids[0])
	case nRef, nCast:
		return r.classes[n.id] == cInteger+1
	}
	return false
}

// in writes a [NOT] IN where the left side or a member is SUPER.
func (r *renderer) in(n *node, sc *scope) bool {
	left, right := n.kids[0], n.kids[1]
	if right.kind == nSub {
		return r.inQuery(left, right, n, sc)
	}
	if right.kind != nParen || len(right.kids) == 0 {
		return false
	}
	if r.class(left, sc) != cSuper {
		any := false
		for _, k := range right.kids {
			any = any || r.class(k, sc) == cSuper
		}
		if !any {
			return false
		}
		r.expr(left, sc)
		lo := left.hi
		for _, k := range right.kids {
			r.tokens(lo, k.lo)
			r.comparable(k, r.class(left, sc), false, sc)
			lo = k.hi
		}
		r.tokens(lo, n.hi)
		return true
	}
	strs, class := true, cNull
	for _, k := range right.kids {
		strs = strs && k.kind == nString
		if c := r.class(k, sc); class == cNull || c == cText || c == cLiteral {
			class = c
		}
	}
	if !strs {
		r.comparable(left, class, r.anyLong(right.kids), sc)
		r.kids(left.hi, n.hi, sc, right.kids...)
		return true
	}
	r.as(left, sc, asScalar, "")
	lo := left.hi
	for _, k := range right.kids {
		r.tokens(lo, k.lo)
		r.side(k, left, true, sc)
		lo = k.hi
	}
	r.tokens(lo, n.hi)
	return true
}

func (r *renderer) anyLong(kids []*node) bool {
	for _, k := range kids {
		if r.longNumber(k) {
			return true
		}
	}
	return false
}

// inQuery writes a [NOT] IN (query) where the left side or the column of the query is SUPER.
func (r *renderer) inQuery(left, right, n *node, sc *scope) bool {
	cl, cr := r.class(left, sc), r.class(right, sc)
	switch {
	case cl == cSuper && cr != cSuper:
		r.comparable(left, cr, cr == cInteger, sc)
	case cl != cSuper && cr == cSuper:
		r.gap(left.lo)
		r.write("to_json(")
		r.skip = true
		r.expr(left, sc)
		r.write(")")
	default:
		return false
	}
	r.kids(left.hi, n.hi, sc, right)
	return true
}

// between writes kids[0] BETWEEN kids[1] AND kids[2] where one of them is SUPER.
func (r *renderer) between(n *node, sc *scope) {
	c := cNull
	for _, k := range n.kids {
		if c == cNull || c == cSuper || c == cLiteral {
			c = r.class(k, sc)
		}
	}
	lo := n.lo
	for _, k := range n.kids {
		r.tokens(lo, k.lo)
		r.comparable(k, c, r.anyLong(n.kids), sc)
		lo = k.hi
	}
	r.tokens(lo, n.hi)
}
