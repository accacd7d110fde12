// Package duckdb is the embedded warehouse: Redshift databases in DuckDB files, and the loader that puts files
// into their tables exactly once.
//
// # Layout
//
// A Warehouse is a directory. Each Redshift database is a file in it, attached to one DuckDB instance under
// its own name, with the schema "public" and those users make, and an internal schema "penstock":
//
//	penstock.files       the ledger: for each job and key, whether the file was loaded or failed, and how it went
//	penstock.jobs        names and texts of the jobs in the ledger
//	penstock.history, .detail, .errors   what loads did, file by file and bad row by bad row; kept seven days
//	penstock.statements  marks of statements whose transaction committed; kept two days
//	penstock.replicas, .generations, .marks   copies of replicated tables: owners, states, how far they are
//	penstock.states, .activity                what they have been through; kept seven days
//	penstock.changes_N, .recent_N             changes of generation N that are not in its rows yet
//
// A transaction of DuckDB writes to one attached file only. That is why the ledger is in the database it
// speaks of and not in a place of its own.
//
// # The ledger's protocol
//
// A load with a job is one transaction: BEGIN; the rows of every good file; an entry for every file, good or
// bad, under the primary key (job, key); history; COMMIT. So a file's rows are there if and only if its entry
// says so (invariant 1), after any crash (invariant 9), and a second load of a key cannot commit. Load returns
// after COMMIT, which is when the caller may tell the world (invariant 6).
//
// A transaction that fails because of the data is rolled back. Each file is then checked by itself, without
// loading; those that are bad are failed with the rows at fault and the transaction is run again without their
// rows and with their entries. One bad file costs the others time and nothing else (invariant 7), and no row
// is left out without an entry in penstock.errors (invariant 5).
//
// A load without a job knows no ledger. It is all or nothing and happens in the session's transaction. Its
// history is part of that; when it fails, its history is written by a transaction of its own.
//
// A failure that is not the data's, such as a full disk, settles nothing: the same request may be made again.
//
// # Replicas
//
// A Replica is the copy of a source table. Each of its calls is one transaction (Publish may be several, of which
// the last shows): the rows, the marks that cover them and the row with the fence, which every call writes
// (invariants 1 and 2). A generation is loaded into a table with a hidden name, in "public" because the engine
// can rename tables and not move them, while changes are set aside by batch; then they are applied to it, and
// it takes the name of the one before (invariant 4). The engine keeps versions of its catalogue as it does of
// rows, so nobody sees anything in between.
//
// Changes are applied by deleting the rows of their keys and adding the images. The table has no key and no
// index: one would have to be in memory as a whole. See replica_recent.go for how large tables are spared
// the search for a few rows, and docs/adr/0011 for what was measured.
//
// An item whose key columns cannot hold all of its key is kept apart from others by the key in the item itself;
// one that cannot be represented at all is a fault of kind Invalid about an "item" (invariant 5).
//
// # Fast and slow
//
// The engine reads every format, in place, with one INSERT ... SELECT for a large file or a group of small
// ones. Conversions are SQL and as strict as Redshift's; a bad field fails the statement. Only for a file the
// engine refuses there is package records, which reads it in Go, converts with the same SQL, and so finds the
// bad rows. It also loads files that are good by Redshift's rules and not by the engine's.
//
// Three things the engine does not notice are looked for in Go beside it: compressed data that is cut off,
// which it takes for the end of the file; lines longer than its read buffer, which it passes over; and numbers
// in JSON with more digits than it keeps.
//
// # Sessions
//
// A Session is a connection with an optional transaction. Any error ends the transaction, as on Redshift;
// statements are then refused until its end. Results are read from the engine chunk by chunk. What a statement
// may do is limited twice: the engine reaches no file outside the directories it was given, and the guard
// keeps statements from files, settings and the internal schema altogether.
//
// # Where it is laxer than Redshift
//
// Blank lines in delimited files are skipped (Redshift: error 1211), and so are surplus fields at the end of a
// line with nothing in them (1202). A JSON file may hold null between its objects, which is a row of NULLs, and
// trailing commas in them.
package duckdb
