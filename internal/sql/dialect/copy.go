package dialect

import (
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// maxMaxError is the largest MAXERROR.
const maxMaxError = 100000

// defaultNullAs is the NULL AS of delimited text and CSV.
const defaultNullAs = `\N`

// copyParser reads the clauses of one COPY, which may come in any order.
type copyParser struct {
	*parser
	c      *Copy
	job    bool            // the statement ends in JOB CREATE
	seen   map[string]bool // options by their Redshift name
	format string          // CSV, JSON, PARQUET or DELIMITER as given, empty for none
}

func (p *parser) copyStatement() (Statement, error) {
	if p.is("copy", "job") {
		switch w := p.peek(2); {
		case w.kind == tWord && (w.word == "alter" || w.word == "run" || w.word == "list" || w.word == "show" || w.word == "drop"):
			return p.copyJob()
		case w.kind == tWord && w.word == "create":
			return nil, invalid("A COPY JOB is created at the end of a COPY statement: COPY table FROM 's3://...' IAM_ROLE '...' JOB CREATE name.")
		}
	}
	p.want("copy")
	if p.isSym("(") {
		return nil, denied("COPY ... TO is not allowed: only COPY table FROM 's3://...' is.")
	}
	cp := &copyParser{parser: p, c: &Copy{}, seen: map[string]bool{}, job: p.endsInJob()}
	cp.c.Table = p.qualified()
	if p.isSym("(") {
		cp.c.Spec.Columns = p.names()
		cp.uniqueColumns()
	}
	if p.is("to") {
		return nil, denied("COPY ... TO is not allowed: only COPY table FROM 's3://...' is.")
	}
	p.want("from")
	cp.source()
	for p.err == nil && !p.eof() && !p.is("job") {
		cp.option()
	}
	if p.err == nil {
		cp.finish()
	}
	if !p.take("job") {
		cp.c.Text = Redact(strings.TrimSpace(p.src))
		return done(p, cp.c)
	}
	cp.c.Text = Redact(strings.TrimSpace(p.src[:p.toks[p.i-1].pos]))
	p.want("create")
	j := &CopyJobCreate{Copy: cp.c, Auto: true, Text: Redact(strings.TrimSpace(p.src))}
	j.Name = p.jobName()
	if auto := p.auto(); auto != nil {
		j.Auto = *auto
	}
	if p.err == nil && cp.c.IAMRole == "" {
		return nil, invalid("A COPY JOB needs IAM_ROLE with the ARN of a role.")
	}
	return done(p, j)
}

// endsInJob looks ahead for JOB CREATE: some options are refused in a job with another reason.
func (p *parser) endsInJob() bool {
	for i := p.i; i+1 < len(p.toks); i++ {
		if t, u := p.toks[i], p.toks[i+1]; t.kind == tWord && t.word == "job" && u.kind == tWord && u.word == "create" {
			return true
		}
	}
	return false
}

func (p *parser) copyJob() (Statement, error) {
	p.want("copy", "job")
	switch verb := p.next().word; verb {
	case "list":
		return done(p, &CopyJobList{})
	case "run":
		return done(p, &CopyJobRun{Name: p.jobName()})
	case "show":
		return done(p, &CopyJobShow{Name: p.jobName()})
	case "drop":
		return done(p, &CopyJobDrop{Name: p.jobName()})
	}
	a := &CopyJobAlter{Name: p.jobName()}
	a.Auto = p.auto()
	return done(p, a)
}

func (p *parser) jobName() string {
	t := p.tok()
	name := p.name()
	switch {
	case p.err != nil:
	case strings.Contains(name, "-") || p.isSym("-") && p.tok().pos == t.end:
		p.fail(at(p.src, int(t.pos), fault.Invalid, "The name of a COPY JOB may not contain a hyphen."))
	case len(name) > maxName || name == "":
		p.fail(at(p.src, int(t.pos), fault.Invalid, "The name of a COPY JOB must have between 1 and %d bytes.", maxName))
	}
	return name
}

// auto consumes [AUTO ON|OFF].
func (p *parser) auto() *bool {
	if !p.take("auto") {
		return nil
	}
	on := p.take("on")
	if !on {
		p.want("off")
	}
	return &on
}

func (c *copyParser) uniqueColumns() {
	seen := map[string]bool{}
	for _, name := range c.c.Spec.Columns {
		if seen[foldName(name)] {
			c.fail(invalid("column %q specified more than once", name))
		}
		seen[foldName(name)] = true
	}
}

// otherSources are the sources of COPY besides S3, by the prefix of the FROM text.
var otherSources = map[string]string{"dynamodb": "DynamoDB", "emr": "Amazon EMR", "ssh": "SSH"}

func (c *copyParser) source() {
	t := c.tok()
	c.c.Source = c.literal()
	if c.err != nil {
		return
	}
	scheme, rest, ok := strings.Cut(c.c.Source, "://")
	if name := otherSources[foldName(scheme)]; ok && name != "" {
		c.fail(unsupported("COPY from %s is not supported yet.", name))
		return
	}
	if !ok || foldName(scheme) != "s3" {
		c.fail(at(c.src, int(t.pos), fault.Invalid, "COPY reads from S3: FROM must be 's3://bucket/prefix'."))
		return
	}
	c.c.Bucket, c.c.Prefix, _ = strings.Cut(rest, "/")
	if c.c.Bucket == "" {
		c.fail(at(c.src, int(t.pos), fault.Invalid, "COPY reads from S3: FROM 's3://bucket/prefix' has no bucket."))
	}
}

// absentOptions are the documented clauses of COPY that are not offered yet.
var absentOptions = map[string]bool{
	"avro": true, "orc": true, "shapefile": true, "fixedwidth": true, "manifest": true, "bzip2": true, "lzop": true,
	"encrypted": true, "master_symmetric_key": true, "acceptanydate": true, "acceptinvchars": true,
	"blanksasnull": true, "emptyasnull": true, "encoding": true, "escape": true, "removequotes": true,
	"fillrecord": true, "ignoreblanklines": true, "ignoreallerrors": true, "trimblanks": true,
	"truncatecolumns": true, "roundec": true, "explicit_ids": true, "noload": true, "serializetojson": true,
	"readratio": true, "ssh": true, "simplify": true,
}

// forbiddenInJob are the clauses no COPY JOB may have.
var forbiddenInJob = map[string]bool{
	"maxerror": true, "ignoreallerrors": true, "manifest": true,
	"access_key_id": true, "secret_access_key": true, "session_token": true,
}

// option consumes one clause.
func (c *copyParser) option() {
	t := c.tok()
	if t.kind != tWord {
		c.unexpected()
		return
	}
	word := t.word
	name := strings.ToUpper(word)
	switch {
	case c.job && forbiddenInJob[word]:
		c.fail(invalid("%s is not allowed in a COPY JOB.", name))
		return
	case absentOptions[word]:
		c.fail(unsupported("COPY option %s is not supported yet.", name))
		return
	}
	c.next()
	switch word {
	case "format":
		c.take("as")
		if t := c.tok(); t.kind != tWord || !formatWords[t.word] && !absentOptions[t.word] {
			c.unexpected()
		}
		return
	case "as", "with":
		if t := c.tok(); t.kind != tWord || !formatWords[t.word] && !absentOptions[t.word] && t.word != "credentials" {
			c.unexpected()
		}
		return
	}
	if c.seen[name] {
		c.fail(at(c.src, int(t.pos), fault.Invalid, "The COPY option %s is given more than once.", name))
		return
	}
	c.seen[name] = true
	if !c.formatOption(word) && !c.authOption(word) && !c.loadOption(word) {
		c.i--
		c.unexpected()
	}
}

// formatWords may follow FORMAT.
var formatWords = map[string]bool{"csv": true, "json": true, "parquet": true, "delimiter": true}

func (c *copyParser) formatOption(word string) bool {
	s := &c.c.Spec
	switch word {
	case "csv":
		c.setFormat("CSV", load.CSV)
		if c.take("quote") {
			c.seen["QUOTE"] = true
			c.take("as")
			s.Quote = c.character("QUOTE")
		}
	case "quote":
		c.take("as")
		s.Quote = c.character("QUOTE")
	case "json":
		c.setFormat("JSON", load.JSON)
		c.take("as")
		if c.tok().isString() {
			switch how := c.literal(); how {
			case "auto":
			case "auto ignorecase", "noshred":
				c.fail(unsupported("COPY option JSON '%s' is not supported yet.", how))
			default:
				c.fail(unsupported("COPY option JSON with a JSONPaths file is not supported yet."))
			}
		}
	case "parquet":
		c.setFormat("PARQUET", load.Parquet)
	case "delimiter":
		c.take("as")
		s.Delimiter = c.character("DELIMITER")
	case "gzip":
		c.setCompression(load.GZIP)
	case "zstd":
		c.setCompression(load.ZSTD)
	case "null":
		c.take("as")
		s.NullAs = c.copyLiteral()
		if c.err == nil && strings.ContainsAny(s.NullAs, "\n\r") {
			c.fail(invalid("NULL AS may not contain a line break: it ends the row."))
		}
	case "dateformat":
		c.take("as")
		s.DateFormat = c.pattern("DATEFORMAT")
	case "timeformat":
		c.take("as")
		s.TimeFormat = c.pattern("TIMEFORMAT")
	default:
		return false
	}
	return true
}

func (c *copyParser) setFormat(name string, f load.Format) {
	if c.format != "" {
		c.fail(invalid("COPY has two formats, %s and %s.", c.format, name))
	}
	c.format, c.c.Spec.Format = name, f
}

func (c *copyParser) setCompression(z load.Compression) {
	if c.c.Spec.Compression != load.Uncompressed {
		c.fail(invalid("COPY may have only one of GZIP, ZSTD, BZIP2 and LZOP."))
	}
	c.c.Spec.Compression = z
}

func (c *copyParser) pattern(option string) string {
	v := c.literal()
	if c.err == nil && v == "" {
		c.fail(invalid("%s may not be empty.", option))
	}
	return v
}

// copyLiteral consumes a literal in which a backslash before a letter that means nothing stands for itself:
// NULL AS '\N' is backslash and N.
func (c *copyParser) copyLiteral() string {
	t := c.tok()
	if t.kind != tString && t.kind != tEscape {
		return c.literal()
	}
	c.next()
	raw := c.src[t.pos:t.end]
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' && i+1 < len(raw) {
			if strings.IndexByte("btnrf01234567'\\", raw[i+1]) < 0 {
				b.WriteString(`\\`)
				continue
			}
			b.WriteByte('\\')
			i++
		}
		b.WriteByte(raw[i])
	}
	return stringValue(t.kind, b.String())
}

