package sourcetest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// PagesConfig says what Pages serves.
type PagesConfig struct {
	Table      string
	Items      int // of the table
	ItemBytes  int // of an item's JSON, about; 0 means 1024
	Attributes int // of an item, with the key; 0 means 12
	PageBytes  int // of an answer to Scan, about; 0 means 1 MiB
	Shards     int // of the stream, all open; 0 means 4
	// Changes is how many records the stream has once they flow, mixed over Keys keys: about one in ten deletes its
	// item, the others are new images.
	Changes, Keys int
}

// Pages is a server of one table that does as little as it can, so that what is measured is the source: answers
// are rendered beforehand, and only keys are filled in. Credentials are not looked at. It is an http.Handler.
//
// The items have the keys "item-" and ten digits, from 0 on. Segments are ranges of them. The table stays as it is
// whatever is in the stream.
type Pages struct {
	PagesConfig
	flowing atomic.Bool
	page    int    // items in a page
	items   []byte // of a page, with commas between
	size    int    // of an item, with a comma
	digits  int    // where the digits of the key are in an item
	buffers sync.Pool
}

const keyDigits = 10

// NewPages renders the pages.
func NewPages(c PagesConfig) *Pages {
	c.ItemBytes, c.Attributes = cmp.Or(c.ItemBytes, 1024), cmp.Or(c.Attributes, 12)
	c.PageBytes, c.Shards, c.Keys = cmp.Or(c.PageBytes, 1<<20), cmp.Or(c.Shards, 4), cmp.Or(c.Keys, 1)
	p := &Pages{PagesConfig: c}
	one := p.item()
	p.size = len(one) + 1
	p.digits = bytes.Index(one, []byte("item-")) + len("item-")
	p.page = max(1, c.PageBytes/p.size)
	p.items = bytes.TrimSuffix(bytes.Repeat(append(one, ','), p.page), []byte{','})
	p.buffers.New = func() any { b := make([]byte, 0, len(p.items)+1024); return &b }
	return p
}

// Flow puts the changes into the stream, all at once. Until then it has none, so that who starts with it as it is
// has them before him.
func (p *Pages) Flow() { p.flowing.Store(true) }

// perShard is how many records a shard has.
func (p *Pages) perShard() int {
	if !p.flowing.Load() {
		return 0
	}
	return p.Changes / p.Shards
}

