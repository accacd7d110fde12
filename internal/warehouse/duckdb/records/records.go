// Package records reads a load file record by record, in Go. The engine's own readers are faster and are
// always tried first; this one is for the files they will not have, because it can say what is wrong with
// which record and go on after it.
//
// Rules: a record is never longer in memory than MaxRecord, whatever the file holds; every byte of the file
// ends up in a record, in a problem, or was a header or a blank line, so that nothing is dropped silently
// (invariant 5).
package records

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	fastgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/internal/load"
)

// Limits of Redshift's COPY, in bytes.
const (
	MaxRecord = 4 << 20  // of a line or a JSON object
	MaxSuper  = 16 << 20 // of a SUPER value
	maxShown  = 1024     // of a line or field in an error
)

// Field is one value of a record.
type Field struct {
	Text string
	Null bool
	Pos  int // where it begins in the record, in bytes
}

// Record is one row of a file. Either Problem is set, or there is a field for every column.
type Record struct {
	Line    int64  // from 1: where it begins; for JSON where it ends
	Raw     string // the record as it is in the file, at most 1,024 bytes of it
	Fields  []Field
	Problem *Problem
}

// Problem is why a record is no row.
type Problem struct {
	Code   load.ErrorCode
	Reason string
	Column int // index of the column at fault, -1 for the record as a whole
	Pos    int // where the field begins in the record, in bytes
	Field  string
}

// FileError is what is wrong with a file as a whole; nothing after it can be read.
type FileError struct {
	Code   load.ErrorCode
	Reason string
	Err    error
}

func (e *FileError) Error() string { return e.Reason }
func (e *FileError) Unwrap() error { return e.Err }

// Reader reads the records of one file.
type Reader struct {
	file    *os.File
	closers []func()
	next    func() (Record, error)
}

// Open opens a file. columns are the target's, in field order; for JSON they are the keys to take.
// super tells which of them take JSON values as they are.
func Open(path string, spec load.Spec, columns []string, super []bool) (*Reader, error) {
	r := &Reader{}
	in, err := r.open(path, spec.Compression)
	if err != nil {
		r.Close()
		return nil, err
	}
	lines := &lineReader{in: bufio.NewReaderSize(in, 256<<10)}
	if err := lines.start(spec.IgnoreHeader); err != nil {
		r.Close()
		return nil, err
	}
	switch spec.Format {
	case load.Text, load.CSV:
		d := &delimited{lines: lines, columns: len(columns), delimiter: firstByte(spec.Delimiter), nullAs: spec.NullAs}
		if spec.Format == load.CSV {
			d.quote = firstByte(spec.Quote)
		}
		r.next = d.next
	case load.JSON:
		r.next = newObjects(lines, columns, super).next
	default:
		r.Close()
		return nil, fmt.Errorf("records: format %s has no records to read", spec.Format)
	}
	return r, nil
}

func firstByte(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// Next returns the next record, io.EOF after the last, or a *FileError.
func (r *Reader) Next() (Record, error) { return r.next() }

// Close lets go of the file.
func (r *Reader) Close() {
	for _, c := range r.closers {
		c()
	}
	if r.file != nil {
		_ = r.file.Close() // only read from
	}
}

func (r *Reader) open(path string, c load.Compression) (io.Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, openError(err)
	}
	r.file = f
	in, done, err := decompress(f, c)
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, done)
	return in, nil
}

func openError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &FileError{load.CodeFileNotFound, "The file was not found when it was to be read", err}
	}
	return &FileError{load.CodeAccess, "The file could not be opened", err}
}

func decompress(f io.Reader, c load.Compression) (_ io.Reader, done func(), _ error) {
	switch c {
	case load.GZIP:
		z, err := fastgzip.NewReader(f)
		if err != nil {
			return nil, nil, codecError("GZIP", err)
		}
		return &codecReader{z, "GZIP"}, func() {}, nil
	case load.ZSTD:
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, nil, codecError("ZSTD", err)
		}
		return &codecReader{z, "ZSTD"}, z.Close, nil
	}
	return &codecReader{f, ""}, func() {}, nil
}

// codecReader turns read errors into *FileError.
type codecReader struct {
	in    io.Reader
	codec string
}

func (r *codecReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = codecError(r.codec, err)
	}
	return n, err
}

func codecError(codec string, err error) error {
	var path *fs.PathError
	switch {
	case errors.As(err, &path) || codec == "":
		return &FileError{load.CodeAccess, "The file could not be read", err}
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return &FileError{load.CodeParse, fmt.Sprintf("The %s data ends early: the file is truncated or empty", codec), err}
	case errors.Is(err, gzip.ErrHeader) || errors.Is(err, fastgzip.ErrHeader) || errors.Is(err, zstd.ErrMagicMismatch):
		return &FileError{load.CodeParse, fmt.Sprintf("The file is not %s compressed", codec), err}
	}
	return &FileError{load.CodeParse, fmt.Sprintf("The %s data is corrupt", codec), err}
}

// lineReader hands out lines and counts them.
type lineReader struct {
	in   *bufio.Reader
	line int64 // lines handed out
}

var bom = []byte("\xef\xbb\xbf")

// start skips a byte order mark and the header.
func (l *lineReader) start(header int) error {
	head, err := l.in.Peek(len(bom))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.Equal(head, bom) {
		if _, err := l.in.Discard(len(bom)); err != nil {
			return err
		}
	}
	for range header {
		if _, _, err := l.read(nil, 0); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
	return nil
}

// read appends the next line, its end included, to buf, but no more than limit bytes of it: the rest is read
// and counted in dropped. It returns io.EOF where there is no line left.
func (l *lineReader) read(buf []byte, limit int) (_ []byte, dropped int64, _ error) {
	any := false
	for {
		part, err := l.in.ReadSlice('\n')
		any = any || len(part) > 0
		room := max(limit-len(buf), 0)
		buf = append(buf, part[:min(room, len(part))]...)
		dropped += int64(max(len(part)-room, 0))
		switch {
		case err == nil:
			l.line++
			return buf, dropped, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && any:
			l.line++
			return buf, dropped, nil
		default:
			return buf, dropped, err
		}
	}
}

func shown(b []byte) string { return string(b[:min(len(b), maxShown)]) }
