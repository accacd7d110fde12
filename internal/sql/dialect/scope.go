package dialect

import (
	"slices"
	"strings"
)

// scope is what names mean inside one SELECT or one DML statement.
type scope struct {
	outer   *scope
	ctes    *cteEnv
	rels    []*relation
	items   []*item         // of the SELECT list, for references to their aliases
	grouped map[string]bool // SUPER paths that are keys of GROUP BY
}

// relation is a table, view, CTE, subquery or unnested array that columns come from.
type relation struct {
	schema, alias string
	cols          []Column
	open          bool // it may have columns that are not in cols
	table         bool // named without an alias, so that its schema may be before it
	system        bool // a system view, which is written without its schema
	value         bool // an unnested array: alias is the element itself
	at            string
	atClass       class
	path          *node // what is unnested, nil for a table
}

// cteEnv is a chain of WITH queries, innermost first.
type cteEnv struct {
	outer *cteEnv
	cte   *cte
	scope *scope // in which the query of the CTE stands
	cols  []Column
	open  bool
	state uint8 // 0 not looked at, 1 being looked at, 2 known
}

func (e *cteEnv) find(name string) *cteEnv {
	for ; e != nil; e = e.outer {
		if strings.EqualFold(e.cte.name, name) {
			return e
		}
	}
	return nil
}

// cteScope returns sc with the CTEs of q.
func cteScope(q *query, sc *scope) *scope {
	if len(q.ctes) == 0 {
		return sc
	}
	inner := &scope{outer: sc.outer, ctes: sc.ctes, rels: sc.rels, items: sc.items}
	for _, c := range q.ctes {
		e := &cteEnv{outer: inner.ctes, cte: c}
		inner.ctes = e
		seen := e
		if !q.recurse { // a CTE may have the name of a table it reads
			seen = e.outer
		}
		e.scope = &scope{outer: sc.outer, rels: sc.rels, items: sc.items, ctes: seen}
	}
	return inner
}

// selectScope returns the scope of s, which stands in sc. It is built once for each rendering.
func (r *renderer) selectScope(s *selectCore, sc *scope) *scope {
	if known := r.scopes[s.id]; known != nil {
		return known
	}
	inner := &scope{outer: sc, ctes: sc.ctes, items: s.items}
	r.scopes[s.id] = inner
	r.bring(inner, s.from)
	for _, g := range s.groupBy {
		if key, ok := r.pathKey(g, inner); ok {
			if inner.grouped == nil {
				inner.grouped = map[string]bool{}
			}
			inner.grouped[key] = true
		}
	}
	return inner
}

// bring adds relations to a scope, each seeing those before it.
func (r *renderer) bring(sc *scope, from []*fromItem) {
	for _, f := range from {
		sc.rels = append(sc.rels, r.relation(f, sc))
	}
}

func (r *renderer) relation(f *fromItem, sc *scope) *relation {
	rel := &relation{alias: f.alias}
	switch {
	case f.sub != nil:
		rel.cols, rel.open = r.outputs(f.sub, &scope{outer: sc, ctes: sc.ctes})
	case f.unpivot != nil:
		rel.value, rel.path, rel.at, rel.atClass = true, f.unpivot, f.at, cText
	case f.call != nil:
		rel.open = true
		if rel.alias == "" {
			rel.alias = f.call.op
		}
	default:
		return r.tableOrPath(f, sc)
	}
	rel.rename(f.columns)
	return rel
}

// rename applies the column list of an alias.
func (rel *relation) rename(names []string) {
	if len(names) == 0 {
		return
	}
	cols := make([]Column, max(len(names), len(rel.cols)))
	copy(cols, rel.cols)
	for i, n := range names {
		cols[i].Name = n
	}
	rel.cols = cols
}

