package duckdb

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Column describes a column of a result or of a relation. It has the fields of the Data API's
// ColumnMetadata in their order, so that the statements domain can take it over as it is.
type Column struct {
	Name, Label, TypeName    string // TypeName is PostgreSQL's internal name, "int4"
	Length, Precision, Scale int
	Nullable                 int // 0 no, 1 yes, 2 unknown
	Schema, Table, Default   string
	CaseSensitive, Signed    bool
}

// rsType is a Redshift data type.
type rsType struct {
	name             string // as Redshift's catalogue spells it, without arguments: "character varying"
	length           int    // in bytes, of character and varbyte types
	precision, scale int    // of numeric
}

const (
	maxVarchar = 65535
	maxVarbyte = 16777216
)

// String is the type with its arguments, "character varying(20)".
func (t rsType) String() string {
	switch {
	case t.name == "numeric":
		return fmt.Sprintf("numeric(%d,%d)", t.precision, t.scale)
	case t.length > 0:
		return fmt.Sprintf("%s(%d)", t.name, t.length)
	}
	return t.name
}

// typeFacts are a type's internal name, its precision in column metadata, and the name load errors use.
var typeFacts = map[string]struct {
	internal  string
	precision int
	signed    bool
	loadName  string
}{
	"smallint":                    {"int2", 5, true, "smallint"},
	"integer":                     {"int4", 10, true, "integer"},
	"bigint":                      {"int8", 19, true, "bigint"},
	"numeric":                     {"numeric", 0, true, "numeric"},
	"real":                        {"float4", 8, true, "float4"},
	"double precision":            {"float8", 17, true, "float8"},
	"boolean":                     {"bool", 1, false, "boolean"},
	"character":                   {"bpchar", 0, false, "char"},
	"character varying":           {"varchar", 0, false, "varchar"},
	"date":                        {"date", 13, false, "date"},
	"time without time zone":      {"time", 15, false, "time"},
	"time with time zone":         {"timetz", 21, false, "timetz"},
	"timestamp without time zone": {"timestamp", 29, false, "timestamp"},
	"timestamp with time zone":    {"timestamptz", 35, false, "timestamptz"},
	"super":                       {"super", 0, false, "super"},
	"binary varying":              {"varbyte", 0, false, "varbyte"},
	"interval year to month":      {"intervaly2m", 0, true, "intervaly2m"},
	"interval day to second":      {"intervald2s", 0, true, "intervald2s"},
	"oid":                         {"oid", 10, false, "oid"},
	"name":                        {"name", 0, false, "name"},
	`"char"`:                      {"char", 0, false, "char"},
}

// loadTypeName is the type's name in load errors, "varchar".
func (t rsType) loadTypeName() string {
	if f, ok := typeFacts[t.name]; ok {
		return f.loadName
	}
	return t.name
}

// parseType reads a type as String prints it. A type it does not know has an empty name.
func parseType(text string) rsType {
	name, args, _ := strings.Cut(strings.ToLower(strings.TrimSpace(text)), "(")
	t := rsType{name: strings.TrimSpace(name)}
	if _, ok := typeFacts[t.name]; !ok {
		return rsType{}
	}
	args = strings.TrimSuffix(strings.TrimSpace(args), ")")
	if args == "" {
		return t
	}
	first, second, _ := strings.Cut(args, ",")
	a, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return rsType{}
	}
	if t.name != "numeric" {
		t.length = a
		return t
	}
	t.precision = a
	if second != "" {
		if t.scale, err = strconv.Atoi(strings.TrimSpace(second)); err != nil {
			return rsType{}
		}
	}
	return t
}

