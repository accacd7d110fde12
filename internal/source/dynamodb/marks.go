package dynamodb

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/change"
	"github.com/penstock-io/penstock/internal/fault"
)

// Parts that marks are about.
const (
	partStream = "stream"
	shardPart  = "shard/"
	scanPart   = "scan/"
)

// doneMark is the mark of a part that is read to its end.
const doneMark = "done"

// position is where in a shard to go on reading. The zero position is no mark at all.
type position struct {
	kind     positionKind
	sequence string // for at and after
}

type positionKind uint8

const (
	unread  positionKind = iota // from the shard's first record
	at                          // from the record with the number
	horizon                     // from the oldest record there is: the shard had none when reading it was decided
	after                       // from behind the record with the number
	done
)

// String is the mark of a position.
func (p position) String() string {
	switch p.kind {
	case at:
		return "at " + p.sequence
	case horizon:
		return "horizon"
	case after:
		return p.sequence
	case done:
		return doneMark
	}
	return ""
}

func parsePosition(mark string) (p position, ok bool) {
	sequence, isAt := strings.CutPrefix(mark, "at ")
	switch {
	case mark == doneMark:
		return position{kind: done}, true
	case mark == "horizon":
		return position{kind: horizon}, true
	case mark == "":
		return position{}, true
	case sequence == "" || strings.Trim(sequence, "0123456789") != "":
		return position{}, false
	case isAt:
		return position{at, sequence}, true
	}
	return position{after, sequence}, true
}

// streamMark is the mark of the part "stream".
type streamMark struct {
	ARN   string    `json:"arn"`
	Start time.Time `json:"start"` // when it was made, by the endpoint's clock
}

func (m streamMark) String() string {
	text, _ := json.Marshal(m) // two texts; a time of this age has a form
	return string(text)
}

// streamMarks are the marks of a stream in use.
type streamMarks struct {
	streamMark
	shards map[string]position
}

func parseStreamMarks(marks change.Marks) (*streamMarks, error) {
	m := &streamMarks{shards: map[string]position{}}
	if err := json.Unmarshal([]byte(marks[partStream]), &m.streamMark); err != nil || m.ARN == "" {
		return nil, fault.Wrap(err, fault.Invalid, SubjectStream, "The marks to read the stream from do not name one: %q.", marks[partStream])
	}
	for part, text := range marks {
		id, ok := strings.CutPrefix(part, shardPart)
		if !ok {
			continue
		}
		p, ok := parsePosition(text)
		if !ok {
			return nil, fault.New(fault.Invalid, SubjectStream, "The mark %q of shard %s of the stream %s is not one of this source's.", text, id, m.ARN)
		}
		if p.kind != unread {
			m.shards[id] = p
		}
	}
	return m, nil
}

// shard is a shard as DescribeStream tells of it.
type shard struct {
	id, parent  string
	first, last string // sequence numbers; last is empty while it is open
}

// tree is the shards of a stream.
type tree struct {
	status string
	view   string
	shards []shard // in the order of the endpoint's listing
	listed time.Time
	byID   map[string]shard
}

const statusEnabled = "ENABLED"

func (t *tree) enabled() bool { return t.status == statusEnabled }

// plan is what the marks say is to be done about the shards of a tree.
type plan struct {
	read      []shard  // can be read now: what went before is delivered
	wait      []shard  // can be read when their parents are done
	childless []string // closed shards that are done and have no children in the tree
	forget    []string // marks of shards that are over and gone
	gap       string   // not empty: what was lost
}

// plan compares the marks with the shards there are.
func (m *streamMarks) plan(t *tree) plan {
	var p plan
	children := map[string][]shard{}
	for _, s := range t.shards {
		if s.parent != "" {
			children[s.parent] = append(children[s.parent], s)
		}
	}
	// A shard without a mark whose child has one was closed before the start, and listed late.
	marked := func(s shard) bool { return m.shards[s.id].kind != unread }
	over := func(s shard) bool {
		return m.shards[s.id].kind == done || !marked(s) && slices.ContainsFunc(children[s.id], marked)
	}
	related := len(m.shards) == 0 // some shard of the tree is one of the marks', or a child of one
	for _, s := range t.shards {
		parent, listed := t.byID[s.parent]
		related = related || marked(s) || m.shards[s.parent].kind == done
		switch {
		case over(s):
			if s.last != "" && len(children[s.id]) == 0 {
				p.childless = append(p.childless, s.id)
			}
		case listed && !over(parent):
			p.wait = append(p.wait, s)
		case marked(s), listed, s.parent == "", m.shards[s.parent].kind == done:
			p.read = append(p.read, s)
		default:
			p.gap = "shard " + s.parent + " came and went before shard " + s.id + " could be read"
			return p
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.shards)) {
		_, listed := t.byID[id]
		switch {
		case listed:
		case m.shards[id].kind != done:
			p.gap = "shard " + id + " is gone and was read only up to " + m.shards[id].describe()
			return p
		case !slices.ContainsFunc(children[id], func(s shard) bool { return !marked(s) }):
			p.forget = append(p.forget, id)
		}
	}
	if !related && len(t.shards) > 0 {
		p.gap = "none of the shards that were read is there any more"
	}
	return p
}

func (p position) describe() string {
	switch p.kind {
	case at, horizon:
		return "its beginning"
	default:
		return "record " + p.sequence
	}
}
