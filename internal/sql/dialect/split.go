package dialect

import (
	"sort"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// Split cuts a text into its statements, without the semicolons between them. Semicolons in comments,
// literals and quoted names do not count. A statement of nothing but comments is dropped.
func Split(text string) ([]string, error) {
	var list []string
	start, words := 0, false
	flush := func(end int) {
		if words {
			list = append(list, strings.TrimSpace(text[start:end]))
		}
		words = false
	}
	for pos := 0; ; {
		t := scan(text, pos)
		switch {
		case t.kind == tEOF:
			flush(len(text))
			return list, nil
		case t.kind == tBad && unterminated(text, t):
			return nil, badToken(text, t)
		case t.kind == tSymbol && t.word == ";":
			flush(pos)
			start = int(t.end)
		case t.kind != tSpace && t.kind != tRemark:
			words = true
		}
		pos = int(t.end)
	}
}

// unterminated tells a token that swallowed the rest of the text from a stray character.
func unterminated(text string, t token) bool {
	return int(t.end) == len(text) && strings.IndexByte(`'"/eE$`, text[t.pos]) >= 0
}

// Bind puts the values of ":name" parameters into a statement, as quoted literals that have no type until
// the statement gives them one. Names in literals, comments and casts are no parameters. Names are case
// sensitive. A parameter without a value and a value without its parameter are errors.
func Bind(sql string, params map[string]string) (string, error) {
	var b strings.Builder
	var missing []string
	used := map[string]bool{}
	for pos := 0; ; {
		t := scan(sql, pos)
		if t.kind == tEOF {
			break
		}
		text := sql[t.pos:t.end]
		if t.kind != tParam {
			b.WriteString(text)
		} else if v, ok := params[text[1:]]; ok {
			// Nothing may stick to the literal: 'a'':p' and e':p' would be other literals.
			if t.pos > 0 && (sql[t.pos-1] == '\'' || isWordByte(sql[t.pos-1])) {
				b.WriteByte(' ')
			}
			b.WriteString(bindLiteral(v))
			if strings.HasPrefix(sql[t.end:], "'") {
				b.WriteByte(' ')
			}
			used[text[1:]] = true
		} else if !used[text[1:]] {
			used[text[1:]] = true
			missing = append(missing, text[1:])
		}
		pos = int(t.end)
	}
	if len(missing) > 0 {
		return "", fault.New(fault.Invalid, SubjectParameter, "Parameters list is missing a value for: %s", strings.Join(missing, ", "))
	}
	var unused []string
	for name := range params {
		if !used[name] {
			unused = append(unused, name)
		}
	}
	if len(unused) > 0 {
		sort.Strings(unused)
		return "", fault.New(fault.Invalid, SubjectParameter, "Parameters list contains unused parameters. Unused parameters: %s", strings.Join(unused, ", "))
	}
	return b.String(), nil
}

// bindLiteral quotes a value so that every reader of Redshift's literals gets it back.
func bindLiteral(v string) string {
	v = strings.ReplaceAll(v, `\`, `\\`)
	return "'" + strings.ReplaceAll(v, "'", "''") + "'"
}

// secretWords are the words a credential follows.
var secretWords = map[string]bool{
	"secret_access_key": true, "session_token": true, "access_key_id": true, "token": true,
	"credentials": true, "master_symmetric_key": true, "password": true,
}

// Redact returns a statement with the literals that hold credentials replaced by '***', for logs and for
// the views that show a statement. It works on any text, well formed or not.
func Redact(text string) string {
	if !mayHoldSecret(text) {
		return text
	}
	var b strings.Builder
	after := false // a secret word came before, perhaps with AS or = in between
	bare := false  // so did one that only a credential follows, even if its quotes are missing
	for pos := 0; ; {
		t := scan(text, pos)
		if t.kind == tEOF {
			return b.String()
		}
		pos = int(t.end)
		part := text[t.pos:t.end]
		switch t.kind {
		case tString, tEscape, tDollar, tBad:
			if len(part) > 1 && (after && !roleCredential(part) || mayHoldSecret(part)) {
				part = "'" + redacted + "'"
				// Next to another quote it would become part of that literal.
				if strings.HasSuffix(b.String(), "'") {
					part = " " + part
				}
				if strings.HasPrefix(text[pos:], "'") {
					part += " "
				}
			}
			after, bare = false, false
		case tSpace, tRemark:
			if t.kind == tRemark && mayHoldSecret(part) {
				part = "/* " + redacted + " */"
			}
		default:
			if bare && t.word != "as" && t.word != "=" {
				for pos < len(text) && !isSpace(text[pos]) {
					pos++
				}
				part, after, bare = redacted, false, false
				break
			}
			after = secretWords[t.word] || after && (t.word == "as" || t.word == "=")
			bare = t.word == "secret_access_key" || t.word == "session_token" || bare
		}
		b.WriteString(part)
	}
}

// roleCredential reports whether a CREDENTIALS literal names a role only, which is no secret.
func roleCredential(literal string) bool {
	return strings.Contains(literal, "aws_iam_role=") && !mayHoldSecret(literal)
}

// mayHoldSecret is a quick look for any of the words credentials come with.
func mayHoldSecret(s string) bool {
	for i := 0; i+5 <= len(s); i++ {
		switch s[i] {
		case 's', 'S', 't', 'T', 'c', 'C', 'm', 'M', 'p', 'P', 'a', 'A':
			for _, w := range [...]string{"secret", "session_token", "credentials", "master_sym", "password", "token=", "access_key"} {
				if len(s)-i >= len(w) && strings.EqualFold(s[i:i+len(w)], w) {
					return true
				}
			}
		}
	}
	return false
}