// item renders an item of the size: text, numbers, a flag, a list and a map.
func (p *Pages) item() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"pk":{"S":"item-%0*d"}`, keyDigits, 0)
	some := []string{
		`{"N":"1234.5678"}`, `{"BOOL":true}`, `{"L":[{"S":"one"},{"N":"2"},{"NULL":true}]}`, `{"M":{"street":{"S":"Hauptstraße 1"},"zip":{"N":"10115"}}}`,
		`{"SS":["red","green","blue"]}`,
	}
	left := p.Attributes - 1
	for i := 0; i < len(some) && left > 1; i++ {
		fmt.Fprintf(&b, `,"attribute%02d":%s`, i, some[i])
		left--
	}
	for ; left > 0; left-- {
		head := fmt.Sprintf(`,"text%02d":{"S":"`, left)
		room := max(0, (p.ItemBytes-b.Len()-1)/left-len(head)-len(`"}`))
		b.WriteString(head + strings.Repeat("lorem ipsum dolor sit amet ", room/27+1)[:room] + `"}`)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// putDigits writes a key's number over its digits.
func putDigits(b []byte, n int) {
	for i := keyDigits - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// pagesInput is what Pages looks at of a request.
type pagesInput struct {
	Segment, TotalSegments int
	ExclusiveStartKey      struct {
		PK struct{ S string } `json:"pk"`
	}
	Limit         int
	ShardID       string `json:"ShardId"`
	ShardIterator string
	Sequence      string `json:"SequenceNumber"`
	Type          string `json:"ShardIteratorType"`
}

// ServeHTTP implements http.Handler.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in pagesInput
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, `{"__type":"SerializationException"}`, http.StatusBadRequest)
		return
	}
	buffer := p.buffers.Get().(*[]byte)
	defer p.buffers.Put(buffer)
	body := (*buffer)[:0]
	switch _, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); op {
	case "Scan":
		body = p.scan(body, in)
	case "GetRecords":
		body = p.records(body, in)
	case "DescribeTable":
		body = fmt.Appendf(body, `{"Table":{"TableName":%q,"TableStatus":"ACTIVE","TableId":"pages","ItemCount":%d,"TableSizeBytes":%d,"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],`+
			`"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"LatestStreamArn":%q,"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}}}`,
			p.Table, p.Items, p.Items*p.ItemBytes, p.arn())
	case "DescribeStream":
		body = fmt.Appendf(body, `{"StreamDescription":{"StreamArn":%q,"StreamStatus":"ENABLED","StreamViewType":"NEW_IMAGE","Shards":[`, p.arn())
		for s := range p.Shards {
			if s > 0 {
				body = append(body, ',')
			}
			body = fmt.Appendf(body, `{"ShardId":"shardId-%020d","SequenceNumberRange":{"StartingSequenceNumber":"1%020d"}}`, s, 0)
		}
		body = append(body, "]}}"...)
	case "GetShardIterator":
		body = fmt.Appendf(body, `{"ShardIterator":"%s %d"}`, strings.TrimPrefix(in.ShardID, "shardId-"), p.first(in))
	default:
		http.Error(w, `{"__type":"UnknownOperationException"}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client is gone
	*buffer = body
}

func (p *Pages) arn() string {
	return "arn:aws:dynamodb:us-east-1:123456789012:table/" + p.Table + "/stream/2026-01-01T00:00:00.000"
}

func (p *Pages) scan(body []byte, in pagesInput) []byte {
	total := max(1, in.TotalSegments)
	from, to := p.Items*in.Segment/total, p.Items*(in.Segment+1)/total
	if key := in.ExclusiveStartKey.PK.S; key != "" {
		last, err := strconv.Atoi(strings.TrimPrefix(key, "item-"))
		if err == nil {
			from = last + 1
		}
	}
	n := min(p.page, max(0, to-from))
	if in.Limit > 0 {
		n = min(n, in.Limit)
	}
	body = append(body, `{"Items":[`...)
	start := len(body)
	body = append(body, p.items[:max(0, n*p.size-1)]...)
	for i := range n {
		putDigits(body[start+i*p.size+p.digits:], from+i)
	}
	body = fmt.Appendf(body, `],"Count":%d,"ScannedCount":%d`, n, n)
	if from+n < to {
		body = fmt.Appendf(body, `,"LastEvaluatedKey":{"pk":{"S":"item-%0*d"}}`, keyDigits, from+n-1)
	}
	return append(body, '}')
}

// first is the number of the first record an iterator is to return.
func (p *Pages) first(in pagesInput) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(in.Sequence, "1")) // 0 without one
	switch in.Type {
	case "AFTER_SEQUENCE_NUMBER":
		return n + 1
	case "LATEST":
		return p.perShard()
	}
	return n
}

// records renders changes. The nth of a shard is about a key of that shard which follows from n.
func (p *Pages) records(body []byte, in pagesInput) []byte {
	var shard, from int
	if _, err := fmt.Sscanf(in.ShardIterator, "%d %d", &shard, &from); err != nil {
		return append(body, `{"Records":[]}`...)
	}
	limit := cmp.Or(in.Limit, 1000)
	now := time.Now().Unix()
	body = append(body, `{"Records":[`...)
	n := from
	for ; n < p.perShard() && n < from+limit && (n == from || len(body) < 1<<20); n++ {
		if n > from {
			body = append(body, ',')
		}
		mixed := uint64(n)*0x9E3779B97F4A7C15 + uint64(shard)
		mixed ^= mixed >> 29
		mixed *= 0xBF58476D1CE4E5B9
		mixed ^= mixed >> 32
		key := int(mixed%uint64(max(1, p.Keys/p.Shards)))*p.Shards + shard
		event := "MODIFY"
		if mixed>>60 == 0 || mixed>>60 == 1 && mixed>>59&1 == 0 {
			event = "REMOVE"
		}
		body = fmt.Appendf(body, `{"eventID":"%x","eventName":"%s","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":%d,`+
			`"Keys":{"pk":{"S":"item-%0*d"}},"SequenceNumber":"1%020d","SizeBytes":%d,"StreamViewType":"NEW_IMAGE"`, mixed, event, now, keyDigits, key, n, p.ItemBytes)
		if event == "MODIFY" {
			body = append(body, `,"NewImage":`...)
			start := len(body)
			body = append(body, p.items[:p.size-1]...)
			putDigits(body[start+p.digits:], key)
		}
		body = append(body, "}}"...)
	}
	return fmt.Appendf(body, `],"NextShardIterator":"%d %d"}`, shard, n)
}
