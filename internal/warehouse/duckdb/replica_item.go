package duckdb

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

// SubjectItem is the subject of faults about one item of a replicated table: what is in it does not fit.
const SubjectItem = "item"

// A number that is a key is numeric(38,10), as on Redshift.
const (
	keyPrecision = 38
	keyScale     = 10
	valueColumn  = "value"
	maxKeyName   = 127 // bytes of a table's name and of a key attribute's
)

// shape is how the items of a table become rows: a column per key attribute, and the item itself in "value".
type shape struct {
	change.Schema
	truncate   bool // what is too long is cut
	acceptBad  bool // a character that cannot be kept becomes '?'
	maxDoc     int  // bytes
	maxKeyText int  // bytes
}

func newShape(s change.Schema, truncate, acceptBad bool) (shape, error) {
	bad := func(format string, args ...any) (shape, error) {
		return shape{}, fault.New(fault.Unsupported, SubjectRelation, "the table %q cannot be replicated: %s", s.Table, fmt.Sprintf(format, args...))
	}
	if s.Table == "" || len(s.Table) > maxKeyName || isHidden(s.Table) || strings.IndexByte(s.Table, 0) >= 0 {
		return bad("its name must have 1 to %d bytes and not begin with %q", maxKeyName, hiddenPrefix)
	}
	if len(s.Keys) < 1 || len(s.Keys) > 2 {
		return bad("it has %d key attributes, not one or two", len(s.Keys))
	}
	taken := map[string]string{valueColumn: "the column that holds the items"}
	for _, k := range s.Keys {
		if k.Name == "" || len(k.Name) > maxKeyName || !utf8.ValidString(k.Name) || strings.IndexByte(k.Name, 0) >= 0 {
			return bad("the name of its key attribute %q must be text of 1 to %d bytes; rename the attribute in a new table", k.Name, maxKeyName)
		}
		if other, ok := taken[strings.ToLower(k.Name)]; ok {
			return bad("its key attribute %q would be a column of the same name as %s; upper and lower case do not count. Rename the attribute in a new table", k.Name, other)
		}
		taken[strings.ToLower(k.Name)] = fmt.Sprintf("that of the key attribute %q", k.Name)
		switch k.Type {
		case change.String, change.Number, change.Binary:
		default:
			return bad("its key attribute %q has the type %q, not S, N or B", k.Name, k.Type)
		}
	}
	return shape{Schema: s, truncate: truncate, acceptBad: acceptBad, maxDoc: maxSuper, maxKeyText: maxVarchar}, nil
}

func keyDuckType(t change.KeyType) string {
	switch t {
	case change.Number:
		return fmt.Sprintf("DECIMAL(%d,%d)", keyPrecision, keyScale)
	case change.Binary:
		return "BLOB"
	}
	return "VARCHAR"
}

// create are the statements that make a table of this shape.
func (s shape) create(table string) []string {
	columns := ""
	for _, k := range s.Keys {
		columns += ident(k.Name) + " " + keyDuckType(k.Type) + " NOT NULL, "
	}
	return append([]string{fmt.Sprintf("CREATE TABLE %s (%s%s JSON NOT NULL)", table, columns, valueColumn)}, s.comments(table)...)
}

