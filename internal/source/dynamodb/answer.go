package dynamodb

import (
	"math"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/internal/change"
)

// scanPage is the answer to Scan.
type scanPage struct {
	rows  []change.Row
	last  string  // LastEvaluatedKey as JSON; empty at the end of the segment
	units float64 // read capacity units consumed; 0 if the answer does not say
}

// scan reads the answer to Scan. The rows refer to body, which must not be changed after. rows is how many to
// expect.
func (c *cutter) scan(body []byte, rows int) (scanPage, error) {
	c.reset(body)
	page := scanPage{rows: make([]change.Row, 0, rows)}
	count := math.NaN()
	var seen members
	i, more := c.enter(0, '{', '}')
	for more {
		var name []byte
		if name, i = c.name(i); i < 0 {
			break
		}
		switch string(name) {
		case "Items":
			if c.once(&seen, memberItems, name, i) {
				i = c.items(i, &page)
			}
		case "LastEvaluatedKey":
			if c.once(&seen, memberLastKey, name, i) {
				page.last, i = c.lastKey(i)
			}
		case "Count":
			count, i = c.numeral(i)
		case "ConsumedCapacity":
			page.units, i = c.capacity(i)
		default:
			i = c.skip(i, 0)
		}
		if c.err != nil {
			break
		}
		i, more = c.proceed(i, '}')
	}
	c.end(i)
	if !seen.has(memberItems) {
		c.fail(0, "the member Items is missing")
	}
	if !math.IsNaN(count) && count != float64(len(page.rows)) {
		c.fail(0, "Count is %v and there are %d items", count, len(page.rows))
	}
	if c.err != nil {
		return scanPage{}, c.err
	}
	c.fillKeys(page.rows)
	return page, nil
}

// members are those of an object that may come only once.
type members uint8

const (
	memberItems members = 1 << iota
	memberLastKey
	memberRecords
	memberNext
	memberEvent
	memberChange
	memberKeys
	memberImage
)

func (m members) has(one members) bool { return m&one != 0 }

// once notes that there is a member, and reports false after an error if there was one already.
func (c *cutter) once(seen *members, one members, name []byte, i int) bool {
	if seen.has(one) {
		c.fail(i, "the member %s is given twice", name)
		return false
	}
	*seen |= one
	return true
}

// end sees to it that nothing follows.
func (c *cutter) end(i int) {
	if i < 0 {
		return
	}
	if i = c.skipBlank(i); i < len(c.b) {
		c.expected("the end of the answer", i)
	}
}

// fillKeys gives the rows their keys, which all lie in one string.
func (c *cutter) fillKeys(rows []change.Row) {
	all := string(c.arena)
	for i := range rows {
		for k := range c.keys {
			s := c.spans[i][k]
			rows[i].Keys[k] = all[s.from:s.to]
		}
	}
}

func (c *cutter) items(i int, page *scanPage) int {
	i, more := c.enter(i, '[', ']')
	for more {
		c.row, c.within, c.ordinal = keySpans{}, "item", len(page.rows)+1
		var doc []byte
		if doc, i = c.doc(i, true); i < 0 {
			return -1
		}
		c.within = ""
		page.rows = append(page.rows, change.Row{Doc: doc})
		c.spans = append(c.spans, c.row)
		i, more = c.proceed(i, ']')
	}
	return i
}

// doc reads an item, with its keys if they are wanted, and returns it without white space.
func (c *cutter) doc(i int, keys bool) (doc []byte, next int) {
	i = c.blank(i)
	c.blanks = false
	if next = c.item(i, keys); next < 0 {
		return nil, -1
	}
	doc = c.b[i:next:next]
	if c.blanks {
		doc = compact(doc)
		doc = doc[:len(doc):len(doc)]
	}
	return doc, next
}

// lastKey reads LastEvaluatedKey. One that is null or empty is none.
func (c *cutter) lastKey(i int) (key string, next int) {
	i = c.blank(i)
	if next = c.word(i, "null"); next > 0 {
		return "", next
	}
	doc, next := c.doc(i, false)
	if len(doc) <= len("{}") {
		return "", next
	}
	return string(doc), next
}

