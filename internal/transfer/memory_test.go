package transfer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
	"github.com/penstock-io/penstock/internal/transfer"
)

// store is buckets in memory that fail on demand. Every call to it is a step, numbered from 1.
type store struct {
	t   *testing.T
	dir string

	mu      sync.Mutex
	objects map[string]object // "bucket/key"
	uploads map[string]object // by token
	last    int
	step    int
	// fail is asked before and after every step; an error is what the caller hears instead of the result.
	fail func(step int, after bool, call string) error
	// watch is called with mu held after every change.
	watch func(call string)
}

type object struct {
	bucket, key string
	content     []byte
	modified    time.Time
	kind        string
}

func newStore(t *testing.T) *store {
	return &store{t: t, dir: t.TempDir(), objects: map[string]object{"inb/": {}, "out/": {}}, uploads: map[string]object{}}
}

// do is one step.
func (s *store) do(ctx context.Context, call string, f func() error) error {
	s.mu.Lock()
	s.step++
	step, fail := s.step, s.fail
	s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if fail != nil {
		if err := fail(step, false, call); err != nil {
			return err
		}
	}
	s.mu.Lock()
	err := f()
	if s.watch != nil {
		s.watch(call)
	}
	s.mu.Unlock()
	if fail != nil && err == nil {
		err = fail(step, true, call)
	}
	return err
}

func (s *store) put(bucket, key, content string, modified time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[bucket+"/"+key] = object{bucket, key, []byte(content), modified, "text/x-test"}
}

func (s *store) delete(bucket, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, bucket+"/"+key)
}

// contents are the objects of a bucket below a prefix.
func (s *store) contents(bucket, prefix string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for _, o := range s.objects {
		if o.bucket == bucket && o.key != "" && strings.HasPrefix(o.key, prefix) {
			out[o.key] = string(o.content)
		}
	}
	return out
}

func (s *store) bucket(name string) error {
	if _, ok := s.objects[name+"/"]; !ok {
		return fault.New(fault.NotFound, "bucket", "There is no bucket %q.", name)
	}
	return nil
}

func (s *store) CheckBucket(ctx context.Context, bucket string) error {
	return s.do(ctx, "check", func() error { return s.bucket(bucket) })
}

func (s *store) List(ctx context.Context, bucket, prefix, after string, yield func(load.File) error) error {
	var files []load.File
	err := s.do(ctx, "list", func() error {
		for _, name := range slices.Sorted(maps.Keys(s.objects)) {
			if o := s.objects[name]; o.bucket == bucket && strings.HasPrefix(o.key, prefix) && o.key > after {
				files = append(files, load.File{Bucket: bucket, Key: o.key, ETag: fmt.Sprint(len(o.content)), Size: int64(len(o.content)), Modified: o.modified})
			}
		}
		return s.bucket(bucket)
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := yield(f); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) Fetch(ctx context.Context, f load.File) (load.File, func(), error) {
	err := s.do(ctx, "fetch", func() error {
		o, ok := s.objects[f.Bucket+"/"+f.Key]
		if !ok {
			return fault.New(fault.NotFound, "object", "There is no object %s.", f.Key)
		}
		s.last++
		f.Path, f.Size = filepath.Join(s.dir, fmt.Sprint(s.last)), int64(len(o.content))
		return os.WriteFile(f.Path, o.content, 0o600)
	})
	return f, func() { _ = os.Remove(f.Path) }, err
}

func (s *store) token(o object) string {
	s.last++
	token, _ := json.Marshal([]string{fmt.Sprint("upload-", s.last), o.bucket, o.key})
	s.uploads[string(token)] = o
	return string(token)
}

func (s *store) StageCopy(ctx context.Context, from load.File, bucket, key string) (token string, size int64, err error) {
	err = s.do(ctx, "stage", func() error {
		o, ok := s.objects[from.Bucket+"/"+from.Key]
		if !ok {
			return fault.New(fault.NotFound, "object", "There is no object %s.", from.Key)
		}
		o.bucket, o.key = bucket, key
		token, size = s.token(o), int64(len(o.content))
		return s.bucket(bucket)
	})
	return token, size, err
}

func (s *store) StageFile(ctx context.Context, path, contentType, bucket, key string) (token string, err error) {
	err = s.do(ctx, "stage", func() error {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		token = s.token(object{bucket, key, content, time.Time{}, contentType})
		return s.bucket(bucket)
	})
	return token, err
}

func (s *store) Publish(ctx context.Context, token string) error {
	return s.do(ctx, "publish", func() error {
		var names []string
		if err := json.Unmarshal([]byte(token), &names); err != nil {
			return err
		}
		o, ok := s.uploads[token]
		if !ok {
			if _, there := s.objects[names[1]+"/"+names[2]]; there {
				return nil
			}
			return fault.New(fault.Expired, "object", "the upload of %s is gone", names[2])
		}
		delete(s.uploads, token)
		s.objects[o.bucket+"/"+o.key] = o
		return nil
	})
}

func (s *store) Abandon(ctx context.Context, bucket, prefix string, keep []string) error {
	return s.do(ctx, "abandon", func() error {
		maps.DeleteFunc(s.uploads, func(token string, o object) bool {
			return o.bucket == bucket && strings.HasPrefix(o.key, prefix) && !slices.Contains(keep, token)
		})
		return s.bucket(bucket)
	})
}

func (s *store) Write(ctx context.Context, bucket, key, contentType string, content []byte) error {
	return s.do(ctx, "manifest", func() error {
		s.objects[bucket+"/"+key] = object{bucket, key, content, time.Time{}, contentType}
		return s.bucket(bucket)
	})
}

// tables is a warehouse in memory. It takes every line of a file for a row. Its steps are the store's.
type tables struct {
	*store
	columns map[transfer.Table][]transfer.Column
	rows    map[transfer.Table][]string
	marks   map[string]bool
}

func newTables(s *store) *tables {
	return &tables{s, map[transfer.Table][]transfer.Column{}, map[transfer.Table][]string{}, map[string]bool{}}
}

func (w *tables) Prepare(ctx context.Context, t transfer.Table, columns []transfer.Column) (names []string, err error) {
	err = w.do(ctx, "prepare", func() error {
		have, ok := w.columns[t]
		if !ok && columns == nil {
			return fault.New(fault.NotFound, "relation", "there is no table %s", t.Name)
		}
		for _, c := range columns {
			if !slices.ContainsFunc(have, func(o transfer.Column) bool { return strings.EqualFold(o.Name, c.Name) }) {
				have = append(have, transfer.Column{Name: strings.ToLower(c.Name), Type: c.Type})
			}
			names = append(names, strings.ToLower(c.Name))
		}
		w.columns[t] = have
		return nil
	})
	return names, err
}

func (w *tables) Committed(ctx context.Context, t transfer.Table, run string) (ok bool, err error) {
	err = w.do(ctx, "committed", func() error {
		ok = w.marks[run]
		return nil
	})
	return ok, err
}

func (w *tables) Load(ctx context.Context, t transfer.Table, run string, batches []transfer.Batch) (rows int64, err error) {
	err = w.do(ctx, "load", func() error {
		if w.marks[run] {
			return errors.New("the run was loaded before")
		}
		for _, b := range batches {
			for _, f := range b.Files {
				content, err := os.ReadFile(f.Path)
				if err != nil {
					return err
				}
				for line := range bytes.Lines(content) {
					w.rows[t] = append(w.rows[t], strings.TrimSuffix(string(line), "\n"))
					rows++
				}
			}
		}
		w.marks[run] = true
		return nil
	})
	return rows, err
}