// character consumes a literal of one ASCII character, which may be written '\t' or '\001' even where the
// backslash is escaped itself.
func (c *copyParser) character(option string) string {
	t := c.tok()
	v := c.copyLiteral()
	if len(v) > 1 && v[0] == '\\' {
		v = stringValue(tString, "'"+strings.ReplaceAll(v, "'", "''")+"'")
	}
	if c.err == nil && (len(v) != 1 || v[0] > 127 || v == "\n" || v == "\r") {
		c.fail(at(c.src, int(t.pos), fault.Invalid, "%s must be a single ASCII character.", option))
	}
	return v
}

func (c *copyParser) authOption(word string) bool {
	switch word {
	case "iam_role":
		if c.take("default") {
			c.c.DefaultRole = true
			break
		}
		if !c.tok().isString() {
			c.fail(invalid("IAM_ROLE must be followed by 'arn:aws:iam::account:role/name' or default."))
			break
		}
		c.setRole(c.literal())
	case "credentials":
		c.take("as")
		c.credentials(c.secret("CREDENTIALS"))
	case "access_key_id":
		c.c.AccessKeyID = c.secret("ACCESS_KEY_ID")
	case "secret_access_key":
		c.c.SecretAccessKey = Secret(c.secret("SECRET_ACCESS_KEY"))
	case "session_token", "token":
		c.c.SessionToken = Secret(c.secret("SESSION_TOKEN"))
	default:
		return false
	}
	if c.job && c.err == nil && c.c.IAMRole == "" {
		if c.c.DefaultRole {
			c.fail(invalid("IAM_ROLE default is not allowed in a COPY JOB: give the ARN of a role."))
		} else {
			c.fail(invalid("Access keys are not allowed in a COPY JOB: use IAM_ROLE with the ARN of a role."))
		}
	}
	return true
}

