package relay

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // one of S3's checksums, not a protection
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Decoding of bodies that are signed chunk by chunk:
//
//	<size in hex>;chunk-signature=<signature>\r\n<data>\r\n ... 0;chunk-signature=<signature>\r\n
//	[<checksum header>:<value>\r\nx-amz-trailer-signature:<signature>\r\n]\r\n
//
// Each signature covers the one before, the first that of the request's headers.

const (
	maxLine  = 4 << 10 // bytes of a chunk's head or of a trailer
	maxChunk = 1 << 40 // bytes; sizes past it are nonsense
)

func malformed(message string) error {
	return &Error{http.StatusBadRequest, "IncompleteBody", message}
}

func mismatch(message string) error {
	return &Error{http.StatusForbidden, "SignatureDoesNotMatch", message}
}

// decodeChunks makes out's body the decoded content of in's.
func decodeChunks(out, in *http.Request, format, secret string) (string, error) {
	length, err := strconv.ParseInt(in.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return "", &Error{http.StatusLengthRequired, "MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header."}
	}
	c, err := newChunks(in, format, secret)
	if err != nil {
		return "", err
	}
	body := &gate{src: c, left: length}
	for _, name := range []string{"X-Amz-Decoded-Content-Length", "X-Amz-Trailer"} {
		out.Header.Del(name)
	}
	stripChunkedEncoding(out.Header)
	if length == 0 {
		// There is no last byte to hold back.
		if _, err := body.src.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			if err == nil {
				err = malformed("The body is longer than x-amz-decoded-content-length.")
			}
			return "", err
		}
		setBody(out, nil)
		return hexHash(nil), nil
	}
	out.Body, out.ContentLength = io.NopCloser(body), length
	return unsignedPayload, nil
}

// stripChunkedEncoding removes the encoding that only framed the body from those that describe it.
func stripChunkedEncoding(h http.Header) {
	var kept []string
	for _, line := range h.Values("Content-Encoding") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" && !strings.EqualFold(name, "aws-chunked") {
				kept = append(kept, name)
			}
		}
	}
	h.Del("Content-Encoding")
	if len(kept) > 0 {
		h.Set("Content-Encoding", strings.Join(kept, ","))
	}
}

// gate lets exactly left bytes through, the last of them only when the source has ended without an error.
type gate struct {
	src  io.Reader
	left int64
}

func (g *gate) Read(p []byte) (int, error) {
	switch {
	case g.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	case g.left > 1:
		n, err := g.src.Read(p[:min(int64(len(p)), g.left-1)])
		g.left -= int64(n)
		if errors.Is(err, io.EOF) {
			err = malformed("The body is shorter than x-amz-decoded-content-length.")
		}
		return n, err
	}
	if _, err := io.ReadFull(g.src, p[:1]); err != nil {
		if errors.Is(err, io.EOF) {
			err = malformed("The body is shorter than x-amz-decoded-content-length.")
		}
		return 0, err
	}
	if n, err := g.src.Read(make([]byte, 1)); n > 0 {
		return 0, malformed("The body is longer than x-amz-decoded-content-length.")
	} else if !errors.Is(err, io.EOF) {
		return 0, err
	}
	g.left = 0
	return 1, nil
}

// chunks reads the content of a chunked body and checks every signature. Its errors are *Error.
type chunks struct {
	r         *bufio.Reader
	key       []byte
	date      string // X-Amz-Date
	scope     string
	previous  string // signature
	trailer   bool
	checksum  string // name of the trailing header, "" without one
	sum       hash.Hash
	content   hash.Hash // SHA-256 of the chunk so far
	left      int64     // of the chunk
	signature string    // of the chunk
	err       error     // sticky; io.EOF at the end
}

// newChunks prepares to read in's body, whose headers have been verified as signed with secret.
func newChunks(in *http.Request, format, secret string) (*chunks, error) {
	auth := in.Header.Get("Authorization")
	field := func(name string) string {
		_, rest, _ := strings.Cut(auth, name+"=")
		value, _, _ := strings.Cut(rest, ",")
		return strings.TrimSpace(value)
	}
	_, scope, ok := strings.Cut(field("Credential"), "/")
	parts := strings.Split(scope, "/")
	if !ok || len(parts) != 4 || field("Signature") == "" {
		return nil, &Error{http.StatusBadRequest, "AuthorizationHeaderMalformed", "A body signed in chunks needs its signature in the Authorization header."}
	}
	key := []byte("AWS4" + secret)
	for _, part := range parts {
		key = mac(key, part)
	}
	c := &chunks{
		r: bufio.NewReaderSize(in.Body, 64<<10), key: key, date: in.Header.Get("X-Amz-Date"), scope: scope, previous: field("Signature"),
		trailer: format == signedTrailer, content: sha256.New(), sum: nil,
	}
	if c.trailer {
		c.checksum = strings.ToLower(strings.TrimSpace(in.Header.Get("X-Amz-Trailer")))
		make, ok := checksums[c.checksum]
		if !ok {
			return nil, &Error{http.StatusBadRequest, "InvalidRequest", "The value specified in the x-amz-trailer header is not supported."}
		}
		c.sum = make()
	}
	return c, nil
}

