package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// CommentPrefix starts the comments in which DuckDB's tables and columns carry what DuckDB has no place for.
// A JSON object follows, a ColumnComment or a TableComment.
const CommentPrefix = "penstock:"

// ColumnComment is what a column's comment holds.
type ColumnComment struct {
	Type     string `json:"type"`               // as Type.String writes it
	Identity string `json:"identity,omitempty"` // "seed,step"
	Always   bool   `json:"always,omitempty"`   // IDENTITY without BY DEFAULT
	Default  string `json:"default,omitempty"`  // the DEFAULT expression as the user wrote it
	Encode   string `json:"encode,omitempty"`
	DistKey  bool   `json:"distkey,omitempty"`
	SortKey  int    `json:"sortkey,omitempty"` // place in the sort key, from 1
}

// TableComment is what a table's comment holds.
type TableComment struct {
	DistStyle   string       `json:"diststyle,omitempty"`
	SortStyle   string       `json:"sortstyle,omitempty"`
	NoBackup    bool         `json:"nobackup,omitempty"`
	PrimaryKey  []string     `json:"primarykey,omitempty"`
	Unique      [][]string   `json:"unique,omitempty"`
	ForeignKeys []ForeignKey `json:"foreignkeys,omitempty"`
}

// ForeignKey is a constraint Redshift records and does not enforce, as it does all but NOT NULL.
type ForeignKey struct {
	Columns    []string `json:"columns"`
	Table      string   `json:"table"`
	References []string `json:"references,omitempty"`
}

// identityMark is part of the names of the sequences behind identity columns.
const identityMark = "$identity"

// maxColumns is the most columns a table may have.
const maxColumns = 1600

type columnDef struct {
	name     string
	typ      Type
	def      *node
	notNull  bool
	identity *[2]int
	always   bool
	encode   string
	dist     bool
	sort     int
	defText  string // of def, as it was written
}

type tableDef struct {
	name    Name
	temp    bool
	exists  bool // IF NOT EXISTS
	columns []*columnDef
	like    []likeClause
	meta    TableComment
	distKey string
	sortKey []string
	// CREATE TABLE ... AS
	query *query
	names []string
}

// likeClause is LIKE parent, after the given number of columns.
type likeClause struct {
	parent   Name
	defaults bool
	after    int
}

func (p *parser) createTable(q *Query, temp bool) {
	p.want("table")
	d := &tableDef{temp: temp}
	d.exists = p.take("if", "not", "exists")
	d.name = p.qualified()
	d.temp = d.temp || isTempName(d.name)
	q.Verb, q.Target, q.body = "CREATE TABLE", d.name, d
	if p.err == nil && len(d.name.Table) > maxName {
		p.fail(invalid("The table name has %d bytes; at most %d are allowed.", len(d.name.Table), maxName))
	}
	if p.isSym("(") {
		if t := p.peek(2); t.sym(",") || t.sym(")") {
			d.names = p.names()
		} else {
			p.tableElements(d)
		}
	}
	p.tableAttributes(d)
	if p.take("as") {
		if len(d.columns)+len(d.like) > 0 {
			p.i--
			p.unexpected()
			return
		}
		q.Verb = "CREATE TABLE AS"
		d.query = p.query()
		return
	}
	if len(d.columns)+len(d.like) == 0 {
		p.unexpected()
		return
	}
	if p.err == nil {
		p.checkTable(d)
	}
}

func (p *parser) tableElements(d *tableDef) {
	p.wantSym("(")
	for p.err == nil {
		switch {
		case p.take("like"):
			l := likeClause{parent: p.qualified(), after: len(d.columns)}
			if w := p.oneOf("including", "excluding"); w != "" {
				l.defaults = w == "including"
				p.want("defaults")
			}
			d.like = append(d.like, l)
		case p.tableConstraint(d):
		default:
			c := p.columnDef()
			if c.dist {
				d.distKey = c.name
			}
			if c.sort > 0 {
				d.sortKey = append(d.sortKey, c.name)
			}
			p.columnConstraints(d, c)
			d.columns = append(d.columns, c)
		}
		if !p.takeSym(",") {
			break
		}
	}
	p.wantSym(")")
}

