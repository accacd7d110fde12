package dialect

import (
	"fmt"
	"strings"
)

// What Redshift refuses and DuckDB lets pass is checked in the rendered SQL, by macros that end the statement:
// a text that is too long for its column, and a divisor that is zero.

// fit writes a value for a text column with a length, which counts bytes. Blanks at the end do not count: those
// too many are cut off, and in a CHAR they mean nothing at all.
func (r *renderer) fit(n *node, t Type, sc *scope) {
	c := r.class(n, sc)
	switch {
	case c == cNull || n.kind == nRef && len(n.parts) == 1 && n.parts[0].name == "default" && !n.parts[0].quoted:
		r.expr(n, sc)
		return
	case n.kind == nString:
		r.fitLiteral(n, t)
		return
	case r.fits(n, t, sc):
		r.expr(n, sc)
		return
	}
	macro := "sql_fit"
	if t.Name == "character" {
		macro = "sql_fit_char"
	}
	if r.once(n) {
		macro += "_once"
	}
	r.open(n.lo, macro, "(")
	switch c {
	case cSuper:
		r.as(n, sc, asString, "")
	case cText:
		r.expr(n, sc)
	default:
		r.write("CAST(")
		r.skip = true
		r.expr(n, sc)
		r.write(" AS VARCHAR)")
	}
	r.skip = false
	r.write(fmt.Sprintf(", %d)", t.Length))
}

// limited reports whether values for columns of type t are held to a length.
func limited(t Type) bool { return t.DuckDB == "VARCHAR" && t.Length > 0 }

// fitLiteral checks a literal here and now.
func (r *renderer) fitLiteral(n *node, t Type) {
	text, err := fitText(r.value(n), t)
	if err != nil {
		r.fail(err)
	}
	if text == r.value(n) {
		r.tokens(n.lo, n.hi)
		return
	}
	r.gap(n.lo)
	r.write(quoteString(text))
}

func fitText(s string, t Type) (string, error) {
	trimmed := strings.TrimRight(s, " ")
	if len(trimmed) > t.Length {
		return s, invalid("value too long for type %s", t)
	}
	if t.Name == "character" {
		return trimmed, nil
	}
	return s[:min(len(s), max(t.Length, len(trimmed)))], nil
}

// fits reports whether a value is known to be short enough: it comes from a column of such a type, or has been
// checked already.
func (r *renderer) fits(n *node, t Type, sc *scope) bool {
	switch n.kind {
	case nRef:
		res := r.resolve(n, sc)
		return res.known && res.class == cText && len(n.parts) == res.base && narrower(res.typ, t)
	case nCall:
		return strings.HasPrefix(n.op, "sql_fit")
	}
	return false
}

// narrower reports whether every value of type from fits type t as it is.
func narrower(from, t Type) bool {
	return limited(from) && from.Length <= t.Length && (from.Name == "character" || t.Name != "character")
}

// fittedRows returns the columns of an INSERT's query that have to be checked all the same when its SELECT
// lists cannot be taken apart, and how many columns it has: they are then checked around the query.
func (r *renderer) fittedRows(q *query, types []Type) (checks map[int]Type, columns int) {
	whole := false
	for _, t := range q.terms {
		if t.sel == nil {
			continue
		}
		whole = whole || t.sel.distinct
		for _, it := range t.sel.items {
			whole = whole || it.expr.star() != nil
		}
		for _, f := range t.sel.from {
			if f.alias == rowsAlias {
				return nil, 0 // it has been done
			}
		}
	}
	if !whole {
		return nil, 0
	}
	cols, open := r.outputs(q, &scope{})
	columns = len(cols)
	if open {
		columns = len(types)
	}
	if columns != len(types) {
		return nil, 0 // the engine will say so
	}
	for i, t := range types {
		if limited(t) && (open || len(q.terms) > 1 || !narrower(cols[i].Type, t)) {
			if checks == nil {
				checks = map[int]Type{}
			}
			checks[i] = t
		}
	}
	return checks, columns
}

