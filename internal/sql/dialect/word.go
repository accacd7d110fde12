package dialect

import "strings"

// flags say what a word may be.
type flags uint8

const (
	// fReserved words end an expression: they are neither a name nor an alias.
	fReserved flags = 1 << iota
	// fNoAlias words may be names but are no alias unless AS is before them.
	fNoAlias
	// fQuote words are names to Redshift and keywords to DuckDB, or keywords to both.
	fQuote
)

type wordInfo struct {
	word  string
	flags flags
}

// words holds the words that mean something to the parser, and spares an allocation for those that are
// merely common.
var words = func() map[string]wordInfo {
	m := map[string]wordInfo{}
	add := func(f flags, list string) {
		for _, w := range strings.Fields(list) {
			m[w] = wordInfo{w, m[w].flags | f}
		}
	}
	add(fReserved, `select from where group having qualify order limit offset fetch union intersect except
		minus into on using join inner cross natural as when then else end and or not in is like ilike similar
		between case distinct for with all any some asc desc by unique primary foreign references check
		constraint create both leading trailing`)
	add(fNoAlias, `left right full outer asof positional semi anti lateral over filter within isnull notnull at
		collate window nulls tablesample pivot unpivot escape returning set values array start connect ignore
		respect rows range groups first last following preceding then to`)
	add(fQuote, `all analyse analyze and any array as asc asymmetric both case cast check collate column
		constraint create default deferrable desc describe distinct do else end except false fetch for foreign
		from group having in initially intersect into lambda lateral leading limit not null offset on only or
		order pivot pivot_longer pivot_wider placing primary qualify references returning select show some
		summarize symmetric table then to trailing true union unique unpivot using variadic when where window
		with anti asof at authorization binary by collation columns concurrently cross freeze full generated
		glob ilike inner is isnull join left like map natural notnull outer overlaps positional right semi
		similar struct tablesample try_cast unpack verbose between bit coalesce exists extract grouping
		grouping_id nullif overlay position row substring treat trim xmlattributes`)
	add(0, `insert update delete merge truncate drop alter table view schema database if exists temp temporary
		replace commit rollback begin explain vacuum copy job grant revoke reset use call true false null
		count sum min max avg date timestamp integer int bigint varchar decimal numeric boolean super value
		cast convert dateadd datediff nvl getdate sysdate distkey sortkey encode diststyle identity default
		recursive partition unbounded current row materialized matched nothing top within group ordinality
		rollup cube sets percent distinct symmetric unknown time zone year month day hour minute second interval`)
	return m
}()

// fold returns an unquoted word as Redshift reads it, in lower case, with what is known about it.
func fold(s string) (string, flags) {
	var buf [24]byte
	if len(s) <= len(buf) {
		for i := 0; i < len(s); i++ {
			c := s[i]
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			buf[i] = c
		}
		if w, ok := words[string(buf[:len(s)])]; ok {
			return w.word, w.flags
		}
	}
	return foldName(s), 0
}

// foldName lowers ASCII letters and leaves others alone, as Redshift does.
func foldName(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
