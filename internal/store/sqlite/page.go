package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/penstock-io/penstock/internal/statements"
)

// A page of a result is stored as
//
//	version   1 byte, pageVersion
//	rows      uvarint
//	each row  uvarint number of values, then the values
//	value     1 byte tag, then varint for an integer, 8 bytes little-endian for a float,
//	          uvarint length and the bytes for text and binary, nothing for the rest
const pageVersion = 1

const (
	tagNull = iota
	tagFalse
	tagTrue
	tagInt
	tagFloat
	tagText
	tagBytes
)

func encodePage(p statements.Page) ([]byte, error) {
	b := []byte{pageVersion}
	b = binary.AppendUvarint(b, uint64(len(p.Rows)))
	for _, row := range p.Rows {
		b = binary.AppendUvarint(b, uint64(len(row)))
		for _, value := range row {
			switch v := value.(type) {
			case nil:
				b = append(b, tagNull)
			case bool:
				if v {
					b = append(b, tagTrue)
				} else {
					b = append(b, tagFalse)
				}
			case int64:
				b = binary.AppendVarint(append(b, tagInt), v)
			case float64:
				b = binary.LittleEndian.AppendUint64(append(b, tagFloat), math.Float64bits(v))
			case string:
				b = binary.AppendUvarint(append(b, tagText), uint64(len(v)))
				b = append(b, v...)
			case []byte:
				b = binary.AppendUvarint(append(b, tagBytes), uint64(len(v)))
				b = append(b, v...)
			default:
				return nil, fmt.Errorf("a result cannot hold a %T", value)
			}
		}
	}
	return b, nil
}

var errPage = errors.New("a stored result page is damaged")

func decodePage(b []byte) (statements.Page, error) {
	if len(b) == 0 || b[0] != pageVersion {
		return statements.Page{}, errors.New("a stored result page has a form that this penstock does not know")
	}
	d := pageDecoder{b: b[1:]}
	rows := d.length()
	p := statements.Page{Rows: make([][]statements.Value, 0, rows)}
	for range rows {
		n := d.length()
		row := make([]statements.Value, 0, n)
		for range n {
			row = append(row, d.value())
		}
		if d.bad {
			break
		}
		p.Rows = append(p.Rows, row)
	}
	if d.bad || len(d.b) > 0 {
		return statements.Page{}, errPage
	}
	return p, nil
}

// pageDecoder reads from the front of b. After a mistake bad is set and zero values follow.
type pageDecoder struct {
	b   []byte
	bad bool
}

// length reads a number of things that take at least a byte each, so that a damaged number cannot ask for more
// memory than there is data.
func (d *pageDecoder) length() int {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > uint64(len(d.b)-n) {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return int(v)
}

func (d *pageDecoder) take(n int) []byte {
	if n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *pageDecoder) value() statements.Value {
	tag := d.take(1)
	if d.bad {
		return nil
	}
	switch tag[0] {
	case tagNull:
		return nil
	case tagFalse, tagTrue:
		return tag[0] == tagTrue
	case tagInt:
		v, n := binary.Varint(d.b)
		if n <= 0 {
			d.bad, d.b = true, nil
			return nil
		}
		d.b = d.b[n:]
		return v
	case tagFloat:
		if b := d.take(8); !d.bad {
			return math.Float64frombits(binary.LittleEndian.Uint64(b))
		}
		return nil
	case tagText:
		return string(d.take(d.length()))
	case tagBytes:
		return append([]byte{}, d.take(d.length())...)
	default:
		d.bad = true
		return nil
	}
}
