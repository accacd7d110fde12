package buckets

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
)

const (
	maxKey = 1024 // bytes, S3's limit
	// maxSegment is what a file name may be long, 255 bytes, less what the backend adds to it while an object
	// is being replaced.
	maxSegment = 255 - len("..sgwtmp.1234567890123456789")
)

// replacing matches the name an object has for a moment while it replaces another. A process killed in that
// moment leaves it behind.
var replacing = regexp.MustCompile(`^\..*\.sgwtmp\.\d+$`)

// bookkeeping reports whether a file or directory name is the backend's own.
func bookkeeping(name string) bool {
	return name == posix.MetaTmpDir || name[0] == '.' && replacing.MatchString(name)
}

// checkKey returns an S3 error when key cannot be the key of an object here.
func checkKey(key string) error {
	if len(key) > maxKey {
		return s3err.GetKeyTooLongErr(int64(len(key)), maxKey)
	}
	if !utf8.ValidString(key) {
		return badKey("it is not valid UTF-8")
	}
	for _, r := range key {
		if r < ' ' || r == 0x7f || r == 0xFFFE || r == 0xFFFF {
			return badKey("it contains the control character %U, which neither a file name nor an XML listing should hold", r)
		}
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(key, "/"), "/") {
		switch {
		case segment == "":
			return badKey("it has an empty segment: a leading or a doubled slash")
		case segment == "." || segment == "..":
			return badKey("%q cannot be a segment of it", segment)
		case len(segment) > maxSegment:
			return badKey("the segment %.20q... is longer than %d bytes", segment, maxSegment)
		case bookkeeping(segment):
			return badKey("the name %q is reserved", segment)
		}
	}
	return nil
}

// storable reports whether key can be the key of an object here.
func storable(key string) bool { return checkKey(key) == nil }

func badKey(format string, args ...any) error {
	return s3err.APIError{
		Code:           "InvalidArgument",
		Description:    "The key cannot be stored, because objects are kept as plain files and " + fmt.Sprintf(format, args...) + ".",
		HTTPStatusCode: http.StatusBadRequest,
	}
}
