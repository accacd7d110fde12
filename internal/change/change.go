// Package change is the vocabulary of replication: the rows that flow from a table to a warehouse, and the
// marks that say how far. It is data only. Sources make Pages, the pipeline makes Batches of them, warehouses
// apply Batches.
package change

import "time"

// KeyType is the type of a key attribute, with DynamoDB's letter.
type KeyType byte

const (
	String KeyType = 'S'
	Number KeyType = 'N'
	Binary KeyType = 'B'
)

// KeyColumn is an attribute of the primary key.
type KeyColumn struct {
	Name string
	Type KeyType
}

// Schema is what is known of a table's shape: its name and its one or two key attributes, partition key first.
type Schema struct {
	Table string
	Keys  []KeyColumn
}

// Table is a source table as its source finds it.
type Table struct {
	Schema Schema
	// ID is this incarnation of the table and of its stream. A table deleted and made again, and a stream switched
	// off and on again, have another.
	ID           string
	Items, Bytes int64 // the source's own estimates, for progress
}

// Row is the latest known image of an item.
type Row struct {
	// Keys are the values of the key attributes, as the source's JSON has them between the quotes, unescaped: text,
	// a number in normal form, or base64. Keys[1] is empty without a sort key.
	Keys [2]string
	// Doc is the item as the source's JSON has it, {"pk":{"S":"a"},"n":{"N":"1"}}: valid, compact, and never
	// decoded on the way. Nil says the item is deleted. It may share memory with other rows of its page.
	Doc []byte
}

// Mark says that everything of a part of the source up to After has been read. A part is a segment of a
// snapshot or a shard of a stream. Both texts are the source's own; nobody else looks into them. An empty After
// says that the part is over and its mark may be forgotten: a mark that is kept with it does no harm.
type Mark struct{ Part, After string }

// Marks are the marks of one table, by part. They are what a source resumes from.
type Marks map[string]string

// Page is what a source read in one piece.
type Page struct {
	Rows []Row
	Mark Mark
	// Newest is when the newest change of a stream page was made at the source; zero in a snapshot, or when there
	// is none.
	Newest time.Time
	Bytes  int // read for this page
}

// Batch is rows and the marks that cover them, to become durable together (invariant 1). Of several rows with
// the same keys the last one counts.
type Batch struct {
	Rows   []Row
	Marks  []Mark
	Newest time.Time
	Bytes  int
}
