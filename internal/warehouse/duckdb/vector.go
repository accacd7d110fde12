package duckdb

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// field is the type of a result column, with what is needed to read it. Nested types have children.
type field struct {
	id           mapping.Type
	store        mapping.Type // how a decimal or an enum is laid out
	json         bool
	width, scale int
	labels       []string // of an enum
	names        []string // of a struct's children
	size         int      // of an array
	children     []field
}

// vector is where a field's values of one chunk are, in the engine's memory. It is valid as long as the chunk.
type vector struct {
	data, valid unsafe.Pointer
	children    []vector
}

func newField(lt mapping.LogicalType) field {
	f := field{id: mapping.GetTypeId(lt)}
	child := func(lt mapping.LogicalType) {
		f.children = append(f.children, newField(lt))
		mapping.DestroyLogicalType(&lt)
	}
	switch f.id {
	case mapping.TypeVarchar:
		f.json = mapping.LogicalTypeGetAlias(lt) == "JSON"
	case mapping.TypeDecimal:
		f.width, f.scale = int(mapping.DecimalWidth(lt)), int(mapping.DecimalScale(lt))
		f.store = mapping.DecimalInternalType(lt)
	case mapping.TypeEnum:
		f.store = mapping.EnumInternalType(lt)
		for i := range mapping.EnumDictionarySize(lt) {
			f.labels = append(f.labels, mapping.EnumDictionaryValue(lt, mapping.IdxT(i)))
		}
	case mapping.TypeList:
		child(mapping.ListTypeChildType(lt))
	case mapping.TypeArray:
		f.size = int(mapping.ArrayTypeArraySize(lt))
		child(mapping.ArrayTypeChildType(lt))
	case mapping.TypeMap:
		child(mapping.MapTypeKeyType(lt))
		child(mapping.MapTypeValueType(lt))
	case mapping.TypeStruct:
		for i := range mapping.StructTypeChildCount(lt) {
			f.names = append(f.names, mapping.StructTypeChildName(lt, i))
			child(mapping.StructTypeChildType(lt, i))
		}
	}
	return f
}

func (f *field) vector(v mapping.Vector) vector {
	out := vector{data: mapping.VectorGetData(v), valid: mapping.VectorGetValidity(v)}
	switch f.id {
	case mapping.TypeList:
		out.children = []vector{f.children[0].vector(mapping.ListVectorGetChild(v))}
	case mapping.TypeArray:
		out.children = []vector{f.children[0].vector(mapping.ArrayVectorGetChild(v))}
	case mapping.TypeMap: // a list of key and value
		pair := mapping.ListVectorGetChild(v)
		for i := range f.children {
			out.children = append(out.children, f.children[i].vector(mapping.StructVectorGetChild(pair, mapping.IdxT(i))))
		}
	case mapping.TypeStruct:
		for i := range f.children {
			out.children = append(out.children, f.children[i].vector(mapping.StructVectorGetChild(v, mapping.IdxT(i))))
		}
	}
	return out
}

func (v *vector) null(row int) bool {
	if v.valid == nil {
		return false
	}
	word := *(*uint64)(unsafe.Add(v.valid, row/64*8))
	return word&(1<<(row%64)) == 0
}

func at[T any](v *vector, row int) T {
	var zero T
	return *(*T)(unsafe.Add(v.data, uintptr(row)*unsafe.Sizeof(zero)))
}

// bytes returns a copy of a string or blob: 4 bytes of length, then the text itself where it fits into 12
// bytes, otherwise 4 bytes of it and a pointer.
func (v *vector) bytes(row int) []byte {
	p := unsafe.Add(v.data, row*16)
	n := int(*(*uint32)(p))
	text := unsafe.Add(p, 4)
	if n > 12 {
		text = *(*unsafe.Pointer)(unsafe.Add(p, 8))
	}
	return append(make([]byte, 0, n), unsafe.Slice((*byte)(text), n)...)
}

func (v *vector) text(row int) string {
	b := v.bytes(row)
	return unsafe.String(unsafe.SliceData(b), len(b)) // b is ours and is not written again
}

// value returns a value as a result shows it: nil, bool, int64, float64, string or []byte.
func (f *field) value(v *vector, row int) any {
	if v.null(row) {
		return nil
	}
	switch f.id {
	case mapping.TypeBoolean:
		return at[bool](v, row)
	case mapping.TypeTinyInt:
		return int64(at[int8](v, row))
	case mapping.TypeSmallInt:
		return int64(at[int16](v, row))
	case mapping.TypeInteger:
		return int64(at[int32](v, row))
	case mapping.TypeBigInt:
		return at[int64](v, row)
	case mapping.TypeUTinyInt:
		return int64(at[uint8](v, row))
	case mapping.TypeUSmallInt:
		return int64(at[uint16](v, row))
	case mapping.TypeUInteger:
		return int64(at[uint32](v, row))
	case mapping.TypeUBigInt, mapping.TypeHugeInt, mapping.TypeUHugeInt:
		return integer(f.bigInt(v, row))
	case mapping.TypeFloat:
		return float64(at[float32](v, row))
	case mapping.TypeDouble:
		return at[float64](v, row)
	case mapping.TypeBlob:
		return v.bytes(row)
	}
	return f.textValue(v, row)
}

