package dialect

import "strings"

// dateParts are Redshift's names of the parts of a date, by DuckDB's.
var dateParts = func() map[string]string {
	m := map[string]string{}
	for duck, names := range map[string]string{
		"millennium":      "millennium millennia mil mils",
		"century":         "century centuries c cent cents",
		"decade":          "decade decades dec decs",
		"epoch":           "epoch",
		"year":            "year years y yr yrs",
		"quarter":         "quarter quarters qtr qtrs",
		"month":           "month months mon mons",
		"week":            "week weeks w",
		"dow":             "dayofweek dow dw weekday",
		"doy":             "dayofyear doy dy yearday",
		"day":             "day days d",
		"hour":            "hour hours h hr hrs",
		"minute":          "minute minutes m min mins",
		"second":          "second seconds s sec secs",
		"millisecond":     "millisecond milliseconds ms msec msecs msecond mseconds millisec millisecs millisecon",
		"microsecond":     "microsecond microseconds us usec usecs usecond useconds microsec microsecs microsecon",
		"timezone":        "timezone",
		"timezone_hour":   "timezone_hour",
		"timezone_minute": "timezone_minute",
	} {
		for _, n := range strings.Fields(names) {
			m[n] = duck
		}
	}
	return m
}()

// datePartOf returns DuckDB's name of the part an argument names: a bare word or a literal.
func (r *renderer) datePartOf(n *node) (string, bool) {
	var name string
	switch {
	case n.kind == nString:
		name = foldName(r.value(n))
	case n.kind == nRef && len(n.parts) == 1 && len(n.kids) == 0:
		name = foldName(n.parts[0].name)
	}
	part, ok := dateParts[name]
	return part, ok
}

// moment writes a date or timestamp. A literal has no type that DuckDB's functions could go by.
func (r *renderer) moment(n *node, sc *scope) {
	r.skip = true
	if n.kind != nString {
		r.as(n, sc, asType, "TIMESTAMP")
		r.skip = false
		return
	}
	r.write("CAST(")
	r.expr(n, sc)
	r.write(" AS TIMESTAMP)")
}

// intervals are DuckDB's functions for n of a part, and the type of n.
var intervals = map[string][2]string{
	"millennium": {"to_millennia", "INTEGER"}, "century": {"to_centuries", "INTEGER"}, "decade": {"to_decades", "INTEGER"},
	"year": {"to_years", "INTEGER"}, "quarter": {"to_quarters", "INTEGER"}, "month": {"to_months", "INTEGER"},
	"week": {"to_weeks", "INTEGER"}, "day": {"to_days", "INTEGER"}, "dow": {"to_days", "INTEGER"}, "doy": {"to_days", "INTEGER"},
	"hour": {"to_hours", "BIGINT"}, "minute": {"to_minutes", "BIGINT"}, "second": {"to_seconds", "BIGINT"}, "epoch": {"to_seconds", "BIGINT"},
	"millisecond": {"to_milliseconds", "BIGINT"}, "microsecond": {"to_microseconds", "BIGINT"},
}

// plus writes (moment + f(count)).
func (r *renderer) plus(n *node, moment, count *node, f [2]string, sc *scope) bool {
	r.gap(n.lo)
	r.write("(")
	r.moment(moment, sc)
	r.write(" + ", f[0], "(")
	if count.kind == nNumber && r.class(count, sc) == cInteger || count.kind == nUnary && r.class(count, sc) == cInteger {
		r.inline(count, sc, asJSON, "")
	} else {
		r.write("CAST(")
		r.inline(count, sc, asType, f[1])
		r.write(" AS ", f[1], ")")
	}
	r.write("))")
	return true
}

func (r *renderer) dateAdd(n *node, sc *scope) bool {
	if len(n.kids) != 3 {
		return false
	}
	part, ok := r.datePartOf(n.kids[0])
	f, known := intervals[part]
	return ok && known && r.plus(n, n.kids[2], n.kids[1], f, sc)
}

func (r *renderer) addMonths(n *node, sc *scope) bool {
	return len(n.kids) == 2 && r.plus(n, n.kids[0], n.kids[1], intervals["month"], sc)
}

func (r *renderer) dateDiff(n *node, sc *scope) bool {
	if len(n.kids) != 3 {
		return false
	}
	part, ok := r.datePartOf(n.kids[0])
	if !ok {
		return false
	}
	r.gap(n.lo)
	r.write("date_diff('", part, "', ")
	r.moment(n.kids[1], sc)
	r.write(", ")
	r.moment(n.kids[2], sc)
	r.write(")")
	return true
}

func (r *renderer) datePart(n *node, sc *scope) bool {
	if len(n.kids) != 2 {
		return false
	}
	part, ok := r.datePartOf(n.kids[0])
	if !ok {
		return false
	}
	r.gap(n.lo)
	r.write("date_part('", part, "', ")
	r.moment(n.kids[1], sc)
	r.write(")")
	return true
}

func (r *renderer) extract(n *node, sc *scope) bool {
	t := r.toks[n.mark]
	name := t.word
	if t.isString() {
		name = stringValue(t.kind, r.text(n.mark))
	}
	part, ok := dateParts[foldName(name)]
	if !ok {
		return false
	}
	r.gap(n.lo)
	r.write("date_part('", part, "', ")
	r.moment(n.kids[0], sc)
	r.write(")")
	return true
}

func (r *renderer) dateTrunc(n *node, sc *scope) bool {
	if len(n.kids) != 2 {
		return false
	}
	part, ok := r.datePartOf(n.kids[0])
	if !ok {
		return false
	}
	r.gap(n.lo)
	r.write("date_trunc('", part, "', ")
	r.moment(n.kids[1], sc)
	r.write(")")
	return true
}

