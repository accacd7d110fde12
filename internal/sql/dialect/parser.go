package dialect

import (
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// parser walks the tokens of one statement, without white space and comments. The last token is tEOF.
//
// Methods that read report errors by setting err and moving to the end, so that a grammar rule can be
// written without a check after every word; the first error wins.
type parser struct {
	src  string
	toks []token
	i    int
	err  error
	// Arenas of the query parser.
	nodes []node
	count int32 // nodes taken so far
	parts []part
	stack []part  // of the paths being read
	cores int     // selectCores so far
	refs  []*node // names in FROM clauses
	intos []int   // tokens of INTO in SELECTs
	match []int32 // of every "(", the token after its ")"
	depth int
}

// maxDepth bounds nesting, so that no statement can exhaust the stack.
const maxDepth = 200

// newParser cuts src into tokens. A trailing semicolon is dropped.
func newParser(src string) (*parser, error) {
	if i := strings.IndexByte(src, 0); i >= 0 {
		return nil, at(src, i, fault.Invalid, "A statement may not contain the character with code 0.")
	}
	p := &parser{src: src, toks: make([]token, 0, len(src)/3+8)}
	for pos := 0; ; {
		t := scan(src, pos)
		pos = int(t.end)
		switch t.kind {
		case tSpace, tRemark:
			continue
		case tBad, tParam:
			return nil, syntaxAt(src, t)
		case tEOF:
			for n := len(p.toks); n > 0 && p.toks[n-1].word == ";" && p.toks[n-1].kind == tSymbol; n-- {
				p.toks = p.toks[:n-1]
			}
			p.toks = append(p.toks, t)
			return p, nil
		}
		p.toks = append(p.toks, t)
	}
}

func (p *parser) tok() token { return p.toks[p.i] }

// peek returns the token n places ahead.
func (p *parser) peek(n int) token {
	if p.i+n >= len(p.toks) {
		return p.toks[len(p.toks)-1]
	}
	return p.toks[p.i+n]
}

func (p *parser) next() token {
	t := p.toks[p.i]
	if t.kind != tEOF {
		p.i++
	}
	return t
}

func (p *parser) eof() bool { return p.toks[p.i].kind == tEOF }

// fail records err, unless there is one, and ends the parse.
func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
	p.i = len(p.toks) - 1
}

// unexpected fails with a syntax error at the current token.
func (p *parser) unexpected() {
	if p.err == nil {
		p.fail(syntaxAt(p.src, p.tok()))
	}
}

// is reports whether the next tokens are the given keywords.
func (p *parser) is(keywords ...string) bool {
	for n, w := range keywords {
		if t := p.peek(n); t.kind != tWord || t.word != w {
			return false
		}
	}
	return true
}

// take consumes the keywords if they are next.
func (p *parser) take(keywords ...string) bool {
	if !p.is(keywords...) {
		return false
	}
	p.i += len(keywords)
	return true
}

// oneOf consumes one of the keywords and returns it, or "".
func (p *parser) oneOf(keywords ...string) string {
	if t := p.tok(); t.kind == tWord {
		for _, w := range keywords {
			if t.word == w {
				p.i++
				return w
			}
		}
	}
	return ""
}

// want consumes the keywords or fails.
func (p *parser) want(keywords ...string) {
	for _, w := range keywords {
		if !p.take(w) {
			p.unexpected()
			return
		}
	}
}

func (t token) sym(s string) bool { return t.kind == tSymbol && t.word == s }

func (p *parser) isSym(s string) bool { return p.tok().sym(s) }

func (p *parser) takeSym(s string) bool {
	if p.isSym(s) {
		p.i++
		return true
	}
	return false
}

func (p *parser) wantSym(s string) {
	if !p.takeSym(s) {
		p.unexpected()
	}
}

// isName reports whether the next token can be the name of something.
func (t token) isName() bool { return t.kind == tQuoted || t.kind == tWord && t.flags&fReserved == 0 }