// tableOrPath decides whether a name in FROM is a table or an array to unnest. As in PartiQL, the alias of a
// relation to the left, or around the query, wins over a schema of the same name.
func (r *renderer) tableOrPath(f *fromItem, sc *scope) *relation {
	parts := f.ref.parts
	first := parts[0].name
	rel := &relation{alias: f.alias, at: f.at, atClass: cInteger}
	if rel.alias == "" {
		rel.alias = lastName(parts)
	}
	subscripted := false
	for _, p := range parts {
		subscripted = subscripted || p.index != nil
	}
	if len(parts) == 1 {
		if e := sc.ctes.find(first); e != nil {
			rel.cols, rel.open = r.cteColumns(e)
			rel.rename(f.columns)
			return rel
		}
	}
	target := sc.aliased(first)
	if len(parts) == 1 && (target == nil || !target.value) {
		target = nil
	}
	known := false
	if !subscripted && len(parts) <= 3 && (target == nil || target.open && len(parts) == 2) {
		known = r.table(rel, parts)
	}
	if !known {
		if res := r.resolve(f.ref, sc); subscripted || target != nil && target.open || res.known && res.class == cSuper {
			rel.value, rel.path, rel.cols, rel.open = true, f.ref, nil, false
			return rel
		}
		r.unknownTable(f, parts)
		rel.open = true
	}
	rel.rename(f.columns)
	return rel
}

// aliased returns the relation name refers to, if any.
func (sc *scope) aliased(name string) *relation {
	for ; sc != nil; sc = sc.outer {
		for _, rel := range sc.rels {
			if strings.EqualFold(rel.alias, name) {
				return rel
			}
		}
	}
	return nil
}

// table looks a table up in the catalogue.
func (r *renderer) table(rel *relation, parts []part) bool {
	n := Name{Table: parts[len(parts)-1].name}
	if len(parts) > 1 {
		n.Schema = parts[len(parts)-2].name
	}
	if len(parts) > 2 {
		n.Database = parts[len(parts)-3].name
	}
	rel.schema, rel.table = n.Schema, strings.EqualFold(rel.alias, n.Table)
	if view := r.systemView(parts); view != "" {
		n, rel.system = Name{Table: view}, true
	}
	cols, ok := r.columns(n)
	rel.cols = cols
	return ok
}

// systemView returns the name by which the search path has a view of information_schema or pg_catalog, "" for
// other relations. DuckDB would take its own view, which shows the objects of every database.
func (r *renderer) systemView(parts []part) string {
	if len(parts) != 2 || parts[0].index != nil || parts[1].index != nil {
		return ""
	}
	schema, name := strings.ToLower(parts[0].name), strings.ToLower(parts[1].name)
	if schema != "information_schema" && schema != "pg_catalog" {
		return ""
	}
	if _, ok := r.columns(Name{Table: schema + "." + name}); ok {
		return schema + "." + name
	}
	if _, ok := r.columns(Name{Table: name}); ok && schema == "pg_catalog" {
		return name
	}
	return ""
}

func (r *renderer) columns(n Name) ([]Column, bool) {
	if r.cat == nil {
		return nil, false
	}
	if c, ok := r.tables[n]; ok {
		return c.cols, c.ok
	}
	cols, ok := r.cat.Columns(n.Database, n.Schema, n.Table)
	if r.tables == nil {
		r.tables = map[Name]catalogEntry{}
	}
	r.tables[n] = catalogEntry{cols, ok}
	return cols, ok
}

type catalogEntry struct {
	cols []Column
	ok   bool
}

// unknownTable refuses a table that does not exist and whose name DuckDB would take for a file.
func (r *renderer) unknownTable(f *fromItem, parts []part) {
	var full []string
	for _, p := range parts {
		full = append(full, p.name)
	}
	name := strings.Join(full, ".")
	if namesFile(name) {
		r.fail(relationMissing(name))
	}
}

// namesFile reports whether DuckDB would read a file of that name in place of a missing table.
func namesFile(name string) bool {
	name = strings.ToLower(name)
	if strings.ContainsAny(name, `/\:*?`) {
		return true
	}
	for _, ext := range [...]string{".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".db", ".duckdb", ".arrow", ".xlsx"} {
		if strings.Contains(name, ext) {
			return true
		}
	}
	return false
}

func lastName(parts []part) string {
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i].index == nil {
			return parts[i].name
		}
	}
	return ""
}

