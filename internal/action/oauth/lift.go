package oauth

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// maxLifted is how much of an answer is looked into, in bytes.
const maxLifted = 1 << 20

// lifting puts the user's token where the library looks for it: at the top of the answer of a token endpoint. Slack has
// it in a member of its own, beside that of the bot or in place of it.
type lifting struct {
	next http.RoundTripper
	from string
}

func (l lifting) RoundTrip(r *http.Request) (*http.Response, error) {
	next := l.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxLifted))
	_ = resp.Body.Close() // it has been read, or cannot be
	if err != nil {
		return nil, err
	}
	text = lift(text, l.from)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return resp, nil
}

// lift returns an answer with the token of a member in place of its own. An answer without one is left as it is.
func lift(answer []byte, from string) []byte {
	var outer, inner map[string]json.RawMessage
	if json.Unmarshal(answer, &outer) != nil || json.Unmarshal(outer[from], &inner) != nil || len(inner["access_token"]) == 0 {
		return answer
	}
	for _, member := range []string{"access_token", "refresh_token", "expires_in", "scope"} {
		delete(outer, member)
		if v, ok := inner[member]; ok {
			outer[member] = v
		}
	}
	delete(outer, "token_type") // of the bot's; all of them go as Bearer
	text, err := json.Marshal(outer)
	if err != nil {
		return answer
	}
	return text
}
