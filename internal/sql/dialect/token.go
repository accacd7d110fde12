package dialect

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is the class of a token.
type kind uint8

const (
	tEOF    kind = iota
	tSpace       // white space
	tRemark      // -- to the end of the line, or /* */, which nests
	tWord        // unquoted identifier or keyword, #temp_name included
	tQuoted      // "identifier"
	tString      // 'text', in which a backslash escapes, as in Redshift
	tEscape      // E'text'
	tDollar      // $tag$text$tag$
	tNumber      // 1, 1.5, .5, 1e9
	tParam       // :name
	tSymbol      // operators and punctuation
	tBad         // what no token starts with, or one that never ends
)

// token is a piece of a statement. word is set for tWord (folded to lower case), tQuoted (the name itself,
// without quotes) and tSymbol (the symbol).
type token struct {
	kind     kind
	flags    flags
	pos, end int32
	word     string
}

// scan returns the token that starts at pos. Joined, the tokens of a text are the text.
func scan(src string, pos int) token {
	if pos >= len(src) {
		return token{kind: tEOF, pos: int32(len(src)), end: int32(len(src))}
	}
	t := token{pos: int32(pos)}
	var end int
	c := src[pos]
	switch {
	case isSpace(c):
		t.kind, end = tSpace, pos+1
		for end < len(src) && isSpace(src[end]) {
			end++
		}
	case c == '-' && strings.HasPrefix(src[pos:], "--"):
		t.kind, end = tRemark, len(src)
		if n := strings.IndexAny(src[pos:], "\n\r"); n >= 0 {
			end = pos + n
		}
	case c == '/' && strings.HasPrefix(src[pos:], "/*"):
		t.kind, end = scanRemark(src, pos)
	case c == '\'':
		t.kind, end = scanString(src, pos, tString)
	case (c == 'e' || c == 'E') && strings.HasPrefix(src[pos+1:], "'"):
		t.kind, end = scanString(src, pos+1, tEscape)
	case c == '"':
		t.kind, end = scanQuoted(src, pos)
		if t.kind == tQuoted {
			t.word = unquoteName(src[pos:end])
		}
	case isLetter(c) || c == '#' && pos+1 < len(src) && isLetter(src[pos+1]):
		t.kind, end = tWord, pos+1
		for end < len(src) && isWordByte(src[end]) {
			end++
		}
		if n := foreign(src[pos:end]); n >= 0 {
			if end = pos + n; n == 0 {
				_, n = utf8.DecodeRuneInString(src[pos:])
				t.kind, end = tBad, pos+n
				break
			}
		}
		t.word, t.flags = fold(src[pos:end])
		if t.word == "sys" && end+1 < len(src) && src[end] == ':' && isLetter(src[end+1]) { // sys:secadmin
			for end++; end < len(src) && isWordByte(src[end]); end++ {
			}
			t.word, t.flags = foldName(src[pos:end]), 0
		}
	case isDigit(c) || c == '.' && pos+1 < len(src) && isDigit(src[pos+1]):
		t.kind, end = tNumber, scanNumber(src, pos)
	case c == '$':
		t.kind, end = scanDollar(src, pos)
	case c == ':' && pos+1 < len(src) && isLetter(src[pos+1]):
		t.kind, end = tParam, pos+1
		for end < len(src) && isWordByte(src[end]) {
			end++
		}
	default:
		t.kind, end = tSymbol, pos+symbolLen(src[pos:])
		if end == pos {
			_, n := utf8.DecodeRuneInString(src[pos:])
			t.kind, end = tBad, pos+n
		}
		t.word = src[pos:end]
	}
	t.end = int32(end)
	return t
}

func scanRemark(src string, pos int) (kind, int) {
	depth := 0
	for i := pos; i+1 < len(src); i++ {
		switch src[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return tRemark, i + 1
			}
		}
	}
	return tBad, len(src)
}

// scanString reads a literal whose opening quote is at pos. A backslash always escapes the next byte:
// Redshift reads '\” as one quote, with or without the E.
func scanString(src string, pos int, k kind) (kind, int) {
	for i := pos + 1; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '\'':
			if i+1 < len(src) && src[i+1] == '\'' {
				i++
				continue
			}
			return k, i + 1
		}
	}
	return tBad, len(src)
}

func scanQuoted(src string, pos int) (kind, int) {
	for i := pos + 1; i < len(src); i++ {
		if src[i] != '"' {
			continue
		}
		if i+1 < len(src) && src[i+1] == '"' {
			i++
			continue
		}
		return tQuoted, i + 1
	}
	return tBad, len(src)
}

