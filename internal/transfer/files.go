package transfer

import (
	"bufio"
	"context"
	"encoding/json"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// gatherFiles writes down which files the run takes. What the source holds later changes nothing about it.
func (r *run) gatherFiles(ctx context.Context) error {
	s := &r.work.state
	s.Total = 0
	sel := r.plan.files
	err := r.work.write(filesFile, func(out *bufio.Writer) error {
		for _, root := range sel.roots() {
			err := r.c.Objects.List(ctx, r.plan.source.bucket, root, "", func(f load.File) error {
				if !sel.takes(f) {
					return nil
				}
				s.Total++
				f.Path = "" // it may be another one later
				return writeLine(out, f)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	s.Items, s.Bytes = 0, 0
	return err
}

// eachFile calls yield with every file that was gathered.
func (r *run) eachFile(yield func(load.File) error) error {
	return r.work.lines(filesFile, func(line []byte) error {
		var f load.File
		if err := json.Unmarshal(line, &f); err != nil {
			return fault.Wrap(err, fault.Internal, SubjectRun, "the run's list of files is damaged")
		}
		return yield(f)
	})
}

// maxKey is how long a key may be, in bytes.
const maxKey = 1024

// stageFiles has the store copy every file that is not staged yet.
func (r *run) stageFiles(ctx context.Context, j *journal, g *errgroup.Group) error {
	s := &r.work.state
	s.Items, s.Bytes = 0, 0
	if err := r.work.lines(stagedFile, func(line []byte) error {
		var done staged
		if err := json.Unmarshal(line, &done); err != nil {
			return err
		}
		s.Items, s.Bytes = s.Items+1, s.Bytes+done.Bytes
		return nil
	}); err != nil {
		return err
	}
	return r.eachFile(func(f load.File) error {
		rel, _ := r.plan.files.relative(f.Key)
		key := join(r.plan.filesPrefix(), rel)
		if len(key) > maxKey {
			return fault.New(fault.Invalid, SubjectDestination, "the copy of s3://%s/%.200s would have a key of more than %d bytes; choose a shorter prefix for the destination", f.Bucket, f.Key, maxKey)
		}
		if j.have[key] {
			return nil
		}
		g.Go(func() error {
			token, size, err := r.c.Buckets.StageCopy(ctx, f, r.plan.destination.bucket, key)
			done := staged{Key: key, Token: token, Bytes: size, Source: f.Key}
			if fault.Is(err, fault.NotFound, "object") {
				r.log.Info("a file was deleted before it was copied", "key", f.Key)
				done.Gone, err = true, nil
			}
			if err != nil {
				return err
			}
			if err := j.add(done); err != nil {
				return err
			}
			return r.advance(size)
		})
		return ctx.Err()
	})
}

// advance counts an object and reports progress, once in a while.
func (r *run) advance(size int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.work.state.Items++
	r.work.state.Bytes += size
	if r.c.Now().Sub(r.told) < time.Second {
		return nil
	}
	return r.tell()
}

// fileForms are the formats of load files, by extension.
var fileForms = map[string]load.Spec{
	".csv":     {Format: load.CSV, Delimiter: ",", Quote: `"`, NullAs: `\N`},
	".tsv":     {Format: load.CSV, Delimiter: "\t", Quote: `"`, NullAs: `\N`},
	".txt":     {Format: load.Text, Delimiter: "|", NullAs: `\N`},
	".json":    {Format: load.JSON, NullAs: `\N`},
	".jsonl":   {Format: load.JSON, NullAs: `\N`},
	".ndjson":  {Format: load.JSON, NullAs: `\N`},
	".parquet": {Format: load.Parquet},
}

// specOf is how a file is loaded, by its name.
func specOf(key string, ignoreHeader int) (spec load.Spec, err error) {
	name := strings.ToLower(path.Base(key))
	codec := load.Uncompressed
	switch path.Ext(name) {
	case ".gz":
		codec = load.GZIP
	case ".zst":
		codec = load.ZSTD
	}
	if codec != load.Uncompressed {
		name = strings.TrimSuffix(name, path.Ext(name))
	}
	spec, ok := fileForms[path.Ext(name)]
	if !ok || spec.Format == load.Parquet && codec != load.Uncompressed {
		return spec, fault.New(fault.Invalid, SubjectSource, "nothing says how to load %.200s; names of files for a table end in .csv, .tsv, .txt, .json, .jsonl or .parquet, the text ones also with .gz or .zst. A filter by extension leaves others out", key)
	}
	spec.Compression = codec
	if spec.Format == load.CSV || spec.Format == load.Text {
		spec.IgnoreHeader = ignoreHeader
	}
	return spec, nil
}

// fetchers is how many files are fetched at a time.
const fetchers = 8

// fileBatches fetches the gathered files, those of one format in one batch. A file that was deleted since is
// left out.
func (r *run) fileBatches(ctx context.Context) (_ []Batch, release func(), err error) {
	var releases []func()
	release = func() {
		for _, f := range releases {
			f()
		}
	}
	if _, err := r.c.Tables.Prepare(ctx, r.plan.destination.table, nil); err != nil {
		return nil, release, err
	}
	s := &r.work.state
	s.Items, s.Bytes = 0, 0
	type fetched struct {
		spec load.Spec
		file load.File
	}
	var all []*fetched
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fetchers)
	err = r.eachFile(func(f load.File) error {
		spec, err := specOf(f.Key, r.plan.destination.ignoreHeader)
		if err != nil {
			return err
		}
		one := &fetched{spec: spec}
		all = append(all, one)
		g.Go(func() error {
			got, done, err := r.c.Objects.Fetch(gctx, f)
			if fault.Is(err, fault.NotFound, "object") {
				r.log.Info("a file was deleted before it was loaded", "key", f.Key)
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			one.file, releases = got, append(releases, done)
			return r.advance(got.Size)
		})
		return gctx.Err()
	})
	if e := g.Wait(); e != nil {
		err = e
	}
	if err != nil {
		return nil, release, err
	}
	var batches []Batch
	at := map[string]int{}
	for _, one := range all {
		if one.file.Path == "" {
			continue
		}
		form, err := json.Marshal(one.spec)
		if err != nil {
			return nil, release, err
		}
		n, ok := at[string(form)]
		if !ok {
			n = len(batches)
			at[string(form)] = n
			batches = append(batches, Batch{Spec: one.spec})
		}
		batches[n].Files = append(batches[n].Files, one.file)
	}
	return batches, release, nil
}