// secret consumes a literal without ever repeating what stands in its place.
func (c *copyParser) secret(option string) string {
	c.takeSym("=")
	c.take("as")
	if !c.tok().isString() {
		c.fail(invalid("%s must be followed by a quoted string.", option))
		return ""
	}
	return c.literal()
}

func (c *copyParser) setRole(arns string) {
	if c.err != nil {
		return
	}
	if arns == "default" {
		c.c.DefaultRole = true
		return
	}
	for _, a := range strings.Split(arns, ",") {
		if a = strings.TrimSpace(a); !strings.HasPrefix(a, "arn:") || !strings.Contains(a, ":role/") {
			c.fail(invalid("IAM_ROLE %q is not the ARN of a role, as in 'arn:aws:iam::123456789012:role/name'.", a))
			return
		}
	}
	c.c.IAMRole = arns
}

// credentials reads "key=value;key=value".
func (c *copyParser) credentials(text string) {
	if c.err != nil {
		return
	}
	for _, pair := range strings.Split(text, ";") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		switch foldName(strings.TrimSpace(key)) {
		case "aws_iam_role":
			c.setRole(value)
		case "aws_access_key_id":
			c.c.AccessKeyID = value
		case "aws_secret_access_key":
			c.c.SecretAccessKey = Secret(value)
		case "token", "session_token":
			c.c.SessionToken = Secret(value)
		case "master_symmetric_key":
			c.fail(unsupported("COPY option MASTER_SYMMETRIC_KEY is not supported yet."))
		default:
			c.fail(invalid("CREDENTIALS has a part that is none of aws_iam_role, aws_access_key_id, aws_secret_access_key and token."))
		}
	}
}

