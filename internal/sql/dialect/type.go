package dialect

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// Type is a Redshift data type.
type Type struct {
	Name      string // canonical: "character varying", "numeric", "timestamp without time zone", "super"
	Length    int    // in bytes, of character and varbyte types; 0 for others
	Precision int    // of numeric
	Scale     int    // of numeric
	DuckDB    string // the type that holds it: "VARCHAR", "DECIMAL(18,0)", "JSON"
}

// Longest and default lengths of Redshift's types.
const (
	maxVarchar     = 65535
	maxChar        = 4096
	maxVarbyte     = 16777216
	defaultVarchar = 256
	defaultVarbyte = 64000
	maxPrecision   = 38
)

// String is the type as Redshift's catalogue shows it, "character varying(20)"; ParseType reads it back.
func (t Type) String() string {
	switch {
	case t.Name == "numeric":
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	case t.Length > 0:
		return fmt.Sprintf("%s(%d)", t.Name, t.Length)
	}
	return t.Name
}

// Super reports whether values of the type are navigated with paths.
func (t Type) Super() bool { return t.DuckDB == "JSON" }

// simpleTypes are the types without arguments, by every name they have.
var simpleTypes = map[string]Type{
	"smallint":    {Name: "smallint", DuckDB: "SMALLINT"},
	"int2":        {Name: "smallint", DuckDB: "SMALLINT"},
	"integer":     {Name: "integer", DuckDB: "INTEGER"},
	"int":         {Name: "integer", DuckDB: "INTEGER"},
	"int4":        {Name: "integer", DuckDB: "INTEGER"},
	"bigint":      {Name: "bigint", DuckDB: "BIGINT"},
	"int8":        {Name: "bigint", DuckDB: "BIGINT"},
	"real":        {Name: "real", DuckDB: "REAL"},
	"float4":      {Name: "real", DuckDB: "REAL"},
	"float8":      {Name: "double precision", DuckDB: "DOUBLE"},
	"boolean":     {Name: "boolean", DuckDB: "BOOLEAN"},
	"bool":        {Name: "boolean", DuckDB: "BOOLEAN"},
	"date":        {Name: "date", DuckDB: "DATE"},
	"timestamptz": {Name: "timestamp with time zone", DuckDB: "TIMESTAMPTZ"},
	"timetz":      {Name: "time with time zone", DuckDB: "TIMETZ"},
	"super":       {Name: "super", DuckDB: "JSON"},
	"intervaly2m": {Name: "interval year to month", DuckDB: "INTERVAL"},
	"intervald2s": {Name: "interval day to second", DuckDB: "INTERVAL"},
	"oid":         {Name: "oid", DuckDB: "BIGINT"},
	"name":        {Name: "name", DuckDB: "VARCHAR"},
}

// absentTypes are Redshift types nothing here can hold.
var absentTypes = map[string]bool{"geometry": true, "geography": true, "hllsketch": true}

// dataType consumes a type.
func (p *parser) dataType() Type {
	start := p.i
	t, ok := p.tryType()
	if !ok && p.err == nil {
		p.i = start
		switch tok := p.tok(); {
		case tok.kind == tWord && absentTypes[tok.word]:
			p.fail(unsupported("The type %s is not supported yet.", strings.ToUpper(tok.word)))
		case tok.kind == tWord || tok.kind == tQuoted:
			p.fail(at(p.src, int(tok.pos), fault.Invalid, "type %q does not exist", tok.word))
		default:
			p.unexpected()
		}
	}
	return t
}

