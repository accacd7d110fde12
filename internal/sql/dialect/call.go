package dialect

import (
	"strconv"
	"strings"
)

// renames are functions DuckDB has by another name.
var renames = map[string]string{
	"nvl": "coalesce", "btrim": "trim", "replicate": "repeat", "len": "length", "textlen": "length",
	"sha": "sha1", "func_sha1": "sha1", "can_json_parse": "json_valid",
	"json_parse": "json", "array": "json_array", "object": "json_object",
}

// rewrite writes the functions whose name, order of arguments or bare keywords DuckDB does not share. Where
// it returns false the call is written as it was, whatever it wrote so far.
func (r *renderer) rewrite(n *node, sc *scope) bool {
	if name, ok := renames[n.op]; ok && !(n.op == "array" && len(n.kids) == 1 && n.kids[0].kind == nSub) {
		r.plainCall(n, sc, name)
		return true
	}
	switch n.op {
	case "getdate":
		return r.fixed(n, 0, "date_trunc('second', now() AT TIME ZONE 'UTC')")
	case "dateadd":
		return r.dateAdd(n, sc)
	case "datediff":
		return r.dateDiff(n, sc)
	case "date_part", "pgdate_part":
		return r.datePart(n, sc)
	case "extract":
		return r.extract(n, sc)
	case "date_trunc":
		return r.dateTrunc(n, sc)
	case "add_months":
		return r.addMonths(n, sc)
	case "last_day":
		return r.lastDay(n, sc)
	case "ratio_to_report":
		return r.ratioToReport(n, sc)
	case "to_char":
		return r.toChar(n, sc)
	case "to_date":
		return r.toDate(n, sc)
	case "to_timestamp":
		return r.toTimestamp(n, sc)
	case "convert_timezone":
		return r.convertTimezone(n, sc)
	case "trunc":
		return r.trunc(n, sc)
	case "nvl2":
		return r.nvl2(n, sc)
	case "decode":
		return r.decode(n, sc)
	case "listagg":
		return r.listagg(n, sc)
	case "charindex":
		return len(n.kids) == 2 && r.swapped(n, sc, "strpos")
	case "sha2":
		return r.sha2(n, sc)
	case "regexp_substr":
		return len(n.kids) == 2 && r.renamed(n, sc, "regexp_extract")
	case "regexp_count":
		return r.regexpCount(n, sc)
	case "regexp_replace":
		return r.regexpReplace(n, sc)
	case "mod":
		return r.mod(n, sc)
	case "min":
		return r.extreme(n, sc, "arg_min")
	case "max":
		return r.extreme(n, sc, "arg_max")
	case "json_serialize":
		return r.jsonSerialize(n, sc)
	case "json_array_length":
		return r.jsonArrayLength(n, sc)
	case "json_extract_path_text":
		return r.jsonExtractPathText(n, sc)
	case "json_extract_array_element_text":
		return r.jsonExtractArrayElementText(n, sc)
	case "split_to_array":
		return r.splitToArray(n, sc)
	case "array_concat":
		return r.anySuper(n.kids, sc) && r.renamed(n, sc, "super_concat")
	case "array_flatten":
		return r.anySuper(n.kids, sc) && r.renamed(n, sc, "super_flatten")
	}
	return false
}

// call writes a function call.
func (r *renderer) call(n *node, sc *scope) {
	if len(n.parts) == 1 && n.parts[0].tok > n.lo { // APPROXIMATE
		r.gap(n.lo)
		r.skip = true
	}
	if len(n.parts) <= 1 {
		start, skip := len(r.out), r.skip
		if r.total(n, sc) {
			return
		}
		if (len(n.rest) == 0 || n.op == "listagg" || n.op == "ratio_to_report") && r.rewrite(n, sc) {
			r.skip = false
			return
		}
		r.out, r.skip = r.out[:start], skip
	}
	r.plainCall(n, sc, "")
}

