// Package page makes the opaque markers that list calls hand out to be continued, and checks page sizes.
//
// A marker says where the last page ended, not how many entries came before it, so entries that come or go
// between two calls neither repeat nor hide others.
package page

import (
	"encoding/base64"
	"encoding/json"

	"github.com/penstock-io/penstock/internal/fault"
)

// Subjects of this package's faults.
const (
	SubjectMarker = "marker"
	SubjectSize   = "page size"
)

// Marker encodes the position of the last entry of a page of the named list.
func Marker(list string, position ...string) string {
	text, err := json.Marshal(append([]string{list}, position...))
	if err != nil {
		return "" // strings always marshal
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// Parse returns the n parts of the position in a marker of the named list. Any other text is Invalid.
func Parse(list, marker string, n int) ([]string, error) {
	var parts []string
	text, err := base64.RawURLEncoding.DecodeString(marker)
	if err == nil {
		err = json.Unmarshal(text, &parts)
	}
	if err != nil || len(parts) != n+1 || parts[0] != list {
		return nil, fault.New(fault.Invalid, SubjectMarker, "the marker %.60q is not one that this call returned; start again without it", marker)
	}
	return parts[1:], nil
}

// Size returns how many entries a page has: what was asked for, or high without a wish. A wish outside low
// to high is Invalid.
func Size(wish *int, low, high int) (int, error) {
	switch {
	case wish == nil:
		return high, nil
	case *wish < low || *wish > high:
		return 0, fault.New(fault.Invalid, SubjectSize, "the page size %d is not within %d to %d", *wish, low, high)
	default:
		return *wish, nil
	}
}
