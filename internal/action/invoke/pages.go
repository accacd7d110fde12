package invoke

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// decode reads JSON, keeping numbers exact.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errMoreJSON
	}
	return v, nil
}

var errMoreJSON = jsonError("there is more than one value")

type jsonError string

func (e jsonError) Error() string { return string(e) }

// lookup finds what a JSON pointer leads to, nil if nothing. Only what is on the way is read.
func lookup(text []byte, pointer string) json.RawMessage {
	raw := json.RawMessage(text)
	if pointer == "" {
		return raw
	}
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return nil
		}
		raw = object[step]
		if raw == nil {
			return nil
		}
	}
	return raw
}

// scalar is a string or number as text, empty for anything else.
func scalar(raw json.RawMessage) string {
	v, err := decode(raw)
	if err != nil {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// next says how the page after a JSON answer is asked for, nil if there is none.
func (p *plan) next(body []byte) *Next {
	page := p.action.Paging
	switch page.Style {
	case "url":
		if u := scalar(lookup(body, page.From)); u != "" {
			return &Next{Argument: catalog.NextPage, Value: u}
		}
	case "cursor":
		value := scalar(lookup(body, page.From))
		if page.Query != "" && value != "" {
			u, err := url.Parse(value)
			if err != nil {
				return nil
			}
			value = u.Query().Get(page.Query)
		}
		if value != "" {
			return &Next{Argument: page.Argument, Value: value}
		}
	case "offset":
		return p.nextOffset(body, page)
	case "page":
		now := p.number(page.Argument, 1)
		if total, err := strconv.Atoi(scalar(lookup(body, page.Total))); err == nil && now < total {
			return &Next{Argument: page.Argument, Value: now + 1}
		}
	}
	return nil
}

// number is an argument that is a number.
func (p *plan) number(name string, absent int) int {
	if n, ok := p.args[name].(json.Number); ok {
		if i, err := strconv.Atoi(n.String()); err == nil {
			return i
		}
	}
	return absent
}

func (p *plan) nextOffset(body []byte, page *catalog.Paging) *Next {
	items := lookup(body, page.Items)
	n := count(items)
	if n == 0 {
		return nil
	}
	next := p.number(page.Argument, 0) + n
	limit := p.number(page.Limit, page.DefaultLimit)
	more := limit > 0 && n >= limit
	if raw := lookup(body, page.More); page.More != "" {
		more = string(raw) == "true" || scalar(raw) != ""
		if raw == nil {
			more = limit > 0 && n >= limit
		}
	}
	if total, err := strconv.Atoi(scalar(lookup(body, page.Total))); page.Total != "" && err == nil {
		more = next < total
	}
	if raw := lookup(body, page.Last); page.Last != "" && raw != nil {
		more = string(raw) == "false"
	}
	if !more {
		return nil
	}
	return &Next{Argument: page.Argument, Value: next}
}

// count is the number of items of a JSON list.
func count(raw json.RawMessage) int {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return 0
	}
	return len(list)
}

// Shrink cuts JSON to about limit bytes so that it is JSON still, and says how many items it kept of how many of the
// list it cut. It is for whoever shows results to those who take less than the result has.
func Shrink(text []byte, limit int) (cut []byte, kept, items int) { return shrink(text, limit) }

// shrink cuts JSON to about limit bytes so that it is JSON still: of the largest member of objects, the items of
// lists at the end go, and the ends of texts. It returns how many items were kept of the list that was cut.
func shrink(text []byte, limit int) (cut []byte, kept, items int) {
	text = bytes.TrimSpace(text)
	if len(text) <= limit {
		return text, 0, 0
	}
	if !utf8.Valid(text) { // what is no text grows when it is written again
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	switch text[0] {
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(text, &list) != nil {
			return []byte("null"), 0, 0
		}
		return shrinkList(list, limit)
	case '{':
		return shrinkObject(text, limit)
	case '"':
		var s string
		if json.Unmarshal(text, &s) != nil {
			return []byte("null"), 0, 0
		}
		for len(text) > limit && s != "" {
			s = strings.ToValidUTF8(s[:max(0, len(s)-(len(text)-limit)-1)], "")
			text, _ = marshal(s)
		}
		return text, 0, 0
	}
	return []byte("null"), 0, 0 // a number of that length
}

// maxCuts is how many members of one object are cut before members are left out.
const maxCuts = 32

func shrinkList(list []json.RawMessage, limit int) ([]byte, int, int) {
	var out bytes.Buffer
	out.WriteByte('[')
	kept := 0
	for _, item := range list {
		if out.Len()+len(item)+2 > limit {
			break
		}
		if kept > 0 {
			out.WriteByte(',')
		}
		out.Write(item)
		kept++
	}
	if kept == 0 && limit > 16 { // one item that is too large by itself is cut itself
		if first, _, _ := shrink(list[0], limit-2); len(first)+2 <= limit {
			out.Write(first)
			kept = 1
		}
	}
	out.WriteByte(']')
	return out.Bytes(), kept, len(list)
}

func shrinkObject(text []byte, limit int) (cut []byte, kept, items int) {
	type member struct {
		name  string
		value json.RawMessage
	}
	var members []member // in their order
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return []byte("null"), 0, 0
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return []byte("null"), 0, 0
		}
		m := member{name: name.(string)}
		if err := d.Decode(&m.value); err != nil {
			return []byte("null"), 0, 0
		}
		members = append(members, m)
	}
	size := len(text)
	for range min(len(members), maxCuts) {
		if size <= limit {
			break
		}
		largest := 0
		for i := range members {
			if len(members[i].value) > len(members[largest].value) {
				largest = i
			}
		}
		m := &members[largest]
		smaller, k, n := shrink(m.value, max(len(m.value)-(size-limit), 2))
		if len(smaller) >= len(m.value) {
			break
		}
		size -= len(m.value) - len(smaller)
		m.value = smaller
		if n > items {
			kept, items = k, n
		}
	}
	if all := len(members); size > limit { // many small members: those at the end go
		for size > limit && len(members) > 0 {
			last := members[len(members)-1]
			size -= len(last.name) + len(last.value) + 4
			members = members[:len(members)-1]
		}
		kept, items = len(members), all
	}
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			out.WriteByte(',')
		}
		name, _ := marshal(m.name)
		out.Write(name)
		out.WriteByte(':')
		out.Write(m.value)
	}
	out.WriteByte('}')
	return out.Bytes(), kept, items
}
