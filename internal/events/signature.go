package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// signature is what a request says to prove who sent it.
type signature struct {
	candidates [][]byte // decoded; any of them may be the right one
	timestamp  string
	when       time.Time // zero without a timestamp
	id         string
}

// refusal is a request that is not authentic. Its text is for the sender and says nothing about the secret.
type refusal string

func (r refusal) Error() string { return string(r) }

// verify checks that a request was signed with one of the webhook's secrets, recently. The body is the request's,
// byte for byte.
func (w Webhook) verify(h http.Header, body []byte, now time.Time) (signature, error) {
	s, err := w.read(h)
	if err != nil {
		return s, err
	}
	if strings.Contains(w.Signed, "{timestamp}") {
		if age := now.Sub(s.when); age > w.Tolerance || age < -w.Tolerance {
			return s, refusal(fmt.Sprintf("the request was signed at %s, more than %s from now; check the sender's clock, or sign it again", s.when.UTC().Format(time.RFC3339), w.Tolerance))
		}
	}
	before, after, _ := strings.Cut(w.Signed, "{body}")
	fill := strings.NewReplacer("{timestamp}", s.timestamp, "{id}", s.id)
	authentic := false
	for _, key := range w.Secrets {
		mac := hmac.New(sha256.New, []byte(key.Reveal()))
		mac.Write([]byte(fill.Replace(before)))
		mac.Write(body)
		mac.Write([]byte(fill.Replace(after)))
		sum := mac.Sum(nil)
		for _, c := range s.candidates { // all of them, so that time tells nothing
			authentic = hmac.Equal(sum, c) || authentic
		}
	}
	if !authentic {
		return s, refusal(fmt.Sprintf("the signature in %s does not match: check the secret, and that the body is signed exactly as it is sent", w.Header))
	}
	return s, nil
}

// maxCandidates is how many signatures a request may carry.
const maxCandidates = 8

// read takes the signature out of the headers.
func (w Webhook) read(h http.Header) (s signature, err error) {
	value := strings.Join(h.Values(w.Header), " ")
	if value == "" {
		return s, refusal(fmt.Sprintf("the header %s with the signature is missing", w.Header))
	}
	items := strings.Fields(value)
	if w.Scheme == "stripe" { // t=1,v1=x,v1=y
		items = strings.Split(strings.ReplaceAll(value, " ", ""), ",")
		for _, item := range items {
			if t, ok := strings.CutPrefix(item, "t="); ok {
				s.timestamp = t
			}
		}
	}
	for _, item := range items {
		text, ok := strings.CutPrefix(item, w.Prefix)
		if !ok {
			continue
		}
		decode := hex.DecodeString
		if w.Encoding == "base64" {
			decode = base64.StdEncoding.DecodeString
		}
		if sum, err := decode(text); err == nil && len(sum) == sha256.Size && len(s.candidates) < maxCandidates {
			s.candidates = append(s.candidates, sum)
		}
	}
	if len(s.candidates) == 0 {
		return s, refusal(fmt.Sprintf("the header %s holds no signature of the form %s<HMAC-SHA256 in %s>", w.Header, w.Prefix, w.Encoding))
	}
	if w.IDHeader != "" {
		s.id = h.Get(w.IDHeader)
	}
	if strings.Contains(w.Signed, "{id}") && s.id == "" {
		return s, refusal(fmt.Sprintf("the header %s is missing", w.IDHeader))
	}
	if !strings.Contains(w.Signed, "{timestamp}") {
		return s, nil
	}
	if w.TimestampHeader != "" {
		s.timestamp = h.Get(w.TimestampHeader)
	}
	if n, err := strconv.ParseInt(s.timestamp, 10, 64); err == nil {
		s.when = time.Unix(n, 0)
	} else if s.when, err = time.Parse(time.RFC3339, s.timestamp); err != nil {
		return s, refusal(fmt.Sprintf("the timestamp %.40q is neither Unix seconds nor an RFC 3339 time", s.timestamp))
	}
	return s, nil
}
