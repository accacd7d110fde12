package sql

import (
	"strings"
	"time"
)

func joinList(values []string) string { return strings.Join(values, ", ") }

func splitList(s string) []string {
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// like matches s against a SQL LIKE pattern with backslash escapes; an empty pattern matches everything.
func like(s, pattern string) bool {
	if pattern == "" {
		return true
	}
	return likeRunes([]rune(s), []rune(pattern))
}

func likeRunes(s, p []rune) bool {
	for len(p) > 0 {
		switch {
		case p[0] == '%':
			for len(p) > 0 && p[0] == '%' {
				p = p[1:]
			}
			if len(p) == 0 {
				return true
			}
			for i := 0; i <= len(s); i++ {
				if likeRunes(s[i:], p) {
					return true
				}
			}
			return false
		case len(s) == 0:
			return false
		case p[0] == '\\' && len(p) > 1:
			if s[0] != p[1] {
				return false
			}
			p = p[1:]
		case p[0] != '_' && p[0] != s[0]:
			return false
		}
		s, p = s[1:], p[1:]
	}
	return len(s) == 0
}

// Timestamp prints a time as Redshift prints a TIMESTAMP, in UTC.
func Timestamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999999") }
