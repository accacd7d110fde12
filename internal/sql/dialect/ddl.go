package dialect

import (
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// absentObjects are kinds of objects CREATE, ALTER and DROP know on Redshift and that are not offered.
var absentObjects = map[string]bool{
	"external": true, "materialized": true, "function": true, "procedure": true, "user": true, "group": true,
	"role": true, "datashare": true, "library": true, "model": true, "rls": true, "masking": true, "identity": true,
	"default": true, "system": true, "aggregate": true, "policy": true, "usage": true, "template": true,
}

// absent fails if the next word is such an object.
func (p *parser) absent(verb string) error {
	t := p.tok()
	if t.kind == tWord && absentObjects[t.word] {
		what := strings.ToUpper(t.word)
		switch t.word {
		case "external", "materialized", "identity", "default":
			if u := p.peek(1); u.kind == tWord {
				what += " " + strings.ToUpper(u.word)
			}
		case "rls", "masking":
			what += " POLICY"
		}
		return unsupported("%s %s is not supported yet.", verb, what)
	}
	return syntaxAt(p.src, t)
}

func (p *parser) createStatement() (Statement, error) {
	if p.is("create", "database") {
		return p.createDatabase()
	}
	q := &Query{p: p}
	p.want("create")
	replace := p.take("or", "replace")
	local := p.take("local")
	temp := p.oneOf("temp", "temporary") != ""
	switch {
	case p.is("table") && !replace:
		p.createTable(q, temp)
	case p.take("view") && !temp && !local:
		p.createView(q, replace)
	case p.take("schema") && !temp && !local && !replace:
		p.createSchema(q)
	default:
		return nil, p.absent("CREATE")
	}
	return done(p, q)
}

// viewBody is CREATE [OR REPLACE] VIEW name [(columns)] AS query.
type viewBody struct {
	replace bool
	name    Name
	columns []string
	query   *query
}

func (p *parser) createView(q *Query, replace bool) {
	b := &viewBody{replace: replace, name: p.qualified()}
	q.Verb, q.Target, q.body = "CREATE VIEW", b.name, b
	if p.isSym("(") {
		b.columns = p.names()
	}
	p.want("as")
	b.query = p.query()
	if p.take("with") {
		p.want("no", "schema", "binding")
	}
}

func (b *viewBody) render(r *renderer) []string {
	head := "CREATE VIEW "
	if b.replace {
		head = "CREATE OR REPLACE VIEW "
	}
	head += duckName(b.name)
	if len(b.columns) > 0 {
		head += " (" + quoteNames(b.columns) + ")"
	}
	r.named = true
	r.query(b.query, &scope{})
	return []string{head + " AS " + r.take()}
}

func quoteNames(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quoteName(n)
	}
	return strings.Join(quoted, ", ")
}

// textBody is a statement whose DuckDB form needs no renderer.
type textBody []string

func (b textBody) render(*renderer) []string { return b }

func (p *parser) createSchema(q *Query) {
	q.Verb = "CREATE SCHEMA"
	exists := ""
	if p.take("if", "not", "exists") {
		exists = "IF NOT EXISTS "
	}
	n := p.schemaName()
	if n.Schema == "" && !p.is("authorization") {
		p.unexpected()
	}
	if p.take("authorization") {
		owner := p.anyName()
		if n.Schema == "" {
			n.Schema = owner
		}
	}
	if p.take("quota") {
		p.quota()
	}
	q.Target = n
	text := quoteName(n.Schema)
	if n.Database != "" {
		text = quoteName(n.Database) + "." + text
	}
	q.body = textBody{"CREATE SCHEMA " + exists + text}
}

// schemaName reads [database.]schema, or nothing.
func (p *parser) schemaName() Name {
	if t := p.tok(); t.kind == tEOF || t.kind == tWord && t.word == "authorization" {
		return Name{}
	}
	n := Name{Schema: p.name()}
	if p.takeSym(".") {
		n.Database, n.Schema = n.Schema, p.anyName()
	}
	if p.err == nil && strings.EqualFold(n.Schema, internalSchema) {
		p.fail(deniedSchema())
	}
	return n
}

