package buckets

import (
	"encoding/json"
	"os"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
)

// Names of extended attributes: the backend's that this package reads, and its own.
const (
	attrETag    = "etag"
	attrParts   = "mp-metadata"
	attrCreated = "penstock-created" // of a bucket, RFC 3339
)

// attributes keeps the metadata of objects and buckets in extended attributes, as meta.XattrMeta does, but
// makes the list of an object's parts fit. ext4 gives all attributes of a file 4 KiB together, and a
// cumulative size for each of up to 10,000 parts exceeds that; parts are nearly always of one size.
type attributes struct{ meta.XattrMeta }

// maxPartsAttr is the room for the list of parts, in bytes.
const maxPartsAttr = 2 << 10

// parts is the stored form of an upload's parts: runs of (size, count).
type parts struct {
	UploadID string     `json:"uploadId"`
	Runs     [][2]int64 `json:"runs"`
}

func (a attributes) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if attribute == attrParts {
		packed, err := packParts(value)
		if err != nil {
			return err
		}
		value = packed
	}
	return a.XattrMeta.StoreAttribute(f, bucket, object, attribute, value)
}

func (a attributes) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	value, err := a.XattrMeta.RetrieveAttribute(f, bucket, object, attribute)
	if err != nil || attribute != attrParts {
		return value, err
	}
	return unpackParts(value)
}

// packParts turns the backend's list into runs. When those do not fit either, the sizes are dropped and the
// object can be read as a whole only, not by part number.
func packParts(value []byte) ([]byte, error) {
	m, err := backend.UnmarshalMpUploadMetadata(value, false)
	if err != nil {
		return nil, err
	}
	p := parts{UploadID: m.UploadID}
	var before int64
	for _, end := range m.Parts {
		size := end - before
		before = end
		if n := len(p.Runs); n > 0 && p.Runs[n-1][0] == size {
			p.Runs[n-1][1]++
		} else {
			p.Runs = append(p.Runs, [2]int64{size, 1})
		}
	}
	packed, err := json.Marshal(p)
	if err == nil && len(packed) > maxPartsAttr {
		packed, err = json.Marshal(parts{UploadID: m.UploadID})
	}
	return packed, err
}

func unpackParts(packed []byte) ([]byte, error) {
	var p parts
	if err := json.Unmarshal(packed, &p); err != nil {
		return nil, err
	}
	m := backend.MpUploadMetadata{UploadID: p.UploadID}
	var end int64
	for _, run := range p.Runs {
		for range run[1] {
			end += run[0]
			m.Parts = append(m.Parts, end)
		}
	}
	return backend.MarshalMpUploadMetadata(m, false)
}
