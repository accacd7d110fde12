package redshiftdata

// What the tests of this package look at directly.
var (
	CSVRecords   = csvRecords
	DatabaseUser = databaseUser
)