func (p *parser) quota() {
	if p.take("unlimited") {
		return
	}
	if n := p.number(); p.err == nil && n < 0 {
		p.fail(invalid("QUOTA must not be negative."))
	}
	p.oneOf("mb", "gb", "tb")
}

func (p *parser) alterStatement() (Statement, error) {
	if p.is("alter", "database") {
		return p.alterDatabase()
	}
	q := &Query{p: p}
	p.want("alter")
	switch {
	case p.take("table"):
		p.alterTable(q)
	case p.take("schema"):
		p.alterSchema(q)
	default:
		return nil, p.absent("ALTER")
	}
	return done(p, q)
}

// alterSchema accepts what changes nothing here: owner and quota.
func (p *parser) alterSchema(q *Query) {
	q.Verb, q.Target, q.body = "ALTER SCHEMA", p.schemaName(), textBody(nil)
	switch {
	case p.take("owner", "to"):
		p.anyName()
	case p.take("quota"):
		p.quota()
	case p.is("rename"):
		p.fail(unsupported("ALTER SCHEMA ... RENAME is not supported yet."))
	default:
		p.unexpected()
	}
}

func (p *parser) dropStatement() (Statement, error) {
	if p.is("drop", "database") {
		return p.dropDatabase()
	}
	q := &Query{p: p}
	p.want("drop")
	b := &dropBody{}
	switch {
	case p.take("table"):
		b.kind = "TABLE"
	case p.take("view"):
		b.kind = "VIEW"
	case p.take("schema"):
		b.kind = "SCHEMA"
	default:
		return nil, p.absent("DROP")
	}
	q.Verb, q.body = "DROP "+b.kind, b
	b.exists = p.take("if", "exists")
	for p.err == nil {
		if b.kind == "SCHEMA" {
			b.names = append(b.names, p.schemaName())
		} else {
			b.names = append(b.names, p.qualified())
		}
		if !p.takeSym(",") {
			break
		}
	}
	q.Target = b.names[0]
	b.cascade = p.take("cascade")
	if !b.cascade {
		p.take("restrict")
	}
	if b.kind == "SCHEMA" {
		p.take("drop", "external", "database")
	}
	return done(p, q)
}

// dropBody is DROP kind [IF EXISTS] names. DuckDB drops one object at a time, and leaves the sequences that
// filled a table's identity columns.
type dropBody struct {
	kind    string
	exists  bool
	names   []Name
	cascade bool
}

func (b *dropBody) render(r *renderer) []string {
	var list, sequences []string
	for _, n := range b.names {
		name := duckName(n)
		if b.kind == "SCHEMA" {
			name = quoteName(n.Schema)
			if n.Database != "" {
				name = quoteName(n.Database) + "." + name
			}
		}
		text := "DROP " + b.kind + " "
		if b.exists {
			text += "IF EXISTS "
		}
		text += name
		if b.cascade {
			text += " CASCADE"
		}
		list = append(list, text)
		if b.kind != "TABLE" {
			continue
		}
		cols, _ := r.columns(n)
		for _, c := range cols {
			if seq := sequenceOf(c.Default); seq != "" {
				sequences = append(sequences, "DROP SEQUENCE IF EXISTS "+seq)
			}
		}
	}
	return append(list, sequences...)
}

// sequenceOf returns the sequence of ours a default takes its values from, "" for other defaults.
func sequenceOf(expr string) string {
	p, err := newParser(expr)
	if err != nil {
		return ""
	}
	for i := range p.toks {
		if p.toks[i].kind == tWord && p.toks[i].word == "nextval" && p.toks[i+1].sym("(") && p.toks[i+2].isString() {
			if name := p.value(p.toks[i+2]); strings.Contains(name, identityMark) {
				return name
			}
		}
	}
	return ""
}

// alterTableBody is ALTER TABLE. A nil action has nothing to do in DuckDB.
type alterTableBody struct {
	name   Name
	action func(r *renderer, table string) []string
}