// tableConstraint reads a constraint of the whole table, if one is next. None of them is enforced.
func (p *parser) tableConstraint(d *tableDef) bool {
	if p.is("constraint") {
		p.next()
		p.name()
	}
	switch {
	case p.take("unique"):
		d.meta.Unique = append(d.meta.Unique, p.names())
	case p.take("primary", "key"):
		if d.meta.PrimaryKey != nil {
			p.fail(invalid("multiple primary keys for table %q are not allowed", d.name.Table))
		}
		d.meta.PrimaryKey = p.names()
	case p.take("foreign", "key"):
		key := ForeignKey{Columns: p.names()}
		p.want("references")
		p.references(&key)
		d.meta.ForeignKeys = append(d.meta.ForeignKeys, key)
	case p.is("check"):
		p.fail(unsupported("CHECK constraints are not supported."))
	default:
		return false
	}
	return true
}

func (p *parser) references(key *ForeignKey) {
	key.Table = p.qualified().String()
	if p.isSym("(") {
		key.References = p.names()
	}
}

// columnDef reads name type and the attributes of the column.
func (p *parser) columnDef() *columnDef {
	c := &columnDef{name: p.name()}
	if p.err == nil && len(c.name) > maxName {
		p.fail(invalid("The column name has %d bytes; at most %d are allowed.", len(c.name), maxName))
	}
	c.typ = p.dataType()
	for p.err == nil && p.columnAttribute(c) {
	}
	return c
}

func (p *parser) columnAttribute(c *columnDef) bool {
	switch {
	case p.take("default"):
		if c.def = p.expr(0); c.def == nil {
			p.unexpected()
			break
		}
		c.defText = p.src[p.toks[c.def.lo].pos:p.toks[c.def.hi-1].end]
	case p.take("identity"):
		p.identity(c, true)
	case p.take("generated", "by", "default", "as", "identity"):
		p.identity(c, false)
	case p.take("encode"):
		c.encode = p.encoding()
	case p.take("distkey"):
		c.dist = true
	case p.take("sortkey"):
		c.sort = 1
	case p.take("collate"):
		if p.oneOf("case_sensitive", "cs", "case_insensitive", "ci") == "" {
			p.unexpected()
		} else if strings.HasSuffix(p.toks[p.i-1].word, "insensitive") || p.toks[p.i-1].word == "ci" {
			p.fail(unsupported("COLLATE CASE_INSENSITIVE is not supported yet."))
		}
	case p.take("not", "null"):
		c.notNull = true
	case p.take("null"):
	default:
		return false
	}
	return true
}

// columnConstraints reads the constraints of a column, which are not enforced, and attributes after them.
func (p *parser) columnConstraints(d *tableDef, c *columnDef) {
	for p.err == nil {
		switch {
		case p.take("unique"):
			d.meta.Unique = append(d.meta.Unique, []string{c.name})
		case p.take("primary", "key"):
			if d.meta.PrimaryKey != nil {
				p.fail(invalid("multiple primary keys for table %q are not allowed", d.name.Table))
			}
			d.meta.PrimaryKey = []string{c.name}
		case p.take("references"):
			key := ForeignKey{Columns: []string{c.name}}
			p.references(&key)
			d.meta.ForeignKeys = append(d.meta.ForeignKeys, key)
		case p.columnAttribute(c):
		default:
			return
		}
	}
}

func (p *parser) identity(c *columnDef, always bool) {
	seed, step := 1, 1
	if p.takeSym("(") {
		seed = p.number()
		p.wantSym(",")
		step = p.number()
		p.wantSym(")")
	}
	switch {
	case p.err != nil:
	case c.typ.Name != "integer" && c.typ.Name != "bigint":
		p.fail(invalid("The identity column %q must be INT or BIGINT, not %s.", c.name, c.typ))
	case step == 0:
		p.fail(invalid("The step of the identity column %q must not be 0.", c.name))
	}
	c.identity, c.always, c.notNull = &[2]int{seed, step}, always, true
}

var encodings = strings.Fields(`auto az64 bytedict delta delta32k lzo mostly8 mostly16 mostly32 raw runlength text255
	text32k zstd none`)

func (p *parser) encoding() string {
	e := p.oneOf(encodings...)
	if e == "" {
		p.unexpected()
	}
	return e
}

