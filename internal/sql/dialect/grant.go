package dialect

import "strings"

// grantStatement reads GRANT and REVOKE in all of Redshift's forms by their shape:
//
//	GRANT words [ON kind objects] TO grantees [WITH ...]
//	REVOKE [GRANT OPTION FOR] words [ON kind objects] FROM grantees [CASCADE | RESTRICT]
func (p *parser) grantStatement() (Statement, error) {
	grant := p.next().word == "grant"
	if !grant {
		p.take("grant", "option", "for")
		p.take("admin", "option", "for")
	}
	toward := "to"
	if !grant {
		toward = "from"
	}
	var g Grant
	g.Privileges = p.privileges(toward)
	if p.take("on") {
		g.On, g.Objects = p.grantObjects(toward)
	}
	p.want(toward)
	for p.err == nil {
		p.oneOf("group", "role", "user")
		g.To = append(g.To, p.anyName())
		if !p.takeSym(",") {
			break
		}
	}
	if p.take("for") { // ASSUMEROLE ... FOR COPY, UNLOAD, ...
		for p.err == nil {
			for p.anyName(); p.is("function"); p.next() {
			}
			if !p.takeSym(",") {
				break
			}
		}
	}
	switch {
	case grant && p.take("with"):
		if p.oneOf("grant", "admin") == "" {
			p.unexpected()
		}
		p.want("option")
	case !grant:
		p.oneOf("cascade", "restrict")
	}
	if grant {
		return done(p, &g)
	}
	return done(p, &Revoke{Privileges: g.Privileges, On: g.On, Objects: g.Objects, From: g.To})
}

// privileges consumes words up to ON or the grantees: "SELECT", "ALL PRIVILEGES", "ROLE r", "UPDATE (a, b)".
func (p *parser) privileges(toward string) []string {
	var list, words []string
	for p.err == nil && !p.is("on") && !p.is(toward) {
		switch t := p.tok(); {
		case t.kind == tWord || t.kind == tQuoted:
			words = append(words, strings.ToUpper(t.word))
			p.next()
		case t.sym("(") && len(words) > 0:
			p.names()
		case t.sym(",") && len(words) > 0:
			list, words = append(list, strings.Join(words, " ")), nil
			p.next()
		default:
			p.unexpected()
		}
	}
	if len(words) == 0 {
		p.unexpected()
		return nil
	}
	return append(list, strings.Join(words, " "))
}

// grantObjects consumes what privileges are on. Without a kind it is a table.
func (p *parser) grantObjects(toward string) (kind string, objects []Name) {
	switch {
	case p.take("all", "tables", "in", "schema"):
		kind = "ALL TABLES IN SCHEMA"
	case p.take("all", "functions", "in", "schema"), p.take("all", "procedures", "in", "schema"):
		kind = "ALL FUNCTIONS IN SCHEMA"
	case p.take("external", "schema"), p.take("external", "table"), p.take("external", "column"):
		kind = "EXTERNAL " + strings.ToUpper(p.toks[p.i-1].word)
	case p.take("copy", "job"):
		kind = "COPY JOB"
	default:
		// A word is the kind only if a name follows it.
		if t := p.peek(1); t.kind == tQuoted || t.kind == tWord && t.word != toward {
			kind = strings.ToUpper(p.oneOf("table", "schema", "database", "function", "procedure", "language",
				"datashare", "model", "assumerole", "role"))
		}
		if kind == "" {
			kind = "TABLE"
		}
	}
	for p.err == nil {
		if p.tok().isString() { // ON ASSUMEROLE 'arn'
			p.literal()
		} else {
			objects = append(objects, p.qualified())
		}
		if p.isSym("(") { // a function's argument types
			for depth := 0; p.err == nil && !p.eof(); {
				t := p.next()
				if t.sym("(") {
					depth++
				} else if t.sym(")") {
					if depth--; depth == 0 {
						break
					}
				}
			}
		}
		if !p.takeSym(",") {
			break
		}
	}
	return kind, objects
}
