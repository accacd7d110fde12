package storage

import "encoding/binary"

// layoutVersion grows when stored keys or values change in a way that older programs misread.
const layoutVersion = 1

// What the first byte of a key says. Numbers in keys are big-endian, so that bytes sort as they do.
const (
	spaceMeta   = 0x00 // the store itself
	spaceTable  = 0x01 // name -> description
	spaceItem   = 0x02 // table, hash of the partition key, key -> item
	spaceIndex  = 0x03 // table, index, hash of the index's partition key, its key, the item's key -> projected item
	spaceRecord = 0x04 // stream, shard, sequence number -> record
	spaceStream = 0x05 // stream -> description
	spaceShard  = 0x06 // stream, shard -> description
	spaceExpiry = 0x07 // table, second of expiry, the item's key -> nothing
	spaceToken  = 0x08 // token of a transaction -> what it was
	spaceCount  = 0x09 // table, index (0 the table itself) -> items, bytes
	spaceExport = 0x0A // id -> description
)

var (
	versionKey  = []byte{spaceMeta, 'v'}
	sequenceKey = []byte{spaceMeta, 's'}
)

func encode64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func decode64(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func key(space byte, ids ...uint32) []byte {
	b := make([]byte, 1, 64)
	b[0] = space
	for _, id := range ids {
		b = binary.BigEndian.AppendUint32(b, id)
	}
	return b
}

// End returns the first key after all that begin with prefix; nil if there can be none.
func End(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xFF {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// TablePrefix is what the keys of tables begin with.
func TablePrefix() []byte { return key(spaceTable) }

// TableKey is where the description of a table is.
func TableKey(name string) []byte { return append(key(spaceTable), name...) }

// ItemPrefix is what the keys of a table's items begin with. The hash of the partition key and the
// encoded key follow.
func ItemPrefix(table uint32) []byte { return key(spaceItem, table) }

// IndexPrefix is what the keys of an index's entries begin with.
func IndexPrefix(table, index uint32) []byte { return key(spaceIndex, table, index) }

// IndexesPrefix is what the keys of the entries of all indexes of a table begin with.
func IndexesPrefix(table uint32) []byte { return key(spaceIndex, table) }

// AppendHash appends a hash to a prefix.
func AppendHash(prefix []byte, hash uint64) []byte {
	return binary.BigEndian.AppendUint64(prefix, hash)
}

// RecordPrefix is what the keys of a shard's records begin with.
func RecordPrefix(stream, shard uint32) []byte { return key(spaceRecord, stream, shard) }

// RecordKey is where a stream record is.
func RecordKey(stream, shard uint32, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(RecordPrefix(stream, shard), seq)
}

// RecordSequence is the sequence number in a record's key.
func RecordSequence(k []byte) uint64 { return decode64(k[len(k)-8:]) }

// RecordsPrefix is what the keys of all records of a stream begin with.
func RecordsPrefix(stream uint32) []byte { return key(spaceRecord, stream) }

// StreamPrefix is what the keys of streams begin with.
func StreamPrefix() []byte { return key(spaceStream) }

// StreamKey is where the description of a stream is.
func StreamKey(stream uint32) []byte { return key(spaceStream, stream) }

// ShardPrefix is what the keys of a stream's shards begin with.
func ShardPrefix(stream uint32) []byte { return key(spaceShard, stream) }

// ShardKey is where the description of a shard is.
func ShardKey(stream, shard uint32) []byte { return key(spaceShard, stream, shard) }

// ExpiryPrefix is what the keys of a table's times of expiry begin with.
func ExpiryPrefix(table uint32) []byte { return key(spaceExpiry, table) }

// ExpiryKey says when an item expires; itemKey is its key without ItemPrefix.
func ExpiryKey(table uint32, second uint64, itemKey []byte) []byte {
	return append(binary.BigEndian.AppendUint64(ExpiryPrefix(table), second), itemKey...)
}

// ExpiryParts returns the second and the item's key of a key made by ExpiryKey.
func ExpiryParts(k []byte) (second uint64, itemKey []byte) {
	const head = 1 + 4
	return decode64(k[head : head+8]), k[head+8:]
}

// TokenPrefix is what the keys of transaction tokens begin with.
func TokenPrefix() []byte { return key(spaceToken) }

// TokenKey is where what a token stands for is kept.
func TokenKey(token string) []byte { return append(key(spaceToken), token...) }

// CountKey is where the size of a table, index 0, or of one of its indexes is kept.
func CountKey(table, index uint32) []byte { return key(spaceCount, table, index) }

// CountPrefix is what the keys of the sizes of a table and its indexes begin with.
func CountPrefix(table uint32) []byte { return key(spaceCount, table) }

// ExportPrefix is what the keys of exports begin with.
func ExportPrefix() []byte { return key(spaceExport) }

// ExportKey is where the description of an export is.
func ExportKey(id string) []byte { return append(key(spaceExport), id...) }
