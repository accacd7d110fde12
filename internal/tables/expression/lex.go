package expression

import (
	"fmt"
	"strings"
)

type kind uint8

const (
	end kind = iota
	word
	nameRef  // #x
	valueRef // :x
	digits
	mark // punctuation and operators
)

// A token is a piece of the text, from start to stop.
type token struct {
	kind        kind
	start, stop int
}

// scanner cuts an expression into tokens.
type scanner struct {
	text   string
	tokens []token
	at     int
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// scan cuts the text of the parameter into tokens; the last one is the end.
func scan(parameter, text string) (*scanner, error) {
	if strings.TrimSpace(text) == "" {
		return nil, invalid("Invalid %s: The expression can not be empty;", parameter)
	}
	if len(text) > maxLength {
		return nil, invalid("Invalid %s: Expression size has exceeded the maximum allowed size; expression size: %d", parameter, len(text))
	}
	s := &scanner{text: text}
	for i := 0; i < len(text); {
		c := text[i]
		t := token{start: i, kind: mark}
		i++
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			continue
		case c == '#' || c == ':':
			t.kind = nameRef
			if c == ':' {
				t.kind = valueRef
			}
			i = s.run(i)
			if i == t.start+1 {
				return nil, s.unexpected(parameter, token{mark, t.start, i})
			}
		case c >= '0' && c <= '9':
			t.kind = digits
			for i < len(text) && text[i] >= '0' && text[i] <= '9' {
				i++
			}
		case wordByte(c):
			t.kind = word
			i = s.run(i)
		case c == '<' && i < len(text) && (text[i] == '=' || text[i] == '>'), c == '>' && i < len(text) && text[i] == '=':
			i++
		case strings.IndexByte("()[].,=<>+-", c) < 0:
			for i < len(text) && text[i]&0xC0 == 0x80 { // the whole character
				i++
			}
			return nil, s.unexpected(parameter, token{mark, t.start, i})
		}
		t.stop = i
		s.tokens = append(s.tokens, t)
	}
	s.tokens = append(s.tokens, token{end, len(text), len(text)})
	return s, nil
}

func (s *scanner) run(i int) int {
	for i < len(s.text) && wordByte(s.text[i]) {
		i++
	}
	return i
}

// unexpected is the error for a token nobody expected. It shows what is around it.
func (s *scanner) unexpected(parameter string, t token) error {
	shown, from, to := s.text[t.start:t.stop], t.start, t.stop
	if t.kind == end {
		shown = "<EOF>"
	}
	for i, other := range s.tokens {
		if other.stop <= t.start && other.kind != end {
			from = other.start
		}
		if other.start == t.start && i+1 < len(s.tokens) {
			to = s.tokens[i+1].stop
		}
	}
	return invalid("Invalid %s: Syntax error; token: %q, near: %q", parameter, shown, strings.TrimSpace(s.text[from:to]))
}

func (s *scanner) peek() token { return s.tokens[s.at] }

// after is the token behind the one at hand.
func (s *scanner) after() token { return s.tokens[min(s.at+1, len(s.tokens)-1)] }

func (s *scanner) take() token {
	t := s.tokens[s.at]
	if t.kind != end {
		s.at++
	}
	return t
}

func (s *scanner) str(t token) string { return s.text[t.start:t.stop] }

// is reports whether the token at hand is the punctuation.
func (s *scanner) is(text string) bool {
	t := s.peek()
	return t.kind == mark && s.str(t) == text
}

// accept takes the punctuation if it is at hand.
func (s *scanner) accept(text string) bool {
	if s.is(text) {
		s.at++
		return true
	}
	return false
}

// keyword reports whether the token at hand is the word, in any case.
func (s *scanner) keyword(text string) bool {
	t := s.peek()
	return t.kind == word && strings.EqualFold(s.str(t), text)
}

func (s *scanner) acceptKeyword(text string) bool {
	if s.keyword(text) {
		s.at++
		return true
	}
	return false
}

// textf is an error in the service's words, before the parameter's name is put to it.
func textf(format string, args ...any) error { return fmt.Errorf(format, args...) }
