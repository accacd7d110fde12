package buckets

import "time"

// Names of the S3 events that an Arrival or a Removal stands for, without the leading "s3:".
const (
	EventPut      = "ObjectCreated:Put"
	EventCopy     = "ObjectCreated:Copy"
	EventComplete = "ObjectCreated:CompleteMultipartUpload"
	EventDelete   = "ObjectRemoved:Delete"
)

// Arrival is one successful write of an object. Folder markers, keys that end in a slash, do not arrive: they
// hold no data.
type Arrival struct {
	Bucket   string
	Key      string
	ETag     string    // without quotes
	Size     int64     // bytes
	Modified time.Time // the object's modification time
	Time     time.Time // when the write was done
	Event    string
}

// Removal is one successful deletion of an object that existed.
type Removal struct {
	Bucket string
	Key    string
	Time   time.Time
	Event  string
}