// name consumes an identifier.
func (p *parser) name() string {
	t := p.tok()
	if !t.isName() {
		p.unexpected()
		return ""
	}
	p.i++
	return t.word
}

// anyName consumes an identifier, a reserved one too: where only a name can stand.
func (p *parser) anyName() string {
	if t := p.tok(); t.kind == tQuoted || t.kind == tWord {
		p.i++
		return t.word
	}
	p.unexpected()
	return ""
}

// qualified consumes a name with up to two qualifiers.
func (p *parser) qualified() Name {
	var n Name
	n.Table = p.name()
	for k := 0; k < 2 && p.takeSym("."); k++ {
		n.Database, n.Schema, n.Table = n.Schema, n.Table, p.anyName()
	}
	if p.isSym(".") {
		p.unexpected()
	}
	return n
}

// names consumes a parenthesised list of identifiers.
func (p *parser) names() []string {
	p.wantSym("(")
	var list []string
	for p.err == nil {
		list = append(list, p.name())
		if !p.takeSym(",") {
			break
		}
	}
	p.wantSym(")")
	return list
}

func (t token) isString() bool { return t.kind == tString || t.kind == tEscape || t.kind == tDollar }

func (p *parser) value(t token) string { return stringValue(t.kind, p.src[t.pos:t.end]) }

// literal consumes a string literal and returns its value.
func (p *parser) literal() string {
	t := p.tok()
	if !t.isString() {
		p.unexpected()
		return ""
	}
	p.i++
	return p.value(t)
}

// number consumes a whole number, which may be negative.
func (p *parser) number() int {
	start, neg := p.i, p.takeSym("-")
	t := p.tok()
	if t.kind != tNumber {
		p.unexpected()
		return 0
	}
	n, err := strconv.Atoi(p.src[t.pos:t.end])
	if err != nil {
		p.i = start
		p.unexpected()
		return 0
	}
	p.i++
	if neg {
		n = -n
	}
	return n
}

// end fails unless the statement is over.
func (p *parser) end() {
	if !p.eof() {
		p.unexpected()
	}
}

// done returns s, or the error that happened on the way.
func done[S Statement](p *parser, s S) (Statement, error) {
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	return s, nil
}