func scanDollar(src string, pos int) (kind, int) {
	i := pos + 1
	for i < len(src) && src[i] != '$' && isWordByte(src[i]) {
		i++
	}
	if i >= len(src) || src[i] != '$' || i > pos+1 && isDigit(src[pos+1]) {
		return tBad, i
	}
	tag := src[pos : i+1]
	n := strings.Index(src[i+1:], tag)
	if n < 0 {
		return tBad, len(src)
	}
	return tDollar, i + 1 + n + len(tag)
}

func scanNumber(src string, pos int) int {
	i := pos
	digits := func() {
		for i < len(src) && isDigit(src[i]) {
			i++
		}
	}
	digits()
	if i < len(src) && src[i] == '.' {
		i++
		digits()
	}
	if i < len(src) && (src[i] == 'e' || src[i] == 'E') {
		j := i + 1
		if j < len(src) && (src[j] == '+' || src[j] == '-') {
			j++
		}
		if j < len(src) && isDigit(src[j]) {
			i = j
			digits()
		}
	}
	return i
}

// symbolLen returns the length of the operator or punctuation mark at the start of s, 0 if there is none.
func symbolLen(s string) int {
	for _, op := range [...]string{"!~~*", "!~~", "!~*", "~~*", "->>", "::", "<=", ">=", "<>", "!=", "||", "->",
		"~~", "!~", "~*", ":=", "=>", "<<", ">>", "==", "^@", "//", "**", "&&", "@>", "<@"} {
		if strings.HasPrefix(s, op) {
			return len(op)
		}
	}
	if strings.IndexByte("()[]{},;.+-*/%^<>=~!@#&|:?", s[0]) >= 0 {
		return 1
	}
	return 0
}

// foreign returns where in a word the first character is that is neither ASCII nor a letter, digit or mark,
// -1 for nowhere. Some readers take such characters for white space.
func foreign(word string) int {
	for i := 0; i < len(word); i++ {
		if word[i] < utf8.RuneSelf {
			continue
		}
		for i, c := range word {
			if c >= utf8.RuneSelf && (c == utf8.RuneError || !unicode.In(c, unicode.L, unicode.N, unicode.M)) {
				return i
			}
		}
		return -1
	}
	return -1
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}
func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '$' }

// unquoteName strips the quotes of a "quoted" identifier.
func unquoteName(s string) string {
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '"') >= 0 {
		s = strings.ReplaceAll(s, `""`, `"`)
	}
	return s
}

// stringValue returns the text of a literal token: escapes resolved, quotes and dollar tags gone.
func stringValue(k kind, s string) string {
	switch k {
	case tDollar:
		tag := strings.IndexByte(s[1:], '$') + 2
		return s[tag : len(s)-tag]
	case tEscape:
		s = s[1:]
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		if strings.IndexByte(s, '\'') >= 0 {
			s = strings.ReplaceAll(s, "''", "'")
		}
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\'' {
			i++ // the second of a pair
		}
		if c != '\\' || i+1 == len(s) {
			b.WriteByte(c)
			continue
		}
		i++
		switch c = s[i]; {
		case c == 'n':
			b.WriteByte('\n')
		case c == 't':
			b.WriteByte('\t')
		case c == 'r':
			b.WriteByte('\r')
		case c == 'b':
			b.WriteByte('\b')
		case c == 'f':
			b.WriteByte('\f')
		case '0' <= c && c <= '7':
			v, n := 0, 0
			for n < 3 && i+n < len(s) && '0' <= s[i+n] && s[i+n] <= '7' {
				v = v*8 + int(s[i+n]-'0')
				n++
			}
			b.WriteByte(byte(v))
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// quoteString writes a DuckDB literal. Text with a backslash gets the E form, in which Redshift and DuckDB
// agree, so that what was rendered once may be rendered again.
func quoteString(s string) string {
	if strings.IndexByte(s, '\\') >= 0 {
		s = strings.ReplaceAll(s, `\`, `\\`)
		return "E'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	if strings.IndexByte(s, '\'') < 0 {
		return "'" + s + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// quoteName writes an identifier, quoted where DuckDB would read it differently without.
func quoteName(s string) string {
	if plainName(s) {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

func plainName(s string) bool {
	if s == "" || !isLetter(s[0]) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isWordByte(c) || 'A' <= c && c <= 'Z' || c == '$' || c >= utf8.RuneSelf {
			return false
		}
	}
	return words[s].flags&fQuote == 0
}
