package dialect

import (
	"fmt"
	"strings"
)

// SUPER is stored as DuckDB's JSON. A path is taken out of it by one call that does all the navigation, and
// what the value is needed as decides which call:
//
//	json_extract(c, '$."a"."S"')                          JSON, for SELECT, GROUP BY and other SUPER values
//	json_extract_string(c, '$."a"."S"')                   text without quotes; NULL for JSON null too
//	json_value(c, '$."a"."S"')                            a scalar as JSON text, to compare without mixing types
//	json_value(c, '$."a"."S"') ->> '$'                    a scalar as text: casts; NULL for objects and arrays
//	TRY_CAST(json_extract_string(c, '$."a"."N"') AS T)    any other type; NULL where the value is no T

// conv is what a SUPER value is turned into.
type conv uint8

const (
	asJSON conv = iota
	asText
	asScalar
	asString
	asType
)

// capture returns what f writes instead of writing it.
func (r *renderer) capture(f func()) string {
	start, skip := len(r.out), r.skip
	r.skip = true
	f()
	s := string(r.out[start:])
	r.out, r.skip = r.out[:start], skip
	return s
}

// superPath splits a SUPER expression into the JSON value it navigates and the path, a SQL expression.
func (r *renderer) superPath(n *node, sc *scope) (base, path string) {
	base, path = r.ungroupedPath(n, sc)
	if !r.flat && len(sc.grouped) > 0 && sc.grouped[base+path] {
		return "json_extract(" + base + ", " + path + ")", "'$'"
	}
	return base, path
}

func (r *renderer) ungroupedPath(n *node, sc *scope) (base, path string) {
	if n.kind != nRef {
		return r.capture(func() { r.expr(n, sc) }), "'$'"
	}
	res := r.resolve(n, sc)
	parts := n.parts
	if !res.known || res.class != cSuper {
		return r.capture(func() { r.ref(n, sc) }), "'$'"
	}
	if len(n.kids) > 0 {
		base = r.capture(func() { r.expr(n.kids[0], sc) })
	} else {
		base = r.capture(func() { r.base(n, res) })
		parts = parts[res.base:]
	}
	var b strings.Builder
	b.WriteString("'$")
	for _, p := range parts {
		switch {
		case p.index == nil:
			key := p.name
			if !p.quoted && r.superCase {
				key = r.text(p.tok)
			}
			if strings.ContainsAny(key, "*\"\\") || key == "" {
				// Such keys have no place in a JSON path, but in a JSON pointer they do.
				b.WriteByte('\'')
				key = strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
				base = "json_extract(json_extract(" + base + ", " + b.String() + "), " + quoteString("/"+key) + ")"
				b.Reset()
				b.WriteString("'$")
				continue
			}
			b.WriteString(`."`)
			b.WriteString(strings.ReplaceAll(key, "'", "''"))
			b.WriteByte('"')
		case p.index.kind == nNumber && r.class(p.index, sc) == cInteger:
			b.WriteByte('[')
			b.WriteString(r.text(p.index.lo))
			b.WriteByte(']')
		case p.index.kind == nString:
			b.WriteString(`."`)
			b.WriteString(strings.NewReplacer("'", "''", `"`, "").Replace(r.value(p.index)))
			b.WriteByte('"')
		default:
			b.WriteString("[' || CAST(")
			b.WriteString(r.capture(func() { r.as(p.index, sc, asType, "BIGINT") }))
			b.WriteString(" AS VARCHAR) || ']")
		}
	}
	b.WriteByte('\'')
	return base, b.String()
}

// value is the text of a string literal.
func (r *renderer) value(n *node) string {
	return stringValue(r.toks[n.lo].kind, r.text(n.lo))
}

// base writes the column part of a name.
func (r *renderer) base(n *node, res resolved) {
	if res.text != "" {
		r.gap(n.lo)
		r.write(res.text)
		return
	}
	last := n.parts[res.base-1].tok
	for i := n.lo; i <= last; i++ {
		if t := r.toks[i]; t.kind == tWord || t.kind == tQuoted {
			r.name(i)
		} else {
			r.token(i)
		}
	}
}