func (p *parser) distStyle(d *tableDef) {
	if d.meta.DistStyle = p.oneOf("auto", "even", "key", "all"); d.meta.DistStyle == "" {
		p.unexpected()
	}
}

func (p *parser) tableAttributes(d *tableDef) {
	for p.err == nil {
		switch {
		case p.take("backup"):
			if d.meta.NoBackup = p.take("no"); !d.meta.NoBackup {
				p.want("yes")
			}
		case p.take("diststyle"):
			p.distStyle(d)
		case p.take("distkey"):
			if names := p.names(); len(names) > 1 {
				p.fail(invalid("DISTKEY takes one column."))
			} else if len(names) == 1 {
				d.distKey = names[0]
			}
		case p.take("compound", "sortkey"):
			d.meta.SortStyle, d.sortKey = "compound", p.names()
		case p.take("interleaved", "sortkey"):
			d.meta.SortStyle, d.sortKey = "interleaved", p.names()
		case p.take("sortkey", "auto"):
			d.meta.SortStyle = "auto"
		case p.take("sortkey"):
			d.sortKey = p.names()
		case p.take("encode", "auto"):
		default:
			return
		}
	}
}

// checkTable refuses definitions that name columns wrongly.
func (p *parser) checkTable(d *tableDef) {
	byName := map[string]*columnDef{}
	for _, c := range d.columns {
		key := foldName(c.name)
		if byName[key] != nil {
			p.fail(invalid("column %q specified more than once", c.name))
			return
		}
		byName[key] = c
	}
	find := func(name, what string, superAllowed bool) *columnDef {
		c := byName[foldName(name)]
		if c == nil && len(d.like) == 0 {
			p.fail(invalid("column %q named in %s does not exist", name, what))
		} else if c != nil && !superAllowed && c.typ.Super() {
			p.fail(invalid("The SUPER column %q cannot be in a %s.", name, what))
		}
		return c
	}
	for _, name := range d.meta.PrimaryKey {
		if c := find(name, "PRIMARY KEY", true); c != nil {
			c.notNull = true
		}
	}
	for _, names := range d.meta.Unique {
		for _, name := range names {
			find(name, "UNIQUE", true)
		}
	}
	for _, key := range d.meta.ForeignKeys {
		for _, name := range key.Columns {
			find(name, "FOREIGN KEY", true)
		}
	}
	for i, name := range d.sortKey {
		if c := find(name, "SORTKEY", false); c != nil {
			c.sort = i + 1
		}
	}
	if d.distKey != "" {
		if c := find(d.distKey, "DISTKEY", false); c != nil {
			c.dist = true
		}
	}
	switch {
	case len(d.columns) > maxColumns:
		p.fail(invalid("tables can have at most %d columns", maxColumns))
	case d.temp && d.name.Schema != "":
		p.fail(invalid("A temporary table cannot be in the schema %q.", d.name.Schema))
	}
}

func (d *tableDef) render(r *renderer) []string {
	if d.query != nil {
		return d.renderAs(r)
	}
	table := duckName(d.name)
	if _, ok := r.columns(d.name); ok && d.exists {
		return nil // the table stays as it is, and so do its comments
	}
	var before, lines, after []string
	for i := 0; i <= len(d.columns); i++ {
		for _, l := range d.like {
			if l.after == i {
				lines, after = d.renderLike(r, l, table, lines, after)
			}
		}
		if i == len(d.columns) {
			break
		}
		c := d.columns[i]
		line := quoteName(c.name) + " " + c.typ.DuckDB
		switch {
		case c.identity != nil:
			seq := Name{d.name.Database, d.name.Schema, d.name.Table + "$" + c.name + identityMark}
			if r.unique != 0 {
				seq.Table += fmt.Sprintf("$%d", r.unique)
			}
			before = append(before, d.sequence(c, seq))
			line += " DEFAULT nextval(" + quoteString(duckName(seq)) + ")"
		case c.def != nil:
			line += " DEFAULT " + r.defaultText(c)
		}
		if c.notNull {
			line += " NOT NULL"
		}
		lines = append(lines, line)
		after = append(after, c.comments(table)...)
	}
	head := createTableWords(d.temp)
	if d.exists {
		head += "IF NOT EXISTS "
	}
	list := append(before, head+table+" ("+strings.Join(lines, ", ")+")")
	if c := commentText(d.meta, TableComment{}); c != "" {
		after = append(after, "COMMENT ON TABLE "+table+" IS "+quoteString(c))
	}
	return append(list, after...)
}

