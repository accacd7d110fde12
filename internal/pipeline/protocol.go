package pipeline

// How a table gets into a warehouse, and stays there:
//
//	Recover --> no live generation, or another SourceID, or a resync was asked for
//	   |            |
//	   |            v
//	   |         Begin: the stream's start marks are durable       (invariant 3)
//	   |            |
//	   |            v
//	   |         Loading: Snapshot -> Load        side by side: the rows go into the new generation,
//	   |                  Stream   -> Apply       the changes are set aside by key
//	   |            |
//	   |            | the snapshot is complete, and the stream has delivered all that was made before its end
//	   |            v
//	   |         Publish: changes over rows, then the new generation in place of the old, in one step
//	   |            |
//	   v            v
//	 Live: Stream -> Apply, in micro-batches, until the pipeline is stopped
//
// The stream runs through the whole of it, so a snapshot that takes days loses nothing, and a change made
// while its item was being scanned is applied after the scan (invariant 4): the snapshot sees an item as of
// some moment after the start marks, every later change of it is in the stream, and earlier ones in the stream
// are overtaken by those that follow before anybody sees the table. That is why Publish waits until the stream
// has caught up with the end of the snapshot.
//
// A gap (changes trimmed before they were read; the stream switched off and on; the table made anew) shows as
// ResyncRequired with its cause, and then the table alone is loaded again beside the old rows, which stay as
// they are until the swap. Rows deleted in the gap are gone after it, because the new generation never had them.
//
// A batch holds the last image of each key. It is applied in one warehouse transaction with the marks that
// cover it (invariant 1), so a crash anywhere repeats a batch or does not, and repeating one changes nothing
// (invariant 9). The source is never told more than the warehouse knows (invariant 6): it is told nothing.