// tryType consumes a type if one of Redshift's is next. It fails only for one whose arguments are wrong.
func (p *parser) tryType() (Type, bool) {
	tok := p.tok()
	if tok.kind == tQuoted && tok.word == "char" {
		p.i++
		return Type{Name: `"char"`, DuckDB: "VARCHAR"}, true
	}
	if tok.kind != tWord {
		return Type{}, false
	}
	if t, ok := simpleTypes[tok.word]; ok {
		p.i++
		return t, true
	}
	p.i++
	switch tok.word {
	case "double":
		if p.take("precision") {
			return simpleTypes["float8"], true
		}
		return Type{}, false
	case "float":
		if n, ok := p.argument(53); ok && n <= 24 {
			return simpleTypes["real"], true
		}
		return simpleTypes["float8"], true
	case "numeric", "decimal", "dec":
		return p.numericType(), true
	case "char", "character", "nchar", "bpchar":
		if tok.word != "bpchar" && p.take("varying") {
			return p.sizedType("character varying", "VARCHAR", defaultVarchar, maxVarchar), true
		}
		if tok.word == "bpchar" {
			return p.sizedType("character", "VARCHAR", defaultVarchar, maxChar), true
		}
		return p.sizedType("character", "VARCHAR", 1, maxChar), true
	case "varchar", "nvarchar", "text":
		return p.sizedType("character varying", "VARCHAR", defaultVarchar, maxVarchar), true
	case "binary":
		if !p.take("varying") {
			return Type{}, false
		}
		return p.sizedType("binary varying", "BLOB", defaultVarbyte, maxVarbyte), true
	case "varbyte", "varbinary":
		return p.sizedType("binary varying", "BLOB", defaultVarbyte, maxVarbyte), true
	case "timestamp", "time":
		p.argument(6) // precision, always microseconds
		zoned := p.take("with", "time", "zone")
		if !zoned {
			p.take("without", "time", "zone")
		}
		duck := strings.ToUpper(tok.word)
		if zoned {
			return Type{Name: tok.word + " with time zone", DuckDB: duck + "TZ"}, true
		}
		return Type{Name: tok.word + " without time zone", DuckDB: duck}, true
	case "interval":
		switch {
		case p.take("year", "to", "month"):
			return Type{Name: "interval year to month", DuckDB: "INTERVAL"}, true
		case p.take("day", "to", "second"):
			p.argument(6)
			return Type{Name: "interval day to second", DuckDB: "INTERVAL"}, true
		}
	}
	return Type{}, false
}

// argument consumes "(n)" if it is there.
func (p *parser) argument(limit int) (int, bool) {
	if !p.takeSym("(") {
		return 0, false
	}
	n := p.number()
	if p.err == nil && (n < 0 || n > limit) {
		p.fail(invalid("The type's argument %d must be between 0 and %d.", n, limit))
	}
	p.wantSym(")")
	return n, true
}

func (p *parser) sizedType(name, duck string, size, limit int) Type {
	t := Type{Name: name, Length: size, DuckDB: duck}
	if !p.takeSym("(") {
		return t
	}
	if p.take("max") {
		t.Length = limit
	} else {
		t.Length = p.number()
		if p.err == nil && t.Length < 1 {
			p.fail(invalid("length for type %s must be at least 1", name))
		}
		if p.err == nil && t.Length > limit {
			p.fail(invalid("length for type %s cannot exceed %d", name, limit))
		}
	}
	p.wantSym(")")
	return t
}

func (p *parser) numericType() Type {
	t := Type{Name: "numeric", Precision: 18}
	if p.takeSym("(") {
		t.Precision = p.number()
		if p.takeSym(",") {
			t.Scale = p.number()
		}
		p.wantSym(")")
		switch {
		case p.err != nil:
		case t.Precision < 1 || t.Precision > maxPrecision:
			p.fail(invalid("NUMERIC precision %d must be between 1 and %d", t.Precision, maxPrecision))
		case t.Scale < 0 || t.Scale > t.Precision || t.Scale > 37:
			p.fail(invalid("NUMERIC scale %d must be between 0 and precision %d", t.Scale, t.Precision))
		}
	}
	t.DuckDB = fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale)
	return t
}

