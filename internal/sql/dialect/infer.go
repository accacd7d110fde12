package dialect

// class returns the static type of an expression, as far as the renderer needs it.
func (r *renderer) class(n *node, sc *scope) class {
	if c := r.classes[n.id]; c != 0 {
		return c - 1
	}
	c := r.infer(n, sc)
	r.classes[n.id] = c + 1
	return c
}

func (r *renderer) infer(n *node, sc *scope) class {
	switch n.kind {
	case nString:
		return cLiteral
	case nNumber:
		return r.numberClass(n)
	case nNull:
		return cNull
	case nBool, nExists, nNot, nIs, nIn, nBetween, nLike:
		return cBool
	case nTyped:
		return n.typ.class()
	case nCast:
		if n.known {
			return n.typ.class()
		}
		return duckClass(r.src[r.toks[n.mark].pos:r.toks[n.mark].end])
	case nRef:
		return r.refClass(n, sc)
	case nParen:
		if len(n.kids) == 1 {
			return r.class(n.kids[0], sc)
		}
	case nSub:
		if cols, _ := r.outputs(n.query, &scope{outer: sc, ctes: sc.ctes}); len(cols) == 1 {
			return cols[0].Type.class()
		}
	case nCase:
		return r.unify(n.caseResults(), sc)
	case nSort:
		return r.class(n.kids[0], sc)
	case nAtZone:
		return cTime
	case nCall:
		return r.callClass(n, sc)
	case nUnary:
		if len(n.kids) == 1 && n.op == "-" {
			if c := r.class(n.kids[0], sc); c != cSuper {
				return c
			}
			return cNumber
		}
	case nBinary:
		return r.binaryClass(n, sc)
	}
	return cUnknown
}

func (r *renderer) numberClass(n *node) class {
	for _, c := range []byte(r.text(n.lo)) {
		if !isDigit(c) {
			return cNumber
		}
	}
	return cInteger
}

// duckClass is the class of a DuckDB type Redshift does not have.
func duckClass(name string) class {
	if t := TypeOfDuckDB(name); t.DuckDB != name || duckTypes[t.DuckDB].Name != "" {
		return t.class()
	}
	return cOther
}

func (r *renderer) refClass(n *node, sc *scope) class {
	if res := r.resolve(n, sc); res.known {
		if res.class == cSuper || len(n.parts) == res.base {
			return res.class
		}
		return cUnknown
	}
	if len(n.parts) == 1 && !n.parts[0].quoted {
		switch n.parts[0].name {
		case "sysdate", "current_date", "current_timestamp", "localtimestamp":
			return cTime
		case "current_user", "session_user", "user":
			return cText
		}
	}
	return cUnknown
}

func (r *renderer) binaryClass(n *node, sc *scope) class {
	switch symbolPower[n.op] {
	case bpCompare:
		return cBool
	case 0:
		return cBool // AND, OR
	case bpOther:
		switch n.op {
		case "||", "->>":
			return cText
		case "->":
			return cUnknown
		case "<<", ">>", "&", "|", "#":
			return cInteger
		}
		return cBool
	}
	a, b := r.class(n.kids[0], sc), r.class(n.kids[1], sc)
	switch {
	case a == cTime && b == cTime && n.op == "-":
		return cUnknown
	case a == cTime || b == cTime:
		return cTime
	case a == cInterval || b == cInterval:
		if a == cSuper || b == cSuper {
			return cTime
		}
		return cUnknown
	case a == cInteger && b == cInteger:
		return cInteger
	case a == cSuper || b == cSuper || a == cNumber || b == cNumber:
		return cNumber
	}
	return cUnknown
}

// unify is the class of a value that is one of several: of CASE, COALESCE and their like. SUPER gives way to
// anything that is not.
func (r *renderer) unify(kids []*node, sc *scope) class {
	result := cNull
	for _, k := range kids {
		c := r.class(k, sc)
		if c == cLiteral {
			c = cText
		}
		switch {
		case c == cNull:
		case result == cNull || result == cSuper:
			result = c
		case c == cNumber && result == cInteger:
			result = c
		case c == cSuper || c == result || c == cInteger && result == cNumber:
		case c == cText || result == cText:
			// A literal takes the type of what it stands beside.
			if result == cText {
				result = c
			}
		default:
			result = cUnknown
		}
	}
	return result
}

// caseResults are the values a CASE can have.
func (n *node) caseResults() []*node {
	var list []*node
	kids := n.kids
	if n.operand && len(kids) > 0 {
		kids = kids[1:]
	}
	for i := 1; i < len(kids); i += 2 {
		list = append(list, kids[i])
	}
	if len(kids)%2 == 1 {
		list = append(list, kids[len(kids)-1])
	}
	return list
}

// how says what a function wants of SUPER arguments.
type how uint8

const (
	takesJSON   how = iota // SUPER as it is
	takesText              // text
	takesNumber            // DOUBLE
	takesTime              // TIMESTAMP
	takesOne               // one type for all, as COALESCE
)

