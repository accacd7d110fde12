package dialect

import "strings"

// Query is a statement the warehouse itself runs: it reads or changes data, or defines tables and views.
// A Query may be rendered any number of times, also at the same time.
type Query struct {
	Verb        string // "SELECT", "INSERT", "CREATE TABLE", "DROP VIEW", ...: upper case
	ReadOnly    bool   // changes nothing
	ReturnsRows bool   // has a result set
	// Target is the table, view or schema the statement writes or defines; zero for reads. Of DROP it is the
	// first one. For a schema Table is empty.
	Target Name
	// SuperCase is the session's enable_case_sensitive_super_attribute: when set before Render, unquoted
	// attribute names in SUPER paths keep their case.
	SuperCase bool
	// Unique, when set before Render, becomes part of the names of the sequences behind IDENTITY columns. A
	// query id will do. Without it two tables that had the same name one after the other could clash.
	Unique int64

	p    *parser
	body body
}

// body is the part of a statement that is left when its verb is known.
type body interface {
	render(r *renderer) []string
}

// Column is a column of a table or view as a Catalog knows it.
type Column struct {
	Name    string
	Type    Type
	NotNull bool
	Default string // DuckDB's expression, "" for none
}

// Catalog tells the renderer what it cannot see in the text: which columns a relation has.
type Catalog interface {
	// Columns returns the columns of a table or view, in order. database and schema are empty where the
	// query gave none; the session's database and search path then decide. Names compare without regard to
	// case, as DuckDB's do. ok is false for a relation that does not exist.
	Columns(database, schema, table string) (cols []Column, ok bool)
}

// Render returns the statements DuckDB has to run, in order, for q to take effect; they belong into one
// transaction. There are none where DuckDB has nothing to do, as for ALTER TABLE ... ALTER DISTKEY. For a
// query that returns or changes rows there is exactly one.
//
// cat may be nil, which means that no relation is known. Without its columns a SUPER path is left to DuckDB,
// which navigates it but does not compare it with text.
func (q *Query) Render(cat Catalog) ([]string, error) {
	r := &renderer{
		src: q.p.src, toks: q.p.toks, cat: cat, superCase: q.SuperCase, unique: q.Unique,
		out: make([]byte, 0, len(q.p.src)*2+64), scopes: make([]*scope, q.p.cores), classes: make([]class, q.p.count),
	}
	list := q.body.render(r)
	if r.err != nil {
		return nil, r.err
	}
	return list, nil
}

// Reads returns the names FROM clauses mention, in order: tables and views, and also CTEs and arrays.
func (q *Query) Reads() []Name {
	var list []Name
	seen := map[Name]bool{}
	for _, f := range q.p.refs {
		var names []string
		for _, p := range f.parts {
			if p.index != nil {
				break
			}
			names = append(names, p.name)
		}
		var n Name
		switch len(names) {
		case 0:
			continue
		case 1:
			n.Table = names[0]
		case 2:
			n.Schema, n.Table = names[0], names[1]
		default:
			n.Database, n.Schema, n.Table = names[0], names[1], names[2]
		}
		if !seen[n] {
			seen[n] = true
			list = append(list, n)
		}
	}
	return list
}

// queryStatement reads a statement that works on rows.
func (p *parser) queryStatement() (Statement, error) {
	q := &Query{p: p}
	with := &query{lo: int32(p.i)}
	if p.is("with") {
		p.with(with)
	}
	switch t := p.tok(); t.word {
	case "insert":
		q.Verb = "INSERT"
		p.insert(q)
	case "update":
		q.Verb = "UPDATE"
		p.update(q, with)
	case "delete":
		q.Verb = "DELETE"
		p.delete(q, with)
	case "merge":
		q.Verb = "MERGE"
		p.merge(q)
	case "truncate":
		q.Verb = "TRUNCATE"
		p.truncate(q)
	case "comment":
		return nil, unsupported("COMMENT is not supported yet.")
	case "explain":
		return p.explain()
	default:
		p.selectStatement(q, with)
	}
	if len(with.ctes) > 0 && (q.Verb == "INSERT" || q.Verb == "MERGE" || q.Verb == "TRUNCATE") {
		p.i = 0
		p.err = nil
		p.unexpected()
	}
	return done(p, q)
}

func (p *parser) selectStatement(q *Query, with *query) {
	q.Verb, q.ReadOnly, q.ReturnsRows = "SELECT", true, true
	if p.is("values") {
		q.Verb = "VALUES"
	}
	p.queryRest(with)
	q.body = &selectBody{query: with}
	if t := with.terms; len(t) > 0 && t[0].sel != nil && t[0].sel.into != nil {
		q.Verb, q.ReadOnly, q.ReturnsRows = "SELECT INTO", false, false
		q.Target = t[0].sel.into.name
		if len(p.intos) > 1 {
			p.unexpected()
		}
	}
}

type selectBody struct{ query *query }

func (b *selectBody) render(r *renderer) []string {
	r.named = true
	r.query(b.query, &scope{})
	text := r.take()
	if t := b.query.terms[0]; t.sel != nil && t.sel.into != nil {
		return []string{createTableWords(t.sel.into.temp || isTempName(t.sel.into.name)) + duckName(t.sel.into.name) + " AS " + text}
	}
	return []string{text}
}

func createTableWords(temp bool) string {
	if temp {
		return "CREATE TEMP TABLE "
	}
	return "CREATE TABLE "
}

// isTempName reports whether the name alone makes a table temporary.
func isTempName(n Name) bool { return strings.HasPrefix(n.Table, "#") }

// duckName writes a name for DuckDB.
func duckName(n Name) string {
	s := quoteName(n.Table)
	if n.Schema != "" {
		s = quoteName(n.Schema) + "." + s
	}
	if n.Database != "" {
		s = quoteName(n.Database) + "." + s
	}
	return s
}

// explain reads EXPLAIN [VERBOSE] statement.
func (p *parser) explain() (Statement, error) {
	p.want("explain")
	p.take("verbose")
	if !p.is("select") && !p.is("with") && !p.is("insert") && !p.is("update") && !p.is("delete") && !p.isSym("(") {
		p.unexpected()
		return nil, p.err
	}
	s, err := p.queryStatement()
	if err != nil {
		return nil, err
	}
	inner := s.(*Query)
	return &Query{Verb: "EXPLAIN", ReadOnly: true, ReturnsRows: true, p: p, body: &explainBody{inner.body}}, nil
}

type explainBody struct{ body }

func (b *explainBody) render(r *renderer) []string {
	list := b.body.render(r)
	if len(list) != 1 {
		return list
	}
	return []string{"EXPLAIN " + list[0]}
}