func (c *copyParser) loadOption(word string) bool {
	switch word {
	case "region":
		c.take("as")
		if c.c.Region = c.literal(); c.err == nil && c.c.Region == "" {
			c.fail(invalid("REGION may not be empty."))
		}
	case "ignoreheader":
		c.take("as")
		if c.c.Spec.IgnoreHeader = c.number(); c.err == nil && c.c.Spec.IgnoreHeader < 0 {
			c.fail(invalid("IGNOREHEADER must be a number of lines from 0."))
		}
	case "maxerror":
		c.take("as")
		if c.c.Spec.MaxError = c.number(); c.err == nil && (c.c.Spec.MaxError < 0 || c.c.Spec.MaxError > maxMaxError) {
			c.fail(invalid("MAXERROR must be between 0 and %d.", maxMaxError))
		}
	case "compupdate":
		if c.oneOf("preset", "on", "off", "true", "false") == "" && c.tok().kind == tString {
			c.boolean()
		}
	case "statupdate":
		if c.oneOf("on", "off", "true", "false") == "" && c.tok().kind == tString {
			c.boolean()
		}
	case "comprows":
		if n := c.number(); c.err == nil && (n < 1000 || n > 1000000000) {
			c.fail(invalid("COMPROWS must be between 1000 and 1000000000."))
		}
	default:
		return false
	}
	return true
}

// finish applies defaults and refuses clauses that exclude each other.
func (c *copyParser) finish() {
	s := &c.c.Spec
	refuse := func(with string, options ...string) {
		for _, o := range options {
			if c.seen[o] {
				c.fail(invalid("%s argument is not supported for %s based COPY", o, with))
				return
			}
		}
	}
	switch s.Format {
	case load.Parquet:
		refuse("PARQUET", "DELIMITER", "QUOTE", "NULL", "GZIP", "ZSTD", "IGNOREHEADER", "DATEFORMAT", "TIMEFORMAT",
			"MAXERROR", "COMPUPDATE", "COMPROWS", "REGION")
	case load.JSON:
		refuse("JSON", "DELIMITER", "QUOTE", "NULL")
	case load.Text:
		refuse("DELIMITER", "QUOTE")
	}
	roles, keys := c.c.IAMRole != "" || c.c.DefaultRole, c.c.AccessKeyID != "" || c.c.SecretAccessKey != "" || c.c.SessionToken != ""
	switch {
	case c.err != nil:
		return
	case c.c.IAMRole != "" && c.c.DefaultRole, roles && keys, c.seen["CREDENTIALS"] && (c.seen["IAM_ROLE"] || c.seen["ACCESS_KEY_ID"]):
		c.fail(invalid("COPY may have only one kind of credentials."))
	case keys && (c.c.AccessKeyID == "" || c.c.SecretAccessKey == ""):
		c.fail(invalid("Access keys need both ACCESS_KEY_ID and SECRET_ACCESS_KEY."))
	}
	if s.Format != load.Text && s.Format != load.CSV {
		return
	}
	if s.Delimiter == "" {
		s.Delimiter = "|"
		if s.Format == load.CSV {
			s.Delimiter = ","
		}
	}
	if s.Format == load.CSV && s.Quote == "" {
		s.Quote = `"`
	}
	if s.Format == load.CSV && s.Quote == s.Delimiter {
		c.fail(invalid("DELIMITER and QUOTE must differ."))
	}
	if !c.seen["NULL"] {
		s.NullAs = defaultNullAs
	}
}
