// Package dynamodb reads tables of DynamoDB, or of anything that speaks as it does, for replication: a
// snapshot by parallel scan, and the changes from the table's stream.
//
// Rows carry items as the answers have them. Nothing on the way builds attribute values or converts numbers:
// an answer is walked over once, which finds the items, checks them and takes the keys out (cutter).
//
// # Marks
//
// Where reading ended is told in marks, by part:
//
//	scan/<i>of<n>   a segment of the snapshot: the LastEvaluatedKey as JSON, or "done". n is the number of segments
//	                of the whole snapshot; one that is resumed keeps it.
//	stream          JSON of the stream's ARN and of when reading is to begin. Without it a stream cannot be read.
//	shard/<id>      a shard of the stream: the sequence number of the last record delivered; "done" when there is
//	                no more to come; "at <number>" or "horizon" when nothing has been read yet.
//
// An empty mark says that a shard is over and forgotten by the endpoint, and that its mark can go.
//
// # Order
//
// A key's changes are in one shard at a time. A shard that is full, old or too busy is closed, and its children
// go on. Shards are read side by side, but none before its parent has been delivered to its end, so the changes
// of a key come in order (invariant 4).
//
// # Start and gaps
//
// Start notes the shards there are: those that are closed are over and need not be read, and those that are open
// are read from behind the records they have, which Start reads past. No record is left out for the time it has:
// clocks are put right, and records made before would be lost. Where a shard has no records, reading begins at its
// first and not at "the oldest there is", which makes the endpoint say so when that record is no longer there.
//
// An endpoint forgets records after a day. That changes were missed shows in four ways, and each is a fault of
// kind Expired about SubjectGap: the record to go on from is trimmed; a shard that was not read to its end is
// gone; a shard is there whose parent was never seen; none of the shards that were read is there any more. What
// the list of shards says is believed when two lists say so.
package dynamodb