// comments are the statements that note the types the engine does not have.
func (s shape) comments(table string) (statements []string) {
	for _, k := range s.Keys {
		rs := rsType{name: "character varying", length: maxVarchar}
		switch k.Type {
		case change.Binary:
			rs.name = "binary varying"
		case change.Number:
			continue // the engine's type says it all
		}
		text, _ := json.Marshal(note{Type: rs.String()}) // of strings: it cannot fail
		statements = append(statements, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", table, ident(k.Name), literal(notePrefix+string(text))))
	}
	return statements
}

// match is the condition under which a row of t is the item of a row of k: the same keys. Where several items
// may have the same key columns, because what did not fit was cut off, the keys inside the item decide.
func (s shape) match(ambiguous bool) string {
	var conditions []string
	for i, k := range s.Keys {
		conditions = append(conditions, fmt.Sprintf("t.%s = k.k%d", ident(k.Name), i))
		if ambiguous && k.Type != change.Binary {
			path := "/" + strings.ReplaceAll(strings.ReplaceAll(k.Name, "~", "~0"), "/", "~1") + "/" + string(rune(k.Type))
			conditions = append(conditions, fmt.Sprintf("json_extract_string(t.%s, %s) = k.x%d", valueColumn, literal(path), i))
		}
	}
	return strings.Join(conditions, " AND ")
}

// row is an item on its way into the warehouse.
type row struct {
	keys  [2]key
	exact [2]string // the keys as they are at the source
	doc   []byte    // nil: deleted
}

// key is a key column's value: text, or a number.
type key struct {
	text   string
	number int128
}

// rows makes rows of items; of several with the same keys the last counts. ambiguous reports that the key
// columns of one are not all there is to its keys.
func (s shape) rows(items []change.Row) (out []row, ambiguous bool, _ error) {
	out = make([]row, 0, len(items))
	at := make(map[[2]string]int, len(items))
	for _, item := range items {
		r := row{exact: item.Keys}
		for i, k := range s.Keys {
			v, whole, err := s.key(k, item.Keys[i])
			if err != nil {
				return nil, false, s.refuse(item.Keys, k.Name, err)
			}
			r.keys[i] = v
			ambiguous = ambiguous || !whole
		}
		if item.Doc != nil {
			var err error
			if r.doc, err = s.doc(item.Doc); err != nil {
				return nil, false, s.refuse(item.Keys, "", err)
			}
		}
		if i, ok := at[item.Keys]; ok {
			out[i] = r
			continue
		}
		at[item.Keys] = len(out)
		out = append(out, r)
	}
	return out, ambiguous, nil
}

// refuse says which item does not fit and why. The pipeline makes it the table's state (invariant 5).
func (s shape) refuse(keys [2]string, attribute string, err error) error {
	var names []string
	for i, k := range s.Keys {
		names = append(names, fmt.Sprintf("%s=%.100q", k.Name, keys[i]))
	}
	where := ""
	if attribute != "" {
		where = fmt.Sprintf(", attribute %q", attribute)
	}
	return fault.New(fault.Invalid, SubjectItem, "table %q, item %s%s: %v", s.Table, strings.Join(names, ", "), where, err)
}

// key converts a key attribute. whole is false when the column does not hold all of it.
func (s shape) key(k change.KeyColumn, text string) (_ key, whole bool, _ error) {
	switch k.Type {
	case change.Number:
		n, whole, err := decimalKey(text)
		return key{number: n}, whole, err
	case change.Binary:
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return key{}, false, fmt.Errorf("the binary key is not base64; write the item again")
		}
		if len(b) > s.maxKeyText {
			return key{}, false, fmt.Errorf("the binary key has %d bytes and a column holds %d; shorten the key", len(b), s.maxKeyText)
		}
		return key{text: string(b)}, true, nil
	}
	whole = true
	if !utf8.ValidString(text) {
		// With '?' for what is invalid, two keys could become one.
		return key{}, false, fmt.Errorf("the key is not valid UTF-8; write the item under another key, ACCEPTINVCHARS does not apply to it")
	}
	if strings.IndexByte(text, 0) >= 0 {
		if !s.acceptBad {
			return key{}, false, fmt.Errorf("the key holds a NUL character, which a VARCHAR cannot; set ACCEPTINVCHARS TRUE to have it replaced by '?', or write the item under another key")
		}
		text, whole = strings.ReplaceAll(text, "\x00", "?"), false
	}
	if len(text) > s.maxKeyText {
		if !s.truncate {
			return key{}, false, fmt.Errorf("the key has %d bytes and a VARCHAR holds %d; set TRUNCATECOLUMNS TRUE to have it cut, or shorten it", len(text), s.maxKeyText)
		}
		text, whole = cutText(text, s.maxKeyText), false
	}
	return key{text: text}, whole, nil
}

// cutText shortens a text to at most n bytes, between characters.
func cutText(text string, n int) string {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

var (
	errNumber   = fmt.Errorf("the key is not a number; write the item again")
	maxUnscaled = new(big.Int).Exp(big.NewInt(10), big.NewInt(keyPrecision), nil)
)

// decimalKey converts a number to its unscaled value. As on Redshift, digits of the fraction that do not fit are cut off.
func decimalKey(text string) (_ int128, whole bool, _ error) {
	digits, negative := text, false
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		digits, negative = rest, true
	} else {
		digits = strings.TrimPrefix(digits, "+")
	}
	exponent := 0
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		n, err := strconv.Atoi(digits[i+1:])
		if err != nil || n < -1000 || n > 1000 {
			return int128{}, false, errNumber
		}
		digits, exponent = digits[:i], n
	}
	whole = true
	number, fraction, _ := strings.Cut(digits, ".")
	if number+fraction == "" || strings.Trim(number+fraction, "0123456789") != "" {
		return int128{}, false, errNumber
	}
	digits, exponent = strings.TrimLeft(number+fraction, "0"), exponent-len(fraction)+keyScale
	if exponent < 0 { // there are more digits than the scale has room for
		cut := max(0, len(digits)+exponent)
		whole = strings.Trim(digits[cut:], "0") == ""
		digits, exponent = digits[:cut], 0
	}
	if digits == "" {
		return int128{}, whole, nil
	}
	if len(digits)+exponent > keyPrecision {
		return int128{}, false, fmt.Errorf("the number %.60s has more than %d digits before the point, and a key column is numeric(%d,%d); write the item under another key, or use a key of type S",
			text, keyPrecision-keyScale, keyPrecision, keyScale)
	}
	if len(digits)+exponent <= 18 { // nearly always
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return int128{}, false, errNumber
		}
		for range exponent {
			n *= 10
		}
		if negative {
			n = -n
		}
		return int128{lower: uint64(n), upper: n >> 63}, whole, nil //nolint:gosec // two's complement
	}
	n, ok := new(big.Int).SetString(digits+strings.Repeat("0", exponent), 10)
	if !ok || n.CmpAbs(maxUnscaled) >= 0 {
		return int128{}, false, errNumber
	}
	v := int128{lower: new(big.Int).And(n, new(big.Int).SetUint64(^uint64(0))).Uint64(), upper: new(big.Int).Rsh(n, 64).Int64()}
	if negative {
		v.lower, v.upper = -v.lower, ^v.upper
		if v.lower == 0 {
			v.upper++
		}
	}
	return v, whole, nil
}