// checksums are the trailing headers there may be.
var checksums = map[string]func() hash.Hash{
	"x-amz-checksum-crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"x-amz-checksum-crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"x-amz-checksum-crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	"x-amz-checksum-sha1":      sha1.New,
	"x-amz-checksum-sha256":    sha256.New,
}

func (c *chunks) Read(p []byte) (int, error) {
	for c.err == nil && c.left == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.content.Write(p[:n])
	if c.sum != nil {
		c.sum.Write(p[:n])
	}
	if c.left -= int64(n); c.left == 0 {
		c.err = c.endChunk()
	} else if err != nil {
		c.err = malformed("The body ends within a chunk.")
	}
	return n, c.err
}

// next reads the head of a chunk. After the last one it returns io.EOF.
func (c *chunks) next() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(size, 16, 63)
	signature, ok := strings.CutPrefix(extension, "chunk-signature=")
	if err != nil || n > maxChunk || !ok {
		return malformed("A chunk of the body has a malformed head.")
	}
	c.left, c.signature = int64(n), signature
	c.content.Reset()
	if n > 0 {
		return nil
	}
	if err := c.verify("AWS4-HMAC-SHA256-PAYLOAD", hexHash(nil)+"\n"+hexHash(nil), c.signature); err != nil {
		return err
	}
	if c.trailer {
		return c.endTrailer()
	}
	return c.end()
}

// endChunk checks the chunk that has been read.
func (c *chunks) endChunk() error {
	if line, err := c.line(); err != nil || line != "" {
		return malformed("A chunk of the body is not followed by a line break.")
	}
	return c.verify("AWS4-HMAC-SHA256-PAYLOAD", hexHash(nil)+"\n"+hex.EncodeToString(c.content.Sum(nil)), c.signature)
}

// endTrailer reads and checks what follows the last chunk.
func (c *chunks) endTrailer() error {
	var name, value, signature string
	for signature == "" {
		line, err := c.line()
		if err != nil {
			return err
		}
		if line = strings.TrimSpace(line); line == "" {
			continue // some clients end the checksum's line twice
		}
		n, v, ok := strings.Cut(line, ":")
		switch n = strings.ToLower(strings.TrimSpace(n)); {
		case !ok:
			return malformed("The trailer is malformed.")
		case n == "x-amz-trailer-signature":
			signature = strings.TrimSpace(v)
		case name == "":
			name, value = n, strings.TrimSpace(v)
		default:
			return malformed("The trailer has more than one checksum.")
		}
	}
	if err := c.verify("AWS4-HMAC-SHA256-TRAILER", hexHash([]byte(name+":"+value+"\n")), signature); err != nil {
		return err
	}
	if name != c.checksum {
		return malformed("The trailer does not have the header that x-amz-trailer announces.")
	}
	if base64.StdEncoding.EncodeToString(c.sum.Sum(nil)) != value {
		return &Error{http.StatusBadRequest, "BadDigest", "The " + name + " you specified did not match the calculated checksum."}
	}
	return c.end()
}

// end reads the line break that ends the body and returns io.EOF.
func (c *chunks) end() error {
	rest, err := io.ReadAll(io.LimitReader(c.r, 3))
	if err != nil {
		return malformed("The body could not be read to its end.")
	}
	if len(bytes.TrimSpace(rest)) > 0 || len(rest) > 2 {
		return malformed("The body goes on after its last chunk.")
	}
	return io.EOF
}

// line reads a line without its end.
func (c *chunks) line() (string, error) {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return "", malformed("The body ends before its last chunk.")
		}
		if len(line) > maxLine {
			return "", malformed("A line between the chunks of the body is too long.")
		}
		if err == nil {
			return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
		}
	}
}

// verify compares a signature with the one of what it should cover, and remembers it for the next.
func (c *chunks) verify(algorithm, covered, signature string) error {
	want := hex.EncodeToString(mac(c.key, strings.Join([]string{algorithm, c.date, c.scope, c.previous, covered}, "\n")))
	if !hmac.Equal([]byte(want), []byte(signature)) {
		return mismatch("The signature of a chunk of the body does not match the signature you provided.")
	}
	c.previous = signature
	return nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// setBody gives a request a body that is in memory.
func setBody(r *http.Request, body []byte) {
	r.ContentLength = int64(len(body))
	r.Body = http.NoBody
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
}
