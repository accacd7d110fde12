package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MaxSkew is how far a request's time of signing may be from ours.
const MaxSkew = 15 * time.Minute

// Hashes that may stand for a body's.
const (
	EmptyPayload    = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of nothing
	UnsignedPayload = "UNSIGNED-PAYLOAD"
)

// HashPayload returns a body's hash as signatures use it.
func HashPayload(body []byte) string {
	if len(body) == 0 {
		return EmptyPayload
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Verifier checks signatures made for one region. It is safe for concurrent use.
type Verifier struct {
	region string
	rules  Rules
	now    func() time.Time
	keys   keyCache
}

// NewVerifier returns a Verifier for a region.
func NewVerifier(region string, rules Rules, now func() time.Time) *Verifier {
	return &Verifier{region: region, rules: rules, now: now}
}

// Verify reports as an *Error why s is not r's signature by the holder of secret, or nil if it is.
// payloadHash is HashPayload of the body that was read. Whether the service in the scope is the right one, and
// whether the session token belongs to the key, is for the caller to judge.
func (v *Verifier) Verify(r *http.Request, s *Signature, secret, payloadHash string) error {
	if s.Region != v.region {
		return errorf(Mismatch, "Credential should be scoped to a valid region, not '%s'. This server is in %s.", shorten(s.Region), v.region)
	}
	if err := v.checkTime(s); err != nil {
		return err
	}
	if err := checkSignedHeaders(r, s); err != nil {
		return err
	}
	if claimed := r.Header.Get("X-Amz-Content-Sha256"); claimed != "" && claimed != payloadHash {
		if claimed != UnsignedPayload || !v.rules.S3 {
			return errorf(Mismatch, "The value of the header X-Amz-Content-Sha256 is not the SHA-256 of the request's body.")
		}
		payloadHash = claimed
	} else if s.Presigned && v.rules.S3 && claimed == "" {
		payloadHash = UnsignedPayload
	}
	first, second, err := canonicalPaths(sentPath(r), v.rules)
	if err != nil {
		return err
	}
	key := v.keys.get(s, secret)
	work := scratches.Get().(*scratch)
	defer work.release()
	ok, err := matches(work, v.rules, key, r, s, first, payloadHash)
	if err == nil && !ok && second != "" {
		ok, err = matches(work, v.rules, key, r, s, second, payloadHash)
	}
	if err != nil || ok {
		return err
	}
	return mismatch(work, v.rules, r, s, first, payloadHash)
}

func matches(work *scratch, rules Rules, key *signingKey, r *http.Request, s *Signature, path, payloadHash string) (bool, error) {
	if err := work.canonical(r, rules, path, s.SignedHeaders, payloadHash); err != nil {
		return false, err
	}
	work.stringToSign(s)
	var want [2 * sha256.Size]byte
	key.sign(want[:], work.buf)
	return hmac.Equal(want[:], []byte(s.Signature)), nil
}

// mismatch says what was signed here, so that a client's author can compare. Both strings hold only
// what the client sent.
func mismatch(work *scratch, rules Rules, r *http.Request, s *Signature, path, payloadHash string) error {
	const text = "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	if err := work.canonical(r, rules, path, s.SignedHeaders, payloadHash); err != nil {
		return err
	}
	canonical := strings.ToValidUTF8(string(work.buf), "\uFFFD")
	work.stringToSign(s)
	if len(canonical) > 4096 {
		return errorf(Mismatch, "%s", text)
	}
	return errorf(Mismatch, "%s\n\nThe Canonical String for this request should have been\n'%s'\n\nThe String-to-Sign should have been\n'%s'\n",
		text, canonical, work.buf)
}

func (v *Verifier) checkTime(s *Signature) error {
	now := v.now().UTC()
	life := MaxSkew
	if s.Presigned {
		life = s.Expires
	}
	if oldest := now.Add(-life); s.Time.Before(oldest.Truncate(time.Second)) {
		return errorf(Expired, "Signature expired: %s is now earlier than %s (%s - %s.)",
			s.Time.Format(timeFormat), oldest.Format(timeFormat), now.Format(timeFormat), describe(life))
	}
	if newest := now.Add(MaxSkew); s.Time.After(newest) {
		return errorf(Expired, "Signature not yet current: %s is still later than %s (%s + %s.)",
			s.Time.Format(timeFormat), newest.Format(timeFormat), now.Format(timeFormat), describe(MaxSkew))
	}
	return nil
}

func describe(d time.Duration) string {
	if d%time.Minute == 0 {
		return strconv.Itoa(int(d/time.Minute)) + " min"
	}
	return strconv.Itoa(int(d/time.Second)) + " sec"
}

// checkSignedHeaders requires a list in order with the headers that must not be changed on the way:
// the host and all of AWS's own.
func checkSignedHeaders(r *http.Request, s *Signature) error {
	last := ""
	hasHost := false
	for name := range strings.SplitSeq(s.SignedHeaders, ";") {
		if name <= last || !isHeaderName(name) {
			return errorf(Incomplete, "SignedHeaders must be names of headers in lower case and in order, with semicolons between, got '%s'.",
				shorten(s.SignedHeaders))
		}
		last = name
		hasHost = hasHost || name == "host"
	}
	if !hasHost {
		return errorf(Mismatch, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		if len(name) > 6 && strings.HasPrefix(name, "X-Amz-") && !listed(s.SignedHeaders, name) {
			return errorf(Mismatch, "'%s' must be a 'SignedHeader' in the AWS Authorization.", shorten(name))
		}
	}
	return nil
}

// isHeaderName accepts lower-case names, and among those only what cannot be confused with the
// punctuation of a canonical request.
func isHeaderName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7F || c == ':' || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return name != ""
}

// signingKey is the key derived for a day, a region and a service. Its states of HMAC are kept: making
// one costs as much as using it.
type signingKey struct {
	secret string
	states sync.Pool // of hash.Hash
}

func newSigningKey(s *Signature, secret string) *signingKey {
	derived := []byte("AWS4" + secret)
	for _, part := range [...]string{s.Date, s.Region, s.Service, Terminator} {
		h := hmac.New(sha256.New, derived)
		h.Write([]byte(part))
		derived = h.Sum(nil)
	}
	k := &signingKey{secret: secret}
	k.states.New = func() any { return hmac.New(sha256.New, derived) }
	return k
}

// sign writes the hexadecimal signature of text to dst.
func (k *signingKey) sign(dst, text []byte) {
	h := k.states.Get().(hash.Hash)
	h.Reset()
	h.Write(text)
	var sum [sha256.Size]byte
	hex.Encode(dst, h.Sum(sum[:0]))
	k.states.Put(h)
}

// maxKeys bounds the cache: a day, a region and a service each for a few hundred callers.
const maxKeys = 1024

// keyCache keeps derived keys: deriving one takes longer than all the rest of a verification.
type keyCache struct {
	mu   sync.RWMutex
	keys map[keyScope]*signingKey
}

type keyScope struct{ id, date, region, service string }

func (c *keyCache) get(s *Signature, secret string) *signingKey {
	scope := keyScope{s.AccessKeyID, s.Date, s.Region, s.Service}
	c.mu.RLock()
	k := c.keys[scope]
	c.mu.RUnlock()
	if k != nil && k.secret == secret {
		return k
	}
	k = newSigningKey(s, secret)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil || len(c.keys) >= maxKeys {
		c.keys = map[keyScope]*signingKey{} // starting over is cheap and rare
	}
	c.keys[scope] = k
	return k
}
