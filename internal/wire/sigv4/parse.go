// Package sigv4 verifies and makes AWS Signature Version 4 signatures of HTTP requests, in the
// Authorization header and in the query of a presigned URL.
//
// The general rules are the default: the path is normalised and encoded once more before it is signed.
// S3 has rules of its own (Rules.S3). A signature covers the body through its SHA-256; computing that,
// and reading the body, is the caller's part. Chunk signatures of streamed bodies are not covered.
//
// Everything a client sends is checked before it is used, and every way of being wrong is an *Error
// with a Reason and AWS's wording.
package sigv4

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Algorithm is the only algorithm there is here, and Terminator how every credential scope ends.
const (
	Algorithm  = "AWS4-HMAC-SHA256"
	Terminator = "aws4_request"
)

const (
	timeFormat = "20060102T150405Z"
	dateFormat = "20060102"
)

// MaxExpires is the longest life of a presigned URL.
const MaxExpires = 7 * 24 * time.Hour

// Reason says why a request is not authentic.
type Reason uint8

const (
	Missing    Reason = iota // there is no signature
	Incomplete               // there is one, and it cannot be read
	Mismatch                 // it is not the signature of this request, or not for this service
	Expired                  // it was made too long ago, or for later
)

// Error is why a request is not authentic, in words for the client.
type Error struct {
	Reason  Reason
	Message string
}

func (e *Error) Error() string { return e.Message }

func errorf(r Reason, format string, args ...any) *Error {
	return &Error{r, fmt.Sprintf(format, args...)}
}

// Signature is what a request claims about itself.
type Signature struct {
	AccessKeyID   string
	Date          string // of the scope: YYYYMMDD
	Region        string
	Service       string
	SignedHeaders string // as sent: lower-case names with semicolons between
	Signature     string // hexadecimal
	Time          time.Time
	Presigned     bool
	Expires       time.Duration // of a presigned URL
	SessionToken  string
}

// Service returns the service a request's signature is scoped to, without judging the signature. It
// is empty for requests that have none, or none that is recognisable.
func Service(r *http.Request) string {
	var credential string
	if h := r.Header.Get("Authorization"); strings.HasPrefix(h, "AWS4-") {
		_, after, _ := strings.Cut(h, "Credential=")
		credential, _, _ = strings.Cut(after, ",")
	} else {
		credential, _ = queryParam(r.URL.RawQuery, "X-Amz-Credential")
	}
	parts := strings.Split(credential, "/")
	if len(parts) < 4 {
		return ""
	}
	return strings.TrimSpace(parts[3])
}

// queryParam returns the first value of a query parameter whose name needs no escaping.
func queryParam(rawQuery, name string) (string, bool) {
	for item := range strings.SplitSeq(rawQuery, "&") {
		if v, ok := strings.CutPrefix(item, name); ok && strings.HasPrefix(v, "=") {
			value, err := url.QueryUnescape(v[1:])
			return value, err == nil
		}
	}
	return "", false
}

// Parse reads a request's signature. It checks the form of everything and compares nothing.
func Parse(r *http.Request) (*Signature, error) {
	headers := r.Header["Authorization"]
	inHeader := len(headers) > 0
	inQuery := hasQuerySignature(r.URL.RawQuery)
	switch {
	case inHeader && inQuery, len(headers) > 1:
		return nil, errorf(Incomplete,
			"The request has more than one signature; give either one Authorization header or the X-Amz- query parameters.")
	case inHeader && strings.HasPrefix(headers[0], "AWS4-"):
		return parseHeader(r, headers[0])
	case inQuery:
		return parseQuery(r)
	}
	return nil, errorf(Missing, "Request is missing Authentication Token")
}

func hasQuerySignature(rawQuery string) bool {
	if rawQuery == "" {
		return false
	}
	for _, name := range [...]string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"} {
		if _, ok := queryParam(rawQuery, name); ok {
			return true
		}
	}
	return false
}