// function is what the renderer knows of a function.
type function struct {
	takes  how
	gives  class
	sameAs bool // as its first argument
}

var functions = func() map[string]function {
	m := map[string]function{}
	add := func(f function, names ...string) {
		for _, n := range names {
			m[n] = f
		}
	}
	add(function{takes: takesText, gives: cText}, "upper", "lower", "trim", "btrim", "ltrim", "rtrim", "substring",
		"substr", "left", "right", "replace", "split_part", "concat", "initcap", "reverse", "repeat", "replicate",
		"lpad", "rpad", "md5", "sha", "sha1", "sha2", "func_sha1", "regexp_replace", "regexp_substr",
		"regexp_extract", "translate", "quote_literal", "quote_ident", "json_extract_path_text",
		"json_extract_array_element_text", "listagg", "string_agg", "group_concat", "chr", "to_hex",
		"sql_fit", "sql_fit_char", "sql_fit_once", "sql_fit_char_once")
	add(function{takes: takesText, gives: cInteger}, "length", "len", "char_length", "character_length",
		"octet_length", "textlen", "strpos", "position", "charindex", "regexp_count", "regexp_instr", "ascii", "strtol",
		"count")
	add(function{takes: takesText, gives: cBool}, "regexp_matches", "regexp_full_match", "starts_with", "contains",
		"is_valid_json", "is_valid_json_array", "can_json_parse")
	add(function{takes: takesText, gives: cTime}, "to_date", "to_timestamp")
	add(function{takes: takesText, gives: cSuper}, "json_parse", "split_to_array")
	add(function{takes: takesNumber, gives: cNumber}, "ceil", "ceiling", "floor", "round", "trunc", "sqrt", "cbrt",
		"exp", "ln", "log", "power", "pow", "sign", "avg", "stddev", "stddev_samp", "stddev_pop", "variance",
		"var_samp", "var_pop", "median", "degrees", "radians", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "cot", "to_number")
	add(function{takes: takesNumber, sameAs: true, gives: cNumber}, "sum", "abs", "mod")
	add(function{takes: takesTime, gives: cTime}, "dateadd", "date_trunc", "last_day", "add_months", "next_day",
		"convert_timezone", "getdate", "now", "date")
	add(function{takes: takesTime, gives: cInteger}, "datediff", "date_diff", "date_part", "extract", "date_cmp",
		"timestamp_cmp", "date_part_year")
	add(function{takes: takesTime, gives: cNumber}, "months_between")
	add(function{gives: cNumber}, "ratio_to_report")
	add(function{gives: cText}, "to_char_number")
	add(function{takes: takesTime, gives: cText}, "to_char", "strftime")
	add(function{takes: takesOne}, "coalesce", "nvl", "ifnull", "greatest", "least", "nullif", "nvl2", "decode")
	add(function{sameAs: true}, "sql_divisor", "sql_divisor_once", "min", "max", "any_value", "first_value", "last_value", "lag", "lead", "nth_value",
		"arg_max", "arg_min")
	add(function{gives: cSuper}, "array", "object", "array_concat", "subarray", "array_flatten")
	add(function{gives: cText}, "json_serialize", "json_typeof", "json_extract_string", "json_value", "json_type",
		"current_database", "current_schema", "version")
	add(function{gives: cInteger}, "get_array_length", "json_array_length", "row_number", "rank", "dense_rank",
		"ntile", "decimal_precision", "decimal_scale", "json_size")
	add(function{gives: cBool}, "is_array", "is_object", "is_scalar", "is_varchar", "is_char", "is_integer",
		"is_smallint", "is_bigint", "is_decimal", "is_float", "is_boolean", "json_valid", "json_contains")
	return m
}()

func (r *renderer) callClass(n *node, sc *scope) class {
	f, ok := functions[n.op]
	if !ok || len(n.parts) > 1 {
		return cUnknown
	}
	switch {
	case f.takes == takesOne:
		return r.unify(n.values(), sc)
	case f.sameAs && len(n.kids) > 0:
		c := r.class(lastKid(n.kids[0]), sc)
		if c == cSuper && f.takes == takesNumber {
			return f.gives
		}
		return c
	}
	return f.gives
}

// lastKid is the expression in an argument such as DISTINCT x.
func lastKid(n *node) *node {
	if n.kind == nSeq && len(n.kids) > 0 {
		return n.kids[0]
	}
	return n
}

// values are the arguments of a call that its value can be.
func (n *node) values() []*node {
	switch {
	case n.op == "nvl2" && len(n.kids) == 3:
		return n.kids[1:]
	case n.op == "nullif":
		return n.kids[:min(1, len(n.kids))]
	case n.op == "decode" && len(n.kids) >= 3:
		var list []*node
		for i := 2; i < len(n.kids); i += 2 {
			list = append(list, n.kids[i])
		}
		if len(n.kids)%2 == 0 {
			list = append(list, n.kids[len(n.kids)-1])
		}
		return list
	}
	return n.kids
}