// capacity reads ConsumedCapacity.
func (c *cutter) capacity(i int) (units float64, next int) {
	i, more := c.enter(i, '{', '}')
	for more {
		var name []byte
		if name, i = c.name(i); i < 0 {
			return 0, -1
		}
		if string(name) == "CapacityUnits" {
			units, i = c.numeral(i)
		} else {
			i = c.skip(i, 0)
		}
		if i < 0 {
			return 0, -1
		}
		i, more = c.proceed(i, '}')
	}
	return units, i
}

// recordPage is the answer to GetRecords.
type recordPage struct {
	rows   []change.Row
	next   string    // NextShardIterator; empty when the shard is closed and read to its end
	last   string    // the sequence number of the last record; empty if there are none
	newest time.Time // of the records; zero if there are none, or none with a time
}

// A record is one record as it is read.
type record struct {
	event    []byte
	image    []byte // NewImage
	sequence []byte
	made     time.Time
}

// stream reads the answer to GetRecords under the terms of scan.
func (c *cutter) stream(body []byte) (recordPage, error) {
	c.reset(body)
	var page recordPage
	var seen members
	i, more := c.enter(0, '{', '}')
	for more {
		var name []byte
		if name, i = c.name(i); i < 0 {
			break
		}
		switch string(name) {
		case "Records":
			if c.once(&seen, memberRecords, name, i) {
				i = c.records(i, &page)
			}
		case "NextShardIterator":
			if c.once(&seen, memberNext, name, i) {
				page.next, i = c.optional(i)
			}
		default:
			i = c.skip(i, 0)
		}
		if c.err != nil {
			break
		}
		i, more = c.proceed(i, '}')
	}
	c.end(i)
	if !seen.has(memberRecords) {
		c.fail(0, "the member Records is missing")
	}
	if c.err != nil {
		return recordPage{}, c.err
	}
	c.fillKeys(page.rows)
	return page, nil
}

func (c *cutter) records(i int, page *recordPage) int {
	var last []byte
	i, more := c.enter(i, '[', ']')
	for more {
		c.row, c.within, c.ordinal = keySpans{}, "record", len(page.rows)+1
		var r record
		if i = c.record(i, &r); i < 0 {
			return -1
		}
		c.within = ""
		last = r.sequence
		if r.made.After(page.newest) {
			page.newest = r.made
		}
		page.rows = append(page.rows, change.Row{Doc: r.image})
		c.spans = append(c.spans, c.row)
		i, more = c.proceed(i, ']')
	}
	page.last = string(last)
	return i
}

func (c *cutter) record(i int, r *record) int {
	var seen members
	i, more := c.enter(i, '{', '}')
	for more {
		var name []byte
		if name, i = c.name(i); i < 0 {
			return -1
		}
		switch string(name) {
		case "eventName":
			if c.once(&seen, memberEvent, name, i) {
				start := c.blank(i)
				if i = c.str(start); i >= 0 {
					r.event = c.b[start+1 : i-1]
				}
			}
		case "dynamodb":
			if c.once(&seen, memberChange, name, i) {
				i = c.change(i, r)
			}
		default:
			i = c.skip(i, 0)
		}
		if c.err != nil {
			return -1
		}
		i, more = c.proceed(i, '}')
	}
	if i < 0 {
		return -1
	}
	switch {
	case len(r.sequence) == 0 || c.row[0] == (span{}):
		return c.fail(i, "the record has no Keys or no SequenceNumber")
	case string(r.event) == "REMOVE":
		r.image = nil
	case string(r.event) != "INSERT" && string(r.event) != "MODIFY":
		return c.fail(i, "the eventName is %q", r.event)
	case r.image == nil:
		return c.fail(i, "%s", noImage)
	}
	return i
}

// noImage is what is wrong with a record of a stream whose view is not one with new images.
const noImage = "the record has no NewImage"

