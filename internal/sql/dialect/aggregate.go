package dialect

import "strings"

// total writes SUM and AVG with the types they have on Redshift: BIGINT for integers, but NUMERIC(38,0) for the
// SUM of BIGINT, and NUMERIC of the same scale for the AVG of NUMERIC.
func (r *renderer) total(n *node, sc *scope) bool {
	if n.op != "sum" && n.op != "avg" || len(n.kids) != 1 || r.whole == n {
		return false
	}
	k := lastKid(n.kids[0])
	typ, before := "BIGINT", "CAST("
	scale, decimal := r.scale(k, sc)
	switch integer := r.class(k, sc) == cInteger; {
	case n.op == "avg" && integer:
		before = "CAST(trunc("
	case n.op == "avg" && decimal:
		typ = widest + scale + ")"
	case n.op == "sum" && integer:
		if r.wide(k, sc) {
			typ = widest + "0)"
		}
	default:
		return false
	}
	outer := r.whole
	r.whole = n
	r.open(n.lo, before)
	r.call(n, sc)
	r.write(strings.Repeat(")", strings.Count(before, "(")-1), " AS ", typ, ")")
	r.whole = outer
	return true
}

// widest is the beginning of the types of totals that are no BIGINT.
const widest = "DECIMAL(38,"

// wide reports whether an integer is a BIGINT.
func (r *renderer) wide(n *node, sc *scope) bool {
	switch n.kind {
	case nRef:
		return r.resolve(n, sc).typ.DuckDB == "BIGINT"
	case nCast:
		return n.typ.DuckDB == "BIGINT"
	case nNumber:
		return len(r.text(n.lo)) > 9
	case nCall:
		switch n.op {
		case "count", "row_number", "rank", "dense_rank", "ntile", "datediff", "sum", "avg", "get_array_length", "json_array_length":
			return true
		case "coalesce", "nvl", "greatest", "least", "nullif", "min", "max", "abs", "mod", "lag", "lead", "first_value", "last_value":
			return r.anyWide(n.kids, sc)
		}
	case nCase:
		return r.anyWide(n.caseResults(), sc)
	case nBinary, nUnary, nParen:
		return r.anyWide(n.kids, sc)
	case nSub:
		cols, _ := r.outputs(n.query, &scope{outer: sc, ctes: sc.ctes})
		return len(cols) == 1 && cols[0].Type.DuckDB == "BIGINT"
	}
	return false
}

func (r *renderer) anyWide(kids []*node, sc *scope) bool {
	for _, k := range kids {
		if r.wide(lastKid(k), sc) {
			return true
		}
	}
	return false
}

// scale returns the scale of what is known to be a NUMERIC: a column, or a cast.
func (r *renderer) scale(n *node, sc *scope) (string, bool) {
	var typ string
	switch n.kind {
	case nRef:
		if res := r.resolve(n, sc); res.known && len(n.parts) == res.base {
			typ = res.typ.DuckDB
		}
	case nCast:
		typ = n.typ.DuckDB
	case nParen:
		if len(n.kids) == 1 {
			return r.scale(n.kids[0], sc)
		}
	}
	_, scale, ok := strings.Cut(typ, ",")
	if !ok || !strings.HasPrefix(typ, "DECIMAL(") {
		return "", false
	}
	return strings.TrimSuffix(scale, ")"), true
}

// ratioToReport writes RATIO_TO_REPORT(x) OVER (...): the share of x in the sum of the window.
func (r *renderer) ratioToReport(n *node, sc *scope) bool {
	if len(n.kids) != 1 {
		return false
	}
	x := r.capture(func() { r.as(n.kids[0], sc, asType, "DOUBLE") })
	r.gap(n.lo)
	r.write("(CAST(", x, " AS DOUBLE) / nullif(sum(CAST(", x, " AS DOUBLE))")
	r.kids(r.closingToken(n.kids[0].hi)+1, n.hi, sc, n.rest...)
	r.write(", 0))")
	return true
}