// plainCall writes a call, perhaps with another name, and the clauses after it.
func (r *renderer) plainCall(n *node, sc *scope, name string) {
	first := n.lo
	if len(n.parts) > 0 {
		first = n.parts[0].tok
	}
	if name != "" {
		r.gap(first)
		r.write(name)
		r.tokens(n.mark, n.mark+1)
	} else {
		r.tokens(first, n.mark+1)
	}
	lo := n.mark + 1
	f := functions[n.op]
	one := r.unifyArguments(n, f, sc)
	for i, k := range n.kids {
		r.tokens(lo, k.lo)
		r.argument(n, i, k, f, one, sc)
		lo = k.hi
	}
	if n.nulls > 0 { // DuckDB has it within the parentheses
		r.tokens(lo, n.nulls-1)
		r.tokens(n.nulls, n.nulls+2)
		r.token(n.nulls - 1)
		lo = n.nulls + 2
	}
	r.kids(lo, n.hi, sc, n.rest...)
}

// unifyArguments is the class the arguments of COALESCE and its like are brought to.
func (r *renderer) unifyArguments(n *node, f function, sc *scope) class {
	if f.takes != takesOne || len(n.parts) > 1 {
		return cSuper
	}
	return r.unify(n.kids, sc)
}

func (r *renderer) argument(n *node, i int, k *node, f function, one class, sc *scope) {
	if len(n.parts) > 1 {
		r.expr(k, sc)
		return
	}
	if k.kind == nSeq && len(k.kids) > 0 && r.class(k.kids[0], sc) == cSuper && f.takes != takesJSON {
		// DISTINCT x, or x ORDER BY y.
		r.tokens(k.lo, k.kids[0].lo)
		r.argument(n, i, k.kids[0], f, one, sc)
		r.kids(k.kids[0].hi, k.hi, sc, k.kids[1:]...)
		return
	}
	switch f.takes {
	case takesText:
		r.as(k, sc, asText, "")
	case takesNumber:
		r.as(k, sc, asType, "DOUBLE")
	case takesTime:
		r.as(k, sc, asType, "TIMESTAMP")
	case takesOne:
		r.unified(k, one, sc)
	default:
		r.expr(k, sc)
	}
}

// fixed writes a call of n arguments as a text.
func (r *renderer) fixed(n *node, args int, text string) bool {
	if len(n.kids) != args {
		return false
	}
	r.gap(n.lo)
	r.write(text)
	return true
}

func (r *renderer) renamed(n *node, sc *scope, name string) bool {
	r.plainCall(n, sc, name)
	return true
}

// swapped writes f(a, b) as name(b, a), both text.
func (r *renderer) swapped(n *node, sc *scope, name string) bool {
	r.open(n.lo, name, "(")
	r.as(n.kids[1], sc, asText, "")
	r.write(", ")
	r.skip = true
	r.as(n.kids[0], sc, asText, "")
	r.write(")")
	return true
}

// inline writes an argument without the white space before it.
func (r *renderer) inline(k *node, sc *scope, c conv, typ string) {
	r.skip = true
	r.as(k, sc, c, typ)
	r.skip = false
}

func (r *renderer) nvl2(n *node, sc *scope) bool {
	if len(n.kids) != 3 {
		return false
	}
	c := r.unify(n.kids[1:], sc)
	r.open(n.lo, "CASE WHEN ")
	r.as(n.kids[0], sc, asText, "")
	r.write(" IS NOT NULL THEN ")
	r.skip = true
	r.unified(n.kids[1], c, sc)
	r.write(" ELSE ")
	r.skip = true
	r.unified(n.kids[2], c, sc)
	r.write(" END")
	return true
}

