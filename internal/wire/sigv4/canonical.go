package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Rules choose between the general rules and others.
type Rules struct {
	// S3: the path is encoded once and not normalised, and UNSIGNED-PAYLOAD may stand for the body's hash.
	S3 bool
	// AsSent: the path and the query are signed as they are on the wire, which is what many versions of curl do.
	AsSent bool
}

// scratch is the memory one canonicalisation needs.
type scratch struct {
	buf    []byte
	name   []byte
	params []param
}

type param struct{ key, value string }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) release() {
	clear(s.params)
	s.params = s.params[:0]
	if cap(s.buf) <= 64<<10 {
		scratches.Put(s)
	}
}

// canonical builds the canonical request in s.buf.
func (s *scratch) canonical(r *http.Request, rules Rules, path, signedHeaders, payloadHash string) (err error) {
	b := append(s.buf[:0], r.Method...)
	b = append(b, '\n')
	b = append(b, path...)
	b = append(b, '\n')
	if rules.AsSent {
		b = append(b, r.URL.RawQuery...)
	} else if b, err = s.appendQuery(b, r.URL.RawQuery); err != nil {
		return err
	}
	b = append(b, '\n')
	for name := range strings.SplitSeq(signedHeaders, ";") {
		b = append(b, name...)
		b = append(b, ':')
		b = s.appendHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, signedHeaders...)
	b = append(b, '\n')
	s.buf = append(b, payloadHash...)
	return nil
}

// appendQuery appends the canonical query: decoded, encoded AWS's way, sorted, without the signature.
func (s *scratch) appendQuery(b []byte, raw string) ([]byte, error) {
	s.params = s.params[:0]
	for raw != "" {
		var item string
		item, raw, _ = strings.Cut(raw, "&")
		if item == "" {
			continue
		}
		k, v, _ := strings.Cut(item, "=")
		key, err := reencode(k)
		if err != nil {
			return b, errorf(Mismatch, "The query of the request is not percent-encoded correctly.")
		}
		value, err := reencode(v)
		if err != nil {
			return b, errorf(Mismatch, "The query of the request is not percent-encoded correctly.")
		}
		if key != "X-Amz-Signature" {
			s.params = append(s.params, param{key, value})
		}
	}
	slices.SortFunc(s.params, func(x, y param) int {
		if c := strings.Compare(x.key, y.key); c != 0 {
			return c
		}
		return strings.Compare(x.value, y.value)
	})
	for i, p := range s.params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.key...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b, nil
}

// reencode brings the encoding of a query component into AWS's form. Most are in it already.
func reencode(s string) (string, error) {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = unreserved[s[i]]
	}
	if plain {
		return s, nil
	}
	decoded, err := url.QueryUnescape(s)
	if err != nil {
		return "", err
	}
	return string(appendEncoded(nil, decoded, false)), nil
}

// appendHeader appends the canonical value of a header: all of its values with commas between, each
// trimmed and with runs of spaces made one.
func (s *scratch) appendHeader(b []byte, r *http.Request, name string) []byte {
	if name == "host" {
		return append(b, host(r)...)
	}
	s.name = canonicalName(s.name[:0], name)
	values := r.Header[string(s.name)]
	if values == nil && name == "content-length" && r.ContentLength >= 0 {
		return strconv.AppendInt(b, r.ContentLength, 10)
	}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		v = strings.Trim(v, " \t")
		if !strings.Contains(v, "  ") {
			b = append(b, v...)
			continue
		}
		for j := 0; j < len(v); j++ {
			if v[j] != ' ' || v[j-1] != ' ' {
				b = append(b, v[j])
			}
		}
	}
	return b
}

// canonicalName appends a header's name in the form net/http keeps it.
func canonicalName(b []byte, name string) []byte {
	upper := true
	for i := range len(name) {
		c := name[i]
		if upper && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper = c == '-'
		b = append(b, c)
	}
	return b
}

func host(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

// sentPath is the path as it is on the wire.
func sentPath(r *http.Request) string {
	path := r.URL.EscapedPath()
	if strings.HasPrefix(r.RequestURI, "/") { // a request being served: exactly what came
		path, _, _ = strings.Cut(r.RequestURI, "?")
	}
	if path == "" {
		return "/"
	}
	return path
}

// canonicalPaths returns the canonical forms of a path. There may be two: AWS normalises the path, and
// some of its SDKs sign it as it is. Both cover the path that was sent.
func canonicalPaths(path string, rules Rules) (first, second string, err error) {
	if rules.S3 {
		decoded, err := url.PathUnescape(path)
		if err != nil {
			return "", "", errorf(Mismatch, "The path of the request is not percent-encoded correctly.")
		}
		if first = string(appendEncoded(nil, decoded, true)); first != path {
			second = path
		}
		return first, second, nil
	}
	if path == "/" || rules.AsSent {
		return path, "", nil
	}
	first = string(appendEncoded(nil, normalise(path), true))
	if second = string(appendEncoded(nil, path, true)); second == first {
		second = ""
	}
	return first, second, nil
}

// normalise removes empty and dot segments.
func normalise(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var out []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			out = out[:max(len(out)-1, 0)]
		default:
			out = append(out, segment)
		}
	}
	clean := "/" + strings.Join(out, "/")
	if strings.HasSuffix(path, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// unreserved marks the bytes that AWS's encoding leaves as they are.
var unreserved = func() (t [256]bool) {
	for c := range t {
		t[c] = 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
	}
	return t
}()

// appendEncoded appends s percent-encoded; slashes stay if keepSlash is set.
func appendEncoded(b []byte, s string, keepSlash bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; unreserved[c] || keepSlash && c == '/' {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

// stringToSign replaces the canonical request in s.buf by the string to sign.
func (s *scratch) stringToSign(sig *Signature) {
	sum := sha256.Sum256(s.buf)
	b := append(s.buf[:0], Algorithm+"\n"...)
	b = sig.Time.AppendFormat(b, timeFormat)
	b = append(b, '\n')
	for _, part := range [...]string{sig.Date, sig.Region, sig.Service} {
		b = append(b, part...)
		b = append(b, '/')
	}
	b = append(b, Terminator+"\n"...)
	s.buf = hex.AppendEncode(b, sum[:])
}

// listed reports whether a header, named as net/http has it, is in a list of lower-case names with
// semicolons between.
func listed(signedHeaders, header string) bool {
	for n := range strings.SplitSeq(signedHeaders, ";") {
		if strings.EqualFold(n, header) {
			return true
		}
	}
	return false
}
