// Package s3 is where a load finds its files: objects in the embedded buckets, or in any S3-compatible store.
//
// Both are used alike. List finds objects in the order of their keys, Fetch makes one readable as a local
// file. That file is a snapshot: whatever becomes of the object while it is read, the bytes stay. It lies in
// the scratch directory, which belongs to this package, is emptied at the start and may be lost at any time.
//
// A Remote also takes objects in: it stages copies and files where nobody sees them, and publishes them later,
// within moments (stage.go).
//
// Errors are classified here, where the SDK is known, as faults: NotFound about SubjectBucket or
// SubjectObject, Denied, Throttled, and Unavailable for what trying again later may cure. The SDK has tried
// again already when they come back.
package s3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/penstock-io/penstock/internal/load"
)

// Subjects of this package's faults.
const (
	SubjectBucket  = "bucket"
	SubjectObject  = "object"
	SubjectScratch = "scratch directory"
)

// Objects is a store of objects. Local and Remote are.
type Objects interface {
	// List calls yield for the objects whose keys begin with prefix and come after startAfter, in the order of
	// their keys' bytes, until yield returns an error, which List then returns. Folder markers are left out.
	// A missing bucket is NotFound.
	List(ctx context.Context, bucket, prefix, startAfter string, yield func(load.File) error) error
	// Fetch makes the object of f's bucket and key readable at the returned File's Path until release is
	// called. The other fields describe what was fetched, which may be newer than f. An object that is not
	// there is NotFound.
	Fetch(ctx context.Context, f load.File) (_ load.File, release func(), _ error)
	// CheckBucket returns why the bucket cannot be used, or nil.
	CheckBucket(ctx context.Context, bucket string) error
}

// folderMarker reports whether a key is that of an object consoles make for a folder. It holds no data.
func folderMarker(key string) bool { return strings.HasSuffix(key, "/") }

// scratch is a directory for files that somebody is reading.
type scratch struct {
	dir  string
	last atomic.Uint64
}

// openScratch makes the directory, or removes what an earlier process left in it.
func openScratch(dir string) (*scratch, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("scratch directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("scratch directory: %w", err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return nil, fmt.Errorf("scratch directory: %w", err)
		}
	}
	return &scratch{dir: dir}, nil
}

// path returns a name nothing has had in this process.
func (s *scratch) path() string {
	return filepath.Join(s.dir, strconv.FormatUint(s.last.Add(1), 10))
}

// remove returns the release function for a file in the directory.
func remove(path string) func() {
	return func() {
		// A file that cannot be removed now is at the next start.
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return
		}
	}
}