// decode writes DECODE, which finds NULL equal to NULL, as CASE.
func (r *renderer) decode(n *node, sc *scope) bool {
	if len(n.kids) < 3 {
		return false
	}
	c := r.unify(n.values(), sc)
	r.open(n.lo, "CASE")
	i := 1
	for ; i+1 < len(n.kids); i += 2 {
		r.write(" WHEN ")
		r.skip = true
		r.side(n.kids[0], n.kids[i], true, sc)
		r.write(" IS NOT DISTINCT FROM ")
		r.skip = true
		r.side(n.kids[i], n.kids[0], true, sc)
		r.write(" THEN ")
		r.skip = true
		r.unified(n.kids[i+1], c, sc)
	}
	if i < len(n.kids) {
		r.write(" ELSE ")
		r.skip = true
		r.unified(n.kids[i], c, sc)
	}
	r.write(" END")
	return true
}

// listagg writes LISTAGG([DISTINCT] x [, separator]) [WITHIN GROUP (ORDER BY y)] [OVER (...)].
func (r *renderer) listagg(n *node, sc *scope) bool {
	if len(n.kids) == 0 || len(n.kids) > 2 {
		return false
	}
	x := n.kids[0]
	r.open(n.lo, "string_agg(")
	if x.kind == nSeq {
		if len(x.kids) != 1 || r.toks[x.lo].word != "distinct" {
			return false
		}
		r.write("DISTINCT ")
		r.skip = true
		x = x.kids[0]
	}
	if c := r.class(x, sc); c == cText || c == cSuper || c == cLiteral {
		r.as(x, sc, asText, "")
	} else {
		r.write("CAST(")
		r.expr(x, sc)
		r.write(" AS VARCHAR)")
	}
	r.write(", ")
	if len(n.kids) == 2 {
		r.inline(n.kids[1], sc, asText, "")
	} else {
		r.write("''")
	}
	// The closing parenthesis, then perhaps WITHIN GROUP (ORDER BY ...) and OVER (...).
	i := r.closingToken(n.kids[len(n.kids)-1].hi)
	rest := n.rest
	if r.toks[i+1].word == "within" && i+1 < n.hi {
		open := i + 3
		end := r.matching(open)
		inside := 0
		for inside < len(rest) && rest[inside].lo < end {
			inside++
		}
		r.write(" ")
		r.skip = true
		r.kids(open+1, end, sc, rest[:inside]...)
		rest, i = rest[inside:], end
	}
	r.write(")")
	r.skip = false
	r.kids(i+1, n.hi, sc, rest...)
	return true
}

// closingToken returns the first ")" from i on.
func (r *renderer) closingToken(i int32) int32 {
	for !r.toks[i].sym(")") {
		i++
	}
	return i
}

// matching returns the ")" of the "(" at i.
func (r *renderer) matching(i int32) int32 {
	for depth := 0; ; i++ {
		if r.toks[i].sym("(") {
			depth++
		} else if r.toks[i].sym(")") {
			if depth--; depth == 0 {
				return i
			}
		}
	}
}

func (r *renderer) sha2(n *node, sc *scope) bool {
	if len(n.kids) != 2 || n.kids[1].kind != nNumber || r.text(n.kids[1].lo) != "256" && r.text(n.kids[1].lo) != "0" {
		return false
	}
	r.open(n.lo, "sha256(")
	r.as(n.kids[0], sc, asText, "")
	r.write(")")
	return true
}

func (r *renderer) regexpCount(n *node, sc *scope) bool {
	if len(n.kids) != 2 {
		return false
	}
	r.open(n.lo, "length(regexp_extract_all(")
	r.as(n.kids[0], sc, asText, "")
	r.write(", ")
	r.inline(n.kids[1], sc, asText, "")
	r.write("))")
	return true
}

