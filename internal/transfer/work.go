package transfer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// phase is how far a run is.
type phase string

const (
	gathering phase = ""
	staging   phase = "staging"    // everything is gathered
	showing   phase = "publishing" // everything is staged, or is about to be loaded
	done      phase = "done"
)

// state is what state.json holds.
type state struct {
	Version  int           `json:"version"`
	Job      string        `json:"job"`              // digest
	Bucket   string        `json:"bucket,omitempty"` // where things may be staged, for Discard
	Prefixes []string      `json:"prefixes,omitempty"`
	Phase    phase         `json:"phase"`
	Items    int64         `json:"items"`
	Bytes    int64         `json:"bytes"`
	Total    int64         `json:"total"`
	Objects  []objectState `json:"objects,omitempty"`
	// Loading is when the warehouse was first asked to load. From then on only the warehouse knows whether it has.
	Loading time.Time `json:"loading,omitzero"`
}

// stateVersion is that of the form of state. A directory of another version is begun anew.
const stateVersion = 1

// objectState is how far the reading of one object is.
type objectState struct {
	Name    string   `json:"name"`
	Mark    string   `json:"mark"`
	Done    bool     `json:"done"`
	Parts   []part   `json:"parts"`
	Columns *columns `json:"columns,omitempty"`
}

// part is a file of records.
type part struct {
	File    string `json:"file"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"` // those that count: what follows was written by a process that died
}

// Names of files in a work directory.
const (
	stateFile  = "state.json"
	filesFile  = "files.jsonl"
	stagedFile = "staged.jsonl"
)

// work is the work directory of a run.
type work struct {
	dir     string
	state   state
	resumed bool // an earlier process was here
}

// openWork opens the work directory of a job, or makes it.
func openWork(root string, job Job, bucket string, prefixes []string) (*work, error) {
	sum, err := digest(job)
	if err != nil {
		return nil, err
	}
	w, err := findWork(root, job.ExecutionID)
	if err != nil {
		return nil, err
	}
	if w != nil && w.state.Job != sum {
		return nil, fault.New(fault.State, SubjectRun, "the run %s was begun with another source, window or destination; start a new run", job.ExecutionID)
	}
	if w != nil {
		w.resumed = true
		return w, nil
	}
	w = &work{dir: filepath.Join(root, job.ExecutionID), state: state{Version: stateVersion, Job: sum, Bucket: bucket, Prefixes: prefixes}}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return nil, diskFault(err)
	}
	return w, w.save()
}

// findWork opens the work directory of a run, if there is one with a state that can be read.
func findWork(root, id string) (*work, error) {
	w := &work{dir: filepath.Join(root, id)}
	text, err := os.ReadFile(filepath.Join(w.dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, diskFault(err)
	}
	if err := json.Unmarshal(text, &w.state); err != nil || w.state.Version != stateVersion {
		return nil, nil //nolint:nilnil,nilerr // of another release: it is begun anew
	}
	return w, nil
}

// workIDs are the runs that have work directories.
func workIDs(root string) (ids []string, err error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.IsDir() && executionForm.MatchString(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, diskFault(err)
}

func (w *work) path(name string) string { return filepath.Join(w.dir, name) }

// save makes the state durable.
func (w *work) save() error {
	text, err := json.Marshal(w.state)
	if err != nil {
		return err
	}
	return w.write(stateFile, func(out *bufio.Writer) error {
		_, err := out.Write(text)
		return err
	})
}

// write makes a file whose name appears when all of it is on the disk.
func (w *work) write(name string, fill func(*bufio.Writer) error) (err error) {
	f, err := os.OpenFile(w.path(name+".new"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return diskFault(err)
	}
	out := bufio.NewWriterSize(f, 256<<10)
	if err := fill(out); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(out.Flush(), f.Sync(), f.Close()); err != nil {
		return diskFault(err)
	}
	if err := os.Rename(w.path(name+".new"), w.path(name)); err != nil {
		return diskFault(err)
	}
	return diskFault(syncDir(w.dir))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// remove deletes the directory, the state last, so that what is left of it in a crash is still known for what it is.
func (w *work) remove() error {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return diskFault(err)
	}
	for _, e := range entries {
		if e.Name() == stateFile {
			continue
		}
		if err := os.RemoveAll(w.path(e.Name())); err != nil {
			return diskFault(err)
		}
	}
	return diskFault(os.RemoveAll(w.dir))
}

// discard removes what a run has staged, and its directory.
func discard(ctx context.Context, b Buckets, w *work) error {
	var errs []error
	if w.state.Phase != gathering {
		for _, prefix := range w.state.Prefixes {
			err := b.Abandon(ctx, w.state.Bucket, prefix, nil)
			if fault.KindOf(err) == fault.NotFound { // nor is there a bucket to leave anything in
				err = nil
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, w.remove())...)
}

// maxLine is the longest line of a file in a work directory, in bytes.
const maxLine = 64 << 20

// lines calls yield with every whole line of a file. A file that is not there has none. A last line without an end
// is what a process was writing when it died.
func (w *work) lines(name string, yield func(line []byte) error) error {
	f, err := os.Open(w.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return diskFault(err)
	}
	defer f.Close()
	return eachLine(f, yield)
}

func eachLine(r io.Reader, yield func(line []byte) error) error {
	in := bufio.NewReaderSize(r, 256<<10)
	var long []byte
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if long = append(long, line...); len(long) > maxLine {
				return fault.New(fault.Limit, SubjectSource, "a record is longer than %d MiB", maxLine>>20)
			}
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return diskFault(err)
		}
		if len(long) > 0 {
			line = append(long, line...)
			long = long[:0]
		}
		if err := yield(bytes.TrimSuffix(line, []byte{'\n'})); err != nil {
			return err
		}
	}
}

// diskFault classifies a failure of the work directory.
func diskFault(err error) error {
	var known *fault.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Wrap(err, fault.Unavailable, SubjectRun, "the disk is full, so the run cannot keep what it gathers; free some space in the data directory")
	}
	return fault.Wrap(err, fault.Unavailable, SubjectRun, "the run's directory in the data directory cannot be read or written")
}