// integer is a number as int64 if it fits, otherwise as text.
func integer(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return n.String()
}

type hugeint struct {
	lower uint64
	upper int64
}

// bigInt reads any of the engine's whole numbers.
func (f *field) bigInt(v *vector, row int) *big.Int {
	id := f.id
	if id == mapping.TypeDecimal {
		id = f.store
	}
	switch id {
	case mapping.TypeSmallInt:
		return big.NewInt(int64(at[int16](v, row)))
	case mapping.TypeInteger:
		return big.NewInt(int64(at[int32](v, row)))
	case mapping.TypeBigInt:
		return big.NewInt(at[int64](v, row))
	case mapping.TypeUBigInt:
		return new(big.Int).SetUint64(at[uint64](v, row))
	}
	h := at[hugeint](v, row)
	upper := big.NewInt(h.upper)
	if f.id == mapping.TypeUHugeInt {
		upper.SetUint64(uint64(h.upper))
	}
	return upper.Lsh(upper, 64).Add(upper, new(big.Int).SetUint64(h.lower))
}

// textValue returns a value as text.
func (f *field) textValue(v *vector, row int) string {
	switch f.id {
	case mapping.TypeVarchar, mapping.TypeStringLiteral:
		return v.text(row)
	case mapping.TypeDecimal:
		return decimal(f.bigInt(v, row), f.scale)
	case mapping.TypeEnum:
		return f.labels[f.label(v, row)]
	case mapping.TypeDate:
		days := at[int32](v, row)
		if text, ok := infinite(int64(days), 1<<31-1); ok {
			return text
		}
		return date(time.Unix(int64(days)*86400, 0).UTC(), "")
	case mapping.TypeTime:
		return timeOfDay(at[int64](v, row))
	case mapping.TypeTimeTZ:
		bits := at[uint64](v, row)
		// The low 24 bits count seconds from the easternmost offset, +15:59:59, westwards.
		return timeOfDay(int64(bits>>24)) + offset(15*3600+59*60+59-int(bits&(1<<24-1)))
	case mapping.TypeTimestamp:
		return timestamp(at[int64](v, row), time.Microsecond)
	case mapping.TypeTimestampTZ:
		text := timestamp(at[int64](v, row), time.Microsecond)
		if strings.HasSuffix(text, "infinity") {
			return text
		}
		return text + "+00"
	case mapping.TypeTimestampS:
		return timestamp(at[int64](v, row), time.Second)
	case mapping.TypeTimestampMS:
		return timestamp(at[int64](v, row), time.Millisecond)
	case mapping.TypeTimestampNS:
		return timestamp(at[int64](v, row), time.Nanosecond)
	case mapping.TypeInterval:
		return interval(at[struct {
			months, days int32
			micros       int64
		}](v, row))
	case mapping.TypeUUID:
		return uuid(at[hugeint](v, row))
	case mapping.TypeBit:
		return bits(v.bytes(row))
	case mapping.TypeList, mapping.TypeArray, mapping.TypeMap, mapping.TypeStruct:
		return string(f.appendJSON(nil, v, row))
	case mapping.TypeSQLNull:
		return ""
	case mapping.TypeBoolean, mapping.TypeFloat, mapping.TypeDouble, mapping.TypeBlob,
		mapping.TypeTinyInt, mapping.TypeSmallInt, mapping.TypeInteger, mapping.TypeBigInt,
		mapping.TypeUTinyInt, mapping.TypeUSmallInt, mapping.TypeUInteger,
		mapping.TypeUBigInt, mapping.TypeHugeInt, mapping.TypeUHugeInt:
		return plain(f.value(v, row))
	}
	return "?" // types no statement the guard lets through can produce
}

func (f *field) label(v *vector, row int) int {
	switch f.store {
	case mapping.TypeUTinyInt:
		return int(at[uint8](v, row))
	case mapping.TypeUSmallInt:
		return int(at[uint16](v, row))
	}
	return int(at[uint32](v, row))
}