// Parse reads exactly one statement, with or without a semicolon at its end.
//
// Statements that would reach past the warehouse's own tables into the server's host are refused by name,
// others that Penstock does not offer are answered with Unsupported, and everything else that does not
// start like a Redshift statement is a syntax error.
func Parse(stmt string) (Statement, error) {
	p, err := newParser(stmt)
	if err != nil {
		return nil, err
	}
	if p.eof() {
		return nil, invalid("The statement is empty.")
	}
	if err := p.guard(); err != nil {
		return nil, err
	}
	s, err := p.statement()
	if err == nil && p.err != nil {
		err = p.err
	}
	if q, ok := s.(*Query); err == nil && len(p.intos) > 0 && !(ok && (q.Verb == "SELECT INTO" || q.Verb == "EXPLAIN")) {
		err = at(p.src, int(p.toks[p.intos[0]].pos), fault.Invalid, "SELECT INTO is only allowed as a statement of its own")
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// hostWords start DuckDB statements that act on the server and not on its tables.
var hostWords = map[string]bool{
	"attach": true, "detach": true, "install": true, "load": true, "pragma": true, "export": true,
	"import": true, "checkpoint": true,
}

// absentWords start Redshift statements Penstock does not offer.
var absentWords = map[string]bool{
	"unload": true, "call": true, "prepare": true, "execute": true, "deallocate": true, "declare": true,
	"fetch": true, "close": true, "lock": true, "cancel": true, "refresh": true, "describe": true, "desc": true,
}

func (p *parser) statement() (Statement, error) {
	t := p.tok()
	if t.sym("(") {
		return p.queryStatement()
	}
	if t.kind != tWord {
		return nil, syntaxAt(p.src, t)
	}
	switch t.word {
	case "copy":
		return p.copyStatement()
	case "create":
		return p.createStatement()
	case "alter":
		return p.alterStatement()
	case "drop":
		return p.dropStatement()
	case "select", "with", "values", "insert", "update", "delete", "merge", "truncate", "explain", "comment":
		return p.queryStatement()
	case "begin", "start", "commit", "end", "rollback", "abort":
		return p.transactionStatement()
	case "set", "reset", "show":
		return p.settingStatement()
	case "use":
		p.next()
		return done(p, &Use{Database: p.anyName()})
	case "vacuum", "analyze", "analyse":
		return p.maintenanceStatement()
	case "grant", "revoke":
		return p.grantStatement()
	}
	switch {
	case hostWords[t.word]:
		return nil, denied("%s is not allowed: it would act on the server itself, not on the warehouse.", strings.ToUpper(t.word))
	case absentWords[t.word]:
		return nil, unsupported("%s is not supported yet.", strings.ToUpper(t.word))
	}
	return nil, syntaxAt(p.src, t)
}

func (p *parser) transactionStatement() (Statement, error) {
	verb := p.next().word
	p.oneOf("work", "transaction")
	if verb == "start" && p.toks[p.i-1].word != "transaction" {
		p.i = 1
		p.unexpected()
		return nil, p.err
	}
	switch verb {
	case "commit", "end":
		return done(p, &Commit{})
	case "rollback", "abort":
		return done(p, &Rollback{})
	}
	b := &Begin{}
	p.transactionModes(b)
	return done(p, b)
}

func (p *parser) transactionModes(b *Begin) {
	for p.err == nil && !p.eof() {
		switch {
		case p.take("isolation", "level"):
			switch {
			case p.take("serializable"):
				b.Isolation = "SERIALIZABLE"
			case p.take("snapshot"):
				b.Isolation = "SNAPSHOT"
			case p.take("repeatable", "read"):
				b.Isolation = "REPEATABLE READ"
			case p.take("read", "committed"):
				b.Isolation = "READ COMMITTED"
			case p.take("read", "uncommitted"):
				b.Isolation = "READ UNCOMMITTED"
			default:
				p.unexpected()
			}
		case p.take("read", "only"):
			b.ReadOnly = true
		case p.take("read", "write"):
			b.ReadOnly = false
		default:
			p.unexpected()
		}
		p.takeSym(",")
	}
}

func (p *parser) maintenanceStatement() (Statement, error) {
	m := &Maintenance{Verb: strings.ToUpper(p.next().word)}
	if m.Verb == "ANALYSE" {
		m.Verb = "ANALYZE"
	}
	if m.Verb == "VACUUM" {
		switch {
		case p.take("sort", "only"), p.take("delete", "only"):
		default:
			p.oneOf("full", "reindex", "recluster")
		}
	} else {
		p.take("compression")
		p.take("verbose")
	}
	if t := p.tok(); t.isName() && t.word != "to" && t.word != "predicate" {
		m.Table = p.qualified()
		if p.isSym("(") {
			p.names()
		}
	}
	if m.Verb == "VACUUM" {
		if p.take("to") {
			if n := p.number(); n < 0 || n > 100 {
				p.fail(invalid("VACUUM TO must be a percentage between 0 and 100."))
			}
			p.want("percent")
		}
		p.take("boost")
	} else if p.take("predicate") {
		p.want("columns")
	} else if p.take("all") {
		p.want("columns")
	} else if p.take("comprows") {
		p.number()
	}
	return done(p, m)
}

// ParseType reads a type as Redshift spells it: "varchar(max)", "NUMERIC(12, 2)", "timestamptz".
func ParseType(text string) (Type, error) {
	p, err := newParser(text)
	if err != nil {
		return Type{}, err
	}
	t := p.dataType()
	p.end()
	if p.err != nil {
		return Type{}, fault.Wrap(p.err, fault.Invalid, SubjectStatement, "type %q is not known", text)
	}
	return t, nil
}
