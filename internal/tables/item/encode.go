package item

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// AppendJSON appends the canonical JSON of the item: attributes by name, sets in order, numbers in
// normal form, nothing escaped that need not be. Equal items have equal JSON.
func (m Item) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, a := range m {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, a.Name)
		b = append(b, ':')
		b = a.Value.AppendJSON(b)
	}
	return append(b, '}')
}

// JSON returns the canonical JSON of the item.
func (m Item) JSON() []byte {
	return m.AppendJSON(make([]byte, 0, 64+2*m.Size()))
}

// AppendJSON appends the canonical JSON of the value; {} if it is absent.
func (v Value) AppendJSON(b []byte) []byte {
	if v.Type == 0 {
		return append(b, '{', '}')
	}
	b = append(b, '{', '"')
	b = append(b, v.Type.String()...)
	b = append(b, '"', ':')
	switch v.Type {
	case SS, NS, BS:
		b = append(b, '[')
		for i, e := range v.List {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.appendScalar(b)
		}
		b = append(b, ']')
	case L:
		b = append(b, '[')
		for i, e := range v.List {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.AppendJSON(b)
		}
		b = append(b, ']')
	case M:
		b = v.Map.AppendJSON(b)
	default:
		b = v.appendScalar(b)
	}
	return append(b, '}')
}

func (v Value) appendScalar(b []byte) []byte {
	switch v.Type {
	case S:
		return appendString(b, v.Text)
	case N:
		b = append(b, '"')
		b = append(b, v.Text...)
		return append(b, '"')
	case B:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, []byte(v.Text))
		return append(b, '"')
	case BOOL:
		if v.Bool {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	}
	return append(b, "true"...) // NULL
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string, escaping only what must be.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xF])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// Describe shows a value as the service does in its messages: {S:text}, {L:[{N:1}]}.
func (v Value) Describe() string {
	var b strings.Builder
	v.describe(&b)
	return shorten(b.String())
}

func (v Value) describe(b *strings.Builder) {
	b.WriteString("{" + v.Type.String() + ":")
	switch v.Type {
	case S, N:
		b.WriteString(v.Text)
	case B:
		b.WriteString(base64.StdEncoding.EncodeToString([]byte(v.Text)))
	case SS, NS, BS:
		b.WriteString(v.describeMembers())
	case L:
		b.WriteByte('[')
		for i, e := range v.List {
			if i > 0 {
				b.WriteByte(',')
			}
			if b.Len() < 200 {
				e.describe(b)
			}
		}
		b.WriteByte(']')
	case M:
		b.WriteByte('{')
		for i, a := range v.Map {
			if i > 0 {
				b.WriteByte(',')
			}
			if b.Len() < 200 {
				b.WriteString(a.Name + "=")
				a.Value.describe(b)
			}
		}
		b.WriteByte('}')
	case BOOL:
		b.Write(v.appendScalar(nil))
	case NULL:
		b.WriteString("true")
	}
	b.WriteByte('}')
}

func (v Value) describeMembers() string {
	var parts []string
	for _, e := range v.List {
		text := e.Text
		if e.Type == B {
			text = base64.StdEncoding.EncodeToString([]byte(e.Text))
		}
		parts = append(parts, text)
	}
	return "[" + shorten(strings.Join(parts, ", ")) + "]"
}

// Length returns what the size function of expressions says of a value; false for types it does not take.
func (v Value) Length() (int, bool) {
	switch v.Type {
	case S:
		return utf8.RuneCountInString(v.Text), true
	case B:
		return len(v.Text), true
	case SS, NS, BS, L:
		return len(v.List), true
	case M:
		return len(v.Map), true
	}
	return 0, false
}

// AppendStored appends the form in which items are stored: their size, then their canonical JSON. The
// size is there so that pages can be measured without parsing.
func (m Item) AppendStored(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(m.Size()))
	return m.AppendJSON(b)
}

// SplitSize cuts what AppendStored wrote into the size and the JSON.
func SplitSize(stored []byte) (size int, raw []byte) {
	n, used := binary.Uvarint(stored)
	return int(n), stored[max(used, 0):]
}