// change reads the part of a record that says what was changed.
func (c *cutter) change(i int, r *record) int {
	var seen members
	i, more := c.enter(i, '{', '}')
	for more {
		var name []byte
		if name, i = c.name(i); i < 0 {
			return -1
		}
		switch string(name) {
		case "Keys":
			if c.once(&seen, memberKeys, name, i) {
				i = c.item(i, true)
			}
		case "NewImage":
			if c.once(&seen, memberImage, name, i) {
				r.image, i = c.doc(i, false)
			}
		case "SequenceNumber":
			start := c.blank(i)
			if i = c.str(start); i >= 0 {
				r.sequence = c.b[start+1 : i-1]
			}
		case "ApproximateCreationDateTime":
			r.made, i = c.made(i)
		default:
			i = c.skip(i, 0)
		}
		if c.err != nil {
			return -1
		}
		i, more = c.proceed(i, '}')
	}
	return i
}

// made reads a time: seconds since 1970, or ISO 8601 as some endpoints have it.
func (c *cutter) made(i int) (time.Time, int) {
	i = c.blank(i)
	if i < len(c.b) && c.b[i] == '"' {
		text, next := c.optional(i)
		if next < 0 {
			return time.Time{}, -1
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return time.Time{}, c.fail(i, "%q is not a time", text)
		}
		return t, next
	}
	seconds, next := c.numeral(i)
	if next < 0 {
		return time.Time{}, -1
	}
	if math.Abs(seconds) > 1<<40 {
		return time.Time{}, c.fail(i, "%v is not a time in seconds since 1970", seconds)
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))), next
}

// optional reads a string, or null as an empty one.
func (c *cutter) optional(i int) (string, int) {
	i = c.blank(i)
	if next := c.word(i, "null"); next > 0 {
		return "", next
	}
	next := c.str(i)
	if next < 0 {
		return "", -1
	}
	if text := c.b[i+1 : next-1]; c.escaped {
		return string(appendUnescaped(nil, text)), next
	} else {
		return string(text), next
	}
}

// word reads a literal; 0 says that it is not there.
func (c *cutter) word(i int, literal string) int {
	if len(c.b)-i >= len(literal) && string(c.b[i:i+len(literal)]) == literal {
		return i + len(literal)
	}
	return 0
}

// numeral reads a JSON number.
func (c *cutter) numeral(i int) (float64, int) {
	i = c.blank(i)
	end := numeralEnd(c.b, i)
	if end < 0 {
		return 0, c.expected("a number", i)
	}
	if whole, ok := smallWhole(c.b[i:end]); ok {
		return whole, end
	}
	v, err := strconv.ParseFloat(string(c.b[i:end]), 64)
	if err != nil {
		return 0, c.fail(i, "the number %.40s is out of range", c.b[i:end])
	}
	return v, end
}

// smallWhole reads a number of few digits and nothing else, as nearly all are.
func smallWhole(b []byte) (v float64, ok bool) {
	if len(b) > 15 {
		return 0, false
	}
	for _, d := range b {
		if d < '0' || d > '9' {
			return 0, false
		}
		v = v*10 + float64(d-'0')
	}
	return v, true
}

// numeralEnd returns the end of a JSON number, -1 if there is none.
func numeralEnd(b []byte, i int) int {
	digits := func() bool {
		start := i
		for i < len(b) && '0' <= b[i] && b[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return -1
		}
	}
	return i
}

// skip reads any JSON value.
func (c *cutter) skip(i, depth int) int {
	if i = c.blank(i); i >= len(c.b) {
		return c.expected("a value", i)
	}
	if depth > 2*maxDepth+8 { // an item's levels are two of JSON each, and are in something
		return c.fail(i, "values lie too deep in each other")
	}
	var more bool
	switch c.b[i] {
	case '{':
		for i, more = c.enter(i, '{', '}'); more; i, more = c.proceed(i, '}') {
			if _, i = c.name(i); i < 0 {
				return -1
			}
			if i = c.skip(i, depth+1); i < 0 {
				return -1
			}
		}
		return i
	case '[':
		for i, more = c.enter(i, '[', ']'); more; i, more = c.proceed(i, ']') {
			if i = c.skip(i, depth+1); i < 0 {
				return -1
			}
		}
		return i
	case '"':
		return c.str(i)
	}
	for _, literal := range [...]string{"true", "false", "null"} {
		if next := c.word(i, literal); next > 0 {
			return next
		}
	}
	if end := numeralEnd(c.b, i); end > 0 {
		return end
	}
	return c.expected("a value", i)
}