// lastDay writes LAST_DAY, which takes a text for a time, too.
func (r *renderer) lastDay(n *node, sc *scope) bool {
	if len(n.kids) != 1 {
		return false
	}
	if c := r.class(n.kids[0], sc); c != cText && c != cLiteral {
		return false
	}
	r.open(n.lo, "last_day(CAST(")
	r.expr(n.kids[0], sc)
	r.write(" AS TIMESTAMP))")
	return true
}

// trunc writes TRUNC of a timestamp, which is its date.
func (r *renderer) trunc(n *node, sc *scope) bool {
	if len(n.kids) != 1 || r.class(n.kids[0], sc) != cTime {
		return false
	}
	r.open(n.lo, "CAST(")
	r.expr(n.kids[0], sc)
	r.write(" AS DATE)")
	return true
}

// convertTimezone writes CONVERT_TIMEZONE([source,] target, timestamp). Times without a zone are UTC.
func (r *renderer) convertTimezone(n *node, sc *scope) bool {
	if len(n.kids) != 2 && len(n.kids) != 3 {
		return false
	}
	last := len(n.kids) - 1
	r.gap(n.lo)
	r.write("((")
	r.moment(n.kids[last], sc)
	r.write(" AT TIME ZONE ")
	if last == 2 {
		r.inline(n.kids[0], sc, asText, "")
	} else {
		r.write("'UTC'")
	}
	r.write(") AT TIME ZONE ")
	r.inline(n.kids[last-1], sc, asText, "")
	r.write(")")
	return true
}

// formatParts are the patterns of TO_CHAR and TO_DATE, longest first, and strftime's codes.
var formatParts = [...][2]string{
	{"HH24", "%H"}, {"HH12", "%I"}, {"YYYY", "%Y"}, {"MONTH", "%B"}, {"SSSS", ""},
	{"YYY", ""}, {"DDD", "%j"}, {"DAY", "%A"}, {"MON", "%b"}, {"A.M.", ""}, {"P.M.", ""},
	{"HH", "%I"}, {"MI", "%M"}, {"SS", "%S"}, {"MS", "%g"}, {"US", "%f"}, {"YY", "%y"}, {"MM", "%m"}, {"DD", "%d"},
	{"DY", "%a"}, {"AM", "%p"}, {"PM", "%p"}, {"TZ", "%Z"}, {"OF", "%z"}, {"IW", "%V"}, {"ID", "%u"}, {"WW", ""}, {"CC", ""},
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

// timeFormat turns a pattern of TO_CHAR into one of strftime. ok is false for patterns it has no code for.
//
// HH is the hour of half a day when writing; when reading it is so only where AM or PM says which half.
func timeFormat(pattern string, reading bool) (format string, ok bool) {
	var b strings.Builder
	upper := upperASCII(pattern)
	wholeDay := reading && !strings.Contains(upper, "AM") && !strings.Contains(upper, "PM")
next:
	for i := 0; i < len(pattern); {
		if pattern[i] == '"' {
			end := strings.IndexByte(pattern[i+1:], '"')
			if end < 0 {
				return "", false
			}
			b.WriteString(strings.ReplaceAll(pattern[i+1:i+1+end], "%", "%%"))
			i += end + 2
			continue
		}
		if strings.HasPrefix(upper[i:], "FM") || strings.HasPrefix(upper[i:], "TH") {
			return "", false
		}
		for _, p := range formatParts {
			if strings.HasPrefix(upper[i:], p[0]) {
				if p[1] == "" {
					return "", false
				}
				code := p[1]
				if p[0] == "HH" && wholeDay {
					code = "%H"
				}
				b.WriteString(code)
				i += len(p[0])
				continue next
			}
		}
		c := pattern[i]
		if c == 'T' || c == 'Z' || !isLetter(c) {
			if c == '%' {
				b.WriteByte('%')
			}
			b.WriteByte(c)
			i++
			continue
		}
		return "", false
	}
	return b.String(), true
}

// formatted returns strftime's format for the pattern that is the second argument.
func (r *renderer) formatted(n *node, reading bool) (string, bool) {
	if len(n.kids) < 2 || n.kids[1].kind != nString {
		return "", false
	}
	return timeFormat(r.value(n.kids[1]), reading)
}

// toChar writes TO_CHAR of a time, or of a number: what is not known to be either is what the pattern is for.
func (r *renderer) toChar(n *node, sc *scope) bool {
	if len(n.kids) != 2 {
		return false
	}
	format, ok := r.formatted(n, false)
	c := r.class(n.kids[0], sc)
	if c == cInteger || c == cNumber || c != cTime && ok && !strings.Contains(format, "%") && strings.ContainsAny(format, "09") {
		r.open(n.lo, "to_char_number(CAST(")
		r.expr(n.kids[0], sc)
		r.write(" AS VARCHAR), ")
		r.inline(n.kids[1], sc, asText, "")
		r.write(")")
		return true
	}
	if !ok {
		return false
	}
	r.gap(n.lo)
	r.write("strftime(")
	r.moment(n.kids[0], sc)
	r.write(", ", quoteString(format), ")")
	return true
}

func (r *renderer) toDate(n *node, sc *scope) bool {
	format, ok := r.formatted(n, true)
	if !ok {
		return false
	}
	r.open(n.lo, "CAST(strptime(")
	r.as(n.kids[0], sc, asText, "")
	r.write(", ", quoteString(format), ") AS DATE)")
	return true
}

func (r *renderer) toTimestamp(n *node, sc *scope) bool {
	format, ok := r.formatted(n, true)
	if !ok {
		return false
	}
	r.open(n.lo, "CAST(strptime(")
	r.as(n.kids[0], sc, asText, "")
	r.write(", ", quoteString(format), ") AS TIMESTAMPTZ)")
	return true
}