func (b *alterTableBody) render(r *renderer) []string {
	if b.action == nil {
		return nil
	}
	return b.action(r, duckName(b.name))
}

func (p *parser) alterTable(q *Query) {
	b := &alterTableBody{name: p.qualified()}
	q.Verb, q.Target, q.body = "ALTER TABLE", b.name, b
	text := func(parts ...string) {
		b.action = func(_ *renderer, table string) []string {
			return []string{"ALTER TABLE " + table + " " + strings.Join(parts, "")}
		}
	}
	switch {
	case p.is("add"):
		p.addColumn(b)
	case p.take("drop", "constraint"):
		p.name()
		p.oneOf("cascade", "restrict")
	case p.take("drop"):
		p.take("column")
		name := p.name()
		p.oneOf("cascade", "restrict")
		text("DROP COLUMN ", quoteName(name))
	case p.take("rename", "to"):
		text("RENAME TO ", quoteName(p.anyName()))
	case p.take("rename"):
		p.take("column")
		name := p.name()
		p.want("to")
		text("RENAME COLUMN ", quoteName(name), " TO ", quoteName(p.name()))
	case p.take("owner", "to"):
		p.anyName()
	case p.is("append"):
		p.fail(unsupported("ALTER TABLE APPEND is not supported yet."))
	case p.is("set"), p.is("row"), p.is("partition"):
		p.fail(unsupported("ALTER TABLE ... %s is not supported yet.", strings.ToUpper(p.tok().word)))
	case p.is("alter"):
		p.alterColumns(b)
	default:
		p.unexpected()
	}
}

// addColumn reads ADD [COLUMN] definition, or ADD constraint. DuckDB adds columns without constraints.
func (p *parser) addColumn(b *alterTableBody) {
	p.want("add")
	if p.tableConstraint(&tableDef{}) {
		return
	}
	p.take("column")
	c := p.columnDef()
	if c.identity != nil {
		p.fail(unsupported("ALTER TABLE cannot add an IDENTITY column."))
	}
	b.action = func(r *renderer, table string) []string {
		if cols, ok := r.columns(b.name); ok && (&relation{cols: cols}).column(c.name) != nil {
			r.fail(fault.New(fault.AlreadyExists, SubjectRelation, "column %q of relation %q already exists", c.name, b.name.Table))
		}
		text := "ALTER TABLE " + table + " ADD COLUMN " + quoteName(c.name) + " " + c.typ.DuckDB
		if c.def != nil {
			text += " DEFAULT " + r.defaultText(c)
		}
		list := []string{text}
		if c.notNull {
			list = append(list, "ALTER TABLE "+table+" ALTER COLUMN "+quoteName(c.name)+" SET NOT NULL")
		}
		return append(list, c.comments(table)...)
	}
}

// alterColumns reads ALTER COLUMN ... TYPE and the ALTERs of attributes DuckDB does not have.
func (p *parser) alterColumns(b *alterTableBody) {
	type change struct {
		name string
		typ  Type
	}
	var changes []change
	for p.err == nil && p.take("alter") {
		switch {
		case p.take("diststyle"):
			p.distStyle(&tableDef{})
			if p.take("distkey") {
				p.name()
			}
		case p.take("distkey"):
			p.name()
		case p.take("sortkey", "auto"), p.take("sortkey", "none"), p.take("encode", "auto"):
		case p.take("sortkey"), p.take("compound", "sortkey"):
			p.names()
		default:
			p.take("column")
			c := change{name: p.name()}
			if p.take("encode") {
				p.encoding()
			} else {
				p.want("type")
				c.typ = p.dataType()
				if p.take("encode") {
					p.encoding()
				}
				changes = append(changes, c)
			}
		}
		if !p.takeSym(",") {
			break
		}
	}
	b.action = func(_ *renderer, table string) []string {
		var list []string
		for _, c := range changes {
			list = append(list, "ALTER TABLE "+table+" ALTER COLUMN "+quoteName(c.name)+" TYPE "+c.typ.DuckDB)
			d := columnDef{name: c.name, typ: c.typ}
			list = append(list, d.comments(table)...)
		}
		return list
	}
}