func parseHeader(r *http.Request, h string) (*Signature, error) {
	algorithm, rest, _ := strings.Cut(h, " ")
	if algorithm != Algorithm {
		return nil, errorf(Incomplete, "Unsupported signing algorithm %q; use %s.", shorten(algorithm), Algorithm)
	}
	var fields [3]string // Credential, SignedHeaders, Signature
	names := [3]string{"Credential", "SignedHeaders", "Signature"}
	for item := range strings.SplitSeq(rest, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		name, value, ok := strings.Cut(item, "=")
		known := -1
		for i, n := range names {
			if name == n {
				known = i
			}
		}
		if !ok || known < 0 {
			return nil, errorf(Incomplete,
				"'%s' not a valid key=value pair (missing equal-sign or unknown key) in Authorization header.", shorten(item))
		}
		if fields[known] != "" {
			return nil, errorf(Incomplete, "Authorization header has more than one '%s' parameter.", name)
		}
		fields[known] = value
	}
	var lacks []string
	for _, i := range [...]int{0, 2, 1} {
		if fields[i] == "" {
			lacks = append(lacks, fmt.Sprintf("Authorization header requires '%s' parameter.", names[i]))
		}
	}
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		date = r.Header.Get("Date")
	}
	if date == "" {
		lacks = append(lacks, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if lacks != nil {
		return nil, errorf(Incomplete, "%s Authorization=%s", strings.Join(lacks, " "), algorithm)
	}
	if len(r.Header["X-Amz-Date"]) > 1 || len(r.Header["X-Amz-Security-Token"]) > 1 || len(r.Header["X-Amz-Content-Sha256"]) > 1 {
		return nil, errorf(Incomplete, "The headers X-Amz-Date, X-Amz-Security-Token and X-Amz-Content-Sha256 may each be given once.")
	}
	s := &Signature{SignedHeaders: fields[1], Signature: fields[2], SessionToken: r.Header.Get("X-Amz-Security-Token")}
	if err := s.setCredential(fields[0]); err != nil {
		return nil, err
	}
	return s, s.setTime(date, true)
}

func parseQuery(r *http.Request) (*Signature, error) {
	s := &Signature{Presigned: true, Expires: 15 * time.Minute}
	var algorithm, credential, date, expires string
	into := map[string]*string{
		"X-Amz-Algorithm": &algorithm, "X-Amz-Credential": &credential, "X-Amz-Date": &date, "X-Amz-Expires": &expires,
		"X-Amz-SignedHeaders": &s.SignedHeaders, "X-Amz-Signature": &s.Signature, "X-Amz-Security-Token": &s.SessionToken,
	}
	for item := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, raw, _ := strings.Cut(item, "=")
		p := into[name]
		if p == nil {
			continue
		}
		value, err := url.QueryUnescape(raw)
		if err != nil || *p != "" {
			return nil, errorf(Incomplete, "The query parameter %s is given more than once or is not percent-encoded correctly.", name)
		}
		*p = value
	}
	for _, name := range [...]string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if *into[name] == "" {
			return nil, errorf(Incomplete, "AWS query-string parameters must include '%s'.", name)
		}
	}
	if algorithm != Algorithm {
		return nil, errorf(Incomplete, "Unsupported signing algorithm %q; use %s.", shorten(algorithm), Algorithm)
	}
	if expires != "" {
		seconds, err := strconv.Atoi(expires)
		if err != nil || seconds < 1 || seconds > int(MaxExpires/time.Second) {
			return nil, errorf(Incomplete, "X-Amz-Expires must be a number of seconds from 1 to %d, found %q.",
				int(MaxExpires/time.Second), shorten(expires))
		}
		s.Expires = time.Duration(seconds) * time.Second
	}
	if err := s.setCredential(credential); err != nil {
		return nil, err
	}
	return s, s.setTime(date, false)
}

func (s *Signature) setCredential(c string) error {
	parts := strings.Split(c, "/")
	if len(parts) != 5 || parts[0] == "" {
		return errorf(Incomplete,
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", shorten(c))
	}
	if parts[4] != Terminator {
		return errorf(Mismatch, "Credential should be scoped with a valid terminator: '%s', not '%s'.", Terminator, shorten(parts[4]))
	}
	s.AccessKeyID, s.Date, s.Region, s.Service = parts[0], parts[1], parts[2], parts[3]
	return nil
}

// setTime reads the time of signing. Only a Date header may be in another form than X-Amz-Date's.
func (s *Signature) setTime(date string, httpDate bool) error {
	t, err := time.Parse(timeFormat, date)
	if err != nil && httpDate {
		t, err = http.ParseTime(date)
	}
	if err != nil {
		return errorf(Incomplete, "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", shorten(date))
	}
	s.Time = t.UTC()
	if day := s.Time.Format(dateFormat); day != s.Date {
		return errorf(Mismatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			shorten(s.Date), day, s.Time.Format(timeFormat))
	}
	return nil
}

// shorten keeps what a client sent from filling the answer.
func shorten(s string) string {
	if len(s) > 128 {
		s = s[:128] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
