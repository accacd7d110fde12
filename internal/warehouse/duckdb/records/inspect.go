package records

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/penstock-io/penstock/internal/load"
)

// Inspection is what to look for in a file while the engine loads it.
type Inspection struct {
	Spec load.Spec
	// Digits finds numbers in JSON with more significant digits than this; 0 looks for none. The engine reads
	// a JSON number with a fraction as a double and cannot tell that it lost some.
	Digits int
	// Block finds delimited text that goes on for a whole block of this many bytes without a line end; 0 looks
	// for none. The engine passes over a line that is longer than its read buffer without a word.
	Block int64
}

// ErrLongNumber says that a file has a number the engine would not keep exactly.
var ErrLongNumber = errors.New("the file has numbers with more digits than a double keeps")

// ErrLongLine says that a file may have a line the engine would not see.
var ErrLongLine = errors.New("the file has a line that may be longer than the engine's buffer")

// Needed reports whether there is anything to look for.
func (n Inspection) Needed() bool {
	return n.Spec.Format != load.Parquet && (n.Spec.Compression != load.Uncompressed || n.Digits > 0 || n.Block > 0)
}

// Check looks through a file. It returns a *FileError where the compressed data is damaged or cut off, which
// the engine takes for the end of the file, ErrLongNumber and ErrLongLine.
func (n Inspection) Check(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return openError(err)
	}
	defer f.Close() //nolint:errcheck // only read from
	if n.Spec.Compression == load.Uncompressed && n.Digits == 0 {
		return n.sample(ctx, f)
	}
	in, done, err := decompress(f, n.Spec.Compression)
	if err != nil {
		return err
	}
	defer done()
	numbers := numberScanner{limit: n.Digits}
	lines := lineScanner{block: n.Block}
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		k, err := in.Read(buf)
		if n.Digits > 0 && numbers.scan(buf[:k]) {
			return ErrLongNumber
		}
		if n.Block > 0 && lines.scan(buf[:k]) {
			return ErrLongLine
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// sample looks for long lines only. It reads no more of each block than it takes to find a line end, which
// hardly costs anything whatever the size of the file.
func (n Inspection) sample(ctx context.Context, f *os.File) error {
	lines := lineScanner{block: n.Block}
	buf := make([]byte, 16<<10)
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		k, err := f.ReadAt(buf[:min(int64(len(buf)), n.Block-at%n.Block)], at)
		at += int64(k)
		if lines.scan(buf[:k]) {
			return ErrLongLine
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return openError(err)
		}
		if lines.ended {
			at += lines.skip()
		}
	}
}

// lineScanner cuts what it is given into blocks and looks for one without a line end. A line of two blocks or
// more has one whole block inside, wherever it begins; one shorter than a block never has.
type lineScanner struct {
	block    int64
	read     int64 // of the block at hand
	ended    bool  // it has a line end
	newlines bool  // there has been a line feed, so that a carriage return by itself ends no line
}

// scan reports whether a block without a line end is complete.
func (s *lineScanner) scan(b []byte) bool {
	for len(b) > 0 {
		part := b[:min(int64(len(b)), s.block-s.read)]
		if !s.ended {
			if bytes.IndexByte(part, '\n') >= 0 {
				s.ended, s.newlines = true, true
			} else if !s.newlines && bytes.IndexByte(part, '\r') >= 0 {
				s.ended = true
			}
		}
		s.read += int64(len(part))
		if s.read == s.block {
			if !s.ended {
				return true
			}
			s.read, s.ended = 0, false
		}
		b = b[len(part):]
	}
	return false
}

// skip goes to the next block and returns how many bytes that leaves out.
func (s *lineScanner) skip() int64 {
	left := s.block - s.read
	s.read, s.ended = 0, false
	return left
}

// numberScanner looks for long numbers in JSON, across reads.
type numberScanner struct {
	limit    int
	inString bool
	escaped  bool
	digits   int  // significant ones of the number so far
	fraction bool // it has a point or an exponent
	exponent bool
}

// scan reports whether a number with more than limit digits ends in b or goes on past it. Whole numbers are
// exact up to 18 digits.
func (s *numberScanner) scan(b []byte) bool {
	for _, c := range b {
		switch {
		case s.inString:
			if s.escaped {
				s.escaped = false
			} else if c == '\\' {
				s.escaped = true
			} else if c == '"' {
				s.inString = false
			}
		case c >= '0' && c <= '9':
			if !s.exponent && (c != '0' || s.digits > 0) {
				s.digits++
			}
			if s.digits > 18 || s.fraction && s.digits > s.limit {
				return true
			}
		case c == '.':
			s.fraction = true
			if s.digits > s.limit {
				return true
			}
		case c == 'e' || c == 'E':
			s.fraction, s.exponent = true, true
		case c == '-' || c == '+':
		default:
			s.inString = c == '"'
			s.digits, s.fraction, s.exponent = 0, false, false
		}
	}
	return false
}

// PlainHeader reports whether the engine would skip the same lines as a header that IGNOREHEADER means, the
// first so many of the file: it reads quotes in them, and takes the line ends of the first for those of all.
func PlainHeader(path string, spec load.Spec) bool {
	head, _, err := readHead(path, spec.Compression)
	if err != nil {
		return false
	}
	d := delimited{delimiter: firstByte(spec.Delimiter), columns: 1}
	if spec.Format == load.CSV {
		d.quote = firstByte(spec.Quote)
	}
	head = bytes.TrimPrefix(head, bom)
	crlf := bytes.Count(head, []byte("\r\n"))
	if n := bytes.Count(head, []byte{'\r'}); n != crlf || crlf != 0 && crlf != bytes.Count(head, []byte{'\n'}) {
		return false
	}
	line := 0
	for text := range bytes.Lines(head) {
		if line++; line > spec.IgnoreHeader {
			return true
		}
		if len(trimNewline(text)) == 0 {
			return false // the engine may not count it
		}
		if d.quote == 0 || bytes.IndexByte(text, d.quote) < 0 {
			continue
		}
		q := string(d.quote)
		if r := d.split(0, trimNewline(text)); r.Problem != nil && r.Problem.Code != load.CodeExtraColumns ||
			bytes.Contains(text, []byte(" "+q)) || bytes.Contains(text, []byte(q+" ")) {
			return false
		}
	}
	return len(head) < headSize
}

// headSize is how much of a file is looked at to decide how it is read.
const headSize = 64 << 10

// readHead returns the first bytes of a file's text, and whether they are all.
func readHead(path string, c load.Compression) (head []byte, whole bool, _ error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, openError(err)
	}
	defer f.Close() //nolint:errcheck // only read from
	in, done, err := decompress(f, c)
	if err != nil {
		return nil, false, err
	}
	defer done()
	head = make([]byte, headSize)
	n, err := io.ReadFull(in, head)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return head[:n], true, nil
	}
	return head[:n], false, err
}

// LineDelimited reports whether a JSON file begins with an object on a line of its own, which lets the engine
// read it in parallel.
func LineDelimited(path string, c load.Compression) bool {
	head, whole, err := readHead(path, c)
	if err != nil {
		return false
	}
	for line := range bytes.Lines(head) {
		if !bytes.HasSuffix(line, []byte{'\n'}) && !whole {
			return false // longer than what was read
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line[0] == '{' && jsontext.Value(line).IsValid()
		}
	}
	return true // nothing but blank lines
}
