// Package number is DynamoDB's number type: decimals of up to 38 significant digits between 1E-130 and
// 9.99...E+125, exact, with one normal form and an encoding whose byte order is the numeric order.
//
// It knows nothing of items or JSON.
package number

import (
	"bytes"
	"errors"
	"math/big"
)

// MaxDigits is how many significant digits a number may have.
const MaxDigits = 38

// The exponents of 0.ddd × 10^exp at the ends of the range.
const (
	minExp = -129 // 1E-130
	maxExp = 126  // 9.99...E+125
)

// What can be wrong with a number.
var (
	ErrSyntax    = errors.New("not a number")
	ErrOverflow  = errors.New("magnitude larger than the supported range")
	ErrUnderflow = errors.New("magnitude smaller than the supported range")
	ErrPrecision = errors.New("more than 38 significant digits")
)

// Number is a decimal: 0.d1d2...dn × 10^exp, without leading or trailing zeros among the digits, which
// are values from 0 to 9. Equal numbers are equal with ==. The zero value is 0.
type Number struct {
	neg    bool
	n      uint8 // digits in use; 0 is the number 0
	exp    int16
	digits [MaxDigits]byte
}

// Parse reads a decimal with an optional sign, fraction and exponent: 12, -0.5, 1E+10. The error is one
// of the package's.
func Parse(s string) (Number, error) {
	var x Number
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		x.neg = s[i] == '-'
		i++
	}
	seen, point := false, false
	exp, n, zeros := 0, 0, 0 // zeros: zeros after the last digit kept, not yet known to matter
	tooLong := false
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		seen = true
		if c == '0' && n == 0 {
			if point {
				exp--
			}
			continue
		}
		if !point {
			exp++
		}
		if c == '0' {
			zeros++
			continue
		}
		if n+zeros >= MaxDigits {
			tooLong = true
			continue
		}
		n += zeros
		zeros = 0
		x.digits[n] = c - '0'
		n++
	}
	if !seen {
		return Number{}, ErrSyntax
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		e, ok := parseExponent(s[i+1:])
		if !ok {
			return Number{}, ErrSyntax
		}
		exp += e
		i = len(s)
	}
	if i != len(s) {
		return Number{}, ErrSyntax
	}
	if n == 0 {
		return Number{}, nil
	}
	x.n, x.exp = uint8(n), 0
	switch {
	case exp > maxExp:
		return Number{}, ErrOverflow
	case exp < minExp:
		return Number{}, ErrUnderflow
	case tooLong:
		return Number{}, ErrPrecision
	}
	x.exp = int16(exp)
	return x, nil
}

// parseExponent reads a signed whole number. One that is out of every range is cut to a million.
func parseExponent(s string) (int, bool) {
	neg := false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if s == "" {
		return 0, false
	}
	e := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		e = min(e*10+int(s[i]-'0'), 1_000_000)
	}
	if neg {
		e = -e
	}
	return e, true
}

// String returns the normal form: no exponent, no sign of zero, no zeros that say nothing.
func (x Number) String() string { return string(x.Append(nil)) }

// Append appends the normal form.
func (x Number) Append(b []byte) []byte {
	if x.n == 0 {
		return append(b, '0')
	}
	if x.neg {
		b = append(b, '-')
	}
	exp, n := int(x.exp), int(x.n)
	if exp <= 0 {
		b = append(b, '0', '.')
		for range -exp {
			b = append(b, '0')
		}
	}
	for i := range n {
		if i == exp && i > 0 {
			b = append(b, '.')
		}
		b = append(b, '0'+x.digits[i])
	}
	for range exp - n {
		b = append(b, '0')
	}
	return b
}

// Digits returns how many significant digits x has.
func (x Number) Digits() int { return int(x.n) }

// Negative reports whether x is below 0.
func (x Number) Negative() bool { return x.neg }

// Compare returns -1, 0 or +1 as x is less than, equal to or greater than y.
func (x Number) Compare(y Number) int {
	switch {
	case x == y:
		return 0
	case x.sign() != y.sign():
		if x.sign() < y.sign() {
			return -1
		}
		return 1
	case x.neg:
		return y.compareMagnitude(x)
	}
	return x.compareMagnitude(y)
}

func (x Number) sign() int {
	switch {
	case x.n == 0:
		return 0
	case x.neg:
		return -1
	}
	return 1
}

func (x Number) compareMagnitude(y Number) int {
	if x.exp != y.exp {
		if x.exp < y.exp {
			return -1
		}
		return 1
	}
	return bytes.Compare(x.digits[:x.n], y.digits[:y.n])
}

// Add returns x + y exactly, or ErrPrecision, ErrOverflow or ErrUnderflow if that is not a Number.
func (x Number) Add(y Number) (Number, error) {
	if x.n == 0 {
		return y, nil
	}
	if y.n == 0 {
		return x, nil
	}
	// Both as whole numbers of units of the smaller last place.
	low := min(x.lastPlace(), y.lastPlace())
	sum := new(big.Int).Add(x.units(low), y.units(low))
	return fromUnits(sum, low)
}

// Sub returns x - y under the terms of Add.
func (x Number) Sub(y Number) (Number, error) {
	if y.n != 0 {
		y.neg = !y.neg
	}
	return x.Add(y)
}

// lastPlace is the power of ten of the last digit.
func (x Number) lastPlace() int { return int(x.exp) - int(x.n) }

// units is x / 10^place, place being at most x.lastPlace().
func (x Number) units(place int) *big.Int {
	text := make([]byte, 0, 300)
	for _, d := range x.digits[:x.n] {
		text = append(text, '0'+d)
	}
	for range x.lastPlace() - place {
		text = append(text, '0')
	}
	v, _ := new(big.Int).SetString(string(text), 10) // digits only, it cannot fail
	if x.neg {
		v.Neg(v)
	}
	return v
}

func fromUnits(v *big.Int, place int) (Number, error) {
	text := v.String()
	var x Number
	if text[0] == '-' {
		x.neg = true
		text = text[1:]
	}
	if text == "0" {
		return Number{}, nil
	}
	exp := len(text) + place
	end := len(text)
	for text[end-1] == '0' {
		end--
	}
	switch {
	case exp > maxExp:
		return Number{}, ErrOverflow
	case exp < minExp:
		return Number{}, ErrUnderflow
	case end > MaxDigits:
		return Number{}, ErrPrecision
	}
	for i := range end {
		x.digits[i] = text[i] - '0'
	}
	x.n, x.exp = uint8(end), int16(exp)
	return x, nil
}

// Markers of the sortable encoding.
const (
	markNegative = 0x01
	markZero     = 0x02
	markPositive = 0x03
)

// AppendSortable appends an encoding that compares, byte by byte, as the numbers do. It says itself
// where it ends, so that more may follow it in a key.
func (x Number) AppendSortable(b []byte) []byte {
	if x.n == 0 {
		return append(b, markZero)
	}
	flip := byte(0)
	if x.neg {
		flip = 0xFF
		b = append(b, markNegative)
	} else {
		b = append(b, markPositive)
	}
	b = append(b, byte(int(x.exp)-minExp)^flip)
	// Two digits a byte, from 1 to 100, and a 0 to end with: a number that is the beginning of another is less.
	for i := 0; i < int(x.n); i += 2 {
		pair := x.digits[i] * 10
		if i+1 < int(x.n) {
			pair += x.digits[i+1]
		}
		b = append(b, (pair+1)^flip)
	}
	return append(b, flip)
}
