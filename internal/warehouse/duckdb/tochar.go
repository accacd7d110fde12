package duckdb

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"math/big"
	"regexp"
	"strings"

	driver "github.com/duckdb/duckdb-go/v2"
)

// toCharNumber is the function to_char_number(text of a number, pattern) behind TO_CHAR of numbers.
type toCharNumber struct{ text driver.TypeInfo }

func (f toCharNumber) Config() driver.ScalarFuncConfig {
	return driver.ScalarFuncConfig{InputTypeInfos: []driver.TypeInfo{f.text, f.text}, ResultTypeInfo: f.text}
}

func (f toCharNumber) Executor() driver.ScalarFuncExecutor {
	return driver.ScalarFuncExecutor{RowExecutor: func(values []sqldriver.Value) (any, error) {
		number, _ := values[0].(string)
		pattern, _ := values[1].(string)
		return formatNumber(number, pattern)
	}}
}

// defineScalars makes the functions written in Go.
func defineScalars(c *sql.Conn) error {
	text, err := driver.NewTypeInfo(driver.TYPE_VARCHAR)
	if err != nil {
		return err
	}
	return driver.RegisterScalarUDF(c, "to_char_number", toCharNumber{text})
}

// numberPattern is a pattern of TO_CHAR taken apart.
type numberPattern struct {
	parts      []numberPart
	whole      int // digits before the point
	fraction   int // and after it
	leading    int // the first digit that is written as a zero where the number has none, counted from the left; whole for none
	zeroes     int // digits after the point that are written whatever they are
	shift      int // V: the number is multiplied by so many tens
	fill       bool
	brackets   bool // PR
	signed     bool // some part writes the sign
	pointTaken bool
}

// numberPart is one element of a pattern.
type numberPart struct {
	kind byte // '9' a digit, ',' a group, '.' the point, 'S' 'M' 'P' 'G' signs, 'L' a currency, 'T' or 't' an ordinal, '"' other text
	text string
}

// parts of patterns by their names, longest first.
var numberWords = []struct {
	word string
	kind byte
}{
	{"FM", 'F'}, {"PR", '<'}, {"MI", 'M'}, {"PL", 'P'}, {"SG", 'G'}, {"TH", 'T'}, {"V", 'V'}, {"S", 'S'}, {"L", 'L'}, {"$", 'L'},
	{"D", '.'}, {".", '.'}, {"G", ','}, {",", ','}, {"9", '9'}, {"0", '0'},
}

func parseNumberPattern(pattern string) (numberPattern, error) {
	p := numberPattern{leading: -1}
	if len(pattern) > longestPattern {
		return p, fmt.Errorf("the number format is longer than %d bytes", longestPattern)
	}
	upper, shifting := upperASCII(pattern), false
next:
	for i := 0; i < len(pattern); {
		if pattern[i] == '"' {
			text, _, _ := strings.Cut(pattern[i+1:], `"`)
			p.parts = append(p.parts, numberPart{'"', text})
			i += min(len(text)+2, len(pattern)-i)
			continue
		}
		for _, w := range numberWords {
			if !strings.HasPrefix(upper[i:], w.word) {
				continue
			}
			if err := p.add(w.kind, pattern[i:i+len(w.word)], &shifting); err != nil {
				return p, err
			}
			i += len(w.word)
			continue next
		}
		if c := upper[i]; c >= 'A' && c <= 'Z' {
			return p, fmt.Errorf("the number format '%s' is not supported at '%s'; use 9, 0, a point, commas, D, G, S, SG, MI, PL, PR, L, TH, V and FM", pattern, pattern[i:])
		}
		p.parts = append(p.parts, numberPart{'"', pattern[i : i+1]})
		i++
	}
	if p.leading < 0 {
		p.leading = p.whole
	}
	return p, nil
}

func (p *numberPattern) add(kind byte, text string, shifting *bool) error {
	switch kind {
	case 'F':
		p.fill = true
		return nil
	case '<':
		p.brackets = true
		return nil
	case 'V':
		*shifting = true
		return nil
	case '9', '0':
		switch {
		case p.pointTaken:
			if p.fraction++; kind == '0' {
				p.zeroes = p.fraction
			}
		default:
			if kind == '0' && p.leading < 0 {
				p.leading = p.whole
			}
			p.whole++
			if *shifting {
				p.shift++
			}
		}
		kind = '9'
	case '.':
		if p.pointTaken || *shifting {
			return fmt.Errorf("a number format has one point, and none with V")
		}
		p.pointTaken = true
	case 'S', 'M', 'P', 'G':
		p.signed = true
	case 'T':
		if text == "th" {
			kind = 't'
		}
	}
	p.parts = append(p.parts, numberPart{kind, text})
	return nil
}

