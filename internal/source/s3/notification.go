package s3

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// SubjectNotification is the subject of faults about notifications.
const SubjectNotification = "notification"

// Limits of a notification.
const (
	maxNotification = 1 << 20 // bytes
	maxRecords      = 10_000
	maxKey          = 1024 // bytes, S3's limit
)

// notification is the JSON of S3 event notifications, and of SNS messages that carry one.
type notification struct {
	Records []record
	Event   string  // "s3:TestEvent"
	Message *string // of SNS
}

type record struct {
	EventName string
	EventTime string
	S3        struct {
		Bucket struct{ Name string }
		Object struct {
			Key  string
			Size int64
			ETag string
		}
	}
}

// ParseNotification returns the objects an S3 event notification says were written, in its order. A
// notification that comes in an SNS message is unwrapped. Test events, other events and folder markers are no
// objects and no error. Modified is the time of the event, zero when there is none. What is not a
// notification is a fault of kind Invalid.
func ParseNotification(body []byte) ([]load.File, error) {
	if len(body) > maxNotification {
		return nil, invalid("it is longer than %d bytes", maxNotification)
	}
	var n notification
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, invalid("it is not JSON of the form {\"Records\": [...]}")
	}
	if n.Message != nil && n.Records == nil {
		message := *n.Message
		n = notification{}
		if err := json.Unmarshal([]byte(message), &n); err != nil || n.Message != nil {
			return nil, invalid("the message in it is not JSON of the form {\"Records\": [...]}")
		}
	}
	if n.Records == nil {
		if n.Event == "s3:TestEvent" {
			return nil, nil
		}
		return nil, invalid("it has no Records")
	}
	if len(n.Records) > maxRecords {
		return nil, invalid("it has more than %d records", maxRecords)
	}
	var files []load.File
	for i, r := range n.Records {
		if !strings.HasPrefix(strings.TrimPrefix(r.EventName, "s3:"), "ObjectCreated:") {
			continue
		}
		f, err := r.file()
		if err != nil {
			return nil, invalid("record %d: %v", i, err)
		}
		if !folderMarker(f.Key) {
			files = append(files, f)
		}
	}
	return files, nil
}

func (r record) file() (load.File, error) {
	// Keys are encoded as in a form: a space is a plus sign.
	key, err := url.QueryUnescape(r.S3.Object.Key)
	switch {
	case err != nil:
		return load.File{}, fmt.Errorf("the key %.100q is not URL-encoded", r.S3.Object.Key)
	case r.S3.Bucket.Name == "" || key == "":
		return load.File{}, errors.New("it names no bucket or no key")
	case len(key) > maxKey || len(r.S3.Bucket.Name) > 255:
		return load.File{}, errors.New("the bucket's name or the key is too long")
	case r.S3.Object.Size < 0:
		return load.File{}, errors.New("the size is negative")
	}
	f := load.File{Bucket: r.S3.Bucket.Name, Key: key, Size: r.S3.Object.Size, ETag: strings.Trim(r.S3.Object.ETag, `"`)}
	if r.EventTime != "" {
		if f.Modified, err = time.Parse(time.RFC3339, r.EventTime); err != nil {
			return load.File{}, fmt.Errorf("the event time %.40q is not an RFC 3339 time", r.EventTime)
		}
	}
	return f, nil
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, SubjectNotification, "The S3 event notification cannot be read: "+format, args...)
}
