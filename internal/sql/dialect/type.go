package dialect

// Type is a Redshift data type.
type Type struct {
	Name      string // canonical: "character varying", "numeric", "timestamp without time zone", "super"
	Length    int    // of character and varbyte types; 0 where the type has none
	Precision int    // of numeric
	Scale     int    // of numeric
	DuckDB    string // the type that holds it: "VARCHAR", "DECIMAL(18,0)", "JSON"
}
