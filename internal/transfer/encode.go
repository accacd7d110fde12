package transfer

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

var contentTypes = map[Format]string{JSONLines: "application/x-ndjson", CSV: "text/csv", Parquet: "application/vnd.apache.parquet"}

// encoder writes records, which are JSON objects, in some format.
type encoder interface {
	record(object []byte) error
	end() error
}

func newEncoder(f Format, out io.Writer, cols []Column) (encoder, error) {
	switch f {
	case CSV:
		return newCSVEncoder(out, cols)
	case Parquet:
		return newParquetEncoder(out, cols)
	}
	return nil, fault.New(fault.Unsupported, SubjectDestination, "records cannot be written as %q", f)
}

// row gives the values of a record the places of its columns.
type row struct {
	at     map[string]int
	values [][]byte // nil for null and for what is absent
}

func newRow(cols []Column) row {
	r := row{at: map[string]int{}, values: make([][]byte, len(cols))}
	for i, c := range cols {
		r.at[c.Name] = i
	}
	return r
}

func (r row) fill(object []byte) error {
	clear(r.values)
	return vendors.Members(object, func(name string, value []byte) error {
		i, ok := r.at[name]
		if !ok {
			return fmt.Errorf("the field %q was not there before", name)
		}
		if value[0] != 'n' {
			r.values[i] = bytes.Clone(value)
		}
		return nil
	})
}

// text is a value as text: a string's content, anything else as it is written in JSON.
func text(value []byte) (string, error) {
	if value[0] != '"' {
		return string(value), nil
	}
	var s string
	err := json.Unmarshal(value, &s)
	return s, err
}

// csvEncoder writes RFC 4180 with a header. Null is nothing at all; an empty string is, too.
type csvEncoder struct {
	row
	out    *csv.Writer
	fields []string
}

func newCSVEncoder(out io.Writer, cols []Column) (*csvEncoder, error) {
	e := &csvEncoder{newRow(cols), csv.NewWriter(out), make([]string, len(cols))}
	for i, c := range cols {
		e.fields[i] = c.Name
	}
	return e, diskFault(e.out.Write(e.fields))
}

func (e *csvEncoder) record(object []byte) error {
	if err := e.fill(object); err != nil {
		return err
	}
	for i, v := range e.values {
		e.fields[i] = ""
		if v != nil {
			var err error
			if e.fields[i], err = text(v); err != nil {
				return err
			}
		}
	}
	return diskFault(e.out.Write(e.fields))
}

func (e *csvEncoder) end() error {
	e.out.Flush()
	return diskFault(e.out.Error())
}

// parquetEncoder writes Parquet, every column optional, compressed.
type parquetEncoder struct {
	row
	cols  []Column
	typ   reflect.Type
	out   *parquet.GenericWriter[any]
	count int
}

// rowGroup is how many rows are in memory at a time.
const rowGroup = 50_000

// parquetTypes are the Go types of columns and what the schema says of them.
var parquetTypes = map[vendors.Type]struct {
	zero any
	tag  string
}{
	vendors.Boolean: {(*bool)(nil), ""},
	vendors.Integer: {(*int64)(nil), ""},
	vendors.Number:  {(*float64)(nil), ""},
	vendors.Date:    {(*int32)(nil), ",date"},
	vendors.Time:    {(*int64)(nil), ",timestamp(millisecond)"},
	vendors.Nested:  {(*string)(nil), ",json"},
	vendors.Text:    {(*string)(nil), ""},
}

func newParquetEncoder(out io.Writer, cols []Column) (*parquetEncoder, error) {
	fields := make([]reflect.StructField, len(cols))
	for i, c := range cols {
		t := parquetTypes[c.Type]
		name := strings.NewReplacer(",", "_").Replace(c.Name) // which a tag cannot hold
		fields[i] = reflect.StructField{
			Name: fmt.Sprintf("F%d", i), Type: reflect.TypeOf(t.zero),
			Tag: reflect.StructTag("parquet:" + strconv.Quote(name+t.tag+",optional")),
		}
	}
	e := &parquetEncoder{row: newRow(cols), cols: cols, typ: reflect.StructOf(fields)}
	e.out = parquet.NewGenericWriter[any](out, parquet.SchemaOf(reflect.New(e.typ).Interface()), parquet.Compression(&parquet.Snappy))
	return e, nil
}