// doc makes sure that an item's JSON is what the engine can read again.
func (s shape) doc(doc []byte) ([]byte, error) {
	if !utf8.Valid(doc) {
		if !s.acceptBad {
			return nil, fmt.Errorf("it holds text that is not valid UTF-8; set ACCEPTINVCHARS TRUE to have such characters replaced by '?', or correct the item")
		}
		doc = bytes.ToValidUTF8(doc, []byte{'?'})
	}
	// Halves of characters, spelled out as escapes, make the engine refuse the whole text when it is read.
	if bytes.Contains(doc, []byte(`\ud`)) || bytes.Contains(doc, []byte(`\uD`)) {
		fixed, bad := replaceLoneSurrogates(doc)
		if bad && !s.acceptBad {
			return nil, fmt.Errorf("it holds half of a character (an unpaired surrogate such as \\ud800); set ACCEPTINVCHARS TRUE to have it replaced by '?', or correct the item")
		}
		doc = fixed
	}
	if len(doc) <= s.maxDoc {
		return doc, nil
	}
	if !s.truncate {
		return nil, fmt.Errorf("it has %d bytes and a SUPER value holds %d; set TRUNCATECOLUMNS TRUE to have its longest texts cut, or make it smaller", len(doc), s.maxDoc)
	}
	return s.cut(doc)
}

// replaceLoneSurrogates puts '?' in place of escapes \uD800 to \uDFFF that are not one of a pair.
func replaceLoneSurrogates(doc []byte) (fixed []byte, bad bool) {
	surrogate := func(i int) (v uint64, ok bool) {
		if i+6 > len(doc) || doc[i] != '\\' || doc[i+1] != 'u' {
			return 0, false
		}
		v, err := strconv.ParseUint(string(doc[i+2:i+6]), 16, 16)
		return v, err == nil && v >= 0xD800 && v < 0xE000
	}
	fixed = make([]byte, 0, len(doc))
	for i := 0; i < len(doc); {
		v, ok := surrogate(i)
		switch {
		case ok && v < 0xDC00:
			if low, ok := surrogate(i + 6); ok && low >= 0xDC00 {
				fixed = append(fixed, doc[i:i+12]...)
				i += 12
				continue
			}
			fallthrough
		case ok:
			fixed, bad = append(fixed, '?'), true
			i += 6
		case doc[i] == '\\' && i+1 < len(doc):
			fixed = append(fixed, doc[i], doc[i+1])
			i += 2
		default:
			fixed = append(fixed, doc[i])
			i++
		}
	}
	return fixed, bad
}

// cut shortens the longest texts of an item, attributes of type S that are not keys, until it fits.
func (s shape) cut(doc []byte) ([]byte, error) {
	var item map[string]map[string]json.RawMessage
	if err := json.Unmarshal(doc, &item); err != nil {
		return nil, fmt.Errorf("it is not readable JSON")
	}
	for _, k := range s.Keys {
		delete(item, k.Name)
	}
	texts := map[string]string{}
	for name, v := range item {
		var text string
		if raw, ok := v["S"]; ok && json.Unmarshal(raw, &text) == nil {
			texts[name] = text
		}
	}
	// Again with the keys, which are left as they are.
	if err := json.Unmarshal(doc, &item); err != nil {
		return nil, fmt.Errorf("it is not readable JSON")
	}
	for {
		out, err := marshalPlain(item)
		if err != nil {
			return nil, err
		}
		surplus := len(out) - s.maxDoc
		if surplus <= 0 {
			return out, nil
		}
		longest := ""
		for name, text := range texts {
			if text != "" && (longest == "" || len(text) > len(texts[longest]) || len(text) == len(texts[longest]) && name < longest) {
				longest = name
			}
		}
		if longest == "" {
			return nil, fmt.Errorf("it has %d bytes, a SUPER value holds %d, and it has no text left that could be cut; make it smaller", len(doc), s.maxDoc)
		}
		texts[longest] = cutText(texts[longest], max(0, len(texts[longest])-surplus))
		raw, err := marshalPlain(texts[longest])
		if err != nil {
			return nil, err
		}
		item[longest] = map[string]json.RawMessage{"S": raw}
	}
}

// marshalPlain is json.Marshal without the escapes meant for web pages.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
