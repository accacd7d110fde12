package duckdb

import (
	"strings"
	"testing"
)

func TestFormatNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ number, pattern, want string }{
		{"1234.5", "9,999.99", " 1,234.50"}, {"-1234.5", "9,999.99", "-1,234.50"}, {"485", "9,999", "   485"},
		{"12", "999", "  12"}, {"-12", "999", " -12"}, {"0", "999", "   0"}, {"0", "9.99", "  .00"}, {"0", "000", " 000"},
		{"-0.1", "99.99", "  -.10"}, {"-0.1", "FM99.99", "-.1"}, {"0.1", "0.9", " 0.1"}, {"12", "9990999.9", "    0012.0"}, {"12", "FM9990999.9", "0012."},
		{"485", "9 9 9", " 4 8 5"}, {"148.5", "999.999", " 148.500"}, {"148.5", "FM999.999", "148.5"}, {"148.5", "FM999.990", "148.500"},
		{"148.5", "999D999", " 148.500"}, {"3148.5", "9G999D999", " 3,148.500"},
		{"-485", "999S", "485-"}, {"485", "S999", "+485"}, {"12", "S999", " +12"}, {"-485", "999MI", "485-"}, {"485", "999MI", "485 "}, {"485", "FM999MI", "485"},
		{"485", "PL999", "+485"}, {"485", "SG999", "+485"}, {"-485", "SG999", "-485"}, {"-485", "9SG99", "4-85"}, {"-485", "999PR", "<485>"}, {"485", "999pr", " 485 "},
		{"485", "L999", "$ 485"}, {"485", "$999", "$ 485"}, {"482", "999th", " 482nd"}, {"12", "99TH", " 12TH"}, {"485", `"Good number:"999`, "Good number: 485"},
		{"12", "99V999", " 12000"}, {"12.45", "99V9", " 125"}, {"12345", "999", " ###"}, {"12345.6", "99.9", " ##.#"},
		{"2.5", "9", " 3"}, {"-0.001", "9.99", "  .00"}, {"1e3", "9999", " 1000"}, {"-1.5E-1", "0.99", "-0.15"},
		{"12345678901234567890123456789012345678.5", "99999999999999999999999999999999999999.9", " 12345678901234567890123456789012345678.5"},
	} {
		got, err := formatNumber(c.number, c.pattern)
		if err != nil || got != c.want {
			t.Errorf("%s as %s = %q, %v, want %q", c.number, c.pattern, got, err, c.want)
		}
	}
	for number, pattern := range map[string]string{"1": "9.9.9", "2": "RN", "abc": "999", "NaN": "999", "3": "9V.9", "1e9999": "9", "1/3": "9", "0x1F": "99", "4": strings.Repeat("9", 300)} {
		if got, err := formatNumber(number, pattern); err == nil || len(err.Error()) < 20 {
			t.Errorf("%s as %s = %q, %v", number, pattern, got, err)
		}
	}
}

func FuzzFormatNumber(f *testing.F) {
	f.Add("12.5", "FM9,990.99PR")
	f.Add("-1e-3", `S9"x"V9th`)
	f.Add("0", "\xf4FM0")
	f.Fuzz(func(t *testing.T, number, pattern string) {
		if got, err := formatNumber(number, pattern); err == nil && len(got) > 3*longestPattern+4 {
			t.Errorf("%q as %q has %d bytes", number, pattern, len(got))
		}
	})
}

func TestMoreFunctions(t *testing.T) {
	f := newFixture(t)
	s := f.connect()
	for sql, want := range map[string]string{
		"regexp_instr('abcabc', 'c'), regexp_instr('abab', 'b$'), regexp_instr('abc', 'x'), regexp_instr(NULL, 'x')":                                            "[3 4 0 <nil>]",
		"regexp_instr('naïve x', '[xy]'), regexp_instr('abcabc', 'c', 4), regexp_instr('abcabc', 'c', 1, 2), regexp_instr('abcabc', 'c', 1, 3)":                 "[7 6 6 0]",
		"regexp_instr('a12b34', '[0-9]+', 1, 2), regexp_instr('a12', '[0-9]+', 1, 2), regexp_instr('a' || chr(10) || 'b', '(b)')":                               "[5 0 3]",
		`quote_ident('abc'), quote_ident('x y'), quote_ident('Ab'), quote_ident('a"b'), quote_literal('x''y'), quote_literal('a\b')`:                            `[abc "x y" "Ab" "a""b" 'x''y' 'a\\b']`,
		"next_day('2024-05-17', 'Mon'), next_day(DATE '2024-05-17', 'friday'), next_day('2024-05-17', 'w'), next_day(NULL, 'Su'), next_day('2024-05-17', 'TH')": "[2024-05-20 2024-05-24 2024-05-22 <nil> 2024-05-23]",
		"months_between('2024-03-31', '2024-02-29'), months_between('2024-02-15', '2024-01-15'), months_between('2024-01-01', '2024-03-01')":                    "[1 1 -2]",
		"round(months_between('1995-02-02', '1995-01-01'), 8), months_between(NULL, '1995-01-01'), months_between('2024-01-16 12:00:00', '2024-01-01')":         "[1.03225806 <nil> 0.5]",
		"to_char_number('1234.5', '9,999.99'), to_char_number(NULL, '9'), to_char_number('7', NULL)":                                                            "[ 1,234.50 <nil> <nil>]",
	} {
		if got := f.query(s, "SELECT "+sql); got[0] != want {
			t.Errorf("%s = %s, want %s", sql, got[0], want)
		}
	}
	for sql, want := range map[string]string{"next_day('2024-05-17', 'someday')": "no day of the week", "to_char_number('x', '999')": "is no number", "to_char_number('1', 'RN')": "not supported"} {
		if _, err := rows(t.Context(), s, "SELECT "+sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestFormatsInOtherAlphabets has letters whose upper case is shorter or longer than they are.
func TestFormatsInOtherAlphabets(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"ıııııııı YYYY": "ıııııııı %Y", "ŉŉ MM ŉ": "ŉŉ %m ŉ", "\xff DD": "\xff %d"} {
		if got, err := strptime("DATEFORMAT", format); err != nil || got != want {
			t.Errorf("%q = %q, %v", format, got, err)
		}
	}
}