func (e *parquetEncoder) record(object []byte) error {
	if err := e.fill(object); err != nil {
		return err
	}
	v := reflect.New(e.typ)
	for i, value := range e.values {
		if value == nil {
			continue
		}
		typed, err := e.value(e.cols[i], value)
		if err != nil {
			return err
		}
		v.Elem().Field(i).Set(reflect.ValueOf(typed))
	}
	if _, err := e.out.Write([]any{v.Interface()}); err != nil {
		return diskFault(err)
	}
	if e.count++; e.count%rowGroup == 0 {
		return diskFault(e.out.Flush())
	}
	return nil
}

func (e *parquetEncoder) end() error { return diskFault(e.out.Close()) }

// value is a JSON value as the column has it.
func (e *parquetEncoder) value(c Column, value []byte) (any, error) {
	s, err := text(value)
	if err != nil {
		return nil, err
	}
	switch c.Type {
	case vendors.Boolean:
		b, err := strconv.ParseBool(s)
		return &b, misfit(c, s, err)
	case vendors.Integer:
		n, err := strconv.ParseInt(s, 10, 64)
		return &n, misfit(c, s, err)
	case vendors.Number:
		f, err := strconv.ParseFloat(s, 64)
		return &f, misfit(c, s, err)
	case vendors.Date:
		t, err := time.Parse(time.DateOnly, s)
		days := int32(t.Unix() / 86400)
		return &days, misfit(c, s, err)
	case vendors.Time:
		t, err := parseTime(s)
		ms := t.UnixMilli()
		return &ms, misfit(c, s, err)
	case vendors.Nested:
		s = string(value) // a string in it is still JSON
	}
	return &s, nil
}

func misfit(c Column, value string, err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(err, fault.Invalid, SubjectSource, "the field %s is declared to be of type %s and holds %.60q", c.Name, c.Type, value)
}

// parseTime reads a time as the vendors write it.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		if again, e := time.Parse("2006-01-02T15:04:05.999-0700", s); e == nil {
			return again, nil
		}
	}
	return t, err
}

// rowEncoder writes the lines of JSON that a table is loaded from: members are named as the table's columns, nulls
// are left out, and times are in a form the warehouse reads.
type rowEncoder struct {
	row
	out   *bufio.Writer
	cols  []Column
	names [][]byte // with what comes before the value
	line  bytes.Buffer
}

func newRowEncoder(out *bufio.Writer, cols []Column, names []string) *rowEncoder {
	e := &rowEncoder{row: newRow(cols), out: out, cols: cols}
	for _, n := range names {
		quoted, err := json.Marshal(n)
		if err != nil { // a string always can
			quoted = []byte(`""`)
		}
		e.names = append(e.names, append(quoted, ':'))
	}
	return e
}

func (e *rowEncoder) record(object []byte) error {
	if err := e.fill(object); err != nil {
		return err
	}
	e.line.Reset()
	e.line.WriteByte('{')
	for i, v := range e.values {
		if v == nil {
			continue
		}
		if e.cols[i].Type == vendors.Time {
			s, err := text(v)
			if err != nil {
				return err
			}
			t, err := parseTime(s)
			if err != nil {
				return misfit(e.cols[i], s, err)
			}
			v = []byte(t.UTC().Format(`"2006-01-02 15:04:05.999999+00"`))
		}
		if e.line.Len() > 1 {
			e.line.WriteByte(',')
		}
		e.line.Write(e.names[i])
		e.line.Write(v)
	}
	e.line.WriteString("}\n")
	_, err := e.line.WriteTo(e.out)
	return diskFault(err)
}

func (e *rowEncoder) end() error { return nil }
