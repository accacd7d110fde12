package dialect

import "strings"

// maxName is the longest name of a database, schema, table or column, in bytes.
const maxName = 127

// systemDatabases cannot be created, altered or dropped. The last two are DuckDB's own.
var systemDatabases = map[string]bool{
	"template0": true, "template1": true, "padb_harvest": true, "sys:internal": true, "awsdatacatalog": true,
	"system": true, "temp": true,
}

func (p *parser) databaseName() string {
	name := p.anyName()
	switch {
	case p.err != nil:
	case len(name) > maxName:
		p.fail(invalid("The database name has %d bytes; at most %d are allowed.", len(name), maxName))
	case systemDatabases[foldName(name)] || foldName(name) == internalSchema:
		p.fail(invalid("%q is reserved and cannot be the name of a database.", name))
	}
	return name
}

func (p *parser) createDatabase() (Statement, error) {
	p.want("create", "database")
	c := &CreateDatabase{Name: p.databaseName()}
	if p.take("from") {
		if !p.is("integration") {
			if w := p.oneOf("datashare", "arn"); w != "" {
				return nil, unsupported("CREATE DATABASE ... FROM %s is not supported yet.", strings.ToUpper(w))
			}
		}
		p.want("integration")
		c.IntegrationID = p.literal()
		if p.err == nil && c.IntegrationID == "" {
			return nil, invalid("FROM INTEGRATION needs the id of the integration.")
		}
		if p.take("database") {
			if p.tok().isString() {
				c.SourceDatabase = p.literal()
			} else {
				c.SourceDatabase = p.anyName()
			}
		}
		p.take("set")
		p.integrationOptions(&c.Options, nil)
	}
	p.take("with")
	for p.err == nil && !p.eof() {
		switch {
		case p.is("owner"):
			p.next()
			p.takeSym("=")
			once(p, c.Owner == "", "OWNER")
			c.Owner = p.anyName()
		case !p.databaseOption(&c.DatabaseOptions):
			p.unexpected()
		}
	}
	return done(p, c)
}

// once fails when an option that may be given once is given again.
func once(p *parser, first bool, option string) {
	if !first {
		p.fail(invalid("The option %s is given more than once.", option))
	}
}

// databaseOption consumes an option CREATE and ALTER DATABASE share.
func (p *parser) databaseOption(o *DatabaseOptions) bool {
	switch {
	case p.take("connection", "limit"):
		once(p, o.ConnectionLimit == nil, "CONNECTION LIMIT")
		n := Unlimited
		if !p.take("unlimited") {
			if n = p.number(); p.err == nil && n < 0 {
				p.fail(invalid("CONNECTION LIMIT must be UNLIMITED or a number from 0."))
			}
		}
		o.ConnectionLimit = &n
	case p.take("collate"):
		once(p, o.Collate == "", "COLLATE")
		switch p.oneOf("case_sensitive", "cs", "case_insensitive", "ci") {
		case "case_sensitive", "cs":
			o.Collate = "CASE_SENSITIVE"
		case "case_insensitive", "ci":
			o.Collate = "CASE_INSENSITIVE"
		default:
			p.unexpected()
		}
	case p.take("isolation", "level"):
		once(p, o.Isolation == "", "ISOLATION LEVEL")
		if o.Isolation = strings.ToUpper(p.oneOf("snapshot", "serializable")); o.Isolation == "" {
			p.unexpected()
		}
	default:
		return false
	}
	return true
}

// integrationOptions consumes the options of a destination database. HISTORY_MODE may be followed by FOR
// where history is not nil.
func (p *parser) integrationOptions(o *IntegrationOptions, history **Tables) {
	for p.err == nil {
		t := p.tok()
		var flag **bool
		if t.kind == tWord {
			switch t.word {
			case "acceptinvchars":
				flag = &o.AcceptInvChars
			case "query_all_states":
				flag = &o.QueryAllStates
			case "truncatecolumns":
				flag = &o.TruncateColumns
			case "history_mode":
				flag = &o.HistoryMode
			case "auto_remediation":
				flag = &o.AutoRemediation
			case "refresh_interval":
				p.next()
				p.takeSym("=")
				once(p, o.RefreshInterval == nil, "REFRESH_INTERVAL")
				n := p.number()
				if p.err == nil && n < 0 {
					p.fail(invalid("REFRESH_INTERVAL must be a number of seconds from 0."))
				}
				o.RefreshInterval = &n
				p.takeSym(",")
				continue
			}
		}
		if flag == nil {
			return
		}
		p.next()
		once(p, *flag == nil, strings.ToUpper(t.word))
		p.takeSym("=")
		*flag = p.boolean()
		if t.word == "history_mode" && history != nil && p.take("for") {
			*history = p.tables()
		}
		p.takeSym(",")
	}
}

// boolean consumes TRUE, FALSE, ON or OFF, quoted or not.
func (p *parser) boolean() *bool {
	word := p.tok().word
	if p.tok().isString() {
		word = foldName(p.value(p.tok()))
	}
	v := word == "true" || word == "on"
	if !v && word != "false" && word != "off" {
		p.unexpected()
		return nil
	}
	p.next()
	return &v
}

// tables consumes a choice of replicated tables.
func (p *parser) tables() *Tables {
	t := &Tables{}
	switch {
	case p.take("table"), p.is("tables") && !p.peekIsIn(1):
		p.take("tables")
		t.Which = NamedTables
		for p.err == nil {
			t.Names = append(t.Names, p.qualified())
			if !p.takeSym(",") {
				return t
			}
		}
		return t
	case p.take("inerror"):
		t.Which = InErrorTables
	case p.take("remediable"):
		t.Which = RemediableTables
	default:
		p.take("all")
	}
	p.want("tables")
	if p.take("in") {
		p.want("schema")
		for p.err == nil {
			t.Schemas = append(t.Schemas, p.anyName())
			if !p.takeSym(",") {
				break
			}
		}
	}
	return t
}

// peekIsIn reports whether the token n ahead is IN or the end, after which TABLES means all of them.
func (p *parser) peekIsIn(n int) bool {
	t := p.peek(n)
	return t.kind == tEOF || t.kind == tWord && t.word == "in"
}

func (p *parser) alterDatabase() (Statement, error) {
	p.want("alter", "database")
	a := &AlterDatabase{Name: p.anyName()}
	switch {
	case p.take("rename", "to"):
		a.RenameTo = p.databaseName()
	case p.take("owner", "to"):
		a.Owner = p.anyName()
	case p.take("integration"):
		switch {
		case p.take("refresh"):
			a.Refresh = p.tables()
		case p.take("set"):
			a.Set = &AlterIntegrationSet{}
			start := p.i
			p.integrationOptions(&a.Set.Options, &a.Set.HistoryFor)
			if p.i == start {
				p.unexpected()
			}
		default:
			p.unexpected()
		}
	default:
		p.take("with")
		start := p.i
		for p.databaseOption(&a.DatabaseOptions) {
		}
		if p.i == start {
			p.unexpected()
		}
	}
	return done(p, a)
}

func (p *parser) dropDatabase() (Statement, error) {
	p.want("drop", "database")
	d := &DropDatabase{IfExists: p.take("if", "exists")}
	d.Name = p.databaseName()
	d.Force = p.take("force")
	return done(p, d)
}