// duckTypes describe DuckDB's types in Redshift's words.
var duckTypes = map[string]Type{
	"BOOLEAN":                  simpleTypes["boolean"],
	"TINYINT":                  {Name: "smallint", DuckDB: "TINYINT"},
	"UTINYINT":                 {Name: "smallint", DuckDB: "UTINYINT"},
	"SMALLINT":                 simpleTypes["smallint"],
	"USMALLINT":                {Name: "integer", DuckDB: "USMALLINT"},
	"INTEGER":                  simpleTypes["integer"],
	"UINTEGER":                 {Name: "bigint", DuckDB: "UINTEGER"},
	"BIGINT":                   simpleTypes["bigint"],
	"UBIGINT":                  {Name: "numeric", Precision: 38, DuckDB: "UBIGINT"},
	"HUGEINT":                  {Name: "numeric", Precision: 38, DuckDB: "HUGEINT"},
	"UHUGEINT":                 {Name: "numeric", Precision: 38, DuckDB: "UHUGEINT"},
	"FLOAT":                    simpleTypes["real"],
	"REAL":                     simpleTypes["real"],
	"DOUBLE":                   simpleTypes["float8"],
	"VARCHAR":                  {Name: "character varying", Length: maxVarchar, DuckDB: "VARCHAR"},
	"BLOB":                     {Name: "binary varying", Length: maxVarbyte, DuckDB: "BLOB"},
	"JSON":                     simpleTypes["super"],
	"DATE":                     simpleTypes["date"],
	"TIME":                     {Name: "time without time zone", DuckDB: "TIME"},
	"TIMETZ":                   simpleTypes["timetz"],
	"TIME WITH TIME ZONE":      simpleTypes["timetz"],
	"TIMESTAMP":                {Name: "timestamp without time zone", DuckDB: "TIMESTAMP"},
	"TIMESTAMP_S":              {Name: "timestamp without time zone", DuckDB: "TIMESTAMP_S"},
	"TIMESTAMP_MS":             {Name: "timestamp without time zone", DuckDB: "TIMESTAMP_MS"},
	"TIMESTAMP_NS":             {Name: "timestamp without time zone", DuckDB: "TIMESTAMP_NS"},
	"TIMESTAMPTZ":              simpleTypes["timestamptz"],
	"TIMESTAMP WITH TIME ZONE": simpleTypes["timestamptz"],
	"INTERVAL":                 {Name: "interval day to second", DuckDB: "INTERVAL"},
	"UUID":                     {Name: "character varying", Length: 36, DuckDB: "UUID"},
}

// TypeOfDuckDB returns the Redshift type that describes a DuckDB type best. Lists, structs and other types
// Redshift has no word for are described as text, which is how a client gets them.
func TypeOfDuckDB(name string) Type {
	upper := strings.ToUpper(name)
	if t, ok := duckTypes[upper]; ok {
		return t
	}
	if rest, ok := strings.CutPrefix(upper, "DECIMAL("); ok && strings.HasSuffix(rest, ")") {
		width, scale, _ := strings.Cut(strings.TrimSuffix(rest, ")"), ",")
		p, err1 := strconv.Atoi(strings.TrimSpace(width))
		s, err2 := strconv.Atoi(strings.TrimSpace(scale))
		if err1 == nil && err2 == nil {
			return Type{Name: "numeric", Precision: p, Scale: s, DuckDB: name}
		}
	}
	return Type{Name: "character varying", Length: maxVarchar, DuckDB: name}
}

// TypeOf returns the type a client's column metadata describes: Redshift's name for it, inside ("int4",
// "varchar") or outside, and what goes with it. An unknown name is text.
func TypeOf(name string, length, precision, scale int) Type {
	t, err := ParseType(name)
	if err != nil {
		return Type{Name: "character varying", Length: maxVarchar, DuckDB: "VARCHAR"}
	}
	switch {
	case t.Name == "numeric" && precision >= 1 && precision <= maxPrecision && scale >= 0 && scale <= precision:
		t.Precision, t.Scale = precision, scale
		t.DuckDB = fmt.Sprintf("DECIMAL(%d,%d)", precision, scale)
	case t.Length > 0 && length > 0:
		t.Length = length
	}
	return t
}

// class is what the renderer needs to know of an expression's type.
type class uint8

const (
	cUnknown class = iota
	cNull          // the literal NULL
	cLiteral       // a string literal nothing has given a type yet
	cSuper
	cText
	cInteger
	cNumber // decimals and floats
	cBool
	cTime // dates, timestamps and times
	cInterval
	cOther
)

func (t Type) class() class {
	switch d := t.DuckDB; {
	case d == "JSON":
		return cSuper
	case d == "VARCHAR" || d == "UUID":
		return cText
	case d == "BOOLEAN":
		return cBool
	case strings.HasSuffix(d, "INT") || strings.HasSuffix(d, "INTEGER"):
		return cInteger
	case strings.HasPrefix(d, "DECIMAL") || d == "DOUBLE" || d == "REAL" || d == "FLOAT":
		return cNumber
	case strings.HasPrefix(d, "TIME") || d == "DATE":
		return cTime
	case d == "INTERVAL":
		return cInterval
	case d == "":
		return cUnknown
	}
	return cOther
}