// cteColumns returns the columns of a CTE. A recursive one refers to itself only after its first term,
// which alone decides.
func (r *renderer) cteColumns(e *cteEnv) ([]Column, bool) {
	switch e.state {
	case 1:
		return nil, true
	case 0:
		e.state = 1
		r.finding++
		e.cols, e.open = r.outputs(e.cte.query, e.scope)
		r.finding--
		rel := relation{cols: e.cols}
		rel.rename(e.cte.columns)
		e.cols, e.state = rel.cols, 2
	}
	return e.cols, e.open
}

// outputs returns the columns a query in sc has. open says that there may be more.
func (r *renderer) outputs(q *query, sc *scope) (cols []Column, open bool) {
	if q == nil || len(q.terms) == 0 {
		return nil, true
	}
	sc = cteScope(q, sc)
	switch t := q.terms[0]; {
	case t.sub != nil:
		return r.outputs(t.sub, sc)
	case t.sel == nil:
		return nil, true
	default:
		inner := r.selectScope(t.sel, sc)
		for _, it := range t.sel.items {
			if star := it.expr.star(); star != nil {
				list, more := r.star(star, inner)
				cols, open = append(cols, it.expr.without(list)...), open || more
				continue
			}
			c := Column{Name: it.alias, Type: r.typeOf(it.expr, inner)}
			if c.Name == "" {
				c.Name = outputName(it.expr)
			}
			cols = append(cols, c)
		}
		r.widen(cols, q, sc)
		for i := range cols {
			if len(q.terms) < 2 {
				break
			}
			// The others may have longer texts, and numbers of other types.
			switch cols[i].Type.class() {
			case cNumber:
				cols[i].Type = Type{DuckDB: "DOUBLE"}
			case cText:
				cols[i].Type = Type{DuckDB: "VARCHAR"}
			}
		}
		return cols, open
	}
}

// widen gives columns the first term of a set operation says nothing of, such as NULL, the type of another.
// While a CTE is being looked at there may be no other look at it.
func (r *renderer) widen(cols []Column, q *query, sc *scope) {
	for _, t := range q.terms[1:] {
		if t.sel == nil || r.finding > 0 {
			return
		}
		inner := r.selectScope(t.sel, sc)
		for i, it := range t.sel.items {
			if it.expr.star() != nil || i >= len(cols) {
				break
			}
			if typ := cols[i].Type; typ.DuckDB == "" || typ.class() == cInteger && r.class(it.expr, inner) == cInteger && r.wide(it.expr, inner) {
				cols[i].Type = r.typeOf(it.expr, inner)
			}
		}
	}
}

// star is the * an item begins with, as in * EXCLUDE (a), if it does.
func (n *node) star() *node {
	if n.kind == nSeq && len(n.kids) > 0 && n.kids[0].lo == n.lo {
		n = n.kids[0]
	}
	if n.kind == nStar {
		return n
	}
	return nil
}

// without returns the columns of a star but those it excludes.
func (n *node) without(cols []Column) []Column {
	if n.kind != nSeq {
		return cols
	}
	var list []Column
	for _, c := range cols {
		excluded := false
		for _, k := range n.kids[1:] {
			for _, a := range k.kids {
				excluded = excluded || k.kind == nCall && k.op == "exclude" && a.kind == nRef && strings.EqualFold(lastName(a.parts), c.Name)
			}
		}
		if !excluded {
			list = append(list, c)
		}
	}
	return list
}

// star returns the columns * or t.* stands for.
func (r *renderer) star(n *node, sc *scope) (cols []Column, open bool) {
	for _, rel := range sc.rels {
		if len(n.parts) > 0 && !strings.EqualFold(rel.alias, lastName(n.parts)) {
			continue
		}
		if rel.value {
			cols = append(cols, Column{Name: rel.alias, Type: simpleTypes["super"]})
			continue
		}
		cols, open = append(cols, rel.cols...), open || rel.open
	}
	return cols, open
}

// typeOf is the type of an output column as far as it is known.
func (r *renderer) typeOf(n *node, sc *scope) Type {
	switch r.class(n, sc) {
	case cSuper:
		return simpleTypes["super"]
	case cText:
		return Type{DuckDB: "VARCHAR"}
	case cInteger:
		if r.wide(n, sc) {
			return Type{DuckDB: "BIGINT"}
		}
		return Type{DuckDB: "INTEGER"}
	case cNumber:
		if scale, ok := r.scale(n, sc); ok {
			return Type{DuckDB: widest + scale + ")"}
		}
		return Type{DuckDB: "DOUBLE"}
	case cBool:
		return Type{DuckDB: "BOOLEAN"}
	case cTime:
		return Type{DuckDB: "TIMESTAMP"}
	}
	return Type{}
}

