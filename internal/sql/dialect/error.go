package dialect

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/fault"
)

// positionError is the cause of a fault that is about one place in the statement.
type positionError struct{ position int }

func (e *positionError) Error() string { return fmt.Sprintf("at position %d", e.position) }

// Position returns the 1-based character position in the statement that err is about, or 0 if it is not
// about one.
func Position(err error) int {
	var p *positionError
	if errors.As(err, &p) {
		return p.position
	}
	return 0
}

// at returns a fault about the byte offset pos of src. The message ends the way Redshift's do.
func at(src string, pos int, k fault.Kind, format string, args ...any) error {
	n := utf8.RuneCountInString(src[:min(pos, len(src))]) + 1
	msg := fmt.Sprintf(format, args...)
	return fault.Wrap(&positionError{n}, k, SubjectStatement, "%s\n  Position: %d", msg, n)
}

// syntaxAt returns Redshift's syntax error about t. A literal is not repeated: it may be a credential.
func syntaxAt(src string, t token) error {
	switch t.kind {
	case tEOF:
		return at(src, len(src), fault.Invalid, "syntax error at end of input")
	case tString, tEscape, tDollar:
		return at(src, int(t.pos), fault.Invalid, "syntax error at or near a string literal")
	case tBad:
		return badToken(src, t)
	}
	text := src[t.pos:t.end]
	if len(text) > 64 {
		text = text[:64]
		for !utf8.ValidString(text) && len(text) > 60 {
			text = text[:len(text)-1]
		}
	}
	return at(src, int(t.pos), fault.Invalid, "syntax error at or near %q", text)
}

func badToken(src string, t token) error {
	var what string
	switch text := src[t.pos:t.end]; {
	case text[0] == '\'' || text[0] == 'e' || text[0] == 'E':
		what = "unterminated quoted string"
	case text[0] == '"':
		what = "unterminated quoted identifier"
	case len(text) > 1 && text[:2] == "/*":
		what = "unterminated /* comment"
	case text[0] == '$' && len(text) > 1 && !isDigit(text[1]):
		what = "unterminated dollar-quoted string"
	case text == "$":
		what = `syntax error at or near "$"`
	default:
		what = fmt.Sprintf("syntax error at or near %q", text)
	}
	return at(src, int(t.pos), fault.Invalid, "%s", what)
}

func unsupported(format string, args ...any) error {
	return fault.New(fault.Unsupported, SubjectStatement, format, args...)
}

func denied(format string, args ...any) error {
	return fault.New(fault.Denied, SubjectStatement, format, args...)
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, SubjectStatement, format, args...)
}
