package awsquery

import (
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendText appends s as XML character data. What XML cannot represent becomes U+FFFD.
func AppendText(b []byte, s string) []byte {
	i := plainPrefix(s)
	b = append(b, s[:i]...)
	for i < len(s) {
		start := i
		for i < len(s) && !special[s[i]] {
			i++
		}
		b = append(b, s[start:i]...)
		if i == len(s) {
			break
		}
		switch c := s[i]; c {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '"':
			b = append(b, "&quot;"...)
		case '\r':
			b = append(b, "&#xD;"...) // a bare one would be read back as a line feed
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if c < ' ' || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF {
				b = utf8.AppendRune(b, utf8.RuneError)
			} else {
				b = append(b, s[i:i+size]...)
			}
			i += size
			continue
		}
		i++
	}
	return b
}

// special marks the bytes that do not go out as they are: markup, control characters, and everything
// past ASCII, which is to be checked.
var special = func() (t [256]bool) {
	for c := range t {
		t[c] = c < ' ' && c != '\t' && c != '\n' || c >= utf8.RuneSelf
	}
	for _, c := range `&<>"` {
		t[c] = true
	}
	return t
}()

// plainPrefix returns the length of a prefix of s, in whole words of eight bytes, that needs no
// escaping. Nearly all text in answers is of that kind, and byte by byte is slow.
func plainPrefix(s string) int {
	const (
		lows  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56 // one load
		bad := (w - lows*0x20) &^ w // below space
		for _, c := range [...]uint64{'&', '<', '>', '"'} {
			x := w ^ lows*c
			bad |= (x - lows) &^ x // equal to c
		}
		if (bad|w)&highs != 0 {
			return i
		}
	}
	return i
}

// AppendTime appends t as ISO 8601 with milliseconds and Z.
func AppendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, "2006-01-02T15:04:05.000Z")
	}
	// By hand, because lists are full of times and a layout is interpreted anew for each.
	hour, minute, second := t.Clock()
	milli := t.Nanosecond() / 1e6
	b = append(b, byte('0'+year/1000), byte('0'+year/100%10))
	b = appendTwo(b, year%100, '-')
	b = appendTwo(b, int(month), '-')
	b = appendTwo(b, day, 'T')
	b = appendTwo(b, hour, ':')
	b = appendTwo(b, minute, ':')
	b = appendTwo(b, second, '.')
	return append(b, byte('0'+milli/100), byte('0'+milli/10%10), byte('0'+milli%10), 'Z')
}

// appendTwo appends n, which is below 100, as two digits and what follows them.
func appendTwo(b []byte, n int, then byte) []byte {
	return append(b, byte('0'+n/10), byte('0'+n%10), then)
}

// AppendFloat appends f in the shortest form that reads back as f.
func AppendFloat(b []byte, f float64) []byte { return strconv.AppendFloat(b, f, 'g', -1, 64) }

// SortedKeys returns the keys of a map in order, so that equal answers are equal byte by byte.
func SortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