// resolved is what a name turned out to be.
type resolved struct {
	known bool
	class class
	typ   Type
	base  int    // how many of the parts are the column; the rest is a path into it
	text  string // written for the base in place of its parts, if not empty
}

// resolve looks a name up, innermost scope first: as a column of a named relation, as a column of any, and
// as the alias of an item of the SELECT list.
func (r *renderer) resolve(n *node, sc *scope) resolved {
	parts := n.parts
	if len(n.kids) > 0 {
		c := r.class(n.kids[0], sc)
		return resolved{known: c == cSuper, class: c}
	}
	for ; sc != nil; sc = sc.outer {
		open := false
		for _, rel := range sc.rels {
			res, stop := rel.qualified(parts, sc)
			if res.known || stop {
				return res
			}
			open = open || rel.open
		}
		for _, rel := range sc.rels {
			if res := rel.bare(parts); res.known {
				return res
			}
		}
		for _, it := range sc.items {
			if it.alias == "" || !strings.EqualFold(it.alias, parts[0].name) || slices.Contains(r.busy, it) {
				continue
			}
			r.busy = append(r.busy, it)
			c := r.class(it.expr, sc)
			r.busy = r.busy[:len(r.busy)-1]
			return resolved{known: len(parts) == 1 || c == cSuper, class: c, base: 1}
		}
		if open {
			return resolved{}
		}
	}
	return resolved{}
}

// qualified matches alias.column, schema.table.column and so on. stop means that the name is of this
// relation although its column is not known.
func (rel *relation) qualified(parts []part, sc *scope) (res resolved, stop bool) {
	for q := 1; q <= 3 && q <= len(parts); q++ {
		if parts[q-1].index != nil || !strings.EqualFold(parts[q-1].name, rel.alias) {
			continue
		}
		if q > 1 && (parts[q-2].index != nil || !rel.inSchema(parts[q-2].name, sc)) {
			continue
		}
		if rel.value {
			return resolved{known: true, class: cSuper, base: q, text: quoteAlways(rel.alias) + "." + quoteAlways(rel.alias)}, true
		}
		if len(parts) == q || parts[q].index != nil {
			continue
		}
		if c := rel.column(parts[q].name); c != nil {
			res := column(c, parts, q+1)
			if rel.system && q > 1 && res.known {
				res.text = quoteName(rel.alias) + "." + quoteName(c.Name)
			}
			return res, true
		}
		if rel.open {
			return resolved{}, true
		}
	}
	return resolved{}, false
}

// inSchema reports whether name can be the schema of the relation. One from the search path may have any,
// unless name is another relation.
func (rel *relation) inSchema(name string, sc *scope) bool {
	if rel.schema != "" || rel.table {
		return strings.EqualFold(rel.schema, name) || rel.schema == "" && sc.aliased(name) == nil
	}
	return false
}

func (rel *relation) bare(parts []part) resolved {
	if rel.at != "" && strings.EqualFold(rel.at, parts[0].name) && len(parts) == 1 {
		return resolved{known: true, class: rel.atClass, base: 1, text: quoteAlways(rel.alias) + "." + quoteAlways(rel.at)}
	}
	if c := rel.column(parts[0].name); c != nil {
		return column(c, parts, 1)
	}
	return resolved{}
}

func (rel *relation) column(name string) *Column {
	for i := range rel.cols {
		if len(rel.cols[i].Name) == len(name) && strings.EqualFold(rel.cols[i].Name, name) {
			return &rel.cols[i]
		}
	}
	return nil
}

// column is the resolution of parts whose first base are column c. A path into a column that is not SUPER
// is left to DuckDB.
func column(c *Column, parts []part, base int) resolved {
	k := c.Type.class()
	if k != cSuper && len(parts) > base {
		return resolved{}
	}
	return resolved{known: true, class: k, typ: c.Type, base: base}
}

func quoteAlways(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