// regexpReplace writes REGEXP_REPLACE, which replaces every match and numbers groups with $.
func (r *renderer) regexpReplace(n *node, sc *scope) bool {
	if len(n.kids) != 2 && len(n.kids) != 3 {
		return false
	}
	r.open(n.lo, "regexp_replace(")
	r.as(n.kids[0], sc, asText, "")
	r.write(", ")
	r.inline(n.kids[1], sc, asText, "")
	switch {
	case len(n.kids) == 2:
		r.write(", ''")
	case n.kids[2].kind == nString:
		r.write(", ", quoteString(strings.ReplaceAll(r.value(n.kids[2]), "$", `\`)))
	default:
		r.write(", ")
		r.inline(n.kids[2], sc, asText, "")
	}
	r.write(", 'g')")
	return true
}

// extreme writes MIN and MAX of SUPER values, whose order is not that of their text.
func (r *renderer) extreme(n *node, sc *scope, name string) bool {
	if len(n.kids) != 1 || n.kids[0].kind == nSeq || r.class(n.kids[0], sc) != cSuper {
		return false
	}
	r.open(n.lo, name, "(")
	r.expr(n.kids[0], sc)
	r.write(", super_order(")
	r.inline(n.kids[0], sc, asJSON, "")
	r.write("))")
	return true
}

func (r *renderer) jsonSerialize(n *node, sc *scope) bool {
	if len(n.kids) != 1 {
		return false
	}
	r.open(n.lo, "CAST(")
	r.expr(n.kids[0], sc)
	r.write(" AS VARCHAR)")
	return true
}

func (r *renderer) splitToArray(n *node, sc *scope) bool {
	if len(n.kids) != 1 && len(n.kids) != 2 {
		return false
	}
	r.open(n.lo, "to_json(string_split(")
	r.as(n.kids[0], sc, asText, "")
	r.write(", ")
	if len(n.kids) == 2 {
		r.inline(n.kids[1], sc, asText, "")
	} else {
		r.write("','")
	}
	r.write("))")
	return true
}

// nullIfInvalid takes the boolean that may end the arguments of the JSON functions.
func nullIfInvalid(r *renderer, kids []*node) ([]*node, bool) {
	if n := len(kids); n > 0 && kids[n-1].kind == nBool {
		return kids[:n-1], strings.EqualFold(r.text(kids[n-1].lo), "true")
	}
	return kids, false
}

// jsonExtract writes json_extract_string of a text, or NULL for one that is not JSON if lax.
func (r *renderer) jsonExtract(n *node, text *node, path string, lax bool, sc *scope) {
	r.gap(n.lo)
	text0 := r.capture(func() { r.as(text, sc, asJSON, "") })
	if lax {
		r.write("CASE WHEN json_valid(", text0, ") THEN ")
	}
	r.write("json_extract_string(", text0, ", ", path, ")")
	if lax {
		r.write(" END")
	}
}

func (r *renderer) jsonExtractPathText(n *node, sc *scope) bool {
	kids, lax := nullIfInvalid(r, n.kids)
	if len(kids) < 2 {
		return false
	}
	path := "$"
	for _, k := range kids[1:] {
		if k.kind != nString || strings.ContainsAny(r.value(k), "*\"\\") || r.value(k) == "" || r.value(k)[0] == '$' || r.value(k)[0] == '/' {
			return false
		}
		path += `."` + r.value(k) + `"`
	}
	r.jsonExtract(n, kids[0], quoteString(path), lax, sc)
	return true
}

func (r *renderer) jsonExtractArrayElementText(n *node, sc *scope) bool {
	kids, lax := nullIfInvalid(r, n.kids)
	if len(kids) != 2 || kids[1].kind != nNumber {
		return false
	}
	i, err := strconv.Atoi(r.text(kids[1].lo))
	if err != nil {
		return false
	}
	r.jsonExtract(n, kids[0], "'$["+strconv.Itoa(i)+"]'", lax, sc)
	return true
}

func (r *renderer) jsonArrayLength(n *node, sc *scope) bool {
	kids, lax := nullIfInvalid(r, n.kids)
	if len(kids) != 1 || len(kids) == len(n.kids) {
		return false
	}
	r.gap(n.lo)
	text := r.capture(func() { r.as(kids[0], sc, asJSON, "") })
	if lax {
		r.write("CASE WHEN json_valid(", text, ") THEN ")
	}
	r.write("json_array_length(", text, ")")
	if lax {
		r.write(" END")
	}
	return true
}