// pathKey identifies a path by its text, if n is one.
func (r *renderer) pathKey(n *node, sc *scope) (string, bool) {
	if n.kind != nRef || r.class(n, sc) != cSuper {
		return "", false
	}
	base, path := r.ungroupedPath(n, sc)
	return base + path, path != "'$'"
}

// as writes n turned into something else if it is SUPER, and as it is otherwise.
func (r *renderer) as(n *node, sc *scope, c conv, typ string) {
	if c == asJSON || r.class(n, sc) != cSuper {
		r.expr(n, sc)
		return
	}
	r.gap(n.lo)
	base, path := r.superPath(n, sc)
	r.skip = false
	switch c {
	case asText:
		r.write("json_extract_string(", base, ", ", path, ")")
	case asScalar:
		r.write("json_value(", base, ", ", path, ")")
	case asString:
		r.write("(json_value(", base, ", ", path, ") ->> '$')")
	case asType:
		text := "json_extract_string(" + base + ", " + path + ")"
		if narrow := narrowDecimal(typ); narrow != "" {
			// Casts to decimals above 18 digits are two orders of magnitude slower than those below.
			r.write("COALESCE(TRY_CAST(", text, " AS ", narrow, "), TRY_CAST(", text, " AS ", typ, "))")
			return
		}
		r.write("TRY_CAST(", text, " AS ", typ, ")")
	}
}

// narrowDecimal is the decimal of 18 digits to try before a wider one, "" for other types.
func narrowDecimal(typ string) string {
	var p, s int
	if n, _ := fmt.Sscanf(typ, "DECIMAL(%d,%d)", &p, &s); n < 2 || p <= 18 || s > 17 {
		return ""
	}
	return fmt.Sprintf("DECIMAL(18,%d)", s)
}

// cond writes an expression whose value is a truth value.
func (r *renderer) cond(n *node, sc *scope) { r.as(n, sc, asType, "BOOLEAN") }

// sortKey writes a key of ORDER BY. A plain one may not be anything but what is selected.
func (r *renderer) sortKey(n *node, sc *scope, plain bool) {
	k := n.kids[0]
	key := lastKid(k)
	if plain || key == nil || key.kind == nSeq {
		r.expr(k, sc)
		return
	}
	if key.kind == nNumber {
		r.position(k, key, sc)
		return
	}
	c := r.class(key, sc)
	if key.kind == nRef && len(key.parts) == 1 && len(key.kids) == 0 {
		// The alias of an item wins over a column of the same name.
		for _, it := range sc.items {
			if it.alias != "" && strings.EqualFold(it.alias, key.parts[0].name) {
				c = r.class(it.expr, sc)
			}
		}
	}
	if c != cSuper {
		r.expr(k, sc)
		return
	}
	r.gap(k.lo)
	r.write("super_order(")
	r.skip = true
	r.expr(key, sc)
	r.write(")")
	r.tokens(key.hi, k.hi)
}

// position writes ORDER BY n, by name where item n is SUPER.
func (r *renderer) position(k, key *node, sc *scope) {
	n := 0
	for _, c := range []byte(r.text(key.lo)) {
		n = n*10 + int(c-'0')
		if !isDigit(c) || n > len(sc.items) {
			n = 0
			break
		}
	}
	for _, it := range sc.items[:n] {
		if it.expr.kind == nStar || it.expr.kind == nSeq {
			n = 0
			break
		}
	}
	if n == 0 || r.class(sc.items[n-1].expr, sc) != cSuper {
		r.expr(k, sc)
		return
	}
	name := sc.items[n-1].alias
	if name == "" && r.named {
		name = outputName(sc.items[n-1].expr)
	}
	if name == "" {
		r.expr(k, sc)
		return
	}
	r.gap(k.lo)
	r.write("super_order(", quoteName(name), ")")
	r.tokens(key.hi, k.hi)
}

// jsonString is a JSON string with the escapes DuckDB writes, so that equal values are equal texts.
func jsonString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			if c < 0x20 {
				fmt.Fprintf(&b, `\u%04X`, c)
				continue
			}
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