// plainNumber is a number as the engine prints one. What is longer would only take time and memory.
var plainNumber = regexp.MustCompile(`^[+-]?[0-9]{1,400}(\.[0-9]{0,400})?([eE][+-]?[0-9]{1,3})?$`)

// longestPattern is the most bytes a pattern may have.
const longestPattern = 256

// formatNumber writes a number as TO_CHAR does: rounded to the pattern's digits, and as a row of # where it has
// more of them than the pattern.
func formatNumber(number, pattern string) (string, error) {
	p, err := parseNumberPattern(pattern)
	if err != nil {
		return "", err
	}
	r := new(big.Rat)
	if !plainNumber.MatchString(number) {
		return "", fmt.Errorf("'%s' is no number that could be written as '%s'", clip(number, 64), pattern)
	}
	r.SetString(number)
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(p.shift)), nil)))
	digits := strings.TrimPrefix(r.FloatString(p.fraction), "-")
	negative := r.Sign() < 0 && strings.Trim(digits, "0.") != ""
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole == "0" && (p.fraction > 0 || p.leading < p.whole) {
		whole = "" // written only where the pattern says 0
	}
	if len(whole) > p.whole {
		whole, fraction = strings.Repeat("#", p.whole), strings.Repeat("#", p.fraction)
	}
	return p.write(negative, whole, fraction), nil
}

// write puts the digits into the pattern.
func (p numberPattern) write(negative bool, whole, fraction string) string {
	w := numberWriter{numberPattern: p, negative: negative, whole: whole, fraction: fraction, kept: len(strings.TrimRight(fraction, "0")), place: p.whole}
	if w.kept = max(w.kept, p.zeroes); !p.fill {
		w.kept = p.fraction
	}
	for i, part := range p.parts {
		w.part(part, i == len(p.parts)-1)
	}
	w.begin()
	switch {
	case p.brackets && negative:
		w.out.WriteByte('>')
	case p.brackets:
		w.blank()
	}
	return w.out.String()
}

type numberWriter struct {
	numberPattern
	negative        bool
	whole, fraction string
	kept            int // digits after the point that are written
	place           int // digits of the pattern before the point that are left
	after           int // digits after the point that are written
	begun           bool
	anchored        bool // S: the sign stands right before the first digit
	out             strings.Builder
}

// blank writes what keeps the columns of numbers straight.
func (w *numberWriter) blank() {
	if !w.fill {
		w.out.WriteByte(' ')
	}
}

func (w *numberWriter) part(part numberPart, last bool) {
	minus, plus := part.kind != 'P', part.kind != 'M' // whether it writes them
	switch part.kind {
	case '9':
		w.digit()
	case '.':
		w.begin()
		w.out.WriteByte('.')
		w.place = 0
	case ',':
		if w.begun {
			w.out.WriteByte(',')
		} else {
			w.blank()
		}
	case 'S', 'M', 'P', 'G':
		switch {
		case part.kind == 'S' && !last && !w.begun:
			w.anchored = true // right before the first digit
		case w.negative && minus:
			w.out.WriteByte('-')
		case !w.negative && plus:
			w.out.WriteByte('+')
		default:
			w.blank()
		}
	case 'L':
		w.out.WriteByte('$')
	case 'T', 't':
		if !w.negative {
			w.out.WriteString(ordinal(w.whole, part.kind == 'T'))
		}
	default:
		w.out.WriteString(part.text)
	}
}

// digit writes the next digit of the pattern.
func (w *numberWriter) digit() {
	if w.place == 0 { // after the point
		if w.after < w.kept && w.after < len(w.fraction) {
			w.out.WriteByte(w.fraction[w.after])
		}
		w.after++
		return
	}
	at := w.numberPattern.whole - w.place
	w.place--
	switch missing := w.numberPattern.whole - len(w.whole); {
	case at >= missing:
		w.begin()
		w.out.WriteByte(w.whole[at-missing])
	case at >= w.leading:
		w.begin()
		w.out.WriteByte('0')
	default:
		w.blank()
	}
}

// begin writes what stands right before the first digit, or the point.
func (w *numberWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	switch {
	case w.brackets && w.negative:
		w.out.WriteByte('<')
	case w.anchored && !w.negative:
		w.out.WriteByte('+')
	case w.anchored, !w.signed && !w.brackets && w.negative:
		w.out.WriteByte('-')
	case !w.signed:
		w.blank()
	}
}

// ordinal is the ending of an ordinal number.
func ordinal(digits string, upper bool) string {
	end := "th"
	if n := len(digits); n > 0 && (n < 2 || digits[n-2] != '1') {
		switch digits[n-1] {
		case '1':
			end = "st"
		case '2':
			end = "nd"
		case '3':
			end = "rd"
		}
	}
	if upper {
		return strings.ToUpper(end)
	}
	return end
}
