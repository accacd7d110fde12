package buckets

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/uuid"
	"github.com/pkg/xattr"
	"github.com/versity/versitygw/backend/posix"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// Staging puts objects in place in two steps, for who writes many that are to appear together: staged, an object is
// complete, durable and seen by nobody; publishing gives it its name, which is a rename. Both outlive the process
// between them. What it takes to publish is a token.

// stagedDir is where staged objects are, in the directory of their bucket.
const stagedDir = posix.MetaTmpDir + "/staged"

// Names of extended attributes of objects.
const (
	attrPrefix      = "user."
	attrStagedKey   = attrPrefix + "penstock-staged-key" // of a staged object: the key it is for
	attrContentType = attrPrefix + "content-type"
	attrEntityTag   = attrPrefix + attrETag
)

// token is what a token says.
type token struct {
	Bucket string `json:"b"`
	Key    string `json:"k"`
	File   string `json:"f"` // its name in stagedDir
	Size   int64  `json:"n"`
	Event  string `json:"e"`
}

func parseToken(text string) (t token, err error) {
	err = json.Unmarshal([]byte(text), &t)
	if err == nil {
		_, err = uuid.Parse(t.File) // it becomes part of a path
	}
	if err != nil {
		err = fault.Wrap(err, fault.Invalid, SubjectObject, "%.60q is not the token of a staged object.", text)
	}
	return t, err
}

// StageCopy readies a copy of an object with its metadata and tags. An object that is replaced meanwhile is copied
// as it was.
func (s *Server) StageCopy(ctx context.Context, from load.File, bucket, key string) (text string, size int64, err error) {
	path, err := s.Path(from.Bucket, from.Key)
	if err != nil {
		return "", 0, err
	}
	source, err := os.Open(path)
	if err != nil {
		return "", 0, fault.Wrap(err, fault.NotFound, SubjectObject, "There is no object %s.", from.URL())
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return "", 0, stageFault(err, bucket, key)
	}
	text, err = s.stage(ctx, token{Bucket: bucket, Key: key, Size: info.Size(), Event: EventCopy}, func(f *os.File) error {
		if n, err := io.Copy(f, source); err != nil || n != info.Size() { // in the kernel
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		names, err := xattr.FList(source)
		for _, name := range names {
			if !strings.HasPrefix(name, attrPrefix) || name == attrStagedKey || err != nil {
				continue
			}
			var value []byte
			if value, err = xattr.FGet(source, name); err == nil {
				err = xattr.FSet(f, name, value)
			}
		}
		return err
	})
	return text, info.Size(), err
}

// StageFile readies an object with the content of a local file.
func (s *Server) StageFile(ctx context.Context, path, contentType, bucket, key string) (string, error) {
	source, err := os.Open(path)
	if err != nil {
		return "", stageFault(err, bucket, key)
	}
	defer source.Close()
	return s.stageContent(ctx, source, contentType, bucket, key)
}

func (s *Server) stageContent(ctx context.Context, content io.ReadSeeker, contentType, bucket, key string) (string, error) {
	size, err := content.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = content.Seek(0, io.SeekStart)
	}
	if err != nil {
		return "", stageFault(err, bucket, key)
	}
	return s.stage(ctx, token{Bucket: bucket, Key: key, Size: size, Event: EventPut}, func(f *os.File) error {
		sum := md5.New() // what an entity tag is
		if n, err := io.Copy(io.MultiWriter(f, sum), content); err != nil || n != size {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		return errors.Join(xattr.FSet(f, attrEntityTag, []byte(hex.EncodeToString(sum.Sum(nil)))), xattr.FSet(f, attrContentType, []byte(contentType)))
	})
}

// Write stores a small object at once.
func (s *Server) Write(ctx context.Context, bucket, key, contentType string, content []byte) error {
	text, err := s.stageContent(ctx, strings.NewReader(string(content)), contentType, bucket, key)
	if err != nil {
		return err
	}
	return s.Publish(ctx, text)
}

// stage makes a staged object of what fill writes.
func (s *Server) stage(ctx context.Context, t token, fill func(*os.File) error) (text string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := s.requireBucket(t.Bucket); err != nil {
		return "", err
	}
	if err := s.objects.checkWrite(t.Bucket, t.Key, t.Size); errors.Is(err, errDiskFull) {
		return "", stageFault(syscall.ENOSPC, t.Bucket, t.Key)
	} else if err != nil {
		return "", fault.Wrap(err, fault.Invalid, SubjectObject, "s3://%s/%s cannot be stored: %s", t.Bucket, t.Key, describe(err))
	}
	defer s.objects.gate.enter(t.Bucket)()
	t.File = uuid.NewString()
	dir := filepath.Join(s.objects.dir(t.Bucket), stagedDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", stageFault(err, t.Bucket, t.Key)
	}
	path := filepath.Join(dir, t.File)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", stageFault(err, t.Bucket, t.Key)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(path) // or it is abandoned later
		}
	}()
	if err = xattr.FSet(f, attrStagedKey, []byte(t.Key)); err == nil {
		err = fill(f)
	}
	if err == nil && !s.cfg.NoSync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.objects.syncDir(dir)
	}
	if err != nil {
		return "", stageFault(err, t.Bucket, t.Key)
	}
	encoded, err := json.Marshal(t)
	return string(encoded), err
}

