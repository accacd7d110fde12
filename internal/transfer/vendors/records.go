package vendors

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/penstock-io/penstock/internal/fault"
)

// Members calls yield with the members of a JSON object, in their order. The value is valid during the call.
func Members(object []byte, yield func(name string, value []byte) error) error {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if open, err := d.ReadToken(); err != nil || open.Kind() != '{' {
		return errors.New("it is not a JSON object")
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		text := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := yield(text, value); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// project makes the record a query asks for out of a vendor's: its fields in their order, absent ones null, or
// everything but the members hidden.
func project(object []byte, fields []string, hidden ...string) (json.RawMessage, error) {
	var out bytes.Buffer
	out.Grow(len(object))
	add := func(name string, value []byte) error {
		if out.Len() == 0 {
			out.WriteByte('{')
		} else {
			out.WriteByte(',')
		}
		quoted, err := jsontext.AppendQuote(nil, name)
		if err != nil {
			return err
		}
		out.Write(quoted)
		out.WriteByte(':')
		return compact(&out, value)
	}
	if len(fields) == 0 {
		err := Members(object, func(name string, value []byte) error {
			for _, h := range hidden {
				if name == h {
					return nil
				}
			}
			return add(name, value)
		})
		if err != nil {
			return nil, malformed(err)
		}
	} else {
		byName := map[string][]byte{}
		if err := Members(object, func(name string, value []byte) error {
			byName[strings.ToLower(name)] = bytes.Clone(value)
			return nil
		}); err != nil {
			return nil, malformed(err)
		}
		for _, f := range fields {
			value, err := lookup(byName, f)
			if err != nil {
				return nil, malformed(err)
			}
			if err := add(f, value); err != nil {
				return nil, malformed(err)
			}
		}
	}
	if out.Len() == 0 {
		out.WriteByte('{')
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// compact appends a value without white space: a record is one line.
func compact(out *bytes.Buffer, value []byte) error {
	v := jsontext.Value(value)
	if bytes.ContainsAny(value, " \t\r\n") {
		v = v.Clone()
		if err := v.Compact(); err != nil {
			return err
		}
	}
	out.Write(v)
	return nil
}

// lookup finds a field, whose name may be a path over relationships such as Owner.Name. Names are compared without
// regard to case, as the vendors do.
func lookup(byName map[string][]byte, field string) ([]byte, error) {
	if value, ok := byName[strings.ToLower(field)]; ok {
		return value, nil
	}
	first, rest, nested := strings.Cut(field, ".")
	value, ok := byName[strings.ToLower(first)]
	if !nested || !ok || bytes.Equal(value, []byte("null")) {
		return []byte("null"), nil
	}
	inner := map[string][]byte{}
	if err := Members(value, func(name string, value []byte) error {
		inner[strings.ToLower(name)] = bytes.Clone(value)
		return nil
	}); err != nil {
		return nil, err
	}
	return lookup(inner, rest)
}

func malformed(err error) error {
	return fault.Wrap(err, fault.Unavailable, SubjectRecords, "a record the source system sent is malformed: %v", err)
}
