package stream

import (
	"encoding/binary"
	"errors"
)

// Event is what happened to an item.
type Event uint8

// The three events.
const (
	Insert Event = iota + 1
	Modify
	Remove
)

// String returns the name of the event on the wire.
func (e Event) String() string {
	switch e {
	case Insert:
		return "INSERT"
	case Modify:
		return "MODIFY"
	}
	return "REMOVE"
}

// Record is a change as it is stored, without its sequence number, which is in its key. The images are
// the items' JSON, nil where the view or the event has none.
type Record struct {
	Event   Event
	Expired bool // removed by the service because its time was over
	Time    int64
	Size    int // of the keys and images, as DynamoDB counts
	Keys    []byte
	New     []byte
	Old     []byte
}

const (
	recordFormat = 1
	flagExpired  = 0x80
)

// ErrRecord is stored bytes that are not a record.
var ErrRecord = errors.New("stream: not a record")

// TimeOffset is where the time is in what Append appends: eight bytes, big-endian. It is filled in when
// the record takes its place in the stream.
const TimeOffset = 2

// Append appends the stored form.
func (r *Record) Append(b []byte) []byte {
	kind := byte(r.Event)
	if r.Expired {
		kind |= flagExpired
	}
	b = append(b, recordFormat, kind)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time))
	b = binary.AppendUvarint(b, uint64(r.Size))
	for _, part := range [][]byte{r.Keys, r.New, r.Old} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

// ParseRecord reads what Append wrote. The result refers to b.
func ParseRecord(b []byte) (Record, error) {
	if len(b) < TimeOffset+8 || b[0] != recordFormat {
		return Record{}, ErrRecord
	}
	r := Record{Event: Event(b[1] &^ flagExpired), Expired: b[1]&flagExpired != 0, Time: int64(binary.BigEndian.Uint64(b[TimeOffset:]))}
	b = b[TimeOffset+8:]
	size, n := binary.Uvarint(b)
	if n <= 0 || r.Event < Insert || r.Event > Remove {
		return Record{}, ErrRecord
	}
	r.Size, b = int(size), b[n:]
	for _, part := range []*[]byte{&r.Keys, &r.New, &r.Old} {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return Record{}, ErrRecord
		}
		if length > 0 {
			*part = b[n : n+int(length)]
		}
		b = b[n+int(length):]
	}
	if len(b) > 0 {
		return Record{}, ErrRecord
	}
	return r, nil
}