// stageFault classifies a failure of the disk.
func stageFault(err error, bucket, key string) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Wrap(err, fault.Unavailable, SubjectBucket, "There is no room for s3://%s/%s; free some space and try again.", bucket, key)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, fs.ErrExist):
		return fault.Wrap(err, fault.Invalid, SubjectObject, "s3://%s/%s cannot be stored: objects are kept as plain files, and one of the two keys would be a directory of the other.", bucket, key)
	}
	return fault.Wrap(err, fault.Unavailable, SubjectObject, "s3://%s/%s cannot be written to the disk.", bucket, key)
}

// Publish makes a staged object visible, and it arrives. Doing it again changes nothing.
func (s *Server) Publish(ctx context.Context, text string) error {
	t, err := parseToken(text)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.requireBucket(t.Bucket); err != nil {
		return err
	}
	if err := checkKey(t.Key); err != nil {
		return fault.Wrap(err, fault.Invalid, SubjectObject, "s3://%s/%s cannot be stored: %s", t.Bucket, t.Key, describe(err))
	}
	defer s.objects.gate.enter(t.Bucket)()
	staged := filepath.Join(s.objects.dir(t.Bucket), stagedDir, t.File)
	if _, err := os.Lstat(staged); errors.Is(err, fs.ErrNotExist) {
		// It was published before, or abandoned.
		if have, err := s.Stat(ctx, t.Bucket, t.Key); err == nil && have.Size == t.Size {
			return nil
		}
		return fault.New(fault.Expired, SubjectObject, "What was staged for s3://%s/%s is gone.", t.Bucket, t.Key)
	}
	c := commit{o: s.objects, bucket: t.Bucket, key: t.Key, staged: true, size: t.Size, when: s.cfg.Now()}
	etag := ""
	if value, err := xattr.Get(staged, attrEntityTag); err == nil {
		etag = string(value)
	}
	path := filepath.Join(s.objects.dir(t.Bucket), t.Key)
	err = os.Chtimes(staged, c.when, c.when)
	if err == nil {
		err = s.name(staged, path)
	}
	if err != nil {
		return stageFault(err, t.Bucket, t.Key)
	}
	_ = xattr.Remove(path, attrStagedKey) // it means nothing there any more
	if err := c.finish(nil, etag, t.Event); err != nil {
		return stageFault(err, t.Bucket, t.Key)
	}
	return nil
}

// name gives a staged object its name. Directories it has to make on the way are durable when it returns; that of
// the object itself is the caller's.
func (s *Server) name(staged, path string) error {
	parent := filepath.Dir(path)
	for attempt := 1; ; attempt++ {
		var changed []string // directories that get another in them
		for dir := parent; ; dir = filepath.Dir(dir) {
			if _, err := os.Lstat(dir); err == nil || dir == s.cfg.Dir {
				break
			}
			changed = append(changed, filepath.Dir(dir))
		}
		if err := os.MkdirAll(parent, 0o700); err != nil {
			return err
		}
		err := os.Rename(staged, path)
		if errors.Is(err, fs.ErrNotExist) && attempt < 10 {
			continue // a deletion has removed directories that were empty
		}
		for _, dir := range changed {
			if err == nil {
				err = s.objects.syncDir(dir)
			}
		}
		return err
	}
}

// Abandon removes what is staged under keys that begin with prefix, except for what the tokens say.
func (s *Server) Abandon(ctx context.Context, bucket, prefix string, keep []string) error {
	if err := s.requireBucket(bucket); err != nil {
		return err
	}
	var kept []string
	for _, text := range keep {
		t, err := parseToken(text)
		if err != nil {
			return err
		}
		kept = append(kept, t.File)
	}
	slices.Sort(kept)
	dir := filepath.Join(s.objects.dir(bucket), stagedDir)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return stageFault(err, bucket, prefix)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, found := slices.BinarySearch(kept, e.Name()); found {
			continue
		}
		path := filepath.Join(dir, e.Name())
		key, err := xattr.Get(path, attrStagedKey)
		if err != nil || !strings.HasPrefix(string(key), prefix) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return stageFault(err, bucket, string(key))
		}
	}
	return nil
}