func plain(v any) string {
	switch v := v.(type) {
	case []byte:
		return hex.EncodeToString(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// decimal prints an unscaled number with all digits of its scale.
func decimal(n *big.Int, scale int) string {
	s := new(big.Int).Abs(n).String()
	if scale > 0 {
		if len(s) <= scale {
			s = strings.Repeat("0", scale+1-len(s)) + s
		}
		s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	}
	if n.Sign() < 0 {
		return "-" + s
	}
	return s
}

func infinite(v, limit int64) (string, bool) {
	switch v {
	case limit:
		return "infinity", true
	case -limit:
		return "-infinity", true
	}
	return "", false
}

// date prints a time the way Redshift does, with the part of layout after the day.
func date(t time.Time, layout string) string {
	if y := t.Year(); y <= 0 {
		return fmt.Sprintf("%04d", 1-y) + t.Format("-01-02"+layout) + " BC"
	}
	return t.Format("2006-01-02" + layout)
}

func timestamp(n int64, unit time.Duration) string {
	if text, ok := infinite(n, 1<<63-1); ok {
		return text
	}
	per := int64(time.Second / unit)
	sec, rest := n/per, n%per
	if rest < 0 {
		sec, rest = sec-1, rest+per
	}
	return date(time.Unix(sec, rest*int64(unit)).UTC(), " 15:04:05.999999999")
}

func timeOfDay(micros int64) string {
	if micros == 24*3600*1e6 {
		return "24:00:00"
	}
	return time.UnixMicro(micros).UTC().Format("15:04:05.999999")
}

func offset(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	text := fmt.Sprintf("%c%02d", sign, seconds/3600)
	if m := seconds / 60 % 60; m != 0 {
		text += fmt.Sprintf(":%02d", m)
	}
	return text
}

// interval prints in PostgreSQL's style, "1 year 2 mons 3 days 04:05:06".
func interval(i struct {
	months, days int32
	micros       int64
}) string {
	var parts []string
	add := func(n int32, unit string) {
		if n != 0 {
			if n != 1 {
				unit += "s"
			}
			parts = append(parts, fmt.Sprintf("%d %s", n, unit))
		}
	}
	add(i.months/12, "year")
	add(i.months%12, "mon")
	add(i.days, "day")
	if i.micros != 0 || len(parts) == 0 {
		sign, n := "", i.micros
		if n < 0 {
			sign, n = "-", -n
		}
		text := fmt.Sprintf("%s%02d:%02d:%02d", sign, n/3600e6, n/60e6%60, n/1e6%60)
		if n%1e6 != 0 {
			text += strings.TrimRight(fmt.Sprintf(".%06d", n%1e6), "0")
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

func uuid(h hugeint) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(h.upper)^1<<63) // stored with the sign flipped, so that it sorts
	binary.BigEndian.PutUint64(b[8:], h.lower)
	x := hex.EncodeToString(b[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// bits prints a bit string: a count of padding bits, then the bits, left-padded.
func bits(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	var s strings.Builder
	for _, c := range b[1:] {
		fmt.Fprintf(&s, "%08b", c)
	}
	return s.String()[min(int(b[0]), s.Len()):]
}

// appendJSON appends a value as JSON, which is how clients get lists, structs and maps.
func (f *field) appendJSON(b []byte, v *vector, row int) []byte {
	if v.null(row) {
		return append(b, "null"...)
	}
	list := func(from, n int) []byte {
		b = append(b, '[')
		for i := range n {
			if i > 0 {
				b = append(b, ',')
			}
			b = f.children[0].appendJSON(b, &v.children[0], from+i)
		}
		return append(b, ']')
	}
	switch f.id {
	case mapping.TypeList:
		e := at[[2]uint64](v, row)
		return list(int(e[0]), int(e[1]))
	case mapping.TypeArray:
		return list(row*f.size, f.size)
	case mapping.TypeMap:
		e := at[[2]uint64](v, row)
		b = append(b, '{')
		for i := range int(e[1]) {
			if i > 0 {
				b = append(b, ',')
			}
			k := int(e[0]) + i
			b = append(quoteJSON(b, f.children[0].textValue(&v.children[0], k)), ':')
			b = f.children[1].appendJSON(b, &v.children[1], k)
		}
		return append(b, '}')
	case mapping.TypeStruct:
		b = append(b, '{')
		for i := range f.children {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(quoteJSON(b, f.names[i]), ':')
			b = f.children[i].appendJSON(b, &v.children[i], row)
		}
		return append(b, '}')
	}
	switch value := f.value(v, row).(type) {
	case bool, int64:
		return fmt.Append(b, value)
	case float64:
		if text, err := json.Marshal(value); err == nil {
			return append(b, text...)
		}
		return quoteJSON(b, plain(value)) // NaN and the infinities
	case string:
		if f.json || f.id == mapping.TypeDecimal {
			return append(b, value...)
		}
		return quoteJSON(b, value)
	case []byte:
		return quoteJSON(b, plain(value))
	}
	return append(b, "null"...)
}

func quoteJSON(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return append(b, `""`...)
	}
	return append(b, text...)
}