// typeOf is the Redshift type that describes a result column best.
func typeOf(f *field) rsType {
	switch f.id {
	case mapping.TypeBoolean:
		return rsType{name: "boolean"}
	case mapping.TypeTinyInt, mapping.TypeUTinyInt, mapping.TypeSmallInt:
		return rsType{name: "smallint"}
	case mapping.TypeUSmallInt, mapping.TypeInteger, mapping.TypeSQLNull:
		return rsType{name: "integer"}
	case mapping.TypeUInteger, mapping.TypeBigInt, mapping.TypeUBigInt, mapping.TypeHugeInt, mapping.TypeUHugeInt:
		// DuckDB's sum of integers is a HUGEINT where Redshift's is a bigint, so bigint is what clients expect
		// of it. A value beyond int64 comes as text.
		return rsType{name: "bigint"}
	case mapping.TypeFloat:
		return rsType{name: "real"}
	case mapping.TypeDouble:
		return rsType{name: "double precision"}
	case mapping.TypeDecimal:
		return rsType{name: "numeric", precision: f.width, scale: f.scale}
	case mapping.TypeDate:
		return rsType{name: "date"}
	case mapping.TypeTime:
		return rsType{name: "time without time zone"}
	case mapping.TypeTimeTZ:
		return rsType{name: "time with time zone"}
	case mapping.TypeTimestamp, mapping.TypeTimestampS, mapping.TypeTimestampMS, mapping.TypeTimestampNS:
		return rsType{name: "timestamp without time zone"}
	case mapping.TypeTimestampTZ:
		return rsType{name: "timestamp with time zone"}
	case mapping.TypeInterval:
		return rsType{name: "interval day to second"}
	case mapping.TypeBlob:
		return rsType{name: "binary varying", length: maxVarbyte}
	case mapping.TypeVarchar:
		if f.json {
			return rsType{name: "super"}
		}
	case mapping.TypeList, mapping.TypeArray, mapping.TypeStruct, mapping.TypeMap:
		return rsType{name: "super"}
	}
	return rsType{name: "character varying", length: maxVarchar}
}

// typeOfDuckDB is typeOf for a type's name in DuckDB's catalogue.
func typeOfDuckDB(name string) rsType {
	upper := strings.ToUpper(name)
	if args, ok := strings.CutPrefix(upper, "DECIMAL"); ok {
		return parseType("numeric" + args)
	}
	if strings.HasSuffix(upper, "]") || strings.HasPrefix(upper, "STRUCT(") || strings.HasPrefix(upper, "MAP(") {
		return rsType{name: "super"}
	}
	id, ok := map[string]mapping.Type{
		"BOOLEAN": mapping.TypeBoolean, "TINYINT": mapping.TypeTinyInt, "SMALLINT": mapping.TypeSmallInt, "INTEGER": mapping.TypeInteger,
		"BIGINT": mapping.TypeBigInt, "UTINYINT": mapping.TypeUTinyInt, "USMALLINT": mapping.TypeUSmallInt, "UINTEGER": mapping.TypeUInteger,
		"UBIGINT": mapping.TypeUBigInt, "HUGEINT": mapping.TypeHugeInt, "UHUGEINT": mapping.TypeUHugeInt, "FLOAT": mapping.TypeFloat,
		"DOUBLE": mapping.TypeDouble, "DATE": mapping.TypeDate, "TIME": mapping.TypeTime, "TIME WITH TIME ZONE": mapping.TypeTimeTZ,
		"TIMESTAMP": mapping.TypeTimestamp, "TIMESTAMP_S": mapping.TypeTimestampS, "TIMESTAMP_MS": mapping.TypeTimestampMS,
		"TIMESTAMP_NS": mapping.TypeTimestampNS, "TIMESTAMP WITH TIME ZONE": mapping.TypeTimestampTZ, "INTERVAL": mapping.TypeInterval,
		"BLOB": mapping.TypeBlob,
	}[upper]
	if !ok {
		id = mapping.TypeVarchar
	}
	return typeOf(&field{id: id, json: upper == "JSON"})
}

// column returns the metadata of a column of this type.
func (t rsType) column(name string) Column {
	facts := typeFacts[t.name]
	c := Column{
		Name: name, Label: name, TypeName: facts.internal, Length: t.length, Precision: facts.precision, Scale: t.scale,
		Nullable: 1, Signed: facts.signed,
	}
	switch t.name {
	case "numeric":
		c.Precision = t.precision
	case "character", "character varying", "binary varying":
		c.Precision = t.length
	}
	c.CaseSensitive = t.name == "character" || t.name == "character varying" || t.name == "super" || t.name == "name"
	return c
}

// note is what Redshift keeps of a column and DuckDB cannot hold. It is the column's comment, as JSON
// behind a prefix; CREATE TABLE writes it and nothing but the catalogue here reads it.
type note struct {
	Type     string `json:"type,omitempty"`     // "character varying(20)"
	Identity string `json:"identity,omitempty"` // "seed,step"
	Default  string `json:"default,omitempty"`  // the DEFAULT expression as the user wrote it
	Encode   string `json:"encode,omitempty"`
	DistKey  bool   `json:"distkey,omitempty"`
	SortKey  int    `json:"sortkey,omitempty"` // place in the sort key, from 1
}

const notePrefix = "penstock:"

// parseNote reads a column comment. A comment of the user's own is no note and no error.
func parseNote(comment string) note {
	var n note
	if text, ok := strings.CutPrefix(comment, notePrefix); ok {
		if err := json.Unmarshal([]byte(text), &n); err != nil {
			return note{}
		}
	}
	return n
}
