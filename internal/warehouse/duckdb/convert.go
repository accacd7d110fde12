package duckdb

import (
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// converter turns the text of a field into a column's value exactly as Redshift's COPY does, in SQL. DuckDB's
// own casts accept more ("1e3", "0x1F" and "1_000" are integers to it) and round where Redshift cuts digits
// off, so a cast is trusted only where the text is what the value prints as, which nearly all text is; what is
// left goes by a regular expression.
type converter struct {
	column  tableColumn
	null    string // SQL: the field means NULL
	value   string // SQL: the value, NULL where the field is bad
	total   bool   // no field is bad
	doubt   string // SQL: the engine may have misread the field; "" where it cannot
	maxSize int    // of a text, in bytes; 0 is none
}

// strict is the value; a bad field fails the statement, and so does one in doubt.
func (c converter) strict() string {
	if c.doubt == "" {
		return c.certain()
	}
	return fmt.Sprintf("CASE WHEN %s THEN error('penstock: doubtful field') ELSE %s END", c.doubt, c.certain())
}

// certain is strict without the doubt.
func (c converter) certain() string {
	onNull := "NULL"
	if c.column.notNull {
		onNull = "error('penstock: null')"
	} else if c.total {
		return c.value
	}
	return fmt.Sprintf("coalesce(%s, CASE WHEN %s THEN %s ELSE error('penstock: bad field') END)", c.value, c.null, onNull)
}

// bad is true where the field is bad.
func (c converter) bad() string {
	onNull := "false"
	if c.column.notNull {
		onNull = "true"
	}
	return fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN false WHEN %s THEN %s ELSE true END", c.value, c.null, onNull)
}

const (
	reInteger   = `' *[+-]?[0-9]+ *'`
	reDecimal   = `' *[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+) *'`
	reExponent  = `' *[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)[eE][+-]?[0-9]+ *'`
	reDate      = `' *[0-9]{4}-[0-9]{1,2}-[0-9]{1,2} *'`
	reTime      = `' *[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)? *'`
	reTimestamp = `' *[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}( +[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)? *'`
	reZoned     = `' *[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}( +[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)? *([+-][0-9]{1,2}(:?[0-9]{2})?|Z|UTC)? *'`
	reHex       = `' *([0-9a-fA-F]{2})+ *'`
)

// newConverter returns the converter of a field whose text is the SQL expression f.
func newConverter(col tableColumn, f string, spec load.Spec) (converter, error) {
	c := converter{column: col, null: fmt.Sprintf("(%s IS NULL OR trim(%[1]s) = '')", f)}
	printed := func(typ, text string) string {
		return fmt.Sprintf("CAST(TRY_CAST(%s AS %s) AS VARCHAR) = %[1]s", text, typ)
	}
	cast := func(typ, text string) string { return fmt.Sprintf("TRY_CAST(%s AS %s)", text, typ) }
	var err error
	switch col.duck {
	case "SMALLINT", "INTEGER", "BIGINT", "TINYINT", "HUGEINT":
		c.value = fmt.Sprintf("CASE WHEN %s THEN %s WHEN regexp_full_match(%s, %s) THEN %s END",
			printed(col.duck, f), cast(col.duck, f), f, reInteger, cast(col.duck, "trim("+f+")"))
	case "FLOAT", "DOUBLE":
		v := cast(col.duck, f)
		c.value = fmt.Sprintf("CASE WHEN contains(%s, '_') THEN NULL WHEN isfinite(%s) THEN %[2]s WHEN regexp_full_match(%[1]s, '(?i) *[+-]?(inf|infinity|nan) *') THEN %[2]s END", f, v)
	case "BOOLEAN":
		c.value = fmt.Sprintf(`CASE WHEN %s IN ('t', 'true', '1', 'TRUE', 'T') THEN true WHEN %[1]s IN ('f', 'false', '0', 'FALSE', 'F') THEN false
			WHEN lower(trim(%[1]s)) IN ('t', 'true', 'y', 'yes', '1') THEN true WHEN lower(trim(%[1]s)) IN ('f', 'false', 'n', 'no', '0') THEN false END`, f)
	case "VARCHAR":
		c.text(f)
	case "JSON":
		c.super(f, spec)
	case "BLOB":
		c.maxSize = col.rs.length
		c.value = fmt.Sprintf("CASE WHEN regexp_full_match(%s, %s) AND (%d = 0 OR strlen(trim(%[1]s)) <= 2 * %[3]d) THEN unhex(trim(%[1]s)) END", f, reHex, c.maxSize)
	case "DATE":
		c.value, err = dateValue(f, spec.DateFormat)
	case "TIME", "TIME WITH TIME ZONE":
		if col.duck == "TIME" {
			c.value = fmt.Sprintf("CASE WHEN regexp_full_match(%s, %s) THEN %s END", f, reTime, cast("TIME", f))
		} else {
			c.value = cast("TIMETZ", f)
		}
	case "TIMESTAMP", "TIMESTAMP WITH TIME ZONE":
		c.value, err = timestampValue(f, col.duck, spec.TimeFormat)
	default:
		if !strings.HasPrefix(col.duck, "DECIMAL(") {
			return c, fault.New(fault.Unsupported, SubjectColumn, "column %q has the type %s, which COPY cannot load", col.Name, col.duck)
		}
		c.value = decimalValue(f, col.duck, spec.Format == load.JSON)
	}
	return c, err
}

// text keeps a text as it is if it fits the column, whose length counts bytes.
func (c *converter) text(f string) {
	c.null = f + " IS NULL"
	c.maxSize = c.column.rs.length
	if c.maxSize == 0 {
		c.maxSize = maxVarchar
	}
	if c.column.rs.name == "character" {
		// Trailing blanks mean nothing in a CHAR, and its characters have one byte each.
		c.value = fmt.Sprintf("CASE WHEN strlen(rtrim(%s)) <= %d AND strlen(%[1]s) = length(%[1]s) AND NOT contains(%[1]s, chr(0)) THEN rtrim(%[1]s) END", f, c.maxSize)
		return
	}
	c.value = fmt.Sprintf("CASE WHEN strlen(%s) <= %d AND NOT contains(%[1]s, chr(0)) THEN %[1]s END", f, c.maxSize)
}

// super takes JSON. Out of a JSON file it has been read already; a null in it is NULL.
func (c *converter) super(f string, spec load.Spec) {
	if spec.Format == load.JSON {
		c.null = f + " IS NULL"
		c.value = fmt.Sprintf("CASE WHEN strlen(%s) <= %d THEN CAST(%[1]s AS JSON) END", f, maxSuper)
		return
	}
	c.null = fmt.Sprintf("(%s IS NULL OR trim(%[1]s) IN ('', 'null'))", f)
	c.value = fmt.Sprintf("CASE WHEN strlen(%s) <= %d THEN nullif(TRY_CAST(%[1]s AS JSON), 'null') END", f, maxSuper)
}

const maxSuper = 16 << 20

// decimalValue cuts surplus digits off. DuckDB casts text to a wide decimal a hundred times slower than to
// one of 18 digits, so short text goes by way of the latter.
func decimalValue(f, typ string, exponents bool) string {
	var precision, scale int
	if n, err := fmt.Sscanf(typ, "DECIMAL(%d,%d)", &precision, &scale); n != 2 || err != nil {
		precision, scale = 38, 0 // not reached: the catalogue prints both
	}
	cast := func(text string) string {
		if precision <= 18 || scale > 16 {
			return fmt.Sprintf("TRY_CAST(%s AS %s)", text, typ)
		}
		return fmt.Sprintf("CASE WHEN strlen(%[1]s) <= %[2]d THEN TRY_CAST(TRY_CAST(%[1]s AS DECIMAL(18,%[3]d)) AS %[4]s) ELSE TRY_CAST(%[1]s AS %[4]s) END", text, 16-scale+1, scale, typ)
	}
	trimmed := "trim(" + f + ")"
	cut := fmt.Sprintf("CASE WHEN contains(%s, '.') THEN left(%[1]s, instr(%[1]s, '.') + %d) || '0' ELSE %[1]s END", trimmed, scale)
	v := fmt.Sprintf("CASE WHEN CAST(%s AS VARCHAR) = %s THEN %[1]s WHEN regexp_full_match(%[2]s, %s) THEN %s", cast(f), f, reDecimal, cast("("+cut+")"))
	if exponents { // as numbers of JSON are printed when they are very large or small
		v += fmt.Sprintf(" WHEN regexp_full_match(%[1]s, %[2]s) THEN TRY_CAST(%[1]s AS %[3]s)", f, reExponent, typ)
	}
	return v + " END"
}

// dateValue and timestampValue compare first and look at the length, which keeps "infinity" out, second: on
// what a first condition leaves over the engine casts half as fast.
func dateValue(f, format string) (string, error) {
	switch format {
	case "":
		return fmt.Sprintf("CASE WHEN CAST(TRY_CAST(%[1]s AS DATE) AS VARCHAR) = %[1]s AND strlen(%[1]s) = 10 THEN TRY_CAST(%[1]s AS DATE) WHEN regexp_full_match(%[1]s, %[2]s) THEN TRY_CAST(%[1]s AS DATE) END", f, reDate), nil
	case "auto":
		return fmt.Sprintf("CAST(%s AS DATE)", autoTimestamp(f)), nil
	}
	p, err := strptime("DATEFORMAT", format)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("CAST(try_strptime(trim(%s), %s) AS DATE)", f, literal(p)), nil
}

func timestampValue(f, typ, format string) (string, error) {
	switch format {
	case "":
		re := reTimestamp
		if typ != "TIMESTAMP" {
			re = reZoned
		}
		// Text without a zone is in UTC, and so is the engine.
		return fmt.Sprintf("CASE WHEN CAST(TRY_CAST(%[1]s AS %[2]s) AS VARCHAR) = %[1]s AND strlen(%[1]s) >= 19 THEN TRY_CAST(%[1]s AS %[2]s) "+
			"WHEN regexp_full_match(%[1]s, %[3]s) THEN TRY_CAST(%[1]s AS %[2]s) END", f, typ, re), nil
	case "auto":
		if typ != "TIMESTAMP" {
			return fmt.Sprintf("coalesce(%s, %s)", fmt.Sprintf("TRY_CAST(%s AS TIMESTAMPTZ)", f), autoTimestamp(f)+" AT TIME ZONE 'UTC'"), nil
		}
		return autoTimestamp(f), nil
	case "epochsecs", "epochmillisecs":
		factor := "1e6"
		if format == "epochmillisecs" {
			factor = "1e3"
		}
		// A double keeps microseconds up to the year 2255, and whole seconds far beyond.
		v := fmt.Sprintf("CASE WHEN regexp_full_match(%s, %s) AND abs(TRY_CAST(%[1]s AS DOUBLE) * %[3]s) < 9e18 THEN make_timestamp(CAST(round(TRY_CAST(%[1]s AS DOUBLE) * %[3]s) AS BIGINT)) END", f, reDecimal, factor)
		if typ != "TIMESTAMP" {
			v = "(" + v + " AT TIME ZONE 'UTC')"
		}
		return v, nil
	}
	p, err := strptime("TIMEFORMAT", format)
	if err != nil {
		return "", err
	}
	list := literal(p)
	if strings.HasSuffix(p, "%S") {
		list = "[" + literal(p) + ", " + literal(p+".%f") + "]"
	}
	v := fmt.Sprintf("try_strptime(trim(%s), %s)", f, list)
	if typ != "TIMESTAMP" {
		v = "(" + v + " AT TIME ZONE 'UTC')"
	}
	return v, nil
}

// autoFormats are what DATEFORMAT and TIMEFORMAT 'auto' recognise beyond ISO 8601, the more specific first.
var autoFormats = func() []string {
	dates := []string{
		"%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%m/%d/%y", "%m-%d-%y", "%Y-%b-%d", "%d-%b-%Y", "%b-%d-%Y",
		"%d %b %Y", "%b %d, %Y", "%b %d %Y", "%d-%B-%Y", "%d %B %Y", "%B %d, %Y", "%B %d %Y", "%y%m%d",
	}
	times := []string{"", " %H:%M:%S", " %H:%M:%S.%f", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "T%H:%M:%S", "T%H:%M:%S.%f", " %H%M%S"}
	var all []string
	for _, d := range dates {
		for _, t := range times {
			all = append(all, d+t)
		}
	}
	return append(all, "%a %b %d %H:%M:%S %Y", "%Y%m%d%H%M%S")
}()

func autoTimestamp(f string) string {
	quoted := make([]string, len(autoFormats))
	for i, p := range autoFormats {
		quoted[i] = literal(p)
	}
	return fmt.Sprintf("coalesce(CASE WHEN regexp_matches(%s, '^ *[0-9]{4}-') THEN TRY_CAST(%[1]s AS TIMESTAMP) END, try_strptime(trim(%[1]s), [%s]))", f, strings.Join(quoted, ", "))
}

// formatTokens are Redshift's format words, the longer before those they begin with.
var formatTokens = []struct{ token, strptime string }{
	{"YYYY", "%Y"}, {"YY", "%y"}, {"MONTH", "%B"}, {"MON", "%b"}, {"MM", "%m"}, {"MI", "%M"}, {"DDD", "%j"}, {"DD", "%d"},
	{"HH24", "%H"}, {"HH12", "%I"}, {"HH", "%H"}, {"SS", "%S"}, {"AM", "%p"}, {"PM", "%p"}, {"A.M.", "%p"}, {"P.M.", "%p"},
	{"DAY", "%A"}, {"DY", "%a"}, {"US", "%f"}, {"MS", "%g"}, {"T", "T"},
}

// upperASCII keeps the length of a text, which strings.ToUpper does not.
func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// strptime turns a Redshift format into one of DuckDB's.
func strptime(option, format string) (string, error) {
	var b strings.Builder
	upper := upperASCII(format)
	noon := strings.Contains(upper, "AM") || strings.Contains(upper, "PM") || strings.Contains(upper, "A.M.") || strings.Contains(upper, "P.M.")
next:
	for i := 0; i < len(format); {
		for _, t := range formatTokens {
			if strings.HasPrefix(upper[i:], t.token) {
				p := t.strptime
				if t.token == "HH" && noon {
					p = "%I"
				}
				b.WriteString(p)
				i += len(t.token)
				continue next
			}
		}
		switch c := format[i]; {
		case c == '%':
			b.WriteString("%%")
		case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
			return "", fault.New(fault.Invalid, SubjectLoad, "%s '%s' is not understood at '%s'; use YYYY, MM, MON, DD, HH24, HH12, MI, SS, AM and PM, or 'auto'",
				option, format, format[i:])
		default:
			b.WriteByte(c)
		}
		i++
	}
	return b.String(), nil
}
