package buckets

import (
	"container/heap"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/versity/versitygw/s3api/utils"
)

// BucketExists reports whether the bucket does.
func (s *Server) BucketExists(_ context.Context, bucket string) (bool, error) {
	return s.exists(bucket)
}

func (s *Server) exists(bucket string) (bool, error) {
	if !utils.IsValidBucketName(bucket) {
		return false, nil
	}
	return s.objects.exists(bucket)
}

func (s *Server) requireBucket(bucket string) error {
	ok, err := s.exists(bucket)
	if err == nil && !ok {
		err = fault.New(fault.NotFound, SubjectBucket, "There is no bucket %q.", bucket)
	}
	return err
}

// Path returns the local file that holds an object's bytes. The file stays what it is while the object is
// replaced or deleted only for those who have it open. NotFound names the bucket or the object; what lies
// behind a symbolic link is Denied.
func (s *Server) Path(bucket, key string) (string, error) {
	if err := s.requireBucket(bucket); err != nil {
		return "", err
	}
	missing := fault.New(fault.NotFound, SubjectObject, "There is no object s3://%s/%s.", bucket, key)
	if !storable(key) || key == "" || strings.HasSuffix(key, "/") {
		return "", missing
	}
	path := filepath.Join(s.objects.dir(bucket), key)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return "", missing
	case err != nil:
		return "", err
	case info.IsDir():
		return "", missing
	}
	// The backend never makes links, so one that is there leads where no client may look.
	if resolved, err := filepath.EvalSymlinks(path); err != nil || resolved != path || !info.Mode().IsRegular() {
		return "", fault.Wrap(err, fault.Denied, SubjectObject, "s3://%s/%s is not a plain file in the bucket's directory.", bucket, key)
	}
	return path, nil
}

// Stat describes an object, Path included.
func (s *Server) Stat(_ context.Context, bucket, key string) (load.File, error) {
	path, err := s.Path(bucket, key)
	if err != nil {
		return load.File{}, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return load.File{}, fault.Wrap(err, fault.NotFound, SubjectObject, "There is no object s3://%s/%s.", bucket, key)
	}
	return s.file(bucket, key, path, info), nil
}

// file describes an object from what the file system knows. A file that did not come through the API has no
// entity tag.
func (s *Server) file(bucket, key, path string, info fs.FileInfo) load.File {
	etag, _ := (attributes{}).RetrieveAttribute(nil, path, "", attrETag)
	return load.File{
		Bucket: bucket, Key: key, ETag: strings.Trim(string(etag), `"`),
		Size: info.Size(), Modified: info.ModTime(), Path: path,
	}
}

// List calls yield for the objects of a bucket whose keys begin with prefix and come after startAfter, in
// the order of their keys' bytes, until yield returns an error, which List then returns. Folder markers are
// left out. Objects written or deleted meanwhile may or may not be seen. A missing bucket is NotFound.
//
// Modified has the file system's full resolution. Memory is bounded by listChunk names for each level of
// directories, however many objects there are.
func (s *Server) List(ctx context.Context, bucket, prefix, startAfter string, yield func(load.File) error) error {
	if err := s.requireBucket(bucket); err != nil {
		return err
	}
	// Only the directory that the prefix leads into can hold anything, if it can be a directory at all.
	base := prefix[:strings.LastIndexByte(prefix, '/')+1]
	if base != "" && !storable(base) {
		return nil
	}
	w := walk{s: s, bucket: bucket, prefix: prefix, after: startAfter, yield: yield, chunk: listChunk}
	return w.dir(ctx, base)
}

type walk struct {
	s             *Server
	bucket        string
	prefix, after string
	yield         func(load.File) error
	chunk         int // names of a directory in memory at a time
}

// listChunk is the chunk of a listing. Larger directories are read again for each further one.
const listChunk = 1 << 16

// dir walks the directory with the given key prefix, which is empty or ends in a slash.
func (w *walk) dir(ctx context.Context, base string) error {
	after := "" // name of the last entry handled
	for {
		names, more, err := w.names(base, after)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.entry(ctx, base+name); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		after = names[len(names)-1]
	}
}

func (w *walk) entry(ctx context.Context, key string) error {
	if strings.HasSuffix(key, "/") {
		return w.dir(ctx, key)
	}
	path := filepath.Join(w.s.objects.dir(w.bucket), key)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	return w.yield(w.s.file(w.bucket, key, path, info))
}

// names returns the next entries of a directory that can lead to objects wanted, in order, and whether there
// may be more.
func (w *walk) names(base, after string) (names []string, more bool, err error) {
	d, err := os.Open(filepath.Join(w.s.objects.dir(w.bucket), base))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer d.Close()
	kept := smallest{most: w.chunk}
	for {
		batch, err := d.ReadDir(1024)
		for _, e := range batch {
			if name, ok := w.wanted(base, e); ok && name > after {
				kept.offer(name)
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ENOTDIR) { // the prefix may name a file
			break
		}
		if err != nil {
			return nil, false, err
		}
	}
	slices.Sort(kept.names)
	return kept.names, kept.dropped, nil
}

// wanted returns the name an entry sorts by, and whether it is an object or may contain one with a key in
// question.
func (w *walk) wanted(base string, e fs.DirEntry) (string, bool) {
	name := e.Name()
	if bookkeeping(name) {
		return "", false
	}
	switch {
	case e.IsDir():
		name += "/"
		key := base + name
		return name, (strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)) &&
			(key > w.after || strings.HasPrefix(w.after, key))
	case e.Type().IsRegular():
		key := base + name
		return name, strings.HasPrefix(key, w.prefix) && key > w.after && storable(key)
	}
	return "", false
}

// smallest keeps so many of the smallest names offered: once it is full, as a heap with the largest on top.
type smallest struct {
	most    int
	names   []string
	dropped bool
}

func (s *smallest) offer(name string) {
	if len(s.names) < s.most {
		if s.names = append(s.names, name); len(s.names) == s.most {
			heap.Init(s)
		}
		return
	}
	s.dropped = true
	if name < s.names[0] {
		s.names[0] = name
		heap.Fix(s, 0)
	}
}

func (s *smallest) Len() int           { return len(s.names) }
func (s *smallest) Less(i, j int) bool { return s.names[i] > s.names[j] }
func (s *smallest) Swap(i, j int)      { s.names[i], s.names[j] = s.names[j], s.names[i] }
func (s *smallest) Push(any)           { panic("offer is the only way in") }
func (s *smallest) Pop() any           { panic("nothing is taken out") }