const rowsAlias = "sql_rows"

// checkedRows writes a query with some of its columns checked.
func (r *renderer) checkedRows(q *query, checks map[int]Type, columns int) {
	r.gap(q.lo)
	r.write("SELECT * REPLACE (")
	sep := ""
	for i := range columns {
		t, ok := checks[i]
		if !ok {
			continue
		}
		macro := "sql_fit"
		if t.Name == "character" {
			macro = "sql_fit_char"
		}
		r.write(sep, fmt.Sprintf("%s(CAST(c%d AS VARCHAR), %d) AS c%[2]d", macro, i, t.Length))
		sep = ", "
	}
	r.write(") FROM (")
	r.skip = true
	r.query(q, &scope{})
	r.write(") AS ", rowsAlias, "(")
	for i := range columns {
		if i > 0 {
			r.write(", ")
		}
		r.write(fmt.Sprintf("c%d", i))
	}
	r.write(")")
}

// division writes a / b, a // b, a % b and MOD(a, b), which fail where b is zero.
func (r *renderer) division(n *node, sc *scope) {
	a, b := n.kids[0], n.kids[1]
	side := func(k, other *node) {
		switch {
		case r.numeral(k, other, sc):
			r.gap(k.lo)
			r.write(r.value(k))
		case r.anySuper(n.kids, sc):
			r.as(k, sc, asType, "DOUBLE")
		default:
			r.expr(k, sc)
		}
	}
	r.tokens(n.lo, a.lo)
	side(a, b)
	r.tokens(a.hi, b.lo)
	switch {
	case r.nonzero(b, sc):
		side(b, a)
	case r.once(b):
		r.open(b.lo, "sql_divisor_once(")
		side(b, a)
		r.write(")")
	default:
		r.open(b.lo, "sql_divisor(")
		side(b, a)
		r.write(")")
	}
	r.tokens(b.hi, n.hi)
}

func (r *renderer) mod(n *node, sc *scope) bool {
	if len(n.kids) != 2 {
		return false
	}
	r.division(n, sc)
	return true
}

// nonzero reports whether a divisor needs no check: it is a number that is not zero, NULL instead of zero, no
// number, or has been checked.
func (r *renderer) nonzero(n *node, sc *scope) bool {
	switch n.kind {
	case nNumber:
		digits, _, _ := strings.Cut(strings.ToLower(r.text(n.lo)), "e")
		return strings.ContainsAny(digits, "123456789")
	case nParen, nUnary:
		return len(n.kids) == 1 && r.nonzero(n.kids[0], sc)
	case nCast:
		k := n.kids[0]
		return k.kind == nNumber && r.class(k, sc) == cInteger && r.nonzero(k, sc)
	case nCall:
		switch n.op {
		case "sql_divisor", "sql_divisor_once":
			return true
		case "nullif":
			return len(n.kids) == 2 && n.kids[1].kind == nNumber && !r.nonzero(n.kids[1], sc)
		}
	}
	switch r.class(n, sc) {
	case cNull, cText, cBool, cTime, cInterval, cOther:
		return true
	}
	return false
}

// volatile are functions that give something else each time.
var volatile = map[string]bool{"random": true, "rand": true, "uuid": true, "gen_random_uuid": true, "nextval": true, "setseed": true}

// once reports whether an expression should not be written into a macro that uses it twice: it would be
// computed twice, take other values, or double with each level it is nested.
func (r *renderer) once(n *node) bool {
	switch n.kind {
	case nSub, nExists:
		return true
	case nBinary:
		if n.op == "/" || n.op == "//" || n.op == "%" {
			return true
		}
	case nCall:
		if len(n.rest) > 0 || volatile[n.op] || n.op == "mod" {
			return true
		}
	}
	for _, k := range n.kids {
		if r.once(k) {
			return true
		}
	}
	return false
}