func (d *tableDef) sequence(c *columnDef, seq Name) string {
	head := "CREATE SEQUENCE "
	if d.temp {
		head = "CREATE TEMP SEQUENCE "
	}
	text := fmt.Sprintf("%sIF NOT EXISTS %s START WITH %d INCREMENT BY %d", head, duckName(seq), c.identity[0], c.identity[1])
	switch {
	case c.identity[1] < 0:
		text += " MINVALUE -9223372036854775807 MAXVALUE 9223372036854775807"
	case c.identity[0] < 1:
		text += fmt.Sprintf(" MINVALUE %d", c.identity[0])
	}
	return text
}

// renderLike adds the columns of a parent table.
func (d *tableDef) renderLike(r *renderer, l likeClause, table string, lines, comments []string) ([]string, []string) {
	cols, ok := r.columns(l.parent)
	if !ok {
		r.fail(relationMissing(l.parent.String()))
	}
	for _, c := range cols {
		line := quoteName(c.Name) + " " + c.Type.DuckDB
		def := columnDef{name: c.Name, typ: c.Type}
		if l.defaults && c.Default != "" && sequenceOf(c.Default) == "" {
			def.defText = c.Default
			line += " DEFAULT " + r.copiedDefault(&def)
		}
		if c.NotNull {
			line += " NOT NULL"
		}
		lines = append(lines, line)
		comments = append(comments, def.comments(table)...)
	}
	return lines, comments
}

// copiedDefault writes the default of a parent's column, which may be in either dialect.
func (r *renderer) copiedDefault(c *columnDef) string {
	p, err := newParser(c.defText)
	if err != nil {
		r.fail(err)
		return ""
	}
	c.def = p.expr(0)
	p.end()
	if p.err != nil {
		r.fail(p.err)
		return ""
	}
	inner := &renderer{src: p.src, toks: p.toks, cat: r.cat, classes: make([]class, p.count), scopes: make([]*scope, p.cores)}
	return inner.defaultText(c)
}

// renderAs writes CREATE TABLE ... AS.
func (d *tableDef) renderAs(r *renderer) []string {
	head := createTableWords(d.temp)
	if d.exists {
		head += "IF NOT EXISTS "
	}
	head += duckName(d.name)
	if len(d.names) > 0 {
		head += " (" + quoteNames(d.names) + ")"
	}
	r.named = true
	r.query(d.query, &scope{})
	return []string{head + " AS " + r.take()}
}

// defaultText writes the default of a column.
func (r *renderer) defaultText(c *columnDef) string {
	text := r.capture(func() { r.assign(c.def, c.typ, &scope{}) })
	if needsParens(c.def) || c.def.kind == nCall || c.def.kind == nCast {
		return "(" + text + ")"
	}
	return text
}

// comments returns the COMMENT statement a column needs, if any.
func (c *columnDef) comments(table string) []string {
	meta := ColumnComment{Type: c.typ.String(), Always: c.always, Default: c.defText, Encode: c.encode, DistKey: c.dist, SortKey: c.sort}
	if c.identity != nil {
		meta.Identity = fmt.Sprintf("%d,%d", c.identity[0], c.identity[1])
	}
	plain := ColumnComment{Type: TypeOfDuckDB(c.typ.DuckDB).String()}
	text := commentText(meta, plain)
	if text == "" {
		return nil
	}
	return []string{"COMMENT ON COLUMN " + table + "." + quoteName(c.name) + " IS " + quoteString(text)}
}

// commentText is the comment that holds meta, or "" if it says no more than plain.
func commentText(meta, plain any) string {
	var b, other bytes.Buffer
	for buf, v := range map[*bytes.Buffer]any{&b: meta, &other: plain} {
		enc := json.NewEncoder(buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return "" // structs of strings and numbers always encode
		}
	}
	if bytes.Equal(b.Bytes(), other.Bytes()) {
		return ""
	}
	return CommentPrefix + strings.TrimSpace(b.String())
}
