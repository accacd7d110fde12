package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Credentials are what a client signs with. SessionToken is empty for long-lived keys.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
}

// Scope is what a signature is good for.
type Scope struct {
	Region  string
	Service string
}

// unsigned are the headers that proxies and transports change; signing them would break requests.
var unsigned = []string{"Authorization", "Connection", "Expect", "Transfer-Encoding", "User-Agent", "X-Amzn-Trace-Id"}

// Sign signs r in its headers at the given time, replacing a signature it has. payloadHash is
// HashPayload of the body; under S3's rules it also goes into X-Amz-Content-Sha256 and may be UnsignedPayload.
func Sign(r *http.Request, c Credentials, scope Scope, payloadHash string, rules Rules, at time.Time) error {
	at = at.UTC()
	r.Header.Del("Authorization")
	r.Header.Set("X-Amz-Date", at.Format(timeFormat))
	if rules.S3 {
		r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	}
	if c.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", c.SessionToken)
	} else {
		r.Header.Del("X-Amz-Security-Token")
	}
	s := &Signature{AccessKeyID: c.AccessKeyID, Date: at.Format(dateFormat), Region: scope.Region, Service: scope.Service, Time: at}
	s.SignedHeaders = strings.Join(headersToSign(r), ";")
	if err := s.compute(r, c.SecretAccessKey, payloadHash, rules); err != nil {
		return err
	}
	r.Header.Set("Authorization", Algorithm+" Credential="+s.credential()+", SignedHeaders="+s.SignedHeaders+", Signature="+s.Signature)
	return nil
}

// Presign signs r in the query of its URL, good for expires from the given time. Only the host is
// signed of the headers, and those of AWS.
func Presign(r *http.Request, c Credentials, scope Scope, payloadHash string, rules Rules, at time.Time, expires time.Duration) error {
	at = at.UTC()
	r.Header.Del("Authorization")
	s := &Signature{AccessKeyID: c.AccessKeyID, Date: at.Format(dateFormat), Region: scope.Region, Service: scope.Service, Time: at}
	s.SignedHeaders = strings.Join(slices.DeleteFunc(headersToSign(r), func(name string) bool {
		return name != "host" && !strings.HasPrefix(name, "x-amz-")
	}), ";")
	q := url.Values{
		"X-Amz-Algorithm": {Algorithm}, "X-Amz-Credential": {s.credential()}, "X-Amz-Date": {at.Format(timeFormat)},
		"X-Amz-Expires": {strconv.Itoa(int(expires / time.Second))}, "X-Amz-SignedHeaders": {s.SignedHeaders},
	}
	if c.SessionToken != "" {
		q.Set("X-Amz-Security-Token", c.SessionToken)
	}
	sep := ""
	if r.URL.RawQuery != "" {
		sep = "&"
	}
	r.URL.RawQuery += sep + q.Encode()
	if err := s.compute(r, c.SecretAccessKey, payloadHash, rules); err != nil {
		return err
	}
	r.URL.RawQuery += "&X-Amz-Signature=" + s.Signature
	return nil
}

func (s *Signature) credential() string {
	return strings.Join([]string{s.AccessKeyID, s.Date, s.Region, s.Service, Terminator}, "/")
}

func (s *Signature) compute(r *http.Request, secret, payloadHash string, rules Rules) error {
	path, _, err := canonicalPaths(sentPath(r), rules)
	if err != nil {
		return err
	}
	work := scratches.Get().(*scratch)
	defer work.release()
	if err := work.canonical(r, rules, path, s.SignedHeaders, payloadHash); err != nil {
		return err
	}
	work.stringToSign(s)
	var sum [64]byte
	newSigningKey(s, secret).sign(sum[:], work.buf)
	s.Signature = string(sum[:])
	return nil
}

func headersToSign(r *http.Request) []string {
	names := []string{"host"}
	for name := range r.Header {
		if name != "Host" && !slices.Contains(unsigned, name) {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	return names
}
