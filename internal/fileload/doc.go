// Package fileload keeps one COPY job fed: it learns of files, leaves out those the ledger has, loads the
// rest in batches, and tries again when an endpoint fails.
//
// It learns of a file in two ways that need not agree, an arrival event and a listing of the prefix. Events
// make loading fast and may be lost, doubled, late or wrong; the listing, done at the start and then every
// ListInterval, finds whatever events missed. Both end in the same queue, and the warehouse's ledger decides:
// a file's rows and its ledger entry commit in one transaction (invariant 1), so nothing here has to be
// remembered across a crash (invariant 9).
//
//	event ----\                          loaded:  rows and entry committed
//	           > queue --> batch --> load  failed:  entry with its errors committed, never tried again by itself
//	listing --/              ^        \   gone:    dropped; an event or a listing may bring it back
//	                         |         \  trouble: the batch goes back to the queue, after a pause
//	                         \----------/
//
// A file is eligible when it was written after the job was made. Trouble is anything that is not the file's
// own fault: an endpoint that does not answer, a full disk, a table that is not there. It is reported, never
// charged to a file, and ends by itself when its cause does (invariants 5 and 7).
package fileload
