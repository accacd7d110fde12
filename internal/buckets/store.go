package buckets

import "context"

// SubjectDocument is the subject of the faults a Store raises.
const SubjectDocument = "bucket document"

// Kind names a configuration document of a bucket. A bucket has at most one of each kind.
type Kind string

const (
	KindNotification Kind = "notification" // XML, as PutBucketNotificationConfiguration takes it, ids filled in
	KindPolicy       Kind = "policy"       // JSON, byte for byte as PutBucketPolicy got it
)

// Store keeps the configuration documents of buckets. A document is opaque bytes, never empty, hardly ever more
// than a kilobyte and at the very most a few megabytes. Nobody else changes the documents while a Server is
// open. Bucket names are case-sensitive and need not be known to the store. Every method is one durable
// transaction: when it returns nil, the change survives a crash.
type Store interface {
	// DocumentGet returns the document. Without one it is a fault of kind NotFound and subject
	// SubjectDocument.
	DocumentGet(ctx context.Context, bucket string, kind Kind) ([]byte, error)
	// DocumentUpdate runs change on the current document, nil when there is none, and stores what it returns;
	// nil or empty deletes the document. No other update of the same document happens in between. An error
	// of change is returned as it is and leaves the document alone. change may be run more than once and
	// must not call the store.
	DocumentUpdate(ctx context.Context, bucket string, kind Kind, change func(current []byte) ([]byte, error)) error
	// DocumentDeleteAll forgets every document of the bucket. A bucket without documents is no error.
	DocumentDeleteAll(ctx context.Context, bucket string) error
}
